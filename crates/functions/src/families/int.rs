//! Integers: arithmetic, comparison, bits, conversions.
//!
//! Functions over mixed widths widen first (`int24pl` adds in 32 bits), as PostgreSQL's do.

use std::cmp::Ordering;

use common::{PgError, PgResult, pg_err};

use crate::framework::context::FnContext;
use crate::framework::direct::{Checked, Failure};
use crate::framework::macros::{builtins, direct};

macro_rules! failures {
    ($($(#[$doc:meta])* $name:ident $code:ident $text:literal;)*) => {$(
        $(#[$doc])*
        pub(crate) struct $name;
        impl Failure for $name {
            #[cold]
            fn error() -> Box<PgError> {
                pg_err!($code, $text)
            }
        }
    )*};
}

failures! {
    /// For results of type `int2`.
    Int2Range NUMERIC_VALUE_OUT_OF_RANGE "smallint out of range";
    /// For results of type `int4`.
    Int4Range NUMERIC_VALUE_OUT_OF_RANGE "integer out of range";
    /// For results of type `int8`.
    Int8Range NUMERIC_VALUE_OUT_OF_RANGE "bigint out of range";
    /// For results of type `oid`.
    OidRange NUMERIC_VALUE_OUT_OF_RANGE "OID out of range";
    /// For results of type `"char"`.
    CharRange NUMERIC_VALUE_OUT_OF_RANGE "\"char\" out of range";
}

#[cold]
pub(crate) fn division_by_zero() -> Box<PgError> {
    pg_err!(DIVISION_BY_ZERO, "division by zero")
}

// Comparison of any two values of one class; the other families use these too.
pub(crate) fn eq<A: PartialEq>(a: A, b: A) -> bool {
    a == b
}
pub(crate) fn ne<A: PartialEq>(a: A, b: A) -> bool {
    a != b
}
pub(crate) fn lt<A: PartialOrd>(a: A, b: A) -> bool {
    a < b
}
pub(crate) fn le<A: PartialOrd>(a: A, b: A) -> bool {
    a <= b
}
pub(crate) fn gt<A: PartialOrd>(a: A, b: A) -> bool {
    a > b
}
pub(crate) fn ge<A: PartialOrd>(a: A, b: A) -> bool {
    a >= b
}
pub(crate) fn cmp<A: Ord>(a: A, b: A) -> i32 {
    sign(a.cmp(&b))
}
pub(crate) fn larger<A: Ord>(a: A, b: A) -> A {
    a.max(b)
}
pub(crate) fn smaller<A: Ord>(a: A, b: A) -> A {
    a.min(b)
}

/// -1, 0 or 1.
pub(crate) fn sign(order: Ordering) -> i32 {
    order as i32
}

// The same over mixed integer widths.
fn eq_wide<A: Into<i64>, B: Into<i64>>(a: A, b: B) -> bool {
    a.into() == b.into()
}
fn ne_wide<A: Into<i64>, B: Into<i64>>(a: A, b: B) -> bool {
    a.into() != b.into()
}
fn lt_wide<A: Into<i64>, B: Into<i64>>(a: A, b: B) -> bool {
    a.into() < b.into()
}
fn le_wide<A: Into<i64>, B: Into<i64>>(a: A, b: B) -> bool {
    a.into() <= b.into()
}
fn gt_wide<A: Into<i64>, B: Into<i64>>(a: A, b: B) -> bool {
    a.into() > b.into()
}
fn ge_wide<A: Into<i64>, B: Into<i64>>(a: A, b: B) -> bool {
    a.into() >= b.into()
}
fn cmp_wide<A: Into<i64>, B: Into<i64>>(a: A, b: B) -> i32 {
    sign(a.into().cmp(&b.into()))
}

/// Arithmetic at one width.
macro_rules! arithmetic {
    ($t:ident $range:ident $add:ident $sub:ident $mul:ident $div:ident $rem:ident $neg:ident $abs:ident $pos:ident) => {
        fn $add<A: Into<$t>, B: Into<$t>>(a: A, b: B) -> Checked<$t, $range> {
            Checked::new(a.into().overflowing_add(b.into()))
        }
        fn $sub<A: Into<$t>, B: Into<$t>>(a: A, b: B) -> Checked<$t, $range> {
            Checked::new(a.into().overflowing_sub(b.into()))
        }
        fn $mul<A: Into<$t>, B: Into<$t>>(a: A, b: B) -> Checked<$t, $range> {
            Checked::new(a.into().overflowing_mul(b.into()))
        }
        fn $div(a: $t, b: $t) -> PgResult<$t> {
            if b == 0 {
                return Err(division_by_zero());
            }
            a.checked_div(b).ok_or_else($range::error)
        }
        fn $rem(a: $t, b: $t) -> PgResult<$t> {
            if b == 0 {
                return Err(division_by_zero());
            }
            Ok(a.wrapping_rem(b))
        }
        fn $neg(a: $t) -> Checked<$t, $range> {
            Checked::new(a.overflowing_neg())
        }
        fn $abs(a: $t) -> Checked<$t, $range> {
            Checked::new(a.overflowing_abs())
        }
        fn $pos(a: $t) -> $t {
            a
        }
    };
}

arithmetic!(i16 Int2Range add16 sub16 mul16 div16 rem16 neg16 abs16 pos16);
arithmetic!(i32 Int4Range add32 sub32 mul32 div32 rem32 neg32 abs32 pos32);
arithmetic!(i64 Int8Range add64 sub64 mul64 div64 rem64 neg64 abs64 pos64);

fn int24div(a: i16, b: i32) -> PgResult<i32> {
    div32(a.into(), b)
}
fn int42div(a: i32, b: i16) -> PgResult<i32> {
    div32(a, b.into())
}
fn int28div(a: i16, b: i64) -> PgResult<i64> {
    div64(a.into(), b)
}
fn int82div(a: i64, b: i16) -> PgResult<i64> {
    div64(a, b.into())
}
fn int48div(a: i32, b: i64) -> PgResult<i64> {
    div64(a.into(), b)
}
fn int84div(a: i64, b: i32) -> PgResult<i64> {
    div64(a, b.into())
}

fn and<A: std::ops::BitAnd<Output = A>>(a: A, b: A) -> A {
    a & b
}
fn or<A: std::ops::BitOr<Output = A>>(a: A, b: A) -> A {
    a | b
}
fn xor<A: std::ops::BitXor<Output = A>>(a: A, b: A) -> A {
    a ^ b
}
fn not<A: std::ops::Not<Output = A>>(a: A) -> A {
    !a
}
// Shift counts wrap at the width of the machine type, as on PostgreSQL's platforms.
fn int2shl(a: i16, n: i32) -> i16 {
    i32::from(a).wrapping_shl(n as u32) as i16
}
fn int2shr(a: i16, n: i32) -> i16 {
    i32::from(a).wrapping_shr(n as u32) as i16
}
fn int4shl(a: i32, n: i32) -> i32 {
    a.wrapping_shl(n as u32)
}
fn int4shr(a: i32, n: i32) -> i32 {
    a.wrapping_shr(n as u32)
}
fn int8shl(a: i64, n: i32) -> i64 {
    a.wrapping_shl(n as u32)
}
fn int8shr(a: i64, n: i32) -> i64 {
    a.wrapping_shr(n as u32)
}

fn i2toi4(a: i16) -> i32 {
    a.into()
}
fn to_int8<A: Into<i64>>(a: A) -> i64 {
    a.into()
}
fn to_int2<A: Into<i64>>(a: A) -> Checked<i16, Int2Range> {
    let a = a.into();
    Checked::new((a as i16, i64::from(a as i16) != a))
}
fn to_int4(a: i64) -> Checked<i32, Int4Range> {
    Checked::new((a as i32, i64::from(a as i32) != a))
}
fn to_oid(a: i64) -> Checked<u32, OidRange> {
    Checked::new((a as u32, i64::from(a as u32) != a))
}
fn int4inc(a: i32) -> Checked<i32, Int4Range> {
    add32(a, 1)
}
fn int8inc(a: i64) -> Checked<i64, Int8Range> {
    add64(a, 1i64)
}
fn int8dec(a: i64) -> Checked<i64, Int8Range> {
    sub64(a, 1i64)
}
fn chartoi4(a: u8) -> i32 {
    i32::from(a as i8)
}
fn i4tochar(a: i32) -> Checked<u8, CharRange> {
    Checked::new((a as u8, i32::from(a as i8) != a))
}
fn int4_bool(a: i32) -> bool {
    a != 0
}
fn bool_int4(a: bool) -> i32 {
    i32::from(a)
}
fn xid_eq_int4(a: u32, b: i32) -> bool {
    a == b as u32
}
fn xid_ne_int4(a: u32, b: i32) -> bool {
    a != b as u32
}
// xid8 is unsigned in a signed class.
fn lt_unsigned(a: i64, b: i64) -> bool {
    (a as u64) < b as u64
}
fn le_unsigned(a: i64, b: i64) -> bool {
    a as u64 <= b as u64
}
fn gt_unsigned(a: i64, b: i64) -> bool {
    a as u64 > b as u64
}
fn ge_unsigned(a: i64, b: i64) -> bool {
    a as u64 >= b as u64
}
/// What PostgreSQL gives for the order of small numbers.
fn difference<A: Into<i32>>(a: A, b: A) -> i32 {
    a.into() - b.into()
}
fn cmp_unsigned(a: i64, b: i64) -> i32 {
    sign((a as u64).cmp(&(b as u64)))
}
fn larger_unsigned(a: i64, b: i64) -> i64 {
    (a as u64).max(b as u64) as i64
}
fn smaller_unsigned(a: i64, b: i64) -> i64 {
    (a as u64).min(b as u64) as i64
}
fn xid8toxid(a: i64) -> u32 {
    a as u32
}

#[rustfmt::skip]
direct! {
    int2eq = eq(a: int2, b: int2) -> bool; int2ne = ne(a: int2, b: int2) -> bool;
    int2lt = lt(a: int2, b: int2) -> bool; int2le = le(a: int2, b: int2) -> bool;
    int2gt = gt(a: int2, b: int2) -> bool; int2ge = ge(a: int2, b: int2) -> bool;
    int4eq = eq(a: int4, b: int4) -> bool; int4ne = ne(a: int4, b: int4) -> bool;
    int4lt = lt(a: int4, b: int4) -> bool; int4le = le(a: int4, b: int4) -> bool;
    int4gt = gt(a: int4, b: int4) -> bool; int4ge = ge(a: int4, b: int4) -> bool;
    int8eq = eq(a: int8, b: int8) -> bool; int8ne = ne(a: int8, b: int8) -> bool;
    int8lt = lt(a: int8, b: int8) -> bool; int8le = le(a: int8, b: int8) -> bool;
    int8gt = gt(a: int8, b: int8) -> bool; int8ge = ge(a: int8, b: int8) -> bool;
    int24eq = eq_wide(a: int2, b: int4) -> bool; int24ne = ne_wide(a: int2, b: int4) -> bool;
    int24lt = lt_wide(a: int2, b: int4) -> bool; int24le = le_wide(a: int2, b: int4) -> bool;
    int24gt = gt_wide(a: int2, b: int4) -> bool; int24ge = ge_wide(a: int2, b: int4) -> bool;
    int28eq = eq_wide(a: int2, b: int8) -> bool; int28ne = ne_wide(a: int2, b: int8) -> bool;
    int28lt = lt_wide(a: int2, b: int8) -> bool; int28le = le_wide(a: int2, b: int8) -> bool;
    int28gt = gt_wide(a: int2, b: int8) -> bool; int28ge = ge_wide(a: int2, b: int8) -> bool;
    int42eq = eq_wide(a: int4, b: int2) -> bool; int42ne = ne_wide(a: int4, b: int2) -> bool;
    int42lt = lt_wide(a: int4, b: int2) -> bool; int42le = le_wide(a: int4, b: int2) -> bool;
    int42gt = gt_wide(a: int4, b: int2) -> bool; int42ge = ge_wide(a: int4, b: int2) -> bool;
    int48eq = eq_wide(a: int4, b: int8) -> bool; int48ne = ne_wide(a: int4, b: int8) -> bool;
    int48lt = lt_wide(a: int4, b: int8) -> bool; int48le = le_wide(a: int4, b: int8) -> bool;
    int48gt = gt_wide(a: int4, b: int8) -> bool; int48ge = ge_wide(a: int4, b: int8) -> bool;
    int82eq = eq_wide(a: int8, b: int2) -> bool; int82ne = ne_wide(a: int8, b: int2) -> bool;
    int82lt = lt_wide(a: int8, b: int2) -> bool; int82le = le_wide(a: int8, b: int2) -> bool;
    int82gt = gt_wide(a: int8, b: int2) -> bool; int82ge = ge_wide(a: int8, b: int2) -> bool;
    int84eq = eq_wide(a: int8, b: int4) -> bool; int84ne = ne_wide(a: int8, b: int4) -> bool;
    int84lt = lt_wide(a: int8, b: int4) -> bool; int84le = le_wide(a: int8, b: int4) -> bool;
    int84gt = gt_wide(a: int8, b: int4) -> bool; int84ge = ge_wide(a: int8, b: int4) -> bool;
    btint2cmp = difference(a: int2, b: int2) -> int4; btint4cmp = cmp(a: int4, b: int4) -> int4;
    btint8cmp = cmp(a: int8, b: int8) -> int4; btint24cmp = cmp_wide(a: int2, b: int4) -> int4;
    btint28cmp = cmp_wide(a: int2, b: int8) -> int4; btint42cmp = cmp_wide(a: int4, b: int2) -> int4;
    btint48cmp = cmp_wide(a: int4, b: int8) -> int4; btint82cmp = cmp_wide(a: int8, b: int2) -> int4;
    btint84cmp = cmp_wide(a: int8, b: int4) -> int4;
    int2larger = larger(a: int2, b: int2) -> int2; int2smaller = smaller(a: int2, b: int2) -> int2;
    int4larger = larger(a: int4, b: int4) -> int4; int4smaller = smaller(a: int4, b: int4) -> int4;
    int8larger = larger(a: int8, b: int8) -> int8; int8smaller = smaller(a: int8, b: int8) -> int8;

    int2pl = add16(a: int2, b: int2) -> int2; int2mi = sub16(a: int2, b: int2) -> int2;
    int2mul = mul16(a: int2, b: int2) -> int2; int2um = neg16(a: int2) -> int2;
    int2abs = abs16(a: int2) -> int2; int2up = pos16(a: int2) -> int2;
    int4pl = add32(a: int4, b: int4) -> int4; int4mi = sub32(a: int4, b: int4) -> int4;
    int4mul = mul32(a: int4, b: int4) -> int4; int4um = neg32(a: int4) -> int4;
    int4abs = abs32(a: int4) -> int4; int4up = pos32(a: int4) -> int4;
    int8pl = add64(a: int8, b: int8) -> int8; int8mi = sub64(a: int8, b: int8) -> int8;
    int8mul = mul64(a: int8, b: int8) -> int8; int8um = neg64(a: int8) -> int8;
    int8abs = abs64(a: int8) -> int8; int8up = pos64(a: int8) -> int8;
    int24pl = add32(a: int2, b: int4) -> int4; int24mi = sub32(a: int2, b: int4) -> int4; int24mul = mul32(a: int2, b: int4) -> int4;
    int42pl = add32(a: int4, b: int2) -> int4; int42mi = sub32(a: int4, b: int2) -> int4; int42mul = mul32(a: int4, b: int2) -> int4;
    int28pl = add64(a: int2, b: int8) -> int8; int28mi = sub64(a: int2, b: int8) -> int8; int28mul = mul64(a: int2, b: int8) -> int8;
    int48pl = add64(a: int4, b: int8) -> int8; int48mi = sub64(a: int4, b: int8) -> int8; int48mul = mul64(a: int4, b: int8) -> int8;
    int82pl = add64(a: int8, b: int2) -> int8; int82mi = sub64(a: int8, b: int2) -> int8; int82mul = mul64(a: int8, b: int2) -> int8;
    int84pl = add64(a: int8, b: int4) -> int8; int84mi = sub64(a: int8, b: int4) -> int8; int84mul = mul64(a: int8, b: int4) -> int8;

    int2and = and(a: int2, b: int2) -> int2; int2or = or(a: int2, b: int2) -> int2; int2xor = xor(a: int2, b: int2) -> int2;
    int4and = and(a: int4, b: int4) -> int4; int4or = or(a: int4, b: int4) -> int4; int4xor = xor(a: int4, b: int4) -> int4;
    int8and = and(a: int8, b: int8) -> int8; int8or = or(a: int8, b: int8) -> int8; int8xor = xor(a: int8, b: int8) -> int8;
    int2not = not(a: int2) -> int2; int4not = not(a: int4) -> int4; int8not = not(a: int8) -> int8;
    int2shl(a: int2, n: int4) -> int2; int2shr(a: int2, n: int4) -> int2;
    int4shl(a: int4, n: int4) -> int4; int4shr(a: int4, n: int4) -> int4;
    int8shl(a: int8, n: int4) -> int8; int8shr(a: int8, n: int4) -> int8;

    i2toi4(a: int2) -> int4; int28 = to_int8(a: int2) -> int8; int48 = to_int8(a: int4) -> int8;
    i4toi2 = to_int2(a: int4) -> int2; int82 = to_int2(a: int8) -> int2; int84 = to_int4(a: int8) -> int4;
    oidtoi8 = to_int8(a: oid) -> int8; i8tooid = to_oid(a: int8) -> oid;
    int4inc(a: int4) -> int4; int8inc(a: int8) -> int8; int8dec(a: int8) -> int8;
    chartoi4(a: char) -> int4; i4tochar(a: int4) -> char; int4_bool(a: int4) -> bool; bool_int4(a: bool) -> int4;

    oideq = eq(a: oid, b: oid) -> bool; oidne = ne(a: oid, b: oid) -> bool; oidlt = lt(a: oid, b: oid) -> bool;
    oidle = le(a: oid, b: oid) -> bool; oidgt = gt(a: oid, b: oid) -> bool; oidge = ge(a: oid, b: oid) -> bool;
    btoidcmp = cmp(a: oid, b: oid) -> int4;
    oidlarger = larger(a: oid, b: oid) -> oid; oidsmaller = smaller(a: oid, b: oid) -> oid;
    xideq = eq(a: xid, b: xid) -> bool; xidneq = ne(a: xid, b: xid) -> bool; cideq = eq(a: cid, b: cid) -> bool;
    xideq = xid_eq_int4(a: xid, b: int4) -> bool; xidneq = xid_ne_int4(a: xid, b: int4) -> bool;
    xid8eq = eq(a: xid8, b: xid8) -> bool; xid8ne = ne(a: xid8, b: xid8) -> bool;
    xid8lt = lt_unsigned(a: xid8, b: xid8) -> bool; xid8le = le_unsigned(a: xid8, b: xid8) -> bool;
    xid8gt = gt_unsigned(a: xid8, b: xid8) -> bool; xid8ge = ge_unsigned(a: xid8, b: xid8) -> bool;
    xid8cmp = cmp_unsigned(a: xid8, b: xid8) -> int4; xid8toxid(a: xid8) -> xid;
    xid8_larger = larger_unsigned(a: xid8, b: xid8) -> xid8; xid8_smaller = smaller_unsigned(a: xid8, b: xid8) -> xid8;

    booleq = eq(a: bool, b: bool) -> bool; boolne = ne(a: bool, b: bool) -> bool; boollt = lt(a: bool, b: bool) -> bool;
    boolle = le(a: bool, b: bool) -> bool; boolgt = gt(a: bool, b: bool) -> bool; boolge = ge(a: bool, b: bool) -> bool;
    btboolcmp = cmp(a: bool, b: bool) -> int4;
    chareq = eq(a: char, b: char) -> bool; charne = ne(a: char, b: char) -> bool; charlt = lt(a: char, b: char) -> bool;
    charle = le(a: char, b: char) -> bool; chargt = gt(a: char, b: char) -> bool; charge = ge(a: char, b: char) -> bool;
    btcharcmp = difference(a: char, b: char) -> int4;
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn int4gcd(a: i32, b: i32) -> PgResult<i32> {
    let g = gcd(u64::from(a.unsigned_abs()), u64::from(b.unsigned_abs()));
    i32::try_from(g).map_err(|_| Int4Range::error())
}

fn int8gcd(a: i64, b: i64) -> PgResult<i64> {
    i64::try_from(gcd(a.unsigned_abs(), b.unsigned_abs())).map_err(|_| Int8Range::error())
}

fn lcm(a: u64, b: u64) -> Option<u64> {
    if a == 0 || b == 0 {
        Some(0)
    } else {
        (a / gcd(a, b)).checked_mul(b)
    }
}

fn int4lcm(a: i32, b: i32) -> PgResult<i32> {
    let l = lcm(u64::from(a.unsigned_abs()), u64::from(b.unsigned_abs()));
    l.and_then(|l| i32::try_from(l).ok()).ok_or_else(Int4Range::error)
}

fn int8lcm(a: i64, b: i64) -> PgResult<i64> {
    let l = lcm(a.unsigned_abs(), b.unsigned_abs());
    l.and_then(|l| i64::try_from(l).ok()).ok_or_else(Int8Range::error)
}

#[cold]
pub(crate) fn empty_random_range() -> Box<PgError> {
    pg_err!(
        INVALID_PARAMETER_VALUE,
        "lower bound must be less than or equal to upper bound"
    )
}

fn int8random(ctx: &mut FnContext<'_>, lo: i64, hi: i64) -> PgResult<i64> {
    if lo > hi {
        return Err(empty_random_range());
    }
    let span = hi.wrapping_sub(lo) as u64;
    Ok(lo.wrapping_add(random_up_to(ctx, span)? as i64))
}

/// Uniform in `[0, most]`: as many high bits as the bound has, drawn again while they are beyond it (PostgreSQL's
/// `pg_prng_uint64_range`, so that `setseed` gives its sequence).
pub(crate) fn random_up_to(ctx: &FnContext<'_>, most: u64) -> PgResult<u64> {
    if most == 0 {
        return Ok(0);
    }
    loop {
        let value = ctx.session.random_u64()? >> most.leading_zeros();
        if value <= most {
            return Ok(value);
        }
    }
}

fn int4random(ctx: &mut FnContext<'_>, lo: i32, hi: i32) -> PgResult<i32> {
    Ok(int8random(ctx, i64::from(lo), i64::from(hi))? as i32)
}

fn to_radix(mut value: u64, bits: u32) -> String {
    let mut digits = Vec::new();
    loop {
        digits.push(char::from_digit((value & ((1 << bits) - 1)) as u32, 16).unwrap_or('0'));
        value >>= bits;
        if value == 0 {
            return digits.iter().rev().collect();
        }
    }
}

fn to_hex32(a: i32) -> String {
    to_radix(u64::from(a as u32), 4)
}
fn to_hex64(a: i64) -> String {
    to_radix(a as u64, 4)
}
fn to_oct32(a: i32) -> String {
    to_radix(u64::from(a as u32), 3)
}
fn to_oct64(a: i64) -> String {
    to_radix(a as u64, 3)
}
fn to_bin32(a: i32) -> String {
    to_radix(u64::from(a as u32), 1)
}
fn to_bin64(a: i64) -> String {
    to_radix(a as u64, 1)
}

#[rustfmt::skip]
builtins! {
    int2div = div16(a: int2, b: int2) -> int2; int2mod = rem16(a: int2, b: int2) -> int2;
    int4div = div32(a: int4, b: int4) -> int4; int4mod = rem32(a: int4, b: int4) -> int4;
    int8div = div64(a: int8, b: int8) -> int8; int8mod = rem64(a: int8, b: int8) -> int8;
    int24div(a: int2, b: int4) -> int4; int42div(a: int4, b: int2) -> int4;
    int28div(a: int2, b: int8) -> int8; int82div(a: int8, b: int2) -> int8;
    int48div(a: int4, b: int8) -> int8; int84div(a: int8, b: int4) -> int8;
    int4gcd(a: int4, b: int4) -> int4; int8gcd(a: int8, b: int8) -> int8;
    int4lcm(a: int4, b: int4) -> int4; int8lcm(a: int8, b: int8) -> int8;
    int4random(ctx, lo: int4, hi: int4) -> int4; int8random(ctx, lo: int8, hi: int8) -> int8;
    to_hex32(a: int4) -> text; to_hex64(a: int8) -> text; to_oct32(a: int4) -> text; to_oct64(a: int8) -> text;
    to_bin32(a: int4) -> text; to_bin64(a: int8) -> text;
}
