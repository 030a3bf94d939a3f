//! Run-time partition pruning: which inputs of an Append or MergeAppend may have rows.
//!
//! PG: `ExecInitPartitionExecPruning`, `ExecFindMatchingSubPlans`.
//!
//! Parameters of the statement and stable functions count from the start of the run ([`inputs_at_start`], which EXPLAIN asks as well),
//! executor parameters from the time that they are set.

use std::sync::Arc;

use catalog::CatalogView;
use catalog::partition::Partitions;
use catalog::prune::{Known, inputs_to_run};
use common::PgResult;
use expr::{ExprProgram, Runtime};
use nodes::Expr;
use nodes::expr::ParamKind;
use nodes::prune::PartitionPrune;
use types::Datum;

use crate::compile::{Compiler, NoColumns, ParamDeps, ScanMap};
use crate::context::ExecContext;
use crate::cx::Cx;
use crate::node::Eval;

/// The compiled form.
pub(crate) struct PruneNode {
    prune: PartitionPrune,
    partitions: Vec<Arc<Partitions>>,
    values: Vec<Arc<ExprProgram>>,
    /// Executor parameters that values read.
    deps: Arc<[usize]>,
}

/// The partitions of each level.
fn partitions(prune: &PartitionPrune, catalog: &dyn CatalogView) -> PgResult<Vec<Arc<Partitions>>> {
    let mut out = Vec::new();
    for level in &prune.levels {
        out.push(catalog.partitions(level.table)?);
    }
    Ok(out)
}

impl PruneNode {
    pub fn compile(c: &Compiler<'_>, prune: Option<&PartitionPrune>) -> PgResult<Option<Arc<PruneNode>>> {
        let Some(prune) = prune else { return Ok(None) };
        Ok(Some(Arc::new(PruneNode {
            partitions: partitions(prune, c.catalog)?,
            values: c.programs(&prune.values, ScanMap::None)?,
            deps: ParamDeps::of_exprs(&prune.values, &c.plan.subplans),
            prune: prune.clone(),
        })))
    }
}

/// Which inputs run, as of the last time that somebody looked.
pub(crate) struct Pruning {
    node: Arc<PruneNode>,
    values: Vec<Eval>,
    run: Vec<bool>,
    /// When it was decided; 0: not yet.
    at: u64,
}

impl Pruning {
    pub fn open(node: &Option<Arc<PruneNode>>) -> Option<Pruning> {
        node.as_ref().map(|node| Pruning {
            values: Eval::all(&node.values),
            node: Arc::clone(node),
            run: Vec::new(),
            at: 0,
        })
    }

    /// Which of `inputs` inputs to run now.
    pub fn inputs(&mut self, cx: &mut Cx<'_>, inputs: usize) -> PgResult<&[bool]> {
        if self.at == 0 || cx.run.changed_since(&self.node.deps, self.at) {
            self.at = cx.run.now();
            let values = self.values.iter_mut().map(|v| v.value(cx).map(Some));
            let datums = values.collect::<PgResult<Vec<Option<Datum>>>>()?;
            let known = Known {
                exprs: &self.node.prune.values,
                datums: &datums,
            };
            self.run = inputs_to_run(&self.node.prune, &self.node.partitions, known, inputs)?;
        }
        Ok(&self.run)
    }
}

/// Which of the inputs may have rows, as far as that is known before the run: what EXPLAIN leaves out.
pub fn inputs_at_start(
    prune: &PartitionPrune,
    inputs: usize,
    catalog: &dyn CatalogView,
    cx: &ExecContext<'_>,
) -> PgResult<Vec<bool>> {
    let mut rt = crate::constants::RowRuntime(cx);
    let datums = prune.values.iter().map(|v| known_at_start(v, catalog, &mut rt));
    let datums = datums.collect::<PgResult<Vec<_>>>()?;
    let known = Known {
        exprs: &prune.values,
        datums: &datums,
    };
    inputs_to_run(prune, &partitions(prune, catalog)?, known, inputs)
}

fn known_at_start(value: &Expr, catalog: &dyn CatalogView, rt: &mut dyn Runtime) -> PgResult<Option<Datum>> {
    let later =
        |e: &Expr| matches!(e, Expr::SubPlan(_)) || matches!(e, Expr::Param(p) if p.kind == ParamKind::Exec);
    if nodes::walk::any(value, &mut |e| later(e)) {
        return Ok(None);
    }
    let program = ExprProgram::compile(value, &NoColumns { catalog })?;
    program.eval_const(rt).map(Some)
}
