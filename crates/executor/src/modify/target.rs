//! A table that is written to: everything that happens to one row.

use std::sync::Arc;

use access::{Table, WriteOutcome};
use catalog::desc::{ColumnDesc, RelationDesc};
use catalog::virtual_columns::{VIRTUAL, over_stored_row};
use common::{Oid, PgResult, RowId, internal, unsupported};
use expr::{ExprProgram, RowInputs, Runtime};
use txn::{RowLockMode, Snapshot};
use types::Datum;

use crate::compile::{Compiler, ScanMap, with_table_oid};
use crate::context::ExecContext;
use crate::modify::after::Event;
use crate::modify::errors;
use crate::modify::foreign_key::{self, FkCheck};
use crate::modify::indexes::{Entry, IndexPart, OpenIndex};
use crate::modify::referenced::FkReferenced;
use crate::node::Eval;

/// A table's rules, compiled.
pub(crate) struct TargetDef {
    pub desc: Arc<RelationDesc>,
    pub(super) rules: RowRules,
    indexes: Vec<Arc<IndexPart>>,
    /// Its own foreign keys.
    pub foreign_keys: Vec<Arc<FkCheck>>,
    /// Foreign keys that refer to it.
    pub referenced: Vec<Arc<FkReferenced>>,
}

/// What each of its rows must be.
pub(super) struct RowRules {
    pub not_null: Vec<usize>,
    /// NOT NULL of virtual generated columns.
    virtual_not_null: Vec<(usize, Arc<ExprProgram>)>,
    checks: Vec<(Arc<str>, Arc<ExprProgram>)>,
    /// Stored generated columns.
    pub generated: Vec<(usize, Arc<ExprProgram>)>,
}

impl RowRules {
    fn compile(c: &Compiler<'_>, desc: &RelationDesc) -> PgResult<RowRules> {
        let program = |e: &nodes::Expr| {
            let e = with_table_oid(&over_stored_row(e, desc), desc.oid);
            c.program(&e, ScanMap::Positions)
        };
        let mut generated = Vec::new();
        for (i, column) in desc.columns.iter().enumerate() {
            if let (b's', false, Some(e)) = (column.generated, column.dropped, &column.default) {
                generated.push((i, program(e)?));
            }
        }
        let mut checks = Vec::new();
        for k in desc.constraints.iter().filter(|k| k.kind == b'c' && k.enforced) {
            if let Some(e) = &k.check {
                checks.push((k.name.clone(), program(e)?));
            }
        }
        let mut not_null = Vec::new();
        let mut virtual_not_null = Vec::new();
        let required = |c: &&ColumnDesc| c.not_null && !c.dropped;
        for column in desc.columns.iter().filter(required) {
            let at = usize::from(column.attno.unsigned_abs()) - 1;
            match &column.default {
                Some(e) if column.generated == VIRTUAL => virtual_not_null.push((at, program(e)?)),
                _ => not_null.push(at),
            }
        }
        Ok(RowRules {
            not_null,
            virtual_not_null,
            checks,
            generated,
        })
    }
}

impl TargetDef {
    pub fn compile(c: &Compiler<'_>, relation: Oid) -> PgResult<TargetDef> {
        let desc = c.relation(relation)?;
        if desc.relkind == b'm' {
            return Err(common::pg_err!(
                WRONG_OBJECT_TYPE,
                "cannot change materialized view \"{}\"",
                desc.name
            ));
        }
        if desc.relkind == b'S' {
            return Err(common::pg_err!(
                WRONG_OBJECT_TYPE,
                "cannot change sequence \"{}\"",
                desc.name
            ));
        }
        if desc.relkind != b'r' {
            return Err(unsupported!(
                "writing to relation \"{}\" of this kind is not supported yet",
                desc.name
            ));
        }
        let rules = RowRules::compile(c, &desc)?;
        let indexes = desc
            .indexes
            .iter()
            .filter_map(|oid| IndexPart::compile(c, *oid).transpose())
            .collect::<PgResult<_>>()?;
        let mut foreign: Vec<_> = desc
            .constraints
            .iter()
            .filter(|k| k.kind == b'f' && k.enforced)
            .collect();
        foreign.sort_by_key(|k| k.oid);
        let foreign_keys = foreign
            .into_iter()
            .map(|k| {
                foreign_key::check_types(c.catalog, &desc, k)?;
                Ok(Arc::new(FkCheck::compile(c.catalog, k)?))
            })
            .collect::<PgResult<_>>()?;
        let referenced = FkReferenced::of_table(c.catalog, &desc)?
            .into_iter()
            .map(Arc::new)
            .collect();
        Ok(TargetDef {
            foreign_keys,
            referenced,
            rules,
            indexes,
            desc,
        })
    }
}

/// What became of an update or deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// Done; the row is here.
    Done(RowId),
    /// See [`WriteOutcome`].
    Not(WriteOutcome),
}

/// The table opened, with the state of its expressions.
pub(crate) struct OpenTarget {
    pub def: Arc<TargetDef>,
    pub table: Table,
    pub(super) virtual_not_null: Vec<Eval>,
    pub(super) checks: Vec<Eval>,
    pub(super) generated: Vec<Eval>,
    pub indexes: Vec<OpenIndex>,
}

impl OpenTarget {
    pub fn open(ext: &ExecContext<'_>, def: &Arc<TargetDef>) -> PgResult<OpenTarget> {
        Ok(OpenTarget {
            table: ext.relations.table(&def.desc)?,
            virtual_not_null: def
                .rules
                .virtual_not_null
                .iter()
                .map(|(_, p)| Eval::new(p))
                .collect(),
            checks: def.rules.checks.iter().map(|(_, p)| Eval::new(p)).collect(),
            generated: def.rules.generated.iter().map(|(_, p)| Eval::new(p)).collect(),
            indexes: def
                .indexes
                .iter()
                .map(|part| OpenIndex::open(ext, part, &def.desc))
                .collect::<PgResult<_>>()?,
            def: Arc::clone(def),
        })
    }

    /// Stored generated columns.
    pub fn generate(&mut self, rt: &mut dyn Runtime, values: &mut [Datum]) -> PgResult<()> {
        for ((column, _), eval) in self.def.rules.generated.iter().zip(&mut self.generated) {
            let row = RowInputs {
                scan: &*values,
                ..RowInputs::default()
            };
            let value = eval.row(rt, row)?;
            values[*column] = value;
        }
        Ok(())
    }

    /// NOT NULL and CHECK.
    pub fn check(&mut self, ext: &ExecContext<'_>, rt: &mut dyn Runtime, values: &[Datum]) -> PgResult<()> {
        for &column in &self.def.rules.not_null {
            if values.get(column).is_none_or(Datum::is_null) {
                return Err(errors::not_null(ext, &self.def.desc, column, values));
            }
        }
        let row = RowInputs {
            scan: values,
            ..RowInputs::default()
        };
        for ((column, _), eval) in self
            .def
            .rules
            .virtual_not_null
            .iter()
            .zip(&mut self.virtual_not_null)
        {
            if eval.row(rt, row)?.is_null() {
                return Err(errors::not_null(ext, &self.def.desc, *column, values));
            }
        }
        for ((name, _), eval) in self.def.rules.checks.iter().zip(&mut self.checks) {
            // NULL passes.
            if eval.row(rt, row)?.as_bool() == Some(false) {
                return Err(errors::check(ext, &self.def.desc, name, values));
            }
        }
        Ok(())
    }

    /// Stores a row that has passed the checks, and its index entries.
    pub fn insert(
        &mut self,
        ext: &ExecContext<'_>,
        rt: &mut dyn Runtime,
        values: &[Datum],
    ) -> PgResult<RowId> {
        let row = ext.with_txn(|txn| self.table.insert(txn, values))?;
        for k in 0..self.indexes.len() {
            let Some(entry) = self.indexes[k].entry(rt, values)? else {
                continue;
            };
            self.add_entry(ext, k, &entry, row)?;
        }
        self.after_insert(ext, row, values);
        Ok(row)
    }

    /// Queues what an inserted row has to be checked for.
    pub fn after_insert(&self, ext: &ExecContext<'_>, row: RowId, values: &[Datum]) {
        if !self.def.foreign_keys.is_empty() {
            foreign_key::queue_checks(ext, self, row, None, values);
        }
    }

    /// Adds an entry to an index; a deferrable constraint that may be broken by it is checked later.
    pub fn add_entry(&self, ext: &ExecContext<'_>, k: usize, entry: &Entry, row: RowId) -> PgResult<()> {
        let index = &self.indexes[k];
        if index.insert_or_fail(ext, &self.def.desc, entry, row)? {
            let (oid, desc) = (index.part.desc.oid, &self.def.desc);
            let constraint = desc.constraints.iter().find(|c| c.index == oid);
            let initially = constraint.is_some_and(|c| c.deferred);
            let event = Event::Unique {
                table: Arc::clone(&self.def),
                index: oid,
                entry: entry.clone(),
                row,
            };
            ext.after.push(event, true, initially);
        }
        Ok(())
    }

    /// The late check of a deferrable unique constraint.
    pub fn check_unique(&self, ext: &ExecContext<'_>, index: Oid, entry: &Entry, row: RowId) -> PgResult<()> {
        // The row may have gone again, or moved.
        let latest = ext.with_txn(|txn| txn.latest_snapshot())?;
        if !self.table.is_visible(row, &latest)? {
            return Ok(());
        }
        let at = self.index_position(index)?;
        self.indexes[at].check_late(ext, &self.def.desc, entry, row)
    }

    /// Replaces a row and adjusts its index entries.
    pub fn update(
        &mut self,
        ext: &ExecContext<'_>,
        rt: &mut dyn Runtime,
        snapshot: &Snapshot,
        row: RowId,
        (old, new): (&[Datum], &[Datum]),
    ) -> PgResult<Written> {
        let mut entries = Vec::with_capacity(self.indexes.len());
        let mut mode = RowLockMode::NoKeyUpdate;
        for index in &mut self.indexes {
            let (a, b) = (index.entry(rt, old)?, index.entry(rt, new)?);
            let changed = a != b;
            if changed && index.part.unique {
                mode = RowLockMode::Update;
            }
            entries.push((a, b, changed));
        }
        let outcome = ext.with_txn(|txn| match entries.iter().any(|(_, _, changed)| *changed) {
            true => self.table.update_keys(txn, snapshot, row, new, mode),
            false => self.table.update(txn, snapshot, row, new, mode),
        })?;
        let WriteOutcome::Done(to) = outcome else {
            return Ok(Written::Not(outcome));
        };
        for (k, (before, after, changed)) in entries.into_iter().enumerate() {
            if !changed && to == row {
                continue;
            }
            if let Some(entry) = before {
                self.indexes[k].delete(ext, &entry, row)?;
            }
            if let Some(entry) = after {
                self.add_entry(ext, k, &entry, to)?;
            }
        }
        for foreign in &self.def.referenced {
            foreign.queue(ext, old, Some(new));
        }
        if !self.def.foreign_keys.is_empty() {
            foreign_key::queue_checks(ext, self, to, Some(old), new);
        }
        Ok(Written::Done(to))
    }

    /// Deletes a row that goes into another partition: nothing that refers to it is told.
    pub fn delete_moving(
        &mut self,
        ext: &ExecContext<'_>,
        rt: &mut dyn Runtime,
        snapshot: &Snapshot,
        row: RowId,
        old: &[Datum],
    ) -> PgResult<Written> {
        let outcome = ext.with_txn(|txn| self.table.delete_moving(txn, snapshot, row))?;
        self.drop_entries(ext, rt, row, old, outcome)
    }

    /// The index entries of a row that was deleted.
    fn drop_entries(
        &mut self,
        ext: &ExecContext<'_>,
        rt: &mut dyn Runtime,
        row: RowId,
        old: &[Datum],
        outcome: WriteOutcome,
    ) -> PgResult<Written> {
        let WriteOutcome::Done(at) = outcome else {
            return Ok(Written::Not(outcome));
        };
        for index in &mut self.indexes {
            if let Some(entry) = index.entry(rt, old)? {
                index.delete(ext, &entry, row)?;
            }
        }
        Ok(Written::Done(at))
    }

    /// Deletes a row and its index entries.
    pub fn delete(
        &mut self,
        ext: &ExecContext<'_>,
        rt: &mut dyn Runtime,
        snapshot: &Snapshot,
        row: RowId,
        old: &[Datum],
    ) -> PgResult<Written> {
        let outcome = ext.with_txn(|txn| self.table.delete(txn, snapshot, row))?;
        let written = self.drop_entries(ext, rt, row, old, outcome)?;
        if matches!(written, Written::Not(_)) {
            return Ok(written);
        }
        for foreign in &self.def.referenced {
            foreign.queue(ext, old, None);
        }
        Ok(written)
    }

    /// The whole row as a snapshot sees it.
    pub fn fetch(&self, snapshot: &Snapshot, row: RowId) -> PgResult<Option<Vec<Datum>>> {
        let mut values = Vec::with_capacity(self.def.desc.columns.len());
        Ok(self.table.fetch(row, snapshot, &mut values)?.then_some(values))
    }

    /// The position of an index in `indexes`.
    pub fn index_position(&self, oid: Oid) -> PgResult<usize> {
        self.indexes
            .iter()
            .position(|i| i.part.desc.oid == oid)
            .ok_or_else(|| internal!("index {oid} does not belong to the target"))
    }
}
