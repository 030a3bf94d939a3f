//! Unicode normalisation, encodings, and texts that are lists of names.

use common::cancel::CancelToken;
use common::error::ErrorExt;
use common::pieces::List;
use common::{PgError, PgResult, pg_err, pieces};
use types::encoding::Encoding;
use types::{ArrayValue, Datum, oids};
use unicode_normalization::UnicodeNormalization;

use crate::framework::context::FnContext;
use crate::framework::macros::builtins;

/// The forms.
#[derive(Clone, Copy)]
enum Form {
    Nfc,
    Nfd,
    Nfkc,
    Nfkd,
}

impl Form {
    fn parse(name: &str) -> PgResult<Form> {
        Ok(match name.to_ascii_uppercase().as_str() {
            "NFC" => Form::Nfc,
            "NFD" => Form::Nfd,
            "NFKC" => Form::Nfkc,
            "NFKD" => Form::Nfkd,
            _ => {
                return Err(pg_err!(
                    INVALID_PARAMETER_VALUE,
                    "invalid normalization form: {name}"
                ));
            }
        })
    }
}

fn normalized(cancel: &CancelToken, s: &str, form: Form) -> PgResult<String> {
    match form {
        Form::Nfc => pieces::collect(cancel, s.nfc()),
        Form::Nfd => pieces::collect(cancel, s.nfd()),
        Form::Nfkc => pieces::collect(cancel, s.nfkc()),
        Form::Nfkd => pieces::collect(cancel, s.nfkd()),
    }
}

fn normalize(ctx: &mut FnContext<'_>, s: &str, form: &str) -> PgResult<String> {
    normalized(ctx.cancel, s, Form::parse(form)?)
}

fn is_normalized(ctx: &mut FnContext<'_>, s: &str, form: &str) -> PgResult<bool> {
    Ok(normalized(ctx.cancel, s, Form::parse(form)?)? == s)
}

fn unicode_version() -> &'static str {
    "16.0"
}

fn icu_unicode_version() -> Option<String> {
    None
}

fn encoding(name: &str, role: &str) -> PgResult<Encoding> {
    let found = Encoding::by_name(name);
    found.ok_or_else(|| pg_err!(INVALID_PARAMETER_VALUE, "invalid {role}encoding name \"{name}\""))
}

fn verify(cancel: &CancelToken, encoding: Encoding, bytes: &[u8]) -> PgResult<()> {
    for piece in types::encoding::pieces(encoding, bytes) {
        cancel.check()?;
        types::encoding::verify(encoding, piece)?;
    }
    Ok(())
}

fn convert_from(ctx: &mut FnContext<'_>, bytes: &[u8], from: &str) -> PgResult<String> {
    let from = encoding(from, "source ")?;
    // By its own rules first: the error names that encoding.
    verify(ctx.cancel, from, bytes)?;
    let mut out = String::with_capacity(bytes.len());
    for piece in types::encoding::pieces(from, bytes) {
        ctx.cancel.check()?;
        out.push_str(&types::encoding::decode(piece, from)?);
    }
    Ok(out)
}

fn convert_to(ctx: &mut FnContext<'_>, s: &str, to: &str) -> PgResult<Vec<u8>> {
    let to = encoding(to, "destination ")?;
    let mut out = Vec::with_capacity(s.len());
    for piece in types::encoding::text_pieces(s, to) {
        ctx.cancel.check()?;
        out.extend_from_slice(&types::encoding::encode(piece, to)?);
    }
    Ok(out)
}

fn convert(ctx: &mut FnContext<'_>, bytes: &[u8], from: &str, to: &str) -> PgResult<Vec<u8>> {
    let (from, to) = (encoding(from, "source ")?, encoding(to, "destination ")?);
    if !types::encoding::by_characters(to) {
        return types::encoding::convert(bytes, from, to);
    }
    verify(ctx.cancel, from, bytes)?;
    let mut out = Vec::with_capacity(bytes.len());
    for piece in types::encoding::pieces(from, bytes) {
        ctx.cancel.check()?;
        out.extend_from_slice(&types::encoding::convert(piece, from, to)?);
    }
    Ok(out)
}

fn length_in_encoding(bytes: &[u8], name: &str) -> PgResult<i32> {
    Ok(types::encoding::char_count(encoding(name, "")?, bytes)? as i32)
}

#[cold]
fn not_an_identifier(s: &str) -> Box<PgError> {
    pg_err!(
        INVALID_PARAMETER_VALUE,
        "string is not a valid identifier: \"{s}\""
    )
}

/// A quoted name at the start of `rest` (behind its first quote), and what follows it.
fn quoted<'a>(s: &str, rest: &'a str) -> PgResult<(String, &'a str)> {
    let mut name = String::new();
    let mut chars = rest.char_indices().peekable();
    while let Some((i, c)) = chars.next() {
        if c != '"' {
            name.push(c);
        } else if chars.next_if(|(_, c)| *c == '"').is_some() {
            name.push('"');
        } else if name.is_empty() {
            return Err(not_an_identifier(s).detail("Quoted identifier must not be empty."));
        } else {
            return Ok((name, &rest[i + 1..]));
        }
    }
    Err(not_an_identifier(s).detail("String has unclosed double quotes."))
}

fn is_start(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic() || !c.is_ascii()
}

fn parse_ident(ctx: &FnContext<'_>, s: &str, strict: bool) -> PgResult<ArrayValue> {
    let mut parts = List::new(0);
    let mut rest = s.trim_start();
    let mut after_dot = false;
    loop {
        let name;
        if let Some(inside) = rest.strip_prefix('"') {
            (name, rest) = quoted(s, inside)?;
        } else if rest.starts_with(is_start) {
            let len = rest
                .find(|c: char| !(is_start(c) || c.is_ascii_digit() || c == '$'))
                .unwrap_or(rest.len());
            name = rest[..len].to_ascii_lowercase();
            rest = &rest[len..];
        } else if rest.starts_with('.') {
            return Err(not_an_identifier(s).detail("No valid identifier before \".\"."));
        } else if after_dot {
            return Err(not_an_identifier(s).detail("No valid identifier after \".\"."));
        } else {
            return Err(not_an_identifier(s));
        }
        parts.extend(ctx.cancel, [Datum::text(name)])?;
        rest = rest.trim_start();
        match rest.strip_prefix('.') {
            Some(after) => {
                after_dot = true;
                rest = after.trim_start();
            }
            None if rest.is_empty() || !strict => break,
            None => return Err(not_an_identifier(s)),
        }
    }
    Ok(ArrayValue::from_elements(oids::TEXT, parts.finish()))
}

builtins! {
    unicode_normalize_func = normalize(ctx, s: text, form: text) -> text;
    unicode_is_normalized = is_normalized(ctx, s: text, form: text) -> bool;
    unicode_version() -> text;
    icu_unicode_version() -> text;
    pg_convert_from = convert_from(ctx, bytes: bytea, from: name) -> text;
    pg_convert_to = convert_to(ctx, s: text, to: name) -> bytea;
    pg_convert = convert(ctx, bytes: bytea, from: name, to: name) -> bytea;
    length_in_encoding(bytes: bytea, name: name) -> int4;
    parse_ident(ctx, s: text, strict: bool) -> text_array;
}
