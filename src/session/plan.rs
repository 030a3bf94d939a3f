//! From text to a prepared statement, and from there to a plan.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use analyzer::{AnalyzeContext, ParamTypes};
use catalog::CatalogView;
use common::{Oid, PgResult, Span, pg_err};
use executor::{ConstContext, PreparedPlan, evaluate_constant};
use nodes::Expr;
use nodes::query::Query;
use parking_lot::Mutex;
use parser::ast::{self, Statement};
use planner::{ConstEvaluator, PlannerContext};
use types::Datum;
use types::settings::TypeRef;

use crate::api::row::Column;
use crate::session::Session;
use crate::session::catalog::View;
use crate::session::env::StatementEnv;
use crate::session::prepared::{Kind, Prepared};
use crate::session::settings::PlanCacheMode;

/// Constant folding with the session's settings.
pub(crate) struct Evaluator<'a> {
    pub cx: ConstContext<'a>,
}

impl ConstEvaluator for Evaluator<'_> {
    fn evaluate(&self, expr: &Expr) -> PgResult<Datum> {
        evaluate_constant(expr, self.cx)
    }

    fn compare(&self, type_oid: Oid, a: &Datum, b: &Datum) -> Option<std::cmp::Ordering> {
        Some(types::compare::compare(type_oid, a, b))
    }
}

/// True for statements that have a plan.
pub(crate) fn is_optimizable(stmt: &Statement) -> bool {
    match stmt {
        Statement::Select(s) => s.into.is_none(),
        Statement::Insert(_) | Statement::Update(_) | Statement::Delete(_) | Statement::Merge(_) => true,
        _ => false,
    }
}

/// How many custom plans are made before a plan for any values is weighed against them.
const CUSTOM_PLANS_TRIED: u32 = 5;

/// What planning costs for each relation, in operators.
const PLANNING_OPERATORS: f64 = 1000.0;

/// Estimated cost of a statement.
fn total_cost(plan: &nodes::PlannedStmt) -> f64 {
    plan.plan.cost.total
}

impl Session {
    /// Settings of the planner and a number that changes with them.
    pub(crate) fn cost_settings(&mut self) -> (Arc<planner::CostSettings>, u64) {
        let generation = self.core.guc.borrow().generation();
        if let Some((g, costs, number)) = &self.costs {
            if *g == generation {
                return (costs.clone(), *number);
            }
        }
        let fresh = commands::query::cost_settings(&self.core.guc.borrow());
        let (costs, number) = match self.costs.take() {
            Some((_, costs, number)) if *costs == fresh => (costs, number),
            Some((_, _, number)) => (Arc::new(fresh), number + 1),
            None => (Arc::new(fresh), 0),
        };
        self.costs = Some((generation, costs.clone(), number));
        (costs, number)
    }

    /// Prepares one statement of a string. `types`: what the client said of `$1..$n` (0: infer).
    pub(crate) fn prepare_statement(
        &mut self,
        source: &Arc<str>,
        raw: Option<ast::RawStatement>,
        types: &[Oid],
    ) -> PgResult<Arc<Prepared>> {
        let Some(raw) = raw else {
            return Ok(Arc::new(Prepared {
                source: source.clone(),
                span: Span::NONE,
                stmt: None,
                kind: Kind::Empty,
                param_types: Vec::new(),
                columns: None,
                version: 0,
                environment: 0,
                plan: Mutex::new(None),
                renewed: Mutex::new(None),
                uses: Arc::default(),
            }));
        };
        self.refuse_if_failed(&raw.stmt)?;
        let stmt = Arc::new(raw.stmt);
        self.core.keep_large(source, &stmt);
        self.prepare_tree(source, stmt, raw.span, types)
    }

    pub(crate) fn prepare_tree(
        &mut self,
        source: &Arc<str>,
        stmt: Arc<Statement>,
        span: Span,
        types: &[Oid],
    ) -> PgResult<Arc<Prepared>> {
        let environment = self.settings().environment;
        if !is_optimizable(&stmt) {
            let columns = self.utility_columns(&stmt)?;
            return Ok(Arc::new(Prepared {
                source: source.clone(),
                span,
                stmt: Some(stmt),
                kind: Kind::Utility,
                param_types: types.to_vec(),
                columns,
                version: 0,
                environment,
                plan: Mutex::new(None),
                renewed: Mutex::new(None),
                uses: Arc::default(),
            }));
        }
        self.ensure_transaction()?;
        let (view, query, param_types) = loop {
            let view = self.current_view()?;
            let analyzed = self.analyze(&stmt, source, &view, types);
            if let Ok((query, _)) = &analyzed {
                self.lock_query(query)?;
            }
            // A definition that we waited for, or met on its way, may have changed what the names mean.
            if self.session_catalog().version() == view.version() {
                let (query, param_types) = analyzed?;
                break (view, query, param_types);
            }
        };
        let query = Arc::new(query);
        self.core.keep_large(source, &query);
        let columns = result_columns(&query, &*view)?;
        Ok(Arc::new(Prepared {
            source: source.clone(),
            span,
            stmt: Some(stmt),
            kind: Kind::Query(query),
            param_types,
            columns,
            version: view.version(),
            environment,
            plan: Mutex::new(None),
            renewed: Mutex::new(None),
            uses: Arc::default(),
        }))
    }

    fn analyze(
        &mut self,
        stmt: &Statement,
        source: &str,
        view: &View,
        types: &[Oid],
    ) -> PgResult<(Query, Vec<Oid>)> {
        let settings = self.format_settings();
        let cx = AnalyzeContext::new(view, &settings)
            .with_params(ParamTypes::variable(types.to_vec()))
            .with_database(self.core.db.database_name());
        let query = analyzer::analyze(stmt, source, &cx)?;
        for notice in cx.notices.take() {
            self.core.notice(notice);
        }
        let param_types = cx.params.types();
        if let Some(n) = param_types
            .iter()
            .position(|t| !t.is_valid() || *t == types::oids::UNKNOWN)
        {
            return Err(pg_err!(
                INDETERMINATE_DATATYPE,
                "could not determine data type of parameter ${}",
                n + 1
            ));
        }
        Ok((query, param_types))
    }

    /// True while names, types and settings that the analysis rests on are unchanged.
    pub(crate) fn is_current(&mut self, prepared: &Prepared, version: u64) -> bool {
        prepared.version == version && prepared.environment == self.settings().environment
    }

    /// The statement as it is to be run now: analyzed again if names or settings have changed since.
    pub(crate) fn revalidate(&mut self, prepared: &Arc<Prepared>, view: &View) -> PgResult<Arc<Prepared>> {
        if prepared.query().is_none() || self.is_current(prepared, view.version()) {
            return Ok(prepared.clone());
        }
        let Some(stmt) = &prepared.stmt else {
            return Ok(prepared.clone());
        };
        let renewed = prepared.renewed.lock().clone();
        if let Some(renewed) = renewed.filter(|renewed| self.is_current(renewed, view.version())) {
            return Ok(renewed);
        }
        let fresh = self.prepare_tree(
            &prepared.source,
            stmt.clone(),
            prepared.span,
            &prepared.param_types,
        )?;
        let types = |p: &Prepared| -> Option<Vec<Oid>> {
            p.columns.as_ref().map(|c| c.iter().map(|c| c.type_oid).collect())
        };
        if types(&fresh) != types(prepared) {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "cached plan must not change result type"
            ));
        }
        let mut fresh = fresh;
        if let Some(made) = Arc::get_mut(&mut fresh) {
            made.uses = prepared.uses.clone();
        }
        // Else a statement prepared long ago would be analyzed and planned for each run.
        *prepared.renewed.lock() = Some(fresh.clone());
        Ok(fresh)
    }

    /// The plan of a query for some parameter values: one made for any values, which is kept, or one made for these.
    ///
    /// PG: `choose_custom_plan`. A point statement has nothing to choose.
    pub(crate) fn plan_for(
        &mut self,
        prepared: &Prepared,
        view: &Arc<View>,
        params: &[Datum],
    ) -> PgResult<Arc<PreparedPlan>> {
        let generic = self.generic_plan(prepared, view)?;
        if params.is_empty() || generic.is_point() || !self.prefers_custom(prepared, &generic) {
            prepared.uses.generic.fetch_add(1, Ordering::Relaxed);
            return Ok(generic);
        }
        prepared.uses.custom.fetch_add(1, Ordering::Relaxed);
        let custom = self.make_plan(prepared, view, Some(params))?;
        // Planning counts too: so much for each relation.
        let relations = custom.plan().range_table.len() as f64;
        let planning = PLANNING_OPERATORS * self.cost_settings().0.cpu_operator_cost * (relations + 1.0);
        prepared.count_custom_plan(total_cost(custom.plan()) + planning);
        Ok(custom)
    }

    fn prefers_custom(&mut self, prepared: &Prepared, generic: &PreparedPlan) -> bool {
        match self.settings().plan_cache_mode {
            PlanCacheMode::ForceGenericPlan => return false,
            PlanCacheMode::ForceCustomPlan => return true,
            PlanCacheMode::Auto => {}
        }
        let so_far = prepared.custom_plans();
        so_far.count < CUSTOM_PLANS_TRIED
            || total_cost(generic.plan()) >= so_far.cost / f64::from(so_far.count)
    }

    /// The plan for any parameter values: kept with the statement as long as catalog and planner settings stay.
    pub(crate) fn generic_plan(
        &mut self,
        prepared: &Prepared,
        view: &Arc<View>,
    ) -> PgResult<Arc<PreparedPlan>> {
        let generation = self.core.guc.borrow().generation();
        let number = match &self.costs {
            Some((known, _, number)) if *known == generation => *number,
            _ => self.cost_settings().1,
        };
        let version = view.version();
        // A plan for a snapshot that is too old for some index is for this time only, and others' plans are not for it.
        let old_snapshot = match &self.block.txn {
            Some(txn) => txn.borrow().old_snapshot().is_some(),
            None => false,
        };
        if let Some(plan) = prepared.cached_plan(version, number).filter(|_| !old_snapshot) {
            return Ok(plan);
        }
        let plan = self.make_plan(prepared, view, None)?;
        if !old_snapshot {
            prepared.keep_plan(version, number, &plan);
        }
        Ok(plan)
    }

    fn make_plan(
        &mut self,
        prepared: &Prepared,
        view: &Arc<View>,
        bound_params: Option<&[Datum]>,
    ) -> PgResult<Arc<PreparedPlan>> {
        let Some(query) = prepared.query() else {
            return Err(common::internal!("utility statement has no plan"));
        };
        let settings = self.format_settings();
        let (costs, _) = self.cost_settings();
        let Some(txn) = &self.block.txn else {
            return Err(common::internal!("planning outside of a transaction"));
        };
        let env = StatementEnv::new(&self.core, txn, view.clone(), &prepared.source);
        let evaluator = Evaluator {
            cx: ConstContext {
                catalog: &**view,
                session: &env,
                settings: &settings,
                cancel: &self.core.cancel,
                params: &[],
            },
        };
        let planned = planner::plan(
            query,
            &PlannerContext {
                catalog: &**view,
                settings: &costs,
                evaluator: &evaluator,
                bound_params,
                param_types: &prepared.param_types,
                cursor: false,
                parallel: true,
                cancel: &self.core.cancel,
            },
        )?;
        let planned = Arc::new(planned);
        self.core.keep_large(&prepared.source, &planned);
        let plan = Arc::new(PreparedPlan::compile(planned, &**view)?);
        self.core.keep_large(&prepared.source, &plan);
        Ok(plan)
    }

    /// Only statements that end a failed block may run in it.
    pub(crate) fn refuse_if_failed(&self, stmt: &Statement) -> PgResult<()> {
        if self.block.failed && !commands::allowed_in_failed_transaction(stmt) {
            return Err(pg_err!(
                IN_FAILED_SQL_TRANSACTION,
                "current transaction is aborted, commands ignored until end of transaction block"
            ));
        }
        Ok(())
    }
}

/// Columns that the client sees.
pub(crate) fn result_columns(query: &Query, view: &dyn CatalogView) -> PgResult<Option<Arc<[Column]>>> {
    use nodes::query::CommandType;
    if query.command != CommandType::Select && query.returning.is_empty() {
        return Ok(None);
    }
    let mut columns = Vec::new();
    for t in query.output_columns() {
        let type_ref = below_domains(t.expr.type_ref(), view)?;
        columns.push(Column {
            name: t.name.clone().unwrap_or_else(|| "?column?".into()),
            type_oid: type_ref.oid,
            typmod: type_ref.typmod,
            type_len: view.type_desc(type_ref.oid)?.map_or(-1, |d| d.len),
            table: t.origin_table,
            attno: t.origin_column,
        });
    }
    Ok(Some(columns.into()))
}

/// Clients are told the type below domains, as PostgreSQL tells them.
fn below_domains(mut type_ref: TypeRef, view: &dyn CatalogView) -> PgResult<TypeRef> {
    loop {
        match view.type_desc(type_ref.oid)? {
            Some(t) if t.kind == b'd' => {
                type_ref = TypeRef {
                    oid: t.base_type,
                    typmod: if type_ref.typmod >= 0 {
                        type_ref.typmod
                    } else {
                        t.typmod
                    },
                };
            }
            _ => break,
        }
    }
    Ok(type_ref)
}

/// A column of a utility statement's result.
pub(crate) fn utility_column(name: &str, type_oid: Oid) -> Column {
    Column {
        name: name.into(),
        type_oid,
        typmod: -1,
        type_len: types::builtin::type_row(type_oid).map_or(-1, |t| t.typlen),
        table: Oid::INVALID,
        attno: 0,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use crate::Database;

    #[test]
    fn a_statement_prepared_long_ago_is_analyzed_once_per_catalog() {
        let db = Database::memory().unwrap();
        let mut session = db.session().unwrap();
        session.batch_execute("create table a (x int)").unwrap();
        let old = session.prepare("select x from a where x = $1").unwrap();
        session.batch_execute("create table b (x int); begin").unwrap();
        let renew = |session: &mut crate::Session| {
            session.ensure_transaction().unwrap();
            let view = session.current_view().unwrap();
            session.revalidate(&old.0, &view).unwrap()
        };
        let first = renew(&mut session);
        assert!(!Arc::ptr_eq(&first, &old.0));
        assert!(Arc::ptr_eq(&first, &renew(&mut session)));
        session.batch_execute("create table c (x int)").unwrap();
        let second = renew(&mut session);
        assert!(!Arc::ptr_eq(&first, &second));
        // What the transaction made is gone, and what was known before counts no more.
        session
            .batch_execute("rollback; set search_path = public")
            .unwrap();
        assert!(!Arc::ptr_eq(&second, &renew(&mut session)));
    }
}
