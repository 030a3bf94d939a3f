//! Synchronisation primitives in one place, so that models of concurrency can exchange them.
//!
//! A build with `--cfg pglite_loom` has loom's, which run a test under every order of events that the memory model allows (up to a
//! bound); see `crates/txn/src/models.rs`. All other builds have parking_lot's and the standard library's.
//!
//! # Invariants
//! - Both sets have the same names and methods, those of parking_lot and of the standard library, as far as they are used.

#[cfg(not(pglite_loom))]
pub use std::hint::spin_loop;
#[cfg(not(pglite_loom))]
pub use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};

#[cfg(not(pglite_loom))]
pub use parking_lot::{Condvar, Mutex, MutexGuard};

#[cfg(pglite_loom)]
pub use models::{
    AtomicBool, AtomicU8, AtomicU32, AtomicU64, Condvar, Mutex, MutexGuard, Ordering, spin_loop,
};

#[cfg(pglite_loom)]
mod models {
    use std::fmt;
    use std::ops::{Deref, DerefMut};

    use loom::sync::atomic::fence;

    pub use loom::sync::atomic::Ordering;

    /// Lets the others go on; a loop of these is no progress.
    pub fn spin_loop() {
        loom::thread::yield_now();
    }

    /// loom takes SeqCst accesses for AcqRel ones, but knows SeqCst fences: these stand around such accesses.
    fn ordered<T>(order: Ordering, access: impl FnOnce() -> T) -> T {
        if order != Ordering::SeqCst {
            return access();
        }
        fence(Ordering::SeqCst);
        let value = access();
        fence(Ordering::SeqCst);
        value
    }

    macro_rules! atomic {
        ($name:ident, $value:ty) => {
            /// As the standard library's.
            #[derive(Debug)]
            pub struct $name(loom::sync::atomic::$name);

            #[allow(missing_docs)]
            impl $name {
                pub fn new(value: $value) -> $name {
                    $name(loom::sync::atomic::$name::new(value))
                }

                pub fn load(&self, order: Ordering) -> $value {
                    ordered(order, || self.0.load(order))
                }

                pub fn store(&self, value: $value, order: Ordering) {
                    ordered(order, || self.0.store(value, order));
                }

                pub fn swap(&self, value: $value, order: Ordering) -> $value {
                    ordered(order, || self.0.swap(value, order))
                }

                pub fn compare_exchange(
                    &self,
                    current: $value,
                    new: $value,
                    success: Ordering,
                    failure: Ordering,
                ) -> Result<$value, $value> {
                    ordered(success, || {
                        self.0.compare_exchange(current, new, success, failure)
                    })
                }

                pub fn compare_exchange_weak(
                    &self,
                    current: $value,
                    new: $value,
                    success: Ordering,
                    failure: Ordering,
                ) -> Result<$value, $value> {
                    self.compare_exchange(current, new, success, failure)
                }

                pub fn fetch_update(
                    &self,
                    success: Ordering,
                    failure: Ordering,
                    mut update: impl FnMut($value) -> Option<$value>,
                ) -> Result<$value, $value> {
                    let mut current = self.load(failure);
                    while let Some(new) = update(current) {
                        match self.compare_exchange(current, new, success, failure) {
                            Ok(old) => return Ok(old),
                            Err(found) => current = found,
                        }
                    }
                    Err(current)
                }
            }

            impl Default for $name {
                fn default() -> $name {
                    $name::new(<$value>::default())
                }
            }
        };
    }

    macro_rules! counter {
        ($name:ident, $value:ty) => {
            #[allow(missing_docs)]
            impl $name {
                pub fn fetch_add(&self, value: $value, order: Ordering) -> $value {
                    ordered(order, || self.0.fetch_add(value, order))
                }

                pub fn fetch_sub(&self, value: $value, order: Ordering) -> $value {
                    ordered(order, || self.0.fetch_sub(value, order))
                }

                pub fn fetch_max(&self, value: $value, order: Ordering) -> $value {
                    ordered(order, || self.0.fetch_max(value, order))
                }

                pub fn fetch_or(&self, value: $value, order: Ordering) -> $value {
                    ordered(order, || self.0.fetch_or(value, order))
                }
            }
        };
    }

    atomic!(AtomicBool, bool);
    atomic!(AtomicU8, u8);
    atomic!(AtomicU32, u32);
    atomic!(AtomicU64, u64);
    counter!(AtomicU32, u32);
    counter!(AtomicU64, u64);

    /// As parking_lot's.
    pub struct Mutex<T>(loom::sync::Mutex<T>);

    /// As parking_lot's.
    pub struct MutexGuard<'a, T>(Option<loom::sync::MutexGuard<'a, T>>);

    /// A model that panics has failed, whatever its mutexes say.
    const POISONED: &str = "a thread of the model panicked";
    const TAKEN: &str = "the guard waits";

    #[allow(missing_docs, clippy::expect_used)]
    impl<T> Mutex<T> {
        pub fn new(value: T) -> Mutex<T> {
            Mutex(loom::sync::Mutex::new(value))
        }

        pub fn lock(&self) -> MutexGuard<'_, T> {
            MutexGuard(Some(self.0.lock().expect(POISONED)))
        }

        pub fn get_mut(&mut self) -> &mut T {
            self.0.get_mut().expect(POISONED)
        }

        pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            self.0.try_lock().ok().map(|guard| MutexGuard(Some(guard)))
        }
    }

    impl<T: Default> Default for Mutex<T> {
        fn default() -> Mutex<T> {
            Mutex::new(T::default())
        }
    }

    impl<T> fmt::Debug for Mutex<T> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Mutex")
        }
    }

    #[allow(clippy::expect_used)]
    impl<T> Deref for MutexGuard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            self.0.as_ref().expect(TAKEN)
        }
    }

    #[allow(clippy::expect_used)]
    impl<T> DerefMut for MutexGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            self.0.as_mut().expect(TAKEN)
        }
    }

    /// As parking_lot's; nothing ever times out, so that a wake-up that gets lost is a deadlock of the model.
    #[derive(Debug, Default)]
    pub struct Condvar(loom::sync::Condvar);

    /// What a wait with a limit tells.
    #[derive(Debug)]
    pub struct WaitTimeoutResult;

    #[allow(missing_docs)]
    impl WaitTimeoutResult {
        pub fn timed_out(&self) -> bool {
            false
        }
    }

    #[allow(missing_docs, clippy::expect_used)]
    impl Condvar {
        pub fn notify_all(&self) {
            self.0.notify_all();
        }

        pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
            let inner = guard.0.take().expect(TAKEN);
            guard.0 = Some(self.0.wait(inner).expect(POISONED));
        }

        pub fn wait_until<T, D>(&self, guard: &mut MutexGuard<'_, T>, _: D) -> WaitTimeoutResult {
            self.wait(guard);
            WaitTimeoutResult
        }
    }
}
