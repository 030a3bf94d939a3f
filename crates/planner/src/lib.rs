//! Floor 5: from [`nodes::Query`] to [`nodes::PlannedStmt`], by cost.
//!
//! Main types: [`PlannerContext`] (what planning may look at), `root::Root` (one query level), `rel::RelOptInfo` (a base
//! relation or join and the ways to compute it), `path::Path` (one way, with its cost). Entry point: [`plan`].
//!
//! # How it works
//! 1. `prep`: references to outer queries become parameters; constants fold; IN/EXISTS become semi and anti joins; simple
//!    subqueries are pulled up; outer joins are reduced; other subqueries become subplans (`subplan`).
//! 2. `joininfo`, `equivalence`: conditions are distributed to relations and joins.
//! 3. `paths`: ways to scan each relation; `search`: join order by dynamic programming.
//! 4. `upper`: grouping, windows, DISTINCT, ORDER BY, LIMIT, set operations, data modification.
//! 5. `create_plan`: the cheapest path becomes a plan whose column references are positions.
//!
//! # Invariants
//! - The planner reads no rows: sizes and statistics come from the [`catalog::CatalogView`].
//! - Spans are stripped before planning, so that expressions can be compared.

pub mod context;
mod cost;
mod create_append;
mod create_bitmap;
mod create_plan;
mod create_subquery;
mod create_unique;
mod equivalence;
mod exprs;
mod extended;
mod groups;
mod inequality;
mod join_removal;
mod joininfo;
mod memory;
mod minmax;
mod not_null;
mod order;
mod parallel;
mod partitionwise;
mod path;
mod paths;
mod pattern;
mod prep;
mod prune;
mod push_down;
mod rel;
mod root;
mod search;
mod selectivity;
mod self_join;
mod subplan;
mod upper;

pub use context::{ConstEvaluator, CostSettings, DebugParallel, PlannerContext};
pub use exprs::fold::fold_constants;
pub use memory::PlanningMemory;

use common::PgResult;
use nodes::{PlannedStmt, Query};

/// Plans an analyzed statement.
pub fn plan(query: &Query, context: &PlannerContext<'_>) -> PgResult<PlannedStmt> {
    Ok(root::plan_statement(query, context, None)?.0)
}

/// Plans an analyzed statement, and tells what that took.
pub fn plan_measured(query: &Query, context: &PlannerContext<'_>) -> PgResult<(PlannedStmt, PlanningMemory)> {
    let before = memory::paths_made();
    let (stmt, levels) = root::plan_statement(query, context, Some(0))?;
    let memory = memory::total(levels.unwrap_or(0), &stmt, before);
    Ok((stmt, memory))
}
