//! The text being read, and what is wrong with it.

use std::sync::Arc;

use crate::chars;

/// How bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// The document can be used.
    Warning,
    /// It cannot.
    Error,
}

/// Which rules are broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// XML itself.
    Parser,
    /// Namespaces: a document may break them and be well formed.
    Namespace,
}

/// Something that is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad.
    pub level: Level,
    /// Which rules.
    pub domain: Domain,
    /// Message, line of the text and a caret under it, as libxml prints them.
    pub text: String,
}

/// The text and the place in it.
#[derive(Clone, Debug)]
pub(super) struct Input {
    text: Arc<str>,
    pos: usize,
    /// Where lines were last counted up to, and how many.
    counted: (usize, u32),
}

/// Bytes of a line that are shown.
const CONTEXT_BYTES: usize = 80;

impl Input {
    pub fn new(text: Arc<str>) -> Input {
        Input {
            text,
            pos: 0,
            counted: (0, 1),
        }
    }

    pub fn rest(&self) -> &str {
        self.text.get(self.pos..).unwrap_or("")
    }

    pub fn pos(&self) -> usize {
        self.pos
    }

    pub fn since(&self, start: usize) -> &str {
        self.text.get(start..self.pos).unwrap_or("")
    }

    pub fn at_end(&self) -> bool {
        self.pos >= self.text.len()
    }

    /// The byte `ahead` of here; 0 behind the end.
    pub fn byte(&self, ahead: usize) -> u8 {
        self.text.as_bytes().get(self.pos + ahead).copied().unwrap_or(0)
    }

    pub fn starts(&self, what: &str) -> bool {
        self.rest().starts_with(what)
    }

    pub fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Goes on by `bytes`, which must end between characters.
    pub fn advance(&mut self, bytes: usize) {
        self.pos = (self.pos + bytes).min(self.text.len());
    }

    pub fn advance_char(&mut self) {
        self.advance(self.peek().map_or(0, char::len_utf8));
    }

    pub fn eat(&mut self, what: &str) -> bool {
        let found = self.starts(what);
        if found {
            self.advance(what.len());
        }
        found
    }

    /// Skips white space; true when there was some.
    pub fn skip_blanks(&mut self) -> bool {
        let start = self.pos;
        while matches!(self.byte(0), b' ' | b'\t' | b'\n' | b'\r') {
            self.pos += 1;
        }
        self.pos > start
    }

    pub fn take_while(&mut self, f: impl Fn(char) -> bool) -> String {
        let rest = self.rest();
        let len = rest.find(|c| !f(c)).unwrap_or(rest.len());
        let taken = rest.get(..len).unwrap_or("").to_owned();
        self.advance(len);
        taken
    }

    /// A name without colon.
    pub fn nc_name(&mut self) -> Option<String> {
        self.peek().filter(|&c| chars::is_name_start(c))?;
        Some(self.take_while(chars::is_name_char))
    }

    /// A name that may contain colons.
    pub fn name(&mut self) -> Option<String> {
        self.peek().filter(|&c| chars::is_name_start(c) || c == ':')?;
        Some(self.take_while(|c| chars::is_name_char(c) || c == ':'))
    }

    pub fn line(&mut self) -> u32 {
        let (from, line) = self.counted;
        let passed = self.text.as_bytes().get(from..self.pos).unwrap_or(&[]);
        let line = line + passed.iter().filter(|&&b| b == b'\n').count() as u32;
        self.counted = (self.pos.max(from), line);
        line
    }

    /// The line round this place, and a caret under the place.
    pub fn context(&self) -> String {
        let bytes = self.text.as_bytes();
        let is_eol = |at: usize| matches!(bytes.get(at), Some(b'\n' | b'\r'));
        let mut start = self.pos;
        while start > 0 && is_eol(start) {
            start -= 1;
        }
        let mut steps = 0;
        while steps < CONTEXT_BYTES && start > 0 && !is_eol(start) {
            start -= 1;
            steps += 1;
        }
        if steps > 0 && is_eol(start) {
            start += 1;
        }
        while start < self.pos && !self.text.is_char_boundary(start) {
            start += 1;
        }
        let mut end = start;
        for c in self.text.get(start..).unwrap_or("").chars() {
            if matches!(c, '\n' | '\r') || end + c.len_utf8() - start > CONTEXT_BYTES {
                break;
            }
            end += c.len_utf8();
        }
        let shown = self.text.get(start..end).unwrap_or("");
        let column = self.pos.saturating_sub(start);
        let lead = shown.bytes().take(column.min(CONTEXT_BYTES - 1));
        let pad: String = lead.map(|b| if b == b'\t' { '\t' } else { ' ' }).collect();
        format!("{shown}\n{pad}^")
    }
}
