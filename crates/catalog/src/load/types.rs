//! [`TypeDesc`] from `pg_type` rows of users.

use common::{Oid, PgResult};
use types::PhysType;

use crate::builtin;
use crate::columns::pg_proc;
use crate::columns::pg_type::*;
use crate::desc::TypeDesc;
use crate::oids;
use crate::row::StoredRow;
use crate::store::{CatalogRead, key_name, key_oid};

/// A type made by a user.
pub fn type_desc(read: &dyn CatalogRead, oid: Oid) -> PgResult<Option<TypeDesc>> {
    let rows = read.lookup(oids::PG_TYPE_OID_INDEX, &[key_oid(oid)])?;
    rows.first().map(|row| describe(read, row)).transpose()
}

/// OID of a type made by a user, by schema and name.
pub fn type_oid(read: &dyn CatalogRead, namespace: Oid, name: &str) -> PgResult<Option<Oid>> {
    let key = [key_name(name), key_oid(namespace)];
    let rows = read.lookup(oids::PG_TYPE_TYPNAME_NSP_INDEX, &key)?;
    Ok(rows.first().map(|row| row.oid(OID)))
}

/// The storage class of any type.
pub fn phys(read: &dyn CatalogRead, oid: Oid) -> PgResult<PhysType> {
    if oid < Oid::FIRST_NORMAL {
        return Ok(PhysType::of_builtin(oid));
    }
    let rows = read.lookup(oids::PG_TYPE_OID_INDEX, &[key_oid(oid)])?;
    match rows.first() {
        Some(row) => phys_of_row(read, row),
        None => Ok(PhysType::Nested),
    }
}

fn phys_of_row(read: &dyn CatalogRead, row: &StoredRow) -> PgResult<PhysType> {
    Ok(match row.char(TYPTYPE) {
        b'e' => PhysType::Oid,
        b'd' => phys(read, row.oid(TYPBASETYPE))?,
        b'c' | b'r' | b'm' => PhysType::Nested,
        _ if row.oid(TYPELEM).is_valid() => PhysType::Nested,
        b'p' => PhysType::of_builtin(row.oid(OID)),
        _ => PhysType::of_builtin(like(read, row)?),
    })
}

/// The built-in type whose input function a base type has: there are no others that a user could give it.
fn like(read: &dyn CatalogRead, row: &StoredRow) -> PgResult<Oid> {
    if row.char(TYPTYPE) != b'b' || row.oid(TYPELEM).is_valid() {
        return Ok(Oid::INVALID);
    }
    let rows = read.lookup_all(oids::PG_PROC_OID_INDEX, &[key_oid(row.oid(TYPINPUT))])?;
    let Some(function) = rows.first() else {
        return Ok(Oid::INVALID);
    };
    Ok(type_of_input(&function.text(pg_proc::PROSRC)).unwrap_or(Oid::INVALID))
}

/// The built-in type that an input function reads.
pub fn type_of_input(source: &str) -> Option<Oid> {
    let mut types = types::builtin::TYPES.iter();
    let found = types.find(|t| t.typtype == b'b' && !t.is_array() && t.typinput == source);
    found.map(|t| t.oid)
}

fn describe(read: &dyn CatalogRead, row: &StoredRow) -> PgResult<TypeDesc> {
    let array_handler = builtin::array_subscript_handler();
    let element = row.oid(TYPELEM);
    Ok(TypeDesc {
        oid: row.oid(OID),
        name: row.text(TYPNAME),
        namespace: row.oid(TYPNAMESPACE),
        owner: row.oid(TYPOWNER),
        len: row.int2(TYPLEN),
        by_val: row.bool(TYPBYVAL),
        kind: row.char(TYPTYPE),
        category: row.char(TYPCATEGORY),
        preferred: row.bool(TYPISPREFERRED),
        defined: row.bool(TYPISDEFINED),
        delimiter: row.char(TYPDELIM),
        relation: row.oid(TYPRELID),
        element,
        array: row.oid(TYPARRAY),
        is_array: element.is_valid() && row.oid(TYPSUBSCRIPT) == array_handler,
        base_type: row.oid(TYPBASETYPE),
        typmod: row.int4(TYPTYPMOD),
        not_null: row.bool(TYPNOTNULL),
        collation: row.oid(TYPCOLLATION),
        default: row.text_opt(TYPDEFAULT),
        align: row.char(TYPALIGN),
        phys: phys_of_row(read, row)?,
        like: like(read, row)?,
    })
}
