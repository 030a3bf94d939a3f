//! MERGE as a join of target and source.
//!
//! PG: src/backend/optimizer/prep/prepjointree.c (`transform_MERGE_to_join`).

use common::{Oid, Span};
use nodes::RelIds;
use nodes::expr::{BoolExpr, BoolOp, Expr, NullTest, ReturningKind, Var, VarSource};
use nodes::query::{FromExpr, JoinExpr, JoinTreeNode, JoinType, MergeMatchKind, Query};
use types::oids;
use types::settings::TypeRef;

/// Puts the join that the actions need in the place of the FROM list.
pub fn make_join(query: &mut Query) {
    let has = |kind: MergeMatchKind| query.merge_actions.iter().any(|a| a.match_kind == kind);
    let by_source = has(MergeMatchKind::NotMatchedBySource);
    let by_target = has(MergeMatchKind::NotMatchedByTarget);
    let target = query.result_relation;
    let mut source: Vec<JoinTreeNode> = std::mem::take(&mut query.join_tree.items);
    source.retain(|item| !matches!(item, JoinTreeNode::Rel(i) if *i == target));
    let source = match (source.len(), source.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            source.extend(last);
            JoinTreeNode::From(Box::new(FromExpr {
                items: source,
                quals: None,
            }))
        }
    };
    let target = JoinTreeNode::Rel(target);
    let (join_type, left, right) = match (by_source, by_target) {
        (true, true) => (JoinType::Full, target, source),
        (true, false) => (JoinType::Left, target, source),
        (false, true) => (JoinType::Left, source, target),
        (false, false) => (JoinType::Inner, target, source),
    };
    let quals = query.merge_join_condition.clone();
    query.merge_join_condition = match query.merge_join_condition.take() {
        Some(condition) if by_source => Some(with_source(&right, condition)),
        _ => None,
    };
    query.join_tree = FromExpr {
        items: vec![JoinTreeNode::Join(Box::new(JoinExpr {
            join_type,
            left,
            right,
            quals,
            rt_index: 0,
        }))],
        quals: None,
    };
}

/// The join's condition as it is asked again of rows of the join: where there is no source row, a condition that NULLs fulfil
/// (`IS NOT DISTINCT FROM`) says nothing.
fn with_source(source: &JoinTreeNode, condition: Expr) -> Expr {
    let index = match source {
        JoinTreeNode::Rel(index) => *index,
        JoinTreeNode::Join(join) if join.rt_index > 0 => join.rt_index,
        _ => return condition,
    };
    let row = Expr::Var(Var {
        source: VarSource::Rel { index, levels_up: 0 },
        attno: 0,
        type_ref: TypeRef::plain(oids::RECORD),
        collation: Oid::INVALID,
        nulling_rels: RelIds::empty(),
        returning: ReturningKind::Default,
        span: Span::NONE,
    });
    let exists = Expr::NullTest(NullTest {
        arg: Box::new(row),
        is_not: true,
        arg_is_row: false,
        span: Span::NONE,
    });
    Expr::Bool(BoolExpr {
        op: BoolOp::And,
        args: vec![exists, condition],
        span: Span::NONE,
    })
}
