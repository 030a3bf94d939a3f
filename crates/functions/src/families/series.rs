//! `generate_series` over numbers.

use common::{PgResult, pg_err};
use types::{Datum, Numeric, PhysType, numeric};

use crate::framework::context::FnContext;
use crate::framework::macros::set_functions;
use crate::framework::set::{ScalarRows, SetRows};

/// The numbers from `start` to `stop` by `step`, ending quietly where the type ends.
fn steps(args: &[Datum], range: (i64, i64)) -> PgResult<impl Iterator<Item = i64> + Send + use<>> {
    let number = |k: usize| args.get(k).and_then(Datum::as_i64);
    let (start, stop) = (number(0).unwrap_or(1), number(1).unwrap_or(0));
    let step = number(2).unwrap_or(1);
    if step == 0 {
        return Err(pg_err!(INVALID_PARAMETER_VALUE, "step size cannot equal zero"));
    }
    let mut next = Some(start);
    Ok(std::iter::from_fn(move || {
        let value = next.filter(|&v| if step > 0 { v <= stop } else { v >= stop })?;
        next = value
            .checked_add(step)
            .filter(|v| (range.0..=range.1).contains(v));
        Some(value)
    }))
}

fn series_int4(_: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    let values = steps(args, (i64::from(i32::MIN), i64::from(i32::MAX)))?;
    Ok(Box::new(ScalarRows {
        phys: PhysType::Int4,
        iter: values.map(|v| Ok(Datum::Int4(v as i32))),
    }))
}

fn series_int8(_: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    let values = steps(args, (i64::MIN, i64::MAX))?;
    Ok(Box::new(ScalarRows {
        phys: PhysType::Int8,
        iter: values.map(|v| Ok(Datum::Int8(v))),
    }))
}

/// `generate_series` over `numeric`.
fn series_numeric(_: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    let bound = |k: usize, name: &str| match args.get(k) {
        Some(Datum::Numeric(v)) if v.is_finite() => Ok(v.clone()),
        Some(Datum::Numeric(v)) => {
            let what = if matches!(v, Numeric::NaN) {
                "NaN"
            } else {
                "infinity"
            };
            Err(pg_err!(INVALID_PARAMETER_VALUE, "{name} cannot be {what}"))
        }
        _ => Ok(Numeric::Small {
            unscaled: 1,
            scale: 0,
        }),
    };
    let (start, stop, step) = (
        bound(0, "start value")?,
        bound(1, "stop value")?,
        bound(2, "step size")?,
    );
    if step.is_zero() {
        return Err(pg_err!(INVALID_PARAMETER_VALUE, "step size cannot equal zero"));
    }
    let up = step.signum() > 0;
    let mut next = Some(Ok(start));
    Ok(Box::new(ScalarRows {
        phys: PhysType::Numeric,
        iter: std::iter::from_fn(move || {
            let value: Numeric = match next.take()? {
                Ok(value) => value,
                Err(e) => return Some(Err(e)),
            };
            let order = value.compare(&stop);
            if if up { order.is_gt() } else { order.is_lt() } {
                return None;
            }
            next = Some(numeric::add(&value, &step));
            Some(Ok(Datum::Numeric(value)))
        }),
    }))
}

set_functions! {
    generate_series_numeric(numeric, numeric) -> numeric = series_numeric;
    generate_series_step_numeric(numeric, numeric, numeric) -> numeric = series_numeric;
    generate_series_int4(int4, int4) -> int4 = series_int4;
    generate_series_step_int4(int4, int4, int4) -> int4 = series_int4;
    generate_series_int8(int8, int8) -> int8 = series_int8;
    generate_series_step_int8(int8, int8, int8) -> int8 = series_int8;
}
