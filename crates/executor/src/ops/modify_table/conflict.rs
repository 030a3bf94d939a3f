//! ON CONFLICT.

use std::sync::Arc;

use access::{LockOutcome, Savepoint, WaitPolicy, WriteOutcome};
use common::error::ErrorExt;
use common::{PgResult, RowId, pg_err};
use expr::{ExprProgram, RowInputs};
use nodes::plan::OnConflictPlan;
use txn::RowLockMode;
use types::Datum;

use crate::compile::{Compiler, ScanMap};
use crate::cx::Cx;
use crate::modify::{OpenTarget, Written};
use crate::ops::modify_table::ModifyOp;

/// ON CONFLICT, compiled.
pub(super) struct ConflictAction {
    arbiters: Vec<common::Oid>,
    pub update: Option<ConflictUpdate>,
}

/// DO UPDATE.
pub(super) struct ConflictUpdate {
    pub set: Vec<(usize, Arc<ExprProgram>)>,
    pub condition: Option<Arc<ExprProgram>>,
}

pub(super) fn compile(c: &Compiler<'_>, oc: &OnConflictPlan, map: ScanMap<'_>) -> PgResult<ConflictAction> {
    let update = if oc.update {
        let set = oc
            .set
            .iter()
            .map(|t| Ok((t.resno as usize - 1, c.program(&t.expr, map)?)))
            .collect::<PgResult<_>>()?;
        Some(ConflictUpdate {
            set,
            condition: oc.where_clause.as_ref().map(|w| c.program(w, map)).transpose()?,
        })
    } else {
        None
    };
    Ok(ConflictAction {
        arbiters: oc.arbiter_indexes.clone(),
        update,
    })
}

/// ON CONFLICT.
impl ModifyOp {
    /// Inserts a row of the root, or does what ON CONFLICT says.
    pub(super) fn insert_or(
        &mut self,
        cx: &mut Cx<'_>,
        values: Vec<Datum>,
        input: &[Datum],
        action: &ConflictAction,
    ) -> PgResult<()> {
        let (leaf, values) = self.placed(cx, values)?;
        let arbiters = self.arbiters(cx, leaf, action)?;
        loop {
            cx.check()?;
            if let Some(row) = self.conflicting(cx, leaf, &values, &arbiters)? {
                let done = match &action.update {
                    None => self.skip_conflict(cx, leaf, row)?,
                    Some(update) => self.conflict_update(cx, (leaf, row), &values, update, input)?,
                };
                if done {
                    return Ok(());
                }
                continue;
            }
            let savepoint = cx.ext.with_txn(|txn| txn.savepoint())?;
            if let Some(row) = self.try_insert(cx, leaf, &values, &arbiters, &savepoint)? {
                return self.finish_row(cx, None, Some((leaf, row, &values)), input);
            }
        }
    }

    /// Positions of the arbiter indexes among those of a table; a partition's belong to the root's.
    fn arbiters(&mut self, cx: &Cx<'_>, leaf: usize, action: &ConflictAction) -> PgResult<Vec<usize>> {
        let target = &self.leaf(leaf)?.target;
        let mut found = match action.arbiters.is_empty() {
            true => all_arbiters(target),
            false => named_arbiters(cx, target, &action.arbiters)?,
        };
        // While REINDEX CONCURRENTLY lets two indexes swap their storage, statements of before and after it meet in the same order.
        found.sort_by_key(|k| target.indexes[*k].index.id());
        Ok(found)
    }

    /// The row that has one of the arbiters' keys.
    fn conflicting(
        &mut self,
        cx: &mut Cx<'_>,
        leaf: usize,
        values: &[Datum],
        arbiters: &[usize],
    ) -> PgResult<Option<RowId>> {
        for k in arbiters {
            let ext = cx.ext;
            let target = &mut self.leaf(leaf)?.target;
            let (index, desc) = (&mut target.indexes[*k], &target.def.desc);
            let Some(entry) = index.entry(cx, values)? else {
                continue;
            };
            let found = index.conflicting(ext, desc, &entry)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Under repeatable read a row that the snapshot does not see must not decide anything.
    fn skip_conflict(&mut self, cx: &mut Cx<'_>, leaf: usize, row: RowId) -> PgResult<bool> {
        let one_snapshot = cx.ext.with_txn(|txn| Ok(txn.uses_one_snapshot()))?;
        if one_snapshot {
            let own = cx.ext.with_txn(|txn| txn.latest_snapshot())?;
            let mut own = *own;
            own.csn = cx.ext.snapshot.csn;
            own.command = common::CommandId(u32::MAX);
            if !self.leaf(leaf)?.target.table.is_visible(row, &own)? {
                return Err(pg_err!(
                    T_R_SERIALIZATION_FAILURE,
                    "could not serialize access due to concurrent update"
                ));
            }
        }
        Ok(true)
    }

    /// Inserts unless a conflict turns up after all; then everything is undone.
    fn try_insert(
        &mut self,
        cx: &mut Cx<'_>,
        leaf: usize,
        values: &[Datum],
        arbiters: &[usize],
        savepoint: &Savepoint,
    ) -> PgResult<Option<RowId>> {
        let ext = cx.ext;
        let target = &mut self.leaf(leaf)?.target;
        let row = ext.with_txn(|txn| target.table.insert(txn, values))?;
        for k in arbiters {
            let index = &mut target.indexes[*k];
            let Some(entry) = index.entry(cx, values)? else {
                continue;
            };
            if index.insert(ext, &entry, row)?.is_err() {
                ext.with_txn(|txn| txn.rollback_to(savepoint))?;
                return Ok(None);
            }
        }
        for k in (0..target.indexes.len()).filter(|k| !arbiters.contains(k)) {
            if let Some(entry) = target.indexes[k].entry(cx, values)? {
                target.add_entry(ext, k, &entry, row)?;
            }
        }
        target.after_insert(ext, row, values);
        Ok(Some(row))
    }

    /// DO UPDATE; false: the row went away, try again.
    fn conflict_update(
        &mut self,
        cx: &mut Cx<'_>,
        (leaf, row): (usize, RowId),
        excluded: &[Datum],
        update: &ConflictUpdate,
        input: &[Datum],
    ) -> PgResult<bool> {
        let ext = cx.ext;
        let latest = ext.with_txn(|txn| txn.latest_snapshot())?;
        let table = self.leaf(leaf)?.target.table.clone();
        let lock = ext
            .with_txn(|txn| table.lock_row(txn, &latest, row, RowLockMode::NoKeyUpdate, WaitPolicy::Block))?;
        match lock {
            LockOutcome::Locked => {}
            LockOutcome::SelfModified => return Err(affected_twice()),
            LockOutcome::Conflict(_) | LockOutcome::NotAvailable => return Ok(false),
        }
        // What was committed while waiting for the lock is seen by a newer snapshot.
        let latest = ext.with_txn(|txn| txn.latest_snapshot())?;
        let Some(old) = self.leaf(leaf)?.target.fetch(&latest, row)? else {
            return if self.is_own_new(cx, leaf, row)? {
                Err(affected_twice())
            } else {
                Ok(false)
            };
        };
        self.skip_conflict(cx, leaf, row)?;
        let scan = self.fill(cx, Some((leaf, row, &old)), None)?;
        let excluded = self.leaf(leaf)?.columns.up(excluded);
        let inputs = RowInputs {
            scan: &scan,
            inner: &excluded,
            outer: &[],
        };
        if let Some(condition) = &mut self.condition {
            if condition.row(cx, inputs)?.as_bool() != Some(true) {
                return Ok(true);
            }
        }
        let mut new = old.clone();
        for at in 0..update.set.len() {
            let value = self.set[at].row(cx, inputs)?;
            let position = self.leaf(leaf)?.columns.position(update.set[at].0);
            if let Some(slot) = position.and_then(|i| new.get_mut(i)) {
                *slot = value;
            }
        }
        self.prepare(cx, leaf, &mut new)?;
        let desc = std::sync::Arc::clone(&self.leaf(leaf)?.target.def.desc);
        if desc.is_partition && !self.router.fits(ext, cx, &desc, &new, None)? {
            if self.node.root.relkind != b'p' {
                return Err(crate::modify::partition_error(ext, &desc, &new));
            }
            return Err(pg_err!(FEATURE_NOT_SUPPORTED, "invalid ON UPDATE specification")
                .detail("The result tuple would appear in a different partition than the original tuple."));
        }
        self.check_options(cx, leaf, &new)?;
        let target = &mut self.leaf(leaf)?.target;
        match target.update(ext, cx, &latest, row, (&old, &new))? {
            Written::Done(to) => {
                self.finish_row(cx, Some((leaf, row, &old)), Some((leaf, to, &new)), input)?;
                Ok(true)
            }
            Written::Not(WriteOutcome::SelfModified { .. }) => Err(affected_twice()),
            Written::Not(_) => Ok(false),
        }
    }

    /// The row was made by this very command.
    fn is_own_new(&mut self, cx: &mut Cx<'_>, leaf: usize, row: RowId) -> PgResult<bool> {
        let latest = cx.ext.with_txn(|txn| txn.latest_snapshot())?;
        let later = latest.at_command(common::CommandId(u32::MAX));
        self.leaf(leaf)?.target.table.is_visible(row, &later)
    }
}

fn affected_twice() -> Box<common::PgError> {
    pg_err!(
        CARDINALITY_VIOLATION,
        "ON CONFLICT DO UPDATE command cannot affect row a second time"
    )
    .hint(
        "Ensure that no rows proposed for insertion within the same command have duplicate constrained values.",
    )
}

/// Without a conflict target: whatever may refuse a row.
fn all_arbiters(target: &OpenTarget) -> Vec<usize> {
    let refuses = |k: &usize| {
        let part = &target.indexes[*k].part;
        part.ready && (part.unique || part.exclusion.is_some())
    };
    (0..target.indexes.len()).filter(refuses).collect()
}

/// The indexes that were inferred, and those of the same keys.
fn named_arbiters(cx: &Cx<'_>, target: &OpenTarget, arbiters: &[common::Oid]) -> PgResult<Vec<usize>> {
    let mut found = Vec::new();
    for oid in arbiters {
        for (k, index) in target.indexes.iter().enumerate() {
            let mut at = Some(Arc::clone(&index.part.desc));
            while let Some(desc) = at {
                if desc.oid == *oid {
                    found.push(k);
                    break;
                }
                at = match desc.inheritance.parents.first() {
                    Some(parent) => cx.ext.catalog.relation(*parent)?,
                    None => None,
                };
            }
        }
    }
    let is_twin = |k: &usize| {
        let index = &target.indexes[*k];
        !found.contains(k) && found.iter().any(|of| index.is_twin(&target.indexes[*of]))
    };
    let twins: Vec<usize> = (0..target.indexes.len()).filter(is_twin).collect();
    found.extend(twins);
    Ok(found)
}
