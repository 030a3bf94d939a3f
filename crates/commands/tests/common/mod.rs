//! A database in memory with one session, for tests of commands.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::vec_box,
    clippy::arc_with_non_send_sync,
    missing_docs
)]

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use access::{Storage, StorageOptions, Transaction, TransactionOptions};
use catalog::CatalogView;
use catalog::database::{Catalog, CatalogReader, CatalogSession};
use catalog::ddl::Ddl;
use catalog::privileges::Roles;
use catalog::search_path::{PathOwner, SearchPath};
use catalog::session_view::{RecordedSizes, SessionView};
use pglite_commands::guc::GucStore;
use pglite_commands::guc::value::split_identifiers;
use pglite_commands::*;

use common::cancel::CancelToken;
use common::env::os::OsEnv;
use common::memory::MemoryBudget;
use common::{Oid, PgError, PgResult};
use executor::RelationCache;
use types::Datum;

pub struct Handle {
    catalog: Arc<Catalog>,
    session: RefCell<CatalogSession>,
    temp: Cell<Option<Oid>>,
    guc: Arc<RefCell<GucStore>>,
}

impl Handle {
    fn statement_view(&self, txn: &Transaction) -> PgResult<Arc<SessionView<CatalogReader>>> {
        let cache = self.session.borrow().cache(&self.catalog);
        let reader = self.catalog.reader(txn.latest_snapshot()?);
        let elements = split_identifiers(self.guc.borrow().get("search_path"))
            .unwrap()
            .unwrap_or_default();
        let owner = PathOwner {
            user_name: "postgres",
            temp_namespace: self.temp.get(),
        };
        let path = Arc::new(SearchPath::resolve(&reader, &elements, owner)?);
        Ok(Arc::new(SessionView::new(
            reader,
            cache,
            path,
            Arc::new(RecordedSizes),
        )))
    }
}

impl CatalogHandle for Handle {
    fn view(&self, txn: &mut Transaction) -> PgResult<Arc<dyn CatalogView>> {
        Ok(self.statement_view(txn)?)
    }

    fn change(
        &self,
        txn: &mut Transaction,
        user: Oid,
        work: &mut dyn FnMut(&mut Ddl<'_>) -> PgResult<()>,
    ) -> PgResult<()> {
        let path = self.statement_view(txn)?.path().clone();
        let mut session = self.session.borrow_mut();
        let mut writer = self.catalog.writer(txn, &mut session)?;
        work(&mut Ddl::new(&mut writer, user, path))
    }

    fn restart(&self, txn: &mut Transaction) -> PgResult<()> {
        txn.restart()?;
        self.session.borrow_mut().transaction_ended();
        Ok(())
    }

    fn roles(&self, txn: &mut Transaction) -> PgResult<Arc<Roles>> {
        self.statement_view(txn)?.roles()
    }

    fn creation_namespace(&self, txn: &mut Transaction) -> PgResult<Option<Oid>> {
        Ok(self.statement_view(txn)?.path().creation_namespace())
    }

    fn temp_namespace(&self) -> Option<Oid> {
        self.temp.get()
    }

    fn set_temp_namespace(&self, namespace: Option<Oid>) {
        self.temp.set(namespace);
    }
}

pub struct Db {
    pub storage: Arc<Storage>,
    pub relations: RelationCache,
    pub handle: Handle,
    pub proc: Arc<txn::Proc>,
    pub guc: Arc<RefCell<GucStore>>,
    pub notices: RefCell<Vec<Box<PgError>>>,
    pub txn: Option<RefCell<Transaction>>,
    pub explicit: bool,
    pub actions: Vec<SessionAction>,
    memory: MemoryBudget,
    cancel: CancelToken,
}

impl Db {
    pub fn new() -> Db {
        let storage = Storage::open(StorageOptions {
            background: false,
            ..StorageOptions::in_memory(Arc::new(OsEnv::new()))
        })
        .unwrap();
        let catalog = Catalog::open(storage.clone());
        let guc = Arc::new(RefCell::new(GucStore::default()));
        Db {
            relations: RelationCache::without_builtin_rows(storage.clone()),
            handle: Handle {
                catalog,
                session: RefCell::default(),
                temp: Cell::new(None),
                guc: guc.clone(),
            },
            proc: storage.register(1).unwrap(),
            storage,
            guc,
            notices: RefCell::default(),
            txn: None,
            explicit: false,
            actions: Vec::new(),
            memory: MemoryBudget::new(1 << 30),
            cancel: CancelToken::new(),
        }
    }

    fn ensure(&mut self) {
        if self.txn.is_none() {
            let txn = self
                .storage
                .begin(&self.proc, TransactionOptions::default())
                .unwrap();
            self.txn = Some(RefCell::new(txn));
        }
    }

    pub fn begin(&mut self) {
        self.ensure();
        self.explicit = true;
    }

    pub fn commit(&mut self) {
        if let Some(txn) = self.txn.take() {
            txn.into_inner().commit().unwrap();
        }
        self.handle.session.borrow_mut().transaction_ended();
        self.guc.borrow_mut().commit();
        self.explicit = false;
    }

    pub fn rollback(&mut self) {
        if let Some(txn) = self.txn.take() {
            txn.into_inner().abort();
        }
        self.handle.session.borrow_mut().transaction_ended();
        self.guc.borrow_mut().rollback_to(0);
        self.explicit = false;
    }

    pub fn with<T>(
        &mut self,
        sql: &str,
        f: impl FnOnce(&mut CommandContext<'_>) -> PgResult<T>,
    ) -> PgResult<T> {
        self.ensure();
        let env = self.storage.env().clone();
        let mut actions = Vec::new();
        let result = f(&mut CommandContext {
            in_use: &|_| false,
            txn: self.txn.as_ref().unwrap(),
            catalog: &self.handle,
            guc: &self.guc,
            settings: types::settings::FormatSettings::default(),
            session: &functions::NoSession,
            cancel: &self.cancel,
            notices: &self.notices,
            actions: &mut actions,
            relations: &self.relations,
            memory: &self.memory,
            temp: &access::TempSpace::default(),
            after: &executor::AfterQueue::default(),
            env: &*env,
            workers: None,
            source: sql,
            params: &[],
            routine: None,
            param_types: &[],
            asked: access::Asked::ByHand,
            user: Oid(10),
            session_user: Oid(10),
            database: Oid(5),
            database_name: "postgres".into(),
            session_number: 1,
            in_transaction_block: self.explicit,
        });
        self.actions.extend(actions);
        if !self.explicit {
            if result.is_ok() {
                self.commit();
            } else {
                self.rollback();
            }
        }
        result
    }

    pub fn run(&mut self, sql: &str) -> PgResult<CommandOutcome> {
        let parsed = parser::parse(sql, &parser::ParseOptions::default())?;
        let mut last = CommandOutcome::tag("");
        for raw in parsed {
            self.with(sql, |cx| {
                last = execute(&raw.stmt, cx)?;
                cx.txn.borrow_mut().next_command()
            })?;
        }
        Ok(last)
    }

    /// Runs statements and says in one text what came of each: notices, tag or error, rows.
    pub fn script(&mut self, sql: &str) -> String {
        let mut out = String::new();
        for raw in parser::parse(sql, &parser::ParseOptions::default()).unwrap() {
            let text = &sql[raw.span.start as usize..raw.span.end as usize];
            let result = self.run(text);
            for n in self.notices.borrow_mut().drain(..) {
                out += &report(&n, text);
            }
            match result {
                Ok(done) => {
                    if let Some(rows) = done.rows {
                        for row in rows.rows {
                            let cells: Vec<String> = row.iter().map(show).collect();
                            out += &format!("{}\n", cells.join("|"));
                        }
                    }
                    out += &format!("{}\n", done.tag);
                }
                Err(e) => out += &report(&e, text),
            }
        }
        out
    }

    /// The rows of a table as text, by scanning its storage.
    pub fn rows(&mut self, table: &str) -> Vec<String> {
        self.with("", |cx| {
            let view = cx.view()?;
            let desc = view.relation_by_name(None, table)?.expect("table");
            let opened = cx.relations.table(&desc)?;
            let live: Vec<u16> = desc
                .columns
                .iter()
                .filter(|c| !c.dropped)
                .map(|c| (c.attno - 1) as u16)
                .collect();
            let snapshot = cx.txn.borrow().latest_snapshot()?;
            let mut scan = opened.scan(&snapshot, access::ScanRequest::columns(live));
            let mut out = Vec::new();
            while let Some(batch) = scan.next_batch(1024)? {
                for k in 0..batch.len() {
                    let cells: Vec<String> = batch.row(k).iter().map(show).collect();
                    out.push(cells.join("|"));
                }
            }
            Ok(out)
        })
        .unwrap()
    }
}

pub fn show(d: &Datum) -> String {
    match d {
        Datum::Null => "NULL".into(),
        Datum::Text(s) => s.to_string(),
        Datum::Int2(i) => i.to_string(),
        Datum::Int4(i) => i.to_string(),
        Datum::Int8(i) => i.to_string(),
        Datum::Bool(b) => b.to_string(),
        other => format!("{other:?}"),
    }
}

fn report(e: &PgError, _sql: &str) -> String {
    let mut s = format!("{}: {}: {}\n", e.severity.as_str(), e.sqlstate, e.message);
    if let Some(p) = e.position {
        s = format!(
            "{}: {}: {} @{}\n",
            e.severity.as_str(),
            e.sqlstate,
            e.message,
            p + 1
        );
    }
    if let Some(d) = &e.detail {
        s += &format!("DETAIL: {d}\n");
    }
    if let Some(h) = &e.hint {
        s += &format!("HINT: {h}\n");
    }
    if let Some(c) = &e.context {
        s += &format!("CONTEXT: {c}\n");
    }
    s
}
