//! PostgreSQL's cost formulas.

use nodes::expr::{Expr, SubLinkKind, SubPlan};
use nodes::plan::{SubPlanEntry, SubPlanUsage};
use nodes::query::RteKind;
use nodes::walk;

use crate::context::CostSettings;
use crate::path::{JoinMethod, Path};
use crate::rel::IndexInfo;
use crate::root::Root;

/// Startup and total cost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    pub startup: f64,
    pub total: f64,
}

/// Cost of evaluating an expression once, in units of `cpu_operator_cost`-like calls (`pg_proc.procost`).
pub fn eval_cost(root: &Root<'_, '_>, expr: &Expr) -> f64 {
    let mut calls = 0.0;
    walk::walk(expr, &mut |e| {
        calls += match e {
            Expr::Func(f) | Expr::NullIf(f) => procost(root, f.func),
            Expr::Distinct(d) => procost(root, d.equality.func),
            Expr::ScalarArrayOp(_) => 5.0,
            Expr::CoerceViaIo(_) | Expr::RowCompare(_) => 2.0,
            Expr::SubPlan(s) => root
                .global
                .subplans
                .get(s.plan_id)
                .map_or(0.0, |p| per_run(s, p) / root.context().settings.cpu_operator_cost),
            _ => 0.0,
        };
        true
    });
    calls * root.context().settings.cpu_operator_cost
}

/// Cost of a subplan for one row of the query around it. An initplan runs once, whoever reads it.
///
/// PG: `cost_subplan`.
fn per_run(s: &SubPlan, entry: &SubPlanEntry) -> f64 {
    let cost = &entry.plan.cost;
    let run = cost.total - cost.startup;
    match s.kind {
        _ if s.use_hash_table || matches!(entry.usage, SubPlanUsage::InitPlan(_)) => 0.0,
        SubLinkKind::Exists => cost.startup + run / cost.rows.max(1.0),
        SubLinkKind::Any | SubLinkKind::All => cost.startup + 0.5 * run,
        _ => cost.total,
    }
}

fn procost(root: &Root<'_, '_>, func: common::Oid) -> f64 {
    root.context()
        .catalog
        .function(func)
        .ok()
        .flatten()
        .map_or(1.0, |f| f64::from(f.cost))
}

/// Reading every page and testing every row.
pub fn seq_scan(s: &CostSettings, pages: f64, tuples: f64, qual_per_row: f64) -> Cost {
    Cost {
        startup: 0.0,
        total: s.seq_page_cost * pages + (s.cpu_tuple_cost + qual_per_row) * tuples,
    }
}

/// Pages fetched by a random-order scan (Mackert and Lohman).
pub fn pages_fetched(s: &CostSettings, tuples: f64, pages: f64, index_pages: f64) -> f64 {
    let t = pages.max(1.0);
    let total = t + index_pages.max(1.0);
    let b = (s.effective_cache_size_pages * t / total).ceil().max(1.0);
    let fetched = if t <= b {
        ((2.0 * t * tuples) / (2.0 * t + tuples)).min(t)
    } else {
        let limit = (2.0 * t * b) / (2.0 * t - b);
        if tuples <= limit {
            (2.0 * t * tuples) / (2.0 * t + tuples)
        } else {
            b + (tuples - limit) * (t - b) / t
        }
    };
    fetched.ceil()
}

/// What an index scan's cost depends on.
pub struct IndexScanFacts<'i> {
    pub index: &'i IndexInfo,
    /// Fraction of the index visited by the boundary conditions.
    pub selectivity: f64,
    pub qual_count: usize,
    pub heap_pages: f64,
    pub heap_tuples: f64,
    pub index_only: bool,
    /// Expected repetitions (inner side of a nested loop).
    pub loops: f64,
    pub correlation: f64,
    /// Conditions left to test per row.
    pub filter_per_row: f64,
}

/// A btree scan: descent, leaf pages, entries, then the heap (between the sorted and the random case by correlation).
pub fn index_scan(s: &CostSettings, f: &IndexScanFacts<'_>) -> (Cost, f64) {
    let index_tuples = (f.selectivity * f.index.tuples).round().max(1.0);
    let index_pages = if f.index.pages > 1.0 && f.index.tuples > 1.0 {
        (index_tuples * f.index.pages / f.index.tuples).ceil()
    } else {
        1.0
    };
    let page_cost = if f.loops > 1.0 {
        let all = pages_fetched(s, index_pages * f.loops, f.index.pages, f.index.pages);
        all * s.random_page_cost / f.loops
    } else {
        index_pages * s.random_page_cost
    };
    let per_tuple = s.cpu_index_tuple_cost + f.qual_count as f64 * s.cpu_operator_cost;
    // Summed in PostgreSQL's order, so that the last digit shown is the same.
    let compares = f.index.tuples.max(2.0).log2().ceil() * s.cpu_operator_cost;
    let pages = (f.index.tree_height + 1.0) * 50.0 * s.cpu_operator_cost;
    let index_startup = compares + pages;
    let index_total = page_cost + index_tuples * per_tuple + compares + pages;
    let fetched = (f.selectivity * f.heap_tuples).round().max(1.0);
    let (min_io, max_io) = heap_io(s, f, fetched);
    let csquared = f.correlation * f.correlation;
    let io = max_io + csquared * (min_io - max_io);
    let cpu = (s.cpu_tuple_cost + f.filter_per_row) * fetched;
    (
        Cost {
            startup: index_startup,
            total: index_startup + ((index_total - index_startup) + io + cpu),
        },
        index_total,
    )
}

fn heap_io(s: &CostSettings, f: &IndexScanFacts<'_>, fetched: f64) -> (f64, f64) {
    if f.index_only {
        // Entries carry their own visibility here: the heap is not touched.
        return (0.0, 0.0);
    }
    if f.loops > 1.0 {
        let all = pages_fetched(s, fetched * f.loops, f.heap_pages, f.index.pages);
        let max = all * s.random_page_cost / f.loops;
        let sequential = (f.selectivity * f.heap_pages).ceil();
        let all_min = pages_fetched(s, sequential * f.loops, f.heap_pages, f.index.pages);
        return (all_min * s.random_page_cost / f.loops, max);
    }
    let max = pages_fetched(s, fetched, f.heap_pages, f.index.pages) * s.random_page_cost;
    let pages = (f.selectivity * f.heap_pages).ceil();
    let min = if pages > 0.0 {
        s.random_page_cost + (pages - 1.0) * s.seq_page_cost
    } else {
        0.0
    };
    (min, max)
}

/// Bytes of a row of that width, as PostgreSQL keeps it.
///
/// PG: `relation_byte_size`.
fn row_bytes(width: i32) -> f64 {
    f64::from((width.max(0) + 7) & !7) + 24.0
}

/// How many runs are merged at once.
///
/// PG: `tuplesort_merge_order`.
fn merge_order(s: &CostSettings) -> f64 {
    /// Memory for a run that is being merged.
    const RUN_BYTES: usize = 2 * 8192 + 32 * 8192;
    (s.work_mem_bytes / RUN_BYTES).clamp(6, 500) as f64
}

/// Sorting `rows` of `width` bytes that cost `input` to produce; `limit` rows suffice when positive.
pub fn sort(s: &CostSettings, input: f64, rows: f64, width: i32, limit: f64) -> Cost {
    let rows = rows.max(2.0);
    let bytes = rows * row_bytes(width);
    let memory = s.work_mem_bytes as f64;
    let compare = 2.0 * s.cpu_operator_cost;
    let (out_rows, out_bytes) = if limit > 0.0 && limit < rows {
        (limit, limit * row_bytes(width))
    } else {
        (rows, bytes)
    };
    let mut startup = input;
    if out_bytes > memory {
        let pages = (bytes / 8192.0).ceil();
        let runs = (bytes / memory).max(1.0);
        let order = merge_order(s);
        let passes = if runs > order {
            (runs.ln() / order.ln()).ceil()
        } else {
            1.0
        };
        startup += compare * rows * rows.log2();
        startup += 2.0 * pages * passes * (s.seq_page_cost * 0.75 + s.random_page_cost * 0.25);
    } else if rows > 2.0 * out_rows || bytes > memory {
        startup += compare * rows * (2.0 * out_rows).log2();
    } else {
        startup += compare * rows * rows.log2();
    }
    Cost {
        startup,
        total: startup + s.cpu_operator_cost * rows,
    }
}

/// Sorting rows that come in groups of equal leading keys, group by group.
///
/// PG: `cost_incremental_sort`.
pub fn incremental_sort(
    s: &CostSettings,
    input: Cost,
    rows: f64,
    width: i32,
    groups: f64,
    limit: f64,
) -> Cost {
    let rows = rows.max(2.0);
    let input_run = (input.total - input.startup) / groups;
    let group = sort(s, 0.0, rows / groups, width, limit);
    let group_run = group.total - group.startup;
    let startup = group.startup + input.startup + input_run;
    let mut run = group_run + (group.total + input_run) * (groups - 1.0);
    run += s.cpu_tuple_cost * rows;
    run += 2.0 * s.cpu_tuple_cost * groups;
    Cost {
        startup,
        total: startup + run,
    }
}

/// Keeping rows for re-reading.
pub fn material(s: &CostSettings, input: Cost, rows: f64, width: i32) -> Cost {
    let mut total = input.total + 2.0 * s.cpu_operator_cost * rows;
    let bytes = rows * row_bytes(width);
    if bytes > s.work_mem_bytes as f64 {
        total += s.seq_page_cost * (bytes / 8192.0).ceil();
    }
    Cost {
        startup: input.startup,
        total,
    }
}

/// Cost of running a path again.
pub fn rescan(root: &Root<'_, '_>, path: &Path) -> Cost {
    use crate::path::PathKind;
    let s = root.context().settings;
    match &path.kind {
        PathKind::Material(_) | PathKind::Sort(_) => {
            let bytes = path.rows * row_bytes(path.width);
            let mut total = s.cpu_operator_cost * path.rows;
            if bytes > s.work_mem_bytes as f64 {
                total += s.seq_page_cost * (bytes / 8192.0).ceil();
            }
            Cost { startup: 0.0, total }
        }
        PathKind::Scan => rescan_of_base(root, path),
        // The table is there already, if it is in memory.
        PathKind::Join(join) if matches!(join.method, JoinMethod::Hash(_)) => {
            let table = join.inner.rows * (f64::from(join.inner.width) + 40.0);
            let kept = join.inner.required_outer.is_empty()
                && table <= s.work_mem_bytes as f64 * s.hash_mem_multiplier;
            match kept {
                true => Cost {
                    startup: 0.0,
                    total: path.total - path.startup,
                },
                false => plain(path),
            }
        }
        _ => plain(path),
    }
}

fn plain(path: &Path) -> Cost {
    Cost {
        startup: path.startup,
        total: path.total,
    }
}

/// A WITH query keeps its rows. A function runs again, other than PostgreSQL's: nothing is saved.
fn rescan_of_base(root: &Root<'_, '_>, path: &Path) -> Cost {
    let s = root.context().settings;
    let Some(rt_index) = path.relids.singleton() else {
        return plain(path);
    };
    match &root.query.rte(rt_index).kind {
        RteKind::Cte { .. } => {
            let bytes = path.rows * row_bytes(path.width);
            let pages = match bytes > s.work_mem_bytes as f64 {
                true => (bytes / 8192.0).ceil(),
                false => 0.0,
            };
            Cost {
                startup: 0.0,
                total: s.cpu_tuple_cost * path.rows + s.seq_page_cost * pages,
            }
        }
        _ => plain(path),
    }
}

/// Aggregation of `rows` into `groups` with some aggregate calls.
pub struct AggFacts {
    pub input: Cost,
    pub rows: f64,
    pub width: i32,
    pub groups: f64,
    pub keys: usize,
    /// Per input row: transition functions.
    pub trans_per_row: f64,
    /// Per group: final functions.
    pub final_per_group: f64,
}

/// One group.
pub fn agg_plain(s: &CostSettings, f: &AggFacts) -> Cost {
    let startup = f.input.total + f.trans_per_row * f.rows + f.final_per_group;
    Cost {
        startup,
        total: startup + s.cpu_tuple_cost,
    }
}

/// Input sorted by the keys.
pub fn agg_sorted(s: &CostSettings, f: &AggFacts) -> Cost {
    let mut total = f.input.total + f.trans_per_row * f.rows;
    total += s.cpu_operator_cost * f.keys as f64 * f.rows;
    total += (f.final_per_group + s.cpu_tuple_cost) * f.groups;
    Cost {
        startup: f.input.startup,
        total,
    }
}

/// Hash table of groups.
pub fn agg_hashed(s: &CostSettings, f: &AggFacts) -> Cost {
    let mut startup = f.input.total + f.trans_per_row * f.rows;
    startup += s.cpu_operator_cost * f.keys as f64 * f.rows;
    let mut total = startup + (f.final_per_group + s.cpu_tuple_cost) * f.groups;
    let memory = s.work_mem_bytes as f64 * s.hash_mem_multiplier;
    let entry = f64::from(f.width) + 64.0;
    if f.groups * entry > memory {
        let pages = (f.rows * row_bytes(f.width) / 8192.0).ceil();
        startup += pages * s.random_page_cost;
        total += pages * (s.random_page_cost + s.seq_page_cost);
    }
    Cost { startup, total }
}
