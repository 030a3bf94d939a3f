//! Values that the store has notes of, when a database is opened: to be removed, unless the log says that they are stored.

use std::sync::atomic::Ordering;

use common::{PgResult, RelationId};
use kv::{Durability, WriteBatch};
use rustc_hash::FxHashSet;
use txn::Stamp;

use crate::storage::open::{CHECKPOINTED, RECOVERED};
use crate::storage::{Storage, meta};
use crate::toast::Name;
use crate::toast::store::Tracked;
use crate::transaction::redo::{RedoOp, take_op};

/// Values that the log says are in the store.
pub(crate) type StoredValues = FxHashSet<(RelationId, Name)>;

impl Storage {
    /// Takes up the values that the store has notes of.
    pub(super) fn adopt_toast(&self, stored: &StoredValues) -> PgResult<()> {
        let notes = meta::read_toast(&*self.shared.kv)?;
        if notes.is_empty() {
            return Ok(());
        }
        let doubtful = self.values_in_doubt()?;
        let mut gone = WriteBatch::new();
        for note in notes {
            let key = (note.relation, note.name);
            let (begin, end) = if note.ended {
                (Stamp::FROZEN, Stamp::committed(CHECKPOINTED))
            } else if stored.contains(&key) {
                (Stamp::committed(RECOVERED), Stamp::NEVER)
            } else {
                (Stamp::NEVER, Stamp::NEVER)
            };
            let value = Tracked::found(note.name, note.chunks, (begin, end), true);
            if begin == Stamp::NEVER && !doubtful.contains(&key) {
                // At once: its transaction's number is given out again, and then the name may be, too.
                value.remove(note.relation, &mut gone);
                continue;
            }
            value.in_doubt.store(doubtful.contains(&key), Ordering::Release);
            self.table_store(note.relation)?.toast.track(&value);
        }
        if !gone.is_empty() {
            self.shared.kv.write(gone, Durability::Eventual)?;
        }
        Ok(())
    }

    fn values_in_doubt(&self) -> PgResult<StoredValues> {
        let mut found = StoredValues::default();
        for part in self.in_doubt.lock().iter().flat_map(|one| &one.parts) {
            let mut rest = part.as_slice();
            while !rest.is_empty() {
                if let RedoOp::ToastStored(relation, name) = take_op(&mut rest)? {
                    found.insert((relation, name));
                }
            }
        }
        Ok(found)
    }
}
