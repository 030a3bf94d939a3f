//! Ranges and multiranges: constructors, comparison, relations, algebra, aggregates. What bounds alone decide is in `types::range`.

mod aggregate;
mod build;
mod multi;
mod single;

use crate::framework::aggregate::AggregateEntry;
use crate::framework::registry::Builtin;
use crate::framework::set::SetEntry;

pub(crate) static LISTS: &[&[Builtin]] = &[build::BUILTINS, single::BUILTINS, multi::BUILTINS];
pub(crate) static AGGREGATES: &[AggregateEntry] = aggregate::AGGREGATES;
pub(crate) static SETS: &[SetEntry] = multi::SETS;
