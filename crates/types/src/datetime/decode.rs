//! The date/time grammar: fields in, a broken-down moment with its zone out.
//!
//! One walk serves `date`, `timestamp`, `timestamptz` ([`decode_datetime`]) and another `time`, `timetz` ([`decode_time`]),
//! because the latter take a date only where a zone needs one.

use jiff::tz::TimeZone;

use crate::FormatSettings;
use crate::datetime::civil::{self, Civil, TimeTz};
use crate::datetime::decode_date::{
    ADBC, AMPM, DATE_MASK, DAY, DOW, DTZ, DTZMOD, DYNTZ, MONTH, Mask, Parts, TIME_MASK, TZ, clock_time,
    fraction, leading_i32,
};
use crate::datetime::error::{ParseError, ParseResult};
use crate::datetime::fields::{Field, FieldKind};
use crate::datetime::words::{self, DateWord};
use crate::datetime::zone::{self, ZoneWord};
use crate::datetime::{POSTGRES_EPOCH_JDATE, USECS_PER_DAY};

/// What a date/time string said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moment {
    /// A point in local time; the zone, seconds west, when the caller wants one.
    At(Civil, i32),
    /// Only a time of day was given.
    TimeOnly,
    /// `epoch`.
    Epoch,
    /// `infinity`.
    Infinity,
    /// `-infinity`.
    NegInfinity,
}

/// A label waiting for its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prefix {
    None,
    Julian,
    IsoTime,
    /// A unit that cannot label anything here.
    Unit,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Meridian {
    Hour24,
    Am,
    Pm,
}

struct Decoder<'a> {
    settings: &'a FormatSettings,
    parts: Parts,
    prefix: Prefix,
    meridian: Meridian,
    bc: bool,
    /// Seconds west.
    zone_west: i32,
    full_zone: Option<TimeZone>,
    abbreviation: Option<(TimeZone, String)>,
    /// `epoch` and the infinities.
    special: Option<Moment>,
}

const BAD: ParseError = ParseError::BadFormat;

impl<'a> Decoder<'a> {
    fn new(settings: &'a FormatSettings) -> Decoder<'a> {
        Decoder {
            settings,
            parts: Parts {
                order: settings.date_order,
                ..Parts::default()
            },
            prefix: Prefix::None,
            meridian: Meridian::Hour24,
            bc: false,
            zone_west: 0,
            full_zone: None,
            abbreviation: None,
            special: None,
        }
    }

    /// The transaction's start in session time.
    fn now(&self) -> (Civil, i32) {
        let now = self.settings.transaction_timestamp;
        let west = zone::west_at(&self.settings.time_zone, now);
        (
            Civil::from_timestamp(now - i64::from(west) * crate::datetime::USECS_PER_SEC),
            west,
        )
    }

    fn julian_day(&mut self, value: i32) -> ParseResult<()> {
        if value < 0 {
            return Err(ParseError::FieldOverflow);
        }
        self.parts.civil.set_days(i64::from(value) - POSTGRES_EPOCH_JDATE);
        self.parts.is_julian = true;
        Ok(())
    }

    /// `hhmmss-zz`: a time run together with a zone.
    fn time_with_zone(&mut self, text: &str, known: Mask) -> ParseResult<Mask> {
        if self.parts.mask & TIME_MASK == TIME_MASK {
            return Err(BAD);
        }
        let dash = text.find('-').ok_or(BAD)?;
        self.zone_west = zone::parse_offset(&text[dash..])?;
        Ok(self.parts.decode_number_field(&text[..dash], known)? | TZ)
    }

    fn full_zone_field(&mut self, text: &str) -> ParseResult<Mask> {
        let found = zone::find(text).ok_or_else(|| ParseError::UnknownZone(text.to_owned()))?;
        self.full_zone = Some(found);
        Ok(TZ)
    }

    /// A number labelled by the field before.
    fn labelled_number(&mut self, text: &str) -> ParseResult<Mask> {
        let (value, rest) = leading_i32(text)?;
        if !rest.is_empty() && !rest.starts_with('.') {
            return Err(BAD);
        }
        match std::mem::replace(&mut self.prefix, Prefix::None) {
            Prefix::Julian => {
                self.julian_day(value)?;
                if rest.is_empty() {
                    return Ok(DATE_MASK);
                }
                let time = (fraction(rest)? * USECS_PER_DAY as f64) as i64;
                let t = Civil::from_time(time);
                let c = &mut self.parts.civil;
                (c.hour, c.minute, c.second, c.micros) = (t.hour, t.minute, t.second, t.micros);
                Ok(DATE_MASK | TIME_MASK)
            }
            Prefix::IsoTime => {
                let got = self
                    .parts
                    .decode_number_field(text, self.parts.mask | DATE_MASK)?;
                if got == TIME_MASK { Ok(got) } else { Err(BAD) }
            }
            Prefix::None | Prefix::Unit => Err(BAD),
        }
    }

    /// Zone words and modifiers, which both grammars share; `None` when it is not one.
    fn zone_word(&mut self, text: &str) -> ParseResult<Option<Mask>> {
        let Some(word) = zone::abbreviation(&self.settings.time_zone, text) else {
            return Ok(None);
        };
        Ok(Some(match word {
            ZoneWord::Fixed(west, dst) => {
                self.zone_west = west;
                if dst { DTZ | TZ } else { TZ }
            }
            ZoneWord::Dynamic(zone) | ZoneWord::Full(zone) => {
                self.abbreviation = Some((zone, text.to_owned()));
                DYNTZ | TZ
            }
        }))
    }

    fn unknown_word(&mut self, text: &str) -> ParseResult<Mask> {
        self.full_zone = Some(zone::find(text).ok_or(BAD)?);
        Ok(TZ)
    }

    fn dst_modifier(&mut self) -> ParseResult<Mask> {
        self.zone_west -= 3600;
        Ok(DTZMOD | DTZ)
    }

    fn set_prefix(&mut self, prefix: Prefix) -> ParseResult<Mask> {
        if self.prefix != Prefix::None {
            return Err(BAD);
        }
        self.prefix = prefix;
        Ok(0)
    }

    /// Words that mean the same in both grammars.
    fn common_word(&mut self, word: DateWord) -> ParseResult<Mask> {
        Ok(match word {
            DateWord::Am => {
                self.meridian = Meridian::Am;
                AMPM
            }
            DateWord::Pm => {
                self.meridian = Meridian::Pm;
                AMPM
            }
            DateWord::Ad => {
                self.bc = false;
                ADBC
            }
            DateWord::Bc => {
                self.bc = true;
                ADBC
            }
            DateWord::Dst => self.dst_modifier()?,
            DateWord::Julian => self.set_prefix(Prefix::Julian)?,
            DateWord::Unit(_) => self.set_prefix(Prefix::Unit)?,
            _ => return Err(BAD),
        })
    }

    fn apply_meridian(&mut self) -> ParseResult<()> {
        let c = &mut self.parts.civil;
        match self.meridian {
            Meridian::Hour24 => {}
            _ if c.hour > 12 => return Err(ParseError::FieldOverflow),
            Meridian::Am if c.hour == 12 => c.hour = 0,
            Meridian::Pm if c.hour != 12 => c.hour += 12,
            _ => {}
        }
        Ok(())
    }

    fn local(civil: &Civil) -> i64 {
        civil
            .days()
            .saturating_mul(USECS_PER_DAY)
            .saturating_add(civil::time_of(civil))
    }

    /// Finds the offset once the date is known.
    fn resolve_zone(&mut self, local: &Civil) -> ParseResult<()> {
        let no_modifier = |mask: Mask| if mask & DTZMOD != 0 { Err(BAD) } else { Ok(()) };
        if let Some(zone) = &self.full_zone {
            no_modifier(self.parts.mask)?;
            self.zone_west = zone::west_of_local(zone, Self::local(local));
        }
        if let Some((zone, name)) = &self.abbreviation {
            no_modifier(self.parts.mask)?;
            self.zone_west = zone::abbreviation_west_of_local(zone, name, Self::local(local));
        }
        if self.parts.mask & TZ == 0 {
            no_modifier(self.parts.mask)?;
            self.zone_west = zone::west_of_local(&self.settings.time_zone, Self::local(local));
        }
        Ok(())
    }
}

/// Decodes a date with or without time.
pub fn decode_datetime(fields: &[Field], settings: &FormatSettings) -> ParseResult<Moment> {
    let mut d = Decoder::new(settings);
    for field in fields {
        let got = match field.kind {
            FieldKind::Date => d.date_field(&field.text)?,
            FieldKind::Time => {
                d.take_time_prefix()?;
                clock_time(&field.text, false)?.store(&mut d.parts.civil)?;
                if civil::time_overflows(&d.parts.civil) {
                    return Err(ParseError::FieldOverflow);
                }
                TIME_MASK
            }
            FieldKind::Zone => {
                d.zone_west = zone::parse_offset(&field.text)?;
                TZ
            }
            FieldKind::Number => d.number_field(&field.text)?,
            FieldKind::Word | FieldKind::SignedWord => match d.word_field(&field.text)? {
                Some(mask) => mask,
                None => continue,
            },
        };
        d.parts.mark(got)?;
    }
    if d.prefix != Prefix::None {
        return Err(BAD);
    }
    if let Some(special) = d.special {
        return Ok(special);
    }
    d.parts.validate_date(d.bc)?;
    d.apply_meridian()?;
    if d.parts.mask & DATE_MASK != DATE_MASK {
        return if d.parts.mask & TIME_MASK == TIME_MASK {
            Ok(Moment::TimeOnly)
        } else {
            Err(BAD)
        };
    }
    let local = d.parts.civil;
    d.resolve_zone(&local)?;
    Ok(Moment::At(d.parts.civil, d.zone_west))
}

impl Decoder<'_> {
    fn take_time_prefix(&mut self) -> ParseResult<()> {
        match std::mem::replace(&mut self.prefix, Prefix::None) {
            Prefix::None | Prefix::IsoTime => Ok(()),
            _ => Err(BAD),
        }
    }

    fn date_field(&mut self, text: &str) -> ParseResult<Mask> {
        if self.prefix == Prefix::Julian {
            // A Julian day with a zone attached.
            self.prefix = Prefix::None;
            let (value, rest) = leading_i32(text)?;
            self.julian_day(value)?;
            self.zone_west = zone::parse_offset(rest)?;
            return Ok(DATE_MASK | TIME_MASK | TZ);
        }
        let has_month_day = self.parts.mask & (MONTH | DAY) == MONTH | DAY;
        if self.prefix == Prefix::None && !has_month_day {
            return self.parts.decode_date(text, self.parts.mask);
        }
        if self.prefix != Prefix::None || text.starts_with(|c: char| c.is_ascii_digit()) {
            self.take_time_prefix()?;
            return self.time_with_zone(text, self.parts.mask);
        }
        self.full_zone_field(text)
    }

    fn number_field(&mut self, text: &str) -> ParseResult<Mask> {
        if self.prefix != Prefix::None {
            return self.labelled_number(text);
        }
        let mask = self.parts.mask;
        match text.find('.') {
            Some(_) if mask & DATE_MASK == 0 => self.parts.decode_date(text, mask),
            Some(point) if point > 2 => self.parts.decode_number_field(text, mask),
            _ if text.len() >= 6 && (mask & DATE_MASK == 0 || mask & TIME_MASK == 0) => {
                self.parts.decode_number_field(text, mask)
            }
            _ => self.parts.decode_number(text, self.parts.text_month, mask),
        }
    }

    /// `None` for a word to skip.
    fn word_field(&mut self, text: &str) -> ParseResult<Option<Mask>> {
        let Some(word) = words::date_word(text) else {
            if let Some(mask) = self.zone_word(text)? {
                return Ok(Some(mask));
            }
            return self.unknown_word(text).map(Some);
        };
        let everything = DATE_MASK | TIME_MASK | TZ;
        Ok(Some(match word {
            DateWord::Ignore => return Ok(None),
            DateWord::Now => {
                (self.parts.civil, self.zone_west) = self.now();
                everything
            }
            DateWord::Today => self.relative_day(0),
            DateWord::Tomorrow => self.relative_day(1),
            DateWord::Yesterday => self.relative_day(-1),
            DateWord::AllBalls => {
                let c = &mut self.parts.civil;
                (c.hour, c.minute, c.second) = (0, 0, 0);
                self.zone_west = 0;
                TIME_MASK | TZ
            }
            DateWord::Epoch => self.special(Moment::Epoch),
            DateWord::Infinity => self.special(Moment::Infinity),
            DateWord::NegInfinity => self.special(Moment::NegInfinity),
            DateWord::Month(month) => self.month_word(month),
            DateWord::Dow => DOW,
            DateWord::IsoTime => {
                if self.parts.mask & DATE_MASK != DATE_MASK {
                    return Err(BAD);
                }
                self.set_prefix(Prefix::IsoTime)?
            }
            other => self.common_word(other)?,
        }))
    }

    fn special(&mut self, moment: Moment) -> Mask {
        self.special = Some(moment);
        DATE_MASK | TIME_MASK | TZ
    }

    fn relative_day(&mut self, days: i64) -> Mask {
        let (now, _) = self.now();
        self.parts.civil.set_days(now.days() + days);
        DATE_MASK
    }

    fn month_word(&mut self, month: i32) -> Mask {
        let p = &mut self.parts;
        let mut got = MONTH;
        // A number before the word was taken for the month: it is the day.
        if p.mask & MONTH != 0 && !p.text_month && p.mask & DAY == 0 && (1..=31).contains(&p.civil.month) {
            p.civil.day = p.civil.month;
            got = DAY;
        }
        p.text_month = true;
        p.civil.month = month;
        got
    }
}

/// Decodes a time of day with its zone (zero west when the type has none).
pub fn decode_time(fields: &[Field], settings: &FormatSettings) -> ParseResult<TimeTz> {
    let mut d = Decoder::new(settings);
    for (i, field) in fields.iter().enumerate() {
        let got = match field.kind {
            FieldKind::Date => d.date_in_time(fields, i)?,
            FieldKind::Time => {
                d.take_time_prefix()?;
                clock_time(&field.text, false)?.store(&mut d.parts.civil)?;
                TIME_MASK
            }
            FieldKind::Zone => {
                d.zone_west = zone::parse_offset(&field.text)?;
                TZ
            }
            FieldKind::Number => d.number_in_time(fields, i)?,
            FieldKind::Word | FieldKind::SignedWord => match d.word_in_time(&field.text)? {
                Some(mask) => mask,
                None => continue,
            },
        };
        d.parts.mark(got)?;
    }
    if d.prefix != Prefix::None {
        return Err(BAD);
    }
    d.parts.validate_date(d.bc)?;
    d.apply_meridian()?;
    if civil::time_overflows(&d.parts.civil) {
        return Err(ParseError::FieldOverflow);
    }
    if d.parts.mask & TIME_MASK != TIME_MASK {
        return Err(BAD);
    }
    d.resolve_time_zone()?;
    Ok(TimeTz {
        micros: civil::time_of(&d.parts.civil),
        zone_west: d.zone_west,
    })
}

impl Decoder<'_> {
    fn date_in_time(&mut self, fields: &[Field], i: usize) -> ParseResult<Mask> {
        let text = &fields[i].text;
        let last_is_date = fields.last().is_some_and(|f| f.kind == FieldKind::Date);
        let time_follows = fields.get(1).is_some_and(|f| f.kind == FieldKind::Time);
        if i == 0 && fields.len() >= 2 && (last_is_date || time_follows) {
            return self.parts.decode_date(text, self.parts.mask);
        }
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            return self.time_with_zone(text, self.parts.mask | DATE_MASK);
        }
        self.full_zone_field(text)
    }

    fn number_in_time(&mut self, fields: &[Field], i: usize) -> ParseResult<Mask> {
        let text = &fields[i].text;
        if self.prefix != Prefix::None {
            return self.labelled_number(text);
        }
        let known = self.parts.mask | DATE_MASK;
        let last_is_date = fields.last().is_some_and(|f| f.kind == FieldKind::Date);
        match text.find('.') {
            Some(_) if i == 0 && fields.len() >= 2 && last_is_date => {
                self.parts.decode_date(text, self.parts.mask)
            }
            Some(point) if point > 2 => self.parts.decode_number_field(text, known),
            Some(_) => Err(BAD),
            None if text.len() > 4 => self.parts.decode_number_field(text, known),
            None => self.parts.decode_number(text, false, known),
        }
    }

    fn word_in_time(&mut self, text: &str) -> ParseResult<Option<Mask>> {
        let Some(word) = words::date_word(text) else {
            if let Some(mask) = self.zone_word(text)? {
                return Ok(Some(mask));
            }
            return self.unknown_word(text).map(Some);
        };
        Ok(Some(match word {
            DateWord::Ignore => return Ok(None),
            DateWord::Now => {
                let (now, _) = self.now();
                let c = &mut self.parts.civil;
                (c.hour, c.minute, c.second, c.micros) = (now.hour, now.minute, now.second, now.micros);
                TIME_MASK
            }
            DateWord::AllBalls => {
                let c = &mut self.parts.civil;
                (c.hour, c.minute, c.second) = (0, 0, 0);
                TIME_MASK | TZ
            }
            DateWord::IsoTime => self.set_prefix(Prefix::IsoTime)?,
            other => self.common_word(other)?,
        }))
    }

    fn resolve_time_zone(&mut self) -> ParseResult<()> {
        let has_date = self.parts.mask & DATE_MASK == DATE_MASK;
        if let Some(zone) = &self.full_zone {
            if self.parts.mask & DTZMOD != 0 {
                return Err(BAD);
            }
            if let Some(west) = zone::fixed_west(zone) {
                self.zone_west = west;
                return Ok(());
            }
            if !has_date {
                return Err(BAD);
            }
        }
        // Without a date, today's offset counts.
        let mut local = self.parts.civil;
        if self.parts.mask & DATE_MASK == 0 {
            let (now, _) = self.now();
            (local.year, local.month, local.day) = (now.year, now.month, now.day);
        } else if !has_date {
            return Err(BAD);
        }
        self.resolve_zone(&local)
    }
}
