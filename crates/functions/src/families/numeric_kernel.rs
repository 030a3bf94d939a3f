//! `+`, `-` and `*` of `numeric` over batches: short numbers in a tight loop.
//!
//! # How it works
//! A number whose digits fit 64 bits is two integers, and the numbers of a column mostly have one scale. Then sums and products are
//! computed for all rows of a batch in one loop ([`uniform`]), selected or not, as nothing in it can fail; where a number does not fit,
//! in another loop by 128 bits ([`wide`]). What does not fit those either sends the selected rows the general way of `types::numeric`.

use common::{PgResult, internal};
use types::{Bitmap, Datum, Numeric, Selection, Vector, VectorData, numeric, oids};

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

    #[inline(always)]
    fn wide(a: i128, b: i128) -> Option<i128> {
        numeric::mul_wide(a, b)
    }
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
fn uniform<A: Arith>(left: &Side<'_>, right: &Side<'_>, rows: usize) -> Option<Vec<Numeric>> {
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
        out.push(Numeric::Small { unscaled, scale });
        *p == s && *q == t
    };
    let same = match (left, right) {
        (Side::Column(a), Side::Column(b)) => a.iter().zip(*b).all(|(a, b)| step(a, b)),
        (Side::Column(a), Side::One(b)) => a.iter().all(|a| step(a, b)),
        (Side::One(a), Side::Column(b)) => b.iter().all(|b| step(a, b)),
        (Side::One(_), Side::One(_)) => return None,
    };
    (same && !failed && out.len() == rows).then_some(out)
}

/// The same for numbers of up to 96 bits and results of up to 128.
fn wide<A: Arith>(left: &Side<'_>, right: &Side<'_>, rows: usize) -> Option<Vec<Numeric>> {
    let (s, t) = (left.first_scale()?, right.first_scale()?);
    let (lift_left, lift_right, scale) = A::scales(s, t)?;
    let lift = |value: &Numeric, scale: u16, by: i128| match value {
        Numeric::Small { .. } | Numeric::Wide { .. } => {
            let (digits, _) = value.to_i128().filter(|(_, found)| *found == scale)?;
            if by == 1 {
                Some(digits)
            } else {
                numeric::mul_wide(digits, by)
            }
        }
        _ => None,
    };
    let step = |a: &Numeric, b: &Numeric| {
        let digits = A::wide(lift(a, s, lift_left)?, lift(b, t, lift_right)?)?;
        Some(Numeric::from_i128(digits, scale))
    };
    let out: Option<Vec<Numeric>> = match (left, right) {
        (Side::Column(a), Side::Column(b)) => a.iter().zip(*b).map(|(a, b)| step(a, b)).collect(),
        (Side::Column(a), Side::One(b)) => a.iter().map(|a| step(a, b)).collect(),
        (Side::One(a), Side::Column(b)) => b.iter().map(|b| step(a, b)).collect(),
        (Side::One(_), Side::One(_)) => None,
    };
    out.filter(|out| out.len() == rows)
}

fn vector<A: Arith>(
    _ctx: &mut FnContext<'_>,
    args: &[&Vector],
    sel: &Selection,
    out: &mut Vector,
) -> PgResult<()> {
    let [left, right] = args else {
        return Err(internal!("operator without its arguments"));
    };
    let (a, b) = (
        Column::<phys::Numeric>::open(left)?,
        Column::<phys::Numeric>::open(right)?,
    );
    let rows = out.len();
    let (data, validity) = out.parts_mut();
    let VectorData::Numeric(data) = data else {
        return Err(internal!("operator on numeric gives numeric"));
    };
    if sel.len() * 3 >= rows
        && let (Some(a), Some(b)) = (Side::new(left, &a), Side::new(right, &b))
        && let Some(computed) = uniform::<A>(&a, &b, rows).or_else(|| wide::<A>(&a, &b, rows))
    {
        *data = computed;
        return Ok(());
    }
    sel.try_for_each(|i| {
        match (a.get(i), b.get(i)) {
            (Some(x), Some(y)) => data[i] = A::compute(x, y)?,
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
            let wide = wide::<A>(&Side::Column(a), &Side::Column(b), a.len());
            wide == single.clone().map(Result::ok).collect()
                && all.is_some_and(|all| {
                    all.into_iter()
                        .zip(single)
                        .all(|(x, y)| Ok(x) == y.map_err(|_| ()))
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
            wide::<A>(&Side::Column(a), &Side::Column(b), a.len()) == single
        }
        assert!(same::<Add>(&a, &c) && same::<Sub>(&c, &a));
        assert!(same::<Mul>(&a[..2], &c[1..]) && !same::<Mul>(&a, &c));
    }
}
