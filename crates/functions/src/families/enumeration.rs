//! Enums: order, bounds, all values. A value is the OID of its label, and labels' OIDs ascend (see `catalog::ddl::enums`).

use std::sync::Arc;

use common::{Oid, PgResult, pg_err};
use types::{ArrayValue, Datum};

use crate::framework::context::FnContext;
use crate::framework::macros::{builtins, direct};

fn enum_eq(a: u32, b: u32) -> bool {
    a == b
}
fn enum_ne(a: u32, b: u32) -> bool {
    a != b
}
fn enum_lt(a: u32, b: u32) -> bool {
    a < b
}
fn enum_le(a: u32, b: u32) -> bool {
    a <= b
}
fn enum_gt(a: u32, b: u32) -> bool {
    a > b
}
fn enum_ge(a: u32, b: u32) -> bool {
    a >= b
}
fn enum_cmp(a: u32, b: u32) -> i32 {
    i32::from(a > b) - i32::from(a < b)
}
fn enum_larger(a: u32, b: u32) -> u32 {
    a.max(b)
}
fn enum_smaller(a: u32, b: u32) -> u32 {
    a.min(b)
}

#[rustfmt::skip]
direct! {
    enum_eq(a: anyenum, b: anyenum) -> bool; enum_ne(a: anyenum, b: anyenum) -> bool;
    enum_lt(a: anyenum, b: anyenum) -> bool; enum_le(a: anyenum, b: anyenum) -> bool;
    enum_gt(a: anyenum, b: anyenum) -> bool; enum_ge(a: anyenum, b: anyenum) -> bool;
    enum_cmp(a: anyenum, b: anyenum) -> int4;
    enum_larger(a: anyenum, b: anyenum) -> anyenum; enum_smaller(a: anyenum, b: anyenum) -> anyenum;
}

/// The type of the call and its labels in order.
fn labels(ctx: &FnContext<'_>) -> PgResult<(Oid, Vec<Oid>)> {
    let given = ctx.call.args.iter().map(|t| t.oid);
    let type_oid = given
        .into_iter()
        .find(|oid| *oid >= Oid::FIRST_NORMAL)
        .ok_or_else(|| pg_err!(FEATURE_NOT_SUPPORTED, "could not determine actual enum type"))?;
    Ok((type_oid, ctx.session.resolver().enum_label_oids(type_oid)?))
}

/// An end of the type's labels.
fn end(ctx: &FnContext<'_>, pick: fn(&[Oid]) -> Option<&Oid>) -> PgResult<Datum> {
    let (type_oid, all) = labels(ctx)?;
    let Some(found) = pick(&all) else {
        let name = ctx.session.resolver().type_name(type_oid)?;
        return Err(pg_err!(
            OBJECT_NOT_IN_PREREQUISITE_STATE,
            "enum {} contains no values",
            name.unwrap_or_default()
        ));
    };
    ctx.session.resolver().check_enum_label(*found)?;
    Ok(Datum::Oid(found.0))
}

fn enum_first(ctx: &mut FnContext<'_>, _: &[Datum]) -> PgResult<Datum> {
    end(ctx, |all| all.first())
}

fn enum_last(ctx: &mut FnContext<'_>, _: &[Datum]) -> PgResult<Datum> {
    end(ctx, |all| all.last())
}

/// Labels between two, NULL for no limit.
fn enum_range(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    let (type_oid, all) = labels(ctx)?;
    let bound = |k: usize| match args {
        [_, _] => args.get(k).and_then(Datum::as_oid),
        _ => None,
    };
    let (lower, upper) = (bound(0), bound(1));
    let inside = |o: &&Oid| lower.is_none_or(|l| l <= **o) && upper.is_none_or(|u| **o <= u);
    let mut elements = Vec::new();
    for label in all.iter().filter(inside) {
        ctx.session.resolver().check_enum_label(*label)?;
        elements.push(Datum::Oid(label.0));
    }
    Ok(Datum::Array(Arc::new(ArrayValue::from_elements(
        type_oid, elements,
    ))))
}

builtins! {
    enum_first[general](anyenum) -> anyenum;
    enum_last[general](anyenum) -> anyenum;
    enum_range_all = enum_range[general](anyenum) -> anyarray;
    enum_range_bounds = enum_range[general](anyenum, anyenum) -> anyarray;
}
