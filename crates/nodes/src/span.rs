//! Where expressions stand in the statement's text.

use common::Span;

use crate::expr::Expr;

impl Expr {
    /// Where it stands in the text: the leftmost known place, as PostgreSQL's `exprLocation` for errors.
    pub fn span(&self) -> Span {
        match self {
            Expr::Const(e) => e.span,
            Expr::Var(e) => e.span,
            Expr::Param(e) => e.span,
            Expr::Func(e) | Expr::NullIf(e) => e.args.iter().fold(e.span, |s, a| s.to(a.span())),
            Expr::Distinct(e) => e
                .equality
                .args
                .iter()
                .fold(e.equality.span, |s, a| s.to(a.span())),
            Expr::ScalarArrayOp(e) => e.span.to(e.scalar.span()),
            Expr::Bool(e) => e.args.iter().fold(e.span, |s, a| s.to(a.span())),
            Expr::Case(e) => e.span,
            Expr::CaseTest(e) | Expr::CoerceToDomainValue(e) | Expr::SetToDefault(e) => e.span,
            Expr::Coalesce(e) => e.span,
            Expr::MinMax(e) => e.args.span,
            Expr::NullTest(e) => e.span.to(e.arg.span()),
            Expr::BooleanTest(e) => e.span.to(e.arg.span()),
            Expr::SqlValueFunction(e) => e.span,
            Expr::Relabel(e) => e.span.to(e.arg.span()),
            Expr::CoerceViaIo(e) | Expr::CoerceToDomain(e) => e.span.to(e.arg.span()),
            Expr::ArrayCoerce(e) => e.span.to(e.arg.span()),
            Expr::Collate(e) => e.span.to(e.arg.span()),
            Expr::Array(e) => e.span,
            Expr::Row(e) => e.span,
            Expr::RowCompare(e) => e.left.iter().fold(e.span, |s, a| s.to(a.span())),
            Expr::FieldSelect(e) => e.span.to(e.arg.span()),
            Expr::FieldStore(e) => e.span,
            Expr::Subscripting(e) => e.span.to(e.container.span()),
            Expr::Aggref(e) => e.span,
            Expr::GroupingFunc(e) => e.span,
            Expr::WindowFunc(e) => e.span,
            Expr::SubLink(e) => e.test.as_ref().map_or(e.span, |t| e.span.to(t.span())),
            Expr::Json(e) => e.span,
            Expr::Xml(e) => e.span,
            Expr::NamedArg { span, .. } => *span,
            Expr::SubPlan(_) | Expr::CurrentOf { .. } | Expr::NextValue { .. } => Span::NONE,
        }
    }
}
