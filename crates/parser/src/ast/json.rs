//! SQL/JSON constructors, queries and JSON_TABLE.
#![allow(missing_docs, reason = "variants and fields carry PostgreSQL's names")]

use common::Span;

use crate::ast::{Alias, Expr, Ident, Name, SelectStmt, SortBy, TypeName, WindowDef};

/// FORMAT JSON [ENCODING ...].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum JsonEncoding {
    #[default]
    Default,
    Utf8,
    Utf16,
    Utf32,
}

/// The FORMAT clause; `explicit` is false when none was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonFormat {
    pub explicit: bool,
    pub encoding: JsonEncoding,
    pub span: Span,
}

/// `expr [FORMAT JSON]`.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonValueExpr {
    pub raw_expr: Expr,
    pub format: JsonFormat,
}

/// `RETURNING type [FORMAT JSON]`.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonOutput {
    pub type_name: TypeName,
    pub format: JsonFormat,
}

/// `key: value`.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonKeyValue {
    pub key: Expr,
    pub value: JsonValueExpr,
}

/// JSON_OBJECT(...) with the standard's syntax.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonObjectConstructor {
    pub exprs: Vec<JsonKeyValue>,
    pub output: Option<Box<JsonOutput>>,
    pub absent_on_null: bool,
    pub unique: bool,
    pub span: Span,
}

/// JSON_ARRAY(values).
#[derive(Clone, Debug, PartialEq)]
pub struct JsonArrayConstructor {
    pub exprs: Vec<JsonValueExpr>,
    pub output: Option<Box<JsonOutput>>,
    pub absent_on_null: bool,
    pub span: Span,
}

/// JSON_ARRAY(query).
#[derive(Clone, Debug, PartialEq)]
pub struct JsonArrayQueryConstructor {
    pub query: Box<SelectStmt>,
    pub output: Option<Box<JsonOutput>>,
    pub format: JsonFormat,
    pub absent_on_null: bool,
    pub span: Span,
}

/// What the JSON aggregates share.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonAggConstructor {
    pub output: Option<Box<JsonOutput>>,
    pub agg_filter: Option<Expr>,
    pub agg_order: Vec<SortBy>,
    pub over: Option<Box<WindowDef>>,
    pub span: Span,
}

/// JSON_OBJECTAGG.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonObjectAgg {
    pub constructor: JsonAggConstructor,
    pub arg: JsonKeyValue,
    pub absent_on_null: bool,
    pub unique: bool,
}

/// JSON_ARRAYAGG.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonArrayAgg {
    pub constructor: JsonAggConstructor,
    pub arg: JsonValueExpr,
    pub absent_on_null: bool,
}

/// JSON(expr).
#[derive(Clone, Debug, PartialEq)]
pub struct JsonParseExpr {
    pub expr: JsonValueExpr,
    pub unique_keys: bool,
    pub span: Span,
}

/// JSON_SCALAR(expr).
#[derive(Clone, Debug, PartialEq)]
pub struct JsonScalarExpr {
    pub expr: Expr,
    pub span: Span,
}

/// JSON_SERIALIZE(expr RETURNING type).
#[derive(Clone, Debug, PartialEq)]
pub struct JsonSerializeExpr {
    pub expr: JsonValueExpr,
    pub output: Option<Box<JsonOutput>>,
    pub span: Span,
}

/// Which query function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonExprOp {
    Exists,
    Query,
    Value,
    /// The context item of JSON_TABLE.
    Table,
}

/// WITH [CONDITIONAL | UNCONDITIONAL] WRAPPER.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum JsonWrapper {
    #[default]
    Unspec,
    None,
    Conditional,
    Unconditional,
}

/// KEEP QUOTES, OMIT QUOTES.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum JsonQuotes {
    #[default]
    Unspec,
    Keep,
    Omit,
}

/// What to do ON EMPTY or ON ERROR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonBehaviorType {
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

/// One ON EMPTY / ON ERROR behaviour.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonBehavior {
    pub btype: JsonBehaviorType,
    /// The expression of DEFAULT.
    pub expr: Option<Expr>,
    pub span: Span,
}

/// PASSING value AS name.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonArgument {
    pub val: JsonValueExpr,
    pub name: Ident,
}

/// JSON_EXISTS, JSON_QUERY, JSON_VALUE.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonFuncExpr {
    pub op: JsonExprOp,
    /// The JSON_TABLE column this stands for.
    pub column_name: Option<Name>,
    pub context_item: JsonValueExpr,
    pub pathspec: Expr,
    pub passing: Vec<JsonArgument>,
    pub output: Option<Box<JsonOutput>>,
    pub on_empty: Option<JsonBehavior>,
    pub on_error: Option<JsonBehavior>,
    pub wrapper: JsonWrapper,
    pub quotes: JsonQuotes,
    pub span: Span,
}

/// The item type of IS JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonValueType {
    Any,
    Object,
    Array,
    Scalar,
}

/// `expr IS JSON ...` (IS NOT JSON is a NOT around it).
#[derive(Clone, Debug, PartialEq)]
pub struct JsonIsPredicate {
    pub expr: Expr,
    pub format: JsonFormat,
    pub item_type: JsonValueType,
    pub unique_keys: bool,
    pub span: Span,
}

/// A path with an optional name, in JSON_TABLE.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonTablePathSpec {
    /// A string constant.
    pub string: Expr,
    pub name: Option<Ident>,
    pub span: Span,
}

/// JSON_TABLE(...) in FROM.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonTable {
    pub context_item: JsonValueExpr,
    pub pathspec: JsonTablePathSpec,
    pub passing: Vec<JsonArgument>,
    pub columns: Vec<JsonTableColumn>,
    pub on_error: Option<JsonBehavior>,
    pub alias: Option<Box<Alias>>,
    pub lateral: bool,
    pub span: Span,
}

/// The kinds of JSON_TABLE column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonTableColumnType {
    ForOrdinality,
    Regular,
    Exists,
    Formatted,
    Nested,
}

/// A column (or nested columns) of JSON_TABLE.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonTableColumn {
    pub coltype: JsonTableColumnType,
    pub name: Option<Ident>,
    pub type_name: Option<TypeName>,
    pub pathspec: Option<JsonTablePathSpec>,
    pub format: JsonFormat,
    pub wrapper: JsonWrapper,
    pub quotes: JsonQuotes,
    pub columns: Vec<JsonTableColumn>,
    pub on_empty: Option<JsonBehavior>,
    pub on_error: Option<JsonBehavior>,
    pub span: Span,
}
