//! Comparison of composite values: by the types' own order, and by their images.
//!
//! PG: src/backend/utils/adt/rowtypes.c.

use std::cmp::Ordering;

use common::{Oid, PgError, PgResult, pg_err};
use types::compare::compare;
use types::{Datum, RecordValue};

use crate::families::int::sign;
use crate::framework::context::FnContext;
use crate::framework::macros::builtins;

const BTREE: Oid = Oid(403);

#[cold]
fn different_width() -> Box<PgError> {
    pg_err!(
        DATATYPE_MISMATCH,
        "cannot compare record types with different numbers of columns"
    )
}

#[cold]
fn dissimilar(ctx: &FnContext<'_>, a: Oid, b: Oid, column: usize) -> Box<PgError> {
    pg_err!(
        DATATYPE_MISMATCH,
        "cannot compare dissimilar column types {} and {} at record column {column}",
        type_name(ctx, a),
        type_name(ctx, b)
    )
}

fn type_name(ctx: &FnContext<'_>, type_oid: Oid) -> String {
    let known = ctx.session.resolver().type_name(type_oid).ok().flatten();
    let built_in = || {
        types::builtin::type_row(type_oid)
            .map_or("???", |t| t.typname)
            .to_owned()
    };
    known.unwrap_or_else(built_in)
}

/// A built-in type without a B-tree operator class.
fn has_no_order(type_oid: Oid) -> bool {
    types::builtin::type_row(type_oid).is_some_and(|t| {
        t.typtype == b'b'
            && !t.is_array()
            && type_oid != types::oids::VARCHAR
            && type_oid != types::oids::CIDR
            && crate::facts::default_opclass(BTREE, type_oid).is_none()
    })
}

/// What two records are compared for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Goal {
    Order,
    Equality,
    Image,
}

/// Columns decide from left to right; NULL equals NULL and is above everything.
fn order(ctx: &FnContext<'_>, a: &RecordValue, b: &RecordValue, goal: Goal) -> PgResult<Ordering> {
    for at in 0..a.fields.len().min(b.fields.len()) {
        let (ta, tb) = (a.field_types[at], b.field_types[at]);
        if ta != tb {
            return Err(dissimilar(ctx, ta, tb, at + 1));
        }
        if goal != Goal::Image && has_no_order(ta) {
            return Err(not_comparable(ctx, ta, goal));
        }
        let (x, y) = (&a.fields[at], &b.fields[at]);
        let one = match goal {
            Goal::Image => compare_images(x, y),
            _ => compare(ta, x, y),
        };
        if one.is_ne() {
            return Ok(one);
        }
    }
    if a.fields.len() != b.fields.len() {
        return Err(different_width());
    }
    Ok(Ordering::Equal)
}

/// The order of two records, for aggregates.
pub(super) fn order_records(ctx: &FnContext<'_>, a: &RecordValue, b: &RecordValue) -> PgResult<Ordering> {
    order(ctx, a, b, Goal::Order)
}

#[cold]
fn not_comparable(ctx: &FnContext<'_>, type_oid: Oid, goal: Goal) -> Box<PgError> {
    let what = match goal {
        Goal::Equality => "an equality operator",
        _ => "a comparison function",
    };
    pg_err!(
        UNDEFINED_FUNCTION,
        "could not identify {what} for type {}",
        type_name(ctx, type_oid)
    )
}

/// Values passed by value compare as unsigned words, others byte by byte.
fn compare_images(a: &Datum, b: &Datum) -> Ordering {
    let word = |d: &Datum| match d {
        Datum::Bool(v) => Some(u64::from(*v)),
        Datum::Char(v) => Some(*v as i8 as i64 as u64),
        Datum::Int2(v) => Some(i64::from(*v) as u64),
        Datum::Int4(v) => Some(i64::from(*v) as u64),
        Datum::Int8(v) => Some(*v as u64),
        Datum::Oid(v) => Some(u64::from(*v)),
        Datum::Float4(v) => Some(u64::from(v.to_bits())),
        Datum::Float8(v) => Some(v.to_bits()),
        _ => None,
    };
    match (a, b) {
        (Datum::Null, Datum::Null) => Ordering::Equal,
        (Datum::Null, _) => Ordering::Greater,
        (_, Datum::Null) => Ordering::Less,
        _ => match (word(a), word(b)) {
            (Some(x), Some(y)) => x.cmp(&y),
            _ => image(a).cmp(&image(b)),
        },
    }
}

/// Some bytes that are equal for equal representations; texts and byte strings sort as in PostgreSQL.
fn image(value: &Datum) -> Vec<u8> {
    match value {
        Datum::Text(s) => s.as_bytes().to_vec(),
        Datum::Bytes(b) => b.to_vec(),
        other => {
            let mut bytes = Vec::new();
            types::tuple::put_datum(other, &mut bytes);
            bytes
        }
    }
}

/// Comparisons of two records: name, test of the order, what it is for.
macro_rules! comparisons {
    ($($name:ident, $test:ident, $goal:ident;)*) => {$(
        fn $name(ctx: &mut FnContext<'_>, a: &RecordValue, b: &RecordValue) -> PgResult<bool> {
            Ok(order(ctx, a, b, Goal::$goal)?.$test())
        }
    )*};
}

comparisons! {
    record_eq, is_eq, Equality; record_ne, is_ne, Equality; record_lt, is_lt, Order; record_le, is_le, Order;
    record_gt, is_gt, Order; record_ge, is_ge, Order;
    record_image_eq, is_eq, Image; record_image_ne, is_ne, Image; record_image_lt, is_lt, Image;
    record_image_le, is_le, Image; record_image_gt, is_gt, Image; record_image_ge, is_ge, Image;
}

fn btrecordcmp(ctx: &mut FnContext<'_>, a: &RecordValue, b: &RecordValue) -> PgResult<i32> {
    Ok(sign(order(ctx, a, b, Goal::Order)?))
}

fn btrecordimagecmp(ctx: &mut FnContext<'_>, a: &RecordValue, b: &RecordValue) -> PgResult<i32> {
    Ok(sign(order(ctx, a, b, Goal::Image)?))
}

fn record_larger(ctx: &mut FnContext<'_>, a: &RecordValue, b: &RecordValue) -> PgResult<RecordValue> {
    let first = order(ctx, a, b, Goal::Order)?.is_gt();
    Ok(if first { a.clone() } else { b.clone() })
}

fn record_smaller(ctx: &mut FnContext<'_>, a: &RecordValue, b: &RecordValue) -> PgResult<RecordValue> {
    let first = order(ctx, a, b, Goal::Order)?.is_lt();
    Ok(if first { a.clone() } else { b.clone() })
}

#[rustfmt::skip]
builtins! {
    record_eq(ctx, a: record, b: record) -> bool; record_ne(ctx, a: record, b: record) -> bool;
    record_lt(ctx, a: record, b: record) -> bool; record_le(ctx, a: record, b: record) -> bool;
    record_gt(ctx, a: record, b: record) -> bool; record_ge(ctx, a: record, b: record) -> bool;
    btrecordcmp(ctx, a: record, b: record) -> int4;
    record_image_eq(ctx, a: record, b: record) -> bool; record_image_ne(ctx, a: record, b: record) -> bool;
    record_image_lt(ctx, a: record, b: record) -> bool; record_image_le(ctx, a: record, b: record) -> bool;
    record_image_gt(ctx, a: record, b: record) -> bool; record_image_ge(ctx, a: record, b: record) -> bool;
    btrecordimagecmp(ctx, a: record, b: record) -> int4;
    record_larger(ctx, a: record, b: record) -> record; record_smaller(ctx, a: record, b: record) -> record;
}
