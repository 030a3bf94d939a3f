//! What can go wrong here, turned into a SQLSTATE once, at the border above.

use std::io;
use std::sync::Arc;

use common::error::ErrorExt;
use common::{PgError, SqlState, sqlstate};

/// The result of operations of this crate.
pub type TxnResult<T> = Result<T, TxnError>;

/// Why an operation failed. Cheap to clone: one failed sync fails every commit that waited for it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TxnError {
    /// The operating system said no.
    #[error("{context}: {source}")]
    Io {
        /// What was being done, in the words of PostgreSQL's messages ("could not write to file ...").
        context: String,
        /// The system's error.
        source: Arc<io::Error>,
    },
    /// As `Io`, and the failed record could not be made void on disk: should the process die before the log
    /// recovers, the transaction may be found committed.
    #[error("{context}: {source}")]
    Unresolved {
        /// What was being done.
        context: String,
        /// The system's error.
        source: Arc<io::Error>,
    },
    /// Stored bytes do not decode or do not match their checksum.
    #[error("{0}")]
    Corrupt(String),
    /// Somebody waits for us that we would wait for; the text is PostgreSQL's DETAIL.
    #[error("deadlock detected")]
    Deadlock {
        /// `Process 1 waits for ShareLock on transaction 2; blocked by process 3.` and so on, one line each.
        detail: String,
    },
    /// Serializable: going on might end in a cycle; the text is PostgreSQL's reason code.
    #[error("could not serialize access due to read/write dependencies among transactions")]
    Dependencies(String),
    /// `lock_timeout` ran out.
    #[error("canceling statement due to lock timeout")]
    LockTimeout,
    /// The cancel token was given while waiting.
    #[error("{0}")]
    Cancelled(Box<PgError>),
    /// Nothing may be changed any more.
    #[error("{0}")]
    Refused(Box<PgError>),
    /// More concurrent sessions, commands or bytes in a record than the formats can count.
    #[error("{0}")]
    Limit(String),
    /// A broken assumption of ours.
    #[error("{0}")]
    Internal(String),
}

impl TxnError {
    /// Wraps an operating system error: `TxnError::io("could not write to file \"x\"", e)`.
    pub fn io(context: impl Into<String>, source: io::Error) -> TxnError {
        TxnError::Io {
            context: context.into(),
            source: Arc::new(source),
        }
    }

    /// The SQLSTATE a user gets.
    pub fn sqlstate(&self) -> SqlState {
        match self {
            TxnError::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => sqlstate::DISK_FULL,
            TxnError::Io { .. } | TxnError::Unresolved { .. } => sqlstate::IO_ERROR,
            TxnError::Corrupt(_) => sqlstate::DATA_CORRUPTED,
            TxnError::Deadlock { .. } => sqlstate::T_R_DEADLOCK_DETECTED,
            TxnError::Dependencies(_) => sqlstate::T_R_SERIALIZATION_FAILURE,
            TxnError::LockTimeout => sqlstate::LOCK_NOT_AVAILABLE,
            TxnError::Cancelled(e) | TxnError::Refused(e) => e.sqlstate,
            TxnError::Limit(_) => sqlstate::PROGRAM_LIMIT_EXCEEDED,
            TxnError::Internal(_) => sqlstate::INTERNAL_ERROR,
        }
    }
}

impl From<TxnError> for Box<PgError> {
    fn from(e: TxnError) -> Box<PgError> {
        let error = PgError::new(e.sqlstate(), e.to_string());
        match e {
            TxnError::Cancelled(whole) | TxnError::Refused(whole) => whole,
            TxnError::Deadlock { detail } => error.detail(detail).hint("See server log for query details."),
            TxnError::Dependencies(reason) => error
                .detail(format!("Reason code: {reason}"))
                .hint("The transaction might succeed if retried."),
            TxnError::Unresolved { .. } => error.detail(
                "The failed transaction could not be marked void in the write-ahead log; \
                 it may be found committed if the process ends before the log recovers.",
            ),
            _ => error,
        }
    }
}
