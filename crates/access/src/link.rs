//! The way from a version to the one it replaced.

use std::sync::Arc;

use parking_lot::Mutex;

/// A pointer that is set when the version is made, sometimes cut later, and seldom followed: a lock of one byte costs less than an
/// `ArcSwap`, whose every store and drop looks at the readers of all threads. It is held for a copy of the pointer.
#[derive(Debug)]
pub(crate) struct Link<T>(Mutex<Option<Arc<T>>>);

impl<T> Link<T> {
    pub(crate) fn new(to: Option<Arc<T>>) -> Link<T> {
        Link(Mutex::new(to))
    }

    /// Where it leads.
    pub(crate) fn load_full(&self) -> Option<Arc<T>> {
        self.0.lock().clone()
    }

    /// Lets it lead elsewhere; what it led to.
    pub(crate) fn swap(&self, to: Option<Arc<T>>) -> Option<Arc<T>> {
        std::mem::replace(&mut *self.0.lock(), to)
    }

    /// Lets it lead elsewhere.
    pub(crate) fn store(&self, to: Option<Arc<T>>) {
        // The old list is dropped after the lock.
        drop(self.swap(to));
    }

    /// Takes it from a version that nobody else has.
    pub(crate) fn take(&mut self) -> Option<Arc<T>> {
        self.0.get_mut().take()
    }
}
