//! SET, RESET, SHOW, SET TRANSACTION, SET ROLE, SET SESSION AUTHORIZATION, DISCARD, SET CONSTRAINTS.
//!
//! PG: src/backend/utils/misc/guc_funcs.c, src/backend/commands/variable.c.

use access::Isolation;
use common::error::{ErrorExt, Severity};
use common::{PgError, PgResult, pg_err, sqlstate, unsupported};
use parser::ast::{
    ConstValue, ConstraintsSetStmt, DefArg, DefElem, DiscardMode, DiscardStmt, Expr, SetArg, VariableSetKind,
    VariableSetStmt, VariableShowStmt,
};
use types::settings::FormatSettings;
use types::{Datum, oids};

use crate::context::{
    CommandContext, CommandOutcome, ResultColumn, ResultSet, SessionAction, TransactionModes,
};
use crate::guc::{GucStore, Scope};

/// Settings that are lists: several arguments are joined by commas.
const LISTS: &[&str] = &[
    "createrole_self_grant",
    "datestyle",
    "debug_io_direct",
    "listen_addresses",
    "local_preload_libraries",
    "log_connections",
    "log_destination",
    "restrict_nonsystem_relation_kind",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "synchronized_standby_slots",
    "synchronous_standby_names",
    "temp_tablespaces",
    "unix_socket_directories",
    "wal_consistency_checking",
];

/// Lists whose elements are identifiers and are quoted when needed.
const QUOTED_LISTS: &[&str] = &[
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

/// SET and RESET in all their forms.
pub(crate) fn variable_set(stmt: &VariableSetStmt, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    let scope = if stmt.is_local {
        Scope::Local
    } else {
        Scope::Session
    };
    let name = stmt.name.as_deref().unwrap_or("");
    if stmt.is_local && !cx.in_transaction_block {
        warn_outside_block(cx, "SET LOCAL");
    }
    match stmt.kind {
        VariableSetKind::Multi => set_multi(stmt, name, cx)?,
        VariableSetKind::ResetAll => cx.guc.borrow_mut().reset_all(),
        VariableSetKind::Value => {
            let text = argument_text(name, &stmt.args)?;
            set_value(name, &text, scope, cx)?;
        }
        VariableSetKind::Current => {
            check_privilege(name, cx)?;
            let current = cx.guc.borrow().show(name)?;
            cx.guc.borrow_mut().set(name, &current, scope)?;
        }
        VariableSetKind::Default | VariableSetKind::Reset => reset_value(name, scope, cx)?,
    }
    Ok(CommandOutcome::tag(match stmt.kind {
        VariableSetKind::Reset | VariableSetKind::ResetAll => "RESET",
        _ => "SET",
    }))
}

fn warn_outside_block(cx: &CommandContext<'_>, what: &str) {
    cx.notice(PgError::notice(
        Severity::Warning,
        sqlstate::NO_ACTIVE_SQL_TRANSACTION,
        format!("{what} can only be used in transaction blocks"),
    ));
}

fn set_value(name: &str, text: &str, scope: Scope, cx: &mut CommandContext<'_>) -> PgResult<()> {
    match name {
        "role" => set_role(text, scope, cx),
        "session_authorization" => set_session_authorization(text, scope, cx),
        "transaction_isolation" => {
            let level = isolation_level(&text.to_ascii_lowercase()).ok_or_else(|| {
                pg_err!(
                    INVALID_PARAMETER_VALUE,
                    "invalid value for parameter \"transaction_isolation\": \"{text}\""
                )
                .hint("Available values: serializable, repeatable read, read committed, read uncommitted.")
            })?;
            let isolation = Some(level);
            push_modes(
                cx,
                TransactionModes {
                    isolation,
                    ..TransactionModes::default()
                },
            );
            Ok(())
        }
        "transaction_read_only" | "transaction_deferrable" => {
            let on = crate::options::parse_bool(text).ok_or_else(|| {
                pg_err!(
                    INVALID_PARAMETER_VALUE,
                    "parameter \"{name}\" requires a Boolean value"
                )
            })?;
            let mut modes = TransactionModes::default();
            match name {
                "transaction_read_only" => modes.read_only = Some(on),
                _ => modes.deferrable = Some(on),
            }
            push_modes(cx, modes);
            Ok(())
        }
        _ => {
            check_privilege(name, cx)?;
            cx.guc.borrow_mut().set(name, text, scope)
        }
    }
}

fn check_privilege(name: &str, cx: &CommandContext<'_>) -> PgResult<()> {
    crate::guc::check_may_set(name, cx.roles()?.is_superuser(cx.user))
}

fn reset_value(name: &str, scope: Scope, cx: &mut CommandContext<'_>) -> PgResult<()> {
    match name {
        "role" => set_role("none", scope, cx),
        "session_authorization" => {
            cx.actions.push(SessionAction::SetRole(cx.session_user));
            cx.guc.borrow_mut().reset("session_authorization", scope)
        }
        _ => {
            check_privilege(name, cx)?;
            cx.guc.borrow_mut().reset(name, scope)
        }
    }
}

fn push_modes(cx: &mut CommandContext<'_>, modes: TransactionModes) {
    cx.actions.push(SessionAction::TransactionModes(modes));
}

/// The value of SET as one text: constants, joined by commas for settings that are lists.
pub(crate) fn argument_text(name: &str, args: &[SetArg]) -> PgResult<String> {
    let lower = name.to_ascii_lowercase();
    let is_list = LISTS.contains(&lower.as_str());
    if args.len() > 1 && !is_list {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "SET {name} takes only one argument"
        ));
    }
    let quoted = QUOTED_LISTS.contains(&lower.as_str());
    let mut parts = Vec::new();
    for arg in args {
        let SetArg::Expr(expr) = arg else {
            return Err(common::internal!("transaction mode as the value of \"{name}\""));
        };
        parts.push(constant_text(expr, quoted)?);
    }
    Ok(parts.join(", "))
}

fn constant_text(expr: &Expr, quoted: bool) -> PgResult<String> {
    match expr {
        Expr::AConst(c) => Ok(match &c.value {
            ConstValue::Integer(i) => i.to_string(),
            ConstValue::Float(f) => f.to_string(),
            ConstValue::Boolean(b) => if *b { "true" } else { "false" }.to_owned(),
            ConstValue::String(s) if quoted => parser::quote_identifier(s).to_string(),
            ConstValue::String(s) => s.to_string(),
            ConstValue::BitString(s) => s.to_string(),
            ConstValue::Null => String::new(),
        }),
        Expr::TypeCast(cast) => {
            // SET TIME ZONE INTERVAL '...' HOUR TO MINUTE.
            let text = constant_text(&cast.arg, false)?;
            interval_zone(&text)
        }
        _ => Err(unsupported!("this expression as the value of a setting is not supported").at(expr.span())),
    }
}

fn interval_zone(text: &str) -> PgResult<String> {
    let settings = FormatSettings::default();
    let context = types::io::IoContext::new(&settings);
    let value = types::io::input(oids::INTERVAL, -1, text, &context)?;
    let Datum::Interval(interval) = value else {
        return Err(common::internal!("interval input gave no interval"));
    };
    let printed = || types::io::to_text(oids::INTERVAL, &Datum::Interval(interval), &context);
    if interval.months != 0 || interval.days != 0 {
        let what = if interval.months != 0 { "months" } else { "days" };
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "invalid value for parameter \"TimeZone\": \"INTERVAL '{}'\"",
            printed()?
        )
        .detail(format!("Cannot specify {what} in time zone interval.")));
    }
    Ok(format!("{}", interval.micros as f64 / 3_600_000_000.0))
}

fn set_multi(stmt: &VariableSetStmt, name: &str, cx: &mut CommandContext<'_>) -> PgResult<()> {
    match name {
        "TRANSACTION" => {
            if !cx.in_transaction_block {
                warn_outside_block(cx, "SET TRANSACTION");
            }
            let modes = transaction_modes(&mode_options(&stmt.args))?;
            push_modes(cx, modes);
            Ok(())
        }
        "SESSION CHARACTERISTICS" => {
            for option in mode_options(&stmt.args) {
                let default = format!("default_{}", option.name);
                let text = match &option.arg {
                    Some(DefArg::String(s)) => s.to_string(),
                    Some(DefArg::Integer(0)) => "off".to_owned(),
                    _ => "on".to_owned(),
                };
                cx.guc.borrow_mut().set(&default, &text, Scope::Session)?;
            }
            Ok(())
        }
        _ => {
            if !cx.in_transaction_block {
                warn_outside_block(cx, "SET TRANSACTION");
            }
            if stmt.is_local {
                return Err(pg_err!(
                    FEATURE_NOT_SUPPORTED,
                    "SET LOCAL TRANSACTION SNAPSHOT is not implemented"
                ));
            }
            let [SetArg::Expr(id)] = stmt.args.as_slice() else {
                return Err(common::internal!("SET TRANSACTION SNAPSHOT without a snapshot"));
            };
            let name = constant_text(id, false)?;
            cx.actions.push(SessionAction::ImportSnapshot(name));
            Ok(())
        }
    }
}

fn mode_options(args: &[SetArg]) -> Vec<&DefElem> {
    let option = |arg: &SetArg| matches!(arg, SetArg::Option(_));
    args.iter()
        .filter(|a| option(a))
        .filter_map(|a| match a {
            SetArg::Option(o) => Some(o),
            SetArg::Expr(_) => None,
        })
        .collect()
}

/// The modes of BEGIN, START TRANSACTION and SET TRANSACTION as written.
pub fn transaction_modes(options: &[&DefElem]) -> PgResult<TransactionModes> {
    let mut modes = TransactionModes::default();
    for option in options {
        let on = !matches!(option.arg, Some(DefArg::Integer(0)));
        match (option.name.as_str(), &option.arg) {
            ("transaction_isolation", Some(DefArg::String(level))) => {
                modes.isolation = isolation_level(level)
            }
            ("transaction_read_only", _) => modes.read_only = Some(on),
            ("transaction_deferrable", _) => modes.deferrable = Some(on),
            (other, _) => return Err(common::internal!("unexpected transaction mode \"{other}\"")),
        }
    }
    Ok(modes)
}

fn isolation_level(word: &str) -> Option<Isolation> {
    match word {
        "serializable" => Some(Isolation::Serializable),
        "repeatable read" => Some(Isolation::RepeatableRead),
        "read committed" | "read uncommitted" => Some(Isolation::ReadCommitted),
        _ => None,
    }
}

fn set_role(text: &str, scope: Scope, cx: &mut CommandContext<'_>) -> PgResult<()> {
    if text == "none" {
        cx.guc.borrow_mut().set("role", "none", scope)?;
        cx.actions.push(SessionAction::SetRole(cx.session_user));
        return Ok(());
    }
    let roles = cx.roles()?;
    let Some(role) = roles.by_name(text) else {
        return Err(pg_err!(INVALID_PARAMETER_VALUE, "role \"{text}\" does not exist"));
    };
    if !roles.is_superuser(cx.session_user) && !roles.is_member_of(cx.session_user, role.oid) {
        return Err(pg_err!(
            INSUFFICIENT_PRIVILEGE,
            "permission denied to set role \"{text}\""
        ));
    }
    cx.actions.push(SessionAction::SetRole(role.oid));
    cx.guc.borrow_mut().set("role", text, scope)
}

fn set_session_authorization(text: &str, scope: Scope, cx: &mut CommandContext<'_>) -> PgResult<()> {
    let roles = cx.roles()?;
    let Some(role) = roles.by_name(text) else {
        return Err(pg_err!(INVALID_PARAMETER_VALUE, "role \"{text}\" does not exist"));
    };
    if role.oid != cx.session_user && !roles.is_superuser(cx.session_user) {
        return Err(pg_err!(
            INSUFFICIENT_PRIVILEGE,
            "permission denied to set session authorization \"{text}\""
        ));
    }
    cx.actions.push(SessionAction::SetRole(role.oid));
    cx.guc.borrow_mut().set("session_authorization", text, scope)
}

/// SHOW.
pub(crate) fn variable_show(
    stmt: &VariableShowStmt,
    cx: &mut CommandContext<'_>,
) -> PgResult<CommandOutcome> {
    let guc = cx.guc.borrow();
    let rows = if stmt.name == "all" {
        let columns = ["name", "setting", "description"].map(|n| ResultColumn::new(n, oids::TEXT));
        let row = |(def, shown): (&crate::guc::defs::SettingDef, String)| {
            vec![Datum::text(def.name), Datum::text(shown), Datum::Null]
        };
        ResultSet {
            columns: columns.to_vec(),
            rows: guc.all().into_iter().map(row).collect(),
        }
    } else {
        ResultSet {
            columns: vec![ResultColumn::new(GucStore::display_name(&stmt.name), oids::TEXT)],
            rows: vec![vec![Datum::text(guc.show(&stmt.name)?)]],
        }
    };
    Ok(CommandOutcome {
        tag: "SHOW".to_owned(),
        rows: Some(rows),
    })
}

/// DISCARD.
pub(crate) fn discard(stmt: &DiscardStmt, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    let tag = match stmt.target {
        DiscardMode::All => {
            cx.actions.push(SessionAction::Reset);
            cx.actions.push(SessionAction::ForgetPlans);
            cx.actions.push(SessionAction::ForgetSequences);
            cx.actions.push(SessionAction::SetRole(cx.session_user));
            cx.guc.borrow_mut().reset_all();
            crate::namespace::drop_temporary_objects(cx)?;
            "DISCARD ALL"
        }
        DiscardMode::Plans => {
            cx.actions.push(SessionAction::ForgetPlans);
            "DISCARD PLANS"
        }
        DiscardMode::Sequences => {
            cx.actions.push(SessionAction::ForgetSequences);
            "DISCARD SEQUENCES"
        }
        DiscardMode::Temp => {
            crate::namespace::drop_temporary_objects(cx)?;
            "DISCARD TEMP"
        }
    };
    Ok(CommandOutcome::tag(tag))
}

/// SET CONSTRAINTS: no constraint can be deferred yet, so only ALL finds nothing to do.
pub(crate) fn constraints_set(
    stmt: &ConstraintsSetStmt,
    cx: &mut CommandContext<'_>,
) -> PgResult<CommandOutcome> {
    if !cx.in_transaction_block {
        warn_outside_block(cx, "SET CONSTRAINTS");
    }
    let chosen = if stmt.constraints.is_empty() {
        None
    } else {
        let mut chosen = Vec::new();
        for name in &stmt.constraints {
            named_constraints(name, cx, &mut chosen)?;
        }
        Some(chosen)
    };
    cx.after.set_mode(chosen.as_deref(), stmt.deferred);
    if !stmt.deferred {
        let view = cx.view()?;
        let snapshot = cx.txn.borrow().latest_snapshot()?;
        let exec = cx.exec_context(&*view, &snapshot);
        executor::fire_deferred(&exec, chosen.as_deref())?;
    }
    Ok(CommandOutcome::tag("SET CONSTRAINTS"))
}

/// The constraints of a name, in the schema given or the first of the search path that has some; partitions' follow their parents'.
fn named_constraints(
    name: &parser::ast::RangeVar,
    cx: &CommandContext<'_>,
    out: &mut Vec<common::Oid>,
) -> PgResult<()> {
    use catalog::columns::pg_constraint as c;
    let view = cx.view()?;
    let wanted = name.relation.as_str();
    let schemas = match &name.schema {
        Some(schema) => vec![cx.namespace(schema)?],
        None => view.search_path()?,
    };
    let rows = cx.ddl(|ddl| ddl.store.scan(catalog::oids::PG_CONSTRAINT))?;
    for schema in schemas {
        let found: Vec<_> = rows
            .iter()
            .filter(|r| &*r.text(c::CONNAME) == wanted && r.oid(c::CONNAMESPACE) == schema)
            .collect();
        if found.is_empty() {
            continue;
        }
        for row in found {
            if !row.bool(c::CONDEFERRABLE) {
                return Err(pg_err!(
                    WRONG_OBJECT_TYPE,
                    "constraint \"{wanted}\" is not deferrable"
                ));
            }
            let mut queue = vec![row.oid(c::OID)];
            while let Some(at) = queue.pop() {
                out.push(at);
                let below = rows.iter().filter(|r| r.oid(c::CONPARENTID) == at);
                queue.extend(below.map(|r| r.oid(c::OID)));
            }
        }
        return Ok(());
    }
    Err(pg_err!(
        UNDEFINED_OBJECT,
        "constraint \"{wanted}\" does not exist"
    ))
}
