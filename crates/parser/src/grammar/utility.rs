//! EXPLAIN, VACUUM, cursors, prepared statements and the other small utility statements.

use common::PgResult;

use crate::ast::{
    CheckPointStmt, ClosePortalStmt, ClusterStmt, CreateStatsStmt, DeallocateStmt, DeclareCursorStmt,
    DefElem, ExplainStmt, FetchDirection, FetchStmt, ListenStmt, LoadStmt, LockMode, LockStmt, NotifyStmt,
    Persistence, PrepareStmt, ReindexObjectType, ReindexStmt, Statement, StatsElem, TruncateStmt,
    UnlistenStmt, VacuumRelation, VacuumStmt, cursor_options,
};
use crate::grammar::table::{TableForms, TableHead};
use crate::grammar::transaction::option;
use crate::keywords::Keyword as K;
use crate::parser::{Parser, is_col_id};
use crate::token::Tok;

type R<T> = PgResult<T>;

impl Parser<'_> {
    // ---- EXPLAIN ------------------------------------------------------------------------------------------------

    /// EXPLAIN.
    pub fn explain_stmt(&mut self) -> R<Statement> {
        let start = self.take().start;
        let mut options = Vec::new();
        if self.at('(') && !self.next_is('(') && !self.parens_lead_to_select() {
            options = self.utility_option_list()?;
        } else {
            let span = self.span();
            if self.eat(K::Analyze) || self.eat(K::Analyse) {
                options.push(option("analyze", None, span));
            }
            let span = self.span();
            if self.eat(K::Verbose) {
                options.push(option("verbose", None, span));
            }
        }
        let query = self.explainable_stmt()?;
        Ok(ExplainStmt {
            query,
            options,
            span: self.span_from(start),
        }
        .into())
    }

    fn explainable_stmt(&mut self) -> R<Statement> {
        match self.tok {
            Tok::Kw(K::Declare) => self.declare_cursor(),
            Tok::Kw(K::Refresh) => self.refresh_mat_view(),
            Tok::Kw(K::Execute) => Ok(self.execute_stmt()?.into()),
            Tok::Kw(K::Create) => {
                let start = self.take().start;
                let persistence = match self.tok {
                    Tok::Kw(K::Unlogged) if self.next_is(K::Materialized) => {
                        self.bump();
                        Persistence::Unlogged
                    }
                    _ => self.opt_temp()?,
                };
                if self.at(K::Materialized) {
                    return self.create_mat_view(start, persistence);
                }
                self.create_table(TableHead {
                    start,
                    persistence,
                    forms: TableForms::OnlyAs,
                })
            }
            _ => self.preparable_stmt(),
        }
    }

    // ---- VACUUM, ANALYZE, CLUSTER, REINDEX ----------------------------------------------------------------------

    /// VACUUM.
    pub fn vacuum_stmt(&mut self) -> R<Statement> {
        let start = self.take().start;
        let mut options = Vec::new();
        if self.at('(') {
            options = self.utility_option_list()?;
        } else {
            for (word, name) in [
                (K::Full, "full"),
                (K::Freeze, "freeze"),
                (K::Verbose, "verbose"),
                (K::Analyze, "analyze"),
            ] {
                let span = self.span();
                if self.eat(word) || (word == K::Analyze && self.eat(K::Analyse)) {
                    options.push(option(name, None, span));
                }
            }
        }
        let rels = self.opt_vacuum_relations()?;
        Ok(VacuumStmt {
            options,
            rels,
            is_vacuumcmd: true,
            span: self.span_from(start),
        }
        .into())
    }

    /// ANALYZE.
    pub fn analyze_stmt(&mut self) -> R<Statement> {
        let start = self.take().start;
        let mut options = Vec::new();
        let span = self.span();
        if self.at('(') {
            options = self.utility_option_list()?;
        } else if self.eat(K::Verbose) {
            options.push(option("verbose", None, span));
        }
        let rels = self.opt_vacuum_relations()?;
        Ok(VacuumStmt {
            options,
            rels,
            is_vacuumcmd: false,
            span: self.span_from(start),
        }
        .into())
    }

    fn opt_vacuum_relations(&mut self) -> R<Vec<VacuumRelation>> {
        if !is_col_id(self.tok) && !self.at(K::Only) {
            return Ok(Vec::new());
        }
        self.comma_list(|p| {
            let relation = p.relation_expr()?;
            Ok(VacuumRelation {
                relation,
                va_cols: p.opt_paren_list(|p| p.name())?,
            })
        })
    }

    /// CLUSTER.
    pub fn cluster_stmt(&mut self) -> R<Statement> {
        let start = self.take().start;
        let mut stmt = ClusterStmt {
            relation: None,
            indexname: None,
            params: Vec::new(),
            span: common::Span::NONE,
        };
        let parens = self.at('(');
        let span = self.span();
        if parens {
            stmt.params = self.utility_option_list()?;
        } else if self.eat(K::Verbose) {
            stmt.params.push(option("verbose", None, span));
        }
        if is_col_id(self.tok) {
            // CLUSTER index ON table is the spelling before 8.3.
            if !parens && self.next_is(K::On) {
                stmt.indexname = Some(self.name()?);
                self.bump();
                stmt.relation = Some(self.qualified_name()?);
            } else {
                stmt.relation = Some(self.qualified_name()?);
                if self.eat(K::Using) {
                    stmt.indexname = Some(self.name()?);
                }
            }
        }
        stmt.span = self.span_from(start);
        Ok(stmt.into())
    }

    /// REINDEX.
    pub fn reindex_stmt(&mut self) -> R<Statement> {
        let start = self.take().start;
        let mut params: Vec<DefElem> = if self.at('(') {
            self.utility_option_list()?
        } else {
            Vec::new()
        };
        let kind = match self.tok {
            Tok::Kw(K::Index) => ReindexObjectType::Index,
            Tok::Kw(K::Table) => ReindexObjectType::Table,
            Tok::Kw(K::Schema) => ReindexObjectType::Schema,
            Tok::Kw(K::System) => ReindexObjectType::System,
            Tok::Kw(K::Database) => ReindexObjectType::Database,
            _ => return self.fail(),
        };
        self.bump();
        let span = self.span();
        if self.eat(K::Concurrently) {
            params.push(option("concurrently", None, span));
        }
        let (mut relation, mut name) = (None, None);
        match kind {
            ReindexObjectType::Index | ReindexObjectType::Table => relation = Some(self.qualified_name()?),
            ReindexObjectType::Schema => name = Some(self.name()?),
            _ if is_col_id(self.tok) => name = Some(self.take_name()),
            _ => {}
        }
        Ok(ReindexStmt {
            kind,
            relation,
            name,
            params,
            span: self.span_from(start),
        }
        .into())
    }

    /// CHECKPOINT.
    pub fn checkpoint_stmt(&mut self) -> R<Statement> {
        let span = self.take().span();
        Ok(CheckPointStmt { span }.into())
    }

    /// TRUNCATE.
    pub fn truncate_stmt(&mut self) -> R<Statement> {
        let start = self.take().start;
        self.eat(K::Table);
        let relations = self.comma_list(|p| p.relation_expr())?;
        let restart_seqs = self.at(K::Restart);
        if restart_seqs || self.at(K::Continue) {
            self.bump();
            self.expect(K::Identity)?;
        }
        let behavior = self.opt_drop_behavior();
        Ok(TruncateStmt {
            relations,
            restart_seqs,
            behavior,
            span: self.span_from(start),
        }
        .into())
    }

    /// LOCK.
    pub fn lock_stmt(&mut self) -> R<Statement> {
        let start = self.take().start;
        self.eat(K::Table);
        let relations = self.comma_list(|p| p.relation_expr())?;
        let mut mode = LockMode::AccessExclusive;
        if self.eat(K::In) {
            mode = self.lock_type()?;
            self.expect(K::Mode)?;
        }
        let nowait = self.eat(K::Nowait);
        Ok(LockStmt {
            relations,
            mode,
            nowait,
            span: self.span_from(start),
        }
        .into())
    }

    fn lock_type(&mut self) -> R<LockMode> {
        let Tok::Kw(word) = self.tok else {
            return self.fail();
        };
        if !matches!(word, K::Access | K::Row | K::Share | K::Exclusive) {
            return self.fail();
        }
        self.bump();
        Ok(match word {
            K::Exclusive => LockMode::Exclusive,
            K::Access if self.eat(K::Share) => LockMode::AccessShare,
            K::Access => {
                self.expect(K::Exclusive)?;
                LockMode::AccessExclusive
            }
            K::Row if self.eat(K::Share) => LockMode::RowShare,
            K::Row => {
                self.expect(K::Exclusive)?;
                LockMode::RowExclusive
            }
            _ if self.eat(K::Update) => {
                self.expect(K::Exclusive)?;
                LockMode::ShareUpdateExclusive
            }
            _ if self.eat(K::Row) => {
                self.expect(K::Exclusive)?;
                LockMode::ShareRowExclusive
            }
            _ => LockMode::Share,
        })
    }

    // ---- cursors ------------------------------------------------------------------------------------------------

    /// DECLARE.
    pub fn declare_cursor(&mut self) -> R<Statement> {
        let start = self.take().start;
        let portalname = self.name()?;
        let mut options = cursor_options::FAST_PLAN;
        loop {
            options |= match self.tok {
                Tok::Kw(K::No) => {
                    self.bump();
                    if !self.at(K::Scroll) {
                        return self.fail();
                    }
                    cursor_options::NO_SCROLL
                }
                Tok::Kw(K::Scroll) => cursor_options::SCROLL,
                Tok::Kw(K::Binary) => cursor_options::BINARY,
                Tok::Kw(K::Asensitive) => cursor_options::ASENSITIVE,
                Tok::Kw(K::Insensitive) => cursor_options::INSENSITIVE,
                _ => break,
            };
            self.bump();
        }
        self.expect(K::Cursor)?;
        if self.eat(K::With) {
            self.expect(K::Hold)?;
            options |= cursor_options::HOLD;
        } else if self.eat(K::Without) {
            self.expect(K::Hold)?;
        }
        self.expect(K::For)?;
        let query = self.select_stmt()?;
        Ok(DeclareCursorStmt {
            portalname,
            options,
            query,
            span: self.span_from(start),
        }
        .into())
    }

    /// CLOSE.
    pub fn close_stmt(&mut self) -> R<Statement> {
        let start = self.take().start;
        let portalname = if self.eat(K::All) {
            None
        } else {
            Some(self.name()?)
        };
        Ok(ClosePortalStmt {
            portalname,
            span: self.span_from(start),
        }
        .into())
    }

    /// FETCH, MOVE.
    pub fn fetch_stmt(&mut self) -> R<Statement> {
        let start = self.start();
        let ismove = self.take().tok == Tok::Kw(K::Move);
        let (direction, how_many) = self.fetch_direction()?;
        if !self.eat(K::From) {
            self.eat(K::In);
        }
        let portalname = self.name()?;
        Ok(FetchStmt {
            direction,
            how_many,
            portalname,
            ismove,
            span: self.span_from(start),
        }
        .into())
    }

    fn fetch_direction(&mut self) -> R<(FetchDirection, i64)> {
        use FetchDirection::{Absolute, Backward, Forward, Relative};
        if matches!(self.tok, Tok::IConst | Tok::Char(b'+' | b'-')) {
            return Ok((Forward, i64::from(self.signed_iconst()?)));
        }
        let Tok::Kw(word) = self.tok else {
            return Ok((Forward, 1));
        };
        if word == K::All {
            self.bump();
            return Ok((Forward, i64::MAX));
        }
        // The other words may be the cursor's name.
        let next = self.peek(1);
        let is_word = match word {
            K::Absolute | K::Relative => matches!(next, Tok::IConst | Tok::Char(b'+' | b'-')),
            K::Forward | K::Backward
                if matches!(next, Tok::IConst | Tok::Char(b'+' | b'-') | Tok::Kw(K::All)) =>
            {
                true
            }
            K::Next | K::Prior | K::First | K::Last | K::Forward | K::Backward => {
                is_col_id(next) || matches!(next, Tok::Kw(K::From | K::In))
            }
            _ => false,
        };
        if !is_word {
            return Ok((Forward, 1));
        }
        self.bump();
        Ok(match word {
            K::Next => (Forward, 1),
            K::Prior => (Backward, 1),
            K::First => (Absolute, 1),
            K::Last => (Absolute, -1),
            K::Absolute => (Absolute, i64::from(self.signed_iconst()?)),
            K::Relative => (Relative, i64::from(self.signed_iconst()?)),
            _ => {
                let direction = if word == K::Forward { Forward } else { Backward };
                let count = if self.eat(K::All) {
                    i64::MAX
                } else if matches!(self.tok, Tok::IConst | Tok::Char(b'+' | b'-')) {
                    i64::from(self.signed_iconst()?)
                } else {
                    1
                };
                (direction, count)
            }
        })
    }

    // ---- prepared statements ------------------------------------------------------------------------------------

    /// PREPARE (not TRANSACTION).
    pub fn prepare_stmt(&mut self) -> R<Statement> {
        let start = self.take().start;
        let name = self.name()?;
        let argtypes = self.opt_paren_list(|p| p.typename())?;
        self.expect(K::As)?;
        let query = self.preparable_stmt()?;
        Ok(PrepareStmt {
            name,
            argtypes,
            query,
            span: self.span_from(start),
        }
        .into())
    }

    /// DEALLOCATE.
    pub fn deallocate_stmt(&mut self) -> R<Statement> {
        let start = self.take().start;
        if self.at(K::Prepare) && (is_col_id(self.peek(1)) || self.next_is(K::All)) {
            self.bump();
        }
        let name = if self.eat(K::All) {
            None
        } else {
            Some(self.name()?)
        };
        Ok(DeallocateStmt {
            name,
            span: self.span_from(start),
        }
        .into())
    }

    // ---- LISTEN, NOTIFY, LOAD -----------------------------------------------------------------------------------

    /// LISTEN.
    pub fn listen_stmt(&mut self) -> R<Statement> {
        let start = self.take().start;
        let conditionname = self.col_id()?;
        Ok(ListenStmt {
            conditionname,
            span: self.span_from(start),
        }
        .into())
    }

    /// UNLISTEN.
    pub fn unlisten_stmt(&mut self) -> R<Statement> {
        let start = self.take().start;
        let conditionname = if self.eat('*') { None } else { Some(self.col_id()?) };
        Ok(UnlistenStmt {
            conditionname,
            span: self.span_from(start),
        }
        .into())
    }

    /// NOTIFY.
    pub fn notify_stmt(&mut self) -> R<Statement> {
        let start = self.take().start;
        let conditionname = self.col_id()?;
        let payload = if self.eat(',') {
            Some(self.sconst()?.name)
        } else {
            None
        };
        Ok(NotifyStmt {
            conditionname,
            payload,
            span: self.span_from(start),
        }
        .into())
    }

    /// LOAD.
    pub fn load_stmt(&mut self) -> R<Statement> {
        let start = self.take().start;
        let filename = self.sconst()?.name;
        Ok(LoadStmt {
            filename,
            span: self.span_from(start),
        }
        .into())
    }

    // ---- CREATE STATISTICS --------------------------------------------------------------------------------------

    /// CREATE STATISTICS; the current token is STATISTICS.
    pub fn create_statistics(&mut self, start: u32) -> R<Statement> {
        self.bump();
        let if_not_exists = self.opt_if_not_exists()?;
        let defnames = if if_not_exists || is_col_id(self.tok) {
            self.any_name()?
        } else {
            Vec::new()
        };
        let stat_types = self.opt_paren_list(|p| p.name())?;
        self.expect(K::On)?;
        let exprs = self.comma_list(|p| {
            if p.eat('(') {
                let expr = p.a_expr()?;
                p.expect(')')?;
                return Ok(StatsElem::Expr(expr));
            }
            if p.at_call() {
                return Ok(StatsElem::Expr(p.func_expr_windowless()?));
            }
            Ok(StatsElem::Name(p.col_id()?))
        })?;
        self.expect(K::From)?;
        let relations = self.table_ref_list()?;
        let span = self.span_from(start);
        Ok(CreateStatsStmt {
            defnames,
            stat_types,
            exprs,
            relations,
            if_not_exists,
            span,
        }
        .into())
    }
}
