//! A JSON value in either form, as `json_populate_record` reads it.

use common::PgResult;
use common::cancel::CancelToken;
use types::json_text::{TokenKind, unescape};
use types::jsonb::{JsonbRef, to_text};

use crate::families::json::text::{kind, walk};

/// Text of `json`, or a value inside a `jsonb`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'a> {
    Json(&'a str),
    Jsonb(JsonbRef<'a>),
}

/// What a value is, as far as conversion cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Null,
    String,
    Scalar,
    Array,
    Object,
}

impl<'a> Source<'a> {
    pub(crate) fn shape(&self) -> PgResult<Shape> {
        Ok(match self {
            Source::Json(text) => match kind(text)? {
                TokenKind::Null => Shape::Null,
                TokenKind::String => Shape::String,
                TokenKind::ArrayStart => Shape::Array,
                TokenKind::ObjectStart => Shape::Object,
                _ => Shape::Scalar,
            },
            Source::Jsonb(value) => match value {
                JsonbRef::Null => Shape::Null,
                JsonbRef::String(_) => Shape::String,
                JsonbRef::Array(_) => Shape::Array,
                JsonbRef::Object(_) => Shape::Object,
                _ => Shape::Scalar,
            },
        })
    }

    /// The bare text of a string, the JSON text of everything else.
    pub(crate) fn bare_text(&self, cancel: &CancelToken) -> PgResult<String> {
        match self {
            Source::Json(text) if kind(text)? == TokenKind::String => unescape(text.trim()),
            Source::Json(text) => Ok((*text).to_owned()),
            Source::Jsonb(JsonbRef::String(s)) => Ok((*s).to_owned()),
            Source::Jsonb(value) => to_text(*value, cancel),
        }
    }

    /// The JSON text.
    pub(crate) fn json_text(&self, cancel: &CancelToken) -> PgResult<String> {
        match self {
            Source::Json(text) => Ok((*text).to_owned()),
            Source::Jsonb(value) => to_text(*value, cancel),
        }
    }

    /// The elements of an array.
    pub(crate) fn elements(&self, cancel: &CancelToken) -> PgResult<Vec<Source<'a>>> {
        let mut out = Vec::new();
        match self {
            Source::Json(text) => walk(text, cancel, &mut |_, value| {
                out.push(Source::Json(value));
                Ok(true)
            })?,
            Source::Jsonb(JsonbRef::Array(a)) => out.extend(a.iter().map(Source::Jsonb)),
            Source::Jsonb(_) => {}
        }
        Ok(out)
    }

    /// The fields of an object; of equal keys the last one counts.
    pub(crate) fn fields(&self, cancel: &CancelToken) -> PgResult<Fields<'a>> {
        match self {
            Source::Json(text) => {
                let mut list = Vec::new();
                walk(text, cancel, &mut |key, value| {
                    list.push((unescape(key)?, value));
                    Ok(true)
                })?;
                Ok(Fields::Json(list))
            }
            Source::Jsonb(value) => Ok(Fields::Jsonb(*value)),
        }
    }
}

/// The fields of an object.
pub(crate) enum Fields<'a> {
    Json(Vec<(String, &'a str)>),
    Jsonb(JsonbRef<'a>),
}

impl<'a> Fields<'a> {
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Fields::Json(list) => list.is_empty(),
            Fields::Jsonb(JsonbRef::Object(o)) => o.is_empty(),
            Fields::Jsonb(_) => true,
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<Source<'a>> {
        match self {
            Fields::Json(list) => list
                .iter()
                .rev()
                .find(|(k, _)| k == key)
                .map(|(_, v)| Source::Json(v)),
            Fields::Jsonb(value) => value.get(key).map(Source::Jsonb),
        }
    }
}
