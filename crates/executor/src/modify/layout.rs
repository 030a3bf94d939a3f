//! Where RETURNING finds the columns of the row written and of the row before.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use catalog::desc::RelationDesc;
use common::{AttrNumber, CTID, Oid, PgResult, RowId, TABLEOID, internal};
use nodes::expr::{MERGE_ACTION_ATTNO, ReturningKind};
use types::{Datum, RecordValue};

use crate::ops::system::SYSTEM;

/// The scan side of RETURNING: three copies (default, old, new) of all columns, `ctid`, `tableoid`, the whole row and the other
/// system columns.
pub(crate) struct RowLayout {
    desc: Arc<RelationDesc>,
    /// Which parts some expression names: the rest is not made.
    named: AtomicU8,
}

/// Parts of a [`RowLayout`] that cost something to make.
const SYSTEM_COLUMNS: u8 = 1;
const WHOLE_ROW: u8 = 2;
const OLD_ROW: u8 = 4;
const NEW_ROW: u8 = 8;

/// A row as RETURNING may see it; absent: OLD of an INSERT, NEW of a DELETE.
#[derive(Clone, Copy)]
pub(crate) struct RowParts<'a> {
    /// The table it is in.
    pub table: Oid,
    pub row: RowId,
    pub values: &'a [Datum],
    /// If [`RowLayout::has_system`].
    pub system: Option<&'a [Datum; 4]>,
}

impl RowLayout {
    pub fn new(desc: &Arc<RelationDesc>) -> RowLayout {
        RowLayout {
            desc: Arc::clone(desc),
            named: AtomicU8::new(0),
        }
    }

    /// True when system columns beside `ctid` and `tableoid` are to be filled in.
    pub fn has_system(&self) -> bool {
        self.names(SYSTEM_COLUMNS)
    }

    fn names(&self, part: u8) -> bool {
        self.named.load(Ordering::Relaxed) & part != 0
    }

    fn name(&self, part: u8) {
        self.named.fetch_or(part, Ordering::Relaxed);
    }

    /// Positions per copy.
    fn stride(&self) -> usize {
        self.desc.columns.len() + 3 + SYSTEM.len()
    }

    /// Where a column of a kind lies.
    pub fn position(&self, attno: AttrNumber, kind: ReturningKind) -> PgResult<usize> {
        let columns = self.desc.columns.len();
        let within = match attno {
            MERGE_ACTION_ATTNO => 0,
            CTID => columns,
            TABLEOID => columns + 1,
            0 => {
                self.name(WHOLE_ROW);
                columns + 2
            }
            a if a > 0 && (a as usize) <= columns => a as usize - 1,
            other => {
                self.name(SYSTEM_COLUMNS);
                let at = SYSTEM.iter().position(|a| *a == other);
                columns + 3 + at.ok_or_else(|| internal!("no column {other}"))?
            }
        };
        if attno == MERGE_ACTION_ATTNO {
            return Ok(3 * self.stride());
        }
        let copy = match kind {
            ReturningKind::Default => 0,
            ReturningKind::Old => {
                self.name(OLD_ROW);
                1
            }
            ReturningKind::New => {
                self.name(NEW_ROW);
                2
            }
        };
        Ok(copy * self.stride() + within)
    }

    /// All three copies; what no expression names is NULL.
    pub fn fill(&self, old: Option<RowParts<'_>>, new: Option<RowParts<'_>>, out: &mut Vec<Datum>) {
        out.clear();
        self.copy(new.or(old), out);
        self.copy(old.filter(|_| self.names(OLD_ROW)), out);
        self.copy(new.filter(|_| self.names(NEW_ROW)), out);
    }

    fn copy(&self, row: Option<RowParts<'_>>, out: &mut Vec<Datum>) {
        let Some(row) = row else {
            out.resize(out.len() + self.stride(), Datum::Null);
            return;
        };
        out.extend(row.values.iter().cloned());
        out.push(Datum::Int8(row.row.tid()));
        out.push(Datum::Oid(row.table.0));
        out.push(match self.names(WHOLE_ROW) {
            true => self.whole(row.values),
            false => Datum::Null,
        });
        match row.system {
            Some(system) => out.extend_from_slice(system),
            None => out.resize(out.len() + SYSTEM.len(), Datum::Null),
        }
    }

    fn whole(&self, values: &[Datum]) -> Datum {
        let live = || self.desc.columns.iter().zip(values).filter(|(c, _)| !c.dropped);
        let field_types: Vec<Oid> = live().map(|(c, _)| c.type_ref.oid).collect();
        Datum::Record(Arc::new(RecordValue {
            type_oid: self.desc.row_type,
            field_types,
            fields: live().map(|(_, v)| v.clone()).collect(),
            names: None,
        }))
    }
}
