//! Indexes of partitioned tables: one of each partition's indexes belongs to each of the parent's.
//!
//! PG: src/backend/commands/indexcmds.c (`DefineIndex`), tablecmds.c (`ATExecAttachPartitionIdx`).

use std::sync::Arc;

use catalog::columns::{pg_class, pg_constraint, pg_index};
use catalog::ddl::ObjectAddress;
use catalog::ddl::depend::DependencyType;
use catalog::desc::{ConstraintDesc, IndexColumnDesc, IndexDesc, RelationDesc};
use catalog::oids;
use catalog::partition::column_map;
use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err};
use parser::ast::RangeVar;
use txn::LockMode;
use types::Datum;

use crate::alter_table::check_not_in_use;
use crate::context::CommandContext;
use crate::create_index::{self, KeyConstraint};
use crate::create_like::remapped;

/// The parent index as an index of the partition would be.
fn mapped(info: &IndexDesc, parent: &RelationDesc, child: &RelationDesc) -> IndexDesc {
    let mut map = vec![0i16];
    map.extend(column_map(parent, child));
    let columns = info
        .columns
        .iter()
        .map(|c| IndexColumnDesc {
            attno: map.get(c.attno.max(0) as usize).copied().unwrap_or_default(),
            expr: c.expr.as_ref().map(|e| Arc::new(remapped(e, &map))),
            ..c.clone()
        })
        .collect();
    IndexDesc {
        table: child.oid,
        columns,
        predicate: info.predicate.as_ref().map(|p| Arc::new(remapped(p, &map))),
        ..info.clone()
    }
}

/// True when an index of the partition can stand for the parent's.
fn fits(own: &IndexDesc, wanted: &IndexDesc) -> bool {
    let same_column = |a: &IndexColumnDesc, b: &IndexColumnDesc| {
        a.attno == b.attno
            && a.expr == b.expr
            && a.opfamily == b.opfamily
            && a.collation == b.collation
            && a.descending == b.descending
            && a.nulls_first == b.nulls_first
    };
    own.unique == wanted.unique
        && own.nulls_not_distinct == wanted.nulls_not_distinct
        && own.access_method == wanted.access_method
        && own.key_count == wanted.key_count
        && own.columns.len() == wanted.columns.len()
        && own
            .columns
            .iter()
            .zip(&wanted.columns)
            .all(|(a, b)| same_column(a, b))
        && own.predicate == wanted.predicate
}

fn constraint_of(table: &RelationDesc, index: Oid) -> Option<&ConstraintDesc> {
    table
        .constraints
        .iter()
        .find(|c| c.index == index && matches!(c.kind, b'p' | b'u' | b'x'))
}

/// Finds or makes the partition's index for a parent's index.
pub(crate) fn ensure(
    cx: &CommandContext<'_>,
    parent_index: &Arc<RelationDesc>,
    parent: &RelationDesc,
    child: &Arc<RelationDesc>,
) -> PgResult<Oid> {
    let Some(info) = &parent_index.index else {
        return Err(common::internal!(
            "relation \"{}\" is not an index",
            parent_index.name
        ));
    };
    let wanted = mapped(info, parent, child);
    let parent_constraint = constraint_of(parent, parent_index.oid);
    for oid in &child.indexes {
        let own = cx.relation(*oid)?;
        let Some(own_info) = &own.index else { continue };
        if !own.inheritance.parents.is_empty() || !own_info.valid || !fits(own_info, &wanted) {
            continue;
        }
        let own_constraint = constraint_of(child, own.oid);
        if let Some(c) = parent_constraint
            && own_constraint.is_none_or(|o| o.kind != c.kind || o.exclusion_ops != c.exclusion_ops)
        {
            continue;
        }
        link(cx, &own, child, parent_index, parent_constraint, own_constraint)?;
        return Ok(own.oid);
    }
    check_not_in_use(child, "CREATE INDEX", cx)?;
    let made = make(cx, parent_index, wanted, parent_constraint, child)?;
    let (own, child) = (cx.relation(made)?, cx.relation(child.oid)?);
    link(
        cx,
        &own,
        &child,
        parent_index,
        parent_constraint,
        constraint_of(&child, made),
    )?;
    Ok(made)
}

fn make(
    cx: &CommandContext<'_>,
    parent_index: &RelationDesc,
    wanted: IndexDesc,
    parent_constraint: Option<&ConstraintDesc>,
    child: &Arc<RelationDesc>,
) -> PgResult<Oid> {
    let key = parent_constraint.map(|c| KeyConstraint {
        primary: c.kind == b'p',
        deferrable: c.deferrable,
        deferred: c.deferred,
        period: c.period,
        operators: c.exclusion_ops.clone(),
    });
    if key.as_ref().is_some_and(|k| k.primary) {
        if child.constraints.iter().any(|c| c.kind == b'p') {
            return Err(pg_err!(
                INVALID_TABLE_DEFINITION,
                "multiple primary keys for table \"{}\" are not allowed",
                child.name
            ));
        }
        let keys = wanted.columns.iter().take(wanted.key_count);
        let keys = keys.filter_map(|k| child.column(k.attno));
        let keys: Vec<_> = keys
            .map(|c| parser::ast::Ident::new(&*c.name, common::Span::NONE))
            .collect();
        crate::not_null::require_for_key(child, &keys, crate::alter_inherit::Reach::Tree, cx)?;
    }
    let columns: Vec<create_index::Column> = wanted
        .columns
        .iter()
        .zip(&parent_index.columns)
        .map(|(desc, attribute)| create_index::Column {
            desc: desc.clone(),
            name: match child.column(desc.attno) {
                Some(c) => c.name.to_string(),
                None => attribute.name.to_string(),
            },
            type_ref: attribute.type_ref,
        })
        .collect();
    let options = crate::storage_params::of_relation(parent_index);
    create_index::make_index(cx, child, None, &columns, wanted, options, key)
}

/// Makes a partition's index part of the parent's.
fn link(
    cx: &CommandContext<'_>,
    own: &RelationDesc,
    child: &RelationDesc,
    parent_index: &RelationDesc,
    parent_constraint: Option<&ConstraintDesc>,
    own_constraint: Option<&ConstraintDesc>,
) -> PgResult<()> {
    let object = ObjectAddress::new(oids::PG_CLASS, own.oid);
    let upper = ObjectAddress::new(oids::PG_CLASS, parent_index.oid);
    let table = ObjectAddress::new(oids::PG_CLASS, child.oid);
    cx.ddl(|ddl| {
        ddl.add_inheritance(own.oid, parent_index.oid, 1, None)?;
        ddl.alter_relation(own.oid, &[(pg_class::RELISPARTITION, Datum::Bool(true))])?;
        ddl.record_dependency(object, upper, DependencyType::PartitionPrimary)?;
        ddl.record_dependency(object, table, DependencyType::PartitionSecondary)?;
        if let (Some(above), Some(own)) = (parent_constraint, own_constraint) {
            ddl.alter_constraint(
                own.oid,
                &[
                    (pg_constraint::CONPARENTID, Datum::Oid(above.oid.0)),
                    (pg_constraint::CONISLOCAL, Datum::Bool(false)),
                    (pg_constraint::CONINHCOUNT, Datum::Int2(own.inherited_count + 1)),
                ],
            )?;
            let object = ObjectAddress::new(oids::PG_CONSTRAINT, own.oid);
            let upper = ObjectAddress::new(oids::PG_CONSTRAINT, above.oid);
            ddl.record_dependency(object, upper, DependencyType::PartitionPrimary)?;
            ddl.record_dependency(object, table, DependencyType::PartitionSecondary)?;
        }
        Ok(())
    })
}

/// DETACH: the partition's indexes stand alone again.
pub(crate) fn detach_all(
    cx: &CommandContext<'_>,
    parent: &RelationDesc,
    child: &RelationDesc,
) -> PgResult<()> {
    for oid in &child.indexes {
        let own = cx.relation(*oid)?;
        for above in &own.inheritance.parents {
            let above_index = cx.relation(*above)?;
            let above_constraint = constraint_of(parent, *above).map(|c| c.oid);
            let own_constraint = constraint_of(child, *oid);
            cx.ddl(|ddl| {
                ddl.remove_inheritance(own.oid, above_index.oid)?;
                ddl.alter_relation(own.oid, &[(pg_class::RELISPARTITION, Datum::Bool(false))])?;
                let table = ObjectAddress::new(oids::PG_CLASS, child.oid);
                ddl.delete_dependency_of_kind(
                    ObjectAddress::new(oids::PG_CLASS, own.oid),
                    table,
                    DependencyType::PartitionSecondary,
                )?;
                if let (Some(c), Some(above)) = (own_constraint, above_constraint) {
                    ddl.alter_constraint(
                        c.oid,
                        &[
                            (pg_constraint::CONPARENTID, Datum::Oid(0)),
                            (pg_constraint::CONISLOCAL, Datum::Bool(true)),
                            (
                                pg_constraint::CONINHCOUNT,
                                Datum::Int2((c.inherited_count - 1).max(0)),
                            ),
                        ],
                    )?;
                    let object = ObjectAddress::new(oids::PG_CONSTRAINT, c.oid);
                    ddl.delete_dependency_on(object, ObjectAddress::new(oids::PG_CONSTRAINT, above))?;
                    ddl.delete_dependency_of_kind(object, table, DependencyType::PartitionSecondary)?;
                } else if own_constraint.is_none() {
                    // An index without constraint hangs on its columns again; those dependencies were never taken away.
                }
                Ok(())
            })?;
        }
    }
    Ok(())
}

/// ALTER INDEX ... ATTACH PARTITION.
pub(crate) fn attach(
    cx: &CommandContext<'_>,
    parent_index: &Arc<RelationDesc>,
    name: &RangeVar,
) -> PgResult<()> {
    let own = cx.open_relation(name, LockMode::AccessExclusive)?;
    if !matches!(own.relkind, b'i' | b'I') {
        return Err(pg_err!(WRONG_OBJECT_TYPE, "\"{}\" is not an index", own.name));
    }
    if own.inheritance.parents.first() == Some(&parent_index.oid) {
        return Ok(());
    }
    let (Some(info), Some(own_info)) = (&parent_index.index, &own.index) else {
        return Err(common::internal!("index without index part"));
    };
    let (parent, child) = (cx.relation(info.table)?, cx.relation(own_info.table)?);
    let refuse = |detail: String| {
        pg_err!(
            INVALID_OBJECT_DEFINITION,
            "cannot attach index \"{}\" as a partition of index \"{}\"",
            own.name,
            parent_index.name
        )
        .detail(detail)
    };
    if !own.inheritance.parents.is_empty() {
        return Err(refuse(format!(
            "Index \"{}\" is already attached to another index.",
            own.name
        )));
    }
    if !child.inheritance.parents.contains(&parent.oid) {
        return Err(refuse(format!(
            "Index \"{}\" is not an index on any partition of table \"{}\".",
            own.name, parent.name
        )));
    }
    for oid in &child.indexes {
        let other = cx.relation(*oid)?;
        if other.inheritance.parents.contains(&parent_index.oid) {
            return Err(refuse(format!(
                "Another index \"{}\" is already attached for partition \"{}\".",
                other.name, child.name
            )));
        }
    }
    if !fits(own_info, &mapped(info, &parent, &child)) {
        return Err(refuse("The index definitions do not match.".into()));
    }
    let above = constraint_of(&parent, parent_index.oid);
    let below = constraint_of(&child, own.oid);
    if let Some(c) = above
        && below.is_none()
    {
        return Err(refuse(format!(
            "The index \"{}\" belongs to a constraint in table \"{}\" but no constraint exists for index \"{}\".",
            parent_index.name, parent.name, own.name
        )))
        .inspect(|()| {
            let _ = c;
        });
    }
    link(cx, &own, &child, parent_index, above, below)?;
    validate(cx, parent_index.oid)
}

/// An index made with ONLY becomes valid when every partition has its part.
fn validate(cx: &CommandContext<'_>, index: Oid) -> PgResult<()> {
    let desc = cx.relation(index)?;
    let Some(info) = &desc.index else { return Ok(()) };
    if info.valid {
        return Ok(());
    }
    let table = cx.relation(info.table)?;
    let mut valid = 0;
    for child in &desc.inheritance.children {
        let child = cx.relation(*child)?;
        valid += usize::from(child.index.as_ref().is_some_and(|i| i.valid));
    }
    if valid != table.inheritance.children.len() {
        return Ok(());
    }
    cx.ddl(|ddl| ddl.alter_index(index, &[(pg_index::INDISVALID, Datum::Bool(true))]))?;
    match desc.inheritance.parents.first() {
        Some(parent) => validate(cx, *parent),
        None => Ok(()),
    }
}

/// Unique keys of a partitioned table must contain its partition key.
pub(crate) fn check_unique_key(
    cx: &CommandContext<'_>,
    table: &RelationDesc,
    index: &IndexDesc,
    constraint: Option<&KeyConstraint>,
) -> PgResult<()> {
    let Some(key) = &table.inheritance.key else {
        return Ok(());
    };
    if !index.unique && !index.exclusion {
        return Ok(());
    }
    let word = match constraint {
        Some(c) if c.primary => "PRIMARY KEY",
        Some(c) if c.kind() == b'x' => "EXCLUDE",
        _ => "UNIQUE",
    };
    for column in &key.columns {
        if column.attno == 0 {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "unsupported {word} constraint with partition key definition"
            )
            .detail(format!(
                "{word} constraints cannot be used when partition keys include expressions."
            )));
        }
        let mut keys = index.columns.iter().take(index.key_count);
        let place = keys.position(|c| c.attno == column.attno);
        if let (Some(at), Some(key)) = (place, constraint)
            && let Some(op) = key.operators.get(at)
        {
            require_equality(cx, table, column.attno, *op)?;
        }
        if place.is_none() {
            let name = table.column(column.attno).map_or("", |c| &*c.name);
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "unique constraint on partitioned table must include all partitioning columns"
            )
            .detail(format!(
                "{word} constraint on table \"{}\" lacks column \"{name}\" which is part of the partition key.",
                table.name
            )));
        }
    }
    Ok(())
}

/// Rows of different partitions may not conflict.
fn require_equality(cx: &CommandContext<'_>, table: &RelationDesc, attno: i16, op: Oid) -> PgResult<()> {
    let view = cx.view()?;
    let families = view.operator_families(oids::BTREE_AM, op)?;
    if families.iter().any(|(_, strategy)| *strategy == 3) {
        return Ok(());
    }
    let name = table.column(attno).map_or("", |c| &*c.name);
    let operator = view.operator(op)?;
    Err(pg_err!(
        FEATURE_NOT_SUPPORTED,
        "cannot match partition key to index on column \"{name}\" using non-equal operator \"{}\"",
        operator.as_ref().map_or("", |o| &*o.name)
    ))
}
