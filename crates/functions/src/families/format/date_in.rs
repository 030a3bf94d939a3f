//! Reads text by a date template into fields.

use common::error::ErrorExt;
use common::{PgError, PgResult, pg_err};
use jiff::tz::TimeZone;
use types::datetime::output::{DAYS, MONTHS};
use types::datetime::zone::{self, ZoneWord};

use crate::families::format::ROMAN_MONTHS;
use crate::families::format::template::{Calendar, Field, Node, Pattern, Template, is_separator, is_space};

/// The fields found; 0 means not set, as PostgreSQL has it.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) calendar: Calendar,
    pub(crate) hour: i32,
    pub(crate) pm: i32,
    pub(crate) minute: i32,
    pub(crate) second: i32,
    pub(crate) seconds_of_day: i32,
    pub(crate) weekday: i32,
    pub(crate) day: i32,
    pub(crate) day_of_year: i32,
    pub(crate) month: i32,
    pub(crate) millis: i32,
    pub(crate) year: i32,
    pub(crate) bc: i32,
    pub(crate) week: i32,
    pub(crate) week_of_month: i32,
    pub(crate) century: i32,
    pub(crate) julian: i32,
    pub(crate) micros: i32,
    /// Digits the year was asked with; 0 for none.
    pub(crate) year_digits: u8,
    pub(crate) twelve_hours: bool,
    /// Sign of a numeric zone; 0 for none.
    pub(crate) zone_sign: i32,
    pub(crate) zone_hour: i32,
    pub(crate) zone_minute: i32,
    /// A named zone: offset west or a zone with the abbreviation used.
    pub(crate) zone_west: Option<i32>,
    pub(crate) zone: Option<(TimeZone, String)>,
    /// Digits of the fraction asked with `FFn`.
    pub(crate) precision: Option<u8>,
}

impl Default for Found {
    fn default() -> Found {
        Found {
            calendar: Calendar::None,
            hour: 0,
            pm: 0,
            minute: 0,
            second: 0,
            seconds_of_day: 0,
            weekday: 0,
            day: 0,
            day_of_year: 0,
            month: 0,
            millis: 0,
            year: 0,
            bc: 0,
            week: 0,
            week_of_month: 0,
            century: 0,
            julian: 0,
            micros: 0,
            year_digits: 0,
            twelve_hours: false,
            zone_sign: 0,
            zone_hour: 0,
            zone_minute: 0,
            zone_west: None,
            zone: None,
            precision: None,
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
    input: &'a str,
    /// Characters skipped beyond what the template asked for.
    extra_skip: i32,
    exact: bool,
    /// SQL/JSON: what is no field must match.
    strict: bool,
}

#[cold]
fn invalid(value: &str, field: &Field) -> Box<PgError> {
    pg_err!(
        INVALID_DATETIME_FORMAT,
        "invalid value \"{value}\" for \"{}\"",
        field.keyword.name
    )
}

/// Sets a field unless it has another value already.
fn set(dest: &mut i32, value: i32, field: &Field) -> PgResult<()> {
    if *dest != 0 && *dest != value {
        return Err(pg_err!(
            INVALID_DATETIME_FORMAT,
            "conflicting values for \"{}\" field in formatting string",
            field.keyword.name
        )
        .detail("This value contradicts a previous setting for the same field type."));
    }
    *dest = value;
    Ok(())
}

fn first_chars(s: &str, n: usize) -> &str {
    // PostgreSQL counts bytes here; a cut character is left out.
    let mut end = n.min(s.len());
    while !s.is_char_boundary(end) {
        end -= 1;
    }
    &s[..end]
}

/// Length of what C's `strtol` would take, and its value (`None`: out of 64 bits).
fn strtol(s: &str) -> (usize, Option<i64>) {
    let space = s.bytes().take_while(|b| is_space(char::from(*b))).count();
    let sign = usize::from(s[space..].starts_with(['+', '-']));
    let digits = s[space + sign..].bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return (0, Some(0));
    }
    let end = space + sign + digits;
    (end, s[space..end].parse().ok())
}

impl<'a> Reader<'a> {
    fn skip_spaces(&mut self) -> i32 {
        let rest = self.rest.trim_start_matches(is_space);
        let skipped = self.rest.len() - rest.len();
        self.rest = rest;
        skipped as i32
    }

    fn skip_char(&mut self) {
        let mut chars = self.rest.chars();
        chars.next();
        self.rest = chars.as_str();
    }

    fn skip_ordinal(&mut self, field: &Field) {
        if field.ordinal.is_some() {
            self.skip_char();
            self.skip_char();
        }
    }

    /// Reads an integer of `len` digits, or as many as there are when nothing digit-like follows; returns the bytes used.
    fn integer(&mut self, field: &Field, len: usize, open_ended: bool) -> PgResult<(i32, usize)> {
        let start = self.rest;
        let trimmed = start.trim_start_matches(is_space);
        let copy = first_chars(trimmed, len);
        let (taken, value) = if field.fill || open_ended {
            let (taken, value) = strtol(start);
            self.rest = &start[taken..];
            (taken, value)
        } else {
            if copy.len() < len {
                return Err(pg_err!(
                    INVALID_DATETIME_FORMAT,
                    "source string too short for \"{}\" formatting field",
                    field.keyword.name
                )
                .detail(format!(
                    "Field requires {len} characters, but only {} remain.",
                    copy.len()
                ))
                .hint("If your source string is not fixed-width, try using the \"FM\" modifier."));
            }
            let (taken, value) = strtol(copy);
            if taken > 0 && taken < len {
                return Err(invalid(copy, field)
                    .detail(format!(
                        "Field requires {len} characters, but only {taken} could be parsed."
                    ))
                    .hint("If your source string is not fixed-width, try using the \"FM\" modifier."));
            }
            self.rest = &trimmed[taken..];
            (taken + start.len() - trimmed.len(), value)
        };
        if taken == 0 || self.rest.len() == start.len() {
            return Err(invalid(copy, field).detail("Value must be an integer."));
        }
        match value.and_then(|v| i32::try_from(v).ok()) {
            Some(value) => Ok((value, start.len() - self.rest.len())),
            None => Err(pg_err!(
                DATETIME_FIELD_OVERFLOW,
                "value for \"{}\" in source string is out of range",
                field.keyword.name
            )
            .detail("Value must be in the range -2147483648 to 2147483647.")),
        }
    }

    /// Matches one of some words, ignoring case; its index.
    fn word(&mut self, field: &Field, words: &[&str]) -> PgResult<i32> {
        let hit = words.iter().position(|w| {
            self.rest
                .get(..w.len())
                .is_some_and(|s| s.eq_ignore_ascii_case(w))
        });
        match hit {
            Some(i) => {
                self.rest = &self.rest[words[i].len()..];
                Ok(i as i32)
            }
            None => {
                let shown = self.rest.split(is_space).next().unwrap_or_default();
                Err(invalid(shown, field)
                    .detail("The given value did not match any of the allowed values for this field."))
            }
        }
    }

    /// The sign of a numeric zone; a minus may have been skipped as a separator.
    fn zone_sign(&mut self) -> i32 {
        match self.rest.chars().next() {
            Some(c @ ('+' | '-' | ' ')) => {
                self.rest = &self.rest[1..];
                if c == '-' { -1 } else { 1 }
            }
            _ => {
                let before = &self.input[..self.input.len() - self.rest.len()];
                if self.extra_skip > 0 && before.ends_with('-') {
                    -1
                } else {
                    1
                }
            }
        }
    }
}

/// True when a number field may take all digits there are.
fn open_ended(nodes: &[Node], i: usize) -> bool {
    if matches!(&nodes[i], Node::Field(f) if f.ordinal.is_some()) {
        return true;
    }
    match nodes.get(i + 1) {
        None => true,
        Some(Node::Field(next)) => !next.keyword.is_digit,
        Some(Node::Char(c) | Node::Separator(c) | Node::Space(c)) => !c.is_ascii_digit(),
    }
}

/// Reads `input` by `template`.
pub(crate) fn read(template: &Template, input: &str, session: &TimeZone) -> PgResult<Found> {
    let mut r = Reader {
        rest: input,
        input,
        extra_skip: 0,
        exact: false,
        strict: false,
    };
    r.read(template, session).map(|(found, _)| found)
}

/// The same as SQL/JSON wants it: separators and texts must match, and nothing may be left over on either side.
pub(crate) fn read_strictly(template: &Template, input: &str, session: &TimeZone) -> PgResult<Found> {
    let mut r = Reader {
        rest: input,
        input,
        extra_skip: 0,
        exact: true,
        strict: true,
    };
    let (found, complete) = r.read(template, session)?;
    if !complete {
        return Err(pg_err!(
            INVALID_DATETIME_FORMAT,
            "input string is too short for datetime format"
        ));
    }
    if !r.rest.trim_start_matches(is_space).is_empty() {
        return Err(pg_err!(
            INVALID_DATETIME_FORMAT,
            "trailing characters remain in input string after datetime format"
        ));
    }
    Ok(found)
}

impl Reader<'_> {
    /// True beside the fields when the whole template was used.
    fn read(&mut self, template: &Template, session: &TimeZone) -> PgResult<(Found, bool)> {
        let r = self;
        let mut found = Found::default();
        for (i, node) in template.nodes.iter().enumerate() {
            if r.rest.is_empty() {
                return Ok((found, false));
            }
            let is_field = matches!(node, Node::Field(_));
            let is_exact = matches!(node, Node::Field(f) if f.keyword.pattern == Pattern::Exact);
            if !r.exact && !is_exact && (is_field || i == 0) {
                r.extra_skip += r.skip_spaces();
            }
            match node {
                Node::Space(c) | Node::Separator(c) if r.strict => {
                    if !r.rest.starts_with(*c) {
                        return Err(pg_err!(
                            INVALID_DATETIME_FORMAT,
                            "unmatched format separator \"{c}\""
                        ));
                    }
                    r.skip_char();
                }
                Node::Space(_) | Node::Separator(_) => {
                    if r.exact {
                        r.skip_char();
                    } else {
                        r.extra_skip -= 1;
                        if r.rest.starts_with(|c| is_space(c) || is_separator(c)) {
                            r.skip_char();
                            r.extra_skip += 1;
                        }
                    }
                }
                Node::Char(c) if r.strict => {
                    if !r.rest.starts_with(*c) {
                        return Err(pg_err!(
                            INVALID_DATETIME_FORMAT,
                            "unmatched format character \"{c}\""
                        ));
                    }
                    r.skip_char();
                }
                Node::Char(_) => {
                    if !r.exact && r.extra_skip > 0 {
                        r.extra_skip -= 1;
                    } else {
                        r.skip_char();
                    }
                }
                Node::Field(field) => {
                    set_calendar(&mut found, field)?;
                    read_field(&mut found, r, field, open_ended(&template.nodes, i), session)?;
                    if !r.exact {
                        r.extra_skip = r.skip_spaces();
                    }
                }
            }
        }
        Ok((found, true))
    }
}

fn set_calendar(found: &mut Found, field: &Field) -> PgResult<()> {
    let calendar = field.keyword.calendar;
    if calendar == Calendar::None || found.calendar == calendar {
        return Ok(());
    }
    if found.calendar != Calendar::None {
        return Err(
            pg_err!(INVALID_DATETIME_FORMAT, "invalid combination of date conventions")
                .hint("Do not mix Gregorian and ISO week date conventions in a formatting template."),
        );
    }
    found.calendar = calendar;
    Ok(())
}

/// Short years belong near 2020.
fn complete_year(year: i32) -> i32 {
    match year {
        i32::MIN..70 => year + 2000,
        70..100 => year + 1900,
        100..520 => year + 2000,
        520..1000 => year + 1000,
        _ => year,
    }
}

/// Scales digits of a fraction that was cut short: `25` of `MS` is a quarter of a second.
fn scaled(value: i32, used: usize, digits: usize) -> i32 {
    value.saturating_mul(10_i32.pow(digits.saturating_sub(used) as u32))
}

fn read_field(
    found: &mut Found,
    r: &mut Reader<'_>,
    field: &Field,
    open: bool,
    session: &TimeZone,
) -> PgResult<()> {
    let natural = field.keyword.name.len();
    match field.keyword.pattern {
        Pattern::Exact => r.exact = true,
        Pattern::Meridian(_) => {
            let pm = r.word(field, &["am", "pm"])?;
            set(&mut found.pm, pm, field)?;
            found.twelve_hours = true;
        }
        Pattern::MeridianDots(_) => {
            let pm = r.word(field, &["a.m.", "p.m."])?;
            set(&mut found.pm, pm, field)?;
            found.twelve_hours = true;
        }
        Pattern::Hour12 => {
            let (value, _) = r.integer(field, 2, open)?;
            set(&mut found.hour, value, field)?;
            found.twelve_hours = true;
            r.skip_ordinal(field);
        }
        Pattern::Millisecond => {
            let (value, used) = r.integer(field, 3, open)?;
            set(&mut found.millis, value, field)?;
            found.millis = scaled(value, used, 3);
            r.skip_ordinal(field);
        }
        Pattern::Microsecond | Pattern::Fraction(_) => {
            let digits = match field.keyword.pattern {
                Pattern::Fraction(n) => {
                    found.precision = Some(n);
                    n
                }
                _ => 6,
            };
            let (value, used) = r.integer(field, usize::from(digits), open)?;
            set(&mut found.micros, value, field)?;
            found.micros = scaled(value, used, 6);
            r.skip_ordinal(field);
        }
        Pattern::Era(_) => {
            let bc = r.word(field, &["ad", "bc"])?;
            set(&mut found.bc, bc, field)?;
        }
        Pattern::EraDots(_) => {
            let bc = r.word(field, &["a.d.", "b.c."])?;
            set(&mut found.bc, bc, field)?;
        }
        Pattern::Month(_) => {
            let month = r.word(field, &MONTHS)?;
            set(&mut found.month, month + 1, field)?;
        }
        Pattern::Mon(_) => {
            let month = r.word(field, &MONTHS.map(|m| &m[..3]))?;
            set(&mut found.month, month + 1, field)?;
        }
        Pattern::Roman(_) => {
            let month = r.word(field, &ROMAN_MONTHS)?;
            set(&mut found.month, 12 - month, field)?;
        }
        Pattern::DayName(_) => {
            let day = r.word(field, &DAYS)?;
            set(&mut found.weekday, day, field)?;
            found.weekday += 1;
        }
        Pattern::Dy(_) => {
            let day = r.word(field, &DAYS.map(|d| &d[..3]))?;
            set(&mut found.weekday, day, field)?;
            found.weekday += 1;
        }
        Pattern::IsoDay => {
            let (value, _) = r.integer(field, 1, open)?;
            set(&mut found.weekday, value, field)?;
            found.weekday += 1;
            if found.weekday > 7 {
                found.weekday = 1;
            }
            r.skip_ordinal(field);
        }
        Pattern::Quarter => {
            r.integer(field, natural, open)?;
            r.skip_ordinal(field);
        }
        Pattern::YearComma => read_year_with_comma(found, r, field)?,
        Pattern::Year(digits) | Pattern::IsoYear(digits) => {
            let (value, used) = r.integer(field, natural, open)?;
            set(&mut found.year, value, field)?;
            if digits < 4 && used < 4 {
                found.year = complete_year(value);
            }
            found.year_digits = digits;
            r.skip_ordinal(field);
        }
        Pattern::Zone(_) => read_zone(found, r, field, open, session)?,
        Pattern::Offset => read_offset(found, r, field, open)?,
        Pattern::ZoneHour => {
            found.zone_sign = r.zone_sign();
            let (value, _) = r.integer(field, 2, open)?;
            set(&mut found.zone_hour, value, field)?;
        }
        Pattern::ZoneMinute => {
            if found.zone_sign == 0 {
                found.zone_sign = 1;
            }
            let (value, _) = r.integer(field, 2, open)?;
            set(&mut found.zone_minute, value, field)?;
        }
        pattern => {
            let width = match pattern {
                Pattern::Hour24 => 2,
                Pattern::IsoDayOfYear => 3,
                _ => natural,
            };
            let (value, _) = r.integer(field, width, open)?;
            if let Some(dest) = number_field(found, pattern) {
                set(dest, value, field)?;
            }
            r.skip_ordinal(field);
        }
    }
    Ok(())
}

fn number_field(found: &mut Found, pattern: Pattern) -> Option<&mut i32> {
    Some(match pattern {
        Pattern::Hour24 => &mut found.hour,
        Pattern::Minute => &mut found.minute,
        Pattern::Second => &mut found.second,
        Pattern::SecondsOfDay => &mut found.seconds_of_day,
        Pattern::MonthNumber => &mut found.month,
        Pattern::DayOfYear | Pattern::IsoDayOfYear => &mut found.day_of_year,
        Pattern::Day => &mut found.day,
        Pattern::DayOfWeek => &mut found.weekday,
        Pattern::Week | Pattern::IsoWeek => &mut found.week,
        Pattern::Century => &mut found.century,
        Pattern::WeekOfMonth => &mut found.week_of_month,
        Pattern::Julian => &mut found.julian,
        _ => return None,
    })
}

fn read_year_with_comma(found: &mut Found, r: &mut Reader<'_>, field: &Field) -> PgResult<()> {
    let input = r.rest;
    let bad = || invalid(input, field);
    let (taken, thousands) = strtol(r.rest);
    if taken == 0 {
        return Err(bad());
    }
    let rest = r.rest[taken..].strip_prefix(',').ok_or_else(bad)?;
    let space = rest.len() - rest.trim_start_matches(is_space).len();
    let digits = rest[space..]
        .bytes()
        .take(3)
        .take_while(u8::is_ascii_digit)
        .count();
    if digits == 0 {
        return Err(bad());
    }
    let years: i32 = rest[space..space + digits].parse().map_err(|_| bad())?;
    let year = thousands
        .and_then(|t| t.checked_mul(1000))
        .and_then(|t| t.checked_add(i64::from(years)))
        .and_then(|y| i32::try_from(y).ok())
        .ok_or_else(|| {
            pg_err!(
                DATETIME_FIELD_OVERFLOW,
                "value for \"{}\" in source string is out of range",
                field.keyword.name
            )
        })?;
    set(&mut found.year, year, field)?;
    found.year_digits = 4;
    r.rest = &rest[space + digits..];
    r.skip_ordinal(field);
    Ok(())
}

fn read_offset(found: &mut Found, r: &mut Reader<'_>, field: &Field, open: bool) -> PgResult<()> {
    found.zone_sign = r.zone_sign();
    let (value, _) = r.integer(field, 2, open)?;
    set(&mut found.zone_hour, value, field)?;
    if let Some(rest) = r.rest.strip_prefix(':') {
        r.rest = rest;
        let (value, _) = r.integer(field, 2, open)?;
        set(&mut found.zone_minute, value, field)?;
    }
    Ok(())
}

fn read_zone(
    found: &mut Found,
    r: &mut Reader<'_>,
    field: &Field,
    open: bool,
    session: &TimeZone,
) -> PgResult<()> {
    let letters = r.rest.bytes().take_while(u8::is_ascii_alphabetic).count().min(10);
    for len in (1..=letters).rev() {
        let name = &r.rest[..len];
        let Some(word) = zone::abbreviation(session, name) else {
            continue;
        };
        (found.zone_west, found.zone) = match word {
            ZoneWord::Fixed(west, _) => (Some(west), None),
            ZoneWord::Dynamic(z) | ZoneWord::Full(z) => (None, Some((z, name.to_owned()))),
        };
        found.zone_sign = 0;
        r.rest = &r.rest[len..];
        return Ok(());
    }
    if letters > 0 {
        return Err(invalid(r.rest, field).detail("Time zone abbreviation is not recognized."));
    }
    read_offset(found, r, field, open)
}
