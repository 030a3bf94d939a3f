//! Partition pruning at plan time: which partitions can hold rows that satisfy the conditions.
//!
//! PG: src/backend/partitioning/partprune.c.
//!
//! # How it works
//! Conditions `key OP constant` are collected per key column. LIST tests every value of a partition, RANGE compares the partition's
//! bounds with the prefix of key columns that the conditions fix, HASH needs all columns. OR prunes what all its arms prune.
//!
//! # Not here
//! Pruning by values that are only known at run time.

use std::cmp::Ordering;
use std::sync::Arc;

use catalog::RelationDesc;
use catalog::partition::{PartitionKeyColumn, Partitions, compare_values};
use common::{Oid, PgResult};
use nodes::expr::{BoolOp, BoolTestKind, Expr};
use nodes::partition::{PartitionBound, PartitionStrategy, RangeDatum};
use types::{Datum, PhysType};

use crate::exprs::facts;
use crate::root::Root;

/// What a condition says of a key column.
#[derive(Clone, Debug)]
enum Condition {
    /// Btree strategy (1 <, 2 <=, 3 =, 4 >=, 5 >; 6 <>) and value.
    Compare(usize, u8, Datum),
    In(usize, Vec<Datum>),
    Null(usize, bool),
    /// Never true.
    Never,
}

/// The leaf partitions (OIDs) of a partitioned table that may satisfy the conditions, over range table entry `rt_index`.
pub fn surviving_leaves(
    root: &Root<'_, '_>,
    table: &Arc<RelationDesc>,
    rt_index: usize,
    clauses: &[Expr],
) -> PgResult<Vec<Oid>> {
    let mut out = Vec::new();
    collect(root, table, table, rt_index, clauses, &mut out)?;
    Ok(out)
}

fn collect(
    root: &Root<'_, '_>,
    top: &Arc<RelationDesc>,
    level: &Arc<RelationDesc>,
    rt_index: usize,
    clauses: &[Expr],
    out: &mut Vec<Oid>,
) -> PgResult<()> {
    let catalog = root.context().catalog;
    let partitions = Partitions::load(catalog, level)?;
    // Key columns in terms of the columns of the table in the query.
    let keys: Vec<Expr> = partitions
        .key
        .columns
        .iter()
        .map(|c| key_expr(c, top, level, rt_index))
        .collect();
    let pruner = Pruner {
        root,
        partitions: &partitions,
        keys: &keys,
    };
    let keep = pruner.all(clauses)?;
    for (part, kept) in partitions.parts.iter().zip(keep) {
        if !kept {
            continue;
        }
        let Some(child) = catalog.relation(part.oid)? else {
            continue;
        };
        if child.relkind == b'p' {
            collect(root, top, &child, rt_index, clauses, out)?;
        } else {
            out.push(child.oid);
        }
    }
    Ok(())
}

fn key_expr(column: &PartitionKeyColumn, top: &RelationDesc, level: &RelationDesc, rt_index: usize) -> Expr {
    let to_top = |attno: i16| -> i16 {
        level
            .column(attno)
            .and_then(|c| top.column_by_name(&c.name))
            .map_or(attno, |c| c.attno)
    };
    match &column.expr {
        Some(e) => {
            let mut e = (**e).clone();
            crate::exprs::query_walk::strip_expr(&mut e);
            crate::exprs::query_walk::offset_rels(&mut e, 0, rt_index - 1);
            nodes::walk::rewrite(&mut e, &mut |x| {
                if let Expr::Var(v) = x {
                    v.attno = to_top(v.attno);
                }
            });
            e
        }
        None => crate::paths::column_expr(top, rt_index, to_top(column.attno)),
    }
}

struct Pruner<'r, 'g, 'a> {
    root: &'r Root<'g, 'a>,
    partitions: &'r Partitions,
    keys: &'r [Expr],
}

impl Pruner<'_, '_, '_> {
    /// Which partitions may satisfy all clauses.
    fn all(&self, clauses: &[Expr]) -> PgResult<Vec<bool>> {
        let mut conditions = Vec::new();
        let mut keep = vec![true; self.partitions.parts.len()];
        fn narrow(keep: &mut [bool], other: Vec<bool>) {
            keep.iter_mut().zip(other).for_each(|(k, o)| *k &= o);
        }
        for clause in clauses {
            match clause {
                Expr::Bool(b) if b.op == BoolOp::Or => {
                    let mut any = vec![false; self.partitions.parts.len()];
                    for arm in &b.args {
                        let mut parts = Vec::new();
                        facts::flatten_and(arm.clone(), &mut parts);
                        let arm = self.all(&parts)?;
                        any.iter_mut().zip(arm).for_each(|(a, x)| *a |= x);
                    }
                    narrow(&mut keep, any);
                }
                Expr::Bool(b) if b.op == BoolOp::And => {
                    let all = self.all(&b.args)?;
                    narrow(&mut keep, all);
                }
                other => conditions.extend(self.condition(other)?),
            }
        }
        if conditions.iter().any(|c| matches!(c, Condition::Never)) {
            return Ok(vec![false; keep.len()]);
        }
        // An IN list is the union of its values.
        if let Some(at) = conditions.iter().position(|c| matches!(c, Condition::In(..))) {
            let Condition::In(column, values) = conditions.swap_remove(at) else {
                return Ok(keep);
            };
            let mut any = vec![false; keep.len()];
            for value in values.into_iter().filter(|v| !v.is_null()) {
                let mut one = conditions.clone();
                one.push(Condition::Compare(column, 3, value));
                let kept = self.conditions(&one)?;
                any.iter_mut().zip(kept).for_each(|(a, x)| *a |= x);
            }
            narrow(&mut keep, any);
            return Ok(keep);
        }
        let rest = self.conditions(&conditions)?;
        narrow(&mut keep, rest);
        Ok(keep)
    }

    fn conditions(&self, conditions: &[Condition]) -> PgResult<Vec<bool>> {
        let count = self.partitions.parts.len();
        if conditions.is_empty() {
            return Ok(vec![true; count]);
        }
        if let Some(at) = conditions.iter().position(|c| matches!(c, Condition::In(..))) {
            let mut rest = conditions.to_vec();
            let Condition::In(column, values) = rest.swap_remove(at) else {
                return Ok(vec![true; count]);
            };
            let mut any = vec![false; count];
            for value in values.into_iter().filter(|v| !v.is_null()) {
                let mut one = rest.clone();
                one.push(Condition::Compare(column, 3, value));
                let kept = self.conditions(&one)?;
                any.iter_mut().zip(kept).for_each(|(a, x)| *a |= x);
            }
            return Ok(any);
        }
        match self.partitions.key.strategy {
            PartitionStrategy::List => Ok(self.list(conditions)),
            PartitionStrategy::Range => self.range(conditions),
            PartitionStrategy::Hash => self.hash(conditions),
        }
    }

    fn holds(&self, column: usize, condition: &Condition, value: &Datum) -> bool {
        match condition {
            Condition::Compare(c, strategy, wanted) if *c == column => {
                if value.is_null() {
                    return false;
                }
                let order = compare_values(&self.partitions.key.columns[column], value, wanted);
                match strategy {
                    1 => order == Ordering::Less,
                    2 => order != Ordering::Greater,
                    3 => order == Ordering::Equal,
                    4 => order != Ordering::Less,
                    5 => order == Ordering::Greater,
                    _ => order != Ordering::Equal,
                }
            }
            Condition::Null(c, is_null) if *c == column => value.is_null() == *is_null,
            _ => true,
        }
    }

    fn list(&self, conditions: &[Condition]) -> Vec<bool> {
        let equal = conditions.iter().find_map(|c| match c {
            Condition::Compare(0, 3, v) => Some(v),
            _ => None,
        });
        let null = conditions.iter().any(|c| matches!(c, Condition::Null(0, true)));
        let mut keep: Vec<bool> = self
            .partitions
            .parts
            .iter()
            .map(|p| match &*p.bound {
                PartitionBound::List(values) => values
                    .iter()
                    .any(|v| conditions.iter().all(|c| self.holds(0, c, &v.value))),
                _ => true,
            })
            .collect();
        if let Some(default) = self.partitions.default {
            let found_elsewhere = keep.iter().enumerate().any(|(i, k)| *k && i != default);
            if (equal.is_some() || null) && found_elsewhere {
                keep[default] = false;
            }
        }
        keep
    }

    fn hash(&self, conditions: &[Condition]) -> PgResult<Vec<bool>> {
        let count = self.partitions.parts.len();
        let mut values = Vec::new();
        for column in 0..self.partitions.key.columns.len() {
            let value = conditions.iter().find_map(|c| match c {
                Condition::Compare(i, 3, v) if *i == column => Some(v.clone()),
                Condition::Null(i, true) if *i == column => Some(Datum::Null),
                _ => None,
            });
            match value {
                Some(v) => values.push(v),
                None => return Ok(vec![true; count]),
            }
        }
        let found = self.partitions.route(&values)?;
        Ok((0..count).map(|i| Some(i) == found).collect())
    }

    fn range(&self, conditions: &[Condition]) -> PgResult<Vec<bool>> {
        let count = self.partitions.parts.len();
        let is_default = |i: usize| Some(i) == self.partitions.default;
        if conditions.iter().any(|c| matches!(c, Condition::Null(_, true))) {
            return Ok((0..count).map(is_default).collect());
        }
        let bounds = QueryRange::new(conditions, self.partitions.key.columns.len(), self.partitions);
        if bounds.is_empty(self.partitions) {
            return Ok(vec![false; count]);
        }
        if bounds.exact(self.partitions.key.columns.len()) {
            let found = self.partitions.route(&bounds.low.0)?;
            return Ok((0..count).map(|i| Some(i) == found).collect());
        }
        let mut keep: Vec<bool> = self
            .partitions
            .parts
            .iter()
            .map(|p| match &*p.bound {
                PartitionBound::Range { lower, upper } => bounds.overlaps(lower, upper, self.partitions),
                _ => false,
            })
            .collect();
        if let Some(default) = self.partitions.default {
            let chosen: Vec<usize> = (0..count).filter(|i| keep[*i]).collect();
            keep[default] = !self.covered(&chosen, &bounds);
        }
        Ok(keep)
    }

    /// True when the chosen partitions hold everything in the range: the default one is not needed.
    fn covered(&self, chosen: &[usize], range: &QueryRange) -> bool {
        let (Some(first), Some(last)) = (chosen.first(), chosen.last()) else {
            return false;
        };
        let bound = |i: usize| match &*self.partitions.parts[i].bound {
            PartitionBound::Range { lower, upper } => Some((lower, upper)),
            _ => None,
        };
        let (Some((lower, _)), Some((_, upper))) = (bound(*first), bound(*last)) else {
            return false;
        };
        let starts = compare_prefix(lower, &range.low.0, self.partitions);
        let ends = compare_prefix(upper, &range.high.0, self.partitions);
        let low_ok = if range.low.0.is_empty() {
            matches!(lower.first(), Some(RangeDatum::MinValue))
        } else {
            starts == Ordering::Less
                || starts == Ordering::Equal && range.low.0.len() == self.partitions.key.columns.len()
        };
        let high_ok = if range.high.0.is_empty() {
            matches!(upper.first(), Some(RangeDatum::MaxValue))
        } else {
            ends == Ordering::Greater || ends == Ordering::Equal && !range.high.1
        };
        low_ok && high_ok && self.partitions.is_contiguous(chosen)
    }

    /// What a clause says of key columns; nothing when it says nothing usable.
    fn condition(&self, clause: &Expr) -> PgResult<Option<Condition>> {
        let is_key = |e: &Expr, at: usize| facts::strip_relabel(e) == facts::strip_relabel(&self.keys[at]);
        for at in 0..self.keys.len() {
            let column = &self.partitions.key.columns[at];
            match clause {
                Expr::Const(c) if c.value.as_bool() != Some(true) => return Ok(Some(Condition::Never)),
                Expr::NullTest(n) if !n.arg_is_row && is_key(&n.arg, at) => {
                    return Ok(Some(Condition::Null(at, !n.is_not)));
                }
                Expr::Func(f) => {
                    let Some((op, left, right)) = facts::binary_op(clause) else {
                        continue;
                    };
                    let (op, value) = if is_key(left, at) {
                        (op, right)
                    } else if is_key(right, at) {
                        match self.root.context().catalog.operator(op)? {
                            Some(o) if o.commutator.is_valid() => (o.commutator, left),
                            _ => continue,
                        }
                    } else {
                        continue;
                    };
                    if column.collation.is_valid() && f.input_collation != column.collation {
                        continue;
                    }
                    let Expr::Const(value) = facts::strip_relabel(value) else {
                        continue;
                    };
                    if value.value.is_null() {
                        return Ok(Some(Condition::Never));
                    }
                    let Some(strategy) = self.strategy(op, column)? else {
                        continue;
                    };
                    if let Some(value) = convert(&value.value, column.phys) {
                        return Ok(Some(Condition::Compare(at, strategy, value)));
                    }
                }
                Expr::ScalarArrayOp(s) if is_key(&s.scalar, at) => {
                    if column.collation.is_valid() && s.input_collation != column.collation {
                        continue;
                    }
                    let (Expr::Const(array), Some(strategy)) = (&*s.array, self.strategy(s.op, column)?)
                    else {
                        continue;
                    };
                    let Datum::Array(array) = &array.value else {
                        return Ok(array.value.is_null().then_some(Condition::Never));
                    };
                    let values: Option<Vec<Datum>> = array
                        .elements
                        .iter()
                        .map(|v| {
                            if v.is_null() {
                                Some(Datum::Null)
                            } else {
                                convert(v, column.phys)
                            }
                        })
                        .collect();
                    let Some(values) = values else { continue };
                    if s.use_or && strategy == 3 {
                        return Ok(Some(Condition::In(at, values)));
                    }
                    if !s.use_or && strategy == 6 && values.iter().any(Datum::is_null) {
                        return Ok(Some(Condition::Never));
                    }
                }
                Expr::Var(_) if column.type_ref.oid == types::oids::BOOL && is_key(clause, at) => {
                    return Ok(Some(Condition::Compare(at, 3, Datum::Bool(true))));
                }
                Expr::Bool(b) if b.op == BoolOp::Not && b.args.first().is_some_and(|a| is_key(a, at)) => {
                    return Ok(Some(Condition::Compare(at, 3, Datum::Bool(false))));
                }
                Expr::BooleanTest(t) if is_key(&t.arg, at) => {
                    let value = match t.kind {
                        BoolTestKind::IsTrue => Condition::Compare(at, 3, Datum::Bool(true)),
                        BoolTestKind::IsFalse => Condition::Compare(at, 3, Datum::Bool(false)),
                        BoolTestKind::IsUnknown => Condition::Null(at, true),
                        BoolTestKind::IsNotUnknown => Condition::Null(at, false),
                        _ => continue,
                    };
                    return Ok(Some(value));
                }
                _ => {}
            }
        }
        Ok(None)
    }

    fn strategy(&self, op: Oid, column: &PartitionKeyColumn) -> PgResult<Option<u8>> {
        let catalog = self.root.context().catalog;
        let hash = self.partitions.key.strategy == PartitionStrategy::Hash;
        let method = if hash { Oid(405) } else { crate::joininfo::BTREE };
        let in_family = |op: Oid| -> PgResult<Option<u8>> {
            let families = catalog.operator_families(method, op)?;
            let found = families.iter().find(|(f, _)| *f == column.opfamily);
            Ok(found.map(|(_, s)| if hash { 3 } else { *s as u8 }))
        };
        if let Some(found) = in_family(op)? {
            return Ok(Some(found));
        }
        if hash || self.partitions.key.strategy == PartitionStrategy::Range {
            return Ok(None);
        }
        // `<>` is in no family; its negator is.
        match catalog.operator(op)? {
            Some(o) if o.negator.is_valid() && in_family(o.negator)? == Some(3) => Ok(Some(6)),
            _ => Ok(None),
        }
    }
}

/// A value in the class of the key column.
fn convert(value: &Datum, to: PhysType) -> Option<Datum> {
    if value.phys() == Some(to) {
        return Some(value.clone());
    }
    let integer = match value {
        Datum::Int2(v) => i64::from(*v),
        Datum::Int4(v) => i64::from(*v),
        Datum::Int8(v) => *v,
        _ => return None,
    };
    match to {
        PhysType::Int2 => i16::try_from(integer).ok().map(Datum::Int2),
        PhysType::Int4 => i32::try_from(integer).ok().map(Datum::Int4),
        PhysType::Int8 => Some(Datum::Int8(integer)),
        _ => None,
    }
}

/// The prefix of key columns that conditions bound from below and above; true: inclusive.
struct QueryRange {
    low: (Vec<Datum>, bool),
    high: (Vec<Datum>, bool),
}

impl QueryRange {
    fn new(conditions: &[Condition], columns: usize, partitions: &Partitions) -> QueryRange {
        let mut range = QueryRange {
            low: (Vec::new(), true),
            high: (Vec::new(), true),
        };
        for column in 0..columns {
            let of = |strategies: [u8; 2]| {
                conditions.iter().filter_map(move |c| match c {
                    Condition::Compare(i, s, v) if *i == column && strategies.contains(s) => Some((*s, v)),
                    _ => None,
                })
            };
            if let Some((_, value)) = of([3, 3]).next() {
                range.low.0.push(value.clone());
                range.high.0.push(value.clone());
                continue;
            }
            let key = &partitions.key.columns[column];
            let low = of([4, 5]).max_by(|a, b| compare_values(key, a.1, b.1).then(a.0.cmp(&b.0)));
            let high = of([1, 2]).min_by(|a, b| compare_values(key, a.1, b.1).then(a.0.cmp(&b.0)));
            if let Some((strategy, value)) = low {
                range.low.0.push(value.clone());
                range.low.1 = strategy == 4;
            }
            if let Some((strategy, value)) = high {
                range.high.0.push(value.clone());
                range.high.1 = strategy == 2;
            }
            break;
        }
        range
    }

    fn exact(&self, columns: usize) -> bool {
        self.low.0.len() == columns && self.low.0 == self.high.0 && self.low.1 && self.high.1
    }

    /// True when no value satisfies both ends.
    fn is_empty(&self, partitions: &Partitions) -> bool {
        let mut order = Ordering::Equal;
        let both = self.low.0.len().min(self.high.0.len());
        if both == 0 {
            return false;
        }
        for (i, key) in partitions.key.columns.iter().enumerate().take(both) {
            order = compare_values(key, &self.low.0[i], &self.high.0[i]);
            if order != Ordering::Equal {
                break;
            }
        }
        match order {
            Ordering::Greater => true,
            Ordering::Equal => self.low.0.len() == self.high.0.len() && !(self.low.1 && self.high.1),
            Ordering::Less => false,
        }
    }

    fn overlaps(&self, lower: &[RangeDatum], upper: &[RangeDatum], partitions: &Partitions) -> bool {
        if !self.high.0.is_empty() {
            match compare_prefix(lower, &self.high.0, partitions) {
                Ordering::Greater => return false,
                Ordering::Equal if !self.high.1 => return false,
                _ => {}
            }
        }
        if !self.low.0.is_empty() {
            match compare_prefix(upper, &self.low.0, partitions) {
                Ordering::Less => return false,
                Ordering::Equal => {
                    let next = upper.get(self.low.0.len());
                    if !self.low.1 || next.is_none() || matches!(next, Some(RangeDatum::MinValue)) {
                        return false;
                    }
                }
                Ordering::Greater => {}
            }
        }
        true
    }
}

/// A bound against the leading columns of a row.
fn compare_prefix(bound: &[RangeDatum], values: &[Datum], partitions: &Partitions) -> Ordering {
    for ((edge, value), key) in bound.iter().zip(values).zip(&partitions.key.columns) {
        let order = match edge {
            RangeDatum::MinValue => Ordering::Less,
            RangeDatum::MaxValue => Ordering::Greater,
            RangeDatum::Value(c) => compare_values(key, &c.value, value),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}
