//! DROP, COMMENT, SECURITY LABEL, and how such statements name their objects.

use common::PgResult;

use crate::ast::{
    AlterExtensionContentsStmt, CommentStmt, DefElem, DropBehavior, DropRoleStmt, DropStmt,
    DropSubscriptionStmt, DropTableSpaceStmt, DropUserMappingStmt, DropdbStmt, Ident, NameList, ObjectName,
    ObjectType, SecLabelStmt, Statement,
};
use crate::grammar::transaction::option;
use crate::keywords::Keyword as K;
use crate::parser::Parser;
use crate::token::Tok;

type R<T> = PgResult<T>;

/// Which statement asks: they differ in the kinds they know.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Naming {
    Comment,
    SecLabel,
    Extension,
}

impl Parser<'_> {
    // ---- kinds of object ----------------------------------------------------------------------------------------

    /// Kinds whose objects have qualified names.
    fn object_type_any_name(&mut self) -> R<Option<ObjectType>> {
        let Tok::Kw(word) = self.tok else { return Ok(None) };
        let kind = match word {
            K::Table => ObjectType::Table,
            K::Sequence => ObjectType::Sequence,
            K::View => ObjectType::View,
            K::Index => ObjectType::Index,
            K::Collation => ObjectType::Collation,
            K::Conversion => ObjectType::Conversion,
            K::Statistics => ObjectType::StatisticExt,
            K::Materialized => {
                self.bump();
                if !self.at(K::View) {
                    return self.fail();
                }
                ObjectType::MatView
            }
            K::Foreign if self.next_is(K::Table) => {
                self.bump();
                ObjectType::ForeignTable
            }
            K::Text => {
                self.bump();
                self.expect(K::Search)?;
                return self.text_search_kind().map(Some);
            }
            _ => return Ok(None),
        };
        self.bump();
        Ok(Some(kind))
    }

    /// Kinds whose objects have plain names and that DROP takes in lists.
    fn drop_type_name(&mut self) -> R<Option<ObjectType>> {
        let Tok::Kw(word) = self.tok else { return Ok(None) };
        let kind = match word {
            K::Access => {
                self.bump();
                self.expect(K::Method)?;
                return Ok(Some(ObjectType::AccessMethod));
            }
            K::Event => {
                self.bump();
                self.expect(K::Trigger)?;
                return Ok(Some(ObjectType::EventTrigger));
            }
            K::Foreign => {
                self.bump();
                self.expect_all(&[K::Data, K::Wrapper])?;
                return Ok(Some(ObjectType::Fdw));
            }
            K::Procedural => {
                self.bump();
                if !self.at(K::Language) {
                    return self.fail();
                }
                ObjectType::Language
            }
            K::Language => ObjectType::Language,
            K::Extension => ObjectType::Extension,
            K::Publication => ObjectType::Publication,
            K::Schema => ObjectType::Schema,
            K::Server => ObjectType::ForeignServer,
            _ => return Ok(None),
        };
        self.bump();
        Ok(Some(kind))
    }

    /// [`Parser::drop_type_name`] and the shared objects.
    fn object_type_name(&mut self) -> R<Option<ObjectType>> {
        let kind = match self.tok {
            Tok::Kw(K::Database) => ObjectType::Database,
            Tok::Kw(K::Role) => ObjectType::Role,
            Tok::Kw(K::Subscription) => ObjectType::Subscription,
            Tok::Kw(K::Tablespace) => ObjectType::Tablespace,
            _ => return self.drop_type_name(),
        };
        self.bump();
        Ok(Some(kind))
    }

    fn routine_kind(&self) -> Option<ObjectType> {
        match self.tok {
            Tok::Kw(K::Function) => Some(ObjectType::Function),
            Tok::Kw(K::Procedure) => Some(ObjectType::Procedure),
            Tok::Kw(K::Routine) => Some(ObjectType::Routine),
            _ => None,
        }
    }

    /// `POLICY | RULE | TRIGGER`.
    fn kind_on_relation(&self) -> Option<ObjectType> {
        match self.tok {
            Tok::Kw(K::Policy) => Some(ObjectType::Policy),
            Tok::Kw(K::Rule) => Some(ObjectType::Rule),
            Tok::Kw(K::Trigger) => Some(ObjectType::Trigger),
            _ => None,
        }
    }

    /// `name ON any_name`, packed as PostgreSQL does.
    fn name_on_any_name(&mut self) -> R<ObjectName> {
        let name = self.name()?;
        self.expect(K::On)?;
        let mut names = self.any_name()?;
        names.push(name);
        Ok(ObjectName::Name(names))
    }

    /// `any_name USING access_method`, packed as PostgreSQL does.
    fn name_using_method(&mut self) -> R<ObjectName> {
        let names = self.any_name()?;
        self.expect(K::Using)?;
        let mut packed: NameList = vec![self.name()?];
        packed.extend(names);
        Ok(ObjectName::Name(packed))
    }

    fn transform_name(&mut self) -> R<ObjectName> {
        self.expect(K::For)?;
        let type_name = self.typename()?;
        self.expect(K::Language)?;
        Ok(ObjectName::TypeAndName(Box::new(type_name), self.name()?))
    }

    /// `CLASS` or `FAMILY` after OPERATOR.
    fn opclass_word(&mut self) -> Option<ObjectType> {
        let kind = match self.tok {
            Tok::Kw(K::Class) => ObjectType::OpClass,
            Tok::Kw(K::Family) => ObjectType::OpFamily,
            _ => return None,
        };
        // An operator may live in a schema of that name.
        if self.next_is('.') {
            return None;
        }
        self.bump();
        Some(kind)
    }

    /// The object of COMMENT, SECURITY LABEL and ALTER EXTENSION.
    fn described_object(&mut self, naming: Naming) -> R<(ObjectType, ObjectName)> {
        if let Some(kind) = self.object_type_any_name()? {
            return Ok((kind, ObjectName::Name(self.any_name()?)));
        }
        if let Some(kind) = self.routine_kind() {
            self.bump();
            return Ok((
                kind,
                ObjectName::WithArgs(Box::new(self.function_with_argtypes()?)),
            ));
        }
        if naming == Naming::Comment
            && let Some(kind) = self.kind_on_relation()
        {
            self.bump();
            return Ok((kind, self.name_on_any_name()?));
        }
        let Tok::Kw(word) = self.tok else {
            return self.fail();
        };
        match word {
            K::Aggregate => {
                self.bump();
                Ok((
                    ObjectType::Aggregate,
                    ObjectName::WithArgs(Box::new(self.aggregate_with_argtypes()?)),
                ))
            }
            K::Type | K::Domain => {
                self.bump();
                let kind = if word == K::Type {
                    ObjectType::Type
                } else {
                    ObjectType::Domain
                };
                Ok((kind, ObjectName::Type(Box::new(self.typename()?))))
            }
            K::Column if naming != Naming::Extension => {
                self.bump();
                Ok((ObjectType::Column, ObjectName::Name(self.any_name()?)))
            }
            K::Large if naming != Naming::Extension => {
                self.bump();
                self.expect(K::Object)?;
                Ok((
                    ObjectType::LargeObject,
                    ObjectName::LargeObject(Box::new(self.numeric_only()?)),
                ))
            }
            K::Cast if naming != Naming::SecLabel => {
                self.bump();
                let (source, target) = self.cast_types()?;
                Ok((
                    ObjectType::Cast,
                    ObjectName::TypePair(Box::new(source), Box::new(target)),
                ))
            }
            K::Transform if naming != Naming::SecLabel => {
                self.bump();
                Ok((ObjectType::Transform, self.transform_name()?))
            }
            K::Operator if naming != Naming::SecLabel => {
                self.bump();
                match self.opclass_word() {
                    Some(kind) => Ok((kind, self.name_using_method()?)),
                    None => {
                        let operator = self.operator_with_argtypes()?;
                        Ok((ObjectType::Operator, ObjectName::WithArgs(Box::new(operator))))
                    }
                }
            }
            K::Constraint if naming == Naming::Comment => {
                self.bump();
                self.constraint_name()
            }
            _ => match self.object_type_name()? {
                Some(kind) => Ok((kind, ObjectName::Name(vec![self.name()?]))),
                None => self.fail(),
            },
        }
    }

    /// `name ON table | name ON DOMAIN type`.
    fn constraint_name(&mut self) -> R<(ObjectType, ObjectName)> {
        if self.next_is(K::On) && self.peek(2) == Tok::Kw(K::Domain) && crate::parser::is_col_id(self.peek(3))
        {
            let name = self.name()?;
            self.bump();
            self.bump();
            let names = self.any_name()?;
            let domain = self.type_from_names(names);
            return Ok((
                ObjectType::DomConstraint,
                ObjectName::TypeAndName(Box::new(domain), name),
            ));
        }
        Ok((ObjectType::TabConstraint, self.name_on_any_name()?))
    }

    /// COMMENT ON.
    pub fn comment_stmt(&mut self) -> R<Statement> {
        let start = self.take().start;
        self.expect(K::On)?;
        let (objtype, object) = self.described_object(Naming::Comment)?;
        self.expect(K::Is)?;
        let comment = self.comment_text()?;
        Ok(CommentStmt {
            objtype,
            object,
            comment,
            span: self.span_from(start),
        }
        .into())
    }

    /// SECURITY LABEL.
    pub fn security_label_stmt(&mut self) -> R<Statement> {
        let start = self.take().start;
        self.expect(K::Label)?;
        let provider = if self.eat(K::For) {
            Some(self.non_reserved_word_or_sconst()?)
        } else {
            None
        };
        self.expect(K::On)?;
        let (objtype, object) = self.described_object(Naming::SecLabel)?;
        self.expect(K::Is)?;
        let label = self.comment_text()?;
        Ok(SecLabelStmt {
            objtype,
            object,
            provider,
            label,
            span: self.span_from(start),
        }
        .into())
    }

    /// ALTER EXTENSION ... ADD/DROP, after that word.
    pub fn alter_extension_contents(&mut self, start: u32, extname: Ident, is_add: bool) -> R<Statement> {
        let (objtype, object) = self.described_object(Naming::Extension)?;
        let span = self.span_from(start);
        Ok(AlterExtensionContentsStmt {
            extname,
            is_add,
            objtype,
            object,
            span,
        }
        .into())
    }

    // ---- DROP ---------------------------------------------------------------------------------------------------

    /// DROP.
    pub fn drop_stmt(&mut self) -> R<Statement> {
        let start = self.take().start;
        if let Some(stmt) = self.drop_special(start)? {
            return Ok(stmt);
        }
        let is_index = self.at(K::Index);
        if let Some(kind) = self.object_type_any_name()? {
            let concurrent = is_index && self.eat(K::Concurrently);
            let missing_ok = self.opt_if_exists();
            let objects = self.comma_list(|p| Ok(ObjectName::Name(p.any_name()?)))?;
            return self.finish_drop(start, kind, objects, missing_ok, concurrent);
        }
        if let Some(kind) = self.routine_kind() {
            self.bump();
            let missing_ok = self.opt_if_exists();
            let objects =
                self.comma_list(|p| Ok(ObjectName::WithArgs(Box::new(p.function_with_argtypes()?))))?;
            return self.finish_drop(start, kind, objects, missing_ok, false);
        }
        if let Some(kind) = self.kind_on_relation() {
            self.bump();
            let missing_ok = self.opt_if_exists();
            let objects = vec![self.name_on_any_name()?];
            return self.finish_drop(start, kind, objects, missing_ok, false);
        }
        if let Some(kind) = self.drop_type_name()? {
            let missing_ok = self.opt_if_exists();
            let objects = self.comma_list(|p| Ok(ObjectName::Name(vec![p.name()?])))?;
            return self.finish_drop(start, kind, objects, missing_ok, false);
        }
        self.drop_by_type(start)
    }

    fn drop_by_type(&mut self, start: u32) -> R<Statement> {
        let Tok::Kw(word) = self.tok else {
            return self.fail();
        };
        if !matches!(
            word,
            K::Type | K::Domain | K::Cast | K::Operator | K::Transform | K::Aggregate
        ) {
            return self.fail();
        }
        self.bump();
        let opclass = if word == K::Operator {
            self.opclass_word()
        } else {
            None
        };
        let missing_ok = match word {
            K::Cast | K::Transform => self.if_exists()?,
            _ => self.opt_if_exists(),
        };
        let (kind, objects) = match (word, opclass) {
            (K::Operator, Some(kind)) => (kind, vec![self.name_using_method()?]),
            (K::Operator, None) => {
                let list =
                    self.comma_list(|p| Ok(ObjectName::WithArgs(Box::new(p.operator_with_argtypes()?))))?;
                (ObjectType::Operator, list)
            }
            (K::Aggregate, _) => {
                let list =
                    self.comma_list(|p| Ok(ObjectName::WithArgs(Box::new(p.aggregate_with_argtypes()?))))?;
                (ObjectType::Aggregate, list)
            }
            (K::Cast, _) => {
                let (source, target) = self.cast_types()?;
                (
                    ObjectType::Cast,
                    vec![ObjectName::TypePair(Box::new(source), Box::new(target))],
                )
            }
            (K::Transform, _) => (ObjectType::Transform, vec![self.transform_name()?]),
            _ => {
                let kind = if word == K::Type {
                    ObjectType::Type
                } else {
                    ObjectType::Domain
                };
                (
                    kind,
                    self.comma_list(|p| Ok(ObjectName::Type(Box::new(p.typename()?))))?,
                )
            }
        };
        self.finish_drop(start, kind, objects, missing_ok, false)
    }

    fn finish_drop(
        &mut self,
        start: u32,
        remove_type: ObjectType,
        objects: Vec<ObjectName>,
        missing_ok: bool,
        concurrent: bool,
    ) -> R<Statement> {
        let behavior: DropBehavior = self.opt_drop_behavior();
        let span = self.span_from(start);
        Ok(DropStmt {
            objects,
            remove_type,
            behavior,
            missing_ok,
            concurrent,
            span,
        }
        .into())
    }

    /// Objects that have a statement of their own.
    fn drop_special(&mut self, start: u32) -> R<Option<Statement>> {
        let Tok::Kw(word) = self.tok else { return Ok(None) };
        let stmt = match word {
            K::Owned => {
                self.bump();
                self.drop_owned(start)?
            }
            K::User if self.at_user_mapping() => {
                self.bump();
                self.bump();
                let missing_ok = self.if_exists()?;
                self.expect(K::For)?;
                let user = self.auth_ident()?;
                self.expect(K::Server)?;
                let servername = self.name()?;
                DropUserMappingStmt {
                    user,
                    servername,
                    missing_ok,
                    span: self.span_from(start),
                }
                .into()
            }
            K::Role | K::User | K::Group => {
                self.bump();
                let missing_ok = self.opt_if_exists();
                let roles = self.role_list()?;
                DropRoleStmt {
                    roles,
                    missing_ok,
                    span: self.span_from(start),
                }
                .into()
            }
            K::Database => {
                self.bump();
                let missing_ok = self.opt_if_exists();
                let dbname = self.name()?;
                let options = self.drop_database_options()?;
                DropdbStmt {
                    dbname,
                    missing_ok,
                    options,
                    span: self.span_from(start),
                }
                .into()
            }
            K::Tablespace => {
                self.bump();
                let missing_ok = self.opt_if_exists();
                let tablespacename = self.name()?;
                DropTableSpaceStmt {
                    tablespacename,
                    missing_ok,
                    span: self.span_from(start),
                }
                .into()
            }
            K::Subscription => {
                self.bump();
                let missing_ok = self.opt_if_exists();
                let subname = self.name()?;
                let behavior = self.opt_drop_behavior();
                DropSubscriptionStmt {
                    subname,
                    missing_ok,
                    behavior,
                    span: self.span_from(start),
                }
                .into()
            }
            _ => return Ok(None),
        };
        Ok(Some(stmt))
    }

    fn drop_database_options(&mut self) -> R<Vec<DefElem>> {
        let with = matches!(self.tok, Tok::Kw(K::With) | Tok::WithLa);
        self.opt_with_word();
        if !with && !self.at('(') {
            return Ok(Vec::new());
        }
        self.paren_list(|p| {
            let span = p.span();
            p.expect(K::Force)?;
            Ok(option("force", None, span))
        })
    }
}
