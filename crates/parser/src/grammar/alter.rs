//! ALTER: the words in front decide what is altered; RENAME, OWNER, SET SCHEMA and DEPENDS are common to many kinds.

use common::PgResult;

use crate::ast::{
    AlterDatabaseRefreshCollStmt, AlterDatabaseSetStmt, AlterDatabaseStmt, AlterObjectDependsStmt,
    AlterObjectSchemaStmt, AlterOwnerStmt, AlterTableSpaceOptionsStmt, DefArg, DropBehavior, Ident,
    ObjectName, ObjectType, RangeVar, RenameStmt, Statement,
};
use crate::grammar::transaction::option;
use crate::keywords::Keyword as K;
use crate::parser::Parser;
use crate::token::Tok;

type R<T> = PgResult<T>;
use ObjectType as O;

/// Which of the common forms a kind of object takes.
#[derive(Clone, Copy)]
pub struct Common {
    pub rename: bool,
    pub owner: bool,
    pub schema: bool,
    pub depends: bool,
}

pub const ROS: Common = Common {
    rename: true,
    owner: true,
    schema: true,
    depends: false,
};
const RO: Common = Common {
    rename: true,
    owner: true,
    schema: false,
    depends: false,
};
pub const OS: Common = Common {
    rename: false,
    owner: true,
    schema: true,
    depends: false,
};
pub const ROUTINE: Common = Common {
    rename: true,
    owner: true,
    schema: true,
    depends: true,
};

impl Parser<'_> {
    /// ALTER.
    pub fn alter_stmt(&mut self) -> R<Statement> {
        let start = self.take().start;
        let Tok::Kw(word) = self.tok else {
            return self.fail();
        };
        match word {
            K::Table | K::Index | K::Sequence | K::View => {
                self.bump();
                let kind = match word {
                    K::Table => O::Table,
                    K::Index => O::Index,
                    K::Sequence => O::Sequence,
                    _ => O::View,
                };
                self.alter_relation(start, kind)
            }
            K::Materialized => {
                self.bump();
                self.expect(K::View)?;
                self.alter_relation(start, O::MatView)
            }
            K::Foreign if self.next_is(K::Table) => {
                self.bump();
                self.bump();
                self.alter_relation(start, O::ForeignTable)
            }
            K::Default => self.alter_default_privileges(start),
            K::System => {
                self.bump();
                self.alter_system(start)
            }
            K::User if self.at_user_mapping() => {
                self.bump();
                self.bump();
                self.alter_user_mapping(start)
            }
            K::Role | K::User | K::Group => self.alter_role_like(start, word),
            K::Trigger | K::Rule | K::Policy => self.alter_on_relation(start, word),
            _ => self.alter_named(start, word),
        }
    }

    fn alter_named(&mut self, start: u32, word: K) -> R<Statement> {
        match word {
            K::Aggregate => {
                self.bump();
                let object = ObjectName::WithArgs(Box::new(self.aggregate_with_argtypes()?));
                self.alter_common(start, O::Aggregate, object, ROS)
            }
            K::Function | K::Procedure | K::Routine => self.alter_routine(start, word),
            K::Collation => self.alter_collation(start),
            K::Conversion => {
                self.bump();
                let object = ObjectName::Name(self.any_name()?);
                self.alter_common(start, O::Conversion, object, ROS)
            }
            K::Type => self.alter_type(start),
            K::Domain => self.alter_domain_stmt(start),
            K::Operator => self.alter_operator(start),
            K::Statistics => self.alter_statistics(start),
            K::Text => self.alter_text_search(start),
            K::Large => {
                self.bump();
                self.expect(K::Object)?;
                let object = ObjectName::LargeObject(Box::new(self.numeric_only()?));
                let only_owner = Common {
                    rename: false,
                    owner: true,
                    schema: false,
                    depends: false,
                };
                self.alter_common(start, O::LargeObject, object, only_owner)
            }
            _ => self.alter_unqualified(start, word),
        }
    }

    // ---- common forms -------------------------------------------------------------------------------------------

    /// RENAME TO, OWNER TO, SET SCHEMA, DEPENDS ON EXTENSION.
    pub fn alter_common(&mut self, start: u32, kind: O, object: ObjectName, allowed: Common) -> R<Statement> {
        match self.try_alter_common(start, kind, &object, allowed)? {
            Some(stmt) => Ok(stmt),
            None => {
                if allowed.schema {
                    self.eat(K::Set);
                }
                self.fail()
            }
        }
    }

    pub fn try_alter_common(
        &mut self,
        start: u32,
        kind: O,
        object: &ObjectName,
        allowed: Common,
    ) -> R<Option<Statement>> {
        match self.tok {
            Tok::Kw(K::Rename) if allowed.rename => {
                self.bump();
                self.expect(K::To)?;
                let newname = self.name()?;
                Ok(Some(self.rename(
                    start,
                    kind,
                    Some(object.clone()),
                    None,
                    newname,
                )))
            }
            Tok::Kw(K::Owner) if allowed.owner => {
                self.bump();
                self.expect(K::To)?;
                let newowner = self.role_spec()?;
                let (object, span) = (object.clone(), self.span_from(start));
                Ok(Some(
                    AlterOwnerStmt {
                        object_type: kind,
                        object,
                        newowner,
                        span,
                    }
                    .into(),
                ))
            }
            // Of a routine, SET may also set a variable of that name.
            Tok::Kw(K::Set)
                if allowed.schema
                    && self.next_is(K::Schema)
                    && (!allowed.depends || crate::parser::is_col_id(self.peek(2))) =>
            {
                self.bump();
                self.bump();
                let newschema = self.name()?;
                let (object, span) = (Some(object.clone()), self.span_from(start));
                let stmt = AlterObjectSchemaStmt {
                    object_type: kind,
                    relation: None,
                    object,
                    newschema,
                    missing_ok: false,
                    span,
                };
                Ok(Some(stmt.into()))
            }
            Tok::Kw(K::No | K::Depends) if allowed.depends => self
                .alter_depends(start, kind, None, Some(object.clone()))
                .map(Some),
            _ => Ok(None),
        }
    }

    pub fn rename(
        &self,
        start: u32,
        kind: O,
        object: Option<ObjectName>,
        subname: Option<Ident>,
        newname: Ident,
    ) -> Statement {
        RenameStmt {
            rename_type: kind,
            relation_type: None,
            relation: None,
            object,
            subname,
            newname,
            behavior: DropBehavior::Restrict,
            missing_ok: false,
            span: self.span_from(start),
        }
        .into()
    }

    /// `[NO] DEPENDS ON EXTENSION name`.
    fn alter_depends(
        &mut self,
        start: u32,
        object_type: O,
        relation: Option<RangeVar>,
        object: Option<ObjectName>,
    ) -> R<Statement> {
        let remove = self.eat(K::No);
        self.expect_all(&[K::Depends, K::On, K::Extension])?;
        let extname = self.name()?;
        let span = self.span_from(start);
        Ok(AlterObjectDependsStmt {
            object_type,
            relation,
            object,
            extname,
            remove,
            span,
        }
        .into())
    }

    // ---- relations ----------------------------------------------------------------------------------------------

    fn alter_relation(&mut self, start: u32, kind: O) -> R<Statement> {
        if self.at(K::All) && matches!(kind, O::Table | O::Index | O::MatView) {
            return self.alter_move_all(start, kind);
        }
        let missing_ok = self.opt_if_exists();
        let only = matches!(kind, O::Table | O::ForeignTable);
        let relation = if only {
            self.relation_expr()?
        } else {
            self.qualified_name()?
        };
        match self.tok {
            Tok::Kw(K::Rename) => self.rename_relation(start, kind, relation, missing_ok),
            Tok::Kw(K::Set) if self.next_is(K::Schema) && kind != O::Index => {
                self.bump();
                self.bump();
                let newschema = self.name()?;
                let (relation, span) = (Some(relation), self.span_from(start));
                Ok(AlterObjectSchemaStmt {
                    object_type: kind,
                    relation,
                    object: None,
                    newschema,
                    missing_ok,
                    span,
                }
                .into())
            }
            Tok::Kw(K::Depends) if !missing_ok && matches!(kind, O::Index | O::MatView) => {
                self.alter_depends(start, kind, Some(relation), None)
            }
            Tok::Kw(K::No)
                if !missing_ok && matches!(kind, O::Index | O::MatView) && self.next_is(K::Depends) =>
            {
                self.alter_depends(start, kind, Some(relation), None)
            }
            _ if kind == O::Sequence && self.at_seq_option() => {
                self.alter_sequence_options(start, relation, missing_ok)
            }
            _ => self.alter_table_rest(start, kind, relation, missing_ok),
        }
    }

    fn at_seq_option(&self) -> bool {
        match self.tok {
            Tok::Kw(K::No) => matches!(self.peek(1), Tok::Kw(K::Maxvalue | K::Minvalue | K::Cycle)),
            Tok::Kw(k) => matches!(
                k,
                K::As
                    | K::Cache
                    | K::Cycle
                    | K::Increment
                    | K::Logged
                    | K::Unlogged
                    | K::Maxvalue
                    | K::Minvalue
                    | K::Owned
                    | K::Sequence
                    | K::Start
                    | K::Restart
            ),
            _ => false,
        }
    }

    fn rename_relation(&mut self, start: u32, kind: O, relation: RangeVar, missing_ok: bool) -> R<Statement> {
        self.bump();
        let mut stmt = RenameStmt {
            rename_type: kind,
            relation_type: None,
            relation: Some(relation),
            object: None,
            subname: None,
            newname: Ident::new("", common::Span::NONE),
            behavior: DropBehavior::Restrict,
            missing_ok,
            span: common::Span::NONE,
        };
        if kind == O::Table && self.eat(K::Constraint) {
            stmt.rename_type = O::TabConstraint;
            stmt.subname = Some(self.name()?);
        } else if !matches!(kind, O::Index | O::Sequence) && !self.at(K::To) {
            self.eat(K::Column);
            stmt.rename_type = O::Column;
            stmt.relation_type = Some(kind);
            stmt.subname = Some(self.name()?);
        }
        self.expect(K::To)?;
        stmt.newname = self.name()?;
        stmt.span = self.span_from(start);
        Ok(stmt.into())
    }

    /// ALTER TRIGGER/RULE/POLICY name ON relation.
    fn alter_on_relation(&mut self, start: u32, word: K) -> R<Statement> {
        self.bump();
        let missing_ok = word == K::Policy && self.opt_if_exists();
        let name = self.name()?;
        self.expect(K::On)?;
        let relation = self.qualified_name()?;
        let kind = match word {
            K::Trigger => O::Trigger,
            K::Rule => O::Rule,
            _ => O::Policy,
        };
        if kind == O::Trigger && matches!(self.tok, Tok::Kw(K::No | K::Depends)) {
            let object = ObjectName::Name(vec![name]);
            return self.alter_depends(start, kind, Some(relation), Some(object));
        }
        if kind == O::Policy && !missing_ok && !self.at(K::Rename) {
            return self.alter_policy(start, name, relation);
        }
        self.expect_all(&[K::Rename, K::To])?;
        let newname = self.name()?;
        Ok(RenameStmt {
            rename_type: kind,
            relation_type: None,
            relation: Some(relation),
            object: None,
            subname: Some(name),
            newname,
            behavior: DropBehavior::Restrict,
            missing_ok,
            span: self.span_from(start),
        }
        .into())
    }

    // ---- objects with plain names -------------------------------------------------------------------------------

    fn alter_unqualified(&mut self, start: u32, word: K) -> R<Statement> {
        let kind = match word {
            K::Database => O::Database,
            K::Schema => O::Schema,
            K::Tablespace => O::Tablespace,
            K::Extension => O::Extension,
            K::Server => O::ForeignServer,
            K::Publication => O::Publication,
            K::Subscription => O::Subscription,
            K::Language => O::Language,
            K::Procedural => {
                self.bump();
                if !self.at(K::Language) {
                    return self.fail();
                }
                O::Language
            }
            K::Event => {
                self.bump();
                if !self.at(K::Trigger) {
                    return self.fail();
                }
                O::EventTrigger
            }
            K::Foreign => {
                self.bump();
                self.expect(K::Data)?;
                if !self.at(K::Wrapper) {
                    return self.fail();
                }
                O::Fdw
            }
            _ => return self.fail(),
        };
        self.bump();
        let name = self.name()?;
        // OWNER without TO is an option of CREATE DATABASE, which ALTER DATABASE reads too.
        let is_option = kind == O::Database && self.at(K::Owner) && !self.next_is(K::To);
        if kind != O::Extension && !is_option {
            let object = ObjectName::Name(vec![name.clone()]);
            if let Some(stmt) = self.try_alter_common(start, kind, &object, RO)? {
                return Ok(stmt);
            }
        }
        match kind {
            O::Database => self.alter_database(start, name),
            O::Tablespace => {
                let is_reset = self.eat(K::Reset);
                if !is_reset {
                    self.expect(K::Set)?;
                }
                let options = self.reloptions()?;
                let span = self.span_from(start);
                Ok(AlterTableSpaceOptionsStmt {
                    tablespacename: name,
                    options,
                    is_reset,
                    span,
                }
                .into())
            }
            O::Extension => self.alter_extension(start, name),
            O::ForeignServer => self.alter_server(start, name),
            O::Publication => self.alter_publication(start, name),
            O::Subscription => self.alter_subscription(start, name),
            O::EventTrigger => self.alter_event_trigger(start, name),
            O::Fdw => self.alter_fdw(start, name),
            _ => self.fail(),
        }
    }

    fn alter_extension(&mut self, start: u32, extname: Ident) -> R<Statement> {
        match self.tok {
            Tok::Kw(K::Update) => {
                self.bump();
                self.alter_extension_update(start, extname)
            }
            Tok::Kw(K::Add | K::Drop) => {
                let is_add = self.take().tok == Tok::Kw(K::Add);
                self.alter_extension_contents(start, extname, is_add)
            }
            _ => {
                let allowed = Common {
                    rename: false,
                    owner: false,
                    schema: true,
                    depends: false,
                };
                self.alter_common(start, O::Extension, ObjectName::Name(vec![extname]), allowed)
            }
        }
    }

    fn alter_database(&mut self, start: u32, dbname: Ident) -> R<Statement> {
        if self.at2(K::Refresh, K::Collation) {
            self.bump();
            self.bump();
            self.expect(K::Version)?;
            return Ok(AlterDatabaseRefreshCollStmt {
                dbname,
                span: self.span_from(start),
            }
            .into());
        }
        let names_variable = matches!(self.peek(2), Tok::Kw(K::To | K::From) | Tok::Char(b'=' | b'.'));
        if self.at2(K::Set, K::Tablespace) && !names_variable {
            self.bump();
            self.bump();
            let at = self.span();
            let tablespace = DefArg::String(self.name()?.name);
            let options = vec![option("tablespace", Some(tablespace), at)];
            return Ok(AlterDatabaseStmt {
                dbname,
                options,
                span: self.span_from(start),
            }
            .into());
        }
        if matches!(self.tok, Tok::Kw(K::Set | K::Reset)) {
            let setstmt = self.set_reset_clause()?;
            return Ok(AlterDatabaseSetStmt {
                dbname,
                setstmt,
                span: self.span_from(start),
            }
            .into());
        }
        self.opt_with_word();
        let options = self.createdb_options()?;
        Ok(AlterDatabaseStmt {
            dbname,
            options,
            span: self.span_from(start),
        }
        .into())
    }

    // ---- roles --------------------------------------------------------------------------------------------------

    fn alter_role_like(&mut self, start: u32, word: K) -> R<Statement> {
        self.bump();
        let mark = self.mark();
        if !self.at(K::All) {
            let role = self.role_spec()?;
            if self.at(K::Rename) {
                self.rewind(mark);
                let old = self.role_id()?;
                self.expect_all(&[K::Rename, K::To])?;
                let newname = self.role_id()?;
                return Ok(self.rename(start, O::Role, None, Some(old), newname));
            }
            if word == K::Group {
                return self.alter_group(start, role);
            }
            self.rewind(mark);
        } else if word == K::Group {
            return self.fail();
        }
        self.alter_role(start)
    }
}
