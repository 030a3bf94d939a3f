//! Long values a piece at a time, so that a cancelled statement ends before the value does.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::cancel::{self, CancelToken};
use crate::error::PgResult;

/// Bytes between two looks at the cancel flag: some milliseconds for all but the slowest functions.
pub const PIECE_BYTES: usize = 4 << 20;

/// Items sorted, or merged, between two looks.
const SORTED_ITEMS: usize = 1 << 14;

/// Items put into a list, or passed over, between two looks.
const LISTED_ITEMS: usize = 1 << 13;

/// A list that may become very long. Where it does not come to its end what there is of it is freed beside the statement.
pub struct List<T: Send + 'static> {
    items: Vec<T>,
    /// So many are there at the next look.
    look_at: usize,
}

impl<T: Send + 'static> Drop for List<T> {
    fn drop(&mut self) {
        cancel::discard_list(std::mem::take(&mut self.items));
    }
}

impl<T: Send + 'static> List<T> {
    /// An empty one with room for so many.
    pub fn new(capacity: usize) -> List<T> {
        List {
            items: Vec::with_capacity(capacity),
            look_at: LISTED_ITEMS,
        }
    }

    /// Adds items, with looks in between.
    pub fn extend(&mut self, cancel: &CancelToken, items: impl IntoIterator<Item = T>) -> PgResult<()> {
        let mut items = items.into_iter().fuse();
        loop {
            let room = self.look_at - self.items.len();
            self.items.extend(items.by_ref().take(room));
            if self.items.len() < self.look_at {
                return Ok(());
            }
            self.look_at += LISTED_ITEMS;
            cancel.check()?;
        }
    }

    /// The items.
    pub fn finish(mut self) -> Vec<T> {
        std::mem::take(&mut self.items)
    }
}

/// The items of an iterator.
pub fn list<T: Send + 'static>(cancel: &CancelToken, items: impl IntoIterator<Item = T>) -> PgResult<Vec<T>> {
    let items = items.into_iter();
    let mut list = List::new(items.size_hint().0);
    list.extend(cancel, items)?;
    Ok(list.finish())
}

/// Those that are not passed over, up to the first that fails.
pub fn try_list<T: Send + 'static>(
    cancel: &CancelToken,
    items: impl IntoIterator<Item = PgResult<Option<T>>>,
) -> PgResult<Vec<T>> {
    let mut list = List::new(0);
    for (seen, item) in items.into_iter().enumerate() {
        list.items.extend(item?);
        if seen % LISTED_ITEMS == LISTED_ITEMS - 1 {
            cancel.check()?;
        }
    }
    Ok(list.finish())
}

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

/// How many first bytes two byte strings share.
pub fn common_length(cancel: &CancelToken, a: &[u8], b: &[u8]) -> PgResult<usize> {
    let mut same = 0;
    for (x, y) in a.chunks(PIECE_BYTES).zip(b.chunks(PIECE_BYTES)) {
        if x.len().min(y.len()) == PIECE_BYTES {
            cancel.check()?;
        }
        if x != y {
            return Ok(same + x.iter().zip(y).take_while(|(x, y)| x == y).count());
        }
        same += x.len();
    }
    Ok(same)
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

/// The same of bytes.
pub fn append_bytes(cancel: &CancelToken, v: &[u8], out: &mut Vec<u8>) -> PgResult<()> {
    if v.len() <= PIECE_BYTES {
        out.extend_from_slice(v);
        return Ok(());
    }
    out.reserve(v.len());
    bytes(cancel, v, |piece| out.extend_from_slice(piece))
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
        let other = [&s.as_bytes()[..PIECE_BYTES + 9], b"\xff"].concat();
        assert_eq!(common_length(&go, s.as_bytes(), &other).unwrap(), PIECE_BYTES + 9);
        assert_eq!(common_length(&go, b"abc", b"abd").unwrap(), 2);
        assert_eq!(common_length(&go, b"ab", b"abd").unwrap(), 2);
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
    fn lists_have_all_items_up_to_an_error() {
        let go = CancelToken::new();
        for count in [0, 1, LISTED_ITEMS, LISTED_ITEMS + 1, 5 * LISTED_ITEMS + 7] {
            assert_eq!(list(&go, 0..count).unwrap(), (0..count).collect::<Vec<_>>());
            let odd = try_list(&go, (0..count).map(|i| Ok((i % 2 == 1).then_some(i)))).unwrap();
            assert_eq!(odd, (0..count).filter(|i| i % 2 == 1).collect::<Vec<_>>());
        }
        let failing = (0..9).map(|i| {
            if i < 5 {
                Ok(Some(i))
            } else {
                Err(crate::internal!("{i}"))
            }
        });
        assert_eq!(try_list(&go, failing).unwrap_err().message, "5");
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
        assert_eq!(code(list(&stop, 0..LISTED_ITEMS).unwrap_err()), "57014");
        let none = (0..LISTED_ITEMS).map(|_| Ok(None::<u8>));
        assert_eq!(code(try_list(&stop, none).unwrap_err()), "57014");
    }
}
