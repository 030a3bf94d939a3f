//! Set-returning functions.

use common::{Oid, PgResult};
use types::{Datum, PhysType, Vector};

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

/// All rows at once.
struct Materialized {
    columns: Option<Vec<Vector>>,
}

impl SetRows for Materialized {
    fn next_rows(&mut self, _: &mut FnContext<'_>, _max: usize) -> PgResult<Option<Vec<Vector>>> {
        let columns = self.columns.take();
        Ok(columns.filter(|c| c.first().is_some_and(|v| !v.is_empty())))
    }
}

/// A set of rows that are there already; a row that is too short ends in NULLs.
pub fn materialized(types: &[Oid], rows: Vec<Vec<Datum>>) -> Box<dyn SetRows> {
    let empty = |t: &Oid| Vector::empty(PhysType::of_builtin(*t));
    let mut columns: Vec<Vector> = types.iter().map(empty).collect();
    for row in rows {
        for (at, column) in columns.iter_mut().enumerate() {
            column.push(row.get(at).unwrap_or(&Datum::Null));
        }
    }
    Box::new(Materialized {
        columns: Some(columns),
    })
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
