//! Rows of `pg_class`, `pg_index`, `pg_rewrite`.

use common::Oid;
use types::Datum;

use crate::builtin::facts::{self, BuiltinIndex, BuiltinRelation};
use crate::builtin::relations;
use crate::builtin::rows::oid;
use crate::builtin::{text, views};
use crate::columns::{pg_class, pg_index, pg_rewrite};
use crate::oids;

/// Frozen transaction id that PostgreSQL's initdb leaves behind.
const FROZEN_XID: u32 = 744;

pub fn class_rows() -> Vec<Vec<Datum>> {
    facts::relations().iter().map(class_row).collect()
}

fn class_row(rel: &'static BuiltinRelation) -> Vec<Datum> {
    use pg_class::*;
    let mut row = vec![Datum::Bool(false); COUNT];
    let is_heap = matches!(rel.relkind, b'r' | b't');
    let all_pages = if rel.relkind == b'i' { 0 } else { rel.pages };
    row[OID] = oid(rel.oid);
    row[RELNAME] = Datum::text(rel.name);
    row[RELNAMESPACE] = oid(rel.namespace);
    row[RELTYPE] = oid(rel.row_type);
    row[RELOWNER] = oid(oids::BOOTSTRAP_SUPERUSER);
    row[RELAM] = oid(access_method(rel));
    row[RELFILENODE] = oid(if is_mapped(rel) || rel.relkind == b'v' {
        Oid::INVALID
    } else {
        rel.oid
    });
    row[RELTABLESPACE] = oid(if rel.shared {
        oids::GLOBAL_TABLESPACE
    } else {
        Oid::INVALID
    });
    row[RELPAGES] = Datum::Int4(rel.pages);
    row[RELTUPLES] = Datum::Float4(rel.tuples);
    row[RELALLVISIBLE] = Datum::Int4(all_pages);
    row[RELALLFROZEN] = Datum::Int4(all_pages);
    row[RELTOASTRELID] = oid(rel.toast_table);
    row[RELHASINDEX] = Datum::Bool(facts::indexes_of(rel.oid).next().is_some());
    row[RELISSHARED] = Datum::Bool(rel.shared);
    row[RELPERSISTENCE] = Datum::Char(b'p');
    row[RELKIND] = Datum::Char(rel.relkind);
    row[RELNATTS] = Datum::Int2(rel.columns.len() as i16);
    row[RELCHECKS] = Datum::Int2(0);
    row[RELHASRULES] = Datum::Bool(rel.relkind == b'v');
    row[RELISPOPULATED] = Datum::Bool(true);
    let information_schema = rel.namespace == oids::INFORMATION_SCHEMA_NAMESPACE;
    row[RELREPLIDENT] = Datum::Char(if information_schema && rel.relkind == b'r' {
        b'd'
    } else {
        b'n'
    });
    row[RELFROZENXID] = Datum::Oid(if is_heap { FROZEN_XID } else { 0 });
    row[RELMINMXID] = Datum::Oid(u32::from(is_heap));
    for none in [RELOFTYPE, RELREWRITE] {
        row[none] = oid(Oid::INVALID);
    }
    row[RELACL] = relations::acl(rel).map_or(Datum::Null, |items| text::array_of(Oid(1033), items));
    row[RELOPTIONS] = match rel.options {
        "" => Datum::Null,
        list => text::array_of(Oid(25), list.split(',').map(Datum::text).collect()),
    };
    row[RELPARTBOUND] = Datum::Null;
    row
}

fn access_method(rel: &BuiltinRelation) -> Oid {
    match rel.relkind {
        b'r' | b't' => oids::HEAP_AM,
        b'i' => oids::BTREE_AM,
        _ => Oid::INVALID,
    }
}

/// Relations whose file is found without `pg_class` in PostgreSQL show `relfilenode` 0.
fn is_mapped(rel: &BuiltinRelation) -> bool {
    let bootstrap = |oid: Oid| {
        let core = [oids::PG_CLASS, oids::PG_ATTRIBUTE, oids::PG_TYPE, oids::PG_PROC];
        let tables = core.iter().filter_map(|c| facts::relation(*c));
        core.contains(&oid) || tables.into_iter().any(|t| t.toast_table == oid)
    };
    let table = facts::index(rel.oid).map_or(rel.oid, |i| i.table);
    rel.shared || bootstrap(table)
}

pub fn index_rows() -> Vec<Vec<Datum>> {
    facts::indexes().iter().map(index_row).collect()
}

fn index_row(index: &'static BuiltinIndex) -> Vec<Datum> {
    use pg_index::*;
    let mut row = vec![Datum::Bool(false); COUNT];
    row[INDEXRELID] = oid(index.oid);
    row[INDRELID] = oid(index.table);
    for count in [INDNATTS, INDNKEYATTS] {
        row[count] = Datum::Int2(index.columns.len() as i16);
    }
    row[INDISUNIQUE] = Datum::Bool(index.unique);
    row[INDISPRIMARY] = Datum::Bool(index.primary);
    for yes in [INDIMMEDIATE, INDISVALID, INDISREADY, INDISLIVE] {
        row[yes] = Datum::Bool(true);
    }
    row[INDKEY] = text::int2vector(index.columns.iter().copied());
    row[INDCOLLATION] = text::oidvector(index.collations.iter().map(|c| Oid(*c)));
    row[INDCLASS] = text::oidvector(index.opclasses.iter().map(|c| Oid(*c)));
    row[INDOPTION] = text::int2vector(index.columns.iter().map(|_| 0));
    row[INDEXPRS] = Datum::Null;
    row[INDPRED] = Datum::Null;
    row
}

/// The `_RETURN` rules of the system views. Their OIDs follow the view's, as initdb gives them.
pub fn rewrite_rows() -> Vec<Vec<Datum>> {
    let views = facts::relations().iter().filter(|r| r.relkind == b'v');
    views.map(rewrite_row).collect()
}

fn rewrite_row(view: &BuiltinRelation) -> Vec<Datum> {
    use pg_rewrite::*;
    let mut row = vec![Datum::Null; COUNT];
    row[OID] = Datum::Oid(view.oid.0 + 3);
    row[RULENAME] = Datum::text("_RETURN");
    row[EV_CLASS] = oid(view.oid);
    row[EV_TYPE] = Datum::Char(b'1');
    row[EV_ENABLED] = Datum::Char(b'O');
    row[IS_INSTEAD] = Datum::Bool(true);
    row[EV_QUAL] = Datum::text("<>");
    row[EV_ACTION] = Datum::text(views::definition(view.oid).unwrap_or_default());
    row
}
