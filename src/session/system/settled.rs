//! Functions whose answers are facts of PostgreSQL: flags of settings, foreign keys of the catalogs, options of connections; and the
//! validators of languages.

use std::sync::Arc;

use catalog::CatalogView;
use common::{Oid, PgResult, pg_err};
use types::{ArrayValue, Datum};

use crate::session::env::StatementEnv;
use crate::session::system::{int, oid, text};

/// Settings that EXPLAIN (SETTINGS) shows.
#[rustfmt::skip]
static IN_EXPLAIN: &[&str] = &[
    "constraint_exclusion", "cpu_index_tuple_cost", "cpu_operator_cost", "cpu_tuple_cost", "cursor_tuple_fraction",
    "debug_parallel_query", "effective_cache_size", "effective_io_concurrency", "enable_async_append", "enable_bitmapscan",
    "enable_distinct_reordering", "enable_gathermerge", "enable_group_by_reordering", "enable_hashagg", "enable_hashjoin",
    "enable_incremental_sort", "enable_indexonlyscan", "enable_indexscan", "enable_material", "enable_memoize",
    "enable_mergejoin", "enable_nestloop", "enable_parallel_append", "enable_parallel_hash", "enable_partition_pruning",
    "enable_partitionwise_aggregate", "enable_partitionwise_join", "enable_presorted_aggregate",
    "enable_self_join_elimination", "enable_seqscan", "enable_sort", "enable_tidscan", "from_collapse_limit", "geqo",
    "geqo_effort", "geqo_generations", "geqo_pool_size", "geqo_seed", "geqo_selection_bias", "geqo_threshold",
    "hash_mem_multiplier", "jit", "jit_above_cost", "jit_inline_above_cost", "jit_optimize_above_cost",
    "join_collapse_limit", "maintenance_io_concurrency", "max_parallel_workers", "max_parallel_workers_per_gather",
    "min_parallel_index_scan_size", "min_parallel_table_scan_size", "parallel_leader_participation",
    "parallel_setup_cost", "parallel_tuple_cost", "plan_cache_mode", "random_page_cost", "recursive_worktable_factor",
    "search_path", "seq_page_cost", "temp_buffers", "work_mem",
];

/// Settings that the sample of the configuration file leaves out.
#[rustfmt::skip]
static NOT_IN_SAMPLE: &[&str] = &[
    "allow_in_place_tablespaces", "allow_system_table_mods", "application_name", "backtrace_functions", "block_size",
    "data_checksums", "data_directory_mode", "debug_assertions", "debug_discard_caches", "debug_io_direct",
    "debug_logical_replication_streaming", "debug_parallel_query", "huge_pages_status", "ignore_checksum_failure",
    "ignore_invalid_pages", "ignore_system_indexes", "in_hot_standby", "integer_datetimes", "jit_debugging_support",
    "jit_dump_bitcode", "jit_expressions", "jit_profiling_support", "jit_tuple_deforming", "max_function_args",
    "max_identifier_length", "max_index_keys", "num_os_semaphores", "post_auth_delay", "pre_auth_delay",
    "remove_temp_files_after_crash", "restrict_nonsystem_relation_kind", "segment_size", "send_abort_for_crash",
    "send_abort_for_kill", "server_encoding", "server_version", "server_version_num", "shared_memory_size",
    "shared_memory_size_in_huge_pages", "ssl_library", "trace_connection_negotiation", "trace_notify", "trace_sort",
    "transaction_deferrable", "transaction_isolation", "transaction_read_only", "wal_block_size",
    "wal_consistency_checking", "wal_segment_size", "zero_damaged_pages",
];
static RUNTIME_COMPUTED: &[&str] = &[
    "data_checksums",
    "data_directory_mode",
    "num_os_semaphores",
    "shared_memory_size",
    "shared_memory_size_in_huge_pages",
    "wal_segment_size",
];

/// `pg_settings_get_flags`: NULL for a setting that does not exist.
fn setting_flags(env: &StatementEnv<'_>, name: &str) -> Datum {
    let name = name.to_ascii_lowercase();
    if env.core.guc.borrow().show(&name).is_err() {
        return Datum::Null;
    }
    let has = |list: &[&str]| list.contains(&name.as_str());
    let no_reset = name.starts_with("transaction_") && has(NOT_IN_SAMPLE);
    let flags = [
        ("EXPLAIN", has(IN_EXPLAIN)),
        ("NO_RESET", no_reset),
        ("NO_RESET_ALL", no_reset),
        ("NOT_IN_SAMPLE", has(NOT_IN_SAMPLE)),
        ("RUNTIME_COMPUTED", has(RUNTIME_COMPUTED)),
    ];
    let set = flags.iter().filter(|f| f.1).map(|f| Datum::text(f.0)).collect();
    Datum::Array(Arc::new(ArrayValue::from_elements(types::oids::TEXT, set)))
}

/// Options of a foreign server, and of a user mapping (true), that describe a connection.
#[rustfmt::skip]
static CONNECTION_OPTIONS: &[(&str, bool)] = &[
    ("authtype", false), ("service", false), ("user", true), ("password", true), ("connect_timeout", false),
    ("dbname", false), ("host", false), ("hostaddr", false), ("port", false), ("tty", false), ("options", false),
    ("requiressl", false), ("sslmode", false), ("gsslib", false), ("gssdelegation", false),
];

/// `postgresql_fdw_validator(options, catalog)`.
fn check_connection_options(args: &[Datum]) -> PgResult<Datum> {
    const SERVER: Oid = Oid(1417);
    const USER_MAPPING: Oid = Oid(1418);
    let catalog = oid(args, 1);
    let Some(Datum::Array(options)) = args.first() else {
        return Ok(Datum::Null);
    };
    if options.elements.iter().any(Datum::is_null) {
        return Err(crate::session::system::settings::null_element());
    }
    for option in options.elements.iter().filter_map(Datum::as_str) {
        let name = option.split('=').next().unwrap_or_default();
        let fits = |(known, of_user): &(&str, bool)| {
            *known == name && catalog == if *of_user { USER_MAPPING } else { SERVER }
        };
        if !CONNECTION_OPTIONS.iter().any(fits) {
            return Err(pg_err!(SYNTAX_ERROR, "invalid option \"{name}\""));
        }
    }
    Ok(Datum::Bool(true))
}

const PG_CATALOG: Oid = Oid(11);

fn catalog_foreign_keys() -> Vec<Vec<Datum>> {
    let columns = |list: &str| {
        let names = list.split(',').map(Datum::text).collect();
        Datum::Array(Arc::new(ArrayValue::from_elements(types::oids::TEXT, names)))
    };
    let relation = |name: &str| {
        let found = catalog::builtin::facts::relation_by_name(PG_CATALOG, name);
        found.map_or(Datum::Null, |r| Datum::Oid(r.oid.0))
    };
    let row = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [table, keys, other, others, array, optional] = fields[..] else {
            return Vec::new();
        };
        vec![
            relation(table),
            columns(keys),
            relation(other),
            columns(others),
            Datum::Bool(array == "true"),
            Datum::Bool(optional == "true"),
        ]
    };
    include_str!("catalog_foreign_keys.tsv")
        .lines()
        .map(row)
        .collect()
}

impl StatementEnv<'_> {
    /// The functions of one value; `None` for others.
    pub(super) fn settled_value(&self, function: &str, args: &[Datum]) -> PgResult<Option<Datum>> {
        Ok(Some(match function {
            "pg_settings_get_flags" => setting_flags(self, text(args, 0)),
            "postgresql_fdw_validator" => check_connection_options(args)?,
            "fmgr_internal_validator" => self.validate_language(oid(args, 0), (12, 2246))?,
            "fmgr_c_validator" => self.validate_language(oid(args, 0), (13, 2247))?,
            "fmgr_sql_validator" => self.validate_language(oid(args, 0), (14, 2248))?,
            "_pg_index_position" => self.index_position(oid(args, 0), int(args, 1))?,
            "satisfies_hash_partition" => self.hash_partition(args)?,
            "pg_xact_status" => self.transaction_status(int(args, 0) as u64)?,
            "pg_get_replica_identity_index" => self.replica_identity(oid(args, 0))?,
            _ => return Ok(None),
        }))
    }

    /// The functions of rows; `None` for others.
    pub(super) fn settled_rows(&self, function: &str) -> Option<Vec<Vec<Datum>>> {
        (function == "pg_get_catalog_foreign_keys").then(catalog_foreign_keys)
    }

    /// Bodies are checked when a function is made; here only whether the validator is the right one.
    fn validate_language(&self, function: Oid, (language, validator): (u32, u32)) -> PgResult<Datum> {
        const VALIDATORS: [(u32, u32); 3] = [(12, 2246), (13, 2247), (14, 2248)];
        let Some(found) = self.view.function(function)? else {
            return Err(pg_err!(
                UNDEFINED_FUNCTION,
                "function with OID {function} does not exist"
            ));
        };
        let own = found.language.0;
        if own != language {
            let right = VALIDATORS.iter().find(|v| v.0 == own).map_or(0, |v| v.1);
            return Err(pg_err!(
                INSUFFICIENT_PRIVILEGE,
                "language validation function {validator} called for language {own} instead of {right}"
            ));
        }
        Ok(Datum::text(""))
    }

    /// `satisfies_hash_partition(parent, modulus, remainder, keys...)`.
    fn hash_partition(&self, args: &[Datum]) -> PgResult<Datum> {
        if args.iter().take(3).any(Datum::is_null) {
            return Ok(Datum::Bool(false));
        }
        let (parent, modulus, remainder) = (oid(args, 0), int(args, 1), int(args, 2));
        let wrong = |what: &str| Err(pg_err!(INVALID_PARAMETER_VALUE, "{what}"));
        if modulus <= 0 {
            return wrong("modulus for hash partition must be an integer value greater than zero");
        }
        if remainder < 0 {
            return wrong(
                "remainder for hash partition must be an integer value greater than or equal to zero",
            );
        }
        if remainder >= modulus {
            return wrong("remainder for hash partition must be less than modulus");
        }
        let Some(desc) = self.view.relation(parent)? else {
            return Err(common::internal!("could not open relation with OID {parent}"));
        };
        let key = desc.inheritance.key.as_ref();
        let Some(key) = key.filter(|k| k.strategy == nodes::partition::PartitionStrategy::Hash) else {
            return wrong(&format!("\"{}\" is not a hash partitioned table", desc.name));
        };
        let values = args.get(3..).unwrap_or_default();
        if values.len() != key.columns.len() {
            return wrong(&format!(
                "number of partitioning columns ({}) does not match number of partition keys provided ({})",
                key.columns.len(),
                values.len()
            ));
        }
        let columns = key.columns.iter().map(|c| c.type_ref.oid);
        let pairs: Vec<(Oid, &Datum)> = columns.zip(values).collect();
        let hash = catalog::partition_hash::hash_key(&pairs)?;
        Ok(Datum::Bool(hash % modulus as u64 == remainder as u64))
    }

    /// `pg_xact_status`: NULL for transactions too old to know.
    fn transaction_status(&self, xid: u64) -> PgResult<Datum> {
        // Older ones are too old to know: PostgreSQL has frozen what initdb made.
        const FIRST_NORMAL: u64 = 3;
        let manager = self.core.db.storage.manager();
        if xid >= manager.next_xid().0 {
            return Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "transaction ID {xid} is in the future"
            ));
        }
        Ok(match xid {
            0 | FIRST_NORMAL => Datum::Null,
            // PostgreSQL's own, which are for ever.
            1..FIRST_NORMAL => Datum::text("committed"),
            _ if manager.active_xids().iter().any(|x| x.0 == xid) => Datum::text("in progress"),
            _ => match self.core.db.outcomes.is_committed(xid) {
                Some(true) => Datum::text("committed"),
                Some(false) => Datum::text("aborted"),
                None => Datum::Null,
            },
        })
    }

    /// The place of a column in an index, counted from 1.
    fn index_position(&self, index: Oid, column: i64) -> PgResult<Datum> {
        let desc = self.view.relation(index)?;
        let Some(found) = desc.as_ref().and_then(|d| d.index.as_ref()) else {
            return Ok(Datum::Null);
        };
        let at = found.columns.iter().position(|c| i64::from(c.attno) == column);
        Ok(at.map_or(Datum::Null, |at| Datum::Int4(at as i32 + 1)))
    }

    /// The index that tells rows apart for replicas: the primary key's.
    fn replica_identity(&self, relation: Oid) -> PgResult<Datum> {
        let Some(desc) = self.view.relation(relation)? else {
            return Err(common::internal!("could not open relation with OID {relation}"));
        };
        let key = desc.constraints.iter().find(|c| c.kind == b'p' && !c.deferrable);
        Ok(key.map_or(Datum::Null, |c| Datum::Oid(c.index.0)))
    }
}
