//! Cuts a date/time string into fields and says of each what it looks like.

use crate::datetime::error::{ParseError, ParseResult};
use crate::datetime::words;

/// What a field looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// Digits, perhaps with one decimal point.
    Number,
    /// Parts joined by `-`, `/` or `.`; or a zone name with punctuation.
    Date,
    /// Digits with colons.
    Time,
    /// A sign and digits (a zone offset, or a signed number of an interval).
    Zone,
    /// A word.
    Word,
    /// A sign and a word.
    SignedWord,
}

/// One field, lower-cased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its looks.
    pub kind: FieldKind,
    /// Its text.
    pub text: String,
}

/// More fields than any sane date has.
const MAX_FIELDS: usize = 25;

/// Bytes at `pos`, 0 at the end.
fn at(bytes: &[u8], pos: usize) -> u8 {
    bytes.get(pos).copied().unwrap_or(0)
}

/// True for the six characters that C's `isspace` knows.
pub fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

struct Cutter<'a> {
    bytes: &'a [u8],
    pos: usize,
    text: String,
}

impl Cutter<'_> {
    fn peek(&self) -> u8 {
        at(self.bytes, self.pos)
    }

    fn take(&mut self) {
        self.text.push(char::from(self.peek().to_ascii_lowercase()));
        self.pos += 1;
    }

    fn take_while(&mut self, keep: impl Fn(u8) -> bool) {
        while self.pos < self.bytes.len() && keep(self.peek()) {
            self.take();
        }
    }

    /// A field that starts with a digit.
    fn number(&mut self) -> FieldKind {
        self.take_while(|b| b.is_ascii_digit());
        match self.peek() {
            b':' => {
                self.take_while(|b| b.is_ascii_digit() || matches!(b, b':' | b'.'));
                FieldKind::Time
            }
            delimiter @ (b'-' | b'/' | b'.') => {
                self.take();
                if !self.peek().is_ascii_digit() {
                    self.take_while(|b| b.is_ascii_alphanumeric() || b == delimiter);
                    return FieldKind::Date;
                }
                self.take_while(|b| b.is_ascii_digit());
                // Three parts need the same delimiter twice; a lone point is a decimal point.
                if self.peek() == delimiter {
                    self.take_while(|b| b.is_ascii_digit() || b == delimiter);
                    return FieldKind::Date;
                }
                if delimiter == b'.' {
                    FieldKind::Number
                } else {
                    FieldKind::Date
                }
            }
            _ => FieldKind::Number,
        }
    }

    /// A field that starts with a letter.
    fn word(&mut self) -> FieldKind {
        self.take_while(|b| b.is_ascii_alphabetic());
        let joined = match self.peek() {
            b'-' | b'/' | b'.' => true,
            b'+' => words::date_word(&self.text).is_none(),
            b if b.is_ascii_digit() => words::date_word(&self.text).is_none(),
            _ => false,
        };
        if !joined {
            return FieldKind::Word;
        }
        self.take_while(|b| {
            b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'/' | b'_' | b'.' | b':')
        });
        FieldKind::Date
    }

    /// A field that starts with a sign.
    fn signed(&mut self) -> ParseResult<FieldKind> {
        self.take();
        while is_space(self.peek()) {
            self.pos += 1;
        }
        if self.peek().is_ascii_digit() {
            self.take_while(|b| b.is_ascii_digit() || matches!(b, b':' | b'.' | b'-'));
            Ok(FieldKind::Zone)
        } else if self.peek().is_ascii_alphabetic() {
            self.take_while(|b| b.is_ascii_alphabetic());
            Ok(FieldKind::SignedWord)
        } else {
            Err(ParseError::BadFormat)
        }
    }
}

/// Cuts `s` into fields; `capacity` bounds the characters kept, as PostgreSQL's work buffers do.
pub fn split(s: &str, capacity: usize) -> ParseResult<Vec<Field>> {
    let mut cutter = Cutter {
        bytes: s.as_bytes(),
        pos: 0,
        text: String::new(),
    };
    let mut out: Vec<Field> = Vec::with_capacity(4);
    let mut used = 0;
    while cutter.pos < cutter.bytes.len() {
        let b = cutter.peek();
        if is_space(b) {
            cutter.pos += 1;
            continue;
        }
        if out.len() >= MAX_FIELDS {
            return Err(ParseError::BadFormat);
        }
        let kind = if b.is_ascii_digit() {
            cutter.number()
        } else if b == b'.' {
            cutter.take();
            cutter.take_while(|b| b.is_ascii_digit());
            FieldKind::Number
        } else if b.is_ascii_alphabetic() {
            cutter.word()
        } else if b == b'+' || b == b'-' {
            cutter.signed()?
        } else if b.is_ascii_punctuation() {
            cutter.pos += 1;
            continue;
        } else {
            return Err(ParseError::BadFormat);
        };
        let text = std::mem::take(&mut cutter.text);
        used += text.len() + 1;
        if used > capacity {
            return Err(ParseError::BadFormat);
        }
        out.push(Field { kind, text });
    }
    Ok(out)
}
