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

/// Column number as in `pg_attribute.attnum`: 1-based, negative for system columns, 0 for the whole row.
pub type AttrNumber = i16;
