//! Any SQL value as JSON: what `to_json`, the builders and the aggregates share.
//!
//! PG: src/backend/utils/adt/json.c (`datum_to_json_internal`), jsonb.c (`datum_to_jsonb_internal`).

use common::{Oid, PgResult, pg_err};
use types::io::{self, IoContext, UserType};
use types::json_text::push_string;
use types::jsonb::{JsonbBuilder, JsonbRef, ParseOptions, parse};
use types::settings::DateStyle;
use types::{ArrayValue, Datum, FormatSettings, RecordValue, builtin, numeric, oids};

use crate::framework::context::FnContext;

/// How a type becomes JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Category {
    Bool,
    Number,
    Date,
    Timestamp,
    TimestampTz,
    Json,
    Jsonb,
    Array,
    Composite,
    Other,
}

/// The category of a type, and the type behind domains.
pub(crate) fn categorize(type_oid: Oid, io: &IoContext<'_>) -> PgResult<(Category, Oid)> {
    let category = match type_oid {
        oids::BOOL => Category::Bool,
        oids::INT2 | oids::INT4 | oids::INT8 | oids::FLOAT4 | oids::FLOAT8 | oids::NUMERIC => {
            Category::Number
        }
        oids::DATE => Category::Date,
        oids::TIMESTAMP => Category::Timestamp,
        oids::TIMESTAMPTZ => Category::TimestampTz,
        oids::JSON => Category::Json,
        oids::JSONB => Category::Jsonb,
        oids::RECORD => Category::Composite,
        oids::ANYARRAY => Category::Array,
        _ => return categorize_other(type_oid, io),
    };
    Ok((category, type_oid))
}

fn categorize_other(type_oid: Oid, io: &IoContext<'_>) -> PgResult<(Category, Oid)> {
    if let Some(row) = builtin::type_row(type_oid) {
        let category = if row.typbasetype.is_valid() {
            return categorize(row.typbasetype, io);
        } else if row.is_array() {
            Category::Array
        } else if row.typtype == b'c' {
            Category::Composite
        } else {
            Category::Other
        };
        return Ok((category, type_oid));
    }
    Ok(match io.names().user_type(type_oid)? {
        Some(UserType::Domain { base, .. }) => return categorize(base, io),
        Some(UserType::Composite { .. }) => (Category::Composite, type_oid),
        Some(UserType::Array { .. }) => (Category::Array, type_oid),
        _ => (Category::Other, type_oid),
    })
}

/// True when text is a number of JSON.
pub(crate) fn is_json_number(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let digits = |s: &str| s.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(unsigned);
    if whole == 0 || (whole > 1 && unsigned.starts_with('0')) {
        return false;
    }
    let mut rest = &unsigned[whole..];
    if let Some(fraction) = rest.strip_prefix('.') {
        let n = digits(fraction);
        if n == 0 {
            return false;
        }
        rest = &fraction[n..];
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let n = digits(exponent);
        return n > 0 && n == exponent.len();
    }
    rest.is_empty()
}

/// Appends a date or timestamp as XML Schema has it: a `T` in the middle, the offset with minutes.
pub(crate) fn push_datetime(
    type_oid: Oid,
    value: &Datum,
    settings: &FormatSettings,
    out: &mut String,
) -> PgResult<()> {
    let iso = FormatSettings {
        date_style: DateStyle::Iso,
        ..settings.clone()
    };
    let mut text = String::new();
    io::output(type_oid, value, &IoContext::new(&iso), &mut text)?;
    let Some((date, rest)) = text.split_once(' ').filter(|_| type_oid != oids::DATE) else {
        out.push_str(&text);
        return Ok(());
    };
    let (clock, era) = match rest.split_once(' ') {
        Some((clock, era)) => (clock, Some(era)),
        None => (rest, None),
    };
    out.push_str(date);
    out.push('T');
    out.push_str(clock);
    if type_oid == oids::TIMESTAMPTZ {
        let offset = clock.rfind(['+', '-']).map_or("", |at| &clock[at..]);
        if offset.len() == 3 {
            out.push_str(":00");
        }
    }
    if let Some(era) = era {
        out.push(' ');
        out.push_str(era);
    }
    Ok(())
}

/// The names of a record's fields: its own, its type's, or `f1`, `f2`...
fn field_names(record: &RecordValue, io: &IoContext<'_>) -> PgResult<Vec<String>> {
    if let Some(names) = &record.names {
        return Ok(names.iter().map(|n| n.to_string()).collect());
    }
    if record.type_oid != oids::RECORD {
        if let Some(UserType::Composite { fields }) = io.names().user_type(record.type_oid)? {
            return Ok(fields.into_iter().map(|f| f.name).collect());
        }
    }
    Ok((1..=record.fields.len()).map(|k| format!("f{k}")).collect())
}

#[cold]
pub(crate) fn bad_key() -> Box<common::PgError> {
    pg_err!(
        INVALID_PARAMETER_VALUE,
        "key value must be scalar, not array, composite, or json"
    )
}

/// The text of a value that becomes a key.
pub(crate) fn key_text(value: &Datum, type_oid: Oid, ctx: &FnContext<'_>) -> PgResult<String> {
    let io = ctx.io();
    let (category, base) = categorize(type_oid, &io)?;
    let mut out = String::new();
    match category {
        Category::Array | Category::Composite | Category::Json | Category::Jsonb => return Err(bad_key()),
        Category::Bool => out.push_str(if value.as_bool() == Some(true) {
            "true"
        } else {
            "false"
        }),
        Category::Date | Category::Timestamp | Category::TimestampTz => {
            push_datetime(base, value, ctx.settings, &mut out)?;
        }
        _ => io::output(base, value, &io, &mut out)?,
    }
    Ok(out)
}

/// Whether members of composites and arrays start new lines.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lines {
    One,
    PerMember,
}

impl Lines {
    fn separator(self) -> &'static str {
        match self {
            Lines::One => ",",
            Lines::PerMember => ",\n ",
        }
    }
}

/// Appends a value as `json`.
pub(crate) fn push_json(value: &Datum, type_oid: Oid, ctx: &FnContext<'_>, out: &mut String) -> PgResult<()> {
    ctx.cancel.check()?;
    if value.is_null() {
        out.push_str("null");
        return Ok(());
    }
    let io = ctx.io();
    let (category, base) = categorize(type_oid, &io)?;
    match category {
        Category::Bool => out.push_str(if value.as_bool() == Some(true) {
            "true"
        } else {
            "false"
        }),
        Category::Number => {
            let text = io::to_text(base, value, &io)?;
            if is_json_number(&text) {
                out.push_str(&text);
            } else {
                push_string(&text, out);
            }
        }
        Category::Date | Category::Timestamp | Category::TimestampTz => {
            out.push('"');
            push_datetime(base, value, ctx.settings, out)?;
            out.push('"');
        }
        Category::Json | Category::Jsonb => io::output(base, value, &io, out)?,
        Category::Array => match value {
            Datum::Array(a) => push_json_array(a, ctx, Lines::One, out)?,
            _ => push_string(&io::to_text(base, value, &io)?, out),
        },
        Category::Composite => match value {
            Datum::Record(r) => push_json_record(r, ctx, Lines::One, out)?,
            _ => push_string(&io::to_text(base, value, &io)?, out),
        },
        Category::Other => push_string(&io::to_text(base, value, &io)?, out),
    }
    Ok(())
}

/// Appends an array as `json`.
pub(crate) fn push_json_array(
    array: &ArrayValue,
    ctx: &FnContext<'_>,
    lines: Lines,
    out: &mut String,
) -> PgResult<()> {
    if array.dims.is_empty() {
        out.push_str("[]");
        return Ok(());
    }
    let mut elements = array.elements.iter();
    push_dimension(array, 0, &mut elements, ctx, lines, out)
}

fn push_dimension(
    array: &ArrayValue,
    dimension: usize,
    elements: &mut std::slice::Iter<'_, Datum>,
    ctx: &FnContext<'_>,
    lines: Lines,
    out: &mut String,
) -> PgResult<()> {
    out.push('[');
    let count = array.dims.get(dimension).map_or(0, |d| d.len);
    for k in 0..count {
        if k > 0 {
            out.push_str(lines.separator());
        }
        if dimension + 1 < array.dims.len() {
            push_dimension(array, dimension + 1, elements, ctx, Lines::One, out)?;
        } else if let Some(value) = elements.next() {
            push_json(value, array.element_type, ctx, out)?;
        }
    }
    out.push(']');
    Ok(())
}

/// Appends a composite value as `json`.
pub(crate) fn push_json_record(
    record: &RecordValue,
    ctx: &FnContext<'_>,
    lines: Lines,
    out: &mut String,
) -> PgResult<()> {
    let names = field_names(record, &ctx.io())?;
    out.push('{');
    let fields = record.fields.iter().zip(&record.field_types).zip(&names);
    for (k, ((value, type_oid), name)) in fields.enumerate() {
        if k > 0 {
            out.push_str(lines.separator());
        }
        push_string(name, out);
        out.push(':');
        push_json(value, *type_oid, ctx, out)?;
    }
    out.push('}');
    Ok(())
}

/// Adds a value as `jsonb`.
pub(crate) fn put_jsonb(
    value: &Datum,
    type_oid: Oid,
    ctx: &FnContext<'_>,
    builder: &mut JsonbBuilder,
) -> PgResult<()> {
    ctx.cancel.check()?;
    if value.is_null() {
        return builder.null();
    }
    let io = ctx.io();
    let (category, base) = categorize(type_oid, &io)?;
    match (category, value) {
        (Category::Bool, _) => builder.bool(value.as_bool() == Some(true)),
        (Category::Number, Datum::Numeric(n)) if n.is_finite() => builder.number(n),
        (Category::Number, _) => {
            let text = io::to_text(base, value, &io)?;
            if text.contains(['N', 'n']) {
                builder.string(&text)
            } else {
                builder.number(&numeric::parse(&text, "numeric")?)
            }
        }
        (Category::Date | Category::Timestamp | Category::TimestampTz, _) => {
            let mut text = String::new();
            push_datetime(base, value, ctx.settings, &mut text)?;
            builder.string(&text)
        }
        (Category::Json, Datum::Text(text)) => parse(text, ParseOptions::default(), ctx.cancel, builder),
        (Category::Jsonb, Datum::Bytes(bytes)) => builder.value(JsonbRef::root(bytes)),
        (Category::Array, Datum::Array(a)) => {
            let mut elements = a.elements.iter();
            put_dimension(a, 0, &mut elements, ctx, builder)
        }
        (Category::Composite, Datum::Record(r)) => {
            let names = field_names(r, &io)?;
            builder.begin_object();
            for ((field, type_oid), name) in r.fields.iter().zip(&r.field_types).zip(&names) {
                builder.key(name)?;
                put_jsonb(field, *type_oid, ctx, builder)?;
            }
            builder.end()
        }
        _ => builder.string(&io::to_text(base, value, &io)?),
    }
}

fn put_dimension(
    array: &ArrayValue,
    dimension: usize,
    elements: &mut std::slice::Iter<'_, Datum>,
    ctx: &FnContext<'_>,
    builder: &mut JsonbBuilder,
) -> PgResult<()> {
    builder.begin_array();
    let count = array.dims.get(dimension).map_or(0, |d| d.len);
    for _ in 0..count {
        if dimension + 1 < array.dims.len() {
            put_dimension(array, dimension + 1, elements, ctx, builder)?;
        } else if let Some(value) = elements.next() {
            put_jsonb(value, array.element_type, ctx, builder)?;
        }
    }
    builder.end()
}

/// A value as a `jsonb` datum.
pub(crate) fn to_jsonb_datum(value: &Datum, type_oid: Oid, ctx: &FnContext<'_>) -> PgResult<Datum> {
    let mut builder = JsonbBuilder::new();
    put_jsonb(value, type_oid, ctx, &mut builder)?;
    builder.finish_datum()
}
