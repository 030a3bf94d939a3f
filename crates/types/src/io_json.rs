//! Input and output of `jsonb` and `jsonpath`.

use std::borrow::Cow;
use std::sync::Arc;

use common::{PgResult, pg_err};

use crate::Datum;
use crate::io::{IoContext, wrong_datum};
use crate::io_text::{from_client, to_client};
use crate::jsonb::{self, JsonbRef};
use crate::jsonpath;

/// The version byte before the text on the wire, for both types.
const WIRE_VERSION: u8 = 1;

/// `jsonb` from text.
pub fn jsonb_in(s: &str, _: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
    jsonb::input(s, ctx.cancel)
}

/// `jsonb` to text.
pub fn jsonb_out(v: &Datum, ctx: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    match v {
        Datum::Bytes(bytes) => jsonb::push_text(JsonbRef::root(bytes), ctx.cancel, out),
        _ => Err(wrong_datum("jsonb", v)),
    }
}

fn versioned<'a>(bytes: &'a [u8], type_name: &str, ctx: &IoContext<'_>) -> PgResult<Cow<'a, str>> {
    match bytes.split_first() {
        Some((&WIRE_VERSION, text)) => from_client(text, ctx),
        Some((other, _)) => {
            let colon = if type_name == "jsonpath" { ":" } else { "" };
            Err(pg_err!(
                INTERNAL_ERROR,
                "unsupported {type_name} version number{colon} {other}"
            ))
        }
        None => Err(crate::wire::bad_binary()),
    }
}

/// `jsonb` from the wire: a version and the text.
pub fn jsonb_recv(bytes: &[u8], _: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
    jsonb::input(&versioned(bytes, "jsonb", ctx)?, ctx.cancel)
}

/// `jsonb` to the wire.
pub fn jsonb_send(v: &Datum, ctx: &IoContext<'_>, out: &mut Vec<u8>) -> PgResult<()> {
    let mut text = String::new();
    jsonb_out(v, ctx, &mut text)?;
    out.push(WIRE_VERSION);
    to_client(&text, ctx, out)
}

/// `jsonpath` from text: kept in its canonical spelling.
pub fn jsonpath_in(s: &str, _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    let path = jsonpath::parse(s)?;
    Ok(Datum::Text(Arc::from(path.to_string())))
}

/// `jsonpath` to text.
pub fn jsonpath_out(v: &Datum, _: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    match v {
        Datum::Text(s) => out.push_str(s),
        _ => return Err(wrong_datum("jsonpath", v)),
    }
    Ok(())
}

/// `jsonpath` from the wire.
pub fn jsonpath_recv(bytes: &[u8], typmod: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
    jsonpath_in(&versioned(bytes, "jsonpath", ctx)?, typmod, ctx)
}

/// `jsonpath` to the wire.
pub fn jsonpath_send(v: &Datum, ctx: &IoContext<'_>, out: &mut Vec<u8>) -> PgResult<()> {
    let mut text = String::new();
    jsonpath_out(v, ctx, &mut text)?;
    out.push(WIRE_VERSION);
    to_client(&text, ctx, out)
}
