//! Functions that take strings apart and put them together.

use std::borrow::Cow;
use std::collections::HashMap;

use common::cancel::CancelToken;
use common::pieces::PIECE_BYTES;
use common::{PgError, PgResult, pg_err};
use types::io_text::char_offset;

use crate::families::quote::{STRING_BYTES_MAX, string_too_long};
use crate::families::{bytea, casing};
use crate::framework::context::FnContext;
use crate::framework::macros::builtins;
use crate::framework::pieces;
use crate::framework::session::CharacterRules;

/// Longest value PostgreSQL makes (a gigabyte less header).
pub(crate) const SIZE_MAX: usize = 0x3fff_ffff - 4;

#[cold]
pub(crate) fn too_large() -> Box<PgError> {
    pg_err!(PROGRAM_LIMIT_EXCEEDED, "requested length too large")
}

fn textcat(ctx: &mut FnContext<'_>, a: &str, b: &str) -> PgResult<String> {
    if a.len() + b.len() > SIZE_MAX {
        return Err(pg_err!(
            PROGRAM_LIMIT_EXCEEDED,
            "invalid memory alloc request size {}",
            a.len() + b.len() + 4
        ));
    }
    pieces::concat(ctx.cancel, &[a, b])
}

fn char_count(ctx: &mut FnContext<'_>, s: &str) -> PgResult<i32> {
    if s.len() <= pieces::PIECE_BYTES {
        return Ok(s.chars().count() as i32);
    }
    let mut count = 0;
    // Characters are counted by their first bytes.
    let first = |b: &&u8| **b & 0xC0 != 0x80;
    pieces::bytes(ctx.cancel, s.as_bytes(), |piece| {
        count += piece.iter().filter(first).count()
    })?;
    Ok(count as i32)
}
fn bpcharlen(ctx: &mut FnContext<'_>, s: &str) -> PgResult<i32> {
    char_count(ctx, s.trim_end_matches(' '))
}
fn octet_count(s: &str) -> i32 {
    s.len() as i32
}
fn bit_length(s: &str) -> i32 {
    s.len() as i32 * 8
}

/// Lower case by the rules of the call's collation.
pub(crate) fn lower(ctx: &mut FnContext<'_>, s: &str) -> PgResult<String> {
    let rules = casing::rules(ctx)?;
    pieces::words(ctx.cancel, s, |s| match rules {
        CharacterRules::Ascii => s.to_ascii_lowercase(),
        CharacterRules::Simple => s.chars().map(casing::simple_lower).collect(),
        CharacterRules::Full => casing::full_lower(s),
    })
}
fn upper(ctx: &mut FnContext<'_>, s: &str) -> PgResult<String> {
    let rules = casing::rules(ctx)?;
    pieces::words(ctx.cancel, s, |s| match rules {
        CharacterRules::Ascii => s.to_ascii_uppercase(),
        CharacterRules::Simple => s.chars().map(casing::simple_upper).collect(),
        CharacterRules::Full => casing::full_upper(s),
    })
}
fn casefold(ctx: &mut FnContext<'_>, s: &str) -> PgResult<String> {
    let rules = casing::rules(ctx)?;
    pieces::words(ctx.cancel, s, |s| match rules {
        CharacterRules::Ascii => s.to_ascii_lowercase(),
        CharacterRules::Simple => s.chars().map(casing::fold).collect(),
        CharacterRules::Full => casing::full_fold(s),
    })
}
fn initcap(ctx: &mut FnContext<'_>, s: &str) -> PgResult<String> {
    let rules = casing::rules(ctx)?;
    pieces::words(ctx.cancel, s, |s| casing::initcap(rules, s))
}

#[cold]
fn negative_length() -> Box<PgError> {
    pg_err!(SUBSTRING_ERROR, "negative substring length not allowed")
}

/// Characters `from..to` (0-based, clamped).
fn char_range(s: &str, from: usize, to: usize) -> &str {
    if from >= to {
        return "";
    }
    let start = if from == 0 {
        0
    } else {
        char_offset(s, from).unwrap_or(s.len())
    };
    let rest = &s[start..];
    &rest[..char_offset(rest, to - from).unwrap_or(rest.len())]
}

fn text_substr(s: &str, start: i32, length: i32) -> PgResult<&str> {
    if length < 0 {
        return Err(negative_length());
    }
    let end = i64::from(start) + i64::from(length) - 1;
    let from = i64::from(start.max(1)) - 1;
    Ok(char_range(s, from as usize, end.max(0) as usize))
}
fn text_substr_no_len(s: &str, start: i32) -> &str {
    char_range(s, (start.max(1) - 1) as usize, usize::MAX)
}

fn overlay(ctx: &mut FnContext<'_>, s: &str, new: &str, start: i32, length: i32) -> PgResult<String> {
    if start <= 0 {
        return Err(negative_length());
    }
    let after = start
        .checked_add(length)
        .ok_or_else(|| pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range"))?;
    let head = text_substr(s, 1, start - 1)?;
    pieces::concat(ctx.cancel, &[head, new, text_substr_no_len(s, after)])
}
fn overlay_no_len(ctx: &mut FnContext<'_>, s: &str, new: &str, start: i32) -> PgResult<String> {
    let count = char_count(ctx, new)?;
    overlay(ctx, s, new, start, count)
}

fn textpos(ctx: &mut FnContext<'_>, s: &str, part: &str) -> PgResult<i32> {
    match Finds::new(ctx.cancel, s, part).first()? {
        Some(at) => Ok(char_count(ctx, &s[..at])? + 1),
        None => Ok(0),
    }
}
fn text_starts_with(s: &str, prefix: &str) -> bool {
    s.starts_with(prefix)
}

/// Bytes and finds between two looks at the cancel flag.
const TRIMMED_UNCHECKED: usize = 1 << 20;
const FINDS_UNCHECKED: usize = 1 << 14;

fn btrim<'a>(ctx: &mut FnContext<'_>, s: &'a str, set: &str) -> PgResult<&'a str> {
    let rest = ltrim(ctx, s, set)?;
    rtrim(ctx, rest, set)
}
fn ltrim<'a>(ctx: &mut FnContext<'_>, s: &'a str, set: &str) -> PgResult<&'a str> {
    let mut rest = s;
    loop {
        ctx.cancel.check()?;
        let (piece, _) = rest.split_at(pieces::boundary(rest, TRIMMED_UNCHECKED.min(rest.len())));
        let kept = piece.trim_start_matches(|c| set.contains(c));
        rest = &rest[piece.len() - kept.len()..];
        if !kept.is_empty() || rest.is_empty() {
            return Ok(rest);
        }
    }
}
fn rtrim<'a>(ctx: &mut FnContext<'_>, s: &'a str, set: &str) -> PgResult<&'a str> {
    let mut rest = s;
    loop {
        ctx.cancel.check()?;
        let start = pieces::boundary(rest, rest.len().saturating_sub(TRIMMED_UNCHECKED));
        let kept = rest[start..].trim_end_matches(|c| set.contains(c));
        rest = &rest[..start + kept.len()];
        if !kept.is_empty() || rest.is_empty() {
            return Ok(rest);
        }
    }
}
fn btrim1(s: &str) -> &str {
    s.trim_matches(' ')
}
fn ltrim1(s: &str) -> &str {
    s.trim_start_matches(' ')
}
fn rtrim1(s: &str) -> &str {
    s.trim_end_matches(' ')
}

/// The characters that fill up to `missing`.
fn filling(ctx: &FnContext<'_>, fill: &str, missing: usize) -> PgResult<String> {
    if missing.saturating_mul(4) > SIZE_MAX {
        return Err(too_large());
    }
    let chars = fill.chars().count();
    let last = char_range(fill, 0, missing % chars);
    pieces::cycled(ctx.cancel, fill, missing / chars * fill.len() + last.len())
}

fn pad<'a>(ctx: &FnContext<'_>, s: &'a str, length: i32, fill: &str) -> PgResult<Result<String, &'a str>> {
    let want = length.max(0) as usize;
    let have = s.chars().count();
    if have >= want {
        return Ok(Err(char_range(s, 0, want)));
    }
    if fill.is_empty() {
        return Ok(Err(s));
    }
    filling(ctx, fill, want - have).map(Ok)
}
fn lpad<'a>(ctx: &mut FnContext<'_>, s: &'a str, length: i32, fill: &str) -> PgResult<Cow<'a, str>> {
    Ok(match pad(ctx, s, length, fill)? {
        Ok(filling) => Cow::Owned(pieces::concat(ctx.cancel, &[&filling, s])?),
        Err(cut) => Cow::Borrowed(cut),
    })
}
fn rpad<'a>(ctx: &mut FnContext<'_>, s: &'a str, length: i32, fill: &str) -> PgResult<Cow<'a, str>> {
    Ok(match pad(ctx, s, length, fill)? {
        Ok(filling) => Cow::Owned(pieces::concat(ctx.cancel, &[s, &filling])?),
        Err(cut) => Cow::Borrowed(cut),
    })
}
fn lpad_blank<'a>(ctx: &mut FnContext<'_>, s: &'a str, length: i32) -> PgResult<Cow<'a, str>> {
    lpad(ctx, s, length, " ")
}
fn rpad_blank<'a>(ctx: &mut FnContext<'_>, s: &'a str, length: i32) -> PgResult<Cow<'a, str>> {
    rpad(ctx, s, length, " ")
}

fn repeat(ctx: &mut FnContext<'_>, s: &str, count: i32) -> PgResult<String> {
    let count = count.max(0) as usize;
    if s.len().saturating_mul(count) > SIZE_MAX {
        return Err(too_large());
    }
    pieces::cycled(ctx.cancel, s, s.len() * count)
}

fn replace<'a>(ctx: &mut FnContext<'_>, s: &'a str, from: &str, to: &str) -> PgResult<Cow<'a, str>> {
    let mut found = Finds::new(ctx.cancel, s, from);
    let Some(first) = found.next()? else {
        return Ok(Cow::Borrowed(s));
    };
    let mut out = String::with_capacity(s.len());
    let mut push = |piece: &str| match out.len() + piece.len() < STRING_BYTES_MAX {
        true => pieces::append(ctx.cancel, piece, &mut out),
        false => Err(string_too_long(out.len(), piece.len())),
    };
    let (mut at, mut next) = (0, Some(first));
    while let Some(start) = next {
        push(&s[at..start])?;
        push(to)?;
        at = start + from.len();
        next = found.next()?;
    }
    push(&s[at..])?;
    Ok(Cow::Owned(out))
}

/// Where a text has another one, from left to right, without overlaps. The empty text is nowhere.
struct Finds<'a> {
    cancel: &'a CancelToken,
    s: &'a str,
    part: &'a [u8],
    /// What looks for it, unless it is so long that making that takes too long.
    finder: Option<memchr::memmem::Finder<'a>>,
    at: usize,
    number: usize,
}

impl<'a> Finds<'a> {
    fn new(cancel: &'a CancelToken, s: &'a str, part: &'a str) -> Finds<'a> {
        Finds {
            cancel,
            s,
            part: part.as_bytes(),
            finder: (part.len() <= PIECE_BYTES).then(|| memchr::memmem::Finder::new(part)),
            at: 0,
            number: 0,
        }
    }

    fn next(&mut self) -> PgResult<Option<usize>> {
        let len = self.part.len();
        if self.number % FINDS_UNCHECKED == 0 {
            self.cancel.check()?;
        }
        self.number += 1;
        let found = match len {
            0 => None,
            _ => self.find()?,
        };
        let start = found.map(|n| self.at + n);
        self.at = start.map_or(self.s.len(), |start| start + len);
        Ok(start)
    }
}

impl Finds<'_> {
    /// How far on the next one is.
    fn find(&self) -> PgResult<Option<usize>> {
        let rest = &self.s.as_bytes()[self.at..];
        let Some(finder) = &self.finder else {
            return find_long(self.cancel, rest, self.part);
        };
        Ok(finder.find(rest))
    }

    /// Where it is first; the empty text is at the beginning.
    fn first(mut self) -> PgResult<Option<usize>> {
        match self.part.is_empty() {
            true => Ok(Some(0)),
            false => self.next(),
        }
    }
}

/// Where a text has a very long one: place by place, until somebody has waited for it long enough.
pub(crate) fn find_long(cancel: &CancelToken, all: &[u8], part: &[u8]) -> PgResult<Option<usize>> {
    let mut at = 0_usize;
    while let Some(end) = at.checked_add(part.len()).filter(|end| *end <= all.len()) {
        let same = pieces::common_length(cancel, &all[at..end], part)?;
        if same == part.len() {
            return Ok(Some(at));
        }
        at += 1;
        let starts = all.len() - part.len() + 1;
        match memchr::memchr(part[0], all.get(at..starts).unwrap_or(&[])) {
            Some(skip) => at += skip,
            None => return Ok(None),
        }
    }
    Ok(None)
}

/// So many characters are compared with, one after the other.
const SEARCHED_CHARS: usize = 64;

fn translate(ctx: &mut FnContext<'_>, s: &str, from: &str, to: &str) -> PgResult<String> {
    let from: Vec<char> = from.chars().collect();
    let to: Vec<char> = to.chars().collect();
    // Of many characters the place is looked up: the first one counts.
    let places: HashMap<char, usize> = match from.len() > SEARCHED_CHARS {
        true => from.iter().enumerate().rev().map(|(at, c)| (*c, at)).collect(),
        false => HashMap::new(),
    };
    let place = |c: char| match places.is_empty() {
        true => from.iter().position(|f| *f == c),
        false => places.get(&c).copied(),
    };
    let other = |c| match place(c) {
        Some(at) => to.get(at).copied(),
        None => Some(c),
    };
    pieces::text(ctx.cancel, s, |s| s.chars().filter_map(other).collect())
}

fn reverse(ctx: &mut FnContext<'_>, s: &str) -> PgResult<String> {
    pieces::reversed(ctx.cancel, s)
}

/// `n` characters, or all but the last `-n`.
fn left(s: &str, n: i32) -> &str {
    if n >= 0 {
        return char_range(s, 0, n as usize);
    }
    from_end(s, n.unsigned_abs() as usize).map_or("", |at| &s[..at])
}

/// Where the last `n` characters begin, if there are so many; `n` is not 0.
fn from_end(s: &str, n: usize) -> Option<usize> {
    s.char_indices().rev().nth(n - 1).map(|(at, _)| at)
}

/// The last `n` characters, or all but the first `-n`.
fn right(s: &str, n: i32) -> &str {
    if n == i32::MIN {
        // PostgreSQL negates it, which does not change it.
        return s;
    }
    match n {
        0 => "",
        1.. => from_end(s, n as usize).map_or(s, |at| &s[at..]),
        _ => char_range(s, n.unsigned_abs() as usize, usize::MAX),
    }
}

fn split_part<'a>(ctx: &mut FnContext<'_>, s: &'a str, delimiter: &str, n: i32) -> PgResult<&'a str> {
    if n == 0 {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "field position must not be zero"
        ));
    }
    if s.is_empty() {
        return Ok("");
    }
    if delimiter.is_empty() {
        return Ok(if n == 1 || n == -1 { s } else { "" });
    }
    if n < 0 {
        return field_from_end(ctx, s, delimiter, n.unsigned_abs() as usize - 1);
    }
    let mut found = Finds::new(ctx.cancel, s, delimiter);
    let mut start = 0;
    for _ in 1..n {
        match found.next()? {
            Some(at) => start = at + delimiter.len(),
            None => return Ok(""),
        }
    }
    Ok(&s[start..found.next()?.unwrap_or(s.len())])
}

/// Field `k` counted from the last, which is 0.
fn field_from_end<'a>(ctx: &FnContext<'_>, s: &'a str, delimiter: &str, k: usize) -> PgResult<&'a str> {
    for (at, field) in s.rsplit(delimiter).enumerate() {
        if at % FINDS_UNCHECKED == 0 {
            ctx.cancel.check()?;
        }
        if at == k {
            return Ok(field);
        }
    }
    Ok("")
}

fn ascii(s: &str) -> i32 {
    s.chars().next().map_or(0, |c| c as i32)
}

fn chr(code: i32) -> PgResult<String> {
    if code < 0 {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "character number must be positive"
        ));
    }
    if code == 0 {
        return Err(pg_err!(PROGRAM_LIMIT_EXCEEDED, "null character not permitted"));
    }
    if code > 0x0010_ffff {
        return Err(pg_err!(
            PROGRAM_LIMIT_EXCEEDED,
            "requested character too large for encoding: {code}"
        ));
    }
    match char::from_u32(code as u32) {
        Some(c) => Ok(c.to_string()),
        None => Err(pg_err!(
            PROGRAM_LIMIT_EXCEEDED,
            "requested character not valid for encoding: {code}"
        )),
    }
}

fn md5_text(ctx: &mut FnContext<'_>, s: &str) -> PgResult<String> {
    bytea::md5_bytea(ctx, s.as_bytes())
}

/// Escapes of `unistr`: `\XXXX`, `\+XXXXXX`, `\uXXXX`, `\UXXXXXXXX`, `\\`.
fn unistr(ctx: &mut FnContext<'_>, s: &str) -> PgResult<String> {
    let mut out = String::with_capacity(s.len());
    let mut rest = s;
    let mut high: Option<u32> = None;
    let bad_pair = || pg_err!(SYNTAX_ERROR, "invalid Unicode surrogate pair");
    while let Some(at) = rest.find('\\') {
        if at > 0 && high.is_some() {
            return Err(bad_pair());
        }
        pieces::append(ctx.cancel, &rest[..at], &mut out)?;
        ctx.cancel.check()?;
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('\\') {
            if high.is_some() {
                return Err(bad_pair());
            }
            out.push('\\');
            rest = after;
            continue;
        }
        let (skip, digits) = match rest.as_bytes().first() {
            Some(b'u') => (1, 4),
            Some(b'U') => (1, 8),
            Some(b'+') => (1, 6),
            _ => (0, 4),
        };
        let code = rest
            .get(skip..skip + digits)
            .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|d| u32::from_str_radix(d, 16).ok());
        let Some(code) = code else {
            return Err(common::error::ErrorExt::hint(
                pg_err!(SYNTAX_ERROR, "invalid Unicode escape"),
                "Unicode escapes must be \\XXXX, \\+XXXXXX, \\uXXXX, or \\UXXXXXXXX.",
            ));
        };
        rest = &rest[skip + digits..];
        let code = match (high.take(), code) {
            (None, 0xd800..=0xdbff) => {
                high = Some(code);
                continue;
            }
            (Some(h), 0xdc00..=0xdfff) => 0x10000 + ((h - 0xd800) << 10) + (code - 0xdc00),
            (Some(_), _) | (None, 0xdc00..=0xdfff) => return Err(bad_pair()),
            (None, code) => code,
        };
        match char::from_u32(code).filter(|c| *c != '\0') {
            Some(c) => out.push(c),
            None => return Err(pg_err!(SYNTAX_ERROR, "invalid Unicode code point: {code:04X}")),
        }
    }
    if high.is_some() {
        return Err(bad_pair());
    }
    pieces::append(ctx.cancel, rest, &mut out)?;
    Ok(out)
}

#[rustfmt::skip]
builtins! {
    textcat(ctx, a: text, b: text) -> text; textlen = char_count(ctx, s: text) -> int4; bpcharlen(ctx, s: bpchar) -> int4;
    textoctetlen = octet_count(s: text) -> int4; bpcharoctetlen = octet_count(s: bpchar) -> int4; bit_length(s: text) -> int4;
    lower(ctx, s: text) -> text; upper(ctx, s: text) -> text; initcap(ctx, s: text) -> text; casefold(ctx, s: text) -> text;
    text_substr(s: text, start: int4, length: int4) -> text; text_substr_no_len(s: text, start: int4) -> text;
    textoverlay = overlay(ctx, s: text, new: text, start: int4, length: int4) -> text;
    textoverlay_no_len = overlay_no_len(ctx, s: text, new: text, start: int4) -> text;
    textpos(ctx, s: text, part: text) -> int4; text_starts_with(s: text, prefix: text) -> bool;
    btrim(ctx, s: text, set: text) -> text; ltrim(ctx, s: text, set: text) -> text; rtrim(ctx, s: text, set: text) -> text;
    btrim1(s: text) -> text; ltrim1(s: text) -> text; rtrim1(s: text) -> text;
    lpad(ctx, s: text, length: int4, fill: text) -> text; rpad(ctx, s: text, length: int4, fill: text) -> text;
    lpad = lpad_blank(ctx, s: text, length: int4) -> text; rpad = rpad_blank(ctx, s: text, length: int4) -> text;
    repeat(ctx, s: text, count: int4) -> text; replace_text = replace(ctx, s: text, from: text, to: text) -> text;
    translate(ctx, s: text, from: text, to: text) -> text; text_reverse = reverse(ctx, s: text) -> text;
    text_left = left(s: text, n: int4) -> text; text_right = right(s: text, n: int4) -> text;
    split_part(ctx, s: text, delimiter: text, n: int4) -> text; ascii(s: text) -> int4; chr(code: int4) -> text;
    md5_text(ctx, s: text) -> text; unistr(ctx, s: text) -> text;
}
