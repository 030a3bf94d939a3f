//! Row marks: which relations of a join EvalPlanQual reads again, and by which columns it finds their rows.
//!
//! PG: src/backend/optimizer/plan/planner.c (preprocess_rowmarks).

use common::{AttrNumber, Oid, PgResult, unsupported};
use nodes::plan::PlanRowMark;
use nodes::query::{JoinTreeNode, JoinType, LockWait, Query, RteColumn, RteKind, SetOp, SetOperation};

use crate::root::Root;
use crate::upper::modify::{ctid_var, plain_var, table_oid_var};

/// The tables of which each row of the query has at most one, without those that are changed or locked.
pub fn others(query: &Query) -> Vec<usize> {
    let mut all = in_join(query);
    all.retain(|&rt_index| {
        let locked = query.row_marks.iter().any(|mark| mark.rt_index == rt_index);
        let table =
            matches!(query.rte(rt_index).kind, RteKind::Relation { relkind, .. } if b"rpm".contains(&relkind));
        table && !locked && rt_index != query.result_relation
    });
    all
}

/// What is no table: such a row cannot be fetched again, so all of it comes along.
pub fn copied(query: &Query) -> Vec<usize> {
    let mut all = in_join(query);
    all.retain(|&rt_index| match &query.rte(rt_index).kind {
        // PostgreSQL makes a tree of it, whose members it computes anew.
        RteKind::Subquery { query, .. } => !is_plain_union_all(query),
        RteKind::Function { .. } | RteKind::Values { .. } | RteKind::Cte { .. } => true,
        _ => false,
    });
    all
}

fn is_plain_union_all(query: &Query) -> bool {
    fn plain(tree: &SetOperation) -> bool {
        match tree {
            SetOperation::Rel(_) => true,
            SetOperation::Op {
                op, all, left, right, ..
            } => *op == SetOp::Union && *all && plain(left) && plain(right),
            SetOperation::Coerce { .. } => false,
        }
    }
    let bare = query.sort_clause.is_empty() && query.limit_count.is_none() && query.limit_offset.is_none();
    bare && query.ctes.is_empty() && query.set_operations.as_deref().is_some_and(plain)
}

/// All columns of an entry.
pub fn column_vars(query: &Query, rt_index: usize) -> Vec<nodes::Expr> {
    let columns = query.rte(rt_index).columns.iter().enumerate();
    let var = |(at, column): (usize, &RteColumn)| {
        let mut v = plain_var(rt_index, at as AttrNumber + 1, column.type_ref);
        v.collation = column.collation;
        nodes::Expr::Var(v)
    };
    columns.map(var).collect()
}

fn in_join(query: &Query) -> Vec<usize> {
    let mut all = Vec::new();
    let items = query.join_tree.items.iter();
    items.for_each(|item| collect(item, &mut all));
    all
}

fn collect(node: &JoinTreeNode, out: &mut Vec<usize>) {
    match node {
        JoinTreeNode::Rel(rt_index) => out.push(*rt_index),
        JoinTreeNode::From(from) => from.items.iter().for_each(|item| collect(item, out)),
        JoinTreeNode::Join(join) => {
            // The other side of a semijoin is only asked whether there is a row.
            if !matches!(join.join_type, JoinType::RightSemi | JoinType::RightAnti) {
                collect(&join.left, out);
            }
            if !matches!(join.join_type, JoinType::Semi | JoinType::Anti) {
                collect(&join.right, out);
            }
        }
    }
}

/// The tables of an inheritance tree that are read, with their entries.
fn members(root: &Root<'_, '_>, rt_index: usize) -> Vec<(usize, Oid)> {
    let base = |rt_index: usize| root.rel(rt_index).ok()?.base.as_ref();
    let mut out = Vec::new();
    let mut open = base(rt_index).map_or_else(Vec::new, |b| b.members.clone());
    while let Some(member) = open.pop() {
        let Some(b) = base(member) else { continue };
        open.extend(&b.members);
        if let Some(table) = b.table().filter(|_| !b.is_append) {
            out.push((root.global_index(member), table.oid));
        }
    }
    out
}

/// Marks for them, where their rows are named in the output of the join.
pub fn other_marks(root: &Root<'_, '_>, output: &[nodes::Expr]) -> Vec<PlanRowMark> {
    let column = |e: nodes::Expr| output.iter().position(|o| *o == e);
    let mark = |rt_index: usize| {
        let base = root.rel(rt_index).ok()?.base.as_ref()?;
        Some(PlanRowMark {
            rt_index: root.global_index(rt_index),
            relation: base.table()?.oid,
            strength: None,
            wait: LockWait::Block,
            row_id_column: column(ctid_var(rt_index))? as AttrNumber + 1,
            table_oid_column: column(table_oid_var(rt_index)).map_or(0, |at| at as AttrNumber + 1),
            members: members(root, rt_index),
            columns: Vec::new(),
        })
    };
    let mut marks: Vec<PlanRowMark> = others(&root.query).into_iter().filter_map(mark).collect();
    let copies = copied(&root.query).into_iter();
    marks.extend(copies.filter_map(|rt_index| copy_mark(root, rt_index, output)));
    marks
}

fn copy_mark(root: &Root<'_, '_>, rt_index: usize, output: &[nodes::Expr]) -> Option<PlanRowMark> {
    let place = |e: nodes::Expr| Some(output.iter().position(|o| *o == e)? as AttrNumber + 1);
    let columns: Option<Vec<AttrNumber>> = column_vars(&root.query, rt_index)
        .into_iter()
        .map(place)
        .collect();
    Some(PlanRowMark {
        rt_index: root.global_index(rt_index),
        relation: Oid::INVALID,
        strength: None,
        wait: LockWait::Block,
        row_id_column: 0,
        table_oid_column: 0,
        members: Vec::new(),
        columns: columns?,
    })
}

/// The marks of a query with FOR UPDATE and the like: what it locks, then the others.
pub fn of_select(root: &Root<'_, '_>, output: &[nodes::Expr]) -> PgResult<Vec<PlanRowMark>> {
    let mut row_marks = Vec::new();
    for mark in root.query.row_marks.clone() {
        let Some(table) = root
            .rel(mark.rt_index)?
            .base
            .as_ref()
            .and_then(|b| b.table())
            .map(|t| t.oid)
        else {
            continue;
        };
        let ctid = ctid_var(mark.rt_index);
        let Some(position) = output.iter().position(|e| *e == ctid) else {
            return Err(unsupported!(
                "row locking above this kind of query is not supported yet"
            ));
        };
        row_marks.push(PlanRowMark {
            rt_index: root.global_index(mark.rt_index),
            relation: table,
            strength: Some(mark.strength),
            wait: mark.wait,
            row_id_column: position as AttrNumber + 1,
            table_oid_column: output
                .iter()
                .position(|e| *e == table_oid_var(mark.rt_index))
                .map_or(0, |i| i as AttrNumber + 1),
            members: members(root, mark.rt_index),
            columns: Vec::new(),
        });
    }
    row_marks.extend(other_marks(root, output));
    Ok(row_marks)
}
