//! Functions of `box`.

use common::PgResult;
use types::geo::{Circle, Lseg, Point, Polygon, Rect, less};

use super::{add, distance, div, ge, gt, le, lseg, lt, max, min, mul, near, point, sub};
use crate::framework::macros::builtins;

/// The sides in the order in which PostgreSQL looks at them.
pub(super) fn sides(b: &Rect) -> [Lseg; 4] {
    let upper_left = Point {
        x: b.low.x,
        y: b.high.y,
    };
    let lower_right = Point {
        x: b.high.x,
        y: b.low.y,
    };
    [
        Lseg {
            p: [b.low, upper_left],
        },
        Lseg {
            p: [b.high, upper_left],
        },
        Lseg {
            p: [b.low, lower_right],
        },
        Lseg {
            p: [b.high, lower_right],
        },
    ]
}

pub(super) fn overlap(a: &Rect, b: &Rect) -> bool {
    le(a.low.x, b.high.x) && le(b.low.x, a.high.x) && le(a.low.y, b.high.y) && le(b.low.y, a.high.y)
}

pub(super) fn contains(a: &Rect, b: &Rect) -> bool {
    ge(a.high.x, b.high.x) && le(a.low.x, b.low.x) && ge(a.high.y, b.high.y) && le(a.low.y, b.low.y)
}

pub(super) fn contains_point(b: &Rect, p: &Point) -> bool {
    b.high.x >= p.x && b.low.x <= p.x && b.high.y >= p.y && b.low.y <= p.y
}

fn center(b: &Rect) -> PgResult<Point> {
    Ok(Point {
        x: div(add(b.high.x, b.low.x)?, 2.0)?,
        y: div(add(b.high.y, b.low.y)?, 2.0)?,
    })
}

/// The first of the nearest candidates.
fn nearest(b: &Rect, candidate: impl Fn(&Lseg) -> PgResult<(Point, f64)>) -> PgResult<(Point, f64)> {
    let [first, rest @ ..] = sides(b);
    let mut best = candidate(&first)?;
    for side in &rest {
        let other = candidate(side)?;
        if less(other.1, best.1) {
            best = other;
        }
    }
    Ok(best)
}

/// The point of a box nearest to another point, and their distance.
pub(super) fn closest(b: &Rect, p: &Point) -> PgResult<(Point, f64)> {
    if contains_point(b, p) {
        return Ok((*p, 0.0));
    }
    nearest(b, |side| lseg::closest(side, p))
}

/// A point of a segment inside a box, if they meet.
pub(super) fn crosses_lseg(b: &Rect, s: &Lseg) -> PgResult<Option<Point>> {
    let around = Rect {
        low: Point {
            x: min(s.p[0].x, s.p[1].x),
            y: min(s.p[0].y, s.p[1].y),
        },
        high: Point {
            x: max(s.p[0].x, s.p[1].x),
            y: max(s.p[0].y, s.p[1].y),
        },
    };
    if !overlap(&around, b) {
        return Ok(None);
    }
    let (found, _) = lseg::closest(s, &center(b)?)?;
    if contains_point(b, &s.p[0]) || contains_point(b, &s.p[1]) {
        return Ok(Some(found));
    }
    for side in sides(b) {
        if lseg::crosses(&side, s)?.is_some() {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The point of a box nearest to a segment, and their distance.
pub(super) fn closest_to_lseg(b: &Rect, s: &Lseg) -> PgResult<(Point, f64)> {
    match crosses_lseg(b, s)? {
        Some(p) => Ok((p, 0.0)),
        None => nearest(b, |side| lseg::closest_to_lseg(side, s)),
    }
}

fn box_same(a: Rect, b: Rect) -> bool {
    a.high.near(&b.high) && a.low.near(&b.low)
}

fn box_overlap(a: Rect, b: Rect) -> bool {
    overlap(&a, &b)
}

fn box_left(a: Rect, b: Rect) -> bool {
    lt(a.high.x, b.low.x)
}

fn box_overleft(a: Rect, b: Rect) -> bool {
    le(a.high.x, b.high.x)
}

fn box_right(a: Rect, b: Rect) -> bool {
    gt(a.low.x, b.high.x)
}

fn box_overright(a: Rect, b: Rect) -> bool {
    ge(a.low.x, b.low.x)
}

fn box_below(a: Rect, b: Rect) -> bool {
    lt(a.high.y, b.low.y)
}

fn box_overbelow(a: Rect, b: Rect) -> bool {
    le(a.high.y, b.high.y)
}

fn box_above(a: Rect, b: Rect) -> bool {
    gt(a.low.y, b.high.y)
}

fn box_overabove(a: Rect, b: Rect) -> bool {
    ge(a.low.y, b.low.y)
}

fn box_below_eq(a: Rect, b: Rect) -> bool {
    le(a.high.y, b.low.y)
}

fn box_above_eq(a: Rect, b: Rect) -> bool {
    ge(a.low.y, b.high.y)
}

fn box_contain(a: Rect, b: Rect) -> bool {
    contains(&a, &b)
}

fn box_contained(a: Rect, b: Rect) -> bool {
    contains(&b, &a)
}

fn box_contain_pt(b: Rect, p: Point) -> bool {
    contains_point(&b, &p)
}

fn box_width(b: Rect) -> PgResult<f64> {
    sub(b.high.x, b.low.x)
}

fn box_height(b: Rect) -> PgResult<f64> {
    sub(b.high.y, b.low.y)
}

fn box_area(b: Rect) -> PgResult<f64> {
    mul(box_width(b)?, box_height(b)?)
}

fn box_lt(a: Rect, b: Rect) -> PgResult<bool> {
    Ok(lt(box_area(a)?, box_area(b)?))
}

fn box_gt(a: Rect, b: Rect) -> PgResult<bool> {
    Ok(gt(box_area(a)?, box_area(b)?))
}

fn box_eq(a: Rect, b: Rect) -> PgResult<bool> {
    Ok(near(box_area(a)?, box_area(b)?))
}

fn box_le(a: Rect, b: Rect) -> PgResult<bool> {
    Ok(le(box_area(a)?, box_area(b)?))
}

fn box_ge(a: Rect, b: Rect) -> PgResult<bool> {
    Ok(ge(box_area(a)?, box_area(b)?))
}

fn box_center(b: Rect) -> PgResult<Point> {
    center(&b)
}

fn box_distance(a: Rect, b: Rect) -> PgResult<f64> {
    distance(&center(&a)?, &center(&b)?)
}

fn box_intersect(a: Rect, b: Rect) -> Option<Rect> {
    overlap(&a, &b).then(|| Rect {
        high: Point {
            x: min(a.high.x, b.high.x),
            y: min(a.high.y, b.high.y),
        },
        low: Point {
            x: max(a.low.x, b.low.x),
            y: max(a.low.y, b.low.y),
        },
    })
}

fn boxes_bound_box(a: Rect, b: Rect) -> Rect {
    Rect {
        high: Point {
            x: max(a.high.x, b.high.x),
            y: max(a.high.y, b.high.y),
        },
        low: Point {
            x: min(a.low.x, b.low.x),
            y: min(a.low.y, b.low.y),
        },
    }
}

fn box_diagonal(b: Rect) -> Lseg {
    Lseg { p: [b.high, b.low] }
}

fn box_add(b: Rect, p: Point) -> PgResult<Rect> {
    Ok(Rect {
        high: point::plus(&b.high, &p)?,
        low: point::plus(&b.low, &p)?,
    })
}

fn box_sub(b: Rect, p: Point) -> PgResult<Rect> {
    Ok(Rect {
        high: point::minus(&b.high, &p)?,
        low: point::minus(&b.low, &p)?,
    })
}

// Of zeros that differ in their sign only PostgreSQL's `box_construct` takes the second corner's as the high one.
fn box_mul(b: Rect, p: Point) -> PgResult<Rect> {
    let (high, low) = (point::times(&b.high, &p)?, point::times(&b.low, &p)?);
    Ok(Rect::of_corners(low, high))
}

fn box_div(b: Rect, p: Point) -> PgResult<Rect> {
    let (high, low) = (point::over(&b.high, &p)?, point::over(&b.low, &p)?);
    Ok(Rect::of_corners(low, high))
}

fn box_circle(b: Rect) -> PgResult<Circle> {
    let center = center(&b)?;
    Ok(Circle {
        center,
        radius: distance(&center, &b.high)?,
    })
}

fn box_poly(b: Rect) -> Polygon {
    let [upper, _, lower, _] = sides(&b);
    Polygon {
        points: vec![b.low, upper.p[1], b.high, lower.p[1]],
    }
}

builtins! {
    box_same(a: rect, b: rect) -> bool;
    box_overlap(a: rect, b: rect) -> bool;
    box_left(a: rect, b: rect) -> bool;
    box_overleft(a: rect, b: rect) -> bool;
    box_right(a: rect, b: rect) -> bool;
    box_overright(a: rect, b: rect) -> bool;
    box_below(a: rect, b: rect) -> bool;
    box_overbelow(a: rect, b: rect) -> bool;
    box_above(a: rect, b: rect) -> bool;
    box_overabove(a: rect, b: rect) -> bool;
    box_below_eq(a: rect, b: rect) -> bool;
    box_above_eq(a: rect, b: rect) -> bool;
    box_contain(a: rect, b: rect) -> bool;
    box_contained(a: rect, b: rect) -> bool;
    box_contain_pt(b: rect, p: point) -> bool;
    box_width(b: rect) -> float8;
    box_height(b: rect) -> float8;
    box_area(b: rect) -> float8;
    box_lt(a: rect, b: rect) -> bool;
    box_gt(a: rect, b: rect) -> bool;
    box_eq(a: rect, b: rect) -> bool;
    box_le(a: rect, b: rect) -> bool;
    box_ge(a: rect, b: rect) -> bool;
    box_center(b: rect) -> point;
    box_distance(a: rect, b: rect) -> float8;
    box_intersect(a: rect, b: rect) -> rect;
    boxes_bound_box(a: rect, b: rect) -> rect;
    box_diagonal(b: rect) -> lseg;
    box_add(b: rect, p: point) -> rect;
    box_sub(b: rect, p: point) -> rect;
    box_mul(b: rect, p: point) -> rect;
    box_div(b: rect, p: point) -> rect;
    box_circle(b: rect) -> circle;
    box_poly(b: rect) -> polygon;
}
