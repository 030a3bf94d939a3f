//! A plan made ready to run: expressions compiled, short path recognised.

use std::sync::atomic::{AtomicU64, Ordering};

use catalog::CatalogView;
use common::{PgResult, internal};
use nodes::PlannedStmt;
use nodes::plan::PlanRef;
use types::{Datum, PhysType};

use crate::compile::Compiler;
use crate::context::ExecContext;
use crate::node::Node;
use crate::parallel::safety;
use crate::point::PointPlan;

/// A compiled plan, shared by every session that runs it. Good as long as the plan itself.
pub struct PreparedPlan {
    /// No other plan of the process has it.
    number: u64,
    plan: PlanRef,
    root: Node,
    subplans: Vec<Node>,
    /// By subplan: the same parameters give the same rows.
    repeatable: Vec<bool>,
    /// Output columns that are not junk.
    visible: Vec<usize>,
    node_count: usize,
    point: Option<PointPlan>,
}

static NUMBERS: AtomicU64 = AtomicU64::new(1);

/// What a statement on the short path did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PointOutcome {
    /// Result rows appended to the caller's buffer: 0 or 1.
    pub rows: usize,
    /// For the command tag.
    pub processed: u64,
}

impl PreparedPlan {
    /// Compiles a plan under the catalog that it was planned with.
    pub fn compile(plan: PlanRef, catalog: &dyn CatalogView) -> PgResult<PreparedPlan> {
        let compiler = Compiler { plan: &plan, catalog };
        let root = compiler.node(&plan.plan)?;
        let subplans = plan
            .subplans
            .iter()
            .map(|s| compiler.node(&s.plan))
            .collect::<PgResult<_>>()?;
        let repeatable = plan
            .subplans
            .iter()
            .map(|s| safety::is_repeatable(&compiler, &s.plan))
            .collect();
        let point = PointPlan::compile(&compiler, &plan);
        let targets = &plan.plan.target_list;
        let visible = (0..targets.len()).filter(|&i| !targets[i].resjunk).collect();
        let node_count = count(&plan);
        Ok(PreparedPlan {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            root,
            subplans,
            repeatable,
            visible,
            node_count,
            point,
            plan,
        })
    }

    /// A number that no other plan of the process has; never 0.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The plan.
    pub fn plan(&self) -> &PlanRef {
        &self.plan
    }

    /// Storage classes of the result columns.
    pub fn output_phys(&self) -> Vec<PhysType> {
        self.visible.iter().map(|&i| self.root.phys[i]).collect()
    }

    /// True when [`PreparedPlan::run_point`] will run it.
    pub fn is_point(&self) -> bool {
        self.point.is_some()
    }

    /// The short path: runs the whole statement when it is a point statement, and appends the result row, if any, to `row`.
    /// `None`, and nothing done: use a [`crate::QueryRun`].
    pub fn run_point(&self, cx: &ExecContext<'_>, row: &mut Vec<Datum>) -> PgResult<Option<PointOutcome>> {
        match &self.point {
            Some(point) => point.run(cx, row),
            None => Ok(None),
        }
    }

    pub(crate) fn root(&self) -> &Node {
        &self.root
    }

    pub(crate) fn visible(&self) -> &[usize] {
        &self.visible
    }

    pub(crate) fn node_count(&self) -> usize {
        self.node_count
    }

    pub(crate) fn subplan(&self, plan_id: usize) -> PgResult<&Node> {
        self.subplans
            .get(plan_id)
            .ok_or_else(|| internal!("no subplan {plan_id}"))
    }

    /// True for a subplan that gives the same rows whenever its parameters are the same.
    pub(crate) fn is_repeatable(&self, plan_id: usize) -> bool {
        self.repeatable.get(plan_id).copied().unwrap_or(false)
    }
}

fn count(plan: &PlannedStmt) -> usize {
    fn of(plan: &nodes::Plan) -> usize {
        1 + plan.children().into_iter().map(of).sum::<usize>()
    }
    of(&plan.plan) + plan.subplans.iter().map(|s| of(&s.plan)).sum::<usize>()
}
