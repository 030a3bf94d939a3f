//! Comments (`pg_description`) and what ANALYZE and VACUUM write of relations.

use common::{Oid, PgResult};
use types::Datum;

use crate::columns::{pg_class, pg_description, pg_shdescription, pg_statistic};
use crate::ddl::{Ddl, ObjectAddress, oid};
use crate::oids;
use crate::store::{CatalogRead, key_oid};

/// Size of a relation as VACUUM and ANALYZE found it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct RelationStatistics {
    pub pages: i32,
    pub tuples: f32,
    pub all_visible: i32,
}

fn key(object: ObjectAddress) -> [Datum; 3] {
    [
        key_oid(object.object),
        key_oid(object.class),
        Datum::Int4(object.sub),
    ]
}

/// The comment on an object.
pub fn comment(read: &dyn CatalogRead, object: ObjectAddress) -> PgResult<Option<std::sync::Arc<str>>> {
    let rows = read.lookup(oids::PG_DESCRIPTION_O_C_O_INDEX, &key(object))?;
    Ok(rows.first().map(|row| row.text(pg_description::DESCRIPTION)))
}

/// The comment on an object that all databases share.
pub fn shared_comment(
    read: &dyn CatalogRead,
    class: Oid,
    object: Oid,
) -> PgResult<Option<std::sync::Arc<str>>> {
    let key = [key_oid(object), key_oid(class)];
    let rows = read.lookup_all(oids::PG_SHDESCRIPTION_O_C_INDEX, &key)?;
    Ok(rows.first().map(|row| row.text(pg_shdescription::DESCRIPTION)))
}

impl Ddl<'_> {
    /// COMMENT ON of a database or role; `None` or an empty text removes it.
    pub fn set_shared_comment(&mut self, class: Oid, object: Oid, text: Option<&str>) -> PgResult<()> {
        let key = [key_oid(object), key_oid(class)];
        for row in self.store.lookup(oids::PG_SHDESCRIPTION_O_C_INDEX, &key)? {
            self.store.delete(oids::PG_SHDESCRIPTION, row.row)?;
        }
        let Some(text) = text.filter(|t| !t.is_empty()) else {
            return Ok(());
        };
        let row = vec![oid(object), oid(class), Datum::text(text)];
        self.store.insert(oids::PG_SHDESCRIPTION, row)
    }

    /// COMMENT ON; `None` or an empty text removes it.
    pub fn set_comment(&mut self, object: ObjectAddress, text: Option<&str>) -> PgResult<()> {
        for row in self
            .store
            .lookup(oids::PG_DESCRIPTION_O_C_O_INDEX, &key(object))?
        {
            self.store.delete(oids::PG_DESCRIPTION, row.row)?;
        }
        let Some(text) = text.filter(|t| !t.is_empty()) else {
            return Ok(());
        };
        let row = vec![
            oid(object.object),
            oid(object.class),
            Datum::Int4(object.sub),
            Datum::text(text),
        ];
        self.store.insert(oids::PG_DESCRIPTION, row)
    }

    /// Gives an object the comment of another.
    pub fn copy_comment(&mut self, from: ObjectAddress, to: ObjectAddress) -> PgResult<()> {
        let rows = self.store.lookup(oids::PG_DESCRIPTION_O_C_O_INDEX, &key(from))?;
        match rows.first().map(|row| row.text(pg_description::DESCRIPTION)) {
            Some(text) => self.set_comment(to, Some(&text)),
            None => Ok(()),
        }
    }

    /// Forgets the comments on an object and its columns.
    pub(crate) fn delete_comments(&mut self, object: ObjectAddress) -> PgResult<()> {
        let whole = key(object);
        let key = if object.sub == 0 { &whole[..2] } else { &whole[..] };
        for row in self.store.lookup(oids::PG_DESCRIPTION_O_C_O_INDEX, key)? {
            self.store.delete(oids::PG_DESCRIPTION, row.row)?;
        }
        Ok(())
    }

    /// `relpages`, `reltuples`, `relallvisible`.
    pub fn set_relation_statistics(&mut self, relation: Oid, statistics: RelationStatistics) -> PgResult<()> {
        let changes = [
            (pg_class::RELPAGES, Datum::Int4(statistics.pages)),
            (pg_class::RELTUPLES, Datum::Float4(statistics.tuples)),
            (pg_class::RELALLVISIBLE, Datum::Int4(statistics.all_visible)),
        ];
        self.set_class(relation, &changes)
    }

    /// Replaces the `pg_statistic` row of a column; the row's first three columns say which.
    pub fn set_column_statistics(&mut self, row: Vec<Datum>) -> PgResult<()> {
        let key: Vec<Datum> = row.iter().take(pg_statistic::STAINHERIT + 1).cloned().collect();
        let old = self.store.lookup(oids::PG_STATISTIC_RELID_ATT_INH_INDEX, &key)?;
        match old.first() {
            Some(old) => self.store.update(oids::PG_STATISTIC, old.row, row),
            None => self.store.insert(oids::PG_STATISTIC, row),
        }
    }
}
