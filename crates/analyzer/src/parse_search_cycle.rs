//! SEARCH and CYCLE of recursive WITH queries. What they add to the query comes at planning.
//!
//! PG: src/backend/parser/parse_cte.c (`analyzeCTE`).

use std::sync::Arc;

use common::error::ErrorExt;
use common::{PgResult, Span, pg_err};
use nodes::query::{CommonTableExpr, CteCycle, CteSearch, SetOperation};
use parser::ast;
use types::settings::TypeRef;

use crate::kind::ExprKind;
use crate::parse_coerce::select_common_typmod;
use crate::state::Analyzer;

/// The clauses of a WITH query, analyzed.
pub(crate) type Clauses = (Option<Box<CteSearch>>, Option<Box<CteCycle>>);

fn names(columns: &[ast::Ident]) -> Vec<Arc<str>> {
    columns.iter().map(|c| Arc::from(c.as_str())).collect()
}

impl Analyzer<'_> {
    /// What must be known before the query itself is analyzed: it may name the columns that its clauses add.
    pub(crate) fn cte_clauses(&mut self, raw: &ast::CommonTableExpr, recursive: bool) -> PgResult<Clauses> {
        if raw.search.is_none() && raw.cycle.is_none() {
            return Ok((None, None));
        }
        if !recursive {
            return Err(pg_err!(SYNTAX_ERROR, "WITH query is not recursive").at(raw.span));
        }
        let search = raw.search.as_ref().map(|s| {
            Box::new(CteSearch {
                columns: names(&s.columns),
                breadth_first: s.breadth_first,
                sequence_column: s.seq_column.as_str().into(),
            })
        });
        let cycle = match &raw.cycle {
            Some(c) => Some(Box::new(self.cycle_clause(c)?)),
            None => None,
        };
        Ok((search, cycle))
    }

    fn cycle_clause(&mut self, c: &ast::CteCycleClause) -> PgResult<CteCycle> {
        let value = self.with_kind(ExprKind::CycleMark, |a| a.expr(&c.mark_value))?;
        let default = self.with_kind(ExprKind::CycleMark, |a| a.expr(&c.mark_default))?;
        let types = [
            (value.type_oid(), value.span()),
            (default.type_oid(), default.span()),
        ];
        let common = self.select_common_type(&types, Some("CYCLE"))?;
        let value = self.coerce_to_common_type(value, common, "CYCLE/SET/TO")?;
        let default = self.coerce_to_common_type(default, common, "CYCLE/SET/DEFAULT")?;
        let typmod = select_common_typmod(&[value.type_ref(), default.type_ref()], common);
        let mut both = [value, default];
        let mark_collation = self.select_common_collation(&mut both, true)?;
        let [mark_value, mark_default] = both;
        let missing = |what: &str| {
            let of = self.format_type(common);
            pg_err!(
                UNDEFINED_FUNCTION,
                "could not identify an {what} operator for type {of}"
            )
        };
        let eq = self.sort_group_operators(common)?.eq;
        if !eq.is_valid() {
            return Err(missing("equality"));
        }
        let mark_neop = self.operator(eq)?.negator;
        if !mark_neop.is_valid() {
            return Err(missing("inequality"));
        }
        Ok(CteCycle {
            columns: names(&c.columns),
            mark_column: c.mark_column.as_str().into(),
            mark_value,
            mark_default,
            mark_type: TypeRef { oid: common, typmod },
            mark_collation,
            mark_neop,
            path_column: c.path_column.as_str().into(),
        })
    }
}

/// Checks the clauses of a WITH query whose columns are known.
pub(crate) fn check_clauses(raw: &ast::CommonTableExpr, cte: &CommonTableExpr) -> PgResult<()> {
    if raw.search.is_none() && raw.cycle.is_none() {
        return Ok(());
    }
    if let Some(SetOperation::Op { left, right, .. }) = cte.query.set_operations.as_deref() {
        for (side, term) in [("left", left), ("right", right)] {
            if !matches!(term.as_written(), SetOperation::Rel(_)) {
                return Err(pg_err!(
                    FEATURE_NOT_SUPPORTED,
                    "with a SEARCH or CYCLE clause, the {side} side of the UNION must be a SELECT"
                ));
            }
        }
    }
    if let (Some(s), Some(raw)) = (&cte.search, &raw.search) {
        check_columns(cte, "search", &s.columns, raw.span)?;
        check_new(cte, "search sequence", &s.sequence_column, raw.span)?;
    }
    if let (Some(c), Some(raw)) = (&cte.cycle, &raw.cycle) {
        check_columns(cte, "cycle", &c.columns, raw.span)?;
        check_new(cte, "cycle mark", &c.mark_column, raw.span)?;
        check_new(cte, "cycle path", &c.path_column, raw.span)?;
        check_different(
            ("cycle mark", &c.mark_column),
            ("cycle path", &c.path_column),
            raw.span,
        )?;
    }
    if let (Some(s), Some(c), Some(raw)) = (&cte.search, &cte.cycle, &raw.search) {
        let sequence = ("search sequence", &s.sequence_column);
        check_different(sequence, ("cycle mark", &c.mark_column), raw.span)?;
        check_different(sequence, ("cycle path", &c.path_column), raw.span)?;
    }
    Ok(())
}

fn check_columns(cte: &CommonTableExpr, what: &str, columns: &[Arc<str>], span: Span) -> PgResult<()> {
    for (k, name) in columns.iter().enumerate() {
        if !cte.column_names.contains(name) {
            return Err(pg_err!(
                SYNTAX_ERROR,
                "{what} column \"{name}\" not in WITH query column list"
            )
            .at(span));
        }
        if columns.iter().take(k).any(|before| before == name) {
            return Err(pg_err!(
                DUPLICATE_COLUMN,
                "{what} column \"{name}\" specified more than once"
            )
            .at(span));
        }
    }
    Ok(())
}

fn check_new(cte: &CommonTableExpr, what: &str, name: &Arc<str>, span: Span) -> PgResult<()> {
    if cte.column_names.contains(name) {
        return Err(pg_err!(
            SYNTAX_ERROR,
            "{what} column name \"{name}\" already used in WITH query column list"
        )
        .at(span));
    }
    Ok(())
}

fn check_different(a: (&str, &Arc<str>), b: (&str, &Arc<str>), span: Span) -> PgResult<()> {
    if a.1 == b.1 {
        return Err(pg_err!(
            SYNTAX_ERROR,
            "{} column name and {} column name are the same",
            a.0,
            b.0
        )
        .at(span));
    }
    Ok(())
}
