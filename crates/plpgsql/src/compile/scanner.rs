//! A cursor over the tokens of a body.
//!
//! PG: src/pl/plpgsql/src/pl_scanner.c.

use common::error::ErrorExt;
use common::{PgError, PgResult, Span, pg_err};
use parser::ast::Name;
use parser::scan::{Tok, Token, Tokens, lex_error, tokenize};

/// Words that are never names unless quoted.
const RESERVED: [&str; 24] = [
    "all", "begin", "by", "case", "declare", "else", "end", "execute", "for", "foreach", "from", "if", "in",
    "into", "loop", "not", "null", "or", "strict", "then", "to", "using", "when", "while",
];

pub(crate) struct Scanner<'a> {
    pub text: &'a str,
    tokens: Tokens,
    pub at: usize,
}

/// A folded word for a few lengths of names.
fn fold(text: &str) -> Name {
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        Name::from(text.to_ascii_lowercase())
    } else {
        Name::new(text)
    }
}

impl<'a> Scanner<'a> {
    pub fn new(text: &'a str, options: &parser::ParseOptions) -> Scanner<'a> {
        Scanner {
            text,
            tokens: tokenize(text, options),
            at: 0,
        }
    }

    /// The token `ahead` places further; the last one (end or error) repeats.
    pub fn token(&self, ahead: usize) -> Token {
        let tokens = &self.tokens.tokens;
        let end = self.text.len() as u32;
        tokens
            .get(self.at + ahead)
            .or(tokens.last())
            .copied()
            .unwrap_or(Token {
                tok: Tok::Eof,
                start: end,
                end,
                value: parser::scan::NO_VALUE,
            })
    }

    pub fn tok(&self) -> Tok {
        self.token(0).tok
    }

    pub fn start(&self) -> u32 {
        self.token(0).start
    }

    pub fn bump(&mut self) {
        if self.at + 1 < self.tokens.tokens.len() {
            self.at += 1;
        }
    }

    pub fn at_end(&self) -> bool {
        matches!(self.tok(), Tok::Eof | Tok::Error)
    }

    fn source(&self, token: Token) -> &'a str {
        self.text
            .get(token.start as usize..token.end as usize)
            .unwrap_or("")
    }

    fn is_quoted(&self, token: Token) -> bool {
        self.source(token).contains('"')
    }

    /// The word at a place, folded; `None` for anything else, quoted names included.
    pub fn word_at(&self, ahead: usize) -> Option<Name> {
        let token = self.token(ahead);
        match token.tok {
            Tok::Kw(keyword) => Some(Name::new(keyword.as_str())),
            Tok::NotLa => Some(Name::new("not")),
            Tok::NullsLa => Some(Name::new("nulls")),
            Tok::WithLa => Some(Name::new("with")),
            Tok::WithoutLa => Some(Name::new("without")),
            Tok::FormatLa => Some(Name::new("format")),
            Tok::Ident if !self.is_quoted(token) => Some(self.identifier(token)),
            _ => None,
        }
    }

    fn identifier(&self, token: Token) -> Name {
        match self.tokens.values.get(token.value as usize) {
            Some(text) => text.clone(),
            None if self.is_quoted(token) => Name::new(self.source(token).trim_matches('"')),
            None => fold(self.source(token)),
        }
    }

    /// True when the unquoted word `word` is next.
    pub fn is(&self, word: &str) -> bool {
        self.is_at(0, word)
    }

    pub fn is_at(&self, ahead: usize, word: &str) -> bool {
        self.word_at(ahead).is_some_and(|w| w == word)
    }

    pub fn eat(&mut self, word: &str) -> bool {
        let found = self.is(word);
        if found {
            self.bump();
        }
        found
    }

    pub fn is_char(&self, c: char) -> bool {
        self.is_char_at(0, c)
    }

    pub fn is_char_at(&self, ahead: usize, c: char) -> bool {
        self.token(ahead).tok == Tok::Char(c as u8)
    }

    pub fn eat_char(&mut self, c: char) -> bool {
        let found = self.is_char(c);
        if found {
            self.bump();
        }
        found
    }

    /// True when the operator `op` is next (`<<`, `>>`, `#`).
    pub fn is_op(&self, op: &str) -> bool {
        let token = self.token(0);
        matches!(token.tok, Tok::Op | Tok::Char(_)) && self.source(token) == op
    }

    pub fn eat_op(&mut self, op: &str) -> bool {
        let found = self.is_op(op);
        if found {
            self.bump();
        }
        found
    }

    pub fn is_assign_at(&self, ahead: usize) -> bool {
        matches!(self.token(ahead).tok, Tok::ColonEquals | Tok::Char(b'='))
    }

    /// The name at a place, if a name may stand there: no reserved word.
    pub fn name_at(&self, ahead: usize) -> Option<Name> {
        let token = self.token(ahead);
        match self.word_at(ahead) {
            Some(word) if RESERVED.contains(&word.as_str()) => None,
            Some(word) => Some(word),
            None if token.tok == Tok::Ident => Some(self.identifier(token)),
            None => None,
        }
    }

    /// `any_identifier`: a name.
    pub fn identifier_or_fail(&mut self) -> PgResult<Name> {
        match self.name_at(0) {
            Some(name) => {
                self.bump();
                Ok(name)
            }
            None => Err(self.syntax_error()),
        }
    }

    /// The value of the string constant that is next.
    pub fn string(&self) -> Option<Name> {
        let token = self.token(0);
        if token.tok != Tok::SConst {
            return None;
        }
        Some(match self.tokens.values.get(token.value as usize) {
            Some(text) => text.clone(),
            None => {
                let source = self.source(token);
                Name::new(source.get(1..source.len().saturating_sub(1)).unwrap_or(""))
            }
        })
    }

    /// Takes an unquoted word or fails.
    pub fn expect(&mut self, word: &str) -> PgResult<()> {
        if self.eat(word) {
            Ok(())
        } else {
            Err(self.syntax_error())
        }
    }

    pub fn expect_char(&mut self, c: char) -> PgResult<()> {
        if self.eat_char(c) {
            Ok(())
        } else {
            Err(self.syntax_error())
        }
    }

    #[cold]
    pub fn syntax_error(&self) -> Box<PgError> {
        self.error("syntax error")
    }

    /// PostgreSQL's `yyerror`: a message about the token that is next.
    #[cold]
    pub fn error(&self, message: &str) -> Box<PgError> {
        self.error_at(0, message)
    }

    #[cold]
    pub fn error_at(&self, ahead: usize, message: &str) -> Box<PgError> {
        let token = self.token(ahead);
        if token.tok == Tok::Error
            && let Some(error) = &self.tokens.error
        {
            return error.clone();
        }
        lex_error(self.text, message, token.start as usize, token.end as usize)
    }

    /// An error with a text of its own at a place.
    #[cold]
    pub fn plain_error(&self, message: impl std::fmt::Display, at: u32) -> Box<PgError> {
        pg_err!(SYNTAX_ERROR, "{message}").at(Span::new(at, at))
    }

    /// The line (from 1) of a place.
    pub fn line(&self, at: u32) -> u32 {
        let before = self.text.as_bytes().get(..at as usize).unwrap_or_default();
        before.iter().filter(|b| **b == b'\n').count() as u32 + 1
    }

    /// The text between two places.
    pub fn between(&self, start: u32, end: u32) -> &'a str {
        self.text.get(start as usize..end as usize).unwrap_or("")
    }

    /// The end of the token before the next one.
    pub fn last_end(&self) -> u32 {
        let before = self.at.checked_sub(1);
        before
            .and_then(|at| self.tokens.tokens.get(at))
            .map_or(0, |t| t.end)
    }
}
