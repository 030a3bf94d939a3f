//! Rows of `pg_attribute`.

use common::Oid;
use types::{Datum, builtin, oids as t};

use crate::builtin::facts::{self, BuiltinRelation};
use crate::builtin::relations::column_storage;
use crate::builtin::rows::oid;
use crate::builtin::text;
use crate::columns::pg_attribute::*;
use crate::oids;

/// System columns: name, type, number.
pub const SYSTEM_COLUMNS: [(&str, Oid, i16); 6] = [
    ("ctid", t::TID, -1),
    ("xmin", t::XID, -2),
    ("cmin", t::CID, -3),
    ("xmax", t::XID, -4),
    ("cmax", t::CID, -5),
    ("tableoid", t::OID, -6),
];

fn has_system_columns(rel: &BuiltinRelation) -> bool {
    matches!(rel.relkind, b'r' | b't')
}

pub fn count() -> usize {
    let counts = facts::relations().iter().map(|rel| {
        let system = if has_system_columns(rel) {
            SYSTEM_COLUMNS.len()
        } else {
            0
        };
        rel.columns.len() + system
    });
    counts.sum()
}

pub fn rows() -> Vec<Vec<Datum>> {
    let mut rows = Vec::with_capacity(count());
    for rel in facts::relations() {
        for (column, attno) in rel.columns.iter().zip(1i16..) {
            let mut row = attribute(rel.oid, column.name, column.type_oid, attno);
            row[ATTNDIMS] = Datum::Int2(column.dims);
            row[ATTSTORAGE] = Datum::Char(column_storage(rel, column.type_oid));
            row[ATTNOTNULL] = Datum::Bool(column.not_null);
            row[ATTCOLLATION] = oid(column.collation);
            if rel.oid == oids::PG_SUBSCRIPTION && column.name != "subconninfo" {
                row[ATTACL] = text::array_of(Oid(1033), vec![Datum::text("=r/postgres")]);
            }
            rows.push(row);
        }
        if has_system_columns(rel) {
            let system = SYSTEM_COLUMNS.iter();
            rows.extend(system.map(|(name, type_oid, attno)| attribute(rel.oid, name, *type_oid, *attno)));
        }
    }
    rows
}

/// A row with what follows from the type; `attnotnull` as system columns have it.
pub fn attribute(relation: Oid, name: &str, type_oid: Oid, attno: i16) -> Vec<Datum> {
    let mut row = vec![Datum::Null; COUNT];
    row[ATTRELID] = oid(relation);
    row[ATTNAME] = Datum::text(name);
    row[ATTTYPID] = oid(type_oid);
    row[ATTNUM] = Datum::Int2(attno);
    row[ATTTYPMOD] = Datum::Int4(-1);
    row[ATTNDIMS] = Datum::Int2(0);
    row[ATTNOTNULL] = Datum::Bool(attno < 0);
    for no in [ATTHASDEF, ATTHASMISSING, ATTISDROPPED] {
        row[no] = Datum::Bool(false);
    }
    for none in [ATTCOMPRESSION, ATTIDENTITY, ATTGENERATED] {
        row[none] = Datum::Char(0);
    }
    row[ATTISLOCAL] = Datum::Bool(true);
    row[ATTINHCOUNT] = Datum::Int2(0);
    row[ATTCOLLATION] = oid(Oid::INVALID);
    if let Some(t) = builtin::type_row(type_oid) {
        row[ATTLEN] = Datum::Int2(t.typlen);
        row[ATTBYVAL] = Datum::Bool(t.typbyval);
        row[ATTALIGN] = Datum::Char(t.typalign);
        row[ATTSTORAGE] = Datum::Char(t.typstorage);
    }
    row
}
