//! The short path: statements on one row found by a unique key, and inserts of one row, without operators.
//!
//! # How it works
//! Recognised once per plan. A lookup encodes the key, asks the index for the row id and reads the columns. A conflict with another
//! transaction changes nothing: the statement then runs the long way, which knows EvalPlanQual.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock, Weak};

use access::{Index, NewestLock, Storage, Table, WaitPolicy, WriteOutcome};
use catalog::virtual_columns::{self, over_stored_row};
use common::{CTID, PgResult, RowId};
use expr::{ExprProgram, ExprState, RowInputs, Runtime};
use nodes::expr::Expr;
use nodes::plan::{IndexScan, ModifyTable, PlanRowMark, PlannedStmt, ResultRelation};
use nodes::query::{CommandType, TargetEntry};
use nodes::{Plan, PlanNode};
use parking_lot::Mutex;
use smallvec::SmallVec;
use txn::RowLockMode;
use types::Datum;

use crate::compile::{Compiler, ScanMap, by_key};
use crate::constants::RowRuntime;
use crate::context::ExecContext;
use crate::modify::{OpenTarget, RowLayout, RowParts, TargetDef, Written};
use crate::ops::index::IndexMethod;
use crate::ops::lock_rows;
use crate::prepared::PointOutcome;

/// A statement for the short path.
pub(crate) enum PointPlan {
    Select(PointSelect),
    Insert(PointInsert),
    Change(PointChange),
}

/// A row by unique key.
struct KeyLookup {
    method: IndexMethod,
    table: Arc<catalog::RelationDesc>,
    keys: Vec<Arc<ExprProgram>>,
    /// Conditions beside the key, over the row.
    filters: Vec<Arc<ExprProgram>>,
    opened: OnceLock<(Weak<Storage>, Table, Index)>,
}

pub(crate) struct PointSelect {
    lookup: KeyLookup,
    output: Output,
    /// FOR UPDATE and relatives.
    lock: Option<(RowLockMode, WaitPolicy)>,
}

enum Output {
    /// These columns as they are.
    Columns(Vec<u16>),
    /// Computed over the row, of which these columns are read.
    Exprs {
        reads: Vec<u16>,
        exprs: Vec<Arc<ExprProgram>>,
    },
}

pub(crate) struct PointInsert {
    values: Vec<Arc<ExprProgram>>,
    columns: Vec<usize>,
    target: Pool,
    returning: Option<Returning>,
}

pub(crate) struct PointChange {
    lookup: KeyLookup,
    /// UPDATE: column and new value; `None`: DELETE.
    assigned: Option<Vec<(usize, Arc<ExprProgram>)>>,
    target: Pool,
    returning: Option<Returning>,
}

/// RETURNING.
struct Returning {
    layout: RowLayout,
    exprs: Vec<Arc<ExprProgram>>,
}

/// An opened target waiting for its next use.
struct Pool {
    def: Arc<TargetDef>,
    idle: Mutex<Option<Box<Opened>>>,
}

struct Opened {
    storage: Weak<Storage>,
    target: OpenTarget,
    /// Scratch space for a row.
    values: Vec<Datum>,
}

fn is_same(a: &Weak<Storage>, b: &Arc<Storage>) -> bool {
    std::ptr::eq(a.as_ptr(), Arc::as_ptr(b))
}

impl Pool {
    fn take(&self, cx: &ExecContext<'_>) -> PgResult<Box<Opened>> {
        let storage = cx.relations.storage();
        let idle = self.idle.try_lock().and_then(|mut idle| idle.take());
        match idle.filter(|opened| is_same(&opened.storage, storage)) {
            Some(opened) => Ok(opened),
            None => Ok(Box::new(Opened {
                storage: Arc::downgrade(storage),
                target: OpenTarget::open(cx, &self.def)?,
                values: Vec::new(),
            })),
        }
    }

    fn give(&self, mut opened: Box<Opened>) {
        opened.values.clear();
        if let Some(mut idle) = self.idle.try_lock() {
            *idle = Some(opened);
        }
    }
}

impl PointPlan {
    /// The short path of a statement, if it has one.
    pub fn compile(c: &Compiler<'_>, stmt: &PlannedStmt) -> Option<PointPlan> {
        if !stmt.subplans.is_empty() {
            return None;
        }
        match &stmt.plan.node {
            PlanNode::ModifyTable(m) => modify(c, &stmt.plan, m),
            PlanNode::LockRows { input, row_marks, .. } => locking(c, input, row_marks),
            _ => select(c, &stmt.plan, None),
        }
    }

    /// Runs it; `None`: nothing was done, run the plan.
    pub fn run(&self, cx: &ExecContext<'_>, out: &mut Vec<Datum>) -> PgResult<Option<PointOutcome>> {
        match self {
            PointPlan::Select(s) => s.run(cx, out),
            PointPlan::Insert(i) => i.run(cx, out).map(Some),
            PointPlan::Change(u) => u.run(cx, out),
        }
    }
}

/// The scan below a point statement as an index scan, and the conditions beside it.
fn key_scan<'p>(c: &Compiler<'_>, plan: &'p Plan) -> Option<(Cow<'p, IndexScan>, Vec<&'p Expr>)> {
    match &plan.node {
        PlanNode::IndexScan(s) | PlanNode::IndexOnlyScan(s) => {
            Some((Cow::Borrowed(s), plan.qual.iter().collect()))
        }
        PlanNode::SeqScan { rt_index, relation } => {
            let (scan, rest) = by_key::scan_by_key(c, &plan.qual, *rt_index, *relation)?;
            Some((Cow::Owned(scan), rest))
        }
        _ => None,
    }
}

fn lookup(c: &Compiler<'_>, plan: &Plan) -> Option<KeyLookup> {
    let (s, quals) = key_scan(c, plan)?;
    let table = c.relation(s.relation).ok()?;
    if !s.order_by.is_empty() || !matches!(table.relkind, b'r' | b'm') {
        return None;
    }
    let method = IndexMethod::compile(c, &s, &table).ok()?;
    let keys = method.unique_key()?;
    let filters = quals
        .into_iter()
        .map(|q| c.program(&over_stored_row(q, &table), ScanMap::Positions).ok())
        .collect::<Option<_>>()?;
    Some(KeyLookup {
        keys,
        method,
        table,
        filters,
        opened: OnceLock::new(),
    })
}

/// A row that is read and locked. LockRows hands its input's columns on as they are.
fn locking(c: &Compiler<'_>, input: &Plan, marks: &[PlanRowMark]) -> Option<PointPlan> {
    let [mark] = marks else { return None };
    let lock = (
        lock_rows::lock_mode(mark.strength?),
        lock_rows::wait_policy(mark.wait),
    );
    let of_one_table = mark.table_oid_column == 0 && key_scan(c, input)?.0.relation == mark.relation;
    select(c, input, of_one_table.then_some(lock)).filter(|_| of_one_table)
}

fn select(c: &Compiler<'_>, plan: &Plan, lock: Option<(RowLockMode, WaitPolicy)>) -> Option<PointPlan> {
    let lookup = lookup(c, plan)?;
    let visible: Vec<&TargetEntry> = plan.target_list.iter().filter(|t| !t.resjunk).collect();
    let column = |t: &&TargetEntry| match &t.expr {
        Expr::Var(v) if v.attno > 0 => Some(v.attno as u16 - 1),
        _ => None,
    };
    let columns: Option<Vec<u16>> = visible.iter().map(column).collect();
    let output = match columns {
        Some(columns) if lookup.filters.is_empty() => Output::Columns(columns),
        _ => {
            let program = |t: &&TargetEntry| {
                c.program(&over_stored_row(&t.expr, &lookup.table), ScanMap::Positions)
                    .ok()
            };
            let exprs = visible.iter().map(program).collect::<Option<_>>()?;
            let conditions = key_scan(c, plan)?.1;
            let reads = columns_of(visible.iter().map(|t| &t.expr).chain(conditions), &lookup.table);
            Output::Exprs { reads, exprs }
        }
    };
    Some(PointPlan::Select(PointSelect { lookup, output, lock }))
}

/// The columns (0-based) that expressions over a stored row name.
fn columns_of<'e>(exprs: impl Iterator<Item = &'e Expr>, table: &catalog::RelationDesc) -> Vec<u16> {
    let mut named = vec![false; table.columns.len()];
    for expr in exprs {
        nodes::walk::walk(&over_stored_row(expr, table), &mut |e| {
            match e {
                Expr::Var(v) if v.attno == 0 => named.fill(true),
                Expr::Var(v) if v.attno > 0 => named[v.attno as usize - 1] = true,
                _ => {}
            }
            true
        });
    }
    (0..).zip(named).filter(|(_, n)| *n).map(|(k, _)| k).collect()
}

fn modify(c: &Compiler<'_>, plan: &Plan, m: &ModifyTable) -> Option<PointPlan> {
    let [relation] = &m.relations[..] else { return None };
    if !relation.with_check_options.is_empty()
        || m.on_conflict.is_some()
        || relation.relation != m.root_relation
    {
        return None;
    }
    let target = c.relation(relation.relation).ok()?;
    if target.relkind != b'r' || target.is_partition {
        return None;
    }
    let returning = match relation.returning.is_empty() {
        true => None,
        false => Some(Returning::compile(c, plan, &target, &relation.returning)?),
    };
    match (&m.operation, &m.input.node) {
        (
            CommandType::Insert,
            PlanNode::Result {
                input: None,
                one_time,
            },
        ) if one_time.is_empty() => insert(c, m, relation, returning),
        (CommandType::Update | CommandType::Delete, PlanNode::IndexScan(_) | PlanNode::SeqScan { .. }) => {
            change(c, m, relation, returning)
        }
        _ => None,
    }
}

fn pool(c: &Compiler<'_>, relation: &ResultRelation) -> Option<Pool> {
    Some(Pool {
        def: Arc::new(TargetDef::compile(c, relation.relation).ok()?),
        idle: Mutex::new(None),
    })
}

fn position(attno: i16) -> usize {
    attno as usize - 1
}

fn insert(
    c: &Compiler<'_>,
    m: &ModifyTable,
    relation: &ResultRelation,
    returning: Option<Returning>,
) -> Option<PointPlan> {
    let targets = m.input.target_list.iter().filter(|t| !t.resjunk);
    let values = targets.map(|t| c.program(&t.expr, ScanMap::None).ok());
    let values: Vec<_> = values.collect::<Option<_>>()?;
    let columns: Vec<usize> = relation.update_columns.iter().map(|a| position(*a)).collect();
    if !m.input.qual.is_empty() || columns.len() != values.len() {
        return None;
    }
    Some(PointPlan::Insert(PointInsert {
        values,
        columns,
        target: pool(c, relation)?,
        returning,
    }))
}

fn change(
    c: &Compiler<'_>,
    m: &ModifyTable,
    relation: &ResultRelation,
    returning: Option<Returning>,
) -> Option<PointPlan> {
    let lookup = lookup(c, &m.input).filter(|l| l.table.oid == relation.relation)?;
    let updates = m.operation == CommandType::Update;
    let only_ctid = |t: &&TargetEntry| !matches!(&t.expr, Expr::Var(v) if v.attno == CTID);
    let targets: Vec<&TargetEntry> = m.input.target_list.iter().filter(only_ctid).collect();
    if targets.len() != relation.update_columns.len() {
        return None;
    }
    let assigned = targets
        .iter()
        .zip(&relation.update_columns)
        .map(|(t, attno)| {
            let e = over_stored_row(&t.expr, &lookup.table);
            Some((position(*attno), c.program(&e, ScanMap::Positions).ok()?))
        })
        .collect::<Option<_>>()?;
    Some(PointPlan::Change(PointChange {
        lookup,
        assigned: updates.then_some(assigned),
        target: pool(c, relation)?,
        returning,
    }))
}

fn eval(program: &ExprProgram, rt: &mut dyn Runtime, scan: &[Datum]) -> PgResult<Datum> {
    if let Some(value) = program.eval_leaf(rt) {
        return value;
    }
    let mut state: ExprState = program.new_state();
    let row = RowInputs {
        scan,
        ..RowInputs::default()
    };
    program.eval_row(rt, &mut state, row)
}

impl KeyLookup {
    fn open(&self, cx: &ExecContext<'_>) -> PgResult<(Table, Index)> {
        Ok((
            cx.relations.table(&self.table)?,
            cx.relations.index(&self.method.desc, &self.table)?,
        ))
    }

    /// Calls `f` with the table and the row id of the key, if there is such a row.
    fn find<T>(
        &self,
        cx: &ExecContext<'_>,
        rt: &mut RowRuntime<'_, '_>,
        f: impl FnOnce(&Table, RowId, &mut RowRuntime<'_, '_>) -> PgResult<T>,
    ) -> PgResult<Option<T>> {
        let mut values: SmallVec<[Datum; 4]> = SmallVec::new();
        for (k, key) in self.keys.iter().enumerate() {
            match self.method.key_value(k, eval(key, rt, &[])?) {
                Some(value) => values.push(value),
                None => return Ok(None),
            }
        }
        let storage = cx.relations.storage();
        let opened = self.opened.get().filter(|(s, ..)| is_same(s, storage));
        let fresh;
        let (table, index) = match opened {
            Some((_, table, index)) => (table, index),
            None => {
                fresh = self.open(cx)?;
                let _ = self
                    .opened
                    .set((Arc::downgrade(storage), fresh.0.clone(), fresh.1.clone()));
                (&fresh.0, &fresh.1)
            }
        };
        let mut prefix = Vec::with_capacity(32);
        index.encode_prefix(&values, &mut prefix);
        match index.lookup(cx.snapshot, &prefix)? {
            Some(row) => f(table, row, rt).map(Some),
            None => Ok(None),
        }
    }

    /// Reads the whole row into `values`; false when a condition fails.
    fn whole(
        &self,
        cx: &ExecContext<'_>,
        table: &Table,
        row: RowId,
        rt: &mut RowRuntime<'_, '_>,
        values: &mut Vec<Datum>,
    ) -> PgResult<bool> {
        Ok(table.fetch(row, cx.snapshot, values)? && self.passes(rt, values)?)
    }

    /// Some columns of the row, in their places; false when a condition fails.
    fn some(
        &self,
        cx: &ExecContext<'_>,
        (table, row): (&Table, RowId),
        rt: &mut RowRuntime<'_, '_>,
        reads: &[u16],
        values: &mut Vec<Datum>,
    ) -> PgResult<bool> {
        let mut read = Vec::with_capacity(reads.len());
        if !table.fetch_columns(row, cx.snapshot, reads, &mut read)? {
            return Ok(false);
        }
        values.resize(self.table.columns.len(), Datum::Null);
        for (column, value) in reads.iter().zip(read) {
            values[*column as usize] = value;
        }
        self.passes(rt, values)
    }

    fn passes(&self, rt: &mut RowRuntime<'_, '_>, values: &[Datum]) -> PgResult<bool> {
        for filter in &self.filters {
            if eval(filter, rt, values)?.as_bool() != Some(true) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Returning {
    fn compile(
        c: &Compiler<'_>,
        plan: &Plan,
        table: &Arc<catalog::RelationDesc>,
        list: &[TargetEntry],
    ) -> Option<Returning> {
        let junk = |t: &TargetEntry| t.resjunk;
        if plan.target_list.len() != list.len()
            || plan.target_list.iter().any(junk)
            || virtual_columns::has_any(table)
            || c.volatile_calls(list.iter().map(|t| &t.expr)).ok()? > 0
        {
            return None;
        }
        let layout = RowLayout::new(table);
        let program = |t: &TargetEntry| c.program(&t.expr, ScanMap::Modified(&layout)).ok();
        let exprs = list.iter().map(program).collect::<Option<_>>()?;
        (!layout.has_system()).then_some(Returning { layout, exprs })
    }

    fn eval(
        &self,
        rt: &mut RowRuntime<'_, '_>,
        old: Option<RowParts<'_>>,
        new: Option<RowParts<'_>>,
        out: &mut Vec<Datum>,
    ) -> PgResult<()> {
        let mut scan = Vec::new();
        self.layout.fill(old, new, &mut scan);
        for program in &self.exprs {
            out.push(eval(program, rt, &scan)?);
        }
        Ok(())
    }
}

impl PointSelect {
    /// `None` when the row has a newer version than the snapshot's, or is locked by somebody else.
    fn run(&self, cx: &ExecContext<'_>, out: &mut Vec<Datum>) -> PgResult<Option<PointOutcome>> {
        let mut rt = RowRuntime(cx);
        let before = out.len();
        let found = self.lookup.find(cx, &mut rt, |table, row, rt| {
            if !self.read(cx, table, row, rt, out)? {
                return Ok(Some(false));
            }
            let Some((mode, policy)) = self.lock else {
                return Ok(Some(true));
            };
            let locked = cx.with_txn(|txn| table.lock_newest(txn, cx.snapshot, row, mode, policy))?;
            Ok(matches!(locked, NewestLock::Unchanged).then_some(true))
        })?;
        let Some(found) = found.unwrap_or(Some(false)) else {
            out.truncate(before);
            return Ok(None);
        };
        Ok(Some(PointOutcome {
            rows: usize::from(found),
            processed: u64::from(found),
        }))
    }

    fn read(
        &self,
        cx: &ExecContext<'_>,
        table: &Table,
        row: RowId,
        rt: &mut RowRuntime<'_, '_>,
        out: &mut Vec<Datum>,
    ) -> PgResult<bool> {
        match &self.output {
            Output::Columns(columns) => table.fetch_columns(row, cx.snapshot, columns, out),
            Output::Exprs { reads, exprs } => {
                let mut values = Vec::with_capacity(self.lookup.table.columns.len());
                if !self.lookup.some(cx, (table, row), rt, reads, &mut values)? {
                    return Ok(false);
                }
                for e in exprs {
                    out.push(eval(e, rt, &values)?);
                }
                Ok(true)
            }
        }
    }
}

impl PointInsert {
    fn run(&self, cx: &ExecContext<'_>, out: &mut Vec<Datum>) -> PgResult<PointOutcome> {
        let mut rt = RowRuntime(cx);
        let mut opened = self.target.take(cx)?;
        let Opened { target, values, .. } = &mut *opened;
        values.resize_with(target.def.desc.columns.len(), || Datum::Null);
        for (program, &column) in self.values.iter().zip(&self.columns) {
            values[column] = eval(program, &mut rt, &[])?;
        }
        target.generate(&mut rt, values)?;
        target.check(cx, &mut rt, values)?;
        let row = target.insert(cx, &mut rt, values)?;
        if let Some(returning) = &self.returning {
            let new = parts(target, row, values);
            returning.eval(&mut rt, None, Some(new), out)?;
        }
        self.target.give(opened);
        crate::modify::after::fire(cx)?;
        Ok(PointOutcome {
            rows: usize::from(self.returning.is_some()),
            processed: 1,
        })
    }
}

/// A row of a target as RETURNING sees it.
fn parts<'a>(target: &OpenTarget, row: RowId, values: &'a [Datum]) -> RowParts<'a> {
    RowParts {
        table: target.def.desc.oid,
        row,
        values,
        system: None,
    }
}

impl PointChange {
    fn run(&self, cx: &ExecContext<'_>, out: &mut Vec<Datum>) -> PgResult<Option<PointOutcome>> {
        let mut rt = RowRuntime(cx);
        let changed = self.lookup.find(cx, &mut rt, |table, row, rt| {
            let mut old = Vec::with_capacity(self.lookup.table.columns.len());
            if !self.lookup.whole(cx, table, row, rt, &mut old)? {
                return Ok(Some(0));
            }
            self.change(cx, rt, row, &old, out)
        })?;
        let rows = |processed| match &self.returning {
            Some(_) => processed as usize,
            None => 0,
        };
        Ok(changed.unwrap_or(Some(0)).map(|processed| PointOutcome {
            rows: rows(processed),
            processed,
        }))
    }

    /// Rows changed; `None` when another transaction stands in the way.
    fn change(
        &self,
        cx: &ExecContext<'_>,
        rt: &mut RowRuntime<'_, '_>,
        row: RowId,
        old: &[Datum],
        out: &mut Vec<Datum>,
    ) -> PgResult<Option<u64>> {
        let mut opened = self.target.take(cx)?;
        let Opened {
            target, values: new, ..
        } = &mut *opened;
        let written = match &self.assigned {
            Some(assigned) => {
                new.extend_from_slice(old);
                for (column, program) in assigned {
                    new[*column] = eval(program, rt, old)?;
                }
                target.generate(rt, new)?;
                target.check(cx, rt, new)?;
                target.update(cx, rt, cx.snapshot, row, (old, new))?
            }
            None => target.delete(cx, rt, cx.snapshot, row, old)?,
        };
        let changed = match written {
            Written::Done(to) => {
                if let Some(returning) = &self.returning {
                    let old = parts(target, row, old);
                    let new = self.assigned.is_some().then(|| parts(target, to, new));
                    returning.eval(rt, Some(old), new, out)?;
                }
                Some(1)
            }
            Written::Not(
                WriteOutcome::SelfModified { .. } | WriteOutcome::Conflict(_) | WriteOutcome::Done(_),
            ) => None,
        };
        self.target.give(opened);
        crate::modify::after::fire(cx)?;
        Ok(changed)
    }
}
