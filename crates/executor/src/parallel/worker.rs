//! What a worker runs, and how the leader starts it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use common::{PgResult, internal};
use types::BATCH_ROWS;

use crate::context::ExecContext;
use crate::cx::{Cx, RunSeed, RunState};
use crate::instrument::NodeStats;
use crate::node::{Node, Opening, Operator};
use crate::parallel::Team;

/// What a team's workers run.
pub(crate) struct Assignment {
    pub team: Arc<Team>,
    pub node: Node,
    pub opening: Opening,
    /// No more rows than these are wanted of a worker.
    pub bound: Option<usize>,
    /// All rows will be asked for.
    pub drained: bool,
    pub seed: RunSeed,
}

impl Assignment {
    /// Starts up to `wanted` workers; how many there are.
    pub fn start(self: &Arc<Self>, ext: &ExecContext<'_>, wanted: usize) -> usize {
        let Some(host) = ext.workers else { return 0 };
        for started in 0..wanted {
            let assignment = Arc::clone(self);
            let worker = self.team.add_worker();
            let job = move |ext: &ExecContext<'_>| assignment.work(ext, worker);
            if !host.start(ext, Box::new(job)) {
                self.team.remove_last_worker();
                return started;
            }
        }
        wanted
    }

    /// Opens the part of the plan that participants run.
    pub fn open(&self) -> Box<dyn Operator> {
        let mut operator = self.opening.open(&self.node);
        operator.set_bound(self.bound);
        if self.drained {
            operator.will_drain();
        }
        operator
    }

    /// The whole life of a worker. A panic in it is an error of the statement.
    fn work(&self, ext: &ExecContext<'_>, worker: usize) {
        let run = AssertUnwindSafe(|| self.run(ext, worker));
        let result = catch_unwind(run).unwrap_or_else(|panic| {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("unknown panic");
            Err(internal!("internal error: {text}"))
        });
        self.team.end_worker(worker, result);
    }

    fn run(&self, ext: &ExecContext<'_>, worker: usize) -> PgResult<Vec<NodeStats>> {
        let mut run = RunState::of_worker(&self.seed, self.opening.clone());
        let mut operator = self.open();
        let mut cx = Cx { ext, run: &mut run };
        loop {
            cx.check()?;
            let Some(batch) = operator.next(&mut cx, BATCH_ROWS)? else {
                break;
            };
            self.team.send(worker, batch)?;
        }
        Ok(std::mem::take(&mut run.stats))
    }
}
