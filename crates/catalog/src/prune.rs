//! Partition pruning: which partitions can hold rows that satisfy conditions on the key.
//!
//! PG: src/backend/partitioning/partprune.c.
//!
//! # How it works
//! Conditions whose values are known are collected per key column. LIST tests every value of a partition, RANGE compares the
//! partition's bounds with the prefix of key columns that the conditions fix, HASH needs all columns. OR keeps what one of its arms
//! keeps. A condition whose value is not known (yet) excludes nothing.
//!
//! # Not here
//! Finding conditions in a query (the planner's); evaluating their values.

use std::cmp::Ordering;
use std::sync::Arc;

use common::{Oid, PgResult, cancel};
use nodes::Expr;
use nodes::partition::{PartitionBound, PartitionStrategy, RangeDatum};
use nodes::prune::{PartitionPrune, PruneMember, PruneStep};
use types::{Datum, PhysType, oids};

use crate::partition::{PartitionKeyColumn, Partitions, compare_values};

/// Values of [`PartitionPrune::values`], as far as they are known.
#[derive(Clone, Copy)]
pub struct Known<'v> {
    /// The expressions, for their types.
    pub exprs: &'v [Expr],
    /// What they are.
    pub datums: &'v [Option<Datum>],
}

/// Which of `inputs` inputs may have rows; `partitions` are those of the levels.
pub fn inputs_to_run(
    prune: &PartitionPrune,
    partitions: &[Arc<Partitions>],
    known: Known<'_>,
    inputs: usize,
) -> PgResult<Vec<bool>> {
    let mut run = vec![true; inputs];
    for (_, member) in prune.levels.iter().flat_map(|l| &l.members) {
        if let PruneMember::Input(i) = member {
            run[*i] = false;
        }
    }
    let mut open = vec![0];
    while let Some(level) = open.pop() {
        let (Some(level), Some(partitions)) = (prune.levels.get(level), partitions.get(level)) else {
            continue;
        };
        let kept = partitions_to_read(partitions, &level.steps, known)?;
        for (part, _) in partitions.parts.iter().zip(kept).filter(|(_, kept)| *kept) {
            match level.members.iter().find(|(oid, _)| *oid == part.oid) {
                Some((_, PruneMember::Input(i))) => run[*i] = true,
                Some((_, PruneMember::Level(l))) => open.push(*l),
                None => {}
            }
        }
    }
    Ok(run)
}

/// Which partitions of one table, in bound order, may satisfy all steps.
pub fn partitions_to_read(
    partitions: &Partitions,
    steps: &[PruneStep],
    known: Known<'_>,
) -> PgResult<Vec<bool>> {
    Pruner { partitions, known }.all(steps)
}

/// What is known of a key column.
#[derive(Clone, Debug)]
enum Condition {
    /// Btree strategy (1 <, 2 <=, 3 =, 4 >=, 5 >; 6 <>) and value.
    Compare(usize, u8, Datum),
    In(usize, Vec<Datum>),
    Null(usize, bool),
    /// Never true.
    Never,
}

struct Pruner<'p> {
    partitions: &'p Partitions,
    known: Known<'p>,
}

impl Pruner<'_> {
    /// Which partitions may satisfy all steps.
    fn all(&self, steps: &[PruneStep]) -> PgResult<Vec<bool>> {
        let mut conditions = Vec::new();
        let mut keep = vec![true; self.partitions.parts.len()];
        fn narrow(keep: &mut [bool], other: Vec<bool>) {
            keep.iter_mut().zip(other).for_each(|(k, o)| *k &= o);
        }
        for step in steps {
            if let PruneStep::Or(arms) = step {
                let mut any = vec![false; keep.len()];
                for arm in arms {
                    let arm = self.all(arm)?;
                    any.iter_mut().zip(arm).for_each(|(a, x)| *a |= x);
                }
                narrow(&mut keep, any);
            } else {
                self.condition(step, &mut conditions);
            }
        }
        if conditions.iter().any(|c| matches!(c, Condition::Never)) {
            return Ok(vec![false; keep.len()]);
        }
        let rest = self.conditions(&conditions)?;
        narrow(&mut keep, rest);
        Ok(keep)
    }

    /// A value of the query and its type.
    fn value(&self, at: usize) -> Option<(&Datum, Oid)> {
        let value = self.known.datums.get(at)?.as_ref()?;
        Some((value, self.known.exprs.get(at)?.type_oid()))
    }

    fn condition(&self, step: &PruneStep, out: &mut Vec<Condition>) {
        let key = |column: usize| self.partitions.key.columns.get(column);
        match step {
            PruneStep::Compare {
                column,
                strategy,
                value,
            } => {
                let (Some((value, of)), Some(key)) = (self.value(*value), key(*column)) else {
                    return;
                };
                if value.is_null() {
                    out.push(Condition::Never);
                } else if let Some(value) = convert(value, of, key) {
                    out.push(Condition::Compare(*column, *strategy, value));
                }
            }
            PruneStep::Any { column, array } | PruneStep::Differs { column, array } => {
                let (Some((value, of)), Some(key)) = (self.value(*array), key(*column)) else {
                    return;
                };
                let Datum::Array(array) = value else {
                    out.extend(value.is_null().then_some(Condition::Never));
                    return;
                };
                let of = types::builtin::type_row(of).map_or(Oid::INVALID, |row| row.typelem);
                let elements = array.elements.iter().filter(|v| !v.is_null());
                let values: Option<Vec<Datum>> = elements.map(|v| convert(v, of, key)).collect();
                let differs = matches!(step, PruneStep::Differs { .. });
                match values {
                    _ if differs && array.elements.iter().any(Datum::is_null) => out.push(Condition::Never),
                    None => {}
                    Some(values) if differs => {
                        out.extend(values.into_iter().map(|v| Condition::Compare(*column, 6, v)));
                    }
                    Some(values) => out.push(Condition::In(*column, values)),
                }
            }
            PruneStep::Null { column, is_null } => out.push(Condition::Null(*column, *is_null)),
            PruneStep::Is { column, value } => {
                out.push(Condition::Compare(*column, 3, Datum::Bool(*value)));
            }
            PruneStep::Never => out.push(Condition::Never),
            PruneStep::Or(_) => {}
        }
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
                // Thousands of values may meet thousands of partitions.
                cancel::check()?;
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
            // Rows with a NULL in some key column are in the default partition.
            let has = |column: usize| {
                conditions.iter().any(|c| match c {
                    Condition::Compare(i, ..) | Condition::Null(i, false) => *i == column,
                    _ => false,
                })
            };
            let strict = (0..self.partitions.key.columns.len()).all(has);
            keep[default] = !strict || !self.covered(&chosen, &bounds);
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
}

/// A value as one of the key column's type, where that is possible without asking the session.
fn convert(value: &Datum, of: Oid, key: &PartitionKeyColumn) -> Option<Datum> {
    const TEMPORAL: [Oid; 3] = [oids::DATE, oids::TIMESTAMP, oids::TIMESTAMPTZ];
    const DAY: i64 = 86_400_000_000;
    let to = key.type_ref.oid;
    if of != to && (TEMPORAL.contains(&of) || TEMPORAL.contains(&to)) {
        return match (value, of, to) {
            (Datum::Int4(days), oids::DATE, oids::TIMESTAMP) => {
                i64::from(*days).checked_mul(DAY).map(Datum::Int8)
            }
            _ => None,
        };
    }
    if value.phys() == Some(key.phys) {
        return Some(value.clone());
    }
    let integer = match value {
        Datum::Int2(v) => i64::from(*v),
        Datum::Int4(v) => i64::from(*v),
        Datum::Int8(v) => *v,
        _ => return None,
    };
    match key.phys {
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
