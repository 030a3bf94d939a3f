//! Functions of `lseg`.

use common::PgResult;
use types::geo::{Line, Lseg, Point, Rect, less};

use super::{add, distance, div, ge, gt, le, line, lt, near, point, rect, sub};
use crate::framework::macros::builtins;

pub(super) fn slope(s: &Lseg) -> PgResult<f64> {
    point::checked_slope(&s.p[0], &s.p[1])
}

/// The slope of lines perpendicular to this one.
fn inverse_slope(s: &Lseg) -> PgResult<f64> {
    let [p, q] = &s.p;
    if near(p.x, q.x) {
        Ok(0.0)
    } else if near(p.y, q.y) {
        Ok(f64::INFINITY)
    } else {
        div(sub(p.x, q.x)?, sub(q.y, p.y)?)
    }
}

fn length(s: &Lseg) -> PgResult<f64> {
    distance(&s.p[0], &s.p[1])
}

pub(super) fn contains_point(s: &Lseg, p: &Point) -> PgResult<bool> {
    // The sum may be infinite: then the point is far off.
    let sum = distance(p, &s.p[0])? + distance(p, &s.p[1])?;
    Ok(near(sum, length(s)?))
}

/// Where a segment and a line meet.
pub(super) fn crosses_line(s: &Lseg, l: &Line) -> PgResult<Option<Point>> {
    let own = line::through(&s.p[0], slope(s)?)?;
    let Some(found) = line::crossing(&own, l)? else {
        return Ok(None);
    };
    if !contains_point(s, &found)? {
        return Ok(None);
    }
    // Ends are given back exactly.
    Ok(Some(*s.p.iter().find(|p| p.near(&found)).unwrap_or(&found)))
}

/// Where two segments meet.
pub(super) fn crosses(a: &Lseg, b: &Lseg) -> PgResult<Option<Point>> {
    let other = line::through(&b.p[0], slope(b)?)?;
    match crosses_line(a, &other)? {
        Some(p) if contains_point(b, &p)? => Ok(Some(p)),
        _ => Ok(None),
    }
}

/// The point of a segment nearest to a line, and their distance.
pub(super) fn closest_to_line(s: &Lseg, l: &Line) -> PgResult<(Point, f64)> {
    if let Some(p) = crosses_line(s, l)? {
        return Ok((p, 0.0));
    }
    let first = line::closest(l, &s.p[0])?.1;
    let second = line::closest(l, &s.p[1])?.1;
    Ok(if first < second {
        (s.p[0], first)
    } else {
        (s.p[1], second)
    })
}

/// The point of a segment nearest to another point, and their distance.
pub(super) fn closest(s: &Lseg, p: &Point) -> PgResult<(Point, f64)> {
    let perpendicular = line::through(p, inverse_slope(s)?)?;
    let (found, _) = closest_to_line(s, &perpendicular)?;
    Ok((found, distance(&found, p)?))
}

/// The point of a segment nearest to another segment, and their distance.
pub(super) fn closest_to_lseg(on: &Lseg, to: &Lseg) -> PgResult<(Point, f64)> {
    if let Some(p) = crosses(on, to)? {
        return Ok((p, 0.0));
    }
    let mut best = closest(on, &to.p[0])?;
    let second = closest(on, &to.p[1])?;
    if less(second.1, best.1) {
        best = second;
    }
    for end in on.p {
        let d = closest(to, &end)?.1;
        if less(d, best.1) {
            best = (end, d);
        }
    }
    Ok(best)
}

fn lseg_construct(a: Point, b: Point) -> Lseg {
    Lseg { p: [a, b] }
}

fn lseg_parallel(a: Lseg, b: Lseg) -> PgResult<bool> {
    Ok(near(slope(&a)?, slope(&b)?))
}

fn lseg_perp(a: Lseg, b: Lseg) -> PgResult<bool> {
    Ok(near(slope(&a)?, inverse_slope(&b)?))
}

fn lseg_vertical(s: Lseg) -> bool {
    near(s.p[0].x, s.p[1].x)
}

fn lseg_horizontal(s: Lseg) -> bool {
    near(s.p[0].y, s.p[1].y)
}

fn lseg_eq(a: Lseg, b: Lseg) -> bool {
    a.p[0].near(&b.p[0]) && a.p[1].near(&b.p[1])
}

fn lseg_ne(a: Lseg, b: Lseg) -> bool {
    !lseg_eq(a, b)
}

fn lseg_lt(a: Lseg, b: Lseg) -> PgResult<bool> {
    Ok(lt(length(&a)?, length(&b)?))
}

fn lseg_le(a: Lseg, b: Lseg) -> PgResult<bool> {
    Ok(le(length(&a)?, length(&b)?))
}

fn lseg_gt(a: Lseg, b: Lseg) -> PgResult<bool> {
    Ok(gt(length(&a)?, length(&b)?))
}

fn lseg_ge(a: Lseg, b: Lseg) -> PgResult<bool> {
    Ok(ge(length(&a)?, length(&b)?))
}

fn lseg_length(s: Lseg) -> PgResult<f64> {
    length(&s)
}

fn lseg_center(s: Lseg) -> PgResult<Point> {
    Ok(Point {
        x: div(add(s.p[0].x, s.p[1].x)?, 2.0)?,
        y: div(add(s.p[0].y, s.p[1].y)?, 2.0)?,
    })
}

fn lseg_distance(a: Lseg, b: Lseg) -> PgResult<f64> {
    Ok(closest_to_lseg(&a, &b)?.1)
}

fn lseg_intersect(a: Lseg, b: Lseg) -> PgResult<bool> {
    Ok(crosses(&a, &b)?.is_some())
}

fn lseg_interpt(a: Lseg, b: Lseg) -> PgResult<Option<Point>> {
    crosses(&a, &b)
}

fn close_lseg(a: Lseg, b: Lseg) -> PgResult<Option<Point>> {
    if slope(&a)? == slope(&b)? {
        return Ok(None);
    }
    closest_to_lseg(&b, &a).map(point::found)
}

fn dist_sb(s: Lseg, b: Rect) -> PgResult<f64> {
    Ok(rect::closest_to_lseg(&b, &s)?.1)
}

fn dist_bs(b: Rect, s: Lseg) -> PgResult<f64> {
    dist_sb(s, b)
}

fn close_sb(s: Lseg, b: Rect) -> PgResult<Option<Point>> {
    rect::closest_to_lseg(&b, &s).map(point::found)
}

fn inter_sb(s: Lseg, b: Rect) -> PgResult<bool> {
    Ok(rect::crosses_lseg(&b, &s)?.is_some())
}

fn on_sb(s: Lseg, b: Rect) -> bool {
    rect::contains_point(&b, &s.p[0]) && rect::contains_point(&b, &s.p[1])
}

builtins! {
    lseg_construct(a: point, b: point) -> lseg;
    lseg_parallel(a: lseg, b: lseg) -> bool;
    lseg_perp(a: lseg, b: lseg) -> bool;
    lseg_vertical(s: lseg) -> bool;
    lseg_horizontal(s: lseg) -> bool;
    lseg_eq(a: lseg, b: lseg) -> bool;
    lseg_ne(a: lseg, b: lseg) -> bool;
    lseg_lt(a: lseg, b: lseg) -> bool;
    lseg_le(a: lseg, b: lseg) -> bool;
    lseg_gt(a: lseg, b: lseg) -> bool;
    lseg_ge(a: lseg, b: lseg) -> bool;
    lseg_length(s: lseg) -> float8;
    lseg_center(s: lseg) -> point;
    lseg_distance(a: lseg, b: lseg) -> float8;
    lseg_intersect(a: lseg, b: lseg) -> bool;
    lseg_interpt(a: lseg, b: lseg) -> point;
    close_lseg(a: lseg, b: lseg) -> point;
    dist_sb(s: lseg, b: rect) -> float8;
    dist_bs(b: rect, s: lseg) -> float8;
    close_sb(s: lseg, b: rect) -> point;
    inter_sb(s: lseg, b: rect) -> bool;
    on_sb(s: lseg, b: rect) -> bool;
}
