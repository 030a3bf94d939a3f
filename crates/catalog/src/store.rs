//! What this crate needs of the storage: rows of system catalogs, found through their indexes.
//!
//! # Invariants
//! - A change of a built-in row deletes it and inserts the new version as a row of its own. [`CatalogRead::lookup`] answers for what
//!   users made or changed; whoever looks up an object tries it first and the built-in facts, which are cheaper, second.
//!   [`CatalogRead::lookup_all`] answers with the rows, wherever they come from.
//! - Built-in rows of the small catalogs in [`SCANNED`] may change in any way (schema `public` may even be dropped): they are always
//!   read from the table.

use common::{Oid, PgResult, RelationId, RowId};
use types::Datum;

use crate::oids;
use crate::row::StoredRow;

/// Catalogs with few rows, read by scanning.
pub const SCANNED: [Oid; 8] = [
    oids::PG_NAMESPACE,
    oids::PG_AUTHID,
    oids::PG_AUTH_MEMBERS,
    oids::PG_DATABASE,
    oids::PG_TABLESPACE,
    oids::PG_LANGUAGE,
    oids::PG_COLLATION,
    oids::PG_AM,
];

/// Reading catalogs under one snapshot.
pub trait CatalogRead: Send + Sync {
    /// Rows whose leading columns of the index are equal to `key`, in index order (see the module on built-in rows).
    fn lookup(&self, index: Oid, key: &[Datum]) -> PgResult<Vec<StoredRow>>;
    /// The same with the built-in rows.
    fn lookup_all(&self, index: Oid, key: &[Datum]) -> PgResult<Vec<StoredRow>> {
        self.lookup(index, key)
    }
    /// All rows, built-in ones included.
    fn scan(&self, catalog: Oid) -> PgResult<Vec<StoredRow>>;
}

impl<T: CatalogRead + ?Sized> CatalogRead for &T {
    fn lookup(&self, index: Oid, key: &[Datum]) -> PgResult<Vec<StoredRow>> {
        (**self).lookup(index, key)
    }

    fn lookup_all(&self, index: Oid, key: &[Datum]) -> PgResult<Vec<StoredRow>> {
        (**self).lookup_all(index, key)
    }

    fn scan(&self, catalog: Oid) -> PgResult<Vec<StoredRow>> {
        (**self).scan(catalog)
    }
}

/// Changing catalogs in a transaction. What was written is seen by the next read.
pub trait CatalogWrite: CatalogRead {
    /// Adds a row and its index entries.
    fn insert(&mut self, catalog: Oid, values: Vec<Datum>) -> PgResult<()>;
    /// Replaces a row.
    fn update(&mut self, catalog: Oid, row: RowId, values: Vec<Datum>) -> PgResult<()>;
    /// Removes a row.
    fn delete(&mut self, catalog: Oid, row: RowId) -> PgResult<()>;
    /// An OID that no object has.
    fn new_oid(&mut self) -> PgResult<Oid>;
    /// Storage for a new table, index or sequence.
    fn create_storage(&mut self) -> PgResult<RelationId>;
    /// Gives storage back when the transaction commits.
    fn drop_storage(&mut self, storage: RelationId) -> PgResult<()>;
}

/// An OID as a key.
pub fn key_oid(oid: Oid) -> Datum {
    Datum::Oid(oid.0)
}

/// A name as a key.
pub fn key_name(name: &str) -> Datum {
    Datum::text(name)
}
