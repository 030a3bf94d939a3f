//! Functions, procedures, triggers, rules, operators and their kin.
#![allow(missing_docs, reason = "variants and fields carry PostgreSQL's names")]

use common::Span;

use crate::ast::{
    DefElem, DropBehavior, Expr, FuncCall, Ident, Name, NameList, ObjectType, ObjectWithArgs, RangeVar,
    RoleSpec, Statement, TypeName,
};

/// IN, OUT, INOUT, VARIADIC, TABLE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum FunctionParameterMode {
    /// No mode was written: IN.
    #[default]
    Default,
    In,
    Out,
    InOut,
    Variadic,
    /// Column of RETURNS TABLE.
    Table,
}

/// A parameter of a routine.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionParameter {
    pub name: Option<Ident>,
    pub arg_type: TypeName,
    pub mode: FunctionParameterMode,
    pub defexpr: Option<Expr>,
    pub span: Span,
}

/// CREATE FUNCTION, CREATE PROCEDURE.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateFunctionStmt {
    pub is_procedure: bool,
    pub replace: bool,
    pub funcname: NameList,
    pub parameters: Vec<FunctionParameter>,
    pub return_type: Option<TypeName>,
    /// LANGUAGE, AS (one or two strings), volatility ... under PostgreSQL's option names.
    pub options: Vec<DefElem>,
    pub sql_body: Option<Box<SqlBody>>,
    pub span: Span,
}

/// The body of an SQL-standard routine.
#[derive(Clone, Debug, PartialEq)]
pub enum SqlBody {
    /// RETURN expr.
    Return(ReturnStmt),
    /// BEGIN ATOMIC ... END.
    Atomic(Vec<Statement>),
}

/// RETURN in an SQL routine body.
#[derive(Clone, Debug, PartialEq)]
pub struct ReturnStmt {
    pub returnval: Expr,
    pub span: Span,
}

/// ALTER FUNCTION, PROCEDURE, ROUTINE (options).
#[derive(Clone, Debug, PartialEq)]
pub struct AlterFunctionStmt {
    pub objtype: ObjectType,
    pub func: ObjectWithArgs,
    pub actions: Vec<DefElem>,
    pub span: Span,
}

/// DO.
#[derive(Clone, Debug, PartialEq)]
pub struct DoStmt {
    pub args: Vec<DefElem>,
    pub span: Span,
}

/// CALL.
#[derive(Clone, Debug, PartialEq)]
pub struct CallStmt {
    pub funccall: FuncCall,
    pub span: Span,
}

/// When a trigger fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TriggerTiming {
    Before,
    After,
    InsteadOf,
}

/// The events of a trigger.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct TriggerEvents {
    pub insert: bool,
    pub delete: bool,
    pub update: bool,
    pub truncate: bool,
    /// UPDATE OF.
    pub columns: Vec<Ident>,
}

/// REFERENCING.
#[derive(Clone, Debug, PartialEq)]
pub struct TriggerTransition {
    pub name: Ident,
    pub is_new: bool,
    pub is_table: bool,
}

/// CREATE TRIGGER.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateTrigStmt {
    pub replace: bool,
    pub isconstraint: bool,
    pub trigname: Ident,
    pub relation: RangeVar,
    pub funcname: NameList,
    /// Arguments as text.
    pub args: Vec<Name>,
    pub row: bool,
    pub timing: TriggerTiming,
    pub events: TriggerEvents,
    pub when_clause: Option<Expr>,
    pub transition_rels: Vec<TriggerTransition>,
    pub deferrable: bool,
    pub initdeferred: bool,
    pub constrrel: Option<RangeVar>,
    pub span: Span,
}

/// CREATE EVENT TRIGGER.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateEventTrigStmt {
    pub trigname: Ident,
    pub eventname: Ident,
    /// Filter variables: each a list of strings.
    pub whenclause: Vec<DefElem>,
    pub funcname: NameList,
    pub span: Span,
}

/// ALTER EVENT TRIGGER ... ENABLE/DISABLE.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterEventTrigStmt {
    pub trigname: Ident,
    pub state: crate::ast::EnableState,
    pub span: Span,
}

/// What a rule reacts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleEvent {
    Select,
    Update,
    Insert,
    Delete,
}

/// CREATE RULE.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleStmt {
    pub relation: RangeVar,
    pub rulename: Ident,
    pub where_clause: Option<Expr>,
    pub event: RuleEvent,
    pub instead: bool,
    /// Empty for NOTHING.
    pub actions: Vec<Statement>,
    pub replace: bool,
    pub span: Span,
}

/// CREATE AGGREGATE, OPERATOR, TYPE (base or shell), TEXT SEARCH ..., COLLATION.
#[derive(Clone, Debug, PartialEq)]
pub struct DefineStmt {
    pub kind: ObjectType,
    /// Old-style aggregate without an argument list.
    pub oldstyle: bool,
    pub defnames: NameList,
    /// Aggregate parameters; `None` stands for `(*)` or no list.
    pub args: Option<AggregateArgs>,
    pub definition: Vec<DefElem>,
    pub if_not_exists: bool,
    pub replace: bool,
    pub span: Span,
}

/// The parameters of an aggregate; `direct_args` is set for ordered-set aggregates.
#[derive(Clone, Debug, PartialEq)]
pub struct AggregateArgs {
    pub parameters: Vec<FunctionParameter>,
    pub direct_args: Option<u32>,
}

/// One item of an operator class or family.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateOpClassItem {
    pub item: OpClassItem,
    pub span: Span,
}

/// The forms of item.
#[derive(Clone, Debug, PartialEq)]
pub enum OpClassItem {
    Operator {
        number: i32,
        name: ObjectWithArgs,
        order_family: NameList,
    },
    Function {
        number: i32,
        class_args: Vec<TypeName>,
        name: ObjectWithArgs,
    },
    Storage(TypeName),
    /// ALTER OPERATOR FAMILY ... DROP: by number and types.
    DropOperator {
        number: i32,
        args: Vec<TypeName>,
    },
    DropFunction {
        number: i32,
        args: Vec<TypeName>,
    },
}

/// CREATE OPERATOR CLASS.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateOpClassStmt {
    pub opclassname: NameList,
    pub opfamilyname: NameList,
    pub amname: Ident,
    pub datatype: TypeName,
    pub items: Vec<CreateOpClassItem>,
    pub is_default: bool,
    pub span: Span,
}

/// CREATE OPERATOR FAMILY.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateOpFamilyStmt {
    pub opfamilyname: NameList,
    pub amname: Ident,
    pub span: Span,
}

/// ALTER OPERATOR FAMILY ADD/DROP.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterOpFamilyStmt {
    pub opfamilyname: NameList,
    pub amname: Ident,
    pub is_drop: bool,
    pub items: Vec<CreateOpClassItem>,
    pub span: Span,
}

/// ALTER OPERATOR ... SET.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterOperatorStmt {
    pub opername: ObjectWithArgs,
    pub options: Vec<DefElem>,
    pub span: Span,
}

/// ALTER TYPE ... SET (options).
#[derive(Clone, Debug, PartialEq)]
pub struct AlterTypeStmt {
    pub type_name: NameList,
    pub options: Vec<DefElem>,
    pub span: Span,
}

/// IMPLICIT, ASSIGNMENT or explicit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum CoercionContext {
    Implicit,
    Assignment,
    #[default]
    Explicit,
}

/// CREATE CAST.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateCastStmt {
    pub source_type: TypeName,
    pub target_type: TypeName,
    pub func: Option<ObjectWithArgs>,
    pub context: CoercionContext,
    pub inout: bool,
    pub span: Span,
}

/// CREATE TRANSFORM.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateTransformStmt {
    pub replace: bool,
    pub type_name: TypeName,
    pub lang: Ident,
    pub from_sql: Option<ObjectWithArgs>,
    pub to_sql: Option<ObjectWithArgs>,
    pub span: Span,
}

/// CREATE CONVERSION.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateConversionStmt {
    pub conversion_name: NameList,
    pub for_encoding: Name,
    pub to_encoding: Name,
    pub func_name: NameList,
    pub is_default: bool,
    pub span: Span,
}

/// CREATE LANGUAGE with a handler.
#[derive(Clone, Debug, PartialEq)]
pub struct CreatePLangStmt {
    pub replace: bool,
    pub plname: Ident,
    pub plhandler: NameList,
    pub plinline: NameList,
    pub plvalidator: NameList,
    pub pltrusted: bool,
    pub span: Span,
}

/// CREATE ACCESS METHOD.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateAmStmt {
    pub amname: Ident,
    pub handler_name: NameList,
    /// True for TABLE, false for INDEX.
    pub is_table: bool,
    pub span: Span,
}

/// CREATE TYPE name AS (...).
#[derive(Clone, Debug, PartialEq)]
pub struct CompositeTypeStmt {
    pub typevar: RangeVar,
    pub coldeflist: Vec<crate::ast::ColumnDefItem>,
    pub span: Span,
}

/// CREATE TYPE name AS ENUM.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateEnumStmt {
    pub type_name: NameList,
    pub vals: Vec<Ident>,
    pub span: Span,
}

/// CREATE TYPE name AS RANGE.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateRangeStmt {
    pub type_name: NameList,
    pub params: Vec<DefElem>,
    pub span: Span,
}

/// ALTER TYPE ... ADD VALUE, RENAME VALUE, DROP VALUE (refused).
#[derive(Clone, Debug, PartialEq)]
pub struct AlterEnumStmt {
    pub type_name: NameList,
    /// Set for RENAME VALUE.
    pub old_val: Option<Ident>,
    pub new_val: Option<Ident>,
    pub neighbor: Option<Ident>,
    pub new_val_is_after: bool,
    pub skip_if_new_val_exists: bool,
    pub span: Span,
}

/// CREATE DOMAIN.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateDomainStmt {
    pub domainname: NameList,
    pub type_name: TypeName,
    pub collation: Option<crate::ast::CollateClause>,
    pub constraints: Vec<crate::ast::Constraint>,
    pub span: Span,
}

/// What ALTER DOMAIN does.
#[derive(Clone, Debug, PartialEq)]
pub enum AlterDomainAction {
    /// `None` drops the default.
    Default(Option<Expr>),
    DropNotNull,
    SetNotNull,
    AddConstraint(Box<crate::ast::Constraint>),
    DropConstraint {
        name: Ident,
        missing_ok: bool,
        behavior: DropBehavior,
    },
    ValidateConstraint(Ident),
}

/// ALTER DOMAIN.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterDomainStmt {
    pub type_name: NameList,
    pub action: AlterDomainAction,
    pub span: Span,
}

/// ALTER TEXT SEARCH DICTIONARY (options).
#[derive(Clone, Debug, PartialEq)]
pub struct AlterTsDictionaryStmt {
    pub dictname: NameList,
    pub options: Vec<DefElem>,
    pub span: Span,
}

/// The forms of ALTER TEXT SEARCH CONFIGURATION.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlterTsConfigType {
    AddMapping,
    AlterMappingForToken,
    ReplaceDict,
    ReplaceDictForToken,
    DropMapping,
}

/// ALTER TEXT SEARCH CONFIGURATION.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterTsConfigurationStmt {
    pub kind: AlterTsConfigType,
    pub cfgname: NameList,
    pub tokentype: Vec<Ident>,
    pub dicts: Vec<NameList>,
    pub missing_ok: bool,
    pub span: Span,
}

/// CREATE POLICY.
#[derive(Clone, Debug, PartialEq)]
pub struct CreatePolicyStmt {
    pub policy_name: Ident,
    pub table: RangeVar,
    /// `all`, `select`, `insert`, `update` or `delete`.
    pub cmd_name: Name,
    pub permissive: bool,
    pub roles: Vec<RoleSpec>,
    pub qual: Option<Expr>,
    pub with_check: Option<Expr>,
    pub span: Span,
}

/// ALTER POLICY.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterPolicyStmt {
    pub policy_name: Ident,
    pub table: RangeVar,
    pub roles: Option<Vec<RoleSpec>>,
    pub qual: Option<Expr>,
    pub with_check: Option<Expr>,
    pub span: Span,
}
