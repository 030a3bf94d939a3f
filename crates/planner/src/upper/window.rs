//! Window functions: one node per window definition, over input sorted for it.

use std::cmp::Ordering;
use std::sync::Arc;

use common::{Oid, PgResult};
use nodes::expr::Expr;
use nodes::plan::PlanNode;
use nodes::query::{FrameBound, FrameExclusion, FrameUnits, TargetEntry, WindowClause};
use nodes::walk;

use crate::exprs::facts;
use crate::root::Root;
use crate::upper::{
    self, Stage, clause_exprs, group_keys, project, run_condition, sort_clause_keys, sort_stage, target,
};
use crate::{cost, equivalence};

/// Adds a WindowAgg for every window in use.
pub fn add(root: &mut Root<'_, '_>, mut stage: Stage) -> PgResult<Stage> {
    simplify_frames(root);
    let mut windows: Vec<WindowClause> = root
        .query
        .window_clause
        .iter()
        .filter(|w| root.query.target_list.iter().any(|t| uses(&t.expr, w.window_ref)))
        .cloned()
        .collect();
    if windows.is_empty() {
        return Ok(stage);
    }
    windows.sort_by(common_prefix_order);
    let names = names(root, &windows);
    stage = project_inputs(root, stage, &windows)?;
    let count = windows.len();
    let mut below: Vec<Expr> = Vec::new();
    for (i, (window, name)) in windows.iter().zip(&names).enumerate() {
        let top = i + 1 == count;
        let filter = if top {
            std::mem::take(&mut below)
        } else {
            Vec::new()
        };
        stage = add_one(root, stage, (window, name), top, &filter)?;
        below.extend(run_condition::of_window(root, window));
    }
    Ok(stage)
}

/// Functions whose result does not depend on the frame: row_number, rank, dense_rank, percent_rank, cume_dist, ntile.
const WITHOUT_FRAME: [Oid; 6] = [Oid(3100), Oid(3101), Oid(3102), Oid(3103), Oid(3104), Oid(3105)];

/// The frame that costs least, for windows that only such functions use; windows that are alike then become one.
///
/// PG: `optimize_window_clauses`.
fn simplify_frames(root: &mut Root<'_, '_>) {
    for at in 0..root.query.window_clause.len() {
        let mut window = root.query.window_clause[at].clone();
        let functions = functions(root, window.window_ref);
        let free = |e: &Expr| matches!(e, Expr::WindowFunc(w) if WITHOUT_FRAME.contains(&w.func));
        if functions.is_empty() || !functions.iter().all(free) || is_simplest(&window) {
            continue;
        }
        window.units = FrameUnits::Rows;
        (window.start, window.end) = (FrameBound::UnboundedPreceding, FrameBound::CurrentRow);
        window.exclusion = FrameExclusion::NoOthers;
        root.query.window_clause[at] = window.clone();
        let alike = |w: &&WindowClause| w.window_ref != window.window_ref && is_alike(w, &window);
        if let Some(other) = root.query.window_clause.iter().find(alike).map(|w| w.window_ref) {
            move_functions(root, window.window_ref, other);
        }
    }
}

fn is_simplest(w: &WindowClause) -> bool {
    w.units == FrameUnits::Rows
        && matches!(
            (&w.start, &w.end),
            (FrameBound::UnboundedPreceding, FrameBound::CurrentRow)
        )
        && w.exclusion == FrameExclusion::NoOthers
}

fn is_alike(a: &WindowClause, b: &WindowClause) -> bool {
    is_simplest(a) && is_simplest(b) && a.partition == b.partition && a.order == b.order
}

fn move_functions(root: &mut Root<'_, '_>, from: u32, to: u32) {
    for t in &mut root.query.target_list {
        walk::rewrite(&mut t.expr, &mut |e| {
            if let Expr::WindowFunc(w) = e
                && w.window_ref == from
            {
                w.window_ref = to;
            }
        });
    }
}

/// Windows with a common beginning of their orders next to each other, the longer ones first, so that others may reuse what is sorted.
///
/// PG: `common_prefix_cmp`.
fn common_prefix_order(a: &WindowClause, b: &WindowClause) -> Ordering {
    let clauses = |w: &WindowClause| -> Vec<(u32, u32, bool)> {
        let all = w.partition.iter().chain(&w.order);
        all.map(|c| (c.target_ref, c.sort_op.0, c.nulls_first)).collect()
    };
    let (a, b) = (clauses(a), clauses(b));
    let differing = a.iter().zip(&b).find(|(x, y)| x != y);
    match differing {
        Some((x, y)) => y.cmp(x),
        None => b.len().cmp(&a.len()),
    }
}

/// The windows' names: those that the user gave none get `w1` and so on.
///
/// PG: `name_active_windows`.
fn names(root: &Root<'_, '_>, windows: &[WindowClause]) -> Vec<Arc<str>> {
    let all = &root.query.window_clause;
    let mut next = 1;
    let mut fresh = || loop {
        let name: Arc<str> = format!("w{next}").into();
        next += 1;
        if all.iter().all(|w| w.name.as_deref() != Some(&*name)) {
            return name;
        }
    };
    let named = windows.iter().map(|w| match &w.name {
        Some(name) => Arc::from(&**name),
        None => fresh(),
    });
    named.collect()
}

fn uses(e: &Expr, window_ref: u32) -> bool {
    walk::any(
        e,
        &mut |e| matches!(e, Expr::WindowFunc(w) if w.window_ref == window_ref),
    )
}

/// The input computes what windows sort by, what functions take, and everything else used above.
fn project_inputs(root: &Root<'_, '_>, stage: Stage, windows: &[WindowClause]) -> PgResult<Stage> {
    let mut wanted: Vec<Expr> = Vec::new();
    let mut want = |e: &Expr| {
        if !wanted.contains(e) {
            wanted.push(e.clone());
        }
    };
    for w in windows {
        for (e, _) in clause_exprs(root, &w.partition)
            .iter()
            .chain(&clause_exprs(root, &w.order))
        {
            want(e);
        }
        for bound in [&w.start, &w.end] {
            if let FrameBound::Preceding(e) | FrameBound::Following(e) = bound {
                known_parts(e, &stage.output, &mut want);
            }
        }
    }
    for t in &root.query.target_list {
        known_parts(&t.expr, &stage.output, &mut want);
    }
    let list = wanted
        .into_iter()
        .enumerate()
        .map(|(i, e)| target(e, i + 1, None))
        .collect();
    project(root, stage, list)
}

fn known_parts(e: &Expr, input: &[Expr], want: &mut dyn FnMut(&Expr)) {
    if input.contains(e) {
        return want(e);
    }
    walk::for_each_child(e, &mut |child| known_parts(child, input, want));
}

/// The calls over a window, each once.
fn functions(root: &Root<'_, '_>, window_ref: u32) -> Vec<Expr> {
    let mut found: Vec<Expr> = Vec::new();
    for t in &root.query.target_list {
        walk::walk(&t.expr, &mut |e| {
            let own = matches!(e, Expr::WindowFunc(w) if w.window_ref == window_ref);
            if own && !found.contains(e) {
                found.push(e.clone());
            }
            true
        });
    }
    found
}

/// The columns of the input, then the calls.
fn with_calls(stage: &Stage, calls: Vec<Expr>) -> PgResult<(Vec<TargetEntry>, Vec<Expr>)> {
    let mut output = stage.output.clone();
    let mut targets = upper::pass_through_targets(&stage.plan.target_list);
    for call in calls {
        let fixed = upper::fix_to_input(&call, &stage.output)?;
        targets.push(target(fixed, targets.len() + 1, None));
        output.push(call);
    }
    Ok((targets, output))
}

fn add_one(
    root: &mut Root<'_, '_>,
    stage: Stage,
    (window, name): (&WindowClause, &str),
    top: bool,
    filter: &[Expr],
) -> PgResult<Stage> {
    let clauses: Vec<_> = window.partition.iter().chain(&window.order).cloned().collect();
    let pairs = clause_exprs(root, &clauses);
    let keys = sort_clause_keys(root, &clauses)?;
    let stage = sort_stage(root, stage, &keys, &pairs, 0.0)?;
    let partition = equivalence::necessary_clauses(root, &window.partition)?;
    let partition = group_keys(&clause_exprs(root, &partition), &stage.output)?;
    let order = group_keys(&clause_exprs(root, &window.order), &stage.output)?;
    let (targets, output) = with_calls(&stage, functions(root, window.window_ref))?;
    let bound = |b: &FrameBound| -> PgResult<FrameBound> {
        Ok(match b {
            FrameBound::Preceding(e) => FrameBound::Preceding(upper::fix_to_input(e, &stage.output)?),
            FrameBound::Following(e) => FrameBound::Following(upper::fix_to_input(e, &stage.output)?),
            other => other.clone(),
        })
    };
    let fix_all = |list: std::slice::Iter<'_, Expr>| -> PgResult<Vec<Expr>> {
        list.map(|e| upper::fix_to_input(e, &stage.output)).collect()
    };
    let s = root.context().settings;
    let mut cost = stage.plan.cost;
    let per_row = targets
        .iter()
        .map(|t| cost::eval_cost(root, &t.expr))
        .sum::<f64>();
    cost.total += (per_row + s.cpu_tuple_cost + s.cpu_operator_cost * clauses.len() as f64) * cost.rows;
    cost.width = output.iter().map(|e| crate::paths::expr_width(root, e)).sum();
    let in_range = (window.start_in_range.is_valid() || window.end_in_range.is_valid()).then_some((
        window.start_in_range,
        window.end_in_range,
        window.in_range_collation,
        window.in_range_asc,
        window.in_range_nulls_first,
    ));
    let node = PlanNode::WindowAgg {
        window_ref: window.window_ref,
        name: name.into(),
        partition,
        order,
        units: window.units,
        start: bound(&window.start)?,
        end: bound(&window.end)?,
        exclusion: window.exclusion,
        in_range,
        run_condition: fix_all(run_condition::of_window(root, window).iter())?,
        top,
        input: Box::new(stage.plan),
    };
    let mut plan = upper::node(cost, targets, node);
    plan.qual = fix_all(filter.iter())?;
    debug_assert!(!output.iter().any(facts::contains_srf));
    Ok(Stage {
        plan,
        output,
        keys: stage.keys,
    })
}
