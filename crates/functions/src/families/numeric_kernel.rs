//! `+`, `-` and `*` of `numeric` over batches: short numbers in a tight loop.
//!
//! # How it works
//! A number whose digits fit 64 bits is two integers; sums and products of such are computed in place, one by one, as long as they fit
//! 64 bits too. Everything else takes the general way of `types::numeric`.

use common::{PgResult, internal};
use types::{Bitmap, Datum, Numeric, Selection, Vector, VectorData, numeric, oids};

use crate::framework::context::FnContext;
use crate::framework::phys::{self, Column};
use crate::framework::registry::{Builtin, Kernels};

/// An operation of two numbers.
trait Arith {
    /// `types::numeric` has the short way first, and inlines it.
    fn compute(a: &Numeric, b: &Numeric) -> PgResult<Numeric>;
}

struct Add;
struct Sub;
struct Mul;

impl Arith for Add {
    #[inline(always)]
    fn compute(a: &Numeric, b: &Numeric) -> PgResult<Numeric> {
        numeric::add(a, b)
    }
}

impl Arith for Sub {
    #[inline(always)]
    fn compute(a: &Numeric, b: &Numeric) -> PgResult<Numeric> {
        numeric::sub(a, b)
    }
}

impl Arith for Mul {
    #[inline(always)]
    fn compute(a: &Numeric, b: &Numeric) -> PgResult<Numeric> {
        numeric::mul(a, b)
    }
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
    if *sel == Selection::All(rows) {
        // A constant is one value for every row.
        let constant = |v: &Vector, c: &Column<'_, phys::Numeric>| match v.is_constant() {
            true => c.get(0).cloned(),
            false => None,
        };
        let computed = match (a.dense(), b.dense(), constant(left, &a), constant(right, &b)) {
            (Some(x), Some(y), ..) => Some(collect(x.iter().zip(y).map(|(x, y)| A::compute(x, y)), rows)?),
            (Some(x), _, _, Some(y)) => Some(collect(x.iter().map(|x| A::compute(x, &y)), rows)?),
            (_, Some(y), Some(x), _) => Some(collect(y.iter().map(|y| A::compute(&x, y)), rows)?),
            _ => None,
        };
        if let Some(computed) = computed.filter(|c| c.len() == rows) {
            *data = computed;
            return Ok(());
        }
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

#[inline(always)]
fn collect(values: impl Iterator<Item = PgResult<Numeric>>, rows: usize) -> PgResult<Vec<Numeric>> {
    let mut out = Vec::with_capacity(rows);
    for value in values {
        out.push(value?);
    }
    Ok(out)
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
