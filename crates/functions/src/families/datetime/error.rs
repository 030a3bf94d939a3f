//! The range errors that the functions of this family share.

use common::{PgError, pg_err};

#[cold]
pub(crate) fn timestamp_range() -> Box<PgError> {
    pg_err!(DATETIME_VALUE_OUT_OF_RANGE, "timestamp out of range")
}

#[cold]
pub(crate) fn interval_range() -> Box<PgError> {
    pg_err!(DATETIME_VALUE_OUT_OF_RANGE, "interval out of range")
}

#[cold]
pub(crate) fn date_range() -> Box<PgError> {
    pg_err!(DATETIME_VALUE_OUT_OF_RANGE, "date out of range")
}

#[cold]
pub(crate) fn date_range_for_timestamp() -> Box<PgError> {
    pg_err!(DATETIME_VALUE_OUT_OF_RANGE, "date out of range for timestamp")
}

#[cold]
pub(crate) fn zone_unknown(name: &str) -> Box<PgError> {
    pg_err!(INVALID_PARAMETER_VALUE, "time zone \"{name}\" not recognized")
}
