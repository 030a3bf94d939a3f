//! ALTER ... RENAME, SET SCHEMA, OWNER TO.
//!
//! PG: src/backend/commands/alter.c.

use catalog::columns::pg_namespace;
use catalog::privileges::{ObjectKind, must_be_owner};
use common::error::ErrorExt;
use common::{PgResult, pg_err, unsupported};
use parser::ast::{
    AlterObjectSchemaStmt, AlterOwnerStmt, Ident, ObjectName, ObjectType, ObjectWithArgs, RenameStmt,
    Statement,
};
use txn::LockMode;
use types::Datum;

use crate::alter_inherit::Reach;
use crate::alter_type::{self, Wanted};
use crate::classify::{command_tag, object_type_word};
use crate::context::{CommandContext, CommandOutcome};
use crate::lookup::{missing_relation, wrong_kind};
use crate::routine;

/// The name behind ALTER TYPE or ALTER DOMAIN.
fn type_names(kind: ObjectType, object: Option<&ObjectName>) -> PgResult<(&[Ident], Wanted)> {
    let wanted = match kind {
        ObjectType::Domain => Wanted::Domain,
        _ => Wanted::Type,
    };
    match object {
        Some(ObjectName::Name(names)) => Ok((names, wanted)),
        Some(ObjectName::Type(name)) => Ok((&name.names, wanted)),
        _ => Err(common::internal!("type without a name")),
    }
}

fn is_routine(kind: ObjectType) -> bool {
    matches!(
        kind,
        ObjectType::Function | ObjectType::Procedure | ObjectType::Routine | ObjectType::Aggregate
    )
}

/// The name and arguments of a routine.
fn signature(object: Option<&ObjectName>) -> PgResult<&ObjectWithArgs> {
    match object {
        Some(ObjectName::WithArgs(signature)) => Ok(signature),
        _ => Err(common::internal!("routine without a signature")),
    }
}

/// The class and name of an object that is a row with a name.
fn named(
    kind: ObjectType,
    object: Option<&ObjectName>,
) -> PgResult<(catalog::ddl::named::NamedClass, &[Ident])> {
    match (crate::object::class_of(kind), object) {
        (Some(class), Some(ObjectName::Name(names))) => Ok((class, names)),
        _ => Err(common::internal!("object without a name")),
    }
}

/// ALTER TABLE, and for this action ALTER INDEX, are for whatever has a name.
fn is_of_kind(relkind: u8, wanted: ObjectType) -> bool {
    match wanted {
        ObjectType::Sequence => relkind == b'S',
        ObjectType::View => relkind == b'v',
        ObjectType::MatView => relkind == b'm',
        _ => true,
    }
}

/// ALTER ... RENAME.
pub(crate) fn rename(stmt: &RenameStmt, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    let tag = command_tag(&Statement::Rename(Box::new(stmt.clone())));
    let new = stmt.newname.as_str();
    match (stmt.rename_type, &stmt.relation) {
        (
            ObjectType::Table
            | ObjectType::Index
            | ObjectType::Sequence
            | ObjectType::View
            | ObjectType::MatView,
            Some(rel),
        ) => {
            let Some(desc) = cx.open_relation_if_exists(rel, LockMode::AccessExclusive)? else {
                missing_relation(rel, stmt.missing_ok, cx)?;
                return Ok(CommandOutcome::tag(tag));
            };
            if !is_of_kind(desc.relkind, stmt.rename_type) {
                return Err(wrong_kind(&desc, stmt.rename_type));
            }
            cx.check_owner(&desc)?;
            cx.ddl(|ddl| ddl.rename_relation(desc.oid, new))?;
        }
        (ObjectType::Column, Some(rel)) => {
            let Some(desc) = cx.open_relation_if_exists(rel, LockMode::AccessExclusive)? else {
                missing_relation(rel, stmt.missing_ok, cx)?;
                return Ok(CommandOutcome::tag(tag));
            };
            cx.check_owner(&desc)?;
            let old = stmt.subname.as_ref().map_or("", Ident::as_str);
            cx.ddl(|ddl| {
                if ddl.column_by_name(desc.oid, old).is_err() {
                    return Err(pg_err!(UNDEFINED_COLUMN, "column \"{old}\" does not exist"));
                }
                Ok(())
            })?;
            let reach = if rel.inh { Reach::Tree } else { Reach::Only };
            if let Some(c) = desc.column_by_name(old)
                && c.inherited_count > 0
            {
                return Err(pg_err!(
                    INVALID_TABLE_DEFINITION,
                    "cannot rename inherited column \"{old}\""
                ));
            }
            crate::alter_inherit::rename_column(&desc, old, new, reach, cx)?;
            cx.ddl(|ddl| ddl.rename_column(desc.oid, old, new))?;
        }
        (ObjectType::TabConstraint, Some(rel)) => {
            let Some(desc) = cx.open_relation_if_exists(rel, LockMode::AccessExclusive)? else {
                missing_relation(rel, stmt.missing_ok, cx)?;
                return Ok(CommandOutcome::tag(tag));
            };
            cx.check_owner(&desc)?;
            let old = stmt.subname.as_ref().map_or("", Ident::as_str);
            let reach = if rel.inh { Reach::Tree } else { Reach::Only };
            if let Some(c) = desc.constraints.iter().find(|c| &*c.name == old)
                && c.inherited_count > 0
            {
                return Err(pg_err!(
                    INVALID_TABLE_DEFINITION,
                    "cannot rename inherited constraint \"{old}\""
                ));
            }
            crate::alter_inherit::rename_constraint(&desc, old, new, reach, cx)?;
            cx.ddl(|ddl| ddl.rename_constraint(desc.oid, old, new))?;
        }
        (ObjectType::Schema, _) => rename_schema(stmt.subname.as_ref().map_or("", Ident::as_str), new, cx)?,
        (ObjectType::Type | ObjectType::Domain | ObjectType::DomConstraint | ObjectType::Attribute, _) => {
            rename_of_type(stmt, cx)?
        }
        (ObjectType::Role, _) => {
            let old = stmt.subname.as_ref().map_or("", Ident::as_str);
            crate::roles::rename(old, new, cx)?;
        }
        (
            kind @ (ObjectType::Function
            | ObjectType::Procedure
            | ObjectType::Routine
            | ObjectType::Aggregate),
            _,
        ) => routine::alter::rename(signature(stmt.object.as_ref())?, kind, new, cx)?,
        (kind, _) => rename_named(stmt, kind, cx)?,
    }
    Ok(CommandOutcome::tag(tag))
}

/// What is a row with a name.
fn rename_named(stmt: &RenameStmt, kind: ObjectType, cx: &CommandContext<'_>) -> PgResult<()> {
    if crate::object::class_of(kind).is_none() {
        return Err(
            unsupported!("ALTER {} RENAME is not supported yet", object_type_word(kind)).at(stmt.span),
        );
    }
    let (class, names) = named(kind, stmt.object.as_ref())?;
    crate::object::rename(class, names, stmt.newname.as_str(), cx)
}

fn rename_schema(old: &str, new: &str, cx: &CommandContext<'_>) -> PgResult<()> {
    if let Some(namespace) = cx.view()?.namespace_by_name(old)? {
        let owner = crate::namespace::owner_of(cx, namespace)?;
        if !cx.roles()?.owns(cx.user, owner) {
            return Err(must_be_owner(ObjectKind::Schema, old));
        }
    }
    cx.ddl(|ddl| ddl.rename_namespace(old, new))
}

/// ALTER TYPE and ALTER DOMAIN: the type, an attribute, a constraint.
fn rename_of_type(stmt: &RenameStmt, cx: &CommandContext<'_>) -> PgResult<()> {
    let new = stmt.newname.as_str();
    let old = stmt.subname.as_ref().map_or("", Ident::as_str);
    match (stmt.rename_type, &stmt.relation) {
        (ObjectType::DomConstraint, _) => {
            let (names, _) = type_names(ObjectType::Domain, stmt.object.as_ref())?;
            crate::domain::rename_constraint(names, old, new, cx)
        }
        (ObjectType::Attribute, Some(rel)) => {
            let desc = cx.open_relation(rel, LockMode::AccessExclusive)?;
            if desc.relkind != b'c' {
                return Err(wrong_kind(&desc, ObjectType::Type));
            }
            cx.check_owner(&desc)?;
            cx.ddl(|ddl| {
                if ddl.column_by_name(desc.oid, old).is_err() {
                    return Err(pg_err!(UNDEFINED_COLUMN, "column \"{old}\" does not exist"));
                }
                ddl.rename_column(desc.oid, old, new)
            })
        }
        (kind, _) => {
            let (names, wanted) = type_names(kind, stmt.object.as_ref())?;
            alter_type::rename_type(names, wanted, new, cx)
        }
    }
}

/// ALTER ... SET SCHEMA.
pub(crate) fn set_schema(
    stmt: &AlterObjectSchemaStmt,
    cx: &mut CommandContext<'_>,
) -> PgResult<CommandOutcome> {
    let tag = command_tag(&Statement::AlterObjectSchema(Box::new(stmt.clone())));
    if matches!(stmt.object_type, ObjectType::Type | ObjectType::Domain) {
        let (names, wanted) = type_names(stmt.object_type, stmt.object.as_ref())?;
        alter_type::set_schema(names, wanted, &stmt.newschema, cx)?;
        return Ok(CommandOutcome::tag(tag));
    }
    if is_routine(stmt.object_type) {
        let namespace = cx.namespace(&stmt.newschema)?;
        cx.check_create_in(namespace)?;
        let object = signature(stmt.object.as_ref())?;
        routine::alter::set_schema(object, stmt.object_type, namespace, cx)?;
        return Ok(CommandOutcome::tag(tag));
    }
    if stmt.object_type == ObjectType::Operator {
        let namespace = cx.namespace(&stmt.newschema)?;
        crate::operator::set_schema(signature(stmt.object.as_ref())?, namespace, cx)?;
        return Ok(CommandOutcome::tag(tag));
    }
    if crate::object::class_of(stmt.object_type).is_some() {
        let (class, names) = named(stmt.object_type, stmt.object.as_ref())?;
        crate::object::set_schema(class, names, &stmt.newschema, cx)?;
        return Ok(CommandOutcome::tag(tag));
    }
    let Some(rel) = &stmt.relation else {
        return Err(unsupported!(
            "ALTER {} SET SCHEMA is not supported yet",
            object_type_word(stmt.object_type)
        )
        .at(stmt.span));
    };
    let Some(desc) = cx.open_relation_if_exists(rel, LockMode::AccessExclusive)? else {
        missing_relation(rel, stmt.missing_ok, cx)?;
        return Ok(CommandOutcome::tag(tag));
    };
    cx.check_owner(&desc)?;
    if desc.relkind == b'S'
        && let Some((table, _, _)) = cx.ddl(|ddl| crate::sequence::owner_of(ddl, desc.oid))?
    {
        let table = cx.relation(table)?;
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "cannot move an owned sequence into another schema"
        )
        .detail(format!(
            "Sequence \"{}\" is linked to table \"{}\".",
            desc.name, table.name
        )));
    }
    let namespace = cx.namespace(&stmt.newschema)?;
    let temp = cx.catalog.temp_namespace();
    if Some(namespace) == temp || Some(desc.namespace) == temp {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "cannot move objects into or out of temporary schemas"
        ));
    }
    cx.check_create_in(namespace)?;
    cx.ddl(|ddl| ddl.set_relation_namespace(desc.oid, namespace))?;
    Ok(CommandOutcome::tag(tag))
}

/// ALTER ... OWNER TO of what is no relation.
pub(crate) fn set_owner(stmt: &AlterOwnerStmt, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    let tag = command_tag(&Statement::AlterOwner(Box::new(stmt.clone())));
    if matches!(stmt.object_type, ObjectType::Type | ObjectType::Domain) {
        let (names, wanted) = type_names(stmt.object_type, Some(&stmt.object))?;
        let owner = cx.role(&stmt.newowner)?;
        alter_type::set_owner(names, wanted, owner, cx)?;
        return Ok(CommandOutcome::tag(tag));
    }
    if is_routine(stmt.object_type) {
        let owner = cx.role(&stmt.newowner)?;
        routine::alter::set_owner(signature(Some(&stmt.object))?, stmt.object_type, owner, cx)?;
        return Ok(CommandOutcome::tag(tag));
    }
    if stmt.object_type == ObjectType::Operator {
        let owner = cx.role(&stmt.newowner)?;
        crate::operator::set_owner(signature(Some(&stmt.object))?, owner, cx)?;
        return Ok(CommandOutcome::tag(tag));
    }
    if let ObjectName::LargeObject(number) = &stmt.object {
        let owner = cx.role(&stmt.newowner)?;
        let object = crate::object::owned_large_object(number, cx)?;
        cx.check_new_owner(owner, None)?;
        cx.ddl(|ddl| ddl.own_large_object(object, owner))?;
        return Ok(CommandOutcome::tag(tag));
    }
    if crate::object::class_of(stmt.object_type).is_some() {
        let (class, names) = named(stmt.object_type, Some(&stmt.object))?;
        let owner = cx.role(&stmt.newowner)?;
        crate::object::set_owner(class, names, owner, cx)?;
        return Ok(CommandOutcome::tag(tag));
    }
    let (ObjectType::Schema, ObjectName::Name(names)) = (stmt.object_type, &stmt.object) else {
        return Err(unsupported!(
            "ALTER {} OWNER TO is not supported yet",
            object_type_word(stmt.object_type)
        )
        .at(stmt.span));
    };
    let Some(name) = names.last() else {
        return Err(common::internal!("ALTER SCHEMA without a name"));
    };
    let namespace = cx.namespace(name)?;
    let owner = cx.role(&stmt.newowner)?;
    let old = crate::namespace::owner_of(cx, namespace)?;
    if !cx.roles()?.owns(cx.user, old) {
        return Err(must_be_owner(ObjectKind::Schema, name.as_str()));
    }
    cx.ddl(|ddl| ddl.alter_namespace(namespace, &[(pg_namespace::NSPOWNER, Datum::Oid(owner.0))]))?;
    Ok(CommandOutcome::tag(tag))
}
