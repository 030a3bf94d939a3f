//! Functions of `macaddr` and `macaddr8`: comparison, logic, conversion.

use std::cmp::Ordering;

use common::error::ErrorExt;
use common::{PgResult, pg_err};

use crate::framework::macros::builtins;

macro_rules! comparisons {
    ($($name:ident: $order:ident;)*) => {$(
        fn $name(a: &[u8], b: &[u8]) -> bool {
            a.cmp(b).$order()
        }
    )*};
}

comparisons! {
    macaddr_eq: is_eq; macaddr_ne: is_ne; macaddr_lt: is_lt; macaddr_le: is_le; macaddr_gt: is_gt; macaddr_ge: is_ge;
}

fn macaddr_cmp(a: &[u8], b: &[u8]) -> i32 {
    match a.cmp(b) {
        Ordering::Less => -1,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    }
}

fn macaddr_not(v: &[u8]) -> Vec<u8> {
    v.iter().map(|b| !b).collect()
}

fn macaddr_and(a: &[u8], b: &[u8]) -> Vec<u8> {
    a.iter().zip(b).map(|(x, y)| x & y).collect()
}

fn macaddr_or(a: &[u8], b: &[u8]) -> Vec<u8> {
    a.iter().zip(b).map(|(x, y)| x | y).collect()
}

/// The manufacturer's part: the first three bytes.
fn macaddr_trunc(v: &[u8]) -> Vec<u8> {
    let keep = |(i, b): (usize, &u8)| if i < 3 { *b } else { 0 };
    v.iter().enumerate().map(keep).collect()
}

fn macaddr8_set7bit(v: &[u8]) -> Vec<u8> {
    let mut out = v.to_vec();
    if let Some(first) = out.first_mut() {
        *first |= 2;
    }
    out
}

fn macaddrtomacaddr8(v: &[u8]) -> Vec<u8> {
    match v {
        [a, b, c, rest @ ..] => [&[*a, *b, *c, 0xff, 0xfe], rest].concat(),
        _ => v.to_vec(),
    }
}

fn macaddr8tomacaddr(v: &[u8]) -> PgResult<Vec<u8>> {
    match v {
        [a, b, c, 0xff, 0xfe, rest @ ..] => Ok([&[*a, *b, *c], rest].concat()),
        _ => Err(pg_err!(
            NUMERIC_VALUE_OUT_OF_RANGE,
            "macaddr8 data out of range to convert to macaddr"
        )
        .hint(
            "Only addresses that have FF and FE as values in the 4th and 5th bytes from the left, for example xx:xx:xx:ff:fe:xx:xx:xx, are eligible to be converted from macaddr8 to macaddr.",
        )),
    }
}

builtins! {
    macaddr_eq(a: macaddr, b: macaddr) -> bool;
    macaddr_ne(a: macaddr, b: macaddr) -> bool;
    macaddr_lt(a: macaddr, b: macaddr) -> bool;
    macaddr_le(a: macaddr, b: macaddr) -> bool;
    macaddr_gt(a: macaddr, b: macaddr) -> bool;
    macaddr_ge(a: macaddr, b: macaddr) -> bool;
    macaddr_cmp(a: macaddr, b: macaddr) -> int4;
    macaddr_not(v: macaddr) -> macaddr;
    macaddr_and(a: macaddr, b: macaddr) -> macaddr;
    macaddr_or(a: macaddr, b: macaddr) -> macaddr;
    macaddr_trunc(v: macaddr) -> macaddr;
    macaddrtomacaddr8(v: macaddr) -> macaddr8;
    macaddr8tomacaddr(v: macaddr8) -> macaddr;
    macaddr8_eq = macaddr_eq(a: macaddr8, b: macaddr8) -> bool;
    macaddr8_ne = macaddr_ne(a: macaddr8, b: macaddr8) -> bool;
    macaddr8_lt = macaddr_lt(a: macaddr8, b: macaddr8) -> bool;
    macaddr8_le = macaddr_le(a: macaddr8, b: macaddr8) -> bool;
    macaddr8_gt = macaddr_gt(a: macaddr8, b: macaddr8) -> bool;
    macaddr8_ge = macaddr_ge(a: macaddr8, b: macaddr8) -> bool;
    macaddr8_cmp = macaddr_cmp(a: macaddr8, b: macaddr8) -> int4;
    macaddr8_not = macaddr_not(v: macaddr8) -> macaddr8;
    macaddr8_and = macaddr_and(a: macaddr8, b: macaddr8) -> macaddr8;
    macaddr8_or = macaddr_or(a: macaddr8, b: macaddr8) -> macaddr8;
    macaddr8_trunc = macaddr_trunc(v: macaddr8) -> macaddr8;
    macaddr8_set7bit(v: macaddr8) -> macaddr8;
}
