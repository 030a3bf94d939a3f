//! Text output of intervals in the four interval styles.

use std::fmt::Write;

use crate::Interval;
use crate::datetime::civil::split_time;
use crate::datetime::output::{push_padded, push_seconds};
use crate::settings::IntervalStyle;

/// An interval in fields; all fields of one source (months, days, time) share a sign.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct IntervalFields {
    pub years: i64,
    pub months: i64,
    pub days: i64,
    pub hours: i64,
    pub minutes: i32,
    pub seconds: i32,
    pub micros: i32,
}

impl From<Interval> for IntervalFields {
    fn from(v: Interval) -> IntervalFields {
        let (hours, minutes, seconds, micros) = split_time(v.micros);
        IntervalFields {
            years: i64::from(v.months / 12),
            months: i64::from(v.months % 12),
            days: i64::from(v.days),
            hours,
            minutes,
            seconds,
            micros,
        }
    }
}

impl IntervalFields {
    fn has_time(&self) -> bool {
        self.hours != 0 || self.minutes != 0 || self.seconds != 0 || self.micros != 0
    }

    fn time_negative(&self) -> bool {
        self.hours < 0 || self.minutes < 0 || self.seconds < 0 || self.micros < 0
    }

    fn seconds_negative(&self) -> bool {
        self.seconds < 0 || self.micros < 0
    }

    fn push_seconds(&self, out: &mut String, width: usize) {
        push_seconds(out, i64::from(self.seconds).abs(), self.micros.abs(), width);
    }

    /// `h:mm:ss[.f]` without sign.
    fn push_clock(&self, out: &mut String, hour_width: usize) {
        // Hours print unsigned: i64::MIN hours cannot occur, microseconds bound them.
        push_padded(out, self.hours.abs(), hour_width);
        out.push(':');
        push_padded(out, i64::from(self.minutes).abs(), 2);
        out.push(':');
        self.push_seconds(out, 2);
    }
}

/// Prints an `interval`.
pub fn interval_out(v: Interval, style: IntervalStyle, out: &mut String) {
    if v == Interval::INFINITY {
        return out.push_str("infinity");
    }
    if v == Interval::NEG_INFINITY {
        return out.push_str("-infinity");
    }
    let f = IntervalFields::from(v);
    match style {
        IntervalStyle::Postgres => postgres(&f, out),
        IntervalStyle::PostgresVerbose => verbose(&f, out),
        IntervalStyle::SqlStandard => sql_standard(&f, out),
        IntervalStyle::Iso8601 => iso8601(&f, out),
    }
}

fn postgres(f: &IntervalFields, out: &mut String) {
    let start = out.len();
    // A positive field after a negative one gets an explicit plus.
    let mut after_negative = false;
    for (value, unit) in [(f.years, "year"), (f.months, "mon"), (f.days, "day")] {
        if value == 0 {
            continue;
        }
        let space = if out.len() > start { " " } else { "" };
        let plus = if after_negative && value > 0 { "+" } else { "" };
        let plural = if value == 1 { "" } else { "s" };
        let _ = write!(out, "{space}{plus}{value} {unit}{plural}");
        after_negative = value < 0;
    }
    if out.len() == start || f.has_time() {
        if out.len() > start {
            out.push(' ');
        }
        if f.time_negative() {
            out.push('-');
        } else if after_negative {
            out.push('+');
        }
        f.push_clock(out, 2);
    }
}

fn verbose(f: &IntervalFields, out: &mut String) {
    out.push('@');
    let start = out.len();
    let mut before = false;
    let units = [
        (f.years, "year"),
        (f.months, "mon"),
        (f.days, "day"),
        (f.hours, "hour"),
        (i64::from(f.minutes), "min"),
    ];
    for (value, unit) in units {
        if value == 0 {
            continue;
        }
        // The first field decides about "ago"; the others print relative to it.
        let shown = if out.len() == start {
            before = value < 0;
            value.abs()
        } else if before {
            -value
        } else {
            value
        };
        let _ = write!(out, " {shown} {unit}{}", if shown == 1 { "" } else { "s" });
    }
    if f.seconds != 0 || f.micros != 0 {
        let first = out.len() == start;
        out.push(' ');
        if f.seconds_negative() {
            if first {
                before = true;
            } else if !before {
                out.push('-');
            }
        } else if before {
            out.push('-');
        }
        f.push_seconds(out, 1);
        out.push_str(if f.seconds.abs() != 1 || f.micros != 0 {
            " secs"
        } else {
            " sec"
        });
    }
    if out.len() == start {
        out.push_str(" 0");
    }
    if before {
        out.push_str(" ago");
    }
}

fn sql_standard(f: &IntervalFields, out: &mut String) {
    let year_month = f.years != 0 || f.months != 0;
    let negative = f.years < 0 || f.months < 0 || f.days < 0 || f.time_negative();
    let positive = f.years > 0
        || f.months > 0
        || f.days > 0
        || f.hours > 0
        || f.minutes > 0
        || f.seconds > 0
        || f.micros > 0;
    let day_time = f.days != 0 || f.has_time();
    if !negative && !positive {
        return out.push('0');
    }
    if (negative && positive) || (year_month && day_time) {
        // Not a value of the standard: every part shows its sign.
        let sign = |negative: bool| if negative { '-' } else { '+' };
        let _ = write!(
            out,
            "{}{}-{} {}{} {}",
            sign(f.years < 0 || f.months < 0),
            f.years.abs(),
            f.months.abs(),
            sign(f.days < 0),
            f.days.abs(),
            sign(f.time_negative())
        );
        return f.push_clock(out, 1);
    }
    if negative {
        out.push('-');
    }
    if year_month {
        let _ = write!(out, "{}-{}", f.years.abs(), f.months.abs());
        return;
    }
    if f.days != 0 {
        let _ = write!(out, "{} ", f.days.abs());
    }
    f.push_clock(out, 1);
}

fn iso8601(f: &IntervalFields, out: &mut String) {
    out.push('P');
    let start = out.len();
    for (value, unit) in [(f.years, 'Y'), (f.months, 'M'), (f.days, 'D')] {
        if value != 0 {
            let _ = write!(out, "{value}{unit}");
        }
    }
    if f.has_time() {
        out.push('T');
        for (value, unit) in [(f.hours, 'H'), (i64::from(f.minutes), 'M')] {
            if value != 0 {
                let _ = write!(out, "{value}{unit}");
            }
        }
        if f.seconds != 0 || f.micros != 0 {
            if f.seconds_negative() {
                out.push('-');
            }
            f.push_seconds(out, 1);
            out.push('S');
        }
    }
    if out.len() == start {
        out.push_str("T0S");
    }
}
