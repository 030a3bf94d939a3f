//! Functions of `json`, which is kept as text: looking inside it.

use common::{PgResult, pg_err};
use types::json_text::{Lexer, Token, TokenKind, skip_value, unescape, validate_convertible};
use types::{ArrayValue, Datum, PhysType};

use crate::framework::context::FnContext;
use crate::framework::macros::{builtins, set_functions};
use crate::framework::set::{ScalarRows, SetRows};

/// What kind of value starts with a token.
fn first(json: &str) -> PgResult<(Lexer<'_>, Token)> {
    let mut lexer = Lexer::new(json);
    let token = lexer.next_token()?;
    Ok((lexer, token))
}

/// Calls `visit` with each key (still quoted) and value of an object, or each value of an array with an empty key. False
/// stops the walk.
pub(crate) fn walk<'a>(
    json: &'a str,
    visit: &mut dyn FnMut(&'a str, &'a str) -> PgResult<bool>,
) -> PgResult<()> {
    let (mut lexer, open) = first(json)?;
    let object = match open.kind {
        TokenKind::ObjectStart => true,
        TokenKind::ArrayStart => false,
        _ => return Ok(()),
    };
    loop {
        let mut token = lexer.next_token()?;
        if matches!(
            token.kind,
            TokenKind::ObjectEnd | TokenKind::ArrayEnd | TokenKind::End
        ) {
            return Ok(());
        }
        let mut key = "";
        if object {
            key = &json[token.start..token.end];
            lexer.next_token()?;
            token = lexer.next_token()?;
        }
        let end = skip_value(&mut lexer, token)?;
        if !visit(key, &json[token.start..end])? {
            return Ok(());
        }
        if lexer.next_token()?.kind != TokenKind::Comma {
            return Ok(());
        }
    }
}

pub(crate) fn kind(json: &str) -> PgResult<TokenKind> {
    Ok(first(json)?.1.kind)
}

fn field<'a>(json: &'a str, name: &str) -> PgResult<Option<&'a str>> {
    let mut found = None;
    if kind(json)? == TokenKind::ObjectStart {
        walk(json, &mut |key, value| {
            // The last of equal keys counts.
            if unescape(key)? == name {
                found = Some(value);
            }
            Ok(true)
        })?;
    }
    Ok(found)
}

fn array_length(json: &str) -> PgResult<usize> {
    let mut n = 0;
    walk(json, &mut |_, _| {
        n += 1;
        Ok(true)
    })?;
    Ok(n)
}

fn element(json: &str, index: i64) -> PgResult<Option<&str>> {
    if kind(json)? != TokenKind::ArrayStart {
        return Ok(None);
    }
    let wanted = if index < 0 {
        array_length(json)? as i64 + index
    } else {
        index
    };
    let (mut at, mut found) = (0, None);
    walk(json, &mut |_, value| {
        if at == wanted {
            found = Some(value);
        }
        at += 1;
        Ok(found.is_none())
    })?;
    Ok(found)
}

/// A value as text: strings without quotes, null as SQL NULL.
pub(crate) fn as_text(json: &str) -> PgResult<Option<String>> {
    let (_, token) = first(json)?;
    match token.kind {
        TokenKind::Null => Ok(None),
        TokenKind::String => unescape(&json[token.start..token.end]).map(Some),
        _ => Ok(Some(json.trim_matches([' ', '\t', '\n', '\r']).to_owned())),
    }
}

fn json_object_field(json: &str, name: &str) -> PgResult<Option<String>> {
    validate_convertible(json)?;
    Ok(field(json, name)?.map(str::to_owned))
}

fn json_object_field_text(json: &str, name: &str) -> PgResult<Option<String>> {
    validate_convertible(json)?;
    field(json, name)?.map_or(Ok(None), as_text)
}

fn json_array_element(json: &str, index: i32) -> PgResult<Option<String>> {
    validate_convertible(json)?;
    Ok(element(json, i64::from(index))?.map(str::to_owned))
}

fn json_array_element_text(json: &str, index: i32) -> PgResult<Option<String>> {
    validate_convertible(json)?;
    element(json, i64::from(index))?.map_or(Ok(None), as_text)
}

/// Follows a path of keys and indexes; NULL steps lead nowhere.
fn follow<'a>(json: &'a str, path: &ArrayValue) -> PgResult<Option<&'a str>> {
    let mut at = json;
    for step in &path.elements {
        let Some(step) = step.as_str() else {
            return Ok(None);
        };
        let next = match kind(at)? {
            TokenKind::ObjectStart => field(at, step)?,
            TokenKind::ArrayStart => match step.trim_start().parse::<i32>() {
                Ok(index) => element(at, i64::from(index))?,
                Err(_) => None,
            },
            _ => None,
        };
        match next {
            Some(next) => at = next,
            None => return Ok(None),
        }
    }
    Ok(Some(at))
}

fn json_extract_path(json: &str, path: &ArrayValue) -> PgResult<Option<String>> {
    if path.elements.iter().any(Datum::is_null) {
        return Ok(None);
    }
    validate_convertible(json)?;
    // The empty path gives the whole document, without white space around it.
    let found = follow(json, path)?;
    Ok(found.map(|json| json.trim_matches([' ', '\t', '\n', '\r']).to_owned()))
}

fn json_extract_path_text(json: &str, path: &ArrayValue) -> PgResult<Option<String>> {
    if path.elements.iter().any(Datum::is_null) {
        return Ok(None);
    }
    validate_convertible(json)?;
    follow(json, path)?.map_or(Ok(None), as_text)
}

fn json_array_length(json: &str) -> PgResult<i32> {
    match kind(json)? {
        TokenKind::ArrayStart => Ok(array_length(json)? as i32),
        TokenKind::ObjectStart => Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "cannot get array length of a non-array"
        )),
        _ => Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "cannot get array length of a scalar"
        )),
    }
}

fn json_typeof(json: &str) -> PgResult<&'static str> {
    Ok(match kind(json)? {
        TokenKind::ObjectStart => "object",
        TokenKind::ArrayStart => "array",
        TokenKind::String => "string",
        TokenKind::Number => "number",
        TokenKind::True | TokenKind::False => "boolean",
        _ => "null",
    })
}

fn text_rows(values: Vec<Datum>) -> Box<dyn SetRows> {
    Box::new(ScalarRows {
        phys: PhysType::Text,
        iter: values.into_iter().map(Ok),
    })
}

fn argument(args: &[Datum]) -> &str {
    args.first().and_then(Datum::as_str).unwrap_or("null")
}

fn elements(json: &str, name: &str, make: impl Fn(&str) -> PgResult<Datum>) -> PgResult<Box<dyn SetRows>> {
    match kind(json)? {
        TokenKind::ArrayStart => {}
        TokenKind::ObjectStart => {
            return Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "cannot call {name} on a non-array"
            ));
        }
        _ => return Err(pg_err!(INVALID_PARAMETER_VALUE, "cannot call {name} on a scalar")),
    }
    let mut out = Vec::new();
    walk(json, &mut |_, value| {
        out.push(make(value)?);
        Ok(true)
    })?;
    Ok(text_rows(out))
}

fn array_elements(_: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    elements(argument(args), "json_array_elements", |v| Ok(Datum::text(v)))
}

fn array_elements_text(_: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    elements(argument(args), "json_array_elements_text", |v| {
        Ok(as_text(v)?.map_or(Datum::Null, Datum::text))
    })
}

fn object_keys(_: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    let json = argument(args);
    match kind(json)? {
        TokenKind::ObjectStart => {}
        TokenKind::ArrayStart => {
            return Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "cannot call json_object_keys on an array"
            ));
        }
        _ => {
            return Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "cannot call json_object_keys on a scalar"
            ));
        }
    }
    let mut out = Vec::new();
    walk(json, &mut |key, _| {
        out.push(Datum::text(unescape(key)?));
        Ok(true)
    })?;
    Ok(text_rows(out))
}

builtins! {
    json_object_field(json: json, name: text) -> json;
    json_object_field_text(json: json, name: text) -> text;
    json_array_element(json: json, index: int4) -> json;
    json_array_element_text(json: json, index: int4) -> text;
    json_extract_path(json: json, path: text_array) -> json;
    json_extract_path_text(json: json, path: text_array) -> text;
    json_array_length(json: json) -> int4;
    json_typeof(json: json) -> text;
}

set_functions! {
    json_array_elements(json) -> json = array_elements;
    json_array_elements_text(json) -> text = array_elements_text;
    json_object_keys(json) -> text = object_keys;
}
