//! Asking a running statement to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::error::PgResult;
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
#[derive(Clone, Debug)]
pub struct CancelToken(Option<Arc<AtomicU8>>);

impl Default for CancelToken {
    fn default() -> CancelToken {
        CancelToken(Some(Arc::default()))
    }
}

impl CancelToken {
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
        self.0.as_ref().map_or(0, |flag| flag.load(ordering))
    }

    /// Asks the holder to stop at its next check.
    pub fn cancel(&self, reason: CancelReason) {
        if let Some(flag) = &self.0 {
            flag.store(reason as u8, Ordering::Release);
        }
    }

    /// Forgets a request, before the next statement starts. A shutdown stays.
    pub fn reset(&self) {
        if let Some(flag) = &self.0
            && flag.load(Ordering::Acquire) != CancelReason::Shutdown as u8
        {
            flag.store(0, Ordering::Release);
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
        Err(match self.flag(Ordering::Acquire) {
            2 => pg_err!(QUERY_CANCELED, "canceling statement due to statement timeout"),
            3 => pg_err!(
                TRANSACTION_TIMEOUT,
                "terminating connection due to transaction timeout"
            ),
            4 => pg_err!(
                ADMIN_SHUTDOWN,
                "terminating connection due to administrator command"
            ),
            _ => pg_err!(QUERY_CANCELED, "canceling statement due to user request"),
        })
    }
}
