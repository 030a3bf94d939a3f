//! `corr`, `covar_*` and `regr_*`: aggregates over pairs of numbers.
//!
//! The sums are kept by the method of Youngs and Cramer, as PostgreSQL has it.

use std::marker::PhantomData;

use common::{PgResult, internal, pg_err};
use types::{Datum, Selection, Vector};

use crate::framework::aggregate::{Accumulator, downcast};
use crate::framework::context::{CallInfo, FnContext};
use crate::framework::macros::aggregates;
use crate::framework::phys::{self, Column};

/// Sums over the pairs seen.
#[derive(Clone, Copy, Default)]
struct Sums {
    n: f64,
    x: f64,
    xx: f64,
    y: f64,
    yy: f64,
    xy: f64,
}

impl Sums {
    fn add(&mut self, x: f64, y: f64) -> PgResult<()> {
        let old = *self;
        self.n += 1.0;
        self.x += x;
        self.y += y;
        if old.n > 0.0 {
            let (dx, dy) = (x * self.n - self.x, y * self.n - self.y);
            let scale = 1.0 / (self.n * old.n);
            self.xx += dx * dx * scale;
            self.yy += dy * dy * scale;
            self.xy += dx * dy * scale;
            return self.check(&old, x, y);
        }
        // An infinity or NaN at the start makes the squares NaN.
        if !x.is_finite() {
            (self.xx, self.xy) = (f64::NAN, f64::NAN);
        }
        if !y.is_finite() {
            (self.yy, self.xy) = (f64::NAN, f64::NAN);
        }
        Ok(())
    }

    /// Infinite sums of finite numbers are an overflow, of infinite ones make the squares NaN.
    fn check(&mut self, old: &Sums, x: f64, y: f64) -> PgResult<()> {
        let inf = f64::is_infinite;
        if ![self.x, self.xx, self.y, self.yy, self.xy].into_iter().any(inf) {
            return Ok(());
        }
        let x_finite = !inf(old.x) && !inf(x);
        let y_finite = !inf(old.y) && !inf(y);
        if (inf(self.x) || inf(self.xx)) && x_finite
            || (inf(self.y) || inf(self.yy)) && y_finite
            || inf(self.xy) && x_finite && y_finite
        {
            return Err(overflow());
        }
        for square in [&mut self.xx, &mut self.yy, &mut self.xy] {
            if square.is_infinite() {
                *square = f64::NAN;
            }
        }
        Ok(())
    }

    fn merge(&mut self, other: &Sums) -> PgResult<()> {
        if self.n == 0.0 {
            *self = *other;
        } else if other.n > 0.0 {
            let n = self.n + other.n;
            let (dx, dy) = (
                self.x / self.n - other.x / other.n,
                self.y / self.n - other.y / other.n,
            );
            let scale = self.n * other.n / n;
            *self = Sums {
                n,
                x: self.x + other.x,
                xx: self.xx + other.xx + scale * dx * dx,
                y: self.y + other.y,
                yy: self.yy + other.yy + scale * dy * dy,
                xy: self.xy + other.xy + scale * dx * dy,
            };
            if self.xx.is_infinite() || self.yy.is_infinite() || self.xy.is_infinite() {
                return Err(overflow());
            }
        }
        Ok(())
    }
}

#[cold]
fn overflow() -> Box<common::PgError> {
    pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow")
}

/// What an aggregate makes of the sums.
trait Finish: Send + 'static {
    /// Nothing but the number of pairs is asked for: nothing can overflow.
    const COUNTS_ONLY: bool = false;
    fn finish(s: &Sums) -> Datum;
}

struct Pairs<F> {
    groups: Vec<Sums>,
    kind: PhantomData<fn() -> F>,
}

impl<F: Finish> Pairs<F> {
    fn make(_: &CallInfo) -> PgResult<Box<dyn Accumulator>> {
        Ok(Box::new(Pairs::<F> {
            groups: Vec::new(),
            kind: PhantomData,
        }))
    }
}

impl<F: Finish> Accumulator for Pairs<F> {
    fn resize(&mut self, groups: usize) {
        self.groups.resize(groups, Sums::default());
    }

    fn update(
        &mut self,
        _ctx: &mut FnContext<'_>,
        groups: &[u32],
        args: &[&Vector],
        sel: &Selection,
    ) -> PgResult<()> {
        let [y, x] = args else {
            return Err(internal!("aggregate over pairs called without its arguments"));
        };
        let (y, x) = (Column::<phys::Float8>::open(y)?, Column::<phys::Float8>::open(x)?);
        for (i, &group) in sel.iter().zip(groups) {
            if let (Some(y), Some(x)) = (y.get(i), x.get(i)) {
                let sums = &mut self.groups[group as usize];
                if F::COUNTS_ONLY {
                    sums.n += 1.0;
                } else {
                    sums.add(x, y)?;
                }
            }
        }
        Ok(())
    }

    fn combine(&mut self, _: &mut FnContext<'_>, other: Box<dyn Accumulator>, map: &[u32]) -> PgResult<()> {
        let other = downcast::<Pairs<F>>(other)?;
        for (sums, &group) in other.groups.iter().zip(map) {
            if F::COUNTS_ONLY {
                self.groups[group as usize].n += sums.n;
            } else {
                self.groups[group as usize].merge(sums)?;
            }
        }
        Ok(())
    }

    fn finalize(&mut self, _: &mut FnContext<'_>, group: u32) -> PgResult<Datum> {
        Ok(F::finish(&self.groups[group as usize]))
    }

    fn memory_bytes(&self) -> usize {
        self.groups.len() * size_of::<Sums>()
    }
}

macro_rules! finishes {
    ($($name:ident: $s:ident => $value:expr;)*) => {$(
        struct $name;
        impl Finish for $name {
            fn finish($s: &Sums) -> Datum {
                let value: Option<f64> = $value;
                value.map_or(Datum::Null, Datum::Float8)
            }
        }
    )*};
}

/// A value when there were enough pairs.
fn from(s: &Sums, least: f64, value: f64) -> Option<f64> {
    (s.n >= least).then_some(value)
}

finishes! {
    Sxx: s => from(s, 1.0, s.xx);
    Syy: s => from(s, 1.0, s.yy);
    Sxy: s => from(s, 1.0, s.xy);
    AvgX: s => from(s, 1.0, s.x / s.n);
    AvgY: s => from(s, 1.0, s.y / s.n);
    CovarPop: s => from(s, 1.0, s.xy / s.n);
    CovarSamp: s => from(s, 2.0, s.xy / (s.n - 1.0));
    Corr: s => if s.n < 1.0 || s.xx == 0.0 || s.yy == 0.0 { None } else { Some(s.xy / (s.xx * s.yy).sqrt()) };
    R2: s => if s.n < 1.0 || s.xx == 0.0 { None } else if s.yy == 0.0 { Some(1.0) } else { Some(s.xy * s.xy / (s.xx * s.yy)) };
    Slope: s => if s.n < 1.0 || s.xx == 0.0 { None } else { Some(s.xy / s.xx) };
    Intercept: s => if s.n < 1.0 || s.xx == 0.0 { None } else { Some((s.y - s.x * s.xy / s.xx) / s.n) };
}

struct Count;

impl Finish for Count {
    const COUNTS_ONLY: bool = true;

    fn finish(s: &Sums) -> Datum {
        Datum::Int8(s.n as i64)
    }
}

aggregates! {
    regr_count(float8, float8) -> int8 = Pairs::<Count>::make;
    regr_sxx(float8, float8) -> float8 = Pairs::<Sxx>::make;
    regr_syy(float8, float8) -> float8 = Pairs::<Syy>::make;
    regr_sxy(float8, float8) -> float8 = Pairs::<Sxy>::make;
    regr_avgx(float8, float8) -> float8 = Pairs::<AvgX>::make;
    regr_avgy(float8, float8) -> float8 = Pairs::<AvgY>::make;
    regr_r2(float8, float8) -> float8 = Pairs::<R2>::make;
    regr_slope(float8, float8) -> float8 = Pairs::<Slope>::make;
    regr_intercept(float8, float8) -> float8 = Pairs::<Intercept>::make;
    covar_pop(float8, float8) -> float8 = Pairs::<CovarPop>::make;
    covar_samp(float8, float8) -> float8 = Pairs::<CovarSamp>::make;
    corr(float8, float8) -> float8 = Pairs::<Corr>::make;
}
