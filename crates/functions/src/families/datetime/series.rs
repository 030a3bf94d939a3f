//! `generate_series` over timestamps.

use common::{PgResult, pg_err};
use types::{Datum, Interval, PhysType};

use crate::families::datetime::arith::{add_in_zone, timestamp_pl_interval, zone_argument};
use crate::framework::context::FnContext;
use crate::framework::macros::set_functions;
use crate::framework::set::{ScalarRows, SetRows};

type Add = Box<dyn Fn(i64, Interval) -> PgResult<i64> + Send>;

fn series(args: &[Datum], add: Add) -> PgResult<Box<dyn SetRows>> {
    let point = |k: usize| args.get(k).and_then(Datum::as_i64).unwrap_or_default();
    let (start, stop) = (point(0), point(1));
    let step = match args.get(2) {
        Some(Datum::Interval(v)) => *v,
        _ => Interval::default(),
    };
    let sign = step.span().signum();
    if sign == 0 {
        return Err(pg_err!(INVALID_PARAMETER_VALUE, "step size cannot equal zero"));
    }
    if !step.is_finite() {
        return Err(pg_err!(INVALID_PARAMETER_VALUE, "step size cannot be infinite"));
    }
    let mut next = Some(Ok(start));
    let iter = std::iter::from_fn(move || {
        let value = match next.take()? {
            Ok(value) => value,
            Err(e) => return Some(Err(e)),
        };
        if (sign > 0 && value > stop) || (sign < 0 && value < stop) {
            return None;
        }
        next = Some(add(value, step));
        Some(Ok(Datum::Int8(value)))
    });
    Ok(Box::new(ScalarRows {
        phys: PhysType::Int8,
        iter,
    }))
}

fn series_timestamp(_: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    series(args, Box::new(timestamp_pl_interval))
}

fn series_timestamptz(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    let zone = match args.get(3).and_then(Datum::as_str) {
        Some(name) => zone_argument(ctx, name)?,
        None => ctx.settings.time_zone.clone(),
    };
    series(args, Box::new(move |ts, v| add_in_zone(&zone, ts, v)))
}

set_functions! {
    generate_series_timestamp(timestamp, timestamp, interval) -> timestamp = series_timestamp;
    generate_series_timestamptz(timestamptz, timestamptz, interval) -> timestamptz = series_timestamptz;
    generate_series_timestamptz_at_zone(timestamptz, timestamptz, interval, text) -> timestamptz = series_timestamptz;
}
