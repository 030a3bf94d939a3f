//! Bitmap scans: an index alone, several indexes of which all conditions hold, arms of an OR.
//!
//! PG: `choose_bitmap_and`, `generate_bitmap_or_paths` (indxpath.c), `cost_bitmap_heap_scan` (costsize.c).

use std::rc::Rc;

use common::PgResult;
use common::cancel;
use nodes::expr::{BoolOp, Expr};
use nodes::plan::ScanDirection;
use nodes::relids::RelIds;

use crate::cost::{self, IndexScanFacts};
use crate::exprs::facts;
use crate::path::{BitmapTree, IndexPath, Parallel, Path, PathKind, PathRef, add_path};
use crate::paths::index::{boundary_quals, boundary_selectivity, join_clauses_for, match_clauses};
use crate::rel::{BaseRel, IndexInfo, RelOptInfo, RestrictInfo};
use crate::root::Root;

/// What combining two bitmaps costs, in operators.
const COMBINE_OPERATORS: f64 = 100.0;

/// Adds a path for each index alone, and for those whose bitmaps are worth combining.
///
/// `bitmaps`: by what the scan takes from outside.
pub fn add_paths(
    root: &Root<'_, '_>,
    rel: &RelOptInfo,
    base: &BaseRel,
    mut bitmaps: Vec<(BitmapTree, RelIds)>,
    paths: &mut Vec<PathRef>,
) -> PgResult<()> {
    if root.context().settings.enable_bitmapscan {
        let ors = or_bitmaps(root, base, &bitmaps)?;
        bitmaps.extend(ors.into_iter().map(|t| (t, RelIds::empty())));
    }
    let scan = Scan { root, rel, base };
    let mut outer_sets: Vec<RelIds> = Vec::new();
    for (_, required_outer) in &bitmaps {
        if !outer_sets.contains(required_outer) {
            outer_sets.push(required_outer.clone());
        }
    }
    for required_outer in outer_sets {
        // What needs less from outside serves as well.
        let usable = bitmaps.iter().filter(|(_, o)| o.is_subset(&required_outer));
        let usable: Vec<&BitmapTree> = usable.map(|(t, _)| t).collect();
        if usable.len() > 1
            && let Some(tree) = scan.cheapest_and(&usable, &required_outer)?
        {
            add_path(paths, scan.path(tree, &required_outer), root.startup(&rel.relids));
        }
    }
    for (tree, required_outer) in bitmaps {
        add_path(paths, scan.path(tree, &required_outer), root.startup(&rel.relids));
    }
    Ok(())
}

/// What is scanned.
struct Scan<'s, 'g, 'a> {
    root: &'s Root<'g, 'a>,
    rel: &'s RelOptInfo,
    base: &'s BaseRel,
}

impl Scan<'_, '_, '_> {
    fn path(&self, tree: BitmapTree, required_outer: &RelIds) -> Path {
        let (root, rel, base) = (self.root, self.rel, self.base);
        let s = root.context().settings;
        let mut per_row = s.cpu_tuple_cost + base.restrictions.iter().map(|r| r.cost).sum::<f64>();
        let mut rows = rel.rows;
        for info in join_clauses_for(root, rel, required_outer) {
            rows *= info.selectivity;
            per_row += info.cost;
        }
        let rows = rows.max(1.0).round();
        let (index_cost, sel) = self.tree_cost(&tree);
        let loops = required_outer
            .iter()
            .fold(1.0_f64, |n, i| n * root.rel(i).map_or(1.0, |r| r.rows));
        let fetched = (sel * base.tuples).round().max(1.0);
        let t = base.pages.max(1.0);
        let pages = if loops > 1.0 {
            cost::pages_fetched(s, fetched * loops, base.pages, 1.0) / loops
        } else {
            ((2.0 * t * fetched) / (2.0 * t + fetched)).min(t).ceil()
        };
        let per_page = if pages >= 2.0 {
            s.random_page_cost - (s.random_page_cost - s.seq_page_cost) * (pages / t).sqrt()
        } else {
            s.random_page_cost
        };
        let startup = index_cost + 0.1 * s.cpu_operator_cost * fetched;
        Path {
            kind: PathKind::Bitmap(tree),
            relids: rel.relids.clone(),
            rows,
            width: rel.width,
            startup,
            total: startup + pages * per_page + per_row * fetched,
            disabled: 0,
            keys: Rc::new([]),
            required_outer: required_outer.union(&base.lateral),
            parallel: Parallel::default(),
        }
    }

    /// Cost and selectivity of a tree of bitmaps.
    ///
    /// PG: `cost_bitmap_tree_node`.
    fn tree_cost(&self, tree: &BitmapTree) -> (f64, f64) {
        let combine = COMBINE_OPERATORS * self.root.context().settings.cpu_operator_cost;
        match tree {
            BitmapTree::Index(_, cost, sel) => (*cost, *sel),
            BitmapTree::And(parts) => {
                let costs = parts.iter().map(|p| self.tree_cost(p));
                let (cost, sel) = costs.fold((0.0, 1.0), |(c, s), (c2, s2)| (c + c2, s * s2));
                (cost + combine * parts.len().saturating_sub(1) as f64, sel)
            }
            BitmapTree::Or(parts) => {
                let costs = parts.iter().map(|p| self.tree_cost(p));
                let (c, s) = costs.fold((0.0, 0.0), |(c, s), (c2, s2)| (c + c2, s + s2));
                (c, f64::min(s, 1.0))
            }
        }
    }

    /// The bitmaps whose intersection makes the cheapest scan; none if one alone does.
    ///
    /// Beginning with each of them in turn, others join as long as the scan becomes cheaper. No condition may count twice.
    fn cheapest_and(&self, bitmaps: &[&BitmapTree], required_outer: &RelIds) -> PgResult<Option<BitmapTree>> {
        let total = |parts: &[&BitmapTree]| match parts {
            [one] => self.path((*one).clone(), required_outer).total,
            many => {
                let tree = BitmapTree::And(many.iter().map(|t| (*t).clone()).collect());
                self.path(tree, required_outer).total
            }
        };
        let mut order = bitmaps.to_vec();
        let key = |t: &BitmapTree| self.tree_cost(t);
        order.sort_by(|a, b| {
            let (a, b) = (key(a), key(b));
            a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
        });
        // Of those that answer the same conditions the cheapest remains.
        let mut distinct: Vec<&BitmapTree> = Vec::new();
        for tree in order {
            cancel::check()?;
            if !distinct.iter().any(|d| conditions(d) == conditions(tree)) {
                distinct.push(tree);
            }
        }
        let mut best: Option<(f64, Vec<&BitmapTree>)> = None;
        for start in 0..distinct.len() {
            let mut parts = vec![distinct[start]];
            let mut used = conditions(distinct[start]);
            let mut cost = total(&parts);
            for tree in distinct.iter().skip(start + 1) {
                cancel::check()?;
                let own = conditions(tree);
                if own.iter().any(|c| used.contains(c)) {
                    continue;
                }
                parts.push(tree);
                let with = total(&parts);
                if with < cost {
                    cost = with;
                    used.extend(own);
                } else {
                    parts.pop();
                }
            }
            if best.as_ref().is_none_or(|(b, _)| cost < *b) {
                best = Some((cost, parts));
            }
        }
        let best = best.filter(|(_, parts)| parts.len() > 1);
        Ok(best.map(|(_, parts)| BitmapTree::And(parts.into_iter().cloned().collect())))
    }
}

/// The conditions that a tree of bitmaps answers, the predicates of partial indexes among them.
///
/// PG: `find_indexpath_quals`.
fn conditions(tree: &BitmapTree) -> Vec<&Expr> {
    match tree {
        BitmapTree::Index(path, ..) => {
            let clauses = path.clauses.iter().map(|c| &c.clause);
            clauses.chain(&path.index.predicate).collect()
        }
        BitmapTree::And(parts) | BitmapTree::Or(parts) => parts.iter().flat_map(conditions).collect(),
    }
}

/// `a = 1 OR b = 2`: a bitmap per arm when every arm has an index. What an index answers as a whole (`a = 1 OR a = 2`) is not taken apart.
fn or_bitmaps(
    root: &Root<'_, '_>,
    base: &BaseRel,
    found: &[(BitmapTree, RelIds)],
) -> PgResult<Vec<BitmapTree>> {
    let mut out = Vec::new();
    for info in &base.restrictions {
        let Expr::Bool(b) = &info.clause else { continue };
        let whole = |(tree, _): &(BitmapTree, RelIds)| match tree {
            BitmapTree::Index(path, ..) => path.clauses.iter().any(|c| Rc::ptr_eq(c, info)),
            _ => false,
        };
        if b.op != BoolOp::Or || found.iter().any(whole) {
            continue;
        }
        let arms: PgResult<Vec<Option<BitmapTree>>> =
            b.args.iter().map(|arm| arm_bitmap(root, base, arm)).collect();
        if let Some(arms) = arms?.into_iter().collect::<Option<Vec<_>>>() {
            out.push(BitmapTree::Or(arms));
        }
    }
    Ok(out)
}

fn arm_bitmap(root: &Root<'_, '_>, base: &BaseRel, arm: &Expr) -> PgResult<Option<BitmapTree>> {
    let mut clauses = Vec::new();
    facts::flatten_and(arm.clone(), &mut clauses);
    let infos: Vec<Rc<RestrictInfo>> = clauses
        .into_iter()
        .map(|clause| {
            Rc::new(RestrictInfo {
                clause_relids: facts::relids(&clause),
                required: facts::relids(&clause),
                cost: cost::eval_cost(root, &clause),
                clause,
                pushed_down: true,
                equality: None,
                class: None,
                selectivity: 1.0,
                already_restricted: 1.0,
                volatile: false,
            })
        })
        .collect();
    let usable = |i: &&Rc<IndexInfo>| (i.is_btree() || i.is_hash()) && i.predicate_ok;
    for index in base.indexes.iter().filter(usable) {
        let matched = match_clauses(root, index, &infos)?;
        let boundary = boundary_quals(&matched);
        if boundary.is_empty() {
            continue;
        }
        let sel = boundary_selectivity(root, index, &boundary);
        let facts = IndexScanFacts {
            index,
            selectivity: sel,
            qual_count: matched.len(),
            heap_pages: base.pages,
            heap_tuples: base.tuples,
            index_only: false,
            loops: 1.0,
            correlation: 0.0,
            filter_per_row: 0.0,
        };
        let (_, total) = cost::index_scan(root.context().settings, &facts);
        let path = IndexPath {
            index: index.clone(),
            quals: matched.iter().map(|(q, _)| q.clone()).collect(),
            clauses: matched.iter().map(|(_, c)| c.clone()).collect(),
            direction: ScanDirection::Forward,
            index_only: false,
        };
        return Ok(Some(BitmapTree::Index(path, total, sel)));
    }
    Ok(None)
}
