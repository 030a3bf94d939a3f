//! Dictionaries: what becomes of a token.
//!
//! | file | what |
//! | --- | --- |
//! | `store.rs` | dictionaries opened once for all sessions; where their files come from |
//! | `files.rs` | configuration files by lines, with PostgreSQL's errors; stop words |
//! | `options.rs` | options as `pg_ts_dict` keeps them |
//! | `stem.rs` | Snowball |
//! | `synonym.rs`, `thesaurus.rs` | words and phrases for words and phrases |
//! | `ispell/` | words by affixes and parts: the formats of Ispell, MySpell and Hunspell |
//!
//! # How it works
//! A dictionary is asked about one token and answers with lexemes (none: a stop word), or that it does not know it. A thesaurus may ask for
//! the following token, too: it then keeps what it saw in a [`LexizeState`] that belongs to its caller, see `config.rs`.

mod files;
mod ispell;
mod options;
mod stem;
mod store;
mod synonym;
mod thesaurus;

pub use options::{dictionary_options, template_of};
pub use store::{DictionaryStore, TextSearchFiles, check_dictionary};

use common::PgResult;
use common::cancel::CancelToken;
use common::internal;

pub(crate) use store::dictionary;
pub(crate) use thesaurus::LexizeState;

use files::StopWords;

/// What a dictionary makes of a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lexeme {
    /// The word to index and to search for.
    pub word: String,
    /// Lexemes of one number belong together (parts of a compound); different numbers are alternatives.
    pub variant: u16,
    /// It stands one position behind the lexeme before it.
    pub adds_position: bool,
    /// In a query it stands for all words that begin so.
    pub prefix: bool,
}

impl Lexeme {
    fn new(word: impl Into<String>) -> Lexeme {
        Lexeme {
            word: word.into(),
            ..Lexeme::default()
        }
    }
}

/// Lexemes of a known token; `None`: the dictionary does not know it.
pub(crate) type Lexemes = Option<Vec<Lexeme>>;

/// A dictionary, ready to use.
#[derive(Debug)]
pub(crate) enum Dictionary {
    /// Lower case, without stop words; with `accept` it knows every word.
    Simple { stop: StopWords, accept: bool },
    /// Stems.
    Snowball(stem::Snowball),
    /// Words for words.
    Synonym(synonym::Synonyms),
    /// Phrases for phrases.
    Thesaurus(thesaurus::Thesaurus),
    /// Words with affixes.
    Ispell(Box<ispell::Ispell>),
}

/// Lower case as dictionaries see it: the database's character type is C.
fn lower(text: &str) -> String {
    text.to_ascii_lowercase()
}

impl Dictionary {
    /// The lexemes of one token that no other follows: what `ts_lexize` says.
    pub fn lexize_alone(&self, token: &str, cancel: &CancelToken) -> PgResult<Lexemes> {
        let mut state = LexizeState::default();
        let first = self.lexize(token, &mut state, cancel)?;
        if !state.wants_next {
            return Ok(first);
        }
        state.is_end = true;
        Ok(self.lexize(token, &mut state, cancel)?.or(first))
    }

    /// The lexemes of a token in its context.
    pub fn lexize(&self, token: &str, state: &mut LexizeState, cancel: &CancelToken) -> PgResult<Lexemes> {
        match self {
            Dictionary::Thesaurus(thesaurus) => thesaurus.lexize(token, state, cancel),
            other => {
                state.wants_next = false;
                other.lexize_word(token, cancel)
            }
        }
    }

    /// The lexemes of a token without context: a thesaurus has none of those.
    fn lexize_word(&self, token: &str, cancel: &CancelToken) -> PgResult<Lexemes> {
        Ok(match self {
            Dictionary::Simple { stop, accept } => {
                let word = lower(token);
                if word.is_empty() || stop.contains(&word) {
                    Some(Vec::new())
                } else {
                    accept.then(|| vec![Lexeme::new(word)])
                }
            }
            Dictionary::Snowball(snowball) => Some(snowball.lexize(token)),
            Dictionary::Synonym(synonyms) => synonyms.lexize(token),
            Dictionary::Ispell(ispell) => return ispell.lexize(token, cancel),
            Dictionary::Thesaurus(_) => return Err(nested_thesaurus()),
        })
    }
}

#[cold]
fn nested_thesaurus() -> Box<common::PgError> {
    internal!("forbidden call of thesaurus or nested call")
}
