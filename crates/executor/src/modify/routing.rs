//! Tuple routing: which partition takes a row, and rows between the layouts of parents and children.
//!
//! PG: src/backend/executor/execPartition.c.

use std::collections::HashMap;
use std::sync::Arc;

use catalog::desc::RelationDesc;
use catalog::partition::{Partitions, column_map};
use common::{Oid, PgResult, internal};
use expr::{RowInputs, Runtime};
use types::Datum;

use crate::compile::{Compiler, ScanMap};
use crate::context::ExecContext;
use crate::modify::errors;
use crate::modify::insert_target::no_plan;
use crate::node::Eval;

/// From a parent's columns to a child's.
pub(crate) struct Columns {
    /// Per parent column the child's position; `None` for dropped ones.
    to_child: Vec<Option<usize>>,
    child_width: usize,
    identical: bool,
}

impl Columns {
    pub fn new(parent: &RelationDesc, child: &RelationDesc) -> Columns {
        let to_child: Vec<Option<usize>> = column_map(parent, child)
            .into_iter()
            .map(|a| usize::try_from(a).ok().and_then(|a| a.checked_sub(1)))
            .collect();
        let same = to_child
            .iter()
            .enumerate()
            .all(|(i, to)| *to == Some(i) || to.is_none() && child.columns.get(i).is_some_and(|c| c.dropped));
        Columns {
            identical: same && to_child.len() == child.columns.len(),
            child_width: child.columns.len(),
            to_child,
        }
    }

    /// Both have the same columns at the same places.
    pub fn identical(&self) -> bool {
        self.identical
    }

    /// Where a parent's column is in the child.
    pub fn position(&self, parent: usize) -> Option<usize> {
        self.to_child.get(parent).copied().flatten()
    }

    /// A parent's row as the child's; columns that only the child has are NULL.
    pub fn down(&self, row: &[Datum]) -> Vec<Datum> {
        if self.identical {
            return row.to_vec();
        }
        let mut out = vec![Datum::Null; self.child_width];
        for (value, to) in row.iter().zip(&self.to_child) {
            if let Some(to) = to {
                out[*to] = value.clone();
            }
        }
        out
    }

    /// A child's row as the parent's.
    pub fn up(&self, row: &[Datum]) -> Vec<Datum> {
        if self.identical {
            return row.to_vec();
        }
        self.to_child
            .iter()
            .map(|to| to.and_then(|i| row.get(i)).cloned().unwrap_or_default())
            .collect()
    }
}

/// One partitioned table on the way down.
struct Level {
    desc: Arc<RelationDesc>,
    partitions: Arc<Partitions>,
    exprs: Vec<Option<Eval>>,
    /// To each partition, by position.
    maps: HashMap<usize, (Arc<RelationDesc>, Arc<Columns>)>,
}

impl Level {
    fn open(ext: &ExecContext<'_>, desc: Arc<RelationDesc>) -> PgResult<Level> {
        let partitions = ext.catalog.partitions(desc.oid)?;
        let plan = no_plan();
        let compiler = Compiler {
            plan: &plan,
            catalog: ext.catalog,
        };
        let exprs = partitions
            .key
            .columns
            .iter()
            .map(|c| {
                c.expr
                    .as_ref()
                    .map(|e| Ok(Eval::new(&compiler.program(e, ScanMap::Positions)?)))
                    .transpose()
            })
            .collect::<PgResult<_>>()?;
        Ok(Level {
            desc,
            partitions,
            exprs,
            maps: HashMap::new(),
        })
    }

    fn key(&mut self, rt: &mut dyn Runtime, row: &[Datum]) -> PgResult<Vec<Datum>> {
        let mut key = Vec::with_capacity(self.exprs.len());
        for (column, eval) in self.partitions.key.columns.iter().zip(&mut self.exprs) {
            key.push(match eval {
                Some(eval) => {
                    let inputs = RowInputs {
                        scan: row,
                        ..RowInputs::default()
                    };
                    eval.row(rt, inputs)?
                }
                None => row
                    .get(column.attno.max(1) as usize - 1)
                    .cloned()
                    .unwrap_or_default(),
            });
        }
        Ok(key)
    }

    fn partition(&mut self, ext: &ExecContext<'_>, at: usize) -> PgResult<(Arc<RelationDesc>, Arc<Columns>)> {
        if let Some(found) = self.maps.get(&at) {
            return Ok(found.clone());
        }
        let oid = self.partitions.parts.get(at).map_or(Oid::INVALID, |p| p.oid);
        let child = ext
            .catalog
            .relation(oid)?
            .ok_or_else(|| internal!("could not open relation with OID {oid}"))?;
        let map = Arc::new(Columns::new(&self.desc, &child));
        self.maps.insert(at, (child.clone(), map.clone()));
        Ok((child, map))
    }

    fn no_partition(&self, ext: &ExecContext<'_>, key: &[Datum]) -> PgResult<Box<common::PgError>> {
        let mut columns = Vec::new();
        for (i, c) in self.partitions.key.columns.iter().enumerate() {
            let name = match self.desc.column(c.attno) {
                Some(column) => column.name.to_string(),
                None => ext
                    .session
                    .get_def(
                        functions::framework::session::DefKind::PartitionKey,
                        self.desc.oid,
                        i as i32 + 1,
                        false,
                    )?
                    .unwrap_or_else(|| "?".into()),
            };
            columns.push((name, c.type_ref.oid));
        }
        Ok(errors::no_partition(ext, &self.desc, &columns, key))
    }
}

/// Finds the leaf partition of rows of one partitioned table.
#[derive(Default)]
pub(crate) struct Router {
    levels: HashMap<Oid, Level>,
}

impl Router {
    /// The leaf for a row of `root`, and the row in the leaf's columns.
    pub fn route(
        &mut self,
        ext: &ExecContext<'_>,
        rt: &mut dyn Runtime,
        root: &Arc<RelationDesc>,
        row: &[Datum],
    ) -> PgResult<(Arc<RelationDesc>, Vec<Datum>)> {
        let mut at = root.clone();
        let mut row = row.to_vec();
        loop {
            let level = self.level(ext, &at)?;
            let key = level.key(rt, &row)?;
            let Some(position) = level.partitions.route(&key)? else {
                return Err(level.no_partition(ext, &key)?);
            };
            let (child, map) = level.partition(ext, position)?;
            if !map.identical() {
                row = map.down(&row);
            }
            if child.relkind != b'p' {
                return Ok((child, row));
            }
            at = child;
        }
    }

    fn level(&mut self, ext: &ExecContext<'_>, desc: &Arc<RelationDesc>) -> PgResult<&mut Level> {
        use std::collections::hash_map::Entry;
        match self.levels.entry(desc.oid) {
            Entry::Occupied(found) => Ok(found.into_mut()),
            Entry::Vacant(free) => Ok(free.insert(Level::open(ext, desc.clone())?)),
        }
    }

    /// True when a row of a partition belongs there: by its own bound, and those of all levels above, up to (not including) `top`.
    pub fn fits(
        &mut self,
        ext: &ExecContext<'_>,
        rt: &mut dyn Runtime,
        partition: &Arc<RelationDesc>,
        row: &[Datum],
        top: Option<Oid>,
    ) -> PgResult<bool> {
        let mut child = partition.clone();
        let mut row = row.to_vec();
        while child.is_partition && Some(child.oid) != top {
            let Some(parent) = child.inheritance.parents.first().copied() else {
                break;
            };
            let parent = ext
                .catalog
                .relation(parent)?
                .ok_or_else(|| internal!("could not open relation with OID {parent}"))?;
            row = Columns::new(&parent, &child).up(&row);
            let level = self.level(ext, &parent)?;
            let key = level.key(rt, &row)?;
            let found = level
                .partitions
                .route(&key)?
                .and_then(|i| level.partitions.parts.get(i))
                .map(|p| p.oid);
            if found != Some(child.oid) {
                return Ok(false);
            }
            child = parent;
        }
        Ok(true)
    }
}
