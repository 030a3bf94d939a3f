//! Making relations: `pg_class`, `pg_attribute`, and the row type with its array type.

use common::error::ErrorExt;
use common::{Oid, PgResult, RelationId, pg_err};
use nodes::Expr;
use types::settings::TypeRef;
use types::{Datum, oids as t};

use crate::builtin::text;
use crate::columns::{pg_attribute, pg_class};
use crate::ddl::depend::DependencyType;
use crate::ddl::{Ddl, ObjectAddress, oid};
use crate::load;
use crate::oids;
use crate::view::CatalogView;

/// A relation to make.
#[derive(Clone, Debug)]
pub struct NewRelation {
    /// Its name.
    pub name: String,
    /// Its schema.
    pub namespace: Oid,
    /// r, p, v, m, f, c, S, i, I.
    pub relkind: u8,
    /// p, u, t.
    pub persistence: u8,
    /// Its columns.
    pub columns: Vec<NewColumn>,
    /// `reloptions`, as `name=value`.
    pub options: Vec<String>,
    /// `pg_class.relam`: heap, btree...; invalid for views.
    pub access_method: Oid,
    /// `pg_class.reltablespace`: invalid for the database's own.
    pub tablespace: Oid,
    /// `CREATE TABLE ... OF type`.
    pub of_type: Oid,
    /// CREATE MATERIALIZED VIEW ... WITH NO DATA says no.
    pub populated: bool,
}

impl NewRelation {
    /// A relation without columns, with what is usual for its kind.
    pub fn new(name: impl Into<String>, namespace: Oid, relkind: u8) -> NewRelation {
        let access_method = match relkind {
            b'r' | b'p' | b'm' | b't' => oids::HEAP_AM,
            b'i' | b'I' => oids::BTREE_AM,
            _ => Oid::INVALID,
        };
        NewRelation {
            name: name.into(),
            namespace,
            relkind,
            persistence: b'p',
            columns: Vec::new(),
            options: Vec::new(),
            access_method: if relkind == b'p' {
                Oid::INVALID
            } else {
                access_method
            },
            tablespace: Oid::INVALID,
            of_type: Oid::INVALID,
            populated: true,
        }
    }

    /// The same with columns.
    pub fn with_columns(mut self, columns: Vec<NewColumn>) -> NewRelation {
        self.columns = columns;
        self
    }
}

/// A column to make.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct NewColumn {
    pub name: String,
    pub type_ref: TypeRef,
    /// `attndims`: array dimensions as declared.
    pub dims: i16,
    pub collation: Oid,
    pub not_null: bool,
    /// Default or generation expression, over the relation's columns as `Rel { index: 1 }`.
    pub default: Option<Expr>,
    /// `s` or `v`; 0 for none.
    pub generated: u8,
    /// `a` or `d`; 0 for none.
    pub identity: u8,
    /// `None`: the type's own.
    pub storage: Option<u8>,
    pub compression: u8,
    pub is_local: bool,
    pub inherited_count: i16,
}

impl NewColumn {
    /// A nullable column without default, with the collation of its type.
    pub fn new(name: impl Into<String>, type_ref: TypeRef) -> NewColumn {
        let collation = types::builtin::type_row(type_ref.oid).map_or(Oid::INVALID, |t| t.typcollation);
        NewColumn {
            name: name.into(),
            type_ref,
            dims: 0,
            collation,
            not_null: false,
            default: None,
            generated: 0,
            identity: 0,
            storage: None,
            compression: 0,
            is_local: true,
            inherited_count: 0,
        }
    }
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreatedRelation {
    /// `pg_class.oid`.
    pub oid: Oid,
    /// `pg_class.reltype`; invalid for indexes and sequences.
    pub row_type: Oid,
    /// Where its rows go.
    pub storage: RelationId,
}

/// Columns that a relation can have.
pub const COLUMNS_MAX: usize = 1600;

impl Ddl<'_> {
    /// Makes a table, view, sequence, composite type, or the `pg_class` part of an index.
    pub fn create_relation(&mut self, new: &NewRelation) -> PgResult<CreatedRelation> {
        self.check_columns(new)?;
        self.check_relation_name_free(new.namespace, &new.name)?;
        let has_row_type = !matches!(new.relkind, b'i' | b'I' | b'S');
        if has_row_type {
            self.check_row_type_name_free(new.namespace, &new.name)?;
        }
        let oid = self.store.new_oid()?;
        let storage = match new.relkind {
            b'r' | b'm' | b'i' | b'S' | b't' => self.store.create_storage()?,
            _ => RelationId::default(),
        };
        let row_type = if has_row_type {
            self.create_row_type(new, oid)?
        } else {
            Oid::INVALID
        };
        self.insert_class_row(
            new,
            &CreatedRelation {
                oid,
                row_type,
                storage,
            },
        )?;
        for (column, attno) in new.columns.iter().zip(1i16..) {
            self.insert_column(oid, column, attno)?;
        }
        if !matches!(new.relkind, b'i' | b'I' | b'v' | b'c') {
            self.insert_system_columns(oid)?;
        }
        let relation = ObjectAddress::new(oids::PG_CLASS, oid);
        if !matches!(new.relkind, b'i' | b'I') && new.relkind != b'c' {
            let schema = ObjectAddress::new(oids::PG_NAMESPACE, new.namespace);
            self.record_dependency(relation, schema, DependencyType::Normal)?;
        }
        for (column, attno) in new.columns.iter().zip(1i16..) {
            if let Some(default) = &column.default {
                self.insert_default(oid, attno, default, column.generated)?;
            }
        }
        Ok(CreatedRelation {
            oid,
            row_type,
            storage,
        })
    }

    /// `relation "x" already exists`.
    pub fn check_relation_name_free(&self, namespace: Oid, name: &str) -> PgResult<()> {
        let view = self.view();
        let built_in = crate::builtin::facts::relation_by_name(namespace, name).is_some();
        if built_in || load::relation::relation_oid(view.rows(), namespace, name)?.is_some() {
            return Err(pg_err!(DUPLICATE_TABLE, "relation \"{name}\" already exists"));
        }
        Ok(())
    }

    fn check_row_type_name_free(&mut self, namespace: Oid, name: &str) -> PgResult<()> {
        if self.make_way_for_type(namespace, name)? {
            return Ok(());
        }
        Err(pg_err!(DUPLICATE_OBJECT, "type \"{name}\" already exists").hint(
            "A relation has an associated type of the same name, so you must use a name that doesn't conflict with any existing type.",
        ))
    }

    fn check_columns(&self, new: &NewRelation) -> PgResult<()> {
        if new.columns.len() > COLUMNS_MAX {
            return Err(pg_err!(
                TOO_MANY_COLUMNS,
                "tables can have at most {COLUMNS_MAX} columns"
            ));
        }
        for (at, column) in new.columns.iter().enumerate() {
            let has_system_columns = !matches!(new.relkind, b'v' | b'c' | b'i' | b'I');
            if has_system_columns {
                check_no_system_column(&column.name)?;
            }
            if new.columns[..at].iter().any(|c| c.name == column.name) {
                return Err(pg_err!(
                    DUPLICATE_COLUMN,
                    "column \"{}\" specified more than once",
                    column.name
                ));
            }
            if !matches!(new.relkind, b'i' | b'I') {
                self.check_column_type(column)?;
            }
        }
        Ok(())
    }

    /// Pseudo-types have no values to store.
    pub(crate) fn check_column_type(&self, column: &NewColumn) -> PgResult<()> {
        let view = self.view();
        let Some(desc) = view.type_desc(column.type_ref.oid)? else {
            return Ok(());
        };
        if desc.kind == b'p' {
            let name = crate::format_type::format_type(&view, column.type_ref.oid, -1)?;
            return Err(pg_err!(
                INVALID_TABLE_DEFINITION,
                "column \"{}\" has pseudo-type {name}",
                column.name
            ));
        }
        Ok(())
    }

    fn insert_class_row(&mut self, new: &NewRelation, made: &CreatedRelation) -> PgResult<()> {
        use pg_class::*;
        let mut row = vec![Datum::Bool(false); COUNT];
        let is_heap = matches!(new.relkind, b'r' | b'm' | b't');
        row[OID] = oid(made.oid);
        row[RELNAME] = Datum::text(new.name.as_str());
        row[RELNAMESPACE] = oid(new.namespace);
        row[RELTYPE] = oid(made.row_type);
        row[RELOFTYPE] = oid(new.of_type);
        row[RELOWNER] = oid(self.user);
        row[RELAM] = oid(new.access_method);
        row[RELFILENODE] = Datum::Oid(file_number(made.storage)?);
        row[RELTABLESPACE] = oid(new.tablespace);
        row[RELPAGES] = Datum::Int4(if new.relkind == b'S' { 1 } else { 0 });
        row[RELTUPLES] = Datum::Float4(match new.relkind {
            b'S' => 1.0,
            b'i' | b'I' => 0.0,
            _ => -1.0,
        });
        for none in [RELALLVISIBLE, RELALLFROZEN] {
            row[none] = Datum::Int4(0);
        }
        for none in [RELTOASTRELID, RELREWRITE] {
            row[none] = oid(Oid::INVALID);
        }
        row[RELPERSISTENCE] = Datum::Char(new.persistence);
        row[RELKIND] = Datum::Char(new.relkind);
        row[RELNATTS] = Datum::Int2(new.columns.len() as i16);
        row[RELCHECKS] = Datum::Int2(0);
        row[RELISPOPULATED] = Datum::Bool(new.populated);
        let identifies_rows = matches!(new.relkind, b'r' | b'm' | b'p');
        row[RELREPLIDENT] = Datum::Char(if identifies_rows { b'd' } else { b'n' });
        row[RELFROZENXID] = Datum::Oid(if is_heap { 3 } else { 0 });
        row[RELMINMXID] = Datum::Oid(u32::from(is_heap));
        row[RELACL] = Datum::Null;
        row[RELOPTIONS] = match new.options.as_slice() {
            [] => Datum::Null,
            options => text::array_of(t::TEXT, options.iter().map(|o| Datum::text(o.as_str())).collect()),
        };
        row[RELPARTBOUND] = Datum::Null;
        self.store.insert(oids::PG_CLASS, row)
    }

    /// Writes the `pg_attribute` row of a column, and what the column needs.
    pub(crate) fn insert_column(&mut self, relation: Oid, column: &NewColumn, attno: i16) -> PgResult<()> {
        let row = self.column_row(relation, column, attno)?;
        self.store.insert(oids::PG_ATTRIBUTE, row)?;
        let depender = ObjectAddress::column(relation, attno);
        let type_object = ObjectAddress::new(oids::PG_TYPE, column.type_ref.oid);
        self.record_dependency(depender, type_object, DependencyType::Normal)?;
        if column.collation.is_valid() {
            let collation = ObjectAddress::new(oids::PG_COLLATION, column.collation);
            self.record_dependency(depender, collation, DependencyType::Normal)?;
        }
        Ok(())
    }

    fn column_row(&self, relation: Oid, column: &NewColumn, attno: i16) -> PgResult<Vec<Datum>> {
        use pg_attribute::*;
        let mut row = crate::builtin::rows::attribute(relation, &column.name, column.type_ref.oid, attno);
        if row[ATTLEN].is_null() {
            let view = self.view();
            let Some(desc) = view.type_desc(column.type_ref.oid)? else {
                return Err(common::internal!(
                    "cache lookup failed for type {}",
                    column.type_ref.oid
                ));
            };
            row[ATTLEN] = Datum::Int2(desc.len);
            row[ATTBYVAL] = Datum::Bool(desc.by_val);
            row[ATTALIGN] = Datum::Char(desc.align);
            row[ATTSTORAGE] = Datum::Char(if desc.len == -1 { b'x' } else { b'p' });
        }
        row[ATTTYPMOD] = Datum::Int4(column.type_ref.typmod);
        row[ATTNDIMS] = Datum::Int2(column.dims);
        row[ATTNOTNULL] = Datum::Bool(column.not_null);
        row[ATTHASDEF] = Datum::Bool(false);
        row[ATTIDENTITY] = Datum::Char(column.identity);
        row[ATTGENERATED] = Datum::Char(column.generated);
        row[ATTCOMPRESSION] = Datum::Char(column.compression);
        row[ATTISLOCAL] = Datum::Bool(column.is_local);
        row[ATTINHCOUNT] = Datum::Int2(column.inherited_count);
        row[ATTCOLLATION] = oid(column.collation);
        if let Some(storage) = column.storage {
            row[ATTSTORAGE] = Datum::Char(storage);
        }
        Ok(row)
    }

    fn insert_system_columns(&mut self, relation: Oid) -> PgResult<()> {
        for (name, type_oid, attno) in crate::builtin::rows::SYSTEM_COLUMNS {
            let row = crate::builtin::rows::attribute(relation, name, type_oid, attno);
            self.store.insert(oids::PG_ATTRIBUTE, row)?;
        }
        Ok(())
    }
}

/// `column name "ctid" conflicts with a system column name`.
pub(crate) fn check_no_system_column(name: &str) -> PgResult<()> {
    let system = crate::builtin::rows::SYSTEM_COLUMNS;
    if system.iter().any(|(n, _, _)| *n == name) {
        return Err(pg_err!(
            DUPLICATE_COLUMN,
            "column name \"{name}\" conflicts with a system column name"
        ));
    }
    Ok(())
}

/// `pg_class.relfilenode` of a storage number.
pub(crate) fn file_number(storage: RelationId) -> PgResult<u32> {
    u32::try_from(storage.0)
        .map_err(|_| common::internal!("storage number {storage} does not fit relfilenode"))
}
