//! Reading the columns of a catalog row.

use std::sync::Arc;

use common::{Oid, RowId};
use types::Datum;

/// A row of a system catalog and where it is.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRow {
    /// Its place in the catalog's table.
    pub row: RowId,
    /// One datum per column.
    pub values: Vec<Datum>,
}

/// Columns by position ([`columns`](crate::columns)). NULL and values of another class read as the zero of the type: catalogs
/// are written by this crate alone, and the storage checks its own bytes.
impl StoredRow {
    /// The datum.
    pub fn datum(&self, at: usize) -> &Datum {
        self.values.get(at).unwrap_or(&Datum::Null)
    }

    /// An `oid` or `regproc` column.
    pub fn oid(&self, at: usize) -> Oid {
        self.datum(at).as_oid().unwrap_or_default()
    }

    /// A `bool` column.
    pub fn bool(&self, at: usize) -> bool {
        self.datum(at).as_bool().unwrap_or_default()
    }

    /// A `"char"` column.
    pub fn char(&self, at: usize) -> u8 {
        match self.datum(at) {
            Datum::Char(c) => *c,
            _ => 0,
        }
    }

    /// An `int2` column.
    pub fn int2(&self, at: usize) -> i16 {
        match self.datum(at) {
            Datum::Int2(v) => *v,
            _ => 0,
        }
    }

    /// An `int4` column.
    pub fn int4(&self, at: usize) -> i32 {
        match self.datum(at) {
            Datum::Int4(v) => *v,
            _ => 0,
        }
    }

    /// A `float4` column.
    pub fn float4(&self, at: usize) -> f32 {
        match self.datum(at) {
            Datum::Float4(v) => *v,
            _ => 0.0,
        }
    }

    /// A `name` or `text` column.
    pub fn text(&self, at: usize) -> Arc<str> {
        match self.datum(at) {
            Datum::Text(s) => s.clone(),
            _ => Arc::from(""),
        }
    }

    /// A `text` or `pg_node_tree` column, `None` for NULL.
    pub fn text_opt(&self, at: usize) -> Option<Arc<str>> {
        match self.datum(at) {
            Datum::Text(s) => Some(s.clone()),
            _ => None,
        }
    }

    /// The elements of an array or vector column, `None` for NULL.
    pub fn list_opt(&self, at: usize) -> Option<&[Datum]> {
        match self.datum(at) {
            Datum::Array(a) => Some(&a.elements),
            _ => None,
        }
    }

    /// The elements of an array or vector column; empty for NULL.
    pub fn list(&self, at: usize) -> &[Datum] {
        self.list_opt(at).unwrap_or_default()
    }

    /// An `oidvector` or `oid[]` column.
    pub fn oids(&self, at: usize) -> Vec<Oid> {
        self.list(at).iter().filter_map(Datum::as_oid).collect()
    }

    /// An `int2vector` or `int2[]` column.
    pub fn int2s(&self, at: usize) -> Vec<i16> {
        let numbers = self.list(at).iter().filter_map(Datum::as_i64);
        numbers.filter_map(|n| i16::try_from(n).ok()).collect()
    }

    /// A `text[]` column.
    pub fn texts(&self, at: usize) -> Vec<Arc<str>> {
        let items = self.list(at).iter().filter_map(Datum::as_str);
        items.map(Arc::from).collect()
    }
}
