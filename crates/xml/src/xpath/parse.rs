//! Tokens to an expression.

use crate::xpath::axes::Axis;
use crate::xpath::functions::Function;
use crate::xpath::lex::Token;
use crate::xpath::{NESTING_MAX, XResult, invalid};

/// An expression. Chains of operators of one rank are lists.
#[derive(Clone, Debug)]
pub(super) enum Expr {
    Or(Vec<Expr>),
    And(Vec<Expr>),
    /// Comparisons and arithmetic, from left to right.
    Chain(Box<Expr>, Vec<(&'static str, Expr)>),
    Negate(Box<Expr>),
    Union(Vec<Expr>),
    Literal(String),
    Number(f64),
    Variable,
    Call(Function, Vec<Expr>),
    /// A function that does not exist; that is found out when it is called.
    Unknown,
    Path(Box<Path>),
}

/// A location path, or a filter expression with steps behind it.
#[derive(Clone, Debug)]
pub(super) struct Path {
    pub start: Start,
    /// Predicates of the filter expression.
    pub predicates: Vec<Expr>,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub(super) enum Start {
    Root,
    Context,
    Filter(Expr),
}

#[derive(Clone, Debug)]
pub(super) struct Step {
    pub axis: Axis,
    pub test: Test,
    pub predicates: Vec<Expr>,
}

#[derive(Clone, Debug)]
pub(super) enum Test {
    /// `*`
    AnyName,
    /// `prefix:*`
    Prefix(Box<str>),
    Name(Option<Box<str>>, Box<str>),
    Node,
    Text,
    Comment,
    Pi(Option<Box<str>>),
}

struct Parser<'t> {
    tokens: &'t [Token],
    at: usize,
    depth: usize,
}

/// Parses a whole path.
pub(super) fn parse(tokens: &[Token]) -> XResult<Expr> {
    let mut p = Parser {
        tokens,
        at: 0,
        depth: 0,
    };
    let expr = p.or()?;
    if p.at < tokens.len() {
        return invalid("Invalid expression");
    }
    Ok(expr)
}

fn one_or(mut list: Vec<Expr>, make: impl FnOnce(Vec<Expr>) -> Expr) -> XResult<Expr> {
    match list.len() {
        1 => list.pop().map_or_else(|| invalid("Invalid expression"), Ok),
        _ => Ok(make(list)),
    }
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn at_op(&self, op: &str) -> bool {
        matches!(self.peek(), Some(Token::Op(o)) if *o == op)
    }

    fn eat(&mut self, op: &str) -> bool {
        let found = self.at_op(op);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, op: &str, message: &'static str) -> XResult<()> {
        if self.eat(op) { Ok(()) } else { invalid(message) }
    }

    fn or(&mut self) -> XResult<Expr> {
        self.depth += 1;
        if self.depth > NESTING_MAX {
            return invalid("Recursion limit exceeded");
        }
        let mut list = vec![self.and()?];
        while self.eat("or") {
            list.push(self.and()?);
        }
        self.depth -= 1;
        one_or(list, Expr::Or)
    }

    fn and(&mut self) -> XResult<Expr> {
        let mut list = vec![self.chain(0)?];
        while self.eat("and") {
            list.push(self.chain(0)?);
        }
        one_or(list, Expr::And)
    }

    /// The ranks between `and` and unary minus.
    fn chain(&mut self, rank: usize) -> XResult<Expr> {
        const RANKS: [&[&str]; 4] = [
            &["=", "!="],
            &["<", "<=", ">", ">="],
            &["+", "-"],
            &["*", "div", "mod"],
        ];
        let Some(ops) = RANKS.get(rank) else {
            return self.unary();
        };
        let first = self.chain(rank + 1)?;
        let mut rest = Vec::new();
        while let Some(&Token::Op(op)) = self.peek() {
            if !ops.contains(&op) {
                break;
            }
            self.at += 1;
            rest.push((op, self.chain(rank + 1)?));
        }
        Ok(if rest.is_empty() {
            first
        } else {
            Expr::Chain(Box::new(first), rest)
        })
    }

    fn unary(&mut self) -> XResult<Expr> {
        let mut count = 0;
        while self.eat("-") {
            count += 1;
        }
        let expr = self.union()?;
        Ok(match count {
            0 => expr,
            n if n % 2 == 1 => Expr::Negate(Box::new(expr)),
            _ => Expr::Negate(Box::new(Expr::Negate(Box::new(expr)))),
        })
    }

    fn union(&mut self) -> XResult<Expr> {
        let mut list = vec![self.path()?];
        while self.eat("|") {
            list.push(self.path()?);
        }
        one_or(list, Expr::Union)
    }

    /// True where a name is a test, not a function.
    fn is_node_test(&self) -> bool {
        match self.peek() {
            Some(Token::Name(None, name)) => {
                let call = matches!(self.tokens.get(self.at + 1), Some(Token::Op("(")));
                !call || matches!(&**name, "node" | "text" | "comment" | "processing-instruction")
            }
            Some(Token::Name(Some(_), _)) => !matches!(self.tokens.get(self.at + 1), Some(Token::Op("("))),
            Some(Token::Star | Token::Axis(_) | Token::Op("@" | "." | "..")) => true,
            _ => false,
        }
    }

    fn path(&mut self) -> XResult<Expr> {
        let mut path = Path {
            start: Start::Context,
            predicates: Vec::new(),
            steps: Vec::new(),
        };
        if self.at_op("/") || self.at_op("//") {
            path.start = Start::Root;
            if self.eat("/") {
                if self.is_node_test() {
                    path.steps.push(self.step()?);
                    self.steps(&mut path.steps)?;
                }
            } else {
                self.steps(&mut path.steps)?;
            }
            return Ok(Expr::Path(Box::new(path)));
        }
        if self.is_node_test() {
            path.steps.push(self.step()?);
            self.steps(&mut path.steps)?;
            return Ok(Expr::Path(Box::new(path)));
        }
        let primary = self.primary()?;
        path.predicates = self.predicates()?;
        self.steps(&mut path.steps)?;
        if path.predicates.is_empty() && path.steps.is_empty() {
            return Ok(primary);
        }
        path.start = Start::Filter(primary);
        Ok(Expr::Path(Box::new(path)))
    }

    /// `/step` and `//step`, as many as follow.
    fn steps(&mut self, steps: &mut Vec<Step>) -> XResult<()> {
        loop {
            if self.eat("//") {
                steps.push(Step {
                    axis: Axis::DescendantOrSelf,
                    test: Test::Node,
                    predicates: Vec::new(),
                });
            } else if !self.eat("/") {
                return Ok(());
            }
            if !self.is_node_test() {
                return invalid("Invalid expression");
            }
            steps.push(self.step()?);
        }
    }

    fn step(&mut self) -> XResult<Step> {
        let short = if self.eat("..") {
            Some(Axis::Parent)
        } else if self.eat(".") {
            Some(Axis::Itself)
        } else {
            None
        };
        if let Some(axis) = short {
            // XPath allows no predicates here; libxml does.
            return Ok(Step {
                axis,
                test: Test::Node,
                predicates: self.predicates()?,
            });
        }
        let axis = match self.peek() {
            Some(Token::Op("@")) => Some(Axis::Attribute),
            Some(Token::Axis(name)) => match Axis::by_name(name) {
                Some(axis) => Some(axis),
                None => return invalid("Invalid expression"),
            },
            _ => None,
        };
        self.at += usize::from(axis.is_some());
        let test = self.test()?;
        Ok(Step {
            axis: axis.unwrap_or(Axis::Child),
            test,
            predicates: self.predicates()?,
        })
    }

    fn test(&mut self) -> XResult<Test> {
        let token = self.peek().cloned();
        self.at += 1;
        let (prefix, local) = match token {
            Some(Token::Star) => return Ok(Test::AnyName),
            Some(Token::Name(prefix, local)) => (prefix, local),
            _ => return invalid("Invalid expression"),
        };
        match prefix {
            Some(prefix) if &*local == "*" => return Ok(Test::Prefix(prefix)),
            Some(prefix) => return Ok(Test::Name(Some(prefix), local)),
            None => {}
        }
        if !self.eat("(") {
            return Ok(Test::Name(None, local));
        }
        let test = match &*local {
            "node" => Test::Node,
            "text" => Test::Text,
            "comment" => Test::Comment,
            "processing-instruction" => match self.peek() {
                Some(Token::Literal(target)) => {
                    let target = target.as_str().into();
                    self.at += 1;
                    Test::Pi(Some(target))
                }
                _ => Test::Pi(None),
            },
            _ => return invalid("Invalid expression"),
        };
        self.expect(")", "Invalid expression")?;
        Ok(test)
    }

    fn predicates(&mut self) -> XResult<Vec<Expr>> {
        let mut out = Vec::new();
        while self.eat("[") {
            out.push(self.or()?);
            self.expect("]", "Invalid predicate")?;
        }
        Ok(out)
    }

    fn primary(&mut self) -> XResult<Expr> {
        let token = self.peek().cloned();
        self.at += 1;
        match token {
            Some(Token::Number(n)) => Ok(Expr::Number(n)),
            Some(Token::Literal(s)) => Ok(Expr::Literal(s)),
            Some(Token::Variable) => Ok(Expr::Variable),
            Some(Token::Op("(")) => {
                let inner = self.or()?;
                self.expect(")", "Invalid expression")?;
                Ok(inner)
            }
            Some(Token::Name(prefix, local)) => {
                self.expect("(", "Invalid expression")?;
                let mut args = Vec::new();
                if !self.eat(")") {
                    args.push(self.or()?);
                    while self.eat(",") {
                        args.push(self.or()?);
                    }
                    self.expect(")", "Invalid expression")?;
                }
                let function = Function::by_name(&local).filter(|_| prefix.is_none());
                Ok(function.map_or(Expr::Unknown, |f| Expr::Call(f, args)))
            }
            _ => invalid("Invalid expression"),
        }
    }
}
