//! LIKE over batches: a constant pattern is taken apart once.

use common::{Oid, PgResult};
use memchr::memmem::Finder;
use types::{Bitmap, Datum, Selection, Vector, VectorData, oids};

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
        if memchr::memchr2(b'_', b'\\', pattern).is_some() {
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

    #[inline(always)]
    fn matches(&self, text: &[u8]) -> PgResult<bool> {
        match self {
            Pattern::Exactly(whole) => Ok(text == *whole),
            Pattern::General(pattern) => matches(text, pattern),
            Pattern::Pieces { head, inner, tail } => {
                let long_enough = text.len() >= head.len() + tail.len();
                if !long_enough || !text.starts_with(head) || !text.ends_with(tail) {
                    return Ok(false);
                }
                let mut rest = &text[head.len()..text.len() - tail.len()];
                for piece in inner {
                    match piece.find(rest) {
                        Some(at) => rest = &rest[at + piece.needle().len()..],
                        None => return Ok(false),
                    }
                }
                Ok(true)
            }
        }
    }
}

fn vector<const NEGATED: bool>(
    _ctx: &mut FnContext<'_>,
    args: &[&Vector],
    sel: &Selection,
    out: &mut Vector,
) -> PgResult<()> {
    let (Some(text), Some(pattern)) = (args.first(), args.get(1)) else {
        return Err(common::internal!("LIKE without its arguments"));
    };
    let (text, patterns) = (
        Column::<phys::Text>::open(text)?,
        (Column::<phys::Text>::open(pattern)?, pattern.is_constant()),
    );
    let known = patterns
        .0
        .get(0)
        .filter(|_| patterns.1)
        .map(|p| Pattern::new(p.as_bytes()));
    let rows = out.len();
    let (data, validity) = out.parts_mut();
    let VectorData::Bool(data) = data else {
        return Err(common::internal!("LIKE gives a boolean"));
    };
    sel.try_for_each(|i| {
        let found = match (&known, text.get(i)) {
            (Some(pattern), Some(text)) => Some(pattern.matches(text.as_bytes())?),
            (None, Some(text)) => patterns.0.get(i).map(|p| like(text, p)).transpose()?,
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

fn scalar<const NEGATED: bool>(_ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    match args {
        [Datum::Text(text), Datum::Text(pattern)] => Ok(Datum::Bool(like(text, pattern)? != NEGATED)),
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
                let found = Pattern::new(pattern.as_bytes()).matches(text.as_bytes()).unwrap();
                assert_eq!(
                    found,
                    matches(text.as_bytes(), pattern.as_bytes()).unwrap(),
                    "{text} LIKE {pattern}"
                );
            }
        }
    }
}
