//! Turning an analyzed query into the form that path building expects.

pub mod aliases;
mod append_child;
pub mod ctes;
mod having;
mod inherit;
mod merge;
mod outer_joins;
mod pull_up;
mod search_cycle;
mod stored;
pub mod sub_links;
mod union_all;
pub mod virtual_columns;

pub use append_child::{AppendChild, AppendMembers};
pub use outer_joins::node_rels;
pub use sub_links::{PLACEHOLDER_BASE, and_of, mark_placeholders};
pub use union_all::is_simple as is_simple_union_all;

use common::{PgResult, cancel};
use nodes::expr::Expr;
use nodes::query::CommandType;

use crate::exprs::{fold, query_walk};
use crate::root::Root;
use crate::subplan;

/// All preprocessing of one level. References to outer levels are parameters already.
pub fn preprocess(root: &mut Root<'_, '_>) -> PgResult<()> {
    if root.query.command == CommandType::Merge {
        merge::make_join(&mut root.query);
    }
    // Each step may go through a million expressions.
    aliases::flatten_join_aliases(&mut root.query);
    cancel::check()?;
    ctes::plan_or_inline(root)?;
    cancel::check()?;
    sub_links::pull_up_sub_links(&mut root.query, root.global.context)?;
    cancel::check()?;
    let context = root.global.context;
    let mut union_alls = pull_up::pull_up_subqueries(&mut root.query, context)?;
    if root.recursive_cte.is_none() {
        union_all::flatten_query(&mut root.query, context, &mut union_alls)?;
    }
    let mut failure = None;
    query_walk::for_each_expr_mut(&mut root.query, &mut |e| {
        if failure.is_none() {
            if let Err(error) = fold::fold_constants(e, context) {
                failure = Some(error);
            }
        }
    });
    if let Some(error) = failure {
        return Err(error);
    }
    cancel::check()?;
    having::move_to_where(&mut root.query, context.catalog)?;
    outer_joins::reduce_outer_joins(&mut root.query, context.catalog);
    outer_joins::left_to_anti(&mut root.query, context)?;
    cancel::check()?;
    stored::replace_calls(root)?;
    union_all::register(root, union_alls)?;
    inherit::expand(root)?;
    cancel::check()?;
    plan_sub_links(root)
}

/// Replaces the subqueries left in expressions by subplans.
fn plan_sub_links(root: &mut Root<'_, '_>) -> PgResult<()> {
    let mut stand_in = nodes::Query::new(CommandType::Select);
    if root.query.has_sub_links {
        // How many rows there are outside decides how a subquery runs.
        stand_in.range_table.clone_from(&root.query.range_table);
    }
    let mut query = std::mem::replace(&mut root.query, stand_in);
    let mut failure = None;
    query_walk::for_each_expr_mut(&mut query, &mut |e| {
        if failure.is_none() {
            if let Err(error) = plan_links_in(root, e) {
                failure = Some(error);
            }
        }
    });
    root.query = query;
    failure.map_or(Ok(()), Err)
}

/// Replaces the subqueries in an expression by subplans.
pub fn plan_links_in(root: &mut Root<'_, '_>, expr: &mut Expr) -> PgResult<()> {
    let mut failure = None;
    nodes::walk::rewrite(expr, &mut |e| {
        if let (Expr::SubLink(link), None) = (&*e, &failure) {
            match subplan::make_sub_plan(root, link) {
                Ok(plan) => *e = plan,
                Err(error) => failure = Some(error),
            }
        }
    });
    failure.map_or(Ok(()), Err)
}
