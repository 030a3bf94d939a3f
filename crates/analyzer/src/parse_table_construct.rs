//! What JSON_TABLE and XMLTABLE share: a construct in FROM whose expression yields rows of known columns.

use std::sync::Arc;

use common::{Oid, PgResult, Span, pg_err};
use nodes::Expr;
use nodes::query::{RangeTblFunction, RteColumn};
use parser::ast;
use types::settings::TypeRef;

use crate::kind::ExprKind;
use crate::state::{Analyzer, NsItem};
use crate::walk::find_var_of_level;

/// Such a construct as written.
pub(crate) struct TableConstruct<'t> {
    /// In messages: `JSON_TABLE`.
    pub word: &'static str,
    /// Its name without an alias: `json_table`.
    pub name: &'static str,
    pub alias: &'t Option<Box<ast::Alias>>,
    pub lateral: bool,
    pub span: Span,
}

impl Analyzer<'_> {
    /// Adds a construct to FROM; `make` gives its expression and its columns.
    pub(crate) fn table_construct(
        &mut self,
        t: &TableConstruct<'_>,
        make: impl FnOnce(&mut Self) -> PgResult<(Expr, Vec<(Arc<str>, TypeRef)>)>,
    ) -> PgResult<NsItem> {
        self.ps().lateral_active = true;
        let made = self.with_kind(ExprKind::FromFunction, make);
        self.ps().lateral_active = false;
        let (mut expr, columns) = made?;
        self.assign_expr_collations(&mut expr)?;
        let lateral = t.lateral || find_var_of_level(&expr, 0).is_some();
        if let Some(a) = t.alias.as_ref().filter(|a| a.columns.len() > columns.len()) {
            return Err(pg_err!(
                INVALID_COLUMN_REFERENCE,
                "{} function has {} columns available but {} columns specified",
                t.word,
                columns.len(),
                a.columns.len()
            ));
        }
        let mut names = Vec::with_capacity(columns.len());
        let mut rte_columns = Vec::with_capacity(columns.len());
        let mut column_defs: Vec<(Arc<str>, TypeRef, Oid)> = Vec::with_capacity(columns.len());
        for (name, type_ref) in columns {
            let collation = self.type_collation(type_ref.oid)?;
            names.push(Arc::clone(&name));
            column_defs.push((name, type_ref, collation));
            rte_columns.push(RteColumn { type_ref, collation });
        }
        let function = RangeTblFunction {
            expr,
            column_count: column_defs.len(),
            column_defs,
        };
        let range = ast::RangeFunction {
            lateral,
            ordinality: false,
            is_rowsfrom: false,
            functions: Vec::new(),
            alias: t.alias.clone(),
            coldeflist: Vec::new(),
            span: t.span,
        };
        let name = t.alias.as_ref().map_or(t.name, |a| a.name.as_str());
        self.add_functions(vec![function], names, rte_columns, &range, name, lateral)
    }
}
