//! Changing what exists: rows of system catalogs written in one transaction.
//!
//! The functions here write rows, storage numbers and dependencies, and give PostgreSQL's errors for names that are taken and
//! objects that are needed. Parsing options, checking privileges, locking, rewriting data and building indexes is the work of
//! `commands`.
//!
//! # Invariants
//! - Every object that is created gets its `pg_depend` rows in the same call; built-in objects are pinned: nothing is recorded for them
//!   (schema `public` is the exception, as in PostgreSQL).
//! - A row type, its array type, defaults, indexes and constraints go with their table through `pg_depend` alone: [`drop`] knows no
//!   other way.

pub mod aggregate;
pub mod alter;
pub mod base_type;
pub mod cast;
pub mod columns;
pub mod comments;
pub mod constraint;
pub mod depend;
pub mod describe;
pub mod drop;
pub mod enums;
pub mod index;
pub mod inherit;
pub mod large_object;
pub mod named;
pub mod namespace;
pub mod opclass;
pub mod operator;
pub mod ranges;
pub mod relation;
mod remove;
pub mod roles;
pub mod routine;
pub mod sequence;
pub mod settings;
pub mod statistics;
pub mod text_search;
mod trigger;
pub mod types;
pub mod view;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use ::types::Datum;
use common::{Oid, PgError, PgResult, internal, unsupported};

use crate::cache::Cache;
use crate::row::StoredRow;
use crate::search_path::SearchPath;
use crate::session_view::{RecordedSizes, SessionView};
use crate::store::{CatalogWrite, key_oid};

/// What a DDL function works with: the catalogs of the transaction, and who runs it.
pub struct Ddl<'a> {
    /// The catalogs.
    pub store: &'a mut dyn CatalogWrite,
    /// Owner of new objects.
    pub user: Oid,
    /// What unqualified names mean, and how objects are shown in messages.
    pub path: Arc<SearchPath>,
    /// NOTICEs for the client, in order.
    pub notices: Vec<Box<PgError>>,
}

impl<'a> Ddl<'a> {
    /// DDL as a user.
    pub fn new(store: &'a mut dyn CatalogWrite, user: Oid, path: Arc<SearchPath>) -> Ddl<'a> {
        Ddl {
            store,
            user,
            path,
            notices: Vec::new(),
        }
    }

    /// The catalog as it is now, own changes included.
    pub fn view(&self) -> SessionView<&dyn CatalogWrite> {
        let sizes = Arc::new(RecordedSizes);
        SessionView::new(&*self.store, Arc::new(Cache::new(0)), self.path.clone(), sizes)
    }

    /// The row with an OID, by the catalog's index on it; `None` when no user made it.
    pub(crate) fn find(&self, oid_index: Oid, oid: Oid) -> PgResult<Option<StoredRow>> {
        let rows = self.store.lookup(oid_index, &[key_oid(oid)])?;
        Ok(rows.into_iter().next())
    }

    /// The row with an OID, which must be there.
    pub(crate) fn get(&self, oid_index: Oid, oid: Oid) -> PgResult<StoredRow> {
        match self.find(oid_index, oid)? {
            Some(row) => Ok(row),
            // Rows of the program have no index entries: they are found by scans only.
            None if oid < Oid::FIRST_NORMAL => {
                Err(unsupported!("changing a built-in object is not supported yet"))
            }
            None => Err(internal!(
                "cache lookup failed for object {oid} in index {oid_index}"
            )),
        }
    }

    /// Changes some columns of a row.
    pub(crate) fn set(
        &mut self,
        catalog: Oid,
        mut row: StoredRow,
        changes: &[(usize, Datum)],
    ) -> PgResult<()> {
        for (at, value) in changes {
            if let Some(place) = row.values.get_mut(*at) {
                *place = value.clone();
            }
        }
        self.store.update(catalog, row.row, row.values)
    }
}

/// Which object: the catalog it is in, its OID, and for columns the number (PostgreSQL's `ObjectAddress`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectAddress {
    /// OID of the catalog.
    pub class: Oid,
    /// OID of the object.
    pub object: Oid,
    /// Column number; 0 for the whole object.
    pub sub: i32,
}

impl ObjectAddress {
    /// A whole object.
    pub const fn new(class: Oid, object: Oid) -> ObjectAddress {
        ObjectAddress {
            class,
            object,
            sub: 0,
        }
    }

    /// A column.
    pub const fn column(relation: Oid, attno: i16) -> ObjectAddress {
        ObjectAddress {
            class: crate::oids::PG_CLASS,
            object: relation,
            sub: attno as i32,
        }
    }
}

/// An OID datum.
pub(crate) fn oid(value: Oid) -> Datum {
    Datum::Oid(value.0)
}
