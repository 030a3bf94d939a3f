//! Reading and showing values of settings.

use common::error::ErrorExt;
use common::pieces::List;
use common::{PgResult, cancel, pg_err};

use crate::guc::defs::{Kind, SettingDef};

/// Units of a family with their size in the family's smallest: bytes or microseconds.
type Units = &'static [(&'static str, f64)];

const MEMORY: Units = &[
    ("TB", 1_099_511_627_776.0),
    ("GB", 1_073_741_824.0),
    ("MB", 1_048_576.0),
    ("kB", 1024.0),
    ("B", 1.0),
];
const TIME: Units = &[
    ("d", 86_400_000_000.0),
    ("h", 3_600_000_000.0),
    ("min", 60_000_000.0),
    ("s", 1_000_000.0),
    ("ms", 1000.0),
    ("us", 1.0),
];

/// The unit family of a base unit, and the base unit's size in it.
fn family(unit: &str) -> Option<(Units, f64)> {
    Some(match unit {
        "B" => (MEMORY, 1.0),
        "kB" => (MEMORY, 1024.0),
        "8kB" => (MEMORY, 8192.0),
        "MB" => (MEMORY, 1_048_576.0),
        "ms" => (TIME, 1000.0),
        "s" => (TIME, 1_000_000.0),
        "min" => (TIME, 60_000_000.0),
        _ => return None,
    })
}

/// Reads a value as the user wrote it and returns its canonical form: numbers in base units, enum words and booleans spelled
/// out, text unchanged.
pub fn canonical(def: &SettingDef, text: &str) -> PgResult<String> {
    match def.kind {
        Kind::Bool => match parse_bool(text) {
            Some(true) => Ok("on".into()),
            Some(false) => Ok("off".into()),
            None => Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "parameter \"{}\" requires a Boolean value",
                def.name
            )),
        },
        Kind::Int { min, max } => {
            let value = number(def, text)?.round();
            // Beyond what the setting could be in any range.
            if value > f64::from(i32::MAX).max(max as f64) || value < f64::from(i32::MIN).min(min as f64) {
                return Err(invalid(def, text).hint("Value exceeds integer range."));
            }
            if value < min as f64 || value > max as f64 {
                return Err(outside(
                    def,
                    &integer_text(value),
                    &min.to_string(),
                    &max.to_string(),
                ));
            }
            Ok(integer_text(value))
        }
        Kind::Real { min, max } => {
            let value = number(def, text)?;
            if value < min || value > max {
                return Err(outside(def, &general(value), &general(min), &general(max)));
            }
            Ok(general_exact(value))
        }
        Kind::Enum(words) => canonical_enum(def, words, text),
        Kind::Text => Ok(text.to_owned()),
    }
}

fn integer_text(value: f64) -> String {
    format!("{value:.0}")
}

fn outside(def: &SettingDef, value: &str, min: &str, max: &str) -> Box<common::PgError> {
    let unit = if def.unit.is_empty() {
        String::new()
    } else {
        format!(" {}", def.unit)
    };
    pg_err!(
        INVALID_PARAMETER_VALUE,
        "{value}{unit} is outside the valid range for parameter \"{}\" ({min}{unit} .. {max}{unit})",
        def.name
    )
}

/// `on`, `true`, `yes`, `1` and their unambiguous beginnings.
pub fn parse_bool(text: &str) -> Option<bool> {
    let t = text.trim().to_ascii_lowercase();
    let begins = |word: &str, least: usize| t.len() >= least && word.starts_with(&t);
    if begins("true", 1) || begins("yes", 1) || t == "on" || t == "1" {
        Some(true)
    } else if begins("false", 1) || begins("no", 1) || begins("off", 2) || t == "0" {
        Some(false)
    } else {
        None
    }
}

/// Other spellings of enum words: (setting, spelling, word).
const ALIASES: &[(&str, &str, &str)] = &[
    ("client_min_messages", "debug", "debug2"),
    ("client_min_messages", "info", "info"),
    ("client_min_messages", "fatal", "error"),
    ("client_min_messages", "panic", "error"),
    ("log_min_messages", "debug", "debug2"),
    ("log_min_error_statement", "debug", "debug2"),
];

fn canonical_enum(def: &SettingDef, words: &[&str], text: &str) -> PgResult<String> {
    let same = |w: &str| w.eq_ignore_ascii_case(text);
    if let Some(word) = words.iter().find(|w| same(w)) {
        return Ok((*word).to_owned());
    }
    if let Some((_, _, word)) = ALIASES.iter().find(|(s, w, _)| *s == def.name && same(w)) {
        return Ok((*word).to_owned());
    }
    // Enums that know on and off take every spelling of a boolean.
    if let Some(b) = parse_bool(text).filter(|_| words.contains(&"on") && words.contains(&"off")) {
        return Ok(if b { "on" } else { "off" }.to_owned());
    }
    Err(pg_err!(
        INVALID_PARAMETER_VALUE,
        "invalid value for parameter \"{}\": \"{text}\"",
        def.name
    )
    .hint(format!("Available values: {}.", words.join(", "))))
}

#[cold]
fn invalid(def: &SettingDef, text: &str) -> Box<common::PgError> {
    pg_err!(
        INVALID_PARAMETER_VALUE,
        "invalid value for parameter \"{}\": \"{text}\"",
        def.name
    )
}

/// A number with an optional unit, in base units.
fn number(def: &SettingDef, text: &str) -> PgResult<f64> {
    let invalid = || invalid(def, text);
    let t = text.trim();
    let digits = t
        .char_indices()
        .find(|&(i, c)| {
            let exponent_sign = i > 0 && matches!(t.as_bytes()[i - 1], b'e' | b'E');
            !(c.is_ascii_digit() || c == '.' || (matches!(c, '+' | '-') && (i == 0 || exponent_sign)))
                && !(matches!(c, 'e' | 'E')
                    && t[i + 1..].starts_with(|d: char| d.is_ascii_digit() || d == '-' || d == '+'))
        })
        .map_or(t.len(), |(i, _)| i);
    let (digits, unit) = t.split_at(digits);
    let value: f64 = digits.parse().map_err(|_| invalid())?;
    let unit = unit.trim();
    if unit.is_empty() {
        return Ok(value);
    }
    let Some((units, base)) = family(def.unit) else {
        return Err(invalid());
    };
    match units.iter().find(|(u, _)| *u == unit) {
        Some((_, size)) => Ok(value * size / base),
        None => Err(invalid().hint(if std::ptr::eq(units, MEMORY) {
            "Valid units for this parameter are \"B\", \"kB\", \"MB\", \"GB\", and \"TB\"."
        } else {
            "Valid units for this parameter are \"us\", \"ms\", \"s\", \"min\", \"h\", and \"d\"."
        })),
    }
}

/// `%g` with six digits, as in messages.
fn general(value: f64) -> String {
    if value >= f64::MAX {
        return "1.79769e+308".into();
    }
    general_exact(value)
}

/// Shortest exact form.
fn general_exact(value: f64) -> String {
    format!("{value}")
}

/// What SHOW prints for a canonical value: numbers with the largest unit that divides them.
pub fn show(def: &SettingDef, canonical: &str) -> String {
    let Some((units, base)) = family(def.unit) else {
        return canonical.to_owned();
    };
    let Ok(value) = canonical.parse::<f64>() else {
        return canonical.to_owned();
    };
    if value <= 0.0 {
        return canonical.to_owned();
    }
    let smallest = value * base;
    for (unit, size) in units {
        let n = smallest / size;
        if n >= 1.0 && (n - n.round()).abs() < 1e-9 {
            return format!("{n:.0}{unit}");
        }
    }
    canonical.to_owned()
}

/// Splits a list of identifiers (`search_path`, `DateStyle`): quoted or folded to lower case. `None`: malformed.
pub fn split_identifiers(text: &str) -> PgResult<Option<Vec<String>>> {
    let (cancel, mut out) = (cancel::current(), List::new(0));
    let mut rest = text.trim();
    if rest.is_empty() {
        return Ok(Some(Vec::new()));
    }
    loop {
        let Some((word, after)) = first_identifier(rest) else {
            return Ok(None);
        };
        out.extend(&cancel, [word])?;
        match after.strip_prefix(',') {
            Some(next) => rest = next.trim_start(),
            None if after.is_empty() => return Ok(Some(out.finish())),
            None => return Ok(None),
        }
    }
}

/// The identifier that a list begins with, and what follows it.
fn first_identifier(list: &str) -> Option<(String, &str)> {
    let Some(quoted) = list.strip_prefix('"') else {
        let end = list.find(',').unwrap_or(list.len());
        let word = list[..end].trim();
        let plain = !word.is_empty() && !word.contains('"');
        return plain.then(|| (word.to_ascii_lowercase(), &list[end..]));
    };
    let mut word = String::new();
    let mut chars = quoted.char_indices().peekable();
    loop {
        match chars.next()? {
            (_, '"') if chars.peek().is_some_and(|(_, c)| *c == '"') => {
                chars.next();
                word.push('"');
            }
            (i, '"') => return Some((word, quoted[i + 1..].trim_start())),
            (_, c) => word.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use common::cancel::{CancelReason, CancelToken};

    use super::*;

    #[test]
    fn long_lists_are_read_until_cancelled() {
        let list = vec!["a"; 20_000].join(",");
        assert_eq!(split_identifiers(&list).unwrap().unwrap().len(), 20_000);
        assert_eq!(
            split_identifiers(" A , \"B\"\"c\" ").unwrap().unwrap(),
            ["a", "B\"c"]
        );
        for wrong in ["a,", "\"a", "a\"b", "\"a\" b"] {
            assert!(split_identifiers(wrong).unwrap().is_none(), "{wrong}");
        }
        let cancel = CancelToken::new();
        let _entered = cancel.enter();
        cancel.cancel(CancelReason::User);
        assert_eq!(split_identifiers(&list).unwrap_err().sqlstate.as_str(), "57014");
    }
}
