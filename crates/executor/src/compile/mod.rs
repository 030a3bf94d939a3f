//! From [`Plan`] to compiled nodes.

pub(crate) mod by_key;
mod env;
mod facts;

pub use env::with_table_oid;
pub(crate) use env::{Env, NoColumns, ScanMap, kernel_function, session_function};
pub(crate) use facts::{ParamDeps, column_refs};

use std::sync::Arc;

use catalog::CatalogView;
use catalog::desc::RelationDesc;
use common::{AttrNumber, Oid, PgResult, pg_err, unsupported};
use expr::ExprProgram;
use nodes::plan::{AggSplit, AggStrategy};
use nodes::query::TargetEntry;
use nodes::{Expr, Plan, PlanNode, PlannedStmt};
use types::PhysType;

use crate::node::{Node, NodeKind, Projection};
use crate::ops;

/// What compiling a statement carries along.
pub(crate) struct Compiler<'a> {
    pub plan: &'a PlannedStmt,
    pub catalog: &'a dyn CatalogView,
}

impl<'a> Compiler<'a> {
    /// The code of a function, whoever made it.
    pub fn kernels_of(&self, func: common::Oid) -> PgResult<functions::Kernels> {
        env::kernels_of(self.catalog, func)
    }

    pub fn env<'e>(&self, scan: ScanMap<'e>) -> Env<'e>
    where
        'a: 'e,
    {
        Env {
            catalog: self.catalog,
            scan,
        }
    }

    pub fn program(&self, expr: &Expr, scan: ScanMap<'_>) -> PgResult<Arc<ExprProgram>> {
        Ok(Arc::new(ExprProgram::compile(expr, &self.env(scan))?))
    }

    pub fn programs(&self, exprs: &[Expr], scan: ScanMap<'_>) -> PgResult<Vec<Arc<ExprProgram>>> {
        exprs.iter().map(|e| self.program(e, scan)).collect()
    }

    /// The node's conditions and target list.
    pub fn projection(&self, plan: &Plan, scan: ScanMap<'_>) -> PgResult<Projection> {
        self.projection_of(&plan.qual, &plan.target_list, scan)
    }

    pub fn projection_of(
        &self,
        quals: &[Expr],
        targets: &[TargetEntry],
        scan: ScanMap<'_>,
    ) -> PgResult<Projection> {
        let filters = self.programs(quals, scan)?;
        let exprs = quals.iter().chain(targets.iter().map(|t| &t.expr));
        let by_rows = self.volatile_calls(exprs)? > 1;
        let targets = targets
            .iter()
            .map(|t| self.program(&t.expr, scan))
            .collect::<PgResult<_>>()?;
        Ok(Projection::new(filters, targets, by_rows))
    }

    /// How many volatile functions expressions call. Where there are several, each row is computed before the next one begins:
    /// `nextval('s'), currval('s')`.
    pub fn volatile_calls<'e>(&self, exprs: impl Iterator<Item = &'e Expr>) -> PgResult<usize> {
        let mut called = Vec::new();
        for e in exprs {
            nodes::walk::walk(e, &mut |e| {
                if let Expr::Func(f) = e {
                    called.push(f.func);
                }
                true
            });
        }
        let mut volatile = 0;
        for func in called {
            volatile += usize::from(self.is_volatile(func)?);
        }
        Ok(volatile)
    }

    fn is_volatile(&self, func: Oid) -> PgResult<bool> {
        if let Some(fact) = functions::facts::proc(func) {
            return Ok(fact.provolatile == b'v');
        }
        let found = self.catalog.function(func)?;
        Ok(found.is_some_and(|f| f.volatility == b'v'))
    }

    pub fn phys(&self, type_oid: Oid) -> PgResult<PhysType> {
        env::phys_of(self.catalog, type_oid)
    }

    /// Element type of an array type.
    pub fn element_type(&self, type_oid: Oid) -> PgResult<Oid> {
        use expr::CompileEnv;
        self.env(ScanMap::None)
            .element_type(type_oid)?
            .ok_or_else(|| common::internal!("type {type_oid} is not an array"))
    }

    /// Storage classes of what a plan hands out.
    pub fn output_phys(&self, plan: &Plan) -> PgResult<Vec<PhysType>> {
        plan.target_list
            .iter()
            .map(|t| self.phys(t.expr.type_oid()))
            .collect()
    }

    pub fn relation(&self, oid: Oid) -> PgResult<Arc<RelationDesc>> {
        self.catalog
            .relation(oid)?
            .ok_or_else(|| pg_err!(UNDEFINED_TABLE, "could not open relation with OID {oid}"))
    }

    /// The type of an input column (1-based).
    pub fn column_type(input: &Plan, column: AttrNumber) -> PgResult<Oid> {
        usize::try_from(column)
            .ok()
            .and_then(|c| c.checked_sub(1))
            .and_then(|i| input.target_list.get(i))
            .map(|t| t.expr.type_oid())
            .ok_or_else(|| common::internal!("input has no column {column}"))
    }

    /// Compiles a plan and everything below it.
    #[expect(clippy::too_many_lines, reason = "one arm per node kind")]
    pub fn node(&self, plan: &Plan) -> PgResult<Node> {
        let kind: Arc<dyn NodeKind> = match &plan.node {
            PlanNode::Result { input, one_time } => {
                ops::result::compile(self, plan, input.as_deref(), one_time)?
            }
            PlanNode::SeqScan { rt_index, relation } => {
                ops::seq_scan::compile(self, plan, *rt_index, *relation)?
            }
            PlanNode::ValuesScan { rows, rt_index } => {
                let scan = ops::values_scan::compile(self, plan, rows)?;
                ops::epq::replaceable(self, plan, *rt_index, scan)?
            }
            PlanNode::SubqueryScan { input, rt_index } => {
                let scan = ops::subquery_scan::compile(self, plan, input)?;
                ops::epq::replaceable(self, plan, *rt_index, scan)?
            }
            PlanNode::Limit {
                input,
                offset,
                count,
                ties,
            } => ops::limit::compile(
                self,
                plan,
                input,
                [offset.as_ref(), count.as_ref()],
                ties.as_deref(),
            )?,
            PlanNode::Sort { input, keys } => ops::sort::compile(self, plan.id, input, keys, 0)?,
            PlanNode::IncrementalSort {
                input,
                keys,
                presorted,
            } => ops::sort::compile(self, plan.id, input, keys, *presorted)?,
            PlanNode::Material { input } => ops::material::compile(self, plan.id, input)?,
            PlanNode::Memoize {
                input,
                keys,
                single_row,
                binary_mode,
                ..
            } => ops::memoize::compile(self, plan, input, keys, (*single_row, *binary_mode))?,
            PlanNode::Hash { input } => return self.node(input),
            PlanNode::Append { inputs, prune, .. } => {
                ops::append::compile(self, plan, inputs, prune.as_deref())?
            }
            PlanNode::MergeAppend {
                inputs, keys, prune, ..
            } => ops::merge_append::compile(self, inputs, keys, prune.as_deref())?,
            PlanNode::Unique { input, keys } => ops::unique::compile(self, input, keys)?,
            PlanNode::SetOp {
                op,
                all,
                keys,
                left,
                right,
                ..
            } => ops::set_op::compile(self, (*op, *all), keys, [left, right])?,
            PlanNode::Group { input, keys } => {
                ops::agg::compile(self, plan, input, AggStrategy::Sorted, AggSplit::Simple, keys)?
            }
            PlanNode::Agg {
                input,
                strategy,
                split,
                keys,
                passes,
                ..
            } if passes.is_empty() => ops::agg::compile(self, plan, input, *strategy, *split, keys)?,
            PlanNode::Agg {
                input, keys, passes, ..
            } => ops::agg::sets::compile(self, plan, input, keys, passes)?,
            PlanNode::CteScan { plan_id, rt_index } => {
                let scan = ops::cte_scan::compile(self, plan, *plan_id)?;
                ops::epq::replaceable(self, plan, *rt_index, scan)?
            }
            PlanNode::WorkTableScan { worktable_param, .. } => {
                ops::recursive_union::compile_scan(self, plan, *worktable_param)?
            }
            PlanNode::RecursiveUnion {
                initial,
                recursive,
                worktable_param,
                distinct,
            } => ops::recursive_union::compile(self, [initial, recursive], *worktable_param, distinct)?,
            PlanNode::NestLoop {
                join_type,
                join_qual,
                params,
                inner_unique,
                outer,
                inner,
            } => ops::join::nest_loop::compile(
                self,
                plan,
                (*join_type, *inner_unique, join_qual),
                params,
                [outer, inner],
            )?,
            PlanNode::HashJoin {
                join_type,
                clauses,
                join_qual,
                inner_unique,
                outer,
                inner,
            } => ops::join::hash::compile(
                self,
                plan,
                (*join_type, *inner_unique, join_qual),
                clauses,
                [outer, inner],
            )?,
            PlanNode::MergeJoin {
                join_type,
                clauses,
                join_qual,
                inner_unique,
                outer,
                inner,
            } => ops::join::merge::compile(
                self,
                plan,
                (*join_type, *inner_unique, join_qual),
                clauses,
                [outer, inner],
            )?,
            PlanNode::ModifyTable(m) => ops::modify_table::compile(self, plan, m)?,
            PlanNode::IndexScan(s) => ops::index::compile(self, plan, s, false)?,
            PlanNode::IndexOnlyScan(s) => ops::index::compile(self, plan, s, true)?,
            PlanNode::BitmapHeapScan {
                rt_index,
                relation,
                recheck,
                input,
            } => ops::index::compile_bitmap_heap(self, plan, (*rt_index, *relation), recheck, input)?,
            PlanNode::SampleScan {
                rt_index,
                relation,
                sample,
            } => ops::sample_scan::compile(self, plan, (*rt_index, *relation), sample)?,
            PlanNode::TidScan {
                rt_index,
                relation,
                tids,
            } => ops::tid_scan::compile(self, plan, (*rt_index, *relation), tids)?,
            PlanNode::TidRangeScan {
                rt_index,
                relation,
                quals,
            } => ops::tid_range_scan::compile(self, plan, (*rt_index, *relation), quals)?,
            PlanNode::FunctionScan {
                rt_index,
                functions,
                ordinality,
            } => {
                let scan = ops::function_scan::compile(self, plan, *rt_index, functions, *ordinality)?;
                ops::epq::replaceable(self, plan, *rt_index, scan)?
            }
            PlanNode::ProjectSet { input } => ops::project_set::compile(self, plan, input)?,
            PlanNode::LockRows { input, row_marks, .. } => {
                ops::lock_rows::compile(self, plan, input, row_marks)?
            }
            PlanNode::WindowAgg { .. } => ops::window::compile(self, plan)?,
            PlanNode::Gather {
                input,
                workers,
                keys,
                single_copy,
                ..
            } => ops::gather::compile(self, plan, input, (*workers, *single_copy), keys)?,
            other => {
                return Err(unsupported!(
                    "plan node {} is not supported yet",
                    node_name(other)
                ));
            }
        };
        Ok(Node {
            id: plan.id,
            kind,
            phys: self.output_phys(plan)?.into(),
            deps: ParamDeps::of_plan(plan, &self.plan.subplans),
        })
    }
}

/// The name for messages.
fn node_name(node: &PlanNode) -> String {
    let text = format!("{node:?}");
    text.split(|c: char| !c.is_alphanumeric())
        .next()
        .unwrap_or_default()
        .to_owned()
}
