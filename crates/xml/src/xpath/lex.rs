//! Text of a path to tokens.

use crate::chars;
use crate::xpath::{XResult, invalid};

/// A token. Names that are operators at their place are operators already.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Number(f64),
    Literal(String),
    /// `prefix:local`; `*` may be the local part.
    Name(Option<Box<str>>, Box<str>),
    /// `*` as a test.
    Star,
    Variable,
    Axis(Box<str>),
    /// Punctuation and operators, operators with names among them.
    Op(&'static str),
}

/// Longest first.
const OPS: [&str; 19] = [
    "::", "//", "..", "!=", "<=", ">=", "(", ")", "[", "]", ".", "@", ",", "/", "|", "+", "-", "=", "<",
];

/// True where an operand may not follow `previous`, so that a name or `*` must be an operator.
fn expects_operator(previous: Option<&Token>) -> bool {
    match previous {
        None | Some(Token::Axis(_)) => false,
        Some(Token::Op(op)) => matches!(*op, ")" | "]" | "." | ".."),
        Some(_) => true,
    }
}

fn take(rest: &str, f: impl Fn(char) -> bool) -> &str {
    let len = rest.find(|c| !f(c)).unwrap_or(rest.len());
    rest.get(..len).unwrap_or("")
}

fn skip_blanks(rest: &str) -> &str {
    rest.trim_start_matches(chars::is_blank)
}

/// Cuts a path.
pub(super) fn tokens(text: &str) -> XResult<Vec<Token>> {
    let mut out: Vec<Token> = Vec::new();
    let mut rest = skip_blanks(text);
    while let Some(c) = rest.chars().next() {
        let digit_follows = rest.chars().nth(1).is_some_and(|c| c.is_ascii_digit());
        rest = if matches!(c, '"' | '\'') {
            literal(c, rest, &mut out)?
        } else if c.is_ascii_digit() || (c == '.' && digit_follows) {
            number(rest, &mut out)?
        } else if c == '$' {
            variable(rest, &mut out)?
        } else if c == '*' {
            let operator = expects_operator(out.last());
            out.push(if operator { Token::Op("*") } else { Token::Star });
            rest.get(1..).unwrap_or("")
        } else if chars::is_name_start(c) {
            name(rest, &mut out)?
        } else {
            let known = OPS.iter().chain(&[">"]).find(|op| rest.starts_with(**op));
            let Some(op) = known else {
                return invalid("Invalid expression");
            };
            out.push(Token::Op(op));
            rest.get(op.len()..).unwrap_or("")
        };
        rest = skip_blanks(rest);
    }
    Ok(out)
}

fn literal<'t>(quote: char, rest: &'t str, out: &mut Vec<Token>) -> XResult<&'t str> {
    let body = rest.get(1..).unwrap_or("");
    let Some(end) = body.find(quote) else {
        return invalid("Unfinished literal");
    };
    out.push(Token::Literal(body.get(..end).unwrap_or("").to_owned()));
    Ok(body.get(end + 1..).unwrap_or(""))
}

fn number<'t>(rest: &'t str, out: &mut Vec<Token>) -> XResult<&'t str> {
    let whole = take(rest, |c| c.is_ascii_digit());
    let mut len = whole.len();
    if rest.get(len..).is_some_and(|r| r.starts_with('.')) {
        len += 1 + take(rest.get(len + 1..).unwrap_or(""), |c| c.is_ascii_digit()).len();
    }
    let exponent = rest.get(len..).unwrap_or("");
    if exponent.starts_with(['e', 'E']) {
        let sign = usize::from(exponent.get(1..).is_some_and(|r| r.starts_with(['+', '-'])));
        let digits = take(exponent.get(1 + sign..).unwrap_or(""), |c| c.is_ascii_digit());
        if !digits.is_empty() {
            len += 1 + sign + digits.len();
        }
    }
    match rest.get(..len).unwrap_or("").parse() {
        Ok(value) => out.push(Token::Number(value)),
        Err(_) => return invalid("Number encoding"),
    }
    Ok(rest.get(len..).unwrap_or(""))
}

fn variable<'t>(rest: &'t str, out: &mut Vec<Token>) -> XResult<&'t str> {
    let body = skip_blanks(rest.get(1..).unwrap_or(""));
    let name = take(body, |c| chars::is_name_char(c) || c == ':');
    if name.is_empty() {
        return invalid("Expected $ for variable reference");
    }
    out.push(Token::Variable);
    Ok(body.get(name.len()..).unwrap_or(""))
}

fn name<'t>(rest: &'t str, out: &mut Vec<Token>) -> XResult<&'t str> {
    let first = take(rest, chars::is_name_char);
    let after = rest.get(first.len()..).unwrap_or("");
    if expects_operator(out.last()) {
        let op = match first {
            "and" => "and",
            "or" => "or",
            "div" => "div",
            "mod" => "mod",
            _ => return invalid("Invalid expression"),
        };
        out.push(Token::Op(op));
        return Ok(after);
    }
    let spaced = skip_blanks(after);
    if let Some(behind) = spaced.strip_prefix("::") {
        out.push(Token::Axis(first.into()));
        return Ok(behind);
    }
    if let Some(local) = after.strip_prefix(':') {
        if let Some(behind) = local.strip_prefix('*') {
            out.push(Token::Name(Some(first.into()), "*".into()));
            return Ok(behind);
        }
        if !local.starts_with(chars::is_name_start) {
            return invalid("Invalid expression");
        }
        let second = take(local, chars::is_name_char);
        out.push(Token::Name(Some(first.into()), second.into()));
        return Ok(local.get(second.len()..).unwrap_or(""));
    }
    out.push(Token::Name(None, first.into()));
    Ok(after)
}
