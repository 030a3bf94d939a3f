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
    PG_CATALOG_NAMESPACE "pg_aios" "pg_aios.sql",
    PG_CATALOG_NAMESPACE "pg_available_extension_versions" "pg_available_extension_versions.sql",
    PG_CATALOG_NAMESPACE "pg_available_extensions" "pg_available_extensions.sql",
    PG_CATALOG_NAMESPACE "pg_backend_memory_contexts" "pg_backend_memory_contexts.sql",
    PG_CATALOG_NAMESPACE "pg_config" "pg_config.sql",
    PG_CATALOG_NAMESPACE "pg_cursors" "pg_cursors.sql",
    PG_CATALOG_NAMESPACE "pg_file_settings" "pg_file_settings.sql",
    PG_CATALOG_NAMESPACE "pg_group" "pg_group.sql",
    PG_CATALOG_NAMESPACE "pg_hba_file_rules" "pg_hba_file_rules.sql",
    PG_CATALOG_NAMESPACE "pg_ident_file_mappings" "pg_ident_file_mappings.sql",
    PG_CATALOG_NAMESPACE "pg_indexes" "pg_indexes.sql",
    PG_CATALOG_NAMESPACE "pg_locks" "pg_locks.sql",
    PG_CATALOG_NAMESPACE "pg_matviews" "pg_matviews.sql",
    PG_CATALOG_NAMESPACE "pg_policies" "pg_policies.sql",
    PG_CATALOG_NAMESPACE "pg_prepared_statements" "pg_prepared_statements.sql",
    PG_CATALOG_NAMESPACE "pg_prepared_xacts" "pg_prepared_xacts.sql",
    PG_CATALOG_NAMESPACE "pg_publication_tables" "pg_publication_tables.sql",
    PG_CATALOG_NAMESPACE "pg_replication_origin_status" "pg_replication_origin_status.sql",
    PG_CATALOG_NAMESPACE "pg_replication_slots" "pg_replication_slots.sql",
    PG_CATALOG_NAMESPACE "pg_roles" "pg_roles.sql",
    PG_CATALOG_NAMESPACE "pg_rules" "pg_rules.sql",
    PG_CATALOG_NAMESPACE "pg_seclabels" "pg_seclabels.sql",
    PG_CATALOG_NAMESPACE "pg_sequences" "pg_sequences.sql",
    PG_CATALOG_NAMESPACE "pg_settings" "pg_settings.sql",
    PG_CATALOG_NAMESPACE "pg_shadow" "pg_shadow.sql",
    PG_CATALOG_NAMESPACE "pg_shmem_allocations" "pg_shmem_allocations.sql",
    PG_CATALOG_NAMESPACE "pg_shmem_allocations_numa" "pg_shmem_allocations_numa.sql",
    PG_CATALOG_NAMESPACE "pg_stat_activity" "pg_stat_activity.sql",
    PG_CATALOG_NAMESPACE "pg_stat_all_indexes" "pg_stat_all_indexes.sql",
    PG_CATALOG_NAMESPACE "pg_stat_all_tables" "pg_stat_all_tables.sql",
    PG_CATALOG_NAMESPACE "pg_stat_archiver" "pg_stat_archiver.sql",
    PG_CATALOG_NAMESPACE "pg_stat_bgwriter" "pg_stat_bgwriter.sql",
    PG_CATALOG_NAMESPACE "pg_stat_checkpointer" "pg_stat_checkpointer.sql",
    PG_CATALOG_NAMESPACE "pg_stat_database" "pg_stat_database.sql",
    PG_CATALOG_NAMESPACE "pg_stat_database_conflicts" "pg_stat_database_conflicts.sql",
    PG_CATALOG_NAMESPACE "pg_stat_gssapi" "pg_stat_gssapi.sql",
    PG_CATALOG_NAMESPACE "pg_stat_io" "pg_stat_io.sql",
    PG_CATALOG_NAMESPACE "pg_stat_progress_analyze" "pg_stat_progress_analyze.sql",
    PG_CATALOG_NAMESPACE "pg_stat_progress_basebackup" "pg_stat_progress_basebackup.sql",
    PG_CATALOG_NAMESPACE "pg_stat_progress_cluster" "pg_stat_progress_cluster.sql",
    PG_CATALOG_NAMESPACE "pg_stat_progress_copy" "pg_stat_progress_copy.sql",
    PG_CATALOG_NAMESPACE "pg_stat_progress_create_index" "pg_stat_progress_create_index.sql",
    PG_CATALOG_NAMESPACE "pg_stat_progress_vacuum" "pg_stat_progress_vacuum.sql",
    PG_CATALOG_NAMESPACE "pg_stat_recovery_prefetch" "pg_stat_recovery_prefetch.sql",
    PG_CATALOG_NAMESPACE "pg_stat_replication" "pg_stat_replication.sql",
    PG_CATALOG_NAMESPACE "pg_stat_replication_slots" "pg_stat_replication_slots.sql",
    PG_CATALOG_NAMESPACE "pg_stat_slru" "pg_stat_slru.sql",
    PG_CATALOG_NAMESPACE "pg_stat_ssl" "pg_stat_ssl.sql",
    PG_CATALOG_NAMESPACE "pg_stat_subscription" "pg_stat_subscription.sql",
    PG_CATALOG_NAMESPACE "pg_stat_subscription_stats" "pg_stat_subscription_stats.sql",
    PG_CATALOG_NAMESPACE "pg_stat_sys_indexes" "pg_stat_sys_indexes.sql",
    PG_CATALOG_NAMESPACE "pg_stat_sys_tables" "pg_stat_sys_tables.sql",
    PG_CATALOG_NAMESPACE "pg_stat_user_functions" "pg_stat_user_functions.sql",
    PG_CATALOG_NAMESPACE "pg_stat_user_indexes" "pg_stat_user_indexes.sql",
    PG_CATALOG_NAMESPACE "pg_stat_user_tables" "pg_stat_user_tables.sql",
    PG_CATALOG_NAMESPACE "pg_stat_wal" "pg_stat_wal.sql",
    PG_CATALOG_NAMESPACE "pg_stat_wal_receiver" "pg_stat_wal_receiver.sql",
    PG_CATALOG_NAMESPACE "pg_stat_xact_all_tables" "pg_stat_xact_all_tables.sql",
    PG_CATALOG_NAMESPACE "pg_stat_xact_sys_tables" "pg_stat_xact_sys_tables.sql",
    PG_CATALOG_NAMESPACE "pg_stat_xact_user_functions" "pg_stat_xact_user_functions.sql",
    PG_CATALOG_NAMESPACE "pg_stat_xact_user_tables" "pg_stat_xact_user_tables.sql",
    PG_CATALOG_NAMESPACE "pg_statio_all_indexes" "pg_statio_all_indexes.sql",
    PG_CATALOG_NAMESPACE "pg_statio_all_sequences" "pg_statio_all_sequences.sql",
    PG_CATALOG_NAMESPACE "pg_statio_all_tables" "pg_statio_all_tables.sql",
    PG_CATALOG_NAMESPACE "pg_statio_sys_indexes" "pg_statio_sys_indexes.sql",
    PG_CATALOG_NAMESPACE "pg_statio_sys_sequences" "pg_statio_sys_sequences.sql",
    PG_CATALOG_NAMESPACE "pg_statio_sys_tables" "pg_statio_sys_tables.sql",
    PG_CATALOG_NAMESPACE "pg_statio_user_indexes" "pg_statio_user_indexes.sql",
    PG_CATALOG_NAMESPACE "pg_statio_user_sequences" "pg_statio_user_sequences.sql",
    PG_CATALOG_NAMESPACE "pg_statio_user_tables" "pg_statio_user_tables.sql",
    PG_CATALOG_NAMESPACE "pg_stats" "pg_stats.sql",
    PG_CATALOG_NAMESPACE "pg_stats_ext" "pg_stats_ext.sql",
    PG_CATALOG_NAMESPACE "pg_stats_ext_exprs" "pg_stats_ext_exprs.sql",
    PG_CATALOG_NAMESPACE "pg_tables" "pg_tables.sql",
    PG_CATALOG_NAMESPACE "pg_timezone_abbrevs" "pg_timezone_abbrevs.sql",
    PG_CATALOG_NAMESPACE "pg_timezone_names" "pg_timezone_names.sql",
    PG_CATALOG_NAMESPACE "pg_user" "pg_user.sql",
    PG_CATALOG_NAMESPACE "pg_user_mappings" "pg_user_mappings.sql",
    PG_CATALOG_NAMESPACE "pg_views" "pg_views.sql",
    PG_CATALOG_NAMESPACE "pg_wait_events" "pg_wait_events.sql",
    INFORMATION_SCHEMA_NAMESPACE "_pg_foreign_data_wrappers" "information_schema._pg_foreign_data_wrappers.sql",
    INFORMATION_SCHEMA_NAMESPACE "_pg_foreign_servers" "information_schema._pg_foreign_servers.sql",
    INFORMATION_SCHEMA_NAMESPACE "_pg_foreign_table_columns" "information_schema._pg_foreign_table_columns.sql",
    INFORMATION_SCHEMA_NAMESPACE "_pg_foreign_tables" "information_schema._pg_foreign_tables.sql",
    INFORMATION_SCHEMA_NAMESPACE "_pg_user_mappings" "information_schema._pg_user_mappings.sql",
    INFORMATION_SCHEMA_NAMESPACE "administrable_role_authorizations" "information_schema.administrable_role_authorizations.sql",
    INFORMATION_SCHEMA_NAMESPACE "applicable_roles" "information_schema.applicable_roles.sql",
    INFORMATION_SCHEMA_NAMESPACE "attributes" "information_schema.attributes.sql",
    INFORMATION_SCHEMA_NAMESPACE "character_sets" "information_schema.character_sets.sql",
    INFORMATION_SCHEMA_NAMESPACE "check_constraint_routine_usage" "information_schema.check_constraint_routine_usage.sql",
    INFORMATION_SCHEMA_NAMESPACE "check_constraints" "information_schema.check_constraints.sql",
    INFORMATION_SCHEMA_NAMESPACE "collation_character_set_applicability" "information_schema.collation_character_set_applicability.sql",
    INFORMATION_SCHEMA_NAMESPACE "collations" "information_schema.collations.sql",
    INFORMATION_SCHEMA_NAMESPACE "column_column_usage" "information_schema.column_column_usage.sql",
    INFORMATION_SCHEMA_NAMESPACE "column_domain_usage" "information_schema.column_domain_usage.sql",
    INFORMATION_SCHEMA_NAMESPACE "column_options" "information_schema.column_options.sql",
    INFORMATION_SCHEMA_NAMESPACE "column_privileges" "information_schema.column_privileges.sql",
    INFORMATION_SCHEMA_NAMESPACE "column_udt_usage" "information_schema.column_udt_usage.sql",
    INFORMATION_SCHEMA_NAMESPACE "columns" "information_schema.columns.sql",
    INFORMATION_SCHEMA_NAMESPACE "constraint_column_usage" "information_schema.constraint_column_usage.sql",
    INFORMATION_SCHEMA_NAMESPACE "constraint_table_usage" "information_schema.constraint_table_usage.sql",
    INFORMATION_SCHEMA_NAMESPACE "data_type_privileges" "information_schema.data_type_privileges.sql",
    INFORMATION_SCHEMA_NAMESPACE "domain_constraints" "information_schema.domain_constraints.sql",
    INFORMATION_SCHEMA_NAMESPACE "domain_udt_usage" "information_schema.domain_udt_usage.sql",
    INFORMATION_SCHEMA_NAMESPACE "domains" "information_schema.domains.sql",
    INFORMATION_SCHEMA_NAMESPACE "element_types" "information_schema.element_types.sql",
    INFORMATION_SCHEMA_NAMESPACE "enabled_roles" "information_schema.enabled_roles.sql",
    INFORMATION_SCHEMA_NAMESPACE "foreign_data_wrapper_options" "information_schema.foreign_data_wrapper_options.sql",
    INFORMATION_SCHEMA_NAMESPACE "foreign_data_wrappers" "information_schema.foreign_data_wrappers.sql",
    INFORMATION_SCHEMA_NAMESPACE "foreign_server_options" "information_schema.foreign_server_options.sql",
    INFORMATION_SCHEMA_NAMESPACE "foreign_servers" "information_schema.foreign_servers.sql",
    INFORMATION_SCHEMA_NAMESPACE "foreign_table_options" "information_schema.foreign_table_options.sql",
    INFORMATION_SCHEMA_NAMESPACE "foreign_tables" "information_schema.foreign_tables.sql",
    INFORMATION_SCHEMA_NAMESPACE "information_schema_catalog_name" "information_schema.information_schema_catalog_name.sql",
    INFORMATION_SCHEMA_NAMESPACE "key_column_usage" "information_schema.key_column_usage.sql",
    INFORMATION_SCHEMA_NAMESPACE "parameters" "information_schema.parameters.sql",
    INFORMATION_SCHEMA_NAMESPACE "referential_constraints" "information_schema.referential_constraints.sql",
    INFORMATION_SCHEMA_NAMESPACE "role_column_grants" "information_schema.role_column_grants.sql",
    INFORMATION_SCHEMA_NAMESPACE "role_routine_grants" "information_schema.role_routine_grants.sql",
    INFORMATION_SCHEMA_NAMESPACE "role_table_grants" "information_schema.role_table_grants.sql",
    INFORMATION_SCHEMA_NAMESPACE "role_udt_grants" "information_schema.role_udt_grants.sql",
    INFORMATION_SCHEMA_NAMESPACE "role_usage_grants" "information_schema.role_usage_grants.sql",
    INFORMATION_SCHEMA_NAMESPACE "routine_column_usage" "information_schema.routine_column_usage.sql",
    INFORMATION_SCHEMA_NAMESPACE "routine_privileges" "information_schema.routine_privileges.sql",
    INFORMATION_SCHEMA_NAMESPACE "routine_routine_usage" "information_schema.routine_routine_usage.sql",
    INFORMATION_SCHEMA_NAMESPACE "routine_sequence_usage" "information_schema.routine_sequence_usage.sql",
    INFORMATION_SCHEMA_NAMESPACE "routine_table_usage" "information_schema.routine_table_usage.sql",
    INFORMATION_SCHEMA_NAMESPACE "routines" "information_schema.routines.sql",
    INFORMATION_SCHEMA_NAMESPACE "schemata" "information_schema.schemata.sql",
    INFORMATION_SCHEMA_NAMESPACE "sequences" "information_schema.sequences.sql",
    INFORMATION_SCHEMA_NAMESPACE "table_constraints" "information_schema.table_constraints.sql",
    INFORMATION_SCHEMA_NAMESPACE "table_privileges" "information_schema.table_privileges.sql",
    INFORMATION_SCHEMA_NAMESPACE "tables" "information_schema.tables.sql",
    INFORMATION_SCHEMA_NAMESPACE "transforms" "information_schema.transforms.sql",
    INFORMATION_SCHEMA_NAMESPACE "triggered_update_columns" "information_schema.triggered_update_columns.sql",
    INFORMATION_SCHEMA_NAMESPACE "triggers" "information_schema.triggers.sql",
    INFORMATION_SCHEMA_NAMESPACE "udt_privileges" "information_schema.udt_privileges.sql",
    INFORMATION_SCHEMA_NAMESPACE "usage_privileges" "information_schema.usage_privileges.sql",
    INFORMATION_SCHEMA_NAMESPACE "user_defined_types" "information_schema.user_defined_types.sql",
    INFORMATION_SCHEMA_NAMESPACE "user_mapping_options" "information_schema.user_mapping_options.sql",
    INFORMATION_SCHEMA_NAMESPACE "user_mappings" "information_schema.user_mappings.sql",
    INFORMATION_SCHEMA_NAMESPACE "view_column_usage" "information_schema.view_column_usage.sql",
    INFORMATION_SCHEMA_NAMESPACE "view_routine_usage" "information_schema.view_routine_usage.sql",
    INFORMATION_SCHEMA_NAMESPACE "view_table_usage" "information_schema.view_table_usage.sql",
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
