//! Function calls, window calls, and the functions with syntax of their own.

use common::{PgResult, Span};

use crate::ast::{
    AExpr, AExprKind, CoalesceExpr, CoercionForm, Expr, FuncCall, Ident, MinMaxExpr, MinMaxOp, Name,
    NameList, NamedArgExpr, SortBy, SqlValueFunction, SqlValueFunctionOp, TypeCast,
};
use crate::grammar::expr::{Mode, func_call, int_const, str_const, syntax_call, system_name};
use crate::keywords::Keyword as K;
use crate::parser::{Parser, is_col_id, is_type_function_name};
use crate::token::Tok;

type R<T> = PgResult<T>;

impl Parser<'_> {
    /// The argument list of a plain call: `func_application` without what may follow it.
    #[inline(never)]
    pub fn func_application(&mut self, func_name: NameList) -> R<FuncCall> {
        let start = func_name.first().map_or(self.start(), |n| n.span.start);
        self.expect('(')?;
        let mut call = func_call(func_name, Vec::new(), CoercionForm::ExplicitCall, Span::NONE);
        match self.tok {
            Tok::Char(b')') => {}
            Tok::Char(b'*') => {
                self.bump();
                call.agg_star = true;
            }
            Tok::Kw(K::All | K::Distinct) => {
                call.agg_distinct = self.take().tok == Tok::Kw(K::Distinct);
                call.args = self.comma_list(|p| p.func_arg_expr())?;
                call.agg_order = self.opt_sort_clause()?;
            }
            _ => {
                loop {
                    call.func_variadic = self.eat(K::Variadic);
                    call.args.push(self.func_arg_expr()?);
                    if call.func_variadic || !self.eat(',') {
                        break;
                    }
                }
                call.agg_order = self.opt_sort_clause()?;
            }
        }
        self.expect(')')?;
        call.span = self.span_from(start);
        Ok(call)
    }

    /// An argument, possibly named.
    pub fn func_arg_expr(&mut self) -> R<Expr> {
        let named =
            is_type_function_name(self.tok) && matches!(self.peek(1), Tok::ColonEquals | Tok::EqualsGreater);
        if !named {
            return self.a_expr();
        }
        let start = self.start();
        let name = self.take_name();
        self.bump();
        let arg = self.a_expr()?;
        let span = self.span_from(start);
        Ok(Expr::NamedArg(Box::new(NamedArgExpr { name, arg, span })))
    }

    /// A call as an expression: arguments, WITHIN GROUP, FILTER, OVER; or a typed constant with modifiers.
    #[inline(never)]
    pub fn call(&mut self, func_name: NameList) -> R<Expr> {
        let outer = std::mem::take(&mut self.height);
        let mut call = self.func_application(func_name)?;
        self.height = outer.max(self.height + 1);
        if self.at(Tok::SConst) {
            return self.const_with_typmods(call);
        }
        self.call_suffix(&mut call)?;
        Ok(Expr::FuncCall(Box::new(call)))
    }

    #[inline(never)]
    fn const_with_typmods(&mut self, call: FuncCall) -> R<Expr> {
        if call.agg_star || call.func_variadic || call.agg_distinct || call.args.is_empty() {
            return self.fail();
        }
        let literal = self.span();
        for arg in &call.args {
            if let Expr::NamedArg(named) = arg {
                return Err(self.grammar_error("type modifier cannot have parameter name", named.span));
            }
        }
        if !call.agg_order.is_empty() {
            return Err(self.grammar_error("type modifier cannot have ORDER BY", call.span));
        }
        let _ = literal;
        self.generic_const(call.func_name, call.args)
    }

    /// WITHIN GROUP, FILTER and OVER.
    #[inline(never)]
    pub fn call_suffix(&mut self, call: &mut FuncCall) -> R<()> {
        if self.at(K::Within) {
            self.within_group(call)?;
        }
        call.agg_filter = self.filter_clause()?;
        call.over = self.over_clause()?;
        Ok(())
    }

    fn within_group(&mut self, call: &mut FuncCall) -> R<()> {
        let span = self.take().span();
        self.expect(K::Group)?;
        self.expect('(')?;
        let order = self.sort_clause()?;
        self.expect(')')?;
        let problem = if !call.agg_order.is_empty() {
            "cannot use multiple ORDER BY clauses with WITHIN GROUP"
        } else if call.agg_distinct {
            "cannot use DISTINCT with WITHIN GROUP"
        } else if call.func_variadic {
            "cannot use VARIADIC with WITHIN GROUP"
        } else {
            call.agg_order = order;
            call.agg_within_group = true;
            return Ok(());
        };
        Err(self.grammar_error(problem, span))
    }

    /// `FILTER (WHERE ...)`.
    #[inline(never)]
    pub fn filter_clause(&mut self) -> R<Option<Expr>> {
        if !self.eat(K::Filter) {
            return Ok(None);
        }
        self.expect('(')?;
        self.expect(K::Where)?;
        let filter = self.a_expr()?;
        self.expect(')')?;
        Ok(Some(filter))
    }

    /// `func_expr_windowless`: what FROM and index expressions accept as a call.
    pub fn func_expr_windowless(&mut self) -> R<Expr> {
        if let Tok::Kw(word) = self.tok {
            let expr = match word {
                K::JsonObjectagg | K::JsonArrayagg if self.next_is('(') => {
                    Some(self.json_aggregate(word, false))
                }
                _ => self.common_subexpr(word),
            };
            if let Some(expr) = expr {
                return expr;
            }
        }
        let name = self.func_name()?;
        Ok(Expr::FuncCall(Box::new(self.func_application(name)?)))
    }

    /// `func_name`.
    pub fn func_name(&mut self) -> R<NameList> {
        let tok = self.tok;
        if !is_col_id(tok) && !is_type_function_name(tok) {
            return self.fail();
        }
        let first = self.take_name();
        if !is_col_id(tok) {
            return Ok(vec![first]);
        }
        let names = self.attr_names(first)?;
        if names.len() == 1 && !is_type_function_name(tok) {
            return self.fail();
        }
        Ok(names)
    }

    // ---- functions with syntax of their own ---------------------------------------------------------------------

    /// `func_expr_common_subexpr` and the JSON aggregates, if one starts here.
    #[inline(never)]
    pub fn common_subexpr(&mut self, word: K) -> Option<R<Expr>> {
        if let Some(op) = value_function(word) {
            return Some(self.sql_value_function(op, word));
        }
        if word == K::Collation && self.next_is(K::For) {
            return Some(self.collation_for());
        }
        if word == K::Cast {
            return Some(self.cast());
        }
        if !self.next_is('(') {
            return None;
        }
        Some(match word {
            K::Extract => self.extract(),
            K::Normalize => self.normalize(),
            K::Overlay => self.overlay(),
            K::Position => self.position(),
            K::Substring => self.substring(),
            K::Treat => self.treat(),
            K::Trim => self.trim(),
            K::Nullif => self.nullif(),
            K::Coalesce => self.coalesce(),
            K::Greatest | K::Least => self.min_max(word),
            K::MergeAction => self.merge_action(),
            K::Xmlconcat
            | K::Xmlelement
            | K::Xmlexists
            | K::Xmlforest
            | K::Xmlparse
            | K::Xmlpi
            | K::Xmlroot
            | K::Xmlserialize => self.xml_expr(word),
            K::JsonObject
            | K::JsonArray
            | K::Json
            | K::JsonScalar
            | K::JsonSerialize
            | K::JsonQuery
            | K::JsonExists
            | K::JsonValue => self.json_expr(word),
            K::JsonObjectagg | K::JsonArrayagg => self.json_aggregate(word, true),
            _ => return None,
        })
    }

    #[inline(never)]
    fn sql_value_function(&mut self, op: SqlValueFunctionOp, word: K) -> R<Expr> {
        // current_schema() is an ordinary call, and the word may even name a type.
        if word == K::CurrentSchema && self.next_is('(') {
            let name = self.take_name();
            return self.call(vec![name]);
        }
        if word == K::CurrentSchema && self.next_is(Tok::SConst) {
            let name = self.take_name();
            return self.generic_const(vec![name], Vec::new());
        }
        let start = self.take().start;
        if word == K::SystemUser {
            return Ok(syntax_call("system_user", Vec::new(), self.span_from(start)));
        }
        let takes_precision = matches!(
            op,
            SqlValueFunctionOp::CurrentTime
                | SqlValueFunctionOp::CurrentTimestamp
                | SqlValueFunctionOp::Localtime
                | SqlValueFunctionOp::Localtimestamp
        );
        let mut typmod = None;
        if takes_precision && self.eat('(') {
            typmod = Some(self.iconst()?);
            self.expect(')')?;
        }
        let span = self.span_from(start);
        Ok(Expr::SqlValueFunction(Box::new(SqlValueFunction {
            op,
            typmod,
            span,
        })))
    }

    fn collation_for(&mut self) -> R<Expr> {
        let start = self.take().start;
        self.bump();
        let args = self.one_arg()?;
        Ok(syntax_call("pg_collation_for", args, self.span_from(start)))
    }

    fn one_arg(&mut self) -> R<Vec<Expr>> {
        self.expect('(')?;
        let arg = self.a_expr()?;
        self.expect(')')?;
        Ok(vec![arg])
    }

    fn cast(&mut self) -> R<Expr> {
        let start = self.take().start;
        self.expect('(')?;
        let arg = self.a_expr()?;
        self.expect(K::As)?;
        let type_name = self.typename()?;
        self.expect(')')?;
        let span = self.span_from(start);
        Ok(Expr::TypeCast(Box::new(TypeCast { arg, type_name, span })))
    }

    fn extract(&mut self) -> R<Expr> {
        let start = self.take().start;
        self.expect('(')?;
        let field = match self.tok {
            Tok::Ident | Tok::Kw(K::Year | K::Month | K::Day | K::Hour | K::Minute | K::Second) => {
                self.take_name()
            }
            Tok::SConst => self.sconst()?,
            _ => return self.fail(),
        };
        self.expect(K::From)?;
        let source = self.a_expr()?;
        self.expect(')')?;
        let args = vec![str_const(field.name, field.span), source];
        Ok(syntax_call("extract", args, self.span_from(start)))
    }

    fn normalize(&mut self) -> R<Expr> {
        let start = self.take().start;
        self.expect('(')?;
        let mut args = vec![self.a_expr()?];
        if self.eat(',') {
            args.push(self.unicode_normal_form()?);
        }
        self.expect(')')?;
        Ok(syntax_call("normalize", args, self.span_from(start)))
    }

    /// `func_arg_list_opt ')'` of OVERLAY and SUBSTRING written as ordinary calls.
    fn plain_call_rest(&mut self, name: Ident, first: Option<Expr>) -> R<Expr> {
        let start = name.span.start;
        let mut args: Vec<Expr> = first.into_iter().collect();
        if args.is_empty() {
            if !self.at(')') {
                args = self.comma_list(|p| p.func_arg_expr())?;
            }
        } else {
            while self.eat(',') {
                args.push(self.func_arg_expr()?);
            }
        }
        self.expect(')')?;
        let span = self.span_from(start);
        let call = func_call(vec![name], args, CoercionForm::ExplicitCall, span);
        Ok(Expr::FuncCall(Box::new(call)))
    }

    fn overlay(&mut self) -> R<Expr> {
        let name = self.take_name();
        let start = name.span.start;
        self.expect('(')?;
        if self.at(')') {
            return self.plain_call_rest(name, None);
        }
        let first = self.func_arg_expr()?;
        if matches!(first, Expr::NamedArg(_)) || !self.at(K::Placing) {
            return self.plain_call_rest(name, Some(first));
        }
        self.bump();
        let mut args = vec![first, self.a_expr()?];
        self.expect(K::From)?;
        args.push(self.a_expr()?);
        if self.eat(K::For) {
            args.push(self.a_expr()?);
        }
        self.expect(')')?;
        Ok(syntax_call("overlay", args, self.span_from(start)))
    }

    fn position(&mut self) -> R<Expr> {
        let start = self.take().start;
        self.expect('(')?;
        let needle = self.b_expr()?;
        self.expect(K::In)?;
        let haystack = self.b_expr()?;
        self.expect(')')?;
        Ok(syntax_call(
            "position",
            vec![haystack, needle],
            self.span_from(start),
        ))
    }

    fn substring(&mut self) -> R<Expr> {
        let name = self.take_name();
        let start = name.span.start;
        self.expect('(')?;
        if self.at(')') {
            return self.plain_call_rest(name, None);
        }
        let named =
            is_type_function_name(self.tok) && matches!(self.peek(1), Tok::ColonEquals | Tok::EqualsGreater);
        if named {
            return self.plain_call_rest(name, None);
        }
        let first = self.expr(0, Mode::Subject)?;
        let args = match self.tok {
            Tok::Kw(K::From) => {
                self.bump();
                let mut args = vec![first, self.a_expr()?];
                if self.eat(K::For) {
                    args.push(self.a_expr()?);
                }
                args
            }
            Tok::Kw(K::For) => {
                self.bump();
                let length = self.a_expr()?;
                if self.eat(K::From) {
                    vec![first, self.a_expr()?, length]
                } else {
                    // The length is cast so that substring(text from pattern) is not chosen.
                    let int4 = self.type_from_names(system_name("int4", Span::NONE));
                    let cast = Expr::TypeCast(Box::new(TypeCast {
                        arg: length,
                        type_name: int4,
                        span: Span::NONE,
                    }));
                    vec![first, int_const(1, Span::NONE), cast]
                }
            }
            Tok::Kw(K::Similar) => {
                self.bump();
                let pattern = self.a_expr()?;
                self.expect(K::Escape)?;
                vec![first, pattern, self.a_expr()?]
            }
            _ => return self.plain_call_rest(name, Some(first)),
        };
        self.expect(')')?;
        Ok(syntax_call("substring", args, self.span_from(start)))
    }

    fn treat(&mut self) -> R<Expr> {
        let start = self.take().start;
        self.expect('(')?;
        let arg = self.a_expr()?;
        self.expect(K::As)?;
        let type_name = self.typename()?;
        self.expect(')')?;
        let span = self.span_from(start);
        let mut name = system_name("", span);
        if let (Some(last), Some(type_last)) = (name.last_mut(), type_name.names.last()) {
            last.name = type_last.name.clone();
        }
        Ok(Expr::FuncCall(Box::new(func_call(
            name,
            vec![arg],
            CoercionForm::ExplicitCall,
            span,
        ))))
    }

    fn trim(&mut self) -> R<Expr> {
        let start = self.take().start;
        self.expect('(')?;
        let name = match self.tok {
            Tok::Kw(K::Leading) => "ltrim",
            Tok::Kw(K::Trailing) => "rtrim",
            _ => "btrim",
        };
        if matches!(self.tok, Tok::Kw(K::Leading | K::Trailing | K::Both)) {
            self.bump();
        }
        let args = if self.eat(K::From) {
            self.expr_list()?
        } else {
            let first = self.a_expr()?;
            if self.eat(K::From) {
                let mut args = self.expr_list()?;
                args.push(first);
                args
            } else {
                let mut args = vec![first];
                while self.eat(',') {
                    args.push(self.a_expr()?);
                }
                args
            }
        };
        self.expect(')')?;
        Ok(syntax_call(name, args, self.span_from(start)))
    }

    fn nullif(&mut self) -> R<Expr> {
        let start = self.take().start;
        self.expect('(')?;
        let left = self.a_expr()?;
        self.expect(',')?;
        let right = self.a_expr()?;
        self.expect(')')?;
        let span = self.span_from(start);
        let name = vec![Ident {
            name: Name::new_static("="),
            span,
        }];
        let (kind, list) = (AExprKind::NullIf, Vec::new());
        Ok(Expr::AExpr(Box::new(AExpr {
            kind,
            name,
            lexpr: Some(left),
            rexpr: Some(right),
            list,
            span,
        })))
    }

    fn coalesce(&mut self) -> R<Expr> {
        let start = self.take().start;
        let args = self.paren_list(|p| p.a_expr())?;
        let span = self.span_from(start);
        Ok(Expr::CoalesceExpr(Box::new(CoalesceExpr { args, span })))
    }

    fn min_max(&mut self, word: K) -> R<Expr> {
        let start = self.take().start;
        let op = if word == K::Greatest {
            MinMaxOp::Greatest
        } else {
            MinMaxOp::Least
        };
        let args = self.paren_list(|p| p.a_expr())?;
        let span = self.span_from(start);
        Ok(Expr::MinMaxExpr(Box::new(MinMaxExpr { op, args, span })))
    }

    fn merge_action(&mut self) -> R<Expr> {
        let start = self.take().start;
        self.expect('(')?;
        self.expect(')')?;
        Ok(Expr::MergeSupportFunc(self.span_from(start)))
    }

    /// `[ORDER BY ...]`.
    pub fn opt_sort_clause(&mut self) -> R<Vec<SortBy>> {
        if self.at(K::Order) {
            self.sort_clause()
        } else {
            Ok(Vec::new())
        }
    }
}

fn value_function(word: K) -> Option<SqlValueFunctionOp> {
    Some(match word {
        K::CurrentDate => SqlValueFunctionOp::CurrentDate,
        K::CurrentTime => SqlValueFunctionOp::CurrentTime,
        K::CurrentTimestamp => SqlValueFunctionOp::CurrentTimestamp,
        K::Localtime => SqlValueFunctionOp::Localtime,
        K::Localtimestamp => SqlValueFunctionOp::Localtimestamp,
        K::CurrentRole => SqlValueFunctionOp::CurrentRole,
        K::CurrentUser => SqlValueFunctionOp::CurrentUser,
        K::SessionUser => SqlValueFunctionOp::SessionUser,
        K::SystemUser => SqlValueFunctionOp::SystemUser,
        K::User => SqlValueFunctionOp::User,
        K::CurrentCatalog => SqlValueFunctionOp::CurrentCatalog,
        K::CurrentSchema => SqlValueFunctionOp::CurrentSchema,
        _ => return None,
    })
}
