//! Functions of `uuid`.

use common::PgResult;
use types::Interval;
use types::datetime::{UNIX_EPOCH_DAYS, USECS_PER_DAY};

use crate::families::datetime::add_in_zone;
use crate::framework::context::FnContext;
use crate::framework::macros::{builtins, direct};

type Uuid = [u8; 16];

fn uuid_eq(a: Uuid, b: Uuid) -> bool {
    a == b
}

fn uuid_ne(a: Uuid, b: Uuid) -> bool {
    a != b
}

fn uuid_lt(a: Uuid, b: Uuid) -> bool {
    a < b
}

fn uuid_le(a: Uuid, b: Uuid) -> bool {
    a <= b
}

fn uuid_gt(a: Uuid, b: Uuid) -> bool {
    a > b
}

fn uuid_ge(a: Uuid, b: Uuid) -> bool {
    a >= b
}

fn uuid_cmp(a: Uuid, b: Uuid) -> i32 {
    // The difference of the first unequal bytes, as memcmp has it.
    let unequal = a.iter().zip(&b).find(|(x, y)| x != y);
    unequal.map_or(0, |(x, y)| i32::from(*x) - i32::from(*y))
}

/// Marks random bytes as a UUID of a version (RFC 9562, variant 1).
fn stamp(mut bytes: Uuid, version: u8) -> Uuid {
    bytes[6] = (bytes[6] & 0x0f) | version << 4;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    bytes
}

fn gen_random_uuid(ctx: &mut FnContext<'_>) -> PgResult<Uuid> {
    let mut bytes = [0; 16];
    ctx.session.strong_random(&mut bytes)?;
    Ok(stamp(bytes, 4))
}

/// Milliseconds and a twelve-bit fraction of one, then randomness. `ts` is microseconds since 2000.
fn make_v7(ctx: &mut FnContext<'_>, ts: i64) -> PgResult<Uuid> {
    let mut bytes = [0; 16];
    ctx.session.strong_random(&mut bytes[8..])?;
    let unix_micros = ts.wrapping_add(UNIX_EPOCH_DAYS * USECS_PER_DAY);
    let millis = unix_micros.div_euclid(1000) as u64;
    let fraction = (unix_micros.rem_euclid(1000) as u64 * 4096 / 1000) as u16;
    bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
    bytes[6..8].copy_from_slice(&fraction.to_be_bytes());
    Ok(stamp(bytes, 7))
}

fn uuidv7(ctx: &mut FnContext<'_>) -> PgResult<Uuid> {
    let now = ctx.session.clock_timestamp()?;
    make_v7(ctx, now)
}

fn uuidv7_interval(ctx: &mut FnContext<'_>, shift: Interval) -> PgResult<Uuid> {
    let now = ctx.session.clock_timestamp()?;
    let shifted = add_in_zone(&ctx.settings.time_zone, now, shift)?;
    make_v7(ctx, shifted)
}

fn is_rfc(v: &Uuid) -> bool {
    v[8] & 0xc0 == 0x80
}

fn uuid_extract_version(v: Uuid) -> Option<i16> {
    is_rfc(&v).then_some(i16::from(v[6] >> 4))
}

fn uuid_extract_timestamp(v: Uuid) -> Option<i64> {
    if !is_rfc(&v) {
        return None;
    }
    let number = |bytes: &[u8]| bytes.iter().fold(0_i64, |n, b| n << 8 | i64::from(*b));
    let unix_micros = match v[6] >> 4 {
        // Hundreds of nanoseconds since 1582-10-15, low part first.
        1 => {
            let ticks = (number(&v[6..8]) & 0x0fff) << 48 | number(&v[4..6]) << 32 | number(&v[..4]);
            const GREGORIAN_TO_UNIX_DAYS: i64 = 141_427;
            ticks / 10 - GREGORIAN_TO_UNIX_DAYS * USECS_PER_DAY
        }
        7 => number(&v[..6]) * 1000,
        _ => return None,
    };
    Some(unix_micros - UNIX_EPOCH_DAYS * USECS_PER_DAY)
}

direct! {
    uuid_eq(a: uuid, b: uuid) -> bool;
    uuid_ne(a: uuid, b: uuid) -> bool;
    uuid_lt(a: uuid, b: uuid) -> bool;
    uuid_le(a: uuid, b: uuid) -> bool;
    uuid_gt(a: uuid, b: uuid) -> bool;
    uuid_ge(a: uuid, b: uuid) -> bool;
    uuid_cmp(a: uuid, b: uuid) -> int4;
}

builtins! {
    gen_random_uuid(ctx) -> uuid;
    uuidv7(ctx) -> uuid;
    uuidv7_interval(ctx, shift: interval) -> uuid;
    uuid_extract_version(v: uuid) -> int2;
    uuid_extract_timestamp(v: uuid) -> timestamptz;
}
