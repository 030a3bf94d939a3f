//! Options of dictionaries, as `pg_ts_dict.dictinitoption` keeps them.

use common::{Oid, PgError, PgResult, pg_err};

use crate::facts;

/// The built-in template whose function turns tokens into lexemes.
pub fn template_of(lexize: Oid) -> Option<&'static str> {
    Some(match facts::proc(lexize)?.proname {
        "dsimple_lexize" => "simple",
        "dsnowball_lexize" => "snowball",
        "dsynonym_lexize" => "synonym",
        "thesaurus_lexize" => "thesaurus",
        "dispell_lexize" => "ispell",
        _ => return None,
    })
}

/// `name = 'value', name = 1`: name, value, and whether it stands in quotes.
pub fn dictionary_options(text: &str) -> Vec<(String, String, bool)> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim().trim_start_matches(',').trim().trim_matches('"');
        let name = name.replace("\"\"", "\"");
        let after = after.trim_start();
        if !after.starts_with(['E', '\'']) {
            let end = after.find(',').unwrap_or(after.len());
            found.push((name, after[..end].trim().to_owned(), false));
            rest = after[end..].trim_start_matches([',', ' ']);
            continue;
        }
        let (value, end) = quoted(after);
        found.push((name, value, true));
        rest = after.get(end..).unwrap_or("").trim_start_matches([',', ' ']);
    }
    found
}

/// The value of a literal at the start of a text, and where it ends.
fn quoted(text: &str) -> (String, usize) {
    let escaped = text.starts_with('E');
    let start = 1 + usize::from(escaped);
    let mut value = String::new();
    let mut chars = text.char_indices().skip(start).peekable();
    while let Some((i, c)) = chars.next() {
        if c == '\'' {
            if chars.peek().is_none_or(|(_, c)| *c != '\'') {
                return (value, i + 1);
            }
            chars.next();
        }
        if c == '\\' && escaped {
            chars.next();
        }
        value.push(c);
    }
    (value, text.len())
}

/// An option that takes a truth value.
pub(super) fn boolean(name: &str, value: &str) -> PgResult<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "on" | "1" => Ok(true),
        "false" | "off" | "0" => Ok(false),
        _ => Err(pg_err!(SYNTAX_ERROR, "{name} requires a Boolean value")),
    }
}

/// An option given twice.
#[cold]
pub(super) fn repeated(what: &str) -> Box<PgError> {
    pg_err!(INVALID_PARAMETER_VALUE, "multiple {what} parameters")
}

/// A needed option that is not there.
#[cold]
pub(super) fn missing(what: &str) -> Box<PgError> {
    pg_err!(INVALID_PARAMETER_VALUE, "missing {what} parameter")
}

/// An option that the template does not have.
#[cold]
pub(super) fn unrecognized(template: &str, name: &str) -> Box<PgError> {
    pg_err!(
        INVALID_PARAMETER_VALUE,
        "unrecognized {template} parameter: \"{name}\""
    )
}

/// Sets an option that may be given once.
pub(super) fn set_once<T>(slot: &mut Option<T>, value: T, what: &str) -> PgResult<()> {
    if slot.is_some() {
        return Err(repeated(what));
    }
    *slot = Some(value);
    Ok(())
}

/// A template of a user's without a function for options was given some.
#[cold]
pub(super) fn no_options(template: &str) -> Box<PgError> {
    pg_err!(
        SYNTAX_ERROR,
        "text search template \"{template}\" does not accept options"
    )
}
