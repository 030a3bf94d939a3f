//! Rows divided by the bits of their hash, so that each part fits memory.

use std::sync::Arc;

use common::PgResult;
use types::{BATCH_ROWS, Batch, PhysType, Selection, Vector};

use crate::cx::Cx;
use crate::spill::batches::BatchFile;
use crate::store::RowStore;

/// Parts of one division.
pub(crate) const FANOUT: usize = 16;
const FANOUT_BITS: u32 = FANOUT.trailing_zeros();
/// How often a part is divided again. Rows that are still together then have equal hashes, most likely equal keys.
pub(crate) const LEVEL_MAX: u32 = 5;

/// The part of a hash at a level. Hash tables use the low bits, so these are the high ones.
#[inline]
pub(crate) fn part_of(hash: u64, level: u32) -> usize {
    (hash >> (64 - FANOUT_BITS * (level + 1))) as usize & (FANOUT - 1)
}

/// Files of one division, each with the rows that are not written yet.
pub(crate) struct Partitions {
    level: u32,
    parts: Vec<Part>,
}

struct Part {
    waiting: RowStore,
    file: Option<BatchFile>,
}

impl Partitions {
    /// Empty parts for rows of these classes.
    pub fn new(phys: &[PhysType], level: u32) -> Partitions {
        let part = || Part {
            waiting: RowStore::new(phys),
            file: None,
        };
        Partitions {
            level,
            parts: std::iter::repeat_with(part).take(FANOUT).collect(),
        }
    }

    /// Adds the selected rows, whose hashes are given in order.
    pub fn add(
        &mut self,
        cx: &Cx<'_>,
        columns: &[Arc<Vector>],
        sel: &Selection,
        hashes: &[u64],
    ) -> PgResult<()> {
        for (i, hash) in sel.iter().zip(hashes) {
            self.add_row(cx, columns, i, *hash)?;
        }
        Ok(())
    }

    /// Adds rows that are in memory already, however many.
    pub fn add_all(
        &mut self,
        cx: &Cx<'_>,
        columns: &[Arc<Vector>],
        rows: usize,
        hashes: &[u64],
    ) -> PgResult<()> {
        for from in (0..rows).step_by(BATCH_ROWS) {
            cx.check()?;
            let to = (from + BATCH_ROWS).min(rows);
            for (i, hash) in (from..to).zip(&hashes[from..to]) {
                self.add_row(cx, columns, i, *hash)?;
            }
        }
        Ok(())
    }

    /// Adds a row.
    pub fn add_row(&mut self, cx: &Cx<'_>, columns: &[Arc<Vector>], i: usize, hash: u64) -> PgResult<()> {
        let part = &mut self.parts[part_of(hash, self.level)];
        part.waiting.push_row(columns, i);
        if part.waiting.rows >= BATCH_ROWS {
            part.write(cx)?;
        }
        Ok(())
    }

    /// The files, by part; `None` for parts without rows.
    pub fn finish(mut self, cx: &Cx<'_>) -> PgResult<Vec<Option<BatchFile>>> {
        self.parts.iter_mut().try_for_each(|p| p.write(cx))?;
        Ok(self
            .parts
            .into_iter()
            .map(|p| {
                p.file.map(|mut f| {
                    f.finish();
                    f
                })
            })
            .collect())
    }
}

impl Part {
    fn write(&mut self, cx: &Cx<'_>) -> PgResult<()> {
        if self.waiting.rows == 0 {
            return Ok(());
        }
        let (columns, rows) = self.waiting.drain_columns();
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(BatchFile::create(cx)?),
        };
        file.write(&columns, &Selection::All(rows))
    }
}

/// Reads files from their beginnings, one after the other; without files there are no rows.
#[derive(Default)]
pub(crate) struct Reader {
    files: Vec<BatchFile>,
    /// How many files are done, and how many batches of the one after them.
    done: usize,
    next: usize,
}

impl Reader {
    pub fn new(file: BatchFile) -> Reader {
        Reader::of(vec![file])
    }

    pub fn of(files: Vec<BatchFile>) -> Reader {
        Reader {
            files,
            done: 0,
            next: 0,
        }
    }

    pub fn next(&mut self) -> PgResult<Option<Batch>> {
        while let Some(file) = self.files.get(self.done) {
            if let Some(batch) = file.read(self.next)? {
                self.next += 1;
                return Ok(Some(batch));
            }
            self.done += 1;
            self.next = 0;
        }
        Ok(None)
    }
}
