//! Raw expressions to typed ones: the dispatch, names, calls, subqueries and special constructs.
//!
//! PG: src/backend/parser/parse_expr.c.

use std::sync::Arc;

use common::cancel;
use common::error::ErrorExt;
use common::{Oid, PgResult, Span, internal, pg_err};
use nodes::Expr;
use nodes::expr::{
    BoolTestKind, BooleanTest, CoercionForm, CollateExpr, Const, NullTest, Param, ParamKind, SubLink,
    SubLinkKind, TypedSlot, VarSource,
};
use parser::ast::{self, BoolTestType};
use types::settings::TypeRef;
use types::{Datum, oids};

use crate::kind::ExprKind;
use crate::parse_coerce::{CoerceTo, CoercionContext};
use crate::parse_func::CallSite;
use crate::parse_type::name_list_to_string;
use crate::state::Analyzer;

impl Analyzer<'_> {
    /// Analyzes an expression of a clause.
    pub fn transform_expr(&mut self, e: &ast::Expr, kind: ExprKind) -> PgResult<Expr> {
        self.with_kind(kind, |a| a.expr(e))
    }

    /// Analyzes a sub-expression of the clause at hand.
    pub fn expr(&mut self, e: &ast::Expr) -> PgResult<Expr> {
        cancel::check()?;
        match e {
            ast::Expr::ColumnRef(c) => self.column_ref(c),
            ast::Expr::ParamRef(p) => self.transform_param(p),
            ast::Expr::AConst(c) => self.make_const(c),
            ast::Expr::TypeCast(t) => self.type_cast(t),
            ast::Expr::CollateClause(c) => self.collate_clause(c),
            ast::Expr::AExpr(a) => self.a_expr(a),
            ast::Expr::BoolExpr(b) => self.bool_expr(b),
            ast::Expr::NullTest(n) => {
                let arg = self.expr(&n.arg)?;
                let arg_is_row = arg.type_oid() == oids::RECORD || self.is_complex(arg.type_oid())?;
                Ok(Expr::NullTest(NullTest {
                    arg: Box::new(arg),
                    is_not: n.is_not,
                    arg_is_row,
                    span: n.span,
                }))
            }
            ast::Expr::BooleanTest(b) => self.boolean_test(b),
            ast::Expr::FuncCall(f) => self.func_call(f),
            ast::Expr::NamedArg(n) => Ok(Expr::NamedArg {
                name: n.name.as_str().into(),
                arg: Box::new(self.expr(&n.arg)?),
                span: n.span,
            }),
            ast::Expr::SubLink(s) => self.sub_link(s),
            ast::Expr::CaseExpr(c) => self.case_expr(c),
            ast::Expr::ArrayExpr(a) => self.array_expr(a, None),
            ast::Expr::RowExpr(r) => self.row_expr(r),
            ast::Expr::CoalesceExpr(c) => self.coalesce_expr(c),
            ast::Expr::MinMaxExpr(m) => self.min_max_expr(m),
            ast::Expr::AIndirection(i) => self.indirection(i),
            ast::Expr::SqlValueFunction(f) => self.sql_value_function(f),
            ast::Expr::GroupingFunc(g) => self.transform_grouping_func(g),
            ast::Expr::SetToDefault(span) => {
                Err(pg_err!(SYNTAX_ERROR, "DEFAULT is not allowed in this context").at(*span))
            }
            ast::Expr::CurrentOf(c) => Ok(Expr::CurrentOf {
                relation: self.cur().target_index,
                cursor: c.cursor_name.as_str().into(),
            }),
            ast::Expr::MergeSupportFunc(span) => self.merge_support_func(*span),
            ast::Expr::GroupingSet(g) => self.not_yet("a grouping set here", g.span),
            ast::Expr::XmlExpr(x) => self.xml_expr(x),
            ast::Expr::XmlSerialize(x) => self.xml_serialize(x),
            ast::Expr::MultiAssignRef(_) => Err(internal!("multiple assignment outside of SET")),
            ast::Expr::JsonObjectConstructor(c) => self.json_object_constructor(c),
            ast::Expr::JsonArrayConstructor(c) => self.json_array_constructor(c),
            ast::Expr::JsonArrayQueryConstructor(c) => self.json_array_query(c),
            ast::Expr::JsonObjectAgg(a) => self.json_object_agg(a),
            ast::Expr::JsonArrayAgg(a) => self.json_array_agg(a),
            ast::Expr::JsonParseExpr(p) => self.json_parse(p),
            ast::Expr::JsonScalarExpr(s) => self.json_scalar(s),
            ast::Expr::JsonSerializeExpr(s) => self.json_serialize(s),
            ast::Expr::JsonFuncExpr(f) => self.json_func(f),
            ast::Expr::JsonIsPredicate(p) => self.json_is(p),
        }
    }

    fn merge_support_func(&self, span: Span) -> PgResult<Expr> {
        let level = self
            .states
            .iter()
            .rev()
            .position(|s| s.expr_kind == ExprKind::MergeReturning);
        let Some(levels_up) = level else {
            return Err(pg_err!(
                SYNTAX_ERROR,
                "MERGE_ACTION() can only be used in the RETURNING list of a MERGE command"
            )
            .at(span));
        };
        let target = self.states[self.states.len() - 1 - levels_up].target_index;
        Ok(Expr::Var(nodes::expr::Var {
            source: nodes::expr::VarSource::Rel {
                index: target,
                levels_up,
            },
            attno: nodes::expr::MERGE_ACTION_ATTNO,
            type_ref: types::settings::TypeRef::plain(types::oids::TEXT),
            collation: common::Oid(100),
            nulling_rels: nodes::RelIds::empty(),
            returning: Default::default(),
            span,
        }))
    }

    fn column_ref(&mut self, c: &ast::ColumnRef) -> PgResult<Expr> {
        if let Some(place) = self.cur().expr_kind.column_error_place() {
            return Err(pg_err!(FEATURE_NOT_SUPPORTED, "cannot use column reference in {place}").at(c.span));
        }
        match self.cx.variables {
            Some(variables) => self.column_or_variable(c, variables),
            None => self.table_column_ref(c),
        }
    }

    /// A column of a table, or a parameter of the SQL function at hand.
    pub(crate) fn table_column_ref(&mut self, c: &ast::ColumnRef) -> PgResult<Expr> {
        let fields: Vec<&str> = c.fields.iter().map(ast::Ident::as_str).collect();
        if let ([name], false) = (fields.as_slice(), c.star) {
            return self.simple_column(name, c.span);
        }
        let (relation_fields, column) = if c.star {
            (fields.as_slice(), None)
        } else {
            let (last, before) = fields
                .split_last()
                .ok_or_else(|| internal!("empty column reference"))?;
            (before, Some(*last))
        };
        let (schema, relation) = match relation_fields {
            [r] => (None, *r),
            [s, r] => (Some(*s), *r),
            [db, s, r] if *db == &*self.cx.database => (Some(*s), *r),
            [_, _, _] => {
                return Err(pg_err!(
                    FEATURE_NOT_SUPPORTED,
                    "cross-database references are not implemented: {}",
                    column_ref_text(c)
                )
                .at(c.span));
            }
            _ => {
                return Err(pg_err!(
                    SYNTAX_ERROR,
                    "improper qualified name (too many dotted names): {}",
                    column_ref_text(c)
                )
                .at(c.span));
            }
        };
        let Some((item, up)) = self.ref_name_item(schema, relation, c.span)? else {
            if let Some(param) = self.routine_param(&fields, c.span)? {
                return Ok(param);
            }
            return Err(self.missing_rte(schema, relation, c.span)?);
        };
        let Some(column) = column else {
            return self.whole_row(&item, up, c.span);
        };
        if let Some(e) = self.column_of_item(&item, up, column, c.span)? {
            return Ok(e);
        }
        let row = self.whole_row(&item, up, c.span)?;
        let last = c.fields.len() - 1;
        let site = CallSite {
            names: &c.fields[last..],
            call: None,
            proc_call: false,
            last_srf: self.cur().last_srf,
            span: c.span,
        };
        if let Some(e) = self.parse_func_or_column(site, vec![row], None)? {
            return Ok(e);
        }
        match self.routine_param(&fields, c.span)? {
            Some(param) => Ok(param),
            None => Err(self.missing_column(Some(relation), column, c.span)),
        }
    }

    fn simple_column(&mut self, name: &str, span: Span) -> PgResult<Expr> {
        if let Some((type_ref, collation)) = self.cur().domain_value
            && name == "value"
        {
            return Ok(Expr::CoerceToDomainValue(TypedSlot {
                type_ref,
                collation,
                span,
            }));
        }
        if let Some(e) = self.col_name_to_var(name, false, span)? {
            return Ok(e);
        }
        match self.ref_name_item(None, name, span)? {
            Some((item, up)) => self.whole_row(&item, up, span),
            None => match self.routine_param(&[name], span)? {
                Some(param) => Ok(param),
                None => Err(self.missing_column(None, name, span)),
            },
        }
    }

    fn type_cast(&mut self, t: &ast::TypeCast) -> PgResult<Expr> {
        let target = self.resolve_type(&t.type_name)?;
        let expr = match &t.arg {
            ast::Expr::ArrayExpr(a) => {
                let base = self.base_type_and_typmod(target)?;
                let element = self.element_type(base.oid)?;
                if element.is_valid() {
                    self.array_expr(a, Some((base, element)))?
                } else {
                    self.array_expr(a, None)?
                }
            }
            arg => self.expr(arg)?,
        };
        let span = if t.span.is_known() {
            t.span
        } else {
            t.type_name.span
        };
        self.explicit_cast(expr, target, span)
    }

    /// `CAST(expr AS target)`, with its error.
    pub fn explicit_cast(&mut self, expr: Expr, target: TypeRef, span: Span) -> PgResult<Expr> {
        let input = expr.type_oid();
        let at = if span.is_known() { span } else { expr.span() };
        let to = CoerceTo {
            target,
            context: CoercionContext::Explicit,
            form: CoercionForm::ExplicitCast,
            span,
        };
        match self.coerce_to_target_type(expr, to)? {
            Some(e) => Ok(e),
            None => Err(self.cannot_cast(input, target.oid, at)),
        }
    }

    /// The error of a cast that does not exist.
    pub fn cannot_cast(&self, from: Oid, to: Oid, span: Span) -> Box<common::PgError> {
        pg_err!(
            CANNOT_COERCE,
            "cannot cast type {} to {}",
            self.format_type(from),
            self.format_type(to)
        )
        .at(span)
    }

    fn collate_clause(&mut self, c: &ast::CollateClause) -> PgResult<Expr> {
        let Some(arg) = &c.arg else {
            return Err(internal!("COLLATE without argument"));
        };
        let arg = self.expr(arg)?;
        let type_oid = arg.type_oid();
        if type_oid != oids::UNKNOWN && !self.type_collation(type_oid)?.is_valid() {
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "collations are not supported by type {}",
                self.format_type(type_oid)
            )
            .at(c.span));
        }
        let collation = self.resolve_collation(&c.collname, c.span)?;
        Ok(Expr::Collate(CollateExpr {
            arg: Box::new(arg),
            collation,
            span: c.span,
        }))
    }

    fn boolean_test(&mut self, b: &ast::BooleanTest) -> PgResult<Expr> {
        let (kind, clause) = match b.test {
            BoolTestType::IsTrue => (BoolTestKind::IsTrue, "IS TRUE"),
            BoolTestType::IsNotTrue => (BoolTestKind::IsNotTrue, "IS NOT TRUE"),
            BoolTestType::IsFalse => (BoolTestKind::IsFalse, "IS FALSE"),
            BoolTestType::IsNotFalse => (BoolTestKind::IsNotFalse, "IS NOT FALSE"),
            BoolTestType::IsUnknown => (BoolTestKind::IsUnknown, "IS UNKNOWN"),
            BoolTestType::IsNotUnknown => (BoolTestKind::IsNotUnknown, "IS NOT UNKNOWN"),
        };
        let arg = self.expr(&b.arg)?;
        let arg = self.coerce_to_boolean(arg, clause)?;
        Ok(Expr::BooleanTest(BooleanTest {
            arg: Box::new(arg),
            kind,
            span: b.span,
        }))
    }

    fn func_call(&mut self, f: &ast::FuncCall) -> PgResult<Expr> {
        let last_srf = self.cur().last_srf;
        let mut args = Vec::with_capacity(f.args.len());
        for a in &f.args {
            args.push(self.expr(a)?);
        }
        if f.agg_within_group {
            for s in &f.agg_order {
                args.push(self.transform_expr(&s.node, ExprKind::OrderBy)?);
            }
        }
        let filter = match &f.agg_filter {
            Some(e) => Some(self.transform_where(e, ExprKind::Filter, "FILTER")?),
            None => None,
        };
        let site = CallSite {
            names: &f.func_name,
            call: Some(f),
            proc_call: false,
            last_srf,
            span: f.span,
        };
        self.parse_func_or_column(site, args, filter)?
            .ok_or_else(|| internal!("call of {} vanished", name_list_to_string(&f.func_name)))
    }

    fn sub_link(&mut self, s: &ast::SubLink) -> PgResult<Expr> {
        if let Some(place) = self.cur().expr_kind.subquery_error_place() {
            return Err(pg_err!(FEATURE_NOT_SUPPORTED, "cannot use subquery in {place}").at(s.span));
        }
        self.ps().has_sub_links = true;
        let query = self.sub_analyze_select(&s.subselect, None, false)?;
        let columns: Vec<(TypeRef, Oid)> = query
            .output_columns()
            .map(|t| (t.expr.type_ref(), t.expr.collation()))
            .collect();
        let bool_type = TypeRef::plain(oids::BOOL);
        let mut link = SubLink {
            kind: SubLinkKind::Exists,
            test: None,
            op_name: None,
            query: Arc::new(query),
            result: bool_type,
            collation: Oid::INVALID,
            span: s.span,
        };
        match s.kind {
            ast::SubLinkType::Exists => {}
            ast::SubLinkType::Expr | ast::SubLinkType::Array => {
                let [(type_ref, collation)] = columns.as_slice() else {
                    return Err(pg_err!(SYNTAX_ERROR, "subquery must return only one column").at(s.span));
                };
                link.collation = *collation;
                if s.kind == ast::SubLinkType::Expr {
                    link.kind = SubLinkKind::Expr;
                    link.result = *type_ref;
                } else {
                    link.kind = SubLinkKind::Array;
                    link.result = TypeRef {
                        oid: self.promoted_array_type(type_ref.oid, s.span)?,
                        typmod: type_ref.typmod,
                    };
                }
            }
            ast::SubLinkType::Any | ast::SubLinkType::All => {
                link.kind = match s.kind {
                    ast::SubLinkType::Any => SubLinkKind::Any,
                    _ => SubLinkKind::All,
                };
                self.finish_comparing_link(&mut link, s.test.as_ref(), &s.oper_name, &columns)?;
            }
        }
        Ok(Expr::SubLink(Box::new(link)))
    }

    /// `(a, b) op (SELECT ...)`.
    pub fn row_compare_link(
        &mut self,
        left: &ast::Expr,
        name: &[ast::Ident],
        s: &ast::SubLink,
        span: Span,
    ) -> PgResult<Expr> {
        self.ps().has_sub_links = true;
        let query = self.sub_analyze_select(&s.subselect, None, false)?;
        let columns: Vec<(TypeRef, Oid)> = query
            .output_columns()
            .map(|t| (t.expr.type_ref(), t.expr.collation()))
            .collect();
        let mut link = SubLink {
            kind: SubLinkKind::RowCompare,
            test: None,
            op_name: None,
            query: Arc::new(query),
            result: TypeRef::plain(oids::BOOL),
            collation: Oid::INVALID,
            span,
        };
        self.finish_comparing_link(&mut link, Some(left), name, &columns)?;
        Ok(Expr::SubLink(Box::new(link)))
    }

    fn finish_comparing_link(
        &mut self,
        link: &mut SubLink,
        test: Option<&ast::Expr>,
        op_name: &[ast::Ident],
        columns: &[(TypeRef, Oid)],
    ) -> PgResult<()> {
        let test = test.ok_or_else(|| internal!("ANY without left side"))?;
        let left = match self.expr(test)? {
            Expr::Row(r) => r.args,
            e => vec![e],
        };
        if left.len() < columns.len() {
            return Err(pg_err!(SYNTAX_ERROR, "subquery has too many columns").at(link.span));
        }
        if left.len() > columns.len() {
            return Err(pg_err!(SYNTAX_ERROR, "subquery has too few columns").at(link.span));
        }
        let right = columns
            .iter()
            .enumerate()
            .map(|(number, (type_ref, collation))| {
                Expr::Param(Param {
                    kind: ParamKind::Exec,
                    number,
                    type_ref: *type_ref,
                    collation: *collation,
                    span: Span::NONE,
                })
            })
            .collect();
        let equals = [ast::Ident::new("=", link.span)];
        let name = if op_name.is_empty() { &equals[..] } else { op_name };
        if !op_name.is_empty() {
            link.op_name = Some(name_list_to_string(op_name).into());
        }
        link.test = Some(self.row_comparison(name, left, right, link.span)?);
        Ok(())
    }

    fn promoted_array_type(&self, type_oid: Oid, span: Span) -> PgResult<Oid> {
        let array = self.array_type(type_oid)?;
        if array.is_valid() {
            return Ok(array);
        }
        if self.element_type(type_oid)?.is_valid() {
            return Ok(type_oid);
        }
        Err(pg_err!(
            UNDEFINED_OBJECT,
            "could not find array type for data type {}",
            self.format_type(type_oid)
        )
        .at(span))
    }

    /// A condition of WHERE, FILTER, HAVING...
    pub fn transform_where(&mut self, e: &ast::Expr, kind: ExprKind, construct: &str) -> PgResult<Expr> {
        let qual = self.transform_expr(e, kind)?;
        self.coerce_to_boolean(qual, construct)
    }

    /// The error for a field that a value does not have.
    pub fn unknown_attribute(&self, value: &Expr, name: &str, span: Span) -> Box<common::PgError> {
        if let Expr::Var(v) = value
            && v.attno == 0
            && let VarSource::Rel { index, levels_up } = v.source
            && let Ok(rte) = self.rte(index, levels_up)
        {
            return pg_err!(UNDEFINED_COLUMN, "column {}.{name} does not exist", rte.eref.name).at(span);
        }
        let type_oid = value.type_oid();
        if self.is_complex(type_oid).unwrap_or(false) {
            return pg_err!(
                UNDEFINED_COLUMN,
                "column \"{name}\" not found in data type {}",
                self.format_type(type_oid)
            )
            .at(span);
        }
        if type_oid == oids::RECORD {
            return pg_err!(
                UNDEFINED_COLUMN,
                "could not identify column \"{name}\" in record data type"
            )
            .at(span);
        }
        pg_err!(
            WRONG_OBJECT_TYPE,
            "column notation .{name} applied to type {}, which is not a composite type",
            self.format_type(type_oid)
        )
        .at(span)
    }
}

/// NULL without a type.
pub(crate) fn untyped_null() -> Expr {
    Expr::Const(Const {
        value: Datum::Null,
        type_ref: TypeRef::plain(oids::UNKNOWN),
        collation: Oid::INVALID,
        span: Span::NONE,
    })
}

fn column_ref_text(c: &ast::ColumnRef) -> String {
    let mut text = name_list_to_string(&c.fields);
    if c.star {
        text.push_str(".*");
    }
    text
}
