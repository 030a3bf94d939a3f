//! CREATE TABLE: columns, LIKE, inheritance, partitions, storage clauses, and CREATE TABLE AS.

use common::error::{ErrorExt, PgError, Severity};
use common::{PgResult, Span, pg_err, sqlstate};

use crate::ast::{
    ColumnDef, CreateStmt, CreateTableAsStmt, DefElem, ExecuteStmt, ForeignTablePart, Ident, IntoClause,
    NameList, ObjectType, OnCommitAction, PartitionBound, PartitionBoundSpec, PartitionElem, PartitionSpec,
    PartitionStrategy, Persistence, RangeVar, Statement, TableElement, TableLikeClause,
};
use crate::keywords::Keyword as K;
use crate::parser::{Parser, is_col_id};
use crate::token::Tok;

type R<T> = PgResult<T>;

/// What follows CREATE in front of TABLE.
#[derive(Clone, Copy)]
pub struct TableHead {
    pub start: u32,
    pub persistence: Persistence,
    pub forms: TableForms,
}

/// Which forms of CREATE TABLE the context allows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TableForms {
    Any,
    /// EXPLAIN takes only CREATE TABLE AS.
    OnlyAs,
    /// CREATE SCHEMA takes everything but that.
    NoAs,
}

impl Parser<'_> {
    /// `OptTemp`: TEMP and UNLOGGED in front of TABLE, VIEW, SEQUENCE.
    pub fn opt_temp(&mut self) -> R<Persistence> {
        let span = self.span();
        match self.tok {
            Tok::Kw(K::Temp | K::Temporary) => {
                self.bump();
                Ok(Persistence::Temp)
            }
            Tok::Kw(word @ (K::Local | K::Global)) => {
                self.bump();
                if !self.eat(K::Temp) {
                    self.expect(K::Temporary)?;
                }
                if word == K::Global {
                    let text = "GLOBAL is deprecated in temporary table creation";
                    self.notice(PgError::notice(Severity::Warning, sqlstate::WARNING, text).at(span));
                }
                Ok(Persistence::Temp)
            }
            Tok::Kw(K::Unlogged) => {
                self.bump();
                Ok(Persistence::Unlogged)
            }
            _ => Ok(Persistence::Permanent),
        }
    }

    /// CREATE TABLE in all forms; the current token is TABLE.
    pub fn create_table(&mut self, head: TableHead) -> R<Statement> {
        self.expect(K::Table)?;
        let if_not_exists = self.opt_if_not_exists()?;
        let mut relation = self.qualified_name()?;
        relation.persistence = head.persistence;
        let is_as = match (head.forms, self.tok) {
            (TableForms::OnlyAs, _) => true,
            (TableForms::NoAs, _) | (_, Tok::Kw(K::Of | K::Partition)) => false,
            (_, Tok::Char(b'(')) => is_col_id(self.peek(1)) && matches!(self.peek(2), Tok::Char(b',' | b')')),
            _ => true,
        };
        if is_as {
            return self.create_table_as(head, relation, if_not_exists);
        }
        let mut stmt = empty_create_stmt(relation, if_not_exists);
        self.create_table_body(&mut stmt)?;
        stmt.partspec = self.opt_partition_spec()?;
        stmt.access_method = self.table_access_method_clause()?;
        stmt.options = self.opt_with()?;
        stmt.on_commit = self.on_commit_option()?;
        stmt.tablespace = self.opt_tablespace()?;
        stmt.span = self.span_from(head.start);
        Ok(stmt.into())
    }

    /// Elements with INHERITS, OF type, or PARTITION OF parent.
    fn create_table_body(&mut self, stmt: &mut CreateStmt) -> R<()> {
        if self.eat(K::Of) {
            let names = self.any_name()?;
            stmt.of_typename = Some(Box::new(self.type_from_names(names)));
            stmt.table_elts = self.opt_typed_table_elements()?;
            return Ok(());
        }
        if self.eat(K::Partition) {
            self.expect(K::Of)?;
            stmt.inh_relations = vec![self.qualified_name()?];
            stmt.table_elts = self.opt_typed_table_elements()?;
            stmt.partbound = Some(Box::new(self.partition_bound_spec()?));
            return Ok(());
        }
        self.expect('(')?;
        if !self.at(')') {
            stmt.table_elts = self.comma_list(|p| p.table_element())?;
        }
        self.expect(')')?;
        if self.eat(K::Inherits) {
            stmt.inh_relations = self.paren_list(|p| p.qualified_name())?;
        }
        Ok(())
    }

    /// CREATE FOREIGN TABLE; the current token is FOREIGN.
    pub fn create_foreign_table(&mut self, start: u32) -> R<Statement> {
        self.expect(K::Foreign)?;
        self.expect(K::Table)?;
        let if_not_exists = self.opt_if_not_exists()?;
        let relation = self.qualified_name()?;
        let mut stmt = empty_create_stmt(relation, if_not_exists);
        if !self.at('(') && !self.at(K::Partition) {
            return self.fail();
        }
        self.create_table_body(&mut stmt)?;
        self.expect(K::Server)?;
        let server = self.name()?;
        let options = self.create_generic_options()?;
        stmt.foreign = Some(Box::new(ForeignTablePart { server, options }));
        stmt.span = self.span_from(start);
        Ok(stmt.into())
    }

    fn create_table_as(&mut self, head: TableHead, relation: RangeVar, if_not_exists: bool) -> R<Statement> {
        let mut into = self.create_as_target(relation, OnCommit::Allowed)?;
        self.expect(K::As)?;
        let query = if self.at(K::Execute) {
            self.execute_stmt()?.into()
        } else {
            Statement::Select(self.select_stmt()?)
        };
        into.skip_data = !self.opt_with_data()?;
        into.persistence = head.persistence;
        let (into, span) = (Box::new(into), self.span_from(head.start));
        Ok(CreateTableAsStmt {
            query,
            into,
            objtype: ObjectType::Table,
            if_not_exists,
            span,
        }
        .into())
    }

    /// The target of CREATE TABLE AS and CREATE MATERIALIZED VIEW after its name.
    pub fn create_as_target(&mut self, rel: RangeVar, on_commit: OnCommit) -> R<IntoClause> {
        let col_names = self.opt_column_list()?;
        let access_method = self.table_access_method_clause()?;
        let allowed = on_commit == OnCommit::Allowed;
        let options = if allowed {
            self.opt_with()?
        } else {
            self.opt_reloptions()?
        };
        let on_commit = if allowed {
            self.on_commit_option()?
        } else {
            OnCommitAction::Noop
        };
        let tablespace = self.opt_tablespace()?;
        let persistence = rel.persistence;
        Ok(IntoClause {
            rel,
            col_names,
            access_method,
            options,
            on_commit,
            tablespace,
            skip_data: false,
            persistence,
        })
    }

    /// `EXECUTE name [(args)]`.
    pub fn execute_stmt(&mut self) -> R<ExecuteStmt> {
        let start = self.start();
        self.expect(K::Execute)?;
        let name = self.name()?;
        let params = self.opt_paren_list(|p| p.a_expr())?;
        Ok(ExecuteStmt {
            name,
            params,
            span: self.span_from(start),
        })
    }

    /// `[WITH [NO] DATA]`: false for NO DATA.
    pub fn opt_with_data(&mut self) -> R<bool> {
        if !self.eat(K::With) {
            return Ok(true);
        }
        let no = self.eat(K::No);
        self.expect(K::Data)?;
        Ok(!no)
    }

    /// `[USING access_method]`.
    pub fn table_access_method_clause(&mut self) -> R<Option<Ident>> {
        if self.eat(K::Using) {
            Ok(Some(self.name()?))
        } else {
            Ok(None)
        }
    }

    /// `[WITH (...) | WITHOUT OIDS]`.
    pub fn opt_with(&mut self) -> R<Vec<DefElem>> {
        if self.eat(K::Without) {
            self.expect(K::Oids)?;
            return Ok(Vec::new());
        }
        // CREATE TABLE AS has its own WITH [NO] DATA, but only after the query.
        self.opt_reloptions()
    }

    /// `[WITH reloptions]`.
    pub fn opt_reloptions(&mut self) -> R<Vec<DefElem>> {
        if self.eat(K::With) {
            self.reloptions()
        } else {
            Ok(Vec::new())
        }
    }

    fn on_commit_option(&mut self) -> R<OnCommitAction> {
        if !self.eat(K::On) {
            return Ok(OnCommitAction::Noop);
        }
        self.expect(K::Commit)?;
        let action = match self.tok {
            Tok::Kw(K::Drop) => {
                self.bump();
                return Ok(OnCommitAction::Drop);
            }
            Tok::Kw(K::Delete) => OnCommitAction::DeleteRows,
            Tok::Kw(K::Preserve) => OnCommitAction::PreserveRows,
            _ => return self.fail(),
        };
        self.bump();
        self.expect(K::Rows)?;
        Ok(action)
    }

    /// `[TABLESPACE name]`.
    pub fn opt_tablespace(&mut self) -> R<Option<Ident>> {
        if self.eat(K::Tablespace) {
            Ok(Some(self.name()?))
        } else {
            Ok(None)
        }
    }

    // ---- elements -----------------------------------------------------------------------------------------------

    fn table_element(&mut self) -> R<TableElement> {
        if self.at(K::Like) {
            return Ok(TableElement::Like(Box::new(self.table_like_clause()?)));
        }
        if self.at_table_constraint() {
            return Ok(TableElement::Constraint(Box::new(self.table_constraint()?)));
        }
        Ok(TableElement::Column(Box::new(self.column_def()?)))
    }

    /// True if a table constraint starts here.
    pub fn at_table_constraint(&self) -> bool {
        match self.tok {
            Tok::Kw(K::Constraint | K::Check | K::Unique | K::Primary | K::Foreign | K::Not) => true,
            // EXCLUDE is an unreserved word: a column of that name is followed by its type.
            Tok::Kw(K::Exclude) => matches!(self.peek(1), Tok::Kw(K::Using) | Tok::Char(b'(')),
            _ => false,
        }
    }

    /// `columnDef`.
    pub fn column_def(&mut self) -> R<ColumnDef> {
        let name = self.col_id()?;
        let start = name.span.start;
        let mut column = empty_column(name);
        column.type_name = Some(self.typename()?);
        if self.eat(K::Storage) {
            column.storage = Some(self.column_storage()?);
        }
        if self.eat(K::Compression) {
            column.compression = Some(self.col_id_or_default()?);
        }
        column.fdwoptions = self.create_generic_options()?;
        self.col_qual_list(&mut column.constraints, &mut column.collation)?;
        column.span = self.span_from(start);
        Ok(column)
    }

    /// STORAGE's word.
    pub fn column_storage(&mut self) -> R<Ident> {
        self.col_id_or_default()
    }

    /// `ColId | DEFAULT`.
    pub fn col_id_or_default(&mut self) -> R<Ident> {
        if self.at(K::Default) {
            Ok(self.take_name())
        } else {
            self.col_id()
        }
    }

    fn opt_typed_table_elements(&mut self) -> R<Vec<TableElement>> {
        self.opt_paren_list(|p| {
            if p.at_table_constraint() && !(p.at(K::Exclude) && p.next_is(K::With)) {
                return Ok(TableElement::Constraint(Box::new(p.table_constraint()?)));
            }
            let name = p.col_id()?;
            let start = name.span.start;
            let mut column = empty_column(name);
            if p.eat(K::With) {
                p.expect(K::Options)?;
            }
            p.col_qual_list(&mut column.constraints, &mut column.collation)?;
            if let Some(collation) = &column.collation {
                let _ = collation;
            }
            column.span = p.span_from(start);
            Ok(TableElement::Column(Box::new(column)))
        })
    }

    fn table_like_clause(&mut self) -> R<TableLikeClause> {
        let start = self.take().start;
        let relation = self.qualified_name()?;
        let mut options = 0u32;
        loop {
            let including = self.eat(K::Including);
            if !including && !self.eat(K::Excluding) {
                break;
            }
            let option = self.table_like_option()?;
            if including {
                options |= option;
            } else {
                options &= !option;
            }
        }
        Ok(TableLikeClause {
            relation,
            options,
            span: self.span_from(start),
        })
    }

    fn table_like_option(&mut self) -> R<u32> {
        let option = match self.tok {
            Tok::Kw(K::Comments) => TableLikeClause::COMMENTS,
            Tok::Kw(K::Compression) => TableLikeClause::COMPRESSION,
            Tok::Kw(K::Constraints) => TableLikeClause::CONSTRAINTS,
            Tok::Kw(K::Defaults) => TableLikeClause::DEFAULTS,
            Tok::Kw(K::Identity) => TableLikeClause::IDENTITY,
            Tok::Kw(K::Generated) => TableLikeClause::GENERATED,
            Tok::Kw(K::Indexes) => TableLikeClause::INDEXES,
            Tok::Kw(K::Statistics) => TableLikeClause::STATISTICS,
            Tok::Kw(K::Storage) => TableLikeClause::STORAGE,
            Tok::Kw(K::All) => TableLikeClause::ALL,
            _ => return self.fail(),
        };
        self.bump();
        Ok(option)
    }

    // ---- partitions ---------------------------------------------------------------------------------------------

    fn opt_partition_spec(&mut self) -> R<Option<Box<PartitionSpec>>> {
        if !self.at(K::Partition) {
            return Ok(None);
        }
        let start = self.take().start;
        self.expect(K::By)?;
        let word = self.col_id()?;
        let part_params = self.paren_list(|p| p.part_elem())?;
        let strategy = match word.as_str().to_ascii_lowercase().as_str() {
            "list" => PartitionStrategy::List,
            "range" => PartitionStrategy::Range,
            "hash" => PartitionStrategy::Hash,
            other => {
                let message = format!("unrecognized partitioning strategy \"{other}\"");
                return Err(pg_err!(INVALID_PARAMETER_VALUE, "{message}").at(word.span));
            }
        };
        Ok(Some(Box::new(PartitionSpec {
            strategy,
            part_params,
            span: self.span_from(start),
        })))
    }

    fn part_elem(&mut self) -> R<PartitionElem> {
        let start = self.start();
        let (mut name, mut expr) = (None, None);
        if self.eat('(') {
            expr = Some(self.a_expr()?);
            self.expect(')')?;
        } else if self.at_call() {
            expr = Some(self.func_expr_windowless()?);
        } else {
            name = Some(self.col_id()?);
        }
        let collation = if self.eat(K::Collate) {
            self.any_name()?
        } else {
            NameList::new()
        };
        let opclass = if is_col_id(self.tok) {
            self.any_name()?
        } else {
            NameList::new()
        };
        Ok(PartitionElem {
            name,
            expr,
            collation,
            opclass,
            span: self.span_from(start),
        })
    }

    /// `FOR VALUES ... | DEFAULT`.
    pub fn partition_bound_spec(&mut self) -> R<PartitionBoundSpec> {
        let start = self.start();
        if self.eat(K::Default) {
            return Ok(PartitionBoundSpec {
                bound: PartitionBound::Default,
                span: self.span_from(start),
            });
        }
        self.expect(K::For)?;
        self.expect(K::Values)?;
        let values_at = self.span();
        let bound = if self.eat(K::In) {
            PartitionBound::List(self.paren_list(|p| p.a_expr())?)
        } else if self.eat(K::From) {
            let lower = self.paren_list(|p| p.a_expr())?;
            self.expect(K::To)?;
            PartitionBound::Range {
                lower,
                upper: self.paren_list(|p| p.a_expr())?,
            }
        } else {
            self.expect(K::With)?;
            self.hash_partition_bound(values_at)?
        };
        Ok(PartitionBoundSpec {
            bound,
            span: self.span_from(values_at.start),
        })
    }

    fn hash_partition_bound(&mut self, values_at: Span) -> R<PartitionBound> {
        let (mut modulus, mut remainder) = (None, None);
        let items = self.paren_list(|p| Ok((p.non_reserved_word()?, p.iconst()?)))?;
        for (word, value) in items {
            let (slot, what) = match word.as_str() {
                "modulus" => (&mut modulus, "modulus"),
                "remainder" => (&mut remainder, "remainder"),
                other => {
                    let message = format!("unrecognized hash partition bound specification \"{other}\"");
                    return Err(self.grammar_error(&message, word.span));
                }
            };
            if slot.replace(value).is_some() {
                let message = format!("{what} for hash partition provided more than once");
                return Err(pg_err!(DUPLICATE_OBJECT, "{message}").at(word.span));
            }
        }
        match (modulus, remainder) {
            (Some(modulus), Some(remainder)) => Ok(PartitionBound::Hash { modulus, remainder }),
            (None, _) => Err(self.missing_hash_bound("modulus", values_at)),
            _ => Err(self.missing_hash_bound("remainder", values_at)),
        }
    }

    fn missing_hash_bound(&self, what: &str, values_at: Span) -> Box<PgError> {
        self.grammar_error(&format!("{what} for hash partition must be specified"), values_at)
    }
}

/// Whether ON COMMIT may follow.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum OnCommit {
    Allowed,
    NotAllowed,
}

fn empty_create_stmt(relation: RangeVar, if_not_exists: bool) -> CreateStmt {
    CreateStmt {
        relation,
        table_elts: Vec::new(),
        inh_relations: Vec::new(),
        partbound: None,
        partspec: None,
        of_typename: None,
        options: Vec::new(),
        on_commit: OnCommitAction::Noop,
        tablespace: None,
        access_method: None,
        if_not_exists,
        foreign: None,
        span: Span::NONE,
    }
}

fn empty_column(name: Ident) -> ColumnDef {
    let span = name.span;
    ColumnDef {
        name,
        type_name: None,
        compression: None,
        storage: None,
        collation: None,
        constraints: Vec::new(),
        fdwoptions: Vec::new(),
        span,
    }
}
