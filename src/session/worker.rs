//! Parallel workers: threads that run part of a plan, with a session that answers from the catalog and from copies.

use std::sync::Arc;

use access::{ActiveSnapshot, TempSpace};
use catalog::CatalogView;
use common::cancel::CancelToken;
use common::memory::MemoryBudget;
use common::{Oid, PgResult};
use executor::{AfterQueue, ExecContext, WorkerHost, WorkerJob};
use functions::SessionContext;
use functions::framework::session::{CharacterRules, TextSearchDictionary, VisibleKind};
use functions::textsearch::DictionaryStore;
use types::io::{NameResolver, RegKind};
use types::{Datum, FormatSettings};

use crate::database::Inner;
use crate::session::catalog::View;
use crate::session::env::StatementEnv;
use crate::session::names::Names;

/// What a worker takes along from its leader.
struct Luggage {
    db: Arc<Inner>,
    view: Arc<View>,
    transaction_start: i64,
    statement_start: i64,
    user: Arc<str>,
    session_user: Arc<str>,
    pid: i32,
    text_search_config: String,
    snapshot: ActiveSnapshot,
    params: Vec<Datum>,
    settings: FormatSettings,
    cancel: CancelToken,
    memory: MemoryBudget,
    work_mem_bytes: usize,
    hash_mem_bytes: usize,
    temp: TempSpace,
}

impl WorkerHost for StatementEnv<'_> {
    fn start(&self, cx: &ExecContext<'_>, job: WorkerJob) -> bool {
        let core = self.core;
        let guc = core.guc.borrow();
        let limit = guc.get_number("max_parallel_workers") as usize;
        let luggage = Luggage {
            db: core.db.clone(),
            view: self.view.clone(),
            transaction_start: core.transaction_start.get(),
            statement_start: core.statement_start.get(),
            user: core.user_name.borrow().clone(),
            session_user: core.session_user_name.clone(),
            pid: core.pid,
            text_search_config: guc.show("default_text_search_config").unwrap_or_default(),
            snapshot: cx.snapshot.clone(),
            params: cx.params.to_vec(),
            settings: cx.settings.clone(),
            cancel: cx.cancel.clone(),
            memory: cx.memory.clone(),
            work_mem_bytes: cx.work_mem_bytes,
            hash_mem_bytes: cx.hash_mem_bytes,
            temp: cx.temp.clone(),
        };
        core.db
            .env
            .spawn_worker(limit, Box::new(move || luggage.run(job)))
    }
}

impl Luggage {
    fn run(self, job: WorkerJob) {
        let session = WorkerSession {
            names: Names::new(self.view.clone()),
            luggage: &self,
        };
        job(&ExecContext {
            txn: None,
            snapshot: &self.snapshot,
            catalog: &*self.view,
            relations: &self.db.relations,
            params: &self.params,
            session: &session,
            settings: &self.settings,
            cancel: &self.cancel,
            memory: &self.memory,
            work_mem_bytes: self.work_mem_bytes,
            hash_mem_bytes: self.hash_mem_bytes,
            temp: &self.temp,
            after: &AfterQueue::default(),
            env: &*self.db.env,
            workers: None,
            leader_participates: true,
        });
    }
}

/// The session as functions in a worker see it. What it does not answer, the executor leaves to the leader.
struct WorkerSession<'l> {
    names: Names,
    luggage: &'l Luggage,
}

impl SessionContext for WorkerSession<'_> {
    fn resolver(&self) -> &dyn NameResolver {
        &self.names
    }

    fn transaction_timestamp(&self) -> PgResult<i64> {
        Ok(self.luggage.transaction_start)
    }

    fn statement_timestamp(&self) -> PgResult<i64> {
        Ok(self.luggage.statement_start)
    }

    fn clock_timestamp(&self) -> PgResult<i64> {
        Ok(self.luggage.db.now())
    }

    fn postmaster_start_time(&self) -> PgResult<i64> {
        Ok(self.luggage.db.start_time)
    }

    fn strong_random(&self, bytes: &mut [u8]) -> PgResult<()> {
        self.luggage.db.env.fill_random(bytes);
        Ok(())
    }

    fn current_user(&self) -> PgResult<String> {
        Ok(self.luggage.user.to_string())
    }

    fn session_user(&self) -> PgResult<String> {
        Ok(self.luggage.session_user.to_string())
    }

    fn current_database(&self) -> PgResult<String> {
        Ok(self.luggage.db.database_name().to_string())
    }

    fn current_schema(&self) -> PgResult<Option<String>> {
        let view = &self.luggage.view;
        let Some(oid) = view.path().creation_namespace() else {
            return Ok(None);
        };
        Ok(view.namespace_name(oid)?.map(|n| n.to_string()))
    }

    fn current_schemas(&self, include_implicit: bool) -> PgResult<Vec<String>> {
        let view = &self.luggage.view;
        let mut out = Vec::new();
        for oid in view.path().schemas(include_implicit) {
            out.extend(view.namespace_name(oid)?.map(|n| n.to_string()));
        }
        Ok(out)
    }

    fn backend_pid(&self) -> PgResult<i32> {
        Ok(self.luggage.pid)
    }

    fn role_name(&self, role: Oid) -> PgResult<Option<String>> {
        Ok(self.luggage.view.role_name(role)?.map(|n| n.to_string()))
    }

    fn is_visible(&self, kind: VisibleKind, oid: Oid) -> PgResult<Option<bool>> {
        self.names.is_visible(kind, oid)
    }

    fn format_type(&self, type_oid: Oid, typmod: Option<i32>) -> PgResult<String> {
        crate::session::env::format_type(&self.luggage.view, type_oid, typmod)
    }

    fn description(&self, object: Oid, catalog: Option<&str>, column: i32) -> PgResult<Option<String>> {
        self.names.description(object, catalog, column)
    }

    fn shared_description(&self, object: Oid, catalog: &str) -> PgResult<Option<String>> {
        self.names.shared_description(object, catalog)
    }

    fn text_search_config(&self, config: Oid) -> PgResult<Vec<(i32, Oid)>> {
        self.names.text_search_config(config)
    }

    fn text_search_dictionary(&self, dictionary: Oid) -> PgResult<TextSearchDictionary> {
        self.names.text_search_dictionary(dictionary)
    }

    fn dictionary_store(&self) -> PgResult<Arc<DictionaryStore>> {
        Ok(Arc::clone(&self.luggage.db.dictionaries))
    }

    fn default_text_search_config(&self) -> PgResult<Oid> {
        self.names
            .resolve(RegKind::Config, &self.luggage.text_search_config)
    }

    fn is_in_recovery(&self) -> PgResult<bool> {
        Ok(false)
    }

    fn character_rules(&self, collation: Oid) -> PgResult<CharacterRules> {
        self.names.character_rules(collation)
    }

    fn collate(&self, collation: Oid, a: &str, b: &str) -> PgResult<Option<std::cmp::Ordering>> {
        let order = self.luggage.view.text_order(collation)?;
        Ok(order.map(|order| order.compare(a, b)))
    }
}
