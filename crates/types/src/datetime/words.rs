//! The words of date, time and interval input, and the field names of `EXTRACT`.

/// A word in a date or time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum DateWord {
    /// Skipped: `at`, `on`.
    Ignore,
    Now,
    Today,
    Tomorrow,
    Yesterday,
    Epoch,
    Infinity,
    NegInfinity,
    /// `allballs`: midnight UTC.
    AllBalls,
    /// 1 to 12.
    Month(i32),
    Am,
    Pm,
    Ad,
    Bc,
    /// Day of week, 0 is Sunday; accepted and ignored.
    Dow,
    /// `dst` after a zone.
    Dst,
    /// Labels the number that follows as a Julian day.
    Julian,
    /// `t` before an ISO time.
    IsoTime,
    /// Another unit, named only by `EXTRACT`.
    Unit(Unit),
}

/// A unit of time or field of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Unit {
    Microsecond,
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    Decade,
    Century,
    Millennium,
    Timezone,
    TimezoneHour,
    TimezoneMinute,
    Dow,
    IsoDow,
    Doy,
    IsoYear,
    Julian,
    Epoch,
}

/// What the field argument of `extract`, `date_part` and `date_trunc` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldName {
    /// A unit; whether the type has it is the caller's business.
    Unit(Unit),
    /// A reserved word (`now`, `infinity`...) that is no field: "not supported" rather than "not recognized".
    Reserved,
    /// No such word.
    Unknown,
}

/// PostgreSQL compares at most this many characters of a word.
const WORD_LEN_MAX: usize = 10;

fn truncated(word: &str) -> &str {
    word.get(..WORD_LEN_MAX).unwrap_or(word)
}

/// Looks a lower-case word up.
pub fn date_word(word: &str) -> Option<DateWord> {
    use DateWord::{
        AllBalls, Am, Bc, Dow, Dst, Epoch, Ignore, Infinity, IsoTime, Month, NegInfinity, Now, Pm,
    };
    Some(match truncated(word) {
        "-infinity" => NegInfinity,
        "+infinity" | "infinity" => Infinity,
        "ad" => DateWord::Ad,
        "allballs" => AllBalls,
        "am" => Am,
        "pm" => Pm,
        "at" | "on" => Ignore,
        "bc" => Bc,
        "dst" => Dst,
        "epoch" => Epoch,
        "now" => Now,
        "today" => DateWord::Today,
        "tomorrow" => DateWord::Tomorrow,
        "yesterday" => DateWord::Yesterday,
        "t" => IsoTime,
        "j" | "jd" | "julian" => DateWord::Julian,
        "jan" | "january" => Month(1),
        "feb" | "february" => Month(2),
        "mar" | "march" => Month(3),
        "apr" | "april" => Month(4),
        "may" => Month(5),
        "jun" | "june" => Month(6),
        "jul" | "july" => Month(7),
        "aug" | "august" => Month(8),
        "sep" | "sept" | "september" => Month(9),
        "oct" | "october" => Month(10),
        "nov" | "november" => Month(11),
        "dec" | "december" => Month(12),
        "sun" | "sunday" | "mon" | "monday" | "tue" | "tues" | "tuesday" | "wed" | "weds" | "wednesday"
        | "thu" | "thur" | "thurs" | "thursday" | "fri" | "friday" | "sat" | "saturday" => Dow,
        "d" => DateWord::Unit(Unit::Day),
        "dow" => DateWord::Unit(Unit::Dow),
        "doy" => DateWord::Unit(Unit::Doy),
        "h" => DateWord::Unit(Unit::Hour),
        "isodow" => DateWord::Unit(Unit::IsoDow),
        "isoyear" => DateWord::Unit(Unit::IsoYear),
        "m" => DateWord::Unit(Unit::Month),
        "mm" => DateWord::Unit(Unit::Minute),
        "s" => DateWord::Unit(Unit::Second),
        "y" => DateWord::Unit(Unit::Year),
        _ => return None,
    })
}

/// A word in an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum IntervalWord {
    Ignore,
    Ago,
    Unit(Unit),
}

/// Looks a lower-case unit word up.
pub fn interval_word(word: &str) -> Option<IntervalWord> {
    use IntervalWord::Unit as U;
    Some(match truncated(word) {
        "@" => IntervalWord::Ignore,
        "ago" => IntervalWord::Ago,
        "c" | "cent" | "centuries" | "century" => U(Unit::Century),
        "d" | "day" | "days" => U(Unit::Day),
        "dec" | "decade" | "decades" | "decs" => U(Unit::Decade),
        "h" | "hour" | "hours" | "hr" | "hrs" => U(Unit::Hour),
        "m" | "min" | "mins" | "minute" | "minutes" => U(Unit::Minute),
        "microsecon" | "us" | "usec" | "usecond" | "useconds" | "usecs" => U(Unit::Microsecond),
        "mil" | "mils" | "millennia" | "millennium" => U(Unit::Millennium),
        "millisecon" | "ms" | "msec" | "msecond" | "mseconds" | "msecs" => U(Unit::Millisecond),
        "mon" | "mons" | "month" | "months" => U(Unit::Month),
        "qtr" | "quarter" => U(Unit::Quarter),
        "s" | "sec" | "second" | "seconds" | "secs" => U(Unit::Second),
        "timezone" => U(Unit::Timezone),
        "timezone_h" => U(Unit::TimezoneHour),
        "timezone_m" => U(Unit::TimezoneMinute),
        "w" | "week" | "weeks" => U(Unit::Week),
        "y" | "year" | "years" | "yr" | "yrs" => U(Unit::Year),
        _ => return None,
    })
}

/// Resolves a field name of `EXTRACT` (any case).
pub fn field_name(name: &str) -> FieldName {
    let lower = name.to_ascii_lowercase();
    match interval_word(&lower) {
        Some(IntervalWord::Unit(unit)) => return FieldName::Unit(unit),
        Some(_) => return FieldName::Unknown,
        None => {}
    }
    match date_word(&lower) {
        Some(DateWord::Unit(unit)) => FieldName::Unit(unit),
        Some(DateWord::Julian) => FieldName::Unit(Unit::Julian),
        Some(DateWord::Epoch) => FieldName::Unit(Unit::Epoch),
        Some(
            DateWord::Now
            | DateWord::Today
            | DateWord::Tomorrow
            | DateWord::Yesterday
            | DateWord::Infinity
            | DateWord::NegInfinity
            | DateWord::AllBalls,
        ) => FieldName::Reserved,
        _ => FieldName::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use crate::datetime::abbrevs::ABBREVS;

    #[test]
    fn no_zone_abbreviation_hides_a_word() {
        for (name, _) in ABBREVS {
            assert!(super::date_word(name).is_none(), "{name}");
        }
    }
}
