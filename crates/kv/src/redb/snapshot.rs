//! One open read transaction for all readers, until the next commit.
//!
//! # How it works
//! Beginning a transaction of redb and looking a table up by name takes three times as long as a get from a cached page, and a
//! global lock. So readers share a [`Snapshot`] and the tables opened in it. A writer drops it before its commit (or else
//! the pages that the commit frees would stay) and again after it (or else readers would stay in the past).
//!
//! # Invariants
//! - A snapshot begins under the lock `begin`, and the drop after a commit takes that lock too: a snapshot older than a commit is
//!   never published after that commit's drop. All readers use the published one, so no reader sees time run backwards.

use std::collections::HashMap;
use std::sync::Arc;

use ::redb::{
    Database, ReadOnlyTable, ReadTransaction, ReadableDatabase, TableDefinition, TableError, TableHandle,
};
use arc_swap::ArcSwapOption;
use parking_lot::{Mutex, RwLock};

use crate::Keyspace;
use crate::redb::failure::Failure;
use crate::redb::{Bytes, keyspace_of, table_name};

/// A keyspace at a point in time.
pub type ReadTable = ReadOnlyTable<Bytes, Bytes>;

/// The current snapshot, if somebody has read since the last commit.
#[derive(Default)]
pub struct SharedSnapshot {
    published: ArcSwapOption<Snapshot>,
    begin: Mutex<()>,
}

/// A point in time.
pub struct Snapshot {
    transaction: ReadTransaction,
    /// The keyspaces asked for so far; None: it did not exist.
    tables: RwLock<HashMap<Keyspace, Option<Arc<ReadTable>>>>,
}

impl SharedSnapshot {
    /// The newest point in time.
    pub fn current(&self, database: &Database) -> Result<Arc<Snapshot>, Failure> {
        if let Some(snapshot) = self.published.load_full() {
            return Ok(snapshot);
        }
        let _begin = self.begin.lock();
        // Another reader may have been faster.
        if let Some(snapshot) = self.published.load_full() {
            return Ok(snapshot);
        }
        let snapshot = Arc::new(Snapshot {
            transaction: database.begin_read()?,
            tables: RwLock::default(),
        });
        self.published.store(Some(Arc::clone(&snapshot)));
        Ok(snapshot)
    }

    /// Makes the next reader begin anew.
    pub fn drop_current(&self) {
        let _begin = self.begin.lock();
        self.published.store(None);
    }
}

impl Snapshot {
    /// All keyspaces, in order.
    pub fn keyspaces(&self) -> Result<Vec<Keyspace>, Failure> {
        let tables = self.transaction.list_tables()?;
        let mut keyspaces: Vec<Keyspace> = tables.filter_map(|table| keyspace_of(table.name())).collect();
        keyspaces.sort_unstable_by_key(|keyspace| keyspace.0);
        Ok(keyspaces)
    }

    /// A keyspace; None if it is empty.
    pub fn table(&self, keyspace: Keyspace) -> Result<Option<Arc<ReadTable>>, Failure> {
        if let Some(table) = self.tables.read().get(&keyspace) {
            return Ok(table.clone());
        }
        let name = table_name(keyspace);
        let table = match self
            .transaction
            .open_table(TableDefinition::<Bytes, Bytes>::new(&name))
        {
            Ok(table) => Some(Arc::new(table)),
            Err(TableError::TableDoesNotExist(_)) => None,
            Err(e) => return Err(e.into()),
        };
        self.tables.write().insert(keyspace, table.clone());
        Ok(table)
    }
}
