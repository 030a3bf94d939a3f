//! Dates, times and intervals: PostgreSQL's free-form input, its output styles, zones and wire formats.
//!
//! Values: `date` is days since 2000-01-01, `time` microseconds since midnight, `timestamp` and `timestamptz` microseconds
//! since 2000-01-01 (UTC for the latter), [`TimeTz`] a time with its zone. The extreme integers stand for the infinities.
//!
//! # How input works
//! 1. [`fields`] cuts the string into fields (date-like, time-like, number, word, zone).
//! 2. [`decode`] walks the fields left to right and fills a [`Civil`]; [`interval_in`] walks them right to left.
//! 3. The caller packs the result and checks its range ([`input`]).
//!
//! # Invariants
//! - No input panics: every computation on user numbers is checked or done in 64 bits with bounded operands.
//! - Nothing here reads a clock: `'now'` is [`crate::FormatSettings::transaction_timestamp`].

pub mod abbrevs;
pub mod civil;
pub mod decode;
pub mod decode_date;
pub mod error;
pub mod fields;
pub mod input;
pub mod interval_in;
pub mod interval_iso;
pub mod interval_out;
pub mod output;
pub mod wire;
pub mod words;
pub mod zone;

pub use civil::{Civil, TimeTz};
pub use input::{
    adjust_interval_typmod, adjust_time_precision, adjust_timestamp_precision, date_in, interval_in, time_in,
    timestamp_in, timestamptz_in, timetz_in,
};
pub use interval_out::interval_out;
pub use output::{date_out, time_out, timestamp_out, timestamptz_out, timetz_out};

/// Microseconds in a second.
pub const USECS_PER_SEC: i64 = 1_000_000;
/// Microseconds in a minute.
pub const USECS_PER_MINUTE: i64 = 60 * USECS_PER_SEC;
/// Microseconds in an hour.
pub const USECS_PER_HOUR: i64 = 3600 * USECS_PER_SEC;
/// Microseconds in a day of 24 hours.
pub const USECS_PER_DAY: i64 = 86_400 * USECS_PER_SEC;
/// Julian day number of 2000-01-01.
pub const POSTGRES_EPOCH_JDATE: i64 = 2_451_545;
/// Days from 1970-01-01 to 2000-01-01.
pub const UNIX_EPOCH_DAYS: i64 = 10_957;
/// First valid date (4714-11-24 BC).
pub const MIN_DATE: i64 = -POSTGRES_EPOCH_JDATE;
/// One past the last valid date (5874897-12-31).
pub const END_DATE: i64 = 2_147_483_494 - POSTGRES_EPOCH_JDATE;
/// First valid timestamp.
pub const MIN_TIMESTAMP: i64 = -211_813_488_000_000_000;
/// One past the last valid timestamp (294276-12-31 23:59:59.999999).
pub const END_TIMESTAMP: i64 = 9_223_371_331_200_000_000;
/// `-infinity` as a date.
pub const DATE_NEG_INFINITY: i32 = i32::MIN;
/// `infinity` as a date.
pub const DATE_INFINITY: i32 = i32::MAX;
/// `-infinity` as a timestamp.
pub const TIMESTAMP_NEG_INFINITY: i64 = i64::MIN;
/// `infinity` as a timestamp.
pub const TIMESTAMP_INFINITY: i64 = i64::MAX;

/// True unless it is one of the infinities.
#[inline]
pub fn date_is_finite(date: i32) -> bool {
    date != DATE_NEG_INFINITY && date != DATE_INFINITY
}

/// True unless it is one of the infinities.
#[inline]
pub fn timestamp_is_finite(ts: i64) -> bool {
    ts != TIMESTAMP_NEG_INFINITY && ts != TIMESTAMP_INFINITY
}

/// True for a finite timestamp inside PostgreSQL's range.
#[inline]
pub fn timestamp_in_range(ts: i64) -> bool {
    (MIN_TIMESTAMP..END_TIMESTAMP).contains(&ts)
}
