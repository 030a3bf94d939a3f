//! `xmin`, `cmin`, `xmax`, `cmax`: read row by row, and only where a query asks for them.

use std::sync::Arc;

use access::{RowSystem, Table};
use common::{AttrNumber, Oid, PgResult, RowId};
use txn::Snapshot;
use types::{Batch, Datum, PhysType, Vector, VectorData};

use crate::context::ExecContext;
use crate::cx::Cx;
use crate::ops::scan::ScanTarget;

const XMIN: AttrNumber = -2;
const CMIN: AttrNumber = -3;
const XMAX: AttrNumber = -4;
const CMAX: AttrNumber = -5;
/// In the order in which [`values`] gives them.
pub(crate) const SYSTEM: [AttrNumber; 4] = [XMIN, CMIN, XMAX, CMAX];

/// The values of [`SYSTEM`].
pub(crate) fn values(row: RowSystem) -> [Datum; 4] {
    // cmin and cmax are one field in PostgreSQL too.
    [row.xmin, row.cid, row.xmax, row.cid].map(Datum::Oid)
}

/// A column `ctid`.
pub(crate) fn tids(rows: impl Iterator<Item = RowId>) -> Arc<Vector> {
    Arc::new(Vector::new(
        VectorData::Int8(rows.map(RowId::tid).collect()),
        None,
    ))
}

/// What lockers of rows call the database.
pub(crate) fn database(cx: &ExecContext<'_>) -> PgResult<Oid> {
    cx.with_txn(|txn| Ok(txn.options().database))
}

impl ScanTarget {
    /// Adds the system columns to those of rows; None stands for a row that nobody will look at.
    pub fn add_system(
        &self,
        cx: &Cx<'_>,
        snapshot: &Snapshot,
        rows: impl Iterator<Item = Option<RowId>>,
        columns: &mut Vec<Arc<Vector>>,
    ) -> PgResult<()> {
        if self.system.is_empty() {
            return Ok(());
        }
        let (table, database) = (self.open(cx)?, database(cx.ext)?);
        let mut out: Vec<Vector> = self.system.iter().map(|_| Vector::empty(PhysType::Oid)).collect();
        for row in rows {
            let row = match row {
                Some(row) => table.system(row, snapshot, database)?.unwrap_or_default(),
                None => RowSystem::default(),
            };
            let values = values(row);
            for (attno, vector) in self.system.iter().zip(&mut out) {
                let at = SYSTEM.iter().position(|a| a == attno);
                vector.push(at.and_then(|at| values.get(at)).unwrap_or(&Datum::Null));
            }
        }
        columns.extend(out.into_iter().map(Arc::new));
        Ok(())
    }

    /// True when rows must come with their ids.
    pub fn needs_row_ids(&self) -> bool {
        self.ctid || !self.system.is_empty()
    }

    /// Completes a batch of a table's scan, whose last column are the row ids if there is anything to add by them.
    pub fn complete_batch(&self, cx: &Cx<'_>, batch: &mut Batch) -> PgResult<()> {
        if !self.needs_row_ids() {
            self.complete(&mut batch.columns, batch.rows);
            return Ok(());
        }
        let ids = batch.columns.pop();
        let mut rows = vec![None; batch.rows];
        if let Some(VectorData::Int8(ids)) = ids.as_ref().map(|ids| ids.data()) {
            for at in batch.selection.iter() {
                rows[at] = ids.get(at).map(|id| RowId(*id as u64));
            }
        }
        if self.ctid {
            batch
                .columns
                .push(tids(rows.iter().map(|row| row.unwrap_or(RowId(0)))));
        }
        self.complete(&mut batch.columns, batch.rows);
        self.add_system(cx, cx.ext.snapshot, rows.into_iter(), &mut batch.columns)
    }
}

/// The system columns of a row that a statement has written or is about to: as it is now, or before this command.
pub(crate) fn of_written(
    cx: &ExecContext<'_>,
    table: &Table,
    row: RowId,
    which: Which,
) -> PgResult<RowSystem> {
    let latest = cx.with_txn(|txn| txn.latest_snapshot())?;
    let snapshot = match which {
        Which::Before => *latest,
        Which::Now => latest.at_command(common::CommandId(u32::MAX)),
    };
    Ok(table.system(row, &snapshot, database(cx)?)?.unwrap_or_default())
}

/// Which version of a row is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// The one that the command found.
    Before,
    /// The one that it made.
    Now,
}
