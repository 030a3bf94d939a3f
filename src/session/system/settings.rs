//! `pg_show_all_settings`, time zones, options.

use commands::guc::defs::{Kind, SettingDef};
use common::{PgError, PgResult, pg_err};
use types::{ArrayValue, Datum, Interval, oids};

use crate::session::env::StatementEnv;

fn texts(values: &[&str]) -> Datum {
    let elements = values.iter().map(|v| Datum::text(*v)).collect();
    Datum::Array(std::sync::Arc::new(ArrayValue::from_elements(
        oids::TEXT,
        elements,
    )))
}

/// (vartype, min_val, max_val, enumvals).
fn limits(def: &SettingDef) -> (&'static str, Datum, Datum, Datum) {
    match def.kind {
        Kind::Bool => ("bool", Datum::Null, Datum::Null, Datum::Null),
        Kind::Int { min, max } => (
            "integer",
            Datum::text(min.to_string()),
            Datum::text(max.to_string()),
            Datum::Null,
        ),
        Kind::Real { min, max } => (
            "real",
            Datum::text(min.to_string()),
            Datum::text(max.to_string()),
            Datum::Null,
        ),
        Kind::Enum(values) => ("enum", Datum::Null, Datum::Null, texts(values)),
        Kind::Text => ("string", Datum::Null, Datum::Null, Datum::Null),
    }
}

impl StatementEnv<'_> {
    /// The columns of `pg_settings`. Descriptions are PostgreSQL's prose and stay NULL.
    pub(super) fn all_settings(&self) -> Vec<Vec<Datum>> {
        let guc = self.core.guc.borrow();
        let row = |(def, value, reset, source): (&'static SettingDef, &str, &str, &'static str)| {
            let (vartype, min, max, values) = limits(def);
            let unit = if def.unit.is_empty() {
                Datum::Null
            } else {
                Datum::text(def.unit)
            };
            vec![
                Datum::text(def.name),
                Datum::text(value),
                unit,
                Datum::text(def.category),
                Datum::Null,
                Datum::Null,
                Datum::text(def.context.as_str()),
                Datum::text(vartype),
                Datum::text(source),
                min,
                max,
                values,
                Datum::text(def.boot),
                Datum::text(reset),
                Datum::Null,
                Datum::Null,
                Datum::Bool(false),
            ]
        };
        guc.listed().into_iter().map(row).collect()
    }

    pub(super) fn zone_names(&self) -> Vec<Vec<Datum>> {
        let now = self.core.transaction_start.get();
        let zones = types::datetime::zone::all().into_iter();
        zones
            .map(|(name, zone)| {
                let at = types::datetime::zone::offset_at(&zone, now);
                let offset = Interval {
                    months: 0,
                    days: 0,
                    micros: -i64::from(at.west) * 1_000_000,
                };
                vec![
                    Datum::text(name),
                    Datum::text(at.abbreviation),
                    Datum::Interval(offset),
                    Datum::Bool(at.is_dst),
                ]
            })
            .collect()
    }
}

/// `{name=value, ...}` as rows.
pub(super) fn options(args: &[Datum]) -> PgResult<Vec<Vec<Datum>>> {
    let Some(Datum::Array(list)) = args.first() else {
        return Ok(Vec::new());
    };
    if list.elements.iter().any(Datum::is_null) {
        return Err(null_element());
    }
    let pairs = list.elements.iter().filter_map(Datum::as_str);
    Ok(pairs
        .map(|pair| match pair.split_once('=') {
            Some((name, value)) => vec![Datum::text(name), Datum::text(value)],
            None => vec![Datum::text(pair), Datum::Null],
        })
        .collect())
}

/// A list of options holds no NULL.
#[cold]
pub(super) fn null_element() -> Box<PgError> {
    pg_err!(
        NULL_VALUE_NOT_ALLOWED,
        "null array element not allowed in this context"
    )
}
