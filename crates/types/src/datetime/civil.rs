//! The proleptic Gregorian calendar: day numbers to year, month, day and back, and broken-down timestamps.

use crate::datetime::{
    END_TIMESTAMP, MIN_TIMESTAMP, POSTGRES_EPOCH_JDATE, USECS_PER_DAY, USECS_PER_HOUR, USECS_PER_MINUTE,
    USECS_PER_SEC,
};

/// A broken-down date and time. `year` is astronomical: 0 is 1 BC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Civil {
    pub year: i32,
    pub month: i32,
    pub day: i32,
    pub hour: i32,
    pub minute: i32,
    pub second: i32,
    pub micros: i32,
}

/// A `timetz` value: time of day and the zone it was said in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct TimeTz {
    /// Microseconds since midnight, local.
    pub micros: i64,
    /// Seconds west of UTC (PostgreSQL's sign).
    pub zone_west: i32,
}

impl TimeTz {
    /// The 12 bytes of the datum.
    pub fn to_bytes(self) -> [u8; 12] {
        let mut out = [0; 12];
        out[..8].copy_from_slice(&self.micros.to_le_bytes());
        out[8..].copy_from_slice(&self.zone_west.to_le_bytes());
        out
    }

    /// Reads a datum; anything but 12 bytes reads as midnight UTC.
    pub fn from_bytes(bytes: &[u8]) -> TimeTz {
        let Ok(b) = <[u8; 12]>::try_from(bytes) else {
            debug_assert!(false, "timetz of {} bytes", bytes.len());
            return TimeTz::default();
        };
        let [a, b, c, d, e, f, g, h, i, j, k, l] = b;
        TimeTz {
            micros: i64::from_le_bytes([a, b, c, d, e, f, g, h]),
            zone_west: i32::from_le_bytes([i, j, k, l]),
        }
    }

    /// Microseconds since midnight UTC, not reduced to one day: what comparison goes by first.
    pub fn utc_micros(self) -> i64 {
        self.micros + i64::from(self.zone_west) * USECS_PER_SEC
    }
}

/// Days since 2000-01-01 of a date (any `i32` year; `month` 1 to 12, `day` may overflow its month).
pub fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // Years start in March here, so that the leap day comes last.
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 730_425
}

/// Year, month and day of a day number since 2000-01-01.
pub fn civil_from_days(days: i64) -> (i32, i32, i32) {
    let z = days + 730_425;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let mp = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year as i32, month as i32, day as i32)
}

/// Julian day number of a date.
pub fn julian(year: i32, month: i32, day: i32) -> i64 {
    days_from_civil(i64::from(year), i64::from(month), i64::from(day)) + POSTGRES_EPOCH_JDATE
}

/// True in a leap year.
pub fn is_leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days of a month (1 to 12; others give 31).
pub fn days_in_month(year: i32, month: i32) -> i32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// 0 is Sunday.
pub fn day_of_week(days: i64) -> i32 {
    (days + 6).rem_euclid(7) as i32
}

/// True when year, month and day can be a Julian day that PostgreSQL computes with.
pub fn is_valid_julian(year: i32, month: i32) -> bool {
    (year > -4713 || (year == -4713 && month >= 11)) && (year < 5_874_898 || (year == 5_874_898 && month < 6))
}

/// Microseconds since midnight.
pub fn time_of(c: &Civil) -> i64 {
    i64::from(c.hour) * USECS_PER_HOUR
        + i64::from(c.minute) * USECS_PER_MINUTE
        + i64::from(c.second) * USECS_PER_SEC
        + i64::from(c.micros)
}

/// True when hour, minute, second and fraction are not a time of day (24:00:00 is one).
pub fn time_overflows(c: &Civil) -> bool {
    !(0..=24).contains(&c.hour)
        || !(0..60).contains(&c.minute)
        || !(0..=60).contains(&c.second)
        || !(0..=USECS_PER_SEC as i32).contains(&c.micros)
        || time_of(c) > USECS_PER_DAY
}

/// Breaks microseconds of a day (or any span) into hours, minutes, seconds and fraction.
pub fn split_time(micros: i64) -> (i64, i32, i32, i32) {
    let hours = micros / USECS_PER_HOUR;
    let rest = micros % USECS_PER_HOUR;
    (
        hours,
        (rest / USECS_PER_MINUTE) as i32,
        (rest % USECS_PER_MINUTE / USECS_PER_SEC) as i32,
        (rest % USECS_PER_SEC) as i32,
    )
}

impl Civil {
    /// The broken-down form of a finite timestamp, taken as local time.
    pub fn from_timestamp(ts: i64) -> Civil {
        let days = ts.div_euclid(USECS_PER_DAY);
        let (year, month, day) = civil_from_days(days);
        let (hour, minute, second, micros) = split_time(ts.rem_euclid(USECS_PER_DAY));
        Civil {
            year,
            month,
            day,
            hour: hour as i32,
            minute,
            second,
            micros,
        }
    }

    /// The broken-down form of a time of day.
    pub fn from_time(time: i64) -> Civil {
        let (hour, minute, second, micros) = split_time(time);
        Civil {
            hour: hour as i32,
            minute,
            second,
            micros,
            ..Civil::default()
        }
    }

    /// Days since 2000-01-01.
    pub fn days(&self) -> i64 {
        days_from_civil(i64::from(self.year), i64::from(self.month), i64::from(self.day))
    }

    /// Sets the date from a day number.
    pub fn set_days(&mut self, days: i64) {
        (self.year, self.month, self.day) = civil_from_days(days);
    }

    /// The local timestamp, without its range check; `None` when it does not fit 64 bits.
    pub fn to_timestamp_unchecked(&self) -> Option<i64> {
        if !is_valid_julian(self.year, self.month) {
            return None;
        }
        self.days().checked_mul(USECS_PER_DAY)?.checked_add(time_of(self))
    }

    /// The timestamp, shifted by `zone_west` seconds to UTC; `None` out of PostgreSQL's range.
    pub fn to_timestamp(&self, zone_west: i32) -> Option<i64> {
        let ts = self
            .to_timestamp_unchecked()?
            .checked_add(i64::from(zone_west) * USECS_PER_SEC)?;
        (MIN_TIMESTAMP..END_TIMESTAMP).contains(&ts).then_some(ts)
    }
}

/// ISO 8601 year and week of a date.
pub fn iso_year_week(year: i32, month: i32, day: i32) -> (i32, i32) {
    let days = days_from_civil(i64::from(year), i64::from(month), i64::from(day));
    let monday = days - i64::from((day_of_week(days) + 6) % 7);
    // The week belongs to the year its Thursday lies in.
    let (iso_year, _, _) = civil_from_days(monday + 3);
    let week = (monday - iso_week_monday(iso_year, 1)) / 7 + 1;
    (iso_year, week as i32)
}

/// Day number of the Monday that starts an ISO week.
pub fn iso_week_monday(iso_year: i32, week: i32) -> i64 {
    let jan4 = days_from_civil(i64::from(iso_year), 1, 4);
    jan4 - i64::from((day_of_week(jan4) + 6) % 7) + (i64::from(week) - 1) * 7
}

/// 1-based day of the year.
pub fn day_of_year(year: i32, month: i32, day: i32) -> i32 {
    (days_from_civil(i64::from(year), i64::from(month), i64::from(day))
        - days_from_civil(i64::from(year), 1, 1)
        + 1) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calendar_round_trips() {
        assert_eq!(days_from_civil(2000, 1, 1), 0);
        assert_eq!(julian(1970, 1, 1), 2_440_588);
        assert_eq!(julian(-4713, 11, 24), 0);
        for days in (-2_451_545..2_145_000_000).step_by(99_991) {
            let (y, m, d) = civil_from_days(days);
            assert_eq!(days_from_civil(i64::from(y), i64::from(m), i64::from(d)), days);
        }
        assert_eq!(day_of_week(0), 6);
        assert_eq!(iso_year_week(2005, 1, 1), (2004, 53));
    }
}
