//! TOAST: long strings out of their rows.
//!
//! PG: src/backend/access/common/toast_internals.c, src/backend/access/table/toast_helper.c.
//!
//! # How it works
//! 1. A string longer than [`crate::StorageOptions::toast_bytes_min`] is taken out of its row ([`rows`]), unless its column's storage
//!    is PLAIN. If it gets short by compression it stays there, compressed; else it goes away in chunks, each compressed on its own,
//!    and the row keeps a [`Pointer`]. Neither is looked at before somebody asks for the column ([`store`]).
//! 2. A value is protected by the log like its row, and lies in memory (*fresh*) until the checkpoint that writes its row writes it too.
//!    A very long one, or one more of a transaction that has many, goes into the KV store at once instead, with a note that it
//!    does not count yet. The commit makes the store durable and says in the log that the value is *stored*; a checkpoint then takes
//!    the note away. A rollback, or a log that does not say so, means that the value goes.
//! 3. Large insertions ([`crate::ahead`], [`crate::direct`]) write the chunks with their rows; what removes the rows removes them.
//! 4. An update that leaves a value as it was keeps the pointer. One that does not, and a deletion, *end* the value: the log has that with
//!    the commit. A checkpoint removes it when no snapshot sees the row any more; until then a note says that it is to go.
//!
//! # Format
//! In the row (see [`types::tuple::toasted`]): a byte, 0: varint length, then the value, compressed; 1: varints row id, xid and number (the
//! [`Name`]), length, length of all chunks, then a byte, 1 if some chunk is compressed. Chunks lie in a keyspace beside the table's
//! under name and number (big-endian), with a byte in front, 0: as it is, 1: compressed by LZ4.
//!
//! # Invariants
//! - A name is never used for two values: row id, xid, and a number within the transaction. Only transactions whose row ids or notes
//!   are in the store can have left something there without having committed, and neither comes again.
//! - Who can see a row can read its values: they leave memory when the store has them, and the store when no snapshot sees the row.
//! - Rows with values elsewhere are never packed. Catalogs keep their values in their rows.

pub(crate) mod block;
pub(crate) mod facts;
pub(crate) mod rows;
pub(crate) mod store;

use common::{PgResult, pg_err};
use kv::Keyspace;

use crate::index::pack;
use crate::transaction::redo::{put_varint, take_varint};

/// Bytes of a value that one entry of the KV store has.
pub(crate) const CHUNK_BYTES: usize = 128 << 10;
/// Longer values are not tried whether they fit into their rows once compressed.
const INLINE_BYTES_MAX: usize = 32 << 10;

const INLINE: u8 = 0;
const OUT_OF_LINE: u8 = 1;
const PLAIN: u8 = 0;
const LZ4: u8 = 1;

/// Bytes of a key before the number of the chunk.
pub(crate) const NAME_BYTES: usize = 20;

/// What a value is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Name {
    /// The row that it was first part of.
    pub(crate) row: u64,
    pub(crate) xid: u64,
    pub(crate) number: u32,
}

impl Name {
    /// The key of a chunk; the values of a row lie together.
    pub(crate) fn chunk_key(&self, chunk: u32) -> [u8; 24] {
        let mut key = [0; 24];
        key[..8].copy_from_slice(&self.row.to_be_bytes());
        key[8..16].copy_from_slice(&self.xid.to_be_bytes());
        key[16..20].copy_from_slice(&self.number.to_be_bytes());
        key[20..].copy_from_slice(&chunk.to_be_bytes());
        key
    }

    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        put_varint(self.row, out);
        put_varint(self.xid, out);
        put_varint(u64::from(self.number), out);
    }

    pub(crate) fn take(bytes: &mut &[u8]) -> PgResult<Name> {
        Ok(Name {
            row: take_varint(bytes)?,
            xid: take_varint(bytes)?,
            number: take_varint(bytes)? as u32,
        })
    }
}

/// Where a value lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pointer {
    pub(crate) name: Name,
    pub(crate) raw_len: u32,
    /// Bytes of its chunks.
    pub(crate) stored_len: u32,
    pub(crate) compressed: bool,
}

impl Pointer {
    pub(crate) fn chunks(&self) -> u32 {
        (self.raw_len as usize).div_ceil(CHUNK_BYTES) as u32
    }

    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        out.push(OUT_OF_LINE);
        self.name.put(out);
        put_varint(u64::from(self.raw_len), out);
        put_varint(u64::from(self.stored_len), out);
        out.push(u8::from(self.compressed));
    }
}

/// What stands in a row instead of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    /// The value itself, compressed.
    Inline {
        raw_len: usize,
        compressed: &'a [u8],
    },
    OutOfLine(Pointer),
}

impl<'a> Place<'a> {
    pub(crate) fn of(mut bytes: &'a [u8]) -> PgResult<Place<'a>> {
        let (&kind, rest) = bytes.split_first().ok_or_else(damaged)?;
        bytes = rest;
        let length = |bytes: &mut &[u8]| -> PgResult<u32> {
            let length = take_varint(bytes).map_err(|_| damaged())?;
            u32::try_from(length).map_err(|_| damaged())
        };
        match kind {
            INLINE => Ok(Place::Inline {
                raw_len: length(&mut bytes)? as usize,
                compressed: bytes,
            }),
            OUT_OF_LINE => Ok(Place::OutOfLine(Pointer {
                name: Name::take(&mut bytes).map_err(|_| damaged())?,
                raw_len: length(&mut bytes)?,
                stored_len: length(&mut bytes)?,
                compressed: bytes == [1],
            })),
            _ => Err(damaged()),
        }
    }

    pub(crate) fn raw_len(&self) -> usize {
        match self {
            Place::Inline { raw_len, .. } => *raw_len,
            Place::OutOfLine(pointer) => pointer.raw_len as usize,
        }
    }
}

fn damaged() -> Box<common::PgError> {
    pg_err!(DATA_CORRUPTED, "compressed data is corrupted")
}

/// The keyspace of a table's values.
pub(crate) fn keyspace(table: common::RelationId) -> Keyspace {
    pack::keyspace(table)
}

/// The value as it may stand in its row, if compression makes it short enough.
fn compress_inline(raw: &[u8], len_max: usize) -> Option<Box<[u8]>> {
    if raw.len() > INLINE_BYTES_MAX {
        return None;
    }
    let mut out = vec![INLINE];
    put_varint(raw.len() as u64, &mut out);
    out.extend_from_slice(&lz4_flex::block::compress(raw));
    (out.len() <= len_max && out.len() < raw.len() / 8 * 7).then(|| out.into())
}

/// A chunk as it is stored, and whether it is compressed.
fn pack_chunk(raw: &[u8], compress: bool, scratch: &mut Vec<u8>) -> (Vec<u8>, bool) {
    if compress {
        scratch.resize(lz4_flex::block::get_maximum_output_size(raw.len()), 0);
        if let Ok(len) = lz4_flex::block::compress_into(raw, scratch)
            && len < raw.len() / 16 * 15
        {
            let mut out = Vec::with_capacity(len + 1);
            out.push(LZ4);
            out.extend_from_slice(&scratch[..len]);
            return (out, true);
        }
    }
    let mut out = Vec::with_capacity(raw.len() + 1);
    out.push(PLAIN);
    out.extend_from_slice(raw);
    (out, false)
}

/// Appends a chunk that has `raw_len` bytes once it is decompressed.
fn unpack_chunk(stored: &[u8], raw_len: usize, out: &mut Vec<u8>) -> PgResult<()> {
    match stored.split_first() {
        Some((&PLAIN, raw)) if raw.len() == raw_len => {
            out.extend_from_slice(raw);
            Ok(())
        }
        Some((&LZ4, compressed)) => {
            let start = out.len();
            out.resize(start + raw_len, 0);
            match lz4_flex::block::decompress_into(compressed, &mut out[start..]) {
                Ok(len) if len == raw_len => Ok(()),
                _ => Err(damaged()),
            }
        }
        _ => Err(damaged()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn places_and_chunks_survive_and_damage_is_an_error() {
        let pointer = Pointer {
            name: Name {
                row: 1 << 40,
                xid: 77,
                number: 3,
            },
            raw_len: 300_000,
            stored_len: 5,
            compressed: true,
        };
        let mut bytes = Vec::new();
        pointer.put(&mut bytes);
        assert_eq!(Place::of(&bytes).unwrap(), Place::OutOfLine(pointer));
        assert_eq!(pointer.chunks(), 3);
        for cut in 0..bytes.len() - 1 {
            assert!(Place::of(&bytes[..cut]).is_err());
        }
        let raw = b"again and again and again".repeat(200);
        let inline = compress_inline(&raw, 500).unwrap();
        let Place::Inline { raw_len, compressed } = Place::of(&inline).unwrap() else {
            panic!("{inline:?}")
        };
        assert_eq!(lz4_flex::block::decompress(compressed, raw_len).unwrap(), raw);
        assert!(compress_inline(&raw, 20).is_none());
        let mut scratch = Vec::new();
        for compress in [false, true] {
            let (stored, compressed) = pack_chunk(&raw, compress, &mut scratch);
            assert_eq!(compressed, compress);
            let mut out = vec![1];
            unpack_chunk(&stored, raw.len(), &mut out).unwrap();
            assert_eq!(out[1..], raw);
            assert!(unpack_chunk(&stored, raw.len() + 1, &mut out).is_err());
            assert!(unpack_chunk(&stored[..stored.len() / 2], raw.len(), &mut out).is_err());
        }
    }
}
