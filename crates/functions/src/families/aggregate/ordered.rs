//! Ordered-set aggregates (`percentile_*`, `mode`) and hypothetical-set ones (`rank`, `dense_rank`...).
//!
//! # How it works
//! The executor sorts. Ordered-set aggregates get their direct arguments as first columns, beside every row; rows come in order.
//! Hypothetical-set aggregates get one `int4` per row, a [`Place`] relative to the hypothetical row.

use std::sync::Arc;

use common::cancel;
use common::{Oid, PgResult, internal, pg_err};
use types::compare::equal;
use types::{ArrayValue, Datum, Selection, Vector};

use crate::families::datetime::interval::{interval_mi, interval_mul, interval_pl};
use crate::families::number_text::general;
use crate::framework::aggregate::{Accumulator, downcast};
use crate::framework::context::{CallInfo, FnContext};
use crate::framework::macros::aggregates;

/// Where a row stands relative to the hypothetical one.
pub struct Place;

impl Place {
    /// Before it, and equal to the row before.
    pub const BEFORE_AGAIN: i32 = -2;
    /// Before it, the first of its peers.
    pub const BEFORE: i32 = -1;
    /// Its peer.
    pub const PEER: i32 = 0;
    /// Behind it.
    pub const BEHIND: i32 = 1;
}

#[derive(Clone, Copy, Default)]
struct Counts {
    rows: i64,
    before: i64,
    distinct_before: i64,
    peers: i64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rank {
    Rank,
    DenseRank,
    PercentRank,
    CumeDist,
}

struct Hypothetical {
    kind: Rank,
    groups: Vec<Counts>,
}

impl Hypothetical {
    fn make(kind: Rank) -> PgResult<Box<dyn Accumulator>> {
        Ok(Box::new(Hypothetical {
            kind,
            groups: Vec::new(),
        }))
    }
}

impl Accumulator for Hypothetical {
    fn resize(&mut self, groups: usize) {
        self.groups.resize(groups, Counts::default());
    }

    fn update(
        &mut self,
        _ctx: &mut FnContext<'_>,
        groups: &[u32],
        args: &[&Vector],
        sel: &Selection,
    ) -> PgResult<()> {
        let Some(places) = args.first() else {
            return Err(internal!("hypothetical-set aggregate without places"));
        };
        for (i, &group) in sel.iter().zip(groups) {
            let counts = &mut self.groups[group as usize];
            let place = places.datum(i).as_i64().unwrap_or(1);
            counts.rows += 1;
            counts.before += i64::from(place < 0);
            counts.distinct_before += i64::from(place == i64::from(Place::BEFORE));
            counts.peers += i64::from(place == 0);
        }
        Ok(())
    }

    fn combine(&mut self, _: &mut FnContext<'_>, _: Box<dyn Accumulator>, _: &[u32]) -> PgResult<()> {
        Err(internal!("hypothetical-set aggregates are not combined"))
    }

    fn finalize(&mut self, _: &mut FnContext<'_>, group: u32) -> PgResult<Datum> {
        let c = self.groups[group as usize];
        Ok(match self.kind {
            Rank::Rank => Datum::Int8(c.before + 1),
            Rank::DenseRank => Datum::Int8(c.distinct_before + 1),
            Rank::PercentRank if c.rows == 0 => Datum::Float8(0.0),
            Rank::PercentRank => Datum::Float8(c.before as f64 / c.rows as f64),
            Rank::CumeDist => Datum::Float8((c.before + c.peers + 1) as f64 / (c.rows + 1) as f64),
        })
    }

    fn memory_bytes(&self) -> usize {
        self.groups.len() * size_of::<Counts>()
    }
}

fn rank(_: &CallInfo) -> PgResult<Box<dyn Accumulator>> {
    Hypothetical::make(Rank::Rank)
}
fn dense_rank(_: &CallInfo) -> PgResult<Box<dyn Accumulator>> {
    Hypothetical::make(Rank::DenseRank)
}
fn percent_rank(_: &CallInfo) -> PgResult<Box<dyn Accumulator>> {
    Hypothetical::make(Rank::PercentRank)
}
fn cume_dist(_: &CallInfo) -> PgResult<Box<dyn Accumulator>> {
    Hypothetical::make(Rank::CumeDist)
}

/// The values of a group in order, and the direct argument.
#[derive(Clone, Default)]
struct Values {
    direct: Option<Datum>,
    values: Vec<Datum>,
}

impl Drop for Values {
    fn drop(&mut self) {
        cancel::discard_list(std::mem::take(&mut self.values));
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Discrete,
    Continuous,
    Mode,
}

struct Sorted {
    wanted: Wanted,
    type_oid: Oid,
    result_element: Option<Oid>,
    groups: Vec<Values>,
    bytes: usize,
}

impl Sorted {
    fn make(call: &CallInfo, wanted: Wanted, many: bool) -> PgResult<Box<dyn Accumulator>> {
        let type_oid = call.arg_type(usize::from(wanted != Wanted::Mode));
        Ok(Box::new(Sorted {
            wanted,
            type_oid,
            result_element: many.then_some(type_oid),
            groups: Vec::new(),
            bytes: 0,
        }))
    }

    fn one(&self, values: &[Datum], fraction: &Datum) -> PgResult<Datum> {
        let Datum::Float8(p) = fraction else {
            return Ok(Datum::Null);
        };
        check_fraction(*p)?;
        let n = values.len();
        if self.wanted == Wanted::Discrete {
            let row = ((p * n as f64).ceil() as usize).max(1);
            return Ok(values[row.min(n) - 1].clone());
        }
        let place = p * (n - 1) as f64;
        let (first, second) = (place.floor(), place.ceil());
        let low = &values[first as usize];
        if first == second {
            return Ok(low.clone());
        }
        between(low, &values[second as usize], place - first)
    }
}

fn check_fraction(p: f64) -> PgResult<()> {
    if (0.0..=1.0).contains(&p) {
        return Ok(());
    }
    Err(pg_err!(
        NUMERIC_VALUE_OUT_OF_RANGE,
        "percentile value {} is not between 0 and 1",
        general(p)
    ))
}

/// The value at `part` of the way from one value to another.
fn between(low: &Datum, high: &Datum, part: f64) -> PgResult<Datum> {
    match (low, high) {
        (Datum::Float8(a), Datum::Float8(b)) => Ok(Datum::Float8(a + (b - a) * part)),
        (Datum::Interval(a), Datum::Interval(b)) => {
            let step = interval_mul(interval_mi(*b, *a)?, part)?;
            Ok(Datum::Interval(interval_pl(*a, step)?))
        }
        _ => Err(internal!("interpolation between {low:?} and {high:?}")),
    }
}

impl Accumulator for Sorted {
    fn resize(&mut self, groups: usize) {
        self.groups.resize_with(groups, Values::default);
    }

    fn update(
        &mut self,
        _ctx: &mut FnContext<'_>,
        groups: &[u32],
        args: &[&Vector],
        sel: &Selection,
    ) -> PgResult<()> {
        let (direct, values) = match args {
            [values] => (None, values),
            [direct, values] => (Some(direct), values),
            _ => return Err(internal!("ordered-set aggregate without its arguments")),
        };
        for (i, &group) in sel.iter().zip(groups) {
            let state = &mut self.groups[group as usize];
            if let (Some(direct), None) = (direct, &state.direct) {
                state.direct = Some(direct.datum(i));
            }
            if !values.is_null(i) {
                state.values.push(values.datum(i));
                self.bytes += size_of::<Datum>();
            }
        }
        Ok(())
    }

    fn combine(&mut self, _: &mut FnContext<'_>, other: Box<dyn Accumulator>, _: &[u32]) -> PgResult<()> {
        let _ = downcast::<Sorted>(other)?;
        Err(internal!("ordered-set aggregates are not combined"))
    }

    fn finalize(&mut self, _: &mut FnContext<'_>, group: u32) -> PgResult<Datum> {
        let mut state = std::mem::take(&mut self.groups[group as usize]);
        let direct = state.direct.take().unwrap_or(Datum::Null);
        let values = &state.values[..];
        if self.wanted == Wanted::Mode {
            return Ok(mode(self.type_oid, values));
        }
        // A single fraction is looked at even where there is no value.
        if let Datum::Float8(p) = direct {
            check_fraction(p)?;
        }
        if values.is_empty() || direct.is_null() {
            return Ok(Datum::Null);
        }
        match (&direct, self.result_element) {
            (Datum::Array(fractions), Some(element_type)) => {
                let elements = fractions.elements.iter().map(|p| self.one(values, p));
                Ok(Datum::Array(Arc::new(ArrayValue {
                    element_type,
                    dims: fractions.dims.clone(),
                    elements: elements.collect::<PgResult<_>>()?,
                })))
            }
            _ => self.one(values, &direct),
        }
    }

    fn memory_bytes(&self) -> usize {
        self.bytes
    }
}

/// The most frequent value, the first of several.
fn mode(type_oid: Oid, values: &[Datum]) -> Datum {
    let mut best: Option<(usize, &Datum)> = None;
    let mut start = 0;
    for (i, value) in values.iter().enumerate() {
        if !equal(type_oid, value, &values[start]) {
            start = i;
        }
        let count = i - start + 1;
        if best.is_none_or(|(most, _)| count > most) {
            best = Some((count, &values[start]));
        }
    }
    best.map_or(Datum::Null, |(_, v)| v.clone())
}

fn percentile_disc(call: &CallInfo) -> PgResult<Box<dyn Accumulator>> {
    Sorted::make(call, Wanted::Discrete, false)
}
fn percentile_discs(call: &CallInfo) -> PgResult<Box<dyn Accumulator>> {
    Sorted::make(call, Wanted::Discrete, true)
}
fn percentile_cont(call: &CallInfo) -> PgResult<Box<dyn Accumulator>> {
    Sorted::make(call, Wanted::Continuous, false)
}
fn percentile_conts(call: &CallInfo) -> PgResult<Box<dyn Accumulator>> {
    Sorted::make(call, Wanted::Continuous, true)
}
fn most_frequent(call: &CallInfo) -> PgResult<Box<dyn Accumulator>> {
    Sorted::make(call, Wanted::Mode, false)
}

aggregates! {
    rank(any) -> int8 = rank;
    dense_rank(any) -> int8 = dense_rank;
    percent_rank(any) -> float8 = percent_rank;
    cume_dist(any) -> float8 = cume_dist;
    percentile_disc(float8, anyelement) -> anyelement = percentile_disc;
    percentile_disc(float8_array, anyelement) -> anyarray = percentile_discs;
    percentile_cont(float8, float8) -> float8 = percentile_cont;
    percentile_cont(float8_array, float8) -> float8_array = percentile_conts;
    percentile_cont(float8, interval) -> interval = percentile_cont;
    percentile_cont(float8_array, interval) -> interval_array = percentile_conts;
    mode(anyelement) -> anyelement = most_frequent;
}
