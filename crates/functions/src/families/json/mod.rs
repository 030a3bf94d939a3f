//! `json` and `jsonb`: functions, operators, aggregates.
//!
//! | file | what |
//! | --- | --- |
//! | `text.rs` | looking inside `json`, which is kept as text |
//! | `ops.rs`, `edit.rs` | operators of `jsonb`: reading, changing |
//! | `expand.rs` | sets of keys, elements, pairs |
//! | `value.rs` | any SQL value as JSON |
//! | `construct.rs`, `aggregate.rs` | constructors and aggregates over it |
//! | `source.rs`, `populate.rs`, `record.rs` | JSON as SQL values and rows |

pub(crate) mod aggregate;
pub mod construct;
pub mod edit;
pub(crate) mod expand;
pub(crate) mod ops;
pub(crate) mod populate;
pub(crate) mod record;
pub(crate) mod source;
pub mod sqljson;
pub(crate) mod text;
pub(crate) mod value;

use crate::framework::registry::Builtin;
use crate::framework::set::SetEntry;

/// The lists of this family.
pub(crate) static LISTS: &[&[Builtin]] = &[
    text::BUILTINS,
    ops::BUILTINS,
    edit::BUILTINS,
    expand::BUILTINS,
    construct::BUILTINS,
    record::BUILTINS,
];

pub(crate) static SET_LISTS: &[&[SetEntry]] = &[text::SETS, expand::SETS, record::SETS];
