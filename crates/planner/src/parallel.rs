//! Parallel plans: what may run in workers, how many of them, what gathering costs.
//!
//! PG: src/backend/optimizer/README, "Parallel Query and Partial Paths"; `max_parallel_hazard`, `compute_parallel_worker`, `cost_gather`.
//!
//! # How it works
//! A *partial* path yields part of the rows in each participant, all of them together. Scans of tables that are large enough have one,
//! and joins of a partial outer side with an inner side that every participant can compute, or that they hash together. A Gather above
//! a partial path makes a usual path of it. Statements over small tables never come here: [`Root::parallel`] stays false.

use catalog::CatalogView;
use catalog::desc::RelationDesc;
use common::Oid;
use nodes::expr::{Expr, ParamKind};
use nodes::plan::{Plan, PlanNode, SubPlanUsage};
use nodes::query::{CommandType, Query, RangeTblEntry, RteKind};
use nodes::walk;

use crate::context::{CostSettings, DebugParallel};
use crate::cost::Cost;
use crate::exprs::query_walk;
use crate::path::Path;
use crate::root::{Global, Root};

/// `pg_proc.proparallel`.
const SAFE: u8 = b's';
const UNSAFE: u8 = b'u';

/// How many participants' worth of work a path's workers and the leader do.
///
/// PG: `get_parallel_divisor`.
pub fn divisor(s: &CostSettings, workers: u32) -> f64 {
    let workers = f64::from(workers);
    let leader = if s.parallel_leader_participation {
        (1.0 - 0.3 * workers).max(0.0)
    } else {
        0.0
    };
    workers + leader
}

/// Workers for a scan of so many pages: one more for each tripling beyond the least size.
pub fn workers_for(s: &CostSettings, table: &RelationDesc, pages: f64, is_member: bool) -> u32 {
    let most = s.max_parallel_workers_per_gather;
    let option = table
        .options
        .iter()
        .find(|(name, _)| &**name == "parallel_workers");
    if let Some(wanted) = option.and_then(|(_, value)| value.parse::<u32>().ok()) {
        return wanted.min(most);
    }
    if pages < s.min_parallel_table_scan_size && !is_member {
        return 0;
    }
    let mut threshold = s.min_parallel_table_scan_size.max(1.0);
    let mut workers = 1;
    while pages >= threshold * 3.0 && workers < most {
        workers += 1;
        threshold *= 3.0;
    }
    workers.min(most)
}

/// Gathering `rows` of a partial path.
pub fn gather_cost(s: &CostSettings, input: Cost, rows: f64) -> Cost {
    let startup = input.startup + s.parallel_setup_cost;
    let run = input.total - input.startup;
    Cost {
        startup,
        total: startup + run + s.parallel_tuple_cost * rows,
    }
}

/// The same keeping their order.
pub fn gather_merge_cost(s: &CostSettings, input: Cost, rows: f64, workers: u32) -> Cost {
    let streams = f64::from(workers) + 1.0;
    let compare = 2.0 * s.cpu_operator_cost;
    let startup = compare * streams * streams.log2() + s.parallel_setup_cost;
    let run = rows * compare * streams.log2() + s.cpu_operator_cost * rows;
    let run = run + s.parallel_tuple_cost * rows * 1.05;
    Cost {
        startup: startup + input.startup,
        total: startup + run + input.total,
    }
}

/// Rows of all participants together.
pub fn gathered_rows(s: &CostSettings, path: &Path) -> f64 {
    (path.rows * divisor(s, path.parallel.workers)).round().max(1.0)
}

/// True when the whole statement may use workers: it only reads, and calls nothing that is unsafe.
pub fn statement_allows(global: &mut Global<'_>) -> bool {
    if let Some(known) = global.parallel_allowed {
        return known;
    }
    let allowed = allows(global);
    global.parallel_allowed = Some(allowed);
    allowed
}

fn allows(global: &Global<'_>) -> bool {
    let context = global.context;
    if !context.parallel || context.settings.max_parallel_workers_per_gather == 0 || context.cursor {
        return false;
    }
    let mut query = global.statement.clone();
    let mut allowed = query.command == CommandType::Select;
    allowed &= only_reads(&query);
    query_walk::for_each_expr_deep(&mut query, 0, &mut |e, _| {
        allowed = allowed && worst(e, context.catalog) != UNSAFE;
    });
    allowed
}

/// Neither the query nor those in FROM and WITH write or lock.
fn only_reads(query: &Query) -> bool {
    let in_from = |rte: &RangeTblEntry| match &rte.kind {
        RteKind::Subquery { query, .. } => only_reads(query),
        _ => true,
    };
    query.command == CommandType::Select
        && query.row_marks.is_empty()
        && query.range_table.iter().all(in_from)
        && query.ctes.iter().all(|c| only_reads(&c.query))
}

/// `proparallel` of a function; one that is not known is unsafe.
fn of_function(func: Oid, catalog: &dyn CatalogView) -> u8 {
    match catalog.function(func) {
        Ok(Some(f)) => f.parallel,
        _ => UNSAFE,
    }
}

/// The most dangerous function in an expression: `s`, `r` or `u`.
fn worst(expr: &Expr, catalog: &dyn CatalogView) -> u8 {
    let mut found = SAFE;
    walk::walk(expr, &mut |e| {
        let here = match e {
            Expr::Func(f) | Expr::NullIf(f) => of_function(f.func, catalog),
            Expr::Distinct(d) => of_function(d.equality.func, catalog),
            Expr::ScalarArrayOp(s) => of_function(s.func, catalog),
            Expr::Aggref(a) => of_function(a.func, catalog),
            Expr::NextValue { .. } => UNSAFE,
            Expr::WindowFunc(_) | Expr::CoerceToDomain(_) | Expr::CurrentOf { .. } => b'r',
            _ => SAFE,
        };
        if here == UNSAFE || here != SAFE && found == SAFE {
            found = here;
        }
        true
    });
    found
}

/// True when workers may evaluate an expression of this level.
pub fn is_safe(root: &Root<'_, '_>, expr: &Expr) -> bool {
    expr_is_safe(root.global, expr)
}

fn expr_is_safe(global: &Global<'_>, expr: &Expr) -> bool {
    if worst(expr, global.context.catalog) != SAFE {
        return false;
    }
    let mut own_params: Vec<usize> = Vec::new();
    let mut safe = true;
    walk::walk(expr, &mut |e| {
        match e {
            Expr::SubPlan(s) => {
                let Some(entry) = global.subplans.get(s.plan_id) else {
                    safe = false;
                    return false;
                };
                own_params.extend(&s.output_params);
                own_params.extend(s.params.iter().map(|(slot, _)| *slot));
                // The leader computes initplans before workers start.
                let by_leader = matches!(entry.usage, SubPlanUsage::InitPlan(_));
                safe = safe && (by_leader || plan_is_safe(global, &entry.plan, &own_params));
            }
            Expr::SubLink(_) => safe = false,
            Expr::Param(p) if p.kind == ParamKind::Exec => safe = safe && own_params.contains(&p.number),
            _ => {}
        }
        safe
    });
    safe
}

/// True when a worker may run a whole plan by itself. `params`: executor parameters that it is given.
pub fn plan_is_safe(global: &Global<'_>, plan: &Plan, params: &[usize]) -> bool {
    let mut known: Vec<usize> = params.to_vec();
    if let PlanNode::NestLoop { params, .. } = &plan.node {
        known.extend(params.iter().map(|p| p.param));
    }
    let node_safe = match &plan.node {
        PlanNode::ModifyTable(_)
        | PlanNode::LockRows { .. }
        | PlanNode::CteScan { .. }
        | PlanNode::WorkTableScan { .. }
        | PlanNode::RecursiveUnion { .. }
        | PlanNode::Gather { .. }
        | PlanNode::WindowAgg { .. } => false,
        PlanNode::SeqScan { relation, .. } => is_shared_table(global, *relation),
        _ => true,
    };
    let mut safe = node_safe;
    plan.for_each_expr(&mut |e| {
        safe = safe && {
            let mut e = e.clone();
            // Its own parameters are as good as constants.
            walk::rewrite(&mut e, &mut |e| {
                if let Expr::Param(p) = e
                    && p.kind == ParamKind::Exec
                    && known.contains(&p.number)
                {
                    *e = Expr::bool_const(true);
                }
            });
            expr_is_safe(global, &e)
        };
    });
    safe && plan
        .children()
        .into_iter()
        .all(|c| plan_is_safe(global, c, &known))
}

/// Temporary tables are the session's own.
fn is_shared_table(global: &Global<'_>, relation: Oid) -> bool {
    let desc = global.context.catalog.relation(relation);
    matches!(desc, Ok(Some(d)) if d.persistence != b't')
}

impl Root<'_, '_> {
    /// True when workers may scan a base relation as it is, and test its conditions.
    pub fn base_is_safe(&self, base: &crate::rel::BaseRel) -> bool {
        use crate::rel::BaseKind;
        let kind = match &base.kind {
            BaseKind::Table(t) => t.persistence != b't',
            BaseKind::Subquery(p) => {
                let lateral = self.lateral_params.iter().filter(|l| l.user == base.rt_index);
                let given: Vec<usize> = lateral.map(|l| l.param).collect();
                plan_is_safe(self.global, &p.plan, &given)
            }
            BaseKind::Unplanned(_) => false,
            BaseKind::Other => match &self.query.rte(base.rt_index).kind {
                RteKind::Function { functions, .. } => functions.iter().all(|f| is_safe(self, &f.expr)),
                RteKind::Values { rows, .. } => rows.iter().flatten().all(|e| is_safe(self, e)),
                RteKind::Result => true,
                _ => false,
            },
        };
        kind && base.restrictions.iter().all(|r| is_safe(self, &r.clause))
    }
}

/// `debug_parallel_query`: a plan that could run in a worker does, though nothing is gained.
pub fn force(global: &mut Global<'_>, plan: Plan) -> Plan {
    let s = global.context.settings;
    if s.debug_parallel_query == DebugParallel::Off || !statement_allows(global) {
        return plan;
    }
    let hidden = s.debug_parallel_query == DebugParallel::Regress;
    if hidden && !plan.init_plans.is_empty() || !plan_is_safe(global, &plan, &[]) {
        return plan;
    }
    let mut plan = plan;
    let mut cost = plan.cost;
    cost.startup += s.parallel_setup_cost;
    cost.total += s.parallel_setup_cost + s.parallel_tuple_cost * cost.rows;
    let init_plans = std::mem::take(&mut plan.init_plans);
    let targets = crate::upper::pass_through_targets(&plan.target_list);
    let disabled = plan.disabled_nodes;
    let mut gather = crate::upper::node(
        cost,
        targets,
        PlanNode::Gather {
            input: Box::new(plan),
            workers: 1,
            keys: Vec::new(),
            single_copy: true,
            invisible: hidden,
        },
    );
    gather.init_plans = init_plans;
    gather.disabled_nodes = disabled;
    gather
}
