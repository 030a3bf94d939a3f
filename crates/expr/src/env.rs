//! What compilation and evaluation ask of their surroundings.

use std::sync::Arc;

use common::cancel::CancelToken;
use common::{Oid, PgResult};
use functions::SessionContext;
use nodes::expr::{Expr, Var};
use types::{Datum, FormatSettings, PhysType, Rows, Vector};

/// Which input of a node a column comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Side {
    Scan,
    Outer,
    Inner,
}

/// Where the value of a column reference is found at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnPlace {
    /// Which input.
    pub side: Side,
    /// Position among its columns.
    pub index: usize,
}

/// A domain's rules.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct DomainInfo {
    pub name: Arc<str>,
    pub not_null: bool,
    pub checks: Vec<DomainCheck>,
}

/// A CHECK of a domain, over `Expr::CoerceToDomainValue`.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct DomainCheck {
    pub name: Arc<str>,
    pub expr: Arc<Expr>,
}

/// What a compilation needs to know from outside the expression.
pub trait CompileEnv {
    /// Where a column lies.
    fn column(&self, var: &Var) -> PgResult<ColumnPlace>;
    /// Storage class of a type.
    fn phys(&self, type_oid: Oid) -> PgResult<PhysType> {
        Ok(PhysType::of_builtin(type_oid))
    }
    /// Rules of a domain type, base domains' included, outermost last.
    fn domain(&self, type_oid: Oid) -> PgResult<DomainInfo>;
    /// Element type of an array type; `None` if it is not one.
    fn element_type(&self, type_oid: Oid) -> PgResult<Option<Oid>> {
        Ok(types::builtin::type_row(type_oid)
            .filter(|t| t.is_array())
            .map(|t| t.typelem))
    }
    /// Attributes of a composite type (or of a domain over one) by number: their types, `None` for dropped ones. `None` for other
    /// types.
    fn composite(&self, type_oid: Oid) -> PgResult<Option<Vec<Option<Oid>>>> {
        let _ = type_oid;
        Ok(None)
    }
    /// The built-in function that a function is another name of (`LANGUAGE internal`); itself otherwise.
    fn kernel_function(&self, func: Oid) -> PgResult<Oid> {
        Ok(func)
    }
    /// For a function that the session runs (its language is SQL): whether it is strict.
    fn session_function(&self, func: Oid) -> PgResult<Option<bool>> {
        let _ = func;
        Ok(None)
    }
    /// The error for a function without kernels (user-defined functions included).
    fn missing_function(&self, proc: Oid) -> Box<common::PgError> {
        functions::framework::registry::not_implemented(proc)
    }
}

/// The session parts that functions see.
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct FnParts<'a> {
    pub settings: &'a FormatSettings,
    pub cancel: &'a CancelToken,
    pub session: &'a dyn SessionContext,
}

/// What an evaluation needs at run time besides columns.
pub trait Runtime {
    /// Settings, cancellation, session.
    fn parts(&self) -> FnParts<'_>;
    /// Value of `$n` (1-based).
    fn param(&self, number: usize) -> PgResult<Datum>;
    /// Value of an executor slot; outside of a plan there is none.
    fn exec_param(&self, slot: usize) -> PgResult<Datum> {
        Err(common::internal!("executor parameter {slot} outside of a plan"))
    }
    /// Sets an executor slot.
    fn set_exec_param(&mut self, _slot: usize, _value: Datum) {}
    /// Runs a subplan under the current slots and returns its rows, at most `max_rows`. Initplans run once and are remembered. Outside of
    /// a plan there is none.
    fn subplan_rows(&mut self, _plan_id: usize, _max_rows: usize) -> PgResult<Arc<Rows>> {
        Err(common::internal!("subquery outside of a plan"))
    }
    /// Advances a sequence.
    fn next_value(&mut self, sequence: Oid) -> PgResult<i64> {
        self.parts().session.nextval(sequence)
    }
}

/// The columns an evaluation reads, all of the same physical length.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// Physical rows.
    pub rows: usize,
    /// Columns of a scan.
    pub scan: &'a [Arc<Vector>],
    /// Columns of the left or only input.
    pub outer: &'a [Arc<Vector>],
    /// Columns of the right input.
    pub inner: &'a [Arc<Vector>],
}

impl<'a> Inputs<'a> {
    /// No columns.
    pub const fn none(rows: usize) -> Inputs<'a> {
        Inputs {
            rows,
            scan: &[],
            outer: &[],
            inner: &[],
        }
    }

    /// A scan's columns.
    pub const fn scan(columns: &'a [Arc<Vector>], rows: usize) -> Inputs<'a> {
        Inputs {
            rows,
            scan: columns,
            outer: &[],
            inner: &[],
        }
    }

    /// An only input's columns.
    pub const fn outer(columns: &'a [Arc<Vector>], rows: usize) -> Inputs<'a> {
        Inputs {
            rows,
            scan: &[],
            outer: columns,
            inner: &[],
        }
    }

    /// The column at a place.
    #[inline]
    pub(crate) fn column(&self, place: ColumnPlace) -> PgResult<&'a Arc<Vector>> {
        let columns = match place.side {
            Side::Scan => self.scan,
            Side::Outer => self.outer,
            Side::Inner => self.inner,
        };
        columns
            .get(place.index)
            .ok_or_else(|| common::internal!("expression reads column {place:?} of no input"))
    }
}

/// One row as datums, for the scalar path.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct RowInputs<'a> {
    pub scan: &'a [Datum],
    pub outer: &'a [Datum],
    pub inner: &'a [Datum],
}

impl<'a> RowInputs<'a> {
    #[inline]
    pub(crate) fn datum(&self, place: ColumnPlace) -> PgResult<&'a Datum> {
        let columns = match place.side {
            Side::Scan => self.scan,
            Side::Outer => self.outer,
            Side::Inner => self.inner,
        };
        columns
            .get(place.index)
            .ok_or_else(|| common::internal!("expression reads column {place:?} of no row"))
    }
}
