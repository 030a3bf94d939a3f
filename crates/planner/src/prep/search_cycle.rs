//! SEARCH and CYCLE of recursive WITH queries: the columns that they add, as expressions of both terms of the UNION.
//!
//! PG: src/backend/rewrite/rewriteSearchCycle.c.
//!
//! # How it works
//! Each term becomes a subquery of a new query that adds the columns. The recursive term hands the columns of the row before
//! up from its reference to the WITH query, so that the new query can extend them; with CYCLE it leaves out rows that were
//! found on their own path.

use std::sync::Arc;

use catalog::CatalogView;
use common::{AttrNumber, Oid, PgResult, Span, internal, pg_err};
use nodes::expr::{
    ArrayExpr, BoolExpr, BoolOp, CaseExpr, CaseWhen, CoercionForm, FieldSelect, FuncExpr, ReturningKind,
    RowExpr, ScalarArrayOpExpr, Var, VarSource,
};
use nodes::query::{
    Alias, CommandType, CommonTableExpr, CteCycle, CteSearch, JoinTreeNode, Permissions, Query,
    RangeTblEntry, RteColumn, RteKind, SetOperation, SortGroupClause, TargetEntry,
};
use nodes::{Expr, RelIds, walk};
use types::settings::TypeRef;
use types::{Datum, oids};

use crate::prep::ctes::shift_outer_references;

/// `int8inc(bigint)`.
const INT8INC: Oid = Oid(1219);
/// `array_cat(anycompatiblearray, anycompatiblearray)`.
const ARRAY_CAT: Oid = Oid(383);
/// `=` of records and its function; `=` and `<` of arrays, `<` of records.
const RECORD_EQ: Oid = Oid(2988);
const RECORD_EQ_FUNC: Oid = Oid(2981);
const RECORD_LT: Oid = Oid(2990);
const ARRAY_EQ: Oid = Oid(1070);
const ARRAY_LT: Oid = Oid(1072);
/// The field of a breadth-first sequence that counts.
const DEPTH: &str = "*DEPTH*";

/// A column that a clause adds.
struct Added {
    name: Arc<str>,
    column: RteColumn,
    eq_op: Oid,
    sort_op: Oid,
    /// In the first term.
    initial: Expr,
    /// In the recursive term.
    next: Expr,
}

fn plain(type_oid: Oid) -> RteColumn {
    RteColumn {
        type_ref: TypeRef::plain(type_oid),
        collation: Oid::INVALID,
    }
}

fn column(index: usize, attno: usize, column: &RteColumn) -> Expr {
    Expr::Var(Var {
        source: VarSource::Rel { index, levels_up: 0 },
        attno: attno as AttrNumber,
        type_ref: column.type_ref,
        collation: column.collation,
        nulling_rels: RelIds::empty(),
        returning: ReturningKind::Default,
        span: Span::NONE,
    })
}

fn call(func: Oid, args: Vec<Expr>, result: Oid) -> Expr {
    Expr::Func(FuncExpr::plain(func, args, result, Span::NONE))
}

fn row(args: Vec<Expr>, names: Vec<Box<str>>) -> Expr {
    Expr::Row(RowExpr {
        args,
        row_type: oids::RECORD,
        names,
        form: CoercionForm::ImplicitCast,
        span: Span::NONE,
    })
}

fn array_of(element: Expr) -> Expr {
    Expr::Array(ArrayExpr {
        elements: vec![element],
        array_type: oids::RECORD_ARRAY,
        element_type: oids::RECORD,
        multidims: false,
        collation: Oid::INVALID,
        span: Span::NONE,
    })
}

/// The terms of the UNION: their columns as expressions over entry 1 of the new query.
struct Terms<'c> {
    cte: &'c CommonTableExpr,
    left: Vec<Expr>,
    right: Vec<Expr>,
}

impl Terms<'_> {
    /// ROW of the named columns of a term, behind what leads.
    fn row(&self, term: &[Expr], columns: &[Arc<str>], lead: Option<Expr>) -> Expr {
        let mut names: Vec<Box<str>> = lead.iter().map(|_| DEPTH.into()).collect();
        let mut args: Vec<Expr> = lead.into_iter().collect();
        for name in columns {
            let at = self.cte.column_names.iter().position(|n| n == name);
            args.extend(at.and_then(|at| term.get(at)).cloned());
            names.push((**name).into());
        }
        row(args, names)
    }

    fn search(&self, s: &CteSearch, before: usize) -> Added {
        let name = Arc::clone(&s.sequence_column);
        if s.breadth_first {
            let zero = Expr::Const(nodes::expr::Const {
                value: Datum::Int8(0),
                type_ref: TypeRef::plain(oids::INT8),
                collation: Oid::INVALID,
                span: Span::NONE,
            });
            let depth = Expr::FieldSelect(FieldSelect {
                arg: Box::new(column(1, before, &plain(oids::RECORD))),
                field: 1,
                result: TypeRef::plain(oids::INT8),
                collation: Oid::INVALID,
                span: Span::NONE,
            });
            let deeper = call(INT8INC, vec![depth], oids::INT8);
            return Added {
                name,
                column: plain(oids::RECORD),
                eq_op: RECORD_EQ,
                sort_op: RECORD_LT,
                initial: self.row(&self.left, &s.columns, Some(zero)),
                next: self.row(&self.right, &s.columns, Some(deeper)),
            };
        }
        self.path(name, &s.columns, before)
    }

    /// An array of rows that grows by one in every round.
    fn path(&self, name: Arc<str>, columns: &[Arc<str>], before: usize) -> Added {
        let so_far = column(1, before, &plain(oids::RECORD_ARRAY));
        let last = array_of(self.row(&self.right, columns, None));
        Added {
            name,
            column: plain(oids::RECORD_ARRAY),
            eq_op: ARRAY_EQ,
            sort_op: ARRAY_LT,
            initial: array_of(self.row(&self.left, columns, None)),
            next: call(ARRAY_CAT, vec![so_far, last], oids::RECORD_ARRAY),
        }
    }

    /// The mark and the path; `before` is the mark's place.
    fn cycle(&self, c: &CteCycle, before: usize, catalog: &dyn CatalogView) -> PgResult<[Added; 2]> {
        let path = self.path(Arc::clone(&c.path_column), &c.columns, before + 1);
        let found = Expr::ScalarArrayOp(ScalarArrayOpExpr {
            op: RECORD_EQ,
            func: RECORD_EQ_FUNC,
            use_or: true,
            scalar: Box::new(self.row(&self.right, &c.columns, None)),
            array: Box::new(column(1, before + 1, &plain(oids::RECORD_ARRAY))),
            input_collation: Oid::INVALID,
            span: Span::NONE,
        });
        let next = Expr::Case(CaseExpr {
            arg: None,
            whens: vec![CaseWhen {
                condition: found,
                result: c.mark_value.clone(),
                span: Span::NONE,
            }],
            default: Box::new(c.mark_default.clone()),
            result: c.mark_type,
            collation: c.mark_collation,
            span: Span::NONE,
        });
        let Some(differs) = catalog.operator(c.mark_neop)? else {
            return Err(internal!("operator {} vanished", c.mark_neop));
        };
        let mark = Added {
            name: Arc::clone(&c.mark_column),
            column: RteColumn {
                type_ref: c.mark_type,
                collation: c.mark_collation,
            },
            eq_op: differs.negator,
            sort_op: Oid::INVALID,
            initial: c.mark_default.clone(),
            next,
        };
        Ok([mark, path])
    }
}

/// The query of a WITH entry, with the columns of its clauses.
pub fn rewrite(cte: &CommonTableExpr, catalog: &dyn CatalogView) -> PgResult<Query> {
    let mut query = (*cte.query).clone();
    if cte.search.is_none() && cte.cycle.is_none() {
        return Ok(query);
    }
    let Some(SetOperation::Op { left, right, .. }) = query.set_operations.as_deref() else {
        return Err(internal!("recursive query \"{}\" is not a union", cte.name));
    };
    let (left, right) = ((**left).clone(), (**right).clone());
    let (SetOperation::Rel(first), SetOperation::Rel(second)) = (left.as_written(), right.as_written())
    else {
        return Err(internal!("terms of \"{}\" are not simple", cte.name));
    };
    let (first, second) = (*first, *second);
    let own = cte.columns.len();
    let terms = Terms {
        cte,
        left: term_columns(&left, query.rte(first)),
        right: term_columns(&right, query.rte(second)),
    };
    let mut added: Vec<Added> = Vec::new();
    // The recursive term's own columns come first in its subquery, too.
    let inner = query.rte(second).columns.len();
    if let Some(s) = &cte.search {
        added.push(terms.search(s, inner + 1));
    }
    if let Some(c) = &cte.cycle {
        added.extend(terms.cycle(c, inner + added.len() + 1, catalog)?);
    }
    let initial = added.iter().map(|a| a.initial.clone());
    let initial: Vec<Expr> = terms.left.iter().cloned().chain(initial).collect();
    let next = added.iter().map(|a| a.next.clone());
    let next: Vec<Expr> = terms.right.iter().cloned().chain(next).collect();
    hand_up(cte, query.range_table.get_mut(second - 1), &added, catalog)?;
    wrap(
        cte,
        query.range_table.get_mut(first - 1),
        "*TLOCRN*",
        &added,
        initial,
    )?;
    wrap(
        cte,
        query.range_table.get_mut(second - 1),
        "*TROCRN*",
        &added,
        next,
    )?;
    extend_union(&mut query, (first, second), own, &added);
    Ok(query)
}

/// The UNION of the terms has the columns that were added.
fn extend_union(query: &mut Query, (first, second): (usize, usize), own: usize, added: &[Added]) {
    for (k, a) in added.iter().enumerate() {
        let resno = own + k + 1;
        query
            .target_list
            .push(target(column(first, resno, &a.column), resno, &a.name));
    }
    if let Some(SetOperation::Op {
        left,
        right,
        all,
        columns,
        group_clauses,
        ..
    }) = query.set_operations.as_deref_mut()
    {
        **left = SetOperation::Rel(first);
        **right = SetOperation::Rel(second);
        columns.extend(added.iter().map(|a| a.column.clone()));
        if !*all {
            group_clauses.extend(added.iter().map(group_clause));
        }
    }
}

fn group_clause(a: &Added) -> SortGroupClause {
    SortGroupClause {
        target_ref: 0,
        eq_op: a.eq_op,
        sort_op: a.sort_op,
        reverse: false,
        nulls_first: false,
        hashable: true,
    }
}

fn target(expr: Expr, resno: usize, name: &Arc<str>) -> TargetEntry {
    TargetEntry {
        expr,
        resno: resno as AttrNumber,
        name: Some(Arc::clone(name)),
        sort_group_ref: 0,
        origin_table: Oid::INVALID,
        origin_column: 0,
        resjunk: false,
    }
}

/// A term's columns under the types of the UNION, over entry 1 of the query around it.
fn term_columns(term: &SetOperation, rte: &RangeTblEntry) -> Vec<Expr> {
    match term {
        SetOperation::Coerce { exprs, .. } => {
            let mut exprs = exprs.clone();
            for e in &mut exprs {
                walk::rewrite(e, &mut |e| {
                    if let Expr::Var(v) = e
                        && v.source == VarSource::Outer
                    {
                        v.source = VarSource::Rel {
                            index: 1,
                            levels_up: 0,
                        };
                    }
                });
            }
            exprs
        }
        _ => rte
            .columns
            .iter()
            .enumerate()
            .map(|(k, c)| column(1, k + 1, c))
            .collect(),
    }
}

/// The recursive term yields the added columns of the row before, and leaves out what closed a cycle.
fn hand_up(
    cte: &CommonTableExpr,
    rte: Option<&mut RangeTblEntry>,
    added: &[Added],
    catalog: &dyn CatalogView,
) -> PgResult<()> {
    let Some(RangeTblEntry {
        kind: RteKind::Subquery { query, .. },
        columns,
        eref,
        ..
    }) = rte
    else {
        return Err(internal!("term of a recursive query is no subquery"));
    };
    let query = Arc::make_mut(query);
    let is_self =
        |r: &RangeTblEntry| matches!(&r.kind, RteKind::Cte { name, levels_up: 2, .. } if *name == cte.name);
    let Some(at) = query.range_table.iter().position(is_self) else {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "with a SEARCH or CYCLE clause, the recursive reference to WITH query \"{}\" must be at the top \
             level of its right-hand SELECT",
            cte.name
        ));
    };
    let own = cte.columns.len();
    let visible = query.target_list.iter().take_while(|t| !t.resjunk).count();
    for (k, a) in added.iter().enumerate() {
        let entry = target(column(at + 1, own + k + 1, &a.column), visible + k + 1, &a.name);
        query.target_list.insert(visible + k, entry);
        columns.push(a.column.clone());
        eref.columns.push(Arc::clone(&a.name));
    }
    for (k, t) in query.target_list.iter_mut().enumerate() {
        t.resno = (k + 1) as AttrNumber;
    }
    if let Some(c) = &cte.cycle {
        let mark = added.iter().position(|a| a.name == c.mark_column).unwrap_or(0);
        let mark = column(at + 1, own + mark + 1, &added[mark].column);
        let open = differs(mark, c, catalog)?;
        query.join_tree.quals = Some(match query.join_tree.quals.take() {
            None => open,
            Some(quals) => Expr::Bool(BoolExpr {
                op: BoolOp::And,
                args: vec![quals, open],
                span: Span::NONE,
            }),
        });
    }
    Ok(())
}

/// `mark <> value`; for truth values what that comes down to.
fn differs(mark: Expr, c: &CteCycle, catalog: &dyn CatalogView) -> PgResult<Expr> {
    if let Expr::Const(value) = &c.mark_value {
        match value.value {
            Datum::Bool(true) => {
                return Ok(Expr::Bool(BoolExpr {
                    op: BoolOp::Not,
                    args: vec![mark],
                    span: Span::NONE,
                }));
            }
            Datum::Bool(false) => return Ok(mark),
            _ => {}
        }
    }
    let Some(op) = catalog.operator(c.mark_neop)? else {
        return Err(internal!("operator {} vanished", c.mark_neop));
    };
    let args = vec![mark, c.mark_value.clone()];
    Ok(Expr::Func(FuncExpr {
        op: c.mark_neop,
        input_collation: c.mark_collation,
        ..FuncExpr::plain(op.function, args, oids::BOOL, Span::NONE)
    }))
}

/// Puts a new query with these outputs round a term.
fn wrap(
    cte: &CommonTableExpr,
    rte: Option<&mut RangeTblEntry>,
    name: &str,
    added: &[Added],
    outputs: Vec<Expr>,
) -> PgResult<()> {
    let Some(rte) = rte else {
        return Err(internal!("term of a recursive query vanished"));
    };
    let RteKind::Subquery { query, lateral, .. } = &rte.kind else {
        return Err(internal!("term of a recursive query is no subquery"));
    };
    let mut term = (**query).clone();
    shift_outer_references(&mut term, 1);
    let kind = |query: Query| RteKind::Subquery {
        query: Arc::new(query),
        lateral: *lateral,
        view: None,
        security_barrier: false,
    };
    let names: Vec<Arc<str>> = cte
        .column_names
        .iter()
        .cloned()
        .chain(added.iter().map(|a| Arc::clone(&a.name)))
        .collect();
    let mut outer = Query::new(CommandType::Select);
    outer.range_table.push(RangeTblEntry {
        kind: kind(term),
        alias: None,
        eref: Alias {
            name: name.into(),
            columns: names.iter().take(rte.columns.len()).cloned().collect(),
        },
        columns: rte.columns.clone(),
        in_from: true,
        permissions: Permissions::default(),
    });
    outer.join_tree.items.push(JoinTreeNode::Rel(1));
    rte.columns = outputs
        .iter()
        .map(|e| RteColumn {
            type_ref: e.type_ref(),
            collation: e.collation(),
        })
        .collect();
    rte.eref.columns.clone_from(&names);
    let outputs = outputs.into_iter().zip(&names).enumerate();
    outer.target_list = outputs.map(|(k, (e, name))| target(e, k + 1, name)).collect();
    rte.kind = kind(outer);
    Ok(())
}
