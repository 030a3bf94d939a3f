//! The system catalogs of one database in its storage.
//!
//! # How it works
//! A catalog's table and indexes are opened when first touched; opening a database does nothing here. Built-in rows come from
//! [`CatalogRows`], decoded once per process. Every write keeps all indexes of its catalog.
//!
//! # Invariants
//! - See [`crate::store`] for built-in rows and indexes.
//! - A write is seen by the next read of the same transaction: each is a command of its own.

use std::sync::{Arc, OnceLock};

use access::{
    ActiveSnapshot, BuiltinEntries, BuiltinRows, Index, IndexDef, ScanDirection, ScanRequest, Storage, Table,
    TableDef, Transaction, UniqueCheck, WriteOutcome,
};
use common::cancel;
use common::error::ErrorExt;
use common::{Oid, PgResult, RelationId, RowId, internal, pg_err};
use parking_lot::Mutex;
use txn::{Proc, RowLockMode};
use types::key::KeyColumn;
use types::{BATCH_ROWS, Datum, PhysType};

use crate::builtin::facts::{self, BuiltinIndex, BuiltinRelation};
use crate::builtin::relations::storage as builtin_storage;
use crate::builtin::rows::CatalogRows;
use crate::cache::{Cache, Caches};
use crate::oids;
use crate::row::StoredRow;
use crate::store::{CatalogRead, CatalogWrite, key_oid};

struct SystemIndex {
    facts: &'static BuiltinIndex,
    index: Index,
}

/// Rows that a lookup gives.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    /// Those of users and changed ones.
    Stored,
    All,
}

/// A catalog's table with its indexes.
struct SystemTable {
    facts: &'static BuiltinRelation,
    table: Table,
    indexes: Vec<SystemIndex>,
    builtin_rows: u64,
}

/// The catalogs of a database, shared by its sessions.
pub struct Catalog {
    storage: Arc<Storage>,
    caches: Caches,
    tables: Box<[OnceLock<SystemTable>]>,
}

/// Built-in rows are the same in every database.
fn catalog_rows(at: usize, catalog: &'static BuiltinRelation) -> Option<Arc<CatalogRows>> {
    static ROWS: OnceLock<Box<[OnceLock<Option<Arc<CatalogRows>>>]>> = OnceLock::new();
    let all = ROWS.get_or_init(|| facts::relations().iter().map(|_| OnceLock::new()).collect());
    all.get(at)?.get_or_init(|| CatalogRows::of(catalog)).clone()
}

/// Entries of the built-in rows in an index; the same in every database, made when a catalog is first opened.
fn builtin_entries(
    at: usize,
    table: &'static BuiltinRelation,
    index: &'static BuiltinIndex,
) -> PgResult<Option<Arc<BuiltinEntries>>> {
    static ENTRIES: OnceLock<Box<[OnceLock<Arc<BuiltinEntries>>]>> = OnceLock::new();
    let Some(rows) = catalog_rows(at, table) else {
        return Ok(None);
    };
    let all = ENTRIES.get_or_init(|| facts::indexes().iter().map(|_| OnceLock::new()).collect());
    let place = facts::indexes().binary_search_by_key(&index.oid, |i| i.oid).ok();
    let Some(cell) = place.and_then(|at| all.get(at)) else {
        return Ok(None);
    };
    if let Some(made) = cell.get() {
        return Ok(Some(made.clone()));
    }
    let keys = rows.project(index.columns)?;
    let made = Arc::new(BuiltinEntries::new(&key_columns(table, index), keys.into_iter()));
    Ok(Some(cell.get_or_init(|| made).clone()))
}

/// The datums of an index's key.
fn index_key(index: &BuiltinIndex, values: &[Datum]) -> Vec<Datum> {
    let at = |attno: &i16| usize::try_from(*attno - 1).ok().and_then(|i| values.get(i));
    let keys = index
        .columns
        .iter()
        .map(|attno| at(attno).cloned().unwrap_or_default());
    keys.collect()
}

/// The columns of an index as keys.
fn key_columns(table: &BuiltinRelation, index: &BuiltinIndex) -> Vec<KeyColumn> {
    let columns = index
        .columns
        .iter()
        .filter_map(|attno| table.columns.get(usize::try_from(*attno - 1).ok()?));
    columns
        .map(|c| KeyColumn::ascending(PhysType::of_builtin(c.type_oid), c.type_oid))
        .collect()
}

impl SystemTable {
    fn open(storage: &Arc<Storage>, at: usize, rel: &'static BuiltinRelation) -> PgResult<SystemTable> {
        let rows = catalog_rows(at, rel);
        let builtin_rows = rows.as_ref().map_or(0, |r| r.row_count() as u64);
        let columns = rel
            .columns
            .iter()
            .map(|c| PhysType::of_builtin(c.type_oid))
            .collect();
        let mut def = TableDef::new(builtin_storage(rel), rel.oid, columns);
        def.builtin = rows.map(|r| r as Arc<dyn BuiltinRows>);
        let table = storage.table(&Arc::new(def))?;
        let indexes = facts::indexes_of(rel.oid).map(|facts| {
            let mut def = IndexDef::new(
                RelationId(u64::from(facts.oid.0)),
                facts.oid,
                key_columns(rel, facts),
            );
            def.unique = facts.unique;
            def.builtin = builtin_entries(at, rel, facts)?;
            let index = storage.index(&Arc::new(def))?;
            Ok(SystemIndex { facts, index })
        });
        let indexes: PgResult<Vec<SystemIndex>> = indexes.collect();
        Ok(SystemTable {
            facts: rel,
            table,
            indexes: indexes?,
            builtin_rows,
        })
    }

    fn index(&self, oid: Oid) -> PgResult<&SystemIndex> {
        match self.indexes.iter().find(|i| i.facts.oid == oid) {
            Some(index) => Ok(index),
            None => Err(internal!("catalog {} has no index {oid}", self.facts.name)),
        }
    }

    fn insert(&self, txn: &mut Transaction, values: &[Datum]) -> PgResult<()> {
        let row = self.table.insert(txn, values)?;
        for index in &self.indexes {
            index.insert(txn, values, row)?;
        }
        Ok(())
    }

    fn delete(&self, txn: &mut Transaction, snapshot: &ActiveSnapshot, old: &StoredRow) -> PgResult<()> {
        check(self.table.delete(txn, snapshot, old.row)?)?;
        for index in &self.indexes {
            index.index.delete(txn, &index.key(&old.values), old.row)?;
        }
        Ok(())
    }

    fn update(
        &self,
        txn: &mut Transaction,
        snapshot: &ActiveSnapshot,
        old: &StoredRow,
        values: &[Datum],
    ) -> PgResult<()> {
        // A changed built-in row becomes a row of its own, so that the indexes find it.
        if old.row.0 < self.builtin_rows {
            self.delete(txn, snapshot, old)?;
            return self.insert(txn, values);
        }
        let new_row = check(
            self.table
                .update(txn, snapshot, old.row, values, RowLockMode::Update)?,
        )?;
        for index in &self.indexes {
            let (old_key, new_key) = (index.key(&old.values), index.key(values));
            if new_row != old.row || old_key != new_key {
                index.index.delete(txn, &old_key, old.row)?;
                index.insert(txn, values, new_row)?;
            }
        }
        Ok(())
    }

    fn fetch(&self, snapshot: &ActiveSnapshot, row: RowId) -> PgResult<Option<StoredRow>> {
        let mut values = Vec::with_capacity(self.facts.columns.len());
        let found = self.table.fetch(row, snapshot, &mut values)?;
        Ok(found.then_some(StoredRow { row, values }))
    }

    fn lookup(
        &self,
        snapshot: &ActiveSnapshot,
        (index, key): (Oid, &[Datum]),
        which: Which,
    ) -> PgResult<Vec<StoredRow>> {
        let index = &self.index(index)?.index;
        let mut scan = index.scan(snapshot, index.bounds_equal(key), ScanDirection::Forward);
        let mut rows = Vec::new();
        while let Some(row) = scan.next_row()? {
            if which == Which::All || row.0 >= self.builtin_rows {
                rows.extend(self.fetch(snapshot, row)?);
            }
        }
        Ok(rows)
    }

    fn scan(&self, snapshot: &ActiveSnapshot) -> PgResult<Vec<StoredRow>> {
        let columns: Vec<u16> = (0..self.facts.columns.len() as u16).collect();
        let mut scan = self
            .table
            .scan(snapshot, ScanRequest::columns(columns).with_row_ids());
        let mut rows = Vec::new();
        while let Some(batch) = scan.next_batch(BATCH_ROWS)? {
            for k in 0..batch.len() {
                let mut values = batch.row(k);
                let row = values.pop().and_then(|v| v.as_i64()).unwrap_or_default();
                rows.push(StoredRow {
                    row: RowId(row as u64),
                    values,
                });
            }
        }
        Ok(rows)
    }
}

impl SystemIndex {
    fn key(&self, values: &[Datum]) -> Vec<Datum> {
        index_key(self.facts, values)
    }

    fn insert(&self, txn: &mut Transaction, values: &[Datum], row: RowId) -> PgResult<()> {
        let check = if self.facts.unique {
            UniqueCheck::Yes
        } else {
            UniqueCheck::No
        };
        match self.index.insert(txn, &self.key(values), &[], row, check)? {
            Ok(()) => Ok(()),
            // Two sessions made the same thing at the same time.
            Err(_) => {
                let name = facts::relation(self.facts.oid).map_or("", |r| r.name);
                let error = pg_err!(
                    UNIQUE_VIOLATION,
                    "duplicate key value violates unique constraint \"{name}\""
                );
                Err(error.constraint(name))
            }
        }
    }
}

/// Catalog rows are protected by locks on the objects; who comes late all the same is told as PostgreSQL tells it.
fn check(outcome: WriteOutcome) -> PgResult<RowId> {
    match outcome {
        WriteOutcome::Done(row) => Ok(row),
        WriteOutcome::SelfModified { .. } => Err(internal!("tuple already updated by self")),
        WriteOutcome::Conflict(_) => Err(internal!("tuple concurrently updated")),
    }
}

impl Catalog {
    /// The catalogs of a database. Reads nothing.
    pub fn open(storage: Arc<Storage>) -> Arc<Catalog> {
        Arc::new(Catalog {
            storage,
            caches: Caches::default(),
            tables: facts::relations().iter().map(|_| OnceLock::new()).collect(),
        })
    }

    /// The storage below.
    pub fn storage(&self) -> &Arc<Storage> {
        &self.storage
    }

    /// The caches of descriptors.
    pub fn caches(&self) -> &Caches {
        &self.caches
    }

    /// Forgets all descriptors: a transaction of before this process may have changed definitions.
    pub fn forget_descriptors(&self) {
        self.caches.advance();
    }

    /// A catalog's table, for scans by the executor: built-in rows included.
    pub fn table(&self, catalog: Oid) -> PgResult<&Table> {
        Ok(&self.system_table(catalog)?.table)
    }

    fn system_table(&self, catalog: Oid) -> PgResult<&SystemTable> {
        let at = facts::relations().binary_search_by_key(&catalog, |r| r.oid).ok();
        let found = at.and_then(|at| Some((at, facts::relations().get(at)?, self.tables.get(at)?)));
        let Some((at, rel, cell)) = found.filter(|(_, rel, _)| matches!(rel.relkind, b'r' | b't')) else {
            return Err(internal!("{catalog} is no system catalog"));
        };
        if let Some(table) = cell.get() {
            return Ok(table);
        }
        let opened = SystemTable::open(&self.storage, at, rel)?;
        Ok(cell.get_or_init(|| opened))
    }

    /// An index of a catalog, for scans by the executor: built-in rows included.
    pub fn index(&self, index: Oid) -> PgResult<&Index> {
        Ok(&self.table_of_index(index)?.index(index)?.index)
    }

    fn table_of_index(&self, index: Oid) -> PgResult<&SystemTable> {
        match facts::index(index) {
            Some(facts) => self.system_table(facts.table),
            None => Err(internal!("{index} is no index of a system catalog")),
        }
    }

    /// Reading under a snapshot.
    pub fn reader(self: &Arc<Self>, snapshot: ActiveSnapshot) -> CatalogReader {
        CatalogReader {
            catalog: self.clone(),
            snapshot: Reading::Under(snapshot),
        }
    }

    /// Reading what is committed when the first row is asked for, on behalf of a session whose transaction has changed no catalog.
    pub fn later_reader(self: &Arc<Self>, proc: &Arc<Proc>) -> CatalogReader {
        CatalogReader {
            catalog: self.clone(),
            snapshot: Reading::Later(proc.clone(), OnceLock::new()),
        }
    }

    /// Reading and writing in a transaction.
    /// Take the locks first: what others commit after this call is seen after the next write only.
    pub fn writer<'a>(
        self: &Arc<Self>,
        txn: &'a mut Transaction,
        session: &'a mut CatalogSession,
    ) -> PgResult<CatalogWriter<'a>> {
        let snapshot = txn.latest_snapshot()?;
        Ok(CatalogWriter {
            catalog: self.clone(),
            snapshot,
            txn: Mutex::new(txn),
            session,
        })
    }
}

/// What a session must remember about catalogs between statements of a transaction.
#[derive(Default)]
pub struct CatalogSession {
    /// Set once the transaction has changed a catalog.
    private: Option<Arc<Cache>>,
    /// Enum types that the transaction made, and labels that it added to others.
    new_enums: Vec<Oid>,
    unsafe_labels: Vec<Oid>,
}

impl CatalogSession {
    /// The cache to read through. Call it before taking the snapshot to read under.
    pub fn cache(&self, catalog: &Catalog) -> Arc<Cache> {
        match &self.private {
            Some(private) => private.clone(),
            None => catalog.caches.current(),
        }
    }

    /// The version of the cache to read through.
    pub fn version(&self, catalog: &Catalog) -> u64 {
        match &self.private {
            Some(private) => private.version(),
            None => catalog.caches.version(),
        }
    }

    /// The transaction went back to a savepoint: what it cached may be wrong.
    pub fn rolled_back_to_savepoint(&mut self, catalog: &Catalog) {
        if self.private.is_some() {
            self.private = Some(catalog.caches.private(self.unsafe_labels.as_slice().into()));
        }
    }

    /// The transaction has ended, either way.
    pub fn transaction_ended(&mut self) {
        *self = CatalogSession::default();
    }

    /// True if the transaction has changed catalogs.
    #[inline]
    pub fn has_changes(&self) -> bool {
        self.private.is_some()
    }
}

/// Catalogs under one snapshot.
pub struct CatalogReader {
    catalog: Arc<Catalog>,
    snapshot: Reading,
}

/// What a reader reads under. Most statements find all they ask for in the cache: they need no snapshot.
enum Reading {
    Under(ActiveSnapshot),
    /// Taken at the first row.
    Later(Arc<Proc>, OnceLock<ActiveSnapshot>),
}

impl CatalogReader {
    fn snapshot(&self) -> PgResult<&ActiveSnapshot> {
        match &self.snapshot {
            Reading::Under(snapshot) => Ok(snapshot),
            Reading::Later(proc, taken) => match taken.get() {
                Some(snapshot) => Ok(snapshot),
                None => {
                    let fresh = ActiveSnapshot::committed(proc)?;
                    Ok(taken.get_or_init(|| fresh))
                }
            },
        }
    }

    /// True if it holds no snapshot, so that it is as good as a new one.
    pub fn is_fresh(&self) -> bool {
        matches!(&self.snapshot, Reading::Later(_, taken) if taken.get().is_none())
    }
}

impl CatalogRead for CatalogReader {
    fn lookup(&self, index: Oid, key: &[Datum]) -> PgResult<Vec<StoredRow>> {
        self.catalog
            .table_of_index(index)?
            .lookup(self.snapshot()?, (index, key), Which::Stored)
    }

    fn lookup_all(&self, index: Oid, key: &[Datum]) -> PgResult<Vec<StoredRow>> {
        self.catalog
            .table_of_index(index)?
            .lookup(self.snapshot()?, (index, key), Which::All)
    }

    fn scan(&self, catalog: Oid) -> PgResult<Vec<StoredRow>> {
        self.catalog.system_table(catalog)?.scan(self.snapshot()?)
    }
}

/// Catalogs in a transaction that changes them.
pub struct CatalogWriter<'a> {
    catalog: Arc<Catalog>,
    /// Sees all that was written.
    snapshot: ActiveSnapshot,
    /// Never contended: readers use the snapshot. It makes the writer `Sync`, as views must be.
    txn: Mutex<&'a mut Transaction>,
    session: &'a mut CatalogSession,
}

impl CatalogWriter<'_> {
    /// The transaction.
    pub fn transaction(&mut self) -> &mut Transaction {
        self.txn.get_mut()
    }

    /// After a change: the next read sees it, descriptors made so far may be wrong, and others learn of it at commit.
    fn changed(&mut self) -> PgResult<()> {
        let txn = self.txn.get_mut();
        txn.next_command()?;
        self.snapshot = txn.latest_snapshot()?;
        if self.session.private.is_none() {
            let catalog = self.catalog.clone();
            txn.on_commit(move || catalog.caches.advance());
        }
        let labels = self.session.unsafe_labels.as_slice().into();
        self.session.private = Some(self.catalog.caches.private(labels));
        Ok(())
    }

    /// Labels of types that were not made in this transaction must wait for its commit.
    fn note_enum(&mut self, catalog: Oid, values: &[Datum]) {
        use crate::columns::{pg_enum, pg_type};
        let oid = |at: usize| values.get(at).and_then(Datum::as_oid).unwrap_or_default();
        match catalog {
            oids::PG_TYPE if matches!(values.get(pg_type::TYPTYPE), Some(Datum::Char(b'e'))) => {
                self.session.new_enums.push(oid(pg_type::OID));
            }
            oids::PG_ENUM if !self.session.new_enums.contains(&oid(pg_enum::ENUMTYPID)) => {
                self.session.unsafe_labels.push(oid(pg_enum::OID));
            }
            _ => {}
        }
    }

    /// The row as it is now.
    fn current(&self, catalog: Oid, row: RowId) -> PgResult<StoredRow> {
        match self.catalog.system_table(catalog)?.fetch(&self.snapshot, row)? {
            Some(old) => Ok(old),
            None => Err(internal!("tuple concurrently deleted")),
        }
    }
}

impl CatalogRead for CatalogWriter<'_> {
    fn lookup(&self, index: Oid, key: &[Datum]) -> PgResult<Vec<StoredRow>> {
        self.catalog
            .table_of_index(index)?
            .lookup(&self.snapshot, (index, key), Which::Stored)
    }

    fn lookup_all(&self, index: Oid, key: &[Datum]) -> PgResult<Vec<StoredRow>> {
        self.catalog
            .table_of_index(index)?
            .lookup(&self.snapshot, (index, key), Which::All)
    }

    fn scan(&self, catalog: Oid) -> PgResult<Vec<StoredRow>> {
        self.catalog.system_table(catalog)?.scan(&self.snapshot)
    }
}

impl CatalogWrite for CatalogWriter<'_> {
    fn insert(&mut self, catalog: Oid, values: Vec<Datum>) -> PgResult<()> {
        cancel::check()?;
        self.note_enum(catalog, &values);
        self.catalog
            .system_table(catalog)?
            .insert(self.txn.get_mut(), &values)?;
        self.changed()
    }

    fn update(&mut self, catalog: Oid, row: RowId, values: Vec<Datum>) -> PgResult<()> {
        cancel::check()?;
        let old = self.current(catalog, row)?;
        self.catalog
            .system_table(catalog)?
            .update(self.txn.get_mut(), &self.snapshot, &old, &values)?;
        self.changed()
    }

    fn delete(&mut self, catalog: Oid, row: RowId) -> PgResult<()> {
        cancel::check()?;
        let old = self.current(catalog, row)?;
        self.catalog
            .system_table(catalog)?
            .delete(self.txn.get_mut(), &self.snapshot, &old)?;
        self.changed()
    }

    fn new_oid(&mut self) -> PgResult<Oid> {
        // The counter wraps after four billion: then OIDs in use come up again. Relations and types are the ones that would
        // be confused.
        loop {
            let oid = self.catalog.storage.next_oid()?;
            let taken = [
                oids::PG_CLASS_OID_INDEX,
                oids::PG_TYPE_OID_INDEX,
                oids::PG_PROC_OID_INDEX,
            ];
            let mut taken = taken.iter().map(|index| self.lookup(*index, &[key_oid(oid)]));
            if taken.try_fold(true, |free, rows| rows.map(|r| free && r.is_empty()))? {
                return Ok(oid);
            }
        }
    }

    fn create_storage(&mut self) -> PgResult<RelationId> {
        self.txn.get_mut().create_relation()
    }

    fn drop_storage(&mut self, storage: RelationId) -> PgResult<()> {
        self.txn.get_mut().drop_relation(storage)
    }
}
