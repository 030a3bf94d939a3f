//! Scalar expressions.
#![allow(missing_docs, reason = "variants and fields carry PostgreSQL's names")]

use common::Span;

use crate::ast::{
    GroupingSet, Ident, JsonArrayAgg, JsonArrayConstructor, JsonArrayQueryConstructor, JsonFuncExpr,
    JsonIsPredicate, JsonObjectAgg, JsonObjectConstructor, JsonParseExpr, JsonScalarExpr, JsonSerializeExpr,
    Name, NameList, ResTarget, SelectStmt, SortBy, TypeName, WindowDef,
};

/// Any scalar expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    ColumnRef(ColumnRef),
    /// `$n`.
    ParamRef(ParamRef),
    AConst(AConst),
    TypeCast(Box<TypeCast>),
    CollateClause(Box<CollateClause>),
    AExpr(Box<AExpr>),
    /// AND, OR (flattened to two or more arguments) and NOT.
    BoolExpr(Box<BoolExpr>),
    NullTest(Box<NullTest>),
    BooleanTest(Box<BooleanTest>),
    FuncCall(Box<FuncCall>),
    /// `name => value` in an argument list.
    NamedArg(Box<NamedArgExpr>),
    SubLink(Box<SubLink>),
    CaseExpr(Box<CaseExpr>),
    ArrayExpr(Box<AArrayExpr>),
    RowExpr(Box<RowExpr>),
    CoalesceExpr(Box<CoalesceExpr>),
    MinMaxExpr(Box<MinMaxExpr>),
    /// Subscripts and field selection on something other than a plain column.
    AIndirection(Box<AIndirection>),
    SqlValueFunction(Box<SqlValueFunction>),
    GroupingFunc(Box<GroupingFunc>),
    /// GROUPING SETS, ROLLUP, CUBE and `()`; only in GROUP BY.
    GroupingSet(Box<GroupingSet>),
    /// MERGE_ACTION().
    MergeSupportFunc(Span),
    XmlExpr(Box<XmlExpr>),
    XmlSerialize(Box<XmlSerialize>),
    /// DEFAULT in an INSERT, UPDATE or MERGE.
    SetToDefault(Span),
    /// WHERE CURRENT OF.
    CurrentOf(Box<CurrentOfExpr>),
    /// One column of `SET (a, b) = source`; the source is shared by all of them.
    MultiAssignRef(Box<MultiAssignRef>),
    JsonObjectConstructor(Box<JsonObjectConstructor>),
    JsonArrayConstructor(Box<JsonArrayConstructor>),
    JsonArrayQueryConstructor(Box<JsonArrayQueryConstructor>),
    JsonObjectAgg(Box<JsonObjectAgg>),
    JsonArrayAgg(Box<JsonArrayAgg>),
    JsonParseExpr(Box<JsonParseExpr>),
    JsonScalarExpr(Box<JsonScalarExpr>),
    JsonSerializeExpr(Box<JsonSerializeExpr>),
    JsonFuncExpr(Box<JsonFuncExpr>),
    JsonIsPredicate(Box<JsonIsPredicate>),
}

/// `a.b.c`, `a.*`, `*`.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnRef {
    pub fields: NameList,
    /// Ends in `*` (PostgreSQL's A_Star).
    pub star: bool,
    pub span: Span,
}

/// A parameter symbol.
#[derive(Clone, Debug, PartialEq)]
pub struct ParamRef {
    pub number: i32,
    pub span: Span,
}

/// A literal constant.
#[derive(Clone, Debug, PartialEq)]
pub struct AConst {
    pub value: ConstValue,
    pub span: Span,
}

/// The value of a literal.
#[derive(Clone, Debug, PartialEq)]
pub enum ConstValue {
    Integer(i32),
    /// Any other number, as written (may have an exponent, a 0x/0o/0b prefix, underscores, a leading minus).
    Float(Name),
    Boolean(bool),
    String(Name),
    /// `b` or `x` followed by the digits.
    BitString(Name),
    Null,
}

/// `CAST(arg AS type)`, `arg::type`, `type 'literal'`.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeCast {
    pub arg: Expr,
    pub type_name: TypeName,
    pub span: Span,
}

/// `arg COLLATE name`; in column definitions the argument is missing.
#[derive(Clone, Debug, PartialEq)]
pub struct CollateClause {
    pub arg: Option<Expr>,
    pub collname: NameList,
    pub span: Span,
}

/// What an [`AExpr`] means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AExprKind {
    /// Ordinary operator.
    Op,
    /// `left op ANY (array)`.
    OpAny,
    /// `left op ALL (array)`.
    OpAll,
    Distinct,
    NotDistinct,
    /// NULLIF(left, right); name is `=`.
    NullIf,
    /// IN list; name is `=` or `<>`; the right side is `AExpr::list`.
    In,
    /// LIKE; name is `~~` or `!~~`.
    Like,
    /// ILIKE; name is `~~*` or `!~~*`.
    ILike,
    /// SIMILAR TO; name is `~` or `!~`.
    Similar,
    /// Name is `BETWEEN` and so on; the right side is `AExpr::list` of two.
    Between,
    NotBetween,
    BetweenSym,
    NotBetweenSym,
}

/// An operator applied to one or two operands, or one of the operator-like constructs.
#[derive(Clone, Debug, PartialEq)]
pub struct AExpr {
    pub kind: AExprKind,
    /// Possibly qualified operator name.
    pub name: NameList,
    pub lexpr: Option<Expr>,
    pub rexpr: Option<Expr>,
    /// Right side of IN and BETWEEN, instead of `rexpr`.
    pub list: Vec<Expr>,
    /// Where the operator stands.
    pub span: Span,
}

/// AND, OR, NOT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoolExprType {
    And,
    Or,
    Not,
}

/// A logical connective with all of its arguments.
#[derive(Clone, Debug, PartialEq)]
pub struct BoolExpr {
    pub op: BoolExprType,
    pub args: Vec<Expr>,
    pub span: Span,
}

/// `arg IS [NOT] NULL`.
#[derive(Clone, Debug, PartialEq)]
pub struct NullTest {
    pub arg: Expr,
    pub is_not: bool,
    pub span: Span,
}

/// The tests of a truth value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoolTestType {
    IsTrue,
    IsNotTrue,
    IsFalse,
    IsNotFalse,
    IsUnknown,
    IsNotUnknown,
}

/// `arg IS [NOT] TRUE` and so on.
#[derive(Clone, Debug, PartialEq)]
pub struct BooleanTest {
    pub arg: Expr,
    pub test: BoolTestType,
    pub span: Span,
}

/// How a call was written, for printing it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoercionForm {
    ExplicitCall,
    /// EXTRACT(x FROM y), AT TIME ZONE, OVERLAPS ...
    SqlSyntax,
}

/// A function, aggregate or window function call.
#[derive(Clone, Debug, PartialEq)]
pub struct FuncCall {
    pub func_name: NameList,
    pub args: Vec<Expr>,
    pub agg_order: Vec<SortBy>,
    pub agg_filter: Option<Expr>,
    pub over: Option<Box<WindowDef>>,
    pub agg_within_group: bool,
    /// `count(*)`.
    pub agg_star: bool,
    pub agg_distinct: bool,
    /// The last argument was marked VARIADIC.
    pub func_variadic: bool,
    pub func_format: CoercionForm,
    pub span: Span,
}

/// `name => arg`.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedArgExpr {
    pub name: Ident,
    pub arg: Expr,
    pub span: Span,
}

/// What a [`SubLink`] asks of its query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubLinkType {
    Exists,
    /// `test op ALL (query)`.
    All,
    /// `test op ANY (query)`, `test IN (query)` (then without operator name).
    Any,
    /// A scalar or row query.
    Expr,
    Array,
}

/// A subquery in an expression.
#[derive(Clone, Debug, PartialEq)]
pub struct SubLink {
    pub kind: SubLinkType,
    pub test: Option<Expr>,
    pub oper_name: NameList,
    pub subselect: Box<SelectStmt>,
    pub span: Span,
}

/// CASE.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseExpr {
    pub arg: Option<Expr>,
    pub args: Vec<CaseWhen>,
    pub defresult: Option<Expr>,
    pub span: Span,
}

/// WHEN expr THEN result.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseWhen {
    pub expr: Expr,
    pub result: Expr,
    pub span: Span,
}

/// ARRAY[...]; nested brackets are nested array expressions.
#[derive(Clone, Debug, PartialEq)]
pub struct AArrayExpr {
    pub elements: Vec<Expr>,
    pub span: Span,
}

/// ROW(...) or an implicit row.
#[derive(Clone, Debug, PartialEq)]
pub struct RowExpr {
    pub args: Vec<Expr>,
    /// Written with ROW.
    pub explicit: bool,
    pub span: Span,
}

/// COALESCE.
#[derive(Clone, Debug, PartialEq)]
pub struct CoalesceExpr {
    pub args: Vec<Expr>,
    pub span: Span,
}

/// GREATEST or LEAST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MinMaxOp {
    Greatest,
    Least,
}

/// GREATEST(...) or LEAST(...).
#[derive(Clone, Debug, PartialEq)]
pub struct MinMaxExpr {
    pub op: MinMaxOp,
    pub args: Vec<Expr>,
    pub span: Span,
}

/// One step of field selection or subscripting.
#[derive(Clone, Debug, PartialEq)]
pub enum Indirection {
    Field(Ident),
    Star(Span),
    Index(Box<AIndices>),
}

/// `[upper]` or `[lower:upper]`.
#[derive(Clone, Debug, PartialEq)]
pub struct AIndices {
    pub is_slice: bool,
    pub lower: Option<Expr>,
    pub upper: Option<Expr>,
    pub span: Span,
}

/// `(arg).field`, `col[1]`, `$1.field`.
#[derive(Clone, Debug, PartialEq)]
pub struct AIndirection {
    pub arg: Expr,
    pub indirection: Vec<Indirection>,
    pub span: Span,
}

/// The parameterless functions of the standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SqlValueFunctionOp {
    CurrentDate,
    CurrentTime,
    CurrentTimestamp,
    Localtime,
    Localtimestamp,
    CurrentRole,
    CurrentUser,
    User,
    SessionUser,
    SystemUser,
    CurrentCatalog,
    CurrentSchema,
}

/// CURRENT_DATE and relatives. (SYSTEM_USER is a [`FuncCall`] of `pg_catalog.system_user`, as in PostgreSQL.)
#[derive(Clone, Debug, PartialEq)]
pub struct SqlValueFunction {
    pub op: SqlValueFunctionOp,
    /// Precision in parentheses, for the time functions.
    pub typmod: Option<i32>,
    pub span: Span,
}

/// GROUPING(...).
#[derive(Clone, Debug, PartialEq)]
pub struct GroupingFunc {
    pub args: Vec<Expr>,
    pub span: Span,
}

/// The XML constructs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XmlExprOp {
    /// XMLCONCAT(args).
    Concat,
    /// XMLELEMENT(NAME name, XMLATTRIBUTES(named_args), args).
    Element,
    /// XMLFOREST(named_args).
    Forest,
    /// XMLPARSE(text, preserve-whitespace constant).
    Parse,
    /// XMLPI(NAME name, args).
    Pi,
    /// XMLROOT(xml, version, standalone constant).
    Root,
    /// `arg IS DOCUMENT`.
    Document,
}

/// DOCUMENT or CONTENT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XmlOptionType {
    Document,
    Content,
}

/// An XML construct.
#[derive(Clone, Debug, PartialEq)]
pub struct XmlExpr {
    pub op: XmlExprOp,
    pub name: Option<Ident>,
    pub named_args: Vec<ResTarget>,
    pub args: Vec<Expr>,
    pub xmloption: Option<XmlOptionType>,
    pub span: Span,
}

/// XMLSERIALIZE(option expr AS type).
#[derive(Clone, Debug, PartialEq)]
pub struct XmlSerialize {
    pub xmloption: XmlOptionType,
    pub expr: Expr,
    pub type_name: TypeName,
    pub indent: bool,
    pub span: Span,
}

/// `CURRENT OF cursor`.
#[derive(Clone, Debug, PartialEq)]
pub struct CurrentOfExpr {
    pub cursor_name: Ident,
    pub span: Span,
}

/// Column `colno` (from 1) of `ncolumns` assigned from one row-valued source.
#[derive(Clone, Debug, PartialEq)]
pub struct MultiAssignRef {
    /// Shared between the columns by reference.
    pub source: std::sync::Arc<Expr>,
    pub colno: u32,
    pub ncolumns: u32,
}

impl Expr {
    /// The leftmost place of the expression, as PostgreSQL's `exprLocation` computes it for raw trees.
    pub fn location(&self) -> Span {
        let left = |own: Span, arg: Option<&Expr>| match arg.map(Expr::location) {
            Some(a) if a.is_known() && (!own.is_known() || a.start < own.start) => a,
            _ => own,
        };
        match self {
            Expr::TypeCast(t) => {
                let at = left(t.span, Some(&t.arg));
                if t.type_name.span.is_known() && t.type_name.span.start < at.start {
                    t.type_name.span
                } else {
                    at
                }
            }
            Expr::CollateClause(c) => left(c.span, c.arg.as_ref()),
            Expr::AExpr(a) => left(a.span, a.lexpr.as_ref()),
            Expr::BoolExpr(b) => left(b.span, b.args.first()),
            Expr::NullTest(n) => left(n.span, Some(&n.arg)),
            Expr::BooleanTest(b) => left(b.span, Some(&b.arg)),
            Expr::FuncCall(f) => left(f.span, f.args.first()),
            Expr::NamedArg(n) => left(n.span, Some(&n.arg)),
            Expr::SubLink(s) => left(s.span, s.test.as_ref()),
            Expr::AIndirection(i) => i.arg.location(),
            Expr::XmlExpr(x) => left(x.span, x.args.first()),
            Expr::MultiAssignRef(m) => m.source.location(),
            _ => self.span(),
        }
    }

    /// The node's own place (PostgreSQL's `location` field).
    pub fn span(&self) -> Span {
        match self {
            Expr::ColumnRef(n) => n.span,
            Expr::ParamRef(n) => n.span,
            Expr::AConst(n) => n.span,
            Expr::TypeCast(n) => n.span,
            Expr::CollateClause(n) => n.span,
            Expr::AExpr(n) => n.span,
            Expr::BoolExpr(n) => n.span,
            Expr::NullTest(n) => n.span,
            Expr::BooleanTest(n) => n.span,
            Expr::FuncCall(n) => n.span,
            Expr::NamedArg(n) => n.span,
            Expr::SubLink(n) => n.span,
            Expr::CaseExpr(n) => n.span,
            Expr::ArrayExpr(n) => n.span,
            Expr::RowExpr(n) => n.span,
            Expr::CoalesceExpr(n) => n.span,
            Expr::MinMaxExpr(n) => n.span,
            Expr::AIndirection(n) => n.span,
            Expr::SqlValueFunction(n) => n.span,
            Expr::GroupingFunc(n) => n.span,
            Expr::GroupingSet(n) => n.span,
            Expr::MergeSupportFunc(span) | Expr::SetToDefault(span) => *span,
            Expr::XmlExpr(n) => n.span,
            Expr::XmlSerialize(n) => n.span,
            Expr::CurrentOf(n) => n.span,
            Expr::MultiAssignRef(n) => n.source.span(),
            Expr::JsonObjectConstructor(n) => n.span,
            Expr::JsonArrayConstructor(n) => n.span,
            Expr::JsonArrayQueryConstructor(n) => n.span,
            Expr::JsonObjectAgg(n) => n.constructor.span,
            Expr::JsonArrayAgg(n) => n.constructor.span,
            Expr::JsonParseExpr(n) => n.span,
            Expr::JsonScalarExpr(n) => n.span,
            Expr::JsonSerializeExpr(n) => n.span,
            Expr::JsonFuncExpr(n) => n.span,
            Expr::JsonIsPredicate(n) => n.span,
        }
    }

    /// The name if this is an unqualified column reference.
    pub fn as_simple_column(&self) -> Option<&Ident> {
        match self {
            Expr::ColumnRef(ColumnRef {
                fields, star: false, ..
            }) if fields.len() == 1 => fields.first(),
            _ => None,
        }
    }
}

impl ConstValue {
    /// The text of a string constant.
    pub fn as_str(&self) -> Option<&Name> {
        match self {
            ConstValue::String(text) => Some(text),
            _ => None,
        }
    }
}
