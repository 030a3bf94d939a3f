//! Small built-in catalogs whose rows are compiled in as text files.

use common::{Oid, PgResult, internal};
use types::Datum;

use crate::builtin::facts::BuiltinRelation;
use crate::builtin::text;
use crate::oids;

/// The data file of a catalog that has one.
fn data_file(catalog: Oid) -> Option<&'static str> {
    Some(match catalog {
        oids::PG_AM => include_str!("../../data/pg_am.tsv"),
        oids::PG_AUTH_MEMBERS => include_str!("../../data/pg_auth_members.tsv"),
        oids::PG_AUTHID => include_str!("../../data/pg_authid.tsv"),
        oids::PG_COLLATION => include_str!("../../data/pg_collation.tsv"),
        oids::PG_CONSTRAINT => include_str!("../../data/pg_constraint.tsv"),
        oids::PG_CONVERSION => include_str!("../../data/pg_conversion.tsv"),
        oids::PG_DATABASE => include_str!("../../data/pg_database.tsv"),
        oids::PG_DEPEND => include_str!("../../data/pg_depend.tsv"),
        oids::PG_EXTENSION => include_str!("../../data/pg_extension.tsv"),
        oids::PG_INIT_PRIVS => include_str!("../../data/pg_init_privs.tsv"),
        oids::PG_LANGUAGE => include_str!("../../data/pg_language.tsv"),
        oids::PG_NAMESPACE => include_str!("../../data/pg_namespace.tsv"),
        oids::PG_OPFAMILY => include_str!("../../data/pg_opfamily.tsv"),
        oids::PG_RANGE => include_str!("../../data/pg_range.tsv"),
        oids::PG_TABLESPACE => include_str!("../../data/pg_tablespace.tsv"),
        oids::PG_TS_CONFIG => include_str!("../../data/pg_ts_config.tsv"),
        oids::PG_TS_CONFIG_MAP => include_str!("../../data/pg_ts_config_map.tsv"),
        oids::PG_TS_DICT => include_str!("../../data/pg_ts_dict.tsv"),
        oids::PG_TS_PARSER => include_str!("../../data/pg_ts_parser.tsv"),
        oids::PG_TS_TEMPLATE => include_str!("../../data/pg_ts_template.tsv"),
        _ => return None,
    })
}

/// How many rows the data file of a catalog has.
pub fn count(catalog: Oid) -> usize {
    data_file(catalog).map_or(0, |file| file.lines().count())
}

/// Rows of a catalog from its data file, `None` when it has none.
pub fn rows(catalog: &BuiltinRelation) -> PgResult<Option<Vec<Vec<Datum>>>> {
    let Some(file) = data_file(catalog.oid) else {
        return Ok(None);
    };
    let rows: PgResult<Vec<_>> = file.lines().map(|line| row(catalog, line)).collect();
    rows.map(Some)
}

fn row(catalog: &BuiltinRelation, line: &str) -> PgResult<Vec<Datum>> {
    let mut fields = text::fields(line);
    let mut row = Vec::with_capacity(catalog.columns.len());
    for column in catalog.columns {
        let Some(field) = fields.next() else {
            return Err(internal!("catalog data file of {}: a short line", catalog.name));
        };
        row.push(text::datum(column.type_oid, field.as_deref())?);
    }
    if fields.next().is_some() {
        return Err(internal!("catalog data file of {}: a long line", catalog.name));
    }
    Ok(row)
}
