//! The in-memory backend: an immutable tree, replaced as a whole by every batch.
//!
//! # How it works
//! The state is one pointer to a map keyspace -> [`tree::Tree`]. A writer (one at a time) copies the nodes it changes and
//! swaps the pointer; a reader loads the pointer once and sees that point in time for as long as it likes. Nodes
//! untouched by a batch are shared between the states, so [`MemoryKv::fork`] costs one reference count.
//!
//! # Invariants
//! - Readers take no lock and never wait for a writer, nor a writer for readers; a visitor may call the store.
//! - Values carry no checksum: nothing leaves memory.

pub(crate) mod tree;

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::memory::tree::Tree;
use crate::{Direction, Durability, Keyspace, Kv, KvResult, WriteBatch, WriteOp};

/// One state of the store.
type State = BTreeMap<Keyspace, Tree>;

/// A store without files; its content goes with it.
#[derive(Debug, Default)]
pub struct MemoryKv {
    state: ArcSwap<State>,
    /// Held while a batch is applied; protects the step from the old state to the new one.
    writer: Mutex<()>,
}

impl MemoryKv {
    /// An empty store.
    pub fn new() -> MemoryKv {
        MemoryKv::default()
    }

    /// A second store that starts with the content of this one; the cost does not depend on the size.
    pub fn fork(&self) -> MemoryKv {
        MemoryKv {
            state: ArcSwap::new(self.state.load_full()),
            writer: Mutex::new(()),
        }
    }
}

impl Kv for MemoryKv {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn get(&self, keyspace: Keyspace, key: &[u8]) -> KvResult<Option<Arc<[u8]>>> {
        Ok(self
            .state
            .load()
            .get(&keyspace)
            .and_then(|tree| tree.get(key))
            .cloned())
    }

    fn multi_get(&self, keyspace: Keyspace, keys: &[&[u8]]) -> KvResult<Vec<Option<Arc<[u8]>>>> {
        let state = self.state.load();
        let tree = state.get(&keyspace);
        Ok(keys
            .iter()
            .map(|key| tree.and_then(|tree| tree.get(key)).cloned())
            .collect())
    }

    fn range(
        &self,
        keyspace: Keyspace,
        bounds: (Bound<&[u8]>, Bound<&[u8]>),
        direction: Direction,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> KvResult<()> {
        // A full pointer instead of arc-swap's guard: the visitor may take long, and guards are few per thread.
        let state = self.state.load_full();
        if let Some(tree) = state.get(&keyspace) {
            // A break is the visitor's way to say "enough", not an error.
            let _ = tree.range(bounds, direction, visit);
        }
        Ok(())
    }

    fn keyspaces(&self) -> KvResult<Vec<Keyspace>> {
        Ok(self.state.load().keys().copied().collect())
    }

    fn write(&self, batch: WriteBatch, _durability: Durability) -> KvResult<()> {
        let _writer = self.writer.lock();
        let mut state = State::clone(&self.state.load());
        for op in batch.into_ops() {
            match op {
                WriteOp::Put { keyspace, key, value } => {
                    // Most index entries have no value; the default takes no memory.
                    let value = match value.is_empty() {
                        true => Arc::default(),
                        false => value.into(),
                    };
                    state.entry(keyspace).or_default().insert(key.into(), value);
                }
                WriteOp::Delete { keyspace, key } => {
                    if let Some(tree) = state.get_mut(&keyspace) {
                        tree.remove(&key);
                    }
                }
                WriteOp::DropKeyspace(keyspace) => {
                    state.remove(&keyspace);
                }
            }
        }
        self.state.store(Arc::new(state));
        Ok(())
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

    fn fork(&self) -> KvResult<Option<Arc<dyn Kv>>> {
        Ok(Some(Arc::new(MemoryKv::fork(self))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::{self, Harness, all, write};

    #[test]
    fn conforms() {
        let open = |_: &str| -> Arc<dyn Kv> { Arc::new(MemoryKv::new()) };
        conformance::run_all(&Harness {
            open: &open,
            durable: false,
            model_seeds: 50,
        });
    }

    #[test]
    fn a_fork_goes_its_own_way() {
        let original = MemoryKv::new();
        write(&original, Durability::Eventual, |batch| {
            batch.put(Keyspace(1), "a", "1")
        });
        let fork = original.fork();
        write(&fork, Durability::Eventual, |batch| {
            batch.put(Keyspace(1), "b", "2")
        });
        write(&original, Durability::Eventual, |batch| {
            batch.delete(Keyspace(1), "a")
        });
        assert_eq!(all(&fork, Keyspace(1)).len(), 2);
        assert_eq!(all(&original, Keyspace(1)), []);
    }
}
