//! Exclusion constraints, WITHOUT OVERLAPS among them: no two rows whose keys all conflict by the constraint's operators.
//!
//! # How it works
//! The entries are in B-tree order ([`access::ExclusionProbe`]). Leading columns compared by equality bound the search; a range column
//! behind them compared by `&&` bounds it from above, and, where no column follows, ends it at the nearest range that stands apart.
//! What no bound tells, the operators decide, entry by entry: `(c WITH &&)` over circles looks at every entry.
//!
//! # Invariants
//! - A key with a NULL conflicts with nothing.
//! - The search and the insertion happen under the index's exclusion lock; waiting for a transaction does not.
//!
//! PG: src/backend/executor/execIndexing.c (`check_exclusion_constraint`, `ExecWithoutOverlapsNotEmpty`).

use std::sync::Arc;

use access::{Excluding, ExclusionProbe, Index, Obstacle, Verdict};
use catalog::CatalogView;
use catalog::desc::{IndexColumnDesc, RelationDesc};
use common::{Oid, PgResult, RowId, Span, internal, pg_err};
use expr::{ExprProgram, RowInputs, Runtime};
use nodes::Expr;
use nodes::expr::{CoercionForm, FuncExpr, Var, VarSource};
use nodes::relids::RelIds;
use types::range::{self, Range, RangeBound};
use types::settings::TypeRef;
use types::{Datum, key};

use crate::compile::{Compiler, ScanMap};
use crate::constants::RowRuntime;
use crate::context::ExecContext;
use crate::modify::errors;
use crate::modify::insert_target::no_plan;
use crate::node::Eval;

/// `anyrange && anyrange`.
const RANGE_OVERLAPS: Oid = Oid(3888);
/// B-tree strategy of equality.
const EQUAL: i16 = 3;
const BTREE_AM: Oid = Oid(403);

/// The rule of one index, compiled.
pub struct Exclusion {
    columns: Vec<Rule>,
    /// So many first columns are compared by equality.
    equal: usize,
    /// The column that may hold no empty range, with its name.
    period: Option<(usize, Arc<str>)>,
    table: Arc<str>,
    deferrable: bool,
}

/// How the values of a column conflict.
enum Rule {
    Equal,
    Overlaps,
    /// The existing value is `Scan`, the new one `Inner`.
    Operator(Arc<ExprProgram>),
}

/// The row in the way, and its key.
pub type Conflict = (RowId, Vec<Datum>);

impl Exclusion {
    /// The rule of an index, if it has one.
    pub fn of_index(
        catalog: &dyn CatalogView,
        table: &RelationDesc,
        index: &RelationDesc,
    ) -> PgResult<Option<Exclusion>> {
        let Some(info) = index.index.as_ref().filter(|i| i.exclusion) else {
            return Ok(None);
        };
        let Some(constraint) = table.constraints.iter().find(|c| c.index == index.oid) else {
            return Err(internal!("index \"{}\" has lost its constraint", index.name));
        };
        let keys = info.columns.iter().take(info.key_count);
        let columns = keys
            .zip(&constraint.exclusion_ops)
            .enumerate()
            .map(|(at, (column, op))| rule(catalog, table, column, (at, *op)))
            .collect::<PgResult<Vec<_>>>()?;
        let name = |attno| table.column(attno).map(|c| Arc::clone(&c.name));
        let last = columns.len().saturating_sub(1);
        let period = info.columns.get(last).filter(|_| constraint.period);
        Ok(Some(Exclusion {
            equal: columns.iter().take_while(|r| matches!(r, Rule::Equal)).count(),
            deferrable: constraint.deferrable,
            period: period.and_then(|c| name(c.attno)).map(|name| (last, name)),
            table: Arc::clone(&table.name),
            columns,
        }))
    }

    /// An empty range overlaps nothing, so a period may not be one.
    pub fn check_period(&self, values: &[Datum]) -> PgResult<()> {
        let Some((at, name)) = &self.period else {
            return Ok(());
        };
        let empty = match values.get(*at) {
            Some(Datum::Range(r)) => r.range.is_none(),
            Some(Datum::Multirange(m)) => m.ranges.is_empty(),
            _ => false,
        };
        if empty {
            return Err(pg_err!(
                CHECK_VIOLATION,
                "empty WITHOUT OVERLAPS value found in column \"{name}\" in relation \"{}\"",
                self.table
            ));
        }
        Ok(())
    }

    /// Adds an entry with `insert`; true when one may be in the way, which must be checked later.
    pub(crate) fn insert_unchecked(
        &self,
        ext: &ExecContext<'_>,
        (index, values): (&Index, &[Datum]),
        insert: &mut dyn FnMut() -> PgResult<()>,
    ) -> PgResult<bool> {
        let _lock = index.exclusion_lock();
        let found = self.search(ext, index, values, None)?;
        insert()?;
        Ok(found != Excluding::Nobody)
    }

    /// Adds an entry with `insert`, unless one is in the way: then that.
    pub(crate) fn insert(
        &self,
        ext: &ExecContext<'_>,
        (index, values): (&Index, &[Datum]),
        insert: &mut dyn FnMut() -> PgResult<()>,
    ) -> PgResult<Result<(), Conflict>> {
        let mut obstacle = Obstacle::default();
        loop {
            let lock = index.exclusion_lock();
            match self.search(ext, index, values, None)? {
                Excluding::Nobody => return insert().map(Ok),
                Excluding::Row(row, key) => return Ok(Err((row, key))),
                Excluding::Pending(xid) => {
                    drop(lock);
                    ext.with_txn(|txn| obstacle.met(txn, xid))?;
                }
            }
        }
    }

    /// The row in the way of a key, other than `own`; waits for transactions in progress.
    pub fn conflict(
        &self,
        ext: &ExecContext<'_>,
        index: &Index,
        values: &[Datum],
        own: Option<RowId>,
    ) -> PgResult<Option<Conflict>> {
        let mut obstacle = Obstacle::default();
        loop {
            match self.search(ext, index, values, own)? {
                Excluding::Nobody => return Ok(None),
                Excluding::Row(row, key) => return Ok(Some((row, key))),
                Excluding::Pending(xid) => ext.with_txn(|txn| obstacle.met(txn, xid))?,
            }
        }
    }

    /// Checks a row among those that have their entries: for a new constraint.
    pub fn check_row(
        &self,
        ext: &ExecContext<'_>,
        (table, index): (&RelationDesc, &RelationDesc),
        opened: &Index,
        (key, row): (&[Datum], RowId),
    ) -> PgResult<()> {
        self.check_period(key)?;
        match self.conflict(ext, opened, key, Some(row))? {
            Some((_, other)) => Err(errors::exclusion_of_rows(ext, table, index, (key, &other))),
            None => Ok(()),
        }
    }

    fn search(
        &self,
        ext: &ExecContext<'_>,
        index: &Index,
        values: &[Datum],
        own: Option<RowId>,
    ) -> PgResult<Excluding> {
        if values.iter().any(Datum::is_null) {
            return Ok(Excluding::Nobody);
        }
        let range = match (self.columns.get(self.equal), values.get(self.equal)) {
            (Some(Rule::Overlaps), Some(Datum::Range(value))) => match &value.range {
                Some(range) => Some((value, range)),
                None => return Ok(Excluding::Nobody),
            },
            _ => None,
        };
        let alone = self.equal + 1 == self.columns.len();
        let probe = ExclusionProbe {
            equal: &values[..self.equal.min(values.len())],
            at_most: range.and_then(|(value, range)| up_to(value, range)),
            own,
            deferrable: self.deferrable,
        };
        let mark = ext.with_txn(|txn| txn.mark())?;
        let mut operators: Vec<Option<Eval>> = self.columns.iter().map(Rule::eval).collect();
        let mut rt = RowRuntime(ext);
        let row = (values, index);
        index.excluding(mark, &probe, &mut |existing| {
            ext.cancel.check()?;
            if let (Some((new, r)), Some(Datum::Range(old)), true) = (range, existing.get(self.equal), alone)
            {
                return Ok(match &old.range {
                    Some(o) if range::overlaps(new.subtype, o, r) => Verdict::Conflicts,
                    Some(o) if range::is_before(new.subtype, o, r) => Verdict::Beyond,
                    _ => Verdict::Apart,
                });
            }
            self.judge(&mut rt, existing, row, &mut operators)
        })
    }

    fn judge(
        &self,
        rt: &mut dyn Runtime,
        existing: &[Datum],
        (values, index): (&[Datum], &Index),
        operators: &mut [Option<Eval>],
    ) -> PgResult<Verdict> {
        for (at, (rule, operator)) in self.columns.iter().zip(operators).enumerate().skip(self.equal) {
            let (Some(old), Some(new)) = (existing.get(at), values.get(at)) else {
                return Ok(Verdict::Apart);
            };
            let conflicts = !old.is_null()
                && match (rule, operator) {
                    (Rule::Equal, _) => {
                        let (mut a, mut b) = (Vec::new(), Vec::new());
                        if let Some(column) = index.def().columns.get(at) {
                            key::encode(column, old, &mut a);
                            key::encode(column, new, &mut b);
                        }
                        a == b
                    }
                    (Rule::Overlaps, _) => overlap(old, new),
                    (Rule::Operator(_), Some(eval)) => {
                        let inputs = RowInputs {
                            scan: existing,
                            inner: values,
                            outer: &[],
                        };
                        eval.row(rt, inputs)?.as_bool() == Some(true)
                    }
                    (Rule::Operator(_), None) => return Err(internal!("exclusion operator lost its state")),
                };
            if !conflicts {
                return Ok(Verdict::Apart);
            }
        }
        Ok(Verdict::Conflicts)
    }
}

impl Rule {
    fn eval(&self) -> Option<Eval> {
        match self {
            Rule::Operator(program) => Some(Eval::new(program)),
            _ => None,
        }
    }
}

/// Above every range that begins before this one ends, or where it ends.
fn up_to(value: &types::range::RangeValue, range: &Range) -> Option<Datum> {
    if range.upper.is_infinite() {
        return None;
    }
    let lower = RangeBound {
        value: range.upper.value.clone(),
        inclusive: false,
    };
    let upper = RangeBound::infinite();
    Some(value.with(Some(Range { lower, upper })).into_datum())
}

fn overlap(old: &Datum, new: &Datum) -> bool {
    match (old, new) {
        (Datum::Range(a), Datum::Range(b)) => match (&a.range, &b.range) {
            (Some(x), Some(y)) => range::overlaps(a.subtype, x, y),
            _ => false,
        },
        _ => false,
    }
}

fn rule(
    catalog: &dyn CatalogView,
    table: &RelationDesc,
    column: &IndexColumnDesc,
    (at, op): (usize, Oid),
) -> PgResult<Rule> {
    if op == RANGE_OVERLAPS {
        return Ok(Rule::Overlaps);
    }
    let families = catalog.operator_families(BTREE_AM, op)?;
    if families.iter().any(|(_, strategy)| *strategy == EQUAL) {
        return Ok(Rule::Equal);
    }
    let Some(operator) = catalog.operator(op)? else {
        return Err(internal!("exclusion operator {op} vanished"));
    };
    let type_ref = match (&column.expr, table.column(column.attno)) {
        (Some(expr), _) => expr.type_ref(),
        (None, Some(c)) => c.type_ref,
        (None, None) => TypeRef::plain(column.opcintype),
    };
    let value = |source| {
        Expr::Var(Var {
            source,
            attno: at as i16 + 1,
            type_ref,
            collation: column.collation,
            nulling_rels: RelIds::empty(),
            returning: nodes::expr::ReturningKind::Default,
            span: Span::NONE,
        })
    };
    let call = Expr::Func(FuncExpr {
        func: operator.function,
        op,
        args: vec![value(VarSource::Scan), value(VarSource::Inner)],
        result: TypeRef::plain(types::oids::BOOL),
        returns_set: false,
        variadic: false,
        form: CoercionForm::ExplicitCall,
        input_collation: column.collation,
        collation: Oid::INVALID,
        span: Span::NONE,
    });
    let compiler = Compiler {
        plan: &no_plan(),
        catalog,
    };
    compiler.program(&call, ScanMap::Positions).map(Rule::Operator)
}
