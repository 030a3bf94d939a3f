//! Comparisons of `numeric` over batches: decimals as the integers that they are.

use std::cmp::Ordering;

use common::{PgResult, internal};
use types::{Bitmap, Datum, Selection, Vector, VectorData, numeric, oids};

use crate::families::numeric_kernel::{Digits, both_valid, each_pair};
use crate::framework::context::FnContext;
use crate::framework::phys::{self, Column};
use crate::framework::registry::{Builtin, Kernels};

/// A comparison operator.
trait Test {
    fn holds(order: Ordering) -> bool;
}

macro_rules! tests {
    ($($name:ident $method:ident;)*) => {$(
        struct $name;
        impl Test for $name {
            #[inline(always)]
            fn holds(order: Ordering) -> bool {
                order.$method()
            }
        }
    )*};
}

tests! {
    Equal is_eq;
    Unequal is_ne;
    Less is_lt;
    LessOrEqual is_le;
    Greater is_gt;
    GreaterOrEqual is_ge;
}

/// Which rows of decimals pass.
fn decimals<T: Test>(left: &Vector, right: &Vector) -> Option<Vec<bool>> {
    let ((a, s), (b, t)) = (Digits::of(left)?, Digits::of(right)?);
    let lift = |from: u16| i64::try_from(numeric::pow10_i128(u32::from(s.max(t) - from))?).ok();
    let (lift_a, lift_b) = (lift(s)?, lift(t)?);
    if (lift_a, lift_b) == (1, 1) {
        return each_pair(&a, &b, |x, y| T::holds(x.cmp(&y)));
    }
    let bits = |lift: i64| 64 - lift.leading_zeros();
    if a.bits() + bits(lift_a) > 62 || b.bits() + bits(lift_b) > 62 {
        return None;
    }
    each_pair(&a, &b, |x, y| T::holds((x * lift_a).cmp(&(y * lift_b))))
}

fn vector<T: Test>(
    _ctx: &mut FnContext<'_>,
    args: &[&Vector],
    sel: &Selection,
    out: &mut Vector,
) -> PgResult<()> {
    let [left, right] = args else {
        return Err(internal!("operator without its arguments"));
    };
    let rows = out.len();
    let wrong = || internal!("comparison of numeric gives boolean");
    if let Some(passed) = decimals::<T>(left, right) {
        let VectorData::Bool(data) = out.data_mut() else {
            return Err(wrong());
        };
        *data = passed;
        out.set_validity(both_valid(left, right, rows));
        return Ok(());
    }
    let (a, b) = (
        Column::<phys::Numeric>::open(left)?,
        Column::<phys::Numeric>::open(right)?,
    );
    let (VectorData::Bool(data), validity) = out.parts_mut() else {
        return Err(wrong());
    };
    sel.for_each(|i| match (a.get(i), b.get(i)) {
        (Some(x), Some(y)) => data[i] = T::holds(x.compare(y)),
        _ => validity
            .get_or_insert_with(|| Bitmap::filled(rows, true))
            .set(i, false),
    });
    Ok(())
}

fn scalar<T: Test>(_ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    match args {
        [Datum::Numeric(a), Datum::Numeric(b)] => Ok(Datum::Bool(T::holds(a.compare(b)))),
        _ => Ok(Datum::Null),
    }
}

const fn entry<T: Test>(name: &'static str) -> Builtin {
    Builtin {
        name,
        args: &[oids::NUMERIC, oids::NUMERIC],
        result: oids::BOOL,
        kernels: Kernels {
            vector: vector::<T>,
            scalar: scalar::<T>,
        },
    }
}

/// By `prosrc`.
pub(crate) static BUILTINS: &[Builtin] = &[
    entry::<Equal>("numeric_eq"),
    entry::<Unequal>("numeric_ne"),
    entry::<Less>("numeric_lt"),
    entry::<LessOrEqual>("numeric_le"),
    entry::<Greater>("numeric_gt"),
    entry::<GreaterOrEqual>("numeric_ge"),
];

#[cfg(test)]
mod tests {
    use types::{Decimals, Numeric, PhysType};

    use super::*;

    #[test]
    fn decimals_compare_as_numbers_do() {
        let column = |scale: u16, digits: &[i64]| {
            Vector::of_decimals(
                Decimals {
                    scale,
                    digits: digits.to_vec(),
                },
                None,
            )
        };
        let a = column(2, &[100, 105, -3, i64::MAX]);
        let b = column(1, &[10, 11, -1, 1]);
        let one = Vector::constant(PhysType::Numeric, &Datum::Numeric(Numeric::from(1)), 4);
        let general = |v: &Vector, i: usize| v.numeric(i).unwrap_or_default();
        for (left, right) in [(&a, &b), (&b, &a), (&a, &one), (&one, &b), (&a, &a)] {
            let expected = |holds: fn(Ordering) -> bool| -> Vec<bool> {
                (0..4)
                    .map(|i| holds(general(left, i).compare(&general(right, i))))
                    .collect()
            };
            for (passed, expected) in [
                (decimals::<Less>(left, right), expected(Ordering::is_lt)),
                (decimals::<Equal>(left, right), expected(Ordering::is_eq)),
                (decimals::<GreaterOrEqual>(left, right), expected(Ordering::is_ge)),
            ] {
                assert!(passed.is_none_or(|p| p == expected));
            }
        }
        assert_eq!(decimals::<Less>(&b, &one), Some(vec![false, false, true, true]));
    }
}
