//! Deadlines of statements and transactions: one background task cancels those that pass.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use common::cancel::{CancelReason, CancelToken};
use common::env::{Env, TaskHandle, TaskStatus};
use parking_lot::Mutex;
use txn::Proc;

/// How often the task looks when nothing is due (it is woken for nearer deadlines).
const IDLE: Duration = Duration::from_secs(3600);

struct Deadline {
    cancel: CancelToken,
    proc: Arc<Proc>,
    reason: CancelReason,
}

#[derive(Default)]
struct State {
    /// By time and a number that keeps equal times apart.
    due: BTreeMap<(Duration, u64), Deadline>,
    next: u64,
    task: Option<Arc<dyn TaskHandle>>,
    stopped: bool,
}

/// The deadlines of a database's sessions.
pub(crate) struct Timeouts {
    env: Arc<dyn Env>,
    state: Arc<Mutex<State>>,
}

/// A deadline; dropping it lifts it.
pub(crate) struct Guard {
    state: Arc<Mutex<State>>,
    key: (Duration, u64),
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.state.lock().due.remove(&self.key);
    }
}

impl Timeouts {
    pub fn new(env: Arc<dyn Env>) -> Timeouts {
        Timeouts {
            env,
            state: Arc::default(),
        }
    }

    /// Cancels through the token after `after`, unless the guard is dropped before.
    pub fn start(
        &self,
        after: Duration,
        cancel: &CancelToken,
        proc: &Arc<Proc>,
        reason: CancelReason,
    ) -> Guard {
        let mut state = self.state.lock();
        let key = (self.env.monotonic() + after, state.next);
        state.next += 1;
        let nearest = state.due.keys().next().is_none_or(|k| key < *k);
        state.due.insert(
            key,
            Deadline {
                cancel: cancel.clone(),
                proc: Arc::clone(proc),
                reason,
            },
        );
        let task = state.task.clone();
        drop(state);
        match task {
            Some(task) if nearest => task.wake(),
            Some(_) => {}
            None => self.spawn(),
        }
        Guard {
            state: Arc::clone(&self.state),
            key,
        }
    }

    fn spawn(&self) {
        let (env, state) = (Arc::clone(&self.env), Arc::clone(&self.state));
        let run = move || {
            let mut state = state.lock();
            if state.stopped {
                return TaskStatus::Done;
            }
            let now = env.monotonic();
            while let Some(entry) = state.due.first_entry() {
                if entry.key().0 > now {
                    let pause = entry.key().0 - now;
                    return TaskStatus::SleepFor(pause);
                }
                let deadline = entry.remove();
                deadline.cancel.cancel(deadline.reason);
                deadline.proc.interrupt();
            }
            TaskStatus::SleepFor(IDLE)
        };
        // Without the task statements run without a deadline; a machine out of threads has other troubles.
        if let Ok(task) = self.env.spawn_task("pglite timeouts", Box::new(run)) {
            let mut state = self.state.lock();
            let previous = state.task.replace(task);
            drop(state);
            if let Some(previous) = previous {
                previous.wake();
            }
        }
    }

    /// Ends the task.
    pub fn stop(&self) {
        let task = {
            let mut state = self.state.lock();
            state.stopped = true;
            state.task.take()
        };
        if let Some(task) = task {
            task.stop();
        }
    }
}
