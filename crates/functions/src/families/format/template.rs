//! The template language of `to_char` and `to_timestamp` for dates: keywords, modifiers, literals.

use common::cancel::CancelToken;

/// Letter case of a textual field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    Upper,
    Title,
    Lower,
}

/// What a keyword stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    Era(Case),
    EraDots(Case),
    Meridian(Case),
    MeridianDots(Case),
    Month(Case),
    Mon(Case),
    DayName(Case),
    Dy(Case),
    Roman(Case),
    Zone(Case),
    Century,
    DayOfYear,
    Day,
    DayOfWeek,
    Fraction(u8),
    Exact,
    Hour24,
    Hour12,
    IsoDayOfYear,
    IsoDay,
    IsoWeek,
    IsoYear(u8),
    Julian,
    Minute,
    MonthNumber,
    Millisecond,
    Offset,
    Quarter,
    SecondsOfDay,
    Second,
    ZoneHour,
    ZoneMinute,
    Microsecond,
    Week,
    WeekOfMonth,
    YearComma,
    Year(u8),
}

/// The calendar that a keyword belongs to; a template must not mix them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Calendar {
    None,
    Gregorian,
    IsoWeek,
}

/// A keyword.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keyword {
    pub(crate) name: &'static str,
    pub(crate) pattern: Pattern,
    /// Its text starts with a digit, so that the number before it must not run on.
    pub(crate) is_digit: bool,
    pub(crate) calendar: Calendar,
}

/// A keyword with its modifiers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) keyword: &'static Keyword,
    /// `FM`: no padding.
    pub(crate) fill: bool,
    /// `TM`: the locale's names.
    pub(crate) translated: bool,
    /// `TH` (upper) or `th`.
    pub(crate) ordinal: Option<Case>,
}

/// A piece of a template.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Node {
    Field(Field),
    /// Any other character.
    Char(char),
    /// Punctuation.
    Separator(char),
    /// White space.
    Space(char),
}

/// A parsed template.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pub(crate) source: String,
    pub(crate) nodes: Vec<Node>,
}

/// True for characters that count as separators.
pub(crate) fn is_separator(c: char) -> bool {
    c > ' ' && c < '\u{7f}' && !c.is_ascii_alphanumeric()
}

/// True for C's white space.
pub(crate) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r')
}

fn keyword(rest: &str) -> Option<&'static Keyword> {
    // Longest names come first.
    KEYWORDS.iter().find(|k| rest.starts_with(k.name))
}

impl Template {
    /// Parses a template; anything is one.
    pub(crate) fn parse(source: &str, cancel: &CancelToken) -> Template {
        let mut nodes = Vec::new();
        let mut rest = source;
        while let Some(c) = rest.chars().next().filter(|_| !cancel.is_cancelled()) {
            let (mut fill, mut translated) = (false, false);
            match rest.get(..2) {
                Some("FM" | "fm") => fill = true,
                Some("TM" | "tm") => translated = true,
                _ => {}
            }
            if fill || translated {
                rest = &rest[2..];
            }
            if let Some(k) = keyword(rest) {
                rest = &rest[k.name.len()..];
                let ordinal = match rest.get(..2) {
                    Some("TH") => Some(Case::Upper),
                    Some("th") => Some(Case::Lower),
                    _ => None,
                };
                // `SP` (spelled) is known and does nothing.
                if ordinal.is_some() || rest.starts_with("SP") {
                    rest = &rest[2..];
                }
                nodes.push(Node::Field(Field {
                    keyword: k,
                    fill,
                    translated,
                    ordinal,
                }));
            } else if fill || translated {
                // A modifier without its keyword vanishes.
                if let Some(c) = rest.chars().next() {
                    rest = literal(rest, c, &mut nodes);
                }
            } else {
                rest = literal(rest, c, &mut nodes);
            }
        }
        Template {
            source: source.to_owned(),
            nodes,
        }
    }
}

/// Takes literal text off the front: a quoted string or one character.
fn literal<'a>(rest: &'a str, first: char, nodes: &mut Vec<Node>) -> &'a str {
    if first == '"' {
        let mut chars = rest[1..].chars();
        while let Some(mut c) = chars.next() {
            if c == '"' {
                break;
            }
            if c == '\\' {
                c = chars.next().unwrap_or(c);
            }
            nodes.push(Node::Char(c));
        }
        return chars.as_str();
    }
    let (mut c, mut rest) = (first, rest);
    // Outside quotes a backslash matters only before a quote.
    if rest.starts_with("\\\"") {
        rest = &rest[1..];
        c = '"';
    }
    nodes.push(match c {
        c if is_separator(c) => Node::Separator(c),
        c if is_space(c) => Node::Space(c),
        c => Node::Char(c),
    });
    &rest[c.len_utf8()..]
}

const fn k(name: &'static str, pattern: Pattern, is_digit: bool, calendar: Calendar) -> Keyword {
    Keyword {
        name,
        pattern,
        is_digit,
        calendar,
    }
}

/// All keywords, longest first.
#[rustfmt::skip]
static KEYWORDS: &[Keyword] = &[
    k("MONTH", Pattern::Month(Case::Upper), false, Calendar::Gregorian),
    k("Month", Pattern::Month(Case::Title), false, Calendar::Gregorian),
    k("SSSSS", Pattern::SecondsOfDay, true, Calendar::None),
    k("Y,YYY", Pattern::YearComma, true, Calendar::Gregorian),
    k("month", Pattern::Month(Case::Lower), false, Calendar::Gregorian),
    k("sssss", Pattern::SecondsOfDay, true, Calendar::None),
    k("y,yyy", Pattern::YearComma, true, Calendar::Gregorian),
    k("A.D.", Pattern::EraDots(Case::Upper), false, Calendar::None),
    k("A.M.", Pattern::MeridianDots(Case::Upper), false, Calendar::None),
    k("B.C.", Pattern::EraDots(Case::Upper), false, Calendar::None),
    k("HH12", Pattern::Hour12, true, Calendar::None),
    k("HH24", Pattern::Hour24, true, Calendar::None),
    k("IDDD", Pattern::IsoDayOfYear, true, Calendar::IsoWeek),
    k("IYYY", Pattern::IsoYear(4), true, Calendar::IsoWeek),
    k("P.M.", Pattern::MeridianDots(Case::Upper), false, Calendar::None),
    k("SSSS", Pattern::SecondsOfDay, true, Calendar::None),
    k("YYYY", Pattern::Year(4), true, Calendar::Gregorian),
    k("a.d.", Pattern::EraDots(Case::Lower), false, Calendar::None),
    k("a.m.", Pattern::MeridianDots(Case::Lower), false, Calendar::None),
    k("b.c.", Pattern::EraDots(Case::Lower), false, Calendar::None),
    k("hh12", Pattern::Hour12, true, Calendar::None),
    k("hh24", Pattern::Hour24, true, Calendar::None),
    k("iddd", Pattern::IsoDayOfYear, true, Calendar::IsoWeek),
    k("iyyy", Pattern::IsoYear(4), true, Calendar::IsoWeek),
    k("p.m.", Pattern::MeridianDots(Case::Lower), false, Calendar::None),
    k("ssss", Pattern::SecondsOfDay, true, Calendar::None),
    k("yyyy", Pattern::Year(4), true, Calendar::Gregorian),
    k("DAY", Pattern::DayName(Case::Upper), false, Calendar::None),
    k("DDD", Pattern::DayOfYear, true, Calendar::Gregorian),
    k("Day", Pattern::DayName(Case::Title), false, Calendar::None),
    k("FF1", Pattern::Fraction(1), true, Calendar::None),
    k("FF2", Pattern::Fraction(2), true, Calendar::None),
    k("FF3", Pattern::Fraction(3), true, Calendar::None),
    k("FF4", Pattern::Fraction(4), true, Calendar::None),
    k("FF5", Pattern::Fraction(5), true, Calendar::None),
    k("FF6", Pattern::Fraction(6), true, Calendar::None),
    k("IYY", Pattern::IsoYear(3), true, Calendar::IsoWeek),
    k("MON", Pattern::Mon(Case::Upper), false, Calendar::Gregorian),
    k("Mon", Pattern::Mon(Case::Title), false, Calendar::Gregorian),
    k("TZH", Pattern::ZoneHour, false, Calendar::None),
    k("TZM", Pattern::ZoneMinute, true, Calendar::None),
    k("YYY", Pattern::Year(3), true, Calendar::Gregorian),
    k("day", Pattern::DayName(Case::Lower), false, Calendar::None),
    k("ddd", Pattern::DayOfYear, true, Calendar::Gregorian),
    k("ff1", Pattern::Fraction(1), true, Calendar::None),
    k("ff2", Pattern::Fraction(2), true, Calendar::None),
    k("ff3", Pattern::Fraction(3), true, Calendar::None),
    k("ff4", Pattern::Fraction(4), true, Calendar::None),
    k("ff5", Pattern::Fraction(5), true, Calendar::None),
    k("ff6", Pattern::Fraction(6), true, Calendar::None),
    k("iyy", Pattern::IsoYear(3), true, Calendar::IsoWeek),
    k("mon", Pattern::Mon(Case::Lower), false, Calendar::Gregorian),
    k("tzh", Pattern::ZoneHour, false, Calendar::None),
    k("tzm", Pattern::ZoneMinute, true, Calendar::None),
    k("yyy", Pattern::Year(3), true, Calendar::Gregorian),
    k("AD", Pattern::Era(Case::Upper), false, Calendar::None),
    k("AM", Pattern::Meridian(Case::Upper), false, Calendar::None),
    k("BC", Pattern::Era(Case::Upper), false, Calendar::None),
    k("CC", Pattern::Century, true, Calendar::None),
    k("DD", Pattern::Day, true, Calendar::Gregorian),
    k("DY", Pattern::Dy(Case::Upper), false, Calendar::None),
    k("Dy", Pattern::Dy(Case::Title), false, Calendar::None),
    k("FX", Pattern::Exact, false, Calendar::None),
    k("HH", Pattern::Hour12, true, Calendar::None),
    k("ID", Pattern::IsoDay, true, Calendar::IsoWeek),
    k("IW", Pattern::IsoWeek, true, Calendar::IsoWeek),
    k("IY", Pattern::IsoYear(2), true, Calendar::IsoWeek),
    k("MI", Pattern::Minute, true, Calendar::None),
    k("MM", Pattern::MonthNumber, true, Calendar::Gregorian),
    k("MS", Pattern::Millisecond, true, Calendar::None),
    k("OF", Pattern::Offset, false, Calendar::None),
    k("PM", Pattern::Meridian(Case::Upper), false, Calendar::None),
    k("RM", Pattern::Roman(Case::Upper), false, Calendar::Gregorian),
    k("SS", Pattern::Second, true, Calendar::None),
    k("TZ", Pattern::Zone(Case::Upper), false, Calendar::None),
    k("US", Pattern::Microsecond, true, Calendar::None),
    k("WW", Pattern::Week, true, Calendar::Gregorian),
    k("YY", Pattern::Year(2), true, Calendar::Gregorian),
    k("ad", Pattern::Era(Case::Lower), false, Calendar::None),
    k("am", Pattern::Meridian(Case::Lower), false, Calendar::None),
    k("bc", Pattern::Era(Case::Lower), false, Calendar::None),
    k("cc", Pattern::Century, true, Calendar::None),
    k("dd", Pattern::Day, true, Calendar::Gregorian),
    k("dy", Pattern::Dy(Case::Lower), false, Calendar::None),
    k("fx", Pattern::Exact, false, Calendar::None),
    k("hh", Pattern::Hour12, true, Calendar::None),
    k("id", Pattern::IsoDay, true, Calendar::IsoWeek),
    k("iw", Pattern::IsoWeek, true, Calendar::IsoWeek),
    k("iy", Pattern::IsoYear(2), true, Calendar::IsoWeek),
    k("mi", Pattern::Minute, true, Calendar::None),
    k("mm", Pattern::MonthNumber, true, Calendar::Gregorian),
    k("ms", Pattern::Millisecond, true, Calendar::None),
    k("of", Pattern::Offset, false, Calendar::None),
    k("pm", Pattern::Meridian(Case::Lower), false, Calendar::None),
    k("rm", Pattern::Roman(Case::Lower), false, Calendar::Gregorian),
    k("ss", Pattern::Second, true, Calendar::None),
    k("tz", Pattern::Zone(Case::Lower), false, Calendar::None),
    k("us", Pattern::Microsecond, true, Calendar::None),
    k("ww", Pattern::Week, true, Calendar::Gregorian),
    k("yy", Pattern::Year(2), true, Calendar::Gregorian),
    k("D", Pattern::DayOfWeek, true, Calendar::Gregorian),
    k("I", Pattern::IsoYear(1), true, Calendar::IsoWeek),
    k("J", Pattern::Julian, true, Calendar::None),
    k("Q", Pattern::Quarter, true, Calendar::None),
    k("W", Pattern::WeekOfMonth, true, Calendar::Gregorian),
    k("Y", Pattern::Year(1), true, Calendar::Gregorian),
    k("d", Pattern::DayOfWeek, true, Calendar::Gregorian),
    k("i", Pattern::IsoYear(1), true, Calendar::IsoWeek),
    k("j", Pattern::Julian, true, Calendar::None),
    k("q", Pattern::Quarter, true, Calendar::None),
    k("w", Pattern::WeekOfMonth, true, Calendar::Gregorian),
    k("y", Pattern::Year(1), true, Calendar::Gregorian),
];
