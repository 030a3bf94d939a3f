//! `pg_stat_get_activity`, `pg_lock_status`: who is there, and who holds or waits for what.
//!
//! What a session is doing stands in its record ([`Shown`](crate::session::shown::Shown)); which lock it waits for is read from the lock
//! table by who asks.

use common::{Csn, Oid, PgResult, Xid};
use txn::{AdvisoryKey, LockStatus, LockTag, SerialLock, TxnInfo};
use types::Datum;

use crate::database::SessionEntry;
use crate::session::core::EPOCH_MICROS;
use crate::session::env::StatementEnv;
use crate::session::shown::{Peer, Seen};

/// Members see what the sessions of everybody do.
const PG_READ_ALL_STATS: Oid = Oid(3375);

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

/// A session in a row of `pg_stat_activity`.
struct Backend {
    pid: i32,
    role: Oid,
    automatic: bool,
    seen: Seen,
}

impl Backend {
    fn of(pid: i32, entry: &SessionEntry) -> Backend {
        Backend {
            pid,
            role: entry.role,
            automatic: entry.automatic,
            seen: entry.shown.look(),
        }
    }
}

/// Transactions and locks of the moment.
struct Around {
    running: Vec<TxnInfo>,
    locks: Vec<LockStatus>,
    next_xid: u64,
    visible: Csn,
}

impl Around {
    /// The oldest xid that a transaction's snapshots may hold for running. Where others have ended since the oldest of them was taken, it
    /// is what was so when the transaction began, or a little later: which of those that ran then have ended since is not known.
    fn xmin(&self, info: &TxnInfo, seen: &Seen) -> Option<Xid> {
        let snapshot = info.oldest_snapshot?;
        let limit = if snapshot == self.visible {
            self.next_xid
        } else {
            seen.next_xid
        };
        let running = self.running.iter().filter_map(|t| t.xid);
        running.chain([Xid(limit)]).min()
    }
}

/// What superusers, members of `pg_read_all_stats` and of the session's role may see.
fn show_details(backend: Backend, around: &Around, row: &mut [Datum]) {
    let seen = backend.seen;
    let time = |t: i64| if t == 0 { Datum::Null } else { Datum::Int8(t) };
    row[4] = Datum::text(if seen.tracked {
        seen.doing.word()
    } else {
        "disabled"
    });
    row[5] = Datum::text(seen.query);
    let lock = around.locks.iter().find(|l| l.pid == backend.pid && !l.granted);
    let event = match lock {
        Some(lock) => Some(("Lock", lock_event(&lock.tag))),
        None => seen.doing.event(),
    };
    if let Some((kind, event)) = event {
        (row[6], row[7]) = (Datum::text(kind), Datum::text(event));
    }
    row[8] = time(seen.transaction_start);
    row[9] = time(seen.query_start);
    row[10] = time(seen.begun);
    row[11] = time(seen.state_change);
    match seen.peer {
        Peer::Process => {}
        Peer::Unix => row[14] = Datum::Int4(-1),
        Peer::Tcp { client, .. } => {
            row[12] = address(&client.address);
            row[14] = Datum::Int4(client.port.into());
        }
    }
    row[17] = Datum::text(if backend.automatic {
        "autovacuum worker"
    } else {
        "client backend"
    });
    for ssl_or_gss in [18, 25, 27, 28] {
        row[ssl_or_gss] = Datum::Bool(false);
    }
}

fn address(ip: &str) -> Datum {
    match types::io_net::parse(ip, false) {
        Ok(inet) => Datum::Bytes(inet.to_bytes().into()),
        Err(_) => Datum::Null,
    }
}

fn xid(xid: Xid) -> Datum {
    Datum::Oid(xid.0 as u32)
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

    /// The rows of `pg_stat_get_activity`, by process id.
    pub(super) fn activity(&self, args: &[Datum]) -> PgResult<Vec<Vec<Datum>>> {
        let wanted = args.first().and_then(Datum::as_i64).map(|pid| pid as i32);
        self.core.show_settings();
        let mut all: Vec<Backend> = {
            let sessions = self.core.db.sessions.read();
            let mine = sessions
                .iter()
                .filter(|(pid, _)| wanted.is_none_or(|w| w == **pid));
            mine.map(|(pid, entry)| Backend::of(*pid, entry)).collect()
        };
        all.sort_unstable_by_key(|backend| backend.pid);
        let manager = self.core.db.storage.manager();
        let around = Around {
            running: manager.active(),
            locks: manager.locks().snapshot(),
            next_xid: manager.next_xid().0,
            visible: manager.visible_csn(),
        };
        let (roles, user) = (self.view.roles()?, self.core.user.get());
        let sees_all = roles.has_privileges_of(user, PG_READ_ALL_STATS);
        let rows = all.into_iter().map(|backend| {
            let mut row = vec![Datum::Null; ACTIVITY_COLUMNS];
            row[0] = oid(self.core.db.database_oid);
            self.show_transaction(&backend, &around, &mut row);
            if sees_all || (!backend.automatic && roles.has_privileges_of(user, backend.role)) {
                show_details(backend, &around, &mut row);
            } else {
                row[5] = Datum::text("<insufficient privilege>");
            }
            row
        });
        Ok(rows.collect())
    }

    /// What everybody may see.
    fn show_transaction(&self, backend: &Backend, around: &Around, row: &mut [Datum]) {
        row[1] = Datum::Int4(backend.pid);
        if !backend.automatic {
            row[2] = oid(backend.role);
        }
        row[3] = Datum::text(&*backend.seen.application);
        if let Some(info) = around.running.iter().find(|t| t.pid == backend.pid) {
            row[15] = info.xid.map_or(Datum::Null, xid);
            row[16] = around.xmin(info, &backend.seen).map_or(Datum::Null, xid);
        }
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
