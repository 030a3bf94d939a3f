//! GRANT and REVOKE on tables, sequences, schemas, routines and large objects.
//!
//! PG: src/backend/catalog/aclchk.c.

use std::sync::Arc;

use catalog::columns::{pg_attribute, pg_class, pg_namespace, pg_proc};
use catalog::desc::FunctionDesc;
use catalog::oids;
use catalog::privileges::{AclItem, GrantOption, ObjectKind, Privilege, RevokeWhat, default_acl};
use common::error::{ErrorExt, Severity};
use common::{Oid, PgError, PgResult, pg_err, sqlstate, unsupported};
use parser::ast::{
    AccessPriv, DropBehavior, GrantStmt, GrantTargetType, Ident, ObjectName, ObjectType, RoleSpecType,
};
use txn::LockMode;
use types::{ArrayValue, Datum, oids as t};

use crate::classify::object_type_word;
use crate::context::{CommandContext, CommandOutcome};
use crate::lookup::range_var;
use crate::object::existing_large_object;
use crate::routine::find::{Found, find, object_kind};

/// Where an ACL is.
#[derive(Clone, Copy, Debug)]
enum Place {
    Relation(Oid),
    Column(Oid, i16),
    Schema(Oid),
    Routine(Oid),
    LargeObject(Oid),
}

/// An object with the ACL to change.
struct Target {
    place: Place,
    kind: ObjectKind,
    name: String,
    owner: Oid,
    acl: Option<Vec<Datum>>,
}

/// The privileges a kind of object has.
fn all_privileges(kind: ObjectKind) -> &'static [Privilege] {
    use Privilege as P;
    match kind {
        ObjectKind::Sequence => &[P::Select, P::Update, P::Usage],
        ObjectKind::Schema => &[P::Usage, P::Create],
        ObjectKind::LargeObject => &[P::Select, P::Update],
        ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Aggregate => &[P::Execute],
        _ => &[
            P::Insert,
            P::Select,
            P::Update,
            P::Delete,
            P::Truncate,
            P::References,
            P::Trigger,
            P::Maintain,
        ],
    }
}

const COLUMN_PRIVILEGES: [Privilege; 4] = [
    Privilege::Insert,
    Privilege::Select,
    Privilege::Update,
    Privilege::References,
];

fn privilege(name: &str) -> PgResult<Privilege> {
    use Privilege as P;
    Ok(match name {
        "insert" => P::Insert,
        "select" => P::Select,
        "update" => P::Update,
        "delete" => P::Delete,
        "truncate" => P::Truncate,
        "references" => P::References,
        "trigger" => P::Trigger,
        "execute" => P::Execute,
        "usage" => P::Usage,
        "create" => P::Create,
        "temporary" | "temp" => P::Temporary,
        "connect" => P::Connect,
        "set" => P::Set,
        "alter system" => P::AlterSystem,
        "maintain" => P::Maintain,
        other => return Err(pg_err!(SYNTAX_ERROR, "unrecognized privilege type \"{other}\"")),
    })
}

fn privilege_word(privilege: Privilege) -> &'static str {
    use Privilege as P;
    match privilege {
        P::Insert => "INSERT",
        P::Select => "SELECT",
        P::Update => "UPDATE",
        P::Delete => "DELETE",
        P::Truncate => "TRUNCATE",
        P::References => "REFERENCES",
        P::Trigger => "TRIGGER",
        P::Execute => "EXECUTE",
        P::Usage => "USAGE",
        P::Create => "CREATE",
        P::Temporary => "TEMP",
        P::Connect => "CONNECT",
        P::Set => "SET",
        P::AlterSystem => "ALTER SYSTEM",
        P::Maintain => "MAINTAIN",
    }
}

/// GRANT or REVOKE of privileges.
pub(crate) fn grant(stmt: &GrantStmt, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    if stmt.targtype == GrantTargetType::Defaults {
        return Err(unsupported!("ALTER DEFAULT PRIVILEGES is not supported yet").at(stmt.span));
    }
    if let Some(grantor) = &stmt.grantor
        && cx.role(grantor)? != cx.user
    {
        return Err(pg_err!(FEATURE_NOT_SUPPORTED, "grantor must be current user"));
    }
    let mut grantees: Vec<Arc<str>> = Vec::new();
    for grantee in &stmt.grantees {
        grantees.push(match grantee.role {
            RoleSpecType::Public => "".into(),
            _ => {
                let role = cx.role(grantee)?;
                cx.role_name(role)?.into()
            }
        });
    }
    if stmt.is_grant && stmt.grant_option && grantees.iter().any(|g| g.is_empty()) {
        return Err(pg_err!(
            INVALID_GRANT_OPERATION,
            "grant options can only be granted to roles"
        ));
    }
    for target in targets(stmt, cx)? {
        change(&target, stmt, &grantees, cx)?;
    }
    Ok(CommandOutcome::tag(if stmt.is_grant {
        "GRANT"
    } else {
        "REVOKE"
    }))
}

fn targets(stmt: &GrantStmt, cx: &CommandContext<'_>) -> PgResult<Vec<Target>> {
    match (stmt.objtype, stmt.targtype) {
        (ObjectType::Table | ObjectType::Sequence, GrantTargetType::Object) => {
            let mut found = Vec::new();
            for object in &stmt.objects {
                let ObjectName::Name(names) = object else {
                    return Err(common::internal!("GRANT on a relation without a name"));
                };
                let desc = cx.open_relation(&range_var(names)?, LockMode::AccessShare)?;
                found.push(relation_target(&desc, stmt.objtype)?);
            }
            Ok(found)
        }
        (ObjectType::Table | ObjectType::Sequence, _) => all_in_schemas(stmt, cx),
        (ObjectType::Schema, GrantTargetType::Object) => {
            let mut found = Vec::new();
            for object in &stmt.objects {
                let ObjectName::Name(names) = object else {
                    return Err(common::internal!("GRANT on a schema without a name"));
                };
                let Some(name) = names.last() else { continue };
                found.push(schema_target(name, cx)?);
            }
            Ok(found)
        }
        (
            kind @ (ObjectType::Function | ObjectType::Procedure | ObjectType::Routine),
            GrantTargetType::Object,
        ) => {
            let mut found = Vec::new();
            for object in &stmt.objects {
                let ObjectName::WithArgs(signature) = object else {
                    return Err(common::internal!("GRANT on a routine without a signature"));
                };
                match find(signature, kind, cx)? {
                    Found::Routine(f) => found.push(routine_target(&f)),
                    Found::Missing(e, _) => return Err(e),
                }
            }
            Ok(found)
        }
        (ObjectType::LargeObject, GrantTargetType::Object) => {
            let objects = stmt.objects.iter();
            objects.map(|object| large_object_target(object, cx)).collect()
        }
        (kind, _) => Err(unsupported!(
            "GRANT and REVOKE on {} are not supported yet",
            object_type_word(kind)
        )
        .at(stmt.span)),
    }
}

fn relation_target(desc: &catalog::desc::RelationDesc, wanted: ObjectType) -> PgResult<Target> {
    if matches!(desc.relkind, b'i' | b'I') {
        return Err(pg_err!(WRONG_OBJECT_TYPE, "\"{}\" is an index", desc.name));
    }
    if desc.relkind == b'c' {
        return Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "\"{}\" is a composite type",
            desc.name
        ));
    }
    if wanted == ObjectType::Sequence && desc.relkind != b'S' {
        return Err(pg_err!(WRONG_OBJECT_TYPE, "\"{}\" is not a sequence", desc.name));
    }
    let kind = match desc.relkind {
        b'S' => ObjectKind::Sequence,
        _ => ObjectKind::of_relkind(desc.relkind),
    };
    Ok(Target {
        place: Place::Relation(desc.oid),
        kind,
        name: desc.name.to_string(),
        owner: desc.owner,
        acl: desc.acl.clone(),
    })
}

fn routine_target(f: &FunctionDesc) -> Target {
    Target {
        place: Place::Routine(f.oid),
        kind: object_kind(f),
        name: f.name.to_string(),
        owner: f.owner,
        acl: f.acl.clone(),
    }
}

fn large_object_target(object: &ObjectName, cx: &CommandContext<'_>) -> PgResult<Target> {
    let ObjectName::LargeObject(number) = object else {
        return Err(common::internal!("GRANT on a large object without a number"));
    };
    let (oid, found) = existing_large_object(number, cx)?;
    Ok(Target {
        place: Place::LargeObject(oid),
        kind: ObjectKind::LargeObject,
        // PostgreSQL says "large object" twice, too.
        name: format!("large object {oid}"),
        owner: found.owner,
        acl: found.acl,
    })
}

fn schema_target(name: &Ident, cx: &CommandContext<'_>) -> PgResult<Target> {
    let namespace = cx.namespace(name).map_err(|mut e| {
        e.position = None;
        e
    })?;
    let (owner, acl) = cx.ddl(|ddl| {
        let rows = ddl.store.scan(oids::PG_NAMESPACE)?;
        let row = rows.iter().find(|row| row.oid(pg_namespace::OID) == namespace);
        row.map(|row| {
            let acl = row.list_opt(pg_namespace::NSPACL).map(<[Datum]>::to_vec);
            (row.oid(pg_namespace::NSPOWNER), acl)
        })
        .ok_or_else(|| common::internal!("cache lookup failed for namespace {namespace}"))
    })?;
    Ok(Target {
        place: Place::Schema(namespace),
        kind: ObjectKind::Schema,
        name: name.as_str().to_owned(),
        owner,
        acl,
    })
}

fn all_in_schemas(stmt: &GrantStmt, cx: &CommandContext<'_>) -> PgResult<Vec<Target>> {
    let mut found = Vec::new();
    for object in &stmt.objects {
        let ObjectName::Name(names) = object else { continue };
        let Some(name) = names.last() else { continue };
        let namespace = cx.namespace(name)?;
        let relations: Vec<Oid> = cx.ddl(|ddl| {
            let rows = ddl.store.scan(oids::PG_CLASS)?;
            let wanted = rows.iter().filter(|row| {
                let kind = row.char(pg_class::RELKIND);
                row.oid(pg_class::RELNAMESPACE) == namespace
                    && match stmt.objtype {
                        ObjectType::Sequence => kind == b'S',
                        _ => matches!(kind, b'r' | b'v' | b'm' | b'f' | b'p'),
                    }
            });
            Ok(wanted.map(|row| row.oid(pg_class::OID)).collect())
        })?;
        for oid in relations {
            found.push(relation_target(&*cx.relation(oid)?, stmt.objtype)?);
        }
    }
    Ok(found)
}

/// The privileges named, for the whole object and for columns.
fn wanted(
    target: &Target,
    stmt: &GrantStmt,
) -> PgResult<(Vec<Privilege>, Vec<(Vec<Privilege>, Vec<Ident>)>)> {
    let all = all_privileges(target.kind);
    if stmt.privileges.is_empty() {
        return Ok((all.to_vec(), Vec::new()));
    }
    let mut whole = Vec::new();
    let mut columns = Vec::new();
    for item in &stmt.privileges {
        let AccessPriv { priv_name, cols, .. } = item;
        if cols.is_empty() {
            let name = priv_name.as_deref().unwrap_or_default();
            let found = privilege(name)?;
            if !all.contains(&found) {
                // Sequences take some privileges of tables for compatibility.
                return Err(pg_err!(
                    INVALID_GRANT_OPERATION,
                    "invalid privilege type {} for {}",
                    privilege_word(found),
                    if target.kind == ObjectKind::View {
                        "table"
                    } else {
                        target.kind.word()
                    }
                ));
            }
            whole.push(found);
            continue;
        }
        let which = match priv_name {
            None => COLUMN_PRIVILEGES.to_vec(),
            Some(name) => {
                let found = privilege(name)?;
                if !COLUMN_PRIVILEGES.contains(&found) {
                    return Err(pg_err!(
                        INVALID_GRANT_OPERATION,
                        "invalid privilege type {} for column",
                        privilege_word(found)
                    ));
                }
                vec![found]
            }
        };
        columns.push((which, cols.clone()));
    }
    Ok((whole, columns))
}

fn change(target: &Target, stmt: &GrantStmt, grantees: &[Arc<str>], cx: &CommandContext<'_>) -> PgResult<()> {
    let (whole, columns) = wanted(target, stmt)?;
    let roles = cx.roles()?;
    if !roles.owns(cx.user, target.owner) && !holds_options(target, cx)? {
        return Err(catalog::privileges::permission_denied(target.kind, &target.name));
    }
    let owner = cx.role_name(target.owner)?;
    if !whole.is_empty() {
        let acl = changed(target.acl.as_deref(), target.kind, &owner, stmt, grantees, &whole)?;
        store(target.place, acl, cx)?;
    }
    let Place::Relation(relation) = target.place else {
        return Ok(());
    };
    for (privileges, names) in columns {
        for name in names {
            let desc = cx.relation(relation)?;
            let Some(column) = desc.column_by_name(name.as_str()) else {
                return Err(pg_err!(
                    UNDEFINED_COLUMN,
                    "column \"{}\" of relation \"{}\" does not exist",
                    name.as_str(),
                    desc.name
                ));
            };
            let old: Vec<Datum> = column.acl.clone().unwrap_or_default();
            let acl = changed(Some(&old), target.kind, &owner, stmt, grantees, &privileges)?;
            store(Place::Column(relation, column.attno), acl, cx)?;
        }
    }
    Ok(())
}

/// Someone who is not the owner may pass on what was granted with grant option.
fn holds_options(target: &Target, cx: &CommandContext<'_>) -> PgResult<bool> {
    let me = cx.role_name(cx.user)?;
    let items = target.acl.iter().flatten().filter_map(Datum::as_str);
    let mut mine = items.filter_map(AclItem::parse).filter(|i| *i.grantee == *me);
    let holds = mine.any(|i| i.grant_options != 0);
    if holds {
        cx.notice(PgError::notice(
            Severity::Debug,
            sqlstate::SUCCESSFUL_COMPLETION,
            "grant options are checked for the object as a whole",
        ));
    }
    Ok(holds)
}

/// The ACL after the statement.
fn changed(
    old: Option<&[Datum]>,
    kind: ObjectKind,
    owner: &str,
    stmt: &GrantStmt,
    grantees: &[Arc<str>],
    privileges: &[Privilege],
) -> PgResult<Vec<AclItem>> {
    let mut acl: Vec<AclItem> = match old {
        Some(items) => items
            .iter()
            .filter_map(Datum::as_str)
            .filter_map(AclItem::parse)
            .collect(),
        None => {
            let mut items = default_acl(kind, owner);
            // The owner's entry comes first when it is written out.
            items.sort_by_key(|i| i.grantee.is_empty());
            items
        }
    };
    for grantee in grantees {
        let same = |i: &AclItem| i.grantee == *grantee && *i.grantor == *owner;
        if stmt.is_grant {
            let at = match acl.iter().position(same) {
                Some(at) => at,
                None => {
                    acl.push(AclItem {
                        grantee: grantee.clone(),
                        grantor: owner.into(),
                        privileges: 0,
                        grant_options: 0,
                    });
                    acl.len() - 1
                }
            };
            let option = if stmt.grant_option {
                GrantOption::With
            } else {
                GrantOption::Without
            };
            for privilege in privileges {
                acl[at].grant(*privilege, option);
            }
            continue;
        }
        let what = if stmt.grant_option {
            RevokeWhat::GrantOption
        } else {
            RevokeWhat::Privilege
        };
        check_dependents(&acl, grantee, privileges, stmt)?;
        if let Some(at) = acl.iter().position(same) {
            for privilege in privileges {
                acl[at].revoke(*privilege, what);
            }
        }
    }
    acl.retain(|i| i.privileges != 0);
    Ok(acl)
}

/// Privileges passed on by the one who loses them need CASCADE.
fn check_dependents(
    acl: &[AclItem],
    grantee: &str,
    privileges: &[Privilege],
    stmt: &GrantStmt,
) -> PgResult<()> {
    if grantee.is_empty() || stmt.behavior == DropBehavior::Cascade {
        return Ok(());
    }
    let passed_on = acl
        .iter()
        .any(|i| *i.grantor == *grantee && *i.grantee != *grantee && privileges.iter().any(|p| i.has(*p)));
    let from_owner = acl
        .iter()
        .any(|i| *i.grantee == *grantee && *i.grantor == *grantee);
    if passed_on && !from_owner {
        return Err(
            pg_err!(DEPENDENT_OBJECTS_STILL_EXIST, "dependent privileges exist")
                .hint("Use CASCADE to revoke them too."),
        );
    }
    Ok(())
}

fn store(place: Place, acl: Vec<AclItem>, cx: &CommandContext<'_>) -> PgResult<()> {
    let elements = acl.iter().map(|i| Datum::text(i.to_string())).collect();
    let mut value = Datum::Array(Arc::new(ArrayValue::from_elements(t::ACLITEM, elements)));
    if acl.is_empty() && matches!(place, Place::Column(..)) {
        value = Datum::Null;
    }
    cx.ddl(|ddl| match place {
        Place::Relation(oid) => ddl.alter_relation(oid, &[(pg_class::RELACL, value)]),
        Place::Column(oid, attno) => ddl.alter_column(oid, attno, &[(pg_attribute::ATTACL, value)]),
        Place::Routine(oid) => ddl.alter_routine(oid, &[(pg_proc::PROACL, value)]),
        Place::Schema(oid) => ddl.alter_namespace(oid, &[(pg_namespace::NSPACL, value)]),
        Place::LargeObject(oid) => ddl.open_large_object(oid, value),
    })
}
