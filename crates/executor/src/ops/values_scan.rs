//! ValuesScan: the rows of a VALUES list.

use std::sync::Arc;

use common::PgResult;
use expr::{ExprProgram, Inputs};
use nodes::{Expr, Plan};
use types::{Batch, PhysType, Vector};

use crate::compile::{Compiler, ScanMap};
use crate::cx::Cx;
use crate::node::{Eval, NodeKind, Opening, Operator, Projection, Projector};

struct ValuesScanNode {
    rows: Vec<Vec<Arc<ExprProgram>>>,
    phys: Vec<PhysType>,
    projection: Projection,
}

pub(crate) fn compile(c: &Compiler<'_>, plan: &Plan, rows: &[Vec<Expr>]) -> PgResult<Arc<dyn NodeKind>> {
    let first = rows.first().map(Vec::as_slice).unwrap_or_default();
    Ok(Arc::new(ValuesScanNode {
        phys: first
            .iter()
            .map(|e| c.phys(e.type_oid()))
            .collect::<PgResult<_>>()?,
        rows: rows
            .iter()
            .map(|row| c.programs(row, ScanMap::None))
            .collect::<PgResult<_>>()?,
        projection: c.projection(plan, ScanMap::Positions)?,
    }))
}

impl NodeKind for ValuesScanNode {
    fn open(self: Arc<Self>, _opening: &Opening) -> Box<dyn Operator> {
        Box::new(ValuesScanOp {
            projector: self.projection.open(),
            node: self,
            next: 0,
        })
    }
}

struct ValuesScanOp {
    node: Arc<ValuesScanNode>,
    projector: Projector,
    next: usize,
}

impl ValuesScanOp {
    fn rows(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Vec<Arc<Vector>>> {
        let node = Arc::clone(&self.node);
        let mut columns: Vec<Vector> = node.phys.iter().map(|p| Vector::empty(*p)).collect();
        let end = (self.next + max_rows).min(node.rows.len());
        for row in &node.rows[self.next..end] {
            for (program, column) in row.iter().zip(&mut columns) {
                match program.as_const() {
                    Some(value) => column.push(value),
                    None => column.push(&Eval::new(program).value(cx)?),
                }
            }
        }
        self.next = end;
        Ok(columns.into_iter().map(Arc::new).collect())
    }
}

impl Operator for ValuesScanOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        while self.next < self.node.rows.len() {
            cx.check()?;
            let before = self.next;
            let columns = self.rows(cx, max_rows)?;
            let rows = self.next - before;
            let inputs = Inputs::scan(&columns, rows);
            if let Some(out) = self.projector.apply(cx, inputs, &types::Selection::All(rows))? {
                return Ok(Some(out));
            }
        }
        Ok(None)
    }

    fn rescan(&mut self, _cx: &mut Cx<'_>) -> PgResult<()> {
        self.next = 0;
        Ok(())
    }
}
