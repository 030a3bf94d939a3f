//! `synonym`: one word for another, from a file with a pair a line.

use common::PgResult;
use rustc_hash::FxHashMap;

use super::files::{ConfigFile, is_space};
use super::store::DictionaryStore;
use super::{Lexeme, Lexemes, lower};

/// Words and what stands for them.
#[derive(Debug)]
pub(crate) struct Synonyms {
    words: FxHashMap<Box<str>, Lexeme>,
    case_sensitive: bool,
}

/// The next word of a line, and what follows.
fn next_word(line: &str) -> (&str, &str) {
    let line = line.trim_start_matches(is_space);
    line.split_at(line.find(is_space).unwrap_or(line.len()))
}

impl Synonyms {
    /// Reads `NAME.syn`.
    pub fn read(store: &DictionaryStore, name: &str, case_sensitive: bool) -> PgResult<Synonyms> {
        let fold = |word: &str| {
            if case_sensitive {
                word.to_owned()
            } else {
                lower(word)
            }
        };
        let mut words = FxHashMap::default();
        ConfigFile::open(store, name, "syn", "synonym")?.lines(&mut |line| {
            let (word, rest) = next_word(line);
            let (synonym, _) = next_word(rest);
            // A word alone is no pair; PostgreSQL does not mind either.
            if synonym.is_empty() {
                return Ok(true);
            }
            let prefix = synonym.ends_with('*');
            let lexeme = Lexeme {
                prefix,
                ..Lexeme::new(fold(synonym.strip_suffix('*').unwrap_or(synonym)))
            };
            words.insert(fold(word).into_boxed_str(), lexeme);
            Ok(true)
        })?;
        Ok(Synonyms {
            words,
            case_sensitive,
        })
    }

    /// What stands for a token.
    pub fn lexize(&self, token: &str) -> Lexemes {
        let found = if self.case_sensitive {
            self.words.get(token)
        } else {
            self.words.get(lower(token).as_str())
        };
        found.map(|lexeme| vec![lexeme.clone()])
    }
}
