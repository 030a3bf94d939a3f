//! The functions themselves, one file per type; each ends up here with one line.

mod absent;
pub mod aggregate;
mod array;
mod array_order;
mod bit;
mod bytea;
pub(crate) mod casing;
mod catalog_info;
mod concat;
mod count;
mod datetime;
mod enumeration;
mod float;
mod format;
mod geometry;
pub mod hash;
mod in_range;
mod int;
pub mod json;
pub mod jsonpath;
mod like;
mod like_kernel;
mod lsn;
mod macaddr;
mod math;
mod money;
mod network;
mod number_text;
mod numeric;
mod numeric_compare;
mod numeric_div;
mod numeric_kernel;
mod oidvector;
pub mod quote;
mod range;
mod record;
mod regexp;
mod series;
pub(crate) mod session_info;
mod similar;
mod sizes;
mod string;
pub(crate) mod system;
mod text;
mod text_kernel;
pub mod textsearch;
pub(crate) mod type_io;
mod typmod;
mod unicode;
mod uuid;
mod wal_names;
pub mod xml;

use crate::framework::aggregate::AggregateEntry;
use crate::framework::registry::Builtin;
use crate::framework::set::SetEntry;

/// Every list of `builtins!` and `direct!`.
static LISTS: &[&[Builtin]] = &[
    in_range::BUILTINS,
    int::DIRECT,
    int::BUILTINS,
    float::DIRECT,
    float::BUILTINS,
    numeric::BUILTINS,
    numeric_compare::BUILTINS,
    numeric_div::BUILTINS,
    numeric_kernel::BUILTINS,
    math::DIRECT,
    math::BUILTINS,
    session_info::BUILTINS,
    catalog_info::BUILTINS,
    array::BUILTINS,
    array_order::BUILTINS,
    record::BUILTINS,
    enumeration::DIRECT,
    enumeration::BUILTINS,
    hash::BUILTINS,
    regexp::BUILTINS,
    text::BUILTINS,
    like::BUILTINS,
    like_kernel::BUILTINS,
    text_kernel::BUILTINS,
    string::BUILTINS,
    quote::BUILTINS,
    concat::BUILTINS,
    bytea::BUILTINS,
    uuid::DIRECT,
    uuid::BUILTINS,
];

/// Base types outside the everyday ones.
static BASE_TYPES: &[&[Builtin]] = &[
    bit::BUILTINS,
    money::DIRECT,
    money::BUILTINS,
    network::BUILTINS,
    macaddr::BUILTINS,
    lsn::DIRECT,
    lsn::BUILTINS,
    similar::BUILTINS,
    sizes::DIRECT,
    sizes::BUILTINS,
    unicode::BUILTINS,
    oidvector::BUILTINS,
    typmod::BUILTINS,
    wal_names::BUILTINS,
    aggregate::transition::BUILTINS,
];

static AGGREGATE_LISTS: &[&[AggregateEntry]] = &[
    count::AGGREGATES,
    datetime::AGGREGATES,
    range::AGGREGATES,
    bit::AGGREGATES,
];

static SET_LISTS: &[&[SetEntry]] = &[
    array::SETS,
    range::SETS,
    regexp::SETS,
    series::SETS,
    datetime::SETS,
    lsn::SETS,
];

pub(crate) fn builtins() -> impl Iterator<Item = &'static Builtin> {
    LISTS
        .iter()
        .chain(datetime::LISTS)
        .chain(range::LISTS)
        .chain(format::LISTS)
        .chain(json::LISTS)
        .chain(xml::LISTS)
        .chain(std::iter::once(&jsonpath::entry::BUILTINS))
        .chain(geometry::LISTS)
        .chain(BASE_TYPES)
        .chain(textsearch::LISTS)
        .flat_map(|list| list.iter())
}

pub(crate) fn aggregates() -> impl Iterator<Item = &'static AggregateEntry> {
    AGGREGATE_LISTS
        .iter()
        .chain(aggregate::LISTS)
        .chain(std::iter::once(&json::aggregate::AGGREGATES))
        .chain(std::iter::once(&xml::functions::AGGREGATES))
        .flat_map(|list| list.iter())
}

pub(crate) fn sets() -> impl Iterator<Item = &'static SetEntry> {
    SET_LISTS
        .iter()
        .chain(json::SET_LISTS)
        .chain(textsearch::SET_LISTS)
        .chain(std::iter::once(&jsonpath::entry::SETS))
        .flat_map(|list| list.iter())
}

#[cfg(test)]
mod tests;
