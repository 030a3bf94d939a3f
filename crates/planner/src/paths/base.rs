//! Base relations: their size, and the ways to scan them.

use std::rc::Rc;
use std::sync::Arc;

use catalog::RelationDesc;
use common::error::ErrorExt;
use common::{Oid, PgResult, internal};
use nodes::expr::Expr;
use nodes::query::{JoinTreeNode, RteKind, TableSample};
use nodes::relids::RelIds;
use types::Datum;

use crate::cost;
use crate::exprs::facts;
use crate::order::{self, OrderInterest};
use crate::path::{Parallel, Path, PathKind, add_path};
use crate::paths::{append, index, partial, subquery, tid};
use crate::rel::{BaseKind, BaseRel, IndexInfo, RelOptInfo};
use crate::root::Root;
use crate::selectivity;

/// Makes a [`RelOptInfo`] for every entry of the join tree (sizes only).
pub fn build_base_rels(root: &mut Root<'_, '_>) -> PgResult<()> {
    root.rels = vec![None; root.query.range_table.len() + 1];
    let tree = std::mem::take(&mut root.query.join_tree);
    let mut result = Ok(());
    for item in &tree.items {
        result = result.and_then(|()| build_node(root, item));
    }
    root.query.join_tree = tree;
    result
}

fn build_node(root: &mut Root<'_, '_>, node: &JoinTreeNode) -> PgResult<()> {
    match node {
        JoinTreeNode::Rel(i) => {
            let rel = build_rel(root, *i)?;
            root.rels[*i] = Some(rel);
            append::build_arms(root, *i)
        }
        JoinTreeNode::From(from) => from.items.iter().try_for_each(|item| build_node(root, item)),
        JoinTreeNode::Join(join) => {
            build_node(root, &join.left)?;
            build_node(root, &join.right)
        }
    }
}

pub(super) fn build_rel(root: &mut Root<'_, '_>, rt_index: usize) -> PgResult<RelOptInfo> {
    let rte = root.query.rte(rt_index).clone();
    let is_append = root.append_parents.contains(&rt_index);
    let mut base = BaseRel {
        rt_index,
        kind: BaseKind::Other,
        pages: 0.0,
        tuples: 1.0,
        indexes: Vec::new(),
        restrictions: Vec::new(),
        lateral: RelIds::empty(),
        is_append,
        members: Vec::new(),
        append_parent: None,
        member_clauses: None,
        sample: None,
        extended: Default::default(),
    };
    match rte.kind {
        RteKind::Relation { relation, sample, .. } => {
            let catalog = root.context().catalog;
            let found = catalog.relation(relation)?;
            let desc = found.ok_or_else(|| internal!("could not open relation with OID {relation}"))?;
            if desc.relkind == b'm' && !desc.populated {
                return Err(common::pg_err!(
                    OBJECT_NOT_IN_PREREQUISITE_STATE,
                    "materialized view \"{}\" has not been populated",
                    desc.name
                )
                .hint("Use the REFRESH MATERIALIZED VIEW command."));
            }
            // ONLY of a partitioned table: no members, no rows.
            base.is_append |= desc.relkind == b'p';
            if !base.is_append {
                (base.pages, base.tuples) = table_size(root, &desc)?;
                base.indexes = load_indexes(root, rt_index, &desc, base.tuples)?;
            }
            base.kind = BaseKind::Table(desc);
            set_sample(root, &mut base, sample)?;
        }
        // The whole of a UNION ALL: its arms have the rows.
        RteKind::Subquery { .. } if is_append => {}
        RteKind::Subquery { query, .. } => {
            subquery::note(root, &mut base, &query);
        }
        RteKind::Function { functions, .. } => {
            base.tuples = function_rows(root, functions.iter().map(|f| &f.expr))?;
            for f in &functions {
                base.lateral = base.lateral.union(&facts::relids(&f.expr));
            }
        }
        RteKind::Values { rows, .. } => {
            base.tuples = rows.len() as f64;
            for e in rows.iter().flatten() {
                base.lateral = base.lateral.union(&facts::relids(e));
            }
        }
        RteKind::Cte { name, levels_up, .. } => {
            base.tuples = root.cte(&name, levels_up)?.rows;
        }
        RteKind::Result | RteKind::Join { .. } | RteKind::Group { .. } => {}
    }
    Ok(RelOptInfo {
        relids: RelIds::single(rt_index),
        rows: base.tuples,
        width: 0,
        paths: Vec::new(),
        partial_paths: Vec::new(),
        parallel_safe: false,
        partition: None,
        base: Some(base),
    })
}

/// TABLESAMPLE: only part of the table, and no index helps.
///
/// PG: `bernoulli_samplescangetsamplesize`, `system_samplescangetsamplesize`.
fn set_sample(root: &Root<'_, '_>, base: &mut BaseRel, sample: Option<Box<TableSample>>) -> PgResult<()> {
    let Some(mut sample) = sample else { return Ok(()) };
    for e in sample.args.iter_mut().chain(&mut sample.repeatable) {
        crate::exprs::fold::fold_constants(e, root.context())?;
    }
    let mut fraction = 0.1;
    if let Some(Expr::Const(c)) = sample.args.first()
        && let Datum::Float4(percent) = c.value
        && (0.0..=100.0).contains(&percent)
    {
        fraction = f64::from(percent) / 100.0;
    }
    if sample.handler == SYSTEM_METHOD {
        base.pages = (base.pages * fraction).round().max(1.0);
    }
    base.tuples = (base.tuples * fraction).round().max(1.0);
    base.indexes.clear();
    for e in sample.args.iter().chain(&sample.repeatable) {
        base.lateral = base.lateral.union(&facts::relids(e));
    }
    base.sample = Some(sample.into());
    Ok(())
}

/// The handler of TABLESAMPLE SYSTEM.
const SYSTEM_METHOD: Oid = Oid(3314);

/// Pages and rows of a table. One that was never analyzed is taken for at least ten pages, full of rows of the width that its types
/// suggest: it has just been made, and will grow.
///
/// PG: `table_block_relation_estimate_size`.
fn table_size(root: &Root<'_, '_>, table: &Arc<RelationDesc>) -> PgResult<(f64, f64)> {
    const PAGES_MIN: u64 = 10;
    /// Of a page of 8 kB, without its header.
    const PAGE_USABLE: i32 = 8192 - 24;
    /// Header and line pointer of a tuple.
    const TUPLE_OVERHEAD: i32 = 24 + 4;
    let catalog = root.context().catalog;
    let (pages, tuples) = catalog.relation_size(table)?;
    if table.reltuples >= 0.0 || table.oid < Oid::FIRST_NORMAL {
        return Ok((pages as f64, tuples.max(0.0)));
    }
    let pages = if table.has_subclass {
        pages
    } else {
        pages.max(PAGES_MIN)
    } as f64;
    let columns = table.columns.iter().filter(|c| !c.dropped);
    let width: i32 = columns
        .map(|c| expr_width(root, &column_expr(table, 0, c.attno)))
        .sum();
    let per_page = (PAGE_USABLE / (width + TUPLE_OVERHEAD)).max(1);
    Ok((pages, (f64::from(per_page) * pages).round()))
}

fn function_rows<'e>(root: &Root<'_, '_>, exprs: impl Iterator<Item = &'e Expr>) -> PgResult<f64> {
    let mut rows: f64 = 1.0;
    for e in exprs {
        if let Expr::Func(f) = e {
            if let (true, Some(desc)) = (f.returns_set, root.context().catalog.function(f.func)?) {
                rows = rows.max(series_rows(root, &desc.name, &f.args).unwrap_or(f64::from(desc.rows)));
            }
        }
    }
    Ok(rows)
}

/// `generate_series` with constant bounds knows its length, as PostgreSQL's support function does.
fn series_rows(_root: &Root<'_, '_>, name: &str, args: &[Expr]) -> Option<f64> {
    let number = |e: &Expr| match e {
        Expr::Const(c) => c.value.as_i64().map(|v| v as f64),
        _ => None,
    };
    if name != "generate_series" {
        return None;
    }
    let (start, stop) = (number(args.first()?)?, number(args.get(1)?)?);
    let step = args.get(2).map_or(Some(1.0), number)?;
    if step == 0.0 {
        None
    } else {
        Some((((stop - start) / step).floor() + 1.0).max(0.0))
    }
}

fn load_indexes(
    root: &Root<'_, '_>,
    rt_index: usize,
    table: &Arc<RelationDesc>,
    rows: f64,
) -> PgResult<Vec<Rc<IndexInfo>>> {
    let catalog = root.context().catalog;
    let mut out = Vec::new();
    // Newest first, as PostgreSQL lists them: among equals the newest index wins.
    for oid in table.indexes.iter().rev() {
        let Some(relation) = catalog.relation(*oid)? else {
            continue;
        };
        let Some(desc) = relation.index.clone() else {
            continue;
        };
        if !desc.valid || !catalog.index_serves_snapshot(&relation) {
            continue;
        }
        let (pages, tuples) = catalog.relation_size(&relation)?;
        // Only a partial index has fewer entries than the table has rows.
        let tuples = if desc.predicate.is_some() {
            tuples.min(rows)
        } else {
            rows
        };
        let column_exprs = desc
            .columns
            .iter()
            .map(|c| match &c.expr {
                Some(e) => at_rel(e, rt_index),
                None => column_expr(table, rt_index, c.attno),
            })
            .collect();
        let mut predicate = Vec::new();
        if let Some(p) = &desc.predicate {
            facts::flatten_and(at_rel(p, rt_index), &mut predicate);
        }
        let predicate_ok = predicate.is_empty();
        let leaf_fanout: f64 = 250.0;
        let tree_height = match desc.access_method == crate::joininfo::BTREE {
            true => (tuples.max(1.0).ln() / leaf_fanout.ln()).floor().max(0.0),
            // Hash indexes are not descended.
            false => -1.0,
        };
        out.push(Rc::new(IndexInfo {
            oid: *oid,
            desc,
            column_exprs,
            predicate,
            predicate_ok,
            pages: (pages as f64).max(1.0),
            tuples,
            tree_height,
        }));
    }
    Ok(out)
}

/// Stored expressions speak of range table entry 1.
pub fn at_rel(e: &Expr, rt_index: usize) -> Expr {
    let mut e = e.clone();
    crate::exprs::query_walk::strip_expr(&mut e);
    crate::exprs::query_walk::offset_rels(&mut e, 0, rt_index - 1);
    e
}

/// A column of a base relation as an expression.
pub fn column_expr(table: &RelationDesc, rt_index: usize, attno: common::AttrNumber) -> Expr {
    let column = table.column(attno);
    Expr::Var(nodes::expr::Var {
        source: nodes::expr::VarSource::Rel {
            index: rt_index,
            levels_up: 0,
        },
        attno,
        type_ref: column.map_or(types::settings::TypeRef::plain(Oid::INVALID), |c| c.type_ref),
        collation: column.map_or(Oid::INVALID, |c| c.collation),
        nulling_rels: RelIds::empty(),
        returning: Default::default(),
        span: common::Span::NONE,
    })
}

/// After restrictions are assigned: sizes and scan paths of every base relation.
pub fn set_base_paths(root: &mut Root<'_, '_>) -> PgResult<()> {
    subquery::plan_all(root)?;
    // Members of inheritance trees are done with their roots.
    let count = root.rels.len();
    let kind = |root: &Root<'_, '_>, i: usize| {
        let base = root.rels[i].as_ref().and_then(|r| r.base.as_ref())?;
        base.append_parent.is_none().then_some(base.is_append)
    };
    for i in 1..count {
        if kind(root, i) == Some(true) {
            append::build_members(root, i)?;
        } else if root.rels[i].is_some() && kind(root, i).is_some() {
            set_size(root, i);
        }
    }
    crate::joininfo::estimate_join_clauses(root)?;
    OrderInterest::note_joins(root);
    partial::note_large_tables(root);
    for i in 1..count {
        match kind(root, i) {
            Some(true) => {
                append::set_append_paths(root, i)?;
                partial::set_partial_append(root, i);
            }
            Some(false) => set_paths(root, i)?,
            None => {}
        }
    }
    if root.parallel && root.all_rels.singleton().is_none() {
        for i in 1..count {
            let Some(mut rel) = root.rels[i].take_if(|r| !r.partial_paths.is_empty()) else {
                continue;
            };
            if rel.base.as_ref().is_some_and(|b| b.append_parent.is_none()) {
                partial::add_gathers(root, &mut rel);
            }
            root.rels[i] = Some(rel);
        }
    }
    Ok(())
}

pub(super) fn set_size(root: &mut Root<'_, '_>, i: usize) {
    let Some(rel) = &root.rels[i] else { return };
    let Some(base) = &rel.base else { return };
    let clauses: Vec<&Expr> = base.restrictions.iter().map(|r| &r.clause).collect();
    let rows = (base.tuples * selectivity::all(root, clauses.into_iter(), None))
        .round()
        .max(1.0);
    let width = width_of(root, i);
    if let Some(rel) = &mut root.rels[i] {
        rel.rows = rows;
        rel.width = width;
    }
}

/// Average width of the columns that are needed of a relation.
pub(super) fn width_of(root: &Root<'_, '_>, i: usize) -> i32 {
    root.needed.iter().filter(|n| n.rel == i).map(|n| n.width).sum()
}

/// Average width of a value, from statistics or by PostgreSQL's guesses.
pub fn expr_width(root: &Root<'_, '_>, e: &Expr) -> i32 {
    let type_ref = e.type_ref();
    if let Expr::Var(v) = e {
        let table = facts::var_rel(v)
            .and_then(|r| root.rels.get(r))
            .and_then(Option::as_ref);
        if let Some(table) = table.and_then(|r| r.base.as_ref()).and_then(BaseRel::table) {
            if let Ok(Some(stats)) = root.context().catalog.statistics(table.oid, v.attno) {
                return stats.average_width;
            }
        }
    }
    let len = root
        .context()
        .catalog
        .type_desc(type_ref.oid)
        .ok()
        .flatten()
        .map_or(-1, |t| t.len);
    match (len, type_ref.typmod) {
        (n, _) if n > 0 => i32::from(n),
        (_, typmod) if typmod > 4 && type_ref.oid == types::oids::BPCHAR => typmod,
        (_, typmod) if typmod > 4 && type_ref.oid == types::oids::VARCHAR => {
            if typmod - 4 <= 32 {
                typmod - 4
            } else if typmod < 1004 {
                32 + (typmod - 36) / 2
            } else {
                516
            }
        }
        _ => 32,
    }
}

pub(super) fn set_paths(root: &mut Root<'_, '_>, i: usize) -> PgResult<()> {
    let Some(rel) = root.rels[i].clone() else {
        return Ok(());
    };
    let Some(base) = &rel.base else { return Ok(()) };
    let s = root.context().settings;
    let per_row = base.restrictions.iter().map(|r| r.cost).sum();
    let scan = match &base.kind {
        BaseKind::Table(_) => {
            let mut scan = cost::seq_scan(s, base.pages, base.tuples, per_row);
            if base.sample.as_ref().is_some_and(|t| t.handler == SYSTEM_METHOD) {
                scan.total += (s.random_page_cost - s.seq_page_cost) * base.pages;
            }
            scan
        }
        BaseKind::Subquery(p) => {
            let trivial = base.restrictions.is_empty();
            let extra = if trivial {
                0.0
            } else {
                (s.cpu_tuple_cost + per_row) * base.tuples
            };
            cost::Cost {
                startup: p.plan.cost.startup,
                total: p.plan.cost.total + extra,
            }
        }
        BaseKind::Other | BaseKind::Unplanned(_) => other_scan(root, base, per_row),
    };
    let is_plain = matches!(base.kind, BaseKind::Table(_)) && base.sample.is_none();
    let disabled = u32::from(is_plain && !s.enable_seqscan);
    let sampled = base.sample.is_some();
    let mut paths = Vec::new();
    let keys = match &base.kind {
        BaseKind::Subquery(p) => {
            let keys = subquery::output_keys(root, i, p).into();
            order::useful(root, &RelIds::single(root.topmost(i)), &keys)
        }
        _ => Rc::new([]),
    };
    let startup = root.startup(&rel.relids);
    let mut path = Path {
        kind: PathKind::Scan,
        relids: rel.relids.clone(),
        rows: rel.rows,
        width: rel.width,
        startup: scan.startup,
        total: scan.total,
        disabled,
        keys,
        required_outer: base.lateral.clone(),
        parallel: Parallel::default(),
    };
    if !base.lateral.is_empty() {
        append::test_join_clauses(root, &mut path, &base.lateral);
    }
    add_path(&mut paths, path, startup);
    if !sampled {
        index::add_index_paths(root, &rel, &mut paths)?;
        tid::add_tid_paths(root, &rel, &mut paths);
    }
    if let Some(rel) = &mut root.rels[i] {
        rel.paths = paths;
    }
    if sampled {
        return Ok(());
    }
    partial::set_partial_paths(root, i)
}

fn other_scan(root: &Root<'_, '_>, base: &BaseRel, per_row: f64) -> cost::Cost {
    let s = root.context().settings;
    let per_tuple = match &root.query.rte(base.rt_index).kind {
        RteKind::Values { .. } => s.cpu_operator_cost + s.cpu_tuple_cost,
        RteKind::Cte { .. } => s.cpu_tuple_cost * 2.0,
        _ => s.cpu_tuple_cost,
    };
    let startup = match &root.query.rte(base.rt_index).kind {
        RteKind::Function { functions, .. } => functions.iter().map(|f| cost::eval_cost(root, &f.expr)).sum(),
        RteKind::Cte { name, levels_up, .. } => match root.cte(name, *levels_up) {
            Ok(info) if info.worktable_param.is_none() => 0.0_f64.max(info.total * 0.0),
            _ => 0.0,
        },
        _ => 0.0,
    };
    cost::Cost {
        startup,
        total: startup + (per_tuple + per_row) * base.tuples,
    }
}
