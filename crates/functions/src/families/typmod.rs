//! Type modifiers from text and back, and what `information_schema` reads from them.

use common::{Oid, PgResult, pg_err, sqlstate};
use types::typmod::{HEADER, SECONDS_DIGITS_MAX};
use types::{ArrayValue, Datum, oids};

use crate::framework::context::FnContext;
use crate::framework::macros::builtins;

fn integers(ctx: &FnContext<'_>, given: &ArrayValue) -> PgResult<Vec<i32>> {
    if given.dims.len() != 1 {
        return Err(pg_err!(
            ARRAY_SUBSCRIPT_ERROR,
            "typmod array must be one-dimensional"
        ));
    }
    if given.elements.iter().any(Datum::is_null) {
        return Err(pg_err!(
            NULL_VALUE_NOT_ALLOWED,
            "typmod array must not contain nulls"
        ));
    }
    let one = |d: &Datum| match d.as_str() {
        Some(text) => match types::io::input(oids::INT4, -1, text, &ctx.io())? {
            Datum::Int4(v) => Ok(v),
            other => Err(common::internal!("int4 value expected, got {other:?}")),
        },
        None => Err(common::internal!("cstring value expected, got {d:?}")),
    };
    given.elements.iter().map(one).collect()
}

/// The modifier of a type that takes some.
fn typmod_in(ctx: &FnContext<'_>, type_oid: Oid, given: &ArrayValue) -> PgResult<i32> {
    let notices = |notice| ctx.session.notice(notice);
    types::typmod::typmod_in(type_oid, &integers(ctx, given)?, &notices)
}

macro_rules! inputs {
    ($($name:ident $type_oid:ident;)*) => {$(
        fn $name(ctx: &mut FnContext<'_>, given: &ArrayValue) -> PgResult<i32> {
            typmod_in(ctx, oids::$type_oid, given)
        }
    )*};
}

inputs! {
    varchartypmodin VARCHAR; bpchartypmodin BPCHAR; bittypmodin BIT; varbittypmodin VARBIT; numerictypmodin NUMERIC;
    timestamptypmodin TIMESTAMP; timestamptztypmodin TIMESTAMPTZ; timetypmodin TIME; timetztypmodin TIMETZ;
    intervaltypmodin INTERVAL;
}

macro_rules! seconds_out {
    ($($name:ident $suffix:literal;)*) => {$(
        fn $name(typmod: i32) -> String {
            if typmod >= 0 { format!("({typmod}){}", $suffix) } else { $suffix.to_owned() }
        }
    )*};
}

seconds_out! {
    timestamptypmodout " without time zone"; timestamptztypmodout " with time zone";
    timetypmodout " without time zone"; timetztypmodout " with time zone";
}

fn intervaltypmodout(ctx: &mut FnContext<'_>, typmod: i32) -> PgResult<String> {
    let whole = ctx.session.format_type(oids::INTERVAL, Some(typmod))?;
    Ok(whole.trim_start_matches("interval").to_owned())
}

fn length_out(typmod: i32) -> String {
    if typmod > HEADER {
        format!("({})", typmod - HEADER)
    } else {
        String::new()
    }
}

fn bits_out(typmod: i32) -> String {
    if typmod >= 0 {
        format!("({typmod})")
    } else {
        String::new()
    }
}

fn numerictypmodout(typmod: i32) -> String {
    if typmod < HEADER {
        return String::new();
    }
    let packed = typmod - HEADER;
    format!("({},{})", (packed >> 16) & 0xffff, numeric_scale(packed))
}

/// Eleven bits with a sign.
fn numeric_scale(packed: i32) -> i32 {
    ((packed & 0x7ff) ^ 1024) - 1024
}

fn char_max_length(type_oid: u32, typmod: i32) -> Option<i32> {
    match Oid(type_oid) {
        _ if typmod == -1 => None,
        oids::BPCHAR | oids::VARCHAR => Some(typmod - HEADER),
        oids::BIT | oids::VARBIT => Some(typmod),
        _ => None,
    }
}

fn char_octet_length(type_oid: u32, typmod: i32) -> Option<i32> {
    const UTF8_BYTES_MAX: i32 = 4;
    match Oid(type_oid) {
        oids::TEXT | oids::BPCHAR | oids::VARCHAR if typmod == -1 => Some(1 << 30),
        oids::TEXT | oids::BPCHAR | oids::VARCHAR => {
            Some(char_max_length(type_oid, typmod)?.saturating_mul(UTF8_BYTES_MAX))
        }
        _ => None,
    }
}

fn numeric_precision(type_oid: u32, typmod: i32) -> Option<i32> {
    match Oid(type_oid) {
        oids::INT2 => Some(16),
        oids::INT4 => Some(32),
        oids::INT8 => Some(64),
        oids::FLOAT4 => Some(24),
        oids::FLOAT8 => Some(53),
        oids::NUMERIC if typmod != -1 => Some(((typmod - HEADER) >> 16) & 0xffff),
        _ => None,
    }
}

fn numeric_radix(type_oid: u32, _typmod: i32) -> Option<i32> {
    match Oid(type_oid) {
        oids::INT2 | oids::INT4 | oids::INT8 | oids::FLOAT4 | oids::FLOAT8 => Some(2),
        oids::NUMERIC => Some(10),
        _ => None,
    }
}

fn scale_of(type_oid: u32, typmod: i32) -> Option<i32> {
    match Oid(type_oid) {
        oids::INT2 | oids::INT4 | oids::INT8 => Some(0),
        oids::NUMERIC if typmod != -1 => Some((typmod - HEADER) & 0xffff),
        _ => None,
    }
}

fn datetime_precision(type_oid: u32, typmod: i32) -> Option<i32> {
    match Oid(type_oid) {
        oids::DATE => Some(0),
        oids::TIME | oids::TIMESTAMP | oids::TIMESTAMPTZ | oids::TIMETZ => {
            Some(if typmod < 0 { SECONDS_DIGITS_MAX } else { typmod })
        }
        oids::INTERVAL if typmod < 0 || typmod & 0xffff == 0xffff => Some(SECONDS_DIGITS_MAX),
        oids::INTERVAL => Some(typmod & 0xffff),
        _ => None,
    }
}

fn interval_type(ctx: &mut FnContext<'_>, type_oid: u32, typmod: i32) -> PgResult<Option<String>> {
    if Oid(type_oid) != oids::INTERVAL {
        return Ok(None);
    }
    let whole = ctx.session.format_type(oids::INTERVAL, Some(typmod))?;
    let fields = whole.trim_start_matches("interval");
    let fields = fields.trim_start_matches(|c: char| c == '(' || c == ')' || c.is_ascii_digit());
    Ok(Some(fields.trim_start_matches(' ').to_uppercase()))
}

/// `to_regtypemod`: the modifier of a type's name; NULL when there is no such type.
fn to_regtypemod(ctx: &mut FnContext<'_>, name: &str) -> PgResult<Option<i32>> {
    match ctx.session.resolver().resolve_type(name) {
        Ok(found) => Ok(Some(found.typmod)),
        Err(e) if [sqlstate::UNDEFINED_OBJECT, sqlstate::INVALID_SCHEMA_NAME].contains(&e.sqlstate) => {
            Ok(None)
        }
        Err(_) if name.trim().is_empty() => Ok(None),
        Err(e) => Err(e),
    }
}

builtins! {
    varchartypmodin(ctx, given: cstring_array) -> int4;
    varchartypmodout = length_out(typmod: int4) -> cstring;
    bpchartypmodin(ctx, given: cstring_array) -> int4;
    bpchartypmodout = length_out(typmod: int4) -> cstring;
    bittypmodin(ctx, given: cstring_array) -> int4;
    bittypmodout = bits_out(typmod: int4) -> cstring;
    varbittypmodin(ctx, given: cstring_array) -> int4;
    varbittypmodout = bits_out(typmod: int4) -> cstring;
    numerictypmodin(ctx, given: cstring_array) -> int4;
    numerictypmodout(typmod: int4) -> cstring;
    timestamptypmodin(ctx, given: cstring_array) -> int4;
    timestamptypmodout(typmod: int4) -> cstring;
    timestamptztypmodin(ctx, given: cstring_array) -> int4;
    timestamptztypmodout(typmod: int4) -> cstring;
    timetypmodin(ctx, given: cstring_array) -> int4;
    timetypmodout(typmod: int4) -> cstring;
    timetztypmodin(ctx, given: cstring_array) -> int4;
    timetztypmodout(typmod: int4) -> cstring;
    intervaltypmodin(ctx, given: cstring_array) -> int4;
    intervaltypmodout(ctx, typmod: int4) -> cstring;
    to_regtypemod(ctx, name: text) -> int4;
    _pg_char_max_length = char_max_length(type_oid: oid, typmod: int4) -> int4;
    _pg_char_octet_length = char_octet_length(type_oid: oid, typmod: int4) -> int4;
    _pg_numeric_precision = numeric_precision(type_oid: oid, typmod: int4) -> int4;
    _pg_numeric_precision_radix = numeric_radix(type_oid: oid, typmod: int4) -> int4;
    _pg_numeric_scale = scale_of(type_oid: oid, typmod: int4) -> int4;
    _pg_datetime_precision = datetime_precision(type_oid: oid, typmod: int4) -> int4;
    _pg_interval_type = interval_type(ctx, type_oid: oid, typmod: int4) -> text;
}
