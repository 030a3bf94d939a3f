//! Evaluating expressions: in place where that is possible, else as queries.
//!
//! PG: src/pl/plpgsql/src/pl_exec.c (`exec_eval_expr`, `exec_eval_simple_expr`, `exec_run_select`).

use common::error::ErrorExt;
use common::{PgResult, pg_err};
use expr::{FnParts, RowInputs};
use types::settings::TypeRef;
use types::{Datum, oids};

use crate::exec::plan::{ExprPlan, Planned};
use crate::exec::value::InPlace;
use crate::exec::{Call, ExprSlot};
use crate::tree::Expr;
use nodes::query::CommandType;

impl Call<'_> {
    /// The value of an expression, and its type.
    pub(crate) fn eval_any(&mut self, expr: &Expr) -> PgResult<(Datum, TypeRef)> {
        self.settle()?;
        if let Some(done) = self.eval_in_place(expr) {
            return done;
        }
        let plan = self.planned(expr)?;
        match &plan.what {
            Planned::Simple { .. } => match self.eval_in_place(expr) {
                Some(done) => done,
                None => Err(common::internal!("simple expression has no plan")),
            },
            _ => self.eval_query(expr, &plan),
        }
    }

    #[inline]
    fn eval_in_place(&mut self, expr: &Expr) -> Option<PgResult<(Datum, TypeRef)>> {
        let ExprSlot {
            plan: Some(plan),
            state,
        } = self.act.exprs.get_mut(expr.id)?
        else {
            return None;
        };
        if plan.stamp != self.stamp {
            return None;
        }
        let Planned::Simple {
            program,
            result,
            calls_session,
            ..
        } = &plan.what
        else {
            return None;
        };
        let mut runtime = InPlace {
            func: &self.func,
            values: &self.act.values,
            params: &plan.params,
            parts: FnParts {
                settings: self.host.settings(),
                cancel: self.host.cancel(),
                session: self.host.session(),
            },
        };
        let value = program.eval_row(&mut runtime, state, RowInputs::default());
        if *calls_session {
            self.dirty = true;
        }
        match value {
            Ok(value) => Some(Ok((value, *result))),
            // A constant fails where it would be folded: while the expression is planned.
            Err(e) if plan.params.is_empty() && !*calls_session => {
                Some(Err(crate::exec::plan::in_sql(e, expr.mode, &expr.text)))
            }
            Err(e) => Some(Err(e)),
        }
    }

    /// An expression that needs a plan: a query of one row and one column.
    fn eval_query(&mut self, expr: &Expr, plan: &ExprPlan) -> PgResult<(Datum, TypeRef)> {
        let Planned::Query(query) = &plan.what else {
            return Err(pg_err!(WRONG_OBJECT_TYPE, "query is not a SELECT"));
        };
        if query.command != CommandType::Select {
            return Err(
                pg_err!(WRONG_OBJECT_TYPE, "query is not a SELECT").context(format!("query: {}", expr.text))
            );
        }
        let brought = self.run_query(expr, plan, query, 2)?;
        let columns = query.columns.as_ref().map_or(0, |c| c.types.len());
        if columns != 1 {
            let s = if columns == 1 { "" } else { "s" };
            return Err(pg_err!(SYNTAX_ERROR, "query returned {columns} column{s}")
                .context(format!("query: {}", expr.text)));
        }
        let type_ref = query
            .columns
            .as_ref()
            .and_then(|c| c.types.first().copied())
            .unwrap_or(TypeRef::plain(oids::UNKNOWN));
        let mut rows = brought.rows.into_iter();
        let first = rows.next();
        if rows.next().is_some() {
            return Err(pg_err!(CARDINALITY_VIOLATION, "query returned more than one row")
                .context(format!("query: {}", expr.text)));
        }
        let value = first
            .and_then(|row| row.into_iter().next())
            .unwrap_or(Datum::Null);
        Ok((value, type_ref))
    }

    /// The value as one of a type.
    pub(crate) fn eval_as(&mut self, expr: &Expr, to: TypeRef) -> PgResult<Datum> {
        let (value, from) = self.eval_any(expr)?;
        self.cast_value(value, from, to)
    }

    /// A condition; NULL is false.
    pub(crate) fn condition(&mut self, expr: &Expr) -> PgResult<bool> {
        let (value, from) = self.eval_any(expr)?;
        if let Datum::Bool(b) = value {
            return Ok(b);
        }
        let value = self.cast_value(value, from, TypeRef::plain(oids::BOOL))?;
        Ok(value.as_bool() == Some(true))
    }

    /// The value as text, through its output function; `None`: NULL.
    pub(crate) fn text_of(&mut self, value: &Datum, type_ref: TypeRef) -> PgResult<Option<String>> {
        if value.is_null() {
            return Ok(None);
        }
        if let (Datum::Text(s), oids::TEXT | oids::VARCHAR | oids::UNKNOWN) = (value, type_ref.oid) {
            return Ok(Some(s.to_string()));
        }
        let mut out = String::new();
        let io = types::io::IoContext {
            settings: self.host.settings(),
            resolver: Some(self.host.session().resolver()),
            cancel: self.host.cancel(),
        };
        types::io::output(type_ref.oid, value, &io, &mut out)?;
        Ok(Some(out))
    }

    /// An expression as text.
    pub(crate) fn eval_text(&mut self, expr: &Expr) -> PgResult<Option<String>> {
        let (value, type_ref) = self.eval_any(expr)?;
        self.text_of(&value, type_ref)
    }

    pub(crate) fn set_found(&mut self, found: bool) {
        if let Some(slot) = self.act.values.get_mut(self.func.found) {
            *slot = crate::exec::value::Slot::Var(Datum::Bool(found));
        }
    }
}
