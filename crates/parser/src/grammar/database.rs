//! Schemas, databases, tablespaces, extensions, languages, access methods, foreign data.

use common::PgResult;

use crate::ast::{
    AlterExtensionStmt, AlterFdwStmt, AlterForeignServerStmt, AlterUserMappingStmt, CreateAmStmt,
    CreateExtensionStmt, CreateFdwStmt, CreateForeignServerStmt, CreatePLangStmt, CreateSchemaStmt,
    CreateTableSpaceStmt, CreateUserMappingStmt, CreatedbStmt, DefArg, DefElem, Ident,
    ImportForeignSchemaStmt, ImportForeignSchemaType, Name, Persistence, RoleSpec, RoleSpecType, Statement,
};
use crate::grammar::options::{named_option, number_arg};
use crate::grammar::table::{TableForms, TableHead};
use crate::grammar::transaction::option;
use crate::keywords::Keyword as K;
use crate::parser::Parser;
use crate::token::Tok;

type R<T> = PgResult<T>;

impl Parser<'_> {
    // ---- schemas ------------------------------------------------------------------------------------------------

    /// CREATE SCHEMA; the current token is SCHEMA.
    pub fn create_schema(&mut self, start: u32) -> R<Statement> {
        self.bump();
        let if_not_exists = self.opt_if_not_exists()?;
        let mut schemaname = None;
        let mut authrole = None;
        if !self.at(K::Authorization) {
            schemaname = Some(self.col_id()?);
        }
        if self.eat(K::Authorization) {
            authrole = Some(self.role_spec()?);
        }
        let elements_at = self.span();
        let mut schema_elts = Vec::new();
        while matches!(self.tok, Tok::Kw(K::Create | K::Grant)) {
            schema_elts.push(self.schema_element()?);
        }
        if if_not_exists && !schema_elts.is_empty() {
            let message = "CREATE SCHEMA IF NOT EXISTS cannot include schema elements";
            return Err(self.not_supported(message, elements_at));
        }
        let span = self.span_from(start);
        Ok(CreateSchemaStmt {
            schemaname,
            authrole,
            schema_elts,
            if_not_exists,
            span,
        }
        .into())
    }

    fn schema_element(&mut self) -> R<Statement> {
        if self.at(K::Grant) {
            let mark = self.mark();
            let stmt = self.grant_stmt()?;
            if matches!(stmt, Statement::Grant(_)) {
                return Ok(stmt);
            }
            // GRANT of a role is no schema element: PostgreSQL misses the ON.
            self.rewind(mark);
            self.bump();
            self.privileges()?;
            return self.fail();
        }
        let start = self.take().start;
        match self.tok {
            Tok::Kw(K::Unique | K::Index) => {
                let unique = self.eat(K::Unique);
                Ok(self.index_stmt(start, unique)?.into())
            }
            Tok::Kw(K::Trigger | K::Constraint) => self.create_trigger(start, false),
            Tok::Kw(K::Or) => {
                self.bump();
                self.expect(K::Replace)?;
                match self.tok {
                    Tok::Kw(K::Trigger | K::Constraint) => self.create_trigger(start, true),
                    _ => {
                        let persistence = self.opt_temp()?;
                        self.create_view(start, true, persistence)
                    }
                }
            }
            _ => {
                let persistence = self.opt_temp()?;
                self.schema_relation(start, persistence)
            }
        }
    }

    fn schema_relation(&mut self, start: u32, persistence: Persistence) -> R<Statement> {
        match self.tok {
            Tok::Kw(K::Sequence) => self.create_sequence(start, persistence),
            Tok::Kw(K::View | K::Recursive) => self.create_view(start, false, persistence),
            Tok::Kw(K::Table) => self.create_table(TableHead {
                start,
                persistence,
                forms: TableForms::NoAs,
            }),
            _ => self.fail(),
        }
    }

    // ---- databases, tablespaces ---------------------------------------------------------------------------------

    /// CREATE DATABASE; the current token is DATABASE.
    pub fn create_database(&mut self, start: u32) -> R<Statement> {
        self.bump();
        let dbname = self.name()?;
        self.opt_with_word();
        let options = self.createdb_options()?;
        Ok(CreatedbStmt {
            dbname,
            options,
            span: self.span_from(start),
        }
        .into())
    }

    /// `createdb_opt_list`, possibly empty.
    pub fn createdb_options(&mut self) -> R<Vec<DefElem>> {
        let mut options = Vec::new();
        loop {
            let start = self.start();
            let name = match self.tok {
                Tok::Kw(K::Connection) => {
                    let span = self.take().span();
                    self.expect(K::Limit)?;
                    Ident::new(Name::new_static("connection_limit"), span)
                }
                Tok::Ident | Tok::Kw(K::Encoding | K::Location | K::Owner | K::Tablespace | K::Template) => {
                    self.take_name()
                }
                _ => return Ok(options),
            };
            self.eat('=');
            let arg = match self.tok {
                Tok::Kw(K::Default) => {
                    self.bump();
                    None
                }
                Tok::IConst | Tok::FConst | Tok::Char(b'+' | b'-') => Some(number_arg(self.numeric_only()?)),
                _ => Some(DefArg::String(self.opt_boolean_or_string()?.name)),
            };
            let span = self.span_from(start);
            options.push(named_option(name, arg, span));
        }
    }

    /// CREATE TABLESPACE; the current token is TABLESPACE.
    pub fn create_tablespace(&mut self, start: u32) -> R<Statement> {
        self.bump();
        let tablespacename = self.name()?;
        let owner = if self.eat(K::Owner) {
            Some(self.role_spec()?)
        } else {
            None
        };
        self.expect(K::Location)?;
        let location = self.sconst()?.name;
        let options = self.opt_reloptions()?;
        Ok(CreateTableSpaceStmt {
            tablespacename,
            owner,
            location,
            options,
            span: self.span_from(start),
        }
        .into())
    }

    // ---- extensions, languages, access methods ------------------------------------------------------------------

    /// CREATE EXTENSION; the current token is EXTENSION.
    pub fn create_extension(&mut self, start: u32) -> R<Statement> {
        self.bump();
        let if_not_exists = self.opt_if_not_exists()?;
        let extname = self.name()?;
        self.opt_with_word();
        let mut options = Vec::new();
        loop {
            let span = self.span();
            let (name, arg) = match self.tok {
                Tok::Kw(K::Schema) => {
                    self.bump();
                    ("schema", DefArg::String(self.name()?.name))
                }
                Tok::Kw(K::Version) => {
                    self.bump();
                    (
                        "new_version",
                        DefArg::String(self.non_reserved_word_or_sconst()?.name),
                    )
                }
                Tok::Kw(K::From) => {
                    self.bump();
                    self.non_reserved_word_or_sconst()?;
                    let message = "CREATE EXTENSION ... FROM is no longer supported";
                    return Err(self.not_supported(message, span));
                }
                Tok::Kw(K::Cascade) => {
                    self.bump();
                    ("cascade", DefArg::Boolean(true))
                }
                _ => break,
            };
            options.push(option(name, Some(arg), self.span_from(span.start)));
        }
        Ok(CreateExtensionStmt {
            extname,
            if_not_exists,
            options,
            span: self.span_from(start),
        }
        .into())
    }

    /// ALTER EXTENSION ... UPDATE, after UPDATE.
    pub fn alter_extension_update(&mut self, start: u32, extname: Ident) -> R<Statement> {
        let mut options = Vec::new();
        while self.at(K::To) {
            let span = self.take().span();
            let version = self.non_reserved_word_or_sconst()?.name;
            options.push(option(
                "new_version",
                Some(DefArg::String(version)),
                self.span_from(span.start),
            ));
        }
        Ok(AlterExtensionStmt {
            extname,
            options,
            span: self.span_from(start),
        }
        .into())
    }

    /// CREATE LANGUAGE; the current token is TRUSTED, PROCEDURAL or LANGUAGE.
    pub fn create_language(&mut self, start: u32, replace: bool) -> R<Statement> {
        let pltrusted = self.eat(K::Trusted);
        self.eat(K::Procedural);
        self.expect(K::Language)?;
        let plname = self.name()?;
        if !self.eat(K::Handler) {
            let span = self.span_from(start);
            let stmt = CreateExtensionStmt {
                extname: plname,
                if_not_exists: replace,
                options: Vec::new(),
                span,
            };
            return Ok(stmt.into());
        }
        let plhandler = self.handler_name()?;
        let plinline = if self.eat(K::Inline) {
            self.handler_name()?
        } else {
            Vec::new()
        };
        let mut plvalidator = Vec::new();
        if self.eat(K::Validator) {
            plvalidator = self.handler_name()?;
        } else if self.eat(K::No) {
            self.expect(K::Validator)?;
        }
        let span = self.span_from(start);
        Ok(CreatePLangStmt {
            replace,
            plname,
            plhandler,
            plinline,
            plvalidator,
            pltrusted,
            span,
        }
        .into())
    }

    /// CREATE ACCESS METHOD; the current token is ACCESS.
    pub fn create_access_method(&mut self, start: u32) -> R<Statement> {
        self.expect_all(&[K::Access, K::Method])?;
        let amname = self.name()?;
        self.expect(K::Type)?;
        let is_table = self.eat(K::Table);
        if !is_table {
            self.expect(K::Index)?;
        }
        self.expect(K::Handler)?;
        let handler_name = self.handler_name()?;
        Ok(CreateAmStmt {
            amname,
            handler_name,
            is_table,
            span: self.span_from(start),
        }
        .into())
    }

    // ---- foreign data -------------------------------------------------------------------------------------------

    /// CREATE FOREIGN DATA WRAPPER, after DATA WRAPPER.
    pub fn create_fdw(&mut self, start: u32) -> R<Statement> {
        let fdwname = self.name()?;
        let func_options = self.fdw_options()?;
        let options = self.create_generic_options()?;
        Ok(CreateFdwStmt {
            fdwname,
            func_options,
            options,
            span: self.span_from(start),
        }
        .into())
    }

    /// ALTER FOREIGN DATA WRAPPER, after the name.
    pub fn alter_fdw(&mut self, start: u32, fdwname: Ident) -> R<Statement> {
        let func_options = self.fdw_options()?;
        let options = if func_options.is_empty() || self.at(K::Options) {
            self.alter_generic_options()?
        } else {
            Vec::new()
        };
        Ok(AlterFdwStmt {
            fdwname,
            func_options,
            options,
            span: self.span_from(start),
        }
        .into())
    }

    fn fdw_options(&mut self) -> R<Vec<DefElem>> {
        let mut options = Vec::new();
        loop {
            let span = self.span();
            let no = self.at(K::No);
            if no {
                self.bump();
            }
            let name = match self.tok {
                Tok::Kw(K::Handler) => "handler",
                Tok::Kw(K::Validator) => "validator",
                _ if no => return self.fail(),
                _ => return Ok(options),
            };
            self.bump();
            let arg = if no {
                None
            } else {
                Some(DefArg::Names(self.handler_name()?))
            };
            options.push(option(name, arg, self.span_from(span.start)));
        }
    }

    /// CREATE SERVER; the current token is SERVER.
    pub fn create_server(&mut self, start: u32) -> R<Statement> {
        self.bump();
        let if_not_exists = self.opt_if_not_exists()?;
        let servername = self.name()?;
        let servertype = if self.eat(K::Type) {
            Some(self.sconst()?.name)
        } else {
            None
        };
        let version = if self.at(K::Version) {
            self.server_version()?
        } else {
            None
        };
        self.expect_all(&[K::Foreign, K::Data, K::Wrapper])?;
        let fdwname = self.name()?;
        let options = self.create_generic_options()?;
        let span = self.span_from(start);
        let stmt = CreateForeignServerStmt {
            servername,
            servertype,
            version,
            fdwname,
            if_not_exists,
            options,
            span,
        };
        Ok(stmt.into())
    }

    fn server_version(&mut self) -> R<Option<Name>> {
        self.expect(K::Version)?;
        if self.eat(K::Null) {
            Ok(None)
        } else {
            Ok(Some(self.sconst()?.name))
        }
    }

    /// ALTER SERVER, after the name.
    pub fn alter_server(&mut self, start: u32, servername: Ident) -> R<Statement> {
        let version = if self.at(K::Version) {
            Some(self.server_version()?)
        } else {
            None
        };
        let options = if version.is_none() || self.at(K::Options) {
            self.alter_generic_options()?
        } else {
            Vec::new()
        };
        Ok(AlterForeignServerStmt {
            servername,
            version,
            options,
            span: self.span_from(start),
        }
        .into())
    }

    /// `RoleSpec | USER` of user mappings.
    pub fn auth_ident(&mut self) -> R<RoleSpec> {
        if self.at(K::User) {
            let span = self.take().span();
            return Ok(RoleSpec {
                role: RoleSpecType::CurrentUser,
                span,
            });
        }
        self.role_spec()
    }

    /// CREATE USER MAPPING, after those words.
    pub fn create_user_mapping(&mut self, start: u32) -> R<Statement> {
        let if_not_exists = self.at(K::If);
        if if_not_exists {
            self.expect_all(&[K::If, K::Not, K::Exists])?;
        }
        self.expect(K::For)?;
        let user = self.auth_ident()?;
        self.expect(K::Server)?;
        let servername = self.name()?;
        let options = self.create_generic_options()?;
        Ok(CreateUserMappingStmt {
            user,
            servername,
            if_not_exists,
            options,
            span: self.span_from(start),
        }
        .into())
    }

    /// ALTER USER MAPPING, after those words.
    pub fn alter_user_mapping(&mut self, start: u32) -> R<Statement> {
        self.expect(K::For)?;
        let user = self.auth_ident()?;
        self.expect(K::Server)?;
        let servername = self.name()?;
        let options = self.alter_generic_options()?;
        Ok(AlterUserMappingStmt {
            user,
            servername,
            options,
            span: self.span_from(start),
        }
        .into())
    }

    /// IMPORT FOREIGN SCHEMA.
    pub fn import_foreign_schema(&mut self) -> R<Statement> {
        let start = self.take().start;
        self.expect_all(&[K::Foreign, K::Schema])?;
        let remote_schema = self.name()?;
        let mut list_type = ImportForeignSchemaType::All;
        if self.eat(K::Limit) {
            self.expect(K::To)?;
            list_type = ImportForeignSchemaType::LimitTo;
        } else if self.eat(K::Except) {
            list_type = ImportForeignSchemaType::Except;
        }
        let table_list = match list_type {
            ImportForeignSchemaType::All => Vec::new(),
            _ => self.paren_list(|p| p.relation_expr())?,
        };
        self.expect_all(&[K::From, K::Server])?;
        let server_name = self.name()?;
        self.expect(K::Into)?;
        let local_schema = self.name()?;
        let options = self.create_generic_options()?;
        let span = self.span_from(start);
        let stmt = ImportForeignSchemaStmt {
            server_name,
            remote_schema,
            local_schema,
            list_type,
            table_list,
            options,
            span,
        };
        Ok(stmt.into())
    }
}
