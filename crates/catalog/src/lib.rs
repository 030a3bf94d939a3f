//! Floor 4: what exists in a database: system catalogs, descriptors, names, dependencies, privileges.
//!
//! Main types: [`CatalogView`] (what one statement may look up, under its snapshot), the descriptors of [`desc`],
//! [`builtin_view`] (the built-in objects alone, without storage).
//! System catalogs are ordinary MVCC tables with PostgreSQL's columns and OIDs; their built-in rows come from data compiled
//! into the binary and are served as immutable main blocks.
//!
//! # Invariants
//! - Every descriptor is immutable and shared; DDL makes new catalog rows and thereby new descriptors.
//! - Descriptors are cached per committed catalog version; a transaction that changed the catalog itself uses a private cache.
//! - Nothing here reads SQL text.

pub mod builtin;
pub mod cache;
pub mod column_privileges;
pub mod columns;
pub mod database;
pub mod ddl;
pub mod deparse;
pub mod desc;
pub mod format_type;
mod keywords;
pub mod load;
pub mod names;
pub mod oids;
pub mod partition;
pub mod partition_hash;
pub mod privileges;
pub mod prune;
pub mod row;
pub mod search_path;
pub mod session_view;
pub mod statistics;
pub mod statistics_ext;
pub mod store;
pub mod trigger;
pub mod view;
pub mod virtual_columns;

pub use builtin::view::BuiltinView;
pub use desc::{ColumnDesc, ConstraintDesc, FunctionDesc, IndexDesc, OperatorDesc, RelationDesc, TypeDesc};
pub use view::CatalogView;

/// The built-in objects alone, as a new database has them: for tests and for tools that need no storage.
pub fn builtin_view() -> BuiltinView {
    BuiltinView
}
