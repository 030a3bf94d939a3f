//! Statements that the session runs itself: transactions, prepared statements, cursors, LISTEN and NOTIFY.

use std::sync::Arc;

use access::Isolation;
use commands::TransactionModes;
use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err, unsupported};
use parser::ast::{self, DefArg, DefElem, Statement, TransactionStmtKind};
use types::Datum;
use types::settings::TypeRef;

use crate::session::Session;
use crate::session::env::queue_notification;
use crate::session::portal::{Portal, PortalState, Step};
use crate::session::prepared::{Kind, Prepared, no_such_statement};
use crate::session::tag::CommandTag;

/// EXECUTE inside of EXPLAIN or CREATE TABLE AS, and whether a table is made of it.
fn inner_execute(stmt: &Statement, creates_table: bool) -> Option<(&ast::ExecuteStmt, bool)> {
    let (query, creates_table) = match stmt {
        Statement::Explain(e) => (&e.query, creates_table),
        Statement::CreateTableAs(c) => (&c.query, true),
        _ => return None,
    };
    match query {
        Statement::Execute(e) => Some((e, creates_table)),
        other => inner_execute(other, creates_table),
    }
}

/// The statement with `query` where EXECUTE stands.
fn replace_execute(stmt: &Statement, query: &Statement) -> Statement {
    match stmt {
        Statement::Execute(_) => query.clone(),
        Statement::Explain(e) => {
            let mut outer = e.clone();
            outer.query = replace_execute(&e.query, query);
            Statement::Explain(outer)
        }
        Statement::CreateTableAs(c) => {
            let mut outer = c.clone();
            outer.query = replace_execute(&c.query, query);
            Statement::CreateTableAs(outer)
        }
        other => other.clone(),
    }
}

/// An option's value as text.
fn option_text(option: &DefElem) -> Option<String> {
    match option.arg.as_ref()? {
        DefArg::Integer(i) => Some(i.to_string()),
        DefArg::Boolean(b) => Some(b.to_string()),
        DefArg::String(s) | DefArg::Float(s) => Some(s.to_string()),
        DefArg::Expr(e) => match &**e {
            ast::Expr::AConst(c) => match &c.value {
                ast::ConstValue::Integer(i) => Some(i.to_string()),
                ast::ConstValue::Boolean(b) => Some(b.to_string()),
                ast::ConstValue::String(s) => Some(s.to_string()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

/// Modes of BEGIN and START TRANSACTION.
fn modes_of(options: &[DefElem]) -> PgResult<TransactionModes> {
    let mut modes = TransactionModes::default();
    for option in options {
        let text = option_text(option);
        let on = matches!(text.as_deref(), Some("1" | "true" | "on"));
        match option.name.as_str() {
            "transaction_isolation" => {
                modes.isolation = Some(match text.as_deref() {
                    Some("serializable") => Isolation::Serializable,
                    Some("repeatable read") => Isolation::RepeatableRead,
                    _ => Isolation::ReadCommitted,
                });
            }
            "transaction_read_only" => modes.read_only = Some(on),
            "transaction_deferrable" => modes.deferrable = Some(on),
            other => {
                return Err(unsupported!(
                    "transaction option \"{other}\" is not supported yet"
                ));
            }
        }
    }
    Ok(modes)
}

impl Session {
    /// Runs a statement of this module.
    pub(crate) fn control(&mut self, stmt: &Statement, portal: &mut Portal) -> PgResult<Option<Step>> {
        commands::check_transaction_block(stmt, self.block.explicit)?;
        if matches!(stmt, Statement::Listen(_) | Statement::Unlisten(_)) {
            self.block.listened = true;
        }
        let tag = match stmt {
            Statement::Transaction(t) => self.transaction_statement(t)?,
            Statement::Prepare(p) => self.prepare_command(p, portal)?,
            Statement::Execute(e) => return self.execute_command(e, portal),
            Statement::Deallocate(d) => self.deallocate(d)?,
            Statement::DeclareCursor(d) => self.declare_cursor(d, portal)?,
            Statement::Fetch(f) => return self.fetch(f, portal),
            Statement::ClosePortal(c) => self.close_cursor(c)?,
            Statement::Listen(l) => {
                self.core
                    .db
                    .notify
                    .listen(l.conditionname.as_str(), &self.core.mailbox);
                "LISTEN".into()
            }
            Statement::Unlisten(u) => {
                self.core
                    .db
                    .notify
                    .unlisten(u.conditionname.as_ref().map(|n| n.as_str()), &self.core.mailbox);
                "UNLISTEN".into()
            }
            Statement::Notify(n) => {
                self.ensure_transaction()?;
                queue_notification(
                    &self.core,
                    n.conditionname.as_str(),
                    n.payload.as_deref().unwrap_or(""),
                )?;
                "NOTIFY".into()
            }
            other => {
                return Err(
                    unsupported!("{} is not supported yet", commands::command_tag(other)).at(other.span()),
                );
            }
        };
        portal.state = PortalState::Done(tag.clone());
        Ok(Some(Step::Complete(tag)))
    }

    fn transaction_statement(&mut self, t: &ast::TransactionStmt) -> PgResult<CommandTag> {
        let name = t.savepoint_name.as_ref().map_or("", |n| n.as_str());
        let tag = match t.kind {
            TransactionStmtKind::Begin | TransactionStmtKind::Start => {
                self.begin_block(modes_of(&t.options)?)?;
                if t.kind == TransactionStmtKind::Begin {
                    "BEGIN"
                } else {
                    "START TRANSACTION"
                }
            }
            TransactionStmtKind::Commit => {
                let chain = self.chain_modes(t.chain, "COMMIT AND CHAIN")?;
                let rolled_back = self.commit_block()?;
                self.begin_chained(chain)?;
                if rolled_back { "ROLLBACK" } else { "COMMIT" }
            }
            TransactionStmtKind::Rollback => {
                let chain = self.chain_modes(t.chain, "ROLLBACK AND CHAIN")?;
                if !self.block.explicit {
                    self.warn_no_transaction();
                }
                self.rollback_block();
                self.begin_chained(chain)?;
                "ROLLBACK"
            }
            TransactionStmtKind::Savepoint => {
                self.savepoint(name)?;
                "SAVEPOINT"
            }
            TransactionStmtKind::Release => {
                self.release_savepoint(name)?;
                "RELEASE"
            }
            TransactionStmtKind::RollbackTo => {
                self.rollback_to_savepoint(name)?;
                "ROLLBACK"
            }
            TransactionStmtKind::Prepare => self.prepare_transaction(t.gid.as_deref().unwrap_or_default())?,
            TransactionStmtKind::CommitPrepared => {
                self.finish_prepared(t.gid.as_deref().unwrap_or_default(), true)?;
                "COMMIT PREPARED"
            }
            TransactionStmtKind::RollbackPrepared => {
                self.finish_prepared(t.gid.as_deref().unwrap_or_default(), false)?;
                "ROLLBACK PREPARED"
            }
        };
        Ok(tag.into())
    }

    fn chain_modes(&self, chain: bool, what: &str) -> PgResult<Option<TransactionModes>> {
        if !chain {
            return Ok(None);
        }
        if !self.block.explicit {
            return Err(pg_err!(
                NO_ACTIVE_SQL_TRANSACTION,
                "{what} can only be used in transaction blocks"
            ));
        }
        Ok(Some(TransactionModes {
            isolation: self.block.txn.as_ref().map(|t| t.borrow().isolation()),
            read_only: Some(self.block.read_only),
            deferrable: None,
        }))
    }

    fn begin_chained(&mut self, modes: Option<TransactionModes>) -> PgResult<()> {
        match modes {
            Some(modes) => self.begin_block(modes),
            None => Ok(()),
        }
    }

    fn prepare_command(&mut self, p: &ast::PrepareStmt, portal: &Portal) -> PgResult<CommandTag> {
        if self.core.statement(p.name.as_str()).is_some() {
            return Err(pg_err!(
                DUPLICATE_PSTATEMENT,
                "prepared statement \"{}\" already exists",
                p.name.as_str()
            ));
        }
        if !crate::session::plan::is_optimizable(&p.query) {
            return Err(unsupported!("PREPARE of this statement is not supported yet"));
        }
        self.ensure_transaction()?;
        let settings = self.format_settings();
        let view = self.current_view()?;
        let mut types = Vec::new();
        for t in &p.argtypes {
            let cx = analyzer::AnalyzeContext::new(&*view, &settings);
            types.push(analyzer::utility::resolve_type_name(t, &cx)?.oid);
        }
        let source = portal.prepared.source.clone();
        let prepared = self.prepare_tree(&source, Arc::new(p.query.clone()), portal.prepared.span, &types)?;
        self.core.keep_statement(p.name.as_str(), prepared, Some(source));
        Ok("PREPARE".into())
    }

    fn execute_command(&mut self, e: &ast::ExecuteStmt, portal: &mut Portal) -> PgResult<Option<Step>> {
        let (target, params) = self.bind_execute(e, portal)?;
        let mut inner = Portal::new(target, params);
        let step = self.portal_step(&mut inner, 1)?;
        // From here on the portal runs the prepared statement's execution.
        portal.prepared = inner.prepared;
        portal.params = inner.params;
        portal.snapshot = inner.snapshot;
        portal.view = inner.view;
        portal.delivered = inner.delivered;
        portal.state = inner.state;
        Ok(Some(step))
    }

    /// The statement that EXECUTE names, and its parameters.
    fn bind_execute(
        &mut self,
        e: &ast::ExecuteStmt,
        portal: &Portal,
    ) -> PgResult<(Arc<Prepared>, Vec<Datum>)> {
        let target = self
            .core
            .statement(e.name.as_str())
            .ok_or_else(|| no_such_statement(e.name.as_str()))?;
        if e.params.len() != target.param_types.len() {
            return Err(pg_err!(
                SYNTAX_ERROR,
                "wrong number of parameters for prepared statement \"{}\"",
                e.name.as_str()
            )
            .detail(format!(
                "Expected {} parameters but got {}.",
                target.param_types.len(),
                e.params.len()
            )));
        }
        let source = portal.prepared.source.clone();
        let params = e
            .params
            .iter()
            .zip(&target.param_types)
            .map(|(expr, type_oid)| self.constant_argument(expr, *type_oid, &source))
            .collect::<PgResult<Vec<_>>>()?;
        Ok((target, params))
    }

    /// EXPLAIN EXECUTE and CREATE TABLE AS EXECUTE work on the statement that EXECUTE names: the portal takes its text and
    /// parameters, and the tree with it in EXECUTE's place is returned.
    pub(crate) fn open_inner_execute(
        &mut self,
        stmt: Arc<Statement>,
        portal: &mut Portal,
    ) -> PgResult<Arc<Statement>> {
        let Some((execute, creates_table)) = inner_execute(&stmt, false) else {
            return Ok(stmt);
        };
        let (target, params) = self.bind_execute(execute, portal)?;
        let Some(query) = &target.stmt else {
            return Err(no_such_statement(execute.name.as_str()));
        };
        if creates_table && !matches!(**query, Statement::Select(_)) {
            return Err(pg_err!(WRONG_OBJECT_TYPE, "prepared statement is not a SELECT"));
        }
        let opened = Arc::new(replace_execute(&stmt, query));
        portal.prepared = Arc::new(Prepared {
            source: target.source.clone(),
            span: target.span,
            stmt: Some(opened.clone()),
            kind: Kind::Utility,
            param_types: target.param_types.clone(),
            columns: portal.prepared.columns.clone(),
            version: target.version,
            environment: target.environment,
            plan: Default::default(),
            renewed: Default::default(),
            uses: Arc::default(),
        });
        portal.params = params;
        Ok(opened)
    }

    /// An argument of EXECUTE: any expression without columns.
    fn constant_argument(&mut self, expr: &ast::Expr, type_oid: Oid, source: &str) -> PgResult<Datum> {
        self.ensure_transaction()?;
        let settings = self.format_settings();
        let view = self.current_view()?;
        let cx = analyzer::AnalyzeContext::new(&*view, &settings);
        let raw =
            analyzer::utility::analyze_expression(expr, analyzer::ExprKind::ExecuteParameter, None, &cx)?;
        let given = raw.type_oid();
        let target = TypeRef::plain(type_oid);
        let Some(analyzed) = analyzer::utility::coerce_for_assignment(raw, target, &cx)? else {
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "parameter of type {} cannot be coerced to the expected type {}",
                analyzer::utility::format_type(TypeRef::plain(given), &cx),
                analyzer::utility::format_type(target, &cx)
            )
            .hint("You will need to rewrite or cast the expression."));
        };
        let Some(txn) = &self.block.txn else {
            return Err(common::internal!("no transaction"));
        };
        let env = crate::session::env::StatementEnv::new(&self.core, txn, view.clone(), source);
        executor::evaluate_constant(
            &analyzed,
            executor::ConstContext {
                catalog: &*view,
                session: &env,
                settings: &settings,
                cancel: &self.core.cancel,
                params: &[],
            },
        )
    }

    fn deallocate(&mut self, d: &ast::DeallocateStmt) -> PgResult<CommandTag> {
        match &d.name {
            None => {
                self.core
                    .statements
                    .borrow_mut()
                    .retain(|name, _| name.is_empty());
                Ok("DEALLOCATE ALL".into())
            }
            Some(name) => {
                self.core
                    .statements
                    .borrow_mut()
                    .remove(name.as_str())
                    .ok_or_else(|| no_such_statement(name.as_str()))?;
                Ok("DEALLOCATE".into())
            }
        }
    }
}
