//! Functions of `polygon`.

use common::{PgResult, pg_err};
use types::geo::{Circle, Lseg, Path, Point, Polygon, Rect, less};

use super::{add, bounds, covers, distance, div, edges, lseg, rect};
use crate::framework::context::FnContext;
use crate::framework::macros::builtins;

fn poly_left(a: Polygon, b: Polygon) -> bool {
    bounds(&a.points).high.x < bounds(&b.points).low.x
}

fn poly_overleft(a: Polygon, b: Polygon) -> bool {
    bounds(&a.points).high.x <= bounds(&b.points).high.x
}

fn poly_right(a: Polygon, b: Polygon) -> bool {
    bounds(&a.points).low.x > bounds(&b.points).high.x
}

fn poly_overright(a: Polygon, b: Polygon) -> bool {
    bounds(&a.points).low.x >= bounds(&b.points).low.x
}

fn poly_below(a: Polygon, b: Polygon) -> bool {
    bounds(&a.points).high.y < bounds(&b.points).low.y
}

fn poly_overbelow(a: Polygon, b: Polygon) -> bool {
    bounds(&a.points).high.y <= bounds(&b.points).high.y
}

fn poly_above(a: Polygon, b: Polygon) -> bool {
    bounds(&a.points).low.y > bounds(&b.points).high.y
}

fn poly_overabove(a: Polygon, b: Polygon) -> bool {
    bounds(&a.points).low.y >= bounds(&b.points).low.y
}

/// The same points in the same order, from any start, in either direction.
fn poly_same(a: Polygon, b: Polygon) -> bool {
    let n = a.points.len();
    if n != b.points.len() {
        return false;
    }
    let matches = |at: &dyn Fn(usize) -> usize| (0..n).all(|k| b.points[at(k)].near(&a.points[k]));
    (0..n).any(|i| matches(&|k| (i + k) % n) || matches(&|k| (i + n - k) % n))
}

fn overlaps(ctx: &FnContext<'_>, a: &Polygon, b: &Polygon) -> PgResult<bool> {
    if !rect::overlap(&bounds(&a.points), &bounds(&b.points)) {
        return Ok(false);
    }
    for x in edges(&a.points, true) {
        ctx.cancel.check()?;
        for y in edges(&b.points, true) {
            if lseg::crosses(&x, &y)?.is_some() {
                return Ok(true);
            }
        }
    }
    match (a.points.first(), b.points.first()) {
        (Some(p), Some(q)) => Ok(covers(b, p)? || covers(a, q)?),
        _ => Ok(false),
    }
}

fn poly_overlap(ctx: &mut FnContext<'_>, a: Polygon, b: Polygon) -> PgResult<bool> {
    overlaps(ctx, &a, &b)
}

/// A polygon that segments are tested against, with the rectangle round it.
struct Container<'a> {
    polygon: &'a Polygon,
    bounds: Rect,
    ctx: &'a FnContext<'a>,
}

/// How deep the splitting of segments may go.
const DEPTH_MAX: usize = 5_000;

impl Container<'_> {
    /// True when the segment from `a` to `b` lies inside, as far as edges from `start` on can tell.
    fn holds(&self, a: Point, b: Point, start: usize, depth: usize) -> PgResult<bool> {
        if depth > DEPTH_MAX {
            return Err(pg_err!(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded"));
        }
        if !rect::contains_point(&self.bounds, &a) || !rect::contains_point(&self.bounds, &b) {
            return Ok(false);
        }
        let t = Lseg { p: [a, b] };
        let points = &self.polygon.points;
        let mut previous = points[if start == 0 { points.len() - 1 } else { start - 1 }];
        for (i, point) in points.iter().enumerate().skip(start) {
            self.ctx.cancel.check()?;
            let s = Lseg {
                p: [previous, *point],
            };
            let (first, second) = (lseg::contains_point(&s, &a)?, lseg::contains_point(&s, &b)?);
            let inside = match (first, second) {
                (true, true) => return Ok(true),
                (true, false) => self.holds_touching([a, b], &s, i + 1, depth)?,
                (false, true) => self.holds_touching([b, a], &s, i + 1, depth)?,
                _ => match lseg::crosses(&t, &s)? {
                    Some(p) => {
                        return Ok(self.holds(a, p, i + 1, depth + 1)? && self.holds(b, p, i + 1, depth + 1)?);
                    }
                    None => true,
                },
            };
            if !inside {
                return Ok(false);
            }
            previous = *point;
        }
        let middle = Point {
            x: div(add(a.x, b.x)?, 2.0)?,
            y: div(add(a.y, b.y)?, 2.0)?,
        };
        covers(self.polygon, &middle)
    }

    /// The same for a segment whose first end lies on the edge `s` and whose second does not.
    fn holds_touching(&self, [a, b]: [Point; 2], s: &Lseg, start: usize, depth: usize) -> PgResult<bool> {
        let t = Lseg { p: [a, b] };
        let rest = if a.near(&s.p[0]) {
            lseg::contains_point(&t, &s.p[1])?.then_some(s.p[1])
        } else if a.near(&s.p[1]) {
            lseg::contains_point(&t, &s.p[0])?.then_some(s.p[0])
        } else if lseg::contains_point(&t, &s.p[0])? {
            Some(s.p[0])
        } else {
            lseg::contains_point(&t, &s.p[1])?.then_some(s.p[1])
        };
        match rest {
            Some(p) => self.holds(b, p, start, depth + 1),
            None => Ok(true),
        }
    }
}

fn contains(ctx: &FnContext<'_>, a: &Polygon, b: &Polygon) -> PgResult<bool> {
    let around = bounds(&a.points);
    if a.points.is_empty() || !rect::contains(&around, &bounds(&b.points)) {
        return Ok(false);
    }
    let container = Container {
        polygon: a,
        bounds: around,
        ctx,
    };
    for edge in edges(&b.points, true) {
        if !container.holds(edge.p[0], edge.p[1], 0, 0)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn poly_contain(ctx: &mut FnContext<'_>, a: Polygon, b: Polygon) -> PgResult<bool> {
    contains(ctx, &a, &b)
}

fn poly_contained(ctx: &mut FnContext<'_>, a: Polygon, b: Polygon) -> PgResult<bool> {
    contains(ctx, &b, &a)
}

fn poly_distance(ctx: &mut FnContext<'_>, a: Polygon, b: Polygon) -> PgResult<Option<f64>> {
    if overlaps(ctx, &a, &b)? {
        return Ok(Some(0.0));
    }
    let mut best = None;
    for x in edges(&a.points, true) {
        ctx.cancel.check()?;
        for y in edges(&b.points, true) {
            let d = lseg::closest_to_lseg(&x, &y)?.1;
            if best.is_none_or(|old| less(d, old)) {
                best = Some(d);
            }
        }
    }
    Ok(best)
}

fn poly_circle(polygon: Polygon) -> PgResult<Circle> {
    let count = polygon.points.len() as f64;
    let mut center = Point::default();
    for p in &polygon.points {
        center = super::point::plus(&center, p)?;
    }
    center = Point {
        x: div(center.x, count)?,
        y: div(center.y, count)?,
    };
    let mut radius = 0.0;
    for p in &polygon.points {
        radius = add(radius, distance(p, &center)?)?;
    }
    Ok(Circle {
        center,
        radius: div(radius, count)?,
    })
}

fn poly_center(polygon: Polygon) -> PgResult<Point> {
    poly_circle(polygon).map(|c| c.center)
}

fn poly_npoints(polygon: Polygon) -> i32 {
    polygon.points.len() as i32
}

fn poly_box(polygon: Polygon) -> Rect {
    bounds(&polygon.points)
}

fn poly_path(polygon: Polygon) -> Path {
    Path {
        closed: true,
        points: polygon.points,
    }
}

builtins! {
    poly_left(a: polygon, b: polygon) -> bool;
    poly_overleft(a: polygon, b: polygon) -> bool;
    poly_right(a: polygon, b: polygon) -> bool;
    poly_overright(a: polygon, b: polygon) -> bool;
    poly_below(a: polygon, b: polygon) -> bool;
    poly_overbelow(a: polygon, b: polygon) -> bool;
    poly_above(a: polygon, b: polygon) -> bool;
    poly_overabove(a: polygon, b: polygon) -> bool;
    poly_same(a: polygon, b: polygon) -> bool;
    poly_overlap(ctx, a: polygon, b: polygon) -> bool;
    poly_contain(ctx, a: polygon, b: polygon) -> bool;
    poly_contained(ctx, a: polygon, b: polygon) -> bool;
    poly_distance(ctx, a: polygon, b: polygon) -> float8;
    poly_circle(polygon: polygon) -> circle;
    poly_center(polygon: polygon) -> point;
    poly_npoints(polygon: polygon) -> int4;
    poly_box(polygon: polygon) -> rect;
    poly_path(polygon: polygon) -> path;
}
