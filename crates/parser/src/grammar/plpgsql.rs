//! The two forms that PL/pgSQL asks for: an expression (a SELECT without its first word) and an assignment.

use common::PgResult;

use crate::ast::{DistinctClause, PlAssignStmt, PlAssignTarget, SelectStmt};
use crate::keywords::Keyword as K;
use crate::parser::Parser;
use crate::token::Tok;

type R<T> = PgResult<T>;

impl Parser<'_> {
    /// `PLpgSQL_Expr`.
    pub fn plpgsql_expr(&mut self) -> R<Box<SelectStmt>> {
        let start = self.start();
        let mut select = Box::<SelectStmt>::default();
        if self.eat(K::Distinct) {
            select.distinct = Some(DistinctClause::All);
            if self.eat(K::On) {
                select.distinct = Some(DistinctClause::On(self.paren_list(|p| p.a_expr())?));
            }
        }
        self.select_body_after_distinct(&mut select)?;
        select.span = self.span_from(start);
        self.select_continuation_without_set_operations(select)
    }

    /// `PLAssignStmt`.
    pub fn plpgsql_assign(&mut self) -> R<PlAssignStmt> {
        let start = self.start();
        let target = if self.at(Tok::Param) {
            PlAssignTarget::Param(self.take().value as i32)
        } else {
            PlAssignTarget::Name(self.col_id()?)
        };
        let indirection = self.indirection()?;
        if !self.eat(Tok::ColonEquals) {
            self.expect('=')?;
        }
        let val = self.plpgsql_expr()?;
        Ok(PlAssignStmt {
            target,
            indirection,
            val,
            span: self.span_from(start),
        })
    }
}
