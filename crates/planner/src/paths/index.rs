//! Index scans: which conditions an index can use, plain, parameterised by joins and index-only.

use std::rc::Rc;

use common::cancel;
use common::{Oid, PgResult, Span};
use nodes::expr::{BoolOp, CoercionForm, Expr, FuncExpr};
use nodes::plan::{IndexQual, IndexQualValue, ScanDirection};
use nodes::relids::RelIds;
use types::settings::TypeRef;

use crate::cost::{self, IndexScanFacts};
use crate::exprs::{any_array, facts, fold};
use crate::order;
use crate::partitionwise;
use crate::path::{BitmapTree, IndexPath, Parallel, Path, PathKey, PathKind, add_path_lazily};
use crate::paths::bitmap;
use crate::paths::commuted::{column_first, compared};
use crate::rel::{BaseRel, IndexInfo, RelOptInfo, RestrictInfo};
use crate::root::Root;
use crate::{equivalence, joininfo, selectivity};

/// All index paths of a base table.
pub fn add_index_paths(root: &mut Root<'_, '_>, rel: &RelOptInfo, paths: &mut Vec<Rc<Path>>) -> PgResult<()> {
    let Some(base) = &rel.base else { return Ok(()) };
    let mut bitmaps = Vec::new();
    for index in &base.indexes {
        if !(index.is_btree() || index.is_hash()) || !(index.predicate_ok || predicate_implied(index, base)) {
            continue;
        }
        let plain = match_clauses(root, index, &base.restrictions)?;
        for required_outer in outer_sets(root, index, rel) {
            let clauses = if required_outer.is_empty() {
                plain.clone()
            } else {
                let mut all = base.restrictions.clone();
                all.extend(join_clauses_for(root, rel, &required_outer));
                let matched = match_clauses(root, index, &all)?;
                if !matched
                    .iter()
                    .any(|(_, c)| !c.clause_relids.is_subset(&rel.relids))
                {
                    continue;
                }
                matched
            };
            build_paths(
                root,
                rel,
                base,
                index,
                &clauses,
                &required_outer,
                paths,
                &mut bitmaps,
            )?;
        }
    }
    bitmap::add_paths(root, rel, base, bitmaps, paths)
}

/// A partial index serves when each condition of its predicate is among the query's.
fn predicate_implied(index: &IndexInfo, base: &BaseRel) -> bool {
    index
        .predicate
        .iter()
        .all(|p| base.restrictions.iter().any(|r| r.clause == *p))
}

/// The sets of outer relations for which a parameterised scan of the index may pay.
fn outer_sets(root: &Root<'_, '_>, index: &IndexInfo, rel: &RelOptInfo) -> Vec<RelIds> {
    let mut sets = vec![RelIds::empty()];
    for info in clauses_of(root, rel) {
        let uses = |e: &Expr| index.column_exprs.iter().any(|c| c == facts::strip_relabel(e));
        let other = match &info.equality {
            Some(eq) if eq.left_relids == rel.relids && uses(&eq.left) => &eq.right_relids,
            Some(eq) if eq.right_relids == rel.relids && uses(&eq.right) => &eq.left_relids,
            Some(_) => continue,
            None => match compared_with(root, index, rel, &info.clause) {
                Some(relids) => &relids.clone(),
                None => continue,
            },
        };
        if other.is_empty() || !join_clause_movable(root, info, rel) {
            continue;
        }
        if !sets.contains(other) {
            let unions: Vec<RelIds> = sets.iter().skip(1).map(|s| s.union(other)).collect();
            sets.push(other.clone());
            for u in unions {
                if !sets.contains(&u) && sets.len() < 10 {
                    sets.push(u);
                }
            }
        }
    }
    sets
}

/// The relations whose values an index column is compared with, by an operator of its family that is no equality.
fn compared_with(root: &Root<'_, '_>, index: &IndexInfo, rel: &RelOptInfo, clause: &Expr) -> Option<RelIds> {
    let (op, left, right) = facts::binary_op(clause)?;
    let commuted = || Some(root.context().catalog.operator(op).ok()??.commutator);
    let sides = [(left, right, Some(op)), (right, left, commuted())];
    for (own, other, op) in sides {
        let relids = facts::relids(other);
        if facts::relids(own) != rel.relids || relids.overlaps(&rel.relids) {
            continue;
        }
        let columns = index.column_exprs.iter().zip(&index.desc.columns);
        let mut columns = columns.filter(|(e, _)| *e == facts::strip_relabel(own));
        if columns.any(|(_, c)| {
            matches!(
                strategy_in(root, op.unwrap_or_default(), index, c.opfamily),
                Ok(Some(_))
            )
        }) {
            return Some(relids);
        }
    }
    None
}

/// A join condition may be tested inside the scan of `rel` unless an outer join keeps unmatched rows of `rel` that it would drop.
fn join_clause_movable(root: &Root<'_, '_>, info: &RestrictInfo, rel: &RelOptInfo) -> bool {
    if info.volatile {
        return false;
    }
    root.special_joins.iter().all(|special| {
        use nodes::query::JoinType;
        // A member stands where the whole stands.
        let own = rel.relids.singleton();
        let relids = own.map_or_else(|| rel.relids.clone(), |i| RelIds::single(root.topmost(i)));
        let on_left = relids.is_subset(&special.syn_left);
        match special.join_type {
            JoinType::Full => !relids.overlaps(&special.syn_left.union(&special.syn_right)),
            // An ON condition may not filter the preserved side.
            JoinType::Left | JoinType::Anti => {
                let own = on_left && !info.pushed_down && info.required.overlaps(&special.syn_right);
                // A condition from above the join sees the rows that it fills with NULLs.
                let above = info.pushed_down
                    && relids.is_subset(&special.syn_right)
                    && info.required.overlaps(&special.syn_left);
                !own && !above
            }
            _ => true,
        }
    })
}

/// The join conditions in terms of a relation: members of inheritance trees have their own.
fn clauses_of<'r>(root: &'r Root<'_, '_>, rel: &'r RelOptInfo) -> &'r [Rc<RestrictInfo>] {
    let own = rel.base.as_ref().and_then(|b| b.member_clauses.as_deref());
    own.unwrap_or(&root.join_clauses)
}

/// Join conditions that become usable when `outer` is given.
pub fn join_clauses_for(root: &Root<'_, '_>, rel: &RelOptInfo, outer: &RelIds) -> Vec<Rc<RestrictInfo>> {
    let whole = root.whole_of(outer);
    if *whole != *outer {
        // The other side is a member of what the conditions speak of.
        let infos = join_clauses_for(root, rel, &whole).into_iter();
        return infos
            .map(|info| Rc::new(partitionwise::translate_info(root, &info, outer)))
            .collect();
    }
    let all = rel.relids.union(outer);
    let mut out: Vec<Rc<RestrictInfo>> = Vec::new();
    for info in clauses_of(root, rel) {
        let fits = info.clause_relids.is_subset(&all)
            && info.clause_relids.overlaps(&rel.relids)
            && info.clause_relids.overlaps(outer)
            && join_clause_movable(root, info, rel);
        let transitive = info.class.is_some_and(|c| root.classes[c].is_transitive());
        let repeats = transitive && out.iter().any(|o| o.class == info.class);
        if fits && !repeats {
            out.push(info.clone());
        }
    }
    out
}

pub type Matched = Vec<(IndexQual, Rc<RestrictInfo>)>;

/// The conditions that bound the index, by index column; stops being a boundary after the first column without equality, but
/// later columns still filter inside the index.
pub fn match_clauses(
    root: &Root<'_, '_>,
    index: &IndexInfo,
    clauses: &[Rc<RestrictInfo>],
) -> PgResult<Matched> {
    let mut out = Vec::new();
    for column in 0..index.desc.key_count {
        for info in clauses {
            cancel::check()?;
            if info.volatile {
                continue;
            }
            if let Some(qual) = match_one(root, index, column, &info.clause)? {
                out.push((qual, info.clone()));
            }
        }
    }
    Ok(out)
}

fn match_one(
    root: &Root<'_, '_>,
    index: &IndexInfo,
    column: usize,
    clause: &Expr,
) -> PgResult<Option<IndexQual>> {
    let key = &index.column_exprs[column];
    let desc = &index.desc.columns[column];
    let qual = |strategy: u8, value: IndexQualValue| {
        Some(IndexQual {
            index_column: column,
            strategy,
            value,
            original: clause.clone(),
        })
    };
    let free_of_rel = |e: &Expr| !facts::relids(e).overlaps(&facts::relids(key));
    let collation_fits = |collation: Oid| !desc.collation.is_valid() || desc.collation == collation;
    match clause {
        Expr::Func(f) => {
            let Some((op, left, right)) = facts::binary_op(clause) else {
                return Ok(None);
            };
            if !collation_fits(f.input_collation) {
                return Ok(None);
            }
            let Some((op, other, swapped)) = compared(root, key, (op, left, right))? else {
                return Ok(None);
            };
            let strategy = strategy_in(root, op, index, desc.opfamily)?;
            let found = strategy.and_then(|s| qual(s, IndexQualValue::Expr(other.clone())));
            Ok(match swapped {
                true => found.map(|q| column_first(root, q, op)),
                false => found,
            })
        }
        Expr::ScalarArrayOp(s)
            if s.use_or
                && index.is_btree()
                && collation_fits(s.input_collation)
                && facts::strip_relabel(&s.scalar) == key
                && free_of_rel(&s.array) =>
        {
            let strategy = strategy_in(root, s.op, index, desc.opfamily)?;
            Ok(strategy
                .filter(|s| *s == 3)
                .and_then(|st| qual(st, IndexQualValue::AnyArray((*s.array).clone()))))
        }
        Expr::NullTest(n) if index.is_btree() && !n.arg_is_row && *n.arg == *key => Ok(qual(
            3,
            if n.is_not {
                IndexQualValue::IsNotNull
            } else {
                IndexQualValue::IsNull
            },
        )),
        // A boolean column is its own condition.
        Expr::Var(_) if clause == key => Ok(Some(boolean_qual(column, key, true))),
        Expr::Bool(b) if b.op == BoolOp::Not && b.args.first() == Some(key) => {
            Ok(Some(boolean_qual(column, key, false)))
        }
        Expr::Bool(b) if b.op == BoolOp::Or && index.is_btree() => {
            let any = as_array(root, index, column, &b.args)?;
            any.map_or(Ok(None), |any| match_one(root, index, column, &any))
        }
        _ => Ok(None),
    }
}

/// `a = 1 OR a = 2` as `a = ANY ('{1,2}')`, where all arms compare that column of the index.
fn as_array(root: &Root<'_, '_>, index: &IndexInfo, column: usize, arms: &[Expr]) -> PgResult<Option<Expr>> {
    let (key, desc) = (&index.column_exprs[column], &index.desc.columns[column]);
    let collation_fits = |collation: Oid| !desc.collation.is_valid() || desc.collation == collation;
    let compared = |arm| match (arm, facts::binary_op(arm)) {
        (Expr::Func(f), Some(parts)) if collation_fits(f.input_collation) => {
            Ok(compared(root, key, parts)?.map(|(op, other, _)| (op, other)))
        }
        _ => Ok(None),
    };
    any_array::of_alternatives(root.context(), arms, compared)
}

/// `b` and `NOT b` as EXPLAIN shows them: `b = true`, `b = false`.
fn boolean_qual(index_column: usize, key: &Expr, value: bool) -> IndexQual {
    let value = Expr::bool_const(value);
    IndexQual {
        index_column,
        strategy: 3,
        value: IndexQualValue::Expr(value.clone()),
        original: Expr::Func(FuncExpr {
            func: fold::BOOLEQ,
            op: fold::BOOLEAN_EQUAL,
            args: vec![key.clone(), value],
            result: TypeRef::plain(types::oids::BOOL),
            returns_set: false,
            variadic: false,
            form: CoercionForm::ExplicitCall,
            input_collation: Oid::INVALID,
            collation: Oid::INVALID,
            span: Span::NONE,
        }),
    }
}

/// The B-tree strategy that an operator stands for in an index.
fn strategy_in(root: &Root<'_, '_>, op: Oid, index: &IndexInfo, family: Oid) -> PgResult<Option<u8>> {
    match op.is_valid() {
        true => joininfo::strategy_in(root, op, index.desc.access_method, family),
        false => Ok(None),
    }
}

#[allow(clippy::too_many_lines)]
fn build_paths(
    root: &mut Root<'_, '_>,
    rel: &RelOptInfo,
    base: &BaseRel,
    index: &Rc<IndexInfo>,
    matched: &Matched,
    required_outer: &RelIds,
    paths: &mut Vec<Rc<Path>>,
    bitmaps: &mut Vec<(BitmapTree, RelIds)>,
) -> PgResult<()> {
    let s = root.context().settings;
    let forward_keys = index_keys(root, rel, index, ScanDirection::Forward)?;
    let backward_keys = index_keys(root, rel, index, ScanDirection::Backward)?;
    let index_only = s.enable_indexonlyscan && index.is_btree() && covers(root, base, index);
    let useful_order = !forward_keys.is_empty() || !backward_keys.is_empty();
    if matched.is_empty() && !useful_order && !index_only {
        return Ok(());
    }
    let (rows, filter_per_row) = filtering(root, rel, base, matched, required_outer);
    let boundary = boundary_quals(matched);
    let index_selectivity = boundary_selectivity(root, index, &boundary);
    let loops = required_outer
        .iter()
        .fold(1.0_f64, |n, i| n * root.rel(i).map_or(1.0, |r| r.rows));
    let scan_facts = IndexScanFacts {
        index,
        selectivity: index_selectivity,
        qual_count: matched.len(),
        heap_pages: base.pages,
        heap_tuples: base.tuples,
        index_only,
        loops,
        correlation: correlation(root, base, index),
        filter_per_row,
    };
    let (scan, index_total) = cost::index_scan(s, &scan_facts);
    let disabled = u32::from(match index_only {
        true => !s.enable_indexonlyscan,
        false => !s.enable_indexscan,
    });
    let index_path = |direction: ScanDirection| IndexPath {
        index: index.clone(),
        quals: matched.iter().map(|(q, _)| q.clone()).collect(),
        clauses: matched.iter().map(|(_, c)| c.clone()).collect(),
        direction,
        index_only,
    };
    let make = |keys: Rc<[PathKey]>| Path {
        kind: PathKind::Scan,
        relids: rel.relids.clone(),
        rows,
        width: rel.width,
        startup: scan.startup,
        total: scan.total,
        disabled,
        keys,
        required_outer: required_outer.union(&base.lateral),
        parallel: Parallel::default(),
    };
    let startup = root.startup(&rel.relids);
    let kind = |direction| PathKind::Index(index_path(direction));
    add_path_lazily(paths, make(forward_keys), startup, || {
        kind(ScanDirection::Forward)
    });
    if !backward_keys.is_empty() {
        add_path_lazily(paths, make(backward_keys), startup, || {
            kind(ScanDirection::Backward)
        });
    }
    if s.enable_bitmapscan && !boundary.is_empty() && !index_only {
        let path = index_path(ScanDirection::Forward);
        let tree = BitmapTree::Index(path, index_total, index_selectivity);
        bitmaps.push((tree, required_outer.clone()));
    }
    Ok(())
}

/// Rows of a scan, and what the conditions cost per row that the index does not answer.
fn filtering(
    root: &Root<'_, '_>,
    rel: &RelOptInfo,
    base: &BaseRel,
    matched: &Matched,
    required_outer: &RelIds,
) -> (f64, f64) {
    let mut filters = base.restrictions.clone();
    let mut rows = rel.rows;
    if !required_outer.is_empty() {
        for info in join_clauses_for(root, rel, required_outer) {
            rows *= info.selectivity;
            filters.push(info);
        }
        rows = rows.max(1.0).round().max(1.0);
    }
    filters.retain(|f| !matched.iter().any(|(_, c)| Rc::ptr_eq(c, f)));
    (rows, filters.iter().map(|f| f.cost).sum())
}

/// The conditions that bound the scanned range: equalities on leading columns, then the next column's conditions.
pub fn boundary_quals(matched: &Matched) -> Vec<&(IndexQual, Rc<RestrictInfo>)> {
    let mut out = Vec::new();
    let mut column = 0;
    loop {
        let here: Vec<_> = matched.iter().filter(|(q, _)| q.index_column == column).collect();
        let equality = here
            .iter()
            .any(|(q, _)| q.strategy == 3 && !matches!(q.value, IndexQualValue::IsNotNull));
        let empty = here.is_empty();
        out.extend(here);
        if !equality || empty {
            return out;
        }
        column += 1;
    }
}

pub fn boundary_selectivity(
    root: &Root<'_, '_>,
    index: &IndexInfo,
    boundary: &[&(IndexQual, Rc<RestrictInfo>)],
) -> f64 {
    let equalities = (0..index.desc.key_count)
        .take_while(|c| {
            boundary.iter().any(|(q, _)| {
                q.index_column == *c && q.strategy == 3 && matches!(q.value, IndexQualValue::Expr(_))
            })
        })
        .count();
    if index.desc.unique && equalities == index.desc.key_count {
        return 1.0 / index.tuples.max(1.0);
    }
    selectivity::all(root, boundary.iter().map(|(_, c)| &c.clause), None)
}

fn correlation(root: &Root<'_, '_>, base: &BaseRel, index: &IndexInfo) -> f64 {
    let Some(table) = base.table().filter(|_| index.is_btree()) else {
        return 0.0;
    };
    let Some(first) = index.desc.columns.first() else {
        return 0.0;
    };
    let stats = root
        .context()
        .catalog
        .statistics(table.oid, first.attno)
        .ok()
        .flatten();
    let c = stats.and_then(|s| s.correlation).map_or(0.0, f64::from);
    if index.desc.key_count > 1 { c * 0.75 } else { c }
}

/// True when every needed column is in the index in a form it can give back.
fn covers(root: &Root<'_, '_>, base: &BaseRel, index: &IndexInfo) -> bool {
    let has = |attno| index.desc.columns.iter().any(|c| c.attno == attno && attno > 0);
    let lossy = index
        .desc
        .columns
        .iter()
        .any(|c| c.opcintype == types::oids::NUMERIC && c.attno > 0);
    let needed_all = root
        .needed
        .iter()
        .filter(|n| n.rel == base.rt_index)
        .all(|n| n.attnos().into_iter().all(&has));
    let filters_all = base.restrictions.iter().all(|r| {
        let mut vars = Vec::new();
        facts::vars(&r.clause, false, &mut vars);
        vars.iter()
            .all(|v| matches!(v, Expr::Var(v) if facts::var_rel(v) != Some(base.rt_index) || has(v.attno)))
    });
    let joins_all = root.join_clauses.iter().all(|r| {
        let mut vars = Vec::new();
        facts::vars(&r.clause, false, &mut vars);
        vars.iter()
            .all(|v| matches!(v, Expr::Var(v) if facts::var_rel(v) != Some(base.rt_index) || has(v.attno)))
    });
    needed_all && filters_all && joins_all && !lossy
}

/// True when the rows wanted have one value of a boolean column: `b` and `NOT b` are conditions of which no class knows.
fn is_fixed_boolean(rel: &RelOptInfo, key: &Expr) -> bool {
    let fixes = |clause: &Expr| match clause {
        Expr::Bool(b) if b.op == BoolOp::Not => b.args.first() == Some(key),
        other => other == key,
    };
    let base = rel.base.iter();
    base.flat_map(|b| &b.restrictions).any(|r| fixes(&r.clause))
}

/// The order of an index scan.
fn index_keys(
    root: &mut Root<'_, '_>,
    rel: &RelOptInfo,
    index: &IndexInfo,
    direction: ScanDirection,
) -> PgResult<Rc<[PathKey]>> {
    if !index.is_btree() {
        return Ok(Rc::from([]));
    }
    let backward = direction == ScanDirection::Backward;
    let mut keys = Vec::new();
    for (column, expr) in index
        .desc
        .columns
        .iter()
        .zip(&index.column_exprs)
        .take(index.desc.key_count)
    {
        if is_fixed_boolean(rel, expr) {
            continue;
        }
        // Members of append relations are in an order of the whole.
        let Some(expr) = root.translate_up(expr) else {
            break;
        };
        let key = equivalence::path_key(
            root,
            &expr,
            column.opfamily,
            column.collation,
            column.descending != backward,
            column.nulls_first != backward,
        );
        keys.push(key);
    }
    let own = rel.relids.singleton();
    let relids = own.map_or_else(|| rel.relids.clone(), |i| RelIds::single(root.topmost(i)));
    let keys = equivalence::canonical_keys(root, keys).into();
    Ok(order::useful(root, &relids, &keys))
}
