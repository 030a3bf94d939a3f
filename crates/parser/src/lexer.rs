//! The lexer: statement text to tokens.
//!
//! PG: src/backend/parser/scan.l and the look-ahead filter of parser.c.
//!
//! # How it works
//! 1. The whole statement string is cut into [`Token`]s up front (16 bytes each), so the grammar can look ahead freely.
//! 2. A token whose text needs no change (most) points into the string; decoded texts go to a side table.
//! 3. The first lexical error ends the stream with [`Tok::Error`]: it is raised when the grammar gets there, because a
//!    syntax error further left comes first.
//! 4. NOT, NULLS, WITH, WITHOUT and FORMAT change their kind when the next token says so, as in PostgreSQL.
//!
//! # Not here
//! Escapes inside strings: [`crate::escape`]. Numbers: [`crate::number`].

mod body;

use common::cancel;
use common::error::ErrorExt;
use common::pieces::PIECE_BYTES;
use common::{PgError, Span, pg_err};

use crate::ParseOptions;
use crate::ast::Name;
use crate::escape;
use crate::keywords::{self, Keyword as K};
use crate::number;
use crate::token::{NO_VALUE, Tok, Token};

/// PostgreSQL's NAMEDATALEN.
pub const NAME_LENGTH_MAX: usize = 63;

/// Tokens between two looks at the cancel flag.
const TOKENS_PER_LOOK: usize = 1 << 12;

/// Everything the lexer found.
pub struct Tokens {
    /// Ends in `Eof` or `Error`.
    pub tokens: Vec<Token>,
    /// Decoded texts, addressed by [`Token::value`].
    pub values: Vec<Name>,
    /// The error behind a final `Error` token.
    pub error: Option<Box<PgError>>,
    /// Truncated identifiers and the like.
    pub notices: Vec<PgError>,
}

type LexResult<T> = Result<T, Box<PgError>>;

/// Cuts `sql` into tokens.
pub fn tokenize(sql: &str, options: &ParseOptions) -> Tokens {
    let mut lexer = Lexer {
        text: sql,
        bytes: sql.as_bytes(),
        options,
        decoding: false,
        out: Tokens {
            tokens: Vec::with_capacity(sql.len().min(1 << 20) / 5 + 4),
            values: Vec::new(),
            error: None,
            notices: Vec::new(),
        },
    };
    if let Err((at, e)) = lexer.run() {
        lexer.fail(at, e);
    }
    lexer.out
}

/// True for bytes that may start an identifier.
#[inline]
pub fn is_ident_start(b: u8) -> bool {
    b.is_ascii_alphabetic() || b == b'_' || b >= 0x80
}

/// True for bytes that may continue one.
#[inline]
pub fn is_ident_cont(b: u8) -> bool {
    is_ident_start(b) || b.is_ascii_digit() || b == b'$'
}

/// PostgreSQL's white space.
#[inline]
pub fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn is_op_char(b: u8) -> bool {
    matches!(
        b,
        b'~' | b'!'
            | b'@'
            | b'#'
            | b'^'
            | b'&'
            | b'|'
            | b'`'
            | b'?'
            | b'+'
            | b'-'
            | b'*'
            | b'/'
            | b'%'
            | b'<'
            | b'>'
            | b'='
    )
}

/// A lexical error: PostgreSQL's message, the offending text and its place.
pub fn lex_error(text: &str, message: &str, start: usize, end: usize) -> Box<PgError> {
    let near = text.get(start..end).unwrap_or("");
    if near.is_empty() {
        return pg_err!(SYNTAX_ERROR, "{message} at end of input").at(Span::new(start as u32, end as u32));
    }
    pg_err!(SYNTAX_ERROR, "{message} at or near \"{near}\"").at(Span::new(start as u32, end as u32))
}

/// Cuts a name to 63 bytes at a character border; true if something was cut.
pub fn truncate_identifier(name: &str) -> Option<&str> {
    if name.len() <= NAME_LENGTH_MAX {
        return None;
    }
    let mut end = NAME_LENGTH_MAX;
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.get(..end)
}

struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    options: &'a ParseOptions,
    out: Tokens,
    /// The error came up while decoding a U& literal, which PostgreSQL does only when the grammar takes the token.
    decoding: bool,
}

impl<'a> Lexer<'a> {
    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    fn run(&mut self) -> Result<(), (usize, Box<PgError>)> {
        let mut at = 0;
        loop {
            at = self.skip_blank(at)?;
            let Some(&b) = self.bytes.get(at) else { break };
            if self.out.tokens.len() % TOKENS_PER_LOOK == 0 {
                cancel::check().map_err(|e| (at, e))?;
            }
            at = self.token(at, b).map_err(|e| (at, e))?;
        }
        let end = self.bytes.len() as u32;
        self.out.tokens.push(Token {
            tok: Tok::Eof,
            start: end,
            end,
            value: NO_VALUE,
        });
        Ok(())
    }

    /// Ends the stream. Tokens that PostgreSQL reads together with their successor fail with it.
    fn fail(&mut self, at: usize, error: Box<PgError>) {
        let mut start = at as u32;
        if !self.decoding
            && let Some(last) = self.out.tokens.last()
            && matches!(
                last.tok,
                Tok::Kw(K::Not | K::Nulls | K::With | K::Without | K::Format)
            )
        {
            start = last.start;
            self.out.tokens.pop();
        }
        self.out.error = Some(error);
        let end = self.bytes.len() as u32;
        self.out.tokens.push(Token {
            tok: Tok::Error,
            start,
            end,
            value: NO_VALUE,
        });
    }

    fn skip_blank(&self, mut at: usize) -> Result<usize, (usize, Box<PgError>)> {
        let mut look_at = at + PIECE_BYTES;
        loop {
            if at >= look_at {
                cancel::check().map_err(|e| (at, e))?;
                look_at = at + PIECE_BYTES;
            }
            match self.byte(at) {
                b if is_space(b) => at += 1,
                b'-' if self.byte(at + 1) == b'-' => at = self.line_comment_end(at),
                b'/' if self.byte(at + 1) == b'*' => at = self.block_comment_end(at).map_err(|e| (at, e))?,
                _ => return Ok(at),
            }
        }
    }

    fn line_comment_end(&self, at: usize) -> usize {
        let rest = self.bytes.get(at..).unwrap_or(&[]);
        memchr::memchr2(b'\n', b'\r', rest).map_or(self.bytes.len(), |n| at + n)
    }

    fn block_comment_end(&self, start: usize) -> LexResult<usize> {
        let mut depth = 1usize;
        let mut at = start + 2;
        let mut look_at = at + PIECE_BYTES;
        while at < self.bytes.len() {
            if at >= look_at {
                cancel::check()?;
                look_at = at + PIECE_BYTES;
            }
            match (self.byte(at), self.byte(at + 1)) {
                (b'*', b'/') => {
                    depth -= 1;
                    at += 2;
                    if depth == 0 {
                        return Ok(at);
                    }
                }
                (b'/', b'*') => {
                    depth += 1;
                    at += 2;
                }
                _ => at += 1,
            }
        }
        Err(self.error("unterminated /* comment", start, self.bytes.len()))
    }

    fn error(&self, message: &str, start: usize, end: usize) -> Box<PgError> {
        lex_error(self.text, message, start, end)
    }

    #[inline]
    fn push(&mut self, tok: Tok, start: usize, end: usize) -> usize {
        self.push_value(tok, start, end, NO_VALUE)
    }

    #[inline]
    fn push_value(&mut self, tok: Tok, start: usize, end: usize, value: u32) -> usize {
        self.out.tokens.push(Token {
            tok,
            start: start as u32,
            end: end as u32,
            value,
        });
        end
    }

    fn push_text(&mut self, tok: Tok, start: usize, end: usize, text: Name) -> usize {
        let index = self.out.values.len() as u32;
        self.out.values.push(text);
        self.push_value(tok, start, end, index)
    }

    /// Lexes one token that starts at `at` with byte `b`; returns where it ends.
    fn token(&mut self, at: usize, b: u8) -> LexResult<usize> {
        let next = self.byte(at + 1);
        match b {
            b'e' | b'E' if next == b'\'' => self.string(at, at + 2, StringKind::Escape),
            b'n' | b'N' if next == b'\'' => self.national_string(at),
            b'b' | b'B' if next == b'\'' => self.bit_string(at, Tok::BConst),
            b'x' | b'X' if next == b'\'' => self.bit_string(at, Tok::XConst),
            b'u' | b'U' if next == b'&' && self.byte(at + 2) == b'\'' => self.unicode_string(at),
            b'u' | b'U' if next == b'&' && self.byte(at + 2) == b'"' => self.unicode_ident(at),
            _ if is_ident_start(b) => Ok(self.word(at)),
            b'0'..=b'9' => self.number(at),
            b'.' if next.is_ascii_digit() => self.number(at),
            b'.' if next == b'.' => Ok(self.push(Tok::DotDot, at, at + 2)),
            b'\'' if self.options.standard_conforming_strings => self.string(at, at + 1, StringKind::Plain),
            b'\'' => self.string(at, at + 1, StringKind::Legacy),
            b'"' => self.quoted_ident(at),
            b'$' => self.dollar(at, next),
            b':' if next == b':' => Ok(self.push(Tok::Typecast, at, at + 2)),
            b':' if next == b'=' => Ok(self.push(Tok::ColonEquals, at, at + 2)),
            _ if is_op_char(b) => self.operator(at),
            _ => Ok(self.push(Tok::Char(b), at, at + 1)),
        }
    }

    fn word(&mut self, start: usize) -> usize {
        let mut end = start + 1;
        while self.bytes.get(end).is_some_and(|&b| is_ident_cont(b)) {
            end += 1;
        }
        if end - start <= keywords::LENGTH_MAX {
            let mut folded = [0u8; keywords::LENGTH_MAX];
            let length = end - start;
            for (to, from) in folded.iter_mut().zip(&self.bytes[start..end]) {
                *to = from.to_ascii_lowercase();
            }
            if let Some(keyword) = keywords::lookup(&folded[..length]) {
                self.look_back(keyword);
                return self.push(Tok::Kw(keyword), start, end);
            }
        } else if end - start > NAME_LENGTH_MAX {
            let folded = self.text.get(start..end).unwrap_or("").to_ascii_lowercase();
            return self.push_ident(folded, start, end);
        }
        self.push(Tok::Ident, start, end)
    }

    /// Turns the previous token into its look-ahead form when `keyword` follows it.
    #[inline]
    fn look_back(&mut self, keyword: K) {
        let before = match keyword {
            K::Between | K::In | K::Like | K::Ilike | K::Similar => (K::Not, Tok::NotLa),
            K::First | K::Last => (K::Nulls, Tok::NullsLa),
            K::Ordinality => (K::With, Tok::WithLa),
            K::Json => (K::Format, Tok::FormatLa),
            K::Time => {
                if let Some(last) = self.out.tokens.last_mut() {
                    match last.tok {
                        Tok::Kw(K::With) => last.tok = Tok::WithLa,
                        Tok::Kw(K::Without) => last.tok = Tok::WithoutLa,
                        _ => {}
                    }
                }
                return;
            }
            _ => return,
        };
        if let Some(last) = self.out.tokens.last_mut()
            && last.tok == Tok::Kw(before.0)
        {
            last.tok = before.1;
        }
    }

    /// An identifier whose text is known; long ones are cut with a notice.
    fn push_ident(&mut self, name: String, start: usize, end: usize) -> usize {
        let Some(cut) = truncate_identifier(&name) else {
            return self.push_text(Tok::Ident, start, end, Name::from(name));
        };
        let mut notice = pg_err!(
            NAME_TOO_LONG,
            "identifier \"{name}\" will be truncated to \"{cut}\""
        );
        notice.severity = common::error::Severity::Notice;
        self.out.notices.push(*notice);
        let cut = Name::from(cut);
        self.push_text(Tok::Ident, start, end, cut)
    }

    fn operator(&mut self, start: usize) -> LexResult<usize> {
        let mut end = start;
        while self.bytes.get(end).is_some_and(|&b| is_op_char(b)) {
            if end > start && matches!((self.byte(end), self.byte(end + 1)), (b'-', b'-') | (b'/', b'*')) {
                break;
            }
            end += 1;
        }
        let op = &self.bytes[start..end];
        // A trailing + or - belongs to the operand unless the operator contains one of these characters.
        if op.len() > 1
            && matches!(op.last(), Some(b'+' | b'-'))
            && !op[..op.len() - 1].iter().any(|b| {
                matches!(
                    b,
                    b'~' | b'!' | b'@' | b'#' | b'^' | b'&' | b'|' | b'`' | b'?' | b'%'
                )
            })
        {
            while end - start > 1 && matches!(self.byte(end - 1), b'+' | b'-') {
                end -= 1;
            }
        }
        let tok = match &self.bytes[start..end] {
            [b @ (b'+' | b'-' | b'*' | b'/' | b'%' | b'^' | b'<' | b'>' | b'=')] => Tok::Char(*b),
            b"=>" => Tok::EqualsGreater,
            b"<=" => Tok::LessEquals,
            b">=" => Tok::GreaterEquals,
            b"<>" | b"!=" => Tok::NotEquals,
            op if op.len() > NAME_LENGTH_MAX => return Err(self.error("operator too long", start, end)),
            _ => Tok::Op,
        };
        Ok(self.push(tok, start, end))
    }

    fn number(&mut self, start: usize) -> LexResult<usize> {
        let scanned = number::scan(self.bytes, start);
        if let Some(message) = scanned.error {
            return Err(self.error(message, start, scanned.end));
        }
        Ok(match scanned.int4 {
            Some(value) => self.push_value(Tok::IConst, start, scanned.end, value as u32),
            None => self.push(Tok::FConst, start, scanned.end),
        })
    }

    fn dollar(&mut self, start: usize, next: u8) -> LexResult<usize> {
        if next.is_ascii_digit() {
            return self.param(start);
        }
        let mut tag_end = start + 1;
        if is_ident_start(next) {
            while self
                .bytes
                .get(tag_end)
                .is_some_and(|&b| b != b'$' && is_ident_cont(b))
            {
                tag_end += 1;
            }
        }
        if self.byte(tag_end) != b'$' {
            return Ok(self.push(Tok::Char(b'$'), start, start + 1));
        }
        let delimiter = &self.bytes[start..=tag_end];
        let body = tag_end + 1;
        match memchr::memmem::find(&self.bytes[body..], delimiter) {
            Some(length) => {
                let text = Name::from(self.text.get(body..body + length).unwrap_or(""));
                Ok(self.push_text(Tok::SConst, start, body + length + delimiter.len(), text))
            }
            None => Err(self.error("unterminated dollar-quoted string", start, self.bytes.len())),
        }
    }

    fn param(&mut self, start: usize) -> LexResult<usize> {
        let mut end = start + 1;
        let mut number = 0i64;
        while self.byte(end).is_ascii_digit() {
            number = (number * 10 + i64::from(self.byte(end) - b'0')).min(i64::from(u32::MAX));
            end += 1;
        }
        if is_ident_start(self.byte(end)) {
            while self.bytes.get(end).is_some_and(|&b| is_ident_cont(b)) {
                end += 1;
            }
            return Err(self.error("trailing junk after parameter", start, end));
        }
        if number > i64::from(i32::MAX) {
            return Err(self.error("parameter number too large", start, end));
        }
        Ok(self.push_value(Tok::Param, start, end, number as u32))
    }

    /// `N'...'`: the type nchar followed by a plain string.
    fn national_string(&mut self, start: usize) -> LexResult<usize> {
        self.push(Tok::Kw(K::Nchar), start, start + 1);
        Ok(start + 1)
    }

    fn quoted_ident(&mut self, start: usize) -> LexResult<usize> {
        let (text, end) = self.ident_body(start, start + 1)?;
        Ok(self.push_ident(text, start, end))
    }

    fn ident_body(&self, start: usize, body: usize) -> LexResult<(String, usize)> {
        let mut text = String::new();
        let mut at = body;
        loop {
            let Some(n) = memchr::memchr(b'"', self.bytes.get(at..).unwrap_or(&[])) else {
                return Err(self.error("unterminated quoted identifier", start, self.bytes.len()));
            };
            text.push_str(self.text.get(at..at + n).unwrap_or(""));
            at += n + 1;
            if self.byte(at) != b'"' {
                break;
            }
            text.push('"');
            at += 1;
        }
        if text.is_empty() {
            return Err(self.error("zero-length delimited identifier", start, at));
        }
        Ok((text, at))
    }

    fn bit_string(&mut self, start: usize, tok: Tok) -> LexResult<usize> {
        let kind = if tok == Tok::BConst {
            StringKind::Bit
        } else {
            StringKind::Hex
        };
        let mut text = String::new();
        text.push(if tok == Tok::BConst { 'b' } else { 'x' });
        let end = self.string_body(start, start + 2, kind, &mut text)?;
        Ok(self.push_text(tok, start, end, Name::from(text)))
    }

    /// `'...'` or `E'...'` from the byte after the opening quote.
    fn string(&mut self, start: usize, body: usize, kind: StringKind) -> LexResult<usize> {
        if kind == StringKind::Plain
            && let Some(n) = memchr::memchr(b'\'', self.bytes.get(body..).unwrap_or(&[]))
        {
            let end = body + n + 1;
            if self.byte(end) != b'\'' && self.continuation(end).is_none() {
                return Ok(self.push(Tok::SConst, start, end));
            }
        }
        let mut text = String::new();
        let end = self.string_body(start, body, kind, &mut text)?;
        Ok(self.push_text(Tok::SConst, start, end, Name::from(text)))
    }

    /// After a closing quote: a newline and another quote continue the string.
    fn continuation(&self, mut at: usize) -> Option<usize> {
        let mut newline = false;
        loop {
            match self.byte(at) {
                b'\n' | b'\r' => {
                    newline = true;
                    at += 1;
                }
                b if is_space(b) => at += 1,
                b'-' if self.byte(at + 1) == b'-' => at = self.line_comment_end(at),
                b'\'' if newline => return Some(at + 1),
                _ => return None,
            }
        }
    }

    fn unicode_string(&mut self, start: usize) -> LexResult<usize> {
        if !self.options.standard_conforming_strings {
            return Err(pg_err!(FEATURE_NOT_SUPPORTED, "unsafe use of string constant with Unicode escapes")
                .detail("String constants with Unicode escapes cannot be used when \"standard_conforming_strings\" is off.")
                .at(Span::new(start as u32, start as u32 + 3)));
        }
        let mut text = String::new();
        let end = self.string_body(start, start + 3, StringKind::Plain, &mut text)?;
        self.decoding = true;
        let (escape_char, token_end) = self.uescape(end)?;
        let decoded = escape::unicode(&text, escape_char, start + 3)?;
        self.decoding = false;
        Ok(self.push_text(Tok::SConst, start, token_end, Name::from(decoded)))
    }

    fn unicode_ident(&mut self, start: usize) -> LexResult<usize> {
        let (text, end) = self.ident_body(start, start + 3)?;
        self.decoding = true;
        let (escape_char, token_end) = self.uescape(end)?;
        let decoded = escape::unicode(&text, escape_char, start + 3)?;
        self.decoding = false;
        Ok(self.push_ident(decoded, start, token_end))
    }

    /// Looks for `UESCAPE 'c'` after a U& literal; returns the escape character and the end of the whole.
    fn uescape(&mut self, end: usize) -> LexResult<(char, usize)> {
        let Ok(at) = self.skip_blank(end) else {
            return self.uescape_blank_error(end);
        };
        let word_end = at + 7;
        let is_uescape = self
            .bytes
            .get(at..word_end)
            .is_some_and(|w| w.eq_ignore_ascii_case(b"uescape"))
            && !self.bytes.get(word_end).is_some_and(|&b| is_ident_cont(b));
        if !is_uescape {
            return Ok(('\\', end));
        }
        let next = self.skip_blank(word_end).map_err(|(_, e)| e)?;
        // Lex the following token with a scratch lexer state: it must be a simple string.
        let tokens_before = self.out.tokens.len();
        let token_end = match self.bytes.get(next) {
            Some(&b) => self.token(next, b)?,
            None => next,
        };
        let token = self.out.tokens.get(tokens_before).copied();
        let text = token
            .filter(|t| t.tok == Tok::SConst)
            .map(|t| self.string_text(&t));
        self.out.tokens.truncate(tokens_before);
        let Some(text) = text else {
            return Err(self.error(
                "UESCAPE must be followed by a simple string literal",
                next,
                token_end,
            ));
        };
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) if c.is_ascii() && escape::is_valid_escape_char(c) => Ok((c, token_end)),
            _ => Err(self.error("invalid Unicode escape character", next, token_end)),
        }
    }

    fn uescape_blank_error(&self, end: usize) -> LexResult<(char, usize)> {
        match self.skip_blank(end) {
            Err((_, e)) => Err(e),
            Ok(_) => Ok(('\\', end)),
        }
    }

    fn string_text(&self, token: &Token) -> String {
        match self.out.values.get(token.value as usize) {
            Some(text) => text.to_string(),
            None => self
                .text
                .get(token.start as usize + 1..token.end as usize - 1)
                .unwrap_or("")
                .to_string(),
        }
    }
}

/// The quoted forms that share [`Lexer::string_body`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum StringKind {
    Plain,
    Escape,
    /// Plain in form, with escapes because `standard_conforming_strings` is off.
    Legacy,
    Bit,
    Hex,
}

impl StringKind {
    fn unterminated(self) -> &'static str {
        match self {
            StringKind::Plain | StringKind::Escape | StringKind::Legacy => "unterminated quoted string",
            StringKind::Bit => "unterminated bit string literal",
            StringKind::Hex => "unterminated hexadecimal string literal",
        }
    }
}

#[cfg(test)]
mod tests;
