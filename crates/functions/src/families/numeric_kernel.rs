//! `+`, `-` and `*` of `numeric` over batches: short numbers in a tight loop.
//!
//! # How it works
//! Columns mostly are decimals ([`types::Decimals`]): integers with one scale. Then sums and products are computed for all rows of a
//! batch in one loop ([`decimals`]), selected or not, as nothing in it can fail, and are decimals again. The same goes for numbers that
//! come in the general form and have one scale ([`uniform`]); where a number does not fit or has a scale of its own, as quotients do, there
//! is another loop by 128 bits ([`wide`]). What does not fit that either goes the general way of `types::numeric`.

use common::cancel::CancelToken;
use common::{PgResult, internal};
use types::{Bitmap, Datum, Decimals, Numeric, Selection, Vector, VectorData, numeric, oids};

use crate::framework::context::FnContext;
use crate::framework::phys::{self, Column};
use crate::framework::registry::{Builtin, Kernels};

/// An operation of two numbers.
trait Arith {
    /// `types::numeric` has the short way first, and inlines it.
    fn compute(a: &Numeric, b: &Numeric) -> PgResult<Numeric>;

    /// What the digits of numbers with these scales must be multiplied by beforehand, and the scale of the results.
    fn scales(a: u16, b: u16) -> Option<(i128, i128, u16)> {
        let lift = |from: u16, to: u16| numeric::pow10_i128(u32::from(to - from));
        let scale = a.max(b);
        Some((lift(a, scale)?, lift(b, scale)?, scale))
    }

    /// The operation on digits, and whether the result does not fit.
    fn digits(a: i64, b: i64) -> (i64, bool);

    /// The operation on digits of at most so many bits cannot overflow.
    fn fits(a_bits: u32, b_bits: u32) -> bool {
        a_bits.max(b_bits) < 62
    }

    /// The same by 128 bits.
    fn wide(a: i128, b: i128) -> Option<i128>;
}

struct Add;
struct Sub;
struct Mul;

impl Arith for Add {
    #[inline(always)]
    fn compute(a: &Numeric, b: &Numeric) -> PgResult<Numeric> {
        numeric::add(a, b)
    }

    #[inline(always)]
    fn digits(a: i64, b: i64) -> (i64, bool) {
        a.overflowing_add(b)
    }

    #[inline(always)]
    fn wide(a: i128, b: i128) -> Option<i128> {
        a.checked_add(b)
    }
}

impl Arith for Sub {
    #[inline(always)]
    fn compute(a: &Numeric, b: &Numeric) -> PgResult<Numeric> {
        numeric::sub(a, b)
    }

    #[inline(always)]
    fn digits(a: i64, b: i64) -> (i64, bool) {
        a.overflowing_sub(b)
    }

    #[inline(always)]
    fn wide(a: i128, b: i128) -> Option<i128> {
        a.checked_sub(b)
    }
}

impl Arith for Mul {
    #[inline(always)]
    fn compute(a: &Numeric, b: &Numeric) -> PgResult<Numeric> {
        numeric::mul(a, b)
    }

    fn scales(a: u16, b: u16) -> Option<(i128, i128, u16)> {
        // Far below the greatest scale that there is.
        a.checked_add(b).filter(|s| *s < 1_000).map(|scale| (1, 1, scale))
    }

    #[inline(always)]
    fn digits(a: i64, b: i64) -> (i64, bool) {
        a.overflowing_mul(b)
    }

    fn fits(a_bits: u32, b_bits: u32) -> bool {
        a_bits + b_bits < 63
    }

    #[inline(always)]
    fn wide(a: i128, b: i128) -> Option<i128> {
        numeric::mul_wide(a, b)
    }
}

/// One side of an operation over decimals: digits per row, or those of one number for all.
pub(crate) enum Digits<'a> {
    Column(&'a [i64]),
    One(i64),
}

impl<'a> Digits<'a> {
    /// The digits and their scale; `None` for what is no column of decimals, and for NULL.
    pub(crate) fn of(vector: &'a Vector) -> Option<(Digits<'a>, u16)> {
        if !vector.is_constant() {
            let decimals = vector.decimals()?;
            return Some((Digits::Column(&decimals.digits), decimals.scale));
        }
        match vector.numeric(0).filter(|_| !vector.is_null(0))? {
            Numeric::Small { unscaled, scale } => Some((Digits::One(unscaled), scale)),
            _ => None,
        }
    }

    /// The absolute value of no number is greater than 2 to this.
    pub(crate) fn bits(&self) -> u32 {
        let size = |v: &i64| (v ^ (v >> 63)) as u64;
        let all = match self {
            Digits::Column(values) => values.iter().fold(0, |all, v| all | size(v)),
            Digits::One(value) => size(value),
        };
        64 - all.leading_zeros()
    }
}

/// Rows that are NULL in neither; `None`: all.
pub(crate) fn both_valid(left: &Vector, right: &Vector, rows: usize) -> Option<Bitmap> {
    let bits = |v: &Vector| v.validity().filter(|_| !v.is_constant()).cloned();
    match (bits(left), bits(right)) {
        (None, other) | (other, None) => other,
        (Some(mut a), Some(b)) => {
            debug_assert_eq!(a.len(), rows);
            a.and_with(&b);
            Some(a)
        }
    }
}

/// `f` of each pair of digits; `None` for two single numbers.
#[inline(always)]
pub(crate) fn each_pair<T>(
    left: &Digits<'_>,
    right: &Digits<'_>,
    mut f: impl FnMut(i64, i64) -> T,
) -> Option<Vec<T>> {
    Some(match (left, right) {
        (Digits::Column(a), Digits::Column(b)) => a.iter().zip(*b).map(|(&x, &y)| f(x, y)).collect(),
        (Digits::Column(a), &Digits::One(y)) => a.iter().map(|&x| f(x, y)).collect(),
        (&Digits::One(x), Digits::Column(b)) => b.iter().map(|&y| f(x, y)).collect(),
        (Digits::One(_), Digits::One(_)) => return None,
    })
}

/// The results for all rows of decimals.
fn decimals<A: Arith>(left: &Vector, right: &Vector) -> Option<Decimals> {
    let ((a, s), (b, t)) = (Digits::of(left)?, Digits::of(right)?);
    let (lift_a, lift_b, scale) = A::scales(s, t)?;
    let (lift_a, lift_b) = (i64::try_from(lift_a).ok()?, i64::try_from(lift_b).ok()?);
    let bits = |digits: &Digits<'_>, lift: i64| digits.bits() + (64 - (lift - 1).leading_zeros());
    let (a_bits, b_bits) = (bits(&a, lift_a), bits(&b, lift_b));
    if a_bits.max(b_bits) < 63 && A::fits(a_bits, b_bits) {
        let digits = match (lift_a, lift_b) {
            (1, 1) => each_pair(&a, &b, |x, y| A::digits(x, y).0),
            _ => each_pair(&a, &b, |x, y| {
                A::digits(x.wrapping_mul(lift_a), y.wrapping_mul(lift_b)).0
            }),
        };
        return digits.map(|digits| Decimals { scale, digits });
    }
    let mut failed = false;
    let digits = each_pair(&a, &b, |x, y| {
        let ((x, over_x), (y, over_y)) = (x.overflowing_mul(lift_a), y.overflowing_mul(lift_b));
        let (result, over) = A::digits(x, y);
        failed |= over | over_x | over_y;
        result
    });
    digits
        .filter(|_| !failed)
        .map(|digits| Decimals { scale, digits })
}

/// One side of an operation over a batch: a number per row, or one for all.
enum Side<'a> {
    Column(&'a [Numeric]),
    One(&'a Numeric),
}

impl<'a> Side<'a> {
    /// `None` where rows may be NULL.
    fn new(vector: &Vector, column: &Column<'a, phys::Numeric>) -> Option<Side<'a>> {
        match vector.is_constant() {
            true => column.get(0).map(Side::One),
            false => column.dense().map(Side::Column),
        }
    }

    fn first_scale(&self) -> Option<u16> {
        let first = match self {
            Side::Column(values) => values.first()?,
            Side::One(value) => value,
        };
        match first {
            Numeric::Small { scale, .. } | Numeric::Wide { scale, .. } => Some(*scale),
            _ => None,
        }
    }
}

/// The results for all rows, when the numbers of each side have one scale and everything fits 64 bits.
fn uniform<A: Arith>(left: &Side<'_>, right: &Side<'_>, rows: usize) -> Option<Decimals> {
    let (s, t) = (left.first_scale()?, right.first_scale()?);
    let (lift_left, lift_right, scale) = A::scales(s, t)?;
    let (lift_left, lift_right) = (i64::try_from(lift_left).ok()?, i64::try_from(lift_right).ok()?);
    let mut out = Vec::with_capacity(rows);
    let mut failed = false;
    let mut step = |a: &Numeric, b: &Numeric| -> bool {
        let (
            Numeric::Small {
                unscaled: x,
                scale: p,
            },
            Numeric::Small {
                unscaled: y,
                scale: q,
            },
        ) = (a, b)
        else {
            return false;
        };
        let (x, over_x) = x.overflowing_mul(lift_left);
        let (y, over_y) = y.overflowing_mul(lift_right);
        let (unscaled, over) = A::digits(x, y);
        failed |= over | over_x | over_y;
        out.push(unscaled);
        *p == s && *q == t && !failed
    };
    let same = match (left, right) {
        (Side::Column(a), Side::Column(b)) => a.iter().zip(*b).all(|(a, b)| step(a, b)),
        (Side::Column(a), Side::One(b)) => a.iter().all(|a| step(a, b)),
        (Side::One(a), Side::Column(b)) => b.iter().all(|b| step(a, b)),
        (Side::One(_), Side::One(_)) => return None,
    };
    (same && !failed && out.len() == rows).then_some(Decimals { scale, digits: out })
}

/// The same for numbers of up to 96 bits and results of up to 128, most of one scale per side; those that do not fit go the general way by
/// themselves. `None` when one fails, or nobody waits for them any more.
fn wide<A: Arith>(
    cancel: &CancelToken,
    left: &Side<'_>,
    right: &Side<'_>,
    rows: usize,
) -> Option<Vec<Numeric>> {
    let first = left.first_scale().zip(right.first_scale());
    let usual = first.and_then(|(s, t)| Some((s, t, A::scales(s, t)?)));
    let short = |value: &Numeric| match value {
        Numeric::Small { .. } | Numeric::Wide { .. } => value.to_i128(),
        _ => None,
    };
    let lift = |digits: i128, by: i128| match by {
        1 => Some(digits),
        _ => numeric::mul_wide(digits, by),
    };
    let by_digits = |a: &Numeric, b: &Numeric| {
        let ((x, p), (y, q)) = (short(a)?, short(b)?);
        let (lift_a, lift_b, scale) = match &usual {
            Some((s, t, scales)) if *s == p && *t == q => *scales,
            _ => A::scales(p, q)?,
        };
        let digits = A::wide(lift(x, lift_a)?, lift(y, lift_b)?)?;
        Some(Numeric::from_i128(digits, scale))
    };
    // A loop of its own: `collect` into an option is not always made one.
    let mut out = Vec::with_capacity(rows);
    let general = |a: &Numeric, b: &Numeric| {
        // The caller finds out that this was no failure.
        match cancel.is_cancelled() {
            true => None,
            false => A::compute(a, b).ok(),
        }
    };
    let mut step = |a: &Numeric, b: &Numeric| match by_digits(a, b).or_else(|| general(a, b)) {
        Some(result) => {
            out.push(result);
            true
        }
        None => false,
    };
    let done = match (left, right) {
        (Side::Column(a), Side::Column(b)) => a.iter().zip(*b).all(|(a, b)| step(a, b)),
        (Side::Column(a), Side::One(b)) => a.iter().all(|a| step(a, b)),
        (Side::One(a), Side::Column(b)) => b.iter().all(|b| step(a, b)),
        (Side::One(_), Side::One(_)) => false,
    };
    (done && out.len() == rows).then_some(out)
}

fn vector<A: Arith>(
    ctx: &mut FnContext<'_>,
    args: &[&Vector],
    sel: &Selection,
    out: &mut Vector,
) -> PgResult<()> {
    let [left, right] = args else {
        return Err(internal!("operator without its arguments"));
    };
    if let Some(computed) = decimals::<A>(left, right) {
        let validity = both_valid(left, right, out.len());
        out.set_decimals(computed);
        out.set_validity(validity);
        return Ok(());
    }
    let (a, b) = (
        Column::<phys::Numeric>::open(left)?,
        Column::<phys::Numeric>::open(right)?,
    );
    let rows = out.len();
    let sides = (Side::new(left, &a), Side::new(right, &b));
    if sel.len() * 3 >= rows
        && let (Some(a), Some(b)) = sides
    {
        if let Some(computed) = uniform::<A>(&a, &b, rows) {
            out.set_decimals(computed);
            return Ok(());
        }
        if let Some(computed) = wide::<A>(ctx.cancel, &a, &b, rows) {
            *out = Vector::new(VectorData::Numeric(computed), None);
            return Ok(());
        }
    }
    let (data, validity) = out.parts_mut();
    let VectorData::Numeric(data) = data else {
        return Err(internal!("operator on numeric gives numeric"));
    };
    sel.try_for_each(|i| {
        match (a.get(i), b.get(i)) {
            (Some(x), Some(y)) => {
                ctx.cancel.check()?;
                data[i] = A::compute(x, y)?;
            }
            _ => validity
                .get_or_insert_with(|| Bitmap::filled(rows, true))
                .set(i, false),
        }
        Ok(())
    })
}

fn scalar<A: Arith>(_ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    match args {
        [Datum::Numeric(a), Datum::Numeric(b)] => A::compute(a, b).map(Datum::Numeric),
        _ => Ok(Datum::Null),
    }
}

const fn entry<A: Arith>(name: &'static str) -> Builtin {
    Builtin {
        name,
        args: &[oids::NUMERIC, oids::NUMERIC],
        result: oids::NUMERIC,
        kernels: Kernels {
            vector: vector::<A>,
            scalar: scalar::<A>,
        },
    }
}

/// By `prosrc`.
pub(crate) static BUILTINS: &[Builtin] = &[
    entry::<Add>("numeric_add"),
    entry::<Sub>("numeric_sub"),
    entry::<Mul>("numeric_mul"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn small(unscaled: i64, scale: u16) -> Numeric {
        Numeric::Small { unscaled, scale }
    }

    #[test]
    fn all_at_once_or_one_by_one_is_the_same() {
        let a = [small(125, 2), small(-7, 2), small(i64::MAX, 2)];
        let b = [small(3, 1), small(40, 1), small(5, 1)];
        fn check<A: Arith>(a: &[Numeric], b: &[Numeric]) -> bool {
            let all = uniform::<A>(&Side::Column(a), &Side::Column(b), a.len());
            let single = a.iter().zip(b).map(|(a, b)| A::compute(a, b));
            let wide = wide::<A>(CancelToken::never(), &Side::Column(a), &Side::Column(b), a.len());
            wide == single.clone().map(Result::ok).collect()
                && all.is_some_and(|all| {
                    all.digits
                        .into_iter()
                        .zip(single)
                        .all(|(x, y)| Ok(small(x, all.scale)) == y.map_err(|_| ()))
                })
        }
        assert!(
            check::<Add>(&a[..2], &b[..2])
                && check::<Sub>(&a[..2], &b[..2])
                && check::<Mul>(&a[..2], &b[..2])
        );
        // Too large, another scale, no number.
        assert!(uniform::<Add>(&Side::Column(&a), &Side::Column(&b), 3).is_none());
        assert!(uniform::<Add>(&Side::Column(&[small(1, 1), small(1, 2)]), &Side::One(&b[0]), 2).is_none());
        assert!(uniform::<Mul>(&Side::One(&Numeric::NaN), &Side::Column(&b), 3).is_none());
        // Beyond 64 and 96 bits.
        let c = [
            small(i64::MAX, 20),
            small(-1, 20),
            Numeric::from_i128(1 << 94, 20),
        ];
        fn same<A: Arith>(a: &[Numeric], b: &[Numeric]) -> bool {
            let single = a.iter().zip(b).map(|(a, b)| A::compute(a, b).ok()).collect();
            wide::<A>(CancelToken::never(), &Side::Column(a), &Side::Column(b), a.len()) == single
        }
        assert!(same::<Add>(&a, &c) && same::<Sub>(&c, &a));
        assert!(same::<Mul>(&a, &c));
    }

    #[test]
    fn numbers_with_scales_of_their_own_compute_as_single_ones_do() {
        fn same<A: Arith>(a: &[Numeric], b: &[Numeric]) -> bool {
            let single: Option<Vec<Numeric>> = a.iter().zip(b).map(|(a, b)| A::compute(a, b).ok()).collect();
            single.is_some()
                && wide::<A>(CancelToken::never(), &Side::Column(a), &Side::Column(b), a.len()) == single
        }
        let mut stream = Stream(3);
        let mut number = || {
            let (bits, scale) = ((stream.next() % 64 + 1) as u32, (stream.next() % 30) as u16);
            match stream.next() % 9 {
                0 => Numeric::NaN,
                1 => Numeric::from_i128(i128::from(stream.digits(64)) << 40, scale),
                2 | 3 => Numeric::from_i128(i128::from(stream.digits(64)) << 24, scale),
                _ => small(stream.digits(bits), scale),
            }
        };
        for _ in 0..500 {
            let (a, b): (Vec<_>, Vec<_>) = (0..20).map(|_| (number(), number())).unzip();
            assert!(same::<Add>(&a, &b) && same::<Sub>(&a, &b) && same::<Mul>(&a, &b));
        }
    }

    /// A stream of numbers, the same each time.
    struct Stream(u64);

    impl Stream {
        fn next(&mut self) -> u64 {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            self.0 ^ self.0 >> 33
        }

        /// Digits of up to so many bits, of both signs; sometimes the extremes.
        fn digits(&mut self, bits: u32) -> i64 {
            match self.next() % 50 {
                0 if bits == 64 => i64::MIN,
                1 if bits == 64 => i64::MAX,
                2 => 0,
                _ => (self.next() as i64) >> (64 - bits),
            }
        }

        /// A column, or one number for all rows.
        fn side(&mut self, rows: usize) -> Vector {
            let (bits, scale) = ((self.next() % 64 + 1) as u32, (self.next() % 20) as u16);
            if self.next() % 4 == 0 {
                let one = Datum::Numeric(small(self.digits(bits), scale));
                return Vector::constant(types::PhysType::Numeric, &one, rows);
            }
            let digits = (0..rows).map(|_| self.digits(bits)).collect();
            let mut column = Vector::of_decimals(Decimals { scale, digits }, None);
            if self.next() % 3 == 0 {
                (0..rows)
                    .filter(|_| self.next() % 5 == 0)
                    .for_each(|i| column.set_null(i));
            }
            column
        }
    }

    fn agrees<A: Arith>(left: &Vector, right: &Vector) -> bool {
        let Some(computed) = decimals::<A>(left, right) else {
            return false;
        };
        let out = Vector::of_decimals(computed, both_valid(left, right, left.len()));
        for i in 0..left.len() {
            if out.is_null(i) || left.is_null(i) || right.is_null(i) {
                assert_eq!(out.is_null(i), left.is_null(i) || right.is_null(i));
                continue;
            }
            let (a, b) = (
                left.numeric(i).unwrap_or_default(),
                right.numeric(i).unwrap_or_default(),
            );
            assert_eq!(out.numeric(i), A::compute(&a, &b).ok(), "{a} and {b}");
        }
        true
    }

    #[test]
    fn decimals_compute_as_numbers_do() {
        let (mut stream, mut computed) = (Stream(7), [0; 3]);
        for _ in 0..3_000 {
            let rows = (stream.next() % 9 + 1) as usize;
            let (left, right) = (stream.side(rows), stream.side(rows));
            computed[0] += usize::from(agrees::<Add>(&left, &right));
            computed[1] += usize::from(agrees::<Sub>(&left, &right));
            computed[2] += usize::from(agrees::<Mul>(&left, &right));
        }
        assert!(computed.iter().all(|n| *n > 500), "{computed:?}");
    }
}
