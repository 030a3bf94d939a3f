//! Exact decimals made from integers.

use std::sync::Arc;

use types::Numeric;
use types::numeric::BigNumeric;

/// `unscaled / 10^scale` with that display scale.
pub(crate) fn decimal(unscaled: i128, scale: u16) -> Numeric {
    if let (Ok(unscaled), true) = (i64::try_from(unscaled), scale <= 18) {
        return Numeric::Small { unscaled, scale };
    }
    if unscaled == 0 {
        return Numeric::Big(Arc::new(BigNumeric {
            negative: false,
            weight: 0,
            scale,
            digits: Vec::new(),
        }));
    }
    // Base-10,000 digits need the fraction padded to a multiple of four decimal digits.
    let padding = (4 - usize::from(scale) % 4) % 4;
    let mut text = unscaled.unsigned_abs().to_string();
    text.push_str(&"0".repeat(padding));
    let fraction_groups = (usize::from(scale) + padding) / 4;
    let lead = (4 - text.len() % 4) % 4;
    text.insert_str(0, &"0".repeat(lead));
    let mut digits: Vec<u16> = text
        .as_bytes()
        .chunks(4)
        .map(|c| c.iter().fold(0, |v, b| v * 10 + u16::from(b - b'0')))
        .collect();
    let mut weight = digits.len() as i32 - fraction_groups as i32 - 1;
    while digits.first() == Some(&0) {
        digits.remove(0);
        weight -= 1;
    }
    while digits.last() == Some(&0) {
        digits.pop();
    }
    Numeric::Big(Arc::new(BigNumeric {
        negative: unscaled < 0,
        weight,
        scale,
        digits,
    }))
}
