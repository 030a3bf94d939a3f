//! Numbers in plain decimal digits, for formatting and intervals made of them.

use types::Numeric;

/// A number in plain decimal digits, for formatting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plain {
    pub(crate) negative: bool,
    /// At least one digit.
    pub(crate) whole: String,
    pub(crate) fraction: String,
    /// `NaN` or `Infinity` in place of digits.
    pub(crate) word: Option<&'static str>,
}

/// The digits of a numeric.
pub(crate) fn plain(n: &Numeric) -> Plain {
    let word = |word, negative| Plain {
        negative,
        word: Some(word),
        ..Plain::default()
    };
    match n {
        Numeric::NaN => word("NaN", false),
        Numeric::PosInf => word("Infinity", false),
        Numeric::NegInf => word("Infinity", true),
        Numeric::Small { unscaled, scale } => {
            let scale = usize::from(*scale);
            let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
            let (whole, fraction) = digits.split_at(digits.len() - scale);
            Plain {
                negative: *unscaled < 0,
                whole: whole.to_owned(),
                fraction: fraction.to_owned(),
                word: None,
            }
        }
        Numeric::Wide { .. } | Numeric::Big(_) => {
            let Some(b) = n.big_form() else {
                return Plain::default();
            };
            let digit = |weight: i32| {
                let index = usize::try_from(b.weight - weight).ok();
                index.and_then(|i| b.digits.get(i)).copied().unwrap_or(0)
            };
            let mut whole: String = (0..=b.weight.max(0))
                .rev()
                .map(|w| format!("{:04}", digit(w)))
                .collect();
            let kept = whole.trim_start_matches('0').len().max(1);
            whole.drain(..whole.len() - kept);
            let groups = i32::from(b.scale).div_euclid(4) + 1;
            let mut fraction: String = (1..=groups).map(|w| format!("{:04}", digit(-w))).collect();
            fraction.truncate(usize::from(b.scale));
            Plain {
                negative: b.negative,
                whole,
                fraction,
                word: None,
            }
        }
    }
}

impl Plain {
    /// Without sign.
    pub(crate) fn text(&self) -> String {
        match self.word {
            Some(word) => word.to_owned(),
            None if self.fraction.is_empty() => self.whole.clone(),
            None => format!("{}.{}", self.whole, self.fraction),
        }
    }

    /// Rounded half away from zero to a number of digits after the point.
    pub(crate) fn rounded(&self, digits: usize) -> Plain {
        let mut out = self.clone();
        if self.word.is_some() {
            return out;
        }
        if self.fraction.len() <= digits {
            out.fraction
                .extend(std::iter::repeat_n('0', digits - self.fraction.len()));
            return out;
        }
        let up = self.fraction.as_bytes()[digits] >= b'5';
        out.fraction.truncate(digits);
        let mut all = [out.whole.as_bytes(), out.fraction.as_bytes()].concat();
        let mut carry = up;
        for b in all.iter_mut().rev() {
            if !carry {
                break;
            }
            carry = *b == b'9';
            *b = if carry { b'0' } else { *b + 1 };
        }
        if carry {
            all.insert(0, b'1');
        }
        let text = String::from_utf8(all).unwrap_or_default();
        let (whole, fraction) = text.split_at(text.len() - digits);
        out.whole = whole.to_owned();
        out.fraction = fraction.to_owned();
        if text.bytes().all(|b| b == b'0') {
            out.negative = false;
        }
        out
    }

    /// Multiplied by ten to a power.
    pub(crate) fn shifted(&self, power: usize) -> Plain {
        let mut out = self.clone();
        if self.word.is_none() {
            out.fraction.extend(std::iter::repeat_n(
                '0',
                power.saturating_sub(self.fraction.len()),
            ));
            let moved = out.fraction.split_off(power);
            out.whole.push_str(&std::mem::replace(&mut out.fraction, moved));
            let kept = out.whole.trim_start_matches('0').len().max(1);
            out.whole.drain(..out.whole.len() - kept);
        }
        out
    }
}
