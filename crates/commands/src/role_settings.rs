//! ALTER ROLE ... SET and ALTER DATABASE ... SET: settings that sessions begin with.
//!
//! PG: src/backend/catalog/pg_db_role_setting.c.

use catalog::ddl::settings::settings_of;
use catalog::privileges::{ObjectKind, must_be_owner};
use common::error::ErrorExt;
use common::{Oid, PgError, PgResult, pg_err, unsupported};
use parser::ast::{AlterDatabaseSetStmt, AlterRoleSetStmt, Ident, VariableSetKind, VariableSetStmt};

use crate::context::{CommandContext, CommandOutcome};
use crate::guc::GucStore;
use crate::settings::argument_text;

/// ALTER ROLE ... [IN DATABASE] SET and RESET.
pub(crate) fn alter_role(stmt: &AlterRoleSetStmt, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    let AlterRoleSetStmt {
        role,
        database,
        setstmt,
        span: _,
    } = stmt;
    let superuser = cx.roles()?.get(cx.user).is_some_and(|r| r.superuser);
    let role = match role {
        Some(spec) => {
            let role = cx.role(spec)?;
            if !superuser && role != cx.user {
                return Err(may_not_alter(role, cx)?);
            }
            role
        }
        None if !superuser => {
            return Err(
                pg_err!(INSUFFICIENT_PRIVILEGE, "permission denied to alter setting")
                    .detail("Only roles with the SUPERUSER attribute may alter settings globally."),
            );
        }
        None => Oid::INVALID,
    };
    let database = match database {
        Some(name) => this_database(name, cx)?,
        None => Oid::INVALID,
    };
    change(database, role, setstmt, cx)?;
    Ok(CommandOutcome::tag("ALTER ROLE"))
}

fn may_not_alter(role: Oid, cx: &CommandContext<'_>) -> PgResult<Box<PgError>> {
    let name = cx.role_name(role)?;
    let detail = if cx.roles()?.get(role).is_some_and(|r| r.superuser) {
        "Only roles with the SUPERUSER attribute may alter roles with the SUPERUSER attribute.".to_owned()
    } else {
        format!(
            "Only roles with the CREATEROLE attribute and the ADMIN option on role \"{name}\" may alter this role."
        )
    };
    Ok(pg_err!(INSUFFICIENT_PRIVILEGE, "permission denied to alter role").detail(detail))
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
    let value = match kind {
        VariableSetKind::Value => Some(argument_text(name, args)?),
        VariableSetKind::Current => Some(cx.guc.borrow().show(name)?),
        VariableSetKind::Default | VariableSetKind::Reset => {
            cx.guc.borrow().show(name)?;
            None
        }
        VariableSetKind::ResetAll => {
            return cx.ddl(|ddl| ddl.set_settings(database, role, &[]));
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
