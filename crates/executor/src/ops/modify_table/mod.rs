//! ModifyTable: INSERT, UPDATE, DELETE, MERGE, with ON CONFLICT and RETURNING, over one table or a tree of tables.
//!
//! # How it works
//! Rows of the input are written one by one; what RETURNING computes is kept and handed out per input batch. A row that
//! another transaction has changed meanwhile goes through EvalPlanQual: the input plan runs again with the newest version
//! standing for the target relation, and what it gives (if anything) is written instead.
//!
//! Assignments, RETURNING, WITH CHECK OPTION and MERGE's actions are over the columns of the table named in the statement (the root).
//! Rows of its partitions and children are translated when their columns differ.

mod by_columns;
mod conflict;
mod merge;

use std::sync::Arc;

use access::{ActiveSnapshot, Conflict, WaitPolicy, WriteOutcome};
use catalog::desc::RelationDesc;
use common::error::ErrorExt;
use common::{Oid, PgError, PgResult, RowId, internal, pg_err};
use expr::{ExprProgram, RowInputs};
use nodes::Plan;
use nodes::plan::ModifyTable;
use nodes::query::{CommandType, WithCheckOption};
use rustc_hash::FxHashMap;
use txn::RowLockMode;
use types::{BATCH_ROWS, Batch, Datum, PhysType};

use crate::compile::{Compiler, ScanMap};
use crate::context::ExecContext;
use crate::cx::Cx;
use crate::modify::{
    Columns, OpenTarget, Router, RowLayout, RowParts, TargetDef, Written, partition_error, with_check_error,
};
use crate::node::{Epq, Eval, Node, NodeKind, Opening, Operator, Rest};
use crate::ops::epq::{self, Other};
use crate::ops::system::{self, Which};
use crate::store::RowStore;

use conflict::ConflictAction;
use merge::MergePart;

struct ModifyNode {
    operation: CommandType,
    input: Node,
    /// The table named in the statement.
    root: Arc<RelationDesc>,
    /// The tables whose rows the input names, with their range table entries.
    targets: Vec<(Arc<TargetDef>, usize)>,
    /// UPDATE, INSERT: columns (0-based, of the root) that the leading input columns are for.
    assigned: Vec<usize>,
    /// Input columns with the row id and its table.
    row_id: Option<usize>,
    table_oid: Option<usize>,
    layout: RowLayout,
    returning: Option<Vec<Arc<ExprProgram>>>,
    /// Relations of the join that are not changed.
    others: Vec<Other>,
    output: Vec<PhysType>,
    with_check: Vec<(WithCheckOption, Arc<ExprProgram>)>,
    on_conflict: Option<ConflictAction>,
    merge: Option<MergePart>,
    /// Its rows count for the command tag.
    counts: bool,
    /// How many rows are asked for at a time: one, where RETURNING calls volatile functions.
    demand: usize,
}

fn input_position(column: i16) -> Option<usize> {
    usize::try_from(column).ok()?.checked_sub(1)
}

pub(crate) fn compile(c: &Compiler<'_>, plan: &Plan, m: &ModifyTable) -> PgResult<Arc<dyn NodeKind>> {
    let Some(first) = m.relations.first() else {
        return Err(internal!("ModifyTable without a relation"));
    };
    let root = c.relation(m.root_relation)?;
    let layout = RowLayout::new(&root);
    let map = ScanMap::Modified(&layout);
    let returning = if first.returning.is_empty() {
        None
    } else {
        let exprs = first.returning.iter().map(|t| c.program(&t.expr, map));
        Some(exprs.collect::<PgResult<_>>()?)
    };
    let with_check = first
        .with_check_options
        .iter()
        .map(|w| Ok((w.clone(), c.program(&w.qual, map)?)))
        .collect::<PgResult<_>>()?;
    let mut targets = Vec::new();
    for relation in &m.relations {
        // A partitioned table has no rows of its own; its partitions are opened when a row goes there.
        if c.relation(relation.relation)?.relkind != b'p' {
            let def = Arc::new(TargetDef::compile(c, relation.relation)?);
            targets.push((def, relation.rt_index));
        }
    }
    let merge = match m.operation {
        CommandType::Merge => Some(merge::compile(c, m, map)?),
        _ => None,
    };
    let on_conflict = m.on_conflict.as_ref();
    Ok(Arc::new(ModifyNode {
        operation: m.operation,
        input: c.node(&m.input)?,
        targets,
        assigned: first.update_columns.iter().map(|a| *a as usize - 1).collect(),
        row_id: input_position(first.row_id_column),
        table_oid: input_position(m.table_oid_column),
        returning,
        with_check,
        on_conflict: on_conflict.map(|oc| conflict::compile(c, oc, map)).transpose()?,
        merge,
        others: epq::others(c, &m.row_marks)?,
        output: c.output_phys(plan)?,
        counts: plan.id == c.plan.plan.id,
        demand: match c.volatile_calls(first.returning.iter().map(|t| &t.expr))? {
            0 => BATCH_ROWS,
            _ => 1,
        },
        layout,
        root,
    }))
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
            merge: self.merge.as_ref().map(merge::MergeState::new),
            leaves: Vec::new(),
            by_oid: FxHashMap::default(),
            router: Router::default(),
            out: RowStore::new(&self.output),
            rest: Rest::default(),
            scratch: Vec::new(),
            by_columns: self.inserts_columns(),
            collected: None,
            action: None,
            opened: false,
            done: false,
            node: self,
        })
    }
}

/// A table that takes rows, and how its columns relate to the root's.
struct Leaf {
    target: OpenTarget,
    columns: Columns,
    /// For EvalPlanQual; 0 when the input does not read it.
    rt_index: usize,
}

impl Leaf {
    /// An error about a row of this table, for a statement on `root`.
    fn seen_from(
        &self,
        ext: &ExecContext<'_>,
        root: &RelationDesc,
        values: &[Datum],
        error: Box<PgError>,
    ) -> Box<PgError> {
        if self.target.def.desc.oid == root.oid {
            return error;
        }
        crate::modify::seen_from(ext, root, &self.columns.up(values), error)
    }
}

struct ModifyOp {
    node: Arc<ModifyNode>,
    input: Box<dyn Operator>,
    leaves: Vec<Leaf>,
    by_oid: FxHashMap<Oid, usize>,
    router: Router,
    returning: Option<Vec<Eval>>,
    with_check: Vec<Eval>,
    set: Vec<Eval>,
    condition: Option<Eval>,
    merge: Option<merge::MergeState>,
    out: RowStore,
    rest: Rest,
    scratch: Vec<Datum>,
    /// Rows may be inserted many at once; those that wait for it.
    by_columns: bool,
    collected: Option<access::Collector>,
    /// What MERGE_ACTION() says of the row at hand.
    action: Option<&'static str>,
    opened: bool,
    done: bool,
}

/// A row under way: where it is, what it is (in its own table's columns), and what it comes from.
struct Existing {
    leaf: usize,
    row: RowId,
    values: Vec<Datum>,
    snapshot: ActiveSnapshot,
    input: Vec<Datum>,
    /// What RETURNING shows of other relations, once the row was computed again: what they had at first.
    shown: Option<Vec<Datum>>,
}

impl ModifyOp {
    fn open_targets(&mut self, cx: &Cx<'_>) -> PgResult<()> {
        if std::mem::replace(&mut self.opened, true) {
            return Ok(());
        }
        let node = Arc::clone(&self.node);
        for (def, rt_index) in &node.targets {
            self.add_leaf(cx, def, *rt_index)?;
        }
        Ok(())
    }

    fn add_leaf(&mut self, cx: &Cx<'_>, def: &Arc<TargetDef>, rt_index: usize) -> PgResult<usize> {
        self.leaves.push(Leaf {
            target: OpenTarget::open(cx.ext, def)?,
            columns: Columns::new(&self.node.root, &def.desc),
            rt_index,
        });
        let at = self.leaves.len() - 1;
        self.by_oid.insert(def.desc.oid, at);
        Ok(at)
    }

    /// The position of a table among the open ones; opened now if it is not.
    fn leaf_of(&mut self, cx: &Cx<'_>, oid: Oid) -> PgResult<usize> {
        if let Some(at) = self.by_oid.get(&oid) {
            return Ok(*at);
        }
        crate::modify::lock_for_writing(cx.ext, oid)?;
        let prepared = Arc::clone(&cx.run.prepared);
        let compiler = Compiler {
            plan: prepared.plan(),
            catalog: cx.ext.catalog,
        };
        let def = Arc::new(TargetDef::compile(&compiler, oid)?);
        self.add_leaf(cx, &def, 0)
    }

    fn leaf(&mut self, at: usize) -> PgResult<&mut Leaf> {
        self.leaves
            .get_mut(at)
            .ok_or_else(|| internal!("target is not open"))
    }

    fn row(&mut self, cx: &mut Cx<'_>, input: Vec<Datum>) -> PgResult<()> {
        let node = Arc::clone(&self.node);
        match node.operation {
            CommandType::Insert => {
                let width = node.root.columns.len();
                let values = self.assigned_row(&input, vec![Datum::Null; width]);
                match &node.on_conflict {
                    None => self.insert(cx, values, &input),
                    Some(action) => self.insert_or(cx, values, &input, action),
                }
            }
            CommandType::Merge => self.merge_row(cx, input),
            _ => match self.existing(cx, input)? {
                Ok(at) => self.change(cx, at),
                // An outer join's row without a target row.
                Err(_) => Ok(()),
            },
        }
    }

    /// The target row that an input row names; the input row back when it names none.
    fn existing(&mut self, cx: &mut Cx<'_>, input: Vec<Datum>) -> PgResult<Result<Existing, Vec<Datum>>> {
        let node = Arc::clone(&self.node);
        let tid = node.row_id.and_then(|i| input.get(i)).and_then(Datum::as_i64);
        let Some(row) = tid.and_then(RowId::from_tid) else {
            return Ok(Err(input));
        };
        let leaf = match node.table_oid.and_then(|i| input.get(i)).and_then(Datum::as_oid) {
            Some(oid) => self.leaf_of(cx, oid)?,
            None => 0,
        };
        let snapshot = cx.ext.snapshot.clone();
        let Some(values) = self.leaf(leaf)?.target.fetch(&snapshot, row)? else {
            return Err(internal!("row to be changed is not visible"));
        };
        Ok(Ok(Existing {
            leaf,
            row,
            values,
            snapshot,
            input,
            shown: None,
        }))
    }

    /// A row of the root with the input's values assigned.
    fn assigned_row(&self, input: &[Datum], base: Vec<Datum>) -> Vec<Datum> {
        let mut values = base;
        for (value, &column) in input.iter().zip(&self.node.assigned) {
            if let Some(slot) = values.get_mut(column) {
                *slot = value.clone();
            }
        }
        values
    }

    /// A child's row with the assignments of the input, and which of its columns they are.
    fn updated_row(&mut self, at: &Existing) -> PgResult<Vec<Datum>> {
        let node = Arc::clone(&self.node);
        let leaf = self.leaf(at.leaf)?;
        let mut values = at.values.clone();
        for (value, &column) in at.input.iter().zip(&node.assigned) {
            if let Some(slot) = leaf.columns.position(column).and_then(|i| values.get_mut(i)) {
                *slot = value.clone();
            }
        }
        Ok(values)
    }

    /// Inserts a row of the root, wherever it belongs.
    fn insert(&mut self, cx: &mut Cx<'_>, values: Vec<Datum>, input: &[Datum]) -> PgResult<()> {
        let (leaf, values) = self.placed(cx, values)?;
        let row = self.store_new(cx, leaf, &values)?;
        self.finish_row(cx, None, Some((leaf, row, &values)), input)
    }

    /// Where a new row of the root goes, and the row in that table's columns, checked.
    fn placed(&mut self, cx: &mut Cx<'_>, values: Vec<Datum>) -> PgResult<(usize, Vec<Datum>)> {
        let node = Arc::clone(&self.node);
        let ext = cx.ext;
        let root = &node.root;
        if root.relkind != b'p' {
            let leaf = self.leaf_of(cx, root.oid)?;
            let mut values = values;
            self.prepare(cx, leaf, &mut values)?;
            if root.is_partition && !self.router.fits(ext, cx, root, &values, None)? {
                return Err(partition_error(ext, root, &values));
            }
            self.check_options(cx, leaf, &values)?;
            return Ok((leaf, values));
        }
        if root.is_partition && !self.router.fits(ext, cx, root, &values, None)? {
            return Err(partition_error(ext, root, &values));
        }
        let (desc, mut values) = self.router.route(ext, cx, root, &values)?;
        let leaf = self.leaf_of(cx, desc.oid)?;
        self.prepare(cx, leaf, &mut values)?;
        self.check_options(cx, leaf, &values)?;
        Ok((leaf, values))
    }

    fn prepare(&mut self, cx: &mut Cx<'_>, leaf: usize, values: &mut [Datum]) -> PgResult<()> {
        let ext = cx.ext;
        let root = Arc::clone(&self.node.root);
        let leaf = self.leaf(leaf)?;
        leaf.target.generate(cx, values)?;
        let checked = leaf.target.check(ext, cx, values);
        checked.map_err(|e| leaf.seen_from(ext, &root, values, e))
    }

    fn store_new(&mut self, cx: &mut Cx<'_>, leaf: usize, values: &[Datum]) -> PgResult<RowId> {
        let ext = cx.ext;
        self.leaf(leaf)?.target.insert(ext, cx, values)
    }

    /// UPDATE or DELETE of an existing row, again and again while others change it.
    fn change(&mut self, cx: &mut Cx<'_>, mut at: Existing) -> PgResult<()> {
        loop {
            let updates = self.node.operation == CommandType::Update;
            let new = if updates {
                Some(self.updated_row(&at)?)
            } else {
                None
            };
            match self.write(cx, &at, new)? {
                Changed::Done | Changed::Gone => return Ok(()),
                Changed::Again(row) => {
                    let (leaf, input) = (at.leaf, at.input);
                    match self.recheck(cx, leaf, row, &input)? {
                        Some(next) => {
                            let shown = Some(at.shown.unwrap_or(input));
                            at = Existing { shown, ..next };
                        }
                        None => return Ok(()),
                    }
                }
            }
        }
    }

    /// Updates (to `new`) or deletes a row, and reports it.
    fn write(&mut self, cx: &mut Cx<'_>, at: &Existing, new: Option<Vec<Datum>>) -> PgResult<Changed> {
        let ext = cx.ext;
        let mut new = new;
        if let Some(values) = &mut new {
            let desc = Arc::clone(&self.leaf(at.leaf)?.target.def.desc);
            if desc.is_partition {
                self.leaf(at.leaf)?.target.generate(cx, values)?;
                let top = Some(self.node.root.oid);
                if !self.router.fits(ext, cx, &desc, values, None)? {
                    let fits_below = self.router.fits(ext, cx, &desc, values, top)?;
                    if self.node.root.relkind != b'p' || fits_below {
                        let up = self.leaf(at.leaf)?.columns.up(values);
                        return Err(partition_error(ext, &self.node.root, &up));
                    }
                    let values = std::mem::take(values);
                    return self.move_row(cx, at, values);
                }
            }
            self.prepare(cx, at.leaf, values)?;
            self.check_options(cx, at.leaf, values)?;
        }
        let target = &mut self.leaf(at.leaf)?.target;
        let written = match &new {
            Some(values) => target.update(ext, cx, &at.snapshot, at.row, (&at.values, values))?,
            None => target.delete(ext, cx, &at.snapshot, at.row, &at.values)?,
        };
        match written {
            Written::Done(to) => {
                let old = (at.leaf, at.row, &at.values[..]);
                let new = new.as_deref().map(|v| (at.leaf, to, v));
                self.finish_row(cx, Some(old), new, at.shown.as_ref().unwrap_or(&at.input))?;
                Ok(Changed::Done)
            }
            other => self.not_written(other, at, new.is_some()),
        }
    }

    fn not_written(&self, written: Written, at: &Existing, updates: bool) -> PgResult<Changed> {
        match written {
            Written::Not(WriteOutcome::SelfModified { command }) if command != at.snapshot.command => {
                Err(modified_by_trigger(updates))
            }
            Written::Not(WriteOutcome::SelfModified { .. }) if self.node.merge.is_some() => {
                Err(merge::affected_twice())
            }
            Written::Not(WriteOutcome::Conflict(Conflict::Updated(row))) => Ok(Changed::Again(row)),
            Written::Not(WriteOutcome::Conflict(Conflict::Deleted)) => Ok(Changed::Gone),
            _ => Ok(Changed::Done),
        }
    }

    /// A row whose new version belongs into another partition: deleted here, inserted there.
    fn move_row(&mut self, cx: &mut Cx<'_>, at: &Existing, values: Vec<Datum>) -> PgResult<Changed> {
        let ext = cx.ext;
        let node = Arc::clone(&self.node);
        let up = self.leaf(at.leaf)?.columns.up(&values);
        // Where it goes is found out first: nothing is deleted when there is no place.
        let (leaf, new) = self.placed(cx, up)?;
        let target = &mut self.leaf(at.leaf)?.target;
        let written = target.delete_moving(ext, cx, &at.snapshot, at.row, &at.values)?;
        if !matches!(written, Written::Done(_)) {
            return self.not_written(written, at, true);
        }
        let row = self.store_new(cx, leaf, &new)?;
        let moved = crate::modify::referenced::MovedRow {
            in_partition: &at.values,
            old: &self.leaf(at.leaf)?.columns.up(&at.values),
            new: &self.leaf(leaf)?.columns.up(&new),
        };
        let from = &self.leaf(at.leaf)?.target.def;
        crate::modify::referenced::queue_moved(ext, &node.root, from, &moved)?;
        let old = (at.leaf, at.row, &at.values[..]);
        self.finish_row(
            cx,
            Some(old),
            Some((leaf, row, &new)),
            at.shown.as_ref().unwrap_or(&at.input),
        )?;
        Ok(Changed::Done)
    }

    /// EvalPlanQual: the newest version of a row, if it still qualifies.
    fn recheck(
        &mut self,
        cx: &mut Cx<'_>,
        leaf: usize,
        row: RowId,
        input: &[Datum],
    ) -> PgResult<Option<Existing>> {
        let mode = match self.node.operation {
            CommandType::Update => RowLockMode::NoKeyUpdate,
            _ => RowLockMode::Update,
        };
        let table = self.leaf(leaf)?.target.table.clone();
        let locked = cx
            .ext
            .with_txn(|txn| table.lock_latest(txn, row, mode, WaitPolicy::Block))?;
        // Gone, or changed by this very command meanwhile.
        let Ok(Some((row, snapshot))) = locked else {
            return Ok(None);
        };
        let open = self.leaf(leaf)?;
        let rt_index = open.rt_index;
        let Some(values) = open.target.fetch(&snapshot, row)? else {
            return Ok(None);
        };
        let mut epq = Epq::default();
        epq.add_newest(cx, &table, (rt_index, row), &values)?;
        // Other members of the tree have no part in this row.
        let members = self.node.targets.iter().map(|(_, member)| *member);
        epq.empty.extend(members.filter(|member| *member != rt_index));
        for place in &self.node.others {
            epq.add_other(cx, place, input)?;
        }
        let found = Opening::with_epq(epq).open(&self.node.input).next(cx, 1)?;
        Ok(found.map(|batch| Existing {
            leaf,
            row,
            values,
            snapshot,
            input: batch.row(0),
            shown: None,
        }))
    }

    /// Lays out old and new row for expressions.
    fn fill(
        &mut self,
        cx: &Cx<'_>,
        old: Option<Placed<'_>>,
        new: Option<Placed<'_>>,
    ) -> PgResult<Vec<Datum>> {
        let mut scan = std::mem::take(&mut self.scratch);
        let old = self.returned(cx, old, Which::Before)?;
        let new = self.returned(cx, new, Which::Now)?;
        let (old, new) = (
            old.as_ref().map(Returned::parts),
            new.as_ref().map(Returned::parts),
        );
        self.node.layout.fill(old, new, &mut scan);
        scan.push(self.action.map_or(Datum::Null, Datum::text));
        Ok(scan)
    }

    /// A row as the table named in the statement has it.
    fn returned(&self, cx: &Cx<'_>, at: Option<Placed<'_>>, which: Which) -> PgResult<Option<Returned>> {
        let Some((leaf, row, values)) = at else {
            return Ok(None);
        };
        let open = self.leaves.get(leaf);
        let leaf = open.ok_or_else(|| internal!("target is not open"))?;
        let system = match self.node.layout.has_system() {
            true => Some(system::values(system::of_written(
                cx.ext,
                &leaf.target.table,
                row,
                which,
            )?)),
            false => None,
        };
        Ok(Some(Returned {
            table: leaf.target.def.desc.oid,
            row,
            values: leaf.columns.up(values),
            system,
        }))
    }

    /// WITH CHECK OPTION of a row about to be written.
    fn check_options(&mut self, cx: &mut Cx<'_>, leaf: usize, values: &[Datum]) -> PgResult<()> {
        if self.with_check.is_empty() {
            return Ok(());
        }
        let node = Arc::clone(&self.node);
        let scan = self.fill(cx, None, Some((leaf, RowId(0), values)))?;
        let row = RowInputs {
            scan: &scan,
            ..RowInputs::default()
        };
        for ((option, _), eval) in node.with_check.iter().zip(&mut self.with_check) {
            if eval.row(cx, row)?.as_bool() != Some(true) {
                let leaf = self.leaf(leaf)?;
                let error = with_check_error(cx.ext, &leaf.target.def.desc, option, values);
                return Err(leaf.seen_from(cx.ext, &node.root, values, error));
            }
        }
        self.scratch = scan;
        Ok(())
    }

    /// The count, RETURNING.
    fn finish_row(
        &mut self,
        cx: &mut Cx<'_>,
        old: Option<Placed<'_>>,
        new: Option<Placed<'_>>,
        input: &[Datum],
    ) -> PgResult<()> {
        if self.node.counts {
            cx.run.processed += 1;
        }
        if self.returning.is_none() {
            return Ok(());
        }
        let scan = self.fill(cx, old, new)?;
        let row = RowInputs {
            scan: &scan,
            outer: input,
            ..RowInputs::default()
        };
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

/// A row in a table: position of the table, place, values.
type Placed<'a> = (usize, RowId, &'a [Datum]);

/// A row for RETURNING.
struct Returned {
    table: Oid,
    row: RowId,
    values: Vec<Datum>,
    system: Option<[Datum; 4]>,
}

impl Returned {
    fn parts(&self) -> RowParts<'_> {
        RowParts {
            table: self.table,
            row: self.row,
            values: &self.values,
            system: self.system.as_ref(),
        }
    }
}

/// What became of a change.
enum Changed {
    /// Done, or nothing to do any more.
    Done,
    /// Somebody else changed the row: its newest version is here.
    Again(RowId),
    /// Somebody else deleted the row.
    Gone,
}

fn modified_by_trigger(updates: bool) -> Box<common::PgError> {
    let what = if updates { "updated" } else { "deleted" };
    pg_err!(
        TRIGGERED_DATA_CHANGE_VIOLATION,
        "tuple to be {what} was already modified by an operation triggered by the current command"
    )
    .hint("Consider using an AFTER trigger instead of a BEFORE trigger to propagate changes to other rows.")
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
            self.open_targets(cx)?;
            cx.check()?;
            let next = match self.input.next(cx, self.node.demand) {
                Ok(next) => next,
                Err(error) => {
                    // Rows before the one that failed come first.
                    self.flush_columns(cx)?;
                    return Err(error);
                }
            };
            let Some(batch) = next else {
                self.done = true;
                self.flush_columns(cx)?;
                continue;
            };
            if self.add_columns(cx, &batch)? {
                continue;
            }
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
