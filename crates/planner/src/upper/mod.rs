//! Everything above scans and joins: grouping, windows, DISTINCT, ORDER BY, LIMIT, set operations, data modification.

mod distinct;
mod gather;
mod grouping;
mod grouping_sets;
mod marks;
mod modify;
mod needed;
pub mod presorted;
mod project;
pub mod run_condition;
pub mod set_ops;
mod sort;
mod useless_keys;
mod window;

pub use gather::gather_node;
pub use needed::collect as collect_needed;
pub use project::{can_project, project};
pub use sort::sort_stage;

use common::{AttrNumber, PgResult, cancel};
use nodes::expr::{Expr, Var, VarSource};
use nodes::plan::{GroupKey, Plan, PlanCost, PlanNode, SortKey};
use nodes::query::{CommandType, SortGroupClause, TargetEntry};
use nodes::relids::RelIds;

use crate::exprs::{facts, positions};
use crate::path::{PathKey, PathRef, keys_contained};
use crate::paths::ColumnFacts;
use crate::root::Root;
use crate::{
    cost, create_append, create_plan, equivalence, join_removal, joininfo, paths, search, self_join,
};

/// A planned query level.
#[derive(Clone, Debug)]
pub struct Planned {
    pub plan: Plan,
    /// The output columns as expressions of the level (types matter, not places).
    pub output: Vec<Expr>,
    /// Order of the output, by output position.
    pub keys: Vec<SortKey>,
    /// What is known of the output columns.
    pub columns: Vec<ColumnFacts>,
    /// Columns that together no two rows share.
    pub distinct_columns: Option<Vec<AttrNumber>>,
}

/// A plan under construction: what each output column is, in terms of the level's expressions.
#[derive(Clone, Debug)]
pub struct Stage {
    pub plan: Plan,
    pub output: Vec<Expr>,
    /// Order of the rows.
    pub keys: Vec<PathKey>,
}

/// A plan node without conditions.
pub fn node(cost: PlanCost, target_list: Vec<TargetEntry>, node: PlanNode) -> Plan {
    Plan {
        id: 0,
        cost,
        target_list,
        qual: Vec::new(),
        init_plans: Vec::new(),
        parallel_aware: false,
        disabled_nodes: 0,
        node,
    }
}

/// A target entry for an expression.
pub fn target(expr: Expr, resno: usize, name: Option<std::sync::Arc<str>>) -> TargetEntry {
    TargetEntry {
        expr,
        resno: resno as AttrNumber,
        name,
        sort_group_ref: 0,
        origin_table: common::Oid::INVALID,
        origin_column: 0,
        resjunk: false,
    }
}

/// A reference to an output column of the node's input.
pub fn outer_var(position: usize, like: &Expr) -> Expr {
    input_var(VarSource::Outer, position, like)
}

/// A reference to a column of an input.
pub fn input_var(source: VarSource, position: usize, like: &Expr) -> Expr {
    Expr::Var(Var {
        source,
        attno: position as AttrNumber + 1,
        type_ref: like.type_ref(),
        collation: like.collation(),
        nulling_rels: RelIds::empty(),
        returning: Default::default(),
        span: common::Span::NONE,
    })
}

/// A target list that hands every input column on.
pub fn pass_through_targets(input: &[TargetEntry]) -> Vec<TargetEntry> {
    input
        .iter()
        .enumerate()
        .map(|(i, t)| TargetEntry {
            expr: outer_var(i, &t.expr),
            resno: i as AttrNumber + 1,
            ..t.clone()
        })
        .collect()
}

/// Group keys for set operations, whose references are output positions.
pub fn group_keys_by_position(group: &[SortGroupClause], targets: &[TargetEntry]) -> Vec<GroupKey> {
    group
        .iter()
        .zip(targets)
        .enumerate()
        .map(|(i, (g, t))| GroupKey {
            column: i as AttrNumber + 1,
            eq_op: g.eq_op,
            collation: t.expr.collation(),
        })
        .collect()
}

/// Inputs of a node, outer first.
pub fn children_mut(plan: &mut Plan) -> Vec<&mut Plan> {
    match &mut plan.node {
        PlanNode::Result { input, .. } => input.iter_mut().map(|p| &mut **p).collect(),
        PlanNode::BitmapAnd { inputs }
        | PlanNode::BitmapOr { inputs }
        | PlanNode::Append { inputs, .. }
        | PlanNode::MergeAppend { inputs, .. } => inputs.iter_mut().collect(),
        PlanNode::ProjectSet { input }
        | PlanNode::BitmapHeapScan { input, .. }
        | PlanNode::SubqueryScan { input, .. }
        | PlanNode::Hash { input }
        | PlanNode::Material { input }
        | PlanNode::Memoize { input, .. }
        | PlanNode::Sort { input, .. }
        | PlanNode::IncrementalSort { input, .. }
        | PlanNode::Group { input, .. }
        | PlanNode::Agg { input, .. }
        | PlanNode::WindowAgg { input, .. }
        | PlanNode::Unique { input, .. }
        | PlanNode::LockRows { input, .. }
        | PlanNode::Limit { input, .. }
        | PlanNode::Gather { input, .. } => vec![input],
        PlanNode::ModifyTable(m) => vec![&mut m.input],
        PlanNode::RecursiveUnion {
            initial, recursive, ..
        } => vec![initial, recursive],
        PlanNode::NestLoop { outer, inner, .. }
        | PlanNode::MergeJoin { outer, inner, .. }
        | PlanNode::HashJoin { outer, inner, .. } => vec![outer, inner],
        PlanNode::SetOp { left, right, .. } => vec![left, right],
        PlanNode::SeqScan { .. }
        | PlanNode::SampleScan { .. }
        | PlanNode::IndexScan(_)
        | PlanNode::IndexOnlyScan(_)
        | PlanNode::BitmapIndexScan(_)
        | PlanNode::TidScan { .. }
        | PlanNode::TidRangeScan { .. }
        | PlanNode::FunctionScan { .. }
        | PlanNode::ValuesScan { .. }
        | PlanNode::CteScan { .. }
        | PlanNode::WorkTableScan { .. } => Vec::new(),
    }
}

/// Plans a preprocessed level.
pub fn plan_query(root: &mut Root<'_, '_>) -> PgResult<Planned> {
    if root.query.set_operations.is_some() {
        let stage = set_ops::plan(root)?;
        let stage = limit(root, stage)?;
        return Ok(finish(root, stage));
    }
    modify::prepare_targets(root)?;
    set_limit_fraction(root);
    let stage = if is_degenerate_grouping(root) {
        let mut having = Vec::new();
        if let Some(h) = root.query.having.clone() {
            facts::flatten_and(h, &mut having);
        }
        grouping::fold_grouping_calls(root);
        having.retain(|e| !matches!(e, Expr::Const(c) if c.value.as_bool() == Some(true)));
        one_row(root, having)
    } else {
        useless_keys::remove(root)?;
        useless_keys::order_as_result(root);
        let stage = scan_join_stage(root)?;
        grouping::fold_grouping_calls(root);
        match needs_grouping(root) {
            true => grouping::add(root, stage)?,
            false => stage,
        }
    };
    cancel::check()?;
    let stage = window::add(root, stage)?;
    let stage = project_sort_distinct(root, stage)?;
    let stage = lock_rows(root, stage)?;
    let stage = limit(root, stage)?;
    let stage = modify::add(root, stage)?;
    Ok(finish(root, stage))
}

fn needs_grouping(root: &Root<'_, '_>) -> bool {
    let q = &root.query;
    q.has_aggs || !q.group_clause.is_empty() || !q.grouping_sets.is_empty() || q.having.is_some()
}

/// HAVING without aggregates and keys: there is one group, whatever the tables hold, so that nobody looks at them.
///
/// PG: `is_degenerate_grouping`.
fn is_degenerate_grouping(root: &Root<'_, '_>) -> bool {
    let q = &root.query;
    q.having.is_some() && !q.has_aggs && q.group_clause.is_empty() && q.grouping_sets.is_empty()
}

impl Root<'_, '_> {
    /// True when some order of rows may be worth something at this level.
    pub fn has_order_interest(&self) -> bool {
        let q = &self.query;
        !q.sort_clause.is_empty()
            || !q.group_clause.is_empty()
            || !q.distinct_clause.is_empty()
            || !q.window_clause.is_empty()
            || !self.join_clauses.is_empty()
    }
}

/// LIMIT without grouping or sorting in between: the scans may plan for the first rows.
fn set_limit_fraction(root: &mut Root<'_, '_>) {
    let number = |e: &Option<Expr>| match e {
        None => Some(0.0),
        Some(Expr::Const(c)) => c.value.as_i64().map(|v| v as f64),
        Some(_) => None,
    };
    if root.query.limit_count.is_none() {
        return;
    }
    let count = number(&root.query.limit_count).unwrap_or(0.0);
    let offset = number(&root.query.limit_offset).unwrap_or(0.0);
    root.tuple_fraction = if count > 0.0 {
        (count + offset).max(1.0)
    } else {
        0.1
    };
}

/// Scans and joins, cheapest for what comes above.
fn scan_join_stage(root: &mut Root<'_, '_>) -> PgResult<Stage> {
    if root.query.join_tree.items.is_empty() {
        return single_row(root);
    }
    let one_time = loop {
        let one_time = distribute_conditions(root)?;
        join_removal::remove_useless_joins(root);
        if !self_join::remove(root)? {
            break one_time;
        }
    };
    let wanted = wanted_keys(root)?;
    crate::order::OrderInterest::note_clauses(root)?;
    cancel::check()?;
    paths::set_base_paths(root)?;
    cancel::check()?;
    let mut rel = search::join_all(root)?;
    if root.parallel && one_time.is_empty() {
        root.partial_paths = rel.partial_paths.clone();
        paths::partial::add_gathers(root, &mut rel);
    }
    cancel::check()?;
    let path = choose_path(root, &rel.paths, &wanted)?;
    let mut stage = create_plan::create(root, &path)?;
    if !one_time.is_empty() {
        stage = gate(stage, one_time);
    }
    Ok(stage)
}

/// Relations, and conditions where they belong; those of no relation are returned.
fn distribute_conditions(root: &mut Root<'_, '_>) -> PgResult<Vec<Expr>> {
    paths::build_base_rels(root)?;
    cancel::check()?;
    joininfo::deconstruct(root)?;
    equivalence::add_implied(root)?;
    cancel::check()?;
    joininfo::assign_base_restrictions(root)?;
    let one_time = take_constant_quals(root);
    cancel::check()?;
    needed::collect(root);
    Ok(one_time)
}

/// Conditions without columns: tested once, above everything, instead of for every row.
fn take_constant_quals(root: &mut Root<'_, '_>) -> Vec<Expr> {
    let mut taken = Vec::new();
    let special_joins = std::mem::take(&mut root.special_joins);
    let mut take = |c: &std::rc::Rc<crate::rel::RestrictInfo>| {
        let whole = c.required == root.all_rels
            || is_false(&c.clause) && !special_joins.iter().any(|s| s.makes_null(&c.required));
        let gate = c.clause_relids.is_empty() && c.pushed_down && !c.volatile && whole;
        if gate {
            taken.push(c.clause.clone());
        }
        !gate
    };
    root.join_clauses.retain(&mut take);
    for rel in root.rels.iter_mut().flatten() {
        if let Some(base) = &mut rel.base {
            base.restrictions.retain(&mut take);
        }
    }
    root.special_joins = special_joins;
    taken
}

fn is_false(e: &Expr) -> bool {
    matches!(e, Expr::Const(c) if c.value.as_bool() != Some(true))
}

fn gate(stage: Stage, one_time: Vec<Expr>) -> Stage {
    if one_time.iter().any(is_false) {
        let cost = PlanCost {
            width: stage.plan.cost.width,
            ..PlanCost::default()
        };
        return create_append::no_rows(cost, stage.output);
    }
    let targets = pass_through_targets(&stage.plan.target_list);
    let cost = stage.plan.cost;
    let plan = node(
        cost,
        targets,
        PlanNode::Result {
            input: Some(Box::new(stage.plan)),
            one_time,
        },
    );
    Stage { plan, ..stage }
}

/// No FROM: one row, if WHERE lets it through.
fn single_row(root: &mut Root<'_, '_>) -> PgResult<Stage> {
    let mut one_time = Vec::new();
    if let Some(q) = root.query.join_tree.quals.clone() {
        facts::flatten_and(q, &mut one_time);
    }
    Ok(one_row(root, one_time))
}

/// One row without columns, if conditions let it through.
fn one_row(root: &Root<'_, '_>, one_time: Vec<Expr>) -> Stage {
    let s = root.context().settings;
    let cost = PlanCost {
        startup: 0.0,
        total: s.cpu_tuple_cost,
        rows: 1.0,
        width: 0,
    };
    let plan = node(
        cost,
        Vec::new(),
        PlanNode::Result {
            input: None,
            one_time,
        },
    );
    Stage {
        plan,
        output: Vec::new(),
        keys: Vec::new(),
    }
}

/// The order that the next step above scans and joins would like.
fn wanted_keys(root: &mut Root<'_, '_>) -> PgResult<Vec<PathKey>> {
    let clauses = if !root.query.group_clause.is_empty() {
        root.query.group_clause.clone()
    } else if let Some(w) = root.query.window_clause.first() {
        w.partition.iter().chain(&w.order).cloned().collect()
    } else if !root.query.distinct_clause.is_empty() && root.query.sort_clause.is_empty() {
        root.query.distinct_clause.clone()
    } else if needs_grouping(root) {
        Vec::new()
    } else {
        root.query.sort_clause.clone()
    };
    let keys = sort_clause_keys(root, &clauses)?;
    match presorted::best(root, &keys)? {
        Some(order) => Ok(order.keys),
        None => Ok(keys),
    }
}

/// Sort columns of a list of clauses; empty when some column has no order.
pub fn sort_clause_keys(root: &mut Root<'_, '_>, clauses: &[SortGroupClause]) -> PgResult<Vec<PathKey>> {
    let mut keys = Vec::new();
    for clause in clauses {
        let Some(expr) = sort_group_expr(root, clause).cloned() else {
            return Ok(Vec::new());
        };
        if !clause.sort_op.is_valid() {
            return Ok(Vec::new());
        }
        let Some((family, descending)) = equivalence::sort_op_family(root, clause.sort_op)? else {
            return Ok(Vec::new());
        };
        let collation = expr.collation();
        let direction = (descending, clause.nulls_first);
        keys.push(equivalence::upper_key(
            root,
            &expr,
            (family, collation),
            direction,
        ));
    }
    Ok(equivalence::canonical_keys(root, keys))
}

/// The expression that a clause means.
pub fn sort_group_expr<'r>(root: &'r Root<'_, '_>, clause: &SortGroupClause) -> Option<&'r Expr> {
    root.query
        .target_list
        .iter()
        .find(|t| t.sort_group_ref == clause.target_ref)
        .map(|t| &t.expr)
}

/// The path that is cheapest once sorted as wanted, for the fraction of rows wanted.
fn choose_path(root: &Root<'_, '_>, candidates: &[PathRef], wanted: &[PathKey]) -> PgResult<PathRef> {
    let fraction_of = |rows: f64, reads_all| match root.tuple_fraction {
        f if f <= 0.0 || reads_all => 1.0,
        f if f < 1.0 => f,
        f => (f / rows.max(1.0)).min(1.0),
    };
    let unordered = needs_grouping(root) && root.query.group_clause.is_empty() && wanted.is_empty();
    let limit = Some(root.tuple_fraction).filter(|f| *f >= 1.0).unwrap_or(0.0);
    let score = |p: &PathRef| {
        // Grouping may hash instead of sorting: an order is then worth little.
        let sorted = wanted.is_empty() || keys_contained(wanted, &p.keys) || unordered;
        let sorts = !sorted && !needs_grouping(root);
        let mut cost = cost::Cost {
            startup: p.startup,
            total: p.total,
        };
        let mut disabled = p.disabled;
        if sorts {
            let input = sort::Input {
                cost,
                rows: p.rows,
                width: p.width,
                keys: &p.keys,
            };
            let sorting = sort::sorting(root, input, wanted, limit);
            cost = sorting.cost;
            disabled += sorting.disabled;
        }
        // Grouping reads all its input, unless groups end with each change of the key.
        let share = fraction_of(p.rows, needs_grouping(root) && (wanted.is_empty() || !sorted));
        (disabled, cost.startup + (cost.total - cost.startup) * share)
    };
    candidates
        .iter()
        .filter(|p| p.required_outer.is_empty())
        .min_by(|a, b| {
            let (x, y) = (score(a), score(b));
            x.0.cmp(&y.0).then(x.1.total_cmp(&y.1))
        })
        .cloned()
        .ok_or_else(|| common::internal!("no usable path for the join"))
}

/// Replaces the parts of an expression that the input already computes by references to its columns.
pub fn fix_to_input(expr: &Expr, input: &[Expr]) -> PgResult<Expr> {
    positions::fix(expr, input)
}

/// Output columns, DISTINCT and ORDER BY, in the order that is right and cheap.
fn project_sort_distinct(root: &mut Root<'_, '_>, stage: Stage) -> PgResult<Stage> {
    let targets = root.query.target_list.clone();
    let sort_clause = root.query.sort_clause.clone();
    let keys = sort_clause_keys(root, &sort_clause)?;
    if !root.query.distinct_clause.is_empty() {
        let stage = project(root, stage, targets)?;
        return distinct::add(root, stage, &keys);
    }
    let pairs = clause_exprs(root, &sort_clause);
    let srf = targets.iter().any(|t| facts::contains_srf(&t.expr));
    let sort_needs_srf = pairs.iter().any(|(e, _)| facts::contains_srf(e));
    let limit = if root.tuple_fraction >= 1.0 {
        root.tuple_fraction
    } else {
        0.0
    };
    if keys.is_empty() || keys_contained(&keys, &stage.keys) {
        return project(root, stage, targets);
    }
    if !srf || sort_needs_srf {
        let plain = root.query.window_clause.is_empty() && !needs_grouping(root) && !srf;
        let list = targets.clone();
        let stage = project(root, stage, targets)?;
        let stage = sort_stage(root, stage, &keys, &pairs, limit)?;
        if !plain {
            return Ok(stage);
        }
        return gather::sorted(root, &list, &keys, &pairs, limit, stage);
    }
    // Sort before expanding sets, so that the sets come out in row order.
    let mut before: Vec<Expr> = Vec::new();
    for t in &targets {
        collect_input_parts(&t.expr, &mut before);
    }
    for (e, _) in &pairs {
        if !before.contains(e) {
            before.push(e.clone());
        }
    }
    let list = before
        .into_iter()
        .enumerate()
        .map(|(i, e)| target(e, i + 1, None))
        .collect();
    let stage = project(root, stage, list)?;
    let stage = sort_stage(root, stage, &keys, &pairs, 0.0)?;
    let keys = stage.keys.clone();
    Ok(Stage {
        keys,
        ..project(root, stage, targets)?
    })
}

/// What must be known below a set-returning projection: the largest parts without sets that are not constants.
fn collect_input_parts(e: &Expr, out: &mut Vec<Expr>) {
    if !facts::contains_srf(e) {
        if !matches!(e, Expr::Const(_) | Expr::Param(_)) && !out.contains(e) {
            out.push(e.clone());
        }
        return;
    }
    nodes::walk::for_each_child(e, &mut |child| collect_input_parts(child, out));
}

/// The expressions of clauses, with them.
pub fn clause_exprs(root: &Root<'_, '_>, clauses: &[SortGroupClause]) -> Vec<(Expr, SortGroupClause)> {
    clauses
        .iter()
        .filter_map(|c| sort_group_expr(root, c).map(|e| (e.clone(), c.clone())))
        .collect()
}

fn lock_rows(root: &mut Root<'_, '_>, stage: Stage) -> PgResult<Stage> {
    if root.query.row_marks.is_empty() {
        return Ok(stage);
    }
    let row_marks = marks::of_select(root, &stage.output)?;
    let targets = pass_through_targets(&stage.plan.target_list);
    let mut cost = stage.plan.cost;
    cost.total += root.context().settings.cpu_tuple_cost * cost.rows;
    let epq_param = root.global.new_param();
    let plan = node(
        cost,
        targets,
        PlanNode::LockRows {
            input: Box::new(stage.plan),
            row_marks,
            epq_param,
        },
    );
    Ok(Stage { plan, ..stage })
}

fn limit(root: &mut Root<'_, '_>, stage: Stage) -> PgResult<Stage> {
    let (count, offset) = (root.query.limit_count.clone(), root.query.limit_offset.clone());
    let no_limit = |e: &Option<Expr>| match e {
        None => true,
        Some(Expr::Const(c)) => c.value.is_null(),
        Some(_) => false,
    };
    let skips_none = matches!(&offset, Some(Expr::Const(c)) if c.value.as_i64() == Some(0));
    if no_limit(&count) && (no_limit(&offset) || skips_none) {
        return Ok(stage);
    }
    let mut cost = stage.plan.cost;
    let run = cost.total - cost.startup;
    let rows = cost.rows.max(1.0);
    let value = |e: &Option<Expr>, default: f64| match e {
        Some(Expr::Const(c)) => c.value.as_i64().map_or(default, |v| v as f64),
        Some(_) => (rows * 0.1).max(1.0).round(),
        None => default,
    };
    let skip = value(&offset, 0.0).clamp(0.0, rows);
    let keep = value(&count, rows - skip).clamp(1.0, (rows - skip).max(1.0));
    let original_startup = cost.startup;
    cost.startup += run * skip / rows;
    cost.total = original_startup + run * (skip + keep) / rows;
    cost.rows = keep;
    let ties = if root.query.limit_with_ties {
        let pairs = clause_exprs(root, &root.query.sort_clause.clone());
        Some(group_keys(&pairs, &stage.output)?)
    } else {
        None
    };
    let targets = pass_through_targets(&stage.plan.target_list);
    let plan = node(
        cost,
        targets,
        PlanNode::Limit {
            input: Box::new(stage.plan),
            offset,
            count,
            ties,
        },
    );
    Ok(Stage { plan, ..stage })
}

/// Group keys by position of the clause's expression in the input.
pub fn group_keys(pairs: &[(Expr, SortGroupClause)], input: &[Expr]) -> PgResult<Vec<GroupKey>> {
    pairs
        .iter()
        .map(|(e, c)| {
            let position = input
                .iter()
                .position(|x| x == e)
                .ok_or_else(|| common::internal!("grouping column is not in the input"))?;
            Ok(GroupKey {
                column: position as AttrNumber + 1,
                eq_op: c.eq_op,
                collation: e.collation(),
            })
        })
        .collect()
}

/// Drops the junk bookkeeping and turns the order into positions.
fn finish(root: &mut Root<'_, '_>, mut stage: Stage) -> Planned {
    stage.plan.init_plans = std::mem::take(&mut root.init_plans);
    // They run before the first row, at the latest.
    for id in &stage.plan.init_plans {
        let once = root.global.subplans.get(*id).map_or(0.0, |s| s.plan.cost.total);
        stage.plan.cost.startup += once;
        stage.plan.cost.total += once;
    }
    let mut keys = Vec::new();
    if root.query.command == CommandType::Select && root.query.set_operations.is_none() {
        for (e, c) in clause_exprs(root, &root.query.sort_clause.clone()) {
            let Some(position) = stage.output.iter().position(|x| *x == e) else {
                break;
            };
            let descending = equivalence::sort_op_family(root, c.sort_op)
                .ok()
                .flatten()
                .is_some_and(|(_, d)| d);
            keys.push(SortKey {
                column: position as AttrNumber + 1,
                sort_op: c.sort_op,
                descending,
                nulls_first: c.nulls_first,
                collation: e.collation(),
            });
        }
    }
    Planned {
        plan: stage.plan,
        output: stage.output,
        keys,
        columns: ColumnFacts::of_level(root),
        distinct_columns: paths::distinct_columns(&root.query),
    }
}
