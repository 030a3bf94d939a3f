//! The store trait and the batch of writes it takes.

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use crate::KvResult;

/// A separate ordered key range of the store: one per relation fork, plus a few of the engine's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Keyspace(pub u64);

/// Which way a range read goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Ascending keys.
    Forward,
    /// Descending keys.
    Backward,
}

/// How far a batch must have gone when `write` returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Atomic, in order, but a crash or a later failed write may lose it (with everything after it, up to the next
    /// `Immediate` batch or `flush` that succeeds, which makes all before it durable).
    Eventual,
    /// On disk.
    Immediate,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum WriteOp {
    /// Insert or replace.
    Put {
        /// Where.
        keyspace: Keyspace,
        /// Key bytes.
        key: Vec<u8>,
        /// Value bytes.
        value: Vec<u8>,
    },
    /// Remove, if present.
    Delete {
        /// Where.
        keyspace: Keyspace,
        /// Key bytes.
        key: Vec<u8>,
    },
    /// Remove a keyspace and all in it.
    DropKeyspace(Keyspace),
}

/// Changes applied together or not at all, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteBatch {
    ops: Vec<WriteOp>,
    bytes: usize,
}

impl WriteBatch {
    /// An empty batch.
    pub fn new() -> WriteBatch {
        WriteBatch::default()
    }

    /// Adds an insert or replace.
    pub fn put(&mut self, keyspace: Keyspace, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        let (key, value) = (key.into(), value.into());
        self.bytes += key.len() + value.len();
        self.ops.push(WriteOp::Put { keyspace, key, value });
    }

    /// Adds a removal.
    pub fn delete(&mut self, keyspace: Keyspace, key: impl Into<Vec<u8>>) {
        let key = key.into();
        self.bytes += key.len();
        self.ops.push(WriteOp::Delete { keyspace, key });
    }

    /// Adds the removal of a whole keyspace.
    pub fn drop_keyspace(&mut self, keyspace: Keyspace) {
        self.ops.push(WriteOp::DropKeyspace(keyspace));
    }

    /// The changes, in order.
    pub fn ops(&self) -> &[WriteOp] {
        &self.ops
    }

    /// The changes, in order, given away.
    pub fn into_ops(self) -> Vec<WriteOp> {
        self.ops
    }

    /// Payload bytes, for splitting large work into bounded batches.
    pub fn payload_bytes(&self) -> usize {
        self.bytes
    }

    /// True when nothing was added.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }
}

/// A key and its value.
pub type KvEntry = (Vec<u8>, Vec<u8>);

/// An ordered, durable map of byte strings with keyspaces.
pub trait Kv: Send + Sync {
    /// The backend's name, for messages and `pglited --kv`.
    fn name(&self) -> &'static str;

    /// The newest value of a key.
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> KvResult<Option<Arc<[u8]>>>;

    /// Several keys of one keyspace at one point in time; results in the order of `keys`.
    fn multi_get(&self, keyspace: Keyspace, keys: &[&[u8]]) -> KvResult<Vec<Option<Arc<[u8]>>>>;

    /// Visits the entries between two bounds, in order, at one point in time, until the visitor breaks.
    fn range(
        &self,
        keyspace: Keyspace,
        bounds: (Bound<&[u8]>, Bound<&[u8]>),
        direction: Direction,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> KvResult<()>;

    /// All keyspaces that hold something (perhaps some that are empty), in order.
    fn keyspaces(&self) -> KvResult<Vec<Keyspace>>;

    /// Applies a batch. After an error all of it is visible or nothing (nearly always nothing), and earlier
    /// [`Durability::Eventual`] batches may be gone: a writer starts again from its last durable point.
    fn write(&self, batch: WriteBatch, durability: Durability) -> KvResult<()>;

    /// How often, since it was opened, what was written with [`Durability::Eventual`] may have been lost without a crash: a later write failed.
    fn losses(&self) -> u64 {
        0
    }

    /// Makes every earlier batch durable.
    fn flush(&self) -> KvResult<()>;

    /// Bytes on disk (0 in memory).
    fn size_on_disk(&self) -> KvResult<u64>;

    /// Gives space of deleted entries back, as far as the backend can, and until `give_up` says so, which leaves everything as it was.
    fn compact(&self, give_up: &dyn Fn() -> bool) -> KvResult<()>;

    /// The same without anybody waiting who reads, and giving up when somebody wants to write or `give_up` says so. False: given up, or it
    /// cannot be done that way.
    fn compact_beside(&self, _give_up: &dyn Fn() -> bool) -> KvResult<bool> {
        Ok(false)
    }

    /// Of the bytes on disk, those that hold entries; reads much of the store. `None`: unknown.
    fn live_bytes(&self) -> KvResult<Option<u64>> {
        Ok(None)
    }

    /// Bytes of keys and values written since it was opened, if anybody counts them.
    fn bytes_written(&self) -> u64 {
        0
    }

    /// A second store that begins with what this one holds now and keeps its changes in memory; the cost does not depend on the size.
    /// `None`: the backend has no lasting points in time.
    fn fork(&self) -> KvResult<Option<Arc<dyn Kv>>> {
        Ok(None)
    }
}
