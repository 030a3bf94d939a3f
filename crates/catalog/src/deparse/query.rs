//! Queries: SELECT with all its clauses, set operations, WITH.
//!
//! PG: ruleutils.c, `get_query_def`. Line breaks and indentation are PostgreSQL's, to the space.

use std::sync::Arc;

use common::{Oid, PgResult, unsupported};
use nodes::query::{
    CommandType, CommonTableExpr, CteMaterialize, GroupingSet, JoinTreeNode, LockStrength, LockWait, RteKind,
    SetOp, SetOperation, SortGroupClause, TargetEntry,
};
use nodes::{Expr, Query};

use crate::deparse::from::Place;
use crate::deparse::{Implicit, Writer, constant};
use crate::names::quote_identifier;

/// Indentation of the clauses of a query.
const CLAUSE: i32 = 8;

/// How output columns are to be called.
#[derive(Clone, Copy)]
pub(crate) enum Names<'n> {
    /// As the view that stores the query calls them.
    Of(&'n [Arc<str>]),
    /// By their own names.
    Own,
    /// Nobody sees the names.
    Hidden,
    /// The names are those of the view, but another arm of the set operation gives them.
    OfHidden(&'n [Arc<str>]),
}

/// Where a sort or group item stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum SortPlace {
    /// ORDER BY of a plain query: output names hide columns.
    Order,
    /// ORDER BY of a set operation: by position.
    Position,
    /// GROUP BY, DISTINCT ON, windows.
    Group,
    /// Inside an aggregate call.
    Aggregate,
}

impl Writer<'_> {
    /// A query in a scope of its own.
    pub(crate) fn query(&mut self, query: &Arc<Query>, names: Names<'_>) -> PgResult<()> {
        if query.command != CommandType::Select {
            return Err(unsupported!(
                "printing data-modifying queries is not supported yet"
            ));
        }
        let scope = self.scope(query)?;
        self.scopes.push(scope);
        let level = self.level;
        let done = self.select(query, names);
        self.level = level;
        self.scopes.pop();
        done
    }

    /// `text` on a new line; the indentation changes by `before` first and by `after` afterwards.
    pub(crate) fn keyword(&mut self, text: &str, before: i32, after: i32, plus: i32) {
        if self.style.indent {
            self.level += before;
            self.break_line(plus);
            self.push(text);
            self.level = (self.level + after).max(0);
        } else {
            self.push(text);
        }
    }

    fn clause(&mut self, text: &str, plus: i32) {
        self.keyword(text, -CLAUSE, CLAUSE, plus);
    }

    fn select(&mut self, query: &Query, names: Names<'_>) -> PgResult<()> {
        self.with_clause(query)?;
        let place = match &query.set_operations {
            Some(operations) => {
                self.set_operation(operations, query, names)?;
                SortPlace::Position
            }
            None => {
                self.plain_select(query, names)?;
                SortPlace::Order
            }
        };
        if !query.sort_clause.is_empty() {
            self.clause(" ORDER BY ", 1);
            self.order_by(&query.sort_clause, &query.target_list, place)?;
        }
        if let Some(offset) = &query.limit_offset {
            self.clause(" OFFSET ", 0);
            self.expr(offset, Implicit::Hidden)?;
        }
        match &query.limit_count {
            Some(count) if query.limit_with_ties => {
                self.clause(" FETCH FIRST ", 0);
                self.expr(count, Implicit::Hidden)?;
                self.push(" ROWS WITH TIES");
            }
            Some(Expr::Const(c)) if c.value.is_null() => self.clause(" LIMIT ALL", 0),
            Some(count) => {
                self.clause(" LIMIT ", 0);
                self.expr(count, Implicit::Hidden)?;
            }
            None => {}
        }
        self.row_marks(query)
    }

    fn row_marks(&mut self, query: &Query) -> PgResult<()> {
        for mark in query.row_marks.iter().filter(|m| !m.pushed_down) {
            let text = match mark.strength {
                LockStrength::ForKeyShare => " FOR KEY SHARE",
                LockStrength::ForShare => " FOR SHARE",
                LockStrength::ForNoKeyUpdate => " FOR NO KEY UPDATE",
                LockStrength::ForUpdate => " FOR UPDATE",
            };
            self.clause(text, 0);
            let name = self.scopes.last().and_then(|s| s.name(mark.rt_index));
            if let Some(name) = name {
                let name = quote_identifier(name).into_owned();
                self.push(&format!(" OF {name}"));
            }
            self.push(match mark.wait {
                LockWait::Block => "",
                LockWait::NoWait => " NOWAIT",
                LockWait::SkipLocked => " SKIP LOCKED",
            });
        }
        Ok(())
    }

    fn with_clause(&mut self, query: &Query) -> PgResult<()> {
        if query.ctes.is_empty() {
            return Ok(());
        }
        if self.style.indent {
            self.level += CLAUSE;
            self.push(" ");
        }
        self.push(if query.recursive {
            "WITH RECURSIVE "
        } else {
            "WITH "
        });
        for (at, cte) in query.ctes.iter().enumerate() {
            self.push(if at > 0 { ", " } else { "" });
            self.cte(cte)?;
        }
        if self.style.indent {
            self.level -= CLAUSE;
            self.break_line(0);
        } else {
            self.push(" ");
        }
        Ok(())
    }

    fn cte(&mut self, cte: &CommonTableExpr) -> PgResult<()> {
        self.push(&quote_identifier(&cte.name));
        let own = cte.query.output_columns().map(|t| t.name.as_deref());
        let renamed = !cte.column_names.iter().map(|n| Some(&**n)).eq(own);
        if renamed {
            let names: Vec<_> = cte.column_names.iter().map(|n| quote_identifier(n)).collect();
            self.push(&format!("({})", names.join(", ")));
        }
        self.push(" AS ");
        self.push(match cte.materialized {
            CteMaterialize::Default => "",
            CteMaterialize::Always => "MATERIALIZED ",
            CteMaterialize::Never => "NOT MATERIALIZED ",
        });
        self.push("(");
        self.keyword("", 0, 0, 0);
        self.query(&cte.query, Names::Own)?;
        self.keyword("", 0, 0, 0);
        self.push(")");
        if let Some(search) = &cte.search {
            let columns: Vec<_> = search.columns.iter().map(|n| quote_identifier(n)).collect();
            self.push(&format!(
                " SEARCH {} FIRST BY {} SET {}",
                if search.breadth_first { "BREADTH" } else { "DEPTH" },
                columns.join(", "),
                quote_identifier(&search.sequence_column)
            ));
        }
        if let Some(cycle) = &cte.cycle {
            let columns: Vec<_> = cycle.columns.iter().map(|n| quote_identifier(n)).collect();
            self.push(&format!(
                " CYCLE {} SET {}",
                columns.join(", "),
                quote_identifier(&cycle.mark_column)
            ));
            let is =
                |e: &Expr, wanted: bool| matches!(e, Expr::Const(c) if c.value == types::Datum::Bool(wanted));
            if !(is(&cycle.mark_value, true) && is(&cycle.mark_default, false)) {
                self.push(" TO ");
                self.expr(&cycle.mark_value, Implicit::Hidden)?;
                self.push(" DEFAULT ");
                self.expr(&cycle.mark_default, Implicit::Hidden)?;
            }
            self.push(&format!(" USING {}", quote_identifier(&cycle.path_column)));
        }
        Ok(())
    }

    fn plain_select(&mut self, query: &Query, names: Names<'_>) -> PgResult<()> {
        if self.style.indent {
            self.level += CLAUSE;
            self.push(" ");
        }
        if let Some(rows) = simple_values(query, names) {
            return self.values(rows);
        }
        self.push("SELECT");
        if query.has_distinct_on {
            self.push(" DISTINCT ON (");
            for (at, item) in query.distinct_clause.iter().enumerate() {
                self.push(if at > 0 { ", " } else { "" });
                self.sort_item(item.target_ref, &query.target_list, SortPlace::Group)?;
            }
            self.push(")");
        } else if !query.distinct_clause.is_empty() {
            self.push(" DISTINCT");
        }
        self.targets(query, names)?;
        self.print_from(query)?;
        if let Some(quals) = &query.join_tree.quals {
            self.clause(" WHERE ", 1);
            self.expr(quals, Implicit::Hidden)?;
        }
        self.group_by(query)?;
        if let Some(having) = &query.having {
            self.clause(" HAVING ", 0);
            self.expr(having, Implicit::Hidden)?;
        }
        let mut first = true;
        for clause in &query.window_clause {
            let Some(name) = &clause.name else { continue };
            if first {
                self.clause(" WINDOW ", 1);
            } else {
                self.push(", ");
            }
            first = false;
            self.push(&format!("{} AS ", quote_identifier(name)));
            self.window_spec(clause, &query.target_list)?;
        }
        Ok(())
    }

    fn targets(&mut self, query: &Query, names: Names<'_>) -> PgResult<()> {
        let mut many_lines = false;
        for (at, target) in query.target_list.iter().filter(|t| !t.resjunk).enumerate() {
            self.push(if at > 0 { ", " } else { " " });
            let before = std::mem::take(&mut self.text);
            let shown = match &target.expr {
                Expr::Var(v) => self.query_column(v, Place::Target)?,
                other => {
                    self.expr(other, Implicit::Shown)?;
                    match names {
                        Names::Hidden | Names::OfHidden(_) => Some("?column?".into()),
                        _ => None,
                    }
                }
            };
            let wanted: Option<&str> = match names {
                Names::Of(columns) | Names::OfHidden(columns) => columns.get(at).map(|n| &**n),
                _ => target.name.as_deref(),
            };
            if let Some(wanted) = wanted
                && shown.as_deref() != Some(wanted)
            {
                self.push(&format!(" AS {}", quote_identifier(wanted)));
            }
            let item = std::mem::replace(&mut self.text, before);
            if self.style.indent {
                if item.starts_with('\n') {
                    self.trim();
                } else if at > 0 && (many_lines || self.line_length() + item.len() > self.style.wrap_column) {
                    self.keyword("", -CLAUSE, CLAUSE, super::INDENT);
                }
                many_lines = item.contains('\n');
            }
            self.push(&item);
        }
        Ok(())
    }

    fn group_by(&mut self, query: &Query) -> PgResult<()> {
        if query.group_clause.is_empty() && query.grouping_sets.is_empty() {
            return Ok(());
        }
        self.clause(" GROUP BY ", 1);
        self.push(if query.group_distinct { "DISTINCT " } else { "" });
        if query.grouping_sets.is_empty() {
            let refs: Vec<u32> = query.group_clause.iter().map(|g| g.target_ref).collect();
            return self.group_refs(&refs, &query.target_list);
        }
        for (at, set) in query.grouping_sets.iter().enumerate() {
            self.push(if at > 0 { ", " } else { "" });
            self.grouping_set(set, &query.target_list, false)?;
        }
        Ok(())
    }

    fn group_refs(&mut self, refs: &[u32], targets: &[TargetEntry]) -> PgResult<()> {
        for (at, target_ref) in refs.iter().enumerate() {
            self.push(if at > 0 { ", " } else { "" });
            self.sort_item(*target_ref, targets, SortPlace::Group)?;
        }
        Ok(())
    }

    fn grouping_set(&mut self, set: &GroupingSet, targets: &[TargetEntry], inside: bool) -> PgResult<()> {
        let simple = |w: &mut Self, refs: &[u32], brackets: bool| {
            w.push(if brackets { "(" } else { "" });
            w.group_refs(refs, targets)?;
            w.push(if brackets { ")" } else { "" });
            PgResult::Ok(())
        };
        match set {
            GroupingSet::Empty => self.push("()"),
            GroupingSet::Simple(refs) => simple(self, refs, inside || refs.len() != 1)?,
            GroupingSet::Rollup(sets) | GroupingSet::Cube(sets) => {
                let rollup = matches!(set, GroupingSet::Rollup(_));
                self.push(if rollup { "ROLLUP(" } else { "CUBE(" });
                for (at, refs) in sets.iter().enumerate() {
                    self.push(if at > 0 { ", " } else { "" });
                    simple(self, refs, refs.len() != 1)?;
                }
                self.push(")");
            }
            GroupingSet::Sets(sets) => {
                self.push("GROUPING SETS (");
                for (at, one) in sets.iter().enumerate() {
                    self.push(if at > 0 { ", " } else { "" });
                    self.grouping_set(one, targets, true)?;
                }
                self.push(")");
            }
        }
        Ok(())
    }

    pub(crate) fn order_by(
        &mut self,
        items: &[SortGroupClause],
        targets: &[TargetEntry],
        place: SortPlace,
    ) -> PgResult<()> {
        for (at, item) in items.iter().enumerate() {
            self.push(if at > 0 { ", " } else { "" });
            self.sort_item(item.target_ref, targets, place)?;
            if let Some(operator) = self.unusual_order(item, targets)? {
                let nulls = if item.nulls_first { "FIRST" } else { "LAST" };
                self.push(&format!(" USING {operator} NULLS {nulls}"));
                continue;
            }
            self.push(match (item.reverse, item.nulls_first) {
                (false, false) => "",
                (false, true) => " NULLS FIRST",
                (true, true) => " DESC",
                (true, false) => " DESC NULLS LAST",
            });
        }
        Ok(())
    }

    /// The operator of USING, when it is not what ASC or DESC mean for the type.
    fn unusual_order(&self, item: &SortGroupClause, targets: &[TargetEntry]) -> PgResult<Option<String>> {
        const BTREE: Oid = Oid(403);
        let target = targets.iter().find(|t| t.sort_group_ref == item.target_ref);
        let Some(target) = target.filter(|_| item.sort_op.is_valid()) else {
            return Ok(None);
        };
        let view = self.ctx.view;
        let Some(class) = view.default_opclass(BTREE, target.expr.type_oid())? else {
            return Ok(None);
        };
        let t = class.input_type;
        for strategy in [1, 5] {
            if view.opfamily_member(class.family, t, t, strategy)? == Some(item.sort_op) {
                return Ok(None);
            }
        }
        self.operator_name(item.sort_op).map(Some)
    }

    /// One expression of ORDER BY, GROUP BY and relatives.
    pub(crate) fn sort_item(
        &mut self,
        target_ref: u32,
        targets: &[TargetEntry],
        place: SortPlace,
    ) -> PgResult<()> {
        let Some(target) = targets.iter().find(|t| t.sort_group_ref == target_ref) else {
            return Err(common::internal!(
                "sort reference {target_ref} not found in target list"
            ));
        };
        match &target.expr {
            _ if place == SortPlace::Position => {
                self.push(&target.resno.to_string());
                Ok(())
            }
            Expr::Const(c) => self.constant(c, constant::Label::Always),
            Expr::Var(v) if place == SortPlace::Order => self.query_column(v, Place::Sort).map(|_| ()),
            e @ Expr::Var(_) => self.expr(e, Implicit::Shown),
            e => {
                let call = match e {
                    Expr::Func(f) => !f.op.is_valid(),
                    e => matches!(e, Expr::Aggref(_) | Expr::WindowFunc(_)),
                };
                let brackets = self.style.pretty || call;
                self.push(if brackets { "(" } else { "" });
                self.expr(e, Implicit::Shown)?;
                self.push(if brackets { ")" } else { "" });
                Ok(())
            }
        }
    }

    fn set_operation(&mut self, tree: &SetOperation, query: &Query, names: Names<'_>) -> PgResult<()> {
        match tree {
            SetOperation::Coerce { input, .. } => self.set_operation(input, query, names),
            SetOperation::Rel(index) => {
                let RteKind::Subquery { query: arm, .. } = &query.rte(*index).kind else {
                    return Err(common::internal!("arm of a set operation is no subquery"));
                };
                let brackets = !arm.ctes.is_empty()
                    || !arm.sort_clause.is_empty()
                    || !arm.row_marks.is_empty()
                    || arm.limit_offset.is_some()
                    || arm.limit_count.is_some();
                self.push(if brackets { "(" } else { "" });
                self.query(arm, names)?;
                self.push(if brackets { ")" } else { "" });
                Ok(())
            }
            SetOperation::Op {
                op, all, left, right, ..
            } => {
                let (left, right) = (left.as_written(), right.as_written());
                let same = |t: &SetOperation| matches!(t, SetOperation::Op { op: o, all: a, .. } if o == op && a == all);
                let brackets = matches!(left, SetOperation::Op { .. }) && !same(left);
                let inside = if brackets { CLAUSE } else { 0 };
                if brackets {
                    self.push("(");
                    self.keyword("", inside, 0, 0);
                }
                self.set_operation(left, query, names)?;
                let end = if brackets {
                    ") "
                } else if self.style.indent {
                    ""
                } else {
                    " "
                };
                self.keyword(end, -inside, 0, 0);
                self.push(match op {
                    SetOp::Union => "UNION ",
                    SetOp::Intersect => "INTERSECT ",
                    SetOp::Except => "EXCEPT ",
                });
                self.push(if *all { "ALL " } else { "" });
                let brackets = matches!(right, SetOperation::Op { .. });
                let inside = if brackets { CLAUSE } else { 0 };
                self.push(if brackets { "(" } else { "" });
                self.keyword("", inside, 0, 0);
                let names = match names {
                    Names::Of(columns) | Names::OfHidden(columns) => Names::OfHidden(columns),
                    _ => Names::Hidden,
                };
                self.set_operation(right, query, names)?;
                self.level -= if self.style.indent { inside } else { 0 };
                if brackets {
                    self.keyword(")", 0, 0, 0);
                }
                Ok(())
            }
        }
    }

    /// `VALUES (...), (...)`.
    pub(crate) fn values(&mut self, rows: &[Vec<Expr>]) -> PgResult<()> {
        self.push("VALUES ");
        for (at, row) in rows.iter().enumerate() {
            self.push(if at > 0 { ", (" } else { "(" });
            for (k, value) in row.iter().enumerate() {
                self.push(if k > 0 { "," } else { "" });
                match value {
                    Expr::Var(v) => {
                        self.query_column(v, Place::Target)?;
                    }
                    value => self.expr(value, Implicit::Hidden)?,
                }
            }
            self.push(")");
        }
        Ok(())
    }
}

/// The rows of a query that is nothing but a VALUES list.
fn simple_values<'q>(query: &'q Query, names: Names<'_>) -> Option<&'q [Vec<Expr>]> {
    let [JoinTreeNode::Rel(index)] = &query.join_tree.items[..] else {
        return None;
    };
    let rte = query.rte(*index);
    let RteKind::Values { rows, .. } = &rte.kind else {
        return None;
    };
    if rte.alias.is_some() || query.join_tree.quals.is_some() || query.target_list.len() != rte.columns.len()
    {
        return None;
    }
    for (at, target) in query.target_list.iter().enumerate() {
        let plain = matches!(&target.expr, Expr::Var(v)
            if v.attno as usize == at + 1 && !target.resjunk);
        let shown = rte.eref.columns.get(at)?;
        let wanted = match names {
            Names::Of(columns) | Names::OfHidden(columns) => columns.get(at).map(|n| &**n),
            _ => target.name.as_deref(),
        };
        if !plain || wanted.is_some_and(|w| w != &**shown) {
            return None;
        }
    }
    Some(rows)
}
