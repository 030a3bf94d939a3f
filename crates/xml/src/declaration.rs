//! The XML declaration in front of a text, read as leniently as PostgreSQL reads it.

use crate::chars;

/// `<?xml version=... encoding=... standalone=...?>`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declaration<'t> {
    /// Bytes that it takes; 0 when there is none.
    pub len: usize,
    /// Its version.
    pub version: Option<&'t str>,
    /// Its encoding.
    pub encoding: Option<&'t str>,
    /// Its standalone.
    pub standalone: Option<bool>,
}

/// What is wrong with a declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum DeclarationError {
    SpaceRequired,
    VersionMissing,
    MissingEncoding,
    StandaloneValue,
    NotFinished,
    InvalidChar,
}

impl DeclarationError {
    /// A sentence for the user.
    pub fn detail(self) -> &'static str {
        match self {
            DeclarationError::SpaceRequired => "Space required.",
            DeclarationError::VersionMissing => "Malformed declaration: missing version.",
            DeclarationError::MissingEncoding => "Missing encoding in text declaration.",
            DeclarationError::StandaloneValue => "standalone accepts only 'yes' or 'no'.",
            DeclarationError::NotFinished => "Parsing XML declaration: '?>' expected.",
            DeclarationError::InvalidChar => "Invalid character value.",
        }
    }
}

fn skip(s: &str) -> &str {
    s.trim_start_matches(chars::is_blank)
}

/// `name = "value"` at the start of `s`: the value and the rest; `None` where another word stands.
fn item<'t>(
    s: &'t str,
    name: &str,
    wrong: DeclarationError,
) -> Result<Option<(&'t str, &'t str)>, DeclarationError> {
    let Some(rest) = skip(s).strip_prefix(name) else {
        return Ok(None);
    };
    if skip(s).len() == s.len() {
        return Err(DeclarationError::SpaceRequired);
    }
    let value = skip(rest).strip_prefix('=').map(skip).ok_or(wrong)?;
    let quote = value
        .chars()
        .next()
        .filter(|c| matches!(c, '"' | '\''))
        .ok_or(wrong)?;
    let body = value.get(1..).unwrap_or("");
    body.split_once(quote).map(Some).ok_or(wrong)
}

/// The declaration at the start of `text`.
pub fn parse(text: &str) -> Result<Declaration<'_>, DeclarationError> {
    let mut out = Declaration::default();
    let Some(rest) = text.strip_prefix("<?xml") else {
        return Ok(out);
    };
    // `<?xml-stylesheet` is another processing instruction.
    if rest.starts_with(|c| chars::is_name_char(c) || c == ':') {
        return Ok(out);
    }
    let missing = DeclarationError::VersionMissing;
    if skip(rest).len() == rest.len() {
        return Err(DeclarationError::SpaceRequired);
    }
    let (version, mut rest) = item(rest, "version", missing)?.ok_or(missing)?;
    out.version = Some(version);
    if let Some((encoding, after)) = item(rest, "encoding", DeclarationError::MissingEncoding)? {
        out.encoding = Some(encoding);
        rest = after;
    }
    if let Some((standalone, after)) = item(rest, "standalone", DeclarationError::StandaloneValue)? {
        out.standalone = match standalone {
            "yes" => Some(true),
            "no" => Some(false),
            _ => return Err(DeclarationError::StandaloneValue),
        };
        rest = after;
    }
    let rest = skip(rest)
        .strip_prefix("?>")
        .ok_or(DeclarationError::NotFinished)?;
    out.len = text.len() - rest.len();
    if !text.get(..out.len).is_some_and(str::is_ascii) {
        return Err(DeclarationError::InvalidChar);
    }
    Ok(out)
}

/// Appends a declaration, unless it would say nothing that is not understood; true when it did.
pub fn print(out: &mut String, version: Option<&str>, standalone: Option<bool>) -> bool {
    if version.is_none_or(|v| v == "1.0") && standalone.is_none() {
        return false;
    }
    out.push_str("<?xml version=\"");
    out.push_str(version.unwrap_or("1.0"));
    out.push('"');
    match standalone {
        Some(true) => out.push_str(" standalone=\"yes\""),
        Some(false) => out.push_str(" standalone=\"no\""),
        None => {}
    }
    out.push_str("?>");
    true
}

/// Does content begin with a DOCTYPE, comments and processing instructions apart? Then it is a document.
pub fn begins_with_doctype(content: &str) -> bool {
    let mut rest = skip(content);
    loop {
        let end = if rest.starts_with("<!DOCTYPE") {
            return true;
        } else if rest.starts_with("<!--") {
            "-->"
        } else if rest.starts_with("<?") {
            "?>"
        } else {
            return false;
        };
        match rest.split_once(end) {
            Some((_, behind)) => rest = skip(behind),
            None => return false,
        }
    }
}
