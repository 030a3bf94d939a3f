//! Putting rows in order: whole, or group by group where they come with leading keys in order.
//!
//! PG: `cost_incremental_sort`, `create_ordered_paths`.

use common::{AttrNumber, Oid, PgResult};
use nodes::expr::Expr;
use nodes::plan::{PlanCost, PlanNode, SortKey};
use nodes::query::SortGroupClause;

use crate::cost::{self, Cost};
use crate::path::{PathKey, keys_contained};
use crate::root::Root;
use crate::upper::{Stage, node, pass_through_targets};
use crate::{equivalence, groups};

/// Rows to be sorted.
#[derive(Clone, Copy)]
pub struct Input<'k> {
    pub cost: Cost,
    pub rows: f64,
    pub width: i32,
    /// The order they are in.
    pub keys: &'k [PathKey],
}

/// How rows get into an order.
#[derive(Clone, Copy, Debug)]
pub struct Sorting {
    pub cost: Cost,
    /// Leading keys that they are sorted by already, for an incremental sort; 0 for a whole one.
    pub presorted: usize,
    /// Nodes that settings would rather not have.
    pub disabled: u32,
}

/// What it takes to put rows in order. `limit` rows suffice when positive.
pub fn sorting(root: &Root<'_, '_>, input: Input<'_>, wanted: &[PathKey], limit: f64) -> Sorting {
    let s = root.context().settings;
    if keys_contained(wanted, input.keys) {
        return Sorting {
            cost: input.cost,
            presorted: 0,
            disabled: 0,
        };
    }
    let whole = cost::sort(s, input.cost.total, input.rows, input.width, limit);
    let presorted = wanted.iter().zip(input.keys).take_while(|(a, b)| a == b).count();
    if presorted == 0 || !s.enable_incremental_sort {
        return Sorting {
            cost: whole,
            presorted: 0,
            disabled: u32::from(!s.enable_sort),
        };
    }
    let leading = wanted.get(..presorted).unwrap_or_default();
    let groups = groups_of(root, leading, input.rows.max(2.0));
    Sorting {
        cost: cost::incremental_sort(s, input.cost, input.rows, input.width, groups, limit),
        presorted,
        disabled: 0,
    }
}

/// Groups of equal leading keys.
fn groups_of(root: &Root<'_, '_>, keys: &[PathKey], rows: f64) -> f64 {
    /// PG: `DEFAULT_NUM_DISTINCT`.
    const UNKNOWN: f64 = 200.0;
    let members = keys
        .iter()
        .map(|k| root.classes[k.class].members.first().map(|m| &m.expr));
    let exprs: Option<Vec<&Expr>> = members.collect();
    match exprs {
        Some(exprs) if !exprs.is_empty() => groups::groups(root, &exprs, rows),
        _ => rows.min(UNKNOWN),
    }
}

/// Rows in the order of `keys` from here on, sorting if they are not yet. The key expressions are computed by the input.
pub fn sort_stage(
    root: &Root<'_, '_>,
    stage: Stage,
    keys: &[PathKey],
    clauses: &[(Expr, SortGroupClause)],
    limit: f64,
) -> PgResult<Stage> {
    if keys_contained(keys, &stage.keys) {
        return Ok(stage);
    }
    let sort_keys = sort_keys(root, &stage.output, clauses)?;
    if sort_keys.is_empty() {
        return Ok(stage);
    }
    let input = stage.plan.cost;
    let cost = Cost {
        startup: input.startup,
        total: input.total,
    };
    // Where keys of the node and of the path differ, leading ones cannot be told.
    let known = if sort_keys.len() == keys.len() {
        &stage.keys[..]
    } else {
        &[]
    };
    let input = Input {
        cost,
        rows: input.rows,
        width: input.width,
        keys: known,
    };
    let sorting = sorting(root, input, keys, limit);
    let cost = PlanCost {
        startup: sorting.cost.startup,
        total: sorting.cost.total,
        ..stage.plan.cost
    };
    let targets = pass_through_targets(&stage.plan.target_list);
    let disabled = stage.plan.disabled_nodes + sorting.disabled;
    let input = Box::new(stage.plan);
    let sort = match sorting.presorted {
        0 => PlanNode::Sort {
            input,
            keys: sort_keys,
        },
        presorted => PlanNode::IncrementalSort {
            input,
            keys: sort_keys,
            presorted,
        },
    };
    let mut plan = node(cost, targets, sort);
    plan.disabled_nodes = disabled;
    Ok(Stage {
        plan,
        output: stage.output,
        keys: keys.to_vec(),
    })
}

/// The columns to sort by: none that is the same in every row, or equal to one before.
fn sort_keys(
    root: &Root<'_, '_>,
    input: &[Expr],
    clauses: &[(Expr, SortGroupClause)],
) -> PgResult<Vec<SortKey>> {
    let mut sort_keys: Vec<SortKey> = Vec::new();
    let mut classes: Vec<usize> = Vec::new();
    for (expr, clause) in clauses {
        if equivalence::is_constant(root, expr, clause.sort_op)? || matches!(expr, Expr::Const(_)) {
            continue;
        }
        if let Some(class) = equivalence::class_of(root, expr, clause.sort_op)? {
            if classes.contains(&class) {
                continue;
            }
            classes.push(class);
        }
        let Some(position) = input.iter().position(|e| e == expr) else {
            return Err(common::internal!("sort column is not in the input"));
        };
        let column = position as AttrNumber + 1;
        if sort_keys.iter().any(|k| k.column == column) {
            continue;
        }
        sort_keys.push(SortKey {
            column,
            sort_op: clause.sort_op,
            descending: is_descending(root, clause.sort_op)?,
            nulls_first: clause.nulls_first,
            collation: expr.collation(),
        });
    }
    Ok(sort_keys)
}

fn is_descending(root: &Root<'_, '_>, sort_op: Oid) -> PgResult<bool> {
    Ok(equivalence::sort_op_family(root, sort_op)?.is_some_and(|(_, descending)| descending))
}
