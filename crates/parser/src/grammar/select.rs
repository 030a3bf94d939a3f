//! SELECT, VALUES, TABLE, set operations, and what may follow them.

use common::error::ErrorExt;
use common::{PgResult, Span};

use crate::ast::{
    AConst, ColumnRef, ConstValue, DistinctClause, Expr, GroupingSet, GroupingSetKind, IntoClause,
    LimitOption, LockClauseStrength, LockWaitPolicy, LockingClause, NameList, OnCommitAction, Persistence,
    RangeVar, ResTarget, SelectStmt, SetOperation, SortBy, SortByDir, SortByNulls, TableRef, WindowDef,
    WithClause,
};
use crate::grammar::expr::{Mode, int_const};
use crate::keywords::Keyword as K;
use crate::parser::{Parser, is_bare_col_label};
use crate::token::Tok;

type R<T> = PgResult<T>;

/// What may follow a query's body.
#[derive(Default)]
struct SelectTail {
    sort: Vec<SortBy>,
    locking: Vec<LockingClause>,
    limit: Option<Limit>,
}

#[derive(Default)]
struct Limit {
    count: Option<Expr>,
    offset: Option<Expr>,
    option: LimitOption,
    offset_span: Option<Span>,
    count_span: Option<Span>,
    option_span: Option<Span>,
}

impl Parser<'_> {
    /// `SelectStmt`: with or without parentheses of its own.
    pub fn select_stmt(&mut self) -> R<Box<SelectStmt>> {
        self.select_no_parens()
    }

    /// `'(' query ')'`.
    pub fn select_with_parens(&mut self) -> R<Box<SelectStmt>> {
        self.check_stack()?;
        self.expect('(')?;
        let select = self.select_no_parens()?;
        self.expect(')')?;
        Ok(select)
    }

    /// A query with WITH, set operations, ORDER BY, LIMIT and locking.
    pub fn select_no_parens(&mut self) -> R<Box<SelectStmt>> {
        let with = self.opt_with_clause()?;
        self.select_after_with(with)
    }

    /// The query after an already read WITH clause.
    pub fn select_after_with(&mut self, with: Option<Box<WithClause>>) -> R<Box<SelectStmt>> {
        let first = self.select_primary()?;
        self.select_continuation(first, with)
    }

    /// True if the current token continues a query whose first part has been read.
    pub fn continues_select(&self) -> bool {
        match self.tok {
            Tok::Kw(k) => matches!(
                k,
                K::Union | K::Intersect | K::Except | K::Order | K::Limit | K::Offset | K::Fetch | K::For
            ),
            _ => false,
        }
    }

    /// Set operations and the tail after the first part of a query.
    pub fn select_continuation(
        &mut self,
        first: Box<SelectStmt>,
        with: Option<Box<WithClause>>,
    ) -> R<Box<SelectStmt>> {
        let mut select = first;
        if matches!(self.tok, Tok::Kw(K::Union | K::Intersect | K::Except)) {
            select = self.set_operations(select, 0)?;
        }
        let tail = if self.continues_select() {
            self.select_tail()?
        } else {
            SelectTail::default()
        };
        self.insert_select_options(&mut select, tail, with)?;
        Ok(select)
    }

    #[inline(never)]
    fn set_operations(&mut self, mut left: Box<SelectStmt>, min: u8) -> R<Box<SelectStmt>> {
        let mut height = 0;
        loop {
            let (op, rank) = match self.tok {
                Tok::Kw(K::Union) => (SetOperation::Union, 1),
                Tok::Kw(K::Except) => (SetOperation::Except, 1),
                Tok::Kw(K::Intersect) => (SetOperation::Intersect, 2),
                _ => return Ok(left),
            };
            if rank < min {
                return Ok(left);
            }
            self.bump();
            let all = self.eat(K::All);
            if !all {
                self.eat(K::Distinct);
            }
            let right = self.select_primary()?;
            let right = if rank == 1 {
                self.set_operations(right, 2)?
            } else {
                right
            };
            height += 1;
            self.check_height(height)?;
            let span = left.span.to(right.span);
            left = Box::new(SelectStmt {
                op,
                all,
                larg: Some(left),
                rarg: Some(right),
                span,
                ..Default::default()
            });
        }
    }

    /// One operand of a set operation.
    fn select_primary(&mut self) -> R<Box<SelectStmt>> {
        match self.tok {
            Tok::Kw(K::Select) => self.simple_select(),
            Tok::Kw(K::Values) => self.values_clause(),
            Tok::Kw(K::Table) => self.table_command(),
            Tok::Char(b'(') => self.select_with_parens(),
            _ => self.fail(),
        }
    }

    #[inline(never)]
    fn simple_select(&mut self) -> R<Box<SelectStmt>> {
        let start = self.take().start;
        let mut select = Box::<SelectStmt>::default();
        if self.eat(K::Distinct) {
            select.distinct = Some(DistinctClause::All);
            if self.eat(K::On) {
                select.distinct = Some(DistinctClause::On(self.paren_list(|p| p.a_expr())?));
            }
            select.target_list = self.target_list()?;
        } else {
            self.eat(K::All);
            if !self.at_end_of_targets() {
                select.target_list = self.target_list()?;
            }
        }
        self.select_clauses(&mut select)?;
        select.span = self.span_from(start);
        Ok(select)
    }

    #[inline(never)]
    fn select_clauses(&mut self, select: &mut SelectStmt) -> R<()> {
        if self.at(K::Into) {
            select.into = Some(Box::new(self.select_into_clause()?));
        }
        if self.eat(K::From) {
            select.from = self.table_ref_list()?;
        }
        select.where_clause = self.where_clause()?;
        if self.eat(K::Group) {
            self.expect(K::By)?;
            select.group_distinct = self.eat(K::Distinct);
            if !select.group_distinct {
                self.eat(K::All);
            }
            select.group_clause = self.comma_list(|p| p.group_by_item())?;
        }
        if self.eat(K::Having) {
            select.having = Some(self.a_expr()?);
        }
        if self.eat(K::Window) {
            select.window_clause = self.comma_list(|p| p.window_definition())?;
        }
        Ok(())
    }

    /// The target list (it may be missing) and the clauses after it, INTO excepted.
    pub fn select_body_after_distinct(&mut self, select: &mut SelectStmt) -> R<()> {
        if !self.at_end_of_targets() {
            select.target_list = self.target_list()?;
        }
        if self.at(K::Into) {
            return self.fail();
        }
        self.select_clauses(select)
    }

    /// ORDER BY and so on, but no UNION.
    pub fn select_continuation_without_set_operations(
        &mut self,
        mut select: Box<SelectStmt>,
    ) -> R<Box<SelectStmt>> {
        let tail = self.select_tail()?;
        self.insert_select_options(&mut select, tail, None)?;
        Ok(select)
    }

    /// True where a target list may be missing.
    fn at_end_of_targets(&self) -> bool {
        match self.tok {
            Tok::Eof | Tok::Char(b';' | b')') => true,
            Tok::Kw(k) => matches!(
                k,
                K::Into
                    | K::From
                    | K::Where
                    | K::Group
                    | K::Having
                    | K::Window
                    | K::Union
                    | K::Intersect
                    | K::Except
                    | K::Order
                    | K::Limit
                    | K::Offset
                    | K::Fetch
                    | K::For
                    | K::With
                    | K::On
                    | K::Returning
                    | K::Create
                    | K::Grant
            ),
            _ => false,
        }
    }

    /// `target_list`.
    pub fn target_list(&mut self) -> R<Vec<ResTarget>> {
        self.comma_list(|p| p.target_el())
    }

    #[inline(never)]
    fn target_el(&mut self) -> R<ResTarget> {
        let span = self.span();
        if self.eat('*') {
            let star = Expr::ColumnRef(ColumnRef {
                fields: Vec::new(),
                star: true,
                span,
            });
            return Ok(ResTarget {
                name: None,
                indirection: Vec::new(),
                val: Some(star),
                span,
            });
        }
        let val = Some(self.target_expr()?);
        let name = if self.eat(K::As) {
            Some(self.col_label()?)
        } else if is_bare_col_label(self.tok) {
            Some(self.take_name())
        } else {
            None
        };
        Ok(ResTarget {
            name,
            indirection: Vec::new(),
            val,
            span: self.span_from(span.start),
        })
    }

    /// `[WHERE a_expr]`.
    pub fn where_clause(&mut self) -> R<Option<Expr>> {
        if self.eat(K::Where) {
            Ok(Some(self.a_expr()?))
        } else {
            Ok(None)
        }
    }

    #[inline(never)]
    fn select_into_clause(&mut self) -> R<IntoClause> {
        self.bump();
        let (rel, persistence) = self.opt_temp_table_name()?;
        Ok(IntoClause {
            rel,
            col_names: Vec::new(),
            access_method: None,
            options: Vec::new(),
            on_commit: OnCommitAction::Noop,
            tablespace: None,
            skip_data: false,
            persistence,
        })
    }

    fn opt_temp_table_name(&mut self) -> R<(RangeVar, Persistence)> {
        let persistence = if matches!(self.tok, Tok::Kw(K::Local | K::Global))
            && matches!(self.peek(1), Tok::Kw(K::Temp | K::Temporary))
        {
            self.bump();
            self.bump();
            Persistence::Temp
        } else if matches!(self.tok, Tok::Kw(K::Temp | K::Temporary)) && self.starts_name_or_table(1) {
            self.bump();
            Persistence::Temp
        } else if self.at(K::Unlogged) && self.starts_name_or_table(1) {
            self.bump();
            Persistence::Unlogged
        } else {
            Persistence::Permanent
        };
        self.eat(K::Table);
        let mut rel = self.qualified_name()?;
        rel.persistence = persistence;
        Ok((rel, persistence))
    }

    fn starts_name_or_table(&self, n: usize) -> bool {
        crate::parser::is_col_id(self.peek(n)) || self.peek(n) == Tok::Kw(K::Table)
    }

    #[inline(never)]
    fn group_by_item(&mut self) -> R<Expr> {
        self.check_stack()?;
        let start = self.start();
        let (kind, content) = if self.eat2('(', ')') {
            (GroupingSetKind::Empty, Vec::new())
        } else if self.at2(K::Cube, '(') {
            self.bump();
            (GroupingSetKind::Cube, self.paren_list(|p| p.a_expr())?)
        } else if self.at2(K::Rollup, '(') {
            self.bump();
            (GroupingSetKind::Rollup, self.paren_list(|p| p.a_expr())?)
        } else if self.eat2(K::Grouping, K::Sets) {
            (GroupingSetKind::Sets, self.paren_list(|p| p.group_by_item())?)
        } else {
            return self.a_expr();
        };
        let span = self.span_from(start);
        Ok(Expr::GroupingSet(Box::new(GroupingSet { kind, content, span })))
    }

    fn window_definition(&mut self) -> R<WindowDef> {
        let name = self.col_id()?;
        self.expect(K::As)?;
        let mut window = self.window_specification()?;
        window.name = Some(name);
        Ok(window)
    }

    /// `VALUES (...), (...)`.
    #[inline(never)]
    pub fn values_clause(&mut self) -> R<Box<SelectStmt>> {
        let start = self.start();
        self.expect(K::Values)?;
        let values_lists = self.comma_list(|p| p.paren_list(|p| p.a_expr()))?;
        let span = self.span_from(start);
        Ok(Box::new(SelectStmt {
            values_lists,
            span,
            ..Default::default()
        }))
    }

    /// `TABLE name` is `SELECT * FROM name`.
    #[inline(never)]
    fn table_command(&mut self) -> R<Box<SelectStmt>> {
        let start = self.take().start;
        let relation = self.relation_expr()?;
        let span = self.span_from(start);
        let star = Expr::ColumnRef(ColumnRef {
            fields: Vec::new(),
            star: true,
            span: Span::NONE,
        });
        let target = ResTarget {
            name: None,
            indirection: Vec::new(),
            val: Some(star),
            span: Span::NONE,
        };
        let from = vec![TableRef::RangeVar(Box::new(relation))];
        Ok(Box::new(SelectStmt {
            target_list: vec![target],
            from,
            span,
            ..Default::default()
        }))
    }

    // ---- ORDER BY, LIMIT, FOR UPDATE ----------------------------------------------------------------------------

    /// `ORDER BY sortby, ...`.
    pub fn sort_clause(&mut self) -> R<Vec<SortBy>> {
        self.expect(K::Order)?;
        self.expect(K::By)?;
        self.comma_list(|p| p.sortby())
    }

    fn sortby(&mut self) -> R<SortBy> {
        let node = self.a_expr()?;
        let mut sort = SortBy {
            node,
            dir: SortByDir::Default,
            nulls: SortByNulls::Default,
            use_op: NameList::new(),
            span: Span::NONE,
        };
        if self.eat(K::Using) {
            sort.dir = SortByDir::Using;
            sort.span = self.span();
            sort.use_op = self.qual_all_op()?;
        } else {
            sort.dir = self.opt_asc_desc();
        }
        sort.nulls = self.opt_nulls_order()?;
        Ok(sort)
    }

    /// `[ASC | DESC]`.
    pub fn opt_asc_desc(&mut self) -> SortByDir {
        if self.eat(K::Asc) {
            SortByDir::Asc
        } else if self.eat(K::Desc) {
            SortByDir::Desc
        } else {
            SortByDir::Default
        }
    }

    /// `[NULLS FIRST | NULLS LAST]`.
    pub fn opt_nulls_order(&mut self) -> R<SortByNulls> {
        if !self.eat(Tok::NullsLa) {
            return Ok(SortByNulls::Default);
        }
        if self.eat(K::First) {
            return Ok(SortByNulls::First);
        }
        self.expect(K::Last)?;
        Ok(SortByNulls::Last)
    }

    #[inline(never)]
    fn select_tail(&mut self) -> R<SelectTail> {
        let mut tail = SelectTail {
            sort: self.opt_sort_clause()?,
            ..Default::default()
        };
        if self.at(K::For) {
            tail.locking = self.locking_clauses()?;
            tail.limit = self.opt_select_limit()?;
        } else {
            tail.limit = self.opt_select_limit()?;
            tail.locking = self.locking_clauses()?;
        }
        Ok(tail)
    }

    fn opt_select_limit(&mut self) -> R<Option<Limit>> {
        let mut limit = Limit::default();
        match self.tok {
            Tok::Kw(K::Offset) => {
                self.offset_clause(&mut limit)?;
                if matches!(self.tok, Tok::Kw(K::Limit | K::Fetch)) {
                    self.limit_clause(&mut limit)?;
                }
            }
            Tok::Kw(K::Limit | K::Fetch) => {
                self.limit_clause(&mut limit)?;
                if self.at(K::Offset) {
                    self.offset_clause(&mut limit)?;
                }
            }
            _ => return Ok(None),
        }
        Ok(Some(limit))
    }

    fn limit_clause(&mut self, limit: &mut Limit) -> R<()> {
        let span = self.span();
        limit.count_span = Some(span);
        if self.eat(K::Limit) {
            let at = self.span();
            limit.count = Some(match self.eat(K::All) {
                true => Expr::AConst(AConst {
                    value: ConstValue::Null,
                    span: at,
                }),
                false => self.a_expr()?,
            });
            if self.eat(',') {
                self.a_expr()?;
                return Err(self
                    .grammar_error("LIMIT #,# syntax is not supported", span)
                    .hint("Use separate LIMIT and OFFSET clauses."));
            }
            return Ok(());
        }
        self.expect(K::Fetch)?;
        if !self.eat(K::First) {
            self.expect(K::Next)?;
        }
        // ROW may also be a column: only what follows tells.
        let no_count = matches!(self.tok, Tok::Kw(K::Row | K::Rows))
            && matches!(self.peek(1), Tok::Kw(K::Only | K::With) | Tok::WithLa);
        if no_count {
            limit.count = Some(int_const(1, Span::NONE));
        } else {
            limit.count = Some(self.fetch_first_value()?);
        }
        self.row_or_rows()?;
        if self.eat(K::Only) {
            return Ok(());
        }
        limit.option_span = Some(self.span());
        self.expect_all(&[K::With, K::Ties])?;
        limit.option = LimitOption::WithTies;
        Ok(())
    }

    fn row_or_rows(&mut self) -> R<()> {
        if self.eat(K::Row) {
            Ok(())
        } else {
            self.expect(K::Rows)
        }
    }

    /// `c_expr`, or a signed number.
    fn fetch_first_value(&mut self) -> R<Expr> {
        if !matches!(self.tok, Tok::Char(b'+' | b'-')) {
            return self.c_expr(Mode::A);
        }
        if !matches!(self.peek(1), Tok::IConst | Tok::FConst) {
            self.bump();
            return self.fail();
        }
        self.expr(u8::MAX, Mode::A)
    }

    fn offset_clause(&mut self, limit: &mut Limit) -> R<()> {
        limit.offset_span = Some(self.span());
        self.bump();
        let signed = matches!(self.tok, Tok::Char(b'+' | b'-'));
        let simple_sign = signed && matches!(self.peek(1), Tok::IConst | Tok::FConst);
        let prefix = signed
            || matches!(
                self.tok,
                Tok::Op | Tok::NotLa | Tok::Kw(K::Not | K::Default | K::Unique)
            )
            || self.at2(K::Operator, '(');
        if prefix && !simple_sign {
            limit.offset = Some(self.a_expr()?);
            return Ok(());
        }
        let value = if simple_sign && matches!(self.peek(2), Tok::Kw(K::Row | K::Rows)) {
            self.expr(u8::MAX, Mode::A)?
        } else if simple_sign {
            limit.offset = Some(self.a_expr()?);
            return Ok(());
        } else {
            self.c_expr(Mode::A)?
        };
        if matches!(self.tok, Tok::Kw(K::Row | K::Rows)) {
            self.bump();
            limit.offset = Some(value);
        } else {
            limit.offset = Some(self.operators(value, 0, Mode::A)?);
        }
        Ok(())
    }

    fn locking_clauses(&mut self) -> R<Vec<LockingClause>> {
        let mut clauses = Vec::new();
        while self.at(K::For) {
            let start = self.take().start;
            if clauses.is_empty() && self.eat(K::Read) {
                self.expect(K::Only)?;
                return Ok(clauses);
            }
            clauses.push(self.locking_item(start)?);
        }
        Ok(clauses)
    }

    fn locking_item(&mut self, start: u32) -> R<LockingClause> {
        let strength = match self.tok {
            Tok::Kw(K::Update) => LockClauseStrength::ForUpdate,
            Tok::Kw(K::Share) => LockClauseStrength::ForShare,
            Tok::Kw(K::No) => {
                self.bump();
                self.expect(K::Key)?;
                if !self.at(K::Update) {
                    return self.fail();
                }
                LockClauseStrength::ForNoKeyUpdate
            }
            Tok::Kw(K::Key) => {
                self.bump();
                if !self.at(K::Share) {
                    return self.fail();
                }
                LockClauseStrength::ForKeyShare
            }
            _ => return self.fail(),
        };
        self.bump();
        let locked_rels = if self.eat(K::Of) {
            self.comma_list(|p| p.qualified_name())?
        } else {
            Vec::new()
        };
        let wait_policy = if self.eat(K::Nowait) {
            LockWaitPolicy::Error
        } else if self.eat(K::Skip) {
            self.expect(K::Locked)?;
            LockWaitPolicy::Skip
        } else {
            LockWaitPolicy::Block
        };
        Ok(LockingClause {
            locked_rels,
            strength,
            wait_policy,
            span: self.span_from(start),
        })
    }

    /// Attaches the tail to a query; parenthesised queries may have one already.
    #[inline(never)]
    fn insert_select_options(
        &mut self,
        select: &mut SelectStmt,
        tail: SelectTail,
        with: Option<Box<WithClause>>,
    ) -> R<()> {
        if let Some(first) = tail.sort.first() {
            if !select.sort_clause.is_empty() {
                let at = first.node.location();
                return Err(self.grammar_error("multiple ORDER BY clauses not allowed", at));
            }
            select.sort_clause = tail.sort;
        }
        select.locking.extend(tail.locking);
        if let Some(limit) = tail.limit {
            self.insert_limit(select, limit)?;
        }
        if let Some(with) = with {
            if select.with.is_some() {
                return Err(self.grammar_error("multiple WITH clauses not allowed", with.span));
            }
            select.span = with.span.to(select.span);
            select.with = Some(with);
        }
        if select.span.is_known() {
            select.span = self.span_from(select.span.start);
        }
        Ok(())
    }

    fn insert_limit(&mut self, select: &mut SelectStmt, limit: Limit) -> R<()> {
        let place = |span: Option<Span>| span.unwrap_or(Span::NONE);
        if limit.offset.is_some() {
            if select.limit_offset.is_some() {
                return Err(
                    self.grammar_error("multiple OFFSET clauses not allowed", place(limit.offset_span))
                );
            }
            select.limit_offset = limit.offset;
        }
        if limit.count.is_none() {
            return Ok(());
        }
        if select.limit_count.is_some() {
            return Err(self.grammar_error("multiple LIMIT clauses not allowed", place(limit.count_span)));
        }
        select.limit_count = limit.count;
        if limit.option == LimitOption::WithTies {
            let at = place(limit.option_span);
            if select.sort_clause.is_empty() {
                return Err(self.grammar_error("WITH TIES cannot be specified without ORDER BY clause", at));
            }
            if select
                .locking
                .iter()
                .any(|l| l.wait_policy == LockWaitPolicy::Skip)
            {
                let message = "SKIP LOCKED and WITH TIES options cannot be used together";
                return Err(self.grammar_error(message, at));
            }
        }
        select.limit_option = limit.option;
        Ok(())
    }
}
