//! What DISTINCT inside of a call lets through.

use common::PgResult;
use types::{Batch, Selection};

use crate::cx::Cx;
use crate::groups::GroupTable;
use crate::ops::agg::calls::Ordered;

/// An empty table of the values that groups have had.
pub(super) fn seen(ordered: &Ordered) -> Option<GroupTable> {
    let keys = ordered.hashed.as_ref()?;
    Some(GroupTable::new(keys, &[0, 1], &ordered.phys))
}

/// Sorted rows (the batch's selection) without those equal to the one before in the same group; `last` is the last row kept so far.
pub(super) fn distinct(
    cx: &Cx<'_>,
    ordered: &Ordered,
    batch: &Batch,
    last: &mut Option<(Batch, usize)>,
) -> PgResult<Selection> {
    let mut out: Vec<u16> = Vec::new();
    for row in batch.selection.iter() {
        let mut same = false;
        if let Some((b, at)) = &*last {
            same = b.columns[0].datum(*at) == batch.columns[0].datum(row);
            for (column, equality) in &ordered.distinct {
                same = same && equality.equal(cx, &b.columns[*column], *at, &batch.columns[*column], row)?;
            }
        }
        if !same {
            out.push(row as u16);
            *last = Some((batch.clone(), row));
        }
    }
    Ok(Selection::Rows(out.into()))
}
