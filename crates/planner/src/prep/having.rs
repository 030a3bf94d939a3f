//! Conditions of HAVING that do not look at groups test rows before they are grouped.
//!
//! PG: `subquery_planner` in src/backend/optimizer/plan/planner.c.

use catalog::CatalogView;
use common::PgResult;
use nodes::expr::Expr;
use nodes::query::Query;

use crate::exprs::facts;
use crate::prep::and_of;

/// Moves conditions without aggregates from HAVING to WHERE. Without GROUP BY there is a row even if WHERE lets nothing through: a
/// copy stays.
pub fn move_to_where(query: &mut Query, catalog: &dyn CatalogView) -> PgResult<()> {
    let Some(having) = query.having.take() else {
        return Ok(());
    };
    let mut clauses = Vec::new();
    facts::flatten_and(having, &mut clauses);
    let (mut kept, mut moved) = (Vec::new(), Vec::new());
    for clause in clauses {
        // A column that a grouping set leaves out is NULL in its groups, not in the rows.
        let of_groups = facts::contains_agg(&clause)
            || facts::contains_subquery(&clause)
            || !query.grouping_sets.is_empty()
            || facts::is_volatile(&clause, catalog)?;
        if of_groups {
            kept.push(clause);
            continue;
        }
        if query.group_clause.is_empty() {
            kept.push(clause.clone());
        }
        moved.push(clause);
    }
    query.having = and_of(kept);
    if query.having.is_none() && query.group_clause.is_empty() {
        // Conditions that are always true are gone, but that there is a single group stays.
        query.having = Some(Expr::bool_const(true));
    }
    let quals = query.join_tree.quals.take();
    query.join_tree.quals = and_of(quals.into_iter().chain(moved).collect());
    Ok(())
}
