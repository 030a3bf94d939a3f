//! The `interval` value. Parsing, printing and arithmetic live in `datetime`.

/// Months, days and microseconds, kept apart as PostgreSQL keeps them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[allow(missing_docs)]
pub struct Interval {
    pub micros: i64,
    pub days: i32,
    pub months: i32,
}
