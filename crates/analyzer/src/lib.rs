//! Floor 5: raw parse trees to [`nodes::Query`], by PostgreSQL's rules.
//!
//! PG: src/backend/parser, src/backend/rewrite. Files are named after PostgreSQL's.
//!
//! # How it works
//! 1. [`analyze`] makes an `Analyzer`: a stack of query levels (`state`), each with its range table and namespace.
//! 2. FROM fills the namespace (`parse_clause`, `parse_join`, `parse_cte`); names look it up (`column_ref`).
//! 3. Expressions come out typed (`parse_expr`, `expr_op`, `parse_func`, `parse_oper`, `parse_coerce`).
//! 4. At the end of each level: collations (`parse_collate`), grouping (`agg_check`).
//! 5. The rewriter step (`rewrite`) fills in defaults and replaces views by their queries.
//!
//! # Invariants
//! - The catalog is only seen through [`catalog::CatalogView`]; no expression is evaluated here but literals.
//! - Raw trees stop here: nothing above this crate needs them to plan or run a query.
//!
//! # Not here
//! Constant folding, inlining, anything about how to run a query (planner).

mod agg_check;
mod assign;
mod cast_call;
mod coerce_poly;
mod column_ref;
mod context;
pub mod definition;
mod expr_construct;
mod expr_op;
mod format_type;
mod func_candidates;
mod fuzzy;
mod inline;
mod insert;
mod kind;
mod literal;
mod modify;
mod params;
mod parse_agg;
mod parse_clause;
mod parse_coerce;
mod parse_collate;
mod parse_cte;
mod parse_expr;
mod parse_func;
mod parse_join;
mod parse_json;
mod parse_json_query;
mod parse_json_table;
mod parse_merge;
mod parse_oper;
mod parse_relation;
mod parse_row;
mod parse_search_cycle;
mod parse_table_construct;
mod parse_target;
mod parse_type;
mod parse_window;
mod parse_xml;
mod parse_xml_table;
mod raw_walk;
mod rewrite;
mod rewrite_view;
mod select;
mod setop;
mod sort_group;
pub mod sql_routine;
mod state;
mod subscript;
mod typmod;
pub mod utility;
pub mod variables;
mod walk;

use common::PgResult;
use nodes::Query;
use parser::ast::{self, Statement};

pub use context::{AnalyzeContext, ParamTypes, RoutineParam, RoutineScope};
pub use kind::ExprKind;
pub use parse_coerce::CoercionContext;

use crate::state::Analyzer;

/// Analyzes and rewrites SELECT, VALUES, INSERT, UPDATE, DELETE or MERGE. `source` is the statement string that the
/// spans of `stmt` point into. Inferred parameter types are left in `cx.params`.
pub fn analyze(stmt: &Statement, source: &str, cx: &AnalyzeContext<'_>) -> PgResult<Query> {
    let _ = source;
    let mut a = Analyzer::new(cx);
    let mut q = a.optimizable(stmt)?;
    params::check_inferred(&q, cx)?;
    a.rewrite_query(&mut q)?;
    Ok(q)
}

/// Analyzes without rewriting: the form in which CREATE VIEW stores a query, where views are still views.
pub fn analyze_for_storage(stmt: &Statement, cx: &AnalyzeContext<'_>) -> PgResult<Query> {
    let q = Analyzer::new(cx).optimizable(stmt)?;
    params::check_inferred(&q, cx)?;
    Ok(q)
}

impl Analyzer<'_> {
    /// One optimizable statement at the current level, not yet rewritten.
    pub(crate) fn optimizable(&mut self, stmt: &Statement) -> PgResult<Query> {
        match stmt {
            Statement::Select(s) => self.select_stmt(s),
            Statement::Insert(i) => self.insert_stmt(i),
            Statement::Update(u) => self.update_stmt(u),
            Statement::Delete(d) => self.delete_stmt(d),
            Statement::Merge(m) => self.merge_stmt(m),
            other => Err(common::internal!(
                "statement is not optimizable: {}",
                statement_word(other)
            )),
        }
    }
}

fn statement_word(stmt: &ast::Statement) -> String {
    let text = format!("{stmt:?}");
    text.split(['(', ' ']).next().unwrap_or("").to_string()
}
