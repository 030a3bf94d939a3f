//! What can go wrong in a store, turned into a SQLSTATE once, at the border above.

use std::io;

use common::env::os_error_text;
use common::{PgError, SqlState, sqlstate};

/// The result of store operations.
pub type KvResult<T> = Result<T, KvError>;

/// Why a store operation failed.
#[derive(Debug, thiserror::Error)]
pub enum KvError {
    /// The operating system said no.
    #[error("{context}: {}", os_error_text(source))]
    Io {
        /// What was being done, in the words of PostgreSQL's messages ("could not write to file ...").
        context: String,
        /// The system's error.
        source: io::Error,
    },
    /// Stored bytes do not decode or do not match their checksum.
    #[error("{0}")]
    Corrupt(String),
    /// Another process owns the files.
    #[error("{0}")]
    Locked(String),
    /// The store failed earlier and refuses to go on.
    #[error("{0}")]
    Poisoned(String),
    /// A choice that does not exist.
    #[error("{0}")]
    InvalidOption(String),
    /// A choice that exists, but not in this build.
    #[error("{0}")]
    Unsupported(String),
    /// The backend's own complaint.
    #[error("{0}")]
    Backend(String),
}

impl KvError {
    /// The SQLSTATE a user gets.
    pub fn sqlstate(&self) -> SqlState {
        match self {
            KvError::Io { source, .. } => io_sqlstate(source.kind()),
            KvError::Poisoned(_) => sqlstate::IO_ERROR,
            KvError::Corrupt(_) => sqlstate::DATA_CORRUPTED,
            KvError::Locked(_) => sqlstate::OBJECT_IN_USE,
            KvError::InvalidOption(_) => sqlstate::INVALID_PARAMETER_VALUE,
            KvError::Unsupported(_) => sqlstate::FEATURE_NOT_SUPPORTED,
            KvError::Backend(_) => sqlstate::SYSTEM_ERROR,
        }
    }
}

/// As PostgreSQL's `errcode_for_file_access` chooses.
fn io_sqlstate(kind: io::ErrorKind) -> SqlState {
    match kind {
        io::ErrorKind::StorageFull => sqlstate::DISK_FULL,
        io::ErrorKind::NotFound => sqlstate::UNDEFINED_FILE,
        io::ErrorKind::AlreadyExists => sqlstate::DUPLICATE_FILE,
        io::ErrorKind::PermissionDenied => sqlstate::INSUFFICIENT_PRIVILEGE,
        io::ErrorKind::OutOfMemory => sqlstate::OUT_OF_MEMORY,
        _ => sqlstate::IO_ERROR,
    }
}

impl From<KvError> for Box<PgError> {
    fn from(e: KvError) -> Box<PgError> {
        PgError::new(e.sqlstate(), e.to_string())
    }
}
