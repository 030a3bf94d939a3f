//! What other sessions see of a session (`pg_stat_activity`): what it does, since when, and the text of its statement.
//!
//! PG: src/backend/utils/activity/backend_status.c.
//!
//! # How it works
//! Each session has one record, which it alone writes: numbers one by one, texts under a lock that nobody else takes but to read them.
//! So a statement costs a few stores and the copy of the first bytes of its text; who reads may see a number of the moment before.
//!
//! # Invariants
//! - Times are microseconds since 2000-01-01; 0 means none.
//! - While `track_activities` is off, only what the session waits for is kept.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64};

use parking_lot::Mutex;

use crate::session::Session;
use crate::session::core::SessionCore;

/// What a session is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Doing {
    Idle,
    Active,
    InTransaction,
    Failed,
    FunctionCall,
    Sleeping,
}

impl Doing {
    fn of(letter: u8) -> Doing {
        let all = [
            Doing::Active,
            Doing::InTransaction,
            Doing::Failed,
            Doing::FunctionCall,
            Doing::Sleeping,
        ];
        all.into_iter()
            .find(|d| *d as u8 == letter)
            .unwrap_or(Doing::Idle)
    }

    /// As `pg_stat_activity.state` has it.
    pub fn word(self) -> &'static str {
        match self {
            Doing::Idle => "idle",
            Doing::Active | Doing::Sleeping => "active",
            Doing::InTransaction => "idle in transaction",
            Doing::Failed => "idle in transaction (aborted)",
            Doing::FunctionCall => "fastpath function call",
        }
    }

    /// What it waits for, where that is not a lock.
    pub fn event(self) -> Option<(&'static str, &'static str)> {
        match self {
            Doing::Idle | Doing::InTransaction | Doing::Failed => Some(("Client", "ClientRead")),
            Doing::Sleeping => Some(("Timeout", "PgSleep")),
            Doing::Active | Doing::FunctionCall => None,
        }
    }
}

/// One end of a TCP connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// IP address.
    pub address: String,
    /// Port.
    pub port: u16,
}

/// Where a session's client is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Peer {
    /// In this process.
    #[default]
    Process,
    /// Behind a Unix socket.
    Unix,
    /// Behind a TCP connection.
    Tcp {
        /// The client's end.
        client: Endpoint,
        /// The server's end.
        server: Endpoint,
    },
}

#[derive(Default)]
struct Words {
    query: String,
    /// Longest `query`, in bytes.
    query_max: usize,
    application: String,
    peer: Peer,
}

/// The record of a session.
pub(crate) struct Shown {
    begun: i64,
    doing: AtomicU8,
    tracked: AtomicBool,
    query_start: AtomicI64,
    state_change: AtomicI64,
    transaction_start: AtomicI64,
    /// The next xid when the transaction began: what was not running then and is below it, it sees.
    next_xid: AtomicU64,
    words: Mutex<Words>,
}

/// The record at a moment.
pub(crate) struct Seen {
    pub doing: Doing,
    pub tracked: bool,
    pub begun: i64,
    pub query_start: i64,
    pub state_change: i64,
    pub transaction_start: i64,
    pub next_xid: u64,
    pub query: String,
    pub application: String,
    pub peer: Peer,
}

impl Shown {
    /// Of a session that begins now.
    pub fn new(now: i64) -> Shown {
        Shown {
            begun: now,
            doing: AtomicU8::new(Doing::Idle as u8),
            tracked: AtomicBool::new(true),
            query_start: AtomicI64::new(0),
            state_change: AtomicI64::new(now),
            transaction_start: AtomicI64::new(0),
            next_xid: AtomicU64::new(0),
            words: Mutex::default(),
        }
    }

    /// A statement begins.
    pub fn begins(&self, now: i64) {
        self.doing.store(Doing::Active as u8, Relaxed);
        if self.tracked.load(Relaxed) {
            self.query_start.store(now, Relaxed);
            self.state_change.store(now, Relaxed);
        }
    }

    /// It does something else from now on, or from a little before.
    pub fn turns(&self, doing: Doing, now: i64) {
        self.doing.store(doing as u8, Relaxed);
        if self.tracked.load(Relaxed) {
            let since = now.max(self.query_start.load(Relaxed));
            self.state_change.store(since, Relaxed);
        }
    }

    /// It waits, or goes on with what it did before, which is returned.
    pub fn waits(&self, doing: Doing) -> Doing {
        Doing::of(self.doing.swap(doing as u8, Relaxed))
    }

    /// The text of the statement; `prefix`: what stands before it.
    pub fn query(&self, prefix: &str, text: &str) {
        if !self.tracked.load(Relaxed) || self.doing.load(Relaxed) == Doing::FunctionCall as u8 {
            return;
        }
        let mut words = self.words.lock();
        let max = words.query_max.saturating_sub(prefix.len());
        words.query.clear();
        words.query.push_str(prefix);
        words.query.push_str(clip(text, max));
    }

    /// A transaction begins.
    pub fn transaction_begins(&self, now: i64, next_xid: u64) {
        if self.tracked.load(Relaxed) {
            self.transaction_start.store(now, Relaxed);
        }
        self.next_xid.store(next_xid, Relaxed);
    }

    /// It has ended.
    pub fn transaction_ends(&self) {
        self.transaction_start.store(0, Relaxed);
    }

    /// The settings about it: `track_activities`, `track_activity_query_size` and `application_name`.
    fn settings(&self, tracked: bool, query_size: usize, application: &str) {
        let mut words = self.words.lock();
        // PostgreSQL counts the end of the text.
        words.query_max = query_size.saturating_sub(1);
        words.application.clear();
        words.application.push_str(application);
        self.tracked.store(tracked, Relaxed);
        if !tracked {
            words.query.clear();
            for time in [&self.query_start, &self.state_change, &self.transaction_start] {
                time.store(0, Relaxed);
            }
        }
    }

    pub fn peer(&self) -> Peer {
        self.words.lock().peer.clone()
    }

    /// What is to be seen now.
    pub fn look(&self) -> Seen {
        let words = self.words.lock();
        Seen {
            doing: Doing::of(self.doing.load(Relaxed)),
            tracked: self.tracked.load(Relaxed),
            begun: self.begun,
            query_start: self.query_start.load(Relaxed),
            state_change: self.state_change.load(Relaxed),
            transaction_start: self.transaction_start.load(Relaxed),
            next_xid: self.next_xid.load(Relaxed),
            query: words.query.clone(),
            application: words.application.clone(),
            peer: words.peer.clone(),
        }
    }
}

/// The first `max` bytes, in whole characters.
fn clip(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at));
    text.get(..end.unwrap_or(0)).unwrap_or(text)
}

impl SessionCore {
    /// Shows the settings that others see, if one may have changed.
    pub fn show_settings(&self) {
        let guc = self.guc.borrow();
        let generation = guc.generation();
        if self.shown_generation.replace(Some(generation)) != Some(generation) {
            self.shown.settings(
                guc.get_bool("track_activities"),
                guc.get_number("track_activity_query_size") as usize,
                guc.get("application_name"),
            );
        }
    }

    /// Shows the text of the statement.
    pub fn show_query(&self, text: &str) {
        let prefix = match self.asked.get() {
            access::Asked::Automatic => "autovacuum: ",
            access::Asked::ByHand => "",
        };
        self.shown.query(prefix, text);
    }
}

impl Session {
    /// Where the client is, for `pg_stat_activity` and `inet_client_addr()`.
    pub fn set_peer(&mut self, peer: Peer) {
        self.core.shown.words.lock().peer = peer;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_clipped_between_characters() {
        assert_eq!(clip("SELECT 'äöü'", 9), "SELECT '");
        assert_eq!(clip("SELECT 'äöü'", 10), "SELECT 'ä");
        assert_eq!(clip("SELECT 1", 1023), "SELECT 1");
    }

    #[test]
    fn nothing_is_shown_while_nothing_is_tracked() {
        let shown = Shown::new(5);
        shown.settings(true, 1024, "a");
        shown.begins(7);
        shown.query("", "SELECT 1");
        assert_eq!((shown.look().query_start, &*shown.look().query), (7, "SELECT 1"));
        shown.settings(false, 1024, "b");
        shown.begins(8);
        shown.query("", "SELECT 2");
        shown.transaction_begins(8, 3);
        let seen = shown.look();
        assert_eq!(
            (seen.query_start, seen.state_change, seen.transaction_start),
            (0, 0, 0)
        );
        assert_eq!((&*seen.query, &*seen.application, seen.begun), ("", "b", 5));
    }
}
