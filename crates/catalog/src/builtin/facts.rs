//! The built-in relations and indexes as statics: nothing is decoded when a database opens.

use common::Oid;

use crate::builtin::data::indexes::INDEXES;
use crate::builtin::data::relations::{BY_NAME, RELATIONS};

/// A built-in relation: catalog, system view, index or TOAST table.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct BuiltinRelation {
    pub oid: Oid,
    pub namespace: Oid,
    pub name: &'static str,
    pub relkind: u8,
    /// `pg_class.reltype`.
    pub row_type: Oid,
    pub shared: bool,
    pub toast_table: Oid,
    /// `relpages`, `reltuples` of a freshly initialised PostgreSQL.
    pub pages: i32,
    pub tuples: f32,
    /// `relacl` without braces; empty for NULL.
    pub acl: &'static str,
    /// `reloptions` without braces.
    pub options: &'static str,
    pub columns: &'static [BuiltinColumn],
}

/// A column of a built-in relation.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct BuiltinColumn {
    pub name: &'static str,
    pub type_oid: Oid,
    pub collation: Oid,
    pub not_null: bool,
    /// `attndims`.
    pub dims: i16,
}

/// An index of a built-in relation; all are btrees in ascending order.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct BuiltinIndex {
    pub oid: Oid,
    pub table: Oid,
    pub unique: bool,
    pub primary: bool,
    pub columns: &'static [i16],
    pub opclasses: &'static [u32],
    pub collations: &'static [u32],
}

/// A relation, as the generated file spells it.
#[allow(clippy::too_many_arguments)]
pub(crate) const fn r(
    oid: u32,
    namespace: u32,
    name: &'static str,
    relkind: u8,
    row_type: u32,
    shared: u8,
    toast_table: u32,
    pages: i32,
    tuples: f32,
    acl: &'static str,
    options: &'static str,
    columns: &'static [BuiltinColumn],
) -> BuiltinRelation {
    BuiltinRelation {
        oid: Oid(oid),
        namespace: Oid(namespace),
        name,
        relkind,
        row_type: Oid(row_type),
        shared: shared != 0,
        toast_table: Oid(toast_table),
        pages,
        tuples,
        acl,
        options,
        columns,
    }
}

/// A column; `flags`: 1 not null, 2 one array dimension.
pub(crate) const fn c(name: &'static str, type_oid: u32, collation: u32, flags: u8) -> BuiltinColumn {
    BuiltinColumn {
        name,
        type_oid: Oid(type_oid),
        collation: Oid(collation),
        not_null: flags & 1 != 0,
        dims: (flags >> 1) as i16,
    }
}

/// An index; `flags`: 1 unique, 2 primary.
pub(crate) const fn i(
    oid: u32,
    table: u32,
    flags: u8,
    columns: &'static [i16],
    opclasses: &'static [u32],
    collations: &'static [u32],
) -> BuiltinIndex {
    BuiltinIndex {
        oid: Oid(oid),
        table: Oid(table),
        unique: flags & 1 != 0,
        primary: flags & 2 != 0,
        columns,
        opclasses,
        collations,
    }
}

/// All built-in relations, by OID.
pub fn relations() -> &'static [BuiltinRelation] {
    RELATIONS
}

/// A built-in relation by OID.
pub fn relation(oid: Oid) -> Option<&'static BuiltinRelation> {
    let at = RELATIONS.binary_search_by_key(&oid, |r| r.oid).ok()?;
    RELATIONS.get(at)
}

/// A built-in relation by schema and name.
pub fn relation_by_name(namespace: Oid, name: &str) -> Option<&'static BuiltinRelation> {
    let at = |i: &u16| &RELATIONS[usize::from(*i)];
    let found = BY_NAME.binary_search_by(|i| (at(i).name, at(i).namespace).cmp(&(name, namespace)));
    found.ok().map(|k| at(&BY_NAME[k]))
}

/// All built-in indexes, by OID.
pub fn indexes() -> &'static [BuiltinIndex] {
    INDEXES
}

/// A built-in index by OID.
pub fn index(oid: Oid) -> Option<&'static BuiltinIndex> {
    let at = INDEXES.binary_search_by_key(&oid, |i| i.oid).ok()?;
    INDEXES.get(at)
}

/// The indexes of a built-in table, by OID.
pub fn indexes_of(table: Oid) -> impl Iterator<Item = &'static BuiltinIndex> {
    INDEXES.iter().filter(move |i| i.table == table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statics_are_sorted_and_found() {
        assert!(RELATIONS.is_sorted_by_key(|r| r.oid));
        assert!(INDEXES.is_sorted_by_key(|i| i.oid));
        assert_eq!(
            relation_by_name(Oid(11), "pg_class").map(|r| r.oid),
            Some(Oid(1259))
        );
        assert_eq!(relation_by_name(Oid(11), "pg_klass").map(|r| r.oid), None);
        for r in RELATIONS {
            assert_eq!(relation_by_name(r.namespace, r.name).map(|f| f.oid), Some(r.oid));
        }
    }
}
