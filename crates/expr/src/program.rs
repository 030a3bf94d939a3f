//! The compiled form: a tree of nodes with kernels resolved and columns placed.

use std::sync::Arc;

use common::{Oid, PgResult};
use functions::{CallInfo, FnCache, Kernels};
use nodes::expr::{BoolTestKind, Expr, RowCompareKind, SqlValueKind, SubLinkKind};
use types::settings::TypeRef;
use types::{Datum, PhysType, Rows, Vector};

use crate::env::{ColumnPlace, CompileEnv};

/// A compiled expression.
#[derive(Debug)]
pub struct ExprProgram {
    pub(crate) root: Node,
    pub(crate) result: TypeRef,
    pub(crate) sites: usize,
}

/// What one execution keeps between batches: a cache per call site, values under test, hash tables of subplans.
#[derive(Default)]
pub struct ExprState {
    pub(crate) caches: Vec<FnCache>,
    pub(crate) case_values: Vec<Arc<Vector>>,
    pub(crate) domain_values: Vec<Arc<Vector>>,
    /// Hash tables of subplans: plan, the rows they were made of, the table.
    pub(crate) hashed: Vec<(usize, Arc<Rows>, Arc<crate::subplan::HashedSet>)>,
}

impl ExprProgram {
    /// Compiles an expression.
    pub fn compile(expr: &Expr, env: &dyn CompileEnv) -> PgResult<ExprProgram> {
        crate::compile::compile(expr, env)
    }

    /// Fresh run-time state.
    pub fn new_state(&self) -> ExprState {
        let mut caches = Vec::new();
        caches.resize_with(self.sites, FnCache::default);
        ExprState {
            caches,
            ..ExprState::default()
        }
    }

    /// SQL type of the result.
    pub fn result_type(&self) -> TypeRef {
        self.result
    }

    /// Storage class of the result.
    pub fn phys(&self) -> PhysType {
        self.root.phys
    }

    /// True when evaluation can neither fail nor have an effect, so that it may run for rows nobody asked for yet.
    pub fn is_harmless(&self) -> bool {
        self.root.is_harmless()
    }

    /// The column, when the expression is nothing but a column.
    pub fn as_column(&self) -> Option<ColumnPlace> {
        match self.root.kind {
            NodeKind::Column(place) => Some(place),
            _ => None,
        }
    }

    /// The slot, when the expression is nothing but an executor parameter.
    pub fn as_exec_param(&self) -> Option<usize> {
        match self.root.kind {
            NodeKind::ExecParam(slot) => Some(slot),
            _ => None,
        }
    }

    /// The value, when the expression is a constant.
    pub fn as_const(&self) -> Option<&Datum> {
        match &self.root.kind {
            NodeKind::Const(value) => Some(value),
            _ => None,
        }
    }
}

/// A node and the storage class of its result.
#[derive(Debug)]
pub(crate) struct Node {
    pub kind: NodeKind,
    pub phys: PhysType,
}

impl Node {
    fn is_harmless(&self) -> bool {
        let all = |nodes: &[Node]| nodes.iter().all(Node::is_harmless);
        match &self.kind {
            NodeKind::Const(_) | NodeKind::Column(_) | NodeKind::Param(_) | NodeKind::ExecParam(_) => true,
            NodeKind::Call(call) | NodeKind::Distinct(call, _) | NodeKind::NullIf(call) => {
                is_leakproof(call.info.proc) && all(&call.args)
            }
            NodeKind::And(args) | NodeKind::Or(args) | NodeKind::Coalesce(args) => all(args),
            NodeKind::Not(arg) | NodeKind::Reclass(arg) | NodeKind::BooleanTest(arg, _) => arg.is_harmless(),
            NodeKind::NullTest { arg, .. } => arg.is_harmless(),
            NodeKind::ScalarArray(s) => {
                is_leakproof(s.info.proc) && s.scalar.is_harmless() && s.array.is_harmless()
            }
            _ => false,
        }
    }
}

/// PostgreSQL's leakproof functions raise no errors that depend on their arguments.
fn is_leakproof(proc: Oid) -> bool {
    functions::facts::proc(proc).is_some_and(|p| p.proleakproof && p.provolatile == b'i')
}

/// A function call site.
#[derive(Debug)]
pub(crate) struct Call {
    pub kernels: Kernels,
    pub info: CallInfo,
    pub args: Vec<Node>,
    /// Index of its cache in [`ExprState`].
    pub site: usize,
}

#[derive(Debug)]
pub(crate) struct CaseArm {
    pub condition: Node,
    pub result: Node,
}

#[derive(Debug)]
pub(crate) enum NodeKind {
    Const(Datum),
    Column(ColumnPlace),
    Param(usize),
    ExecParam(usize),
    Call(Call),
    /// `IS [NOT] DISTINCT FROM`: equality, negated.
    Distinct(Call, bool),
    NullIf(Call),
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Case {
        arg: Option<Box<Node>>,
        arms: Vec<CaseArm>,
        default: Box<Node>,
    },
    CaseTest,
    /// The same bits in another storage class (`int4` as `oid`).
    Reclass(Box<Node>),
    Coalesce(Vec<Node>),
    /// Greatest?; the comparison takes two values of the type.
    MinMax {
        greatest: bool,
        cmp: Kernels,
        info: CallInfo,
        args: Vec<Node>,
        site: usize,
    },
    NullTest {
        arg: Box<Node>,
        is_not: bool,
        is_row: bool,
    },
    BooleanTest(Box<Node>, BoolTestKind),
    SqlValue(SqlValueKind, i32),
    ScalarArray(Box<ScalarArray>),
    CoerceViaIo {
        arg: Box<Node>,
        from: Oid,
        to: TypeRef,
    },
    ArrayCoerce {
        arg: Box<Node>,
        element: Box<Node>,
        element_type: Oid,
    },
    CoerceToDomain {
        arg: Box<Node>,
        domain: Box<Domain>,
    },
    DomainValue,
    Array {
        elements: Vec<Node>,
        element_type: Oid,
        nested: bool,
    },
    Row {
        fields: Vec<Node>,
        row_type: Oid,
        field_types: Vec<Oid>,
        names: Option<types::FieldNames>,
    },
    RowCompare {
        kind: RowCompareKind,
        pairs: Vec<(Kernels, CallInfo, usize)>,
        left: Vec<Node>,
        right: Vec<Node>,
    },
    FieldSelect(Box<Node>, usize),
    FieldStore {
        arg: Box<Node>,
        values: Vec<(usize, Node)>,
        row_type: Oid,
        field_types: Vec<Oid>,
    },
    Subscript(Box<Subscript>),
    JsonbSubscript(Box<JsonbSubscript>),
    Json(Box<crate::sqljson::JsonNode>),
    Xml(Box<crate::xml::XmlNode>),
    NextValue(Oid),
    SubPlan(Box<SubPlanNode>),
}

#[derive(Debug)]
pub(crate) struct ScalarArray {
    pub kernels: Kernels,
    pub info: CallInfo,
    pub site: usize,
    pub use_or: bool,
    pub scalar: Node,
    pub array: Node,
    /// The operator is its type's default equality: large constant arrays may be hashed.
    pub hashable: bool,
}

#[derive(Debug)]
pub(crate) struct Domain {
    pub name: Arc<str>,
    pub not_null: bool,
    pub checks: Vec<(Arc<str>, Node)>,
}

/// `jsonb['key'][0]`, read or assigned.
#[derive(Debug)]
pub(crate) struct JsonbSubscript {
    pub container: Node,
    /// Texts and numbers.
    pub subscripts: Vec<Node>,
    pub first_is_number: bool,
    pub assign: Option<Node>,
}

#[derive(Debug)]
pub(crate) struct Subscript {
    pub container: Node,
    pub upper: Vec<Option<Node>>,
    pub lower: Vec<Option<Node>>,
    pub is_slice: bool,
    pub element_type: Oid,
    /// The container's type when it is one of those of fixed length that can be subscripted (`point`, `box`, `name`...).
    pub raw: Option<Oid>,
    pub assign: Option<Node>,
}

#[derive(Debug)]
pub(crate) struct SubPlanNode {
    pub kind: SubLinkKind,
    pub plan_id: usize,
    pub test: Option<Node>,
    pub output_params: Vec<usize>,
    pub params: Vec<(usize, Node)>,
    /// For hashed ANY: left sides and their types.
    pub hash: Option<Vec<(Node, Oid)>>,
    /// NULL counts as false.
    pub unknown_is_false: bool,
    pub element_type: Oid,
}
