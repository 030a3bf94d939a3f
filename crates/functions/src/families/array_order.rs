//! Functions that change or use the order of array elements: sorting, reversing, shuffling, sampling, buckets.

use std::cmp::Ordering;

use common::{Oid, PgResult, pg_err, pieces};
use types::compare::{compare, compare_arrays};
use types::{ArrayDim, ArrayValue, Datum};

use crate::framework::context::FnContext;
use crate::framework::macros::builtins;

const BTREE: Oid = Oid(403);

/// The items of the first dimension, each a run of elements.
fn items(a: &ArrayValue) -> Vec<&[Datum]> {
    match a.dims.first() {
        Some(d) if d.len > 0 => a.elements.chunks(a.elements.len() / d.len as usize).collect(),
        _ => Vec::new(),
    }
}

/// So many items are copied between two looks at the cancel flag.
const COPY_CHUNK: usize = 1 << 16;

/// An array of some items of another.
fn of_items(ctx: &FnContext<'_>, a: &ArrayValue, items: &[&[Datum]], lower: i32) -> PgResult<ArrayValue> {
    let elements = pieces::list(ctx.cancel, items.iter().copied().flatten().cloned())?;
    let mut dims = a.dims.clone();
    match dims.first_mut() {
        Some(d) if !items.is_empty() => {
            *d = ArrayDim {
                len: items.len() as i32,
                lower,
            };
        }
        _ => dims.clear(),
    }
    Ok(ArrayValue {
        element_type: a.element_type,
        dims,
        elements,
    })
}

fn lower(a: &ArrayValue) -> i32 {
    a.dims.first().map_or(1, |d| d.lower)
}

fn array_reverse(ctx: &mut FnContext<'_>, a: &ArrayValue) -> PgResult<ArrayValue> {
    let mut all = items(a);
    all.reverse();
    of_items(ctx, a, &all, lower(a))
}

/// The first `count` items of a random order.
fn shuffled<'a>(ctx: &FnContext<'_>, a: &'a ArrayValue, count: usize) -> PgResult<Vec<&'a [Datum]>> {
    let mut all = items(a);
    let len = all.len();
    for at in 0..count.min(len) {
        if at % COPY_CHUNK == 0 {
            ctx.cancel.check()?;
        }
        let left = (len - at) as f64;
        let other = at + (ctx.session.random()? * left) as usize;
        all.swap(at, other.min(len - 1));
    }
    all.truncate(count);
    Ok(all)
}

fn array_shuffle(ctx: &mut FnContext<'_>, a: &ArrayValue) -> PgResult<ArrayValue> {
    let all = shuffled(ctx, a, usize::MAX)?;
    of_items(ctx, a, &all, lower(a))
}

fn array_sample(ctx: &mut FnContext<'_>, a: &ArrayValue, n: i32) -> PgResult<ArrayValue> {
    let len = a.dims.first().map_or(0, |d| d.len);
    if n < 0 || n > len {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "sample size must be between 0 and {len}"
        ));
    }
    let some = shuffled(ctx, a, n as usize)?;
    of_items(ctx, a, &some, 1)
}

fn check_order(ctx: &FnContext<'_>, type_oid: Oid) -> PgResult<()> {
    let unordered = types::builtin::type_row(type_oid).is_some_and(|t| {
        t.typtype == b'b'
            && !t.is_array()
            && type_oid != types::oids::VARCHAR
            && type_oid != types::oids::CIDR
            && crate::facts::default_opclass(BTREE, type_oid).is_none()
    });
    if !unordered {
        return Ok(());
    }
    let name = ctx.session.resolver().type_name(type_oid)?;
    let built_in = types::builtin::type_row(type_oid).map_or("???", |t| t.typname);
    Err(pg_err!(
        UNDEFINED_FUNCTION,
        "could not identify a comparison function for type {}",
        name.as_deref().unwrap_or(built_in)
    ))
}

fn sort(ctx: &FnContext<'_>, a: &ArrayValue, descending: bool, nulls_first: bool) -> PgResult<ArrayValue> {
    let mut all = items(a);
    if all.len() < 2 {
        return Ok(a.clone());
    }
    check_order(ctx, a.element_type)?;
    let inner = a.dims.len() > 1;
    let direct = |x: Ordering| if descending { x.reverse() } else { x };
    // Items of several elements sort as the arrays that they are.
    let as_array = |item: &[Datum]| ArrayValue {
        element_type: a.element_type,
        dims: a.dims[1..].to_vec(),
        elements: item.to_vec(),
    };
    let with_collation = |x: &Datum, y: &Datum| match (x, y) {
        (Datum::Text(s), Datum::Text(t)) => {
            let known = ctx.session.collate(ctx.call.collation, s, t).ok().flatten();
            known.unwrap_or_else(|| compare(a.element_type, x, y))
        }
        _ => compare(a.element_type, x, y),
    };
    pieces::sort_by(ctx.cancel, &mut all, |x, y| {
        if inner {
            return direct(compare_arrays(&as_array(x), &as_array(y)));
        }
        match (x, y) {
            ([Datum::Null], [Datum::Null]) => Ordering::Equal,
            ([Datum::Null], _) if nulls_first => Ordering::Less,
            ([Datum::Null], _) => Ordering::Greater,
            (_, [Datum::Null]) if nulls_first => Ordering::Greater,
            (_, [Datum::Null]) => Ordering::Less,
            ([x], [y]) => direct(with_collation(x, y)),
            _ => Ordering::Equal,
        }
    })?;
    of_items(ctx, a, &all, lower(a))
}

fn array_sort(ctx: &mut FnContext<'_>, a: &ArrayValue) -> PgResult<ArrayValue> {
    sort(ctx, a, false, false)
}
fn array_sort_order(ctx: &mut FnContext<'_>, a: &ArrayValue, descending: bool) -> PgResult<ArrayValue> {
    sort(ctx, a, descending, descending)
}
fn array_sort_order_nulls_first(
    ctx: &mut FnContext<'_>,
    a: &ArrayValue,
    descending: bool,
    nulls_first: bool,
) -> PgResult<ArrayValue> {
    sort(ctx, a, descending, nulls_first)
}

/// How many thresholds are not above the operand.
fn width_bucket_array(_: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    let [operand, Datum::Array(thresholds)] = args else {
        return Ok(Datum::Null);
    };
    if thresholds.dims.len() > 1 {
        return Err(pg_err!(
            ARRAY_SUBSCRIPT_ERROR,
            "thresholds must be one-dimensional array"
        ));
    }
    if thresholds.elements.iter().any(Datum::is_null) {
        return Err(pg_err!(
            NULL_VALUE_NOT_ALLOWED,
            "thresholds array must not contain NULLs"
        ));
    }
    let below = |t: &Datum| compare(thresholds.element_type, t, operand).is_le();
    Ok(Datum::Int4(thresholds.elements.partition_point(below) as i32))
}

builtins! {
    array_reverse(ctx, a: anyarray) -> anyarray;
    array_shuffle(ctx, a: anyarray) -> anyarray;
    array_sample(ctx, a: anyarray, n: int4) -> anyarray;
    array_sort(ctx, a: anyarray) -> anyarray;
    array_sort_order(ctx, a: anyarray, descending: bool) -> anyarray;
    array_sort_order_nulls_first(ctx, a: anyarray, descending: bool, nulls_first: bool) -> anyarray;
    width_bucket_array[general strict](anycompatible, anycompatiblearray) -> int4;
}
