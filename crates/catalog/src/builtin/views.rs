//! Bodies of the built-in system views, written for pglite; analyzed when first used.
//!
//! A view without a body here answers 0A000 when queried (`RelationDesc::view_definition` is `None`).

use common::Oid;

/// The SQL text behind a built-in view.
pub fn definition(view: Oid) -> Option<&'static str> {
    let _ = view;
    None
}
