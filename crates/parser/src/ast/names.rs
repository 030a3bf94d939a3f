//! Names, types and generic options: the parts that every statement is made of.
#![allow(missing_docs, reason = "variants and fields carry PostgreSQL's names")]

use common::Span;
use smol_str::SmolStr;

use crate::ast::{Expr, FunctionParameter, VariableSetStmt};

/// An identifier's or literal's text; up to 23 bytes are stored inline.
pub type Name = SmolStr;

/// One identifier (folded or unquoted) and where it stood.
#[derive(Clone, Debug, PartialEq)]
pub struct Ident {
    pub name: Name,
    pub span: Span,
}

impl Ident {
    /// Text with a place.
    pub fn new(name: impl Into<Name>, span: Span) -> Ident {
        Ident {
            name: name.into(),
            span,
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.name.as_str()
    }
}

/// A possibly qualified name, outermost part first (PostgreSQL's list of String nodes).
pub type NameList = Vec<Ident>;

/// `relpersistence` of a relation to be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Persistence {
    #[default]
    Permanent,
    Unlogged,
    Temp,
}

/// A relation by name: `[ONLY] [catalog.][schema.]relation [AS alias]`.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeVar {
    pub catalog: Option<Ident>,
    pub schema: Option<Ident>,
    pub relation: Ident,
    /// False after ONLY.
    pub inh: bool,
    pub persistence: Persistence,
    pub alias: Option<Box<Alias>>,
    pub span: Span,
}

impl RangeVar {
    /// A relation of a schema, as if written so.
    pub fn qualified(schema: &str, relation: &str) -> RangeVar {
        RangeVar {
            catalog: None,
            schema: Some(Ident::new(schema, Span::NONE)),
            relation: Ident::new(relation, Span::NONE),
            inh: true,
            persistence: Persistence::Permanent,
            alias: None,
            span: Span::NONE,
        }
    }
}

/// `AS name [(columns)]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Alias {
    pub name: Ident,
    pub columns: Vec<Ident>,
    pub span: Span,
}

/// A type as written: name, modifiers, array bounds.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeName {
    pub names: NameList,
    pub setof: bool,
    /// `column%TYPE`: `names` is a column, not a type.
    pub pct_type: bool,
    pub typmods: Vec<Expr>,
    /// One entry per dimension; -1 when no bound was given.
    pub array_bounds: Vec<i32>,
    pub span: Span,
}

/// ASC, DESC or USING.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SortByDir {
    #[default]
    Default,
    Asc,
    Desc,
    Using,
}

/// NULLS FIRST or LAST.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SortByNulls {
    #[default]
    Default,
    First,
    Last,
}

/// CASCADE or RESTRICT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DropBehavior {
    #[default]
    Restrict,
    Cascade,
}

/// What an ALTER of options does to one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DefElemAction {
    #[default]
    Unspec,
    Set,
    Add,
    Drop,
}

/// One `name [= value]` of any option list; options that are key words carry PostgreSQL's internal option name.
#[derive(Clone, Debug, PartialEq)]
pub struct DefElem {
    pub namespace: Option<Name>,
    pub name: Name,
    pub arg: Option<DefArg>,
    pub action: DefElemAction,
    pub span: Span,
}

/// The value of an option.
#[derive(Clone, Debug, PartialEq)]
pub enum DefArg {
    Integer(i32),
    /// A number that is no int4, as written (with its sign).
    Float(Name),
    Boolean(bool),
    /// A string literal, or a key word's text.
    String(Name),
    TypeName(Box<TypeName>),
    /// A name (qualified operator names, columns, owners...).
    Names(NameList),
    List(Vec<DefArg>),
    Star,
    Role(RoleSpec),
    RangeVar(Box<RangeVar>),
    VariableSet(Box<VariableSetStmt>),
    Options(Vec<DefElem>),
    Expr(Box<Expr>),
    /// The argument types of an operator-like option.
    Parameters(Vec<FunctionParameter>),
}

/// A role as written.
#[derive(Clone, Debug, PartialEq)]
pub struct RoleSpec {
    pub role: RoleSpecType,
    pub span: Span,
}

/// The ways to name a role.
#[derive(Clone, Debug, PartialEq)]
pub enum RoleSpecType {
    CString(Name),
    CurrentRole,
    CurrentUser,
    SessionUser,
    Public,
}

/// A function, procedure, aggregate or operator with its argument types.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectWithArgs {
    pub name: NameList,
    /// Input argument types; `None` stands for a missing operand of an operator (NONE).
    pub args: Vec<Option<TypeName>>,
    /// All parameters as written, for routines.
    pub func_args: Vec<FunctionParameter>,
    /// No argument list was given.
    pub args_unspecified: bool,
    pub span: Span,
}

/// The kinds of object that the generic statements (DROP, COMMENT, ALTER ... RENAME/OWNER/SET SCHEMA) name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObjectType {
    AccessMethod,
    Aggregate,
    Amop,
    Amproc,
    Attribute,
    Cast,
    Column,
    Collation,
    Conversion,
    Database,
    Default,
    DefaultAcl,
    Domain,
    DomConstraint,
    EventTrigger,
    Extension,
    Fdw,
    ForeignServer,
    ForeignTable,
    Function,
    Index,
    Language,
    LargeObject,
    MatView,
    OpClass,
    Operator,
    OpFamily,
    ParameterAcl,
    Policy,
    Procedure,
    Publication,
    PublicationNamespace,
    PublicationRel,
    Role,
    Routine,
    Rule,
    Schema,
    Sequence,
    Subscription,
    StatisticExt,
    TabConstraint,
    Table,
    Tablespace,
    Transform,
    Trigger,
    TsConfiguration,
    TsDictionary,
    TsParser,
    TsTemplate,
    Type,
    UserMapping,
    View,
}

/// How a generic statement names its object.
#[derive(Clone, Debug, PartialEq)]
pub enum ObjectName {
    /// A qualified name. Where PostgreSQL packs several names into one list, so does this: `access_method, class...`
    /// for operator classes and families, `table..., trigger` for triggers, rules, policies and table constraints.
    Name(NameList),
    Type(Box<TypeName>),
    WithArgs(Box<ObjectWithArgs>),
    /// CAST (source AS target).
    TypePair(Box<TypeName>, Box<TypeName>),
    /// Constraint of a domain, or TRANSFORM FOR type LANGUAGE name.
    TypeAndName(Box<TypeName>, Ident),
    /// A large object's OID as a numeric constant.
    LargeObject(Box<Expr>),
}
