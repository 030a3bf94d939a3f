//! Splitting words into words.

use common::PgResult;
use common::cancel::CancelToken;

use super::Ispell;
use super::affix::{Affix, Kind};
use super::flags::{Compound, FlagSets};
use super::words::Node;

/// An affix at which a compound may be cut.
#[derive(Debug)]
pub(super) struct CompoundAffix {
    text: Box<str>,
    is_suffix: bool,
}

/// The affixes inside compounds that some word has: of those where one ends another only the shorter.
pub(super) fn cut_points(affixes: &[Affix], flags: &FlagSets) -> PgResult<Vec<CompoundAffix>> {
    let mut sorted: Vec<&Affix> = affixes.iter().collect();
    sorted.sort_by(|a, b| match (a.kind, b.kind) {
        (Kind::Prefix, Kind::Suffix) => std::cmp::Ordering::Less,
        (Kind::Suffix, Kind::Prefix) => std::cmp::Ordering::Greater,
        (Kind::Prefix, Kind::Prefix) => a.attached.cmp(&b.attached),
        (Kind::Suffix, Kind::Suffix) => a.attached.bytes().rev().cmp(b.attached.bytes().rev()),
    });
    let mut found: Vec<CompoundAffix> = Vec::new();
    for affix in sorted {
        if !affix.compound.has(Compound::ANYWHERE)
            || affix.attached.is_empty()
            || !flags.in_use(&affix.flag)?
        {
            continue;
        }
        let is_suffix = affix.kind == Kind::Suffix;
        let covered =
            |last: &CompoundAffix| last.is_suffix == is_suffix && affix.attached.ends_with(&*last.text);
        if !found.last().is_some_and(covered) {
            found.push(CompoundAffix {
                text: affix.attached.clone(),
                is_suffix,
            });
        }
    }
    Ok(found)
}

/// A word being split: the part that begins at `start`, walked up to `level`.
#[derive(Clone)]
struct Walk {
    parts: Vec<String>,
    start: usize,
    level: usize,
    /// Parts that end here or before have been seen.
    shortest: Option<usize>,
    node: Option<Node>,
}

impl CompoundAffix {
    /// How far behind the start of `rest` a word with this affix may end: in `rest` itself while the dictionary still knows the letters,
    /// anywhere behind otherwise.
    fn reach(&self, rest: &[u8], known: bool) -> Option<usize> {
        let text = self.text.as_bytes();
        if rest.len() <= text.len() {
            return None;
        }
        let at = if known {
            rest.starts_with(text).then_some(0)
        } else {
            memchr::memmem::find(rest, text)
        };
        let end = at? + text.len();
        Some(if self.is_suffix { end } else { 0 })
    }
}

impl Ispell {
    /// All ways to split a word into words; what is no word is the last part.
    pub(super) fn splits(&self, word: &str, cancel: &CancelToken) -> PgResult<Vec<Vec<String>>> {
        let walk = Walk {
            parts: Vec::new(),
            start: 0,
            level: 0,
            shortest: None,
            node: self.words.root(),
        };
        let mut found = Vec::new();
        self.split(word, walk, &mut found, cancel)?;
        Ok(found)
    }

    /// Adds the ways that go on from here: the one of `walk` itself first, then those that branch off.
    fn split(
        &self,
        word: &str,
        mut walk: Walk,
        found: &mut Vec<Vec<String>>,
        cancel: &CancelToken,
    ) -> PgResult<()> {
        let own = found.len();
        found.push(Vec::new());
        let mut unseen = vec![true; word.len()];
        while walk.level < word.len() {
            self.cut_at_affixes(word, &walk, &mut unseen, found, cancel)?;
            let Some(node) = walk.node else { break };
            let letter = word.as_bytes().get(walk.level).copied().unwrap_or(0);
            let Some(step) = self.words.step(node, letter) else {
                walk.node = None;
                walk.level += 1;
                continue;
            };
            let place = if walk.start == 0 {
                Compound::BEGIN
            } else if walk.level + 1 == word.len() {
                Compound::LAST
            } else {
                Compound::MIDDLE
            };
            let fits = step.word.is_some_and(|w| w.compound.has(place));
            let long_enough = walk.shortest.is_none_or(|shortest| walk.level > shortest);
            if fits && long_enough && unseen.get(walk.level).copied().unwrap_or(false) {
                if walk.level + 1 == word.len() {
                    break;
                }
                // A longer word may begin here as well.
                let longer = Walk {
                    shortest: Some(walk.level),
                    ..walk.clone()
                };
                self.split(word, longer, found, cancel)?;
                walk.level += 1;
                walk.parts
                    .extend(word.get(walk.start..walk.level).map(str::to_owned));
                walk.start = walk.level;
                walk.node = self.words.root();
                continue;
            }
            walk.node = step.below;
            walk.level += 1;
        }
        walk.parts.extend(word.get(walk.start..).map(str::to_owned));
        if let Some(place) = found.get_mut(own) {
            *place = walk.parts;
        }
        Ok(())
    }

    /// Cuts at the affixes around the present level where what is before them is a form of a word.
    fn cut_at_affixes(
        &self,
        word: &str,
        walk: &Walk,
        unseen: &mut [bool],
        found: &mut Vec<Vec<String>>,
        cancel: &CancelToken,
    ) -> PgResult<()> {
        if walk.level <= walk.start {
            return Ok(());
        }
        let Some(rest) = word.as_bytes().get(walk.level..) else {
            return Ok(());
        };
        for affix in &self.compound_affixes {
            let Some(reach) = affix.reach(rest, walk.node.is_some()) else {
                continue;
            };
            let end = walk.level + reach;
            let len = end - walk.start;
            let seen = !unseen.get(end - 1).copied().unwrap_or(false);
            let too_short = walk
                .shortest
                .is_some_and(|shortest| walk.level + len <= shortest + 1);
            if seen || too_short || len >= super::WORD_BYTES_MAX {
                continue;
            }
            let Some(part) = word.get(walk.start..end) else {
                continue;
            };
            let place = if walk.level + 1 == word.len() {
                Compound::LAST
            } else {
                Compound::MIDDLE
            };
            let forms = self.forms(part, place, cancel)?;
            if forms.is_empty() {
                continue;
            }
            if let Some(place) = unseen.get_mut(end - 1) {
                *place = false;
            }
            let mut parts = walk.parts.clone();
            parts.extend(forms);
            let next = Walk {
                parts,
                start: end,
                level: end,
                shortest: Some(end),
                node: self.words.root(),
            };
            self.split(word, next, found, cancel)?;
        }
        Ok(())
    }
}
