//! `numeric`: operators and functions over the arithmetic of `types::numeric`.

use common::{PgError, PgResult, pg_err};
use types::Numeric;
use types::numeric::{self, Rounding};

use crate::families::int::{empty_random_range, random_up_to, sign};
use crate::framework::context::FnContext;
use crate::framework::macros::builtins;

fn lt(a: &Numeric, b: &Numeric) -> bool {
    a.compare(b).is_lt()
}
fn le(a: &Numeric, b: &Numeric) -> bool {
    a.compare(b).is_le()
}
fn ge(a: &Numeric, b: &Numeric) -> bool {
    a.compare(b).is_ge()
}
fn gt(a: &Numeric, b: &Numeric) -> bool {
    a.compare(b).is_gt()
}
fn cmp(a: &Numeric, b: &Numeric) -> i32 {
    sign(a.compare(b))
}
fn larger(a: &Numeric, b: &Numeric) -> Numeric {
    if gt(a, b) { a.clone() } else { b.clone() }
}
fn smaller(a: &Numeric, b: &Numeric) -> Numeric {
    if lt(a, b) { a.clone() } else { b.clone() }
}

pub(crate) fn add(a: &Numeric, b: &Numeric) -> PgResult<Numeric> {
    numeric::add(a, b)
}
pub(crate) fn sub(a: &Numeric, b: &Numeric) -> PgResult<Numeric> {
    numeric::sub(a, b)
}
fn div_trunc(a: &Numeric, b: &Numeric) -> PgResult<Numeric> {
    numeric::div_trunc(a, b)
}
fn modulo(a: &Numeric, b: &Numeric) -> PgResult<Numeric> {
    numeric::modulo(a, b)
}
fn inc(a: &Numeric) -> PgResult<Numeric> {
    numeric::add(a, &Numeric::from(1))
}
fn neg(a: &Numeric) -> Numeric {
    numeric::neg(a)
}
fn pos(a: &Numeric) -> Numeric {
    a.clone()
}
fn abs(a: &Numeric) -> Numeric {
    if a.signum() < 0 {
        numeric::neg(a)
    } else {
        a.clone()
    }
}
fn signum(a: &Numeric) -> Numeric {
    if matches!(a, Numeric::NaN) {
        Numeric::NaN
    } else {
        Numeric::from(i64::from(a.signum()))
    }
}
fn ceil(a: &Numeric) -> PgResult<Numeric> {
    a.round_to(0, Rounding::Ceiling)
}
fn floor(a: &Numeric) -> PgResult<Numeric> {
    a.round_to(0, Rounding::Floor)
}
fn round(a: &Numeric, scale: i32) -> PgResult<Numeric> {
    a.round_to(scale, Rounding::HalfAway)
}
fn trunc(a: &Numeric, scale: i32) -> PgResult<Numeric> {
    a.round_to(scale, Rounding::Truncate)
}
fn round_whole(a: &Numeric) -> PgResult<Numeric> {
    round(a, 0)
}
fn trunc_whole(a: &Numeric) -> PgResult<Numeric> {
    trunc(a, 0)
}
fn sqrt(a: &Numeric) -> PgResult<Numeric> {
    numeric::sqrt(a)
}
fn exp(a: &Numeric) -> PgResult<Numeric> {
    numeric::exp(a)
}
fn ln(a: &Numeric) -> PgResult<Numeric> {
    numeric::ln(a)
}
fn log(base: &Numeric, a: &Numeric) -> PgResult<Numeric> {
    numeric::log(base, a)
}
fn log10(a: &Numeric) -> PgResult<Numeric> {
    numeric::log(&Numeric::from(10), a)
}
fn power(a: &Numeric, b: &Numeric) -> PgResult<Numeric> {
    numeric::power(a, b)
}
fn gcd(a: &Numeric, b: &Numeric) -> PgResult<Numeric> {
    numeric::gcd(a, b)
}
fn lcm(a: &Numeric, b: &Numeric) -> PgResult<Numeric> {
    numeric::lcm(a, b)
}
fn scale(a: &Numeric) -> Option<i32> {
    a.is_finite().then(|| i32::from(a.scale()))
}
fn min_scale(a: &Numeric) -> Option<i32> {
    scale(&a.trim_scale())
}
fn trim_scale(a: &Numeric) -> Numeric {
    a.trim_scale()
}
fn apply_typmod(a: &Numeric, typmod: i32) -> PgResult<Numeric> {
    a.apply_typmod(typmod)
}

#[cold]
fn bucket_error(text: &str) -> Box<PgError> {
    pg_err!(INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION, "{text}")
}

fn width_bucket(operand: &Numeric, low: &Numeric, high: &Numeric, count: i32) -> PgResult<i32> {
    if count <= 0 {
        return Err(bucket_error("count must be greater than zero"));
    }
    if [operand, low, high].iter().any(|b| matches!(b, Numeric::NaN)) {
        return Err(bucket_error(
            "operand, lower bound, and upper bound cannot be NaN",
        ));
    }
    if !low.is_finite() || !high.is_finite() {
        return Err(bucket_error("lower and upper bounds must be finite"));
    }
    let order = low.compare(high);
    if order.is_eq() {
        return Err(bucket_error("lower bound cannot equal upper bound"));
    }
    let (below, above) = if order.is_lt() {
        (lt(operand, low), ge(operand, high))
    } else {
        (gt(operand, low), le(operand, high))
    };
    if below {
        return Ok(0);
    }
    if above {
        return count
            .checked_add(1)
            .ok_or_else(|| pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range"));
    }
    let distance = numeric::mul(&numeric::sub(operand, low)?, &Numeric::from(i64::from(count)))?;
    let bucket = numeric::div_trunc(&distance, &numeric::sub(high, low)?)?;
    Ok(bucket.to_i64().unwrap_or(0) as i32 + 1)
}

fn random(ctx: &mut FnContext<'_>, lo: &Numeric, hi: &Numeric) -> PgResult<Numeric> {
    for (bound, name) in [(lo, "lower"), (hi, "upper")] {
        match bound {
            Numeric::NaN => {
                return Err(pg_err!(INVALID_PARAMETER_VALUE, "{name} bound cannot be NaN"));
            }
            Numeric::PosInf | Numeric::NegInf => {
                return Err(pg_err!(
                    INVALID_PARAMETER_VALUE,
                    "{name} bound cannot be infinity"
                ));
            }
            _ => {}
        }
    }
    if lt(hi, lo) {
        return Err(empty_random_range());
    }
    let scale = usize::from(lo.scale().max(hi.scale()));
    let span = numeric::sub(hi, lo)?;
    if !lt(&Numeric::from(0), &span) {
        return lo.round_to(scale as i32, Rounding::HalfAway);
    }
    let steps = random_steps(ctx, &span, scale)?;
    numeric::add(lo, &steps)?.round_to(scale as i32, Rounding::HalfAway)
}

/// Uniform in `[0, span]`, with so many decimals: digits of base 10,000 are drawn as PostgreSQL draws them (the first four in one number
/// of at most their value in the span, the rest freely), again while the whole is beyond the span.
fn random_steps(ctx: &FnContext<'_>, span: &Numeric, scale: usize) -> PgResult<Numeric> {
    const BASE: u64 = 10_000;
    let text = span.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let whole = whole.trim_start_matches('0');
    let decimals = scale.div_ceil(4) * 4;
    let padded = format!(
        "{}{whole}{fraction:0<decimals$}",
        "0".repeat((4 - whole.len() % 4) % 4)
    );
    let mut digits: Vec<u64> = (0..padded.len() / 4)
        .map(|k| {
            padded
                .get(k * 4..k * 4 + 4)
                .and_then(|d| d.parse().ok())
                .unwrap_or(0)
        })
        .collect();
    let leading = digits.iter().take_while(|d| **d == 0).count();
    digits.drain(..leading);
    let unit = 10_u64.pow((decimals - scale) as u32);
    let first = digits.len().min(4);
    let most = digits.iter().take(first).fold(0, |sum, d| sum * BASE + d);
    loop {
        let mut drawn = vec![0; digits.len()];
        let mut value = match first == digits.len() {
            true => random_up_to(ctx, most / unit)? * unit,
            false => random_up_to(ctx, most)?,
        };
        for digit in drawn.iter_mut().take(first).rev() {
            *digit = value % BASE;
            value /= BASE;
        }
        let free = digits.len() - usize::from(unit != 1);
        let mut at = first;
        while at + 3 < free {
            let mut four = random_up_to(ctx, BASE.pow(4) - 1)?;
            for digit in drawn.iter_mut().skip(at).take(4) {
                *digit = four % BASE;
                four /= BASE;
            }
            at += 4;
        }
        while at < digits.len() {
            drawn[at] = match at < free {
                true => random_up_to(ctx, BASE - 1)?,
                false => random_up_to(ctx, BASE / unit - 1)? * unit,
            };
            at += 1;
        }
        if drawn <= digits {
            return steps_of(&drawn, decimals);
        }
    }
}

/// Digits of base 10,000 with so many decimals, as a number.
fn steps_of(digits: &[u64], decimals: usize) -> PgResult<Numeric> {
    let text: String = digits.iter().map(|d| format!("{d:04}")).collect();
    let text = format!("{text:0>width$}", width = decimals + 1);
    let (whole, fraction) = text.split_at(text.len() - decimals);
    numeric::parse(&format!("{whole}.{fraction}0"), "numeric")
}

#[rustfmt::skip]
builtins! {
    numeric_cmp = cmp(a: numeric, b: numeric) -> int4;
    numeric_larger = larger(a: numeric, b: numeric) -> numeric; numeric_smaller = smaller(a: numeric, b: numeric) -> numeric;
    numeric_div_trunc = div_trunc(a: numeric, b: numeric) -> numeric; numeric_mod = modulo(a: numeric, b: numeric) -> numeric;
    numeric_inc = inc(a: numeric) -> numeric; numeric_uminus = neg(a: numeric) -> numeric; numeric_uplus = pos(a: numeric) -> numeric;
    numeric_abs = abs(a: numeric) -> numeric; numeric_sign = signum(a: numeric) -> numeric;
    numeric_ceil = ceil(a: numeric) -> numeric; numeric_floor = floor(a: numeric) -> numeric;
    numeric_round = round(a: numeric, scale: int4) -> numeric; numeric_trunc = trunc(a: numeric, scale: int4) -> numeric;
    round = round_whole(a: numeric) -> numeric; trunc = trunc_whole(a: numeric) -> numeric;
    numeric_sqrt = sqrt(a: numeric) -> numeric; numeric_exp = exp(a: numeric) -> numeric; numeric_ln = ln(a: numeric) -> numeric;
    numeric_log = log(base: numeric, a: numeric) -> numeric; log = log10(a: numeric) -> numeric; log10(a: numeric) -> numeric;
    numeric_power = power(a: numeric, b: numeric) -> numeric;
    numeric_gcd = gcd(a: numeric, b: numeric) -> numeric; numeric_lcm = lcm(a: numeric, b: numeric) -> numeric;
    numeric_scale = scale(a: numeric) -> int4; numeric_min_scale = min_scale(a: numeric) -> int4;
    numeric_trim_scale = trim_scale(a: numeric) -> numeric; numeric = apply_typmod(a: numeric, typmod: int4) -> numeric;
    width_bucket_numeric = width_bucket(operand: numeric, low: numeric, high: numeric, count: int4) -> int4;
    numeric_random = random(ctx, lo: numeric, hi: numeric) -> numeric;
}
