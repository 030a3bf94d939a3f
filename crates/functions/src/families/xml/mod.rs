//! `xml`: construction, XPath, checks, the aggregate.
//!
//! | file | what |
//! | --- | --- |
//! | `value.rs` | any SQL value as XML |
//! | `construct.rs` | XMLELEMENT, XMLFOREST, XMLCONCAT, XMLPI, XMLROOT, XMLSERIALIZE |
//! | `functions.rs` | functions called by name, `xmlagg` |
//! | `mapping.rs`, `schema.rs` | tables, queries, cursors, schemas, the database as XML, and their XML Schemas |
//! | `path.rs` | `xpath`, `xpath_exists`, what XMLTABLE evaluates |

pub mod construct;
pub(crate) mod functions;
pub(crate) mod mapping;
pub mod path;
mod schema;
pub mod value;

use crate::framework::registry::Builtin;

/// The lists of this family.
pub(crate) static LISTS: &[&[Builtin]] = &[functions::BUILTINS, path::BUILTINS, mapping::BUILTINS];
