//! `thesaurus`: phrases for phrases.
//!
//! # How it works
//! 1. A file has rules `sample phrase : substitute`. Another dictionary normalizes the words of both.
//! 2. Every sample word remembers in which rules it stands and where. `?` stands for a stop word of the other dictionary.
//! 3. Asked about the first word of a phrase, the thesaurus gathers the rules that begin so, asks for the next token, and keeps those rules
//!    that go on so. A rule at its end gives its substitute; while longer ones are still possible it asks on, and its caller keeps the
//!    answer for the case that nothing comes of them.
//! 4. Of several rules that fit, the last in the file counts.

use std::sync::Arc;

use common::cancel::CancelToken;
use common::error::ErrorExt;
use common::{PgError, PgResult, pg_err};
use rustc_hash::FxHashMap;

use super::files::{ConfigFile, is_space};
use super::store::DictionaryStore;
use super::{Dictionary, Lexeme, Lexemes, nested_thesaurus};

/// Where a caller and a dictionary that looks at several tokens stand.
#[derive(Debug, Default)]
pub(crate) struct LexizeState {
    /// There are no more tokens (told by the caller).
    pub is_end: bool,
    /// The dictionary wants to see the next token.
    pub wants_next: bool,
    /// Rules that fit so far, and how many tokens they have seen.
    rules: Option<Vec<u32>>,
    seen: u16,
}

/// A word of a substitute.
#[derive(Debug)]
struct Substitute {
    word: String,
    /// Marked `*`: not to be normalized.
    as_is: bool,
}

/// A rule as written.
#[derive(Debug, Default)]
pub(crate) struct RuleText {
    sample: Vec<String>,
    substitutes: Vec<Substitute>,
}

/// Where a sample word stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    rule: u32,
    position: u16,
    /// How many lexemes the other dictionary made of the word in this variant; all must be there.
    lexemes: u16,
}

/// A rule, ready to use.
#[derive(Debug)]
struct Rule {
    /// Position of the last sample word.
    last: u16,
    result: Vec<Lexeme>,
}

/// A thesaurus, ready to use.
#[derive(Debug)]
pub(crate) struct Thesaurus {
    pub subdictionary_name: String,
    pub subdictionary: Arc<Dictionary>,
    rules: Vec<Rule>,
    words: FxHashMap<Box<str>, Vec<Place>>,
    /// Where a stop word may stand.
    stops: Vec<Place>,
}

const STOP_WORD: &str = "?";

#[cold]
fn bad(what: &str) -> Box<PgError> {
    pg_err!(CONFIG_FILE_ERROR, "{what}")
}

/// Reads one line: `None` when nothing stands in it.
fn rule_of(line: &str) -> PgResult<Option<RuleText>> {
    let line = line.trim_start_matches(is_space);
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let mut rule = RuleText::default();
    let (sample, substitutes) = line.split_once(':').unwrap_or((line, ""));
    let words = |text| str::split(text, is_space).filter(|w: &&str| !w.is_empty());
    rule.sample = words(sample).map(str::to_owned).collect();
    if rule.sample.is_empty() {
        return Err(bad("unexpected delimiter"));
    }
    for word in words(substitutes) {
        let as_is = word.starts_with('*');
        let word = word.strip_prefix(['*', '\\']).unwrap_or(word);
        if word.is_empty() {
            return Err(bad("unexpected end of line or lexeme"));
        }
        rule.substitutes.push(Substitute {
            word: word.to_owned(),
            as_is,
        });
    }
    if rule.substitutes.is_empty() {
        return Err(bad("unexpected end of line"));
    }
    if rule.sample.len() > usize::from(u16::MAX) {
        return Err(bad("too many lexemes in thesaurus entry"));
    }
    Ok(Some(rule))
}

/// What the other dictionary says to a word of a rule.
struct Normalizer<'a> {
    dictionary: &'a Dictionary,
    cancel: &'a CancelToken,
    /// `sample` or `substitute`.
    kind: &'a str,
}

impl Normalizer<'_> {
    fn lexemes(&self, word: &str, rule: u32) -> PgResult<Vec<Lexeme>> {
        let number = rule + 1;
        let kind = self.kind;
        match self.dictionary.lexize_word(word, self.cancel)? {
            None => Err(pg_err!(
                CONFIG_FILE_ERROR,
                "thesaurus {kind} word \"{word}\" isn't recognized by subdictionary (rule {number})"
            )),
            Some(list) if list.is_empty() => {
                let error = pg_err!(
                    CONFIG_FILE_ERROR,
                    "thesaurus {kind} word \"{word}\" is a stop word (rule {number})"
                );
                Err(if kind == "sample" {
                    error.hint("Use \"?\" to represent a stop word within a sample phrase.")
                } else {
                    error
                })
            }
            Some(list) => Ok(list),
        }
    }
}

/// Lexemes of one variant each.
fn variants(lexemes: &[Lexeme]) -> impl Iterator<Item = &[Lexeme]> {
    lexemes.chunk_by(|a, b| a.variant == b.variant)
}

impl Thesaurus {
    /// Reads the rules of `NAME.ths`.
    pub fn read(store: &DictionaryStore, name: &str) -> PgResult<Vec<RuleText>> {
        let mut rules = Vec::new();
        ConfigFile::open(store, name, "ths", "thesaurus")?.lines(&mut |line| {
            rules.extend(rule_of(line)?);
            Ok(true)
        })?;
        Ok(rules)
    }

    /// Normalizes the words of all rules.
    pub fn compile(
        texts: &[RuleText],
        subdictionary_name: String,
        subdictionary: Arc<Dictionary>,
        cancel: &CancelToken,
    ) -> PgResult<Thesaurus> {
        if matches!(*subdictionary, Dictionary::Thesaurus(_)) {
            return Err(nested_thesaurus());
        }
        let mut made = Thesaurus {
            subdictionary_name,
            subdictionary: Arc::clone(&subdictionary),
            rules: Vec::new(),
            words: FxHashMap::default(),
            stops: Vec::new(),
        };
        let normalizer = |kind| Normalizer {
            dictionary: &subdictionary,
            cancel,
            kind,
        };
        for (number, text) in (0..).zip(texts) {
            made.add_sample(number, text, &normalizer("sample"))?;
        }
        for (number, text) in (0..).zip(texts) {
            let rule = Rule {
                last: (text.sample.len() - 1) as u16,
                result: substitute(number, text, &normalizer("substitute"))?,
            };
            made.rules.push(rule);
        }
        let lists = made.words.values_mut().chain([&mut made.stops]);
        lists.for_each(|places| {
            places.sort_unstable();
            places.dedup();
        });
        Ok(made)
    }

    fn add_sample(&mut self, rule: u32, text: &RuleText, normalizer: &Normalizer<'_>) -> PgResult<()> {
        for (position, word) in (0..).zip(&text.sample) {
            let place = |lexemes: usize| Place {
                rule,
                position,
                lexemes: lexemes as u16,
            };
            if word == STOP_WORD {
                self.stops.push(place(1));
                continue;
            }
            for group in variants(&normalizer.lexemes(word, rule)?) {
                for lexeme in group {
                    let places = self.words.entry(lexeme.word.as_str().into()).or_default();
                    places.push(place(group.len()));
                }
            }
        }
        Ok(())
    }

    /// What becomes of a token, and of those before it that `state` has seen.
    pub fn lexize(&self, token: &str, state: &mut LexizeState, cancel: &CancelToken) -> PgResult<Lexemes> {
        if state.is_end {
            state.wants_next = false;
            return Ok(None);
        }
        let position = if state.rules.is_some() { state.seen } else { 0 };
        let before = state.rules.take();
        let mut fitting = Vec::new();
        match self.subdictionary.lexize_word(token, cancel)? {
            None => {}
            Some(list) if list.is_empty() => {
                gather(&[&self.stops], position, before.as_deref(), &mut fitting);
            }
            Some(list) => {
                for group in variants(&list) {
                    let places: Option<Vec<&[Place]>> = group
                        .iter()
                        .map(|l| self.words.get(l.word.as_str()).map(Vec::as_slice))
                        .collect();
                    if let Some(places) = places {
                        gather(&places, position, before.as_deref(), &mut fitting);
                    }
                }
            }
        }
        if fitting.is_empty() {
            state.wants_next = false;
            return Ok(None);
        }
        let complete = |rule: &&u32| self.rules.get(**rule as usize).filter(|r| r.last == position);
        let result = fitting.iter().rev().find_map(|rule| complete(&rule));
        state.wants_next = result.is_none() || fitting.len() > 1;
        state.seen = position.saturating_add(1);
        state.rules = Some(fitting);
        Ok(result.map(|rule| rule.result.clone()))
    }
}

/// Adds the rules that have all lexemes of one variant at a position, and fitted before.
fn gather(lists: &[&[Place]], position: u16, before: Option<&[u32]>, fitting: &mut Vec<u32>) {
    let Some((first, others)) = lists.split_first() else {
        return;
    };
    let here = |p: &&Place| p.position == position && usize::from(p.lexemes) == lists.len();
    for place in first.iter().filter(here) {
        let in_all = others.iter().all(|list| list.binary_search(place).is_ok());
        let goes_on = before.is_none_or(|rules| rules.contains(&place.rule));
        if in_all && goes_on && !fitting.contains(&place.rule) {
            fitting.push(place.rule);
        }
    }
}

/// The lexemes of a rule's substitute.
fn substitute(number: u32, text: &RuleText, normalizer: &Normalizer<'_>) -> PgResult<Vec<Lexeme>> {
    let mut result: Vec<Lexeme> = Vec::new();
    for Substitute { word, as_is } in &text.substitutes {
        let mut lexemes = if *as_is {
            vec![Lexeme::new(word.as_str())]
        } else {
            normalizer.lexemes(word, number)?
        };
        if let Some(first) = lexemes.first_mut().filter(|_| !result.is_empty()) {
            first.adds_position = true;
        }
        result.append(&mut lexemes);
    }
    Ok(result)
}
