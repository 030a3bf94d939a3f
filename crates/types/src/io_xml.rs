//! Input and output of `xml`.

use std::borrow::Cow;
use std::sync::Arc;

use common::{PgResult, unsupported};

use crate::Datum;
use crate::encoding::{self, Encoding};
use crate::io::{IoContext, wrong_datum};
use crate::io_text::to_client;
use crate::xml::{self, Strictness, push_output};

/// `xml` from text, checked under `xmloption`.
pub fn xml_in(s: &str, _: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
    let tree = xml::parse(s, ctx.settings.xml_option, ::xml::parse::Blanks::Keep, ctx.cancel)?;
    for warning in xml::warnings(&tree.parsed, Strictness::WellFormed) {
        ctx.names().notice(warning);
    }
    Ok(Datum::Text(Arc::from(s)))
}

/// `xml` to text.
pub fn xml_out(v: &Datum, ctx: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    match v {
        Datum::Text(s) => push_output(s, ctx.cancel, out),
        _ => Err(wrong_datum("xml", v)),
    }
}

/// The bytes as text, by the encoding that their declaration names.
fn decode(bytes: &[u8]) -> PgResult<Cow<'_, str>> {
    let head: String = bytes.iter().take(256).map(|&b| char::from(b)).collect();
    let declared = ::xml::declaration::parse(&head)
        .ok()
        .and_then(|d| d.encoding.map(str::to_owned));
    let name = declared.unwrap_or_default().to_ascii_uppercase();
    let known = match name.as_str() {
        "" | "US-ASCII" => Some(Encoding::UTF8),
        _ => Encoding::by_name(&name).filter(|e| encoding::converts_to_utf8(*e)),
    };
    match known {
        Some(known) => encoding::decode(bytes, known),
        None => Err(unsupported!("encoding \"{name}\" of binary XML is not supported")),
    }
}

/// `xml` from the wire. The encoding in the declaration counts, and is not kept.
pub fn xml_recv(bytes: &[u8], typmod: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
    xml_in(&decode(bytes)?, typmod, ctx)
}

/// `xml` to the wire.
pub fn xml_send(v: &Datum, ctx: &IoContext<'_>, out: &mut Vec<u8>) -> PgResult<()> {
    let mut text = String::new();
    xml_out(v, ctx, &mut text)?;
    to_client(&text, ctx, out)
}
