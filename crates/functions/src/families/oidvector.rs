//! `oidvector`, transaction ids, and other small change of the catalogs.

use std::cmp::Ordering;

use common::{Oid, PgResult, pg_err};
use types::Datum;

use crate::families::quote::quote_literal_text;
use crate::framework::context::FnContext;
use crate::framework::macros::builtins;

fn oids_of(v: &Datum) -> Vec<u32> {
    let Datum::Array(list) = v else { return Vec::new() };
    let one = |d: &Datum| match d {
        Datum::Oid(oid) => Some(*oid),
        _ => None,
    };
    list.elements.iter().filter_map(one).collect()
}

/// By length first, then element by element.
fn compare(a: &Datum, b: &Datum) -> Ordering {
    let (a, b) = (oids_of(a), oids_of(b));
    a.len().cmp(&b.len()).then_with(|| a.cmp(&b))
}

fn btoidvectorcmp(a: &Datum, b: &Datum) -> i32 {
    let (x, y) = (oids_of(a).len() as i32, oids_of(b).len() as i32);
    if x == y { compare(a, b) as i32 } else { x - y }
}

macro_rules! comparisons {
    ($($name:ident $op:tt;)*) => {$(
        fn $name(a: &Datum, b: &Datum) -> bool {
            compare(a, b) $op Ordering::Equal
        }
    )*};
}

comparisons! {
    oidvectorlt <;
    oidvectorle <=;
    oidvectoreq ==;
    oidvectorne !=;
    oidvectorge >=;
    oidvectorgt >;
}

fn oidvectortypes(ctx: &mut FnContext<'_>, v: &Datum) -> PgResult<String> {
    let names: PgResult<Vec<String>> = oids_of(v)
        .into_iter()
        .map(|t| ctx.session.format_type(Oid(t), Some(-1)))
        .collect();
    Ok(names?.join(", "))
}

/// How many transactions ago; permanent ids are infinitely old.
fn xid_age(ctx: &mut FnContext<'_>, xid: u32) -> PgResult<i32> {
    const FIRST_NORMAL: u32 = 3;
    if xid < FIRST_NORMAL {
        return Ok(i32::MAX);
    }
    let now = match ctx.session.transaction_id(false)? {
        Some(own) => own,
        None => match ctx.session.call("pg_current_snapshot", &[])? {
            Datum::Bytes(v) => types::io_system::Snapshot::new(&v).xmax,
            _ => 0,
        },
    };
    Ok((now as u32).wrapping_sub(xid) as i32)
}

/// There are no multixacts: the next one is 1.
fn mxid_age(mxid: u32) -> i32 {
    if mxid == 0 {
        i32::MAX
    } else {
        1_u32.wrapping_sub(mxid) as i32
    }
}

fn text_of(ctx: &FnContext<'_>, args: &[Datum]) -> PgResult<Option<String>> {
    match args.first() {
        Some(value) if !value.is_null() => {
            let mut text = String::new();
            super::concat::cast_to_text(ctx, 0, value, &mut text)?;
            Ok(Some(text))
        }
        _ => Ok(None),
    }
}

fn quote_literal_any(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    let text = text_of(ctx, args)?;
    Ok(text.map_or(Datum::Null, |t| Datum::text(quote_literal_text(&t))))
}

fn quote_nullable_any(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    let text = text_of(ctx, args)?;
    Ok(Datum::text(text.map_or("NULL".to_owned(), |t| {
        quote_literal_text(&t).to_string()
    })))
}

fn port(ctx: &FnContext<'_>, server_side: bool) -> PgResult<Option<i32>> {
    Ok(ctx.session.connection_address(server_side)?.map(|(_, port)| port))
}

fn inet_client_port(ctx: &mut FnContext<'_>) -> PgResult<Option<i32>> {
    port(ctx, false)
}

fn inet_server_port(ctx: &mut FnContext<'_>) -> PgResult<Option<i32>> {
    port(ctx, true)
}

fn unicode_assigned(text: &str) -> PgResult<bool> {
    static UNASSIGNED: std::sync::LazyLock<Option<regex::Regex>> =
        std::sync::LazyLock::new(|| regex::Regex::new(r"\p{Cn}").ok());
    match &*UNASSIGNED {
        Some(unassigned) => Ok(!unassigned.is_match(text)),
        None => Err(common::internal!("no table of Unicode categories")),
    }
}

fn to_ascii_default(_: &str) -> PgResult<String> {
    Err(pg_err!(
        FEATURE_NOT_SUPPORTED,
        "encoding conversion from UTF8 to ASCII not supported"
    ))
}

/// What the bytes from 160 (Windows: 128) on become.
#[rustfmt::skip]
static ASCII_TABLES: [(&str, u8, &[u8]); 4] = [
    ("LATIN1", 160, b"  cL Y  \"Ca  -R     'u .,      ?AAAAAAACEEEEIIII NOOOOOxOUUUUYTBaaaaaaaceeeeiiii nooooo/ouuuuyty"),
    ("LATIN2", 160, b" A L LS \"SSTZ-ZZ a,l'ls ,sstz\"zzRAAAALCCCEEEEIIDDNNOOOOxRUUUUYTBraaaalccceeeeiiddnnoooo/ruuuuyt."),
    ("LATIN9", 160, b"  cL YS sCa  -R     Zu .z   EeY?AAAAAAACEEEEIIII NOOOOOxOUUUUYTBaaaaaaaceeeeiiii nooooo/ouuuuyty"),
    ("WIN1250", 128, b"  ' \"    %S<STZZ `'\"\".--  s>stzz   L A  \"CS  -RZ  ,l'u .,as L\"lzRAAAALCCCEEEEIIDDNNOOOOxRUUUUYTBraaaalccceeeeiiddnnoooo/ruuuuyt "),
];

/// Bytes of a one-byte encoding without their accents.
fn to_ascii(text: &str, encoding: &str) -> PgResult<String> {
    let Some((_, first, letters)) = ASCII_TABLES.iter().find(|t| t.0 == encoding) else {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "encoding conversion from {encoding} to ASCII not supported"
        ));
    };
    let plain = |b: u8| match b {
        0..128 => char::from(b),
        _ => {
            let letter = b.checked_sub(*first).and_then(|at| letters.get(usize::from(at)));
            letter.map_or(' ', |l| char::from(*l))
        }
    };
    Ok(text.bytes().map(plain).collect())
}

fn to_ascii_enc(text: &str, encoding: i32) -> PgResult<String> {
    match super::session_info::encoding_name(encoding) {
        "" => Err(pg_err!(
            UNDEFINED_OBJECT,
            "{encoding} is not a valid encoding code"
        )),
        name => to_ascii(text, name),
    }
}

fn to_ascii_encname(text: &str, encoding: &str) -> PgResult<String> {
    match super::session_info::encoding_code(encoding) {
        -1 => Err(pg_err!(
            UNDEFINED_OBJECT,
            "{encoding} is not a valid encoding name"
        )),
        code => to_ascii_enc(text, code),
    }
}

/// The input function of a type that the caller names.
fn input_as(ctx: &FnContext<'_>, args: &[Datum], type_oid: Oid) -> PgResult<Datum> {
    let typmod = args.get(2).and_then(Datum::as_i64).unwrap_or(-1) as i32;
    match args.first().and_then(Datum::as_str) {
        Some(text) => types::io::input(type_oid, typmod, text, &ctx.io()),
        None => Ok(Datum::Null),
    }
}

fn named_type(args: &[Datum]) -> Oid {
    match args.get(1) {
        Some(Datum::Oid(oid)) => Oid(*oid),
        _ => Oid::INVALID,
    }
}

fn domain_in(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    input_as(ctx, args, named_type(args))
}

/// The type that is named is the elements'.
fn array_in(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    let element = named_type(args);
    match types::builtin::type_row(element) {
        Some(row) if row.typarray.is_valid() => input_as(ctx, args, row.typarray),
        _ => Err(common::unsupported!(
            "array_in of elements of type {element} is not supported yet"
        )),
    }
}

/// `cstring` into a pseudo-type: refused by each with its name.
macro_rules! pseudo_inputs {
    ($($name:ident $ty:literal;)*) => {$(
        fn $name(_: &mut FnContext<'_>, _: &[Datum]) -> PgResult<Datum> {
            Err(pg_err!(FEATURE_NOT_SUPPORTED, "cannot accept a value of type {}", $ty))
        }
    )*};
}

pseudo_inputs! {
    any_in "any";
    anyarray_in "anyarray";
    anyelement_in "anyelement";
    anynonarray_in "anynonarray";
    anycompatible_in "anycompatible";
    anycompatiblearray_in "anycompatiblearray";
    anycompatiblenonarray_in "anycompatiblenonarray";
    anycompatiblerange_in "anycompatiblerange";
    anycompatiblemultirange_in "anycompatiblemultirange";
    anyenum_in "anyenum";
}

fn shell_in(_: &mut FnContext<'_>, _: &[Datum]) -> PgResult<Datum> {
    Err(pg_err!(
        FEATURE_NOT_SUPPORTED,
        "cannot accept a value of a shell type"
    ))
}

builtins! {
    btoidvectorcmp(a: oidvector, b: oidvector) -> int4;
    oidvectorlt(a: oidvector, b: oidvector) -> bool;
    oidvectorle(a: oidvector, b: oidvector) -> bool;
    oidvectoreq(a: oidvector, b: oidvector) -> bool;
    oidvectorne(a: oidvector, b: oidvector) -> bool;
    oidvectorge(a: oidvector, b: oidvector) -> bool;
    oidvectorgt(a: oidvector, b: oidvector) -> bool;
    oidvectortypes(ctx, v: oidvector) -> text;
    xid_age(ctx, xid: xid) -> int4;
    mxid_age(mxid: xid) -> int4;
    quote_literal = quote_literal_any[general](anyelement) -> text;
    quote_nullable = quote_nullable_any[general](anyelement) -> text;
    inet_client_port(ctx) -> int4;
    inet_server_port(ctx) -> int4;
    unicode_assigned(text: text) -> bool;
    to_ascii_default(text: text) -> text;
    to_ascii_enc(text: text, encoding: int4) -> text;
    to_ascii_encname(text: text, encoding: name) -> text;
    domain_in[general](cstring, oid, int4) -> any;
    enum_in = domain_in[general strict](cstring, oid) -> anyenum;
    array_in[general strict](cstring, oid, int4) -> anyarray;
    shell_in[general](cstring) -> void;
    any_in[general](cstring) -> any;
    anyarray_in[general](cstring) -> anyarray;
    anyelement_in[general](cstring) -> anyelement;
    anynonarray_in[general](cstring) -> anynonarray;
    anycompatible_in[general](cstring) -> anycompatible;
    anycompatiblearray_in[general](cstring) -> anycompatiblearray;
    anycompatiblenonarray_in[general](cstring) -> anycompatiblenonarray;
    anycompatiblerange_in[general](cstring, oid, int4) -> anycompatiblerange;
    anycompatiblemultirange_in[general](cstring, oid, int4) -> anycompatiblemultirange;
    anyenum_in[general](cstring) -> anyenum;
}
