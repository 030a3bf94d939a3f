//! System columns: who wrote a row, who has ended or locked it, and by which command.
//!
//! PG: documentation 5.6.
//!
//! # How it works
//! A row's bytes carry the xid of the transaction that wrote them, in delta, in the log and in the KV store; main blocks keep it per
//! position. So a row has not changed as long as its `xmin` is the same. What ends it is known while somebody works on it only.

use common::{Oid, PgResult, RowId};
use txn::{LockTag, Snapshot, Stamp};

use crate::block::CHUNK_ROWS;
use crate::table::{Found, Table};
use txn::versions::Lifetime;

/// The system columns of a row, in PostgreSQL's widths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowSystem {
    /// The transaction that wrote it.
    pub xmin: u32,
    /// The one that is changing, deleting or locking it; 0: nobody is. (PostgreSQL goes on naming the last one.)
    pub xmax: u32,
    /// The command that wrote it or, when a transaction is ending it, the one that does: PostgreSQL keeps both in one field.
    /// 0 once it has left delta.
    pub cid: u32,
}

impl Table {
    /// The system columns of a row, if the snapshot sees it. `database` is what its lockers call theirs.
    pub fn system(&self, row: RowId, snapshot: &Snapshot, database: Oid) -> PgResult<Option<RowSystem>> {
        if self.is_marked(row) {
            // A version tells who is ending it.
            self.head_or_base(row)?;
        }
        let Some(found) = self.find(row, snapshot)? else {
            return Ok(None);
        };
        let mut system = RowSystem {
            xmin: found.data().xid() as u32,
            ..RowSystem::default()
        };
        if let Found::Version(version) = &found {
            let end = version.end.load();
            let ending = end.xid().filter(|_| end != Stamp::NEVER);
            system.xmax = ending.map_or(0, |xid| xid.0 as u32);
            system.cid = match ending {
                Some(_) => version.cmax().0,
                None => version.cmin.0,
            };
        }
        if system.xmax == 0 {
            system.xmax = self.locker_xid(row, database);
        }
        Ok(Some(system))
    }

    /// Where updates that the snapshot sees have moved a row.
    pub fn moved_to(&self, row: RowId, snapshot: &Snapshot) -> PgResult<RowId> {
        let mut at = row;
        // Ended, and not because of a deletion: there is a next one, which is newer.
        while self.find(at, snapshot)?.is_none() {
            let next = self.head_or_base(at)?.and_then(|head| head.forward());
            match next.filter(|to| *to > at) {
                Some(to) => at = to,
                None => return Ok(row),
            }
        }
        Ok(at)
    }

    fn is_marked(&self, row: RowId) -> bool {
        let chunk = self.store.existing_chunk(row.0 / CHUNK_ROWS);
        chunk.is_some_and(|chunk| chunk.state.load().mark((row.0 % CHUNK_ROWS) as usize).is_some())
    }

    /// One of those who have locked the row; 0: nobody has.
    fn locker_xid(&self, row: RowId, database: Oid) -> u32 {
        let locks = self.store.shared.manager.locks();
        if !locks.has_row_locks(database, self.def.oid) {
            return 0;
        }
        let tag = LockTag::Row {
            database,
            relation: self.def.oid,
            row,
        };
        locks.row_lockers(tag).first().map_or(0, |xid| xid.0 as u32)
    }
}
