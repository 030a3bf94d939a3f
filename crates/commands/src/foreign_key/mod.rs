//! FOREIGN KEY and REFERENCES: catalog rows and validation; [`key`] finds the key referred to, [`partitions`] gives partitions of either
//! side their constraints.
//!
//! PG: src/backend/commands/tablecmds.c (`ATAddForeignKeyConstraint`).

mod again;
mod key;
mod partitions;
mod period;

use std::sync::Arc;

use catalog::ddl::constraint::{NameParts, NewConstraint};
use catalog::desc::{ConstraintDesc, ForeignKeyDesc, RelationDesc};
use catalog::privileges::{Guarded, ObjectKind, Privilege};
use catalog::virtual_columns::VIRTUAL;
use common::{Oid, PgResult, pg_err, unsupported};
use parser::ast::{Constraint, FkAction, FkMatchType, Ident, RangeVar};
use txn::LockMode;

use crate::context::CommandContext;
pub(crate) use again::ForeignKeys;
use key::{operators, referenced_key};
pub(crate) use partitions::{check_detach, clone_to_partition, detach};
use period::{check_period_actions, period_of_referenced_only, use_overlaps};

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
    check_references_privilege(cx, &referenced, &pk_columns)?;
    if columns.len() != pk_columns.len() {
        return Err(pg_err!(
            INVALID_FOREIGN_KEY,
            "number of referencing and referenced columns for foreign key disagree"
        ));
    }
    check_generated(table, key, &columns)?;
    check_not_virtual(table, &columns)?;
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
        pp_eq_ops: operators.1,
        ff_eq_ops: operators.2,
        on_update: action_letter(key.fk_upd_action),
        on_delete: action_letter(key.fk_del_action),
        match_type: match key.fk_matchtype {
            FkMatchType::Full => b'f',
            FkMatchType::Partial => b'p',
            FkMatchType::Simple => b's',
        },
        delete_set_columns: set_columns,
    });
    new.period = key.fk_with_period;
    new.deferrable = key.deferrable;
    new.deferred = key.initdeferred;
    new.enforced = key.is_enforced;
    new.validated = key.is_enforced && !key.skip_validation;
    new.no_inherit = table.relkind != b'p';
    let oid = cx.ddl(|ddl| ddl.add_constraint(&new))?;
    partitions::add_parts(cx, &new, oid, &referenced)?;
    let (table, constraint) = find(cx, table.oid, oid)?;
    if existing == Existing::Check && new.validated {
        validate(cx, &table, &constraint)?;
    }
    partitions::clone_to_partitions(cx, &table, &constraint, existing == Existing::Check)?;
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
            Some(c) => Ok(c.attno),
            None if crate::lookup::is_system_column(name.as_str()) => Err(pg_err!(
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

/// REFERENCES on the table, or on each of the columns.
fn check_references_privilege(
    cx: &CommandContext<'_>,
    referenced: &RelationDesc,
    columns: &[i16],
) -> PgResult<()> {
    let roles = cx.roles()?;
    let may = |acl| {
        let guarded = Guarded {
            kind: ObjectKind::of_relkind(referenced.relkind),
            owner: referenced.owner,
            acl,
        };
        roles.may(cx.user, guarded, Privilege::References)
    };
    let on_column = |attno: &i16| {
        let column = referenced.column(*attno);
        column.is_some_and(|c| c.acl.is_some() && may(c.acl.as_deref()))
    };
    if may(referenced.acl.as_deref()) || columns.iter().all(on_column) {
        return Ok(());
    }
    cx.check_relation_privilege(referenced, Privilege::References)
}

fn check_not_virtual(table: &RelationDesc, columns: &[i16]) -> PgResult<()> {
    let is_virtual = |attno: &i16| table.column(*attno).is_some_and(|c| c.generated == VIRTUAL);
    if columns.iter().any(is_virtual) {
        return Err(unsupported!(
            "foreign key constraints on virtual generated columns are not supported"
        ));
    }
    Ok(())
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
