//! What a plan below a Gather asks of the session.
//!
//! A worker's session answers from the catalog and from what was copied for it; it has no transaction, no settings store, no cursors. A
//! plan with a function that may ask for more is run by the leader alone: the plan is as PostgreSQL's, only no worker is launched.

use catalog::CatalogView;
use common::Oid;
use nodes::expr::{Expr, SubLinkKind};
use nodes::plan::SubPlanUsage;
use nodes::{Plan, PlanNode};

use crate::compile::{Compiler, kernel_function};

/// Beginnings of the names of built-in functions that look beyond catalog and arguments.
const LEADER_ONLY: &[&str] = &[
    "pg_",
    "has_",
    "txid_",
    "age",
    "mxid_",
    "current_setting",
    "set_config",
    "current_query",
    "inet_",
    "query_to_",
    "table_to_",
    "schema_to_",
    "database_to_",
    "cursor_to_",
    "xml",
    "xpath",
    "nextval",
    "currval",
    "lastval",
    "setval",
    "random",
    "setseed",
    "lo_",
    "row_security_active",
    "version",
    "ts_",
    "brin_",
    "gin_",
    "binary_upgrade_",
    "amvalidate",
    "array_shuffle",
    "array_sample",
];

/// The needs of a plan.
pub(crate) struct Needs {
    /// No worker can run it.
    pub leader_only: bool,
    /// Initplans whose results it reads, with the rows they are asked for.
    pub init_plans: Vec<(usize, usize)>,
}

impl Needs {
    pub fn of(c: &Compiler<'_>, plan: &Plan) -> Needs {
        let mut init_plans: Vec<(usize, usize)> = Vec::new();
        let (mut by_node, mut by_function) = (false, false);
        let is_init = |id: usize| {
            let usage = c.plan.subplans.get(id).map(|s| &s.usage);
            matches!(usage, Some(SubPlanUsage::InitPlan(_)))
        };
        plan.visit_deep(
            c.plan,
            &|id| !is_init(id),
            &mut |p| by_node |= is_leaders(p),
            &mut |e| {
                if let Expr::SubPlan(s) = e
                    && is_init(s.plan_id)
                    && !init_plans.iter().any(|(id, _)| *id == s.plan_id)
                {
                    init_plans.push((s.plan_id, rows_asked(s.kind)));
                }
                by_function |= asks_session(e, c.catalog);
            },
        );
        Needs {
            leader_only: by_node || by_function,
            init_plans,
        }
    }
}

/// True for a plan that gives the same rows whenever its parameters are the same, within one statement.
pub(crate) fn is_repeatable(c: &Compiler<'_>, plan: &Plan) -> bool {
    let (mut nodes, mut calls) = (true, true);
    let stable = |func: Oid| match c.catalog.function(func) {
        Ok(Some(desc)) => desc.volatility != b'v',
        _ => false,
    };
    plan.visit_deep(c.plan, &|_| true, &mut |p| nodes &= !is_leaders(p), &mut |e| {
        let repeatable = match e {
            Expr::Func(f) | Expr::NullIf(f) => stable(f.func),
            Expr::Distinct(d) => stable(d.equality.func),
            Expr::ScalarArrayOp(s) => stable(s.func),
            Expr::Aggref(a) => stable(a.func),
            _ => true,
        };
        calls &= repeatable && !asks_session(e, c.catalog);
    });
    nodes && calls
}

/// How many rows evaluating a subquery asks for.
fn rows_asked(kind: SubLinkKind) -> usize {
    match kind {
        SubLinkKind::Exists => 1,
        SubLinkKind::Expr => 2,
        _ => usize::MAX,
    }
}

/// Nodes that write, lock, or share state of the leader's run.
fn is_leaders(plan: &Plan) -> bool {
    matches!(
        plan.node,
        PlanNode::ModifyTable(_)
            | PlanNode::LockRows { .. }
            | PlanNode::CteScan { .. }
            | PlanNode::WorkTableScan { .. }
            | PlanNode::Gather { .. }
    )
}

fn asks_session(e: &Expr, catalog: &dyn CatalogView) -> bool {
    let asks = |func: Oid| function_asks(func, catalog);
    match e {
        Expr::Func(f) | Expr::NullIf(f) => asks(f.func),
        Expr::Distinct(d) => asks(d.equality.func),
        Expr::ScalarArrayOp(s) => asks(s.func),
        Expr::Aggref(a) => asks(a.func),
        Expr::WindowFunc(_) | Expr::Xml(_) | Expr::NextValue { .. } | Expr::CurrentOf { .. } => true,
        // System columns of the transaction's own.
        Expr::Var(v) => v.attno < 0 && v.attno != -1 && v.attno != -6,
        _ => false,
    }
}

fn function_asks(func: Oid, catalog: &dyn CatalogView) -> bool {
    let Ok(kernel) = kernel_function(catalog, func) else {
        return true;
    };
    if kernel >= Oid::FIRST_NORMAL {
        return true;
    }
    let Ok(Some(desc)) = catalog.function(kernel) else {
        return true;
    };
    // The name inside the program decides: operators and casts call by it.
    LEADER_ONLY
        .iter()
        .any(|start| desc.name.starts_with(start) || desc.source.starts_with(start))
}
