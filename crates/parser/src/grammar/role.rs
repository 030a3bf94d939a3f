//! Roles, GRANT, REVOKE, default privileges, owned objects.

use common::error::ErrorExt;
use common::{PgResult, Span};

use crate::ast::{
    AccessPriv, AlterDefaultPrivilegesStmt, AlterRoleSetStmt, AlterRoleStmt, CreateRoleStmt, DefArg, DefElem,
    DropBehavior, DropOwnedStmt, GrantRoleStmt, GrantStmt, GrantTargetType, Ident, Name, ObjectName,
    ObjectType, ReassignOwnedStmt, RoleSpec, RoleStmtType, Statement, VariableSetStmt,
};
use crate::grammar::options::named_option;
use crate::grammar::transaction::option;
use crate::keywords::Keyword as K;
use crate::parser::{Parser, is_col_id};
use crate::token::Tok;

type R<T> = PgResult<T>;
type Target = (GrantTargetType, ObjectType, Vec<ObjectName>);

impl Parser<'_> {
    // ---- roles --------------------------------------------------------------------------------------------------

    /// CREATE ROLE/USER/GROUP after that word.
    pub fn create_role(&mut self, start: u32, stmt_type: RoleStmtType) -> R<Statement> {
        let role = self.role_id()?;
        self.opt_with_word();
        let options = self.role_options(true)?;
        Ok(CreateRoleStmt {
            stmt_type,
            role,
            options,
            span: self.span_from(start),
        }
        .into())
    }

    /// `[WITH]`.
    pub fn opt_with_word(&mut self) {
        if !self.eat(K::With) {
            self.eat(Tok::WithLa);
        }
    }

    fn role_options(&mut self, create: bool) -> R<Vec<DefElem>> {
        let mut options = Vec::new();
        while let Some(option) = self.role_option(create)? {
            options.push(option);
        }
        Ok(options)
    }

    fn role_option(&mut self, create: bool) -> R<Option<DefElem>> {
        let span = self.span();
        let roles = |list: Vec<RoleSpec>| Some(DefArg::List(list.into_iter().map(DefArg::Role).collect()));
        let (name, arg) = match self.tok {
            Tok::Kw(K::Password) => {
                self.bump();
                let password = if self.eat(K::Null) {
                    None
                } else {
                    Some(DefArg::String(self.sconst()?.name))
                };
                ("password", password)
            }
            Tok::Kw(word @ (K::Encrypted | K::Unencrypted)) => {
                self.bump();
                self.expect(K::Password)?;
                let password = self.sconst()?.name;
                if word == K::Unencrypted {
                    return Err(self
                        .not_supported("UNENCRYPTED PASSWORD is no longer supported", span)
                        .hint("Remove UNENCRYPTED to store the password in encrypted form instead."));
                }
                ("password", Some(DefArg::String(password)))
            }
            Tok::Kw(K::Inherit) => {
                self.bump();
                ("inherit", Some(DefArg::Boolean(true)))
            }
            Tok::Kw(K::Connection) => {
                self.bump();
                self.expect(K::Limit)?;
                ("connectionlimit", Some(DefArg::Integer(self.signed_iconst()?)))
            }
            Tok::Kw(K::Valid) => {
                self.bump();
                self.expect(K::Until)?;
                ("validUntil", Some(DefArg::String(self.sconst()?.name)))
            }
            Tok::Kw(K::User) => {
                self.bump();
                ("rolemembers", roles(self.role_list()?))
            }
            Tok::Kw(K::Sysid) if create => {
                self.bump();
                ("sysid", Some(DefArg::Integer(self.iconst()?)))
            }
            Tok::Kw(K::Admin) if create => {
                self.bump();
                ("adminmembers", roles(self.role_list()?))
            }
            Tok::Kw(K::Role) if create => {
                self.bump();
                ("rolemembers", roles(self.role_list()?))
            }
            Tok::Kw(K::In) if create => {
                self.bump();
                if !self.eat(K::Role) {
                    self.expect(K::Group)?;
                }
                ("addroleto", roles(self.role_list()?))
            }
            Tok::Ident => return self.role_option_word(span).map(Some),
            _ => return Ok(None),
        };
        Ok(Some(option(name, arg, self.span_from(span.start))))
    }

    /// The options that are no key words.
    fn role_option_word(&mut self, span: Span) -> R<DefElem> {
        let word = self.take_name();
        let (name, value) = match word.as_str() {
            "superuser" => ("superuser", true),
            "nosuperuser" => ("superuser", false),
            "createrole" => ("createrole", true),
            "nocreaterole" => ("createrole", false),
            "replication" => ("isreplication", true),
            "noreplication" => ("isreplication", false),
            "createdb" => ("createdb", true),
            "nocreatedb" => ("createdb", false),
            "login" => ("canlogin", true),
            "nologin" => ("canlogin", false),
            "bypassrls" => ("bypassrls", true),
            "nobypassrls" => ("bypassrls", false),
            "noinherit" => ("inherit", false),
            other => return Err(self.grammar_error(&format!("unrecognized role option \"{other}\""), span)),
        };
        Ok(option(name, Some(DefArg::Boolean(value)), span))
    }

    /// `SET ... | RESET ...` of ALTER ROLE and ALTER DATABASE.
    pub fn set_reset_clause(&mut self) -> R<VariableSetStmt> {
        if self.eat(K::Set) {
            self.set_rest()
        } else {
            self.variable_reset()
        }
    }

    /// ALTER ROLE/USER after that word (RENAME is read elsewhere).
    pub fn alter_role(&mut self, start: u32) -> R<Statement> {
        let role = if self.eat(K::All) {
            None
        } else {
            Some(self.role_spec()?)
        };
        let mut database = None;
        if self.eat(K::In) {
            self.expect(K::Database)?;
            database = Some(self.name()?);
        }
        if role.is_none() || database.is_some() || matches!(self.tok, Tok::Kw(K::Set | K::Reset)) {
            let setstmt = self.set_reset_clause()?;
            return Ok(AlterRoleSetStmt {
                role,
                database,
                setstmt,
                span: self.span_from(start),
            }
            .into());
        }
        let Some(role) = role else { return self.fail() };
        self.opt_with_word();
        let options = self.role_options(false)?;
        Ok(AlterRoleStmt {
            role,
            options,
            action: 1,
            span: self.span_from(start),
        }
        .into())
    }

    /// ALTER GROUP role ADD/DROP USER roles, after the role.
    pub fn alter_group(&mut self, start: u32, role: RoleSpec) -> R<Statement> {
        let drop = self.eat(K::Drop);
        if !drop {
            self.expect(K::Add)?;
        }
        self.expect(K::User)?;
        let span = self.span();
        let members = self.role_list()?.into_iter().map(DefArg::Role).collect();
        let options = vec![option("rolemembers", Some(DefArg::List(members)), span)];
        let action = if drop { -1 } else { 1 };
        Ok(AlterRoleStmt {
            role,
            options,
            action,
            span: self.span_from(start),
        }
        .into())
    }

    /// DROP OWNED after that word.
    pub fn drop_owned(&mut self, start: u32) -> R<Statement> {
        self.expect(K::By)?;
        let roles = self.role_list()?;
        let behavior = self.opt_drop_behavior();
        Ok(DropOwnedStmt {
            roles,
            behavior,
            span: self.span_from(start),
        }
        .into())
    }

    /// REASSIGN OWNED.
    pub fn reassign_owned(&mut self) -> R<Statement> {
        let start = self.take().start;
        self.expect_all(&[K::Owned, K::By])?;
        let roles = self.role_list()?;
        self.expect(K::To)?;
        let newrole = self.role_spec()?;
        Ok(ReassignOwnedStmt {
            roles,
            newrole,
            span: self.span_from(start),
        }
        .into())
    }

    // ---- GRANT, REVOKE ------------------------------------------------------------------------------------------

    /// GRANT or REVOKE, of privileges or roles.
    pub fn grant_stmt(&mut self) -> R<Statement> {
        let start = self.start();
        let is_grant = self.take().tok == Tok::Kw(K::Grant);
        let mut grant_option = false;
        let mut role_option = Vec::new();
        if !is_grant {
            if self.eat(K::Grant) {
                self.expect_all(&[K::Option, K::For])?;
                grant_option = true;
            } else if is_col_id(self.tok) && self.next_is(K::Option) {
                let name = self.take_name();
                let span = name.span;
                self.expect_all(&[K::Option, K::For])?;
                role_option.push(named_option(name, Some(DefArg::Boolean(false)), span));
            }
        }
        let all = self.at(K::All);
        if all && !role_option.is_empty() {
            return self.fail();
        }
        let privileges = self.privileges()?;
        let grants_role = !all && !grant_option && self.at(if is_grant { K::To } else { K::From });
        if grants_role || !role_option.is_empty() {
            return self.grant_role(start, is_grant, privileges, role_option);
        }
        self.expect(K::On)?;
        let target = self.privilege_target()?;
        let mut stmt = self.grant_rest(is_grant, privileges, target, grant_option, false)?;
        stmt.span = self.span_from(start);
        Ok(stmt.into())
    }

    fn grant_rest(
        &mut self,
        is_grant: bool,
        privileges: Vec<AccessPriv>,
        target: Target,
        mut grant_option: bool,
        defaults: bool,
    ) -> R<GrantStmt> {
        self.expect(if is_grant { K::To } else { K::From })?;
        let grantees = self.comma_list(|p| {
            p.eat(K::Group);
            p.role_spec()
        })?;
        if is_grant && self.eat(K::With) {
            self.expect_all(&[K::Grant, K::Option])?;
            grant_option = true;
        }
        let grantor = if defaults { None } else { self.opt_granted_by()? };
        let behavior = if is_grant {
            DropBehavior::Restrict
        } else {
            self.opt_drop_behavior()
        };
        let (targtype, objtype, objects) = target;
        Ok(GrantStmt {
            is_grant,
            targtype,
            objtype,
            objects,
            privileges,
            grantees,
            grant_option,
            grantor,
            behavior,
            span: Span::NONE,
        })
    }

    fn opt_granted_by(&mut self) -> R<Option<RoleSpec>> {
        if !self.eat(K::Granted) {
            return Ok(None);
        }
        self.expect(K::By)?;
        Ok(Some(self.role_spec()?))
    }

    fn grant_role(
        &mut self,
        start: u32,
        is_grant: bool,
        granted_roles: Vec<AccessPriv>,
        mut opt: Vec<DefElem>,
    ) -> R<Statement> {
        self.expect(if is_grant { K::To } else { K::From })?;
        let grantee_roles = self.role_list()?;
        if is_grant && self.eat(K::With) {
            opt = self.comma_list(|p| {
                let name = p.col_label()?;
                let span = name.span;
                let value = match p.tok {
                    Tok::Kw(K::Option | K::True) => true,
                    Tok::Kw(K::False) => false,
                    _ => return p.fail(),
                };
                p.bump();
                Ok(named_option(name, Some(DefArg::Boolean(value)), span))
            })?;
        }
        let grantor = self.opt_granted_by()?;
        let behavior = if is_grant {
            DropBehavior::Restrict
        } else {
            self.opt_drop_behavior()
        };
        let span = self.span_from(start);
        Ok(GrantRoleStmt {
            granted_roles,
            grantee_roles,
            is_grant,
            opt,
            grantor,
            behavior,
            span,
        }
        .into())
    }

    /// The privileges; empty is ALL.
    pub fn privileges(&mut self) -> R<Vec<AccessPriv>> {
        let span = self.span();
        if self.eat(K::All) {
            self.eat(K::Privileges);
            if !self.at('(') {
                return Ok(Vec::new());
            }
            let cols = self.opt_column_list()?;
            return Ok(vec![AccessPriv {
                priv_name: None,
                cols,
                span,
            }]);
        }
        self.comma_list(|p| p.privilege())
    }

    fn privilege(&mut self) -> R<AccessPriv> {
        let start = self.start();
        let priv_name = match self.tok {
            Tok::Kw(K::Alter) if self.next_is(K::System) => {
                self.bump();
                self.bump();
                Name::new_static("alter system")
            }
            Tok::Kw(K::Select | K::References | K::Create) => self.take_name().name,
            _ => self.col_id()?.name,
        };
        let cols = if priv_name == "alter system" {
            Vec::new()
        } else {
            self.opt_column_list()?
        };
        Ok(AccessPriv {
            priv_name: Some(priv_name),
            cols,
            span: self.span_from(start),
        })
    }

    fn privilege_target(&mut self) -> R<Target> {
        use GrantTargetType::{AllInSchema, Object};
        let named = |names: Vec<Ident>| names.into_iter().map(|n| ObjectName::Name(vec![n])).collect();
        let starts_name = is_col_id(self.peek(1));
        let Tok::Kw(word) = self.tok else {
            return self.grant_relations(ObjectType::Table);
        };
        match word {
            K::All => {
                self.bump();
                let objtype = match self.tok {
                    Tok::Kw(K::Tables) => ObjectType::Table,
                    Tok::Kw(K::Sequences) => ObjectType::Sequence,
                    Tok::Kw(K::Functions) => ObjectType::Function,
                    Tok::Kw(K::Procedures) => ObjectType::Procedure,
                    Tok::Kw(K::Routines) => ObjectType::Routine,
                    _ => return self.fail(),
                };
                self.bump();
                self.expect_all(&[K::In, K::Schema])?;
                Ok((AllInSchema, objtype, named(self.comma_list(|p| p.name())?)))
            }
            K::Table => {
                self.bump();
                self.grant_relations(ObjectType::Table)
            }
            K::Sequence if starts_name => {
                self.bump();
                self.grant_relations(ObjectType::Sequence)
            }
            K::Foreign => {
                self.bump();
                let objtype = if self.eat(K::Server) {
                    ObjectType::ForeignServer
                } else {
                    self.expect_all(&[K::Data, K::Wrapper])?;
                    ObjectType::Fdw
                };
                Ok((Object, objtype, named(self.comma_list(|p| p.name())?)))
            }
            K::Function | K::Procedure | K::Routine
                if starts_name || crate::parser::is_type_function_name(self.peek(1)) =>
            {
                self.bump();
                let objtype = match word {
                    K::Function => ObjectType::Function,
                    K::Procedure => ObjectType::Procedure,
                    _ => ObjectType::Routine,
                };
                let objects =
                    self.comma_list(|p| Ok(ObjectName::WithArgs(Box::new(p.function_with_argtypes()?))))?;
                Ok((Object, objtype, objects))
            }
            K::Domain | K::Type if starts_name => {
                self.bump();
                let objtype = if word == K::Domain {
                    ObjectType::Domain
                } else {
                    ObjectType::Type
                };
                Ok((
                    Object,
                    objtype,
                    self.comma_list(|p| Ok(ObjectName::Name(p.any_name()?)))?,
                ))
            }
            K::Database | K::Language | K::Schema | K::Tablespace if starts_name => {
                self.bump();
                let objtype = match word {
                    K::Database => ObjectType::Database,
                    K::Language => ObjectType::Language,
                    K::Schema => ObjectType::Schema,
                    _ => ObjectType::Tablespace,
                };
                Ok((Object, objtype, named(self.comma_list(|p| p.name())?)))
            }
            K::Large if self.next_is(K::Object) => {
                self.bump();
                self.bump();
                let objects =
                    self.comma_list(|p| Ok(ObjectName::LargeObject(Box::new(p.numeric_only()?))))?;
                Ok((Object, ObjectType::LargeObject, objects))
            }
            K::Parameter if starts_name => {
                self.bump();
                let objects = self.comma_list(|p| {
                    let span = p.span();
                    let name = p.var_name()?;
                    Ok(ObjectName::Name(vec![Ident { name, span }]))
                })?;
                Ok((Object, ObjectType::ParameterAcl, objects))
            }
            _ => self.grant_relations(ObjectType::Table),
        }
    }

    fn grant_relations(&mut self, objtype: ObjectType) -> R<Target> {
        let objects = self.comma_list(|p| {
            let rel = p.qualified_name()?;
            Ok(ObjectName::Name(
                [rel.catalog, rel.schema, Some(rel.relation)]
                    .into_iter()
                    .flatten()
                    .collect(),
            ))
        })?;
        Ok((GrantTargetType::Object, objtype, objects))
    }

    // ---- default privileges -------------------------------------------------------------------------------------

    /// ALTER DEFAULT PRIVILEGES after ALTER.
    pub fn alter_default_privileges(&mut self, start: u32) -> R<Statement> {
        self.expect_all(&[K::Default, K::Privileges])?;
        let mut options = Vec::new();
        loop {
            let span = self.span();
            if self.eat(K::In) {
                self.expect(K::Schema)?;
                let names = self.comma_list(|p| p.name())?;
                options.push(option("schemas", Some(DefArg::Names(names)), span));
            } else if self.eat(K::For) {
                if !self.eat(K::Role) {
                    self.expect(K::User)?;
                }
                let roles = self.role_list()?.into_iter().map(DefArg::Role).collect();
                options.push(option("roles", Some(DefArg::List(roles)), span));
            } else {
                break;
            }
        }
        let action = self.default_acl_action()?;
        Ok(AlterDefaultPrivilegesStmt {
            options,
            action,
            span: self.span_from(start),
        }
        .into())
    }

    fn default_acl_action(&mut self) -> R<GrantStmt> {
        let start = self.start();
        let is_grant = self.eat(K::Grant);
        if !is_grant {
            self.expect(K::Revoke)?;
        }
        let grant_option = !is_grant && self.at(K::Grant);
        if grant_option {
            self.expect_all(&[K::Grant, K::Option, K::For])?;
        }
        let privileges = self.privileges()?;
        self.expect(K::On)?;
        let objtype = match self.tok {
            Tok::Kw(K::Tables) => ObjectType::Table,
            Tok::Kw(K::Functions | K::Routines) => ObjectType::Function,
            Tok::Kw(K::Sequences) => ObjectType::Sequence,
            Tok::Kw(K::Types) => ObjectType::Type,
            Tok::Kw(K::Schemas) => ObjectType::Schema,
            Tok::Kw(K::Large) => {
                self.bump();
                if !self.at(K::Objects) {
                    return self.fail();
                }
                ObjectType::LargeObject
            }
            _ => return self.fail(),
        };
        self.bump();
        let target = (GrantTargetType::Defaults, objtype, Vec::new());
        let mut stmt = self.grant_rest(is_grant, privileges, target, grant_option, true)?;
        stmt.span = self.span_from(start);
        Ok(stmt)
    }
}
