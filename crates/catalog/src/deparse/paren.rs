//! Which operands need parentheses in the "pretty" form.
//!
//! PG: ruleutils.c, `isSimpleNode`: cautious, it knows only the precedence of `+ - * / %` and of AND, OR and NOT.

use common::PgResult;
use nodes::Expr;
use nodes::expr::BoolOp;

use crate::deparse::Writer;

/// Precedence of the arithmetic operators: `Some(2)` for `* / %`, `Some(1)` for `+ -`.
pub(crate) fn rank(operator: &str) -> Option<u8> {
    match operator {
        "*" | "/" | "%" => Some(2),
        "+" | "-" => Some(1),
        _ => None,
    }
}

/// What an operand is part of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parent {
    /// An operator call.
    Operator {
        /// Its precedence, see [`rank`].
        rank: Option<u8>,
        /// The operand stands on its left.
        left: bool,
    },
    /// AND, OR, NOT.
    Bool(BoolOp),
    /// A function that is written as a cast.
    Cast,
    /// Anything else: brackets are needed around all but the simplest.
    Other,
}

impl Writer<'_> {
    /// True for what holds together without parentheses.
    pub(crate) fn is_simple(&self, expr: &Expr, parent: Parent) -> PgResult<bool> {
        Ok(match expr {
            Expr::Relabel(r) => self.is_simple(&r.arg, Parent::Other)?,
            Expr::CoerceViaIo(c) | Expr::CoerceToDomain(c) => self.is_simple(&c.arg, Parent::Other)?,
            Expr::ArrayCoerce(c) => self.is_simple(&c.arg, Parent::Other)?,
            Expr::Func(f) if f.op.is_valid() => match parent {
                Parent::Operator { rank: outer, left } => match (rank(&self.operator_name(f.op)?), outer) {
                    (Some(mine), Some(outer)) => mine > outer || mine == outer && left,
                    _ => false,
                },
                Parent::Bool(_) => true,
                Parent::Cast | Parent::Other => false,
            },
            Expr::Distinct(_) | Expr::NullTest(_) | Expr::BooleanTest(_) | Expr::SubLink(_) => {
                matches!(parent, Parent::Bool(_))
            }
            Expr::Bool(b) => match (b.op, parent) {
                (BoolOp::And | BoolOp::Not, Parent::Bool(outer)) => outer != BoolOp::Not,
                (BoolOp::Or, Parent::Bool(outer)) => outer == BoolOp::Or,
                _ => false,
            },
            Expr::ScalarArrayOp(_) | Expr::RowCompare(_) | Expr::Collate(_) => false,
            _ => true,
        })
    }
}
