//! Where RETURNING finds the columns of the row written and of the row before.

use common::{AttrNumber, PgResult, unsupported};
use nodes::expr::ReturningKind;

use crate::ops::scan::{CTID, TABLEOID};

/// The scan side of RETURNING: three copies (default, old, new) of all columns, `ctid`, `tableoid` and the whole row.
pub(crate) struct RowLayout {
    pub columns: usize,
}

impl RowLayout {
    /// Positions per copy.
    pub fn stride(&self) -> usize {
        self.columns + 3
    }

    /// Where a column of a kind lies.
    pub fn position(&self, attno: AttrNumber, kind: ReturningKind) -> PgResult<usize> {
        let within = match attno {
            CTID => self.columns,
            TABLEOID => self.columns + 1,
            0 => self.columns + 2,
            a if a > 0 && (a as usize) <= self.columns => a as usize - 1,
            other => return Err(unsupported!("system column {other} is not supported yet")),
        };
        let copy = match kind {
            ReturningKind::Default => 0,
            ReturningKind::Old => 1,
            ReturningKind::New => 2,
        };
        Ok(copy * self.stride() + within)
    }
}
