//! CALL: output arguments go back into variables.
//!
//! PG: src/pl/plpgsql/src/pl_exec.c (`exec_stmt_call`, `make_callstmt_target`).

use common::{PgResult, pg_err};
use expr::{FnParts, RowInputs};
use functions::CallInfo;
use nodes::Expr as Tree;
use parser::ast::{CallStmt, Statement};
use types::settings::TypeRef;
use types::{Datum, oids};

use crate::exec::Call;
use crate::exec::plan::{ParamSource, Planned};
use crate::exec::value::InPlace;
use crate::tree::{Expr, Mode};

/// An output argument: the variable that takes it.
struct Output {
    source: ParamSource,
}

impl Call<'_> {
    pub(crate) fn call_statement(&mut self, expr: &Expr) -> PgResult<()> {
        self.settle()?;
        let plan = self.planned(expr)?;
        let Planned::Utility(stmt) = &plan.what else {
            return Err(common::internal!("query for CALL statement is not a CallStmt"));
        };
        let Statement::Call(call) = &**stmt else {
            return self.perform_utility(stmt, expr).map(drop);
        };
        let text = expr.text.clone();
        let (value, outputs) = self.in_sql(Mode::Statement, &text, |c| c.run_call(call, expr))?;
        let Datum::Record(record) = value else {
            return Ok(());
        };
        for (at, output) in outputs.iter().enumerate() {
            let value = record.fields.get(at).cloned().unwrap_or(Datum::Null);
            let from = record.field_types.get(at).copied().unwrap_or(oids::TEXT);
            self.put_output(&output.source, value, TypeRef::plain(from))?;
        }
        Ok(())
    }

    fn put_output(&mut self, source: &ParamSource, value: Datum, from: TypeRef) -> PgResult<()> {
        match source {
            ParamSource::Var(dno) | ParamSource::Rec(dno) => self.assign_value(*dno, value, from),
            ParamSource::Field { rec, name, .. } => {
                let name = name.clone();
                self.assign_record_field(*rec, &name, value, from)
            }
        }
    }

    fn run_call(&mut self, call: &CallStmt, expr: &Expr) -> PgResult<(Datum, Vec<Output>)> {
        let (made, params) =
            self.analyzed_expr(expr, |cx| analyzer::utility::analyze_call(&call.funccall, cx))?;
        let Tree::Func(f) = &made else {
            return Err(common::internal!("CALL of something that is no procedure"));
        };
        let Some(desc) = self.host.catalog().function(f.func)? else {
            return Err(common::internal!("cache lookup failed for function {}", f.func));
        };
        let mut outputs = Vec::new();
        let mut inputs = Vec::new();
        for (at, arg) in f.args.iter().enumerate() {
            let mode = desc.arg_modes.get(at).copied().unwrap_or(b'i');
            if mode != b'o' {
                inputs.push(arg);
            }
            if !matches!(mode, b'o' | b'b') {
                continue;
            }
            let source = match arg {
                Tree::Param(p) => params.get(p.number.wrapping_sub(1)).cloned(),
                Tree::NamedArg { arg, .. } => match &**arg {
                    Tree::Param(p) => params.get(p.number.wrapping_sub(1)).cloned(),
                    _ => None,
                },
                _ => None,
            };
            let Some(source) = source else {
                let name = desc.arg_names.get(at).filter(|n| !n.is_empty());
                return Err(match name {
                    Some(name) => pg_err!(
                        SYNTAX_ERROR,
                        "procedure parameter \"{name}\" is an output parameter but corresponding argument is not writable"
                    ),
                    None => pg_err!(
                        SYNTAX_ERROR,
                        "procedure parameter {} is an output parameter but corresponding argument is not writable",
                        at + 1
                    ),
                });
            };
            outputs.push(Output { source });
        }
        let mut args = Vec::with_capacity(inputs.len());
        for arg in &inputs {
            args.push(self.call_argument(arg, &params)?);
        }
        let info = CallInfo {
            proc: f.func,
            args: inputs.iter().map(|a| a.type_ref()).collect(),
            result: f.result,
            collation: f.input_collation,
            variadic: f.variadic,
            columns: Vec::new(),
        };
        let value = self.host.call(&info, &args)?;
        Ok((value, outputs))
    }

    fn call_argument(&mut self, arg: &Tree, params: &[ParamSource]) -> PgResult<Datum> {
        if nodes::walk::any(arg, &mut |e| matches!(e, Tree::SubLink(_))) {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "cannot use subquery in CALL argument"
            ));
        }
        let program = executor::compile_scalar(arg, self.host.catalog())?;
        let mut runtime = InPlace {
            func: &self.func,
            values: &self.act.values,
            params,
            parts: FnParts {
                settings: self.host.settings(),
                cancel: self.host.cancel(),
                session: self.host.session(),
            },
        };
        program.eval_row(&mut runtime, &mut program.new_state(), RowInputs::default())
    }
}
