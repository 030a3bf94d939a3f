//! JSON as text: a lexer with spans, validation with PostgreSQL's errors, and un-escaping of strings.
//!
//! # Invariants
//! - Nesting uses a stack of our own: depth is bounded by [`MAX_DEPTH`], not by the thread's stack.
//! - Token spans lie on character boundaries of the input.

use common::cancel::CancelToken;
use common::error::ErrorExt;
use common::pieces::PIECE_BYTES;
use common::{PgError, PgResult, pg_err};

/// Deeper nesting is refused (54001), as PostgreSQL does when its stack is used up.
pub const MAX_DEPTH: usize = 1600;

const LOW_SURROGATE: &str = "Unicode low surrogate must follow a high surrogate.";

/// The kinds of token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum TokenKind {
    String,
    Number,
    ObjectStart,
    ObjectEnd,
    ArrayStart,
    ArrayEnd,
    Comma,
    Colon,
    True,
    False,
    Null,
    End,
}

/// A token and where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Token {
    pub kind: TokenKind,
    pub start: usize,
    pub end: usize,
}

/// What the parser hoped to find when it gave up.
#[derive(Clone, Copy, Debug)]
enum Expected {
    Value,
    End,
    String,
    StringOrObjectEnd,
    CommaOrObjectEnd,
    CommaOrArrayEnd,
    Colon,
}

impl Expected {
    fn words(self) -> &'static str {
        match self {
            Expected::Value => "JSON value",
            Expected::End => "end of input",
            Expected::String => "string",
            Expected::StringOrObjectEnd => "string or \"}\"",
            Expected::CommaOrObjectEnd => "\",\" or \"}\"",
            Expected::CommaOrArrayEnd => "\",\" or \"]\"",
            Expected::Colon => "\":\"",
        }
    }
}

/// Cuts JSON text into tokens.
#[derive(Clone, Debug)]
pub struct Lexer<'a> {
    input: &'a str,
    pos: usize,
    line: usize,
    line_start: usize,
    /// Strings must be convertible to text: no `\u0000`, surrogates in pairs.
    convertible: bool,
    cancel: &'a CancelToken,
}

fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80
}

impl<'a> Lexer<'a> {
    /// A lexer at the start of `input`.
    pub fn new(input: &'a str) -> Lexer<'a> {
        Lexer {
            input,
            pos: 0,
            line: 1,
            line_start: 0,
            convertible: false,
            cancel: CancelToken::never(),
        }
    }

    /// The same, which ends with an error when somebody cancels.
    #[must_use]
    pub fn until(self, cancel: &'a CancelToken) -> Lexer<'a> {
        Lexer { cancel, ..self }
    }

    /// A lexer that also wants every string to become SQL text: no `\u0000`, surrogates in pairs.
    pub fn convertible(input: &'a str) -> Lexer<'a> {
        Lexer {
            convertible: true,
            ..Lexer::new(input)
        }
    }

    /// The text of a token.
    pub fn text(&self, token: Token) -> &'a str {
        &self.input[token.start..token.end]
    }

    fn byte(&self, pos: usize) -> u8 {
        self.input.as_bytes().get(pos).copied().unwrap_or(0)
    }

    /// The end of the character that starts at or covers `pos`.
    fn char_end(&self, pos: usize) -> usize {
        (pos + 1..=self.input.len())
            .find(|p| self.input.is_char_boundary(*p))
            .unwrap_or(self.input.len())
    }

    /// The next token.
    pub fn next_token(&mut self) -> PgResult<Token> {
        self.cancel.check()?;
        while let b @ (b' ' | b'\t' | b'\n' | b'\r') = self.byte(self.pos) {
            self.pos += 1;
            if b == b'\n' {
                self.line += 1;
                self.line_start = self.pos;
            }
        }
        let start = self.pos;
        if start >= self.input.len() {
            return Ok(Token {
                kind: TokenKind::End,
                start,
                end: start,
            });
        }
        let punctuation = match self.byte(start) {
            b'{' => Some(TokenKind::ObjectStart),
            b'}' => Some(TokenKind::ObjectEnd),
            b'[' => Some(TokenKind::ArrayStart),
            b']' => Some(TokenKind::ArrayEnd),
            b',' => Some(TokenKind::Comma),
            b':' => Some(TokenKind::Colon),
            _ => None,
        };
        let (kind, end) = match (punctuation, self.byte(start)) {
            (Some(kind), _) => (kind, start + 1),
            (None, b'"') => (TokenKind::String, self.string_end(start)?),
            (None, b'-' | b'0'..=b'9') => (TokenKind::Number, self.number_end(start)?),
            _ => self.word(start)?,
        };
        self.pos = end;
        Ok(Token { kind, start, end })
    }

    fn word(&self, start: usize) -> PgResult<(TokenKind, usize)> {
        let bytes = self.input.as_bytes();
        let len = bytes[start..].iter().take_while(|b| is_word(**b)).count();
        let end = start + len;
        let kind = match &bytes[start..end] {
            b"true" => TokenKind::True,
            b"false" => TokenKind::False,
            b"null" => TokenKind::Null,
            b"" => return Err(self.invalid_token(start, self.char_end(start))),
            _ => return Err(self.invalid_token(start, end)),
        };
        Ok((kind, end))
    }

    fn number_end(&self, start: usize) -> PgResult<usize> {
        let bytes = self.input.as_bytes();
        let digits = |from: usize| {
            bytes
                .get(from..)
                .unwrap_or(&[])
                .iter()
                .take_while(|b| b.is_ascii_digit())
                .count()
        };
        let mut at = start + usize::from(self.byte(start) == b'-');
        let whole = digits(at);
        let mut valid = whole > 0;
        if self.byte(at) == b'0' {
            at += 1;
        } else {
            at += whole;
        }
        if self.byte(at) == b'.' {
            let fraction = digits(at + 1);
            valid &= fraction > 0;
            at += 1 + fraction;
        }
        if valid && matches!(self.byte(at), b'e' | b'E') {
            at += 1 + usize::from(matches!(self.byte(at + 1), b'+' | b'-'));
            let exponent = digits(at);
            valid &= exponent > 0;
            at += exponent;
        }
        let trailing = bytes
            .get(at..)
            .unwrap_or(&[])
            .iter()
            .take_while(|b| is_word(**b))
            .count();
        at = (at + trailing).min(bytes.len());
        if valid && trailing == 0 {
            Ok(at)
        } else {
            Err(self.invalid_token(start, at))
        }
    }

    fn string_end(&self, start: usize) -> PgResult<usize> {
        let mut at = start + 1;
        let mut high_surrogate = false;
        loop {
            if at >= self.input.len() {
                return Err(self.invalid_token(start, at));
            }
            let unicode = self.byte(at) == b'\\' && self.byte(at + 1) == b'u';
            if high_surrogate && !unicode {
                return Err(self.error(LOW_SURROGATE.to_owned(), self.char_end(at)));
            }
            match self.byte(at) {
                b'"' => return Ok(at + 1),
                b'\\' => {
                    let end = self.escape_end(start, at + 1)?;
                    if unicode && self.convertible {
                        high_surrogate = self.check_escape(at + 2, end, high_surrogate)?;
                    }
                    at = end;
                }
                b if b < 0x20 => {
                    let detail = format!("Character with value 0x{b:02x} must be escaped.");
                    return Err(self.error(detail, at));
                }
                _ => at = self.plain_end(at)?,
            }
        }
    }

    /// Where characters that stand for themselves end, or some way before.
    fn plain_end(&self, at: usize) -> PgResult<usize> {
        let rest = self.input.as_bytes().get(at..).unwrap_or(&[]);
        let piece = &rest[..rest.len().min(PIECE_BYTES)];
        if piece.len() == PIECE_BYTES {
            self.cancel.check()?;
        }
        let special = |b: &u8| matches!(b, b'"' | b'\\') || *b < 0x20;
        Ok(at + piece.iter().position(special).unwrap_or(piece.len()))
    }

    /// Checks the code of a `\u` escape; true when it is a high surrogate.
    fn check_escape(&self, digits: usize, end: usize, after_high: bool) -> PgResult<bool> {
        let code = u32::from_str_radix(&self.input[digits..end], 16).unwrap_or(0);
        match code {
            0xd800..=0xdbff if after_high => {
                let detail = "Unicode high surrogate must not follow a high surrogate.";
                Err(self.error(detail.to_owned(), end))
            }
            0xd800..=0xdbff => Ok(true),
            0xdc00..=0xdfff if after_high => Ok(false),
            0xdc00..=0xdfff => Err(self.error(LOW_SURROGATE.to_owned(), end)),
            _ if after_high => Err(self.error(LOW_SURROGATE.to_owned(), end)),
            0 => {
                let mut e = self.error("\\u0000 cannot be converted to text.".to_owned(), end);
                e.sqlstate = common::sqlstate::UNTRANSLATABLE_CHARACTER;
                "unsupported Unicode escape sequence".clone_into(&mut e.message);
                Err(e)
            }
            _ => Ok(false),
        }
    }

    /// The end of an escape whose backslash lies before `at`.
    fn escape_end(&self, start: usize, at: usize) -> PgResult<usize> {
        if at >= self.input.len() {
            return Err(self.invalid_token(start, at));
        }
        match self.byte(at) {
            b'u' => {
                for digit in at + 1..at + 5 {
                    if digit >= self.input.len() {
                        return Err(self.invalid_token(start, self.input.len()));
                    }
                    if !self.byte(digit).is_ascii_hexdigit() {
                        let detail = "\"\\u\" must be followed by four hexadecimal digits.".to_owned();
                        return Err(self.error(detail, self.char_end(digit)));
                    }
                }
                Ok(at + 5)
            }
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(at + 1),
            _ => {
                let end = self.char_end(at);
                let detail = format!("Escape sequence \"\\{}\" is invalid.", &self.input[at..end]);
                Err(self.error(detail, end))
            }
        }
    }

    #[cold]
    fn invalid_token(&self, start: usize, end: usize) -> Box<PgError> {
        self.error(format!("Token \"{}\" is invalid.", &self.input[start..end]), end)
    }

    #[cold]
    fn unexpected(&self, token: Token, expected: Expected) -> Box<PgError> {
        if token.kind == TokenKind::End {
            return self.error_at_end("The input string ended unexpectedly.".to_owned());
        }
        let found = &self.input[token.start..token.end];
        self.error(
            format!("Expected {}, but found \"{found}\".", expected.words()),
            token.end,
        )
    }

    fn syntax_error(&self, detail: String, context: String) -> Box<PgError> {
        pg_err!(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type json")
            .detail(detail)
            .context(context)
    }

    fn error(&self, detail: String, end: usize) -> Box<PgError> {
        let cut = end < self.input.len() && !matches!(self.byte(end), b'\n' | b'\r');
        self.syntax_error(detail, self.excerpt(end, cut))
    }

    fn error_at_end(&self, detail: String) -> Box<PgError> {
        self.syntax_error(detail, self.excerpt(self.input.len(), false))
    }

    /// The line up to the error, cut to some fifty bytes.
    fn excerpt(&self, end: usize, cut: bool) -> String {
        let mut start = self.line_start;
        while end - start >= 50 {
            start = self.char_end(start);
        }
        if start - self.line_start <= 3 {
            start = self.line_start;
        }
        let prefix = if start > self.line_start { "..." } else { "" };
        let suffix = if cut { "..." } else { "" };
        format!(
            "JSON data, line {}: {prefix}{}{suffix}",
            self.line,
            &self.input[start..end]
        )
    }
}

/// What a walk over JSON text reports, in the order of the text. Tokens of strings and keys have their quotes.
pub trait Visitor {
    /// `{` (true) or `[`.
    fn begin(&mut self, object: bool, token: Token) -> PgResult<()>;
    /// A key of the innermost object.
    fn key(&mut self, token: &str) -> PgResult<()>;
    /// A scalar.
    fn scalar(&mut self, kind: TokenKind, token: &str) -> PgResult<()>;
    /// `}` (true) or `]`.
    fn end(&mut self, object: bool, token: Token) -> PgResult<()>;
}

/// Looks at nothing.
struct Skip;

impl Visitor for Skip {
    #[inline]
    fn begin(&mut self, _: bool, _: Token) -> PgResult<()> {
        Ok(())
    }
    #[inline]
    fn key(&mut self, _: &str) -> PgResult<()> {
        Ok(())
    }
    #[inline]
    fn scalar(&mut self, _: TokenKind, _: &str) -> PgResult<()> {
        Ok(())
    }
    #[inline]
    fn end(&mut self, _: bool, _: Token) -> PgResult<()> {
        Ok(())
    }
}

/// Where the parser stands inside a container.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Object,
    Array,
}

/// PostgreSQL's word on recursion that goes too far.
#[cold]
pub fn too_deep() -> Box<PgError> {
    pg_err!(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded").hint(
        "Increase the configuration parameter \"max_stack_depth\" (currently 2048kB), after ensuring the platform's \
         stack depth limit is adequate.",
    )
}

/// Reads a key and its colon; the token is the first of the field.
fn key<V: Visitor>(lexer: &mut Lexer<'_>, token: Token, expected: Expected, visitor: &mut V) -> PgResult<()> {
    if token.kind != TokenKind::String {
        return Err(lexer.unexpected(token, expected));
    }
    let colon = lexer.next_token()?;
    if colon.kind == TokenKind::Colon {
        visitor.key(lexer.text(token))
    } else {
        Err(lexer.unexpected(colon, Expected::Colon))
    }
}

/// Opens a container: the token that follows, and whether that closed it.
fn open<V: Visitor>(
    lexer: &mut Lexer<'_>,
    start: Token,
    stack: &mut Vec<Inside>,
    visitor: &mut V,
) -> PgResult<(Token, bool)> {
    if stack.len() >= MAX_DEPTH {
        return Err(too_deep());
    }
    let object = start.kind == TokenKind::ObjectStart;
    visitor.begin(object, start)?;
    let mut token = lexer.next_token()?;
    let (inside, close) = if object {
        (Inside::Object, TokenKind::ObjectEnd)
    } else {
        (Inside::Array, TokenKind::ArrayEnd)
    };
    if token.kind == close {
        visitor.end(object, token)?;
        return Ok((token, true));
    }
    stack.push(inside);
    if object {
        key(lexer, token, Expected::StringOrObjectEnd, visitor)?;
        token = lexer.next_token()?;
    }
    Ok((token, false))
}

/// Walks one value, whose first token is given; returns where it ends.
pub fn visit_value<V: Visitor>(lexer: &mut Lexer<'_>, first: Token, visitor: &mut V) -> PgResult<usize> {
    let mut stack: Vec<Inside> = Vec::new();
    let mut token = first;
    loop {
        // A value starts at `token`.
        match token.kind {
            TokenKind::ObjectStart | TokenKind::ArrayStart => {
                let (next, closed) = open(lexer, token, &mut stack, visitor)?;
                token = next;
                if !closed {
                    continue;
                }
            }
            TokenKind::String | TokenKind::Number | TokenKind::True | TokenKind::False | TokenKind::Null => {
                visitor.scalar(token.kind, lexer.text(token))?;
            }
            _ => return Err(lexer.unexpected(token, Expected::Value)),
        }
        // A value has ended; close what ends with it.
        loop {
            let Some(inside) = stack.last().copied() else {
                return Ok(token.end);
            };
            token = lexer.next_token()?;
            match (inside, token.kind) {
                (Inside::Object, TokenKind::ObjectEnd) | (Inside::Array, TokenKind::ArrayEnd) => {
                    stack.pop();
                    visitor.end(inside == Inside::Object, token)?;
                }
                (Inside::Object, TokenKind::Comma) => {
                    token = lexer.next_token()?;
                    key(lexer, token, Expected::String, visitor)?;
                    break;
                }
                (Inside::Array, TokenKind::Comma) => break,
                (Inside::Object, _) => return Err(lexer.unexpected(token, Expected::CommaOrObjectEnd)),
                (Inside::Array, _) => return Err(lexer.unexpected(token, Expected::CommaOrArrayEnd)),
            }
        }
        token = lexer.next_token()?;
    }
}

/// Skips one value, whose first token is given.
pub fn skip_value(lexer: &mut Lexer<'_>, first: Token) -> PgResult<usize> {
    visit_value(lexer, first, &mut Skip)
}

/// Walks a whole text.
pub fn visit<V: Visitor>(lexer: &mut Lexer<'_>, visitor: &mut V) -> PgResult<()> {
    let first = lexer.next_token()?;
    visit_value(lexer, first, visitor)?;
    let end = lexer.next_token()?;
    if end.kind == TokenKind::End {
        Ok(())
    } else {
        Err(lexer.unexpected(end, Expected::End))
    }
}

/// Checks a whole text.
pub fn validate(s: &str, cancel: &CancelToken) -> PgResult<()> {
    validate_with(Lexer::new(s).until(cancel))
}

/// Checks a whole text and that its strings can become SQL text; valid JSON without `\u` always can.
pub fn validate_convertible(s: &str, cancel: &CancelToken) -> PgResult<()> {
    if !s.contains("\\u") {
        return Ok(());
    }
    let mut lexer = Lexer::new(s).until(cancel);
    lexer.convertible = true;
    validate_with(lexer)
}

fn validate_with(mut lexer: Lexer<'_>) -> PgResult<()> {
    visit(&mut lexer, &mut Skip)
}

#[cold]
fn surrogate_error(which: &str) -> Box<PgError> {
    pg_err!(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type json").detail(which)
}

/// The text that a JSON string token (with its quotes) stands for.
pub fn unescape(token: &str) -> PgResult<String> {
    let mut out = String::with_capacity(token.len());
    unescape_into(token, &mut out)?;
    Ok(out)
}

/// Appends that text.
pub fn unescape_into(token: &str, out: &mut String) -> PgResult<()> {
    let inner = token
        .strip_prefix('"')
        .and_then(|t| t.strip_suffix('"'))
        .unwrap_or(token);
    if !inner.contains('\\') {
        out.push_str(inner);
        return Ok(());
    }
    let mut chars = inner.chars();
    let mut high: Option<u32> = None;
    while let Some(c) = chars.next() {
        if c != '\\' {
            if high.is_some() {
                return Err(surrogate_error(LOW_SURROGATE));
            }
            out.push(c);
            continue;
        }
        let escape = chars.next().unwrap_or('\\');
        if escape != 'u' {
            if high.is_some() {
                return Err(surrogate_error(LOW_SURROGATE));
            }
            out.push(match escape {
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                other => other,
            });
            continue;
        }
        let code = chars
            .by_ref()
            .take(4)
            .fold(0, |v, c| v * 16 + c.to_digit(16).unwrap_or(0));
        match (high.take(), code) {
            (_, 0) => {
                return Err(
                    pg_err!(UNTRANSLATABLE_CHARACTER, "unsupported Unicode escape sequence")
                        .detail("\\u0000 cannot be converted to text."),
                );
            }
            (None, 0xd800..=0xdbff) => high = Some(code),
            (Some(_), 0xd800..=0xdbff) => {
                return Err(surrogate_error(
                    "Unicode high surrogate must not follow a high surrogate.",
                ));
            }
            (Some(high), 0xdc00..=0xdfff) => {
                let code = 0x10000 + ((high & 0x3ff) << 10) + (code & 0x3ff);
                out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            (None, 0xdc00..=0xdfff) | (Some(_), _) => return Err(surrogate_error(LOW_SURROGATE)),
            (None, _) => out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)),
        }
    }
    if high.is_some() {
        return Err(surrogate_error(LOW_SURROGATE));
    }
    Ok(())
}

/// Appends text as a JSON string with its quotes.
pub fn push_string(s: &str, out: &mut String) {
    out.push('"');
    for c in s.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}
