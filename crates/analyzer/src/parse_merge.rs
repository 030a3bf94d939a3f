//! MERGE.
//!
//! PG: src/backend/parser/parse_merge.c.

use common::error::ErrorExt;
use common::{PgResult, pg_err};
use nodes::query::{CommandType, MergeAction, MergeMatchKind, Overriding, Query};
use parser::ast;

use crate::insert::overriding;
use crate::kind::ExprKind;
use crate::parse_clause::check_conflicts;
use crate::state::{Analyzer, NsItem};

impl Analyzer<'_> {
    /// MERGE.
    pub fn merge_stmt(&mut self, m: &ast::MergeStmt) -> PgResult<Query> {
        let mut q = Query::new(CommandType::Merge);
        q.span = m.span;
        self.transform_with(m.with.as_deref(), &mut q)?;
        if q.recursive {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "WITH RECURSIVE is not supported for MERGE statement"
            ));
        }
        check_reachability(m)?;
        let target = self.set_target(&m.relation, m.relation.inh, false)?;
        self.check_merge_target()?;
        for w in &m.when_clauses {
            self.target_permissions(|p| match w.action {
                ast::MergeAction::Insert { .. } => p.insert = true,
                ast::MergeAction::Update(_) => p.update = true,
                ast::MergeAction::Delete => p.delete = true,
                ast::MergeAction::DoNothing => {}
            });
        }
        self.transform_from(std::slice::from_ref(&m.source))?;
        let source = self.cur().namespace.clone();
        check_conflicts(&source, std::slice::from_ref(&target)).map_err(|_| {
            pg_err!(
                DUPLICATE_ALIAS,
                "name \"{}\" specified more than once",
                target.names.name
            )
            .detail("The name is used both as MERGE target table and data source.")
        })?;
        self.add_to_query(target.clone(), true, true, true);
        let condition = self.transform_expr(&m.join_condition, ExprKind::JoinOn)?;
        q.merge_join_condition = Some(self.coerce_to_boolean(condition, "JOIN/ON")?);
        for w in &m.when_clauses {
            let action = self.merge_action(w, &target, &source)?;
            q.merge_actions.push(action);
        }
        self.show(&[(&source, true), (std::slice::from_ref(&target), true)]);
        q.returning = self.transform_returning(m.returning.as_deref(), ExprKind::MergeReturning)?;
        q.result_relation = self.cur().target_index;
        self.finish_query(&mut q, None);
        self.assign_query_collations(&mut q)?;
        Ok(q)
    }

    fn check_merge_target(&self) -> PgResult<()> {
        let rel = self.target()?;
        if matches!(rel.relkind, b'r' | b'p' | b'v') {
            if rel.has_rules && rel.relkind != b'v' {
                return Err(pg_err!(
                    FEATURE_NOT_SUPPORTED,
                    "cannot execute MERGE on relation \"{}\"",
                    rel.name
                )
                .detail("MERGE is not supported for relations with rules."));
            }
            return Ok(());
        }
        let what = match rel.relkind {
            b'S' => "sequences",
            b'm' => "materialized views",
            b'f' => "foreign tables",
            _ => "this kind of relation",
        };
        Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "cannot execute MERGE on relation \"{}\"",
            rel.name
        )
        .detail(format!("This operation is not supported for {what}.")))
    }

    /// Shows lists of items (or hides them) as the whole namespace.
    fn show(&mut self, lists: &[(&[NsItem], bool)]) {
        let mut all = Vec::new();
        for (items, visible) in lists {
            if *visible {
                all.extend(items.iter().cloned().map(|mut i| {
                    i.lateral_only = false;
                    i.lateral_ok = true;
                    i
                }));
            }
        }
        self.ps().namespace = all;
    }

    fn merge_action(
        &mut self,
        w: &ast::MergeWhenClause,
        target: &NsItem,
        source: &[NsItem],
    ) -> PgResult<MergeAction> {
        let (match_kind, see_source, see_target) = match w.match_kind {
            ast::MergeMatchKind::Matched => (MergeMatchKind::Matched, true, true),
            ast::MergeMatchKind::NotMatchedBySource => (MergeMatchKind::NotMatchedBySource, false, true),
            ast::MergeMatchKind::NotMatchedByTarget => (MergeMatchKind::NotMatchedByTarget, true, false),
        };
        let target = std::slice::from_ref(target);
        self.show(&[(source, see_source), (target, see_target)]);
        let condition = match &w.condition {
            Some(e) => Some(self.transform_where(e, ExprKind::MergeWhen, "WHEN")?),
            None => None,
        };
        let mut action = MergeAction {
            match_kind,
            command: CommandType::Select,
            overriding: Overriding::NotSet,
            condition,
            target_list: Vec::new(),
        };
        match &w.action {
            ast::MergeAction::DoNothing => {}
            ast::MergeAction::Delete => action.command = CommandType::Delete,
            ast::MergeAction::Update(list) => {
                action.command = CommandType::Update;
                action.target_list = self.update_targets(list)?;
            }
            ast::MergeAction::Insert {
                cols,
                values,
                overriding: o,
            } => {
                action.command = CommandType::Insert;
                action.overriding = overriding(*o);
                action.target_list = match values {
                    Some(values) => self.merge_insert_targets(cols, values)?,
                    None => {
                        self.insert_columns(cols)?;
                        Vec::new()
                    }
                };
            }
        }
        Ok(action)
    }
}

/// A clause after an unconditional one of its kind can never be reached.
fn check_reachability(m: &ast::MergeStmt) -> PgResult<()> {
    let mut unconditional: Vec<ast::MergeMatchKind> = Vec::new();
    for w in &m.when_clauses {
        if unconditional.contains(&w.match_kind) {
            return Err(pg_err!(
                SYNTAX_ERROR,
                "unreachable WHEN clause specified after unconditional WHEN clause"
            ));
        }
        if w.condition.is_none() {
            unconditional.push(w.match_kind);
        }
    }
    Ok(())
}
