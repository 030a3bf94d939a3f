//! Functions of `date`, `time`, `timetz`, `timestamp`, `timestamptz` and `interval`.

mod aggregate;
pub(crate) mod arith;
pub(crate) mod cast;
mod clock;
pub(crate) mod compare;
pub(crate) mod decimal;
mod error;
mod extract;
pub(crate) mod interval;
mod make;
mod overlaps;
mod series;
mod time;
mod trunc;

pub(crate) use arith::add_in_zone;

use crate::framework::aggregate::AggregateEntry;
use crate::framework::registry::Builtin;
use crate::framework::set::SetEntry;

/// Every list of this family.
pub(crate) static LISTS: &[&[Builtin]] = &[
    arith::BUILTINS,
    cast::BUILTINS,
    clock::BUILTINS,
    compare::DIRECT,
    compare::BUILTINS,
    extract::BUILTINS,
    interval::BUILTINS,
    make::BUILTINS,
    overlaps::BUILTINS,
    time::BUILTINS,
    trunc::BUILTINS,
];
/// Its aggregates.
pub(crate) static AGGREGATES: &[AggregateEntry] = aggregate::AGGREGATES;
/// Its set-returning functions.
pub(crate) static SETS: &[SetEntry] = series::SETS;
