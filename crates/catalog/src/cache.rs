//! Descriptors of user objects, kept per catalog version.
//!
//! # How it works
//! Every committed change of a catalog makes a new, empty cache with the next version number; statements hold the one they started
//! with. A transaction that changed catalogs itself reads through a private one, replaced at each of its changes. So nothing is ever
//! invalidated piecemeal, and what is found needs no check.
//!
//! # Invariants
//! - What is put in was read under a snapshot taken after the version was read: it may be newer than the version, never older.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use common::{Oid, PgResult};
use nodes::partition::PartitionBound;
use parking_lot::RwLock;
use rustc_hash::FxHashMap;

use crate::desc::{FunctionDesc, OperatorDesc, RelationDesc, TypeDesc};
use crate::partition::Partitions;
use crate::view::{CastDesc, ColumnStatistics};

type Map<K, V> = RwLock<FxHashMap<K, V>>;
type ByName<V> = Map<Oid, FxHashMap<Box<str>, V>>;

/// A schema in the cache.
#[derive(Clone, Debug)]
pub struct NamespaceEntry {
    /// `pg_namespace.oid`.
    pub oid: Oid,
    /// `pg_namespace.nspname`.
    pub name: Arc<str>,
    /// `pg_namespace.nspowner`.
    pub owner: Oid,
    /// `pg_namespace.nspacl`.
    pub acl: Option<Vec<types::Datum>>,
}

/// The descriptors of one version. Only user objects: built-in ones never change.
#[derive(Default)]
pub struct Cache {
    version: u64,
    /// Enum labels that the transaction added and may not use yet; only in private caches.
    unsafe_labels: Arc<[Oid]>,
    pub(crate) relations: Map<Oid, Option<Arc<RelationDesc>>>,
    pub(crate) partitions: Map<Oid, Arc<Partitions>>,
    pub(crate) partition_bounds: Map<Oid, Option<Arc<PartitionBound>>>,
    pub(crate) relation_names: ByName<Option<Oid>>,
    pub(crate) types: Map<Oid, Option<Arc<TypeDesc>>>,
    pub(crate) type_names: ByName<Option<Oid>>,
    pub(crate) functions: Map<Oid, Option<Arc<FunctionDesc>>>,
    pub(crate) function_names: Map<Box<str>, Arc<[Arc<FunctionDesc>]>>,
    pub(crate) operators: Map<Oid, Option<Arc<OperatorDesc>>>,
    pub(crate) operator_names: Map<Box<str>, Arc<[Arc<OperatorDesc>]>>,
    pub(crate) enum_labels: Map<Oid, crate::view::EnumLabels>,
    pub(crate) enum_names: Map<Oid, Option<Arc<str>>>,
    /// Families of users that hold a built-in operator, by access method.
    pub(crate) families: Map<(Oid, Oid), Arc<[(Oid, i16)]>>,
    pub(crate) text_orders: Map<Oid, Option<Arc<types::collation::Collation>>>,
    pub(crate) casts: Map<(Oid, Oid), Option<CastDesc>>,
    pub(crate) statistics: Map<(Oid, i16, bool), Option<Arc<ColumnStatistics>>>,
    pub(crate) extended_statistics: Map<Oid, Arc<[crate::statistics_ext::ExtendedStatistics]>>,
    pub(crate) namespaces: RwLock<Option<Arc<[NamespaceEntry]>>>,
    pub(crate) roles: RwLock<Option<Arc<crate::privileges::Roles>>>,
}

impl Cache {
    /// An empty cache of a version.
    pub fn new(version: u64) -> Cache {
        Cache {
            version,
            ..Cache::default()
        }
    }

    /// Enum labels that the transaction added to types it did not make.
    pub(crate) fn unsafe_labels(&self) -> &[Oid] {
        &self.unsafe_labels
    }

    /// Which version it is of.
    pub fn version(&self) -> u64 {
        self.version
    }
}

/// The value of a key, loaded on a miss. Two may load the same: the first stays.
pub(crate) fn get_or_load<K, V>(map: &Map<K, V>, key: K, load: impl FnOnce() -> PgResult<V>) -> PgResult<V>
where
    K: std::hash::Hash + Eq,
    V: Clone,
{
    if let Some(found) = map.read().get(&key) {
        return Ok(found.clone());
    }
    let loaded = load()?;
    Ok(map.write().entry(key).or_insert(loaded).clone())
}

/// The same with a name as the key, without allocating on a hit.
pub(crate) fn get_or_load_str<V: Clone>(
    map: &Map<Box<str>, V>,
    key: &str,
    load: impl FnOnce() -> PgResult<V>,
) -> PgResult<V> {
    if let Some(found) = map.read().get(key) {
        return Ok(found.clone());
    }
    let loaded = load()?;
    Ok(map.write().entry(key.into()).or_insert(loaded).clone())
}

/// The same with a schema and a name as the key.
pub(crate) fn get_or_load_name<V: Clone>(
    map: &ByName<V>,
    namespace: Oid,
    name: &str,
    load: impl FnOnce() -> PgResult<V>,
) -> PgResult<V> {
    if let Some(found) = map.read().get(&namespace).and_then(|names| names.get(name)) {
        return Ok(found.clone());
    }
    let loaded = load()?;
    let mut map = map.write();
    let names = map.entry(namespace).or_default();
    Ok(names.entry(name.into()).or_insert(loaded).clone())
}

/// The caches of one database: the current committed one, and numbers for private ones.
pub struct Caches {
    current: ArcSwap<Cache>,
    private: AtomicU64,
}

/// Versions of private caches have this bit, so that no plan made under one is taken for a plan of a committed version.
const PRIVATE: u64 = 1 << 63;

impl Default for Caches {
    fn default() -> Caches {
        Caches {
            current: ArcSwap::from_pointee(Cache::new(1)),
            private: AtomicU64::new(PRIVATE),
        }
    }
}

impl Caches {
    /// The cache of the newest committed version.
    pub fn current(&self) -> Arc<Cache> {
        self.current.load_full()
    }

    /// The number of the newest committed version.
    pub fn version(&self) -> u64 {
        self.current.load().version
    }

    /// A cache for a transaction that changed catalogs itself.
    pub fn private(&self, unsafe_labels: Arc<[Oid]>) -> Arc<Cache> {
        Arc::new(Cache {
            version: self.private.fetch_add(1, Ordering::Relaxed),
            unsafe_labels,
            ..Cache::default()
        })
    }

    /// A transaction that changed catalogs has committed.
    pub fn advance(&self) {
        self.current.rcu(|cache| Cache::new(cache.version + 1));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn loads_once_and_remembers_absence() {
        let cache = Cache::new(1);
        let mut loads = 0;
        for _ in 0..2 {
            let found = get_or_load_name(&cache.relation_names, Oid(2200), "t", || {
                loads += 1;
                Ok(None)
            });
            assert_eq!(found.unwrap(), None);
        }
        assert_eq!(loads, 1);
    }

    #[test]
    fn versions_never_repeat() {
        let caches = Caches::default();
        let before = caches.current();
        caches.advance();
        assert_ne!(before.version(), caches.current().version());
        let (a, b) = (caches.private(Arc::new([])), caches.private(Arc::new([])));
        assert!(a.version() != b.version() && a.version() & PRIVATE != 0);
    }
}
