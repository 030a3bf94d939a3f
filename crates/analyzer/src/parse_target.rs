//! Target lists: columns of SELECT and RETURNING, `*`, names of unnamed columns, origins.
//!
//! PG: src/backend/parser/parse_target.c.

use std::sync::Arc;

use common::error::ErrorExt;
use common::{AttrNumber, Oid, PgResult, Span, internal, pg_err};
use nodes::Expr;
use nodes::expr::{SubLinkKind, VarSource};
use nodes::query::{Query, RteKind, TargetEntry};
use parser::ast::{self, Indirection};
use types::oids;

use crate::kind::ExprKind;
use crate::parse_coerce::CoerceTo;
use crate::parse_func::field_select;
use crate::state::{Analyzer, NsItem};

/// An expression with the name that `*` gave it.
type NamedExpr = (Expr, Arc<str>);

impl Analyzer<'_> {
    /// The target list of SELECT or RETURNING.
    pub fn transform_target_list(
        &mut self,
        raw: &[ast::ResTarget],
        kind: ExprKind,
    ) -> PgResult<Vec<TargetEntry>> {
        let mut out = Vec::with_capacity(raw.len());
        for res in raw {
            let Some(val) = &res.val else {
                return Err(internal!("target without expression"));
            };
            if res.name.is_none()
                && let Some(columns) = self.expand_star(val, kind)?
            {
                for (e, name) in columns {
                    let resno = self.next_resno();
                    out.push(target_entry(e, resno, Some(name), false));
                }
                continue;
            }
            let name = res.name.as_ref().map(|n| Arc::from(n.as_str()));
            let entry = self.transform_target_entry(val, None, kind, name, false)?;
            out.push(entry);
        }
        self.mark_origins(&mut out);
        Ok(out)
    }

    /// The next column number of the query at hand.
    pub fn next_resno(&mut self) -> AttrNumber {
        let ps = self.ps();
        let resno = ps.next_resno;
        ps.next_resno = resno.saturating_add(1);
        resno
    }

    /// One column; `expr` when it is analyzed already.
    pub fn transform_target_entry(
        &mut self,
        node: &ast::Expr,
        expr: Option<Expr>,
        kind: ExprKind,
        name: Option<Arc<str>>,
        resjunk: bool,
    ) -> PgResult<TargetEntry> {
        let expr = match expr {
            Some(e) => e,
            None => self.transform_expr(node, kind)?,
        };
        let name = match name {
            None if !resjunk => Some(figure_colname(node, &expr)),
            name => name,
        };
        let resno = self.next_resno();
        Ok(target_entry(expr, resno, name, resjunk))
    }

    /// Analyzes a list of expressions, expanding `*` (arguments of ROW, VALUES rows).
    pub fn transform_expression_list(
        &mut self,
        raw: &[ast::Expr],
        kind: ExprKind,
        allow_default: bool,
    ) -> PgResult<Vec<Expr>> {
        let mut out = Vec::with_capacity(raw.len());
        for e in raw {
            if let Some(columns) = self.expand_star(e, kind)? {
                out.extend(columns.into_iter().map(|(e, _)| e));
                continue;
            }
            if let (true, ast::Expr::SetToDefault(span)) = (allow_default, e) {
                out.push(default_marker(*span));
                continue;
            }
            out.push(self.transform_expr(e, kind)?);
        }
        Ok(out)
    }

    /// The columns that `*`, `t.*` or `(expr).*` stand for; `None` for anything else.
    fn expand_star(&mut self, e: &ast::Expr, kind: ExprKind) -> PgResult<Option<Vec<NamedExpr>>> {
        match e {
            ast::Expr::ColumnRef(c) if c.star => self.expand_column_star(c).map(Some),
            ast::Expr::AIndirection(i) if matches!(i.indirection.last(), Some(Indirection::Star(_))) => {
                let mut inner = (**i).clone();
                inner.indirection.pop();
                let raw = if inner.indirection.is_empty() {
                    inner.arg
                } else {
                    ast::Expr::AIndirection(Box::new(inner))
                };
                let value = self.transform_expr(&raw, kind)?;
                let span = value.span();
                let type_oid = value.type_oid();
                match self.expand_row(&value, span)? {
                    Some(columns) => Ok(Some(columns)),
                    None if type_oid == oids::RECORD => {
                        Err(pg_err!(DATATYPE_MISMATCH, "record type has not been registered"))
                    }
                    None => Err(pg_err!(
                        WRONG_OBJECT_TYPE,
                        "type {} is not composite",
                        self.format_type(type_oid)
                    )),
                }
            }
            _ => Ok(None),
        }
    }

    fn expand_column_star(&mut self, c: &ast::ColumnRef) -> PgResult<Vec<NamedExpr>> {
        let fields: Vec<&str> = c.fields.iter().map(ast::Ident::as_str).collect();
        let (schema, relation) = match fields.as_slice() {
            [] => return self.expand_all_tables(c.span),
            [r] => (None, *r),
            [s, r] => (Some(*s), *r),
            [db, s, r] if *db == &*self.cx.database => (Some(*s), *r),
            [_, _, _] => {
                return Err(pg_err!(
                    FEATURE_NOT_SUPPORTED,
                    "cross-database references are not implemented: {}.*",
                    fields.join(".")
                )
                .at(c.span));
            }
            _ => {
                return Err(pg_err!(
                    SYNTAX_ERROR,
                    "improper qualified name (too many dotted names): {}.*",
                    fields.join(".")
                )
                .at(c.span));
            }
        };
        let found = self.ref_name_item(schema, relation, c.span)?;
        if let Some(columns) = self.variable_star(&fields, found.is_some(), c.span)? {
            return Ok(columns);
        }
        match found {
            Some((item, up)) => Ok(self.expand_item(&item, up, c.span)),
            None => Err(self.missing_rte(schema, relation, c.span)?),
        }
    }

    fn expand_all_tables(&mut self, span: Span) -> PgResult<Vec<NamedExpr>> {
        let items: Vec<NsItem> = self
            .cur()
            .namespace
            .iter()
            .filter(|n| n.cols_visible)
            .cloned()
            .collect();
        if items.is_empty() {
            return Err(pg_err!(SYNTAX_ERROR, "SELECT * with no tables specified is not valid").at(span));
        }
        let mut out = Vec::new();
        for item in items {
            out.extend(self.expand_item(&item, 0, span));
        }
        Ok(out)
    }

    /// All visible columns of an item.
    pub fn expand_item(&mut self, item: &NsItem, up: usize, span: Span) -> Vec<NamedExpr> {
        let mut out = Vec::new();
        for at in 0..item.names.columns.len() {
            let column = &item.names.columns[at];
            if column.attno != 0 && !column.dont_expand {
                out.push((
                    self.var_of_item(item, at, up, span),
                    item.names.column_names[at].clone(),
                ));
            }
        }
        // Even without columns the relation itself is read.
        self.mark_read(item.index(), up);
        out
    }

    fn mark_read(&mut self, index: usize, up: usize) {
        if let Some(rte) = self.level_mut(up).rtable.get_mut(index - 1)
            && matches!(rte.kind, RteKind::Relation { .. })
        {
            rte.permissions.select = true;
        }
    }

    /// The fields of a composite value as expressions; `None` when they are unknown.
    pub fn expand_row(&mut self, value: &Expr, span: Span) -> PgResult<Option<Vec<NamedExpr>>> {
        if let Expr::Var(v) = value
            && v.attno == 0
            && let VarSource::Rel { index, levels_up } = v.source
        {
            let item = self
                .level(levels_up)
                .namespace
                .iter()
                .find(|n| n.index() == index && n.names.returning == v.returning)
                .cloned();
            if let Some(item) = item {
                return Ok(Some(self.expand_item(&item, levels_up, span)));
            }
        }
        if let Expr::Row(r) = value
            && r.row_type == oids::RECORD
        {
            let fields = self.row_fields(value)?.unwrap_or_default();
            return Ok(Some(
                r.args
                    .iter()
                    .cloned()
                    .zip(fields.into_iter().map(|f| f.name))
                    .collect(),
            ));
        }
        let Some(fields) = self.row_fields(value)? else {
            return Ok(None);
        };
        Ok(Some(
            fields
                .iter()
                .enumerate()
                .filter(|(_, f)| !f.dropped)
                .map(|(at, f)| (field_select(value.clone(), at, f), f.name.clone()))
                .collect(),
        ))
    }

    /// Literals that nothing gave a type become text.
    pub fn resolve_unknown_targets(&mut self, list: &mut [TargetEntry]) -> PgResult<()> {
        for t in list {
            if t.expr.type_oid() == oids::UNKNOWN {
                let taken = std::mem::replace(&mut t.expr, Expr::bool_const(false));
                t.expr = self.coerce_type(taken, CoerceTo::implicit(oids::TEXT))?;
            }
        }
        Ok(())
    }

    /// Notes for each plain column which table column it shows.
    pub fn mark_origins(&self, list: &mut [TargetEntry]) {
        for t in list {
            if let Expr::Var(v) = &t.expr
                && let VarSource::Rel { index, levels_up } = v.source
                && let Some((table, column)) = self.origin(index, levels_up, v.attno)
            {
                t.origin_table = table;
                t.origin_column = column;
            }
        }
    }

    fn origin(&self, index: usize, up: usize, attno: AttrNumber) -> Option<(Oid, AttrNumber)> {
        let rte = self.rte(index, up).ok()?;
        let of_query = |q: &Query| {
            let t = q
                .output_columns()
                .nth(usize::try_from(attno).ok()?.checked_sub(1)?)?;
            t.origin_table
                .is_valid()
                .then_some((t.origin_table, t.origin_column))
        };
        match &rte.kind {
            RteKind::Relation { relation, .. } => Some((*relation, attno)),
            RteKind::Subquery { query, .. } => of_query(query),
            RteKind::Join { alias_vars, .. } => {
                match alias_vars.get(usize::try_from(attno).ok()?.checked_sub(1)?)? {
                    Expr::Var(v) => match v.source {
                        VarSource::Rel { index, .. } => self.origin(index, up, v.attno),
                        _ => None,
                    },
                    _ => None,
                }
            }
            RteKind::Cte {
                name,
                levels_up,
                self_reference: false,
            } => {
                let at = up + levels_up;
                if at >= self.states.len() {
                    return None;
                }
                of_query(&self.level(at).ctes.iter().find(|c| c.name == *name)?.query)
            }
            _ => None,
        }
    }
}

/// A target entry without origin and references.
pub(crate) fn target_entry(
    expr: Expr,
    resno: AttrNumber,
    name: Option<Arc<str>>,
    resjunk: bool,
) -> TargetEntry {
    TargetEntry {
        expr,
        resno,
        name,
        sort_group_ref: 0,
        origin_table: Oid::INVALID,
        origin_column: 0,
        resjunk,
    }
}

/// DEFAULT, before its column is known.
pub(crate) fn default_marker(span: Span) -> Expr {
    Expr::SetToDefault(nodes::expr::TypedSlot {
        type_ref: types::settings::TypeRef::plain(oids::UNKNOWN),
        collation: Oid::INVALID,
        span,
    })
}

/// The name of a column that was given none.
pub(crate) fn figure_colname(node: &ast::Expr, expr: &Expr) -> Arc<str> {
    match figure(node, Some(expr)) {
        Some((name, _)) => name,
        None => "?column?".into(),
    }
}

/// Name for an index expression and the like: like [`figure_colname`], but `expr` when there is none.
pub(crate) fn figure_index_colname(node: &ast::Expr) -> Arc<str> {
    match figure(node, None) {
        Some((name, _)) => name,
        None => "expr".into(),
    }
}

/// A name and whether it is a strong choice.
fn figure(node: &ast::Expr, expr: Option<&Expr>) -> Option<(Arc<str>, bool)> {
    let strong = |s: &str| Some((Arc::from(s), true));
    match node {
        ast::Expr::ColumnRef(c) => c.fields.last().and_then(|f| strong(f.as_str())),
        ast::Expr::AIndirection(i) => {
            let field = i.indirection.iter().rev().find_map(|s| match s {
                Indirection::Field(n) => Some(n.as_str()),
                _ => None,
            });
            match field {
                Some(n) => strong(n),
                None => figure(&i.arg, None),
            }
        }
        ast::Expr::FuncCall(f) => f.func_name.last().and_then(|n| strong(n.as_str())),
        ast::Expr::AExpr(a) if a.kind == ast::AExprKind::NullIf => strong("nullif"),
        ast::Expr::TypeCast(t) => match figure(&t.arg, None) {
            Some((name, true)) => Some((name, true)),
            weak => t
                .type_name
                .names
                .last()
                .map(|n| (Arc::from(n.as_str()), false))
                .or(weak),
        },
        ast::Expr::CollateClause(c) => c.arg.as_ref().and_then(|a| figure(a, None)),
        ast::Expr::GroupingFunc(_) => strong("grouping"),
        ast::Expr::MergeSupportFunc(_) => strong("merge_action"),
        ast::Expr::SubLink(s) => match s.kind {
            ast::SubLinkType::Exists => strong("exists"),
            ast::SubLinkType::Array => strong("array"),
            ast::SubLinkType::Expr => figure_sublink(s, expr),
            ast::SubLinkType::All | ast::SubLinkType::Any => None,
        },
        ast::Expr::CaseExpr(c) => match c.defresult.as_ref().and_then(|d| figure(d, None)) {
            Some((name, true)) => Some((name, true)),
            _ => Some(("case".into(), false)),
        },
        ast::Expr::ArrayExpr(_) => strong("array"),
        ast::Expr::RowExpr(_) => strong("row"),
        ast::Expr::CoalesceExpr(_) => strong("coalesce"),
        ast::Expr::MinMaxExpr(m) => strong(match m.op {
            ast::MinMaxOp::Greatest => "greatest",
            ast::MinMaxOp::Least => "least",
        }),
        ast::Expr::SqlValueFunction(f) => strong(value_function_name(f.op)),
        ast::Expr::XmlExpr(x) => crate::parse_xml::column_name(x).and_then(strong),
        ast::Expr::XmlSerialize(_) => strong("xmlserialize"),
        ast::Expr::JsonParseExpr(_) => strong("json"),
        ast::Expr::JsonScalarExpr(_) => strong("json_scalar"),
        ast::Expr::JsonSerializeExpr(_) => strong("json_serialize"),
        ast::Expr::JsonObjectConstructor(_) => strong("json_object"),
        ast::Expr::JsonArrayConstructor(_) | ast::Expr::JsonArrayQueryConstructor(_) => strong("json_array"),
        ast::Expr::JsonObjectAgg(_) => strong("json_objectagg"),
        ast::Expr::JsonArrayAgg(_) => strong("json_arrayagg"),
        ast::Expr::JsonFuncExpr(f) => strong(match f.op {
            ast::JsonExprOp::Exists => "json_exists",
            ast::JsonExprOp::Query => "json_query",
            ast::JsonExprOp::Value => "json_value",
            ast::JsonExprOp::Table => "json_table",
        }),
        _ => None,
    }
}

fn figure_sublink(s: &ast::SubLink, expr: Option<&Expr>) -> Option<(Arc<str>, bool)> {
    if let Some(Expr::SubLink(link)) = expr
        && link.kind == SubLinkKind::Expr
    {
        let name = link.query.output_columns().next()?.name.clone()?;
        return Some((name, true));
    }
    let mut leaf = &*s.subselect;
    while let Some(left) = &leaf.larg {
        leaf = left;
    }
    if !leaf.values_lists.is_empty() {
        return Some(("column1".into(), true));
    }
    let first = leaf.target_list.first()?;
    if let Some(n) = &first.name {
        return Some((Arc::from(n.as_str()), true));
    }
    let (name, _) = figure(first.val.as_ref()?, None).unwrap_or(("?column?".into(), true));
    Some((name, true))
}

fn value_function_name(op: ast::SqlValueFunctionOp) -> &'static str {
    use ast::SqlValueFunctionOp as Op;
    match op {
        Op::CurrentDate => "current_date",
        Op::CurrentTime => "current_time",
        Op::CurrentTimestamp => "current_timestamp",
        Op::Localtime => "localtime",
        Op::Localtimestamp => "localtimestamp",
        Op::CurrentRole => "current_role",
        Op::CurrentUser => "current_user",
        Op::User => "user",
        Op::SessionUser => "session_user",
        Op::SystemUser => "system_user",
        Op::CurrentCatalog => "current_catalog",
        Op::CurrentSchema => "current_schema",
    }
}
