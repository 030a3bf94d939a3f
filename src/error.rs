//! The error type of the public API: every field of PostgreSQL's ErrorResponse.

use std::fmt;

use common::PgError;
pub use common::error::Severity;

/// An error, warning or notice.
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Box<PgError>);

/// The result of everything that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// The 1-based character at a byte of `sql`.
pub(crate) fn character_position(at: u32, sql: &str) -> u32 {
    let at = (at as usize).min(sql.len());
    let begins = sql.as_bytes()[..at].iter().filter(|b| (**b & 0xC0) != 0x80);
    begins.count() as u32 + 1
}

impl Error {
    /// Takes an engine error; a position becomes the 1-based character position in `sql`.
    pub(crate) fn from_engine(mut e: Box<PgError>, sql: &str) -> Error {
        e.position = e.position.map(|at| character_position(at, sql));
        Error(e)
    }

    /// Five characters that classify the error, for example `23505`.
    pub fn code(&self) -> &str {
        self.0.sqlstate.as_str()
    }

    /// The session ends with it: later statements fail with 08003.
    pub fn ends_session(&self) -> bool {
        self.0.ends_session()
    }

    /// ERROR, FATAL, WARNING, NOTICE...
    pub fn severity(&self) -> Severity {
        self.0.severity
    }

    /// The primary message.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The DETAIL line.
    pub fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// The HINT line.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// 1-based character position in the statement string.
    pub fn position(&self) -> Option<u32> {
        self.0.position
    }

    /// CONTEXT lines.
    pub fn context(&self) -> Option<&str> {
        self.0.context.as_deref()
    }

    /// Position in [`Error::internal_query`].
    pub fn internal_position(&self) -> Option<u32> {
        self.0.internal_position
    }

    /// The text of an internally generated statement that failed.
    pub fn internal_query(&self) -> Option<&str> {
        self.0.internal_query.as_deref()
    }

    /// Schema of the object concerned.
    pub fn schema(&self) -> Option<&str> {
        self.0.schema.as_deref()
    }

    /// Table concerned.
    pub fn table(&self) -> Option<&str> {
        self.0.table.as_deref()
    }

    /// Column concerned.
    pub fn column(&self) -> Option<&str> {
        self.0.column.as_deref()
    }

    /// Data type concerned.
    pub fn datatype(&self) -> Option<&str> {
        self.0.datatype.as_deref()
    }

    /// Constraint concerned.
    pub fn constraint(&self) -> Option<&str> {
        self.0.constraint.as_deref()
    }

    /// Source file and line in pglite that raised it.
    pub fn source_location(&self) -> Option<(&'static str, u32)> {
        self.0.source
    }
}

impl From<Box<PgError>> for Error {
    fn from(e: Box<PgError>) -> Error {
        Error(e)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0, self.code())
    }
}

impl std::error::Error for Error {}
