//! A backend against the standard library's map, over random operations.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use common::env::sim::SimRandom;

use crate::conformance::{Harness, all, entries};
use crate::{Direction, Durability, Keyspace, Kv, KvEntry, WriteBatch, WriteOp};

/// Keyspaces and their content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    content: BTreeMap<(Keyspace, Vec<u8>), Vec<u8>>,
}

impl Model {
    /// Applies a batch.
    pub fn write(&mut self, batch: &WriteBatch) {
        for op in batch.ops() {
            match op {
                WriteOp::Put { keyspace, key, value } => {
                    self.content.insert((*keyspace, key.clone()), value.clone());
                }
                WriteOp::Delete { keyspace, key } => {
                    self.content.remove(&(*keyspace, key.clone()));
                }
                WriteOp::DropKeyspace(dropped) => self.content.retain(|(keyspace, _), _| keyspace != dropped),
            }
        }
    }

    /// True if a store holds exactly this in these keyspaces.
    pub fn matches(&self, kv: &dyn Kv, keyspaces: u64) -> bool {
        (0..keyspaces)
            .map(Keyspace)
            .all(|keyspace| all(kv, keyspace) == self.entries(keyspace))
    }

    fn entries(&self, keyspace: Keyspace) -> Vec<KvEntry> {
        let range = (keyspace, Vec::new())..;
        let inside = self.content.range(range).take_while(|((k, _), _)| *k == keyspace);
        inside
            .map(|((_, key), value)| (key.clone(), value.clone()))
            .collect()
    }
}

/// How random batches look.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Keyspaces 0 to this.
    pub keyspaces: u64,
    /// Distinct keys of each.
    pub keys: u64,
    /// Longest value.
    pub value_len_max: u64,
    /// Most operations of a batch.
    pub ops_max: u64,
}

/// A random batch.
pub fn random_batch(random: &mut SimRandom, shape: Shape) -> WriteBatch {
    let mut batch = WriteBatch::new();
    for _ in 0..=random.below(shape.ops_max) {
        let keyspace = Keyspace(random.below(shape.keyspaces));
        let key = random_key(random, shape.keys);
        match random.below(100) {
            0 => batch.drop_keyspace(keyspace),
            1..30 => batch.delete(keyspace, key),
            _ => {
                let mut value = vec![0; random.index(shape.value_len_max as usize + 1)];
                random.fill(&mut value);
                batch.put(keyspace, key, value);
            }
        }
    }
    batch
}

/// Keys of different lengths, one often the start of another.
fn random_key(random: &mut SimRandom, keys: u64) -> Vec<u8> {
    let n = random.below(keys);
    let bytes = n.to_be_bytes();
    if n.is_multiple_of(7) {
        bytes[6..].to_vec()
    } else {
        bytes[4..].to_vec()
    }
}

/// Runs a random history on a fresh store and on the model and compares all along.
pub(super) fn compare(harness: &Harness, seed: u64) {
    let name = format!("model {seed}");
    let mut random = SimRandom::new(seed);
    let mut kv: Arc<dyn Kv> = (harness.open)(&name);
    let mut model = Model::default();
    let shape = Shape {
        keyspaces: 4,
        keys: 300,
        value_len_max: 200,
        ops_max: 60,
    };
    for _ in 0..60 {
        let batch = random_batch(&mut random, shape);
        model.write(&batch);
        let durability = if random.one_in(8) {
            Durability::Immediate
        } else {
            Durability::Eventual
        };
        kv.write(batch, durability).unwrap();
        let keyspace = Keyspace(random.below(shape.keyspaces));
        let (low, high) = (
            random_key(&mut random, shape.keys),
            random_key(&mut random, shape.keys),
        );
        let got = entries(
            kv.as_ref(),
            keyspace,
            (Bound::Included(&low), Bound::Excluded(&high)),
            if random.one_in(2) {
                Direction::Forward
            } else {
                Direction::Backward
            },
        );
        let mut want = model.entries(keyspace);
        want.retain(|(key, _)| *key >= low && *key < high);
        let mut sorted = got;
        sorted.sort();
        assert_eq!(sorted, want, "seed {seed}");
        let value = kv.get(keyspace, &low).unwrap().map(|value| value.to_vec());
        assert_eq!(value, model.content.get(&(keyspace, low)).cloned(), "seed {seed}");
        if harness.durable && random.one_in(20) {
            kv.flush().unwrap();
            drop(kv);
            kv = (harness.open)(&name);
        }
    }
    assert!(model.matches(kv.as_ref(), shape.keyspaces), "seed {seed}");
}
