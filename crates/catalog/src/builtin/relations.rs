//! Descriptors of the built-in relations, made from the statics when first asked for.

use std::sync::{Arc, OnceLock};

use common::{Oid, RelationId};
use types::settings::TypeRef;
use types::{Datum, PhysType, builtin as type_facts};

use crate::builtin::facts::{self, BuiltinColumn, BuiltinIndex, BuiltinRelation};
use crate::builtin::slots::Slots;
use crate::builtin::{families, views};
use crate::desc::{ColumnDesc, IndexColumnDesc, IndexDesc, RelationDesc};
use crate::names;
use crate::oids;

fn slots() -> &'static Slots<RelationDesc> {
    static SLOTS: OnceLock<Slots<RelationDesc>> = OnceLock::new();
    SLOTS.get_or_init(|| Slots::new(facts::relations().len()))
}

/// A built-in relation.
pub fn relation(oid: Oid) -> Option<Arc<RelationDesc>> {
    let at = facts::relations().binary_search_by_key(&oid, |r| r.oid).ok()?;
    let rel = facts::relations().get(at)?;
    Some(slots().get_or_build(at, || describe(rel)))
}

/// A built-in relation by schema and name.
pub fn relation_by_name(namespace: Oid, name: &str) -> Option<Arc<RelationDesc>> {
    relation(facts::relation_by_name(namespace, name)?.oid)
}

/// Builds the descriptor of a built-in relation.
fn describe(rel: &'static BuiltinRelation) -> RelationDesc {
    let view_definition = views::definition(rel.oid).map(Arc::from);
    RelationDesc {
        oid: rel.oid,
        name: rel.name.into(),
        namespace: rel.namespace,
        namespace_name: names::builtin_namespace(rel.namespace)
            .unwrap_or("pg_catalog")
            .into(),
        owner: oids::BOOTSTRAP_SUPERUSER,
        relkind: rel.relkind,
        persistence: b'p',
        row_type: rel.row_type,
        storage: storage(rel),
        columns: columns(rel),
        indexes: facts::indexes_of(rel.oid).map(|i| i.oid).collect(),
        constraints: Vec::new(),
        has_rules: rel.relkind == b'v',
        has_triggers: false,
        trigger_states: Vec::new(),
        row_security: false,
        force_row_security: false,
        is_partition: false,
        has_subclass: false,
        reltuples: rel.tuples,
        relpages: rel.pages,
        acl: acl(rel),
        options: options(rel.options),
        index: facts::index(rel.oid).map(index_desc),
        populated: true,
        referenced_by: Vec::new(),
        foreign_key_parts: Vec::new(),
        inheritance: crate::desc::Inheritance::default(),
        view_definition,
    }
}

/// Built-in relations keep their OID as storage number; those of users start at [`Oid::FIRST_NORMAL`].
pub fn storage(rel: &BuiltinRelation) -> RelationId {
    match rel.relkind {
        b'r' | b'i' | b't' => RelationId(u64::from(rel.oid.0)),
        _ => RelationId::default(),
    }
}

/// `pg_class.relacl`.
pub fn acl(rel: &BuiltinRelation) -> Option<Vec<Datum>> {
    (!rel.acl.is_empty()).then(|| rel.acl.split(',').map(Datum::text).collect())
}

/// `a=b,c=d` as pairs.
fn options(text: &str) -> Vec<(Arc<str>, Arc<str>)> {
    let pairs = text.split(',').filter_map(|o| o.split_once('='));
    pairs.map(|(k, v)| (k.into(), v.into())).collect()
}

fn columns(rel: &'static BuiltinRelation) -> Vec<ColumnDesc> {
    let numbered = rel.columns.iter().zip(1i16..);
    numbered
        .map(|(column, attno)| column_desc(rel, column, attno))
        .collect()
}

fn column_desc(rel: &BuiltinRelation, column: &BuiltinColumn, attno: i16) -> ColumnDesc {
    ColumnDesc {
        attno,
        name: column.name.into(),
        type_ref: TypeRef::plain(column.type_oid),
        phys: PhysType::of_builtin(column.type_oid),
        collation: column.collation,
        not_null: column.not_null,
        dropped: false,
        default: None,
        identity: 0,
        generated: 0,
        identity_sequence: Oid::INVALID,
        missing: None,
        storage: column_storage(rel, column.type_oid),
        compression: 0,
        stats_target: -1,
        is_local: true,
        inherited_count: 0,
        acl: None,
    }
}

/// `attstorage`: the type's own, but TOAST tables never toast again.
pub fn column_storage(rel: &BuiltinRelation, type_oid: Oid) -> u8 {
    match type_facts::type_row(type_oid) {
        Some(t) if rel.relkind != b't' => t.typstorage,
        _ => b'p',
    }
}

fn index_desc(index: &'static BuiltinIndex) -> IndexDesc {
    let parts = index.columns.iter().zip(index.opclasses).zip(index.collations);
    let columns: Vec<IndexColumnDesc> = parts
        .map(|((attno, opclass), collation)| {
            let class = families::opclass(Oid(*opclass));
            IndexColumnDesc {
                attno: *attno,
                expr: None,
                opclass: Oid(*opclass),
                opfamily: class.as_ref().map_or(Oid::INVALID, |c| c.family),
                opcintype: class.as_ref().map_or(Oid::INVALID, |c| c.input_type),
                collation: Oid(*collation),
                text_order: None,
                descending: false,
                nulls_first: false,
            }
        })
        .collect();
    IndexDesc {
        table: index.table,
        access_method: oids::BTREE_AM,
        unique: index.unique,
        primary: index.primary,
        exclusion: false,
        nulls_not_distinct: false,
        immediate: true,
        valid: true,
        ready: true,
        live: true,
        clustered: false,
        key_count: columns.len(),
        columns,
        predicate: None,
    }
}
