//! The grammar of path expressions.
//!
//! A recursive descent over what PostgreSQL has as an LALR grammar. An operand is an expression or a predicate; where one kind is
//! wanted and the other stands there, the token after it is the error, as an LALR parser would see it. Binary operators and
//! parentheses wait on a stack of their own, so that neither long rows of operators nor the parentheses around them in canonical
//! spelling need the thread's.

use std::sync::Arc;

use common::error::ErrorExt;
use common::{PgError, PgResult, pg_err};

use crate::jsonpath::check::{check_depth, check_places, check_regex, regex_flags};
use crate::jsonpath::lex::{Lexer, Token, error_near};
use crate::jsonpath::{BinaryOp, Item, ItemId, ItemKind, LEVEL_LAST, Method, Path, RegexFlags, Subscript};
use crate::numeric::{self, neg};

/// Nesting beyond this is refused.
const DEPTH_MAX: usize = 200;

/// Operators and parentheses waiting for an operand (PostgreSQL's parser: some 10,000). Canonical forms have parentheses around
/// every operator of a row.
const WAITING_MAX: usize = 10_000;

/// PostgreSQL's parser gives up too (some thousand levels later).
#[cold]
fn too_deep(token: char) -> Box<PgError> {
    pg_err!(
        SYNTAX_ERROR,
        "memory exhausted at or near \"{token}\" of jsonpath input"
    )
}

/// What an operand is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Expr,
    Predicate,
}

/// A parsed operand: the head of its chain.
#[derive(Clone, Copy)]
struct Operand {
    id: ItemId,
    kind: Kind,
    /// A literal without accessors, for folding signs.
    plain: bool,
}

/// What the token behind an operand is.
#[derive(Clone, Copy)]
enum Operator {
    Binary(BinaryOp),
    StartsWith,
    LikeRegex,
    None,
}

impl Operator {
    /// How tightly it binds what is before it.
    fn priority(self) -> u8 {
        match self {
            Operator::Binary(op) => priority(op),
            Operator::StartsWith | Operator::LikeRegex => COMPARISON,
            Operator::None => 0,
        }
    }
}

/// What may stand at a place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whole {
    Any,
    Expression,
}

/// Something before an operand that takes it.
#[derive(Clone, Copy)]
enum Waiting {
    /// With its left operand.
    Operator(BinaryOp, ItemId),
    Parenthesis,
}

/// The priority of comparisons: what binds tighter is arithmetic.
const COMPARISON: u8 = 3;

/// Operators bind tighter with higher numbers.
fn priority(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Or => 1,
        BinaryOp::And => 2,
        BinaryOp::Add | BinaryOp::Sub => 4,
        BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod => 5,
        _ => COMPARISON,
    }
}

/// What both operands of an operator must be.
fn operands(op: BinaryOp) -> Kind {
    match op {
        BinaryOp::Or | BinaryOp::And => Kind::Predicate,
        _ => Kind::Expr,
    }
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    token: Token,
    items: Vec<Item>,
    depth: usize,
}

/// Reads a path.
pub fn parse(text: &str) -> PgResult<Path> {
    let mut p = Parser {
        lexer: Lexer::new(text),
        token: Token::End,
        items: Vec::new(),
        depth: 0,
    };
    p.advance()?;
    if p.token == Token::End {
        return Err(pg_err!(
            INVALID_TEXT_REPRESENTATION,
            "invalid input syntax for type jsonpath: \"{text}\""
        ));
    }
    let mut lax = true;
    if p.word("strict") || p.word("lax") {
        lax = p.word("lax");
        p.advance()?;
    }
    let root = p.or()?;
    if p.token != Token::End {
        return Err(p.syntax_error());
    }
    let path = Path {
        lax,
        items: p.items,
        root: root.id,
    };
    check_depth(&path)?;
    check_places(&path)?;
    Ok(path)
}

impl Parser<'_> {
    fn advance(&mut self) -> PgResult<()> {
        self.token = self.lexer.next_token()?;
        Ok(())
    }

    #[cold]
    fn syntax_error(&self) -> Box<PgError> {
        error_near("syntax error", &self.lexer.near)
    }

    fn symbol(&self, symbol: &str) -> bool {
        matches!(self.token, Token::Symbol(s) if s == symbol)
    }

    /// True at a keyword; `true`, `false` and `null` are lower case only.
    fn word(&self, keyword: &str) -> bool {
        match &self.token {
            Token::Word(w) if matches!(keyword, "true" | "false" | "null") => &**w == keyword,
            Token::Word(w) => w.eq_ignore_ascii_case(keyword),
            _ => false,
        }
    }

    fn accept(&mut self, symbol: &str) -> PgResult<bool> {
        let found = self.symbol(symbol);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn expect(&mut self, symbol: &str) -> PgResult<()> {
        if self.accept(symbol)? {
            Ok(())
        } else {
            Err(self.syntax_error())
        }
    }

    fn expect_word(&mut self, keyword: &str) -> PgResult<()> {
        if !self.word(keyword) {
            return Err(self.syntax_error());
        }
        self.advance()
    }

    fn add(&mut self, kind: ItemKind) -> ItemId {
        self.items.push(Item { kind, next: None });
        self.items.len() - 1
    }

    fn made(&mut self, kind: ItemKind, is: Kind) -> Operand {
        Operand {
            id: self.add(kind),
            kind: is,
            plain: false,
        }
    }

    /// The operand, if it is of the kind; else the current token is the error.
    fn want(&self, operand: Operand, kind: Kind) -> PgResult<Operand> {
        if operand.kind == kind {
            Ok(operand)
        } else {
            Err(self.syntax_error())
        }
    }

    /// The operator at the token.
    fn operator(&self) -> Operator {
        let op = match self.token {
            Token::Symbol("||") => BinaryOp::Or,
            Token::Symbol("&&") => BinaryOp::And,
            Token::Symbol("==") => BinaryOp::Eq,
            Token::Symbol("!=") => BinaryOp::Ne,
            Token::Symbol("<") => BinaryOp::Lt,
            Token::Symbol(">") => BinaryOp::Gt,
            Token::Symbol("<=") => BinaryOp::Le,
            Token::Symbol(">=") => BinaryOp::Ge,
            Token::Symbol("+") => BinaryOp::Add,
            Token::Symbol("-") => BinaryOp::Sub,
            Token::Symbol("*") => BinaryOp::Mul,
            Token::Symbol("/") => BinaryOp::Div,
            Token::Symbol("%") => BinaryOp::Mod,
            _ if self.word("starts") => return Operator::StartsWith,
            _ if self.word("like_regex") => return Operator::LikeRegex,
            _ => return Operator::None,
        };
        Operator::Binary(op)
    }

    /// An expression or a predicate.
    fn or(&mut self) -> PgResult<Operand> {
        self.operators(Whole::Any)
    }

    /// An expression where the grammar has no predicate.
    fn expression(&mut self) -> PgResult<Operand> {
        let whole = self.operators(Whole::Expression)?;
        self.want(whole, Kind::Expr)
    }

    fn operators(&mut self, wanted: Whole) -> PgResult<Operand> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(too_deep('('));
        }
        let mut waiting = Vec::new();
        loop {
            while self.symbol("(") {
                if waiting.len() >= WAITING_MAX {
                    return Err(too_deep('('));
                }
                self.advance()?;
                waiting.push(Waiting::Parenthesis);
            }
            let left = self.unary()?;
            if let Some(whole) = self.behind(left, &mut waiting, wanted)? {
                self.depth -= 1;
                return Ok(whole);
            }
        }
    }

    /// Goes on behind an operand; `None` where the next operand must follow.
    fn behind(
        &mut self,
        mut left: Operand,
        waiting: &mut Vec<Waiting>,
        wanted: Whole,
    ) -> PgResult<Option<Operand>> {
        loop {
            let operator = self.operator();
            left = self.bind(left, waiting, operator.priority())?;
            let compares = operator.priority() == COMPARISON;
            if wanted == Whole::Expression && compares && waiting.is_empty() {
                return Err(self.syntax_error());
            }
            match operator {
                Operator::Binary(op) if left.kind == operands(op) => {
                    self.advance()?;
                    waiting.push(Waiting::Operator(op, left.id));
                    return Ok(None);
                }
                Operator::StartsWith if left.kind == Kind::Expr => left = self.starts_with(left)?,
                Operator::LikeRegex if left.kind == Kind::Expr => left = self.like_regex(left)?,
                _ => match waiting.pop() {
                    Some(Waiting::Parenthesis) => {
                        self.expect(")")?;
                        left = self.after_parenthesis(left)?;
                    }
                    Some(Waiting::Operator(..)) => return Err(self.syntax_error()),
                    None => return Ok(Some(left)),
                },
            }
        }
    }

    /// Gives the operand to the waiting operators that bind it at least as tightly as one behind it would.
    fn bind(&mut self, mut right: Operand, waiting: &mut Vec<Waiting>, least: u8) -> PgResult<Operand> {
        while let Some(Waiting::Operator(op, left)) = waiting.last().copied() {
            if priority(op) < least {
                break;
            }
            waiting.pop();
            right = self.want(right, operands(op))?;
            let kind = match priority(op) > COMPARISON {
                true => Kind::Expr,
                false => Kind::Predicate,
            };
            right = self.made(ItemKind::Binary(op, left, right.id), kind);
        }
        Ok(right)
    }

    fn starts_with(&mut self, left: Operand) -> PgResult<Operand> {
        self.advance()?;
        self.expect_word("with")?;
        let right = match self.token.clone() {
            Token::String(s) => ItemKind::String(s),
            Token::Variable(v) => ItemKind::Variable(v),
            _ => return Err(self.syntax_error()),
        };
        self.advance()?;
        let right = self.add(right);
        let kind = ItemKind::Binary(BinaryOp::StartsWith, left.id, right);
        Ok(self.made(kind, Kind::Predicate))
    }

    fn string(&mut self) -> PgResult<Arc<str>> {
        let Token::String(s) = self.token.clone() else {
            return Err(self.syntax_error());
        };
        self.advance()?;
        Ok(s)
    }

    fn like_regex(&mut self, left: Operand) -> PgResult<Operand> {
        self.advance()?;
        let pattern = self.string()?;
        let mut flags = RegexFlags::default();
        if self.word("flag") {
            self.advance()?;
            flags = regex_flags(&self.string()?)?;
        }
        check_regex(&pattern, flags)?;
        let kind = ItemKind::LikeRegex {
            expr: left.id,
            pattern,
            flags,
        };
        Ok(self.made(kind, Kind::Predicate))
    }

    fn unary(&mut self) -> PgResult<Operand> {
        let minus = self.symbol("-");
        if !minus && !self.symbol("+") {
            return self.primary();
        }
        self.advance()?;
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(too_deep(if minus { '-' } else { '+' }));
        }
        let arg = self.unary()?;
        self.depth -= 1;
        let arg = self.want(arg, Kind::Expr)?;
        if arg.plain {
            if let Some(Item {
                kind: ItemKind::Number(n),
                next: None,
            }) = self.items.get_mut(arg.id)
            {
                if minus {
                    *n = neg(n);
                }
                return Ok(arg);
            }
        }
        let kind = if minus {
            ItemKind::Minus(arg.id)
        } else {
            ItemKind::Plus(arg.id)
        };
        Ok(self.made(kind, Kind::Expr))
    }

    fn primary(&mut self) -> PgResult<Operand> {
        if self.symbol("!") {
            self.advance()?;
            let arg = self.delimited_predicate()?;
            return Ok(self.made(ItemKind::Not(arg), Kind::Predicate));
        }
        if self.word("exists") {
            let id = self.exists()?;
            return Ok(Operand {
                id,
                kind: Kind::Predicate,
                plain: false,
            });
        }
        // Behind a sign; others are taken where operands begin.
        if self.accept("(")? {
            let inner = self.or()?;
            self.expect(")")?;
            return self.after_parenthesis(inner);
        }
        let kind = match self.token.clone() {
            Token::String(s) => ItemKind::String(s),
            Token::Variable(v) => ItemKind::Variable(v),
            Token::Int(n) | Token::Numeric(n) => ItemKind::Number(numeric::parse(&n, "numeric")?),
            Token::Symbol("$") => ItemKind::Root,
            Token::Symbol("@") => ItemKind::Current,
            _ if self.word("null") => ItemKind::Null,
            _ if self.word("true") => ItemKind::Bool(true),
            _ if self.word("false") => ItemKind::Bool(false),
            _ if self.word("last") => ItemKind::Last,
            _ => return Err(self.syntax_error()),
        };
        self.advance()?;
        let id = self.add(kind);
        let more = self.accessors(id)?;
        Ok(Operand {
            id,
            kind: Kind::Expr,
            plain: !more,
        })
    }

    fn after_parenthesis(&mut self, inner: Operand) -> PgResult<Operand> {
        if inner.kind == Kind::Predicate && self.word("is") {
            self.advance()?;
            self.expect_word("unknown")?;
            return Ok(self.made(ItemKind::IsUnknown(inner.id), Kind::Predicate));
        }
        // Accessors go behind the chain that stands in the parentheses.
        let mut tail = inner.id;
        while let Some(next) = self.items.get(tail).and_then(|i| i.next) {
            tail = next;
        }
        if self.accessors(tail)? {
            return Ok(Operand {
                kind: Kind::Expr,
                plain: false,
                ..inner
            });
        }
        Ok(inner)
    }

    fn exists(&mut self) -> PgResult<ItemId> {
        self.advance()?;
        self.expect("(")?;
        let arg = self.expression()?;
        self.expect(")")?;
        Ok(self.add(ItemKind::Exists(arg.id)))
    }

    fn delimited_predicate(&mut self) -> PgResult<ItemId> {
        if self.word("exists") {
            return self.exists();
        }
        self.expect("(")?;
        let arg = self.or()?;
        let arg = self.want(arg, Kind::Predicate)?;
        self.expect(")")?;
        Ok(arg.id)
    }

    /// Accessors behind an item; true if there were any.
    fn accessors(&mut self, head: ItemId) -> PgResult<bool> {
        let mut tail = head;
        loop {
            let id = match self.token {
                Token::Symbol(".") => {
                    self.advance()?;
                    self.member()?
                }
                Token::Symbol("[") => {
                    self.advance()?;
                    self.subscripts()?
                }
                Token::Symbol("?") => {
                    self.advance()?;
                    self.expect("(")?;
                    let p = self.or()?;
                    let p = self.want(p, Kind::Predicate)?;
                    self.expect(")")?;
                    self.add(ItemKind::Filter(p.id))
                }
                _ => return Ok(tail != head),
            };
            if let Some(item) = self.items.get_mut(tail) {
                item.next = Some(id);
            }
            tail = id;
        }
    }

    fn subscripts(&mut self) -> PgResult<ItemId> {
        if self.symbol("*") {
            self.advance()?;
            self.expect("]")?;
            return Ok(self.add(ItemKind::AnyArray));
        }
        let mut list = Vec::new();
        loop {
            let from = self.expression()?.id;
            let mut to = None;
            if self.word("to") {
                self.advance()?;
                to = Some(self.expression()?.id);
            }
            list.push(Subscript { from, to });
            if !self.accept(",")? {
                break;
            }
        }
        self.expect("]")?;
        Ok(self.add(ItemKind::Index(list)))
    }

    /// What follows a dot.
    fn member(&mut self) -> PgResult<ItemId> {
        if self.accept("*")? {
            return Ok(self.add(ItemKind::AnyKey));
        }
        if self.accept("**")? {
            let (first, last) = self.levels()?;
            return Ok(self.add(ItemKind::Any { first, last }));
        }
        match self.token.clone() {
            Token::String(s) => {
                self.advance()?;
                Ok(self.add(ItemKind::Key(s)))
            }
            Token::Word(w) => {
                self.advance()?;
                if self.symbol("(") {
                    return self.method(&w);
                }
                Ok(self.add(ItemKind::Key(w)))
            }
            _ => Err(self.syntax_error()),
        }
    }

    fn level(&mut self) -> PgResult<u32> {
        let level = match &self.token {
            Token::Int(n) => n.parse().unwrap_or(i32::MAX as u32),
            _ if self.word("last") => LEVEL_LAST,
            _ => return Err(self.syntax_error()),
        };
        self.advance()?;
        Ok(level)
    }

    fn levels(&mut self) -> PgResult<(u32, u32)> {
        if !self.accept("{")? {
            return Ok((0, LEVEL_LAST));
        }
        let first = self.level()?;
        let mut last = first;
        if self.word("to") {
            self.advance()?;
            last = self.level()?;
        }
        self.expect("}")?;
        Ok((first, last))
    }

    fn method(&mut self, name: &str) -> PgResult<ItemId> {
        let plain = |m: Method| Some(m);
        let method = match name.to_ascii_lowercase().as_str() {
            "abs" => plain(Method::Abs),
            "size" => plain(Method::Size),
            "type" => plain(Method::Type),
            "floor" => plain(Method::Floor),
            "ceiling" => plain(Method::Ceiling),
            "double" => plain(Method::Double),
            "keyvalue" => plain(Method::KeyValue),
            "bigint" => plain(Method::Bigint),
            "boolean" => plain(Method::Boolean),
            "date" => plain(Method::Date),
            "integer" => plain(Method::Integer),
            "number" => plain(Method::Number),
            "string" => plain(Method::String),
            "datetime" => plain(Method::Datetime),
            "time" => plain(Method::Time),
            "time_tz" => plain(Method::TimeTz),
            "timestamp" => plain(Method::Timestamp),
            "timestamp_tz" => plain(Method::TimestampTz),
            "decimal" => None,
            _ => return Err(self.syntax_error()),
        };
        self.advance()?;
        let kind = match method {
            None => self.decimal_arguments()?,
            Some(m) => ItemKind::Method(m, self.method_argument(m)?),
        };
        self.expect(")")?;
        Ok(self.add(kind))
    }

    fn method_argument(&mut self, method: Method) -> PgResult<Option<ItemId>> {
        let arg = match (method, self.token.clone()) {
            (Method::Datetime, Token::String(s)) => ItemKind::String(s),
            (Method::Time | Method::TimeTz | Method::Timestamp | Method::TimestampTz, Token::Int(n)) => {
                ItemKind::Number(numeric::parse(&n, "numeric")?)
            }
            _ => return Ok(None),
        };
        self.advance()?;
        Ok(Some(self.add(arg)))
    }

    fn decimal_arguments(&mut self) -> PgResult<ItemKind> {
        let mut list = Vec::new();
        if !self.symbol(")") {
            loop {
                let minus = self.symbol("-");
                if minus || self.symbol("+") {
                    self.advance()?;
                }
                let Token::Int(n) = self.token.clone() else {
                    return Err(self.syntax_error());
                };
                self.advance()?;
                let n = numeric::parse(&n, "numeric")?;
                list.push(self.add(ItemKind::Number(if minus { neg(&n) } else { n })));
                if !self.accept(",")? {
                    break;
                }
            }
        }
        match list[..] {
            [] => Ok(ItemKind::Decimal(None, None)),
            [p] => Ok(ItemKind::Decimal(Some(p), None)),
            [p, s] => Ok(ItemKind::Decimal(Some(p), Some(s))),
            _ => Err(pg_err!(SYNTAX_ERROR, "invalid input syntax for type jsonpath")
                .detail(".decimal() can only have an optional precision[,scale].")),
        }
    }
}
