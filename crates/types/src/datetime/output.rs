//! Text output of `date`, `time`, `timetz`, `timestamp`, `timestamptz` in the four date styles.

use crate::FormatSettings;
use crate::datetime::civil::{Civil, TimeTz, civil_from_days, day_of_week};
use crate::datetime::{
    DATE_INFINITY, DATE_NEG_INFINITY, TIMESTAMP_INFINITY, TIMESTAMP_NEG_INFINITY, USECS_PER_SEC, zone,
};
use crate::settings::{DateOrder, DateStyle};

/// English month names.
pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// English day names, from Sunday.
pub const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// Appends a number with at least `width` digits.
pub fn push_padded(out: &mut String, value: i64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    while rest > 0 {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    if value < 0 {
        out.push('-');
    }
    let start = at.min(digits.len() - width.min(digits.len()));
    out.extend(digits[start..].iter().map(|b| char::from(*b)));
}

/// Appends seconds and their fraction without trailing zeros.
pub fn push_seconds(out: &mut String, seconds: i64, micros: i32, width: usize) {
    push_padded(out, seconds, width);
    if micros != 0 {
        out.push('.');
        let (mut fraction, mut width) = (i64::from(micros), 6);
        while fraction % 10 == 0 {
            fraction /= 10;
            width -= 1;
        }
        push_padded(out, fraction, width);
    }
}

fn push_time(out: &mut String, c: &Civil) {
    push_padded(out, i64::from(c.hour), 2);
    out.push(':');
    push_padded(out, i64::from(c.minute), 2);
    out.push(':');
    push_seconds(out, i64::from(c.second), c.micros, 2);
}

/// Appends a numeric zone: `+hh[:mm[:ss]]`.
pub fn push_zone(out: &mut String, west: i32, style: DateStyle) {
    let secs = west.unsigned_abs();
    let (h, m, s) = (secs / 3600, secs / 60 % 60, secs % 60);
    out.push(if west <= 0 { '+' } else { '-' });
    push_padded(out, i64::from(h), 2);
    // XSD wants minutes always; none of the styles here does.
    let _ = style;
    if m != 0 || s != 0 {
        out.push(':');
        push_padded(out, i64::from(m), 2);
    }
    if s != 0 {
        out.push(':');
        push_padded(out, i64::from(s), 2);
    }
}

fn shown_year(year: i32) -> i64 {
    if year > 0 {
        i64::from(year)
    } else {
        1 - i64::from(year)
    }
}

fn push_date(out: &mut String, (year, month, day): (i32, i32, i32), settings: &FormatSettings) {
    let (y, m, d) = (shown_year(year), i64::from(month), i64::from(day));
    let day_first = settings.date_order == DateOrder::Dmy;
    match settings.date_style {
        DateStyle::Iso => {
            push_padded(out, y, 4);
            out.push('-');
            push_padded(out, m, 2);
            out.push('-');
            push_padded(out, d, 2);
        }
        style => {
            let separator = match style {
                DateStyle::Sql => '/',
                DateStyle::German => '.',
                _ => '-',
            };
            let (first, second) = if day_first || style == DateStyle::German {
                (d, m)
            } else {
                (m, d)
            };
            push_padded(out, first, 2);
            out.push(separator);
            push_padded(out, second, 2);
            out.push(separator);
            push_padded(out, y, 4);
        }
    }
}

fn push_bc(out: &mut String, year: i32) {
    if year <= 0 {
        out.push_str(" BC");
    }
}

/// Prints a `date`.
pub fn date_out(date: i32, settings: &FormatSettings, out: &mut String) {
    match date {
        DATE_INFINITY => out.push_str("infinity"),
        DATE_NEG_INFINITY => out.push_str("-infinity"),
        days => {
            let ymd = civil_from_days(i64::from(days));
            push_date(out, ymd, settings);
            push_bc(out, ymd.0);
        }
    }
}

/// Prints a `time`.
pub fn time_out(time: i64, out: &mut String) {
    push_time(out, &Civil::from_time(time));
}

/// Prints a `timetz`.
pub fn timetz_out(v: TimeTz, settings: &FormatSettings, out: &mut String) {
    push_time(out, &Civil::from_time(v.micros));
    push_zone(out, v.zone_west, settings.date_style);
}

/// A zone to print: its offset and, in the styles that want it, its name.
struct ShownZone<'a> {
    west: i32,
    name: Option<&'a str>,
}

fn push_datetime(out: &mut String, c: &Civil, zone: Option<&ShownZone<'_>>, settings: &FormatSettings) {
    let style = settings.date_style;
    let ymd = (c.year, c.month, c.day);
    if style == DateStyle::Postgres {
        out.push_str(&DAYS[day_of_week(c.days()) as usize % 7][..3]);
        out.push(' ');
        let month = &MONTHS[(c.month - 1).clamp(0, 11) as usize][..3];
        if settings.date_order == DateOrder::Dmy {
            push_padded(out, i64::from(c.day), 2);
            out.push(' ');
            out.push_str(month);
        } else {
            out.push_str(month);
            out.push(' ');
            push_padded(out, i64::from(c.day), 2);
        }
        out.push(' ');
        push_time(out, c);
        out.push(' ');
        push_padded(out, shown_year(c.year), 4);
    } else {
        push_date(out, ymd, settings);
        out.push(' ');
        push_time(out, c);
    }
    if let Some(zone) = zone {
        match zone.name.filter(|_| style != DateStyle::Iso) {
            Some(name) => {
                out.push(' ');
                out.extend(name.chars().take(10));
            }
            None => {
                if style == DateStyle::Postgres {
                    out.push(' ');
                }
                push_zone(out, zone.west, style);
            }
        }
    }
    push_bc(out, c.year);
}

fn push_infinity(out: &mut String, ts: i64) -> bool {
    match ts {
        TIMESTAMP_INFINITY => out.push_str("infinity"),
        TIMESTAMP_NEG_INFINITY => out.push_str("-infinity"),
        _ => return false,
    }
    true
}

/// Prints a `timestamp`.
pub fn timestamp_out(ts: i64, settings: &FormatSettings, out: &mut String) {
    if !push_infinity(out, ts) {
        push_datetime(out, &Civil::from_timestamp(ts), None, settings);
    }
}

/// Prints a `timestamptz` in the session's zone.
pub fn timestamptz_out(ts: i64, settings: &FormatSettings, out: &mut String) {
    if push_infinity(out, ts) {
        return;
    }
    if settings.date_style == DateStyle::Iso {
        let west = zone::west_at(&settings.time_zone, ts);
        let c = local_civil(ts, west);
        push_datetime(out, &c, Some(&ShownZone { west, name: None }), settings);
        return;
    }
    let offset = zone::offset_at(&settings.time_zone, ts);
    let shown = ShownZone {
        west: offset.west,
        name: Some(&offset.abbreviation),
    };
    push_datetime(out, &local_civil(ts, offset.west), Some(&shown), settings);
}

/// The broken-down local time of a UTC timestamp.
pub fn local_civil(ts: i64, west: i32) -> Civil {
    Civil::from_timestamp(ts.saturating_sub(i64::from(west) * USECS_PER_SEC))
}
