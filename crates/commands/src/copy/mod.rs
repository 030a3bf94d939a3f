//! COPY: options, text and CSV formats, streams in both directions.

use common::{PgResult, unsupported};
use parser::ast::CopyStmt;

use crate::context::CommandContext;

/// Where the data of a COPY is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyTarget {
    /// The client sends it: use [`CopyIn`].
    Stdin,
    /// The client receives it: use [`CopyOut`].
    Stdout,
    /// A file of the server: [`execute`](crate::execute) does all.
    File,
}

/// Where the data of this COPY is.
pub fn copy_target(stmt: &CopyStmt) -> CopyTarget {
    match (&stmt.filename, stmt.is_from) {
        (Some(_), _) => CopyTarget::File,
        (None, true) => CopyTarget::Stdin,
        (None, false) => CopyTarget::Stdout,
    }
}

/// COPY FROM STDIN in progress.
pub struct CopyIn {
    columns: usize,
    binary: bool,
}

impl CopyIn {
    /// Checks options, table, columns and privileges.
    pub fn begin(stmt: &CopyStmt, _cx: &mut CommandContext<'_>) -> PgResult<CopyIn> {
        let _ = stmt;
        Err(unsupported!("COPY FROM is not supported yet"))
    }

    /// Columns of the data, for CopyInResponse.
    pub fn column_count(&self) -> usize {
        self.columns
    }

    /// FORMAT binary.
    pub fn is_binary(&self) -> bool {
        self.binary
    }

    /// Takes more of the data; any cut is fine. False: the end-of-data marker was read, the rest may be thrown away.
    pub fn feed(&mut self, _cx: &mut CommandContext<'_>, _data: &[u8]) -> PgResult<bool> {
        Ok(true)
    }

    /// The data has ended: how many rows were copied.
    pub fn finish(self, _cx: &mut CommandContext<'_>) -> PgResult<u64> {
        Ok(0)
    }
}

/// COPY TO STDOUT in progress.
pub struct CopyOut {
    columns: usize,
    binary: bool,
    rows: u64,
}

impl CopyOut {
    /// Checks options, table, columns and privileges; plans the query.
    pub fn begin(stmt: &CopyStmt, _cx: &mut CommandContext<'_>) -> PgResult<CopyOut> {
        let _ = stmt;
        Err(unsupported!("COPY TO is not supported yet"))
    }

    /// Columns of the data, for CopyOutResponse.
    pub fn column_count(&self) -> usize {
        self.columns
    }

    /// FORMAT binary.
    pub fn is_binary(&self) -> bool {
        self.binary
    }

    /// Appends whole lines to `out`, about 64 kB at most each time; false at the end.
    pub fn next_chunk(&mut self, _cx: &mut CommandContext<'_>, _out: &mut Vec<u8>) -> PgResult<bool> {
        Ok(false)
    }

    /// Rows handed out so far: for the tag `COPY n`.
    pub fn rows(&self) -> u64 {
        self.rows
    }
}
