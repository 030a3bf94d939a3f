//! A point in time of a redb file, as a store that cannot be written to: what forks lie over.
//!
//! While it lives, the pages that it sees are not used again, and the file cannot be compacted.

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use crate::redb::failure::{Failure, guarded};
use crate::redb::snapshot::{ReadTable, Snapshot};
use crate::redb::{Instance, get_sealed, into_kv_error, visit_entries};
use crate::{Direction, Durability, Keyspace, Kv, KvError, KvResult, WriteBatch};

/// A read transaction and the database that it belongs to.
pub(super) struct Frozen {
    /// Goes before the database does.
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) path: std::path::PathBuf,
    pub(super) _instance: Arc<Instance>,
}

impl Frozen {
    fn run<T>(&self, work: impl FnOnce(&Snapshot) -> Result<T, Failure>) -> KvResult<T> {
        let done = guarded(|| work(&self.snapshot));
        done.map_err(|failure| into_kv_error(failure, &self.path))
    }

    fn table(&self, keyspace: Keyspace) -> KvResult<Option<Arc<ReadTable>>> {
        self.run(|snapshot| snapshot.table(keyspace))
    }
}

impl Kv for Frozen {
    fn name(&self) -> &'static str {
        "redb snapshot"
    }

    fn get(&self, keyspace: Keyspace, key: &[u8]) -> KvResult<Option<Arc<[u8]>>> {
        match self.table(keyspace)? {
            Some(table) => self.run(|_| get_sealed(&table, keyspace, key)),
            None => Ok(None),
        }
    }

    fn multi_get(&self, keyspace: Keyspace, keys: &[&[u8]]) -> KvResult<Vec<Option<Arc<[u8]>>>> {
        keys.iter().map(|key| self.get(keyspace, key)).collect()
    }

    fn range(
        &self,
        keyspace: Keyspace,
        bounds: (Bound<&[u8]>, Bound<&[u8]>),
        direction: Direction,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> KvResult<()> {
        let Some(table) = self.table(keyspace)? else {
            return Ok(());
        };
        let entries = self.run(|_| Ok(table.range::<&[u8]>(bounds)?))?;
        visit_entries(entries, keyspace, direction, visit)
            .unwrap_or_else(|failure| Err(into_kv_error(failure, &self.path)))
    }

    fn keyspaces(&self) -> KvResult<Vec<Keyspace>> {
        self.run(|snapshot| snapshot.keyspaces())
    }

    fn write(&self, _batch: WriteBatch, _durability: Durability) -> KvResult<()> {
        let refused = "a point in time cannot be written to";
        Err(KvError::Poisoned(refused.to_owned()))
    }

    fn flush(&self) -> KvResult<()> {
        Ok(())
    }

    fn size_on_disk(&self) -> KvResult<u64> {
        Ok(0)
    }

    fn compact(&self, _give_up: &dyn Fn() -> bool) -> KvResult<()> {
        Ok(())
    }
}
