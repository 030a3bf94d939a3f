//! Transition and final functions of aggregates as functions that a user can call: their states are arrays.
//!
//! Our own aggregates keep their states elsewhere ([`super::float`], [`super::number`]); these serve user-defined aggregates.

use common::{PgError, PgResult, internal, pg_err};
use types::{ArrayValue, Datum, Numeric, numeric, oids};

use crate::framework::context::FnContext;
use crate::framework::macros::builtins;

#[cold]
fn overflow() -> Box<PgError> {
    pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow")
}

fn floats<const N: usize>(state: &ArrayValue, caller: &str) -> PgResult<[f64; N]> {
    let values: Vec<f64> = state
        .elements
        .iter()
        .filter_map(|e| match e {
            Datum::Float8(v) => Some(*v),
            _ => None,
        })
        .collect();
    <[f64; N]>::try_from(values)
        .ok()
        .filter(|_| state.dims.len() == 1)
        .ok_or_else(|| internal!("{caller}: expected {N}-element float8 array"))
}

fn float_state<const N: usize>(values: [f64; N]) -> ArrayValue {
    ArrayValue::from_elements(oids::FLOAT8, values.into_iter().map(Datum::Float8).collect())
}

/// Youngs and Cramer's step: count, sum and sum of squares of differences with one more value.
fn accumulate([n, sum, squares]: [f64; 3], value: f64) -> PgResult<[f64; 3]> {
    let (count, total) = (n + 1.0, sum + value);
    let mut squares = squares;
    if n > 0.0 {
        let difference = value * count - total;
        squares += difference * difference / (count * n);
        if total.is_infinite() || squares.is_infinite() {
            if !sum.is_infinite() && !value.is_infinite() {
                return Err(overflow());
            }
            squares = f64::NAN;
        }
    } else if !value.is_finite() {
        squares = f64::NAN;
    }
    Ok([count, total, squares])
}

fn float8_accum(state: &ArrayValue, value: f64) -> PgResult<ArrayValue> {
    Ok(float_state(accumulate(floats(state, "float8_accum")?, value)?))
}

fn float4_accum(state: &ArrayValue, value: f32) -> PgResult<ArrayValue> {
    Ok(float_state(accumulate(
        floats(state, "float4_accum")?,
        f64::from(value),
    )?))
}

fn float8_combine(a: &ArrayValue, b: &ArrayValue) -> PgResult<ArrayValue> {
    let [n1, s1, q1] = floats(a, "float8_combine")?;
    let [n2, s2, q2] = floats(b, "float8_combine")?;
    if n1 == 0.0 {
        return Ok(float_state([n2, s2, q2]));
    }
    if n2 == 0.0 {
        return Ok(float_state([n1, s1, q1]));
    }
    let (n, sum, apart) = (n1 + n2, s1 + s2, s1 / n1 - s2 / n2);
    let squares = q1 + q2 + n1 * n2 * apart * apart / n;
    let was_infinite = [s1, s2, q1, q2].iter().any(|v| v.is_infinite());
    if (sum.is_infinite() || squares.is_infinite()) && !was_infinite {
        return Err(overflow());
    }
    Ok(float_state([n, sum, squares]))
}

/// Final functions over `{n, sum, squares}`.
macro_rules! float_finals {
    ($($name:ident ($n:ident, $sum:ident, $squares:ident) >= $least:literal $body:expr;)*) => {$(
        #[allow(unused_variables)]
        fn $name(state: &ArrayValue) -> PgResult<Option<f64>> {
            let [$n, $sum, $squares] = floats(state, stringify!($name))?;
            Ok(if $n < $least { None } else { Some($body) })
        }
    )*};
}

float_finals! {
    float8_avg(n, sum, squares) >= 1.0 sum / n;
    float8_var_pop(n, sum, squares) >= 1.0 squares / n;
    float8_var_samp(n, sum, squares) >= 2.0 squares / (n - 1.0);
    float8_stddev_pop(n, sum, squares) >= 1.0 (squares / n).sqrt();
    float8_stddev_samp(n, sum, squares) >= 2.0 (squares / (n - 1.0)).sqrt();
}

/// Count; sums and squares of X and Y; products.
struct Regression {
    n: f64,
    sx: f64,
    sxx: f64,
    sy: f64,
    syy: f64,
    sxy: f64,
}

impl Regression {
    fn read(state: &ArrayValue, caller: &str) -> PgResult<Regression> {
        let [n, sx, sxx, sy, syy, sxy] = floats(state, caller)?;
        Ok(Regression {
            n,
            sx,
            sxx,
            sy,
            syy,
            sxy,
        })
    }

    fn write(&self) -> ArrayValue {
        float_state([self.n, self.sx, self.sxx, self.sy, self.syy, self.sxy])
    }
}

fn float8_regr_accum(state: &ArrayValue, y: f64, x: f64) -> PgResult<ArrayValue> {
    let old = Regression::read(state, "float8_regr_accum")?;
    let [n, sx, sxx] = accumulate([old.n, old.sx, old.sxx], x)?;
    let [_, sy, syy] = accumulate([old.n, old.sy, old.syy], y)?;
    let mut sxy = old.sxy;
    if old.n > 0.0 {
        sxy += (x * n - sx) * (y * n - sy) / (n * old.n);
        if sxy.is_infinite() {
            if [old.sx, old.sy, x, y].iter().all(|v| v.is_finite()) {
                return Err(overflow());
            }
            sxy = f64::NAN;
        }
    } else if !x.is_finite() || !y.is_finite() {
        sxy = f64::NAN;
    }
    Ok(Regression {
        n,
        sx,
        sxx,
        sy,
        syy,
        sxy,
    }
    .write())
}

fn float8_regr_combine(a: &ArrayValue, b: &ArrayValue) -> PgResult<ArrayValue> {
    let a = Regression::read(a, "float8_regr_combine")?;
    let b = Regression::read(b, "float8_regr_combine")?;
    if a.n == 0.0 {
        return Ok(b.write());
    }
    if b.n == 0.0 {
        return Ok(a.write());
    }
    let n = a.n + b.n;
    let (dx, dy) = (a.sx / a.n - b.sx / b.n, a.sy / a.n - b.sy / b.n);
    let cross = a.n * b.n / n;
    let joined = Regression {
        n,
        sx: a.sx + b.sx,
        sxx: a.sxx + b.sxx + cross * dx * dx,
        sy: a.sy + b.sy,
        syy: a.syy + b.syy + cross * dy * dy,
        sxy: a.sxy + b.sxy + cross * dx * dy,
    };
    Ok(joined.write())
}

/// Final functions over a regression; `None` is NULL.
macro_rules! regression_finals {
    ($($name:ident $r:ident >= $least:literal $body:expr;)*) => {$(
        fn $name(state: &ArrayValue) -> PgResult<Option<f64>> {
            let $r = Regression::read(state, stringify!($name))?;
            Ok(if $r.n < $least { None } else { $body })
        }
    )*};
}

regression_finals! {
    float8_regr_sxx r >= 1.0 Some(r.sxx);
    float8_regr_syy r >= 1.0 Some(r.syy);
    float8_regr_sxy r >= 1.0 Some(r.sxy);
    float8_regr_avgx r >= 1.0 Some(r.sx / r.n);
    float8_regr_avgy r >= 1.0 Some(r.sy / r.n);
    float8_covar_pop r >= 1.0 Some(r.sxy / r.n);
    float8_covar_samp r >= 2.0 Some(r.sxy / (r.n - 1.0));
    float8_corr r >= 1.0 (r.sxx != 0.0 && r.syy != 0.0).then(|| r.sxy / (r.sxx * r.syy).sqrt());
    float8_regr_r2 r >= 1.0 (r.sxx != 0.0)
        .then(|| if r.syy == 0.0 { 1.0 } else { (r.sxy * r.sxy) / (r.sxx * r.syy) });
    float8_regr_slope r >= 1.0 (r.sxx != 0.0).then(|| r.sxy / r.sxx);
    float8_regr_intercept r >= 1.0 (r.sxx != 0.0).then(|| (r.sy - r.sx * r.sxy / r.sxx) / r.n);
}

fn sum_step(old: Option<i64>, value: Option<i64>) -> Option<i64> {
    match (old, value) {
        (Some(a), Some(b)) => Some(a.wrapping_add(b)),
        (a, b) => a.or(b),
    }
}

fn int2_sum(old: Option<i64>, value: Option<i16>) -> Option<i64> {
    sum_step(old, value.map(i64::from))
}

fn int4_sum(old: Option<i64>, value: Option<i32>) -> Option<i64> {
    sum_step(old, value.map(i64::from))
}

fn int8_sum(old: Option<&Numeric>, value: Option<i64>) -> PgResult<Option<Numeric>> {
    let new = value.map(|v| Numeric::from_i128(i128::from(v), 0));
    Ok(match (old, new) {
        (Some(a), Some(b)) => Some(numeric::add(a, &b)?),
        (a, b) => a.cloned().or(b),
    })
}

fn integers(state: &ArrayValue) -> PgResult<(i64, i64)> {
    match state.elements.as_slice() {
        [Datum::Int8(count), Datum::Int8(sum)] if state.dims.len() == 1 => Ok((*count, *sum)),
        _ => Err(internal!("expected 2-element int8 array")),
    }
}

fn average_step(state: &ArrayValue, value: i64, direction: i64) -> PgResult<ArrayValue> {
    let (count, sum) = integers(state)?;
    let next = [count.wrapping_add(direction), sum.wrapping_add(direction * value)];
    Ok(ArrayValue::from_elements(
        oids::INT8,
        next.into_iter().map(Datum::Int8).collect(),
    ))
}

fn int2_avg_accum(state: &ArrayValue, value: i16) -> PgResult<ArrayValue> {
    average_step(state, i64::from(value), 1)
}

fn int4_avg_accum(state: &ArrayValue, value: i32) -> PgResult<ArrayValue> {
    average_step(state, i64::from(value), 1)
}

fn int2_avg_accum_inv(state: &ArrayValue, value: i16) -> PgResult<ArrayValue> {
    average_step(state, i64::from(value), -1)
}

fn int4_avg_accum_inv(state: &ArrayValue, value: i32) -> PgResult<ArrayValue> {
    average_step(state, i64::from(value), -1)
}

fn int4_avg_combine(_: &ArrayValue, _: &ArrayValue) -> PgResult<ArrayValue> {
    Err(internal!("aggregate function called in non-aggregate context"))
}

fn int8_avg(state: &ArrayValue) -> PgResult<Option<Numeric>> {
    let (count, sum) = integers(state)?;
    if count == 0 {
        return Ok(None);
    }
    let number = |v: i64| Numeric::from_i128(i128::from(v), 0);
    numeric::div(&number(sum), &number(count)).map(Some)
}

fn int2int4_sum(state: &ArrayValue) -> PgResult<Option<i64>> {
    let (count, sum) = integers(state)?;
    Ok((count != 0).then_some(sum))
}

fn counted(count: i64, by: i64) -> PgResult<i64> {
    count
        .checked_add(by)
        .ok_or_else(|| pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range"))
}

fn int8inc_any(_: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    counted(args.first().and_then(Datum::as_i64).unwrap_or(0), 1).map(Datum::Int8)
}

fn int8dec_any(_: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    counted(args.first().and_then(Datum::as_i64).unwrap_or(0), -1).map(Datum::Int8)
}

fn int8inc_float8_float8(count: i64, _: f64, _: f64) -> PgResult<i64> {
    counted(count, 1)
}

fn booland_statefunc(a: bool, b: bool) -> bool {
    a && b
}

fn boolor_statefunc(a: bool, b: bool) -> bool {
    a || b
}

fn any_value_transfn(_: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    Ok(args.first().cloned().unwrap_or(Datum::Null))
}

builtins! {
    float8_accum(state: float8_array, value: float8) -> float8_array;
    float4_accum(state: float8_array, value: float4) -> float8_array;
    float8_combine(a: float8_array, b: float8_array) -> float8_array;
    float8_avg(state: float8_array) -> float8;
    float8_var_pop(state: float8_array) -> float8;
    float8_var_samp(state: float8_array) -> float8;
    float8_stddev_pop(state: float8_array) -> float8;
    float8_stddev_samp(state: float8_array) -> float8;
    float8_regr_accum(state: float8_array, y: float8, x: float8) -> float8_array;
    float8_regr_combine(a: float8_array, b: float8_array) -> float8_array;
    float8_regr_sxx(state: float8_array) -> float8;
    float8_regr_syy(state: float8_array) -> float8;
    float8_regr_sxy(state: float8_array) -> float8;
    float8_regr_avgx(state: float8_array) -> float8;
    float8_regr_avgy(state: float8_array) -> float8;
    float8_covar_pop(state: float8_array) -> float8;
    float8_covar_samp(state: float8_array) -> float8;
    float8_corr(state: float8_array) -> float8;
    float8_regr_r2(state: float8_array) -> float8;
    float8_regr_slope(state: float8_array) -> float8;
    float8_regr_intercept(state: float8_array) -> float8;
    int2_sum(old: int8, value: int2) -> int8;
    int4_sum(old: int8, value: int4) -> int8;
    int8_sum(old: numeric, value: int8) -> numeric;
    int2_avg_accum(state: int8_array, value: int2) -> int8_array;
    int4_avg_accum(state: int8_array, value: int4) -> int8_array;
    int2_avg_accum_inv(state: int8_array, value: int2) -> int8_array;
    int4_avg_accum_inv(state: int8_array, value: int4) -> int8_array;
    int4_avg_combine(a: int8_array, b: int8_array) -> int8_array;
    int8_avg(state: int8_array) -> numeric;
    int2int4_sum(state: int8_array) -> int8;
    int8inc_any[general strict](int8, any) -> int8;
    int8dec_any[general strict](int8, any) -> int8;
    int8inc_float8_float8(count: int8, y: float8, x: float8) -> int8;
    booland_statefunc(a: bool, b: bool) -> bool;
    boolor_statefunc(a: bool, b: bool) -> bool;
    any_value_transfn[general strict](anyelement, anyelement) -> anyelement;
}
