//! Item methods.

use std::sync::Arc;

use common::{PgError, pg_err};
use types::io::{self, IoContext};
use types::jsonb::JsonbRef;
use types::jsonpath::{Item, ItemId, ItemKind, Method};
use types::numeric::{self, Rounding, numeric_typmod};
use types::{Datum, Numeric, oids};

use crate::families::jsonpath::datetime;
use crate::families::jsonpath::exec::{Exec, Fail, Found, Sink, int, soft};
use crate::families::jsonpath::value::PathValue;

/// A value that conversion methods accept: a number, or a string.
enum Input {
    Number(Numeric),
    Text(String),
}

impl Input {
    fn text(&self) -> String {
        match self {
            Input::Number(n) => n.to_string(),
            Input::Text(s) => s.clone(),
        }
    }
}

#[cold]
fn only_for(method: &str, what: &str) -> Box<PgError> {
    pg_err!(
        NON_NUMERIC_SQL_JSON_ITEM,
        "jsonpath item method .{method}() can only be applied to {what}"
    )
}

#[cold]
fn invalid(method: &str, text: &str, type_name: &str) -> Box<PgError> {
    pg_err!(
        NON_NUMERIC_SQL_JSON_ITEM,
        "argument \"{text}\" of jsonpath item method .{method}() is invalid for type {type_name}"
    )
}

#[cold]
fn not_finite(method: &str) -> Box<PgError> {
    pg_err!(
        NON_NUMERIC_SQL_JSON_ITEM,
        "NaN or Infinity is not allowed for jsonpath item method .{method}()"
    )
}

fn input(value: &PathValue<'_>, method: &str) -> Result<Input, Fail> {
    if let Some(n) = value.as_number() {
        return Ok(Input::Number(n));
    }
    match value.as_str() {
        Some(s) => Ok(Input::Text(s.to_owned())),
        None => soft(only_for(method, "a string or numeric value")),
    }
}

impl<'a> Exec<'a, '_, '_> {
    pub(crate) fn method(
        &mut self,
        item: &'a Item,
        id: ItemId,
        value: &PathValue<'a>,
        found: Sink<'_, 'a>,
        unwrap: bool,
    ) -> Found {
        let method = match &item.kind {
            ItemKind::Method(m, _) => Some(*m),
            _ => None,
        };
        let keeps_arrays = matches!(method, Some(Method::Type | Method::Size));
        if unwrap && !keeps_arrays && value.is_array() {
            return self.unwrap_target(Some(id), value, found, false);
        }
        let result = match (method, &item.kind) {
            (Some(Method::KeyValue), _) => return self.key_value(item, value, found),
            (Some(Method::Size), _) => match self.size(value)? {
                Some(size) => PathValue::Number(int(size)),
                None => return Ok(false),
            },
            (Some(m), ItemKind::Method(_, arg)) => self.apply(m, *arg, value)?,
            (_, ItemKind::Decimal(precision, scale)) => {
                self.decimal("decimal", (*precision, *scale), value)?
            }
            _ => return Err(Fail::Hard(common::internal!("jsonpath item is not a method"))),
        };
        self.next(item, &result, found)
    }

    /// The number of elements; `None` for an error of structure that is to be ignored.
    fn size(&self, value: &PathValue<'a>) -> Result<Option<i64>, Fail> {
        match value.json() {
            Some(JsonbRef::Array(a)) => Ok(Some(a.len() as i64)),
            _ if self.lax() => Ok(Some(1)),
            _ if self.ignore_structure => Ok(None),
            _ => soft(pg_err!(
                SQL_JSON_ARRAY_NOT_FOUND,
                "jsonpath item method .size() can only be applied to an array"
            )),
        }
    }

    fn apply(
        &self,
        method: Method,
        arg: Option<ItemId>,
        value: &PathValue<'a>,
    ) -> Result<PathValue<'a>, Fail> {
        let name = method.name();
        Ok(match method {
            Method::Type => PathValue::String(Arc::from(value.type_name())),
            Method::Abs | Method::Floor | Method::Ceiling => {
                let Some(n) = value.as_number() else {
                    return soft(only_for(name, "a numeric value"));
                };
                PathValue::Number(match method {
                    Method::Abs if n.signum() < 0 => numeric::neg(&n),
                    Method::Abs => n,
                    Method::Floor => n.round_to(0, Rounding::Floor)?,
                    _ => n.round_to(0, Rounding::Ceiling)?,
                })
            }
            Method::Double => self.double(name, value)?,
            Method::Bigint => self.integer(name, value, oids::INT8)?,
            Method::Integer => self.integer(name, value, oids::INT4)?,
            Method::Number => self.decimal(name, (None, None), value)?,
            Method::Boolean => boolean(name, value)?,
            Method::String => self.string(name, value)?,
            _ => self.datetime(method, arg, value)?,
        })
    }

    fn read(&self, type_oid: common::Oid, typmod: i32, text: &str) -> Result<Datum, Box<PgError>> {
        io::input(type_oid, typmod, text, &IoContext::new(self.ctx.settings))
    }

    fn double(&self, name: &str, value: &PathValue<'a>) -> Result<PathValue<'a>, Fail> {
        let given = input(value, name)?;
        let text = given.text();
        let Ok(Datum::Float8(v)) = self.read(oids::FLOAT8, -1, &text) else {
            return soft(invalid(name, &text, "double precision"));
        };
        if !v.is_finite() {
            return soft(not_finite(name));
        }
        match given {
            Input::Number(n) => Ok(PathValue::Number(n)),
            Input::Text(_) => Ok(PathValue::Number(Numeric::from_f64(v, 15)?)),
        }
    }

    fn integer(
        &self,
        name: &str,
        value: &PathValue<'a>,
        type_oid: common::Oid,
    ) -> Result<PathValue<'a>, Fail> {
        let type_name = if type_oid == oids::INT8 {
            "bigint"
        } else {
            "integer"
        };
        let given = input(value, name)?;
        let integer = match &given {
            Input::Number(n) => n
                .round_to(0, Rounding::HalfAway)
                .ok()
                .and_then(|n| n.to_i64())
                .filter(|v| type_oid == oids::INT8 || i32::try_from(*v).is_ok()),
            Input::Text(s) => self.read(type_oid, -1, s).ok().and_then(|d| d.as_i64()),
        };
        match integer {
            Some(v) => Ok(PathValue::Number(int(v))),
            None => soft(invalid(name, &given.text(), type_name)),
        }
    }

    fn int_argument(&self, id: ItemId, what: &str, name: &str) -> Result<i32, Fail> {
        let value = match &self.node(id)?.kind {
            ItemKind::Number(n) => n.to_i64().and_then(|v| i32::try_from(v).ok()),
            _ => None,
        };
        match value {
            Some(v) => Ok(v),
            None => soft(pg_err!(
                NON_NUMERIC_SQL_JSON_ITEM,
                "{what} of jsonpath item method .{name}() is out of range for type integer"
            )),
        }
    }

    fn decimal(
        &self,
        name: &str,
        (precision, scale): (Option<ItemId>, Option<ItemId>),
        value: &PathValue<'a>,
    ) -> Result<PathValue<'a>, Fail> {
        let given = input(value, name)?;
        let text = given.text();
        let number = match given {
            Input::Number(n) => n,
            Input::Text(s) => match self.read(oids::NUMERIC, -1, &s) {
                Ok(Datum::Numeric(n)) => n,
                _ => return soft(invalid(name, &text, "numeric")),
            },
        };
        if !number.is_finite() {
            return soft(not_finite(name));
        }
        let Some(precision) = precision else {
            return Ok(PathValue::Number(number));
        };
        let precision = self.int_argument(precision, "precision", name)?;
        let scale = scale.map_or(Ok(0), |s| self.int_argument(s, "scale", name))?;
        let typmod = numeric_typmod(precision, scale)?;
        match self.read(oids::NUMERIC, typmod, &text) {
            Ok(Datum::Numeric(n)) => Ok(PathValue::Number(n)),
            _ => soft(invalid(name, &text, "numeric")),
        }
    }

    fn string(&self, name: &str, value: &PathValue<'a>) -> Result<PathValue<'a>, Fail> {
        let text = match value {
            PathValue::DateTime(d) => datetime::json_text(d)?,
            _ => match (value.as_str(), value.as_number(), value.as_bool()) {
                (Some(s), ..) => s.to_owned(),
                (_, Some(n), _) => n.to_string(),
                (.., Some(b)) => b.to_string(),
                _ => return soft(only_for(name, "a boolean, string, numeric, or datetime value")),
            },
        };
        Ok(PathValue::String(text.into()))
    }

    fn datetime(
        &self,
        method: Method,
        arg: Option<ItemId>,
        value: &PathValue<'a>,
    ) -> Result<PathValue<'a>, Fail> {
        let name = method.name();
        let Some(text) = value.as_str() else {
            return soft(pg_err!(
                INVALID_ARGUMENT_FOR_SQL_JSON_DATETIME_FUNCTION,
                "jsonpath item method .{name}() can only be applied to a string"
            ));
        };
        let mut precision = None;
        let read = match (method, arg) {
            (Method::Datetime, Some(arg)) => match &self.node(arg)?.kind {
                ItemKind::String(template) => datetime::by_template(text, template, self.ctx)?,
                _ => return Err(Fail::Hard(common::internal!("template is not a string"))),
            },
            (_, arg) => {
                if let Some(arg) = arg {
                    let ItemKind::Number(n) = &self.node(arg)?.kind else {
                        return Err(Fail::Hard(common::internal!("precision is not a number")));
                    };
                    let Some(p) = n.to_i64().and_then(|v| i32::try_from(v).ok()) else {
                        return soft(pg_err!(
                            INVALID_ARGUMENT_FOR_SQL_JSON_DATETIME_FUNCTION,
                            "time precision of jsonpath item method .{name}() is out of range for type integer"
                        ));
                    };
                    precision = Some(p);
                }
                datetime::by_format(text, method, self.ctx)?
            }
        };
        let d = datetime::for_method(read, method, text, precision, (self.run.use_tz, self.ctx))?;
        Ok(PathValue::DateTime(d))
    }
}

fn boolean<'a>(name: &str, value: &PathValue<'a>) -> Result<PathValue<'a>, Fail> {
    if let Some(b) = value.as_bool() {
        return Ok(PathValue::Json(JsonbRef::Bool(b)));
    }
    let (text, parsed) = if let Some(n) = value.as_number() {
        let text = n.to_string();
        let parsed = text.parse::<i32>().ok().map(|v| v != 0);
        (text, parsed)
    } else if let Some(s) = value.as_str() {
        let settings = types::FormatSettings::default();
        let parsed = io::input(oids::BOOL, -1, s, &IoContext::new(&settings)).ok();
        (s.to_owned(), parsed.and_then(|d| d.as_bool()))
    } else {
        return soft(only_for(name, "a boolean, string, or numeric value"));
    };
    match parsed {
        Some(b) => Ok(PathValue::Json(JsonbRef::Bool(b))),
        None => soft(invalid(name, &text, "boolean")),
    }
}
