//! Kernels over slices of fixed-width values, shaped so that the compiler vectorizes them.
//!
//! # How it works
//! When most rows are selected the loop computes all positions, NULL and unselected ones too (their values are arbitrary but initialised),
//! and the result's validity is the conjunction of the arguments'. Functions that can fail return [`Checked`]: the loop only
//! gathers an "or" of the failure flags; when it comes out set, the selected rows are looked at again one by one, so a failure at
//! a NULL or unselected position does not count.

use std::marker::PhantomData;

use common::{PgError, PgResult, internal};
use types::{Bitmap, Datum, Selection, Vector};

use crate::framework::phys::{Phys, Put};

/// The error behind a failed [`Checked`], as a type.
pub trait Failure {
    /// Builds it.
    fn error() -> Box<PgError>;
}

/// A value that may be void: the function computes both without a branch.
pub struct Checked<T, F> {
    value: T,
    failed: bool,
    failure: PhantomData<F>,
}

impl<T, F> Checked<T, F> {
    /// From the pair that `overflowing_add` and its like return.
    #[inline]
    pub fn new((value, failed): (T, bool)) -> Checked<T, F> {
        Checked {
            value,
            failed,
            failure: PhantomData,
        }
    }
}

/// What a direct function may return: a fixed-width value or a [`Checked`] one.
pub trait Direct<T> {
    /// Value and failure flag.
    fn split(&self) -> (T, bool);
    /// The error for a set flag.
    fn error(&self) -> Box<PgError>;
}

impl<T: Copy, F: Failure> Direct<T> for Checked<T, F> {
    #[inline]
    fn split(&self) -> (T, bool) {
        (self.value, self.failed)
    }
    #[cold]
    fn error(&self) -> Box<PgError> {
        F::error()
    }
}

macro_rules! direct_values {
    ($($t:ty),*) => {$(
        impl Direct<$t> for $t {
            #[inline]
            fn split(&self) -> ($t, bool) {
                (*self, false)
            }
            fn error(&self) -> Box<PgError> {
                internal!("direct function failed without an error")
            }
        }
    )*};
}

direct_values!(bool, u8, i16, i32, i64, u32, f32, f64);

/// A class whose values are a slice of plain copies.
pub trait Fixed<T: Copy>: for<'a> Phys<Value<'a> = T, Data = [T]> {}

impl<T: Copy, P: for<'a> Phys<Value<'a> = T, Data = [T]>> Fixed<T> for P {}

struct Input<'a, T> {
    data: &'a [T],
    validity: Option<&'a Bitmap>,
    constant: bool,
}

impl<'a, T: Copy> Input<'a, T> {
    fn open<P: Fixed<T>>(args: &[&'a Vector], k: usize) -> PgResult<Input<'a, T>> {
        let Some(vector) = args.get(k) else {
            return Err(internal!("function called without argument {}", k + 1));
        };
        match P::data(vector.data()) {
            Some(data) => Ok(Input {
                data,
                validity: vector.validity(),
                constant: vector.is_constant(),
            }),
            None => Err(internal!("function argument arrived as {:?}", vector.phys())),
        }
    }

    #[inline]
    fn get(&self, i: usize) -> Option<T> {
        let i = if self.constant { 0 } else { i };
        match self.validity {
            Some(bits) if !bits.get(i) => None,
            _ => Some(self.data[i]),
        }
    }

    fn constant_null(&self) -> bool {
        self.constant && self.get(0).is_none()
    }

    /// Clears the bits of NULL rows (not for constants).
    fn narrow(&self, n: usize, validity: &mut Option<Bitmap>) {
        let Some(bits) = self.validity.filter(|_| !self.constant) else {
            return;
        };
        match validity {
            Some(v) => v.and_with(bits),
            None if bits.len() == n => *validity = Some(bits.clone()),
            None => {}
        }
    }
}

fn open_out<P: Fixed<T>, T: Copy>(out: &mut Vector) -> PgResult<(&mut [T], &mut Option<Bitmap>)> {
    let phys = out.phys();
    let (data, validity) = out.parts_mut();
    match P::data_mut(data) {
        Some(data) => Ok((data, validity)),
        None => Err(internal!("function result goes to {phys:?}")),
    }
}

/// True when computing all of `n` rows is cheaper than looking for the selected ones.
fn is_dense(sel: &Selection, n: usize) -> bool {
    sel.len() * 4 >= n
}

/// Row by row: for narrowed selections, and to find out whether a failure was real.
fn rows<T: Copy, R: Direct<T>>(
    sel: &Selection,
    out: (&mut [T], &mut Option<Bitmap>),
    mut f: impl FnMut(usize) -> Option<R>,
) -> PgResult<()> {
    let (data, validity) = out;
    let len = data.len();
    sel.try_for_each(|i| {
        match f(i) {
            Some(result) => {
                let (value, failed) = result.split();
                if failed {
                    return Err(result.error());
                }
                data[i] = value;
                if let Some(bits) = validity {
                    bits.set(i, true);
                }
            }
            None => validity
                .get_or_insert_with(|| Bitmap::filled(len, true))
                .set(i, false),
        }
        Ok(())
    })
}

/// The vector kernel of a one-argument function.
pub fn unary<PA: Fixed<A>, PR: Fixed<T>, A: Copy, T: Copy, R: Direct<T>>(
    args: &[&Vector],
    sel: &Selection,
    out: &mut Vector,
    f: impl Fn(A) -> R,
) -> PgResult<()> {
    let a = Input::open::<PA>(args, 0)?;
    let (data, validity) = open_out::<PR, T>(out)?;
    let n = data.len();
    if is_dense(sel, n) && !a.constant && a.data.len() == n {
        let mut failed = false;
        for (r, x) in data.iter_mut().zip(a.data) {
            let (value, bad) = f(*x).split();
            *r = value;
            failed |= bad;
        }
        if !failed {
            *validity = a.validity.cloned();
            return Ok(());
        }
    }
    rows(sel, (data, validity), |i| a.get(i).map(&f))
}

/// The vector kernel of a two-argument function.
pub fn binary<PA: Fixed<A>, PB: Fixed<B>, PR: Fixed<T>, A: Copy, B: Copy, T: Copy, R: Direct<T>>(
    args: &[&Vector],
    sel: &Selection,
    out: &mut Vector,
    f: impl Fn(A, B) -> R,
) -> PgResult<()> {
    let (a, b) = (Input::open::<PA>(args, 0)?, Input::open::<PB>(args, 1)?);
    let (data, validity) = open_out::<PR, T>(out)?;
    let n = data.len();
    let scalar = (a.constant && b.constant) || a.constant_null() || b.constant_null();
    if is_dense(sel, n) && !scalar {
        if !loops(data, &a, &b, &f) {
            *validity = None;
            a.narrow(n, validity);
            b.narrow(n, validity);
            return Ok(());
        }
    }
    rows(sel, (data, validity), |i| match (a.get(i), b.get(i)) {
        (Some(x), Some(y)) => Some(f(x, y)),
        _ => None,
    })
}

/// The vectorizing loops; true when some row failed.
#[inline]
fn loops<A: Copy, B: Copy, T, R: Direct<T>>(
    out: &mut [T],
    a: &Input<'_, A>,
    b: &Input<'_, B>,
    f: &impl Fn(A, B) -> R,
) -> bool {
    let mut failed = false;
    let mut put = |r: &mut T, x: A, y: B| {
        let (value, bad) = f(x, y).split();
        *r = value;
        failed |= bad;
    };
    match (a.constant, b.constant) {
        (false, false) => {
            for ((r, x), y) in out.iter_mut().zip(a.data).zip(b.data) {
                put(r, *x, *y);
            }
        }
        (false, true) => {
            let y = b.data[0];
            for (r, x) in out.iter_mut().zip(a.data) {
                put(r, *x, y);
            }
        }
        (true, _) => {
            let x = a.data[0];
            for (r, y) in out.iter_mut().zip(b.data) {
                put(r, x, *y);
            }
        }
    }
    failed
}

fn datum_arg<P: Fixed<T>, T: Copy>(args: &[Datum], k: usize) -> PgResult<Option<T>> {
    match args.get(k) {
        Some(Datum::Null) => Ok(None),
        Some(d) => match P::of_datum(d) {
            Some(v) => Ok(Some(v)),
            None => Err(internal!("function argument arrived as {d:?}")),
        },
        None => Err(internal!("function called without argument {}", k + 1)),
    }
}

fn datum_result<P, T: Put<P>, R: Direct<T>>(result: R) -> PgResult<Datum>
where
    P: Phys,
{
    match result.split() {
        (_, true) => Err(result.error()),
        (value, false) => value.into_datum(),
    }
}

/// The datum kernel of a one-argument function.
pub fn unary_datum<PA: Fixed<A>, PR: Fixed<T>, A: Copy, T: Copy + Put<PR>, R: Direct<T>>(
    args: &[Datum],
    f: impl Fn(A) -> R,
) -> PgResult<Datum> {
    match datum_arg::<PA, A>(args, 0)? {
        Some(a) => datum_result::<PR, T, R>(f(a)),
        None => Ok(Datum::Null),
    }
}

/// The datum kernel of a two-argument function.
pub fn binary_datum<
    PA: Fixed<A>,
    PB: Fixed<B>,
    PR: Fixed<T>,
    A: Copy,
    B: Copy,
    T: Copy + Put<PR>,
    R: Direct<T>,
>(
    args: &[Datum],
    f: impl Fn(A, B) -> R,
) -> PgResult<Datum> {
    match (datum_arg::<PA, A>(args, 0)?, datum_arg::<PB, B>(args, 1)?) {
        (Some(a), Some(b)) => datum_result::<PR, T, R>(f(a, b)),
        _ => Ok(Datum::Null),
    }
}
