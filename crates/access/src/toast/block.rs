//! Which values of a block of rows lie elsewhere. The block's columns have NULL in their places.

use common::PgResult;

use crate::toast::Place;

/// Values of a block, or of a batch of its columns.
#[derive(Clone, Debug, Default)]
pub(crate) struct BlockToast {
    /// Position of the row, number of the column, what stands there; ascending.
    places: Vec<(u16, u16, Box<[u8]>)>,
}

impl BlockToast {
    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Adds a value; the caller sorts.
    pub(crate) fn push(&mut self, position: usize, column: u16, place: Box<[u8]>) {
        self.places.push((position as u16, column, place));
    }

    /// Adds a value where it belongs.
    pub(crate) fn push_sorted(&mut self, position: usize, column: u16, place: Box<[u8]>) {
        let key = (position as u16, column);
        let at = self
            .places
            .partition_point(|(position, column, _)| (*position, *column) < key);
        self.places.insert(at, (key.0, key.1, place));
    }

    pub(crate) fn sort(&mut self) {
        self.places
            .sort_unstable_by_key(|(position, column, _)| (*position, *column));
    }

    /// The values of one row: column and place.
    pub(crate) fn row(&self, position: usize) -> impl Iterator<Item = (u16, &[u8])> {
        let from = self
            .places
            .partition_point(|(at, ..)| usize::from(*at) < position);
        self.places[from..]
            .iter()
            .take_while(move |(at, ..)| usize::from(*at) == position)
            .map(|(_, column, place)| (*column, &**place))
    }

    /// True when one of these columns has such a value.
    pub(crate) fn has_any_of(&self, columns: &[u16]) -> bool {
        self.places.iter().any(|(_, column, _)| columns.contains(column))
    }

    /// Takes a row's values out.
    pub(crate) fn remove_row(&mut self, position: usize) {
        self.places.retain(|(at, ..)| usize::from(*at) != position);
    }

    /// Those of the listed columns, under their places in the list.
    pub(crate) fn project(&self, columns: &[u16]) -> BlockToast {
        let mut out = BlockToast::default();
        for (position, column, place) in &self.places {
            for (k, _) in columns.iter().enumerate().filter(|(_, c)| *c == column) {
                out.push(usize::from(*position), k as u16, place.clone());
            }
        }
        out.sort();
        out
    }

    /// How many of these rows have values of so many bytes together; at least one.
    pub(crate) fn rows_within(
        &self,
        positions: impl Iterator<Item = usize>,
        bytes_max: usize,
    ) -> PgResult<usize> {
        let (mut rows, mut bytes) = (0, 0);
        for position in positions {
            for (_, place) in self.row(position) {
                bytes += Place::of(place)?.raw_len();
            }
            if rows > 0 && bytes > bytes_max {
                break;
            }
            rows += 1;
        }
        Ok(rows)
    }

    /// Takes those of some columns out.
    pub(crate) fn split_off(&mut self, columns: &[u16]) -> BlockToast {
        if columns.is_empty() || self.is_empty() {
            return BlockToast::default();
        }
        let all = std::mem::take(&mut self.places).into_iter();
        let (later, now) = all.partition(|(_, column, _)| columns.contains(column));
        self.places = now;
        BlockToast { places: later }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.places.iter().map(|(.., place)| 40 + place.len()).sum()
    }
}
