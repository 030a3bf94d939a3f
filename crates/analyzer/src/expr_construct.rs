//! CASE, ARRAY, ROW, COALESCE, GREATEST and LEAST, CURRENT_DATE and relatives.
//!
//! PG: src/backend/parser/parse_expr.c.

use common::error::ErrorExt;
use common::{Oid, PgResult, Span, pg_err};
use nodes::Expr;
use nodes::expr::{
    ArrayExpr, CaseExpr, CaseWhen, CoercionForm, MinMaxExpr, RowExpr, SqlValueFunction, SqlValueKind,
    TypedArgs, TypedSlot,
};
use parser::ast;
use types::oids;
use types::settings::TypeRef;

use crate::parse_coerce::{CoerceTo, CoercionContext, select_common_typmod};
use crate::parse_expr::untyped_null;
use crate::state::Analyzer;

/// Columns of a row.
const ROW_COLUMNS_MAX: usize = 1664;

impl Analyzer<'_> {
    /// CASE.
    pub fn case_expr(&mut self, c: &ast::CaseExpr) -> PgResult<Expr> {
        let last_srf = self.cur().last_srf;
        let mut placeholder = None;
        let mut arg = None;
        if let Some(raw) = &c.arg {
            let mut test = self.expr(raw)?;
            if test.type_oid() == oids::UNKNOWN {
                test = self.coerce_to_common_type(test, oids::TEXT, "CASE")?;
            }
            self.assign_expr_collations(&mut test)?;
            placeholder = Some(Expr::CaseTest(TypedSlot {
                type_ref: test.type_ref(),
                collation: test.collation(),
                span: Span::NONE,
            }));
            arg = Some(Box::new(test));
        }
        let mut conditions = Vec::new();
        let mut results = Vec::new();
        for w in &c.args {
            let mut condition = self.expr(&w.expr)?;
            if let Some(test) = &placeholder {
                let equals = [ast::Ident::new("=", w.span)];
                condition = self.make_op(&equals, Some(test.clone()), condition, w.span)?;
            }
            conditions.push((self.coerce_to_boolean(condition, "CASE/WHEN")?, w.span));
            results.push(self.expr(&w.result)?);
        }
        let default = match &c.defresult {
            Some(e) => self.expr(e)?,
            None => untyped_null(),
        };
        let mut types: Vec<(Oid, Span)> = vec![(default.type_oid(), default.span())];
        types.extend(results.iter().map(|r| (r.type_oid(), r.span())));
        let common = self.select_common_type(&types, Some("CASE"))?;
        let default = self.coerce_to_common_type(default, common, "CASE/ELSE")?;
        let mut refs = vec![default.type_ref()];
        let mut whens = Vec::new();
        for ((condition, span), result) in conditions.into_iter().zip(results) {
            let result = self.coerce_to_common_type(result, common, "CASE/WHEN")?;
            refs.push(result.type_ref());
            whens.push(CaseWhen {
                condition,
                result,
                span,
            });
        }
        self.forbid_srf_since(last_srf, "CASE")?;
        Ok(Expr::Case(CaseExpr {
            arg,
            whens,
            default: Box::new(default),
            result: TypeRef {
                oid: common,
                typmod: select_common_typmod(&refs, common),
            },
            collation: Oid::INVALID,
            span: c.span,
        }))
    }

    /// ARRAY[...]; `target` is the array type it is cast to, with its element type.
    pub fn array_expr(&mut self, a: &ast::AArrayExpr, target: Option<(TypeRef, Oid)>) -> PgResult<Expr> {
        let mut elements = Vec::new();
        let mut multidims = false;
        for e in &a.elements {
            let made = match e {
                ast::Expr::ArrayExpr(inner) => {
                    multidims = true;
                    self.array_expr(inner, target)?
                }
                e => self.expr(e)?,
            };
            let is_vector = matches!(made.type_oid(), oids::INT2VECTOR | oids::OIDVECTOR);
            // A domain over arrays is an element: its constraints would not fit a part of a larger array.
            multidims |= !is_vector && self.element_type(made.type_oid())?.is_valid();
            elements.push(made);
        }
        let (array_type, element_type, goal) = match target {
            Some((array, element)) => (array.oid, element, if multidims { array.oid } else { element }),
            None => self.array_types(&elements, multidims, a.span)?,
        };
        let mut out = Vec::with_capacity(elements.len());
        for e in elements {
            let (input, span) = (e.type_oid(), e.span());
            out.push(match target {
                None => self.coerce_to_common_type(e, goal, "ARRAY")?,
                Some((array, _)) => {
                    let to = CoerceTo {
                        target: TypeRef {
                            oid: goal,
                            typmod: array.typmod,
                        },
                        context: CoercionContext::Explicit,
                        form: CoercionForm::ExplicitCast,
                        span: Span::NONE,
                    };
                    match self.coerce_to_target_type(e, to)? {
                        Some(e) => e,
                        None => return Err(self.cannot_cast(input, goal, span)),
                    }
                }
            });
        }
        Ok(Expr::Array(ArrayExpr {
            elements: out,
            array_type,
            element_type,
            multidims,
            collation: Oid::INVALID,
            span: a.span,
        }))
    }

    /// Array, element and common type of untyped array elements.
    fn array_types(&self, elements: &[Expr], multidims: bool, span: Span) -> PgResult<(Oid, Oid, Oid)> {
        if elements.is_empty() {
            return Err(
                pg_err!(INDETERMINATE_DATATYPE, "cannot determine type of empty array")
                    .hint("Explicitly cast to the desired type, for example ARRAY[]::integer[].")
                    .at(span),
            );
        }
        let types: Vec<(Oid, Span)> = elements.iter().map(|e| (e.type_oid(), e.span())).collect();
        let common = self.select_common_type(&types, Some("ARRAY"))?;
        let missing = |what: &str| {
            pg_err!(
                UNDEFINED_OBJECT,
                "could not find {what} type for data type {}",
                self.format_type(common)
            )
            .at(span)
        };
        if multidims {
            let element = self.element_type(common)?;
            if !element.is_valid() {
                return Err(missing("element"));
            }
            return Ok((common, element, common));
        }
        let array = self.array_type(common)?;
        if !array.is_valid() {
            return Err(missing("array"));
        }
        Ok((array, common, common))
    }

    /// ROW(...).
    pub fn row_expr(&mut self, r: &ast::RowExpr) -> PgResult<Expr> {
        let kind = self.cur().expr_kind;
        let args = self.transform_expression_list(&r.args, kind, false)?;
        if args.len() > ROW_COLUMNS_MAX {
            return Err(pg_err!(
                TOO_MANY_COLUMNS,
                "ROW expressions can have at most {ROW_COLUMNS_MAX} entries"
            )
            .at(r.span));
        }
        Ok(Expr::Row(RowExpr {
            names: (1..=args.len()).map(|i| format!("f{i}").into()).collect(),
            args,
            row_type: oids::RECORD,
            form: if r.explicit {
                CoercionForm::ExplicitCall
            } else {
                CoercionForm::ImplicitCast
            },
            span: r.span,
        }))
    }

    /// Analyzes arguments and gives them their common type.
    fn common_args(&mut self, raw: &[ast::Expr], construct: &str) -> PgResult<(Vec<Expr>, TypeRef)> {
        let mut args = Vec::with_capacity(raw.len());
        for a in raw {
            args.push(self.expr(a)?);
        }
        let types: Vec<(Oid, Span)> = args.iter().map(|e| (e.type_oid(), e.span())).collect();
        let common = self.select_common_type(&types, Some(construct))?;
        let mut out = Vec::with_capacity(args.len());
        for a in args {
            out.push(self.coerce_to_common_type(a, common, construct)?);
        }
        let refs: Vec<TypeRef> = out.iter().map(Expr::type_ref).collect();
        let typmod = select_common_typmod(&refs, common);
        Ok((out, TypeRef { oid: common, typmod }))
    }

    /// COALESCE.
    pub fn coalesce_expr(&mut self, c: &ast::CoalesceExpr) -> PgResult<Expr> {
        let last_srf = self.cur().last_srf;
        let (args, result) = self.common_args(&c.args, "COALESCE")?;
        self.forbid_srf_since(last_srf, "COALESCE")?;
        Ok(Expr::Coalesce(TypedArgs {
            args,
            result,
            collation: Oid::INVALID,
            span: c.span,
        }))
    }

    /// GREATEST, LEAST.
    pub fn min_max_expr(&mut self, m: &ast::MinMaxExpr) -> PgResult<Expr> {
        let greatest = m.op == ast::MinMaxOp::Greatest;
        let (args, result) = self.common_args(&m.args, if greatest { "GREATEST" } else { "LEAST" })?;
        let cmp_func = match self.default_opclass(crate::parse_oper::BTREE_AM, result.oid)? {
            Some((family, input)) => self.cx.catalog.opfamily_proc(family, input, input, 1)?,
            None => None,
        };
        let Some(cmp_func) = cmp_func else {
            // PostgreSQL finds out when the expression is initialised, without a place.
            return Err(pg_err!(
                UNDEFINED_FUNCTION,
                "could not identify a comparison function for type {}",
                self.format_type(result.oid)
            ));
        };
        Ok(Expr::MinMax(MinMaxExpr {
            greatest,
            cmp_func,
            args: TypedArgs {
                args,
                result,
                collation: Oid::INVALID,
                span: m.span,
            },
            input_collation: Oid::INVALID,
        }))
    }

    /// CURRENT_DATE and relatives.
    pub fn sql_value_function(&mut self, f: &ast::SqlValueFunction) -> PgResult<Expr> {
        use ast::SqlValueFunctionOp as Op;
        let (kind, oid) = match f.op {
            Op::CurrentDate => (SqlValueKind::CurrentDate, oids::DATE),
            Op::CurrentTime => (SqlValueKind::CurrentTime, oids::TIMETZ),
            Op::CurrentTimestamp => (SqlValueKind::CurrentTimestamp, oids::TIMESTAMPTZ),
            Op::Localtime => (SqlValueKind::LocalTime, oids::TIME),
            Op::Localtimestamp => (SqlValueKind::LocalTimestamp, oids::TIMESTAMP),
            Op::CurrentRole => (SqlValueKind::CurrentRole, oids::NAME),
            Op::CurrentUser => (SqlValueKind::CurrentUser, oids::NAME),
            Op::User => (SqlValueKind::User, oids::NAME),
            Op::SessionUser => (SqlValueKind::SessionUser, oids::NAME),
            Op::CurrentCatalog => (SqlValueKind::CurrentCatalog, oids::NAME),
            Op::CurrentSchema => (SqlValueKind::CurrentSchema, oids::NAME),
            Op::SystemUser => return self.not_yet("SYSTEM_USER", f.span),
        };
        let typmod = match f.typmod {
            None => -1,
            Some(p) => {
                let (name, suffix) = match oid {
                    oids::TIMETZ => ("TIME", " WITH TIME ZONE"),
                    oids::TIME => ("TIME", ""),
                    oids::TIMESTAMPTZ => ("TIMESTAMP", " WITH TIME ZONE"),
                    _ => ("TIMESTAMP", ""),
                };
                types::typmod::seconds_digits(p, name, suffix, &|notice| {
                    self.cx.notice(notice);
                    Ok(())
                })?
            }
        };
        Ok(Expr::SqlValueFunction(SqlValueFunction {
            kind,
            result: TypeRef { oid, typmod },
            span: f.span,
        }))
    }
}
