//! The way of COPY FROM for many rows at once, where nothing needs them one by one.

use std::sync::Arc;

use common::PgResult;
use common::env::Env;
use executor::{ColumnsAction, ExecContext, InsertTarget};
use types::PhysType;
use types::io::IoContext;

use crate::copy::ahead::ReadAhead;
use crate::copy::batch::{FastReader, Lines, Rows};

/// Rows of a whole chunk.
const CHUNK_ROWS: usize = types::BATCH_ROWS;
/// Bytes of lines that make a batch, however few they are.
const BATCH_BYTES: usize = 1 << 20;
/// Batches that the session reads itself before it asks for a second thread.
const ALONE_BATCHES: usize = 4;
/// Memory of batches that is kept for the next ones.
const SPARE_MAX: usize = 8;

/// Batches of lines on their way into a table.
pub(crate) struct Bulk {
    reader: Arc<FastReader>,
    classes: Vec<PhysType>,
    /// The batch that lines are added to.
    current: Rows,
    /// How many rows make it full.
    wanted: usize,
    ahead: Option<ReadAhead>,
    /// Batches that were read by the session.
    alone: usize,
    spare: Vec<Lines>,
    /// Rows of the last batch that was stored, and what each column needed for strings: the next ones are alike.
    rows: usize,
    string_bytes: Vec<usize>,
}

impl Bulk {
    /// For a table with columns of these classes.
    pub fn new(reader: FastReader, classes: Vec<PhysType>) -> Bulk {
        Bulk {
            reader: Arc::new(reader),
            current: Rows::new(&classes, Lines::default()),
            classes,
            wanted: 0,
            ahead: None,
            alone: 0,
            spare: Vec::new(),
            rows: 0,
            string_bytes: Vec::new(),
        }
    }

    /// The batch in hand.
    pub fn current(&mut self) -> &mut Rows {
        &mut self.current
    }

    pub fn reader(&self) -> &FastReader {
        &self.reader
    }

    /// Before a line is added: a new batch ends where a chunk of the table does, after the batches on their way.
    pub fn ask(&mut self, target: &mut InsertTarget, exec: &ExecContext<'_>) -> PgResult<()> {
        if self.current.lines.len() == 0 {
            let pending = self.ahead.as_ref().map_or(0, ReadAhead::pending) % CHUNK_ROWS;
            let room = (target.batch_rows(exec)? + CHUNK_ROWS - pending) % CHUNK_ROWS;
            self.wanted = if room == 0 { CHUNK_ROWS } else { room };
        }
        Ok(())
    }

    pub fn is_full(&self) -> bool {
        self.current.lines.len() >= self.wanted || self.current.lines.bytes() >= BATCH_BYTES
    }

    /// The batch in hand, and an empty one in its place.
    pub fn take_current(&mut self) -> Rows {
        let lines = self.spare.pop().unwrap_or_default();
        let mut next = Rows::new(&self.classes, lines);
        next.reserve(self.rows, &self.string_bytes);
        std::mem::replace(&mut self.current, next)
    }

    /// The batch in hand is complete: it goes to the other thread, or comes back to be read and stored at once.
    pub fn send(&mut self, io: &IoContext<'_>, env: &dyn Env) -> PgResult<Option<Rows>> {
        let batch = self.take_current();
        if self.ahead.is_none() && self.alone < ALONE_BATCHES {
            self.alone += 1;
            if self.alone == ALONE_BATCHES {
                self.ahead = ReadAhead::start(&self.reader, io.settings, env);
            }
            return Ok(Some(batch));
        }
        let Some(ahead) = &mut self.ahead else {
            return Ok(Some(batch));
        };
        let reader = &self.reader;
        ahead.put(batch, |rows| reader.read(rows, io))?;
        Ok(None)
    }

    /// The oldest batch on its way, when it is ready; with `wait`, whenever that may be.
    pub fn receive(&mut self, wait: bool) -> PgResult<Option<Rows>> {
        match &mut self.ahead {
            Some(ahead) => ahead.take(wait),
            None => Ok(None),
        }
    }

    /// Inserts (or only checks) the rows of a batch; how many. An error comes with line number and text of its row.
    pub fn store(
        &mut self,
        mut batch: Rows,
        target: &mut InsertTarget,
        exec: &ExecContext<'_>,
        what: ColumnsAction,
    ) -> Result<u64, (Box<common::PgError>, u64, Vec<u8>)> {
        self.rows = batch.lines.len();
        self.string_bytes.clear();
        self.string_bytes
            .extend(batch.string_bytes().map(|bytes| bytes.min(BATCH_BYTES)));
        let stored = batch.store(target, exec, what)?;
        if self.spare.len() < SPARE_MAX {
            self.spare.push(batch.lines.cleared());
        }
        Ok(stored)
    }
}
