//! Input and output of ranges and multiranges, over the functions of their bounds.

use common::error::ErrorExt;
use common::{Oid, PgError, PgResult, pg_err};

use crate::Datum;
use crate::io::{self, IoContext, UserType};
use crate::io_array::send_value;
use crate::io_text::{is_space, trim_space};
use crate::range::{BUILTIN, MultirangeValue, Range, RangeBound, RangeValue, make_range, normalize};
use crate::wire::Wire;

/// Flags of the binary form.
const EMPTY: u8 = 0x01;
const LOWER_INCLUSIVE: u8 = 0x02;
const UPPER_INCLUSIVE: u8 = 0x04;
const LOWER_INFINITE: u8 = 0x08;
const UPPER_INFINITE: u8 = 0x10;

/// The kind of a built-in range or multirange type.
pub(crate) fn builtin_type(type_oid: Oid) -> Option<UserType> {
    BUILTIN.iter().find_map(|(range, subtype, multirange)| {
        if *range == type_oid {
            Some(UserType::Range { subtype: *subtype })
        } else if *multirange == type_oid {
            Some(UserType::Multirange { range: *range })
        } else {
            None
        }
    })
}

/// The subtype of a range type.
pub(crate) fn subtype_of(range: Oid, ctx: &IoContext<'_>) -> PgResult<Oid> {
    match io::other_type(range, ctx)? {
        UserType::Range { subtype } => Ok(subtype),
        _ => Err(common::internal!("type {range} is not a range type")),
    }
}

/// Range type and subtype of a multirange type.
pub fn multirange_parts(multirange: Oid, ctx: &IoContext<'_>) -> PgResult<(Oid, Oid)> {
    match io::other_type(multirange, ctx)? {
        UserType::Multirange { range } => Ok((range, subtype_of(range, ctx)?)),
        _ => Err(common::internal!("type {multirange} is not a multirange type")),
    }
}

#[cold]
fn malformed(text: &str, detail: &str) -> Box<PgError> {
    pg_err!(INVALID_TEXT_REPRESENTATION, "malformed range literal: \"{text}\"").detail(detail)
}

/// One bound of a range literal from `rest`: `None` without a limit.
fn bound<'a>(text: &str, rest: &'a str) -> PgResult<(Option<String>, &'a str)> {
    if rest.starts_with([',', ')', ']']) {
        return Ok((None, rest));
    }
    let mut value = String::new();
    let mut chars = rest.char_indices().peekable();
    let mut quoted = false;
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some((_, c)) => value.push(c),
                None => break,
            },
            '"' if !quoted => quoted = true,
            '"' if chars.peek().is_some_and(|(_, c)| *c == '"') => {
                chars.next();
                value.push('"');
            }
            '"' => quoted = false,
            ',' | ')' | ']' if !quoted => return Ok((Some(value), &rest[at..])),
            c => value.push(c),
        }
    }
    Err(malformed(text, "Unexpected end of input."))
}

/// `rest` without the word `empty`, if it begins so.
fn strip_empty(rest: &str) -> Option<&str> {
    let head = rest.get(..5)?;
    head.eq_ignore_ascii_case("empty").then(|| &rest[5..])
}

pub(crate) fn range_in(
    range_type: Oid,
    subtype: Oid,
    typmod: i32,
    text: &str,
    ctx: &IoContext<'_>,
) -> PgResult<Datum> {
    let value = |range| {
        RangeValue {
            type_oid: range_type,
            subtype,
            range,
        }
        .into_datum()
    };
    let start = text.trim_start_matches(is_space);
    if let Some(after) = strip_empty(start) {
        if !trim_space(after).is_empty() {
            return Err(malformed(text, "Junk after \"empty\" key word."));
        }
        return Ok(value(None));
    }
    let lower_inclusive = start.starts_with('[');
    let Some(rest) = start.strip_prefix(['[', '(']) else {
        return Err(malformed(text, "Missing left parenthesis or bracket."));
    };
    let (lower, rest) = bound(text, rest)?;
    let Some(rest) = rest.strip_prefix(',') else {
        return Err(malformed(text, "Missing comma after lower bound."));
    };
    let (upper, rest) = bound(text, rest)?;
    let upper_inclusive = rest.starts_with(']');
    let Some(rest) = rest.strip_prefix([']', ')']) else {
        return Err(malformed(text, "Too many commas."));
    };
    if !trim_space(rest).is_empty() {
        return Err(malformed(text, "Junk after right parenthesis or bracket."));
    }
    let read = |text: Option<String>, inclusive| -> PgResult<RangeBound> {
        Ok(match text {
            None => RangeBound::infinite(),
            Some(t) => RangeBound {
                value: io::input(subtype, typmod, &t, ctx)?,
                inclusive,
            },
        })
    };
    let (lower, upper) = (read(lower, lower_inclusive)?, read(upper, upper_inclusive)?);
    Ok(value(make_range(range_type, subtype, lower, upper)?))
}

/// Appends the text of a range that is not empty.
fn push_range(subtype: Oid, range: &Range, ctx: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    let mut text = String::new();
    let mut push_bound = |bound: &RangeBound, out: &mut String| -> PgResult<()> {
        if bound.is_infinite() {
            return Ok(());
        }
        text.clear();
        io::output(subtype, &bound.value, ctx, &mut text)?;
        let quote = text.is_empty()
            || text
                .chars()
                .any(|c| matches!(c, '"' | '\\' | '(' | ')' | '[' | ']' | ',') || is_space(c));
        if !quote {
            out.push_str(&text);
            return Ok(());
        }
        out.push('"');
        for c in text.chars() {
            if matches!(c, '"' | '\\') {
                out.push(c);
            }
            out.push(c);
        }
        out.push('"');
        Ok(())
    };
    out.push(if range.lower.inclusive { '[' } else { '(' });
    push_bound(&range.lower, out)?;
    out.push(',');
    push_bound(&range.upper, out)?;
    out.push(if range.upper.inclusive { ']' } else { ')' });
    Ok(())
}

pub(crate) fn range_out(value: &RangeValue, ctx: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    match &value.range {
        None => {
            out.push_str("empty");
            Ok(())
        }
        Some(range) => push_range(value.subtype, range, ctx, out),
    }
}

pub(crate) fn range_recv(
    range_type: Oid,
    subtype: Oid,
    typmod: i32,
    bytes: &[u8],
    ctx: &IoContext<'_>,
) -> PgResult<Datum> {
    let mut wire = Wire(bytes);
    let flags = wire.byte()?;
    let mut read = |infinite, inclusive| -> PgResult<RangeBound> {
        if flags & (infinite | EMPTY) != 0 {
            return Ok(RangeBound::infinite());
        }
        Ok(RangeBound {
            value: wire.bound(subtype, typmod, ctx)?,
            inclusive: flags & inclusive != 0,
        })
    };
    let lower = read(LOWER_INFINITE, LOWER_INCLUSIVE)?;
    let upper = read(UPPER_INFINITE, UPPER_INCLUSIVE)?;
    wire.end()?;
    let range = if flags & EMPTY != 0 {
        None
    } else {
        make_range(range_type, subtype, lower, upper)?
    };
    Ok(RangeValue {
        type_oid: range_type,
        subtype,
        range,
    }
    .into_datum())
}

fn send_range(subtype: Oid, range: Option<&Range>, ctx: &IoContext<'_>, out: &mut Vec<u8>) -> PgResult<()> {
    let Some(range) = range else {
        out.push(EMPTY);
        return Ok(());
    };
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    out.push(
        flag(range.lower.inclusive, LOWER_INCLUSIVE)
            | flag(range.upper.inclusive, UPPER_INCLUSIVE)
            | flag(range.lower.is_infinite(), LOWER_INFINITE)
            | flag(range.upper.is_infinite(), UPPER_INFINITE),
    );
    for bound in [&range.lower, &range.upper] {
        if !bound.is_infinite() {
            send_value(subtype, &bound.value, ctx, out)?;
        }
    }
    Ok(())
}

pub(crate) fn range_send(value: &RangeValue, ctx: &IoContext<'_>, out: &mut Vec<u8>) -> PgResult<()> {
    send_range(value.subtype, value.range.as_ref(), ctx, out)
}

#[cold]
fn malformed_multirange(text: &str, detail: &str) -> Box<PgError> {
    pg_err!(
        INVALID_TEXT_REPRESENTATION,
        "malformed multirange literal: \"{text}\""
    )
    .detail(detail)
}

/// Bytes of the range literal that `rest` begins with, its closing bracket included.
fn range_literal_len(text: &str, rest: &str) -> PgResult<usize> {
    let mut chars = rest.char_indices().peekable();
    let mut quoted = false;
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => {
                chars.next();
            }
            '"' if quoted && chars.peek().is_some_and(|(_, c)| *c == '"') => {
                chars.next();
            }
            '"' => quoted = !quoted,
            ']' | ')' if !quoted => return Ok(at + 1),
            _ => {}
        }
    }
    Err(malformed_multirange(text, "Unexpected end of input."))
}

pub(crate) fn multirange_in(
    multirange_type: Oid,
    range_type: Oid,
    typmod: i32,
    text: &str,
    ctx: &IoContext<'_>,
) -> PgResult<Datum> {
    let subtype = subtype_of(range_type, ctx)?;
    let fail = |detail| malformed_multirange(text, detail);
    let start = text.trim_start_matches(is_space);
    let Some(mut rest) = start.strip_prefix('{') else {
        return Err(fail("Missing left brace."));
    };
    let mut ranges = Vec::new();
    let mut first = true;
    loop {
        rest = rest.trim_start_matches(is_space);
        if rest.is_empty() {
            return Err(fail("Unexpected end of input."));
        }
        if first && rest.starts_with('}') {
            break;
        }
        first = false;
        if rest.starts_with(['[', '(']) {
            let len = range_literal_len(text, rest)?;
            if let Datum::Range(r) = range_in(range_type, subtype, typmod, &rest[..len], ctx)? {
                ranges.extend(r.range.clone());
            }
            rest = &rest[len..];
        } else if let Some(after) = strip_empty(rest) {
            rest = after;
        } else {
            return Err(fail("Expected range start."));
        }
        rest = rest.trim_start_matches(is_space);
        match rest.chars().next() {
            None => return Err(fail("Unexpected end of input.")),
            Some('}') => break,
            Some(',') => rest = &rest[1..],
            Some(_) => return Err(fail("Expected comma or end of multirange.")),
        }
    }
    if !trim_space(&rest[1..]).is_empty() {
        return Err(fail("Junk after closing right brace."));
    }
    Ok(multirange(multirange_type, range_type, subtype, ranges))
}

fn multirange(type_oid: Oid, range_type: Oid, subtype: Oid, ranges: Vec<Range>) -> Datum {
    MultirangeValue {
        type_oid,
        range_type,
        subtype,
        ranges: normalize(range_type, subtype, ranges),
    }
    .into_datum()
}

pub(crate) fn multirange_out(value: &MultirangeValue, ctx: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    out.push('{');
    for (at, range) in value.ranges.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        push_range(value.subtype, range, ctx, out)?;
    }
    out.push('}');
    Ok(())
}

/// What PostgreSQL allocates for so many ranges has a limit.
fn check_count(count: i32) -> PgResult<()> {
    const POINTER_BYTES: u64 = 8;
    const ALLOC_BYTES_MAX: u64 = 0x3fff_ffff;
    let size = u64::from(count.unsigned_abs()) * POINTER_BYTES;
    if count < 0 {
        let count = i64::from(count) as u64;
        return Err(pg_err!(
            PROGRAM_LIMIT_EXCEEDED,
            "invalid memory allocation request size {POINTER_BYTES} * {count}"
        ));
    }
    if size > ALLOC_BYTES_MAX {
        return Err(common::internal!("invalid memory alloc request size {size}"));
    }
    Ok(())
}

pub(crate) fn multirange_recv(
    multirange_type: Oid,
    range_type: Oid,
    typmod: i32,
    bytes: &[u8],
    ctx: &IoContext<'_>,
) -> PgResult<Datum> {
    let subtype = subtype_of(range_type, ctx)?;
    let mut wire = Wire(bytes);
    let mut ranges = Vec::new();
    let count = wire.int()?;
    check_count(count)?;
    for _ in 0..count {
        if let Datum::Range(r) = wire.bound(range_type, typmod, ctx)? {
            ranges.extend(r.range.clone());
        }
    }
    wire.end()?;
    Ok(multirange(multirange_type, range_type, subtype, ranges))
}

pub(crate) fn multirange_send(
    value: &MultirangeValue,
    ctx: &IoContext<'_>,
    out: &mut Vec<u8>,
) -> PgResult<()> {
    out.extend_from_slice(&(value.ranges.len() as i32).to_be_bytes());
    for range in &value.ranges {
        let at = out.len();
        out.extend_from_slice(&[0; 4]);
        send_range(value.subtype, Some(range), ctx, out)?;
        let len = (out.len() - at - 4) as i32;
        out[at..at + 4].copy_from_slice(&len.to_be_bytes());
    }
    Ok(())
}
