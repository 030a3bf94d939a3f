//! Taking the rows of one object away. What depends on it is gone already.

use common::{Oid, PgResult, RelationId, unsupported};
use types::Datum;

use crate::columns::{
    pg_attrdef, pg_attribute, pg_class, pg_constraint, pg_index, pg_inherits, pg_partitioned_table,
};
use crate::ddl::{Ddl, ObjectAddress};
use crate::oids;
use crate::store::key_oid;

/// Rows that go with an object: (catalog, index that starts with the object's OID).
const PARTS_OF_RELATION: [(Oid, Oid); 6] = [
    (oids::PG_ATTRIBUTE, oids::PG_ATTRIBUTE_RELID_ATTNUM_INDEX),
    (oids::PG_INDEX, oids::PG_INDEX_INDEXRELID_INDEX),
    (oids::PG_SEQUENCE, oids::PG_SEQUENCE_SEQRELID_INDEX),
    (oids::PG_INHERITS, oids::PG_INHERITS_RELID_SEQNO_INDEX),
    (oids::PG_STATISTIC, oids::PG_STATISTIC_RELID_ATT_INH_INDEX),
    (
        oids::PG_PARTITIONED_TABLE,
        oids::PG_PARTITIONED_TABLE_PARTRELID_INDEX,
    ),
];

/// Catalogs whose objects are a row found by OID and nothing else.
const SIMPLE: [(Oid, Oid); 7] = [
    (oids::PG_REWRITE, oids::PG_REWRITE_OID_INDEX),
    (oids::PG_TRIGGER, oids::PG_TRIGGER_OID_INDEX),
    (oids::PG_OPCLASS, oids::PG_OPCLASS_OID_INDEX),
    (oids::PG_OPFAMILY, oids::PG_OPFAMILY_OID_INDEX),
    (oids::PG_AMOP, oids::PG_AMOP_OID_INDEX),
    (oids::PG_AMPROC, oids::PG_AMPROC_OID_INDEX),
    (oids::PG_COLLATION, oids::PG_COLLATION_OID_INDEX),
];

/// Catalogs with few rows of users, found by scanning; their first column is `oid`.
const SCANNED: [Oid; 10] = [
    oids::PG_NAMESPACE,
    oids::PG_CAST,
    oids::PG_POLICY,
    oids::PG_PUBLICATION,
    oids::PG_EXTENSION,
    oids::PG_TS_CONFIG,
    oids::PG_TS_DICT,
    oids::PG_TS_PARSER,
    oids::PG_TS_TEMPLATE,
    oids::PG_CONVERSION,
];

impl Ddl<'_> {
    /// Removes an object's rows, its dependencies and its comments.
    pub(crate) fn remove_object(&mut self, object: ObjectAddress) -> PgResult<()> {
        match object.class {
            oids::PG_CLASS if object.sub != 0 => {
                self.mark_column_dropped(object.object, object.sub as i16)?
            }
            oids::PG_CLASS => self.remove_relation(object.object)?,
            oids::PG_TYPE => {
                self.delete_rows(oids::PG_TYPE, oids::PG_TYPE_OID_INDEX, object.object)?;
                self.delete_rows(oids::PG_ENUM, oids::PG_ENUM_TYPID_SORTORDER_INDEX, object.object)?;
                self.delete_rows(oids::PG_RANGE, oids::PG_RANGE_RNGTYPID_INDEX, object.object)?;
            }
            oids::PG_PROC => {
                self.delete_rows(oids::PG_PROC, oids::PG_PROC_OID_INDEX, object.object)?;
                self.delete_rows(oids::PG_AGGREGATE, oids::PG_AGGREGATE_FNOID_INDEX, object.object)?;
            }
            oids::PG_ATTRDEF => self.remove_default(object.object)?,
            oids::PG_CONSTRAINT => self.remove_constraint(object.object)?,
            oids::PG_OPERATOR => {
                self.unlink_operator(object.object)?;
                self.delete_rows(oids::PG_OPERATOR, oids::PG_OPERATOR_OID_INDEX, object.object)?;
            }
            oids::PG_TS_CONFIG => {
                self.remove_mappings(object.object)?;
                self.remove_simple(object.class, object.object)?;
            }
            oids::PG_STATISTIC_EXT => self.remove_statistics(object.object)?,
            class => self.remove_simple(class, object.object)?,
        }
        self.delete_dependencies(object, None)?;
        self.delete_comments(object)
    }

    fn delete_rows(&mut self, catalog: Oid, index: Oid, object: Oid) -> PgResult<()> {
        for row in self.store.lookup(index, &[key_oid(object)])? {
            self.store.delete(catalog, row.row)?;
        }
        Ok(())
    }

    fn remove_simple(&mut self, class: Oid, object: Oid) -> PgResult<()> {
        if let Some((_, index)) = SIMPLE.iter().find(|(catalog, _)| *catalog == class) {
            return self.delete_rows(class, *index, object);
        }
        if !SCANNED.contains(&class) {
            return Err(unsupported!(
                "dropping objects of catalog {class} is not supported yet"
            ));
        }
        match self.scan_for(class, object)? {
            Some(row) => self.store.delete(class, row.row),
            None => Ok(()),
        }
    }

    fn remove_relation(&mut self, relation: Oid) -> PgResult<()> {
        let Some(class) = self.find(oids::PG_CLASS_OID_INDEX, relation)? else {
            return Ok(());
        };
        let table_of_index = self.find(oids::PG_INDEX_INDEXRELID_INDEX, relation)?;
        if class.bool(pg_class::RELISPARTITION) {
            self.forget_default_partition(relation)?;
        }
        for (catalog, index) in PARTS_OF_RELATION {
            self.delete_rows(catalog, index, relation)?;
        }
        let storage = RelationId(u64::from(class.oid(pg_class::RELFILENODE).0));
        if storage.0 != 0 {
            self.store.drop_storage(storage)?;
        }
        self.store.delete(oids::PG_CLASS, class.row)?;
        if let Some(index) = table_of_index {
            self.forget_last_index(index.oid(pg_index::INDRELID))?;
        }
        Ok(())
    }

    /// A table whose default partition goes has none any more.
    fn forget_default_partition(&mut self, partition: Oid) -> PgResult<()> {
        let key = [key_oid(partition)];
        let above = self.store.lookup(oids::PG_INHERITS_RELID_SEQNO_INDEX, &key)?;
        for parent in above.iter().map(|row| row.oid(pg_inherits::INHPARENT)) {
            let table = self.find(oids::PG_PARTITIONED_TABLE_PARTRELID_INDEX, parent)?;
            if table.is_some_and(|row| row.oid(pg_partitioned_table::PARTDEFID) == partition) {
                self.set_default_partition(parent, Oid::INVALID)?;
            }
        }
        Ok(())
    }

    /// PostgreSQL leaves `relhasindex` to VACUUM; here it is kept exact.
    fn forget_last_index(&mut self, table: Oid) -> PgResult<()> {
        let left = self
            .store
            .lookup(oids::PG_INDEX_INDRELID_INDEX, &[key_oid(table)])?;
        match self.find(oids::PG_CLASS_OID_INDEX, table)? {
            Some(row) if left.is_empty() => self.set(
                oids::PG_CLASS,
                row,
                &[(pg_class::RELHASINDEX, Datum::Bool(false))],
            ),
            _ => Ok(()),
        }
    }

    fn remove_default(&mut self, default: Oid) -> PgResult<()> {
        let Some(row) = self.find(oids::PG_ATTRDEF_OID_INDEX, default)? else {
            return Ok(());
        };
        let (relation, attno) = (row.oid(pg_attrdef::ADRELID), row.int2(pg_attrdef::ADNUM));
        self.store.delete(oids::PG_ATTRDEF, row.row)?;
        if self.attribute(relation, attno)?.is_some() {
            let changes = [
                (pg_attribute::ATTHASDEF, Datum::Bool(false)),
                (pg_attribute::ATTGENERATED, Datum::Char(0)),
            ];
            self.set_attribute(relation, attno, &changes)?;
        }
        Ok(())
    }

    fn remove_constraint(&mut self, constraint: Oid) -> PgResult<()> {
        let Some(row) = self.find(oids::PG_CONSTRAINT_OID_INDEX, constraint)? else {
            return Ok(());
        };
        let relation = row.oid(pg_constraint::CONRELID);
        let kind = row.char(pg_constraint::CONTYPE);
        let columns = row.int2s(pg_constraint::CONKEY);
        self.store.delete(oids::PG_CONSTRAINT, row.row)?;
        let domain = row.oid(pg_constraint::CONTYPID);
        if kind == b'n' && domain.is_valid() && self.find(oids::PG_TYPE_OID_INDEX, domain)?.is_some() {
            self.alter_type(
                domain,
                &[(crate::columns::pg_type::TYPNOTNULL, Datum::Bool(false))],
            )?;
        }
        if !relation.is_valid() || self.find(oids::PG_CLASS_OID_INDEX, relation)?.is_none() {
            return Ok(());
        }
        match kind {
            b'c' => self.count_checks(relation, -1),
            b'n' => {
                for attno in columns {
                    self.set_attribute(relation, attno, &[(pg_attribute::ATTNOTNULL, Datum::Bool(false))])?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
