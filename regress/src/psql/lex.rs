//! Cutting input lines into statements as psql does: quotes, dollar quotes, comments, parentheses, BEGIN ATOMIC bodies, variables.
//!
//! # How it works
//! [`Lexer::scan`] reads a line (or what is left of one), appends to the query buffer and stops at a semicolon that ends a
//! statement, at a backslash command, or at the end of the line. The state survives line ends, so that a quote may span lines.
//! Variable references are replaced in the line itself, so that their text is scanned like typed text.

use super::vars::Variables;

/// Why scanning stopped.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    /// A statement is complete.
    Semicolon,
    /// A backslash command begins (after the backslash).
    Backslash,
    /// The line is used up.
    EndOfLine,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Plain,
    Quote { escapes: bool },
    Identifier,
    Dollar(String),
    Comment(usize),
}

/// What is known of the text read so far.
#[derive(Debug)]
pub struct Lexer {
    state: State,
    parens: usize,
    /// First letters of the first words, for CREATE [OR REPLACE] FUNCTION|PROCEDURE.
    words: Vec<u8>,
    begin_depth: usize,
    /// `standard_conforming_strings`.
    pub standard_strings: bool,
}

impl Default for Lexer {
    fn default() -> Lexer {
        Lexer {
            state: State::Plain,
            parens: 0,
            words: Vec::new(),
            begin_depth: 0,
            standard_strings: true,
        }
    }
}

fn is_word_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || !c.is_ascii()
}

fn is_word(c: char) -> bool {
    is_word_start(c) || c.is_ascii_digit()
}

/// Length in bytes of the characters at the front that satisfy `f`.
fn prefix(text: &str, f: impl Fn(char) -> bool) -> usize {
    text.find(|c| !f(c)).unwrap_or(text.len())
}

impl Lexer {
    /// Forgets everything, as `\r` does.
    pub fn reset(&mut self) {
        *self = Lexer {
            standard_strings: self.standard_strings,
            ..Lexer::default()
        };
    }

    /// Inside of a string, identifier, dollar quote or comment.
    pub fn in_quote(&self) -> bool {
        self.state != State::Plain
    }

    /// Reads `line` from `*at`.
    pub fn scan(&mut self, line: &mut String, at: &mut usize, query: &mut String, vars: &Variables) -> Stop {
        while *at < line.len() {
            let from = *at;
            if self.state != State::Plain {
                *at += self.quoted(&line[from..]);
                query.push_str(&line[from..*at]);
                continue;
            }
            if let Some(stop) = self.plain(line, at, query, vars) {
                return stop;
            }
        }
        Stop::EndOfLine
    }

    /// Bytes of the text that belong to the current quote or comment; leaves its state where it ends.
    fn quoted(&mut self, rest: &str) -> usize {
        match &mut self.state {
            State::Plain => 0,
            State::Quote { escapes } => {
                let escapes = *escapes;
                let bytes = rest.as_bytes();
                let mut i = 0;
                while i < bytes.len() {
                    if escapes && bytes[i] == b'\\' {
                        i += 1 + rest[i + 1..].chars().next().map_or(0, char::len_utf8);
                    } else if bytes[i] == b'\'' {
                        i += 1;
                        if bytes.get(i) == Some(&b'\'') {
                            i += 1;
                            continue;
                        }
                        self.state = State::Plain;
                        return i;
                    } else {
                        i += 1;
                    }
                }
                i
            }
            State::Identifier => match rest.find('"') {
                Some(end) => {
                    self.state = State::Plain;
                    end + 1
                }
                None => rest.len(),
            },
            State::Dollar(tag) => match rest.find(tag.as_str()) {
                Some(end) => {
                    let n = end + tag.len();
                    self.state = State::Plain;
                    n
                }
                None => rest.len(),
            },
            State::Comment(depth) => {
                let open = rest.find("/*");
                let close = rest.find("*/");
                match (open, close) {
                    (Some(o), Some(c)) if o < c => {
                        *depth += 1;
                        o + 2
                    }
                    (_, Some(c)) => {
                        *depth -= 1;
                        if *depth == 0 {
                            self.state = State::Plain;
                        }
                        c + 2
                    }
                    (Some(o), None) => {
                        *depth += 1;
                        o + 2
                    }
                    (None, None) => rest.len(),
                }
            }
        }
    }

    /// One token outside of quotes.
    fn plain(
        &mut self,
        line: &mut String,
        at: &mut usize,
        query: &mut String,
        vars: &Variables,
    ) -> Option<Stop> {
        let rest = &line[*at..];
        let c = rest.chars().next()?;
        let take = |n: usize, at: &mut usize, query: &mut String| {
            query.push_str(&rest[..n]);
            *at += n;
        };
        // White space and `--` comments before a statement are not sent.
        if c.is_ascii_whitespace() || rest.starts_with("--") {
            let n = if c == '-' {
                rest.len()
            } else {
                prefix(rest, |c| c.is_ascii_whitespace())
            };
            if query.is_empty() {
                *at += n;
            } else {
                take(n, at, query);
            }
            return None;
        }
        if rest.starts_with("/*") {
            self.state = State::Comment(1);
            take(2, at, query);
            return None;
        }
        match c {
            '\'' => {
                self.state = State::Quote {
                    escapes: !self.standard_strings,
                };
                take(1, at, query);
            }
            '"' => {
                self.state = State::Identifier;
                take(1, at, query);
            }
            '$' => {
                let n = 1 + prefix(&rest[1..], is_word);
                let tag_ok = !rest[1..].starts_with(|c: char| c.is_ascii_digit());
                if tag_ok && rest[n..].starts_with('$') {
                    self.state = State::Dollar(rest[..=n].to_owned());
                    take(n + 1, at, query);
                } else {
                    take(n, at, query);
                }
            }
            '(' => {
                self.parens += 1;
                take(1, at, query);
            }
            ')' => {
                self.parens = self.parens.saturating_sub(1);
                take(1, at, query);
            }
            ';' => {
                take(1, at, query);
                if self.parens == 0 && self.begin_depth == 0 {
                    self.words.clear();
                    return Some(Stop::Semicolon);
                }
            }
            '\\' => {
                if let Some(escaped @ (';' | ':')) = rest[1..].chars().next() {
                    query.push(escaped);
                    if escaped == ';' && self.parens == 0 {
                        self.words.clear();
                    }
                    *at += 2;
                    return None;
                }
                *at += 1;
                return Some(Stop::Backslash);
            }
            ':' => self.colon(line, at, query, vars),
            c if is_word_start(c) => self.word(line, at, query),
            c if c.is_ascii_digit() => {
                let n = prefix(rest, |c| is_word(c) || c == '$');
                take(n, at, query);
            }
            c => take(c.len_utf8(), at, query),
        }
        None
    }

    fn word(&mut self, line: &str, at: &mut usize, query: &mut String) {
        let rest = &line[*at..];
        let n = prefix(rest, |c| is_word(c) || c == '$');
        let word = rest[..n].to_ascii_lowercase();
        query.push_str(&rest[..n]);
        *at += n;
        let tail = &rest[n..];
        if tail.starts_with('\'') && matches!(word.as_str(), "e" | "b" | "x" | "n") {
            self.state = State::Quote {
                escapes: word == "e" || (word == "n" && !self.standard_strings),
            };
            query.push('\'');
            *at += 1;
            return;
        }
        if word == "u" && tail.starts_with("&'") {
            self.state = State::Quote { escapes: false };
            query.push_str("&'");
            *at += 2;
            return;
        }
        if self.words.len() < 4 {
            let known = matches!(
                word.as_str(),
                "create" | "function" | "procedure" | "or" | "replace"
            );
            self.words.push(if known { word.as_bytes()[0] } else { 0 });
        }
        let at_word = |i: usize| self.words.get(i).copied().unwrap_or(0);
        let routine = |c: u8| c == b'f' || c == b'p';
        let creates = at_word(0) == b'c'
            && (routine(at_word(1)) || (at_word(1) == b'o' && at_word(2) == b'r' && routine(at_word(3))));
        if creates && self.parens == 0 {
            match word.as_str() {
                "begin" => self.begin_depth += 1,
                "case" if self.begin_depth >= 1 => self.begin_depth += 1,
                "end" => self.begin_depth = self.begin_depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    /// `:name`, `:'name'`, `:"name"`, `:{?name}`, `::`, `:=` or a colon.
    fn colon(&mut self, line: &mut String, at: &mut usize, query: &mut String, vars: &Variables) {
        let rest = &line[*at..];
        if rest.starts_with("::") || rest.starts_with(":=") {
            query.push_str(&rest[..2]);
            *at += 2;
            return;
        }
        match vars.reference(rest) {
            Some((n, value)) => line.replace_range(*at..*at + n, &value),
            None => {
                let n = 1 + prefix(&rest[1..], is_word);
                query.push_str(&rest[..n]);
                *at += n;
            }
        }
    }
}
