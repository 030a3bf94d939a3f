//! Running a compiled function.
//!
//! PG: src/pl/plpgsql/src/pl_exec.c.

mod assign;
mod block;
mod cast;
mod cursor;
mod diagnostics;
mod eval;
mod loops;
pub(crate) mod plan;
mod procedure;
mod query;
mod raise;
pub(crate) mod record;
mod returns;
pub mod trigger;
mod value;

use std::sync::Arc;

use common::error::ErrorExt;
use common::{PgError, PgResult, pg_err};
use functions::CallInfo;
use rustc_hash::FxHashMap;
use types::settings::TypeRef;
use types::{Datum, oids};

use crate::exec::cast::Cast;
use crate::exec::plan::ExprPlan;
use crate::exec::record::{Record, Shape};
use crate::exec::value::Slot;
use crate::host::{CASTING_RESULT, Context, ENTRY, EXIT, FrameInfo, Host, NOWHERE, STORING_ARGUMENTS, Stamp};
use crate::tree::{Block, Decl, Function, Stmt, StmtKind};

/// What one expression keeps during a call.
#[derive(Default)]
pub(crate) struct ExprSlot {
    pub plan: Option<Arc<ExprPlan>>,
    pub state: expr::ExprState,
}

/// The changing part of a call; kept with the function when it ends, so that the next call needs no room of its own.
pub(crate) struct Activation {
    pub values: Vec<Slot>,
    pub exprs: Vec<ExprSlot>,
    pub frame: Arc<FrameInfo>,
    /// Conversions that were needed, by their types.
    pub casts: FxHashMap<(TypeRef, TypeRef), Cast>,
}

impl Activation {
    fn new(func: &Function) -> Activation {
        let mut exprs = Vec::new();
        exprs.resize_with(func.expr_count, ExprSlot::default);
        Activation {
            values: vec![Slot::Nothing; func.decls.len()],
            exprs,
            frame: Arc::new(FrameInfo::new(func.signature.clone())),
            casts: FxHashMap::default(),
        }
    }

    /// Every variable as before the call.
    fn clear(&mut self, func: &Function) {
        for (slot, decl) in self.values.iter_mut().zip(&func.decls) {
            *slot = match decl {
                Decl::Var(_) => Slot::Var(Datum::Null),
                Decl::Rec(_) => Slot::Rec(Record::default()),
                Decl::Row(_) | Decl::Field(_) => Slot::Nothing,
            };
        }
    }
}

/// Where control goes after a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    Normal,
    Exit(Option<Arc<str>>),
    Continue(Option<Arc<str>>),
    Return,
}

/// What a call brought.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// One value.
    Value(Datum),
    /// A set.
    Rows(Vec<Datum>),
}

/// Calls kept per function for later ones.
const POOL_MAX: usize = 4;

/// A running call.
pub struct Call<'h> {
    pub(crate) func: Arc<Function>,
    pub(crate) act: Activation,
    pub(crate) host: &'h mut dyn Host,
    pub(crate) stamp: Stamp,
    /// Something ran that may have changed what plans rest on.
    pub(crate) dirty: bool,
    /// ROW_COUNT.
    pub(crate) processed: u64,
    pub(crate) result: Datum,
    pub(crate) result_type: TypeRef,
    pub(crate) rows: Vec<Datum>,
    /// The structure of result rows, once it was needed.
    pub(crate) row_shape: Option<Arc<Shape>>,
    /// Errors that EXCEPTION handlers are dealing with, the innermost last.
    pub(crate) errors: Vec<Arc<PgError>>,
    /// The error on its way out has this call's line already (RAISE without parameters).
    pub(crate) rethrown: bool,
    /// The call as its caller sees it; `None` for DO and triggers.
    pub(crate) info: Option<&'h CallInfo>,
    pub(crate) trigger: Option<&'h trigger::TriggerCall<'h>>,
}

impl<'h> Call<'h> {
    fn new(func: Arc<Function>, host: &'h mut dyn Host, info: Option<&'h CallInfo>) -> Call<'h> {
        let kept = func.pool.lock().pop();
        let mut act = kept.unwrap_or_else(|| Activation::new(&func));
        act.clear(&func);
        act.frame.set(0, ENTRY);
        Call {
            act,
            stamp: host.stamp(),
            host,
            dirty: false,
            processed: 0,
            result: Datum::Null,
            result_type: func.returns.type_ref,
            rows: Vec::new(),
            row_shape: None,
            errors: Vec::new(),
            rethrown: false,
            info,
            trigger: None,
            func,
        }
    }

    /// Calls a function.
    pub fn function(
        func: &Arc<Function>,
        host: &'h mut dyn Host,
        info: &'h CallInfo,
        args: &[Datum],
    ) -> PgResult<Outcome> {
        let mut call = Call::new(func.clone(), host, Some(info));
        let result = call.in_frame(|call| {
            call.act.frame.set(0, STORING_ARGUMENTS);
            call.store_arguments(args)?;
            call.run_body()?;
            call.finish()
        });
        call.give_back();
        result
    }

    /// Runs the body of DO.
    pub fn inline(func: &Arc<Function>, host: &'h mut dyn Host) -> PgResult<()> {
        let mut call = Call::new(func.clone(), host, None);
        call.in_frame(Call::run_body)
    }

    /// Runs `f` with the call's frame on the stack of contexts; errors get its line.
    pub(crate) fn in_frame<T>(&mut self, f: impl FnOnce(&mut Self) -> PgResult<T>) -> PgResult<T> {
        let depth = self.host.enter(Context::Call(self.act.frame.clone()));
        let result = self.host.check_stack().and_then(|()| f(self));
        self.host.leave(depth);
        result.map_err(|e| match std::mem::take(&mut self.rethrown) {
            true => e,
            false => e.context(self.act.frame.line()),
        })
    }

    pub(crate) fn give_back(self) {
        let mut pool = self.func.pool.lock();
        if pool.len() < POOL_MAX {
            pool.push(self.act);
        }
    }

    fn store_arguments(&mut self, args: &[Datum]) -> PgResult<()> {
        let func = self.func.clone();
        for (dno, value) in func.inputs.iter().zip(args) {
            match func.decls.get(*dno) {
                Some(Decl::Rec(decl)) => {
                    let record = match value {
                        Datum::Record(r) => {
                            let shape = match decl.ty.type_ref.oid {
                                oids::RECORD => Shape::of_value(r, self.host.catalog())?,
                                own => Shape::of_type(own, self.host.catalog())?,
                            };
                            Record::new(shape, r.fields.clone())
                        }
                        _ => self.null_record(*dno)?,
                    };
                    self.act.values[*dno] = Slot::Rec(record);
                }
                _ => self.act.values[*dno] = Slot::Var(value.clone()),
            }
        }
        Ok(())
    }

    pub(crate) fn run_body(&mut self) -> PgResult<()> {
        let func = self.func.clone();
        self.act.frame.set(0, ENTRY);
        if let Some(slot) = self.act.values.get_mut(func.found) {
            *slot = Slot::Var(Datum::Bool(false));
        }
        let flow = self.block(&func.body, 0)?;
        if flow != Flow::Return {
            self.act.frame.set(0, NOWHERE);
            let what = match func.purpose {
                crate::tree::Purpose::Trigger => "trigger procedure",
                _ => "function",
            };
            return Err(pg_err!(
                S_R_E_FUNCTION_EXECUTED_NO_RETURN_STATEMENT,
                "control reached end of {what} without RETURN"
            ));
        }
        Ok(())
    }

    fn finish(&mut self) -> PgResult<Outcome> {
        let func = self.func.clone();
        self.act.frame.set(0, CASTING_RESULT);
        if func.returns.is_set {
            return Ok(Outcome::Rows(std::mem::take(&mut self.rows)));
        }
        let value = self.cast_result()?;
        self.act.frame.set(0, EXIT);
        Ok(Outcome::Value(value))
    }

    /// Looks whether plans are good still, if something ran that may have changed that.
    #[inline]
    pub(crate) fn settle(&mut self) -> PgResult<()> {
        if self.dirty { self.look_again() } else { Ok(()) }
    }

    fn look_again(&mut self) -> PgResult<()> {
        self.dirty = false;
        let stamp = self.host.stamp();
        if stamp != self.stamp {
            self.host.refresh()?;
            self.stamp = stamp;
        }
        Ok(())
    }

    /// Statements one after the other.
    pub(crate) fn statements(&mut self, list: &[Stmt]) -> PgResult<Flow> {
        for stmt in list {
            let flow = self.statement(stmt)?;
            if flow != Flow::Normal {
                return Ok(flow);
            }
        }
        Ok(Flow::Normal)
    }

    pub(crate) fn statement(&mut self, stmt: &Stmt) -> PgResult<Flow> {
        let before = self.act.frame.get();
        self.act.frame.set(stmt.line, stmt.kind.what());
        self.host.cancel().check()?;
        let flow = self.dispatch(stmt)?;
        self.act.frame.set(before.0, before.1);
        Ok(flow)
    }

    fn dispatch(&mut self, stmt: &Stmt) -> PgResult<Flow> {
        match &stmt.kind {
            StmtKind::Assign(target, expr) => self.assign_statement(*target, expr)?,
            StmtKind::If(s) => return self.if_statement(s),
            StmtKind::Block(b) => return self.inner_block(b, stmt.line),
            StmtKind::Case(s) => return self.case_statement(s),
            StmtKind::Loop(s) => return self.endless_loop(s),
            StmtKind::While(condition, body) => return self.while_loop(condition, body),
            StmtKind::ForInt(s) => return self.integer_loop(s),
            StmtKind::ForQuery(s) => return self.row_loop(s),
            StmtKind::Foreach(s) => return self.foreach_loop(s),
            StmtKind::Exit(s) => return self.exit_statement(s),
            StmtKind::Return(expr, var) => return self.return_statement(expr.as_ref(), *var),
            StmtKind::ReturnNext(expr, var) => self.return_next(expr.as_ref(), *var)?,
            StmtKind::ReturnQuery(source) => self.return_query(source)?,
            StmtKind::Raise(s) => self.raise_statement(s)?,
            StmtKind::Assert(s) => self.assert_statement(&s.0, s.1.as_ref())?,
            StmtKind::Sql(s) => self.sql_statement(s)?,
            StmtKind::Execute(s) => self.execute_statement(s)?,
            StmtKind::Perform(expr) => self.perform_statement(expr)?,
            StmtKind::Call(expr, _) => self.call_statement(expr)?,
            StmtKind::GetDiagnostics(s) => self.get_diagnostics(s)?,
            StmtKind::Open(s) => self.open_statement(s)?,
            StmtKind::Fetch(s) => self.fetch_statement(s)?,
            StmtKind::Close(cursor) => self.close_statement(*cursor)?,
            StmtKind::Commit(chain) => {
                self.host.commit(*chain)?;
                self.dirty = true;
                self.settle()?;
            }
            StmtKind::Rollback(chain) => {
                self.host.rollback(*chain)?;
                self.dirty = true;
                self.settle()?;
            }
            StmtKind::Null => {}
        }
        Ok(Flow::Normal)
    }

    fn inner_block(&mut self, block: &Block, line: u32) -> PgResult<Flow> {
        self.host.check_stack()?;
        self.block(block, line)
    }
}
