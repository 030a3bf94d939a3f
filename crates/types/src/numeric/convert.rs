//! Between `numeric` and integers, floats, big integers; order, hash, rounding, precision.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use common::error::ErrorExt;
use common::{PgError, PgResult, pg_err};
use num_bigint::{BigInt, BigUint, Sign};

use crate::Numeric;
use crate::numeric::BigNumeric;
use crate::numeric::arith::mul_wide;

/// Most digits before the decimal point.
pub(super) const INTEGER_DIGITS_MAX: i64 = 131_072;
/// Most digits after it.
pub(super) const SCALE_MAX: u16 = 16_383;

/// A finite number as `unscaled / 10^scale`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Decimal {
    pub unscaled: BigInt,
    pub scale: u16,
}

/// 10^n.
pub(super) fn pow10(n: u32) -> BigInt {
    BigInt::from(10u8).pow(n)
}

/// 10^n, as far as 128 bits go.
const POW10_WIDE: [i128; 39] = {
    let mut powers = [1; 39];
    let mut n = 1;
    while n < 39 {
        powers[n] = powers[n - 1] * 10;
        n += 1;
    }
    powers
};

/// 10^n when it fits.
#[inline]
pub fn pow10_i128(n: u32) -> Option<i128> {
    POW10_WIDE.get(n as usize).copied()
}

/// `n / d` rounded half away from zero.
pub(super) fn div_round(n: &BigInt, d: &BigInt) -> BigInt {
    let negative = (n.sign() == Sign::Minus) != (d.sign() == Sign::Minus);
    let (n, d) = (n.magnitude(), d.magnitude());
    let q = (n * 2u8 + d) / (d * 2u8);
    BigInt::from_biguint(if negative { Sign::Minus } else { Sign::Plus }, q)
}

/// What to do with digits that are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Rounding {
    HalfAway,
    Truncate,
    Floor,
    Ceiling,
}

/// Quotient towards zero and remainder. Divisions of 128 bits are slow: one at most, and none where 64 bits do.
#[inline]
pub(super) fn div_rem(n: i128, d: i128) -> (i128, i128) {
    if let (Ok(n), Ok(d)) = (i64::try_from(n), i64::try_from(d))
        && d != -1
    {
        return (i128::from(n / d), i128::from(n % d));
    }
    let q = n / d;
    (q, n - q * d)
}

fn div_i128(n: i128, d: i128, rounding: Rounding) -> i128 {
    let (q, r) = div_rem(n, d);
    let up = match rounding {
        Rounding::Truncate => false,
        Rounding::HalfAway => r.unsigned_abs() >= d.unsigned_abs() - r.unsigned_abs(),
        Rounding::Floor => r < 0,
        Rounding::Ceiling => r > 0,
    };
    if up { q + n.signum() } else { q }
}

fn div_big(n: &BigInt, d: &BigInt, rounding: Rounding) -> BigInt {
    if rounding == Rounding::HalfAway {
        return div_round(n, d);
    }
    let (q, r) = (n / d, n % d);
    match (rounding, r.sign()) {
        (Rounding::Floor, Sign::Minus) => q - 1,
        (Rounding::Ceiling, Sign::Plus) => q + 1,
        _ => q,
    }
}

#[cold]
pub(super) fn overflow() -> Box<PgError> {
    pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, "value overflows numeric format")
}

impl Decimal {
    /// At another scale; dropped digits are rounded half away from zero.
    pub(super) fn rescale(&self, scale: u16) -> BigInt {
        match scale.checked_sub(self.scale) {
            Some(0) => self.unscaled.clone(),
            Some(more) => &self.unscaled * pow10(u32::from(more)),
            None => div_round(&self.unscaled, &pow10(u32::from(self.scale - scale))),
        }
    }

    /// As a value; too many digits are an error.
    pub fn into_numeric(self) -> PgResult<Numeric> {
        from_big(&self.unscaled, self.scale)
    }
}

/// A value from digits and scale.
pub(super) fn from_big(unscaled: &BigInt, scale: u16) -> PgResult<Numeric> {
    if let Ok(small) = i64::try_from(unscaled) {
        return Ok(Numeric::Small {
            unscaled: small,
            scale,
        });
    }
    if let Some(wide) = i128::try_from(unscaled)
        .ok()
        .and_then(|v| Numeric::wide(v, scale))
    {
        return Ok(wide);
    }
    let digits = unscaled.magnitude().to_str_radix(10);
    if digits.len() as i64 - i64::from(scale) > INTEGER_DIGITS_MAX {
        return Err(overflow());
    }
    Ok(Numeric::Big(Arc::new(group_digits(
        digits.as_bytes(),
        scale,
        unscaled.sign() == Sign::Minus,
    ))))
}

/// Decimal digits (ASCII, no leading zeros) in groups of four round the decimal point.
pub(super) fn group_digits(decimal: &[u8], scale: u16, negative: bool) -> BigNumeric {
    let pad_right = (4 - usize::from(scale) % 4) % 4;
    let total = decimal.len() + pad_right;
    let pad_left = (4 - total % 4) % 4;
    let mut padded = vec![b'0'; pad_left];
    padded.extend_from_slice(decimal);
    padded.resize(pad_left + total, b'0');
    let mut digits: Vec<u16> = padded
        .chunks(4)
        .map(|c| c.iter().fold(0, |n, d| n * 10 + u16::from(d - b'0')))
        .collect();
    let fraction_groups = usize::from(scale).div_ceil(4);
    let weight = digits.len() as i32 - fraction_groups as i32 - 1;
    let leading = digits.iter().take_while(|d| **d == 0).count();
    digits.drain(..leading);
    while digits.last() == Some(&0) {
        digits.pop();
    }
    BigNumeric {
        negative,
        weight: weight - leading as i32,
        scale,
        digits,
    }
}

/// Four groups of digits.
const PART: u128 = 10_000_000_000_000_000;

/// The same for digits in 128 bits; `None` when there is no room to fill the last group.
fn group_wide(unscaled: u128, scale: u16, negative: bool) -> Option<BigNumeric> {
    let pad = (4 - u32::from(scale) % 4) % 4;
    let mut rest = unscaled.checked_mul(POW10_WIDE[pad as usize] as u128)?;
    let mut digits = Vec::with_capacity(10);
    while rest > 0 {
        // Divisions of 128 bits are slow: one for four groups.
        let mut low = (rest % PART) as u64;
        rest /= PART;
        for _ in 0..4 {
            if rest == 0 && low == 0 {
                break;
            }
            digits.push((low % 10_000) as u16);
            low /= 10_000;
        }
    }
    let weight = digits.len() as i32 - i32::from(scale.div_ceil(4)) - 1;
    let trailing = digits.iter().take_while(|d| **d == 0).count();
    digits.drain(..trailing);
    digits.reverse();
    Some(BigNumeric {
        negative,
        weight,
        scale,
        digits,
    })
}

/// Base-10,000 digits of any 128 bits.
fn group_i128(unscaled: i128, scale: u16) -> BigNumeric {
    let magnitude = unscaled.unsigned_abs();
    group_wide(magnitude, scale, unscaled < 0)
        .unwrap_or_else(|| group_digits(magnitude.to_string().as_bytes(), scale, unscaled < 0))
}

fn big_to_decimal(big: &BigNumeric) -> Decimal {
    let mut text = String::with_capacity(big.digits.len() * 4 + 4);
    for d in &big.digits {
        text.push_str(&format!("{d:04}"));
    }
    let magnitude = BigUint::parse_bytes(text.as_bytes(), 10).unwrap_or_default();
    let sign = if big.negative { Sign::Minus } else { Sign::Plus };
    let unscaled = BigInt::from_biguint(sign, magnitude);
    // The last digit group ends at this many digits after the point (negative: before it).
    let stored_scale = (big.digits.len() as i64 - 1 - i64::from(big.weight)) * 4;
    let shift = i64::from(big.scale) - stored_scale;
    let unscaled = if shift >= 0 {
        unscaled * pow10(shift as u32)
    } else {
        unscaled / pow10((-shift) as u32)
    };
    Decimal {
        unscaled,
        scale: big.scale,
    }
}

impl From<i64> for Numeric {
    fn from(unscaled: i64) -> Numeric {
        Numeric::Small { unscaled, scale: 0 }
    }
}

impl Numeric {
    /// Zero.
    pub const ZERO: Numeric = Numeric::Small {
        unscaled: 0,
        scale: 0,
    };

    /// Digits that fit 96 bits (and not 64).
    #[inline]
    fn wide(unscaled: i128, scale: u16) -> Option<Numeric> {
        let high = i32::try_from(unscaled >> 64).ok()?;
        Some(Numeric::Wide {
            high,
            low: unscaled as u64,
            scale,
        })
    }

    /// From 128-bit digits and a scale.
    #[inline]
    pub fn from_i128(unscaled: i128, scale: u16) -> Numeric {
        match i64::try_from(unscaled) {
            Ok(unscaled) => Numeric::Small { unscaled, scale },
            Err(_) => Numeric::wide(unscaled, scale)
                .unwrap_or_else(|| Numeric::Big(Arc::new(group_i128(unscaled, scale)))),
        }
    }

    /// A finite value of base-10,000 digits in the form that it has to have.
    pub fn from_big_form(big: BigNumeric) -> Numeric {
        let big = Numeric::Big(Arc::new(big));
        match big.to_i128() {
            Some((unscaled, scale)) if unscaled >> 95 == unscaled >> 127 => {
                Numeric::from_i128(unscaled, scale)
            }
            _ => big,
        }
    }

    /// The base-10,000 digits of a finite value.
    pub fn big_form(&self) -> Option<Cow<'_, BigNumeric>> {
        match self {
            Numeric::Big(big) => Some(Cow::Borrowed(big)),
            _ => {
                let (unscaled, scale) = self.to_i128()?;
                Some(Cow::Owned(group_i128(unscaled, scale)))
            }
        }
    }

    /// Digits and scale of a finite value, if they fit 128 bits.
    #[inline]
    pub fn to_i128(&self) -> Option<(i128, u16)> {
        match self {
            Numeric::Small { unscaled, scale } => Some((i128::from(*unscaled), *scale)),
            Numeric::Wide { high, low, scale } => {
                Some(((i128::from(*high) << 64) | i128::from(*low), *scale))
            }
            Numeric::Big(big) => Numeric::big_to_i128(big),
            _ => None,
        }
    }

    fn big_to_i128(big: &BigNumeric) -> Option<(i128, u16)> {
        if big.digits.len() > 9 {
            return None;
        }
        let part = |digits: &[u16]| digits.iter().fold(0_u64, |n, d| n * 10_000 + u64::from(*d));
        let fours = big.digits.chunks(4);
        let digits = fours.fold(0_i128, |n, four| {
            n * POW10_WIDE[4 * four.len()] + i128::from(part(four))
        });
        // The last digit counts 10,000 to the power of weight - (number - 1).
        let power = 4 * (big.weight + 1 - big.digits.len() as i32) + i32::from(big.scale);
        let unit = pow10_i128(power.unsigned_abs())?;
        let unscaled = match power {
            0 => digits,
            1.. => digits.checked_mul(unit)?,
            _ if digits % unit == 0 => digits / unit,
            _ => return None,
        };
        Some((if big.negative { -unscaled } else { unscaled }, big.scale))
    }

    /// The digits and scale of a finite value.
    pub fn to_decimal(&self) -> Option<Decimal> {
        match self {
            Numeric::Small { unscaled, scale } => Some(Decimal {
                unscaled: BigInt::from(*unscaled),
                scale: *scale,
            }),
            Numeric::Wide { scale, .. } => Some(Decimal {
                unscaled: BigInt::from(self.to_i128()?.0),
                scale: *scale,
            }),
            Numeric::Big(big) => Some(big_to_decimal(big)),
            _ => None,
        }
    }

    /// Digits after the point that are shown.
    pub fn scale(&self) -> u16 {
        match self {
            Numeric::Small { scale, .. } | Numeric::Wide { scale, .. } => *scale,
            Numeric::Big(big) => big.scale,
            _ => 0,
        }
    }

    /// -1, 0 or 1; NaN counts as 0.
    pub fn signum(&self) -> i32 {
        match self {
            Numeric::Small { unscaled, .. } => unscaled.signum() as i32,
            Numeric::Wide { high, .. } if *high < 0 => -1,
            Numeric::Wide { .. } => 1,
            Numeric::Big(big) if big.negative => -1,
            Numeric::Big(_) | Numeric::PosInf => 1,
            Numeric::NegInf => -1,
            Numeric::NaN => 0,
        }
    }

    /// True for zero.
    pub fn is_zero(&self) -> bool {
        matches!(self, Numeric::Small { unscaled: 0, .. })
    }

    /// True for numbers proper.
    pub fn is_finite(&self) -> bool {
        matches!(
            self,
            Numeric::Small { .. } | Numeric::Wide { .. } | Numeric::Big(_)
        )
    }

    /// Weight (power of 10,000) and value of the first base-10,000 digit; zeros for zero.
    pub(super) fn leading(&self) -> (i32, u16) {
        match self {
            Numeric::Small { unscaled: 0, .. } => (0, 0),
            Numeric::Small { unscaled, scale } => leading_group(u128::from(unscaled.unsigned_abs()), *scale),
            Numeric::Wide { scale, .. } => match self.to_i128() {
                Some((unscaled, _)) => leading_group(unscaled.unsigned_abs(), *scale),
                None => (0, 0),
            },
            Numeric::Big(big) => (big.weight, big.digits.first().copied().unwrap_or(0)),
            _ => (0, 0),
        }
    }

    /// Rounded to `scale` digits after the point (negative: before it).
    pub fn round_to(&self, scale: i32, rounding: Rounding) -> PgResult<Numeric> {
        let scale = scale.clamp(-(INTEGER_DIGITS_MAX as i32) - 1, i32::from(SCALE_MAX));
        let shown = scale.max(0) as u16;
        if let Some((unscaled, old)) = self.to_i128() {
            let drop = i32::from(old) - scale;
            if drop <= 0 {
                return self.at_scale(shown);
            }
            if drop > 38 {
                let bit = match rounding {
                    Rounding::Floor if unscaled < 0 => -1,
                    Rounding::Ceiling if unscaled > 0 => 1,
                    _ => 0,
                };
                if bit == 0 {
                    return Ok(Numeric::Small {
                        unscaled: 0,
                        scale: shown,
                    });
                }
            } else if let Some(d) = pow10_i128(drop as u32) {
                let q = div_i128(unscaled, d, rounding);
                if scale >= 0 {
                    return Ok(Numeric::from_i128(q, shown));
                }
                if let Some(v) = pow10_i128(-scale as u32).and_then(|p| q.checked_mul(p)) {
                    return Ok(Numeric::from_i128(v, 0));
                }
            }
        }
        let Some(d) = self.to_decimal() else {
            return Ok(self.clone());
        };
        let drop = i32::from(d.scale) - scale;
        if drop <= 0 {
            return from_big(&d.rescale(shown), shown);
        }
        let mut q = div_big(&d.unscaled, &pow10(drop as u32), rounding);
        if scale < 0 {
            q *= pow10(-scale as u32);
        }
        from_big(&q, shown)
    }

    /// The same value with more digits shown.
    fn at_scale(&self, shown: u16) -> PgResult<Numeric> {
        if let Some((unscaled, scale)) = self.to_i128()
            && let Some(unit) = shown
                .checked_sub(scale)
                .and_then(|more| pow10_i128(u32::from(more)))
            && let Some(unscaled) = mul_wide(unscaled, unit)
        {
            return Ok(Numeric::from_i128(unscaled, shown));
        }
        match self.to_decimal() {
            Some(d) => from_big(&d.rescale(shown), shown),
            None => Ok(self.clone()),
        }
    }

    /// Without trailing zeros after the point.
    pub fn trim_scale(&self) -> Numeric {
        if let Some((mut unscaled, mut scale)) = self.to_i128() {
            while scale > 0 && unscaled % 10 == 0 {
                unscaled /= 10;
                scale -= 1;
            }
            return Numeric::from_i128(unscaled, scale);
        }
        let Some(mut d) = self.to_decimal() else {
            return self.clone();
        };
        let ten = BigInt::from(10u8);
        while d.scale > 0 && (&d.unscaled % &ten).sign() == Sign::NoSign {
            d.unscaled /= &ten;
            d.scale -= 1;
        }
        d.into_numeric().unwrap_or_else(|_| self.clone())
    }

    /// The nearest double; out of range gives an infinity.
    pub fn to_f64(&self) -> f64 {
        match self {
            Numeric::NaN => f64::NAN,
            Numeric::PosInf => f64::INFINITY,
            Numeric::NegInf => f64::NEG_INFINITY,
            Numeric::Small { unscaled, scale: 0 } => *unscaled as f64,
            other => other.to_string().parse().unwrap_or(f64::NAN),
        }
    }

    /// Rounded to an integer (half away from zero), `None` when it does not fit or is not finite.
    pub fn to_i64(&self) -> Option<i64> {
        match self {
            Numeric::Small { unscaled, scale: 0 } => Some(*unscaled),
            other => match other.round_to(0, Rounding::HalfAway) {
                Ok(Numeric::Small { unscaled, .. }) => Some(unscaled),
                _ => None,
            },
        }
    }

    /// From the shortest digits of a float, as PostgreSQL's casts do (15 digits for doubles, 6 for floats).
    pub fn from_f64(value: f64, significant: usize) -> PgResult<Numeric> {
        if value.is_nan() {
            return Ok(Numeric::NaN);
        }
        if value.is_infinite() {
            return Ok(if value > 0.0 {
                Numeric::PosInf
            } else {
                Numeric::NegInf
            });
        }
        let text = crate::float::format_general(value, significant);
        super::parse(&text, "numeric")
    }

    /// SQL order: NaN equals itself and is the greatest.
    #[inline]
    pub fn compare(&self, other: &Numeric) -> Ordering {
        match (self, other) {
            (
                Numeric::Small {
                    unscaled: a,
                    scale: s,
                },
                Numeric::Small {
                    unscaled: b,
                    scale: t,
                },
            ) if s == t => a.cmp(b),
            _ => self.compare_slow(other),
        }
    }

    fn compare_slow(&self, other: &Numeric) -> Ordering {
        if let (Some((a, s)), Some((b, t))) = (self.to_i128(), other.to_i128()) {
            let scaled = |v: i128, by: u16| pow10_i128(u32::from(by)).and_then(|p| v.checked_mul(p));
            let pair = if s < t {
                scaled(a, t - s).map(|a| (a, b))
            } else {
                scaled(b, s - t).map(|b| (a, b))
            };
            if let Some((a, b)) = pair {
                return a.cmp(&b);
            }
        }
        let rank = |n: &Numeric| match n {
            Numeric::NegInf => 0,
            Numeric::PosInf => 2,
            Numeric::NaN => 3,
            _ => 1,
        };
        match (self.to_decimal(), other.to_decimal()) {
            (Some(a), Some(b)) => {
                let scale = a.scale.max(b.scale);
                a.rescale(scale).cmp(&b.rescale(scale))
            }
            _ => rank(self).cmp(&rank(other)),
        }
    }

    /// Hashes equal values alike, whatever their scales.
    pub fn hash_value<H: Hasher>(&self, state: &mut H) {
        match self {
            Numeric::Small { unscaled, scale } => hash_small(*unscaled, *scale, state),
            Numeric::Wide { .. } | Numeric::Big(_) => match self.trim_scale() {
                Numeric::Small { unscaled, scale } => hash_small(unscaled, scale, state),
                Numeric::Wide { high, low, scale } => (high, low, scale).hash(state),
                Numeric::Big(big) => {
                    big.negative.hash(state);
                    big.weight.hash(state);
                    big.digits.hash(state);
                }
                other => std::mem::discriminant(&other).hash(state),
            },
            other => std::mem::discriminant(other).hash(state),
        }
    }

    /// Applies `numeric(precision, scale)`.
    pub fn apply_typmod(&self, typmod: i32) -> PgResult<Numeric> {
        let Some((precision, scale)) = typmod_precision_scale(typmod) else {
            return Ok(self.clone());
        };
        match self {
            Numeric::NaN => return Ok(Numeric::NaN),
            Numeric::PosInf | Numeric::NegInf => {
                return Err(
                    pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow").detail(format!(
                        "A field with precision {precision}, scale {scale} cannot hold an infinite value."
                    )),
                );
            }
            _ => {}
        }
        let rounded = self.round_to(scale, Rounding::HalfAway)?;
        let limit = precision - scale;
        let fits = match &rounded {
            n if n.is_zero() => true,
            Numeric::Small {
                unscaled,
                scale: shown,
            } => {
                let digits = unscaled.unsigned_abs().ilog10() as i32 + 1;
                digits - i32::from(*shown) <= limit
            }
            other => other.to_decimal().is_some_and(|d| {
                let digits = d.unscaled.magnitude().to_str_radix(10).len() as i32;
                digits - i32::from(d.scale) <= limit
            }),
        };
        if fits {
            return Ok(rounded);
        }
        // 10^0 is shown as 1.
        let bound = if limit != 0 {
            format!("10^{limit}")
        } else {
            "1".to_owned()
        };
        Err(pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow").detail(format!(
            "A field with precision {precision}, scale {scale} must round to an absolute value less than {bound}."
        )))
    }
}

/// Weight and value of the first base-10,000 digit of a number that is not zero.
#[inline]
pub(super) fn leading_group(unscaled: u128, scale: u16) -> (i32, u16) {
    let pad = (4 - usize::from(scale) % 4) % 4;
    let small = u64::try_from(unscaled).ok();
    let log = match small {
        Some(small) => small.checked_ilog10(),
        None => unscaled.checked_ilog10(),
    };
    // How many groups the digits fill, the last one filled up with zeros.
    let groups = (log.map_or(1, |d| d as usize + 1) + pad).div_ceil(4);
    let weight = groups as i32 - 1 - i32::from(scale.div_ceil(4));
    let below = (groups - 1) * 4;
    let first = match (below.checked_sub(pad), small) {
        (Some(drop), Some(small)) => u128::from(small / POW10_WIDE[drop] as u64),
        (Some(drop), None) => unscaled / POW10_WIDE[drop] as u128,
        (None, _) => unscaled * POW10_WIDE[pad - below] as u128,
    };
    (weight, first as u16)
}

fn hash_small<H: Hasher>(mut unscaled: i64, mut scale: u16, state: &mut H) {
    if unscaled == 0 {
        scale = 0;
    }
    while scale > 0 && unscaled % 10 == 0 {
        unscaled /= 10;
        scale -= 1;
    }
    unscaled.hash(state);
    scale.hash(state);
}

/// Precision and scale of a modifier; `None` for "any".
pub fn typmod_precision_scale(typmod: i32) -> Option<(i32, i32)> {
    let packed = typmod.checked_sub(4).filter(|t| *t >= 0)?;
    let scale = ((packed & 0x7ff) ^ 1024) - 1024;
    Some(((packed >> 16) & 0xffff, scale))
}

/// The modifier for `numeric(precision, scale)`, checked as in a type name.
pub fn numeric_typmod(precision: i32, scale: i32) -> PgResult<i32> {
    if !(1..=1000).contains(&precision) {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "NUMERIC precision {precision} must be between 1 and 1000"
        ));
    }
    if !(-1000..=1000).contains(&scale) {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "NUMERIC scale {scale} must be between -1000 and 1000"
        ));
    }
    Ok(((precision << 16) | (scale & 0x7ff)) + 4)
}
