//! Sequences: numbers handed out once, outside transactions.
//!
//! PG: src/backend/commands/sequence.c.
//!
//! # How it works
//! The state in memory runs behind the state in the log: every 32nd call logs the state as it will be 32 values later, so a crash
//! skips values and repeats none. A checkpoint stores the logged state. Rolling back gives nothing back.

use std::sync::Arc;

use common::{PgResult, RelationId, pg_err};
use kv::{Keyspace, Kv, WriteBatch};
use parking_lot::Mutex;
use txn::{RecordKind, Wal};

use crate::defs::Persistence;
use crate::transaction::Transaction;
use crate::transaction::redo::{put_varint, take_varint};

/// Values logged ahead, as PostgreSQL does.
const LOG_AHEAD: i64 = 32;
const STATE_KEY: &[u8] = b"state";

/// A sequence's row, as `SELECT * FROM sequence` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceState {
    /// The last value handed out, or the first to hand out.
    pub last_value: i64,
    /// Values still covered by the log.
    pub log_count: i64,
    /// Whether `last_value` has been handed out.
    pub is_called: bool,
}

/// How a sequence counts (`pg_sequence`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct SequenceParams {
    /// For messages.
    pub name: Arc<str>,
    pub increment: i64,
    pub minimum: i64,
    pub maximum: i64,
    pub cycle: bool,
    /// Values that a session takes at once.
    pub cache: i64,
}

/// Values that a session has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The next value.
    pub first: i64,
    /// The last one that is the session's.
    pub last: i64,
    /// Something was logged: the transaction that uses the values must call [`Transaction::require_record`] before it commits, so that the
    /// log is on disk by then.
    pub logged: bool,
}

/// What is kept of a sequence; one per sequence and database.
pub(crate) struct SequenceStore {
    id: RelationId,
    /// Protects the step from one value to the next, with its log record.
    state: Mutex<Both>,
}

#[derive(Clone, Copy)]
struct Both {
    now: SequenceState,
    /// What the log says: (last value, is called).
    logged: (i64, bool),
}

impl SequenceStore {
    pub(crate) fn open(kv: &dyn Kv, id: RelationId) -> PgResult<SequenceStore> {
        let (last_value, is_called) = match kv.get(Keyspace(id.0), STATE_KEY)? {
            Some(bytes) => decode(&bytes)?,
            None => (1, false),
        };
        let store = SequenceStore::new(id);
        store.replay(last_value, is_called);
        Ok(store)
    }

    fn new(id: RelationId) -> SequenceStore {
        let now = SequenceState {
            last_value: 1,
            log_count: 0,
            is_called: false,
        };
        SequenceStore {
            id,
            state: Mutex::new(Both {
                now,
                logged: (1, false),
            }),
        }
    }

    /// Takes a state from the log.
    pub(crate) fn replay(&self, last_value: i64, is_called: bool) {
        let now = SequenceState {
            last_value,
            log_count: 0,
            is_called,
        };
        let logged = (last_value, is_called);
        *self.state.lock() = Both { now, logged };
    }

    pub(crate) fn checkpoint(&self, batch: &mut WriteBatch) {
        let (last_value, is_called) = self.state.lock().logged;
        batch.put(Keyspace(self.id.0), STATE_KEY, encode(last_value, is_called));
    }

    fn log(&self, wal: &Wal, last_value: i64, is_called: bool) -> PgResult<()> {
        let mut payload = Vec::new();
        put_varint(self.id.0, &mut payload);
        payload.extend_from_slice(&encode(last_value, is_called));
        wal.append(RecordKind::SEQUENCE, common::Xid(0), &payload)?;
        Ok(())
    }
}

/// Reads a log record of a sequence.
pub(crate) fn decode_record(payload: &[u8]) -> PgResult<(RelationId, i64, bool)> {
    let mut rest = payload;
    let id = RelationId(take_varint(&mut rest)?);
    let (last_value, is_called) = decode(rest)?;
    Ok((id, last_value, is_called))
}

fn encode(last_value: i64, is_called: bool) -> Vec<u8> {
    let mut out = last_value.to_le_bytes().to_vec();
    out.push(u8::from(is_called));
    out
}

fn decode(bytes: &[u8]) -> PgResult<(i64, bool)> {
    match bytes.split_first_chunk::<8>() {
        Some((value, [called])) => Ok((i64::from_le_bytes(*value), *called != 0)),
        _ => Err(pg_err!(DATA_CORRUPTED, "stored state of a sequence is damaged")),
    }
}

/// A sequence.
#[derive(Clone)]
pub struct Sequence {
    store: Arc<SequenceStore>,
    persistence: Persistence,
}

impl Sequence {
    pub(crate) fn new(store: Arc<SequenceStore>, persistence: Persistence) -> Sequence {
        Sequence { store, persistence }
    }

    /// Where it is kept.
    pub fn id(&self) -> RelationId {
        self.store.id
    }

    /// Its row.
    pub fn state(&self) -> SequenceState {
        self.store.state.lock().now
    }

    /// The next value, of sequences without `CACHE`.
    pub fn nextval(&self, txn: &mut Transaction, params: &SequenceParams) -> PgResult<i64> {
        let wal = Arc::clone(txn.storage().manager().wal());
        let taken = self.advance(&wal, params)?;
        if taken.logged {
            txn.require_record()?;
        }
        Ok(taken.first)
    }

    /// The next values, as many as a session takes at once, or as there are up to the limit; without a transaction at hand.
    pub fn advance(&self, wal: &txn::Wal, params: &SequenceParams) -> PgResult<Taken> {
        let mut both = self.store.state.lock();
        let SequenceState {
            last_value,
            log_count,
            is_called,
        } = both.now;
        let first = if is_called {
            step(last_value, params)?
        } else {
            last_value
        };
        let further = steps_left(first, params).min(params.cache - 1);
        let last = first + further * params.increment;
        // Without a first call the first value is there, and need not be fetched.
        let fetched = further + i64::from(is_called);
        let mut left = log_count - fetched;
        let mut logged = false;
        let wrapped = is_called && (first < last_value) == (params.increment > 0);
        if left < 0 || !is_called || wrapped {
            left = LOG_AHEAD.min(steps_left(last, params));
            let ahead = last + left * params.increment;
            if self.persistence == Persistence::Permanent {
                self.store.log(wal, ahead, true)?;
                logged = true;
            }
            both.logged = (ahead, true);
        }
        both.now = SequenceState {
            last_value: last,
            log_count: left,
            is_called: true,
        };
        Ok(Taken { first, last, logged })
    }

    /// Sets the state (`setval`, and a new sequence's start). Not undone by a rollback.
    pub fn set(&self, txn: &mut Transaction, last_value: i64, is_called: bool) -> PgResult<()> {
        let wal = Arc::clone(txn.storage().manager().wal());
        txn.require_record()?;
        self.assign(&wal, last_value, is_called)
    }

    /// As [`Sequence::set`] without a transaction at hand; see [`Sequence::advance`] for what the caller owes.
    pub fn assign(&self, wal: &txn::Wal, last_value: i64, is_called: bool) -> PgResult<()> {
        let mut both = self.store.state.lock();
        if self.persistence == Persistence::Permanent {
            self.store.log(wal, last_value, is_called)?;
        }
        both.logged = (last_value, is_called);
        both.now = SequenceState {
            last_value,
            log_count: 0,
            is_called,
        };
        Ok(())
    }
}

/// How many values there are behind one, up to the limit, before a cycle begins anew.
fn steps_left(value: i64, params: &SequenceParams) -> i64 {
    let room = match params.increment > 0 {
        true => i128::from(params.maximum) - i128::from(value),
        false => i128::from(value) - i128::from(params.minimum),
    };
    let steps = room / i128::from(params.increment.unsigned_abs().max(1));
    i64::try_from(steps.max(0)).unwrap_or(i64::MAX)
}

fn step(last_value: i64, params: &SequenceParams) -> PgResult<i64> {
    let next = last_value.checked_add(params.increment);
    if params.increment > 0 {
        match next.filter(|next| *next <= params.maximum) {
            Some(next) => Ok(next),
            None if params.cycle => Ok(params.minimum),
            None => Err(pg_err!(
                SEQUENCE_GENERATOR_LIMIT_EXCEEDED,
                "nextval: reached maximum value of sequence \"{}\" ({})",
                params.name,
                params.maximum
            )),
        }
    } else {
        match next.filter(|next| *next >= params.minimum) {
            Some(next) => Ok(next),
            None if params.cycle => Ok(params.maximum),
            None => Err(pg_err!(
                SEQUENCE_GENERATOR_LIMIT_EXCEEDED,
                "nextval: reached minimum value of sequence \"{}\" ({})",
                params.name,
                params.minimum
            )),
        }
    }
}
