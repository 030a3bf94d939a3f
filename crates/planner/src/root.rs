//! One query level, and what all levels of a statement share.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use common::{Oid, PgResult, internal};
use nodes::expr::{Expr, Param, ParamKind};
use nodes::plan::{PlannedStmt, SubPlanEntry};
use nodes::query::{CommandType, JoinType, Query, RangeTblEntry, RteKind};
use nodes::relids::RelIds;

use crate::context::PlannerContext;
use crate::equivalence::EquivalenceClass;
use crate::exprs::query_walk;
use crate::order::OrderInterest;
use crate::path::{PathRef, Startup};
use crate::prep::AppendMembers;
use crate::rel::{NeededVar, RelOptInfo, RestrictInfo, SpecialJoin};
use crate::upper::run_condition::RunCondition;
use crate::upper::{self, Planned};

/// What the query levels of one statement share.
#[derive(Clone)]
pub struct Global<'a> {
    pub context: &'a PlannerContext<'a>,
    pub subplans: Vec<SubPlanEntry>,
    pub exec_params: usize,
    pub range_table: Vec<RangeTblEntry>,
    pub depends_on: Vec<(Oid, Oid)>,
    /// WITH queries in force, one map per query level, outermost first.
    pub ctes: Vec<HashMap<Arc<str>, CteInfo>>,
    pub has_modifying_cte: bool,
    /// Row marks keep whole rows.
    pub has_row_copies: bool,
    sub_plan_count: usize,
    init_plan_count: usize,
    /// The whole statement.
    pub statement: &'a Query,
    /// Whether it may use workers, once somebody has asked.
    pub parallel_allowed: Option<bool>,
    /// For the windows of the subquery that is planned next.
    pub run_conditions: Vec<RunCondition>,
    /// Bytes that the levels planned so far held at their end, if somebody wants to know.
    pub level_bytes: Option<u64>,
}

/// A planned WITH query.
#[derive(Clone, Debug)]
pub struct CteInfo {
    pub plan_id: usize,
    pub rows: f64,
    pub total: f64,
    /// While its recursive term is planned: the slot that names the recursive union.
    pub worktable_param: Option<usize>,
}

impl<'a> Global<'a> {
    /// A new executor parameter slot.
    pub fn new_param(&mut self) -> usize {
        self.exec_params += 1;
        self.exec_params - 1
    }

    /// The expression that reads a slot.
    pub fn param_expr(number: usize, like: &Expr) -> Expr {
        Expr::Param(Param {
            kind: ParamKind::Exec,
            number,
            type_ref: like.type_ref(),
            collation: like.collation(),
            span: common::Span::NONE,
        })
    }

    /// Numbers subplans and initplans apart, as EXPLAIN shows them.
    pub fn subplan_name(&mut self, init_plan: bool) -> Box<str> {
        if init_plan {
            self.init_plan_count += 1;
            format!("InitPlan {}", self.init_plan_count + self.sub_plan_count).into()
        } else {
            self.sub_plan_count += 1;
            format!("SubPlan {}", self.init_plan_count + self.sub_plan_count).into()
        }
    }

    /// Remembers a catalog object the plan depends on.
    pub fn depend(&mut self, class: Oid, object: Oid) {
        if !self.depends_on.contains(&(class, object)) {
            self.depends_on.push((class, object));
        }
    }
}

/// One query level.
pub struct Root<'g, 'a> {
    pub global: &'g mut Global<'a>,
    pub query: Query,
    /// Position of this level's range table in the statement's.
    pub rt_offset: usize,
    pub rels: Vec<Option<RelOptInfo>>,
    pub special_joins: Vec<SpecialJoin>,
    pub join_clauses: Vec<Rc<RestrictInfo>>,
    pub classes: Vec<EquivalenceClass>,
    pub needed: Vec<NeededVar>,
    /// LATERAL references of FROM subqueries: slot, value, relations of the value, the entry that needs it.
    pub lateral_params: Vec<LateralParam>,
    /// Initplans made at this level, to attach to its top node.
    pub init_plans: Vec<usize>,
    /// Fraction (0..1) or number (>= 1) of rows wanted; 0: all.
    pub tuple_fraction: f64,
    /// The level is a recursive WITH query of this name: its UNION refers to itself.
    pub recursive_cte: Option<Arc<str>>,
    pub all_rels: RelIds,
    /// Entries whose rows come from the members of an inheritance tree, and those members.
    pub append_parents: Vec<usize>,
    pub append_children: AppendMembers,
    /// Which orders of rows paths are kept for.
    pub interest: OrderInterest,
    /// Partial paths are worth looking for.
    pub parallel: bool,
    /// Those of all scans and joins together.
    pub partial_paths: Vec<PathRef>,
    /// Conditions from above on window functions of the level.
    pub run_conditions: Vec<RunCondition>,
    /// Joins of members of append relations, by those members.
    pub child_joins: HashMap<RelIds, RelOptInfo>,
    /// Self joins have been left out: their conditions may repeat.
    pub without_self_joins: bool,
}

/// A value of a sibling that a LATERAL entry uses.
#[derive(Clone, Debug)]
pub struct LateralParam {
    pub param: usize,
    pub value: Expr,
    pub relids: RelIds,
    pub user: usize,
}

/// OID of `pg_class`, the class of relations in dependency lists.
const PG_CLASS: Oid = Oid(1259);

/// The plan, and what the query levels took while they were planned.
///
/// `level_bytes`: where to begin counting the latter, if at all.
pub fn plan_statement<'a>(
    query: &'a Query,
    context: &'a PlannerContext<'a>,
    level_bytes: Option<u64>,
) -> PgResult<(PlannedStmt, Option<u64>)> {
    let mut global = Global {
        context,
        subplans: Vec::new(),
        exec_params: 0,
        range_table: Vec::new(),
        depends_on: Vec::new(),
        ctes: Vec::new(),
        has_modifying_cte: false,
        has_row_copies: false,
        sub_plan_count: 0,
        init_plan_count: 0,
        statement: query,
        parallel_allowed: None,
        run_conditions: Vec::new(),
        level_bytes,
    };
    let mut query = query.clone();
    crate::prep::virtual_columns::expand(&mut query, context.catalog)?;
    query_walk::strip_positions(&mut query);
    crate::prep::mark_placeholders(&mut query);
    let fraction = if context.cursor {
        context.settings.cursor_tuple_fraction
    } else {
        0.0
    };
    let (command, has_returning) = (query.command, !query.returning.is_empty());
    let planned = plan_level(&mut global, query, fraction)?;
    let plan = crate::parallel::force(&mut global, planned.plan);
    let mut stmt = PlannedStmt {
        command,
        has_returning: has_returning && command != CommandType::Select,
        has_modifying_cte: global.has_modifying_cte,
        plan,
        range_table: global.range_table,
        subplans: global.subplans,
        exec_params: global.exec_params,
        param_types: context.param_types.to_vec(),
        depends_on: global.depends_on,
        generic: context.bound_params.is_none(),
        transient: false,
        has_row_copies: global.has_row_copies,
    };
    number_plans(&mut stmt);
    Ok((stmt, global.level_bytes))
}

/// Plans one query level and everything inside it.
pub fn plan_level(global: &mut Global<'_>, query: Query, tuple_fraction: f64) -> PgResult<Planned> {
    let depth = global.ctes.len();
    global.ctes.push(HashMap::new());
    let result = plan_pushed_level(global, query, tuple_fraction, None);
    global.ctes.truncate(depth);
    result
}

/// Plans the query of a recursive WITH entry of that name.
pub fn plan_recursive_level(global: &mut Global<'_>, query: Query, name: &Arc<str>) -> PgResult<Planned> {
    let depth = global.ctes.len();
    global.ctes.push(HashMap::new());
    let result = plan_pushed_level(global, query, 0.0, Some(name.clone()));
    global.ctes.truncate(depth);
    result
}

fn plan_pushed_level(
    global: &mut Global<'_>,
    query: Query,
    tuple_fraction: f64,
    recursive_cte: Option<Arc<str>>,
) -> PgResult<Planned> {
    let Some(by_index) = crate::minmax::rewrite(&query, global.context)? else {
        return plan_as_it_is(global, query, tuple_fraction, recursive_cte);
    };
    let before = global.clone();
    let plain = plan_as_it_is(global, query, tuple_fraction, recursive_cte)?;
    let after = std::mem::replace(global, before);
    let first_subplan = global.subplans.len();
    let indexed = plan_as_it_is(global, by_index, tuple_fraction, None)?;
    let subplans = global.subplans.iter().skip(first_subplan);
    let cost: f64 = subplans.map(|s| s.plan.cost.total).sum();
    if cost < plain.plan.cost.total {
        return Ok(indexed);
    }
    *global = after;
    Ok(plain)
}

fn plan_as_it_is(
    global: &mut Global<'_>,
    query: Query,
    tuple_fraction: f64,
    recursive_cte: Option<Arc<str>>,
) -> PgResult<Planned> {
    let run_conditions = std::mem::take(&mut global.run_conditions);
    let mut root = Root {
        global,
        query,
        rt_offset: 0,
        rels: Vec::new(),
        special_joins: Vec::new(),
        join_clauses: Vec::new(),
        classes: Vec::new(),
        needed: Vec::new(),
        lateral_params: Vec::new(),
        init_plans: Vec::new(),
        tuple_fraction,
        recursive_cte,
        all_rels: RelIds::empty(),
        append_parents: Vec::new(),
        append_children: AppendMembers::default(),
        interest: OrderInterest::default(),
        parallel: false,
        partial_paths: Vec::new(),
        run_conditions,
        child_joins: HashMap::new(),
        without_self_joins: false,
    };
    crate::prep::preprocess(&mut root)?;
    root.publish_range_table();
    let planned = upper::plan_query(&mut root)?;
    if let Some(bytes) = root.global.level_bytes {
        root.global.level_bytes = Some(bytes + crate::memory::of_level(&root));
    }
    Ok(planned)
}

impl<'a> Root<'_, 'a> {
    pub fn context(&self) -> &'a PlannerContext<'a> {
        self.global.context
    }

    /// Adds this level's range table to the statement's; only the parts needed at run time are kept.
    fn publish_range_table(&mut self) {
        self.rt_offset = self.global.range_table.len();
        for rte in &self.query.range_table {
            let mut rte = rte.clone();
            match &mut rte.kind {
                RteKind::Relation { relation, .. } => self.global.depend(PG_CLASS, *relation),
                RteKind::Subquery { query, .. } => {
                    *query = Arc::new(Query::new(CommandType::Select));
                }
                RteKind::Join { alias_vars, .. } => alias_vars.clear(),
                _ => {}
            }
            self.global.range_table.push(rte);
        }
    }

    /// Forgets what has been derived from the query's FROM and conditions, because those have changed.
    pub fn forget_derived(&mut self) {
        self.rels.clear();
        self.special_joins.clear();
        self.join_clauses.clear();
        self.classes.clear();
        self.needed.clear();
        self.lateral_params.clear();
        self.all_rels = RelIds::empty();
        self.without_self_joins = true;
    }

    /// Whether paths of some relations are worth keeping for being quick with their first row: where the level may stop early, and for
    /// the inner side of semi and anti joins.
    ///
    /// PG: `consider_startup`, `consider_param_startup`.
    pub fn startup(&self, relids: &RelIds) -> Startup {
        let whole = self.whole_of(relids);
        let stops =
            |s: &SpecialJoin| matches!(s.join_type, JoinType::Semi | JoinType::Anti) && s.min_right == *whole;
        if self.tuple_fraction > 0.0 || self.special_joins.iter().any(stops) {
            Startup::Counts
        } else {
            Startup::Ignored
        }
    }

    /// The statement-wide range table index of an entry of this level.
    pub fn global_index(&self, rt_index: usize) -> usize {
        rt_index + self.rt_offset
    }

    /// The base relation of a range table entry.
    pub fn rel(&self, rt_index: usize) -> PgResult<&RelOptInfo> {
        self.rels
            .get(rt_index)
            .and_then(Option::as_ref)
            .ok_or_else(|| internal!("range table entry {rt_index} is not a base relation"))
    }

    /// The WITH query of a name, `levels_up` query levels outwards.
    pub fn cte(&self, name: &str, levels_up: usize) -> PgResult<&CteInfo> {
        let level = self.global.ctes.len().checked_sub(levels_up + 1);
        level
            .and_then(|l| self.global.ctes.get(l))
            .and_then(|m| m.get(name))
            .ok_or_else(|| internal!("WITH query \"{name}\" has no plan"))
    }
}

fn number_plans(stmt: &mut PlannedStmt) {
    let mut next = 0;
    number(&mut stmt.plan, &mut next);
    for sub in &mut stmt.subplans {
        number(&mut sub.plan, &mut next);
    }
}

fn number(plan: &mut nodes::Plan, next: &mut u32) {
    plan.id = *next;
    *next += 1;
    for child in upper::children_mut(plan) {
        number(child, next);
    }
}
