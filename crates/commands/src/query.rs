//! Running queries for statements that contain one: CREATE TABLE AS, COPY (query), EXPLAIN.

use std::cmp::Ordering;
use std::sync::Arc;

use access::ActiveSnapshot;
use analyzer::ParamTypes;
use catalog::CatalogView;
use common::{Oid, PgResult};
use executor::{ConstContext, ExecContext, PreparedPlan, QueryRun, RunOptions};
use nodes::{Expr, PlannedStmt, Query};
use parser::ast::Statement;
use planner::{ConstEvaluator, CostSettings, DebugParallel, PlannerContext, PlanningMemory};
use types::Datum;

use crate::context::{CommandContext, ResultColumn};

/// The planner's settings as the session has them.
pub fn cost_settings(guc: &crate::guc::GucStore) -> CostSettings {
    let on = |name: &str| guc.get_bool(name);
    let number = |name: &str| guc.get_number(name);
    CostSettings {
        seq_page_cost: number("seq_page_cost"),
        random_page_cost: number("random_page_cost"),
        cpu_tuple_cost: number("cpu_tuple_cost"),
        cpu_index_tuple_cost: number("cpu_index_tuple_cost"),
        cpu_operator_cost: number("cpu_operator_cost"),
        effective_cache_size_pages: number("effective_cache_size"),
        work_mem_bytes: (number("work_mem") as usize) << 10,
        hash_mem_multiplier: number("hash_mem_multiplier"),
        cursor_tuple_fraction: number("cursor_tuple_fraction"),
        enable_seqscan: on("enable_seqscan"),
        enable_indexscan: on("enable_indexscan"),
        enable_indexonlyscan: on("enable_indexonlyscan"),
        enable_bitmapscan: on("enable_bitmapscan"),
        enable_presorted_aggregate: on("enable_presorted_aggregate"),
        enable_tidscan: on("enable_tidscan"),
        enable_sort: on("enable_sort"),
        enable_incremental_sort: on("enable_incremental_sort"),
        enable_hashagg: on("enable_hashagg"),
        enable_nestloop: on("enable_nestloop"),
        enable_mergejoin: on("enable_mergejoin"),
        enable_hashjoin: on("enable_hashjoin"),
        enable_material: on("enable_material"),
        enable_memoize: on("enable_memoize"),
        enable_gathermerge: on("enable_gathermerge"),
        enable_parallel_hash: on("enable_parallel_hash"),
        enable_parallel_append: on("enable_parallel_append"),
        enable_partition_pruning: on("enable_partition_pruning"),
        enable_self_join_elimination: on("enable_self_join_elimination"),
        enable_partitionwise_join: on("enable_partitionwise_join"),
        max_parallel_workers_per_gather: number("max_parallel_workers_per_gather") as u32,
        parallel_setup_cost: number("parallel_setup_cost"),
        parallel_tuple_cost: number("parallel_tuple_cost"),
        min_parallel_table_scan_size: number("min_parallel_table_scan_size"),
        parallel_leader_participation: on("parallel_leader_participation"),
        debug_parallel_query: match guc.get("debug_parallel_query") {
            "on" => DebugParallel::On,
            "regress" => DebugParallel::Regress,
            _ => DebugParallel::Off,
        },
    }
}

/// What one hash table may take: `work_mem` times `hash_mem_multiplier`.
pub fn hash_mem_bytes(guc: &crate::guc::GucStore) -> usize {
    let kb = guc.get_number("work_mem") * guc.get_number("hash_mem_multiplier");
    (kb as usize) << 10
}

/// Constant folding with the statement's own session.
struct Evaluator<'a, 'c> {
    cx: &'a CommandContext<'c>,
    catalog: &'a dyn CatalogView,
}

impl ConstEvaluator for Evaluator<'_, '_> {
    fn evaluate(&self, expr: &Expr) -> PgResult<Datum> {
        let context = ConstContext {
            catalog: self.catalog,
            session: self.cx.session,
            settings: &self.cx.settings,
            cancel: self.cx.cancel,
            params: self.cx.params,
        };
        executor::evaluate_constant(expr, context)
    }

    fn compare(&self, type_oid: Oid, a: &Datum, b: &Datum) -> Option<Ordering> {
        if a.is_null() || b.is_null() {
            return None;
        }
        Some(types::compare::compare(type_oid, a, b))
    }
}

/// A planned query with the catalog it was planned under.
pub(crate) struct Planned {
    pub view: Arc<dyn CatalogView>,
    pub plan: Arc<PlannedStmt>,
}

impl CommandContext<'_> {
    /// Analyzes a query with the statement's parameters.
    pub(crate) fn analyze_query(&self, stmt: &Statement, view: &dyn CatalogView) -> PgResult<Query> {
        let analysis = self.analysis_with_params(view);
        let query = analyzer::analyze(stmt, self.source, &analysis);
        self.take_notices(analysis);
        query
    }

    /// Analyzes a query whose parameters are what their use makes of them, and have no values.
    pub(crate) fn analyze_generic(&self, stmt: &Statement, view: &dyn CatalogView) -> PgResult<Query> {
        let analysis = self.analysis(view).with_params(ParamTypes::variable(Vec::new()));
        let query = analyzer::analyze(stmt, self.source, &analysis);
        self.take_notices(analysis);
        query
    }

    /// Plans an analyzed query.
    pub(crate) fn plan_query(&self, query: &Query, view: Arc<dyn CatalogView>) -> PgResult<Planned> {
        Ok(self.plan_measured(query, view)?.0)
    }

    /// Plans an analyzed query, and tells what that took.
    pub(crate) fn plan_measured(
        &self,
        query: &Query,
        view: Arc<dyn CatalogView>,
    ) -> PgResult<(Planned, PlanningMemory)> {
        let settings = cost_settings(&self.guc.borrow());
        let generic = self.guc.borrow().get("plan_cache_mode") == "force_generic_plan";
        let evaluator = Evaluator {
            cx: self,
            catalog: &*view,
        };
        let context = PlannerContext {
            catalog: &*view,
            settings: &settings,
            evaluator: &evaluator,
            bound_params: (!generic).then_some(self.params),
            param_types: self.param_types,
            cursor: false,
            parallel: true,
            cancel: self.cancel,
        };
        let (plan, memory) = planner::plan_measured(query, &context)?;
        let plan = Arc::new(plan);
        Ok((Planned { plan, view }, memory))
    }

    /// Lends the executor what it needs.
    pub(crate) fn exec_context<'e>(
        &'e self,
        view: &'e dyn CatalogView,
        snapshot: &'e ActiveSnapshot,
    ) -> ExecContext<'e> {
        ExecContext {
            txn: Some(self.txn),
            snapshot,
            catalog: view,
            relations: self.relations,
            params: self.params,
            session: self.session,
            settings: &self.settings,
            cancel: self.cancel,
            memory: self.memory,
            work_mem_bytes: (self.guc.borrow().get_number("work_mem") as usize) << 10,
            hash_mem_bytes: hash_mem_bytes(&self.guc.borrow()),
            temp: self.temp,
            after: self.after,
            env: self.env,
            workers: self.workers,
            leader_participates: self.guc.borrow().get_bool("parallel_leader_participation"),
        }
    }

    /// Locks the relations a plan uses and checks what the user may do with them.
    pub(crate) fn prepare_relations(&self, plan: &PlannedStmt) -> PgResult<()> {
        use catalog::privileges::Privilege;
        use nodes::query::RteKind;
        for (index, rte) in plan.range_table.iter().enumerate() {
            let RteKind::Relation { relation, .. } = &rte.kind else {
                continue;
            };
            let wanted = &rte.permissions;
            let writes = wanted.insert || wanted.update || wanted.delete;
            let mode = if writes {
                txn::LockMode::RowExclusive
            } else {
                txn::LockMode::AccessShare
            };
            let _ = index;
            self.lock_relation(*relation, mode)?;
            if wanted.check_as.is_valid() {
                continue;
            }
            let desc = self.relation(*relation)?;
            for (needed, privilege) in [
                (wanted.select, Privilege::Select),
                (wanted.insert, Privilege::Insert),
                (wanted.update, Privilege::Update),
                (wanted.delete, Privilege::Delete),
            ] {
                if needed {
                    self.check_relation_privilege(&desc, privilege)?;
                }
            }
        }
        Ok(())
    }

    /// Starts running a plan.
    pub(crate) fn start(&self, planned: &Planned, instrument: bool) -> PgResult<QueryRun> {
        self.prepare_relations(&planned.plan)?;
        let prepared = Arc::new(PreparedPlan::compile(planned.plan.clone(), &*planned.view)?);
        Ok(QueryRun::start(prepared, RunOptions { instrument }))
    }
}

/// The result columns of an analyzed query.
pub(crate) fn output_columns(query: &Query) -> Vec<ResultColumn> {
    query
        .output_columns()
        .map(|t| ResultColumn {
            name: t.name.as_deref().unwrap_or("?column?").to_owned(),
            type_ref: t.expr.type_ref(),
        })
        .collect()
}
