//! Where RETURNING finds the columns of the row written and of the row before.

use std::sync::Arc;

use catalog::desc::RelationDesc;
use common::{AttrNumber, Oid, PgResult, RowId, unsupported};
use nodes::expr::{MERGE_ACTION_ATTNO, ReturningKind};
use types::{Datum, RecordValue};

use crate::ops::scan::{CTID, TABLEOID};

/// The scan side of RETURNING: three copies (default, old, new) of all columns, `ctid`, `tableoid` and the whole row.
pub(crate) struct RowLayout {
    desc: Arc<RelationDesc>,
}

/// A row as RETURNING may see it; absent: OLD of an INSERT, NEW of a DELETE.
#[derive(Clone, Copy)]
pub(crate) struct RowParts<'a> {
    /// The table it is in.
    pub table: Oid,
    pub row: RowId,
    pub values: &'a [Datum],
}

impl RowLayout {
    pub fn new(desc: &Arc<RelationDesc>) -> RowLayout {
        RowLayout {
            desc: Arc::clone(desc),
        }
    }

    /// Positions per copy.
    fn stride(&self) -> usize {
        self.desc.columns.len() + 3
    }

    /// Where a column of a kind lies.
    pub fn position(&self, attno: AttrNumber, kind: ReturningKind) -> PgResult<usize> {
        let columns = self.desc.columns.len();
        let within = match attno {
            MERGE_ACTION_ATTNO => 0,
            CTID => columns,
            TABLEOID => columns + 1,
            0 => columns + 2,
            a if a > 0 && (a as usize) <= columns => a as usize - 1,
            other => return Err(unsupported!("system column {other} is not supported yet")),
        };
        if attno == MERGE_ACTION_ATTNO {
            return Ok(3 * self.stride());
        }
        let copy = match kind {
            ReturningKind::Default => 0,
            ReturningKind::Old => 1,
            ReturningKind::New => 2,
        };
        Ok(copy * self.stride() + within)
    }

    /// All three copies.
    pub fn fill(&self, old: Option<RowParts<'_>>, new: Option<RowParts<'_>>, out: &mut Vec<Datum>) {
        out.clear();
        self.copy(new.or(old), out);
        self.copy(old, out);
        self.copy(new, out);
    }

    fn copy(&self, row: Option<RowParts<'_>>, out: &mut Vec<Datum>) {
        let Some(row) = row else {
            out.resize(out.len() + self.stride(), Datum::Null);
            return;
        };
        out.extend(row.values.iter().cloned());
        out.push(Datum::Int8(row.row.0 as i64));
        out.push(Datum::Oid(row.table.0));
        out.push(self.whole(row.values));
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
