//! After analysis: every column outside an aggregate must be grouped.
//!
//! PG: src/backend/parser/parse_agg.c (`parseCheckAggregates`, `check_ungrouped_columns`), catalog/pg_constraint.c
//! (`check_functional_grouping`).

use std::sync::Arc;

use common::error::ErrorExt;
use common::{AttrNumber, Oid, PgError, PgResult, Span, pg_err};
use nodes::expr::{Var, VarSource};
use nodes::query::{GroupingSet, RangeTblEntry, RteKind};
use nodes::walk::for_each_child;
use nodes::{Expr, Query};

use crate::sort_group::entry_of_ref;
use crate::state::Analyzer;
use crate::walk::{equal, for_each_expr};

const GROUPING_SETS_MAX: usize = 4096;

/// A grouping expression with its reference number.
struct Grouped {
    target_ref: u32,
    expr: Expr,
    /// Grouped in every grouping set, so that dependent columns may follow.
    common: bool,
}

struct Check<'c, 'a> {
    analyzer: &'c Analyzer<'a>,
    range_table: &'c [RangeTblEntry],
    grouped: Vec<Grouped>,
    /// Range table entries whose primary key is grouped.
    dependent: Vec<usize>,
    in_direct_args: bool,
}

impl Analyzer<'_> {
    /// Checks the query's target list and HAVING against its GROUP BY.
    pub fn check_aggregates(&mut self, q: &mut Query) -> PgResult<()> {
        let sets = expand_grouping_sets(&q.grouping_sets)?;
        let mut grouped = Vec::new();
        for g in &q.group_clause {
            let entry = entry_of_ref(&q.target_list, g.target_ref)?;
            let mut expr = entry.expr.clone();
            flatten_joins(&mut expr, &q.range_table);
            grouped.push(Grouped {
                target_ref: g.target_ref,
                expr,
                common: sets.iter().all(|s| s.contains(&g.target_ref)),
            });
        }
        let range_table = q.range_table.clone();
        let mut check = Check {
            analyzer: self,
            range_table: &range_table,
            grouped,
            dependent: Vec::new(),
            in_direct_args: false,
        };
        for t in &mut q.target_list {
            check.set_grouping_refs(&mut t.expr)?;
            check.clause(&t.expr)?;
        }
        if let Some(h) = &mut q.having {
            check.set_grouping_refs(h)?;
            check.clause(h)?;
        }
        let recursive = q.range_table.iter().any(|r| {
            matches!(
                r.kind,
                RteKind::Cte {
                    self_reference: true,
                    ..
                }
            )
        });
        if q.has_aggs && recursive {
            let span = q
                .target_list
                .iter()
                .map(|t| &t.expr)
                .chain(&q.having)
                .find_map(|e| crate::walk::find_aggregate(e, 0));
            return Err(pg_err!(
                INVALID_RECURSION,
                "aggregate functions are not allowed in a recursive query's recursive term"
            )
            .at(span.unwrap_or(Span::NONE)));
        }
        Ok(())
    }
}

impl Check<'_, '_> {
    fn clause(&mut self, expr: &Expr) -> PgResult<()> {
        let mut flat = expr.clone();
        flatten_joins(&mut flat, self.range_table);
        self.expr(&flat, 0)
    }

    fn expr(&mut self, e: &Expr, depth: usize) -> PgResult<()> {
        match e {
            Expr::Const(_) | Expr::Param(_) => return Ok(()),
            Expr::Aggref(a) => {
                if a.levels_up == depth {
                    // Arguments are free; direct arguments of ordered-set aggregates are not.
                    let saved = std::mem::replace(&mut self.in_direct_args, true);
                    for d in &a.direct_args {
                        self.expr(d, depth)?;
                    }
                    self.in_direct_args = saved;
                    return Ok(());
                }
                if a.levels_up > depth {
                    return Ok(());
                }
            }
            Expr::GroupingFunc(g) if g.levels_up >= depth => return Ok(()),
            _ => {}
        }
        if depth == 0 && !matches!(e, Expr::Var(_)) && self.grouped.iter().any(|g| equal(&g.expr, e)) {
            return Ok(());
        }
        if let Expr::Var(v) = e {
            return self.var(v, depth);
        }
        let mut children = Vec::new();
        for_each_child(e, &mut |c| children.push(c));
        for c in children {
            self.expr(c, depth)?;
        }
        if let Expr::SubLink(s) = e {
            self.query(&s.query, depth + 1)?;
        }
        Ok(())
    }

    fn query(&mut self, q: &Query, depth: usize) -> PgResult<()> {
        for cte in &q.ctes {
            self.query(&cte.query, depth + 1)?;
        }
        for rte in &q.range_table {
            if let RteKind::Subquery { query, .. } = &rte.kind {
                self.query(query, depth + 1)?;
            }
        }
        let mut exprs = Vec::new();
        for_each_expr(q, &mut |e| exprs.push(e));
        for e in exprs {
            let mut copy = e.clone();
            if depth > 0 {
                flatten_outer_joins(&mut copy, self.range_table, depth);
            }
            self.expr(&copy, depth)?;
        }
        Ok(())
    }

    fn var(&mut self, v: &Var, depth: usize) -> PgResult<()> {
        let VarSource::Rel { index, levels_up } = v.source else {
            return Ok(());
        };
        if levels_up != depth {
            return Ok(());
        }
        let is_grouped = self.grouped.iter().any(|g| match &g.expr {
            Expr::Var(x) => x.attno == v.attno && x.source == VarSource::Rel { index, levels_up: 0 },
            _ => false,
        });
        if is_grouped || self.dependent.contains(&index) {
            return Ok(());
        }
        let Some(rte) = self.range_table.get(index - 1) else {
            return Ok(());
        };
        if let RteKind::Relation { relation, .. } = rte.kind
            && self.key_is_grouped(relation, index)?
        {
            self.dependent.push(index);
            return Ok(());
        }
        Err(self.ungrouped(rte, v, depth))
    }

    fn ungrouped(&self, rte: &RangeTblEntry, v: &Var, depth: usize) -> Box<PgError> {
        let column = column_name(rte, v.attno);
        let name = format!("{}.{column}", rte.eref.name);
        if depth > 0 {
            return pg_err!(
                GROUPING_ERROR,
                "subquery uses ungrouped column \"{name}\" from outer query"
            )
            .at(v.span);
        }
        let e = pg_err!(
            GROUPING_ERROR,
            "column \"{name}\" must appear in the GROUP BY clause or be used in an aggregate function"
        )
        .at(v.span);
        if self.in_direct_args {
            e.detail("Direct arguments of an ordered-set aggregate must use only grouped columns.")
        } else {
            e
        }
    }

    /// All columns of the relation's primary key are grouped.
    fn key_is_grouped(&self, relation: Oid, index: usize) -> PgResult<bool> {
        let Some(rel) = self.analyzer.cx.catalog.relation(relation)? else {
            return Ok(false);
        };
        let Some(key) = rel.constraints.iter().find(|c| c.kind == b'p' && !c.deferrable) else {
            return Ok(false);
        };
        let has = |attno: &AttrNumber| {
            self.grouped.iter().any(|g| {
                g.common
                    && matches!(&g.expr, Expr::Var(x)
                        if x.attno == *attno && x.source == VarSource::Rel { index, levels_up: 0 })
            })
        };
        Ok(key.columns.iter().all(has))
    }

    /// Finds the grouping expressions that GROUPING's arguments mean.
    fn set_grouping_refs(&self, e: &mut Expr) -> PgResult<()> {
        let mut result = Ok(());
        nodes::walk::rewrite(e, &mut |x| {
            let Expr::GroupingFunc(g) = x else { return };
            if g.levels_up != 0 || result.is_err() {
                return;
            }
            g.refs.clear();
            for a in &g.args {
                let mut flat = a.clone();
                flatten_joins(&mut flat, self.range_table);
                match self.grouped.iter().find(|k| equal(&k.expr, &flat)) {
                    Some(k) => g.refs.push(k.target_ref),
                    None => {
                        result = Err(pg_err!(
                            GROUPING_ERROR,
                            "arguments to GROUPING must be grouping expressions of the associated query level"
                        )
                        .at(a.span()));
                    }
                }
            }
        });
        result
    }
}

fn column_name(rte: &RangeTblEntry, attno: AttrNumber) -> Arc<str> {
    match attno {
        0 => "*".into(),
        -1 => "ctid".into(),
        -2 => "xmin".into(),
        -3 => "cmin".into(),
        -4 => "xmax".into(),
        -5 => "cmax".into(),
        -6 => "tableoid".into(),
        n => rte
            .eref
            .columns
            .get((n.max(1) - 1) as usize)
            .cloned()
            .unwrap_or_else(|| "?".into()),
    }
}

/// Replaces merged join columns by what they stand for.
fn flatten_joins(e: &mut Expr, range_table: &[RangeTblEntry]) {
    flatten_outer_joins(e, range_table, 0);
}

fn flatten_outer_joins(e: &mut Expr, range_table: &[RangeTblEntry], depth: usize) {
    nodes::walk::rewrite(e, &mut |x| {
        let Expr::Var(v) = x else { return };
        let VarSource::Rel { index, levels_up } = v.source else {
            return;
        };
        if levels_up != depth || v.attno <= 0 {
            return;
        }
        if let Some(RangeTblEntry {
            kind: RteKind::Join { alias_vars, .. },
            ..
        }) = range_table.get(index.wrapping_sub(1))
            && let Some(inner) = alias_vars.get((v.attno - 1) as usize)
        {
            let span = v.span;
            let mut inner = inner.clone();
            if depth > 0 {
                nodes::walk::rewrite(&mut inner, &mut |y| {
                    if let Expr::Var(w) = y
                        && let VarSource::Rel { levels_up, .. } = &mut w.source
                    {
                        *levels_up += depth;
                    }
                });
            }
            if let Expr::Var(w) = &mut inner {
                w.span = span;
            }
            flatten_outer_joins(&mut inner, range_table, depth);
            *x = inner;
        }
    });
}

/// The grouping sets written out; empty when there are none.
fn expand_grouping_sets(sets: &[GroupingSet]) -> PgResult<Vec<Vec<u32>>> {
    if sets.is_empty() {
        return Ok(Vec::new());
    }
    let mut all: Vec<Vec<u32>> = vec![Vec::new()];
    for s in sets {
        let parts = expand_one(s);
        if all.len() * parts.len() > GROUPING_SETS_MAX {
            return Err(pg_err!(
                STATEMENT_TOO_COMPLEX,
                "too many grouping sets present (maximum {GROUPING_SETS_MAX})"
            ));
        }
        let mut next = Vec::with_capacity(all.len() * parts.len());
        for a in &all {
            for p in &parts {
                let mut joined = a.clone();
                joined.extend(p.iter().filter(|r| !a.contains(r)));
                next.push(joined);
            }
        }
        all = next;
    }
    Ok(all)
}

fn expand_one(s: &GroupingSet) -> Vec<Vec<u32>> {
    match s {
        GroupingSet::Empty => vec![Vec::new()],
        GroupingSet::Simple(refs) => vec![refs.clone()],
        GroupingSet::Rollup(parts) => (0..=parts.len()).rev().map(|n| parts[..n].concat()).collect(),
        GroupingSet::Cube(parts) => (0..1usize << parts.len().min(12))
            .map(|mask| {
                parts
                    .iter()
                    .enumerate()
                    .filter(|(i, _)| mask >> i & 1 == 1)
                    .flat_map(|(_, p)| p.clone())
                    .collect()
            })
            .collect(),
        GroupingSet::Sets(sets) => sets.iter().flat_map(expand_one).collect(),
    }
}
