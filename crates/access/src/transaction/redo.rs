//! What a transaction puts into the log: operations on encoded keys, replayed in order.
//!
//! # Format (docs/internals/storage-formats.md)
//! One byte for the kind, the relation id as varint, then
//! ```text
//! 1 row put         row id varint, length varint, tuple
//! 2 row delete      row id varint
//! 3 row tombstone   row id varint          (a row of the program)
//! 4 entry put       length varint, key, length varint, value
//! 5 entry delete    length varint, key
//! 6 created         -
//! 7 dropped         -
//! 8 stored          first row id, rows, heap bytes varints   (a load is in the KV store: [`crate::ahead`])
//! 9 toast put       row id, xid, number, chunk, length varints, chunk        (a value: [`crate::toast`])
//! 10 toast end      row id, xid, number, chunks varints      (no row has the value any more)
//! 11 toast stored   row id, xid, number varints              (the value is in the KV store)
//! ```

use common::{PgResult, RelationId, RowId, pg_err};

use crate::toast::Name;

/// One logged operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RedoOp<'a> {
    RowPut(RelationId, RowId, &'a [u8]),
    RowDelete(RelationId, RowId),
    RowTombstone(RelationId, RowId),
    EntryPut(RelationId, &'a [u8], &'a [u8]),
    EntryDelete(RelationId, &'a [u8]),
    Created(RelationId),
    Dropped(RelationId),
    /// All of a load is in the KV store.
    Stored {
        relation: RelationId,
        first: u64,
        rows: u64,
        heap_bytes: u64,
    },
    /// A chunk of a value.
    ToastPut {
        relation: RelationId,
        name: Name,
        chunk: u32,
        bytes: &'a [u8],
    },
    /// A value that no row has any more, and how many chunks it has.
    ToastEnd(RelationId, Name, u32),
    /// All of a value is in the KV store.
    ToastStored(RelationId, Name),
    /// Rows, and their entries in indexes: see [`crate::ahead::ends::Marks`].
    RowsEnded(RelationId, &'a [u8]),
    /// Rows of which the store has, beside them, what they are now ([`crate::ahead::heirs`]).
    RowsChanged(RelationId, &'a [u8]),
}

/// Appends an operation.
pub(crate) fn put_op(op: RedoOp<'_>, out: &mut Vec<u8>) {
    let (kind, relation) = match op {
        RedoOp::RowPut(r, ..) => (1, r),
        RedoOp::RowDelete(r, _) => (2, r),
        RedoOp::RowTombstone(r, _) => (3, r),
        RedoOp::EntryPut(r, ..) => (4, r),
        RedoOp::EntryDelete(r, _) => (5, r),
        RedoOp::Created(r) => (6, r),
        RedoOp::Dropped(r) => (7, r),
        RedoOp::Stored { relation, .. } => (8, relation),
        RedoOp::ToastPut { relation, .. } => (9, relation),
        RedoOp::ToastEnd(r, ..) => (10, r),
        RedoOp::ToastStored(r, _) => (11, r),
        RedoOp::RowsEnded(r, _) => (12, r),
        RedoOp::RowsChanged(r, _) => (13, r),
    };
    // One growth for most transactions instead of several.
    out.reserve(256);
    out.push(kind);
    put_varint(relation.0, out);
    match op {
        RedoOp::RowPut(_, row, bytes) => {
            put_varint(row.0, out);
            put_bytes(bytes, out);
        }
        RedoOp::RowDelete(_, row) | RedoOp::RowTombstone(_, row) => put_varint(row.0, out),
        RedoOp::EntryPut(_, key, value) => {
            put_bytes(key, out);
            put_bytes(value, out);
        }
        RedoOp::EntryDelete(_, key) => put_bytes(key, out),
        RedoOp::Created(_) | RedoOp::Dropped(_) => {}
        RedoOp::Stored {
            first,
            rows,
            heap_bytes,
            ..
        } => [first, rows, heap_bytes]
            .into_iter()
            .for_each(|n| put_varint(n, out)),
        RedoOp::ToastPut {
            name, chunk, bytes, ..
        } => {
            name.put(out);
            put_varint(u64::from(chunk), out);
            put_bytes(bytes, out);
        }
        RedoOp::ToastEnd(_, name, chunks) => {
            name.put(out);
            put_varint(u64::from(chunks), out);
        }
        RedoOp::ToastStored(_, name) => name.put(out),
        RedoOp::RowsEnded(_, marks) | RedoOp::RowsChanged(_, marks) => put_bytes(marks, out),
    }
}

/// Reads the next operation from the front of `bytes`, which advances.
pub(crate) fn take_op<'a>(bytes: &mut &'a [u8]) -> PgResult<RedoOp<'a>> {
    let (&kind, rest) = bytes.split_first().ok_or_else(damaged)?;
    *bytes = rest;
    let relation = RelationId(take_varint(bytes)?);
    Ok(match kind {
        1 => RedoOp::RowPut(relation, RowId(take_varint(bytes)?), take_bytes(bytes)?),
        2 => RedoOp::RowDelete(relation, RowId(take_varint(bytes)?)),
        3 => RedoOp::RowTombstone(relation, RowId(take_varint(bytes)?)),
        4 => RedoOp::EntryPut(relation, take_bytes(bytes)?, take_bytes(bytes)?),
        5 => RedoOp::EntryDelete(relation, take_bytes(bytes)?),
        6 => RedoOp::Created(relation),
        7 => RedoOp::Dropped(relation),
        8 => RedoOp::Stored {
            relation,
            first: take_varint(bytes)?,
            rows: take_varint(bytes)?,
            heap_bytes: take_varint(bytes)?,
        },
        9 => RedoOp::ToastPut {
            relation,
            name: Name::take(bytes)?,
            chunk: take_varint(bytes)? as u32,
            bytes: take_bytes(bytes)?,
        },
        10 => RedoOp::ToastEnd(relation, Name::take(bytes)?, take_varint(bytes)? as u32),
        11 => RedoOp::ToastStored(relation, Name::take(bytes)?),
        12 => RedoOp::RowsEnded(relation, take_bytes(bytes)?),
        13 => RedoOp::RowsChanged(relation, take_bytes(bytes)?),
        _ => return Err(damaged()),
    })
}

fn damaged() -> Box<common::PgError> {
    pg_err!(DATA_CORRUPTED, "record of the write-ahead log is damaged")
}

pub(crate) fn put_varint(mut v: u64, out: &mut Vec<u8>) {
    while v >= 0x80 {
        out.push(v as u8 | 0x80);
        v >>= 7;
    }
    out.push(v as u8);
}

pub(crate) fn take_varint(bytes: &mut &[u8]) -> PgResult<u64> {
    let mut v = 0u64;
    for shift in (0..64).step_by(7) {
        let (&b, rest) = bytes.split_first().ok_or_else(damaged)?;
        *bytes = rest;
        v |= u64::from(b & 0x7f) << shift;
        if b < 0x80 {
            return Ok(v);
        }
    }
    Err(damaged())
}

pub(crate) fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

pub(crate) fn take_bytes<'a>(bytes: &mut &'a [u8]) -> PgResult<&'a [u8]> {
    let len = usize::try_from(take_varint(bytes)?).map_err(|_| damaged())?;
    let (head, rest) = bytes.split_at_checked(len).ok_or_else(damaged)?;
    *bytes = rest;
    Ok(head)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn operations_survive_the_log_and_damage_is_an_error() {
        let name = Name {
            row: 1 << 40,
            xid: 700,
            number: 5,
        };
        let ops = [
            RedoOp::RowPut(RelationId(300), RowId(1 << 40), b"row"),
            RedoOp::RowDelete(RelationId(1), RowId(0)),
            RedoOp::RowTombstone(RelationId(1), RowId(127)),
            RedoOp::EntryPut(RelationId(2), b"key", b""),
            RedoOp::EntryDelete(RelationId(2), b"key"),
            RedoOp::Created(RelationId(9)),
            RedoOp::Dropped(RelationId(9)),
            RedoOp::Stored {
                relation: RelationId(9),
                first: 1 << 40,
                rows: 1000,
                heap_bytes: 1 << 20,
            },
            RedoOp::ToastPut {
                relation: RelationId(9),
                name,
                chunk: 300,
                bytes: b"chunk",
            },
            RedoOp::ToastEnd(RelationId(9), name, 4),
            RedoOp::ToastStored(RelationId(9), name),
            RedoOp::RowsEnded(RelationId(9), b"marks"),
            RedoOp::RowsChanged(RelationId(9), b"marks"),
        ];
        let mut log = Vec::new();
        ops.iter().for_each(|op| put_op(*op, &mut log));
        let mut rest = log.as_slice();
        for op in ops {
            assert_eq!(take_op(&mut rest).unwrap(), op);
        }
        for cut in 1..8 {
            assert!(take_op(&mut &log[..cut]).is_err());
        }
    }
}
