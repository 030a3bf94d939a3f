//! A copy-on-write B+tree of byte strings: cloning shares every node, changing copies the path to the change.
//!
//! # How it works
//! Leaves hold sorted entries; inner nodes hold children, each with the smallest key that may lie below it (the first
//! child's is never looked at). `Arc::make_mut` copies a node only while another tree shares it, so a batch
//! that changes one leaf a thousand times copies it once.
//!
//! # Invariants
//! - Every leaf has the same depth; no node but an empty root is empty; no node has more than [`FANOUT`] slots.
//! - Nodes are not merged when they become small, only removed when empty: a tree that shrinks keeps its height, which
//!   costs depth and no correctness. PostgreSQL's nbtree lives with the same.
//!
//! # Why not a crate
//! `imbl` and `im` are under the MPL, which embedders of an MIT library would have to clear; `rpds` has one heap node per entry.

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use crate::Direction;

/// Slots per node. 64 keeps a copied leaf at 2 kB, so one changed row of a big shared tree costs about 10 kB of copying.
const FANOUT: usize = 64;

type Key = Arc<[u8]>;
type Value = Arc<[u8]>;
type Bounds<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);
type Visitor<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// An ordered map that is cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    root: Node,
}

#[derive(Clone, Debug)]
enum Node {
    Leaf(Vec<(Key, Value)>),
    Inner(Vec<(Key, Arc<Node>)>),
}

impl Default for Node {
    fn default() -> Node {
        Node::Leaf(Vec::new())
    }
}

impl Tree {
    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Option<&Value> {
        let mut node = &self.root;
        loop {
            match node {
                Node::Inner(children) => node = &children.get(child_index(children, key))?.1,
                Node::Leaf(entries) => {
                    let slot = entries.binary_search_by(|(k, _)| k.as_ref().cmp(key)).ok()?;
                    return entries.get(slot).map(|(_, value)| value);
                }
            }
        }
    }

    /// Inserts or replaces.
    pub fn insert(&mut self, key: Key, value: Value) {
        if let Some(right) = self.root.insert(key, value) {
            let left = std::mem::take(&mut self.root);
            let left_key = Key::from([].as_slice());
            self.root = Node::Inner(vec![(left_key, Arc::new(left)), right]);
        }
    }

    /// Removes, if present.
    pub fn remove(&mut self, key: &[u8]) {
        // A look first: a removal of nothing must not copy the path.
        if self.get(key).is_none() {
            return;
        }
        self.root.remove(key);
        while let Node::Inner(children) = &mut self.root {
            match children.len() {
                0 => self.root = Node::default(),
                1 => {
                    let Some((_, only)) = children.pop() else { return };
                    self.root = Arc::unwrap_or_clone(only);
                }
                _ => return,
            }
        }
    }

    /// Visits the entries between the bounds in order until the visitor breaks.
    pub fn range(&self, bounds: Bounds, direction: Direction, visit: &mut Visitor) -> ControlFlow<()> {
        self.root.range(bounds, direction, visit)
    }
}

impl Node {
    /// Inserts below this node; gives the new right sibling if the node had to split.
    fn insert(&mut self, key: Key, value: Value) -> Option<(Key, Arc<Node>)> {
        match self {
            Node::Leaf(entries) => {
                // Ascending keys, the usual case, cost one compare a level.
                let at_end = entries.last().is_none_or(|(last, _)| *last < key);
                if at_end {
                    entries.push((key, value));
                } else {
                    match entries.binary_search_by(|(k, _)| k.cmp(&key)) {
                        Ok(slot) => entries[slot].1 = value,
                        Err(slot) => entries.insert(slot, (key, value)),
                    }
                }
                let right = split(entries, at_end)?;
                Some((Arc::clone(&right.first()?.0), Arc::new(Node::Leaf(right))))
            }
            Node::Inner(children) => {
                let last = children
                    .last()
                    .is_some_and(|(smallest, _)| smallest.as_ref() <= &*key);
                let index = match last {
                    true => children.len() - 1,
                    false => child_index(children, &key),
                };
                let at_end = index + 1 == children.len();
                let new = Arc::make_mut(&mut children.get_mut(index)?.1).insert(key, value)?;
                children.insert(index + 1, new);
                let right = split(children, at_end)?;
                Some((Arc::clone(&right.first()?.0), Arc::new(Node::Inner(right))))
            }
        }
    }

    /// Removes a key that is known to be below this node.
    fn remove(&mut self, key: &[u8]) {
        match self {
            Node::Leaf(entries) => {
                if let Ok(slot) = entries.binary_search_by(|(k, _)| k.as_ref().cmp(key)) {
                    entries.remove(slot);
                }
            }
            Node::Inner(children) => {
                let index = child_index(children, key);
                let Some((_, child)) = children.get_mut(index) else {
                    return;
                };
                let child = Arc::make_mut(child);
                child.remove(key);
                if child.is_empty() {
                    children.remove(index);
                }
            }
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Node::Leaf(entries) => entries.is_empty(),
            Node::Inner(children) => children.is_empty(),
        }
    }

    fn range(&self, bounds: Bounds, direction: Direction, visit: &mut Visitor) -> ControlFlow<()> {
        match self {
            Node::Leaf(entries) => {
                let from = match bounds.0 {
                    Bound::Unbounded => 0,
                    Bound::Included(low) => entries.partition_point(|(k, _)| k.as_ref() < low),
                    Bound::Excluded(low) => entries.partition_point(|(k, _)| k.as_ref() <= low),
                };
                let to = match bounds.1 {
                    Bound::Unbounded => entries.len(),
                    Bound::Included(high) => entries.partition_point(|(k, _)| k.as_ref() <= high),
                    Bound::Excluded(high) => entries.partition_point(|(k, _)| k.as_ref() < high),
                };
                // `from > to` when the bounds are the wrong way round: nothing lies between them.
                let entries = entries.get(from..to).unwrap_or_default();
                match direction {
                    Direction::Forward => entries.iter().try_for_each(|(k, v)| visit(k, v)),
                    Direction::Backward => entries.iter().rev().try_for_each(|(k, v)| visit(k, v)),
                }
            }
            Node::Inner(children) => {
                let from = match bounds.0 {
                    Bound::Unbounded => 0,
                    Bound::Included(low) | Bound::Excluded(low) => child_index(children, low),
                };
                let to = match bounds.1 {
                    Bound::Unbounded => children.len(),
                    Bound::Included(high) | Bound::Excluded(high) => child_index(children, high) + 1,
                };
                let children = children.get(from..to).unwrap_or_default();
                let mut descend = |(_, child): &(Key, Arc<Node>)| child.range(bounds, direction, visit);
                match direction {
                    Direction::Forward => children.iter().try_for_each(&mut descend),
                    Direction::Backward => children.iter().rev().try_for_each(&mut descend),
                }
            }
        }
    }
}

/// The child below which a key lies: the last one whose smallest key is not above it.
fn child_index(children: &[(Key, Arc<Node>)], key: &[u8]) -> usize {
    children
        .partition_point(|(smallest, _)| smallest.as_ref() <= key)
        .saturating_sub(1)
}

/// Cuts an overfull node and returns its right part.
fn split<T>(slots: &mut Vec<T>, at_end: bool) -> Option<Vec<T>> {
    if slots.len() <= FANOUT {
        return None;
    }
    // Rows mostly arrive in ascending key order; a cut in the middle would leave every node half empty then.
    let cut = if at_end { slots.len() - 1 } else { slots.len() / 2 };
    Some(slots.split_off(cut))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn entries(tree: &Tree, bounds: Bounds, direction: Direction) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut found = Vec::new();
        let end = tree.range(bounds, direction, &mut |k, v| {
            found.push((k.to_vec(), v.to_vec()));
            ControlFlow::Continue(())
        });
        assert_eq!(end, ControlFlow::Continue(()));
        found
    }

    fn key(n: u16) -> Vec<u8> {
        // Two lengths, so that one key is often a prefix of another.
        if n.is_multiple_of(3) {
            vec![(n >> 8) as u8]
        } else {
            n.to_be_bytes().to_vec()
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_standard_map(ops in prop::collection::vec((any::<bool>(), 0u16..2000), 0..3000),
                                        low in 0u16..2000, high in 0u16..2000) {
            let (mut tree, mut model) = (Tree::default(), BTreeMap::new());
            let mut shared = None;
            for (i, (insert, n)) in ops.iter().enumerate() {
                if *insert {
                    tree.insert(key(*n).into(), i.to_be_bytes().as_slice().into());
                    model.insert(key(*n), i.to_be_bytes().to_vec());
                } else {
                    tree.remove(&key(*n));
                    model.remove(&key(*n));
                }
                if i == ops.len() / 2 {
                    shared = Some((tree.clone(), model.clone()));
                }
            }
            for (tree, model) in [(tree, model)].into_iter().chain(shared) {
                for n in 0..2000 {
                    prop_assert_eq!(tree.get(&key(n)).map(|v| v.to_vec()), model.get(&key(n)).cloned());
                }
                let all = (Bound::Unbounded, Bound::Unbounded);
                let want: Vec<_> = model.clone().into_iter().collect();
                prop_assert_eq!(entries(&tree, all, Direction::Forward), want);
                let (low, high) = (key(low), key(high));
                let bounds = (Bound::Excluded(&low[..]), Bound::Included(&high[..]));
                let want: Vec<_> = model.into_iter().filter(|(k, _)| *k > low && *k <= high).rev().collect();
                prop_assert_eq!(entries(&tree, bounds, Direction::Backward), want);
            }
        }
    }
}
