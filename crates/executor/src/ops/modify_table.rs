//! ModifyTable: INSERT, UPDATE, DELETE, with ON CONFLICT and RETURNING.
//!
//! # How it works
//! Rows of the input are written one by one; what RETURNING computes is kept and handed out per input batch. A row that
//! another transaction has changed meanwhile goes through EvalPlanQual: the input plan runs again with the newest version
//! standing for the target relation, and what it gives (if anything) is written instead.

use std::sync::Arc;

use access::{ActiveSnapshot, Conflict, LockOutcome, Savepoint, WaitPolicy, WriteOutcome};
use common::error::ErrorExt;
use common::{PgResult, RowId, internal, pg_err, unsupported};
use expr::{ExprProgram, RowInputs};
use nodes::Plan;
use nodes::plan::{ModifyTable, OnConflictPlan, ResultRelation};
use nodes::query::{CommandType, WithCheckOption};
use txn::RowLockMode;
use types::{BATCH_ROWS, Batch, Datum, PhysType};

use crate::compile::{Compiler, ScanMap};
use crate::cx::Cx;
use crate::modify::{OpenTarget, RowLayout, RowParts, TargetDef, Written};
use crate::node::{EpqRow, Eval, Node, NodeKind, Opening, Operator, Rest};
use crate::store::RowStore;

struct ModifyNode {
    operation: CommandType,
    input: Node,
    target: Arc<TargetDef>,
    rt_index: usize,
    /// UPDATE: columns (0-based) that the leading input columns are for.
    assigned: Vec<usize>,
    /// Input column with the row id.
    row_id: Option<usize>,
    layout: RowLayout,
    returning: Option<Vec<Arc<ExprProgram>>>,
    output: Vec<PhysType>,
    with_check: Vec<(WithCheckOption, Arc<ExprProgram>)>,
    on_conflict: Option<ConflictAction>,
    /// Its rows count for the command tag.
    counts: bool,
}

struct ConflictAction {
    arbiters: Vec<common::Oid>,
    update: Option<ConflictUpdate>,
}

struct ConflictUpdate {
    set: Vec<(usize, Arc<ExprProgram>)>,
    condition: Option<Arc<ExprProgram>>,
}

pub(crate) fn compile(c: &Compiler<'_>, plan: &Plan, m: &ModifyTable) -> PgResult<Arc<dyn NodeKind>> {
    if !matches!(
        m.operation,
        CommandType::Insert | CommandType::Update | CommandType::Delete
    ) {
        return Err(unsupported!("MERGE is not supported yet"));
    }
    let [relation] = &m.relations[..] else {
        return Err(unsupported!("writing to several relations is not supported yet"));
    };
    let target = Arc::new(TargetDef::compile(c, relation.relation)?);
    let layout = RowLayout::new(&target.desc);
    let map = ScanMap::Modified(&layout);
    let returning = if relation.returning.is_empty() {
        None
    } else {
        let exprs = relation.returning.iter().map(|t| c.program(&t.expr, map));
        Some(exprs.collect::<PgResult<_>>()?)
    };
    let with_check = relation
        .with_check_options
        .iter()
        .map(|w| Ok((w.clone(), c.program(&w.qual, map)?)))
        .collect::<PgResult<_>>()?;
    let position = |attno: i16| attno as usize - 1;
    Ok(Arc::new(ModifyNode {
        operation: m.operation,
        input: c.node(&m.input)?,
        rt_index: relation.rt_index,
        assigned: relation.update_columns.iter().map(|a| position(*a)).collect(),
        row_id: row_id(relation),
        returning,
        with_check,
        on_conflict: m
            .on_conflict
            .as_ref()
            .map(|oc| conflict(c, oc, map))
            .transpose()?,
        output: c.output_phys(plan)?,
        counts: plan.id == c.plan.plan.id,
        layout,
        target,
    }))
}

fn row_id(relation: &ResultRelation) -> Option<usize> {
    usize::try_from(relation.row_id_column).ok()?.checked_sub(1)
}

fn conflict(c: &Compiler<'_>, oc: &OnConflictPlan, map: ScanMap<'_>) -> PgResult<ConflictAction> {
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

impl NodeKind for ModifyNode {
    fn open(self: Arc<Self>, opening: &Opening) -> Box<dyn Operator> {
        let evals = |list: &Vec<Arc<ExprProgram>>| Eval::all(list);
        let update = self.on_conflict.as_ref().and_then(|a| a.update.as_ref());
        Box::new(ModifyOp {
            input: opening.open(&self.input),
            returning: self.returning.as_ref().map(evals),
            with_check: self.with_check.iter().map(|(_, p)| Eval::new(p)).collect(),
            set: update.map_or_else(Vec::new, |u| u.set.iter().map(|(_, p)| Eval::new(p)).collect()),
            condition: update.and_then(|u| u.condition.as_ref()).map(Eval::new),
            target: None,
            out: RowStore::new(&self.output),
            rest: Rest::default(),
            scratch: Vec::new(),
            done: false,
            node: self,
        })
    }
}

struct ModifyOp {
    node: Arc<ModifyNode>,
    input: Box<dyn Operator>,
    target: Option<OpenTarget>,
    returning: Option<Vec<Eval>>,
    with_check: Vec<Eval>,
    set: Vec<Eval>,
    condition: Option<Eval>,
    out: RowStore,
    rest: Rest,
    scratch: Vec<Datum>,
    done: bool,
}

/// A row under way: where it is, what it is, and what it comes from.
struct Existing {
    row: RowId,
    values: Vec<Datum>,
    snapshot: ActiveSnapshot,
    input: Vec<Datum>,
}

impl ModifyOp {
    fn target(&mut self) -> PgResult<&mut OpenTarget> {
        self.target
            .as_mut()
            .ok_or_else(|| internal!("target is not open"))
    }

    fn row(&mut self, cx: &mut Cx<'_>, input: Vec<Datum>) -> PgResult<()> {
        let node = Arc::clone(&self.node);
        if node.operation == CommandType::Insert {
            return match &node.on_conflict {
                None => self.insert(cx, input),
                Some(action) => self.insert_or(cx, input, action),
            };
        }
        let Some(row) = node.row_id.and_then(|i| input.get(i)).and_then(Datum::as_i64) else {
            // An outer join's row without a target row.
            return Ok(());
        };
        let row = RowId(row as u64);
        let snapshot = cx.ext.snapshot.clone();
        let Some(values) = self.target()?.fetch(&snapshot, row)? else {
            return Err(internal!("row to be changed is not visible"));
        };
        self.change(
            cx,
            Existing {
                row,
                values,
                snapshot,
                input,
            },
        )
    }

    /// New values of a table row from the input's columns.
    fn table_row(&self, input: &[Datum], base: Vec<Datum>) -> Vec<Datum> {
        let mut values = base;
        for (value, &column) in input.iter().zip(&self.node.assigned) {
            if let Some(slot) = values.get_mut(column) {
                *slot = value.clone();
            }
        }
        values
    }

    fn prepare(&mut self, cx: &mut Cx<'_>, values: &mut [Datum]) -> PgResult<()> {
        let ext = cx.ext;
        let target = self.target()?;
        target.generate(cx, values)?;
        target.check(ext, cx, values)
    }

    fn insert(&mut self, cx: &mut Cx<'_>, input: Vec<Datum>) -> PgResult<()> {
        let width = self.node.target.desc.columns.len();
        let mut values = self.table_row(&input, vec![Datum::Null; width]);
        self.prepare(cx, &mut values)?;
        let ext = cx.ext;
        let row = self.target()?.insert(ext, cx, &values)?;
        let new = RowParts { row, values: &values };
        self.finish_row(cx, None, Some(new), &input)
    }

    /// UPDATE or DELETE of an existing row, again and again while others change it.
    fn change(&mut self, cx: &mut Cx<'_>, mut at: Existing) -> PgResult<()> {
        let ext = cx.ext;
        loop {
            let updates = self.node.operation == CommandType::Update;
            let (written, new) = if updates {
                let mut new = self.table_row(&at.input, at.values.clone());
                self.prepare(cx, &mut new)?;
                let rows = (&at.values[..], &new[..]);
                let written = self.target()?.update(ext, cx, &at.snapshot, at.row, rows)?;
                (written, Some(new))
            } else {
                let target = self.target()?;
                (target.delete(ext, cx, &at.snapshot, at.row, &at.values)?, None)
            };
            match written {
                Written::Done(to) => {
                    let old = RowParts {
                        row: at.row,
                        values: &at.values,
                    };
                    let new = new.as_ref().map(|v| RowParts { row: to, values: v });
                    return self.finish_row(cx, Some(old), new, &at.input);
                }
                Written::Not(WriteOutcome::SelfModified { command }) => {
                    if command != at.snapshot.command {
                        return Err(modified_by_trigger(updates));
                    }
                    return Ok(());
                }
                Written::Not(WriteOutcome::Conflict(Conflict::Updated(row))) => {
                    match self.recheck(cx, row)? {
                        Some(next) => at = next,
                        None => return Ok(()),
                    }
                }
                Written::Not(_) => return Ok(()),
            }
        }
    }

    /// EvalPlanQual: the newest version of a row, if it still qualifies.
    fn recheck(&mut self, cx: &mut Cx<'_>, row: RowId) -> PgResult<Option<Existing>> {
        let mode = match self.node.operation {
            CommandType::Update => RowLockMode::NoKeyUpdate,
            _ => RowLockMode::Update,
        };
        let table = self.target()?.table.clone();
        let locked = cx
            .ext
            .with_txn(|txn| table.lock_latest(txn, row, mode, WaitPolicy::Block))?;
        // Gone, or changed by this very command meanwhile.
        let Ok(Some((row, snapshot))) = locked else {
            return Ok(None);
        };
        let Some(values) = self.target()?.fetch(&snapshot, row)? else {
            return Ok(None);
        };
        let substitute = EpqRow {
            rt_index: self.node.rt_index,
            row,
            values: values.as_slice().into(),
        };
        let opening = Opening {
            instrument: false,
            epq: Some(Arc::new(substitute)),
        };
        let found = opening.open(&self.node.input).next(cx, 1)?;
        Ok(found.map(|batch| Existing {
            row,
            values,
            snapshot,
            input: batch.row(0),
        }))
    }

    /// WITH CHECK OPTION, the count, RETURNING.
    fn finish_row(
        &mut self,
        cx: &mut Cx<'_>,
        old: Option<RowParts<'_>>,
        new: Option<RowParts<'_>>,
        input: &[Datum],
    ) -> PgResult<()> {
        let node = Arc::clone(&self.node);
        if node.counts {
            cx.run.processed += 1;
        }
        if self.returning.is_none() && self.with_check.is_empty() {
            return Ok(());
        }
        let mut scan = std::mem::take(&mut self.scratch);
        node.layout.fill(old, new, &mut scan);
        let row = RowInputs {
            scan: &scan,
            outer: input,
            ..RowInputs::default()
        };
        if let Some(new) = new {
            for ((option, _), eval) in node.with_check.iter().zip(&mut self.with_check) {
                if eval.row(cx, row)?.as_bool() != Some(true) {
                    return Err(crate::modify::with_check_error(
                        cx.ext,
                        &node.target.desc,
                        option,
                        new.values,
                    ));
                }
            }
        }
        if let Some(returning) = &mut self.returning {
            for (column, eval) in self.out.columns.iter_mut().zip(returning) {
                column.push(&eval.row(cx, row)?);
            }
            self.out.rows += 1;
        }
        self.scratch = scan;
        Ok(())
    }
}

fn modified_by_trigger(updates: bool) -> Box<common::PgError> {
    let what = if updates { "updated" } else { "deleted" };
    pg_err!(
        TRIGGERED_DATA_CHANGE_VIOLATION,
        "tuple to be {what} was already modified by an operation triggered by the current command"
    )
    .hint("Consider using an AFTER trigger instead of a BEFORE trigger to propagate changes to other rows.")
}

/// ON CONFLICT.
impl ModifyOp {
    fn insert_or(&mut self, cx: &mut Cx<'_>, input: Vec<Datum>, action: &ConflictAction) -> PgResult<()> {
        let width = self.node.target.desc.columns.len();
        let mut values = self.table_row(&input, vec![Datum::Null; width]);
        self.prepare(cx, &mut values)?;
        loop {
            cx.check()?;
            if let Some(row) = self.conflicting(cx, &values, action)? {
                let done = match &action.update {
                    None => self.skip_conflict(cx, row)?,
                    Some(update) => self.conflict_update(cx, row, &values, update, &input)?,
                };
                if done {
                    return Ok(());
                }
                continue;
            }
            let savepoint = cx.ext.with_txn(|txn| txn.savepoint())?;
            if let Some(row) = self.try_insert(cx, &values, action, &savepoint)? {
                let new = RowParts { row, values: &values };
                return self.finish_row(cx, None, Some(new), &input);
            }
        }
    }

    fn arbiters(&mut self, action: &ConflictAction) -> PgResult<Vec<usize>> {
        let target = self.target()?;
        if action.arbiters.is_empty() {
            return Ok((0..target.indexes.len())
                .filter(|&k| target.indexes[k].part.unique)
                .collect());
        }
        action
            .arbiters
            .iter()
            .map(|oid| target.index_position(*oid))
            .collect()
    }

    /// The row that has one of the arbiters' keys.
    fn conflicting(
        &mut self,
        cx: &mut Cx<'_>,
        values: &[Datum],
        action: &ConflictAction,
    ) -> PgResult<Option<RowId>> {
        for k in self.arbiters(action)? {
            let ext = cx.ext;
            let index = &mut self.target()?.indexes[k];
            let Some(entry) = index.entry(cx, values)? else {
                continue;
            };
            let found = ext.with_txn(|txn| index.index.conflicting_row(txn, &entry.key, None))?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Under repeatable read a row that the snapshot does not see must not decide anything.
    fn skip_conflict(&mut self, cx: &mut Cx<'_>, row: RowId) -> PgResult<bool> {
        let one_snapshot = cx.ext.with_txn(|txn| Ok(txn.uses_one_snapshot()))?;
        if one_snapshot {
            let own = cx.ext.with_txn(|txn| txn.latest_snapshot())?;
            let mut own = *own;
            own.csn = cx.ext.snapshot.csn;
            own.command = common::CommandId(u32::MAX);
            if !self.target()?.table.is_visible(row, &own)? {
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
        values: &[Datum],
        action: &ConflictAction,
        savepoint: &Savepoint,
    ) -> PgResult<Option<RowId>> {
        let arbiters = self.arbiters(action)?;
        let ext = cx.ext;
        let target = self.target()?;
        let row = ext.with_txn(|txn| target.table.insert(txn, values))?;
        for k in 0..target.indexes.len() {
            let index = &mut target.indexes[k];
            let Some(entry) = index.entry(cx, values)? else {
                continue;
            };
            if !arbiters.contains(&k) {
                index.insert_or_fail(ext, &target.def.desc, &entry, row)?;
            } else if index.insert(ext, &entry, row)?.is_err() {
                ext.with_txn(|txn| txn.rollback_to(savepoint))?;
                return Ok(None);
            }
        }
        Ok(Some(row))
    }

    /// DO UPDATE; false: the row went away, try again.
    fn conflict_update(
        &mut self,
        cx: &mut Cx<'_>,
        row: RowId,
        excluded: &[Datum],
        update: &ConflictUpdate,
        input: &[Datum],
    ) -> PgResult<bool> {
        let ext = cx.ext;
        let latest = ext.with_txn(|txn| txn.latest_snapshot())?;
        let table = self.target()?.table.clone();
        let lock = ext
            .with_txn(|txn| table.lock_row(txn, &latest, row, RowLockMode::NoKeyUpdate, WaitPolicy::Block))?;
        match lock {
            LockOutcome::Locked => {}
            LockOutcome::SelfModified => return Err(affected_twice()),
            LockOutcome::Conflict(_) | LockOutcome::NotAvailable => return Ok(false),
        }
        // What was committed while waiting for the lock is seen by a newer snapshot.
        let latest = ext.with_txn(|txn| txn.latest_snapshot())?;
        let Some(old) = self.target()?.fetch(&latest, row)? else {
            return if self.is_own_new(cx, row)? {
                Err(affected_twice())
            } else {
                Ok(false)
            };
        };
        self.skip_conflict(cx, row)?;
        let mut scan = Vec::new();
        let parts = RowParts { row, values: &old };
        self.node.layout.fill(Some(parts), None, &mut scan);
        let inputs = RowInputs {
            scan: &scan,
            inner: excluded,
            outer: &[],
        };
        if let Some(condition) = &mut self.condition {
            if condition.row(cx, inputs)?.as_bool() != Some(true) {
                return Ok(true);
            }
        }
        let mut new = old.clone();
        for ((column, _), eval) in update.set.iter().zip(&mut self.set) {
            new[*column] = eval.row(cx, inputs)?;
        }
        self.prepare(cx, &mut new)?;
        match self.target()?.update(ext, cx, &latest, row, (&old, &new))? {
            Written::Done(to) => {
                let before = RowParts { row, values: &old };
                let after = RowParts {
                    row: to,
                    values: &new,
                };
                self.finish_row(cx, Some(before), Some(after), input)?;
                Ok(true)
            }
            Written::Not(WriteOutcome::SelfModified { .. }) => Err(affected_twice()),
            Written::Not(_) => Ok(false),
        }
    }

    /// The row was made by this very command.
    fn is_own_new(&mut self, cx: &mut Cx<'_>, row: RowId) -> PgResult<bool> {
        let latest = cx.ext.with_txn(|txn| txn.latest_snapshot())?;
        let later = latest.at_command(common::CommandId(u32::MAX));
        self.target()?.table.is_visible(row, &later)
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

impl Operator for ModifyOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        loop {
            if let Some(batch) = self.rest.take(max_rows) {
                return Ok(Some(batch));
            }
            if self.done {
                return Ok(None);
            }
            if self.target.is_none() {
                self.target = Some(OpenTarget::open(cx.ext, &self.node.target)?);
            }
            cx.check()?;
            let Some(batch) = self.input.next(cx, BATCH_ROWS)? else {
                self.done = true;
                let ext = cx.ext;
                self.target()?.finish(ext)?;
                continue;
            };
            for k in 0..batch.len() {
                self.row(cx, batch.row(k))?;
            }
            let (columns, rows) = self.out.drain_columns();
            self.rest.put(Batch::new(columns, rows));
        }
    }

    fn rescan(&mut self, _cx: &mut Cx<'_>) -> PgResult<()> {
        Err(internal!("a data-modifying node cannot start again"))
    }
}
