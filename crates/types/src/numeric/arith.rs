//! Exact arithmetic with PostgreSQL's result scales.

use common::{PgError, PgResult, pg_err};
use num_bigint::{BigInt, Sign};

use crate::Numeric;
use crate::numeric::Decimal;
use crate::numeric::convert::{Rounding, SCALE_MAX, div_rem, div_round, from_big, pow10, pow10_i128};

/// Significant digits that division, roots and logarithms aim at.
pub(super) const SIGNIFICANT_MIN: i32 = 16;
/// Largest scale they choose.
pub(super) const DISPLAY_SCALE_MAX: i32 = 1000;

#[cold]
pub(super) fn division_by_zero() -> Box<PgError> {
    pg_err!(DIVISION_BY_ZERO, "division by zero")
}

/// The negative.
pub fn neg(a: &Numeric) -> Numeric {
    match a {
        Numeric::Small { unscaled, scale } => Numeric::from_i128(-i128::from(*unscaled), *scale),
        Numeric::Wide { scale, .. } => match a.to_i128() {
            Some((unscaled, _)) => Numeric::from_i128(-unscaled, *scale),
            None => a.clone(),
        },
        Numeric::NaN => Numeric::NaN,
        Numeric::PosInf => Numeric::NegInf,
        Numeric::NegInf => Numeric::PosInf,
        Numeric::Big(_) => match a.to_decimal().map(|d| from_big(&-d.unscaled, d.scale)) {
            Some(Ok(n)) => n,
            _ => a.clone(),
        },
    }
}

/// Both as decimals, or `None` when one is special.
fn finite(a: &Numeric, b: &Numeric) -> Option<(Decimal, Decimal)> {
    Some((a.to_decimal()?, b.to_decimal()?))
}

/// Both small: (unscaled, scale) of each.
#[inline]
fn smalls(a: &Numeric, b: &Numeric) -> Option<(i64, u16, i64, u16)> {
    match (a, b) {
        (
            Numeric::Small {
                unscaled: x,
                scale: s,
            },
            Numeric::Small {
                unscaled: y,
                scale: t,
            },
        ) => Some((*x, *s, *y, *t)),
        _ => None,
    }
}

/// `a + b`.
#[inline]
pub fn add(a: &Numeric, b: &Numeric) -> PgResult<Numeric> {
    if let Some((x, s, y, t)) = smalls(a, b)
        && let Some((x, y, scale)) = align_i64(x, s, y, t)
        && let Some(unscaled) = x.checked_add(y)
    {
        return Ok(Numeric::Small { unscaled, scale });
    }
    add_slow(a, b)
}

/// 10^n, as far as 64 bits go.
const POW10: [i64; 19] = {
    let mut powers = [1; 19];
    let mut n = 1;
    while n < 19 {
        powers[n] = powers[n - 1] * 10;
        n += 1;
    }
    powers
};

/// Digits at the larger scale, if 64 bits are enough.
#[inline]
fn align_i64(x: i64, s: u16, y: i64, t: u16) -> Option<(i64, i64, u16)> {
    if s == t {
        return Some((x, y, s));
    }
    let power = *POW10.get(usize::from(s.abs_diff(t)))?;
    if s < t {
        Some((x.checked_mul(power)?, y, t))
    } else {
        Some((x, y.checked_mul(power)?, s))
    }
}

fn add_slow(a: &Numeric, b: &Numeric) -> PgResult<Numeric> {
    if let (
        Numeric::Small {
            unscaled: x,
            scale: s,
        },
        Numeric::Small {
            unscaled: y,
            scale: t,
        },
    ) = (a, b)
    {
        if let Some((x, y, scale)) = align(*x, *s, *y, *t) {
            return Ok(Numeric::from_i128(x + y, scale));
        }
    }
    if let Some((sum, scale)) = wide_sum(a, b) {
        return Ok(Numeric::from_i128(sum, scale));
    }
    match finite(a, b) {
        Some((x, y)) => {
            let scale = x.scale.max(y.scale);
            from_big(&(x.rescale(scale) + y.rescale(scale)), scale)
        }
        None => Ok(match (a, b) {
            (Numeric::NaN, _) | (_, Numeric::NaN) => Numeric::NaN,
            (Numeric::PosInf, Numeric::NegInf) | (Numeric::NegInf, Numeric::PosInf) => Numeric::NaN,
            (Numeric::PosInf, _) | (_, Numeric::PosInf) => Numeric::PosInf,
            _ => Numeric::NegInf,
        }),
    }
}

/// A sum in 128 bits.
fn wide_sum(a: &Numeric, b: &Numeric) -> Option<(i128, u16)> {
    let ((x, s), (y, t)) = (a.to_i128()?, b.to_i128()?);
    let unit = pow10_i128(u32::from(s.abs_diff(t)))?;
    let (x, y) = match s < t {
        true => (mul_wide(x, unit)?, y),
        false => (x, mul_wide(y, unit)?),
    };
    Some((x.checked_add(y)?, s.max(t)))
}

/// A product in 128 bits.
fn wide_product(a: &Numeric, b: &Numeric) -> Option<(i128, u16)> {
    let ((x, s), (y, t)) = (a.to_i128()?, b.to_i128()?);
    Some((mul_wide(x, y)?, s.checked_add(t)?)).filter(|(_, scale)| *scale <= SCALE_MAX)
}

/// The product when it fits 128 bits: mostly seen without the long way of `checked_mul`.
#[inline]
pub fn mul_wide(x: i128, y: i128) -> Option<i128> {
    if x.unsigned_abs().leading_zeros() + y.unsigned_abs().leading_zeros() > 128 {
        return Some(x.wrapping_mul(y));
    }
    x.checked_mul(y)
}

/// Small numbers at the larger scale, far from overflowing a sum.
fn align(x: i64, s: u16, y: i64, t: u16) -> Option<(i128, i128, u16)> {
    let (x, y) = (i128::from(x), i128::from(y));
    let more = s.abs_diff(t);
    if more > 18 {
        return None;
    }
    let p = pow10_i128(u32::from(more))?;
    Some(if s < t { (x * p, y, t) } else { (x, y * p, s) })
}

/// `a - b`.
#[inline]
pub fn sub(a: &Numeric, b: &Numeric) -> PgResult<Numeric> {
    if let Some((x, s, y, t)) = smalls(a, b)
        && let Some((x, y, scale)) = align_i64(x, s, y, t)
        && let Some(unscaled) = x.checked_sub(y)
    {
        return Ok(Numeric::Small { unscaled, scale });
    }
    add_slow(a, &neg(b))
}

/// `a * b`.
#[inline]
pub fn mul(a: &Numeric, b: &Numeric) -> PgResult<Numeric> {
    if let Some((x, s, y, t)) = smalls(a, b)
        && let Some(unscaled) = x.checked_mul(y)
        && s + t <= SCALE_MAX
    {
        return Ok(Numeric::Small {
            unscaled,
            scale: s + t,
        });
    }
    mul_slow(a, b)
}

fn mul_slow(a: &Numeric, b: &Numeric) -> PgResult<Numeric> {
    if let Some((x, s, y, t)) = smalls(a, b)
        && u32::from(s) + u32::from(t) <= u32::from(SCALE_MAX)
    {
        return Ok(Numeric::from_i128(i128::from(x) * i128::from(y), s + t));
    }
    if let Some((product, scale)) = wide_product(a, b) {
        return Ok(Numeric::from_i128(product, scale));
    }
    match finite(a, b) {
        Some((x, y)) => {
            let scale = u32::from(x.scale) + u32::from(y.scale);
            let product = x.unscaled * y.unscaled;
            match scale.checked_sub(u32::from(SCALE_MAX)).filter(|over| *over > 0) {
                Some(over) => from_big(&div_round(&product, &pow10(over)), SCALE_MAX),
                None => from_big(&product, scale as u16),
            }
        }
        None if matches!(a, Numeric::NaN) || matches!(b, Numeric::NaN) => Ok(Numeric::NaN),
        None => Ok(match a.signum() * b.signum() {
            0 => Numeric::NaN,
            1 => Numeric::PosInf,
            _ => Numeric::NegInf,
        }),
    }
}

/// The scale of a quotient.
pub(super) fn quotient_scale(a: &Numeric, b: &Numeric) -> u16 {
    let ((wa, fa), (wb, fb)) = (a.leading(), b.leading());
    let mut weight = wa - wb;
    if fa <= fb {
        weight -= 1;
    }
    let scale = SIGNIFICANT_MIN - weight * 4;
    let scale = scale.max(i32::from(a.scale())).max(i32::from(b.scale()));
    scale.clamp(0, DISPLAY_SCALE_MAX) as u16
}

/// `a / b`.
pub fn div(a: &Numeric, b: &Numeric) -> PgResult<Numeric> {
    if a.is_finite() && b.is_finite() {
        return div_at(a, b, quotient_scale(a, b), Rounding::HalfAway);
    }
    special_quotient(a, b)
}

/// Infinite and NaN operands of `/`.
fn special_quotient(a: &Numeric, b: &Numeric) -> PgResult<Numeric> {
    if matches!(a, Numeric::NaN) || matches!(b, Numeric::NaN) {
        return Ok(Numeric::NaN);
    }
    if b.is_zero() {
        return Err(division_by_zero());
    }
    if !b.is_finite() {
        return Ok(if a.is_finite() {
            Numeric::ZERO
        } else {
            Numeric::NaN
        });
    }
    Ok(if a.signum() * b.signum() > 0 {
        Numeric::PosInf
    } else {
        Numeric::NegInf
    })
}

/// A finite quotient at a given scale.
pub(super) fn div_at(a: &Numeric, b: &Numeric, scale: u16, rounding: Rounding) -> PgResult<Numeric> {
    if b.is_zero() {
        return Err(division_by_zero());
    }
    if let (Some((x, s)), Some((d, t))) = (a.to_i128(), b.to_i128()) {
        let shift = i32::from(scale) + i32::from(t) - i32::from(s);
        if shift >= 0 {
            let n = pow10_i128(shift as u32).and_then(|p| mul_wide(x, p));
            if let Some(n) = n {
                let (q, r) = div_rem(n, d);
                let up = rounding == Rounding::HalfAway && r.unsigned_abs() * 2 >= d.unsigned_abs();
                let sign = if (n < 0) == (d < 0) { 1 } else { -1 };
                return Ok(Numeric::from_i128(if up { q + sign } else { q }, scale));
            }
        }
    }
    let Some((x, y)) = finite(a, b) else {
        return special_quotient(a, b);
    };
    let shift = i32::from(scale) + i32::from(y.scale) - i32::from(x.scale);
    let (n, d) = if shift >= 0 {
        (x.unscaled * pow10(shift as u32), y.unscaled)
    } else {
        (x.unscaled, y.unscaled * pow10(-shift as u32))
    };
    let q = if rounding == Rounding::HalfAway {
        div_round(&n, &d)
    } else {
        n / d
    };
    from_big(&q, scale)
}

/// `div(a, b)`: the quotient towards zero.
pub fn div_trunc(a: &Numeric, b: &Numeric) -> PgResult<Numeric> {
    if a.is_finite() && b.is_finite() {
        return div_at(a, b, 0, Rounding::Truncate);
    }
    special_quotient(a, b)
}

/// `a % b`, with the sign of `a`.
pub fn modulo(a: &Numeric, b: &Numeric) -> PgResult<Numeric> {
    let Some((x, y)) = finite(a, b) else {
        if matches!(a, Numeric::NaN) || matches!(b, Numeric::NaN) {
            return Ok(Numeric::NaN);
        }
        if b.is_zero() {
            return Err(division_by_zero());
        }
        return Ok(if a.is_finite() { a.clone() } else { Numeric::NaN });
    };
    if y.unscaled.sign() == Sign::NoSign {
        return Err(division_by_zero());
    }
    let scale = x.scale.max(y.scale);
    from_big(&(x.rescale(scale) % y.rescale(scale)), scale)
}

fn gcd_big(a: &BigInt, b: &BigInt) -> BigInt {
    let (mut a, mut b) = (a.magnitude().clone(), b.magnitude().clone());
    while b != BigInt::ZERO.magnitude().clone() {
        (a, b) = (b.clone(), a % b);
    }
    BigInt::from_biguint(Sign::Plus, a)
}

/// Greatest common divisor, at the larger scale; NaN when one is not finite.
pub fn gcd(a: &Numeric, b: &Numeric) -> PgResult<Numeric> {
    let Some((x, y)) = finite(a, b) else {
        return Ok(Numeric::NaN);
    };
    let scale = x.scale.max(y.scale);
    from_big(&gcd_big(&x.rescale(scale), &y.rescale(scale)), scale)
}

/// Least common multiple, at the larger scale; NaN when one is not finite.
pub fn lcm(a: &Numeric, b: &Numeric) -> PgResult<Numeric> {
    let Some((x, y)) = finite(a, b) else {
        return Ok(Numeric::NaN);
    };
    let scale = x.scale.max(y.scale);
    let (x, y) = (x.rescale(scale), y.rescale(scale));
    if x.sign() == Sign::NoSign || y.sign() == Sign::NoSign {
        return from_big(&BigInt::ZERO, scale);
    }
    let product = BigInt::from_biguint(Sign::Plus, (&x * &y).magnitude().clone());
    from_big(&(product / gcd_big(&x, &y)), scale)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::numeric::parse;

    /// The ways by 64 and 128 bits give what big integers give.
    #[test]
    fn short_ways_agree_with_the_long_one() {
        let texts = [
            "0",
            "0.00",
            "1",
            "-1",
            "10000",
            "-10000.0000",
            "9223372036854775807",
            "9223372036854775808",
            "-9223372036854775809",
            "99999999999999999999.9999",
            "0.09999999999999999999",
            "-0.00000000000000000000000012345678901234567890",
            "100000000000000000000000000",
            "1234567890123456789012345678901234567.8",
            "170141183460469231731687303715884105727",
            "-170141183460469231731687303715884105728.5",
            "12345678901234567890123456789012345678901234567890.123",
        ];
        let values: Vec<Numeric> = texts.iter().map(|t| parse(t, "numeric").unwrap()).collect();
        for a in &values {
            for b in &values {
                let (x, y) = finite(a, b).unwrap();
                let scale = x.scale.max(y.scale);
                let sum = from_big(&(x.rescale(scale) + y.rescale(scale)), scale).unwrap();
                assert_eq!(add(a, b).unwrap(), sum, "{a} + {b}");
                let difference = from_big(&(x.rescale(scale) - y.rescale(scale)), scale).unwrap();
                assert_eq!(sub(a, b).unwrap(), difference, "{a} - {b}");
                let product = from_big(&(&x.unscaled * &y.unscaled), x.scale + y.scale).unwrap();
                assert_eq!(mul(a, b).unwrap(), product, "{a} * {b}");
            }
        }
    }
}
