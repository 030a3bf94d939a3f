//! Constructors of ranges and multiranges, and distances between bounds.

use common::error::ErrorExt;
use common::{Oid, PgError, PgResult, pg_err};
use types::range::make_range;
use types::{Datum, MultirangeValue, Numeric, RangeBound, RangeValue};

use crate::families::float::numeric_float8;
use crate::framework::context::FnContext;
use crate::framework::macros::builtins;

fn range(ctx: &FnContext<'_>, args: &[Datum], inclusive: (bool, bool)) -> PgResult<Datum> {
    let bound = |k: usize, inclusive| RangeBound {
        value: args.get(k).cloned().unwrap_or_default(),
        inclusive,
    };
    let (type_oid, subtype) = (ctx.call.result.oid, ctx.call.arg_type(0));
    let range = make_range(type_oid, subtype, bound(0, inclusive.0), bound(1, inclusive.1))?;
    Ok(RangeValue {
        type_oid,
        subtype,
        range,
    }
    .into_datum())
}

fn range_constructor2(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    range(ctx, args, (true, false))
}

fn range_constructor3(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    let inclusive = match args.get(2).and_then(Datum::as_str) {
        None => {
            return Err(pg_err!(
                DATA_EXCEPTION,
                "range constructor flags argument must not be null"
            ));
        }
        Some("[]") => (true, true),
        Some("[)") => (true, false),
        Some("(]") => (false, true),
        Some("()") => (false, false),
        Some(_) => {
            return Err(pg_err!(SYNTAX_ERROR, "invalid range bound flags")
                .hint("Valid values are \"[]\", \"[)\", \"(]\", and \"()\"."));
        }
    };
    range(ctx, args, inclusive)
}

/// Range type and subtype of a multirange type; remembered by the call site.
fn parts(ctx: &mut FnContext<'_>, multirange: Oid) -> PgResult<(Oid, Oid)> {
    let io = ctx.io();
    let found = ctx
        .cache
        .get_or_try_insert(|_| true, || types::io_range::multirange_parts(multirange, &io))?;
    Ok(*found)
}

fn multirange(ctx: &mut FnContext<'_>, ranges: Vec<types::Range>) -> PgResult<Datum> {
    let type_oid = ctx.call.result.oid;
    let (range_type, subtype) = parts(ctx, type_oid)?;
    let empty = MultirangeValue {
        type_oid,
        range_type,
        subtype,
        ranges: Vec::new(),
    };
    Ok(empty.with(ranges).into_datum())
}

fn multirange_constructor0(ctx: &mut FnContext<'_>, _: &[Datum]) -> PgResult<Datum> {
    multirange(ctx, Vec::new())
}

fn multirange_constructor1(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    match args {
        [Datum::Range(r)] => multirange(ctx, r.range.iter().cloned().collect()),
        _ => Ok(Datum::Null),
    }
}

#[cold]
fn null_member() -> Box<PgError> {
    pg_err!(
        NULL_VALUE_NOT_ALLOWED,
        "multirange values cannot contain null members"
    )
}

fn multirange_constructor2(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    let Some(Datum::Array(array)) = args.first() else {
        return multirange(ctx, Vec::new());
    };
    if array.dims.len() > 1 {
        return Err(pg_err!(
            CARDINALITY_VIOLATION,
            "multiranges cannot be constructed from multidimensional arrays"
        ));
    }
    let mut ranges = Vec::with_capacity(array.elements.len());
    for element in &array.elements {
        match element {
            Datum::Range(r) => ranges.extend(r.range.clone()),
            _ => return Err(null_member()),
        }
    }
    multirange(ctx, ranges)
}

fn int4range_subdiff(a: i32, b: i32) -> f64 {
    f64::from(a) - f64::from(b)
}
fn int8range_subdiff(a: i64, b: i64) -> f64 {
    a as f64 - b as f64
}
fn numrange_subdiff(a: &Numeric, b: &Numeric) -> PgResult<f64> {
    numeric_float8(&types::numeric::sub(a, b)?)
}

fn canonical(r: &RangeValue) -> RangeValue {
    r.clone()
}

#[rustfmt::skip]
builtins! {
    range_constructor2[general](int4, int4) -> int4range; range_constructor3[general](int4, int4, text) -> int4range;
    range_constructor2[general](int8, int8) -> int8range; range_constructor3[general](int8, int8, text) -> int8range;
    range_constructor2[general](numeric, numeric) -> numrange; range_constructor3[general](numeric, numeric, text) -> numrange;
    range_constructor2[general](timestamp, timestamp) -> tsrange; range_constructor3[general](timestamp, timestamp, text) -> tsrange;
    range_constructor2[general](timestamptz, timestamptz) -> tstzrange;
    range_constructor3[general](timestamptz, timestamptz, text) -> tstzrange;
    range_constructor2[general](date, date) -> daterange; range_constructor3[general](date, date, text) -> daterange;
    multirange_constructor1[general strict](anyrange) -> anymultirange;
    multirange_constructor0[general]() -> int4multirange; multirange_constructor1[general strict](int4range) -> int4multirange;
    multirange_constructor2[general strict](int4range_array) -> int4multirange;
    int4range_subdiff(a: int4, b: int4) -> float8; int8range_subdiff(a: int8, b: int8) -> float8;
    numrange_subdiff(a: numeric, b: numeric) -> float8;
    int4range_canonical = canonical(r: int4range) -> int4range; int8range_canonical = canonical(r: int8range) -> int8range;
    daterange_canonical = canonical(r: daterange) -> daterange;
}
