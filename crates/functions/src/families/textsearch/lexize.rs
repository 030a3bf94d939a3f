//! Tokens through the dictionaries of a configuration.
//!
//! # How it works
//! A token is shown to the dictionaries of its kind in turn, until one knows it. Where one wants to see the following tokens too (a
//! thesaurus), tokens wait until it has found its phrase or given up; in the latter case the first of them goes on with the next dictionary.
//!
//! PG: src/backend/tsearch/ts_parse.c.

use std::collections::VecDeque;
use std::sync::Arc;

use common::cancel::CancelToken;
use common::{Oid, PgResult};

use crate::families::textsearch::config::Config;
use crate::families::textsearch::dictionary::{Dictionary, Lexeme, LexizeState};
use crate::families::textsearch::parser::Kind;

/// A token of the parser.
pub(crate) type Token<'t> = (Kind, &'t str);

/// The tokens of a document on their way through the dictionaries.
pub(crate) struct Lexizer<'c, 't> {
    config: &'c Config,
    cancel: &'c CancelToken,
    /// Tokens that no lexemes have been made of yet; `None` is the end of the document.
    waiting: VecDeque<Option<Token<'t>>>,
    /// Tokens that are done with, until somebody asks for them.
    used: Vec<Token<'t>>,
    /// The dictionary to begin with for the first waiting token.
    first_dictionary: usize,
    phrase: Option<Phrase>,
}

/// A dictionary in the middle of a phrase.
struct Phrase {
    oid: Oid,
    dictionary: Arc<Dictionary>,
    state: LexizeState,
    /// The waiting token that it sees next.
    next: usize,
    /// What it would make of that many waiting tokens if nothing longer came.
    found: Option<(Vec<Lexeme>, usize)>,
}

/// What looking at waiting tokens came to.
enum Outcome {
    Lexemes(Vec<Lexeme>),
    /// Somewhere else to look.
    Again,
    /// More tokens are needed.
    Wait,
}

impl<'c, 't> Lexizer<'c, 't> {
    pub fn new(config: &'c Config, cancel: &'c CancelToken) -> Lexizer<'c, 't> {
        Lexizer {
            config,
            cancel,
            waiting: VecDeque::new(),
            used: Vec::new(),
            first_dictionary: 0,
            phrase: None,
        }
    }

    /// Adds a token.
    pub fn push(&mut self, token: Token<'t>) {
        self.waiting.push_back(Some(token));
    }

    /// Says that no more tokens come.
    pub fn end(&mut self) {
        self.waiting.push_back(None);
    }

    /// The next lexemes (none: a stop word); `None` when nothing can be said before another token comes.
    pub fn next_lexemes(&mut self) -> PgResult<Option<Vec<Lexeme>>> {
        loop {
            let outcome = match self.phrase.take() {
                Some(phrase) => self.go_on(phrase)?,
                None => self.begin()?,
            };
            match outcome {
                Outcome::Lexemes(lexemes) => return Ok(Some(lexemes)),
                Outcome::Again => {}
                Outcome::Wait => return Ok(None),
            }
        }
    }

    /// The tokens that are done with since the last call: those behind the lexemes, and those before them that nobody knew.
    pub fn take_used(&mut self) -> Vec<Token<'t>> {
        std::mem::take(&mut self.used)
    }

    fn finish(&mut self, count: usize) {
        self.used.extend(self.waiting.drain(..count).flatten());
        self.first_dictionary = 0;
    }

    /// Shows the first waiting token to the dictionaries.
    fn begin(&mut self) -> PgResult<Outcome> {
        let Some(first) = self.waiting.front() else {
            return Ok(Outcome::Wait);
        };
        let &Some((kind, token)) = first else {
            self.finish(1);
            return Ok(Outcome::Again);
        };
        let config = self.config;
        for (number, (oid, dictionary)) in config
            .dictionaries(kind)
            .iter()
            .enumerate()
            .skip(self.first_dictionary)
        {
            let mut state = LexizeState::default();
            let lexemes = dictionary.lexize(token, &mut state, self.cancel)?;
            if state.wants_next {
                self.first_dictionary = number + 1;
                self.phrase = Some(Phrase {
                    oid: *oid,
                    dictionary: Arc::clone(dictionary),
                    state,
                    next: 1,
                    found: lexemes.map(|l| (l, 1)),
                });
                return Ok(Outcome::Again);
            }
            if let Some(lexemes) = lexemes {
                self.finish(1);
                return Ok(Outcome::Lexemes(lexemes));
            }
        }
        self.finish(1);
        Ok(Outcome::Again)
    }

    /// Shows the following tokens to the dictionary that asked for them.
    fn go_on(&mut self, mut phrase: Phrase) -> PgResult<Outcome> {
        while let Some(token) = self.waiting.get(phrase.next).copied() {
            let text = match token {
                Some((kind, text)) => {
                    let dictionaries = self.config.dictionaries(kind);
                    // Blanks and the like do not count.
                    if dictionaries.is_empty() {
                        phrase.next += 1;
                        continue;
                    }
                    if !dictionaries.iter().any(|(oid, _)| *oid == phrase.oid) {
                        return Ok(Outcome::Again);
                    }
                    text
                }
                None => "",
            };
            phrase.state.is_end = token.is_none();
            let lexemes = phrase.dictionary.lexize(text, &mut phrase.state, self.cancel)?;
            let count = phrase.next + 1;
            if phrase.state.wants_next {
                phrase.next = count;
                if let Some(lexemes) = lexemes {
                    phrase.found = Some((lexemes, count));
                }
                continue;
            }
            return Ok(match lexemes.map(|l| (l, count)).or(phrase.found) {
                Some((lexemes, count)) => {
                    self.finish(count);
                    Outcome::Lexemes(lexemes)
                }
                // It gave up: the first token goes on behind it.
                None => Outcome::Again,
            });
        }
        self.phrase = Some(phrase);
        Ok(Outcome::Wait)
    }
}
