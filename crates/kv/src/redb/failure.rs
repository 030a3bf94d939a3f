//! From what redb says, or screams, to [`KvError`].

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ::redb::{CommitError, CompactionError, DatabaseError, StorageError, TableError, TransactionError};

use crate::KvError;
use crate::redb::backend::FileError;

/// Why a piece of work on a redb instance failed.
#[derive(Debug)]
pub enum Failure {
    /// An earlier failure, perhaps of another thread, has made this instance useless; a new one may do better.
    Stale,
    /// The piece of work itself failed.
    Error(KvError),
}

/// Runs a piece of work on redb, which panics on many kinds of damage to its file.
pub fn guarded<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    // Whatever the panic left half done is inside redb; the caller throws that instance away.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let message = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("unknown panic");
        Err(corrupt(message))
    })
}

fn corrupt(message: &str) -> Failure {
    Failure::Error(KvError::Corrupt(format!("key-value store is damaged: {message}")))
}

impl From<KvError> for Failure {
    fn from(e: KvError) -> Failure {
        Failure::Error(e)
    }
}

impl From<io::Error> for Failure {
    fn from(e: io::Error) -> Failure {
        // redb reports some kinds of damage as I/O errors of its own making.
        if matches!(
            e.kind(),
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
        ) {
            return corrupt(&e.to_string());
        }
        Failure::Error(match e.downcast::<FileError>() {
            Ok(FileError { context, source }) => KvError::Io { context, source },
            Err(source) => KvError::Io {
                context: "could not access key-value store".to_owned(),
                source,
            },
        })
    }
}

impl From<StorageError> for Failure {
    fn from(e: StorageError) -> Failure {
        match e {
            StorageError::Io(e) => e.into(),
            StorageError::PreviousIo | StorageError::DatabaseClosed | StorageError::LockPoisoned(_) => {
                Failure::Stale
            }
            StorageError::Corrupted(message) => corrupt(&message),
            other => Failure::Error(KvError::Backend(other.to_string())),
        }
    }
}

impl From<TableError> for Failure {
    fn from(e: TableError) -> Failure {
        match e {
            TableError::Storage(e) => e.into(),
            // Every table of ours has the same types, so any other complaint comes from damage.
            other => corrupt(&other.to_string()),
        }
    }
}

impl From<TransactionError> for Failure {
    fn from(e: TransactionError) -> Failure {
        match e {
            TransactionError::Storage(e) => e.into(),
            other => Failure::Error(KvError::Backend(other.to_string())),
        }
    }
}

impl From<CommitError> for Failure {
    fn from(e: CommitError) -> Failure {
        match e {
            CommitError::Storage(e) => e.into(),
            other => Failure::Error(KvError::Backend(other.to_string())),
        }
    }
}

impl From<DatabaseError> for Failure {
    fn from(e: DatabaseError) -> Failure {
        match e {
            DatabaseError::Storage(e) => e.into(),
            other => Failure::Error(KvError::Backend(other.to_string())),
        }
    }
}

impl From<CompactionError> for Failure {
    fn from(e: CompactionError) -> Failure {
        match e {
            CompactionError::Storage(e) => e.into(),
            other => Failure::Error(KvError::Backend(other.to_string())),
        }
    }
}
