//! Writing rows: generated columns, constraints, storage and indexes; RETURNING's layout.

use common::{Oid, PgResult};
use txn::{LockDuration, LockMode, LockTag};

use crate::context::ExecContext;

pub(crate) mod after;
mod by_columns;
mod errors;
pub(crate) mod exclusion;
pub(crate) mod foreign_key;
mod indexes;
mod insert_target;
mod layout;
mod period;
pub(crate) mod referenced;
mod referencing;
mod referential_action;
mod routing;
mod target;
pub(crate) mod validate;

pub(crate) use errors::{partition as partition_error, seen_from, with_check as with_check_error};
pub use insert_target::{ColumnsAction, InsertTarget};
pub(crate) use layout::{RowLayout, RowParts};
pub(crate) use routing::{Columns, Router};
pub(crate) use target::{OpenTarget, TargetDef, Written};

/// A table that is written to without being named in the statement (a partition) is locked when the first row goes there.
pub(crate) fn lock_for_writing(ext: &ExecContext<'_>, relation: Oid) -> PgResult<()> {
    ext.with_txn(|txn| {
        let tag = LockTag::Relation {
            database: txn.options().database,
            relation,
        };
        let wait = txn.options().wait.clone();
        let below = txn.txn()?;
        below.manager().locks().lock(
            below.proc(),
            tag,
            LockMode::RowExclusive,
            LockDuration::Transaction,
            &wait,
        )?;
        Ok(())
    })
}
