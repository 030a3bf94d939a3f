//! XPath 1.0.
//!
//! # How it works
//! [`compile`] makes an [`XPath`] of a text; [`Evaluation`] runs it on a [`Document`]. Node sets are kept in document order
//! without duplicates; inside a step nodes come in the order of its axis, because predicates count along it.
//!
//! # Invariants
//! - Chains of operators are lists, so that neither parsing nor evaluation recurses along them; what does nest is limited
//!   by [`NESTING_MAX`].
//! - Evaluation asks its caller now and then whether it should go on.

mod axes;
mod eval;
mod functions;
mod lex;
mod number;
mod parse;
mod value;

use crate::tree::{Document, NodeId};

pub use self::eval::Evaluation;
pub use self::number::number_to_string;
pub use self::value::Value;

/// Brackets and calls inside each other.
const NESTING_MAX: usize = 100;

/// Why a path cannot be compiled or evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum XPathError {
    /// In libxml's words.
    Invalid(&'static str),
    /// The caller asked to stop.
    Interrupted,
}

type XResult<T> = Result<T, XPathError>;

fn invalid<T>(message: &'static str) -> XResult<T> {
    Err(XPathError::Invalid(message))
}

/// A node of XPath's data model. Greater means later in the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct XNode {
    /// The node, or the element that it belongs to.
    pub owner: NodeId,
    /// Which part of it.
    pub part: Part,
}

/// What of a node is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The node itself.
    Own,
    /// A namespace in scope, by its place in [`Document::in_scope`].
    Namespace(u32),
    /// An attribute by its place.
    Attribute(u32),
}

impl XNode {
    /// The node itself.
    pub fn own(owner: NodeId) -> XNode {
        XNode {
            owner,
            part: Part::Own,
        }
    }

    /// Its text, as XPath defines it.
    pub fn string_value(self, document: &Document) -> String {
        match self.part {
            Part::Own => document.string_value(self.owner),
            Part::Namespace(k) => {
                let scope = document.in_scope(self.owner);
                scope.get(k as usize).map_or(String::new(), |n| n.uri.to_string())
            }
            Part::Attribute(k) => {
                let attribute = document
                    .element(self.owner)
                    .and_then(|e| e.attributes.get(k as usize));
                attribute.map_or(String::new(), |a| a.value.to_string())
            }
        }
    }
}

/// A compiled path.
#[derive(Clone, Debug)]
pub struct XPath {
    root: parse::Expr,
}

/// Compiles `text`.
pub fn compile(text: &str) -> XResult<XPath> {
    let tokens = lex::tokens(text)?;
    Ok(XPath {
        root: parse::parse(&tokens)?,
    })
}
