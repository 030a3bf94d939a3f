//! DROP TABLE, INDEX, SEQUENCE, VIEW, SCHEMA and types.
//!
//! PG: src/backend/commands/tablecmds.c (`RemoveRelations`), dropcmds.c.

use catalog::ddl::ObjectAddress;
use catalog::ddl::drop::DropBehavior;
use catalog::desc::RelationDesc;
use catalog::oids;
use catalog::privileges::{ObjectKind, must_be_owner};
use common::error::ErrorExt;
use common::{PgResult, pg_err, sqlstate, unsupported};
use parser::ast::{self, DropStmt, Ident, ObjectName, ObjectType, RangeVar};
use txn::LockMode;

use crate::alter_table::check_not_in_use;
use crate::classify::{command_tag, object_type_word};
use crate::context::{CommandContext, CommandOutcome, SessionAction};
use crate::lookup::range_var;
use crate::routine::find::{Found, address, check_owner, find};

/// The catalog crate's word for the behaviour.
pub(crate) fn behavior(behavior: ast::DropBehavior) -> DropBehavior {
    match behavior {
        ast::DropBehavior::Restrict => DropBehavior::Restrict,
        ast::DropBehavior::Cascade => DropBehavior::Cascade,
    }
}

/// DROP.
pub(crate) fn drop_statement(stmt: &DropStmt, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    if stmt.concurrent && drop_concurrently(stmt, cx)? {
        return Ok(CommandOutcome::tag("DROP INDEX"));
    }
    let objects = match stmt.remove_type {
        ObjectType::Table
        | ObjectType::Index
        | ObjectType::Sequence
        | ObjectType::View
        | ObjectType::MatView => relations(stmt, cx)?,
        ObjectType::Schema => schemas(stmt, cx)?,
        ObjectType::Type | ObjectType::Domain => types(stmt, cx)?,
        ObjectType::Function | ObjectType::Procedure | ObjectType::Routine | ObjectType::Aggregate => {
            routines(stmt, cx)?
        }
        ObjectType::Operator => operators(stmt, cx)?,
        ObjectType::Cast => casts(stmt, cx)?,
        kind => match crate::object::class_of(kind) {
            Some(class) => named(class, stmt, cx)?,
            None => other_objects(stmt, cx)?,
        },
    };
    if !objects.is_empty() {
        let how = behavior(stmt.behavior);
        let before = cx.view()?;
        let dropped = cx.ddl(|ddl| ddl.drop_objects(&objects, how))?;
        for object in dropped {
            if object.class == oids::PG_CLASS && object.sub == 0 {
                cx.actions.push(SessionAction::ForgetSequence(object.object));
                let Some(desc) = before.relation(object.object)? else {
                    continue;
                };
                let is_index = matches!(desc.relkind, b'i' | b'I');
                check_not_in_use(&desc, if is_index { "DROP INDEX" } else { "DROP TABLE" }, cx)?;
                if desc.persistence == b't' {
                    cx.actions.push(SessionAction::UsedTemporary);
                }
            }
        }
    }
    let tag = command_tag(&ast::Statement::Drop(Box::new(stmt.clone())));
    Ok(CommandOutcome::tag(tag))
}

/// DROP INDEX CONCURRENTLY; false if there is nothing to it that the ordinary way does not do (or refuse) as well.
fn drop_concurrently(stmt: &DropStmt, cx: &mut CommandContext<'_>) -> PgResult<bool> {
    let [ObjectName::Name(names)] = &stmt.objects[..] else {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "DROP INDEX CONCURRENTLY does not support dropping multiple objects"
        ));
    };
    if stmt.behavior == ast::DropBehavior::Cascade {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "DROP INDEX CONCURRENTLY does not support CASCADE"
        ));
    }
    let Some(desc) = cx.find_relation(&range_var(names)?)? else {
        return Ok(false);
    };
    let Some(info) = desc.index.as_ref().filter(|_| desc.persistence != b't') else {
        return Ok(false);
    };
    check_may_drop(&desc, stmt, cx)?;
    if desc.relkind == b'I' {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "cannot drop partitioned index \"{}\" concurrently",
            desc.name
        ));
    }
    let table = cx.relation(info.table)?;
    if table.constraints.iter().any(|c| c.index == desc.oid) || !desc.inheritance.parents.is_empty() {
        return Ok(false);
    }
    crate::concurrently::drop_index(cx, &desc)?;
    Ok(true)
}

fn relations(stmt: &DropStmt, cx: &mut CommandContext<'_>) -> PgResult<Vec<ObjectAddress>> {
    let mut objects = Vec::new();
    for object in &stmt.objects {
        let ObjectName::Name(names) = object else {
            return Err(common::internal!("DROP of a relation without a name"));
        };
        let rel = range_var(names)?;
        if let Some(found) = relation(&rel, stmt, cx)? {
            objects.push(found);
        }
    }
    Ok(objects)
}

fn relation(rel: &RangeVar, stmt: &DropStmt, cx: &mut CommandContext<'_>) -> PgResult<Option<ObjectAddress>> {
    if let Some(found) = cx.find_relation(rel)?
        && found.relkind == b'i'
        && let Some(index) = &found.index
    {
        // The table first, as everybody else does.
        cx.lock_relation(index.table, LockMode::AccessExclusive)?;
    }
    let Some(desc) = cx.open_relation_if_exists(rel, LockMode::AccessExclusive)? else {
        return missing_relation(rel, stmt, cx).map(|()| None);
    };
    check_may_drop(&desc, stmt, cx)?;
    Ok(Some(ObjectAddress::new(oids::PG_CLASS, desc.oid)))
}

fn check_may_drop(desc: &RelationDesc, stmt: &DropStmt, cx: &CommandContext<'_>) -> PgResult<()> {
    check_kind(desc, stmt.remove_type)?;
    let schema_owner = crate::namespace::owner_of(cx, desc.namespace)?;
    let roles = cx.roles()?;
    if !roles.owns(cx.user, desc.owner) && !roles.owns(cx.user, schema_owner) {
        return Err(must_be_owner(ObjectKind::of_relkind(desc.relkind), &desc.name));
    }
    cx.check_not_system(desc)
}

fn missing_relation(rel: &RangeVar, stmt: &DropStmt, cx: &CommandContext<'_>) -> PgResult<()> {
    let word = object_type_word(stmt.remove_type).to_ascii_lowercase();
    if let Some(schema) = &rel.schema
        && cx.view()?.namespace_by_name(schema.as_str())?.is_none()
    {
        let message = format!("schema \"{}\" does not exist", schema.as_str());
        return cx.skip(stmt.missing_ok, sqlstate::UNDEFINED_SCHEMA, message);
    }
    let code = match stmt.remove_type {
        ObjectType::Index => sqlstate::UNDEFINED_OBJECT,
        _ => sqlstate::UNDEFINED_TABLE,
    };
    // Messages of DROP name the relation without its schema.
    let name = rel.relation.as_str();
    cx.skip(stmt.missing_ok, code, format!("{word} \"{name}\" does not exist"))
}

fn check_kind(desc: &RelationDesc, wanted: ObjectType) -> PgResult<()> {
    let matches = match wanted {
        ObjectType::Table => matches!(desc.relkind, b'r' | b'p'),
        ObjectType::Index => matches!(desc.relkind, b'i' | b'I'),
        ObjectType::Sequence => desc.relkind == b'S',
        ObjectType::View => desc.relkind == b'v',
        _ => desc.relkind == b'm',
    };
    if matches {
        return Ok(());
    }
    let hint = match desc.relkind {
        b'r' | b'p' => "Use DROP TABLE to remove a table.",
        b'i' | b'I' => "Use DROP INDEX to remove an index.",
        b'S' => "Use DROP SEQUENCE to remove a sequence.",
        b'v' => "Use DROP VIEW to remove a view.",
        b'm' => "Use DROP MATERIALIZED VIEW to remove a materialized view.",
        b'c' => "Use DROP TYPE to remove a type.",
        b'f' => "Use DROP FOREIGN TABLE to remove a foreign table.",
        _ => return Err(crate::lookup::wrong_kind(desc, wanted)),
    };
    Err(crate::lookup::wrong_kind(desc, wanted).hint(hint))
}

fn schemas(stmt: &DropStmt, cx: &mut CommandContext<'_>) -> PgResult<Vec<ObjectAddress>> {
    let mut objects = Vec::new();
    for object in &stmt.objects {
        let ObjectName::Name(names) = object else {
            return Err(common::internal!("DROP SCHEMA without a name"));
        };
        let Some(name) = names.last() else { continue };
        let found = cx.view()?.namespace_by_name(name.as_str())?;
        let Some(oid) = found else {
            let message = format!("schema \"{}\" does not exist", name.as_str());
            cx.skip(stmt.missing_ok, sqlstate::UNDEFINED_SCHEMA, message)?;
            continue;
        };
        let owner = crate::namespace::owner_of(cx, oid)?;
        if !cx.roles()?.owns(cx.user, owner) {
            return Err(must_be_owner(ObjectKind::Schema, name.as_str()));
        }
        objects.push(ObjectAddress::new(oids::PG_NAMESPACE, oid));
    }
    Ok(objects)
}

fn types(stmt: &DropStmt, cx: &mut CommandContext<'_>) -> PgResult<Vec<ObjectAddress>> {
    let mut objects = Vec::new();
    for object in &stmt.objects {
        let ObjectName::Type(name) = object else {
            return Err(common::internal!("DROP TYPE without a type name"));
        };
        let names: Vec<&Ident> = name.names.iter().collect();
        let (schema, last) = match names.as_slice() {
            [last] => (None, last.as_str()),
            [schema, last] => (Some(schema.as_str()), last.as_str()),
            _ => return Err(unsupported!("this type name is not supported in DROP").at(name.span)),
        };
        let view = cx.view()?;
        if let Some(schema) = schema
            && view.namespace_by_name(schema)?.is_none()
        {
            let message = format!("schema \"{schema}\" does not exist");
            cx.skip(stmt.missing_ok, sqlstate::UNDEFINED_SCHEMA, message)?;
            continue;
        }
        let Some(desc) = view.type_by_name(schema, last)? else {
            let shown: Vec<&str> = names.iter().map(|n| n.as_str()).collect();
            let message = format!("type \"{}\" does not exist", shown.join("."));
            cx.skip(stmt.missing_ok, sqlstate::UNDEFINED_OBJECT, message)?;
            continue;
        };
        if stmt.remove_type == ObjectType::Domain && desc.kind != b'd' {
            return Err(pg_err!(WRONG_OBJECT_TYPE, "\"{last}\" is not a domain"));
        }
        if !cx.roles()?.owns(cx.user, desc.owner) {
            return Err(must_be_owner(ObjectKind::Type, last));
        }
        objects.push(ObjectAddress::new(oids::PG_TYPE, desc.oid));
    }
    Ok(objects)
}

fn routines(stmt: &DropStmt, cx: &mut CommandContext<'_>) -> PgResult<Vec<ObjectAddress>> {
    let mut objects = Vec::new();
    for object in &stmt.objects {
        let ObjectName::WithArgs(signature) = object else {
            return Err(common::internal!("DROP of a routine without a signature"));
        };
        let found = match find(signature, stmt.remove_type, cx)? {
            Found::Routine(f) => f,
            Found::Missing(e, message) if stmt.missing_ok => {
                cx.skipping(e.sqlstate, &message);
                continue;
            }
            Found::Missing(e, _) => return Err(e),
        };
        if stmt.remove_type == ObjectType::Function && found.kind == b'a' {
            return Err(
                pg_err!(WRONG_OBJECT_TYPE, "\"{}\" is an aggregate function", found.name)
                    .hint("Use DROP AGGREGATE to drop aggregate functions."),
            );
        }
        check_owner(&found, cx)?;
        objects.push(address(&found));
    }
    Ok(objects)
}

fn operators(stmt: &DropStmt, cx: &mut CommandContext<'_>) -> PgResult<Vec<ObjectAddress>> {
    let mut objects = Vec::new();
    for object in &stmt.objects {
        let ObjectName::WithArgs(signature) = object else {
            return Err(common::internal!("DROP OPERATOR without a signature"));
        };
        match crate::operator::owned(signature, cx) {
            Ok(op) => objects.push(crate::operator::address(&op)),
            Err(e) if stmt.missing_ok && e.sqlstate == sqlstate::UNDEFINED_FUNCTION => {
                let shown: Vec<&str> = signature.name.iter().map(Ident::as_str).collect();
                let message = format!("operator {} does not exist", shown.join("."));
                cx.skipping(e.sqlstate, &message);
            }
            Err(e)
                if stmt.missing_ok
                    && matches!(
                        e.sqlstate,
                        sqlstate::UNDEFINED_OBJECT | sqlstate::UNDEFINED_SCHEMA
                    ) =>
            {
                cx.skipping(e.sqlstate, &e.message);
            }
            Err(e) => return Err(e),
        }
    }
    Ok(objects)
}

fn casts(stmt: &DropStmt, cx: &mut CommandContext<'_>) -> PgResult<Vec<ObjectAddress>> {
    let mut objects = Vec::new();
    for object in &stmt.objects {
        let ObjectName::TypePair(source, target) = object else {
            return Err(common::internal!("DROP CAST without its types"));
        };
        match crate::cast::find_cast(source, target, cx)? {
            Ok(found) => objects.push(found),
            Err(e) if stmt.missing_ok => {
                let message = match e.message.starts_with("cast ") {
                    // As written, unlike in the error.
                    true => format!(
                        "cast from type {} to type {} does not exist",
                        crate::routine::find::written(source),
                        crate::routine::find::written(target)
                    ),
                    false => e.message.clone(),
                };
                cx.skipping(e.sqlstate, &message);
            }
            Err(e) => return Err(e),
        }
    }
    Ok(objects)
}

fn named(
    class: catalog::ddl::named::NamedClass,
    stmt: &DropStmt,
    cx: &mut CommandContext<'_>,
) -> PgResult<Vec<ObjectAddress>> {
    let mut objects = Vec::new();
    for object in &stmt.objects {
        let ObjectName::Name(names) = object else {
            return Err(common::internal!("DROP of an object without a name"));
        };
        match crate::object::lookup(class, names, cx)? {
            Ok(found) => {
                crate::object::check_owner(&found, names, cx)?;
                objects.push(found.address());
            }
            Err((e, message)) if stmt.missing_ok => cx.skipping(e.sqlstate, &message),
            Err((e, _)) => return Err(e),
        }
    }
    Ok(objects)
}

/// Kinds that cannot be made yet: nothing of them exists, and that is what is said.
fn other_objects(stmt: &DropStmt, cx: &mut CommandContext<'_>) -> PgResult<Vec<ObjectAddress>> {
    let word = object_type_word(stmt.remove_type).to_ascii_lowercase();
    let known = matches!(
        stmt.remove_type,
        ObjectType::Extension
            | ObjectType::Publication
            | ObjectType::EventTrigger
            | ObjectType::Fdw
            | ObjectType::ForeignServer
            | ObjectType::ForeignTable
    );
    for object in &stmt.objects {
        match object {
            ObjectName::Name(names) if known && stmt.missing_ok => {
                let shown: Vec<&str> = names.iter().map(Ident::as_str).collect();
                let message = format!("{word} \"{}\" does not exist", shown.join("."));
                cx.skipping(sqlstate::UNDEFINED_OBJECT, &message);
            }
            _ => {
                return Err(
                    unsupported!("DROP {} is not supported yet", object_type_word(stmt.remove_type))
                        .at(stmt.span),
                );
            }
        }
    }
    Ok(Vec::new())
}
