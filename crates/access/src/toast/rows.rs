//! Taking long values out of rows that are written, and ending those of rows that go.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::{PgResult, RowId, cancel};
use kv::{Durability, WriteBatch};
use types::{Datum, PhysType, Vector, VectorData};

use crate::defs::ColumnStorage;
use crate::storage::BATCH_BYTES;
use crate::table::Table;
use crate::toast::block::BlockToast;
use crate::toast::store::Tracked;
use crate::toast::{CHUNK_BYTES, Name, Place, Pointer, compress_inline, keyspace, pack_chunk};
use crate::transaction::Transaction;
use crate::transaction::redo::RedoOp;
use crate::transaction::writes::Write;
use crate::version::Version;

/// How much longer than others a value of storage MAIN must be.
const MAIN_FACTOR: usize = 4;

/// Positions in a row and what stands there.
pub(crate) type RowPlaces = Vec<(u16, Box<[u8]>)>;

/// Takes the chunks of values that go into the store with their rows.
pub(crate) type ChunkSink<'a> = &'a mut dyn FnMut([u8; 24], Vec<u8>) -> PgResult<()>;

impl Table {
    /// Stores the long values of a row; what stands in their places. Values of `older`, which the row replaces, are kept or ended.
    pub(crate) fn toast_row(
        &self,
        txn: &mut Transaction,
        row: RowId,
        values: &[Datum],
        older: Option<&Version>,
    ) -> PgResult<RowPlaces> {
        let before = match older {
            Some(older) => older.places()?,
            None => RowPlaces::new(),
        };
        if before.is_empty() && !self.may_be_toasted(values) {
            return Ok(RowPlaces::new());
        }
        let (mut places, mut kept) = (RowPlaces::new(), Vec::new());
        for (column, value) in values.iter().enumerate() {
            let Some((raw, compress)) = string_bytes(value).and_then(|raw| self.toastable(column, raw))
            else {
                continue;
            };
            let column = column as u16;
            let place = match before.iter().find(|(at, _)| *at == column) {
                Some((_, place)) if self.is_same(place, raw)? => {
                    kept.push(column);
                    place.clone()
                }
                _ => self.store_value(txn, row, raw, compress)?,
            };
            places.push((column, place));
        }
        for (_, place) in before.iter().filter(|(at, _)| !kept.contains(at)) {
            self.end_value(txn, place)?;
        }
        Ok(places)
    }

    /// True when some of these values may leave their row.
    pub(crate) fn may_be_toasted(&self, values: &[Datum]) -> bool {
        let min = self.store.shared.toast_min;
        let may_be_long = |value: &Datum| string_bytes(value).is_some_and(|raw| raw.len() > min);
        values.iter().any(may_be_long)
    }

    /// The row of a version goes: so do its values.
    pub(crate) fn end_toasted(&self, txn: &mut Transaction, version: &Version) -> PgResult<()> {
        for (_, place) in version.places()? {
            self.end_value(txn, &place)?;
        }
        Ok(())
    }

    /// The value, if it is to leave its row, and whether it may be compressed.
    fn toastable<'v>(&self, column: usize, raw: &'v [u8]) -> Option<(&'v [u8], bool)> {
        let min = self.store.shared.toast_min;
        let (min, compress) = match self.def.storage_of(column) {
            ColumnStorage::Plain => return None,
            ColumnStorage::External => (min, false),
            ColumnStorage::Extended => (min, true),
            ColumnStorage::Main => (min * MAIN_FACTOR, true),
        };
        let fits = raw.len() > min && !self.store.is_catalog();
        // Lengths have 32 bits.
        (fits && u32::try_from(raw.len()).is_ok()).then_some((raw, compress))
    }

    fn is_same(&self, place: &[u8], raw: &[u8]) -> PgResult<bool> {
        match Place::of(place)? {
            Place::OutOfLine(pointer) => self.store.is_value(&pointer, raw),
            Place::Inline { .. } => Ok(false),
        }
    }

    fn end_value(&self, txn: &mut Transaction, place: &[u8]) -> PgResult<()> {
        let Place::OutOfLine(pointer) = Place::of(place)? else {
            return Ok(());
        };
        let value = Tracked::ending(&pointer, txn.stamp()?);
        self.store.toast.track(&value);
        let table = Arc::clone(&self.store);
        txn.note_toast();
        txn.record(Write::ToastEnd { table, value }, None)
    }

    /// Stores a value; what stands in its place.
    fn store_value(
        &self,
        txn: &mut Transaction,
        row: RowId,
        raw: &[u8],
        compress: bool,
    ) -> PgResult<Box<[u8]>> {
        if compress && let Some(inline) = compress_inline(raw, self.store.shared.toast_min) {
            return Ok(inline);
        }
        let name = txn.toast_name(row)?;
        if txn.toasts_ahead(raw.len()) {
            return self.store_ahead(txn, name, raw, compress);
        }
        let table = Arc::clone(&self.store);
        txn.record(Write::Toast { table, name }, None)?;
        let (logged, id) = (self.is_logged(), self.store.id);
        let pointer = store_chunks(name, raw, compress, &mut |chunk, bytes| {
            let op = RedoOp::ToastPut {
                relation: id,
                name,
                chunk,
                bytes: &bytes,
            };
            if logged {
                txn.log(op)?;
            }
            self.store.put_fresh(name, chunk, bytes.into())
        })?;
        Ok(place_of(&pointer))
    }

    /// Stores a value in the KV store at once.
    fn store_ahead(
        &self,
        txn: &mut Transaction,
        name: Name,
        raw: &[u8],
        compress: bool,
    ) -> PgResult<Box<[u8]>> {
        let stamp = txn.stamp()?;
        let unknown = Pointer {
            name,
            raw_len: raw.len() as u32,
            stored_len: 0,
            compressed: false,
        };
        let value = Tracked::ahead(&unknown, stamp);
        let table = Arc::clone(&self.store);
        txn.note_toast();
        txn.note_store();
        let write = Write::ToastAhead {
            table,
            value: Arc::clone(&value),
        };
        txn.record(write, None)?;
        // From here on checkpoints know it.
        self.store.toast.track(&value);
        let kv = &self.store.shared.kv;
        let mut batch = WriteBatch::new();
        value.put_note(self.store.id, &mut batch);
        let pointer = store_chunks(name, raw, compress, &mut |chunk, bytes| {
            batch.put(keyspace(self.store.id), name.chunk_key(chunk), bytes);
            if batch.payload_bytes() > BATCH_BYTES {
                kv.write(std::mem::take(&mut batch), Durability::Eventual)?;
            }
            Ok(())
        })?;
        kv.write(batch, Durability::Eventual)?;
        value.stored_len.store(pointer.stored_len, Ordering::Relaxed);
        let bytes = i64::from(pointer.stored_len);
        self.store.toast.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(place_of(&pointer))
    }

    /// Takes the long values out of columns of rows from `first` on; None when there are none. With a `sink` the chunks go there, else they
    /// are the transaction's.
    pub(crate) fn toast_columns(
        &self,
        txn: &mut Transaction,
        first: RowId,
        columns: &[Arc<Vector>],
        mut sink: Option<ChunkSink<'_>>,
    ) -> PgResult<Option<(Vec<Arc<Vector>>, BlockToast)>> {
        let mut toast = BlockToast::default();
        let mut out: Option<Vec<Arc<Vector>>> = None;
        for (number, column) in columns.iter().enumerate() {
            if !self.has_toastable(number, column) {
                continue;
            }
            let mut short = Vector::empty(column.phys());
            for i in 0..column.len() {
                let raw = string_at(column, i);
                let Some((raw, compress)) = raw.and_then(|raw| self.toastable(number, raw)) else {
                    short.push_from(column, i);
                    continue;
                };
                let row = RowId(first.0 + i as u64);
                let place = match &mut sink {
                    Some(sink) => self.store_with_row(txn, row, raw, compress, *sink)?,
                    None => self.store_value(txn, row, raw, compress)?,
                };
                toast.push(i, number as u16, place);
                short.push(&Datum::Null);
            }
            out.get_or_insert_with(|| columns.to_vec())[number] = Arc::new(short);
        }
        toast.sort();
        Ok(out.map(|columns| (columns, toast)))
    }

    fn has_toastable(&self, number: usize, column: &Vector) -> bool {
        if !matches!(column.phys(), PhysType::Text | PhysType::Bytes) {
            return false;
        }
        let (VectorData::Text(strings) | VectorData::Bytes(strings)) = column.data() else {
            return false;
        };
        let min = self.store.shared.toast_min;
        (0..strings.len())
            .any(|i| strings.byte_len(i) > min && self.toastable(number, strings.bytes(i)).is_some())
    }

    fn store_with_row(
        &self,
        txn: &mut Transaction,
        row: RowId,
        raw: &[u8],
        compress: bool,
        sink: ChunkSink<'_>,
    ) -> PgResult<Box<[u8]>> {
        if compress && let Some(inline) = compress_inline(raw, self.store.shared.toast_min) {
            return Ok(inline);
        }
        let name = txn.toast_name(row)?;
        let pointer = store_chunks(name, raw, compress, &mut |chunk, bytes| {
            sink(name.chunk_key(chunk), bytes)
        })?;
        let bytes = i64::from(pointer.stored_len);
        self.store.toast.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(place_of(&pointer))
    }
}

/// Cuts a value into chunks and hands them out.
fn store_chunks(
    name: Name,
    raw: &[u8],
    compress: bool,
    put: &mut dyn FnMut(u32, Vec<u8>) -> PgResult<()>,
) -> PgResult<Pointer> {
    let mut pointer = Pointer {
        name,
        raw_len: raw.len() as u32,
        stored_len: 0,
        compressed: false,
    };
    let mut scratch = Vec::new();
    for (number, chunk) in (0..).zip(raw.chunks(CHUNK_BYTES)) {
        cancel::check()?;
        let (bytes, compressed) = pack_chunk(chunk, compress, &mut scratch);
        pointer.compressed |= compressed;
        pointer.stored_len = pointer.stored_len.saturating_add(bytes.len() as u32);
        put(number, bytes)?;
    }
    Ok(pointer)
}

fn place_of(pointer: &Pointer) -> Box<[u8]> {
    let mut out = Vec::new();
    pointer.put(&mut out);
    out.into()
}

fn string_bytes(value: &Datum) -> Option<&[u8]> {
    match value {
        Datum::Text(text) => Some(text.as_bytes()),
        Datum::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}

/// The string in row `i` of a column, if it is one of strings and not NULL there.
fn string_at(column: &Vector, i: usize) -> Option<&[u8]> {
    column.bytes(i).filter(|_| !column.is_null(i))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use common::cancel::{CancelReason, CancelToken};

    use super::*;

    #[test]
    fn long_values_are_cut_until_cancelled() {
        let raw = vec![7; 2 * CHUNK_BYTES + 9];
        let name = Name {
            row: 1,
            xid: 2,
            number: 0,
        };
        let mut chunks = 0;
        let mut put = |_: u32, _: Vec<u8>| {
            chunks += 1;
            Ok(())
        };
        store_chunks(name, &raw, true, &mut put).unwrap();
        let cancel = CancelToken::new();
        let _entered = cancel.enter();
        cancel.cancel(CancelReason::User);
        let told = store_chunks(name, &raw, true, &mut put).unwrap_err();
        assert_eq!(told.sqlstate.as_str(), "57014");
        assert_eq!(chunks, 3);
    }
}
