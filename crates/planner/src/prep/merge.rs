//! MERGE as a join of target and source.
//!
//! PG: src/backend/optimizer/prep/prepjointree.c (`transform_MERGE_to_join`).

use nodes::query::{FromExpr, JoinExpr, JoinTreeNode, JoinType, MergeMatchKind, Query};

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
    if !by_source {
        query.merge_join_condition = None;
    }
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
