//! `numeric` on the wire: base-10,000 digits, as stored in [`BigNumeric`].

use std::fmt::Write as _;

use common::{PgResult, pg_err};
use num_bigint::{BigInt, BigUint, Sign};

use crate::Numeric;
use crate::numeric::BigNumeric;
use crate::numeric::Decimal;
use crate::numeric::convert::{SCALE_MAX, group_digits, pow10};
use crate::wire::{Wire, done};

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
        Numeric::Wide { .. } | Numeric::Big(_) => {
            if let Some(big) = value.big_form() {
                send_digits(&big, out);
            }
        }
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
    let bad = |what: &str| {
        pg_err!(
            INVALID_BINARY_REPRESENTATION,
            "invalid {what} in external \"numeric\" value"
        )
    };
    let mut wire = Wire(bytes);
    let (count, weight, sign) = (wire.int2()?, wire.int2()? as i16, wire.int2()?);
    let special = match sign {
        POSITIVE | NEGATIVE => None,
        NAN => Some(Numeric::NaN),
        POSITIVE_INFINITY => Some(Numeric::PosInf),
        NEGATIVE_INFINITY => Some(Numeric::NegInf),
        _ => return Err(bad("sign")),
    };
    let scale = wire.int2()?;
    if scale > SCALE_MAX {
        return Err(bad("scale"));
    }
    let mut digits = String::with_capacity(usize::from(count) * 4);
    for _ in 0..count {
        let d = wire.int2()?;
        if d > 9999 {
            return Err(bad("digit"));
        }
        let _ = write!(digits, "{d:04}");
    }
    if let Some(special) = special {
        done(wire.0)?;
        return Ok(special);
    }
    // Digits beyond the display scale are cut, as PostgreSQL does.
    let beyond = (i64::from(count) - 1 - i64::from(weight)) * 4 - i64::from(scale);
    let kept = usize::try_from(digits.len() as i64 - beyond.max(0)).unwrap_or(0);
    let magnitude = BigUint::parse_bytes(&digits.as_bytes()[..kept], 10).unwrap_or_default();
    let sign = if sign == NEGATIVE { Sign::Minus } else { Sign::Plus };
    let mut unscaled = BigInt::from_biguint(sign, magnitude);
    if beyond < 0 {
        unscaled *= pow10(beyond.unsigned_abs() as u32);
    }
    let value = Decimal { unscaled, scale }.into_numeric()?;
    done(wire.0)?;
    Ok(value)
}
