//! TRUNCATE.
//!
//! PG: src/backend/commands/tablecmds.c (`ExecuteTruncate`).
//!
//! The table and its indexes get new, empty storage; the old one goes at commit. So a rollback brings everything back, and older
//! snapshots that open the table afterwards see it empty, as in PostgreSQL.

use std::collections::BTreeSet;
use std::sync::Arc;

use catalog::columns::pg_class;
use catalog::desc::RelationDesc;
use catalog::oids;
use catalog::privileges::Privilege;
use catalog::store::key_oid;
use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err};
use parser::ast::{DropBehavior, TruncateStmt};
use txn::LockMode;
use types::Datum;

use crate::alter_table::check_not_in_use;
use crate::context::{CommandContext, CommandOutcome};

/// TRUNCATE.
pub(crate) fn truncate(stmt: &TruncateStmt, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    let mut tables: Vec<Arc<RelationDesc>> = Vec::new();
    for rel in &stmt.relations {
        let desc = cx.open_relation(rel, LockMode::AccessExclusive)?;
        if tables.iter().any(|t| t.oid == desc.oid) {
            continue;
        }
        check(&desc, cx)?;
        if !rel.inh && desc.relkind == b'p' {
            return Err(
                pg_err!(WRONG_OBJECT_TYPE, "cannot truncate only a partitioned table").hint(
                    "Do not specify the ONLY keyword, or use TRUNCATE ONLY on the partitions directly.",
                ),
            );
        }
        let below = if rel.inh {
            catalog::partition::descendants(&*cx.view()?, &desc)?
        } else {
            Vec::new()
        };
        tables.push(desc);
        for member in below {
            if tables.iter().any(|t| t.oid == member.oid) || !matches!(member.relkind, b'r' | b'p') {
                continue;
            }
            cx.lock_relation(member.oid, LockMode::AccessExclusive)?;
            check_not_in_use(&member, "TRUNCATE", cx)?;
            tables.push(member);
        }
    }
    check_references(&mut tables, stmt.behavior, cx)?;
    for table in &tables {
        truncate_one(table, cx)?;
        if stmt.restart_seqs {
            restart_sequences(table.oid, cx)?;
        }
    }
    Ok(CommandOutcome::tag("TRUNCATE TABLE"))
}

fn check(desc: &RelationDesc, cx: &CommandContext<'_>) -> PgResult<()> {
    if !matches!(desc.relkind, b'r' | b'p') {
        return Err(pg_err!(WRONG_OBJECT_TYPE, "\"{}\" is not a table", desc.name));
    }
    cx.check_relation_privilege(desc, Privilege::Truncate)?;
    cx.check_not_system(desc)?;
    check_not_in_use(desc, "TRUNCATE", cx)
}

/// Tables whose foreign keys refer to a truncated one must be truncated, too.
fn check_references(
    tables: &mut Vec<Arc<RelationDesc>>,
    behavior: DropBehavior,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let mut at = 0;
    while let Some(table) = tables.get(at).cloned() {
        at += 1;
        let referencing: BTreeSet<Oid> = table.referenced_by.iter().map(|(table, _)| *table).collect();
        for referencing in referencing {
            if tables.iter().any(|t| t.oid == referencing) {
                continue;
            }
            let other = cx.relation(referencing)?;
            if behavior == DropBehavior::Restrict {
                return Err(pg_err!(
                    FEATURE_NOT_SUPPORTED,
                    "cannot truncate a table referenced in a foreign key constraint"
                )
                .detail(format!("Table \"{}\" references \"{}\".", other.name, table.name))
                .hint(format!(
                    "Truncate table \"{}\" at the same time, or use TRUNCATE ... CASCADE.",
                    other.name
                )));
            }
            cx.notice(common::PgError::notice(
                common::error::Severity::Notice,
                common::sqlstate::SUCCESSFUL_COMPLETION,
                format!("truncate cascades to table \"{}\"", other.name),
            ));
            cx.lock_relation(referencing, LockMode::AccessExclusive)?;
            check(&other, cx)?;
            tables.push(other);
        }
    }
    Ok(())
}

/// Gives a table and its indexes new, empty storage.
pub(crate) fn truncate_one(table: &RelationDesc, cx: &CommandContext<'_>) -> PgResult<()> {
    if table.relkind == b'p' {
        return Ok(());
    }
    let (oid, indexes) = (table.oid, table.indexes.clone());
    cx.ddl(|ddl| {
        ddl.replace_storage(oid)?;
        ddl.clear_missing_values(oid)?;
        for index in &indexes {
            ddl.replace_storage(*index)?;
        }
        let changes = [
            (pg_class::RELPAGES, Datum::Int4(0)),
            (pg_class::RELTUPLES, Datum::Float4(-1.0)),
        ];
        ddl.alter_relation(oid, &changes)
    })
}

/// Restarts the sequences that belong to columns of a table.
fn restart_sequences(table: Oid, cx: &mut CommandContext<'_>) -> PgResult<()> {
    let owned = cx.ddl(|ddl| {
        let key = [key_oid(oids::PG_CLASS), key_oid(table)];
        let rows = ddl.store.lookup(oids::PG_DEPEND_REFERENCE_INDEX, &key)?;
        let mut found = Vec::new();
        for row in rows {
            let object = row.oid(catalog::columns::pg_depend::OBJID);
            let of_class = row.oid(catalog::columns::pg_depend::CLASSID) == oids::PG_CLASS;
            if of_class && catalog::ddl::sequence::parameters(&*ddl.store, object)?.is_some() {
                found.push(object);
            }
        }
        Ok(found)
    })?;
    for sequence in owned {
        crate::sequence::restart(cx, sequence)?;
    }
    Ok(())
}
