//! Batches by number: in memory up to `work_mem`, then in a file.

use common::{PgResult, cancel};
use types::Batch;

use crate::cx::Cx;
use crate::instrument::StorageSummary;
use crate::spill::batches::BatchFile;
use crate::store::MemoryUse;

/// Batches kept for reading again, in order or by number.
#[derive(Default)]
pub(crate) struct TupleStore {
    /// The first ones.
    memory: Vec<Batch>,
    /// Those after them.
    file: Option<BatchFile>,
    bytes: usize,
    reserved: MemoryUse,
}

/// Bytes, and batches, that it may take milliseconds to free. Arrays and the like are not counted in bytes.
const LARGE: usize = 1 << 20;
const MANY: usize = 1 << 6;

impl Drop for TupleStore {
    fn drop(&mut self) {
        if self.bytes > LARGE || self.memory.len() > MANY {
            cancel::discard_if_cancelled(std::mem::take(&mut self.memory));
        }
    }
}

impl TupleStore {
    /// Adds a batch.
    pub fn push(&mut self, cx: &Cx<'_>, batch: Batch) -> PgResult<()> {
        if let Some(file) = &mut self.file {
            return file.write(&batch.columns, &batch.selection);
        }
        let batch = batch.compact();
        let bytes = self.bytes + batch.columns.iter().map(|c| c.memory_bytes()).sum::<usize>();
        if bytes > cx.ext.work_mem_bytes && cx.ext.temp.may_spill() && batch.rows > 0 {
            let mut file = BatchFile::create(cx)?;
            file.write(&batch.columns, &batch.selection)?;
            self.file = Some(file);
            return Ok(());
        }
        self.bytes = bytes;
        self.reserved.cover(cx, bytes)?;
        self.memory.push(batch);
        Ok(())
    }

    /// Number of batches.
    pub fn len(&self) -> usize {
        self.memory.len() + self.file.as_ref().map_or(0, BatchFile::len)
    }

    /// A batch by number.
    pub fn get(&self, number: usize) -> PgResult<Option<Batch>> {
        match (self.memory.get(number), &self.file) {
            (Some(batch), _) => Ok(Some(batch.clone())),
            (None, Some(file)) => file.read(number - self.memory.len()),
            (None, None) => Ok(None),
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.memory.clear();
        self.file = None;
        self.bytes = 0;
        self.reserved.release();
    }

    /// What EXPLAIN ANALYZE says of it.
    pub fn summary(&self) -> StorageSummary {
        StorageSummary {
            on_disk: self.file.is_some(),
            bytes: self.file.as_ref().map_or(self.bytes as u64, BatchFile::bytes),
        }
    }
}
