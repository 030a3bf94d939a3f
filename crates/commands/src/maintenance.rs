//! LOCK TABLE, CHECKPOINT.

use catalog::privileges::{Guarded, ObjectKind, Privilege};
use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err};
use parser::ast::LockStmt;
use txn::LockMode;

use crate::context::{CommandContext, CommandOutcome};

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
