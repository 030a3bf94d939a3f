//! Scans by `ctid`: of single rows, of a cursor's current row, of ranges.
//!
//! PG: src/backend/optimizer/path/tidpath.c, costsize.c (cost_tidscan, cost_tidrangescan).

use std::rc::Rc;

use common::Oid;
use nodes::expr::{BoolOp, Expr};
use nodes::plan::PlanNode;

use crate::exprs::facts;
use crate::path::{Parallel, Path, PathKind, add_path};
use crate::rel::{BaseRel, RelOptInfo};
use crate::root::Root;
use common::CTID;

/// `=` of `tid`.
const TID_EQ: Oid = Oid(387);
/// `<`, `>`, `<=`, `>=` of `tid`.
const TID_RANGE: [Oid; 4] = [Oid(2799), Oid(2800), Oid(2801), Oid(2802)];

/// What a condition on a relation's `ctid` allows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rows,
    Range,
}

fn kind(clause: &Expr, rt_index: usize) -> Option<Kind> {
    let is_ctid =
        |e: &Expr| matches!(e, Expr::Var(v) if v.attno == CTID && facts::var_rel(v) == Some(rt_index));
    match clause {
        Expr::ScalarArrayOp(s) if s.use_or && s.op == TID_EQ && is_ctid(&s.scalar) => {
            facts::relids(&s.array).is_empty().then_some(Kind::Rows)
        }
        Expr::CurrentOf { .. } => Some(Kind::Rows),
        Expr::Bool(b) if b.op == BoolOp::Or => {
            let rows = |arm: &Expr| kind(arm, rt_index) == Some(Kind::Rows);
            b.args.iter().all(rows).then_some(Kind::Rows)
        }
        clause => {
            let (op, left, right) = facts::binary_op(clause)?;
            let other = match (is_ctid(left), is_ctid(right)) {
                (true, false) => right,
                (false, true) => left,
                _ => return None,
            };
            if !facts::relids(other).is_empty() {
                return None;
            }
            match op {
                TID_EQ => Some(Kind::Rows),
                op if TID_RANGE.contains(&op) => Some(Kind::Range),
                _ => None,
            }
        }
    }
}

/// Paths of a base table by conditions on `ctid`.
pub fn add_tid_paths(root: &Root<'_, '_>, rel: &RelOptInfo, paths: &mut Vec<Rc<Path>>) {
    let Some(base) = &rel.base else { return };
    let settings = root.context().settings;
    if base.table().is_none() || !settings.enable_tidscan {
        return;
    }
    let of = |wanted: Kind| {
        let clauses = base.restrictions.iter().map(|info| &info.clause);
        clauses
            .filter(move |clause| kind(clause, base.rt_index) == Some(wanted))
            .cloned()
    };
    // Nothing else can answer it.
    if of(Kind::Rows).any(|clause| matches!(clause, Expr::CurrentOf { .. })) {
        paths.clear();
    }
    for clause in of(Kind::Rows) {
        let total = settings.random_page_cost + settings.cpu_tuple_cost;
        add(root, rel, base, PathKind::Tid(vec![clause]), (0.0, total), paths);
    }
    let ranges: Vec<Expr> = of(Kind::Range).collect();
    if !ranges.is_empty() {
        let cost = range_cost(root, base, ranges.len());
        add(root, rel, base, PathKind::TidRange(ranges), cost, paths);
    }
}

/// Startup and total cost of reading the rows in a range.
fn range_cost(root: &Root<'_, '_>, base: &BaseRel, quals: usize) -> (f64, f64) {
    let settings = root.context().settings;
    let ranges = base.restrictions.iter();
    let ranges = ranges.filter(|info| kind(&info.clause, base.rt_index) == Some(Kind::Range));
    let share: f64 = ranges.map(|info| info.selectivity).product();
    let pages = (share * base.pages).ceil().max(1.0);
    let startup = quals as f64 * settings.cpu_operator_cost;
    let others = base.restrictions.len().saturating_sub(quals) as f64 * settings.cpu_operator_cost;
    let rows = share * base.tuples;
    let disk = settings.random_page_cost + settings.seq_page_cost * (pages - 1.0);
    (
        startup,
        startup + disk + (settings.cpu_tuple_cost + others) * rows,
    )
}

fn add(
    root: &Root<'_, '_>,
    rel: &RelOptInfo,
    base: &BaseRel,
    kind: PathKind,
    (startup, total): (f64, f64),
    paths: &mut Vec<Rc<Path>>,
) {
    let rows = match &kind {
        PathKind::Tid(_) => 1.0,
        _ => rel.rows,
    };
    let path = Path {
        kind,
        relids: rel.relids.clone(),
        rows,
        width: rel.width,
        startup,
        total,
        disabled: 0,
        keys: Rc::new([]),
        required_outer: base.lateral.clone(),
        parallel: Parallel::default(),
    };
    add_path(paths, path, root.startup(&rel.relids));
}

/// The scan of a path by conditions on `ctid`.
pub fn tid_node(kind: &PathKind, (rt_index, relation): (usize, Oid), conditions: Vec<Expr>) -> PlanNode {
    match kind {
        PathKind::TidRange(_) => PlanNode::TidRangeScan {
            rt_index,
            relation,
            quals: conditions,
        },
        _ => PlanNode::TidScan {
            rt_index,
            relation,
            tids: conditions,
        },
    }
}
