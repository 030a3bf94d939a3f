//! FROM: names of range table entries and their columns, and what is printed for each.
//!
//! PG: ruleutils.c, `set_rtable_names`, `get_from_clause_item`, `get_variable`.

use std::collections::HashSet;
use std::sync::Arc;

use common::{AttrNumber, Oid, PgResult};
use nodes::expr::{CoercionForm, Var, VarSource};
use nodes::json::JsonExprKind;
use nodes::query::{JoinExpr, JoinTreeNode, JoinType, RangeTblEntry, RangeTblFunction, RteKind, TableSample};
use nodes::{Expr, Query};

use crate::deparse::query::Names;
use crate::deparse::{Implicit, Writer};
use crate::format_type::format_type;
use crate::names::{quote_identifier, quote_qualified};

/// The names in force inside one query.
pub(crate) struct Scope {
    pub query: Arc<Query>,
    /// One per range table entry; `None`: a join without a name.
    names: Vec<Option<String>>,
    /// Columns of every entry; `None`: dropped.
    columns: Vec<Vec<Option<Arc<str>>>>,
    /// Entries whose column names must be written behind the alias.
    print_columns: Vec<bool>,
    /// Columns are written with the name of their relation.
    qualify: bool,
}

impl Scope {
    /// No range table at all.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The name of an entry, by its 1-based index.
    pub fn name(&self, index: usize) -> Option<&str> {
        self.names.get(index.wrapping_sub(1))?.as_deref()
    }

    /// A column of an entry; `None` for the whole row.
    fn column_name(&self, index: usize, attno: AttrNumber) -> Option<Arc<str>> {
        match attno {
            0 => None,
            attno if attno < 0 => {
                let system = crate::builtin::rows::SYSTEM_COLUMNS.iter().find(|c| c.2 == attno);
                system.map(|s| Arc::from(s.0))
            }
            attno => match self
                .columns
                .get(index - 1)
                .and_then(|c| c.get(attno as usize - 1))
            {
                Some(Some(name)) => Some(name.clone()),
                _ => Some(Arc::from("?dropped?column?")),
            },
        }
    }
}

/// Where a column is printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Within an expression.
    Inside,
    /// As a whole output column.
    Target,
    /// In ORDER BY, where names of output columns come first.
    Sort,
}

impl Writer<'_> {
    /// Names for a query inside the present scopes.
    pub(crate) fn scope(&self, query: &Arc<Query>) -> PgResult<Scope> {
        let mut taken: HashSet<String> = HashSet::new();
        for outer in &self.scopes {
            taken.extend(outer.names.iter().flatten().cloned());
        }
        let mut scope = Scope {
            query: Arc::clone(query),
            names: Vec::new(),
            columns: Vec::new(),
            print_columns: Vec::new(),
            qualify: false,
        };
        let mut entries = 0;
        for rte in &query.range_table {
            entries += usize::from(!matches!(rte.kind, RteKind::Group { .. }));
            let name = self.entry_name(rte)?.map(|wanted| unique(wanted, &mut taken));
            let (columns, print) = self.entry_columns(rte)?;
            scope.names.push(name);
            scope.columns.push(columns);
            scope.print_columns.push(print);
        }
        scope.qualify = !self.scopes.is_empty() || entries != 1;
        Ok(scope)
    }

    fn entry_name(&self, rte: &RangeTblEntry) -> PgResult<Option<String>> {
        Ok(match (&rte.alias, &rte.kind) {
            (Some(alias), _) => Some(alias.name.to_string()),
            (None, RteKind::Relation { relation, .. }) => {
                let desc = self.ctx.view.relation(*relation)?;
                Some(desc.map_or_else(|| rte.eref.name.to_string(), |d| d.name.to_string()))
            }
            (None, RteKind::Join { .. } | RteKind::Group { .. } | RteKind::Result) => None,
            (None, _) => Some(rte.eref.name.to_string()),
        })
    }

    /// The columns' names, and whether an alias list must tell them.
    fn entry_columns(&self, rte: &RangeTblEntry) -> PgResult<(Vec<Option<Arc<str>>>, bool)> {
        let given = |at: usize| rte.alias.as_ref().and_then(|a| a.columns.get(at)).cloned();
        if let RteKind::Relation { relation, .. } = &rte.kind
            && let Some(desc) = self.ctx.view.relation(*relation)?
        {
            let mut live = 0;
            let mut changed = false;
            let mut names = Vec::new();
            for column in &desc.columns {
                if column.dropped {
                    names.push(None);
                    continue;
                }
                let name = given(live).unwrap_or_else(|| column.name.clone());
                live += 1;
                changed |= name != column.name;
                names.push(Some(name));
            }
            return Ok((names, changed));
        }
        let names = rte.eref.columns.iter().cloned().map(Some).collect();
        let listed = rte.alias.as_ref().is_some_and(|a| !a.columns.is_empty());
        let function = match &rte.kind {
            RteKind::Function { functions, .. } => !is_table_function(functions),
            _ => false,
        };
        Ok((names, listed || function))
    }

    /// A column by the names in force; its bare name, or `None` for whole rows.
    pub(crate) fn query_column(&mut self, v: &Var, place: Place) -> PgResult<Option<Arc<str>>> {
        let VarSource::Rel { index, levels_up } = v.source else {
            return Err(common::unsupported!(
                "printing expressions of plans is not supported"
            ));
        };
        let at = self.scopes.len().checked_sub(levels_up + 1);
        let Some(scope) = at.and_then(|at| self.scopes.get(at)) else {
            return Err(common::internal!("bogus varlevelsup: {levels_up}"));
        };
        let query = Arc::clone(&scope.query);
        let rte = query.rte(index);
        let stands_for = match &rte.kind {
            RteKind::Join { alias_vars, .. } if rte.alias.is_none() => alias_vars.get(v.attno as usize - 1),
            RteKind::Group { exprs } => exprs.get(v.attno as usize - 1),
            _ => None,
        };
        match (stands_for, &rte.kind) {
            (Some(Expr::Var(inner)), _) => {
                let mut inner = inner.clone();
                if let VarSource::Rel { levels_up: up, .. } = &mut inner.source {
                    *up += levels_up;
                }
                return self.query_column(&inner, place);
            }
            (Some(other), RteKind::Group { .. }) if levels_up == 0 => {
                self.expr(other, Implicit::Shown)?;
                return Ok(None);
            }
            _ => {}
        }
        let relation = scope.name(index).map(|n| quote_identifier(n).into_owned());
        let name = scope.column_name(index, v.attno);
        let hidden = place == Place::Sort
            && name.as_ref().is_some_and(|name| {
                let another =
                    |e: &Expr| !matches!(e, Expr::Var(o) if (o.source, o.attno) == (v.source, v.attno));
                query
                    .output_columns()
                    .any(|t| t.name.as_ref() == Some(name) && another(&t.expr))
            });
        // What the innermost query has in scope decides, wherever the column is from.
        let qualify = self.scopes.last().is_some_and(|s| s.qualify) || name.is_none() || hidden;
        if let Some(relation) = relation.filter(|_| qualify) {
            self.push(&format!("{relation}."));
        }
        match &name {
            Some(name) => self.push(&quote_identifier(name)),
            None => {
                self.push("*");
                if place == Place::Target {
                    let of = format_type(self.ctx.view, v.type_ref.oid, v.type_ref.typmod)?;
                    self.push(&format!("::{of}"));
                }
            }
        }
        Ok(name)
    }

    pub(crate) fn print_from(&mut self, query: &Query) -> PgResult<()> {
        let mut first = true;
        for item in &query.join_tree.items {
            if let JoinTreeNode::Rel(index) = item
                && !query.rte(*index).in_from
            {
                continue;
            }
            if first {
                self.keyword(" FROM ", -8, 8, 2);
                self.print_from_item(item, query)?;
                first = false;
                continue;
            }
            self.push(", ");
            let before = std::mem::take(&mut self.text);
            self.print_from_item(item, query)?;
            let text = std::mem::replace(&mut self.text, before);
            if self.style.indent {
                if text.starts_with('\n') {
                    self.trim();
                } else if self.line_length() + text.len() > self.style.wrap_column {
                    self.keyword("", -8, 8, super::INDENT);
                }
            }
            self.push(&text);
        }
        Ok(())
    }

    fn print_from_item(&mut self, item: &JoinTreeNode, query: &Query) -> PgResult<()> {
        match item {
            JoinTreeNode::Rel(index) => self.print_entry(*index, query),
            JoinTreeNode::Join(join) => self.join(join, query),
            JoinTreeNode::From(_) => Err(common::internal!("a planner's node in a stored query")),
        }
    }

    fn print_entry(&mut self, index: usize, query: &Query) -> PgResult<()> {
        let rte = query.rte(index);
        match &rte.kind {
            RteKind::Relation {
                relation,
                inherit,
                sample,
                ..
            } => {
                let name = self.entry_relation(*relation)?;
                let only = !inherit
                    && !matches!(
                        rte.kind,
                        RteKind::Relation {
                            relkind: b'v' | b'S',
                            ..
                        }
                    );
                self.push(if only { "ONLY " } else { "" });
                self.push(&name);
                if let Some(sample) = sample {
                    self.alias(index, rte)?;
                    return self.sample(sample);
                }
            }
            RteKind::Subquery {
                query: inner,
                lateral,
                ..
            } => {
                self.push(if *lateral { "LATERAL (" } else { "(" });
                self.query(inner, Names::Own)?;
                self.push(")");
            }
            RteKind::Function {
                functions,
                ordinality,
                lateral,
            } => {
                self.push(if *lateral { "LATERAL " } else { "" });
                self.functions(functions, *ordinality)?;
            }
            RteKind::Values { rows, lateral } => {
                self.push(if *lateral { "LATERAL (" } else { "(" });
                self.values(rows)?;
                self.push(")");
            }
            RteKind::Cte { name, .. } => self.push(&quote_identifier(name)),
            _ => return Err(common::internal!("unexpected range table entry in FROM")),
        }
        self.alias(index, rte)
    }

    fn sample(&mut self, sample: &TableSample) -> PgResult<()> {
        let method = self.ctx.view.function(sample.handler)?;
        let name = method.map_or_else(String::new, |f| quote_identifier(&f.name).into_owned());
        self.push(&format!(" TABLESAMPLE {name} ("));
        for (at, arg) in sample.args.iter().enumerate() {
            self.push(if at > 0 { ", " } else { "" });
            self.expr(arg, Implicit::Hidden)?;
        }
        self.push(")");
        if let Some(seed) = &sample.repeatable {
            self.push(" REPEATABLE (");
            self.expr(seed, Implicit::Hidden)?;
            self.push(")");
        }
        Ok(())
    }

    fn functions(&mut self, functions: &[RangeTblFunction], ordinality: bool) -> PgResult<()> {
        let single = matches!(functions, [one] if one.column_defs.is_empty() || !ordinality);
        self.push(if single { "" } else { "ROWS FROM(" });
        for (at, function) in functions.iter().enumerate() {
            self.push(if at > 0 { ", " } else { "" });
            if looks_like_function(&function.expr) {
                self.expr(&function.expr, Implicit::Shown)?;
            } else {
                let result = function.expr.type_ref();
                self.push("CAST(");
                self.expr(&function.expr, Implicit::Hidden)?;
                let to = format_type(self.ctx.view, result.oid, result.typmod)?;
                self.push(&format!(" AS {to})"));
            }
            if !single && !function.column_defs.is_empty() {
                self.push(" AS ");
                self.column_definitions(function)?;
            }
        }
        self.push(if single { "" } else { ")" });
        self.push(if ordinality { " WITH ORDINALITY" } else { "" });
        Ok(())
    }

    /// `(a integer, b text)`.
    fn column_definitions(&mut self, function: &RangeTblFunction) -> PgResult<()> {
        let mut parts = Vec::new();
        for (name, type_ref, _) in &function.column_defs {
            let of = format_type(self.ctx.view, type_ref.oid, type_ref.typmod)?;
            parts.push(format!("{} {of}", quote_identifier(name)));
        }
        self.push(&format!("({})", parts.join(", ")));
        Ok(())
    }

    /// The alias behind an entry, where one is needed.
    fn alias(&mut self, index: usize, rte: &RangeTblEntry) -> PgResult<()> {
        let Some(scope) = self.scopes.last() else {
            return Ok(());
        };
        let (Some(name), print) = (scope.name(index), scope.print_columns[index - 1]) else {
            return Ok(());
        };
        let needed = print
            || rte.alias.is_some()
            || match &rte.kind {
                RteKind::Relation { relation, .. } => {
                    let desc = self.ctx.view.relation(*relation)?;
                    desc.is_none_or(|d| *d.name != *name)
                }
                RteKind::Cte { name: cte, .. } => **cte != *name,
                RteKind::Function { functions, .. } => !is_table_function(functions),
                _ => true,
            };
        if !needed {
            return Ok(());
        }
        let name = quote_identifier(name).into_owned();
        let columns: Vec<String> = scope.columns[index - 1]
            .iter()
            .flatten()
            .map(|c| quote_identifier(c).into_owned())
            .collect();
        self.push(&format!(" {name}"));
        if let RteKind::Function { functions, .. } = &rte.kind
            && let [one] = &functions[..]
            && !one.column_defs.is_empty()
            && !is_table_function(functions)
        {
            return self.column_definitions(one);
        }
        if print && !columns.is_empty() {
            self.push(&format!("({})", columns.join(", ")));
        }
        Ok(())
    }

    /// A relation's name in FROM: a WITH query of the same name would hide it.
    fn entry_relation(&self, relation: Oid) -> PgResult<String> {
        let Some(desc) = self.ctx.view.relation(relation)? else {
            return Err(common::internal!("cache lookup failed for relation {relation}"));
        };
        let hidden = self
            .scopes
            .iter()
            .any(|s| s.query.ctes.iter().any(|c| c.name == desc.name));
        if hidden {
            return Ok(quote_qualified(Some(&desc.namespace_name), &desc.name));
        }
        self.relation_name(relation)
    }

    fn join(&mut self, join: &JoinExpr, query: &Query) -> PgResult<()> {
        let rte = (join.rt_index > 0).then(|| query.rte(join.rt_index));
        let named = rte.is_some_and(|r| r.alias.is_some());
        let right_brackets = self.style.pretty
            && match &join.right {
                JoinTreeNode::Join(inner) => inner.rt_index == 0 || query.rte(inner.rt_index).alias.is_none(),
                _ => false,
            };
        let brackets = !self.style.pretty || named;
        self.push(if brackets { "(" } else { "" });
        self.print_from_item(&join.left, query)?;
        let merged = match rte.map(|r| &r.kind) {
            Some(RteKind::Join { merged, .. }) => *merged,
            _ => 0,
        };
        match join.join_type {
            JoinType::Inner if join.quals.is_none() && merged == 0 => self.keyword(" CROSS JOIN ", -8, 8, 4),
            JoinType::Inner => self.keyword(" JOIN ", -8, 8, 4),
            JoinType::Left => self.keyword(" LEFT JOIN ", -8, 8, 4),
            JoinType::Right => self.keyword(" RIGHT JOIN ", -8, 8, 4),
            JoinType::Full => self.keyword(" FULL JOIN ", -8, 8, 4),
            _ => return Err(common::internal!("a planner's join in a stored query")),
        }
        self.push(if right_brackets { "(" } else { "" });
        self.print_from_item(&join.right, query)?;
        self.push(if right_brackets { ")" } else { "" });
        self.join_condition(join, rte, merged)?;
        self.push(if brackets { ")" } else { "" });
        match rte {
            Some(rte) if named => self.alias(join.rt_index, rte),
            _ => Ok(()),
        }
    }

    fn join_condition(
        &mut self,
        join: &JoinExpr,
        rte: Option<&RangeTblEntry>,
        merged: usize,
    ) -> PgResult<()> {
        if let Some(rte) = rte.filter(|_| merged > 0) {
            let names: Vec<_> = rte
                .eref
                .columns
                .iter()
                .take(merged)
                .map(|c| quote_identifier(c))
                .collect();
            self.push(&format!(" USING ({})", names.join(", ")));
            if let RteKind::Join {
                using_alias: Some(alias),
                ..
            } = &rte.kind
            {
                self.push(&format!(" AS {}", quote_identifier(alias)));
            }
            return Ok(());
        }
        match &join.quals {
            Some(quals) => {
                self.push(" ON ");
                self.open();
                self.expr(quals, Implicit::Hidden)?;
                self.close();
            }
            None if join.join_type != JoinType::Inner => self.push(" ON TRUE"),
            None => {}
        }
        Ok(())
    }
}

/// Written with a name and brackets (an index needs no more around it).
pub fn looks_like_function(expr: &Expr) -> bool {
    match expr {
        Expr::Func(f) => {
            !f.op.is_valid() && matches!(f.form, CoercionForm::ExplicitCall | CoercionForm::SqlSyntax)
        }
        Expr::Coalesce(_) | Expr::MinMax(_) | Expr::NullIf(_) | Expr::SqlValueFunction(_) => true,
        Expr::Xml(_) => true,
        Expr::Json(j) => matches!(j.kind, JsonExprKind::Table(_)),
        _ => false,
    }
}

/// XMLTABLE and JSON_TABLE say themselves what their columns are.
fn is_table_function(functions: &[RangeTblFunction]) -> bool {
    matches!(functions, [one] if matches!(one.expr, Expr::Xml(_) | Expr::Json(_)))
}

/// `name`, or `name_1`, `name_2`... when it is taken.
fn unique(wanted: String, taken: &mut HashSet<String>) -> String {
    let mut name = wanted.clone();
    let mut count = 0;
    while taken.contains(&name) {
        count += 1;
        name = format!("{wanted}_{count}");
    }
    taken.insert(name.clone());
    name
}
