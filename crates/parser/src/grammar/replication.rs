//! Publications and subscriptions.

use common::error::ErrorExt;
use common::{PgResult, Span};

use crate::ast::{
    AlterPublicationStmt, AlterSubscriptionStmt, AlterSubscriptionType, CreatePublicationStmt,
    CreateSubscriptionStmt, DefArg, DefElemSetAddDrop, Ident, PublicationObjSpec, PublicationObjSpecType,
    PublicationTable, Statement,
};
use crate::grammar::transaction::option;
use crate::keywords::Keyword as K;
use crate::parser::Parser;
use crate::token::Tok;

type R<T> = PgResult<T>;

/// An element of a publication's object list before its kind is known.
struct RawObject {
    /// TABLE or TABLES IN SCHEMA was written.
    kind: Option<PublicationObjSpecType>,
    name: Option<Ident>,
    table: Option<PublicationTable>,
    span: Span,
}

impl Parser<'_> {
    /// CREATE PUBLICATION; the current token is PUBLICATION.
    pub fn create_publication(&mut self, start: u32) -> R<Statement> {
        self.bump();
        let pubname = self.name()?;
        let mut objects = Vec::new();
        let mut for_all_tables = false;
        if self.eat(K::For) {
            for_all_tables = self.eat(K::All);
            if for_all_tables {
                self.expect(K::Tables)?;
            } else {
                objects = self.pub_obj_list()?;
            }
        }
        let options = self.opt_definition()?;
        let span = self.span_from(start);
        Ok(CreatePublicationStmt {
            pubname,
            options,
            objects,
            for_all_tables,
            span,
        }
        .into())
    }

    /// ALTER PUBLICATION, after the name.
    pub fn alter_publication(&mut self, start: u32, pubname: Ident) -> R<Statement> {
        let action = match self.tok {
            Tok::Kw(K::Set) => DefElemSetAddDrop::Set,
            Tok::Kw(K::Add) => DefElemSetAddDrop::Add,
            Tok::Kw(K::Drop) => DefElemSetAddDrop::Drop,
            _ => return self.fail(),
        };
        self.bump();
        let (mut options, mut objects) = (Vec::new(), Vec::new());
        if action == DefElemSetAddDrop::Set && self.at('(') {
            options = self.definition()?;
        } else {
            objects = self.pub_obj_list()?;
        }
        Ok(AlterPublicationStmt {
            pubname,
            options,
            objects,
            action,
            span: self.span_from(start),
        }
        .into())
    }

    fn pub_obj_list(&mut self) -> R<Vec<PublicationObjSpec>> {
        let raw = self.comma_list(|p| p.pub_obj())?;
        self.preprocess_pub_objects(raw)
    }

    fn pub_obj(&mut self) -> R<RawObject> {
        let span = self.span();
        if self.eat(K::Table) {
            let table = Some(self.pub_table()?);
            return Ok(RawObject {
                kind: Some(PublicationObjSpecType::Table),
                name: None,
                table,
                span,
            });
        }
        if self.at2(K::Tables, K::In) {
            self.bump();
            self.bump();
            self.expect(K::Schema)?;
            if self.at(K::CurrentSchema) {
                let span = self.take().span();
                let kind = Some(PublicationObjSpecType::TablesInCurrentSchema);
                return Ok(RawObject {
                    kind,
                    name: None,
                    table: None,
                    span,
                });
            }
            let name = self.col_id()?;
            let span = name.span;
            return Ok(RawObject {
                kind: Some(PublicationObjSpecType::TablesInSchema),
                name: Some(name),
                table: None,
                span,
            });
        }
        if self.eat(K::CurrentSchema) {
            let name = Ident::new("current_schema", Span::NONE);
            return Ok(RawObject {
                kind: None,
                name: Some(name),
                table: None,
                span,
            });
        }
        let table = self.pub_table()?;
        let r = &table.relation;
        // PostgreSQL forgets the place of these.
        let extended = !r.inh || r.span.end != r.relation.span.end;
        let span = if extended { Span::new(0, 0) } else { span };
        // A lone name may be a schema or a table: the elements before it decide.
        let plain = r.inh
            && r.schema.is_none()
            && table.columns.is_empty()
            && table.where_clause.is_none()
            && !extended;
        if plain {
            return Ok(RawObject {
                kind: None,
                name: Some(r.relation.clone()),
                table: None,
                span,
            });
        }
        Ok(RawObject {
            kind: None,
            name: None,
            table: Some(table),
            span,
        })
    }

    fn pub_table(&mut self) -> R<PublicationTable> {
        let relation = self.relation_expr()?;
        let columns = self.opt_column_list()?;
        let mut where_clause = None;
        if self.eat(K::Where) {
            self.expect('(')?;
            where_clause = Some(self.a_expr()?);
            self.expect(')')?;
        }
        Ok(PublicationTable {
            relation,
            where_clause,
            columns,
        })
    }

    /// Elements without a key word take the kind of the one before.
    fn preprocess_pub_objects(&mut self, raw: Vec<RawObject>) -> R<Vec<PublicationObjSpec>> {
        let mut objects: Vec<PublicationObjSpec> = Vec::new();
        let mut previous: Option<PublicationObjSpecType> = None;
        for object in raw {
            let Some(kind) = object.kind.or(previous) else {
                return Err(self.grammar_error("invalid publication object list", object.span).detail(
                    "One of TABLE or TABLES IN SCHEMA must be specified before a standalone table or schema name.",
                ));
            };
            previous = Some(kind);
            objects.push(self.publication_object(kind, object)?);
        }
        Ok(objects)
    }

    fn publication_object(
        &mut self,
        kind: PublicationObjSpecType,
        object: RawObject,
    ) -> R<PublicationObjSpec> {
        let span = object.span;
        if kind == PublicationObjSpecType::Table {
            let table = match (object.table, object.name) {
                (Some(table), _) => table,
                (None, Some(name)) if name.span.is_known() => PublicationTable {
                    relation: self.range_var_from_names(vec![name])?,
                    where_clause: None,
                    columns: Vec::new(),
                },
                _ => return Err(self.grammar_error("invalid table name", span)),
            };
            return Ok(PublicationObjSpec {
                kind,
                name: None,
                table: Some(Box::new(table)),
                span,
            });
        }
        if let Some(table) = &object.table {
            let problem = if table.where_clause.is_some() {
                "WHERE clause not allowed for schema"
            } else if !table.columns.is_empty() {
                "column specification not allowed for schema"
            } else {
                "invalid schema name"
            };
            return Err(self.grammar_error(problem, span));
        }
        let current = object.kind == Some(PublicationObjSpecType::TablesInCurrentSchema)
            || object.name.as_ref().is_some_and(|n| !n.span.is_known());
        if current {
            let kind = PublicationObjSpecType::TablesInCurrentSchema;
            return Ok(PublicationObjSpec {
                kind,
                name: None,
                table: None,
                span,
            });
        }
        let kind = PublicationObjSpecType::TablesInSchema;
        Ok(PublicationObjSpec {
            kind,
            name: object.name,
            table: None,
            span,
        })
    }

    // ---- subscriptions ------------------------------------------------------------------------------------------

    /// CREATE SUBSCRIPTION; the current token is SUBSCRIPTION.
    pub fn create_subscription(&mut self, start: u32) -> R<Statement> {
        self.bump();
        let subname = self.name()?;
        self.expect(K::Connection)?;
        let conninfo = self.sconst()?.name;
        self.expect(K::Publication)?;
        let publications = self.comma_list(|p| p.name())?;
        let options = self.opt_definition()?;
        let span = self.span_from(start);
        Ok(CreateSubscriptionStmt {
            subname,
            conninfo,
            publications,
            options,
            span,
        }
        .into())
    }

    /// ALTER SUBSCRIPTION, after the name.
    pub fn alter_subscription(&mut self, start: u32, subname: Ident) -> R<Statement> {
        use AlterSubscriptionType as T;
        let mut stmt = AlterSubscriptionStmt {
            kind: T::Options,
            subname,
            conninfo: None,
            publications: Vec::new(),
            options: Vec::new(),
            span: Span::NONE,
        };
        let span = self.span();
        let Tok::Kw(word) = self.tok else {
            return self.fail();
        };
        if !matches!(
            word,
            K::Set | K::Connection | K::Refresh | K::Add | K::Drop | K::Enable | K::Disable | K::Skip
        ) {
            return self.fail();
        }
        self.bump();
        match word {
            K::Set if self.at('(') => stmt.options = self.definition()?,
            K::Set | K::Add | K::Drop => {
                stmt.kind = match word {
                    K::Set => T::SetPublication,
                    K::Add => T::AddPublication,
                    _ => T::DropPublication,
                };
                self.expect(K::Publication)?;
                stmt.publications = self.comma_list(|p| p.name())?;
                stmt.options = self.opt_definition()?;
            }
            K::Connection => {
                stmt.kind = T::Connection;
                stmt.conninfo = Some(self.sconst()?.name);
            }
            K::Refresh => {
                stmt.kind = T::Refresh;
                self.expect(K::Publication)?;
                stmt.options = self.opt_definition()?;
            }
            K::Skip => {
                stmt.kind = T::Skip;
                stmt.options = self.definition()?;
            }
            _ => {
                stmt.kind = T::Enabled;
                let value = DefArg::Boolean(word == K::Enable);
                stmt.options = vec![option("enabled", Some(value), span)];
            }
        }
        stmt.span = self.span_from(start);
        Ok(stmt.into())
    }
}
