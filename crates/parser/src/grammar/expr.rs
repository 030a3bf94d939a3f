//! Operators: precedence climbing over PostgreSQL's table.
//!
//! # Precedence, loosest first
//! ```text
//! OR · AND · NOT · IS ISNULL NOTNULL · < > = <= >= <> · BETWEEN IN LIKE ILIKE SIMILAR · any other operator
//! · + - · * / % · ^ · AT · COLLATE · unary + - · [] · ::
//! ```
//! IS, comparisons and the BETWEEN group do not associate: after a complete right operand another operator of the same
//! rank is a syntax error. A prefix operator binds its operand with its own rank wherever it stands.
//!
//! `b_expr` is the restricted form (no logic, no BETWEEN group, no AT, no COLLATE) that PostgreSQL uses where a key word
//! such as AND or IN must end the expression.

use common::{PgResult, Span};

use crate::ast::{
    AConst, AExpr, AExprKind, BoolExpr, BoolExprType, CoercionForm, CollateClause, ConstValue, Expr,
    FuncCall, Ident, Name, NameList, NullTest, SubLink, SubLinkType, TypeCast,
};
use crate::keywords::Keyword as K;
use crate::parser::{Parser, is_bare_col_label};
use crate::token::Tok;

/// Binding strength; higher binds tighter.
pub type Rank = u8;

const OR: Rank = 1;
const AND: Rank = 2;
const NOT: Rank = 3;
pub const IS: Rank = 4;
const COMPARE: Rank = 5;
pub const LIKE: Rank = 6;
const OP: Rank = 7;
const ADD: Rank = 8;
const MUL: Rank = 9;
const POWER: Rank = 10;
const AT: Rank = 11;
const COLLATE: Rank = 12;
const UNARY: Rank = 13;
const CAST: Rank = 14;

/// Which expressions are allowed here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// `a_expr`.
    A,
    /// `a_expr` at the top of a result column, where a key word operator may turn out to be a column label.
    Target,
    /// The subject of SUBSTRING, which SIMILAR without TO ends.
    Subject,
    /// `b_expr`.
    B,
}

type R<T> = PgResult<T>;

/// A name that the grammar supplies, placed at a token.
pub fn system_name(name: &'static str, span: Span) -> NameList {
    vec![
        Ident {
            name: Name::new_static("pg_catalog"),
            span,
        },
        Ident {
            name: Name::new_static(name),
            span,
        },
    ]
}

/// An integer constant supplied by the grammar.
pub fn int_const(value: i32, span: Span) -> Expr {
    Expr::AConst(AConst {
        value: ConstValue::Integer(value),
        span,
    })
}

/// A boolean constant supplied by the grammar; PostgreSQL casts the string.
pub fn bool_const(value: bool, span: Span) -> Expr {
    Expr::AConst(AConst {
        value: ConstValue::Boolean(value),
        span,
    })
}

/// A string constant supplied by the grammar.
pub fn str_const(text: impl Into<Name>, span: Span) -> Expr {
    Expr::AConst(AConst {
        value: ConstValue::String(text.into()),
        span,
    })
}

/// A call without any decoration.
pub fn func_call(func_name: NameList, args: Vec<Expr>, func_format: CoercionForm, span: Span) -> FuncCall {
    FuncCall {
        func_name,
        args,
        agg_order: Vec::new(),
        agg_filter: None,
        over: None,
        agg_within_group: false,
        agg_star: false,
        agg_distinct: false,
        func_variadic: false,
        func_format,
        span,
    }
}

/// A call of a system function written with its own syntax.
pub fn syntax_call(name: &'static str, args: Vec<Expr>, span: Span) -> Expr {
    Expr::FuncCall(Box::new(func_call(
        system_name(name, span),
        args,
        CoercionForm::SqlSyntax,
        span,
    )))
}

/// An operator-like node.
pub fn a_expr_node(
    kind: AExprKind,
    name: NameList,
    lexpr: Option<Expr>,
    rexpr: Option<Expr>,
    span: Span,
) -> Expr {
    Expr::AExpr(Box::new(AExpr {
        kind,
        name,
        lexpr,
        rexpr,
        list: Vec::new(),
        span,
    }))
}

/// An operator's name supplied by the grammar.
pub fn op_name(name: &'static str, span: Span) -> NameList {
    vec![Ident {
        name: Name::new_static(name),
        span,
    }]
}

/// `NOT arg`.
pub fn not(arg: Expr, span: Span) -> Expr {
    Expr::BoolExpr(Box::new(BoolExpr {
        op: BoolExprType::Not,
        args: vec![arg],
        span,
    }))
}

/// `left AND right`, `left OR right`, flattening a left argument of the same kind.
pub fn connect(op: BoolExprType, left: Expr, right: Expr, span: Span) -> Expr {
    if let Expr::BoolExpr(mut b) = left {
        if b.op == op {
            b.args.push(right);
            return Expr::BoolExpr(b);
        }
        return Expr::BoolExpr(Box::new(BoolExpr {
            op,
            args: vec![Expr::BoolExpr(b), right],
            span,
        }));
    }
    Expr::BoolExpr(Box::new(BoolExpr {
        op,
        args: vec![left, right],
        span,
    }))
}

impl Parser<'_> {
    /// `a_expr`.
    pub fn a_expr(&mut self) -> R<Expr> {
        self.expr(0, Mode::A)
    }

    /// `b_expr`.
    pub fn b_expr(&mut self) -> R<Expr> {
        self.expr(0, Mode::B)
    }

    /// The expression of a result column.
    pub fn target_expr(&mut self) -> R<Expr> {
        self.expr(0, Mode::Target)
    }

    /// `expr_list`.
    pub fn expr_list(&mut self) -> R<Vec<Expr>> {
        self.comma_list(|p| p.a_expr())
    }

    /// An expression whose operators bind at least as tightly as `min`.
    pub fn expr(&mut self, min: Rank, mode: Mode) -> R<Expr> {
        self.check_stack()?;
        let outer = std::mem::take(&mut self.height);
        let left = self.operand(inner(mode))?;
        let result = self.operators(left, min, mode);
        self.height = outer.max(self.height + 1);
        result
    }

    /// A prefix operator with its operand, or a primary.
    fn operand(&mut self, mode: Mode) -> R<Expr> {
        match self.tok {
            Tok::Char(b'+' | b'-') => self.sign(mode),
            Tok::Kw(K::Not) | Tok::NotLa if mode != Mode::B => {
                let span = self.take().span();
                Ok(not(self.expr(NOT, Mode::A)?, span))
            }
            Tok::Op => self.prefix_operator(mode),
            Tok::Kw(K::Operator) if self.next_is('(') => self.prefix_operator(mode),
            Tok::Kw(K::Default) if mode != Mode::B => Ok(Expr::SetToDefault(self.take().span())),
            Tok::Kw(K::Unique) if mode != Mode::B => self.unique_predicate(),
            _ => self.c_expr(mode),
        }
    }

    #[inline(never)]
    fn sign(&mut self, mode: Mode) -> R<Expr> {
        let token = self.take();
        let span = token.span();
        let arg = self.expr(UNARY, inner(mode))?;
        if token.tok == Tok::Char(b'+') {
            return Ok(a_expr_node(
                AExprKind::Op,
                op_name("+", span),
                None,
                Some(arg),
                span,
            ));
        }
        match arg {
            Expr::AConst(AConst {
                value: ConstValue::Integer(n),
                span: arg_span,
            }) => {
                let value = ConstValue::Integer(n.wrapping_neg());
                Ok(Expr::AConst(AConst {
                    value,
                    span: span.to(arg_span),
                }))
            }
            Expr::AConst(AConst {
                value: ConstValue::Float(text),
                span: arg_span,
            }) => {
                let negated = match text.strip_prefix('-') {
                    Some(positive) => Name::new(positive),
                    None => Name::from(format!("-{text}")),
                };
                Ok(Expr::AConst(AConst {
                    value: ConstValue::Float(negated),
                    span: span.to(arg_span),
                }))
            }
            arg => Ok(a_expr_node(
                AExprKind::Op,
                op_name("-", span),
                None,
                Some(arg),
                span,
            )),
        }
    }

    #[inline(never)]
    fn prefix_operator(&mut self, mode: Mode) -> R<Expr> {
        let span = self.span();
        let name = self.qual_op()?;
        let arg = self.expr(OP + 1, inner(mode))?;
        Ok(a_expr_node(AExprKind::Op, name, None, Some(arg), span))
    }

    #[inline(never)]
    fn unique_predicate(&mut self) -> R<Expr> {
        let span = self.take().span();
        self.opt_unique_null_treatment()?;
        self.select_with_parens()?;
        Err(self.not_supported("UNIQUE predicate is not yet implemented", span))
    }

    /// `[NULLS [NOT] DISTINCT]`: true for NOT DISTINCT.
    pub fn opt_unique_null_treatment(&mut self) -> R<bool> {
        if !self.eat(K::Nulls) {
            return Ok(false);
        }
        let not = self.eat(K::Not);
        self.expect(K::Distinct)?;
        Ok(not)
    }

    /// The rank of the current token as an infix or postfix operator.
    #[inline]
    fn infix_rank(&self, mode: Mode) -> Option<Rank> {
        let rank = match self.tok {
            Tok::Char(b'+' | b'-') => ADD,
            Tok::Char(b'*' | b'/' | b'%') => MUL,
            Tok::Char(b'<' | b'>' | b'=') => COMPARE,
            Tok::LessEquals | Tok::GreaterEquals | Tok::NotEquals => COMPARE,
            Tok::Char(b'^') => POWER,
            Tok::Op => OP,
            Tok::Typecast => CAST,
            Tok::Kw(k) => return infix_keyword_rank(k, mode),
            Tok::NotLa if mode != Mode::B => LIKE,
            _ => return None,
        };
        Some(rank)
    }

    /// Applies operators to `left` while they bind at least as tightly as `min`.
    pub fn operators(&mut self, mut left: Expr, min: Rank, mode: Mode) -> R<Expr> {
        let mut height = self.height;
        while let Some(rank) = self.infix_rank(mode) {
            if rank < min || self.ends_here(mode) {
                break;
            }
            self.height = 0;
            left = self.infix(left, rank, inner(mode))?;
            // AND and OR are flattened: a long chain is one node.
            let flat = matches!(rank, OR | AND);
            height = if flat {
                height.max(self.height + 1)
            } else {
                height.max(self.height) + 1
            };
            self.check_height(height)?;
        }
        self.height = height;
        Ok(left)
    }

    /// True if the current key word is no operator: a bare column label because what follows ends the result column,
    /// or the SIMILAR of SUBSTRING.
    #[inline]
    fn ends_here(&self, mode: Mode) -> bool {
        match mode {
            Mode::Target => {
                matches!(self.tok, Tok::Kw(_)) && is_bare_col_label(self.tok) && ends_target(self.peek(1))
            }
            Mode::Subject => self.at(K::Similar) && !self.next_is(K::To),
            Mode::A | Mode::B => false,
        }
    }

    fn infix(&mut self, left: Expr, rank: Rank, mode: Mode) -> R<Expr> {
        match rank {
            CAST => self.cast_operator(left),
            IS => self.is_test(left, mode),
            LIKE => self.like_group(left),
            AT => self.at_time_zone(left),
            COLLATE => {
                let start = self.take().start;
                let collname = self.any_name()?;
                let span = self.span_from(start);
                Ok(Expr::CollateClause(Box::new(CollateClause {
                    arg: Some(left),
                    collname,
                    span,
                })))
            }
            OR | AND => {
                let op = if rank == OR {
                    BoolExprType::Or
                } else {
                    BoolExprType::And
                };
                let span = self.take().span();
                let right = self.expr(rank + 1, mode)?;
                Ok(connect(op, left, right, span))
            }
            _ => self.binary_operator(left, rank, mode),
        }
    }

    #[inline(never)]
    fn cast_operator(&mut self, left: Expr) -> R<Expr> {
        let start = self.take().start;
        let type_name = self.typename()?;
        let span = self.span_from(start);
        Ok(Expr::TypeCast(Box::new(TypeCast {
            arg: left,
            type_name,
            span,
        })))
    }

    /// After the right operand of an operator that does not associate.
    pub fn refuse_same_rank(&mut self, rank: Rank, mode: Mode) -> R<()> {
        if self.infix_rank(mode) == Some(rank) {
            self.fail()
        } else {
            Ok(())
        }
    }

    #[inline(never)]
    fn binary_operator(&mut self, left: Expr, rank: Rank, mode: Mode) -> R<Expr> {
        let span = self.span();
        let name = if rank == OP {
            self.qual_op()?
        } else {
            vec![self.take_operator()]
        };
        if mode != Mode::B && matches!(self.tok, Tok::Kw(K::Any | K::Some | K::All)) {
            return self.quantified(left, name, span);
        }
        let right = self.expr(rank + 1, mode)?;
        if rank == COMPARE {
            self.refuse_same_rank(rank, mode)?;
            if self.options.transform_null_equals && is_equals(&name) {
                return Ok(null_equals(left, name, right, span));
            }
        }
        Ok(a_expr_node(AExprKind::Op, name, Some(left), Some(right), span))
    }

    /// Takes the current token as an operator name; `!=` is `<>`.
    fn take_operator(&mut self) -> Ident {
        let token = self.take();
        let name = match token.tok {
            Tok::NotEquals => Name::new_static("<>"),
            _ => Name::new(self.source(token)),
        };
        Ident {
            name,
            span: token.span(),
        }
    }

    /// `left op ANY (query or array)`.
    #[inline(never)]
    pub fn quantified(&mut self, left: Expr, name: NameList, span: Span) -> R<Expr> {
        let all = self.at(K::All);
        self.bump();
        if !self.at('(') {
            return self.fail();
        }
        match self.select_or_expr_in_parens()? {
            SelectOrExpr::Select(subselect) => Ok(Expr::SubLink(Box::new(SubLink {
                kind: if all { SubLinkType::All } else { SubLinkType::Any },
                test: Some(left),
                oper_name: name,
                subselect,
                span,
            }))),
            SelectOrExpr::Expr(right) => {
                let kind = if all { AExprKind::OpAll } else { AExprKind::OpAny };
                Ok(a_expr_node(kind, name, Some(left), Some(right), span))
            }
        }
    }

    #[inline(never)]
    fn at_time_zone(&mut self, left: Expr) -> R<Expr> {
        let span = self.take().span();
        if self.eat(K::Local) {
            // PostgreSQL gives this call no place of its own.
            return Ok(syntax_call("timezone", vec![left], Span::NONE));
        }
        self.expect(K::Time)?;
        self.expect(K::Zone)?;
        let zone = self.expr(AT + 1, Mode::A)?;
        Ok(syntax_call("timezone", vec![zone, left], span))
    }

    // ---- operator names -----------------------------------------------------------------------------------------

    /// `Op | OPERATOR(any_operator)`.
    pub fn qual_op(&mut self) -> R<NameList> {
        if self.eat(K::Operator) {
            self.expect('(')?;
            let name = self.any_operator()?;
            self.expect(')')?;
            return Ok(name);
        }
        if self.at(Tok::Op) {
            Ok(vec![self.take_operator()])
        } else {
            self.fail()
        }
    }

    /// `qual_all_Op`: like [`Parser::qual_op`], but any single operator token will do.
    pub fn qual_all_op(&mut self) -> R<NameList> {
        if self.at(K::Operator) {
            self.qual_op()
        } else {
            Ok(vec![self.all_op()?])
        }
    }

    /// `all_Op`: any operator token.
    pub fn all_op(&mut self) -> R<Ident> {
        if is_operator(self.tok) {
            Ok(self.take_operator())
        } else {
            self.fail()
        }
    }

    /// `[schema.]operator`.
    pub fn any_operator(&mut self) -> R<NameList> {
        let mut name = Vec::new();
        while !is_operator(self.tok) {
            name.push(self.col_id()?);
            self.expect('.')?;
        }
        name.push(self.take_operator());
        Ok(name)
    }
}

/// A query or an expression, from one pair of parentheses.
pub enum SelectOrExpr {
    Select(Box<crate::ast::SelectStmt>),
    Expr(Expr),
}

/// A query or a list of expressions, from one pair of parentheses.
pub enum SelectOrExprs {
    Select(Box<crate::ast::SelectStmt>),
    Exprs(Vec<Expr>),
}

/// Below the top of an expression the special ends are out of the question.
fn inner(mode: Mode) -> Mode {
    if mode == Mode::B { Mode::B } else { Mode::A }
}

fn infix_keyword_rank(word: K, mode: Mode) -> Option<Rank> {
    let rank = match word {
        K::Is => IS,
        K::Operator => OP,
        _ if mode == Mode::B => return None,
        K::And => AND,
        K::Or => OR,
        K::Isnull | K::Notnull => IS,
        K::Between | K::In | K::Like | K::Ilike | K::Similar => LIKE,
        K::At => AT,
        K::Collate => COLLATE,
        _ => return None,
    };
    Some(rank)
}

fn is_operator(tok: Tok) -> bool {
    matches!(
        tok,
        Tok::Op
            | Tok::LessEquals
            | Tok::GreaterEquals
            | Tok::NotEquals
            | Tok::Char(b'+' | b'-' | b'*' | b'/' | b'%' | b'^' | b'<' | b'>' | b'=')
    )
}

/// What may follow a result column.
fn ends_target(tok: Tok) -> bool {
    match tok {
        Tok::Eof | Tok::Char(b',' | b';' | b')') => true,
        Tok::Kw(k) => matches!(
            k,
            K::From
                | K::Into
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
                | K::On
                | K::Returning
                | K::With
        ),
        _ => false,
    }
}

fn is_equals(name: &NameList) -> bool {
    matches!(name.as_slice(), [only] if only.name == "=")
}

/// `transform_null_equals`: a comparison with the literal NULL becomes a test.
fn null_equals(left: Expr, name: NameList, right: Expr, span: Span) -> Expr {
    let is_null = |e: &Expr| {
        matches!(
            e,
            Expr::AConst(AConst {
                value: ConstValue::Null,
                ..
            })
        )
    };
    if is_null(&right) {
        return Expr::NullTest(Box::new(NullTest {
            arg: left,
            is_not: false,
            span,
        }));
    }
    if is_null(&left) {
        return Expr::NullTest(Box::new(NullTest {
            arg: right,
            is_not: false,
            span,
        }));
    }
    a_expr_node(AExprKind::Op, name, Some(left), Some(right), span)
}
