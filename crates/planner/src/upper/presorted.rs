//! Aggregates with ORDER BY or DISTINCT fed in their order: one sort below the node instead of one in each of them.
//!
//! PG: `adjust_group_pathkeys_for_groupagg` (planner.c).
//!
//! # How it works
//! Each aggregate wants an order: that of the group columns, then its own. The order that serves most of them is taken ([`best`]); they are
//! marked as presorted, the others sort for themselves. DISTINCT of sums and counts is left to the hash tables of the executor, which cost
//! less than a sort.

use common::PgResult;
use nodes::expr::{Aggref, Expr};
use nodes::query::SortGroupClause;
use nodes::walk;

use crate::equivalence;
use crate::exprs::facts;
use crate::path::{PathKey, keys_contained};
use crate::root::Root;

/// An order for aggregates.
pub struct Presorted {
    /// Of the groups, then of the aggregates.
    pub keys: Vec<PathKey>,
    /// How many are of the groups.
    pub groups: usize,
    /// What the aggregates' part sorts by.
    pub pairs: Vec<(Expr, SortGroupClause)>,
    /// The aggregates that it serves.
    pub calls: Vec<Expr>,
}

impl Presorted {
    /// The order of groups, in which aggregates find none of theirs.
    pub fn of_groups(keys: Vec<PathKey>) -> Presorted {
        Presorted {
            groups: keys.len(),
            keys,
            pairs: Vec::new(),
            calls: Vec::new(),
        }
    }

    /// Marks the aggregates that get their rows in order.
    pub fn mark(&self, e: &mut Expr) {
        walk::rewrite(e, &mut |e| {
            if self.calls.contains(e)
                && let Expr::Aggref(a) = e
            {
                a.presorted = true;
            }
        });
    }
}

/// An aggregate and what it sorts by.
struct Wish {
    call: Expr,
    keys: Vec<PathKey>,
    pairs: Vec<(Expr, SortGroupClause)>,
}

/// The order behind that of the groups that serves most aggregates, if any wants one.
pub fn best(root: &mut Root<'_, '_>, group: &[PathKey]) -> PgResult<Option<Presorted>> {
    let q = &root.query;
    if !q.has_aggs || !q.grouping_sets.is_empty() || !root.context().settings.enable_presorted_aggregate {
        return Ok(None);
    }
    let mut left = Vec::new();
    for call in ordered_calls(root) {
        left.extend(wish(root, group, call)?);
    }
    let mut best: Option<Presorted> = None;
    while left.len() > best.as_ref().map_or(0, |b| b.calls.len()) {
        let mut rest = Vec::new();
        let mut taken: Option<Presorted> = None;
        for wish in left {
            let Some(found) = &mut taken else {
                taken = Some(Presorted {
                    keys: wish.keys,
                    groups: group.len(),
                    pairs: wish.pairs,
                    calls: vec![wish.call],
                });
                continue;
            };
            if keys_contained(&found.keys, &wish.keys) {
                (found.keys, found.pairs) = (wish.keys, wish.pairs);
                found.calls.push(wish.call);
            } else if keys_contained(&wish.keys, &found.keys) {
                found.calls.push(wish.call);
            } else {
                rest.push(wish);
            }
        }
        left = rest;
        let better = |t: &Presorted| best.as_ref().is_none_or(|b| t.calls.len() > b.calls.len());
        if taken.as_ref().is_some_and(better) {
            best = taken;
        }
    }
    Ok(best)
}

/// The level's aggregates that sort their rows, each once.
fn ordered_calls(root: &Root<'_, '_>) -> Vec<Expr> {
    let mut found: Vec<Expr> = Vec::new();
    let targets = root.query.target_list.iter().map(|t| &t.expr);
    for e in targets.chain(&root.query.having) {
        walk::walk(e, &mut |e| {
            let Expr::Aggref(a) = e else { return true };
            let sorts = a.levels_up == 0 && !(a.distinct.is_empty() && a.order_by.is_empty());
            if sorts && a.kind == b'n' && !is_hashed(a) && !found.contains(e) {
                found.push(e.clone());
            }
            false
        });
    }
    found
}

/// DISTINCT that the executor finds without sorting.
fn is_hashed(a: &Aggref) -> bool {
    /// `count`, `sum` and `avg` of integers.
    const ORDERLESS: [u32; 7] = [2100, 2101, 2102, 2107, 2108, 2109, 2147];
    a.order_by.is_empty() && a.args.len() == 1 && ORDERLESS.contains(&a.func.0)
}

/// What an aggregate would like; nothing where its values must not be computed before it asks for them.
fn wish(root: &mut Root<'_, '_>, group: &[PathKey], call: Expr) -> PgResult<Option<Wish>> {
    let Expr::Aggref(a) = &call else { return Ok(None) };
    let mut pairs: Vec<(Expr, SortGroupClause)> = Vec::new();
    let mut keys = group.to_vec();
    for clause in a.order_by.iter().chain(&a.distinct) {
        if pairs.iter().any(|(_, c)| c.target_ref == clause.target_ref) {
            continue;
        }
        let of_clause = |t: &&nodes::query::TargetEntry| t.sort_group_ref == clause.target_ref;
        let Some(expr) = a.args.iter().find(of_clause).map(|t| t.expr.clone()) else {
            return Ok(None);
        };
        let simple = matches!(facts::strip_relabel(&expr), Expr::Var(_) | Expr::Const(_));
        let unsafe_early = a.filter.is_some() && !simple
            || facts::is_volatile(&expr, root.context().catalog)?
            || facts::contains_subquery(&expr)
            || facts::contains_srf(&expr);
        if unsafe_early || !clause.sort_op.is_valid() {
            return Ok(None);
        }
        let Some((family, descending)) = equivalence::sort_op_family(root, clause.sort_op)? else {
            return Ok(None);
        };
        let direction = (descending, clause.nulls_first);
        keys.push(equivalence::upper_key(
            root,
            &expr,
            (family, expr.collation()),
            direction,
        ));
        pairs.push((expr, clause.clone()));
    }
    let keys = equivalence::canonical_keys(root, keys);
    Ok(Some(Wish { call, keys, pairs }))
}
