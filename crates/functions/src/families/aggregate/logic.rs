//! `bool_and`, `bool_or`, `every`, `bit_and`, `bit_or`, `bit_xor`: folds of one operator.

use std::marker::PhantomData;

use common::PgResult;
use types::Datum;

use super::{Groups, State};
use crate::framework::macros::aggregates;
use crate::framework::phys::{self, Native, Phys, Put};

/// How two values become one.
trait Fold<T>: Send + 'static {
    fn fold(a: T, b: T) -> T;
}

struct And;
struct Or;
struct Xor;

impl<T: std::ops::BitAnd<Output = T>> Fold<T> for And {
    fn fold(a: T, b: T) -> T {
        a & b
    }
}
impl<T: std::ops::BitOr<Output = T>> Fold<T> for Or {
    fn fold(a: T, b: T) -> T {
        a | b
    }
}
impl<T: std::ops::BitXor<Output = T>> Fold<T> for Xor {
    fn fold(a: T, b: T) -> T {
        a ^ b
    }
}

struct Folded<P: Native, F> {
    value: Option<P::Value>,
    kind: PhantomData<fn() -> F>,
}

impl<P: Native, F> Default for Folded<P, F> {
    fn default() -> Self {
        Folded {
            value: None,
            kind: PhantomData,
        }
    }
}

impl<P, F> State for Folded<P, F>
where
    P: Native + for<'a> Phys<Value<'a> = <P as Native>::Value> + 'static,
    <P as Native>::Value: Put<P> + Send + 'static,
    F: Fold<<P as Native>::Value>,
{
    type Phys = P;

    fn add(&mut self, value: <P as Native>::Value) -> PgResult<()> {
        self.value = Some(match self.value {
            Some(old) => F::fold(old, value),
            None => value,
        });
        Ok(())
    }

    fn merge(&mut self, other: Self) -> PgResult<()> {
        other.value.map_or(Ok(()), |value| self.add(value))
    }

    fn result(&mut self) -> PgResult<Datum> {
        self.value.map_or(Ok(Datum::Null), Put::into_datum)
    }
}

aggregates! {
    bool_and(bool) -> bool = Groups::<Folded<phys::Bool, And>>::make;
    every(bool) -> bool = Groups::<Folded<phys::Bool, And>>::make;
    bool_or(bool) -> bool = Groups::<Folded<phys::Bool, Or>>::make;
    bit_and(int2) -> int2 = Groups::<Folded<phys::Int2, And>>::make;
    bit_and(int4) -> int4 = Groups::<Folded<phys::Int4, And>>::make;
    bit_and(int8) -> int8 = Groups::<Folded<phys::Int8, And>>::make;
    bit_or(int2) -> int2 = Groups::<Folded<phys::Int2, Or>>::make;
    bit_or(int4) -> int4 = Groups::<Folded<phys::Int4, Or>>::make;
    bit_or(int8) -> int8 = Groups::<Folded<phys::Int8, Or>>::make;
    bit_xor(int2) -> int2 = Groups::<Folded<phys::Int2, Xor>>::make;
    bit_xor(int4) -> int4 = Groups::<Folded<phys::Int4, Xor>>::make;
    bit_xor(int8) -> int8 = Groups::<Folded<phys::Int8, Xor>>::make;
}
