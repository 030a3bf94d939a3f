//! Counting memory against a limit, so that growth ends in spilling or 53200 instead of exhaustion.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{ErrorExt, PgResult};
use crate::pg_err;

/// A shared byte counter with a limit, optionally under a parent.
#[derive(Clone, Debug)]
pub struct MemoryBudget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    used: AtomicUsize,
    limit: usize,
    parent: Option<MemoryBudget>,
}

impl MemoryBudget {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> MemoryBudget {
        MemoryBudget(Arc::new(Inner {
            used: AtomicUsize::new(0),
            limit,
            parent: None,
        }))
    }

    /// A part of this budget with a limit of its own.
    pub fn child(&self, limit: usize) -> MemoryBudget {
        MemoryBudget(Arc::new(Inner {
            used: AtomicUsize::new(0),
            limit,
            parent: Some(self.clone()),
        }))
    }

    /// Bytes reserved now.
    pub fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    /// The limit in bytes.
    pub fn limit(&self) -> usize {
        self.0.limit
    }

    /// Takes `bytes`, or says 53200 and takes nothing.
    pub fn reserve(&self, bytes: usize) -> PgResult<()> {
        if self.try_reserve(bytes) {
            return Ok(());
        }
        Err(pg_err!(OUT_OF_MEMORY, "out of memory").detail(format!("Failed on request of size {bytes}.")))
    }

    /// Takes `bytes` if they fit; the caller spills otherwise.
    pub fn try_reserve(&self, bytes: usize) -> bool {
        let before = self.0.used.fetch_add(bytes, Ordering::Relaxed);
        let fits = before.saturating_add(bytes) <= self.0.limit
            && self.0.parent.as_ref().is_none_or(|p| p.try_reserve(bytes));
        if !fits {
            self.0.used.fetch_sub(bytes, Ordering::Relaxed);
        }
        fits
    }

    /// Gives `bytes` back.
    pub fn release(&self, bytes: usize) {
        self.0.used.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(parent) = &self.0.parent {
            parent.release(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_cannot_exceed_its_parent() {
        let parent = MemoryBudget::new(100);
        let child = parent.child(1000);
        assert!(child.try_reserve(80));
        assert!(!child.try_reserve(30));
        assert_eq!((parent.used(), child.used()), (80, 80));
        child.release(80);
        assert_eq!((parent.used(), child.used()), (0, 0));
    }
}
