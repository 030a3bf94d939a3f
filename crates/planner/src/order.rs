//! Which orders of rows are worth keeping paths for.
//!
//! PG: `truncate_useless_pathkeys` (pathkeys.c).

use std::rc::Rc;

use nodes::query::SortGroupClause;
use nodes::relids::RelIds;

use crate::path::PathKey;
use crate::root::Root;

/// What orders may serve above the scans and joins of a query level.
#[derive(Clone, Debug, Default)]
pub struct OrderInterest {
    /// Orders that some step above would like.
    wanted: Vec<Vec<PathKey>>,
    /// Classes that grouping and DISTINCT want together, in whatever order.
    grouped: Vec<Vec<usize>>,
    /// By number of an equivalence class: for each equality that could be merged on it, the relations of the other side.
    partners: Vec<Vec<RelIds>>,
}

impl OrderInterest {
    /// Notes the orders that grouping, windows, DISTINCT and ORDER BY of the level ask for.
    pub fn note_clauses(root: &mut Root<'_, '_>) -> common::PgResult<()> {
        let query = &root.query;
        let mut lists: Vec<Vec<SortGroupClause>> = vec![
            query.group_clause.clone(),
            query.distinct_clause.clone(),
            query.sort_clause.clone(),
        ];
        for window in &query.window_clause {
            lists.push(window.partition.iter().chain(&window.order).cloned().collect());
        }
        let (mut wanted, mut grouped) = (Vec::new(), Vec::new());
        for (i, list) in lists.iter().enumerate().filter(|(_, l)| !l.is_empty()) {
            let keys = crate::upper::sort_clause_keys(root, list)?;
            if i < 2 && !keys.is_empty() {
                grouped.push(keys.iter().map(|k| k.class).collect());
            }
            if !keys.is_empty() && !wanted.contains(&keys) {
                wanted.push(keys);
            }
        }
        let groups = query_groups(root)?;
        if let Some(order) = crate::upper::presorted::best(root, &groups)? {
            wanted.push(order.keys);
        }
        root.interest = OrderInterest {
            wanted,
            grouped,
            partners: Vec::new(),
        };
        Ok(())
    }

    /// Notes which classes the join conditions could be merged on.
    pub fn note_joins(root: &mut Root<'_, '_>) {
        let mut partners = vec![Vec::new(); root.classes.len()];
        for info in &root.join_clauses {
            let Some(e) = &info.equality else { continue };
            let Some(facts) = &e.merge else { continue };
            let sides = [&e.right_relids, &e.left_relids];
            for (class, other) in facts.classes.iter().zip(sides) {
                if let Some(list) = partners.get_mut(*class)
                    && !other.is_empty()
                    && !list.contains(other)
                {
                    list.push(other.clone());
                }
            }
        }
        root.interest.partners = partners;
    }
}

fn query_groups(root: &mut Root<'_, '_>) -> common::PgResult<Vec<PathKey>> {
    let groups = root.query.group_clause.clone();
    crate::upper::sort_clause_keys(root, &groups)
}

/// The leading part of an order that may still serve somebody above these relations.
pub fn useful(root: &Root<'_, '_>, relids: &RelIds, keys: &Rc<[PathKey]>) -> Rc<[PathKey]> {
    if keys.is_empty() {
        return keys.clone();
    }
    let interest = &root.interest;
    let whole = root.is_child_join(relids).then(|| root.topmost_of(relids));
    let relids = whole.as_ref().unwrap_or(relids);
    let merges = |key: &&PathKey| {
        // Merge joins sort ascending here.
        !key.descending
            && !key.nulls_first
            && interest
                .partners
                .get(key.class)
                .is_some_and(|list| list.iter().any(|other| !other.overlaps(relids)))
    };
    let for_merging = keys.iter().take_while(merges).count();
    let for_ordering = interest
        .wanted
        .iter()
        .map(|wanted| wanted.iter().zip(keys.iter()).take_while(|(w, k)| w == k).count())
        .max()
        .unwrap_or(0);
    let for_grouping = interest
        .grouped
        .iter()
        .map(|classes| keys.iter().take_while(|k| classes.contains(&k.class)).count())
        .max()
        .unwrap_or(0);
    match for_merging.max(for_ordering).max(for_grouping) {
        n if n == keys.len() => keys.clone(),
        n => keys[..n].into(),
    }
}
