//! Input of `aclitem`: `grantee=privileges/grantor`.
//!
//! A value is its text, with role names. There is no binary form.
//!
//! PG: src/backend/utils/adt/acl.c, `aclparse`.

use common::error::{ErrorExt, Severity};
use common::{PgError, PgResult, pg_err, sqlstate};

use crate::Datum;
use crate::io::{IoContext, RegKind};
use crate::io_text::{NAME_LEN_MAX, is_space};

/// The letters of all privileges, in the order in which they print.
pub const LETTERS: &str = "arwdDxtXUCTcsAm";
const BOOTSTRAP_SUPERUSER: &str = "postgres";

#[cold]
fn bad(message: impl Into<String>) -> Box<PgError> {
    pg_err!(INVALID_TEXT_REPRESENTATION, "{}", message.into())
}

/// A name from the front: letters, digits, `_` and other characters than ASCII's; anything in double quotes.
fn take_name(text: &str) -> PgResult<(String, &str)> {
    let mut rest = text.trim_start_matches(is_space);
    let (mut name, mut quoted) = (String::new(), false);
    while let Some(c) = rest.chars().next() {
        if !(quoted || c.is_ascii_alphanumeric() || c == '_' || c == '"' || !c.is_ascii()) {
            break;
        }
        rest = &rest[c.len_utf8()..];
        if c == '"' {
            if !quoted {
                quoted = true;
                continue;
            }
            match rest.strip_prefix('"') {
                Some(after) => rest = after,
                None => {
                    quoted = false;
                    continue;
                }
            }
        }
        if name.len() + c.len_utf8() > NAME_LEN_MAX {
            return Err(pg_err!(NAME_TOO_LONG, "identifier too long").detail(format!(
                "Identifier must be less than {} characters.",
                NAME_LEN_MAX + 1
            )));
        }
        name.push(c);
    }
    Ok((name, rest.trim_start_matches(is_space)))
}

fn check_role(name: &str, ctx: &IoContext<'_>) -> PgResult<()> {
    if name == BOOTSTRAP_SUPERUSER || ctx.resolver.is_none() {
        return Ok(());
    }
    let quoted = format!("\"{}\"", name.replace('"', "\"\""));
    ctx.names().resolve(RegKind::Role, &quoted).map(|_| ())
}

/// A role's name as it stands in an `aclitem`.
pub fn push_role(name: &str, out: &mut String) {
    if name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        out.push_str(name);
    } else {
        out.push('"');
        out.push_str(&name.replace('"', "\"\""));
        out.push('"');
    }
}

/// Privileges and grant options by their letters, `*` behind a letter being its grant option; and what follows.
fn take_privileges(text: &str) -> PgResult<(u32, u32, &str)> {
    let (mut privileges, mut options, mut last) = (0, 0, 0);
    let end = text.find(|c: char| !c.is_ascii_alphabetic() && c != '*');
    let (letters, rest) = text.split_at(end.unwrap_or(text.len()));
    for c in letters.chars() {
        if c == '*' {
            options |= last;
            continue;
        }
        let Some(at) = LETTERS.find(c) else {
            return Err(bad(format!(
                "invalid mode character: must be one of \"{LETTERS}\""
            )));
        };
        last = 1 << at;
        privileges |= last;
    }
    Ok((privileges, options, rest))
}

/// `aclitem` from text.
pub fn aclitem_in(text: &str, _: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
    let (mut grantee, mut rest) = take_name(text)?;
    if !rest.starts_with('=') {
        if !matches!(grantee.as_str(), "group" | "user") {
            return Err(bad(format!("unrecognized key word: \"{grantee}\""))
                .hint("ACL key word must be \"group\" or \"user\"."));
        }
        (grantee, rest) = take_name(rest)?;
        if grantee.is_empty() {
            return Err(bad("missing name").hint("A name must follow the \"group\" or \"user\" key word."));
        }
    }
    let Some(after) = rest.strip_prefix('=') else {
        return Err(bad("missing \"=\" sign"));
    };
    let (privileges, options, rest) = take_privileges(after)?;
    if !grantee.is_empty() {
        check_role(&grantee, ctx)?;
    }
    let (grantor, rest) = match rest.strip_prefix('/') {
        Some(after) => {
            let (grantor, rest) = take_name(after)?;
            if grantor.is_empty() {
                return Err(bad("a name must follow the \"/\" sign"));
            }
            check_role(&grantor, ctx)?;
            (grantor, rest)
        }
        None => {
            ctx.names().notice(PgError::notice(
                Severity::Warning,
                sqlstate::INVALID_GRANTOR,
                "defaulting grantor to user ID 10".to_owned(),
            ));
            (BOOTSTRAP_SUPERUSER.to_owned(), rest)
        }
    };
    if !rest.trim_start_matches(is_space).is_empty() {
        return Err(bad("extra garbage at the end of the ACL specification"));
    }
    let mut out = String::new();
    push_role(&grantee, &mut out);
    out.push('=');
    for (at, letter) in LETTERS.chars().enumerate() {
        if privileges >> at & 1 != 0 {
            out.push(letter);
        }
        if options >> at & 1 != 0 {
            out.push('*');
        }
    }
    out.push('/');
    push_role(&grantor, &mut out);
    Ok(Datum::text(out))
}

/// There is no binary form to read.
pub fn aclitem_recv(_: &[u8], _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    Err(pg_err!(
        UNDEFINED_FUNCTION,
        "no binary input function available for type aclitem"
    ))
}
