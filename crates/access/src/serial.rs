//! What serializable transactions tell of their reads and writes (`txn::ssi` says what for).
//!
//! Readers tell before they look, and report who made the versions that they pass over. Writers put the version there first and tell
//! then. System catalogs and temporary tables are left out, as in PostgreSQL. Others pay one branch.

use std::sync::Arc;

use common::{Oid, PgResult};
use txn::{ReadTarget, Snapshot, TxnTable, WriteTarget};

use crate::defs::Persistence;
use crate::transaction::Transaction;
use txn::versions::Lifetime;

/// True when reads of a relation under this snapshot must be told.
#[inline]
pub(crate) fn is_watched(snapshot: &Snapshot, relation: Oid, persistence: Persistence) -> bool {
    snapshot.serial != 0 && relation >= Oid::FIRST_NORMAL && persistence != Persistence::Temporary
}

/// About to read.
#[cold]
pub(crate) fn reads(table: &TxnTable, snapshot: &Snapshot, target: ReadTarget<'_>) -> PgResult<()> {
    Ok(table.serial_read(snapshot, target)?)
}

/// Reports who made the versions of a row or an index entry that the snapshot does not see, and who ended the one that it sees.
#[cold]
pub(crate) fn passes<V: Lifetime>(table: &TxnTable, snapshot: &Snapshot, head: &Arc<V>) -> PgResult<()> {
    let mut next = Some(Arc::clone(head));
    while let Some(version) = next {
        if version.begun(snapshot, table) {
            if !version.ended(snapshot, table) {
                table.serial_passes(snapshot, version.end())?;
            }
            return Ok(());
        }
        table.serial_passes(snapshot, version.begin().0)?;
        next = version.older().load_full();
    }
    Ok(())
}

/// A write is in place.
#[inline]
pub(crate) fn wrote(txn: &Transaction, target: WriteTarget<'_>) -> PgResult<()> {
    match txn.txn() {
        Ok(below) if below.serial() != 0 => wrote_watched(below, target),
        _ => Ok(()),
    }
}

#[cold]
fn wrote_watched(below: &txn::Txn, target: WriteTarget<'_>) -> PgResult<()> {
    Ok(below.serial_write(target)?)
}
