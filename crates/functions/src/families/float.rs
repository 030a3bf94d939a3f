//! `float4` and `float8`: arithmetic, comparison, conversions.

use common::{PgError, PgResult, pg_err};
use types::Numeric;
use types::compare::compare_f64;
use types::numeric;

use crate::families::int::{Int2Range, Int4Range, Int8Range, division_by_zero, sign};
use crate::framework::direct::{Checked, Direct};
use crate::framework::macros::{builtins, direct};

#[cold]
pub(crate) fn overflow() -> Box<PgError> {
    pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow")
}

#[cold]
pub(crate) fn underflow() -> Box<PgError> {
    pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: underflow")
}

/// A float result with what went wrong, if anything.
struct FloatResult<T> {
    value: T,
    overflow: bool,
    underflow: bool,
    zero_division: bool,
}

impl<T: Copy> Direct<T> for FloatResult<T> {
    #[inline]
    fn split(&self) -> (T, bool) {
        (self.value, self.overflow | self.underflow | self.zero_division)
    }
    fn error(&self) -> Box<PgError> {
        if self.zero_division {
            division_by_zero()
        } else if self.overflow {
            overflow()
        } else {
            underflow()
        }
    }
}

/// Arithmetic at one width.
macro_rules! arithmetic {
    ($t:ident $add:ident $sub:ident $mul:ident $div:ident) => {
        fn $add<A: Into<$t>, B: Into<$t>>(a: A, b: B) -> FloatResult<$t> {
            let (a, b): ($t, $t) = (a.into(), b.into());
            let value = a + b;
            FloatResult {
                value,
                overflow: value.is_infinite() & !a.is_infinite() & !b.is_infinite(),
                underflow: false,
                zero_division: false,
            }
        }
        fn $sub<A: Into<$t>, B: Into<$t>>(a: A, b: B) -> FloatResult<$t> {
            let (a, b): ($t, $t) = (a.into(), b.into());
            let value = a - b;
            FloatResult {
                value,
                overflow: value.is_infinite() & !a.is_infinite() & !b.is_infinite(),
                underflow: false,
                zero_division: false,
            }
        }
        fn $mul<A: Into<$t>, B: Into<$t>>(a: A, b: B) -> FloatResult<$t> {
            let (a, b): ($t, $t) = (a.into(), b.into());
            let value = a * b;
            FloatResult {
                value,
                overflow: value.is_infinite() & !a.is_infinite() & !b.is_infinite(),
                underflow: (value == 0.0) & (a != 0.0) & (b != 0.0),
                zero_division: false,
            }
        }
        fn $div<A: Into<$t>, B: Into<$t>>(a: A, b: B) -> FloatResult<$t> {
            let (a, b): ($t, $t) = (a.into(), b.into());
            let value = a / b;
            FloatResult {
                value,
                overflow: value.is_infinite() & !a.is_infinite(),
                underflow: (value == 0.0) & (a != 0.0) & !b.is_infinite(),
                zero_division: (b == 0.0) & !a.is_nan(),
            }
        }
    };
}

arithmetic!(f32 add32 sub32 mul32 div32);
arithmetic!(f64 add64 sub64 mul64 div64);

// NaN equals NaN and is greater than everything else; written without branches for the vectorizer.
fn eq<A: Into<f64>, B: Into<f64>>(a: A, b: B) -> bool {
    let (a, b): (f64, f64) = (a.into(), b.into());
    (a == b) | (a.is_nan() & b.is_nan())
}
fn ne<A: Into<f64>, B: Into<f64>>(a: A, b: B) -> bool {
    !eq(a, b)
}
fn lt<A: Into<f64>, B: Into<f64>>(a: A, b: B) -> bool {
    let (a, b): (f64, f64) = (a.into(), b.into());
    (a < b) | (!a.is_nan() & b.is_nan())
}
fn gt<A: Into<f64>, B: Into<f64>>(a: A, b: B) -> bool {
    lt(b, a)
}
fn le<A: Into<f64>, B: Into<f64>>(a: A, b: B) -> bool {
    !gt(a, b)
}
fn ge<A: Into<f64>, B: Into<f64>>(a: A, b: B) -> bool {
    !lt(a, b)
}
fn cmp<A: Into<f64>, B: Into<f64>>(a: A, b: B) -> i32 {
    sign(compare_f64(a.into(), b.into()))
}
fn larger<A: Into<f64> + Copy>(a: A, b: A) -> A {
    if gt(a, b) { a } else { b }
}
fn smaller<A: Into<f64> + Copy>(a: A, b: A) -> A {
    if lt(a, b) { a } else { b }
}
fn neg<A: std::ops::Neg<Output = A>>(a: A) -> A {
    -a
}
fn pos<A>(a: A) -> A {
    a
}
fn abs32(a: f32) -> f32 {
    a.abs()
}
fn abs64(a: f64) -> f64 {
    a.abs()
}
fn ftod(a: f32) -> f64 {
    f64::from(a)
}
fn dtof(a: f64) -> FloatResult<f32> {
    let value = a as f32;
    FloatResult {
        value,
        overflow: value.is_infinite() & !a.is_infinite(),
        underflow: (value == 0.0) & (a != 0.0),
        zero_division: false,
    }
}
fn i2tod(a: i16) -> f64 {
    f64::from(a)
}
fn i4tod(a: i32) -> f64 {
    f64::from(a)
}
fn i8tod(a: i64) -> f64 {
    a as f64
}
fn i2tof(a: i16) -> f32 {
    f32::from(a)
}
fn i4tof(a: i32) -> f32 {
    a as f32
}
fn i8tof(a: i64) -> f32 {
    a as f32
}
// Halves round to even, as C's rint does; the comparisons are false for NaN.
fn to_int2<A: Into<f64>>(a: A) -> Checked<i16, Int2Range> {
    let a: f64 = a.into().round_ties_even();
    Checked::new((a as i16, !(-32_768.0..32_768.0).contains(&a)))
}
fn to_int4<A: Into<f64>>(a: A) -> Checked<i32, Int4Range> {
    let a: f64 = a.into().round_ties_even();
    Checked::new((a as i32, !(-2_147_483_648.0..2_147_483_648.0).contains(&a)))
}
fn to_int8<A: Into<f64>>(a: A) -> Checked<i64, Int8Range> {
    let a: f64 = a.into().round_ties_even();
    let limit = 9_223_372_036_854_775_808.0;
    Checked::new((a as i64, !(-limit..limit).contains(&a)))
}

#[rustfmt::skip]
direct! {
    float4pl = add32(a: float4, b: float4) -> float4; float4mi = sub32(a: float4, b: float4) -> float4;
    float4mul = mul32(a: float4, b: float4) -> float4; float4div = div32(a: float4, b: float4) -> float4;
    float8pl = add64(a: float8, b: float8) -> float8; float8mi = sub64(a: float8, b: float8) -> float8;
    float8mul = mul64(a: float8, b: float8) -> float8; float8div = div64(a: float8, b: float8) -> float8;
    float48pl = add64(a: float4, b: float8) -> float8; float48mi = sub64(a: float4, b: float8) -> float8;
    float48mul = mul64(a: float4, b: float8) -> float8; float48div = div64(a: float4, b: float8) -> float8;
    float84pl = add64(a: float8, b: float4) -> float8; float84mi = sub64(a: float8, b: float4) -> float8;
    float84mul = mul64(a: float8, b: float4) -> float8; float84div = div64(a: float8, b: float4) -> float8;
    float4eq = eq(a: float4, b: float4) -> bool; float4ne = ne(a: float4, b: float4) -> bool;
    float4lt = lt(a: float4, b: float4) -> bool; float4le = le(a: float4, b: float4) -> bool;
    float4gt = gt(a: float4, b: float4) -> bool; float4ge = ge(a: float4, b: float4) -> bool;
    float8eq = eq(a: float8, b: float8) -> bool; float8ne = ne(a: float8, b: float8) -> bool;
    float8lt = lt(a: float8, b: float8) -> bool; float8le = le(a: float8, b: float8) -> bool;
    float8gt = gt(a: float8, b: float8) -> bool; float8ge = ge(a: float8, b: float8) -> bool;
    float48eq = eq(a: float4, b: float8) -> bool; float48ne = ne(a: float4, b: float8) -> bool;
    float48lt = lt(a: float4, b: float8) -> bool; float48le = le(a: float4, b: float8) -> bool;
    float48gt = gt(a: float4, b: float8) -> bool; float48ge = ge(a: float4, b: float8) -> bool;
    float84eq = eq(a: float8, b: float4) -> bool; float84ne = ne(a: float8, b: float4) -> bool;
    float84lt = lt(a: float8, b: float4) -> bool; float84le = le(a: float8, b: float4) -> bool;
    float84gt = gt(a: float8, b: float4) -> bool; float84ge = ge(a: float8, b: float4) -> bool;
    btfloat4cmp = cmp(a: float4, b: float4) -> int4; btfloat8cmp = cmp(a: float8, b: float8) -> int4;
    btfloat48cmp = cmp(a: float4, b: float8) -> int4; btfloat84cmp = cmp(a: float8, b: float4) -> int4;
    float4larger = larger(a: float4, b: float4) -> float4; float4smaller = smaller(a: float4, b: float4) -> float4;
    float8larger = larger(a: float8, b: float8) -> float8; float8smaller = smaller(a: float8, b: float8) -> float8;
    float4um = neg(a: float4) -> float4; float8um = neg(a: float8) -> float8;
    float4up = pos(a: float4) -> float4; float8up = pos(a: float8) -> float8;
    float4abs = abs32(a: float4) -> float4; float8abs = abs64(a: float8) -> float8;
    ftod(a: float4) -> float8; dtof(a: float8) -> float4;
    i2tod(a: int2) -> float8; i4tod(a: int4) -> float8; i8tod(a: int8) -> float8;
    i2tof(a: int2) -> float4; i4tof(a: int4) -> float4; i8tof(a: int8) -> float4;
    dtoi2 = to_int2(a: float8) -> int2; dtoi4 = to_int4(a: float8) -> int4; dtoi8 = to_int8(a: float8) -> int8;
    ftoi2 = to_int2(a: float4) -> int2; ftoi4 = to_int4(a: float4) -> int4; ftoi8 = to_int8(a: float4) -> int8;
}

fn float4_numeric(a: f32) -> PgResult<Numeric> {
    Numeric::from_f64(f64::from(a), 6)
}

fn float8_numeric(a: f64) -> PgResult<Numeric> {
    Numeric::from_f64(a, 15)
}

pub(crate) fn numeric_float4(a: &Numeric) -> PgResult<f32> {
    match a {
        Numeric::NaN => Ok(f32::NAN),
        Numeric::PosInf => Ok(f32::INFINITY),
        Numeric::NegInf => Ok(f32::NEG_INFINITY),
        finite => types::float::parse_f32(&finite.to_string()),
    }
}

pub(crate) fn numeric_float8(a: &Numeric) -> PgResult<f64> {
    match a {
        Numeric::Small { unscaled, scale: 0 } => Ok(*unscaled as f64),
        finite if finite.is_finite() => types::float::parse_f64(&finite.to_string(), "double precision"),
        special => Ok(special.to_f64()),
    }
}

fn width_bucket_float8(operand: f64, low: f64, high: f64, count: i32) -> PgResult<i32> {
    if count <= 0 {
        return Err(pg_err!(
            INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION,
            "count must be greater than zero"
        ));
    }
    if operand.is_nan() || low.is_nan() || high.is_nan() {
        return Err(pg_err!(
            INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION,
            "operand, lower bound, and upper bound cannot be NaN"
        ));
    }
    if low.is_infinite() || high.is_infinite() {
        return Err(pg_err!(
            INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION,
            "lower and upper bounds must be finite"
        ));
    }
    if low == high {
        return Err(pg_err!(
            INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION,
            "lower bound cannot equal upper bound"
        ));
    }

    let (below, above) = if low < high {
        (operand < low, operand >= high)
    } else {
        (operand > low, operand <= high)
    };
    if below {
        return Ok(0);
    }
    if above {
        return count
            .checked_add(1)
            .ok_or_else(|| pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range"));
    }
    let (n, span) = (operand - low, high - low);
    let share = if span.is_infinite() {
        (operand / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0)
    } else {
        n / span
    };
    let bucket = (f64::from(count) * share) as i32;
    // Division may round up to the end.
    Ok(bucket.min(count - 1) + 1)
}

fn int2_numeric(a: i16) -> Numeric {
    Numeric::from(i64::from(a))
}
fn int4_numeric(a: i32) -> Numeric {
    Numeric::from(i64::from(a))
}
fn int8_numeric(a: i64) -> Numeric {
    Numeric::from(a)
}

fn numeric_int(a: &Numeric, type_name: &str) -> PgResult<Option<i64>> {
    match a {
        Numeric::NaN => Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "cannot convert NaN to {type_name}"
        )),
        Numeric::PosInf | Numeric::NegInf => Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "cannot convert infinity to {type_name}"
        )),
        finite => Ok(finite.to_i64()),
    }
}

fn out_of_range(type_name: &str) -> Box<PgError> {
    pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, "{type_name} out of range")
}

pub(crate) fn numeric_int2(a: &Numeric) -> PgResult<i16> {
    let v = numeric_int(a, "smallint")?.and_then(|v| i16::try_from(v).ok());
    v.ok_or_else(|| out_of_range("smallint"))
}

pub(crate) fn numeric_int4(a: &Numeric) -> PgResult<i32> {
    let v = numeric_int(a, "integer")?.and_then(|v| i32::try_from(v).ok());
    v.ok_or_else(|| out_of_range("integer"))
}

pub(crate) fn numeric_int8(a: &Numeric) -> PgResult<i64> {
    numeric_int(a, "bigint")?.ok_or_else(|| out_of_range("bigint"))
}

fn numeric_fac(n: i64) -> PgResult<Numeric> {
    numeric::factorial(n)
}

#[rustfmt::skip]
builtins! {
    float4_numeric(a: float4) -> numeric; float8_numeric(a: float8) -> numeric;
    numeric_float4(a: numeric) -> float4; numeric_float8(a: numeric) -> float8;
    int2_numeric(a: int2) -> numeric; int4_numeric(a: int4) -> numeric;
    int8_numeric(a: int8) -> numeric;
    numeric_int2(a: numeric) -> int2; numeric_int4(a: numeric) -> int4; numeric_int8(a: numeric) -> int8;
    width_bucket_float8(operand: float8, low: float8, high: float8, count: int4) -> int4;
    numeric_fac(n: int8) -> numeric;
}
