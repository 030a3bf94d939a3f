//! `numeric` on the wire: base-10,000 digits, as stored in [`BigNumeric`].

use common::{PgResult, pg_err};
use num_bigint::{BigInt, BigUint, Sign};

use crate::Numeric;
use crate::io::bad_binary;
use crate::numeric::BigNumeric;
use crate::numeric::Decimal;
use crate::numeric::convert::{Rounding, SCALE_MAX, group_digits, pow10};

const POSITIVE: u16 = 0x0000;
const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xc000;
const POSITIVE_INFINITY: u16 = 0xd000;
const NEGATIVE_INFINITY: u16 = 0xf000;
/// What PostgreSQL sends as the scale of infinities; nobody reads it.
const INFINITY_SCALE: u16 = 0x20;

/// Appends the wire format.
pub fn send(value: &Numeric, out: &mut Vec<u8>) {
    let special = |sign: u16, scale: u16, out: &mut Vec<u8>| {
        for word in [0, 0, sign, scale] {
            out.extend_from_slice(&word.to_be_bytes());
        }
    };
    match value {
        Numeric::NaN => special(NAN, 0, out),
        Numeric::PosInf => special(POSITIVE_INFINITY, INFINITY_SCALE, out),
        Numeric::NegInf => special(NEGATIVE_INFINITY, INFINITY_SCALE, out),
        Numeric::Small { unscaled: 0, scale } => special(POSITIVE, *scale, out),
        Numeric::Small { unscaled, scale } => {
            let digits = unscaled.unsigned_abs().to_string();
            send_digits(&group_digits(digits.as_bytes(), *scale, *unscaled < 0), out);
        }
        Numeric::Big(big) => send_digits(big, out),
    }
}

fn send_digits(big: &BigNumeric, out: &mut Vec<u8>) {
    out.extend_from_slice(&(big.digits.len() as u16).to_be_bytes());
    out.extend_from_slice(&(big.weight as i16).to_be_bytes());
    out.extend_from_slice(&(if big.negative { NEGATIVE } else { POSITIVE }).to_be_bytes());
    out.extend_from_slice(&big.scale.to_be_bytes());
    for d in &big.digits {
        out.extend_from_slice(&d.to_be_bytes());
    }
}

/// Reads the wire format.
pub fn receive(bytes: &[u8]) -> PgResult<Numeric> {
    let mut words = bytes.chunks(2).map(|c| match c {
        [a, b] => Ok(u16::from_be_bytes([*a, *b])),
        _ => Err(bad_binary()),
    });
    let mut next = || words.next().unwrap_or_else(|| Err(bad_binary()));
    let (count, weight, sign, scale) = (next()?, next()? as i16, next()?, next()?);
    let negative = match sign {
        POSITIVE => false,
        NEGATIVE => true,
        NAN => return Ok(Numeric::NaN),
        POSITIVE_INFINITY => return Ok(Numeric::PosInf),
        NEGATIVE_INFINITY => return Ok(Numeric::NegInf),
        _ => {
            return Err(pg_err!(
                INVALID_BINARY_REPRESENTATION,
                "invalid sign in external \"numeric\" value"
            ));
        }
    };
    if scale > SCALE_MAX {
        return Err(pg_err!(
            INVALID_BINARY_REPRESENTATION,
            "invalid scale in external \"numeric\" value"
        ));
    }
    let mut text = String::with_capacity(usize::from(count) * 4);
    for _ in 0..count {
        let d = next()?;
        if d > 9999 {
            return Err(pg_err!(
                INVALID_BINARY_REPRESENTATION,
                "invalid digit in external \"numeric\" value"
            ));
        }
        text.push_str(&format!("{d:04}"));
    }
    let magnitude = BigUint::parse_bytes(text.as_bytes(), 10).unwrap_or_default();
    let sign = if negative { Sign::Minus } else { Sign::Plus };
    let mut unscaled = BigInt::from_biguint(sign, magnitude);
    let mut stored = (i64::from(count) - 1 - i64::from(weight)) * 4;
    if stored < 0 {
        unscaled *= pow10((-stored) as u32);
        stored = 0;
    }
    let stored = u16::try_from(stored).map_err(|_| bad_binary())?;
    let value = Decimal {
        unscaled,
        scale: stored,
    };
    // Digits beyond the display scale are cut, as PostgreSQL does.
    value
        .into_numeric()?
        .round_to(i32::from(scale), Rounding::Truncate)
}
