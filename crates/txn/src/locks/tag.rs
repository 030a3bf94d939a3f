//! What can be locked, and how PostgreSQL's messages call it.

use common::{Oid, RowId, Xid};

use crate::table::VirtualXid;

/// The two forms of advisory lock keys; they never meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AdvisoryKey {
    /// `pg_advisory_lock(bigint)`.
    One(i64),
    /// `pg_advisory_lock(int, int)`.
    Two(i32, i32),
}

/// Something that can be locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LockTag {
    /// A table, index, sequence...
    Relation {
        /// Its database; invalid for shared relations.
        database: Oid,
        /// Its OID.
        relation: Oid,
    },
    /// The turn of a row: who waits for one of its lockers or writers holds this, others queue for it.
    Tuple {
        /// Database of the relation.
        database: Oid,
        /// The relation.
        relation: Oid,
        /// The row.
        row: RowId,
    },
    /// That a row is locked; kept to the end of the locker's transaction, which must have an xid. PostgreSQL keeps it in the row
    /// itself, and so it shows in no list of locks. Nobody queues for it (see [`crate::LockManager::lock_row`]).
    Row {
        /// Database of the relation.
        database: Oid,
        /// The relation.
        relation: Oid,
        /// The row.
        row: RowId,
    },
    /// The end of a writing transaction.
    Transaction(Xid),
    /// The end of any transaction.
    VirtualTransaction(VirtualXid),
    /// Any other database object.
    Object {
        /// Its database; invalid for shared objects.
        database: Oid,
        /// OID of its catalog.
        class: Oid,
        /// Its OID.
        object: Oid,
        /// Column or the like, else 0.
        sub_id: u16,
    },
    /// What the application says.
    Advisory {
        /// Keys are per database.
        database: Oid,
        /// The key.
        key: AdvisoryKey,
    },
}

impl LockTag {
    /// As `pg_locks.locktype` spells it.
    pub fn type_name(&self) -> &'static str {
        match self {
            LockTag::Relation { .. } => "relation",
            LockTag::Tuple { .. } | LockTag::Row { .. } => "tuple",
            LockTag::Transaction(_) => "transactionid",
            LockTag::VirtualTransaction(_) => "virtualxid",
            LockTag::Object { .. } => "object",
            LockTag::Advisory { .. } => "advisory",
        }
    }

    /// The `classid`, `objid`, `objsubid` columns of an advisory lock in `pg_locks`.
    pub fn advisory_fields(key: AdvisoryKey) -> (u32, u32, u16) {
        match key {
            AdvisoryKey::One(key) => ((key as u64 >> 32) as u32, key as u32, 1),
            AdvisoryKey::Two(a, b) => (a as u32, b as u32, 2),
        }
    }

    /// As deadlock details name it. `tid` turns a row id into block and offset.
    pub fn describe(&self, tid: fn(RowId) -> (u32, u16)) -> String {
        match *self {
            LockTag::Relation { database, relation } => format!("relation {relation} of database {database}"),
            LockTag::Tuple {
                database,
                relation,
                row,
            }
            | LockTag::Row {
                database,
                relation,
                row,
            } => {
                let (block, offset) = tid(row);
                format!("tuple ({block},{offset}) of relation {relation} of database {database}")
            }
            LockTag::Transaction(xid) => format!("transaction {}", xid.0 as u32),
            LockTag::VirtualTransaction(vxid) => format!("virtual transaction {vxid}"),
            LockTag::Object {
                database,
                class,
                object,
                ..
            } => {
                format!("object {object} of class {class} of database {database}")
            }
            LockTag::Advisory { database, key } => {
                let (class, object, sub) = LockTag::advisory_fields(key);
                format!("advisory lock [{database},{class},{object},{sub}]")
            }
        }
    }
}
