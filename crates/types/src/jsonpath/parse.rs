//! The grammar of path expressions.
//!
//! A recursive descent over what PostgreSQL has as an LALR grammar. An operand is an expression or a predicate; where one kind is
//! wanted and the other stands there, the token after it is the error, as an LALR parser would see it.

use std::sync::Arc;

use common::error::ErrorExt;
use common::{PgError, PgResult, pg_err};

use crate::json_text::too_deep as too_deep_for_stack;
use crate::jsonpath::lex::{Lexer, Token, error_near};
use crate::jsonpath::{BinaryOp, Item, ItemId, ItemKind, LEVEL_LAST, Method, Path, RegexFlags, Subscript};
use crate::numeric::{self, neg};

/// Nesting beyond this is refused.
const DEPTH_MAX: usize = 200;

/// So are more items than this one below or behind another (PostgreSQL: some 10,000, by `max_stack_depth`).
const CHAIN_MAX: usize = 1000;

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
    check_places(&path, path.root, Places::default())?;
    Ok(path)
}

/// Evaluation goes down once per accessor and once per operand: chains that are too long for the stack are refused here.
fn check_depth(path: &Path) -> PgResult<()> {
    let mut open = vec![(path.root, 1)];
    while let Some((id, depth)) = open.pop() {
        if depth > CHAIN_MAX {
            return Err(too_deep_for_stack());
        }
        let Some(item) = path.items.get(id) else { continue };
        let mut below = |id: ItemId| open.push((id, depth + 1));
        item.next.into_iter().for_each(&mut below);
        item.kind.operands(&mut below);
    }
    Ok(())
}

/// Where an item stands, for `@` and `last`.
#[derive(Clone, Copy, Default)]
struct Places {
    in_filter: bool,
    in_subscript: bool,
}

fn check_places(path: &Path, id: ItemId, at: Places) -> PgResult<()> {
    let Some(item) = path.items.get(id) else {
        return Ok(());
    };
    match &item.kind {
        ItemKind::Current if !at.in_filter => {
            return Err(pg_err!(SYNTAX_ERROR, "@ is not allowed in root expressions"));
        }
        ItemKind::Last if !at.in_subscript => {
            return Err(pg_err!(SYNTAX_ERROR, "LAST is allowed only in array subscripts"));
        }
        ItemKind::Filter(p) => check_places(
            path,
            *p,
            Places {
                in_filter: true,
                ..at
            },
        )?,
        ItemKind::Index(subscripts) => {
            let inside = Places {
                in_subscript: true,
                ..at
            };
            for s in subscripts {
                check_places(path, s.from, inside)?;
                if let Some(to) = s.to {
                    check_places(path, to, inside)?;
                }
            }
        }
        ItemKind::Binary(_, a, b) => {
            check_places(path, *a, at)?;
            check_places(path, *b, at)?;
        }
        ItemKind::Not(p)
        | ItemKind::IsUnknown(p)
        | ItemKind::Exists(p)
        | ItemKind::Plus(p)
        | ItemKind::Minus(p)
        | ItemKind::LikeRegex { expr: p, .. } => check_places(path, *p, at)?,
        _ => {}
    }
    item.next.map_or(Ok(()), |next| check_places(path, next, at))
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

    fn or(&mut self) -> PgResult<Operand> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(too_deep('('));
        }
        let mut left = self.and()?;
        while left.kind == Kind::Predicate && self.accept("||")? {
            let right = self.and()?;
            let right = self.want(right, Kind::Predicate)?;
            left = self.made(ItemKind::Binary(BinaryOp::Or, left.id, right.id), Kind::Predicate);
        }
        self.depth -= 1;
        Ok(left)
    }

    fn and(&mut self) -> PgResult<Operand> {
        let mut left = self.comparison()?;
        while left.kind == Kind::Predicate && self.accept("&&")? {
            let right = self.comparison()?;
            let right = self.want(right, Kind::Predicate)?;
            left = self.made(
                ItemKind::Binary(BinaryOp::And, left.id, right.id),
                Kind::Predicate,
            );
        }
        Ok(left)
    }

    fn comparison(&mut self) -> PgResult<Operand> {
        let left = self.sum()?;
        if left.kind == Kind::Predicate {
            return Ok(left);
        }
        let op = match &self.token {
            Token::Symbol("==") => BinaryOp::Eq,
            Token::Symbol("!=") => BinaryOp::Ne,
            Token::Symbol("<") => BinaryOp::Lt,
            Token::Symbol(">") => BinaryOp::Gt,
            Token::Symbol("<=") => BinaryOp::Le,
            Token::Symbol(">=") => BinaryOp::Ge,
            _ if self.word("starts") => return self.starts_with(left),
            _ if self.word("like_regex") => return self.like_regex(left),
            _ => return Ok(left),
        };
        self.advance()?;
        let right = self.sum()?;
        let right = self.want(right, Kind::Expr)?;
        Ok(self.made(ItemKind::Binary(op, left.id, right.id), Kind::Predicate))
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

    fn sum(&mut self) -> PgResult<Operand> {
        let mut left = self.product()?;
        loop {
            let op = match self.token {
                Token::Symbol("+") => BinaryOp::Add,
                Token::Symbol("-") => BinaryOp::Sub,
                _ => return Ok(left),
            };
            left = self.want(left, Kind::Expr)?;
            self.advance()?;
            let right = self.product()?;
            let right = self.want(right, Kind::Expr)?;
            left = self.made(ItemKind::Binary(op, left.id, right.id), Kind::Expr);
        }
    }

    fn product(&mut self) -> PgResult<Operand> {
        let mut left = self.unary()?;
        loop {
            let op = match self.token {
                Token::Symbol("*") => BinaryOp::Mul,
                Token::Symbol("/") => BinaryOp::Div,
                Token::Symbol("%") => BinaryOp::Mod,
                _ => return Ok(left),
            };
            left = self.want(left, Kind::Expr)?;
            self.advance()?;
            let right = self.unary()?;
            let right = self.want(right, Kind::Expr)?;
            left = self.made(ItemKind::Binary(op, left.id, right.id), Kind::Expr);
        }
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
        let arg = self.or()?;
        let arg = self.want(arg, Kind::Expr)?;
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
            let from = self.or()?;
            let from = self.want(from, Kind::Expr)?.id;
            let mut to = None;
            if self.word("to") {
                self.advance()?;
                let end = self.or()?;
                to = Some(self.want(end, Kind::Expr)?.id);
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

fn regex_flags(text: &str) -> PgResult<RegexFlags> {
    let mut flags = RegexFlags::default();
    for c in text.chars() {
        match c {
            'i' => flags.ignore_case = true,
            's' => flags.dot_all = true,
            'm' => flags.multi_line = true,
            'x' => flags.expanded = true,
            'q' => flags.quote = true,
            _ => {
                return Err(
                    pg_err!(SYNTAX_ERROR, "invalid input syntax for type jsonpath").detail(format!(
                        "Unrecognized flag character \"{c}\" in LIKE_REGEX predicate."
                    )),
                );
            }
        }
    }
    Ok(flags)
}

/// What can be said of a pattern without compiling it.
fn check_regex(pattern: &str, flags: RegexFlags) -> PgResult<()> {
    if flags.quote {
        return Ok(());
    }
    if flags.expanded {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "XQuery \"x\" flag (expanded regular expressions) is not implemented"
        ));
    }
    let (mut open, mut in_set) = (0_i64, false);
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                chars.next();
            }
            '[' => in_set = true,
            ']' => in_set = false,
            '(' if !in_set => open += 1,
            ')' if !in_set => open -= 1,
            _ => {}
        }
        if open < 0 {
            break;
        }
    }
    if open != 0 {
        return Err(pg_err!(
            INVALID_REGULAR_EXPRESSION,
            "invalid regular expression: parentheses () not balanced"
        ));
    }
    Ok(())
}
