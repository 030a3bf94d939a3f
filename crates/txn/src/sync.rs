//! The synchronisation primitives of this crate in one place, so that a loom build can exchange them.

pub(crate) use parking_lot::{Mutex, MutexGuard};
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
pub(crate) use std::sync::{Arc, OnceLock, Weak};

/// Keeps neighbours from sharing a cache line (two lines: processors prefetch pairs).
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct CacheAligned<T>(pub(crate) T);
