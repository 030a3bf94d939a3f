//! A second thread for long COPY FROMs: it makes rows of lines while the session takes in data and stores what was read before.
//!
//! # How it works
//! Batches go to the thread in order and come back in order. Where it has enough to do, the session reads a batch itself. The thread
//! has no session, so names (of enum labels, of regclass...) mean nothing to it: it stops at such a line, and the session goes on there.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use common::env::{Env, WORKERS_MAX};
use common::{PgResult, internal};
use types::io::IoContext;
use types::settings::FormatSettings;

use crate::copy::batch::{FastReader, Rows};

/// Batches that the thread has at once: one in work, the others so that it need not wait.
const GIVEN_MAX: usize = 3;

/// A batch on its way.
enum Batch {
    /// The thread has it.
    Given,
    Ready(Rows),
}

/// The batches between the thread and the session; the thread ends when this is gone.
pub(crate) struct ReadAhead {
    /// `None` once no more will come.
    lines: Option<Sender<Rows>>,
    rows: Receiver<Rows>,
    batches: VecDeque<Batch>,
    given: usize,
    /// Lines of all batches on their way.
    pending: usize,
}

impl ReadAhead {
    /// Starts the thread; `None` when there is none to be had.
    pub fn start(reader: &Arc<FastReader>, settings: &FormatSettings, env: &dyn Env) -> Option<ReadAhead> {
        let (lines, given) = channel::<Rows>();
        let (ready, rows) = channel();
        let (reader, settings) = (Arc::clone(reader), settings.clone());
        let work = move || {
            for mut batch in given {
                reader.read(&mut batch, &IoContext::new(&settings));
                if ready.send(batch).is_err() {
                    return;
                }
            }
        };
        env.spawn_worker(WORKERS_MAX, Box::new(work)).then(|| ReadAhead {
            lines: Some(lines),
            rows,
            batches: VecDeque::new(),
            given: 0,
            pending: 0,
        })
    }

    /// Lines of the batches on their way.
    pub fn pending(&self) -> usize {
        self.pending
    }

    /// Takes a batch: for the thread, or, where that has enough, read at once by `read`.
    pub fn put(&mut self, mut batch: Rows, read: impl FnOnce(&mut Rows)) -> PgResult<()> {
        self.pending += batch.lines.len();
        if self.given >= GIVEN_MAX {
            read(&mut batch);
            self.batches.push_back(Batch::Ready(batch));
            return Ok(());
        }
        let sent = self.lines.as_ref().is_some_and(|lines| lines.send(batch).is_ok());
        if !sent {
            return Err(internal!("the thread that reads COPY data has ended"));
        }
        self.given += 1;
        self.batches.push_back(Batch::Given);
        Ok(())
    }

    /// The oldest batch, if it is ready; with `wait`, whenever that may be. `None`: not yet, or there is none.
    pub fn take(&mut self, wait: bool) -> PgResult<Option<Rows>> {
        let rows = match self.batches.pop_front() {
            None => return Ok(None),
            Some(Batch::Ready(rows)) => rows,
            Some(Batch::Given) => {
                let rows = if wait {
                    self.rows.recv().ok()
                } else {
                    self.rows.try_recv().ok()
                };
                match rows {
                    Some(rows) => {
                        self.given -= 1;
                        rows
                    }
                    None if wait => return Err(internal!("the thread that reads COPY data has ended")),
                    None => {
                        self.batches.push_front(Batch::Given);
                        return Ok(None);
                    }
                }
            }
        };
        self.pending -= rows.lines.len();
        Ok(Some(rows))
    }
}
