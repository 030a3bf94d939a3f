//! `xmin`, `cmin`, `xmax`, `cmax`, and how values are stored: read row by row, and only where a query asks for them.

use std::sync::Arc;

use access::{RowSystem, StoredValue, Table};
use common::{AttrNumber, Oid, PgResult, RowId};
use nodes::stored::StoredFact;
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

/// The class of a system column other than `ctid` and `tableoid`.
pub(crate) fn phys(attno: AttrNumber) -> PhysType {
    match StoredFact::of_attno(attno) {
        Some((StoredFact::Compression, _)) => PhysType::Text,
        Some((StoredFact::Size, _)) => PhysType::Int4,
        Some((StoredFact::ChunkId, _)) | None => PhysType::Oid,
    }
}

/// A fact about a column (1-based) of a row, some of whose values are not stored as they are.
fn stored_fact(fact: StoredFact, column: AttrNumber, stored: &[StoredValue]) -> Datum {
    let Some(value) = stored.iter().find(|v| v.column as AttrNumber == column - 1) else {
        return Datum::Null;
    };
    match fact {
        StoredFact::Compression => value.compression.map_or(Datum::Null, Datum::text),
        StoredFact::ChunkId => value.chunk_id.map_or(Datum::Null, Datum::Oid),
        StoredFact::Size => Datum::Int4(i32::try_from(value.bytes).unwrap_or(i32::MAX)),
    }
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
        let has_facts = self.system.iter().any(|a| StoredFact::of_attno(*a).is_some());
        let has_others = self.system.iter().any(|a| SYSTEM.contains(a));
        let mut out: Vec<Vector> = self.system.iter().map(|a| Vector::empty(phys(*a))).collect();
        for row in rows {
            let system = match row.filter(|_| has_others) {
                Some(row) => table.system(row, snapshot, database)?.unwrap_or_default(),
                None => RowSystem::default(),
            };
            let stored = match row.filter(|_| has_facts) {
                Some(row) => table.stored_as(row, snapshot)?,
                None => Vec::new(),
            };
            let values = values(system);
            for (attno, vector) in self.system.iter().zip(&mut out) {
                if let Some((fact, column)) = StoredFact::of_attno(*attno) {
                    vector.push(&stored_fact(fact, column, &stored));
                    continue;
                }
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
    if let Some(system) = table.system(row, &snapshot, database(cx)?)? {
        return Ok(system);
    }
    // One of very many, which later commands will see.
    let (xid, command) = cx.with_txn(|txn| Ok((txn.xid(), txn.command())))?;
    Ok(match which {
        Which::Before => RowSystem::default(),
        Which::Now => RowSystem {
            xmin: xid.map_or(0, |xid| xid.0 as u32),
            xmax: 0,
            cid: command.0,
        },
    })
}

/// Which version of a row is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// The one that the command found.
    Before,
    /// The one that it made.
    Now,
}
