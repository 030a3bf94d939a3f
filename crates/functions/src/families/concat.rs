//! Functions over any number of arguments of any type.

use common::{Oid, PgResult, long};
use types::{Datum, io};

use crate::framework::context::FnContext;
use crate::framework::macros::builtins;
use crate::framework::pieces;

/// The variadic arguments from number `first` on with their types: the elements of the array of a `VARIADIC` call, else
/// the rest of the arguments.
pub(crate) fn variadic<'a>(
    ctx: &FnContext<'a>,
    args: &'a [Datum],
    first: usize,
) -> (&'a [Datum], impl Fn(usize) -> Oid + use<'a>) {
    let call = ctx.call;
    let element = match (call.variadic, args.get(first)) {
        (true, Some(Datum::Array(array))) => Some((array.elements.as_slice(), array.element_type)),
        (true, _) => Some((&[][..], Oid::INVALID)),
        _ => None,
    };
    let values = element.map_or_else(|| args.get(first..).unwrap_or(&[]), |(values, _)| values);
    (values, move |k| {
        element.map_or_else(|| call.arg_type(first + k), |(_, oid)| oid)
    })
}

fn text_concat(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    if ctx.call.variadic && args.first().is_some_and(Datum::is_null) {
        return Ok(Datum::Null);
    }
    join(ctx, args, 0, "")
}

fn text_concat_ws(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    match args.first() {
        Some(Datum::Text(_)) if ctx.call.variadic && args.get(1).is_some_and(Datum::is_null) => {
            Ok(Datum::Null)
        }
        Some(Datum::Text(separator)) => join(ctx, args, 1, separator),
        _ => Ok(Datum::Null),
    }
}

/// The texts of all values that are not NULL.
fn join(ctx: &FnContext<'_>, args: &[Datum], first: usize, separator: &str) -> PgResult<Datum> {
    let (values, type_of) = variadic(ctx, args, first);
    let io = ctx.io();
    let long = |value: &Datum| value.as_str().map_or(0, |text| text.len() + separator.len());
    // A long text that grows would be copied as a whole.
    let mut out = String::with_capacity(
        values
            .iter()
            .map(long)
            .sum::<usize>()
            .min(super::quote::STRING_BYTES_MAX),
    );
    let mut started = false;
    for (k, value) in values.iter().enumerate().filter(|(_, v)| !v.is_null()) {
        if started {
            out.push_str(separator);
        }
        started = true;
        match value {
            Datum::Text(text) if type_of(k) == types::oids::TEXT => {
                pieces::append(ctx.cancel, text, &mut out)?
            }
            value => io::output(type_of(k), value, &io, &mut out)?,
        }
    }
    long::text(&out, ctx.cancel).map(Datum::Text)
}

fn count_nulls(ctx: &FnContext<'_>, args: &[Datum], nulls: bool) -> Datum {
    if ctx.call.variadic && args.first().is_none_or(Datum::is_null) {
        return Datum::Null;
    }
    let (values, _) = variadic(ctx, args, 0);
    Datum::Int4(values.iter().filter(|v| v.is_null() == nulls).count() as i32)
}

fn pg_num_nulls(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    Ok(count_nulls(ctx, args, true))
}

fn pg_num_nonnulls(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    Ok(count_nulls(ctx, args, false))
}

/// `value::text`: the output of the type but for those whose cast to text says more or less than that.
pub(crate) fn cast_to_text(ctx: &FnContext<'_>, k: usize, value: &Datum, out: &mut String) -> PgResult<()> {
    match (value, ctx.call.arg_type(k)) {
        (Datum::Bool(b), _) => out.push_str(if *b { "true" } else { "false" }),
        (Datum::Bytes(b), types::oids::INET | types::oids::CIDR) => {
            out.push_str(&super::network::with_mask(b)?)
        }
        (Datum::Text(t), types::oids::TEXT) => pieces::append(ctx.cancel, t, out)?,
        (Datum::Text(t), types::oids::BPCHAR) => out.push_str(t.trim_end_matches(' ')),
        (value, type_oid) => io::output(type_oid, value, &ctx.io(), out)?,
    }
    Ok(())
}

/// `text || anything` and `anything || text`.
fn any_cat(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    let mut out = String::with_capacity(
        args.iter()
            .filter_map(Datum::as_str)
            .map(str::len)
            .sum::<usize>()
            .min(super::quote::STRING_BYTES_MAX),
    );
    for (k, value) in args.iter().enumerate() {
        cast_to_text(ctx, k, value, &mut out)?;
    }
    long::text(&out, ctx.cancel).map(Datum::Text)
}

fn textanycat(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    any_cat(ctx, args)
}

fn anytextcat(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    any_cat(ctx, args)
}

builtins! {
    textanycat[general strict](text, anynonarray) -> text;
    anytextcat[general strict](anynonarray, text) -> text;
    text_concat[general](any) -> text;
    text_concat_ws[general](text, any) -> text;
    pg_num_nulls[general](any) -> int4;
    pg_num_nonnulls[general](any) -> int4;
}
