//! The catalog as statements of this session see it, and as DDL changes it.

use std::cell::RefCell;
use std::sync::Arc;

use access::Transaction;
use catalog::CatalogView;
use catalog::database::{Catalog, CatalogReader, CatalogSession};
use catalog::ddl::Ddl;
use catalog::desc::RelationDesc;
use catalog::privileges::Roles;
use catalog::search_path::{PathOwner, SearchPath};
use catalog::session_view::{RelationSizes, SessionView};
use commands::CatalogHandle;
use commands::guc::value::split_identifiers;
use common::{Csn, Oid, PgResult, Xid};
use executor::RelationOpener;

use crate::database::Inner;
use crate::session::core::SessionCore;

/// The view that statements get.
pub(crate) type View = SessionView<CatalogReader>;

/// A resolved search path and what it was resolved from.
pub(crate) struct PathCache {
    version: u64,
    generation: u64,
    temp: Option<Oid>,
    user: Oid,
    path: Arc<SearchPath>,
}

/// Sizes from the storage, as PostgreSQL's heap and btree would have them.
impl RelationSizes for Inner {
    fn size(&self, relation: &Arc<RelationDesc>) -> PgResult<(u64, f64)> {
        match relation.relkind {
            b'r' | b'm' | b't' => {
                let size = self.relations.table(relation)?.size();
                Ok((size.pages, size.rows as f64))
            }
            _ => Ok((
                relation.relpages.max(0) as u64,
                f64::from(relation.reltuples.max(0.0)),
            )),
        }
    }
}

/// The same for a transaction whose snapshot is older than some indexes.
struct OldSnapshot {
    core: Arc<Inner>,
    /// See [`Transaction::old_snapshot`].
    csn: Csn,
    own: Option<Xid>,
}

impl RelationSizes for OldSnapshot {
    fn index_serves_snapshot(&self, index: &RelationDesc) -> bool {
        self.core.storage.index_serves(index.storage, self.csn, self.own)
    }

    fn size(&self, relation: &Arc<RelationDesc>) -> PgResult<(u64, f64)> {
        self.core.size(relation)
    }
}

/// Builds views and runs catalog changes for one session.
pub(crate) struct SessionCatalog<'s> {
    pub core: &'s SessionCore,
    pub path_cache: &'s RefCell<Option<PathCache>>,
    pub session: &'s RefCell<CatalogSession>,
}

impl SessionCatalog<'_> {
    fn catalog(&self) -> &Arc<Catalog> {
        &self.core.db.catalog
    }

    /// The catalog version that a new statement would run under.
    pub fn version(&self) -> u64 {
        self.session.borrow().version(self.catalog())
    }

    /// The view of a new statement: the newest committed catalog plus the transaction's own changes.
    pub fn statement_view(&self, txn: &Transaction) -> PgResult<Arc<View>> {
        let version = self.version();
        let suits = |view: &Arc<View>| {
            view.version() == version && view.rows().is_fresh() && self.known_path(version).is_some()
        };
        let old_snapshot = txn.old_snapshot();
        if old_snapshot.is_none()
            && let Some(view) = self.core.view.borrow().as_ref().filter(|view| suits(view))
        {
            return Ok(view.clone());
        }
        let session = self.session.borrow();
        let cache = session.cache(self.catalog());
        let reader = match session.has_changes() {
            true => self.catalog().reader(txn.latest_snapshot()?),
            false => self.catalog().later_reader(&self.core.proc),
        };
        let path = self.path(&reader, cache.version())?;
        let core = self.core.db.clone();
        let (keeps, sizes): (bool, Arc<dyn RelationSizes>) = match old_snapshot {
            None => (!session.has_changes(), core),
            Some((csn, own)) => (false, Arc::new(OldSnapshot { core, csn, own })),
        };
        let view = Arc::new(SessionView::new(reader, cache, path, sizes));
        *self.core.view.borrow_mut() = keeps.then(|| view.clone());
        Ok(view)
    }

    /// Lets go of the view that statements share once it has read something: it has a snapshot then.
    pub fn rest(&self) {
        let mut view = self.core.view.borrow_mut();
        if view.as_ref().is_some_and(|view| !view.rows().is_fresh()) {
            *view = None;
        }
    }

    /// The search path, if nothing that it depends on has changed since it was resolved.
    fn known_path(&self, version: u64) -> Option<Arc<SearchPath>> {
        let generation = self.core.guc.borrow().generation();
        let (temp, user) = (self.core.temp_namespace.get(), self.core.user.get());
        let known = self.path_cache.borrow();
        let known = known.as_ref()?;
        let same =
            (known.version, known.generation, known.temp, known.user) == (version, generation, temp, user);
        same.then(|| known.path.clone())
    }

    fn path(&self, reader: &CatalogReader, version: u64) -> PgResult<Arc<SearchPath>> {
        if let Some(path) = self.known_path(version) {
            return Ok(path);
        }
        let guc = self.core.guc.borrow();
        let generation = guc.generation();
        let (temp, user) = (self.core.temp_namespace.get(), self.core.user.get());
        let elements = split_identifiers(guc.get("search_path"))?.unwrap_or_default();
        drop(guc);
        let user_name = self.core.user_name.borrow().clone();
        let owner = PathOwner {
            user_name: &user_name,
            temp_namespace: temp,
        };
        let path = Arc::new(SearchPath::resolve(reader, &elements, owner)?);
        *self.path_cache.borrow_mut() = Some(PathCache {
            version,
            generation,
            temp,
            user,
            path: path.clone(),
        });
        Ok(path)
    }
}

impl CatalogHandle for SessionCatalog<'_> {
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
        let mut writer = self.catalog().writer(txn, &mut session)?;
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
        self.core.temp_namespace.get()
    }

    fn set_temp_namespace(&self, namespace: Option<Oid>) {
        self.core.temp_namespace.set(namespace);
        self.core.used_temp.set(true);
    }
}
