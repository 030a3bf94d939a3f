//! Two-phase commit: transactions between PREPARE TRANSACTION and COMMIT or ROLLBACK PREPARED.
//!
//! PG: src/backend/access/transam/twophase.c.
//!
//! # How it works
//! The log record of the first phase holds who it is, its locks, what it has read if it is serializable, and what of its changes is not in the log yet; for replay it is one more
//! chunk, which counts with the commit record of the second phase. Until then the log from its first record on stays.
//! In this process the transaction simply lives on, apart from its session; after a restart `storage::resume` makes it anew: the same xid,
//! its changes uncommitted in delta, its locks taken again. Forks and backups get a [`PreparedCopy`], made from the write set.

use common::{Csn, Oid, PgError, PgResult, RowId, Xid, pg_err};
use txn::{AdvisoryKey, LockMode, LockTag};

use crate::storage::resume::InDoubt;
use crate::transaction::Transaction;
use crate::transaction::redo::{put_bytes, put_varint, take_bytes, take_varint};

/// Who a prepared transaction is (`pg_prepared_xacts`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedInfo {
    /// What the application calls it.
    pub gid: String,
    /// The role that prepared it.
    pub owner: Oid,
    /// The database.
    pub database: Oid,
    /// When.
    pub prepared_unix_micros: i64,
}

/// A transaction that waits for the second phase.
pub struct PreparedTransaction {
    info: PreparedInfo,
    xid: Xid,
    txn: Transaction,
}

impl Transaction {
    /// The first phase. On error it has been rolled back.
    pub fn prepare(mut self, info: PreparedInfo) -> PgResult<PreparedTransaction> {
        self.snapshot = None;
        let prepared = self.seal().and_then(|()| self.log_prepare(&info));
        match prepared {
            Ok(xid) => {
                // What it did is in the log: the commit record needs to say nothing more.
                self.redo = Vec::new();
                self.spills += 1;
                self.prepared = true;
                Ok(PreparedTransaction { info, xid, txn: self })
            }
            Err(error) => {
                self.undo_all();
                Err(error)
            }
        }
    }

    fn log_prepare(&mut self, info: &PreparedInfo) -> PgResult<Xid> {
        let below = self.txn()?;
        let locks = below.manager().locks().held_by_transaction(below.proc());
        let mut payload = Vec::new();
        put_header(info, &locks, &below.serial_state(), &mut payload);
        payload.extend_from_slice(&self.redo);
        Ok(self.txn_mut()?.prepare(&payload)?)
    }
}

impl PreparedTransaction {
    /// One that recovery has found; its changes are in `txn`.
    pub(crate) fn resumed(info: PreparedInfo, xid: Xid, mut txn: Transaction) -> PreparedTransaction {
        txn.spills = 1;
        txn.prepared = true;
        PreparedTransaction { info, xid, txn }
    }

    /// Who it is.
    pub fn info(&self) -> &PreparedInfo {
        &self.info
    }

    /// The same transaction for a copy of the database; `logged`: without its changes of unlogged tables.
    pub fn copy(&self, logged: bool) -> PgResult<PreparedCopy> {
        let below = self.txn.txn()?;
        let locks = below.manager().locks().held_by_transaction(below.proc());
        let mut ops = Vec::new();
        self.txn
            .writes
            .iter()
            .for_each(|write| write.redo(logged, &mut ops));
        Ok(PreparedCopy {
            xid: self.xid,
            head: Head {
                info: self.info.clone(),
                locks,
                serial: below.serial_state(),
            },
            ops,
        })
    }

    /// Its transaction id.
    pub fn xid(&self) -> Xid {
        self.xid
    }

    /// See [`Transaction::on_commit`].
    pub fn on_commit(&mut self, hook: impl FnOnce() + Send + 'static) {
        self.txn.on_commit(hook);
    }

    /// COMMIT PREPARED. On error (the log cannot be written) it is still prepared.
    pub fn commit(mut self) -> Result<Csn, (Box<PreparedTransaction>, Box<PgError>)> {
        match self.txn.commit_in_place() {
            Ok(csn) => Ok(csn),
            Err(error) => Err((Box::new(self), error)),
        }
    }

    /// ROLLBACK PREPARED.
    pub fn rollback(mut self) -> PgResult<()> {
        let storage = std::sync::Arc::clone(self.txn.storage());
        self.txn.undo_all();
        let wal = storage.manager().wal();
        Ok(wal.flush(wal.insert_lsn())?)
    }
}

/// A prepared transaction as it goes into another database.
pub struct PreparedCopy {
    pub(crate) xid: Xid,
    head: Head,
    ops: Vec<u8>,
}

impl PreparedCopy {
    /// Its record in a log.
    pub(crate) fn record(&self) -> Vec<u8> {
        let mut payload = Vec::new();
        put_header(&self.head.info, &self.head.locks, &self.head.serial, &mut payload);
        payload.extend_from_slice(&self.ops);
        payload
    }

    pub(crate) fn in_doubt(self) -> InDoubt {
        InDoubt {
            xid: self.xid,
            lsn: common::Lsn::default(),
            head: self.head,
            parts: vec![self.ops],
        }
    }
}

/// What the record of a prepared transaction begins with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Head {
    pub(crate) info: PreparedInfo,
    pub(crate) locks: Vec<(LockTag, LockMode)>,
    /// See [`txn::Txn::serial_state`].
    pub(crate) serial: Vec<u8>,
}

/// The head of the record: format version 2 (1 had no reads), who, locks, reads.
fn put_header(info: &PreparedInfo, locks: &[(LockTag, LockMode)], serial: &[u8], out: &mut Vec<u8>) {
    out.push(2);
    put_bytes(info.gid.as_bytes(), out);
    put_varint(u64::from(info.owner.0), out);
    put_varint(u64::from(info.database.0), out);
    put_varint(info.prepared_unix_micros as u64, out);
    let kept: Vec<_> = locks
        .iter()
        .filter_map(|(tag, mode)| Some((fields(tag)?, *mode)))
        .collect();
    put_varint(kept.len() as u64, out);
    for ((kind, numbers), mode) in kept {
        out.extend([kind, mode as u8]);
        numbers.into_iter().for_each(|n| put_varint(n, out));
    }
    put_bytes(serial, out);
}

/// A tag as a kind and four numbers; ends of transactions are not kept.
fn fields(tag: &LockTag) -> Option<(u8, [u64; 4])> {
    let oid = |oid: &Oid| u64::from(oid.0);
    Some(match tag {
        LockTag::Relation { database, relation } => (0, [oid(database), oid(relation), 0, 0]),
        LockTag::Row {
            database,
            relation,
            row,
        } => (1, [oid(database), oid(relation), row.0, 0]),
        LockTag::Object {
            database,
            class,
            object,
            sub_id,
        } => (2, [oid(database), oid(class), oid(object), u64::from(*sub_id)]),
        LockTag::Advisory { database, key } => match key {
            AdvisoryKey::One(n) => (3, [oid(database), *n as u64, 0, 0]),
            AdvisoryKey::Two(a, b) => (4, [oid(database), *a as u32 as u64, *b as u32 as u64, 0]),
        },
        // Turns and ends of transactions are for those who wait.
        LockTag::Tuple { .. } | LockTag::Transaction(_) | LockTag::VirtualTransaction(_) => return None,
    })
}

/// Reads the head from the front of `bytes`, which advances.
pub(crate) fn take_header(bytes: &mut &[u8]) -> PgResult<Head> {
    let damaged = || pg_err!(DATA_CORRUPTED, "record of a prepared transaction is damaged");
    let version = take_byte(bytes);
    if !matches!(version, Some(1 | 2)) {
        return Err(damaged());
    }
    let gid = std::str::from_utf8(take_bytes(bytes)?)
        .map_err(|_| damaged())?
        .to_owned();
    let info = PreparedInfo {
        gid,
        owner: Oid(take_varint(bytes)? as u32),
        database: Oid(take_varint(bytes)? as u32),
        prepared_unix_micros: take_varint(bytes)? as i64,
    };
    let mut locks = Vec::new();
    for _ in 0..take_varint(bytes)? {
        let (Some(kind), Some(mode)) = (take_byte(bytes), take_byte(bytes)) else {
            return Err(damaged());
        };
        let mut n = [0; 4];
        for number in &mut n {
            *number = take_varint(bytes)?;
        }
        let mode = LockMode::ALL
            .into_iter()
            .find(|m| *m as u8 == mode)
            .ok_or_else(damaged)?;
        locks.push((tag(kind, n).ok_or_else(damaged)?, mode));
    }
    let serial = match version {
        Some(2) => take_bytes(bytes)?.to_vec(),
        _ => Vec::new(),
    };
    Ok(Head { info, locks, serial })
}

fn take_byte(bytes: &mut &[u8]) -> Option<u8> {
    let (&byte, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(byte)
}

fn tag(kind: u8, [a, b, c, d]: [u64; 4]) -> Option<LockTag> {
    let (database, second) = (Oid(a as u32), Oid(b as u32));
    Some(match kind {
        0 => LockTag::Relation {
            database,
            relation: second,
        },
        1 => LockTag::Row {
            database,
            relation: second,
            row: RowId(c),
        },
        2 => LockTag::Object {
            database,
            class: second,
            object: Oid(c as u32),
            sub_id: d as u16,
        },
        3 => LockTag::Advisory {
            database,
            key: AdvisoryKey::One(b as i64),
        },
        4 => LockTag::Advisory {
            database,
            key: AdvisoryKey::Two(b as u32 as i32, c as u32 as i32),
        },
        _ => return None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn heads_survive_the_log_and_damage_is_an_error() {
        let info = PreparedInfo {
            gid: "a b".into(),
            owner: Oid(10),
            database: Oid(5),
            prepared_unix_micros: -7,
        };
        let database = Oid(5);
        let relation = Oid(70_000);
        let tags = [
            LockTag::Relation { database, relation },
            LockTag::Row {
                database,
                relation,
                row: RowId(1 << 40),
            },
            LockTag::Object {
                database,
                class: Oid(1),
                object: Oid(2),
                sub_id: 3,
            },
            LockTag::Advisory {
                database,
                key: AdvisoryKey::One(-1),
            },
            LockTag::Advisory {
                database,
                key: AdvisoryKey::Two(-1, 2),
            },
        ];
        let locks: Vec<_> = tags.into_iter().zip(LockMode::ALL).collect();
        let mut bytes = Vec::new();
        let serial = vec![0, 1, 2];
        put_header(&info, &locks, &serial, &mut bytes);
        bytes.push(77);
        let mut rest = bytes.as_slice();
        assert_eq!(take_header(&mut rest).unwrap(), Head { info, locks, serial });
        assert_eq!(rest, [77]);
        for cut in 0..bytes.len() - 1 {
            assert!(take_header(&mut &bytes[..cut]).is_err());
        }
    }
}
