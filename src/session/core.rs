//! The part of a session that functions called by its statements may look at and change.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::sync::Arc;

use ::catalog::database::CatalogSession;
use commands::SessionAction;
use commands::guc::GucStore;
use common::cancel::CancelToken;
use common::{Oid, PgError};
use executor::PreparedPlan;
use rustc_hash::FxHashMap;
use txn::Proc;
use types::FormatSettings;
use types::encoding::Encoding;

use crate::database::Inner;
use crate::session::catalog::{PathCache, SessionCatalog, View};
use crate::session::cursor::Cursor;
use crate::session::named::Named;
use crate::session::notify::{Mailbox, Notification};
use crate::session::plpgsql_functions::{Compiled, FunctionKey};
use crate::session::portal::Portal;
use crate::session::prepared::{NamedStatement, Prepared};
use crate::session::routine::{Routine, RoutineKey};
use crate::session::shown::Shown;

/// What lives as long as the session.
pub(crate) struct SessionCore {
    pub db: Arc<Inner>,
    pub proc: Arc<Proc>,
    pub pid: i32,
    pub guc: RefCell<GucStore>,
    /// What [`SessionCore::work_mem`] found, and at which generation of the settings.
    work_mem_known: Cell<(u64, (usize, usize))>,
    pub cancel: CancelToken,
    /// Trees of statements with very long texts: kept until the session rests, as freeing them takes long.
    large: RefCell<Vec<Arc<dyn Any + Send + Sync>>>,
    pub notices: RefCell<Vec<Box<PgError>>>,
    /// The session's temporary files, without `temp_file_limit`.
    pub temp_files: access::TempSpace,
    /// Values of sequences that the session got, or took ahead.
    pub sequences: RefCell<crate::session::sequences::Sequences>,
    /// Open large objects.
    pub large_objects: RefCell<crate::session::large_object::Descriptors>,
    /// A sequence was logged: the transaction's commit must reach the disk.
    pub sequence_logged: Cell<bool>,
    /// Statements prepared under names (the unnamed one's is empty), where functions can read them, too.
    pub statements: RefCell<FxHashMap<String, NamedStatement>>,
    /// SQL cursors, where functions can read them, too.
    pub cursors: RefCell<Named<Cursor>>,
    /// Portals that the protocol has bound.
    pub portals: RefCell<Named<Portal>>,
    /// Plans that run, and those of queries that functions loop over; the innermost last.
    pub running: RefCell<Vec<Arc<PreparedPlan>>>,
    /// Queries that run inside queries, by functions.
    pub inner_queries: Cell<u32>,
    /// State of `random()`.
    random: RefCell<Random>,
    pub user: Cell<Oid>,
    pub session_user: Oid,
    pub user_name: RefCell<Arc<str>>,
    pub session_user_name: Arc<str>,
    pub temp_namespace: Cell<Option<Oid>>,
    /// The transaction has made something in it.
    pub used_temp: Cell<bool>,
    /// Constraint checks that wait.
    pub after: executor::AfterQueue,
    pub mailbox: Arc<Mailbox>,
    /// What others see of it, and of which settings.
    pub shown: Arc<Shown>,
    pub shown_generation: Cell<Option<u64>>,
    /// NOTIFY of the running transaction.
    pub pending_notify: RefCell<Vec<(String, String)>>,
    /// Microseconds since 2000-01-01: start of transaction and statement.
    pub transaction_start: Cell<i64>,
    /// Number of the session: names its temporary schema.
    pub number: u32,
    pub catalog_state: RefCell<CatalogSession>,
    pub path_cache: RefCell<Option<PathCache>>,
    /// The catalog as the last statement saw it: the next one's, if nothing has changed.
    pub view: RefCell<Option<Arc<View>>>,
    pub format: RefCell<Option<(u64, Arc<FormatSettings>)>>,
    /// Values come and go in `client_encoding`.
    pub encodes: Cell<bool>,
    /// Bodies of routines called lately.
    pub routines: RefCell<FxHashMap<RoutineKey, Arc<Routine>>>,
    /// Compiled PL/pgSQL functions called lately.
    pub functions: RefCell<FxHashMap<FunctionKey, Compiled>>,
    /// Where the running calls stand, the innermost last.
    pub contexts: RefCell<Vec<plpgsql::Context>>,
    /// Who wants what the session does.
    pub asked: Cell<access::Asked>,
    /// The next procedure or DO block that is called may end the transaction.
    pub nonatomic: Cell<bool>,
    /// Number of the last cursor that got a name of its own.
    pub unnamed_portals: Cell<u32>,
    /// What statements inside routines want the session to do.
    pub actions: RefCell<Vec<SessionAction>>,
    /// Where the stack was when the engine was entered.
    pub stack_base: Cell<usize>,
    pub statement_start: Cell<i64>,
    /// Names of the snapshots that the transaction has exported.
    pub exported: RefCell<Vec<String>>,
    /// How many of the notices have their places already.
    pub placed_notices: Cell<usize>,
    /// Savepoints in force.
    pub savepoints: Cell<usize>,
}

/// `random()`'s generator (xoroshiro128**, as PostgreSQL's), seeded from the environment or by `setseed`.
pub(crate) struct Random {
    s0: u64,
    s1: u64,
}

impl Random {
    /// Seeds from 128 random bits.
    pub fn new(seed: [u64; 2]) -> Random {
        let mut r = Random {
            s0: seed[0],
            s1: seed[1],
        };
        r.repair();
        r
    }

    fn repair(&mut self) {
        if self.s0 == 0 && self.s1 == 0 {
            (self.s0, self.s1) = (0x5851_F42D_4C95_7F2D, 0x1405_7B7E_F767_814F);
        }
    }

    /// Seeds as `setseed(double)` does: the seed's bits through splitmix64.
    pub fn seed_from(&mut self, seed: f64) {
        const MANTISSA: f64 = 4_503_599_627_370_495.0;
        let mut state = ((MANTISSA * seed) as i64) as u64;
        let mut split = || {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut v = state;
            v = (v ^ (v >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            v = (v ^ (v >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            v ^ (v >> 31)
        };
        self.s0 = split();
        self.s1 = split();
        self.repair();
    }

    /// 64 random bits.
    pub fn next(&mut self) -> u64 {
        let (s0, sx) = (self.s0, self.s1 ^ self.s0);
        let value = s0.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        self.s0 = s0.rotate_left(24) ^ sx ^ (sx << 16);
        self.s1 = sx.rotate_left(37);
        value
    }

    /// Uniform in [0, 1).
    pub fn next_double(&mut self) -> f64 {
        (self.next() >> 12) as f64 / (1_u64 << 52) as f64
    }
}

/// 2000-01-01 in microseconds since 1970-01-01.
pub(crate) const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// Bytes of text from which on a statement's trees may be so large that freeing them is felt.
const LARGE_TEXT: usize = 1 << 18;

/// Such trees that are kept at a time: a routine may run any number of long statements before the session rests.
const LARGE_MAX: usize = 16;

impl SessionCore {
    /// Keeps a tree of a statement until the session rests, if the statement is long: then a thread of its own frees it.
    pub fn keep_large<T: Any + Send + Sync>(&self, source: &str, tree: &Arc<T>) {
        if source.len() < LARGE_TEXT {
            return;
        }
        if self.large.borrow().len() >= LARGE_MAX {
            self.free_large();
        }
        self.large.borrow_mut().push(tree.clone());
    }

    /// For when the session rests: nobody waits for what its last statement leaves behind.
    pub fn free_large(&self) {
        if !self.large.borrow().is_empty() {
            self.cancel.discard(self.large.take());
        }
    }

    /// The generator of random numbers, seeded anew if `seed` was set.
    pub fn random(&self) -> std::cell::RefMut<'_, Random> {
        let mut random = self.random.borrow_mut();
        let seed = self.guc.try_borrow_mut().ok().and_then(|mut guc| guc.take_seed());
        if let Some(seed) = seed {
            random.seed_from(seed);
        }
        random
    }

    /// The state of a new session.
    pub fn new(
        db: &Arc<Inner>,
        pid: i32,
        number: u32,
        proc: Arc<Proc>,
        role: &str,
        guc: GucStore,
        seed: [u64; 2],
    ) -> SessionCore {
        SessionCore {
            pid,
            guc: RefCell::new(guc),
            work_mem_known: Cell::new((u64::MAX, (0, 0))),
            cancel: CancelToken::with_env(db.env.clone()),
            large: RefCell::default(),
            notices: RefCell::default(),
            temp_files: access::TempSpace::new(db.temp.clone()),
            sequences: RefCell::default(),
            large_objects: RefCell::default(),
            sequence_logged: Cell::new(false),
            statements: RefCell::default(),
            cursors: RefCell::default(),
            portals: RefCell::default(),
            running: RefCell::default(),
            inner_queries: Cell::new(0),
            random: RefCell::new(Random::new(seed)),
            user: Cell::new(Oid(10)),
            session_user: Oid(10),
            user_name: RefCell::new(role.into()),
            session_user_name: role.into(),
            temp_namespace: Cell::new(None),
            used_temp: Cell::new(false),
            after: executor::AfterQueue::default(),
            mailbox: Arc::new(Mailbox::default()),
            shown: Arc::new(Shown::new(db.now())),
            shown_generation: Cell::new(None),
            pending_notify: RefCell::default(),
            transaction_start: Cell::new(0),
            statement_start: Cell::new(0),
            exported: RefCell::default(),
            placed_notices: Cell::new(0),
            savepoints: Cell::new(0),
            number,
            catalog_state: RefCell::default(),
            path_cache: RefCell::new(None),
            view: RefCell::new(None),
            format: RefCell::new(None),
            encodes: Cell::new(false),
            routines: RefCell::default(),
            functions: RefCell::default(),
            contexts: RefCell::default(),
            asked: Cell::new(access::Asked::ByHand),
            nonatomic: Cell::new(false),
            unnamed_portals: Cell::new(0),
            actions: RefCell::default(),
            stack_base: Cell::new(0),
            proc,
            db: db.clone(),
        }
    }

    /// Now, in PostgreSQL's epoch.
    pub fn now(&self) -> i64 {
        self.db.now()
    }

    /// Builds views and runs catalog changes.
    pub fn catalog(&self) -> SessionCatalog<'_> {
        SessionCatalog {
            core: self,
            path_cache: &self.path_cache,
            session: &self.catalog_state,
        }
    }

    /// Whose triggers fire from now on.
    pub fn note_role(&self, guc: &commands::guc::GucStore) {
        let word = guc.get("session_replication_role");
        self.after
            .set_role(catalog::trigger::ReplicationRole::of_word(word));
    }

    /// Bytes that one operator may hold, and one hash table.
    pub fn work_mem(&self) -> (usize, usize) {
        let guc = self.guc.borrow();
        let (generation, known) = self.work_mem_known.get();
        if generation == guc.generation() {
            return known;
        }
        self.note_role(&guc);
        let work_mem = (guc.get_number("work_mem") as usize) << 10;
        let known = (work_mem, commands::query::hash_mem_bytes(&guc));
        self.work_mem_known.set((guc.generation(), known));
        known
    }

    /// Values come and go in `client_encoding` from now on.
    pub fn use_client_encoding(&self) {
        self.encodes.set(true);
        *self.format.borrow_mut() = None;
    }

    /// Settings that shape values, current.
    pub fn format_settings(&self) -> Arc<FormatSettings> {
        let guc = self.guc.borrow();
        let generation = guc.generation();
        let start = self.transaction_start.get();
        let mut known = self.format.borrow_mut();
        if let Some((g, f)) = &mut *known {
            if *g == generation {
                if f.transaction_timestamp == start {
                    return f.clone();
                }
                // Nobody reads rows of the transaction before: the settings can be moved on.
                if let Some(only) = Arc::get_mut(f) {
                    only.transaction_timestamp = start;
                    return f.clone();
                }
            }
        }
        let settings = match &*known {
            // Only the time moved: everything else is still right.
            Some((g, f)) if *g == generation => FormatSettings {
                transaction_timestamp: start,
                ..(**f).clone()
            },
            _ => {
                let read = commands::guc::special::format_settings(|name| guc.get(name));
                FormatSettings {
                    transaction_timestamp: start,
                    client_encoding: if self.encodes.get() {
                        read.client_encoding
                    } else {
                        Encoding::UTF8
                    },
                    ..read
                }
            }
        };
        let settings = Arc::new(settings);
        *known = Some((generation, settings.clone()));
        settings
    }

    /// Hands the notifications of a committed transaction over.
    pub fn deliver_notifications(&self) {
        let pending = std::mem::take(&mut *self.pending_notify.borrow_mut());
        if pending.is_empty() {
            return;
        }
        let process_id = self.pid;
        let all = pending.into_iter().map(|(channel, payload)| Notification {
            process_id,
            channel,
            payload,
        });
        self.db.notify.deliver(all.collect());
    }

    /// A statement prepared under a name.
    pub fn statement(&self, name: &str) -> Option<Arc<Prepared>> {
        let statements = self.statements.borrow();
        statements.get(name).map(|s| s.prepared.clone())
    }

    /// Keeps a statement under a name; `text`: of the PREPARE that made it.
    pub fn keep_statement(&self, name: &str, prepared: Arc<Prepared>, text: Option<Arc<str>>) {
        let named = NamedStatement {
            from_sql: text.is_some(),
            text: text.unwrap_or_else(|| prepared.source.clone()),
            made_at: self.statement_start.get(),
            prepared,
        };
        let mut statements = self.statements.borrow_mut();
        match statements.get_mut(name) {
            Some(slot) => *slot = named,
            None => {
                statements.insert(name.to_owned(), named);
            }
        }
    }

    /// Queues a notice for the client, if it wants such.
    pub fn notice(&self, notice: Box<PgError>) {
        if !self.guc.borrow().tells_client(notice.severity) {
            return;
        }
        self.notices.borrow_mut().push(notice);
    }

    /// What was said of a text has its places there.
    pub fn place_notices(&self, text: &str) {
        let mut notices = self.notices.borrow_mut();
        let placed = self.placed_notices.replace(notices.len());
        for notice in notices.iter_mut().skip(placed) {
            notice.position = notice
                .position
                .map(|at| crate::error::character_position(at, text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setseed_repeats_the_sequence() {
        let mut a = Random::new([1, 2]);
        a.seed_from(0.5);
        let first: Vec<u64> = (0..4).map(|_| a.next()).collect();
        a.seed_from(0.5);
        assert_eq!(first, (0..4).map(|_| a.next()).collect::<Vec<_>>());
        let d = a.next_double();
        assert!((0.0..1.0).contains(&d));
    }
}
