//! Evaluating expressions without a plan: constants, defaults.

use common::cancel::CancelToken;
use common::{Oid, PgResult, Span, internal};
use functions::SessionContext;
use nodes::Expr;
use nodes::expr::{CoerceExpr, CoercionForm, Param, ParamKind};
use types::settings::TypeRef;
use types::{Datum, FormatSettings};

/// The surroundings of a constant expression.
#[derive(Clone, Copy)]
pub struct ConstContext<'a> {
    /// Types made by users.
    pub catalog: &'a dyn catalog::CatalogView,
    /// The session as functions see it.
    pub session: &'a dyn SessionContext,
    /// Settings that shape text.
    pub settings: &'a FormatSettings,
    /// Polled by functions that run long.
    pub cancel: &'a CancelToken,
    /// Values of `$1..$n`, if known.
    pub params: &'a [Datum],
}

/// Evaluates an expression without columns or subqueries: constant folding, SET, LIMIT, partition bounds, DEFAULT.
pub fn evaluate_constant(expr: &Expr, cx: ConstContext<'_>) -> PgResult<Datum> {
    if let Expr::Const(c) = expr {
        return Ok(c.value.clone());
    }
    let env = crate::compile::NoColumns { catalog: cx.catalog };
    let program = expr::ExprProgram::compile(expr, &env)?;
    program.eval_const(&mut ConstRuntime(cx))
}

/// Compiles an expression without columns and subqueries, for whoever evaluates it often.
pub fn compile_scalar(expr: &Expr, catalog: &dyn catalog::CatalogView) -> PgResult<expr::ExprProgram> {
    expr::ExprProgram::compile(expr, &crate::compile::NoColumns { catalog })
}

/// The constraints of a domain, compiled: for input functions, which check what they read.
pub struct DomainProgram(expr::ExprProgram);

impl DomainProgram {
    /// Compiles the constraints of a domain and of the domains below it.
    pub fn compile(domain: Oid, catalog: &dyn catalog::CatalogView) -> PgResult<DomainProgram> {
        let Some(desc) = catalog.type_desc(domain)? else {
            return Err(internal!("cache lookup failed for type {domain}"));
        };
        let base = TypeRef {
            oid: desc.base_type,
            typmod: desc.typmod,
        };
        let value = Expr::Param(Param {
            kind: ParamKind::External,
            number: 1,
            type_ref: base,
            collation: desc.collation,
            span: Span::NONE,
        });
        let cast = Expr::CoerceToDomain(CoerceExpr {
            arg: Box::new(value),
            result: TypeRef::plain(domain),
            collation: desc.collation,
            form: CoercionForm::ImplicitCast,
            span: Span::NONE,
        });
        let env = crate::compile::NoColumns { catalog };
        Ok(DomainProgram(expr::ExprProgram::compile(&cast, &env)?))
    }

    /// Checks the value in `cx.params`.
    pub fn check(&self, cx: ConstContext<'_>) -> PgResult<()> {
        self.0.eval_const(&mut ConstRuntime(cx)).map(drop)
    }
}

/// A run time without plan.
struct ConstRuntime<'a>(ConstContext<'a>);

impl expr::Runtime for ConstRuntime<'_> {
    fn parts(&self) -> expr::FnParts<'_> {
        expr::FnParts {
            settings: self.0.settings,
            cancel: self.0.cancel,
            session: self.0.session,
        }
    }

    fn param(&self, number: usize) -> PgResult<Datum> {
        let value = number.checked_sub(1).and_then(|i| self.0.params.get(i));
        value
            .cloned()
            .ok_or_else(|| common::pg_err!(UNDEFINED_PARAMETER, "no value found for parameter {number}"))
    }
}

/// Expressions over single rows outside of a plan.
pub(crate) struct RowRuntime<'c, 'a>(pub &'c crate::context::ExecContext<'a>);

impl expr::Runtime for RowRuntime<'_, '_> {
    fn parts(&self) -> expr::FnParts<'_> {
        expr::FnParts {
            settings: self.0.settings,
            cancel: self.0.cancel,
            session: self.0.session,
        }
    }

    fn param(&self, number: usize) -> PgResult<Datum> {
        let value = number.checked_sub(1).and_then(|i| self.0.params.get(i));
        value
            .cloned()
            .ok_or_else(|| common::pg_err!(UNDEFINED_PARAMETER, "no value found for parameter {number}"))
    }
}
