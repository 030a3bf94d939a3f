//! INSERT, UPDATE and DELETE on simple views, as the same on the table below.
//!
//! PG: src/backend/rewrite/rewriteHandler.c (`rewriteTargetView`, `view_query_is_auto_updatable`).

use std::sync::Arc;

use catalog::RelationDesc;
use common::error::ErrorExt;
use common::{PgError, PgResult, internal, pg_err, sqlstate, unsupported};
use nodes::expr::{RowExpr, Var, VarSource};
use nodes::query::{
    CommandType, JoinTreeNode, Permissions, Query, RangeTblEntry, RteKind, TargetEntry, WithCheckOption,
};
use nodes::{Expr, RelIds, walk};

use crate::state::Analyzer;
use crate::walk::for_each_expr_mut;

/// Options of a view that say yes.
fn option_is_on(rel: &RelationDesc, name: &str) -> bool {
    rel.options
        .iter()
        .any(|(k, v)| &**k == name && matches!(&**v, "true" | "on" | "1" | "yes"))
}

/// Why a view's query cannot be written through; `None`: it can.
fn obstacle(view: &Query) -> Option<&'static str> {
    let relation = match view.join_tree.items.as_slice() {
        [JoinTreeNode::Rel(i)] => match &view.rte(*i).kind {
            RteKind::Relation { sample: Some(_), .. } => {
                return Some("Views containing TABLESAMPLE are not automatically updatable.");
            }
            RteKind::Relation { relkind, .. } => matches!(relkind, b'r' | b'p' | b'f' | b'v'),
            _ => false,
        },
        _ => false,
    };
    let checks = [
        (
            !view.distinct_clause.is_empty(),
            "Views containing DISTINCT are not automatically updatable.",
        ),
        (
            !view.group_clause.is_empty() || !view.grouping_sets.is_empty(),
            "Views containing GROUP BY are not automatically updatable.",
        ),
        (
            view.having.is_some(),
            "Views containing HAVING are not automatically updatable.",
        ),
        (
            view.set_operations.is_some(),
            "Views containing UNION, INTERSECT, or EXCEPT are not automatically updatable.",
        ),
        (
            !view.ctes.is_empty(),
            "Views containing WITH are not automatically updatable.",
        ),
        (
            view.limit_count.is_some() || view.limit_offset.is_some(),
            "Views containing LIMIT or OFFSET are not automatically updatable.",
        ),
        (
            view.has_aggs,
            "Views that return aggregate functions are not automatically updatable.",
        ),
        (
            view.has_window_funcs,
            "Views that return window functions are not automatically updatable.",
        ),
        (
            view.has_target_srfs,
            "Views that return set-returning functions are not automatically updatable.",
        ),
        (
            !relation,
            "Views that do not select from a single table or view are not automatically updatable.",
        ),
    ];
    checks.iter().find(|(bad, _)| *bad).map(|(_, text)| *text)
}

/// Why a column of a view cannot be assigned.
fn column_obstacle(entry: &TargetEntry, base: usize) -> Option<&'static str> {
    let Expr::Var(v) = &entry.expr else {
        return Some("View columns that are not columns of their base relation are not updatable.");
    };
    if v.source
        != (VarSource::Rel {
            index: base,
            levels_up: 0,
        })
    {
        return Some("View columns that are not columns of their base relation are not updatable.");
    }
    match v.attno {
        0 => Some("View columns that return whole-row references are not updatable."),
        n if n < 0 => Some("View columns that refer to system columns are not updatable."),
        _ => None,
    }
}

fn words(command: CommandType) -> (&'static str, &'static str, &'static str) {
    match command {
        CommandType::Insert => ("insert into", "inserting into", "INSERT"),
        CommandType::Update => ("update", "updating", "UPDATE"),
        CommandType::Merge => ("merge into", "merging into", "MERGE"),
        _ => ("delete from", "deleting from", "DELETE"),
    }
}

fn not_updatable(rel: &RelationDesc, command: CommandType, detail: &str) -> Box<PgError> {
    let (verb, doing, event) = words(command);
    PgError::new(
        sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE,
        format!("cannot {verb} view \"{}\"", rel.name),
    )
    .detail(detail.to_owned())
    .hint(format!(
        "To enable {doing} the view, provide an INSTEAD OF {event} trigger or an unconditional ON {event} DO INSTEAD rule."
    ))
}

/// What stands for the view's columns.
struct Substitution<'a> {
    view: usize,
    columns: &'a [TargetEntry],
    row_type: common::Oid,
}

impl Substitution<'_> {
    fn apply(&self, q: &mut Query, depth: usize) {
        for_each_expr_mut(q, &mut |e| self.expr(e, depth));
        for rte in &mut q.range_table {
            if let RteKind::Subquery { query, .. } = &mut rte.kind {
                self.apply(Arc::make_mut(query), depth + 1);
            }
        }
        for cte in &mut q.ctes {
            self.apply(Arc::make_mut(&mut cte.query), depth + 1);
        }
    }

    fn expr(&self, e: &mut Expr, depth: usize) {
        walk::for_each_child_mut(e, &mut |child| self.expr(child, depth));
        if let Expr::SubLink(s) = e {
            self.apply(Arc::make_mut(&mut s.query), depth + 1);
        }
        let Expr::Var(v) = &*e else { return };
        let VarSource::Rel { index, levels_up } = v.source else {
            return;
        };
        if index != self.view || levels_up != depth {
            return;
        }
        if v.attno == 0 {
            let args: Vec<Expr> = self.columns.iter().map(|t| shifted(&t.expr, depth, v)).collect();
            let names = self
                .columns
                .iter()
                .map(|t| Box::from(t.name.as_deref().unwrap_or("")))
                .collect();
            *e = Expr::Row(RowExpr {
                args,
                row_type: self.row_type,
                names,
                form: Default::default(),
                span: v.span,
            });
            return;
        }
        if let Some(t) = usize::try_from(v.attno - 1)
            .ok()
            .and_then(|i| self.columns.get(i))
        {
            *e = shifted(&t.expr, depth, v);
        }
    }
}

/// A view's column where a variable stood: so many levels further in, of the same row (OLD or NEW).
fn shifted(column: &Expr, depth: usize, like: &Var) -> Expr {
    let mut e = column.clone();
    walk::rewrite(&mut e, &mut |x| {
        if let Expr::Var(v) = x
            && let VarSource::Rel { levels_up, .. } = &mut v.source
        {
            *levels_up += depth;
            v.returning = like.returning;
        }
    });
    e
}

impl Analyzer<'_> {
    /// Puts the table below a view in its place as the target.
    pub(crate) fn rewrite_target_view(&mut self, q: &mut Query, rel: &RelationDesc) -> PgResult<()> {
        let Some(text) = &rel.view_definition else {
            return Err(unsupported!("view \"{}\" has no definition yet", rel.name));
        };
        if !nodes::serial::is_encoded(text) {
            return Err(not_updatable(
                rel,
                q.command,
                "Views that do not select from a single table or view are not automatically updatable.",
            ));
        }
        let mut view = nodes::serial::decode_query(text)?;
        if let Some(detail) = obstacle(&view) {
            return Err(not_updatable(rel, q.command, detail));
        }
        let [JoinTreeNode::Rel(base)] = view.join_tree.items[..] else {
            return Err(internal!("view without a base relation"));
        };
        let columns: Vec<TargetEntry> = view.target_list.iter().filter(|t| !t.resjunk).cloned().collect();
        if q.command != CommandType::Delete && columns.iter().all(|t| column_obstacle(t, base).is_some()) {
            return Err(not_updatable(
                rel,
                q.command,
                "Views that have no updatable columns are not automatically updatable.",
            ));
        }
        if q.command == CommandType::Merge && view.join_tree.quals.is_some() {
            return Err(unsupported!(
                "MERGE into view \"{}\" with conditions is not supported yet",
                rel.name
            ));
        }
        let old = q.result_relation;
        let entry = self.base_entry(q, &view, base, old, rel)?;
        q.range_table.push(entry);
        let new = q.range_table.len();
        // The view's expressions speak of the base relation under its new number.
        let renumber = |e: &mut Expr| {
            crate::rewrite_view::renumber(e, 0, base, new);
        };
        let columns: Vec<TargetEntry> = columns
            .into_iter()
            .map(|mut t| {
                renumber(&mut t.expr);
                t
            })
            .collect();
        if let Some(quals) = &mut view.join_tree.quals {
            renumber(quals);
        }
        self.check_assigned(q, rel, &columns, new)?;
        let substitution = Substitution {
            view: old,
            columns: &columns,
            row_type: rel.row_type,
        };
        substitution.apply(q, 0);
        self.rename_targets(q, &columns, new)?;
        self.rename_excluded(q, &columns, rel, new)?;
        replace_relation(&mut q.join_tree.items, old, new);
        q.result_relation = new;
        q.range_table[old - 1].in_from = false;
        if let Some(quals) = view.join_tree.quals.clone()
            && matches!(q.command, CommandType::Update | CommandType::Delete)
        {
            q.join_tree.quals = Some(and(q.join_tree.quals.take(), quals));
        }
        q.has_sub_links |= view.has_sub_links;
        if q.command != CommandType::Delete {
            add_check_option(q, rel, view.join_tree.quals);
        }
        Ok(())
    }

    fn base_entry(
        &self,
        q: &Query,
        view: &Query,
        base: usize,
        old: usize,
        rel: &RelationDesc,
    ) -> PgResult<RangeTblEntry> {
        let mut entry = view.rte(base).clone();
        let above = q.rte(old).permissions.clone();
        entry.permissions.select |= above.select;
        entry.permissions.insert = above.insert;
        entry.permissions.update = above.update;
        entry.permissions.delete = above.delete;
        entry.permissions.inserted_columns = columns_below(view, &above.inserted_columns);
        entry.permissions.updated_columns = columns_below(view, &above.updated_columns);
        entry.permissions.check_as = if option_is_on(rel, "security_invoker") {
            above.check_as
        } else {
            rel.owner
        };
        entry.in_from = false;
        Ok(entry)
    }

    /// Every assigned column must be one of the base relation.
    fn check_assigned(
        &self,
        q: &Query,
        rel: &RelationDesc,
        columns: &[TargetEntry],
        base: usize,
    ) -> PgResult<()> {
        let mut assigned: Vec<(CommandType, &TargetEntry)> = Vec::new();
        if matches!(q.command, CommandType::Insert | CommandType::Update) {
            assigned.extend(q.target_list.iter().map(|t| (q.command, t)));
        }
        if let Some(c) = &q.on_conflict {
            assigned.extend(c.set.iter().map(|t| (CommandType::Update, t)));
        }
        for action in &q.merge_actions {
            assigned.extend(action.target_list.iter().map(|t| (CommandType::Merge, t)));
        }
        for (command, t) in assigned.into_iter().filter(|(_, t)| !t.resjunk) {
            let Some(column) = usize::try_from(t.resno - 1).ok().and_then(|i| columns.get(i)) else {
                continue;
            };
            if let Some(detail) = column_obstacle(column, base) {
                let (verb, ..) = words(command);
                return Err(pg_err!(
                    FEATURE_NOT_SUPPORTED,
                    "cannot {verb} column \"{}\" of view \"{}\"",
                    column.name.as_deref().unwrap_or(""),
                    rel.name
                )
                .detail(detail));
            }
        }
        Ok(())
    }

    /// Assignments to the view's columns become assignments to the base's.
    fn rename_targets(&self, q: &mut Query, columns: &[TargetEntry], base: usize) -> PgResult<()> {
        let to_base = |t: &mut TargetEntry| {
            let found = usize::try_from(t.resno - 1).ok().and_then(|i| columns.get(i));
            if let Some(Expr::Var(v)) = found.map(|c| &c.expr)
                && v.source
                    == (VarSource::Rel {
                        index: base,
                        levels_up: 0,
                    })
            {
                t.resno = v.attno;
            }
        };
        if matches!(q.command, CommandType::Insert | CommandType::Update) {
            q.target_list.iter_mut().filter(|t| !t.resjunk).for_each(to_base);
        }
        for action in &mut q.merge_actions {
            action
                .target_list
                .iter_mut()
                .filter(|t| !t.resjunk)
                .for_each(to_base);
        }
        if let Some(c) = &mut q.on_conflict {
            c.set.iter_mut().filter(|t| !t.resjunk).for_each(to_base);
        }
        Ok(())
    }

    /// `excluded` shows the base relation's columns where it showed the view's.
    fn rename_excluded(
        &self,
        q: &mut Query,
        columns: &[TargetEntry],
        rel: &RelationDesc,
        base: usize,
    ) -> PgResult<()> {
        let Some(old) = q
            .on_conflict
            .as_ref()
            .map(|c| c.excluded_index)
            .filter(|i| *i > 0)
        else {
            return Ok(());
        };
        let mut entry = q.rte(base).clone();
        entry.alias = q.rte(old).alias.clone();
        entry.eref.name = "excluded".into();
        entry.permissions = Default::default();
        q.range_table.push(entry);
        let new = q.range_table.len();
        let columns: Vec<TargetEntry> = columns
            .iter()
            .cloned()
            .map(|mut t| {
                renumber(&mut t.expr, 0, base, new);
                t
            })
            .collect();
        let substitution = Substitution {
            view: old,
            columns: &columns,
            row_type: rel.row_type,
        };
        substitution.apply(q, 0);
        if let Some(c) = &mut q.on_conflict {
            c.excluded_index = new;
        }
        Ok(())
    }
}

/// Another number for a range table entry of the expression's own query, in it and in its subqueries.
pub(crate) fn renumber(e: &mut Expr, depth: usize, from: usize, to: usize) {
    walk::for_each_child_mut(e, &mut |child| renumber(child, depth, from, to));
    match e {
        Expr::Var(v) => {
            if let VarSource::Rel { index, levels_up } = &mut v.source
                && *levels_up == depth
                && *index == from
            {
                *index = to;
            }
        }
        Expr::SubLink(s) => renumber_query(Arc::make_mut(&mut s.query), depth + 1, from, to),
        _ => {}
    }
}

fn renumber_query(q: &mut Query, depth: usize, from: usize, to: usize) {
    for_each_expr_mut(q, &mut |e| renumber(e, depth, from, to));
    for rte in &mut q.range_table {
        if let RteKind::Subquery { query, .. } = &mut rte.kind {
            renumber_query(Arc::make_mut(query), depth + 1, from, to);
        }
    }
    for cte in &mut q.ctes {
        renumber_query(Arc::make_mut(&mut cte.query), depth + 1, from, to);
    }
}

fn replace_relation(items: &mut [JoinTreeNode], old: usize, new: usize) {
    for item in items {
        match item {
            JoinTreeNode::Rel(i) if *i == old => *i = new,
            JoinTreeNode::Rel(_) => {}
            JoinTreeNode::Join(j) => {
                replace_relation(std::slice::from_mut(&mut j.left), old, new);
                replace_relation(std::slice::from_mut(&mut j.right), old, new);
            }
            JoinTreeNode::From(f) => replace_relation(&mut f.items, old, new),
        }
    }
}

fn and(a: Option<Expr>, b: Expr) -> Expr {
    use nodes::expr::{BoolExpr, BoolOp};
    match a {
        None => b,
        Some(a) => Expr::Bool(BoolExpr {
            op: BoolOp::And,
            args: vec![b, a],
            span: common::Span::NONE,
        }),
    }
}

/// WITH CHECK OPTION: rows written must be visible through the view; CASCADED concerns the views below as well.
fn add_check_option(q: &mut Query, rel: &RelationDesc, quals: Option<Expr>) {
    let option = rel
        .options
        .iter()
        .find(|(k, _)| &**k == "check_option")
        .map(|(_, v)| v.to_ascii_lowercase());
    let from_above = q.with_check_options.first().is_some_and(|w| w.cascaded);
    let own = option.is_some();
    if !own && !from_above {
        return;
    }
    let cascaded = from_above || option.as_deref() == Some("cascaded");
    let Some(qual) = quals else {
        if cascaded {
            // Nothing to test here, but the views below are told.
            q.with_check_options.insert(
                0,
                WithCheckOption {
                    relation_name: rel.name.clone(),
                    policy_name: None,
                    is_rls: false,
                    qual: Expr::bool_const(true),
                    cascaded,
                },
            );
        }
        return;
    };
    q.with_check_options.insert(
        0,
        WithCheckOption {
            relation_name: rel.name.clone(),
            policy_name: None,
            is_rls: false,
            qual,
            cascaded,
        },
    );
}

/// The base relation's columns that a set of the view's columns stands for.
fn columns_below(view: &Query, columns: &RelIds) -> RelIds {
    let mut below = RelIds::empty();
    for attno in Permissions::attnos(columns) {
        let at = usize::try_from(attno - 1).ok();
        let column = at.and_then(|at| view.output_columns().nth(at));
        if let Some(Expr::Var(v)) = column.map(|t| &t.expr)
            && v.attno > 0
        {
            below.insert(usize::from(v.attno.unsigned_abs()) + Permissions::WHOLE_ROW);
        }
    }
    below
}
