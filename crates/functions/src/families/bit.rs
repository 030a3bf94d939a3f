//! Functions of `bit` and `bit varying`: comparison, logic, shifts, parts, casts, aggregates.

use std::cmp::Ordering;
use std::marker::PhantomData;

use common::{PgError, PgResult, pg_err};
use types::io_bit::{BITS_MAX, BitStr, pack, too_long, wrong_length};
use types::{Datum, oids, order};

use super::aggregate::{Groups, State};
use crate::framework::context::FnContext;
use crate::framework::macros::{aggregates, builtins};
use crate::framework::phys;

fn cmp(a: &[u8], b: &[u8]) -> Ordering {
    order::compare_bytes(oids::BIT, a, b)
}

fn biteq(a: &[u8], b: &[u8]) -> bool {
    a == b
}

fn bitne(a: &[u8], b: &[u8]) -> bool {
    a != b
}

fn bitlt(a: &[u8], b: &[u8]) -> bool {
    cmp(a, b).is_lt()
}

fn bitle(a: &[u8], b: &[u8]) -> bool {
    cmp(a, b).is_le()
}

fn bitgt(a: &[u8], b: &[u8]) -> bool {
    cmp(a, b).is_gt()
}

fn bitge(a: &[u8], b: &[u8]) -> bool {
    cmp(a, b).is_ge()
}

/// The difference of the first unequal bytes, as memcmp has it; else which one is longer.
fn bitcmp(a: &[u8], b: &[u8]) -> i32 {
    let (x, y) = (BitStr::new(a), BitStr::new(b));
    let unequal = x.bytes.iter().zip(y.bytes).find(|(x, y)| x != y);
    unequal.map_or_else(
        || x.len.cmp(&y.len) as i32,
        |(x, y)| i32::from(*x) - i32::from(*y),
    )
}

fn bitlength(v: &[u8]) -> i32 {
    BitStr::new(v).len as i32
}

fn bitoctetlength(v: &[u8]) -> i32 {
    BitStr::new(v).bytes.len() as i32
}

fn bit_bit_count(v: &[u8]) -> i64 {
    let ones = BitStr::new(v).bytes.iter().map(|b| b.count_ones());
    i64::from(ones.sum::<u32>())
}

/// Byte by byte on two strings of one length.
fn zip(a: &[u8], b: &[u8], verb: &str, f: impl Fn(u8, u8) -> u8) -> PgResult<Vec<u8>> {
    let (a, b) = (BitStr::new(a), BitStr::new(b));
    if a.len != b.len {
        return Err(pg_err!(
            STRING_DATA_LENGTH_MISMATCH,
            "cannot {verb} bit strings of different sizes"
        ));
    }
    let bytes = a.bytes.iter().zip(b.bytes).map(|(x, y)| f(*x, *y)).collect();
    Ok(pack(a.len, bytes))
}

fn bit_and(a: &[u8], b: &[u8]) -> PgResult<Vec<u8>> {
    zip(a, b, "AND", |x, y| x & y)
}

fn bit_or(a: &[u8], b: &[u8]) -> PgResult<Vec<u8>> {
    zip(a, b, "OR", |x, y| x | y)
}

fn bitxor(a: &[u8], b: &[u8]) -> PgResult<Vec<u8>> {
    zip(a, b, "XOR", |x, y| x ^ y)
}

fn bitnot(v: &[u8]) -> Vec<u8> {
    let v = BitStr::new(v);
    pack(v.len, v.bytes.iter().map(|b| !b).collect())
}

/// Bits between two looks at the cancel flag.
const BITS_UNCHECKED: usize = 1 << 20;

/// A string of `len` bits, each made by `f`.
fn build(ctx: &FnContext<'_>, len: usize, f: impl Fn(usize) -> bool) -> PgResult<Vec<u8>> {
    let mut bytes = vec![0u8; len.div_ceil(8)];
    for i in 0..len {
        if i % BITS_UNCHECKED == 0 {
            ctx.cancel.check()?;
        }
        if f(i) {
            bytes[i / 8] |= 0x80 >> (i % 8);
        }
    }
    Ok(pack(len, bytes))
}

fn shift(ctx: &FnContext<'_>, v: &[u8], left: i64) -> PgResult<Vec<u8>> {
    let v = BitStr::new(v);
    build(ctx, v.len, |i| {
        usize::try_from(i as i64 + left).is_ok_and(|from| from < v.len && v.bit(from))
    })
}

fn bitshiftleft(ctx: &mut FnContext<'_>, v: &[u8], n: i32) -> PgResult<Vec<u8>> {
    shift(ctx, v, i64::from(n))
}

fn bitshiftright(ctx: &mut FnContext<'_>, v: &[u8], n: i32) -> PgResult<Vec<u8>> {
    shift(ctx, v, -i64::from(n))
}

fn bitcat(ctx: &mut FnContext<'_>, a: &[u8], b: &[u8]) -> PgResult<Vec<u8>> {
    let (a, b) = (BitStr::new(a), BitStr::new(b));
    if a.len + b.len > BITS_MAX {
        return Err(pg_err!(
            PROGRAM_LIMIT_EXCEEDED,
            "bit string length exceeds the maximum allowed ({BITS_MAX})"
        ));
    }
    if a.len % 8 == 0 {
        return Ok(pack(a.len + b.len, [a.bytes, b.bytes].concat()));
    }
    build(ctx, a.len + b.len, |i| {
        if i < a.len { a.bit(i) } else { b.bit(i - a.len) }
    })
}

/// The bits from 1-based `start`, `len` of them (all without one).
fn part(ctx: &FnContext<'_>, v: &[u8], start: i32, len: Option<i32>) -> PgResult<Vec<u8>> {
    let v = BitStr::new(v);
    let limit = v.len as i64 + 1;
    let end = match len {
        Some(len) if len < 0 => {
            return Err(pg_err!(SUBSTRING_ERROR, "negative substring length not allowed"));
        }
        Some(len) => start.checked_add(len).map_or(limit, |e| i64::from(e).min(limit)),
        None => limit,
    };
    let from = i64::from(start.max(1));
    let count = (end - from).max(0) as usize;
    build(ctx, count, |i| v.bit(i + from as usize - 1))
}

fn bitsubstr(ctx: &mut FnContext<'_>, v: &[u8], start: i32, len: i32) -> PgResult<Vec<u8>> {
    part(ctx, v, start, Some(len))
}

fn bitsubstr_no_len(ctx: &mut FnContext<'_>, v: &[u8], start: i32) -> PgResult<Vec<u8>> {
    part(ctx, v, start, None)
}

fn bitoverlay(ctx: &mut FnContext<'_>, v: &[u8], with: &[u8], start: i32, len: i32) -> PgResult<Vec<u8>> {
    if start <= 0 {
        return Err(pg_err!(SUBSTRING_ERROR, "negative substring length not allowed"));
    }
    let rest = start.checked_add(len).ok_or_else(|| out_of_range("integer"))?;
    let head = part(ctx, v, 1, Some(start - 1))?;
    let head = bitcat(ctx, &head, with)?;
    let tail = part(ctx, v, rest, None)?;
    bitcat(ctx, &head, &tail)
}

fn bitoverlay_no_len(ctx: &mut FnContext<'_>, v: &[u8], with: &[u8], start: i32) -> PgResult<Vec<u8>> {
    bitoverlay(ctx, v, with, start, bitlength(with))
}

fn bitposition(ctx: &mut FnContext<'_>, v: &[u8], wanted: &[u8]) -> PgResult<i32> {
    let (v, wanted) = (BitStr::new(v), BitStr::new(wanted));
    if v.len == 0 || wanted.len > v.len {
        return Ok(0);
    }
    let at = |from: usize| (0..wanted.len).all(|i| v.bit(from + i) == wanted.bit(i));
    for from in 0..=v.len - wanted.len {
        // Each place may need a look at all bits.
        if from % 1024 == 0 || wanted.len > BITS_UNCHECKED {
            ctx.cancel.check()?;
        }
        if at(from) {
            return Ok(from as i32 + 1);
        }
    }
    Ok(0)
}

fn index(v: &BitStr<'_>, n: i32) -> PgResult<usize> {
    match usize::try_from(n) {
        Ok(i) if i < v.len => Ok(i),
        _ => Err(pg_err!(
            ARRAY_SUBSCRIPT_ERROR,
            "bit index {n} out of valid range (0..{})",
            v.len as i64 - 1
        )),
    }
}

fn bitgetbit(v: &[u8], n: i32) -> PgResult<i32> {
    let v = BitStr::new(v);
    Ok(i32::from(v.bit(index(&v, n)?)))
}

fn bitsetbit(v: &[u8], n: i32, new: i32) -> PgResult<Vec<u8>> {
    let v = BitStr::new(v);
    let i = index(&v, n)?;
    if !matches!(new, 0 | 1) {
        return Err(pg_err!(INVALID_PARAMETER_VALUE, "new bit must be 0 or 1"));
    }
    let mut bytes = v.bytes.to_vec();
    let mask = 0x80u8 >> (i % 8);
    bytes[i / 8] = bytes[i / 8] & !mask | if new == 1 { mask } else { 0 };
    Ok(pack(v.len, bytes))
}

/// The lowest `typmod` bits of a number, filled with its sign on the left.
fn of_number(ctx: &FnContext<'_>, v: i64, typmod: i32) -> PgResult<Vec<u8>> {
    let len = if typmod <= 0 || typmod as usize > BITS_MAX {
        1
    } else {
        typmod as usize
    };
    build(ctx, len, |i| {
        let place = (len - 1 - i).min(63);
        v >> place & 1 == 1
    })
}

fn bitfromint4(ctx: &mut FnContext<'_>, v: i32, typmod: i32) -> PgResult<Vec<u8>> {
    of_number(ctx, i64::from(v), typmod)
}

fn bitfromint8(ctx: &mut FnContext<'_>, v: i64, typmod: i32) -> PgResult<Vec<u8>> {
    of_number(ctx, v, typmod)
}

#[cold]
fn out_of_range(kind: &str) -> Box<PgError> {
    pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, "{kind} out of range")
}

fn to_number(v: &[u8], max: usize, kind: &str) -> PgResult<u64> {
    let v = BitStr::new(v);
    if v.len > max {
        return Err(out_of_range(kind));
    }
    Ok((0..v.len).fold(0, |n, i| n << 1 | u64::from(v.bit(i))))
}

fn bittoint4(v: &[u8]) -> PgResult<i32> {
    to_number(v, 32, "integer").map(|n| n as u32 as i32)
}

fn bittoint8(v: &[u8]) -> PgResult<i64> {
    to_number(v, 64, "bigint").map(|n| n as i64)
}

/// Cast to `bit(n)`: only explicit ones cut or fill.
fn to_bit(v: &[u8], typmod: i32, explicit: bool) -> PgResult<Vec<u8>> {
    let bits = BitStr::new(v);
    if typmod <= 0 || typmod as usize > BITS_MAX || bits.len == typmod as usize {
        return Ok(v.to_vec());
    }
    if !explicit {
        return Err(wrong_length(bits.len, typmod));
    }
    let len = typmod as usize;
    let keep = bits.bytes.len().min(len.div_ceil(8));
    Ok(pack(len, bits.bytes[..keep].to_vec()))
}

/// Cast to `bit varying(n)`: only explicit ones cut.
fn to_varbit(v: &[u8], typmod: i32, explicit: bool) -> PgResult<Vec<u8>> {
    let bits = BitStr::new(v);
    if typmod <= 0 || bits.len <= typmod as usize {
        return Ok(v.to_vec());
    }
    if !explicit {
        return Err(too_long(typmod));
    }
    let len = typmod as usize;
    Ok(pack(len, bits.bytes[..len.div_ceil(8)].to_vec()))
}

builtins! {
    biteq(a: bit, b: bit) -> bool;
    bitne(a: bit, b: bit) -> bool;
    bitlt(a: bit, b: bit) -> bool;
    bitle(a: bit, b: bit) -> bool;
    bitgt(a: bit, b: bit) -> bool;
    bitge(a: bit, b: bit) -> bool;
    bitcmp(a: bit, b: bit) -> int4;
    bitlength(v: bit) -> int4;
    bitoctetlength(v: bit) -> int4;
    bit_length = bitlength(v: bit) -> int4;
    bit_bit_count(v: bit) -> int8;
    bit_and(a: bit, b: bit) -> bit;
    bit_or(a: bit, b: bit) -> bit;
    bitxor(a: bit, b: bit) -> bit;
    bitnot(v: bit) -> bit;
    bitshiftleft(ctx, v: bit, n: int4) -> bit;
    bitshiftright(ctx, v: bit, n: int4) -> bit;
    bitcat(ctx, a: varbit, b: varbit) -> varbit;
    bitsubstr(ctx, v: bit, start: int4, len: int4) -> bit;
    bitsubstr_no_len(ctx, v: bit, start: int4) -> bit;
    bitoverlay(ctx, v: bit, with: bit, start: int4, len: int4) -> bit;
    bitoverlay_no_len(ctx, v: bit, with: bit, start: int4) -> bit;
    bitposition(ctx, v: bit, wanted: bit) -> int4;
    bitgetbit(v: bit, n: int4) -> int4;
    bitsetbit(v: bit, n: int4, new: int4) -> bit;
    bitfromint4(ctx, v: int4, typmod: int4) -> bit;
    bitfromint8(ctx, v: int8, typmod: int4) -> bit;
    bittoint4(v: bit) -> int4;
    bittoint8(v: bit) -> int8;
    bit = to_bit(v: bit, typmod: int4, explicit: bool) -> bit;
    varbit = to_varbit(v: varbit, typmod: int4, explicit: bool) -> varbit;
}

/// How two bit strings become one.
trait Fold: Send + 'static {
    fn fold(a: &[u8], b: &[u8]) -> PgResult<Vec<u8>>;
}

struct And;
struct Or;
struct Xor;

impl Fold for And {
    fn fold(a: &[u8], b: &[u8]) -> PgResult<Vec<u8>> {
        bit_and(a, b)
    }
}
impl Fold for Or {
    fn fold(a: &[u8], b: &[u8]) -> PgResult<Vec<u8>> {
        bit_or(a, b)
    }
}
impl Fold for Xor {
    fn fold(a: &[u8], b: &[u8]) -> PgResult<Vec<u8>> {
        bitxor(a, b)
    }
}

struct Folded<F> {
    value: Option<Vec<u8>>,
    kind: PhantomData<fn() -> F>,
}

impl<F> Default for Folded<F> {
    fn default() -> Self {
        Folded {
            value: None,
            kind: PhantomData,
        }
    }
}

impl<F: Fold> State for Folded<F> {
    type Phys = phys::Bytes;

    fn add(&mut self, value: &[u8]) -> PgResult<()> {
        self.value = Some(match &self.value {
            Some(old) => F::fold(old, value)?,
            None => value.to_vec(),
        });
        Ok(())
    }

    fn merge(&mut self, other: Self) -> PgResult<()> {
        other.value.map_or(Ok(()), |value| self.add(&value))
    }

    fn result(&mut self) -> PgResult<Datum> {
        Ok(self.value.take().map_or(Datum::Null, |v| Datum::Bytes(v.into())))
    }

    fn heap_bytes(&self) -> usize {
        self.value.as_ref().map_or(0, Vec::len)
    }
}

aggregates! {
    bit_and(bit) -> bit = Groups::<Folded<And>>::make;
    bit_or(bit) -> bit = Groups::<Folded<Or>>::make;
    bit_xor(bit) -> bit = Groups::<Folded<Xor>>::make;
}
