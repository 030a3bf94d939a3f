//! `sum`, `avg`, `variance` and `stddev` of floats, summed in the order rows arrive.
//!
//! Spread is computed by the method of Youngs and Cramer: count, sum, and sum of squared deviations, updated per value.

use std::marker::PhantomData;

use common::PgResult;
use types::Datum;

use super::{Groups, State};
use crate::families::float::overflow;
use crate::framework::macros::aggregates;
use crate::framework::phys;

/// `sum` at one width: an overflow of finite values is an error.
macro_rules! sums {
    ($($name:ident $phys:ident $t:ident;)*) => {$(
        #[derive(Default)]
        struct $name {
            sum: Option<$t>,
        }

        impl State for $name {
            type Phys = phys::$phys;

            fn add(&mut self, value: $t) -> PgResult<()> {
                self.sum = Some(match self.sum {
                    None => value,
                    Some(old) => {
                        let sum = old + value;
                        if sum.is_infinite() && !old.is_infinite() && !value.is_infinite() {
                            return Err(overflow());
                        }
                        sum
                    }
                });
                Ok(())
            }

            fn merge(&mut self, other: Self) -> PgResult<()> {
                other.sum.map_or(Ok(()), |sum| self.add(sum))
            }

            fn result(&mut self) -> PgResult<Datum> {
                Ok(self.sum.map_or(Datum::Null, Datum::$phys))
            }
        }
    )*};
}

sums! {
    Float4Sum Float4 f32;
    Float8Sum Float8 f64;
}

trait Float: phys::Phys + Send + 'static {
    fn widen(value: Self::Value<'_>) -> f64;
}

impl Float for phys::Float4 {
    fn widen(value: f32) -> f64 {
        f64::from(value)
    }
}

impl Float for phys::Float8 {
    fn widen(value: f64) -> f64 {
        value
    }
}

const AVG: u8 = 0;
const VAR_POP: u8 = 1;
const VAR_SAMP: u8 = 2;
const STDDEV_POP: u8 = 3;
const STDDEV_SAMP: u8 = 4;

struct Moments<P, const KIND: u8> {
    n: f64,
    sum: f64,
    spread: f64,
    kind: PhantomData<fn() -> P>,
}

impl<P, const KIND: u8> Default for Moments<P, KIND> {
    fn default() -> Self {
        Moments {
            n: 0.0,
            sum: 0.0,
            spread: 0.0,
            kind: PhantomData,
        }
    }
}

impl<P: Float, const KIND: u8> State for Moments<P, KIND> {
    type Phys = P;

    fn add(&mut self, value: P::Value<'_>) -> PgResult<()> {
        let value = P::widen(value);
        let (old_n, old_sum) = (self.n, self.sum);
        self.n += 1.0;
        self.sum += value;
        if old_n > 0.0 {
            let deviation = value * self.n - self.sum;
            self.spread += deviation * deviation / (self.n * old_n);
            if self.sum.is_infinite() || self.spread.is_infinite() {
                if !old_sum.is_infinite() && !value.is_infinite() {
                    return Err(overflow());
                }
                self.spread = f64::NAN;
            }
        } else if !value.is_finite() {
            self.spread = f64::NAN;
        }
        Ok(())
    }

    fn merge(&mut self, other: Self) -> PgResult<()> {
        if other.n == 0.0 {
            return Ok(());
        }
        if self.n == 0.0 {
            *self = other;
            return Ok(());
        }
        let n = self.n + other.n;
        let sum = self.sum + other.sum;
        if sum.is_infinite() && !self.sum.is_infinite() && !other.sum.is_infinite() {
            return Err(overflow());
        }
        let gap = self.sum / self.n - other.sum / other.n;
        self.spread += other.spread + self.n * other.n * gap * gap / n;
        (self.n, self.sum) = (n, sum);
        Ok(())
    }

    fn result(&mut self) -> PgResult<Datum> {
        let sample = matches!(KIND, VAR_SAMP | STDDEV_SAMP);
        if self.n == 0.0 || (sample && self.n <= 1.0) {
            return Ok(Datum::Null);
        }
        let divisor = if sample { self.n - 1.0 } else { self.n };
        Ok(Datum::Float8(match KIND {
            AVG => self.sum / self.n,
            STDDEV_POP | STDDEV_SAMP => (self.spread / divisor).sqrt(),
            _ => self.spread / divisor,
        }))
    }
}

type F4<const KIND: u8> = Groups<Moments<phys::Float4, KIND>>;
type F8<const KIND: u8> = Groups<Moments<phys::Float8, KIND>>;

#[rustfmt::skip]
aggregates! {
    sum(float4) -> float4 = Groups::<Float4Sum>::make; sum(float8) -> float8 = Groups::<Float8Sum>::make;
    avg(float4) -> float8 = F4::<AVG>::make; avg(float8) -> float8 = F8::<AVG>::make;
    variance(float4) -> float8 = F4::<VAR_SAMP>::make; variance(float8) -> float8 = F8::<VAR_SAMP>::make;
    var_samp(float4) -> float8 = F4::<VAR_SAMP>::make; var_samp(float8) -> float8 = F8::<VAR_SAMP>::make;
    var_pop(float4) -> float8 = F4::<VAR_POP>::make; var_pop(float8) -> float8 = F8::<VAR_POP>::make;
    stddev(float4) -> float8 = F4::<STDDEV_SAMP>::make; stddev(float8) -> float8 = F8::<STDDEV_SAMP>::make;
    stddev_samp(float4) -> float8 = F4::<STDDEV_SAMP>::make; stddev_samp(float8) -> float8 = F8::<STDDEV_SAMP>::make;
    stddev_pop(float4) -> float8 = F4::<STDDEV_POP>::make; stddev_pop(float8) -> float8 = F8::<STDDEV_POP>::make;
}
