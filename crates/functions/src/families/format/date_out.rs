//! Prints a moment or an interval by a template.

use std::fmt::Write;

use common::error::ErrorExt;
use common::{PgError, PgResult, pg_err};
use types::datetime::civil::{iso_week_monday, iso_year_week};
use types::datetime::output::{DAYS, MONTHS};

use crate::families::format::template::{Case, Field, Node, Pattern, Template};
use crate::families::format::{ROMAN_MONTHS, ordinal_ending};

/// Everything a template may ask for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Moment {
    pub(crate) year: i32,
    pub(crate) month: i32,
    pub(crate) day: i32,
    pub(crate) hour: i64,
    pub(crate) minute: i32,
    pub(crate) second: i32,
    pub(crate) micros: i32,
    /// 0 is Sunday.
    pub(crate) weekday: i32,
    pub(crate) day_of_year: i32,
    pub(crate) julian: i64,
    /// Seconds east of UTC.
    pub(crate) east: i32,
    pub(crate) zone: String,
    pub(crate) is_interval: bool,
}

#[cold]
fn not_for_intervals() -> Box<PgError> {
    pg_err!(
        INVALID_DATETIME_FORMAT,
        "invalid format specification for an interval value"
    )
    .hint("Intervals are not tied to specific calendar dates.")
}

fn cased(s: &str, case: Case) -> String {
    match case {
        Case::Upper => s.to_uppercase(),
        Case::Lower => s.to_lowercase(),
        Case::Title => s.to_owned(),
    }
}

impl Moment {
    fn calendar_only(&self) -> PgResult<()> {
        if self.is_interval {
            Err(not_for_intervals())
        } else {
            Ok(())
        }
    }

    fn shown_year(&self, year: i32) -> i64 {
        if self.is_interval || year > 0 {
            i64::from(year)
        } else {
            1 - i64::from(year)
        }
    }

    /// One digit is never padded; the sign that counts is the calendar year's, even for ISO years.
    fn year_width(&self, digits: u8) -> usize {
        if digits == 1 {
            1
        } else {
            signed_width(usize::from(digits), self.shown_year(self.year))
        }
    }

    fn iso_year(&self) -> i32 {
        iso_year_week(self.year, self.month, self.day).0
    }

    fn century(&self) -> i32 {
        match self.year {
            y if self.is_interval => y / 100,
            y if y > 0 => (y - 1) / 100 + 1,
            y => y / 100 - 1,
        }
    }

    /// The month as an index into [`ROMAN_MONTHS`]; intervals count negative months back from December.
    fn roman_index(&self) -> Option<usize> {
        let index = match (self.month, self.year) {
            (0, 0) => return None,
            (0, y) => {
                if y >= 0 {
                    0
                } else {
                    11
                }
            }
            (m, _) if m < 0 => -(m + 1),
            (m, _) => 12 - m,
        };
        usize::try_from(index).ok()
    }
}

/// Writes a zero-padded number; the width counts the sign, and `FM` drops the padding.
fn number(out: &mut String, field: &Field, value: i64, width: usize) {
    let start = out.len();
    let width = if field.fill { 0 } else { width };
    let _ = write!(out, "{value:0width$}");
    ordinal(out, field, start);
}

/// Digits plus room for the sign of what they are taken from.
fn signed_width(digits: usize, of: impl Into<i64>) -> usize {
    digits + usize::from(of.into() < 0)
}

fn ordinal(out: &mut String, field: &Field, start: usize) {
    if let Some(case) = field.ordinal {
        let ending = ordinal_ending(&out[start..]);
        out.push_str(&cased(ending, case));
    }
}

fn name(out: &mut String, field: &Field, text: &str, case: Case, width: usize) {
    let text = cased(text, case);
    let width = if field.fill || field.translated { 0 } else { width };
    let _ = write!(out, "{text:<width$}");
}

fn offset_sign(east: i32) -> char {
    if east < 0 { '-' } else { '+' }
}

/// Prints a moment by a template.
pub(crate) fn print(template: &Template, m: &Moment) -> PgResult<String> {
    let mut out = String::new();
    for node in &template.nodes {
        match node {
            Node::Field(field) => print_field(&mut out, field, m)?,
            Node::Char(c) | Node::Separator(c) | Node::Space(c) => out.push(*c),
        }
    }
    Ok(out)
}

fn print_field(out: &mut String, field: &Field, m: &Moment) -> PgResult<()> {
    let hour12 = if m.hour % 12 == 0 { 12 } else { m.hour % 12 };
    match field.keyword.pattern {
        Pattern::Meridian(case) => out.push_str(&cased(if m.hour % 24 >= 12 { "PM" } else { "AM" }, case)),
        Pattern::MeridianDots(case) => {
            out.push_str(&cased(if m.hour % 24 >= 12 { "P.M." } else { "A.M." }, case))
        }
        // The padding of twelve-hour time goes by the sign of the whole hour.
        Pattern::Hour12 => number(out, field, hour12, signed_width(2, m.hour)),
        Pattern::Hour24 => number(out, field, m.hour, signed_width(2, m.hour)),
        Pattern::Minute => number(out, field, i64::from(m.minute), signed_width(2, m.minute)),
        Pattern::Second => number(out, field, i64::from(m.second), signed_width(2, m.second)),
        Pattern::Fraction(digits) => fraction(out, field, m.micros, digits),
        Pattern::Millisecond => fraction(out, field, m.micros, 3),
        Pattern::Microsecond => fraction(out, field, m.micros, 6),
        Pattern::SecondsOfDay => {
            let start = out.len();
            let seconds = m.hour * 3600 + i64::from(m.minute) * 60 + i64::from(m.second);
            let _ = write!(out, "{seconds}");
            ordinal(out, field, start);
        }
        Pattern::Zone(case) => {
            m.calendar_only()?;
            out.push_str(&match case {
                Case::Lower => m.zone.to_lowercase(),
                _ => m.zone.clone(),
            });
        }
        Pattern::ZoneHour => {
            m.calendar_only()?;
            let _ = write!(out, "{}{:02}", offset_sign(m.east), m.east.abs() / 3600);
        }
        Pattern::ZoneMinute => {
            m.calendar_only()?;
            let _ = write!(out, "{:02}", m.east.abs() % 3600 / 60);
        }
        Pattern::Offset => {
            m.calendar_only()?;
            let width = if field.fill { 0 } else { 2 };
            let _ = write!(out, "{}{:0width$}", offset_sign(m.east), m.east.abs() / 3600);
            if m.east.abs() % 3600 != 0 {
                let _ = write!(out, ":{:02}", m.east.abs() % 3600 / 60);
            }
        }
        Pattern::Exact => {}
        _ => return print_calendar_field(out, field, m),
    }
    Ok(())
}

fn fraction(out: &mut String, field: &Field, micros: i32, digits: u8) {
    let start = out.len();
    let value = micros / 10_i32.pow(6 - u32::from(digits));
    let width = usize::from(digits);
    let _ = write!(out, "{value:0width$}");
    ordinal(out, field, start);
}

fn print_calendar_field(out: &mut String, field: &Field, m: &Moment) -> PgResult<()> {
    let month_name = || MONTHS.get((m.month - 1).max(0) as usize).filter(|_| m.month > 0);
    let day_name = DAYS[m.weekday.rem_euclid(7) as usize];
    match field.keyword.pattern {
        Pattern::Era(case) => {
            m.calendar_only()?;
            out.push_str(&cased(if m.year <= 0 { "BC" } else { "AD" }, case));
        }
        Pattern::EraDots(case) => {
            m.calendar_only()?;
            out.push_str(&cased(if m.year <= 0 { "B.C." } else { "A.D." }, case));
        }
        Pattern::Month(case) => {
            m.calendar_only()?;
            if let Some(month) = month_name() {
                name(out, field, month, case, 9);
            }
        }
        Pattern::Mon(case) => {
            m.calendar_only()?;
            if let Some(month) = month_name() {
                name(out, field, &month[..3], case, 0);
            }
        }
        Pattern::DayName(case) => {
            m.calendar_only()?;
            name(out, field, day_name, case, 9);
        }
        Pattern::Dy(case) => {
            m.calendar_only()?;
            name(out, field, &day_name[..3], case, 0);
        }
        Pattern::Roman(case) => {
            if let Some(roman) = m.roman_index().and_then(|i| ROMAN_MONTHS.get(i)) {
                let width = if field.fill { 0 } else { 4 };
                let _ = write!(out, "{:<width$}", cased(roman, case));
            }
        }
        Pattern::DayOfWeek => {
            m.calendar_only()?;
            number(out, field, i64::from(m.weekday + 1), 1);
        }
        Pattern::IsoDay => {
            m.calendar_only()?;
            number(out, field, i64::from((m.weekday + 6) % 7 + 1), 1);
        }
        Pattern::Quarter if m.month == 0 => {}
        _ => print_date_number(out, field, m)?,
    }
    Ok(())
}

fn print_date_number(out: &mut String, field: &Field, m: &Moment) -> PgResult<()> {
    let (value, width) = match field.keyword.pattern {
        Pattern::MonthNumber => (i64::from(m.month), signed_width(2, m.month)),
        Pattern::Day => (i64::from(m.day), 2),
        Pattern::DayOfYear => (i64::from(m.day_of_year), 3),
        Pattern::IsoDayOfYear => {
            let days = types::datetime::civil::days_from_civil(
                i64::from(m.year),
                i64::from(m.month),
                i64::from(m.day),
            );
            (days - iso_week_monday(m.iso_year(), 1) + 1, 3)
        }
        Pattern::Week => (i64::from((m.day_of_year - 1) / 7 + 1), 2),
        Pattern::IsoWeek => (i64::from(iso_year_week(m.year, m.month, m.day).1), 2),
        Pattern::WeekOfMonth => (i64::from((m.day - 1) / 7 + 1), 1),
        Pattern::Quarter => (i64::from((m.month - 1) / 3 + 1), 1),
        Pattern::Julian => (m.julian, 1),
        Pattern::Century if m.century().abs() > 99 => (i64::from(m.century()), 1),
        Pattern::Century => (i64::from(m.century()), signed_width(2, m.century())),
        Pattern::YearComma => {
            let start = out.len();
            let year = m.shown_year(m.year);
            let _ = write!(out, "{},{:03}", year / 1000, year % 1000);
            ordinal(out, field, start);
            return Ok(());
        }
        Pattern::Year(digits) => (year_digits(m.shown_year(m.year), digits), m.year_width(digits)),
        Pattern::IsoYear(digits) => (
            year_digits(m.shown_year(m.iso_year()), digits),
            m.year_width(digits),
        ),
        _ => return Ok(()),
    };
    number(out, field, value, width);
    Ok(())
}

/// The last digits of a year; four means all.
fn year_digits(year: i64, digits: u8) -> i64 {
    if digits == 4 {
        year
    } else {
        year % 10_i64.pow(u32::from(digits))
    }
}
