//! Foreign keys of and to partitions.
//!
//! PG: src/backend/commands/tablecmds.c (`addFkRecurseReferenced`, `CloneForeignKeyConstraints`, `DetachPartitionFinalize`).
//!
//! # How it works
//! - Every partition of a referencing table has a constraint of its own below its parent's (`conparentid`).
//! - For every partition of a referenced table the referencing table has one more constraint, a *part* of the foreign key: it gives the
//!   partition a dependency (it cannot be dropped, nor truncated alone) and errors a name. What is checked is said by the whole.

use std::sync::Arc;

use catalog::columns::pg_constraint;
use catalog::ddl::ObjectAddress;
use catalog::ddl::constraint::NewConstraint;
use catalog::ddl::depend::DependencyType;
use catalog::ddl::drop::DropBehavior;
use catalog::desc::{ConstraintDesc, ForeignKeyDesc, RelationDesc};
use catalog::oids;
use catalog::partition::{Partitions, column_map};
use common::{Oid, PgResult, pg_err};
use txn::LockMode;
use types::Datum;

use super::{find, validate};
use crate::context::CommandContext;

/// A foreign key as a new constraint that says the same.
fn like(above: &ConstraintDesc, name: String, table: &RelationDesc, columns: Vec<i16>) -> NewConstraint {
    let mut new = NewConstraint::new(b'f', name, table.namespace, table.oid, columns);
    new.index = above.index;
    new.foreign.clone_from(&above.foreign);
    new.period = above.period;
    new.deferrable = above.deferrable;
    new.deferred = above.deferred;
    new.enforced = above.enforced;
    new.validated = above.validated;
    new.no_inherit = false;
    new.is_local = false;
    new.inherited_count = 1;
    new.parent = above.oid;
    new
}

fn mapped(map: &[i16], columns: &[i16]) -> Vec<i16> {
    let below = |a: &i16| map.get(*a as usize - 1).copied().unwrap_or_default();
    columns.iter().map(below).collect()
}

/// The direct partitions of a table, in the order of their bounds.
fn partitions_of(cx: &CommandContext<'_>, table: &RelationDesc) -> PgResult<Vec<Arc<RelationDesc>>> {
    if table.relkind != b'p' {
        return Ok(Vec::new());
    }
    let partitions = Partitions::load(&*cx.view()?, table)?;
    partitions.parts.iter().map(|p| cx.relation(p.oid)).collect()
}

// ---- the referenced side ------------------------------------------------------------------------------------------------------

/// The parts of a new foreign key for all partitions of the table that it refers to.
pub(super) fn add_parts(
    cx: &CommandContext<'_>,
    whole: &NewConstraint,
    oid: Oid,
    referenced: &Arc<RelationDesc>,
) -> PgResult<()> {
    for partition in partitions_of(cx, referenced)? {
        add_part(cx, whole, oid, referenced, &partition)?;
    }
    Ok(())
}

/// The part of a foreign key for a partition of what it refers to, and for the partitions of that.
fn add_part(
    cx: &CommandContext<'_>,
    above: &NewConstraint,
    above_oid: Oid,
    parent: &RelationDesc,
    partition: &Arc<RelationDesc>,
) -> PgResult<()> {
    let Some(foreign) = &above.foreign else {
        return Err(common::internal!("part of a constraint that is no foreign key"));
    };
    cx.lock_relation(partition.oid, LockMode::ShareRowExclusive)?;
    let mut index = Oid::INVALID;
    for oid in &partition.indexes {
        if cx.relation(*oid)?.inheritance.parents.contains(&above.index) {
            index = *oid;
        }
    }
    if !index.is_valid() {
        return Err(common::internal!(
            "index for {} not found in partition {}",
            above.index,
            partition.name
        ));
    }
    let map = column_map(parent, partition);
    let (relation, namespace) = (above.relation, above.namespace);
    let name = cx.ddl(|ddl| ddl.choose_numbered_constraint_name(&above.name, relation, namespace))?;
    let mut part = NewConstraint {
        name,
        index,
        foreign: Some(ForeignKeyDesc {
            table: partition.oid,
            columns: mapped(&map, &foreign.columns),
            ..foreign.clone()
        }),
        is_local: false,
        inherited_count: 1,
        no_inherit: false,
        parent: above_oid,
        is_part: true,
        ..above.clone()
    };
    let oid = cx.ddl(|ddl| ddl.add_constraint(&part))?;
    // All of them are numbered from the name of the whole.
    part.name.clone_from(&above.name);
    add_parts(cx, &part, oid, partition)
}

/// A table that became a partition: the foreign keys that refer to its parent get parts for it.
fn add_parts_to_partition(
    cx: &CommandContext<'_>,
    parent: &RelationDesc,
    partition: &Arc<RelationDesc>,
) -> PgResult<()> {
    for (relation, oid) in &parent.referenced_by {
        let referencing = cx.relation(*relation)?;
        let Some(key) = of_table(&referencing, *oid) else {
            continue;
        };
        if is_below_another(cx, key, parent.oid)? {
            continue;
        }
        let mut whole = like(key, key.name.to_string(), &referencing, key.columns.clone());
        whole.parent = Oid::INVALID;
        add_part(cx, &whole, *oid, parent, partition)?;
    }
    Ok(())
}

fn of_table(table: &RelationDesc, constraint: Oid) -> Option<&ConstraintDesc> {
    let mut all = table.constraints.iter().chain(&table.foreign_key_parts);
    all.find(|c| c.oid == constraint)
}

/// True when a foreign key is that of a partition, below one that refers to the same table.
fn is_below_another(cx: &CommandContext<'_>, key: &ConstraintDesc, referenced: Oid) -> PgResult<bool> {
    if !key.parent.is_valid() {
        return Ok(false);
    }
    let above = cx.ddl(|ddl| ddl.constraint(key.parent))?;
    Ok(above.is_some_and(|row| row.oid(pg_constraint::CONFRELID) == referenced))
}

/// The parts of foreign keys for a partition, with the tables that they belong to.
fn parts_for(
    cx: &CommandContext<'_>,
    partition: &RelationDesc,
) -> PgResult<Vec<(Arc<RelationDesc>, ConstraintDesc)>> {
    let mut found = Vec::new();
    for (relation, oid) in &partition.referenced_by {
        let referencing = cx.relation(*relation)?;
        let part = referencing.foreign_key_parts.iter().find(|c| c.oid == *oid);
        if let Some(part) = part.cloned() {
            found.push((referencing, part));
        }
    }
    Ok(found)
}

/// DETACH PARTITION: no row may refer to the partition through its parent.
pub(crate) fn check_detach(cx: &CommandContext<'_>, partition: &RelationDesc) -> PgResult<()> {
    for (referencing, part) in parts_for(cx, partition)? {
        cx.lock_relation(referencing.oid, LockMode::Share)?;
        if part.enforced {
            let view = cx.view()?;
            let snapshot = cx.txn.borrow().latest_snapshot()?;
            let exec = cx.exec_context(&*view, &snapshot);
            executor::check_partition_removal(&exec, &referencing, &part, partition)?;
        }
    }
    Ok(())
}

fn drop_part(cx: &CommandContext<'_>, part: &ConstraintDesc) -> PgResult<()> {
    cx.ddl(|ddl| {
        let object = ObjectAddress::new(oids::PG_CONSTRAINT, part.oid);
        ddl.delete_dependency_on(object, ObjectAddress::new(oids::PG_CONSTRAINT, part.parent))?;
        ddl.drop_objects(&[object], DropBehavior::Restrict).map(drop)
    })
}

// ---- the referencing side -----------------------------------------------------------------------------------------------------

/// A new partition gets the foreign keys of its parent, and those to its parent get parts for it.
pub(crate) fn clone_to_partition(cx: &CommandContext<'_>, parent: &RelationDesc, child: Oid) -> PgResult<()> {
    let partition = cx.relation(child)?;
    for constraint in parent.constraints.iter().filter(|c| c.kind == b'f') {
        let current = cx.relation(child)?;
        clone_one(cx, parent, &current, constraint, true)?;
    }
    add_parts_to_partition(cx, parent, &partition)
}

/// The constraints of all partitions below a new foreign key.
pub(super) fn clone_to_partitions(
    cx: &CommandContext<'_>,
    table: &RelationDesc,
    key: &ConstraintDesc,
    check: bool,
) -> PgResult<()> {
    for partition in partitions_of(cx, table)? {
        clone_one(cx, table, &partition, key, check)?;
    }
    Ok(())
}

/// True when a foreign key says what another one says, names, columns and enforcement apart.
fn is_same_key(own: &ConstraintDesc, above: &ConstraintDesc) -> bool {
    let (Some(a), Some(b)) = (&own.foreign, &above.foreign) else {
        return false;
    };
    let actions = |f: &ForeignKeyDesc| (f.table, f.on_update, f.on_delete, f.match_type);
    actions(a) == actions(b)
        && a.columns == b.columns
        && (own.deferrable, own.deferred, own.period) == (above.deferrable, above.deferred, above.period)
}

fn clone_one(
    cx: &CommandContext<'_>,
    parent: &RelationDesc,
    child: &Arc<RelationDesc>,
    above: &ConstraintDesc,
    check: bool,
) -> PgResult<()> {
    if above.foreign.as_ref().is_some_and(|f| f.table == child.oid) {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "cannot attach table \"{}\" as a partition because it is referenced by foreign key \"{}\"",
            child.name,
            above.name
        ));
    }
    let map = column_map(parent, child);
    let columns = mapped(&map, &above.columns);
    let mut own = child.constraints.iter();
    let same = own.find(|c| !c.parent.is_valid() && c.columns == columns && is_same_key(c, above));
    if let Some(own) = same {
        return adopt(cx, child, own, above);
    }
    let (relation, namespace) = (child.oid, child.namespace);
    let name = cx.ddl(|ddl| ddl.choose_numbered_constraint_name(&above.name, relation, namespace))?;
    let mut new = like(above, name, child, columns);
    if let Some(foreign) = &mut new.foreign {
        foreign.delete_set_columns = mapped(&map, &foreign.delete_set_columns);
    }
    let oid = cx.ddl(|ddl| ddl.add_constraint(&new))?;
    let (child, made) = find(cx, child.oid, oid)?;
    if check && made.validated {
        validate(cx, &child, &made)?;
    }
    clone_to_partitions(cx, &child, &made, check)
}

/// A foreign key that a partition has already becomes that of its parent.
fn adopt(
    cx: &CommandContext<'_>,
    child: &Arc<RelationDesc>,
    own: &ConstraintDesc,
    above: &ConstraintDesc,
) -> PgResult<()> {
    if own.enforced != above.enforced {
        return Err(pg_err!(
            INVALID_OBJECT_DEFINITION,
            "constraint \"{}\" enforceability conflicts with constraint \"{}\" on relation \"{}\"",
            above.name,
            own.name,
            child.name
        ));
    }
    // It has parts no longer: those of the parent's are for all partitions.
    let parts = child.foreign_key_parts.iter().filter(|c| c.parent == own.oid);
    for part in parts {
        drop_part(cx, part)?;
    }
    cx.ddl(|ddl| {
        ddl.alter_constraint(
            own.oid,
            &[
                (pg_constraint::CONPARENTID, Datum::Oid(above.oid.0)),
                (pg_constraint::CONISLOCAL, Datum::Bool(false)),
                (pg_constraint::CONINHCOUNT, Datum::Int2(1)),
            ],
        )?;
        let object = ObjectAddress::new(oids::PG_CONSTRAINT, own.oid);
        let upper = ObjectAddress::new(oids::PG_CONSTRAINT, above.oid);
        ddl.record_dependency(object, upper, DependencyType::PartitionPrimary)?;
        let table = ObjectAddress::new(oids::PG_CLASS, child.oid);
        ddl.record_dependency(object, table, DependencyType::PartitionSecondary)
    })?;
    if own.validated || !above.validated {
        return Ok(());
    }
    let name = parser::ast::Ident::new(&*own.name, common::Span::NONE);
    let child = cx.relation(child.oid)?;
    crate::alter_constraint::validate_constraint(&child, &name, crate::alter_inherit::Reach::Tree, cx)
}

/// A partition just detached keeps its foreign keys as its own; those that referred to it through its parent do so no longer.
pub(crate) fn detach(cx: &CommandContext<'_>, parent: &RelationDesc, child: &RelationDesc) -> PgResult<()> {
    let inherited = |c: &&ConstraintDesc| c.kind == b'f' && c.parent.is_valid();
    for own in child.constraints.iter().filter(inherited) {
        let Some(above) = parent.constraints.iter().find(|c| c.oid == own.parent) else {
            continue;
        };
        release(cx, child, own, above)?;
    }
    for (_, part) in parts_for(cx, child)? {
        drop_part(cx, &part)?;
    }
    Ok(())
}

/// A foreign key of a partition becomes one of its own, with parts of its own.
fn release(
    cx: &CommandContext<'_>,
    child: &RelationDesc,
    own: &ConstraintDesc,
    above: &ConstraintDesc,
) -> PgResult<()> {
    cx.ddl(|ddl| {
        ddl.alter_constraint(
            own.oid,
            &[
                (pg_constraint::CONPARENTID, Datum::Oid(0)),
                (pg_constraint::CONISLOCAL, Datum::Bool(true)),
                (pg_constraint::CONINHCOUNT, Datum::Int2(0)),
            ],
        )?;
        let object = ObjectAddress::new(oids::PG_CONSTRAINT, own.oid);
        ddl.delete_dependency_on(object, ObjectAddress::new(oids::PG_CONSTRAINT, above.oid))?;
        let table = ObjectAddress::new(oids::PG_CLASS, child.oid);
        ddl.delete_dependency_of_kind(object, table, DependencyType::PartitionSecondary)
    })?;
    let Some(foreign) = &own.foreign else {
        return Ok(());
    };
    let referenced = cx.relation(foreign.table)?;
    let mut whole = like(own, own.name.to_string(), child, own.columns.clone());
    whole.parent = Oid::INVALID;
    add_parts(cx, &whole, own.oid, &referenced)
}
