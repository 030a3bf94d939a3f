//! FROM: relations, subqueries, functions, joins and their aliases.

use common::{PgResult, Span};

use crate::ast::{
    Alias, CollateClause, ColumnDefItem, Ident, Indirection, JoinExpr, JoinType, Persistence, RangeFunction,
    RangeFunctionItem, RangeSubselect, RangeTableSample, RangeVar, SelectStmt, TableRef,
};
use crate::keywords::{Category, Keyword as K};
use crate::parser::{Parser, is_col_id, is_col_label, is_type_function_name};
use crate::token::Tok;

type R<T> = PgResult<T>;

/// What one pair of parentheses in FROM held.
enum TableParens {
    Select(Box<SelectStmt>),
    Join(TableRef),
}

/// An alias, or a column definition list with or without a name.
#[derive(Default)]
struct FuncAlias {
    alias: Option<Box<Alias>>,
    coldeflist: Vec<ColumnDefItem>,
}

impl Parser<'_> {
    /// `from_list`.
    pub fn table_ref_list(&mut self) -> R<Vec<TableRef>> {
        self.comma_list(|p| p.table_ref())
    }

    /// `table_ref`, joins included.
    pub fn table_ref(&mut self) -> R<TableRef> {
        self.check_stack()?;
        let first = self.table_primary()?;
        self.joins(first)
    }

    fn joins(&mut self, mut left: TableRef) -> R<TableRef> {
        let mut height = 0;
        loop {
            let start = left.span();
            let natural = self.at(K::Natural);
            let cross = self.at(K::Cross);
            if natural || cross {
                self.bump();
            }
            let jointype = match self.tok {
                _ if cross => Some(JoinType::Inner),
                Tok::Kw(K::Join) => Some(JoinType::Inner),
                Tok::Kw(K::Inner) => Some(JoinType::Inner),
                Tok::Kw(K::Left) => Some(JoinType::Left),
                Tok::Kw(K::Right) => Some(JoinType::Right),
                Tok::Kw(K::Full) => Some(JoinType::Full),
                _ => None,
            };
            let Some(jointype) = jointype else {
                return if natural { self.fail() } else { Ok(left) };
            };
            if !cross && !self.at(K::Join) {
                self.bump();
                if jointype != JoinType::Inner {
                    self.eat(K::Outer);
                }
            }
            self.expect(K::Join)?;
            height += 1;
            self.check_height(height)?;
            left = self.join_right(left, start, jointype, (natural, cross))?;
        }
    }

    #[inline(never)]
    fn join_right(
        &mut self,
        larg: TableRef,
        start: Span,
        jointype: JoinType,
        kind: (bool, bool),
    ) -> R<TableRef> {
        let (is_natural, cross) = kind;
        let rarg = if is_natural || cross {
            self.table_primary()?
        } else {
            self.table_ref()?
        };
        let mut join = JoinExpr {
            jointype,
            is_natural,
            larg,
            rarg,
            using_clause: Vec::new(),
            join_using_alias: None,
            quals: None,
            alias: None,
            span: Span::NONE,
        };
        if !is_natural && !cross {
            if self.eat(K::Using) {
                join.using_clause = self.paren_list(|p| p.name())?;
                if self.eat(K::As) {
                    let name = self.col_id()?;
                    let span = name.span;
                    join.join_using_alias = Some(Box::new(Alias {
                        name,
                        columns: Vec::new(),
                        span,
                    }));
                }
            } else {
                self.expect(K::On)?;
                join.quals = Some(self.a_expr()?);
            }
        }
        join.span = self.span_from(start.start);
        Ok(TableRef::Join(Box::new(join)))
    }

    #[inline(never)]
    fn table_primary(&mut self) -> R<TableRef> {
        let start = self.start();
        let lateral = self.eat(K::Lateral);
        if self.at('(') {
            if lateral {
                let subquery = self.select_with_parens()?;
                return self.range_subselect(subquery, true, start);
            }
            return match self.table_parens()? {
                TableParens::Select(subquery) => self.range_subselect(subquery, false, start),
                TableParens::Join(join) => self.aliased_join(join),
            };
        }
        if self.at2(K::Xmltable, '(') {
            let mut table = self.xmltable()?;
            table.lateral = lateral;
            table.alias = self.opt_alias_clause()?;
            return Ok(TableRef::TableFunc(Box::new(table)));
        }
        if self.at2(K::JsonTable, '(') {
            let mut table = self.json_table()?;
            table.lateral = lateral;
            table.alias = self.opt_alias_clause()?;
            return Ok(TableRef::JsonTable(Box::new(table)));
        }
        if lateral || self.at_func_table() {
            return self.range_function(lateral, start);
        }
        let mut relation = self.relation_expr()?;
        relation.alias = self.opt_alias_clause()?;
        relation.span = self.span_from(relation.span.start);
        let relation = TableRef::RangeVar(Box::new(relation));
        if self.at(K::Tablesample) {
            self.tablesample(relation)
        } else {
            Ok(relation)
        }
    }

    #[inline(never)]
    fn range_subselect(&mut self, subquery: Box<SelectStmt>, lateral: bool, start: u32) -> R<TableRef> {
        let alias = self.opt_alias_clause()?;
        let span = self.span_from(start);
        Ok(TableRef::Subselect(Box::new(RangeSubselect {
            lateral,
            subquery,
            alias,
            span,
        })))
    }

    /// A parenthesised join may get an alias.
    fn aliased_join(&mut self, join: TableRef) -> R<TableRef> {
        let alias = self.opt_alias_clause()?;
        match join {
            TableRef::Join(mut join) => {
                join.alias = alias;
                Ok(TableRef::Join(join))
            }
            other => Ok(other),
        }
    }

    /// One pair of parentheses: a query, or a join (nothing else is allowed in them).
    #[inline(never)]
    fn table_parens(&mut self) -> R<TableParens> {
        self.check_stack()?;
        let leads_to_select = self.parens_lead_to_select();
        self.expect('(')?;
        if leads_to_select && !self.at('(') {
            let select = self.select_no_parens()?;
            self.expect(')')?;
            return Ok(TableParens::Select(select));
        }
        let table = if leads_to_select {
            let start = self.start();
            let first = match self.table_parens()? {
                TableParens::Select(select) if self.at(')') => {
                    self.bump();
                    return Ok(TableParens::Select(select));
                }
                TableParens::Select(select) if self.continues_select() => {
                    let select = self.select_continuation(select, None)?;
                    self.expect(')')?;
                    return Ok(TableParens::Select(select));
                }
                TableParens::Select(select) => self.range_subselect(select, false, start)?,
                TableParens::Join(join) => self.aliased_join(join)?,
            };
            self.joins(first)?
        } else {
            self.table_ref()?
        };
        match &table {
            TableRef::Join(join) if join.alias.is_none() => {}
            _ => return self.fail(),
        }
        self.expect(')')?;
        Ok(TableParens::Join(table))
    }

    /// True if a function, not a relation, starts here.
    fn at_func_table(&self) -> bool {
        match self.tok {
            Tok::Kw(K::Cast | K::CurrentSchema) => return true,
            Tok::Kw(K::Rows) if self.next_is(K::From) => return true,
            Tok::Kw(k) if k.category() == Category::TypeFuncName => return true,
            Tok::Kw(k) if k.category() == Category::Reserved => return k != K::Only,
            Tok::Kw(k) if k.category() == Category::ColName && self.next_is('(') => return true,
            tok if !is_col_id(tok) && !is_type_function_name(tok) => return false,
            _ => {}
        }
        let mut at = 1;
        while self.peek(at) == Tok::Char(b'.') && is_col_label(self.peek(at + 1)) {
            at += 2;
        }
        self.peek(at) == Tok::Char(b'(')
    }

    #[inline(never)]
    fn range_function(&mut self, lateral: bool, start: u32) -> R<TableRef> {
        let mut function = RangeFunction {
            lateral,
            ordinality: false,
            is_rowsfrom: false,
            functions: Vec::new(),
            alias: None,
            coldeflist: Vec::new(),
            span: Span::NONE,
        };
        if self.eat2(K::Rows, K::From) {
            function.is_rowsfrom = true;
            function.functions = self.paren_list(|p| p.rowsfrom_item())?;
        } else {
            let func = self.func_expr_windowless()?;
            function.functions.push(RangeFunctionItem {
                func,
                coldeflist: Vec::new(),
            });
        }
        if self.eat(Tok::WithLa) {
            self.expect(K::Ordinality)?;
            function.ordinality = true;
        }
        let alias = self.func_alias_clause()?;
        function.alias = alias.alias;
        function.coldeflist = alias.coldeflist;
        function.span = self.span_from(start);
        Ok(TableRef::Function(Box::new(function)))
    }

    fn rowsfrom_item(&mut self) -> R<RangeFunctionItem> {
        let func = self.func_expr_windowless()?;
        let coldeflist = if self.eat(K::As) {
            self.paren_list(|p| p.table_func_element())?
        } else {
            Vec::new()
        };
        Ok(RangeFunctionItem { func, coldeflist })
    }

    /// `name type [COLLATE x]`.
    pub fn table_func_element(&mut self) -> R<ColumnDefItem> {
        let name = self.col_id()?;
        let start = name.span.start;
        let type_name = self.typename()?;
        let collation = self.opt_collate_clause()?;
        Ok(ColumnDefItem {
            name,
            type_name,
            collation,
            span: self.span_from(start),
        })
    }

    /// `[COLLATE any_name]` in definitions.
    pub fn opt_collate_clause(&mut self) -> R<Option<CollateClause>> {
        if !self.at(K::Collate) {
            return Ok(None);
        }
        let start = self.take().start;
        let collname = self.any_name()?;
        Ok(Some(CollateClause {
            arg: None,
            collname,
            span: self.span_from(start),
        }))
    }

    #[inline(never)]
    fn tablesample(&mut self, relation: TableRef) -> R<TableRef> {
        self.bump();
        let start = self.start();
        let method = self.func_name()?;
        let args = self.paren_list(|p| p.a_expr())?;
        let mut repeatable = None;
        if self.eat(K::Repeatable) {
            self.expect('(')?;
            repeatable = Some(self.a_expr()?);
            self.expect(')')?;
        }
        let span = self.span_from(start);
        Ok(TableRef::TableSample(Box::new(RangeTableSample {
            relation,
            method,
            args,
            repeatable,
            span,
        })))
    }

    // ---- aliases ------------------------------------------------------------------------------------------------

    /// `[[AS] name [(columns)]]`.
    pub fn opt_alias_clause(&mut self) -> R<Option<Box<Alias>>> {
        let start = self.start();
        if !self.eat(K::As) && !is_col_id(self.tok) {
            return Ok(None);
        }
        let name = self.col_id()?;
        let columns = self.opt_paren_list(|p| p.name())?;
        Ok(Some(Box::new(Alias {
            name,
            columns,
            span: self.span_from(start),
        })))
    }

    #[inline(never)]
    fn func_alias_clause(&mut self) -> R<FuncAlias> {
        let mut result = FuncAlias::default();
        let start = self.start();
        let with_as = self.eat(K::As);
        if with_as && self.at('(') {
            result.coldeflist = self.paren_list(|p| p.table_func_element())?;
            return Ok(result);
        }
        if !with_as && !is_col_id(self.tok) {
            return Ok(result);
        }
        let name = self.col_id()?;
        let mut columns: Vec<Ident> = Vec::new();
        if self.at('(') {
            if is_col_id(self.peek(1)) && matches!(self.peek(2), Tok::Char(b',' | b')')) {
                columns = self.paren_list(|p| p.name())?;
            } else {
                result.coldeflist = self.paren_list(|p| p.table_func_element())?;
            }
        }
        result.alias = Some(Box::new(Alias {
            name,
            columns,
            span: self.span_from(start),
        }));
        Ok(result)
    }

    // ---- relation names -----------------------------------------------------------------------------------------

    /// `relation_expr`: a relation with optional ONLY or `*`.
    pub fn relation_expr(&mut self) -> R<RangeVar> {
        let start = self.start();
        if self.eat(K::Only) {
            let parens = self.eat('(');
            let mut relation = self.qualified_name()?;
            if parens {
                self.expect(')')?;
            }
            relation.inh = false;
            return Ok(relation);
        }
        let mut relation = self.qualified_name()?;
        if self.eat('*') {
            relation.span = self.span_from(start);
        }
        Ok(relation)
    }

    /// `qualified_name`: up to three parts.
    pub fn qualified_name(&mut self) -> R<RangeVar> {
        let first = self.col_id()?;
        if !matches!(self.tok, Tok::Char(b'.' | b'[')) {
            return Ok(range_var(None, None, first));
        }
        let names = self.attr_names(first)?;
        self.range_var_from_names(names)
    }

    /// The parts of a name after its first. PostgreSQL's grammar takes any indirection here and then refuses all but
    /// field names, at the token that follows.
    pub fn attr_names(&mut self, first: Ident) -> R<Vec<Ident>> {
        let mut names = vec![first];
        for step in self.indirection()? {
            match step {
                Indirection::Field(name) => names.push(name),
                _ => return self.fail(),
            }
        }
        Ok(names)
    }

    /// Turns `[catalog.][schema.]name` into a relation reference.
    pub fn range_var_from_names(&mut self, mut names: Vec<Ident>) -> R<RangeVar> {
        if names.len() > 3 || names.is_empty() {
            let full: Vec<&str> = names.iter().map(Ident::as_str).collect();
            let message = format!(
                "improper qualified name (too many dotted names): {}",
                full.join(".")
            );
            let span = names.first().map_or(Span::NONE, |n| n.span);
            return Err(self.grammar_error(&message, span));
        }
        let Some(relation) = names.pop() else {
            return self.fail();
        };
        let schema = names.pop();
        Ok(range_var(names.pop(), schema, relation))
    }
}

/// A plain relation reference.
fn range_var(catalog: Option<Ident>, schema: Option<Ident>, relation: Ident) -> RangeVar {
    let first = catalog.as_ref().or(schema.as_ref()).unwrap_or(&relation).span;
    let span = first.to(relation.span);
    RangeVar {
        catalog,
        schema,
        relation,
        inh: true,
        persistence: Persistence::Permanent,
        alias: None,
        span,
    }
}
