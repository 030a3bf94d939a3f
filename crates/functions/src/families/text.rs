//! `text`, `varchar`, `bpchar`, `name`: comparison and conversions.
//!
//! Texts compare by bytes unless the call has a collation that the session orders otherwise.

use std::cmp::Ordering;

use common::PgResult;
use types::compare::without_padding;
use types::io_text::{TooLong, bpchar_coerce, parse_char, push_char, truncate_name, varchar_coerce};

use crate::families::int::sign;
use crate::framework::context::FnContext;
use crate::framework::macros::builtins;

/// OID of the collation `C`.
const C_COLLATION: u32 = 950;

/// The order under the call's collation. The database's own collation (`default`) is C, as is `name`'s.
fn order(ctx: &FnContext<'_>, a: &str, b: &str) -> PgResult<Ordering> {
    let collation = ctx.call.collation;
    if matches!(collation.0, 0 | 100 | C_COLLATION) {
        return Ok(a.cmp(b));
    }
    Ok(ctx.session.collate(collation, a, b)?.unwrap_or_else(|| a.cmp(b)))
}

// Equality never looks at the collation: all deterministic collations agree on it.
fn eq(a: &str, b: &str) -> bool {
    a == b
}
fn ne(a: &str, b: &str) -> bool {
    a != b
}
fn lt(ctx: &mut FnContext<'_>, a: &str, b: &str) -> PgResult<bool> {
    Ok(order(ctx, a, b)?.is_lt())
}
fn le(ctx: &mut FnContext<'_>, a: &str, b: &str) -> PgResult<bool> {
    Ok(order(ctx, a, b)?.is_le())
}
fn gt(ctx: &mut FnContext<'_>, a: &str, b: &str) -> PgResult<bool> {
    Ok(order(ctx, a, b)?.is_gt())
}
fn ge(ctx: &mut FnContext<'_>, a: &str, b: &str) -> PgResult<bool> {
    Ok(order(ctx, a, b)?.is_ge())
}
fn cmp(ctx: &mut FnContext<'_>, a: &str, b: &str) -> PgResult<i32> {
    let by_bytes = crate::families::bytea::byteacmp(a.as_bytes(), b.as_bytes());
    if matches!(ctx.call.collation.0, 0 | 100 | C_COLLATION) {
        return Ok(by_bytes);
    }
    Ok(ctx
        .session
        .collate(ctx.call.collation, a, b)?
        .map_or(by_bytes, sign))
}
fn larger<'a>(ctx: &mut FnContext<'_>, a: &'a str, b: &'a str) -> PgResult<&'a str> {
    Ok(if order(ctx, a, b)?.is_gt() { a } else { b })
}
fn smaller<'a>(ctx: &mut FnContext<'_>, a: &'a str, b: &'a str) -> PgResult<&'a str> {
    Ok(if order(ctx, a, b)?.is_lt() { a } else { b })
}

// The pattern operators compare bytes whatever the collation.
fn pattern_lt(a: &str, b: &str) -> bool {
    a < b
}
fn pattern_le(a: &str, b: &str) -> bool {
    a <= b
}
fn pattern_gt(a: &str, b: &str) -> bool {
    a > b
}
fn pattern_ge(a: &str, b: &str) -> bool {
    a >= b
}
fn pattern_cmp(a: &str, b: &str) -> i32 {
    crate::families::bytea::byteacmp(a.as_bytes(), b.as_bytes())
}

fn bpcharlt(ctx: &mut FnContext<'_>, a: &str, b: &str) -> PgResult<bool> {
    lt(ctx, without_padding(a), without_padding(b))
}
fn bpcharle(ctx: &mut FnContext<'_>, a: &str, b: &str) -> PgResult<bool> {
    le(ctx, without_padding(a), without_padding(b))
}
fn bpchargt(ctx: &mut FnContext<'_>, a: &str, b: &str) -> PgResult<bool> {
    gt(ctx, without_padding(a), without_padding(b))
}
fn bpcharge(ctx: &mut FnContext<'_>, a: &str, b: &str) -> PgResult<bool> {
    ge(ctx, without_padding(a), without_padding(b))
}
fn bpcharcmp(ctx: &mut FnContext<'_>, a: &str, b: &str) -> PgResult<i32> {
    cmp(ctx, without_padding(a), without_padding(b))
}
fn bpchar_larger<'a>(ctx: &mut FnContext<'_>, a: &'a str, b: &'a str) -> PgResult<&'a str> {
    Ok(if bpcharcmp(ctx, a, b)? >= 0 { a } else { b })
}
fn bpchar_smaller<'a>(ctx: &mut FnContext<'_>, a: &'a str, b: &'a str) -> PgResult<&'a str> {
    Ok(if bpcharcmp(ctx, a, b)? <= 0 { a } else { b })
}
fn bpchar_pattern_lt(a: &str, b: &str) -> bool {
    without_padding(a) < without_padding(b)
}
fn bpchar_pattern_le(a: &str, b: &str) -> bool {
    without_padding(a) <= without_padding(b)
}
fn bpchar_pattern_gt(a: &str, b: &str) -> bool {
    without_padding(a) > without_padding(b)
}
fn bpchar_pattern_ge(a: &str, b: &str) -> bool {
    without_padding(a) >= without_padding(b)
}
fn btbpchar_pattern_cmp(a: &str, b: &str) -> i32 {
    pattern_cmp(without_padding(a), without_padding(b))
}

// Conversions.
fn same(a: &str) -> &str {
    a
}
fn text_name(a: &str) -> &str {
    truncate_name(a)
}
fn bpchar_name(a: &str) -> &str {
    without_padding(truncate_name(a))
}
fn text_char(a: &str) -> u8 {
    parse_char(a)
}
fn char_text(a: u8) -> String {
    let mut out = String::new();
    push_char(a, &mut out);
    out
}
fn booltext(a: bool) -> &'static str {
    if a { "true" } else { "false" }
}
fn too_long(is_explicit: bool) -> TooLong {
    if is_explicit { TooLong::Cut } else { TooLong::Error }
}
fn varchar(a: &str, typmod: i32, is_explicit: bool) -> PgResult<&str> {
    varchar_coerce(a, typmod, too_long(is_explicit))
}
fn bpchar(a: &str, typmod: i32, is_explicit: bool) -> PgResult<String> {
    bpchar_coerce(a, typmod, too_long(is_explicit))
}
fn nameconcatoid(name: &str, oid: u32) -> String {
    let suffix = format!("_{oid}");
    let mut end = name.len().min(types::io_text::NAME_LEN_MAX - suffix.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{suffix}", &name[..end])
}

#[rustfmt::skip]
builtins! {
    text_lt = lt(ctx, a: text, b: text) -> bool; text_le = le(ctx, a: text, b: text) -> bool;
    text_gt = gt(ctx, a: text, b: text) -> bool; text_ge = ge(ctx, a: text, b: text) -> bool;
    bttextcmp = cmp(ctx, a: text, b: text) -> int4;
    text_larger = larger(ctx, a: text, b: text) -> text; text_smaller = smaller(ctx, a: text, b: text) -> text;
    text_pattern_lt = pattern_lt(a: text, b: text) -> bool; text_pattern_le = pattern_le(a: text, b: text) -> bool;
    text_pattern_gt = pattern_gt(a: text, b: text) -> bool; text_pattern_ge = pattern_ge(a: text, b: text) -> bool;
    bttext_pattern_cmp = pattern_cmp(a: text, b: text) -> int4;
    nameeq = eq(a: name, b: name) -> bool; namene = ne(a: name, b: name) -> bool;
    namelt = lt(ctx, a: name, b: name) -> bool; namele = le(ctx, a: name, b: name) -> bool;
    namegt = gt(ctx, a: name, b: name) -> bool; namege = ge(ctx, a: name, b: name) -> bool;
    btnamecmp = cmp(ctx, a: name, b: name) -> int4;
    nameeqtext = eq(a: name, b: text) -> bool; namenetext = ne(a: name, b: text) -> bool;
    namelttext = lt(ctx, a: name, b: text) -> bool; nameletext = le(ctx, a: name, b: text) -> bool;
    namegttext = gt(ctx, a: name, b: text) -> bool; namegetext = ge(ctx, a: name, b: text) -> bool;
    btnametextcmp = cmp(ctx, a: name, b: text) -> int4;
    texteqname = eq(a: text, b: name) -> bool; textnename = ne(a: text, b: name) -> bool;
    textltname = lt(ctx, a: text, b: name) -> bool; textlename = le(ctx, a: text, b: name) -> bool;
    textgtname = gt(ctx, a: text, b: name) -> bool; textgename = ge(ctx, a: text, b: name) -> bool;
    bttextnamecmp = cmp(ctx, a: text, b: name) -> int4;
    bpcharlt(ctx, a: bpchar, b: bpchar) -> bool; bpcharle(ctx, a: bpchar, b: bpchar) -> bool;
    bpchargt(ctx, a: bpchar, b: bpchar) -> bool; bpcharge(ctx, a: bpchar, b: bpchar) -> bool;
    bpcharcmp(ctx, a: bpchar, b: bpchar) -> int4;
    bpchar_larger(ctx, a: bpchar, b: bpchar) -> bpchar; bpchar_smaller(ctx, a: bpchar, b: bpchar) -> bpchar;
    bpchar_pattern_lt(a: bpchar, b: bpchar) -> bool; bpchar_pattern_le(a: bpchar, b: bpchar) -> bool;
    bpchar_pattern_gt(a: bpchar, b: bpchar) -> bool; bpchar_pattern_ge(a: bpchar, b: bpchar) -> bool;
    btbpchar_pattern_cmp(a: bpchar, b: bpchar) -> int4;
    name_text = same(a: name) -> text; name_bpchar = same(a: name) -> bpchar; text_name(a: text) -> name;
    bpchar_name(a: bpchar) -> name; text_char(a: text) -> char; char_text(a: char) -> text; char_bpchar = char_text(a: char) -> bpchar;
    booltext(a: bool) -> text; varchar(a: varchar, typmod: int4, is_explicit: bool) -> varchar;
    bpchar(a: bpchar, typmod: int4, is_explicit: bool) -> bpchar; nameconcatoid(name: name, oid: oid) -> name;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_at_63_bytes() {
        let long = "é".repeat(40);
        assert_eq!(text_name(&long).len(), 62);
        assert!(nameconcatoid(&long, 7).ends_with("_7"));
    }
}
