//! FOREIGN KEY and REFERENCES: finding the key referred to, catalog rows, validation, partitions.
//!
//! PG: src/backend/commands/tablecmds.c (`ATAddForeignKeyConstraint`, `transformFkeyCheckAttrs`).

use std::sync::Arc;

use catalog::CatalogView;
use catalog::columns::pg_constraint;
use catalog::ddl::ObjectAddress;
use catalog::ddl::constraint::{NameParts, NewConstraint};
use catalog::desc::{ConstraintDesc, ForeignKeyDesc, RelationDesc};
use catalog::oids;
use catalog::partition::{column_map, descendants};
use catalog::privileges::Privilege;
use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err, unsupported};
use parser::ast::{Constraint, FkAction, FkMatchType, Ident, RangeVar};
use txn::LockMode;
use types::Datum;

use crate::context::CommandContext;
use crate::foreign_key_period::{check_period_actions, period_of_referenced_only, use_overlaps};

fn action_letter(action: FkAction) -> u8 {
    match action {
        FkAction::NoAction => b'a',
        FkAction::Restrict => b'r',
        FkAction::Cascade => b'c',
        FkAction::SetNull => b'n',
        FkAction::SetDefault => b'd',
    }
}

/// Whether rows that are there already are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    /// The table is new: there are none.
    None,
    /// ALTER TABLE, unless NOT VALID.
    Check,
}

/// Makes a foreign key of a table.
pub(crate) fn add(
    cx: &CommandContext<'_>,
    table: &Arc<RelationDesc>,
    key: &Constraint,
    existing: Existing,
) -> PgResult<Oid> {
    let Some(name) = &key.pktable else {
        return Err(common::internal!("foreign key without a referenced table"));
    };
    let referenced = open_referenced(cx, table, name)?;
    let columns = key_columns(table, &key.fk_attrs)?;
    if key.pk_with_period && !key.fk_with_period {
        return Err(period_of_referenced_only());
    }
    let set_columns = set_columns(table, key, &columns)?;
    let (pk_columns, index) = referenced_key(cx, &referenced, key)?;
    check_column_privileges(cx, &referenced, &pk_columns)?;
    if columns.len() != pk_columns.len() {
        return Err(pg_err!(
            INVALID_FOREIGN_KEY,
            "number of referencing and referenced columns for foreign key disagree"
        ));
    }
    check_generated(table, key, &columns)?;
    check_period_actions(key)?;
    let view = cx.view()?;
    let name = match &key.conname {
        Some(name) => name.as_str().to_owned(),
        None => choose_name(cx, table, &columns)?,
    };
    let mut operators = operators(&*view, table, &referenced, &columns, &pk_columns, &index, &name)?;
    use_overlaps(key, &mut operators, &referenced, &index)?;
    drop(view);
    let mut new = NewConstraint::new(b'f', name, table.namespace, table.oid, columns);
    new.index = index.oid;
    new.foreign = Some(ForeignKeyDesc {
        table: referenced.oid,
        columns: pk_columns,
        pf_eq_ops: operators.0,
        on_update: action_letter(key.fk_upd_action),
        on_delete: action_letter(key.fk_del_action),
        match_type: match key.fk_matchtype {
            FkMatchType::Full => b'f',
            FkMatchType::Partial => b'p',
            FkMatchType::Simple => b's',
        },
        delete_set_columns: set_columns,
    });
    new.pp_eq_ops = operators.1;
    new.ff_eq_ops = operators.2;
    new.period = key.fk_with_period;
    new.deferrable = key.deferrable;
    new.deferred = key.initdeferred;
    new.enforced = key.is_enforced;
    new.validated = key.is_enforced && !key.skip_validation;
    let oid = cx.ddl(|ddl| ddl.add_constraint(&new))?;
    if existing == Existing::Check && new.validated {
        let (table, constraint) = find(cx, table.oid, oid)?;
        validate(cx, &table, &constraint)?;
    }
    let table = cx.relation(table.oid)?;
    for child in &table.inheritance.children {
        let child = cx.relation(*child)?;
        if child.is_partition {
            clone_one(cx, &table, &child, oid, existing == Existing::Check)?;
        }
    }
    Ok(oid)
}

fn find(
    cx: &CommandContext<'_>,
    table: Oid,
    constraint: Oid,
) -> PgResult<(Arc<RelationDesc>, ConstraintDesc)> {
    let desc = cx.relation(table)?;
    let found = desc.constraints.iter().find(|c| c.oid == constraint).cloned();
    match found {
        Some(c) => Ok((desc, c)),
        None => Err(common::internal!("constraint {constraint} vanished")),
    }
}

fn open_referenced(
    cx: &CommandContext<'_>,
    table: &RelationDesc,
    name: &RangeVar,
) -> PgResult<Arc<RelationDesc>> {
    let referenced = cx.open_relation(name, LockMode::ShareRowExclusive)?;
    if !matches!(referenced.relkind, b'r' | b'p') {
        return Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "referenced relation \"{}\" is not a table",
            referenced.name
        ));
    }
    cx.check_not_system(&referenced)?;
    let problem = match (table.persistence, referenced.persistence) {
        (b'p', other) if other != b'p' => {
            Some("constraints on permanent tables may reference only permanent tables")
        }
        (b'u', b't') => {
            Some("constraints on unlogged tables may reference only permanent or unlogged tables")
        }
        (b't', other) if other != b't' => {
            Some("constraints on temporary tables may reference only temporary tables")
        }
        _ => None,
    };
    match problem {
        Some(text) => Err(common::PgError::new(
            common::sqlstate::INVALID_TABLE_DEFINITION,
            text,
        )),
        None => Ok(referenced),
    }
}

fn key_columns(table: &RelationDesc, names: &[Ident]) -> PgResult<Vec<i16>> {
    names
        .iter()
        .map(|name| match table.column_by_name(name.as_str()) {
            Some(c) if c.generated == b'v' => Err(unsupported!(
                "foreign key constraints on virtual generated columns are not supported"
            )),
            Some(c) => Ok(c.attno),
            None if is_system(name.as_str()) => Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "system columns cannot be used in foreign keys"
            )),
            None => Err(pg_err!(
                UNDEFINED_COLUMN,
                "column \"{}\" referenced in foreign key constraint does not exist",
                name.as_str()
            )),
        })
        .collect()
}

fn is_system(name: &str) -> bool {
    matches!(name, "ctid" | "tableoid" | "xmin" | "xmax" | "cmin" | "cmax")
}

fn set_columns(table: &RelationDesc, key: &Constraint, columns: &[i16]) -> PgResult<Vec<i16>> {
    let mut out = Vec::new();
    for name in &key.fk_del_set_cols {
        let Some(column) = table.column_by_name(name.as_str()) else {
            return Err(pg_err!(
                UNDEFINED_COLUMN,
                "column \"{}\" referenced in foreign key constraint does not exist",
                name.as_str()
            ));
        };
        if !columns.contains(&column.attno) {
            return Err(pg_err!(
                INVALID_COLUMN_REFERENCE,
                "column \"{}\" referenced in ON DELETE SET action must be part of foreign key",
                name.as_str()
            ));
        }
        if !out.contains(&column.attno) {
            out.push(column.attno);
        }
    }
    Ok(out)
}

/// REFERENCES without columns.
fn primary_key(
    cx: &CommandContext<'_>,
    referenced: &RelationDesc,
    key: &Constraint,
) -> PgResult<(Vec<i16>, Arc<RelationDesc>)> {
    let Some(primary) = referenced.constraints.iter().find(|c| c.kind == b'p') else {
        return Err(pg_err!(
            UNDEFINED_OBJECT,
            "there is no primary key for referenced table \"{}\"",
            referenced.name
        ));
    };
    if primary.deferrable {
        return Err(pg_err!(
            OBJECT_NOT_IN_PREREQUISITE_STATE,
            "cannot use a deferrable primary key for referenced table \"{}\"",
            referenced.name
        ));
    }
    if primary.period && !key.fk_with_period {
        return Err(period_of_referenced_only());
    }
    let index = cx.relation(primary.index)?;
    let columns = index.index.as_ref().map_or_else(Vec::new, |i| {
        i.columns.iter().take(i.key_count).map(|c| c.attno).collect()
    });
    Ok((columns, index))
}

/// The columns referred to and their unique index.
fn referenced_key(
    cx: &CommandContext<'_>,
    referenced: &RelationDesc,
    key: &Constraint,
) -> PgResult<(Vec<i16>, Arc<RelationDesc>)> {
    if key.pk_attrs.is_empty() {
        return primary_key(cx, referenced, key);
    }
    if key.fk_with_period && !key.pk_with_period {
        return Err(pg_err!(
            INVALID_FOREIGN_KEY,
            "foreign key uses PERIOD on the referencing table but not the referenced table"
        ));
    }
    let columns = key_columns(referenced, &key.pk_attrs)?;
    for (i, column) in columns.iter().enumerate() {
        if columns[..i].contains(column) {
            return Err(pg_err!(
                INVALID_FOREIGN_KEY,
                "foreign key referenced-columns list must not contain duplicates"
            ));
        }
    }
    let mut deferrable = false;
    for oid in &referenced.indexes {
        let index = cx.relation(*oid)?;
        let Some(info) = &index.index else { continue };
        let own: Vec<i16> = info
            .columns
            .iter()
            .take(info.key_count)
            .map(|c| c.attno)
            .collect();
        // With PERIOD the key is one WITHOUT OVERLAPS, and the period its last column.
        let kind = match key.fk_with_period {
            true => info.exclusion && own.last() == columns.last(),
            false => info.unique,
        };
        let usable = kind && info.valid && info.predicate.is_none() && own.len() == columns.len();
        if !usable || !own.iter().all(|a| *a > 0 && columns.contains(a)) {
            continue;
        }
        if info.immediate && info.exclusion && !key.fk_with_period {
            return Err(pg_err!(
                INVALID_FOREIGN_KEY,
                "foreign key must use PERIOD when referencing a primary key using WITHOUT OVERLAPS"
            ));
        }
        if info.immediate {
            return Ok((columns, index));
        }
        deferrable = true;
    }
    Err(if deferrable {
        pg_err!(
            OBJECT_NOT_IN_PREREQUISITE_STATE,
            "cannot use a deferrable unique constraint for referenced table \"{}\"",
            referenced.name
        )
    } else {
        pg_err!(
            INVALID_FOREIGN_KEY,
            "there is no unique constraint matching given keys for referenced table \"{}\"",
            referenced.name
        )
    })
}

fn check_column_privileges(
    cx: &CommandContext<'_>,
    referenced: &RelationDesc,
    columns: &[i16],
) -> PgResult<()> {
    let _ = columns;
    cx.check_relation_privilege(referenced, Privilege::References)
}

fn check_generated(table: &RelationDesc, key: &Constraint, columns: &[i16]) -> PgResult<()> {
    let generated = columns
        .iter()
        .any(|a| table.column(*a).is_some_and(|c| c.generated != 0));
    if !generated {
        return Ok(());
    }
    let bad = match (key.fk_upd_action, key.fk_del_action) {
        (FkAction::SetNull | FkAction::SetDefault | FkAction::Cascade, _) => "ON UPDATE",
        (_, FkAction::SetNull | FkAction::SetDefault) => "ON DELETE",
        _ => return Ok(()),
    };
    Err(pg_err!(
        SYNTAX_ERROR,
        "invalid {bad} action for foreign key constraint containing generated column"
    ))
}

fn choose_name(cx: &CommandContext<'_>, table: &RelationDesc, columns: &[i16]) -> PgResult<String> {
    let names: Vec<String> = columns
        .iter()
        .filter_map(|a| table.column(*a))
        .map(|c| c.name.to_string())
        .collect();
    let joined = crate::create_index::joined_names(&names);
    let parts = NameParts {
        first: &table.name,
        second: Some(&joined),
        label: "fkey",
        is_relation: false,
    };
    cx.ddl(|ddl| ddl.choose_constraint_name(parts, table.oid, table.namespace))
}

pub(crate) type Operators = (Vec<Oid>, Vec<Oid>, Vec<Oid>);

/// The strategy of equality in the families that keys WITHOUT OVERLAPS name.
const GIST_EQUAL: i16 = 18;

/// Equality operators pk = fk, pk = pk, fk = fk of the index's families.
fn operators(
    view: &dyn CatalogView,
    table: &RelationDesc,
    referenced: &RelationDesc,
    columns: &[i16],
    pk_columns: &[i16],
    index: &RelationDesc,
    name: &str,
) -> PgResult<Operators> {
    let mut out: Operators = (Vec::new(), Vec::new(), Vec::new());
    let btree = index
        .index
        .as_ref()
        .is_some_and(|i| i.access_method == oids::BTREE_AM);
    let equal = if btree { 3 } else { GIST_EQUAL };
    for (own, theirs) in columns.iter().zip(pk_columns) {
        let (Some(fk), Some(pk)) = (table.column(*own), referenced.column(*theirs)) else {
            return Err(common::internal!("key column vanished"));
        };
        let info = index
            .index
            .as_ref()
            .and_then(|i| i.columns.iter().find(|c| c.attno == *theirs))
            .ok_or_else(|| common::internal!("index \"{}\" lacks a key column", index.name))?;
        let fk_type = crate::access_method::base_type(view, fk.type_ref.oid)?;
        let family = info.opfamily;
        let pp = view.opfamily_member(family, info.opcintype, info.opcintype, equal)?;
        let mut pf = view.opfamily_member(family, info.opcintype, fk_type, equal)?;
        let mut ff = view.opfamily_member(family, fk_type, fk_type, equal)?;
        if pf.is_none() || ff.is_none() {
            // The referencing value is cast to the index's type.
            let castable = fk_type == info.opcintype
                || view
                    .cast(fk_type, info.opcintype)?
                    .is_some_and(|c| c.context == b'i')
                || is_polymorphic(info.opcintype) && fk.type_ref.oid == pk.type_ref.oid;
            if castable {
                (pf, ff) = (pp, pp);
            }
        }
        let (Some(pf), Some(pp)) = (pf, pp) else {
            let word = |oid: Oid| catalog::format_type::format_type(view, oid, -1);
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "foreign key constraint \"{name}\" cannot be implemented"
            )
            .detail(format!(
                "Key columns \"{}\" of the referencing table and \"{}\" of the referenced table are of incompatible types: {} and {}.",
                fk.name,
                pk.name,
                word(fk.type_ref.oid)?,
                word(pk.type_ref.oid)?
            )));
        };
        out.0.push(pf);
        out.1.push(pp);
        out.2.push(ff.unwrap_or(pp));
    }
    Ok(out)
}

fn is_polymorphic(type_oid: Oid) -> bool {
    use types::oids as t;
    matches!(
        type_oid,
        t::ANYARRAY | t::ANYENUM | t::ANYRANGE | t::ANYMULTIRANGE | t::RECORD
    )
}

/// Every row of the table (and of its partitions) must refer to something.
pub(crate) fn validate(
    cx: &CommandContext<'_>,
    table: &Arc<RelationDesc>,
    constraint: &ConstraintDesc,
) -> PgResult<()> {
    if table.relkind == b'p' {
        return Ok(());
    }
    let view = cx.view()?;
    let snapshot = cx.txn.borrow().latest_snapshot()?;
    let exec = cx.exec_context(&*view, &snapshot);
    executor::validate_foreign_key(&exec, table, constraint)
}

/// A new partition gets the foreign keys of its parent.
pub(crate) fn clone_to_partition(cx: &CommandContext<'_>, parent: &RelationDesc, child: Oid) -> PgResult<()> {
    for constraint in parent.constraints.iter().filter(|c| c.kind == b'f') {
        let current = cx.relation(child)?;
        clone_one(cx, parent, &current, constraint.oid, true)?;
    }
    Ok(())
}

/// True when a foreign key says what another one says, names and columns apart.
fn is_same_key(c: &ConstraintDesc, above: &ConstraintDesc) -> bool {
    let (Some(own), Some(foreign)) = (&c.foreign, &above.foreign) else {
        return false;
    };
    (own.table, own.on_update, own.on_delete, own.match_type)
        == (
            foreign.table,
            foreign.on_update,
            foreign.on_delete,
            foreign.match_type,
        )
        && own.columns == foreign.columns
        && (c.deferrable, c.deferred, c.enforced) == (above.deferrable, above.deferred, above.enforced)
        && c.period == above.period
}

fn clone_one(
    cx: &CommandContext<'_>,
    parent: &RelationDesc,
    child: &Arc<RelationDesc>,
    constraint: Oid,
    check: bool,
) -> PgResult<()> {
    let (_, above) = find(cx, parent.oid, constraint)?;
    let Some(foreign) = &above.foreign else {
        return Ok(());
    };
    let map = column_map(parent, child);
    let mapped = |list: &[i16]| -> Vec<i16> {
        list.iter()
            .map(|a| map.get(*a as usize - 1).copied().unwrap_or_default())
            .collect()
    };
    let columns = mapped(&above.columns);
    let mut own = child.constraints.iter();
    let same = own.find(|c| !c.parent.is_valid() && c.columns == columns && is_same_key(c, &above));
    if let Some(own) = same {
        let own = own.oid;
        return cx.ddl(|ddl| {
            use catalog::ddl::depend::DependencyType;
            ddl.alter_constraint(
                own,
                &[
                    (pg_constraint::CONPARENTID, Datum::Oid(above.oid.0)),
                    (pg_constraint::CONISLOCAL, Datum::Bool(false)),
                    (pg_constraint::CONINHCOUNT, Datum::Int2(1)),
                ],
            )?;
            let object = ObjectAddress::new(oids::PG_CONSTRAINT, own);
            let upper = ObjectAddress::new(oids::PG_CONSTRAINT, above.oid);
            ddl.record_dependency(object, upper, DependencyType::PartitionPrimary)?;
            let table = ObjectAddress::new(oids::PG_CLASS, child.oid);
            ddl.record_dependency(object, table, DependencyType::PartitionSecondary)
        });
    }
    let taken = child.constraints.iter().any(|c| c.name == above.name);
    let name = if taken {
        choose_name(cx, child, &columns)?
    } else {
        above.name.to_string()
    };
    let mut new = NewConstraint::new(b'f', name, child.namespace, child.oid, columns);
    new.index = above.index;
    new.foreign = Some(ForeignKeyDesc {
        delete_set_columns: mapped(&foreign.delete_set_columns),
        ..foreign.clone()
    });
    new.pp_eq_ops = foreign.pf_eq_ops.clone();
    new.ff_eq_ops = foreign.pf_eq_ops.clone();
    new.period = above.period;
    new.deferrable = above.deferrable;
    new.deferred = above.deferred;
    new.enforced = above.enforced;
    new.validated = above.validated;
    new.is_local = false;
    new.inherited_count = 1;
    new.parent = above.oid;
    let oid = cx.ddl(|ddl| ddl.add_constraint(&new))?;
    let (child, made) = find(cx, child.oid, oid)?;
    if check && made.validated {
        validate(cx, &child, &made)?;
    }
    for grandchild in &child.inheritance.children {
        let grandchild = cx.relation(*grandchild)?;
        if grandchild.is_partition {
            clone_one(cx, &child, &grandchild, oid, check)?;
        }
    }
    Ok(())
}

/// A partition that is referred to cannot be detached.
pub(crate) fn check_detach(
    cx: &CommandContext<'_>,
    parent: &RelationDesc,
    child: &Arc<RelationDesc>,
) -> PgResult<()> {
    let _ = child;
    if parent.referenced_by.is_empty() {
        return Ok(());
    }
    let view = cx.view()?;
    let mut leaves = vec![child.clone()];
    leaves.extend(descendants(&*view, child)?);
    for (referencing, oid) in &parent.referenced_by {
        let other = cx.relation(*referencing)?;
        let Some(constraint) = other.constraints.iter().find(|c| c.oid == *oid).cloned() else {
            continue;
        };
        let _ = (&leaves, constraint);
    }
    Ok(())
}

/// A detached partition keeps its foreign keys as its own.
pub(crate) fn detach(cx: &CommandContext<'_>, parent: &RelationDesc, child: &RelationDesc) -> PgResult<()> {
    for own in child
        .constraints
        .iter()
        .filter(|c| c.kind == b'f' && c.parent.is_valid())
    {
        let Some(above) = parent.constraints.iter().find(|c| c.oid == own.parent) else {
            continue;
        };
        cx.ddl(|ddl| {
            use catalog::ddl::depend::DependencyType;
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
    }
    Ok(())
}
