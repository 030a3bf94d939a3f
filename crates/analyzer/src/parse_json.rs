//! SQL/JSON: constructors, aggregates, JSON(), JSON_SCALAR, JSON_SERIALIZE, IS JSON.
//!
//! PG: src/backend/parser/parse_expr.c (`transformJsonValueExpr` and what follows it).

use common::error::ErrorExt;
use common::{Oid, PgResult, Span, pg_err};
use nodes::Expr;
use nodes::expr::{CoercionForm, FuncExpr};
use nodes::json::{JsonBuild, JsonExpr, JsonExprKind, JsonItemType};
use parser::ast;
use types::settings::TypeRef;
use types::{Datum, oids};

use crate::parse_coerce::{CoerceTo, CoercionContext, const_expr};
use crate::state::Analyzer;

/// `to_json(anyelement)`.
const TO_JSON: Oid = Oid(3176);
/// `to_jsonb(anyelement)`.
const TO_JSONB: Oid = Oid(3787);
/// `convert_from(bytea, name)`.
const CONVERT_FROM: Oid = Oid(1714);
/// `convert_to(text, name)`.
const CONVERT_TO: Oid = Oid(1717);

/// How a value without FORMAT is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum DefaultFormat {
    /// As itself.
    None,
    /// As JSON text.
    Json,
}

/// What a RETURNING clause says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Returning {
    pub type_ref: TypeRef,
    /// FORMAT JSON, written or meant.
    pub format_json: bool,
}

/// A call of a built-in function.
pub(crate) fn call(func: Oid, args: Vec<Expr>, result: Oid, span: Span) -> Expr {
    Expr::Func(FuncExpr::plain(func, args, result, span))
}

fn json_expr(kind: JsonExprKind, args: Vec<Expr>, result: Oid, span: Span) -> Expr {
    Expr::Json(Box::new(JsonExpr {
        kind,
        args,
        result: TypeRef::plain(result),
        collation: Oid::INVALID,
        span,
    }))
}

fn utf8_name() -> Expr {
    const_expr(Datum::text("UTF8"), oids::NAME)
}

impl Analyzer<'_> {
    pub(crate) fn is_string_type(&self, type_oid: Oid) -> PgResult<bool> {
        Ok(type_oid == oids::UNKNOWN || self.ty(type_oid)?.category == b'S')
    }

    fn bytea_to_text(&self, expr: Expr, span: Span) -> Expr {
        call(CONVERT_FROM, vec![expr, utf8_name()], oids::TEXT, span)
    }

    /// `expr [FORMAT JSON]` as `json`, `jsonb` or itself; `target` is a type that it must become.
    pub(crate) fn json_value_expr(
        &mut self,
        construct: &str,
        v: &ast::JsonValueExpr,
        default: DefaultFormat,
        target: Option<Oid>,
    ) -> PgResult<Expr> {
        let mut expr = self.expr(&v.raw_expr)?;
        if expr.type_oid() == oids::UNKNOWN {
            expr = self.coerce_to_specific_type(expr, oids::TEXT, construct)?;
        }
        let type_oid = expr.type_oid();
        let is_json = matches!(type_oid, oids::JSON | oids::JSONB);
        if v.format.explicit && v.format.encoding != ast::JsonEncoding::Default && type_oid != oids::BYTEA {
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "JSON ENCODING clause is only allowed for bytea input type"
            )
            .at(v.format.span));
        }
        let formatted = !is_json && (v.format.explicit || default == DefaultFormat::Json);
        if !formatted && target.is_none_or(|t| t == type_oid) {
            return Ok(expr);
        }
        let span = expr.span();
        let string = self.is_string_type(type_oid)?;
        if target.is_none() && type_oid != oids::BYTEA && !string {
            let (word, at) = if v.format.explicit {
                ("explicit", v.format.span)
            } else {
                ("implicit", span)
            };
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "cannot use non-string types with {word} FORMAT JSON clause"
            )
            .at(at));
        }
        if formatted && type_oid == oids::BYTEA {
            expr = self.bytea_to_text(expr, span);
        }
        let to = target.unwrap_or(oids::JSON);
        let from = expr.type_oid();
        match self.json_cast(expr.clone(), TypeRef::plain(to), CoercionContext::Explicit, span)? {
            Some(e) => Ok(e),
            None if target.is_some() => Err(self.cannot_cast(from, to, span)),
            None => {
                let func = if to == oids::JSON { TO_JSON } else { TO_JSONB };
                Ok(call(func, vec![expr], to, span))
            }
        }
    }

    pub(crate) fn json_cast(
        &mut self,
        expr: Expr,
        target: TypeRef,
        context: CoercionContext,
        span: Span,
    ) -> PgResult<Option<Expr>> {
        let to = CoerceTo {
            target,
            context,
            form: CoercionForm::ExplicitCast,
            span,
        };
        self.coerce_to_target_type(expr, to)
    }

    /// A RETURNING clause; `allow_format` permits FORMAT JSON with types that are no strings.
    pub(crate) fn json_returning(
        &mut self,
        output: Option<&ast::JsonOutput>,
        allow_format: bool,
    ) -> PgResult<Option<Returning>> {
        let Some(output) = output else { return Ok(None) };
        let type_ref = self.resolve_type(&output.type_name)?;
        if output.type_name.setof {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "returning SETOF types is not supported in SQL/JSON functions"
            ));
        }
        let desc = self.ty(type_ref.oid)?;
        if desc.kind == b'p' {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "returning pseudo-types is not supported in SQL/JSON functions"
            ));
        }
        let format = &output.format;
        if format.explicit {
            let json = matches!(type_ref.oid, oids::BYTEA | oids::JSON | oids::JSONB);
            if !allow_format && !json && desc.category != b'S' {
                return Err(pg_err!(
                    INVALID_PARAMETER_VALUE,
                    "cannot use JSON format with non-string output types"
                )
                .at(format.span));
            }
            if type_ref.oid != oids::BYTEA && format.encoding != ast::JsonEncoding::Default {
                return Err(pg_err!(
                    FEATURE_NOT_SUPPORTED,
                    "cannot set JSON encoding for non-bytea output types"
                )
                .at(format.span));
            }
            if !matches!(
                format.encoding,
                ast::JsonEncoding::Default | ast::JsonEncoding::Utf8
            ) {
                return Err(pg_err!(INVALID_PARAMETER_VALUE, "unsupported JSON encoding")
                    .hint("Only UTF8 JSON encoding is supported.")
                    .at(format.span));
            }
        }
        Ok(Some(Returning {
            type_ref,
            format_json: format.explicit || type_ref.oid != oids::JSONB,
        }))
    }

    /// The result of a constructor as its RETURNING type.
    fn json_output(&mut self, expr: Expr, returning: Option<Returning>, span: Span) -> PgResult<Expr> {
        let Some(r) = returning else { return Ok(expr) };
        let from = expr.type_oid();
        if r.type_ref.oid == from {
            return Ok(expr);
        }
        if r.type_ref.oid == oids::BYTEA && r.format_json {
            let text = self.coerce_to_specific_type(expr, oids::TEXT, "JSON_FUNCTION")?;
            return Ok(call(CONVERT_TO, vec![text, utf8_name()], oids::BYTEA, span));
        }
        match self.json_cast(expr, r.type_ref, CoercionContext::Assignment, span)? {
            Some(e) => Ok(e),
            None => Err(self.cannot_cast(from, r.type_ref.oid, span)),
        }
    }

    /// True when a constructor makes `jsonb`: asked for, or some argument is one.
    fn makes_jsonb(returning: Option<Returning>, args: &[Expr]) -> bool {
        match returning {
            Some(r) => r.type_ref.oid == oids::JSONB,
            None => args.iter().any(|e| e.type_oid() == oids::JSONB),
        }
    }

    pub(crate) fn json_object_constructor(&mut self, c: &ast::JsonObjectConstructor) -> PgResult<Expr> {
        let mut args = Vec::with_capacity(c.exprs.len() * 2);
        for pair in &c.exprs {
            args.push(self.expr(&pair.key)?);
            args.push(self.json_value_expr("JSON_OBJECT()", &pair.value, DefaultFormat::None, None)?);
        }
        let returning = self.json_returning(c.output.as_deref(), false)?;
        let jsonb = Self::makes_jsonb(returning, &args);
        let kind = JsonExprKind::Object(JsonBuild {
            jsonb,
            absent_on_null: c.absent_on_null,
            unique_keys: c.unique,
        });
        let result = if jsonb { oids::JSONB } else { oids::JSON };
        self.json_output(json_expr(kind, args, result, c.span), returning, c.span)
    }

    pub(crate) fn json_array_constructor(&mut self, c: &ast::JsonArrayConstructor) -> PgResult<Expr> {
        let mut args = Vec::with_capacity(c.exprs.len());
        for value in &c.exprs {
            args.push(self.json_value_expr("JSON_ARRAY()", value, DefaultFormat::None, None)?);
        }
        let returning = self.json_returning(c.output.as_deref(), false)?;
        let jsonb = Self::makes_jsonb(returning, &args);
        let kind = JsonExprKind::Array(JsonBuild {
            jsonb,
            absent_on_null: c.absent_on_null,
            unique_keys: false,
        });
        let result = if jsonb { oids::JSONB } else { oids::JSON };
        self.json_output(json_expr(kind, args, result, c.span), returning, c.span)
    }

    /// `JSON_ARRAY(query)` is `(SELECT JSON_ARRAYAGG(a) FROM (query) q(a))`.
    pub(crate) fn json_array_query(&mut self, c: &ast::JsonArrayQueryConstructor) -> PgResult<Expr> {
        let columns = self
            .sub_analyze_select(&c.query, None, false)?
            .output_columns()
            .count();
        if columns != 1 {
            return Err(pg_err!(SYNTAX_ERROR, "subquery must return only one column").at(c.span));
        }
        let ident = |name: &str| ast::Ident::new(name, c.span);
        let column = ast::Expr::ColumnRef(ast::ColumnRef {
            fields: vec![ident("q"), ident("a")],
            star: false,
            span: c.span,
        });
        let aggregate = ast::Expr::JsonArrayAgg(Box::new(ast::JsonArrayAgg {
            constructor: ast::JsonAggConstructor {
                output: c.output.clone(),
                agg_filter: None,
                agg_order: Vec::new(),
                over: None,
                span: c.span,
            },
            arg: ast::JsonValueExpr {
                raw_expr: column,
                format: c.format,
            },
            absent_on_null: c.absent_on_null,
        }));
        let select = ast::SelectStmt {
            target_list: vec![ast::ResTarget {
                name: None,
                indirection: Vec::new(),
                val: Some(aggregate),
                span: c.span,
            }],
            from: vec![ast::TableRef::Subselect(Box::new(ast::RangeSubselect {
                lateral: false,
                subquery: c.query.clone(),
                alias: Some(Box::new(ast::Alias {
                    name: ident("q"),
                    columns: vec![ident("a")],
                    span: c.span,
                })),
                span: c.span,
            }))],
            span: c.span,
            ..ast::SelectStmt::default()
        };
        self.expr(&ast::Expr::SubLink(Box::new(ast::SubLink {
            kind: ast::SubLinkType::Expr,
            test: None,
            oper_name: Vec::new(),
            subselect: Box::new(select),
            span: c.span,
        })))
    }

    /// The raw value of an aggregate, with its FORMAT JSON as a cast.
    fn json_aggregate_arg(v: &ast::JsonValueExpr) -> ast::Expr {
        if !v.format.explicit {
            return v.raw_expr.clone();
        }
        ast::Expr::TypeCast(Box::new(ast::TypeCast {
            arg: v.raw_expr.clone(),
            type_name: ast::TypeName {
                names: vec![
                    ast::Ident::new("pg_catalog", v.format.span),
                    ast::Ident::new("json", v.format.span),
                ],
                setof: false,
                pct_type: false,
                typmods: Vec::new(),
                array_bounds: Vec::new(),
                span: v.format.span,
            },
            span: v.format.span,
        }))
    }

    fn json_aggregate(
        &mut self,
        base: &str,
        suffix: &str,
        args: Vec<ast::Expr>,
        c: &ast::JsonAggConstructor,
    ) -> PgResult<Expr> {
        let returning = self.json_returning(c.output.as_deref(), false)?;
        let jsonb = match returning {
            Some(r) => r.type_ref.oid == oids::JSONB,
            None => {
                let mut jsonb = false;
                for arg in &args {
                    jsonb |= self.expr(arg)?.type_oid() == oids::JSONB;
                }
                jsonb
            }
        };
        let name = format!("{}_{base}{suffix}", if jsonb { "jsonb" } else { "json" });
        let func = ast::FuncCall {
            func_name: vec![
                ast::Ident::new("pg_catalog", c.span),
                ast::Ident::new(&*name, c.span),
            ],
            args,
            agg_order: c.agg_order.clone(),
            agg_filter: c.agg_filter.clone(),
            over: c.over.clone(),
            agg_within_group: false,
            agg_star: false,
            agg_distinct: false,
            func_variadic: false,
            func_format: ast::CoercionForm::ExplicitCall,
            span: c.span,
        };
        let made = self.expr(&ast::Expr::FuncCall(Box::new(func)))?;
        self.json_output(made, returning, c.span)
    }

    pub(crate) fn json_object_agg(&mut self, a: &ast::JsonObjectAgg) -> PgResult<Expr> {
        let suffix = match (a.unique, a.absent_on_null) {
            (false, false) => "",
            (false, true) => "_strict",
            (true, false) => "_unique",
            (true, true) => "_unique_strict",
        };
        let args = vec![a.arg.key.clone(), Self::json_aggregate_arg(&a.arg.value)];
        self.json_aggregate("object_agg", suffix, args, &a.constructor)
    }

    pub(crate) fn json_array_agg(&mut self, a: &ast::JsonArrayAgg) -> PgResult<Expr> {
        let suffix = if a.absent_on_null { "_strict" } else { "" };
        self.json_aggregate(
            "agg",
            suffix,
            vec![Self::json_aggregate_arg(&a.arg)],
            &a.constructor,
        )
    }

    /// The argument of IS JSON and JSON(): text, `json` or `jsonb`.
    fn json_parse_arg(&mut self, raw: &ast::Expr, format: &ast::JsonFormat) -> PgResult<Expr> {
        let expr = self.expr(raw)?;
        let type_oid = expr.type_oid();
        let span = expr.span();
        if type_oid == oids::BYTEA {
            return Ok(self.bytea_to_text(expr, span));
        }
        if format.encoding != ast::JsonEncoding::Default {
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "cannot use JSON FORMAT ENCODING clause for non-bytea input types"
            )
            .at(format.span));
        }
        if !self.is_string_type(type_oid)? {
            return Ok(expr);
        }
        match self.json_cast(
            expr.clone(),
            TypeRef::plain(oids::TEXT),
            CoercionContext::Implicit,
            Span::NONE,
        )? {
            Some(text) => Ok(text),
            None => Ok(expr),
        }
    }

    pub(crate) fn json_is(&mut self, p: &ast::JsonIsPredicate) -> PgResult<Expr> {
        let arg = self.json_parse_arg(&p.expr, &p.format)?;
        let type_oid = arg.type_oid();
        if !matches!(type_oid, oids::TEXT | oids::JSON | oids::JSONB) {
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "cannot use type {} in IS JSON predicate",
                self.format_type(type_oid)
            ));
        }
        let kind = JsonExprKind::Is {
            item: match p.item_type {
                ast::JsonValueType::Any => JsonItemType::Any,
                ast::JsonValueType::Object => JsonItemType::Object,
                ast::JsonValueType::Array => JsonItemType::Array,
                ast::JsonValueType::Scalar => JsonItemType::Scalar,
            },
            unique_keys: p.unique_keys,
        };
        Ok(json_expr(kind, vec![arg], oids::BOOL, p.span))
    }

    pub(crate) fn json_parse(&mut self, p: &ast::JsonParseExpr) -> PgResult<Expr> {
        if !p.unique_keys {
            return self.json_value_expr("JSON()", &p.expr, DefaultFormat::Json, Some(oids::JSON));
        }
        let arg = self.json_parse_arg(&p.expr.raw_expr, &p.expr.format)?;
        if arg.type_oid() != oids::TEXT {
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "cannot use non-string types with WITH UNIQUE KEYS clause"
            )
            .at(p.span));
        }
        Ok(json_expr(
            JsonExprKind::ParseUnique,
            vec![arg],
            oids::JSON,
            p.span,
        ))
    }

    pub(crate) fn json_scalar(&mut self, s: &ast::JsonScalarExpr) -> PgResult<Expr> {
        let mut arg = self.expr(&s.expr)?;
        if arg.type_oid() == oids::UNKNOWN {
            arg = self.coerce_to_specific_type(arg, oids::TEXT, "JSON_SCALAR")?;
        }
        Ok(call(TO_JSON, vec![arg], oids::JSON, s.span))
    }

    pub(crate) fn json_serialize(&mut self, s: &ast::JsonSerializeExpr) -> PgResult<Expr> {
        let arg = self.json_value_expr("JSON_SERIALIZE()", &s.expr, DefaultFormat::Json, None)?;
        let returning = match self.json_returning(s.output.as_deref(), true)? {
            Some(r) => r,
            None => Returning {
                type_ref: TypeRef::plain(oids::TEXT),
                format_json: true,
            },
        };
        let target = returning.type_ref.oid;
        if target != oids::BYTEA && self.ty(target)?.category != b'S' {
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "cannot use type {} in RETURNING clause of JSON_SERIALIZE()",
                self.format_type(target)
            )
            .hint("Try returning a string type or bytea."));
        }
        self.json_output(arg, Some(returning), s.span)
    }
}
