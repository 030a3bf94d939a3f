//! Which settings EXPLAIN (SETTINGS) tells of: those that plans depend on, where they are not as PostgreSQL has them by default.

use crate::guc::GucStore;

/// Settings outside of the group "Query Tuning" that carry PostgreSQL's flag GUC_EXPLAIN.
const OTHERS: &[&str] = &[
    "debug_parallel_query",
    "effective_io_concurrency",
    "hash_mem_multiplier",
    "maintenance_io_concurrency",
    "max_parallel_workers",
    "max_parallel_workers_per_gather",
    "parallel_leader_participation",
    "search_path",
    "temp_buffers",
    "work_mem",
];

fn is_told(name: &str, category: &str) -> bool {
    let tunes = category.starts_with("Query Tuning") && name != "default_statistics_target";
    tunes || OTHERS.contains(&name)
}

/// Name and value as SHOW prints it, by name.
pub(super) fn changed(guc: &GucStore) -> Vec<(&'static str, String)> {
    let told = guc.all().into_iter().filter(|(d, _)| is_told(d.name, d.category));
    let differs = told.filter(|(d, _)| guc.get(&d.name.to_ascii_lowercase()) != d.boot);
    differs.map(|(d, shown)| (d.name, shown)).collect()
}
