//! `/` of `numeric` over batches: columns of decimals divided by one number.

use common::{PgResult, internal};
use types::numeric::{self, Divisor};
use types::{Bitmap, Datum, Numeric, Selection, Vector, VectorData, oids};

use crate::framework::context::FnContext;
use crate::framework::phys::{self, Column};
use crate::framework::registry::{Builtin, Kernels};

fn vector(ctx: &mut FnContext<'_>, args: &[&Vector], sel: &Selection, out: &mut Vector) -> PgResult<()> {
    let [left, right] = args else {
        return Err(internal!("operator without its arguments"));
    };
    let one = right.is_constant() && !right.is_null(0);
    let divisor = right
        .numeric(0)
        .filter(|_| one)
        .and_then(|number| Divisor::of(&number));
    if let (Some(divisor), Some(decimals)) = (divisor, left.decimals()) {
        return by_one(
            decimals.scale,
            &decimals.digits,
            (left, right),
            &divisor,
            sel,
            out,
        );
    }
    let (a, b) = (
        Column::<phys::Numeric>::open(left)?,
        Column::<phys::Numeric>::open(right)?,
    );
    let cancel = ctx.cancel;
    store(sel, out, |i| match (a.get(i), b.get(i)) {
        (Some(x), Some(y)) => {
            cancel.check()?;
            numeric::div(x, y).map(Some)
        }
        _ => Ok(None),
    })
}

/// Numbers of one scale by a constant.
fn by_one(
    scale: u16,
    digits: &[i64],
    (left, right): (&Vector, &Vector),
    divisor: &Divisor,
    sel: &Selection,
    out: &mut Vector,
) -> PgResult<()> {
    store(sel, out, |i| {
        if left.is_null(i) {
            return Ok(None);
        }
        let unscaled = digits[i];
        match divisor.quotient(unscaled, scale) {
            Some(quotient) => Ok(Some(quotient)),
            None => {
                let by = right.numeric(0).unwrap_or_default();
                numeric::div(&Numeric::Small { unscaled, scale }, &by).map(Some)
            }
        }
    })
}

/// Puts a number or NULL into each of the selected rows.
#[inline(always)]
fn store(
    sel: &Selection,
    out: &mut Vector,
    mut value: impl FnMut(usize) -> PgResult<Option<Numeric>>,
) -> PgResult<()> {
    let rows = out.len();
    let (data, validity) = out.parts_mut();
    let VectorData::Numeric(data) = data else {
        return Err(internal!("operator on numeric gives numeric"));
    };
    sel.try_for_each(|i| {
        match value(i)? {
            Some(number) => data[i] = number,
            None => validity
                .get_or_insert_with(|| Bitmap::filled(rows, true))
                .set(i, false),
        }
        Ok(())
    })
}

fn scalar(_ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    match args {
        [Datum::Numeric(a), Datum::Numeric(b)] => numeric::div(a, b).map(Datum::Numeric),
        _ => Ok(Datum::Null),
    }
}

/// By `prosrc`.
pub(crate) static BUILTINS: &[Builtin] = &[Builtin {
    name: "numeric_div",
    args: &[oids::NUMERIC, oids::NUMERIC],
    result: oids::NUMERIC,
    kernels: Kernels { vector, scalar },
}];
