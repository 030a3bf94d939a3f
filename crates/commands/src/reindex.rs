//! REINDEX.
//!
//! PG: src/backend/commands/indexcmds.c (ExecReindex, ReindexPartitions).
//!
//! # How it works
//! What is partitioned has no storage: its leaves are taken one after the other, each in a transaction of its own, so that those done stay done
//! when a later one fails. CONCURRENTLY: `crate::concurrently`.

use std::sync::Arc;

use catalog::columns::pg_class;
use catalog::desc::RelationDesc;
use catalog::oids;
use catalog::partition::descendants;
use catalog::privileges::{Guarded, ObjectKind, Privilege, permission_denied};
use common::error::{ErrorExt, Severity};
use common::{Oid, PgError, PgResult, pg_err, sqlstate, unsupported};
use parser::ast::{RangeVar, ReindexObjectType, ReindexStmt};
use txn::LockMode;

use crate::concurrently;
use crate::context::{CommandContext, CommandOutcome};
use crate::options::boolean;
use crate::rewrite::{Rebuild, rebuild_index, rewrite};

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
            check_may_maintain(&table, &table, cx)?;
            match table.relkind {
                b'p' => reindex_leaves(&table, concurrently, cx)?,
                _ => reindex_table(&table, concurrently, cx)?,
            }
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
    check_may_maintain(&index, &*cx.relation(info.table)?, cx)?;
    if index.relkind == b'I' {
        return reindex_leaves(&index, concurrently, cx);
    }
    if concurrently && index.persistence != b't' {
        return concurrently::reindex(cx, index.oid);
    }
    cx.lock_relation(info.table, LockMode::Share)?;
    let table = cx.relation(info.table)?;
    rebuild_index(&table, index.oid, cx)
}

/// MAINTAIN on the table; `named` is what the statement says.
fn check_may_maintain(named: &RelationDesc, table: &RelationDesc, cx: &CommandContext<'_>) -> PgResult<()> {
    let guarded = Guarded {
        kind: ObjectKind::of_relkind(table.relkind),
        owner: table.owner,
        acl: table.acl.as_deref(),
    };
    if cx.roles()?.may(cx.user, guarded, Privilege::Maintain) {
        return Ok(());
    }
    Err(permission_denied(
        ObjectKind::of_relkind(named.relkind),
        &named.name,
    ))
}

/// The leaves of a partitioned table or index, each in a transaction of its own.
fn reindex_leaves(root: &RelationDesc, concurrently: bool, cx: &CommandContext<'_>) -> PgResult<()> {
    check_outside_of_block(root, cx)?;
    let below = descendants(&*cx.view()?, root)?;
    for leaf in below.iter().filter(|leaf| matches!(leaf.relkind, b'r' | b'i')) {
        concurrently::next_phase(cx)?;
        // It may have been dropped since.
        let Some(leaf) = cx.view()?.relation(leaf.oid)? else {
            continue;
        };
        match (&leaf.index, concurrently && leaf.persistence != b't') {
            (Some(_), true) => concurrently::reindex(cx, leaf.oid)?,
            (None, true) => {
                concurrently::reindex_table(cx, leaf.oid)?;
            }
            (Some(info), false) => {
                cx.lock_relation(info.table, LockMode::Share)?;
                cx.lock_relation(leaf.oid, LockMode::AccessExclusive)?;
                rebuild_index(&cx.relation(info.table)?, leaf.oid, cx)?;
            }
            (None, false) => {
                cx.lock_relation(leaf.oid, LockMode::Share)?;
                rewrite(&cx.relation(leaf.oid)?, Rebuild::Indexes, cx, &mut |_, _| Ok(()))?;
            }
        }
    }
    Ok(())
}

fn check_outside_of_block(root: &RelationDesc, cx: &CommandContext<'_>) -> PgResult<()> {
    if !cx.in_transaction_block {
        return Ok(());
    }
    let (statement, kind) = match root.relkind {
        b'I' => ("REINDEX INDEX", "index"),
        _ => ("REINDEX TABLE", "table"),
    };
    let wrong = match cx.routine {
        Some(_) => "cannot be executed from a function",
        None => "cannot run inside a transaction block",
    };
    Err(
        pg_err!(ACTIVE_SQL_TRANSACTION, "{statement} {wrong}").context(format!(
            "while reindexing partitioned {kind} \"{}.{}\"",
            root.namespace_name, root.name
        )),
    )
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
        let any = concurrently::reindex_table(cx, table.oid)?;
        (any, "that can be reindexed concurrently")
    } else {
        rewrite(table, Rebuild::Indexes, cx, &mut |_, _| Ok(()))?;
        (!table.indexes.is_empty(), "to reindex")
    };
    if !any {
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
            concurrently::reindex_table(cx, table)?;
            continue;
        }
        cx.lock_relation(table, LockMode::Share)?;
        let desc = cx.relation(table)?;
        rewrite(&desc, Rebuild::Indexes, cx, &mut |_, _| Ok(()))?;
    }
    Ok(())
}
