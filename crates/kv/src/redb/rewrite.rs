//! Compaction by copying: what counts goes into a new file, which takes the old one's name.
//!
//! redb's own compaction moves pages within the file, and nobody may read meanwhile. A copy needs room for itself, but readers go on: those that
//! have begun end on the old file, which is gone when the last one is. Only writers wait.
//!
//! # How it works
//! 1. Under the writer's lock the newest state is read, keyspace by keyspace in key order, and written to a file with a temporary name; values as they are
//!    stored, sealed.
//! 2. The new file is made durable, then renamed, then its name is made durable. A crash leaves either file under the name, and they hold the same.
//! 3. The instance is replaced by one on the new file.
//!
//! # Invariants
//! - Nothing counts as durable in the new file before its name does ([`RedbKv::settle_name`]).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ::redb::{Database, ReadableTableMetadata};
use common::env::OpenMode;

use crate::files::{file_error, sync_directory};
use crate::redb::backend::{EnvBackend, Health};
use crate::redb::failure::{Failure, guarded};
use crate::redb::snapshot::{SharedSnapshot, Snapshot};
use crate::redb::{
    Definition, FORMAT, Instance, META_FORMAT, META_TABLE, RedbKv, into_kv_error, open_locked,
    set_durability, table_name,
};
use crate::{Durability, KvResult};

/// Bytes copied by one transaction.
const BATCH_BYTES: usize = 4 << 20;

/// Where a copy is made.
pub(super) fn copy_path(path: &Path) -> PathBuf {
    path.with_extension("redb.copy")
}

impl RedbKv {
    /// Copies what counts into a new file. False: it was given up.
    pub(super) fn rewrite(&self, give_up: &dyn Fn() -> bool) -> KvResult<bool> {
        let building = copy_path(&self.path);
        let copied = self.copy_to(&building, give_up);
        if !matches!(copied, Ok(true)) && self.env.fs().exists(&building) {
            // It would be in the way of nothing but room on the disk; opening removes it, too.
            let _ = self.env.fs().remove_file(&building);
        }
        copied
    }

    fn copy_to(&self, building: &Path, give_up: &dyn Fn() -> bool) -> KvResult<bool> {
        let file = open_locked(&*self.env, building, OpenMode::OpenOrCreate)?;
        file.set_len(0).map_err(|e| file_error("truncate", building, e))?;
        let snapshot = self.run(|instance| instance.snapshot.current(instance.database()?))?;
        let health = Arc::new(Health::default());
        let backend = EnvBackend::new(Arc::clone(&file), building, Arc::clone(&health));
        let cache_bytes = self.cache_bytes_max;
        let copied = guarded(|| {
            let database = Database::builder()
                .set_cache_size(cache_bytes)
                .create_with_backend(backend)?;
            let finished = copy(&snapshot, &database, give_up)?;
            if !finished {
                // redb would write what is left and sync it when it closes the file, which is about to be removed.
                health.cut_off();
            }
            Ok(finished.then_some(database))
        });
        let Some(database) = copied.map_err(|failure| into_kv_error(failure, building))? else {
            return Ok(false);
        };
        drop(snapshot);
        file.sync_all().map_err(|e| file_error("fsync", building, e))?;
        let instance = Instance {
            snapshot: SharedSnapshot::default(),
            database: Some(database),
            health,
            file,
        };
        self.take_over(building, instance)?;
        Ok(true)
    }

    fn take_over(&self, building: &Path, instance: Instance) -> KvResult<()> {
        let mut current = self.current.write();
        self.env
            .fs()
            .rename(building, &self.path)
            .map_err(|e| file_error("rename", building, e))?;
        self.name_unsettled.store(true, Ordering::Release);
        *current = Arc::new(instance);
        drop(current);
        self.settle_name()
    }

    /// Makes the name of the file durable, if it may not be: a crash could bring back the file before.
    pub(super) fn settle_name(&self) -> KvResult<()> {
        if self.name_unsettled.load(Ordering::Acquire) {
            sync_directory(&*self.env, self.path.parent().unwrap_or(&self.path))?;
            self.name_unsettled.store(false, Ordering::Release);
        }
        Ok(())
    }

    /// Bytes of the pages that hold entries.
    pub(super) fn bytes_in_use(&self) -> KvResult<u64> {
        let snapshot = self.run(|instance| instance.snapshot.current(instance.database()?))?;
        let mut bytes = 0;
        let counted = guarded(|| {
            for keyspace in snapshot.keyspaces()? {
                if let Some(table) = snapshot.table(keyspace)? {
                    let stats = table.stats()?;
                    bytes += stats.stored_bytes() + stats.metadata_bytes() + stats.fragmented_bytes();
                }
            }
            Ok(())
        });
        counted.map_err(|failure| into_kv_error(failure, &self.path))?;
        Ok(bytes)
    }
}

/// Copies everything; false when it was given up.
fn copy(snapshot: &Snapshot, database: &Database, give_up: &dyn Fn() -> bool) -> Result<bool, Failure> {
    for keyspace in snapshot.keyspaces()? {
        let Some(source) = snapshot.table(keyspace)? else {
            continue;
        };
        let name = table_name(keyspace);
        let mut entries = source.range::<&[u8]>(..)?.peekable();
        while entries.peek().is_some() {
            let mut transaction = database.begin_write()?;
            set_durability(&mut transaction, Durability::Eventual)?;
            {
                let (mut table, mut bytes) = (transaction.open_table(Definition::new(&name))?, 0);
                while bytes < BATCH_BYTES
                    && let Some(entry) = entries.next()
                {
                    let (key, value) = entry?;
                    bytes += key.value().len() + value.value().len();
                    table.insert(key.value(), value.value())?;
                }
            }
            transaction.commit()?;
            if give_up() {
                return Ok(false);
            }
        }
    }
    let mut transaction = database.begin_write()?;
    set_durability(&mut transaction, Durability::Immediate)?;
    transaction.open_table(META_TABLE)?.insert(META_FORMAT, FORMAT)?;
    transaction.commit()?;
    Ok(true)
}
