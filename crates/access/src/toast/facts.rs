//! What `pg_column_compression` and its like tell of a stored value.

use common::{PgResult, RowId};
use txn::Snapshot;

use crate::table::{Found, Table};
use crate::toast::rows::RowPlaces;
use crate::toast::{Name, Place};

/// Bytes in front of a compressed value in its row, as PostgreSQL counts them: its length and that of the value itself.
const INLINE_HEADER_BYTES: usize = 8;
/// The same of a value outside: the length of the value itself.
const EXTERNAL_HEADER_BYTES: usize = 4;

/// A value that is not stored as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredValue {
    /// Of the row (0-based).
    pub column: u16,
    /// What has compressed it, or some part of it.
    pub compression: Option<&'static str>,
    /// What it is called outside of its row.
    pub chunk_id: Option<u32>,
    /// Bytes that it takes.
    pub bytes: usize,
}

impl StoredValue {
    fn of(column: u16, place: &[u8]) -> PgResult<StoredValue> {
        let lz4 = |compressed: bool| compressed.then_some("lz4");
        Ok(match Place::of(place)? {
            Place::Inline { compressed, .. } => StoredValue {
                column,
                compression: lz4(true),
                chunk_id: None,
                bytes: compressed.len() + INLINE_HEADER_BYTES,
            },
            Place::OutOfLine(pointer) => {
                // Less a byte per chunk that says how it is stored.
                let data = pointer.stored_len.saturating_sub(pointer.chunks()) as usize;
                let header = if pointer.compressed {
                    EXTERNAL_HEADER_BYTES
                } else {
                    0
                };
                StoredValue {
                    column,
                    compression: lz4(pointer.compressed),
                    chunk_id: Some(pointer.name.value_id()),
                    bytes: data + header,
                }
            }
        })
    }
}

impl Table {
    /// The values of a row that are not stored as they are, if the snapshot sees it.
    pub fn stored_as(&self, row: RowId, snapshot: &Snapshot) -> PgResult<Vec<StoredValue>> {
        let places = match self.find(row, snapshot)? {
            Some(Found::Version(version)) => version.places()?,
            Some(Found::Data(data)) => data.places()?,
            None => RowPlaces::new(),
        };
        let values = places
            .iter()
            .map(|(column, place)| StoredValue::of(*column, place));
        values.collect()
    }
}

impl Name {
    /// The name in as many bits as PostgreSQL has for it. Two values of a table hardly ever share one, and nothing rests on it.
    pub(crate) fn value_id(&self) -> u32 {
        let spread = |bits: u64, part: u64| (bits ^ part).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
        let bits = [self.row, self.xid, u64::from(self.number)]
            .into_iter()
            .fold(0, spread);
        ((bits ^ (bits >> 32)) as u32).max(1)
    }
}
