//! Bodies of the built-in system views, written for pglite; analyzed when first used.
//!
//! One file per view under `sql/`. A view without a body here answers 0A000 when queried (`RelationDesc::view_definition` is
//! `None`), never wrong rows. A test compares what the bodies give with PostgreSQL's own views.

use common::Oid;

use crate::builtin::facts;
use crate::oids;

macro_rules! bodies {
    ($($schema:ident $name:literal $file:literal,)*) => {
        /// (schema, view, SQL text) of all views that have a body.
        pub const BODIES: &[(Oid, &str, &str)] = &[
            $((oids::$schema, $name, include_str!(concat!("../../sql/", $file))),)*
        ];
    };
}

bodies! {
    PG_CATALOG_NAMESPACE "pg_cursors" "pg_cursors.sql",
    PG_CATALOG_NAMESPACE "pg_group" "pg_group.sql",
    PG_CATALOG_NAMESPACE "pg_indexes" "pg_indexes.sql",
    PG_CATALOG_NAMESPACE "pg_locks" "pg_locks.sql",
    PG_CATALOG_NAMESPACE "pg_matviews" "pg_matviews.sql",
    PG_CATALOG_NAMESPACE "pg_policies" "pg_policies.sql",
    PG_CATALOG_NAMESPACE "pg_prepared_statements" "pg_prepared_statements.sql",
    PG_CATALOG_NAMESPACE "pg_prepared_xacts" "pg_prepared_xacts.sql",
    PG_CATALOG_NAMESPACE "pg_roles" "pg_roles.sql",
    PG_CATALOG_NAMESPACE "pg_rules" "pg_rules.sql",
    PG_CATALOG_NAMESPACE "pg_sequences" "pg_sequences.sql",
    PG_CATALOG_NAMESPACE "pg_settings" "pg_settings.sql",
    PG_CATALOG_NAMESPACE "pg_shadow" "pg_shadow.sql",
    PG_CATALOG_NAMESPACE "pg_stat_activity" "pg_stat_activity.sql",
    PG_CATALOG_NAMESPACE "pg_stat_all_tables" "pg_stat_all_tables.sql",
    PG_CATALOG_NAMESPACE "pg_stat_sys_tables" "pg_stat_sys_tables.sql",
    PG_CATALOG_NAMESPACE "pg_stat_user_tables" "pg_stat_user_tables.sql",
    PG_CATALOG_NAMESPACE "pg_tables" "pg_tables.sql",
    PG_CATALOG_NAMESPACE "pg_timezone_names" "pg_timezone_names.sql",
    PG_CATALOG_NAMESPACE "pg_user" "pg_user.sql",
    PG_CATALOG_NAMESPACE "pg_views" "pg_views.sql",
    INFORMATION_SCHEMA_NAMESPACE "columns" "information_schema.columns.sql",
    INFORMATION_SCHEMA_NAMESPACE "information_schema_catalog_name" "information_schema.information_schema_catalog_name.sql",
    INFORMATION_SCHEMA_NAMESPACE "key_column_usage" "information_schema.key_column_usage.sql",
    INFORMATION_SCHEMA_NAMESPACE "referential_constraints" "information_schema.referential_constraints.sql",
    INFORMATION_SCHEMA_NAMESPACE "schemata" "information_schema.schemata.sql",
    INFORMATION_SCHEMA_NAMESPACE "sequences" "information_schema.sequences.sql",
    INFORMATION_SCHEMA_NAMESPACE "table_constraints" "information_schema.table_constraints.sql",
    INFORMATION_SCHEMA_NAMESPACE "tables" "information_schema.tables.sql",
    INFORMATION_SCHEMA_NAMESPACE "views" "information_schema.views.sql",
}

/// The SQL text behind a built-in view.
pub fn definition(view: Oid) -> Option<&'static str> {
    let rel = facts::relation(view)?;
    let here = |body: &&(Oid, &str, &'static str)| (body.0, body.1) == (rel.namespace, rel.name);
    BODIES.iter().find(here).map(|body| body.2.trim_end())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_body_belongs_to_a_view() {
        for (namespace, name, _) in BODIES {
            let rel = facts::relation_by_name(*namespace, name).unwrap();
            assert_eq!(rel.relkind, b'v', "{name}");
            assert!(definition(rel.oid).is_some());
        }
    }
}
