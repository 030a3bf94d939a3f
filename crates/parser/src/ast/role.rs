//! Roles and privileges.
#![allow(missing_docs, reason = "variants and fields carry PostgreSQL's names")]

use common::Span;

use crate::ast::{DefElem, DropBehavior, Ident, Name, ObjectName, ObjectType, RoleSpec, VariableSetStmt};

/// Which word created the role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleStmtType {
    Role,
    User,
    Group,
}

/// CREATE ROLE/USER/GROUP.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateRoleStmt {
    pub stmt_type: RoleStmtType,
    pub role: Ident,
    pub options: Vec<DefElem>,
    pub span: Span,
}

/// ALTER ROLE/USER, ALTER GROUP ADD/DROP USER.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterRoleStmt {
    pub role: RoleSpec,
    pub options: Vec<DefElem>,
    /// -1 for DROP USER of ALTER GROUP, +1 otherwise.
    pub action: i32,
    pub span: Span,
}

/// ALTER ROLE ... SET/RESET.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterRoleSetStmt {
    /// `None` is ALL.
    pub role: Option<RoleSpec>,
    pub database: Option<Ident>,
    pub setstmt: VariableSetStmt,
    pub span: Span,
}

/// DROP ROLE/USER/GROUP.
#[derive(Clone, Debug, PartialEq)]
pub struct DropRoleStmt {
    pub roles: Vec<RoleSpec>,
    pub missing_ok: bool,
    pub span: Span,
}

/// The set of objects a GRANT names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantTargetType {
    Object,
    AllInSchema,
    Defaults,
}

/// One privilege; `None` is ALL PRIVILEGES on the columns.
#[derive(Clone, Debug, PartialEq)]
pub struct AccessPriv {
    pub priv_name: Option<Name>,
    pub cols: Vec<Ident>,
    pub span: Span,
}

/// GRANT or REVOKE of privileges on objects.
#[derive(Clone, Debug, PartialEq)]
pub struct GrantStmt {
    pub is_grant: bool,
    pub targtype: GrantTargetType,
    pub objtype: ObjectType,
    pub objects: Vec<ObjectName>,
    /// Empty is ALL PRIVILEGES.
    pub privileges: Vec<AccessPriv>,
    pub grantees: Vec<RoleSpec>,
    pub grant_option: bool,
    pub grantor: Option<RoleSpec>,
    pub behavior: DropBehavior,
    pub span: Span,
}

/// GRANT or REVOKE of roles.
#[derive(Clone, Debug, PartialEq)]
pub struct GrantRoleStmt {
    pub granted_roles: Vec<AccessPriv>,
    pub grantee_roles: Vec<RoleSpec>,
    pub is_grant: bool,
    pub opt: Vec<DefElem>,
    pub grantor: Option<RoleSpec>,
    pub behavior: DropBehavior,
    pub span: Span,
}

/// ALTER DEFAULT PRIVILEGES.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterDefaultPrivilegesStmt {
    pub options: Vec<DefElem>,
    pub action: GrantStmt,
    pub span: Span,
}

/// DROP OWNED BY.
#[derive(Clone, Debug, PartialEq)]
pub struct DropOwnedStmt {
    pub roles: Vec<RoleSpec>,
    pub behavior: DropBehavior,
    pub span: Span,
}

/// REASSIGN OWNED BY.
#[derive(Clone, Debug, PartialEq)]
pub struct ReassignOwnedStmt {
    pub roles: Vec<RoleSpec>,
    pub newrole: RoleSpec,
    pub span: Span,
}
