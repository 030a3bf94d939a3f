//! `xml`: construction, XPath, checks, the aggregate.
//!
//! | file | what |
//! | --- | --- |
//! | `value.rs` | any SQL value as XML |
//! | `construct.rs` | XMLELEMENT, XMLFOREST, XMLCONCAT, XMLPI, XMLROOT, XMLSERIALIZE |
//! | `functions.rs` | functions called by name, `xmlagg` |
//! | `path.rs` | `xpath`, `xpath_exists`, what XMLTABLE evaluates |

pub mod construct;
pub(crate) mod functions;
pub mod path;
pub mod value;

use crate::framework::registry::Builtin;

/// The lists of this family.
pub(crate) static LISTS: &[&[Builtin]] = &[functions::BUILTINS, path::BUILTINS];
