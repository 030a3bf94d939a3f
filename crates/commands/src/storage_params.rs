//! Storage parameters: `WITH (fillfactor = 70)`, checked as PostgreSQL checks them.
//!
//! PG: src/backend/access/common/reloptions.c.

use common::error::ErrorExt;
use common::{PgResult, pg_err};
use parser::ast::DefElem;

use crate::options::{arg_text, parse_bool};

/// The kinds of relation that have parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ParamSet {
    Heap,
    Btree,
    Hash,
    Gist,
    View,
}

impl ParamSet {
    /// Those of a relation.
    pub fn of(desc: &catalog::desc::RelationDesc) -> ParamSet {
        match (desc.relkind, &desc.index) {
            (b'i', Some(index)) => crate::access_method::of_index(index.access_method).params,
            (b'v', _) => ParamSet::View,
            _ => ParamSet::Heap,
        }
    }
}

enum Range {
    Bool,
    Int(i64, i64),
    Real(f64, f64),
    Enum(&'static [&'static str], &'static str),
}

const NUMERIC: &[(&str, Range)] = &[
    ("autovacuum_analyze_scale_factor", Range::Real(0.0, 100.0)),
    ("autovacuum_analyze_threshold", Range::Int(0, i32::MAX as i64)),
    ("autovacuum_enabled", Range::Bool),
    ("autovacuum_freeze_max_age", Range::Int(100_000, 2_000_000_000)),
    ("autovacuum_freeze_min_age", Range::Int(0, 1_000_000_000)),
    ("autovacuum_freeze_table_age", Range::Int(0, 2_000_000_000)),
    (
        "autovacuum_multixact_freeze_max_age",
        Range::Int(10_000, 2_000_000_000),
    ),
    (
        "autovacuum_multixact_freeze_min_age",
        Range::Int(0, 1_000_000_000),
    ),
    (
        "autovacuum_multixact_freeze_table_age",
        Range::Int(0, 2_000_000_000),
    ),
    ("autovacuum_vacuum_cost_delay", Range::Real(0.0, 100.0)),
    ("autovacuum_vacuum_cost_limit", Range::Int(1, 10_000)),
    ("autovacuum_vacuum_insert_scale_factor", Range::Real(0.0, 100.0)),
    (
        "autovacuum_vacuum_insert_threshold",
        Range::Int(-1, i32::MAX as i64),
    ),
    ("autovacuum_vacuum_max_threshold", Range::Int(-1, i32::MAX as i64)),
    ("autovacuum_vacuum_scale_factor", Range::Real(0.0, 100.0)),
    ("autovacuum_vacuum_threshold", Range::Int(0, i32::MAX as i64)),
    ("fillfactor", Range::Int(10, 100)),
    ("log_autovacuum_min_duration", Range::Int(-1, i32::MAX as i64)),
    ("parallel_workers", Range::Int(0, 1024)),
    ("toast_tuple_target", Range::Int(128, 8160)),
    ("user_catalog_table", Range::Bool),
    (
        "vacuum_index_cleanup",
        Range::Enum(
            &["auto", "on", "off", "true", "false", "yes", "no", "1", "0"],
            "Valid values are \"on\", \"off\", and \"auto\".",
        ),
    ),
    ("vacuum_max_eager_freeze_failure_rate", Range::Real(0.0, 1.0)),
    ("vacuum_truncate", Range::Bool),
];

const BTREE: &[(&str, Range)] = &[
    ("deduplicate_items", Range::Bool),
    ("fillfactor", Range::Int(10, 100)),
];

const HASH: &[(&str, Range)] = &[("fillfactor", Range::Int(10, 100))];

const GIST: &[(&str, Range)] = &[
    (
        "buffering",
        Range::Enum(
            &["auto", "on", "off"],
            "Valid values are \"on\", \"off\", and \"auto\".",
        ),
    ),
    ("fillfactor", Range::Int(10, 100)),
];

const VIEW: &[(&str, Range)] = &[
    (
        "check_option",
        Range::Enum(
            &["local", "cascaded"],
            "Valid values are \"local\" and \"cascaded\".",
        ),
    ),
    ("security_barrier", Range::Bool),
    ("security_invoker", Range::Bool),
];

/// Checks parameters and hands them back as `name=value`, over those that are set already.
pub(crate) fn merge(set: ParamSet, old: &[String], options: &[DefElem]) -> PgResult<Vec<String>> {
    let mut result: Vec<String> = old.to_vec();
    for option in options {
        if let Some(namespace) = &option.namespace
            && (namespace != "toast" || set != ParamSet::Heap)
        {
            return Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "unrecognized parameter namespace \"{namespace}\""
            ));
        }
        let value = option.arg.as_ref().map_or_else(|| "true".to_owned(), arg_text);
        if option.name == "oids" && set == ParamSet::Heap {
            if parse_bool(&value) == Some(true) {
                return Err(pg_err!(
                    FEATURE_NOT_SUPPORTED,
                    "tables declared WITH OIDS are not supported"
                ));
            }
            continue;
        }
        check(set, &option.name, &value)?;
        // Parameters of TOAST tables are checked but there is no such table to keep them.
        if option.namespace.is_some() {
            continue;
        }
        let prefix = format!("{}=", option.name);
        result.retain(|o| !o.starts_with(&prefix));
        result.push(format!("{prefix}{value}"));
    }
    Ok(result)
}

/// RESET (...): forgets parameters.
pub(crate) fn reset(old: &[String], options: &[DefElem]) -> PgResult<Vec<String>> {
    let mut result: Vec<String> = old.to_vec();
    for option in options {
        if option.arg.is_some() {
            return Err(pg_err!(
                SYNTAX_ERROR,
                "RESET must not include values for parameters"
            ));
        }
        let prefix = format!("{}=", option.name);
        result.retain(|o| !o.starts_with(&prefix));
    }
    Ok(result)
}

fn check(set: ParamSet, name: &str, value: &str) -> PgResult<()> {
    let table = match set {
        ParamSet::Heap => NUMERIC,
        ParamSet::Btree => BTREE,
        ParamSet::Hash => HASH,
        ParamSet::Gist => GIST,
        ParamSet::View => VIEW,
    };
    let Some((_, range)) = table.iter().find(|(n, _)| *n == name) else {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "unrecognized parameter \"{name}\""
        ));
    };
    match range {
        Range::Bool => match parse_bool(value) {
            Some(_) => Ok(()),
            None => Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "invalid value for boolean option \"{name}\": {value}"
            )),
        },
        Range::Int(low, high) => {
            let Ok(number) = value.parse::<i64>() else {
                return Err(pg_err!(
                    INVALID_PARAMETER_VALUE,
                    "invalid value for integer option \"{name}\": {value}"
                ));
            };
            in_bounds(number >= *low && number <= *high, name, value, low, high)
        }
        Range::Real(low, high) => {
            let Ok(number) = value.parse::<f64>() else {
                return Err(pg_err!(
                    INVALID_PARAMETER_VALUE,
                    "invalid value for floating point option \"{name}\": {value}"
                ));
            };
            let bounds = (format!("{low:.6}"), format!("{high:.6}"));
            in_bounds(
                number >= *low && number <= *high,
                name,
                value,
                &bounds.0,
                &bounds.1,
            )
        }
        Range::Enum(words, detail) => {
            if words.contains(&value.to_ascii_lowercase().as_str()) {
                return Ok(());
            }
            Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "invalid value for enum option \"{name}\": {value}"
            )
            .detail(*detail))
        }
    }
}

fn in_bounds(
    ok: bool,
    name: &str,
    value: &str,
    low: &dyn std::fmt::Display,
    high: &dyn std::fmt::Display,
) -> PgResult<()> {
    if ok {
        return Ok(());
    }
    Err(pg_err!(
        INVALID_PARAMETER_VALUE,
        "value {value} out of bounds for option \"{name}\""
    )
    .detail(format!("Valid values are between \"{low}\" and \"{high}\".")))
}

/// The options of a relation as `name=value`.
pub(crate) fn of_relation(desc: &catalog::desc::RelationDesc) -> Vec<String> {
    desc.options.iter().map(|(n, v)| format!("{n}={v}")).collect()
}

/// `reloptions` as stored.
pub(crate) fn datum(options: &[String]) -> types::Datum {
    if options.is_empty() {
        return types::Datum::Null;
    }
    let elements = options.iter().map(|o| types::Datum::text(o.as_str())).collect();
    types::Datum::Array(std::sync::Arc::new(types::ArrayValue::from_elements(
        types::oids::TEXT,
        elements,
    )))
}
