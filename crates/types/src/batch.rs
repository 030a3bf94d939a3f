//! What operators hand to each other: columns of equal length and the rows that count.

use std::sync::Arc;

use common::PgResult;
use common::cancel::CancelToken;

use crate::{Datum, Selection, Vector};

/// Rows a full batch has at most. Positions fit [`Selection`]'s 16 bits.
pub const BATCH_ROWS: usize = 1024;

/// Up to [`BATCH_ROWS`] rows. Columns are shared: projecting a column costs a reference count.
#[derive(Clone, Debug)]
pub struct Batch {
    /// All of the same physical length `rows`.
    pub columns: Vec<Arc<Vector>>,
    /// Physical rows in every column (a batch without columns still has rows).
    pub rows: usize,
    /// Which of them count.
    pub selection: Selection,
}

impl Batch {
    /// A batch in which every row counts.
    pub fn new(columns: Vec<Arc<Vector>>, rows: usize) -> Batch {
        debug_assert!(columns.iter().all(|c| c.len() == rows));
        Batch {
            columns,
            rows,
            selection: Selection::All(rows),
        }
    }

    /// Rows that count.
    #[inline]
    pub fn len(&self) -> usize {
        self.selection.len()
    }

    /// True when no row counts.
    pub fn is_empty(&self) -> bool {
        self.selection.is_empty()
    }

    /// The value of a column at a physical position.
    pub fn datum(&self, column: usize, position: usize) -> Datum {
        self.columns[column].datum(position)
    }

    /// The `k`-th row that counts, as datums (results, tests; not for hot loops).
    pub fn row(&self, k: usize) -> Vec<Datum> {
        let position = self.selection.position(k);
        self.columns.iter().map(|c| c.datum(position)).collect()
    }

    /// The same; the copying of long values looks at the cancel flag.
    pub fn long_row(&self, k: usize, cancel: &CancelToken) -> PgResult<Vec<Datum>> {
        let position = self.selection.position(k);
        self.columns
            .iter()
            .map(|c| c.long_datum(position, cancel))
            .collect()
    }

    /// The same rows with every one counting: unselected rows are squeezed out.
    pub fn compact(self) -> Batch {
        match &self.selection {
            Selection::All(n) if *n == self.rows => self,
            selection => {
                let columns = self
                    .columns
                    .iter()
                    .map(|c| Arc::new(c.gather(selection)))
                    .collect();
                Batch::new(columns, selection.len())
            }
        }
    }
}
