//! Queries that functions run inside the statement that calls them (`query_to_xml`), and cursors that they read.
//!
//! # Invariants
//! - Only reading, under the snapshot of the statement that calls.
//! - They may nest (a view may call such a function over itself), but not for ever.

use std::sync::Arc;

use analyzer::{AnalyzeContext, ParamTypes};
use common::error::ErrorExt;
use common::{Oid, PgError, PgResult, pg_err};
use executor::{ConstContext, ExecContext, PreparedPlan, QueryRun, RunOptions};
use functions::framework::session::{QueryColumn, QueryRows};
use nodes::Query;
use nodes::plan::PlannedStmt;
use nodes::query::CommandType;
use parser::ast::Statement;
use planner::PlannerContext;
use types::{BATCH_ROWS, Datum, FormatSettings, Rows};

use crate::session::command::check_permissions;
use crate::session::env::StatementEnv;
use crate::session::plan::{Evaluator, is_optimizable};
use crate::session::run::lock_range_table;

/// Queries inside queries.
const NESTING_MAX: u32 = 24;

/// What fetching from a cursor is called in messages.
fn no_such_cursor(name: &str) -> Box<PgError> {
    pg_err!(UNDEFINED_CURSOR, "cursor \"{name}\" does not exist")
}

impl StatementEnv<'_> {
    /// Runs a query; `rows_max` 0 tells its columns only.
    pub(crate) fn inner_query(&self, sql: &str, rows_max: usize) -> PgResult<QueryRows> {
        let depth = self.core.inner_queries.get();
        if depth >= NESTING_MAX {
            return Err(pg_err!(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded"));
        }
        self.core.inner_queries.set(depth + 1);
        let result = self.run_inner(sql, rows_max);
        self.core.inner_queries.set(depth);
        result.map_err(|e| as_inner(e, sql))
    }

    fn run_inner(&self, sql: &str, rows_max: usize) -> PgResult<QueryRows> {
        let settings = self.core.format_settings();
        let query = self.analyze_inner(sql, &settings)?;
        let columns = query
            .output_columns()
            .map(|t| QueryColumn {
                name: t.name.as_deref().unwrap_or("?column?").to_owned(),
                type_ref: t.expr.type_ref(),
            })
            .collect();
        let mut rows = Rows::default();
        if rows_max > 0 {
            let plan = self.plan_inner(&query, &settings)?;
            let snapshot = match self.snapshot {
                Some(callers) => callers.clone(),
                None => self.txn.borrow_mut().snapshot()?,
            };
            let cx = self.exec_context(&settings, &snapshot, &[]);
            let _under_way = self.core.under_way(&plan);
            let mut run = QueryRun::start(plan.clone(), RunOptions::default());
            while rows.len() < rows_max {
                let want = (rows_max - rows.len()).min(BATCH_ROWS);
                let Some(batch) = run.next_batch(&cx, want)? else {
                    break;
                };
                for k in 0..batch.len() {
                    rows.push(batch.long_row(k, &self.core.cancel)?);
                }
            }
        }
        Ok(QueryRows { columns, rows })
    }

    fn analyze_inner(&self, sql: &str, settings: &FormatSettings) -> PgResult<Query> {
        let options = crate::session::settings::parse_options(&self.core.guc.borrow());
        let mut statements = parser::parse_with_notices(sql, &options)?.statements;
        let (Some(only), true) = (statements.pop(), statements.is_empty()) else {
            return Err(pg_err!(DATA_EXCEPTION, "invalid query"));
        };
        let word = match &only.stmt {
            Statement::Select(_) => "",
            Statement::Insert(_) => "INSERT",
            Statement::Update(_) => "UPDATE",
            Statement::Delete(_) => "DELETE",
            Statement::Merge(_) => "MERGE",
            _ => "",
        };
        if !word.is_empty() {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "{word} is not allowed in a non-volatile function"
            ));
        }
        if !is_optimizable(&only.stmt) {
            return Err(pg_err!(DATA_EXCEPTION, "invalid query"));
        }
        let cx = AnalyzeContext::new(&*self.view, settings)
            .with_params(ParamTypes::variable(Vec::new()))
            .with_database(self.core.db.database_name());
        let query = analyzer::analyze(&only.stmt, sql, &cx)?;
        for notice in cx.notices.take() {
            self.core.notice(notice);
        }
        Ok(query)
    }

    fn plan_inner(&self, query: &Query, settings: &FormatSettings) -> PgResult<Arc<PreparedPlan>> {
        let planned = self.plan_nested(query, settings, &[])?;
        if planned.command != CommandType::Select || planned.has_modifying_cte {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "a query inside a function may only read"
            ));
        }
        check_permissions(&planned.range_table, &self.view, self.core.user.get())?;
        lock_range_table(&self.core.db, self.txn, &planned.range_table, false)?;
        Ok(Arc::new(PreparedPlan::compile(Arc::new(planned), &*self.view)?))
    }

    /// Plans a query that runs inside this statement.
    pub(crate) fn plan_nested(
        &self,
        query: &Query,
        settings: &FormatSettings,
        param_types: &[Oid],
    ) -> PgResult<PlannedStmt> {
        let costs = commands::query::cost_settings(&self.core.guc.borrow());
        let evaluator = Evaluator {
            cx: ConstContext {
                catalog: &*self.view,
                session: self,
                settings,
                cancel: &self.core.cancel,
                params: &[],
            },
        };
        let context = PlannerContext {
            catalog: &*self.view,
            settings: &costs,
            evaluator: &evaluator,
            bound_params: None,
            param_types,
            cursor: false,
            parallel: false,
            cancel: &self.core.cancel,
        };
        planner::plan(query, &context)
    }

    /// What the executor borrows for a query inside this statement.
    pub(crate) fn exec_context<'e>(
        &'e self,
        settings: &'e FormatSettings,
        snapshot: &'e access::ActiveSnapshot,
        params: &'e [Datum],
    ) -> ExecContext<'e> {
        let (work_mem_bytes, hash_mem_bytes) = self.core.work_mem();
        ExecContext {
            txn: Some(self.txn),
            snapshot,
            catalog: &*self.view,
            relations: &self.core.db.relations,
            params,
            session: self,
            settings,
            cancel: &self.core.cancel,
            memory: &self.core.db.memory,
            work_mem_bytes,
            hash_mem_bytes,
            temp: &self.core.temp_files,
            after: &self.core.after,
            env: &*self.core.db.env,
            workers: None,
            leader_participates: true,
        }
    }

    /// The next rows of a cursor.
    pub(crate) fn inner_fetch(&self, name: &str, count: i64) -> PgResult<QueryRows> {
        let taken = self.core.cursors.borrow_mut().take(name)?;
        let mut cursor = taken.ok_or_else(|| no_such_cursor(name))?;
        let settings = self.core.format_settings();
        let rows = cursor.fetch_inside(count, |run, snapshot, params, want| {
            let _under_way = self.core.under_way(run.prepared());
            run.next_batch(&self.exec_context(&settings, snapshot, params), want)
        });
        let columns = cursor.columns();
        self.core.cursors.borrow_mut().put_back(name, cursor);
        let columns = columns.iter().flat_map(|c| c.iter()).map(|c| QueryColumn {
            name: c.name.to_string(),
            type_ref: types::settings::TypeRef {
                oid: c.type_oid,
                typmod: c.typmod,
            },
        });
        Ok(QueryRows {
            columns: columns.collect(),
            rows: rows?.into(),
        })
    }
}

/// An error of a query that the client did not send.
fn as_inner(mut e: Box<PgError>, sql: &str) -> Box<PgError> {
    match e.position.take() {
        Some(position) => {
            e.internal_position = Some(position);
            e.internal_query = Some(sql.to_owned());
            e
        }
        None => e.context(format!("SQL statement \"{sql}\"")),
    }
}
