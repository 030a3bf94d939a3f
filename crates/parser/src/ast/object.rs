//! Statements that treat all kinds of object alike, and schemas, extensions, foreign data, publications.
#![allow(missing_docs, reason = "variants and fields carry PostgreSQL's names")]

use common::Span;

use crate::ast::{
    DefElem, DropBehavior, Expr, Ident, Name, NameList, ObjectName, ObjectType, RangeVar, RoleSpec, Statement,
};

/// DROP of everything that has names or signatures.
#[derive(Clone, Debug, PartialEq)]
pub struct DropStmt {
    pub objects: Vec<ObjectName>,
    pub remove_type: ObjectType,
    pub behavior: DropBehavior,
    pub missing_ok: bool,
    pub concurrent: bool,
    pub span: Span,
}

/// COMMENT ON.
#[derive(Clone, Debug, PartialEq)]
pub struct CommentStmt {
    pub objtype: ObjectType,
    pub object: ObjectName,
    /// `None` removes it.
    pub comment: Option<Name>,
    pub span: Span,
}

/// SECURITY LABEL.
#[derive(Clone, Debug, PartialEq)]
pub struct SecLabelStmt {
    pub objtype: ObjectType,
    pub object: ObjectName,
    pub provider: Option<Ident>,
    pub label: Option<Name>,
    pub span: Span,
}

/// ALTER ... RENAME.
#[derive(Clone, Debug, PartialEq)]
pub struct RenameStmt {
    pub rename_type: ObjectType,
    /// Relation kind when a column or attribute is renamed.
    pub relation_type: Option<ObjectType>,
    pub relation: Option<RangeVar>,
    pub object: Option<ObjectName>,
    /// Name of the contained object (column, trigger, rule, constraint) or of an unqualified one.
    pub subname: Option<Ident>,
    pub newname: Ident,
    pub behavior: DropBehavior,
    pub missing_ok: bool,
    pub span: Span,
}

/// ALTER ... SET SCHEMA.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterObjectSchemaStmt {
    pub object_type: ObjectType,
    pub relation: Option<RangeVar>,
    pub object: Option<ObjectName>,
    pub newschema: Ident,
    pub missing_ok: bool,
    pub span: Span,
}

/// ALTER ... OWNER TO (other than of relations).
#[derive(Clone, Debug, PartialEq)]
pub struct AlterOwnerStmt {
    pub object_type: ObjectType,
    pub object: ObjectName,
    pub newowner: RoleSpec,
    pub span: Span,
}

/// ALTER ... [NO] DEPENDS ON EXTENSION.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterObjectDependsStmt {
    pub object_type: ObjectType,
    pub relation: Option<RangeVar>,
    pub object: Option<ObjectName>,
    pub extname: Ident,
    pub remove: bool,
    pub span: Span,
}

/// ALTER COLLATION ... REFRESH VERSION.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterCollationStmt {
    pub collname: NameList,
    pub span: Span,
}

/// CREATE SCHEMA with its elements.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateSchemaStmt {
    pub schemaname: Option<Ident>,
    pub authrole: Option<RoleSpec>,
    pub schema_elts: Vec<Statement>,
    pub if_not_exists: bool,
    pub span: Span,
}

/// CREATE EXTENSION.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateExtensionStmt {
    pub extname: Ident,
    pub if_not_exists: bool,
    pub options: Vec<DefElem>,
    pub span: Span,
}

/// ALTER EXTENSION ... UPDATE.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterExtensionStmt {
    pub extname: Ident,
    pub options: Vec<DefElem>,
    pub span: Span,
}

/// ALTER EXTENSION ... ADD/DROP object.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterExtensionContentsStmt {
    pub extname: Ident,
    pub is_add: bool,
    pub objtype: ObjectType,
    pub object: ObjectName,
    pub span: Span,
}

/// CREATE FOREIGN DATA WRAPPER.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateFdwStmt {
    pub fdwname: Ident,
    pub func_options: Vec<DefElem>,
    pub options: Vec<DefElem>,
    pub span: Span,
}

/// ALTER FOREIGN DATA WRAPPER.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterFdwStmt {
    pub fdwname: Ident,
    pub func_options: Vec<DefElem>,
    pub options: Vec<DefElem>,
    pub span: Span,
}

/// CREATE SERVER.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateForeignServerStmt {
    pub servername: Ident,
    pub servertype: Option<Name>,
    pub version: Option<Name>,
    pub fdwname: Ident,
    pub if_not_exists: bool,
    pub options: Vec<DefElem>,
    pub span: Span,
}

/// ALTER SERVER.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterForeignServerStmt {
    pub servername: Ident,
    /// Inner `None` is VERSION NULL.
    pub version: Option<Option<Name>>,
    pub options: Vec<DefElem>,
    pub span: Span,
}

/// CREATE USER MAPPING.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateUserMappingStmt {
    pub user: RoleSpec,
    pub servername: Ident,
    pub if_not_exists: bool,
    pub options: Vec<DefElem>,
    pub span: Span,
}

/// ALTER USER MAPPING.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterUserMappingStmt {
    pub user: RoleSpec,
    pub servername: Ident,
    pub options: Vec<DefElem>,
    pub span: Span,
}

/// DROP USER MAPPING.
#[derive(Clone, Debug, PartialEq)]
pub struct DropUserMappingStmt {
    pub user: RoleSpec,
    pub servername: Ident,
    pub missing_ok: bool,
    pub span: Span,
}

/// LIMIT TO, EXCEPT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ImportForeignSchemaType {
    #[default]
    All,
    LimitTo,
    Except,
}

/// IMPORT FOREIGN SCHEMA.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportForeignSchemaStmt {
    pub server_name: Ident,
    pub remote_schema: Ident,
    pub local_schema: Ident,
    pub list_type: ImportForeignSchemaType,
    pub table_list: Vec<RangeVar>,
    pub options: Vec<DefElem>,
    pub span: Span,
}

/// CREATE TABLESPACE.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateTableSpaceStmt {
    pub tablespacename: Ident,
    pub owner: Option<RoleSpec>,
    pub location: Name,
    pub options: Vec<DefElem>,
    pub span: Span,
}

/// DROP TABLESPACE.
#[derive(Clone, Debug, PartialEq)]
pub struct DropTableSpaceStmt {
    pub tablespacename: Ident,
    pub missing_ok: bool,
    pub span: Span,
}

/// ALTER TABLESPACE SET/RESET.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterTableSpaceOptionsStmt {
    pub tablespacename: Ident,
    pub options: Vec<DefElem>,
    pub is_reset: bool,
    pub span: Span,
}

/// CREATE DATABASE.
#[derive(Clone, Debug, PartialEq)]
pub struct CreatedbStmt {
    pub dbname: Ident,
    pub options: Vec<DefElem>,
    pub span: Span,
}

/// DROP DATABASE.
#[derive(Clone, Debug, PartialEq)]
pub struct DropdbStmt {
    pub dbname: Ident,
    pub missing_ok: bool,
    pub options: Vec<DefElem>,
    pub span: Span,
}

/// ALTER DATABASE (options).
#[derive(Clone, Debug, PartialEq)]
pub struct AlterDatabaseStmt {
    pub dbname: Ident,
    pub options: Vec<DefElem>,
    pub span: Span,
}

/// ALTER DATABASE ... REFRESH COLLATION VERSION.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterDatabaseRefreshCollStmt {
    pub dbname: Ident,
    pub span: Span,
}

/// ALTER DATABASE ... SET/RESET.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterDatabaseSetStmt {
    pub dbname: Ident,
    pub setstmt: crate::ast::VariableSetStmt,
    pub span: Span,
}

/// What a publication contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublicationObjSpecType {
    Table,
    TablesInSchema,
    TablesInCurrentSchema,
}

/// One object of a publication.
#[derive(Clone, Debug, PartialEq)]
pub struct PublicationObjSpec {
    pub kind: PublicationObjSpecType,
    pub name: Option<Ident>,
    pub table: Option<Box<PublicationTable>>,
    pub span: Span,
}

/// A table of a publication, with row filter and columns.
#[derive(Clone, Debug, PartialEq)]
pub struct PublicationTable {
    pub relation: RangeVar,
    pub where_clause: Option<Expr>,
    pub columns: Vec<Ident>,
}

/// CREATE PUBLICATION.
#[derive(Clone, Debug, PartialEq)]
pub struct CreatePublicationStmt {
    pub pubname: Ident,
    pub options: Vec<DefElem>,
    pub objects: Vec<PublicationObjSpec>,
    pub for_all_tables: bool,
    pub span: Span,
}

/// ALTER PUBLICATION.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterPublicationStmt {
    pub pubname: Ident,
    pub options: Vec<DefElem>,
    pub objects: Vec<PublicationObjSpec>,
    pub action: DefElemSetAddDrop,
    pub span: Span,
}

/// SET, ADD or DROP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefElemSetAddDrop {
    Set,
    Add,
    Drop,
}

/// CREATE SUBSCRIPTION.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateSubscriptionStmt {
    pub subname: Ident,
    pub conninfo: Name,
    pub publications: Vec<Ident>,
    pub options: Vec<DefElem>,
    pub span: Span,
}

/// The forms of ALTER SUBSCRIPTION.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlterSubscriptionType {
    Options,
    Connection,
    SetPublication,
    AddPublication,
    DropPublication,
    Refresh,
    Enabled,
    Skip,
}

/// ALTER SUBSCRIPTION.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterSubscriptionStmt {
    pub kind: AlterSubscriptionType,
    pub subname: Ident,
    pub conninfo: Option<Name>,
    pub publications: Vec<Ident>,
    pub options: Vec<DefElem>,
    pub span: Span,
}

/// DROP SUBSCRIPTION.
#[derive(Clone, Debug, PartialEq)]
pub struct DropSubscriptionStmt {
    pub subname: Ident,
    pub missing_ok: bool,
    pub behavior: DropBehavior,
    pub span: Span,
}
