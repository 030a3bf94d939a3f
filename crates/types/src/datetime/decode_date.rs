//! The parts of a date or time: numbers whose meaning follows from what was seen before, dates, times of day.

use crate::datetime::Civil;
use crate::datetime::civil::{civil_from_days, days_from_civil, days_in_month};
use crate::datetime::error::{ParseError, ParseResult};
use crate::datetime::words::{self, DateWord};
use crate::settings::DateOrder;

/// A set of the fields seen so far.
pub type Mask = u32;

#[allow(missing_docs)]
pub const YEAR: Mask = 1 << 2;
#[allow(missing_docs)]
pub const MONTH: Mask = 1 << 1;
#[allow(missing_docs)]
pub const DAY: Mask = 1 << 3;
#[allow(missing_docs)]
pub const TZ: Mask = 1 << 5;
#[allow(missing_docs)]
pub const DTZ: Mask = 1 << 6;
#[allow(missing_docs)]
pub const DYNTZ: Mask = 1 << 7;
#[allow(missing_docs)]
pub const AMPM: Mask = 1 << 9;
#[allow(missing_docs)]
pub const HOUR: Mask = 1 << 10;
#[allow(missing_docs)]
pub const MINUTE: Mask = 1 << 11;
#[allow(missing_docs)]
pub const SECOND: Mask = 1 << 12;
#[allow(missing_docs)]
pub const MILLISECOND: Mask = 1 << 13;
#[allow(missing_docs)]
pub const MICROSECOND: Mask = 1 << 14;
#[allow(missing_docs)]
pub const DOY: Mask = 1 << 15;
#[allow(missing_docs)]
pub const DOW: Mask = 1 << 16;
#[allow(missing_docs)]
pub const ADBC: Mask = 1 << 18;
#[allow(missing_docs)]
pub const WEEK: Mask = 1 << 24;
#[allow(missing_docs)]
pub const DECADE: Mask = 1 << 25;
#[allow(missing_docs)]
pub const CENTURY: Mask = 1 << 26;
#[allow(missing_docs)]
pub const MILLENNIUM: Mask = 1 << 27;
#[allow(missing_docs)]
pub const DTZMOD: Mask = 1 << 28;
/// All of a date.
pub const DATE_MASK: Mask = YEAR | MONTH | DAY;
/// Seconds and their fractions.
pub const ALL_SECS: Mask = SECOND | MILLISECOND | MICROSECOND;
/// All of a time.
pub const TIME_MASK: Mask = HOUR | MINUTE | ALL_SECS;

/// What has been read so far.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// The values.
    pub civil: Civil,
    /// Day of the year, when `DOY` is set.
    pub day_of_year: i32,
    /// Which values are there.
    pub mask: Mask,
    /// The year was written with two digits or fewer.
    pub two_digit_year: bool,
    /// The month was written as a word.
    pub text_month: bool,
    /// The date came from a Julian day.
    pub is_julian: bool,
    /// Order of ambiguous numbers.
    pub order: DateOrder,
}

/// Leading integer (with sign) of a string and the rest; overflow of 64 bits is an error.
pub fn leading_i64(s: &str) -> ParseResult<(i64, &str)> {
    let signed = usize::from(s.starts_with(['+', '-']));
    let digits = s[signed..].bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return Ok((0, s));
    }
    let (number, rest) = s.split_at(signed + digits);
    match number.parse::<i64>() {
        Ok(v) => Ok((v, rest)),
        Err(_) => Err(ParseError::FieldOverflow),
    }
}

/// The same in 32 bits.
pub fn leading_i32(s: &str) -> ParseResult<(i32, &str)> {
    let (value, rest) = leading_i64(s)?;
    Ok((i32::try_from(value).map_err(|_| ParseError::FieldOverflow)?, rest))
}

/// Parses `.ddd` as a fraction of one.
pub fn fraction(s: &str) -> ParseResult<f64> {
    if s == "." {
        return Ok(0.0);
    }
    if !s.starts_with('.') || !s[1..].bytes().all(|b| b.is_ascii_digit()) {
        return Err(ParseError::BadFormat);
    }
    s.parse().map_err(|_| ParseError::BadFormat)
}

/// Parses `.ddd` as microseconds, rounded half to even.
pub fn fraction_micros(s: &str) -> ParseResult<i32> {
    Ok((fraction(s)? * 1e6).round_ties_even() as i32)
}

impl Parts {
    /// Adds fields to the mask; a field given twice is an error.
    pub fn mark(&mut self, fields: Mask) -> ParseResult<()> {
        if self.mask & fields != 0 {
            return Err(ParseError::BadFormat);
        }
        self.mask |= fields;
        Ok(())
    }

    /// Reads a date written in one piece with separators.
    pub fn decode_date(&mut self, s: &str, known: Mask) -> ParseResult<Mask> {
        let mut pieces: Vec<&str> = Vec::with_capacity(4);
        let mut rest = s;
        while !rest.is_empty() {
            rest = rest.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
            if rest.is_empty() || pieces.len() >= 25 {
                return Err(ParseError::BadFormat);
            }
            let digits = rest.starts_with(|c: char| c.is_ascii_digit());
            let end = rest
                .find(|c: char| {
                    !if digits {
                        c.is_ascii_digit()
                    } else {
                        c.is_ascii_alphabetic()
                    }
                })
                .unwrap_or(rest.len());
            pieces.push(&rest[..end]);
            // One separator goes with the piece, whatever it is: "1jan" loses its "j", and fails for it.
            rest = rest.get(end + 1..).unwrap_or("");
        }
        let mut mask = known;
        let mut added = 0;
        let mut text_month = false;
        for piece in pieces
            .iter_mut()
            .filter(|p| p.starts_with(|c: char| c.is_ascii_alphabetic()))
        {
            match words::date_word(piece) {
                Some(DateWord::Ignore) => continue,
                Some(DateWord::Month(month)) if mask & MONTH == 0 => {
                    self.civil.month = month;
                    text_month = true;
                }
                _ => return Err(ParseError::BadFormat),
            }
            mask |= MONTH;
            added |= MONTH;
            *piece = "";
        }
        for piece in pieces.iter().filter(|p| !p.is_empty()) {
            let got = self.decode_number(piece, text_month, mask)?;
            if mask & got != 0 {
                return Err(ParseError::BadFormat);
            }
            mask |= got;
            added |= got;
        }
        if mask & !(DOY | TZ) != DATE_MASK {
            return Err(ParseError::BadFormat);
        }
        Ok(added)
    }

    /// Reads a number whose meaning depends on what is known already.
    pub fn decode_number(&mut self, s: &str, text_month: bool, known: Mask) -> ParseResult<Mask> {
        let len = s.len();
        let (value, rest) = leading_i32(s)?;
        let digits = len - rest.len();
        if digits == 0 {
            return Err(ParseError::BadFormat);
        }
        if rest.starts_with('.') {
            // More than two digits before the point: a date or a time run together.
            if digits > 2 {
                return self.decode_number_field(s, known | DATE_MASK);
            }
            self.civil.micros = fraction_micros(rest)?;
        } else if !rest.is_empty() {
            return Err(ParseError::BadFormat);
        }
        let date = known & DATE_MASK;
        if len == 3 && date == YEAR && (1..=366).contains(&value) {
            self.day_of_year = value;
            return Ok(DOY | MONTH | DAY);
        }
        let long_or_ymd = len >= 3 || self.order == DateOrder::Ymd;
        let got = match date {
            0 if long_or_ymd => YEAR,
            0 if self.order == DateOrder::Dmy => DAY,
            0 => MONTH,
            YEAR | DAY => MONTH,
            MONTH if text_month && long_or_ymd => YEAR,
            MONTH => DAY,
            // The first number was taken for the year but must have been the day.
            m if m == YEAR | MONTH && text_month && len >= 3 && self.two_digit_year => {
                self.civil.day = self.civil.year;
                self.civil.year = value;
                self.two_digit_year = false;
                return Ok(DAY);
            }
            m if m == YEAR | MONTH => DAY,
            m if m == MONTH | DAY => YEAR,
            DATE_MASK => return self.decode_number_field(s, known),
            _ => return Err(ParseError::BadFormat),
        };
        match got {
            YEAR => {
                self.civil.year = value;
                self.two_digit_year = len <= 2;
            }
            MONTH => self.civil.month = value,
            _ => self.civil.day = value,
        }
        Ok(got)
    }

    /// Reads digits run together: `yyyymmdd`, `yymmdd`, `hhmmss` or `hhmm`, perhaps with a fraction.
    pub fn decode_number_field(&mut self, s: &str, known: Mask) -> ParseResult<Mask> {
        let mut digits = s;
        if let Some(point) = s.find('.') {
            self.civil.micros = fraction_micros(&s[point..])?;
            digits = &s[..point];
        }
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(ParseError::BadFormat);
        }
        let len = digits.len();
        let number = |from: usize, to: usize| {
            digits[from..to]
                .parse::<i32>()
                .map_err(|_| ParseError::FieldOverflow)
        };
        if digits.len() == s.len() && known & DATE_MASK != DATE_MASK && len >= 6 {
            self.civil.day = number(len - 2, len)?;
            self.civil.month = number(len - 4, len - 2)?;
            self.civil.year = number(0, len - 4)?;
            self.two_digit_year |= len == 6;
            return Ok(DATE_MASK);
        }
        if known & TIME_MASK != TIME_MASK && (len == 6 || len == 4) {
            self.civil.second = if len == 6 { number(4, 6)? } else { 0 };
            self.civil.minute = number(2, 4)?;
            self.civil.hour = number(0, 2)?;
            return Ok(TIME_MASK);
        }
        Err(ParseError::BadFormat)
    }

    /// Final checks of year, month and day.
    pub fn validate_date(&mut self, bc: bool) -> ParseResult<()> {
        let c = &mut self.civil;
        if self.mask & YEAR != 0 && !self.is_julian {
            if bc {
                if c.year <= 0 {
                    return Err(ParseError::FieldOverflow);
                }
                c.year = -(c.year - 1);
            } else if self.two_digit_year {
                match c.year {
                    i32::MIN..=-1 => return Err(ParseError::FieldOverflow),
                    0..70 => c.year += 2000,
                    70..100 => c.year += 1900,
                    _ => {}
                }
            } else if c.year <= 0 {
                return Err(ParseError::FieldOverflow);
            }
        }
        if self.mask & DOY != 0 {
            let days = days_from_civil(i64::from(c.year), 1, 1) + i64::from(self.day_of_year) - 1;
            (c.year, c.month, c.day) = civil_from_days(days);
        }
        if self.mask & MONTH != 0 && !(1..=12).contains(&c.month) {
            return Err(ParseError::MonthDayOverflow);
        }
        if self.mask & DAY != 0 && !(1..=31).contains(&c.day) {
            return Err(ParseError::MonthDayOverflow);
        }
        if self.mask & DATE_MASK == DATE_MASK && c.day > days_in_month(c.year, c.month) {
            return Err(ParseError::FieldOverflow);
        }
        Ok(())
    }
}

/// Hours, minutes, seconds and microseconds; hours may exceed a day (intervals).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ClockTime {
    pub hours: i64,
    pub minutes: i32,
    pub seconds: i32,
    pub micros: i32,
}

/// Reads `hh:mm[:ss[.ffffff]]`, or `mm:ss[.ffffff]` when `minute_to_second` says so or a fraction follows two fields.
pub fn clock_time(s: &str, minute_to_second: bool) -> ParseResult<ClockTime> {
    let (mut hours, rest) = leading_i64(s)?;
    let rest = rest.strip_prefix(':').ok_or(ParseError::BadFormat)?;
    let (mut minutes, rest) = leading_i32(rest)?;
    let (mut seconds, mut micros) = (0, 0);
    let shift = |hours: i64| i32::try_from(hours).map_err(|_| ParseError::FieldOverflow);
    if rest.is_empty() {
        if minute_to_second {
            (hours, minutes, seconds) = (0, shift(hours)?, minutes);
        }
    } else if rest.starts_with('.') {
        micros = fraction_micros(rest)?;
        (hours, minutes, seconds) = (0, shift(hours)?, minutes);
    } else if let Some(rest) = rest.strip_prefix(':') {
        let (s, rest) = leading_i32(rest)?;
        seconds = s;
        if rest.starts_with('.') {
            micros = fraction_micros(rest)?;
        } else if !rest.is_empty() {
            return Err(ParseError::BadFormat);
        }
    } else {
        return Err(ParseError::BadFormat);
    }
    if hours < 0
        || !(0..60).contains(&minutes)
        || !(0..=60).contains(&seconds)
        || !(0..=1_000_000).contains(&micros)
    {
        return Err(ParseError::FieldOverflow);
    }
    Ok(ClockTime {
        hours,
        minutes,
        seconds,
        micros,
    })
}

impl ClockTime {
    /// As a time of day; more hours than fit are out of range.
    pub fn store(self, civil: &mut Civil) -> ParseResult<()> {
        civil.hour = i32::try_from(self.hours).map_err(|_| ParseError::FieldOverflow)?;
        civil.minute = self.minutes;
        civil.second = self.seconds;
        civil.micros = self.micros;
        Ok(())
    }
}
