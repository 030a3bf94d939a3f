//! Functions of `pg_lsn` and of transaction snapshots.

use common::{PgError, PgResult, pg_err};
use types::io_system::Snapshot;
use types::numeric::Rounding;
use types::{Datum, Numeric, PhysType, numeric};

use crate::framework::context::FnContext;
use crate::framework::macros::{builtins, direct, set_functions};
use crate::framework::set::{ScalarRows, SetRows};

fn pg_lsn_eq(a: i64, b: i64) -> bool {
    a == b
}

fn pg_lsn_ne(a: i64, b: i64) -> bool {
    a != b
}

fn pg_lsn_lt(a: i64, b: i64) -> bool {
    (a as u64) < b as u64
}

fn pg_lsn_le(a: i64, b: i64) -> bool {
    a as u64 <= b as u64
}

fn pg_lsn_gt(a: i64, b: i64) -> bool {
    a as u64 > b as u64
}

fn pg_lsn_ge(a: i64, b: i64) -> bool {
    a as u64 >= b as u64
}

fn pg_lsn_cmp(a: i64, b: i64) -> i32 {
    (a as u64).cmp(&(b as u64)) as i32
}

fn pg_lsn_larger(a: i64, b: i64) -> i64 {
    (a as u64).max(b as u64) as i64
}

fn pg_lsn_smaller(a: i64, b: i64) -> i64 {
    (a as u64).min(b as u64) as i64
}

fn number(lsn: i64) -> Numeric {
    Numeric::from_i128(i128::from(lsn as u64), 0)
}

fn pg_lsn_mi(a: i64, b: i64) -> Numeric {
    Numeric::from_i128(i128::from(a as u64) - i128::from(b as u64), 0)
}

#[cold]
fn no_nan(what: &str) -> Box<PgError> {
    pg_err!(FEATURE_NOT_SUPPORTED, "cannot {what}")
}

fn numeric_pg_lsn(v: &Numeric) -> PgResult<i64> {
    match v {
        Numeric::NaN => return Err(no_nan("convert NaN to pg_lsn")),
        Numeric::PosInf | Numeric::NegInf => return Err(no_nan("convert infinity to pg_lsn")),
        _ => {}
    }
    let out_of_range = || pg_err!(INVALID_PARAMETER_VALUE, "pg_lsn out of range");
    let whole = v.round_to(0, Rounding::HalfAway)?;
    whole
        .to_string()
        .parse::<u64>()
        .map(|v| v as i64)
        .map_err(|_| out_of_range())
}

fn pg_lsn_pli(lsn: i64, bytes: &Numeric) -> PgResult<i64> {
    if matches!(bytes, Numeric::NaN) {
        return Err(no_nan("add NaN to pg_lsn"));
    }
    numeric_pg_lsn(&numeric::add(&number(lsn), bytes)?)
}

fn numeric_pl_pg_lsn(bytes: &Numeric, lsn: i64) -> PgResult<i64> {
    pg_lsn_pli(lsn, bytes)
}

fn pg_lsn_mii(lsn: i64, bytes: &Numeric) -> PgResult<i64> {
    if matches!(bytes, Numeric::NaN) {
        return Err(no_nan("subtract NaN from pg_lsn"));
    }
    numeric_pg_lsn(&numeric::sub(&number(lsn), bytes)?)
}

fn pg_snapshot_xmin(v: &[u8]) -> i64 {
    Snapshot::new(v).xmin as i64
}

fn pg_snapshot_xmax(v: &[u8]) -> i64 {
    Snapshot::new(v).xmax as i64
}

fn pg_visible_in_snapshot(xid: i64, v: &[u8]) -> bool {
    Snapshot::new(v).sees(xid as u64)
}

fn pg_snapshot_xip(_: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    let running = match args {
        [Datum::Bytes(v)] => Snapshot::new(v).running,
        _ => Vec::new(),
    };
    Ok(Box::new(ScalarRows {
        phys: PhysType::Int8,
        iter: running.into_iter().map(|v| Ok(Datum::Int8(v as i64))),
    }))
}

fn pg_current_snapshot(ctx: &mut FnContext<'_>, _: &[Datum]) -> PgResult<Datum> {
    ctx.session.call("pg_current_snapshot", &[])
}

fn pg_export_snapshot(ctx: &mut FnContext<'_>, _: &[Datum]) -> PgResult<Datum> {
    ctx.session.call("pg_export_snapshot", &[])
}

fn pg_current_wal_lsn(ctx: &mut FnContext<'_>, _: &[Datum]) -> PgResult<Datum> {
    ctx.session.call("pg_current_wal_lsn", &[])
}

fn pg_current_wal_insert_lsn(ctx: &mut FnContext<'_>, _: &[Datum]) -> PgResult<Datum> {
    ctx.session.call("pg_current_wal_insert_lsn", &[])
}

fn pg_current_wal_flush_lsn(ctx: &mut FnContext<'_>, _: &[Datum]) -> PgResult<Datum> {
    ctx.session.call("pg_current_wal_flush_lsn", &[])
}

fn pg_xact_status(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    ctx.session.call("pg_xact_status", args)
}

direct! {
    pg_lsn_eq(a: pg_lsn, b: pg_lsn) -> bool;
    pg_lsn_ne(a: pg_lsn, b: pg_lsn) -> bool;
    pg_lsn_lt(a: pg_lsn, b: pg_lsn) -> bool;
    pg_lsn_le(a: pg_lsn, b: pg_lsn) -> bool;
    pg_lsn_gt(a: pg_lsn, b: pg_lsn) -> bool;
    pg_lsn_ge(a: pg_lsn, b: pg_lsn) -> bool;
    pg_lsn_cmp(a: pg_lsn, b: pg_lsn) -> int4;
    pg_lsn_larger(a: pg_lsn, b: pg_lsn) -> pg_lsn;
    pg_lsn_smaller(a: pg_lsn, b: pg_lsn) -> pg_lsn;
}

builtins! {
    pg_lsn_mi(a: pg_lsn, b: pg_lsn) -> numeric;
    pg_wal_lsn_diff = pg_lsn_mi(a: pg_lsn, b: pg_lsn) -> numeric;
    numeric_pg_lsn(v: numeric) -> pg_lsn;
    pg_lsn_pli(lsn: pg_lsn, bytes: numeric) -> pg_lsn;
    numeric_pl_pg_lsn(bytes: numeric, lsn: pg_lsn) -> pg_lsn;
    pg_lsn_mii(lsn: pg_lsn, bytes: numeric) -> pg_lsn;
    pg_snapshot_xmin(v: pg_snapshot) -> xid8;
    pg_snapshot_xmax(v: pg_snapshot) -> xid8;
    pg_visible_in_snapshot(xid: xid8, v: pg_snapshot) -> bool;
    pg_current_snapshot[general]() -> pg_snapshot;
    pg_export_snapshot[general]() -> text;
    pg_current_wal_lsn[general]() -> pg_lsn;
    pg_current_wal_insert_lsn[general]() -> pg_lsn;
    pg_current_wal_flush_lsn[general]() -> pg_lsn;
    pg_xact_status[general strict](xid8) -> text;
}

set_functions! {
    pg_snapshot_xip(pg_snapshot) -> xid8 = pg_snapshot_xip;
}
