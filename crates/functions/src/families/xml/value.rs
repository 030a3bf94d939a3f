//! Any SQL value as XML (SQL/XML, "Mapping SQL data values to XML").

use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err};
use types::io::{self, UserType};
use types::io_binary::push_hex;
use types::xml::XmlBinary;
use types::{Datum, oids};
use xml::names::escape_text;

use crate::families::bytea::encode_base64;
use crate::families::json::value::push_datetime;
use crate::framework::context::FnContext;
use crate::framework::pieces;

/// Base64 is broken into lines of this many characters.
const BASE64_LINE: usize = 72;

/// What becomes of characters that mean something in XML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escaping {
    /// They are escaped, except in values that are XML already.
    Escaped,
    /// They stay, for whoever escapes later.
    Raw,
}

/// The type below domains, and its element type if it is an array.
fn base_type(type_oid: Oid, ctx: &FnContext<'_>) -> PgResult<(Oid, Option<Oid>)> {
    if let Some(row) = types::builtin::type_row(type_oid) {
        return Ok((type_oid, row.is_array().then_some(row.typelem)));
    }
    match ctx.io().names().user_type(type_oid)? {
        Some(UserType::Domain { base, .. }) => base_type(base, ctx),
        Some(UserType::Array { element, .. }) => Ok((type_oid, Some(element))),
        _ => Ok((type_oid, None)),
    }
}

fn infinite(type_oid: Oid, value: &Datum) -> PgResult<()> {
    let (infinite, kind) = match (type_oid, value) {
        (oids::DATE, Datum::Int4(d)) => (matches!(*d, i32::MIN | i32::MAX), "date"),
        (_, Datum::Int8(t)) => (matches!(*t, i64::MIN | i64::MAX), "timestamp"),
        _ => (false, ""),
    };
    if infinite {
        return Err(pg_err!(DATETIME_FIELD_OVERFLOW, "{kind} out of range")
            .detail(format!("XML does not support infinite {kind} values.")));
    }
    Ok(())
}

fn push_binary(bytes: &[u8], ctx: &FnContext<'_>, out: &mut String) -> PgResult<()> {
    match ctx.settings.xml_binary {
        XmlBinary::Hex => {
            let start = out.len();
            pieces::bytes(ctx.cancel, bytes, |piece| push_hex(piece, out))?;
            out[start..].make_ascii_uppercase();
        }
        XmlBinary::Base64 => {
            let text = encode_base64(bytes, ctx.cancel)?;
            for (k, c) in text.chars().filter(|c| *c != '\n').enumerate() {
                if k > 0 && k % BASE64_LINE == 0 {
                    ctx.cancel.check()?;
                    out.push_str("\r\n");
                }
                out.push(c);
            }
        }
    }
    Ok(())
}

/// Appends a value that is not NULL.
pub fn push_value(
    value: &Datum,
    type_oid: Oid,
    escaping: Escaping,
    ctx: &FnContext<'_>,
    out: &mut String,
) -> PgResult<()> {
    let (base, element) = base_type(type_oid, ctx)?;
    if let (Some(element), Datum::Array(a)) = (element, value) {
        for item in &a.elements {
            if !item.is_null() {
                out.push_str("<element>");
                push_value(item, element, Escaping::Escaped, ctx, out)?;
                out.push_str("</element>");
            }
        }
        return Ok(());
    }
    match (base, value) {
        (oids::BOOL, Datum::Bool(b)) => out.push_str(if *b { "true" } else { "false" }),
        (oids::DATE | oids::TIMESTAMP | oids::TIMESTAMPTZ, _) => {
            infinite(base, value)?;
            push_datetime(base, value, ctx.settings, out)?;
        }
        (oids::BYTEA, Datum::Bytes(bytes)) => push_binary(bytes, ctx, out)?,
        (oids::XML, _) => io::output(base, value, &ctx.io(), out)?,
        _ if escaping == Escaping::Raw => io::output(base, value, &ctx.io(), out)?,
        _ => {
            let mut text = String::new();
            io::output(base, value, &ctx.io(), &mut text)?;
            out.push_str(&escape_text(&text));
        }
    }
    Ok(())
}
