//! Roots, exponentials, logarithms, powers: fixed-point series with guard digits, rounded to PostgreSQL's scales.

use common::{PgResult, pg_err};
use num_bigint::{BigInt, Sign};

use crate::Numeric;
use crate::numeric::Decimal;
use crate::numeric::arith::{self, DISPLAY_SCALE_MAX, SIGNIFICANT_MIN, division_by_zero};
use crate::numeric::convert::{Rounding, div_round, from_big, overflow, pow10};

/// log10(e) with the digits that PostgreSQL estimates scales by.
#[allow(clippy::approx_constant)]
const LOG10_E: f64 = 0.434294481903252;
/// Digits carried beyond those asked for.
const GUARD: u32 = 12;
/// Beyond this many digits PostgreSQL's exponentials give up.
const RESULT_SCALE_MAX: f64 = 2000.0;

fn clamp_scale(scale: i32) -> u16 {
    scale.clamp(0, DISPLAY_SCALE_MAX) as u16
}

/// Square root.
pub fn sqrt(a: &Numeric) -> PgResult<Numeric> {
    match a {
        Numeric::NaN | Numeric::PosInf => return Ok(a.clone()),
        _ if a.signum() < 0 => {
            return Err(pg_err!(
                INVALID_ARGUMENT_FOR_POWER_FUNCTION,
                "cannot take square root of a negative number"
            ));
        }
        _ => {}
    }
    // Weight of the result in decimal digits, from the weight of the argument in groups of four.
    let weight = a.leading().0;
    let result_weight = (weight + 1) * 4 / 2 - 1;
    let scale = clamp_scale((SIGNIFICANT_MIN - result_weight).max(i32::from(a.scale())));
    sqrt_at(a, scale)
}

fn sqrt_at(a: &Numeric, scale: u16) -> PgResult<Numeric> {
    let Some(d) = a.to_decimal() else {
        return Ok(a.clone());
    };
    // One digit more than asked for, then rounded; exact halves cannot occur in a root.
    let shift = 2 * (i32::from(scale) + 1) - i32::from(d.scale);
    let n = if shift >= 0 {
        d.unscaled * pow10(shift as u32)
    } else {
        d.unscaled / pow10(-shift as u32)
    };
    let root = BigInt::from_biguint(Sign::Plus, n.magnitude().sqrt());
    from_big(&div_round(&root, &BigInt::from(10u8)), scale)
}

/// `x * 10^digits` as an integer.
fn fixed(d: &Decimal, digits: u32) -> BigInt {
    let shift = i64::from(digits) - i64::from(d.scale);
    if shift >= 0 {
        &d.unscaled * pow10(shift as u32)
    } else {
        div_round(&d.unscaled, &pow10(-shift as u32))
    }
}

/// ln(m) for fixed-point m near 1 (roughly 0.05 to 20).
fn ln_near_one(m: &BigInt, digits: u32) -> BigInt {
    let one = pow10(digits);
    let mut m = m.clone();
    let mut halvings = 0u32;
    let near: BigInt = &one / 50;
    // Square roots bring m close to 1, where the series converges by about four digits a term.
    while (&m - &one).magnitude() > near.magnitude() {
        m = BigInt::from_biguint(Sign::Plus, (&m * &one).magnitude().sqrt());
        halvings += 1;
    }
    let z = (&m - &one) * &one / (&m + &one);
    let z2 = &z * &z / &one;
    let (mut term, mut sum, mut k) = (z.clone(), z, 1u32);
    loop {
        term = &term * &z2 / &one;
        k += 2;
        let next = &term / k;
        if next.sign() == Sign::NoSign {
            break;
        }
        sum += next;
    }
    sum * BigInt::from(2u8).pow(halvings + 1)
}

fn ln_ten(digits: u32) -> BigInt {
    ln_near_one(&(BigInt::from(10u8) * pow10(digits)), digits)
}

/// ln of a positive number, fixed-point with `digits` good digits after the point.
fn ln_fixed(d: &Decimal, digits: u32) -> BigInt {
    let work = digits + GUARD;
    let len = d.unscaled.magnitude().to_str_radix(10).len() as i64;
    // d = m * 10^e with m in [0.1, 1), moved into (0.3, 3] for symmetry.
    let mut e = len - i64::from(d.scale);
    let lift = i64::from(work) - len;
    let mut m = if lift >= 0 {
        &d.unscaled * pow10(lift as u32)
    } else {
        div_round(&d.unscaled, &pow10(-lift as u32))
    };
    // Close to 1 the digits that lift drops matter: go the exact way there.
    if e == 1 || e == 0 {
        m = fixed(d, work);
        e = 0;
    }
    let mut ln = ln_near_one(&m, work);
    if e != 0 {
        ln += ln_ten(work + 8) * e / pow10(8);
    }
    div_round(&ln, &pow10(GUARD))
}

/// e^(x / 10^x_digits), rounded to `scale` digits after the point.
fn exp_fixed(x: &BigInt, x_digits: u32, scale: u16) -> PgResult<BigInt> {
    let approx = approx_f64(x, x_digits) * LOG10_E;
    let whole = approx.floor().max(-3000.0) as i64;
    let work = (i64::from(scale) + whole).max(0) as u32 + GUARD + 8;
    let x = if x_digits >= work {
        div_round(x, &pow10(x_digits - work))
    } else {
        x * pow10(work - x_digits)
    };
    let one = pow10(work);
    let n = whole;
    let r = x - ln_ten(work + 8) * n / pow10(8);
    // r lies in [0, 2.4); halve it until the Taylor series is quick.
    let halvings = 8u32;
    let r = r / BigInt::from(2u8).pow(halvings);
    let (mut term, mut sum, mut k) = (one.clone(), one.clone(), 0u32);
    while term.sign() != Sign::NoSign {
        k += 1;
        term = &term * &r / &one / k;
        sum += &term;
    }
    for _ in 0..halvings {
        sum = &sum * &sum / &one;
    }
    let shift = i64::from(scale) + n - i64::from(work);
    Ok(if shift >= 0 {
        sum * pow10(shift as u32)
    } else {
        div_round(&sum, &pow10(-shift as u32))
    })
}

fn approx_f64(x: &BigInt, digits: u32) -> f64 {
    let text = x.to_str_radix(10);
    format!("{text}e-{digits}").parse().unwrap_or(0.0)
}

/// e^a.
pub fn exp(a: &Numeric) -> PgResult<Numeric> {
    let Some(d) = a.to_decimal() else {
        return Ok(if matches!(a, Numeric::NegInf) {
            Numeric::ZERO
        } else {
            a.clone()
        });
    };
    let val = (a.to_f64() * LOG10_E).clamp(-RESULT_SCALE_MAX, RESULT_SCALE_MAX);
    let scale = clamp_scale((SIGNIFICANT_MIN - val as i32).max(i32::from(d.scale)));
    exp_at(a, &d.unscaled, u32::from(d.scale), scale)
}

fn exp_at(a: &Numeric, x: &BigInt, x_digits: u32, scale: u16) -> PgResult<Numeric> {
    let val = a.to_f64();
    if val.abs() >= RESULT_SCALE_MAX * 3.0 {
        if val > 0.0 {
            return Err(overflow());
        }
        return Ok(Numeric::Small { unscaled: 0, scale });
    }
    from_big(&exp_fixed(x, x_digits, scale)?, scale)
}

/// Decimal weight of ln(a), estimated the way that fixes PostgreSQL's scales.
fn ln_weight(a: &Numeric) -> PgResult<i32> {
    if a.signum() <= 0 {
        return Ok(0);
    }
    let between = |lo: i64, hi: i64| {
        let tenth = |n| Numeric::Small {
            unscaled: n,
            scale: 1,
        };
        a.compare(&tenth(lo)).is_ge() && a.compare(&tenth(hi)).is_le()
    };
    if between(9, 11) {
        let x = arith::sub(a, &Numeric::from(1))?;
        let (weight, first) = x.leading();
        return Ok(if first == 0 {
            0
        } else {
            weight * 4 + f64::from(first).log10() as i32
        });
    }
    let (mantissa, exponent) = leading_digits(a, 2);
    let ln = mantissa.ln() + f64::from(exponent) * std::f64::consts::LN_10;
    Ok(ln.abs().log10() as i32)
}

/// The first `groups` base-10,000 digits as a number and the power of ten that goes with it.
fn leading_digits(a: &Numeric, groups: usize) -> (f64, i32) {
    let (weight, _) = a.leading();
    let digits: Vec<u16> = match a {
        Numeric::Wide { .. } | Numeric::Big(_) => a
            .big_form()
            .map_or_else(Vec::new, |big| big.digits.iter().take(groups).copied().collect()),
        Numeric::Small { unscaled, scale } => {
            let text = unscaled.unsigned_abs().to_string();
            let grouped = super::convert::group_digits(text.as_bytes(), *scale, false);
            grouped.digits.into_iter().take(groups).collect()
        }
        _ => Vec::new(),
    };
    let mantissa = digits.iter().fold(0.0, |f, d| f * 10_000.0 + f64::from(*d));
    (mantissa, (weight - digits.len().max(1) as i32 + 1) * 4)
}

fn check_log_argument(a: &Numeric) -> PgResult<()> {
    match a.signum() {
        _ if matches!(a, Numeric::NaN) => Ok(()),
        0 => Err(pg_err!(INVALID_ARGUMENT_FOR_LOG, "cannot take logarithm of zero")),
        s if s < 0 => Err(pg_err!(
            INVALID_ARGUMENT_FOR_LOG,
            "cannot take logarithm of a negative number"
        )),
        _ => Ok(()),
    }
}

/// Natural logarithm.
pub fn ln(a: &Numeric) -> PgResult<Numeric> {
    check_log_argument(a)?;
    let Some(d) = a.to_decimal() else {
        return Ok(a.clone());
    };
    let scale = clamp_scale((SIGNIFICANT_MIN - ln_weight(a)?).max(i32::from(d.scale)));
    let digits = u32::from(scale) + GUARD;
    from_big(&div_round(&ln_fixed(&d, digits), &pow10(GUARD)), scale)
}

/// Logarithm of `a` to `base`.
pub fn log(base: &Numeric, a: &Numeric) -> PgResult<Numeric> {
    if matches!(base, Numeric::NaN) || matches!(a, Numeric::NaN) {
        return Ok(Numeric::NaN);
    }
    let infinite = |n: &Numeric| matches!(n, Numeric::PosInf | Numeric::NegInf);
    if (infinite(base) || infinite(a)) && a.signum() < 0 {
        // Beside an infinity PostgreSQL looks for negative numbers first.
        check_log_argument(a)?;
    }
    check_log_argument(base)?;
    check_log_argument(a)?;
    let (Some(b), Some(x)) = (base.to_decimal(), a.to_decimal()) else {
        return match (base.is_finite(), a.is_finite()) {
            (false, false) => Ok(Numeric::NaN),
            (false, true) => Ok(Numeric::ZERO),
            _ => Ok(Numeric::PosInf),
        };
    };
    let (base_weight, weight) = (ln_weight(base)?, ln_weight(a)?);
    let scale = (SIGNIFICANT_MIN - (weight - base_weight))
        .max(i32::from(b.scale))
        .max(i32::from(x.scale));
    let scale = clamp_scale(scale);
    let digits = u32::from(scale) + weight.unsigned_abs() + base_weight.unsigned_abs() * 2 + GUARD;
    let (ln_base, ln_a) = (ln_fixed(&b, digits), ln_fixed(&x, digits));
    if ln_base.sign() == Sign::NoSign {
        return Err(division_by_zero());
    }
    from_big(&div_round(&(ln_a * pow10(u32::from(scale))), &ln_base), scale)
}

/// True for integers, whatever their scale.
fn is_integer(a: &Numeric) -> bool {
    a.is_finite()
        && a.round_to(0, Rounding::Truncate)
            .is_ok_and(|t| t.compare(a).is_eq())
}

fn is_odd(a: &Numeric) -> bool {
    let two = Numeric::from(2);
    is_integer(a) && arith::modulo(a, &two).is_ok_and(|r| !r.is_zero())
}

/// `base ^ exponent`.
pub fn power(base: &Numeric, exponent: &Numeric) -> PgResult<Numeric> {
    if let Some(special) = special_power(base, exponent)? {
        return Ok(special);
    }
    if base.is_zero() && exponent.signum() < 0 {
        return Err(pg_err!(
            INVALID_ARGUMENT_FOR_POWER_FUNCTION,
            "zero raised to a negative power is undefined"
        ));
    }
    if base.signum() < 0 && !is_integer(exponent) {
        return Err(pg_err!(
            INVALID_ARGUMENT_FOR_POWER_FUNCTION,
            "a negative number raised to a non-integer power yields a complex result"
        ));
    }
    if is_integer(exponent) {
        if let Some(n) = exponent.to_i64().and_then(|n| i32::try_from(n).ok()) {
            return power_int(base, n, exponent.scale());
        }
    }
    if base.is_zero() {
        return Ok(Numeric::Small {
            unscaled: 0,
            scale: SIGNIFICANT_MIN as u16,
        });
    }
    let negative = base.signum() < 0 && is_odd(exponent);
    let magnitude = if base.signum() < 0 {
        arith::neg(base)
    } else {
        base.clone()
    };
    let result = power_real(&magnitude, exponent)?;
    Ok(if negative { arith::neg(&result) } else { result })
}

/// NaN and infinities, in the order PostgreSQL looks at them.
fn special_power(base: &Numeric, exponent: &Numeric) -> PgResult<Option<Numeric>> {
    let one = Numeric::from(1);
    if base.is_finite() && exponent.is_finite() {
        return Ok(None);
    }
    if matches!(base, Numeric::NaN) {
        return Ok(Some(if exponent.is_zero() { one } else { Numeric::NaN }));
    }
    if matches!(exponent, Numeric::NaN) {
        return Ok(Some(if base.compare(&one).is_eq() {
            one
        } else {
            Numeric::NaN
        }));
    }
    if base.is_zero() && exponent.signum() < 0 {
        return Err(pg_err!(
            INVALID_ARGUMENT_FOR_POWER_FUNCTION,
            "zero raised to a negative power is undefined"
        ));
    }
    if base.compare(&one).is_eq() || exponent.is_zero() {
        return Ok(Some(one));
    }
    if !exponent.is_finite() {
        let magnitude = if base.signum() < 0 {
            arith::neg(base)
        } else {
            base.clone()
        };
        let order = magnitude.compare(&one);
        return Ok(Some(if order.is_eq() {
            one
        } else if order.is_gt() == (exponent.signum() > 0) {
            Numeric::PosInf
        } else {
            Numeric::ZERO
        }));
    }
    if base.signum() < 0 && !is_integer(exponent) {
        return Err(pg_err!(
            INVALID_ARGUMENT_FOR_POWER_FUNCTION,
            "a negative number raised to a non-integer power yields a complex result"
        ));
    }
    if exponent.signum() < 0 {
        return Ok(Some(Numeric::ZERO));
    }
    let negative = base.signum() < 0 && is_odd(exponent);
    Ok(Some(if negative {
        Numeric::NegInf
    } else {
        Numeric::PosInf
    }))
}

fn power_int(base: &Numeric, n: i32, exponent_scale: u16) -> PgResult<Numeric> {
    let (mantissa, p) = leading_digits(base, 4);
    let log = if base.is_zero() {
        0.0
    } else {
        f64::from(n) * (mantissa.log10() + f64::from(p))
    };
    if log > 131_072.0 {
        return Err(overflow());
    }
    if log + 1.0 < -f64::from(DISPLAY_SCALE_MAX) {
        return Ok(Numeric::Small {
            unscaled: 0,
            scale: DISPLAY_SCALE_MAX as u16,
        });
    }
    let scale = (SIGNIFICANT_MIN - log as i32)
        .max(i32::from(base.scale()))
        .max(i32::from(exponent_scale));
    let scale = clamp_scale(scale);
    let Some(d) = base.to_decimal() else {
        return Ok(base.clone());
    };
    if n == 0 {
        return Numeric::from(1).round_to(i32::from(scale), Rounding::HalfAway);
    }
    if base.is_zero() {
        return Ok(Numeric::Small { unscaled: 0, scale });
    }
    // Enough digits that errors of the repeated squaring stay below the last one.
    let significant = (i64::from(scale) + log as i64).max(0) as usize + 30;
    let (m, e) = pow_limited(&d.unscaled, n.unsigned_abs(), significant);
    // base^|n| = m * 10^(e - scale * |n|)
    let exponent = e - i64::from(d.scale) * i64::from(n.unsigned_abs());
    if n > 0 {
        let shift = exponent + i64::from(scale);
        let v = if shift >= 0 {
            m * pow10(shift as u32)
        } else {
            shrink(&m, -shift)
        };
        return from_big(&v, scale);
    }
    let shift = i64::from(scale) - exponent;
    if shift >= 0 {
        from_big(&div_round(&pow10(shift as u32), &m), scale)
    } else {
        from_big(&div_round(&BigInt::from(1), &(m * pow10(-shift as u32))), scale)
    }
}

/// `m / 10^by`, rounded; nothing is left of a number much shorter than that.
fn shrink(m: &BigInt, by: i64) -> BigInt {
    if by > 400_000 {
        BigInt::ZERO
    } else {
        div_round(m, &pow10(by as u32))
    }
}

/// `base^n` as `mantissa * 10^exponent`, keeping at least `significant` digits.
fn pow_limited(base: &BigInt, mut n: u32, significant: usize) -> (BigInt, i64) {
    let limit_bits = (significant as f64 * std::f64::consts::LOG2_10) as u64 + 64;
    let cut = |m: BigInt, e: i64| -> (BigInt, i64) {
        let extra = m.bits().saturating_sub(limit_bits) as f64 / std::f64::consts::LOG2_10;
        let drop = extra.floor() as u32;
        if drop > 20 {
            (div_round(&m, &pow10(drop)), e + i64::from(drop))
        } else {
            (m, e)
        }
    };
    let (mut result, mut re) = (BigInt::from(1), 0i64);
    let (mut square, mut se) = cut(base.clone(), 0);
    loop {
        if n & 1 == 1 {
            (result, re) = cut(&result * &square, re + se);
        }
        n >>= 1;
        if n == 0 {
            return (result, re);
        }
        (square, se) = cut(&square * &square, se * 2);
    }
}

fn power_real(base: &Numeric, exponent: &Numeric) -> PgResult<Numeric> {
    let (Some(b), Some(x)) = (base.to_decimal(), exponent.to_decimal()) else {
        return Ok(Numeric::NaN);
    };
    let weight = ln_weight(base)?;
    // Rounded to about eight digits, as PostgreSQL does before it chooses the scale.
    let unit = 10f64.powi((8 - weight).max(0));
    let rounded = |v: f64| (v * unit).round() / unit;
    let rough = rounded(rounded(approx_f64(&ln_fixed(&b, 30), 30)) * exponent.to_f64());
    if rough.abs() > RESULT_SCALE_MAX * 3.01 {
        if rough > 0.0 {
            return Err(overflow());
        }
        return Ok(Numeric::Small {
            unscaled: 0,
            scale: DISPLAY_SCALE_MAX as u16,
        });
    }
    let val = rough * LOG10_E;
    let scale = (SIGNIFICANT_MIN - val as i32)
        .max(i32::from(base.scale()))
        .max(i32::from(exponent.scale()));
    let scale = clamp_scale(scale);
    let significant = (i32::from(scale) + val as i32).max(0) as u32;
    let exponent_digits = x.unscaled.magnitude().to_str_radix(10).len() as u32;
    let digits = significant + weight.unsigned_abs() + exponent_digits + GUARD * 2;
    let product = ln_fixed(&b, digits) * &x.unscaled;
    from_big(&exp_fixed(&product, digits + u32::from(x.scale), scale)?, scale)
}

/// n!.
pub fn factorial(n: i64) -> PgResult<Numeric> {
    if n < 0 {
        return Err(pg_err!(
            NUMERIC_VALUE_OUT_OF_RANGE,
            "factorial of a negative number is undefined"
        ));
    }
    if n > 32_177 {
        return Err(overflow());
    }
    let product = (2..=n).fold(BigInt::from(1), |p, k| p * k);
    from_big(&product, 0)
}

/// Variance from count, sum and sum of squares; `None` for too few values.
pub fn variance(count: i64, sum: &Numeric, squares: &Numeric, sample: bool) -> PgResult<Option<Numeric>> {
    Ok(variance_parts(count, sum, squares, sample)?.map(|(v, _)| v))
}

/// Standard deviation from count, sum and sum of squares.
pub fn stddev(count: i64, sum: &Numeric, squares: &Numeric, sample: bool) -> PgResult<Option<Numeric>> {
    match variance_parts(count, sum, squares, sample)? {
        Some((v, scale)) if v.is_finite() => sqrt_at(&v, scale).map(Some),
        Some((v, _)) => Ok(Some(v)),
        None => Ok(None),
    }
}

fn variance_parts(
    count: i64,
    sum: &Numeric,
    squares: &Numeric,
    sample: bool,
) -> PgResult<Option<(Numeric, u16)>> {
    if count <= i64::from(sample) {
        return Ok(None);
    }
    if !sum.is_finite() || !squares.is_finite() {
        return Ok(Some((Numeric::NaN, 0)));
    }
    let n = Numeric::from(count);
    let spread = arith::sub(&arith::mul(&n, squares)?, &arith::mul(sum, sum)?)?;
    if spread.signum() <= 0 {
        return Ok(Some((Numeric::ZERO, 0)));
    }
    let other = Numeric::from(if sample { count - 1 } else { count });
    let divisor = arith::mul(&n, &other)?;
    let scale = arith::quotient_scale(&spread, &divisor);
    let v = arith::div_at(&spread, &divisor, scale, Rounding::HalfAway)?;
    Ok(Some((v, scale)))
}
