//! A second thread that brings rows of a load into the store while the session makes the next ones.
//!
//! # How it works
//! The session gives a chunk its row ids, its place in the load and the gate; packing the rows, writing them and putting what is cached of them
//! into the chunk may come later, as nobody sees them before the next command. So a few chunks are on their way at a time, in order, and
//! what may look at them, or ends them, waits until all have arrived ([`crate::Transaction::await_rows`]).
//!
//! # Invariants
//! - No rows are on their way while a later command of the transaction runs, while it rolls back, or when its loads are sealed.
//! - Whatever cannot have a thread (the simulator) writes at once.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use common::env::{Env, WORKERS_MAX};
use common::{PgResult, RowId, internal};
use kv::WriteBatch;

use crate::ahead::Load;
use crate::block::{CHUNK_ROWS, MainBlock};
use crate::pack::PACK_ROWS;
use crate::table::Table;

/// Chunks that the session writes itself before it asks for a thread.
const ALONE_CHUNKS: usize = 1;
/// Chunks on their way at a time, and their bytes when there is more than one.
const PENDING_MAX: usize = 4;
const PENDING_BYTES: usize = 8 << 20;

/// Rows of a chunk of their own, for the store.
pub(super) struct ChunkRows {
    pub(super) table: Table,
    pub(super) load: Arc<Load>,
    pub(super) first: RowId,
    pub(super) rows: usize,
    pub(super) block: MainBlock,
}

impl ChunkRows {
    /// Writes them, and what else the batch has.
    pub(super) fn write(self, mut batch: WriteBatch) -> PgResult<()> {
        let (store, mut scratch) = (&self.table.store, Vec::new());
        for from in (0..self.rows).step_by(PACK_ROWS as usize) {
            let to = self.rows.min(from + PACK_ROWS as usize);
            let start = RowId(self.first.0 + from as u64);
            self.table
                .put_rows(&mut batch, start, &self.block, from..to, &mut scratch)?;
        }
        let shared = &store.shared;
        shared.loads.write(shared, [&*self.load], batch)?;
        let block = self.block.at_rest();
        let bytes = block.memory_bytes();
        let block = Arc::new(block.with_charge(shared.cache.charge(bytes)));
        store.replace_block(self.first.0 / CHUNK_ROWS, block)
    }
}

/// Brings chunks of one command into the store.
#[derive(Default)]
pub(crate) struct RowsWriter {
    /// Those of this command that were written by the session.
    alone: usize,
    thread: Option<WriterThread>,
}

/// The thread ends when this is gone, and not later.
struct WriterThread {
    chunks: Option<Sender<ChunkRows>>,
    written: Receiver<PgResult<()>>,
    /// Bytes of each chunk that is on its way.
    pending: VecDeque<usize>,
}

impl RowsWriter {
    /// Takes a chunk. An error may be that of an earlier one.
    pub(super) fn put(&mut self, chunk: ChunkRows, env: &dyn Env) -> PgResult<()> {
        if self.thread.is_none() && self.alone < ALONE_CHUNKS {
            self.alone += 1;
            if self.alone == ALONE_CHUNKS {
                self.thread = WriterThread::start(env);
            }
            return chunk.write(WriteBatch::new());
        }
        match &mut self.thread {
            Some(thread) => thread.put(chunk),
            None => chunk.write(WriteBatch::new()),
        }
    }

    /// Waits until all chunks are in the store, and lets the thread go.
    pub(super) fn finish(&mut self) -> PgResult<()> {
        self.alone = 0;
        self.thread.take().map_or(Ok(()), |mut thread| thread.finish())
    }
}

impl WriterThread {
    fn start(env: &dyn Env) -> Option<WriterThread> {
        let (chunks, given) = channel::<ChunkRows>();
        let (done, written) = channel();
        let work = move || {
            for chunk in given {
                let outcome = chunk.write(WriteBatch::new());
                let failed = outcome.is_err();
                if done.send(outcome).is_err() || failed {
                    return;
                }
            }
        };
        env.spawn_worker(WORKERS_MAX, Box::new(work))
            .then(|| WriterThread {
                chunks: Some(chunks),
                written,
                pending: VecDeque::new(),
            })
    }

    fn put(&mut self, chunk: ChunkRows) -> PgResult<()> {
        let bytes = chunk.block.memory_bytes();
        let room = PENDING_BYTES.saturating_sub(bytes);
        while self.pending.len() >= PENDING_MAX || self.pending.iter().sum::<usize>() > room {
            self.wait()?;
        }
        let sent = self
            .chunks
            .as_ref()
            .is_some_and(|chunks| chunks.send(chunk).is_ok());
        if sent {
            self.pending.push_back(bytes);
            return Ok(());
        }
        // It ended with an error, which is still to come.
        self.finish()?;
        Err(gone())
    }

    /// Until the oldest chunk is in the store.
    fn wait(&mut self) -> PgResult<()> {
        self.pending.pop_front();
        self.written.recv().unwrap_or_else(|_| Err(gone()))
    }

    fn finish(&mut self) -> PgResult<()> {
        self.chunks = None;
        let mut outcome = Ok(());
        while !self.pending.is_empty() {
            outcome = outcome.and(self.wait());
        }
        outcome
    }
}

impl Drop for WriterThread {
    fn drop(&mut self) {
        // What could not be written belongs to a transaction that rolls back.
        let _ = self.finish();
    }
}

fn gone() -> Box<common::PgError> {
    internal!("the thread that writes rows has ended")
}
