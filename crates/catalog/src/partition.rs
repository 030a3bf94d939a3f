//! Partitioned tables: which partition takes a row, how bounds compare.
//!
//! # How it works
//! Key values become memcomparable bytes (`types::key`). LIST looks them up in a map, RANGE searches ranges sorted by their lower
//! bounds, HASH takes the remainder of PostgreSQL's own hash.
//!
//! # Invariants
//! - The ranges of one table never overlap: whoever adds a partition checks it with [`Partitions::conflict`].
//!
//! # Not here
//! Evaluating key expressions (whoever has the row does that); pruning ([`crate::prune`]).

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use common::{AttrNumber, Oid, PgResult, internal};
use nodes::Expr;
use nodes::partition::{PartitionBound, PartitionStrategy, RangeDatum};
use types::key::{self, KeyColumn};
use types::settings::TypeRef;
use types::{Datum, PhysType};

use crate::desc::RelationDesc;
use crate::partition_hash;
use crate::view::CatalogView;

/// PARTITION BY.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct PartitionKey {
    pub strategy: PartitionStrategy,
    pub columns: Vec<PartitionKeyColumn>,
}

/// A column or expression of a partition key.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct PartitionKeyColumn {
    /// 0 for an expression.
    pub attno: AttrNumber,
    pub expr: Option<Arc<Expr>>,
    pub opclass: Oid,
    pub opfamily: Oid,
    pub collation: Oid,
    pub type_ref: TypeRef,
    pub phys: PhysType,
}

impl PartitionKeyColumn {
    fn key_column(&self) -> KeyColumn {
        KeyColumn::ascending(self.phys, self.type_ref.oid)
    }
}

/// One key column's part of a range bound, comparable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Edge {
    Min,
    Value(Vec<u8>),
    Max,
}

/// Compares two bounds; behind MINVALUE or MAXVALUE nothing counts.
fn compare_edges(a: &[Edge], b: &[Edge]) -> Ordering {
    for (x, y) in a.iter().zip(b) {
        match x.cmp(y) {
            Ordering::Equal if matches!(x, Edge::Value(_)) => {}
            order => return order,
        }
    }
    Ordering::Equal
}

/// A partition of a partitioned table.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Partition {
    pub oid: Oid,
    pub bound: Arc<PartitionBound>,
}

enum Lookup {
    List {
        values: HashMap<Vec<u8>, usize>,
        null: Option<usize>,
    },
    Range(Vec<(Vec<Edge>, Vec<Edge>, usize)>),
    Hash {
        modulus: u64,
        by_remainder: Vec<Option<usize>>,
    },
}

/// The partitions of one table, in bound order (the default partition last), and how to find one by key values.
pub struct Partitions {
    /// The partition key.
    pub key: Arc<PartitionKey>,
    /// All partitions in bound order.
    pub parts: Vec<Partition>,
    /// Position of the default partition.
    pub default: Option<usize>,
    lookup: Lookup,
}

impl Partitions {
    /// The partitions of a partitioned table.
    pub fn load<V: CatalogView + ?Sized>(view: &V, table: &RelationDesc) -> PgResult<Partitions> {
        let Some(key) = table.inheritance.key.clone() else {
            return Err(internal!("table \"{}\" is not partitioned", table.name));
        };
        let mut parts = Vec::new();
        for oid in &table.inheritance.children {
            if let Some(bound) = view.partition_bound(*oid)? {
                parts.push(Partition { oid: *oid, bound });
            }
        }
        Partitions::new(key, parts)
    }

    /// The same of a table that is there; callers have it open.
    pub fn of<V: CatalogView + ?Sized>(view: &V, table: Oid) -> PgResult<Arc<Partitions>> {
        match view.relation(table)? {
            Some(table) => Ok(Arc::new(Partitions::load(view, &table)?)),
            None => Err(internal!("could not open relation with OID {table}")),
        }
    }

    /// From a key and partitions in any order.
    pub fn new(key: Arc<PartitionKey>, mut parts: Vec<Partition>) -> PgResult<Partitions> {
        parts.sort_by_cached_key(|p| sort_key(&key, &p.bound));
        let default = parts.iter().position(|p| *p.bound == PartitionBound::Default);
        let lookup = match key.strategy {
            PartitionStrategy::List => list_lookup(&key, &parts),
            PartitionStrategy::Range => {
                let mut ranges = Vec::new();
                for (i, p) in parts.iter().enumerate() {
                    if let PartitionBound::Range { lower, upper } = &*p.bound {
                        ranges.push((edges(&key, lower), edges(&key, upper), i));
                    }
                }
                ranges.sort_by(|a, b| compare_edges(&a.0, &b.0));
                Lookup::Range(ranges)
            }
            PartitionStrategy::Hash => hash_lookup(&parts),
        };
        Ok(Partitions {
            key,
            parts,
            default,
            lookup,
        })
    }

    /// The partition for a row with these key values; `None`: there is none.
    pub fn route(&self, values: &[Datum]) -> PgResult<Option<usize>> {
        Ok(match &self.lookup {
            Lookup::List { values: map, null } => {
                let value = values.first().unwrap_or(&Datum::Null);
                if value.is_null() {
                    null.or(self.default)
                } else {
                    let bytes = encode(&self.key.columns[0], value);
                    map.get(&bytes).copied().or(self.default)
                }
            }
            Lookup::Range(ranges) => {
                if values.iter().any(Datum::is_null) {
                    return Ok(self.default);
                }
                let point: Vec<Edge> = self
                    .key
                    .columns
                    .iter()
                    .zip(values)
                    .map(|(c, v)| Edge::Value(encode(c, v)))
                    .collect();
                let after = ranges.partition_point(|r| compare_edges(&r.0, &point) != Ordering::Greater);
                let found = after
                    .checked_sub(1)
                    .and_then(|i| ranges.get(i))
                    .filter(|r| compare_edges(&point, &r.1) == Ordering::Less);
                found.map(|r| r.2).or(self.default)
            }
            Lookup::Hash {
                modulus,
                by_remainder,
            } => {
                if by_remainder.is_empty() {
                    return Ok(None);
                }
                let pairs: Vec<(Oid, &Datum)> = self
                    .key
                    .columns
                    .iter()
                    .zip(values)
                    .map(|(c, v)| (c.type_ref.oid, v))
                    .collect();
                let hash = partition_hash::hash_key(&pairs)?;
                by_remainder.get((hash % modulus) as usize).copied().flatten()
            }
        })
    }

    /// The partition whose bound overlaps a new one (which must be of the right strategy).
    pub fn conflict(&self, bound: &PartitionBound) -> Option<&Partition> {
        let at = match (bound, &self.lookup) {
            (PartitionBound::Default, _) => self.default,
            (PartitionBound::List(list), Lookup::List { values, null }) => list.iter().find_map(|c| {
                if c.value.is_null() {
                    *null
                } else {
                    values.get(&encode(&self.key.columns[0], &c.value)).copied()
                }
            }),
            (PartitionBound::Range { lower, upper }, Lookup::Range(ranges)) => {
                let (low, high) = (edges(&self.key, lower), edges(&self.key, upper));
                ranges
                    .iter()
                    .find(|r| {
                        compare_edges(&low, &r.1) == Ordering::Less
                            && compare_edges(&r.0, &high) == Ordering::Less
                    })
                    .map(|r| r.2)
            }
            (PartitionBound::Hash { modulus, remainder }, Lookup::Hash { .. }) => {
                self.parts.iter().position(|p| match *p.bound {
                    PartitionBound::Hash {
                        modulus: m,
                        remainder: r,
                    } => {
                        let step = (*modulus).min(m);
                        remainder % step == r % step
                    }
                    _ => false,
                })
            }
            _ => None,
        };
        at.and_then(|i| self.parts.get(i))
    }

    /// True when the ranges between two partitions (by position, both inclusive) leave no gap.
    pub fn is_contiguous(&self, positions: &[usize]) -> bool {
        let Lookup::Range(ranges) = &self.lookup else {
            return false;
        };
        let chosen: Vec<_> = ranges.iter().filter(|r| positions.contains(&r.2)).collect();
        chosen
            .windows(2)
            .all(|w| compare_edges(&w[0].1, &w[1].0) == Ordering::Equal)
    }

    /// Key values of a row by a function that knows the row.
    pub fn key_values(
        &self,
        mut value: impl FnMut(&PartitionKeyColumn) -> PgResult<Datum>,
    ) -> PgResult<Vec<Datum>> {
        self.key.columns.iter().map(&mut value).collect()
    }
}

/// `lower` must be below `upper`.
pub fn is_empty_range(key: &PartitionKey, lower: &[RangeDatum], upper: &[RangeDatum]) -> bool {
    compare_edges(&edges(key, lower), &edges(key, upper)) != Ordering::Less
}

/// Two values of a key column in its order.
pub fn compare_values(column: &PartitionKeyColumn, a: &Datum, b: &Datum) -> Ordering {
    encode(column, a).cmp(&encode(column, b))
}

fn encode(column: &PartitionKeyColumn, value: &Datum) -> Vec<u8> {
    let mut out = Vec::new();
    key::encode(&column.key_column(), value, &mut out);
    out
}

fn edges(key: &PartitionKey, datums: &[RangeDatum]) -> Vec<Edge> {
    key.columns
        .iter()
        .zip(datums)
        .map(|(c, d)| match d {
            RangeDatum::MinValue => Edge::Min,
            RangeDatum::MaxValue => Edge::Max,
            RangeDatum::Value(v) => Edge::Value(encode(c, &v.value)),
        })
        .collect()
}

/// Bound order: lists by their least value (a list of NULL alone behind), ranges by lower bound, hashes by modulus and remainder, the
/// default last.
fn sort_key(key: &PartitionKey, bound: &PartitionBound) -> (u8, Vec<Edge>, (i32, i32)) {
    match bound {
        PartitionBound::Default => (2, Vec::new(), (0, 0)),
        PartitionBound::List(values) => {
            let least = values
                .iter()
                .filter(|c| !c.value.is_null())
                .map(|c| encode(&key.columns[0], &c.value))
                .min();
            match least {
                Some(bytes) => (0, vec![Edge::Value(bytes)], (0, 0)),
                None => (1, Vec::new(), (0, 0)),
            }
        }
        PartitionBound::Range { lower, .. } => (0, edges(key, lower), (0, 0)),
        PartitionBound::Hash { modulus, remainder } => (0, Vec::new(), (*modulus, *remainder)),
    }
}

fn list_lookup(key: &PartitionKey, parts: &[Partition]) -> Lookup {
    let (mut values, mut null) = (HashMap::new(), None);
    for (i, p) in parts.iter().enumerate() {
        let PartitionBound::List(list) = &*p.bound else {
            continue;
        };
        for c in list {
            if c.value.is_null() {
                null = Some(i);
            } else {
                values.insert(encode(&key.columns[0], &c.value), i);
            }
        }
    }
    Lookup::List { values, null }
}

fn hash_lookup(parts: &[Partition]) -> Lookup {
    let of = |p: &Partition| match *p.bound {
        PartitionBound::Hash { modulus, remainder } => Some((modulus.max(1) as usize, remainder as usize)),
        _ => None,
    };
    let modulus = parts.iter().filter_map(of).map(|(m, _)| m).max().unwrap_or(0);
    let mut by_remainder = vec![None; modulus];
    for (i, p) in parts.iter().enumerate() {
        if let Some((m, r)) = of(p) {
            let mut at = r;
            while at < modulus {
                by_remainder[at] = Some(i);
                at += m;
            }
        }
    }
    Lookup::Hash {
        modulus: modulus.max(1) as u64,
        by_remainder,
    }
}

/// From a parent's columns to a child's of the same names: `map[parent attno - 1]` is the child's attno (0 for dropped ones).
pub fn column_map(parent: &RelationDesc, child: &RelationDesc) -> Vec<AttrNumber> {
    parent
        .columns
        .iter()
        .map(|c| {
            if c.dropped {
                return 0;
            }
            match child.column(c.attno) {
                Some(same) if !same.dropped && same.name == c.name => c.attno,
                _ => child.column_by_name(&c.name).map_or(0, |x| x.attno),
            }
        })
        .collect()
}

/// All descendants of a relation (itself not included), parents before children, siblings by OID; each once.
pub fn descendants(view: &dyn CatalogView, relation: &RelationDesc) -> PgResult<Vec<Arc<RelationDesc>>> {
    let mut found: Vec<Arc<RelationDesc>> = Vec::new();
    let mut queue: Vec<Oid> = relation.inheritance.children.clone();
    let mut at = 0;
    while at < queue.len() {
        let oid = queue[at];
        at += 1;
        if found.iter().any(|d| d.oid == oid) {
            continue;
        }
        if let Some(desc) = view.relation(oid)? {
            queue.extend(desc.inheritance.children.iter().copied());
            found.push(desc);
        }
    }
    Ok(found)
}
