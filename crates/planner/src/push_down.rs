//! Conditions of a query on one of its subqueries, moved into that subquery.
//!
//! PG: `subquery_is_pushdown_safe`, `qual_is_pushdown_safe` and `subquery_push_qual` in src/backend/optimizer/path/allpaths.c.
//!
//! # How it works
//! 1. [`Safety::of`] looks at the subquery once: whether anything may move into it, and which of its columns a condition must not use.
//! 2. Each condition that passes [`Safety::allows`] is rewritten in terms of the subquery's target list and becomes part of its WHERE,
//!    or of its HAVING where it groups, in each arm of a set operation ([`push`]).
//!
//! # Invariants
//! - A condition removes the same rows inside as it would outside: it never sees rows that the subquery would have merged, limited or
//!   numbered first.

use std::sync::Arc;

use catalog::CatalogView;
use common::{AttrNumber, Oid, PgResult};
use nodes::expr::{Expr, VarSource};
use nodes::query::{Query, RteKind, SetOp, SetOperation, SortGroupClause, TargetEntry};
use nodes::walk;

use crate::exprs::facts;
use crate::prep::and_of;

/// What must not move into a subquery.
pub struct Safety {
    /// By column: conditions on it stay outside.
    unsafe_columns: Vec<bool>,
    /// Volatile conditions stay outside.
    volatile: bool,
    /// Conditions that could tell of rows which the view hides stay outside.
    leaky: bool,
}

impl Safety {
    /// The facts of a subquery; `None`: no condition may move into it.
    pub fn of(query: &Query, security_barrier: bool, catalog: &dyn CatalogView) -> PgResult<Option<Safety>> {
        let mut safety = Safety {
            unsafe_columns: vec![false; query.output_columns().count()],
            volatile: false,
            leaky: security_barrier,
        };
        let safe = safety.look_at(query, None, catalog)?;
        Ok(safe.then_some(safety))
    }

    /// `top`: the target list of the set operation of which the query is an arm.
    fn look_at(
        &mut self,
        query: &Query,
        top: Option<&[TargetEntry]>,
        catalog: &dyn CatalogView,
    ) -> PgResult<bool> {
        if query.limit_offset.is_some() || query.limit_count.is_some() || !query.grouping_sets.is_empty() {
            return Ok(false);
        }
        self.volatile |= !query.distinct_clause.is_empty() || query.has_window_funcs || query.has_target_srfs;
        match (&query.set_operations, top) {
            (None, None) => self.look_at_columns(query, catalog)?,
            (None, Some(top)) => {
                self.look_at_columns(query, catalog)?;
                let columns = query.output_columns().zip(top);
                for ((own, above), is_unsafe) in columns.zip(&mut self.unsafe_columns) {
                    *is_unsafe |= own.expr.type_oid() != above.expr.type_oid();
                }
            }
            (Some(tree), None) => return self.look_at_arms(query, tree, catalog),
            (Some(_), Some(_)) => return Ok(false),
        }
        Ok(true)
    }

    fn look_at_arms(
        &mut self,
        top: &Query,
        tree: &SetOperation,
        catalog: &dyn CatalogView,
    ) -> PgResult<bool> {
        match tree {
            SetOperation::Rel(index) => match &top.rte(*index).kind {
                RteKind::Subquery { query, .. } => self.look_at(query, Some(&top.target_list), catalog),
                _ => Ok(false),
            },
            // What is true of a row on the right of EXCEPT is not true of the rows that it removes.
            SetOperation::Op {
                op: SetOp::Except, ..
            }
            | SetOperation::Coerce { .. } => Ok(false),
            SetOperation::Op { left, right, .. } => {
                Ok(self.look_at_arms(top, left, catalog)? && self.look_at_arms(top, right, catalog)?)
            }
        }
    }

    /// PG: `check_output_expressions`.
    fn look_at_columns(&mut self, query: &Query, catalog: &dyn CatalogView) -> PgResult<()> {
        for (column, is_unsafe) in query.output_columns().zip(&mut self.unsafe_columns) {
            let listed = |clauses: &[SortGroupClause]| {
                clauses
                    .iter()
                    .any(|c| c.target_ref == column.sort_group_ref && c.target_ref != 0)
            };
            *is_unsafe |= query.has_target_srfs && facts::contains_srf(&column.expr)
                || facts::is_volatile(&column.expr, catalog)?
                || query.has_distinct_on && !listed(&query.distinct_clause)
                || query.has_window_funcs && !query.window_clause.iter().all(|w| listed(&w.partition));
        }
        Ok(())
    }

    /// Whether a condition on the entry may move into its subquery.
    pub fn allows(&self, condition: &Expr, rt_index: usize, catalog: &dyn CatalogView) -> PgResult<bool> {
        if walk::any(condition, &mut |e| {
            matches!(e, Expr::SubPlan(_) | Expr::SubLink(_))
        }) || self.volatile && facts::is_volatile(condition, catalog)?
            || self.leaky && leaks(condition, catalog)?
        {
            return Ok(false);
        }
        let mut vars = Vec::new();
        facts::vars(condition, false, &mut vars);
        let safe = |e: &&Expr| {
            matches!(e, Expr::Var(v) if facts::var_rel(v) == Some(rt_index)
                && v.attno > 0
                && self.unsafe_columns.get(v.attno as usize - 1) == Some(&false))
        };
        Ok(!vars.is_empty() && vars.iter().all(safe))
    }
}

/// Whether a condition hands values of columns to a function that may show them to its user.
///
/// PG: `contain_leaked_vars`.
fn leaks(condition: &Expr, catalog: &dyn CatalogView) -> PgResult<bool> {
    let mut failure = None;
    let mut proof = |func: Oid| match catalog.function(func) {
        Ok(found) => found.is_some_and(|f| f.leakproof),
        Err(error) => {
            failure = Some(error);
            false
        }
    };
    let found = walk::any(condition, &mut |e| {
        let harmless = match e {
            Expr::Func(f) | Expr::NullIf(f) => proof(f.func),
            Expr::Distinct(d) => proof(d.equality.func),
            Expr::ScalarArrayOp(s) => proof(s.func),
            Expr::Const(_)
            | Expr::Var(_)
            | Expr::Param(_)
            | Expr::Bool(_)
            | Expr::Case(_)
            | Expr::CaseTest(_)
            | Expr::Coalesce(_)
            | Expr::NullTest(_)
            | Expr::BooleanTest(_)
            | Expr::SqlValueFunction(_)
            | Expr::Relabel(_)
            | Expr::Collate(_)
            | Expr::Array(_)
            | Expr::Row(_)
            | Expr::FieldSelect(_)
            | Expr::FieldStore(_)
            | Expr::NextValue { .. }
            | Expr::CurrentOf { .. } => true,
            _ => false,
        };
        !harmless && !facts::relids(e).is_empty()
    });
    failure.map_or(Ok(found), Err)
}

/// Makes a condition on the entry part of its subquery.
pub fn push(query: &mut Query, condition: &Expr, rt_index: usize) {
    if let Some(tree) = query.set_operations.clone() {
        return push_into_arms(query, &tree, condition, rt_index);
    }
    let columns: Vec<Expr> = query.output_columns().map(|t| t.expr.clone()).collect();
    let mut condition = condition.clone();
    walk::rewrite(&mut condition, &mut |e| {
        let Expr::Var(v) = e else { return };
        let own = matches!(v.source, VarSource::Rel { index, levels_up: 0 } if index == rt_index);
        if own && let Some(column) = column_at(&columns, v.attno) {
            *e = column.clone();
        }
    });
    let groups = query.has_aggs
        || !query.group_clause.is_empty()
        || !query.grouping_sets.is_empty()
        || query.having.is_some();
    let place = match groups {
        true => &mut query.having,
        false => &mut query.join_tree.quals,
    };
    *place = and_of(place.take().into_iter().chain([condition]).collect());
}

fn column_at(columns: &[Expr], attno: AttrNumber) -> Option<&Expr> {
    columns.get(usize::try_from(attno).ok()?.checked_sub(1)?)
}

fn push_into_arms(query: &mut Query, tree: &SetOperation, condition: &Expr, rt_index: usize) {
    match tree {
        SetOperation::Rel(index) => {
            if let RteKind::Subquery { query: arm, .. } = &mut query.range_table[*index - 1].kind {
                push(Arc::make_mut(arm), condition, rt_index);
            }
        }
        SetOperation::Op { left, right, .. } => {
            push_into_arms(query, left, condition, rt_index);
            push_into_arms(query, right, condition, rt_index);
        }
        SetOperation::Coerce { input, .. } => push_into_arms(query, input, condition, rt_index),
    }
}
