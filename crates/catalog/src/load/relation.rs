//! [`RelationDesc`] from the rows of `pg_class` and everything that hangs on it.

use std::collections::HashMap;
use std::sync::Arc;

use common::{AttrNumber, Oid, PgResult, RelationId, internal};
use nodes::partition::{PartitionBound, PartitionStrategy};
use nodes::{Expr, serial};
use types::settings::TypeRef;
use types::{Datum, PhysType};

use crate::columns::{
    pg_attrdef, pg_attribute, pg_class, pg_constraint, pg_depend, pg_index, pg_inherits,
    pg_partitioned_table, pg_rewrite,
};
use crate::desc::{
    ColumnDesc, ConstraintDesc, ForeignKeyDesc, IndexColumnDesc, IndexDesc, Inheritance, RelationDesc,
};
use crate::load::{functions, types as load_types};
use crate::oids;
use crate::partition::{PartitionKey, PartitionKeyColumn};
use crate::row::StoredRow;
use crate::store::{CatalogRead, key_name, key_oid};

/// A relation made by a user; `namespace_name` is looked up by the caller.
pub fn relation(
    read: &dyn CatalogRead,
    oid: Oid,
    namespace_name: &dyn Fn(Oid) -> PgResult<Arc<str>>,
) -> PgResult<Option<RelationDesc>> {
    let rows = read.lookup(oids::PG_CLASS_OID_INDEX, &[key_oid(oid)])?;
    rows.first()
        .map(|row| describe(read, row, namespace_name))
        .transpose()
}

/// OID of a relation made by a user, by schema and name.
pub fn relation_oid(read: &dyn CatalogRead, namespace: Oid, name: &str) -> PgResult<Option<Oid>> {
    let key = [key_name(name), key_oid(namespace)];
    let rows = read.lookup(oids::PG_CLASS_RELNAME_NSP_INDEX, &key)?;
    Ok(rows.first().map(|row| row.oid(pg_class::OID)))
}

fn describe(
    read: &dyn CatalogRead,
    row: &StoredRow,
    namespace_name: &dyn Fn(Oid) -> PgResult<Arc<str>>,
) -> PgResult<RelationDesc> {
    use pg_class::*;
    let oid = row.oid(OID);
    let relkind = row.char(RELKIND);
    let is_index = matches!(relkind, b'i' | b'I');
    let is_view = matches!(relkind, b'v' | b'm');
    let has_constraints = matches!(relkind, b'r' | b'p' | b'f');
    let (constraints, foreign_key_parts) = match has_constraints {
        true => constraints(read, oid)?,
        false => Default::default(),
    };
    Ok(RelationDesc {
        oid,
        name: row.text(RELNAME),
        namespace: row.oid(RELNAMESPACE),
        namespace_name: namespace_name(row.oid(RELNAMESPACE))?,
        owner: row.oid(RELOWNER),
        relkind,
        persistence: row.char(RELPERSISTENCE),
        row_type: row.oid(RELTYPE),
        storage: RelationId(u64::from(row.oid(RELFILENODE).0)),
        columns: columns(read, oid)?,
        indexes: if row.bool(RELHASINDEX) {
            index_oids(read, oid)?
        } else {
            Vec::new()
        },
        constraints,
        foreign_key_parts,
        has_rules: row.bool(RELHASRULES),
        has_triggers: row.bool(RELHASTRIGGERS),
        trigger_states: match row.bool(RELHASTRIGGERS) {
            true => crate::trigger::states(read, oid)?,
            false => Vec::new(),
        },
        row_security: row.bool(RELROWSECURITY),
        force_row_security: row.bool(RELFORCEROWSECURITY),
        is_partition: row.bool(RELISPARTITION),
        has_subclass: row.bool(RELHASSUBCLASS),
        reltuples: row.float4(RELTUPLES),
        relpages: row.int4(RELPAGES),
        acl: row.list_opt(RELACL).map(<[Datum]>::to_vec),
        options: options(&row.texts(RELOPTIONS)),
        index: if is_index { index_desc(read, oid)? } else { None },
        populated: row.bool(RELISPOPULATED),
        referenced_by: if has_constraints && row.bool(RELHASINDEX) {
            referenced_by(read, oid)?
        } else {
            Vec::new()
        },
        inheritance: inheritance(read, row)?,
        view_definition: if is_view {
            view_definition(read, oid)?
        } else {
            None
        },
    })
}

/// Foreign keys that refer to a table: they depend on its columns.
fn referenced_by(read: &dyn CatalogRead, table: Oid) -> PgResult<Vec<(Oid, Oid)>> {
    let key = [key_oid(oids::PG_CLASS), key_oid(table)];
    let rows = read.lookup(oids::PG_DEPEND_REFERENCE_INDEX, &key)?;
    let mut found: Vec<(Oid, Oid)> = Vec::new();
    for row in rows {
        let constraint = row.oid(pg_depend::OBJID);
        if row.oid(pg_depend::CLASSID) != oids::PG_CONSTRAINT
            || row.char(pg_depend::DEPTYPE) != b'n'
            || found.iter().any(|(_, c)| *c == constraint)
        {
            continue;
        }
        for c in read.lookup(oids::PG_CONSTRAINT_OID_INDEX, &[key_oid(constraint)])? {
            if c.char(pg_constraint::CONTYPE) == b'f' && c.oid(pg_constraint::CONFRELID) == table {
                found.push((c.oid(pg_constraint::CONRELID), constraint));
            }
        }
    }
    Ok(found)
}

/// Parents and children, partition key and bound.
fn inheritance(read: &dyn CatalogRead, row: &StoredRow) -> PgResult<Inheritance> {
    use pg_class::*;
    let oid = row.oid(OID);
    let mut found = Inheritance::default();
    if !matches!(row.char(RELKIND), b'r' | b'p' | b'f' | b'i' | b'I') {
        return Ok(found);
    }
    let mut parents = read.lookup(oids::PG_INHERITS_RELID_SEQNO_INDEX, &[key_oid(oid)])?;
    parents.sort_by_key(|r| r.int4(pg_inherits::INHSEQNO));
    found.parents = parents.iter().map(|r| r.oid(pg_inherits::INHPARENT)).collect();
    if row.bool(RELHASSUBCLASS) || matches!(row.char(RELKIND), b'p' | b'I') {
        let children = read.lookup(oids::PG_INHERITS_PARENT_INDEX, &[key_oid(oid)])?;
        found.children = children.iter().map(|r| r.oid(pg_inherits::INHRELID)).collect();
        found.children.sort_unstable();
    }
    if row.char(RELKIND) == b'p' {
        let rows = read.lookup(oids::PG_PARTITIONED_TABLE_PARTRELID_INDEX, &[key_oid(oid)])?;
        if let Some(row) = rows.first() {
            found.key = Some(Arc::new(partition_key(read, row)?));
            found.default_partition = row.oid(pg_partitioned_table::PARTDEFID);
        }
    }
    found.bound = bound_of(row)?;
    Ok(found)
}

/// FOR VALUES ... of a relation made by a user, if it is a partition.
pub fn partition_bound(read: &dyn CatalogRead, oid: Oid) -> PgResult<Option<Arc<PartitionBound>>> {
    let rows = read.lookup(oids::PG_CLASS_OID_INDEX, &[key_oid(oid)])?;
    rows.first().map_or(Ok(None), bound_of)
}

fn bound_of(class: &StoredRow) -> PgResult<Option<Arc<PartitionBound>>> {
    let text = class.text_opt(pg_class::RELPARTBOUND);
    text.map(|t| PartitionBound::decode(&t).map(Arc::new)).transpose()
}

fn partition_key(read: &dyn CatalogRead, row: &StoredRow) -> PgResult<PartitionKey> {
    use pg_partitioned_table::*;
    let exprs = match row.text_opt(PARTEXPRS) {
        Some(text) => serial::decode_exprs(&text)?,
        None => Vec::new(),
    };
    let mut exprs = exprs.into_iter();
    let (classes, collations) = (row.oids(PARTCLASS), row.oids(PARTCOLLATION));
    let attributes = columns(read, row.oid(PARTRELID))?;
    let mut key = PartitionKey {
        strategy: PartitionStrategy::of_letter(row.char(PARTSTRAT)),
        columns: Vec::new(),
    };
    for (at, attno) in row.int2s(PARTATTRS).into_iter().enumerate() {
        let expr = if attno == 0 { exprs.next() } else { None };
        let type_ref = match &expr {
            Some(e) => e.type_ref(),
            None => attributes
                .iter()
                .find(|c| c.attno == attno)
                .map_or(TypeRef::plain(Oid::INVALID), |c| c.type_ref),
        };
        let opclass = classes.get(at).copied().unwrap_or_default();
        let class = functions::opclass(read, opclass)?;
        key.columns.push(PartitionKeyColumn {
            attno,
            expr: expr.map(Arc::new),
            opclass,
            opfamily: class.as_ref().map_or(Oid::INVALID, |c| c.family),
            collation: collations.get(at).copied().unwrap_or_default(),
            type_ref,
            phys: load_types::phys(read, type_ref.oid)?,
        });
    }
    Ok(key)
}

fn options(texts: &[Arc<str>]) -> Vec<(Arc<str>, Arc<str>)> {
    let pairs = texts.iter().map(|o| o.split_once('=').unwrap_or((o, "true")));
    pairs.map(|(k, v)| (k.into(), v.into())).collect()
}

fn index_oids(read: &dyn CatalogRead, table: Oid) -> PgResult<Vec<Oid>> {
    let rows = read.lookup(oids::PG_INDEX_INDRELID_INDEX, &[key_oid(table)])?;
    let mut oids: Vec<Oid> = rows.iter().map(|row| row.oid(pg_index::INDEXRELID)).collect();
    oids.sort_unstable();
    Ok(oids)
}

fn view_definition(read: &dyn CatalogRead, view: Oid) -> PgResult<Option<Arc<str>>> {
    let key = [key_oid(view), key_name("_RETURN")];
    let rows = read.lookup(oids::PG_REWRITE_REL_RULENAME_INDEX, &key)?;
    Ok(rows.first().map(|row| row.text(pg_rewrite::EV_ACTION)))
}

/// All columns in attno order, dropped ones included.
fn columns(read: &dyn CatalogRead, relation: Oid) -> PgResult<Vec<ColumnDesc>> {
    use pg_attribute::*;
    let rows = read.lookup(oids::PG_ATTRIBUTE_RELID_ATTNUM_INDEX, &[key_oid(relation)])?;
    let mut rows: Vec<StoredRow> = rows.into_iter().filter(|row| row.int2(ATTNUM) > 0).collect();
    rows.sort_by_key(|row| row.int2(ATTNUM));
    let defaults = if rows.iter().any(|row| row.bool(ATTHASDEF)) {
        defaults(read, relation)?
    } else {
        HashMap::new()
    };
    let identity = rows.iter().filter(|row| row.char(ATTIDENTITY) != 0);
    let identity: Vec<(AttrNumber, String)> = identity
        .map(|row| (row.int2(ATTNUM), row.text(ATTNAME).to_string()))
        .collect();
    let sequences = identity_sequences(read, relation, &identity)?;
    let columns = rows.iter().map(|row| {
        let mut column = column(read, row)?;
        column.default = defaults.get(&column.attno).cloned();
        if column.identity != 0 {
            column.identity_sequence = sequences.get(&column.attno).copied().unwrap_or_default();
        }
        Ok(column)
    });
    columns.collect()
}

fn column(read: &dyn CatalogRead, row: &StoredRow) -> PgResult<ColumnDesc> {
    use pg_attribute::*;
    let type_oid = row.oid(ATTTYPID);
    let dropped = row.bool(ATTISDROPPED);
    let phys = if dropped {
        dropped_class(row)
    } else {
        load_types::phys(read, type_oid)?
    };
    Ok(ColumnDesc {
        attno: row.int2(ATTNUM),
        name: row.text(ATTNAME),
        type_ref: TypeRef {
            oid: type_oid,
            typmod: row.int4(ATTTYPMOD),
        },
        phys,
        collation: row.oid(ATTCOLLATION),
        not_null: row.bool(ATTNOTNULL),
        dropped,
        default: None,
        identity: row.char(ATTIDENTITY),
        generated: row.char(ATTGENERATED),
        identity_sequence: Oid::INVALID,
        missing: missing(row),
        storage: row.char(ATTSTORAGE),
        compression: row.char(ATTCOMPRESSION),
        stats_target: match row.datum(ATTSTATTARGET) {
            Datum::Int2(target) => *target,
            _ => -1,
        },
        is_local: row.bool(ATTISLOCAL),
        inherited_count: row.int2(ATTINHCOUNT),
        acl: row.list_opt(ATTACL).map(<[Datum]>::to_vec),
    })
}

/// `attmissingval` is an array of one element.
fn missing(row: &StoredRow) -> Option<Datum> {
    use pg_attribute::*;
    let has = row.bool(ATTHASMISSING);
    row.list(ATTMISSINGVAL).first().filter(|_| has).cloned()
}

/// Old rows still hold values of dropped columns, whose type is forgotten (`atttypid` 0): DROP COLUMN leaves the storage class in
/// `attoptions`.
pub const DROPPED_CLASS: &str = "pglite_class=";

const CLASSES: [(PhysType, &str); 14] = [
    (PhysType::Bool, "bool"),
    (PhysType::Char, "char"),
    (PhysType::Int2, "int2"),
    (PhysType::Int4, "int4"),
    (PhysType::Int8, "int8"),
    (PhysType::Oid, "oid"),
    (PhysType::Float4, "float4"),
    (PhysType::Float8, "float8"),
    (PhysType::Interval, "interval"),
    (PhysType::Uuid, "uuid"),
    (PhysType::Numeric, "numeric"),
    (PhysType::Text, "text"),
    (PhysType::Bytes, "bytes"),
    (PhysType::Nested, "nested"),
];

/// The option that remembers a class.
pub fn dropped_class_option(phys: PhysType) -> String {
    let name = CLASSES.iter().find(|c| c.0 == phys).map_or("nested", |c| c.1);
    format!("{DROPPED_CLASS}{name}")
}

fn dropped_class(row: &StoredRow) -> PhysType {
    let options = row.texts(pg_attribute::ATTOPTIONS);
    let name = options.iter().find_map(|o| o.strip_prefix(DROPPED_CLASS));
    let class = name.and_then(|n| CLASSES.iter().find(|c| c.1 == n));
    class.map_or(PhysType::Nested, |c| c.0)
}

fn defaults(read: &dyn CatalogRead, relation: Oid) -> PgResult<HashMap<AttrNumber, Arc<Expr>>> {
    let rows = read.lookup(oids::PG_ATTRDEF_ADRELID_ADNUM_INDEX, &[key_oid(relation)])?;
    let decoded = rows.iter().map(|row| {
        let expr = serial::decode_expr(&row.text(pg_attrdef::ADBIN))?;
        Ok((row.int2(pg_attrdef::ADNUM), Arc::new(expr)))
    });
    decoded.collect()
}

/// The sequences of identity columns: they depend internally on the column. Those of a partition belong to the topmost table.
fn identity_sequences(
    read: &dyn CatalogRead,
    relation: Oid,
    columns: &[(AttrNumber, String)],
) -> PgResult<HashMap<AttrNumber, Oid>> {
    use pg_depend::*;
    if columns.is_empty() {
        return Ok(HashMap::new());
    }
    let key = [key_oid(oids::PG_CLASS), key_oid(relation)];
    let rows = read.lookup(oids::PG_DEPEND_REFERENCE_INDEX, &key)?;
    let owned = rows.iter().filter(|row| {
        row.char(DEPTYPE) == b'i' && row.oid(CLASSID) == oids::PG_CLASS && row.int4(REFOBJSUBID) > 0
    });
    let mut found: HashMap<AttrNumber, Oid> = owned
        .map(|row| (row.int4(REFOBJSUBID) as AttrNumber, row.oid(OBJID)))
        .collect();
    if columns.iter().all(|(attno, _)| found.contains_key(attno)) {
        return Ok(found);
    }
    let parents = read.lookup(oids::PG_INHERITS_RELID_SEQNO_INDEX, &[key_oid(relation)])?;
    let Some(parent) = parents.first().map(|row| row.oid(pg_inherits::INHPARENT)) else {
        return Ok(found);
    };
    let rows = read.lookup(oids::PG_ATTRIBUTE_RELID_ATTNUM_INDEX, &[key_oid(parent)])?;
    let above = rows.iter().filter(|row| row.char(pg_attribute::ATTIDENTITY) != 0);
    let above: Vec<(AttrNumber, String)> = above
        .map(|row| {
            (
                row.int2(pg_attribute::ATTNUM),
                row.text(pg_attribute::ATTNAME).to_string(),
            )
        })
        .collect();
    let sequences = identity_sequences(read, parent, &above)?;
    for (attno, name) in columns {
        let same = above.iter().find(|(_, n)| n == name);
        if let Some(sequence) = same.and_then(|(attno, _)| sequences.get(attno)) {
            found.entry(*attno).or_insert(*sequence);
        }
    }
    Ok(found)
}

/// Constraints of a table by name, and apart those that foreign keys have for partitions of the tables they refer to.
fn constraints(
    read: &dyn CatalogRead,
    relation: Oid,
) -> PgResult<(Vec<ConstraintDesc>, Vec<ConstraintDesc>)> {
    let rows = read.lookup(
        oids::PG_CONSTRAINT_CONRELID_CONTYPID_CONNAME_INDEX,
        &[key_oid(relation)],
    )?;
    let mut constraints: Vec<ConstraintDesc> = rows.iter().map(constraint).collect::<PgResult<_>>()?;
    constraints.sort_by(|a, b| a.name.cmp(&b.name));
    let own: Vec<Oid> = constraints.iter().map(|c| c.oid).collect();
    Ok(constraints
        .into_iter()
        .partition(|c| !c.parent.is_valid() || !own.contains(&c.parent)))
}

/// Constraints of a domain itself, by name.
pub(crate) fn domain_constraints(read: &dyn CatalogRead, domain: Oid) -> PgResult<Vec<ConstraintDesc>> {
    let rows = read.lookup(oids::PG_CONSTRAINT_CONTYPID_INDEX, &[key_oid(domain)])?;
    let mut constraints: Vec<ConstraintDesc> = rows.iter().map(constraint).collect::<PgResult<_>>()?;
    constraints.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(constraints)
}

fn constraint(row: &StoredRow) -> PgResult<ConstraintDesc> {
    use pg_constraint::*;
    let kind = row.char(CONTYPE);
    let check = row
        .text_opt(CONBIN)
        .map(|text| serial::decode_expr(&text))
        .transpose()?;
    Ok(ConstraintDesc {
        oid: row.oid(OID),
        name: row.text(CONNAME),
        kind,
        relation: row.oid(CONRELID),
        columns: row.int2s(CONKEY),
        check: check.map(Arc::new),
        index: row.oid(CONINDID),
        exclusion_ops: row.oids(CONEXCLOP),
        period: row.bool(CONPERIOD),
        deferrable: row.bool(CONDEFERRABLE),
        deferred: row.bool(CONDEFERRED),
        validated: row.bool(CONVALIDATED),
        enforced: row.bool(CONENFORCED),
        no_inherit: row.bool(CONNOINHERIT),
        is_local: row.bool(CONISLOCAL),
        inherited_count: row.int2(CONINHCOUNT),
        parent: row.oid(CONPARENTID),
        foreign: (kind == b'f').then(|| ForeignKeyDesc {
            table: row.oid(CONFRELID),
            columns: row.int2s(CONFKEY),
            pf_eq_ops: row.oids(CONPFEQOP),
            pp_eq_ops: row.oids(CONPPEQOP),
            ff_eq_ops: row.oids(CONFFEQOP),
            on_update: row.char(CONFUPDTYPE),
            on_delete: row.char(CONFDELTYPE),
            match_type: row.char(CONFMATCHTYPE),
            delete_set_columns: row.int2s(CONFDELSETCOLS),
        }),
    })
}

fn index_desc(read: &dyn CatalogRead, index: Oid) -> PgResult<Option<IndexDesc>> {
    use pg_index::*;
    let rows = read.lookup(oids::PG_INDEX_INDEXRELID_INDEX, &[key_oid(index)])?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let class = read.lookup(oids::PG_CLASS_OID_INDEX, &[key_oid(index)])?;
    let predicate = row
        .text_opt(INDPRED)
        .map(|text| serial::decode_expr(&text))
        .transpose()?;
    Ok(Some(IndexDesc {
        table: row.oid(INDRELID),
        access_method: class.first().map_or(Oid::INVALID, |c| c.oid(pg_class::RELAM)),
        unique: row.bool(INDISUNIQUE),
        primary: row.bool(INDISPRIMARY),
        exclusion: row.bool(INDISEXCLUSION),
        nulls_not_distinct: row.bool(INDNULLSNOTDISTINCT),
        immediate: row.bool(INDIMMEDIATE),
        valid: row.bool(INDISVALID),
        ready: row.bool(INDISREADY),
        live: row.bool(INDISLIVE),
        clustered: row.bool(INDISCLUSTERED),
        columns: index_columns(read, row)?,
        key_count: row.int2(INDNKEYATTS).max(0) as usize,
        predicate: predicate.map(Arc::new),
    }))
}

fn index_columns(read: &dyn CatalogRead, row: &StoredRow) -> PgResult<Vec<IndexColumnDesc>> {
    use pg_index::*;
    let exprs = match row.text_opt(INDEXPRS) {
        Some(text) => serial::decode_exprs(&text)?,
        None => Vec::new(),
    };
    let mut exprs = exprs.into_iter();
    let (classes, collations, flags) = (row.oids(INDCLASS), row.oids(INDCOLLATION), row.int2s(INDOPTION));
    let columns = row.int2s(INDKEY).into_iter().enumerate().map(|(at, attno)| {
        let expr = if attno == 0 { exprs.next() } else { None };
        if attno == 0 && expr.is_none() {
            return Err(internal!("index {} lacks an expression", row.oid(INDEXRELID)));
        }
        // INCLUDE columns have no operator class.
        let opclass = classes.get(at).copied().unwrap_or_default();
        let class = if opclass.is_valid() {
            functions::opclass(read, opclass)?
        } else {
            None
        };
        let flags = flags.get(at).copied().unwrap_or_default();
        let collation = collations.get(at).copied().unwrap_or_default();
        Ok(IndexColumnDesc {
            attno,
            expr: expr.map(Arc::new),
            opclass,
            opfamily: class.as_ref().map_or(Oid::INVALID, |c| c.family),
            opcintype: class.as_ref().map_or(Oid::INVALID, |c| c.input_type),
            collation,
            text_order: super::collations::text_order(read, collation)?,
            descending: flags & 1 != 0,
            nulls_first: flags & 2 != 0,
        })
    });
    columns.collect()
}
