//! Input and output of composite values, over the functions of their fields.

use std::sync::Arc;

use common::error::ErrorExt;
use common::{Oid, PgError, PgResult, pg_err};

use crate::io::{self, CompositeField, IoContext};
use crate::io_array::send_value;
use crate::io_text::{is_space, trim_space};
use crate::wire::{self, Wire, done};
use crate::{Datum, RecordValue};

#[cold]
fn malformed_record(text: &str, detail: &str) -> Box<PgError> {
    pg_err!(
        INVALID_TEXT_REPRESENTATION,
        "malformed record literal: \"{text}\""
    )
    .detail(detail)
}

/// One field of a record literal from `rest`: `None` for NULL (nothing between the commas).
fn record_field<'a>(text: &str, rest: &'a str) -> PgResult<(Option<String>, &'a str)> {
    if rest.starts_with([',', ')']) {
        return Ok((None, rest));
    }
    let mut field = String::new();
    let mut chars = rest.char_indices().peekable();
    let mut quoted = false;
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some((_, c)) => field.push(c),
                None => break,
            },
            '"' if !quoted => quoted = true,
            '"' if chars.peek().is_some_and(|(_, c)| *c == '"') => {
                chars.next();
                field.push('"');
            }
            '"' => quoted = false,
            ',' | ')' if !quoted => return Ok((Some(field), &rest[at..])),
            c => field.push(c),
        }
    }
    Err(malformed_record(text, "Unexpected end of input."))
}

pub(crate) fn record_in(
    type_oid: Oid,
    columns: &[CompositeField],
    text: &str,
    ctx: &IoContext<'_>,
) -> PgResult<Datum> {
    let start = text.trim_start_matches(is_space);
    let Some(mut rest) = start.strip_prefix('(') else {
        return Err(malformed_record(text, "Missing left parenthesis."));
    };
    let mut fields = Vec::with_capacity(columns.len());
    for (k, column) in columns.iter().enumerate() {
        if k > 0 {
            rest = match rest.strip_prefix(',') {
                Some(rest) => rest,
                None => return Err(malformed_record(text, "Too few columns.")),
            };
        }
        let (field, after) = record_field(text, rest)?;
        rest = after;
        fields.push(match field {
            None => io::input_null(column.type_oid, ctx)?,
            Some(f) => io::input(column.type_oid, column.typmod, &f, ctx)?,
        });
    }
    match rest.strip_prefix(')') {
        None => Err(malformed_record(text, "Too many columns.")),
        Some(after) if !trim_space(after).is_empty() => {
            Err(malformed_record(text, "Junk after right parenthesis."))
        }
        Some(_) => Ok(record(type_oid, columns, fields)),
    }
}

fn record(type_oid: Oid, columns: &[CompositeField], fields: Vec<Datum>) -> Datum {
    Datum::Record(Arc::new(RecordValue {
        type_oid,
        field_types: columns.iter().map(|c| c.type_oid).collect(),
        fields,
        names: None,
    }))
}

pub(crate) fn record_out(record: &RecordValue, ctx: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    out.push('(');
    let mut text = String::new();
    for (k, (value, type_oid)) in record.fields.iter().zip(&record.field_types).enumerate() {
        if k > 0 {
            out.push(',');
        }
        if value.is_null() {
            continue;
        }
        text.clear();
        io::output(*type_oid, value, ctx, &mut text)?;
        let quote = text.is_empty()
            || text
                .chars()
                .any(|c| matches!(c, '"' | '\\' | '(' | ')' | ',') || is_space(c));
        if !quote {
            out.push_str(&text);
            continue;
        }
        out.push('"');
        for c in text.chars() {
            if matches!(c, '"' | '\\') {
                out.push(c);
            }
            out.push(c);
        }
        out.push('"');
    }
    out.push(')');
    Ok(())
}

pub(crate) fn record_recv(
    type_oid: Oid,
    columns: &[CompositeField],
    bytes: &[u8],
    ctx: &IoContext<'_>,
) -> PgResult<Datum> {
    let mut from = Wire(bytes);
    let count = from.int()?;
    if count as usize != columns.len() {
        return Err(pg_err!(
            DATATYPE_MISMATCH,
            "wrong number of columns: {count}, expected {}",
            columns.len()
        ));
    }
    let mut fields = Vec::with_capacity(columns.len());
    for column in columns {
        let sent = Oid(from.int()? as u32);
        if wire::contradicts(sent, column.type_oid) {
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "binary data has type {} instead of expected {} in record column {}",
                wire::described(sent),
                wire::described(column.type_oid),
                fields.len() + 1
            ));
        }
        let place = ("record column", fields.len() + 1);
        fields.push(from.value(column.type_oid, column.typmod, ctx, place)?);
    }
    done(from.0)?;
    Ok(record(type_oid, columns, fields))
}

pub(crate) fn record_send(record: &RecordValue, ctx: &IoContext<'_>, out: &mut Vec<u8>) -> PgResult<()> {
    out.extend_from_slice(&(record.fields.len() as i32).to_be_bytes());
    for (value, type_oid) in record.fields.iter().zip(&record.field_types) {
        out.extend_from_slice(&type_oid.0.to_be_bytes());
        send_value(*type_oid, value, ctx, out)?;
    }
    Ok(())
}
