//! Tables, columns, constraints, indexes, views, sequences.
#![allow(missing_docs, reason = "variants and fields carry PostgreSQL's names")]

use common::Span;

use crate::ast::{
    CollateClause, DefElem, DropBehavior, Expr, Ident, IntoClause, NameList, ObjectType, OnCommitAction,
    RangeVar, RoleSpec, SelectStmt, SortByDir, SortByNulls, Statement, TypeName,
};

/// CREATE [FOREIGN] TABLE (not AS).
#[derive(Clone, Debug, PartialEq)]
pub struct CreateStmt {
    pub relation: RangeVar,
    /// Columns, table constraints and LIKE clauses in order.
    pub table_elts: Vec<TableElement>,
    /// INHERITS, or the parent of PARTITION OF.
    pub inh_relations: Vec<RangeVar>,
    pub partbound: Option<Box<PartitionBoundSpec>>,
    pub partspec: Option<Box<PartitionSpec>>,
    pub of_typename: Option<Box<TypeName>>,
    pub options: Vec<DefElem>,
    pub on_commit: OnCommitAction,
    pub tablespace: Option<Ident>,
    pub access_method: Option<Ident>,
    pub if_not_exists: bool,
    /// Server and options of a foreign table.
    pub foreign: Option<Box<ForeignTablePart>>,
    pub span: Span,
}

/// What CREATE FOREIGN TABLE adds.
#[derive(Clone, Debug, PartialEq)]
pub struct ForeignTablePart {
    pub server: Ident,
    pub options: Vec<DefElem>,
}

/// An element of a table definition.
#[derive(Clone, Debug, PartialEq)]
pub enum TableElement {
    Column(Box<ColumnDef>),
    Constraint(Box<Constraint>),
    Like(Box<TableLikeClause>),
}

/// A column definition.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnDef {
    pub name: Ident,
    /// `None` in typed tables and partitions (WITH OPTIONS).
    pub type_name: Option<TypeName>,
    pub compression: Option<Ident>,
    /// STORAGE word; DEFAULT is `default`.
    pub storage: Option<Ident>,
    pub collation: Option<CollateClause>,
    pub constraints: Vec<Constraint>,
    pub fdwoptions: Vec<DefElem>,
    pub span: Span,
}

/// LIKE in a table definition; options as in PostgreSQL's CREATE_TABLE_LIKE_* bits.
#[derive(Clone, Debug, PartialEq)]
pub struct TableLikeClause {
    pub relation: RangeVar,
    pub options: u32,
    pub span: Span,
}

impl TableLikeClause {
    pub const COMMENTS: u32 = 1;
    pub const COMPRESSION: u32 = 1 << 1;
    pub const CONSTRAINTS: u32 = 1 << 2;
    pub const DEFAULTS: u32 = 1 << 3;
    pub const GENERATED: u32 = 1 << 4;
    pub const IDENTITY: u32 = 1 << 5;
    pub const INDEXES: u32 = 1 << 6;
    pub const STATISTICS: u32 = 1 << 7;
    pub const STORAGE: u32 = 1 << 8;
    pub const ALL: u32 = 0x7FFF_FFFF;
}

/// PARTITION BY.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionSpec {
    pub strategy: PartitionStrategy,
    pub part_params: Vec<PartitionElem>,
    pub span: Span,
}

/// LIST, RANGE, HASH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartitionStrategy {
    List,
    Range,
    Hash,
}

/// A partition key column or expression.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionElem {
    pub name: Option<Ident>,
    pub expr: Option<Expr>,
    pub collation: NameList,
    pub opclass: NameList,
    pub span: Span,
}

/// FOR VALUES ... or DEFAULT.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionBoundSpec {
    pub bound: PartitionBound,
    pub span: Span,
}

/// The forms of bound. MINVALUE and MAXVALUE of ranges arrive as column references, as in PostgreSQL.
#[derive(Clone, Debug, PartialEq)]
pub enum PartitionBound {
    Default,
    List(Vec<Expr>),
    Range { lower: Vec<Expr>, upper: Vec<Expr> },
    Hash { modulus: i32, remainder: i32 },
}

/// Kinds of constraint (column attributes included, as in PostgreSQL).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConstrType {
    Null,
    NotNull,
    Default,
    Identity,
    Generated,
    Check,
    Primary,
    Unique,
    Exclusion,
    Foreign,
    AttrDeferrable,
    AttrNotDeferrable,
    AttrDeferred,
    AttrImmediate,
    AttrEnforced,
    AttrNotEnforced,
}

/// MATCH of a foreign key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum FkMatchType {
    #[default]
    Simple,
    Full,
    Partial,
}

/// ON UPDATE, ON DELETE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum FkAction {
    #[default]
    NoAction,
    Restrict,
    Cascade,
    SetNull,
    SetDefault,
}

/// ALWAYS or BY DEFAULT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum GeneratedWhen {
    #[default]
    Always,
    ByDefault,
}

/// One element of EXCLUDE: an index element and an operator.
#[derive(Clone, Debug, PartialEq)]
pub struct ExclusionElem {
    pub elem: IndexElem,
    pub operator: NameList,
}

/// A column or table constraint.
#[derive(Clone, Debug, PartialEq)]
pub struct Constraint {
    pub contype: ConstrType,
    pub conname: Option<Ident>,
    pub deferrable: bool,
    pub initdeferred: bool,
    pub is_enforced: bool,
    pub skip_validation: bool,
    pub initially_valid: bool,
    pub is_no_inherit: bool,
    /// CHECK or DEFAULT or GENERATED expression.
    pub raw_expr: Option<Expr>,
    pub generated_when: GeneratedWhen,
    /// True for VIRTUAL, false for STORED; virtual is the default.
    pub generated_virtual: bool,
    /// Sequence options of IDENTITY.
    pub options: Vec<DefElem>,
    pub nulls_not_distinct: bool,
    /// Columns of UNIQUE, PRIMARY KEY, NOT NULL.
    pub keys: Vec<Ident>,
    pub without_overlaps: bool,
    pub including: Vec<Ident>,
    pub exclusions: Vec<ExclusionElem>,
    /// WITH (...) of an index-backed constraint.
    pub index_options: Vec<DefElem>,
    /// USING INDEX.
    pub indexname: Option<Ident>,
    pub indexspace: Option<Ident>,
    pub access_method: Option<Ident>,
    pub where_clause: Option<Expr>,
    pub pktable: Option<RangeVar>,
    pub fk_attrs: Vec<Ident>,
    pub pk_attrs: Vec<Ident>,
    pub fk_with_period: bool,
    pub pk_with_period: bool,
    pub fk_matchtype: FkMatchType,
    pub fk_upd_action: FkAction,
    pub fk_del_action: FkAction,
    pub fk_del_set_cols: Vec<Ident>,
    pub span: Span,
}

impl Constraint {
    /// A constraint of the given kind with everything else at its default.
    pub fn new(contype: ConstrType, span: Span) -> Constraint {
        Constraint {
            contype,
            conname: None,
            deferrable: false,
            initdeferred: false,
            is_enforced: true,
            skip_validation: false,
            initially_valid: true,
            is_no_inherit: false,
            raw_expr: None,
            generated_when: GeneratedWhen::Always,
            generated_virtual: true,
            options: Vec::new(),
            nulls_not_distinct: false,
            keys: Vec::new(),
            without_overlaps: false,
            including: Vec::new(),
            exclusions: Vec::new(),
            index_options: Vec::new(),
            indexname: None,
            indexspace: None,
            access_method: None,
            where_clause: None,
            pktable: None,
            fk_attrs: Vec::new(),
            pk_attrs: Vec::new(),
            fk_with_period: false,
            pk_with_period: false,
            fk_matchtype: FkMatchType::Simple,
            fk_upd_action: FkAction::NoAction,
            fk_del_action: FkAction::NoAction,
            fk_del_set_cols: Vec::new(),
            span,
        }
    }
}

/// ALTER TABLE, INDEX, SEQUENCE, VIEW, MATERIALIZED VIEW, FOREIGN TABLE, TYPE (composite).
#[derive(Clone, Debug, PartialEq)]
pub struct AlterTableStmt {
    pub relation: RangeVar,
    pub cmds: Vec<AlterTableCmd>,
    pub objtype: ObjectType,
    pub missing_ok: bool,
    pub span: Span,
}

/// One subcommand.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterTableCmd {
    pub action: AlterTableAction,
    pub span: Span,
}

/// Enabling of triggers and rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnableState {
    Enable,
    EnableAlways,
    EnableReplica,
    Disable,
}

/// Which triggers.
#[derive(Clone, Debug, PartialEq)]
pub enum TriggerTarget {
    Name(Ident),
    All,
    User,
}

/// REPLICA IDENTITY.
#[derive(Clone, Debug, PartialEq)]
pub enum ReplicaIdentity {
    Nothing,
    Full,
    Default,
    Index(Ident),
}

/// What a subcommand of ALTER TABLE does.
#[derive(Clone, Debug, PartialEq)]
pub enum AlterTableAction {
    AddColumn {
        def: Box<ColumnDef>,
        missing_ok: bool,
    },
    DropColumn {
        name: Ident,
        missing_ok: bool,
        behavior: DropBehavior,
    },
    AlterColumnType {
        name: Ident,
        type_name: TypeName,
        collation: Option<CollateClause>,
        using: Option<Expr>,
    },
    /// `None` drops the default.
    ColumnDefault {
        name: Ident,
        default: Option<Expr>,
    },
    SetNotNull(Ident),
    DropNotNull(Ident),
    SetExpression {
        name: Ident,
        expr: Expr,
    },
    DropExpression {
        name: Ident,
        missing_ok: bool,
    },
    /// `None` is DEFAULT (-1); `num` selects an index column by number.
    SetStatistics {
        name: Option<Ident>,
        num: i32,
        value: Option<i32>,
    },
    /// SET (...) or RESET (...) of column options.
    SetOptions {
        name: Ident,
        options: Vec<DefElem>,
    },
    ResetOptions {
        name: Ident,
        options: Vec<DefElem>,
    },
    SetStorage {
        name: Ident,
        storage: Ident,
    },
    SetCompression {
        name: Ident,
        method: Ident,
    },
    AddIdentity {
        name: Ident,
        constraint: Box<Constraint>,
    },
    SetIdentity {
        name: Ident,
        options: Vec<DefElem>,
    },
    DropIdentity {
        name: Ident,
        missing_ok: bool,
    },
    AlterColumnGenericOptions {
        name: Ident,
        options: Vec<DefElem>,
    },
    AddConstraint(Box<Constraint>),
    AlterConstraint {
        name: Ident,
        /// [NOT] ENFORCED, if written.
        enforced: Option<bool>,
        /// [NOT] DEFERRABLE / INITIALLY, if any was written: (deferrable, initdeferred).
        deferrability: Option<(bool, bool)>,
        /// INHERIT / NO INHERIT, if written: the value of no-inherit.
        no_inherit: Option<bool>,
    },
    ValidateConstraint(Ident),
    DropConstraint {
        name: Ident,
        missing_ok: bool,
        behavior: DropBehavior,
    },
    ClusterOn(Ident),
    DropCluster,
    SetLogged,
    SetUnlogged,
    DropOids,
    SetTablespace(Ident),
    /// `None` is DEFAULT.
    SetAccessMethod(Option<Ident>),
    SetRelOptions(Vec<DefElem>),
    ResetRelOptions(Vec<DefElem>),
    Trigger {
        state: EnableState,
        target: TriggerTarget,
    },
    Rule {
        state: EnableState,
        name: Ident,
    },
    AddInherit(RangeVar),
    DropInherit(RangeVar),
    AddOf(TypeName),
    DropOf,
    ChangeOwner(RoleSpec),
    ReplicaIdentity(ReplicaIdentity),
    EnableRowSecurity,
    DisableRowSecurity,
    ForceRowSecurity,
    NoForceRowSecurity,
    GenericOptions(Vec<DefElem>),
    /// For an index only the name is given.
    AttachPartition {
        name: RangeVar,
        bound: Option<Box<PartitionBoundSpec>>,
    },
    DetachPartition {
        name: RangeVar,
        concurrent: bool,
    },
    DetachPartitionFinalize(RangeVar),
    /// ALTER TYPE ... ADD ATTRIBUTE and relatives.
    AddAttribute {
        def: Box<ColumnDef>,
        behavior: DropBehavior,
    },
    DropAttribute {
        name: Ident,
        missing_ok: bool,
        behavior: DropBehavior,
    },
    AlterAttributeType {
        name: Ident,
        type_name: TypeName,
        collation: Option<CollateClause>,
        behavior: DropBehavior,
    },
}

/// ALTER TABLE ALL IN TABLESPACE.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterTableMoveAllStmt {
    pub orig_tablespace: Ident,
    pub objtype: ObjectType,
    pub roles: Vec<RoleSpec>,
    pub new_tablespace: Ident,
    pub nowait: bool,
    pub span: Span,
}

/// A key column or expression of an index.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexElem {
    pub name: Option<Ident>,
    pub expr: Option<Expr>,
    pub collation: NameList,
    pub opclass: NameList,
    pub opclass_opts: Vec<DefElem>,
    pub ordering: SortByDir,
    pub nulls_ordering: SortByNulls,
    pub span: Span,
}

/// CREATE INDEX.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexStmt {
    pub idxname: Option<Ident>,
    pub relation: RangeVar,
    pub access_method: Option<Ident>,
    pub params: Vec<IndexElem>,
    pub including_params: Vec<IndexElem>,
    pub options: Vec<DefElem>,
    pub tablespace: Option<Ident>,
    pub where_clause: Option<Expr>,
    pub unique: bool,
    pub nulls_not_distinct: bool,
    pub concurrent: bool,
    pub if_not_exists: bool,
    pub span: Span,
}

/// CREATE TABLE AS, CREATE MATERIALIZED VIEW.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateTableAsStmt {
    /// A SELECT or an EXECUTE.
    pub query: Statement,
    pub into: Box<IntoClause>,
    /// Table or MatView.
    pub objtype: ObjectType,
    pub if_not_exists: bool,
    pub span: Span,
}

/// REFRESH MATERIALIZED VIEW.
#[derive(Clone, Debug, PartialEq)]
pub struct RefreshMatViewStmt {
    pub concurrent: bool,
    pub skip_data: bool,
    pub relation: RangeVar,
    pub span: Span,
}

/// WITH CHECK OPTION.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ViewCheckOption {
    #[default]
    None,
    Local,
    Cascaded,
}

/// CREATE VIEW. A recursive view's query is already wrapped in WITH RECURSIVE.
#[derive(Clone, Debug, PartialEq)]
pub struct ViewStmt {
    pub view: RangeVar,
    pub aliases: Vec<Ident>,
    pub query: Box<SelectStmt>,
    pub replace: bool,
    pub options: Vec<DefElem>,
    pub with_check_option: ViewCheckOption,
    pub span: Span,
}

/// CREATE SEQUENCE.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateSeqStmt {
    pub sequence: RangeVar,
    pub options: Vec<DefElem>,
    pub if_not_exists: bool,
    pub span: Span,
}

/// ALTER SEQUENCE.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterSeqStmt {
    pub sequence: RangeVar,
    pub options: Vec<DefElem>,
    pub missing_ok: bool,
    pub span: Span,
}

/// TRUNCATE.
#[derive(Clone, Debug, PartialEq)]
pub struct TruncateStmt {
    pub relations: Vec<RangeVar>,
    pub restart_seqs: bool,
    pub behavior: DropBehavior,
    pub span: Span,
}

/// CREATE STATISTICS.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateStatsStmt {
    /// Empty when the name is to be chosen.
    pub defnames: NameList,
    pub stat_types: Vec<Ident>,
    pub exprs: Vec<StatsElem>,
    pub relations: Vec<crate::ast::TableRef>,
    pub if_not_exists: bool,
    pub span: Span,
}

/// A column or expression of extended statistics.
#[derive(Clone, Debug, PartialEq)]
pub enum StatsElem {
    Name(Ident),
    Expr(Expr),
}

/// ALTER STATISTICS ... SET STATISTICS.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterStatsStmt {
    pub defnames: NameList,
    /// `None` is DEFAULT.
    pub stxstattarget: Option<i32>,
    pub missing_ok: bool,
    pub span: Span,
}
