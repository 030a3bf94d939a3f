//! Outer joins whose added rows a condition above rejects anyway become inner joins.

use catalog::CatalogView;
use common::PgResult;
use nodes::expr::{BoolOp, Expr, Var, VarSource};
use nodes::query::{CommandType, FromExpr, JoinExpr, JoinTreeNode, JoinType, Query, RteKind};
use nodes::relids::RelIds;
use nodes::walk;

use crate::context::PlannerContext;
use crate::exprs::facts::{self, nonnullable_rels};
use crate::exprs::fold::fold_constants;
use crate::exprs::query_walk;

/// Reduces outer joins and turns right joins into left ones.
pub fn reduce_outer_joins(query: &mut Query, catalog: &dyn CatalogView) {
    reduce_from(&mut query.join_tree, &RelIds::empty(), catalog);
}

fn strict_rels(quals: Option<&Expr>, catalog: &dyn CatalogView) -> RelIds {
    quals.map_or(RelIds::empty(), |q| nonnullable_rels(q, true, catalog))
}

fn reduce_from(from: &mut FromExpr, above: &RelIds, catalog: &dyn CatalogView) {
    let strict = above.union(&strict_rels(from.quals.as_ref(), catalog));
    from.items
        .iter_mut()
        .for_each(|item| reduce_node(item, &strict, catalog));
}

fn reduce_node(node: &mut JoinTreeNode, above: &RelIds, catalog: &dyn CatalogView) {
    match node {
        JoinTreeNode::Rel(_) => {}
        JoinTreeNode::From(from) => reduce_from(from, above, catalog),
        JoinTreeNode::Join(join) => reduce_join(join, above, catalog),
    }
}

fn reduce_join(join: &mut JoinExpr, above: &RelIds, catalog: &dyn CatalogView) {
    let (left, right) = (node_rels(&join.left), node_rels(&join.right));
    let (hits_left, hits_right) = (above.overlaps(&left), above.overlaps(&right));
    join.join_type = match join.join_type {
        JoinType::Left if hits_right => JoinType::Inner,
        JoinType::Right if hits_left => JoinType::Inner,
        JoinType::Full if hits_left && hits_right => JoinType::Inner,
        JoinType::Full if hits_left => JoinType::Left,
        JoinType::Full if hits_right => JoinType::Right,
        other => other,
    };
    if join.join_type == JoinType::Right {
        std::mem::swap(&mut join.left, &mut join.right);
        join.join_type = JoinType::Left;
    }
    let own = strict_rels(join.quals.as_ref(), catalog);
    let (for_left, for_right) = match join.join_type {
        JoinType::Inner => (above.union(&own), above.union(&own)),
        JoinType::Left => (above.clone(), own),
        JoinType::Semi => (above.union(&own), own),
        JoinType::Anti => (above.clone(), own),
        _ => (RelIds::empty(), RelIds::empty()),
    };
    reduce_node(&mut join.left, &for_left, catalog);
    reduce_node(&mut join.right, &for_right, catalog);
}

/// `a LEFT JOIN b ON a.x = b.y WHERE b.y IS NULL` is an anti join: only rows without a partner have a NULL there.
pub fn left_to_anti(query: &mut Query, context: &PlannerContext<'_>) -> PgResult<()> {
    if query.command == CommandType::Merge || !query.row_marks.is_empty() {
        return Ok(());
    }
    while let Some(taken) = take_anti(query, context.catalog) {
        // Nobody above sees anything but NULL there; what stands inside of the join is out of reach meanwhile.
        query_walk::for_each_expr_deep(query, 0, &mut |e, depth| {
            walk::rewrite(e, &mut |e| {
                let Expr::Var(v) = e else { return };
                let VarSource::Rel { index, levels_up } = v.source else {
                    return;
                };
                if levels_up == depth && taken.rels.contains(index) {
                    *e = Expr::null_const(v.type_ref, v.collation);
                }
            });
        });
        if let Some(quals) = &mut query.join_tree.quals {
            fold_constants(quals, context)?;
        }
        let mut taken = Some(taken);
        let items = &mut query.join_tree.items;
        items.iter_mut().for_each(|item| put_back(item, &mut taken));
    }
    Ok(())
}

/// The condition and the right side of a join, while it stands without them.
struct Taken {
    rels: RelIds,
    quals: Option<Expr>,
    right: JoinTreeNode,
}

/// Makes a left join an anti join, and takes its inside out.
fn take_anti(query: &mut Query, catalog: &dyn CatalogView) -> Option<Taken> {
    let mut clauses = Vec::new();
    facts::flatten_and(query.join_tree.quals.clone()?, &mut clauses);
    let null = clauses.into_iter().filter_map(|clause| match clause {
        Expr::NullTest(n) if !n.is_not && !n.arg_is_row => match *n.arg {
            Expr::Var(v) => Some(v),
            _ => None,
        },
        _ => None,
    });
    let null: Vec<Var> = null.collect();
    if null.is_empty() {
        return None;
    }
    let own_rows = |i: usize| {
        matches!(
            query.rte(i).kind,
            RteKind::Relation { .. } | RteKind::Cte { .. } | RteKind::Subquery { lateral: false, .. }
        )
    };
    let plain: RelIds = (1..=query.range_table.len())
        .filter(|i| own_rows(*i))
        .fold(RelIds::empty(), |s, i| s.union(&RelIds::single(i)));
    let mut items = std::mem::take(&mut query.join_tree.items);
    let taken = items
        .iter_mut()
        .find_map(|item| take_from_node(item, &null, &plain, catalog));
    query.join_tree.items = items;
    taken
}

/// Looks at left joins along the sides that no outer join makes NULL.
fn take_from_node(
    node: &mut JoinTreeNode,
    null: &[Var],
    plain: &RelIds,
    catalog: &dyn CatalogView,
) -> Option<Taken> {
    let JoinTreeNode::Join(join) = node else {
        return None;
    };
    match join.join_type {
        JoinType::Left => {
            let right = node_rels(&join.right);
            let mut strict = Vec::new();
            join.quals
                .iter()
                .for_each(|q| strict_vars(q, catalog, &mut strict));
            let rejects = |v: &Var| {
                facts::var_rel(v).is_some_and(|i| right.contains(i))
                    && strict.iter().any(|s| (s.source, s.attno) == (v.source, v.attno))
            };
            if right.is_subset(plain) && null.iter().any(rejects) {
                join.join_type = JoinType::Anti;
                return Some(Taken {
                    rels: right,
                    quals: join.quals.take(),
                    right: std::mem::replace(&mut join.right, JoinTreeNode::Rel(0)),
                });
            }
            take_from_node(&mut join.left, null, plain, catalog)
        }
        JoinType::Inner => take_from_node(&mut join.left, null, plain, catalog)
            .or_else(|| take_from_node(&mut join.right, null, plain, catalog)),
        _ => None,
    }
}

fn put_back(node: &mut JoinTreeNode, taken: &mut Option<Taken>) {
    let JoinTreeNode::Join(join) = node else { return };
    if matches!(join.right, JoinTreeNode::Rel(0)) {
        if let Some(taken) = taken.take() {
            (join.quals, join.right) = (taken.quals, taken.right);
        }
        return;
    }
    put_back(&mut join.left, taken);
    put_back(&mut join.right, taken);
}

/// Columns whose NULL makes the condition not true.
fn strict_vars(e: &Expr, catalog: &dyn CatalogView, out: &mut Vec<Var>) {
    match e {
        Expr::Var(v) => out.push(v.clone()),
        Expr::Bool(b) if b.op == BoolOp::And => b.args.iter().for_each(|a| strict_vars(a, catalog, out)),
        Expr::Func(f) if !f.returns_set && facts::is_strict(f.func, catalog) => {
            f.args.iter().for_each(|a| strict_vars(a, catalog, out));
        }
        Expr::Relabel(r) => strict_vars(&r.arg, catalog, out),
        _ => {}
    }
}

/// The base relations below a node of the join tree.
pub fn node_rels(node: &JoinTreeNode) -> RelIds {
    match node {
        JoinTreeNode::Rel(i) => RelIds::single(*i),
        JoinTreeNode::From(from) => from
            .items
            .iter()
            .fold(RelIds::empty(), |s, item| s.union(&node_rels(item))),
        JoinTreeNode::Join(join) => node_rels(&join.left).union(&node_rels(&join.right)),
    }
}
