//! What the participants of a Gather share: morsels of scans, hash tables, the rows on their way to the leader.
//!
//! # How it works
//! 1. The leader makes a [`Team`] and starts workers ([`crate::context::WorkerHost`]). Every participant, the leader among them, opens
//!    operators of its own for the same plan below the Gather, and runs them under the same snapshot.
//! 2. Scans that are parallel-aware take ranges of row ids (*morsels*) from one [`share::ScanShare`]; parallel-aware hash joins build one table
//!    together ([`share::BuildShare`]); nested loops that scan their inner table do so together ([`gathering`]); everything else each
//!    participant does for itself.
//! 3. Workers put batches into their queue of the team, which is bounded; the leader takes from all, and works itself while there is
//!    nothing to take.
//! 4. The first error of a participant stops the team. Cancel requests reach the workers by themselves: they hold the session's token.
//!
//! # Invariants
//! - Nobody waits for a participant that has not begun: a team works with any number of workers, none included.
//! - Who waits holds nothing that others wait for: only a worker with rows to hand over waits for room, and it is not building then.
//! - When the leader's Gather is done or dropped, no worker runs any more.

pub(crate) mod gathering;
pub(crate) mod partial;
pub(crate) mod safety;
pub(crate) mod share;
pub(crate) mod worker;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{PgError, PgResult, internal};
use parking_lot::{Condvar, Mutex};
use types::Batch;

use crate::instrument::NodeStats;
use share::Shares;

/// Batches that wait in one worker's queue before it has to wait.
const QUEUE_BATCHES: usize = 8;

/// The participants of one execution of a Gather.
pub(crate) struct Team {
    stopped: AtomicBool,
    exchange: Mutex<Exchange>,
    /// For the leader: rows, an end, an error.
    arrived: Condvar,
    /// For workers: room in a queue, or the team is stopped.
    drained: Condvar,
    pub shares: Shares,
}

#[derive(Default)]
struct Exchange {
    queues: Vec<Queue>,
    error: Option<Box<PgError>>,
    stats: Vec<Vec<NodeStats>>,
}

#[derive(Default)]
struct Queue {
    batches: VecDeque<Batch>,
    /// Its worker has ended.
    ended: bool,
}

/// What the leader finds in the queues.
pub(crate) enum Found {
    Rows(Batch),
    /// Not now.
    Nothing,
    /// Nothing more will come.
    End,
}

const STOPPED: &str = "parallel execution was stopped";

/// The error of those who cannot go on because of what happened to another participant; never shown, as the reason is.
pub(crate) fn stopped() -> Box<PgError> {
    internal!("{STOPPED}")
}

fn is_stopped(error: &PgError) -> bool {
    error.message == STOPPED
}

impl Team {
    pub fn new() -> Arc<Team> {
        Arc::new(Team {
            stopped: AtomicBool::new(false),
            exchange: Mutex::default(),
            arrived: Condvar::new(),
            drained: Condvar::new(),
            shares: Shares::default(),
        })
    }

    /// True when what participants do is of no use any more.
    #[inline]
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// An error for those who find the team stopped.
    pub fn check(&self) -> PgResult<()> {
        if self.is_stopped() {
            return Err(stopped());
        }
        Ok(())
    }

    /// Nobody needs to go on.
    pub fn stop(&self) {
        let exchange = self.exchange.lock();
        self.stopped.store(true, Ordering::Relaxed);
        drop(exchange);
        self.arrived.notify_all();
        self.drained.notify_all();
        self.shares.wake();
    }

    /// A worker's queue; its number.
    pub fn add_worker(&self) -> usize {
        let mut exchange = self.exchange.lock();
        exchange.queues.push(Queue::default());
        exchange.queues.len() - 1
    }

    /// A worker that could not be started after all.
    pub fn remove_last_worker(&self) {
        self.exchange.lock().queues.pop();
    }

    /// Hands rows to the leader; waits while the queue is full.
    pub fn send(&self, worker: usize, batch: Batch) -> PgResult<()> {
        let mut exchange = self.exchange.lock();
        loop {
            self.check()?;
            let queue = exchange
                .queues
                .get_mut(worker)
                .ok_or_else(|| internal!("worker without a queue"))?;
            if queue.batches.len() < QUEUE_BATCHES {
                queue.batches.push_back(batch);
                self.arrived.notify_all();
                return Ok(());
            }
            self.drained.wait(&mut exchange);
        }
    }

    /// A worker has ended, with its measurements or an error.
    pub fn end_worker(&self, worker: usize, result: PgResult<Vec<NodeStats>>) {
        let mut exchange = self.exchange.lock();
        match result {
            Ok(stats) => exchange.stats.push(stats),
            // The reason comes from whoever it happened to.
            Err(error) if !self.is_stopped() && !is_stopped(&error) => {
                exchange.error.get_or_insert(error);
                self.stopped.store(true, Ordering::Relaxed);
                self.drained.notify_all();
                self.shares.wake();
            }
            Err(_) => {}
        }
        if let Some(queue) = exchange.queues.get_mut(worker) {
            queue.ended = true;
        }
        self.arrived.notify_all();
    }

    /// Rows of any worker.
    pub fn take(&self) -> PgResult<Found> {
        let mut exchange = self.exchange.lock();
        if let Some(error) = exchange.error.take() {
            return Err(error);
        }
        let mut all_ended = true;
        for queue in &mut exchange.queues {
            if let Some(batch) = queue.batches.pop_front() {
                self.drained.notify_all();
                return Ok(Found::Rows(batch));
            }
            all_ended &= queue.ended;
        }
        Ok(if all_ended { Found::End } else { Found::Nothing })
    }

    /// The same of one worker.
    pub fn take_of(&self, worker: usize) -> PgResult<Found> {
        let mut exchange = self.exchange.lock();
        if let Some(error) = exchange.error.take() {
            return Err(error);
        }
        let Some(queue) = exchange.queues.get_mut(worker) else {
            return Ok(Found::End);
        };
        let found = match queue.batches.pop_front() {
            Some(batch) => Found::Rows(batch),
            None if queue.ended => Found::End,
            None => Found::Nothing,
        };
        self.drained.notify_all();
        Ok(found)
    }

    /// Waits until something new may be found: in the queue of one worker, or in any.
    pub fn wait(&self, worker: Option<usize>) {
        let mut exchange = self.exchange.lock();
        loop {
            let news = |queue: &Queue| !queue.batches.is_empty() || queue.ended;
            let found = match worker {
                Some(worker) => exchange.queues.get(worker).is_none_or(news),
                None => {
                    exchange.queues.iter().any(|q| !q.batches.is_empty())
                        || exchange.queues.iter().all(|q| q.ended)
                }
            };
            if found || exchange.error.is_some() || self.is_stopped() {
                return;
            }
            self.arrived.wait(&mut exchange);
        }
    }

    /// What the leader has to say of an error of its own part: that of a worker, when that is the reason.
    pub fn reason(&self, error: Box<PgError>) -> Box<PgError> {
        let mut exchange = self.exchange.lock();
        // The worker that broke what the leader relied on is about to end.
        while is_stopped(&error) && exchange.error.is_none() && !self.is_stopped() {
            if exchange.queues.iter().all(|q| q.ended) {
                break;
            }
            self.arrived.wait(&mut exchange);
        }
        exchange.error.take().unwrap_or(error)
    }

    /// Stops the workers and waits until none runs.
    pub fn disband(&self) {
        self.stop();
        let mut exchange = self.exchange.lock();
        exchange.queues.iter_mut().for_each(|q| q.batches.clear());
        while !exchange.queues.iter().all(|q| q.ended) {
            self.arrived.wait(&mut exchange);
        }
    }

    /// What the workers measured, once.
    pub fn take_stats(&self) -> Vec<Vec<NodeStats>> {
        std::mem::take(&mut self.exchange.lock().stats)
    }
}
