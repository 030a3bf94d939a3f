//! One execution of a prepared plan.

use std::sync::Arc;

use common::PgResult;
use nodes::query::CommandType;
use types::{BATCH_ROWS, Batch};

use crate::context::ExecContext;
use crate::cx::{Cx, RunState};
use crate::instrument::NodeStats;
use crate::node::{Opening, Operator};
use crate::prepared::PreparedPlan;

/// How to run.
#[derive(Clone, Copy, Debug, Default)]
pub struct RunOptions {
    /// Measure every node (EXPLAIN ANALYZE).
    pub instrument: bool,
}

/// A running (or suspended, or finished) execution: what a portal holds. `Send`, and independent of any borrow.
pub struct QueryRun {
    state: RunState,
    root: Box<dyn Operator>,
    finished: bool,
    returned: u64,
}

impl QueryRun {
    /// Makes the operators; nothing runs yet.
    pub fn start(prepared: Arc<PreparedPlan>, options: RunOptions) -> QueryRun {
        let opening = Opening {
            instrument: options.instrument,
            ..Opening::default()
        };
        let root = opening.open(prepared.root());
        QueryRun {
            state: RunState::new(prepared, opening),
            root,
            finished: false,
            returned: 0,
        }
    }

    /// The next 1 to `max_rows` rows without junk columns; `None` when the statement is complete. A data-modifying
    /// statement without RETURNING does all its work in the first call and returns `None`.
    pub fn next_batch(&mut self, cx: &ExecContext<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        if self.finished {
            return Ok(None);
        }
        let mut inner = Cx {
            ext: cx,
            run: &mut self.state,
        };
        inner.check()?;
        let next = self.root.next(&mut inner, max_rows.clamp(1, BATCH_ROWS))?;
        let Some(batch) = next else {
            self.finished = true;
            inner.finish_ctes()?;
            crate::modify::after::fire(cx)?;
            return Ok(None);
        };
        self.returned += batch.len() as u64;
        Ok(Some(self.without_junk(batch)))
    }

    fn without_junk(&self, batch: Batch) -> Batch {
        let visible = self.state.prepared.visible();
        if visible.len() == batch.columns.len() {
            return batch;
        }
        Batch {
            columns: visible.iter().map(|&i| Arc::clone(&batch.columns[i])).collect(),
            ..batch
        }
    }

    /// Runs to the end, dropping result rows; the number for the command tag.
    pub fn run_to_end(&mut self, cx: &ExecContext<'_>) -> PgResult<u64> {
        while self.next_batch(cx, BATCH_ROWS)?.is_some() {}
        Ok(self.processed())
    }

    /// The number for the command tag: rows returned by a SELECT, else rows inserted, updated or deleted so far.
    pub fn processed(&self) -> u64 {
        match self.state.prepared.plan().command {
            CommandType::Select => self.returned,
            _ => self.state.processed,
        }
    }

    /// True when the last row has been handed out.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// The plan.
    pub fn prepared(&self) -> &Arc<PreparedPlan> {
        &self.state.prepared
    }

    /// Measurements by `Plan::id`; empty unless asked for.
    pub fn stats(&self) -> &[NodeStats] {
        &self.state.stats
    }
}
