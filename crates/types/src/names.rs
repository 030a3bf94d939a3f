//! Names of catalog objects in text, as `regclass` and its like read them.
//!
//! PG: src/backend/utils/adt/regproc.c (`parseNameAndArgTypes`), varlena.c (`SplitIdentifierString`).

use common::pieces::List;
use common::{PgResult, cancel, pg_err};

use crate::io_text::{NAME_LEN_MAX, is_space};

fn truncated(mut name: String) -> String {
    let mut end = NAME_LEN_MAX.min(name.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.truncate(end);
    name
}

/// A part in double quotes (the first is gone) and what follows it.
fn quoted_part(text: &str) -> Option<(String, &str)> {
    let mut part = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once('"')?;
        part.push_str(before);
        match after.strip_prefix('"') {
            Some(more) => {
                part.push('"');
                rest = more;
            }
            None => return Some((part, after)),
        }
    }
}

/// Splits `a.b` into its parts: quoted parts keep their case, others fold.
pub fn split_name(name: &str) -> PgResult<Vec<String>> {
    let invalid = || pg_err!(INVALID_NAME, "invalid name syntax");
    let (cancel, mut parts) = (cancel::current(), List::new(0));
    let mut rest = name.trim_matches(is_space);
    loop {
        let (part, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_part(quoted).ok_or_else(invalid)?,
            None => {
                let end = rest.find(|c| c == '.' || is_space(c)).unwrap_or(rest.len());
                if end == 0 {
                    return Err(invalid());
                }
                (rest[..end].to_ascii_lowercase(), &rest[end..])
            }
        };
        parts.extend(&cancel, [truncated(part)])?;
        let after = after.trim_start_matches(is_space);
        match after.strip_prefix('.') {
            Some(next) => rest = next.trim_start_matches(is_space),
            None if after.is_empty() => return Ok(parts.finish()),
            None => return Err(invalid()),
        }
    }
}

/// The type names of an argument list.
fn type_names(list: &str) -> PgResult<Vec<&str>> {
    let mut types = Vec::new();
    let mut rest = list.trim_start_matches(is_space);
    let mut had_comma = false;
    while !rest.is_empty() {
        let (mut depth, mut in_quotes) = (0, false);
        let end = rest.find(|c| {
            match c {
                '"' => in_quotes = !in_quotes,
                ',' => return !in_quotes && depth == 0,
                '(' | '[' if !in_quotes => depth += 1,
                ')' | ']' if !in_quotes => depth -= 1,
                _ => {}
            }
            false
        });
        if in_quotes || depth != 0 {
            return Err(pg_err!(INVALID_TEXT_REPRESENTATION, "improper type name"));
        }
        let (name, after) = rest.split_at(end.unwrap_or(rest.len()));
        types.push(name.trim_matches(is_space));
        had_comma = after.starts_with(',');
        rest = after.strip_prefix(',').unwrap_or("").trim_start_matches(is_space);
    }
    if had_comma {
        return Err(pg_err!(INVALID_TEXT_REPRESENTATION, "expected a type name"));
    }
    Ok(types)
}

/// `name(type, type)` taken apart: the parts of the name, the types as written.
pub fn name_and_types(text: &str) -> PgResult<(Vec<String>, Vec<&str>)> {
    let expected = |what: &str| pg_err!(INVALID_TEXT_REPRESENTATION, "expected a {what} parenthesis");
    let mut in_quotes = false;
    let open = text.find(|c| {
        in_quotes ^= c == '"';
        c == '(' && !in_quotes
    });
    let at = open.ok_or_else(|| expected("left"))?;
    let parts = split_name(&text[..at])?;
    let list = text[at + 1..].trim_end_matches(is_space);
    let list = list.strip_suffix(')').ok_or_else(|| expected("right"))?;
    Ok((parts, type_names(list)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use common::cancel::{CancelReason, CancelToken};

    use super::*;

    #[test]
    fn names_of_many_parts_are_read_until_cancelled() {
        let name = vec!["a"; 20_000].join(".");
        assert_eq!(split_name(&name).unwrap().len(), 20_000);
        let cancel = CancelToken::new();
        let _entered = cancel.enter();
        cancel.cancel(CancelReason::User);
        assert_eq!(split_name(&name).unwrap_err().sqlstate.as_str(), "57014");
    }

    fn message(text: &str) -> String {
        name_and_types(text).unwrap_err().message
    }

    /// Recorded from PostgreSQL 18.4.
    #[test]
    fn names_are_read_before_types() {
        assert_eq!(message("(1,2"), "invalid name syntax");
        assert_eq!(message("a s(numeric)0"), "invalid name syntax");
        assert_eq!(message("f(int4"), "expected a right parenthesis");
        assert_eq!(message("f(i\"9t,int4)"), "improper type name");
        assert_eq!(message("+( nt4),int4)"), "improper type name");
        assert_eq!(message("f(int4,)"), "expected a type name");
        let (parts, types) = name_and_types("A.\"B c\"(numeric(1,2), int4 )").unwrap();
        assert_eq!(
            (parts.join("/"), types.join("/")),
            ("a/B c".into(), "numeric(1,2)/int4".into())
        );
    }
}
