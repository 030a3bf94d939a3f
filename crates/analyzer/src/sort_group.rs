//! ORDER BY, GROUP BY with grouping sets, DISTINCT.
//!
//! PG: src/backend/parser/parse_clause.c (`findTargetlistEntry*`, `transformSortClause`, `transformGroupClause`...).

use common::error::{ErrorExt, ResultExt};
use common::{Oid, PgResult, Span, internal, pg_err};
use nodes::Expr;
use nodes::expr::CoercionForm;
use nodes::query::{GroupingSet, SortGroupClause, TargetEntry};
use parser::ast::{self, GroupingSetKind, SortByDir, SortByNulls};
use types::oids;

use crate::kind::ExprKind;
use crate::parse_coerce::CoerceTo;
use crate::parse_oper::BTREE_AM;
use crate::state::Analyzer;
use crate::walk::{equal, find_aggregate, find_window_func};

/// What GROUP BY resolves against and how.
struct GroupTarget<'g> {
    sort: &'g [SortGroupClause],
    kind: ExprKind,
    use_sql99: bool,
}

impl Analyzer<'_> {
    /// Position in the target list of what an ORDER BY or GROUP BY item means, by SQL-92's rules: name, number, else
    /// expression.
    fn find_target_sql92(
        &mut self,
        node: &ast::Expr,
        list: &mut Vec<TargetEntry>,
        kind: ExprKind,
    ) -> PgResult<usize> {
        if let Some(ident) = node.as_simple_column() {
            let name = ident.as_str();
            let prefer_column =
                kind == ExprKind::GroupBy && self.col_name_to_var(name, true, ident.span)?.is_some();
            if !prefer_column {
                let mut found: Option<usize> = None;
                for (i, t) in list.iter().enumerate() {
                    if t.resjunk || t.name.as_deref() != Some(name) {
                        continue;
                    }
                    match found {
                        Some(f) if !equal(&list[f].expr, &t.expr) => {
                            return Err(
                                pg_err!(AMBIGUOUS_COLUMN, "{} \"{name}\" is ambiguous", kind.name())
                                    .at(node.span()),
                            );
                        }
                        Some(_) => {}
                        None => found = Some(i),
                    }
                }
                if let Some(i) = found {
                    check_target_sql92(&list[i], kind)?;
                    return Ok(i);
                }
            }
        }
        if let ast::Expr::AConst(c) = node {
            let ast::ConstValue::Integer(wanted) = c.value else {
                return Err(pg_err!(SYNTAX_ERROR, "non-integer constant in {}", kind.name()).at(c.span));
            };
            let mut position = 0;
            for (i, t) in list.iter().enumerate().filter(|(_, t)| !t.resjunk) {
                position += 1;
                if position == wanted {
                    check_target_sql92(t, kind)?;
                    return Ok(i);
                }
            }
            return Err(pg_err!(
                INVALID_COLUMN_REFERENCE,
                "{} position {wanted} is not in select list",
                kind.name()
            )
            .at(c.span));
        }
        self.find_target_sql99(node, list, kind)
    }

    /// The same by SQL-99's rules: always an expression; added as junk when the list lacks it.
    fn find_target_sql99(
        &mut self,
        node: &ast::Expr,
        list: &mut Vec<TargetEntry>,
        kind: ExprKind,
    ) -> PgResult<usize> {
        let expr = self.transform_expr(node, kind)?;
        if let Some(i) = list
            .iter()
            .position(|t| equal(&expr, strip_implicit_coercions(&t.expr)))
        {
            return Ok(i);
        }
        let entry = self.transform_target_entry(node, Some(expr), kind, None, true)?;
        list.push(entry);
        Ok(list.len() - 1)
    }

    /// ORDER BY.
    pub fn transform_sort_clause(
        &mut self,
        order: &[ast::SortBy],
        list: &mut Vec<TargetEntry>,
        kind: ExprKind,
        use_sql99: bool,
    ) -> PgResult<Vec<SortGroupClause>> {
        let mut out = Vec::new();
        for s in order {
            let at = if use_sql99 {
                self.find_target_sql99(&s.node, list, kind)?
            } else {
                self.find_target_sql92(&s.node, list, kind)?
            };
            self.add_to_sort_list(at, &mut out, list, s)?;
        }
        Ok(out)
    }

    fn text_if_unknown(&mut self, entry: &mut TargetEntry) -> PgResult<Oid> {
        if entry.expr.type_oid() == oids::UNKNOWN {
            let taken = std::mem::replace(&mut entry.expr, Expr::bool_const(false));
            entry.expr = self.coerce_type(taken, CoerceTo::implicit(oids::TEXT))?;
        }
        Ok(entry.expr.type_oid())
    }

    /// Adds a sort column unless the list sorts by it already.
    pub fn add_to_sort_list(
        &mut self,
        at: usize,
        sort: &mut Vec<SortGroupClause>,
        list: &mut [TargetEntry],
        s: &ast::SortBy,
    ) -> PgResult<()> {
        let type_oid = self.text_if_unknown(&mut list[at])?;
        let span = s.node.location();
        let (sort_op, eq_op, hashable, reverse) = match s.dir {
            SortByDir::Default | SortByDir::Asc => {
                let ops = self.require_ordering(type_oid).at(span)?;
                (ops.lt, ops.eq, ops.hashable, false)
            }
            SortByDir::Desc => {
                let ops = self.require_ordering(type_oid).at(span)?;
                (ops.gt, ops.eq, ops.hashable, true)
            }
            SortByDir::Using => self.using_operator(&s.use_op, type_oid, s.span).at(s.span)?,
        };
        let target_ref = assign_ref(list, at);
        if is_in_list(target_ref, sort_op, sort, self)? {
            return Ok(());
        }
        sort.push(SortGroupClause {
            target_ref,
            eq_op,
            sort_op,
            reverse,
            nulls_first: match s.nulls {
                SortByNulls::Default => reverse,
                SortByNulls::First => true,
                SortByNulls::Last => false,
            },
            hashable,
        });
        Ok(())
    }

    fn using_operator(
        &self,
        name: &[ast::Ident],
        type_oid: Oid,
        span: Span,
    ) -> PgResult<(Oid, Oid, bool, bool)> {
        let op = self.compatible_operator(name, type_oid, span)?;
        for (family, strategy) in self.cx.catalog.operator_families(BTREE_AM, op.oid)? {
            if strategy != 1 && strategy != 5 {
                continue;
            }
            if let Some(eq) = self.cx.catalog.opfamily_member(family, op.left, op.right, 3)? {
                let hashable = self.operator(eq)?.can_hash;
                return Ok((op.oid, eq, hashable, strategy == 5));
            }
        }
        Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "operator {} is not a valid ordering operator",
            crate::parse_type::name_list_to_string(name)
        )
        .hint("Ordering operators must be \"<\" or \">\" members of btree operator families."))
    }

    /// Adds a grouping column unless the list groups by it already.
    pub fn add_to_group_list(
        &mut self,
        at: usize,
        group: &mut Vec<SortGroupClause>,
        list: &mut [TargetEntry],
        span: Span,
    ) -> PgResult<()> {
        let type_oid = self.text_if_unknown(&mut list[at])?;
        if list[at].sort_group_ref != 0 && group.iter().any(|g| g.target_ref == list[at].sort_group_ref) {
            return Ok(());
        }
        let ops = self.require_equality(type_oid).at(span)?;
        group.push(SortGroupClause {
            target_ref: assign_ref(list, at),
            eq_op: ops.eq,
            sort_op: ops.lt,
            reverse: false,
            nulls_first: false,
            hashable: ops.hashable,
        });
        Ok(())
    }

    /// GROUP BY or PARTITION BY: the columns, and the grouping sets if any were written.
    pub fn transform_group_clause(
        &mut self,
        raw: &[ast::Expr],
        list: &mut Vec<TargetEntry>,
        sort: &[SortGroupClause],
        kind: ExprKind,
        use_sql99: bool,
    ) -> PgResult<(Vec<SortGroupClause>, Vec<GroupingSet>)> {
        let target = GroupTarget {
            sort,
            kind,
            use_sql99,
        };
        let mut group = Vec::new();
        let mut sets = Vec::new();
        let has_sets = raw.iter().any(|e| matches!(e, ast::Expr::GroupingSet(_)));
        for e in raw {
            match e {
                ast::Expr::GroupingSet(g) => {
                    if let Some(s) = self.grouping_set(g, &target, &mut group, list)? {
                        sets.push(s);
                    }
                }
                e => {
                    for item in flatten_row(e) {
                        let r = self.group_expr(item, &target, &mut group, list, true)?;
                        if has_sets && r != 0 {
                            sets.push(GroupingSet::Simple(vec![r]));
                        }
                    }
                }
            }
        }
        Ok((group, sets))
    }

    /// One grouping expression; its reference number.
    fn group_expr(
        &mut self,
        e: &ast::Expr,
        target: &GroupTarget<'_>,
        group: &mut Vec<SortGroupClause>,
        list: &mut Vec<TargetEntry>,
        top_level: bool,
    ) -> PgResult<u32> {
        let at = if target.use_sql99 {
            self.find_target_sql99(e, list, target.kind)?
        } else {
            self.find_target_sql92(e, list, target.kind)?
        };
        let known = list[at].sort_group_ref;
        if known != 0 {
            if group.iter().any(|g| g.target_ref == known) {
                return Ok(known);
            }
            // Grouping in the order that ORDER BY wants saves a sort.
            if let Some(s) = target.sort.iter().find(|s| s.target_ref == known) {
                let mut copy = s.clone();
                if !top_level {
                    copy.nulls_first = false;
                }
                group.push(copy);
                return Ok(known);
            }
        }
        self.add_to_group_list(at, group, list, e.location())?;
        Ok(list[at].sort_group_ref)
    }

    fn grouping_set(
        &mut self,
        g: &ast::GroupingSet,
        target: &GroupTarget<'_>,
        group: &mut Vec<SortGroupClause>,
        list: &mut Vec<TargetEntry>,
    ) -> PgResult<Option<GroupingSet>> {
        Ok(Some(match g.kind {
            GroupingSetKind::Empty => GroupingSet::Empty,
            GroupingSetKind::Rollup | GroupingSetKind::Cube => {
                let mut parts = Vec::new();
                for e in &g.content {
                    parts.push(self.group_expr_list(e, target, group, list)?);
                }
                if g.kind == GroupingSetKind::Cube {
                    if parts.len() > 12 {
                        return Err(pg_err!(TOO_MANY_COLUMNS, "CUBE is limited to 12 elements").at(g.span));
                    }
                    GroupingSet::Cube(parts)
                } else {
                    GroupingSet::Rollup(parts)
                }
            }
            GroupingSetKind::Sets => {
                let mut sets = Vec::new();
                for e in &g.content {
                    match e {
                        ast::Expr::GroupingSet(inner) => {
                            if let Some(s) = self.grouping_set(inner, target, group, list)? {
                                sets.push(s);
                            }
                        }
                        e => sets.push(GroupingSet::Simple(self.group_expr_list(e, target, group, list)?)),
                    }
                }
                GroupingSet::Sets(sets)
            }
        }))
    }

    fn group_expr_list(
        &mut self,
        e: &ast::Expr,
        target: &GroupTarget<'_>,
        group: &mut Vec<SortGroupClause>,
        list: &mut Vec<TargetEntry>,
    ) -> PgResult<Vec<u32>> {
        let mut refs = Vec::new();
        for item in flatten_row(e) {
            let r = self.group_expr(item, target, group, list, false)?;
            if r != 0 && !refs.contains(&r) {
                refs.push(r);
            }
        }
        Ok(refs)
    }

    /// SELECT DISTINCT, or DISTINCT inside an aggregate.
    pub fn transform_distinct(
        &mut self,
        list: &mut [TargetEntry],
        sort: &[SortGroupClause],
        is_agg: bool,
    ) -> PgResult<Vec<SortGroupClause>> {
        let mut out = Vec::new();
        for s in sort {
            let entry = entry_of_ref(list, s.target_ref)?;
            if entry.resjunk {
                let text = if is_agg {
                    "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list"
                } else {
                    "for SELECT DISTINCT, ORDER BY expressions must appear in select list"
                };
                return Err(pg_err!(INVALID_COLUMN_REFERENCE, "{text}").at(entry.expr.span()));
            }
            out.push(s.clone());
        }
        for at in 0..list.len() {
            if !list[at].resjunk {
                let span = list[at].expr.span();
                self.add_to_group_list(at, &mut out, list, span)?;
            }
        }
        if out.is_empty() {
            let text = if is_agg {
                "an aggregate with DISTINCT must have at least one argument"
            } else {
                "SELECT DISTINCT must have at least one column"
            };
            return Err(pg_err!(SYNTAX_ERROR, "{text}"));
        }
        Ok(out)
    }

    /// SELECT DISTINCT ON.
    pub fn transform_distinct_on(
        &mut self,
        raw: &[ast::Expr],
        list: &mut Vec<TargetEntry>,
        sort: &[SortGroupClause],
    ) -> PgResult<Vec<SortGroupClause>> {
        let mut refs: Vec<(u32, Span)> = Vec::new();
        for e in raw {
            let at = self.find_target_sql92(e, list, ExprKind::DistinctOn)?;
            refs.push((assign_ref(list, at), e.location()));
        }
        let mut out: Vec<SortGroupClause> = Vec::new();
        let mut skipped = false;
        let mismatch = || {
            pg_err!(
                INVALID_COLUMN_REFERENCE,
                "SELECT DISTINCT ON expressions must match initial ORDER BY expressions"
            )
        };
        for s in sort {
            if let Some((_, span)) = refs.iter().find(|(r, _)| *r == s.target_ref) {
                if skipped {
                    return Err(mismatch().at(*span));
                }
                out.push(s.clone());
            } else {
                skipped = true;
            }
        }
        for (r, span) in refs {
            if out.iter().any(|o| o.target_ref == r) {
                continue;
            }
            if skipped {
                return Err(mismatch().at(span));
            }
            let at = list
                .iter()
                .position(|t| t.sort_group_ref == r)
                .ok_or_else(|| internal!("DISTINCT ON lost its column"))?;
            self.add_to_group_list(at, &mut out, list, span)?;
        }
        Ok(out)
    }
}

fn check_target_sql92(entry: &TargetEntry, kind: ExprKind) -> PgResult<()> {
    if kind != ExprKind::GroupBy {
        return Ok(());
    }
    if let Some(span) = find_aggregate(&entry.expr, 0) {
        return Err(pg_err!(
            GROUPING_ERROR,
            "aggregate functions are not allowed in {}",
            kind.name()
        )
        .at(span));
    }
    if let Some(span) = find_window_func(&entry.expr) {
        return Err(pg_err!(
            WINDOWING_ERROR,
            "window functions are not allowed in {}",
            kind.name()
        )
        .at(span));
    }
    Ok(())
}

/// An implicit row in GROUP BY stands for its columns.
fn flatten_row(e: &ast::Expr) -> Vec<&ast::Expr> {
    match e {
        ast::Expr::RowExpr(r) if !r.explicit => r.args.iter().flat_map(flatten_row).collect(),
        e => vec![e],
    }
}

/// What is left without implicit coercions on top.
fn strip_implicit_coercions(expr: &Expr) -> &Expr {
    let inner = match expr {
        Expr::Func(f) if f.form == CoercionForm::ImplicitCast => f.args.first(),
        Expr::Relabel(r) if r.form == CoercionForm::ImplicitCast => Some(&*r.arg),
        Expr::CoerceViaIo(c) | Expr::CoerceToDomain(c) if c.form == CoercionForm::ImplicitCast => {
            Some(&*c.arg)
        }
        Expr::ArrayCoerce(c) if c.form == CoercionForm::ImplicitCast => Some(&*c.arg),
        _ => None,
    };
    inner.map_or(expr, strip_implicit_coercions)
}

/// The column's reference number, newly given if it has none.
pub(crate) fn assign_ref(list: &mut [TargetEntry], at: usize) -> u32 {
    if list[at].sort_group_ref == 0 {
        let max = list.iter().map(|t| t.sort_group_ref).max().unwrap_or(0);
        list[at].sort_group_ref = max + 1;
    }
    list[at].sort_group_ref
}

fn is_in_list(target_ref: u32, sort_op: Oid, list: &[SortGroupClause], a: &Analyzer<'_>) -> PgResult<bool> {
    for c in list.iter().filter(|c| c.target_ref == target_ref) {
        if c.sort_op == sort_op || (c.sort_op.is_valid() && a.operator(c.sort_op)?.commutator == sort_op) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The entry with a reference number.
pub(crate) fn entry_of_ref(list: &[TargetEntry], target_ref: u32) -> PgResult<&TargetEntry> {
    list.iter()
        .find(|t| t.sort_group_ref == target_ref)
        .ok_or_else(|| internal!("ORDER/GROUP BY expression not found in targetlist"))
}
