//! Evaluation.

use std::cell::Cell;

use crate::tree::{DOCUMENT, Document};
use crate::xpath::axes::Axis;
use crate::xpath::parse::{Expr, Path, Start, Step};
use crate::xpath::value::compare;
use crate::xpath::{Value, XNode, XPath, XPathError, XResult, invalid};

/// Nodes between two questions whether to go on.
const NODES_PER_CHECK: u32 = 4_096;

/// A document with what paths over it may use.
pub struct Evaluation<'e> {
    /// The document.
    pub document: &'e Document,
    /// Prefixes that paths may use, and their namespaces.
    pub namespaces: &'e [(String, String)],
    interrupted: &'e dyn Fn() -> bool,
    visited: Cell<u32>,
}

/// The node an expression is evaluated for, and its place among its like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context {
    pub node: XNode,
    pub position: usize,
    pub size: usize,
}

impl<'e> Evaluation<'e> {
    /// `interrupted` says whether to give up.
    pub fn new(
        document: &'e Document,
        namespaces: &'e [(String, String)],
        interrupted: &'e dyn Fn() -> bool,
    ) -> Evaluation<'e> {
        Evaluation {
            document,
            namespaces,
            interrupted,
            visited: Cell::new(0),
        }
    }

    /// The value of a path at the document.
    pub fn at_document(&self, path: &XPath) -> XResult<Value> {
        self.at(path, XNode::own(DOCUMENT))
    }

    /// The value of a path at a node.
    pub fn at(&self, path: &XPath, node: XNode) -> XResult<Value> {
        self.eval(
            &path.root,
            Context {
                node,
                position: 1,
                size: 1,
            },
        )
    }

    fn visit(&self) -> XResult<()> {
        let visited = self.visited.get() + 1;
        if visited < NODES_PER_CHECK {
            self.visited.set(visited);
            return Ok(());
        }
        self.visited.set(0);
        if (self.interrupted)() {
            return Err(XPathError::Interrupted);
        }
        Ok(())
    }

    pub(super) fn eval(&self, e: &Expr, ctx: Context) -> XResult<Value> {
        Ok(match e {
            Expr::Or(list) => Value::Bool(self.any(list, ctx, true)?),
            Expr::And(list) => Value::Bool(!self.any(list, ctx, false)?),
            Expr::Chain(first, rest) => {
                let mut value = self.eval(first, ctx)?;
                for (op, right) in rest {
                    let right = self.eval(right, ctx)?;
                    value = self.operate(op, &value, &right);
                }
                value
            }
            Expr::Negate(inner) => Value::Number(-self.eval(inner, ctx)?.to_number(self.document)),
            Expr::Union(list) => {
                let mut all = Vec::new();
                for e in list {
                    match self.eval(e, ctx)? {
                        Value::Nodes(nodes) => all.extend(nodes),
                        _ => return invalid("Invalid type"),
                    }
                }
                all.sort_unstable();
                all.dedup();
                Value::Nodes(all)
            }
            Expr::Literal(s) => Value::Text(s.clone()),
            Expr::Number(n) => Value::Number(*n),
            Expr::Variable => return invalid("Undefined variable"),
            Expr::Unknown => return invalid("Unregistered function"),
            Expr::Call(function, args) => {
                let args = args
                    .iter()
                    .map(|a| self.eval(a, ctx))
                    .collect::<XResult<Vec<_>>>()?;
                self.visit()?;
                function.call(self, ctx, &args)?
            }
            Expr::Path(path) => Value::Nodes(self.path(path, ctx)?),
        })
    }

    /// Is any of the expressions `wanted`?
    fn any(&self, list: &[Expr], ctx: Context, wanted: bool) -> XResult<bool> {
        for e in list {
            if self.eval(e, ctx)?.to_bool() == wanted {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn operate(&self, op: &str, a: &Value, b: &Value) -> Value {
        let d = self.document;
        let numbers = || (a.to_number(d), b.to_number(d));
        let number = match op {
            "+" => {
                let (a, b) = numbers();
                a + b
            }
            "-" => {
                let (a, b) = numbers();
                a - b
            }
            "*" => {
                let (a, b) = numbers();
                a * b
            }
            "div" => {
                let (a, b) = numbers();
                a / b
            }
            "mod" => {
                let (a, b) = numbers();
                a % b
            }
            _ => return Value::Bool(compare(d, op, a, b)),
        };
        Value::Number(number)
    }

    fn path(&self, path: &Path, ctx: Context) -> XResult<Vec<XNode>> {
        let mut nodes = match &path.start {
            Start::Root => vec![XNode::own(DOCUMENT)],
            Start::Context => vec![ctx.node],
            Start::Filter(e) => match self.eval(e, ctx)? {
                Value::Nodes(nodes) => nodes,
                _ => return invalid("Invalid type"),
            },
        };
        for p in &path.predicates {
            nodes = self.filter(nodes, p)?;
        }
        for step in &path.steps {
            nodes = self.step(step, &nodes)?;
        }
        Ok(nodes)
    }

    fn step(&self, step: &Step, from: &[XNode]) -> XResult<Vec<XNode>> {
        let mut out: Vec<XNode> = Vec::new();
        for &node in from {
            let mut found = Vec::new();
            step.axis.walk(self.document, node, &mut |n| {
                self.visit()?;
                if step.test.passes(self.document, step.axis, n, self.namespaces)? {
                    found.push(n);
                }
                Ok(())
            })?;
            for p in &step.predicates {
                found = self.filter(found, p)?;
            }
            if out.is_empty() {
                out = found;
            } else {
                out.extend(found);
            }
        }
        let single_forward = from.len() < 2
            && !matches!(
                step.axis,
                Axis::Ancestor | Axis::AncestorOrSelf | Axis::Preceding | Axis::PrecedingSibling
            );
        if !single_forward {
            out.sort_unstable();
            out.dedup();
        }
        Ok(out)
    }

    fn filter(&self, nodes: Vec<XNode>, predicate: &Expr) -> XResult<Vec<XNode>> {
        let size = nodes.len();
        if let Expr::Number(n) = predicate {
            let at = (*n >= 1.0 && n.fract() == 0.0).then_some(*n as usize);
            return Ok(at.and_then(|at| nodes.get(at - 1).copied()).into_iter().collect());
        }
        let mut out = Vec::new();
        for (k, node) in nodes.into_iter().enumerate() {
            self.visit()?;
            let position = k + 1;
            let ctx = Context { node, position, size };
            let keep = match self.eval(predicate, ctx)? {
                Value::Number(n) => n == position as f64,
                other => other.to_bool(),
            };
            if keep {
                out.push(node);
            }
        }
        Ok(out)
    }
}
