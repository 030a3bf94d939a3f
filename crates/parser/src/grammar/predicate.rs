//! Operator-like predicates: IS ..., BETWEEN, IN, LIKE and relatives.

use common::{PgResult, Span};

use crate::ast::{
    AExpr, AExprKind, BoolTestType, BooleanTest, CoercionForm, Expr, JsonEncoding, JsonFormat,
    JsonIsPredicate, JsonValueType, Name, NullTest, SubLink, SubLinkType, XmlExpr, XmlExprOp,
};
use crate::grammar::expr::{
    IS, LIKE, Mode, SelectOrExprs, a_expr_node, func_call, not, op_name, str_const, syntax_call, system_name,
};
use crate::keywords::Keyword as K;
use crate::parser::Parser;
use crate::token::Tok;

type R<T> = PgResult<T>;

impl Parser<'_> {
    // ---- IS -----------------------------------------------------------------------------------------------------

    #[inline(never)]
    pub fn is_test(&mut self, left: Expr, mode: Mode) -> R<Expr> {
        let token = self.take();
        let span = token.span();
        if token.tok != Tok::Kw(K::Is) {
            let is_not = token.tok == Tok::Kw(K::Notnull);
            return Ok(Expr::NullTest(Box::new(NullTest {
                arg: left,
                is_not,
                span,
            })));
        }
        let negated = self.eat(K::Not);
        if self.at(K::Distinct) {
            return self.is_distinct(left, negated, span, mode);
        }
        if self.eat(K::Document) {
            let test = Expr::XmlExpr(Box::new(XmlExpr {
                op: XmlExprOp::Document,
                name: None,
                named_args: Vec::new(),
                args: vec![left],
                xmloption: None,
                span,
            }));
            return Ok(if negated { not(test, span) } else { test });
        }
        if mode == Mode::B {
            return self.fail();
        }
        self.is_test_a(left, negated, span)
    }

    #[inline(never)]
    fn is_distinct(&mut self, left: Expr, negated: bool, span: Span, mode: Mode) -> R<Expr> {
        self.bump();
        self.expect(K::From)?;
        let right = self.expr(IS + 1, mode)?;
        self.refuse_same_rank(IS, mode)?;
        let kind = if negated {
            AExprKind::NotDistinct
        } else {
            AExprKind::Distinct
        };
        Ok(a_expr_node(
            kind,
            op_name("=", span),
            Some(left),
            Some(right),
            span,
        ))
    }

    #[inline(never)]
    fn is_test_a(&mut self, left: Expr, negated: bool, span: Span) -> R<Expr> {
        let Tok::Kw(word) = self.tok else {
            return self.fail();
        };
        let test = match (word, negated) {
            (K::True, false) => BoolTestType::IsTrue,
            (K::True, true) => BoolTestType::IsNotTrue,
            (K::False, false) => BoolTestType::IsFalse,
            (K::False, true) => BoolTestType::IsNotFalse,
            (K::Unknown, false) => BoolTestType::IsUnknown,
            (K::Unknown, true) => BoolTestType::IsNotUnknown,
            (K::Null, is_not) => {
                self.bump();
                return Ok(Expr::NullTest(Box::new(NullTest {
                    arg: left,
                    is_not,
                    span,
                })));
            }
            (K::Json, _) => return self.is_json(left, negated, span),
            (K::Normalized | K::Nfc | K::Nfd | K::Nfkc | K::Nfkd, _) => {
                let mut args = vec![left];
                if word != K::Normalized {
                    args.push(self.unicode_normal_form()?);
                }
                self.expect(K::Normalized)?;
                let test = syntax_call("is_normalized", args, span);
                return Ok(if negated { not(test, span) } else { test });
            }
            _ => return self.fail(),
        };
        self.bump();
        Ok(Expr::BooleanTest(Box::new(BooleanTest {
            arg: left,
            test,
            span,
        })))
    }

    /// NFC, NFD, NFKC or NFKD as a string constant.
    pub fn unicode_normal_form(&mut self) -> R<Expr> {
        let text = match self.tok {
            Tok::Kw(K::Nfc) => "NFC",
            Tok::Kw(K::Nfd) => "NFD",
            Tok::Kw(K::Nfkc) => "NFKC",
            Tok::Kw(K::Nfkd) => "NFKD",
            _ => return self.fail(),
        };
        let span = self.take().span();
        Ok(str_const(Name::new_static(text), span))
    }

    #[inline(never)]
    fn is_json(&mut self, left: Expr, negated: bool, span: Span) -> R<Expr> {
        self.bump();
        // PostgreSQL points at the start of the operand here.
        let span = Span::new(left.location().start.min(span.start), span.end);
        let item_type = match self.tok {
            Tok::Kw(K::Value) => JsonValueType::Any,
            Tok::Kw(K::Array) => JsonValueType::Array,
            Tok::Kw(K::Object) => JsonValueType::Object,
            Tok::Kw(K::Scalar) => JsonValueType::Scalar,
            _ => JsonValueType::Any,
        };
        if matches!(self.tok, Tok::Kw(K::Value | K::Array | K::Object | K::Scalar)) {
            self.bump();
        }
        let unique_keys = self.json_key_uniqueness()?;
        let format = JsonFormat {
            explicit: false,
            encoding: JsonEncoding::Default,
            span: Span::NONE,
        };
        let test = Expr::JsonIsPredicate(Box::new(JsonIsPredicate {
            expr: left,
            format,
            item_type,
            unique_keys,
            span,
        }));
        Ok(if negated { not(test, span) } else { test })
    }

    // ---- BETWEEN, IN, LIKE --------------------------------------------------------------------------------------

    #[inline(never)]
    pub fn like_group(&mut self, left: Expr) -> R<Expr> {
        let span = self.span();
        let negated = self.eat(Tok::NotLa);
        match self.tok {
            Tok::Kw(K::Between) => self.between(left, negated, span),
            Tok::Kw(K::In) => self.in_expr(left, negated, span),
            Tok::Kw(K::Like) => self.like(left, AExprKind::Like, if negated { "!~~" } else { "~~" }, span),
            Tok::Kw(K::Ilike) => {
                self.like(left, AExprKind::ILike, if negated { "!~~*" } else { "~~*" }, span)
            }
            Tok::Kw(K::Similar) => {
                self.bump();
                self.expect(K::To)?;
                let pattern = self.expr(LIKE + 1, Mode::A)?;
                let mut args = vec![pattern];
                if self.eat(K::Escape) {
                    args.push(self.expr(LIKE + 1, Mode::A)?);
                }
                self.refuse_same_rank(LIKE, Mode::A)?;
                let name = system_name("similar_to_escape", span);
                let call = Expr::FuncCall(Box::new(func_call(name, args, CoercionForm::ExplicitCall, span)));
                let name = op_name(if negated { "!~" } else { "~" }, span);
                Ok(a_expr_node(
                    AExprKind::Similar,
                    name,
                    Some(left),
                    Some(call),
                    span,
                ))
            }
            _ => self.fail(),
        }
    }

    #[inline(never)]
    fn like(&mut self, left: Expr, kind: AExprKind, operator: &'static str, span: Span) -> R<Expr> {
        self.bump();
        let name = op_name(operator, span);
        if matches!(self.tok, Tok::Kw(K::Any | K::Some | K::All)) {
            return self.quantified(left, name, span);
        }
        let mut right = self.expr(LIKE + 1, Mode::A)?;
        if self.eat(K::Escape) {
            let args = vec![right, self.expr(LIKE + 1, Mode::A)?];
            let name = system_name("like_escape", span);
            right = Expr::FuncCall(Box::new(func_call(name, args, CoercionForm::ExplicitCall, span)));
        }
        self.refuse_same_rank(LIKE, Mode::A)?;
        Ok(a_expr_node(kind, name, Some(left), Some(right), span))
    }

    #[inline(never)]
    fn between(&mut self, left: Expr, negated: bool, span: Span) -> R<Expr> {
        self.bump();
        let symmetric = self.eat(K::Symmetric);
        if !symmetric {
            self.eat(K::Asymmetric);
        }
        let low = self.b_expr()?;
        self.expect(K::And)?;
        let high = self.expr(LIKE + 1, Mode::A)?;
        self.refuse_same_rank(LIKE, Mode::A)?;
        let (kind, name) = match (symmetric, negated) {
            (false, false) => (AExprKind::Between, "BETWEEN"),
            (false, true) => (AExprKind::NotBetween, "NOT BETWEEN"),
            (true, false) => (AExprKind::BetweenSym, "BETWEEN SYMMETRIC"),
            (true, true) => (AExprKind::NotBetweenSym, "NOT BETWEEN SYMMETRIC"),
        };
        let (name, list) = (op_name(name, span), vec![low, high]);
        Ok(Expr::AExpr(Box::new(AExpr {
            kind,
            name,
            lexpr: Some(left),
            rexpr: None,
            list,
            span,
        })))
    }

    #[inline(never)]
    fn in_expr(&mut self, left: Expr, negated: bool, span: Span) -> R<Expr> {
        self.bump();
        if !self.at('(') {
            return self.fail();
        }
        match self.select_or_exprs_in_parens()? {
            SelectOrExprs::Select(subselect) => {
                let link = Expr::SubLink(Box::new(SubLink {
                    kind: SubLinkType::Any,
                    test: Some(left),
                    oper_name: Vec::new(),
                    subselect,
                    span,
                }));
                Ok(if negated { not(link, span) } else { link })
            }
            SelectOrExprs::Exprs(list) => {
                let name = op_name(if negated { "<>" } else { "=" }, span);
                let (kind, lexpr) = (AExprKind::In, Some(left));
                Ok(Expr::AExpr(Box::new(AExpr {
                    kind,
                    name,
                    lexpr,
                    rexpr: None,
                    list,
                    span,
                })))
            }
        }
    }
}
