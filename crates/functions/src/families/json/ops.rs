//! Operators of `jsonb`: access, containment, existence, comparison, casts, hashes.

use std::cmp::Ordering;

use common::{PgError, PgResult, pg_err};
use types::jsonb::{self, JsonbRef};
use types::{ArrayValue, Datum, Numeric};

use crate::families::float::{numeric_float4, numeric_float8, numeric_int2, numeric_int4, numeric_int8};
use crate::framework::context::FnContext;
use crate::framework::macros::builtins;

fn jsonb_object_field(j: &[u8], name: &str) -> Option<Vec<u8>> {
    JsonbRef::root(j).get(name).map(|v| v.to_document())
}

fn text_of(ctx: &FnContext<'_>, value: Option<JsonbRef<'_>>) -> PgResult<Option<String>> {
    value.map_or(Ok(None), |v| v.as_text(ctx.cancel))
}

fn jsonb_object_field_text(ctx: &mut FnContext<'_>, j: &[u8], name: &str) -> PgResult<Option<String>> {
    text_of(ctx, JsonbRef::root(j).get(name))
}

/// A lone scalar counts as an array of one here, as PostgreSQL stores it.
fn element(j: &[u8], index: i32) -> Option<JsonbRef<'_>> {
    match JsonbRef::root(j) {
        JsonbRef::Array(a) => a.at(i64::from(index)),
        JsonbRef::Object(_) => None,
        scalar => matches!(index, 0 | -1).then_some(scalar),
    }
}

fn jsonb_array_element(j: &[u8], index: i32) -> Option<Vec<u8>> {
    element(j, index).map(|v| v.to_document())
}

fn jsonb_array_element_text(ctx: &mut FnContext<'_>, j: &[u8], index: i32) -> PgResult<Option<String>> {
    text_of(ctx, element(j, index))
}

/// An array index as C's `strtol` reads one: blanks and a sign before the digits.
pub(crate) fn index_of(text: &str) -> Option<i32> {
    text.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c'])
        .parse()
        .ok()
}

/// Follows keys and indexes.
pub(crate) fn follow<'a>(
    root: JsonbRef<'a>,
    steps: impl Iterator<Item = Option<&'a str>>,
) -> Option<JsonbRef<'a>> {
    let mut at = root;
    for step in steps {
        let step = step?;
        at = match at {
            JsonbRef::Object(o) => o.get(step)?,
            JsonbRef::Array(a) => a.at(i64::from(index_of(step)?))?,
            _ => return None,
        };
    }
    Some(at)
}

fn extract<'a>(j: &'a [u8], path: &'a ArrayValue) -> Option<JsonbRef<'a>> {
    if path.elements.iter().any(Datum::is_null) {
        return None;
    }
    follow(JsonbRef::root(j), path.elements.iter().map(Datum::as_str))
}

fn jsonb_extract_path(j: &[u8], path: &ArrayValue) -> Option<Vec<u8>> {
    extract(j, path).map(|v| v.to_document())
}

fn jsonb_extract_path_text(ctx: &mut FnContext<'_>, j: &[u8], path: &ArrayValue) -> PgResult<Option<String>> {
    text_of(ctx, extract(j, path))
}

fn jsonb_contains(a: &[u8], b: &[u8]) -> bool {
    jsonb::contains(JsonbRef::root(a), JsonbRef::root(b))
}

fn jsonb_contained(a: &[u8], b: &[u8]) -> bool {
    jsonb_contains(b, a)
}

fn jsonb_exists(j: &[u8], key: &str) -> bool {
    jsonb::exists(JsonbRef::root(j), key)
}

fn jsonb_exists_any(j: &[u8], keys: &ArrayValue) -> bool {
    let mut keys = keys.elements.iter().filter_map(Datum::as_str);
    keys.any(|k| jsonb_exists(j, k))
}

fn jsonb_exists_all(j: &[u8], keys: &ArrayValue) -> bool {
    let mut keys = keys.elements.iter().filter_map(Datum::as_str);
    keys.all(|k| jsonb_exists(j, k))
}

fn compare(a: &[u8], b: &[u8]) -> Ordering {
    jsonb::compare(JsonbRef::root(a), JsonbRef::root(b))
}

fn jsonb_eq(a: &[u8], b: &[u8]) -> bool {
    a == b || compare(a, b).is_eq()
}
fn jsonb_ne(a: &[u8], b: &[u8]) -> bool {
    !jsonb_eq(a, b)
}
fn jsonb_lt(a: &[u8], b: &[u8]) -> bool {
    compare(a, b).is_lt()
}
fn jsonb_le(a: &[u8], b: &[u8]) -> bool {
    compare(a, b).is_le()
}
fn jsonb_gt(a: &[u8], b: &[u8]) -> bool {
    compare(a, b).is_gt()
}
fn jsonb_ge(a: &[u8], b: &[u8]) -> bool {
    compare(a, b).is_ge()
}
fn jsonb_cmp(a: &[u8], b: &[u8]) -> i32 {
    compare(a, b) as i32
}

fn jsonb_typeof(j: &[u8]) -> &'static str {
    JsonbRef::root(j).type_name()
}

fn jsonb_array_length(j: &[u8]) -> PgResult<i32> {
    match JsonbRef::root(j) {
        JsonbRef::Array(a) => Ok(a.len() as i32),
        JsonbRef::Object(_) => Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "cannot get array length of a non-array"
        )),
        _ => Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "cannot get array length of a scalar"
        )),
    }
}

#[cold]
fn cannot_cast(value: JsonbRef<'_>, target: &str) -> Box<PgError> {
    let kind = match value {
        JsonbRef::Number(_) => "numeric",
        other => other.type_name(),
    };
    pg_err!(
        INVALID_PARAMETER_VALUE,
        "cannot cast jsonb {kind} to type {target}"
    )
}

fn jsonb_bool(j: &[u8]) -> PgResult<Option<bool>> {
    match JsonbRef::root(j) {
        JsonbRef::Null => Ok(None),
        JsonbRef::Bool(b) => Ok(Some(b)),
        other => Err(cannot_cast(other, "boolean")),
    }
}

fn number<T>(j: &[u8], target: &str, convert: impl Fn(&Numeric) -> PgResult<T>) -> PgResult<Option<T>> {
    match JsonbRef::root(j) {
        JsonbRef::Null => Ok(None),
        JsonbRef::Number(n) => convert(&n.value()).map(Some),
        other => Err(cannot_cast(other, target)),
    }
}

fn jsonb_numeric(j: &[u8]) -> PgResult<Option<Numeric>> {
    number(j, "numeric", |n| Ok(n.clone()))
}
fn jsonb_int2(j: &[u8]) -> PgResult<Option<i16>> {
    number(j, "smallint", numeric_int2)
}
fn jsonb_int4(j: &[u8]) -> PgResult<Option<i32>> {
    number(j, "integer", numeric_int4)
}
fn jsonb_int8(j: &[u8]) -> PgResult<Option<i64>> {
    number(j, "bigint", numeric_int8)
}
fn jsonb_float4(j: &[u8]) -> PgResult<Option<f32>> {
    number(j, "real", numeric_float4)
}
fn jsonb_float8(j: &[u8]) -> PgResult<Option<f64>> {
    number(j, "double precision", numeric_float8)
}

builtins! {
    jsonb_object_field(j: jsonb, name: text) -> jsonb;
    jsonb_object_field_text(ctx, j: jsonb, name: text) -> text;
    jsonb_array_element(j: jsonb, index: int4) -> jsonb;
    jsonb_array_element_text(ctx, j: jsonb, index: int4) -> text;
    jsonb_extract_path(j: jsonb, path: text_array) -> jsonb;
    jsonb_extract_path_text(ctx, j: jsonb, path: text_array) -> text;
    jsonb_contains(a: jsonb, b: jsonb) -> bool;
    jsonb_contained(a: jsonb, b: jsonb) -> bool;
    jsonb_exists(j: jsonb, key: text) -> bool;
    jsonb_exists_any(j: jsonb, keys: text_array) -> bool;
    jsonb_exists_all(j: jsonb, keys: text_array) -> bool;
    jsonb_eq(a: jsonb, b: jsonb) -> bool;
    jsonb_ne(a: jsonb, b: jsonb) -> bool;
    jsonb_lt(a: jsonb, b: jsonb) -> bool;
    jsonb_le(a: jsonb, b: jsonb) -> bool;
    jsonb_gt(a: jsonb, b: jsonb) -> bool;
    jsonb_ge(a: jsonb, b: jsonb) -> bool;
    jsonb_cmp(a: jsonb, b: jsonb) -> int4;
    jsonb_typeof(j: jsonb) -> text;
    jsonb_array_length(j: jsonb) -> int4;
    jsonb_bool(j: jsonb) -> bool;
    jsonb_numeric(j: jsonb) -> numeric;
    jsonb_int2(j: jsonb) -> int2;
    jsonb_int4(j: jsonb) -> int4;
    jsonb_int8(j: jsonb) -> int8;
    jsonb_float4(j: jsonb) -> float4;
    jsonb_float8(j: jsonb) -> float8;
}
