//! ALTER ROLE ... SET and ALTER DATABASE ... SET: settings that sessions begin with.
//!
//! PG: src/backend/catalog/pg_db_role_setting.c.

use catalog::ddl::settings::settings_of;
use catalog::oids;
use catalog::privileges::{ObjectKind, must_be_owner};
use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err, unsupported};
use parser::ast::{AlterDatabaseSetStmt, AlterRoleSetStmt, Ident, VariableSetKind, VariableSetStmt};

use crate::context::{CommandContext, CommandOutcome};
use crate::guc::{self, GucStore};
use crate::settings::argument_text;

/// ALTER ROLE ... [IN DATABASE] SET and RESET.
pub(crate) fn alter_role(stmt: &AlterRoleSetStmt, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    let AlterRoleSetStmt {
        role,
        database,
        setstmt,
        span: _,
    } = stmt;
    let role = match role {
        Some(spec) => {
            let role = cx.role(spec)?;
            check_may_alter(role, cx)?;
            Some(role)
        }
        None => None,
    };
    let database = match (database, role) {
        (Some(name), Some(_)) => this_database(name, cx)?,
        // As ALTER DATABASE ... SET.
        (Some(name), None) => owned_database(name, cx)?,
        (None, None) if !cx.roles()?.is_superuser(cx.user) => {
            return Err(
                pg_err!(INSUFFICIENT_PRIVILEGE, "permission denied to alter setting")
                    .detail("Only roles with the SUPERUSER attribute may alter settings globally."),
            );
        }
        (None, _) => Oid::INVALID,
    };
    let role = role.unwrap_or(Oid::INVALID);
    change(database, role, setstmt, cx)?;
    Ok(CommandOutcome::tag("ALTER ROLE"))
}

/// One's own settings; those of others with CREATEROLE and the ADMIN option; those of superusers as one of them.
fn check_may_alter(role: Oid, cx: &CommandContext<'_>) -> PgResult<()> {
    let roles = cx.roles()?;
    if role == cx.user || roles.is_superuser(cx.user) {
        return Ok(());
    }
    let of_superuser = roles.is_superuser(role);
    let creates = roles.get(cx.user).is_some_and(|r| r.create_role);
    if !of_superuser && creates && is_admin(cx.user, role, cx)? {
        return Ok(());
    }
    let name = cx.role_name(role)?;
    let detail = if of_superuser {
        "Only roles with the SUPERUSER attribute may alter roles with the SUPERUSER attribute.".to_owned()
    } else {
        format!(
            "Only roles with the CREATEROLE attribute and the ADMIN option on role \"{name}\" may alter this role."
        )
    };
    Err(pg_err!(INSUFFICIENT_PRIVILEGE, "permission denied to alter role").detail(detail))
}

/// Whether a role, or one that it is a member of, has the ADMIN option on another.
fn is_admin(user: Oid, role: Oid, cx: &CommandContext<'_>) -> PgResult<bool> {
    use catalog::columns::pg_auth_members::{ADMIN_OPTION, MEMBER, ROLEID};
    let roles = cx.roles()?;
    cx.ddl(|ddl| {
        let rows = ddl.store.scan(oids::PG_AUTH_MEMBERS)?;
        Ok(rows.iter().any(|row| {
            row.oid(ROLEID) == role && row.bool(ADMIN_OPTION) && roles.is_member_of(user, row.oid(MEMBER))
        }))
    })
}

/// Settings of superusers are theirs, and so are those of modules that nobody knows yet.
fn check_may_keep(name: &str, superuser: bool) -> PgResult<()> {
    if !superuser && name.contains('.') && guc::find(name).is_none() {
        return Err(pg_err!(
            INSUFFICIENT_PRIVILEGE,
            "permission denied to set parameter \"{name}\""
        ));
    }
    guc::check_may_set(name, superuser)
}

/// RESET ALL: what the user may not set stays.
fn reset_all(database: Oid, role: Oid, superuser: bool, cx: &CommandContext<'_>) -> PgResult<()> {
    cx.ddl(|ddl| {
        let may_keep = |setting: &str| {
            let name = setting.split_once('=').map_or(setting, |(name, _)| name);
            check_may_keep(name, superuser).is_ok()
        };
        let all = settings_of(&*ddl.store, database, role)?;
        let theirs = all.iter().filter(|setting| !may_keep(setting));
        let theirs: Vec<String> = theirs.map(|setting| setting.to_string()).collect();
        ddl.set_settings(database, role, &theirs)
    })
}

/// ALTER DATABASE ... SET and RESET.
pub(crate) fn alter_database(
    stmt: &AlterDatabaseSetStmt,
    cx: &mut CommandContext<'_>,
) -> PgResult<CommandOutcome> {
    let AlterDatabaseSetStmt {
        dbname,
        setstmt,
        span: _,
    } = stmt;
    let database = owned_database(dbname, cx)?;
    change(database, Oid::INVALID, setstmt, cx)?;
    Ok(CommandOutcome::tag("ALTER DATABASE"))
}

/// The one database of the directory by its name.
fn this_database(name: &Ident, cx: &CommandContext<'_>) -> PgResult<Oid> {
    if name.as_str() != &*cx.database_name {
        return Err(pg_err!(
            UNDEFINED_DATABASE,
            "database \"{}\" does not exist",
            name.as_str()
        ));
    }
    Ok(cx.database)
}

/// The database, which must belong to the user. Its owner is the superuser that it was made by.
pub(crate) fn owned_database(name: &Ident, cx: &CommandContext<'_>) -> PgResult<Oid> {
    const BOOTSTRAP_SUPERUSER: Oid = Oid(10);
    let database = this_database(name, cx)?;
    if !cx.roles()?.owns(cx.user, BOOTSTRAP_SUPERUSER) {
        return Err(must_be_owner(ObjectKind::Database, name.as_str()));
    }
    Ok(database)
}

fn change(
    database: Oid,
    role: Oid,
    VariableSetStmt {
        kind,
        name,
        args,
        is_local: _,
        span,
    }: &VariableSetStmt,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let name = name.as_deref().unwrap_or("");
    let superuser = cx.roles()?.is_superuser(cx.user);
    if !matches!(kind, VariableSetKind::ResetAll | VariableSetKind::Multi) {
        check_may_keep(name, superuser)?;
    }
    let value = match kind {
        VariableSetKind::Value => Some(argument_text(name, args)?),
        VariableSetKind::Current => Some(cx.guc.borrow().show(name)?),
        VariableSetKind::Default | VariableSetKind::Reset => {
            cx.guc.borrow().show(name)?;
            None
        }
        VariableSetKind::ResetAll => {
            return reset_all(database, role, superuser, cx);
        }
        VariableSetKind::Multi => {
            return Err(unsupported!("transaction modes as settings of a role are not supported").at(*span));
        }
    };
    if let Some(value) = &value {
        cx.guc.borrow().check_value(name, value)?;
    }
    let known = GucStore::display_name(name);
    cx.ddl(|ddl| {
        let mut settings: Vec<String> = Vec::new();
        for old in settings_of(&*ddl.store, database, role)? {
            let same = old
                .split_once('=')
                .is_some_and(|(n, _)| n.eq_ignore_ascii_case(&known));
            if !same {
                settings.push(old.to_string());
            }
        }
        settings.extend(value.iter().map(|v| format!("{known}={v}")));
        ddl.set_settings(database, role, &settings)
    })
}
