//! Text input of intervals in ISO 8601: with designators (`P1Y2M3DT4H5M6S`) and alternative (`P0001-02-03T04:05:06`).

use crate::datetime::error::{ParseError, ParseResult};
use crate::datetime::interval_in::IntervalParts;
use crate::datetime::{USECS_PER_DAY, USECS_PER_HOUR, USECS_PER_MINUTE, USECS_PER_SEC};

const BAD: ParseError = ParseError::BadFormat;

/// Reads numbers off the front of the text.
struct Cursor<'a> {
    rest: &'a str,
    parts: IntervalParts,
}

/// A number: whole part, fraction, and how many digits the whole part was written with.
#[derive(Clone, Copy)]
struct Number {
    whole: i64,
    part: f64,
    width: usize,
}

impl Cursor<'_> {
    fn number(&mut self) -> ParseResult<Number> {
        let s = self.rest;
        if !s.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.') {
            return Err(BAD);
        }
        let sign = usize::from(s.starts_with('-'));
        let bytes = s.as_bytes();
        let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
        let width = digits(sign);
        let mut end = sign + width;
        let mut seen = width;
        if bytes.get(end) == Some(&b'.') {
            let fraction = digits(end + 1);
            seen += fraction;
            end += 1 + fraction;
        }
        if seen == 0 {
            return Err(BAD);
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let exponent = digits(end + 1 + sign);
            if exponent > 0 {
                end += 1 + sign + exponent;
            }
        }
        let value: f64 = s[..end].parse().map_err(|_| BAD)?;
        if !value.is_finite() {
            return Err(BAD);
        }
        if !(-1.0e15..=1.0e15).contains(&value) {
            return Err(ParseError::FieldOverflow);
        }
        self.rest = &s[end..];
        Ok(Number {
            whole: value.trunc() as i64,
            part: value - value.trunc(),
            width,
        })
    }

    /// The designator after a number; `None` at the end.
    fn designator(&mut self) -> Option<u8> {
        let b = self.rest.bytes().next()?;
        // A character of several bytes is no designator; any ASCII stand-in refuses it.
        self.rest = self.rest.get(1..).unwrap_or("");
        Some(b)
    }

    fn years(&mut self, n: Number) -> ParseResult<()> {
        self.parts.add_years(n.whole, 1)?;
        self.parts.add_years_fraction(n.part, 1)
    }

    fn months(&mut self, n: Number) -> ParseResult<()> {
        self.parts.add_months(n.whole)?;
        self.parts.add_days_fraction(n.part, 30)
    }

    fn weeks(&mut self, n: Number) -> ParseResult<()> {
        self.parts.add_days(n.whole, 7)?;
        self.parts.add_days_fraction(n.part, 7)
    }

    fn days(&mut self, n: Number) -> ParseResult<()> {
        self.parts.add_days(n.whole, 1)?;
        self.parts.add_micros_fraction(n.part, USECS_PER_DAY)
    }

    fn clock(&mut self, n: Number, scale: i64) -> ParseResult<()> {
        self.parts.add_micros(n.whole, scale)?;
        self.parts.add_micros_fraction(n.part, scale)
    }

    /// `yyyymmdd` in one number.
    fn basic_date(&mut self, n: Number) -> ParseResult<()> {
        self.parts.add_years(n.whole / 10_000, 1)?;
        self.parts.add_months(n.whole / 100 % 100)?;
        self.parts.add_days(n.whole % 100, 1)?;
        self.parts.add_micros_fraction(n.part, USECS_PER_DAY)
    }

    /// `hhmmss` in one number.
    fn basic_time(&mut self, n: Number) -> ParseResult<()> {
        self.parts.add_micros(n.whole / 10_000, USECS_PER_HOUR)?;
        self.parts.add_micros(n.whole / 100 % 100, USECS_PER_MINUTE)?;
        self.parts.add_micros(n.whole % 100, USECS_PER_SEC)?;
        self.parts.add_micros_fraction(n.part, 1)
    }

    /// `-mm[-dd]` after the years; true when a time follows.
    fn extended_date(&mut self) -> ParseResult<bool> {
        let n = self.number()?;
        self.months(n)?;
        if self.rest.is_empty() {
            return Ok(false);
        }
        if self.rest.starts_with('T') {
            return Ok(true);
        }
        self.rest = self.rest.strip_prefix('-').ok_or(BAD)?;
        let n = self.number()?;
        self.days(n)?;
        match self.rest {
            "" => Ok(false),
            rest if rest.starts_with('T') => Ok(true),
            _ => Err(BAD),
        }
    }

    /// `:mm[:ss]` after the hours.
    fn extended_time(&mut self) -> ParseResult<()> {
        let n = self.number()?;
        self.clock(n, USECS_PER_MINUTE)?;
        if self.rest.is_empty() {
            return Ok(());
        }
        self.rest = self.rest.strip_prefix(':').ok_or(BAD)?;
        let n = self.number()?;
        self.clock(n, USECS_PER_SEC)?;
        if self.rest.is_empty() { Ok(()) } else { Err(BAD) }
    }
}

/// Parses an ISO 8601 interval.
pub fn parse(s: &str) -> ParseResult<IntervalParts> {
    let rest = s.strip_prefix('P').filter(|r| !r.is_empty()).ok_or(BAD)?;
    let mut c = Cursor {
        rest,
        parts: IntervalParts::default(),
    };
    let mut in_date = true;
    let mut seen = false;
    while !c.rest.is_empty() {
        if let Some(rest) = c.rest.strip_prefix('T') {
            (c.rest, in_date, seen) = (rest, false, false);
            continue;
        }
        let n = c.number()?;
        let unit = c.designator();
        if in_date {
            match unit {
                Some(b'Y') => c.years(n)?,
                Some(b'M') => c.months(n)?,
                Some(b'W') => c.weeks(n)?,
                Some(b'D') => c.days(n)?,
                None | Some(b'T' | b'-') => {
                    if unit != Some(b'-') && n.width == 8 && !seen {
                        c.basic_date(n)?;
                    } else if seen {
                        return Err(BAD);
                    } else {
                        c.years(n)?;
                        if unit == Some(b'-') {
                            c.extended_date()?;
                            continue;
                        }
                    }
                    if unit.is_none() {
                        return Ok(c.parts);
                    }
                    (in_date, seen) = (false, false);
                    continue;
                }
                Some(_) => return Err(BAD),
            }
        } else {
            match unit {
                Some(b'H') => c.clock(n, USECS_PER_HOUR)?,
                Some(b'M') => c.clock(n, USECS_PER_MINUTE)?,
                Some(b'S') => c.clock(n, USECS_PER_SEC)?,
                None if n.width == 6 && !seen => {
                    c.basic_time(n)?;
                    return Ok(c.parts);
                }
                None | Some(b':') if !seen => {
                    c.clock(n, USECS_PER_HOUR)?;
                    if unit.is_some() {
                        c.extended_time()?;
                    }
                    return Ok(c.parts);
                }
                _ => return Err(BAD),
            }
        }
        seen = true;
    }
    Ok(c.parts)
}
