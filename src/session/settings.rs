//! Settings that every statement asks for, read from the store once per change instead of by name each time.

use std::sync::Arc;
use std::time::Duration;

use access::{Isolation, TransactionOptions};
use commands::guc::GucStore;
use common::Oid;
use txn::{SerialMode, SynchronousCommit, WaitOptions};

use crate::session::Session;
use crate::session::block::Block;
use crate::session::core::SessionCore;
use crate::session::prepared::environment_hash;

/// What statements need of the settings, and what they were derived from.
pub(crate) struct Settings {
    generation: u64,
    user: Oid,
    temp: Option<Oid>,
    /// Changes with everything that analysis depends on besides catalog and text.
    pub environment: u64,
    pub parse: parser::ParseOptions,
    pub work_mem_bytes: usize,
    pub hash_mem_bytes: usize,
    /// Temporary files under `temp_file_limit`.
    pub temp_files: access::TempSpace,
    /// `parallel_leader_participation`.
    pub leader_participates: bool,
    pub statement_timeout: Option<Duration>,
    pub lock_timeout: Option<Duration>,
    pub deadlock_timeout: Duration,
    pub plan_cache_mode: PlanCacheMode,
    pub synchronous_commit: SynchronousCommit,
    /// `default_transaction_isolation`.
    pub isolation: Isolation,
    /// `default_transaction_read_only`.
    pub read_only: bool,
    /// `default_transaction_deferrable`.
    pub deferrable: bool,
    /// `transaction_isolation` and `transaction_read_only` show the defaults.
    pub shows_defaults: bool,
}

/// `plan_cache_mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlanCacheMode {
    Auto,
    ForceGenericPlan,
    ForceCustomPlan,
}

/// The level behind a word of `transaction_isolation`.
fn isolation(word: &str) -> Isolation {
    match word {
        "serializable" => Isolation::Serializable,
        "repeatable read" => Isolation::RepeatableRead,
        _ => Isolation::ReadCommitted,
    }
}

/// The word of `transaction_isolation` for a level.
pub(crate) fn isolation_word(level: Isolation) -> &'static str {
    match level {
        Isolation::Serializable => "serializable",
        Isolation::RepeatableRead => "repeatable read",
        Isolation::ReadCommitted => "read committed",
    }
}

/// How text is read under the session's settings.
pub(crate) fn parse_options(guc: &GucStore) -> parser::ParseOptions {
    parser::ParseOptions {
        standard_conforming_strings: guc.get_bool("standard_conforming_strings"),
        escape_string_warning: guc.get_bool("escape_string_warning"),
        backslash_quote: match guc.get("backslash_quote") {
            "on" => parser::BackslashQuote::On,
            "off" => parser::BackslashQuote::Off,
            _ => parser::BackslashQuote::SafeEncoding,
        },
        transform_null_equals: guc.get_bool("transform_null_equals"),
        ..parser::ParseOptions::default()
    }
}

impl Settings {
    fn read(core: &SessionCore) -> Settings {
        let guc = core.guc.borrow();
        let (user, temp) = (core.user.get(), core.temp_namespace.get());
        let millis = |name: &str| Duration::from_millis(guc.get_number(name) as u64);
        let limit = |name: &str| Some(millis(name)).filter(|d| !d.is_zero());
        let level = isolation(guc.get("default_transaction_isolation"));
        core.note_role(&guc);
        let read_only = guc.get_bool("default_transaction_read_only");
        let environment = environment_hash(&[
            guc.get("search_path"),
            guc.get("datestyle"),
            guc.get("timezone"),
            guc.get("intervalstyle"),
            guc.get("standard_conforming_strings"),
            guc.get("escape_string_warning"),
            guc.get("backslash_quote"),
            guc.get("transform_null_equals"),
            &user.0.to_string(),
            &temp.map_or(0, |o| o.0).to_string(),
        ]);
        Settings {
            generation: guc.generation(),
            user,
            temp,
            environment,
            parse: parse_options(&guc),
            work_mem_bytes: (guc.get_number("work_mem") as usize) << 10,
            hash_mem_bytes: commands::query::hash_mem_bytes(&guc),
            temp_files: core.temp_files.limited(
                u64::try_from(guc.get_number("temp_file_limit") as i64)
                    .ok()
                    .map(|kb| kb << 10),
            ),
            leader_participates: guc.get_bool("parallel_leader_participation"),
            statement_timeout: limit("statement_timeout"),
            lock_timeout: limit("lock_timeout"),
            deadlock_timeout: millis("deadlock_timeout"),
            plan_cache_mode: match guc.get("plan_cache_mode") {
                "force_generic_plan" => PlanCacheMode::ForceGenericPlan,
                "force_custom_plan" => PlanCacheMode::ForceCustomPlan,
                _ => PlanCacheMode::Auto,
            },
            synchronous_commit: match guc.get("synchronous_commit") {
                "off" => SynchronousCommit::Off,
                _ => SynchronousCommit::On,
            },
            isolation: level,
            read_only,
            deferrable: guc.get_bool("default_transaction_deferrable"),
            shows_defaults: guc.get("transaction_isolation") == isolation_word(level)
                && guc.get_bool("transaction_read_only") == read_only,
        }
    }

    fn is_current(&self, core: &SessionCore) -> bool {
        self.generation == core.guc.borrow().generation()
            && self.user == core.user.get()
            && self.temp == core.temp_namespace.get()
    }

    /// How a transaction that begins now runs.
    pub fn transaction_options(&self, core: &SessionCore) -> TransactionOptions {
        TransactionOptions {
            isolation: self.isolation,
            synchronous_commit: self.synchronous_commit,
            wait: WaitOptions {
                lock_timeout: self.lock_timeout,
                deadlock_timeout: self.deadlock_timeout,
                cancel: core.cancel.clone(),
            },
            database: core.db.database_oid,
            serial: SerialMode {
                read_only: self.read_only,
                deferrable: self.deferrable,
            },
        }
    }
}

/// What the session knows of its settings, read anew if they have changed. Apart from [`Session::settings`] for those who borrow other
/// parts of the session meanwhile.
pub(crate) fn current<'s>(
    known: &'s mut Option<Arc<Settings>>,
    core: &SessionCore,
    block: &Block,
) -> &'s Arc<Settings> {
    if known.as_ref().is_some_and(|known| !known.is_current(core)) {
        *known = None;
    }
    known.get_or_insert_with(|| {
        let fresh = Arc::new(Settings::read(core));
        // Timeouts count for the running transaction at once.
        if let Some(mut txn) = block.txn.as_ref().and_then(|txn| txn.try_borrow_mut().ok()) {
            let now = fresh.transaction_options(core);
            let options = txn.options_mut();
            options.wait = now.wait;
            options.synchronous_commit = now.synchronous_commit;
        }
        fresh
    })
}

impl Session {
    /// The settings as they are now.
    pub(crate) fn settings(&mut self) -> &Arc<Settings> {
        current(&mut self.settings, &self.core, &self.block)
    }
}
