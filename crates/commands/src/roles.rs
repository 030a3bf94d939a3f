//! CREATE, ALTER and DROP ROLE, and memberships.
//!
//! PG: src/backend/commands/user.c.

use catalog::columns::{pg_authid, pg_class, pg_namespace};
use catalog::ddl::roles::{MembershipOptions, NewRole};
use catalog::oids;
use common::error::{ErrorExt, Severity};
use common::{Oid, PgError, PgResult, pg_err, sqlstate};
use parser::ast::{
    AlterRoleStmt, CreateRoleStmt, DefArg, DefElem, DropRoleStmt, GrantRoleStmt, RoleSpec, RoleSpecType,
    RoleStmtType,
};
use types::Datum;

use crate::context::{CommandContext, CommandOutcome};
use crate::options::{boolean, conflicting, int4, text};

/// Options as written.
#[derive(Default)]
struct Options<'a> {
    flags: Vec<(&'a str, bool)>,
    connection_limit: Option<i32>,
    /// `Some(None)` is PASSWORD NULL.
    password: Option<Option<String>>,
    valid_until: Option<i64>,
    roles: Vec<(&'a str, Vec<RoleSpec>)>,
}

impl Options<'_> {
    fn flag(&self, name: &str) -> Option<bool> {
        self.flags.iter().find(|(n, _)| *n == name).map(|(_, on)| *on)
    }
}

fn role_list(option: &DefElem) -> Vec<RoleSpec> {
    let one = |arg: &DefArg| match arg {
        DefArg::Role(role) => Some(role.clone()),
        _ => None,
    };
    match &option.arg {
        Some(DefArg::List(items)) => items.iter().filter_map(one).collect(),
        Some(arg) => one(arg).into_iter().collect(),
        None => Vec::new(),
    }
}

fn read<'a>(list: &'a [DefElem], cx: &CommandContext<'_>) -> PgResult<Options<'a>> {
    let mut o = Options::default();
    let mut seen: Vec<&str> = Vec::new();
    for option in list {
        let name = option.name.as_str();
        if name == "sysid" {
            let message = "SYSID can no longer be specified";
            cx.notice(PgError::notice(
                Severity::Notice,
                sqlstate::SUCCESSFUL_COMPLETION,
                message,
            ));
            continue;
        }
        if seen.contains(&name) {
            return Err(conflicting(option));
        }
        seen.push(name);
        match name {
            "superuser" | "inherit" | "createrole" | "createdb" | "canlogin" | "isreplication"
            | "bypassrls" => {
                o.flags.push((name, boolean(option)?));
            }
            "connectionlimit" => {
                let limit = int4(option)?;
                if limit < -1 {
                    return Err(pg_err!(
                        INVALID_PARAMETER_VALUE,
                        "invalid connection limit: {limit}"
                    ));
                }
                o.connection_limit = Some(limit);
            }
            "password" => {
                o.password = Some(match &option.arg {
                    None => None,
                    Some(_) => Some(text(option)?),
                });
            }
            "validUntil" => o.valid_until = Some(timestamp(&text(option)?, cx)?),
            "rolemembers" | "adminmembers" | "addroleto" => o.roles.push((name, role_list(option))),
            other => return Err(common::internal!("option \"{other}\" not recognized")),
        }
    }
    Ok(o)
}

fn timestamp(text: &str, cx: &CommandContext<'_>) -> PgResult<i64> {
    let io = types::io::IoContext::new(&cx.settings);
    let value = types::io::input(types::oids::TIMESTAMPTZ, -1, text, &io)?;
    value
        .as_i64()
        .ok_or_else(|| common::internal!("timestamp input gave no timestamp"))
}

/// The stored form of a password: a verifier as it is, anything else hashed. Empty ones are no passwords.
fn stored_password(password: Option<String>, cx: &CommandContext<'_>) -> PgResult<Option<String>> {
    let Some(password) = password else {
        return Ok(None);
    };
    if password.is_empty() {
        cx.notice(PgError::notice(
            Severity::Notice,
            sqlstate::SUCCESSFUL_COMPLETION,
            "empty string is not a valid password, clearing password",
        ));
        return Ok(None);
    }
    if password.starts_with("SCRAM-SHA-256$") {
        return Ok(Some(password));
    }
    let mut salt = [0u8; 16];
    cx.env.fill_random(&mut salt);
    let iterations = cx.guc.borrow().get_number("scram_iterations") as u32;
    Ok(Some(crate::scram::verifier(&password, &salt, iterations.max(1))))
}

/// CREATEROLE may make roles, but only superusers give what is above it.
fn check_privilege(o: &Options<'_>, what: &str, cx: &CommandContext<'_>) -> PgResult<()> {
    let roles = cx.roles()?;
    if roles.is_superuser(cx.user) {
        return Ok(());
    }
    let create_role = roles.get(cx.user).is_some_and(|r| r.create_role);
    if !create_role {
        return Err(pg_err!(INSUFFICIENT_PRIVILEGE, "permission denied to {what}")
            .detail("Only roles with the CREATEROLE attribute may create roles."));
    }
    for (flag, word) in [
        ("superuser", "SUPERUSER"),
        ("createdb", "CREATEDB"),
        ("isreplication", "REPLICATION"),
        ("bypassrls", "BYPASSRLS"),
    ] {
        if o.flag(flag) == Some(true) {
            return Err(
                pg_err!(INSUFFICIENT_PRIVILEGE, "permission denied to {what}").detail(format!(
                    "Only roles with the {word} attribute may create roles with the {word} attribute."
                )),
            );
        }
    }
    Ok(())
}

/// CREATE ROLE, USER, GROUP.
pub(crate) fn create_role(stmt: &CreateRoleStmt, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    let o = read(&stmt.options, cx)?;
    check_privilege(&o, "create role", cx)?;
    let mut new = NewRole::new(stmt.role.as_str());
    new.can_login = o.flag("canlogin").unwrap_or(stmt.stmt_type == RoleStmtType::User);
    new.superuser = o.flag("superuser").unwrap_or(false);
    new.inherit = o.flag("inherit").unwrap_or(true);
    new.create_role = o.flag("createrole").unwrap_or(false);
    new.create_db = o.flag("createdb").unwrap_or(false);
    new.replication = o.flag("isreplication").unwrap_or(false);
    new.bypass_rls = o.flag("bypassrls").unwrap_or(false);
    new.connection_limit = o.connection_limit.unwrap_or(-1);
    new.password = stored_password(o.password.clone().flatten(), cx)?;
    new.valid_until = o.valid_until;
    let role = cx.ddl(|ddl| ddl.create_role(&new)).map_err(|e| {
        if e.sqlstate == sqlstate::RESERVED_NAME && e.detail.is_none() {
            e.at(stmt.role.span)
        } else {
            e
        }
    })?;
    memberships(role, &o, cx)?;
    Ok(CommandOutcome::tag("CREATE ROLE"))
}

fn memberships(role: Oid, o: &Options<'_>, cx: &CommandContext<'_>) -> PgResult<()> {
    for (kind, names) in &o.roles {
        for name in names {
            let other = cx.role(name)?;
            match *kind {
                "addroleto" => join(other, role, false, cx)?,
                "adminmembers" => join(role, other, true, cx)?,
                _ => join(role, other, false, cx)?,
            }
        }
    }
    Ok(())
}

/// Makes `member` a member of `role`.
fn join(role: Oid, member: Oid, admin: bool, cx: &CommandContext<'_>) -> PgResult<()> {
    let roles = cx.roles()?;
    if role == member || roles.is_member_of(role, member) {
        return Err(pg_err!(
            INVALID_GRANT_OPERATION,
            "role \"{}\" is a member of role \"{}\"",
            cx.role_name(role)?,
            cx.role_name(member)?
        ));
    }
    let options = MembershipOptions {
        admin,
        inherit: roles.get(member).is_none_or(|r| r.inherit),
        set: true,
    };
    cx.ddl(|ddl| ddl.grant_role(role, member, options))
}

/// The name of a role that must exist.
fn existing_name(role: &RoleSpec, cx: &CommandContext<'_>) -> PgResult<String> {
    let oid = cx.role(role)?;
    cx.role_name(oid)
}

/// ALTER ROLE with options; ALTER GROUP ADD/DROP USER.
pub(crate) fn alter_role(stmt: &AlterRoleStmt, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    let o = read(&stmt.options, cx)?;
    let name = existing_name(&stmt.role, cx)?;
    let role = cx.role(&stmt.role)?;
    let only_password = stmt.options.iter().all(|p| p.name == "password");
    if !(only_password && role == cx.user) {
        check_privilege(&o, "alter role", cx)?;
    }
    use pg_authid::*;
    let mut changes: Vec<(usize, Datum)> = Vec::new();
    for (flag, column) in [
        ("superuser", ROLSUPER),
        ("inherit", ROLINHERIT),
        ("createrole", ROLCREATEROLE),
        ("createdb", ROLCREATEDB),
        ("canlogin", ROLCANLOGIN),
        ("isreplication", ROLREPLICATION),
        ("bypassrls", ROLBYPASSRLS),
    ] {
        if let Some(on) = o.flag(flag) {
            changes.push((column, Datum::Bool(on)));
        }
    }
    if let Some(limit) = o.connection_limit {
        changes.push((ROLCONNLIMIT, Datum::Int4(limit)));
    }
    if let Some(password) = o.password.clone() {
        let stored = stored_password(password, cx)?;
        changes.push((ROLPASSWORD, stored.map_or(Datum::Null, Datum::text)));
    }
    if let Some(until) = o.valid_until {
        changes.push((ROLVALIDUNTIL, Datum::Int8(until)));
    }
    cx.ddl(|ddl| ddl.alter_role(&name, &changes))?;
    if stmt.action < 0 {
        for (_, members) in &o.roles {
            for member in members {
                let member = cx.role(member)?;
                cx.ddl(|ddl| ddl.revoke_role(role, member))?;
            }
        }
    } else {
        memberships(role, &o, cx)?;
    }
    Ok(CommandOutcome::tag("ALTER ROLE"))
}

/// ALTER ROLE ... RENAME.
pub(crate) fn rename(old: &str, new: &str, cx: &CommandContext<'_>) -> PgResult<()> {
    check_privilege(&Options::default(), "rename role", cx)?;
    let roles = cx.roles()?;
    let Some(role) = roles.by_name(old) else {
        return Err(pg_err!(UNDEFINED_OBJECT, "role \"{old}\" does not exist"));
    };
    if role.oid == cx.session_user {
        return Err(pg_err!(FEATURE_NOT_SUPPORTED, "session user cannot be renamed"));
    }
    if role.oid == cx.user {
        return Err(pg_err!(FEATURE_NOT_SUPPORTED, "current user cannot be renamed"));
    }
    if roles.by_name(new).is_some() {
        return Err(pg_err!(DUPLICATE_OBJECT, "role \"{new}\" already exists"));
    }
    if new.starts_with("pg_") {
        return Err(pg_err!(RESERVED_NAME, "role name \"{new}\" is reserved")
            .detail("Role names starting with \"pg_\" are reserved."));
    }
    cx.ddl(|ddl| ddl.alter_role(old, &[(pg_authid::ROLNAME, Datum::text(new))]))?;
    Ok(())
}

/// DROP ROLE.
pub(crate) fn drop_role(stmt: &DropRoleStmt, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    check_privilege(&Options::default(), "drop role", cx)?;
    for spec in &stmt.roles {
        let RoleSpecType::CString(name) = &spec.role else {
            return Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "cannot use special role specifier in DROP ROLE"
            ));
        };
        let roles = cx.roles()?;
        let Some(role) = roles.by_name(name) else {
            let message = format!("role \"{name}\" does not exist");
            cx.skip(stmt.missing_ok, sqlstate::UNDEFINED_OBJECT, message)?;
            continue;
        };
        if role.oid == cx.user {
            return Err(pg_err!(OBJECT_IN_USE, "current user cannot be dropped"));
        }
        if role.oid == cx.session_user {
            return Err(pg_err!(OBJECT_IN_USE, "session user cannot be dropped"));
        }
        check_nothing_depends(role.oid, name, cx)?;
        cx.ddl(|ddl| ddl.drop_role(name))?;
    }
    Ok(CommandOutcome::tag("DROP ROLE"))
}

/// What a role owns or has privileges on keeps it alive.
fn check_nothing_depends(role: Oid, name: &str, cx: &CommandContext<'_>) -> PgResult<()> {
    let lines = cx.ddl(|ddl| {
        let mut lines: Vec<String> = Vec::new();
        let grants = |acl: &[Datum]| {
            let name = catalog::privileges::role_identifier(name);
            acl.iter()
                .filter_map(Datum::as_str)
                .any(|item| item.starts_with(&format!("{name}=")))
        };
        for row in ddl.store.scan(oids::PG_NAMESPACE)? {
            let schema = row.text(pg_namespace::NSPNAME);
            if row.oid(pg_namespace::NSPOWNER) == role {
                lines.push(format!("owner of schema {schema}"));
            } else if grants(row.list(pg_namespace::NSPACL)) {
                lines.push(format!("privileges for schema {schema}"));
            }
        }
        for row in ddl.store.scan(oids::PG_CLASS)? {
            let oid = row.oid(pg_class::OID);
            if matches!(row.char(pg_class::RELKIND), b'i' | b'I' | b't') || oid < Oid::FIRST_NORMAL {
                continue;
            }
            let object = catalog::ddl::ObjectAddress::new(oids::PG_CLASS, oid);
            if row.oid(pg_class::RELOWNER) == role {
                lines.push(format!("owner of {}", ddl.describe(object)?));
            } else if grants(row.list(pg_class::RELACL)) {
                lines.push(format!("privileges for {}", ddl.describe(object)?));
            }
        }
        Ok(lines)
    })?;
    if lines.is_empty() {
        return Ok(());
    }
    Err(pg_err!(
        DEPENDENT_OBJECTS_STILL_EXIST,
        "role \"{name}\" cannot be dropped because some objects depend on it"
    )
    .detail(lines.join("\n")))
}

/// GRANT role TO member, REVOKE role FROM member.
pub(crate) fn grant_role(stmt: &GrantRoleStmt, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    let admin = stmt
        .opt
        .iter()
        .any(|o| o.name == "admin" && boolean(o).unwrap_or(false));
    for granted in &stmt.granted_roles {
        let name = granted.priv_name.as_deref().unwrap_or_default();
        let roles = cx.roles()?;
        let Some(role) = roles.by_name(name).map(|r| r.oid) else {
            return Err(pg_err!(UNDEFINED_OBJECT, "role \"{name}\" does not exist"));
        };
        if !roles.is_superuser(cx.user) {
            return Err(pg_err!(
                INSUFFICIENT_PRIVILEGE,
                "permission denied to {} role \"{name}\"",
                if stmt.is_grant { "grant" } else { "revoke" }
            )
            .detail(format!(
                "Only roles with the ADMIN option on role \"{name}\" may {} this role.",
                if stmt.is_grant { "grant" } else { "revoke" }
            )));
        }
        for grantee in &stmt.grantee_roles {
            let member = cx.role(grantee)?;
            let member_name = cx.role_name(member)?;
            let grantor = cx.role_name(cx.user)?;
            if !stmt.is_grant {
                if !cx.ddl(|ddl| ddl.revoke_role(role, member))? {
                    cx.notice(PgError::notice(
                        Severity::Warning,
                        sqlstate::WARNING,
                        format!("role \"{member_name}\" has not been granted membership in role \"{name}\" by role \"{grantor}\""),
                    ));
                }
                continue;
            }
            if is_direct_member(role, member, cx)? && !admin {
                cx.notice(PgError::notice(
                    Severity::Notice,
                    sqlstate::SUCCESSFUL_COMPLETION,
                    format!("role \"{member_name}\" has already been granted membership in role \"{name}\" by role \"{grantor}\""),
                ));
                continue;
            }
            join(role, member, admin, cx)?;
        }
    }
    Ok(CommandOutcome::tag(if stmt.is_grant {
        "GRANT ROLE"
    } else {
        "REVOKE ROLE"
    }))
}

fn is_direct_member(role: Oid, member: Oid, cx: &CommandContext<'_>) -> PgResult<bool> {
    use catalog::columns::pg_auth_members::{MEMBER, ROLEID};
    cx.ddl(|ddl| {
        let rows = ddl.store.scan(oids::PG_AUTH_MEMBERS)?;
        Ok(rows
            .iter()
            .any(|m| m.oid(ROLEID) == role && m.oid(MEMBER) == member))
    })
}
