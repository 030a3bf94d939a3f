//! Functions of `circle`.

use common::{PgResult, pg_err};
use types::geo::{Circle, Point, Polygon, Rect};

use super::{add, distance, div, ge, gt, hypot, is_zero, le, lt, mul, near, point, sub};
use crate::framework::macros::builtins;

fn circle_same(a: Circle, b: Circle) -> bool {
    let radius = a.radius.is_nan() && b.radius.is_nan() || near(a.radius, b.radius);
    radius && a.center.near(&b.center)
}

fn circle_overlap(a: Circle, b: Circle) -> PgResult<bool> {
    Ok(le(distance(&a.center, &b.center)?, add(a.radius, b.radius)?))
}

fn circle_overleft(a: Circle, b: Circle) -> PgResult<bool> {
    Ok(le(add(a.center.x, a.radius)?, add(b.center.x, b.radius)?))
}

fn circle_left(a: Circle, b: Circle) -> PgResult<bool> {
    Ok(lt(add(a.center.x, a.radius)?, sub(b.center.x, b.radius)?))
}

fn circle_right(a: Circle, b: Circle) -> PgResult<bool> {
    Ok(gt(sub(a.center.x, a.radius)?, add(b.center.x, b.radius)?))
}

fn circle_overright(a: Circle, b: Circle) -> PgResult<bool> {
    Ok(ge(sub(a.center.x, a.radius)?, sub(b.center.x, b.radius)?))
}

fn circle_below(a: Circle, b: Circle) -> PgResult<bool> {
    Ok(lt(add(a.center.y, a.radius)?, sub(b.center.y, b.radius)?))
}

fn circle_above(a: Circle, b: Circle) -> PgResult<bool> {
    Ok(gt(sub(a.center.y, a.radius)?, add(b.center.y, b.radius)?))
}

fn circle_overbelow(a: Circle, b: Circle) -> PgResult<bool> {
    Ok(le(add(a.center.y, a.radius)?, add(b.center.y, b.radius)?))
}

fn circle_overabove(a: Circle, b: Circle) -> PgResult<bool> {
    Ok(ge(sub(a.center.y, a.radius)?, sub(b.center.y, b.radius)?))
}

fn circle_contain(a: Circle, b: Circle) -> PgResult<bool> {
    Ok(le(distance(&a.center, &b.center)?, sub(a.radius, b.radius)?))
}

fn circle_contained(a: Circle, b: Circle) -> PgResult<bool> {
    circle_contain(b, a)
}

fn circle_area(c: Circle) -> PgResult<f64> {
    mul(mul(c.radius, c.radius)?, std::f64::consts::PI)
}

fn circle_eq(a: Circle, b: Circle) -> PgResult<bool> {
    Ok(near(circle_area(a)?, circle_area(b)?))
}

fn circle_ne(a: Circle, b: Circle) -> PgResult<bool> {
    // Not the opposite of "equal" where a radius is NaN.
    let (x, y) = (circle_area(a)?, circle_area(b)?);
    Ok(x != y && (x - y).abs() > types::geo::EPSILON)
}

fn circle_lt(a: Circle, b: Circle) -> PgResult<bool> {
    Ok(lt(circle_area(a)?, circle_area(b)?))
}

fn circle_gt(a: Circle, b: Circle) -> PgResult<bool> {
    Ok(gt(circle_area(a)?, circle_area(b)?))
}

fn circle_le(a: Circle, b: Circle) -> PgResult<bool> {
    Ok(le(circle_area(a)?, circle_area(b)?))
}

fn circle_ge(a: Circle, b: Circle) -> PgResult<bool> {
    Ok(ge(circle_area(a)?, circle_area(b)?))
}

fn circle_diameter(c: Circle) -> PgResult<f64> {
    mul(c.radius, 2.0)
}

fn circle_radius(c: Circle) -> f64 {
    c.radius
}

fn circle_center(c: Circle) -> Point {
    c.center
}

fn cr_circle(center: Point, radius: f64) -> Circle {
    Circle { center, radius }
}

fn circle_add_pt(c: Circle, p: Point) -> PgResult<Circle> {
    Ok(cr_circle(point::plus(&c.center, &p)?, c.radius))
}

fn circle_sub_pt(c: Circle, p: Point) -> PgResult<Circle> {
    Ok(cr_circle(point::minus(&c.center, &p)?, c.radius))
}

fn circle_mul_pt(c: Circle, p: Point) -> PgResult<Circle> {
    Ok(cr_circle(
        point::times(&c.center, &p)?,
        mul(c.radius, hypot(p.x, p.y)?)?,
    ))
}

fn circle_div_pt(c: Circle, p: Point) -> PgResult<Circle> {
    Ok(cr_circle(
        point::over(&c.center, &p)?,
        div(c.radius, hypot(p.x, p.y)?)?,
    ))
}

fn not_negative(v: f64) -> f64 {
    if v < 0.0 { 0.0 } else { v }
}

fn circle_distance(a: Circle, b: Circle) -> PgResult<f64> {
    sub(distance(&a.center, &b.center)?, add(a.radius, b.radius)?).map(not_negative)
}

fn dist_cpoly(c: Circle, polygon: Polygon) -> PgResult<f64> {
    sub(point::to_polygon(&c.center, &polygon)?, c.radius).map(not_negative)
}

fn dist_polyc(polygon: Polygon, c: Circle) -> PgResult<f64> {
    dist_cpoly(c, polygon)
}

fn circle_box(c: Circle) -> PgResult<Rect> {
    let delta = div(c.radius, 2.0f64.sqrt())?;
    Ok(Rect {
        high: Point {
            x: add(c.center.x, delta)?,
            y: add(c.center.y, delta)?,
        },
        low: Point {
            x: sub(c.center.x, delta)?,
            y: sub(c.center.y, delta)?,
        },
    })
}

fn circle_poly(count: i32, c: Circle) -> PgResult<Polygon> {
    if is_zero(c.radius) {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "cannot convert circle with radius zero to polygon"
        ));
    }
    if count < 2 {
        return Err(pg_err!(INVALID_PARAMETER_VALUE, "must request at least 2 points"));
    }
    if count as usize >= i32::MAX as usize / 16 {
        return Err(pg_err!(PROGRAM_LIMIT_EXCEEDED, "too many points requested"));
    }
    let step = div(2.0 * std::f64::consts::PI, f64::from(count))?;
    let corner = |i: i32| -> PgResult<Point> {
        let angle = mul(step, f64::from(i))?;
        Ok(Point {
            x: sub(c.center.x, mul(c.radius, angle.cos())?)?,
            y: add(c.center.y, mul(c.radius, angle.sin())?)?,
        })
    };
    Ok(Polygon {
        points: (0..count).map(corner).collect::<PgResult<_>>()?,
    })
}

fn polygon_of_circle(c: Circle) -> PgResult<Polygon> {
    circle_poly(12, c)
}

builtins! {
    circle_same(a: circle, b: circle) -> bool;
    circle_overlap(a: circle, b: circle) -> bool;
    circle_overleft(a: circle, b: circle) -> bool;
    circle_left(a: circle, b: circle) -> bool;
    circle_right(a: circle, b: circle) -> bool;
    circle_overright(a: circle, b: circle) -> bool;
    circle_below(a: circle, b: circle) -> bool;
    circle_above(a: circle, b: circle) -> bool;
    circle_overbelow(a: circle, b: circle) -> bool;
    circle_overabove(a: circle, b: circle) -> bool;
    circle_contain(a: circle, b: circle) -> bool;
    circle_contained(a: circle, b: circle) -> bool;
    circle_area(c: circle) -> float8;
    circle_eq(a: circle, b: circle) -> bool;
    circle_ne(a: circle, b: circle) -> bool;
    circle_lt(a: circle, b: circle) -> bool;
    circle_gt(a: circle, b: circle) -> bool;
    circle_le(a: circle, b: circle) -> bool;
    circle_ge(a: circle, b: circle) -> bool;
    circle_diameter(c: circle) -> float8;
    circle_radius(c: circle) -> float8;
    circle_center(c: circle) -> point;
    cr_circle(center: point, radius: float8) -> circle;
    circle_add_pt(c: circle, p: point) -> circle;
    circle_sub_pt(c: circle, p: point) -> circle;
    circle_mul_pt(c: circle, p: point) -> circle;
    circle_div_pt(c: circle, p: point) -> circle;
    circle_distance(a: circle, b: circle) -> float8;
    dist_cpoly(c: circle, polygon: polygon) -> float8;
    dist_polyc(polygon: polygon, c: circle) -> float8;
    circle_box(c: circle) -> rect;
    circle_poly(count: int4, c: circle) -> polygon;
    polygon = polygon_of_circle(c: circle) -> polygon;
}
