//! Aggregates: one accumulator object holds the states of all groups.

use std::any::Any;

use common::{Oid, PgResult};
use types::{Datum, Selection, Vector};

use crate::framework::context::{CallInfo, FnContext};

/// The states of one aggregate call for all groups of an Agg node. DISTINCT, ORDER BY and FILTER are done by the executor
/// before rows arrive here.
pub trait Accumulator: Any + Send {
    /// Makes room for groups `0..groups`; new ones start empty.
    fn resize(&mut self, groups: usize);

    /// Adds the selected rows; `groups[k]` is the group of the `k`-th selected row.
    fn update(
        &mut self,
        ctx: &mut FnContext<'_>,
        groups: &[u32],
        args: &[&Vector],
        sel: &Selection,
    ) -> PgResult<()>;

    /// Adds the selected rows to one group. Accumulators override it with a tight loop.
    fn update_single(
        &mut self,
        ctx: &mut FnContext<'_>,
        group: u32,
        args: &[&Vector],
        sel: &Selection,
    ) -> PgResult<()> {
        let groups = vec![group; sel.len()];
        self.update(ctx, &groups, args, sel)
    }

    /// Merges the states of another accumulator of the same call: its group `g` goes to `map[g]` here.
    fn combine(&mut self, ctx: &mut FnContext<'_>, other: Box<dyn Accumulator>, map: &[u32]) -> PgResult<()>;

    /// The result of a group. The state may be consumed, a second call for the same group is not allowed.
    fn finalize(&mut self, ctx: &mut FnContext<'_>, group: u32) -> PgResult<Datum>;

    /// Bytes held, roughly.
    fn memory_bytes(&self) -> usize;
}

/// The other accumulator of a `combine`, as its own type.
pub(crate) fn downcast<T: Any>(other: Box<dyn Accumulator>) -> PgResult<Box<T>> {
    let any: Box<dyn Any> = other;
    any.downcast::<T>()
        .map_err(|_| common::internal!("accumulators of different aggregates were combined"))
}

/// Makes an accumulator for a call.
pub type MakeAccumulator = fn(&CallInfo) -> PgResult<Box<dyn Accumulator>>;

/// One line of an `aggregates!` list.
#[derive(Clone, Copy)]
pub struct AggregateEntry {
    /// `pg_proc.proname`.
    pub name: &'static str,
    /// Declared argument types.
    pub args: &'static [Oid],
    /// Declared result type.
    pub result: Oid,
    /// Its implementation.
    pub make: MakeAccumulator,
}
