//! Text input of intervals: units in words, SQL standard shorthand, and ISO 8601 through [`interval_iso`](crate::datetime::interval_iso).

use common::{PgResult, pg_err};

use crate::datetime::decode_date::{
    self as dd, ALL_SECS, DATE_MASK, Mask, TIME_MASK, clock_time, fraction, leading_i32, leading_i64,
};
use crate::datetime::error::{ParseError, ParseResult};
use crate::datetime::fields::{self, Field, FieldKind};
use crate::datetime::input::{adjust_interval_typmod, interval_range};
use crate::datetime::words::{self, DateWord, IntervalWord, Unit};
use crate::datetime::{USECS_PER_DAY, USECS_PER_HOUR, USECS_PER_MINUTE, USECS_PER_SEC, interval_iso};
use crate::settings::IntervalStyle;
use crate::{FormatSettings, Interval};

const INTERVAL_BUFFER: usize = 256;
const BAD: ParseError = ParseError::BadFormat;
const OVERFLOW: ParseError = ParseError::FieldOverflow;

/// The sums while an interval is read; years and months stay apart so that each has its own overflow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct IntervalParts {
    pub micros: i64,
    pub days: i32,
    pub months: i32,
    pub years: i32,
}

impl IntervalParts {
    /// Adds `value * scale` microseconds.
    pub fn add_micros(&mut self, value: i64, scale: i64) -> ParseResult<()> {
        let sum = value.checked_mul(scale).and_then(|v| self.micros.checked_add(v));
        self.micros = sum.ok_or(OVERFLOW)?;
        Ok(())
    }

    /// Adds a fraction of `scale` microseconds, rounded.
    pub fn add_micros_fraction(&mut self, fraction: f64, scale: i64) -> ParseResult<()> {
        let exact = fraction * scale as f64;
        let mut micros = exact as i64;
        let rest = exact - micros as f64;
        if rest > 0.5 {
            micros += 1;
        } else if rest < -0.5 {
            micros -= 1;
        }
        self.micros = self.micros.checked_add(micros).ok_or(OVERFLOW)?;
        Ok(())
    }

    /// Adds `value * scale` days.
    pub fn add_days(&mut self, value: i64, scale: i32) -> ParseResult<()> {
        self.days = accumulate(self.days, value, scale)?;
        Ok(())
    }

    /// Adds a fraction of `scale` days: whole days, the rest as time.
    pub fn add_days_fraction(&mut self, fraction: f64, scale: i32) -> ParseResult<()> {
        let exact = fraction * f64::from(scale);
        let days = exact as i32;
        self.days = self.days.checked_add(days).ok_or(OVERFLOW)?;
        self.add_micros_fraction(exact - f64::from(days), USECS_PER_DAY)
    }

    /// Adds months.
    pub fn add_months(&mut self, value: i64) -> ParseResult<()> {
        self.months = accumulate(self.months, value, 1)?;
        Ok(())
    }

    /// Adds `value * scale` years.
    pub fn add_years(&mut self, value: i64, scale: i32) -> ParseResult<()> {
        self.years = accumulate(self.years, value, scale)?;
        Ok(())
    }

    /// Adds a fraction of `scale` years as whole months.
    pub fn add_years_fraction(&mut self, fraction: f64, scale: i32) -> ParseResult<()> {
        let months = (fraction * f64::from(scale) * 12.0).round_ties_even() as i32;
        self.months = self.months.checked_add(months).ok_or(OVERFLOW)?;
        Ok(())
    }

    fn negate(&mut self) -> ParseResult<()> {
        let negated = IntervalParts {
            micros: self.micros.checked_neg().ok_or(OVERFLOW)?,
            days: self.days.checked_neg().ok_or(OVERFLOW)?,
            months: self.months.checked_neg().ok_or(OVERFLOW)?,
            years: self.years.checked_neg().ok_or(OVERFLOW)?,
        };
        *self = negated;
        Ok(())
    }

    /// The interval; `None` when it does not fit. The extremes of all parts together read as infinite.
    pub fn finish(self) -> Option<Interval> {
        let months = i64::from(self.years) * 12 + i64::from(self.months);
        let v = Interval {
            micros: self.micros,
            days: self.days,
            months: i32::try_from(months).ok()?,
        };
        Some(v)
    }
}

fn accumulate(sum: i32, value: i64, scale: i32) -> ParseResult<i32> {
    i32::try_from(value)
        .ok()
        .and_then(|v| v.checked_mul(scale))
        .and_then(|v| sum.checked_add(v))
        .ok_or(OVERFLOW)
}

/// What an interval string said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Parts(IntervalParts),
    Infinity,
    NegInfinity,
}

/// The unit that the next number (reading backwards) belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pending {
    /// None said yet: the rightmost number takes the type modifier's last field.
    Default,
    Unit(Unit),
    /// `ago`: needs a unit in front.
    Nothing,
}

struct Decoder {
    parts: IntervalParts,
    mask: Mask,
    pending: Pending,
    /// A unit was read and its number is still to come.
    unit_waits: bool,
    /// One leading minus sign negates every field (SQL standard style).
    force_negative: bool,
    range: Mask,
}

/// Reads an `interval`.
pub fn interval_in(s: &str, typmod: i32, settings: &FormatSettings) -> PgResult<Interval> {
    let range = interval_range(typmod);
    let said =
        match fields::split(s, INTERVAL_BUFFER).and_then(|f| decode(&f, range, settings.interval_style)) {
            Err(ParseError::BadFormat) => interval_iso::parse(s).map(Said::Parts),
            other => other,
        };
    let value = match said {
        Ok(Said::Parts(parts)) => parts
            .finish()
            .ok_or_else(|| pg_err!(DATETIME_VALUE_OUT_OF_RANGE, "interval out of range"))?,
        Ok(Said::Infinity) => Interval::INFINITY,
        Ok(Said::NegInfinity) => Interval::NEG_INFINITY,
        Err(ParseError::FieldOverflow) => return Err(ParseError::IntervalOverflow.report(s, "interval")),
        Err(e) => return Err(e.report(s, "interval")),
    };
    adjust_interval_typmod(value, typmod)
}

fn decode(fields: &[Field], range: Mask, style: IntervalStyle) -> ParseResult<Said> {
    let signed = |f: &Field| f.text.starts_with(['+', '-']);
    let force_negative = style == IntervalStyle::SqlStandard
        && fields.first().is_some_and(|f| f.text.starts_with('-'))
        && !fields.iter().skip(1).any(signed);
    let mut d = Decoder {
        parts: IntervalParts::default(),
        mask: 0,
        pending: Pending::Default,
        unit_waits: false,
        force_negative,
        range,
    };
    let mut ago = false;
    let mut infinite = None;
    for (i, field) in fields.iter().enumerate().rev() {
        let last = i + 1 == fields.len();
        let got = match field.kind {
            FieldKind::Time => d.clock_field(&field.text, false)?,
            FieldKind::Zone if d.is_signed_clock(&field.text) => {
                d.clock_field(&field.text[1..], field.text.starts_with('-'))?
            }
            FieldKind::Zone | FieldKind::Date | FieldKind::Number => d.number_field(&field.text)?,
            FieldKind::Word | FieldKind::SignedWord => {
                if d.unit_waits {
                    return Err(BAD);
                }
                match words::interval_word(&field.text) {
                    Some(IntervalWord::Ignore) => continue,
                    Some(IntervalWord::Unit(unit)) => {
                        d.pending = Pending::Unit(unit);
                        d.unit_waits = true;
                        0
                    }
                    Some(IntervalWord::Ago) if last => {
                        ago = true;
                        d.pending = Pending::Nothing;
                        0
                    }
                    Some(IntervalWord::Ago) => return Err(BAD),
                    None => match d.other_word(&field.text)? {
                        None => continue,
                        Some(Said::Parts(_)) => 0,
                        Some(said) if last => {
                            infinite = Some(said);
                            DATE_MASK | TIME_MASK
                        }
                        Some(_) => return Err(BAD),
                    },
                }
            }
        };
        if got & d.mask != 0 {
            return Err(BAD);
        }
        d.mask |= got;
    }
    if d.mask == 0 || d.unit_waits {
        return Err(BAD);
    }
    if ago {
        d.parts.negate()?;
    }
    Ok(infinite.unwrap_or(Said::Parts(d.parts)))
}

impl Decoder {
    /// Words of the date/time grammar: infinities, the few units that only it knows, and words to skip (`None`).
    fn other_word(&mut self, text: &str) -> ParseResult<Option<Said>> {
        match words::date_word(text) {
            Some(DateWord::Ignore) => Ok(None),
            Some(DateWord::Infinity) => Ok(Some(Said::Infinity)),
            Some(DateWord::NegInfinity) => Ok(Some(Said::NegInfinity)),
            Some(DateWord::Unit(unit)) => {
                self.pending = Pending::Unit(unit);
                self.unit_waits = true;
                Ok(Some(Said::Parts(self.parts)))
            }
            Some(DateWord::Julian) => {
                self.pending = Pending::Unit(Unit::Julian);
                self.unit_waits = true;
                Ok(Some(Said::Parts(self.parts)))
            }
            _ => Err(BAD),
        }
    }

    fn clock_micros(&self, text: &str) -> ParseResult<i64> {
        let clock = clock_time(text, self.range == dd::MINUTE | dd::SECOND)?;
        clock
            .hours
            .checked_mul(USECS_PER_HOUR)
            .and_then(|h| {
                h.checked_add(
                    i64::from(clock.minutes) * USECS_PER_MINUTE
                        + i64::from(clock.seconds) * USECS_PER_SEC
                        + i64::from(clock.micros),
                )
            })
            .ok_or(OVERFLOW)
    }

    fn is_signed_clock(&self, text: &str) -> bool {
        text[1..].contains(':') && self.clock_micros(&text[1..]).is_ok()
    }

    fn clock_field(&mut self, text: &str, negative: bool) -> ParseResult<Mask> {
        let mut micros = self.clock_micros(text)?;
        if negative || (self.force_negative && micros > 0) {
            micros = -micros;
        }
        self.parts.micros = micros;
        // A number further left is a count of days.
        self.pending = Pending::Unit(Unit::Day);
        self.unit_waits = false;
        Ok(TIME_MASK)
    }

    /// The field that a number without unit counts.
    fn default_unit(&self) -> Unit {
        match self.range {
            r if r == dd::YEAR => Unit::Year,
            r if r == dd::MONTH || r == dd::YEAR | dd::MONTH => Unit::Month,
            r if r == dd::DAY => Unit::Day,
            r if r == dd::HOUR || r == dd::DAY | dd::HOUR => Unit::Hour,
            r if r == dd::MINUTE || r == dd::HOUR | dd::MINUTE || r == dd::DAY | dd::HOUR | dd::MINUTE => {
                Unit::Minute
            }
            _ => Unit::Second,
        }
    }

    fn number_field(&mut self, text: &str) -> ParseResult<Mask> {
        let mut unit = match self.pending {
            Pending::Default => self.default_unit(),
            Pending::Unit(unit) => unit,
            Pending::Nothing => return Err(BAD),
        };
        self.pending = Pending::Unit(unit);
        let negative = text.starts_with('-');
        let (mut value, rest) = leading_i64(text)?;
        let mut part = 0.0;
        if let Some(months) = rest.strip_prefix('-') {
            let (months, rest) = leading_i32(months)?;
            if !(0..12).contains(&months) {
                return Err(OVERFLOW);
            }
            if !rest.is_empty() {
                return Err(BAD);
            }
            unit = Unit::Month;
            self.pending = Pending::Unit(unit);
            let months = i64::from(if negative { -months } else { months });
            value = value
                .checked_mul(12)
                .and_then(|v| v.checked_add(months))
                .ok_or(OVERFLOW)?;
        } else if rest.starts_with('.') {
            part = fraction(rest)?;
            if negative {
                part = -part;
            }
        } else if !rest.is_empty() {
            return Err(BAD);
        }
        if self.force_negative {
            value = value.checked_abs().map_or(value, |v| -v);
            part = -part.abs();
        }
        self.unit_waits = false;
        self.add(unit, value, part)
    }

    fn add(&mut self, unit: Unit, value: i64, part: f64) -> ParseResult<Mask> {
        let p = &mut self.parts;
        let mut clock = |scale: i64| {
            p.add_micros(value, scale)?;
            p.add_micros_fraction(part, scale)
        };
        Ok(match unit {
            Unit::Microsecond => {
                clock(1)?;
                dd::MICROSECOND
            }
            Unit::Millisecond => {
                clock(1000)?;
                dd::MILLISECOND
            }
            Unit::Second => {
                clock(USECS_PER_SEC)?;
                if part == 0.0 { dd::SECOND } else { ALL_SECS }
            }
            Unit::Minute => {
                clock(USECS_PER_MINUTE)?;
                dd::MINUTE
            }
            Unit::Hour => {
                clock(USECS_PER_HOUR)?;
                // "1 2" with hours last: the number in front counts days.
                self.pending = Pending::Unit(Unit::Day);
                dd::HOUR
            }
            Unit::Day => {
                p.add_days(value, 1)?;
                p.add_micros_fraction(part, USECS_PER_DAY)?;
                dd::DAY
            }
            Unit::Week => {
                p.add_days(value, 7)?;
                p.add_days_fraction(part, 7)?;
                dd::WEEK
            }
            Unit::Month => {
                p.add_months(value)?;
                p.add_days_fraction(part, 30)?;
                dd::MONTH
            }
            Unit::Year => self.add_years(value, part, 1, dd::YEAR)?,
            Unit::Decade => self.add_years(value, part, 10, dd::DECADE)?,
            Unit::Century => self.add_years(value, part, 100, dd::CENTURY)?,
            Unit::Millennium => self.add_years(value, part, 1000, dd::MILLENNIUM)?,
            _ => return Err(BAD),
        })
    }

    fn add_years(&mut self, value: i64, part: f64, scale: i32, mask: Mask) -> ParseResult<Mask> {
        self.parts.add_years(value, scale)?;
        self.parts.add_years_fraction(part, scale)?;
        Ok(mask)
    }
}
