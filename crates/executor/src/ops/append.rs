//! Append: inputs one after another; a parallel one divides them among the participants of a Gather.

use std::sync::Arc;

use common::PgResult;
use nodes::Plan;
use nodes::prune::PartitionPrune;
use types::Batch;

use crate::compile::Compiler;
use crate::cx::Cx;
use crate::node::{Node, NodeKind, Opening, Operator};
use crate::ops::prune::{PruneNode, Pruning};
use crate::parallel::share::AppendShare;

struct AppendNode {
    inputs: Vec<Node>,
    /// Inputs whose rows participants share among themselves; each of the others is run by one.
    partial: Vec<bool>,
    /// `Plan::id` of an Append whose inputs are divided.
    shared_id: Option<u32>,
    prune: Option<Arc<PruneNode>>,
}

pub(crate) fn compile(
    c: &Compiler<'_>,
    plan: &Plan,
    inputs: &[Plan],
    prune: Option<&PartitionPrune>,
) -> PgResult<Arc<dyn NodeKind>> {
    debug_assert!(
        inputs
            .iter()
            .all(|i| i.target_list.len() == plan.target_list.len())
    );
    Ok(Arc::new(AppendNode {
        inputs: inputs.iter().map(|p| c.node(p)).collect::<PgResult<_>>()?,
        partial: inputs.iter().map(is_partial).collect(),
        shared_id: plan.parallel_aware.then_some(plan.id),
        prune: PruneNode::compile(c, prune)?,
    }))
}

/// Somewhere in it a node divides its work.
fn is_partial(plan: &Plan) -> bool {
    plan.parallel_aware || plan.children().into_iter().any(is_partial)
}

impl NodeKind for AppendNode {
    fn open(self: Arc<Self>, opening: &Opening) -> Box<dyn Operator> {
        let share = match (self.shared_id, &opening.team) {
            (Some(id), Some(team)) => Some(team.shares.append(id)),
            _ => None,
        };
        Box::new(AppendOp {
            inputs: self.inputs.iter().map(|n| opening.open(n)).collect(),
            first: share.as_ref().map_or(0, |s| s.begin()),
            share,
            current: 0,
            begun: false,
            pruning: Pruning::open(&self.prune),
            stale: vec![false; self.inputs.len()],
            node: self,
        })
    }
}

struct AppendOp {
    node: Arc<AppendNode>,
    inputs: Vec<Box<dyn Operator>>,
    share: Option<Arc<AppendShare>>,
    /// Where this participant begins.
    first: usize,
    /// How many inputs are done.
    current: usize,
    /// The current input is this participant's.
    begun: bool,
    pruning: Option<Pruning>,
    /// Inputs to start again before they are read: those that pruning excludes stay as they are.
    stale: Vec<bool>,
}

impl AppendOp {
    /// The current input, if it has rows for this participant.
    fn input(&mut self, cx: &mut Cx<'_>, at: usize) -> PgResult<Option<&mut Box<dyn Operator>>> {
        if !self.begun {
            self.begun = true;
            if let Some(pruning) = &mut self.pruning
                && !pruning.inputs(cx, self.inputs.len())?[at]
            {
                return Ok(None);
            }
            if let Some(share) = &self.share
                && !self.node.partial[at]
                && !share.take(at)
            {
                return Ok(None);
            }
            if std::mem::take(&mut self.stale[at]) {
                self.inputs[at].rescan(cx)?;
            }
        }
        Ok(self.inputs.get_mut(at))
    }
}

impl Operator for AppendOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        while self.current < self.inputs.len() {
            let at = (self.first + self.current) % self.inputs.len();
            if let Some(input) = self.input(cx, at)?
                && let Some(batch) = input.next(cx, max_rows)?
            {
                return Ok(Some(batch));
            }
            self.current += 1;
            self.begun = false;
        }
        Ok(None)
    }

    fn will_drain(&mut self) {
        self.inputs.iter_mut().for_each(|input| input.will_drain());
    }

    fn rescan(&mut self, cx: &mut Cx<'_>) -> PgResult<()> {
        self.current = 0;
        self.begun = false;
        if self.pruning.is_some() {
            self.stale.fill(true);
            return Ok(());
        }
        self.inputs.iter_mut().try_for_each(|i| i.rescan(cx))
    }
}
