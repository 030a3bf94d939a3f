//! PostgreSQL's advanced regular expressions in the syntax of crate `regex`.
//!
//! # How it works
//! The pattern is rewritten token by token: escapes that the crate spells differently (`\m`, `\y`, `\u00e9`...), braces that
//! are literal, characters special inside brackets to the crate only. What it cannot express (back references, look-around)
//! is 0A000. Classes such as `\w` are ASCII, as under collation C.

use common::{PgError, PgResult, pg_err, unsupported};
use regex::{Regex, RegexBuilder};

/// The options of a pattern: flags argument and embedded options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) global: bool,
    ignore_case: bool,
    newline_sensitive: bool,
    partial_newline: bool,
    inverse_newline: bool,
    expanded: bool,
    literal: bool,
}

impl Options {
    /// Reads a flags argument.
    pub(crate) fn parse(flags: &str) -> PgResult<Options> {
        let mut options = Options::default();
        for c in flags.chars() {
            if c == 'g' {
                options.global = true;
            } else if !options.set(c) {
                return Err(pg_err!(
                    INVALID_PARAMETER_VALUE,
                    "invalid regular expression option: \"{c}\""
                ));
            }
        }
        Ok(options)
    }

    fn set(&mut self, flag: char) -> bool {
        match flag {
            'i' => self.ignore_case = true,
            'c' => self.ignore_case = false,
            'm' | 'n' => self.newline_sensitive = true,
            's' => {
                (self.newline_sensitive, self.partial_newline, self.inverse_newline) = (false, false, false)
            }
            'p' => self.partial_newline = true,
            'w' => self.inverse_newline = true,
            'x' => self.expanded = true,
            't' => self.expanded = false,
            'q' => self.literal = true,
            'b' | 'e' => {}
            _ => return false,
        }
        true
    }
}

#[cold]
fn invalid(what: &str) -> Box<PgError> {
    pg_err!(INVALID_REGULAR_EXPRESSION, "invalid regular expression: {what}")
}

/// Compiles a pattern.
pub(crate) fn compile(pattern: &str, mut options: Options) -> PgResult<Regex> {
    let mut rest = pattern;
    if let Some(literal) = rest.strip_prefix("***=") {
        options.literal = true;
        rest = literal;
    } else if let Some(advanced) = rest.strip_prefix("***:") {
        rest = advanced;
    }
    if !options.literal {
        rest = embedded(rest, &mut options)?;
    }
    let translated = if options.literal {
        regex::escape(rest)
    } else {
        translate(rest, options)?
    };
    RegexBuilder::new(&translated)
        .case_insensitive(options.ignore_case)
        .multi_line(options.newline_sensitive || options.inverse_newline)
        .dot_matches_new_line(!(options.newline_sensitive || options.partial_newline))
        .ignore_whitespace(options.expanded)
        .build()
        .map_err(|e| explain(&e))
}

/// Takes `(?flags)` off the front.
fn embedded<'a>(pattern: &'a str, options: &mut Options) -> PgResult<&'a str> {
    let Some(inside) = pattern.strip_prefix("(?") else {
        return Ok(pattern);
    };
    let letters = inside.len() - inside.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
    if letters == 0 || !inside[letters..].starts_with(')') {
        return Ok(pattern);
    }
    if inside[..letters].chars().all(|c| options.set(c)) {
        Ok(&inside[letters + 1..])
    } else {
        Err(invalid("invalid embedded option"))
    }
}

fn explain(error: &regex::Error) -> Box<PgError> {
    let text = error.to_string();
    let has = |s: &str| text.contains(s);
    invalid(if has("unclosed group") || has("unopened group") {
        "parentheses () not balanced"
    } else if has("unclosed character class") {
        "brackets [] not balanced"
    } else if has("repetition operator missing") {
        "quantifier operand invalid"
    } else if has("invalid character class range") {
        "invalid character range"
    } else if has("unclosed counted repetition") {
        "braces {} not balanced"
    } else if has("repetition") {
        "invalid repetition count(s)"
    } else if has("escape") {
        "invalid escape \\ sequence"
    } else if has("size limit") {
        "regular expression is too complex"
    } else {
        "invalid regexp"
    })
}

fn translate(pattern: &str, options: Options) -> PgResult<String> {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => escape(&mut chars, &mut out, false)?,
            '[' => bracket(&mut chars, &mut out, options)?,
            '{' if !chars.peek().is_some_and(char::is_ascii_digit) => out.push_str("\\{"),
            '(' if chars.peek() == Some(&'?') => {
                chars.next();
                match chars.peek() {
                    Some(':') => out.push_str("(?"),
                    Some('=' | '!' | '<') => {
                        return Err(unsupported!(
                            "regular expressions with look-around are not supported"
                        ));
                    }
                    _ => return Err(invalid("quantifier operand invalid")),
                }
            }
            c => out.push(c),
        }
    }
    Ok(out)
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// What follows a backslash.
fn escape(chars: &mut Chars<'_>, out: &mut String, in_bracket: bool) -> PgResult<()> {
    let Some(c) = chars.next() else {
        return Err(invalid("invalid escape \\ sequence"));
    };
    let class = match c {
        'd' => Some("0-9"),
        'w' => Some("A-Za-z0-9_"),
        's' => Some(" \\t\\n\\r\\x0b\\x0c"),
        _ => None,
    };
    match (c, class) {
        (_, Some(class)) if in_bracket => out.push_str(class),
        (_, Some(class)) => out.push_str(&format!("[{class}]")),
        ('D', _) => out.push_str("[^0-9]"),
        ('W', _) => out.push_str("[^A-Za-z0-9_]"),
        ('S', _) => out.push_str("[^ \\t\\n\\r\\x0b\\x0c]"),
        ('m', _) if !in_bracket => out.push_str("\\b{start}"),
        ('M', _) if !in_bracket => out.push_str("\\b{end}"),
        ('y', _) if !in_bracket => out.push_str("\\b"),
        ('Y', _) if !in_bracket => out.push_str("\\B"),
        ('A', _) if !in_bracket => out.push_str("\\A"),
        ('Z', _) if !in_bracket => out.push_str("\\z"),
        ('a', _) => out.push_str("\\x07"),
        ('b', _) => out.push_str("\\x08"),
        ('B', _) => out.push_str("\\\\"),
        ('e', _) => out.push_str("\\x1b"),
        ('f', _) => out.push_str("\\x0c"),
        ('v', _) => out.push_str("\\x0b"),
        ('n' | 'r' | 't', _) => {
            out.push('\\');
            out.push(c);
        }
        ('u', _) => hex(chars, 4, out)?,
        ('U', _) => hex(chars, 8, out)?,
        ('x', _) => hex(chars, 255, out)?,
        ('0', _) => out.push_str("\\x00"),
        ('1'..='9', _) => {
            return Err(unsupported!(
                "regular expressions with back references are not supported"
            ));
        }
        (c, _) if c.is_alphanumeric() => return Err(invalid("invalid escape \\ sequence")),
        (c, _) => push_literal(c, out),
    }
    Ok(())
}

fn push_literal(c: char, out: &mut String) {
    if c.is_ascii_punctuation() || c == ' ' {
        out.push('\\');
    }
    out.push(c);
}

fn hex(chars: &mut Chars<'_>, digits_max: usize, out: &mut String) -> PgResult<()> {
    let mut code = 0u32;
    let mut digits = 0;
    while let Some(d) = chars
        .peek()
        .and_then(|c| c.to_digit(16))
        .filter(|_| digits < digits_max)
    {
        chars.next();
        code = code.wrapping_mul(16).wrapping_add(d);
        digits += 1;
    }
    if digits == 0 || (digits_max < 255 && digits < digits_max) {
        return Err(invalid("invalid escape \\ sequence"));
    }
    out.push_str(&format!("\\x{{{code:x}}}"));
    Ok(())
}

/// A bracket expression; `chars` stands behind the `[`.
fn bracket(chars: &mut Chars<'_>, out: &mut String, options: Options) -> PgResult<()> {
    out.push('[');
    let negated = chars.peek() == Some(&'^');
    if negated {
        chars.next();
        out.push('^');
        if options.newline_sensitive || options.partial_newline {
            out.push_str("\\n");
        }
    }
    let mut first = true;
    loop {
        let Some(c) = chars.next() else {
            return Err(invalid("brackets [] not balanced"));
        };
        match c {
            ']' if !first => {
                out.push(']');
                return Ok(());
            }
            '[' => match chars.peek().copied() {
                Some(kind @ (':' | '.' | '=')) => {
                    chars.next();
                    named(kind, chars, out)?;
                }
                _ => out.push_str("\\["),
            },
            '\\' => escape(chars, out, true)?,
            '-' => out.push('-'),
            c => push_literal(c, out),
        }
        first = false;
    }
}

/// `[:class:]`, `[.x.]`, `[=x=]` inside brackets.
fn named(kind: char, chars: &mut Chars<'_>, out: &mut String) -> PgResult<()> {
    let mut name = String::new();
    loop {
        match chars.next() {
            Some(c) if c == kind && chars.peek() == Some(&']') => {
                chars.next();
                break;
            }
            Some(c) => name.push(c),
            None => return Err(invalid("brackets [] not balanced")),
        }
    }
    let one = name.chars().next().filter(|_| name.chars().count() == 1);
    match (kind, name.as_str(), one) {
        (
            ':',
            "alpha" | "digit" | "alnum" | "upper" | "lower" | "space" | "punct" | "blank" | "cntrl" | "graph"
            | "print" | "xdigit" | "word",
            _,
        ) => out.push_str(&format!("[:{name}:]")),
        (':', _, _) => return Err(invalid("invalid character class")),
        (_, _, Some(c)) => push_literal(c, out),
        _ => return Err(invalid("invalid collating element")),
    }
    Ok(())
}
