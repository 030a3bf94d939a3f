//! The words of a dictionary: sorted, and walked letter by letter as if they were a tree.

use common::PgResult;

use super::flags::{Compound, FlagSets, SetId};
use crate::families::textsearch::dictionary::files::is_space;
use crate::families::textsearch::dictionary::lower;

/// A line of the dictionary file.
#[derive(Debug)]
pub(crate) struct WordLine {
    word: String,
    flags: String,
}

impl WordLine {
    /// `word/flags`, up to white space.
    pub fn of(line: &str) -> WordLine {
        let (word, flags) = line.split_once('/').unwrap_or((line, ""));
        let is_flag = |c: &char| c.is_ascii_graphic();
        WordLine {
            word: lower(word.split(is_space).next().unwrap_or("")),
            flags: flags.chars().take_while(is_flag).collect(),
        }
    }
}

/// What is known of a word.
#[derive(Clone, Copy, Debug)]
pub(super) struct WordFacts {
    set: SetId,
    pub compound: Compound,
}

/// All words, sorted by their bytes; each once.
#[derive(Debug, Default)]
pub(super) struct Words {
    text: String,
    ends: Vec<u32>,
    facts: Vec<WordFacts>,
}

/// The words that begin with the letters walked so far, and how many those are. Never empty.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    low: usize,
    high: usize,
    depth: usize,
}

/// What a step leads to.
pub(super) struct Step {
    /// The word that ends here.
    pub word: Option<WordFacts>,
    /// Where longer ones go on.
    pub below: Option<Node>,
}

impl Words {
    /// Sorts the lines of a dictionary file, and joins those of one word.
    pub fn build(mut lines: Vec<WordLine>, flags: &mut FlagSets) -> PgResult<Words> {
        let mut words = Words::default();
        let sets: PgResult<Vec<SetId>> = lines.iter().map(|l| flags.of_word(&l.flags)).collect();
        let mut entries: Vec<(WordLine, SetId)> = lines.drain(..).zip(sets?).collect();
        entries.retain(|(line, _)| !line.word.is_empty());
        entries.sort_by(|a, b| a.0.word.cmp(&b.0.word));
        for same in entries.chunk_by(|a, b| a.0.word == b.0.word) {
            let Some(((line, first), others)) = same.split_first() else {
                continue;
            };
            let mut facts = WordFacts {
                set: *first,
                compound: flags.compound_of(*first)?.completed(),
            };
            for (_, set) in others.iter().filter(|(_, set)| set != first) {
                let both = facts.compound.has(Compound::ONLY) && flags.compound_of(*set)?.has(Compound::ONLY);
                facts.set = flags.merged(facts.set, *set);
                facts.compound = flags.compound_of(facts.set)?.completed();
                // One that may stand alone may do so whatever the others may.
                if !both {
                    facts.compound = facts.compound.without(Compound::ONLY);
                }
            }
            words.text.push_str(&line.word);
            words.ends.push(words.text.len() as u32);
            words.facts.push(facts);
        }
        Ok(words)
    }

    fn bytes(&self, n: usize) -> &[u8] {
        let start = n
            .checked_sub(1)
            .and_then(|p| self.ends.get(p))
            .copied()
            .unwrap_or(0);
        let end = self.ends.get(n).copied().unwrap_or(start);
        &self.text.as_bytes()[start as usize..end as usize]
    }

    /// Where every word begins.
    pub fn root(&self) -> Option<Node> {
        (!self.ends.is_empty()).then_some(Node {
            low: 0,
            high: self.ends.len(),
            depth: 0,
        })
    }

    /// Walks on by one byte; `None`: no word goes on so.
    pub fn step(&self, node: Node, letter: u8) -> Option<Step> {
        let at = |n: usize| self.bytes(n).get(node.depth).copied();
        let first = |wanted: &dyn Fn(Option<u8>) -> bool| {
            let (mut low, mut high) = (node.low, node.high);
            while low < high {
                let middle = low.midpoint(high);
                if wanted(at(middle)) {
                    high = middle;
                } else {
                    low = middle + 1;
                }
            }
            low
        };
        let low = first(&|found| found >= Some(letter));
        let high = first(&|found| found > Some(letter));
        if low >= high {
            return None;
        }
        let depth = node.depth + 1;
        let ends = self.bytes(low).len() == depth;
        let rest = low + usize::from(ends);
        Some(Step {
            word: self.facts.get(low).copied().filter(|_| ends),
            below: (rest < high).then_some(Node {
                low: rest,
                high,
                depth,
            }),
        })
    }

    /// True when a word may stand at a place and has a flag.
    pub fn contains(&self, word: &str, flag: &str, place: Compound, flags: &FlagSets) -> PgResult<bool> {
        let Some(facts) = self.find(word) else {
            return Ok(false);
        };
        let fits = if place == Compound::NONE {
            !facts.compound.has(Compound::ONLY)
        } else {
            facts.compound.has(place)
        };
        Ok(fits && flags.has(facts.set, flag)?)
    }

    fn find(&self, word: &str) -> Option<WordFacts> {
        let (mut low, mut high) = (0, self.ends.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.bytes(middle).cmp(word.as_bytes()) {
                std::cmp::Ordering::Equal => return self.facts.get(middle).copied(),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }
}
