//! LockRows: SELECT ... FOR UPDATE and relatives.

use std::sync::Arc;

use access::{LockOutcome, NewestLock, Table, WaitPolicy};
use common::{PgResult, RowId, pg_err};
use nodes::Plan;
use nodes::plan::PlanRowMark;
use nodes::query::{LockStrength, LockWait};
use txn::RowLockMode;
use types::{Batch, Datum, PhysType};

use crate::compile::Compiler;
use crate::cx::Cx;
use crate::node::{Epq, Node, NodeKind, Opening, Operator};
use crate::ops::epq::{self, Other, Place};
use crate::store::RowStore;

struct LockRowsNode {
    input: Node,
    marks: Vec<Mark>,
    /// Relations that are not locked.
    others: Vec<Other>,
    phys: Vec<PhysType>,
}

struct Mark {
    place: Place,
    mode: RowLockMode,
    wait: LockWait,
}

pub(crate) fn lock_mode(strength: LockStrength) -> RowLockMode {
    match strength {
        LockStrength::ForKeyShare => RowLockMode::KeyShare,
        LockStrength::ForShare => RowLockMode::Share,
        LockStrength::ForNoKeyUpdate => RowLockMode::NoKeyUpdate,
        LockStrength::ForUpdate => RowLockMode::Update,
    }
}

pub(crate) fn wait_policy(wait: LockWait) -> WaitPolicy {
    match wait {
        LockWait::Block => WaitPolicy::Block,
        LockWait::SkipLocked | LockWait::NoWait => WaitPolicy::DoNotWait,
    }
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
        compiled.push(Mark {
            place: Place::compile(c, m)?,
            mode: lock_mode(strength),
            wait: m.wait,
        });
    }
    Ok(Arc::new(LockRowsNode {
        input: c.node(input)?,
        marks: compiled,
        others: epq::others(c, marks)?,
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
    /// Nothing to lock, or nothing changed since the snapshot: the row is that of the input.
    Same,
    Skip,
    /// A newer version stands for the relation with this entry.
    Newer(Table, usize, RowId, Vec<Datum>),
}

impl LockRowsOp {
    /// Locks what a row consists of; the row to hand on, if any.
    fn lock(&self, cx: &mut Cx<'_>, row: Vec<Datum>) -> PgResult<Option<Vec<Datum>>> {
        let node = Arc::clone(&self.node);
        let mut newer = Vec::new();
        let mut same = Vec::new();
        for mark in &node.marks {
            match self.lock_one(cx, mark, &row)? {
                Locked::Same => same.push(&mark.place),
                Locked::Skip => return Ok(None),
                Locked::Newer(table, entry, row, values) => {
                    newer.push((&mark.place, table, entry, row, values));
                }
            }
        }
        if newer.is_empty() {
            return Ok(Some(row));
        }
        let mut epq = Epq::default();
        for (place, table, entry, at, values) in &newer {
            epq.add_newest(cx, table, (*entry, *at), values)?;
            epq.add_empty(place, *entry);
        }
        for place in same {
            epq.add_named(cx, place, &row)?;
        }
        for other in &node.others {
            epq.add_other(cx, other, &row)?;
        }
        let mut again = Opening::with_epq(epq).open(&node.input);
        Ok(again.next(cx, 1)?.map(|batch| batch.row(0)))
    }

    fn lock_one(&self, cx: &mut Cx<'_>, mark: &Mark, row: &[Datum]) -> PgResult<Locked> {
        // The nullable side of an outer join may have no row.
        let Some((entry, desc, id)) = mark.place.find(cx, row)? else {
            return Ok(Locked::Same);
        };
        let table = cx.ext.relations.table(&desc)?;
        let policy = wait_policy(mark.wait);
        let under = cx.ext.snapshot.clone();
        let locked = cx
            .ext
            .with_txn(|txn| table.lock_newest(txn, &under, id, mark.mode, policy))?;
        let (id, snapshot) = match locked {
            NewestLock::Unchanged => return Ok(Locked::Same),
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
        Ok(Locked::Newer(table, entry, id, values))
    }
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
