//! Foreign keys: the check of a referencing row.
//!
//! PG: src/backend/utils/adt/ri_triggers.c.
//!
//! # How it works
//! The referenced row is found by the unique index that the constraint names (in every partition of a partitioned table) and locked
//! FOR KEY SHARE.

use std::sync::Arc;

use access::{ActiveSnapshot, LockOutcome, Transaction, WaitPolicy};
use catalog::CatalogView;
use catalog::desc::{ConstraintDesc, ForeignKeyDesc, RelationDesc};
use catalog::partition::{column_map, descendants};
use catalog::trigger::RiTrigger;
use common::error::ErrorExt;
use common::{Oid, PgError, PgResult, RowId, internal, pg_err, unsupported};
use smallvec::SmallVec;
use txn::{RowLockMode, Snapshot};
use types::{Datum, PhysType};

use crate::context::ExecContext;
use crate::modify::after::Event;
use crate::modify::referencing::lookup;
use crate::modify::target::OpenTarget;
use crate::modify::{errors, period};

/// A column of a key as it must be looked up.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyType {
    pub(super) type_oid: Oid,
    pub(super) phys: PhysType,
}

/// The referencing side, compiled for one table.
pub(crate) struct FkCheck {
    pub constraint: ConstraintDesc,
    foreign: ForeignKeyDesc,
    /// Positions of the foreign key's columns.
    pub columns: Vec<usize>,
    /// Where referenced rows may be: table, index, and for each index column the position in the key.
    referenced: Vec<KeyIndex>,
    pub(super) key: Vec<KeyType>,
}

pub(super) struct KeyIndex {
    pub(super) table: Arc<RelationDesc>,
    pub(super) index: Arc<RelationDesc>,
    pub(super) order: Vec<usize>,
}

pub(super) fn foreign_of(constraint: &ConstraintDesc) -> PgResult<ForeignKeyDesc> {
    constraint
        .foreign
        .clone()
        .ok_or_else(|| internal!("constraint \"{}\" is not a foreign key", constraint.name))
}

fn positions(attnos: &[i16]) -> Vec<usize> {
    attnos.iter().map(|a| (*a).max(1) as usize - 1).collect()
}

pub(super) fn relation(catalog: &dyn CatalogView, oid: Oid) -> PgResult<Arc<RelationDesc>> {
    catalog
        .relation(oid)?
        .ok_or_else(|| internal!("could not open relation with OID {oid}"))
}

fn key_types(desc: &RelationDesc, attnos: &[i16]) -> PgResult<Vec<KeyType>> {
    attnos
        .iter()
        .map(|a| {
            let c = desc
                .column(*a)
                .ok_or_else(|| internal!("key column {a} vanished"))?;
            Ok(KeyType {
                type_oid: c.type_ref.oid,
                phys: c.phys,
            })
        })
        .collect()
}

/// True when an index is one of a partition that belongs to `root`, or `root` itself.
fn belongs_to(catalog: &dyn CatalogView, index: &RelationDesc, root: Oid) -> PgResult<bool> {
    let mut at = index.oid;
    loop {
        if at == root {
            return Ok(true);
        }
        let Some(parent) = relation(catalog, at)?.inheritance.parents.first().copied() else {
            return Ok(false);
        };
        at = parent;
    }
}

impl FkCheck {
    /// Compiles the check of a table's foreign key.
    pub fn compile(catalog: &dyn CatalogView, constraint: &ConstraintDesc) -> PgResult<FkCheck> {
        let foreign = foreign_of(constraint)?;
        let root = relation(catalog, foreign.table)?;
        let key = key_types(&root, &foreign.columns)?;
        let mut referenced = Vec::new();
        for table in leaves(catalog, &root)? {
            let map = column_map(&root, &table);
            for oid in &table.indexes {
                let index = relation(catalog, *oid)?;
                if !belongs_to(catalog, &index, constraint.index)? {
                    continue;
                }
                let Some(info) = &index.index else { continue };
                let order = info
                    .columns
                    .iter()
                    .take(info.key_count)
                    .map(|c| {
                        foreign
                            .columns
                            .iter()
                            .position(|a| map.get(*a as usize - 1) == Some(&c.attno))
                            .ok_or_else(|| internal!("index \"{}\" is not of the key", index.name))
                    })
                    .collect::<PgResult<_>>()?;
                referenced.push(KeyIndex {
                    table: table.clone(),
                    index: index.clone(),
                    order,
                });
            }
        }
        Ok(FkCheck {
            columns: positions(&constraint.columns),
            constraint: constraint.clone(),
            foreign,
            referenced,
            key,
        })
    }

    /// True when a row need not be looked at: NULLs where MATCH SIMPLE lets them pass.
    pub fn passes_by_nulls(&self, values: &[Datum]) -> bool {
        let is_null = |i: &usize| values.get(*i).is_none_or(Datum::is_null);
        if self.foreign.match_type == b'f' {
            self.columns.iter().all(is_null)
        } else {
            self.columns.iter().any(is_null)
        }
    }

    /// Finds the row referenced by a key (the foreign key's columns of a row) and locks it.
    pub fn check(&self, ext: &ExecContext<'_>, table: &RelationDesc, key: &[Datum]) -> PgResult<()> {
        if key.iter().any(Datum::is_null) {
            if self.foreign.match_type != b'f' || key.iter().all(Datum::is_null) {
                return Ok(());
            }
            return Err(self
                .violated(table)
                .detail("MATCH FULL does not allow mixing of null and nonnull key values."));
        }
        let wanted: Option<Vec<Datum>> = key.iter().zip(&self.key).map(|(v, t)| convert(v, *t)).collect();
        if let Some(wanted) = &wanted
            && self.constraint.period
        {
            if period::is_covered(ext, &self.referenced, wanted, true)? {
                return Ok(());
            }
        } else if let Some(wanted) = wanted {
            for place in &self.referenced {
                if place.find_and_lock(ext, &wanted)? {
                    return Ok(());
                }
            }
        }
        let shown = self.key_text(ext, table, key);
        let pk = relation(ext.catalog, self.foreign.table)?;
        Err(self
            .violated(table)
            .detail(format!("Key {shown} is not present in table \"{}\".", pk.name)))
    }

    fn violated(&self, table: &RelationDesc) -> Box<PgError> {
        pg_err!(
            FOREIGN_KEY_VIOLATION,
            "insert or update on table \"{}\" violates foreign key constraint \"{}\"",
            table.name,
            self.constraint.name
        )
        .table(&*table.namespace_name, &*table.name)
        .constraint(&*self.constraint.name)
    }

    fn key_text(&self, ext: &ExecContext<'_>, table: &RelationDesc, key: &[Datum]) -> String {
        let columns: Vec<(&str, Oid)> = self
            .columns
            .iter()
            .filter_map(|i| table.columns.get(*i))
            .map(|c| (&*c.name, c.type_ref.oid))
            .collect();
        errors::key_and_values(ext, &columns, key)
    }

    /// True when some row has the key now (with PERIOD: when some rows cover it).
    pub(super) fn exists(&self, ext: &ExecContext<'_>, wanted: &[Datum]) -> PgResult<bool> {
        if self.constraint.period {
            return period::is_covered(ext, &self.referenced, wanted, false);
        }
        for place in &self.referenced {
            let now = ext.with_txn(|txn| txn.latest_snapshot())?;
            if place.find(ext, &now, wanted)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl KeyIndex {
    /// Positions of the key's columns in the table, in the index's order.
    pub(super) fn columns(&self) -> impl Iterator<Item = u16> {
        let info = self.index.index.iter();
        info.flat_map(|i| i.columns.iter().take(i.key_count))
            .map(|c| c.attno.max(1) as u16 - 1)
    }

    fn find(&self, ext: &ExecContext<'_>, snapshot: &Snapshot, key: &[Datum]) -> PgResult<Option<RowId>> {
        let index = ext.relations.index(&self.index, &self.table)?;
        let values: Vec<Datum> = self.order.iter().map(|i| key[*i].clone()).collect();
        let mut prefix = Vec::with_capacity(32);
        index.encode_prefix(&values, &mut prefix);
        lookup(ext, &self.index, &index, snapshot, &prefix)
    }

    fn find_and_lock(&self, ext: &ExecContext<'_>, key: &[Datum]) -> PgResult<bool> {
        loop {
            ext.cancel.check()?;
            let snapshot = ext.with_txn(checking_snapshot)?;
            let Some(row) = self.find(ext, &snapshot, key)? else {
                return Ok(false);
            };
            let table = ext.relations.table(&self.table)?;
            let outcome = ext.with_txn(|txn| {
                table.lock_row(txn, &snapshot, row, RowLockMode::KeyShare, WaitPolicy::Block)
            })?;
            match outcome {
                // Locked is the version that the snapshot found by this key, and it is the newest.
                LockOutcome::Locked | LockOutcome::SelfModified => return Ok(true),
                // While waiting the row got another key, or went.
                LockOutcome::Conflict(_) | LockOutcome::NotAvailable => {}
            }
        }
    }
}

/// What a foreign key's check of the referenced table sees: nothing newer than the transaction does.
pub(super) fn checking_snapshot(txn: &mut Transaction) -> PgResult<ActiveSnapshot> {
    if txn.uses_one_snapshot() {
        txn.snapshot()
    } else {
        txn.latest_snapshot()
    }
}

/// A value as the other side's type has it; `None`: that type has no such value.
pub(super) fn convert(value: &Datum, to: KeyType) -> Option<Datum> {
    if value.is_null() {
        return Some(Datum::Null);
    }
    if value.phys() == Some(to.phys) {
        return Some(value.clone());
    }
    let integer = match value {
        Datum::Int2(v) => Some(i64::from(*v)),
        Datum::Int4(v) => Some(i64::from(*v)),
        Datum::Int8(v) => Some(*v),
        _ => None,
    };
    let float = match value {
        Datum::Float4(v) => Some(f64::from(*v)),
        Datum::Float8(v) => Some(*v),
        _ => integer.map(|v| v as f64),
    };
    match to.phys {
        PhysType::Int2 => i16::try_from(integer?).ok().map(Datum::Int2),
        PhysType::Int4 => i32::try_from(integer?).ok().map(Datum::Int4),
        PhysType::Int8 => integer.map(Datum::Int8),
        PhysType::Float8 => float.map(Datum::Float8),
        PhysType::Float4 => float.map(|v| Datum::Float4(v as f32)),
        PhysType::Numeric => integer.map(|v| Datum::Numeric(types::Numeric::from(v))),
        _ => None,
    }
}

/// The check of one row, if it is still there.
pub(crate) fn run_check(
    ext: &ExecContext<'_>,
    check: &FkCheck,
    table: &Arc<RelationDesc>,
    row: RowId,
) -> PgResult<()> {
    let opened = ext.relations.table(table)?;
    let snapshot = ext.with_txn(|txn| txn.latest_snapshot())?;
    let columns: SmallVec<[u16; 8]> = check.columns.iter().map(|i| *i as u16).collect();
    let mut key = Vec::with_capacity(columns.len());
    if !opened.fetch_columns(row, &snapshot, &columns, &mut key)? {
        // An update that leaves the foreign key as it was queues no check of its own, and may have moved the row.
        let Some(row) = opened.newest(row, &snapshot)? else {
            return Ok(());
        };
        opened.fetch_columns(row, &snapshot, &columns, &mut key)?;
    }
    check.check(ext, table, &key)
}

/// The tables that hold a table's rows: itself, or its partitions of all levels.
pub(super) fn leaves(
    catalog: &dyn CatalogView,
    table: &Arc<RelationDesc>,
) -> PgResult<Vec<Arc<RelationDesc>>> {
    let mut tables = vec![table.clone()];
    if table.relkind == b'p' {
        tables = descendants(catalog, table)?;
    }
    tables.retain(|t| t.relkind == b'r');
    Ok(tables)
}

/// Queues the checks of a row just written.
pub(crate) fn queue_checks(
    ext: &ExecContext<'_>,
    target: &OpenTarget,
    row: RowId,
    old: Option<&[Datum]>,
    new: &[Datum],
) {
    let trigger = match old {
        Some(_) => RiTrigger::CheckUpdate,
        None => RiTrigger::CheckInsert,
    };
    for check in &target.def.foreign_keys {
        let fires = target
            .def
            .desc
            .fires(check.constraint.oid, trigger, ext.after.role());
        if !fires || check.passes_by_nulls(new) {
            continue;
        }
        if let Some(old) = old
            && check.columns.iter().all(|i| old.get(*i) == new.get(*i))
        {
            continue;
        }
        let event = Event::Check {
            check: Arc::clone(check),
            table: Arc::clone(&target.def.desc),
            row,
        };
        ext.after
            .push(event, check.constraint.deferrable, check.constraint.deferred);
    }
}

/// Foreign keys over types that have no conversion here are refused early.
pub(crate) fn check_types(
    catalog: &dyn CatalogView,
    table: &RelationDesc,
    constraint: &ConstraintDesc,
) -> PgResult<()> {
    let foreign = foreign_of(constraint)?;
    let other = relation(catalog, foreign.table)?;
    for (own, theirs) in constraint.columns.iter().zip(&foreign.columns) {
        let (Some(a), Some(b)) = (table.column(*own), other.column(*theirs)) else {
            continue;
        };
        let numeric = |p: PhysType| {
            matches!(
                p,
                PhysType::Int2
                    | PhysType::Int4
                    | PhysType::Int8
                    | PhysType::Float4
                    | PhysType::Float8
                    | PhysType::Numeric
            )
        };
        if a.phys != b.phys && !(numeric(a.phys) && numeric(b.phys)) {
            return Err(unsupported!(
                "foreign keys between these types are not supported yet"
            ));
        }
    }
    Ok(())
}
