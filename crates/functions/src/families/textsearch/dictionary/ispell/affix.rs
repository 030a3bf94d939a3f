//! An affix: what is attached to a base form, and how to take it off again.

use std::fmt;

use common::PgResult;
use common::cancel::CancelToken;
use rustc_hash::FxHashMap;

use super::flags::Compound;
use crate::regex::{Flags, Regex};

/// Where it is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Prefix,
    Suffix,
}

/// A letter of a mask.
#[derive(Debug)]
pub(super) enum Letter {
    One(char),
    Of(Vec<char>),
    NoneOf(Vec<char>),
}

/// Which base forms take the affix.
pub(super) enum Mask {
    /// All.
    Any,
    /// Those with these letters at the end where the affix is.
    Letters(Vec<Letter>),
    /// Those that match.
    Pattern(Regex),
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mask::Any => f.write_str("Any"),
            Mask::Letters(letters) => f.debug_tuple("Letters").field(letters).finish(),
            Mask::Pattern(_) => f.write_str("Pattern"),
        }
    }
}

/// An affix.
#[derive(Debug)]
pub(super) struct Affix {
    pub kind: Kind,
    pub flag: Box<str>,
    /// It goes together with affixes at the other end.
    pub crosses: bool,
    pub compound: Compound,
    /// What is attached.
    pub attached: Box<str>,
    /// What the base form has in its place.
    pub replaced: Box<str>,
    pub mask: Mask,
}

/// What else is taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attached {
    Alone,
    /// A suffix has been taken off before, which left `kept` bytes of the word unchanged.
    Before {
        kept: usize,
    },
}

impl Letter {
    fn takes(&self, c: char) -> bool {
        match self {
            Letter::One(one) => *one == c,
            Letter::Of(set) => set.contains(&c),
            Letter::NoneOf(set) => !set.contains(&c),
        }
    }
}

/// Letters and sets of letters; `None` when the mask has something else.
fn letters_of(mask: &str) -> Option<Vec<Letter>> {
    let mut letters = Vec::new();
    let mut chars = mask.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_alphabetic() {
            letters.push(Letter::One(c));
            continue;
        }
        if c != '[' {
            return None;
        }
        let negated = chars.next_if_eq(&'^').is_some();
        let mut set = Vec::new();
        loop {
            match chars.next()? {
                ']' if negated || !set.is_empty() => break,
                c if c.is_alphabetic() => set.push(c),
                _ => return None,
            }
        }
        letters.push(if negated {
            Letter::NoneOf(set)
        } else {
            Letter::Of(set)
        });
    }
    Some(letters)
}

impl Mask {
    /// Reads a mask in lower case.
    pub fn parse(mask: &str, kind: Kind) -> PgResult<Mask> {
        if matches!(mask, "" | ".") {
            return Ok(Mask::Any);
        }
        if let Some(letters) = letters_of(mask) {
            return Ok(Mask::Letters(letters));
        }
        let pattern = match kind {
            Kind::Suffix => format!("{mask}$"),
            Kind::Prefix => format!("^{mask}"),
        };
        Ok(Mask::Pattern(Regex::new(&pattern, Flags::default())?))
    }

    fn accepts(&self, word: &str, kind: Kind, cancel: &CancelToken) -> PgResult<bool> {
        Ok(match (self, kind) {
            (Mask::Any, _) => true,
            (Mask::Letters(letters), Kind::Prefix) => {
                let mut chars = word.chars();
                letters.iter().all(|l| chars.next().is_some_and(|c| l.takes(c)))
            }
            (Mask::Letters(letters), Kind::Suffix) => {
                let mut chars = word.chars().rev();
                letters
                    .iter()
                    .rev()
                    .all(|l| chars.next().is_some_and(|c| l.takes(c)))
            }
            (Mask::Pattern(pattern), _) => pattern.is_match(cancel, word)?,
        })
    }
}

impl Affix {
    /// May it stand on a word at this place of a compound?
    fn allowed(&self, place: Compound) -> bool {
        let (is, forbidden) = (|c| self.compound.has(c), self.compound.has(Compound::FORBID));
        if place == Compound::NONE {
            !is(Compound::ONLY)
        } else if place.has(Compound::BEGIN) {
            !forbidden && (is(Compound::BEGIN) || self.kind == Kind::Prefix)
        } else if place.has(Compound::MIDDLE) {
            !forbidden && is(Compound::MIDDLE)
        } else {
            !forbidden && (is(Compound::LAST) || self.kind == Kind::Suffix)
        }
    }

    /// The base form of a word that ends (begins) with this affix, if it could have taken it.
    pub fn undo(
        &self,
        word: &str,
        place: Compound,
        attached: Attached,
        cancel: &CancelToken,
    ) -> PgResult<Option<String>> {
        if !self.allowed(place) {
            return Ok(None);
        }
        let base = match (self.kind, attached) {
            // Nothing of the word would be left between prefix and suffix.
            (Kind::Prefix, Attached::Before { kept })
                if kept + self.replaced.len() <= self.attached.len() =>
            {
                None
            }
            (Kind::Prefix, _) => word
                .strip_prefix(&*self.attached)
                .map(|rest| format!("{}{rest}", self.replaced)),
            (Kind::Suffix, _) => word
                .strip_suffix(&*self.attached)
                .map(|rest| format!("{rest}{}", self.replaced)),
        };
        match base {
            Some(base) if self.mask.accepts(&base, self.kind, cancel)? => Ok(Some(base)),
            _ => Ok(None),
        }
    }
}

/// Affixes of one kind by what they attach.
#[derive(Debug, Default)]
pub(super) struct AffixIndex {
    affixes: Vec<Affix>,
    by_text: FxHashMap<Box<str>, Vec<u32>>,
    longest: usize,
}

impl AffixIndex {
    pub fn new(affixes: Vec<Affix>) -> AffixIndex {
        let mut by_text: FxHashMap<Box<str>, Vec<u32>> = FxHashMap::default();
        for (number, affix) in (0..).zip(&affixes) {
            by_text.entry(affix.attached.clone()).or_default().push(number);
        }
        AffixIndex {
            longest: affixes.iter().map(|a| a.attached.len()).max().unwrap_or(0),
            affixes,
            by_text,
        }
    }

    /// The affixes that a word could have, short ones first.
    pub fn of<'a>(&'a self, word: &'a str) -> impl Iterator<Item = &'a Affix> {
        let kind = self.affixes.first().map(|a| a.kind);
        let most = if kind.is_some() {
            self.longest.min(word.len()) + 1
        } else {
            0
        };
        (0..most)
            .filter_map(move |len| match kind {
                Some(Kind::Prefix) => word.get(..len),
                _ => word.get(word.len() - len..),
            })
            .filter_map(|text| self.by_text.get(text))
            .flatten()
            .filter_map(|number| self.affixes.get(*number as usize))
    }
}
