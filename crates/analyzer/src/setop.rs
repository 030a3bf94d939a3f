//! UNION, INTERSECT, EXCEPT.
//!
//! PG: src/backend/parser/analyze.c (`transformSetOperationStmt`, `transformSetOperationTree`).

use std::rc::Rc;
use std::sync::Arc;

use common::error::{ErrorExt, ResultExt};
use common::{AttrNumber, Oid, PgError, PgResult, Span, internal, pg_err};
use nodes::Expr;
use nodes::expr::{ReturningKind, TypedSlot, Var, VarSource};
use nodes::query::{CommandType, Query, RteColumn, RteKind, SetOp, SetOperation, SortGroupClause};
use nodes::relids::RelIds;
use parser::ast;
use types::oids;
use types::settings::TypeRef;

use crate::kind::ExprKind;
use crate::parse_coerce::select_common_typmod;
use crate::select::lock_name;
use crate::state::{Analyzer, NsColumn, NsItem, NsNames};

/// An output column of one side.
#[derive(Clone)]
struct Column {
    expr: Expr,
    name: Arc<str>,
    span: Span,
    /// Where the column stands in the leftmost query.
    left_span: Span,
    /// Range table entry and target position, for leaves.
    leaf: Option<(usize, usize)>,
}

/// What an operation gets from an input, before conversion.
struct InputColumn {
    type_ref: TypeRef,
    collation: Oid,
    /// An untyped literal of a leaf, which takes the common type in place.
    replaced: bool,
}

impl InputColumn {
    fn of(column: &Column) -> InputColumn {
        InputColumn {
            type_ref: column.expr.type_ref(),
            collation: column.expr.collation(),
            replaced: column.leaf.is_some() && column.expr.type_oid() == oids::UNKNOWN,
        }
    }
}

impl Analyzer<'_> {
    /// A set operation with its ORDER BY and LIMIT.
    pub fn set_operation_stmt(&mut self, s: &ast::SelectStmt) -> PgResult<Query> {
        let mut q = Query::new(CommandType::Select);
        q.span = s.span;
        let mut leftmost = s;
        while let Some(l) = leftmost.larg.as_deref() {
            leftmost = l;
        }
        if let Some(into) = &leftmost.into {
            return Err(pg_err!(SYNTAX_ERROR, "SELECT ... INTO is not allowed here").at(into.rel.span));
        }
        if let Some(l) = s.locking.first() {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "{} is not allowed with UNION/INTERSECT/EXCEPT",
                lock_name(l.strength)
            ));
        }
        self.transform_with(s.with.as_deref(), &mut q)?;
        let (tree, columns) = self.set_operation_tree(s, true)?;
        let leftmost_index = leftmost_rel(&tree);
        let mut ns_columns = Vec::new();
        let mut list = Vec::new();
        for (i, c) in columns.iter().enumerate() {
            let ns = NsColumn {
                index: leftmost_index,
                attno: (i + 1) as AttrNumber,
                type_ref: c.expr.type_ref(),
                collation: c.expr.collation(),
                returning: ReturningKind::Default,
                dont_expand: false,
            };
            let var = self.column_var(&ns, 0, c.left_span);
            let resno = self.next_resno();
            list.push(crate::parse_target::target_entry(
                var,
                resno,
                Some(c.name.clone()),
                false,
            ));
            ns_columns.push(ns);
        }
        let names = NsItem {
            rel_visible: false,
            ..NsItem::new(Rc::new(NsNames {
                name: "*SORT*".into(),
                column_names: columns.iter().map(|c| c.name.clone()).collect(),
                columns: ns_columns,
                index: leftmost_index,
                returning: ReturningKind::Default,
                relation: Oid::INVALID,
                partial: true,
            }))
        };
        let saved = std::mem::replace(&mut self.ps().namespace, vec![names]);
        let width = list.len();
        q.sort_clause = self.transform_sort_clause(&s.sort_clause, &mut list, ExprKind::OrderBy, false)?;
        self.ps().namespace = saved;
        if let Some(extra) = list.get(width) {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "invalid UNION/INTERSECT/EXCEPT ORDER BY clause"
            )
            .detail("Only result column names can be used, not expressions or functions.")
            .hint("Add the expression/function to every SELECT, or move the UNION into a FROM clause.")
            .at(extra.expr.span()));
        }
        self.limits(s, &mut q)?;
        q.target_list = list;
        q.set_operations = Some(Box::new(tree));
        self.finish_query(&mut q, None);
        self.assign_query_collations(&mut q)?;
        Ok(q)
    }

    fn set_operation_tree(
        &mut self,
        s: &ast::SelectStmt,
        top: bool,
    ) -> PgResult<(SetOperation, Vec<Column>)> {
        if let (false, Some(into)) = (top, &s.into) {
            return Err(pg_err!(
                SYNTAX_ERROR,
                "INTO is only allowed on first SELECT of UNION/INTERSECT/EXCEPT"
            )
            .at(into.rel.span));
        }
        if let (Some(l), true) = (s.locking.first(), s.op != ast::SetOperation::None) {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "{} is not allowed with UNION/INTERSECT/EXCEPT",
                lock_name(l.strength)
            ));
        }
        let own_clauses = !s.sort_clause.is_empty()
            || s.limit_offset.is_some()
            || s.limit_count.is_some()
            || !s.locking.is_empty()
            || s.with.is_some();
        match (&s.larg, &s.rarg) {
            (Some(l), Some(r)) if top || !own_clauses => self.set_operation_node(s, l, r, top),
            _ => self.set_operation_leaf(s),
        }
    }

    fn set_operation_leaf(&mut self, s: &ast::SelectStmt) -> PgResult<(SetOperation, Vec<Column>)> {
        let query = self.sub_analyze_with(s, None, false, false)?;
        let refers_here = {
            let mut found = false;
            crate::walk::walk_query(&query, 1, &mut |e, depth| {
                if let Expr::Var(v) = e
                    && let VarSource::Rel { levels_up, .. } = v.source
                {
                    found |= levels_up == depth;
                }
                !found
            });
            found
        };
        if refers_here {
            return Err(pg_err!(
                INVALID_COLUMN_REFERENCE,
                "UNION/INTERSECT/EXCEPT member statement cannot refer to other relations of same query level"
            ));
        }
        let columns: Vec<(Expr, Arc<str>)> = query
            .output_columns()
            .map(|t| {
                (
                    t.expr.clone(),
                    t.name.clone().unwrap_or_else(|| "?column?".into()),
                )
            })
            .collect();
        let name = format!("*SELECT* {}", self.cur().rtable.len() + 1);
        let item = self.add_subquery(query, None, &name, false, false)?;
        let index = item.index();
        let columns = columns
            .into_iter()
            .enumerate()
            .map(|(i, (expr, name))| Column {
                span: expr.span(),
                left_span: expr.span(),
                expr,
                name,
                leaf: Some((index, i)),
            })
            .collect();
        Ok((SetOperation::Rel(index), columns))
    }

    fn set_operation_node(
        &mut self,
        s: &ast::SelectStmt,
        l: &ast::SelectStmt,
        r: &ast::SelectStmt,
        top: bool,
    ) -> PgResult<(SetOperation, Vec<Column>)> {
        let (op, context) = match s.op {
            ast::SetOperation::Intersect => (SetOp::Intersect, "INTERSECT"),
            ast::SetOperation::Except => (SetOp::Except, "EXCEPT"),
            _ => (SetOp::Union, "UNION"),
        };
        let (left, left_columns) = self.set_operation_tree(l, false)?;
        if top && self.cur().parent_cte.is_some() {
            self.set_recursive_columns(&left_columns)?;
        }
        let (right, right_columns) = self.set_operation_tree(r, false)?;
        if left_columns.len() != right_columns.len() {
            return Err(different_width(context, &right_columns));
        }
        let (mut columns, mut group_clauses, mut out) = (Vec::new(), Vec::new(), Vec::new());
        let left_types: Vec<InputColumn> = left_columns.iter().map(InputColumn::of).collect();
        let right_types: Vec<InputColumn> = right_columns.iter().map(InputColumn::of).collect();
        let distinct = !(op == SetOp::Union && s.all);
        for (lc, rc) in left_columns.into_iter().zip(right_columns) {
            let (name, left_span) = (lc.name.clone(), lc.left_span);
            let (column, best) = self.merge_columns(lc, rc, context, !distinct)?;
            if distinct {
                let ops = self.require_equality(column.type_ref.oid).at(best)?;
                group_clauses.push(SortGroupClause {
                    target_ref: 0,
                    eq_op: ops.eq,
                    sort_op: ops.lt,
                    reverse: false,
                    nulls_first: false,
                    hashable: ops.hashable,
                });
            }
            out.push(Column {
                expr: Expr::SetToDefault(TypedSlot {
                    type_ref: column.type_ref,
                    collation: column.collation,
                    span: best,
                }),
                name,
                span: best,
                left_span,
                leaf: None,
            });
            columns.push(column);
        }
        let left = self.coerce_input(left, left_types, &columns, context)?;
        let right = self.coerce_input(right, right_types, &columns, context)?;
        Ok((
            SetOperation::Op {
                op,
                all: s.all,
                left: Box::new(left),
                right: Box::new(right),
                columns,
                group_clauses,
            },
            out,
        ))
    }

    /// Converts columns of an input that have another type than the operation's. The input's own query stays as it is: there
    /// DISTINCT, ORDER BY and operators go by the type that it has.
    fn coerce_input(
        &mut self,
        input: SetOperation,
        from: Vec<InputColumn>,
        to: &[RteColumn],
        context: &str,
    ) -> PgResult<SetOperation> {
        // Untyped literals of leaves have taken the common type already.
        let differs = |(c, t): (&InputColumn, &RteColumn)| !c.replaced && c.type_ref.oid != t.type_ref.oid;
        if !from.iter().zip(to).any(differs) {
            return Ok(input);
        }
        let mut exprs = Vec::new();
        for (i, (c, t)) in from.iter().zip(to).enumerate() {
            let (type_ref, collation) = if c.replaced {
                (t.type_ref, t.collation)
            } else {
                (c.type_ref, c.collation)
            };
            let column = Expr::Var(Var {
                source: VarSource::Outer,
                attno: (i + 1) as AttrNumber,
                type_ref,
                collation,
                nulling_rels: RelIds::empty(),
                returning: ReturningKind::Default,
                span: Span::NONE,
            });
            let mut made = self.coerce_to_common_type(column, t.type_ref.oid, context)?;
            self.assign_expr_collations(&mut made)?;
            exprs.push(made);
        }
        Ok(SetOperation::Coerce {
            input: Box::new(input),
            exprs,
        })
    }

    fn merge_columns(
        &mut self,
        l: Column,
        r: Column,
        context: &str,
        none_ok: bool,
    ) -> PgResult<(RteColumn, Span)> {
        let types = [(l.expr.type_oid(), l.span), (r.expr.type_oid(), r.span)];
        let common = self.select_common_type(&types, Some(context))?;
        // The side whose type was chosen is where problems with it are reported.
        let best = if self.base_type(types[0].0)? == common || types[0].0 == common {
            l.span
        } else {
            r.span
        };
        let best = if best.is_known() { best } else { l.span };
        let mut coerced = Vec::new();
        for c in [l, r] {
            let unknown = c.expr.type_oid() == oids::UNKNOWN;
            let made = self.coerce_to_common_type(c.expr.clone(), common, context)?;
            if unknown && let Some((index, at)) = c.leaf {
                self.replace_leaf_column(index, at, made.clone())?;
            }
            coerced.push(made);
        }
        let refs: Vec<TypeRef> = coerced.iter().map(Expr::type_ref).collect();
        let collation = self.select_common_collation(&mut coerced, none_ok)?;
        Ok((
            RteColumn {
                type_ref: TypeRef {
                    oid: common,
                    typmod: select_common_typmod(&refs, common),
                },
                collation,
            },
            best,
        ))
    }

    /// A leaf's untyped literal takes the common type.
    fn replace_leaf_column(&mut self, index: usize, at: usize, mut expr: Expr) -> PgResult<()> {
        self.assign_expr_collations(&mut expr)?;
        let rte = self
            .ps()
            .rtable
            .get_mut(index - 1)
            .ok_or_else(|| internal!("set operation leaf vanished"))?;
        if let Some(c) = rte.columns.get_mut(at) {
            c.type_ref = expr.type_ref();
            c.collation = expr.collation();
        }
        if let RteKind::Subquery { query, .. } = &mut rte.kind {
            let query = Arc::make_mut(query);
            if let Some(t) = query.target_list.iter_mut().filter(|t| !t.resjunk).nth(at) {
                t.expr = expr;
            }
        }
        Ok(())
    }

    /// The first term of a recursive query decides its columns.
    fn set_recursive_columns(&mut self, columns: &[Column]) -> PgResult<()> {
        let Some(position) = self.cur().parent_cte else {
            return Ok(());
        };
        if !self.level(1).ctes.get(position).is_some_and(|c| c.recursive) {
            return Ok(());
        }
        let list: Vec<(Arc<str>, RteColumn)> = columns
            .iter()
            .map(|c| {
                (
                    c.name.clone(),
                    RteColumn {
                        type_ref: c.expr.type_ref(),
                        collation: c.expr.collation(),
                    },
                )
            })
            .collect();
        self.set_cte_columns(1, position, list)
    }
}

fn different_width(context: &str, right: &[Column]) -> Box<PgError> {
    let spans = right.iter().map(|c| c.span);
    pg_err!(
        SYNTAX_ERROR,
        "each {context} query must have the same number of columns"
    )
    .at(spans.into_iter().find(|s| s.is_known()).unwrap_or(Span::NONE))
}

fn leftmost_rel(tree: &SetOperation) -> usize {
    match tree {
        SetOperation::Coerce { input, .. } => leftmost_rel(input),
        SetOperation::Rel(index) => *index,
        SetOperation::Op { left, .. } => leftmost_rel(left),
    }
}
