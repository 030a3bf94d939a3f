//! `UNION ALL` in FROM, and as a whole query, becomes an append relation: its arms are members, as the tables of an inheritance tree are.
//!
//! PG: `pull_up_simple_union_all`, `flatten_simple_union_all` in src/backend/optimizer/prep/prepjointree.c.
//!
//! # How it works
//! 1. A subquery that is nothing but UNION ALL of arms with the same column types is simple. Its arms move into the range table of the
//!    query around it; its own entry stands for the whole from then on.
//! 2. An arm that only reads one entry is pulled up further: that entry becomes the member, and the arm's target list says what stands for
//!    the columns of the whole. Other arms stay subqueries.
//! 3. Conditions, join clauses and orders over the whole then reach the members ([`crate::paths`]).
//!
//! # Invariants
//! - What an arm hands out uses its own entry only.

use std::sync::Arc;

use common::PgResult;
use nodes::expr::{Expr, Var, VarSource};
use nodes::query::{CommandType, FromExpr, JoinTreeNode, Query, RteKind, SetOp, SetOperation};
use nodes::stored::StoredFact;
use nodes::walk;

use crate::context::PlannerContext;
use crate::exprs::{facts, fold, query_walk};
use crate::prep::append_child::{AppendChild, AppendSource};
use crate::prep::ctes::shift_cte_references;
use crate::prep::pull_up::{self, lift};
use crate::prep::{aliases, sub_links};
use crate::root::Root;

/// Append relations of arms, by range table index.
#[derive(Clone, Debug, Default)]
pub struct UnionAlls {
    pub parents: Vec<usize>,
    pub arms: Vec<AppendChild>,
}

/// A query whose UNION ALLs may become append relations: rows that are locked or changed are found in tables only, and how values are stored
/// is known to the scans of queries that read tables themselves.
pub fn may_flatten(query: &mut Query) -> bool {
    let mut asks = false;
    query_walk::for_each_expr_mut(query, &mut |e| asks |= asks_scan(e));
    matches!(query.command, CommandType::Select | CommandType::Insert) && query.row_marks.is_empty() && !asks
}

/// Asks how a value is stored.
fn asks_scan(e: &Expr) -> bool {
    walk::any(
        e,
        &mut |e| matches!(e, Expr::Func(f) if StoredFact::of_function(f.func).is_some()),
    )
}

/// A subquery of FROM that is nothing but a UNION ALL, and no security barrier.
pub fn is_entry(query: &Query, index: usize) -> bool {
    let kind = &query.rte(index).kind;
    matches!(kind, RteKind::Subquery { query, security_barrier: false, .. } if is_simple(query))
}

/// A query that is nothing but a UNION ALL.
///
/// PG: `is_simple_union_all`.
pub fn is_simple(query: &Query) -> bool {
    let Some(tree) = &query.set_operations else {
        return false;
    };
    query.sort_clause.is_empty()
        && query.limit_count.is_none()
        && query.limit_offset.is_none()
        && query.row_marks.is_empty()
        && query.ctes.is_empty()
        && only_union_all(query, tree)
}

fn only_union_all(query: &Query, tree: &SetOperation) -> bool {
    let mut arms = Vec::new();
    collect_arms(tree, &mut arms)
        && arms.iter().all(|arm| match &query.rte(*arm).kind {
            RteKind::Subquery { query: arm, .. } => {
                let types = |q: &Query| -> Vec<_> { q.output_columns().map(|t| t.expr.type_oid()).collect() };
                types(query) == types(arm)
            }
            _ => false,
        })
}

/// The arms of a tree of UNION ALLs; false if it is something else, too.
fn collect_arms(tree: &SetOperation, arms: &mut Vec<usize>) -> bool {
    match tree {
        SetOperation::Rel(index) => {
            arms.push(*index);
            true
        }
        SetOperation::Op {
            op: SetOp::Union,
            all: true,
            left,
            right,
            ..
        } => collect_arms(left, arms) && collect_arms(right, arms),
        SetOperation::Op { .. } | SetOperation::Coerce { .. } => false,
    }
}

/// A whole query of UNION ALLs reads an append relation, whose entry is that of its first arm.
pub fn flatten_query(query: &mut Query, context: &PlannerContext<'_>, found: &mut UnionAlls) -> PgResult<()> {
    let mut arms = Vec::new();
    let simple = query.set_operations.as_ref().is_some_and(|tree| {
        matches!(**tree, SetOperation::Op { .. })
            && only_union_all(query, tree)
            && collect_arms(tree, &mut arms)
    });
    let Some(first) = arms.first_mut().filter(|_| simple && may_flatten(query)) else {
        return Ok(());
    };
    let parent = *first;
    query.range_table.push(query.rte(parent).clone());
    *first = query.range_table.len();
    query.set_operations = None;
    query.join_tree = FromExpr {
        items: vec![JoinTreeNode::Rel(parent)],
        quals: None,
    };
    add_arms(query, context, parent, &arms, found)
}

/// Makes a simple subquery of the query's range table an append relation.
pub fn pull_up(
    query: &mut Query,
    context: &PlannerContext<'_>,
    index: usize,
    found: &mut UnionAlls,
) -> PgResult<()> {
    let RteKind::Subquery { query: sub, .. } = &query.rte(index).kind else {
        return Ok(());
    };
    let mut sub = (**sub).clone();
    let mut arms = Vec::new();
    if let Some(tree) = &sub.set_operations {
        collect_arms(tree, &mut arms);
    }
    let offset = take_in(query, &mut sub);
    arms.iter_mut().for_each(|arm| *arm += offset);
    add_arms(query, context, index, &arms, found)
}

/// Moves a subquery's range table to the end of the query's; returns how far.
fn take_in(query: &mut Query, sub: &mut Query) -> usize {
    let offset = query.range_table.len();
    query_walk::for_each_expr_deep(sub, 0, &mut |e, depth| {
        walk::rewrite(e, &mut |e| lift(e, depth, offset));
    });
    shift_cte_references(sub, 0, -1);
    query.has_sub_links |= sub.has_sub_links;
    query.range_table.append(&mut sub.range_table);
    offset
}

fn add_arms(
    query: &mut Query,
    context: &PlannerContext<'_>,
    parent: usize,
    arms: &[usize],
    found: &mut UnionAlls,
) -> PgResult<()> {
    let rte = &mut query.range_table[parent - 1];
    if let RteKind::Subquery { query, .. } = &mut rte.kind {
        *query = Arc::new(Query::new(CommandType::Select));
    }
    let names: Arc<[Box<str>]> = rte.eref.columns.iter().map(|n| Box::from(&**n)).collect();
    found.parents.push(parent);
    for &arm in arms {
        let nested = matches!(&query.rte(arm).kind, RteKind::Subquery { query, .. } if is_simple(query));
        let pulled = match nested {
            true => {
                pull_up(query, context, arm, found)?;
                None
            }
            false => pull_up_arm(query, context, arm, found)?,
        };
        let (child, exprs) = pulled.unwrap_or_else(|| (arm, own_columns(query, arm)));
        let names = names.clone();
        found.arms.push(AppendChild {
            parent,
            child,
            source: AppendSource::Arm { exprs, names },
        });
    }
    Ok(())
}

/// The columns of an arm that stays a subquery.
fn own_columns(query: &Query, index: usize) -> Vec<Expr> {
    let column = |(k, c): (usize, &nodes::query::RteColumn)| {
        Expr::Var(Var {
            source: VarSource::Rel { index, levels_up: 0 },
            attno: k as common::AttrNumber + 1,
            type_ref: c.type_ref,
            collation: c.collation,
            nulling_rels: Default::default(),
            returning: Default::default(),
            span: common::Span::NONE,
        })
    };
    query.rte(index).columns.iter().enumerate().map(column).collect()
}

/// The only entry that an arm reads and what it makes of it, if it is that simple; the entry is the query's own then.
fn pull_up_arm(
    query: &mut Query,
    context: &PlannerContext<'_>,
    arm: usize,
    found: &mut UnionAlls,
) -> PgResult<Option<(usize, Vec<Expr>)>> {
    let RteKind::Subquery {
        query: sub,
        security_barrier: false,
        ..
    } = &query.rte(arm).kind
    else {
        return Ok(None);
    };
    if !pull_up::is_simple_arm(sub, context)? {
        return Ok(None);
    }
    let mut sub = (**sub).clone();
    aliases::flatten_join_aliases(&mut sub);
    sub_links::pull_up_sub_links(&mut sub, context)?;
    let mut inner = pull_up::pull_up_subqueries(&mut sub, context)?;
    let Some(only) = only_entry(&sub.join_tree) else {
        return Ok(None);
    };
    let reads = |e: &Expr| only.is_some_and(|i| facts::relids(e).is_subset(&nodes::RelIds::single(i)));
    let mut exprs: Vec<Expr> = sub.output_columns().map(|t| t.expr.clone()).collect();
    let outside = |e: &Expr| {
        walk::any(
            e,
            &mut |e| matches!(e, Expr::Var(v) if facts::var_rel(v).is_none()),
        )
    };
    let own = |e: &Expr| (reads(e) || facts::relids(e).is_empty()) && !outside(e) && !asks_scan(e);
    if !pull_up::is_simple_arm(&sub, context)? || !exprs.iter().all(own) {
        return Ok(None);
    }
    let offset = take_in(query, &mut sub);
    let lift_all = |list: &mut Vec<Expr>| {
        list.iter_mut()
            .for_each(|e| walk::rewrite(e, &mut |e| lift(e, 0, offset)));
    };
    lift_all(&mut exprs);
    for member in &mut inner.arms {
        member.parent += offset;
        member.child += offset;
        if let AppendSource::Arm { exprs, .. } = &mut member.source {
            lift_all(exprs);
        }
    }
    found.parents.extend(inner.parents.iter().map(|p| p + offset));
    found.arms.append(&mut inner.arms);
    let child = match only {
        Some(index) => index + offset,
        None => {
            query.range_table[arm - 1].kind = RteKind::Result;
            arm
        }
    };
    Ok(Some((child, exprs)))
}

/// The entry that is all of a FROM clause, or none where there is no FROM; `None` if there is more, or a condition.
///
/// PG: `is_safe_append_member`.
fn only_entry(from: &FromExpr) -> Option<Option<usize>> {
    if from.quals.is_some() {
        return None;
    }
    match &from.items[..] {
        [] => Some(None),
        [JoinTreeNode::Rel(index)] => Some(Some(*index)),
        [JoinTreeNode::From(from)] => only_entry(from),
        _ => None,
    }
}

/// Makes them known to the query level, whose expressions have been simplified by now.
pub fn register(root: &mut Root<'_, '_>, mut found: UnionAlls) -> PgResult<()> {
    for member in &mut found.arms {
        if let AppendSource::Arm { exprs, .. } = &mut member.source {
            for e in exprs {
                fold::fold_constants(e, root.context())?;
            }
        }
    }
    root.append_parents.append(&mut found.parents);
    found
        .arms
        .into_iter()
        .for_each(|arm| root.append_children.push(arm));
    Ok(())
}
