//! The compiled form of a function: statements over numbered variables.
//!
//! PG: src/pl/plpgsql/src/plpgsql.h.

use std::sync::Arc;

use common::{Oid, SqlState};
use parking_lot::Mutex;
use types::settings::TypeRef;

use crate::conditions::Condition;
use crate::exec::Activation;
use crate::exec::plan::ExprPlan;
use crate::namespace::{Namespace, Scope};

/// Number of a variable in its function.
pub(crate) type Dno = usize;

/// A type as variables have it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PlType {
    pub type_ref: TypeRef,
    pub collation: Oid,
    pub kind: TypeKind,
    /// An array (or a domain over one).
    pub is_array: bool,
    /// A domain over a composite type: the composite type.
    pub row_type: Oid,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TypeKind {
    Scalar,
    Record,
    Pseudo,
}

/// What is declared about a variable.
#[derive(Clone, Debug)]
pub(crate) enum Decl {
    Var(VarDecl),
    /// Several scalar variables in a row: targets of INTO, OUT parameters, arguments of a cursor.
    Row(RowDecl),
    Rec(VarDecl),
    Field(FieldDecl),
}

#[derive(Clone, Debug)]
pub(crate) struct VarDecl {
    pub name: Arc<str>,
    pub ty: PlType,
    pub constant: bool,
    pub not_null: bool,
    pub default: Option<Expr>,
    pub cursor: Option<CursorDecl>,
}

/// A bound cursor.
#[derive(Clone, Debug)]
pub(crate) struct CursorDecl {
    pub query: Expr,
    pub args: Option<Dno>,
    pub scroll: Option<bool>,
}

#[derive(Clone, Debug)]
pub(crate) struct RowDecl {
    pub names: Vec<Arc<str>>,
    pub fields: Vec<Dno>,
}

#[derive(Clone, Debug)]
pub(crate) struct FieldDecl {
    pub rec: Dno,
    pub name: Arc<str>,
}

/// How the text of an expression is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Statement,
    Expression,
    /// `a.b := x`: so many of the names are the variable.
    Assign(usize),
}

/// A piece of SQL.
#[derive(Clone, Debug)]
pub(crate) struct Expr {
    /// Its number among the function's expressions.
    pub id: usize,
    pub text: Arc<str>,
    pub mode: Mode,
    pub scope: Scope,
}

#[derive(Clone, Debug)]
pub(crate) struct Stmt {
    pub line: u32,
    pub kind: StmtKind,
}

#[derive(Clone, Debug)]
pub(crate) enum StmtKind {
    Block(Box<Block>),
    Assign(Dno, Expr),
    If(Box<If>),
    Case(Box<Case>),
    Loop(Box<Loop>),
    While(Expr, Box<Loop>),
    ForInt(Box<ForInt>),
    ForQuery(Box<ForQuery>),
    Foreach(Box<Foreach>),
    Exit(Box<Exit>),
    Return(Option<Expr>, Option<Dno>),
    ReturnNext(Option<Expr>, Option<Dno>),
    ReturnQuery(Box<Source>),
    Raise(Box<Raise>),
    Assert(Box<(Expr, Option<Expr>)>),
    Sql(Box<SqlStmt>),
    Execute(Box<Execute>),
    Perform(Expr),
    Call(Expr, bool),
    GetDiagnostics(Box<GetDiagnostics>),
    Open(Box<Open>),
    Fetch(Box<Fetch>),
    Close(Dno),
    Commit(bool),
    Rollback(bool),
    Null,
}

/// What CONTEXT lines call statements; [`StmtKind::what`] is the place in it.
pub(crate) const STATEMENTS: [&str; 33] = [
    "statement block",
    "assignment",
    "IF",
    "CASE",
    "LOOP",
    "WHILE",
    "FOR with integer loop variable",
    "FOR over SELECT rows",
    "FOR over cursor",
    "FOR over EXECUTE statement",
    "FOREACH over array",
    "EXIT",
    "CONTINUE",
    "RETURN",
    "RETURN NEXT",
    "RETURN QUERY",
    "RAISE",
    "ASSERT",
    "SQL statement",
    "EXECUTE",
    "PERFORM",
    "CALL",
    "DO",
    "GET STACKED DIAGNOSTICS",
    "GET DIAGNOSTICS",
    "OPEN",
    "MOVE",
    "FETCH",
    "CLOSE",
    "COMMIT",
    "ROLLBACK",
    "COMMIT AND CHAIN",
    "ROLLBACK AND CHAIN",
];

impl StmtKind {
    /// Its place in [`STATEMENTS`].
    pub fn what(&self) -> u8 {
        match self {
            StmtKind::Block(_) | StmtKind::Null => 0,
            StmtKind::Assign(..) => 1,
            StmtKind::If(_) => 2,
            StmtKind::Case(_) => 3,
            StmtKind::Loop(_) => 4,
            StmtKind::While(..) => 5,
            StmtKind::ForInt(_) => 6,
            StmtKind::ForQuery(f) => match f.source {
                Source::Static(_) => 7,
                Source::Cursor { .. } => 8,
                Source::Dynamic { .. } => 9,
            },
            StmtKind::Foreach(_) => 10,
            StmtKind::Exit(e) if e.is_exit => 11,
            StmtKind::Exit(_) => 12,
            StmtKind::Return(..) => 13,
            StmtKind::ReturnNext(..) => 14,
            StmtKind::ReturnQuery(_) => 15,
            StmtKind::Raise(_) => 16,
            StmtKind::Assert(_) => 17,
            StmtKind::Sql(_) => 18,
            StmtKind::Execute(_) => 19,
            StmtKind::Perform(_) => 20,
            StmtKind::Call(_, true) => 21,
            StmtKind::Call(_, false) => 22,
            StmtKind::GetDiagnostics(g) if g.stacked => 23,
            StmtKind::GetDiagnostics(_) => 24,
            StmtKind::Open(_) => 25,
            StmtKind::Fetch(f) if f.is_move => 26,
            StmtKind::Fetch(_) => 27,
            StmtKind::Close(_) => 28,
            StmtKind::Commit(false) => 29,
            StmtKind::Rollback(false) => 30,
            StmtKind::Commit(true) => 31,
            StmtKind::Rollback(true) => 32,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub label: Option<Arc<str>>,
    /// Variables to begin anew at entry.
    pub init: Vec<Dno>,
    pub body: Vec<Stmt>,
    pub exceptions: Option<Exceptions>,
}

#[derive(Clone, Debug)]
pub(crate) struct Exceptions {
    pub sqlstate: Dno,
    pub sqlerrm: Dno,
    pub handlers: Vec<Handler>,
}

#[derive(Clone, Debug)]
pub(crate) struct Handler {
    pub conditions: Vec<Condition>,
    pub body: Vec<Stmt>,
}

#[derive(Clone, Debug)]
pub(crate) struct If {
    pub arms: Vec<(Expr, Vec<Stmt>)>,
    pub otherwise: Vec<Stmt>,
}

#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// The value compared, and the variable that holds it.
    pub test: Option<(Expr, Dno)>,
    pub arms: Vec<(Expr, Vec<Stmt>)>,
    pub otherwise: Option<Vec<Stmt>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Loop {
    pub label: Option<Arc<str>>,
    pub body: Vec<Stmt>,
}

#[derive(Clone, Debug)]
pub(crate) struct ForInt {
    pub var: Dno,
    pub lower: Expr,
    pub upper: Expr,
    pub step: Option<Expr>,
    pub reverse: bool,
    pub body: Loop,
}

/// Where rows come from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Static(Expr),
    Dynamic { query: Expr, params: Vec<Expr> },
    Cursor { var: Dno, args: Option<Expr> },
}

#[derive(Clone, Debug)]
pub(crate) struct ForQuery {
    pub target: Dno,
    pub source: Source,
    pub body: Loop,
}

#[derive(Clone, Debug)]
pub(crate) struct Foreach {
    pub target: Dno,
    pub slice: usize,
    pub array: Expr,
    pub body: Loop,
}

#[derive(Clone, Debug)]
pub(crate) struct Exit {
    pub is_exit: bool,
    pub label: Option<Arc<str>>,
    pub condition: Option<Expr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RaiseLevel {
    Exception,
    Warning,
    Notice,
    Info,
    Log,
    Debug,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RaiseOption {
    Errcode,
    Message,
    Detail,
    Hint,
    Column,
    Constraint,
    Datatype,
    Table,
    Schema,
}

impl RaiseOption {
    pub fn name(self) -> &'static str {
        match self {
            RaiseOption::Errcode => "ERRCODE",
            RaiseOption::Message => "MESSAGE",
            RaiseOption::Detail => "DETAIL",
            RaiseOption::Hint => "HINT",
            RaiseOption::Column => "COLUMN",
            RaiseOption::Constraint => "CONSTRAINT",
            RaiseOption::Datatype => "DATATYPE",
            RaiseOption::Table => "TABLE",
            RaiseOption::Schema => "SCHEMA",
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Raise {
    /// Without a level and everything else: the current error again.
    pub level: RaiseLevel,
    pub condition: Option<(Arc<str>, SqlState)>,
    pub message: Option<Arc<str>>,
    pub params: Vec<Expr>,
    pub options: Vec<(RaiseOption, Expr)>,
}

#[derive(Clone, Debug)]
pub(crate) struct SqlStmt {
    pub expr: Expr,
    pub target: Option<Dno>,
    pub strict: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Execute {
    pub query: Expr,
    pub target: Option<Dno>,
    pub strict: bool,
    pub params: Vec<Expr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Diagnostic {
    RowCount,
    RoutineOid,
    Context,
    ErrorContext,
    ErrorDetail,
    ErrorHint,
    ReturnedSqlstate,
    ColumnName,
    ConstraintName,
    DatatypeName,
    MessageText,
    TableName,
    SchemaName,
}

#[derive(Clone, Debug)]
pub(crate) struct GetDiagnostics {
    pub stacked: bool,
    pub items: Vec<(Dno, Diagnostic)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Open {
    pub cursor: Dno,
    pub scroll: Option<bool>,
    pub source: OpenSource,
}

#[derive(Clone, Debug)]
pub(crate) enum OpenSource {
    Bound(Option<Expr>),
    Query(Expr),
    Dynamic { query: Expr, params: Vec<Expr> },
}

#[derive(Clone, Debug)]
pub(crate) struct Fetch {
    pub cursor: Dno,
    pub target: Option<Dno>,
    pub direction: crate::host::Direction,
    /// How many rows, unless an expression says so; `i64::MAX`: all.
    pub count: i64,
    pub expr: Option<Expr>,
    pub is_move: bool,
}

/// How functions end that return something.
#[derive(Clone, Debug)]
pub(crate) struct Returns {
    pub type_ref: TypeRef,
    pub is_set: bool,
    /// Composite or `record`.
    pub is_row: bool,
    /// A domain over a composite type: the composite.
    pub row_type: Oid,
    pub is_procedure: bool,
    /// The variable of OUT parameters.
    pub out: Option<Dno>,
}

/// What a compilation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Function,
    Trigger,
    EventTrigger,
}

/// A compiled function.
pub struct Function {
    /// `name(argument types)`.
    pub(crate) signature: Arc<str>,
    pub(crate) oid: Oid,
    pub(crate) purpose: Purpose,
    pub(crate) returns: Returns,
    pub(crate) decls: Vec<Decl>,
    pub(crate) namespace: Namespace,
    /// Input parameters, in order.
    pub(crate) inputs: Vec<Dno>,
    pub(crate) found: Dno,
    pub(crate) trigger: Option<TriggerVars>,
    pub(crate) conflict: analyzer::variables::VariableConflict,
    pub(crate) print_strict_params: bool,
    pub(crate) body: Block,
    pub(crate) expr_count: usize,
    /// Types that values compared by CASE turned out to have, by variable.
    pub(crate) case_types: Mutex<Vec<(Dno, TypeRef)>>,
    /// Plans made so far, by expression.
    pub(crate) plans: Mutex<Vec<Option<Arc<ExprPlan>>>>,
    /// Room of calls that have ended.
    pub(crate) pool: Mutex<Vec<Activation>>,
}

impl Function {
    /// What the variable of a CASE turned out to hold.
    pub(crate) fn case_type(&self, dno: Dno) -> Option<TypeRef> {
        let types = self.case_types.lock();
        types.iter().find(|(d, _)| *d == dno).map(|(_, t)| *t)
    }
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Function").field(&self.signature).finish()
    }
}

/// The variables that a trigger function begins with.
#[derive(Clone, Debug)]
pub(crate) struct TriggerVars {
    pub new: Dno,
    pub old: Dno,
    /// TG_NAME, TG_WHEN, TG_LEVEL, TG_OP, TG_RELID, TG_RELNAME, TG_TABLE_NAME, TG_TABLE_SCHEMA, TG_NARGS, TG_ARGV.
    pub tg: Vec<Dno>,
}
