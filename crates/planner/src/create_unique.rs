//! Rows made unique for a join, as a plan.

use common::{AttrNumber, PgResult, internal};
use nodes::plan::{AggSplit, AggStrategy, GroupKey, PlanNode};

use crate::create_plan::cost_of;
use crate::path::{Path, UniquePath};
use crate::upper::{Stage, node, outer_var, target};

/// Rows grouped by their columns.
pub fn unique(path: &Path, u: &UniquePath, input: Stage) -> PgResult<Stage> {
    let (mut keys, mut targets) = (Vec::new(), Vec::new());
    for (i, (e, (eq_op, collation))) in u.exprs.iter().zip(&u.ops).enumerate() {
        let Some(at) = input.output.iter().position(|x| x == e) else {
            return Err(internal!("a column of a semijoin is not in its input"));
        };
        keys.push(GroupKey {
            column: at as AttrNumber + 1,
            eq_op: *eq_op,
            collation: *collation,
        });
        targets.push(target(outer_var(at, e), i + 1, None));
    }
    let node = node(
        cost_of(path),
        targets,
        PlanNode::Agg {
            input: Box::new(input.plan),
            strategy: AggStrategy::Hashed,
            split: AggSplit::Simple,
            keys,
            passes: Vec::new(),
            groups: path.rows,
        },
    );
    Ok(Stage {
        plan: node,
        output: u.exprs.clone(),
        keys: Vec::new(),
    })
}
