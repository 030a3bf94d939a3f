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
        let cache = self.session.borrow().cache(self.catalog());
        let reader = self.catalog().reader(txn.latest_snapshot()?);
        let path = self.path(&reader, cache.version())?;
        let core = self.core.db.clone();
        let sizes: Arc<dyn RelationSizes> = match txn.old_snapshot() {
            None => core,
            Some((csn, own)) => Arc::new(OldSnapshot { core, csn, own }),
        };
        Ok(Arc::new(SessionView::new(reader, cache, path, sizes)))
    }

    fn path(&self, reader: &CatalogReader, version: u64) -> PgResult<Arc<SearchPath>> {
        let guc = self.core.guc.borrow();
        let generation = guc.generation();
        let (temp, user) = (self.core.temp_namespace.get(), self.core.user.get());
        if let Some(c) = &*self.path_cache.borrow() {
            if (c.version, c.generation, c.temp, c.user) == (version, generation, temp, user) {
                return Ok(c.path.clone());
            }
        }
        let elements = split_identifiers(guc.get("search_path")).unwrap_or_default();
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
