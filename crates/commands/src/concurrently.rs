//! CREATE INDEX, REINDEX and DROP INDEX with CONCURRENTLY: several transactions, and writers go on meanwhile.
//!
//! PG: src/backend/commands/indexcmds.c (DefineIndex, ReindexRelationConcurrently), catalog/index.c (index_drop).
//!
//! # How it works
//! A lock of the session on the table (`ShareUpdateExclusive`) keeps other definitions away from the first phase to the last. Each phase
//! is a transaction; between two of them it waits for the transactions that may still act on what the catalog said before.
//! - CREATE: an invalid index from which writers take entries away · wait for writers · ready: they keep it · wait for writers · fill it
//!   (`access::Index::adopt`) · valid.
//! - REINDEX: a second index `..._ccnew` is made and filled the same way, then the two swap storage, then the second one is dropped.
//! - DROP: invalid, so that nobody plans with it · wait for all · not ready, so that nobody relies on its entries · wait for writers · not
//!   live, so that nobody uses it · wait for all · gone.
//!
//! Where it fails between two phases, an invalid index stays, as in PostgreSQL.

use std::sync::Arc;

use access::Adopted;
use catalog::columns::pg_index;
use catalog::ddl::ObjectAddress;
use catalog::ddl::constraint::NameParts;
use catalog::ddl::drop::DropBehavior;
use catalog::ddl::index::{NewIndex, index_columns};
use catalog::ddl::relation::NewRelation;
use catalog::desc::{IndexDesc, RelationDesc};
use catalog::oids;
use common::error::{ErrorExt, Severity};
use common::{Oid, PgError, PgResult, internal, pg_err, sqlstate};
use txn::{LockDuration, LockMode, LockTag, Proc, SynchronousCommit, TxnManager};
use types::Datum;

use crate::context::CommandContext;
use crate::create_index::{IndexRequest, define_index};
use crate::index_build::{IndexKeys, duplicate, for_each_row_of};

/// Rows whose entries are committed at once.
const BATCH: usize = 256;

/// The table, kept from other definitions across transactions.
struct TableLock {
    manager: Arc<TxnManager>,
    proc: Arc<Proc>,
    tag: LockTag,
}

const MODE: LockMode = LockMode::ShareUpdateExclusive;

impl TableLock {
    fn take(cx: &CommandContext<'_>, relation: Oid) -> PgResult<TableLock> {
        let txn = cx.txn.borrow();
        let (below, database) = (txn.txn()?, cx.database);
        let tag = LockTag::Relation { database, relation };
        let (manager, proc) = (Arc::clone(below.manager()), Arc::clone(below.proc()));
        manager
            .locks()
            .lock(&proc, tag, MODE, LockDuration::Session, &txn.options().wait)?;
        Ok(TableLock { manager, proc, tag })
    }

    /// Waits for the transactions that hold locks on the table which exclude `mode`, without keeping others from theirs.
    fn wait_for_others(&self, cx: &CommandContext<'_>, mode: LockMode) -> PgResult<()> {
        let (locks, wait) = (self.manager.locks(), cx.txn.borrow().options().wait.clone());
        for holder in locks.conflicting(&self.proc, self.tag, mode) {
            locks.wait_for_vxid(&self.proc, holder, &wait)?;
        }
        Ok(())
    }
}

impl Drop for TableLock {
    fn drop(&mut self) {
        self.manager.locks().unlock_session(&self.proc, self.tag, MODE);
    }
}

/// Ends a phase: commits, and goes on in a new transaction.
pub(crate) fn next_phase(cx: &CommandContext<'_>) -> PgResult<()> {
    cx.catalog.restart(&mut cx.txn.borrow_mut())
}

/// CREATE INDEX CONCURRENTLY on a table that is not temporary.
pub(crate) fn create(
    cx: &CommandContext<'_>,
    table: &Arc<RelationDesc>,
    request: IndexRequest<'_>,
) -> PgResult<()> {
    let lock = TableLock::take(cx, table.oid)?;
    let Some(index) = define_index(cx, table, request)? else {
        return Ok(());
    };
    fill(cx, &lock, (table.oid, index))?;
    let storage = cx.relation(index)?;
    declare_valid(cx, index, &storage)
}

/// Marks an index as valid; `storage` describes what it rests on.
fn declare_valid(cx: &CommandContext<'_>, index: Oid, storage: &Arc<RelationDesc>) -> PgResult<()> {
    let table = cx.relation(info(storage)?.table)?;
    cx.relations
        .index(storage, &table)?
        .declare_complete(&mut cx.txn.borrow_mut())?;
    set_flags(
        cx,
        index,
        &[(pg_index::INDISVALID, true), (pg_index::INDISREADY, true)],
    )
}

fn set_flags(cx: &CommandContext<'_>, index: Oid, flags: &[(usize, bool)]) -> PgResult<()> {
    let changes: Vec<_> = flags.iter().map(|(c, on)| (*c, Datum::Bool(*on))).collect();
    cx.ddl(|ddl| ddl.alter_index(index, &changes))
}

fn info(index: &RelationDesc) -> PgResult<&IndexDesc> {
    let missing = || internal!("relation \"{}\" is not an index", index.name);
    index.index.as_ref().ok_or_else(missing)
}

/// Gives every row an entry in an index that was made for it. Commits in between and at the end.
fn fill(cx: &CommandContext<'_>, lock: &TableLock, (table, index): (Oid, Oid)) -> PgResult<()> {
    next_phase(cx)?;
    // Who began to write before the index was there takes nothing away from it.
    lock.wait_for_others(cx, LockMode::Share)?;
    set_flags(cx, index, &[(pg_index::INDISREADY, true)])?;
    next_phase(cx)?;
    // Who began before it was ready adds nothing to it.
    lock.wait_for_others(cx, LockMode::Share)?;
    let durable = {
        let mut txn = cx.txn.borrow_mut();
        // The commit of the last phase brings all of them to disk.
        std::mem::replace(&mut txn.options_mut().synchronous_commit, SynchronousCommit::Off)
    };
    let filled = adopt_rows(cx, &cx.relation(table)?, &cx.relation(index)?);
    cx.txn.borrow_mut().options_mut().synchronous_commit = durable;
    filled?;
    next_phase(cx)
}

fn adopt_rows(cx: &CommandContext<'_>, table: &Arc<RelationDesc>, index: &Arc<RelationDesc>) -> PgResult<()> {
    let mut keys = IndexKeys::compile(info(index)?, cx)?;
    let (opened, target) = (cx.relations.table(table)?, cx.relations.index(index, table)?);
    let columns = table.columns.len();
    let wanted = keys.reads(columns);
    let mut uncommitted = 0;
    let snapshot = cx.txn.borrow().latest_snapshot()?;
    for_each_row_of((&opened, &snapshot), columns, &wanted, cx, &mut |row, id| {
        let Some((key, include)) = keys.of_row(cx, row)? else {
            return Ok(());
        };
        loop {
            let adopted = target.adopt(&mut cx.txn.borrow_mut(), snapshot.csn, &key, &include, id)?;
            match adopted {
                Adopted::Done => break,
                Adopted::WaitFor(xid) => {
                    next_phase(cx)?;
                    uncommitted = 0;
                    cx.txn.borrow().wait_for_end(xid)?;
                }
                Adopted::Duplicate(other) => return Err(duplicate(cx, table, index, &opened, other)?),
            }
        }
        uncommitted += 1;
        if uncommitted >= BATCH {
            uncommitted = 0;
            next_phase(cx)?;
        }
        Ok(())
    })
}

/// REINDEX INDEX CONCURRENTLY, or one index of a table. The index is not temporary and not of a system catalog.
pub(crate) fn reindex(cx: &CommandContext<'_>, index: Oid) -> PgResult<()> {
    let old = cx.relation(index)?;
    let table = info(&old)?.table;
    if info(&old)?.exclusion {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "concurrent index creation for exclusion constraints is not supported"
        ));
    }
    let lock = TableLock::take(cx, table)?;
    let Some(old) = cx.view()?.relation(index)? else {
        return Ok(());
    };
    let new = copy_definition(cx, &old)?;
    fill(cx, &lock, (table, new))?;
    cx.ddl(|ddl| ddl.swap_storage(index, new))?;
    let swapped = cx.relation(index)?;
    declare_valid(cx, index, &swapped)?;
    next_phase(cx)?;
    drop_in_phases(cx, &lock, new)
}

/// An invalid index with the definition of another.
fn copy_definition(cx: &CommandContext<'_>, old: &RelationDesc) -> PgResult<Oid> {
    let parts = NameParts {
        first: &old.name,
        second: None,
        label: "ccnew",
        is_relation: true,
    };
    let mut index = info(old)?.clone();
    (index.valid, index.ready, index.primary, index.clustered) = (false, false, false, false);
    let names: Vec<String> = old.columns.iter().map(|c| c.name.to_string()).collect();
    let types: Vec<_> = old.columns.iter().map(|c| (c.type_ref, c.collation)).collect();
    let options = old.options.iter().map(|(name, value)| format!("{name}={value}"));
    let options: Vec<String> = options.collect();
    cx.ddl(|ddl| {
        let name = ddl.choose_constraint_name(parts, index.table, old.namespace)?;
        let mut relation =
            NewRelation::new(&name, old.namespace, b'i').with_columns(index_columns(&names, &types));
        relation.persistence = old.persistence;
        relation.access_method = index.access_method;
        relation.options = options;
        let asked = std::mem::replace(&mut ddl.user, old.owner);
        let made = ddl.create_index(&NewIndex {
            relation,
            index,
            for_constraint: false,
        });
        ddl.user = asked;
        Ok(made?.oid)
    })
}

/// DROP INDEX CONCURRENTLY of an index that nothing depends on.
pub(crate) fn drop_index(cx: &CommandContext<'_>, index: &RelationDesc) -> PgResult<()> {
    let lock = TableLock::take(cx, info(index)?.table)?;
    drop_in_phases(cx, &lock, index.oid)
}

fn drop_in_phases(cx: &CommandContext<'_>, lock: &TableLock, index: Oid) -> PgResult<()> {
    set_flags(
        cx,
        index,
        &[(pg_index::INDISVALID, false), (pg_index::INDISCLUSTERED, false)],
    )?;
    next_phase(cx)?;
    lock.wait_for_others(cx, LockMode::AccessExclusive)?;
    set_flags(cx, index, &[(pg_index::INDISREADY, false)])?;
    next_phase(cx)?;
    lock.wait_for_others(cx, LockMode::Share)?;
    set_flags(cx, index, &[(pg_index::INDISLIVE, false)])?;
    next_phase(cx)?;
    lock.wait_for_others(cx, LockMode::AccessExclusive)?;
    let object = ObjectAddress::new(oids::PG_CLASS, index);
    cx.ddl(|ddl| ddl.drop_objects(&[object], DropBehavior::Restrict))?;
    Ok(())
}

/// REINDEX TABLE CONCURRENTLY: its indexes one after the other. True if there was one.
pub(crate) fn reindex_table(cx: &CommandContext<'_>, table: Oid) -> PgResult<bool> {
    let Some(desc) = cx.view()?.relation(table)? else {
        return Ok(true);
    };
    let mut any = false;
    for index in &desc.indexes {
        let Some(index) = cx.view()?.relation(*index)? else {
            continue;
        };
        if !info(&index)?.valid {
            let name = catalog::names::quote_qualified(Some(&index.namespace_name), &index.name);
            let text = format!("skipping reindex of invalid index {name}");
            let code = sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE;
            let warning = PgError::notice(Severity::Warning, code, text);
            cx.notice(warning.hint("Use DROP INDEX or REINDEX INDEX."));
            continue;
        }
        if info(&index)?.exclusion {
            let name = catalog::names::quote_qualified(Some(&index.namespace_name), &index.name);
            let text = format!("cannot reindex exclusion constraint index \"{name}\" concurrently, skipping");
            cx.notice(PgError::notice(
                Severity::Warning,
                sqlstate::FEATURE_NOT_SUPPORTED,
                text,
            ));
            any = true;
            continue;
        }
        any = true;
        reindex(cx, index.oid)?;
        next_phase(cx)?;
    }
    Ok(any)
}
