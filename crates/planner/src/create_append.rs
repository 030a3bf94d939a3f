//! Plans of append relations: Append and MergeAppend.

use common::{AttrNumber, Oid, PgResult, internal};
use nodes::expr::Expr;
use nodes::plan::{PlanCost, PlanNode, SortKey};
use nodes::prune::PartitionPrune;
use nodes::query::RteKind;

use crate::create_plan::{Pending, build, cost_of, key_expr, with_parameters};
use crate::path::{Path, PathKey, PathRef};
use crate::paths::join_clauses_for;
use crate::prep::AppendChild;
use crate::prune;
use crate::root::Root;
use crate::search::output_vars;
use crate::upper::{self, Stage, node, pass_through_targets, target};

/// The members of an append relation, handing out the columns of the whole.
pub fn append(
    root: &mut Root<'_, '_>,
    path: &Path,
    inputs: &[PathRef],
    pending: &mut Pending,
    merge: bool,
) -> PgResult<Stage> {
    let output = output_vars(root, &path.relids);
    let (mut plans, mut tables) = (Vec::new(), Vec::new());
    for input in inputs {
        let stage = build(root, input, pending)?;
        let wanted: Vec<Expr> = output
            .iter()
            .map(|e| root.translate_to(e, &input.relids))
            .collect();
        let member = input.relids.singleton().and_then(|c| root.append_member(c));
        tables.push(member.and_then(AppendChild::table).unwrap_or_default());
        plans.push(handing_out(root, stage, &wanted)?.plan);
    }
    let keys = match merge {
        true => merge_keys(root, path, &output)?,
        false => Vec::new(),
    };
    if plans.len() == 1
        && let Some(plan) = plans.pop()
    {
        return Ok(Stage {
            plan,
            output,
            keys: Vec::new(),
        });
    }
    if plans.is_empty() {
        return Ok(no_rows(cost_of(path), output));
    }
    let list = pass_through_targets(&plans[0].target_list);
    let parent = path.relids.singleton();
    let prune = match parent {
        Some(parent) => pruning(root, path, parent, &tables, pending)?,
        None => None,
    };
    // Columns of a UNION ALL have the names that its first arm gives them.
    let rt_index = match parent.map(|p| &root.query.rte(p).kind) {
        Some(RteKind::Relation { .. }) => root.global_index(parent.unwrap_or(0)),
        _ => 0,
    };
    let roots = named_after(root, path, inputs);
    let plan_node = if merge {
        PlanNode::MergeAppend {
            inputs: plans,
            keys,
            rt_index,
            roots,
            prune,
        }
    } else {
        PlanNode::Append {
            inputs: plans,
            rt_index,
            roots,
            prune,
        }
    };
    Ok(Stage {
        plan: node(cost_of(path), list, plan_node),
        output,
        keys: Vec::new(),
    })
}

/// Tables after which the columns of members that are joined are named, with those members.
fn named_after(root: &Root<'_, '_>, path: &Path, inputs: &[PathRef]) -> Vec<(usize, usize)> {
    if path.relids.len() < 2 {
        return Vec::new();
    }
    let members = inputs.iter().flat_map(|i| i.relids.iter());
    members
        .map(|m| (root.global_index(m), root.global_index(root.topmost(m))))
        .collect()
}

/// What excludes members at run time: conditions with parameters and stable functions, and those that a nested loop above hands in.
fn pruning(
    root: &mut Root<'_, '_>,
    path: &Path,
    parent: usize,
    tables: &[Oid],
    pending: &mut Pending,
) -> PgResult<Option<Box<PartitionPrune>>> {
    let rel = root.rel(parent)?.clone();
    let Some(base) = &rel.base else { return Ok(None) };
    let prunes = root.context().settings.enable_partition_pruning;
    let Some(table) = base.table().filter(|t| t.relkind == b'p' && prunes).cloned() else {
        return Ok(None);
    };
    let mut clauses: Vec<Expr> = base.restrictions.iter().map(|r| r.clause.clone()).collect();
    for info in join_clauses_for(root, &rel, &path.required_outer) {
        clauses.push(with_parameters(root, &info.clause, parent, pending));
    }
    let prune = prune::at_run_time(root, &table, parent, &clauses, tables)?;
    Ok(prune.map(Box::new))
}

/// A member's rows as these columns.
fn handing_out(root: &Root<'_, '_>, stage: Stage, wanted: &[Expr]) -> PgResult<Stage> {
    if stage.output == wanted {
        return Ok(stage);
    }
    let list = wanted.iter().enumerate();
    let list = list.map(|(i, e)| target(e.clone(), i + 1, None)).collect();
    upper::project(root, stage, list)
}

/// The result of what cannot have rows: a tree without members, a condition that is never true.
pub fn no_rows(cost: PlanCost, output: Vec<Expr>) -> Stage {
    let list = output
        .iter()
        .enumerate()
        .map(|(i, e)| target(Expr::null_const(e.type_ref(), e.collation()), i + 1, None))
        .collect();
    let never = PlanNode::Result {
        input: None,
        one_time: vec![Expr::bool_const(false)],
    };
    Stage {
        plan: node(cost, list, never),
        output,
        keys: Vec::new(),
    }
}

pub fn merge_keys(root: &Root<'_, '_>, path: &Path, output: &[Expr]) -> PgResult<Vec<SortKey>> {
    let mut keys = Vec::new();
    for key in path.keys.iter() {
        let expr = key_expr(root, key, &path.relids, output)?;
        let column = output
            .iter()
            .position(|e| *e == expr)
            .ok_or_else(|| internal!("order column is not handed up"))?;
        keys.push(SortKey {
            column: column as AttrNumber + 1,
            sort_op: sort_operator(root, key, &expr)?,
            descending: key.descending,
            nulls_first: key.nulls_first,
            collation: expr.collation(),
        });
    }
    Ok(keys)
}

fn sort_operator(root: &Root<'_, '_>, key: &PathKey, expr: &Expr) -> PgResult<Oid> {
    let strategy = if key.descending { 5 } else { 1 };
    let type_oid = expr.type_oid();
    let catalog = root.context().catalog;
    catalog
        .opfamily_member(key.family, type_oid, type_oid, strategy)?
        .ok_or_else(|| internal!("no sort operator for type {type_oid} in family {}", key.family))
}
