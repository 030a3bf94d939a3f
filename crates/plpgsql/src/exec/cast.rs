//! Values from one type to another.
//!
//! PG: src/pl/plpgsql/src/pl_exec.c (`exec_cast_value`, `get_cast_hashentry`).

use std::sync::Arc;

use analyzer::{AnalyzeContext, CoercionContext};
use common::{Oid, PgResult, Span};
use expr::{ExprProgram, FnParts, RowInputs};
use nodes::expr::{CoerceExpr, CoercionForm, Expr, Param, ParamKind};
use types::settings::TypeRef;
use types::{Datum, oids};

use crate::exec::Call;
use crate::exec::value::OneValue;

impl Call<'_> {
    /// The value as one of another type, as an assignment makes it.
    pub(crate) fn cast_value(&mut self, value: Datum, from: TypeRef, to: TypeRef) -> PgResult<Datum> {
        if from.oid == to.oid && (to.typmod < 0 || from.typmod == to.typmod) {
            return Ok(value);
        }
        if value.is_null() && to.oid < Oid::FIRST_NORMAL {
            return Ok(value);
        }
        let Some(program) = self.cast_program(from, to)? else {
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
        program.eval_row(&mut runtime, &mut program.new_state(), RowInputs::default())
    }

    /// `None`: nothing is to be done.
    fn cast_program(&mut self, from: TypeRef, to: TypeRef) -> PgResult<Option<Arc<ExprProgram>>> {
        if let Some(known) = self.casts.get(&(from, to)) {
            return Ok(known.clone());
        }
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
        let program = match made {
            Expr::Param(_) => None,
            other => Some(Arc::new(executor::compile_scalar(&other, view)?)),
        };
        self.casts.insert((from, to), program.clone());
        Ok(program)
    }
}
