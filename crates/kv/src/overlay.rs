//! A store over a point in time of another: what a fork of a database on disk writes to.
//!
//! # How it works
//! Reads look at the changes first, which are kept in memory as an immutable tree per keyspace, and then at the frozen store below.
//! A removed key has a marker in a tree of its own; a dropped keyspace hides what lies below it.
//!
//! # Invariants
//! - The store below never changes. Neither do the states of this one: a batch makes a new one, and a fork shares it.
//! - A key is in `puts` or in `removed`, never in both.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::memory::tree::Tree;
use crate::{Direction, Durability, Keyspace, Kv, KvResult, WriteBatch, WriteOp};

type Bounds<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);
type Entry = (Arc<[u8]>, Arc<[u8]>);

/// What is different from below.
#[derive(Clone, Default)]
struct State {
    puts: BTreeMap<Keyspace, Tree>,
    removed: BTreeMap<Keyspace, Tree>,
    /// Nothing of these shows through.
    hidden: BTreeSet<Keyspace>,
}

/// Changes in memory over a frozen store.
pub struct OverlayKv {
    below: Arc<dyn Kv>,
    state: ArcSwap<State>,
    writer: Mutex<()>,
}

impl OverlayKv {
    /// A store with the content of `below`, which never changes.
    pub fn over(below: Arc<dyn Kv>) -> OverlayKv {
        OverlayKv {
            below,
            state: ArcSwap::default(),
            writer: Mutex::new(()),
        }
    }
}

impl State {
    fn get(&self, below: &dyn Kv, keyspace: Keyspace, key: &[u8]) -> KvResult<Option<Arc<[u8]>>> {
        if let Some(value) = self.puts.get(&keyspace).and_then(|tree| tree.get(key)) {
            return Ok(Some(Arc::clone(value)));
        }
        if self.hides(keyspace, key) {
            return Ok(None);
        }
        below.get(keyspace, key)
    }

    fn hides(&self, keyspace: Keyspace, key: &[u8]) -> bool {
        self.hidden.contains(&keyspace)
            || self
                .removed
                .get(&keyspace)
                .is_some_and(|tree| tree.get(key).is_some())
    }

    fn apply(&mut self, op: WriteOp) {
        match op {
            WriteOp::Put { keyspace, key, value } => {
                if let Some(removed) = self.removed.get_mut(&keyspace) {
                    removed.remove(&key);
                }
                self.puts
                    .entry(keyspace)
                    .or_default()
                    .insert(key.into(), value.into());
            }
            WriteOp::Delete { keyspace, key } => {
                if let Some(puts) = self.puts.get_mut(&keyspace) {
                    puts.remove(&key);
                }
                if !self.hidden.contains(&keyspace) {
                    let removed = self.removed.entry(keyspace).or_default();
                    removed.insert(key.into(), Arc::default());
                }
            }
            WriteOp::DropKeyspace(keyspace) => {
                self.puts.remove(&keyspace);
                self.removed.remove(&keyspace);
                self.hidden.insert(keyspace);
            }
        }
    }
}

/// The changed entries of a keyspace between two bounds, one after the other.
struct Puts<'s> {
    tree: Option<&'s Tree>,
    direction: Direction,
    bounds: (Bound<Vec<u8>>, Bound<Vec<u8>>),
    next: Option<Entry>,
}

impl<'s> Puts<'s> {
    fn new(tree: Option<&'s Tree>, direction: Direction, bounds: Bounds<'_>) -> Puts<'s> {
        let owned = |bound: Bound<&[u8]>| bound.map(<[u8]>::to_vec);
        let mut puts = Puts {
            tree,
            direction,
            bounds: (owned(bounds.0), owned(bounds.1)),
            next: None,
        };
        puts.find();
        puts
    }

    /// Reads the entry at the near end of the bounds.
    fn find(&mut self) {
        let mut next: Option<Entry> = None;
        let bounds = (
            self.bounds.0.as_ref().map(Vec::as_slice),
            self.bounds.1.as_ref().map(Vec::as_slice),
        );
        if let (Some(tree), false) = (self.tree, is_empty(bounds)) {
            let _ = tree.range(bounds, self.direction, &mut |key, value| {
                next = Some((key.into(), value.into()));
                ControlFlow::Break(())
            });
        }
        self.next = next;
    }

    fn take(&mut self) -> Option<Entry> {
        let taken = self.next.take()?;
        let past = Bound::Excluded(taken.0.to_vec());
        match self.direction {
            Direction::Forward => self.bounds.0 = past,
            Direction::Backward => self.bounds.1 = past,
        }
        self.find();
        Some(taken)
    }

    /// The next entry, if it comes before a key in the direction, or is of that key.
    fn take_up_to(&mut self, key: &[u8]) -> Option<Entry> {
        let (next, _) = self.next.as_ref()?;
        let due = match self.direction {
            Direction::Forward => **next <= *key,
            Direction::Backward => **next >= *key,
        };
        if due { self.take() } else { None }
    }
}

fn is_empty(bounds: Bounds<'_>) -> bool {
    match bounds {
        (Bound::Included(a), Bound::Included(b)) => a > b,
        (Bound::Included(a) | Bound::Excluded(a), Bound::Included(b) | Bound::Excluded(b)) => a >= b,
        _ => false,
    }
}

impl Kv for OverlayKv {
    fn name(&self) -> &'static str {
        "overlay"
    }

    fn get(&self, keyspace: Keyspace, key: &[u8]) -> KvResult<Option<Arc<[u8]>>> {
        self.state.load().get(&*self.below, keyspace, key)
    }

    fn multi_get(&self, keyspace: Keyspace, keys: &[&[u8]]) -> KvResult<Vec<Option<Arc<[u8]>>>> {
        let state = self.state.load_full();
        keys.iter()
            .map(|key| state.get(&*self.below, keyspace, key))
            .collect()
    }

    fn range(
        &self,
        keyspace: Keyspace,
        bounds: Bounds<'_>,
        direction: Direction,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> KvResult<()> {
        if is_empty(bounds) {
            return Ok(());
        }
        let state = self.state.load_full();
        let mut puts = Puts::new(state.puts.get(&keyspace), direction, bounds);
        let mut stopped = false;
        if !state.hidden.contains(&keyspace) {
            self.below.range(keyspace, bounds, direction, &mut |key, value| {
                let mut replaced = false;
                while let Some((new, value)) = puts.take_up_to(key) {
                    replaced = *new == *key;
                    stopped = visit(&new, &value).is_break();
                    if stopped {
                        return ControlFlow::Break(());
                    }
                }
                if replaced || state.hides(keyspace, key) {
                    return ControlFlow::Continue(());
                }
                stopped = visit(key, value).is_break();
                match stopped {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            })?;
        }
        while !stopped && let Some((key, value)) = puts.take() {
            stopped = visit(&key, &value).is_break();
        }
        Ok(())
    }

    fn keyspaces(&self) -> KvResult<Vec<Keyspace>> {
        let state = self.state.load_full();
        let below = self.below.keyspaces()?.into_iter();
        let mut all: BTreeSet<Keyspace> = below.filter(|k| !state.hidden.contains(k)).collect();
        all.extend(state.puts.keys());
        Ok(all.into_iter().collect())
    }

    fn write(&self, batch: WriteBatch, _durability: Durability) -> KvResult<()> {
        let _writer = self.writer.lock();
        let mut state = State::clone(&self.state.load());
        batch.into_ops().into_iter().for_each(|op| state.apply(op));
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
        Ok(Some(Arc::new(OverlayKv {
            below: Arc::clone(&self.below),
            state: ArcSwap::new(self.state.load_full()),
            writer: Mutex::new(()),
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::{self, Harness, all, write};
    use crate::memory::MemoryKv;

    #[test]
    fn conforms() {
        let open = |_: &str| -> Arc<dyn Kv> { Arc::new(OverlayKv::over(Arc::new(MemoryKv::new()))) };
        conformance::run_all(&Harness {
            open: &open,
            durable: false,
            model_seeds: 50,
        });
    }

    /// Over a store that is full of what the test removes or replaces first.
    #[test]
    fn what_lies_below_shows_through_until_it_is_changed() {
        let space = Keyspace(1);
        let below = MemoryKv::new();
        write(&below, Durability::Eventual, |batch| {
            for k in 0..100_u8 {
                batch.put(space, [k], [k, 0]);
            }
            batch.put(Keyspace(2), "x", "y");
        });
        let overlay = OverlayKv::over(Arc::new(below));
        assert_eq!(all(&overlay, space).len(), 100);
        write(&overlay, Durability::Eventual, |batch| {
            for k in 0..100_u8 {
                match k % 3 {
                    0 => batch.delete(space, [k]),
                    1 => batch.put(space, [k], [k, 1]),
                    _ => batch.put(space, [k, 7], [k, 2]),
                }
            }
        });
        let Ok(Some(fork)) = overlay.fork() else {
            panic!("an overlay can be forked");
        };
        for direction in [Direction::Forward, Direction::Backward] {
            let mut found = Vec::new();
            let bounds = (Bound::Included(&[10_u8][..]), Bound::Excluded(&[20_u8][..]));
            let visited = overlay.range(space, bounds, direction, &mut |key, value| {
                found.push((key.to_vec(), value.to_vec()));
                ControlFlow::Continue(())
            });
            assert!(visited.is_ok());
            let mut expected = Vec::new();
            for k in 10..20_u8 {
                match k % 3 {
                    0 => {}
                    1 => expected.push((vec![k], vec![k, 1])),
                    _ => expected.extend([(vec![k], vec![k, 0]), (vec![k, 7], vec![k, 2])]),
                }
            }
            if direction == Direction::Backward {
                expected.reverse();
            }
            assert_eq!(found, expected);
        }
        write(&*fork, Durability::Eventual, |batch| {
            batch.drop_keyspace(space);
            batch.put(space, "a", "b");
        });
        assert_eq!(all(&*fork, space).len(), 1);
        assert_eq!(all(&*fork, Keyspace(2)).len(), 1);
        assert_eq!(all(&overlay, space).len(), 99);
        assert!(matches!(overlay.get(space, &[0]), Ok(None)));
    }
}
