//! SQL/JSON expressions: constructors, IS JSON, query functions, JSON_TABLE.
//!
//! Every expression below one of these stands in its `args`; the kind says by position what each is for, so that passes over
//! trees need no knowledge of them.

use common::{Oid, Span};
use serde::{Deserialize, Serialize};
use types::Datum;
use types::settings::TypeRef;

use crate::expr::Expr;
use crate::serial::no_span;

/// An SQL/JSON expression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct JsonExpr {
    pub kind: JsonExprKind,
    pub args: Vec<Expr>,
    pub result: TypeRef,
    pub collation: Oid,
    #[serde(skip, default = "no_span")]
    pub span: Span,
}

impl JsonExpr {
    /// True for a query whose result may depend on the session's time zone, or whose path is not known.
    pub fn is_mutable(&self) -> bool {
        let JsonExprKind::Query(q) = &self.kind else {
            return false;
        };
        let Some(Expr::Const(path)) = self.args.get(1) else {
            return true;
        };
        let Datum::Text(text) = &path.value else {
            return false;
        };
        let passing = q.passing.iter().zip(self.args.iter().skip(2));
        let types: Vec<(&str, Oid)> = passing.map(|(name, e)| (&**name, e.type_oid())).collect();
        types::jsonpath::parse(text).is_ok_and(|p| p.is_mutable(&types))
    }
}

/// Which one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum JsonExprKind {
    /// JSON_OBJECT: alternating keys and values.
    Object(JsonBuild),
    /// JSON_ARRAY: the elements.
    Array(JsonBuild),
    /// JSON(text WITH UNIQUE KEYS).
    ParseUnique,
    /// IS JSON.
    Is {
        /// What it must be.
        item: JsonItemType,
        /// WITH UNIQUE KEYS.
        unique_keys: bool,
    },
    /// JSON_EXISTS, JSON_QUERY, JSON_VALUE: the context item, the path, the PASSING values, then what behaviours name.
    Query(Box<JsonQuery>),
    /// JSON_TABLE: the context item, the path, the PASSING values, then what columns name.
    Table(Box<JsonTable>),
}

/// How a constructor builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct JsonBuild {
    /// `jsonb`, else `json`.
    pub jsonb: bool,
    pub absent_on_null: bool,
    pub unique_keys: bool,
}

/// The item types of IS JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum JsonItemType {
    Any,
    Object,
    Array,
    Scalar,
}

/// Which query function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum JsonQueryOp {
    Exists,
    Query,
    Value,
}

impl JsonQueryOp {
    /// As messages name it.
    pub fn name(self) -> &'static str {
        match self {
            JsonQueryOp::Exists => "JSON_EXISTS",
            JsonQueryOp::Query => "JSON_QUERY",
            JsonQueryOp::Value => "JSON_VALUE",
        }
    }
}

/// WITH WRAPPER.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum JsonWrapper {
    None,
    Conditional,
    Unconditional,
}

/// The kinds of ON EMPTY and ON ERROR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum JsonBehaviorKind {
    Null,
    Error,
    Empty,
    True,
    False,
    Unknown,
    EmptyArray,
    EmptyObject,
    Default,
}

impl JsonBehaviorKind {
    /// As it is written.
    pub fn words(self) -> &'static str {
        match self {
            JsonBehaviorKind::Null => "NULL",
            JsonBehaviorKind::Error => "ERROR",
            JsonBehaviorKind::Empty => "EMPTY",
            JsonBehaviorKind::True => "TRUE",
            JsonBehaviorKind::False => "FALSE",
            JsonBehaviorKind::Unknown => "UNKNOWN",
            JsonBehaviorKind::EmptyArray => "EMPTY ARRAY",
            JsonBehaviorKind::EmptyObject => "EMPTY OBJECT",
            JsonBehaviorKind::Default => "DEFAULT",
        }
    }
}

/// ON EMPTY or ON ERROR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct JsonBehavior {
    pub kind: JsonBehaviorKind,
    /// Position of its value among the arguments.
    pub arg: Option<usize>,
    /// The value is `jsonb` and becomes the result type at run time.
    pub coerce: bool,
}

/// A query function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct JsonQuery {
    pub op: JsonQueryOp,
    /// Names of the PASSING values.
    pub passing: Vec<Box<str>>,
    pub wrapper: JsonWrapper,
    pub omit_quotes: bool,
    /// `None` for JSON_EXISTS, which cannot be empty.
    pub on_empty: Option<JsonBehavior>,
    pub on_error: JsonBehavior,
    /// The column of JSON_TABLE that it computes.
    pub column: Option<Box<str>>,
}

/// JSON_TABLE.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct JsonTable {
    pub passing: Vec<Box<str>>,
    pub root: JsonTablePath,
    /// In the order of the result.
    pub columns: Vec<JsonTableColumn>,
    /// ERROR ON ERROR.
    pub error_on_error: bool,
}

/// A row pattern and what is nested in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct JsonTablePath {
    /// Canonical text of the path.
    pub path: Box<str>,
    pub name: Box<str>,
    /// Positions of its own columns in the result.
    pub columns: Vec<usize>,
    /// Rows of children follow each other.
    pub nested: Vec<JsonTablePath>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct JsonTableColumn {
    pub name: Box<str>,
    pub type_ref: TypeRef,
    /// Position of its [`JsonExprKind::Query`] among the arguments, whose context item is an `Expr::CaseTest`; `None` is
    /// FOR ORDINALITY.
    pub arg: Option<usize>,
}
