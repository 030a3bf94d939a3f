//! Filling a new index at once.
//!
//! A large build goes to the KV store directly, sorted, in batches, under a relation that nobody else sees yet; the log only learns
//! that the relation exists. A small one takes the ordinary way, which costs no write of the store.

use common::{PgResult, RowId};
use kv::{Durability, Keyspace, WriteBatch};
use types::{Datum, key};

use crate::index::store::{EntryKey, entry_key, entry_prefix, entry_row};
use crate::index::{Index, UniqueCheck, value};
use crate::transaction::Transaction;

/// Entries up to which a build goes through delta.
const SMALL_BUILD: usize = 4096;
/// Payload of one batch of a direct build.
const BATCH_BYTES: usize = 4 << 20;

/// What became of a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildOutcome {
    /// So many entries.
    Built(u64),
    /// Two rows have equal keys in a unique index.
    Duplicate(RowId, RowId),
}

/// An entry on its way: key and row id, value, and whether uniqueness concerns it.
struct NewEntry {
    key: EntryKey,
    value: Box<[u8]>,
    checked: bool,
}

impl Index {
    /// Fills an index whose relation this transaction created. Each entry: key datums, INCLUDE datums, row. In any order.
    pub fn build(
        &self,
        txn: &mut Transaction,
        entries: impl Iterator<Item = PgResult<(Vec<Datum>, Vec<Datum>, RowId)>>,
    ) -> PgResult<BuildOutcome> {
        let mut all = Vec::new();
        let mut prefix = Vec::new();
        for entry in entries {
            let (values, include, row) = entry?;
            prefix.clear();
            let exact = key::encode_all(&self.def.columns, &values, &mut prefix);
            all.push(NewEntry {
                key: entry_key(&prefix, row),
                value: value::encode(&values, &include, exact),
                checked: self.def.unique && !self.exempt_from_unique(&values),
            });
        }
        if !all.is_sorted_by(|a, b| a.key <= b.key) {
            all.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        }
        for pair in all.windows(2) {
            let [a, b] = pair else { continue };
            if a.checked && b.checked && entry_prefix(&a.key) == entry_prefix(&b.key) {
                return Ok(BuildOutcome::Duplicate(entry_row(&a.key)?, entry_row(&b.key)?));
            }
        }
        let count = all.len() as u64;
        if all.len() <= SMALL_BUILD {
            self.build_in_delta(txn, all)?;
        } else {
            self.build_in_store(txn, all)?;
        }
        Ok(BuildOutcome::Built(count))
    }

    fn build_in_delta(&self, txn: &mut Transaction, entries: Vec<NewEntry>) -> PgResult<()> {
        for entry in entries {
            self.insert_new(txn, entry.key, entry.value)?;
        }
        Ok(())
    }

    fn build_in_store(&self, txn: &mut Transaction, entries: Vec<NewEntry>) -> PgResult<()> {
        let store = &self.store;
        txn.require_record()?;
        let mut batch = WriteBatch::new();
        for entry in &entries {
            store.count(1, &entry.key);
            batch.put(Keyspace(store.id.0), entry.key.as_slice(), entry.value.as_ref());
            if batch.payload_bytes() > BATCH_BYTES {
                store
                    .shared
                    .kv
                    .write(std::mem::take(&mut batch), Durability::Eventual)?;
            }
        }
        store.shared.kv.write(batch, Durability::Eventual)?;
        store.shared.kv.flush()?;
        let _guard = store.directory_lock.lock();
        let directory = store.directory.load_full();
        store
            .directory
            .store(std::sync::Arc::new(directory.merged(Vec::new())));
        directory.leaves().for_each(|leaf| leaf.retire());
        Ok(())
    }

    /// Checks that no other row has the key by now: for deferred constraints.
    pub fn recheck_unique(
        &self,
        txn: &mut Transaction,
        values: &[Datum],
        row: RowId,
    ) -> PgResult<Result<(), RowId>> {
        self.insert(txn, values, &[], row, UniqueCheck::Existing)
    }
}
