//! Subqueries in FROM: planned once it is known which conditions of the query around them they can test themselves.
//!
//! PG: `set_subquery_pathlist` in src/backend/optimizer/path/allpaths.c.

use std::rc::Rc;
use std::sync::Arc;

use common::{AttrNumber, PgResult};
use nodes::expr::{Expr, Var, VarSource};
use nodes::query::{Query, RteKind, SortGroupClause};
use nodes::relids::RelIds;

use crate::exprs::facts;
use crate::path::PathKey;
use crate::push_down::{self, Safety};
use crate::rel::{BaseKind, BaseRel};
use crate::root::{LateralParam, Root, plan_level};
use crate::upper::Planned;
use crate::upper::run_condition::{self, RunCondition};
use crate::{selectivity, subplan};

/// What is taken for the size of a subquery before it is planned.
const TUPLES_UNKNOWN: f64 = 1000.0;

/// Notes a subquery of the range table: what it takes from its siblings becomes parameters.
pub fn note(root: &mut Root<'_, '_>, base: &mut BaseRel, query: &Query) {
    let mut query = query.clone();
    for (param, value) in subplan::externalize(&mut query, root.global) {
        let relids = facts::relids(&value);
        base.lateral = base.lateral.union(&relids);
        root.lateral_params.push(LateralParam {
            param,
            value,
            relids,
            user: base.rt_index,
        });
    }
    base.tuples = TUPLES_UNKNOWN;
    base.kind = BaseKind::Unplanned(Rc::new(query));
}

/// Plans every subquery in FROM of the level, but for arms of UNION ALLs: their conditions are not known yet.
pub fn plan_all(root: &mut Root<'_, '_>) -> PgResult<()> {
    for i in 1..root.rels.len() {
        let base = root.rels[i].as_ref().and_then(|r| r.base.as_ref());
        if base.is_some_and(|b| b.append_parent.is_none()) {
            plan_subquery(root, i)?;
        }
    }
    Ok(())
}

/// Plans the subquery that a relation is, if it is one.
pub fn plan_subquery(root: &mut Root<'_, '_>, i: usize) -> PgResult<()> {
    let base = root.rels[i].as_ref().and_then(|r| r.base.as_ref());
    let Some(BaseKind::Unplanned(query)) = base.map(|b| &b.kind) else {
        return Ok(());
    };
    let mut query = Query::clone(query);
    let run_conditions = move_conditions(root, i, &mut query)?;
    drop_unused_columns(root, i, &mut query, &run_conditions)?;
    root.global.run_conditions = run_conditions;
    plan_one(root, i, query)
}

fn plan_one(root: &mut Root<'_, '_>, i: usize, query: Query) -> PgResult<()> {
    let fraction = fraction_for(root, &query);
    let planned = Rc::new(plan_level(root.global, query, fraction)?);
    if let Some(base) = root.rels[i].as_mut().and_then(|r| r.base.as_mut()) {
        base.tuples = planned.plan.cost.rows;
        base.kind = BaseKind::Subquery(planned.clone());
    }
    for n in root.needed.iter_mut().filter(|n| n.rel == i) {
        let column = usize::try_from(n.attno - 1).ok();
        if let Some(facts) = column.and_then(|c| planned.columns.get(c)) {
            n.width = facts.width;
        }
    }
    let restrictions = match root.rels[i].as_ref().and_then(|r| r.base.as_ref()) {
        Some(base) => base.restrictions.clone(),
        None => Vec::new(),
    };
    let estimated = restrictions.iter().map(|r| {
        let mut info = (**r).clone();
        info.selectivity = selectivity::clause(root, &info.clause, None);
        Rc::new(info)
    });
    let estimated: Vec<_> = estimated.collect();
    if let Some(base) = root.rels[i].as_mut().and_then(|r| r.base.as_mut()) {
        base.restrictions = estimated;
    }
    Ok(())
}

/// How much of the subquery's result the level wants: what is wanted of its own, if nothing stands between that reads all.
fn fraction_for(root: &Root<'_, '_>, sub: &Query) -> f64 {
    let q = &root.query;
    let reads_all = q.has_aggs
        || !q.group_clause.is_empty()
        || !q.grouping_sets.is_empty()
        || q.having.is_some()
        || !q.distinct_clause.is_empty()
        || !q.sort_clause.is_empty()
        || root.all_rels.len() > 1;
    // A sort in the subquery would take the number for its own limit.
    if reads_all || !sub.sort_clause.is_empty() {
        0.0
    } else {
        root.tuple_fraction
    }
}

/// Conditions that the subquery can test become part of it; those that its windows can test are returned.
fn move_conditions(root: &mut Root<'_, '_>, i: usize, query: &mut Query) -> PgResult<Vec<RunCondition>> {
    let catalog = root.context().catalog;
    let mut run_conditions = Vec::new();
    let RteKind::Subquery { security_barrier, .. } = root.query.rte(i).kind else {
        return Ok(run_conditions);
    };
    let base = root.rels[i].as_mut().and_then(|r| r.base.as_mut());
    let restrictions = base.map(|b| std::mem::take(&mut b.restrictions));
    let Some(restrictions) = restrictions.filter(|r| !r.is_empty()) else {
        return Ok(run_conditions);
    };
    let mut kept = Vec::new();
    match Safety::of(query, security_barrier, catalog)? {
        Some(safety) => {
            for info in restrictions {
                if safety.allows(&info.clause, i, catalog)? {
                    push_down::push(query, &info.clause, i);
                    continue;
                }
                let found = match security_barrier {
                    true => None,
                    false => run_condition::find(root, i, query, &info.clause)?,
                };
                if found.as_ref().is_none_or(|f| f.keeps_original) {
                    kept.push(info);
                }
                run_conditions.extend(found.map(|f| f.run));
            }
        }
        None => kept = restrictions,
    }
    if let Some(base) = root.rels[i].as_mut().and_then(|r| r.base.as_mut()) {
        base.restrictions = kept;
    }
    Ok(run_conditions)
}

/// Columns that nobody reads are not computed: they become NULL.
///
/// PG: `remove_unused_subquery_outputs`.
fn drop_unused_columns(
    root: &Root<'_, '_>,
    i: usize,
    query: &mut Query,
    run_conditions: &[RunCondition],
) -> PgResult<()> {
    if query.set_operations.is_some() || !query.distinct_clause.is_empty() || query.range_table.is_empty() {
        return Ok(());
    }
    let mut used = RelIds::empty();
    let mut whole_row = false;
    let base = root.rels[i].as_ref().and_then(|r| r.base.as_ref());
    let restrictions = base.map_or(&[][..], |b| &b.restrictions);
    let needed = root.needed.iter().filter(|n| n.rel == i);
    let needed = needed.flat_map(crate::rel::NeededVar::attnos);
    let mut attnos: Vec<AttrNumber> = needed.collect();
    attnos.extend(run_conditions.iter().map(|r| r.column));
    for info in restrictions {
        let mut vars = Vec::new();
        facts::vars(&info.clause, false, &mut vars);
        attnos.extend(vars.iter().filter_map(|e| match e {
            Expr::Var(v) if facts::var_rel(v) == Some(i) => Some(v.attno),
            _ => None,
        }));
    }
    for attno in attnos {
        match usize::try_from(attno) {
            Ok(n @ 1..) => used.insert(n),
            _ => whole_row = true,
        }
    }
    if whole_row {
        return Ok(());
    }
    let catalog = root.context().catalog;
    for (n, column) in query.target_list.iter_mut().filter(|t| !t.resjunk).enumerate() {
        let kept = used.contains(n + 1)
            || column.sort_group_ref != 0
            || matches!(column.expr, Expr::Const(_))
            || facts::contains_srf(&column.expr)
            || facts::is_volatile(&column.expr, catalog)?;
        if !kept {
            column.expr = Expr::null_const(column.expr.type_ref(), column.expr.collation());
        }
    }
    Ok(())
}

/// What is known of an output column of a planned level.
#[derive(Clone, Debug, Default)]
pub struct ColumnFacts {
    /// Statistics of the table column that it is.
    pub statistics: Option<Arc<catalog::view::ColumnStatistics>>,
    /// No value comes twice.
    pub unique: bool,
    /// Average width.
    pub width: i32,
}

impl ColumnFacts {
    /// Of all output columns of a level that has been planned.
    ///
    /// PG: `examine_simple_variable`.
    pub fn of_level(root: &Root<'_, '_>) -> Vec<ColumnFacts> {
        let q = &root.query;
        let opaque = q.set_operations.is_some() || !q.grouping_sets.is_empty();
        let merged = match q.distinct_clause.is_empty() {
            true => &q.group_clause,
            false => &q.distinct_clause,
        };
        let facts_of = |t: &nodes::query::TargetEntry| ColumnFacts {
            statistics: match &t.expr {
                Expr::Var(_) if !opaque && merged.is_empty() => selectivity::stats_of(root, &t.expr),
                _ => None,
            },
            unique: match (&merged[..], opaque) {
                ([only], false) => only.target_ref == t.sort_group_ref,
                ([], false) => selectivity::is_unique_column(root, &t.expr),
                _ => false,
            },
            width: super::expr_width(root, &t.expr),
        };
        q.output_columns().map(facts_of).collect()
    }
}

/// Columns that together no two rows of a query's result share; empty: the result is a single row.
///
/// PG: `query_is_distinct_for`.
pub fn distinct_columns(query: &Query) -> Option<Vec<AttrNumber>> {
    let columns: Vec<_> = query.output_columns().collect();
    let place = |clause: &SortGroupClause| {
        let at = columns
            .iter()
            .position(|t| t.sort_group_ref == clause.target_ref)?;
        AttrNumber::try_from(at + 1).ok()
    };
    if !query.distinct_clause.is_empty() {
        return query.distinct_clause.iter().map(place).collect();
    }
    if query.has_target_srfs {
        return None;
    }
    if let Some(tree) = &query.set_operations {
        use nodes::query::SetOperation::Op;
        return match &**tree {
            Op { all: false, .. } => (1..=columns.len())
                .map(|n| AttrNumber::try_from(n).ok())
                .collect(),
            _ => None,
        };
    }
    if !query.grouping_sets.is_empty() {
        return None;
    }
    if !query.group_clause.is_empty() {
        return query.group_clause.iter().map(place).collect();
    }
    (query.has_aggs || query.having.is_some()).then(Vec::new)
}

/// The order of a subquery's output, in terms of this level's columns.
pub fn output_keys(root: &mut Root<'_, '_>, rt_index: usize, planned: &Planned) -> Vec<PathKey> {
    let mut keys: Vec<PathKey> = Vec::new();
    for key in &planned.keys {
        let columns = &root.query.rte(rt_index).columns;
        let Some(column) = columns.get(key.column as usize - 1).cloned() else {
            break;
        };
        let Ok(Some((family, descending))) = crate::equivalence::sort_op_family(root, key.sort_op) else {
            break;
        };
        let var = Expr::Var(Var {
            source: VarSource::Rel {
                index: rt_index,
                levels_up: 0,
            },
            attno: key.column,
            type_ref: column.type_ref,
            collation: column.collation,
            nulling_rels: RelIds::empty(),
            returning: Default::default(),
            span: common::Span::NONE,
        });
        let Some(expr) = root.translate_up(&var) else {
            break;
        };
        keys.push(crate::equivalence::path_key(
            root,
            &expr,
            family,
            key.collation,
            descending,
            key.nulls_first,
        ));
    }
    keys
}
