//! JSON text to documents and back, PostgreSQL's canonical and its pretty form.

use common::PgResult;
use common::cancel::CancelToken;

use crate::json_text::{Lexer, Token, TokenKind, Visitor, push_string, unescape_into, visit};
use crate::jsonb::{ArrayRef, JsonbBuilder, JsonbRef, ObjectRef};
use crate::numeric;

/// How text is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct ParseOptions {
    /// A key that comes twice is an error.
    pub unique_keys: bool,
}

/// Feeds a builder.
struct Feed<'b> {
    builder: &'b mut JsonbBuilder,
    options: ParseOptions,
    text: String,
}

impl Visitor for Feed<'_> {
    fn begin(&mut self, object: bool, _: Token) -> PgResult<()> {
        if object {
            self.builder.begin_object();
            if self.options.unique_keys {
                self.builder.set_unique();
            }
        } else {
            self.builder.begin_array();
        }
        Ok(())
    }

    fn key(&mut self, token: &str) -> PgResult<()> {
        self.text.clear();
        unescape_into(token, &mut self.text)?;
        self.builder.key(&self.text)
    }

    fn scalar(&mut self, kind: TokenKind, token: &str) -> PgResult<()> {
        match kind {
            TokenKind::Null => self.builder.null(),
            TokenKind::True => self.builder.bool(true),
            TokenKind::False => self.builder.bool(false),
            TokenKind::Number => self.builder.number(&numeric::parse(token, "numeric")?),
            _ => {
                self.text.clear();
                unescape_into(token, &mut self.text)?;
                self.builder.string(&self.text)
            }
        }
    }

    fn end(&mut self, _: bool, _: Token) -> PgResult<()> {
        self.builder.end()
    }
}

/// Reads a text into a builder.
pub fn parse(
    text: &str,
    options: ParseOptions,
    cancel: &CancelToken,
    builder: &mut JsonbBuilder,
) -> PgResult<()> {
    let mut lexer = Lexer::convertible(text).until(cancel);
    let mut feed = Feed {
        builder,
        options,
        text: String::new(),
    };
    visit(&mut lexer, &mut feed)
}

/// Reads a text into a document.
pub fn parse_document(text: &str, cancel: &CancelToken) -> PgResult<Vec<u8>> {
    let mut builder = JsonbBuilder::new();
    parse(text, ParseOptions::default(), cancel, &mut builder)?;
    Ok(builder.finish())
}

/// A container that is being printed.
enum Open<'a> {
    Array(ArrayRef<'a>),
    Object(ObjectRef<'a>),
}

struct Printer<'o> {
    out: &'o mut String,
    pretty: bool,
}

impl Printer<'_> {
    fn line(&mut self, depth: usize) {
        if self.pretty {
            self.out.push('\n');
            for _ in 0..depth {
                self.out.push_str("    ");
            }
        }
    }

    /// Prints a scalar, or the opening bracket of a container.
    fn value<'a>(&mut self, value: JsonbRef<'a>) -> Option<Open<'a>> {
        match value {
            JsonbRef::Null => self.out.push_str("null"),
            JsonbRef::Bool(true) => self.out.push_str("true"),
            JsonbRef::Bool(false) => self.out.push_str("false"),
            JsonbRef::Number(n) => {
                use std::fmt::Write;
                let _ = write!(self.out, "{}", n.value());
            }
            JsonbRef::String(s) => push_string(s, self.out),
            JsonbRef::Array(a) => {
                self.out.push('[');
                return Some(Open::Array(a));
            }
            JsonbRef::Object(o) => {
                self.out.push('{');
                return Some(Open::Object(o));
            }
        }
        None
    }

    fn print(&mut self, root: JsonbRef<'_>, cancel: &CancelToken) -> PgResult<()> {
        let mut stack: Vec<(Open<'_>, usize)> = Vec::new();
        stack.extend(self.value(root).map(|open| (open, 0)));
        loop {
            let depth = stack.len();
            let Some((open, next)) = stack.last_mut() else {
                return Ok(());
            };
            cancel.check()?;
            let (count, close) = match open {
                Open::Array(a) => (a.len(), ']'),
                Open::Object(o) => (o.len(), '}'),
            };
            let at = *next;
            *next += 1;
            if at >= count {
                stack.pop();
                self.line(depth - 1);
                self.out.push(close);
                continue;
            }
            if at > 0 {
                self.out.push_str(if self.pretty { "," } else { ", " });
            }
            let value = match open {
                Open::Array(a) => {
                    let a = *a;
                    self.line(depth);
                    a.get(at)
                }
                Open::Object(o) => {
                    let o = *o;
                    self.line(depth);
                    push_string(o.key(at), self.out);
                    self.out.push_str(": ");
                    Some(o.value(at))
                }
            };
            if let Some(open) = value.and_then(|v| self.value(v)) {
                stack.push((open, 0));
            }
        }
    }
}

/// Appends the canonical text.
pub fn push_text(value: JsonbRef<'_>, cancel: &CancelToken, out: &mut String) -> PgResult<()> {
    Printer { out, pretty: false }.print(value, cancel)
}

/// Appends the text of `jsonb_pretty`.
pub fn push_pretty(value: JsonbRef<'_>, cancel: &CancelToken, out: &mut String) -> PgResult<()> {
    Printer { out, pretty: true }.print(value, cancel)
}

/// The canonical text.
pub fn to_text(value: JsonbRef<'_>, cancel: &CancelToken) -> PgResult<String> {
    let mut out = String::new();
    push_text(value, cancel, &mut out)?;
    Ok(out)
}
