//! Inheritance trees: their members' sizes and paths, and how they are put together.

use std::rc::Rc;

use common::PgResult;
use nodes::expr::Expr;
use nodes::relids::RelIds;

use crate::cost;
use crate::path::{Parallel, Path, PathKey, PathKind, PathRef, add_path, cheapest_total, keys_contained};
use crate::paths::append_order::{MemberOrder, PartitionOrder};
use crate::paths::base::{build_rel, set_paths, set_size};
use crate::prep::AppendChild;
use crate::prune;
use crate::rel::{BaseRel, Equality, NeededVar, RestrictInfo};
use crate::root::Root;
use crate::search::output_vars;

/// Part of `cpu_tuple_cost` that a row costs in an Append.
const APPEND_CPU_MULTIPLIER: f64 = 0.5;

/// Makes the members' relations, with the parent's conditions; drops those that cannot have rows that qualify.
pub fn build_members(root: &mut Root<'_, '_>, parent: usize) -> PgResult<()> {
    let Some(base) = root.rels[parent].as_ref().and_then(|r| r.base.clone()) else {
        return Ok(());
    };
    let clauses: Vec<Expr> = base.restrictions.iter().map(|r| r.clause.clone()).collect();
    let mut members: Vec<AppendChild> = root
        .append_children
        .iter()
        .filter(|c| c.parent == parent)
        .cloned()
        .collect();
    let prunes = root.context().settings.enable_partition_pruning;
    if let Some(table) = base.table().filter(|t| t.relkind == b'p' && prunes) {
        let keep = prune::surviving_leaves(root, &table.clone(), parent, &clauses)?;
        members.retain(|m| keep.contains(&m.desc.oid));
    } else if clauses
        .iter()
        .any(|c| matches!(c, Expr::Const(k) if k.value.as_bool() != Some(true)))
    {
        members.clear();
    }
    let (mut rows, mut pages, mut tuples) = (0.0, 0.0, 0.0);
    for member in &members {
        let mut rel = build_rel(root, member.child)?;
        if let Some(base) = &mut rel.base {
            base.append_parent = Some(parent);
            for r in &clauses_of(root, parent) {
                let info = translate_info(r, member);
                if base.restrictions.iter().all(|x| x.clause != info.clause) {
                    base.restrictions.push(Rc::new(info));
                }
            }
            pages += base.pages;
            tuples += base.tuples;
        }
        if root.rels.len() <= member.child {
            root.rels.resize(member.child + 1, None);
        }
        root.rels[member.child] = Some(rel);
        add_needed(root, member);
        set_size(root, member.child);
        rows += root.rels[member.child].as_ref().map_or(0.0, |r| r.rows);
    }
    if let Some(rel) = &mut root.rels[parent] {
        rel.rows = rows.max(1.0);
        if let Some(base) = &mut rel.base {
            base.members = members.iter().map(|m| m.child).collect();
            base.pages = pages;
            base.tuples = tuples;
        }
    }
    Ok(())
}

fn clauses_of(root: &Root<'_, '_>, parent: usize) -> Vec<Rc<RestrictInfo>> {
    root.rels[parent]
        .as_ref()
        .and_then(|r| r.base.as_ref())
        .map_or_else(Vec::new, |b| b.restrictions.clone())
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
fn translate_info(info: &RestrictInfo, member: &AppendChild) -> RestrictInfo {
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

fn member_of(root: &Root<'_, '_>, child: usize) -> Option<AppendChild> {
    root.append_children.iter().find(|c| c.child == child).cloned()
}

fn member_paths(root: &Root<'_, '_>, base: &BaseRel) -> Vec<Vec<PathRef>> {
    let rels = base.members.iter().filter_map(|c| root.rels[*c].as_ref());
    rels.map(|r| r.paths.clone()).collect()
}

/// The paths of an inheritance tree.
pub fn set_append_paths(root: &mut Root<'_, '_>, parent: usize) -> PgResult<()> {
    let Some(rel) = root.rels[parent].clone() else {
        return Ok(());
    };
    let Some(base) = &rel.base else { return Ok(()) };
    for child in &base.members {
        let Some(member) = member_of(root, *child) else {
            continue;
        };
        let clauses: Vec<Rc<RestrictInfo>> = root
            .join_clauses
            .iter()
            .filter(|i| i.clause_relids.contains(parent))
            .map(|i| Rc::new(translate_info(i, &member)))
            .collect();
        if let Some(b) = root.rels[*child].as_mut().and_then(|r| r.base.as_mut()) {
            b.member_clauses = Some(clauses);
        }
        set_paths(root, *child)?;
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
        for (inputs, outer) in appendable(&children) {
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
fn appendable(children: &[Vec<PathRef>]) -> Vec<(Vec<PathRef>, RelIds)> {
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
            })
            .collect();
        if let Some(inputs) = inputs {
            out.push((inputs, set));
        }
    }
    out
}

fn append_cost(root: &Root<'_, '_>, inputs: &[PathRef]) -> (f64, f64, f64, u32) {
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

fn merge_cost(root: &Root<'_, '_>, inputs: &[PathRef]) -> (f64, f64, f64, u32) {
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
        if in_turn.is_none() && !is_handed_up(root, &RelIds::single(parent), &keys) {
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
    let members = members.iter().filter_map(|m| member_of(root, *m));
    let leaves: Vec<_> = members.map(|m| m.desc.oid).collect();
    PartitionOrder::of(root, parent, &leaves)
}

/// The columns of an order are handed up, so that members can be merged by them.
fn is_handed_up(root: &Root<'_, '_>, relids: &RelIds, keys: &[PathKey]) -> bool {
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
fn orders(root: &Root<'_, '_>, children: &[Vec<PathRef>]) -> Vec<Rc<[PathKey]>> {
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

fn ordered_inputs(root: &Root<'_, '_>, children: &[Vec<PathRef>], keys: &[PathKey]) -> Option<Vec<PathRef>> {
    let s = root.context().settings;
    children
        .iter()
        .map(|paths| {
            let sorted = paths
                .iter()
                .filter(|p| p.required_outer.is_empty() && keys_contained(keys, &p.keys))
                .min_by(|a, b| a.disabled.cmp(&b.disabled).then(a.total.total_cmp(&b.total)))
                .cloned();
            let cheapest = cheapest_total(paths)?;
            let c = cost::sort(s, cheapest.total, cheapest.rows, cheapest.width, 0.0);
            if let Some(p) = sorted
                && (p.disabled, p.total) <= (cheapest.disabled, c.total)
            {
                return Some(p);
            }
            let mut sort = (**cheapest).clone();
            sort.kind = PathKind::Sort(cheapest.clone());
            sort.keys = keys.into();
            (sort.startup, sort.total) = (c.startup, c.total);
            Some(Rc::new(sort))
        })
        .collect()
}
