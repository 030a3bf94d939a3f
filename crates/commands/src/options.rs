//! Reading option lists: booleans, numbers, words, as PostgreSQL's `defGet...` functions do.

use common::error::ErrorExt;
use common::{PgError, PgResult, pg_err};
use parser::ast::{DefArg, DefElem, Ident, TypeName};

/// A boolean word or prefix of one, as PostgreSQL's `parse_bool`.
pub fn parse_bool(text: &str) -> Option<bool> {
    let t = text.to_ascii_lowercase();
    let is_prefix = |word: &str, least: usize| t.len() >= least && word.starts_with(t.as_str());
    match t.as_str() {
        "" => None,
        "1" | "on" => Some(true),
        "0" => Some(false),
        _ if is_prefix("true", 1) || is_prefix("yes", 1) => Some(true),
        _ if is_prefix("false", 1) || is_prefix("no", 1) || is_prefix("off", 2) => Some(false),
        _ => None,
    }
}

/// The text of an option's value as written (PostgreSQL's `defGetString`).
pub fn text(option: &DefElem) -> PgResult<String> {
    match &option.arg {
        None => Err(requires_parameter(option)),
        Some(arg) => Ok(arg_text(arg)),
    }
}

fn requires_parameter(option: &DefElem) -> Box<PgError> {
    pg_err!(SYNTAX_ERROR, "{} requires a parameter", option.name)
}

/// A value as text.
pub fn arg_text(arg: &DefArg) -> String {
    match arg {
        DefArg::Integer(i) => i.to_string(),
        DefArg::Float(f) | DefArg::String(f) => f.to_string(),
        DefArg::Boolean(b) => if *b { "true" } else { "false" }.to_owned(),
        DefArg::TypeName(t) => type_name_text(t),
        DefArg::Names(names) => names.iter().map(|n| n.as_str()).collect::<Vec<_>>().join("."),
        DefArg::Star => "*".to_owned(),
        _ => String::new(),
    }
}

fn type_name_text(name: &TypeName) -> String {
    name.names
        .iter()
        .map(|n| n.as_str())
        .collect::<Vec<_>>()
        .join(".")
}

/// A boolean option; no value means true (PostgreSQL's `defGetBoolean`).
pub fn boolean(option: &DefElem) -> PgResult<bool> {
    let value = match &option.arg {
        None => return Ok(true),
        Some(DefArg::Integer(0)) => Some(false),
        Some(DefArg::Integer(1)) => Some(true),
        Some(DefArg::Integer(_)) => None,
        Some(arg) => match arg_text(arg).to_ascii_lowercase().as_str() {
            "true" | "on" => Some(true),
            "false" | "off" => Some(false),
            _ => None,
        },
    };
    value.ok_or_else(|| pg_err!(SYNTAX_ERROR, "{} requires a Boolean value", option.name))
}

/// An int4 option (PostgreSQL's `defGetInt32`).
pub fn int4(option: &DefElem) -> PgResult<i32> {
    match &option.arg {
        None => Err(pg_err!(SYNTAX_ERROR, "{} requires an integer value", option.name)),
        Some(DefArg::Integer(i)) => Ok(*i),
        Some(_) => Err(pg_err!(SYNTAX_ERROR, "{} requires an integer value", option.name)),
    }
}

/// An int8 option (PostgreSQL's `defGetInt64`).
pub fn int8(option: &DefElem) -> PgResult<i64> {
    match &option.arg {
        None => Err(pg_err!(SYNTAX_ERROR, "{} requires a numeric value", option.name)),
        Some(DefArg::Integer(i)) => Ok(i64::from(*i)),
        Some(DefArg::Float(text)) => parse_int8(text),
        Some(_) => Err(pg_err!(SYNTAX_ERROR, "{} requires a numeric value", option.name)),
    }
}

fn parse_int8(text: &str) -> PgResult<i64> {
    let settings = types::settings::FormatSettings::default();
    let context = types::io::IoContext::new(&settings);
    let value = types::io::input(types::oids::INT8, -1, text, &context)?;
    value
        .as_i64()
        .ok_or_else(|| common::internal!("bigint input gave no bigint"))
}

/// `conflicting or redundant options`.
pub fn conflicting(option: &DefElem) -> Box<PgError> {
    pg_err!(SYNTAX_ERROR, "conflicting or redundant options").at(option.span)
}

/// The names an option's value consists of.
pub fn names(option: &DefElem) -> PgResult<Vec<Ident>> {
    match &option.arg {
        Some(DefArg::Names(names)) => Ok(names.clone()),
        Some(DefArg::TypeName(name)) => Ok(name.names.clone()),
        Some(DefArg::String(text)) => {
            let span = option.span;
            Ok(vec![Ident::new(&**text, span)])
        }
        _ => Err(pg_err!(SYNTAX_ERROR, "argument of {} must be a name", option.name).at(option.span)),
    }
}

/// A type by nothing but its name.
pub fn as_type_name(names: &[Ident]) -> TypeName {
    TypeName {
        names: names.to_vec(),
        setof: false,
        pct_type: false,
        typmods: Vec::new(),
        array_bounds: Vec::new(),
        span: names.first().map_or(common::Span::NONE, |n| n.span),
    }
}

/// A type option (PostgreSQL's `defGetTypeName`).
pub fn type_name(option: &DefElem) -> PgResult<TypeName> {
    match &option.arg {
        Some(DefArg::TypeName(name)) => Ok((**name).clone()),
        Some(DefArg::String(text)) => Ok(as_type_name(&[Ident::new(text.clone(), option.span)])),
        None => Err(requires_parameter(option)),
        Some(_) => Err(pg_err!(
            SYNTAX_ERROR,
            "argument of {} must be a type name",
            option.name
        )),
    }
}
