//! The error every user sees: PostgreSQL's fields, built with [`pg_err!`](crate::pg_err).

use std::fmt;

use crate::span::Span;

/// Five ASCII characters that classify an error (PostgreSQL appendix A).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SqlState([u8; 5]);

impl SqlState {
    /// Wraps the five characters.
    pub const fn new(code: [u8; 5]) -> SqlState {
        SqlState(code)
    }

    /// The code as text, for example `42P01`.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XX000")
    }

    /// The first two characters: the class of the condition.
    pub fn class(&self) -> [u8; 2] {
        [self.0[0], self.0[1]]
    }
}

impl fmt::Debug for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How bad a report is; the words are the protocol's `V` field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Severity {
    Debug,
    Log,
    Info,
    Notice,
    Warning,
    Error,
    Fatal,
    Panic,
}

impl Severity {
    /// The word that PostgreSQL prints.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Debug => "DEBUG",
            Severity::Log => "LOG",
            Severity::Info => "INFO",
            Severity::Notice => "NOTICE",
            Severity::Warning => "WARNING",
            Severity::Error => "ERROR",
            Severity::Fatal => "FATAL",
            Severity::Panic => "PANIC",
        }
    }
}

/// The result of everything that can fail with a user-visible error.
pub type PgResult<T> = Result<T, Box<PgError>>;

/// An error, warning or notice with every field of PostgreSQL's ErrorResponse.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct PgError {
    pub severity: Severity,
    pub sqlstate: SqlState,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    /// Byte offset (0-based) into the text of the statement string that was sent; the session turns it into
    /// PostgreSQL's 1-based character position.
    pub position: Option<u32>,
    pub internal_position: Option<u32>,
    pub internal_query: Option<String>,
    /// PostgreSQL's CONTEXT lines, innermost first, separated by newlines.
    pub context: Option<String>,
    pub schema: Option<String>,
    pub table: Option<String>,
    pub column: Option<String>,
    pub datatype: Option<String>,
    pub constraint: Option<String>,
    /// Where in our source it was raised (fields `F` and `L`).
    pub source: Option<(&'static str, u32)>,
}

impl PgError {
    /// The session ends with it.
    pub fn ends_session(&self) -> bool {
        self.severity == Severity::Fatal
    }

    /// A new ERROR.
    pub fn new(sqlstate: SqlState, message: impl Into<String>) -> Box<PgError> {
        Box::new(PgError {
            severity: Severity::Error,
            sqlstate,
            message: message.into(),
            detail: None,
            hint: None,
            position: None,
            internal_position: None,
            internal_query: None,
            context: None,
            schema: None,
            table: None,
            column: None,
            datatype: None,
            constraint: None,
            source: None,
        })
    }

    /// A notice-like report of the given severity.
    pub fn notice(severity: Severity, sqlstate: SqlState, message: impl Into<String>) -> Box<PgError> {
        let mut e = PgError::new(sqlstate, message);
        e.severity = severity;
        e
    }
}

/// Chainable setters; they live on the box, so that building an error stays one expression.
pub trait ErrorExt: Sized {
    /// Sets the DETAIL line.
    fn detail(self, text: impl Into<String>) -> Self;
    /// Sets the HINT line.
    fn hint(self, text: impl Into<String>) -> Self;
    /// Points at the start of a span of the statement, unless a position is known already.
    fn at(self, span: Span) -> Self;
    /// Adds a CONTEXT line outside those already there.
    fn context(self, text: impl Into<String>) -> Self;
    /// Names the table concerned.
    fn table(self, schema: impl Into<String>, table: impl Into<String>) -> Self;
    /// Names the column concerned.
    fn column(self, column: impl Into<String>) -> Self;
    /// Names the constraint concerned.
    fn constraint(self, constraint: impl Into<String>) -> Self;
    /// Records where it was raised.
    fn source(self, file: &'static str, line: u32) -> Self;
}

impl ErrorExt for Box<PgError> {
    fn detail(mut self, text: impl Into<String>) -> Self {
        self.detail = Some(text.into());
        self
    }
    fn hint(mut self, text: impl Into<String>) -> Self {
        self.hint = Some(text.into());
        self
    }
    fn at(mut self, span: Span) -> Self {
        if self.position.is_none() && span.is_known() {
            self.position = Some(span.start);
        }
        self
    }
    fn context(mut self, text: impl Into<String>) -> Self {
        let text = text.into();
        match &mut self.context {
            Some(lines) => {
                lines.push('\n');
                lines.push_str(&text);
            }
            None => self.context = Some(text),
        }
        self
    }
    fn table(mut self, schema: impl Into<String>, table: impl Into<String>) -> Self {
        self.schema = Some(schema.into());
        self.table = Some(table.into());
        self
    }
    fn column(mut self, column: impl Into<String>) -> Self {
        self.column = Some(column.into());
        self
    }
    fn constraint(mut self, constraint: impl Into<String>) -> Self {
        self.constraint = Some(constraint.into());
        self
    }
    fn source(mut self, file: &'static str, line: u32) -> Self {
        self.source = Some((file, line));
        self
    }
}

/// The same position setter for results, for `?` chains.
pub trait ResultExt {
    /// Points the error, if any, at a span (an already known position wins).
    fn at(self, span: Span) -> Self;
}

impl<T> ResultExt for PgResult<T> {
    fn at(self, span: Span) -> Self {
        self.map_err(|e| e.at(span))
    }
}

impl fmt::Display for PgError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.severity.as_str(), self.message)?;
        if let Some(detail) = &self.detail {
            write!(f, "\nDETAIL:  {detail}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\nHINT:  {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for PgError {}

/// Builds a boxed [`PgError`]: `pg_err!(UNDEFINED_TABLE, "relation \"{name}\" does not exist")`.
/// The first word is a constant of [`sqlstate`](crate::sqlstate).
#[macro_export]
macro_rules! pg_err {
    ($code:ident, $($arg:tt)+) => {
        $crate::error::ErrorExt::source(
            $crate::error::PgError::new($crate::sqlstate::$code, format!($($arg)+)), file!(), line!())
    };
}

/// A broken assumption of ours, as an error (`XX000`).
#[macro_export]
macro_rules! internal {
    ($($arg:tt)+) => { $crate::pg_err!(INTERNAL_ERROR, $($arg)+) };
}

/// Something PostgreSQL has and pglite does not have yet (`0A000`).
#[macro_export]
macro_rules! unsupported {
    ($($arg:tt)+) => { $crate::pg_err!(FEATURE_NOT_SUPPORTED, $($arg)+) };
}

/// Panics in debug builds, returns `XX000` from the enclosing function in release builds.
#[macro_export]
macro_rules! invariant {
    ($cond:expr, $($arg:tt)+) => {
        if !$cond {
            debug_assert!(false, $($arg)+);
            return Err($crate::internal!($($arg)+));
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_innermost_position() {
        let e = pg_err!(UNDEFINED_COLUMN, "column \"{}\" does not exist", "x")
            .at(Span::new(7, 8))
            .at(Span::new(0, 20));
        assert_eq!(e.position, Some(7));
        assert_eq!(e.sqlstate.as_str(), "42703");
    }
}
