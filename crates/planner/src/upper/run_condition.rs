//! Run conditions: a condition above a subquery on a window function that never falls (or never rises) from row to row ends the window.
//!
//! PG: `find_window_run_conditions`, `check_and_push_window_quals` (allpaths.c), `int8inc_support`, `window_row_number_support`.
//!
//! # How it works
//! 1. [`find`] looks at a condition `w <= 3` on a subquery's column `w`; where that is a window function which grows, the condition goes with
//!    the subquery into its planning. `w = 3` goes as `w <= 3`, and stays outside too.
//! 2. [`of_window`] makes conditions of it that the WindowAgg tests. Only the topmost WindowAgg may leave out rows: it tests those of the
//!    others as its filter.

use common::{AttrNumber, Oid, PgResult};
use nodes::expr::{Expr, FuncExpr, WindowFunc};
use nodes::query::{FrameBound, FrameExclusion, Query, WindowClause};

use crate::exprs::facts;
use crate::joininfo::BTREE;
use crate::root::Root;

/// A condition on an output column of a subquery, which is a window function.
#[derive(Clone, Debug)]
pub struct RunCondition {
    /// The output column.
    pub column: AttrNumber,
    /// Its place among the arguments of the operator.
    place: usize,
    condition: FuncExpr,
}

/// A run condition, and whether the original is to be tested too.
pub struct Found {
    pub run: RunCondition,
    pub keeps_original: bool,
}

/// How a window function's values go on within a partition.
#[derive(Clone, Copy)]
struct Monotonic {
    increasing: bool,
    decreasing: bool,
}

/// Functions that number rows and groups of peers: row_number, rank, dense_rank, percent_rank, cume_dist, ntile.
const NUMBERING: [Oid; 6] = [Oid(3100), Oid(3101), Oid(3102), Oid(3103), Oid(3104), Oid(3105)];
/// `count(*)` and `count(any)`.
const COUNTING: [Oid; 2] = [Oid(2803), Oid(2147)];

/// What a condition on the entry says to its subquery's windows.
pub fn find(
    root: &Root<'_, '_>,
    rt_index: usize,
    query: &Query,
    condition: &Expr,
) -> PgResult<Option<Found>> {
    let catalog = root.context().catalog;
    let Expr::Func(f) = condition else { return Ok(None) };
    let whole = query.has_window_funcs
        && query.set_operations.is_none()
        && !query.has_distinct_on
        && !query.has_target_srfs
        && f.op.is_valid()
        && f.args.len() == 2;
    if !whole || !facts::is_strict(f.func, catalog) {
        return Ok(None);
    }
    for place in 0..2 {
        let (Expr::Var(v), other) = (&f.args[place], &f.args[1 - place]) else {
            continue;
        };
        let constant = facts::relids(other).is_empty()
            && !facts::contains_subquery(other)
            && !facts::is_volatile(other, catalog)?;
        let column = usize::try_from(v.attno).ok().and_then(|n| n.checked_sub(1));
        let (Some(at), true) = (column, constant && facts::var_rel(v) == Some(rt_index)) else {
            continue;
        };
        let Some(Expr::WindowFunc(w)) = query.output_columns().nth(at).map(|t| &t.expr) else {
            continue;
        };
        if facts::contains_subquery(&Expr::WindowFunc(w.clone()))
            || facts::is_volatile(&Expr::WindowFunc(w.clone()), catalog)?
        {
            continue;
        }
        let Some(monotonic) = monotonic(query, w) else {
            continue;
        };
        if let Some((op, keeps_original)) = run_operator(root, f, place, monotonic)? {
            let run = RunCondition {
                column: v.attno,
                place,
                condition: FuncExpr {
                    op,
                    func: catalog.operator(op)?.map_or(f.func, |o| o.function),
                    ..f.clone()
                },
            };
            return Ok(Some(Found { run, keeps_original }));
        }
    }
    Ok(None)
}

fn monotonic(query: &Query, w: &WindowFunc) -> Option<Monotonic> {
    let window = query
        .window_clause
        .iter()
        .find(|c| c.window_ref == w.window_ref)?;
    if NUMBERING.contains(&w.func) {
        return Some(Monotonic {
            increasing: true,
            decreasing: false,
        });
    }
    // A frame without some rows near the current one may have more or fewer of them there.
    if !COUNTING.contains(&w.func) || window.exclusion != FrameExclusion::NoOthers {
        return None;
    }
    let all_peers = window.order.is_empty() && window.units != nodes::query::FrameUnits::Rows;
    let found = Monotonic {
        increasing: all_peers || matches!(window.start, FrameBound::UnboundedPreceding),
        decreasing: all_peers || matches!(window.end, FrameBound::UnboundedFollowing),
    };
    (found.increasing || found.decreasing).then_some(found)
}

/// The operator of the run condition; and whether the original remains.
fn run_operator(
    root: &Root<'_, '_>,
    f: &FuncExpr,
    place: usize,
    monotonic: Monotonic,
) -> PgResult<Option<(Oid, bool)>> {
    let catalog = root.context().catalog;
    let on_left = place == 0;
    for (family, strategy) in catalog.operator_families(BTREE, f.op)? {
        // With the function on the left, `<` cuts off what grows; on the right, what falls.
        let grows = if on_left {
            monotonic.increasing
        } else {
            monotonic.decreasing
        };
        let falls = if on_left {
            monotonic.decreasing
        } else {
            monotonic.increasing
        };
        match strategy {
            1 | 2 if grows => return Ok(Some((f.op, false))),
            4 | 5 if falls => return Ok(Some((f.op, false))),
            3 if monotonic.increasing && monotonic.decreasing => return Ok(Some((f.op, false))),
            3 => {
                let strategy = if grows { 2 } else { 4 };
                let (left, right) = (f.args[0].type_oid(), f.args[1].type_oid());
                let op = catalog.opfamily_member(family, left, right, strategy)?;
                return Ok(op.map(|op| (op, true)));
            }
            _ => {}
        }
    }
    Ok(None)
}

/// The conditions on functions of a window, over these functions.
pub fn of_window(root: &Root<'_, '_>, window: &WindowClause) -> Vec<Expr> {
    let condition = |run: &RunCondition| {
        let at = usize::try_from(run.column).ok()?.checked_sub(1)?;
        let call = root.query.output_columns().nth(at).map(|t| &t.expr)?;
        let own = matches!(call, Expr::WindowFunc(w) if w.window_ref == window.window_ref);
        if !own {
            return None;
        }
        let mut condition = run.condition.clone();
        *condition.args.get_mut(run.place)? = call.clone();
        Some(Expr::Func(condition))
    };
    root.run_conditions.iter().filter_map(condition).collect()
}
