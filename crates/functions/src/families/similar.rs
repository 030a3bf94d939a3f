//! `SIMILAR TO` and SQL's `SUBSTRING ... SIMILAR`: patterns of SQL turned into regular expressions.

use common::error::ErrorExt;
use common::{PgResult, pg_err};

use crate::framework::context::FnContext;
use crate::framework::macros::builtins;

/// How far inside a bracket expression its first character is: a `]` there stands for itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BracketPlace {
    Start,
    AfterCaret,
    Later,
}

/// State of the translation.
struct Translation {
    out: String,
    depth: usize,
    place: BracketPlace,
    separators: usize,
}

impl Translation {
    /// The character after the escape character.
    fn escaped(&mut self, c: char) -> PgResult<()> {
        if c != '"' || self.depth > 0 {
            self.out.push('\\');
            self.out.push(c);
            self.place = BracketPlace::Later;
            return Ok(());
        }
        self.separators += 1;
        match self.separators {
            // The first part matches as little, the second as much as possible.
            1 => self.out.push_str("){1,1}?("),
            2 => self.out.push_str("){1,1}(?:"),
            _ => {
                return Err(pg_err!(
                    INVALID_USE_OF_ESCAPE_CHARACTER,
                    "SQL regular expression may not contain more than two escape-double-quote separators"
                ));
            }
        }
        Ok(())
    }

    fn in_bracket(&mut self, c: char) {
        if c == '\\' {
            self.out.push('\\');
        }
        self.out.push(c);
        match c {
            ']' if self.place == BracketPlace::Later => self.depth -= 1,
            '[' => {
                self.depth += 1;
                self.place = BracketPlace::Later;
            }
            '^' if self.place == BracketPlace::Start => self.place = BracketPlace::AfterCaret,
            _ => self.place = BracketPlace::Later,
        }
    }

    fn plain(&mut self, c: char) {
        match c {
            '[' => {
                self.out.push(c);
                self.depth = 1;
                self.place = BracketPlace::Start;
            }
            '%' => self.out.push_str(".*"),
            '_' => self.out.push('.'),
            '(' => self.out.push_str("(?:"),
            '\\' | '.' | '^' | '$' => {
                self.out.push('\\');
                self.out.push(c);
            }
            _ => self.out.push(c),
        }
    }
}

/// The regular expression that a pattern means.
fn translate(pattern: &str, escape: &str) -> PgResult<String> {
    let mut escapes = escape.chars();
    let escape = escapes.next();
    if escapes.next().is_some() {
        return Err(pg_err!(INVALID_ESCAPE_SEQUENCE, "invalid escape string")
            .hint("Escape string must be empty or one character."));
    }
    let mut t = Translation {
        out: "^(?:".to_owned(),
        depth: 0,
        place: BracketPlace::Later,
        separators: 0,
    };
    let mut after_escape = false;
    for c in pattern.chars() {
        if after_escape {
            t.escaped(c)?;
            after_escape = false;
        } else if Some(c) == escape {
            after_escape = true;
        } else if t.depth > 0 {
            t.in_bracket(c);
        } else {
            t.plain(c);
        }
    }
    t.out.push_str(")$");
    Ok(t.out)
}

fn similar_escape(pattern: Option<&str>, escape: Option<&str>) -> PgResult<Option<String>> {
    let Some(pattern) = pattern else { return Ok(None) };
    translate(pattern, escape.unwrap_or("\\")).map(Some)
}

fn similar_to_escape_2(pattern: &str, escape: &str) -> PgResult<String> {
    translate(pattern, escape)
}

fn similar_to_escape_1(pattern: &str) -> PgResult<String> {
    translate(pattern, "\\")
}

/// `substring(s similar pattern escape e)`.
fn substring(ctx: &mut FnContext<'_>, s: &str, pattern: &str, escape: &str) -> PgResult<Option<String>> {
    super::regexp::substring(ctx, s, &translate(pattern, escape)?)
}

builtins! {
    similar_escape(pattern: text, escape: text) -> text;
    similar_to_escape_2(pattern: text, escape: text) -> text;
    similar_to_escape_1(pattern: text) -> text;
    substring(ctx, s: text, pattern: text, escape: text) -> text;
}
