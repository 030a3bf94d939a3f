//! The session as functions called by a statement see it.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::sync::Arc;

use access::{ActiveSnapshot, Persistence, SequenceParams, Transaction};
use catalog::CatalogView;
use commands::guc::Scope;
use common::{Oid, PgError, PgResult, pg_err};
use functions::framework::session::{
    AdvisoryKey, AdvisoryMode, CharacterRules, DefKind, PrivilegeQuestion, QueryRows, SizeKind,
    TextSearchDictionary, VisibleKind,
};
use functions::textsearch::DictionaryStore;
use functions::{CallInfo, SessionContext};
use types::Datum;
use types::io::{NameResolver, RegKind};

use crate::session::catalog::View;
use crate::session::core::SessionCore;
use crate::session::names::Names;
use crate::session::shown::{Doing, Peer};

/// `bit[]` and `character[]` in `pg_type`.
const BIT_ARRAY: Oid = Oid(1561);
const BPCHAR_ARRAY: Oid = Oid(1014);

/// One statement's surroundings.
pub(crate) struct StatementEnv<'s> {
    pub core: &'s SessionCore,
    pub txn: &'s RefCell<Transaction>,
    pub view: Arc<View>,
    pub names: Names,
    pub query: &'s str,
    /// What the running statement sees, for functions that are not volatile.
    pub snapshot: Option<&'s ActiveSnapshot>,
}

impl<'s> StatementEnv<'s> {
    pub fn new(
        core: &'s SessionCore,
        txn: &'s RefCell<Transaction>,
        view: Arc<View>,
        query: &'s str,
    ) -> StatementEnv<'s> {
        StatementEnv {
            core,
            txn,
            names: Names::new(view.clone()),
            view,
            query,
            snapshot: None,
        }
    }

    pub(crate) fn sequence(&self, oid: Oid) -> PgResult<(access::Sequence, SequenceParams)> {
        let desc = self
            .view
            .relation(oid)?
            .filter(|d| d.relkind == b'S')
            .ok_or_else(|| pg_err!(UNDEFINED_TABLE, "relation with OID {oid} does not exist"))?;
        let stored = catalog::ddl::sequence::parameters(self.view.rows(), oid)?
            .ok_or_else(|| common::internal!("sequence {oid} has no parameters"))?;
        let params = SequenceParams {
            name: desc.name.clone(),
            increment: stored.increment,
            minimum: stored.min,
            maximum: stored.max,
            cycle: stored.cycle,
            cache: stored.cache,
        };
        let persistence = match desc.persistence {
            b'u' => Persistence::Unlogged,
            b't' => Persistence::Temporary,
            _ => Persistence::Permanent,
        };
        Ok((self.core.db.storage.sequence(desc.storage, persistence)?, params))
    }

    /// Definitions that cannot be printed yet: NULL where there is no such object.
    fn no_definition(&self, oid: Oid) -> PgResult<Option<String>> {
        use catalog::store::CatalogRead;
        let rows = self.view.rows().scan(catalog::oids::PG_REWRITE)?;
        if rows.iter().any(|r| r.oid(0) == oid) {
            return Err(common::unsupported!(
                "this kind of definition cannot be printed yet"
            ));
        }
        Ok(None)
    }

    /// Prints definitions, with values as the session shows them.
    pub(crate) fn printer(&self) -> &Names {
        self.names.show_as(|| self.core.format_settings());
        &self.names
    }

    fn sleep_for(&self, seconds: f64) -> PgResult<()> {
        let end = self.core.db.env.monotonic().as_secs_f64() + seconds.max(0.0);
        loop {
            self.core.cancel.check()?;
            let left = end - self.core.db.env.monotonic().as_secs_f64();
            if left <= 0.0 {
                return Ok(());
            }
            self.core
                .db
                .env
                .sleep(std::time::Duration::from_secs_f64(left.min(0.02)));
        }
    }

    pub(crate) fn refuse_read_only(&self, what: &str) -> PgResult<()> {
        if self.core.guc.borrow().get_bool("transaction_read_only") {
            return Err(pg_err!(
                READ_ONLY_SQL_TRANSACTION,
                "cannot execute {what} in a read-only transaction"
            ));
        }
        Ok(())
    }
}

fn style(pretty: bool) -> catalog::deparse::Style {
    if pretty {
        catalog::deparse::Style::PRETTY
    } else {
        catalog::deparse::Style::PLAIN
    }
}

fn text(s: &str) -> String {
    s.to_owned()
}

/// `format_type`.
pub(crate) fn format_type(view: &Arc<View>, type_oid: Oid, typmod: Option<i32>) -> PgResult<String> {
    // Without a modifier given these print as SQL spells them, with -1 as the types that have no limit.
    if typmod.is_none() {
        let plain = match type_oid {
            types::oids::BIT => "bit",
            types::oids::BPCHAR => "character",
            BIT_ARRAY => "bit[]",
            BPCHAR_ARRAY => "character[]",
            _ => "",
        };
        if !plain.is_empty() {
            return Ok(text(plain));
        }
    }
    catalog::format_type::format_type(&**view, type_oid, typmod.unwrap_or(-1))
}

impl SessionContext for StatementEnv<'_> {
    fn resolver(&self) -> &dyn NameResolver {
        &self.names
    }

    fn transaction_timestamp(&self) -> PgResult<i64> {
        Ok(self.core.transaction_start.get())
    }

    fn statement_timestamp(&self) -> PgResult<i64> {
        Ok(self.core.statement_start.get())
    }

    fn clock_timestamp(&self) -> PgResult<i64> {
        Ok(self.core.now())
    }

    fn postmaster_start_time(&self) -> PgResult<i64> {
        Ok(self.core.db.start_time)
    }

    fn random(&self) -> PgResult<f64> {
        Ok(self.core.random().next_double())
    }

    fn random_u64(&self) -> PgResult<u64> {
        Ok(self.core.random().next())
    }

    fn set_seed(&self, seed: f64) -> PgResult<()> {
        self.core.random().seed_from(seed);
        Ok(())
    }

    fn strong_random(&self, bytes: &mut [u8]) -> PgResult<()> {
        self.core.db.env.fill_random(bytes);
        Ok(())
    }

    fn current_setting(&self, name: &str, missing_ok: bool) -> PgResult<Option<String>> {
        match self.core.guc.borrow().show(name) {
            Ok(value) => Ok(Some(value)),
            Err(_) if missing_ok => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn set_config(&self, name: &str, value: Option<&str>, is_local: bool) -> PgResult<String> {
        let scope = if is_local { Scope::Local } else { Scope::Session };
        let user = self.core.user.get();
        commands::guc::check_may_set(name, self.view.roles()?.is_superuser(user))?;
        let mut guc = self.core.guc.borrow_mut();
        match value {
            Some(v) => guc.set(name, v, scope)?,
            None => guc.reset(name, scope)?,
        }
        guc.show(name)
    }

    fn current_user(&self) -> PgResult<String> {
        Ok(text(&self.core.user_name.borrow()))
    }

    fn session_user(&self) -> PgResult<String> {
        Ok(text(&self.core.session_user_name))
    }

    fn current_database(&self) -> PgResult<String> {
        Ok(text(&self.core.db.database_name()))
    }

    fn current_schema(&self) -> PgResult<Option<String>> {
        match self.view.path().creation_namespace() {
            Some(oid) => Ok(self.view.namespace_name(oid)?.map(|n| text(&n))),
            None => Ok(None),
        }
    }

    fn current_schemas(&self, include_implicit: bool) -> PgResult<Vec<String>> {
        let mut out = Vec::new();
        for oid in self.view.path().schemas(include_implicit) {
            out.extend(self.view.namespace_name(oid)?.map(|n| text(&n)));
        }
        Ok(out)
    }

    fn backend_pid(&self) -> PgResult<i32> {
        Ok(self.core.pid)
    }

    fn current_query(&self) -> PgResult<Option<String>> {
        Ok(Some(text(self.query)))
    }

    fn nextval(&self, sequence: Oid) -> PgResult<i64> {
        let (store, params) = self.sequence(sequence)?;
        self.refuse_read_only("nextval()")?;
        let cached = self
            .core
            .sequences
            .borrow_mut()
            .next_cached(sequence, store.id(), &params);
        if let Some(value) = cached {
            return Ok(value);
        }
        let wal = Arc::clone(self.core.db.storage.manager().wal());
        let taken = store.advance(&wal, &params)?;
        if taken.logged {
            self.core.sequence_logged.set(true);
        }
        self.core
            .sequences
            .borrow_mut()
            .taken(sequence, store.id(), params, taken);
        Ok(taken.first)
    }

    fn currval(&self, sequence: Oid) -> PgResult<i64> {
        let name = self.sequence(sequence)?.1.name;
        self.core.sequences.borrow().current(sequence).ok_or_else(|| {
            pg_err!(
                OBJECT_NOT_IN_PREREQUISITE_STATE,
                "currval of sequence \"{name}\" is not yet defined in this session"
            )
        })
    }

    fn setval(&self, sequence: Oid, value: i64, is_called: bool) -> PgResult<i64> {
        let (store, params) = self.sequence(sequence)?;
        self.refuse_read_only("setval()")?;
        if value < params.minimum || value > params.maximum {
            return Err(pg_err!(
                NUMERIC_VALUE_OUT_OF_RANGE,
                "setval: value {value} is out of bounds for sequence \"{}\" ({}..{})",
                params.name,
                params.minimum,
                params.maximum
            ));
        }
        let wal = Arc::clone(self.core.db.storage.manager().wal());
        store.assign(&wal, value, is_called)?;
        self.core.sequence_logged.set(true);
        let used = is_called.then_some(value);
        self.core
            .sequences
            .borrow_mut()
            .set(sequence, store.id(), params, used);
        Ok(value)
    }

    fn lastval(&self) -> PgResult<i64> {
        self.core.sequences.borrow().last().ok_or_else(|| {
            pg_err!(
                OBJECT_NOT_IN_PREREQUISITE_STATE,
                "lastval is not yet defined in this session"
            )
        })
    }

    fn role_name(&self, role: Oid) -> PgResult<Option<String>> {
        Ok(self.view.role_name(role)?.map(|n| text(&n)))
    }

    fn is_visible(&self, kind: VisibleKind, oid: Oid) -> PgResult<Option<bool>> {
        self.names.is_visible(kind, oid)
    }

    fn format_type(&self, type_oid: Oid, typmod: Option<i32>) -> PgResult<String> {
        format_type(&self.view, type_oid, typmod)
    }

    fn get_expr(&self, tree: &str, relation: Oid, pretty: bool) -> PgResult<Option<String>> {
        self.printer().stored_expression(tree, relation, style(pretty))
    }

    fn get_def(&self, kind: DefKind, oid: Oid, column: i32, pretty: bool) -> PgResult<Option<String>> {
        let style = style(pretty);
        match kind {
            DefKind::Index => self.printer().index_definition(oid, column, style),
            DefKind::Constraint => self.printer().constraint_definition(oid, style),
            DefKind::View => self.printer().view_definition(oid, style),
            DefKind::FunctionArguments => self.printer().function_arguments(oid, true),
            DefKind::FunctionIdentityArguments => self.printer().function_arguments(oid, false),
            DefKind::FunctionResult => self.printer().function_result(oid),
            DefKind::Function => self.printer().function_definition(oid),
            DefKind::PartitionKey => self.printer().partition_key(oid, column),
            DefKind::PartitionConstraint => self.printer().partition_constraint(oid),
            DefKind::Statistics => self.printer().statistics_definition(oid),
            DefKind::Trigger => self.printer().trigger_definition(oid, style),
            DefKind::Rule => self.no_definition(oid),
        }
    }

    fn advisory_lock(&self, key: AdvisoryKey, mode: AdvisoryMode) -> PgResult<bool> {
        self.take_advisory_lock(key, mode)
    }

    fn advisory_unlock(&self, key: AdvisoryKey, shared: bool) -> PgResult<bool> {
        self.give_advisory_lock_back(key, shared)
    }

    fn advisory_unlock_all(&self) -> PgResult<()> {
        let txn = self.txn.borrow();
        let below = txn.txn()?;
        below.manager().locks().unlock_session_advisory(below.proc());
        Ok(())
    }

    fn query(&self, sql: &str, rows_max: usize) -> PgResult<QueryRows> {
        self.inner_query(sql, rows_max)
    }

    fn fetch(&self, cursor: &str, count: i64) -> PgResult<QueryRows> {
        self.inner_fetch(cursor, count)
    }

    fn rows(&self, function: &str, args: &[types::Datum]) -> PgResult<Vec<Vec<types::Datum>>> {
        self.system_rows(function, args)
    }

    fn serial_sequence(&self, table: &str, column: &str) -> PgResult<Option<String>> {
        self.names.serial_sequence(table, column)
    }

    fn description(&self, object: Oid, catalog: Option<&str>, column: i32) -> PgResult<Option<String>> {
        self.names.description(object, catalog, column)
    }

    fn shared_description(&self, object: Oid, catalog: &str) -> PgResult<Option<String>> {
        self.names.shared_description(object, catalog)
    }

    fn has_privilege(&self, question: PrivilegeQuestion<'_>) -> PgResult<Option<bool>> {
        self.names.has_privilege(self.core, &question)
    }

    fn text_search_config(&self, config: Oid) -> PgResult<Vec<(i32, Oid)>> {
        self.names.text_search_config(config)
    }

    fn text_search_dictionary(&self, dictionary: Oid) -> PgResult<TextSearchDictionary> {
        self.names.text_search_dictionary(dictionary)
    }

    fn dictionary_store(&self) -> PgResult<Arc<DictionaryStore>> {
        Ok(Arc::clone(&self.core.db.dictionaries))
    }

    fn default_text_search_config(&self) -> PgResult<Oid> {
        let name = self.core.guc.borrow().show("default_text_search_config")?;
        self.names.resolve(RegKind::Config, &name)
    }

    fn size(&self, kind: SizeKind<'_>) -> PgResult<Option<i64>> {
        self.names.size(&self.core.db, kind)
    }

    fn transaction_id(&self, assign: bool) -> PgResult<Option<u64>> {
        let Ok(mut txn) = self.txn.try_borrow_mut() else {
            return Err(common::internal!("transaction is in use"));
        };
        if assign {
            Ok(Some(txn.assign_xid()?.0))
        } else {
            Ok(txn.xid().map(|x| x.0))
        }
    }

    fn is_in_recovery(&self) -> PgResult<bool> {
        Ok(false)
    }

    fn call(&self, function: &str, args: &[Datum]) -> PgResult<Datum> {
        if function.starts_with("be_lo")
            && let Some(value) = self.large_object_call(function, args)?
        {
            return Ok(value);
        }
        match function {
            "pg_current_snapshot" => {
                let manager = self.core.db.storage.manager();
                let mut running: Vec<u64> = manager.active_xids().iter().map(|x| x.0).collect();
                running.sort_unstable();
                let xmax = manager.next_xid().0;
                let snapshot = types::io_system::Snapshot {
                    xmin: running.first().copied().unwrap_or(xmax),
                    xmax,
                    running,
                };
                Ok(Datum::Bytes(snapshot.to_bytes().into()))
            }
            "pg_export_snapshot" => self.export_snapshot(),
            "pg_current_wal_insert_lsn" | "pg_current_wal_lsn" => {
                let wal = self.core.db.storage.manager().wal();
                Ok(Datum::Int8(wal.insert_lsn().0 as i64))
            }
            "pg_current_wal_flush_lsn" => {
                let wal = self.core.db.storage.manager().wal();
                Ok(Datum::Int8(wal.flushed_lsn().0 as i64))
            }
            "current_of" => self.current_of(args),
            "plpgsql_inline_handler" => {
                let body = args.first().and_then(Datum::as_str).unwrap_or("");
                self.run_inline(body)?;
                Ok(Datum::Null)
            }
            "plpgsql_validator" => {
                let oid = args.first().and_then(Datum::as_oid).unwrap_or_default();
                self.validate_plpgsql(oid)?;
                Ok(Datum::text(""))
            }
            _ => self.system_value(function, args),
        }
    }

    fn call_function(&self, call: &CallInfo, args: &[Datum]) -> PgResult<Datum> {
        let rows = self.run_routine(call, args, false)?;
        Ok(rows.into_iter().next().unwrap_or(Datum::Null))
    }

    fn function_rows(&self, call: &CallInfo, args: &[Datum]) -> PgResult<Vec<Datum>> {
        let returns_set = self.view.function(call.proc)?.is_some_and(|f| f.returns_set);
        let mut rows = self.run_routine(call, args, returns_set)?;
        if !returns_set && rows.is_empty() {
            rows.push(Datum::Null);
        }
        Ok(rows)
    }

    fn cancel_backend(&self, pid: i32) -> PgResult<bool> {
        self.cancel_session(pid)
    }

    fn terminate_backend(&self, pid: i32, timeout: i64) -> PgResult<bool> {
        self.terminate_session(pid, timeout)
    }

    fn sleep(&self, seconds: f64) -> PgResult<()> {
        let before = self.core.shown.waits(Doing::Sleeping);
        let slept = self.sleep_for(seconds);
        self.core.shown.waits(before);
        slept
    }

    fn notify(&self, channel: &str, payload: &str) -> PgResult<()> {
        queue_notification(self.core, channel, payload)
    }

    fn connection_address(&self, server_side: bool) -> PgResult<Option<(String, i32)>> {
        let Peer::Tcp { client, server } = self.core.shown.peer() else {
            return Ok(None);
        };
        let end = if server_side { server } else { client };
        Ok(Some((end.address, end.port.into())))
    }

    fn notice(&self, notice: Box<PgError>) -> PgResult<()> {
        self.core.notice(notice);
        Ok(())
    }

    fn character_rules(&self, collation: Oid) -> PgResult<CharacterRules> {
        self.names.character_rules(collation)
    }

    fn collate(&self, collation: Oid, a: &str, b: &str) -> PgResult<Option<Ordering>> {
        Ok(self
            .names
            .view
            .text_order(collation)?
            .map(|order| order.compare(a, b)))
    }
}

/// NOTIFY: kept until commit; equal ones of a transaction are sent once.
pub(crate) fn queue_notification(core: &SessionCore, channel: &str, payload: &str) -> PgResult<()> {
    if channel.is_empty() {
        return Err(pg_err!(INVALID_PARAMETER_VALUE, "channel name cannot be empty"));
    }
    if channel.len() >= 64 {
        return Err(pg_err!(INVALID_PARAMETER_VALUE, "channel name too long"));
    }
    if payload.len() >= 8000 {
        return Err(pg_err!(INVALID_PARAMETER_VALUE, "payload string too long"));
    }
    let entry = (channel.to_owned(), payload.to_owned());
    let mut pending = core.pending_notify.borrow_mut();
    if !pending.contains(&entry) {
        pending.push(entry);
    }
    Ok(())
}
