//! COPY: options, text, CSV and binary formats, streams in both directions, files of the server.
//!
//! PG: src/backend/commands/copy.c.

mod ahead;
mod batch;
mod binary;
mod bulk;
mod from;
mod lines;
mod options;
mod sources;
mod to;

use std::io::ErrorKind;
use std::path::Path;

use catalog::desc::RelationDesc;
use catalog::privileges::Privilege;
use common::env::OpenMode;
use common::error::ErrorExt;
use common::pieces::PIECE_BYTES;
use common::{PgError, PgResult, pg_err, unsupported};
use parser::ast::{CopyStmt, Ident};

pub use from::CopyIn;
pub use to::CopyOut;

use crate::context::{CommandContext, CommandOutcome};

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

/// Positions of the columns to copy, in the order named; all but generated ones when none is.
fn select_columns(desc: &RelationDesc, names: &[Ident]) -> PgResult<Vec<usize>> {
    let is_generated = |c: &catalog::desc::ColumnDesc| !matches!(c.generated, 0 | b' ');
    if names.is_empty() {
        let live = desc.columns.iter().enumerate();
        let live = live.filter(|(_, c)| !c.dropped && !is_generated(c));
        return Ok(live.map(|(at, _)| at).collect());
    }
    let mut columns = Vec::new();
    for name in names {
        let Some(column) = desc.column_by_name(name.as_str()) else {
            return Err(pg_err!(
                UNDEFINED_COLUMN,
                "column \"{}\" of relation \"{}\" does not exist",
                name.as_str(),
                desc.name
            ));
        };
        if is_generated(column) {
            return Err(pg_err!(
                INVALID_COLUMN_REFERENCE,
                "column \"{}\" is a generated column",
                name.as_str()
            )
            .detail("Generated columns cannot be used in COPY."));
        }
        let at = usize::try_from(column.attno - 1).unwrap_or_default();
        if columns.contains(&at) {
            return Err(pg_err!(
                DUPLICATE_COLUMN,
                "column \"{}\" specified more than once",
                name.as_str()
            ));
        }
        columns.push(at);
    }
    Ok(columns)
}

/// The privilege on the table, or on the columns at these positions.
fn check_privilege(
    desc: &RelationDesc,
    privilege: Privilege,
    columns: &[usize],
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let attnos: Vec<i16> = columns
        .iter()
        .filter_map(|at| desc.columns.get(*at))
        .map(|c| c.attno)
        .collect();
    cx.roles()?.check_columns(cx.user, desc, privilege, &attnos)
}

/// What is generated is not there yet when rows are chosen.
fn check_condition(condition: &nodes::Expr, desc: &RelationDesc) -> PgResult<()> {
    let generated = |c: &&catalog::desc::ColumnDesc| c.generated != 0 && !c.dropped;
    let used = crate::constraints::columns_of(condition);
    let named = used.iter().filter(|a| **a != 0);
    let named = named.filter_map(|a| desc.column(*a)).find(generated);
    let of_row = || desc.columns.iter().find(|c| used.contains(&0) && generated(c));
    match named.or_else(of_row) {
        None => Ok(()),
        Some(column) => Err(pg_err!(
            INVALID_COLUMN_REFERENCE,
            "generated columns are not supported in COPY FROM WHERE conditions"
        )
        .detail(format!("Column \"{}\" is a generated column.", column.name))),
    }
}

/// COPY from or to a file of the server.
pub(crate) fn copy_file(stmt: &CopyStmt, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    if stmt.is_program {
        return Err(unsupported!("COPY with PROGRAM is not supported").at(stmt.span));
    }
    let Some(name) = &stmt.filename else {
        return Err(common::internal!(
            "COPY with the client in the place of COPY with a file"
        ));
    };
    if !cx.roles()?.is_superuser(cx.user) {
        let (word, role) = match stmt.is_from {
            true => ("from", "pg_read_server_files"),
            false => ("to", "pg_write_server_files"),
        };
        return Err(
            pg_err!(INSUFFICIENT_PRIVILEGE, "permission denied to COPY {word} a file")
                .detail(format!(
                    "Only roles with privileges of the \"{role}\" role may COPY {word} a file."
                ))
                .hint(
                    "Anyone can COPY to stdout or from stdin. psql's \\copy command also works for anyone.",
                ),
        );
    }
    let rows = if stmt.is_from {
        read_file(stmt, name, cx)?
    } else {
        write_file(stmt, name, cx)?
    };
    Ok(CommandOutcome::tag(format!("COPY {rows}")))
}

/// PostgreSQL's words for what went wrong with a file.
fn file_error(error: &std::io::Error, action: &str, name: &str, for_copy: &str) -> Box<PgError> {
    let (code, reason) = match error.kind() {
        ErrorKind::NotFound => (
            common::sqlstate::UNDEFINED_FILE,
            "No such file or directory".to_owned(),
        ),
        ErrorKind::PermissionDenied => (
            common::sqlstate::INSUFFICIENT_PRIVILEGE,
            "Permission denied".to_owned(),
        ),
        _ => (common::sqlstate::IO_ERROR, error.to_string()),
    };
    let e = PgError::new(
        code,
        format!("could not open file \"{name}\" for {action}: {reason}"),
    );
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::PermissionDenied => e.hint(format!(
            "{for_copy} instructs the PostgreSQL server process to {} a file. You may want a client-side facility such as psql's \\copy.",
            if action == "reading" { "read" } else { "write" }
        )),
        _ => e,
    }
}

fn read_file(stmt: &CopyStmt, name: &str, cx: &mut CommandContext<'_>) -> PgResult<u64> {
    let mut copy = CopyIn::begin(stmt, cx)?;
    let file = cx
        .env
        .fs()
        .open(Path::new(name), OpenMode::Read)
        .map_err(|e| file_error(&e, "reading", name, "COPY FROM"))?;
    let io = |e: std::io::Error| {
        PgError::new(
            common::sqlstate::IO_ERROR,
            format!("could not read from COPY file: {e}"),
        )
    };
    let length = file.len().map_err(io)?;
    let mut at = 0;
    let mut buffer = vec![0; 64 << 10];
    while at < length {
        let take = usize::try_from(length - at)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        file.read_exact_at(&mut buffer[..take], at).map_err(io)?;
        at += take as u64;
        if !copy.feed(cx, &buffer[..take])? {
            break;
        }
    }
    copy.finish(cx)
}

fn write_file(stmt: &CopyStmt, name: &str, cx: &mut CommandContext<'_>) -> PgResult<u64> {
    if !Path::new(name).is_absolute() {
        return Err(pg_err!(
            INVALID_NAME,
            "relative path not allowed for COPY to file"
        ));
    }
    let mut copy = CopyOut::begin(stmt, cx)?;
    let file = cx
        .env
        .fs()
        .open(Path::new(name), OpenMode::OpenOrCreate)
        .map_err(|e| file_error(&e, "writing", name, "COPY TO"))?;
    let io = |e: std::io::Error| {
        PgError::new(
            common::sqlstate::IO_ERROR,
            format!("could not write to COPY file: {e}"),
        )
    };
    // A device has no length, and cannot be given one.
    if file.len().map_err(io)? > 0 {
        file.set_len(0).map_err(io)?;
    }
    let mut at = 0;
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        let more = copy.next_chunk(cx, &mut buffer)?;
        for piece in buffer.chunks(PIECE_BYTES) {
            file.write_all_at(piece, at).map_err(io)?;
            at += piece.len() as u64;
            cx.cancel.check()?;
        }
        if !more {
            return Ok(copy.rows());
        }
    }
}
