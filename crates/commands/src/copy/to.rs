//! COPY TO: rows of a table or query to text.
//!
//! PG: src/backend/commands/copyto.c.

use std::sync::Arc;

use access::{ActiveSnapshot, ScanRequest, TableScan};
use catalog::desc::RelationDesc;
use catalog::privileges::Privilege;
use common::cancel::CancelToken;
use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err, pieces};
use executor::QueryRun;
use nodes::query::CommandType;
use parser::ast::{CopyStmt, Statement};
use txn::LockMode;
use types::encoding::{self, Encoding};
use types::{BATCH_ROWS, Batch};

use crate::context::CommandContext;
use crate::copy::binary;
use crate::copy::options::{self, Columns, CopyOptions, Format, Header};
use crate::copy::{check_privilege, select_columns};
use crate::query::Planned;

/// Bytes after which a chunk is handed out.
const CHUNK_BYTES: usize = 64 << 10;

enum Rows {
    Table(TableScan),
    Query(Box<QueryRun>, Planned),
}

/// COPY TO in progress.
pub struct CopyOut {
    options: CopyOptions,
    names: Vec<Arc<str>>,
    types: Vec<Oid>,
    force_quote: Vec<bool>,
    rows: Rows,
    snapshot: ActiveSnapshot,
    header_pending: bool,
    trailer_pending: bool,
    copied: u64,
    /// Where the rows of the last chunk end in its buffer.
    row_ends: Vec<usize>,
    scratch: String,
    /// Of texts that are not binary.
    encoding: Encoding,
}

impl CopyOut {
    /// Checks options, table, columns and privileges; plans the query.
    pub fn begin(stmt: &CopyStmt, cx: &mut CommandContext<'_>) -> PgResult<CopyOut> {
        let options = options::read(&stmt.options, false)?;
        match (&stmt.relation, &stmt.query) {
            (Some(_), _) => from_table(stmt, options, cx),
            (None, Some(query)) => from_query(query, options, cx),
            (None, None) => Err(common::internal!("COPY without table and query")),
        }
    }

    /// Columns of the data, for CopyOutResponse.
    pub fn column_count(&self) -> usize {
        self.types.len()
    }

    /// FORMAT binary.
    pub fn is_binary(&self) -> bool {
        self.options.format == Format::Binary
    }

    /// Rows handed out so far: for the tag `COPY n`.
    pub fn rows(&self) -> u64 {
        self.copied
    }

    /// Where each row (and the header) of the last chunk ends in the buffer that it was appended to.
    pub fn row_ends(&self) -> &[usize] {
        &self.row_ends
    }

    /// Appends whole lines to `out`, about 64 kB at most each time; false at the end.
    pub fn next_chunk(&mut self, cx: &mut CommandContext<'_>, out: &mut Vec<u8>) -> PgResult<bool> {
        self.row_ends.clear();
        let before = out.len();
        if std::mem::take(&mut self.header_pending) {
            if self.is_binary() {
                // In one message with what follows.
                binary::put_header(out);
            } else {
                let start = out.len();
                self.header(out)?;
                self.recode(start, out)?;
                self.row_ends.push(out.len());
            }
        }
        while out.len() - before < CHUNK_BYTES {
            cx.cancel.check()?;
            let next = match &mut self.rows {
                Rows::Table(scan) => scan.next_batch(BATCH_ROWS)?,
                Rows::Query(run, planned) => {
                    let exec = cx.exec_context(&*planned.view, &self.snapshot);
                    run.next_batch(&exec, BATCH_ROWS)?
                }
            };
            let Some(batch) = next else {
                if std::mem::take(&mut self.trailer_pending) {
                    binary::put_trailer(out);
                    self.row_ends.push(out.len());
                }
                return Ok(out.len() > before);
            };
            if self.is_binary() {
                self.binary_batch(&batch, cx, out)?;
            } else {
                self.batch(&batch, cx, out)?;
            }
        }
        Ok(true)
    }

    fn header(&self, out: &mut Vec<u8>) -> PgResult<()> {
        for (at, name) in self.names.iter().enumerate() {
            if at > 0 {
                out.push(self.options.delimiter);
            }
            self.value(name, false, CancelToken::never(), out)?;
        }
        out.push(b'\n');
        Ok(())
    }

    fn batch(&mut self, batch: &Batch, cx: &CommandContext<'_>, out: &mut Vec<u8>) -> PgResult<()> {
        let io = types::io::IoContext {
            settings: &cx.settings,
            resolver: Some(cx.session.resolver()),
            cancel: cx.cancel,
        };
        let mut scratch = std::mem::take(&mut self.scratch);
        for k in batch.selection.iter() {
            let start = out.len();
            for (column, type_oid) in self.types.iter().enumerate() {
                if column > 0 {
                    out.push(self.options.delimiter);
                }
                let datum = batch.columns[column].long_datum(k, cx.cancel)?;
                if datum.is_null() {
                    out.extend_from_slice(self.options.null.as_bytes());
                    continue;
                }
                scratch.clear();
                types::io::output(*type_oid, &datum, &io, &mut scratch)?;
                let force = self.force_quote.get(column).copied().unwrap_or(false);
                self.value(&scratch, force, cx.cancel, out)?;
            }
            out.push(b'\n');
            self.recode(start, out)?;
            self.row_ends.push(out.len());
            self.copied += 1;
        }
        self.scratch = scratch;
        Ok(())
    }

    fn binary_batch(&mut self, batch: &Batch, cx: &CommandContext<'_>, out: &mut Vec<u8>) -> PgResult<()> {
        let io = types::io::IoContext {
            settings: &cx.settings,
            resolver: Some(cx.session.resolver()),
            cancel: cx.cancel,
        };
        for k in batch.selection.iter() {
            binary::begin_row(self.types.len(), out);
            for (column, type_oid) in self.types.iter().enumerate() {
                let datum = batch.columns[column].long_datum(k, cx.cancel)?;
                binary::put_field(*type_oid, &datum, &io, out)?;
            }
            self.row_ends.push(out.len());
            self.copied += 1;
        }
        Ok(())
    }

    /// Puts what was appended last into the encoding of the data.
    fn recode(&self, start: usize, out: &mut Vec<u8>) -> PgResult<()> {
        if self.encoding == Encoding::UTF8 {
            return Ok(());
        }
        let encoded = encoding::encode(types::io_text::utf8(&out[start..])?, self.encoding)?.into_owned();
        out.truncate(start);
        out.extend(encoded);
        Ok(())
    }

    fn value(&self, text: &str, force: bool, cancel: &CancelToken, out: &mut Vec<u8>) -> PgResult<()> {
        if self.options.format == Format::Csv {
            self.csv_value(text, force, cancel, out)
        } else {
            let delimiter = self.options.delimiter;
            pieces::bytes(cancel, text.as_bytes(), |piece| text_value(piece, delimiter, out))
        }
    }

    fn csv_value(&self, text: &str, force: bool, cancel: &CancelToken, out: &mut Vec<u8>) -> PgResult<()> {
        let o = &self.options;
        let special = |c: &u8| *c == o.delimiter || *c == o.quote || *c == b'\n' || *c == b'\r';
        let alone = self.types.len() == 1 && text == "\\.";
        let mut quoted = force || alone || text == o.null;
        if !quoted {
            pieces::bytes(cancel, text.as_bytes(), |piece| {
                quoted |= piece.iter().any(special)
            })?;
        }
        if !quoted {
            return pieces::bytes(cancel, text.as_bytes(), |piece| out.extend_from_slice(piece));
        }
        out.push(o.quote);
        pieces::bytes(cancel, text.as_bytes(), |piece| {
            for &c in piece {
                if c == o.quote || c == o.escape {
                    out.push(o.escape);
                }
                out.push(c);
            }
        })?;
        out.push(o.quote);
        Ok(())
    }
}

/// Text format: control characters, backslashes and delimiters are escaped.
fn text_value(text: &[u8], delimiter: u8, out: &mut Vec<u8>) {
    for &c in text {
        let letter = match c {
            8 => b'b',
            12 => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' if delimiter != b'\t' || c == b'\t' => b't',
            11 => b'v',
            b'\\' => b'\\',
            c if c == delimiter => c,
            c => {
                out.push(c);
                continue;
            }
        };
        out.push(b'\\');
        out.push(letter);
    }
}

fn check_source(desc: &RelationDesc) -> PgResult<()> {
    let name = &desc.name;
    let what = match desc.relkind {
        b'r' | b'm' | b't' => return Ok(()),
        b'v' => "view",
        b'f' => "foreign table",
        b'S' => return Err(pg_err!(WRONG_OBJECT_TYPE, "cannot copy from sequence \"{name}\"")),
        b'p' => "partitioned table",
        _ => {
            return Err(pg_err!(
                WRONG_OBJECT_TYPE,
                "cannot copy from non-table relation \"{name}\""
            ));
        }
    };
    Err(pg_err!(WRONG_OBJECT_TYPE, "cannot copy from {what} \"{name}\"")
        .hint("Try the COPY (SELECT ...) TO variant."))
}

fn forced(options: &CopyOptions, names: &[Arc<str>]) -> PgResult<Vec<bool>> {
    if let Columns::Listed(listed) = &options.force_quote
        && let Some(unknown) = listed.iter().find(|l| !names.iter().any(|n| **n == ***l))
    {
        return Err(pg_err!(
            INVALID_COLUMN_REFERENCE,
            "FORCE_QUOTE column \"{unknown}\" not referenced by COPY"
        ));
    }
    Ok(names
        .iter()
        .map(|name| match &options.force_quote {
            Columns::None => false,
            Columns::All => true,
            Columns::Listed(listed) => listed.iter().any(|l| **l == **name),
        })
        .collect())
}

fn from_table(stmt: &CopyStmt, options: CopyOptions, cx: &mut CommandContext<'_>) -> PgResult<CopyOut> {
    let Some(rel) = &stmt.relation else {
        return Err(common::internal!("COPY without a table"));
    };
    let desc = cx.open_relation(rel, LockMode::AccessShare)?;
    let columns = select_columns(&desc, &stmt.attlist)?;
    check_privilege(&desc, Privilege::Select, &columns, cx)?;
    check_source(&desc)?;
    let names: Vec<Arc<str>> = columns.iter().map(|&c| desc.columns[c].name.clone()).collect();
    super::sources::check_listed(&options.force_quote, "FORCE_QUOTE", &desc, &columns)?;
    let force_quote = forced(&options, &names)?;
    let snapshot = cx.txn.borrow_mut().snapshot()?;
    let wanted: Vec<u16> = columns.iter().map(|&c| c as u16).collect();
    let scan = cx
        .relations
        .table(&desc)?
        .scan(&snapshot, ScanRequest::columns(wanted));
    Ok(CopyOut {
        header_pending: options.header != Header::No || options.format == Format::Binary,
        trailer_pending: options.format == Format::Binary,
        names,
        types: columns.iter().map(|&c| desc.columns[c].type_ref.oid).collect(),
        force_quote,
        encoding: options.file_encoding(cx),
        options,
        rows: Rows::Table(scan),
        snapshot,
        copied: 0,
        row_ends: Vec::new(),
        scratch: String::new(),
    })
}

fn from_query(stmt: &Statement, options: CopyOptions, cx: &mut CommandContext<'_>) -> PgResult<CopyOut> {
    if let Statement::Select(s) = stmt
        && s.into.is_some()
    {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "COPY (SELECT INTO) is not supported"
        ));
    }
    let view = cx.view()?;
    let query = cx.analyze_query(stmt, &*view)?;
    if query.command != CommandType::Select && query.returning.is_empty() {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "COPY query must have a RETURNING clause"
        ));
    }
    let output = crate::query::output_columns(&query);
    let names: Vec<Arc<str>> = output.iter().map(|c| c.name.as_str().into()).collect();
    let force_quote = forced(&options, &names)?;
    let planned = cx.plan_query(&query, view)?;
    let run = cx.start(&planned, false)?;
    let snapshot = cx.txn.borrow_mut().snapshot()?;
    Ok(CopyOut {
        header_pending: options.header != Header::No || options.format == Format::Binary,
        trailer_pending: options.format == Format::Binary,
        names,
        types: output.iter().map(|c| c.type_ref.oid).collect(),
        force_quote,
        encoding: options.file_encoding(cx),
        options,
        rows: Rows::Query(Box::new(run), planned),
        snapshot,
        copied: 0,
        row_ends: Vec::new(),
        scratch: String::new(),
    })
}
