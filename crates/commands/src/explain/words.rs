//! What EXPLAIN calls nodes, joins, operations and frames.

use common::PgResult;
use nodes::Expr;
use nodes::plan::{AggStrategy, Plan, PlanNode};
use nodes::query::{CommandType, FrameBound, FrameUnits, JoinType, RangeTblFunction, SetOp};

/// JSON's node type and the words of the text form.
pub(super) fn kind(plan: &Plan) -> (&'static str, String) {
    let same = |word: &'static str| (word, word.to_owned());
    match &plan.node {
        PlanNode::Result { .. } => same("Result"),
        PlanNode::ProjectSet { .. } => same("ProjectSet"),
        PlanNode::SeqScan { .. } => same("Seq Scan"),
        PlanNode::SampleScan { .. } => same("Sample Scan"),
        PlanNode::IndexScan(_) => same("Index Scan"),
        PlanNode::IndexOnlyScan(_) => same("Index Only Scan"),
        PlanNode::BitmapIndexScan(_) => same("Bitmap Index Scan"),
        PlanNode::BitmapAnd { .. } => same("BitmapAnd"),
        PlanNode::BitmapOr { .. } => same("BitmapOr"),
        PlanNode::BitmapHeapScan { .. } => same("Bitmap Heap Scan"),
        PlanNode::TidScan { .. } => same("Tid Scan"),
        PlanNode::TidRangeScan { .. } => same("Tid Range Scan"),
        PlanNode::SubqueryScan { .. } => same("Subquery Scan"),
        PlanNode::FunctionScan { functions, .. } if table_function(functions).is_some() => {
            same("Table Function Scan")
        }
        PlanNode::FunctionScan { .. } => same("Function Scan"),
        PlanNode::ValuesScan { .. } => same("Values Scan"),
        PlanNode::CteScan { .. } => same("CTE Scan"),
        PlanNode::WorkTableScan { .. } => same("WorkTable Scan"),
        PlanNode::Append { .. } => same("Append"),
        PlanNode::MergeAppend { .. } => same("Merge Append"),
        PlanNode::RecursiveUnion { .. } => same("Recursive Union"),
        PlanNode::NestLoop { join_type, .. } => ("Nested Loop", join_label("Nested Loop", *join_type)),
        PlanNode::MergeJoin { join_type, .. } => ("Merge Join", join_label("Merge", *join_type)),
        PlanNode::HashJoin { join_type, .. } => ("Hash Join", join_label("Hash", *join_type)),
        PlanNode::Hash { .. } => same("Hash"),
        PlanNode::Material { .. } => same("Materialize"),
        PlanNode::Memoize { .. } => same("Memoize"),
        PlanNode::Sort { .. } => same("Sort"),
        PlanNode::IncrementalSort { .. } => same("Incremental Sort"),
        PlanNode::Group { .. } => same("Group"),
        PlanNode::Agg { strategy, split, .. } => {
            let word = match strategy {
                AggStrategy::Plain => "Aggregate",
                AggStrategy::Sorted => "GroupAggregate",
                AggStrategy::Hashed => "HashAggregate",
                AggStrategy::Mixed => "MixedAggregate",
            };
            let prefix = match split {
                nodes::expr::AggSplit::Simple => "",
                nodes::expr::AggSplit::Initial => "Partial ",
                nodes::expr::AggSplit::Final => "Finalize ",
            };
            ("Aggregate", format!("{prefix}{word}"))
        }
        PlanNode::WindowAgg { .. } => same("WindowAgg"),
        PlanNode::Unique { .. } => same("Unique"),
        PlanNode::SetOp { op, all, hashed, .. } => {
            let word = if *hashed { "HashSetOp" } else { "SetOp" };
            ("SetOp", format!("{word} {}", set_op_word(*op, *all)))
        }
        PlanNode::LockRows { .. } => same("LockRows"),
        PlanNode::Limit { .. } => same("Limit"),
        PlanNode::ModifyTable(m) => ("ModifyTable", operation_word(m.operation).to_owned()),
        PlanNode::Gather { keys, .. } if keys.is_empty() => same("Gather"),
        PlanNode::Gather { .. } => same("Gather Merge"),
    }
}

pub(super) fn children_disabled(plan: &Plan) -> u32 {
    plan.children().iter().map(|c| c.disabled_nodes).sum()
}

pub(super) fn join_word(kind: JoinType) -> &'static str {
    match kind {
        JoinType::Inner => "Inner",
        JoinType::Left => "Left",
        JoinType::Full => "Full",
        JoinType::Right => "Right",
        JoinType::Semi => "Semi",
        JoinType::Anti => "Anti",
        JoinType::RightSemi => "Right Semi",
        JoinType::RightAnti => "Right Anti",
    }
}

/// `Hash Left Join`; an inner nested loop is just that.
fn join_label(method: &str, kind: JoinType) -> String {
    match (method, kind) {
        ("Nested Loop", JoinType::Inner) => method.to_owned(),
        (_, JoinType::Inner) => format!("{method} Join"),
        _ => format!("{method} {} Join", join_word(kind)),
    }
}

pub(super) fn set_op_word(op: SetOp, all: bool) -> String {
    let word = match op {
        SetOp::Union => "Union",
        SetOp::Intersect => "Intersect",
        SetOp::Except => "Except",
    };
    if all {
        format!("{word} All")
    } else {
        word.to_owned()
    }
}

pub(super) fn operation_word(operation: CommandType) -> &'static str {
    match operation {
        CommandType::Select => "Select",
        CommandType::Insert => "Insert",
        CommandType::Update => "Update",
        CommandType::Delete => "Delete",
        CommandType::Merge => "Merge",
    }
}

/// The frame as EXPLAIN prints it; the default one is not shown. `offset` prints the expression of a bound.
pub(super) fn frame(
    units: FrameUnits,
    start: &FrameBound,
    end: &FrameBound,
    offset: &dyn Fn(&Expr) -> PgResult<String>,
) -> PgResult<Option<String>> {
    use FrameBound as B;
    if matches!(
        (units, start, end),
        (FrameUnits::Range, B::UnboundedPreceding, B::CurrentRow)
    ) {
        return Ok(None);
    }
    let units = match units {
        FrameUnits::Rows => "ROWS",
        FrameUnits::Range => "RANGE",
        FrameUnits::Groups => "GROUPS",
    };
    let bound = |b: &B| -> PgResult<String> {
        Ok(match b {
            B::UnboundedPreceding => "UNBOUNDED PRECEDING".to_owned(),
            B::Preceding(e) => format!("{} PRECEDING", offset(e)?),
            B::CurrentRow => "CURRENT ROW".to_owned(),
            B::Following(e) => format!("{} FOLLOWING", offset(e)?),
            B::UnboundedFollowing => "UNBOUNDED FOLLOWING".to_owned(),
        })
    };
    Ok(Some(match end {
        B::CurrentRow => format!("{units} {}", bound(start)?),
        end => format!("{units} BETWEEN {} AND {}", bound(start)?, bound(end)?),
    }))
}

/// The name of an XMLTABLE or JSON_TABLE, which EXPLAIN keeps apart from other functions.
fn table_function(functions: &[RangeTblFunction]) -> Option<&'static str> {
    match functions {
        [one] => match &one.expr {
            Expr::Xml(_) => Some("xmltable"),
            Expr::Json(_) => Some("json_table"),
            _ => None,
        },
        _ => None,
    }
}

/// What the call of a function in FROM is labelled with.
pub(super) fn call_label(functions: &[RangeTblFunction]) -> &'static str {
    match table_function(functions) {
        Some(_) => "Table Function Call",
        None => "Function Call",
    }
}

/// Label, name and schema of what is scanned where it is no plain function.
pub(super) fn function_target(
    functions: &[RangeTblFunction],
) -> (&'static str, Option<String>, Option<String>) {
    match table_function(functions) {
        Some(name) => ("Table Function Name", Some(name.to_owned()), None),
        None => ("Function Name", None, None),
    }
}

/// Nodes that only pass rows on do not list their columns.
pub(super) fn shows_output(plan: &Plan) -> bool {
    let passes = matches!(
        plan.node,
        PlanNode::Append { .. } | PlanNode::MergeAppend { .. } | PlanNode::RecursiveUnion { .. }
    );
    !passes && !plan.target_list.is_empty()
}
