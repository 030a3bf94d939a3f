//! The synchronisation primitives of this crate: those that models exchange, and what they need not know of.

pub(crate) use common::sync::{
    AtomicBool, AtomicU8, AtomicU32, AtomicU64, Mutex, MutexGuard, Ordering, spin_loop,
};
pub(crate) use std::sync::{Arc, OnceLock, Weak};

/// Keeps neighbours from sharing a cache line (two lines: processors prefetch pairs).
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct CacheAligned<T>(pub(crate) T);
