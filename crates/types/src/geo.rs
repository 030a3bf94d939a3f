//! The geometric types as plain structs, and the form in which they lie in memory.
//!
//! # Format
//! As on the wire, big-endian: coordinates as `float8`; a path is `closed` (1 byte), number of points (4 bytes), points; a
//! polygon the same without the first byte. A box has its upper right corner first.

/// A point.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
#[allow(missing_docs)]
pub struct Point {
    pub x: f64,
    pub y: f64,
}

/// A line segment.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Lseg {
    /// Its ends.
    pub p: [Point; 2],
}

/// A line: the points where `a x + b y + c = 0`.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
#[allow(missing_docs)]
pub struct Line {
    pub a: f64,
    pub b: f64,
    pub c: f64,
}

/// A rectangle.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Rect {
    /// Upper right corner.
    pub high: Point,
    /// Lower left corner.
    pub low: Point,
}

/// A path.
#[derive(Clone, Debug, PartialEq, Default)]
#[allow(missing_docs)]
pub struct Path {
    pub closed: bool,
    pub points: Vec<Point>,
}

/// A polygon.
#[derive(Clone, Debug, PartialEq, Default)]
#[allow(missing_docs)]
pub struct Polygon {
    pub points: Vec<Point>,
}

/// A circle.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
#[allow(missing_docs)]
pub struct Circle {
    pub center: Point,
    pub radius: f64,
}

/// A geometric value in memory.
pub trait Shape: Sized {
    /// Reads the form in memory. Bytes that are missing count as zero: values come from our own encoder.
    fn read(bytes: &[u8]) -> Self;
    /// The form in memory.
    fn bytes(&self) -> Vec<u8>;
}

fn floats(bytes: &[u8]) -> impl Iterator<Item = f64> {
    bytes
        .chunks_exact(8)
        .map(|c| f64::from_bits(c.iter().fold(0u64, |v, b| v << 8 | u64::from(*b))))
}

fn array<const N: usize>(bytes: &[u8]) -> [f64; N] {
    let mut out = [0.0; N];
    for (to, from) in out.iter_mut().zip(floats(bytes)) {
        *to = from;
    }
    out
}

fn put(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_be_bytes()).collect()
}

fn read_points(bytes: &[u8]) -> Vec<Point> {
    let mut values = floats(bytes);
    let mut out = Vec::with_capacity(bytes.len() / 16);
    while let (Some(x), Some(y)) = (values.next(), values.next()) {
        out.push(Point { x, y });
    }
    out
}

fn put_points(points: &[Point], out: &mut Vec<u8>) {
    out.extend_from_slice(&(points.len() as u32).to_be_bytes());
    for p in points {
        out.extend_from_slice(&p.x.to_be_bytes());
        out.extend_from_slice(&p.y.to_be_bytes());
    }
}

impl Shape for Point {
    fn read(bytes: &[u8]) -> Point {
        let [x, y] = array(bytes);
        Point { x, y }
    }
    fn bytes(&self) -> Vec<u8> {
        put(&[self.x, self.y])
    }
}

impl Shape for Lseg {
    fn read(bytes: &[u8]) -> Lseg {
        let [a, b, c, d] = array(bytes);
        Lseg {
            p: [Point { x: a, y: b }, Point { x: c, y: d }],
        }
    }
    fn bytes(&self) -> Vec<u8> {
        put(&[self.p[0].x, self.p[0].y, self.p[1].x, self.p[1].y])
    }
}

impl Shape for Line {
    fn read(bytes: &[u8]) -> Line {
        let [a, b, c] = array(bytes);
        Line { a, b, c }
    }
    fn bytes(&self) -> Vec<u8> {
        put(&[self.a, self.b, self.c])
    }
}

impl Shape for Rect {
    fn read(bytes: &[u8]) -> Rect {
        let [a, b, c, d] = array(bytes);
        Rect {
            high: Point { x: a, y: b },
            low: Point { x: c, y: d },
        }
    }
    fn bytes(&self) -> Vec<u8> {
        put(&[self.high.x, self.high.y, self.low.x, self.low.y])
    }
}

impl Shape for Path {
    fn read(bytes: &[u8]) -> Path {
        Path {
            closed: bytes.first().is_some_and(|b| *b != 0),
            points: read_points(bytes.get(5..).unwrap_or(&[])),
        }
    }
    fn bytes(&self) -> Vec<u8> {
        let mut out = vec![u8::from(self.closed)];
        put_points(&self.points, &mut out);
        out
    }
}

impl Shape for Polygon {
    fn read(bytes: &[u8]) -> Polygon {
        Polygon {
            points: read_points(bytes.get(4..).unwrap_or(&[])),
        }
    }
    fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_points(&self.points, &mut out);
        out
    }
}

impl Shape for Circle {
    fn read(bytes: &[u8]) -> Circle {
        let [x, y, radius] = array(bytes);
        Circle {
            center: Point { x, y },
            radius,
        }
    }
    fn bytes(&self) -> Vec<u8> {
        put(&[self.center.x, self.center.y, self.radius])
    }
}

impl Rect {
    /// The rectangle with these opposite corners.
    pub fn of_corners(a: Point, b: Point) -> Rect {
        let (mut high, mut low) = (a, b);
        if less(high.x, low.x) {
            std::mem::swap(&mut high.x, &mut low.x);
        }
        if less(high.y, low.y) {
            std::mem::swap(&mut high.y, &mut low.y);
        }
        Rect { high, low }
    }
}

/// PostgreSQL's `<` of floats: NaN is greater than everything.
pub fn less(a: f64, b: f64) -> bool {
    crate::compare::compare_f64(a, b).is_lt()
}

/// Distance below which coordinates count as equal.
pub const EPSILON: f64 = 1.0e-6;

/// Zero within [`EPSILON`].
pub fn is_zero(v: f64) -> bool {
    v.abs() <= EPSILON
}

/// Equal within [`EPSILON`]; infinities of one sign are equal.
pub fn near(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= EPSILON
}

impl Point {
    /// Equal within [`EPSILON`]; with a NaN exactly.
    pub fn near(&self, other: &Point) -> bool {
        let nan = self.x.is_nan() || self.y.is_nan() || other.x.is_nan() || other.y.is_nan();
        if nan {
            let same = |a: f64, b: f64| crate::compare::compare_f64(a, b).is_eq();
            return same(self.x, other.x) && same(self.y, other.y);
        }
        near(self.x, other.x) && near(self.y, other.y)
    }
}
