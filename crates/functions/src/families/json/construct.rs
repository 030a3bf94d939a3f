//! `to_json`, `row_to_json`, `array_to_json`, `json_build_object`, `json_object` and their `jsonb` twins.

use std::collections::HashSet;

use common::error::ErrorExt;
use common::{Oid, PgError, PgResult, cancel, pg_err};
use types::json_text::push_string;
use types::jsonb::JsonbBuilder;
use types::{ArrayValue, Datum};

use crate::families::concat::variadic;
use crate::families::json::value::{
    Lines, key_text, push_json, push_json_array, push_json_record, put_jsonb, to_jsonb_datum,
};
use crate::framework::context::FnContext;
use crate::framework::macros::builtins;

fn first(args: &[Datum]) -> &Datum {
    args.first().unwrap_or(&Datum::Null)
}

fn to_json(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    let mut out = String::new();
    push_json(first(args), ctx.call.arg_type(0), ctx, &mut out)?;
    Ok(Datum::text(out))
}

fn to_jsonb(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    to_jsonb_datum(first(args), ctx.call.arg_type(0), ctx)
}

fn lines(args: &[Datum]) -> Lines {
    match args.get(1) {
        Some(Datum::Bool(true)) => Lines::PerMember,
        _ => Lines::One,
    }
}

fn row_to_json(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    let mut out = String::new();
    match first(args) {
        Datum::Record(r) => push_json_record(r, ctx, lines(args), &mut out)?,
        other => return Err(common::internal!("record expected, got {other:?}")),
    }
    Ok(Datum::text(out))
}

fn array_to_json(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    let mut out = String::new();
    match first(args) {
        Datum::Array(a) => push_json_array(a, ctx, lines(args), &mut out)?,
        other => return Err(common::internal!("array expected, got {other:?}")),
    }
    Ok(Datum::text(out))
}

/// What a constructor does with NULLs and repeated keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct BuildOptions {
    pub absent_on_null: bool,
    pub unique_keys: bool,
}

#[cold]
fn odd_arguments(function: &str) -> Box<PgError> {
    pg_err!(
        INVALID_PARAMETER_VALUE,
        "argument list must have even number of elements"
    )
    .hint(format!(
        "The arguments of {function}() must consist of alternating keys and values."
    ))
}

/// Refuses a key that was there already.
pub(crate) fn check_unique(seen: &mut HashSet<String>, key: &str) -> PgResult<()> {
    if seen.insert(key.to_owned()) {
        return Ok(());
    }
    let mut quoted = String::new();
    push_string(key, &mut quoted);
    Err(pg_err!(
        DUPLICATE_JSON_OBJECT_KEY_VALUE,
        "duplicate JSON object key value: {quoted}"
    ))
}

#[cold]
fn null_key(jsonb: Option<usize>) -> Box<PgError> {
    match jsonb {
        Some(argument) => pg_err!(
            INVALID_PARAMETER_VALUE,
            "argument {argument}: key must not be null"
        ),
        None => pg_err!(NULL_VALUE_NOT_ALLOWED, "null value not allowed for object key"),
    }
}

/// The text of `json_build_object` over alternating keys and values.
pub fn build_object_json(
    ctx: &FnContext<'_>,
    values: &[Datum],
    type_of: &dyn Fn(usize) -> Oid,
    options: BuildOptions,
) -> PgResult<Datum> {
    if values.len() % 2 == 1 {
        return Err(odd_arguments("json_build_object"));
    }
    let mut seen = HashSet::new();
    let mut out = String::from("{");
    for (k, pair) in values.chunks(2).enumerate() {
        let [key, value] = pair else { continue };
        let skip = options.absent_on_null && value.is_null();
        if skip && !options.unique_keys {
            continue;
        }
        if key.is_null() {
            return Err(null_key(None));
        }
        let key = key_text(key, type_of(2 * k), ctx)?;
        if options.unique_keys {
            check_unique(&mut seen, &key)?;
            if skip {
                continue;
            }
        }
        if out.len() > 1 {
            out.push_str(", ");
        }
        push_string(&key, &mut out);
        out.push_str(" : ");
        push_json(value, type_of(2 * k + 1), ctx, &mut out)?;
    }
    out.push('}');
    Ok(Datum::text(out))
}

/// The same for `jsonb`.
pub fn build_object_jsonb(
    ctx: &FnContext<'_>,
    values: &[Datum],
    type_of: &dyn Fn(usize) -> Oid,
    options: BuildOptions,
) -> PgResult<Datum> {
    if values.len() % 2 == 1 {
        return Err(odd_arguments("jsonb_build_object"));
    }
    let mut builder = JsonbBuilder::new();
    builder.begin_object();
    if options.unique_keys {
        builder.set_unique();
    }
    if options.absent_on_null {
        builder.set_skip_nulls();
    }
    for (k, pair) in values.chunks(2).enumerate() {
        let [key, value] = pair else { continue };
        if key.is_null() {
            return Err(null_key(Some(2 * k + 1)));
        }
        if options.absent_on_null && value.is_null() && !options.unique_keys {
            continue;
        }
        builder.key(&key_text(key, type_of(2 * k), ctx)?)?;
        put_jsonb(value, type_of(2 * k + 1), ctx, &mut builder)?;
    }
    builder.end()?;
    builder.finish_datum()
}

/// The text of `json_build_array`.
pub fn build_array_json(
    ctx: &FnContext<'_>,
    values: &[Datum],
    type_of: &dyn Fn(usize) -> Oid,
    options: BuildOptions,
) -> PgResult<Datum> {
    let mut out = String::from("[");
    for (k, value) in values.iter().enumerate() {
        if options.absent_on_null && value.is_null() {
            continue;
        }
        if out.len() > 1 {
            out.push_str(", ");
        }
        push_json(value, type_of(k), ctx, &mut out)?;
    }
    out.push(']');
    Ok(Datum::text(out))
}

/// The same for `jsonb`.
pub fn build_array_jsonb(
    ctx: &FnContext<'_>,
    values: &[Datum],
    type_of: &dyn Fn(usize) -> Oid,
    options: BuildOptions,
) -> PgResult<Datum> {
    let mut builder = JsonbBuilder::new();
    builder.begin_array();
    for (k, value) in values.iter().enumerate() {
        if !(options.absent_on_null && value.is_null()) {
            put_jsonb(value, type_of(k), ctx, &mut builder)?;
        }
    }
    builder.end()?;
    builder.finish_datum()
}

type Build = fn(&FnContext<'_>, &[Datum], &dyn Fn(usize) -> Oid, BuildOptions) -> PgResult<Datum>;

fn build(ctx: &FnContext<'_>, args: &[Datum], build: Build) -> PgResult<Datum> {
    if ctx.call.variadic && args.first().is_some_and(Datum::is_null) {
        return Ok(Datum::Null);
    }
    let (values, type_of) = variadic(ctx, args, 0);
    build(ctx, values, &type_of, BuildOptions::default())
}

fn json_build_object(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    build(ctx, args, build_object_json)
}

fn jsonb_build_object(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    build(ctx, args, build_object_jsonb)
}

fn json_build_array(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    build(ctx, args, build_array_json)
}

fn jsonb_build_array(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    build(ctx, args, build_array_jsonb)
}

fn json_build_object_noargs() -> &'static str {
    "{}"
}

fn json_build_array_noargs() -> &'static str {
    "[]"
}

pub(crate) fn empty_jsonb(object: bool) -> PgResult<Vec<u8>> {
    let mut builder = JsonbBuilder::new();
    if object {
        builder.begin_object();
    } else {
        builder.begin_array();
    }
    builder.end()?;
    Ok(builder.finish())
}

fn jsonb_build_object_noargs() -> PgResult<Vec<u8>> {
    empty_jsonb(true)
}

fn jsonb_build_array_noargs() -> PgResult<Vec<u8>> {
    empty_jsonb(false)
}

#[cold]
fn subscript_error(message: &str) -> Box<PgError> {
    pg_err!(ARRAY_SUBSCRIPT_ERROR, "{message}")
}

/// Keys and values of a one- or two-dimensional array of texts.
fn array_pairs(a: &ArrayValue) -> PgResult<Vec<(&str, Option<&str>)>> {
    match a.dims[..] {
        [] => {}
        [d] if d.len % 2 == 1 => {
            return Err(subscript_error("array must have even number of elements"));
        }
        [_] => {}
        [_, d] if d.len != 2 => return Err(subscript_error("array must have two columns")),
        [_, _] => {}
        _ => return Err(subscript_error("wrong number of array subscripts")),
    }
    let mut pairs = Vec::with_capacity(a.elements.len() / 2);
    for (k, pair) in a.elements.chunks(2).enumerate() {
        look(k)?;
        let key = pair
            .first()
            .and_then(Datum::as_str)
            .ok_or_else(|| null_key(None))?;
        pairs.push((key, pair.get(1).and_then(Datum::as_str)));
    }
    Ok(pairs)
}

fn two_array_pairs<'a>(
    keys: &'a ArrayValue,
    values: &'a ArrayValue,
) -> PgResult<Vec<(&'a str, Option<&'a str>)>> {
    if keys.dims.len() > 1 || keys.dims.len() != values.dims.len() {
        return Err(subscript_error("wrong number of array subscripts"));
    }
    if keys.elements.len() != values.elements.len() {
        return Err(subscript_error("mismatched array dimensions"));
    }
    let mut pairs = Vec::with_capacity(keys.elements.len());
    for (k, (key, value)) in keys.elements.iter().zip(&values.elements).enumerate() {
        look(k)?;
        pairs.push((key.as_str().ok_or_else(|| null_key(None))?, value.as_str()));
    }
    Ok(pairs)
}

/// Looks at the cancel flag once in so many pairs.
fn look(k: usize) -> PgResult<()> {
    const PAIRS_UNCHECKED: usize = 1 << 12;
    if k % PAIRS_UNCHECKED == 0 {
        cancel::check()
    } else {
        Ok(())
    }
}

fn pairs_json(pairs: &[(&str, Option<&str>)]) -> PgResult<String> {
    let mut out = String::from("{");
    for (k, (key, value)) in pairs.iter().enumerate() {
        look(k)?;
        if k > 0 {
            out.push_str(", ");
        }
        push_string(key, &mut out);
        out.push_str(" : ");
        match value {
            Some(v) => push_string(v, &mut out),
            None => out.push_str("null"),
        }
    }
    out.push('}');
    Ok(out)
}

fn pairs_jsonb(pairs: &[(&str, Option<&str>)]) -> PgResult<Vec<u8>> {
    let mut builder = JsonbBuilder::new();
    builder.begin_object();
    for (k, (key, value)) in pairs.iter().enumerate() {
        look(k)?;
        builder.key(key)?;
        match value {
            Some(v) => builder.string(v)?,
            None => builder.null()?,
        }
    }
    builder.end()?;
    Ok(builder.finish())
}

fn json_object(a: &ArrayValue) -> PgResult<String> {
    pairs_json(&array_pairs(a)?)
}

fn json_object_two_arg(keys: &ArrayValue, values: &ArrayValue) -> PgResult<String> {
    pairs_json(&two_array_pairs(keys, values)?)
}

fn jsonb_object(a: &ArrayValue) -> PgResult<Vec<u8>> {
    pairs_jsonb(&array_pairs(a)?)
}

fn jsonb_object_two_arg(keys: &ArrayValue, values: &ArrayValue) -> PgResult<Vec<u8>> {
    pairs_jsonb(&two_array_pairs(keys, values)?)
}

builtins! {
    to_json[general strict](anyelement) -> json;
    to_jsonb[general strict](anyelement) -> jsonb;
    row_to_json[general strict](record) -> json;
    row_to_json_pretty = row_to_json[general strict](record, bool) -> json;
    array_to_json[general strict](anyarray) -> json;
    array_to_json_pretty = array_to_json[general strict](anyarray, bool) -> json;
    json_build_object[general](any) -> json;
    json_build_object_noargs() -> json;
    json_build_array[general](any) -> json;
    json_build_array_noargs() -> json;
    jsonb_build_object[general](any) -> jsonb;
    jsonb_build_object_noargs() -> jsonb;
    jsonb_build_array[general](any) -> jsonb;
    jsonb_build_array_noargs() -> jsonb;
    json_object(a: text_array) -> json;
    json_object_two_arg(keys: text_array, values: text_array) -> json;
    jsonb_object(a: text_array) -> jsonb;
    jsonb_object_two_arg(keys: text_array, values: text_array) -> jsonb;
}
