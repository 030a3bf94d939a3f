//! Row marks: which relations of a join EvalPlanQual reads again, and by which columns it finds their rows.
//!
//! PG: src/backend/optimizer/plan/planner.c (preprocess_rowmarks).

use common::{AttrNumber, Oid, PgResult, unsupported};
use nodes::plan::PlanRowMark;
use nodes::query::{JoinTreeNode, JoinType, LockWait, Query, RteKind};

use crate::root::Root;
use crate::upper::modify::{ctid_var, table_oid_var};

/// The tables of which each row of the query has at most one, without those that are changed or locked.
pub fn others(query: &Query) -> Vec<usize> {
    let mut all = Vec::new();
    query
        .join_tree
        .items
        .iter()
        .for_each(|item| collect(item, &mut all));
    all.retain(|&rt_index| {
        let locked = query.row_marks.iter().any(|mark| mark.rt_index == rt_index);
        let table =
            matches!(query.rte(rt_index).kind, RteKind::Relation { relkind, .. } if b"rpm".contains(&relkind));
        table && !locked && rt_index != query.result_relation
    });
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
        if let Some(table) = b.table() {
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
        })
    };
    others(&root.query).into_iter().filter_map(mark).collect()
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
        });
    }
    row_marks.extend(other_marks(root, output));
    Ok(row_marks)
}
