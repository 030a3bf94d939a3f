//! `min`, `max`, `sum` and `avg` of dates, times and intervals.

use std::cmp::Ordering;

use common::PgResult;
use types::datetime::TimeTz;
use types::{Datum, Interval, Selection, Vector};

use crate::families::datetime::compare::{cmp_interval, cmp_timetz};
use crate::families::datetime::error::interval_range;
use crate::families::datetime::interval::{interval_div, interval_pl};
use crate::framework::aggregate::{Accumulator, downcast};
use crate::framework::context::{CallInfo, FnContext};
use crate::framework::macros::aggregates;

fn compare(a: &Datum, b: &Datum) -> Ordering {
    match (a, b) {
        (Datum::Int4(a), Datum::Int4(b)) => a.cmp(b),
        (Datum::Int8(a), Datum::Int8(b)) => a.cmp(b),
        (Datum::Interval(a), Datum::Interval(b)) => cmp_interval(*a, *b),
        (Datum::Bytes(a), Datum::Bytes(b)) => cmp_timetz(TimeTz::from_bytes(a), TimeTz::from_bytes(b)),
        _ => Ordering::Equal,
    }
}

/// The smallest or largest value; of equal ones the first for times with zone and intervals as PostgreSQL keeps it.
struct Extreme {
    /// A value replaces the state when it compares so to it.
    wanted: Ordering,
    states: Vec<Datum>,
}

impl Extreme {
    fn min(_: &CallInfo) -> PgResult<Box<dyn Accumulator>> {
        Ok(Box::new(Extreme {
            wanted: Ordering::Less,
            states: Vec::new(),
        }))
    }

    fn max(_: &CallInfo) -> PgResult<Box<dyn Accumulator>> {
        Ok(Box::new(Extreme {
            wanted: Ordering::Greater,
            states: Vec::new(),
        }))
    }

    fn offer(&mut self, group: usize, value: Datum) {
        if value.is_null() {
            return;
        }
        let state = &mut self.states[group];
        // PostgreSQL's larger/smaller functions return their second argument on ties.
        if state.is_null() || matches!(compare(&value, state), o if o == self.wanted || o.is_eq()) {
            *state = value;
        }
    }
}

impl Accumulator for Extreme {
    fn resize(&mut self, groups: usize) {
        self.states.resize(groups, Datum::Null);
    }

    fn update(
        &mut self,
        _: &mut FnContext<'_>,
        groups: &[u32],
        args: &[&Vector],
        sel: &Selection,
    ) -> PgResult<()> {
        if let Some(arg) = args.first() {
            for (i, &g) in sel.iter().zip(groups) {
                self.offer(g as usize, arg.datum(i));
            }
        }
        Ok(())
    }

    fn combine(&mut self, _: &mut FnContext<'_>, other: Box<dyn Accumulator>, map: &[u32]) -> PgResult<()> {
        for (state, &g) in downcast::<Extreme>(other)?.states.into_iter().zip(map) {
            self.offer(g as usize, state);
        }
        Ok(())
    }

    fn finalize(&mut self, _: &mut FnContext<'_>, group: u32) -> PgResult<Datum> {
        Ok(std::mem::take(&mut self.states[group as usize]))
    }

    fn memory_bytes(&self) -> usize {
        self.states.len() * size_of::<Datum>()
    }
}

/// The sum of finite intervals and how many of each kind there were.
#[derive(Clone, Copy, Default)]
struct IntervalState {
    finite: i64,
    positive: i64,
    negative: i64,
    sum: Interval,
}

impl IntervalState {
    fn add(&mut self, v: Interval) -> PgResult<()> {
        if v == Interval::INFINITY {
            self.positive += 1;
        } else if v == Interval::NEG_INFINITY {
            self.negative += 1;
        } else {
            self.sum = interval_pl(self.sum, v)?;
            self.finite += 1;
        }
        Ok(())
    }

    /// The infinities decide the result, when there are some.
    fn total(&self) -> PgResult<Interval> {
        match (self.positive > 0, self.negative > 0) {
            (true, true) => Err(interval_range()),
            (true, false) => Ok(Interval::INFINITY),
            (false, true) => Ok(Interval::NEG_INFINITY),
            (false, false) => Ok(self.sum),
        }
    }

    fn count(&self) -> i64 {
        self.finite + self.positive + self.negative
    }
}

/// `sum(interval)` and `avg(interval)`.
struct IntervalSum {
    average: bool,
    states: Vec<IntervalState>,
}

impl IntervalSum {
    fn sum(_: &CallInfo) -> PgResult<Box<dyn Accumulator>> {
        Ok(Box::new(IntervalSum {
            average: false,
            states: Vec::new(),
        }))
    }

    fn average(_: &CallInfo) -> PgResult<Box<dyn Accumulator>> {
        Ok(Box::new(IntervalSum {
            average: true,
            states: Vec::new(),
        }))
    }
}

impl Accumulator for IntervalSum {
    fn resize(&mut self, groups: usize) {
        self.states.resize(groups, IntervalState::default());
    }

    fn update(
        &mut self,
        _: &mut FnContext<'_>,
        groups: &[u32],
        args: &[&Vector],
        sel: &Selection,
    ) -> PgResult<()> {
        if let Some(arg) = args.first() {
            for (i, &g) in sel.iter().zip(groups) {
                if let Datum::Interval(v) = arg.datum(i) {
                    self.states[g as usize].add(v)?;
                }
            }
        }
        Ok(())
    }

    fn combine(&mut self, _: &mut FnContext<'_>, other: Box<dyn Accumulator>, map: &[u32]) -> PgResult<()> {
        for (other, &g) in downcast::<IntervalSum>(other)?.states.iter().zip(map) {
            let state = &mut self.states[g as usize];
            state.sum = interval_pl(state.sum, other.sum)?;
            state.finite += other.finite;
            state.positive += other.positive;
            state.negative += other.negative;
        }
        Ok(())
    }

    fn finalize(&mut self, _: &mut FnContext<'_>, group: u32) -> PgResult<Datum> {
        let state = self.states[group as usize];
        if state.count() == 0 {
            return Ok(Datum::Null);
        }
        let total = state.total()?;
        Ok(Datum::Interval(if self.average {
            interval_div(total, state.count() as f64)?
        } else {
            total
        }))
    }

    fn memory_bytes(&self) -> usize {
        self.states.len() * size_of::<IntervalState>()
    }
}

aggregates! {
    min(date) -> date = Extreme::min;
    min(time) -> time = Extreme::min;
    min(timetz) -> timetz = Extreme::min;
    min(timestamp) -> timestamp = Extreme::min;
    min(timestamptz) -> timestamptz = Extreme::min;
    min(interval) -> interval = Extreme::min;
    max(date) -> date = Extreme::max;
    max(time) -> time = Extreme::max;
    max(timetz) -> timetz = Extreme::max;
    max(timestamp) -> timestamp = Extreme::max;
    max(timestamptz) -> timestamptz = Extreme::max;
    max(interval) -> interval = Extreme::max;
    sum(interval) -> interval = IntervalSum::sum;
    avg(interval) -> interval = IntervalSum::average;
}
