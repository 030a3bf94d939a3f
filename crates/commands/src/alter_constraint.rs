//! ALTER TABLE ... DROP, ALTER and VALIDATE CONSTRAINT.
//!
//! PG: src/backend/commands/tablecmds.c (`ATExecDropConstraint`, `ATExecAlterConstraint`, `ATExecValidateConstraint`).

use std::sync::Arc;

use catalog::columns::pg_constraint as c;
use catalog::ddl::ObjectAddress;
use catalog::desc::{ConstraintDesc, RelationDesc};
use catalog::oids;
use catalog::partition::descendants;
use common::error::ErrorExt;
use common::{PgResult, pg_err, sqlstate};
use parser::ast::{DropBehavior, Ident};
use types::Datum;

use crate::alter_inherit::{self, Reach};
use crate::alter_table::{check_not_in_use, drop_not_null, validate_check};
use crate::context::CommandContext;
use crate::drop::behavior;

pub(crate) fn drop_constraint(
    desc: &Arc<RelationDesc>,
    name: &Ident,
    missing_ok: bool,
    how: DropBehavior,
    reach: Reach,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let mut all = desc.constraints.iter().chain(&desc.foreign_key_parts);
    let Some(constraint) = all.find(|c| &*c.name == name.as_str()) else {
        let message = format!(
            "constraint \"{}\" of relation \"{}\" does not exist",
            name.as_str(),
            desc.name
        );
        return cx.skip(missing_ok, sqlstate::UNDEFINED_OBJECT, message);
    };
    check_not_inherited(desc, constraint)?;
    if let Some(foreign) = &constraint.foreign {
        check_not_in_use(&*cx.relation(foreign.table)?, "ALTER TABLE", cx)?;
        for member in descendants(&*cx.view()?, desc)? {
            check_not_in_use(&member, "ALTER TABLE", cx)?;
        }
    }
    alter_inherit::drop_constraint(desc, constraint, reach, cx)?;
    if constraint.kind == b'n' {
        let column = crate::not_null::column_of(desc, constraint)?;
        return drop_not_null(desc, &Ident::new(&*column.name, name.span), cx);
    }
    let object = ObjectAddress::new(oids::PG_CONSTRAINT, constraint.oid);
    cx.ddl(|ddl| ddl.drop_objects(&[object], behavior(how)))?;
    Ok(())
}

pub(crate) fn check_not_inherited(desc: &RelationDesc, constraint: &ConstraintDesc) -> PgResult<()> {
    if constraint.inherited_count > 0 {
        return Err(pg_err!(
            INVALID_TABLE_DEFINITION,
            "cannot drop inherited constraint \"{}\" of relation \"{}\"",
            constraint.name,
            desc.name
        ));
    }
    Ok(())
}

/// ALTER CONSTRAINT: whether and when a foreign key is checked.
pub(crate) fn alter_constraint(
    desc: &Arc<RelationDesc>,
    name: &Ident,
    (enforced, deferrability, no_inherit): Alteration,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let mut all = desc.constraints.iter().chain(&desc.foreign_key_parts);
    let Some(constraint) = all.find(|c| &*c.name == name.as_str()) else {
        return Err(pg_err!(
            UNDEFINED_OBJECT,
            "constraint \"{}\" of relation \"{}\" does not exist",
            name.as_str(),
            desc.name
        ));
    };
    if deferrability.is_some() && constraint.kind != b'f' {
        return Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "constraint \"{}\" of relation \"{}\" is not a foreign key constraint",
            constraint.name,
            desc.name
        ));
    }
    if enforced.is_some() && constraint.kind != b'f' {
        return Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "cannot alter enforceability of constraint \"{}\" of relation \"{}\"",
            constraint.name,
            desc.name
        ));
    }
    if no_inherit.is_some() && constraint.kind != b'n' {
        return Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "constraint \"{}\" of relation \"{}\" is not a not-null constraint",
            constraint.name,
            desc.name
        ));
    }
    if let Some(no_inherit) = no_inherit {
        return crate::not_null::alter_inheritability(desc, constraint, no_inherit, cx);
    }
    if constraint.kind == b'f' && constraint.parent.is_valid() {
        return Err(derived_constraint(desc, constraint, cx)?);
    }
    change_one(desc, constraint, (enforced, deferrability), cx)
}

/// ALTER CONSTRAINT: enforcement, (deferrable, deferred), NO INHERIT; what is not said stays.
type Alteration = (Option<bool>, Option<(bool, bool)>, Option<bool>);

/// Only the uppermost of the constraints that make up a foreign key can be altered.
fn derived_constraint(
    desc: &RelationDesc,
    constraint: &ConstraintDesc,
    cx: &CommandContext<'_>,
) -> PgResult<Box<common::PgError>> {
    let mut top = constraint.parent;
    let mut from = None;
    while let Some(row) = cx.ddl(|ddl| ddl.constraint(top))? {
        top = row.oid(c::CONPARENTID);
        from = Some((row.text(c::CONNAME), row.oid(c::CONRELID)));
    }
    let Some((origin, relation)) = from else {
        return Ok(common::internal!("constraint {} vanished", constraint.parent));
    };
    Ok(pg_err!(
        OBJECT_NOT_IN_PREREQUISITE_STATE,
        "cannot alter constraint \"{}\" on relation \"{}\"",
        constraint.name,
        desc.name
    )
    .detail(format!(
        "Constraint \"{}\" is derived from constraint \"{origin}\" of relation \"{}\".",
        constraint.name,
        cx.relation(relation)?.name
    ))
    .hint("You may alter the constraint it derives from instead."))
}

/// Alters a constraint, and those of partitions below it.
fn change_one(
    desc: &Arc<RelationDesc>,
    constraint: &ConstraintDesc,
    (enforced, deferrability): (Option<bool>, Option<(bool, bool)>),
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let mut changes = Vec::new();
    if let Some((deferrable, deferred)) = deferrability {
        changes.push((c::CONDEFERRABLE, Datum::Bool(deferrable)));
        changes.push((c::CONDEFERRED, Datum::Bool(deferred)));
    }
    if let Some(value) = enforced
        && value != constraint.enforced
    {
        if value {
            let mut now = constraint.clone();
            now.enforced = true;
            crate::foreign_key::validate(cx, desc, &now)?;
        }
        changes.push((c::CONENFORCED, Datum::Bool(value)));
        changes.push((c::CONVALIDATED, Datum::Bool(value)));
    }
    let oid = constraint.oid;
    if changes.is_empty() {
        return Ok(());
    }
    change_constraint(desc, oid, &changes, cx)?;
    for child in alter_inherit::children(desc, cx)? {
        if let Some(below) = child.constraints.iter().find(|c| c.parent == oid) {
            change_one(&child, below, (enforced, deferrability), cx)?;
        }
    }
    Ok(())
}

pub(crate) fn validate_constraint(
    desc: &Arc<RelationDesc>,
    name: &Ident,
    reach: Reach,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let Some(constraint) = desc.constraints.iter().find(|c| &*c.name == name.as_str()) else {
        return Err(pg_err!(
            UNDEFINED_OBJECT,
            "constraint \"{}\" of relation \"{}\" does not exist",
            name.as_str(),
            desc.name
        ));
    };
    if constraint.validated {
        return Ok(());
    }
    if !constraint.enforced {
        return Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "cannot validate NOT ENFORCED constraint"
        ));
    }
    if constraint.kind == b'n' {
        return crate::not_null::validate(desc, constraint, reach, cx);
    }
    if constraint.kind == b'f' {
        crate::foreign_key::validate(cx, desc, constraint)?;
    }
    for child in alter_inherit::children(desc, cx)? {
        let same = match constraint.kind {
            b'f' => child.constraints.iter().find(|c| c.parent == constraint.oid),
            kind if !constraint.no_inherit => child
                .constraints
                .iter()
                .find(|c| c.kind == kind && c.name == constraint.name),
            _ => None,
        };
        if let Some(same) = same {
            if reach == Reach::Only && constraint.kind != b'f' {
                return Err(pg_err!(
                    INVALID_TABLE_DEFINITION,
                    "constraint must be validated on child tables too"
                ));
            }
            let same = Ident::new(&*same.name, name.span);
            validate_constraint(&child, &same, reach, cx)?;
        }
    }
    if let Some(check) = &constraint.check {
        validate_check(desc, Some(&constraint.name), check, cx)?;
    }
    let changes = [(c::CONVALIDATED, Datum::Bool(true))];
    change_constraint(desc, constraint.oid, &changes, cx)
}

/// Changes a constraint, and with a foreign key what it is for partitions of the table that it refers to.
fn change_constraint(
    desc: &RelationDesc,
    constraint: common::Oid,
    changes: &[(usize, Datum)],
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    cx.ddl(|ddl| ddl.alter_constraint(constraint, changes))?;
    for part in desc.foreign_key_parts.iter().filter(|c| c.parent == constraint) {
        change_constraint(desc, part.oid, changes, cx)?;
    }
    Ok(())
}
