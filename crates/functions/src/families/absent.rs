//! What PostgreSQL has and pglite has not: the answers of a server on which the feature is idle or switched off.
//!
//! Standby servers, commit timestamps, event triggers, multixacts, just-in-time compilation, log collection, I/O statistics:
//! a client that asks gets what PostgreSQL says where they are not in use, never a made-up figure.

use common::error::ErrorExt;
use common::{PgError, PgResult, pg_err};
use types::{Datum, oids};

use crate::facts::ProcRow;

/// Functions that answer NULL. Those of stored values (`pg_column_*`) come here for values that are not: the planner turns calls on columns into
/// what the scan knows.
#[rustfmt::skip]
static NULLS: &[&str] = &[
    "pg_collation_actual_version", "pg_column_compression", "pg_column_toast_chunk_id", "pg_current_logfile",
    "pg_current_logfile_1arg", "pg_database_collation_actual_version", "pg_last_wal_receive_lsn",
    "pg_last_wal_replay_lsn", "pg_last_xact_replay_timestamp", "pg_stat_get_checkpointer_stat_reset_time",
    "pg_stat_get_snapshot_timestamp", "system_user",
];

/// Functions that answer zero, false, or nothing at all (`void`).
#[rustfmt::skip]
static ZEROS: &[&str] = &[
    "pg_jit_available", "pg_notification_queue_usage", "pg_numa_available", "pg_isolation_test_session_is_blocked",
    "pg_stat_clear_snapshot", "pg_stat_force_next_flush", "pg_stat_get_checkpointer_buffers_written",
    "pg_stat_get_checkpointer_num_performed", "pg_stat_get_checkpointer_num_requested",
    "pg_stat_get_checkpointer_num_timed", "pg_stat_get_checkpointer_restartpoints_performed",
    "pg_stat_get_checkpointer_restartpoints_requested", "pg_stat_get_checkpointer_restartpoints_timed",
    "pg_stat_get_checkpointer_slru_written", "pg_stat_get_checkpointer_sync_time",
    "pg_stat_get_checkpointer_write_time", "pg_stat_reset", "pg_stat_reset_backend_stats",
    "pg_stat_reset_single_function_counters", "pg_stat_reset_single_table_counters", "pg_stat_reset_slru",
    "pg_stat_reset_subscription_stats",
];

/// Functions of rows that have none.
#[rustfmt::skip]
static EMPTY: &[&str] = &[
    "pg_available_wal_summaries", "pg_get_multixact_members", "pg_get_shmem_allocations_numa", "pg_get_loaded_modules",
    "pg_ls_summariesdir", "pg_ls_logicalsnapdir", "pg_ls_logicalmapdir", "pg_ls_archive_statusdir",
    "pg_stat_get_backend_io", "pg_extension_update_paths",
];

const RECOVERY: (&str, &str) = (
    "recovery is not in progress",
    "Recovery control functions can only be executed during recovery.",
);
const COMMIT_TIMES: (&str, &str) = (
    "could not get commit timestamp data",
    "Make sure the configuration parameter \"track_commit_timestamp\" is set.",
);

fn refusal(name: &str) -> Option<Box<PgError>> {
    let (message, hint) = match name {
        "pg_is_wal_replay_paused"
        | "pg_wal_replay_pause"
        | "pg_wal_replay_resume"
        | "pg_promote"
        | "pg_get_wal_replay_pause_state" => RECOVERY,
        "pg_xact_commit_timestamp" | "pg_xact_commit_timestamp_origin" | "pg_last_committed_xact" => {
            COMMIT_TIMES
        }
        "aclinsert" | "aclremove" => {
            return Some(pg_err!(FEATURE_NOT_SUPPORTED, "{name} is no longer supported"));
        }
        _ => return event_trigger(name),
    };
    Some(pg_err!(OBJECT_NOT_IN_PREREQUISITE_STATE, "{message}").hint(hint))
}

fn event_trigger(name: &str) -> Option<Box<PgError>> {
    let place = match name {
        "pg_event_trigger_dropped_objects" => "a sql_drop event trigger function",
        "pg_event_trigger_table_rewrite_oid" | "pg_event_trigger_table_rewrite_reason" => {
            "a table_rewrite event trigger function"
        }
        "pg_event_trigger_ddl_commands" => "an event trigger function",
        _ => return None,
    };
    Some(pg_err!(
        E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED,
        "{name}() can only be called in {place}"
    ))
}

/// True for functions of one value here.
pub(crate) fn is_scalar(proc: &ProcRow, name: &str) -> bool {
    !proc.proretset
        && (NULLS.contains(&name)
            || ZEROS.contains(&name)
            || name == "pg_stat_reset_shared"
            || refusal(name).is_some())
}

/// True for functions of rows here.
pub(crate) fn is_set(proc: &ProcRow, name: &str) -> bool {
    proc.proretset && (EMPTY.contains(&name) || refusal(name).is_some())
}

/// The answer; `None` for functions that are not here.
pub(crate) fn answer(proc: &ProcRow, name: &str, args: &[Datum]) -> PgResult<Option<Datum>> {
    if let Some(refused) = refusal(name) {
        return Err(refused);
    }
    if name == "pg_stat_reset_shared" {
        const TARGETS: [&str; 7] = [
            "archiver",
            "bgwriter",
            "checkpointer",
            "io",
            "recovery_prefetch",
            "slru",
            "wal",
        ];
        let target = args.first().and_then(Datum::as_str).unwrap_or("wal");
        if !TARGETS.contains(&target) {
            return Err(
                pg_err!(INVALID_PARAMETER_VALUE, "unrecognized reset target: \"{target}\"").hint(
                    "Target must be \"archiver\", \"bgwriter\", \"checkpointer\", \"io\", \"recovery_prefetch\", \"slru\", or \"wal\".",
                ),
            );
        }
        return Ok(Some(Datum::text("")));
    }
    if NULLS.contains(&name) {
        return Ok(Some(Datum::Null));
    }
    if !ZEROS.contains(&name) {
        return Ok(None);
    }
    Ok(Some(match proc.prorettype {
        oids::BOOL => Datum::Bool(false),
        oids::INT8 => Datum::Int8(0),
        oids::FLOAT8 => Datum::Float8(0.0),
        _ => Datum::text(""),
    }))
}

/// The error of a function of rows that cannot be called; the others have none.
pub(crate) fn check_rows(name: &str) -> PgResult<()> {
    refusal(name).map_or(Ok(()), Err)
}
