//! SQL/XML expressions: constructors, XMLPARSE, XMLSERIALIZE, IS DOCUMENT, XMLTABLE.
//!
//! Every expression below one of these stands in its `args`; the kind says by position what each is for.

use common::{Oid, Span};
use serde::{Deserialize, Serialize};
use types::settings::TypeRef;
use types::xml::XmlOption;

use crate::expr::Expr;
use crate::serial::no_span;

/// An SQL/XML expression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct XmlExpr {
    pub kind: XmlExprKind,
    pub args: Vec<Expr>,
    pub result: TypeRef,
    pub collation: Oid,
    #[serde(skip, default = "no_span")]
    pub span: Span,
}

/// Which one. Names are XML names: mapped from what the user wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum XmlExprKind {
    /// XMLCONCAT.
    Concat,
    /// XMLELEMENT: first the attributes' values, then the content.
    Element {
        /// The element.
        name: Box<str>,
        /// Its attributes.
        attributes: Vec<Box<str>>,
    },
    /// XMLFOREST: the names of its values.
    Forest(Vec<Box<str>>),
    /// XMLPARSE.
    Parse {
        /// DOCUMENT or CONTENT.
        option: XmlOption,
        /// PRESERVE WHITESPACE.
        preserve: bool,
    },
    /// XMLPI with its target; the content, if there is any.
    Pi(Box<str>),
    /// XMLROOT: the value and the version, NULL for NO VALUE.
    Root(XmlStandalone),
    /// XMLSERIALIZE; the result is text, whatever becomes of it.
    Serialize {
        /// DOCUMENT or CONTENT.
        option: XmlOption,
        /// INDENT.
        indent: bool,
        /// The type that was written.
        target: TypeRef,
    },
    /// IS DOCUMENT.
    IsDocument,
    /// XMLTABLE: the row path, the document, then what namespaces and columns name.
    Table(Box<XmlTable>),
}

/// STANDALONE of XMLROOT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum XmlStandalone {
    Yes,
    No,
    NoValue,
    Omitted,
}

/// XMLTABLE.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct XmlTable {
    /// Names with the positions of their URIs among the arguments; `None` is DEFAULT.
    pub namespaces: Vec<(Option<Box<str>>, usize)>,
    /// The columns.
    pub columns: Vec<XmlTableColumn>,
}

/// A column of XMLTABLE.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct XmlTableColumn {
    /// Its name, which is its path where none is given.
    pub name: Box<str>,
    /// Its type.
    pub type_ref: TypeRef,
    /// FOR ORDINALITY.
    pub ordinality: bool,
    /// Position of its path among the arguments.
    pub path: Option<usize>,
    /// Position of its default.
    pub default: Option<usize>,
    /// NOT NULL.
    pub not_null: bool,
}
