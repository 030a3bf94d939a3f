//! Functions of `path`.

use common::{PgResult, pg_err};
use types::geo::{Path, Point, Polygon, less};

use super::{add, bounds, distance, edges, lseg, mul, point, rect, sub};
use crate::framework::context::FnContext;
use crate::framework::macros::builtins;

fn path_area(path: Path) -> PgResult<Option<f64>> {
    if !path.closed {
        return Ok(None);
    }
    let points = &path.points;
    let mut area = 0.0;
    for (i, p) in points.iter().enumerate() {
        let q = &points[(i + 1) % points.len()];
        area = add(area, mul(p.x, q.y)?)?;
        area = sub(area, mul(p.y, q.x)?)?;
    }
    super::div(area.abs(), 2.0).map(Some)
}

fn path_n_lt(a: Path, b: Path) -> bool {
    a.points.len() < b.points.len()
}

fn path_n_gt(a: Path, b: Path) -> bool {
    a.points.len() > b.points.len()
}

fn path_n_eq(a: Path, b: Path) -> bool {
    a.points.len() == b.points.len()
}

fn path_n_le(a: Path, b: Path) -> bool {
    a.points.len() <= b.points.len()
}

fn path_n_ge(a: Path, b: Path) -> bool {
    a.points.len() >= b.points.len()
}

fn path_isclosed(path: Path) -> bool {
    path.closed
}

fn path_isopen(path: Path) -> bool {
    !path.closed
}

fn path_npoints(path: Path) -> i32 {
    path.points.len() as i32
}

fn path_close(path: Path) -> Path {
    Path {
        closed: true,
        points: path.points,
    }
}

fn path_open(path: Path) -> Path {
    Path {
        closed: false,
        points: path.points,
    }
}

fn path_inter(ctx: &mut FnContext<'_>, a: Path, b: Path) -> PgResult<bool> {
    if !rect::overlap(&bounds(&a.points), &bounds(&b.points)) {
        return Ok(false);
    }
    for x in edges(&a.points, a.closed) {
        ctx.cancel.check()?;
        for y in edges(&b.points, b.closed) {
            if lseg::crosses(&x, &y)?.is_some() {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn path_distance(ctx: &mut FnContext<'_>, a: Path, b: Path) -> PgResult<Option<f64>> {
    let mut best = None;
    for x in edges(&a.points, a.closed) {
        ctx.cancel.check()?;
        for y in edges(&b.points, b.closed) {
            let d = lseg::closest_to_lseg(&x, &y)?.1;
            if best.is_none_or(|old| less(d, old)) {
                best = Some(d);
            }
        }
    }
    Ok(best)
}

fn path_length(path: Path) -> PgResult<f64> {
    edges(&path.points, path.closed).try_fold(0.0, |sum, e| add(sum, distance(&e.p[0], &e.p[1])?))
}

fn path_add(a: Path, b: Path) -> Option<Path> {
    (!a.closed && !b.closed).then(|| Path {
        closed: false,
        points: [a.points, b.points].concat(),
    })
}

fn each(path: Path, f: impl Fn(&Point) -> PgResult<Point>) -> PgResult<Path> {
    Ok(Path {
        closed: path.closed,
        points: path.points.iter().map(f).collect::<PgResult<_>>()?,
    })
}

fn path_add_pt(path: Path, p: Point) -> PgResult<Path> {
    each(path, |q| point::plus(q, &p))
}

fn path_sub_pt(path: Path, p: Point) -> PgResult<Path> {
    each(path, |q| point::minus(q, &p))
}

fn path_mul_pt(path: Path, p: Point) -> PgResult<Path> {
    each(path, |q| point::times(q, &p))
}

fn path_div_pt(path: Path, p: Point) -> PgResult<Path> {
    each(path, |q| point::over(q, &p))
}

fn path_poly(path: Path) -> PgResult<Polygon> {
    if !path.closed {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "open path cannot be converted to polygon"
        ));
    }
    Ok(Polygon { points: path.points })
}

builtins! {
    path_area(path: path) -> float8;
    path_n_lt(a: path, b: path) -> bool;
    path_n_gt(a: path, b: path) -> bool;
    path_n_eq(a: path, b: path) -> bool;
    path_n_le(a: path, b: path) -> bool;
    path_n_ge(a: path, b: path) -> bool;
    path_isclosed(path: path) -> bool;
    path_isopen(path: path) -> bool;
    path_npoints(path: path) -> int4;
    path_close(path: path) -> path;
    path_open(path: path) -> path;
    path_inter(ctx, a: path, b: path) -> bool;
    path_distance(ctx, a: path, b: path) -> float8;
    path_length(path: path) -> float8;
    path_add(a: path, b: path) -> path;
    path_add_pt(path: path, p: point) -> path;
    path_sub_pt(path: path, p: point) -> path;
    path_mul_pt(path: path, p: point) -> path;
    path_div_pt(path: path, p: point) -> path;
    path_poly(path: path) -> polygon;
}
