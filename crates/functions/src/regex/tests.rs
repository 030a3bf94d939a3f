//! First matches and their groups against those that PostgreSQL found (`tests/data/regex.tsv`, made by `record_regex.py`).
#![allow(clippy::unwrap_used, clippy::expect_used)]

use common::cancel::CancelToken;
use types::io::{self, IoContext};
use types::{ArrayValue, Datum, FormatSettings, oids};

use super::{Flags, Regex};

fn unescape(cell: &str) -> String {
    let mut out = String::new();
    let mut chars = cell.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some(other) => out.push(other),
                None => {}
            },
            c => out.push(c),
        }
    }
    out
}

fn answer(pattern: &str, flags: &str, text: &str) -> String {
    let cancel = CancelToken::default();
    let found = Flags::parse(flags)
        .and_then(|flags| Regex::new(pattern, flags))
        .and_then(|regex| Ok((regex.groups(), regex.find_at(&cancel, text, 0)?)));
    let (groups, spans) = match found {
        Err(e) => return format!("!{} {}", e.sqlstate, e.message),
        Ok((_, None)) => return "0 0 -".to_owned(),
        Ok((groups, Some(spans))) => (groups, spans),
    };
    let (start, end) = spans[0].unwrap();
    let place = |at: usize| text[..at].chars().count() + 1;
    let group = |k: usize| spans[k].map_or(Datum::Null, |(a, b)| Datum::text(&text[a..b]));
    let from = usize::from(groups > 0);
    let array = ArrayValue::from_elements(oids::TEXT, (from..=groups).map(group).collect());
    let settings = FormatSettings::default();
    let array = Datum::Array(std::sync::Arc::new(array));
    let shown = io::to_text(oids::TEXT_ARRAY, &array, &IoContext::new(&settings)).unwrap();
    format!("{} {} {shown}", place(start), place(end))
}

#[test]
fn first_matches_are_postgres_ones() {
    let mut wrong = Vec::new();
    for line in include_str!("../../tests/data/regex.tsv").lines() {
        let cells: Vec<String> = line.split('\t').map(unescape).collect();
        let [pattern, flags, text, expected] = &cells[..] else {
            panic!("line {line:?}");
        };
        let got = answer(pattern, flags, text);
        if got != *expected {
            wrong.push(format!(
                "{pattern:?} {flags:?} on {text:?}: {got}, PostgreSQL {expected}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn hostile_expressions_end() {
    let text = "a".repeat(2_000);
    for pattern in ["(a*)*b", "(a|aa)+$", "(a+)+b", "((a*)*)*c", "(x+x+)+y"] {
        let regex = Regex::new(pattern, Flags::default()).unwrap();
        regex.find_at(&CancelToken::default(), &text, 0).unwrap();
    }
    let deep = "(".repeat(100_000);
    assert!(Regex::new(&deep, Flags::default()).is_err());
    let wide = "((a{255}){255}){255}";
    assert!(Regex::new(wide, Flags::default()).is_err() || cfg!(debug_assertions));
}

/// Long texts are searched in pieces: matches across their ends, and anchors, are where they are in the whole.
#[test]
fn pieces_of_a_long_text_match_as_the_whole() {
    let go = CancelToken::new();
    let piece = common::pieces::PIECE_BYTES;
    let mut text = "ß-".repeat(piece);
    text.truncate(2 * piece + 1);
    text.push_str("abc\nxyz");
    let across = "ß-".repeat(piece / 3 - 1) + "-abc" + &"ß-".repeat(piece);
    for (text, pattern, start) in [
        (&text, "abc", Some(text.len() - 7)),
        (&text, "x.z$", Some(text.len() - 3)),
        (&text, "(?n)c$", Some(text.len() - 5)),
        (&text, "-$", None),
        (&text, "^ß", Some(0)),
        (&text, "^-", None),
        (&text, "a.{1,9}z", Some(text.len() - 7)),
        (&text, "a.*z", Some(text.len() - 7)),
        (&across, "-abc", Some(piece - 4)),
        (&across, "abcß", Some(piece - 3)),
    ] {
        let regex = Regex::new(pattern, Flags::default()).unwrap();
        let found = regex.find_at(&go, text, 0).unwrap();
        assert_eq!(found.and_then(|s| s[0]).map(|s| s.0), start, "{pattern}");
        assert_eq!(regex.is_match(&go, text).unwrap(), start.is_some(), "{pattern}");
    }
    let stop = CancelToken::new();
    stop.cancel(common::cancel::CancelReason::User);
    let regex = Regex::new("[0-9]x", Flags::default()).unwrap();
    assert!(regex.is_match(&stop, &text).is_err());
}
