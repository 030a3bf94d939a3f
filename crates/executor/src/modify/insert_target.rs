//! The way of new rows into a table: generated columns, constraints, storage, indexes. Also COPY's.

use std::sync::Arc;

use catalog::desc::RelationDesc;
use common::{PgResult, RowId, unsupported};
use types::Datum;

use crate::context::ExecContext;

/// A table opened for inserting.
pub struct InsertTarget {
    desc: Arc<RelationDesc>,
}

impl InsertTarget {
    /// Opens a table and its indexes and compiles its constraints.
    pub fn open(cx: &ExecContext<'_>, desc: &Arc<RelationDesc>) -> PgResult<InsertTarget> {
        let _ = cx;
        Ok(InsertTarget {
            desc: Arc::clone(desc),
        })
    }

    /// Inserts one row: a datum per column (dropped ones NULL), defaults applied by the caller. Generated columns are computed and
    /// written into `values`.
    pub fn insert(&mut self, cx: &ExecContext<'_>, values: &mut [Datum]) -> PgResult<RowId> {
        let _ = (cx, values);
        Err(unsupported!(
            "inserting into \"{}\" is not supported yet",
            self.desc.name
        ))
    }
}
