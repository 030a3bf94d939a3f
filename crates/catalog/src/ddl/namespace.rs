//! Schemas.

use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err};
use types::Datum;

use crate::columns::pg_namespace::*;
use crate::ddl::drop::DropBehavior;
use crate::ddl::{Ddl, ObjectAddress, oid};
use crate::oids;
use crate::row::StoredRow;
use crate::view::CatalogView;

impl Ddl<'_> {
    /// CREATE SCHEMA.
    pub fn create_namespace(&mut self, name: &str, owner: Oid) -> PgResult<Oid> {
        check_not_reserved(name)?;
        self.check_namespace_name_free(name)?;
        self.insert_namespace(name, owner)
    }

    /// The temporary schema of a session, `pg_temp_N`. One of that name was left by a crash or came with a copy of the database: it goes, with
    /// all that is in it.
    pub fn create_temp_namespace(&mut self, session: u32) -> PgResult<Oid> {
        let name = format!("pg_temp_{session}");
        if let Some(left) = self.view().namespace_by_name(&name)? {
            self.drop_objects(
                &[ObjectAddress::new(oids::PG_NAMESPACE, left)],
                DropBehavior::Cascade,
            )?;
            self.notices.clear();
        }
        self.insert_namespace(&name, oids::BOOTSTRAP_SUPERUSER)
    }

    fn insert_namespace(&mut self, name: &str, owner: Oid) -> PgResult<Oid> {
        let namespace = self.store.new_oid()?;
        let row = vec![oid(namespace), Datum::text(name), oid(owner), Datum::Null];
        self.store.insert(oids::PG_NAMESPACE, row)?;
        Ok(namespace)
    }

    fn check_namespace_name_free(&self, name: &str) -> PgResult<()> {
        match self.view().namespace_by_name(name)? {
            Some(_) => Err(pg_err!(DUPLICATE_SCHEMA, "schema \"{name}\" already exists")),
            None => Ok(()),
        }
    }

    pub(crate) fn namespace_row(&self, namespace: Oid) -> PgResult<StoredRow> {
        match self.scan_for(oids::PG_NAMESPACE, namespace)? {
            Some(row) => Ok(row),
            None => Err(common::internal!("cache lookup failed for namespace {namespace}")),
        }
    }

    /// ALTER SCHEMA RENAME.
    pub fn rename_namespace(&mut self, old: &str, new: &str) -> PgResult<()> {
        let Some(namespace) = self.view().namespace_by_name(old)? else {
            return Err(pg_err!(UNDEFINED_SCHEMA, "schema \"{old}\" does not exist"));
        };
        self.check_namespace_name_free(new)?;
        check_not_reserved(new)?;
        let row = self.namespace_row(namespace)?;
        self.set(oids::PG_NAMESPACE, row, &[(NSPNAME, Datum::text(new))])
    }

    /// ALTER SCHEMA OWNER, GRANT ON SCHEMA: any columns of `pg_namespace`.
    pub fn alter_namespace(&mut self, namespace: Oid, changes: &[(usize, Datum)]) -> PgResult<()> {
        let row = self.namespace_row(namespace)?;
        self.set(oids::PG_NAMESPACE, row, changes)
    }
}

fn check_not_reserved(name: &str) -> PgResult<()> {
    if name.starts_with("pg_") {
        return Err(pg_err!(RESERVED_NAME, "unacceptable schema name \"{name}\"")
            .detail("The prefix \"pg_\" is reserved for system schemas."));
    }
    Ok(())
}
