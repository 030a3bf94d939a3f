//! Self joins that add nothing: two entries of one table, joined by a unique key, are the same row, so that one of them suffices.
//!
//! PG: src/backend/optimizer/plan/analyzejoins.c (`remove_useless_self_joins`).
//!
//! # How it works
//! 1. [`remove`] looks for two entries of a table on the same side of all outer joins, whose equalities `r.x = k.x` and conditions
//!    `k.y = constant` cover a unique index; `r` must have the same conditions with constants.
//! 2. In the query, columns of `r` become columns of `k`, and `r` leaves the join tree. What has been derived from the query is forgotten:
//!    the caller derives it again.
//!
//! # Invariants
//! - The entry that is left out stays in the range table: what its user must be allowed to do is checked.

use common::PgResult;
use nodes::expr::{Expr, VarSource};
use nodes::query::{FromExpr, JoinTreeNode, JoinType, Query};
use nodes::walk;

use crate::equivalence::EquivalenceClass;
use crate::exprs::{facts, query_walk};
use crate::joininfo::{BTREE, EQUAL, strategy_in};
use crate::prep::{and_of, node_rels};
use crate::rel::{BaseRel, Equality, IndexInfo};
use crate::root::Root;
use crate::search::reduce_unique_semijoins;

/// Leaves one self join out, if there is one; the level's conditions and relations must be built again then.
pub fn remove(root: &mut Root<'_, '_>) -> PgResult<bool> {
    if !root.context().settings.enable_self_join_elimination || !reads_twice(root) {
        return Ok(false);
    }
    reduce_unique_semijoins(root);
    let Some((removed, kept)) = find(root)? else {
        return Ok(false);
    };
    reduced_semijoins(root);
    replace(&mut root.query, removed, kept);
    let quals = take_out_of_from(&mut root.query.join_tree, removed);
    let tree = &mut root.query.join_tree;
    tree.quals = and_of(tree.quals.take().into_iter().chain(quals).collect());
    root.forget_derived();
    Ok(true)
}

/// Some table is read by two entries.
fn reads_twice(root: &Root<'_, '_>) -> bool {
    let table = |rel: usize| candidate(root, rel)?.table().map(|t| t.oid);
    let tables: Vec<_> = root.all_rels.iter().filter_map(table).collect();
    tables.iter().enumerate().any(|(at, t)| tables[..at].contains(t))
}

/// Two entries of which the first can be replaced by the second.
fn find(root: &Root<'_, '_>) -> PgResult<Option<(usize, usize)>> {
    let tables: Vec<(usize, &BaseRel)> = root
        .all_rels
        .iter()
        .filter_map(|i| Some((i, candidate(root, i)?)))
        .collect();
    for (at, (r, removed)) in tables.iter().enumerate() {
        for (k, kept) in &tables[at + 1..] {
            let same = removed.table().map(|t| t.oid) == kept.table().map(|t| t.oid);
            if same && beside(root, *r, *k) && share_a_key(root, removed, kept)? {
                return Ok(Some((*r, *k)));
            }
        }
    }
    Ok(None)
}

/// A table of its own that is only read.
fn candidate<'r>(root: &'r Root<'_, '_>, rel: usize) -> Option<&'r BaseRel> {
    let base = root.rel(rel).ok()?.base.as_ref()?;
    let plain = base.table()?.relkind == b'r' && base.sample.is_none() && !base.is_append;
    (plain && rel != root.query.result_relation).then_some(base)
}

/// Both entries are on the same side of each special join, and locked alike.
fn beside(root: &Root<'_, '_>, r: usize, k: usize) -> bool {
    let together = root.special_joins.iter().all(|s| {
        s.syn_left.contains(r) == s.syn_left.contains(k) && s.syn_right.contains(r) == s.syn_right.contains(k)
    });
    let mark = |rel: usize| {
        let mut marks = root.query.row_marks.iter();
        marks.find(|m| m.rt_index == rel).map(|m| (m.strength, m.wait))
    };
    together && mark(r) == mark(k)
}

/// Equalities between the two and conditions with constants, the same on both, cover a unique index.
fn share_a_key(root: &Root<'_, '_>, removed: &BaseRel, kept: &BaseRel) -> PgResult<bool> {
    let both = |e: &Equality| {
        let (l, r) = (e.left_relids.singleton(), e.right_relids.singleton());
        (l, r) == (Some(removed.rt_index), Some(kept.rt_index))
            || (l, r) == (Some(kept.rt_index), Some(removed.rt_index))
    };
    let infos = root.join_clauses.iter().filter(|c| c.pushed_down);
    let infos = infos.filter_map(|c| Some((root.classes.get(c.class?)?, c.equality.as_ref()?)));
    let joins = infos.filter(|(class, e)| both(e) && stands_for(class, e, removed.rt_index, kept.rt_index));
    let joins: Vec<&Equality> = joins.map(|(_, e)| e).collect();
    if joins.is_empty() {
        return Ok(false);
    }
    // The same column of both.
    let matching = joins.into_iter().filter_map(|e| {
        let own = |e: &Expr| renumbered(facts::strip_relabel(e), removed.rt_index, kept.rt_index);
        let (l, r) = (own(&e.left), own(&e.right));
        (l == r).then_some((l, e))
    });
    let matching: Vec<(Expr, &Equality)> = matching.collect();
    for index in &kept.indexes {
        if index.desc.unique
            && index.desc.immediate
            && index.predicate.is_empty()
            && covers(root, index, &matching, removed, kept)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Of the equalities that a class implies between two relations one is tested.
///
/// PG: `generate_join_implied_equalities_normal`.
fn stands_for(class: &EquivalenceClass, e: &Equality, r: usize, k: usize) -> bool {
    let best = |rel: usize| {
        let own = || {
            class
                .members
                .iter()
                .filter(move |m| m.relids.singleton() == Some(rel))
        };
        let column = own().find(|m| matches!(facts::strip_relabel(&m.expr), Expr::Var(_)));
        column.or_else(|| own().next()).map(|m| &m.expr)
    };
    let sides = (best(r), best(k));
    sides == (Some(&e.left), Some(&e.right)) || sides == (Some(&e.right), Some(&e.left))
}

fn covers(
    root: &Root<'_, '_>,
    index: &IndexInfo,
    joins: &[(Expr, &Equality)],
    removed: &BaseRel,
    kept: &BaseRel,
) -> PgResult<bool> {
    let columns = index.column_exprs.iter().zip(&index.desc.columns);
    for (expr, column) in columns.take(index.desc.key_count) {
        let mut found = false;
        for e in joins.iter().filter(|(own, _)| own == expr).map(|(_, e)| e) {
            found |= tells_apart(root, e, column.opfamily)?;
        }
        let fixed = kept.restrictions.iter().filter_map(|i| i.equality.as_ref());
        for e in fixed {
            let Some((_, value)) = fixed_column(e).filter(|(own, _)| *own == expr) else {
                continue;
            };
            found |= tells_apart(root, e, column.opfamily)? && is_fixed_to(removed, kept, expr, value);
        }
        if !found {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The operator is equality in the index's family.
fn tells_apart(root: &Root<'_, '_>, e: &Equality, family: common::Oid) -> PgResult<bool> {
    Ok(strategy_in(root, e.op, BTREE, family)? == Some(EQUAL))
}

/// The column of `column = constant`, and the constant.
fn fixed_column(e: &Equality) -> Option<(&Expr, &Expr)> {
    match (e.left_relids.is_empty(), e.right_relids.is_empty()) {
        (false, true) => Some((facts::strip_relabel(&e.left), &e.right)),
        (true, false) => Some((facts::strip_relabel(&e.right), &e.left)),
        _ => None,
    }
}

/// The other entry has the same condition.
fn is_fixed_to(removed: &BaseRel, kept: &BaseRel, column: &Expr, value: &Expr) -> bool {
    let column = renumbered(column, kept.rt_index, removed.rt_index);
    let mut fixed = removed
        .restrictions
        .iter()
        .filter_map(|i| fixed_column(i.equality.as_ref()?));
    fixed.any(|found| found == (&column, value))
}

fn renumbered(e: &Expr, from: usize, to: usize) -> Expr {
    let mut e = e.clone();
    renumber(&mut e, 0, from, to);
    e
}

fn renumber(e: &mut Expr, depth: usize, from: usize, to: usize) {
    walk::rewrite(e, &mut |e| {
        if let Expr::Var(v) = e
            && let VarSource::Rel { index, levels_up } = &mut v.source
            && (*index, *levels_up) == (from, depth)
        {
            *index = to;
        }
    });
}

/// Columns of one entry become those of another everywhere.
fn replace(query: &mut Query, removed: usize, kept: usize) {
    query_walk::for_each_condition_mut(query, &mut |e| put_last(e, removed));
    query_walk::for_each_expr_deep(query, 0, &mut |e, depth| renumber(e, depth, removed, kept));
    query.row_marks.retain(|m| m.rt_index != removed);
}

/// Conditions on an entry come after the others.
fn put_last(quals: &mut Expr, rel: usize) {
    let mut all = Vec::new();
    facts::flatten_and(quals.clone(), &mut all);
    let (last, mut first): (Vec<_>, Vec<_>) = all.into_iter().partition(|e| facts::relids(e).contains(rel));
    first.extend(last);
    if let Some(sorted) = and_of(first) {
        *quals = sorted;
    }
}

/// Semijoins that have become inner joins are so in the join tree, too.
fn reduced_semijoins(root: &mut Root<'_, '_>) {
    let mut tree = std::mem::take(&mut root.query.join_tree);
    tree.items.iter_mut().for_each(|item| reduce_node(root, item));
    root.query.join_tree = tree;
}

fn reduce_node(root: &Root<'_, '_>, node: &mut JoinTreeNode) {
    match node {
        JoinTreeNode::Rel(_) => {}
        JoinTreeNode::From(from) => from.items.iter_mut().for_each(|item| reduce_node(root, item)),
        JoinTreeNode::Join(join) => {
            reduce_node(root, &mut join.left);
            reduce_node(root, &mut join.right);
            let right = node_rels(&join.right);
            let left = |s: &crate::rel::SpecialJoin| s.join_type == JoinType::Semi && s.syn_right == right;
            if join.join_type == JoinType::Semi && !root.special_joins.iter().any(left) {
                join.join_type = JoinType::Inner;
            }
        }
    }
}

/// Takes an entry out; returns the conditions of what is empty then.
fn take_out_of_from(from: &mut FromExpr, removed: usize) -> Vec<Expr> {
    let mut quals = Vec::new();
    from.items.retain_mut(|item| take_out(item, removed, &mut quals));
    quals
}

/// False if nothing is left of the node.
fn take_out(node: &mut JoinTreeNode, removed: usize, quals: &mut Vec<Expr>) -> bool {
    match node {
        JoinTreeNode::Rel(i) => *i != removed,
        JoinTreeNode::From(from) => {
            let inner = take_out_of_from(from, removed);
            let all = from.quals.take().into_iter().chain(inner);
            if from.items.is_empty() {
                quals.extend(all);
                return false;
            }
            from.quals = and_of(all.collect());
            true
        }
        JoinTreeNode::Join(join) => {
            let mut inner = Vec::new();
            let left = take_out(&mut join.left, removed, &mut inner);
            let right = take_out(&mut join.right, removed, &mut inner);
            let kept = match (left, right) {
                (true, true) => return true,
                (true, false) => std::mem::replace(&mut join.left, JoinTreeNode::Rel(0)),
                (false, true) => std::mem::replace(&mut join.right, JoinTreeNode::Rel(0)),
                (false, false) => {
                    quals.extend(inner.into_iter().chain(join.quals.take()));
                    return false;
                }
            };
            *node = JoinTreeNode::From(Box::new(FromExpr {
                items: vec![kept],
                quals: and_of(inner.into_iter().chain(join.quals.take()).collect()),
            }));
            true
        }
    }
}
