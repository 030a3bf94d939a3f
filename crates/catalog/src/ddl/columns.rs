//! Columns of existing relations: add, drop, defaults, NOT NULL marks, types.

use std::sync::Arc;

use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err, unsupported};
use nodes::{Expr, serial};
use types::settings::TypeRef;
use types::{ArrayValue, Datum};

use crate::builtin::text;
use crate::columns::{pg_attrdef, pg_attribute, pg_class};
use crate::ddl::depend::DependencyType;
use crate::ddl::relation::{COLUMNS_MAX, NewColumn, check_no_system_column};
use crate::ddl::{Ddl, ObjectAddress, oid};
use crate::load::relation::dropped_class_option;
use crate::oids;
use crate::row::StoredRow;
use crate::store::key_oid;
use crate::view::CatalogView;

impl Ddl<'_> {
    /// The `pg_attribute` row of a column.
    pub(crate) fn attribute(&self, relation: Oid, attno: i16) -> PgResult<Option<StoredRow>> {
        let key = [key_oid(relation), Datum::Int2(attno)];
        let rows = self.store.lookup(oids::PG_ATTRIBUTE_RELID_ATTNUM_INDEX, &key)?;
        Ok(rows.into_iter().next())
    }

    /// The row of a live column by name, or PostgreSQL's error.
    pub fn column_by_name(&self, relation: Oid, name: &str) -> PgResult<StoredRow> {
        let key = [key_oid(relation), Datum::text(name)];
        let rows = self.store.lookup(oids::PG_ATTRIBUTE_RELID_ATTNAM_INDEX, &key)?;
        let live = rows.into_iter().find(|row| !row.bool(pg_attribute::ATTISDROPPED));
        match live {
            Some(row) => Ok(row),
            None => {
                let relation = self.plain_relation_name(relation)?;
                Err(pg_err!(
                    UNDEFINED_COLUMN,
                    "column \"{name}\" of relation \"{relation}\" does not exist"
                ))
            }
        }
    }

    /// A relation's name without its schema, as most messages have it.
    pub(crate) fn plain_relation_name(&self, relation: Oid) -> PgResult<Arc<str>> {
        Ok(self
            .view()
            .relation(relation)?
            .map_or_else(|| "???".into(), |r| r.name.clone()))
    }

    pub(crate) fn set_attribute(
        &mut self,
        relation: Oid,
        attno: i16,
        changes: &[(usize, Datum)],
    ) -> PgResult<()> {
        let Some(row) = self.attribute(relation, attno)? else {
            if relation < Oid::FIRST_NORMAL {
                return Err(unsupported!("changing a built-in object is not supported yet"));
            }
            return Err(common::internal!(
                "cache lookup failed for attribute {attno} of relation {relation}"
            ));
        };
        self.set(oids::PG_ATTRIBUTE, row, changes)
    }

    pub(crate) fn set_class(&mut self, relation: Oid, changes: &[(usize, Datum)]) -> PgResult<()> {
        let row = self.get(oids::PG_CLASS_OID_INDEX, relation)?;
        self.set(oids::PG_CLASS, row, changes)
    }

    /// ALTER TABLE ADD COLUMN: the new column's number. `missing` is what rows without it have, when that is not NULL and the table
    /// is not rewritten.
    pub fn add_column(&mut self, relation: Oid, column: &NewColumn, missing: Option<Datum>) -> PgResult<i16> {
        check_no_system_column(&column.name)?;
        self.check_column_type(column)?;
        self.check_column_name_free(relation, &column.name)?;
        let class = self.get(oids::PG_CLASS_OID_INDEX, relation)?;
        let attno = class.int2(pg_class::RELNATTS) + 1;
        if attno as usize > COLUMNS_MAX {
            return Err(pg_err!(
                TOO_MANY_COLUMNS,
                "tables can have at most {COLUMNS_MAX} columns"
            ));
        }
        self.set(oids::PG_CLASS, class, &[(pg_class::RELNATTS, Datum::Int2(attno))])?;
        self.insert_column(relation, column, attno)?;
        if let Some(default) = &column.default {
            self.insert_default(relation, attno, default, column.generated)?;
        }
        if let Some(value) = missing {
            self.set_missing_value(relation, attno, column.type_ref.oid, value)?;
        }
        Ok(attno)
    }

    fn set_missing_value(&mut self, relation: Oid, attno: i16, type_oid: Oid, value: Datum) -> PgResult<()> {
        let array = Datum::Array(Arc::new(ArrayValue::from_elements(type_oid, vec![value])));
        let changes = [
            (pg_attribute::ATTHASMISSING, Datum::Bool(true)),
            (pg_attribute::ATTMISSINGVAL, array),
        ];
        self.set_attribute(relation, attno, &changes)
    }

    /// After a rewrite every row has every column.
    pub fn clear_missing_values(&mut self, relation: Oid) -> PgResult<()> {
        for row in self
            .store
            .lookup(oids::PG_ATTRIBUTE_RELID_ATTNUM_INDEX, &[key_oid(relation)])?
        {
            if row.bool(pg_attribute::ATTHASMISSING) {
                let changes = [
                    (pg_attribute::ATTHASMISSING, Datum::Bool(false)),
                    (pg_attribute::ATTMISSINGVAL, Datum::Null),
                ];
                self.set(oids::PG_ATTRIBUTE, row, &changes)?;
            }
        }
        Ok(())
    }

    /// `column "a" of relation "t" already exists`.
    pub fn check_column_name_free(&self, relation: Oid, name: &str) -> PgResult<()> {
        let key = [key_oid(relation), Datum::text(name)];
        let taken = self.store.lookup(oids::PG_ATTRIBUTE_RELID_ATTNAM_INDEX, &key)?;
        if taken.is_empty() {
            return Ok(());
        }
        let relation = self.plain_relation_name(relation)?;
        Err(pg_err!(
            DUPLICATE_COLUMN,
            "column \"{name}\" of relation \"{relation}\" already exists"
        ))
    }

    /// Marks a column as dropped: its values stay in old rows, so its storage class is remembered. What depends on it is gone by
    /// then.
    pub(crate) fn mark_column_dropped(&mut self, relation: Oid, attno: i16) -> PgResult<()> {
        use pg_attribute::*;
        let Some(row) = self.attribute(relation, attno)? else {
            return Ok(());
        };
        let class = crate::load::types::phys(&*self.store, row.oid(ATTTYPID))?;
        let option = text::array_of(types::oids::TEXT, vec![Datum::text(dropped_class_option(class))]);
        let changes = [
            (
                ATTNAME,
                Datum::text(format!("........pg.dropped.{attno}........")),
            ),
            (ATTTYPID, oid(Oid::INVALID)),
            (ATTNOTNULL, Datum::Bool(false)),
            (ATTHASDEF, Datum::Bool(false)),
            (ATTHASMISSING, Datum::Bool(false)),
            (ATTMISSINGVAL, Datum::Null),
            (ATTIDENTITY, Datum::Char(0)),
            (ATTGENERATED, Datum::Char(0)),
            (ATTISDROPPED, Datum::Bool(true)),
            (ATTSTATTARGET, Datum::Null),
            (ATTACL, Datum::Null),
            (ATTOPTIONS, option),
        ];
        self.set(oids::PG_ATTRIBUTE, row, &changes)
    }

    /// ALTER COLUMN SET DATA TYPE, the catalog's part.
    pub fn set_column_type(
        &mut self,
        relation: Oid,
        attno: i16,
        type_ref: TypeRef,
        collation: Oid,
    ) -> PgResult<()> {
        use pg_attribute::*;
        let Some(desc) = self.view().type_desc(type_ref.oid)? else {
            return Err(common::internal!("cache lookup failed for type {}", type_ref.oid));
        };
        let storage = types::builtin::type_row(type_ref.oid).map_or(b'x', |t| t.typstorage);
        let changes = [
            (ATTTYPID, oid(type_ref.oid)),
            (ATTTYPMOD, Datum::Int4(type_ref.typmod)),
            (ATTLEN, Datum::Int2(desc.len)),
            (ATTBYVAL, Datum::Bool(desc.by_val)),
            (ATTALIGN, Datum::Char(desc.align)),
            (ATTSTORAGE, Datum::Char(storage)),
            (ATTCOMPRESSION, Datum::Char(0)),
            (ATTCOLLATION, oid(collation)),
            (ATTHASMISSING, Datum::Bool(false)),
            (ATTMISSINGVAL, Datum::Null),
        ];
        self.set_attribute(relation, attno, &changes)?;
        let column = ObjectAddress::column(relation, attno);
        self.delete_dependencies(column, Some(oids::PG_TYPE))?;
        self.delete_dependencies(column, Some(oids::PG_COLLATION))?;
        let type_object = ObjectAddress::new(oids::PG_TYPE, type_ref.oid);
        self.record_dependency(column, type_object, DependencyType::Normal)?;
        let collation = ObjectAddress::new(oids::PG_COLLATION, collation);
        self.record_dependency(column, collation, DependencyType::Normal)
    }

    /// Stores a default or generation expression.
    pub(crate) fn insert_default(
        &mut self,
        relation: Oid,
        attno: i16,
        expr: &Expr,
        generated: u8,
    ) -> PgResult<Oid> {
        use pg_attrdef::*;
        let default = self.store.new_oid()?;
        let mut row = vec![Datum::Null; COUNT];
        row[OID] = oid(default);
        row[ADRELID] = oid(relation);
        row[ADNUM] = Datum::Int2(attno);
        row[ADBIN] = Datum::text(serial::encode_expr(expr)?);
        self.store.insert(oids::PG_ATTRDEF, row)?;
        self.set_attribute(relation, attno, &[(pg_attribute::ATTHASDEF, Datum::Bool(true))])?;
        let depender = ObjectAddress::new(oids::PG_ATTRDEF, default);
        let column = ObjectAddress::column(relation, attno);
        // A generation expression is part of its column; a default merely goes with it.
        let kind = if generated != 0 {
            DependencyType::Internal
        } else {
            DependencyType::Auto
        };
        self.record_dependency(depender, column, kind)?;
        self.record_expr_dependencies(depender, expr, relation, DependencyType::Normal)?;
        Ok(default)
    }

    /// ALTER COLUMN SET DEFAULT (`None`: DROP DEFAULT).
    pub fn set_default(&mut self, relation: Oid, attno: i16, default: Option<&Expr>) -> PgResult<()> {
        self.clear_default(relation, attno)?;
        match default {
            Some(expr) => self.insert_default(relation, attno, expr, 0).map(|_| ()),
            None => self.set_attribute(relation, attno, &[(pg_attribute::ATTHASDEF, Datum::Bool(false))]),
        }
    }

    /// ALTER COLUMN SET EXPRESSION. `generated`: the column's `attgenerated`.
    pub fn set_generation(&mut self, relation: Oid, attno: i16, expr: &Expr, generated: u8) -> PgResult<()> {
        self.clear_default(relation, attno)?;
        self.insert_default(relation, attno, expr, generated)?;
        Ok(())
    }

    fn clear_default(&mut self, relation: Oid, attno: i16) -> PgResult<()> {
        let key = [key_oid(relation), Datum::Int2(attno)];
        for row in self.store.lookup(oids::PG_ATTRDEF_ADRELID_ADNUM_INDEX, &key)? {
            let old = ObjectAddress::new(oids::PG_ATTRDEF, row.oid(pg_attrdef::OID));
            self.delete_dependencies(old, None)?;
            self.store.delete(oids::PG_ATTRDEF, row.row)?;
        }
        Ok(())
    }

    /// Sets `attnotnull` alone; the constraint row is [`Ddl::add_constraint`]'s.
    pub fn set_not_null(&mut self, relation: Oid, attno: i16, not_null: NotNull) -> PgResult<()> {
        let value = Datum::Bool(not_null == NotNull::Required);
        self.set_attribute(relation, attno, &[(pg_attribute::ATTNOTNULL, value)])
    }

    /// RENAME COLUMN.
    pub fn rename_column(&mut self, relation: Oid, old: &str, new: &str) -> PgResult<()> {
        let row = self.column_by_name(relation, old)?;
        check_no_system_column(new)?;
        self.check_column_name_free(relation, new)?;
        if row.int2(pg_attribute::ATTNUM) < 0 {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "cannot rename system column \"{old}\""
            ));
        }
        self.set(
            oids::PG_ATTRIBUTE,
            row,
            &[(pg_attribute::ATTNAME, Datum::text(new))],
        )
    }

    /// Statistics target, storage, compression, options, identity: any columns of `pg_attribute`.
    pub fn alter_column(&mut self, relation: Oid, attno: i16, changes: &[(usize, Datum)]) -> PgResult<()> {
        if attno < 0 {
            return Err(pg_err!(FEATURE_NOT_SUPPORTED, "cannot alter system column")
                .hint("System columns are fixed."));
        }
        self.set_attribute(relation, attno, changes)
    }
}

/// SET NOT NULL or DROP NOT NULL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum NotNull {
    Required,
    Allowed,
}
