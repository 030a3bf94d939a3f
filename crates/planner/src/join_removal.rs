//! Left joins that add nothing: nobody reads a column of the nullable side, and each row of the other has at most one partner there.
//!
//! PG: src/backend/optimizer/plan/analyzejoins.c (`remove_useless_joins`).

use std::rc::Rc;

use nodes::query::{FromExpr, JoinTreeNode, JoinType};
use nodes::relids::RelIds;

use crate::paths::is_unique_for;
use crate::rel::{BaseKind, RestrictInfo, SpecialJoin};
use crate::root::Root;
use crate::upper;

/// Leaves such joins out, until there is none left. Conditions have been distributed, and `root.needed` tells who reads what.
pub fn remove_useless_joins(root: &mut Root<'_, '_>) {
    while let Some(number) = (0..root.special_joins.len()).find(|n| is_useless(root, &root.special_joins[*n]))
    {
        let special = root.special_joins.remove(number);
        if let Some(removed) = special.syn_right.singleton() {
            // The join's own conditions go with it, also those on its other side alone.
            let joined = special.min_left.union(&special.min_right);
            root.join_clauses
                .retain(|c| c.pushed_down || !c.required.contains(removed) || !c.required.is_subset(&joined));
            forget(root, removed);
        }
    }
}

fn is_useless(root: &Root<'_, '_>, special: &SpecialJoin) -> bool {
    if special.join_type != JoinType::Left || special.syn_right != special.min_right {
        return false;
    }
    let Some(inner) = special.min_right.singleton() else {
        return false;
    };
    if inner == root.query.result_relation {
        return false;
    }
    let Ok(rel) = root.rel(inner) else { return false };
    let Some(base) = &rel.base else { return false };
    let known = matches!(base.kind, BaseKind::Table(_) | BaseKind::Unplanned(_));
    if !known || base.is_append || !base.lateral.is_empty() || base.sample.is_some() {
        return false;
    }
    let joined = special.min_left.union(&special.min_right);
    let read_above = |n: &&crate::rel::NeededVar| {
        n.rel == inner && (n.top || n.joins.iter().any(|j| !j.is_subset(&joined)))
    };
    if root.needed.iter().any(|n| read_above(&n)) || is_referred_to(root, inner) {
        return false;
    }
    let mut own: Vec<Rc<RestrictInfo>> = Vec::new();
    for info in root
        .join_clauses
        .iter()
        .filter(|c| c.clause_relids.contains(inner))
    {
        // A condition from above the join, which sees the rows that it fills with NULLs.
        if info.pushed_down || !info.required.is_subset(&joined) {
            return false;
        }
        own.push(info.clone());
    }
    is_unique_for(rel, &own)
}

/// Something in FROM takes values of the relation.
fn is_referred_to(root: &Root<'_, '_>, rel: usize) -> bool {
    let lateral = root.rels.iter().flatten().filter_map(|r| r.base.as_ref());
    let mut lateral = lateral.filter(|b| b.lateral.contains(rel));
    lateral.next().is_some() || root.lateral_params.iter().any(|l| l.relids.contains(rel))
}

/// Takes a relation out of everything that is known of the level.
fn forget(root: &mut Root<'_, '_>, removed: usize) {
    let without = |relids: &mut RelIds| relids.remove(removed);
    root.rels[removed] = None;
    without(&mut root.all_rels);
    for special in &mut root.special_joins {
        without(&mut special.min_left);
        without(&mut special.min_right);
        without(&mut special.syn_left);
        without(&mut special.syn_right);
    }
    root.join_clauses.retain(|c| !c.clause_relids.contains(removed));
    for info in &mut root.join_clauses {
        if info.required.contains(removed) {
            without(&mut Rc::make_mut(info).required);
        }
    }
    for class in &mut root.classes {
        class.members.retain(|m| !m.relids.contains(removed));
    }
    root.append_children
        .retain(|c| c.child != removed && c.parent != removed);
    take_out_of_from(&mut root.query.join_tree, removed);
    root.needed.clear();
    upper::collect_needed(root);
}

fn take_out_of_from(from: &mut FromExpr, removed: usize) {
    from.items.iter_mut().for_each(|item| take_out(item, removed));
}

fn take_out(node: &mut JoinTreeNode, removed: usize) {
    match node {
        JoinTreeNode::Rel(_) => {}
        JoinTreeNode::From(from) => take_out_of_from(from, removed),
        JoinTreeNode::Join(join) => {
            let gone = crate::prep::node_rels(&join.right).singleton() == Some(removed);
            if gone && join.join_type == JoinType::Left {
                let kept = std::mem::replace(&mut join.left, JoinTreeNode::Rel(0));
                *node = kept;
                return take_out(node, removed);
            }
            take_out(&mut join.left, removed);
            take_out(&mut join.right, removed);
        }
    }
}
