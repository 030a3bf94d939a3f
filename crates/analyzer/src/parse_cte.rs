//! WITH queries.
//!
//! PG: src/backend/parser/parse_cte.c.

use std::sync::Arc;

use common::error::ErrorExt;
use common::{PgResult, Span, pg_err};
use nodes::Query;
use nodes::query::{CommandType, CommonTableExpr, CteMaterialize, RteColumn};
use parser::ast;
use types::oids;
use types::settings::TypeRef;

use crate::parse_search_cycle::check_clauses;
use crate::raw_walk::{RecursionContext, find_references};
use crate::state::{Analyzer, FutureCte};

impl Analyzer<'_> {
    /// Analyzes the WITH clause of the query at hand.
    pub fn transform_with(&mut self, with: Option<&ast::WithClause>, q: &mut Query) -> PgResult<()> {
        let Some(with) = with else { return Ok(()) };
        for (i, c) in with.ctes.iter().enumerate() {
            if with.ctes[..i].iter().any(|o| o.name.as_str() == c.name.as_str()) {
                return Err(pg_err!(
                    DUPLICATE_ALIAS,
                    "WITH query name \"{}\" specified more than once",
                    c.name.as_str()
                )
                .at(c.span));
            }
            if !matches!(c.query, ast::Statement::Select(_)) {
                self.ps().has_modifying_cte = true;
            }
        }
        q.recursive = with.recursive;
        let plan = if with.recursive {
            recursive_order(&with.ctes)?
        } else {
            (0..with.ctes.len()).map(|i| (i, false)).collect()
        };
        self.ps().future_ctes = with
            .ctes
            .iter()
            .map(|c| FutureCte {
                name: Arc::from(c.name.as_str()),
            })
            .collect();
        for (i, recursive) in plan {
            let raw = &with.ctes[i];
            let made = self.analyze_cte(raw, recursive)?;
            let ps = self.ps();
            ps.future_ctes.retain(|f| &*f.name != raw.name.as_str());
            if recursive {
                let position = ps.ctes.len() - 1;
                ps.ctes[position] = made;
            } else {
                ps.ctes.push(made);
            }
        }
        Ok(())
    }

    fn analyze_cte(&mut self, raw: &ast::CommonTableExpr, recursive: bool) -> PgResult<CommonTableExpr> {
        let (search, cycle) = self.cte_clauses(raw, recursive)?;
        let placeholder = CommonTableExpr {
            name: Arc::from(raw.name.as_str()),
            materialized: match raw.materialized {
                ast::CteMaterialize::Default => CteMaterialize::Default,
                ast::CteMaterialize::Always => CteMaterialize::Always,
                ast::CteMaterialize::Never => CteMaterialize::Never,
            },
            query: Arc::new(Query::new(CommandType::Select)),
            column_names: raw.columns.iter().map(|c| Arc::from(c.as_str())).collect(),
            columns: Vec::new(),
            recursive,
            reference_count: 0,
            search,
            cycle,
            span: raw.span,
        };
        let parent = if recursive {
            self.ps().ctes.push(placeholder.clone());
            Some(self.cur().ctes.len() - 1)
        } else {
            None
        };
        let query = match &raw.query {
            ast::Statement::Select(s) => self.sub_analyze_select(s, parent, false)?,
            other => self.with_level(|a| a.optimizable(other))?,
        };
        if query.command != CommandType::Select && self.states.len() > 1 {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "WITH clause containing a data-modifying statement must be at the top level"
            )
            .at(raw.span));
        }
        let outputs: Vec<(Arc<str>, RteColumn, Span)> = query
            .output_columns()
            .map(|t| {
                (
                    t.name.clone().unwrap_or_else(|| "?column?".into()),
                    RteColumn {
                        type_ref: t.expr.type_ref(),
                        collation: t.expr.collation(),
                    },
                    t.expr.span(),
                )
            })
            .collect();
        let mut made = match parent {
            Some(position) => {
                let known = self.cur().ctes[position].clone();
                self.check_recursive_columns(&known, &outputs)?;
                known
            }
            None => {
                let mut made = placeholder;
                let list = outputs.into_iter().map(|(n, c, _)| (n, c)).collect();
                self.fill_cte_columns(&mut made, list)?;
                made
            }
        };
        made.query = Arc::new(query);
        check_clauses(raw, &made)?;
        Ok(made)
    }

    fn check_recursive_columns(
        &self,
        cte: &CommonTableExpr,
        outputs: &[(Arc<str>, RteColumn, Span)],
    ) -> PgResult<()> {
        for (i, ((_, out, span), known)) in outputs.iter().zip(&cte.columns).enumerate() {
            if out.type_ref != known.type_ref {
                return Err(pg_err!(
                    DATATYPE_MISMATCH,
                    "recursive query \"{}\" column {} has type {} in non-recursive term but type {} overall",
                    cte.name,
                    i + 1,
                    self.format_type_with_typmod(known.type_ref),
                    self.format_type_with_typmod(out.type_ref)
                )
                .hint("Cast the output of the non-recursive term to the correct type.")
                .at(*span));
            }
            if out.collation != known.collation {
                return Err(pg_err!(
                    COLLATION_MISMATCH,
                    "recursive query \"{}\" column {} has collation \"{}\" in non-recursive term but collation \"{}\" overall",
                    cte.name,
                    i + 1,
                    self.collation_shown(known.collation),
                    self.collation_shown(out.collation)
                )
                .hint("Use the COLLATE clause to set the collation of the non-recursive term.")
                .at(*span));
            }
        }
        Ok(())
    }

    /// Gives a WITH query its columns.
    pub fn set_cte_columns(
        &mut self,
        up: usize,
        position: usize,
        columns: Vec<(Arc<str>, RteColumn)>,
    ) -> PgResult<()> {
        let mut cte = self.level(up).ctes[position].clone();
        self.fill_cte_columns(&mut cte, columns)?;
        self.level_mut(up).ctes[position] = cte;
        Ok(())
    }

    fn fill_cte_columns(
        &self,
        cte: &mut CommonTableExpr,
        columns: Vec<(Arc<str>, RteColumn)>,
    ) -> PgResult<()> {
        let given = cte.column_names.len();
        if given > columns.len() {
            return Err(pg_err!(
                INVALID_COLUMN_REFERENCE,
                "WITH query \"{}\" has {} columns available but {given} columns specified",
                cte.name,
                columns.len()
            )
            .at(cte.span));
        }
        cte.columns.clear();
        for (i, (name, mut column)) in columns.into_iter().enumerate() {
            if i >= given {
                cte.column_names.push(name);
            }
            if cte.recursive && column.type_ref.oid == oids::UNKNOWN {
                column.type_ref = TypeRef::plain(oids::TEXT);
                column.collation = self.type_collation(oids::TEXT)?;
            }
            cte.columns.push(column);
        }
        Ok(())
    }
}

/// The order in which WITH RECURSIVE items can be analyzed, and which of them are recursive.
fn recursive_order(ctes: &[ast::CommonTableExpr]) -> PgResult<Vec<(usize, bool)>> {
    let names: Vec<&str> = ctes.iter().map(|c| c.name.as_str()).collect();
    let mut depends: Vec<Vec<usize>> = Vec::new();
    let mut recursive = Vec::new();
    for (i, c) in ctes.iter().enumerate() {
        let mut to: Vec<usize> = find_references(&c.query, &names).iter().map(|r| r.item).collect();
        to.sort_unstable();
        to.dedup();
        recursive.push(to.contains(&i));
        to.retain(|t| *t != i);
        depends.push(to);
    }
    let mut order: Vec<usize> = Vec::new();
    while order.len() < ctes.len() {
        let next =
            (0..ctes.len()).find(|i| !order.contains(i) && depends[*i].iter().all(|d| order.contains(d)));
        match next {
            Some(i) => order.push(i),
            None => {
                let stuck = (0..ctes.len()).find(|i| !order.contains(i)).unwrap_or(0);
                return Err(pg_err!(
                    FEATURE_NOT_SUPPORTED,
                    "mutual recursion between WITH items is not implemented"
                )
                .at(ctes[stuck].span));
            }
        }
    }
    for (i, c) in ctes.iter().enumerate() {
        if recursive[i] {
            check_well_formed(c)?;
        }
    }
    Ok(order.into_iter().map(|i| (i, recursive[i])).collect())
}

/// A recursive query is `non-recursive UNION [ALL] recursive`, with one self-reference in a plain place.
fn check_well_formed(cte: &ast::CommonTableExpr) -> PgResult<()> {
    let name = cte.name.as_str();
    let ast::Statement::Select(s) = &cte.query else {
        return Err(pg_err!(
            INVALID_RECURSION,
            "recursive query \"{name}\" must not contain data-modifying statements"
        )
        .at(cte.span));
    };
    let (ast::SetOperation::Union, Some(left), Some(right)) = (s.op, &s.larg, &s.rarg) else {
        return Err(pg_err!(
            INVALID_RECURSION,
            "recursive query \"{name}\" does not have the form non-recursive-term UNION [ALL] recursive-term"
        )
        .at(cte.span));
    };
    if let Some(w) = &s.with {
        for c in &w.ctes {
            if let Some(r) = find_references(&c.query, &[name]).first() {
                return Err(misplaced(name, "within a subquery", r.span));
            }
        }
    }
    let not_implemented = |what: &str, span: Span| {
        pg_err!(
            FEATURE_NOT_SUPPORTED,
            "{what} in a recursive query is not implemented"
        )
        .at(span)
    };
    if let Some(o) = s.sort_clause.first() {
        return Err(not_implemented("ORDER BY", o.node.location()));
    }
    if let Some(e) = &s.limit_offset {
        return Err(not_implemented("OFFSET", e.location()));
    }
    if let Some(e) = &s.limit_count {
        return Err(not_implemented("LIMIT", e.location()));
    }
    if !s.locking.is_empty() {
        return Err(not_implemented("FOR UPDATE/SHARE", Span::NONE));
    }
    if let Some(r) = find_references(&ast::Statement::Select(left.clone()), &[name]).first() {
        return Err(misplaced(name, "within its non-recursive term", r.span));
    }
    let mut seen = false;
    for r in find_references(&ast::Statement::Select(right.clone()), &[name]) {
        let place = match r.context {
            RecursionContext::Ok => None,
            RecursionContext::SubLink => Some("within a subquery"),
            RecursionContext::OuterJoin => Some("within an outer join"),
            RecursionContext::Intersect => Some("within INTERSECT"),
            RecursionContext::Except => Some("within EXCEPT"),
        };
        if let Some(place) = place {
            return Err(misplaced(name, place, r.span));
        }
        if seen {
            return Err(pg_err!(
                INVALID_RECURSION,
                "recursive reference to query \"{name}\" must not appear more than once"
            )
            .at(r.span));
        }
        seen = true;
    }
    Ok(())
}

fn misplaced(name: &str, place: &str, span: Span) -> Box<common::PgError> {
    pg_err!(
        INVALID_RECURSION,
        "recursive reference to query \"{name}\" must not appear {place}"
    )
    .at(span)
}
