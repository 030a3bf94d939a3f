//! `in_range` of numbers: where frames of RANGE with an offset end.
//!
//! PG: src/backend/utils/adt/int.c (`in_range_int4_int4`...).

use common::{PgError, PgResult, pg_err};
use types::Numeric;

use crate::framework::macros::builtins;

fn negative() -> Box<PgError> {
    pg_err!(
        INVALID_PRECEDING_OR_FOLLOWING_SIZE,
        "invalid preceding or following size in window function"
    )
}

fn integers(value: i64, base: i64, offset: i64, sub: bool, less: bool) -> PgResult<bool> {
    if offset < 0 {
        return Err(negative());
    }
    let bound = if sub {
        i128::from(base) - i128::from(offset)
    } else {
        i128::from(base) + i128::from(offset)
    };
    let value = i128::from(value);
    Ok(if less { value <= bound } else { value >= bound })
}

fn int2_int2(value: i16, base: i16, offset: i16, sub: bool, less: bool) -> PgResult<bool> {
    integers(value.into(), base.into(), offset.into(), sub, less)
}

fn int2_int4(value: i16, base: i16, offset: i32, sub: bool, less: bool) -> PgResult<bool> {
    integers(value.into(), base.into(), offset.into(), sub, less)
}

fn int2_int8(value: i16, base: i16, offset: i64, sub: bool, less: bool) -> PgResult<bool> {
    integers(value.into(), base.into(), offset, sub, less)
}

fn int4_int2(value: i32, base: i32, offset: i16, sub: bool, less: bool) -> PgResult<bool> {
    integers(value.into(), base.into(), offset.into(), sub, less)
}

fn int4_int4(value: i32, base: i32, offset: i32, sub: bool, less: bool) -> PgResult<bool> {
    integers(value.into(), base.into(), offset.into(), sub, less)
}

fn int4_int8(value: i32, base: i32, offset: i64, sub: bool, less: bool) -> PgResult<bool> {
    integers(value.into(), base.into(), offset, sub, less)
}

fn int8_int8(value: i64, base: i64, offset: i64, sub: bool, less: bool) -> PgResult<bool> {
    integers(value, base, offset, sub, less)
}

fn floats(value: f64, base: f64, offset: f64, sub: bool, less: bool) -> PgResult<bool> {
    if offset.is_nan() || offset < 0.0 {
        return Err(negative());
    }
    // NaN sorts above everything and is in range of itself alone.
    if value.is_nan() {
        return Ok(base.is_nan() || !less);
    }
    if base.is_nan() {
        return Ok(less);
    }
    if offset.is_infinite() && base.is_infinite() && (if sub { base > 0.0 } else { base < 0.0 }) {
        return Ok(true);
    }
    let bound = if sub { base - offset } else { base + offset };
    Ok(if less { value <= bound } else { value >= bound })
}

fn float8_float8(value: f64, base: f64, offset: f64, sub: bool, less: bool) -> PgResult<bool> {
    floats(value, base, offset, sub, less)
}

fn float4_float8(value: f32, base: f32, offset: f64, sub: bool, less: bool) -> PgResult<bool> {
    floats(value.into(), base.into(), offset, sub, less)
}

fn numeric_numeric(
    value: &Numeric,
    base: &Numeric,
    offset: &Numeric,
    sub: bool,
    less: bool,
) -> PgResult<bool> {
    let zero = Numeric::from(0);
    if matches!(offset, Numeric::NaN) || offset.compare(&zero).is_lt() {
        return Err(negative());
    }
    if matches!(value, Numeric::NaN) {
        return Ok(matches!(base, Numeric::NaN) || !less);
    }
    if matches!(base, Numeric::NaN) {
        return Ok(less);
    }
    let bound = if sub {
        crate::families::numeric::sub(base, offset)?
    } else {
        crate::families::numeric::add(base, offset)?
    };
    // Infinity less infinity: everything is in range.
    if matches!(bound, Numeric::NaN) {
        return Ok(true);
    }
    let order = value.compare(&bound);
    Ok(if less { order.is_le() } else { order.is_ge() })
}

builtins! {
    in_range_int2_int2 = int2_int2(value: int2, base: int2, offset: int2, sub: bool, less: bool) -> bool;
    in_range_int2_int4 = int2_int4(value: int2, base: int2, offset: int4, sub: bool, less: bool) -> bool;
    in_range_int2_int8 = int2_int8(value: int2, base: int2, offset: int8, sub: bool, less: bool) -> bool;
    in_range_int4_int2 = int4_int2(value: int4, base: int4, offset: int2, sub: bool, less: bool) -> bool;
    in_range_int4_int4 = int4_int4(value: int4, base: int4, offset: int4, sub: bool, less: bool) -> bool;
    in_range_int4_int8 = int4_int8(value: int4, base: int4, offset: int8, sub: bool, less: bool) -> bool;
    in_range_int8_int8 = int8_int8(value: int8, base: int8, offset: int8, sub: bool, less: bool) -> bool;
    in_range_float8_float8 = float8_float8(value: float8, base: float8, offset: float8, sub: bool, less: bool) -> bool;
    in_range_float4_float8 = float4_float8(value: float4, base: float4, offset: float8, sub: bool, less: bool) -> bool;
    in_range_numeric_numeric = numeric_numeric(value: numeric, base: numeric, offset: numeric, sub: bool, less: bool) -> bool;
}
