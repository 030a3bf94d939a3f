//! What can be wrong with a date, time or interval string, and PostgreSQL's words for it.

use common::error::ErrorExt;
use common::{PgError, pg_err};

/// Reasons to refuse an input string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// Not the syntax of the type.
    BadFormat,
    /// A field is out of its range.
    FieldOverflow,
    /// Month or day out of range: the order may be wrong.
    MonthDayOverflow,
    /// An interval field does not fit.
    IntervalOverflow,
    /// A numeric zone offset of sixteen hours or more.
    ZoneOverflow,
    /// No such zone.
    UnknownZone(String),
}

/// Result of a parsing step.
pub type ParseResult<T> = Result<T, ParseError>;

impl ParseError {
    /// The user-visible error for input `s` of type `type_name`.
    #[cold]
    pub fn report(self, s: &str, type_name: &str) -> Box<PgError> {
        match self {
            ParseError::BadFormat => pg_err!(
                INVALID_DATETIME_FORMAT,
                "invalid input syntax for type {type_name}: \"{s}\""
            ),
            ParseError::FieldOverflow => pg_err!(
                DATETIME_FIELD_OVERFLOW,
                "date/time field value out of range: \"{s}\""
            ),
            ParseError::MonthDayOverflow => pg_err!(
                DATETIME_FIELD_OVERFLOW,
                "date/time field value out of range: \"{s}\""
            )
            .hint("Perhaps you need a different \"DateStyle\" setting."),
            ParseError::IntervalOverflow => pg_err!(
                INTERVAL_FIELD_OVERFLOW,
                "interval field value out of range: \"{s}\""
            ),
            ParseError::ZoneOverflow => pg_err!(
                INVALID_TIME_ZONE_DISPLACEMENT_VALUE,
                "time zone displacement out of range: \"{s}\""
            ),
            ParseError::UnknownZone(name) => {
                pg_err!(INVALID_PARAMETER_VALUE, "time zone \"{name}\" not recognized")
            }
        }
    }
}
