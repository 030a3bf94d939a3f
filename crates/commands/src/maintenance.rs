//! LOCK TABLE, REINDEX, CHECKPOINT.

use std::sync::Arc;

use catalog::columns::pg_class;
use catalog::desc::RelationDesc;
use catalog::oids;
use catalog::privileges::{Guarded, ObjectKind, Privilege};
use common::error::{ErrorExt, Severity};
use common::{Oid, PgError, PgResult, pg_err, sqlstate, unsupported};
use parser::ast::{LockStmt, RangeVar, ReindexObjectType, ReindexStmt};
use txn::LockMode;

use crate::context::{CommandContext, CommandOutcome};
use crate::options::boolean;
use crate::rewrite::{Rebuild, rebuild_index, rewrite};

fn lock_mode(mode: parser::ast::LockMode) -> LockMode {
    use parser::ast::LockMode as A;
    match mode {
        A::AccessShare => LockMode::AccessShare,
        A::RowShare => LockMode::RowShare,
        A::RowExclusive => LockMode::RowExclusive,
        A::ShareUpdateExclusive => LockMode::ShareUpdateExclusive,
        A::Share => LockMode::Share,
        A::ShareRowExclusive => LockMode::ShareRowExclusive,
        A::Exclusive => LockMode::Exclusive,
        A::AccessExclusive => LockMode::AccessExclusive,
    }
}

/// LOCK TABLE.
pub(crate) fn lock(stmt: &LockStmt, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    if !cx.in_transaction_block {
        return Err(pg_err!(
            NO_ACTIVE_SQL_TRANSACTION,
            "LOCK TABLE can only be used in transaction blocks"
        ));
    }
    let mode = lock_mode(stmt.mode);
    for rel in &stmt.relations {
        let Some(desc) = cx.find_relation(rel)? else {
            return Err(crate::lookup::undefined_relation(rel));
        };
        if !matches!(desc.relkind, b'r' | b'p' | b'v') {
            return Err(
                pg_err!(WRONG_OBJECT_TYPE, "cannot lock relation \"{}\"", desc.name)
                    .detail(crate::lookup::relkind_detail(desc.relkind)),
            );
        }
        check_privilege(&desc, mode, cx)?;
        if stmt.nowait {
            lock_now(desc.oid, &desc.name, mode, cx)?;
        } else {
            cx.open_relation(rel, mode)?;
        }
    }
    Ok(CommandOutcome::tag("LOCK TABLE"))
}

fn check_privilege(
    desc: &catalog::desc::RelationDesc,
    mode: LockMode,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let guarded = || Guarded {
        kind: ObjectKind::of_relkind(desc.relkind),
        owner: desc.owner,
        acl: desc.acl.as_deref(),
    };
    let roles = cx.roles()?;
    let mut allowed = vec![
        Privilege::Maintain,
        Privilege::Update,
        Privilege::Delete,
        Privilege::Truncate,
    ];
    if mode as u8 <= LockMode::AccessShare as u8 {
        allowed.push(Privilege::Select);
    }
    if mode as u8 <= LockMode::RowExclusive as u8 {
        allowed.push(Privilege::Insert);
    }
    if allowed.iter().any(|p| roles.may(cx.user, guarded(), *p)) {
        return Ok(());
    }
    Err(catalog::privileges::permission_denied(
        ObjectKind::of_relkind(desc.relkind),
        &desc.name,
    ))
}

fn lock_now(relation: Oid, name: &str, mode: LockMode, cx: &CommandContext<'_>) -> PgResult<()> {
    match cx.try_lock_relation(relation, mode)? {
        true => Ok(()),
        false => Err(pg_err!(
            LOCK_NOT_AVAILABLE,
            "could not obtain lock on relation \"{name}\""
        )),
    }
}

/// REINDEX.
pub(crate) fn reindex(stmt: &ReindexStmt, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    let concurrently = reindex_options(stmt)?;
    match (stmt.kind, &stmt.relation) {
        (ReindexObjectType::Index, Some(rel)) => reindex_index(rel, concurrently, cx)?,
        (ReindexObjectType::Table, Some(rel)) => {
            let mode = match concurrently {
                true => LockMode::ShareUpdateExclusive,
                false => LockMode::Share,
            };
            let table = cx.open_relation(rel, mode)?;
            if !matches!(table.relkind, b'r' | b'm' | b'p') {
                return Err(pg_err!(
                    WRONG_OBJECT_TYPE,
                    "\"{}\" is not a table or materialized view",
                    table.name
                ));
            }
            if concurrently {
                refuse_catalogs(table.oid)?;
            }
            cx.check_owner(&table)?;
            reindex_table(&table, concurrently, cx)?;
        }
        (kind, _) => reindex_many(kind, stmt, concurrently, cx)?,
    }
    Ok(CommandOutcome::tag("REINDEX"))
}

/// Checks the options; true: CONCURRENTLY.
fn reindex_options(stmt: &ReindexStmt) -> PgResult<bool> {
    let mut concurrently = false;
    for option in &stmt.params {
        match option.name.as_str() {
            "verbose" => {
                boolean(option)?;
            }
            "concurrently" => concurrently = boolean(option)?,
            "tablespace" => {
                return Err(unsupported!("REINDEX with TABLESPACE is not supported yet").at(option.span));
            }
            other => {
                return Err(pg_err!(SYNTAX_ERROR, "unrecognized REINDEX option \"{other}\"").at(option.span));
            }
        }
    }
    Ok(concurrently)
}

fn reindex_index(rel: &RangeVar, concurrently: bool, cx: &CommandContext<'_>) -> PgResult<()> {
    let mode = match concurrently {
        true => LockMode::ShareUpdateExclusive,
        false => LockMode::AccessExclusive,
    };
    let index = cx.open_relation(rel, mode)?;
    let Some(info) = &index.index else {
        return Err(pg_err!(WRONG_OBJECT_TYPE, "\"{}\" is not an index", index.name));
    };
    if concurrently {
        refuse_catalogs(index.oid)?;
    }
    cx.check_owner(&index)?;
    if concurrently && index.persistence != b't' {
        return crate::concurrently::reindex(cx, index.oid);
    }
    cx.lock_relation(info.table, LockMode::Share)?;
    let table = cx.relation(info.table)?;
    rebuild_index(&table, index.oid, cx)
}

fn refuse_catalogs(relation: Oid) -> PgResult<()> {
    if relation >= Oid::FIRST_NORMAL {
        return Ok(());
    }
    Err(pg_err!(
        FEATURE_NOT_SUPPORTED,
        "cannot reindex system catalogs concurrently"
    ))
}

/// All indexes of a table, with a NOTICE when there are none.
fn reindex_table(table: &Arc<RelationDesc>, concurrently: bool, cx: &CommandContext<'_>) -> PgResult<()> {
    let (any, how) = if concurrently && table.persistence != b't' {
        let any = crate::concurrently::reindex_table(cx, table.oid)?;
        (any, "that can be reindexed concurrently")
    } else {
        rewrite(table, Rebuild::Indexes, cx, &mut |_, _| Ok(()))?;
        (!table.indexes.is_empty(), "to reindex")
    };
    if !any && table.relkind != b'p' {
        let text = format!("table \"{}\" has no indexes {how}", table.name);
        cx.notice(PgError::notice(
            Severity::Notice,
            sqlstate::SUCCESSFUL_COMPLETION,
            text,
        ));
    }
    Ok(())
}

fn reindex_many(
    kind: ReindexObjectType,
    stmt: &ReindexStmt,
    concurrently: bool,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let namespace = match (kind, &stmt.name) {
        (ReindexObjectType::Schema, Some(name)) => Some(cx.namespace(name)?),
        (ReindexObjectType::System, _) if concurrently => return refuse_catalogs(Oid::INVALID),
        (ReindexObjectType::System, _) => return Ok(()),
        (_, Some(name)) if name.as_str() != &*cx.database_name => {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "can only reindex the currently open database"
            ));
        }
        _ => None,
    };
    let tables: Vec<Oid> = cx.ddl(|ddl| {
        let rows = ddl.store.scan(oids::PG_CLASS)?;
        let wanted = rows.iter().filter(|row| {
            matches!(row.char(pg_class::RELKIND), b'r' | b'm')
                && row.oid(pg_class::OID) >= Oid::FIRST_NORMAL
                && namespace.is_none_or(|n| row.oid(pg_class::RELNAMESPACE) == n)
        });
        Ok(wanted.map(|row| row.oid(pg_class::OID)).collect())
    })?;
    for table in tables {
        if concurrently {
            crate::concurrently::reindex_table(cx, table)?;
            continue;
        }
        cx.lock_relation(table, LockMode::Share)?;
        let desc = cx.relation(table)?;
        rewrite(&desc, Rebuild::Indexes, cx, &mut |_, _| Ok(()))?;
    }
    Ok(())
}

/// CHECKPOINT.
pub(crate) fn checkpoint(cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    if !cx.roles()?.is_superuser(cx.user) {
        return Err(pg_err!(
            INSUFFICIENT_PRIVILEGE,
            "permission denied to execute CHECKPOINT command"
        )
        .detail("Only roles with privileges of the \"pg_checkpoint\" role may execute this command."));
    }
    cx.relations
        .storage()
        .ask(access::Maintenance::Checkpoint, cx.cancel)?;
    Ok(CommandOutcome::tag("CHECKPOINT"))
}
