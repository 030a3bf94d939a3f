//! Batches in a temporary file.

use access::TempFile;
use std::sync::Arc;

use common::PgResult;
use types::{Batch, Selection, Vector};

use crate::cx::Cx;
use crate::spill::codec;

/// Where a batch lies.
#[derive(Clone, Copy)]
struct Part {
    at: u64,
    len: u32,
    rows: u16,
    columns: u16,
}

/// Batches written one after another, readable by number.
pub(crate) struct BatchFile {
    file: TempFile,
    parts: Vec<Part>,
    scratch: Vec<u8>,
}

impl BatchFile {
    /// A new file.
    pub fn create(cx: &Cx<'_>) -> PgResult<BatchFile> {
        Ok(BatchFile {
            file: TempFile::create(cx.ext.temp)?,
            parts: Vec::new(),
            scratch: Vec::new(),
        })
    }

    /// Adds the selected rows of columns.
    pub fn write(&mut self, columns: &[Arc<Vector>], sel: &Selection) -> PgResult<()> {
        if sel.is_empty() {
            return Ok(());
        }
        self.scratch.clear();
        codec::encode(columns, sel, &mut self.scratch)?;
        let at = self.file.append(&self.scratch)?;
        self.parts.push(Part {
            at,
            len: self.scratch.len() as u32,
            rows: sel.len() as u16,
            columns: columns.len() as u16,
        });
        Ok(())
    }

    /// Gives up what writing needs.
    pub fn finish(&mut self) {
        self.scratch = Vec::new();
    }

    /// Number of batches.
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Size of the file.
    pub fn bytes(&self) -> u64 {
        self.file.size()
    }

    /// A batch by number.
    pub fn read(&self, number: usize) -> PgResult<Option<Batch>> {
        let Some(part) = self.parts.get(number) else {
            return Ok(None);
        };
        let bytes = self.file.read(part.at, part.len as usize)?;
        let rows = usize::from(part.rows);
        let columns = codec::decode(&bytes, usize::from(part.columns), rows)?;
        Ok(Some(Batch::new(columns, rows)))
    }
}
