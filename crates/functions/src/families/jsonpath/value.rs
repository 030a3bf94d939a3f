//! Items on their way through a path.

use std::sync::Arc;

use common::{Oid, PgResult, pg_err};
use types::jsonb::{JsonbBuilder, JsonbRef};
use types::{Datum, Numeric, oids};

use crate::families::json::value::{Category, categorize, to_jsonb_datum};
use crate::families::jsonpath::datetime;
use crate::framework::context::FnContext;

/// A date, time or timestamp.
#[derive(Clone, Debug)]
pub struct DateTime {
    /// `date`, `time`, `timetz`, `timestamp`, `timestamptz`.
    pub type_oid: Oid,
    /// The value.
    pub value: Datum,
    /// Seconds west that a `timestamptz` is printed with.
    pub zone_west: i32,
}

/// One item: inside a document, or computed.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum PathValue<'a> {
    Json(JsonbRef<'a>),
    /// A document of its own, made by `.keyvalue()`, with its object id.
    Made(Arc<[u8]>, i64),
    Number(Numeric),
    String(Arc<str>),
    DateTime(DateTime),
}

impl PathValue<'_> {
    /// The value as JSON; computed strings and numbers have no document to refer to.
    pub(crate) fn json(&self) -> Option<JsonbRef<'_>> {
        match self {
            PathValue::Json(j) => Some(*j),
            PathValue::Made(document, _) => Some(JsonbRef::root(document)),
            _ => None,
        }
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            PathValue::Json(JsonbRef::String(s)) => Some(s),
            PathValue::String(s) => Some(s),
            _ => None,
        }
    }

    pub(crate) fn as_number(&self) -> Option<Numeric> {
        match self {
            PathValue::Json(JsonbRef::Number(n)) => Some(n.value()),
            PathValue::Number(n) => Some(n.clone()),
            _ => None,
        }
    }

    /// A boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            PathValue::Json(JsonbRef::Bool(b)) => Some(*b),
            _ => None,
        }
    }

    /// JSON null.
    pub fn is_null(&self) -> bool {
        matches!(self, PathValue::Json(JsonbRef::Null))
    }

    pub(crate) fn is_array(&self) -> bool {
        matches!(self.json(), Some(JsonbRef::Array(_)))
    }

    pub(crate) fn is_container(&self) -> bool {
        matches!(self.json(), Some(JsonbRef::Array(_) | JsonbRef::Object(_)))
    }

    /// What `.type()` says.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            PathValue::Number(_) => "number",
            PathValue::String(_) => "string",
            PathValue::DateTime(d) => datetime::type_name(d.type_oid),
            other => other.json().map_or("null", |j| j.type_name()),
        }
    }

    /// Adds it to a document.
    pub fn put(&self, builder: &mut JsonbBuilder) -> PgResult<()> {
        match self {
            PathValue::Number(n) => builder.number(n),
            PathValue::String(s) => builder.string(s),
            PathValue::DateTime(d) => builder.string(&datetime::json_text(d)?),
            other => match other.json() {
                Some(j) => builder.value(j),
                None => builder.null(),
            },
        }
    }

    /// As a `jsonb` datum.
    pub fn to_datum(&self) -> PgResult<Datum> {
        if let PathValue::Made(document, _) = self {
            return Ok(Datum::Bytes(Arc::clone(document)));
        }
        let mut builder = JsonbBuilder::new();
        self.put(&mut builder)?;
        builder.finish_datum()
    }
}

/// An SQL value as a path variable.
pub fn value_from_sql(value: &Datum, type_oid: Oid, ctx: &FnContext<'_>) -> PgResult<PathValue<'static>> {
    if value.is_null() {
        return Ok(PathValue::Json(JsonbRef::Null));
    }
    let (category, base) = categorize(type_oid, &ctx.io())?;
    Ok(match (category, value) {
        (Category::Bool, _) => PathValue::Json(JsonbRef::Bool(value.as_bool() == Some(true))),
        (Category::Number, Datum::Numeric(n)) => PathValue::Number(n.clone()),
        (Category::Number, _) => {
            let text = types::io::to_text(base, value, &ctx.io())?;
            PathValue::Number(types::numeric::parse(&text, "numeric")?)
        }
        (Category::Date | Category::Timestamp | Category::TimestampTz, _) => datetime::from_sql(base, value),
        (Category::Json | Category::Jsonb, _) => match to_jsonb_datum(value, base, ctx)? {
            Datum::Bytes(document) => PathValue::Made(document, 0),
            _ => PathValue::Json(JsonbRef::Null),
        },
        (_, Datum::Text(s)) if matches!(base, oids::TEXT | oids::VARCHAR) => PathValue::String(Arc::clone(s)),
        _ if matches!(base, oids::TIME | oids::TIMETZ) => datetime::from_sql(base, value),
        _ => {
            let name = match ctx.io().names().type_name(base)? {
                Some(name) => name,
                None => ctx.session.format_type(base, None)?,
            };
            return Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "could not convert value of type {name} to jsonpath"
            ));
        }
    })
}
