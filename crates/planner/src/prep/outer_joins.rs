//! Outer joins whose added rows a condition above rejects anyway become inner joins.

use catalog::CatalogView;
use nodes::expr::Expr;
use nodes::query::{FromExpr, JoinExpr, JoinTreeNode, JoinType, Query};
use nodes::relids::RelIds;

use crate::exprs::facts::nonnullable_rels;

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
