//! Append relations, which are inheritance trees and UNION ALLs: their members' sizes and paths, and how they are put together.
//!
//! PG: `set_append_rel_size`, `set_append_rel_pathlist` in src/backend/optimizer/path/allpaths.c.

use std::collections::HashSet;
use std::rc::Rc;

use common::{Oid, PgResult, cancel};
use nodes::expr::Expr;
use nodes::relids::RelIds;

use crate::cost;
use crate::exprs::{facts, fold};
use crate::joininfo::make_restrict_info;
use crate::not_null::{self, may_be_known};
use crate::partitionwise;
use crate::path::{Parallel, Path, PathKey, PathKind, PathRef, add_path, cheapest_total, keys_contained};
use crate::paths::append_order::{MemberOrder, PartitionOrder};
use crate::paths::base::{build_rel, set_paths, set_size, width_of};
use crate::paths::index::join_clauses_for;
use crate::paths::{partial, subquery};
use crate::prep::AppendChild;
use crate::prune;
use crate::rel::{BaseRel, Equality, NeededVar, RestrictInfo};
use crate::root::Root;
use crate::search::output_vars;

/// Part of `cpu_tuple_cost` that a row costs in an Append.
const APPEND_CPU_MULTIPLIER: f64 = 0.5;

/// Makes the relations of the arms of a UNION ALL: what they take from their siblings, the whole takes.
pub fn build_arms(root: &mut Root<'_, '_>, parent: usize) -> PgResult<()> {
    let arms = root
        .append_children
        .iter()
        .filter(|c| c.parent == parent && c.is_arm());
    let arms: Vec<usize> = arms.map(|c| c.child).collect();
    let mut lateral = RelIds::empty();
    for arm in arms {
        let mut rel = build_rel(root, arm)?;
        if let Some(base) = &mut rel.base {
            base.append_parent = Some(parent);
        }
        root.rels[arm] = Some(rel);
        build_arms(root, arm)?;
        lateral = base_of(root, arm).map_or(lateral.clone(), |b| lateral.union(&b.lateral));
    }
    if let Some(base) = base_mut(root, parent) {
        base.lateral = base.lateral.union(&lateral);
    }
    Ok(())
}

fn base_of<'r>(root: &'r Root<'_, '_>, rel: usize) -> Option<&'r BaseRel> {
    root.rels.get(rel)?.as_ref()?.base.as_ref()
}

fn base_mut<'r>(root: &'r mut Root<'_, '_>, rel: usize) -> Option<&'r mut BaseRel> {
    root.rels.get_mut(rel)?.as_mut()?.base.as_mut()
}

/// Gives the members their part of the conditions and their sizes; drops those that cannot have rows that qualify.
///
/// PG: `set_append_rel_size`.
pub fn build_members(root: &mut Root<'_, '_>, parent: usize) -> PgResult<()> {
    let Some(base) = base_of(root, parent).cloned() else {
        return Ok(());
    };
    let (mut rows, mut pages, mut tuples) = (0.0_f64, 0.0, 0.0);
    let mut live = Vec::new();
    for member in candidates(root, parent, &base)? {
        cancel::check()?;
        if !build_member(root, &member, &base)? {
            continue;
        }
        if let Some(rel) = &root.rels[member.child] {
            rows += rel.rows;
            pages += rel.base.as_ref().map_or(0.0, |b| b.pages);
            tuples += rel.base.as_ref().map_or(0.0, |b| b.tuples);
        }
        live.push(member.child);
    }
    average_widths(root, parent, &live);
    let partition = partitionwise::of_table(root, parent, &live)?;
    let width = width_of(root, parent);
    if let Some(rel) = &mut root.rels[parent] {
        rel.rows = rows.max(1.0);
        rel.width = width;
        rel.partition = partition;
        if let Some(base) = &mut rel.base {
            base.members = live;
            base.pages = pages;
            base.tuples = tuples;
        }
    }
    Ok(())
}

/// The members that what is known of partitions leaves.
fn candidates(root: &Root<'_, '_>, parent: usize, base: &BaseRel) -> PgResult<Vec<AppendChild>> {
    let clauses: Vec<Expr> = base.restrictions.iter().map(|r| r.clause.clone()).collect();
    let members = root.append_children.iter().filter(|c| c.parent == parent);
    let mut members: Vec<AppendChild> = members.cloned().collect();
    let prunes = root.context().settings.enable_partition_pruning;
    if let Some(table) = base.table().filter(|t| t.relkind == b'p' && prunes) {
        let keep = match root.context().settings.enable_partitionwise_join {
            true => prune::surviving_partitions(root, table, parent, &clauses)?,
            false => prune::surviving_leaves(root, table, parent, &clauses)?,
        };
        let keep: HashSet<Oid> = keep.into_iter().collect();
        members.retain(|m| m.table().is_some_and(|t| keep.contains(&t)));
    } else if clauses.iter().any(is_never) {
        members.clear();
    }
    Ok(members)
}

fn is_never(clause: &Expr) -> bool {
    matches!(clause, Expr::Const(k) if k.value.as_bool() != Some(true))
}

/// The member's conditions and its size; false if no row of it can qualify.
fn build_member(root: &mut Root<'_, '_>, member: &AppendChild, whole: &BaseRel) -> PgResult<bool> {
    if !member.is_arm() {
        let mut rel = build_rel(root, member.child)?;
        if let Some(base) = &mut rel.base {
            base.append_parent = Some(member.parent);
        }
        if root.rels.len() <= member.child {
            root.rels.resize(member.child + 1, None);
        }
        root.rels[member.child] = Some(rel);
    }
    let mut own = Vec::new();
    for info in &whole.restrictions {
        if !add_member_clauses(root, member, info, &mut own)? {
            return Ok(false);
        }
    }
    let mut is_append = false;
    if let Some(base) = base_mut(root, member.child) {
        for info in own {
            if base.restrictions.iter().all(|x| x.clause != info.clause) {
                base.restrictions.push(Rc::new(info));
            }
        }
        // What outer joins beside the whole make of it is known there.
        base.lateral = whole.lateral.clone();
        is_append = base.is_append;
    }
    add_needed(root, member);
    if is_append {
        build_members(root, member.child)?;
        return Ok(base_of(root, member.child).is_some_and(|b| !b.members.is_empty()));
    }
    subquery::plan_subquery(root, member.child)?;
    set_size(root, member.child);
    Ok(true)
}

/// A condition on the whole as conditions on the member; false if it can never be true there.
fn add_member_clauses(
    root: &mut Root<'_, '_>,
    member: &AppendChild,
    info: &RestrictInfo,
    out: &mut Vec<RestrictInfo>,
) -> PgResult<bool> {
    if !member.is_arm() {
        let own = translate_info(info, member);
        // A member may forbid NULLs where the whole has some.
        let known = may_be_known(&own.clause).then(|| not_null::always(root, &own.clause, &RelIds::empty()));
        match known.flatten() {
            Some(true) => {}
            Some(false) => return Ok(false),
            None => out.push(own),
        }
        return Ok(true);
    }
    // What an arm computes for a column may be a constant.
    let mut clause = member.translate(&info.clause);
    fold::fold_constants(&mut clause, root.context())?;
    let mut parts = Vec::new();
    facts::flatten_and(clause, &mut parts);
    if parts.iter().any(is_never) {
        return Ok(false);
    }
    for part in parts {
        let known = may_be_known(&part).then(|| not_null::always(root, &part, &RelIds::empty()));
        match known.flatten() {
            Some(true) => continue,
            Some(false) => return Ok(false),
            None => {}
        }
        let own = make_restrict_info(root, part, RelIds::single(member.child), true)?;
        out.push(own);
    }
    Ok(true)
}

/// The columns of a UNION ALL are as wide as those of its arms are on average.
fn average_widths(root: &mut Root<'_, '_>, parent: usize, members: &[usize]) {
    let arms: Vec<&AppendChild> = members
        .iter()
        .filter_map(|m| root.append_member(*m).filter(|c| c.is_arm()))
        .collect();
    if arms.is_empty() {
        return;
    }
    let mut widths = Vec::new();
    for n in root.needed.iter().filter(|n| n.rel == parent) {
        let (mut sum, mut all) = (0.0, 0.0);
        for arm in &arms {
            let own = arm.translate(&n.expr);
            let mut of_arm = root.needed.iter().filter(|x| x.rel == arm.child && x.expr == own);
            let rows = root.rels[arm.child].as_ref().map_or(1.0, |r| r.rows);
            sum += rows * of_arm.next().map_or(0.0, |x| f64::from(x.width));
            all += rows;
        }
        widths.push((sum / all).round() as i32);
    }
    let columns = root.needed.iter_mut().filter(|n| n.rel == parent);
    columns.zip(widths).for_each(|(n, width)| n.width = width);
}

/// Columns that are needed of the parent are needed of the member.
fn add_needed(root: &mut Root<'_, '_>, member: &AppendChild) {
    let more: Vec<NeededVar> = root
        .needed
        .iter()
        .filter(|n| n.rel == member.parent)
        .map(|n| {
            let expr = member.translate(&n.expr);
            let attno = match &expr {
                Expr::Var(v) => v.attno,
                _ => 0,
            };
            NeededVar {
                width: crate::paths::expr_width(root, &expr),
                expr,
                rel: member.child,
                attno,
                ..n.clone()
            }
        })
        .collect();
    root.needed.extend(more);
}

fn swap(ids: &RelIds, member: &AppendChild) -> RelIds {
    if !ids.contains(member.parent) {
        return ids.clone();
    }
    let mut out = RelIds::single(member.child);
    for i in ids.iter().filter(|i| *i != member.parent) {
        out = out.union(&RelIds::single(i));
    }
    out
}

/// A condition over the parent as one over the member.
pub fn translate_info(info: &RestrictInfo, member: &AppendChild) -> RestrictInfo {
    RestrictInfo {
        clause: member.translate(&info.clause),
        clause_relids: swap(&info.clause_relids, member),
        required: swap(&info.required, member),
        equality: info.equality.as_ref().map(|e| Equality {
            left: member.translate(&e.left),
            right: member.translate(&e.right),
            left_relids: swap(&e.left_relids, member),
            right_relids: swap(&e.right_relids, member),
            ..e.clone()
        }),
        ..info.clone()
    }
}

fn member_paths(root: &Root<'_, '_>, base: &BaseRel) -> Vec<Vec<PathRef>> {
    let rels = base.members.iter().filter_map(|c| root.rels[*c].as_ref());
    rels.map(|r| r.paths.clone()).collect()
}

fn set_member_paths(root: &mut Root<'_, '_>, parent: usize, child: usize) -> PgResult<()> {
    let Some(member) = root.append_member(child) else {
        return Ok(());
    };
    let of_parent = base_of(root, parent).and_then(|b| b.member_clauses.as_deref());
    let clauses: Vec<Rc<RestrictInfo>> = of_parent
        .unwrap_or(&root.join_clauses)
        .iter()
        .filter(|i| i.clause_relids.contains(parent))
        .map(|i| Rc::new(translate_info(i, member)))
        .collect();
    let mut is_append = false;
    if let Some(base) = base_mut(root, child) {
        base.member_clauses = Some(clauses);
        is_append = base.is_append;
    }
    if is_append {
        set_append_paths(root, child)?;
        partial::set_partial_append(root, child);
        return Ok(());
    }
    set_paths(root, child)
}

/// The paths of an append relation.
pub fn set_append_paths(root: &mut Root<'_, '_>, parent: usize) -> PgResult<()> {
    let Some(rel) = root.rels[parent].clone() else {
        return Ok(());
    };
    let Some(base) = &rel.base else { return Ok(()) };
    for child in &base.members {
        cancel::check()?;
        set_member_paths(root, parent, *child)?;
    }
    let children = member_paths(root, base);
    let (mut paths, startup) = (Vec::new(), root.startup(&rel.relids));
    let make = |kind: PathKind,
                rows: f64,
                startup: f64,
                total: f64,
                disabled: u32,
                keys: Rc<[PathKey]>,
                outer: RelIds| {
        Path {
            kind,
            relids: rel.relids.clone(),
            rows,
            width: rel.width,
            startup,
            total,
            disabled,
            keys,
            required_outer: outer,
            parallel: Parallel::default(),
        }
    };
    if children.is_empty() {
        paths.push(Rc::new(make(
            PathKind::Append(Vec::new()),
            0.0,
            0.0,
            0.0,
            0,
            Rc::new([]),
            RelIds::empty(),
        )));
    } else if let [only] = &children[..] {
        for p in only {
            let kind = PathKind::Append(vec![p.clone()]);
            let path = make(
                kind,
                p.rows,
                p.startup,
                p.total,
                p.disabled,
                p.keys.clone(),
                p.required_outer.clone(),
            );
            add_path(&mut paths, path, startup);
        }
    } else {
        for (inputs, outer) in appendable(root, &children) {
            let inputs = flattened(root, &inputs);
            let (rows, first, total, disabled) = append_cost(root, &inputs);
            let kind = PathKind::Append(inputs);
            let path = make(kind, rows, first, total, disabled, Rc::new([]), outer);
            add_path(&mut paths, path, startup);
        }
        for (kind, keys) in ordered(root, parent, base, &children)? {
            let (rows, first, total, disabled) = match &kind {
                PathKind::MergeAppend(inputs) => merge_cost(root, inputs),
                PathKind::Append(inputs) => append_cost(root, inputs),
                _ => continue,
            };
            let path = make(kind, rows, first, total, disabled, keys, RelIds::empty());
            add_path(&mut paths, path, startup);
        }
    }
    if let Some(rel) = &mut root.rels[parent] {
        rel.paths = paths;
    }
    Ok(())
}

/// Inputs for plain Appends: the cheapest of each, and for each set of outer relations those parameterised by it.
fn appendable(root: &Root<'_, '_>, children: &[Vec<PathRef>]) -> Vec<(Vec<PathRef>, RelIds)> {
    let mut out = Vec::new();
    let cheapest: Option<Vec<PathRef>> = children.iter().map(|c| cheapest_total(c).cloned()).collect();
    if let Some(cheapest) = cheapest {
        out.push((cheapest, RelIds::empty()));
    }
    let mut sets: Vec<RelIds> = Vec::new();
    for p in children.iter().flatten() {
        if !p.required_outer.is_empty() && !sets.contains(&p.required_outer) {
            sets.push(p.required_outer.clone());
        }
    }
    for set in sets {
        let inputs: Option<Vec<PathRef>> = children
            .iter()
            .map(|paths| {
                paths
                    .iter()
                    .filter(|p| p.required_outer == set)
                    .min_by(|a, b| a.total.total_cmp(&b.total))
                    .cloned()
                    .or_else(|| reparameterise(root, cheapest_total(paths)?, &set))
            })
            .collect();
        if let Some(inputs) = inputs {
            out.push((inputs, set));
        }
    }
    out
}

/// The same path with the conditions that values of these relations make testable.
///
/// PG: `get_cheapest_parameterized_child_path`, `reparameterize_path`.
fn reparameterise(root: &Root<'_, '_>, path: &PathRef, outer: &RelIds) -> Option<PathRef> {
    match &path.kind {
        PathKind::Scan => {
            let mut path = (**path).clone();
            test_join_clauses(root, &mut path, outer);
            Some(Rc::new(path))
        }
        PathKind::Append(inputs) => {
            let inputs = inputs.iter().map(|i| reparameterise(root, i, outer));
            let inputs: Vec<PathRef> = inputs.collect::<Option<_>>()?;
            let (rows, startup, total, disabled) = append_cost(root, &inputs);
            Some(Rc::new(Path {
                kind: PathKind::Append(inputs),
                rows,
                startup,
                total,
                disabled,
                required_outer: outer.clone(),
                ..(**path).clone()
            }))
        }
        _ => None,
    }
}

/// Makes the scan of a member test the conditions between it and relations outside.
pub(super) fn test_join_clauses(root: &Root<'_, '_>, path: &mut Path, outer: &RelIds) {
    path.required_outer = outer.clone();
    let rel = path.relids.singleton().and_then(|i| root.rel(i).ok());
    let Some((rel, base)) = rel.and_then(|r| Some((r, r.base.as_ref()?))) else {
        return;
    };
    for info in join_clauses_for(root, rel, outer) {
        path.rows *= info.selectivity;
        path.total += info.cost * base.tuples;
    }
    path.rows = path.rows.round().max(1.0);
}

/// Members of members stand beside the others, unless what they are is decided at run time.
///
/// PG: `accumulate_append_subpath`.
pub fn flattened(root: &Root<'_, '_>, inputs: &[PathRef]) -> Vec<PathRef> {
    let mut out = Vec::new();
    for input in inputs {
        match &input.kind {
            PathKind::Append(own) | PathKind::MergeAppend(own) if !may_prune(root, input) => {
                out.extend(own.iter().cloned());
            }
            _ => out.push(input.clone()),
        }
    }
    out
}

/// Conditions with values that only execution knows may exclude partitions.
fn may_prune(root: &Root<'_, '_>, path: &Path) -> bool {
    let base = path.relids.singleton().and_then(|i| base_of(root, i));
    let Some(base) = base.filter(|b| b.table().is_some_and(|t| t.relkind == b'p')) else {
        return false;
    };
    // The table of which it is a partition decides for all levels.
    let above = root.append_member(base.rt_index);
    if above.is_some_and(|m| !m.is_arm()) {
        return false;
    }
    let open = |e: &Expr| nodes::walk::any(e, &mut |e| matches!(e, Expr::Param(_) | Expr::Func(_)));
    let at_run_time = |e: &Expr| match facts::binary_op(e) {
        Some((_, l, r)) => [l, r].into_iter().any(|s| facts::relids(s).is_empty() && open(s)),
        None => open(e),
    };
    !path.required_outer.is_empty() || base.restrictions.iter().any(|r| at_run_time(&r.clause))
}

pub fn append_cost(root: &Root<'_, '_>, inputs: &[PathRef]) -> (f64, f64, f64, u32) {
    let s = root.context().settings;
    let rows: f64 = inputs.iter().map(|p| p.rows).sum();
    let total: f64 = inputs.iter().map(|p| p.total).sum();
    let startup = inputs.first().map_or(0.0, |p| p.startup);
    let disabled = inputs.iter().map(|p| p.disabled).sum();
    (
        rows,
        startup,
        total + s.cpu_tuple_cost * APPEND_CPU_MULTIPLIER * rows,
        disabled,
    )
}

pub fn merge_cost(root: &Root<'_, '_>, inputs: &[PathRef]) -> (f64, f64, f64, u32) {
    let s = root.context().settings;
    let rows: f64 = inputs.iter().map(|p| p.rows).sum();
    let n = (inputs.len() as f64).max(2.0);
    let compare = 2.0 * s.cpu_operator_cost;
    let startup = inputs.iter().map(|p| p.startup).sum::<f64>() + compare * n * n.log2();
    let run = inputs.iter().map(|p| p.total - p.startup).sum::<f64>()
        + rows * compare * n.log2()
        + s.cpu_tuple_cost * APPEND_CPU_MULTIPLIER * rows;
    let disabled = inputs.iter().map(|p| p.disabled).sum();
    (rows, startup, startup + run, disabled)
}

/// Ways to hand out the rows of all members in an order: one member after the other where that is their order, merged otherwise.
fn ordered(
    root: &mut Root<'_, '_>,
    parent: usize,
    base: &BaseRel,
    children: &[Vec<PathRef>],
) -> PgResult<Vec<(PathKind, Rc<[PathKey]>)>> {
    let orders = orders(root, children);
    let order = match orders.is_empty() {
        true => None,
        false => partition_order(root, parent, &base.members)?,
    };
    let mut found = Vec::new();
    for keys in orders {
        let in_turn = order.as_ref().and_then(|o| o.serves(&keys));
        if in_turn.is_none() && !is_handed_up(root, &RelIds::single(root.topmost(parent)), &keys) {
            continue;
        }
        let Some(mut inputs) = ordered_inputs(root, children, &keys) else {
            continue;
        };
        let kind = match in_turn {
            None => PathKind::MergeAppend(inputs),
            Some(MemberOrder::Forward) => PathKind::Append(inputs),
            Some(MemberOrder::Backward) => {
                inputs.reverse();
                PathKind::Append(inputs)
            }
        };
        found.push((kind, keys));
    }
    Ok(found)
}

fn partition_order(
    root: &mut Root<'_, '_>,
    parent: usize,
    members: &[usize],
) -> PgResult<Option<PartitionOrder>> {
    let members = members.iter().filter_map(|m| root.append_member(*m));
    let leaves: Vec<_> = members.filter_map(AppendChild::table).collect();
    if leaves_are_partitioned(root, parent) {
        return Ok(None);
    }
    PartitionOrder::of(root, parent, &leaves)
}

/// Partitions of the table are partitioned, and stand for their own partitions.
fn leaves_are_partitioned(root: &Root<'_, '_>, parent: usize) -> bool {
    let nested = base_of(root, parent).is_some_and(|b| {
        let members = b.members.iter();
        members.filter_map(|m| base_of(root, *m)).any(|m| m.is_append)
    });
    nested || root.append_member(parent).is_some()
}

/// The columns of an order are handed up, so that members can be merged by them.
pub fn is_handed_up(root: &Root<'_, '_>, relids: &RelIds, keys: &[PathKey]) -> bool {
    let output = output_vars(root, relids);
    let shown = |k: &PathKey| {
        root.classes[k.class]
            .members
            .iter()
            .any(|m| output.contains(&m.expr))
    };
    keys.iter().all(shown)
}

/// Orders that some member has.
pub fn orders(root: &Root<'_, '_>, children: &[Vec<PathRef>]) -> Vec<Rc<[PathKey]>> {
    if !root.has_order_interest() {
        return Vec::new();
    }
    let mut found: Vec<Rc<[PathKey]>> = Vec::new();
    for p in children.iter().flatten() {
        if !p.keys.is_empty() && p.required_outer.is_empty() && !found.contains(&p.keys) {
            found.push(p.keys.clone());
        }
    }
    found
}

pub fn ordered_inputs(
    root: &Root<'_, '_>,
    children: &[Vec<PathRef>],
    keys: &[PathKey],
) -> Option<Vec<PathRef>> {
    let mut out = Vec::new();
    for paths in children {
        let sorted = paths
            .iter()
            .filter(|p| p.required_outer.is_empty() && keys_contained(keys, &p.keys))
            .min_by(|a, b| a.disabled.cmp(&b.disabled).then(a.total.total_cmp(&b.total)));
        let cheapest = cheapest_total(paths)?;
        let to_sort = flattened(root, std::slice::from_ref(cheapest));
        let sorts: Vec<PathRef> = to_sort.iter().map(|p| sort(root, p, keys)).collect();
        let (disabled, total) = match &sorts[..] {
            [] => (cheapest.disabled, cheapest.total),
            sorts => (
                sorts.iter().map(|p| p.disabled).sum(),
                sorts.iter().map(|p| p.total).sum(),
            ),
        };
        match sorted {
            Some(p) if (p.disabled, p.total) <= (disabled, total) => {
                out.extend(flattened(root, std::slice::from_ref(p)));
            }
            _ => out.extend(sorts),
        }
    }
    Some(out)
}

fn sort(root: &Root<'_, '_>, input: &PathRef, keys: &[PathKey]) -> PathRef {
    let c = cost::sort(root.context().settings, input.total, input.rows, input.width, 0.0);
    Rc::new(Path {
        kind: PathKind::Sort(input.clone()),
        keys: keys.into(),
        startup: c.startup,
        total: c.total,
        ..(**input).clone()
    })
}
