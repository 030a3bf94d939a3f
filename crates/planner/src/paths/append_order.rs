//! Partitions that follow one another in the order of their bounds: read one after the other, their rows are in that order, too.
//!
//! PG: `generate_orderedappend_paths` (allpaths.c), `build_partition_pathkeys`, `partitions_are_ordered`.

use std::cmp::Ordering;

use catalog::RelationDesc;
use catalog::partition::{Partition, PartitionKeyColumn, Partitions, compare_values};
use common::{Oid, PgResult};
use nodes::partition::{PartitionBound, PartitionStrategy};
use types::Datum;

use crate::equivalence;
use crate::path::{PathKey, keys_contained};
use crate::prune;
use crate::root::Root;

/// In which order of rows to read the members of a tree one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberOrder {
    Forward,
    Backward,
}

/// The orders that the levels of a partitioned table give to their partitions; `None` where partitions overlap.
pub struct PartitionOrder(Vec<Vec<PathKey>>);

impl PartitionOrder {
    /// Of the tables that hold these leaf partitions.
    pub fn of(root: &mut Root<'_, '_>, parent: usize, leaves: &[Oid]) -> PgResult<Option<PartitionOrder>> {
        let base = root.rel(parent)?.base.as_ref();
        let table = base
            .and_then(|b| b.table())
            .filter(|t| t.relkind == b'p')
            .cloned();
        let Some(table) = table else { return Ok(None) };
        let mut levels = Vec::new();
        let ordered = add_level(root, parent, &table, &table, leaves, &mut levels)?;
        Ok((ordered == Level::Ordered).then_some(PartitionOrder(levels)))
    }

    /// How to read the members so that rows which each of them hands out in the order of `wanted` are in that order all together.
    pub fn serves(&self, wanted: &[PathKey]) -> Option<MemberOrder> {
        let all = |turn: fn(&PathKey) -> PathKey| {
            self.0.iter().all(|level| {
                let level: Vec<PathKey> = level.iter().map(turn).collect();
                keys_contained(wanted, &level) || keys_contained(&level, wanted)
            })
        };
        if all(PathKey::clone) {
            return Some(MemberOrder::Forward);
        }
        all(backward).then_some(MemberOrder::Backward)
    }
}

fn backward(key: &PathKey) -> PathKey {
    PathKey {
        descending: true,
        nulls_first: true,
        ..key.clone()
    }
}

#[derive(PartialEq)]
enum Level {
    /// No leaf of it is read.
    Empty,
    Ordered,
    Unordered,
}

fn add_level(
    root: &mut Root<'_, '_>,
    parent: usize,
    top: &RelationDesc,
    table: &RelationDesc,
    leaves: &[Oid],
    levels: &mut Vec<Vec<PathKey>>,
) -> PgResult<Level> {
    let catalog = root.context().catalog;
    let partitions = catalog.partitions(table.oid)?;
    let mut live: Vec<usize> = Vec::new();
    for (at, part) in partitions.parts.iter().enumerate() {
        let Some(child) = catalog.relation(part.oid)? else {
            continue;
        };
        let found = match child.relkind {
            b'p' => add_level(root, parent, top, &child, leaves, levels)?,
            _ if leaves.contains(&part.oid) => Level::Ordered,
            _ => Level::Empty,
        };
        match found {
            Level::Empty => {}
            Level::Ordered => live.push(at),
            Level::Unordered => return Ok(Level::Unordered),
        }
    }
    if live.is_empty() {
        return Ok(Level::Empty);
    }
    if live.len() == 1 {
        return Ok(Level::Ordered);
    }
    if partitions.default.is_some_and(|d| live.contains(&d)) || !follow_one_another(&partitions, &live) {
        return Ok(Level::Unordered);
    }
    let mut keys = Vec::new();
    for column in &partitions.key.columns {
        let expr = prune::key_expr(column, top, table, parent);
        let (family, collation) = (column.opfamily, column.collation);
        keys.push(equivalence::path_key(
            root, &expr, family, collation, false, false,
        ));
    }
    levels.push(equivalence::canonical_keys(root, keys));
    Ok(Level::Ordered)
}

/// Ranges do not overlap; lists may.
fn follow_one_another(partitions: &Partitions, live: &[usize]) -> bool {
    match partitions.key.strategy {
        PartitionStrategy::Range => true,
        PartitionStrategy::Hash => false,
        PartitionStrategy::List => {
            let Some(column) = partitions.key.columns.first() else {
                return false;
            };
            let parts = live.iter().filter_map(|at| partitions.parts.get(*at));
            lists_follow_one_another(column, parts)
        }
    }
}

fn lists_follow_one_another<'p>(
    column: &PartitionKeyColumn,
    parts: impl Iterator<Item = &'p Partition>,
) -> bool {
    let mut last: Option<Datum> = None;
    let mut nulls_seen = false;
    for part in parts {
        let PartitionBound::List(values) = &*part.bound else {
            return false;
        };
        if nulls_seen {
            return false;
        }
        nulls_seen = values.iter().any(|v| v.value.is_null());
        if nulls_seen && values.len() > 1 {
            return false;
        }
        let mut values: Vec<&Datum> = values.iter().map(|v| &v.value).filter(|v| !v.is_null()).collect();
        values.sort_by(|a, b| compare_values(column, a, b));
        let follows = match (&last, values.first()) {
            (Some(last), Some(first)) => compare_values(column, last, first) == Ordering::Less,
            _ => true,
        };
        if !follows {
            return false;
        }
        last = values.last().map(|v| (*v).clone()).or(last);
    }
    true
}
