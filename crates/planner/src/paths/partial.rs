//! Partial paths of base relations and joins, and their gathering. See [`crate::parallel`].

use std::rc::Rc;

use common::PgResult;

use crate::cost::Cost;
use crate::parallel::{self, divisor};
use crate::path::{Parallel, Path, PathKind, PathRef, add_path, cheapest_total};
use crate::paths::append;
use crate::rel::{BaseKind, BaseRel, RelOptInfo};
use crate::root::Root;

/// Looks whether some table of the level is worth a parallel scan: the rest of planning asks [`Root::parallel`].
pub fn note_large_tables(root: &mut Root<'_, '_>) {
    let s = root.context().settings;
    if s.max_parallel_workers_per_gather == 0 || !root.context().parallel {
        return;
    }
    let large = root
        .rels
        .iter()
        .flatten()
        .filter_map(|r| r.base.as_ref())
        .any(|b| {
            let member = b.append_parent.is_some();
            b.table()
                .is_some_and(|t| !b.is_append && parallel::workers_for(s, t, b.pages, member) > 0)
        });
    root.parallel = large && parallel::statement_allows(root.global);
}

/// Whether a base relation may be scanned in workers, and its partial scan.
pub fn set_partial_paths(root: &mut Root<'_, '_>, i: usize) -> PgResult<()> {
    if !root.parallel {
        return Ok(());
    }
    let Some(rel) = root.rels[i].clone() else {
        return Ok(());
    };
    let Some(base) = &rel.base else { return Ok(()) };
    let safe = root.base_is_safe(base);
    let mut partial = Vec::new();
    if safe && base.lateral.is_empty() {
        partial.extend(partial_scan(root, &rel, base).map(Rc::new));
    }
    if let Some(rel) = &mut root.rels[i] {
        rel.parallel_safe = safe;
        if safe {
            for path in &mut rel.paths {
                Rc::make_mut(path).parallel.safe = true;
            }
        }
        rel.partial_paths = partial;
    }
    Ok(())
}

/// A scan of a table that participants share.
fn partial_scan(root: &Root<'_, '_>, rel: &RelOptInfo, base: &BaseRel) -> Option<Path> {
    let BaseKind::Table(table) = &base.kind else {
        return None;
    };
    let s = root.context().settings;
    let workers = parallel::workers_for(s, table, base.pages, base.append_parent.is_some());
    if workers == 0 {
        return None;
    }
    let per_row: f64 = base.restrictions.iter().map(|r| r.cost).sum();
    let share = divisor(s, workers);
    let disk = s.seq_page_cost * base.pages;
    Some(Path {
        kind: PathKind::Scan,
        relids: rel.relids.clone(),
        rows: (rel.rows / share).round().max(1.0),
        width: rel.width,
        startup: 0.0,
        total: disk + (s.cpu_tuple_cost + per_row) * base.tuples / share,
        disabled: u32::from(!s.enable_seqscan),
        keys: Rc::new([]),
        required_outer: base.lateral.clone(),
        parallel: Parallel::shared_by(workers),
    })
}

/// The Append of an inheritance tree whose members all have partial paths or can be run by one participant each.
pub fn set_partial_append(root: &mut Root<'_, '_>, parent: usize) {
    let base = root.rels[parent].as_ref().and_then(|r| r.base.as_ref());
    let members = base.map_or_else(Vec::new, |b| b.members.clone());
    if !root.parallel || members.is_empty() {
        return;
    }
    let rels: Vec<&RelOptInfo> = members.iter().filter_map(|m| root.rels[*m].as_ref()).collect();
    if !rels.iter().all(|r| r.parallel_safe) {
        return;
    }
    let path = append_inputs(root, &rels).and_then(|inputs| partial_append(root, parent, inputs));
    if let Some(rel) = &mut root.rels[parent] {
        rel.parallel_safe = true;
        for path in &mut rel.paths {
            Rc::make_mut(path).parallel.safe = true;
        }
        rel.partial_paths.extend(path.map(Rc::new));
    }
}

/// The best input of each member, and whether participants divide members among themselves.
fn append_inputs(root: &Root<'_, '_>, rels: &[&RelOptInfo]) -> Option<(Vec<PathRef>, bool)> {
    let s = root.context().settings;
    let mut inputs: Vec<PathRef> = Vec::new();
    let mut aware = s.enable_parallel_append;
    for rel in rels {
        let partial = cheapest_total(&rel.partial_paths);
        let whole = cheapest_total(&rel.paths).filter(|p| p.parallel.safe && s.enable_parallel_append);
        match (partial, whole) {
            (Some(p), Some(w)) if w.total < p.total => {
                aware = true;
                inputs.push(w.clone());
            }
            (Some(p), _) => inputs.push(p.clone()),
            (None, Some(w)) => {
                aware = true;
                inputs.push(w.clone());
            }
            (None, None) => return None,
        }
    }
    aware |= inputs
        .iter()
        .any(|p| matches!(p.kind, PathKind::Append(_)) && p.parallel.aware);
    let inputs = append::flattened(root, &inputs);
    let several = inputs.len() > 1;
    Some((inputs, aware && several))
}

/// What only one participant can run comes first, and the largest of it; then what all share.
///
/// PG: `append_total_cost_compare`, `append_startup_cost_compare` (pathnode.c).
fn largest_first(inputs: &mut [PathRef]) {
    inputs.sort_by(|a, b| {
        let shared = |p: &PathRef| p.parallel.workers > 0;
        let by_total = b.total.total_cmp(&a.total);
        let by_cost = match shared(a) {
            true => b.startup.total_cmp(&a.startup).then(by_total),
            false => by_total.then(b.startup.total_cmp(&a.startup)),
        };
        shared(a)
            .cmp(&shared(b))
            .then(by_cost)
            .then(a.relids.cmp(&b.relids))
    });
}

fn partial_append(root: &Root<'_, '_>, parent: usize, (inputs, aware): (Vec<PathRef>, bool)) -> Option<Path> {
    let s = root.context().settings;
    let parent_rel = root.rels[parent].as_ref()?;
    let mut workers = inputs.iter().map(|p| p.parallel.workers).max().unwrap_or(0);
    if aware {
        // PostgreSQL gives a large tree more workers than its largest member would get.
        let more = (inputs.len() as f64).log2() as u32 + 1;
        workers = workers.max(more).min(s.max_parallel_workers_per_gather);
    }
    if workers == 0 || inputs.len() == 1 && inputs[0].parallel.workers == 0 {
        return None;
    }
    let mut inputs = inputs;
    if aware {
        largest_first(&mut inputs);
    }
    let share = divisor(s, workers);
    let rows_of = |p: &PathRef| match p.parallel.workers {
        0 => p.rows / share,
        w => p.rows * divisor(s, w) / share,
    };
    let cost_of = |p: &PathRef| match p.parallel.workers {
        0 => p.total / f64::from(workers),
        _ => p.total,
    };
    let rows: f64 = inputs.iter().map(rows_of).sum::<f64>().round().max(1.0);
    let total = inputs.iter().map(cost_of).sum::<f64>() + s.cpu_tuple_cost * 0.5 * rows;
    Some(Path {
        relids: parent_rel.relids.clone(),
        rows,
        width: parent_rel.width,
        startup: inputs.iter().map(|p| p.startup).fold(f64::MAX, f64::min),
        total,
        disabled: inputs.iter().map(|p| p.disabled).sum(),
        keys: Rc::new([]),
        required_outer: nodes::relids::RelIds::empty(),
        parallel: Parallel {
            aware,
            ..Parallel::part_of(workers)
        },
        kind: PathKind::Append(inputs),
    })
}

/// A Gather of a partial path; one that has an order keeps it.
pub fn gather(root: &Root<'_, '_>, input: &PathRef, rows: f64) -> Path {
    let s = root.context().settings;
    let cost = Cost {
        startup: input.startup,
        total: input.total,
    };
    let cost = match input.keys.is_empty() {
        true => parallel::gather_cost(s, cost, rows),
        false => parallel::gather_merge_cost(s, cost, rows, input.parallel.workers),
    };
    Path {
        kind: PathKind::Gather(input.clone()),
        rows,
        startup: cost.startup,
        total: cost.total,
        parallel: Parallel::default(),
        ..(**input).clone()
    }
}

/// The usual paths that gathering makes of the partial ones of a relation.
pub fn add_gathers(root: &Root<'_, '_>, rel: &mut RelOptInfo) {
    let startup = root.startup(&rel.relids);
    let Some(cheapest) = cheapest_total(&rel.partial_paths) else {
        return;
    };
    let mut inputs = vec![unordered(cheapest)];
    inputs.extend(rel.partial_paths.iter().filter(|p| !p.keys.is_empty()).cloned());
    for input in inputs {
        let path = gather(root, &input, rel.rows);
        add_path(&mut rel.paths, path, startup);
    }
}

fn unordered(path: &PathRef) -> PathRef {
    if path.keys.is_empty() {
        return path.clone();
    }
    Rc::new(Path {
        keys: Rc::new([]),
        ..(**path).clone()
    })
}
