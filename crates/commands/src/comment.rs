//! COMMENT ON.
//!
//! PG: src/backend/commands/comment.c.

use catalog::ddl::ObjectAddress;
use catalog::oids;
use catalog::privileges::{ObjectKind, must_be_owner};
use common::error::{ErrorExt, Severity};
use common::{PgError, PgResult, pg_err, sqlstate, unsupported};
use parser::ast::{CommentStmt, Ident, ObjectName, ObjectType};
use txn::LockMode;

use crate::classify::object_type_word;
use crate::context::{CommandContext, CommandOutcome};
use crate::lookup::{range_var, wrong_kind};
use crate::routine::find::{address, owned};

/// COMMENT ON.
pub(crate) fn comment(stmt: &CommentStmt, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    let text = stmt.comment.as_deref();
    if let (ObjectName::Name(names), ObjectType::Database) = (&stmt.object, stmt.objtype)
        && let Some(name) = names.last()
    {
        if name.as_str() != &*cx.database_name {
            // As PostgreSQL, so that a dump goes in under another name.
            cx.notice(PgError::notice(
                Severity::Warning,
                sqlstate::UNDEFINED_DATABASE,
                format!("database \"{}\" does not exist", name.as_str()),
            ));
            return Ok(CommandOutcome::tag("COMMENT"));
        }
        let database = crate::role_settings::owned_database(name, cx)?;
        cx.ddl(|ddl| ddl.set_shared_comment(oids::PG_DATABASE, database, text))?;
        return Ok(CommandOutcome::tag("COMMENT"));
    }
    let object = find(stmt, cx)?;
    cx.ddl(|ddl| ddl.set_comment(object, text))?;
    Ok(CommandOutcome::tag("COMMENT"))
}

fn find(stmt: &CommentStmt, cx: &CommandContext<'_>) -> PgResult<ObjectAddress> {
    match (&stmt.object, stmt.objtype) {
        (
            ObjectName::Name(names),
            ObjectType::Table
            | ObjectType::View
            | ObjectType::Index
            | ObjectType::Sequence
            | ObjectType::MatView,
        ) => {
            let desc = cx.open_relation(&range_var(names)?, LockMode::ShareUpdateExclusive)?;
            let fits = match stmt.objtype {
                ObjectType::View => desc.relkind == b'v',
                ObjectType::Index => matches!(desc.relkind, b'i' | b'I'),
                ObjectType::Sequence => desc.relkind == b'S',
                ObjectType::MatView => desc.relkind == b'm',
                _ => matches!(desc.relkind, b'r' | b'p'),
            };
            if !fits {
                return Err(wrong_kind(&desc, stmt.objtype));
            }
            owner(&desc, cx)?;
            Ok(ObjectAddress::new(oids::PG_CLASS, desc.oid))
        }
        (ObjectName::Name(names), ObjectType::Column) => column(names, cx),
        (ObjectName::Name(names), ObjectType::TabConstraint) => constraint(names, cx),
        (ObjectName::Name(names), ObjectType::Schema) => {
            let Some(name) = names.last() else {
                return Err(common::internal!("COMMENT ON SCHEMA without a name"));
            };
            let namespace = cx.namespace(name).map_err(|mut e| {
                e.position = None;
                e
            })?;
            let owner = crate::namespace::owner_of(cx, namespace)?;
            if !cx.roles()?.owns(cx.user, owner) {
                return Err(must_be_owner(ObjectKind::Schema, name.as_str()));
            }
            Ok(ObjectAddress::new(oids::PG_NAMESPACE, namespace))
        }
        (ObjectName::Type(name), ObjectType::Type | ObjectType::Domain) => {
            let view = cx.view()?;
            let found = analyzer::utility::resolve_type_name(name, &cx.analysis(&*view))
                .map_err(crate::alter_type::without_position)?;
            let Some(desc) = view.type_desc(found.oid)? else {
                return Err(common::internal!("cache lookup failed for type {}", found.oid));
            };
            crate::alter_type::check_type_owner(&desc, &*view, cx)?;
            if stmt.objtype == ObjectType::Domain && desc.kind != b'd' {
                return Err(pg_err!(WRONG_OBJECT_TYPE, "\"{}\" is not a domain", desc.name));
            }
            Ok(ObjectAddress::new(oids::PG_TYPE, found.oid))
        }
        (ObjectName::TypeAndName(domain, name), ObjectType::DomConstraint) => {
            let desc = crate::alter_type::owned_type(&domain.names, crate::alter_type::Wanted::Type, cx)?;
            let found = crate::domain::named_constraint(&desc, name.as_str(), cx)?;
            Ok(ObjectAddress::new(oids::PG_CONSTRAINT, found))
        }
        (
            ObjectName::WithArgs(signature),
            kind @ (ObjectType::Function
            | ObjectType::Procedure
            | ObjectType::Routine
            | ObjectType::Aggregate),
        ) => Ok(address(&*owned(signature, kind, cx)?)),
        _ => other_object(stmt, cx),
    }
}

/// Operators, casts, and what is a row with a name.
fn other_object(stmt: &CommentStmt, cx: &CommandContext<'_>) -> PgResult<ObjectAddress> {
    match (&stmt.object, stmt.objtype) {
        (ObjectName::WithArgs(signature), ObjectType::Operator) => {
            Ok(crate::operator::address(&*crate::operator::owned(signature, cx)?))
        }
        (ObjectName::TypePair(source, target), ObjectType::Cast) => {
            crate::cast::find_cast(source, target, cx)?
        }
        (ObjectName::LargeObject(number), ObjectType::LargeObject) => {
            let object = crate::object::owned_large_object(number, cx)?;
            Ok(ObjectAddress::new(oids::PG_LARGEOBJECT, object))
        }
        (ObjectName::Name(names), kind) if let Some(class) = crate::object::class_of(kind) => {
            Ok(crate::object::owned(class, names, cx)?.address())
        }
        (_, kind) => {
            Err(unsupported!("COMMENT ON {} is not supported yet", object_type_word(kind)).at(stmt.span))
        }
    }
}

fn owner(desc: &catalog::desc::RelationDesc, cx: &CommandContext<'_>) -> PgResult<()> {
    if cx.roles()?.owns(cx.user, desc.owner) {
        return Ok(());
    }
    Err(must_be_owner(ObjectKind::of_relkind(desc.relkind), &desc.name))
}

fn column(names: &[Ident], cx: &CommandContext<'_>) -> PgResult<ObjectAddress> {
    let Some((name, table)) = names.split_last().filter(|(_, t)| !t.is_empty()) else {
        return Err(pg_err!(SYNTAX_ERROR, "column name must be qualified"));
    };
    let desc = cx.open_relation(&range_var(table)?, LockMode::ShareUpdateExclusive)?;
    owner(&desc, cx)?;
    let Some(found) = desc.column_by_name(name.as_str()) else {
        return Err(pg_err!(
            UNDEFINED_COLUMN,
            "column \"{}\" of relation \"{}\" does not exist",
            name.as_str(),
            desc.name
        ));
    };
    if !matches!(desc.relkind, b'r' | b'v' | b'm' | b'c' | b'f' | b'p') {
        return Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "cannot set comment on relation \"{}\"",
            desc.name
        )
        .detail(crate::lookup::relkind_detail(desc.relkind)));
    }
    Ok(ObjectAddress::column(desc.oid, found.attno))
}

fn constraint(names: &[Ident], cx: &CommandContext<'_>) -> PgResult<ObjectAddress> {
    let Some((name, table)) = names.split_last() else {
        return Err(common::internal!("constraint without a name"));
    };
    let desc = cx.open_relation(&range_var(table)?, LockMode::ShareUpdateExclusive)?;
    owner(&desc, cx)?;
    match desc.constraints.iter().find(|c| &*c.name == name.as_str()) {
        Some(found) => Ok(ObjectAddress::new(oids::PG_CONSTRAINT, found.oid)),
        None => Err(pg_err!(
            UNDEFINED_OBJECT,
            "constraint \"{}\" for table \"{}\" does not exist",
            name.as_str(),
            desc.name
        )),
    }
}
