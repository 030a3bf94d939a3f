//! Values from one type to another.
//!
//! PG: src/pl/plpgsql/src/pl_exec.c (`exec_cast_value`, `get_cast_hashentry`).

use std::sync::Arc;

use analyzer::{AnalyzeContext, CoercionContext};
use common::{Oid, PgResult, Span};
use expr::{ExprProgram, ExprState, FnParts, RowInputs};
use nodes::expr::{CoerceExpr, CoercionForm, Expr, Param, ParamKind};
use types::settings::TypeRef;
use types::{Datum, oids};

use crate::exec::Call;
use crate::exec::value::OneValue;
use crate::host::Stamp;

/// A conversion; kept with the function.
pub(crate) struct Cast {
    stamp: Stamp,
    /// `None`: nothing is to be done.
    program: Option<Arc<ExprProgram>>,
    /// Unless it is in use.
    state: Option<ExprState>,
}

impl Call<'_> {
    /// The value as one of another type, as an assignment makes it.
    pub(crate) fn cast_value(&mut self, value: Datum, from: TypeRef, to: TypeRef) -> PgResult<Datum> {
        if from.oid == to.oid && (to.typmod < 0 || from.typmod == to.typmod) {
            return Ok(value);
        }
        if value.is_null() && to.oid < Oid::FIRST_NORMAL {
            return Ok(value);
        }
        let Some((program, mut state)) = self.cast(from, to)? else {
            return Ok(value);
        };
        let mut runtime = OneValue {
            value,
            parts: FnParts {
                settings: self.host.settings(),
                cancel: self.host.cancel(),
                session: self.host.session(),
            },
        };
        let cast = program.eval_row(&mut runtime, &mut state, RowInputs::default());
        let same = |known: &&mut Cast| known.program.as_ref().is_some_and(|p| Arc::ptr_eq(p, &program));
        if cast.is_ok()
            && let Some(known) = self.act.casts.get_mut(&(from, to)).filter(same)
        {
            known.state = Some(state);
        }
        cast
    }

    /// `None`: nothing is to be done.
    fn cast(&mut self, from: TypeRef, to: TypeRef) -> PgResult<Option<(Arc<ExprProgram>, ExprState)>> {
        let stamp = self.stamp;
        let known = self.act.casts.get(&(from, to));
        if known.is_none_or(|known| known.stamp != stamp) {
            let made = Cast {
                stamp,
                program: self.cast_program(from, to)?,
                state: None,
            };
            self.act.casts.insert((from, to), made);
        }
        let Some(known) = self.act.casts.get_mut(&(from, to)) else {
            return Ok(None);
        };
        let Some(program) = &known.program else {
            return Ok(None);
        };
        // A conversion may call functions that convert the same way: then it has none.
        let state = known.state.take().unwrap_or_else(|| program.new_state());
        Ok(Some((Arc::clone(program), state)))
    }

    fn cast_program(&mut self, from: TypeRef, to: TypeRef) -> PgResult<Option<Arc<ExprProgram>>> {
        let source = match from.oid {
            oids::UNKNOWN => TypeRef::plain(oids::TEXT),
            _ => from,
        };
        let value = Expr::Param(Param {
            kind: ParamKind::External,
            number: 1,
            type_ref: source,
            collation: Oid::INVALID,
            span: Span::NONE,
        });
        let view = self.host.catalog();
        let cx = AnalyzeContext::new(view, self.host.settings()).with_database(self.host.database());
        let made = match analyzer::utility::coerce(value.clone(), to, CoercionContext::Plpgsql, &cx)? {
            Some(made) => made,
            None => Expr::CoerceViaIo(CoerceExpr {
                arg: Box::new(value),
                result: to,
                collation: Oid::INVALID,
                form: CoercionForm::ImplicitCast,
                span: Span::NONE,
            }),
        };
        match made {
            Expr::Param(_) => Ok(None),
            other => Ok(Some(Arc::new(executor::compile_scalar(&other, view)?))),
        }
    }
}
