//! Basic regular expressions, rewritten as advanced ones.

use common::PgResult;

use super::parse::{BAD_COUNT, BAD_ESCAPE, invalid};

/// The advanced spelling of a basic regular expression.
pub(super) fn advanced_of_basic(chars: &[char]) -> PgResult<Vec<char>> {
    let mut out: Vec<char> = Vec::with_capacity(chars.len() + 8);
    let mut at = 0;
    // At the start of an expression or group `*` stands for itself, and only there `^` is an anchor.
    let mut start = true;
    while let Some(&c) = chars.get(at) {
        at += 1;
        let was_start = std::mem::replace(&mut start, false);
        match c {
            '\\' => {
                let Some(&next) = chars.get(at) else {
                    return Err(invalid(BAD_ESCAPE));
                };
                at += 1;
                match next {
                    '{' if !chars.get(at).is_some_and(char::is_ascii_digit) => {
                        return Err(invalid(BAD_COUNT));
                    }
                    '(' | ')' | '{' | '}' => out.push(next),
                    '<' => out.extend("[[:<:]]".chars()),
                    '>' => out.extend("[[:>:]]".chars()),
                    // The empty group keeps digits behind it out of the number.
                    '1'..='9' if chars.get(at).is_some_and(char::is_ascii_digit) => {
                        out.extend(['\\', next, '(', '?', ':', ')']);
                    }
                    '1'..='9' => out.extend(['\\', next]),
                    c if c.is_ascii_alphanumeric() => out.push(c),
                    c => out.extend(['\\', c]),
                }
                start = next == '(';
            }
            '[' => at = basic_bracket(chars, at, &mut out),
            '*' if was_start => out.extend(['\\', '*']),
            '^' if was_start => {
                out.push('^');
                start = true;
            }
            '$' if at == chars.len() || chars[at..].starts_with(&['\\', ')']) => out.push('$'),
            '^' | '$' | '+' | '?' | '|' | '(' | ')' | '{' | '}' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    Ok(out)
}

/// Copies a bracket expression, in which a backslash stands for itself; the place behind it.
fn basic_bracket(chars: &[char], mut at: usize, out: &mut Vec<char>) -> usize {
    out.push('[');
    let mut first = true;
    while let Some(&c) = chars.get(at) {
        at += 1;
        if c == '\\' {
            out.push('\\');
        }
        out.push(c);
        if c == '[' {
            if let Some(kind @ (':' | '.' | '=')) = chars.get(at) {
                out.push(*kind);
                at += 1;
                while at < chars.len() && !(chars[at] == *kind && chars.get(at + 1) == Some(&']')) {
                    out.push(chars[at]);
                    at += 1;
                }
                out.extend(&chars[at.min(chars.len())..(at + 2).min(chars.len())]);
                at += 2;
            }
        } else if c == ']' && !first {
            break;
        }
        first = first && c == '^';
    }
    at
}
