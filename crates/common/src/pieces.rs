//! Long values a piece at a time, so that a cancelled statement ends before the value does.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::cancel::CancelToken;
use crate::error::PgResult;

/// Bytes between two looks at the cancel flag: some milliseconds for all but the slowest functions.
pub const PIECE_BYTES: usize = 4 << 20;

/// Items sorted, or merged, between two looks.
const SORTED_ITEMS: usize = 1 << 14;

/// Calls `f` with each piece of the bytes.
pub fn bytes(cancel: &CancelToken, v: &[u8], mut f: impl FnMut(&[u8])) -> PgResult<()> {
    for piece in v.chunks(PIECE_BYTES) {
        cancel.check()?;
        f(piece);
    }
    Ok(())
}

/// What `f` makes of each piece of a text, together. Pieces end where characters end.
pub fn text(cancel: &CancelToken, s: &str, f: impl FnMut(&str) -> String) -> PgResult<String> {
    joined(cancel, s, |rest| boundary(rest, PIECE_BYTES), f)
}

/// The same for functions that look at neighbouring characters: pieces end behind blanks, and are as long as that takes.
pub fn words(cancel: &CancelToken, s: &str, f: impl FnMut(&str) -> String) -> PgResult<String> {
    let end = |rest: &str| {
        let found = rest.as_bytes()[PIECE_BYTES..].iter().position(|b| *b == b' ');
        found.map_or(rest.len(), |at| PIECE_BYTES + at + 1)
    };
    joined(cancel, s, end, f)
}

fn joined(
    cancel: &CancelToken,
    s: &str,
    end: impl Fn(&str) -> usize,
    mut f: impl FnMut(&str) -> String,
) -> PgResult<String> {
    if s.len() <= PIECE_BYTES {
        return Ok(f(s));
    }
    let (mut out, mut rest) = (String::with_capacity(s.len()), s);
    while !rest.is_empty() {
        cancel.check()?;
        let (piece, after) = match rest.len() <= PIECE_BYTES {
            true => (rest, ""),
            false => rest.split_at(end(rest)),
        };
        out.push_str(&f(piece));
        rest = after;
    }
    Ok(out)
}

/// Characters as a text.
pub fn collect(cancel: &CancelToken, characters: impl Iterator<Item = char>) -> PgResult<String> {
    let (mut out, mut checked) = (String::new(), 0);
    for c in characters {
        if out.len() - checked >= PIECE_BYTES / 4 {
            cancel.check()?;
            checked = out.len();
        }
        out.push(c);
    }
    Ok(out)
}

/// A stable sort.
pub fn sort_by<T: Copy>(
    cancel: &CancelToken,
    items: &mut Vec<T>,
    mut compare: impl FnMut(&T, &T) -> Ordering,
) -> PgResult<()> {
    for run in items.chunks_mut(SORTED_ITEMS) {
        cancel.check()?;
        run.sort_by(&mut compare);
    }
    let mut sorted = SORTED_ITEMS;
    while sorted < items.len() {
        let mut merged = Vec::with_capacity(items.len());
        for pair in items.chunks(2 * sorted) {
            let (mut left, mut right) = pair.split_at(sorted.min(pair.len()));
            while let ([l, left_rest @ ..], [r, right_rest @ ..]) = (left, right) {
                if merged.len() % SORTED_ITEMS == 0 {
                    cancel.check()?;
                }
                if compare(l, r).is_le() {
                    merged.push(*l);
                    left = left_rest;
                } else {
                    merged.push(*r);
                    right = right_rest;
                }
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        *items = merged;
        sorted *= 2;
    }
    Ok(())
}

/// The characters of a text in reverse.
pub fn reversed(cancel: &CancelToken, s: &str) -> PgResult<String> {
    let (mut out, mut rest) = (String::with_capacity(s.len()), s);
    while !rest.is_empty() {
        cancel.check()?;
        let at = boundary(rest, rest.len().saturating_sub(PIECE_BYTES));
        out.extend(rest[at..].chars().rev());
        rest = &rest[..at];
    }
    Ok(out)
}

/// A text over and over until there are so many bytes: its repetitions, cut behind a character.
pub fn cycled(cancel: &CancelToken, s: &str, len: usize) -> PgResult<String> {
    let rest = |len: usize| &s[..boundary(s, len)];
    if len <= PIECE_BYTES && !s.is_empty() {
        let mut out = String::with_capacity(len);
        (0..len / s.len()).for_each(|_| out.push_str(s));
        out.push_str(rest(len % s.len()));
        return Ok(out);
    }
    let mut out = String::with_capacity(len);
    let unit: Cow<'_, str> = match s.len() < PIECE_BYTES {
        true => s.repeat(PIECE_BYTES.min(len) / s.len().max(1) + 1).into(),
        false => s.into(),
    };
    while out.len() < len && !unit.is_empty() {
        cancel.check()?;
        let take = boundary(&unit, (len - out.len()).min(unit.len()));
        if take == 0 {
            break;
        }
        append(cancel, &unit[..take], &mut out)?;
    }
    Ok(out)
}

/// Texts one behind the other.
pub fn concat(cancel: &CancelToken, parts: &[&str]) -> PgResult<String> {
    let mut out = String::with_capacity(parts.iter().map(|part| part.len()).sum());
    parts.iter().try_for_each(|part| append(cancel, part, &mut out))?;
    Ok(out)
}

/// The same of bytes.
pub fn concat_bytes(cancel: &CancelToken, parts: &[&[u8]]) -> PgResult<Vec<u8>> {
    let mut out = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
    for part in parts {
        bytes(cancel, part, |piece| out.extend_from_slice(piece))?;
    }
    Ok(out)
}

/// Adds a text to another.
pub fn append(cancel: &CancelToken, mut rest: &str, out: &mut String) -> PgResult<()> {
    while rest.len() > PIECE_BYTES {
        cancel.check()?;
        let (piece, after) = rest.split_at(boundary(rest, PIECE_BYTES));
        out.push_str(piece);
        rest = after;
    }
    out.push_str(rest);
    Ok(())
}

/// The end of a character, here or just before.
pub fn boundary(s: &str, at: usize) -> usize {
    (0..=at).rev().find(|at| s.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::cancel::CancelReason;

    use super::*;

    /// Longer than two pieces, with characters of several bytes across their ends.
    fn long() -> String {
        "Größe der Stücke €uro ".repeat(PIECE_BYTES / 10)
    }

    #[test]
    fn pieces_make_the_whole() {
        let (go, s) = (CancelToken::new(), long());
        assert_eq!(
            text(&go, &s, |s| s.replace('e', "E")).unwrap(),
            s.replace('e', "E")
        );
        assert_eq!(words(&go, &s, str::to_uppercase).unwrap(), s.to_uppercase());
        assert_eq!(concat(&go, &[&s, "", "ß", &s]).unwrap(), format!("{s}ß{s}"));
        let unbroken = s.replace(' ', "");
        assert_eq!(
            words(&go, &unbroken, str::to_uppercase).unwrap(),
            unbroken.to_uppercase()
        );
        assert_eq!(collect(&go, s.chars()).unwrap(), s);
        assert_eq!(reversed(&go, &s).unwrap(), s.chars().rev().collect::<String>());
        let mut read = Vec::new();
        bytes(&go, s.as_bytes(), |piece| read.extend_from_slice(piece)).unwrap();
        assert_eq!(read, s.as_bytes());
    }

    #[test]
    fn cycles_end_with_characters() {
        let go = CancelToken::new();
        for unit in ["a", "ab€", "ß"] {
            for repeats in [0, 1, 5, PIECE_BYTES, PIECE_BYTES / unit.len() + 1] {
                assert_eq!(
                    cycled(&go, unit, repeats * unit.len()).unwrap(),
                    unit.repeat(repeats)
                );
            }
        }
        assert_eq!(cycled(&go, "ab€", 7).unwrap(), "ab€ab");
        assert_eq!(cycled(&go, &long(), 2 * long().len()).unwrap(), long().repeat(2));
        assert_eq!(cycled(&go, "", 0).unwrap(), "");
    }

    #[test]
    fn sorting_is_stable() {
        for count in [0, 1, SORTED_ITEMS, SORTED_ITEMS + 1, 5 * SORTED_ITEMS + 7] {
            let mut items: Vec<(usize, usize)> = (0..count).map(|i| (i * 7919 % 1000, i)).collect();
            let mut expected = items.clone();
            expected.sort_by_key(|item| item.0);
            sort_by(&CancelToken::new(), &mut items, |a, b| a.0.cmp(&b.0)).unwrap();
            assert_eq!(items, expected);
        }
    }

    #[test]
    fn a_cancelled_statement_stops_between_pieces() {
        let (stop, s) = (CancelToken::new(), long());
        stop.cancel(CancelReason::User);
        let code = |e: Box<crate::PgError>| e.sqlstate.as_str().to_owned();
        assert_eq!(code(text(&stop, &s, str::to_owned).unwrap_err()), "57014");
        assert_eq!(code(words(&stop, &s, str::to_owned).unwrap_err()), "57014");
        assert_eq!(code(concat(&stop, &["a", &s]).unwrap_err()), "57014");
        assert_eq!(code(reversed(&stop, &s).unwrap_err()), "57014");
        assert_eq!(code(cycled(&stop, "ab", 3 * PIECE_BYTES).unwrap_err()), "57014");
        assert_eq!(code(bytes(&stop, s.as_bytes(), |_| {}).unwrap_err()), "57014");
        assert_eq!(code(collect(&stop, s.chars()).unwrap_err()), "57014");
        assert_eq!(
            code(sort_by(&stop, &mut vec![2, 1], Ord::cmp).unwrap_err()),
            "57014"
        );
    }
}
