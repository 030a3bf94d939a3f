//! Functions behind the system views: the session answers them by name, whatever their arguments are.
//!
//! Counters of activity that pglite does not count (`track_counts` is off) are zero, as PostgreSQL's are when it is off.

use std::sync::Arc;

use common::{Oid, PgResult, internal};
use types::{Datum, RecordValue, Selection, Vector, oids};

use crate::facts::{self, ProcRow};
use crate::families::absent;
use crate::framework::context::FnContext;
use crate::framework::registry::{Kernels, source_name};
use crate::framework::set::{SetRows, materialized};

/// Functions of one value (or one row) that the session answers.
#[rustfmt::skip]
static SCALARS: &[&str] = &[
    "has_largeobject_privilege_id", "has_largeobject_privilege_id_id", "has_largeobject_privilege_name_id",
    "be_lo_close", "be_lo_creat", "be_lo_create", "be_lo_export", "be_lo_import", "be_lo_import_with_oid", "be_lo_from_bytea", "be_lo_get", "be_lo_get_fragment", "be_lo_lseek",
    "be_lo_lseek64", "be_lo_open", "be_lo_put", "be_lo_tell", "be_lo_tell64", "be_lo_truncate", "be_lo_truncate64",
    "be_lo_unlink", "be_loread", "be_lowrite",
    "_pg_index_position", "aclcontains", "acldefault_sql", "aclitem_eq", "fmgr_c_validator", "fmgr_internal_validator",
    "fmgr_sql_validator", "hash_aclitem", "hash_aclitem_extended", "makeaclitem", "pg_describe_object", "pg_get_acl",
    "pg_get_object_address", "pg_get_replica_identity_index", "pg_identify_object", "pg_identify_object_as_address",
    "pg_index_column_has_property", "pg_index_has_property", "pg_indexam_has_property", "pg_settings_get_flags",
    "postgresql_fdw_validator", "pg_xact_status", "satisfies_hash_partition", "has_any_column_privilege_id", "has_any_column_privilege_id_id", "has_any_column_privilege_id_name",
    "has_any_column_privilege_name", "has_any_column_privilege_name_id", "has_any_column_privilege_name_name",
    "has_column_privilege_id_attnum", "has_column_privilege_id_id_attnum", "has_column_privilege_id_id_name",
    "has_column_privilege_id_name", "has_column_privilege_id_name_attnum", "has_column_privilege_id_name_name",
    "has_column_privilege_name_attnum", "has_column_privilege_name_id_attnum", "has_column_privilege_name_id_name",
    "has_column_privilege_name_name", "has_column_privilege_name_name_attnum", "has_column_privilege_name_name_name",
    "has_parameter_privilege_id_name", "has_parameter_privilege_name", "has_parameter_privilege_name_name",
    "pg_blocking_pids", "pg_basetype", "pg_conf_load_time", "pg_reload_conf", "pg_rotate_logfile",
    "pg_stat_get_backend_activity", "pg_stat_get_backend_activity_start",
    "pg_stat_get_backend_client_addr", "pg_stat_get_backend_client_port", "pg_stat_get_backend_dbid",
    "pg_stat_get_backend_pid", "pg_stat_get_backend_start", "pg_stat_get_backend_userid",
    "pg_stat_get_backend_wait_event", "pg_stat_get_backend_wait_event_type", "pg_stat_get_backend_xact_start",
    "pg_stat_have_stats", "pg_sequence_parameters", "pg_get_sequence_data",  "pg_column_is_updatable", "pg_get_function_arg_default",
    "pg_get_function_sqlbody", "pg_get_statisticsobjdef_columns", "pg_get_statisticsobjdef_expressions", "pg_has_role_id",
    "pg_has_role_id_id", "pg_has_role_id_name", "pg_has_role_name", "pg_has_role_name_id", "pg_has_role_name_name",
    "pg_describe_object",
    "pg_indexam_progress_phasename", "pg_is_other_temp_schema", "pg_my_temp_schema", "pg_partition_root",
    "pg_postmaster_start_time", "pg_relation_filenode", "pg_relation_is_publishable", "pg_relation_is_updatable",
    "pg_safe_snapshot_blocking_pids",
    "pg_sequence_last_value", "pg_stat_get_archiver", "pg_stat_get_db_numbackends", "pg_stat_get_live_tuples",
    "pg_stat_get_tuples_inserted", "pg_stat_get_tuples_updated", "pg_stat_get_tuples_deleted",
    "pg_stat_get_mod_since_analyze", "pg_stat_get_ins_since_vacuum", "pg_stat_get_last_vacuum_time",
    "pg_stat_get_last_autovacuum_time", "pg_stat_get_last_analyze_time", "pg_stat_get_last_autoanalyze_time",
    "pg_stat_get_vacuum_count", "pg_stat_get_autovacuum_count", "pg_stat_get_analyze_count",
    "pg_stat_get_autoanalyze_count", "pg_stat_get_total_vacuum_time", "pg_stat_get_total_analyze_time",
    "pg_stat_get_total_autovacuum_time", "pg_stat_get_total_autoanalyze_time",
    "pg_stat_get_replication_slot", "pg_stat_get_subscription_stats", "pg_stat_get_wal_receiver",
    "pg_tablespace_location", "pg_tablespace_size_name", "pg_tablespace_size_oid", "row_security_active",
    "row_security_active_name", "pg_get_viewdef_name_ext", "pg_get_viewdef_wrap", "pg_trigger_depth",
];

/// Functions of rows that the session answers.
#[rustfmt::skip]
static SETS: &[&str] = &[
    "aclexplode", "pg_cursor", "pg_get_catalog_foreign_keys", "pg_get_keywords", "pg_listening_channels", "pg_stat_get_backend_idset", "pg_tablespace_databases", "pg_available_extension_versions", "pg_available_extensions", "pg_config", "pg_get_aios",
    "pg_get_publication_tables", "pg_get_replication_slots", 
    "pg_hba_file_rules", "pg_ident_file_mappings", "pg_lock_status",
    "pg_options_to_table", "pg_partition_ancestors", "pg_partition_tree", "pg_prepared_xact", "pg_prepared_statement",
    "pg_show_replication_origin_status", "pg_stat_get_activity", "pg_stat_get_progress_info",
    "pg_stat_get_recovery_prefetch", "pg_stat_get_slru", "pg_stat_get_subscription", "pg_stat_get_wal_senders",
    "pg_stats_ext_mcvlist_items", "pg_timezone_abbrevs_abbrevs", "pg_timezone_abbrevs_zone",
    "pg_timezone_names", "show_all_file_settings", "show_all_settings",
];

/// Counters and times of activity.
fn is_counter(name: &str) -> bool {
    const BEGINS: [&str; 4] = [
        "pg_stat_get_xact_",
        "pg_stat_get_db_",
        "pg_stat_get_bgwriter_",
        "pg_stat_get_function_",
    ];
    const NAMES: [&str; 10] = [
        "pg_stat_get_numscans",
        "pg_stat_get_lastscan",
        "pg_stat_get_tuples_returned",
        "pg_stat_get_tuples_fetched",
        "pg_stat_get_tuples_hot_updated",
        "pg_stat_get_tuples_newpage_updated",
        "pg_stat_get_dead_tuples",
        "pg_stat_get_blocks_fetched",
        "pg_stat_get_blocks_hit",
        "pg_stat_get_buf_alloc",
    ];
    !SCALARS.contains(&name) && (NAMES.contains(&name) || BEGINS.iter().any(|b| name.starts_with(b)))
}

/// True for functions that [`KERNELS`] serve.
pub(crate) fn is_scalar(proc: &ProcRow, name: &str) -> bool {
    absent::is_scalar(proc, name) || SCALARS.contains(&name) || is_counter(name)
}

/// True for functions that [`rows`] serves.
pub(crate) fn is_set(proc: &ProcRow, name: &str) -> bool {
    absent::is_set(proc, name) || SETS.contains(&name)
}

/// The kernels of all functions of one value here.
pub(crate) const KERNELS: Kernels = Kernels { vector, scalar };

fn this(ctx: &FnContext<'_>) -> PgResult<&'static ProcRow> {
    facts::proc(ctx.call.proc).ok_or_else(|| internal!("cache lookup failed for function {}", ctx.call.proc))
}

fn scalar(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    let proc = this(ctx)?;
    if proc.proisstrict && args.iter().any(Datum::is_null) {
        return Ok(Datum::Null);
    }
    let name = source_name(proc);
    if let Some(answer) = absent::answer(proc, name, args)? {
        return Ok(answer);
    }
    if is_counter(name) {
        return Ok(match proc.prorettype {
            oids::INT8 => Datum::Int8(0),
            oids::INT4 => Datum::Int4(0),
            oids::FLOAT8 => Datum::Float8(0.0),
            _ => Datum::Null,
        });
    }
    if proc.prorettype != oids::RECORD {
        return ctx.session.call(name, args);
    }
    let Some(fields) = ctx.session.rows(name, args)?.into_iter().next() else {
        return Ok(Datum::Null);
    };
    let (field_types, names): (Vec<Oid>, Vec<Box<str>>) =
        out_columns(proc).map(|(t, n)| (t, Box::from(n))).unzip();
    Ok(Datum::Record(Arc::new(RecordValue {
        type_oid: oids::RECORD,
        field_types,
        fields,
        names: Some(names.into()),
    })))
}

fn vector(ctx: &mut FnContext<'_>, args: &[&Vector], sel: &Selection, out: &mut Vector) -> PgResult<()> {
    crate::framework::registry::general_vector::<false>(scalar, ctx, args, sel, out)
}

/// Types and names of OUT parameters.
fn out_columns(proc: &ProcRow) -> impl Iterator<Item = (Oid, &'static str)> {
    let all = proc.extra.map_or(&[][..], |e| e.proallargtypes);
    let modes = proc.extra.map_or(&[][..], |e| e.proargmodes);
    let names = proc.extra.map_or(&[][..], |e| e.proargnames);
    let out = (0..all.len()).filter(|k| matches!(modes.get(*k), Some(b'o' | b't' | b'b')));
    out.map(|k| (all[k], names.get(k).copied().unwrap_or("")))
}

/// Asks the session for the rows of a function.
pub(crate) fn rows(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    let proc = this(ctx)?;
    if absent::is_set(proc, source_name(proc)) {
        absent::check_rows(source_name(proc))?;
        return Ok(materialized(&[proc.prorettype], Vec::new()));
    }
    let mut types: Vec<Oid> = out_columns(proc).map(|c| c.0).collect();
    if types.is_empty() {
        types.push(proc.prorettype);
    }
    Ok(materialized(&types, ctx.session.rows(source_name(proc), args)?))
}
