//! LockRows: SELECT ... FOR UPDATE and relatives.

use std::sync::Arc;

use access::{LockOutcome, NewestLock, WaitPolicy};
use catalog::desc::RelationDesc;
use common::{PgResult, RowId, pg_err};
use nodes::Plan;
use nodes::plan::PlanRowMark;
use nodes::query::{LockStrength, LockWait};
use txn::RowLockMode;
use types::{Batch, Datum, PhysType};

use crate::compile::Compiler;
use crate::cx::Cx;
use crate::node::{EpqRow, Node, NodeKind, Opening, Operator};
use crate::ops::system::{self, Which};
use crate::store::RowStore;

struct LockRowsNode {
    input: Node,
    marks: Vec<Mark>,
    phys: Vec<PhysType>,
}

struct Mark {
    rt_index: usize,
    desc: Arc<RelationDesc>,
    mode: RowLockMode,
    wait: LockWait,
    /// Input column with the row id.
    column: usize,
    /// Input column with the row's table, when there are several.
    table_column: Option<usize>,
}

pub(crate) fn compile(
    c: &Compiler<'_>,
    plan: &Plan,
    input: &Plan,
    marks: &[PlanRowMark],
) -> PgResult<Arc<dyn NodeKind>> {
    let mut compiled = Vec::new();
    for m in marks {
        let Some(strength) = m.strength else { continue };
        let mode = match strength {
            LockStrength::ForKeyShare => RowLockMode::KeyShare,
            LockStrength::ForShare => RowLockMode::Share,
            LockStrength::ForNoKeyUpdate => RowLockMode::NoKeyUpdate,
            LockStrength::ForUpdate => RowLockMode::Update,
        };
        compiled.push(Mark {
            rt_index: m.rt_index,
            desc: c.relation(m.relation)?,
            mode,
            wait: m.wait,
            column: m.row_id_column as usize - 1,
            table_column: usize::try_from(m.table_oid_column)
                .ok()
                .and_then(|c| c.checked_sub(1)),
        });
    }
    Ok(Arc::new(LockRowsNode {
        input: c.node(input)?,
        marks: compiled,
        phys: c.output_phys(plan)?,
    }))
}

impl NodeKind for LockRowsNode {
    fn open(self: Arc<Self>, opening: &Opening) -> Box<dyn Operator> {
        Box::new(LockRowsOp {
            input: opening.open(&self.input),
            node: self,
        })
    }
}

struct LockRowsOp {
    node: Arc<LockRowsNode>,
    input: Box<dyn Operator>,
}

/// What became of a row under one mark.
enum Locked {
    Yes,
    Skip,
    /// A newer version stands for the relation; the row was computed again.
    Again(Vec<Datum>),
}

impl LockRowsOp {
    /// Locks what a row consists of; the row to hand on, if any.
    fn lock(&self, cx: &mut Cx<'_>, mut row: Vec<Datum>) -> PgResult<Option<Vec<Datum>>> {
        let node = Arc::clone(&self.node);
        for mark in &node.marks {
            match self.lock_one(cx, mark, &row)? {
                Locked::Yes => {}
                Locked::Skip => return Ok(None),
                Locked::Again(new) => row = new,
            }
        }
        Ok(Some(row))
    }

    fn lock_one(&self, cx: &mut Cx<'_>, mark: &Mark, row: &[Datum]) -> PgResult<Locked> {
        // The nullable side of an outer join may have no row.
        let id = row.get(mark.column).and_then(Datum::as_i64);
        let Some(id) = id.and_then(RowId::from_tid) else {
            return Ok(Locked::Yes);
        };
        let mut desc = Arc::clone(&mark.desc);
        let mut rt_index = mark.rt_index;
        if let Some(oid) = mark.table_column.and_then(|c| row.get(c)).and_then(Datum::as_oid) {
            if let Some(member) = cx.ext.catalog.relation(oid)? {
                desc = member;
            }
            rt_index = entry_of(cx.run.prepared.plan(), oid, rt_index);
        }
        let table = cx.ext.relations.table(&desc)?;
        let policy = match mark.wait {
            LockWait::Block => WaitPolicy::Block,
            LockWait::SkipLocked | LockWait::NoWait => WaitPolicy::DoNotWait,
        };
        let under = cx.ext.snapshot.clone();
        let locked = cx
            .ext
            .with_txn(|txn| table.lock_newest(txn, &under, id, mark.mode, policy))?;
        let (id, snapshot) = match locked {
            NewestLock::Unchanged => return Ok(Locked::Yes),
            NewestLock::Newer(id, snapshot) => (id, snapshot),
            NewestLock::Not(LockOutcome::NotAvailable) if mark.wait == LockWait::NoWait => {
                return Err(pg_err!(
                    LOCK_NOT_AVAILABLE,
                    "could not obtain lock on row in relation \"{}\"",
                    desc.name
                ));
            }
            NewestLock::Not(_) => return Ok(Locked::Skip),
        };
        let mut values = Vec::new();
        if !table.fetch(id, &snapshot, &mut values)? {
            return Ok(Locked::Skip);
        }
        let opening = Opening {
            instrument: false,
            epq: Some(Arc::new(EpqRow {
                rt_index,
                row: id,
                system: system::values(system::of_written(cx.ext, &table, id, Which::Before)?),
                values: values.into(),
            })),
        };
        Ok(match opening.open(&self.node.input).next(cx, 1)? {
            Some(batch) => Locked::Again(batch.row(0)),
            None => Locked::Skip,
        })
    }
}

/// The entry under which a member of the tree of `root` is read.
fn entry_of(plan: &nodes::PlannedStmt, oid: common::Oid, root: usize) -> usize {
    let is_member = |rte: &nodes::query::RangeTblEntry| matches!(rte.kind, nodes::query::RteKind::Relation { relation, inherit: false, .. } if relation == oid);
    let found = plan.range_table.iter().skip(root).position(is_member);
    found.map_or(root, |i| i + root + 1)
}

impl Operator for LockRowsOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        while let Some(batch) = self.input.next(cx, max_rows)? {
            cx.check()?;
            let mut out = RowStore::new(&self.node.phys);
            for k in 0..batch.len() {
                if let Some(row) = self.lock(cx, batch.row(k))? {
                    out.push_datums(&row);
                }
            }
            let (columns, rows) = out.drain_columns();
            if rows > 0 {
                return Ok(Some(Batch::new(columns, rows)));
            }
        }
        Ok(None)
    }

    fn rescan(&mut self, cx: &mut Cx<'_>) -> PgResult<()> {
        self.input.rescan(cx)
    }
}
