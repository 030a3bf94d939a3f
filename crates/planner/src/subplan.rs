//! Subqueries that stay subqueries: their outer references become parameters, their plans stand beside the statement's.

use std::sync::Arc;

use common::{PgResult, unsupported};
use nodes::expr::{Expr, ParamKind, SubLink, SubLinkKind, SubPlan, VarSource};
use nodes::plan::{SubPlanEntry, SubPlanUsage};
use nodes::query::{Query, RteKind};
use nodes::walk;

use crate::exprs::{facts, query_walk};
use crate::prep::ctes::shift_cte_references;
use crate::prep::{PLACEHOLDER_BASE, plan_links_in, sub_links};
use crate::root::{Global, Root, plan_level};

/// Replaces every reference that leaves the query by an executor parameter. Returns slots with the values to put there, as
/// expressions of the query around it; subqueries inside them are not planned yet.
pub fn externalize(query: &mut Query, global: &mut Global<'_>) -> Vec<(usize, Expr)> {
    let mut values: Vec<(usize, Expr)> = Vec::new();
    // Aggregates first: what stands in their arguments goes out with them.
    let kinds: [fn(&Expr, usize) -> Option<Expr>; 2] = [outer_aggregate, outer_column];
    for outer_value in kinds {
        query_walk::for_each_expr_deep(query, 0, &mut |e, depth| {
            walk::rewrite(e, &mut |e| {
                let Some(value) = outer_value(e, depth) else {
                    return;
                };
                let slot = match values.iter().find(|(_, v)| *v == value) {
                    Some((slot, _)) => *slot,
                    None => {
                        let slot = global.new_param();
                        values.push((slot, value));
                        slot
                    }
                };
                *e = Global::param_expr(slot, e);
            });
        });
    }
    values
}

/// A column as the query around would write it, if it refers out of the query (`depth` levels above the expression).
fn outer_column(e: &Expr, depth: usize) -> Option<Expr> {
    let Expr::Var(v) = e else { return None };
    match v.source {
        VarSource::Rel { levels_up, .. } if levels_up > depth => {
            let mut outer = e.clone();
            lower_level(&mut outer, 0, depth + 1);
            Some(outer)
        }
        _ => None,
    }
}

/// The same for an aggregate of an outer query, with its arguments.
fn outer_aggregate(e: &Expr, depth: usize) -> Option<Expr> {
    let Expr::Aggref(a) = e else { return None };
    if a.levels_up <= depth {
        return None;
    }
    let mut outer = e.clone();
    walk::rewrite(&mut outer, &mut |inner| {
        if let Expr::SubLink(link) = inner {
            let query = Arc::make_mut(&mut link.query);
            query_walk::for_each_expr_deep(query, 1, &mut |e, nested| {
                walk::rewrite(e, &mut |e| lower_level(e, nested, depth + 1));
            });
            shift_cte_references(query, 0, -(depth as isize + 1));
        }
        lower_level(inner, 0, depth + 1);
    });
    Some(outer)
}

/// A reference out of `nested` subqueries of a moved expression comes `by` levels nearer.
fn lower_level(e: &mut Expr, nested: usize, by: usize) {
    match e {
        Expr::Var(v) => {
            if let VarSource::Rel { levels_up, .. } = &mut v.source
                && *levels_up >= nested
            {
                *levels_up = levels_up.saturating_sub(by);
            }
        }
        Expr::Aggref(a) if a.levels_up >= nested => a.levels_up = a.levels_up.saturating_sub(by),
        _ => {}
    }
}

/// Plans a subquery of an expression and returns what stands for it. A correlated EXISTS may become one run of its subquery with a
/// hash table of what it gives.
///
/// PG: `AlternativeSubPlan`.
pub fn make_sub_plan(root: &mut Root<'_, '_>, link: &SubLink) -> PgResult<Expr> {
    let alternative = match link.kind {
        SubLinkKind::Exists => sub_links::exists_to_any(link, root.context())?,
        _ => None,
    };
    let plain = plan_link(root, link)?;
    let Some(alternative) = alternative else {
        return Ok(plain);
    };
    let before = root.global.clone();
    let mut hashed = plan_link(root, &alternative)?;
    let of = |e: &Expr| match e {
        Expr::SubPlan(s) => root
            .global
            .subplans
            .get(s.plan_id)
            .map(|p| (s.use_hash_table, p.plan.cost)),
        _ => None,
    };
    if let (Some((_, each)), Some((true, once))) = (of(&plain), of(&hashed)) {
        let runs = outer_rows(root, &alternative)?;
        let s = root.context().settings;
        let per_run = each.startup + (each.total - each.startup) / each.rows.max(1.0);
        let table = once.rows * f64::from(once.width + HASH_ENTRY);
        let memory = s.work_mem_bytes as f64 * s.hash_mem_multiplier;
        if table <= memory && once.total + runs * s.cpu_operator_cost < runs * per_run {
            if let Expr::SubPlan(s) = &mut hashed {
                s.unknown_equals_false = true;
            }
            return Ok(hashed);
        }
    }
    *root.global = before;
    // It had a number.
    root.global.subplan_name(false);
    Ok(plain)
}

/// What an entry of a hash table takes beside its row.
const HASH_ENTRY: i32 = 40;

/// How often the test of a subquery runs, at most: once for each row of the relations that it looks at.
fn outer_rows(root: &Root<'_, '_>, link: &SubLink) -> PgResult<f64> {
    let mut rows: f64 = 1.0;
    let used = link.test.as_ref().map(facts::relids).unwrap_or_default();
    for index in used.iter() {
        let entry = index.checked_sub(1).and_then(|i| root.query.range_table.get(i));
        let Some(RteKind::Relation { relation, .. }) = entry.map(|e| &e.kind) else {
            return Ok(rows.max(1000.0));
        };
        if let Some(table) = root.context().catalog.relation(*relation)? {
            rows = rows.max(root.context().catalog.relation_size(&table)?.1);
        }
    }
    Ok(rows)
}

fn plan_link(root: &mut Root<'_, '_>, link: &SubLink) -> PgResult<Expr> {
    if link.kind == SubLinkKind::MultiExpr {
        return Err(unsupported!(
            "multiple-column assignment from a subquery is not supported yet"
        ));
    }
    let mut query = (*link.query).clone();
    let mut params = externalize(&mut query, root.global);
    for (_, value) in &mut params {
        plan_links_in(root, value)?;
    }
    let fraction = match link.kind {
        SubLinkKind::Exists => 1.0,
        SubLinkKind::Any | SubLinkKind::All => 0.5,
        _ => 0.0,
    };
    let planned = plan_level(root.global, query, fraction)?;
    let outer_in_test = link.test.as_ref().is_some_and(|t| !facts::relids(t).is_empty());
    let correlated =
        !params.is_empty() || outer_in_test || matches!(link.kind, SubLinkKind::Any | SubLinkKind::All);
    let (test, output_params) = bind_test(root.global, link, &planned.output);
    let use_hash_table = link.kind == SubLinkKind::Any
        && params.is_empty()
        && test.as_ref().is_some_and(|t| is_hashable_test(t, root));
    let plan_id = root.global.subplans.len();
    let name = root.global.subplan_name(!correlated);
    root.global.subplans.push(SubPlanEntry {
        plan: planned.plan,
        name: name.clone(),
        usage: if correlated {
            SubPlanUsage::Correlated
        } else {
            SubPlanUsage::InitPlan(Vec::new())
        },
    });
    if !correlated {
        root.init_plans.push(plan_id);
    }
    Ok(Expr::SubPlan(Box::new(SubPlan {
        kind: link.kind,
        test,
        output_params,
        plan_id,
        name,
        use_hash_table,
        unknown_equals_false: false,
        params,
        result: link.result,
        collation: link.collation,
    })))
}

/// Gives the placeholders of the test real slots.
fn bind_test(global: &mut Global<'_>, link: &SubLink, output: &[Expr]) -> (Option<Expr>, Vec<usize>) {
    let Some(mut test) = link.test.clone() else {
        return (None, Vec::new());
    };
    let slots: Vec<usize> = output.iter().map(|_| global.new_param()).collect();
    walk::rewrite(&mut test, &mut |e| {
        if let Expr::Param(p) = e {
            if p.kind == ParamKind::Exec && p.number >= PLACEHOLDER_BASE {
                if let Some(slot) = slots.get(p.number - PLACEHOLDER_BASE) {
                    p.number = *slot;
                }
            }
        }
    });
    (Some(test), slots)
}

/// `a = $x [AND b = $y ...]` with hashable, strict operators.
fn is_hashable_test(test: &Expr, root: &Root<'_, '_>) -> bool {
    let mut clauses = Vec::new();
    facts::flatten_and(test.clone(), &mut clauses);
    clauses.iter().all(|c| {
        facts::binary_op(c).is_some_and(|(op, _, right)| {
            let catalog = root.context().catalog;
            facts::contains_exec_param(right)
                && matches!(catalog.operator(op), Ok(Some(o)) if o.can_hash && facts::is_strict(o.function, catalog))
        })
    })
}
