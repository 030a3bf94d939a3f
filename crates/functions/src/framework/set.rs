//! Set-returning functions.

use common::{Oid, PgResult};
use types::{Datum, Vector};

use crate::framework::context::FnContext;

/// A running set-returning call.
pub trait SetRows: Send {
    /// The next rows, at most `max` of them, one vector per result column (one for a scalar result); `None` at the end.
    fn next_rows(&mut self, ctx: &mut FnContext<'_>, max: usize) -> PgResult<Option<Vec<Vector>>>;
}

/// Starts a call. Strict functions are not called with NULLs: the set is empty then.
pub type SetKernel = fn(&mut FnContext<'_>, &[Datum]) -> PgResult<Box<dyn SetRows>>;

/// One line of a `set_functions!` list.
#[derive(Clone, Copy)]
pub struct SetEntry {
    /// `pg_proc.prosrc`.
    pub name: &'static str,
    /// Declared argument types.
    pub args: &'static [Oid],
    /// Declared result type.
    pub result: Oid,
    /// Its implementation.
    pub make: SetKernel,
}

/// Rows made by an iterator of datums, for functions with one scalar column.
pub struct ScalarRows<I> {
    /// The storage class of the column.
    pub phys: types::PhysType,
    /// The values.
    pub iter: I,
}

impl<I: Iterator<Item = PgResult<Datum>> + Send> SetRows for ScalarRows<I> {
    fn next_rows(&mut self, ctx: &mut FnContext<'_>, max: usize) -> PgResult<Option<Vec<Vector>>> {
        ctx.cancel.check()?;
        let mut out = Vector::empty(self.phys);
        for value in self.iter.by_ref().take(max) {
            out.push(&value?);
        }
        Ok(if out.is_empty() { None } else { Some(vec![out]) })
    }
}
