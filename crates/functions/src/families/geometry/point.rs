//! Functions of `point`.

use common::PgResult;
use types::geo::{Circle, Line, Lseg, Path, Point, Polygon, Rect};
use types::io_geo::slope;

use super::{Side, line, lseg, rect};
use super::{add, covers, distance, div, edges, gt, lt, mul, near, side, sub};
use crate::framework::macros::builtins;

fn point_left(a: Point, b: Point) -> bool {
    lt(a.x, b.x)
}

fn point_right(a: Point, b: Point) -> bool {
    gt(a.x, b.x)
}

fn point_above(a: Point, b: Point) -> bool {
    gt(a.y, b.y)
}

fn point_below(a: Point, b: Point) -> bool {
    lt(a.y, b.y)
}

fn point_vert(a: Point, b: Point) -> bool {
    near(a.x, b.x)
}

fn point_horiz(a: Point, b: Point) -> bool {
    near(a.y, b.y)
}

fn point_eq(a: Point, b: Point) -> bool {
    a.near(&b)
}

fn point_ne(a: Point, b: Point) -> bool {
    !a.near(&b)
}

fn point_distance(a: Point, b: Point) -> PgResult<f64> {
    distance(&a, &b)
}

/// The slope from one point to another, checked.
pub(super) fn checked_slope(p: &Point, q: &Point) -> PgResult<f64> {
    if near(p.x, q.x) || near(p.y, q.y) {
        return Ok(slope(*p, *q));
    }
    div(sub(p.y, q.y)?, sub(p.x, q.x)?)
}

fn point_slope(a: Point, b: Point) -> PgResult<f64> {
    checked_slope(&a, &b)
}

fn construct_point(x: f64, y: f64) -> Point {
    Point { x, y }
}

pub(super) fn plus(a: &Point, b: &Point) -> PgResult<Point> {
    Ok(Point {
        x: add(a.x, b.x)?,
        y: add(a.y, b.y)?,
    })
}

pub(super) fn minus(a: &Point, b: &Point) -> PgResult<Point> {
    Ok(Point {
        x: sub(a.x, b.x)?,
        y: sub(a.y, b.y)?,
    })
}

/// Complex multiplication: scaling and rotation.
pub(super) fn times(a: &Point, b: &Point) -> PgResult<Point> {
    Ok(Point {
        x: sub(mul(a.x, b.x)?, mul(a.y, b.y)?)?,
        y: add(mul(a.x, b.y)?, mul(a.y, b.x)?)?,
    })
}

pub(super) fn over(a: &Point, b: &Point) -> PgResult<Point> {
    let square = add(mul(b.x, b.x)?, mul(b.y, b.y)?)?;
    Ok(Point {
        x: div(add(mul(a.x, b.x)?, mul(a.y, b.y)?)?, square)?,
        y: div(sub(mul(b.x, a.y)?, mul(b.y, a.x)?)?, square)?,
    })
}

fn point_add(a: Point, b: Point) -> PgResult<Point> {
    plus(&a, &b)
}

fn point_sub(a: Point, b: Point) -> PgResult<Point> {
    minus(&a, &b)
}

fn point_mul(a: Point, b: Point) -> PgResult<Point> {
    times(&a, &b)
}

fn point_div(a: Point, b: Point) -> PgResult<Point> {
    over(&a, &b)
}

fn points_box(a: Point, b: Point) -> Rect {
    // Of corners that are equal (zeros may differ in their sign) the second is the upper one.
    Rect::of_corners(b, a)
}

fn point_box(p: Point) -> Rect {
    Rect { high: p, low: p }
}

fn on_pb(p: Point, b: Rect) -> bool {
    rect::contains_point(&b, &p)
}

fn on_pl(p: Point, l: Line) -> PgResult<bool> {
    line::contains_point(&l, &p)
}

fn on_ps(p: Point, s: Lseg) -> PgResult<bool> {
    lseg::contains_point(&s, &p)
}

/// A point on an open path, or inside a closed one.
fn on_ppath(p: Point, path: Path) -> PgResult<bool> {
    if path.closed {
        return Ok(side(&p, &path.points)? != Side::Outside);
    }
    for edge in edges(&path.points, false) {
        if lseg::contains_point(&edge, &p)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn path_contain_pt(path: Path, p: Point) -> PgResult<bool> {
    on_ppath(p, path)
}

fn pt_contained_circle(p: Point, c: Circle) -> PgResult<bool> {
    Ok(distance(&c.center, &p)? <= c.radius)
}

fn circle_contain_pt(c: Circle, p: Point) -> PgResult<bool> {
    pt_contained_circle(p, c)
}

fn pt_contained_poly(p: Point, polygon: Polygon) -> PgResult<bool> {
    covers(&polygon, &p)
}

fn poly_contain_pt(polygon: Polygon, p: Point) -> PgResult<bool> {
    covers(&polygon, &p)
}

fn dist_pl(p: Point, l: Line) -> PgResult<f64> {
    Ok(line::closest(&l, &p)?.1)
}

fn dist_lp(l: Line, p: Point) -> PgResult<f64> {
    dist_pl(p, l)
}

fn dist_ps(p: Point, s: Lseg) -> PgResult<f64> {
    Ok(lseg::closest(&s, &p)?.1)
}

fn dist_sp(s: Lseg, p: Point) -> PgResult<f64> {
    dist_ps(p, s)
}

fn dist_pb(p: Point, b: Rect) -> PgResult<f64> {
    Ok(rect::closest(&b, &p)?.1)
}

fn dist_bp(b: Rect, p: Point) -> PgResult<f64> {
    dist_pb(p, b)
}

/// The least distance from a point to some segments; 0 without segments.
fn nearest(p: &Point, edges: impl Iterator<Item = Lseg>) -> PgResult<f64> {
    let mut best = None;
    for edge in edges {
        let d = lseg::closest(&edge, p)?.1;
        if best.is_none_or(|b| types::geo::less(d, b)) {
            best = Some(d);
        }
    }
    Ok(best.unwrap_or(0.0))
}

fn dist_ppath(p: Point, path: Path) -> PgResult<f64> {
    nearest(&p, edges(&path.points, path.closed))
}

fn dist_pathp(path: Path, p: Point) -> PgResult<f64> {
    dist_ppath(p, path)
}

pub(super) fn to_polygon(p: &Point, polygon: &Polygon) -> PgResult<f64> {
    if covers(polygon, p)? {
        return Ok(0.0);
    }
    nearest(p, edges(&polygon.points, true))
}

fn dist_ppoly(p: Point, polygon: Polygon) -> PgResult<f64> {
    to_polygon(&p, &polygon)
}

fn dist_polyp(polygon: Polygon, p: Point) -> PgResult<f64> {
    to_polygon(&p, &polygon)
}

fn dist_pc(p: Point, c: Circle) -> PgResult<f64> {
    let d = sub(distance(&p, &c.center)?, c.radius)?;
    Ok(if d < 0.0 { 0.0 } else { d })
}

fn dist_cpoint(c: Circle, p: Point) -> PgResult<f64> {
    dist_pc(p, c)
}

/// The point, unless the distance to it is not a number.
pub(super) fn found((point, distance): (Point, f64)) -> Option<Point> {
    (!distance.is_nan()).then_some(point)
}

fn close_pl(p: Point, l: Line) -> PgResult<Option<Point>> {
    line::closest(&l, &p).map(found)
}

fn close_ps(p: Point, s: Lseg) -> PgResult<Option<Point>> {
    lseg::closest(&s, &p).map(found)
}

fn close_pb(p: Point, b: Rect) -> PgResult<Option<Point>> {
    rect::closest(&b, &p).map(found)
}

builtins! {
    point_left(a: point, b: point) -> bool;
    point_right(a: point, b: point) -> bool;
    point_above(a: point, b: point) -> bool;
    point_below(a: point, b: point) -> bool;
    point_vert(a: point, b: point) -> bool;
    point_horiz(a: point, b: point) -> bool;
    point_eq(a: point, b: point) -> bool;
    point_ne(a: point, b: point) -> bool;
    point_distance(a: point, b: point) -> float8;
    point_slope(a: point, b: point) -> float8;
    construct_point(x: float8, y: float8) -> point;
    point_add(a: point, b: point) -> point;
    point_sub(a: point, b: point) -> point;
    point_mul(a: point, b: point) -> point;
    point_div(a: point, b: point) -> point;
    points_box(a: point, b: point) -> rect;
    point_box(p: point) -> rect;
    on_pb(p: point, b: rect) -> bool;
    on_pl(p: point, l: line) -> bool;
    on_ps(p: point, s: lseg) -> bool;
    on_ppath(p: point, path: path) -> bool;
    path_contain_pt(path: path, p: point) -> bool;
    pt_contained_circle(p: point, c: circle) -> bool;
    circle_contain_pt(c: circle, p: point) -> bool;
    pt_contained_poly(p: point, polygon: polygon) -> bool;
    poly_contain_pt(polygon: polygon, p: point) -> bool;
    dist_pl(p: point, l: line) -> float8;
    dist_lp(l: line, p: point) -> float8;
    dist_ps(p: point, s: lseg) -> float8;
    dist_sp(s: lseg, p: point) -> float8;
    dist_pb(p: point, b: rect) -> float8;
    dist_bp(b: rect, p: point) -> float8;
    dist_ppath(p: point, path: path) -> float8;
    dist_pathp(path: path, p: point) -> float8;
    dist_ppoly(p: point, polygon: polygon) -> float8;
    dist_polyp(polygon: polygon, p: point) -> float8;
    dist_pc(p: point, c: circle) -> float8;
    dist_cpoint(c: circle, p: point) -> float8;
    close_pl(p: point, l: line) -> point;
    close_ps(p: point, s: lseg) -> point;
    close_pb(p: point, b: rect) -> point;
}
