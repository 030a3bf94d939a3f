//! Limit: LIMIT, OFFSET, FETCH ... WITH TIES.

use std::sync::Arc;

use common::{PgResult, pg_err};
use expr::ExprProgram;
use nodes::plan::GroupKey;
use nodes::{Expr, Plan};
use types::{BATCH_ROWS, Batch, Vector};

use crate::compile::{Compiler, ScanMap};
use crate::cx::Cx;
use crate::keys::EqualKeys;
use crate::node::{Eval, Node, NodeKind, Opening, Operator, slice};

struct LimitNode {
    input: Node,
    offset: Option<Arc<ExprProgram>>,
    count: Option<Arc<ExprProgram>>,
    ties: Option<EqualKeys>,
}

pub(crate) fn compile(
    c: &Compiler<'_>,
    _plan: &Plan,
    input: &Plan,
    [offset, count]: [Option<&Expr>; 2],
    ties: Option<&[GroupKey]>,
) -> PgResult<Arc<dyn NodeKind>> {
    let bound = |e: Option<&Expr>| e.map(|e| c.program(e, ScanMap::None)).transpose();
    Ok(Arc::new(LimitNode {
        input: c.node(input)?,
        offset: bound(offset)?,
        count: bound(count)?,
        ties: ties.map(|keys| EqualKeys::compile(c, input, keys)).transpose()?,
    }))
}

impl NodeKind for LimitNode {
    fn open(self: Arc<Self>, opening: &Opening) -> Box<dyn Operator> {
        Box::new(LimitOp {
            input: opening.open(&self.input),
            node: self,
            state: State::Start,
            last: None,
        })
    }
}

#[derive(Clone, Copy)]
enum State {
    Start,
    /// Rows still to skip and to give; `None`: no end.
    Running {
        skip: u64,
        left: Option<u64>,
    },
    Ties,
    Done,
}

struct LimitOp {
    node: Arc<LimitNode>,
    input: Box<dyn Operator>,
    state: State,
    /// The last row given, to compare ties with.
    last: Option<(Batch, usize)>,
}

impl LimitOp {
    fn bounds(&self, cx: &mut Cx<'_>) -> PgResult<State> {
        let value = |e: &Option<Arc<ExprProgram>>, cx: &mut Cx<'_>| match e {
            Some(e) => Ok(Eval::new(e).value(cx)?.as_i64()),
            None => PgResult::Ok(None),
        };
        let offset = value(&self.node.offset, cx)?.unwrap_or(0);
        if offset < 0 {
            return Err(pg_err!(
                INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE,
                "OFFSET must not be negative"
            ));
        }
        let count = value(&self.node.count, cx)?;
        if count.is_some_and(|n| n < 0) {
            return Err(pg_err!(
                INVALID_ROW_COUNT_IN_LIMIT_CLAUSE,
                "LIMIT must not be negative"
            ));
        }
        Ok(State::Running {
            skip: offset as u64,
            left: count.map(|n| n as u64),
        })
    }

    fn running(
        &mut self,
        cx: &mut Cx<'_>,
        max_rows: usize,
        mut skip: u64,
        left: Option<u64>,
    ) -> PgResult<Option<Batch>> {
        if left == Some(0) {
            self.state = State::Done;
            return Ok(None);
        }
        if skip > 0 {
            skip -= self.input.skip(cx, skip)?;
        }
        let room = left.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
        loop {
            let demand = if skip > 0 {
                usize::try_from(skip).unwrap_or(BATCH_ROWS).min(BATCH_ROWS)
            } else {
                max_rows.min(room)
            };
            let Some(batch) = self.input.next(cx, demand)? else {
                self.state = State::Done;
                return Ok(None);
            };
            cx.check()?;
            if skip > 0 {
                skip -= batch.len() as u64;
                continue;
            }
            let left = left.map(|n| n - batch.len() as u64);
            self.state = State::Running { skip: 0, left };
            if left == Some(0) {
                self.state = State::Done;
                if self.node.ties.is_some() {
                    self.state = State::Ties;
                    let position = batch.selection.position(batch.len() - 1);
                    self.last = Some((batch.clone(), position));
                }
            }
            return Ok(Some(batch));
        }
    }

    /// Rows equal to the last one.
    fn ties(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        let (Some((last, position)), Some(keys)) = (&self.last, &self.node.ties) else {
            return Ok(None);
        };
        let Some(batch) = self.input.next(cx, max_rows)? else {
            self.state = State::Done;
            return Ok(None);
        };
        let columns = |b: &Batch| -> Vec<Arc<Vector>> { b.columns.clone() };
        let (a, b) = (columns(last), columns(&batch));
        let mut count = 0;
        for i in batch.selection.iter() {
            if !keys.equal(cx, &a, *position, &b, i)? {
                break;
            }
            count += 1;
        }
        if count < batch.len() {
            self.state = State::Done;
        }
        Ok((count > 0).then(|| slice(&batch, 0, count)))
    }
}

impl Operator for LimitOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        if let State::Start = self.state {
            self.state = self.bounds(cx)?;
            if let (State::Running { skip, left }, None) = (self.state, &self.node.ties) {
                let rows = left.and_then(|n| usize::try_from(n.saturating_add(skip)).ok());
                self.input.set_bound(rows);
            }
        }
        match self.state {
            State::Running { skip, left } => self.running(cx, max_rows, skip, left),
            State::Ties => self.ties(cx, max_rows),
            State::Start | State::Done => Ok(None),
        }
    }

    fn rescan(&mut self, cx: &mut Cx<'_>) -> PgResult<()> {
        self.state = State::Start;
        self.last = None;
        self.input.rescan(cx)
    }
}
