//! What PostgreSQL's rewriter does after analysis: defaults and checks of target lists, views as subqueries.
//!
//! PG: src/backend/rewrite/rewriteHandler.c (`rewriteTargetListIU`, `rewriteValuesRTE`, `fireRIRrules`).

use std::sync::Arc;

use catalog::{ColumnDesc, RelationDesc};
use common::error::ErrorExt;
use common::{Oid, PgResult, internal, pg_err, unsupported};
use nodes::Expr;
use nodes::expr::VarSource;
use nodes::query::JoinTreeNode;
use nodes::query::{
    CommandType, Overriding, Permissions, Query, RangeTblEntry, RteColumn, RteKind, TargetEntry,
};

use crate::context::AnalyzeContext;
use crate::parse_coerce::CoerceTo;
use crate::parse_target::target_entry;
use crate::state::Analyzer;
use crate::walk::for_each_expr_mut;

const VIEW_DEPTH_MAX: usize = 100;

impl Analyzer<'_> {
    /// Rewrites a query and everything below it.
    pub fn rewrite_query(&mut self, q: &mut Query) -> PgResult<()> {
        for cte in &mut q.ctes {
            self.rewrite_query(Arc::make_mut(&mut cte.query))?;
        }
        if q.command != CommandType::Select {
            self.rewrite_modification(q)?;
        }
        self.expand_views(q)?;
        self.inline_set_functions(q)?;
        for rte in &mut q.range_table {
            // Queries of views come out of their own analysis rewritten.
            if let RteKind::Subquery {
                query, view: None, ..
            } = &mut rte.kind
            {
                self.rewrite_query(Arc::make_mut(query))?;
            }
        }
        let mut result = Ok(());
        for_each_expr_mut(q, &mut |e| {
            nodes::walk::rewrite(e, &mut |x| {
                if let Expr::SubLink(s) = x
                    && result.is_ok()
                {
                    result = self.rewrite_query(Arc::make_mut(&mut s.query));
                }
            });
            if result.is_ok() {
                result = self.inline_calls(e);
            }
        });
        result
    }

    fn rewrite_modification(&mut self, q: &mut Query) -> PgResult<()> {
        let RteKind::Relation { relation, .. } = q.rte(q.result_relation).kind else {
            return Err(internal!("target is not a relation"));
        };
        let Some(rel) = self.cx.catalog.relation(relation)? else {
            return Err(internal!("target relation vanished"));
        };
        match rel.relkind {
            b'v' => {
                let depth = self.cx.view_depth.get();
                if depth >= VIEW_DEPTH_MAX {
                    return Err(pg_err!(
                        INVALID_OBJECT_DEFINITION,
                        "infinite recursion detected in rules for relation \"{}\"",
                        rel.name
                    ));
                }
                // Defaults of a view's own columns come before those of the table below.
                self.rewrite_assignments(q, &rel)?;
                self.rewrite_target_view(q, &rel)?;
                return self.rewrite_modification(q);
            }
            b'r' | b'p' if rel.has_rules => {
                return Err(unsupported!(
                    "rules on relation \"{}\" are not supported yet",
                    rel.name
                ));
            }
            _ => {}
        }
        self.rewrite_assignments(q, &rel)
    }

    /// The target lists of a modification, with DEFAULT replaced by what it means in the relation, a table or a view.
    fn rewrite_assignments(&mut self, q: &mut Query, rel: &RelationDesc) -> PgResult<()> {
        match q.command {
            CommandType::Insert => {
                let mut list = std::mem::take(&mut q.target_list);
                if let Some(index) = values_source(q) {
                    self.rewrite_values(q, index, &mut list, rel)?;
                }
                q.target_list = self.rewrite_targets(CommandType::Insert, q.overriding, list, rel)?;
                if let Some(c) = &mut q.on_conflict {
                    let set = std::mem::take(&mut c.set);
                    c.set = self.rewrite_targets(CommandType::Update, Overriding::NotSet, set, rel)?;
                }
            }
            CommandType::Update => {
                let list = std::mem::take(&mut q.target_list);
                q.target_list = self.rewrite_targets(CommandType::Update, q.overriding, list, rel)?;
            }
            CommandType::Merge => {
                for a in &mut q.merge_actions {
                    if matches!(a.command, CommandType::Insert | CommandType::Update) {
                        let list = std::mem::take(&mut a.target_list);
                        a.target_list = self.rewrite_targets(a.command, a.overriding, list, rel)?;
                    }
                }
            }
            CommandType::Delete | CommandType::Select => {}
        }
        Ok(())
    }

    /// One entry per assigned column, in column order, with defaults filled in.
    fn rewrite_targets(
        &mut self,
        command: CommandType,
        overriding: Overriding,
        list: Vec<TargetEntry>,
        rel: &RelationDesc,
    ) -> PgResult<Vec<TargetEntry>> {
        let mut given: Vec<Option<TargetEntry>> = vec![None; rel.columns.len()];
        let mut junk = Vec::new();
        for t in list {
            if t.resjunk {
                junk.push(t);
                continue;
            }
            let slot = usize::try_from(t.resno)
                .ok()
                .and_then(|n| given.get_mut(n.wrapping_sub(1)))
                .ok_or_else(|| internal!("bogus target column {}", t.resno))?;
            *slot = Some(match slot.take() {
                None => t,
                Some(prior) => {
                    let column = rel.column(t.resno).map_or("", |c| &c.name);
                    merge_assignments(prior, t, column)?
                }
            });
        }
        let mut out = Vec::new();
        for (column, entry) in rel.columns.iter().zip(given) {
            if column.dropped {
                continue;
            }
            if let Some(t) = self.rewrite_column(command, overriding, (rel, column), entry)? {
                out.push(t);
            }
        }
        out.append(&mut junk);
        Ok(out)
    }

    fn rewrite_column(
        &mut self,
        command: CommandType,
        overriding: Overriding,
        (rel, column): (&RelationDesc, &ColumnDesc),
        entry: Option<TargetEntry>,
    ) -> PgResult<Option<TargetEntry>> {
        let insert = command == CommandType::Insert;
        let is_default = |t: &TargetEntry| matches!(t.expr, Expr::SetToDefault(_));
        let mut apply_default = match &entry {
            None => insert,
            Some(t) => is_default(t),
        };
        let has_value = entry.as_ref().is_some_and(|t| !is_default(t));
        let mut entry = entry;
        if insert {
            if column.identity == b'a' && has_value && overriding != Overriding::SystemValue {
                if overriding == Overriding::UserValue {
                    apply_default = true;
                } else {
                    return Err(generated_always(column, true));
                }
            }
            if column.identity == b'd' && overriding == Overriding::UserValue {
                apply_default = true;
            }
            if column.generated != 0 && has_value {
                return Err(generated_always(column, true));
            }
        } else {
            if column.identity == b'a' && has_value {
                return Err(generated_always(column, false));
            }
            if column.generated != 0 && has_value {
                return Err(generated_always(column, false));
            }
        }
        if column.generated != 0 {
            return Ok(None);
        }
        if apply_default {
            // What a view leaves out gets the default of the table below.
            let is_view = rel.relkind == b'v';
            entry = match self.column_default(column)? {
                Some(e) => Some(target_entry(e, column.attno, Some(column.name.clone()), false)),
                None if insert && (is_view || !self.is_domain(column)?) => None,
                None => Some(target_entry(
                    self.null_of_column(column)?,
                    column.attno,
                    Some(column.name.clone()),
                    false,
                )),
            };
        }
        Ok(entry)
    }

    fn is_domain(&self, column: &ColumnDesc) -> PgResult<bool> {
        Ok(self.ty(column.type_ref.oid)?.kind == b'd')
    }

    /// NULL for a column; a domain may refuse it at run time.
    fn null_of_column(&mut self, column: &ColumnDesc) -> PgResult<Expr> {
        if !self.is_domain(column)? {
            return Ok(Expr::null_const(column.type_ref, column.collation));
        }
        let base = self.base_type_and_typmod(column.type_ref)?;
        let null = Expr::null_const(base, self.type_collation(base.oid)?);
        self.coerce_type(null, CoerceTo::implicit(column.type_ref.oid))
    }

    /// NULL of a domain with constraints, as a value to check; `None` for other types.
    pub(crate) fn domain_null(&mut self, column: &ColumnDesc) -> PgResult<Option<Expr>> {
        if !self.is_domain(column)? {
            return Ok(None);
        }
        self.null_of_column(column).map(Some)
    }

    /// The default of a column: identity sequence, its own default, its type's.
    pub fn column_default(&mut self, column: &ColumnDesc) -> PgResult<Option<Expr>> {
        if column.identity != 0 && column.identity_sequence.is_valid() {
            return Ok(Some(Expr::NextValue {
                sequence: column.identity_sequence,
                type_oid: column.type_ref.oid,
            }));
        }
        if column.generated != 0 {
            return Ok(None);
        }
        if let Some(d) = &column.default {
            return Ok(Some((**d).clone()));
        }
        let desc = self.ty(column.type_ref.oid)?;
        let Some(text) = &desc.default else {
            return Ok(None);
        };
        // Of a domain it is an expression, of a base type the text of a value.
        let literal;
        let text = match desc.kind {
            b'd' => text,
            _ => {
                literal = parser::quote_literal(text);
                literal.as_str()
            }
        };
        let raw = parser::parse_expression(text, &parser::ParseOptions::default())?;
        let e = self.with_level(|a| a.transform_expr(&raw, crate::kind::ExprKind::ColumnDefault))?;
        let to = CoerceTo {
            target: column.type_ref,
            context: crate::parse_coerce::CoercionContext::Assignment,
            ..CoerceTo::implicit(column.type_ref.oid)
        };
        let mut e = self
            .coerce_to_target_type(e, to)?
            .ok_or_else(|| internal!("default of type {} does not fit it", desc.name))?;
        self.assign_expr_collations(&mut e)?;
        Ok(Some(e))
    }

    /// Replaces DEFAULT in the rows of INSERT ... VALUES.
    fn rewrite_values(
        &mut self,
        q: &mut Query,
        index: usize,
        list: &mut [TargetEntry],
        rel: &RelationDesc,
    ) -> PgResult<()> {
        let overriding = q.overriding;
        let RteKind::Values { rows, .. } = &mut q.range_table[index - 1].kind else {
            return Ok(());
        };
        let width = rows.first().map_or(0, Vec::len);
        for at in 0..width {
            if !rows.iter().any(|r| matches!(r[at], Expr::SetToDefault(_))) {
                continue;
            }
            let entry = list.iter_mut().find(|t| {
                matches!(&t.expr, Expr::Var(v)
                    if v.source == VarSource::Rel { index, levels_up: 0 } && usize::from(v.attno.unsigned_abs()) == at + 1)
            });
            let column = entry
                .as_ref()
                .and_then(|t| rel.column(t.resno))
                .ok_or_else(|| internal!("VALUES column without target"))?
                .clone();
            let all_default = rows.iter().all(|r| matches!(r[at], Expr::SetToDefault(_)));
            let guarded =
                column.identity == b'a' && overriding == Overriding::NotSet || column.generated != 0;
            if guarded && !all_default {
                return Err(generated_always(&column, true));
            }
            if all_default {
                // Nothing but DEFAULT: the column is as good as not mentioned.
                if let (Some(t), Some(Expr::SetToDefault(slot))) = (entry, rows.first().map(|r| &r[at])) {
                    t.expr = Expr::SetToDefault(slot.clone());
                }
            }
            let value = match self.column_default(&column)? {
                Some(d) if !all_default => d,
                // DEFAULT is for the table below to say.
                _ if rel.relkind == b'v' && !all_default => continue,
                _ => self.null_of_column(&column)?,
            };
            for row in rows.iter_mut() {
                if matches!(row[at], Expr::SetToDefault(_)) {
                    row[at] = value.clone();
                }
            }
        }
        Ok(())
    }

    /// Replaces views in the range table by their queries.
    fn expand_views(&mut self, q: &mut Query) -> PgResult<()> {
        for i in 0..q.range_table.len() {
            let rte = &q.range_table[i];
            let RteKind::Relation {
                relation,
                relkind: b'v',
                ..
            } = rte.kind
            else {
                continue;
            };
            if i + 1 == q.result_relation || (!rte.in_from && q.command != CommandType::Select) {
                continue;
            }
            let Some(rel) = self.cx.catalog.relation(relation)? else {
                return Err(internal!("view vanished"));
            };
            let Some(text) = &rel.view_definition else {
                return Err(unsupported!("view \"{}\" has no definition yet", rel.name));
            };
            let mut query = self.view_query(&rel, text)?;
            let outputs = query.output_columns().count();
            let columns = rel.columns.iter().filter(|c| !c.dropped).count();
            if outputs != columns {
                return Err(internal!(
                    "view \"{}\" has {outputs} columns, expected {columns}",
                    rel.name
                ));
            }
            widen(&mut q.range_table[i], &rel);
            set_check_as(&mut query, rel.owner, &rel);
            if q.row_marks.iter().any(|m| m.rt_index == i + 1) {
                lock_view_query(&mut query, q, i + 1)?;
            }
            let barrier = rel
                .options
                .iter()
                .any(|(k, v)| &**k == "security_barrier" && matches!(&**v, "true" | "on" | "1" | "yes"));
            keep_permissions(q, i);
            q.range_table[i].kind = RteKind::Subquery {
                query: Arc::new(query),
                lateral: false,
                view: Some(relation),
                security_barrier: barrier,
            };
        }
        Ok(())
    }

    fn view_query(&mut self, rel: &RelationDesc, text: &str) -> PgResult<Query> {
        let depth = self.cx.view_depth.get();
        if depth >= VIEW_DEPTH_MAX {
            return Err(pg_err!(
                INVALID_OBJECT_DEFINITION,
                "infinite recursion detected in rules for relation \"{}\"",
                rel.name
            ));
        }
        let cx =
            AnalyzeContext::new(self.cx.catalog, self.cx.settings).with_database(self.cx.database.clone());
        cx.view_depth.set(depth + 1);
        // Views of users are stored analyzed, the built-in ones as SQL text.
        if nodes::serial::is_encoded(text) {
            let mut query = nodes::serial::decode_query(text)?;
            crate::state::Analyzer::new(&cx)
                .rewrite_query(&mut query)
                .map_err(outside_statement)?;
            return Ok(query);
        }
        let parsed = parser::parse(text, &parser::ParseOptions::default()).map_err(outside_statement)?;
        let [raw] = parsed.as_slice() else {
            return Err(internal!("view \"{}\" is not one statement", rel.name));
        };
        crate::analyze(&raw.stmt, text, &cx).map_err(outside_statement)
    }
}

/// Who reads a view needs a privilege on it, whatever becomes of its query: an entry that nothing refers to says so.
fn keep_permissions(q: &mut Query, at: usize) {
    let entry = &mut q.range_table[at];
    let checked = RangeTblEntry {
        in_from: false,
        ..entry.clone()
    };
    entry.permissions = Permissions::default();
    q.range_table.push(checked);
}

/// A stored query knows a view's columns of when it was stored; CREATE OR REPLACE VIEW may have added some.
fn widen(entry: &mut RangeTblEntry, view: &RelationDesc) {
    for column in view.columns.iter().skip(entry.columns.len()) {
        entry.columns.push(RteColumn {
            type_ref: column.type_ref,
            collation: column.collation,
        });
        entry.eref.columns.push(column.name.clone());
    }
}

/// An error inside a stored text has no place in the statement at hand.
fn outside_statement(mut e: Box<common::PgError>) -> Box<common::PgError> {
    e.position = None;
    e
}

/// Relations in a view are read with the rights of its owner.
fn set_check_as(q: &mut Query, owner: Oid, rel: &RelationDesc) {
    let invoker = rel
        .options
        .iter()
        .any(|(k, v)| &**k == "security_invoker" && matches!(&**v, "true" | "on" | "1" | "yes"));
    if invoker {
        return;
    }
    for rte in &mut q.range_table {
        set_owner(&mut rte.permissions, owner);
        if let RteKind::Subquery {
            query, view: None, ..
        } = &mut rte.kind
        {
            set_check_as(Arc::make_mut(query), owner, rel);
        }
    }
    for cte in &mut q.ctes {
        set_check_as(Arc::make_mut(&mut cte.query), owner, rel);
    }
    for_each_expr_mut(q, &mut |e| {
        nodes::walk::rewrite(e, &mut |x| {
            if let Expr::SubLink(s) = x {
                set_check_as(Arc::make_mut(&mut s.query), owner, rel);
            }
        });
    });
}

fn set_owner(p: &mut Permissions, owner: Oid) {
    if !p.check_as.is_valid() {
        p.check_as = owner;
    }
}

/// FOR UPDATE of a view locks the tables in it.
fn lock_view_query(view: &mut Query, outer: &Query, index: usize) -> PgResult<()> {
    let Some(mark) = outer.row_marks.iter().find(|m| m.rt_index == index) else {
        return Ok(());
    };
    let mut nodes: Vec<&JoinTreeNode> = view.join_tree.items.iter().collect();
    let mut found = Vec::new();
    while let Some(n) = nodes.pop() {
        match n {
            JoinTreeNode::Rel(i) => found.push(*i),
            JoinTreeNode::Join(j) => nodes.extend([&j.left, &j.right]),
            JoinTreeNode::From(f) => nodes.extend(f.items.iter()),
        }
    }
    for i in found {
        if matches!(view.rte(i).kind, RteKind::Relation { .. })
            && !view.row_marks.iter().any(|m| m.rt_index == i)
        {
            let mut copy = mark.clone();
            copy.rt_index = i;
            copy.pushed_down = true;
            view.row_marks.push(copy);
        }
    }
    Ok(())
}

/// The VALUES list that an INSERT takes its rows from.
fn values_source(q: &Query) -> Option<usize> {
    match q.join_tree.items.as_slice() {
        [JoinTreeNode::Rel(i)] if matches!(q.rte(*i).kind, RteKind::Values { .. }) => Some(*i),
        _ => None,
    }
}

/// Two assignments to parts of one column become one; to the whole column twice is an error.
fn merge_assignments(mut prior: TargetEntry, mut next: TargetEntry, column: &str) -> PgResult<TargetEntry> {
    // A domain over the container is checked once, on top of all assignments.
    if let (Expr::CoerceToDomain(a), Expr::CoerceToDomain(b)) = (&prior.expr, &next.expr) {
        let mut domain = b.clone();
        let inner = (*b.arg).clone();
        prior.expr = (*a.arg).clone();
        next.expr = inner;
        let mut merged = merge_assignments(prior, next, column)?;
        *domain.arg = merged.expr;
        merged.expr = Expr::CoerceToDomain(domain);
        return Ok(merged);
    }
    match (&prior.expr, &mut next.expr) {
        (Expr::FieldStore(_) | Expr::Subscripting(_), Expr::FieldStore(b)) => {
            let same =
                |a: &nodes::expr::FieldStore| a.new_values.iter().any(|(f, _)| *f == b.new_values[0].0);
            if let Expr::FieldStore(a) = &prior.expr
                && crate::walk::equal(&a.arg, &b.arg)
                && !b.new_values.is_empty()
                && !same(a)
            {
                let mut values = a.new_values.clone();
                values.append(&mut b.new_values);
                b.new_values = values;
                b.arg = a.arg.clone();
                return Ok(next);
            }
            let old = std::mem::replace(&mut *b.arg, prior.expr.clone());
            for (_, value) in &mut b.new_values {
                crate::assign::rebase(value, &old, &prior.expr);
            }
            Ok(next)
        }
        (Expr::FieldStore(_) | Expr::Subscripting(_), Expr::Subscripting(b)) if b.assign.is_some() => {
            let old = std::mem::replace(&mut *b.container, prior.expr.clone());
            if let Some(value) = &mut b.assign {
                crate::assign::rebase(value, &old, &prior.expr);
            }
            Ok(next)
        }
        _ => Err(pg_err!(
            SYNTAX_ERROR,
            "multiple assignments to same column \"{column}\""
        )),
    }
}

fn generated_always(column: &ColumnDesc, insert: bool) -> Box<common::PgError> {
    let e = if insert {
        pg_err!(
            GENERATED_ALWAYS,
            "cannot insert a non-DEFAULT value into column \"{}\"",
            column.name
        )
    } else {
        pg_err!(
            GENERATED_ALWAYS,
            "column \"{}\" can only be updated to DEFAULT",
            column.name
        )
    };
    if column.generated != 0 {
        return e.detail(format!("Column \"{}\" is a generated column.", column.name));
    }
    let e = e.detail(format!(
        "Column \"{}\" is an identity column defined as GENERATED ALWAYS.",
        column.name
    ));
    if insert {
        e.hint("Use OVERRIDING SYSTEM VALUE to override.")
    } else {
        e
    }
}
