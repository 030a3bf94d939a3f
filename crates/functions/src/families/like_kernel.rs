//! LIKE over batches: a constant pattern is taken apart once.
//!
//! # How it works
//! A pattern is texts that must follow each other. Where it may begin anywhere, and most strings of a batch are asked for, its first text
//! is looked for in the buffer that the strings lie in behind each other ([`Search`]): one search over many short strings.
//! Columns at rest are matched as they lie ([`FlatStrings`]); a short text that strings must end with is compared as one integer ([`Tail`]).

use common::cancel::CancelToken;
use common::pieces::PIECE_BYTES;
use common::{Oid, PgResult};
use memchr::memmem::Finder;
use types::{Bitmap, Datum, FlatStrings, Selection, StringColumn, Vector, VectorData, oids};

use crate::families::like::{like, matches};
use crate::framework::context::FnContext;
use crate::framework::phys::{self, Column};
use crate::framework::registry::{Builtin, Kernels};

/// A pattern without `_` and escapes is a list of texts that must follow each other.
enum Pattern<'p> {
    Exactly(&'p [u8]),
    Pieces {
        head: &'p [u8],
        inner: Vec<Finder<'p>>,
        tail: &'p [u8],
    },
    General(&'p [u8]),
}

impl<'p> Pattern<'p> {
    fn new(pattern: &'p [u8]) -> Pattern<'p> {
        // What is sought is looked through before, if it is not too long for that.
        if pattern.len() > PIECE_BYTES || memchr::memchr2(b'_', b'\\', pattern).is_some() {
            return Pattern::General(pattern);
        }
        let mut pieces = pattern.split(|b| *b == b'%');
        let head = pieces.next().unwrap_or_default();
        let Some(tail) = pieces.next_back() else {
            return Pattern::Exactly(head);
        };
        Pattern::Pieces {
            head,
            inner: pieces.filter(|p| !p.is_empty()).map(Finder::new).collect(),
            tail,
        }
    }

    /// The texts of a pattern that may begin and end anywhere.
    fn anywhere(&self) -> Option<(&Finder<'p>, &[Finder<'p>])> {
        match self {
            Pattern::Pieces {
                head: [],
                inner,
                tail: [],
            } => inner.split_first(),
            _ => None,
        }
    }

    /// The text of a pattern that may begin anyhow and ends with a short one.
    fn only_tail(&self) -> Option<Tail> {
        match self {
            Pattern::Pieces {
                head: [],
                inner,
                tail,
            } if inner.is_empty() => Tail::new(tail),
            _ => None,
        }
    }

    #[inline(always)]
    fn matches(&self, cancel: &CancelToken, text: &[u8]) -> PgResult<bool> {
        match self {
            Pattern::Exactly(whole) => Ok(text == *whole),
            Pattern::General(pattern) => matches(cancel, text, pattern),
            Pattern::Pieces { head, inner, tail } => {
                let long_enough = text.len() >= head.len() + tail.len();
                if !long_enough || !text.starts_with(head) || !text.ends_with(tail) {
                    return Ok(false);
                }
                Ok(follow_each_other(
                    inner,
                    &text[head.len()..text.len() - tail.len()],
                ))
            }
        }
    }
}

/// True when the pieces are found one behind the other.
#[inline]
fn follow_each_other(pieces: &[Finder<'_>], text: &[u8]) -> bool {
    let mut rest = text;
    for piece in pieces {
        match piece.find(rest) {
            Some(at) => rest = &rest[at + piece.needle().len()..],
            None => return false,
        }
    }
    true
}

/// Strings of a column, wherever they lie.
trait Texts {
    fn get(&self, i: usize) -> &[u8];
    /// Where string `i` lies: number of a buffer and offset in it; `None` when it lies in none.
    fn place(&self, i: usize) -> Option<(usize, usize)>;
    fn buffer(&self, number: usize) -> &[u8];
}

impl Texts for StringColumn {
    #[inline]
    fn get(&self, i: usize) -> &[u8] {
        self.bytes(i)
    }

    #[inline]
    fn place(&self, i: usize) -> Option<(usize, usize)> {
        StringColumn::place(self, i)
    }

    #[inline]
    fn buffer(&self, number: usize) -> &[u8] {
        StringColumn::buffer(self, number)
    }
}

impl Texts for FlatStrings<'_> {
    #[inline]
    fn get(&self, i: usize) -> &[u8] {
        FlatStrings::get(self, i)
    }

    #[inline]
    fn place(&self, i: usize) -> Option<(usize, usize)> {
        Some((0, self.start(i)))
    }

    #[inline]
    fn buffer(&self, _: usize) -> &[u8] {
        self.all()
    }
}

/// What strings must end with, in up to eight bytes.
struct Tail {
    len: usize,
    /// The text in the upper bytes, and how far up.
    value: u64,
    shift: u32,
}

impl Tail {
    const ROOM: usize = size_of::<u64>();

    fn new(text: &[u8]) -> Option<Tail> {
        let unused = Tail::ROOM.checked_sub(text.len()).filter(|_| !text.is_empty())?;
        let mut bytes = [0; Tail::ROOM];
        bytes[unused..].copy_from_slice(text);
        let shift = unused as u32 * u8::BITS;
        Some(Tail {
            len: text.len(),
            value: u64::from_le_bytes(bytes) >> shift,
            shift,
        })
    }

    /// True when the string from `start` up to `end` ends so.
    #[inline(always)]
    fn ends(&self, all: &[u8], start: usize, end: usize) -> bool {
        let last = end.checked_sub(Tail::ROOM).and_then(|from| all.get(from..end));
        match last.and_then(|last| last.first_chunk()) {
            Some(last) => u64::from_le_bytes(*last) >> self.shift == self.value && end - start >= self.len,
            None => {
                let bytes = self.value.to_le_bytes();
                all.get(start..end)
                    .is_some_and(|string| string.ends_with(&bytes[..self.len]))
            }
        }
    }
}

/// Bytes of a buffer searched at a time: where strings are left out or lie in another order, so much is searched in vain at most.
const WINDOW: usize = 2048;

/// Where a text occurs in the strings of a column, which are asked for in ascending order.
struct Search<'a, T> {
    column: &'a T,
    finder: &'a Finder<'a>,
    /// In this buffer no occurrence begins from `from` up to `clear`; one does at `clear` when it is a `hit`.
    buffer: usize,
    from: usize,
    clear: usize,
    hit: bool,
}

impl<'a, T: Texts> Search<'a, T> {
    fn new(column: &'a T, finder: &'a Finder<'a>) -> Search<'a, T> {
        Search {
            column,
            finder,
            buffer: usize::MAX,
            from: 0,
            clear: 0,
            hit: false,
        }
    }

    /// Where the text first occurs in string `i`.
    #[inline]
    fn find(&mut self, i: usize) -> Option<usize> {
        let Some((buffer, start)) = self.column.place(i) else {
            return self.finder.find(self.column.get(i));
        };
        let end = start + self.column.get(i).len();
        let needle = self.finder.needle().len();
        loop {
            if buffer != self.buffer || start < self.from || start > self.clear {
                (self.buffer, self.from, self.clear, self.hit) = (buffer, start, start, false);
            }
            if self.clear + needle > end {
                return None;
            }
            if self.hit {
                return Some(self.clear - start);
            }
            let all = self.column.buffer(buffer);
            let until = (self.clear + WINDOW).max(end).min(all.len());
            match self.finder.find(&all[self.clear..until]) {
                Some(at) => (self.clear, self.hit) = (self.clear + at, true),
                // The window reaches the end of the string at least, so that this is behind its last chance.
                None => self.clear = until + 1 - needle,
            }
        }
    }
}

/// LIKE for a pattern that may begin and end anywhere, over most strings of a column without NULLs.
fn search<const NEGATED: bool>(
    column: &impl Texts,
    (first, rest): (&Finder<'_>, &[Finder<'_>]),
    sel: &Selection,
    out: &mut [bool],
) {
    let mut search = Search::new(column, first);
    sel.for_each(|i| {
        let found = search.find(i).is_some_and(|at| {
            rest.is_empty() || follow_each_other(rest, &column.get(i)[at + first.needle().len()..])
        });
        out[i] = found != NEGATED;
    });
}

/// One pattern for strings that lie behind each other.
fn flat<const NEGATED: bool>(
    cancel: &CancelToken,
    texts: &FlatStrings<'_>,
    pattern: &Pattern<'_>,
    sel: &Selection,
    out: &mut [bool],
) -> PgResult<()> {
    if let Some(pieces) = pattern.anywhere()
        && sel.len() * 2 >= out.len()
    {
        search::<NEGATED>(texts, pieces, sel, out);
        return Ok(());
    }
    if let Some(tail) = pattern.only_tail() {
        let (ends, all) = (texts.ends(), texts.all());
        sel.for_each(|i| out[i] = tail.ends(all, texts.start(i), ends[i] as usize) != NEGATED);
        return Ok(());
    }
    sel.try_for_each(|i| {
        out[i] = pattern.matches(cancel, texts.get(i))? != NEGATED;
        Ok(())
    })
}

/// The pattern, when it is the same for all rows and not NULL.
fn known_pattern(pattern: &Vector) -> Option<Pattern<'_>> {
    if !pattern.is_constant() || pattern.is_null(0) {
        return None;
    }
    pattern.bytes(0).map(Pattern::new)
}

fn vector<const NEGATED: bool>(
    ctx: &mut FnContext<'_>,
    args: &[&Vector],
    sel: &Selection,
    out: &mut Vector,
) -> PgResult<()> {
    let (Some(text), Some(pattern)) = (args.first(), args.get(1)) else {
        return Err(common::internal!("LIKE without its arguments"));
    };
    let known = known_pattern(pattern);
    if let (Some(pattern), Some(texts)) = (&known, text.flat_strings())
        && text.validity().is_none()
        && let (VectorData::Bool(out), _) = out.parts_mut()
    {
        return flat::<NEGATED>(ctx.cancel, &texts, pattern, sel, out);
    }
    let (text, patterns) = (
        Column::<phys::Text>::open(text)?,
        Column::<phys::Text>::open(pattern)?,
    );
    let rows = out.len();
    let (data, validity) = out.parts_mut();
    let VectorData::Bool(data) = data else {
        return Err(common::internal!("LIKE gives a boolean"));
    };
    if let (Some(pieces), Some(column)) = (known.as_ref().and_then(Pattern::anywhere), text.dense())
        && sel.len() * 2 >= rows
    {
        search::<NEGATED>(column, pieces, sel, data);
        return Ok(());
    }
    sel.try_for_each(|i| {
        let found = match (&known, text.get(i)) {
            (Some(pattern), Some(text)) => Some(pattern.matches(ctx.cancel, text.as_bytes())?),
            (None, Some(text)) => patterns.get(i).map(|p| like(ctx.cancel, text, p)).transpose()?,
            (_, None) => None,
        };
        match found {
            Some(found) => data[i] = found != NEGATED,
            None => validity
                .get_or_insert_with(|| Bitmap::filled(rows, true))
                .set(i, false),
        }
        Ok(())
    })
}

fn scalar<const NEGATED: bool>(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    match args {
        [Datum::Text(text), Datum::Text(pattern)] => {
            Ok(Datum::Bool(like(ctx.cancel, text, pattern)? != NEGATED))
        }
        _ => Ok(Datum::Null),
    }
}

const fn entry<const NEGATED: bool>(name: &'static str, args: &'static [Oid]) -> Builtin {
    Builtin {
        name,
        args,
        result: oids::BOOL,
        kernels: Kernels {
            vector: vector::<NEGATED>,
            scalar: scalar::<NEGATED>,
        },
    }
}

/// LIKE and NOT LIKE, by `prosrc`.
pub(crate) static BUILTINS: &[Builtin] = &[
    entry::<false>("textlike", &[oids::TEXT, oids::TEXT]),
    entry::<true>("textnlike", &[oids::TEXT, oids::TEXT]),
    entry::<false>("namelike", &[oids::NAME, oids::TEXT]),
    entry::<true>("namenlike", &[oids::NAME, oids::TEXT]),
];

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::framework::context::{CallInfo, FnCache};

    #[test]
    fn taken_apart_or_not_a_pattern_matches_the_same() {
        let texts = [
            "",
            "a",
            "ab",
            "abc",
            "abcabc",
            "xabcx",
            "mississippi",
            "%",
            "a%b",
            "\u{e4}b\u{f6}",
        ];
        let patterns = [
            "",
            "%",
            "%%",
            "a",
            "a%",
            "%a",
            "%b%",
            "ab%bc",
            "a%b%c",
            "%iss%iss%",
            "%iss%iss%iss%",
            "m%i",
            "m%ssi%ssi%i",
            "abc%abc",
            "abc%c%abc",
            "a_c",
            "%_%",
            "a\\%b",
            "%\u{f6}",
            "_b_",
        ];
        for text in texts {
            for pattern in patterns {
                let found = Pattern::new(pattern.as_bytes())
                    .matches(CancelToken::never(), text.as_bytes())
                    .unwrap();
                assert_eq!(
                    found,
                    matches(CancelToken::never(), text.as_bytes(), pattern.as_bytes()).unwrap(),
                    "{text} LIKE {pattern}"
                );
            }
        }
    }

    /// All kinds of patterns over columns in general form, at rest, with NULLs.
    #[test]
    fn columns_at_rest_match_as_their_strings_do() {
        let mut column = Vector::empty(types::PhysType::Text);
        let strings: Vec<String> = (0..700_u32)
            .map(|n| format!("{}{n}\u{e4}x{}", "item-".repeat(n as usize % 3), n * 7 % 101))
            .chain(["", "x", "x1", "-x10"].map(String::from))
            .collect();
        strings.iter().for_each(|s| column.push(&Datum::text(s.as_str())));
        let rows = strings.len();
        let rest = column.at_rest(&Bitmap::filled(rows, true));
        assert!(rest.flat_strings().is_some() && column.flat_strings().is_none());
        let patterns = [
            "%x1",
            "%1",
            "%x10",
            "%item-9\u{e4}x63",
            "%m-9\u{e4}x63",
            "%",
            "",
            "%5%",
            "item%",
            "%9%\u{e4}%3",
            "_tem%",
            "x1",
            "%\u{e4}x77%",
        ];
        let settings = types::settings::FormatSettings::default();
        let cancel = common::cancel::CancelToken::default();
        let info = CallInfo::new(Oid(850), &[oids::TEXT, oids::TEXT], oids::BOOL);
        let mut cache = FnCache::default();
        let mut ctx = FnContext {
            call: &info,
            settings: &settings,
            cancel: &cancel,
            session: &crate::framework::session::NoSession,
            cache: &mut cache,
        };
        for pattern in patterns {
            let constant = Vector::constant(types::PhysType::Text, &Datum::text(pattern), rows);
            for sel in [
                Selection::All(rows),
                Selection::All(rows).filter(|i| i % 3 != 1),
                Selection::All(rows).filter(|i| i % 40 == 7 || i >= 700),
            ] {
                for negated in [false, true] {
                    for text in [&column, &rest] {
                        let mut out = Vector::defaults(types::PhysType::Bool, rows);
                        let kernel = if negated { vector::<true> } else { vector::<false> };
                        kernel(&mut ctx, &[text, &constant], &sel, &mut out).unwrap();
                        sel.for_each(|i| {
                            let expected = matches(&cancel, strings[i].as_bytes(), pattern.as_bytes())
                                .unwrap()
                                != negated;
                            assert_eq!(
                                out.datum(i),
                                Datum::Bool(expected),
                                "{} LIKE {pattern}",
                                strings[i]
                            );
                        });
                    }
                }
            }
            assert!(rest.flat_strings().is_some(), "nobody needed the general form");
        }
    }

    #[test]
    fn searching_buffers_finds_what_searching_strings_does() {
        let mut column = StringColumn::default();
        for n in 0..600_u32 {
            let middle = ["abab", "xaba", "b", "", "needle and thread"][n as usize % 5];
            column.push_str(&format!("{}{middle}{}", "ab".repeat(n as usize % 9), n % 7));
        }
        // Strings in another order share the buffers.
        let shuffled = column.gather((0..600).map(|i| (i * 7) % 600));
        for pattern in [
            "%aba%",
            "%needle%",
            "%a%b%7%",
            "%abababababababababab%",
            "%zz%",
            "%b0%",
        ] {
            let pattern = Pattern::new(pattern.as_bytes());
            for column in [&column, &shuffled] {
                for sel in [Selection::All(600), Selection::All(600).filter(|i| i % 3 != 1)] {
                    let mut out = vec![false; 600];
                    search::<false>(column, pattern.anywhere().unwrap(), &sel, &mut out);
                    sel.for_each(|i| {
                        assert_eq!(
                            out[i],
                            pattern.matches(CancelToken::never(), column.bytes(i)).unwrap()
                        )
                    });
                }
            }
        }
    }
}
