//! Blocks: variables begin, statements run, errors are caught.
//!
//! PG: src/pl/plpgsql/src/pl_exec.c (`exec_stmt_block`).

use std::sync::Arc;

use common::{PgError, PgResult, pg_err};
use types::{Datum, oids};

use crate::exec::record::Record;
use crate::exec::value::Slot;
use crate::exec::{Call, Flow};
use crate::host::BLOCK_VARIABLES;
use crate::tree::{Block, Case, Decl, Dno, Exceptions, Exit, If};

impl Call<'_> {
    /// Runs a block and takes EXITs meant for it.
    pub(crate) fn block(&mut self, block: &Block, line: u32) -> PgResult<Flow> {
        if !block.init.is_empty() {
            let before = self.act.frame.get();
            self.act.frame.set(line, BLOCK_VARIABLES);
            for dno in &block.init {
                self.begin_variable(*dno)?;
            }
            self.act.frame.set(before.0, before.1);
        }
        let flow = match &block.exceptions {
            None => self.statements(&block.body)?,
            Some(exceptions) => self.guarded_body(block, exceptions)?,
        };
        Ok(match flow {
            Flow::Exit(Some(label)) if block.label.as_ref() == Some(&label) => Flow::Normal,
            other => other,
        })
    }

    /// A declared variable gets its default.
    fn begin_variable(&mut self, dno: Dno) -> PgResult<()> {
        let func = self.func.clone();
        match func.decls.get(dno) {
            Some(Decl::Var(decl)) => {
                if let Some(slot) = self.act.values.get_mut(dno) {
                    *slot = Slot::Var(Datum::Null);
                }
                match &decl.default {
                    Some(default) => self.assign_expr(dno, default)?,
                    // A domain may refuse NULL.
                    None if decl.ty.type_ref.oid.0 >= common::Oid::FIRST_NORMAL.0 => {
                        self.assign_value(dno, Datum::Null, types::settings::TypeRef::plain(oids::UNKNOWN))?;
                    }
                    None => {}
                }
            }
            Some(Decl::Rec(decl)) => {
                let record = match decl.default {
                    Some(_) => Record::default(),
                    None => self.null_record(dno)?,
                };
                if let Some(slot) = self.act.values.get_mut(dno) {
                    *slot = Slot::Rec(record);
                }
                if let Some(default) = &decl.default {
                    self.assign_expr(dno, default)?;
                } else if decl.ty.row_type.is_valid() {
                    self.assign_value(dno, Datum::Null, types::settings::TypeRef::plain(oids::UNKNOWN))?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Statements inside a subtransaction.
    fn guarded_body(&mut self, block: &Block, exceptions: &Exceptions) -> PgResult<Flow> {
        let frame = self.act.frame.get();
        let point = self.host.savepoint()?;
        let depth = self.errors.len();
        let error = match self.statements(&block.body) {
            Ok(flow) => {
                self.host.release(point);
                self.dirty = true;
                return Ok(flow);
            }
            Err(error) => error,
        };
        let mut error = error;
        self.host.rollback_to(point)?;
        self.host.release(point);
        self.dirty = true;
        self.settle()?;
        self.errors.truncate(depth);
        let handler = exceptions
            .handlers
            .iter()
            .find(|h| h.conditions.iter().any(|c| c.catches(error.sqlstate)));
        let Some(handler) = handler.filter(|_| is_catchable(&error)) else {
            return Err(error);
        };
        // Diagnostics show the place of the error, outer calls included.
        let rethrown = std::mem::take(&mut self.rethrown);
        let place = self.host.context();
        let place = match rethrown {
            true => place.split_once('\n').map_or("", |(_, outer)| outer),
            false => &place,
        };
        error.context = match (error.context.take(), place) {
            (Some(own), "") => Some(own),
            (Some(own), place) => Some(format!("{own}\n{place}")),
            (None, place) => Some(place.to_owned()),
        };
        self.act.frame.set(frame.0, frame.1);
        let text = |s: &str| Slot::Var(Datum::text(s));
        self.act.values[exceptions.sqlstate] = text(error.sqlstate.as_str());
        self.act.values[exceptions.sqlerrm] = text(&error.message);
        self.errors.push(Arc::from(error));
        let flow = self.statements(&handler.body)?;
        self.errors.truncate(depth);
        Ok(flow)
    }

    pub(crate) fn if_statement(&mut self, s: &If) -> PgResult<Flow> {
        for (condition, body) in &s.arms {
            if self.condition(condition)? {
                return self.statements(body);
            }
        }
        self.statements(&s.otherwise)
    }

    pub(crate) fn case_statement(&mut self, s: &Case) -> PgResult<Flow> {
        if let Some((test, dno)) = &s.test {
            let (value, type_ref) = self.eval_any(test)?;
            self.set_case_variable(*dno, value, type_ref)?;
        }
        let mut chosen = None;
        for (condition, body) in &s.arms {
            if self.condition(condition)? {
                chosen = Some(body);
                break;
            }
        }
        if let Some((_, dno)) = &s.test {
            self.act.values[*dno] = Slot::Var(Datum::Null);
        }
        match (chosen, &s.otherwise) {
            (Some(body), _) | (None, Some(body)) => self.statements(body),
            (None, None) => {
                use common::error::ErrorExt;
                Err(pg_err!(CASE_NOT_FOUND, "case not found").hint("CASE statement is missing ELSE part."))
            }
        }
    }

    pub(crate) fn exit_statement(&mut self, s: &Exit) -> PgResult<Flow> {
        if let Some(condition) = &s.condition
            && !self.condition(condition)?
        {
            return Ok(Flow::Normal);
        }
        Ok(match s.is_exit {
            true => Flow::Exit(s.label.clone()),
            false => Flow::Continue(s.label.clone()),
        })
    }
}

/// An error that ends the session or is a fault of ours is nobody's to catch.
fn is_catchable(e: &PgError) -> bool {
    e.severity == common::error::Severity::Error
}
