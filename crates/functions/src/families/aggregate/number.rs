//! `sum`, `avg`, `variance` and `stddev` of integers and `numeric`: exact sums.

use std::marker::PhantomData;

use common::PgResult;
use common::cancel::CancelToken;
use types::{Datum, Numeric, numeric};

use super::{Groups, State};
use crate::framework::macros::aggregates;
use crate::framework::phys;

/// Integers of any class.
trait Integer: phys::Phys + Send + 'static {
    fn widen(value: Self::Value<'_>) -> i64;
    fn total(data: &Self::Data, rows: usize) -> i128;
}

macro_rules! integers {
    ($($phys:ident),*) => {$(
        impl Integer for phys::$phys {
            fn widen(value: Self::Value<'_>) -> i64 {
                i64::from(value)
            }
            fn total(data: &Self::Data, rows: usize) -> i128 {
                // Values of up to 32 bits cannot overflow 64 bits within a batch; wider ones are split in halves.
                if size_of::<Self::Value<'_>>() < 8 {
                    i128::from(data[..rows].iter().map(|v| i64::from(*v)).sum::<i64>())
                } else {
                    let high: i64 = data[..rows].iter().map(|v| i64::from(*v) >> 32).sum();
                    let low: i64 = data[..rows].iter().map(|v| i64::from(*v) & 0xffff_ffff).sum();
                    (i128::from(high) << 32) + i128::from(low)
                }
            }
        }
    )*};
}

integers!(Int2, Int4, Int8);

/// What comes out of a sum of integers.
trait IntegerResult: Send + 'static {
    fn result(sum: i128, count: i64) -> PgResult<Datum>;
}

struct AsInt8;
struct AsNumeric;
struct Average;

impl IntegerResult for AsInt8 {
    fn result(sum: i128, _: i64) -> PgResult<Datum> {
        match i64::try_from(sum) {
            Ok(sum) => Ok(Datum::Int8(sum)),
            Err(_) => Err(common::pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range")),
        }
    }
}

impl IntegerResult for AsNumeric {
    fn result(sum: i128, _: i64) -> PgResult<Datum> {
        Ok(Datum::Numeric(Numeric::from_i128(sum, 0)))
    }
}

impl IntegerResult for Average {
    fn result(sum: i128, count: i64) -> PgResult<Datum> {
        let sum = Numeric::from_i128(sum, 0);
        Ok(Datum::Numeric(numeric::div(&sum, &Numeric::from(count))?))
    }
}

struct IntegerSum<P, R> {
    sum: i128,
    count: i64,
    kind: PhantomData<fn() -> (P, R)>,
}

impl<P, R> Default for IntegerSum<P, R> {
    fn default() -> Self {
        IntegerSum {
            sum: 0,
            count: 0,
            kind: PhantomData,
        }
    }
}

impl<P: Integer, R: IntegerResult> State for IntegerSum<P, R> {
    type Phys = P;

    fn add(&mut self, value: P::Value<'_>) -> PgResult<()> {
        self.sum += i128::from(P::widen(value));
        self.count += 1;
        Ok(())
    }

    fn add_dense(&mut self, _: &CancelToken, data: &P::Data, rows: usize) -> PgResult<()> {
        self.sum += P::total(data, rows);
        self.count += rows as i64;
        Ok(())
    }

    fn merge(&mut self, other: Self) -> PgResult<()> {
        self.sum += other.sum;
        self.count += other.count;
        Ok(())
    }

    fn result(&mut self) -> PgResult<Datum> {
        if self.count == 0 {
            Ok(Datum::Null)
        } else {
            R::result(self.sum, self.count)
        }
    }
}

/// `sum(money)`: every partial sum has to fit.
#[derive(Default)]
struct MoneySum(Option<i64>);

impl State for MoneySum {
    type Phys = phys::Int8;

    fn add(&mut self, value: i64) -> PgResult<()> {
        let sum = self.0.unwrap_or(0).checked_add(value);
        let range = || common::pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, "money out of range");
        self.0 = Some(sum.ok_or_else(range)?);
        Ok(())
    }

    fn merge(&mut self, other: Self) -> PgResult<()> {
        other.0.map_or(Ok(()), |sum| self.add(sum))
    }

    fn result(&mut self) -> PgResult<Datum> {
        Ok(self.0.map_or(Datum::Null, Datum::Int8))
    }
}

/// A running exact sum: 128 bits at one scale, and at some others beside it, while that holds; the rest in `carried`.
#[derive(Default)]
struct ExactSum {
    small: i128,
    scale: u16,
    carried: Option<Numeric>,
    /// Quotients have scales of their own. Adding each to the sum of its scale takes no multiplication.
    others: Option<Box<Others>>,
}

/// Scales and sums.
#[derive(Default)]
struct Others(Vec<(u16, i128)>);

/// Most scales that have sums of their own.
const SCALES_MAX: usize = 8;

impl ExactSum {
    #[inline]
    fn add(&mut self, value: &Numeric) -> PgResult<()> {
        match value {
            Numeric::Small { unscaled, scale } => self.add_digits(i128::from(*unscaled), *scale),
            Numeric::Wide { high, low, scale } => {
                self.add_digits(i128::from(*high) << 64 | i128::from(*low), *scale)
            }
            _ => self.add_slow(value),
        }
    }

    #[inline]
    fn add_digits(&mut self, unscaled: i128, scale: u16) -> PgResult<()> {
        // A zero adds nothing but its scale: the ELSE of many a CASE.
        if (scale == self.scale || unscaled == 0 && scale < self.scale)
            && let Some(sum) = self.small.checked_add(unscaled)
        {
            self.small = sum;
            return Ok(());
        }
        if self.small == 0 && scale > self.scale {
            (self.small, self.scale) = (unscaled, scale);
            return Ok(());
        }
        match scale != self.scale && self.add_other(unscaled, scale) {
            true => Ok(()),
            false => self.add_slow(&Numeric::from_i128(unscaled, scale)),
        }
    }

    /// Adds to the sum of another scale; false when there is no room for it.
    fn add_other(&mut self, unscaled: i128, scale: u16) -> bool {
        let others = &mut self.others.get_or_insert_default().0;
        if let Some((_, sum)) = others.iter_mut().find(|(known, _)| *known == scale) {
            let more = sum.checked_add(unscaled);
            *sum = more.unwrap_or(*sum);
            return more.is_some();
        }
        let room = others.len() < SCALES_MAX;
        if room {
            others.push((scale, unscaled));
        }
        room
    }

    fn add_slow(&mut self, value: &Numeric) -> PgResult<()> {
        if let Some((unscaled, scale)) = value.to_i128() {
            if self.add_small(unscaled, scale) {
                return Ok(());
            }
            self.flush()?;
            if self.add_small(unscaled, scale) {
                return Ok(());
            }
        }
        self.carry(value)
    }

    /// False when 128 bits are not enough.
    fn add_small(&mut self, unscaled: i128, scale: u16) -> bool {
        let lift = |v: i128, by: u16| match by {
            0 => Some(v),
            _ => numeric::pow10_i128(u32::from(by)).and_then(|p| v.checked_mul(p)),
        };
        let (sum, value) = if scale <= self.scale {
            (Some(self.small), lift(unscaled, self.scale - scale))
        } else {
            (lift(self.small, scale - self.scale), Some(unscaled))
        };
        match sum.zip(value).and_then(|(s, v)| s.checked_add(v)) {
            Some(sum) => {
                self.small = sum;
                self.scale = self.scale.max(scale);
                true
            }
            None => false,
        }
    }

    fn flush(&mut self) -> PgResult<()> {
        let part = Numeric::from_i128(self.small, self.scale);
        (self.small, self.scale) = (0, 0);
        self.carry(&part)
    }

    fn carry(&mut self, value: &Numeric) -> PgResult<()> {
        self.carried = Some(match &self.carried {
            Some(sum) => numeric::add(sum, value)?,
            None => value.clone(),
        });
        Ok(())
    }

    fn merge(&mut self, other: ExactSum) -> PgResult<()> {
        if let Some(carried) = &other.carried {
            self.carry(carried)?;
        }
        for (scale, sum) in other.others.into_iter().flat_map(|others| others.0) {
            self.add_digits(sum, scale)?;
        }
        self.add(&Numeric::from_i128(other.small, other.scale))
    }

    fn value(&self) -> PgResult<Numeric> {
        let mut sum = Numeric::from_i128(self.small, self.scale);
        for (scale, other) in self.others.iter().flat_map(|others| &others.0) {
            sum = numeric::add(&sum, &Numeric::from_i128(*other, *scale))?;
        }
        match &self.carried {
            Some(carried) => numeric::add(carried, &sum),
            None => Ok(sum),
        }
    }
}

/// `sum(numeric)`, and `avg(numeric)` with `AVERAGE`. There may be millions of groups: most sums fit 64 bits at one scale.
#[derive(Default)]
struct NumericSum<const AVERAGE: bool> {
    digits: i64,
    count: u32,
    scale: u16,
    /// In the place of those when they do not suffice.
    large: Option<Box<LargeSum>>,
}

#[derive(Default)]
struct LargeSum {
    sum: ExactSum,
    count: i64,
}

impl<const AVERAGE: bool> NumericSum<AVERAGE> {
    /// Adds numbers of one scale where the little room suffices, by the rules of [`ExactSum`].
    #[inline]
    fn add_short(&mut self, unscaled: i64, scale: u16, count: u32) -> bool {
        let Some(more) = self.count.checked_add(count).filter(|_| self.large.is_none()) else {
            return false;
        };
        if scale == self.scale || unscaled == 0 && scale < self.scale {
            let Some(sum) = self.digits.checked_add(unscaled) else {
                return false;
            };
            self.digits = sum;
        } else if self.digits == 0 && scale > self.scale {
            (self.digits, self.scale) = (unscaled, scale);
        } else {
            return false;
        }
        self.count = more;
        true
    }

    fn grown(&mut self) -> PgResult<&mut LargeSum> {
        if self.large.is_none() {
            let mut sum = ExactSum::default();
            sum.add_digits(i128::from(self.digits), self.scale)?;
            self.large = Some(Box::new(LargeSum {
                sum,
                count: i64::from(self.count),
            }));
        }
        Ok(self.large.get_or_insert_default())
    }
}

impl<const AVERAGE: bool> State for NumericSum<AVERAGE> {
    type Phys = phys::Numeric;

    const DECIMALS: bool = true;

    #[inline]
    fn add(&mut self, value: &Numeric) -> PgResult<()> {
        if let Numeric::Small { unscaled, scale } = value
            && self.add_short(*unscaled, *scale, 1)
        {
            return Ok(());
        }
        let large = self.grown()?;
        large.count += 1;
        large.sum.add(value)
    }

    #[inline]
    fn add_decimal(&mut self, unscaled: i128, scale: u16, count: i64) -> PgResult<()> {
        if count == 0 {
            return Ok(());
        }
        if let (Ok(digits), Ok(count)) = (i64::try_from(unscaled), u32::try_from(count))
            && self.add_short(digits, scale, count)
        {
            return Ok(());
        }
        let large = self.grown()?;
        large.count += count;
        large.sum.add_digits(unscaled, scale)
    }

    fn merge(&mut self, other: Self) -> PgResult<()> {
        let Some(theirs) = other.large else {
            return self.add_decimal(i128::from(other.digits), other.scale, i64::from(other.count));
        };
        let large = self.grown()?;
        large.count += theirs.count;
        large.sum.merge(theirs.sum)
    }

    fn result(&mut self) -> PgResult<Datum> {
        let (sum, count) = match &self.large {
            Some(large) => (large.sum.value()?, large.count),
            None => (
                Numeric::from_i128(i128::from(self.digits), self.scale),
                i64::from(self.count),
            ),
        };
        if count == 0 {
            return Ok(Datum::Null);
        }
        Ok(Datum::Numeric(if AVERAGE {
            numeric::div(&sum, &Numeric::from(count))?
        } else {
            sum
        }))
    }
}

/// Values that variance turns into `numeric`.
trait Exact: phys::Phys + Send + 'static {
    fn exact(value: Self::Value<'_>) -> Numeric;
}

impl Exact for phys::Int2 {
    fn exact(value: i16) -> Numeric {
        Numeric::from(i64::from(value))
    }
}
impl Exact for phys::Int4 {
    fn exact(value: i32) -> Numeric {
        Numeric::from(i64::from(value))
    }
}
impl Exact for phys::Int8 {
    fn exact(value: i64) -> Numeric {
        Numeric::from(value)
    }
}
impl Exact for phys::Numeric {
    fn exact(value: &Numeric) -> Numeric {
        value.clone()
    }
}

const SAMPLE: u8 = 1;
const ROOT: u8 = 2;

/// Variance and its root; `KIND` is a sum of [`SAMPLE`] and [`ROOT`].
struct Spread<P, const KIND: u8> {
    count: i64,
    sum: ExactSum,
    squares: ExactSum,
    kind: PhantomData<fn() -> P>,
}

impl<P, const KIND: u8> Default for Spread<P, KIND> {
    fn default() -> Self {
        Spread {
            count: 0,
            sum: ExactSum::default(),
            squares: ExactSum::default(),
            kind: PhantomData,
        }
    }
}

impl<P: Exact, const KIND: u8> State for Spread<P, KIND> {
    type Phys = P;

    fn add(&mut self, value: P::Value<'_>) -> PgResult<()> {
        let value = P::exact(value);
        self.count += 1;
        self.sum.add(&value)?;
        self.squares.add(&numeric::mul(&value, &value)?)
    }

    fn merge(&mut self, other: Self) -> PgResult<()> {
        self.count += other.count;
        self.sum.merge(other.sum)?;
        self.squares.merge(other.squares)
    }

    fn result(&mut self) -> PgResult<Datum> {
        let (sum, squares) = (self.sum.value()?, self.squares.value()?);
        let compute = if KIND & ROOT != 0 {
            numeric::stddev
        } else {
            numeric::variance
        };
        let value = compute(self.count, &sum, &squares, KIND & SAMPLE != 0)?;
        Ok(value.map_or(Datum::Null, Datum::Numeric))
    }
}

type VarSamp<P> = Groups<Spread<P, SAMPLE>>;
type VarPop<P> = Groups<Spread<P, 0>>;
type StddevSamp<P> = Groups<Spread<P, { SAMPLE + ROOT }>>;
type StddevPop<P> = Groups<Spread<P, ROOT>>;

#[rustfmt::skip]
aggregates! {
    sum(int2) -> int8 = Groups::<IntegerSum<phys::Int2, AsInt8>>::make;
    sum(int4) -> int8 = Groups::<IntegerSum<phys::Int4, AsInt8>>::make;
    sum(int8) -> numeric = Groups::<IntegerSum<phys::Int8, AsNumeric>>::make;
    sum(money) -> money = Groups::<MoneySum>::make;
    avg(int2) -> numeric = Groups::<IntegerSum<phys::Int2, Average>>::make;
    avg(int4) -> numeric = Groups::<IntegerSum<phys::Int4, Average>>::make;
    avg(int8) -> numeric = Groups::<IntegerSum<phys::Int8, Average>>::make;
    sum(numeric) -> numeric = Groups::<NumericSum<false>>::make;
    avg(numeric) -> numeric = Groups::<NumericSum<true>>::make;
    variance(int2) -> numeric = VarSamp::<phys::Int2>::make; variance(int4) -> numeric = VarSamp::<phys::Int4>::make;
    variance(int8) -> numeric = VarSamp::<phys::Int8>::make; variance(numeric) -> numeric = VarSamp::<phys::Numeric>::make;
    var_samp(int2) -> numeric = VarSamp::<phys::Int2>::make; var_samp(int4) -> numeric = VarSamp::<phys::Int4>::make;
    var_samp(int8) -> numeric = VarSamp::<phys::Int8>::make; var_samp(numeric) -> numeric = VarSamp::<phys::Numeric>::make;
    var_pop(int2) -> numeric = VarPop::<phys::Int2>::make; var_pop(int4) -> numeric = VarPop::<phys::Int4>::make;
    var_pop(int8) -> numeric = VarPop::<phys::Int8>::make; var_pop(numeric) -> numeric = VarPop::<phys::Numeric>::make;
    stddev(int2) -> numeric = StddevSamp::<phys::Int2>::make; stddev(int4) -> numeric = StddevSamp::<phys::Int4>::make;
    stddev(int8) -> numeric = StddevSamp::<phys::Int8>::make; stddev(numeric) -> numeric = StddevSamp::<phys::Numeric>::make;
    stddev_samp(int2) -> numeric = StddevSamp::<phys::Int2>::make; stddev_samp(int4) -> numeric = StddevSamp::<phys::Int4>::make;
    stddev_samp(int8) -> numeric = StddevSamp::<phys::Int8>::make; stddev_samp(numeric) -> numeric = StddevSamp::<phys::Numeric>::make;
    stddev_pop(int2) -> numeric = StddevPop::<phys::Int2>::make; stddev_pop(int4) -> numeric = StddevPop::<phys::Int4>::make;
    stddev_pop(int8) -> numeric = StddevPop::<phys::Int8>::make; stddev_pop(numeric) -> numeric = StddevPop::<phys::Numeric>::make;
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use types::{Bitmap, Selection};

    use super::*;
    use crate::families::aggregate::sum_decimals;

    /// Batches of decimals added at once give what their numbers give one by one, display scale included.
    #[test]
    fn sums_of_decimals_are_sums_of_numbers() {
        let mut seed = 11_u64;
        let mut next = || {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            seed ^ seed >> 31
        };
        for _ in 0..300 {
            let (mut at_once, mut single) = (NumericSum::<true>::default(), NumericSum::<true>::default());
            for _ in 0..next() % 5 {
                let (scale, bits, rows) = ((next() % 7) as u16, (next() % 64 + 1) as u32, next() % 70);
                let digits: Vec<i64> = (0..rows).map(|_| (next() as i64) >> (64 - bits)).collect();
                let mut valid = Bitmap::filled(rows as usize, true);
                (0..rows as usize)
                    .filter(|_| next() % 4 == 0)
                    .for_each(|i| valid.set(i, false));
                let validity = (next() % 2 == 0).then_some(&valid);
                let sel = match next() % 3 {
                    0 => Selection::All(rows as usize).filter(|_| next() % 2 == 0),
                    _ => Selection::All(rows as usize),
                };
                let (sum, count) = sum_decimals(&digits, validity, &sel);
                at_once.add_decimal(sum, scale, count).unwrap();
                for i in sel.iter().filter(|i| validity.is_none_or(|v| v.get(*i))) {
                    let unscaled = digits[i];
                    single.add(&Numeric::Small { unscaled, scale }).unwrap();
                }
            }
            assert_eq!(at_once.result().unwrap(), single.result().unwrap());
        }
    }

    /// Numbers of many scales, added in two states that are merged, are what adding them one to the other gives.
    #[test]
    fn sums_over_many_scales_are_exact() {
        let mut seed = 5_u64;
        let mut next = || {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            seed ^ seed >> 31
        };
        for round in 0..300 {
            let mut states = [NumericSum::<false>::default(), NumericSum::<false>::default()];
            let mut expected = Numeric::ZERO;
            for _ in 0..next() % 60 + 1 {
                let scale = (next() % (round % 14 + 1) * 4) as u16;
                let digits = i128::from(next() as i64) << (next() % 62);
                let number = Numeric::from_i128(if next() % 9 == 0 { 0 } else { digits }, scale);
                states[next() as usize % 2].add(&number).unwrap();
                expected = numeric::add(&expected, &number).unwrap();
            }
            let [mut a, b] = states;
            a.merge(b).unwrap();
            assert_eq!(a.result().unwrap(), Datum::Numeric(expected));
        }
    }
}
