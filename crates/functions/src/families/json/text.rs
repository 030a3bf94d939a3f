//! Functions of `json`, which is kept as text: looking inside it.

use common::cancel::CancelToken;
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
    cancel: &CancelToken,
    visit: &mut dyn FnMut(&'a str, &'a str) -> PgResult<bool>,
) -> PgResult<()> {
    let mut lexer = Lexer::new(json).until(cancel);
    let open = lexer.next_token()?;
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

fn field<'a>(json: &'a str, name: &str, cancel: &CancelToken) -> PgResult<Option<&'a str>> {
    let mut found = None;
    if kind(json)? == TokenKind::ObjectStart {
        walk(json, cancel, &mut |key, value| {
            // The last of equal keys counts.
            if unescape(key)? == name {
                found = Some(value);
            }
            Ok(true)
        })?;
    }
    Ok(found)
}

fn array_length(json: &str, cancel: &CancelToken) -> PgResult<usize> {
    let mut n = 0;
    walk(json, cancel, &mut |_, _| {
        n += 1;
        Ok(true)
    })?;
    Ok(n)
}

fn element<'a>(json: &'a str, index: i64, cancel: &CancelToken) -> PgResult<Option<&'a str>> {
    if kind(json)? != TokenKind::ArrayStart {
        return Ok(None);
    }
    let wanted = if index < 0 {
        array_length(json, cancel)? as i64 + index
    } else {
        index
    };
    let (mut at, mut found) = (0, None);
    walk(json, cancel, &mut |_, value| {
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

fn json_object_field(ctx: &mut FnContext<'_>, json: &str, name: &str) -> PgResult<Option<String>> {
    validate_convertible(json, ctx.cancel)?;
    Ok(field(json, name, ctx.cancel)?.map(str::to_owned))
}

fn json_object_field_text(ctx: &mut FnContext<'_>, json: &str, name: &str) -> PgResult<Option<String>> {
    validate_convertible(json, ctx.cancel)?;
    field(json, name, ctx.cancel)?.map_or(Ok(None), as_text)
}

fn json_array_element(ctx: &mut FnContext<'_>, json: &str, index: i32) -> PgResult<Option<String>> {
    validate_convertible(json, ctx.cancel)?;
    Ok(element(json, i64::from(index), ctx.cancel)?.map(str::to_owned))
}

fn json_array_element_text(ctx: &mut FnContext<'_>, json: &str, index: i32) -> PgResult<Option<String>> {
    validate_convertible(json, ctx.cancel)?;
    element(json, i64::from(index), ctx.cancel)?.map_or(Ok(None), as_text)
}

/// Follows a path of keys and indexes; NULL steps lead nowhere.
fn follow<'a>(json: &'a str, path: &ArrayValue, cancel: &CancelToken) -> PgResult<Option<&'a str>> {
    let mut at = json;
    for step in &path.elements {
        let Some(step) = step.as_str() else {
            return Ok(None);
        };
        let next = match kind(at)? {
            TokenKind::ObjectStart => field(at, step, cancel)?,
            TokenKind::ArrayStart => match step.trim_start().parse::<i32>() {
                Ok(index) => element(at, i64::from(index), cancel)?,
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

fn json_extract_path(ctx: &mut FnContext<'_>, json: &str, path: &ArrayValue) -> PgResult<Option<String>> {
    if path.elements.iter().any(Datum::is_null) {
        return Ok(None);
    }
    validate_convertible(json, ctx.cancel)?;
    // The empty path gives the whole document, without white space around it.
    let found = follow(json, path, ctx.cancel)?;
    Ok(found.map(|json| json.trim_matches([' ', '\t', '\n', '\r']).to_owned()))
}

fn json_extract_path_text(
    ctx: &mut FnContext<'_>,
    json: &str,
    path: &ArrayValue,
) -> PgResult<Option<String>> {
    if path.elements.iter().any(Datum::is_null) {
        return Ok(None);
    }
    validate_convertible(json, ctx.cancel)?;
    follow(json, path, ctx.cancel)?.map_or(Ok(None), as_text)
}

fn json_array_length(ctx: &mut FnContext<'_>, json: &str) -> PgResult<i32> {
    match kind(json)? {
        TokenKind::ArrayStart => Ok(array_length(json, ctx.cancel)? as i32),
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

fn elements(
    ctx: &FnContext<'_>,
    json: &str,
    name: &str,
    make: impl Fn(&str) -> PgResult<Datum>,
) -> PgResult<Box<dyn SetRows>> {
    let cancel = ctx.cancel;
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
    walk(json, cancel, &mut |_, value| {
        out.push(make(value)?);
        Ok(true)
    })?;
    Ok(text_rows(out))
}

fn array_elements(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    elements(ctx, argument(args), "json_array_elements", |v| Ok(Datum::text(v)))
}

fn array_elements_text(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    elements(ctx, argument(args), "json_array_elements_text", |v| {
        Ok(as_text(v)?.map_or(Datum::Null, Datum::text))
    })
}

fn object_keys(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
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
    walk(json, ctx.cancel, &mut |key, _| {
        out.push(Datum::text(unescape(key)?));
        Ok(true)
    })?;
    Ok(text_rows(out))
}

builtins! {
    json_object_field(ctx, json: json, name: text) -> json;
    json_object_field_text(ctx, json: json, name: text) -> text;
    json_array_element(ctx, json: json, index: int4) -> json;
    json_array_element_text(ctx, json: json, index: int4) -> text;
    json_extract_path(ctx, json: json, path: text_array) -> json;
    json_extract_path_text(ctx, json: json, path: text_array) -> text;
    json_array_length(ctx, json: json) -> int4;
    json_typeof(json: json) -> text;
}

set_functions! {
    json_array_elements(json) -> json = array_elements;
    json_array_elements_text(json) -> text = array_elements_text;
    json_object_keys(json) -> text = object_keys;
}
