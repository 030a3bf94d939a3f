//! Sets of characters, and the named classes.

use super::unicode;
use crate::families::casing;
use crate::framework::session::CharacterRules;

/// A set of characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Class {
    /// Code points below 128, one bit each.
    ascii: u128,
    /// All ranges, ascending, not touching.
    ranges: Vec<(u32, u32)>,
}

/// The greatest code point.
const LAST: u32 = 0x10_ffff;

impl Class {
    /// The set of these ranges.
    pub(crate) fn of(mut ranges: Vec<(u32, u32)>) -> Class {
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (from, to) in ranges {
            match merged.last_mut() {
                Some(last) if from <= last.1.saturating_add(1) => last.1 = last.1.max(to),
                _ => merged.push((from, to)),
            }
        }
        let mut ascii = 0;
        for &(from, to) in &merged {
            for c in from..=to.min(127) {
                ascii |= 1u128 << c;
            }
        }
        Class {
            ascii,
            ranges: merged,
        }
    }

    /// The set of one character.
    pub(crate) fn single(c: char) -> Class {
        Class::of(vec![(u32::from(c), u32::from(c))])
    }

    /// The set of both cases of a character: a third one, of digraphs at the beginning of words, is not among them.
    pub(crate) fn both_cases(c: char, rules: CharacterRules) -> Class {
        let (lower, upper) = match rules {
            CharacterRules::Ascii => (c.to_ascii_lowercase(), c.to_ascii_uppercase()),
            _ => (casing::simple_lower(c), casing::simple_upper(c)),
        };
        Class::of([lower, upper].map(|c| (u32::from(c), u32::from(c))).to_vec())
    }

    /// A class by its name between `[:` and `:]`.
    pub(crate) fn named(name: &str, rules: CharacterRules) -> Option<Class> {
        if rules != CharacterRules::Ascii
            && let Some(ranges) = unicode::named(name, rules)
        {
            return Some(Class::of(ranges));
        }
        named(name)
    }

    /// Everything.
    pub(crate) fn all() -> Class {
        Class::of(vec![(0, LAST)])
    }

    /// All characters that are not in the set.
    pub(crate) fn negated(&self) -> Class {
        let mut out = Vec::new();
        let mut next = 0;
        for &(from, to) in &self.ranges {
            if from > next {
                out.push((next, from - 1));
            }
            next = to.saturating_add(1);
        }
        if next <= LAST {
            out.push((next, LAST));
        }
        Class::of(out)
    }

    /// Both cases of every letter.
    pub(crate) fn with_both_cases(&self, rules: CharacterRules) -> Class {
        let mut ranges = self.ranges.clone();
        if rules != CharacterRules::Ascii {
            ranges.extend(unicode::other_cases(|c| self.contains(c)));
            return Class::of(ranges);
        }
        for c in 'a'..='z' {
            let upper = c.to_ascii_uppercase();
            if self.contains(c) || self.contains(upper) {
                ranges.push((u32::from(c), u32::from(c)));
                ranges.push((u32::from(upper), u32::from(upper)));
            }
        }
        Class::of(ranges)
    }

    /// Without the newline.
    pub(crate) fn without_newline(&self) -> Class {
        let mut outside = self.negated().ranges;
        outside.push((10, 10));
        Class::of(outside).negated()
    }

    /// The ranges.
    pub(crate) fn ranges(&self) -> &[(u32, u32)] {
        &self.ranges
    }

    /// True when the character is in the set.
    #[inline]
    pub(crate) fn contains(&self, c: char) -> bool {
        let code = u32::from(c);
        if code < 128 {
            return self.ascii >> code & 1 == 1;
        }
        self.ranges
            .binary_search_by(|&(from, to)| {
                if to < code {
                    std::cmp::Ordering::Less
                } else if from > code {
                    std::cmp::Ordering::Greater
                } else {
                    std::cmp::Ordering::Equal
                }
            })
            .is_ok()
    }
}

/// A character of a word.
pub(crate) fn is_word(c: char, rules: CharacterRules) -> bool {
    match rules {
        _ if c.is_ascii() => c == '_' || c.is_ascii_alphanumeric(),
        CharacterRules::Ascii => false,
        CharacterRules::Simple => c.is_alphabetic(),
        CharacterRules::Full => c.is_alphabetic() || unicode::is_digit(c),
    }
}

/// A class of locale `C`.
fn named(name: &str) -> Option<Class> {
    let test: fn(&u8) -> bool = match name {
        "alnum" => u8::is_ascii_alphanumeric,
        "alpha" => u8::is_ascii_alphabetic,
        "ascii" => u8::is_ascii,
        "blank" => |b| matches!(b, b' ' | b'\t'),
        // The only one that goes beyond ASCII.
        "cntrl" => return Some(Class::of(vec![(0, 0x1f), (0x7f, 0x9f)])),
        "digit" => u8::is_ascii_digit,
        "graph" => u8::is_ascii_graphic,
        "lower" => u8::is_ascii_lowercase,
        "print" => |b| matches!(b, b' '..=b'~'),
        "punct" => u8::is_ascii_punctuation,
        "space" => |b| matches!(b, b' ' | 9..=13),
        "upper" => u8::is_ascii_uppercase,
        "xdigit" => u8::is_ascii_hexdigit,
        "word" => |b| is_word(char::from(*b), CharacterRules::Ascii),
        _ => return None,
    };
    let members = (0u8..128).filter(test).map(|b| (u32::from(b), u32::from(b)));
    Some(Class::of(members.collect()))
}

/// Names of characters between `[.` and `.]`, by code.
#[rustfmt::skip]
const NAMES: &[(&str, u8)] = &[
    ("NUL", 0), ("SOH", 1), ("STX", 2), ("ETX", 3), ("EOT", 4), ("ENQ", 5), ("ACK", 6), ("BEL", 7), ("alert", 7), ("BS", 8),
    ("backspace", 8), ("HT", 9), ("tab", 9), ("LF", 10), ("newline", 10), ("VT", 11), ("vertical-tab", 11), ("FF", 12),
    ("form-feed", 12), ("CR", 13), ("carriage-return", 13), ("SO", 14), ("SI", 15), ("DLE", 16), ("DC1", 17), ("DC2", 18),
    ("DC3", 19), ("DC4", 20), ("NAK", 21), ("SYN", 22), ("ETB", 23), ("CAN", 24), ("EM", 25), ("SUB", 26), ("ESC", 27),
    ("IS4", 28), ("FS", 28), ("IS3", 29), ("GS", 29), ("IS2", 30), ("RS", 30), ("IS1", 31), ("US", 31), ("space", b' '),
    ("exclamation-mark", b'!'), ("quotation-mark", b'"'), ("number-sign", b'#'), ("dollar-sign", b'$'),
    ("percent-sign", b'%'), ("ampersand", b'&'), ("apostrophe", b'\''), ("left-parenthesis", b'('),
    ("right-parenthesis", b')'), ("asterisk", b'*'), ("plus-sign", b'+'), ("comma", b','), ("hyphen", b'-'),
    ("hyphen-minus", b'-'), ("period", b'.'), ("full-stop", b'.'), ("slash", b'/'), ("solidus", b'/'), ("zero", b'0'),
    ("one", b'1'), ("two", b'2'), ("three", b'3'), ("four", b'4'), ("five", b'5'), ("six", b'6'), ("seven", b'7'),
    ("eight", b'8'), ("nine", b'9'), ("colon", b':'), ("semicolon", b';'), ("less-than-sign", b'<'), ("equals-sign", b'='),
    ("greater-than-sign", b'>'), ("question-mark", b'?'), ("commercial-at", b'@'), ("left-square-bracket", b'['),
    ("backslash", b'\\'), ("reverse-solidus", b'\\'), ("right-square-bracket", b']'), ("circumflex", b'^'),
    ("circumflex-accent", b'^'), ("underscore", b'_'), ("low-line", b'_'), ("grave-accent", b'`'), ("left-brace", b'{'),
    ("left-curly-bracket", b'{'), ("vertical-line", b'|'), ("right-brace", b'}'), ("right-curly-bracket", b'}'),
    ("tilde", b'~'), ("DEL", 127),
];

/// A collating element: a character, or the name of one.
pub(crate) fn element(name: &str) -> Option<char> {
    let mut chars = name.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) => Some(c),
        _ => NAMES
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, b)| char::from(*b)),
    }
}
