//! The hash functions of hash partitioning: PostgreSQL's 64-bit extended hashes of the common types, so that rows land in the
//! partitions where PostgreSQL would put them.
//!
//! The mixing is Bob Jenkins' lookup3 (public domain) with a 64-bit seed.

use common::{Oid, PgResult, unsupported};
use types::{Datum, oids as t};

/// The seed that PostgreSQL uses for partitioning.
const SEED: u64 = 0x7A5B_2236_7996_DCFD;

struct State {
    a: u32,
    b: u32,
    c: u32,
}

impl State {
    fn new(len: usize, seed: u64) -> State {
        let start = 0x9e37_79b9_u32.wrapping_add(len as u32).wrapping_add(3_923_095);
        let mut s = State {
            a: start,
            b: start,
            c: start,
        };
        if seed != 0 {
            s.a = s.a.wrapping_add((seed >> 32) as u32);
            s.b = s.b.wrapping_add(seed as u32);
            s.mix();
        }
        s
    }

    fn mix(&mut self) {
        let State { a, b, c } = self;
        let step = |x: &mut u32, y: &mut u32, z: u32, r: u32| {
            *x = x.wrapping_sub(*y) ^ y.rotate_left(r);
            *y = y.wrapping_add(z);
        };
        step(a, c, *b, 4);
        step(b, a, *c, 6);
        step(c, b, *a, 8);
        step(a, c, *b, 16);
        step(b, a, *c, 19);
        step(c, b, *a, 4);
    }

    fn finish(mut self) -> u64 {
        let State { a, b, c } = &mut self;
        let step = |x: &mut u32, y: u32, r: u32| *x = (*x ^ y).wrapping_sub(y.rotate_left(r));
        step(c, *b, 14);
        step(a, *c, 11);
        step(b, *a, 25);
        step(c, *b, 16);
        step(a, *c, 4);
        step(b, *a, 14);
        step(c, *b, 24);
        (u64::from(*b) << 32) | u64::from(*c)
    }
}

fn hash_u32(value: u32, seed: u64) -> u64 {
    let mut s = State::new(4, seed);
    s.a = s.a.wrapping_add(value);
    s.finish()
}

fn hash_bytes(bytes: &[u8], seed: u64) -> u64 {
    let mut s = State::new(bytes.len(), seed);
    let word = |b: &[u8]| b.iter().rev().fold(0u32, |n, x| (n << 8) | u32::from(*x));
    let mut chunks = bytes.chunks_exact(12);
    for chunk in &mut chunks {
        s.a = s.a.wrapping_add(word(&chunk[0..4]));
        s.b = s.b.wrapping_add(word(&chunk[4..8]));
        s.c = s.c.wrapping_add(word(&chunk[8..12]));
        s.mix();
    }
    let rest = chunks.remainder();
    let part = |from: usize, to: usize| word(&rest[from.min(rest.len())..to.min(rest.len())]);
    s.a = s.a.wrapping_add(part(0, 4));
    s.b = s.b.wrapping_add(part(4, 8));
    // The lowest byte is the length's.
    s.c = s.c.wrapping_add(part(8, 12) << 8);
    s.finish()
}

fn hash_i64(value: i64, seed: u64) -> u64 {
    let (low, high) = (value as u32, (value >> 32) as u32);
    hash_u32(low ^ if value >= 0 { high } else { !high }, seed)
}

fn hash_float(value: f64, seed: u64) -> u64 {
    if value == 0.0 {
        return seed;
    }
    let value = if value.is_nan() { f64::NAN } else { value };
    hash_bytes(&value.to_bits().to_le_bytes(), seed)
}

/// The hash of a key value that is not NULL.
fn hash_value(type_oid: Oid, value: &Datum) -> PgResult<u64> {
    Ok(match value {
        Datum::Bool(v) => hash_u32(u32::from(*v), SEED),
        Datum::Char(v) => hash_u32(i32::from(*v as i8) as u32, SEED),
        Datum::Int2(v) => hash_u32(i32::from(*v) as u32, SEED),
        Datum::Int4(v) => hash_u32(*v as u32, SEED),
        Datum::Oid(v) => hash_u32(*v, SEED),
        Datum::Int8(v) => hash_i64(*v, SEED),
        Datum::Float4(v) => hash_float(f64::from(*v), SEED),
        Datum::Float8(v) => hash_float(*v, SEED),
        Datum::Uuid(v) => hash_bytes(v, SEED),
        Datum::Bytes(v) => hash_bytes(v, SEED),
        Datum::Text(v) if type_oid == t::BPCHAR => hash_bytes(v.trim_end_matches(' ').as_bytes(), SEED),
        Datum::Text(v) => hash_bytes(v.as_bytes(), SEED),
        _ => {
            return Err(unsupported!(
                "hash partitioning by type {type_oid} is not supported yet"
            ));
        }
    })
}

/// The hash of a partition key; NULLs count for nothing.
pub fn hash_key(values: &[(Oid, &Datum)]) -> PgResult<u64> {
    let mut hash = 0u64;
    for (type_oid, value) in values {
        if value.is_null() {
            continue;
        }
        let own = hash_value(*type_oid, value)?;
        hash ^= own
            .wrapping_add(0x49a0_f4dd_15e5_a8e3)
            .wrapping_add(hash << 54)
            .wrapping_add(hash >> 7);
    }
    Ok(hash)
}
