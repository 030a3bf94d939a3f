//! Snowball: words to stems.
//!
//! Stemming is crate `waken_snowball` (Snowball 3), which agrees with PostgreSQL 18 on all but a few words (German 1.2 %,
//! Swedish 1 %, English and French 0.1 % of the 40,000 most frequent ones, ...).

use common::{PgError, PgResult, pg_err};
use waken_snowball::Algorithm;

use super::files::StopWords;
use super::{Lexeme, lower};

/// A stemmer with its stop words.
#[derive(Debug)]
pub(crate) struct Snowball {
    algorithm: Option<Algorithm>,
    stop: StopWords,
}

/// Longer words are no words: they stay as they are.
const WORD_BYTES_MAX: usize = 1000;

impl Snowball {
    pub(super) fn new(algorithm: Option<Algorithm>, stop: StopWords) -> Snowball {
        Snowball { algorithm, stop }
    }

    pub(super) fn lexize(&self, token: &str) -> Vec<Lexeme> {
        let word = lower(token);
        if word.len() > WORD_BYTES_MAX {
            return vec![Lexeme::new(word)];
        }
        if word.is_empty() || self.stop.contains(&word) {
            return Vec::new();
        }
        vec![Lexeme::new(match self.algorithm {
            Some(algorithm) => stem(algorithm, word),
            None => word,
        })]
    }
}

fn stem(algorithm: Algorithm, word: String) -> String {
    let found = algorithm.stemmer().stem(&word).into_owned();
    // A stem of nothing is the word.
    if found.is_empty() { word } else { found }
}

/// The stemmer of a language; `simple` has none.
pub(super) fn algorithm(language: &str) -> PgResult<Option<Algorithm>> {
    let name = language.to_ascii_lowercase();
    Ok(match name.as_str() {
        "simple" => None,
        // PostgreSQL 18 has what Snowball 3 renamed.
        "dutch" => Some(Algorithm::DutchPorter),
        "esperanto" | "lovins" | "dutch_porter" => return Err(no_stemmer(language)),
        name => match Algorithm::from_str(name) {
            Some(found) => Some(found),
            None => return Err(no_stemmer(language)),
        },
    })
}

#[cold]
fn no_stemmer(language: &str) -> Box<PgError> {
    pg_err!(
        UNDEFINED_OBJECT,
        "no Snowball stemmer available for language \"{language}\" and encoding \"UTF8\""
    )
}
