//! A database: what all its sessions share.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use access::{Storage, StorageOptions, TempDirectory};
use catalog::database::Catalog;
use commands::verify::Finding;
use common::cancel::{CancelReason, CancelToken};
use common::env::Env;
use common::env::os::OsEnv;
use common::error::ErrorExt;
use common::memory::MemoryBudget;
use common::{Oid, Xid, pg_err};
use executor::RelationCache;
use functions::textsearch::DictionaryStore;
use kv::KvKind;
use parking_lot::RwLock;
use rustc_hash::FxHashMap;
use txn::Proc;

use crate::autovacuum::{Autovacuum, Lease};
use crate::error::{Error, Result};
use crate::outcomes::Outcomes;
use crate::prepared::PreparedTransactions;
use crate::search_files::SearchFiles;
use crate::session::Session;
use crate::session::notify::{Mailbox, NotifyHub};
use crate::session::shown::Shown;
use crate::session::snapshots::ExportedSnapshots;
use crate::session::timeout::Timeouts;

/// OID of database `postgres` in `pg_database`.
const POSTGRES_DATABASE: Oid = Oid(5);
/// Its name, unless another was given when it was made.
const DEFAULT_NAME: &str = "postgres";

/// The id of the first transaction that writes.
const FIRST_XID: Xid = Xid(3);

/// A handle to an open database; clones are the same database. It closes when the last handle and session are gone.
#[derive(Clone)]
pub struct Database {
    pub(crate) inner: Arc<Inner>,
    lease: Arc<Lease>,
}

/// A session as others see it.
pub(crate) struct SessionEntry {
    pub secret: u64,
    /// Who it was opened for.
    pub role: Oid,
    pub cancel: CancelToken,
    pub proc: Arc<Proc>,
    pub mailbox: Arc<Mailbox>,
    pub shown: Arc<Shown>,
    /// The autovacuum's.
    pub automatic: bool,
}

pub(crate) struct Inner {
    pub env: Arc<dyn Env>,
    pub storage: Arc<Storage>,
    pub catalog: Arc<Catalog>,
    pub relations: RelationCache,
    pub notify: NotifyHub,
    pub timeouts: Timeouts,
    pub sessions: RwLock<FxHashMap<i32, SessionEntry>>,
    pub memory: MemoryBudget,
    /// Temporary files; a database in memory has none.
    pub temp: Option<Arc<TempDirectory>>,
    pub database_oid: Oid,
    /// Set once, before the first session that others see.
    name: OnceLock<Arc<str>>,
    default_name: Arc<str>,
    pub start_time: i64,
    pub prepared: PreparedTransactions,
    pub exported: ExportedSnapshots,
    pub outcomes: Outcomes,
    /// Opened dictionaries of text search.
    pub dictionaries: Arc<DictionaryStore>,
    search_files: SearchFiles,
    pub autovacuum: Autovacuum,
    next_pid: AtomicI32,
    next_number: AtomicU32,
}

/// How a database is opened.
#[derive(Clone)]
pub struct Builder {
    dir: Option<PathBuf>,
    name: Option<String>,
    env: Option<Arc<dyn Env>>,
    kv: KvKind,
    cache_bytes_max: Option<usize>,
    memory_bytes_max: usize,
    background: bool,
    prepared_max: u32,
    storage: Option<fn(&mut StorageOptions)>,
    search_files: BTreeMap<String, Arc<[u8]>>,
    search_directories: Vec<PathBuf>,
}

impl Default for Builder {
    fn default() -> Builder {
        Builder {
            dir: None,
            name: None,
            env: None,
            kv: KvKind::default(),
            cache_bytes_max: None,
            memory_bytes_max: 4 << 30,
            background: true,
            prepared_max: 0,
            storage: None,
            search_files: BTreeMap::new(),
            search_directories: Vec::new(),
        }
    }
}

impl Builder {
    /// Keeps the database in a directory, created if need be. Without it the database lives in memory.
    pub fn directory(mut self, dir: impl Into<PathBuf>) -> Builder {
        self.dir = Some(dir.into());
        self
    }

    /// The name of a new database (`current_database()`, what clients connect to); `postgres` without it. It stays: a directory
    /// whose database has another name is refused (3D000).
    pub fn database(mut self, name: impl Into<String>) -> Builder {
        self.name = Some(name.into());
        self
    }

    /// Clock, randomness, files and threads other than the operating system's.
    pub fn env(mut self, env: Arc<dyn Env>) -> Builder {
        self.env = Some(env);
        self
    }

    /// The key-value store of a new directory.
    pub fn kv(mut self, kind: KvKind) -> Builder {
        self.kv = kind;
        self
    }

    /// Memory for cached rows, in bytes.
    pub fn cache_size(mut self, bytes: usize) -> Builder {
        self.cache_bytes_max = Some(bytes);
        self
    }

    /// Memory that all running statements together may hold, in bytes; beyond it they fail with 53200.
    pub fn memory_limit(mut self, bytes: usize) -> Builder {
        self.memory_bytes_max = bytes;
        self
    }

    /// Whether checkpoints and merges run by themselves (default) or only when asked for.
    pub fn background(mut self, on: bool) -> Builder {
        self.background = on;
        self
    }

    /// How many transactions may be prepared at once (`max_prepared_transactions`); 0, the default: PREPARE TRANSACTION is refused.
    pub fn max_prepared_transactions(mut self, max: u32) -> Builder {
        self.prepared_max = max;
        self
    }

    /// A file for the dictionaries of text search, such as `cooking.syn` or `english.affix`: found before those in the directory
    /// `tsearch_data` of the database's directory. The way to dictionaries for a database in memory.
    ///
    /// ```
    /// # fn main() -> pglite::Result<()> {
    /// let db = pglite::Database::builder().text_search_file("cooking.syn", "aubergine eggplant\n").open()?;
    /// let mut session = db.session()?;
    /// session.batch_execute("CREATE TEXT SEARCH DICTIONARY cooking (TEMPLATE = synonym, SYNONYMS = cooking)")?;
    /// let found: Vec<Vec<String>> =
    ///     session.query_map("SELECT ts_lexize('cooking', 'Aubergine')", (), |row| row.get(0))?;
    /// assert_eq!(found, [["eggplant"]]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn text_search_file(mut self, name: impl Into<String>, content: impl AsRef<[u8]>) -> Builder {
        self.search_files.insert(name.into(), content.as_ref().into());
        self
    }

    /// Another directory to look for files of dictionaries in, behind the database's own: PostgreSQL's `tsearch_data`, say.
    pub fn text_search_directory(mut self, dir: impl Into<PathBuf>) -> Builder {
        self.search_directories.push(dir.into());
        self
    }

    /// Sizes of the storage below that are not for users: tests make them small to reach rare paths soon.
    #[doc(hidden)]
    pub fn storage_options(mut self, change: fn(&mut StorageOptions)) -> Builder {
        self.storage = Some(change);
        self
    }

    /// Opens it; a crash before needs no repair step.
    pub fn open(self) -> Result<Database> {
        let env = match self.env {
            Some(env) => env,
            None => Arc::new(OsEnv::new()),
        };
        let directory = self.dir.clone();
        let mut options = match self.dir {
            Some(dir) => StorageOptions {
                kv: self.kv,
                ..StorageOptions::in_dir(env.clone(), dir)
            },
            None => StorageOptions::in_memory(env.clone()),
        };
        if let Some(bytes) = self.cache_bytes_max {
            options.cache_bytes_max = bytes;
        }
        options.background = self.background;
        if let Some(change) = self.storage {
            change(&mut options);
        }
        let storage = Storage::open(options)?;
        let search_files = SearchFiles {
            env: env.clone(),
            given: self.search_files,
            own: directory.as_deref().map(SearchFiles::directory_of),
            others: self.search_directories,
        };
        // Behind the lock of the directory: nobody else uses its temporary files now.
        let temp = directory.map(|dir| Arc::new(TempDirectory::open(env.clone(), &dir)));
        let prepared = PreparedTransactions::new(self.prepared_max);
        let is_new = storage.manager().next_xid() == FIRST_XID;
        let has_name = temp.is_some() || self.name.is_some();
        let database = Database::over(storage, env, temp, self.memory_bytes_max, prepared, search_files);
        database.inner.resume_prepared()?;
        if has_name {
            database.settle_name(self.name.as_deref(), is_new)?;
        }
        if !is_new {
            database.inner.autovacuum.begin(&database.inner);
        }
        Ok(database)
    }
}

/// Opened tables by descriptor; those of system catalogs bring their built-in rows.
fn open_relations(storage: &Arc<Storage>, catalog: &Arc<Catalog>) -> RelationCache {
    let for_indexes = Arc::clone(catalog);
    let indexes = move |oid| for_indexes.index(oid).cloned();
    let catalog = Arc::clone(catalog);
    let builtin = move |oid| {
        catalog
            .table(oid)
            .ok()
            .and_then(|table| table.def().builtin.clone())
    };
    RelationCache::new(storage.clone(), Arc::new(builtin)).with_builtin_indexes(Arc::new(indexes))
}

impl Database {
    /// How to open one: `Database::builder().directory("app.db").open()`.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Opens (or creates) the database in a directory.
    pub fn open(dir: impl AsRef<Path>) -> Result<Database> {
        Database::builder().directory(dir.as_ref()).open()
    }

    /// A new database in memory.
    pub fn memory() -> Result<Database> {
        Database::builder().open()
    }

    /// A new session as superuser `postgres`. Sessions are independent: one per thread or task.
    pub fn session(&self) -> Result<Session> {
        Session::new(self.inner.clone(), Some(self.lease.clone()), "postgres")
    }

    /// A new session as another role.
    pub fn session_as(&self, role: &str) -> Result<Session> {
        Session::new(self.inner.clone(), Some(self.lease.clone()), role)
    }

    /// Gives a new database the name that is asked for, and reads the name of an old one.
    fn settle_name(&self, wanted: Option<&str>, is_new: bool) -> Result<()> {
        let mut session = self.session()?;
        let mut name = session.stored_database_name()?;
        match wanted {
            Some(wanted) if *wanted != *name && is_new => {
                session.name_database(wanted)?;
                name = session.stored_database_name()?;
            }
            Some(wanted) if *wanted != *name => {
                return Err(
                    pg_err!(UNDEFINED_DATABASE, "database \"{wanted}\" does not exist")
                        .detail(format!("The database of this directory is \"{name}\"."))
                        .into(),
                );
            }
            _ => {}
        }
        let _first = self.inner.name.set(name);
        drop(session);
        // This session never was.
        self.inner.next_pid.store(0, Ordering::Relaxed);
        self.inner.next_number.store(1, Ordering::Relaxed);
        Ok(())
    }

    /// The name of the database.
    pub fn name(&self) -> Arc<str> {
        self.inner.database_name()
    }

    /// The database over an opened storage.
    fn over(
        storage: Arc<Storage>,
        env: Arc<dyn Env>,
        temp: Option<Arc<TempDirectory>>,
        memory_bytes_max: usize,
        prepared: PreparedTransactions,
        search_files: SearchFiles,
    ) -> Database {
        let start_time = env.now_unix_micros() - crate::session::core::EPOCH_MICROS;
        let catalog = Catalog::open(storage.clone());
        let outcomes = Outcomes::new(storage.manager().next_xid().0);
        let inner = Inner {
            relations: open_relations(&storage, &catalog),
            catalog,
            timeouts: Timeouts::new(env.clone()),
            env,
            storage,
            notify: NotifyHub::default(),
            sessions: RwLock::default(),
            memory: MemoryBudget::new(memory_bytes_max),
            temp,
            database_oid: POSTGRES_DATABASE,
            name: OnceLock::new(),
            default_name: DEFAULT_NAME.into(),
            start_time,
            prepared,
            exported: ExportedSnapshots::default(),
            outcomes,
            dictionaries: Arc::new(DictionaryStore::new(Box::new(search_files.clone()))),
            search_files,
            autovacuum: Autovacuum::default(),
            next_pid: AtomicI32::new(0),
            next_number: AtomicU32::new(1),
        };
        let inner = Arc::new(inner);
        Database {
            lease: Arc::new(Lease(Arc::clone(&inner))),
            inner,
        }
    }

    /// A second database, in memory, that begins with the committed content of this one; from then on the two know nothing of each
    /// other. Shares everything and copies what is written, so that it costs what changed since the last checkpoint or fork, not the
    /// size of the data. A fork of a directory goes on reading it: the directory stays open, and locked, as long as the fork lives.
    /// 0A000 over stores without lasting points in time (`sled`).
    pub fn fork(&self) -> Result<Database> {
        let (prepared, kept) = self.inner.prepared.copies(false)?;
        let storage = self.inner.storage.fork(prepared, || drop(kept))?;
        let memory_bytes_max = self.inner.memory.limit();
        let fork = Database::over(
            storage,
            self.inner.env.clone(),
            None,
            memory_bytes_max,
            PreparedTransactions::new(self.inner.prepared.max()),
            self.inner.search_files.clone(),
        );
        let _first = fork.inner.name.set(self.name());
        fork.inner.resume_prepared()?;
        Ok(fork)
    }

    /// A fork that lasts: what is committed now, copied into a directory ([`Database::backup`]) and opened there.
    pub fn fork_to(&self, dir: impl AsRef<Path>) -> Result<Database> {
        self.backup(&dir)?;
        let storage = self.inner.storage.options();
        let kind = storage.dir.as_ref().map_or(KvKind::default(), |_| storage.kv);
        let builder = Builder {
            search_files: self.inner.search_files.given.clone(),
            search_directories: self.inner.search_files.others.clone(),
            ..Builder::default()
        };
        builder
            .directory(dir.as_ref())
            .env(self.inner.env.clone())
            .kv(kind)
            .memory_limit(self.inner.memory.limit())
            .max_prepared_transactions(self.inner.prepared.max())
            .open()
    }

    /// Writes what is committed now into a directory, which must not exist or be empty (58P02): a database to open like any other, also
    /// from one in memory. Sessions go on meanwhile; checkpoints wait.
    pub fn backup(&self, dir: impl AsRef<Path>) -> Result<()> {
        let storage = &self.inner.storage;
        let kind = storage
            .options()
            .dir
            .as_ref()
            .map_or(KvKind::default(), |_| storage.options().kv);
        let (prepared, kept) = self.inner.prepared.copies(true)?;
        let copies = (prepared, || drop(kept));
        let beside = self.inner.search_files.for_backup().map_err(|e| {
            let text = common::env::os_error_text(&e);
            pg_err!(IO_ERROR, "could not read text search files: {text}")
        })?;
        Ok(storage.backup(dir.as_ref(), kind, &CancelToken::new(), copies, &beside)?)
    }

    /// Checks the database while it is used: every stored value against its checksum, every table's rows, every index against its table.
    /// Gives what is wrong; nothing when all is well.
    pub fn verify(&self) -> Result<Vec<Finding>> {
        let damaged = self.inner.storage.verify_store(&CancelToken::new())?;
        let mut findings: Vec<Finding> = damaged
            .into_iter()
            .map(|text| Finding {
                relation: String::new(),
                text,
            })
            .collect();
        findings.extend(self.session()?.verify_tables()?);
        Ok(findings)
    }

    /// Writes everything committed to the key-value store, so that the log can be dropped.
    pub fn checkpoint(&self) -> Result<()> {
        Ok(self.inner.storage.checkpoint()?)
    }

    /// Why the last checkpoint or merge that came by itself failed (53100, say: the disk is full); `None` once one succeeds again.
    /// Nothing is lost meanwhile: the log keeps what the store lacks, and grows.
    pub fn maintenance_failure(&self) -> Option<Error> {
        self.inner.storage.maintenance_failure().map(Error::from)
    }

    /// Does now what the autovacuum would do: VACUUM and ANALYZE of the tables of which enough has changed; how many tables that were.
    pub fn autovacuum(&self) -> Result<usize> {
        Ok(crate::autovacuum::tend(&mut self.session()?)?.0)
    }

    /// Asks the statement of the session with this process id to stop; false when the secret does not match.
    pub fn cancel(&self, process_id: i32, secret: u64) -> bool {
        self.inner.signal(process_id, Some(secret), CancelReason::User)
    }

    /// The password verifier of a role that may log in (SCRAM secret), for servers; `None`: no such role.
    pub fn login_role(&self, name: &str) -> Result<Option<LoginRole>> {
        let mut session = self.session()?;
        session.login_role(name)
    }

    /// Writes into the lock file where this database is served, for the error that a second opener of the directory gets.
    pub fn announce(&self, address: &str) -> Result<()> {
        Ok(self.inner.storage.announce(address)?)
    }

    /// Number of open sessions.
    pub fn session_count(&self) -> usize {
        self.inner.sessions.read().len()
    }
}

/// What a server needs to know to let a role in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginRole {
    /// `rolcanlogin`.
    pub can_login: bool,
    /// SCRAM-SHA-256 verifier, if a password is set.
    pub verifier: Option<String>,
}

impl Inner {
    /// Now, in PostgreSQL's epoch.
    pub(crate) fn now(&self) -> i64 {
        self.env.now_unix_micros() - crate::session::core::EPOCH_MICROS
    }

    /// The time of some milliseconds ago, for a few instructions.
    pub(crate) fn recently(&self) -> i64 {
        self.env.recent_unix_micros() - crate::session::core::EPOCH_MICROS
    }

    /// The name of the database.
    pub fn database_name(&self) -> Arc<str> {
        Arc::clone(self.name.get().unwrap_or(&self.default_name))
    }

    /// A process id that no other session has: the process's own for the first, numbers above it for the others.
    pub fn new_pid(&self) -> i32 {
        let n = self.next_pid.fetch_add(1, Ordering::Relaxed);
        (self.env.process_id() as i32).wrapping_add(n) & i32::MAX
    }

    /// Number of a session, for its temporary schema: the lowest that is free would do, any unused one does.
    pub fn new_session_number(&self) -> u32 {
        self.next_number.fetch_add(1, Ordering::Relaxed)
    }

    /// Interrupts a session.
    pub fn signal(&self, pid: i32, secret: Option<u64>, reason: CancelReason) -> bool {
        let sessions = self.sessions.read();
        let Some(entry) = sessions.get(&pid) else {
            return false;
        };
        if secret.is_some_and(|s| s != entry.secret) {
            return false;
        }
        entry.cancel.cancel(reason);
        entry.proc.interrupt();
        if reason == CancelReason::Shutdown {
            entry.mailbox.wake();
        }
        true
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.timeouts.stop();
        self.prepared.abandon();
        // A failing checkpoint costs nothing but replay at the next open.
        let _ = self.storage.close();
    }
}
