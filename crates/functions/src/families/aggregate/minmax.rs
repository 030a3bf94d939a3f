//! `min`, `max` and `any_value` of everything with an order.

use std::cmp::Ordering;
use std::marker::PhantomData;

use common::cancel::CancelToken;
use common::{Oid, PgResult};
use types::compare::{compare, compare_at};
use types::{Datum, Selection, Vector, oids};

use super::{Groups, State, argument};
use crate::families::record::order_records;
use crate::framework::aggregate::{Accumulator, downcast};
use crate::framework::context::{CallInfo, FnContext};
use crate::framework::indeterminate::indeterminate_collation;
use crate::framework::macros::aggregates;
use crate::framework::phys::{self, Native, Phys, Put};

const MIN: bool = false;
const MAX: bool = true;

/// The extreme of fixed-width values with Rust's order.
struct Fixed<P: Native, const GREATEST: bool> {
    best: Option<P::Value>,
    kind: PhantomData<fn() -> P>,
}

impl<P: Native, const GREATEST: bool> Default for Fixed<P, GREATEST> {
    fn default() -> Self {
        Fixed {
            best: None,
            kind: PhantomData,
        }
    }
}

impl<P, const GREATEST: bool> State for Fixed<P, GREATEST>
where
    P: Native + for<'a> Phys<Value<'a> = <P as Native>::Value, Data = [<P as Native>::Value]> + 'static,
    <P as Native>::Value: Put<P> + Ord + Send + 'static,
{
    type Phys = P;

    fn add(&mut self, value: <P as Native>::Value) -> PgResult<()> {
        self.best = Some(match self.best {
            Some(old) if GREATEST => old.max(value),
            Some(old) => old.min(value),
            None => value,
        });
        Ok(())
    }

    fn add_dense(&mut self, _: &CancelToken, data: &[<P as Native>::Value], rows: usize) -> PgResult<()> {
        let values = data[..rows].iter().copied();
        let best = if GREATEST { values.max() } else { values.min() };
        best.map_or(Ok(()), |value| self.add(value))
    }

    fn merge(&mut self, other: Self) -> PgResult<()> {
        other.best.map_or(Ok(()), |value| self.add(value))
    }

    fn result(&mut self) -> PgResult<Datum> {
        self.best.map_or(Ok(Datum::Null), Put::into_datum)
    }
}

/// What an [`Extreme`] keeps.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Least,
    Greatest,
    First,
}

/// The extreme of values of any type, by the type's order.
struct Extreme {
    type_oid: Oid,
    keep: Keep,
    /// Of texts that may not sort by their bytes.
    collation: Option<Oid>,
    best: Vec<Datum>,
}

/// `unicode`; the other built-in collations compare bytes.
const UNICODE: Oid = Oid(963);

impl Extreme {
    fn make(call: &CallInfo, keep: Keep) -> PgResult<Box<dyn Accumulator>> {
        Ok(Box::new(Extreme {
            type_oid: call.arg_type(0),
            keep,
            collation: Some(call.collation)
                .filter(|c| matches!(*c, Oid::INVALID | UNICODE) || *c >= Oid::FIRST_NORMAL),
            best: Vec::new(),
        }))
    }
    fn min(call: &CallInfo) -> PgResult<Box<dyn Accumulator>> {
        Extreme::make(call, Keep::Least)
    }
    fn max(call: &CallInfo) -> PgResult<Box<dyn Accumulator>> {
        Extreme::make(call, Keep::Greatest)
    }
    fn first(call: &CallInfo) -> PgResult<Box<dyn Accumulator>> {
        Extreme::make(call, Keep::First)
    }

    /// Whether a value in this order to the best one replaces it. Of values that are equal but not alike (`0` and `-0`, `1.0` and
    /// `1.00`) PostgreSQL's `*_smaller` and `*_larger` take the later one, those of `bpchar` the earlier.
    fn wants(&self, order: Ordering) -> bool {
        let ties = self.type_oid != oids::BPCHAR;
        match self.keep {
            Keep::Least => order.is_lt() || (ties && order.is_eq()),
            Keep::Greatest => order.is_gt() || (ties && order.is_eq()),
            Keep::First => false,
        }
    }

    fn offer(&mut self, ctx: &FnContext<'_>, group: usize, value: Datum) -> PgResult<()> {
        let best = &self.best[group];
        if let (Datum::Record(a), Datum::Record(b)) = (&value, best) {
            if self.keep != Keep::First && self.wants(order_records(ctx, b, a)?.reverse()) {
                self.best[group] = value;
            }
            return Ok(());
        }
        if let (Some(collation), Datum::Text(a), Datum::Text(b)) = (self.collation, &value, best) {
            if !collation.is_valid() {
                return Err(indeterminate_collation("string comparison"));
            }
            let known = ctx.session.collate(collation, a, b)?;
            if self.wants(known.unwrap_or_else(|| compare(self.type_oid, &value, best))) {
                self.best[group] = value;
            }
            return Ok(());
        }
        if !value.is_null() && (best.is_null() || self.wants(compare(self.type_oid, &value, best))) {
            self.best[group] = value;
        }
        Ok(())
    }
}

impl Accumulator for Extreme {
    fn resize(&mut self, groups: usize) {
        self.best.resize(groups, Datum::Null);
    }

    fn update(
        &mut self,
        ctx: &mut FnContext<'_>,
        groups: &[u32],
        args: &[&Vector],
        sel: &Selection,
    ) -> PgResult<()> {
        let arg = argument(args)?;
        for (i, &group) in sel.iter().zip(groups) {
            self.offer(ctx, group as usize, arg.datum(i))?;
        }
        Ok(())
    }

    fn update_single(
        &mut self,
        ctx: &mut FnContext<'_>,
        group: u32,
        args: &[&Vector],
        sel: &Selection,
    ) -> PgResult<()> {
        // The best row of the batch first, so that only one datum is made.
        let arg = argument(args)?;
        if self.type_oid == oids::RECORD || self.collation.is_some() {
            return sel.try_for_each(|i| self.offer(ctx, group as usize, arg.datum(i)));
        }
        let mut best: Option<usize> = None;
        sel.for_each(|i| {
            let better = |b| self.wants(compare_at(self.type_oid, arg, i, arg, b));
            if !arg.is_null(i) && best.is_none_or(better) {
                best = Some(i);
            }
        });
        if let Some(i) = best {
            self.offer(ctx, group as usize, arg.datum(i))?;
        }
        Ok(())
    }

    fn combine(&mut self, ctx: &mut FnContext<'_>, other: Box<dyn Accumulator>, map: &[u32]) -> PgResult<()> {
        let other = downcast::<Extreme>(other)?;
        for (value, &group) in other.best.into_iter().zip(map) {
            self.offer(ctx, group as usize, value)?;
        }
        Ok(())
    }

    fn finalize(&mut self, _: &mut FnContext<'_>, group: u32) -> PgResult<Datum> {
        Ok(std::mem::take(&mut self.best[group as usize]))
    }

    fn memory_bytes(&self) -> usize {
        self.best.len() * size_of::<Datum>()
    }
}

#[rustfmt::skip]
aggregates! {
    min(int2) -> int2 = Groups::<Fixed<phys::Int2, MIN>>::make; max(int2) -> int2 = Groups::<Fixed<phys::Int2, MAX>>::make;
    min(int4) -> int4 = Groups::<Fixed<phys::Int4, MIN>>::make; max(int4) -> int4 = Groups::<Fixed<phys::Int4, MAX>>::make;
    min(int8) -> int8 = Groups::<Fixed<phys::Int8, MIN>>::make; max(int8) -> int8 = Groups::<Fixed<phys::Int8, MAX>>::make;
    min(oid) -> oid = Groups::<Fixed<phys::Oid, MIN>>::make; max(oid) -> oid = Groups::<Fixed<phys::Oid, MAX>>::make;
    min(money) -> money = Groups::<Fixed<phys::Int8, MIN>>::make; max(money) -> money = Groups::<Fixed<phys::Int8, MAX>>::make;
    min(tid) -> tid = Groups::<Fixed<phys::Int8, MIN>>::make; max(tid) -> tid = Groups::<Fixed<phys::Int8, MAX>>::make;
    min(float4) -> float4 = Extreme::min; max(float4) -> float4 = Extreme::max;
    min(float8) -> float8 = Extreme::min; max(float8) -> float8 = Extreme::max;
    min(numeric) -> numeric = Extreme::min; max(numeric) -> numeric = Extreme::max;
    min(text) -> text = Extreme::min; max(text) -> text = Extreme::max;
    min(bpchar) -> bpchar = Extreme::min; max(bpchar) -> bpchar = Extreme::max;
    min(bytea) -> bytea = Extreme::min; max(bytea) -> bytea = Extreme::max;
    min(pg_lsn) -> pg_lsn = Extreme::min; max(pg_lsn) -> pg_lsn = Extreme::max;
    min(inet) -> inet = Extreme::min; max(inet) -> inet = Extreme::max;
    min(xid8) -> xid8 = Extreme::min; max(xid8) -> xid8 = Extreme::max;
    min(anyarray) -> anyarray = Extreme::min; max(anyarray) -> anyarray = Extreme::max;
    min(record) -> record = Extreme::min; max(record) -> record = Extreme::max;
    min(anyenum) -> anyenum = Extreme::min; max(anyenum) -> anyenum = Extreme::max;
    any_value(anyelement) -> anyelement = Extreme::first;
}
