//! Routines in language SQL: their statements run in the session that calls them.
//!
//! PG: src/backend/executor/functions.c.
//!
//! # How it works
//! 1. A call finds its [`Routine`] (the parsed body) by function and actual types; statements are analyzed and planned when they are
//!    first run, and again when the catalog or a setting has changed since.
//! 2. A volatile routine's statements see what happened before them: each is a command of its own with a snapshot of its own. Others
//!    look under the snapshot of the statement that calls them, and may not write.
//! 3. The last statement's rows become the result: the first of them, or all for a set.
//!
//! # Invariants
//! - The caller's queue of checks for the end of its statement is put aside while a body runs: each statement fires its own.
//! - User, settings and depth are put back however a call ends.

use std::cell::Cell;
use std::sync::Arc;

use access::ActiveSnapshot;
use analyzer::sql_routine::{self, ResultShape, RoutineResult};
use analyzer::{AnalyzeContext, RoutineParam, RoutineScope};
use catalog::CatalogView;
use catalog::desc::FunctionDesc;
use catalog::privileges::{Guarded, ObjectKind, Privilege};
use commands::guc::Scope;
use commands::{CommandContext, CommandOutcome};
use common::error::ErrorExt;
use common::{Oid, PgError, PgResult, pg_err, unsupported};
use executor::{ConstContext, ExecContext, PreparedPlan, QueryRun, RunOptions, evaluate_constant};
use functions::CallInfo;
use nodes::query::CommandType;
use nodes::{Expr, Query};
use parking_lot::Mutex;
use parser::ast::Statement;
use types::settings::TypeRef;
use types::{BATCH_ROWS, Datum, FieldNames, FormatSettings, RecordValue, oids};

use crate::session::catalog::View;
use crate::session::core::SessionCore;
use crate::session::env::StatementEnv;

/// What a call looks like: a polymorphic routine has a [`Routine`] per combination of types.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RoutineKey {
    proc: Oid,
    args: Vec<Oid>,
    result: Oid,
    columns: Vec<Oid>,
}

impl RoutineKey {
    fn of(call: &CallInfo) -> RoutineKey {
        RoutineKey {
            proc: call.proc,
            args: call.args.iter().map(|a| a.oid).collect(),
            result: call.result.oid,
            columns: call.columns.iter().map(|c| c.type_oid).collect(),
        }
    }
}

/// A statement of a body before analysis.
enum Raw {
    Parsed(Arc<Statement>),
    Stored(Arc<Query>),
}

/// A body, parsed.
pub(crate) struct Routine {
    source: Arc<str>,
    body: Option<Arc<str>>,
    statements: Vec<Raw>,
    ready: Mutex<Vec<Option<Arc<Ready>>>>,
}

/// A statement ready to run, and what it was made under.
struct Ready {
    version: u64,
    generation: u64,
    user: Oid,
    what: Work,
}

enum Work {
    Query(QueryWork),
    Command(Arc<Statement>),
}

struct QueryWork {
    plan: Arc<PreparedPlan>,
    shape: ResultShape,
    /// Coercions of `$1` to apply to values of the columns.
    coercions: Vec<Option<Expr>>,
    /// Types and names of the columns, for records.
    field_types: Vec<Oid>,
    names: Option<FieldNames>,
}

/// Puts the user, the settings and the depth back.
struct Guard<'s> {
    core: &'s SessionCore,
    user: Oid,
    user_name: Arc<str>,
    guc_mark: Option<usize>,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.core.user.set(self.user);
        *self.core.user_name.borrow_mut() = self.user_name.clone();
        if let Some(mark) = self.guc_mark {
            self.core.guc.borrow_mut().rollback_to(mark);
        }
    }
}

/// Bytes of stack that nested calls may use; threads have two megabytes at least.
const STACK_MAX: usize = 1_000_000;

/// Where the stack is now.
pub(crate) fn stack_position() -> usize {
    let here = Cell::new(0_u8);
    std::ptr::from_ref(&here) as usize
}

pub(crate) fn check_stack(core: &SessionCore) -> PgResult<()> {
    if core.stack_base.get().abs_diff(stack_position()) < STACK_MAX {
        return Ok(());
    }
    Err(pg_err!(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded").hint(
        "Increase the configuration parameter \"max_stack_depth\" (currently 2048kB), after ensuring the platform's \
         stack depth limit is adequate.",
    ))
}

/// A statement without a plan inside a routine.
pub(crate) struct InnerCommand<'a> {
    pub stmt: &'a Statement,
    pub source: &'a str,
    pub args: &'a [Datum],
    /// Names of the arguments.
    pub scope: RoutineScope,
    /// The routine is not volatile.
    pub read_only: bool,
    pub language: &'a str,
}

impl InnerCommand<'_> {
    /// Refuses what routines may not do.
    fn check(&self, tag: &str) -> PgResult<()> {
        if matches!(self.stmt, Statement::Transaction(_)) {
            return Err(unsupported!("{tag} is not allowed in an SQL function"));
        }
        if let Some(name) = commands::must_not_be_in_transaction_block(self.stmt) {
            return Err(pg_err!(
                ACTIVE_SQL_TRANSACTION,
                "{name} cannot be executed from a function"
            ));
        }
        if self.read_only && !commands::is_read_only(self.stmt) {
            return Err(unsupported!("{tag} is not allowed in a non-volatile function"));
        }
        if let Statement::Copy(copy) = self.stmt {
            if !matches!(commands::copy_target(copy), commands::CopyTarget::File) {
                return Err(unsupported!(
                    "cannot COPY to/from client in an {} function",
                    self.language
                ));
            }
        }
        Ok(())
    }
}

/// One call of a routine.
struct Call<'e, 's> {
    env: &'e StatementEnv<'s>,
    desc: Arc<FunctionDesc>,
    info: &'e CallInfo,
    args: &'e [Datum],
    all_rows: bool,
}

impl StatementEnv<'_> {
    /// Runs a routine: a value per row, at most one unless `all_rows`.
    pub(crate) fn run_routine(
        &self,
        info: &CallInfo,
        args: &[Datum],
        all_rows: bool,
    ) -> PgResult<Vec<Datum>> {
        check_stack(self.core)?;
        let Some(desc) = self.view.function(info.proc)? else {
            return Err(common::internal!(
                "cache lookup failed for function {}",
                info.proc
            ));
        };
        if !desc.runs_in_session() {
            return Err(functions::framework::registry::not_implemented(info.proc));
        }
        let user = self.core.user.get();
        if desc.acl.is_some() && user != Oid(10) {
            let guarded = Guarded {
                kind: if desc.kind == b'p' {
                    ObjectKind::Procedure
                } else {
                    ObjectKind::Function
                },
                owner: desc.owner,
                acl: desc.acl.as_deref(),
            };
            self.view
                .roles()?
                .check(user, guarded, Privilege::Execute, &desc.name)?;
        }
        // Only a procedure that changes neither user nor settings may end the transaction.
        let nonatomic = desc.kind == b'p'
            && self.core.nonatomic.take()
            && !desc.security_definer
            && desc.config.is_empty();
        let guard = self.enter(&desc)?;
        let suspended = self.core.after.suspend();
        let result = if desc.is_plpgsql() {
            let outcome = self.call_plpgsql(&desc, info, args, nonatomic);
            outcome.map(|outcome| match outcome {
                plpgsql::Outcome::Value(value) => vec![value],
                plpgsql::Outcome::Rows(rows) => rows,
            })
        } else {
            let call = Call {
                env: self,
                desc,
                info,
                args,
                all_rows,
            };
            call.run()
        };
        self.core.after.resume(suspended);
        drop(guard);
        result
    }

    /// Runs a statement without a plan inside a routine.
    pub(crate) fn run_command(&self, command: &InnerCommand<'_>) -> PgResult<CommandOutcome> {
        let (core, stmt) = (self.core, command.stmt);
        let tag = commands::command_tag(stmt);
        let language = command.language;
        command.check(tag)?;
        if let Statement::Notify(n) = stmt {
            let payload = n.payload.as_deref().unwrap_or("");
            crate::session::env::queue_notification(core, n.conditionname.as_str(), payload)?;
            return Ok(CommandOutcome::tag("NOTIFY"));
        }
        if !commands::is_command(stmt) {
            return Err(unsupported!(
                "{tag} in an {language} function is not supported yet"
            ));
        }
        commands::check_read_only(stmt, core.guc.borrow().get_bool("transaction_read_only"))?;
        let param_types: Vec<Oid> = command.scope.params.iter().map(|p| p.type_oid).collect();
        let view = core.catalog().statement_view(&self.txn.borrow())?;
        let env = StatementEnv::new(core, self.txn, view, command.source);
        let catalog = core.catalog();
        let mut actions = Vec::new();
        let in_use = |relation: &catalog::desc::RelationDesc| core.uses(relation);
        let mut cx = CommandContext {
            in_use: &in_use,
            txn: self.txn,
            catalog: &catalog,
            relations: &core.db.relations,
            memory: &core.db.memory,
            temp: &core.temp_files,
            env: &*core.db.env,
            workers: None,
            after: &core.after,
            guc: &core.guc,
            settings: (*core.format_settings()).clone(),
            session: &env,
            cancel: &core.cancel,
            notices: &core.notices,
            actions: &mut actions,
            source: command.source,
            params: command.args,
            param_types: &param_types,
            routine: Some(command.scope.clone()),
            user: core.user.get(),
            session_user: core.session_user,
            database: core.db.database_oid,
            database_name: core.db.database_name(),
            asked: core.asked.get(),
            session_number: core.number,
            in_transaction_block: true,
        };
        let outcome = commands::execute(stmt, &mut cx)?;
        core.actions.borrow_mut().append(&mut actions);
        self.txn.borrow_mut().next_command()?;
        Ok(outcome)
    }

    /// SECURITY DEFINER and SET take effect.
    fn enter(&self, desc: &FunctionDesc) -> PgResult<Guard<'_>> {
        let mut guard = Guard {
            core: self.core,
            user: self.core.user.get(),
            user_name: self.core.user_name.borrow().clone(),
            guc_mark: None,
        };
        if desc.security_definer {
            self.core.user.set(desc.owner);
            if let Some(name) = self.view.role_name(desc.owner)? {
                *self.core.user_name.borrow_mut() = name;
            }
        }
        if !desc.config.is_empty() {
            let is_superuser = self.view.roles()?.is_superuser(self.core.user.get());
            let mut guc = self.core.guc.borrow_mut();
            guard.guc_mark = Some(guc.mark());
            for setting in &desc.config {
                if let Some((name, value)) = setting.split_once('=') {
                    commands::guc::check_may_set(name, is_superuser)?;
                    guc.set(name, value, Scope::Local)?;
                }
            }
        }
        Ok(guard)
    }
}

impl Call<'_, '_> {
    fn core(&self) -> &SessionCore {
        self.env.core
    }

    fn run(&self) -> PgResult<Vec<Datum>> {
        let startup = |e: Box<PgError>| {
            let e = commands::routine::internal_position(e, &self.desc.source);
            e.context(format!("SQL function \"{}\" during startup", self.desc.name))
        };
        let routine = self.routine().map_err(startup)?;
        if routine.statements.is_empty() {
            self.check_empty().map_err(startup)?;
        }
        let mut rows = Vec::new();
        for at in 0..routine.statements.len() {
            rows = self.statement(&routine, at).map_err(|e| {
                let e = commands::routine::internal_position(e, &routine.source);
                e.context(format!(
                    "SQL function \"{}\" statement {}",
                    self.desc.name,
                    at + 1
                ))
            })?;
        }
        Ok(rows)
    }

    fn check_empty(&self) -> PgResult<()> {
        let settings = self.core().format_settings();
        let view = self.view()?;
        let context = self.analysis(&view, &settings);
        sql_routine::check_result(None, &self.result(&context, &view)?, &context).map(drop)
    }

    /// The parsed body, from the session's cache if the definition is the same still.
    fn routine(&self) -> PgResult<Arc<Routine>> {
        let key = RoutineKey::of(self.info);
        if let Some(known) = self.core().routines.borrow().get(&key) {
            if known.source == self.desc.source && known.body == self.desc.sql_body {
                return Ok(known.clone());
            }
        }
        let statements: Vec<Raw> = match &self.desc.sql_body {
            Some(body) => {
                let stored = nodes::serial::decode_body(body)?;
                stored
                    .statements
                    .into_iter()
                    .map(|q| Raw::Stored(Arc::new(q)))
                    .collect()
            }
            None => {
                let options = commands::routine::parse_options(&self.core().guc.borrow());
                let parsed = parser::parse(&self.desc.source, &options)?;
                parsed
                    .into_iter()
                    .map(|raw| Raw::Parsed(Arc::new(raw.stmt)))
                    .collect()
            }
        };
        let routine = Arc::new(Routine {
            source: self.desc.source.clone(),
            body: self.desc.sql_body.clone(),
            ready: Mutex::new(statements.iter().map(|_| None).collect()),
            statements,
        });
        let mut cache = self.core().routines.borrow_mut();
        const ROUTINES_MAX: usize = 1000;
        if cache.len() >= ROUTINES_MAX {
            cache.clear();
        }
        cache.insert(key, routine.clone());
        Ok(routine)
    }

    fn view(&self) -> PgResult<Arc<View>> {
        self.core().catalog().statement_view(&self.env.txn.borrow())
    }

    fn is_volatile(&self) -> bool {
        self.desc.volatility == b'v'
    }

    /// Runs a statement; the rows of the last one are the result.
    fn statement(&self, routine: &Routine, at: usize) -> PgResult<Vec<Datum>> {
        if self.is_volatile() {
            self.env.txn.borrow_mut().next_command()?;
        }
        let view = self.view()?;
        let ready = self.ready(routine, at, &view)?;
        match &ready.what {
            Work::Query(work) => self.query(work, &view, at + 1 == routine.statements.len()),
            Work::Command(stmt) => {
                self.command(stmt, &routine.source)?;
                Ok(Vec::new())
            }
        }
    }

    fn ready(&self, routine: &Routine, at: usize, view: &Arc<View>) -> PgResult<Arc<Ready>> {
        let core = self.core();
        let (version, generation, user) = (view.version(), core.guc.borrow().generation(), core.user.get());
        if let Some(Some(known)) = routine.ready.lock().get(at) {
            if (known.version, known.generation, known.user) == (version, generation, user) {
                return Ok(known.clone());
            }
        }
        let is_last = at + 1 == routine.statements.len();
        let settings = core.format_settings();
        let context = self.analysis(view, &settings);
        let what = match &routine.statements[at] {
            Raw::Parsed(stmt) if !is_query(stmt) => {
                if is_last {
                    sql_routine::check_result(None, &self.result(&context, view)?, &context)?;
                }
                Work::Command(stmt.clone())
            }
            raw => {
                let query = match raw {
                    Raw::Parsed(stmt) => sql_routine::analyze_statement(stmt, &context)?,
                    Raw::Stored(query) => (**query).clone(),
                };
                Work::Query(self.plan(query, is_last, view, &settings, &context)?)
            }
        };
        for notice in context.notices.take() {
            core.notice(notice);
        }
        let ready = Arc::new(Ready {
            version,
            generation,
            user,
            what,
        });
        if let Some(place) = routine.ready.lock().get_mut(at) {
            *place = Some(ready.clone());
        }
        Ok(ready)
    }

    /// Names and types of the parameters.
    fn scope(&self) -> RoutineScope {
        let inputs = self.desc.arg_names.iter().enumerate().filter(|(i, _)| {
            self.desc.arg_modes.is_empty() || matches!(self.desc.arg_modes.get(*i), Some(b'i' | b'b' | b'v'))
        });
        let mut names = inputs.map(|(_, n)| n.clone());
        let params = self.info.args.iter().map(|a| RoutineParam {
            name: names.next().unwrap_or_default(),
            type_oid: a.oid,
        });
        RoutineScope {
            name: self.desc.name.clone(),
            params: params.collect(),
        }
    }

    fn analysis<'c>(&self, view: &'c View, settings: &'c FormatSettings) -> AnalyzeContext<'c> {
        AnalyzeContext::new(view, settings)
            .with_database(self.core().db.database_name())
            .with_routine(self.scope())
    }

    /// What the caller expects.
    fn result(&self, context: &AnalyzeContext<'_>, view: &View) -> PgResult<RoutineResult> {
        let is_procedure = self.desc.kind == b'p';
        let type_oid = self.info.result.oid;
        let row = if !self.info.columns.is_empty() {
            let columns = self.info.columns.iter();
            Some(
                columns
                    .map(|c| TypeRef {
                        oid: c.type_oid,
                        typmod: c.typmod,
                    })
                    .collect(),
            )
        } else if type_oid == oids::RECORD {
            let args: Vec<Oid> = self.info.args.iter().map(|a| a.oid).collect();
            sql_routine::out_columns(&self.desc, &args, context)?
                .map(|columns| columns.into_iter().map(|(_, t)| TypeRef::plain(t)).collect())
        } else {
            commands::routine::composite_columns(type_oid, view)?
        };
        Ok(RoutineResult {
            type_oid,
            is_procedure,
            row,
        })
    }

    fn plan(
        &self,
        mut query: Query,
        is_last: bool,
        view: &Arc<View>,
        settings: &FormatSettings,
        context: &AnalyzeContext<'_>,
    ) -> PgResult<QueryWork> {
        self.refuse_writing(&query)?;
        let (mut shape, mut coercions) = (ResultShape::Nothing, Vec::new());
        let mut field_types = Vec::new();
        if is_last {
            let expected = self.result(context, view)?;
            (shape, coercions) = sql_routine::check_result(Some(&mut query), &expected, context)?;
            field_types = match &expected.row {
                Some(row) => row.iter().map(|t| t.oid).collect(),
                None => query.output_columns().map(|t| t.expr.type_oid()).collect(),
            };
        }
        let names: Vec<Box<str>> = match self.desc.out_columns() {
            out if out.len() == field_types.len() => out.iter().map(|(n, _)| Box::from(*n)).collect(),
            _ => query
                .output_columns()
                .map(|t| Box::from(t.name.as_deref().unwrap_or("?column?")))
                .collect(),
        };
        let query = analyzer::utility::rewrite_stored(query, context)?;
        let param_types: Vec<Oid> = self.info.args.iter().map(|a| a.oid).collect();
        let env = StatementEnv::new(self.core(), self.env.txn, view.clone(), &self.desc.source);
        let planned = env.plan_nested(&query, settings, &param_types)?;
        let plan = Arc::new(PreparedPlan::compile(Arc::new(planned), &**view)?);
        Ok(QueryWork {
            plan,
            shape,
            coercions,
            field_types,
            names: (self.info.result.oid == oids::RECORD).then(|| names.into()),
        })
    }

    fn refuse_writing(&self, query: &Query) -> PgResult<()> {
        let word = match query.command {
            CommandType::Select if query.has_modifying_cte => "INSERT",
            CommandType::Select => return Ok(()),
            CommandType::Insert => "INSERT",
            CommandType::Update => "UPDATE",
            CommandType::Delete => "DELETE",
            CommandType::Merge => "MERGE",
        };
        if !self.is_volatile() {
            return Err(unsupported!("{word} is not allowed in a non-volatile function"));
        }
        if self.core().guc.borrow().get_bool("transaction_read_only") {
            return Err(pg_err!(
                READ_ONLY_SQL_TRANSACTION,
                "cannot execute {word} in a read-only transaction"
            ));
        }
        Ok(())
    }

    fn snapshot(&self) -> PgResult<ActiveSnapshot> {
        match self.env.snapshot {
            Some(snapshot) if !self.is_volatile() => Ok(snapshot.clone()),
            _ => self.env.txn.borrow_mut().snapshot(),
        }
    }

    fn query(&self, work: &QueryWork, view: &Arc<View>, is_last: bool) -> PgResult<Vec<Datum>> {
        let core = self.core();
        let planned = work.plan.plan();
        let writes = planned.command != CommandType::Select || planned.has_modifying_cte;
        let user = core.user.get();
        if user != Oid(10) {
            crate::session::command::check_permissions(&planned.range_table, view, user)?;
        }
        crate::session::run::lock_range_table(&core.db, self.env.txn, &planned.range_table, writes)?;
        let snapshot = self.snapshot()?;
        let settings = core.format_settings();
        let env = StatementEnv {
            snapshot: Some(&snapshot),
            ..StatementEnv::new(core, self.env.txn, view.clone(), &self.desc.source)
        };
        let cx = env.exec_context(&settings, &snapshot, self.args);
        let mut rows = Vec::new();
        let _under_way = core.under_way(&work.plan);
        let mut run = QueryRun::start(work.plan.clone(), RunOptions::default());
        let wanted = is_last && work.shape != ResultShape::Nothing;
        // One row is enough where one is asked for, but whoever writes, writes all.
        let first_only = wanted && !self.all_rows && !writes;
        while let Some(batch) = run.next_batch(&cx, if first_only { 1 } else { BATCH_ROWS })? {
            if wanted {
                for row in batch.selection.iter() {
                    if self.all_rows || rows.is_empty() {
                        let values = batch.columns.iter().map(|c| c.datum(row)).collect();
                        rows.push(self.row(work, values, &cx)?);
                    }
                }
            }
            if first_only {
                break;
            }
        }
        if writes {
            self.env.txn.borrow_mut().next_command()?;
        }
        Ok(rows)
    }

    /// A row of the last statement as a value of the result type.
    fn row(&self, work: &QueryWork, mut values: Vec<Datum>, cx: &ExecContext<'_>) -> PgResult<Datum> {
        for (value, coercion) in values.iter_mut().zip(&work.coercions) {
            let Some(coercion) = coercion else { continue };
            let given = [std::mem::replace(value, Datum::Null)];
            let context = ConstContext {
                catalog: cx.catalog,
                session: cx.session,
                settings: cx.settings,
                cancel: cx.cancel,
                params: &given,
            };
            *value = evaluate_constant(coercion, context)?;
        }
        if work.shape == ResultShape::Value {
            return Ok(values.into_iter().next().unwrap_or(Datum::Null));
        }
        Ok(Datum::Record(Arc::new(RecordValue {
            type_oid: self.info.result.oid,
            field_types: work.field_types.clone(),
            fields: values,
            names: work.names.clone(),
        })))
    }

    fn command(&self, stmt: &Statement, source: &str) -> PgResult<()> {
        self.core().nonatomic.set(false);
        let command = InnerCommand {
            stmt,
            source,
            args: self.args,
            scope: self.scope(),
            read_only: !self.is_volatile(),
            language: "SQL",
        };
        self.env.run_command(&command).map(drop)
    }
}

/// Statements that have a plan.
fn is_query(stmt: &Statement) -> bool {
    crate::session::plan::is_optimizable(stmt)
}
