//! The short path: statements on one row found by a unique key, and inserts of one row, without operators.
//!
//! # How it works
//! Recognised once per plan. A lookup encodes the key, asks the index for the row id and reads the columns. A conflict with another
//! transaction changes nothing: the statement then runs the long way, which knows EvalPlanQual.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock, Weak};

use access::{Index, Storage, Table, WriteOutcome};
use catalog::virtual_columns::over_stored_row;
use common::{CTID, PgResult, RowId};
use expr::{ExprProgram, ExprState, RowInputs, Runtime};
use nodes::expr::Expr;
use nodes::plan::{IndexScan, ModifyTable, PlannedStmt};
use nodes::query::{CommandType, TargetEntry};
use nodes::{Plan, PlanNode};
use parking_lot::Mutex;
use smallvec::SmallVec;
use types::Datum;

use crate::compile::{Compiler, ScanMap, by_key};
use crate::constants::RowRuntime;
use crate::context::ExecContext;
use crate::modify::{OpenTarget, TargetDef, Written};
use crate::ops::index::IndexMethod;
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
    /// Conditions beside the key, over the whole row.
    filters: Vec<Arc<ExprProgram>>,
    opened: OnceLock<(Weak<Storage>, Table, Index)>,
}

pub(crate) struct PointSelect {
    lookup: KeyLookup,
    output: Output,
}

enum Output {
    /// These columns as they are.
    Columns(Vec<u16>),
    /// Computed over the whole row.
    Exprs(Vec<Arc<ExprProgram>>),
}

pub(crate) struct PointInsert {
    values: Vec<Arc<ExprProgram>>,
    columns: Vec<usize>,
    target: Pool,
}

pub(crate) struct PointChange {
    lookup: KeyLookup,
    /// UPDATE: column and new value; `None`: DELETE.
    assigned: Option<Vec<(usize, Arc<ExprProgram>)>>,
    target: Pool,
}

/// An opened target waiting for its next use.
struct Pool {
    def: Arc<TargetDef>,
    idle: Mutex<Option<(Weak<Storage>, OpenTarget)>>,
}

fn is_same(a: &Weak<Storage>, b: &Arc<Storage>) -> bool {
    std::ptr::eq(a.as_ptr(), Arc::as_ptr(b))
}

impl Pool {
    fn take(&self, cx: &ExecContext<'_>) -> PgResult<OpenTarget> {
        let idle = self.idle.try_lock().and_then(|mut idle| idle.take());
        match idle {
            Some((storage, target)) if is_same(&storage, cx.relations.storage()) => Ok(target),
            _ => OpenTarget::open(cx, &self.def),
        }
    }

    fn give(&self, cx: &ExecContext<'_>, target: OpenTarget) {
        if let Some(mut idle) = self.idle.try_lock() {
            *idle = Some((Arc::downgrade(cx.relations.storage()), target));
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
            PlanNode::ModifyTable(m) => modify(c, m),
            _ => select(c, &stmt.plan),
        }
    }

    /// Runs it; `None`: nothing was done, run the plan.
    pub fn run(&self, cx: &ExecContext<'_>, out: &mut Vec<Datum>) -> PgResult<Option<PointOutcome>> {
        match self {
            PointPlan::Select(s) => s.run(cx, out).map(Some),
            PointPlan::Insert(i) => i.run(cx).map(Some),
            PointPlan::Change(u) => u.run(cx),
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

fn select(c: &Compiler<'_>, plan: &Plan) -> Option<PointPlan> {
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
            Output::Exprs(visible.iter().map(program).collect::<Option<_>>()?)
        }
    };
    Some(PointPlan::Select(PointSelect { lookup, output }))
}

fn modify(c: &Compiler<'_>, m: &ModifyTable) -> Option<PointPlan> {
    let [relation] = &m.relations[..] else { return None };
    let plain = relation.returning.is_empty() && relation.with_check_options.is_empty();
    if !plain || m.on_conflict.is_some() || relation.relation != m.root_relation {
        return None;
    }
    let target = c.relation(relation.relation).ok()?;
    if target.relkind != b'r' || target.is_partition {
        return None;
    }
    let pool = || {
        let def = Arc::new(TargetDef::compile(c, relation.relation).ok()?);
        Some(Pool {
            def,
            idle: Mutex::new(None),
        })
    };
    let position = |attno: i16| attno as usize - 1;
    match (&m.operation, &m.input.node) {
        (
            CommandType::Insert,
            PlanNode::Result {
                input: None,
                one_time,
            },
        ) if one_time.is_empty() => {
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
                target: pool()?,
            }))
        }
        (CommandType::Update | CommandType::Delete, PlanNode::IndexScan(_) | PlanNode::SeqScan { .. }) => {
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
                target: pool()?,
            }))
        }
        _ => None,
    }
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
        if !table.fetch(row, cx.snapshot, values)? {
            return Ok(false);
        }
        for filter in &self.filters {
            if eval(filter, rt, values)?.as_bool() != Some(true) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl PointSelect {
    fn run(&self, cx: &ExecContext<'_>, out: &mut Vec<Datum>) -> PgResult<PointOutcome> {
        let mut rt = RowRuntime(cx);
        let found = self
            .lookup
            .find(cx, &mut rt, |table, row, rt| match &self.output {
                Output::Columns(columns) => table.fetch_columns(row, cx.snapshot, columns, out),
                Output::Exprs(exprs) => {
                    let mut values = Vec::with_capacity(self.lookup.table.columns.len());
                    if !self.lookup.whole(cx, table, row, rt, &mut values)? {
                        return Ok(false);
                    }
                    for e in exprs {
                        out.push(eval(e, rt, &values)?);
                    }
                    Ok(true)
                }
            })?;
        let rows = usize::from(found == Some(true));
        Ok(PointOutcome {
            rows,
            processed: rows as u64,
        })
    }
}

impl PointInsert {
    fn run(&self, cx: &ExecContext<'_>) -> PgResult<PointOutcome> {
        let mut rt = RowRuntime(cx);
        let mut target = self.target.take(cx)?;
        let mut values = vec![Datum::Null; self.target.def.desc.columns.len()];
        for (program, &column) in self.values.iter().zip(&self.columns) {
            values[column] = eval(program, &mut rt, &[])?;
        }
        target.generate(&mut rt, &mut values)?;
        target.check(cx, &mut rt, &values)?;
        target.insert(cx, &mut rt, &values)?;
        self.target.give(cx, target);
        crate::modify::after::fire(cx)?;
        Ok(PointOutcome {
            rows: 0,
            processed: 1,
        })
    }
}

impl PointChange {
    fn run(&self, cx: &ExecContext<'_>) -> PgResult<Option<PointOutcome>> {
        let mut rt = RowRuntime(cx);
        let changed = self.lookup.find(cx, &mut rt, |table, row, rt| {
            let mut old = Vec::with_capacity(self.lookup.table.columns.len());
            if !self.lookup.whole(cx, table, row, rt, &mut old)? {
                return Ok(Some(0));
            }
            self.change(cx, rt, row, &old)
        })?;
        Ok(changed
            .unwrap_or(Some(0))
            .map(|processed| PointOutcome { rows: 0, processed }))
    }

    /// Rows changed; `None` when another transaction stands in the way.
    fn change(
        &self,
        cx: &ExecContext<'_>,
        rt: &mut RowRuntime<'_, '_>,
        row: RowId,
        old: &[Datum],
    ) -> PgResult<Option<u64>> {
        let mut target = self.target.take(cx)?;
        let written = match &self.assigned {
            Some(assigned) => {
                let mut new = old.to_vec();
                for (column, program) in assigned {
                    new[*column] = eval(program, rt, old)?;
                }
                target.generate(rt, &mut new)?;
                target.check(cx, rt, &new)?;
                target.update(cx, rt, cx.snapshot, row, (old, &new))?
            }
            None => target.delete(cx, rt, cx.snapshot, row, old)?,
        };
        let changed = match written {
            Written::Done(_) => Some(1),
            Written::Not(
                WriteOutcome::SelfModified { .. } | WriteOutcome::Conflict(_) | WriteOutcome::Done(_),
            ) => None,
        };
        self.target.give(cx, target);
        crate::modify::after::fire(cx)?;
        Ok(changed)
    }
}
