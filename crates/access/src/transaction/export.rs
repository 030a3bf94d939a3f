//! Snapshots that one transaction gives and another takes (`pg_export_snapshot`, `SET TRANSACTION SNAPSHOT`).
//!
//! A snapshot is a CSN and its registration, so the other transaction registers the same CSN; a serializable one also stands in the
//! graph of dependencies where the giver stands.
//!
//! PG: src/backend/utils/time/snapmgr.c (`ExportSnapshot`, `ImportSnapshot`).

use std::sync::Arc;

use common::{PgResult, pg_err};
use txn::SnapshotGuard;

use crate::transaction::snapshots::ActiveSnapshot;
use crate::transaction::{Isolation, Transaction};

/// A snapshot to be taken over while its transaction runs.
#[derive(Clone)]
pub struct ExportedSnapshot {
    guard: Arc<SnapshotGuard>,
    isolation: Isolation,
    read_only: bool,
}

impl Transaction {
    /// Gives a snapshot of this transaction away.
    pub fn export_snapshot(&self, snapshot: &ActiveSnapshot) -> ExportedSnapshot {
        ExportedSnapshot {
            guard: Arc::clone(snapshot.guard()),
            isolation: self.options.isolation,
            read_only: self.options.serial.read_only,
        }
    }

    /// Takes a snapshot as this transaction's own. It has taken none yet, and keeps one.
    pub fn import_snapshot(&mut self, source: &ExportedSnapshot) -> PgResult<()> {
        let serializable = self.options.isolation == Isolation::Serializable;
        if serializable && source.isolation != Isolation::Serializable {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "a serializable transaction cannot import a snapshot from a non-serializable transaction"
            ));
        }
        let mode = self.options.serial;
        if serializable && source.read_only && !mode.read_only {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "a non-read-only serializable transaction cannot import a snapshot from a read-only transaction"
            ));
        }
        if serializable && mode.read_only && mode.deferrable {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "a snapshot-importing transaction must not be READ ONLY DEFERRABLE"
            ));
        }
        let guard = match serializable {
            true => self.txn_mut()?.import_serializable(mode, &source.guard)?,
            false => self.txn()?.import_snapshot(&source.guard)?,
        };
        self.snapshot = Some(Arc::new(guard));
        Ok(())
    }
}
