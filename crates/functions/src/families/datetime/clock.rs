//! What time it is, and waiting.

use std::fmt::Write;

use common::PgResult;
use types::Interval;
use types::datetime::civil::{Civil, day_of_week};
use types::datetime::output::{DAYS, MONTHS};
use types::datetime::{TIMESTAMP_INFINITY, USECS_PER_SEC, timestamp_is_finite, zone};

use crate::families::datetime::arith::add_in_zone;
use crate::framework::context::FnContext;
use crate::framework::macros::builtins;

fn now(ctx: &mut FnContext<'_>) -> PgResult<i64> {
    ctx.session.transaction_timestamp()
}

fn statement_timestamp(ctx: &mut FnContext<'_>) -> PgResult<i64> {
    ctx.session.statement_timestamp()
}

fn clock_timestamp(ctx: &mut FnContext<'_>) -> PgResult<i64> {
    ctx.session.clock_timestamp()
}

fn timeofday(ctx: &mut FnContext<'_>) -> PgResult<String> {
    let ts = ctx.session.clock_timestamp()?;
    let offset = zone::offset_at(&ctx.settings.time_zone, ts);
    let c = Civil::from_timestamp(ts - i64::from(offset.west) * USECS_PER_SEC);
    let mut out = String::new();
    let _ = write!(
        out,
        "{} {} {:02} {:02}:{:02}:{:02}.{:06} {:04} {}",
        &DAYS[day_of_week(c.days()) as usize % 7][..3],
        &MONTHS[(c.month - 1).clamp(0, 11) as usize][..3],
        c.day,
        c.hour,
        c.minute,
        c.second,
        c.micros,
        c.year,
        offset.abbreviation
    );
    Ok(out)
}

fn pg_sleep(ctx: &mut FnContext<'_>, seconds: f64) -> PgResult<()> {
    if seconds.is_nan() || seconds <= 0.0 {
        return Ok(());
    }
    ctx.session.sleep(seconds)
}

/// Sleeps until `ts`; the past returns at once.
fn sleep_until(ctx: &mut FnContext<'_>, ts: i64) -> PgResult<()> {
    let now = ctx.session.clock_timestamp()?;
    let seconds = match ts {
        TIMESTAMP_INFINITY => f64::INFINITY,
        _ if !timestamp_is_finite(ts) => 0.0,
        _ => (ts as f64 - now as f64) / USECS_PER_SEC as f64,
    };
    pg_sleep(ctx, seconds)
}

fn pg_sleep_for(ctx: &mut FnContext<'_>, v: Interval) -> PgResult<()> {
    let now = ctx.session.clock_timestamp()?;
    let until = add_in_zone(&ctx.settings.time_zone, now, v)?;
    sleep_until(ctx, until)
}

builtins! {
    now(ctx) -> timestamptz;
    statement_timestamp(ctx) -> timestamptz;
    clock_timestamp(ctx) -> timestamptz;
    timeofday(ctx) -> text;
    pg_sleep(ctx, seconds: float8) -> void;
    pg_sleep_for(ctx, v: interval) -> void;
    pg_sleep_until = sleep_until(ctx, ts: timestamptz) -> void;
}
