//! Functions of `line`.

use common::{PgResult, pg_err};
use types::compare::compare_f64;
use types::geo::{Line, Lseg, Point, Rect};

use super::{add, distance, div, hypot, is_zero, lseg, mul, near, point, sub};
use crate::framework::macros::builtins;

/// The line through a point with a slope.
pub(super) fn through(p: &Point, slope: f64) -> PgResult<Line> {
    if slope.is_infinite() || slope == 0.0 {
        return Ok(types::io_geo::line_through(*p, slope));
    }
    let c = sub(p.y, mul(slope, p.x)?)?;
    Ok(Line {
        a: slope,
        b: -1.0,
        c: if c == 0.0 { 0.0 } else { c },
    })
}

pub(super) fn slope(l: &Line) -> PgResult<f64> {
    if is_zero(l.a) {
        Ok(0.0)
    } else if is_zero(l.b) {
        Ok(f64::INFINITY)
    } else {
        div(l.a, -l.b)
    }
}

/// The slope of lines perpendicular to this one.
fn inverse_slope(l: &Line) -> PgResult<f64> {
    if is_zero(l.a) {
        Ok(f64::INFINITY)
    } else if is_zero(l.b) {
        Ok(0.0)
    } else {
        div(l.b, l.a)
    }
}

pub(super) fn contains_point(l: &Line, p: &Point) -> PgResult<bool> {
    Ok(is_zero(add(add(mul(l.a, p.x)?, mul(l.b, p.y)?)?, l.c)?))
}

/// Where two lines cross; `None` for parallel ones.
pub(super) fn crossing(l1: &Line, l2: &Line) -> PgResult<Option<Point>> {
    let (base, other) = if !is_zero(l1.b) {
        (l1, l2)
    } else if !is_zero(l2.b) {
        (l2, l1)
    } else {
        return Ok(None);
    };
    if near(other.a, mul(base.a, div(other.b, base.b)?)?) {
        return Ok(None);
    }
    let x = div(
        sub(mul(base.b, other.c)?, mul(other.b, base.c)?)?,
        sub(mul(base.a, other.b)?, mul(other.a, base.b)?)?,
    )?;
    let y = div(-add(mul(base.a, x)?, base.c)?, base.b)?;
    let positive_zero = |v: f64| if v == 0.0 { 0.0 } else { v };
    Ok(Some(Point {
        x: positive_zero(x),
        y: positive_zero(y),
    }))
}

/// The point of a line nearest to another point, and their distance (NaN when there is none).
pub(super) fn closest(l: &Line, p: &Point) -> PgResult<(Point, f64)> {
    let perpendicular = through(p, inverse_slope(l)?)?;
    match crossing(&perpendicular, l)? {
        Some(q) => Ok((q, distance(&q, p)?)),
        None => Ok((*p, f64::NAN)),
    }
}

fn line_construct_pp(a: Point, b: Point) -> PgResult<Line> {
    if a.near(&b) {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "invalid line specification: must be two distinct points"
        ));
    }
    through(&a, point::checked_slope(&a, &b)?)
}

fn line_intersect(a: Line, b: Line) -> PgResult<bool> {
    Ok(crossing(&a, &b)?.is_some())
}

fn line_parallel(a: Line, b: Line) -> PgResult<bool> {
    Ok(crossing(&a, &b)?.is_none())
}

fn line_interpt(a: Line, b: Line) -> PgResult<Option<Point>> {
    crossing(&a, &b)
}

fn line_perp(a: Line, b: Line) -> PgResult<bool> {
    Ok(if is_zero(a.a) {
        is_zero(b.b)
    } else if is_zero(b.a) {
        is_zero(a.b)
    } else if is_zero(a.b) {
        is_zero(b.a)
    } else if is_zero(b.b) {
        is_zero(a.a)
    } else {
        near(div(mul(a.a, b.a)?, mul(a.b, b.b)?)?, -1.0)
    })
}

fn line_vertical(l: Line) -> bool {
    is_zero(l.b)
}

fn line_horizontal(l: Line) -> bool {
    is_zero(l.a)
}

/// Proportional parameters make the same line.
fn line_eq(a: Line, b: Line) -> PgResult<bool> {
    if [a.a, a.b, a.c, b.a, b.b, b.c].iter().any(|v| v.is_nan()) {
        let same = |x: f64, y: f64| compare_f64(x, y).is_eq();
        return Ok(same(a.a, b.a) && same(a.b, b.b) && same(a.c, b.c));
    }
    let ratio = if !is_zero(b.a) {
        div(a.a, b.a)?
    } else if !is_zero(b.b) {
        div(a.b, b.b)?
    } else if !is_zero(b.c) {
        div(a.c, b.c)?
    } else {
        1.0
    };
    Ok(near(a.a, mul(ratio, b.a)?) && near(a.b, mul(ratio, b.b)?) && near(a.c, mul(ratio, b.c)?))
}

fn line_distance(a: Line, b: Line) -> PgResult<f64> {
    if crossing(&a, &b)?.is_some() {
        return Ok(0.0);
    }
    let usable = |v: f64| !is_zero(v) && !v.is_nan();
    let ratio = if usable(a.a) && usable(b.a) {
        div(a.a, b.a)?
    } else if usable(a.b) && usable(b.b) {
        div(a.b, b.b)?
    } else {
        1.0
    };
    div(sub(a.c, mul(ratio, b.c)?)?.abs(), hypot(a.a, a.b)?)
}

fn dist_ls(l: Line, s: Lseg) -> PgResult<f64> {
    Ok(lseg::closest_to_line(&s, &l)?.1)
}

fn dist_sl(s: Lseg, l: Line) -> PgResult<f64> {
    dist_ls(l, s)
}

fn close_ls(l: Line, s: Lseg) -> PgResult<Option<Point>> {
    if lseg::slope(&s)? == slope(&l)? {
        return Ok(None);
    }
    lseg::closest_to_line(&s, &l).map(point::found)
}

fn inter_sl(s: Lseg, l: Line) -> PgResult<bool> {
    Ok(lseg::crosses_line(&s, &l)?.is_some())
}

fn on_sl(s: Lseg, l: Line) -> PgResult<bool> {
    Ok(contains_point(&l, &s.p[0])? && contains_point(&l, &s.p[1])?)
}

fn inter_lb(l: Line, b: Rect) -> PgResult<bool> {
    for side in super::rect::sides(&b) {
        if lseg::crosses_line(&side, &l)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

builtins! {
    line_construct_pp(a: point, b: point) -> line;
    line_intersect(a: line, b: line) -> bool;
    line_parallel(a: line, b: line) -> bool;
    line_interpt(a: line, b: line) -> point;
    line_perp(a: line, b: line) -> bool;
    line_vertical(l: line) -> bool;
    line_horizontal(l: line) -> bool;
    line_eq(a: line, b: line) -> bool;
    line_distance(a: line, b: line) -> float8;
    dist_ls(l: line, s: lseg) -> float8;
    dist_sl(s: lseg, l: line) -> float8;
    close_ls(l: line, s: lseg) -> point;
    inter_sl(s: lseg, l: line) -> bool;
    on_sl(s: lseg, l: line) -> bool;
    inter_lb(l: line, b: rect) -> bool;
}
