//! Memoize paths: the inner side of a nested loop, remembered by the values that it gets from outside.
//!
//! PG: `get_memoize_path`, `cost_memoize_rescan`.

use std::rc::Rc;

use common::Oid;
use nodes::expr::Expr;
use nodes::query::JoinType;

use crate::cost::Cost;
use crate::exprs::facts;
use crate::groups;
use crate::joininfo;
use crate::path::{MemoizePath, Path, PathKind, PathRef};
use crate::paths::{expr_width, inner_tested};
use crate::rel::{BaseKind, BaseRel, RestrictInfo};
use crate::root::Root;

/// Header of a cached row, of an entry and its key.
const ROW_BYTES: f64 = 16.0;
const ENTRY_BYTES: f64 = 48.0;

/// What a join says of an inner side to be remembered.
pub struct InnerFacts<'j> {
    pub join_type: JoinType,
    pub inner_unique: bool,
    /// The join's own conditions.
    pub clauses: &'j [Rc<RestrictInfo>],
}

/// The path that remembers `inner` for the rows of `outer`, with the cost of running it again.
pub fn memoize(
    root: &Root<'_, '_>,
    outer: &Path,
    inner: &PathRef,
    join: &InnerFacts<'_>,
) -> Option<(Path, Cost)> {
    let s = root.context().settings;
    if !s.enable_memoize
        || outer.rows < 2.0
        || inner.required_outer.is_empty()
        || !inner.required_outer.is_subset(&outer.relids)
        || matches!(inner.kind, PathKind::Material(_))
        || !join.inner_unique && matches!(join.join_type, JoinType::Semi | JoinType::Anti)
    {
        return None;
    }
    let tested = inner_tested(root, inner);
    if join.inner_unique && tested.len() < join.clauses.len() {
        // A row that fails a condition above would pass for the only one.
        return None;
    }
    let base = root.rel(inner.relids.singleton()?).ok()?.base.as_ref()?;
    // What arms of a UNION ALL, functions and VALUES take from outside is not among the keys.
    let lateral = !base.lateral.is_empty() && !matches!(base.kind, BaseKind::Subquery(_));
    if lateral || base.restrictions.iter().any(|r| r.volatile) {
        return None;
    }
    let (keys, ops, binary_mode) = cache_keys(root, inner, base, &tested)?;
    let cost = rescan_cost(root, outer.rows, inner, &keys);
    let mut path = (**inner).clone();
    path.kind = PathKind::Memoize(Box::new(MemoizePath {
        input: inner.clone(),
        keys,
        ops,
        single_row: join.inner_unique,
        binary_mode,
    }));
    path.startup = inner.startup + s.cpu_tuple_cost;
    path.total = inner.total + s.cpu_tuple_cost;
    path.keys = Rc::new([]);
    path.parallel.aware = false;
    Some((path, cost))
}

/// What the inner side takes from outside: expressions and their equality operators.
fn cache_keys(
    root: &Root<'_, '_>,
    inner: &Path,
    base: &BaseRel,
    tested: &[Rc<RestrictInfo>],
) -> Option<(Vec<Expr>, Vec<Oid>, bool)> {
    let (mut keys, mut ops, mut binary) = (Vec::new(), Vec::new(), false);
    for info in tested {
        let (key, op) = match &info.equality {
            Some(e) if e.can_hash => {
                let outside = if e.left_relids.overlaps(&inner.relids) {
                    &e.right
                } else {
                    &e.left
                };
                (outside.clone(), e.op)
            }
            // Any other comparison with one side from outside: equal values there give equal rows.
            _ => {
                let (_, left, right) = facts::binary_op(&info.clause)?;
                let (l, r) = (facts::relids(left), facts::relids(right));
                let key = match (l.overlaps(&inner.relids), r.overlaps(&inner.relids)) {
                    (true, false) => right,
                    (false, true) => left,
                    _ => return None,
                };
                binary = true;
                (key.clone(), hash_equality(root, key)?)
            }
        };
        if facts::is_volatile(&key, root.context().catalog).ok()? {
            return None;
        }
        if !keys.contains(&key) {
            keys.push(key);
            ops.push(op);
        }
    }
    for lateral in root.lateral_params.iter().filter(|l| l.user == base.rt_index) {
        if !keys.contains(&lateral.value) {
            ops.push(hash_equality(root, &lateral.value)?);
            keys.push(lateral.value.clone());
            binary = true;
        }
    }
    let outside = keys
        .iter()
        .map(facts::relids)
        .fold(nodes::RelIds::empty(), |a, b| a.union(&b));
    let complete = !keys.is_empty() && inner.required_outer.is_subset(&outside);
    complete.then_some((keys, ops, binary))
}

/// The hashable equality of an expression's type.
fn hash_equality(root: &Root<'_, '_>, e: &Expr) -> Option<Oid> {
    let catalog = root.context().catalog;
    let opclass = catalog.default_opclass(joininfo::HASH, e.type_oid()).ok()??;
    catalog
        .opfamily_member(opclass.family, opclass.input_type, opclass.input_type, 1)
        .ok()?
}

/// True when the number of different values is more than a guess.
fn has_statistics(root: &Root<'_, '_>, e: &Expr) -> bool {
    let Expr::Var(v) = facts::strip_relabel(e) else {
        return false;
    };
    let rel = facts::var_rel(v).and_then(|i| root.rel(i).ok());
    let Some(base) = rel.and_then(|r| r.base.as_ref()) else {
        return false;
    };
    let statistics = base
        .table()
        .and_then(|t| root.context().catalog.statistics(t.oid, v.attno).ok().flatten());
    statistics.is_some()
}

fn rescan_cost(root: &Root<'_, '_>, calls: f64, inner: &Path, keys: &[Expr]) -> Cost {
    let s = root.context().settings;
    let rows = inner.rows;
    let mut entry = rows * (f64::from(inner.width).max(1.0) + 24.0) + ROW_BYTES * rows + ENTRY_BYTES;
    entry += keys.iter().map(|k| f64::from(expr_width(root, k))).sum::<f64>();
    let memory = s.work_mem_bytes as f64 * s.hash_mem_multiplier;
    let room = (memory / entry).floor();
    let refs: Vec<&Expr> = keys.iter().collect();
    let distinct = match keys.iter().all(|k| has_statistics(root, k)) {
        true => groups::groups(root, &refs, calls),
        false => calls,
    };
    let evicted = 1.0 - room.min(distinct) / distinct;
    let hits = ((calls - distinct) / calls * (room / distinct.max(room))).clamp(0.0, 1.0);
    let mut total = inner.total * (1.0 - hits) + s.cpu_operator_cost;
    total += s.cpu_tuple_cost * evicted;
    total += s.cpu_operator_cost / 10.0 * evicted * rows;
    total += s.cpu_tuple_cost + s.cpu_operator_cost * rows;
    Cost {
        startup: inner.startup * (1.0 - hits) + s.cpu_tuple_cost,
        total,
    }
}
