//! CREATE INDEX, and the index elements that constraints and ON CONFLICT share with it.

use common::{PgResult, Span};

use crate::ast::{IndexElem, IndexStmt, NameList, SortByDir, SortByNulls};
use crate::keywords::Keyword as K;
use crate::parser::{Parser, is_col_id};
use crate::token::Tok;

type R<T> = PgResult<T>;

impl Parser<'_> {
    /// CREATE [UNIQUE] INDEX; the current token is INDEX.
    pub fn index_stmt(&mut self, start: u32, unique: bool) -> R<IndexStmt> {
        self.expect(K::Index)?;
        let concurrent = self.eat(K::Concurrently);
        let mut if_not_exists = false;
        let mut idxname = None;
        if self.at2(K::If, K::Not) {
            self.expect_all(&[K::If, K::Not, K::Exists])?;
            if_not_exists = true;
            idxname = Some(self.name()?);
        } else if is_col_id(self.tok) {
            idxname = Some(self.take_name());
        }
        self.expect(K::On)?;
        let relation = self.relation_expr()?;
        let access_method = if self.eat(K::Using) {
            Some(self.name()?)
        } else {
            None
        };
        let params = self.paren_list(|p| p.index_elem())?;
        let including_params = if self.eat(K::Include) {
            self.paren_list(|p| p.index_elem())?
        } else {
            Vec::new()
        };
        let nulls_not_distinct = self.opt_unique_null_treatment()?;
        let options = if self.eat(K::With) {
            self.reloptions()?
        } else {
            Vec::new()
        };
        let tablespace = if self.eat(K::Tablespace) {
            Some(self.name()?)
        } else {
            None
        };
        let where_clause = self.where_clause()?;
        Ok(IndexStmt {
            idxname,
            relation,
            access_method,
            params,
            including_params,
            options,
            tablespace,
            where_clause,
            unique,
            nulls_not_distinct,
            concurrent,
            if_not_exists,
            span: self.span_from(start),
        })
    }

    /// A column, function call or parenthesised expression with its options.
    pub fn index_elem(&mut self) -> R<IndexElem> {
        let start = self.start();
        let mut elem = self.index_elem_subject()?;
        if self.eat(K::Collate) {
            elem.collation = self.any_name()?;
        }
        if is_col_id(self.tok) {
            elem.opclass = self.any_name()?;
            if self.at('(') {
                elem.opclass_opts = self.reloptions()?;
            }
        }
        elem.ordering = self.opt_asc_desc();
        elem.nulls_ordering = self.opt_nulls_order()?;
        elem.span = self.span_from(start);
        Ok(elem)
    }

    fn index_elem_subject(&mut self) -> R<IndexElem> {
        let mut elem = IndexElem {
            name: None,
            expr: None,
            collation: NameList::new(),
            opclass: NameList::new(),
            opclass_opts: Vec::new(),
            ordering: SortByDir::Default,
            nulls_ordering: SortByNulls::Default,
            span: Span::NONE,
        };
        if self.eat('(') {
            elem.expr = Some(self.a_expr()?);
            self.expect(')')?;
        } else if self.at_call() {
            elem.expr = Some(self.func_expr_windowless()?);
        } else {
            elem.name = Some(self.col_id()?);
        }
        Ok(elem)
    }

    /// True if a function call (of any syntax) starts here rather than a column name.
    pub fn at_call(&self) -> bool {
        if !is_col_id(self.tok) {
            return true;
        }
        matches!(self.peek(1), Tok::Char(b'(' | b'.' | b'['))
    }
}
