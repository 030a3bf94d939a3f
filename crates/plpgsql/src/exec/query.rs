//! SQL statements, PERFORM, EXECUTE, loops over rows.
//!
//! PG: src/pl/plpgsql/src/pl_exec.c (`exec_stmt_execsql`, `exec_stmt_dynexecute`, `exec_for_query`).

use std::sync::Arc;

use analyzer::{AnalyzeContext, ParamTypes};
use common::error::ErrorExt;
use common::{Oid, PgError, PgResult, pg_err};
use executor::PreparedPlan;
use nodes::query::CommandType;
use parser::ast::Statement;
use types::settings::TypeRef;
use types::{BATCH_ROWS, Datum, oids};

use crate::exec::loops::{Next, after_body};
use crate::exec::plan::{ExprPlan, Planned, QueryPlan, in_sql, is_optimizable};
use crate::exec::record::Shape;
use crate::exec::value::Slot;
use crate::exec::{Call, Flow};
use crate::host::{Context, CursorFetch, Direction, Run, SqlFrame, Utility};
use crate::tree::{Decl, Execute, Expr, ForQuery, Mode, Source, SqlStmt};

/// What a query brought.
pub(crate) struct Brought {
    pub rows: Vec<Vec<Datum>>,
    pub processed: u64,
}

/// Rows that a loop takes at once: few at first, as the loop may end early.
const FIRST_ROWS: usize = 10;
const NEXT_ROWS: usize = 50;

/// A query whose text was made at run time.
pub(crate) struct Dynamic {
    pub text: Arc<str>,
    pub statements: Vec<parser::ast::RawStatement>,
    pub params: Vec<Datum>,
    pub types: Vec<Oid>,
}

impl Call<'_> {
    /// Runs SQL with its text on the stack of contexts.
    pub(crate) fn in_sql<T>(
        &mut self,
        mode: Mode,
        text: &Arc<str>,
        work: impl FnOnce(&mut Self) -> PgResult<T>,
    ) -> PgResult<T> {
        let depth = self.host.enter(Context::Sql(SqlFrame {
            mode,
            text: Arc::clone(text),
        }));
        let result = work(self);
        self.host.leave(depth);
        self.dirty = true;
        result.map_err(|e| in_sql(e, mode, text))
    }

    /// Runs a planned query; at most `max` rows of a SELECT, all that a change returns (0: none are wanted).
    pub(crate) fn run_query(
        &mut self,
        expr: &Expr,
        plan: &ExprPlan,
        query: &QueryPlan,
        max: usize,
    ) -> PgResult<Brought> {
        let params = self.param_values(&plan.params)?;
        self.in_sql(expr.mode, &expr.text, |call| {
            call.run_plan(&query.plan, params, &expr.text, max)
        })
    }

    fn run_plan(
        &mut self,
        plan: &Arc<PreparedPlan>,
        params: Vec<Datum>,
        text: &str,
        max: usize,
    ) -> PgResult<Brought> {
        if plan.is_point() {
            let mut row = Vec::new();
            if let Some((rows, processed)) = self.host.point(plan, &params, &mut row)? {
                return Ok(Brought {
                    rows: if rows > 0 { vec![row] } else { Vec::new() },
                    processed,
                });
            }
        }
        let is_select = plan.plan().command == CommandType::Select;
        let mut run = self.host.start(plan, params, text)?;
        let mut rows = Vec::new();
        let mut count = 0_u64;
        loop {
            let want = match (is_select, max) {
                (true, 1..=BATCH_ROWS) => max - rows.len(),
                _ => BATCH_ROWS,
            };
            let Some(batch) = self.host.fetch(&mut run, want)? else {
                break;
            };
            count += batch.len() as u64;
            if max > 0 {
                let room = max - rows.len();
                rows.extend((0..batch.len().min(room)).map(|k| batch.row(k)));
            }
            if is_select && max > 0 && rows.len() >= max {
                break;
            }
        }
        Ok(Brought {
            rows,
            processed: if is_select { count } else { run.run.processed() },
        })
    }

    /// A statement of SQL, with INTO or without.
    pub(crate) fn sql_statement(&mut self, s: &SqlStmt) -> PgResult<()> {
        self.settle()?;
        let plan = self.planned(&s.expr)?;
        let query = match &plan.what {
            Planned::Query(query) => query,
            Planned::Utility(stmt) => return self.utility_statement(s, stmt),
            Planned::Simple { result, .. } => return self.simple_statement(s, *result),
        };
        let is_change = query.command != CommandType::Select;
        let max = match (&s.target, s.strict || is_change) {
            (None, _) if query.columns.is_some() => 1,
            (None, _) => 0,
            (Some(_), true) => 2,
            (Some(_), false) => 1,
        };
        if s.target.is_none() && query.columns.is_some() && !is_change {
            return Err(no_destination(true));
        }
        let brought = self.run_query(&s.expr, &plan, query, max)?;
        self.processed = brought.processed;
        self.set_found(brought.processed != 0);
        let Some(target) = s.target else {
            if query.columns.is_some() {
                return Err(no_destination(false));
            }
            return Ok(());
        };
        let Some(columns) = query.columns.clone() else {
            return Err(into_without_data());
        };
        let strict = s.strict || is_change;
        self.check_row_count(brought.rows.len(), s.strict, strict, &plan)?;
        self.move_row(target, &columns, brought.rows.into_iter().next())
    }

    /// `SELECT expression INTO variable`.
    fn simple_statement(&mut self, s: &SqlStmt, result: TypeRef) -> PgResult<()> {
        let Some(target) = s.target else {
            return Err(no_destination(true));
        };
        let expr = &s.expr;
        let (value, _) = self
            .eval_any(expr)
            .map_err(|e| in_sql(e, expr.mode, &expr.text))?;
        self.processed = 1;
        self.set_found(true);
        let names: Vec<Box<str>> = vec![self.simple_name(expr)?];
        let shape = Arc::new(Shape::anonymous(names.into(), vec![result]));
        self.move_row(target, &shape, Some(vec![value]))
    }

    /// The name of the only column of a SELECT.
    fn simple_name(&self, expr: &Expr) -> PgResult<Box<str>> {
        let slot = self.act.exprs.get(expr.id).and_then(|s| s.plan.as_ref());
        match slot.map(|p| &p.what) {
            Some(Planned::Simple { name, .. }) => Ok(name.clone()),
            _ => Ok("?column?".into()),
        }
    }

    fn check_row_count(&mut self, rows: usize, strict: bool, one: bool, plan: &ExprPlan) -> PgResult<()> {
        if rows == 0 && strict {
            let e = pg_err!(NO_DATA_FOUND, "query returned no rows");
            return Err(self.with_parameters(e, plan));
        }
        if rows > 1 && one {
            let e = pg_err!(TOO_MANY_ROWS, "query returned more than one row")
                .hint("Make sure the query returns a single row, or use LIMIT 1.");
            return Err(self.with_parameters(e, plan));
        }
        Ok(())
    }

    /// `parameters: x = '1'` for `print_strict_params`.
    fn with_parameters(&mut self, e: Box<PgError>, plan: &ExprPlan) -> Box<PgError> {
        use crate::exec::plan::ParamSource;
        if !self.func.print_strict_params || plan.params.is_empty() {
            return e;
        }
        let mut parts = Vec::new();
        let mut sources: Vec<&ParamSource> = plan.params.iter().collect();
        sources.sort_by_key(|s| match s {
            ParamSource::Var(d) | ParamSource::Rec(d) => *d,
            ParamSource::Field { rec, .. } => *rec,
        });
        for source in sources {
            let ParamSource::Var(dno) = source else { continue };
            let Some(Decl::Var(decl)) = self.func.decls.get(*dno) else {
                continue;
            };
            let (name, type_ref) = (decl.name.clone(), decl.ty.type_ref);
            let value = match self.act.values.get(*dno) {
                Some(Slot::Var(v)) => v.clone(),
                _ => Datum::Null,
            };
            let text = self.text_of(&value, type_ref).ok().flatten();
            parts.push(match text {
                Some(text) => format!("{name} = '{}'", text.replace('\'', "''")),
                None => format!("{name} = NULL"),
            });
        }
        match parts.is_empty() {
            true => e,
            false => e.detail(format!("parameters: {}", parts.join(", "))),
        }
    }

    fn utility_statement(&mut self, s: &SqlStmt, stmt: &Arc<Statement>) -> PgResult<()> {
        let performed = self.perform_utility(stmt, &s.expr)?;
        self.processed = performed.processed;
        let Some(target) = s.target else {
            return match performed.columns {
                Some(_) => Err(no_destination(false)),
                None => Ok(()),
            };
        };
        let Some(columns) = performed.columns else {
            return Err(into_without_data());
        };
        let shape = shape_of(columns);
        self.move_row(target, &shape, performed.rows.into_iter().next())
    }

    /// Runs a statement without a plan; scalar variables may stand in the queries inside it.
    pub(crate) fn perform_utility(
        &mut self,
        stmt: &Statement,
        expr: &Expr,
    ) -> PgResult<crate::host::Performed> {
        refuse_transaction(stmt)?;
        let mut variables: Vec<(Arc<str>, Oid, Datum)> = Vec::new();
        for (decl, slot) in self.func.decls.iter().zip(&self.act.values).rev() {
            if let (Decl::Var(v), Slot::Var(value)) = (decl, slot)
                && !variables.iter().any(|(n, _, _)| *n == v.name)
                && self.func.namespace.find(expr.scope, &[&v.name], false).is_some()
            {
                variables.push((v.name.clone(), v.ty.type_ref.oid, value.clone()));
            }
        }
        let text = expr.text.clone();
        self.in_sql(expr.mode, &text, |call| {
            call.host.utility(&Utility {
                stmt,
                text: &text,
                variables: &variables,
            })
        })
    }

    pub(crate) fn perform_statement(&mut self, expr: &Expr) -> PgResult<()> {
        self.settle()?;
        let plan = self.planned(expr)?;
        match &plan.what {
            Planned::Simple { .. } => {
                self.eval_any(expr)?;
                self.processed = 1;
                self.set_found(true);
            }
            Planned::Query(query) if query.command == CommandType::Select => {
                let brought = self.run_query(expr, &plan, query, 0)?;
                self.processed = brought.processed;
                self.set_found(brought.processed != 0);
            }
            _ => {
                return Err(pg_err!(WRONG_OBJECT_TYPE, "query is not a SELECT")
                    .context(format!("query: {}", expr.text)));
            }
        }
        Ok(())
    }

    /// Text and parameters of EXECUTE.
    pub(crate) fn dynamic(&mut self, query: &Expr, params: &[Expr]) -> PgResult<Dynamic> {
        let Some(text) = self.eval_text(query)? else {
            return Err(pg_err!(
                NULL_VALUE_NOT_ALLOWED,
                "query string argument of EXECUTE is null"
            ));
        };
        let (mut values, mut types) = (Vec::new(), Vec::new());
        for param in params {
            let (value, type_ref) = self.eval_any(param)?;
            values.push(value);
            types.push(match type_ref.oid {
                oids::UNKNOWN => oids::TEXT,
                oid => oid,
            });
        }
        self.settle()?;
        let text: Arc<str> = text.into();
        let options = self.host.options();
        let statements = parser::parse(&text, &options).map_err(|e| in_sql(e, Mode::Statement, &text))?;
        Ok(Dynamic {
            text,
            statements,
            params: values,
            types,
        })
    }

    /// Analyzes and plans a statement of EXECUTE.
    pub(crate) fn dynamic_plan(&mut self, d: &Dynamic, stmt: &Statement) -> PgResult<QueryPlan> {
        let query = {
            let cx = AnalyzeContext::new(self.host.catalog(), self.host.settings())
                .with_params(ParamTypes::Fixed(d.types.clone()))
                .with_database(self.host.database());
            let query = analyzer::analyze(stmt, &d.text, &cx)?;
            for notice in cx.notices.take() {
                self.host.notice(notice);
            }
            query
        };
        let plan = self.host.plan(&query, &d.types)?;
        self.query_plan(query, plan)
    }

    pub(crate) fn execute_statement(&mut self, s: &Execute) -> PgResult<()> {
        let d = self.dynamic(&s.query, &s.params)?;
        for raw in &d.statements {
            if let Statement::Select(select) = &raw.stmt
                && select.into.is_some()
            {
                return Err(pg_err!(
                    FEATURE_NOT_SUPPORTED,
                    "EXECUTE of SELECT ... INTO is not implemented"
                )
                .hint("You might want to use EXECUTE ... INTO or EXECUTE CREATE TABLE ... AS instead."));
            }
            if matches!(raw.stmt, Statement::Transaction(_)) {
                return Err(pg_err!(
                    FEATURE_NOT_SUPPORTED,
                    "EXECUTE of transaction commands is not implemented"
                ));
            }
        }
        let wanted = match (s.target, s.strict) {
            (None, _) => 0,
            (Some(_), true) => 2,
            (Some(_), false) => 1,
        };
        let text = d.text.clone();
        let last = self.in_sql(Mode::Statement, &text, |call| call.run_dynamic(&d, wanted))?;
        let Some((columns, brought)) = last else {
            self.processed = 0;
            return Ok(());
        };
        self.processed = brought.processed;
        let Some(target) = s.target else { return Ok(()) };
        let Some(columns) = columns else {
            return Err(into_without_data());
        };
        if s.strict && brought.rows.is_empty() {
            return Err(pg_err!(NO_DATA_FOUND, "query returned no rows"));
        }
        if s.strict && brought.rows.len() > 1 {
            return Err(pg_err!(TOO_MANY_ROWS, "query returned more than one row"));
        }
        self.move_row(target, &columns, brought.rows.into_iter().next())
    }

    /// Runs all statements; columns and rows of the last.
    fn run_dynamic(&mut self, d: &Dynamic, wanted: usize) -> PgResult<Option<(Option<Arc<Shape>>, Brought)>> {
        let mut last = None;
        for raw in &d.statements {
            if is_optimizable(&raw.stmt) {
                let plan = self.dynamic_plan(d, &raw.stmt)?;
                let brought = self.run_plan(&plan.plan, d.params.clone(), &d.text, wanted)?;
                last = Some((plan.columns, brought));
            } else {
                let variables: Vec<(Arc<str>, Oid, Datum)> = d
                    .params
                    .iter()
                    .zip(&d.types)
                    .map(|(v, t)| (Arc::from(""), *t, v.clone()))
                    .collect();
                let performed = self.host.utility(&Utility {
                    stmt: &raw.stmt,
                    text: &d.text,
                    variables: &variables,
                })?;
                let columns = performed.columns.map(shape_of);
                let brought = Brought {
                    rows: performed.rows,
                    processed: performed.processed,
                };
                last = Some((columns, brought));
            }
            self.dirty = true;
            self.settle()?;
        }
        Ok(last)
    }

    /// A query that hands out its rows bit by bit.
    pub(crate) fn start_source(&mut self, source: &Source) -> PgResult<(Feed, Arc<Shape>, Arc<str>)> {
        match source {
            Source::Static(expr) => {
                self.settle()?;
                let plan = self.planned(expr)?;
                let text = expr.text.clone();
                let query = match &plan.what {
                    Planned::Query(query) => query,
                    Planned::Simple { .. } => {
                        let query = self.unsimplified(expr)?;
                        let params = self.param_values(&plan.params)?;
                        return self.start_query(&query, params, text);
                    }
                    Planned::Utility(stmt) if returns_tuples(stmt) => {
                        let performed = self.perform_utility(stmt, expr)?;
                        let Some(columns) = performed.columns else {
                            return Err(cannot_open("utility statement"));
                        };
                        self.dirty = true;
                        self.settle()?;
                        return Ok((Feed::Rows(performed.rows), shape_of(columns), text));
                    }
                    Planned::Utility(_) => return Err(cannot_open("SELECT")),
                };
                let params = self.param_values(&plan.params)?;
                self.start_query(query, params, text)
            }
            Source::Dynamic { query, params } => {
                let d = self.dynamic(query, params)?;
                let text = d.text.clone();
                if let [only] = &d.statements[..]
                    && returns_tuples(&only.stmt)
                {
                    let made =
                        self.in_sql(Mode::Statement, &text, |call| call.run_dynamic(&d, usize::MAX))?;
                    let Some((Some(columns), brought)) = made else {
                        return Err(cannot_open("utility statement"));
                    };
                    return Ok((Feed::Rows(brought.rows), columns, text));
                }
                let plan = self.in_sql(Mode::Statement, &text, |call| {
                    let [only] = &d.statements[..] else {
                        return Err(pg_err!(
                            INVALID_CURSOR_DEFINITION,
                            "cannot open multi-query plan as cursor"
                        ));
                    };
                    if !is_optimizable(&only.stmt) {
                        return Err(cannot_open("utility statement"));
                    }
                    call.dynamic_plan(&d, &only.stmt)
                })?;
                self.start_query(&plan, d.params, text)
            }
            Source::Cursor { .. } => Err(common::internal!("cursors run elsewhere")),
        }
    }

    fn start_query(
        &mut self,
        query: &QueryPlan,
        params: Vec<Datum>,
        text: Arc<str>,
    ) -> PgResult<(Feed, Arc<Shape>, Arc<str>)> {
        let Some(columns) = query.columns.clone() else {
            return Err(cannot_open(match query.command {
                CommandType::Insert => "INSERT",
                CommandType::Update => "UPDATE",
                CommandType::Delete => "DELETE",
                _ => "MERGE",
            }));
        };
        let plan = query.plan.clone();
        let run = self.in_sql(Mode::Statement, &text, |call| {
            call.host.start(&plan, params, &text)
        })?;
        Ok((Feed::Run(Box::new(run)), columns, text))
    }

    /// The next rows; `None` at the end.
    pub(crate) fn feed(
        &mut self,
        feed: &mut Feed,
        text: &Arc<str>,
        max: usize,
    ) -> PgResult<Option<Vec<Vec<Datum>>>> {
        match feed {
            Feed::Rows(rows) => Ok(Some(std::mem::take(rows)).filter(|rows| !rows.is_empty())),
            Feed::Run(run) => {
                let batch = self.in_sql(Mode::Statement, text, |call| call.host.fetch(run, max))?;
                Ok(batch.map(|batch| (0..batch.len()).map(|k| batch.row(k)).collect()))
            }
        }
    }

    pub(crate) fn row_loop(&mut self, s: &ForQuery) -> PgResult<Flow> {
        self.host.check_stack()?;
        if let Source::Cursor { var, args } = &s.source {
            return self.cursor_loop(s, *var, args.as_ref());
        }
        let (mut rows, columns, text) = self.start_source(&s.source)?;
        let result = match &rows {
            Feed::Run(run) => {
                self.host.loop_begins(run);
                let result = self.rows_of_loop(s, &mut rows, &columns, &text);
                self.host.loop_ends();
                result
            }
            _ => self.rows_of_loop(s, &mut rows, &columns, &text),
        };
        let (found, result) = result?;
        drop(rows);
        self.processed = 0;
        if !found {
            self.move_row(s.target, &columns, None)?;
        }
        self.set_found(found);
        Ok(result)
    }

    /// The turns of a loop: whether there was any, and how it ended.
    fn rows_of_loop(
        &mut self,
        s: &ForQuery,
        rows: &mut Feed,
        columns: &Arc<Shape>,
        text: &Arc<str>,
    ) -> PgResult<(bool, Flow)> {
        let mut found = false;
        let mut want = FIRST_ROWS;
        while let Some(next) = self.feed(rows, text, want)? {
            want = NEXT_ROWS;
            for row in next {
                found = true;
                if let Some(flow) = self.loop_row(s, columns, row)? {
                    return Ok((found, flow));
                }
            }
        }
        Ok((found, Flow::Normal))
    }

    /// One turn of a loop over rows; `Some`: the loop ends.
    fn loop_row(&mut self, s: &ForQuery, columns: &Arc<Shape>, row: Vec<Datum>) -> PgResult<Option<Flow>> {
        self.move_row(s.target, columns, Some(row))?;
        self.host.cancel().check()?;
        let flow = self.statements(&s.body.body)?;
        Ok(match after_body(flow, s.body.label.as_ref()) {
            Next::Again => None,
            Next::Stop(flow) => Some(flow),
        })
    }

    fn cursor_loop(&mut self, s: &ForQuery, cursor: crate::tree::Dno, args: Option<&Expr>) -> PgResult<Flow> {
        let name = self.open_bound(cursor, args, None)?;
        self.host.pin_cursor(&name, true);
        let result = self.cursor_rows(s, &name);
        self.host.pin_cursor(&name, false);
        let closed = self.host.close_cursor(&name);
        let (found, flow) = result?;
        closed?;
        // The variable keeps the name only if it had one before.
        self.forget_cursor(cursor);
        self.set_found(found);
        Ok(flow)
    }

    fn cursor_rows(&mut self, s: &ForQuery, name: &str) -> PgResult<(bool, Flow)> {
        let mut found = false;
        let mut want = FIRST_ROWS as i64;
        loop {
            let fetch = CursorFetch {
                direction: Direction::Forward,
                count: want,
            };
            want = NEXT_ROWS as i64;
            let brought = self.host.move_cursor(name, fetch)?;
            let (names, types): (Vec<Box<str>>, Vec<TypeRef>) = brought
                .columns
                .into_iter()
                .map(|(n, t)| (Box::from(n), t))
                .unzip();
            let columns = Arc::new(Shape::anonymous(names.into(), types));
            if brought.rows.is_empty() {
                if !found {
                    self.move_row(s.target, &columns, None)?;
                }
                return Ok((found, Flow::Normal));
            }
            for row in brought.rows {
                found = true;
                if let Some(flow) = self.loop_row(s, &columns, row)? {
                    return Ok((found, flow));
                }
            }
        }
    }
}

/// What the rows of a loop come from.
pub(crate) enum Feed {
    /// A plan, bit by bit.
    Run(Box<Run>),
    /// A statement without a plan, run to its end.
    Rows(Vec<Vec<Datum>>),
}

/// The row that a statement without a plan hands out.
fn shape_of<N>(columns: Vec<(N, TypeRef)>) -> Arc<Shape>
where
    Box<str>: From<N>,
{
    let columns = columns.into_iter().map(|(n, t)| (Box::from(n), t));
    let (names, types): (Vec<Box<str>>, Vec<TypeRef>) = columns.unzip();
    Arc::new(Shape::anonymous(names.into(), types))
}

/// Statements without a plan that a loop can read all the same.
fn returns_tuples(stmt: &Statement) -> bool {
    matches!(stmt, Statement::Explain(_) | Statement::VariableShow(_))
}

fn cannot_open(what: &str) -> Box<PgError> {
    pg_err!(INVALID_CURSOR_DEFINITION, "cannot open {what} query as cursor")
}

fn into_without_data() -> Box<PgError> {
    pg_err!(SYNTAX_ERROR, "INTO used with a command that cannot return data")
}

fn no_destination(is_select: bool) -> Box<PgError> {
    let e = pg_err!(SYNTAX_ERROR, "query has no destination for result data");
    match is_select {
        true => e.hint("If you want to discard the results of a SELECT, use PERFORM instead."),
        false => e,
    }
}

fn refuse_transaction(stmt: &Statement) -> PgResult<()> {
    match stmt {
        Statement::Transaction(_) => Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "unsupported transaction command in PL/pgSQL"
        )),
        Statement::Copy(copy) if copy.filename.is_none() => Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "cannot COPY to/from client in PL/pgSQL"
        )),
        _ => Ok(()),
    }
}
