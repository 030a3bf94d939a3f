//! `range_agg` and `range_intersect_agg`.

use std::sync::Arc;

use common::PgResult;
use common::cancel::CancelToken;
use types::range;
use types::{Datum, MultirangeValue, Range, Selection, Vector};

use super::multi::intersect;
use crate::families::aggregate::argument;
use crate::framework::aggregate::{Accumulator, downcast};
use crate::framework::context::{CallInfo, FnContext};
use crate::framework::macros::aggregates;

/// All ranges of a group; `None` before the first that is not NULL.
struct RangeAgg {
    groups: Vec<Option<Vec<Range>>>,
}

impl RangeAgg {
    fn make(_: &CallInfo) -> PgResult<Box<dyn Accumulator>> {
        Ok(Box::new(RangeAgg { groups: Vec::new() }))
    }
}

impl Accumulator for RangeAgg {
    fn resize(&mut self, groups: usize) {
        self.groups.resize(groups, None);
    }

    fn update(
        &mut self,
        _: &mut FnContext<'_>,
        groups: &[u32],
        args: &[&Vector],
        sel: &Selection,
    ) -> PgResult<()> {
        let arg = argument(args)?;
        for (i, &group) in sel.iter().zip(groups) {
            let state = &mut self.groups[group as usize];
            match arg.datum(i) {
                Datum::Range(r) => state.get_or_insert_default().extend(r.range.clone()),
                Datum::Multirange(m) => state.get_or_insert_default().extend(m.ranges.iter().cloned()),
                _ => {}
            }
        }
        Ok(())
    }

    fn combine(&mut self, _: &mut FnContext<'_>, other: Box<dyn Accumulator>, map: &[u32]) -> PgResult<()> {
        let other = downcast::<RangeAgg>(other)?;
        for (ranges, &group) in other.groups.into_iter().zip(map) {
            if let Some(ranges) = ranges {
                self.groups[group as usize].get_or_insert_default().extend(ranges);
            }
        }
        Ok(())
    }

    fn finalize(&mut self, ctx: &mut FnContext<'_>, group: u32) -> PgResult<Datum> {
        let Some(ranges) = self.groups[group as usize].take() else {
            return Ok(Datum::Null);
        };
        let type_oid = ctx.call.result.oid;
        let (range_type, subtype) = types::io_range::multirange_parts(type_oid, &ctx.io())?;
        let ranges = range::normalize_many(range_type, subtype, ranges, ctx.cancel)?;
        Ok(MultirangeValue {
            type_oid,
            range_type,
            subtype,
            ranges,
        }
        .into_datum())
    }

    fn memory_bytes(&self) -> usize {
        let ranges: usize = self.groups.iter().flatten().map(Vec::capacity).sum();
        ranges * size_of::<Range>()
    }
}

/// What all ranges (or multiranges) of a group have in common.
struct RangeIntersectAgg {
    groups: Vec<Datum>,
}

impl RangeIntersectAgg {
    fn make(_: &CallInfo) -> PgResult<Box<dyn Accumulator>> {
        Ok(Box::new(RangeIntersectAgg { groups: Vec::new() }))
    }

    fn add(&mut self, group: usize, value: Datum, cancel: &CancelToken) -> PgResult<()> {
        let state = &mut self.groups[group];
        let next = match (&*state, &value) {
            (_, Datum::Null) => return Ok(()),
            (Datum::Range(a), Datum::Range(b)) => {
                let common = match (&a.range, &b.range) {
                    (Some(x), Some(y)) => range::intersection(a.subtype, x, y),
                    _ => None,
                };
                Datum::Range(Arc::new(a.with(common)))
            }
            (Datum::Multirange(a), Datum::Multirange(b)) => intersect(a, b, cancel)?.into_datum(),
            _ => value,
        };
        *state = next;
        Ok(())
    }
}

impl Accumulator for RangeIntersectAgg {
    fn resize(&mut self, groups: usize) {
        self.groups.resize(groups, Datum::Null);
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
            self.add(group as usize, arg.datum(i), ctx.cancel)?;
        }
        Ok(())
    }

    fn combine(&mut self, ctx: &mut FnContext<'_>, other: Box<dyn Accumulator>, map: &[u32]) -> PgResult<()> {
        let other = downcast::<RangeIntersectAgg>(other)?;
        for (value, &group) in other.groups.into_iter().zip(map) {
            self.add(group as usize, value, ctx.cancel)?;
        }
        Ok(())
    }

    fn finalize(&mut self, _: &mut FnContext<'_>, group: u32) -> PgResult<Datum> {
        Ok(std::mem::take(&mut self.groups[group as usize]))
    }

    fn memory_bytes(&self) -> usize {
        self.groups.capacity() * size_of::<Datum>()
    }
}

aggregates! {
    range_agg(anyrange) -> anymultirange = RangeAgg::make;
    range_agg(anymultirange) -> anymultirange = RangeAgg::make;
    range_intersect_agg(anyrange) -> anyrange = RangeIntersectAgg::make;
    range_intersect_agg(anymultirange) -> anymultirange = RangeIntersectAgg::make;
}
