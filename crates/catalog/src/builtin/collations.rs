//! The built-in collations.

use common::Oid;

/// All collations that every database has.
pub const COLLATIONS: [(Oid, &str); 8] = [
    (Oid(100), "default"),
    (Oid(811), "pg_c_utf8"),
    (Oid(950), "C"),
    (Oid(951), "POSIX"),
    (Oid(962), "ucs_basic"),
    (Oid(963), "unicode"),
    (Oid(6411), "pg_unicode_fast"),
    (Oid(12359), "C.utf8"),
];

/// A built-in collation by name.
pub fn by_name(name: &str) -> Option<Oid> {
    COLLATIONS.iter().find(|c| c.1 == name).map(|c| c.0)
}

/// Name of a built-in collation.
pub fn name(oid: Oid) -> Option<&'static str> {
    COLLATIONS.iter().find(|c| c.0 == oid).map(|c| c.1)
}
