//! Unicode normalisation, encodings, and texts that are lists of names.

use common::error::ErrorExt;
use common::{PgError, PgResult, pg_err};
use types::{ArrayValue, Datum, oids};
use unicode_normalization::UnicodeNormalization;

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

fn normalized(s: &str, form: Form) -> String {
    match form {
        Form::Nfc => s.nfc().collect(),
        Form::Nfd => s.nfd().collect(),
        Form::Nfkc => s.nfkc().collect(),
        Form::Nfkd => s.nfkd().collect(),
    }
}

fn normalize(s: &str, form: &str) -> PgResult<String> {
    Ok(normalized(s, Form::parse(form)?))
}

fn is_normalized(s: &str, form: &str) -> PgResult<bool> {
    Ok(normalized(s, Form::parse(form)?) == s)
}

fn unicode_version() -> &'static str {
    "16.0"
}

fn icu_unicode_version() -> Option<String> {
    None
}

/// The encodings that conversion knows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Utf8,
    Latin1,
    Ascii,
}

fn encoding(name: &str, role: &str) -> PgResult<Encoding> {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    Ok(match plain.to_ascii_lowercase().as_str() {
        "utf8" | "unicode" => Encoding::Utf8,
        "latin1" | "iso88591" => Encoding::Latin1,
        "sqlascii" => Encoding::Ascii,
        "latin2" | "latin9" | "win1252" | "win1251" | "win1250" | "koi8r" | "eucjp" | "sjis" | "big5"
        | "gbk" => {
            return Err(common::unsupported!(
                "conversion of encoding {name} is not supported yet"
            ));
        }
        _ => {
            return Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "invalid {role} encoding name \"{name}\""
            ));
        }
    })
}

#[cold]
fn bad_bytes(bytes: &[u8], at: usize) -> Box<PgError> {
    let expected = match bytes.get(at) {
        Some(0xf0..=0xf7) => 4,
        Some(0xe0..=0xef) => 3,
        Some(0xc0..=0xdf) => 2,
        _ => 1,
    };
    let shown: Vec<String> = bytes[at..]
        .iter()
        .take(expected)
        .map(|b| format!("0x{b:02x}"))
        .collect();
    pg_err!(
        CHARACTER_NOT_IN_REPERTOIRE,
        "invalid byte sequence for encoding \"UTF8\": {}",
        shown.join(" ")
    )
}

fn decode(bytes: &[u8], from: Encoding) -> PgResult<String> {
    let good = match (from, std::str::from_utf8(bytes)) {
        (Encoding::Utf8 | Encoding::Ascii, Err(e)) => e.valid_up_to(),
        _ => bytes.len(),
    };
    if let Some(at) = bytes[..good].iter().position(|b| *b == 0) {
        return Err(bad_bytes(bytes, at));
    }
    match from {
        Encoding::Latin1 => Ok(bytes.iter().map(|b| char::from(*b)).collect()),
        Encoding::Utf8 | Encoding::Ascii => match std::str::from_utf8(bytes) {
            Ok(s) => Ok(s.to_owned()),
            Err(e) => Err(bad_bytes(bytes, e.valid_up_to())),
        },
    }
}

fn encode(s: &str, to: Encoding) -> PgResult<Vec<u8>> {
    match to {
        Encoding::Utf8 | Encoding::Ascii => Ok(s.as_bytes().to_vec()),
        Encoding::Latin1 => s
            .chars()
            .map(|c| {
                u8::try_from(u32::from(c)).map_err(|_| {
                    let bytes: Vec<String> = c.to_string().bytes().map(|b| format!("0x{b:02x}")).collect();
                    pg_err!(
                        UNTRANSLATABLE_CHARACTER,
                        "character with byte sequence {} in encoding \"UTF8\" has no equivalent in encoding \"LATIN1\"",
                        bytes.join(" ")
                    )
                })
            })
            .collect(),
    }
}

fn convert_from(bytes: &[u8], from: &str) -> PgResult<String> {
    decode(bytes, encoding(from, "source")?)
}

fn convert_to(s: &str, to: &str) -> PgResult<Vec<u8>> {
    encode(s, encoding(to, "destination")?)
}

fn convert(bytes: &[u8], from: &str, to: &str) -> PgResult<Vec<u8>> {
    let (from, to) = (encoding(from, "source")?, encoding(to, "destination")?);
    // What has no encoding is taken as it is, if it can be of the other one.
    if from == Encoding::Ascii && to == Encoding::Latin1 && !bytes.contains(&0) {
        return Ok(bytes.to_vec());
    }
    encode(&decode(bytes, from)?, to)
}

fn length_in_encoding(bytes: &[u8], name: &str) -> PgResult<i32> {
    let code = super::session_info::encoding_code(name);
    match encoding(name, "source") {
        Ok(Encoding::Utf8) => Ok(decode(bytes, Encoding::Utf8)?.chars().count() as i32),
        _ if code < 0 => Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "invalid encoding name \"{name}\""
        )),
        _ if bytes.contains(&0) => Err(pg_err!(
            CHARACTER_NOT_IN_REPERTOIRE,
            "invalid byte sequence for encoding \"{}\": 0x00",
            super::session_info::encoding_name(code)
        )),
        // Encodings of several bytes are not known here: their letters are counted as bytes.
        _ => Ok(bytes.len() as i32),
    }
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

fn parse_ident(s: &str, strict: bool) -> PgResult<ArrayValue> {
    let mut parts = Vec::new();
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
        parts.push(Datum::text(name));
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
    Ok(ArrayValue::from_elements(oids::TEXT, parts))
}

builtins! {
    unicode_normalize_func = normalize(s: text, form: text) -> text;
    unicode_is_normalized = is_normalized(s: text, form: text) -> bool;
    unicode_version() -> text;
    icu_unicode_version() -> text;
    pg_convert_from = convert_from(bytes: bytea, from: name) -> text;
    pg_convert_to = convert_to(s: text, to: name) -> bytea;
    pg_convert = convert(bytes: bytea, from: name, to: name) -> bytea;
    length_in_encoding(bytes: bytea, name: name) -> int4;
    parse_ident(s: text, strict: bool) -> text_array;
}
