//! Many short numbers divided by one.

use crate::Numeric;
use crate::numeric::arith::{DISPLAY_SCALE_MAX, SIGNIFICANT_MIN, mul_wide};
use crate::numeric::convert::{div_rem, leading_group, pow10_i128};

/// A finite number that others are divided by, taken apart once.
#[derive(Clone, Copy, Debug)]
pub struct Divisor {
    digits: i128,
    scale: u16,
    /// Its first group of four digits and where that stands.
    leading: (i32, u16),
    /// The digits are 10 to this, or the negative of it: then quotients are products.
    tens: Option<u32>,
}

impl Divisor {
    /// None for zero and what has no digits in 128 bits.
    pub fn of(number: &Numeric) -> Option<Divisor> {
        let (digits, scale) = number.to_i128().filter(|(digits, _)| *digits != 0)?;
        let size = digits.unsigned_abs();
        let log = size.ilog10();
        let is_power = pow10_i128(log).is_some_and(|power| power as u128 == size);
        Some(Divisor {
            digits,
            scale,
            leading: number.leading(),
            tens: is_power.then_some(log),
        })
    }

    /// The quotient of digits and scale by it, as [`crate::numeric::div`] has it; None where 128 bits are not enough.
    #[inline]
    pub fn quotient(&self, unscaled: i64, scale: u16) -> Option<Numeric> {
        let (weight, first) = match unscaled {
            0 => (0, 0),
            _ => leading_group(u128::from(unscaled.unsigned_abs()), scale),
        };
        let weight = weight - self.leading.0 - i32::from(first <= self.leading.1);
        let places = (SIGNIFICANT_MIN - weight * 4)
            .max(i32::from(scale))
            .max(i32::from(self.scale))
            .clamp(0, DISPLAY_SCALE_MAX);
        let places = places as u16;
        let shift = u32::try_from(i32::from(places) + i32::from(self.scale) - i32::from(scale)).ok()?;
        let unscaled = i128::from(unscaled);
        if let Some(lift) = self.tens.and_then(|tens| shift.checked_sub(tens)) {
            let digits = mul_wide(unscaled, pow10_i128(lift)?)?;
            return Some(Numeric::from_i128(digits * self.digits.signum(), places));
        }
        let (q, r) = div_rem(mul_wide(unscaled, pow10_i128(shift)?)?, self.digits);
        let size = self.digits.unsigned_abs();
        let up = r.unsigned_abs() >= size - r.unsigned_abs();
        let sign = if (unscaled < 0) == (self.digits < 0) {
            1
        } else {
            -1
        };
        Some(Numeric::from_i128(if up { q + sign } else { q }, places))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::numeric::{div, parse};

    #[test]
    fn quotients_by_one_number_are_those_of_division() {
        let divisors = [
            "1",
            "-1",
            "100000",
            "-1000",
            "3",
            "7.00",
            "0.01",
            "0.0001",
            "-0.10",
            "99999.9999",
            "12345678901234567890",
            "1e30",
            "0.3",
            "1e-12",
            "4",
            "-8192",
        ];
        let scales = [0, 1, 2, 3, 4, 5, 8, 17];
        let mut values: Vec<i64> = vec![
            0,
            1,
            -1,
            5,
            99,
            100,
            -101,
            9_999,
            10_000,
            10_001,
            i64::MAX,
            i64::MIN,
        ];
        values.extend((0..400_i64).map(|n| n * n * n * 104_729 - n * 7_919));
        let mut compared = 0;
        for text in divisors {
            let number = parse(text, "numeric").unwrap();
            let divisor = Divisor::of(&number).unwrap();
            for &scale in &scales {
                for &unscaled in &values {
                    let Some(quotient) = divisor.quotient(unscaled, scale) else {
                        continue;
                    };
                    let expected = div(&Numeric::Small { unscaled, scale }, &number).unwrap();
                    assert_eq!(quotient, expected, "{unscaled} at {scale} by {text}");
                    compared += 1;
                }
            }
        }
        assert!(compared > 40_000, "{compared}");
        assert!(Divisor::of(&Numeric::ZERO).is_none() && Divisor::of(&Numeric::NaN).is_none());
    }
}
