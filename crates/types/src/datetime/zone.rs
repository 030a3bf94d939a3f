//! Time zones: finding them by name, abbreviation or POSIX rule, and the offset that holds at a given moment.
//!
//! PostgreSQL counts offsets westward (`zone_west`, seconds); `jiff` counts eastward. The sign turns only in this module.

use std::sync::OnceLock;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};

use crate::datetime::abbrevs::{self, Abbrev};
use crate::datetime::civil::civil_from_days;
use crate::datetime::error::{ParseError, ParseResult};
use crate::datetime::{UNIX_EPOCH_DAYS, USECS_PER_SEC};

/// Largest hour of a numeric zone offset.
pub const MAX_OFFSET_HOURS: i64 = 15;
const SECS_PER_DAY: i64 = 86_400;
/// The calendar, and every zone's rules, repeat after 400 years.
const SECS_PER_CYCLE: i64 = 146_097 * SECS_PER_DAY;
/// 9900-01-01 in Unix seconds: later moments are folded back by whole cycles, because `jiff` ends at year 9999.
const FOLD_FROM: i64 = 250_247_404_800;
/// Transitions after this are not looked at when an abbreviation is searched (2100-01-01).
const SEARCH_END: i64 = 4_102_444_800;

/// The offset that holds somewhere, with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneOffset {
    /// Seconds west of UTC.
    pub west: i32,
    /// `EST`, `+03`...
    pub abbreviation: String,
    /// Daylight saving time.
    pub is_dst: bool,
}

fn fold(unix_secs: i64) -> i64 {
    if unix_secs < FOLD_FROM {
        return unix_secs;
    }
    unix_secs - ((unix_secs - FOLD_FROM) / SECS_PER_CYCLE + 1) * SECS_PER_CYCLE
}

/// Seconds since 1970 of a PostgreSQL timestamp, rounded down.
fn unix_seconds(ts: i64) -> i64 {
    ts.div_euclid(USECS_PER_SEC) + UNIX_EPOCH_DAYS * SECS_PER_DAY
}

fn moment(unix_secs: i64) -> Timestamp {
    Timestamp::from_second(fold(unix_secs)).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Seconds west of UTC at a UTC timestamp.
pub fn west_at(zone: &TimeZone, ts: i64) -> i32 {
    -zone.to_offset(moment(unix_seconds(ts))).seconds()
}

/// Offset, abbreviation and daylight saving at a UTC timestamp.
pub fn offset_at(zone: &TimeZone, ts: i64) -> ZoneOffset {
    let info = zone.to_offset_info(moment(unix_seconds(ts)));
    ZoneOffset {
        west: -info.offset().seconds(),
        abbreviation: info.abbreviation().to_owned(),
        is_dst: info.dst().is_dst(),
    }
}

fn local_datetime(unix_secs: i64) -> DateTime {
    let secs = fold(unix_secs);
    let (year, month, day) = civil_from_days(secs.div_euclid(SECS_PER_DAY) - UNIX_EPOCH_DAYS);
    let in_day = secs.rem_euclid(SECS_PER_DAY);
    DateTime::new(
        year as i16,
        month as i8,
        day as i8,
        (in_day / 3600) as i8,
        (in_day / 60 % 60) as i8,
        (in_day % 60) as i8,
        0,
    )
    .unwrap_or(DateTime::constant(1970, 1, 1, 0, 0, 0, 0))
}

/// Seconds west of UTC for a local timestamp. A time in a gap is taken by the offset before it, an ambiguous one by the
/// offset after the change (standard time), as PostgreSQL does.
pub fn west_of_local(zone: &TimeZone, local: i64) -> i32 {
    let offset = match zone
        .to_ambiguous_timestamp(local_datetime(unix_seconds(local)))
        .offset()
    {
        AmbiguousOffset::Unambiguous { offset } => offset,
        AmbiguousOffset::Gap { before, .. } => before,
        AmbiguousOffset::Fold { after, .. } => after,
    };
    -offset.seconds()
}

/// True when the zone has had one offset only; that offset, west of UTC.
pub fn fixed_west(zone: &TimeZone) -> Option<i32> {
    if let Ok(offset) = zone.to_fixed_offset() {
        return Some(-offset.seconds());
    }
    let first = zone.to_offset(Timestamp::MIN);
    zone.following(Timestamp::MIN)
        .take_while(|t| t.timestamp().as_second() < SEARCH_END)
        .all(|t| t.offset() == first)
        .then(|| -first.seconds())
}

fn database() -> &'static TimeZoneDatabase {
    static BUNDLED: OnceLock<TimeZoneDatabase> = OnceLock::new();
    // The database is immutable data; the cell only spares building its name index again.
    BUNDLED.get_or_init(TimeZoneDatabase::bundled)
}

/// Every zone with its name, by name.
pub fn all() -> Vec<(String, TimeZone)> {
    let names = database().available().map(|n| n.as_str().to_owned());
    let mut zones: Vec<_> = names.filter_map(|n| find(&n).map(|z| (n, z))).collect();
    zones.sort_by(|a, b| a.0.cmp(&b.0));
    zones
}

/// Finds a zone by IANA name (any case) or as a POSIX rule such as `EST5EDT` or `UTC+3`.
pub fn find(name: &str) -> Option<TimeZone> {
    let database = database();
    if name.is_empty() || name.len() > 255 {
        return None;
    }
    match database.get(name) {
        Ok(zone) if !name.eq_ignore_ascii_case("localtime") => Some(zone),
        _ => posix_zone(name),
    }
}

/// Finds a zone as [`find`] does and gives the name that `SHOW TimeZone` prints.
pub fn find_named(name: &str) -> Option<(TimeZone, String)> {
    let zone = find(name)?;
    let shown = zone
        .iana_name()
        .map_or_else(|| name.to_ascii_uppercase(), str::to_owned);
    Some((zone, shown))
}

/// The zone of `SET TIME ZONE -5` or of an interval: a fixed offset under PostgreSQL's name for it.
pub fn fixed_zone(west: i32) -> (TimeZone, String) {
    let name = |secs: i32, plus: &str| {
        let (h, m, s) = (secs.abs() / 3600, secs.abs() / 60 % 60, secs.abs() % 60);
        let sign = if secs < 0 { "-" } else { plus };
        let mut out = format!("{sign}{h:02}");
        if m != 0 || s != 0 {
            out.push_str(&format!(":{m:02}"));
        }
        if s != 0 {
            out.push_str(&format!(":{s:02}"));
        }
        out
    };
    // The abbreviation in angle brackets counts east, the offset after it west.
    let shown = format!("<{}>{}", name(-west, "+"), name(west, "+"));
    let abbreviation: String = name(-west, "+").chars().filter(|c| *c != ':').collect();
    let zone = TimeZone::posix(&format!("<{abbreviation}>{}", name(west, "+")))
        .or_else(|_| Offset::from_seconds(-west).map(TimeZone::fixed))
        .unwrap_or(TimeZone::UTC);
    (zone, shown)
}

/// Splits a leading zone abbreviation (plain or in angle brackets) off a POSIX rule.
fn posix_name(s: &str) -> Option<(&str, &str)> {
    if let Some(rest) = s.strip_prefix('<') {
        return rest.split_once('>');
    }
    let end = s
        .find(|c: char| c.is_ascii_digit() || matches!(c, ',' | '+' | '-'))
        .unwrap_or(s.len());
    Some((&s[..end], &s[end..]))
}

/// Splits a leading `[+-]hh[:mm[:ss]]` off a POSIX rule.
fn posix_offset(s: &str) -> Option<(&str, &str)> {
    let digits = s.strip_prefix(['+', '-']).unwrap_or(s);
    let start = s.len() - digits.len();
    let end = digits
        .find(|c: char| !c.is_ascii_digit() && c != ':')
        .map_or(s.len(), |i| i + start);
    digits
        .starts_with(|c: char| c.is_ascii_digit())
        .then(|| s.split_at(end))
}

fn posix_zone(name: &str) -> Option<TimeZone> {
    if !name.is_ascii() {
        return None;
    }
    let upper = name.to_ascii_uppercase();
    let (std_name, rest) = posix_name(&upper)?;
    let (std_offset, rest) = posix_offset(rest)?;
    // jiff wants names of three and more letters, digits or signs; PostgreSQL takes anything.
    let quote = |name: &str| {
        let clean: String = name
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || c == '+' || c == '-' {
                    c
                } else {
                    'X'
                }
            })
            .collect();
        format!("<{clean:X<3}>")
    };
    let mut rule = format!("{}{std_offset}", quote(std_name));
    if !rest.is_empty() {
        let (dst_name, rest) = posix_name(rest)?;
        if dst_name.is_empty() {
            return None;
        }
        rule.push_str(&quote(dst_name));
        let (dst_offset, rest) = posix_offset(rest).unwrap_or(("", rest));
        rule.push_str(dst_offset);
        rule.push_str(if rest.is_empty() { ",M3.2.0,M11.1.0" } else { rest });
    }
    TimeZone::posix(&rule).ok()
}

/// A zone said by a word of the input.
#[derive(Clone, Debug)]
pub enum ZoneWord {
    /// A fixed offset west of UTC; true for daylight saving time.
    Fixed(i32, bool),
    /// An abbreviation whose offset depends on the date.
    Dynamic(TimeZone),
    /// A zone by its full name.
    Full(TimeZone),
}

/// What an abbreviation means: first in the session's zone, then by PostgreSQL's default list.
pub fn abbreviation(session: &TimeZone, name: &str) -> Option<ZoneWord> {
    if name.is_empty() || !name.is_ascii() {
        return None;
    }
    let mut found: Option<(i32, bool)> = None;
    let mut varies = false;
    let mut note = |abbr: &str, offset: Offset, dst: bool| {
        if abbr.eq_ignore_ascii_case(name) {
            let seen = (-offset.seconds(), dst);
            varies |= found.is_some_and(|f| f != seen);
            found = Some(seen);
        }
    };
    let first = session.to_offset_info(Timestamp::MIN);
    note(first.abbreviation(), first.offset(), first.dst().is_dst());
    for t in session
        .following(Timestamp::MIN)
        .take_while(|t| t.timestamp().as_second() < SEARCH_END)
    {
        note(t.abbreviation(), t.offset(), t.dst().is_dst());
    }
    if let Some((west, dst)) = found {
        return Some(if varies {
            ZoneWord::Dynamic(session.clone())
        } else {
            ZoneWord::Fixed(west, dst)
        });
    }
    match abbrevs::lookup(&name.to_ascii_lowercase())? {
        Abbrev::Standard(east) => Some(ZoneWord::Fixed(-east, false)),
        Abbrev::Daylight(east) => Some(ZoneWord::Fixed(-east, true)),
        Abbrev::Zone(zone) => find(zone).map(ZoneWord::Dynamic),
    }
}

/// The offset of a dynamic abbreviation at a UTC timestamp: its latest use until then, else its first after.
pub fn abbreviation_west_at(zone: &TimeZone, name: &str, ts: i64) -> Option<i32> {
    let at = moment(unix_seconds(ts));
    let now = zone.to_offset_info(at);
    if now.abbreviation().eq_ignore_ascii_case(name) {
        return Some(-now.offset().seconds());
    }
    let before = zone
        .preceding(at)
        .find(|t| t.abbreviation().eq_ignore_ascii_case(name));
    let hit = before.or_else(|| {
        zone.following(at)
            .take_while(|t| t.timestamp().as_second() < SEARCH_END)
            .find(|t| t.abbreviation().eq_ignore_ascii_case(name))
    });
    hit.map(|t| -t.offset().seconds())
}

/// The offset of a dynamic abbreviation for a local timestamp; the zone's own offset when it never used the name.
pub fn abbreviation_west_of_local(zone: &TimeZone, name: &str, local: i64) -> i32 {
    let west = west_of_local(zone, local);
    let utc = local.saturating_add(i64::from(west) * USECS_PER_SEC);
    abbreviation_west_at(zone, name, utc).unwrap_or(west)
}

/// Resolves the argument of `AT TIME ZONE`: an abbreviation or a zone name.
pub fn named(session: &TimeZone, name: &str) -> Option<ZoneWord> {
    // Abbreviations win over zones of the same name.
    abbreviation(session, name).or_else(|| find(name).map(ZoneWord::Full))
}

/// Parses `+hh[[:]mm[:ss]]`; the result counts west.
pub fn parse_offset(s: &str) -> ParseResult<i32> {
    let negative = match s.as_bytes().first() {
        Some(b'+') => false,
        Some(b'-') => true,
        _ => return Err(ParseError::BadFormat),
    };
    let mut rest = &s[1..];
    let number = |rest: &mut &str| -> ParseResult<i64> {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        *rest = tail;
        if number.is_empty() {
            return Ok(0);
        }
        match number.parse::<i32>() {
            Ok(v) => Ok(i64::from(v)),
            Err(_) => Err(ParseError::ZoneOverflow),
        }
    };
    let mut hours = number(&mut rest)?;
    let (mut minutes, mut seconds) = (0, 0);
    if let Some(tail) = rest.strip_prefix(':') {
        rest = tail;
        minutes = number(&mut rest)?;
        if let Some(tail) = rest.strip_prefix(':') {
            rest = tail;
            seconds = number(&mut rest)?;
        }
    } else if rest.is_empty() && s.len() > 3 {
        minutes = hours % 100;
        hours /= 100;
    }
    if hours > MAX_OFFSET_HOURS || minutes >= 60 || seconds >= 60 {
        return Err(ParseError::ZoneOverflow);
    }
    if !rest.is_empty() {
        return Err(ParseError::BadFormat);
    }
    let east = (hours * 3600 + minutes * 60 + seconds) as i32;
    Ok(if negative { east } else { -east })
}
