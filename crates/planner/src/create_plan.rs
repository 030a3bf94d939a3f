//! The chosen path as a plan: nodes, target lists, and column references turned into positions.
//!
//! # How it works
//! Each step returns a [`Stage`]: the plan and, for every output column, the expression of the query level that it holds. A
//! node's expressions are fixed by replacing what an input already holds by a reference to that input's column. Columns
//! of relations outside a parameterised scan become executor parameters, noted in `Pending` until the nested
//! loop that supplies them.

use std::rc::Rc;

use common::{AttrNumber, Oid, PgResult, cancel, internal};
use nodes::expr::Expr;
use nodes::plan::{
    HashClause, IndexQual, IndexQualValue, IndexScan, MergeClause, NestLoopParam, Plan, PlanCost, PlanNode,
    SortKey,
};
use nodes::query::{RteKind, TableSample};
use nodes::relids::RelIds;
use nodes::walk;

use crate::create_append::{append, merge_keys};
use crate::create_bitmap;
use crate::create_subquery::{is_identity, without_trivial_scan};
use crate::create_unique::unique as create_unique;
use crate::exprs::facts;
use crate::exprs::positions::{self, fix_join};
use crate::path::{IndexPath, JoinClause, JoinMethod, JoinPath, MemoizePath, Path, PathKey, PathKind};
use crate::paths::{inner_tested, join_clauses_for, tid_node};
use crate::prep::aliases;
use crate::rel::{BaseKind, BaseRel, Equality, RestrictInfo};
use crate::root::{Global, Root};
use crate::search::output_vars;
use crate::upper::{self, Stage, node, pass_through_targets, target};

/// Values that scans below expect from a nested loop above: slot and value.
pub type Pending = Vec<(usize, Expr)>;

/// Builds the plan of a path.
pub fn create(root: &mut Root<'_, '_>, path: &Path) -> PgResult<Stage> {
    let mut pending = Pending::new();
    let stage = build(root, path, &mut pending)?;
    match pending.first() {
        None => Ok(stage),
        Some((slot, _)) => Err(internal!("no nested loop supplies parameter {slot}")),
    }
}

pub fn build(root: &mut Root<'_, '_>, path: &Path, pending: &mut Pending) -> PgResult<Stage> {
    cancel::check()?;
    let mut stage = match &path.kind {
        PathKind::Scan
        | PathKind::Index(_)
        | PathKind::Bitmap(_)
        | PathKind::Tid(_)
        | PathKind::TidRange(_) => scan(root, path, pending)?,
        PathKind::Join(join) => build_join(root, path, join, pending)?,
        PathKind::Append(inputs) => append(root, path, inputs, pending, false)?,
        PathKind::MergeAppend(inputs) => append(root, path, inputs, pending, true)?,
        PathKind::Material(input) => {
            let s = build(root, input, pending)?;
            let list = pass_through_targets(&s.plan.target_list);
            let plan = node(
                cost_of(path),
                list,
                PlanNode::Material {
                    input: Box::new(s.plan),
                },
            );
            Stage { plan, ..s }
        }
        PathKind::Memoize(m) => {
            let s = build(root, &m.input, pending)?;
            memoize(root, path, m, s, pending)?
        }
        PathKind::Unique(u) => {
            let s = build(root, &u.input, pending)?;
            create_unique(path, u, s)?
        }
        PathKind::Sort(input) => {
            let s = build(root, input, pending)?;
            sort(root, path, s)?
        }
        PathKind::Gather(input) => {
            let s = build(root, input, pending)?;
            let keys = match path.keys.is_empty() {
                true => Vec::new(),
                false => merge_keys(root, path, &s.output)?,
            };
            let node = upper::gather_node(s.plan, input.parallel.workers, keys, cost_of(path));
            Stage { plan: node, ..s }
        }
    };
    stage.plan.parallel_aware |= path.parallel.aware;
    if let (true, PlanNode::HashJoin { inner, .. }) = (path.parallel.aware, &mut stage.plan.node) {
        inner.parallel_aware = true;
    }
    stage.plan.disabled_nodes = path.disabled;
    stage.keys = path.keys.to_vec();
    Ok(stage)
}

pub fn cost_of(path: &Path) -> PlanCost {
    PlanCost {
        startup: path.startup,
        total: path.total,
        rows: path.rows,
        width: path.width,
    }
}

/// Remembered rows: the keys speak of the parameters that a nested loop above sets.
fn memoize(
    root: &mut Root<'_, '_>,
    path: &Path,
    m: &MemoizePath,
    input: Stage,
    pending: &mut Pending,
) -> PgResult<Stage> {
    let mut key = |k: &Expr| match pending.iter().find(|(_, value)| value == k) {
        Some((slot, _)) => Ok(Global::param_expr(*slot, k)),
        None => at_scan(root, k, 0, pending),
    };
    let keys = m.keys.iter().map(&mut key);
    let keys = keys.collect::<PgResult<Vec<_>>>()?;
    let list = pass_through_targets(&input.plan.target_list);
    let memoize = PlanNode::Memoize {
        input: Box::new(input.plan),
        keys,
        key_ops: m.ops.clone(),
        single_row: m.single_row,
        binary_mode: m.binary_mode,
    };
    Ok(Stage {
        plan: node(cost_of(path), list, memoize),
        ..input
    })
}

fn scan(root: &mut Root<'_, '_>, path: &Path, pending: &mut Pending) -> PgResult<Stage> {
    let rt_index = path
        .relids
        .singleton()
        .ok_or_else(|| internal!("scan of several relations"))?;
    let rel = root.rel(rt_index)?.clone();
    let base = rel.base.as_ref().ok_or_else(|| internal!("scan of a join"))?;
    let mut infos = base.restrictions.clone();
    infos.extend(join_clauses_for(root, &rel, &path.required_outer));
    cheap_first(&mut infos);
    let mut quals: Vec<Expr> = infos.iter().map(|i| i.clause.clone()).collect();
    let output = output_vars(root, &path.relids);
    let list = output
        .iter()
        .enumerate()
        .map(|(i, e)| Ok(target(at_scan(root, e, rt_index, pending)?, i + 1, None)))
        .collect::<PgResult<Vec<_>>>()?;
    let plan_node = match &path.kind {
        PathKind::Index(index) => {
            quals.retain(|q| !index.clauses.iter().any(|c| c.clause == *q));
            let only = index.index_only;
            let scan = index_scan(root, rt_index, base, index, pending)?;
            if only {
                PlanNode::IndexOnlyScan(scan)
            } else {
                PlanNode::IndexScan(scan)
            }
        }
        PathKind::Bitmap(tree) => {
            let mut recheck = Vec::new();
            let input = Box::new(create_bitmap::bitmap(
                root,
                rt_index,
                base,
                tree,
                pending,
                &mut recheck,
            )?);
            quals.retain(|q| !recheck.contains(q) && !create_bitmap::or_answers(q, tree));
            let recheck = fix_all(root, &recheck, rt_index, pending)?;
            PlanNode::BitmapHeapScan {
                rt_index: root.global_index(rt_index),
                relation: table_oid(base)?,
                recheck,
                input,
            }
        }
        PathKind::Tid(conditions) | PathKind::TidRange(conditions) => {
            quals.retain(|q| !conditions.contains(q));
            let conditions = fix_all(root, conditions, rt_index, pending)?;
            let table = (root.global_index(rt_index), table_oid(base)?);
            tid_node(&path.kind, table, conditions)
        }
        _ => plain_scan(root, rt_index, base, pending)?,
    };
    if let PlanNode::SubqueryScan { input, .. } = &plan_node {
        if quals.is_empty() && is_identity(&output, input) {
            let PlanNode::SubqueryScan { input, .. } = plan_node else {
                return Err(internal!("subquery scan vanished"));
            };
            return Ok(Stage {
                plan: *input,
                output,
                keys: Vec::new(),
            });
        }
    }
    let mut plan = node(cost_of(path), list, plan_node);
    plan.qual = fix_all(root, &quals, rt_index, pending)?;
    Ok(Stage {
        plan,
        output,
        keys: Vec::new(),
    })
}

/// Conditions in the order in which they are tested: the cheap ones first, otherwise as they come.
///
/// PG: `order_qual_clauses`.
fn cheap_first(infos: &mut [Rc<RestrictInfo>]) {
    infos.sort_by(|a, b| a.cost.total_cmp(&b.cost));
}

/// Conditions of a join without those that its inner side tests, in terms of its inputs.
fn still_to_test(
    infos: &[Rc<RestrictInfo>],
    tested: &[Rc<RestrictInfo>],
    fix: &dyn Fn(&Expr) -> PgResult<Expr>,
) -> PgResult<Vec<Expr>> {
    let left = |i: &&Rc<RestrictInfo>| !tested.iter().any(|t| Rc::ptr_eq(t, i) || t.clause == i.clause);
    let mut infos: Vec<_> = infos.iter().filter(left).cloned().collect();
    cheap_first(&mut infos);
    infos.iter().map(|i| fix(&i.clause)).collect()
}

fn table_oid(base: &BaseRel) -> PgResult<Oid> {
    base.table()
        .map(|t| t.oid)
        .ok_or_else(|| internal!("scan method needs a table"))
}

fn plain_scan(
    root: &mut Root<'_, '_>,
    rt_index: usize,
    base: &BaseRel,
    pending: &mut Pending,
) -> PgResult<PlanNode> {
    let global = root.global_index(rt_index);
    match &base.kind {
        BaseKind::Table(t) => {
            return table_scan(root, (rt_index, t.oid), base, pending);
        }
        BaseKind::Subquery(p) => {
            for lateral in root.lateral_params.iter().filter(|l| l.user == rt_index) {
                pending.push((lateral.param, lateral.value.clone()));
            }
            return Ok(PlanNode::SubqueryScan {
                rt_index: global,
                input: Box::new(p.plan.clone()),
            });
        }
        BaseKind::Other | BaseKind::Unplanned(_) => {}
    }
    match root.query.rte(rt_index).kind.clone() {
        RteKind::Function {
            mut functions,
            ordinality,
            ..
        } => {
            for f in &mut functions {
                f.expr = at_scan(root, &f.expr, rt_index, pending)?;
            }
            Ok(PlanNode::FunctionScan {
                rt_index: global,
                functions,
                ordinality,
            })
        }
        RteKind::Values { mut rows, .. } => {
            for e in rows.iter_mut().flatten() {
                *e = at_scan(root, e, rt_index, pending)?;
            }
            Ok(PlanNode::ValuesScan {
                rt_index: global,
                rows,
            })
        }
        RteKind::Cte { name, levels_up, .. } => {
            let info = root.cte(&name, levels_up)?;
            Ok(match info.worktable_param {
                Some(worktable_param) => PlanNode::WorkTableScan {
                    rt_index: global,
                    worktable_param,
                },
                None => PlanNode::CteScan {
                    rt_index: global,
                    plan_id: info.plan_id,
                },
            })
        }
        RteKind::Result => Ok(PlanNode::Result {
            input: None,
            one_time: Vec::new(),
        }),
        other => Err(internal!("cannot scan a range table entry of kind {other:?}")),
    }
}

fn fix_all(
    root: &mut Root<'_, '_>,
    exprs: &[Expr],
    rt_index: usize,
    pending: &mut Pending,
) -> PgResult<Vec<Expr>> {
    exprs
        .iter()
        .map(|e| at_scan(root, e, rt_index, pending))
        .collect()
}

/// Columns of the scanned relation become `Scan` columns, those of others parameters.
fn table_scan(
    root: &mut Root<'_, '_>,
    (own_index, relation): (usize, Oid),
    base: &BaseRel,
    pending: &mut Pending,
) -> PgResult<PlanNode> {
    let rt_index = root.global_index(own_index);
    let Some(sample) = &base.sample else {
        return Ok(PlanNode::SeqScan { rt_index, relation });
    };
    let mut sample = TableSample::clone(sample);
    for e in sample.args.iter_mut().chain(&mut sample.repeatable) {
        *e = at_scan(root, e, own_index, pending)?;
    }
    Ok(PlanNode::SampleScan {
        rt_index,
        relation,
        sample,
    })
}

fn at_scan(root: &mut Root<'_, '_>, e: &Expr, rt_index: usize, pending: &mut Pending) -> PgResult<Expr> {
    let mut e = with_parameters(root, e, rt_index, pending);
    walk::rewrite(&mut e, &mut |e| {
        let Expr::Var(v) = e else { return };
        if facts::var_rel(v) == Some(rt_index) {
            *e = aliases::at_scan(v, root.query.rte(rt_index));
        }
    });
    Ok(e)
}

/// An expression of one relation: columns of others become parameters.
pub fn with_parameters(root: &mut Root<'_, '_>, e: &Expr, rt_index: usize, pending: &mut Pending) -> Expr {
    let mut e = e.clone();
    walk::rewrite(&mut e, &mut |e| {
        let Expr::Var(v) = e else { return };
        if facts::var_rel(v).is_none_or(|i| i == rt_index) {
            return;
        }
        let value = Expr::Var(v.clone());
        let slot = match pending.iter().find(|(_, x)| *x == value) {
            Some((slot, _)) => *slot,
            None => {
                let slot = root.global.new_param();
                pending.push((slot, value));
                slot
            }
        };
        *e = Global::param_expr(slot, e);
    });
    e
}

pub fn index_scan(
    root: &mut Root<'_, '_>,
    rt_index: usize,
    base: &BaseRel,
    path: &IndexPath,
    pending: &mut Pending,
) -> PgResult<IndexScan> {
    let mut quals = Vec::new();
    for q in &path.quals {
        let value = match &q.value {
            IndexQualValue::Expr(e) => IndexQualValue::Expr(at_scan(root, e, rt_index, pending)?),
            IndexQualValue::AnyArray(e) => IndexQualValue::AnyArray(at_scan(root, e, rt_index, pending)?),
            other => other.clone(),
        };
        let original = at_scan(root, &q.original, rt_index, pending)?;
        quals.push(IndexQual {
            index_column: q.index_column,
            strategy: q.strategy,
            value,
            original,
        });
    }
    root.global.depend(Oid(1259), path.index.oid);
    Ok(IndexScan {
        rt_index: root.global_index(rt_index),
        relation: table_oid(base)?,
        index: path.index.oid,
        quals,
        order_by: Vec::new(),
        direction: path.direction,
    })
}

/// A hash table keeps only columns that are needed; other inputs of joins may have more.
fn join_inputs(
    root: &mut Root<'_, '_>,
    join: &JoinPath,
    pending: &mut Pending,
    from_inner: &mut Pending,
) -> PgResult<(Stage, Stage)> {
    let outer = build(root, &join.outer, pending)?;
    let outer = without_trivial_scan(root, join.outer.relids.singleton(), outer);
    let mut inner = build(root, &join.inner, from_inner)?;
    if !matches!(join.method, JoinMethod::Hash(_)) {
        inner = without_trivial_scan(root, join.inner.relids.singleton(), inner);
    }
    Ok((outer, inner))
}

fn build_join(
    root: &mut Root<'_, '_>,
    path: &Path,
    join: &JoinPath,
    pending: &mut Pending,
) -> PgResult<Stage> {
    let mut from_inner = Pending::new();
    let (outer, inner) = join_inputs(root, join, pending, &mut from_inner)?;
    let output = output_vars(root, &path.relids);
    let fix = |e: &Expr| fix_join(e, &outer.output, &inner.output);
    let list = output
        .iter()
        .enumerate()
        .map(|(i, e)| Ok(target(fix(e)?, i + 1, None)))
        .collect::<PgResult<Vec<_>>>()?;
    // Conditions that mention relations outside the join (parameterised paths) take parameters too.
    let tested = inner_tested(root, &join.inner);
    let quals = |infos: &[Rc<RestrictInfo>]| still_to_test(infos, &tested, &fix);
    let join_qual = quals(&join.join_quals)?;
    let qual = quals(&join.other_quals)?;
    let plan_node = match &join.method {
        JoinMethod::NestLoop => {
            let mut params = Vec::new();
            for (slot, value) in from_inner.drain(..) {
                if facts::relids(&value).is_subset(&join.outer.relids) {
                    params.push(NestLoopParam {
                        param: slot,
                        value: fix_join(&value, &outer.output, &[])?,
                    });
                } else {
                    pending.push((slot, value));
                }
            }
            PlanNode::NestLoop {
                join_type: join.join_type,
                join_qual,
                params,
                inner_unique: join.inner_unique,
                outer: Box::new(outer.plan),
                inner: Box::new(inner.plan),
            }
        }
        JoinMethod::Hash(clauses) => {
            pending.append(&mut from_inner);
            let clause = |c| hash_clause(c, &outer.output, &inner.output);
            let clauses = clauses.iter().map(clause).collect::<PgResult<_>>()?;
            PlanNode::HashJoin {
                join_type: join.join_type,
                clauses,
                join_qual,
                inner_unique: join.inner_unique,
                outer: Box::new(outer.plan),
                inner: Box::new(hash(inner.plan)),
            }
        }
        JoinMethod::Merge(clauses) => {
            pending.append(&mut from_inner);
            let clause = |c| merge_clause(c, &outer.output, &inner.output);
            let clauses = clauses.iter().map(clause).collect::<PgResult<_>>()?;
            PlanNode::MergeJoin {
                join_type: join.join_type,
                clauses,
                join_qual,
                inner_unique: join.inner_unique,
                outer: Box::new(outer.plan),
                inner: Box::new(inner.plan),
            }
        }
    };
    let mut plan = node(cost_of(path), list, plan_node);
    plan.qual = qual;
    Ok(Stage {
        plan,
        output,
        keys: Vec::new(),
    })
}

/// The equality of a hash or merge join with its outer and inner side.
fn sides(clause: &JoinClause) -> PgResult<(&Equality, &Expr, &Expr)> {
    match &clause.info.equality {
        Some(e) if clause.swapped => Ok((e, &e.right, &e.left)),
        Some(e) => Ok((e, &e.left, &e.right)),
        None => Err(internal!("join method on a condition that is no equality")),
    }
}

fn hash_clause(clause: &JoinClause, outer: &[Expr], inner: &[Expr]) -> PgResult<HashClause> {
    let (e, o, i) = sides(clause)?;
    Ok(HashClause {
        outer: fix_join(o, outer, &[])?,
        inner: fix_join(i, &[], inner)?,
        eq_op: e.op,
        collation: e.collation,
    })
}

fn merge_clause(clause: &JoinClause, outer: &[Expr], inner: &[Expr]) -> PgResult<MergeClause> {
    let (e, o, i) = sides(clause)?;
    let compare = e.merge.as_ref().map(|m| m.compare[usize::from(clause.swapped)]);
    Ok(MergeClause {
        outer: fix_join(o, outer, &[])?,
        inner: fix_join(i, &[], inner)?,
        cmp_func: compare
            .flatten()
            .ok_or_else(|| internal!("merge join without a comparison"))?,
        eq_op: e.op,
        collation: e.collation,
        descending: false,
        nulls_first: false,
    })
}

fn hash(input: Plan) -> Plan {
    let list = pass_through_targets(&input.target_list);
    let cost = PlanCost {
        startup: input.cost.total,
        ..input.cost
    };
    node(
        cost,
        list,
        PlanNode::Hash {
            input: Box::new(input),
        },
    )
}

/// A Sort node in the order of the path; key expressions that the input lacks are added to it.
fn sort(root: &mut Root<'_, '_>, path: &Path, stage: Stage) -> PgResult<Stage> {
    let mut stage = stage;
    let mut keys = Vec::new();
    for key in path.keys.iter() {
        let expr = key_expr(root, key, &path.relids, &stage.output)?;
        if !stage.output.contains(&expr) {
            let mut list: Vec<_> = stage
                .plan
                .target_list
                .iter()
                .zip(&stage.output)
                .map(|(t, e)| nodes::query::TargetEntry {
                    expr: e.clone(),
                    ..t.clone()
                })
                .collect();
            list.push(target(expr.clone(), list.len() + 1, None));
            stage = upper::project(root, stage, list)?;
        }
        let column = stage
            .output
            .iter()
            .position(|e| *e == expr)
            .map_or(0, |i| i as AttrNumber + 1);
        let strategy = if key.descending { 5 } else { 1 };
        let type_oid = expr.type_oid();
        let sort_op = root
            .context()
            .catalog
            .opfamily_member(key.family, type_oid, type_oid, strategy)?
            .ok_or_else(|| internal!("no sort operator for type {type_oid} in family {}", key.family))?;
        keys.push(SortKey {
            column,
            sort_op,
            descending: key.descending,
            nulls_first: key.nulls_first,
            collation: expr.collation(),
        });
    }
    let list = pass_through_targets(&stage.plan.target_list);
    let plan = node(
        cost_of(path),
        list,
        PlanNode::Sort {
            input: Box::new(stage.plan),
            keys,
        },
    );
    Ok(Stage { plan, ..stage })
}

/// The member of a sort column's class that the plan hands out or, failing that, one that can be computed from what it hands out.
pub fn key_expr(root: &Root<'_, '_>, key: &PathKey, relids: &RelIds, output: &[Expr]) -> PgResult<Expr> {
    let members = &root.classes[key.class].members;
    let whole = root.topmost_of(relids);
    let own = || members.iter().map(|m| root.translate_to(&m.expr, relids));
    let computed = |e: &Expr| positions::is_computed_from(e, output);
    own()
        .find(|e| output.contains(e))
        .or_else(|| {
            let of_these = own().zip(members).filter(|(_, m)| m.relids.is_subset(&whole));
            of_these.map(|(e, _)| e).find(computed)
        })
        .ok_or_else(|| internal!("no column to sort by"))
}
