//! Asking a running statement to stop.
//!
//! # How it works
//! 1. A session owns a [`CancelToken`]; `statement_timeout`, cancel requests and shutdown set its flag.
//! 2. Whatever takes long looks at it once per batch, piece or so: operators get the token with their context.
//! 3. Parsing, analysis and planning have no operators and recurse through hundreds of functions: for them [`CancelToken::enter`] makes the
//!    token that of the thread, and [`check`] looks at it (as PostgreSQL's `CHECK_FOR_INTERRUPTS` does, it takes no argument).
//!
//!    What they leave behind may be large, too: [`discard`] has it freed beside the session, by a thread of its own.
//!
//! # Invariants
//! - Threads of parallel plans do not inherit the thread's token: what runs there uses the token of its context.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::env::{Env, WORKERS_MAX};
use crate::error::{PgError, PgResult, Severity};
use crate::pg_err;

/// Why a statement must stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum CancelReason {
    /// `pg_cancel_backend`, a cancel request or an interrupt handle.
    User = 1,
    /// `statement_timeout` ran out.
    StatementTimeout = 2,
    /// `transaction_timeout` ran out.
    TransactionTimeout = 3,
    /// `pg_terminate_backend` or shutdown.
    Shutdown = 4,
}

/// A flag shared by a session and whoever may interrupt it; operators poll it once per batch.
#[derive(Clone)]
pub struct CancelToken(Option<Arc<Shared>>);

struct Shared {
    flag: AtomicU8,
    /// Gives threads for what is to be freed.
    env: Option<Arc<dyn Env>>,
}

impl std::fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("CancelToken").field(&self.reason()).finish()
    }
}

impl Default for CancelToken {
    fn default() -> CancelToken {
        CancelToken(Some(Arc::new(Shared {
            flag: AtomicU8::new(0),
            env: None,
        })))
    }
}

/// Parts of a list that are freed between two looks at the flag.
const LIST_PIECE: usize = 1 << 14;

thread_local! {
    /// The token of what this thread does now.
    static RUNNING: RefCell<CancelToken> = const { RefCell::new(CancelToken(None)) };
}

/// Until it is dropped, [`check`] looks at the token that was entered. Not sent to other threads.
#[must_use]
pub struct Entered {
    before: CancelToken,
    _here: PhantomData<*const ()>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let before = std::mem::replace(&mut self.before, CancelToken(None));
        RUNNING.set(before);
    }
}

/// `Err` when somebody asked what this thread does to stop: for code that is too far from a context to be given the token.
#[inline]
pub fn check() -> PgResult<()> {
    RUNNING.with_borrow(CancelToken::check)
}

/// The token that [`check`] looks at.
pub fn current() -> CancelToken {
    RUNNING.with_borrow(CancelToken::clone)
}

/// Has a value freed by a thread of its own. For trees and lists of so many parts that it takes milliseconds, and that hold on to
/// nothing but memory: nobody waits for it.
pub fn discard<T: Send + 'static>(value: T) {
    current().discard(value);
}

/// Frees a value, or, when somebody has asked what this thread does to stop, has it freed as [`discard`] does: for the drop of stores of
/// rows.
pub fn discard_if_cancelled<T: Send + 'static>(value: T) {
    if was_cancelled() {
        discard(value);
    }
}

/// False, too, for a thread that ends: it frees its values after its token.
fn was_cancelled() -> bool {
    RUNNING.try_with(|token| token.borrow().is_cancelled()) == Ok(true)
}

/// Frees a list piece by piece, until somebody asks what this thread does to stop: [`discard`] takes the rest. For the drop of values that
/// may have millions of parts.
#[inline]
pub fn discard_list<T: Send + 'static>(list: Vec<T>) {
    if list.len() > LIST_PIECE {
        discard_long(list);
    }
}

/// What [`discard_list`] does, of a set or a map.
pub fn discard_items<I>(items: I)
where
    I: IntoIterator,
    I::IntoIter: ExactSizeIterator + Send + 'static,
{
    let mut items = items.into_iter();
    while items.len() > LIST_PIECE {
        if was_cancelled() {
            return discard(items);
        }
        items.by_ref().take(LIST_PIECE).for_each(drop);
    }
}

fn discard_long<T: Send + 'static>(mut list: Vec<T>) {
    while list.len() > LIST_PIECE {
        if was_cancelled() {
            return discard(list);
        }
        list.truncate(list.len() - LIST_PIECE);
    }
}

impl CancelToken {
    /// A token whose statements may have threads of `env` free what they leave behind.
    pub fn with_env(env: Arc<dyn Env>) -> CancelToken {
        CancelToken(Some(Arc::new(Shared {
            flag: AtomicU8::new(0),
            env: Some(env),
        })))
    }

    /// What [`discard`] does, by those who have a token. Where there is no thread left the value is freed here.
    pub fn discard<T: Send + 'static>(&self, value: T) {
        if let Some(env) = self.0.as_ref().and_then(|shared| shared.env.as_ref()) {
            env.spawn_worker(WORKERS_MAX, Box::new(move || drop(value)));
        }
    }

    /// Makes it the token that [`check`] looks at on this thread.
    pub fn enter(&self) -> Entered {
        Entered {
            before: RUNNING.replace(self.clone()),
            _here: PhantomData,
        }
    }

    /// A token nobody has cancelled.
    pub fn new() -> CancelToken {
        CancelToken::default()
    }

    /// A token that nobody can cancel, for work outside of statements.
    pub fn never() -> &'static CancelToken {
        static NEVER: CancelToken = CancelToken(None);
        &NEVER
    }

    fn flag(&self, ordering: Ordering) -> u8 {
        self.0.as_ref().map_or(0, |shared| shared.flag.load(ordering))
    }

    /// Asks the holder to stop at its next check.
    pub fn cancel(&self, reason: CancelReason) {
        if let Some(shared) = &self.0 {
            shared.flag.store(reason as u8, Ordering::Release);
        }
    }

    /// Forgets a request, before the next statement starts. A shutdown stays.
    pub fn reset(&self) {
        if let Some(shared) = &self.0
            && shared.flag.load(Ordering::Acquire) != CancelReason::Shutdown as u8
        {
            shared.flag.store(0, Ordering::Release);
        }
    }

    /// Why to stop, if somebody asked.
    pub fn reason(&self) -> Option<CancelReason> {
        Some(match self.flag(Ordering::Acquire) {
            0 => return None,
            2 => CancelReason::StatementTimeout,
            3 => CancelReason::TransactionTimeout,
            4 => CancelReason::Shutdown,
            _ => CancelReason::User,
        })
    }

    /// True when somebody asked.
    #[inline]
    pub fn is_cancelled(&self) -> bool {
        self.flag(Ordering::Relaxed) != 0
    }

    /// `Err` with PostgreSQL's message when somebody asked.
    #[inline]
    pub fn check(&self) -> PgResult<()> {
        if self.is_cancelled() { self.fail() } else { Ok(()) }
    }

    #[cold]
    fn fail(&self) -> PgResult<()> {
        let fatal = |mut e: Box<PgError>| {
            e.severity = Severity::Fatal;
            e
        };
        Err(match self.flag(Ordering::Acquire) {
            2 => pg_err!(QUERY_CANCELED, "canceling statement due to statement timeout"),
            3 => fatal(pg_err!(
                TRANSACTION_TIMEOUT,
                "terminating connection due to transaction timeout"
            )),
            4 => fatal(pg_err!(
                ADMIN_SHUTDOWN,
                "terminating connection due to administrator command"
            )),
            _ => pg_err!(QUERY_CANCELED, "canceling statement due to user request"),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_thread_has_the_token_that_was_entered_last() {
        let (outer, inner) = (CancelToken::new(), CancelToken::new());
        outer.cancel(CancelReason::User);
        assert!(check().is_ok());
        let entered = outer.enter();
        assert_eq!(check().unwrap_err().sqlstate.as_str(), "57014");
        {
            let _inner = inner.enter();
            assert!(check().is_ok());
            inner.cancel(CancelReason::TransactionTimeout);
            assert_eq!(check().unwrap_err().sqlstate.as_str(), "25P04");
        }
        assert_eq!(check().unwrap_err().sqlstate.as_str(), "57014");
        std::thread::spawn(|| assert!(check().is_ok())).join().unwrap();
        drop(entered);
        assert!(check().is_ok());
    }
}
