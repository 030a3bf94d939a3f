//! The `numeric` value: decimals of up to 96 bits inline, everything else on the heap.
//!
//! # How it works
//! Values whose digits fit an `i64` are [`Numeric::Small`], those of up to 96 bits [`Numeric::Wide`] (28 digits: a quotient, and a product
//! with it); sums, products and quotients of those run through `i128` and allocate nothing. Everything else is computed as a big integer
//! with a decimal scale ([`Decimal`]) and stored as base-10,000 digits. Results get PostgreSQL's display scale (`arith`, `math`).
//!
//! # Invariants
//! - A value is [`Numeric::Small`] exactly when its unscaled digits fit an `i64`, and [`Numeric::Wide`] exactly when they do not but fit
//!   96 bits: `PartialEq` and `Hash` rely on it. [`Numeric::from_i128`] and [`Numeric::from_big_form`] see to it.
//! - A value takes 16 bytes: tables hold them by the million.

mod arith;
mod convert;
mod divisor;
mod math;
mod text;
mod wire;

use std::sync::Arc;

pub use arith::{add, div, div_trunc, gcd, lcm, modulo, mul, mul_wide, neg, sub};
pub use convert::{Decimal, Rounding, numeric_typmod, pow10_i128, typmod_precision_scale};
pub use divisor::Divisor;
pub use math::{exp, factorial, ln, log, power, sqrt, stddev, variance};
pub use text::{parse, parse_plain};
pub use wire::{receive, send};

/// A decimal number with PostgreSQL's display scale, or NaN, or an infinity. `PartialEq` is structural (scale counts);
/// SQL comparison is [`Numeric::cmp`]-like and lives beside the arithmetic.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Numeric {
    /// `unscaled / 10^scale`, `scale` digits after the point.
    Small {
        /// The digits as an integer.
        unscaled: i64,
        /// Digits after the decimal point (display scale).
        scale: u16,
    },
    /// The same with digits of 65 to 96 bits ([`Numeric::to_i128`] puts them together).
    Wide {
        /// The upper 32 bits of the digits.
        high: i32,
        /// The lower 64 bits.
        low: u64,
        /// Digits after the decimal point (display scale).
        scale: u16,
    },
    /// A number that does not fit those.
    Big(Arc<BigNumeric>),
    /// Not a number.
    NaN,
    /// `Infinity`.
    PosInf,
    /// `-Infinity`.
    NegInf,
}

/// A large decimal in base 10,000 digits, as on PostgreSQL's wire.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BigNumeric {
    /// True below zero.
    pub negative: bool,
    /// Power of 10,000 of the first digit.
    pub weight: i32,
    /// Digits after the decimal point to show.
    pub scale: u16,
    /// Base-10,000 digits, most significant first, no leading or trailing zero digits.
    pub digits: Vec<u16>,
}

const _: () = assert!(size_of::<Numeric>() == 16);

impl Default for Numeric {
    fn default() -> Numeric {
        Numeric::Small {
            unscaled: 0,
            scale: 0,
        }
    }
}
