//! Aggregates over numbers, texts and anything.
//!
//! # How it works
//! A [`State`] is one group's state; [`Groups`] keeps a vector of them and does the walking over selections, NULLs and
//! constants, so that an aggregate is a state and a few lines. Sums of integers over a whole batch go through
//! [`State::add_dense`], a loop over a slice.

mod array;
mod float;
mod logic;
mod minmax;
mod number;
pub mod ordered;
mod statistics;
pub(crate) mod transition;

use common::PgResult;
use common::cancel::CancelToken;
use types::{Bitmap, Datum, Decimals, Selection, Vector};

use crate::framework::aggregate::{Accumulator, AggregateEntry, downcast};
use crate::framework::context::{CallInfo, FnContext};
use crate::framework::phys::{Column, Phys};

pub(crate) static LISTS: &[&[AggregateEntry]] = &[
    array::AGGREGATES,
    float::AGGREGATES,
    logic::AGGREGATES,
    minmax::AGGREGATES,
    number::AGGREGATES,
    ordered::AGGREGATES,
    statistics::AGGREGATES,
];

/// The state of one group of an aggregate that skips NULLs and has one argument.
pub(crate) trait State: Default + Send + 'static {
    /// Class of the argument.
    type Phys: Phys;
    /// Adds a value.
    fn add(&mut self, value: <Self::Phys as Phys>::Value<'_>) -> PgResult<()>;
    /// Adds the first `rows` values of a vector without NULLs.
    fn add_dense(
        &mut self,
        cancel: &CancelToken,
        data: &<Self::Phys as Phys>::Data,
        rows: usize,
    ) -> PgResult<()> {
        (0..rows).try_for_each(|i| self.add_checked(cancel, Self::Phys::at(data, i)))
    }
    /// Adds a value, unless the statement is to stop.
    #[inline(always)]
    fn add_checked(&mut self, cancel: &CancelToken, value: <Self::Phys as Phys>::Value<'_>) -> PgResult<()> {
        if Self::Phys::LONG {
            cancel.check()?;
        }
        self.add(value)
    }
    /// True for sums of `numeric`, which [`State::add_decimal`] understands.
    const DECIMALS: bool = false;
    /// Adds a number with this many digits after the point.
    fn add_decimal(&mut self, _unscaled: i128, _scale: u16, _count: i64) -> PgResult<()> {
        Ok(())
    }
    /// Takes over what another state of the same group has seen.
    fn merge(&mut self, other: Self) -> PgResult<()>;
    /// The aggregate's value.
    fn result(&mut self) -> PgResult<Datum>;
    /// Bytes held on the heap.
    fn heap_bytes(&self) -> usize {
        0
    }
}

/// The states of all groups.
pub(crate) struct Groups<S> {
    states: Pieces<S>,
}

/// States of one piece: so few that the allocator has their room at hand, instead of getting it anew from the system for each query.
const PIECE: usize = 1 << 10;

/// States by numbers of groups, in pieces: one vector of millions would be copied again and again while it grows.
struct Pieces<S> {
    pieces: Vec<Vec<S>>,
    len: usize,
}

impl<S: Default> Pieces<S> {
    fn resize(&mut self, len: usize) {
        self.pieces.resize_with(len.div_ceil(PIECE), Vec::new);
        let first = (self.len.min(len) / PIECE).min(self.pieces.len());
        for (number, piece) in self.pieces.iter_mut().enumerate().skip(first) {
            let wanted = (len - number * PIECE).min(PIECE);
            // The first grows as it likes: most queries have few groups.
            if number > 0 {
                piece.reserve_exact(PIECE.saturating_sub(piece.len()));
            }
            piece.resize_with(wanted, S::default);
        }
        self.len = len;
    }

    #[inline(always)]
    fn of(&mut self, group: u32) -> &mut S {
        &mut self.pieces[group as usize / PIECE][group as usize % PIECE]
    }

    fn iter(&self) -> impl Iterator<Item = &S> {
        self.pieces.iter().flatten()
    }

    fn into_iter(self) -> impl Iterator<Item = S> {
        self.pieces.into_iter().flatten()
    }
}

impl<S: State> Groups<S> {
    pub(crate) fn make(_: &CallInfo) -> PgResult<Box<dyn Accumulator>> {
        let states = Pieces {
            pieces: Vec::new(),
            len: 0,
        };
        Ok(Box::new(Groups::<S> { states }))
    }
}

impl<S: State> Groups<S> {
    fn update_decimals(
        &mut self,
        decimals: &Decimals,
        validity: Option<&Bitmap>,
        groups: &[u32],
        sel: &Selection,
    ) -> PgResult<()> {
        let Decimals { scale, digits } = decimals;
        if self.states.len <= FEW_GROUPS && sel.len() >= FEW_GROUPS * 4 {
            return self.update_few(decimals, validity, groups, sel);
        }
        let mut rows = sel.iter().zip(groups);
        rows.try_for_each(|(i, &group)| match validity {
            Some(bits) if !bits.get(i) => Ok(()),
            _ => self
                .states
                .of(group)
                .add_decimal(i128::from(digits[i]), *scale, 1),
        })
    }
}

/// So few groups have sums of a batch in a table of their own.
const FEW_GROUPS: usize = 64;

/// What a batch adds to a group: its numbers' upper halves and lower halves, and how many they are.
#[derive(Clone, Copy, Default)]
struct Halves {
    high: i64,
    low: i64,
    count: i64,
}

impl Halves {
    #[inline(always)]
    fn add(&mut self, v: i64) {
        self.high += v >> 32;
        self.low += v & 0xffff_ffff;
        self.count += 1;
    }

    fn sum(&self) -> i128 {
        (i128::from(self.high) << 32) + i128::from(self.low)
    }
}

impl<S: State> Groups<S> {
    /// The same for few groups: sums in halves that cannot overflow in a batch, and one addition a group.
    fn update_few(
        &mut self,
        Decimals { scale, digits }: &Decimals,
        validity: Option<&Bitmap>,
        groups: &[u32],
        sel: &Selection,
    ) -> PgResult<()> {
        let mut sums = [Halves::default(); FEW_GROUPS];
        let place = |group: u32| group as usize % FEW_GROUPS;
        match (validity, sel) {
            (None, Selection::All(rows)) => {
                let rows = digits[..*rows].iter().zip(groups);
                rows.for_each(|(v, &group)| sums[place(group)].add(*v));
            }
            (None, Selection::Rows(rows)) => {
                let rows = rows.iter().zip(groups);
                rows.for_each(|(&i, &group)| sums[place(group)].add(digits[usize::from(i)]));
            }
            (Some(bits), _) => {
                let rows = sel.iter().zip(groups).filter(|(i, _)| bits.get(*i));
                rows.for_each(|(i, &group)| sums[place(group)].add(digits[i]));
            }
        }
        let sums = sums.iter().enumerate().take(self.states.len);
        for (group, sum) in sums.filter(|(_, sum)| sum.count > 0) {
            self.states
                .of(group as u32)
                .add_decimal(sum.sum(), *scale, sum.count)?;
        }
        Ok(())
    }
}

/// The sum of the selected numbers that are not NULL, and how many they are.
fn sum_decimals(digits: &[i64], validity: Option<&Bitmap>, sel: &Selection) -> (i128, i64) {
    let mut sum = Halves::default();
    match (validity, sel) {
        (None, Selection::All(rows)) => digits[..*rows].iter().for_each(|v| sum.add(*v)),
        (None, Selection::Rows(rows)) => rows.iter().for_each(|&i| sum.add(digits[usize::from(i)])),
        (Some(bits), _) => sel.for_each(|i| {
            if bits.get(i) {
                sum.add(digits[i]);
            }
        }),
    }
    (sum.sum(), sum.count)
}

pub(in crate::families) fn argument<'a>(args: &[&'a Vector]) -> PgResult<&'a Vector> {
    args.first()
        .copied()
        .ok_or_else(|| common::internal!("aggregate called without its argument"))
}

impl<S: State> Accumulator for Groups<S> {
    fn resize(&mut self, groups: usize) {
        self.states.resize(groups);
    }

    fn update(
        &mut self,
        ctx: &mut FnContext<'_>,
        groups: &[u32],
        args: &[&Vector],
        sel: &Selection,
    ) -> PgResult<()> {
        let argument = argument(args)?;
        if S::DECIMALS
            && let Some(decimals) = argument.decimals()
        {
            return self.update_decimals(decimals, argument.validity(), groups, sel);
        }
        let column = Column::<S::Phys>::open(argument)?;
        let cancel = ctx.cancel;
        if let Some(data) = column.dense() {
            let mut add = |i: usize, group: u32| {
                let state = self.states.of(group);
                state.add_checked(cancel, S::Phys::at(data, i))
            };
            return match sel {
                Selection::All(rows) => (0..*rows).zip(groups).try_for_each(|(i, &group)| add(i, group)),
                Selection::Rows(rows) => {
                    let mut rows = rows.iter().zip(groups);
                    rows.try_for_each(|(&i, &group)| add(usize::from(i), group))
                }
            };
        }
        for (i, &group) in sel.iter().zip(groups) {
            if let Some(value) = column.get(i) {
                self.states.of(group).add_checked(cancel, value)?;
            }
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
        let argument = argument(args)?;
        let state = self.states.of(group);
        if S::DECIMALS
            && let Some(decimals) = argument.decimals()
        {
            let (sum, count) = sum_decimals(&decimals.digits, argument.validity(), sel);
            return state.add_decimal(sum, decimals.scale, count);
        }
        let column = Column::<S::Phys>::open(argument)?;
        if let (Selection::All(rows), Some(data)) = (sel, column.dense()) {
            return state.add_dense(ctx.cancel, data, *rows);
        }
        sel.try_for_each(|i| {
            let value = column.get(i);
            value.map_or(Ok(()), |value| state.add_checked(ctx.cancel, value))
        })
    }

    fn combine(&mut self, _: &mut FnContext<'_>, other: Box<dyn Accumulator>, map: &[u32]) -> PgResult<()> {
        let other = downcast::<Groups<S>>(other)?;
        for (state, &group) in other.states.into_iter().zip(map) {
            self.states.of(group).merge(state)?;
        }
        Ok(())
    }

    fn finalize(&mut self, _: &mut FnContext<'_>, group: u32) -> PgResult<Datum> {
        self.states.of(group).result()
    }

    fn memory_bytes(&self) -> usize {
        self.states.len * size_of::<S>() + self.states.iter().map(S::heap_bytes).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_in_pieces_are_those_of_a_vector() {
        let (mut pieces, mut plain) = (
            Pieces::<u32> {
                pieces: Vec::new(),
                len: 0,
            },
            Vec::new(),
        );
        for (turn, len) in [
            0,
            1,
            7,
            PIECE - 1,
            PIECE,
            PIECE,
            PIECE + 1,
            5 * PIECE + 3,
            3 * PIECE,
            PIECE / 2,
            2 * PIECE,
        ]
        .into_iter()
        .enumerate()
        {
            pieces.resize(len);
            plain.resize_with(len, u32::default);
            assert!(pieces.iter().eq(&plain) && pieces.len == len);
            for group in (0..len).step_by(turn + 3) {
                *pieces.of(group as u32) = (group * 10 + turn) as u32;
                plain[group] = (group * 10 + turn) as u32;
            }
        }
        assert!(pieces.into_iter().eq(plain));
    }
}
