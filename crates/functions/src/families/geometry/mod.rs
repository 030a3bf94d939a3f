//! Functions of the geometric types, with PostgreSQL's tolerance of 10^-6 and its checks for overflow.
//!
//! PG: src/backend/utils/adt/geo_ops.c.
//!
//! # Invariants
//! - Which comparisons are exact and which within [`EPSILON`](types::geo::EPSILON) is PostgreSQL's choice, function by function.
//! - Arithmetic that leaves the range of floats says 22003, not infinity.

mod circle;
mod line;
mod lseg;
mod path;
mod point;
mod polygon;
mod rect;

use common::{PgError, PgResult, pg_err};
use types::geo::{Point, Polygon, Rect, less};

use crate::framework::registry::Builtin;

pub(crate) static LISTS: &[&[Builtin]] = &[
    circle::BUILTINS,
    line::BUILTINS,
    lseg::BUILTINS,
    path::BUILTINS,
    point::BUILTINS,
    polygon::BUILTINS,
    rect::BUILTINS,
];

use types::geo::EPSILON;
pub(crate) use types::geo::{is_zero, near};

pub(crate) fn lt(a: f64, b: f64) -> bool {
    a + EPSILON < b
}

pub(crate) fn le(a: f64, b: f64) -> bool {
    a <= b + EPSILON
}

pub(crate) fn gt(a: f64, b: f64) -> bool {
    a > b + EPSILON
}

pub(crate) fn ge(a: f64, b: f64) -> bool {
    a + EPSILON >= b
}

#[cold]
pub(crate) fn overflow() -> Box<PgError> {
    pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow")
}

#[cold]
fn underflow() -> Box<PgError> {
    pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: underflow")
}

pub(crate) fn add(a: f64, b: f64) -> PgResult<f64> {
    let r = a + b;
    if r.is_infinite() && !a.is_infinite() && !b.is_infinite() {
        return Err(overflow());
    }
    Ok(r)
}

pub(crate) fn sub(a: f64, b: f64) -> PgResult<f64> {
    add(a, -b)
}

pub(crate) fn mul(a: f64, b: f64) -> PgResult<f64> {
    let r = a * b;
    if r.is_infinite() && !a.is_infinite() && !b.is_infinite() {
        return Err(overflow());
    }
    if r == 0.0 && a != 0.0 && b != 0.0 {
        return Err(underflow());
    }
    Ok(r)
}

pub(crate) fn div(a: f64, b: f64) -> PgResult<f64> {
    if b == 0.0 && !a.is_nan() {
        return Err(pg_err!(DIVISION_BY_ZERO, "division by zero"));
    }
    let r = a / b;
    if r.is_infinite() && !a.is_infinite() {
        return Err(overflow());
    }
    if r == 0.0 && a != 0.0 && !b.is_infinite() {
        return Err(underflow());
    }
    Ok(r)
}

/// The length of the diagonal, in PostgreSQL's order of operations.
pub(crate) fn hypot(x: f64, y: f64) -> PgResult<f64> {
    if x.is_infinite() || y.is_infinite() {
        return Ok(f64::INFINITY);
    }
    if x.is_nan() || y.is_nan() {
        return Ok(f64::NAN);
    }
    let (x, y) = (x.abs(), y.abs());
    let (x, y) = if x < y { (y, x) } else { (x, y) };
    if y == 0.0 {
        return Ok(x);
    }
    let ratio = y / x;
    let r = x * (1.0 + ratio * ratio).sqrt();
    if r.is_infinite() {
        return Err(overflow());
    }
    if r == 0.0 {
        return Err(underflow());
    }
    Ok(r)
}

pub(crate) fn min(a: f64, b: f64) -> f64 {
    if less(a, b) { a } else { b }
}

pub(crate) fn max(a: f64, b: f64) -> f64 {
    if less(b, a) { a } else { b }
}

/// The distance of two points.
pub(crate) fn distance(a: &Point, b: &Point) -> PgResult<f64> {
    hypot(sub(a.x, b.x)?, sub(a.y, b.y)?)
}

/// The smallest rectangle round some points.
pub(crate) fn bounds(points: &[Point]) -> Rect {
    let first = points.first().copied().unwrap_or_default();
    let mut out = Rect {
        high: first,
        low: first,
    };
    for p in points.iter().skip(1) {
        out.low = Point {
            x: if less(p.x, out.low.x) { p.x } else { out.low.x },
            y: if less(p.y, out.low.y) { p.y } else { out.low.y },
        };
        out.high = Point {
            x: if less(out.high.x, p.x) { p.x } else { out.high.x },
            y: if less(out.high.y, p.y) { p.y } else { out.high.y },
        };
    }
    out
}

/// Where a point lies relative to a polygon.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Outside,
    Inside,
    Border,
}

/// How an edge crosses the positive x axis (twice the direction, once for touching); `None`: it runs through the origin.
fn crossing(x: f64, y: f64, prev_x: f64, prev_y: f64) -> PgResult<Option<i32>> {
    if is_zero(y) {
        return Ok(if is_zero(x) {
            None
        } else if gt(x, 0.0) {
            if is_zero(prev_y) {
                gt(prev_x, 0.0).then_some(0)
            } else {
                Some(if lt(prev_y, 0.0) { 1 } else { -1 })
            }
        } else if is_zero(prev_y) {
            lt(prev_x, 0.0).then_some(0)
        } else {
            Some(0)
        });
    }
    let sign = if gt(y, 0.0) { 1 } else { -1 };
    if is_zero(prev_y) {
        return Ok(Some(if lt(prev_x, 0.0) { 0 } else { sign }));
    }
    if sign < 0 && lt(prev_y, 0.0) || sign > 0 && gt(prev_y, 0.0) {
        return Ok(Some(0));
    }
    if ge(x, 0.0) && gt(prev_x, 0.0) {
        return Ok(Some(2 * sign));
    }
    if lt(x, 0.0) && le(prev_x, 0.0) {
        return Ok(Some(0));
    }
    let z = sub(mul(sub(x, prev_x)?, y)?, mul(sub(y, prev_y)?, x)?)?;
    Ok(if is_zero(z) {
        None
    } else if sign < 0 && lt(z, 0.0) || sign > 0 && gt(z, 0.0) {
        Some(0)
    } else {
        Some(2 * sign)
    })
}

/// On which side of a polygon's border a point lies.
pub(crate) fn side(p: &Point, points: &[Point]) -> PgResult<Side> {
    let Some((first, rest)) = points.split_first() else {
        return Ok(Side::Outside);
    };
    let relative = |q: &Point| -> PgResult<(f64, f64)> { Ok((sub(q.x, p.x)?, sub(q.y, p.y)?)) };
    let (x0, y0) = relative(first)?;
    let (mut prev_x, mut prev_y) = (x0, y0);
    let mut total = 0;
    for q in rest.iter().chain([first]) {
        let (x, y) = relative(q)?;
        match crossing(x, y, prev_x, prev_y)? {
            Some(n) => total += n,
            None => return Ok(Side::Border),
        }
        (prev_x, prev_y) = (x, y);
    }
    Ok(if total == 0 { Side::Outside } else { Side::Inside })
}

/// Inside or on the border.
pub(crate) fn covers(polygon: &Polygon, p: &Point) -> PgResult<bool> {
    Ok(side(p, &polygon.points)? != Side::Outside)
}

/// The edges of a list of points, the closing one first if there is one.
pub(crate) fn edges(points: &[Point], closed: bool) -> impl Iterator<Item = types::geo::Lseg> {
    let closing = match (points.last(), points.first()) {
        (Some(last), Some(first)) if closed => Some([*last, *first]),
        _ => None,
    };
    closing
        .into_iter()
        .chain(points.windows(2).map(|w| [w[0], w[1]]))
        .map(|p| types::geo::Lseg { p })
}
