//! Text and wire input and output of the geometric types.
//!
//! The grammar is PostgreSQL's loose one: blanks anywhere, parentheses round points and lists mostly optional. A [`Reader`]
//! walks the text; errors quote all of it.

use common::cancel::CancelToken;
use common::{PgResult, pg_err};

use crate::Datum;
use crate::float;
use crate::geo::{Circle, Line, Lseg, Path, Point, Polygon, Rect, Shape, is_zero};
use crate::io::{IoContext, invalid_input, wrong_datum};
use crate::wire::{Wire, bad_binary, done};

/// Points between two looks at the cancel flag.
const POINTS_UNCHECKED: usize = 1 << 12;

/// The text that is read, with what PostgreSQL calls it in errors.
struct Reader<'a> {
    whole: &'a str,
    rest: &'a str,
    type_name: &'static str,
    cancel: &'a CancelToken,
}

/// White space as C's `isspace` has it.
fn skip_space(s: &str) -> &str {
    s.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c'])
}

/// Bytes of the number at the start of `s`.
fn number_len(s: &str) -> usize {
    let b = s.as_bytes();
    let at = |i: usize| b.get(i).copied().unwrap_or(0);
    let mut i = usize::from(matches!(at(0), b'+' | b'-'));
    let word = |w: &str| s.get(i..i + w.len()).is_some_and(|x| x.eq_ignore_ascii_case(w));
    for w in ["infinity", "inf", "nan"] {
        if word(w) {
            return i + w.len();
        }
    }
    let start = i;
    while at(i).is_ascii_digit() {
        i += 1;
    }
    let mut digits = i - start;
    if at(i) == b'.' {
        let fraction = b[i + 1..].iter().take_while(|c| c.is_ascii_digit()).count();
        digits += fraction;
        i += 1 + fraction;
    }
    if digits == 0 {
        return 0;
    }
    if matches!(at(i), b'e' | b'E') {
        let sign = usize::from(matches!(at(i + 1), b'+' | b'-'));
        let exponent = b[(i + 1 + sign).min(b.len())..]
            .iter()
            .take_while(|c| c.is_ascii_digit())
            .count();
        if exponent > 0 {
            i += 1 + sign + exponent;
        }
    }
    i
}

impl<'a> Reader<'a> {
    fn new(text: &'a str, type_name: &'static str, cancel: &'a CancelToken) -> Reader<'a> {
        Reader {
            whole: text,
            rest: skip_space(text),
            type_name,
            cancel,
        }
    }

    #[cold]
    fn fail<T>(&self) -> PgResult<T> {
        Err(invalid_input(self.type_name, self.whole))
    }

    fn skip(&mut self) {
        self.rest = skip_space(self.rest);
    }

    fn peek(&self, c: char) -> bool {
        self.rest.starts_with(c)
    }

    /// Takes `c` if it is next.
    fn accept(&mut self, c: char) -> bool {
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, c: char) -> PgResult<()> {
        if self.accept(c) { Ok(()) } else { self.fail() }
    }

    fn end(&self) -> PgResult<()> {
        if self.rest.is_empty() { Ok(()) } else { self.fail() }
    }

    /// True when the parenthesis here is the last one of the text.
    fn is_last_parenthesis(&self) -> bool {
        self.rest.rfind('(') == Some(0)
    }

    fn number(&mut self) -> PgResult<f64> {
        self.skip();
        let len = number_len(self.rest);
        if len == 0 {
            return self.fail();
        }
        let value = float::parse_f64(&self.rest[..len], "double precision")?;
        self.rest = &self.rest[len..];
        self.skip();
        Ok(value)
    }

    fn pair(&mut self) -> PgResult<Point> {
        self.skip();
        let wrapped = self.accept('(');
        let x = self.number()?;
        self.expect(',')?;
        let y = self.number()?;
        if wrapped {
            self.expect(')')?;
            self.skip();
        }
        Ok(Point { x, y })
    }

    /// `count` points, perhaps in parentheses or (`may_open`) brackets; true when in brackets.
    fn points(&mut self, count: usize, may_open: bool) -> PgResult<(bool, Vec<Point>)> {
        self.skip();
        let mut depth = 0;
        let open = self.peek('[');
        if open {
            if !may_open {
                return self.fail();
            }
            self.accept('[');
            depth += 1;
        } else if self.peek('(') {
            let inner = skip_space(&self.rest[1..]);
            if inner.starts_with('(') || self.is_last_parenthesis() {
                depth += 1;
                self.rest = inner;
            }
        }
        let mut points = Vec::with_capacity(count);
        for k in 0..count {
            if k % POINTS_UNCHECKED == 0 {
                self.cancel.check()?;
            }
            points.push(self.pair()?);
            self.accept(',');
        }
        while depth > 0 {
            if !(self.accept(')') || open && depth == 1 && self.accept(']')) {
                return self.fail();
            }
            depth -= 1;
            self.skip();
        }
        Ok((open, points))
    }

    fn two_points(&mut self, may_open: bool) -> PgResult<[Point; 2]> {
        let (_, points) = self.points(2, may_open)?;
        self.end()?;
        match points[..] {
            [a, b] => Ok([a, b]),
            _ => self.fail(),
        }
    }

    /// How many points the commas of the text make.
    fn count(&self) -> PgResult<usize> {
        let commas = self.whole.bytes().filter(|b| *b == b',').count();
        if commas % 2 == 1 {
            Ok(commas.div_ceil(2))
        } else {
            self.fail()
        }
    }
}

fn shape<T: Shape>(value: &T) -> PgResult<Datum> {
    Ok(Datum::Bytes(value.bytes().into()))
}

fn read<T: Shape>(value: &Datum) -> PgResult<T> {
    match value {
        Datum::Bytes(b) => Ok(T::read(b)),
        other => Err(wrong_datum("geometric", other)),
    }
}

fn parse_point(text: &str, cancel: &CancelToken) -> PgResult<Point> {
    let mut r = Reader::new(text, "point", cancel);
    let p = r.pair()?;
    r.end()?;
    Ok(p)
}

fn parse_path(text: &str, cancel: &CancelToken) -> PgResult<Path> {
    let mut r = Reader::new(text, "path", cancel);
    let count = r.count()?;
    let wrapped = r.peek('(') && r.is_last_parenthesis();
    if wrapped {
        r.accept('(');
    }
    let (open, points) = r.points(count, true)?;
    if wrapped {
        r.expect(')')?;
        r.skip();
    }
    r.end()?;
    Ok(Path {
        closed: !open,
        points,
    })
}

fn parse_circle(text: &str, cancel: &CancelToken) -> PgResult<Circle> {
    let mut r = Reader::new(text, "circle", cancel);
    let mut depth = 0;
    let angle = r.accept('<');
    if angle {
        depth += 1;
    } else if r.peek('(') {
        let inner = skip_space(&r.rest[1..]);
        if inner.starts_with('(') {
            depth += 1;
            r.rest = inner;
        }
    }
    let center = r.pair()?;
    r.accept(',');
    let radius = r.number()?;
    if radius < 0.0 {
        return r.fail();
    }
    while depth > 0 {
        if !(r.accept(')') || depth == 1 && r.accept('>')) {
            return r.fail();
        }
        depth -= 1;
        r.skip();
    }
    r.end()?;
    Ok(Circle { center, radius })
}

/// The line through two points, with its slope.
pub fn line_through(p: Point, slope: f64) -> Line {
    if slope.is_infinite() {
        return Line {
            a: -1.0,
            b: 0.0,
            c: p.x,
        };
    }
    if slope == 0.0 {
        return Line {
            a: 0.0,
            b: -1.0,
            c: p.y,
        };
    }
    let c = p.y - slope * p.x;
    Line {
        a: slope,
        b: -1.0,
        // No negative zero.
        c: if c == 0.0 { 0.0 } else { c },
    }
}

/// The slope from one point to another; infinite when it is vertical.
pub fn slope(p: Point, q: Point) -> f64 {
    if crate::geo::near(p.x, q.x) {
        f64::INFINITY
    } else if crate::geo::near(p.y, q.y) {
        0.0
    } else {
        (p.y - q.y) / (p.x - q.x)
    }
}

fn parse_line(text: &str, cancel: &CancelToken) -> PgResult<Line> {
    let mut r = Reader::new(text, "line", cancel);
    if !r.accept('{') {
        let [p, q] = r.two_points(true)?;
        if p.near(&q) {
            return Err(pg_err!(
                INVALID_TEXT_REPRESENTATION,
                "invalid line specification: must be two distinct points"
            ));
        }
        return Ok(line_through(p, slope(p, q)));
    }
    let a = r.number()?;
    r.expect(',')?;
    let b = r.number()?;
    r.expect(',')?;
    let c = r.number()?;
    r.expect('}')?;
    r.skip();
    r.end()?;
    if is_zero(a) && is_zero(b) {
        return Err(pg_err!(
            INVALID_TEXT_REPRESENTATION,
            "invalid line specification: A and B cannot both be zero"
        ));
    }
    Ok(Line { a, b, c })
}

/// `point` from text.
pub fn point_in(text: &str, _: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
    shape(&parse_point(text, ctx.cancel)?)
}

/// `lseg` from text.
pub fn lseg_in(text: &str, _: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
    let p = Reader::new(text, "lseg", ctx.cancel).two_points(true)?;
    shape(&Lseg { p })
}

/// `line` from text.
pub fn line_in(text: &str, _: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
    shape(&parse_line(text, ctx.cancel)?)
}

/// `box` from text.
pub fn box_in(text: &str, _: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
    let [a, b] = Reader::new(text, "box", ctx.cancel).two_points(false)?;
    shape(&Rect::of_corners(a, b))
}

/// `path` from text.
pub fn path_in(text: &str, _: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
    shape(&parse_path(text, ctx.cancel)?)
}

/// `polygon` from text.
pub fn polygon_in(text: &str, _: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
    let mut r = Reader::new(text, "polygon", ctx.cancel);
    let count = r.count()?;
    let (_, points) = r.points(count, false)?;
    r.end()?;
    shape(&Polygon { points })
}

/// `circle` from text.
pub fn circle_in(text: &str, _: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
    shape(&parse_circle(text, ctx.cancel)?)
}

fn push_number(v: f64, ctx: &IoContext<'_>, out: &mut String) {
    float::push_f64(v, ctx.settings.extra_float_digits, out);
}

fn push_pair(p: &Point, ctx: &IoContext<'_>, out: &mut String) {
    push_number(p.x, ctx, out);
    out.push(',');
    push_number(p.y, ctx, out);
}

fn push_points(points: &[Point], ctx: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    for (i, p) in points.iter().enumerate() {
        if i % POINTS_UNCHECKED == 0 {
            ctx.cancel.check()?;
        }
        out.push_str(if i > 0 { ",(" } else { "(" });
        push_pair(p, ctx, out);
        out.push(')');
    }
    Ok(())
}

fn push_wrapped(points: &[Point], ends: [char; 2], ctx: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    out.push(ends[0]);
    push_points(points, ctx, out)?;
    out.push(ends[1]);
    Ok(())
}

/// `point` to text.
pub fn point_out(value: &Datum, ctx: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    push_points(&[read(value)?], ctx, out)
}

/// `lseg` to text.
pub fn lseg_out(value: &Datum, ctx: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    push_wrapped(&read::<Lseg>(value)?.p, ['[', ']'], ctx, out)
}

/// `line` to text.
pub fn line_out(value: &Datum, ctx: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    let line: Line = read(value)?;
    out.push('{');
    push_number(line.a, ctx, out);
    out.push(',');
    push_number(line.b, ctx, out);
    out.push(',');
    push_number(line.c, ctx, out);
    out.push('}');
    Ok(())
}

/// `box` to text.
pub fn box_out(value: &Datum, ctx: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    let b: Rect = read(value)?;
    push_points(&[b.high, b.low], ctx, out)
}

/// `path` to text.
pub fn path_out(value: &Datum, ctx: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    let path: Path = read(value)?;
    let ends = if path.closed { ['(', ')'] } else { ['[', ']'] };
    push_wrapped(&path.points, ends, ctx, out)
}

/// `polygon` to text.
pub fn polygon_out(value: &Datum, ctx: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    push_wrapped(&read::<Polygon>(value)?.points, ['(', ')'], ctx, out)
}

/// `circle` to text.
pub fn circle_out(value: &Datum, ctx: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    let c: Circle = read(value)?;
    out.push_str("<(");
    push_pair(&c.center, ctx, out);
    out.push_str("),");
    push_number(c.radius, ctx, out);
    out.push('>');
    Ok(())
}

fn fixed(bytes: &[u8], len: usize) -> PgResult<Datum> {
    if bytes.len() == len {
        Ok(Datum::Bytes(bytes.into()))
    } else {
        Err(bad_binary())
    }
}

/// `point` from the wire.
pub fn point_recv(bytes: &[u8], _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    fixed(bytes, 16)
}

/// `lseg` from the wire.
pub fn lseg_recv(bytes: &[u8], _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    fixed(bytes, 32)
}

/// `line` from the wire.
pub fn line_recv(bytes: &[u8], _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    let value = fixed(bytes, 24)?;
    let line = Line::read(bytes);
    if is_zero(line.a) && is_zero(line.b) {
        return Err(pg_err!(
            INVALID_BINARY_REPRESENTATION,
            "invalid line specification: A and B cannot both be zero"
        ));
    }
    Ok(value)
}

/// `box` from the wire.
pub fn box_recv(bytes: &[u8], _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    fixed(bytes, 32)?;
    let b = Rect::read(bytes);
    shape(&Rect::of_corners(b.high, b.low))
}

/// A list of points behind `head` bytes; PostgreSQL keeps it behind `fixed` bytes of its own.
fn listed<'b>(bytes: &'b [u8], head: usize, name: &str, fixed: u64) -> PgResult<Wire<'b>> {
    let mut wire = Wire(bytes);
    wire.single_bytes(head)?;
    let count = wire.int()?;
    if count <= 0 || count as usize >= i32::MAX as usize / 16 {
        return Err(pg_err!(
            INVALID_BINARY_REPRESENTATION,
            "invalid number of points in external \"{name}\" value"
        ));
    }
    let size = fixed + 16 * count as u64;
    if size > 0x3fff_ffff {
        return Err(common::internal!("invalid memory alloc request size {size}"));
    }
    wire.take(count as usize * 16)?;
    Ok(wire)
}

/// `path` from the wire.
pub fn path_recv(bytes: &[u8], _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    let rest = listed(bytes, 1, "path", 16)?;
    done(rest.0)?;
    let mut value = bytes.to_vec();
    if let Some(closed) = value.first_mut() {
        *closed = u8::from(*closed != 0);
    }
    Ok(Datum::Bytes(value.into()))
}

/// `polygon` from the wire.
pub fn polygon_recv(bytes: &[u8], _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    let rest = listed(bytes, 0, "polygon", 40)?;
    done(rest.0)?;
    Ok(Datum::Bytes(bytes.into()))
}

/// `circle` from the wire.
pub fn circle_recv(bytes: &[u8], _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    let value = fixed(bytes, 24)?;
    if Circle::read(bytes).radius < 0.0 {
        return Err(pg_err!(
            INVALID_BINARY_REPRESENTATION,
            "invalid radius in external \"circle\" value"
        ));
    }
    Ok(value)
}
