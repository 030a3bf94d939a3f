//! Simple subqueries in FROM become part of the query around them.

use common::{PgResult, cancel};
use nodes::expr::{Expr, VarSource};
use nodes::query::{CommandType, FromExpr, JoinTreeNode, JoinType, Query, RteKind};
use nodes::relids::RelIds;
use nodes::walk;

use crate::context::PlannerContext;
use crate::exprs::{facts, query_walk};
use crate::prep::aliases;
use crate::prep::ctes::shift_cte_references;
use crate::prep::union_all::{self, UnionAlls};

/// Pulls up every subquery for which that cannot change results. Repeats for those that come up with it.
///
/// Those that are UNION ALLs become append relations, which are returned.
pub fn pull_up_subqueries(query: &mut Query, context: &PlannerContext<'_>) -> PgResult<UnionAlls> {
    let mut whole_rows = RelIds::empty();
    note_whole_rows(query, 0, &mut whole_rows);
    cancel::check()?;
    let mut tree = std::mem::take(&mut query.join_tree);
    let mut pull_up = PullUp {
        context,
        whole_rows,
        union_alls: UnionAlls::default(),
    };
    let result = pull_up.pull_in_from(query, &mut tree, false);
    query.join_tree = tree;
    result?;
    cancel::check()?;
    // Replacement of columns happens in the finished tree, where all conditions are reachable.
    replace_pulled(query);
    Ok(pull_up.union_alls)
}

/// What decides whether subqueries can be pulled up.
struct PullUp<'c> {
    context: &'c PlannerContext<'c>,
    /// Entries to whose rows as a whole something refers: below an outer join they need a scan that makes the row.
    whole_rows: RelIds,
    union_alls: UnionAlls,
}

impl PullUp<'_> {
    fn pull_in_from(&mut self, query: &mut Query, from: &mut FromExpr, nullable: bool) -> PgResult<()> {
        for item in &mut from.items {
            self.pull_in_node(query, item, nullable)?;
        }
        Ok(())
    }

    fn pull_in_node(&mut self, query: &mut Query, node: &mut JoinTreeNode, nullable: bool) -> PgResult<()> {
        match node {
            JoinTreeNode::From(from) => self.pull_in_from(query, from, nullable),
            JoinTreeNode::Join(join) => {
                let (left, right) = match join.join_type {
                    JoinType::Inner => (nullable, nullable),
                    JoinType::Left | JoinType::Semi | JoinType::Anti => (nullable, true),
                    JoinType::Right => (true, nullable),
                    _ => (true, true),
                };
                self.pull_in_node(query, &mut join.left, left)?;
                self.pull_in_node(query, &mut join.right, right)
            }
            JoinTreeNode::Rel(index) => {
                let index = *index;
                if union_all::is_entry(query, index) && union_all::may_flatten(query) {
                    return union_all::pull_up(query, self.context, index, &mut self.union_alls);
                }
                let RteKind::Subquery {
                    query: sub,
                    lateral,
                    security_barrier,
                    ..
                } = &query.rte(index).kind
                else {
                    return Ok(());
                };
                // A grouping set that leaves out a column makes it NULL, as an outer join does, but not the expression that it was.
                let nullable = nullable || !query.grouping_sets.is_empty();
                let keeps_row = nullable && self.whole_rows.contains(index);
                if *security_barrier || keeps_row || !is_simple(sub, nullable, *lateral, self.context)? {
                    return Ok(());
                }
                let mut sub = (**sub).clone();
                cancel::check()?;
                aliases::flatten_join_aliases(&mut sub);
                cancel::check()?;
                crate::prep::sub_links::pull_up_sub_links(&mut sub, self.context)?;
                note_whole_rows(&mut sub, query.range_table.len(), &mut self.whole_rows);
                cancel::check()?;
                let mut from = absorb(query, index, sub);
                self.pull_in_from(query, &mut from, nullable)?;
                *node = JoinTreeNode::From(Box::new(from));
                Ok(())
            }
        }
    }
}

/// An arm of a UNION ALL that may be no more than another name for what it reads; it may read nothing.
pub fn is_simple_arm(sub: &Query, context: &PlannerContext<'_>) -> PgResult<bool> {
    is_plain(sub, false, false, context)
}

fn is_simple(sub: &Query, nullable: bool, lateral: bool, context: &PlannerContext<'_>) -> PgResult<bool> {
    Ok(!sub.join_tree.items.is_empty() && is_plain(sub, nullable, lateral, context)?)
}

fn is_plain(sub: &Query, nullable: bool, lateral: bool, context: &PlannerContext<'_>) -> PgResult<bool> {
    let plain = sub.command == CommandType::Select
        && sub.set_operations.is_none()
        && !sub.has_aggs
        && !sub.has_window_funcs
        && !sub.has_target_srfs
        && !sub.has_modifying_cte
        && sub.group_clause.is_empty()
        && sub.grouping_sets.is_empty()
        && sub.having.is_none()
        && sub.sort_clause.is_empty()
        && sub.distinct_clause.is_empty()
        && sub.limit_count.is_none()
        && sub.limit_offset.is_none()
        && sub.row_marks.is_empty()
        && sub.ctes.is_empty();
    if !plain || (lateral && nullable) {
        return Ok(false);
    }
    for t in &sub.target_list {
        if facts::is_volatile(&t.expr, context.catalog)? || (facts::contains_subquery(&t.expr)) {
            return Ok(false);
        }
        // Below an outer join an expression would not turn to NULL with its row.
        if nullable && !matches!(t.expr, Expr::Var(_)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Adds the entries of a query, counted from `offset`, to whose rows as a whole something refers.
fn note_whole_rows(query: &mut Query, offset: usize, found: &mut RelIds) {
    query_walk::for_each_expr_deep(query, 0, &mut |e, depth| {
        walk::walk(e, &mut |e| {
            if let Expr::Var(v) = e
                && let VarSource::Rel { index, levels_up } = v.source
                && v.attno == 0
                && levels_up == depth
            {
                found.insert(index + offset);
            }
            true
        });
    });
}

/// Moves the subquery's range table into the query's and leaves its target list, renumbered, in the entry, for
/// [`replace_pulled`]; returns its FROM and WHERE.
fn absorb(query: &mut Query, index: usize, mut sub: Query) -> FromExpr {
    let offset = query.range_table.len();
    query_walk::for_each_expr_deep(&mut sub, 0, &mut |e, depth| {
        walk::rewrite(e, &mut |e| lift(e, depth, offset));
    });
    shift_cte_references(&mut sub, 0, -1);
    renumber_tree(&mut sub.join_tree, offset);
    query.has_sub_links |= sub.has_sub_links;
    query.range_table.append(&mut sub.range_table);
    let exprs = sub
        .target_list
        .into_iter()
        .filter(|t| !t.resjunk)
        .map(|t| t.expr)
        .collect();
    query.range_table[index - 1].kind = RteKind::Group { exprs };
    sub.join_tree
}

/// Own columns move by `offset`; columns of the queries outside come one level nearer.
pub fn lift(e: &mut Expr, depth: usize, offset: usize) {
    if let Expr::Var(v) = e {
        if let VarSource::Rel { index, levels_up } = &mut v.source {
            match (*levels_up).cmp(&depth) {
                std::cmp::Ordering::Equal => *index += offset,
                std::cmp::Ordering::Greater => *levels_up -= 1,
                std::cmp::Ordering::Less => {}
            }
        }
    }
}

/// Adds `offset` to the range table indexes of a join tree.
pub fn renumber_tree(from: &mut FromExpr, offset: usize) {
    from.items.iter_mut().for_each(|item| renumber_node(item, offset));
}

fn renumber_node(node: &mut JoinTreeNode, offset: usize) {
    match node {
        JoinTreeNode::Rel(i) => *i += offset,
        JoinTreeNode::From(from) => renumber_tree(from, offset),
        JoinTreeNode::Join(join) => {
            if join.rt_index != 0 {
                join.rt_index += offset;
            }
            renumber_node(&mut join.left, offset);
            renumber_node(&mut join.right, offset);
        }
    }
}

/// Entries that were pulled up look like GROUP entries now (a list of expressions): their columns are replaced as
/// join aliases are.
fn replace_pulled(query: &mut Query) {
    aliases::flatten_join_aliases(query);
    for rte in &mut query.range_table {
        if matches!(rte.kind, RteKind::Group { .. }) {
            rte.kind = RteKind::Result;
        }
    }
}
