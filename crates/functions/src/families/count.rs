//! `count`.

use common::PgResult;
use types::{Datum, Selection, Vector};

use crate::framework::aggregate::{Accumulator, downcast};
use crate::framework::context::{CallInfo, FnContext};
use crate::framework::macros::aggregates;

/// `count(*)` and `count(x)`: rows, or rows where x is not NULL.
struct Count {
    counts: Vec<i64>,
}

impl Count {
    fn make(_: &CallInfo) -> PgResult<Box<dyn Accumulator>> {
        Ok(Box::new(Count { counts: Vec::new() }))
    }
}

impl Accumulator for Count {
    fn resize(&mut self, groups: usize) {
        self.counts.resize(groups, 0);
    }

    fn update(
        &mut self,
        _ctx: &mut FnContext<'_>,
        groups: &[u32],
        args: &[&Vector],
        sel: &Selection,
    ) -> PgResult<()> {
        match args.first().filter(|a| a.may_have_nulls()) {
            None => groups.iter().for_each(|&g| self.counts[g as usize] += 1),
            Some(arg) => {
                for (i, &g) in sel.iter().zip(groups) {
                    self.counts[g as usize] += i64::from(!arg.is_null(i));
                }
            }
        }
        Ok(())
    }

    fn update_single(
        &mut self,
        _ctx: &mut FnContext<'_>,
        group: u32,
        args: &[&Vector],
        sel: &Selection,
    ) -> PgResult<()> {
        let rows = match (args.first().filter(|a| a.may_have_nulls()), sel) {
            (None, _) => sel.len(),
            (Some(arg), Selection::All(n)) if !arg.is_constant() && arg.len() == *n => {
                arg.validity().map_or(*n, types::Bitmap::count_ones)
            }
            (Some(arg), _) => sel.iter().filter(|&i| !arg.is_null(i)).count(),
        };
        self.counts[group as usize] += rows as i64;
        Ok(())
    }

    fn combine(&mut self, _: &mut FnContext<'_>, other: Box<dyn Accumulator>, map: &[u32]) -> PgResult<()> {
        let other = downcast::<Count>(other)?;
        for (n, &g) in other.counts.iter().zip(map) {
            self.counts[g as usize] += n;
        }
        Ok(())
    }

    fn finalize(&mut self, _: &mut FnContext<'_>, group: u32) -> PgResult<Datum> {
        Ok(Datum::Int8(self.counts[group as usize]))
    }

    fn memory_bytes(&self) -> usize {
        self.counts.len() * size_of::<i64>()
    }
}

aggregates! {
    count() -> int8 = Count::make;
    count(any) -> int8 = Count::make;
}
