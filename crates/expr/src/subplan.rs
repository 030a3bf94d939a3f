//! Subqueries inside expressions.

use std::sync::Arc;

use common::cancel::CancelToken;
use common::{Oid, PgResult, internal, pg_err, pieces, unsupported};
use nodes::expr::SubLinkKind;
use rustc_hash::FxHashMap;
use types::{ArrayValue, Datum, PhysType, Rows, Selection, Vector, compare};

use crate::eval::{Cx, truth, try_bool_vector};
use crate::program::{Node, SubPlanNode};

/// The rows of an uncorrelated `IN (SELECT ...)`, by hash.
pub(crate) struct HashedSet {
    rows: Arc<Rows>,
    /// The last of the different rows with a hash.
    last: FxHashMap<u64, u32>,
    /// For each row the one before it with the same hash, or [`NO_ROW`].
    before: Vec<u32>,
    /// Rows with a NULL in them: they can only make a result unknown.
    with_nulls: Vec<u32>,
}

const NO_ROW: u32 = u32::MAX;

impl Cx<'_, '_> {
    pub(crate) fn sub_plan(
        &mut self,
        phys: PhysType,
        s: &SubPlanNode,
        sel: &Selection,
    ) -> PgResult<Arc<Vector>> {
        if let Some(sides) = &s.hash {
            return self.hashed_any(s, sides, sel);
        }
        let params = s
            .params
            .iter()
            .map(|(slot, n)| Ok((*slot, self.eval(n, sel)?)))
            .collect::<PgResult<Vec<_>>>()?;
        let uncorrelated = params.is_empty() && s.test.is_none();
        let mut out = self.output(phys);
        if uncorrelated && !sel.is_empty() {
            let value = self.one(s, 0)?;
            return Ok(self.constant(phys, &value));
        }
        for i in sel.iter() {
            for (slot, v) in &params {
                self.rt.set_exec_param(*slot, v.datum(i));
            }
            let value = self.one(s, i)?;
            out.set(i, &value);
        }
        Ok(Arc::new(out))
    }

    /// The value for one row; parameters are set.
    fn one(&mut self, s: &SubPlanNode, row: usize) -> PgResult<Datum> {
        match s.kind {
            SubLinkKind::Exists => Ok(Datum::Bool(!self.rt.subplan_rows(s.plan_id, 1)?.is_empty())),
            SubLinkKind::Expr => {
                let rows = self.rt.subplan_rows(s.plan_id, 2)?;
                if rows.len() > 1 {
                    return Err(pg_err!(
                        CARDINALITY_VIOLATION,
                        "more than one row returned by a subquery used as an expression"
                    ));
                }
                Ok(rows
                    .first()
                    .and_then(|r| r.first())
                    .cloned()
                    .unwrap_or(Datum::Null))
            }
            SubLinkKind::Array => {
                let rows = self.rt.subplan_rows(s.plan_id, usize::MAX)?;
                let cancel = self.rt.parts().cancel;
                let values = rows.iter().map(|r| Ok(r.first().cloned()));
                array_of(s.element_type, pieces::try_list(cancel, values)?, cancel)
            }
            SubLinkKind::Any | SubLinkKind::All => self.quantified(s, row),
            SubLinkKind::RowCompare => {
                let rows = self.rt.subplan_rows(s.plan_id, 2)?;
                if rows.len() > 1 {
                    return Err(pg_err!(
                        CARDINALITY_VIOLATION,
                        "more than one row returned by a subquery used as an expression"
                    ));
                }
                match rows.first() {
                    Some(values) => Ok(self.test(s, values, row)?.map_or(Datum::Null, Datum::Bool)),
                    None => Ok(Datum::Null),
                }
            }
            SubLinkKind::MultiExpr | SubLinkKind::Cte => {
                Err(unsupported!("this kind of subquery is not supported yet"))
            }
        }
    }

    fn quantified(&mut self, s: &SubPlanNode, row: usize) -> PgResult<Datum> {
        let any = s.kind == SubLinkKind::Any;
        let rows = self.rt.subplan_rows(s.plan_id, usize::MAX)?;
        let mut result = Datum::Bool(!any);
        for values in rows.iter() {
            self.rt.parts().cancel.check()?;
            match self.test(s, values, row)? {
                Some(b) if b == any => return Ok(Datum::Bool(b)),
                Some(_) => {}
                None => result = Datum::Null,
            }
        }
        Ok(result)
    }

    /// The comparison with one row of the subquery.
    fn test(&mut self, s: &SubPlanNode, values: &[Datum], row: usize) -> PgResult<Option<bool>> {
        let Some(test) = &s.test else {
            return Err(internal!("subquery comparison is missing"));
        };
        for (slot, value) in s.output_params.iter().zip(values) {
            self.rt.set_exec_param(*slot, value.clone());
        }
        let v = self.eval(test, &Selection::Rows(Arc::from([row as u16])))?;
        Ok(truth(&v, row))
    }

    fn hashed_any(
        &mut self,
        s: &SubPlanNode,
        sides: &[(Node, Oid)],
        sel: &Selection,
    ) -> PgResult<Arc<Vector>> {
        let left = sides
            .iter()
            .map(|(n, _)| self.eval(n, sel))
            .collect::<PgResult<Vec<_>>>()?;
        let types: Vec<Oid> = sides.iter().map(|(_, t)| *t).collect();
        if sel.is_empty() {
            return Ok(Arc::new(self.output(PhysType::Bool)));
        }
        // The run time remembers rows while nothing they depend on changes: the same rows need no new table.
        let rows = self.rt.subplan_rows(s.plan_id, usize::MAX)?;
        let known = self.state.hashed.iter().find(|(id, ..)| *id == s.plan_id);
        let set = match known {
            Some((_, from, set)) if Arc::ptr_eq(from, &rows) => set.clone(),
            _ => {
                let cancel = self.rt.parts().cancel;
                let set = Arc::new(HashedSet::build(Arc::clone(&rows), &types, cancel)?);
                self.state.hashed.retain(|(id, ..)| *id != s.plan_id);
                self.state.hashed.push((s.plan_id, rows, set.clone()));
                set
            }
        };
        let cancel = self.rt.parts().cancel;
        try_bool_vector(self.inputs.rows, sel, |i| {
            // NULLs in it may mean a look at all rows.
            cancel.check()?;
            let row: Vec<Datum> = left.iter().map(|v| v.datum(i)).collect();
            if s.unknown_is_false {
                return Ok(Some(set.has(&row, &types)));
            }
            Ok(set.contains(&row, &types))
        })
    }
}

impl HashedSet {
    fn build(rows: Arc<Rows>, types: &[Oid], cancel: &CancelToken) -> PgResult<HashedSet> {
        let mut set = HashedSet {
            last: FxHashMap::default(),
            before: vec![NO_ROW; rows.len()],
            with_nulls: Vec::new(),
            rows,
        };
        let rows = Arc::clone(&set.rows);
        for (number, row) in (0_u32..).zip(&**rows) {
            cancel.check()?;
            if row.iter().any(Datum::is_null) {
                set.with_nulls.push(number);
                continue;
            }
            let hash = hash_row(row, types);
            if set.has_hashed(hash, row, types) {
                continue;
            }
            let before = set.last.insert(hash, number);
            if let (Some(before), Some(place)) = (before, set.before.get_mut(number as usize)) {
                *place = before;
            }
        }
        Ok(set)
    }

    /// True when a row matches.
    fn has(&self, row: &[Datum], types: &[Oid]) -> bool {
        !row.iter().any(Datum::is_null) && self.has_hashed(hash_row(row, types), row, types)
    }

    fn has_hashed(&self, hash: u64, row: &[Datum], types: &[Oid]) -> bool {
        let mut at = self.last.get(&hash).copied().unwrap_or(NO_ROW);
        while let Some(known) = self.rows.get(at as usize) {
            if equal_rows(known, row, types) == Some(true) {
                return true;
            }
            at = self.before.get(at as usize).copied().unwrap_or(NO_ROW);
        }
        false
    }

    /// SQL's IN: true when a row matches, unknown when only NULLs keep it from being decided.
    fn contains(&self, row: &[Datum], types: &[Oid]) -> Option<bool> {
        if self.rows.is_empty() {
            return Some(false);
        }
        let undecided = |known: &Vec<Datum>| equal_rows(known, row, types).is_none();
        let unknown = if row.iter().any(Datum::is_null) {
            self.rows.iter().any(undecided)
        } else {
            if self.has(row, types) {
                return Some(true);
            }
            let mut with_nulls = self.with_nulls.iter();
            with_nulls.any(|n| self.rows.get(*n as usize).is_some_and(undecided))
        };
        if unknown { None } else { Some(false) }
    }
}

fn hash_row(row: &[Datum], types: &[Oid]) -> u64 {
    row.iter()
        .zip(types)
        .fold(0, |h, (d, t)| h.rotate_left(5) ^ compare::hash(*t, d))
}

/// `None`: undecided because of NULLs.
fn equal_rows(a: &[Datum], b: &[Datum], types: &[Oid]) -> Option<bool> {
    let mut unknown = false;
    for ((x, y), t) in a.iter().zip(b).zip(types) {
        if x.is_null() || y.is_null() {
            unknown = true;
        } else if !compare::equal(*t, x, y) {
            return Some(false);
        }
    }
    if unknown { None } else { Some(true) }
}

/// ARRAY(SELECT ...): elements that are arrays add a dimension.
fn array_of(element_type: Oid, values: Vec<Datum>, cancel: &CancelToken) -> PgResult<Datum> {
    // Vectors and domains over arrays are elements themselves.
    let is_part = |v: &Datum| matches!(v, Datum::Array(a) if a.element_type == element_type);
    if values.iter().any(is_part) {
        return crate::arrays::accumulate_arrays(element_type, &values, cancel);
    }
    Ok(Datum::Array(Arc::new(ArrayValue::from_elements(
        element_type,
        values,
    ))))
}
