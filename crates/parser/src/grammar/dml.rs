//! INSERT, UPDATE, DELETE, MERGE.

use std::sync::Arc;

use common::{PgResult, Span};

use crate::ast::{
    Alias, CurrentOfExpr, DeleteStmt, Expr, InferClause, InsertStmt, MergeAction, MergeMatchKind, MergeStmt,
    MergeWhenClause, MultiAssignRef, OnConflictAction, OnConflictClause, OverridingKind, RangeVar, ResTarget,
    ReturningClause, ReturningOption, UpdateStmt, WithClause,
};
use crate::keywords::Keyword as K;
use crate::parser::{Parser, is_col_id};

type R<T> = PgResult<T>;
type With = Option<Box<WithClause>>;

/// Start of a statement: its WITH clause if it has one.
fn stmt_start(with: &With, own: u32) -> u32 {
    with.as_ref().map_or(own, |w| w.span.start)
}

impl Parser<'_> {
    // ---- INSERT -------------------------------------------------------------------------------------------------

    /// INSERT after WITH.
    pub fn insert_stmt(&mut self, with: With) -> R<Box<InsertStmt>> {
        let start = stmt_start(&with, self.start());
        self.expect(K::Insert)?;
        self.expect(K::Into)?;
        let mut relation = self.qualified_name()?;
        if self.eat(K::As) {
            let name = self.col_id()?;
            let span = name.span;
            relation.alias = Some(Box::new(Alias {
                name,
                columns: Vec::new(),
                span,
            }));
        }
        let mut stmt = InsertStmt {
            relation,
            cols: Vec::new(),
            select_stmt: None,
            on_conflict: None,
            returning: None,
            with,
            overriding: OverridingKind::NotSet,
            span: Span::NONE,
        };
        self.insert_rest(&mut stmt)?;
        if self.at(K::On) {
            stmt.on_conflict = Some(Box::new(self.on_conflict()?));
        }
        stmt.returning = self.returning_clause()?;
        stmt.span = self.span_from(start);
        Ok(Box::new(stmt))
    }

    fn insert_rest(&mut self, stmt: &mut InsertStmt) -> R<()> {
        if self.eat(K::Default) {
            return self.expect(K::Values);
        }
        if self.at('(') && !self.next_is('(') && !self.parens_lead_to_select() {
            stmt.cols = self.paren_list(|p| p.insert_column_item())?;
        }
        stmt.overriding = self.opt_overriding()?;
        stmt.select_stmt = Some(self.select_stmt()?);
        Ok(())
    }

    fn opt_overriding(&mut self) -> R<OverridingKind> {
        if !self.eat(K::Overriding) {
            return Ok(OverridingKind::NotSet);
        }
        let kind = if self.eat(K::User) {
            OverridingKind::UserValue
        } else {
            self.expect(K::System)?;
            OverridingKind::SystemValue
        };
        self.expect(K::Value)?;
        Ok(kind)
    }

    fn insert_column_item(&mut self) -> R<ResTarget> {
        let name = self.col_id()?;
        let start = name.span.start;
        let indirection = self.indirection()?;
        self.check_indirection(&indirection)?;
        Ok(ResTarget {
            name: Some(name),
            indirection,
            val: None,
            span: self.span_from(start),
        })
    }

    /// `*` may only be the last step.
    fn check_indirection(&mut self, steps: &[crate::ast::Indirection]) -> R<()> {
        let before_last = steps.len().saturating_sub(1);
        if steps[..before_last]
            .iter()
            .any(|s| matches!(s, crate::ast::Indirection::Star(_)))
        {
            return Err(self.error_here("improper use of \"*\""));
        }
        Ok(())
    }

    fn on_conflict(&mut self) -> R<OnConflictClause> {
        let start = self.take().start;
        self.expect(K::Conflict)?;
        let infer = self.opt_conflict_target()?;
        self.expect(K::Do)?;
        let mut clause = OnConflictClause {
            action: OnConflictAction::Nothing,
            infer,
            target_list: Vec::new(),
            where_clause: None,
            span: Span::NONE,
        };
        if !self.eat(K::Nothing) {
            self.expect(K::Update)?;
            self.expect(K::Set)?;
            clause.action = OnConflictAction::Update;
            clause.target_list = self.set_clause_list()?;
            clause.where_clause = self.where_clause()?;
        }
        clause.span = self.span_from(start);
        Ok(clause)
    }

    fn opt_conflict_target(&mut self) -> R<Option<InferClause>> {
        let start = self.start();
        let mut infer = InferClause {
            index_elems: Vec::new(),
            where_clause: None,
            conname: None,
            span: Span::NONE,
        };
        if self.at('(') {
            infer.index_elems = self.paren_list(|p| p.index_elem())?;
            infer.where_clause = self.where_clause()?;
        } else if self.eat(K::On) {
            self.expect(K::Constraint)?;
            infer.conname = Some(self.name()?);
        } else {
            return Ok(None);
        }
        infer.span = self.span_from(start);
        Ok(Some(infer))
    }

    /// `[RETURNING [WITH (...)] target_list]`.
    fn returning_clause(&mut self) -> R<Option<Box<ReturningClause>>> {
        if !self.eat(K::Returning) {
            return Ok(None);
        }
        let mut returning = ReturningClause::default();
        if self.eat(K::With) {
            returning.options = self.paren_list(|p| p.returning_option())?;
        }
        returning.exprs = self.target_list()?;
        Ok(Some(Box::new(returning)))
    }

    fn returning_option(&mut self) -> R<ReturningOption> {
        let start = self.start();
        let is_new = self.eat(K::New);
        if !is_new {
            self.expect(K::Old)?;
        }
        self.expect(K::As)?;
        let value = self.col_id()?;
        Ok(ReturningOption {
            is_new,
            value,
            span: self.span_from(start),
        })
    }

    // ---- UPDATE, DELETE -----------------------------------------------------------------------------------------

    /// UPDATE after WITH.
    pub fn update_stmt(&mut self, with: With) -> R<Box<UpdateStmt>> {
        let start = stmt_start(&with, self.start());
        self.expect(K::Update)?;
        let relation = self.relation_expr_opt_alias(true)?;
        self.expect(K::Set)?;
        let target_list = self.set_clause_list()?;
        let from = if self.eat(K::From) {
            self.table_ref_list()?
        } else {
            Vec::new()
        };
        let where_clause = self.where_or_current()?;
        let returning = self.returning_clause()?;
        let span = self.span_from(start);
        Ok(Box::new(UpdateStmt {
            relation,
            target_list,
            from,
            where_clause,
            returning,
            with,
            span,
        }))
    }

    /// DELETE after WITH.
    pub fn delete_stmt(&mut self, with: With) -> R<Box<DeleteStmt>> {
        let start = stmt_start(&with, self.start());
        self.expect(K::Delete)?;
        self.expect(K::From)?;
        let relation = self.relation_expr_opt_alias(false)?;
        let using_clause = if self.eat(K::Using) {
            self.table_ref_list()?
        } else {
            Vec::new()
        };
        let where_clause = self.where_or_current()?;
        let returning = self.returning_clause()?;
        let span = self.span_from(start);
        Ok(Box::new(DeleteStmt {
            relation,
            using_clause,
            where_clause,
            returning,
            with,
            span,
        }))
    }

    /// A relation whose alias takes no columns. SET is no alias without AS.
    fn relation_expr_opt_alias(&mut self, _update: bool) -> R<RangeVar> {
        let mut relation = self.relation_expr()?;
        let alias = if self.eat(K::As) {
            Some(self.col_id()?)
        } else if is_col_id(self.tok) && !self.at(K::Set) {
            Some(self.take_name())
        } else {
            None
        };
        if let Some(name) = alias {
            let span = name.span;
            relation.span = relation.span.to(span);
            relation.alias = Some(Box::new(Alias {
                name,
                columns: Vec::new(),
                span,
            }));
        }
        Ok(relation)
    }

    fn where_or_current(&mut self) -> R<Option<Expr>> {
        if !self.eat(K::Where) {
            return Ok(None);
        }
        if !self.at2(K::Current, K::Of) {
            return Ok(Some(self.a_expr()?));
        }
        let start = self.take().start;
        self.bump();
        let cursor_name = self.name()?;
        let span = self.span_from(start);
        Ok(Some(Expr::CurrentOf(Box::new(CurrentOfExpr {
            cursor_name,
            span,
        }))))
    }

    /// `set_clause_list`.
    pub fn set_clause_list(&mut self) -> R<Vec<ResTarget>> {
        let mut targets = Vec::new();
        loop {
            if self.at('(') {
                self.multi_assignment(&mut targets)?;
            } else {
                let mut target = self.set_target()?;
                self.expect('=')?;
                target.val = Some(self.a_expr()?);
                target.span = self.span_from(target.span.start);
                targets.push(target);
            }
            if !self.eat(',') {
                return Ok(targets);
            }
        }
    }

    fn set_target(&mut self) -> R<ResTarget> {
        self.insert_column_item()
    }

    /// `(a, b) = source`.
    fn multi_assignment(&mut self, targets: &mut Vec<ResTarget>) -> R<()> {
        let columns = self.paren_list(|p| p.set_target())?;
        self.expect('=')?;
        let source = Arc::new(self.a_expr()?);
        let ncolumns = columns.len() as u32;
        for (index, mut column) in columns.into_iter().enumerate() {
            let source = Arc::clone(&source);
            let colno = index as u32 + 1;
            column.val = Some(Expr::MultiAssignRef(Box::new(MultiAssignRef {
                source,
                colno,
                ncolumns,
            })));
            targets.push(column);
        }
        Ok(())
    }

    // ---- MERGE --------------------------------------------------------------------------------------------------

    /// MERGE after WITH.
    pub fn merge_stmt(&mut self, with: With) -> R<Box<MergeStmt>> {
        let start = stmt_start(&with, self.start());
        self.expect(K::Merge)?;
        self.expect(K::Into)?;
        let relation = self.relation_expr_opt_alias(false)?;
        self.expect(K::Using)?;
        let source = self.table_ref()?;
        self.expect(K::On)?;
        let join_condition = self.a_expr()?;
        let mut when_clauses = vec![self.merge_when()?];
        while self.at(K::When) {
            when_clauses.push(self.merge_when()?);
        }
        let returning = self.returning_clause()?;
        let span = self.span_from(start);
        Ok(Box::new(MergeStmt {
            relation,
            source,
            join_condition,
            when_clauses,
            returning,
            with,
            span,
        }))
    }

    fn merge_when(&mut self) -> R<MergeWhenClause> {
        let start = self.start();
        self.expect(K::When)?;
        let not = self.eat(K::Not);
        self.expect(K::Matched)?;
        let match_kind = if !not {
            MergeMatchKind::Matched
        } else if self.eat(K::By) {
            if self.eat(K::Source) {
                MergeMatchKind::NotMatchedBySource
            } else {
                self.expect(K::Target)?;
                MergeMatchKind::NotMatchedByTarget
            }
        } else {
            MergeMatchKind::NotMatchedByTarget
        };
        let condition = if self.eat(K::And) {
            Some(self.a_expr()?)
        } else {
            None
        };
        self.expect(K::Then)?;
        let action = self.merge_action_clause(match_kind)?;
        Ok(MergeWhenClause {
            match_kind,
            condition,
            action,
            span: self.span_from(start),
        })
    }

    fn merge_action_clause(&mut self, match_kind: MergeMatchKind) -> R<MergeAction> {
        if self.eat(K::Do) {
            self.expect(K::Nothing)?;
            return Ok(MergeAction::DoNothing);
        }
        if match_kind == MergeMatchKind::NotMatchedByTarget {
            return self.merge_insert();
        }
        if self.eat(K::Update) {
            self.expect(K::Set)?;
            return Ok(MergeAction::Update(self.set_clause_list()?));
        }
        self.expect(K::Delete)?;
        Ok(MergeAction::Delete)
    }

    fn merge_insert(&mut self) -> R<MergeAction> {
        self.expect(K::Insert)?;
        if self.eat(K::Default) {
            self.expect(K::Values)?;
            return Ok(MergeAction::Insert {
                cols: Vec::new(),
                values: None,
                overriding: OverridingKind::NotSet,
            });
        }
        let cols = self.opt_paren_list(|p| p.insert_column_item())?;
        let overriding = self.opt_overriding()?;
        self.expect(K::Values)?;
        let values = Some(self.paren_list(|p| p.a_expr())?);
        Ok(MergeAction::Insert {
            cols,
            values,
            overriding,
        })
    }
}
