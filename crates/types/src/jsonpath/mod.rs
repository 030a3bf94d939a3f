//! `jsonpath`: the path language as a tree, its parser and its canonical spelling.
//!
//! PG: src/backend/utils/adt/jsonpath_gram.y, jsonpath_scan.l, jsonpath.c.
//!
//! # How it works
//! A datum of type `jsonpath` is the canonical text; whoever evaluates it parses it once per call site. A [`Path`] is an arena of
//! [`Item`]s; an item points at its operands and at the accessor applied to its result (`next`), so `$.a[0]` is a chain of three.
//!
//! # Not here
//! Evaluation (`functions::families::jsonpath`).

mod check;
mod lex;
mod mutable;
mod parse;
mod print;

use std::sync::Arc;

use crate::Numeric;

pub use parse::parse;

/// An item by its place in [`Path::items`].
pub type ItemId = usize;

/// A whole path expression.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Path {
    pub lax: bool,
    pub items: Vec<Item>,
    pub root: ItemId,
}

impl Path {
    /// An item.
    pub fn item(&self, id: ItemId) -> Option<&Item> {
        self.items.get(id)
    }

    /// The left operand of an operator in a row of its kind, `a + b + c`: such rows may be long, so who walks a path goes along
    /// them in a loop.
    pub fn left_chain(&self, kind: &ItemKind) -> Option<ItemId> {
        let ItemKind::Binary(op, left, _) = kind else {
            return None;
        };
        let item = self.items.get(*left).filter(|item| item.next.is_none())?;
        match &item.kind {
            ItemKind::Binary(inner, ..) => {
                let logic = op.is_logic() && inner.is_logic();
                let arithmetic = op.is_arithmetic() && inner.is_arithmetic();
                (logic || arithmetic).then_some(*left)
            }
            _ => None,
        }
    }
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Item {
    pub kind: ItemKind,
    pub next: Option<ItemId>,
}

/// Two-operand predicates and arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum BinaryOp {
    Or,
    And,
    Eq,
    Ne,
    Lt,
    Gt,
    Le,
    Ge,
    StartsWith,
    Add,
    Sub,
    Mul,
    Div,
    Mod,
}

impl BinaryOp {
    /// Of two predicates.
    pub fn is_logic(self) -> bool {
        matches!(self, BinaryOp::Or | BinaryOp::And)
    }

    /// Of two numbers.
    pub fn is_arithmetic(self) -> bool {
        matches!(
            self,
            BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod
        )
    }

    /// How it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            BinaryOp::Or => "||",
            BinaryOp::And => "&&",
            BinaryOp::Eq => "==",
            BinaryOp::Ne => "!=",
            BinaryOp::Lt => "<",
            BinaryOp::Gt => ">",
            BinaryOp::Le => "<=",
            BinaryOp::Ge => ">=",
            BinaryOp::StartsWith => "starts with",
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Mod => "%",
        }
    }
}

/// Methods with at most one template or precision argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Method {
    Abs,
    Size,
    Type,
    Floor,
    Ceiling,
    Double,
    KeyValue,
    Bigint,
    Boolean,
    Date,
    Integer,
    Number,
    String,
    Datetime,
    Time,
    TimeTz,
    Timestamp,
    TimestampTz,
}

impl Method {
    /// Its name in paths and messages.
    pub fn name(self) -> &'static str {
        match self {
            Method::Abs => "abs",
            Method::Size => "size",
            Method::Type => "type",
            Method::Floor => "floor",
            Method::Ceiling => "ceiling",
            Method::Double => "double",
            Method::KeyValue => "keyvalue",
            Method::Bigint => "bigint",
            Method::Boolean => "boolean",
            Method::Date => "date",
            Method::Integer => "integer",
            Method::Number => "number",
            Method::String => "string",
            Method::Datetime => "datetime",
            Method::Time => "time",
            Method::TimeTz => "time_tz",
            Method::Timestamp => "timestamp",
            Method::TimestampTz => "timestamp_tz",
        }
    }
}

/// A subscript: an index or a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Subscript {
    pub from: ItemId,
    pub to: Option<ItemId>,
}

/// Levels in `**{a to b}`; `u32::MAX` is `last`.
pub const LEVEL_LAST: u32 = u32::MAX;

/// What an item is.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum ItemKind {
    Null,
    Bool(bool),
    Number(Numeric),
    String(Arc<str>),
    Root,
    Current,
    Last,
    Variable(Arc<str>),
    Key(Arc<str>),
    AnyKey,
    AnyArray,
    /// `**`, with its levels.
    Any {
        first: u32,
        last: u32,
    },
    Index(Vec<Subscript>),
    Filter(ItemId),
    Binary(BinaryOp, ItemId, ItemId),
    Not(ItemId),
    IsUnknown(ItemId),
    Exists(ItemId),
    Plus(ItemId),
    Minus(ItemId),
    LikeRegex {
        expr: ItemId,
        pattern: Arc<str>,
        flags: RegexFlags,
    },
    Method(Method, Option<ItemId>),
    /// `.decimal(precision, scale)`.
    Decimal(Option<ItemId>, Option<ItemId>),
}

impl ItemKind {
    /// Hands out the items that this one is made of (not the one behind it).
    pub fn operands(&self, each: &mut dyn FnMut(ItemId)) {
        match self {
            ItemKind::Index(subscripts) => subscripts.iter().for_each(|s| {
                each(s.from);
                s.to.into_iter().for_each(&mut *each);
            }),
            ItemKind::Binary(_, left, right) => {
                each(*left);
                each(*right);
            }
            ItemKind::Filter(p)
            | ItemKind::Not(p)
            | ItemKind::IsUnknown(p)
            | ItemKind::Exists(p)
            | ItemKind::Plus(p)
            | ItemKind::Minus(p)
            | ItemKind::LikeRegex { expr: p, .. } => each(*p),
            ItemKind::Method(_, argument) => argument.iter().for_each(|a| each(*a)),
            ItemKind::Decimal(precision, scale) => {
                [precision, scale].into_iter().flatten().for_each(|a| each(*a))
            }
            ItemKind::Null
            | ItemKind::Bool(_)
            | ItemKind::Number(_)
            | ItemKind::String(_)
            | ItemKind::Root
            | ItemKind::Current
            | ItemKind::Last
            | ItemKind::Variable(_)
            | ItemKind::Key(_)
            | ItemKind::AnyKey
            | ItemKind::AnyArray
            | ItemKind::Any { .. } => {}
        }
    }
}

/// The flags of `like_regex`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct RegexFlags {
    pub ignore_case: bool,
    pub dot_all: bool,
    pub multi_line: bool,
    pub expanded: bool,
    pub quote: bool,
}

#[cfg(test)]
mod tests;
