//! Joins of partitioned tables, partition by partition.
//!
//! PG: `try_partitionwise_join` (joinrels.c), `build_joinrel_partition_info` (relnode.c), `generate_partitionwise_join_paths` (allpaths.c).
//!
//! # How it works
//! 1. A partitioned table knows how its rows are divided ([`of_table`]), and so does a join of two that are divided alike, if all partition
//!    keys are equal in it ([`try_join`]): rows of one partition meet rows of the other's partition with the same bounds only.
//! 2. The members of such pairs are joined, with the conditions in their terms, in every way in which the whole can be; a member may be
//!    partitioned itself.
//! 3. When all ways to join the whole have been tried, the cheapest joins of the members make an Append ([`add_paths`]).

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use catalog::RelationDesc;
use catalog::partition::{PartitionKey, Partitions};
use common::{Oid, PgResult};
use nodes::expr::Expr;
use nodes::partition::{PartitionBound, PartitionStrategy, RangeDatum};
use nodes::plan::IndexQualValue;
use nodes::query::JoinType;
use nodes::relids::RelIds;
use types::Datum;

use crate::exprs::facts;
use crate::joininfo::{BTREE, EQUAL, HASH, strategy_in};
use crate::path::{
    BitmapTree, IndexPath, Parallel, Path, PathKey, PathKind, PathRef, add_path, cheapest_total,
};
use crate::paths::append::{self, append_cost, merge_cost};
use crate::paths::{JoinClauses, JoinSize, add_join_paths};
use crate::rel::{RelOptInfo, RestrictInfo};
use crate::root::Root;
use crate::search::estimate_rows;
use crate::{prune, selectivity};

/// How the rows of a table or join are divided.
#[derive(Clone, Debug)]
pub struct PartitionInfo {
    key: Arc<PartitionKey>,
    bounds: Rc<[Arc<PartitionBound>]>,
    /// For each key column the expressions that have its value.
    keys: Vec<Vec<Expr>>,
    /// Those that an outer join may have turned to NULL.
    nullable_keys: Vec<Vec<Expr>>,
    /// By partition: the members whose rows are in it; `None`: it has no rows.
    parts: Vec<Option<RelIds>>,
}

/// What divides the rows of a partitioned table, of which these members may have some.
pub fn of_table(root: &Root<'_, '_>, rel: usize, live: &[usize]) -> PgResult<Option<Rc<PartitionInfo>>> {
    if !root.context().settings.enable_partitionwise_join {
        return Ok(None);
    }
    // A row as a whole is made of its member's columns only where the members stand alone.
    if root
        .needed
        .iter()
        .any(|n| n.rel == rel && n.attnos().contains(&0))
    {
        return Ok(None);
    }
    let base = root.rel(rel)?.base.as_ref();
    let Some(table) = base.and_then(|b| b.table()).filter(|t| t.relkind == b'p') else {
        return Ok(None);
    };
    let partitions = root.context().catalog.partitions(table.oid)?;
    let table_of = |m: &usize| root.append_member(*m).and_then(|c| c.table());
    let members: HashMap<Oid, usize> = live.iter().filter_map(|m| Some((table_of(m)?, *m))).collect();
    Ok(Some(Rc::new(PartitionInfo {
        key: partitions.key.clone(),
        bounds: partitions.parts.iter().map(|p| p.bound.clone()).collect(),
        keys: key_exprs(table, &partitions, rel),
        nullable_keys: vec![Vec::new(); partitions.key.columns.len()],
        parts: partitions
            .parts
            .iter()
            .map(|p| members.get(&p.oid).map(|m| RelIds::single(*m)))
            .collect(),
    })))
}

fn key_exprs(table: &RelationDesc, partitions: &Partitions, rel: usize) -> Vec<Vec<Expr>> {
    let columns = partitions.key.columns.iter();
    columns
        .map(|c| vec![prune::key_expr(c, table, table, rel)])
        .collect()
}

/// Joins the partitions of both sides in pairs, if they are divided alike and joined by what divides them; how the join's rows are divided.
pub fn try_join(
    root: &mut Root<'_, '_>,
    (left, right): (&RelOptInfo, &RelOptInfo),
    join_type: JoinType,
    clauses: &JoinClauses,
    size: &JoinSize,
) -> Option<Rc<PartitionInfo>> {
    let (l, r) = (left.partition.clone()?, right.partition.clone()?);
    if !same_scheme(&l, &r)
        || !same_bounds(&l.bounds, &r.bounds)
        || !joined_by_keys(root, (left, right), clauses)
    {
        return None;
    }
    let mut pairs = Vec::with_capacity(l.parts.len());
    for pair in l.parts.iter().zip(&r.parts) {
        pairs.push(match (join_type, pair) {
            (_, (Some(a), Some(b))) => Some((a.clone(), b.clone())),
            (JoinType::Inner | JoinType::Semi, _)
            | (JoinType::Left | JoinType::Anti, (None, _))
            | (JoinType::Full, (None, None)) => None,
            // Rows of one side meet none of a partition that is not read: there is nothing to join them with.
            _ => return None,
        });
    }
    let mut parts = Vec::with_capacity(pairs.len());
    for pair in pairs {
        parts.push(match pair {
            Some((a, b)) => Some(join_members(root, (&a, &b), join_type, clauses, size)?),
            None => None,
        });
    }
    let (keys, nullable_keys) = joined_keys(&l, &r, join_type);
    Some(Rc::new(PartitionInfo {
        key: l.key.clone(),
        bounds: l.bounds.clone(),
        keys,
        nullable_keys,
        parts,
    }))
}

/// Both are divided by keys of the same types and orders.
fn same_scheme(l: &PartitionInfo, r: &PartitionInfo) -> bool {
    let columns = l.key.columns.iter().zip(&r.key.columns);
    l.key.strategy == r.key.strategy
        && l.key.columns.len() == r.key.columns.len()
        && columns.into_iter().all(|(a, b)| {
            (a.opfamily, a.collation, a.type_ref.oid) == (b.opfamily, b.collation, b.type_ref.oid)
        })
}

fn same_bounds(l: &[Arc<PartitionBound>], r: &[Arc<PartitionBound>]) -> bool {
    l.len() == r.len() && l.iter().zip(r).all(|(a, b)| same_bound(a, b))
}

fn same_bound(a: &PartitionBound, b: &PartitionBound) -> bool {
    let ends = |a: &[RangeDatum], b: &[RangeDatum]| {
        let same = |(a, b): (&RangeDatum, &RangeDatum)| match (a, b) {
            (RangeDatum::Value(a), RangeDatum::Value(b)) => a.value == b.value,
            (RangeDatum::MinValue, RangeDatum::MinValue) | (RangeDatum::MaxValue, RangeDatum::MaxValue) => {
                true
            }
            _ => false,
        };
        a.len() == b.len() && a.iter().zip(b).all(same)
    };
    match (a, b) {
        (PartitionBound::Default, PartitionBound::Default) => true,
        (PartitionBound::List(a), PartitionBound::List(b)) => {
            let has = |v: &Datum| b.iter().any(|c| c.value == *v);
            a.len() == b.len() && a.iter().all(|c| has(&c.value))
        }
        (
            PartitionBound::Range { lower, upper },
            PartitionBound::Range {
                lower: lower_b,
                upper: upper_b,
            },
        ) => ends(lower, lower_b) && ends(upper, upper_b),
        (PartitionBound::Hash { .. }, PartitionBound::Hash { .. }) => a == b,
        _ => false,
    }
}

/// All partition keys of the two are equal in rows of the join.
///
/// PG: `have_partkey_equi_join`.
fn joined_by_keys(
    root: &Root<'_, '_>,
    (left, right): (&RelOptInfo, &RelOptInfo),
    clauses: &JoinClauses,
) -> bool {
    let (Some(l), Some(r)) = (&left.partition, &right.partition) else {
        return false;
    };
    let mut matched: Vec<bool> = vec![false; l.keys.len()];
    for e in clauses.join.iter().filter_map(|c| c.equality.as_ref()) {
        let (own, other) = if e.left_relids.is_subset(&left.relids) && e.right_relids.is_subset(&right.relids)
        {
            (&e.left, &e.right)
        } else if e.right_relids.is_subset(&left.relids) && e.left_relids.is_subset(&right.relids) {
            (&e.right, &e.left)
        } else {
            continue;
        };
        let columns = l.key.columns.iter().enumerate().zip(&mut matched);
        for ((at, column), matched) in columns {
            *matched |= column.collation == e.collation
                && l.has_key(at, own)
                && r.has_key(at, other)
                && tells_apart(root, e.op, l.key.strategy, column.opfamily);
        }
    }
    let mut columns = matched.iter().enumerate();
    columns.all(|(at, matched)| *matched || known_equal(root, l, r, at))
}

impl PartitionInfo {
    /// The expression has the value of the key column, or is NULL.
    fn has_key(&self, at: usize, expr: &Expr) -> bool {
        let expr = facts::strip_relabel(expr);
        let mut keys = self.keys[at].iter().chain(&self.nullable_keys[at]);
        keys.any(|k| facts::strip_relabel(k) == expr)
    }
}

/// The operator is equality in the family of a partition key.
fn tells_apart(root: &Root<'_, '_>, op: Oid, strategy: PartitionStrategy, family: Oid) -> bool {
    let method = match strategy {
        PartitionStrategy::Hash => HASH,
        _ => BTREE,
    };
    matches!(strategy_in(root, op, method, family), Ok(Some(EQUAL)))
}

/// An equivalence class says that both sides' keys are equal.
fn known_equal(root: &Root<'_, '_>, l: &PartitionInfo, r: &PartitionInfo, at: usize) -> bool {
    let column = &l.key.columns[at];
    let mut classes = root.classes.iter().filter(|c| {
        let family = l.key.strategy == PartitionStrategy::Hash || c.family == column.opfamily;
        family && c.collation == column.collation && !c.above_joins
    });
    // Members of classes are over the tables of the join tree.
    let up = |e: &Expr| root.translate_up(e);
    classes.any(|c| {
        let has = |keys: &[Expr]| {
            let mut keys = keys.iter().filter_map(up);
            keys.any(|k| c.members.iter().any(|m| facts::strip_relabel(&m.expr) == &k))
        };
        has(&l.keys[at]) && has(&r.keys[at])
    })
}

/// PG: `set_joinrel_partition_key_exprs`.
fn joined_keys(
    l: &PartitionInfo,
    r: &PartitionInfo,
    join_type: JoinType,
) -> (Vec<Vec<Expr>>, Vec<Vec<Expr>>) {
    let both = |a: &[Vec<Expr>], b: &[Vec<Expr>]| -> Vec<Vec<Expr>> {
        a.iter().zip(b).map(|(a, b)| [&a[..], b].concat()).collect()
    };
    let none = vec![Vec::new(); l.keys.len()];
    let nullable = both(&l.nullable_keys, &r.nullable_keys);
    match join_type {
        JoinType::Inner => (both(&l.keys, &r.keys), nullable),
        JoinType::Semi | JoinType::Anti => (l.keys.clone(), l.nullable_keys.clone()),
        JoinType::Full => (none, both(&nullable, &both(&l.keys, &r.keys))),
        _ => (l.keys.clone(), both(&nullable, &r.keys)),
    }
}

/// A member of a side: a partition, or what has been joined of some.
fn member_rel(root: &Root<'_, '_>, relids: &RelIds) -> Option<RelOptInfo> {
    match relids.singleton() {
        Some(i) => root.rels.get(i)?.clone(),
        None => root.child_joins.get(relids).cloned(),
    }
}

/// Adds the ways to join two members; their join's relations.
fn join_members(
    root: &mut Root<'_, '_>,
    (a, b): (&RelIds, &RelIds),
    join_type: JoinType,
    clauses: &JoinClauses,
    whole: &JoinSize,
) -> Option<RelIds> {
    let (left, right) = (member_rel(root, a)?, member_rel(root, b)?);
    let relids = a.union(b);
    let clauses = member_clauses(root, clauses, &relids);
    let known = root.child_joins.remove(&relids);
    let size = JoinSize {
        rows: match &known {
            Some(rel) => rel.rows,
            None => estimate_rows(&left, &right, join_type, &clauses),
        },
        width: whole.width,
        parallel_safe: false,
        relids: relids.clone(),
    };
    let mut joined = known.unwrap_or_else(|| RelOptInfo {
        relids: relids.clone(),
        rows: size.rows,
        width: size.width,
        paths: Vec::new(),
        partial_paths: Vec::new(),
        parallel_safe: false,
        partition: None,
        base: None,
    });
    let reversed = match join_type {
        JoinType::Left => JoinType::Right,
        JoinType::Anti => JoinType::RightAnti,
        JoinType::Semi => JoinType::RightSemi,
        other => other,
    };
    for (outer, inner, join_type) in [(&left, &right, join_type), (&right, &left, reversed)] {
        let (o, i) = (given(root, outer, None), given(root, inner, Some(&outer.relids)));
        add_join_paths(root, (&o, &i), join_type, &clauses, &size, &mut joined.paths);
    }
    let partition = try_join(root, (&left, &right), join_type, &clauses, &size);
    joined.partition = joined.partition.or(partition);
    let found = !joined.paths.is_empty();
    root.child_joins.insert(relids.clone(), joined);
    found.then_some(relids)
}

/// The conditions of a join in terms of two members.
fn member_clauses(root: &Root<'_, '_>, clauses: &JoinClauses, relids: &RelIds) -> JoinClauses {
    let all = |infos: &[Rc<RestrictInfo>]| {
        let infos = infos.iter().map(|i| {
            let mut info = translate_info(root, i, relids);
            info.selectivity = selectivity::clause(root, &info.clause, None);
            if let Some(e) = &mut info.equality {
                e.distinct = [&e.left, &e.right].map(|side| selectivity::distinct_values(root, side));
                e.guessed = [&e.left, &e.right].map(|side| selectivity::is_guessed(root, side));
            }
            Rc::new(info)
        });
        infos.collect()
    };
    JoinClauses {
        join: all(&clauses.join),
        other: all(&clauses.other),
    }
}

/// A condition over tables as one over these members of them.
pub fn translate_info(root: &Root<'_, '_>, info: &RestrictInfo, relids: &RelIds) -> RestrictInfo {
    let mut info = info.clone();
    for child in relids.iter() {
        let mut chain = Vec::new();
        let mut at = child;
        while let Some(member) = root.append_member(at) {
            chain.push(member);
            at = member.parent;
        }
        for member in chain.into_iter().rev() {
            info = append::translate_info(&info, member);
        }
    }
    info
}

/// A member with the paths that its joins may use: those that need nothing, and those that take values from the member on the other side.
fn given(root: &Root<'_, '_>, rel: &RelOptInfo, outer: Option<&RelIds>) -> RelOptInfo {
    let mut paths: Vec<PathRef> = Vec::new();
    for path in &rel.paths {
        if path.required_outer.is_empty() {
            paths.push(path.clone());
        } else if let Some(outer) = outer {
            paths.extend(from_member(root, path, outer).map(Rc::new));
        }
    }
    RelOptInfo { paths, ..rel.clone() }
}

/// A path that takes values from a table, as one that takes them from a member of it.
///
/// PG: `reparameterize_path_by_child`.
fn from_member(root: &Root<'_, '_>, path: &Path, outer: &RelIds) -> Option<Path> {
    let mut needed = RelIds::empty();
    let own = outer
        .iter()
        .filter(|i| path.required_outer.contains(root.topmost(*i)));
    own.for_each(|i| needed.insert(i));
    if root.topmost_of(&needed) != path.required_outer {
        return None;
    }
    let kind = match &path.kind {
        PathKind::Index(index) => PathKind::Index(index_from(root, index, &needed)),
        PathKind::Bitmap(tree) => PathKind::Bitmap(bitmap_from(root, tree, &needed)),
        _ => return None,
    };
    Some(Path {
        kind,
        required_outer: needed,
        ..path.clone()
    })
}

fn index_from(root: &Root<'_, '_>, index: &IndexPath, outer: &RelIds) -> IndexPath {
    let mut index = index.clone();
    for qual in &mut index.quals {
        qual.original = root.translate_to(&qual.original, outer);
        if let IndexQualValue::Expr(e) | IndexQualValue::AnyArray(e) = &mut qual.value {
            *e = root.translate_to(e, outer);
        }
    }
    for info in &mut index.clauses {
        *info = Rc::new(translate_info(root, info, outer));
    }
    index
}

fn bitmap_from(root: &Root<'_, '_>, tree: &BitmapTree, outer: &RelIds) -> BitmapTree {
    let all = |list: &[BitmapTree]| list.iter().map(|t| bitmap_from(root, t, outer)).collect();
    match tree {
        BitmapTree::Index(index, cost, selectivity) => {
            BitmapTree::Index(index_from(root, index, outer), *cost, *selectivity)
        }
        BitmapTree::And(list) => BitmapTree::And(all(list)),
        BitmapTree::Or(list) => BitmapTree::Or(all(list)),
    }
}

/// Adds the Appends of the joins of members, when all ways to join those are known.
pub fn add_paths(root: &mut Root<'_, '_>, rel: &mut RelOptInfo) {
    let Some(info) = rel.partition.clone() else { return };
    let mut children = Vec::new();
    for part in info.parts.iter().flatten() {
        let Some(mut member) = root.child_joins.remove(part) else {
            continue;
        };
        add_paths(root, &mut member);
        children.push(member.paths.clone());
        root.child_joins.insert(part.clone(), member);
    }
    if children.is_empty() {
        return;
    }
    let startup = root.startup(&rel.relids);
    let cheapest: Option<Vec<PathRef>> = children.iter().map(|c| cheapest_total(c).cloned()).collect();
    let mut found: Vec<(PathKind, Rc<[PathKey]>)> = Vec::new();
    if let Some(inputs) = cheapest {
        found.push((PathKind::Append(append::flattened(root, &inputs)), Rc::new([])));
    }
    let whole = root.topmost_of(&rel.relids);
    for keys in append::orders(root, &children) {
        if append::is_handed_up(root, &whole, &keys)
            && let Some(inputs) = append::ordered_inputs(root, &children, &keys)
        {
            found.push((PathKind::MergeAppend(inputs), keys));
        }
    }
    for (kind, keys) in found {
        let (rows, first, total, disabled) = match &kind {
            PathKind::MergeAppend(inputs) => merge_cost(root, inputs),
            PathKind::Append(inputs) => append_cost(root, inputs),
            _ => continue,
        };
        let path = Path {
            kind,
            relids: rel.relids.clone(),
            rows,
            width: rel.width,
            startup: first,
            total,
            disabled,
            keys,
            required_outer: RelIds::empty(),
            parallel: Parallel::default(),
        };
        add_path(&mut rel.paths, path, startup);
    }
}
