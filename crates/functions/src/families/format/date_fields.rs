//! Makes a moment of the fields that a template found.

use common::error::ErrorExt;
use common::{PgError, PgResult, pg_err};
use types::datetime::USECS_PER_DAY;
use types::datetime::civil::{Civil, days_from_civil, days_in_month, iso_week_monday, time_of};
use types::datetime::error::ParseError;
use types::datetime::zone;

use crate::families::format::date_in::Found;
use crate::families::format::template::Calendar;

/// What was read: local time and, when the text said one, its offset west.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Read {
    pub(crate) civil: Civil,
    pub(crate) zone_west: Option<i32>,
}

#[cold]
fn overflow(input: &str) -> Box<PgError> {
    ParseError::FieldOverflow.report(input, "timestamp")
}

#[cold]
fn date_overflow(input: &str) -> Box<PgError> {
    pg_err!(DATETIME_VALUE_OUT_OF_RANGE, "date out of range: \"{input}\"")
}

/// Which parts of the date were given.
#[derive(Clone, Copy, Default)]
struct Given {
    month: bool,
    day: bool,
    year: bool,
}

/// Turns fields into a moment; missing ones are 1 BC, January, the first, midnight.
pub(crate) fn resolve(found: &Found, input: &str) -> PgResult<Read> {
    let mut f = found.clone();
    let mut given = Given::default();
    let mut c = Civil {
        month: 1,
        day: 1,
        ..Civil::default()
    };
    set_time(&f, &mut c)?;
    set_year(&mut f, &mut c, &mut given).ok_or_else(|| date_overflow(input))?;
    set_days(&mut f, &mut c, &mut given).ok_or_else(|| date_overflow(input))?;
    set_day_of_year(&f, &mut c, &mut given)?;
    c.micros = f
        .millis
        .checked_mul(1000)
        .and_then(|m| m.checked_add(f.micros))
        .ok_or_else(|| overflow(input))?;
    let date_wrong = (given.month && !(1..=12).contains(&c.month))
        || (given.day && !(1..=31).contains(&c.day))
        || (given.month && given.day && given.year && c.day > days_in_month(c.year, c.month));
    let time_wrong = !(0..24).contains(&c.hour)
        || !(0..60).contains(&c.minute)
        || !(0..60).contains(&c.second)
        || !(0..1_000_000).contains(&c.micros);
    if date_wrong || time_wrong {
        return Err(overflow(input));
    }
    Ok(Read {
        civil: c,
        zone_west: zone_of(&f, &c, input)?,
    })
}

fn set_time(f: &Found, c: &mut Civil) -> PgResult<()> {
    if f.seconds_of_day != 0 {
        c.hour = f.seconds_of_day / 3600;
        c.minute = f.seconds_of_day % 3600 / 60;
        c.second = f.seconds_of_day % 60;
    }
    if f.second != 0 {
        c.second = f.second;
    }
    if f.minute != 0 {
        c.minute = f.minute;
    }
    if f.hour != 0 {
        c.hour = f.hour;
    }
    if f.twelve_hours {
        if !(1..=12).contains(&c.hour) {
            return Err(pg_err!(
                INVALID_DATETIME_FORMAT,
                "hour \"{}\" is invalid for the 12-hour clock",
                c.hour
            )
            .hint("Use the 24-hour clock, or give an hour between 1 and 12."));
        }
        if f.pm != 0 && c.hour < 12 {
            c.hour += 12;
        } else if f.pm == 0 && c.hour == 12 {
            c.hour = 0;
        }
    }
    Ok(())
}

fn set_year(f: &mut Found, c: &mut Civil, given: &mut Given) -> Option<()> {
    let bc = f.bc != 0;
    if bc && (f.year == 0 || f.year_digits <= 2) {
        f.century = f.century.checked_neg()?;
    }
    if f.year != 0 {
        if f.century != 0 && f.year_digits <= 2 {
            let year = f.year % 100;
            c.year = if year != 0 && f.century >= 0 {
                (f.century - 1).checked_mul(100)?.checked_add(year)?
            } else if year != 0 {
                (f.century + 1)
                    .checked_mul(100)?
                    .checked_sub(year)?
                    .checked_add(1)?
            } else {
                f.century
                    .checked_mul(100)?
                    .checked_add(i32::from(f.century < 0))?
            };
        } else {
            c.year = if bc { f.year.checked_neg()? } else { f.year };
            if c.year < 0 {
                c.year += 1;
            }
        }
        given.year = true;
    } else if f.century != 0 {
        let base = if f.century >= 0 { f.century - 1 } else { f.century };
        c.year = base.checked_mul(100)?.checked_add(1)?;
        given.year = true;
    }
    Some(())
}

/// Julian days, weeks, days and months.
fn set_days(f: &mut Found, c: &mut Civil, given: &mut Given) -> Option<()> {
    if f.julian != 0 {
        // Julian days before the first are wild; PostgreSQL's unsigned count ends up out of range with them.
        c.set_days(i64::from(f.julian) - types::datetime::POSTGRES_EPOCH_JDATE);
        *given = Given {
            month: true,
            day: true,
            year: true,
        };
    }
    if f.week != 0 {
        if f.calendar == Calendar::IsoWeek {
            let offset = match f.weekday {
                0 => 0,
                d if d > 1 => d - 2,
                _ => 6,
            };
            c.set_days(iso_week_monday(c.year, f.week) + i64::from(offset));
            *given = Given {
                month: true,
                day: true,
                year: true,
            };
        } else {
            f.day_of_year = f.week.checked_sub(1)?.checked_mul(7)?.checked_add(1)?;
        }
    }
    if f.week_of_month != 0 {
        f.day = f.week_of_month.checked_sub(1)?.checked_mul(7)?.checked_add(1)?;
    }
    if f.day != 0 {
        c.day = f.day;
        given.day = true;
    }
    if f.month != 0 {
        c.month = f.month;
        given.month = true;
    }
    Some(())
}

fn set_day_of_year(f: &Found, c: &mut Civil, given: &mut Given) -> PgResult<()> {
    if f.day_of_year == 0 || (c.month > 1 && c.day > 1) {
        return Ok(());
    }
    if c.year == 0 && f.bc == 0 {
        return Err(pg_err!(
            INVALID_DATETIME_FORMAT,
            "cannot calculate day of year without year information"
        ));
    }
    if f.calendar == Calendar::IsoWeek {
        c.set_days(iso_week_monday(c.year, 1) - 1 + i64::from(f.day_of_year));
        *given = Given {
            month: true,
            day: true,
            year: true,
        };
        return Ok(());
    }
    // The month whose end lies on or after the day; beyond December the thirteenth, which is refused later.
    let (mut month, mut before) = (1, 0);
    while month <= 12 && f.day_of_year > before + days_in_month(c.year, month) {
        before += days_in_month(c.year, month);
        month += 1;
    }
    if c.month <= 1 {
        c.month = month;
    }
    if c.day <= 1 {
        c.day = f.day_of_year - before;
    }
    given.month = true;
    given.day = true;
    Ok(())
}

fn zone_of(f: &Found, c: &Civil, input: &str) -> PgResult<Option<i32>> {
    if f.zone_sign != 0 {
        if !(0..=15).contains(&f.zone_hour) || !(0..60).contains(&f.zone_minute) {
            return Err(ParseError::ZoneOverflow.report(input, "timestamp"));
        }
        let secs = (f.zone_hour * 60 + f.zone_minute) * 60;
        return Ok(Some(-secs * f.zone_sign));
    }
    if let Some((zone, name)) = &f.zone {
        let days = days_from_civil(i64::from(c.year), i64::from(c.month), i64::from(c.day));
        let local = days.saturating_mul(USECS_PER_DAY).saturating_add(time_of(c));
        return Ok(Some(zone::abbreviation_west_of_local(zone, name, local)));
    }
    Ok(f.zone_west)
}
