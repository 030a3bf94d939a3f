//! Functions of `inet` and `cidr`: comparison, containment, parts, arithmetic.

use std::cmp::Ordering;

use common::{PgError, PgResult, pg_err};
use types::io_net::{FAMILY_V4, Inet};
use types::{Datum, oids, order};

use crate::framework::context::FnContext;
use crate::framework::macros::builtins;
use types::io_net;

fn cmp(a: &[u8], b: &[u8]) -> Ordering {
    order::compare_bytes(oids::INET, a, b)
}

fn network_eq(a: &[u8], b: &[u8]) -> bool {
    a == b
}

fn network_ne(a: &[u8], b: &[u8]) -> bool {
    a != b
}

fn network_lt(a: &[u8], b: &[u8]) -> bool {
    cmp(a, b).is_lt()
}

fn network_le(a: &[u8], b: &[u8]) -> bool {
    cmp(a, b).is_le()
}

fn network_gt(a: &[u8], b: &[u8]) -> bool {
    cmp(a, b).is_gt()
}

fn network_ge(a: &[u8], b: &[u8]) -> bool {
    cmp(a, b).is_ge()
}

fn network_cmp(a: &[u8], b: &[u8]) -> i32 {
    cmp(a, b) as i32
}

fn network_larger<'a>(a: &'a [u8], b: &'a [u8]) -> &'a [u8] {
    if cmp(a, b).is_gt() { a } else { b }
}

fn network_smaller<'a>(a: &'a [u8], b: &'a [u8]) -> &'a [u8] {
    if cmp(a, b).is_lt() { a } else { b }
}

/// The networks agree in their first `bits` bits.
fn same_network(a: &Inet, b: &Inet, bits: u8) -> bool {
    a.family == b.family && a.masked(bits) == b.masked(bits)
}

fn network_sub(a: &[u8], b: &[u8]) -> bool {
    let (a, b) = (Inet::new(a), Inet::new(b));
    a.bits > b.bits && same_network(&a, &b, b.bits)
}

fn network_subeq(a: &[u8], b: &[u8]) -> bool {
    let (a, b) = (Inet::new(a), Inet::new(b));
    a.bits >= b.bits && same_network(&a, &b, b.bits)
}

fn network_sup(a: &[u8], b: &[u8]) -> bool {
    network_sub(b, a)
}

fn network_supeq(a: &[u8], b: &[u8]) -> bool {
    network_subeq(b, a)
}

fn network_overlap(a: &[u8], b: &[u8]) -> bool {
    let (a, b) = (Inet::new(a), Inet::new(b));
    same_network(&a, &b, a.bits.min(b.bits))
}

fn network_host(v: &[u8]) -> String {
    let mut out = String::new();
    Inet::new(v).push_host(&mut out);
    out
}

/// The address with its mask length, also where that is all of it.
pub(super) fn with_mask(v: &[u8]) -> PgResult<String> {
    Ok(network_show(v))
}

fn network_show(v: &[u8]) -> String {
    let mut out = String::new();
    Inet::new(v).push_cidr(&mut out);
    out
}

fn inet_abbrev(v: &[u8]) -> String {
    let mut out = String::new();
    Inet::new(v).push_inet(&mut out);
    out
}

/// Where the longest run of zero words begins, and its length, as BIND finds it.
fn zero_run(words: &[u16]) -> (usize, usize) {
    let (mut best, mut run) = ((0, 0), (0, 0));
    for (i, word) in words.iter().enumerate() {
        if *word == 0 {
            if run.1 == 0 {
                run.0 = i;
            }
            run.1 += 1;
        } else if run.1 > best.1 {
            best = run;
            run.1 = 0;
        }
    }
    if run.1 > best.1 { run } else { best }
}

/// The words of an IPv6 network that its mask covers.
fn abbrev_v6(v: &Inet) -> String {
    if v.bits == 0 {
        return "::/0".to_owned();
    }
    let bytes = v.masked(v.bits);
    let count = usize::from(v.bits).div_ceil(16).max(2);
    let words: Vec<u16> = bytes
        .chunks(2)
        .map(|c| u16::from_be_bytes([c[0], c[1]]))
        .take(count)
        .collect();
    let (start, len) = zero_run(&words);
    let mapped = len == 5 && bytes[10] == 0xff && bytes[11] == 0xff;
    let is_v4 =
        len != count && start == 0 && (len == 6 || mapped || len == 7 && bytes[14] != 0 && bytes[15] != 1);
    let mut out = String::new();
    for (p, word) in words.iter().enumerate() {
        if len > 0 && (start..start + len).contains(&p) {
            if p == start {
                out.push(':');
            }
            if p == count - 1 {
                out.push(':');
            }
        } else if is_v4 && p > 5 {
            out.push(if p == 6 { ':' } else { '.' });
            out.push_str(&(word >> 8).to_string());
            if p != 7 || v.bits > 120 {
                out.push_str(&format!(".{}", word & 0xff));
            }
        } else {
            if !out.is_empty() {
                out.push(':');
            }
            out.push_str(&format!("{word:x}"));
        }
    }
    out + &format!("/{}", v.bits)
}

fn cidr_abbrev(v: &[u8]) -> String {
    let v = Inet::new(v);
    if v.family != FAMILY_V4 {
        return abbrev_v6(&v);
    }
    let shown = usize::from(v.bits).div_ceil(8).max(1);
    let parts: Vec<String> = v.masked(v.bits)[..shown].iter().map(u8::to_string).collect();
    format!("{}/{}", parts.join("."), v.bits)
}

fn network_family(v: &[u8]) -> i32 {
    if Inet::new(v).family == FAMILY_V4 { 4 } else { 6 }
}

fn network_masklen(v: &[u8]) -> i32 {
    i32::from(Inet::new(v).bits)
}

/// A mask of so many ones.
fn mask(family: u8, ones: u8) -> Inet {
    Inet {
        family,
        bits: ones,
        addr: [0xff; 16],
    }
}

fn map(v: &Inet, bits: u8, f: impl Fn(usize) -> u8) -> Vec<u8> {
    let mut out = Inet {
        family: v.family,
        bits,
        addr: [0; 16],
    };
    let width = out.width();
    for (i, b) in out.addr[..width].iter_mut().enumerate() {
        *b = f(i);
    }
    out.to_bytes()
}

fn network_broadcast(v: &[u8]) -> Vec<u8> {
    let v = Inet::new(v);
    let net = mask(v.family, v.bits).masked(v.bits);
    map(&v, v.bits, |i| v.addr[i] | !net[i])
}

fn network_network(v: &[u8]) -> Vec<u8> {
    let v = Inet::new(v);
    let net = v.masked(v.bits);
    map(&v, v.bits, |i| net[i])
}

fn network_netmask(v: &[u8]) -> Vec<u8> {
    let v = Inet::new(v);
    let net = mask(v.family, v.bits).masked(v.bits);
    map(&v, v.bits_max(), |i| net[i])
}

fn network_hostmask(v: &[u8]) -> Vec<u8> {
    let v = Inet::new(v);
    let net = mask(v.family, v.bits).masked(v.bits);
    map(&v, v.bits_max(), |i| !net[i])
}

fn inet_to_cidr(v: &[u8]) -> Vec<u8> {
    network_network(v)
}

fn new_bits(v: &Inet, bits: i32) -> PgResult<u8> {
    match bits {
        -1 => Ok(v.bits_max()),
        _ => u8::try_from(bits)
            .ok()
            .filter(|b| *b <= v.bits_max())
            .ok_or_else(|| pg_err!(INVALID_PARAMETER_VALUE, "invalid mask length: {bits}")),
    }
}

fn inet_set_masklen(v: &[u8], bits: i32) -> PgResult<Vec<u8>> {
    let v = Inet::new(v);
    Ok(map(&v, new_bits(&v, bits)?, |i| v.addr[i]))
}

fn cidr_set_masklen(v: &[u8], bits: i32) -> PgResult<Vec<u8>> {
    let v = Inet::new(v);
    let bits = new_bits(&v, bits)?;
    let net = v.masked(bits);
    Ok(map(&v, bits, |i| net[i]))
}

fn inet_same_family(a: &[u8], b: &[u8]) -> bool {
    a.first() == b.first()
}

fn inet_merge(a: &[u8], b: &[u8]) -> PgResult<Vec<u8>> {
    let (a, b) = (Inet::new(a), Inet::new(b));
    if a.family != b.family {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "cannot merge addresses from different families"
        ));
    }
    let most = a.bits.min(b.bits);
    let common = (0..=most).rev().find(|n| a.masked(*n) == b.masked(*n));
    let bits = common.unwrap_or(0);
    let net = a.masked(bits);
    Ok(map(&a, bits, |i| net[i]))
}

fn inetnot(v: &[u8]) -> Vec<u8> {
    let v = Inet::new(v);
    map(&v, v.bits, |i| !v.addr[i])
}

fn logic(a: &[u8], b: &[u8], verb: &str, f: impl Fn(u8, u8) -> u8) -> PgResult<Vec<u8>> {
    let (a, b) = (Inet::new(a), Inet::new(b));
    if a.family != b.family {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "cannot {verb} inet values of different sizes"
        ));
    }
    Ok(map(&a, a.bits.max(b.bits), |i| f(a.addr[i], b.addr[i])))
}

fn inetand(a: &[u8], b: &[u8]) -> PgResult<Vec<u8>> {
    logic(a, b, "AND", |x, y| x & y)
}

fn inetor(a: &[u8], b: &[u8]) -> PgResult<Vec<u8>> {
    logic(a, b, "OR", |x, y| x | y)
}

/// The address as a number.
fn number(v: &Inet) -> u128 {
    v.address().iter().fold(0, |n, b| n << 8 | u128::from(*b))
}

#[cold]
fn out_of_range() -> Box<PgError> {
    pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, "result is out of range")
}

fn moved(v: &[u8], by: i128) -> PgResult<Vec<u8>> {
    let v = Inet::new(v);
    let n = number(&v).checked_add_signed(by).ok_or_else(out_of_range)?;
    if v.family == FAMILY_V4 && n > u128::from(u32::MAX) {
        return Err(out_of_range());
    }
    let bytes = n.to_be_bytes();
    let skip = 16 - v.width();
    Ok(map(&v, v.bits, |i| bytes[skip + i]))
}

fn inetpl(v: &[u8], n: i64) -> PgResult<Vec<u8>> {
    moved(v, i128::from(n))
}

fn int8pl_inet(n: i64, v: &[u8]) -> PgResult<Vec<u8>> {
    moved(v, i128::from(n))
}

fn inetmi_int8(v: &[u8], n: i64) -> PgResult<Vec<u8>> {
    // The least number is its own negative, as in PostgreSQL.
    moved(v, i128::from(n.wrapping_neg()))
}

fn inetmi(a: &[u8], b: &[u8]) -> PgResult<i64> {
    let (a, b) = (Inet::new(a), Inet::new(b));
    if a.family != b.family {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "cannot subtract inet values of different sizes"
        ));
    }
    let difference = number(&a).wrapping_sub(number(&b)) as i128;
    // PostgreSQL looks at the sign of the difference of 128 bits, not at who is greater.
    i64::try_from(difference).map_err(|_| out_of_range())
}

fn address_of(ctx: &mut FnContext<'_>, server_side: bool) -> PgResult<Datum> {
    match ctx.session.connection_address(server_side)? {
        Some((text, _)) => Ok(Datum::Bytes(io_net::parse(&text, false)?.to_bytes().into())),
        None => Ok(Datum::Null),
    }
}

fn inet_client_addr(ctx: &mut FnContext<'_>, _: &[Datum]) -> PgResult<Datum> {
    address_of(ctx, false)
}

fn inet_server_addr(ctx: &mut FnContext<'_>, _: &[Datum]) -> PgResult<Datum> {
    address_of(ctx, true)
}

builtins! {
    network_eq(a: inet, b: inet) -> bool;
    network_ne(a: inet, b: inet) -> bool;
    network_lt(a: inet, b: inet) -> bool;
    network_le(a: inet, b: inet) -> bool;
    network_gt(a: inet, b: inet) -> bool;
    network_ge(a: inet, b: inet) -> bool;
    network_cmp(a: inet, b: inet) -> int4;
    network_larger(a: inet, b: inet) -> inet;
    network_smaller(a: inet, b: inet) -> inet;
    network_sub(a: inet, b: inet) -> bool;
    network_subeq(a: inet, b: inet) -> bool;
    network_sup(a: inet, b: inet) -> bool;
    network_supeq(a: inet, b: inet) -> bool;
    network_overlap(a: inet, b: inet) -> bool;
    network_host(v: inet) -> text;
    network_show(v: inet) -> text;
    inet_abbrev(v: inet) -> text;
    cidr_abbrev(v: cidr) -> text;
    network_family(v: inet) -> int4;
    network_masklen(v: inet) -> int4;
    network_broadcast(v: inet) -> inet;
    network_network(v: inet) -> cidr;
    network_netmask(v: inet) -> inet;
    network_hostmask(v: inet) -> inet;
    inet_to_cidr(v: inet) -> cidr;
    inet_set_masklen(v: inet, bits: int4) -> inet;
    cidr_set_masklen(v: cidr, bits: int4) -> cidr;
    inet_same_family(a: inet, b: inet) -> bool;
    inet_merge(a: inet, b: inet) -> cidr;
    inetnot(v: inet) -> inet;
    inetand(a: inet, b: inet) -> inet;
    inetor(a: inet, b: inet) -> inet;
    inetpl(v: inet, n: int8) -> inet;
    int8pl_inet(n: int8, v: inet) -> inet;
    inetmi_int8(v: inet, n: int8) -> inet;
    inetmi(a: inet, b: inet) -> int8;
    inet_client_addr[general]() -> inet;
    inet_server_addr[general]() -> inet;
}
