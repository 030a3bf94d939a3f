//! Words as they are written in the text of a `tsvector` or `tsquery`.

use common::{PgError, PgResult, pg_err};

use crate::textsearch::vector::Position;
use crate::textsearch::{POSITION_MAX, is_space};

/// Whose text is read: what ends a word, and the name in errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grammar {
    /// Words with positions.
    Vector,
    /// Operands between operators.
    Query,
    /// Operands of a web search: quotes and backslashes are nothing special, double quotes end a word.
    Web,
}

/// A word of the text.
pub(crate) struct Token {
    pub word: String,
    pub positions: Vec<Position>,
    /// Where the rest of the text begins.
    pub end: usize,
}

impl Grammar {
    fn is_delimiter(self, c: char) -> bool {
        match self {
            Grammar::Vector => false,
            Grammar::Query => is_operator(c) || c == '<',
            Grammar::Web => is_operator(c) || c == '"',
        }
    }

    /// `syntax error in tsvector: "..."`.
    #[cold]
    pub fn syntax_error(self, whole: &str) -> Box<PgError> {
        let name = if self == Grammar::Vector {
            "tsvector"
        } else {
            "tsquery"
        };
        pg_err!(SYNTAX_ERROR, "syntax error in {name}: \"{whole}\"")
    }
}

fn is_operator(c: char) -> bool {
    matches!(c, '!' | '&' | '|' | '(' | ')')
}

/// Reads one word.
pub(crate) struct WordReader<'a> {
    grammar: Grammar,
    whole: &'a str,
    at: usize,
    word: String,
}

impl<'a> WordReader<'a> {
    pub fn new(grammar: Grammar, whole: &'a str, at: usize) -> WordReader<'a> {
        WordReader {
            grammar,
            whole,
            at,
            word: String::new(),
        }
    }

    fn peek(&self) -> Option<char> {
        self.whole.get(self.at..).and_then(|s| s.chars().next())
    }

    fn skip(&mut self, c: char) {
        self.at += c.len_utf8();
    }

    fn fail<T>(&self) -> PgResult<T> {
        Err(self.grammar.syntax_error(self.whole))
    }

    fn token(self, positions: Vec<Position>) -> PgResult<Option<Token>> {
        if self.word.is_empty() {
            return self.fail();
        }
        Ok(Some(Token {
            word: self.word,
            positions,
            end: self.at,
        }))
    }

    /// The character behind a backslash.
    fn escaped(&mut self) -> PgResult<()> {
        match self.peek() {
            Some(c) => {
                self.word.push(c);
                self.skip(c);
                Ok(())
            }
            None => Err(pg_err!(
                SYNTAX_ERROR,
                "there is no escaped character: \"{}\"",
                self.whole
            )),
        }
    }

    /// The next word; `None` at the end of the text.
    pub fn read(mut self) -> PgResult<Option<Token>> {
        while let Some(c) = self.peek().filter(|c| is_space(*c)) {
            self.skip(c);
        }
        match self.peek() {
            None => return Ok(None),
            Some('\'') if self.grammar != Grammar::Web => {
                self.skip('\'');
                return self.quoted();
            }
            Some(c) if self.grammar.is_delimiter(c) => return self.fail(),
            Some(_) => {}
        }
        // The first character belongs to the word whatever it is, a colon too.
        if let Some(c) = self.peek().filter(|c| *c != '\\' || self.grammar == Grammar::Web) {
            self.word.push(c);
            self.skip(c);
        }
        loop {
            match self.peek() {
                Some('\\') if self.grammar != Grammar::Web => {
                    self.skip('\\');
                    self.escaped()?;
                }
                Some(':') if self.grammar == Grammar::Vector => {
                    self.skip(':');
                    let positions = self.positions()?;
                    return self.token(positions);
                }
                Some(c) if !is_space(c) && c != ':' && !self.grammar.is_delimiter(c) => {
                    self.word.push(c);
                    self.skip(c);
                }
                _ => return self.token(Vec::new()),
            }
        }
    }

    fn quoted(mut self) -> PgResult<Option<Token>> {
        loop {
            let Some(c) = self.peek() else { return self.fail() };
            self.skip(c);
            match c {
                '\\' => self.escaped()?,
                '\'' if self.peek() == Some('\'') => {
                    self.skip('\'');
                    self.word.push('\'');
                }
                '\'' => break,
                _ => self.word.push(c),
            }
        }
        if self.grammar == Grammar::Vector && self.peek() == Some(':') && !self.word.is_empty() {
            self.skip(':');
            let positions = self.positions()?;
            return self.token(positions);
        }
        self.token(Vec::new())
    }

    /// `12A,13`, behind the colon.
    fn positions(&mut self) -> PgResult<Vec<Position>> {
        let mut found = Vec::new();
        loop {
            let digits = self.whole[self.at..]
                .bytes()
                .take_while(u8::is_ascii_digit)
                .count();
            if digits == 0 {
                return self.fail();
            }
            let number = self.whole[self.at..self.at + digits].parse::<u32>();
            self.at += digits;
            let position = number.unwrap_or(u32::MAX).min(u32::from(POSITION_MAX)) as u16;
            if position == 0 {
                return Err(pg_err!(
                    SYNTAX_ERROR,
                    "wrong position info in tsvector: \"{}\"",
                    self.whole
                ));
            }
            let mut weight = 0;
            loop {
                match self.peek() {
                    None => {
                        found.push(Position::new(position, weight));
                        return Ok(found);
                    }
                    Some(',') => break self.skip(','),
                    Some(c) if is_space(c) => {
                        found.push(Position::new(position, weight));
                        return Ok(found);
                    }
                    Some(c) => {
                        let new = match c {
                            'a' | 'A' | '*' => 3,
                            'b' | 'B' => 2,
                            'c' | 'C' => 1,
                            'd' | 'D' => 0,
                            // Digits behind a weight are passed over.
                            '0'..='9' => weight,
                            _ => return self.fail(),
                        };
                        if weight != 0 && !c.is_ascii_digit() {
                            return self.fail();
                        }
                        weight = new;
                        self.skip(c);
                    }
                }
            }
            found.push(Position::new(position, weight));
        }
    }
}
