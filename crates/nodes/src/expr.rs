//! Typed scalar expressions.

use std::sync::Arc;

use common::{AttrNumber, Oid, Span};
use serde::{Deserialize, Serialize};
use types::Datum;
use types::settings::TypeRef;

use crate::json::JsonExpr;
use crate::query::{Query, SortGroupClause};
use crate::relids::RelIds;
use crate::serial::no_span;

/// An expression with its SQL type. Names follow PostgreSQL's node types.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Expr {
    /// A literal or folded value.
    Const(Const),
    /// A column.
    Var(Var),
    /// `$n`, or a value that the executor passes between plan nodes.
    Param(Param),
    /// Function or operator call.
    Func(FuncExpr),
    /// `a IS DISTINCT FROM b` (negated: `IS NOT DISTINCT FROM`), through the equality operator.
    Distinct(DistinctExpr),
    /// `NULLIF(a, b)`, through the equality operator.
    NullIf(FuncExpr),
    /// `x op ANY (array)`, `x op ALL (array)`; also `x IN (list)`.
    ScalarArrayOp(ScalarArrayOpExpr),
    /// AND, OR, NOT.
    Bool(BoolExpr),
    /// CASE.
    Case(CaseExpr),
    /// The value under test inside a CASE arm, or the element inside an array coercion.
    CaseTest(TypedSlot),
    /// COALESCE.
    Coalesce(TypedArgs),
    /// GREATEST or LEAST.
    MinMax(MinMaxExpr),
    /// IS [NOT] NULL.
    NullTest(NullTest),
    /// IS [NOT] TRUE, FALSE, UNKNOWN.
    BooleanTest(BooleanTest),
    /// CURRENT_DATE and relatives.
    SqlValueFunction(SqlValueFunction),
    /// A change of type that keeps the representation.
    Relabel(RelabelExpr),
    /// A cast through text output and input.
    CoerceViaIo(CoerceExpr),
    /// A cast of every element of an array.
    ArrayCoerce(ArrayCoerceExpr),
    /// A cast to a domain: checks its constraints.
    CoerceToDomain(CoerceExpr),
    /// The value under test in a domain's CHECK.
    CoerceToDomainValue(TypedSlot),
    /// COLLATE; gone after analysis but for deparsing.
    Collate(CollateExpr),
    /// ARRAY[...].
    Array(ArrayExpr),
    /// ROW(...).
    Row(RowExpr),
    /// `(a, b) < (c, d)`.
    RowCompare(RowCompareExpr),
    /// `composite.field`.
    FieldSelect(FieldSelect),
    /// Assignment to fields of a composite.
    FieldStore(FieldStore),
    /// `array[i]`, `array[a:b]`, jsonb subscripts; also assignment to them.
    Subscripting(SubscriptingRef),
    /// An aggregate call.
    Aggref(Box<Aggref>),
    /// GROUPING(...).
    GroupingFunc(GroupingFunc),
    /// A window function call.
    WindowFunc(Box<WindowFunc>),
    /// A subquery in an expression; only before planning.
    SubLink(Box<SubLink>),
    /// A planned subquery; only in plans.
    SubPlan(Box<SubPlan>),
    /// DEFAULT in VALUES or SET; replaced by the rewriter part of the analyzer.
    SetToDefault(TypedSlot),
    /// WHERE CURRENT OF cursor.
    CurrentOf {
        /// Range table index of the target.
        relation: usize,
        /// Cursor name.
        cursor: Box<str>,
    },
    /// The next value of a sequence, as identity columns use it.
    NextValue {
        /// The sequence.
        sequence: Oid,
        /// int2, int4 or int8.
        type_oid: Oid,
    },
    /// An SQL/JSON constructor, test, query function or JSON_TABLE.
    Json(Box<JsonExpr>),
    /// SQL/XML.
    Xml(Box<crate::xml::XmlExpr>),
    /// A named argument, between parsing and default insertion.
    NamedArg {
        /// Name.
        name: Box<str>,
        /// Value.
        arg: Box<Expr>,
        /// Where.
        #[serde(skip, default = "no_span")]
        span: Span,
    },
}

/// A value known at analysis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Const {
    pub value: Datum,
    pub type_ref: TypeRef,
    pub collation: Oid,
    #[serde(skip, default = "no_span")]
    pub span: Span,
}

/// Whose column a [`Var`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum VarSource {
    /// Range table entry (1-based), `levels_up` queries outwards. Before plan finishing.
    Rel {
        /// Range table index.
        index: usize,
        /// 0: this query; 1: the one around it; ...
        levels_up: usize,
    },
    /// Column of the left (or only) input of a plan node, `attno` counting from 1.
    Outer,
    /// Column of the right input.
    Inner,
    /// Column of the relation or function that a scan node reads; for base relations `attno` is `pg_attribute.attnum`
    /// (negative: system columns).
    Scan,
}

/// Which row a column in RETURNING means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum ReturningKind {
    #[default]
    Default,
    Old,
    New,
}

/// Attribute number under which RETURNING reads MERGE_ACTION() of the target.
pub const MERGE_ACTION_ATTNO: AttrNumber = -100;

/// A reference to a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Var {
    pub source: VarSource,
    /// 0: the whole row.
    pub attno: AttrNumber,
    pub type_ref: TypeRef,
    pub collation: Oid,
    /// Outer joins (their range table indexes) that may turn it to NULL above the place where it is computed.
    pub nulling_rels: RelIds,
    pub returning: ReturningKind,
    #[serde(skip, default = "no_span")]
    pub span: Span,
}

/// What a parameter number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ParamKind {
    /// `$n` of the statement (1-based).
    External,
    /// A slot of the executor: a value handed from a node to nodes below it, or an initplan's result (0-based).
    Exec,
}

/// A parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Param {
    pub kind: ParamKind,
    pub number: usize,
    pub type_ref: TypeRef,
    pub collation: Oid,
    #[serde(skip, default = "no_span")]
    pub span: Span,
}

/// How a call was written, for deparsing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum CoercionForm {
    #[default]
    ExplicitCall,
    ExplicitCast,
    ImplicitCast,
    SqlSyntax,
}

/// A call of a function, possibly written as an operator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct FuncExpr {
    pub func: Oid,
    /// The operator it was written as; invalid for a plain call.
    pub op: Oid,
    pub args: Vec<Expr>,
    pub result: TypeRef,
    pub returns_set: bool,
    /// Called with VARIADIC array.
    pub variadic: bool,
    pub form: CoercionForm,
    /// Collation that the function should use.
    pub input_collation: Oid,
    /// Collation of the result.
    pub collation: Oid,
    #[serde(skip, default = "no_span")]
    pub span: Span,
}

impl FuncExpr {
    /// A call by name of a function of one value without collation.
    pub fn plain(func: Oid, args: Vec<Expr>, result: Oid, span: Span) -> FuncExpr {
        FuncExpr {
            func,
            op: Oid::INVALID,
            args,
            result: TypeRef::plain(result),
            returns_set: false,
            variadic: false,
            form: CoercionForm::ExplicitCall,
            input_collation: Oid::INVALID,
            collation: Oid::INVALID,
            span,
        }
    }
}

/// IS [NOT] DISTINCT FROM.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct DistinctExpr {
    pub equality: FuncExpr,
    pub negated: bool,
}

/// Comparison with the elements of an array.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ScalarArrayOpExpr {
    pub op: Oid,
    pub func: Oid,
    /// True: ANY/IN; false: ALL/NOT IN.
    pub use_or: bool,
    pub scalar: Box<Expr>,
    pub array: Box<Expr>,
    pub input_collation: Oid,
    #[serde(skip, default = "no_span")]
    pub span: Span,
}

/// AND, OR or NOT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum BoolOp {
    And,
    Or,
    Not,
}

/// A boolean combination; NOT has one argument.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct BoolExpr {
    pub op: BoolOp,
    pub args: Vec<Expr>,
    #[serde(skip, default = "no_span")]
    pub span: Span,
}

/// CASE [arg] WHEN ... END. With `arg`, conditions compare an [`Expr::CaseTest`] with their value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct CaseExpr {
    pub arg: Option<Box<Expr>>,
    pub whens: Vec<CaseWhen>,
    pub default: Box<Expr>,
    pub result: TypeRef,
    pub collation: Oid,
    #[serde(skip, default = "no_span")]
    pub span: Span,
}

/// One WHEN ... THEN ....
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct CaseWhen {
    pub condition: Expr,
    pub result: Expr,
    #[serde(skip, default = "no_span")]
    pub span: Span,
}

/// A placeholder with a type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct TypedSlot {
    pub type_ref: TypeRef,
    pub collation: Oid,
    #[serde(skip, default = "no_span")]
    pub span: Span,
}

/// Arguments of one common type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct TypedArgs {
    pub args: Vec<Expr>,
    pub result: TypeRef,
    pub collation: Oid,
    #[serde(skip, default = "no_span")]
    pub span: Span,
}

/// GREATEST, LEAST.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct MinMaxExpr {
    pub greatest: bool,
    /// Comparison function of the type's btree class (returns int4).
    pub cmp_func: Oid,
    pub args: TypedArgs,
    pub input_collation: Oid,
}

/// IS [NOT] NULL.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct NullTest {
    pub arg: Box<Expr>,
    pub is_not: bool,
    /// The argument is a composite: every field is tested.
    pub arg_is_row: bool,
    #[serde(skip, default = "no_span")]
    pub span: Span,
}

/// The six boolean tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum BoolTestKind {
    IsTrue,
    IsNotTrue,
    IsFalse,
    IsNotFalse,
    IsUnknown,
    IsNotUnknown,
}

/// IS TRUE and relatives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct BooleanTest {
    pub arg: Box<Expr>,
    pub kind: BoolTestKind,
    #[serde(skip, default = "no_span")]
    pub span: Span,
}

/// The parameterless functions with a syntax of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum SqlValueKind {
    CurrentDate,
    CurrentTime,
    CurrentTimestamp,
    LocalTime,
    LocalTimestamp,
    CurrentRole,
    CurrentUser,
    User,
    SessionUser,
    CurrentCatalog,
    CurrentSchema,
}

/// CURRENT_TIMESTAMP(p) and relatives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct SqlValueFunction {
    pub kind: SqlValueKind,
    pub result: TypeRef,
    #[serde(skip, default = "no_span")]
    pub span: Span,
}

/// A binary-compatible cast.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct RelabelExpr {
    pub arg: Box<Expr>,
    pub result: TypeRef,
    pub collation: Oid,
    pub form: CoercionForm,
    #[serde(skip, default = "no_span")]
    pub span: Span,
}

/// A cast through I/O, or to a domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct CoerceExpr {
    pub arg: Box<Expr>,
    pub result: TypeRef,
    pub collation: Oid,
    pub form: CoercionForm,
    #[serde(skip, default = "no_span")]
    pub span: Span,
}

/// A cast of array elements: `element` is an expression over [`Expr::CaseTest`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ArrayCoerceExpr {
    pub arg: Box<Expr>,
    pub element: Box<Expr>,
    pub result: TypeRef,
    pub collation: Oid,
    pub form: CoercionForm,
    #[serde(skip, default = "no_span")]
    pub span: Span,
}

/// COLLATE.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct CollateExpr {
    pub arg: Box<Expr>,
    pub collation: Oid,
    #[serde(skip, default = "no_span")]
    pub span: Span,
}

/// ARRAY[...]; `multidims` when the elements are arrays themselves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ArrayExpr {
    pub elements: Vec<Expr>,
    pub array_type: Oid,
    pub element_type: Oid,
    pub multidims: bool,
    pub collation: Oid,
    #[serde(skip, default = "no_span")]
    pub span: Span,
}

/// ROW(...).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct RowExpr {
    pub args: Vec<Expr>,
    /// `record` or a named composite.
    pub row_type: Oid,
    pub names: Vec<Box<str>>,
    pub form: CoercionForm,
    #[serde(skip, default = "no_span")]
    pub span: Span,
}

/// Which comparison a row comparison makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum RowCompareKind {
    Lt,
    Le,
    Ge,
    Gt,
}

/// `(a, b) < (c, d)`, by btree operators. Equality of rows is an AND of equalities.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct RowCompareExpr {
    pub kind: RowCompareKind,
    pub ops: Vec<Oid>,
    pub cmp_funcs: Vec<Oid>,
    pub input_collations: Vec<Oid>,
    pub left: Vec<Expr>,
    pub right: Vec<Expr>,
    #[serde(skip, default = "no_span")]
    pub span: Span,
}

/// One field of a composite value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct FieldSelect {
    pub arg: Box<Expr>,
    /// 1-based.
    pub field: AttrNumber,
    pub result: TypeRef,
    pub collation: Oid,
    #[serde(skip, default = "no_span")]
    pub span: Span,
}

/// A composite value with some fields replaced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct FieldStore {
    pub arg: Box<Expr>,
    pub new_values: Vec<(AttrNumber, Expr)>,
    pub result: TypeRef,
    #[serde(skip, default = "no_span")]
    pub span: Span,
}

/// Subscripts; with `assign`, the container with that element or slice replaced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct SubscriptingRef {
    pub container: Box<Expr>,
    pub container_type: Oid,
    pub element_type: Oid,
    pub result: TypeRef,
    pub collation: Oid,
    pub upper: Vec<Option<Expr>>,
    /// Empty unless it is a slice.
    pub lower: Vec<Option<Expr>>,
    pub is_slice: bool,
    pub assign: Option<Box<Expr>>,
    #[serde(skip, default = "no_span")]
    pub span: Span,
}

/// How much of an aggregate's work a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum AggSplit {
    #[default]
    Simple,
    /// Partial states out.
    Initial,
    /// Partial states in, results out.
    Final,
}

/// An aggregate call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Aggref {
    pub func: Oid,
    pub arg_types: Vec<Oid>,
    pub trans_type: Oid,
    /// Direct arguments of ordered-set aggregates.
    pub direct_args: Vec<Expr>,
    /// Aggregated arguments, with those that only ORDER BY needs marked `resjunk`.
    pub args: Vec<crate::query::TargetEntry>,
    pub order_by: Vec<SortGroupClause>,
    pub distinct: Vec<SortGroupClause>,
    pub filter: Option<Expr>,
    /// `count(*)`.
    pub star: bool,
    pub variadic: bool,
    /// `n` normal, `o` ordered set, `h` hypothetical set.
    pub kind: u8,
    pub levels_up: usize,
    pub split: AggSplit,
    /// Its rows come in the order of `order_by` and `distinct` (the planner's knowledge).
    #[serde(skip)]
    pub presorted: bool,
    pub result: TypeRef,
    pub input_collation: Oid,
    pub collation: Oid,
    #[serde(skip, default = "no_span")]
    pub span: Span,
}

/// GROUPING(a, b): which grouping columns are aggregated away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct GroupingFunc {
    pub args: Vec<Expr>,
    /// `SortGroupClause` references of the arguments.
    pub refs: Vec<u32>,
    pub levels_up: usize,
    #[serde(skip, default = "no_span")]
    pub span: Span,
}

/// A window function call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct WindowFunc {
    pub func: Oid,
    pub args: Vec<Expr>,
    pub filter: Option<Expr>,
    /// Reference of its `WindowClause`.
    pub window_ref: u32,
    pub star: bool,
    /// A plain aggregate used as a window function.
    pub is_aggregate: bool,
    pub result: TypeRef,
    pub input_collation: Oid,
    pub collation: Oid,
    #[serde(skip, default = "no_span")]
    pub span: Span,
}

/// What a subquery in an expression is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum SubLinkKind {
    Exists,
    All,
    Any,
    RowCompare,
    Expr,
    MultiExpr,
    Array,
    Cte,
}

/// A subquery in an expression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct SubLink {
    pub kind: SubLinkKind,
    /// ANY/ALL/RowCompare: comparison over the left side and [`ParamKind::Exec`] parameters 0.. that stand for the subquery's columns.
    pub test: Option<Expr>,
    /// The operator's name as written (for deparsing `IN` against `= ANY`).
    pub op_name: Option<Box<str>>,
    pub query: Arc<Query>,
    pub result: TypeRef,
    pub collation: Oid,
    #[serde(skip, default = "no_span")]
    pub span: Span,
}

/// A planned subquery used in an expression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct SubPlan {
    pub kind: SubLinkKind,
    pub test: Option<Expr>,
    /// Executor parameter slots that stand for the subquery's columns inside `test`.
    pub output_params: Vec<usize>,
    /// Index into `PlannedStmt::subplans`.
    pub plan_id: usize,
    /// `SubPlan 1`, `InitPlan 1`: for EXPLAIN.
    pub name: Box<str>,
    /// ANY with a hashable comparison: build a hash table once.
    pub use_hash_table: bool,
    /// The NULL result need not be told from false.
    pub unknown_equals_false: bool,
    /// Slots set from the outer row before each run, and what to set them to.
    pub params: Vec<(usize, Expr)>,
    pub result: TypeRef,
    pub collation: Oid,
}

impl Expr {
    /// The SQL type and modifier of the value.
    pub fn type_ref(&self) -> TypeRef {
        use types::oids;
        match self {
            Expr::Const(e) => e.type_ref,
            Expr::Var(e) => e.type_ref,
            Expr::Param(e) => e.type_ref,
            Expr::Func(e) | Expr::NullIf(e) => e.result,
            Expr::Distinct(_)
            | Expr::ScalarArrayOp(_)
            | Expr::Bool(_)
            | Expr::NullTest(_)
            | Expr::BooleanTest(_)
            | Expr::RowCompare(_)
            | Expr::CurrentOf { .. } => TypeRef::plain(oids::BOOL),
            Expr::Case(e) => e.result,
            Expr::CaseTest(e) | Expr::CoerceToDomainValue(e) | Expr::SetToDefault(e) => e.type_ref,
            Expr::Coalesce(e) => e.result,
            Expr::MinMax(e) => e.args.result,
            Expr::SqlValueFunction(e) => e.result,
            Expr::Relabel(e) => e.result,
            Expr::CoerceViaIo(e) | Expr::CoerceToDomain(e) => e.result,
            Expr::ArrayCoerce(e) => e.result,
            Expr::Collate(e) => e.arg.type_ref(),
            Expr::Array(e) => TypeRef::plain(e.array_type),
            Expr::Row(e) => TypeRef::plain(e.row_type),
            Expr::FieldSelect(e) => e.result,
            Expr::FieldStore(e) => e.result,
            Expr::Subscripting(e) => e.result,
            // What travels of a partial state is a reference to it.
            Expr::Aggref(e) if e.split == AggSplit::Initial => TypeRef::plain(types::oids::INT8),
            Expr::Aggref(e) => e.result,
            Expr::GroupingFunc(_) => TypeRef::plain(oids::INT4),
            Expr::WindowFunc(e) => e.result,
            Expr::SubLink(e) => e.result,
            Expr::SubPlan(e) => e.result,
            Expr::NextValue { type_oid, .. } => TypeRef::plain(*type_oid),
            Expr::Json(e) => e.result,
            Expr::Xml(e) => e.result,
            Expr::NamedArg { arg, .. } => arg.type_ref(),
        }
    }

    /// The SQL type of the value.
    pub fn type_oid(&self) -> Oid {
        self.type_ref().oid
    }

    /// The collation of the value; invalid for types without.
    pub fn collation(&self) -> Oid {
        use types::oids;
        match self {
            Expr::Const(e) => e.collation,
            Expr::Var(e) => e.collation,
            Expr::Param(e) => e.collation,
            Expr::Func(e) | Expr::NullIf(e) => e.collation,
            Expr::Case(e) => e.collation,
            Expr::CaseTest(e) | Expr::CoerceToDomainValue(e) | Expr::SetToDefault(e) => e.collation,
            Expr::Coalesce(e) => e.collation,
            Expr::MinMax(e) => e.args.collation,
            Expr::SqlValueFunction(e) if e.result.oid == oids::NAME => Oid(950),
            Expr::Relabel(e) => e.collation,
            Expr::CoerceViaIo(e) | Expr::CoerceToDomain(e) => e.collation,
            Expr::ArrayCoerce(e) => e.collation,
            Expr::Collate(e) => e.collation,
            Expr::Array(e) => e.collation,
            Expr::FieldSelect(e) => e.collation,
            Expr::Subscripting(e) => e.collation,
            Expr::Aggref(e) => e.collation,
            Expr::WindowFunc(e) => e.collation,
            Expr::SubLink(e) => e.collation,
            Expr::SubPlan(e) => e.collation,
            Expr::Json(e) => e.collation,
            Expr::Xml(e) => e.collation,
            Expr::NamedArg { arg, .. } => arg.collation(),
            _ => Oid::INVALID,
        }
    }
}
