//! Values of variables, and how expressions read them.

use common::{Oid, PgResult, internal, pg_err};
use expr::{FnParts, Runtime};
use functions::SessionContext;
use types::Datum;

use crate::exec::plan::{ParamSource, no_field, not_assigned};
use crate::exec::record::Record;
use crate::tree::{Decl, Function};

/// The value of a variable.
#[derive(Clone, Debug, Default)]
pub(crate) enum Slot {
    /// A row or a field: its value is elsewhere.
    #[default]
    Nothing,
    Var(Datum),
    Rec(Record),
}

/// The value of a parameter.
pub(crate) fn param_value(
    func: &Function,
    values: &[Slot],
    source: &ParamSource,
    number: usize,
    session: &dyn SessionContext,
) -> PgResult<Datum> {
    match source {
        ParamSource::Var(dno) => match values.get(*dno) {
            Some(Slot::Var(value)) => Ok(value.clone()),
            _ => Err(internal!("parameter {number} is no variable")),
        },
        ParamSource::Rec(dno) => match values.get(*dno) {
            Some(Slot::Rec(record)) => Ok(record.value()),
            _ => Err(internal!("parameter {number} is no record")),
        },
        ParamSource::Field {
            rec,
            name,
            at,
            type_oid,
        } => field_value(func, values, (*rec, name, *at, *type_oid), number, session),
    }
}

fn field_value(
    func: &Function,
    values: &[Slot],
    field: (usize, &str, usize, Oid),
    number: usize,
    session: &dyn SessionContext,
) -> PgResult<Datum> {
    let (rec, name, at, type_oid) = field;
    let Some(Slot::Rec(record)) = values.get(rec) else {
        return Err(internal!("parameter {number} is no field"));
    };
    let Some(Decl::Rec(decl)) = func.decls.get(rec) else {
        return Err(internal!("parameter {number} is no field"));
    };
    let Some(shape) = &record.shape else {
        if decl.ty.type_ref.oid != types::oids::RECORD {
            return Ok(Datum::Null);
        }
        return Err(not_assigned(&decl.name));
    };
    let at = match shape.names.get(at) {
        Some(own) if **own == *name => at,
        _ => shape.position(name).ok_or_else(|| no_field(&decl.name, name))?,
    };
    let actual = shape.types.get(at).map_or(Oid::INVALID, |t| t.oid);
    if actual != type_oid {
        return Err(pg_err!(
            DATATYPE_MISMATCH,
            "type of parameter {number} ({}) does not match that when preparing the plan ({})",
            session.format_type(actual, None)?,
            session.format_type(type_oid, None)?
        ));
    }
    if record.is_null {
        return Ok(Datum::Null);
    }
    Ok(record.fields.get(at).cloned().unwrap_or(Datum::Null))
}

/// What an expression reads while it is evaluated in place.
pub(crate) struct InPlace<'a> {
    pub func: &'a Function,
    pub values: &'a [Slot],
    pub params: &'a [ParamSource],
    pub parts: FnParts<'a>,
}

impl Runtime for InPlace<'_> {
    fn parts(&self) -> FnParts<'_> {
        self.parts
    }

    #[inline]
    fn param(&self, number: usize) -> PgResult<Datum> {
        match self.params.get(number.wrapping_sub(1)) {
            Some(ParamSource::Var(dno)) => match self.values.get(*dno) {
                Some(Slot::Var(value)) => Ok(value.clone()),
                _ => Err(internal!("parameter {number} is no variable")),
            },
            Some(source) => param_value(self.func, self.values, source, number, self.parts.session),
            None => Err(pg_err!(
                UNDEFINED_PARAMETER,
                "no value found for parameter {number}"
            )),
        }
    }
}

/// An expression over one value, `$1`.
pub(crate) struct OneValue<'a> {
    pub value: Datum,
    pub parts: FnParts<'a>,
}

impl Runtime for OneValue<'_> {
    fn parts(&self) -> FnParts<'_> {
        self.parts
    }

    fn param(&self, _number: usize) -> PgResult<Datum> {
        Ok(self.value.clone())
    }
}
