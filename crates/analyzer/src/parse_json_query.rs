//! JSON_EXISTS, JSON_QUERY, JSON_VALUE.
//!
//! PG: src/backend/parser/parse_expr.c (`transformJsonFuncExpr`).

use common::cancel::CancelToken;
use common::error::ErrorExt;
use common::{Oid, PgError, PgResult, Span, pg_err};
use nodes::Expr;
use nodes::json::{
    JsonBehavior, JsonBehaviorKind, JsonExpr, JsonExprKind, JsonQuery, JsonQueryOp, JsonWrapper,
};
use parser::ast;
use parser::ast::JsonBehaviorType as Raw;
use types::settings::TypeRef;
use types::{Datum, oids};

use crate::parse_coerce::{CoercionContext, const_expr};
use crate::parse_json::DefaultFormat;
use crate::state::Analyzer;

fn behavior_kind(raw: Raw) -> JsonBehaviorKind {
    match raw {
        Raw::Null => JsonBehaviorKind::Null,
        Raw::Error => JsonBehaviorKind::Error,
        Raw::Empty => JsonBehaviorKind::Empty,
        Raw::True => JsonBehaviorKind::True,
        Raw::False => JsonBehaviorKind::False,
        Raw::Unknown => JsonBehaviorKind::Unknown,
        Raw::EmptyArray => JsonBehaviorKind::EmptyArray,
        Raw::EmptyObject => JsonBehaviorKind::EmptyObject,
        Raw::Default => JsonBehaviorKind::Default,
    }
}

/// What a function or kind of column allows in a clause.
struct Allowed {
    on_error: &'static [Raw],
    on_empty: &'static [Raw],
    list: &'static str,
    empty_list: &'static str,
    columns: &'static str,
}

const QUERY: Allowed = Allowed {
    on_error: &[
        Raw::Error,
        Raw::Null,
        Raw::Empty,
        Raw::EmptyArray,
        Raw::EmptyObject,
        Raw::Default,
    ],
    on_empty: &[
        Raw::Error,
        Raw::Null,
        Raw::Empty,
        Raw::EmptyArray,
        Raw::EmptyObject,
        Raw::Default,
    ],
    list: "ERROR, NULL, EMPTY ARRAY, EMPTY OBJECT, or DEFAULT expression",
    empty_list: "ERROR, NULL, EMPTY ARRAY, EMPTY OBJECT, or DEFAULT expression",
    columns: "formatted columns",
};

const VALUE: Allowed = Allowed {
    on_error: &[Raw::Error, Raw::Null, Raw::Default],
    on_empty: &[Raw::Error, Raw::Null, Raw::Default],
    list: "ERROR, NULL, or DEFAULT expression",
    empty_list: "ERROR, NULL, or DEFAULT expression",
    columns: "scalar columns",
};

const EXISTS: Allowed = Allowed {
    on_error: &[Raw::Error, Raw::True, Raw::False, Raw::Unknown],
    on_empty: &[],
    list: "ERROR, TRUE, FALSE, or UNKNOWN",
    empty_list: "",
    columns: "EXISTS columns",
};

/// Where a behaviour is used, for messages.
struct Place<'p> {
    op: JsonQueryOp,
    column: Option<&'p str>,
}

impl Place<'_> {
    fn allowed(&self) -> &'static Allowed {
        match self.op {
            JsonQueryOp::Exists => &EXISTS,
            JsonQueryOp::Query => &QUERY,
            JsonQueryOp::Value => &VALUE,
        }
    }

    #[cold]
    fn invalid(&self, clause: &str, list: &str, span: Span) -> Box<PgError> {
        let allowed = self.allowed();
        let e = match self.column {
            Some(column) => pg_err!(SYNTAX_ERROR, "invalid {clause} behavior for column \"{column}\"")
                .detail(format!(
                    "Only {list} is allowed in {clause} for {}.",
                    allowed.columns
                )),
            None => pg_err!(SYNTAX_ERROR, "invalid {clause} behavior").detail(format!(
                "Only {list} is allowed in {clause} for {}().",
                self.op.name()
            )),
        };
        e.at(span)
    }

    fn check(&self, f: &ast::JsonFuncExpr) -> PgResult<()> {
        let allowed = self.allowed();
        if let Some(b) = &f.on_empty {
            if self.op != JsonQueryOp::Exists && !allowed.on_empty.contains(&b.btype) {
                return Err(self.invalid("ON EMPTY", allowed.empty_list, b.span));
            }
        }
        if let Some(b) = &f.on_error {
            if !allowed.on_error.contains(&b.btype) {
                return Err(self.invalid("ON ERROR", allowed.list, b.span));
            }
        }
        Ok(())
    }
}

/// Constants, operators and plain functions over them; what DEFAULT may be.
fn is_default_expr(e: &Expr) -> bool {
    match e {
        Expr::Const(_) | Expr::Func(_) | Expr::Param(_) => true,
        Expr::CoerceViaIo(c) | Expr::CoerceToDomain(c) => is_default_expr(&c.arg),
        Expr::Relabel(r) => is_default_expr(&r.arg),
        Expr::ArrayCoerce(a) => is_default_expr(&a.arg),
        Expr::Collate(c) => is_default_expr(&c.arg),
        _ => false,
    }
}

impl Analyzer<'_> {
    pub(crate) fn json_func(&mut self, f: &ast::JsonFuncExpr) -> PgResult<Expr> {
        let op = match f.op {
            ast::JsonExprOp::Exists => JsonQueryOp::Exists,
            ast::JsonExprOp::Query => JsonQueryOp::Query,
            ast::JsonExprOp::Value => JsonQueryOp::Value,
            ast::JsonExprOp::Table => return self.not_yet("JSON_TABLE here", f.span),
        };
        let name = op.name();
        let item = self.json_context_item(name, &f.context_item)?;
        let path = self.json_path(&f.pathspec)?;
        let mut args = vec![item, path];
        let passing = self.json_passing(&f.passing, &mut args)?;
        self.json_query(op, f, passing, args)
    }

    /// The document that is queried, as `jsonb`.
    pub(crate) fn json_context_item(&mut self, name: &str, item: &ast::JsonValueExpr) -> PgResult<Expr> {
        self.json_value_expr(&format!("{name}()"), item, DefaultFormat::Json, Some(oids::JSONB))
    }

    pub(crate) fn json_path(&mut self, raw: &ast::Expr) -> PgResult<Expr> {
        let path = self.expr(raw)?;
        let (from, span) = (path.type_oid(), path.span());
        match self.json_cast(
            path,
            TypeRef::plain(oids::JSONPATH),
            CoercionContext::Explicit,
            span,
        )? {
            Some(path) => Ok(path),
            None => Err(pg_err!(
                DATATYPE_MISMATCH,
                "JSON path expression must be of type jsonpath, not of type {}",
                self.format_type(from)
            )
            .at(span)),
        }
    }

    /// PASSING: values to `args`, names back.
    pub(crate) fn json_passing(
        &mut self,
        list: &[ast::JsonArgument],
        args: &mut Vec<Expr>,
    ) -> PgResult<Vec<Box<str>>> {
        let mut names = Vec::with_capacity(list.len());
        for arg in list {
            let value = if arg.val.format.explicit {
                self.json_value_expr("PASSING", &arg.val, DefaultFormat::Json, None)?
            } else {
                let value = self.expr(&arg.val.raw_expr)?;
                if value.type_oid() == oids::UNKNOWN {
                    self.coerce_to_specific_type(value, oids::TEXT, "PASSING")?
                } else {
                    self.passing_value(value)?
                }
            };
            args.push(value);
            names.push(arg.name.as_str().into());
        }
        Ok(names)
    }

    /// Types that paths know pass as they are, others as JSON.
    fn passing_value(&mut self, value: Expr) -> PgResult<Expr> {
        let type_oid = value.type_oid();
        let known = matches!(
            type_oid,
            oids::BOOL
                | oids::NUMERIC
                | oids::INT2
                | oids::INT4
                | oids::INT8
                | oids::FLOAT4
                | oids::FLOAT8
                | oids::TEXT
                | oids::VARCHAR
                | oids::DATE
                | oids::TIME
                | oids::TIMETZ
                | oids::TIMESTAMP
                | oids::TIMESTAMPTZ
                | oids::JSON
                | oids::JSONB
        );
        if known || self.is_string_type(type_oid)? {
            return Ok(value);
        }
        let span = value.span();
        match self.json_cast(
            value.clone(),
            TypeRef::plain(oids::JSON),
            CoercionContext::Explicit,
            span,
        )? {
            Some(json) => Ok(json),
            None => Ok(crate::parse_json::call(Oid(3176), vec![value], oids::JSON, span)),
        }
    }

    fn json_query_result(&mut self, op: JsonQueryOp, f: &ast::JsonFuncExpr) -> PgResult<TypeRef> {
        if let Some(output) = &f.output {
            if op == JsonQueryOp::Value && output.format.explicit {
                return Err(pg_err!(
                    SYNTAX_ERROR,
                    "cannot specify FORMAT JSON in RETURNING clause of JSON_VALUE()"
                )
                .at(output.format.span));
            }
        }
        let wrapped = matches!(
            f.wrapper,
            ast::JsonWrapper::Conditional | ast::JsonWrapper::Unconditional
        );
        if op == JsonQueryOp::Query && wrapped && f.quotes == ast::JsonQuotes::Omit {
            return Err(pg_err!(
                SYNTAX_ERROR,
                "SQL/JSON QUOTES behavior must not be specified when WITH WRAPPER is used"
            )
            .at(f.span));
        }
        let returning = self.json_returning(f.output.as_deref(), false)?;
        Ok(returning.map_or_else(
            || {
                TypeRef::plain(match op {
                    JsonQueryOp::Exists => oids::BOOL,
                    JsonQueryOp::Query => oids::JSONB,
                    JsonQueryOp::Value => oids::TEXT,
                })
            },
            |r| r.type_ref,
        ))
    }

    /// The query function over arguments that are analyzed already (context item, path, PASSING).
    pub(crate) fn json_query(
        &mut self,
        op: JsonQueryOp,
        f: &ast::JsonFuncExpr,
        passing: Vec<Box<str>>,
        mut args: Vec<Expr>,
    ) -> PgResult<Expr> {
        let column = f.column_name.as_ref().map(|n| Box::from(n.as_str()));
        let place = Place {
            op,
            column: column.as_deref(),
        };
        place.check(f)?;
        let result = self.json_query_result(op, f)?;
        let (mut on_empty, default_error) = (
            None,
            match op {
                JsonQueryOp::Exists => Raw::False,
                _ => Raw::Null,
            },
        );
        if op != JsonQueryOp::Exists {
            on_empty = Some(self.json_behavior(f.on_empty.as_ref(), Raw::Null, result, &mut args)?);
        }
        let on_error = self.json_behavior(f.on_error.as_ref(), default_error, result, &mut args)?;
        let collation = self.type_collation(result.oid)?;
        let query = JsonQuery {
            op,
            passing,
            wrapper: match f.wrapper {
                ast::JsonWrapper::Conditional => JsonWrapper::Conditional,
                ast::JsonWrapper::Unconditional => JsonWrapper::Unconditional,
                ast::JsonWrapper::Unspec | ast::JsonWrapper::None => JsonWrapper::None,
            },
            omit_quotes: op == JsonQueryOp::Value || f.quotes == ast::JsonQuotes::Omit,
            on_empty,
            on_error,
            column,
        };
        Ok(Expr::Json(Box::new(JsonExpr {
            kind: JsonExprKind::Query(Box::new(query)),
            args,
            result,
            collation,
            span: f.span,
        })))
    }

    fn json_default(&mut self, raw: &ast::Expr) -> PgResult<Expr> {
        let expr = self.expr(raw)?;
        let span = expr.span();
        if !is_default_expr(&expr) {
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "can only specify a constant, non-aggregate function, or operator expression for DEFAULT"
            )
            .at(span));
        }
        if nodes::walk::any(&expr, &mut |e| matches!(e, Expr::Var(_))) {
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "DEFAULT expression must not contain column references"
            )
            .at(span));
        }
        if nodes::walk::any(&expr, &mut |e| matches!(e, Expr::Func(f) if f.returns_set)) {
            return Err(pg_err!(DATATYPE_MISMATCH, "DEFAULT expression must not return a set").at(span));
        }
        Ok(expr)
    }

    /// A behaviour; its value goes to `args`, as the result type or to become it at run time.
    fn json_behavior(
        &mut self,
        given: Option<&ast::JsonBehavior>,
        default: Raw,
        result: TypeRef,
        args: &mut Vec<Expr>,
    ) -> PgResult<JsonBehavior> {
        let raw = given.map_or(default, |b| b.btype);
        let kind = behavior_kind(raw);
        let value = match raw {
            Raw::Error => {
                return Ok(JsonBehavior {
                    kind,
                    arg: None,
                    coerce: false,
                });
            }
            Raw::Default => match given.and_then(|b| b.expr.as_ref()) {
                Some(e) => self.json_default(e)?,
                None => const_expr(Datum::Null, oids::INT4),
            },
            Raw::True | Raw::False => const_expr(Datum::Bool(raw == Raw::True), oids::BOOL),
            // EMPTY alone means EMPTY ARRAY.
            Raw::EmptyArray | Raw::Empty => {
                const_expr(types::jsonb::input("[]", CancelToken::never())?, oids::JSONB)
            }
            Raw::EmptyObject => const_expr(types::jsonb::input("{}", CancelToken::never())?, oids::JSONB),
            Raw::Null | Raw::Unknown => const_expr(Datum::Null, oids::INT4),
        };
        let (value, coerce) = self.json_behavior_value(raw, value, result)?;
        args.push(value);
        Ok(JsonBehavior {
            kind,
            arg: Some(args.len() - 1),
            coerce,
        })
    }

    fn json_behavior_value(&mut self, raw: Raw, value: Expr, result: TypeRef) -> PgResult<(Expr, bool)> {
        let from = value.type_oid();
        if from == result.oid {
            return Ok((value, false));
        }
        let null = matches!(&value, Expr::Const(c) if c.value.is_null());
        if null {
            return Ok((const_expr(Datum::Null, oids::JSONB), true));
        }
        if from == oids::JSONB {
            return Ok((value, true));
        }
        if from == oids::BOOL && self.base_type(result.oid)? != oids::INT4 {
            let text = if raw == Raw::True { "true" } else { "false" };
            return Ok((
                const_expr(types::jsonb::input(text, CancelToken::never())?, oids::JSONB),
                true,
            ));
        }
        let span = value.span();
        let context = match self.ty(result.oid)?.category {
            b'S' | b'V' => CoercionContext::Assignment,
            _ => CoercionContext::Explicit,
        };
        match self.json_cast(value, result, context, span)? {
            Some(value) => Ok((value, false)),
            None => {
                let target = self.format_type(result.oid);
                let e = pg_err!(
                    CANNOT_COERCE,
                    "cannot cast behavior expression of type {} to {target}",
                    self.format_type(from)
                );
                Err(if raw == Raw::Default {
                    e.hint(format!(
                        "You will need to explicitly cast the expression to type {target}."
                    ))
                } else {
                    e
                }
                .at(span))
            }
        }
    }
}
