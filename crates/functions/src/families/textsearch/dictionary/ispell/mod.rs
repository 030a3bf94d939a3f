//! `ispell`: words by affixes and parts, from the files of Ispell, MySpell and Hunspell.
//!
//! | file | what |
//! | --- | --- |
//! | `flags.rs` | sets of flags: which affixes a word takes, what it may do in compounds |
//! | `affix.rs` | an affix, and undoing it |
//! | `affix_file.rs`, `old_format.rs` | reading affix files: MySpell's and Hunspell's, Ispell's |
//! | `words.rs` | the words of the dictionary, walked letter by letter |
//! | `compound.rs` | splitting words into words |
//!
//! # How it works
//! 1. The dictionary file has base forms with flags (`sky/A`), the affix file what each flag means (`A`: `IES` for `Y` at the end).
//! 2. A token is looked up as it is, without each prefix and suffix that its ends could be, and without both: what remains must be a word that
//!    has the affix's flag. Every base form found so is a lexeme, and an alternative to the others.
//! 3. Where the language has compounds, the token is also split in all ways into words that may stand there; the last part is
//!    normalized as in step 2.
//!
//! # Invariants
//! - Letters are bytes while walking: files and tokens are UTF-8, so what matches ends between characters.
//! - What PostgreSQL bounds is bounded in the same way: forms of a word, length of words.
//!
//! PG: src/backend/tsearch/spell.c.

mod affix;
mod affix_file;
mod compound;
mod flags;
mod old_format;
mod words;

use common::PgResult;
use common::cancel::CancelToken;

use super::files::{ConfigFile, StopWords};
use super::store::DictionaryStore;
use super::{Lexeme, Lexemes, lower};
use affix::{Affix, AffixIndex, Attached, Kind};
use compound::CompoundAffix;
use flags::{Compound, FlagSets};
use words::{WordLine, Words};

/// Longer words have no base forms.
const WORD_BYTES_MAX: usize = 256;
/// More forms of a word are not looked for.
const FORMS_MAX: usize = 1024;

/// A dictionary of words and affixes, ready to use.
#[derive(Debug)]
pub(crate) struct Ispell {
    flags: FlagSets,
    words: Words,
    prefixes: AffixIndex,
    suffixes: AffixIndex,
    /// Affixes at which compounds may be cut.
    compound_affixes: Vec<CompoundAffix>,
    stop: StopWords,
}

/// What stands in an affix file.
#[derive(Debug, Default)]
pub(crate) struct AffixFile {
    flags: FlagSets,
    affixes: Vec<Affix>,
}

/// Base forms, each once behind itself.
#[derive(Default)]
struct Forms(Vec<String>);

impl Forms {
    fn push(&mut self, word: &str) {
        if self.0.len() < FORMS_MAX - 1 && self.0.last().is_none_or(|last| last != word) {
            self.0.push(word.to_owned());
        }
    }
}

impl Ispell {
    /// Reads `NAME.dict`.
    pub fn read_words(store: &DictionaryStore, name: &str) -> PgResult<Vec<WordLine>> {
        let mut lines = Vec::new();
        ConfigFile::open(store, name, "dict", "dictionary")?.lines(&mut |line| {
            lines.push(WordLine::of(line));
            Ok(true)
        })?;
        Ok(lines)
    }

    /// Reads `NAME.affix`.
    pub fn read_affixes(store: &DictionaryStore, name: &str) -> PgResult<AffixFile> {
        let file = ConfigFile::open(store, name, "affix", "affix")?;
        affix_file::read(&file)
    }

    /// Puts words and affixes together.
    pub fn build(file: AffixFile, lines: Vec<WordLine>, stop: StopWords) -> PgResult<Ispell> {
        let AffixFile { mut flags, affixes } = file;
        let words = Words::build(lines, &mut flags)?;
        let compound_affixes = compound::cut_points(&affixes, &flags)?;
        let (prefixes, suffixes) = affixes.into_iter().partition(|a| a.kind == Kind::Prefix);
        Ok(Ispell {
            words,
            prefixes: AffixIndex::new(prefixes),
            suffixes: AffixIndex::new(suffixes),
            compound_affixes,
            flags,
            stop,
        })
    }

    /// The base forms of a token, without stop words.
    pub fn lexize(&self, token: &str, cancel: &CancelToken) -> PgResult<Lexemes> {
        let word = lower(token);
        if word.is_empty() {
            return Ok(None);
        }
        let mut lexemes: Vec<Lexeme> = Vec::new();
        let mut push = |word: &str, variant: u16| {
            if lexemes.len() < FORMS_MAX - 1 {
                lexemes.push(Lexeme {
                    variant,
                    ..Lexeme::new(word)
                });
            }
        };
        let mut variant = 1_u16;
        for form in self.forms(&word, Compound::NONE, cancel)? {
            push(&form, variant);
            variant += 1;
        }
        if self.flags.has_compounds() {
            for parts in self.splits(&word, cancel)? {
                let Some((last, others)) = parts.split_last().filter(|(_, others)| !others.is_empty()) else {
                    continue;
                };
                for form in self.forms(last, Compound::LAST, cancel)? {
                    others.iter().for_each(|part| push(part, variant));
                    push(&form, variant);
                    variant = variant.wrapping_add(1);
                }
            }
        }
        if lexemes.is_empty() {
            return Ok(None);
        }
        lexemes.retain(|l| !self.stop.contains(&l.word));
        Ok(Some(lexemes))
    }

    /// The base forms of a word that stands alone or at a place in a compound.
    fn forms(&self, word: &str, place: Compound, cancel: &CancelToken) -> PgResult<Vec<String>> {
        cancel.check()?;
        let mut forms = Forms::default();
        if word.len() > WORD_BYTES_MAX {
            return Ok(forms.0);
        }
        if self.words.contains(word, "", place, &self.flags)? {
            forms.push(word);
        }
        for prefix in self.prefixes.of(word) {
            if let Some(base) = prefix.undo(word, place, Attached::Alone, cancel)?
                && self.words.contains(&base, &prefix.flag, place, &self.flags)?
            {
                forms.push(&base);
            }
        }
        for suffix in self.suffixes.of(word) {
            let Some(base) = suffix.undo(word, place, Attached::Alone, cancel)? else {
                continue;
            };
            if self.words.contains(&base, &suffix.flag, place, &self.flags)? {
                forms.push(&base);
            }
            let kept = word.len() - suffix.attached.len();
            for prefix in self.prefixes.of(&base) {
                let Some(inner) = prefix.undo(&base, place, Attached::Before { kept }, cancel)? else {
                    continue;
                };
                // Affixes that combine freely need no flag of the word's for the prefix.
                let flag = if prefix.crosses && suffix.crosses {
                    ""
                } else {
                    &*prefix.flag
                };
                if self.words.contains(&inner, flag, place, &self.flags)? {
                    forms.push(&inner);
                }
            }
        }
        Ok(forms.0)
    }
}
