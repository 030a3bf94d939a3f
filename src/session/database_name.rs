//! The name of the database: it stands in `pg_database`, and is given when the database is made.

use std::sync::Arc;

use catalog::columns::pg_database as c;
use catalog::oids;
use catalog::store::CatalogRead;
use common::{PgResult, internal};
use types::io_text::truncate_name;

use crate::error::Result;
use crate::session::Session;

impl Session {
    /// What `pg_database` says.
    pub(crate) fn stored_database_name(&mut self) -> Result<Arc<str>> {
        self.core.statement_start.set(self.core.now());
        self.ensure_transaction()?;
        let name = self.current_view().and_then(|view| {
            let rows = view.rows().scan(oids::PG_DATABASE)?;
            let own = rows.iter().find(|r| r.oid(c::OID) == self.core.db.database_oid);
            own.map(|r| r.text(c::DATNAME))
                .ok_or_else(|| internal!("pg_database does not know this database"))
        });
        self.rollback_block();
        Ok(name?)
    }

    /// Gives a new database its name.
    pub(crate) fn name_database(&mut self, name: &str) -> Result<()> {
        self.core.statement_start.set(self.core.now());
        let nothing = self.prepare_statement(&"".into(), None, &[])?;
        let database = self.core.db.database_oid;
        let named: PgResult<()> = self.with_command(&nothing, &[], |cx| {
            cx.ddl(|ddl| ddl.rename_database(database, truncate_name(name)))
        });
        match named.and_then(|()| self.commit_transaction()) {
            Ok(()) => Ok(()),
            Err(e) => {
                self.rollback_block();
                Err(e.into())
            }
        }
    }
}
