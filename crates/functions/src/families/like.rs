//! LIKE and ILIKE.

use common::cancel::CancelToken;
use common::pieces::PIECE_BYTES;
use common::{PgError, PgResult, pg_err};

use crate::families::string::lower;
use crate::framework::context::FnContext;
use crate::framework::macros::builtins;

#[cold]
fn ends_in_escape() -> Box<PgError> {
    pg_err!(
        INVALID_ESCAPE_SEQUENCE,
        "LIKE pattern must not end with escape character"
    )
}

/// Length of the UTF-8 character that starts with this byte.
fn char_len(lead: u8) -> usize {
    match lead {
        0xf0.. => 4,
        0xe0.. => 3,
        0xc0.. => 2,
        _ => 1,
    }
}

/// The character of the pattern at `at` as a literal: escapes resolved. Bytes and what they take in the pattern.
fn literal(pattern: &[u8], at: usize) -> PgResult<(u8, usize)> {
    match pattern[at..] {
        [b'\\', c, ..] => Ok((c, 2)),
        [b'\\'] => Err(ends_in_escape()),
        [c, ..] => Ok((c, 1)),
        [] => Err(ends_in_escape()),
    }
}

/// Whether the whole text matches: `%` any run, `_` any character, `\` escapes. Only the last `%` needs retrying.
pub(crate) fn matches(cancel: &CancelToken, text: &[u8], pattern: &[u8]) -> PgResult<bool> {
    let (mut t, mut p) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    let mut steps = 0_usize;
    loop {
        steps += 1;
        if steps % PIECE_BYTES == 0 {
            cancel.check()?;
        }
        let step = match pattern.get(p) {
            Some(b'%') => {
                p += 1;
                if p == pattern.len() {
                    return Ok(true);
                }
                retry = Some((p, t));
                continue;
            }
            None if t == text.len() => return Ok(true),
            None => false,
            Some(_) if t == text.len() => {
                // PostgreSQL finds a bad escape only while there is text left; what remains must be % then.
                return Ok(retry.is_some() && pattern[p..].iter().all(|c| *c == b'%'));
            }
            Some(b'_') => {
                t += char_len(text[t]);
                p += 1;
                true
            }
            Some(_) => {
                let (c, len) = literal(pattern, p)?;
                let same = text[t] == c;
                if same {
                    t += 1;
                    p += len;
                }
                same
            }
        };
        if step {
            continue;
        }
        let Some((retry_p, retry_t)) = retry else {
            return Ok(false);
        };
        if retry_t >= text.len() {
            return Ok(false);
        }
        let mut next = retry_t + char_len(text[retry_t]);
        if !matches!(pattern[retry_p], b'_' | b'%') {
            // Jump to where the literal after the % occurs at all.
            let (c, _) = literal(pattern, retry_p)?;
            match memchr::memchr(c, text.get(next..).unwrap_or(&[])) {
                Some(skip) => next += skip,
                None => return Ok(false),
            }
        }
        (t, p) = (next, retry_p);
        retry = Some((retry_p, next));
    }
}

pub(crate) fn like(cancel: &CancelToken, text: &str, pattern: &str) -> PgResult<bool> {
    let (t, p) = (text.as_bytes(), pattern.as_bytes());
    // The two shapes nearly all patterns have need no automaton.
    if let [head @ .., b'%'] = p {
        if memchr::memchr3(b'%', b'_', b'\\', head).is_none() {
            return Ok(t.starts_with(head));
        }
        if let [b'%', middle @ ..] = head {
            // What is sought is looked through before, if it is not too long for that.
            let sought = 1..=PIECE_BYTES;
            if sought.contains(&middle.len()) && memchr::memchr3(b'%', b'_', b'\\', middle).is_none() {
                return Ok(memchr::memmem::find(t, middle).is_some());
            }
        }
    }
    matches(cancel, t, p)
}

fn ilike(ctx: &mut FnContext<'_>, text: &str, pattern: &str) -> PgResult<bool> {
    let (text, pattern) = (lower(ctx, text)?, lower(ctx, pattern)?);
    like(ctx.cancel, &text, &pattern)
}

fn nilike(ctx: &mut FnContext<'_>, text: &str, pattern: &str) -> PgResult<bool> {
    Ok(!ilike(ctx, text, pattern)?)
}

fn bad_escape() -> Box<PgError> {
    common::error::ErrorExt::hint(
        pg_err!(INVALID_ESCAPE_SEQUENCE, "invalid escape string"),
        "Escape string must be empty or one character.",
    )
}

/// Rewrites a pattern with another escape character to the standard one.
fn like_escape(pattern: &str, escape: &str) -> PgResult<String> {
    let mut chars = escape.chars();
    let escape = match (chars.next(), chars.next()) {
        (None, _) => None,
        (Some(c), None) => Some(c),
        _ => return Err(bad_escape()),
    };
    if escape == Some('\\') {
        return Ok(pattern.to_owned());
    }
    let mut out = String::with_capacity(pattern.len() + 4);
    let mut after_escape = false;
    for c in pattern.chars() {
        if Some(c) == escape && !after_escape {
            out.push('\\');
            after_escape = true;
        } else {
            if c == '\\' && !after_escape {
                out.push('\\');
            }
            out.push(c);
            after_escape = false;
        }
    }
    Ok(out)
}

/// The same for bytes.
fn like_escape_bytea(pattern: &[u8], escape: &[u8]) -> PgResult<Vec<u8>> {
    let escape = match escape {
        [] => None,
        [b'\\'] => return Ok(pattern.to_vec()),
        [b] => Some(*b),
        _ => return Err(bad_escape()),
    };
    let mut out = Vec::with_capacity(pattern.len() + 4);
    let mut after_escape = false;
    for b in pattern {
        let is_escape = Some(*b) == escape && !after_escape;
        if is_escape || (*b == b'\\' && !after_escape) {
            out.push(b'\\');
        }
        if !is_escape {
            out.push(*b);
        }
        after_escape = is_escape;
    }
    Ok(out)
}

builtins! {
    texticlike = ilike(ctx, text: text, pattern: text) -> bool;
    texticnlike = nilike(ctx, text: text, pattern: text) -> bool;
    nameiclike = ilike(ctx, text: name, pattern: text) -> bool;
    nameicnlike = nilike(ctx, text: name, pattern: text) -> bool;
    like_escape(pattern: text, escape: text) -> text;
    like_escape_bytea(pattern: bytea, escape: bytea) -> bytea;
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn matches_like_postgres() {
        for (text, pattern, expected) in [
            ("abc", "a%", true),
            ("abc", "%b%", true),
            ("abc", "_b_", true),
            ("abc", "a_", false),
            ("aéc", "a_c", true),
            ("a%c", "a\\%c", true),
            ("abc", "a\\%c", false),
            ("", "%", true),
            ("abcabd", "%ab_", true),
            ("abcabd", "%a%d", true),
            ("mississippi", "%iss%pi", true),
            ("mississippi", "%iss%s_i%", true),
            ("ab", "ab%%", true),
            ("ab", "ab_%", false),
        ] {
            assert_eq!(
                like(CancelToken::never(), text, pattern).unwrap(),
                expected,
                "{text} LIKE {pattern}"
            );
        }
        assert!(like(CancelToken::never(), "a", "b\\").is_ok_and(|m| !m));
        assert!(like(CancelToken::never(), "a", "\\").is_err());
    }
}
