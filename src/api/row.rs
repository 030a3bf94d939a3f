//! A result row and its columns.

use std::sync::Arc;

use common::{Oid, PgResult, pg_err};
use postgres_types::{FromSqlOwned, Type, WrongType};
use types::io::{self, IoContext};
use types::{Datum, FormatSettings};

use crate::error::{Error, Result};
use crate::session::catalog::View;
use crate::session::names::Names;

/// A column of a result.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub(crate) name: Arc<str>,
    pub(crate) type_oid: Oid,
    pub(crate) typmod: i32,
    pub(crate) type_len: i16,
    pub(crate) table: Oid,
    pub(crate) attno: i16,
}

impl Column {
    /// Name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// OID of the SQL type.
    pub fn type_oid(&self) -> u32 {
        self.type_oid.0
    }

    /// Type modifier, -1 for none.
    pub fn type_modifier(&self) -> i32 {
        self.typmod
    }

    /// `pg_type.typlen`.
    pub fn type_len(&self) -> i16 {
        self.type_len
    }

    /// OID of the table it is a plain column of; 0 if none.
    pub fn table_oid(&self) -> u32 {
        self.table.0
    }

    /// Its number in that table; 0 if none.
    pub fn column_number(&self) -> i16 {
        self.attno
    }

    /// The type as `postgres_types` knows it.
    pub fn type_(&self) -> Type {
        type_of(self.type_oid)
    }
}

/// A type made by users is opaque to `postgres_types`: text stands for it.
pub(crate) fn type_of(oid: Oid) -> Type {
    Type::from_oid(oid.0).unwrap_or(Type::TEXT)
}

/// A result row.
#[derive(Clone, Debug)]
pub struct Row {
    pub(crate) columns: Arc<[Column]>,
    pub(crate) values: Vec<Datum>,
    pub(crate) settings: Arc<FormatSettings>,
    pub(crate) catalog: Option<RowCatalog>,
}

/// The catalog under which a row was read, for values whose text is a matter of names: enums, `regclass`, composites.
#[derive(Clone)]
pub(crate) struct RowCatalog(pub(crate) Arc<View>);

impl std::fmt::Debug for RowCatalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RowCatalog")
    }
}

/// A column by position or name.
pub trait RowIndex {
    /// Its position.
    fn position(&self, columns: &[Column]) -> Option<usize>;
}

impl RowIndex for usize {
    fn position(&self, columns: &[Column]) -> Option<usize> {
        (*self < columns.len()).then_some(*self)
    }
}

impl RowIndex for str {
    fn position(&self, columns: &[Column]) -> Option<usize> {
        columns.iter().position(|c| &*c.name == self)
    }
}

impl<T: RowIndex + ?Sized> RowIndex for &T {
    fn position(&self, columns: &[Column]) -> Option<usize> {
        (**self).position(columns)
    }
}

impl Row {
    /// Columns, in order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Number of columns.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// True without columns.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// A value as any Rust type that can hold the column's SQL type; `Option` for columns that may be NULL.
    pub fn get<T: FromSqlOwned>(&self, index: impl RowIndex) -> Result<T> {
        let at = index
            .position(&self.columns)
            .ok_or_else(|| Error::from(pg_err!(UNDEFINED_COLUMN, "no such column in the result")))?;
        let column = &self.columns[at];
        let ty = column.type_();
        if !T::accepts(&ty) {
            return Err(conversion(column, &WrongType::new::<T>(ty)));
        }
        if self.values[at].is_null() {
            return T::from_sql_null(&ty).map_err(|e| conversion(column, &*e));
        }
        let (mut number, mut other) = ([0; 8], Vec::new());
        let bytes = match io::send_plain(column.type_oid, &self.values[at], &mut number) {
            Some(bytes) => bytes,
            None => {
                self.with_io(|cx| io::send(column.type_oid, &self.values[at], cx, &mut other))?;
                &other
            }
        };
        T::from_sql(&ty, bytes).map_err(|e| conversion(column, &*e))
    }

    /// A value as PostgreSQL's text; `None` for NULL.
    pub fn get_text(&self, index: impl RowIndex) -> Result<Option<String>> {
        let at = index
            .position(&self.columns)
            .ok_or_else(|| Error::from(pg_err!(UNDEFINED_COLUMN, "no such column in the result")))?;
        if self.values[at].is_null() {
            return Ok(None);
        }
        let text = self.with_io(|cx| io::to_text(self.columns[at].type_oid, &self.values[at], cx))?;
        Ok(Some(text))
    }

    fn with_io<T>(&self, f: impl FnOnce(&IoContext<'_>) -> PgResult<T>) -> PgResult<T> {
        let names = self.catalog.as_ref().map(|c| Names::new(c.0.clone()));
        f(&IoContext {
            settings: &self.settings,
            resolver: names.as_ref().map(|n| n as _),
            cancel: common::cancel::CancelToken::never(),
        })
    }
}

fn conversion(column: &Column, error: &dyn std::error::Error) -> Error {
    pg_err!(
        DATATYPE_MISMATCH,
        "cannot convert column \"{}\": {error}",
        column.name
    )
    .into()
}
