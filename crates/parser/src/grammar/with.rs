//! WITH: common table expressions, SEARCH and CYCLE.

use common::{PgResult, Span};

use crate::ast::{
    CommonTableExpr, CteCycleClause, CteMaterialize, CteSearchClause, Expr, Statement, WithClause,
};
use crate::grammar::expr::{Mode, bool_const};
use crate::keywords::Keyword as K;
use crate::parser::Parser;
use crate::token::Tok;

type R<T> = PgResult<T>;

impl Parser<'_> {
    /// `[WITH [RECURSIVE] ...]`.
    #[inline(never)]
    pub fn opt_with_clause(&mut self) -> R<Option<Box<WithClause>>> {
        if !matches!(self.tok, Tok::Kw(K::With) | Tok::WithLa) {
            return Ok(None);
        }
        let first = self.take();
        let recursive = first.tok == Tok::Kw(K::With)
            && self.at(K::Recursive)
            && !matches!(self.peek(1), Tok::Kw(K::As) | Tok::Char(b'('));
        if recursive {
            self.bump();
        }
        let ctes = self.comma_list(|p| p.common_table_expr())?;
        Ok(Some(Box::new(WithClause {
            ctes,
            recursive,
            span: self.span_from(first.start),
        })))
    }

    #[inline(never)]
    fn common_table_expr(&mut self) -> R<CommonTableExpr> {
        self.check_stack()?;
        let name = self.name()?;
        let start = name.span.start;
        let columns = self.opt_paren_list(|p| p.name())?;
        self.expect(K::As)?;
        let materialized = if self.eat(K::Materialized) {
            CteMaterialize::Always
        } else if self.eat(K::Not) {
            self.expect(K::Materialized)?;
            CteMaterialize::Never
        } else {
            CteMaterialize::Default
        };
        self.expect('(')?;
        let query = self.preparable_stmt()?;
        self.expect(')')?;
        let search = if self.at(K::Search) {
            Some(Box::new(self.search_clause()?))
        } else {
            None
        };
        let cycle = if self.at(K::Cycle) {
            Some(Box::new(self.cycle_clause()?))
        } else {
            None
        };
        let span = self.span_from(start);
        Ok(CommonTableExpr {
            name,
            columns,
            materialized,
            query,
            search,
            cycle,
            span,
        })
    }

    fn search_clause(&mut self) -> R<CteSearchClause> {
        let start = self.take().start;
        let breadth_first = self.eat(K::Breadth);
        if !breadth_first {
            self.expect(K::Depth)?;
        }
        self.expect_all(&[K::First, K::By])?;
        let columns = self.comma_list(|p| p.col_id())?;
        self.expect(K::Set)?;
        let seq_column = self.col_id()?;
        Ok(CteSearchClause {
            columns,
            breadth_first,
            seq_column,
            span: self.span_from(start),
        })
    }

    fn cycle_clause(&mut self) -> R<CteCycleClause> {
        let start = self.take().start;
        let columns = self.comma_list(|p| p.col_id())?;
        self.expect(K::Set)?;
        let mark_column = self.col_id()?;
        let (mut mark_value, mut mark_default) =
            (bool_const(true, Span::NONE), bool_const(false, Span::NONE));
        if self.eat(K::To) {
            mark_value = self.aexpr_const()?;
            self.expect(K::Default)?;
            mark_default = self.aexpr_const()?;
        }
        self.expect(K::Using)?;
        let path_column = self.col_id()?;
        let span = self.span_from(start);
        Ok(CteCycleClause {
            columns,
            mark_column,
            mark_value,
            mark_default,
            path_column,
            span,
        })
    }

    /// `AexprConst`: a literal.
    fn aexpr_const(&mut self) -> R<Expr> {
        if matches!(
            self.tok,
            Tok::Char(b'(') | Tok::Param | Tok::Kw(K::Case | K::Array | K::Exists | K::Row)
        ) {
            return self.fail();
        }
        let mark = self.mark();
        let expr = self.c_expr(Mode::A)?;
        if matches!(expr, Expr::AConst(_) | Expr::TypeCast(_)) {
            return Ok(expr);
        }
        // A name must be followed by the rest of a typed literal: what stands there instead is wrong.
        if !matches!(expr, Expr::ColumnRef(_) | Expr::FuncCall(_)) {
            self.rewind(mark);
        }
        self.fail()
    }

    /// SELECT, INSERT, UPDATE, DELETE or MERGE, with WITH.
    pub fn preparable_stmt(&mut self) -> R<Statement> {
        if self.at('(') {
            return Ok(Statement::Select(self.select_no_parens()?));
        }
        let with = self.opt_with_clause()?;
        match self.tok {
            Tok::Kw(K::Insert) => Ok(Statement::Insert(self.insert_stmt(with)?)),
            Tok::Kw(K::Update) => Ok(Statement::Update(self.update_stmt(with)?)),
            Tok::Kw(K::Delete) => Ok(Statement::Delete(self.delete_stmt(with)?)),
            Tok::Kw(K::Merge) => Ok(Statement::Merge(self.merge_stmt(with)?)),
            _ => Ok(Statement::Select(self.select_after_with(with)?)),
        }
    }
}
