//! A way to compute a relation or join, with its cost and order.

use std::rc::Rc;

use common::Oid;
use nodes::expr::Expr;
use nodes::plan::{IndexQual, MergeClause, ScanDirection};
use nodes::query::JoinType;
use nodes::relids::RelIds;

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
    pub keys: Vec<PathKey>,
    /// Relations whose current row must be handed in from outside (parameterised path).
    pub required_outer: RelIds,
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
    /// `ctid = ...`.
    Tid(Vec<Expr>),
    /// A join.
    Join(Box<JoinPath>),
    /// Rows kept for re-reading.
    Material(PathRef),
    /// Sorted by `Path::keys`.
    Sort(PathRef),
    /// Members of an inheritance tree one after another; none: no rows.
    Append(Vec<PathRef>),
    /// Members merged in the order of `Path::keys`.
    MergeAppend(Vec<PathRef>),
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

/// A combination of bitmap index scans.
#[derive(Clone, Debug)]
pub enum BitmapTree {
    /// One index: scan, its cost, its selectivity.
    Index(IndexPath, f64, f64),
    /// Any of them.
    Or(Vec<BitmapTree>),
}

/// How two inputs are joined.
#[derive(Clone, Debug, PartialEq)]
pub enum JoinMethod {
    /// Nested loop.
    NestLoop,
    /// Hash join on these clauses.
    Hash(Vec<(Expr, Expr, Oid, Oid)>),
    /// Merge join on these clauses.
    Merge(Vec<MergeClause>),
}

/// A join path.
#[derive(Clone, Debug)]
pub struct JoinPath {
    pub method: JoinMethod,
    pub join_type: JoinType,
    pub outer: PathRef,
    pub inner: PathRef,
    /// The join's own conditions that the method does not test.
    pub join_quals: Vec<Expr>,
    /// Conditions tested on the result (above an outer join).
    pub other_quals: Vec<Expr>,
    pub inner_unique: bool,
}

/// How much better a path must be to count as better (PostgreSQL's fuzz factor).
const FUZZ: f64 = 1.01;

/// Adds a path unless one at least as good in every respect is there; drops those it beats.
pub fn add_path(list: &mut Vec<PathRef>, new: Path) {
    let mut keep_new = true;
    list.retain(|old| {
        if !keep_new {
            return true;
        }
        match compare(&new, old) {
            Dominance::First => false,
            Dominance::Second => {
                keep_new = false;
                true
            }
            Dominance::Neither => true,
        }
    });
    if keep_new {
        list.push(Rc::new(new));
    }
}

enum Dominance {
    First,
    Second,
    Neither,
}

fn compare(a: &Path, b: &Path) -> Dominance {
    if a.disabled != b.disabled {
        return match a.required_outer == b.required_outer && keys_contained(&a.keys, &b.keys) {
            true if a.disabled > b.disabled => Dominance::Second,
            _ if b.disabled > a.disabled
                && keys_contained(&b.keys, &a.keys)
                && a.required_outer == b.required_outer =>
            {
                Dominance::First
            }
            _ => Dominance::Neither,
        };
    }
    let a_costs_ok = a.total <= b.total * FUZZ && a.startup <= b.startup * FUZZ;
    let b_costs_ok = b.total <= a.total * FUZZ && b.startup <= a.startup * FUZZ;
    if !a_costs_ok && !b_costs_ok {
        return Dominance::Neither;
    }
    let a_outer_ok = a.rows <= b.rows && a.required_outer.is_subset(&b.required_outer);
    let b_outer_ok = b.rows <= a.rows && b.required_outer.is_subset(&a.required_outer);
    let a_keys_ok = keys_contained(useful_keys(b), useful_keys(a));
    let b_keys_ok = keys_contained(useful_keys(a), useful_keys(b));
    let a_wins = a_costs_ok && a_outer_ok && a_keys_ok;
    let b_wins = b_costs_ok && b_outer_ok && b_keys_ok;
    match (a_wins, b_wins) {
        (true, false) => Dominance::First,
        (false, true) => Dominance::Second,
        (false, false) => Dominance::Neither,
        // Equal within the fuzz: the really cheaper one, ties to the older.
        (true, true) if a.total < b.total * 0.9999999999 => Dominance::First,
        (true, true) => Dominance::Second,
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
