//! Text into columns: the plain spellings of common types without a datum in between.
//!
//! # How it works
//! Each type has a fast reader of what programs write (`-17`, `12.50`, `1998-09-02`, `1998-09-02 10:11:12.5`). Whatever it does not
//! know, valid or not, goes to the type's input function, which also makes the errors.

use common::{Oid, PgResult};

use crate::datetime::civil::{days_from_civil, days_in_month};
use crate::datetime::{USECS_PER_DAY, USECS_PER_SEC};
use crate::io::{self, IoContext};
use crate::io_text::{TooLong, char_typmod_length, varchar_coerce};
use crate::numeric::{self, typmod_precision_scale};
use crate::settings::TypeRef;
use crate::{Datum, Numeric, Vector, VectorData, oids};

/// Reads values of one type into a column of its class.
#[derive(Clone, Copy, Debug)]
pub struct ColumnInput {
    type_ref: TypeRef,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Int2,
    Int4,
    Int8,
    Float8,
    Numeric,
    Text,
    Varchar,
    Bpchar,
    Date,
    Timestamp,
    Other,
}

impl ColumnInput {
    /// A reader of a type (not a domain, but domains go, too).
    pub fn new(type_ref: TypeRef) -> ColumnInput {
        const KINDS: [(Oid, Kind); 10] = [
            (oids::INT2, Kind::Int2),
            (oids::INT4, Kind::Int4),
            (oids::INT8, Kind::Int8),
            (oids::FLOAT8, Kind::Float8),
            (oids::NUMERIC, Kind::Numeric),
            (oids::TEXT, Kind::Text),
            (oids::VARCHAR, Kind::Varchar),
            (oids::BPCHAR, Kind::Bpchar),
            (oids::DATE, Kind::Date),
            (oids::TIMESTAMP, Kind::Timestamp),
        ];
        let known = KINDS.iter().find(|(oid, _)| *oid == type_ref.oid);
        ColumnInput {
            type_ref,
            kind: known.map_or(Kind::Other, |(_, kind)| *kind),
        }
    }

    /// Appends a value.
    pub fn read(&self, text: &str, ctx: &IoContext<'_>, column: &mut Vector) -> PgResult<()> {
        let typmod = self.type_ref.typmod;
        let done = match self.kind {
            Kind::Int2 | Kind::Int4 | Kind::Int8 => integer(text).is_some_and(|v| push_integer(v, column)),
            Kind::Float8 => float(text).is_some_and(|v| column.push_float8(v)),
            Kind::Numeric => decimal(text, typmod).is_some_and(|v| column.push_numeric(v)),
            Kind::Date => date(text).is_some_and(|v| column.push_int4(v)),
            Kind::Timestamp if typmod < 0 => timestamp(text).is_some_and(|v| column.push_int8(v)),
            Kind::Text => {
                column.push_string(text.as_bytes());
                true
            }
            Kind::Varchar => {
                column.push_string(varchar_coerce(text, typmod, TooLong::Error)?.as_bytes());
                true
            }
            Kind::Bpchar => char_typmod_length(typmod).is_some_and(|length| padded(text, length, column)),
            _ => false,
        };
        if !done {
            let value: Datum = io::input(self.type_ref.oid, typmod, text, ctx)?;
            column.push(&value);
        }
        Ok(())
    }
}

fn push_integer(value: i64, column: &mut Vector) -> bool {
    match column.data() {
        VectorData::Int8(_) => column.push_int8(value),
        VectorData::Int4(_) => i32::try_from(value).is_ok_and(|v| column.push_int4(v)),
        _ => i16::try_from(value).is_ok_and(|v| column.push_int2(v)),
    }
}

/// Longer texts of type `char(n)` go the usual way.
const PADDED_MAX: usize = 64;

/// Appends a plain text with blanks up to the length declared.
fn padded(text: &str, length: usize, column: &mut Vector) -> bool {
    let text = text.as_bytes();
    if text.len() > length || !text.is_ascii() {
        return false;
    }
    if text.len() == length {
        column.push_string(text);
        return true;
    }
    let mut blanks = [b' '; PADDED_MAX];
    let (Some(start), true) = (blanks.get_mut(..text.len()), length <= PADDED_MAX) else {
        return false;
    };
    start.copy_from_slice(text);
    column.push_string(&blanks[..length]);
    true
}

/// Up to 18 digits.
fn digits(bytes: &[u8]) -> Option<i64> {
    if bytes.is_empty() || bytes.len() > 18 {
        return None;
    }
    let mut value = 0i64;
    for &b in bytes {
        if !b.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(b - b'0');
    }
    Some(value)
}

fn integer(text: &str) -> Option<i64> {
    match text.as_bytes() {
        [b'-', rest @ ..] => digits(rest).map(|v| -v),
        bytes => digits(bytes),
    }
}

fn float(text: &str) -> Option<f64> {
    let plain = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E');
    if !text.bytes().all(plain) {
        return None;
    }
    // Overflow and underflow are errors that the type's input makes.
    text.parse().ok().filter(|v: &f64| v.is_normal())
}

/// A number that is stored as it is written.
fn decimal(text: &str, typmod: i32) -> Option<Numeric> {
    let value = numeric::parse_plain(text.as_bytes())?;
    let Numeric::Small { unscaled, scale } = value else {
        return None;
    };
    let Some((precision, wanted)) = typmod_precision_scale(typmod) else {
        return Some(value);
    };
    let more = u32::try_from(wanted - i32::from(scale)).ok()?;
    let unscaled = unscaled.checked_mul(10i64.checked_pow(more)?)?;
    let count = unscaled
        .unsigned_abs()
        .checked_ilog10()
        .map_or(0, |d| d as i32 + 1);
    (count <= precision).then_some(Numeric::Small {
        unscaled,
        scale: u16::try_from(wanted).ok()?,
    })
}

/// Days since 2000 of `YYYY-MM-DD`.
fn days(bytes: &[u8]) -> Option<i64> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = bytes else {
        return None;
    };
    let year = digits(&[*y1, *y2, *y3, *y4])? as i32;
    let (month, day) = (digits(&[*m1, *m2])? as i32, digits(&[*d1, *d2])? as i32);
    let valid = year > 0 && (1..=12).contains(&month) && day >= 1 && day <= days_in_month(year, month);
    valid.then(|| days_from_civil(i64::from(year), i64::from(month), i64::from(day)))
}

fn date(text: &str) -> Option<i32> {
    i32::try_from(days(text.as_bytes())?).ok()
}

/// `YYYY-MM-DD HH:MM:SS`, with up to six digits of fraction.
fn timestamp(text: &str) -> Option<i64> {
    let (day, rest) = text.as_bytes().split_at_checked(10)?;
    let ([b' ', h1, h2, b':', m1, m2, b':', s1, s2], fraction) = rest.split_first_chunk::<9>()? else {
        return None;
    };
    let (hour, minute) = (digits(&[*h1, *h2])?, digits(&[*m1, *m2])?);
    let second = digits(&[*s1, *s2])?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let micros = match fraction {
        [] => 0,
        [b'.', f @ ..] if f.len() <= 6 => digits(f)? * 10i64.pow(6 - f.len() as u32),
        _ => return None,
    };
    let days = days(day)?;
    Some(days * USECS_PER_DAY + (hour * 3600 + minute * 60 + second) * USECS_PER_SEC + micros)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::{FormatSettings, PhysType};

    /// Both ways give the same value, or the same error.
    #[test]
    fn columns_and_datums_read_alike() {
        let settings = FormatSettings::default();
        let ctx = IoContext::new(&settings);
        let texts = [
            "",
            "0",
            "-0",
            "7",
            "-32768",
            "32768",
            "2147483648",
            "-9223372036854775808",
            "1_000",
            "0x1F",
            " 12 ",
            "+5",
            "1.",
            ".5",
            "-12.50",
            "99999.995",
            "123456789012345678901234567890.5",
            "1e5",
            "1e400",
            "1e-400",
            "-0.0",
            "nan",
            "inf",
            "infinity",
            "abc",
            "abcde",
            "abcdef",
            "abcde   ",
            "1998-09-02",
            "1998-02-29",
            "2000-02-29",
            "0000-01-01",
            "1998-9-2",
            "19980902",
            "1998-09-02 10:11:12",
            "1998-09-02 10:11:12.5",
            "1998-09-02 24:00:00",
            "1998-09-02 10:11:60",
            "1998-09-02T10:11:12",
            "1998-09-02 10:11:12.1234567",
            "epoch",
            "9999-12-31",
            "\u{e4}\u{f6}\u{fc}ab",
        ];
        let numeric_5_2 = ((5 << 16) | 2) + 4;
        let types = [
            (oids::INT2, -1),
            (oids::INT4, -1),
            (oids::INT8, -1),
            (oids::FLOAT8, -1),
            (oids::NUMERIC, -1),
            (oids::NUMERIC, numeric_5_2),
            (oids::TEXT, -1),
            (oids::VARCHAR, 9),
            (oids::BPCHAR, 9),
            (oids::BPCHAR, 68),
            (oids::BPCHAR, 69),
            (oids::BPCHAR, -1),
            (oids::DATE, -1),
            (oids::TIMESTAMP, -1),
            (oids::TIMESTAMP, 0),
        ];
        for (oid, typmod) in types {
            let reader = ColumnInput::new(TypeRef { oid, typmod });
            for text in texts {
                let mut column = Vector::empty(PhysType::of_builtin(oid));
                let read = reader.read(text, &ctx, &mut column).map(|()| column.datum(0));
                let expected = io::input(oid, typmod, text, &ctx);
                match (read, expected) {
                    (Ok(a), Ok(b)) => assert_eq!(format!("{a:?}"), format!("{b:?}"), "{oid} {text}"),
                    (a, b) => assert_eq!(
                        a.map_err(|e| e.message.clone()).err(),
                        b.map_err(|e| e.message.clone()).err(),
                        "{oid} {text}"
                    ),
                }
            }
        }
    }
}
