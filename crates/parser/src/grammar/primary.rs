//! `c_expr`: constants, columns, parameters, parentheses, CASE, ARRAY, ROW, subqueries.

use common::{PgResult, Span, cancel};

use crate::ast::{
    AArrayExpr, AConst, AIndices, AIndirection, CaseExpr, CaseWhen, ColumnRef, ConstValue, Expr,
    GroupingFunc, Ident, Indirection, Name, NameList, ParamRef, RowExpr, SelectStmt, SubLink, SubLinkType,
    TypeCast, TypeName,
};
use crate::grammar::expr::{Mode, SelectOrExpr, SelectOrExprs, syntax_call};
use crate::keywords::{Category, Keyword as K};
use crate::parser::{Parser, is_col_id};
use crate::token::Tok;

/// Parts of a name between two looks at the cancel flag.
const STEPS_PER_LOOK: usize = 1 << 12;

type R<T> = PgResult<T>;

/// What one pair of parentheses held.
enum Parens {
    Select(Box<SelectStmt>),
    Exprs(Vec<Expr>),
}

/// What one pair of parentheses may hold besides a query.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    Single,
    List,
    /// Two or more expressions and no query.
    Row,
}

impl Parser<'_> {
    /// `c_expr`.
    pub fn c_expr(&mut self, mode: Mode) -> R<Expr> {
        match self.tok {
            Tok::IConst | Tok::FConst | Tok::SConst | Tok::BConst | Tok::XConst => self.literal(),
            Tok::Ident => self.column_or_call(),
            Tok::Char(b'(') => self.paren_expr(mode),
            Tok::Param => self.param(),
            Tok::Kw(k) => self.keyword_expr(k, mode),
            _ => self.fail(),
        }
    }

    fn literal(&mut self) -> R<Expr> {
        let token = self.take();
        let value = match token.tok {
            Tok::IConst => ConstValue::Integer(token.value as i32),
            Tok::FConst => ConstValue::Float(Name::new(self.source(token))),
            Tok::SConst => ConstValue::String(self.long_string_of(token)?),
            _ => ConstValue::BitString(self.string_of(token)),
        };
        Ok(Expr::AConst(AConst {
            value,
            span: token.span(),
        }))
    }

    #[inline(never)]
    fn param(&mut self) -> R<Expr> {
        let token = self.take();
        let node = Expr::ParamRef(ParamRef {
            number: token.value as i32,
            span: token.span(),
        });
        self.with_indirection(node)
    }

    #[inline(never)]
    fn keyword_expr(&mut self, word: K, mode: Mode) -> R<Expr> {
        let constant = match word {
            K::Null => ConstValue::Null,
            K::True => ConstValue::Boolean(true),
            K::False => ConstValue::Boolean(false),
            K::Case => return self.case_expr(),
            K::Array => return self.array_expr(),
            K::Exists if self.next_is('(') => return self.exists(),
            K::Row if self.next_is('(') => return self.explicit_row(mode),
            K::Grouping if self.next_is('(') => return self.grouping(),
            _ => return self.keyword_call(word),
        };
        Ok(Expr::AConst(AConst {
            value: constant,
            span: self.take().span(),
        }))
    }

    /// Key words that start a call, a typed constant, or are names after all.
    #[inline(never)]
    fn keyword_call(&mut self, word: K) -> R<Expr> {
        if let Some(result) = self.common_subexpr(word) {
            return result;
        }
        match word.category() {
            Category::ColName => match self.const_typename()? {
                Some(type_name) => self.typed_const(type_name),
                None => self.column_or_call(),
            },
            Category::Unreserved if word == K::Double && self.next_is(K::Precision) => {
                match self.const_typename()? {
                    Some(type_name) => self.typed_const(type_name),
                    None => self.fail(),
                }
            }
            Category::Unreserved => self.column_or_call(),
            Category::TypeFuncName => {
                let name = self.take_name();
                match self.tok {
                    Tok::Char(b'(') => self.call(vec![name]),
                    Tok::SConst => self.generic_const(vec![name], Vec::new()),
                    _ => self.fail(),
                }
            }
            Category::Reserved => self.fail(),
        }
    }

    /// The literal after a type's name; INTERVAL also takes its fields after the literal.
    #[inline(never)]
    fn typed_const(&mut self, mut type_name: TypeName) -> R<Expr> {
        let literal = self.sconst()?;
        let is_interval = type_name.names.last().is_some_and(|n| n.name == "interval");
        if is_interval && type_name.typmods.is_empty() {
            type_name.typmods = self.opt_interval()?;
        }
        let arg = Expr::AConst(AConst {
            value: ConstValue::String(literal.name),
            span: literal.span,
        });
        let span = type_name.span;
        Ok(Expr::TypeCast(Box::new(TypeCast { arg, type_name, span })))
    }

    /// `name 'literal'` with a type name of the generic form.
    #[inline(never)]
    pub fn generic_const(&mut self, names: NameList, typmods: Vec<Expr>) -> R<Expr> {
        let span = match (names.first(), names.last()) {
            (Some(first), Some(last)) => first.span.to(last.span),
            _ => Span::NONE,
        };
        let type_name = TypeName {
            names,
            setof: false,
            pct_type: false,
            typmods,
            array_bounds: Vec::new(),
            span,
        };
        self.typed_const_plain(type_name)
    }

    fn typed_const_plain(&mut self, type_name: TypeName) -> R<Expr> {
        let literal = self.sconst()?;
        let arg = Expr::AConst(AConst {
            value: ConstValue::String(literal.name),
            span: literal.span,
        });
        let span = type_name.span;
        Ok(Expr::TypeCast(Box::new(TypeCast { arg, type_name, span })))
    }

    /// A column reference, function call or `type 'literal'` that starts with a name.
    #[inline(never)]
    fn column_or_call(&mut self) -> R<Expr> {
        let first_tok = self.tok;
        let first = self.col_id()?;
        match self.tok {
            Tok::Char(b'.' | b'[') => {}
            Tok::Char(b'(') if is_function_name(first_tok) => return self.call(vec![first]),
            Tok::SConst if is_function_name(first_tok) => return self.generic_const(vec![first], Vec::new()),
            _ => {
                let span = first.span;
                return Ok(Expr::ColumnRef(ColumnRef {
                    fields: vec![first],
                    star: false,
                    span,
                }));
            }
        }
        let start = first.span.start;
        let steps = self.indirection()?;
        if matches!(self.tok, Tok::Char(b'(') | Tok::SConst) {
            let mut names = vec![first];
            for step in steps {
                match step {
                    Indirection::Field(name) => names.push(name),
                    _ => return self.fail(),
                }
            }
            return if self.at('(') {
                self.call(names)
            } else {
                self.generic_const(names, Vec::new())
            };
        }
        self.column_ref(first, steps, start)
    }

    /// Splits `first` and its indirection into a column reference and what selects from it.
    #[inline(never)]
    fn column_ref(&mut self, first: Ident, steps: Vec<Indirection>, start: u32) -> R<Expr> {
        let count = steps.len();
        if steps[..count.saturating_sub(1)]
            .iter()
            .any(|s| matches!(s, Indirection::Star(_)))
        {
            return Err(self.error_here("improper use of \"*\""));
        }
        let mut fields = vec![first];
        let mut star = false;
        let mut rest = Vec::new();
        let mut end = fields[0].span.end;
        for (k, step) in steps.into_iter().enumerate() {
            if k % STEPS_PER_LOOK == STEPS_PER_LOOK - 1 {
                cancel::check()?;
            }
            match step {
                Indirection::Field(name) if rest.is_empty() => {
                    end = name.span.end;
                    fields.push(name);
                }
                Indirection::Star(span) if rest.is_empty() => {
                    end = span.end;
                    star = true;
                }
                other => rest.push(other),
            }
        }
        let column = Expr::ColumnRef(ColumnRef {
            fields,
            star,
            span: Span::new(start, end),
        });
        if rest.is_empty() {
            return Ok(column);
        }
        let span = self.span_from(start);
        Ok(Expr::AIndirection(Box::new(AIndirection {
            arg: column,
            indirection: rest,
            span,
        })))
    }

    /// `.name`, `.*`, `[...]`, any number.
    pub fn indirection(&mut self) -> R<Vec<Indirection>> {
        let mut steps = Vec::new();
        loop {
            if steps.len() % STEPS_PER_LOOK == STEPS_PER_LOOK - 1 {
                cancel::check()?;
            }
            match self.tok {
                Tok::Char(b'.') => {
                    self.bump();
                    if self.at('*') {
                        steps.push(Indirection::Star(self.take().span()));
                    } else {
                        steps.push(Indirection::Field(self.col_label()?));
                    }
                }
                Tok::Char(b'[') => steps.push(Indirection::Index(Box::new(self.subscript()?))),
                _ => return Ok(steps),
            }
        }
    }

    #[inline(never)]
    fn subscript(&mut self) -> R<AIndices> {
        let start = self.take().start;
        let lower = if self.at(':') { None } else { Some(self.a_expr()?) };
        let is_slice = self.eat(':');
        let upper = if !is_slice || self.at(']') {
            None
        } else {
            Some(self.a_expr()?)
        };
        self.expect(']')?;
        let span = self.span_from(start);
        Ok(match is_slice {
            true => AIndices {
                is_slice,
                lower,
                upper,
                span,
            },
            false => AIndices {
                is_slice,
                lower: None,
                upper: lower,
                span,
            },
        })
    }

    /// `opt_indirection` after something that is no plain column.
    #[inline(never)]
    fn with_indirection(&mut self, arg: Expr) -> R<Expr> {
        if !matches!(self.tok, Tok::Char(b'.' | b'[')) {
            return Ok(arg);
        }
        let start = self.start();
        let indirection = self.indirection()?;
        let count = indirection.len();
        if indirection[..count - 1]
            .iter()
            .any(|s| matches!(s, Indirection::Star(_)))
        {
            return Err(self.error_here("improper use of \"*\""));
        }
        let span = self.span_from(start);
        Ok(Expr::AIndirection(Box::new(AIndirection {
            arg,
            indirection,
            span,
        })))
    }

    // ---- parentheses --------------------------------------------------------------------------------------------

    /// True if the parentheses that open here lead to a query.
    pub fn parens_lead_to_select(&mut self) -> bool {
        match self.after_parens() {
            (Tok::Kw(K::Select | K::With | K::Table), _) | (Tok::WithLa, _) => true,
            (Tok::Kw(K::Values), next) => next == Tok::Char(b'('),
            _ => false,
        }
    }

    /// `(...)` as a primary: a subquery, a parenthesised expression or an implicit row.
    #[inline(never)]
    fn paren_expr(&mut self, mode: Mode) -> R<Expr> {
        let start = self.start();
        match self.parens(Content::List)? {
            Parens::Select(subselect) => self.subquery_expr(subselect, start),
            Parens::Exprs(mut list) => {
                if list.len() == 1
                    && let Some(only) = list.pop()
                {
                    return self.with_indirection(only);
                }
                let span = self.span_from(start);
                self.maybe_overlaps(
                    RowExpr {
                        args: list,
                        explicit: false,
                        span,
                    },
                    mode,
                )
            }
        }
    }

    #[inline(never)]
    fn subquery_expr(&mut self, subselect: Box<SelectStmt>, start: u32) -> R<Expr> {
        let span = self.span_from(start);
        let (kind, oper_name) = (SubLinkType::Expr, Vec::new());
        let link = Expr::SubLink(Box::new(SubLink {
            kind,
            test: None,
            oper_name,
            subselect,
            span,
        }));
        self.with_indirection(link)
    }

    /// Reads one pair of parentheses that may hold a query or expressions.
    fn parens(&mut self, content: Content) -> R<Parens> {
        self.check_stack()?;
        let leads_to_select = self.parens_lead_to_select();
        self.expect('(')?;
        if !leads_to_select {
            return self.rest_of_exprs(None, content);
        }
        if !self.at('(') {
            if content == Content::Row {
                return self.fail();
            }
            let select = self.select_no_parens()?;
            self.expect(')')?;
            return Ok(Parens::Select(select));
        }
        let start = self.start();
        let inner = match self.parens(Content::List)? {
            Parens::Select(select) => {
                if self.at(')') {
                    self.bump();
                    return Ok(Parens::Select(select));
                }
                if self.continues_select() {
                    let select = self.select_continuation(select, None)?;
                    self.expect(')')?;
                    return Ok(Parens::Select(select));
                }
                self.subquery_expr(select, start)?
            }
            Parens::Exprs(mut list) => match (list.len(), list.pop()) {
                (1, Some(only)) => self.with_indirection(only)?,
                (_, Some(last)) => {
                    list.push(last);
                    let span = self.span_from(start);
                    self.maybe_overlaps(
                        RowExpr {
                            args: list,
                            explicit: false,
                            span,
                        },
                        Mode::A,
                    )?
                }
                (_, None) => return self.fail(),
            },
        };
        let first = self.operators(inner, 0, Mode::A)?;
        self.rest_of_exprs(Some(first), content)
    }

    /// The expressions of a pair of parentheses (the first may be there already) and the closing one.
    #[inline(never)]
    fn rest_of_exprs(&mut self, first: Option<Expr>, content: Content) -> R<Parens> {
        let mut list = vec![match first {
            Some(first) => first,
            None => self.a_expr()?,
        }];
        if content == Content::Row && !self.at(',') {
            return self.fail();
        }
        while content != Content::Single && self.eat(',') {
            list.push(self.a_expr()?);
        }
        self.expect(')')?;
        Ok(Parens::Exprs(list))
    }

    /// `select_with_parens | '(' a_expr ')'`, for ANY and ALL.
    #[inline(never)]
    pub fn select_or_expr_in_parens(&mut self) -> R<SelectOrExpr> {
        match self.parens(Content::Single)? {
            Parens::Select(select) => Ok(SelectOrExpr::Select(select)),
            Parens::Exprs(mut list) => match list.pop() {
                Some(only) => Ok(SelectOrExpr::Expr(only)),
                None => self.fail(),
            },
        }
    }

    /// `select_with_parens | '(' expr_list ')'`, for IN.
    #[inline(never)]
    pub fn select_or_exprs_in_parens(&mut self) -> R<SelectOrExprs> {
        match self.parens(Content::List)? {
            Parens::Select(select) => Ok(SelectOrExprs::Select(select)),
            Parens::Exprs(list) => Ok(SelectOrExprs::Exprs(list)),
        }
    }

    /// A query without parentheses of its own, or an expression (JSON_ARRAY's first argument).
    pub fn select_or_expr(&mut self) -> R<SelectOrExpr> {
        if !self.parens_lead_to_select() {
            return Ok(SelectOrExpr::Expr(self.a_expr()?));
        }
        if !self.at('(') {
            return Ok(SelectOrExpr::Select(self.select_no_parens()?));
        }
        let start = self.start();
        let first = match self.parens(Content::List)? {
            Parens::Select(select) if self.continues_select() => {
                return Ok(SelectOrExpr::Select(self.select_continuation(select, None)?));
            }
            Parens::Select(select) => self.subquery_expr(select, start)?,
            Parens::Exprs(mut list) => match (list.len(), list.pop()) {
                (1, Some(only)) => self.with_indirection(only)?,
                (_, Some(last)) => {
                    list.push(last);
                    let span = self.span_from(start);
                    self.maybe_overlaps(
                        RowExpr {
                            args: list,
                            explicit: false,
                            span,
                        },
                        Mode::A,
                    )?
                }
                (_, None) => return self.fail(),
            },
        };
        Ok(SelectOrExpr::Expr(self.operators(first, 0, Mode::A)?))
    }

    /// `row OVERLAPS row`, if OVERLAPS follows.
    #[inline(never)]
    fn maybe_overlaps(&mut self, row: RowExpr, mode: Mode) -> R<Expr> {
        if mode == Mode::B || !self.at(K::Overlaps) {
            return Ok(Expr::RowExpr(Box::new(row)));
        }
        let span = self.take().span();
        let right_start = self.start();
        let right = if self.at(K::Row) {
            self.bump();
            self.row_args()?
        } else {
            if !self.at('(') {
                return self.fail();
            }
            match self.parens(Content::Row)? {
                Parens::Exprs(list) if list.len() > 1 => list,
                _ => return self.fail(),
            }
        };
        let message =
            |side: &str| format!("wrong number of parameters on {side} side of OVERLAPS expression");
        if row.args.len() != 2 {
            return Err(self.grammar_error(&message("left"), row.span));
        }
        if right.len() != 2 {
            return Err(self.grammar_error(&message("right"), Span::new(right_start, right_start)));
        }
        let mut args = row.args;
        args.extend(right);
        Ok(syntax_call("overlaps", args, span))
    }

    fn row_args(&mut self) -> R<Vec<Expr>> {
        self.expect('(')?;
        let args = if self.at(')') {
            Vec::new()
        } else {
            self.expr_list()?
        };
        self.expect(')')?;
        Ok(args)
    }

    #[inline(never)]
    fn explicit_row(&mut self, mode: Mode) -> R<Expr> {
        let start = self.take().start;
        let args = self.row_args()?;
        let span = self.span_from(start);
        self.maybe_overlaps(
            RowExpr {
                args,
                explicit: true,
                span,
            },
            mode,
        )
    }

    // ---- CASE, ARRAY, EXISTS, GROUPING --------------------------------------------------------------------------

    #[inline(never)]
    fn case_expr(&mut self) -> R<Expr> {
        let start = self.take().start;
        let arg = if self.at(K::When) {
            None
        } else {
            Some(self.a_expr()?)
        };
        let mut args = Vec::new();
        while self.at(K::When) || args.is_empty() {
            let when = self.start();
            self.expect(K::When)?;
            let expr = self.a_expr()?;
            self.expect(K::Then)?;
            let result = self.a_expr()?;
            args.push(CaseWhen {
                expr,
                result,
                span: self.span_from(when),
            });
        }
        let defresult = if self.eat(K::Else) {
            Some(self.a_expr()?)
        } else {
            None
        };
        self.expect(K::End)?;
        let span = self.span_from(start);
        Ok(Expr::CaseExpr(Box::new(CaseExpr {
            arg,
            args,
            defresult,
            span,
        })))
    }

    #[inline(never)]
    fn array_expr(&mut self) -> R<Expr> {
        let start = self.take().start;
        if self.at('(') {
            let subselect = self.select_with_parens()?;
            let span = self.span_from(start);
            let (kind, oper_name) = (SubLinkType::Array, Vec::new());
            return Ok(Expr::SubLink(Box::new(SubLink {
                kind,
                test: None,
                oper_name,
                subselect,
                span,
            })));
        }
        if !self.at('[') {
            return self.fail();
        }
        self.array_brackets(start)
    }

    /// `[a, b]`, `[[a], [b]]` or `[]`; nested brackets must stay brackets.
    #[inline(never)]
    fn array_brackets(&mut self, start: u32) -> R<Expr> {
        self.check_stack()?;
        self.expect('[')?;
        let mut elements = Vec::new();
        let outer = std::mem::take(&mut self.height);
        if self.at('[') {
            loop {
                let inner = self.start();
                elements.push(self.array_brackets(inner)?);
                if !self.eat(',') {
                    break;
                }
                if !self.at('[') {
                    return self.fail();
                }
            }
        } else if !self.at(']') {
            elements = self.expr_list()?;
        }
        self.expect(']')?;
        self.height = outer.max(self.height + 1);
        let span = self.span_from(start);
        Ok(Expr::ArrayExpr(Box::new(AArrayExpr { elements, span })))
    }

    #[inline(never)]
    fn exists(&mut self) -> R<Expr> {
        let start = self.take().start;
        let subselect = self.select_with_parens()?;
        let span = self.span_from(start);
        let (kind, oper_name) = (SubLinkType::Exists, Vec::new());
        Ok(Expr::SubLink(Box::new(SubLink {
            kind,
            test: None,
            oper_name,
            subselect,
            span,
        })))
    }

    #[inline(never)]
    fn grouping(&mut self) -> R<Expr> {
        let start = self.take().start;
        let args = self.paren_list(|p| p.a_expr())?;
        let span = self.span_from(start);
        Ok(Expr::GroupingFunc(Box::new(GroupingFunc { args, span })))
    }

    /// `any_name`: a possibly qualified name.
    pub fn any_name(&mut self) -> R<NameList> {
        let mut names = vec![self.col_id()?];
        while self.eat('.') {
            names.push(self.col_label()?);
        }
        Ok(names)
    }
}

/// An unqualified name before `(` or a literal must not be one of the column-name key words.
fn is_function_name(tok: Tok) -> bool {
    is_col_id(tok) && !matches!(tok, Tok::Kw(k) if k.category() == Category::ColName)
}
