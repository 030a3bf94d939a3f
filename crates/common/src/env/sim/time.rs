//! Virtual time, and the background tasks that run as it passes.
//!
//! # Invariants
//! - The lock of the timeline is never held while a task runs: tasks wait, wake each other and start new ones.
//! - A task that runs is out of the table, so that it cannot run inside itself; nested waits run the others.

use std::io;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::env::{Notify, TaskHandle, TaskStatus};

/// Most task runs within one wait without a timeout. Tasks that only ever go back to sleep would keep it going for ever.
const RUNS_PER_WAIT_MAX: usize = 10_000;

/// How long (in real time) a wait without a timeout lets other threads give the notification before it gives up.
const OTHER_THREADS_GRACE: Duration = Duration::from_millis(1);

type Body = Box<dyn FnMut() -> TaskStatus + Send>;

struct Task {
    id: u64,
    due: Duration,
    /// None while it runs.
    body: Option<Body>,
}

#[derive(Default)]
struct Schedule {
    now: Duration,
    next_id: u64,
    tasks: Vec<Task>,
}

/// The clock and the tasks.
#[derive(Default)]
pub(super) struct Timeline {
    schedule: Mutex<Schedule>,
}

impl Timeline {
    pub fn now(&self) -> Duration {
        self.schedule.lock().now
    }

    pub fn spawn(self: &Arc<Self>, body: Body) -> io::Result<Arc<dyn TaskHandle>> {
        let mut schedule = self.schedule.lock();
        schedule.next_id += 1;
        let (id, due) = (schedule.next_id, schedule.now);
        schedule.tasks.push(Task {
            id,
            due,
            body: Some(body),
        });
        Ok(Arc::new(SimTask {
            id,
            timeline: Arc::downgrade(self),
        }))
    }

    /// Moves the clock on, running what falls due on the way.
    pub fn advance(&self, duration: Duration) {
        let target = self.now().saturating_add(duration);
        while self.run_next_due(target) {}
        self.reach(target);
    }

    /// See [`crate::env::sim::SimEnv`] for what waiting means here.
    pub fn wait(&self, notify: &Notify, timeout: Option<Duration>) -> bool {
        let target = self.now().saturating_add(timeout.unwrap_or(Duration::MAX));
        for _ in 0..RUNS_PER_WAIT_MAX {
            if notify.take() {
                return true;
            }
            if !self.run_next_due(target) {
                break;
            }
        }
        if timeout.is_some() {
            self.reach(target);
        } else {
            return notify.block(Instant::now().checked_add(OTHER_THREADS_GRACE));
        }
        notify.take()
    }

    fn reach(&self, target: Duration) {
        let mut schedule = self.schedule.lock();
        schedule.now = schedule.now.max(target);
    }

    /// Runs the task that is due first, if any is due by `target`.
    fn run_next_due(&self, target: Duration) -> bool {
        let (id, mut body) = {
            let mut schedule = self.schedule.lock();
            let ready = schedule
                .tasks
                .iter_mut()
                .filter(|task| task.body.is_some() && task.due <= target);
            let Some(task) = ready.min_by_key(|task| (task.due, task.id)) else {
                return false;
            };
            let (id, due) = (task.id, task.due);
            // Due again only when woken while it runs, or by what it answers.
            task.due = Duration::MAX;
            let Some(body) = task.body.take() else {
                return false;
            };
            schedule.now = schedule.now.max(due);
            (id, body)
        };
        let status = body();
        let mut schedule = self.schedule.lock();
        let now = schedule.now;
        let Some(index) = schedule.tasks.iter().position(|task| task.id == id) else {
            // Stopped while it ran. Its body may own anything, so it goes after the lock.
            drop(schedule);
            return true;
        };
        match (status, schedule.tasks.get_mut(index)) {
            (TaskStatus::SleepFor(pause), Some(task)) => {
                task.due = task.due.min(now.saturating_add(pause));
                task.body = Some(body);
            }
            (TaskStatus::Done, _) | (_, None) => {
                schedule.tasks.remove(index);
                drop(schedule);
            }
        }
        true
    }
}

/// A task seen from outside. It does not keep the simulated world alive.
struct SimTask {
    id: u64,
    timeline: Weak<Timeline>,
}

impl TaskHandle for SimTask {
    fn wake(&self) {
        let Some(timeline) = self.timeline.upgrade() else {
            return;
        };
        let mut schedule = timeline.schedule.lock();
        let now = schedule.now;
        if let Some(task) = schedule.tasks.iter_mut().find(|task| task.id == self.id) {
            task.due = task.due.min(now);
        }
    }

    fn stop(&self) {
        let Some(timeline) = self.timeline.upgrade() else {
            return;
        };
        let mut schedule = timeline.schedule.lock();
        let Some(index) = schedule.tasks.iter().position(|task| task.id == self.id) else {
            return;
        };
        let task = schedule.tasks.remove(index);
        // The body may own anything, even other task handles, so it goes after the lock.
        drop(schedule);
        drop(task);
    }
}
