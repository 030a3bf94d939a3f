//! `pg_stat_get_activity`, `pg_lock_status`: who is there, and who holds or waits for what.
//!
//! What a session is doing is one byte that it stores when a statement begins and when it has ended; what it waits for is read from the
//! lock table by who asks.

use std::sync::atomic::Ordering;

use common::{Oid, PgResult};
use txn::{AdvisoryKey, LockStatus, LockTag, SerialLock};
use types::Datum;

use crate::database::SessionEntry;
use crate::session::core::EPOCH_MICROS;
use crate::session::env::StatementEnv;

/// What a session is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Doing {
    Idle,
    Active,
    InTransaction,
    Failed,
}

impl Doing {
    /// As `pg_stat_activity.state` has it.
    fn word(letter: u8) -> &'static str {
        match letter {
            l if l == Doing::Active as u8 => "active",
            l if l == Doing::InTransaction as u8 => "idle in transaction",
            l if l == Doing::Failed as u8 => "idle in transaction (aborted)",
            _ => "idle",
        }
    }
}

/// `pg_stat_activity.wait_event` of a lock.
fn lock_event(tag: &LockTag) -> &'static str {
    match tag {
        // An ON CONFLICT waits for a transaction like everybody else.
        LockTag::Row { .. } | LockTag::Transaction(_) => "transactionid",
        other => other.type_name(),
    }
}

/// Columns of `pg_stat_get_activity`.
const ACTIVITY_COLUMNS: usize = 31;

/// The caches of PostgreSQL that `pg_stat_slru` lists: nothing is read through them here.
pub(super) fn slru() -> Vec<Vec<Datum>> {
    const NAMES: [&str; 8] = [
        "commit_timestamp",
        "multixact_member",
        "multixact_offset",
        "notify",
        "serializable",
        "subtransaction",
        "transaction",
        "other",
    ];
    let row = |name: &&str| {
        let mut row = vec![Datum::text(*name)];
        row.extend((0..7).map(|_| Datum::Int8(0)));
        row.push(Datum::Null);
        row
    };
    NAMES.iter().map(row).collect()
}

fn oid(oid: Oid) -> Datum {
    Datum::Oid(oid.0)
}

impl StatementEnv<'_> {
    pub(super) fn backends(&self, database: Oid) -> i32 {
        if database == self.core.db.database_oid {
            self.core.db.sessions.read().len() as i32
        } else {
            0
        }
    }

    /// The own session in full; of others what is known without disturbing them.
    pub(super) fn activity(&self, args: &[Datum]) -> PgResult<Vec<Vec<Datum>>> {
        let wanted = args.first().and_then(Datum::as_i64).map(|pid| pid as i32);
        let sessions = self.core.db.sessions.read();
        let known =
            |(pid, entry): (&i32, &SessionEntry)| (*pid, entry.role, entry.doing.load(Ordering::Relaxed));
        let mut all: Vec<(i32, Oid, u8)> = sessions.iter().map(known).collect();
        drop(sessions);
        all.sort_unstable();
        let active = self.core.db.storage.manager().active();
        let locks = self.core.db.storage.manager().locks().snapshot();
        let mut rows = Vec::new();
        all.retain(|(pid, ..)| wanted.is_none_or(|w| w == *pid));
        for (pid, role, doing) in all {
            let mut row = vec![Datum::Null; ACTIVITY_COLUMNS];
            row[0] = oid(self.core.db.database_oid);
            (row[1], row[2]) = (Datum::Int4(pid), oid(role));
            row[17] = Datum::text("client backend");
            for ssl_or_gss in [18, 25, 27, 28] {
                row[ssl_or_gss] = Datum::Bool(false);
            }
            let waits = locks.iter().find(|l| l.pid == pid && !l.granted);
            let event = match waits {
                Some(lock) => Some(("Lock", lock_event(&lock.tag))),
                None => (doing != Doing::Active as u8).then_some(("Client", "ClientRead")),
            };
            if let Some((kind, event)) = event.filter(|_| pid != self.core.pid) {
                (row[6], row[7]) = (Datum::text(kind), Datum::text(event));
            }
            row[4] = Datum::text(match waits {
                Some(_) => "active",
                None => Doing::word(doing),
            });
            if let Some(info) = active.iter().find(|t| t.pid == pid) {
                row[8] = Datum::Int8(info.started_unix_micros - EPOCH_MICROS);
                row[15] = info.xid.map_or(Datum::Null, |x| Datum::Oid(x.0 as u32));
            }
            if pid == self.core.pid {
                row[3] = Datum::text(self.core.guc.borrow().get("application_name"));
                row[4] = Datum::text("active");
                row[5] = Datum::text(self.query);
                row[8] = Datum::Int8(self.core.transaction_start.get());
                row[9] = Datum::Int8(self.core.statement_start.get());
                row[11] = Datum::Int8(self.core.statement_start.get());
            }
            rows.push(row);
        }
        Ok(rows)
    }

    pub(super) fn lock_status(&self) -> Vec<Vec<Datum>> {
        let manager = self.core.db.storage.manager();
        let all = manager.locks().snapshot();
        let mut rows: Vec<Vec<Datum>> = all.iter().map(lock_row).collect();
        let serial = manager.table().serial_locks();
        rows.extend(serial.iter().map(|lock| self.serial_lock_row(lock)));
        rows
    }

    /// A SIREAD lock: of a row, or of a whole relation.
    fn serial_lock_row(&self, lock: &SerialLock) -> Vec<Datum> {
        let mut row = vec![Datum::Null; 16];
        row[0] = Datum::text(if lock.row.is_some() { "tuple" } else { "relation" });
        row[1] = oid(self.core.db.database_oid);
        row[2] = oid(lock.relation);
        if let Some(at) = lock.row {
            row[3] = Datum::Int4((at.tid() >> 16) as i32);
            row[4] = Datum::Int2(at.tid() as i16);
        }
        row[10] = Datum::text(format!("{}/{}", lock.proc_number, 0));
        row[11] = lock.pid.map_or(Datum::Null, Datum::Int4);
        row[12] = Datum::text("SIReadLock");
        row[13] = Datum::Bool(true);
        row[14] = Datum::Bool(false);
        row
    }
}

/// The columns of `pg_locks`.
fn lock_row(lock: &LockStatus) -> Vec<Datum> {
    let mut row = vec![Datum::Null; 16];
    row[0] = Datum::text(lock.tag.type_name());
    match lock.tag {
        LockTag::Relation { database, relation } => {
            row[1] = oid(database);
            row[2] = oid(relation);
        }
        LockTag::Tuple {
            database,
            relation,
            row: at,
        }
        | LockTag::Row {
            database,
            relation,
            row: at,
        } => {
            row[1] = oid(database);
            row[2] = oid(relation);
            row[3] = Datum::Int4((at.tid() >> 16) as i32);
            row[4] = Datum::Int2(at.tid() as i16);
        }
        LockTag::Transaction(xid) => row[6] = Datum::Oid(xid.0 as u32),
        LockTag::VirtualTransaction(vxid) => row[5] = Datum::text(vxid.to_string()),
        LockTag::Object {
            database,
            class,
            object,
            sub_id,
        } => {
            row[1] = oid(database);
            row[7] = oid(class);
            row[8] = oid(object);
            row[9] = Datum::Int2(sub_id as i16);
        }
        LockTag::Advisory { database, key } => {
            let (high, low, kind) = match key {
                AdvisoryKey::One(key) => ((key >> 32) as u32, key as u32, 1),
                AdvisoryKey::Two(a, b) => (a as u32, b as u32, 2),
            };
            row[1] = oid(database);
            row[7] = Datum::Oid(high);
            row[8] = Datum::Oid(low);
            row[9] = Datum::Int2(kind);
        }
    }
    row[10] = Datum::text(lock.vxid.to_string());
    // A prepared transaction has no session.
    row[11] = match lock.pid {
        0 => Datum::Null,
        pid => Datum::Int4(pid),
    };
    row[12] = Datum::text(lock.mode.name());
    row[13] = Datum::Bool(lock.granted);
    row[14] = Datum::Bool(lock.fast_path);
    row[15] = lock
        .wait_start_unix_micros
        .map_or(Datum::Null, |t| Datum::Int8(t - EPOCH_MICROS));
    row
}
