//! A checkpoint or merge that panics.
//!
//! # How it works
//! It leaves memory in a state that nobody has thought of: a later checkpoint could write that to the store and give back the log that
//! knows better. So none runs any more, and changes are refused; what was committed is in the log, and the next start replays it. Readers
//! go on, as what is committed is not taken back.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use common::error::ErrorExt;
use common::{PgError, PgResult, internal, pg_err};
use parking_lot::MutexGuard;

use crate::storage::Storage;

impl Storage {
    /// Work of checkpoints and merges, by who holds their lock; refused once one has panicked.
    pub(crate) fn under<T>(
        &self,
        _guard: MutexGuard<'_, ()>,
        work: impl FnOnce() -> PgResult<T>,
    ) -> PgResult<T> {
        self.unbroken(work)
    }

    /// Work of the background; a panic in it breaks the database.
    pub(crate) fn unbroken<T>(&self, work: impl FnOnce() -> PgResult<T>) -> PgResult<T> {
        if let Some(why) = self.broken.get() {
            return Err(why.clone());
        }
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(self.break_off(&*panic)))
    }

    /// No checkpoint, no merge and no change any more.
    #[cold]
    fn break_off(&self, panic: &(dyn Any + Send)) -> Box<PgError> {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("unknown panic");
        let why = internal!("internal error in a checkpoint or merge: {text}");
        let refusal = pg_err!(
            INTERNAL_ERROR,
            "cannot change anything: a checkpoint or merge has failed"
        )
        .detail(why.message.clone());
        self.manager().refuse_writes(match self.options.dir {
            Some(_) => refusal.hint("Open the database again: what was committed is in its log."),
            None => refusal,
        });
        let _first = self.broken.set(why.clone());
        why
    }

    /// A checkpoint or merge has panicked.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.get().is_some()
    }
}
