//! How much memory planning takes, for EXPLAIN (MEMORY).
//!
//! # How it works
//! What a query level holds when it is planned, and the finished plan, are counted by the size of their parts: expressions, conditions,
//! paths, plan nodes. Paths that others beat later are counted as they are made.

use std::cell::Cell;
use std::mem::size_of;

use nodes::expr::Expr;
use nodes::plan::Plan;
use nodes::query::{RangeTblEntry, TargetEntry};
use nodes::{PlannedStmt, walk};

use crate::path::Path;
use crate::rel::{RelOptInfo, RestrictInfo};
use crate::root::Root;

/// Bytes that planning held at its end, and bytes that it took altogether.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlanningMemory {
    /// Still needed at the end.
    pub used: u64,
    /// With paths that others have beaten since.
    pub allocated: u64,
}

thread_local! {
    /// Paths that this thread has put together, ever.
    static PATHS_MADE: Cell<u64> = const { Cell::new(0) };
}

/// Notes that a path was put together.
pub fn note_path() {
    PATHS_MADE.set(PATHS_MADE.get().wrapping_add(1));
}

/// Paths put together so far.
pub fn paths_made() -> u64 {
    PATHS_MADE.get()
}

fn of_expr(e: &Expr) -> u64 {
    let mut count = 0;
    walk::walk(e, &mut |_| {
        count += 1;
        true
    });
    count * size_of::<Expr>() as u64
}

fn of_condition(info: &RestrictInfo) -> u64 {
    size_of::<RestrictInfo>() as u64 + of_expr(&info.clause)
}

fn of_rel(rel: &RelOptInfo) -> u64 {
    let conditions = rel.base.iter().flat_map(|b| &b.restrictions);
    let paths = rel.paths.len() + rel.partial_paths.len();
    size_of::<RelOptInfo>() as u64
        + conditions.map(|c| of_condition(c)).sum::<u64>()
        + (paths * size_of::<Path>()) as u64
}

/// What a planned query level holds.
pub fn of_level(root: &Root<'_, '_>) -> u64 {
    let members = root.classes.iter().flat_map(|c| &c.members);
    let targets = root.query.target_list.iter();
    let mut bytes = root.rels.iter().flatten().map(of_rel).sum::<u64>();
    bytes += root.join_clauses.iter().map(|c| of_condition(c)).sum::<u64>();
    bytes += members.map(|m| of_expr(&m.expr)).sum::<u64>();
    bytes += targets.map(of_target).sum::<u64>();
    bytes + (root.query.range_table.len() * size_of::<RangeTblEntry>()) as u64
}

fn of_target(t: &TargetEntry) -> u64 {
    size_of::<TargetEntry>() as u64 + of_expr(&t.expr)
}

fn of_plan(plan: &Plan) -> u64 {
    let mut bytes = size_of::<Plan>() as u64;
    plan.for_each_expr(&mut |e| bytes += of_expr(e));
    bytes + plan.children().into_iter().map(of_plan).sum::<u64>()
}

/// What planning took, levels and plan together, when it had made `paths_before` paths before.
pub fn total(levels: u64, stmt: &PlannedStmt, paths_before: u64) -> PlanningMemory {
    let subplans = stmt.subplans.iter().map(|s| of_plan(&s.plan));
    let used = levels + of_plan(&stmt.plan) + subplans.sum::<u64>();
    let made = paths_made().wrapping_sub(paths_before);
    PlanningMemory {
        used,
        allocated: used + made * size_of::<Path>() as u64,
    }
}
