//! A way to compute a relation or join, with its cost and order.

use std::rc::Rc;

use common::Oid;
use nodes::expr::Expr;
use nodes::plan::{IndexQual, ScanDirection};
use nodes::query::JoinType;
use nodes::relids::RelIds;

use crate::memory;
use crate::rel::{IndexInfo, RestrictInfo};

/// One sort column: an equivalence class and a direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathKey {
    /// Number of the class in `Root::classes`.
    pub class: usize,
    /// Btree family of the order.
    pub family: Oid,
    pub descending: bool,
    pub nulls_first: bool,
}

/// A path. Costs are in the planner's units.
#[derive(Clone, Debug)]
pub struct Path {
    pub kind: PathKind,
    pub relids: RelIds,
    pub rows: f64,
    pub width: i32,
    pub startup: f64,
    pub total: f64,
    pub disabled: u32,
    pub keys: Rc<[PathKey]>,
    /// Relations whose current row must be handed in from outside (parameterised path).
    pub required_outer: RelIds,
    pub parallel: Parallel,
}

/// A path's part in parallel execution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parallel {
    /// Workers among which, and the leader, the rows are divided; 0: every participant would get all rows.
    pub workers: u32,
    /// The topmost node itself divides the work.
    pub aware: bool,
    /// A worker may run it.
    pub safe: bool,
}

impl Parallel {
    /// A partial path whose topmost node divides the work.
    pub fn shared_by(workers: u32) -> Parallel {
        Parallel {
            aware: true,
            ..Parallel::part_of(workers)
        }
    }

    /// A partial path of partial inputs.
    pub fn part_of(workers: u32) -> Parallel {
        Parallel {
            workers,
            aware: false,
            safe: true,
        }
    }
}

/// A shared path.
pub type PathRef = Rc<Path>;

/// What the path does.
#[derive(Clone, Debug)]
pub enum PathKind {
    /// Every row of the base relation; also functions, VALUES, subqueries, CTEs: whatever the entry is.
    Scan,
    /// An index.
    Index(IndexPath),
    /// A bitmap of one or more indexes.
    Bitmap(BitmapTree),
    /// One of the conditions `ctid = ...`, `ctid = ANY (...)`, CURRENT OF.
    Tid(Vec<Expr>),
    /// Conditions `ctid < ...` and so on, all of them.
    TidRange(Vec<Expr>),
    /// A join.
    Join(Box<JoinPath>),
    /// Rows kept for re-reading.
    Material(PathRef),
    /// Rows remembered by the values that the path takes from outside.
    Memoize(Box<MemoizePath>),
    /// Rows that differ in some columns, each once.
    Unique(Box<UniquePath>),
    /// Sorted by `Path::keys`.
    Sort(PathRef),
    /// Members of an inheritance tree one after another; none: no rows.
    Append(Vec<PathRef>),
    /// Members merged in the order of `Path::keys`.
    MergeAppend(Vec<PathRef>),
    /// A partial path run by workers and the leader; one with `Path::keys` keeps that order.
    Gather(PathRef),
}

/// An index scan.
#[derive(Clone, Debug)]
pub struct IndexPath {
    pub index: Rc<IndexInfo>,
    /// Conditions as the index uses them, in index column order.
    pub quals: Vec<IndexQual>,
    /// The clauses those came from (by identity), so that they are not tested again.
    pub clauses: Vec<Rc<RestrictInfo>>,
    pub direction: ScanDirection,
    pub index_only: bool,
}

/// A path whose rows are remembered.
#[derive(Clone, Debug)]
pub struct MemoizePath {
    pub input: PathRef,
    /// What it takes from outside, and the equality operators of that.
    pub keys: Vec<Expr>,
    pub ops: Vec<Oid>,
    /// At most one row per key.
    pub single_row: bool,
    /// Keys are compared by their bits.
    pub binary_mode: bool,
}

/// A path whose rows are told apart by hashing.
#[derive(Clone, Debug)]
pub struct UniquePath {
    pub input: PathRef,
    /// The columns, which are all that is read of the rows.
    pub exprs: Vec<Expr>,
    /// For each the equality operator and the collation.
    pub ops: Vec<(Oid, Oid)>,
}

/// A combination of bitmap index scans.
#[derive(Clone, Debug)]
pub enum BitmapTree {
    /// One index: scan, its cost, its selectivity.
    Index(IndexPath, f64, f64),
    /// All of them.
    And(Vec<BitmapTree>),
    /// Any of them.
    Or(Vec<BitmapTree>),
}

/// An equality as a join's method tests it.
#[derive(Clone, Debug)]
pub struct JoinClause {
    /// The condition, with `RestrictInfo::equality`.
    pub info: Rc<RestrictInfo>,
    /// Its right side belongs to the outer input.
    pub swapped: bool,
}

/// How two inputs are joined.
#[derive(Clone, Debug)]
pub enum JoinMethod {
    /// Nested loop.
    NestLoop,
    /// Hash join on these clauses.
    Hash(Vec<JoinClause>),
    /// Merge join on these clauses.
    Merge(Vec<JoinClause>),
}

/// A join path.
#[derive(Clone, Debug)]
pub struct JoinPath {
    pub method: JoinMethod,
    pub join_type: JoinType,
    pub outer: PathRef,
    pub inner: PathRef,
    /// The join's own conditions that the method does not test.
    pub join_quals: Vec<Rc<RestrictInfo>>,
    /// Conditions tested on the result (above an outer join).
    pub other_quals: Vec<Rc<RestrictInfo>>,
    pub inner_unique: bool,
}

/// How much better a path must be to count as better (PostgreSQL's fuzz factor).
const FUZZ: f64 = 1.01;
/// Where everything else is equal, the cheaper one wins by this.
const NO_FUZZ: f64 = 1.000_000_000_1;

/// Whether being quick with the first row counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Startup {
    /// Somebody may stop early.
    Counts,
    /// All rows are wanted.
    Ignored,
}

/// Adds a path unless one at least as good in every respect is there; drops those it beats.
pub fn add_path(list: &mut Vec<PathRef>, new: Path, startup: Startup) {
    if make_room(list, &new, startup) {
        memory::note_path();
        list.push(Rc::new(new));
    }
}

/// As [`add_path`] for a path whose parts are not put together yet: `kind` is asked for only if the path is kept.
pub fn add_path_lazily(
    list: &mut Vec<PathRef>,
    mut new: Path,
    startup: Startup,
    kind: impl FnOnce() -> PathKind,
) {
    if make_room(list, &new, startup) {
        new.kind = kind();
        memory::note_path();
        list.push(Rc::new(new));
    }
}

/// Drops what the new path beats; false if it is beaten itself.
///
/// PG: `add_path`.
fn make_room(list: &mut Vec<PathRef>, new: &Path, startup: Startup) -> bool {
    let mut keep_new = true;
    list.retain(|old| {
        if !keep_new {
            return true;
        }
        match dominance(new, old, startup) {
            Dominance::First => false,
            Dominance::Second => {
                keep_new = false;
                true
            }
            Dominance::Neither => true,
        }
    });
    keep_new
}

#[derive(Clone, Copy, PartialEq)]
enum Dominance {
    First,
    Second,
    Neither,
}

#[derive(Clone, Copy, PartialEq)]
enum Comparison {
    Equal,
    First,
    Second,
    Different,
}

/// PG: `compare_path_costs_fuzzily`.
fn compare_costs(a: &Path, b: &Path, fuzz: f64, startup: Startup) -> Comparison {
    if a.disabled != b.disabled {
        return if a.disabled < b.disabled {
            Comparison::First
        } else {
            Comparison::Second
        };
    }
    let counts = startup == Startup::Counts;
    if a.total > b.total * fuzz {
        return if counts && b.startup > a.startup * fuzz {
            Comparison::Different
        } else {
            Comparison::Second
        };
    }
    if b.total > a.total * fuzz {
        return if counts && a.startup > b.startup * fuzz {
            Comparison::Different
        } else {
            Comparison::First
        };
    }
    if a.startup > b.startup * fuzz {
        return Comparison::Second;
    }
    if b.startup > a.startup * fuzz {
        return Comparison::First;
    }
    Comparison::Equal
}

fn compare_keys(a: &[PathKey], b: &[PathKey]) -> Comparison {
    if a.iter().zip(b).any(|(x, y)| x != y) {
        return Comparison::Different;
    }
    match a.len().cmp(&b.len()) {
        std::cmp::Ordering::Equal => Comparison::Equal,
        std::cmp::Ordering::Greater => Comparison::First,
        std::cmp::Ordering::Less => Comparison::Second,
    }
}

fn dominance(new: &Path, old: &Path, startup: Startup) -> Dominance {
    let costs = compare_costs(new, old, FUZZ, startup);
    if costs == Comparison::Different {
        return Dominance::Neither;
    }
    let keys = compare_keys(useful_keys(new), useful_keys(old));
    if keys == Comparison::Different {
        return Dominance::Neither;
    }
    let new_fits = new.required_outer.is_subset(&old.required_outer) && new.rows <= old.rows;
    let old_fits = old.required_outer.is_subset(&new.required_outer) && old.rows <= new.rows;
    match (costs, keys) {
        (Comparison::Equal, Comparison::Equal) if new_fits && old_fits => {
            // Alike in everything: the really cheaper one, ties to the older.
            match compare_costs(new, old, NO_FUZZ, startup) {
                Comparison::First => Dominance::First,
                _ => Dominance::Second,
            }
        }
        (Comparison::Equal | Comparison::First, Comparison::Equal | Comparison::First) if new_fits => {
            Dominance::First
        }
        (Comparison::Equal | Comparison::Second, Comparison::Equal | Comparison::Second) if old_fits => {
            Dominance::Second
        }
        _ => Dominance::Neither,
    }
}

/// The order of a parameterised path is of no use to anybody above.
fn useful_keys(path: &Path) -> &[PathKey] {
    if path.required_outer.is_empty() {
        &path.keys
    } else {
        &[]
    }
}

/// True when rows in order `provided` are also in order `wanted`.
pub fn keys_contained(wanted: &[PathKey], provided: &[PathKey]) -> bool {
    wanted.len() <= provided.len() && wanted.iter().zip(provided).all(|(w, p)| w == p)
}

/// The cheapest by total cost among those that need nothing from outside.
pub fn cheapest_total(paths: &[PathRef]) -> Option<&PathRef> {
    paths
        .iter()
        .filter(|p| p.required_outer.is_empty())
        .min_by(|a, b| a.disabled.cmp(&b.disabled).then(a.total.total_cmp(&b.total)))
}
