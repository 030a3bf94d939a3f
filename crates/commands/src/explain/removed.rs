//! Inputs of Append and MergeAppend that pruning removes when a run starts: EXPLAIN counts them and shows the others.

use std::collections::HashMap;

use common::PgResult;
use nodes::{Plan, PlanNode};

use crate::context::CommandContext;
use crate::explain::render::{Properties, Shown, number};
use crate::query::Planned;

/// By `Plan::id`, which inputs stay.
#[derive(Default)]
pub(super) struct Removed(HashMap<u32, Vec<bool>>);

impl Removed {
    /// Asks the executor about every node that can prune.
    pub(super) fn at_start(planned: &Planned, cx: &CommandContext<'_>) -> PgResult<Removed> {
        let mut out = Removed::default();
        let mut open: Vec<&Plan> = planned.plan.subplans.iter().map(|s| &s.plan).collect();
        open.push(&planned.plan.plan);
        while let Some(plan) = open.pop() {
            open.extend(plan.children());
            let (PlanNode::Append { inputs, prune, .. } | PlanNode::MergeAppend { inputs, prune, .. }) =
                &plan.node
            else {
                continue;
            };
            if let Some(prune) = prune {
                let snapshot = cx.txn.borrow_mut().snapshot()?;
                let exec = cx.exec_context(&*planned.view, &snapshot);
                let stay = executor::inputs_at_start(prune, inputs.len(), &*planned.view, &exec)?;
                out.0.insert(plan.id, stay);
            }
        }
        Ok(out)
    }

    /// The inputs that stay, with their places.
    pub(super) fn children<'p>(&self, plan: &'p Plan) -> impl Iterator<Item = (usize, &'p Plan)> {
        let stay = self.0.get(&plan.id).cloned();
        let stays = move |at: usize| stay.as_ref().and_then(|s| s.get(at)).copied().unwrap_or(true);
        plan.children()
            .into_iter()
            .enumerate()
            .filter(move |(at, _)| stays(*at))
    }

    /// How many are gone.
    pub(super) fn show(&self, plan: &Plan, out: &mut Properties) {
        let count = self
            .0
            .get(&plan.id)
            .map_or(0, |s| s.iter().filter(|stays| !**stays).count());
        let shown = if count > 0 { Shown::Both } else { Shown::Json };
        out.add("Subplans Removed", number(count), shown);
    }
}
