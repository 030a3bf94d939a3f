//! Schemas: CREATE SCHEMA, the session's temporary schema.

use std::sync::Arc;

use catalog::columns::{pg_class, pg_namespace};
use catalog::ddl::drop::DropBehavior;
use catalog::ddl::{Ddl, ObjectAddress};
use catalog::oids;
use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err, sqlstate};
use parser::ast::{CreateSchemaStmt, RoleSpecType, Statement};

use crate::context::{CommandContext, CommandOutcome};
use crate::guc::Scope;

/// CREATE SCHEMA with its elements.
pub(crate) fn create_schema(
    stmt: &CreateSchemaStmt,
    cx: &mut CommandContext<'_>,
) -> PgResult<CommandOutcome> {
    let owner = match &stmt.authrole {
        Some(role) => cx.role(role)?,
        None => cx.user,
    };
    let name = match (&stmt.schemaname, &stmt.authrole) {
        (Some(name), _) => name.as_str().to_owned(),
        (None, Some(role)) if !matches!(role.role, RoleSpecType::Public) => cx.role_name(owner)?,
        _ => return Err(common::internal!("CREATE SCHEMA without a name")),
    };
    let roles = cx.roles()?;
    if !roles.is_superuser(cx.user) {
        return check_create_database(cx).and_then(|()| make_schema(stmt, &name, owner, cx));
    }
    make_schema(stmt, &name, owner, cx)
}

fn check_create_database(cx: &CommandContext<'_>) -> PgResult<()> {
    Err(pg_err!(
        INSUFFICIENT_PRIVILEGE,
        "permission denied for database {}",
        cx.database_name
    ))
}

fn make_schema(
    stmt: &CreateSchemaStmt,
    name: &str,
    owner: Oid,
    cx: &mut CommandContext<'_>,
) -> PgResult<CommandOutcome> {
    if stmt.if_not_exists && cx.view()?.namespace_by_name(name)?.is_some() {
        cx.skipping(
            sqlstate::DUPLICATE_SCHEMA,
            &format!("schema \"{name}\" already exists"),
        );
        return Ok(CommandOutcome::tag("CREATE SCHEMA"));
    }
    cx.ddl(|ddl| ddl.create_namespace(name, owner))?;
    // Names without a schema are looked up in the new one first.
    let mark = cx.guc.borrow().mark();
    let outer = cx.guc.borrow().get("search_path").to_owned();
    let mut path = catalog::names::quote_identifier(name).into_owned();
    if !outer.is_empty() {
        path = format!("{path}, {outer}");
    }
    cx.guc.borrow_mut().set("search_path", &path, Scope::Local)?;
    let mut elements: Vec<&Statement> = stmt.schema_elts.iter().collect();
    elements.sort_by_key(|element| rank(element));
    for element in elements {
        let element = with_schema(element, name)?;
        crate::dispatch::execute(&element, cx)?;
    }
    cx.guc.borrow_mut().rollback_to(mark);
    Ok(CommandOutcome::tag("CREATE SCHEMA"))
}

/// The order in which elements are made, whatever theirs is.
fn rank(element: &Statement) -> u8 {
    match element {
        Statement::CreateSeq(_) => 0,
        Statement::Create(_) => 1,
        Statement::View(_) => 2,
        Statement::Index(_) => 3,
        Statement::Grant(_) => 5,
        _ => 4,
    }
}

/// An element of CREATE SCHEMA made in that schema.
fn with_schema(element: &Statement, schema: &str) -> PgResult<Statement> {
    let mut element = element.clone();
    let span = element.span();
    let target = match &mut element {
        Statement::Create(s) => &mut s.relation,
        Statement::View(s) => &mut s.view,
        Statement::CreateSeq(s) => &mut s.sequence,
        Statement::Index(s) => &mut s.relation,
        Statement::Grant(_) => return Ok(element),
        other => {
            return Err(common::unsupported!(
                "{} inside CREATE SCHEMA is not supported yet",
                crate::classify::command_tag(other)
            )
            .at(span));
        }
    };
    match &target.schema {
        Some(given) if given.as_str() != schema => Err(pg_err!(
            INVALID_SCHEMA_DEFINITION,
            "CREATE specifies a schema ({}) different from the one being created ({schema})",
            given.as_str()
        )),
        Some(_) => Ok(element),
        None => {
            target.schema = Some(parser::ast::Ident::new(schema, target.span));
            Ok(element)
        }
    }
}

/// The session's temporary schema, made if need be.
pub(crate) fn ensure_temp(cx: &CommandContext<'_>) -> PgResult<Oid> {
    if let Some(namespace) = cx.catalog.temp_namespace() {
        // Tells the session that the transaction uses it.
        cx.catalog.set_temp_namespace(Some(namespace));
        return Ok(namespace);
    }
    let session = cx.session_number;
    let namespace = cx.ddl(|ddl| ddl.create_temp_namespace(session))?;
    cx.catalog.set_temp_namespace(Some(namespace));
    Ok(namespace)
}

/// Drops everything in the session's temporary schema.
pub(crate) fn drop_temporary_objects(cx: &CommandContext<'_>) -> PgResult<()> {
    let Some(namespace) = cx.catalog.temp_namespace() else {
        return Ok(());
    };
    cx.ddl(|ddl| {
        let objects = relations_in(ddl, namespace)?;
        if !objects.is_empty() {
            ddl.drop_objects(&objects, DropBehavior::Cascade)?;
            ddl.notices.clear();
        }
        Ok(())
    })
}

/// Tables, views, sequences of a schema (indexes go with their tables).
pub(crate) fn relations_in(ddl: &Ddl<'_>, namespace: Oid) -> PgResult<Vec<ObjectAddress>> {
    let rows = ddl.store.scan(oids::PG_CLASS)?;
    let mut found: Vec<(Oid, u8)> = rows
        .iter()
        .filter(|row| row.oid(pg_class::RELNAMESPACE) == namespace)
        .map(|row| (row.oid(pg_class::OID), row.char(pg_class::RELKIND)))
        .filter(|(_, kind)| !matches!(kind, b'i' | b'I' | b't' | b'c'))
        .collect();
    found.sort_by_key(|(oid, _)| *oid);
    // Sequences that belong to a column go with it.
    let mut objects = Vec::new();
    for (oid, kind) in found {
        let owned = kind == b'S' && crate::sequence::owner_of(ddl, oid)?.is_some();
        if !owned {
            objects.push(ObjectAddress::new(oids::PG_CLASS, oid));
        }
    }
    Ok(objects)
}

/// The name of a schema for messages.
pub(crate) fn name_of(cx: &CommandContext<'_>, namespace: Oid) -> PgResult<Arc<str>> {
    Ok(cx
        .view()?
        .namespace_name(namespace)?
        .unwrap_or_else(|| "???".into()))
}

/// The owner of a schema.
pub(crate) fn owner_of(cx: &CommandContext<'_>, namespace: Oid) -> PgResult<Oid> {
    cx.ddl(|ddl| {
        let rows = ddl.store.scan(oids::PG_NAMESPACE)?;
        let row = rows.iter().find(|row| row.oid(pg_namespace::OID) == namespace);
        row.map(|row| row.oid(pg_namespace::NSPOWNER))
            .ok_or_else(|| common::internal!("cache lookup failed for namespace {namespace}"))
    })
}
