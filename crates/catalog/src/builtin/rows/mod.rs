//! The rows of the system catalogs that every database has, made from the statics on first touch, per catalog.
//!
//! # Invariants
//! - The order never changes within a version of the data files: the position of a row is its row id on disk (changes to built-in
//!   rows refer to it).
//! - Rows have exactly the catalog's columns and storage classes (a test compares every catalog with PostgreSQL).

mod attributes;
mod operators;
mod relations;
mod types;

pub use attributes::{SYSTEM_COLUMNS, attribute};
pub use types::function_oid;

use std::sync::{Arc, OnceLock};

use ::types::{BATCH_ROWS, Datum, PhysType, Vector, builtin as type_facts};
use access::BuiltinRows;
use common::{Oid, PgResult};

use crate::builtin::facts::{self, BuiltinRelation};
use crate::builtin::tables;
use crate::oids;

/// All rows of a catalog; empty for those without.
pub fn rows(catalog: &BuiltinRelation) -> PgResult<Vec<Vec<Datum>>> {
    if let Some(rows) = tables::rows(catalog)? {
        return Ok(rows);
    }
    Ok(match catalog.oid {
        oids::PG_CLASS => relations::class_rows(),
        oids::PG_ATTRIBUTE => attributes::rows(),
        oids::PG_INDEX => relations::index_rows(),
        oids::PG_REWRITE => relations::rewrite_rows(),
        oids::PG_TYPE => types::rows()?,
        oids::PG_PROC => operators::proc_rows()?,
        oids::PG_OPERATOR => operators::operator_rows(),
        oids::PG_CAST => operators::cast_rows(),
        oids::PG_AGGREGATE => operators::aggregate_rows(),
        oids::PG_OPCLASS => operators::opclass_rows(),
        oids::PG_AMOP => operators::amop_rows(),
        oids::PG_AMPROC => operators::amproc_rows(),
        _ => Vec::new(),
    })
}

/// How many rows a catalog has, without making them where the facts tell.
pub fn count(catalog: Oid) -> usize {
    use functions::facts as f;
    match catalog {
        oids::PG_CLASS => facts::relations().len(),
        oids::PG_INDEX => facts::indexes().len(),
        oids::PG_REWRITE => facts::relations().iter().filter(|r| r.relkind == b'v').count(),
        oids::PG_ATTRIBUTE => attributes::count(),
        oids::PG_TYPE => type_facts::TYPES.len(),
        oids::PG_PROC => f::procs().len(),
        oids::PG_OPERATOR => f::operators().len(),
        oids::PG_CAST => f::casts().len(),
        oids::PG_AGGREGATE => f::aggregates().len(),
        oids::PG_OPCLASS => f::opclasses().len(),
        oids::PG_AMOP => f::amops().len(),
        oids::PG_AMPROC => f::amprocs().len(),
        other => tables::count(other),
    }
}

/// A block: a vector per column.
type Block = Vec<Arc<Vector>>;

/// The rows of one catalog for the storage: decoded when the first block is asked for, once in a process. Databases share the blocks.
pub struct CatalogRows {
    catalog: &'static BuiltinRelation,
    blocks: OnceLock<Box<[Block]>>,
}

impl CatalogRows {
    /// The rows of a catalog, nothing decoded yet; `None` for catalogs that start empty.
    pub fn of(catalog: &'static BuiltinRelation) -> Option<Arc<CatalogRows>> {
        let starts_filled = count(catalog.oid) > 0;
        starts_filled.then(|| {
            Arc::new(CatalogRows {
                catalog,
                blocks: OnceLock::new(),
            })
        })
    }

    fn blocks(&self) -> PgResult<&[Block]> {
        if let Some(blocks) = self.blocks.get() {
            return Ok(blocks);
        }
        let rows = rows(self.catalog)?;
        let made = rows
            .chunks(BATCH_ROWS)
            .map(|rows| self.make_block(rows))
            .collect();
        Ok(self.blocks.get_or_init(|| made))
    }

    fn make_block(&self, rows: &[Vec<Datum>]) -> Block {
        let columns = self.catalog.columns.iter().enumerate();
        let vectors = columns.map(|(at, column)| {
            let values: Vec<Datum> = rows
                .iter()
                .map(|row| row.get(at).cloned().unwrap_or_default())
                .collect();
            let phys = PhysType::of_builtin(column.type_oid);
            Arc::new(Vector::from_datums(phys, &values))
        });
        vectors.collect()
    }

    /// The values of some columns (by attribute number) of every row.
    pub fn project(&self, attnos: &[i16]) -> PgResult<Vec<Vec<Datum>>> {
        let mut projected = Vec::with_capacity(self.row_count());
        for block in self.blocks()? {
            let column = |attno: &i16| usize::try_from(*attno - 1).ok().and_then(|at| block.get(at));
            let columns: Vec<_> = attnos.iter().map(column).collect();
            let value =
                |at: usize| move |column: &Option<&Arc<Vector>>| column.map_or(Datum::Null, |c| c.datum(at));
            let rows = block.first().map_or(0, |column| column.len());
            projected.extend((0..rows).map(|at| columns.iter().map(value(at)).collect::<Vec<_>>()));
        }
        Ok(projected)
    }
}

impl BuiltinRows for CatalogRows {
    fn row_count(&self) -> usize {
        count(self.catalog.oid)
    }

    fn block(&self, chunk: usize) -> PgResult<Vec<Arc<Vector>>> {
        Ok(self.blocks()?.get(chunk).cloned().unwrap_or_default())
    }
}

/// An OID datum.
fn oid(value: Oid) -> Datum {
    Datum::Oid(value.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_catalog_decodes_and_counts() {
        for catalog in facts::relations().iter().filter(|r| r.relkind == b'r') {
            let rows = rows(catalog).unwrap();
            assert_eq!(rows.len(), count(catalog.oid), "{}", catalog.name);
            for row in &rows {
                assert_eq!(row.len(), catalog.columns.len(), "{}", catalog.name);
                for (value, column) in row.iter().zip(catalog.columns) {
                    let phys = PhysType::of_builtin(column.type_oid);
                    assert!(
                        value.phys().is_none_or(|p| p == phys),
                        "{}.{}: {value:?}",
                        catalog.name,
                        column.name
                    );
                    assert!(
                        !column.not_null || !value.is_null(),
                        "{}.{}",
                        catalog.name,
                        column.name
                    );
                }
            }
        }
    }

    #[test]
    fn blocks_have_all_rows() {
        let catalog = facts::relation(oids::PG_PROC).unwrap();
        let rows = CatalogRows::of(catalog).unwrap();
        let len = |c| rows.block(c).unwrap().first().map_or(0, |column| column.len());
        assert_eq!([0, 1, 2, 3, 4].map(len), [1024, 1024, 1024, 341, 0]);
    }
}
