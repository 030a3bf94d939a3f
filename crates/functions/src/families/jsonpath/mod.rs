//! Evaluation of `jsonpath` over `jsonb`.
//!
//! PG: src/backend/utils/adt/jsonpath_exec.c, whose header explains lax and strict mode, and unwrapping.
//!
//! | file | what |
//! | --- | --- |
//! | `value.rs` | items on their way |
//! | `exec.rs` | accessors, filters, arithmetic |
//! | `predicate.rs` | boolean expressions and comparisons |
//! | `method.rs` | item methods |
//! | `datetime.rs` | dates and times: reading, casting, comparing |
//! | `keyvalue.rs` | `.keyvalue()` and the object ids it gives |
//! | `entry.rs` | the SQL functions |

mod arithmetic;
mod datetime;
pub(crate) mod entry;
mod exec;
mod keyvalue;
mod method;
mod predicate;
mod value;

pub use entry::cached_path;
pub use exec::{Outcome, PathRun, Variables, run};
pub use value::{DateTime, PathValue, value_from_sql};
