//! SeqScan of a sequence: its one row.
//!
//! PG: src/backend/commands/sequence.c (`fill_seq_with_data`).

use std::sync::Arc;

use catalog::desc::RelationDesc;
use common::PgResult;
use expr::Inputs;
use nodes::Plan;
use types::{Batch, PhysType, Selection, Vector};

use crate::compile::{Compiler, ScanMap};
use crate::cx::Cx;
use crate::node::{NodeKind, Opening, Operator, Projection, Projector};
use crate::relations;

struct SequenceScanNode {
    desc: Arc<RelationDesc>,
    projection: Projection,
}

pub(crate) fn compile(c: &Compiler<'_>, plan: &Plan, desc: Arc<RelationDesc>) -> PgResult<Arc<dyn NodeKind>> {
    Ok(Arc::new(SequenceScanNode {
        desc,
        projection: c.projection(plan, ScanMap::Positions)?,
    }))
}

impl NodeKind for SequenceScanNode {
    fn open(self: Arc<Self>, _opening: &Opening) -> Box<dyn Operator> {
        Box::new(SequenceScanOp {
            projector: self.projection.open(),
            node: self,
            done: false,
        })
    }
}

struct SequenceScanOp {
    node: Arc<SequenceScanNode>,
    projector: Projector,
    done: bool,
}

impl Operator for SequenceScanOp {
    fn next(&mut self, cx: &mut Cx<'_>, _max_rows: usize) -> PgResult<Option<Batch>> {
        if std::mem::replace(&mut self.done, true) {
            return Ok(None);
        }
        let row = relations::sequence_row(cx.ext.relations.storage(), &self.node.desc)?;
        let phys = [PhysType::Int8, PhysType::Int8, PhysType::Bool];
        let column = |(value, phys)| {
            let mut column = Vector::empty(phys);
            column.push(&value);
            Arc::new(column)
        };
        let columns: Vec<Arc<Vector>> = row.into_iter().zip(phys).map(column).collect();
        self.projector
            .apply(cx, Inputs::scan(&columns, 1), &Selection::All(1))
    }

    fn rescan(&mut self, _cx: &mut Cx<'_>) -> PgResult<()> {
        self.done = false;
        Ok(())
    }
}
