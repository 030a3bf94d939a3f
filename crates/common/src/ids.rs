//! Numbers that must not be mixed up, each in a type of its own.

use std::fmt;

/// PostgreSQL's object identifier; 0 is "none".
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize,
)]
pub struct Oid(pub u32);

impl Oid {
    /// No object.
    pub const INVALID: Oid = Oid(0);
    /// First OID handed to user objects (PostgreSQL's `FirstNormalObjectId`).
    pub const FIRST_NORMAL: Oid = Oid(16384);

    /// True unless it is 0.
    #[inline]
    pub const fn is_valid(self) -> bool {
        self.0 != 0
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// Transaction id, 64 bits inside; PostgreSQL's 32-bit `xid` is its low half.
    Xid(u64)
);
number!(
    /// Commit sequence number: the order in which transactions became visible. 0 is before everything.
    Csn(u64)
);
number!(
    /// Byte position in the write-ahead log since the database was created.
    Lsn(u64)
);
number!(
    /// Position of a row in its relation, in insertion order; surfaces as `ctid`.
    RowId(u64)
);
number!(
    /// Storage number of a relation (table, index or sequence): its keyspace in the KV store, never reused. 0 is "no storage".
    RelationId(u64)
);
number!(
    /// Command counter within a transaction: later commands see the rows of earlier ones.
    CommandId(u32)
);

/// Rows to a block of a `tid`: PostgreSQL has as many as fit a page, at most 291.
const TID_ROWS: u64 = 256;

impl RowId {
    /// As a `tid`, in one number: block << 16 | offset. Offsets begin at 1, as PostgreSQL's do.
    #[inline]
    pub const fn tid(self) -> i64 {
        (((self.0 / TID_ROWS) << 16) | (self.0 % TID_ROWS + 1)) as i64
    }

    /// The row of a `tid`, if it can be that of one.
    #[inline]
    pub const fn from_tid(tid: i64) -> Option<RowId> {
        let offset = tid & 0xffff;
        if tid < 0 || offset < 1 || offset > TID_ROWS as i64 {
            return None;
        }
        Some(RowId((tid as u64 >> 16) * TID_ROWS + offset as u64 - 1))
    }

    /// How many rows lie before a `tid`, or before and on it: the bounds of ranges.
    pub const fn rows_before_tid(tid: i64, and_on: bool) -> u64 {
        let offset = (tid & 0xffff) as u64;
        let before = if and_on { offset } else { offset.saturating_sub(1) };
        let before = if before > TID_ROWS { TID_ROWS } else { before };
        (tid as u64 >> 16) * TID_ROWS + before
    }
}

/// Column number as in `pg_attribute.attnum`: 1-based, negative for system columns, 0 for the whole row.
pub type AttrNumber = i16;

/// The system column `ctid`: where a row is.
pub const CTID: AttrNumber = -1;
/// The system column `tableoid`: which table a row is of.
pub const TABLEOID: AttrNumber = -6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_tids_go_both_ways() {
        for row in [0, 1, 255, 256, 257, 70_000, 1 << 30] {
            let tid = RowId(row).tid();
            assert_eq!(RowId::from_tid(tid), Some(RowId(row)));
            assert_eq!(RowId::rows_before_tid(tid, false), row);
            assert_eq!(RowId::rows_before_tid(tid, true), row + 1);
        }
        assert_eq!(RowId(0).tid(), 1);
        assert_eq!(RowId::from_tid(0), None);
        assert_eq!(RowId::from_tid(300), None);
        assert_eq!(RowId::rows_before_tid(0, false), 0);
        assert_eq!(RowId::rows_before_tid((1 << 16) | 400, true), 512);
    }
}
