//! Renaming relations, moving them to another schema, giving them another owner.

use common::{Oid, PgResult, RelationId, pg_err};
use types::Datum;

use crate::columns::{pg_attribute, pg_class, pg_constraint, pg_depend, pg_index, pg_type};
use crate::ddl::depend::DependencyType;
use crate::ddl::relation::file_number;
use crate::ddl::{Ddl, ObjectAddress, oid};
use crate::oids;
use crate::store::key_oid;

impl Ddl<'_> {
    /// ALTER TABLE (INDEX, VIEW, SEQUENCE) RENAME TO: the row type follows, and so does the constraint that an index implements.
    pub fn rename_relation(&mut self, relation: Oid, new: &str) -> PgResult<()> {
        self.rename_relation_row(relation, new)?;
        let key = [key_oid(oids::PG_CLASS), key_oid(relation)];
        for row in self.store.lookup(oids::PG_DEPEND_DEPENDER_INDEX, &key)? {
            let of_constraint =
                row.char(pg_depend::DEPTYPE) == b'i' && row.oid(pg_depend::REFCLASSID) == oids::PG_CONSTRAINT;
            if of_constraint {
                let constraint = self.get(oids::PG_CONSTRAINT_OID_INDEX, row.oid(pg_depend::REFOBJID))?;
                self.set(
                    oids::PG_CONSTRAINT,
                    constraint,
                    &[(pg_constraint::CONNAME, Datum::text(new))],
                )?;
            }
        }
        Ok(())
    }

    pub(crate) fn rename_relation_row(&mut self, relation: Oid, new: &str) -> PgResult<()> {
        let row = self.get(oids::PG_CLASS_OID_INDEX, relation)?;
        let (namespace, row_type) = (row.oid(pg_class::RELNAMESPACE), row.oid(pg_class::RELTYPE));
        self.check_relation_name_free(namespace, new)?;
        if row_type.is_valid() && !self.make_way_for_type(namespace, new)? {
            return Err(pg_err!(DUPLICATE_OBJECT, "type \"{new}\" already exists"));
        }
        self.set(oids::PG_CLASS, row, &[(pg_class::RELNAME, Datum::text(new))])?;
        if row_type.is_valid() {
            let row = self.get(oids::PG_TYPE_OID_INDEX, row_type)?;
            self.set(oids::PG_TYPE, row, &[(pg_type::TYPNAME, Datum::text(new))])?;
        }
        Ok(())
    }

    /// SET SCHEMA, with the row type, indexes, constraints and owned sequences.
    pub fn set_relation_namespace(&mut self, relation: Oid, namespace: Oid) -> PgResult<()> {
        let row = self.get(oids::PG_CLASS_OID_INDEX, relation)?;
        let old = row.oid(pg_class::RELNAMESPACE);
        if old == namespace {
            return Ok(());
        }
        let name = row.text(pg_class::RELNAME);
        if crate::load::relation::relation_oid(&self.view().rows(), namespace, &name)?.is_some() {
            let schema = crate::view::CatalogView::namespace_name(&self.view(), namespace)?;
            let schema = schema.as_deref().unwrap_or("???");
            return Err(pg_err!(
                DUPLICATE_TABLE,
                "relation \"{name}\" already exists in schema \"{schema}\""
            ));
        }
        let row_type = row.oid(pg_class::RELTYPE);
        self.set(oids::PG_CLASS, row, &[(pg_class::RELNAMESPACE, oid(namespace))])?;
        self.change_namespace_dependency(ObjectAddress::new(oids::PG_CLASS, relation), old, namespace)?;
        self.move_types(row_type, namespace)?;
        for constraint in self.constraints_of(relation)? {
            self.set(
                oids::PG_CONSTRAINT,
                constraint,
                &[(pg_constraint::CONNAMESPACE, oid(namespace))],
            )?;
        }
        for dependent in self.dependents_of(relation)? {
            self.set_relation_namespace(dependent, namespace)?;
        }
        Ok(())
    }

    fn move_types(&mut self, row_type: Oid, namespace: Oid) -> PgResult<()> {
        let mut next = row_type;
        // The row type, then its array type, which has none.
        while next.is_valid() {
            let row = self.get(oids::PG_TYPE_OID_INDEX, next)?;
            next = row.oid(pg_type::TYPARRAY);
            self.set(oids::PG_TYPE, row, &[(pg_type::TYPNAMESPACE, oid(namespace))])?;
        }
        Ok(())
    }

    pub(crate) fn change_namespace_dependency(
        &mut self,
        object: ObjectAddress,
        old: Oid,
        new: Oid,
    ) -> PgResult<()> {
        let key = [key_oid(object.class), key_oid(object.object)];
        for row in self.store.lookup(oids::PG_DEPEND_DEPENDER_INDEX, &key)? {
            let is_schema =
                row.oid(pg_depend::REFCLASSID) == oids::PG_NAMESPACE && row.oid(pg_depend::REFOBJID) == old;
            if is_schema {
                self.store.delete(oids::PG_DEPEND, row.row)?;
            }
        }
        self.record_dependency(
            object,
            ObjectAddress::new(oids::PG_NAMESPACE, new),
            DependencyType::Normal,
        )
    }

    /// Relations that go with a table: its indexes, owned and identity sequences.
    fn dependents_of(&self, relation: Oid) -> PgResult<Vec<Oid>> {
        let indexes = self
            .store
            .lookup(oids::PG_INDEX_INDRELID_INDEX, &[key_oid(relation)])?;
        let mut found: Vec<Oid> = indexes.iter().map(|row| row.oid(pg_index::INDEXRELID)).collect();
        let key = [key_oid(oids::PG_CLASS), key_oid(relation)];
        for row in self.store.lookup(oids::PG_DEPEND_REFERENCE_INDEX, &key)? {
            let owned = matches!(row.char(pg_depend::DEPTYPE), b'a' | b'i')
                && row.oid(pg_depend::CLASSID) == oids::PG_CLASS;
            let object = row.oid(pg_depend::OBJID);
            if !owned || found.contains(&object) {
                continue;
            }
            let class = self.find(oids::PG_CLASS_OID_INDEX, object)?;
            if class.is_some_and(|c| c.char(pg_class::RELKIND) == b'S') {
                found.push(object);
            }
        }
        Ok(found)
    }

    /// OWNER TO, with the row type, indexes and owned sequences.
    pub fn set_relation_owner(&mut self, relation: Oid, owner: Oid) -> PgResult<()> {
        let row = self.get(oids::PG_CLASS_OID_INDEX, relation)?;
        let mut next = row.oid(pg_class::RELTYPE);
        self.set(oids::PG_CLASS, row, &[(pg_class::RELOWNER, oid(owner))])?;
        while next.is_valid() {
            let row = self.get(oids::PG_TYPE_OID_INDEX, next)?;
            next = row.oid(pg_type::TYPARRAY);
            self.set(oids::PG_TYPE, row, &[(pg_type::TYPOWNER, oid(owner))])?;
        }
        for dependent in self.dependents_of(relation)? {
            self.set_relation_owner(dependent, owner)?;
        }
        Ok(())
    }

    /// Options, ACL, row security flags...: any columns of `pg_class`.
    pub fn alter_relation(&mut self, relation: Oid, changes: &[(usize, Datum)]) -> PgResult<()> {
        self.set_class(relation, changes)
    }

    /// New storage for a relation whose data is rewritten (TRUNCATE, CLUSTER, type changes): the old one goes at commit.
    pub fn replace_storage(&mut self, relation: Oid) -> PgResult<RelationId> {
        let row = self.get(oids::PG_CLASS_OID_INDEX, relation)?;
        let old = RelationId(u64::from(row.oid(pg_class::RELFILENODE).0));
        let new = self.store.create_storage()?;
        self.set(
            oids::PG_CLASS,
            row,
            &[(pg_class::RELFILENODE, Datum::Oid(file_number(new)?))],
        )?;
        self.store.drop_storage(old)?;
        Ok(new)
    }

    /// Lets two relations exchange their storage (REINDEX CONCURRENTLY).
    pub fn swap_storage(&mut self, a: Oid, b: Oid) -> PgResult<()> {
        let rows = [
            self.get(oids::PG_CLASS_OID_INDEX, a)?,
            self.get(oids::PG_CLASS_OID_INDEX, b)?,
        ];
        let files = [
            rows[1].oid(pg_class::RELFILENODE),
            rows[0].oid(pg_class::RELFILENODE),
        ];
        for (row, file) in rows.into_iter().zip(files) {
            self.set(
                oids::PG_CLASS,
                row,
                &[(pg_class::RELFILENODE, Datum::Oid(file.0))],
            )?;
        }
        Ok(())
    }

    /// How many columns a relation has, dropped ones included.
    pub fn column_count(&self, relation: Oid) -> PgResult<i16> {
        let rows = self
            .store
            .lookup(oids::PG_ATTRIBUTE_RELID_ATTNUM_INDEX, &[key_oid(relation)])?;
        Ok(rows
            .iter()
            .map(|row| row.int2(pg_attribute::ATTNUM))
            .max()
            .unwrap_or(0))
    }
}
