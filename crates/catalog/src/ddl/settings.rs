//! Settings of databases and roles (`pg_db_role_setting`): what ALTER DATABASE ... SET and ALTER ROLE ... SET keep.

use std::sync::Arc;

use common::{Oid, PgResult};
use types::{Datum, oids as t};

use crate::builtin::text;
use crate::columns::pg_db_role_setting;
use crate::ddl::{Ddl, oid};
use crate::oids;
use crate::store::{CatalogRead, key_oid};

/// Settings as `name=value` of a role in a database; an invalid OID stands for all of them.
pub fn settings_of(read: &dyn CatalogRead, database: Oid, role: Oid) -> PgResult<Vec<Arc<str>>> {
    let key = [key_oid(database), key_oid(role)];
    let rows = read.lookup(oids::PG_DB_ROLE_SETTING_DATABASEID_ROL_INDEX, &key)?;
    Ok(rows
        .first()
        .map_or_else(Vec::new, |row| row.texts(pg_db_role_setting::SETCONFIG)))
}

impl Ddl<'_> {
    /// Replaces the settings of a role in a database; none at all removes the row.
    pub fn set_settings(&mut self, database: Oid, role: Oid, settings: &[String]) -> PgResult<()> {
        use pg_db_role_setting::*;
        let key = [key_oid(database), key_oid(role)];
        for row in self
            .store
            .lookup(oids::PG_DB_ROLE_SETTING_DATABASEID_ROL_INDEX, &key)?
        {
            self.store.delete(oids::PG_DB_ROLE_SETTING, row.row)?;
        }
        if settings.is_empty() {
            return Ok(());
        }
        let mut row = vec![Datum::Null; COUNT];
        row[SETDATABASE] = oid(database);
        row[SETROLE] = oid(role);
        let items = settings.iter().map(|s| Datum::text(s.as_str())).collect();
        row[SETCONFIG] = text::array_of(t::TEXT, items);
        self.store.insert(oids::PG_DB_ROLE_SETTING, row)
    }
}
