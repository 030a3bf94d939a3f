//! COPY's way into a table.

use std::sync::Arc;

use catalog::desc::RelationDesc;
use common::{PgResult, RowId};
use nodes::plan::{Plan, PlanCost, PlanNode, PlannedStmt};
use nodes::query::CommandType;
use types::Datum;

use crate::compile::Compiler;
use crate::constants::RowRuntime;
use crate::context::ExecContext;
use crate::modify::{OpenTarget, TargetDef};

/// A table opened for inserting.
pub struct InsertTarget {
    target: OpenTarget,
}

impl InsertTarget {
    /// Opens a table and its indexes and compiles its constraints.
    pub fn open(cx: &ExecContext<'_>, desc: &Arc<RelationDesc>) -> PgResult<InsertTarget> {
        let plan = no_plan();
        let compiler = Compiler {
            plan: &plan,
            catalog: cx.catalog,
        };
        let def = Arc::new(TargetDef::compile(&compiler, desc.oid)?);
        Ok(InsertTarget {
            target: OpenTarget::open(cx, &def)?,
        })
    }

    /// Inserts one row: a datum per column (dropped ones NULL), defaults applied by the caller. Generated columns are computed
    /// and written into `values`.
    pub fn insert(&mut self, cx: &ExecContext<'_>, values: &mut [Datum]) -> PgResult<RowId> {
        let mut rt = RowRuntime(cx);
        self.target.generate(&mut rt, values)?;
        self.target.check(cx, &mut rt, values)?;
        self.target.insert(cx, &mut rt, values)
    }

    /// After the last row: checks of deferrable constraints.
    pub fn finish(&mut self, cx: &ExecContext<'_>) -> PgResult<()> {
        self.target.finish(cx)
    }
}

/// A statement without a plan, for compiling single expressions.
pub(crate) fn no_plan() -> PlannedStmt {
    PlannedStmt {
        command: CommandType::Select,
        has_returning: false,
        has_modifying_cte: false,
        plan: Plan {
            id: 0,
            cost: PlanCost::default(),
            target_list: Vec::new(),
            qual: Vec::new(),
            init_plans: Vec::new(),
            parallel_aware: false,
            disabled_nodes: 0,
            node: PlanNode::Result {
                input: None,
                one_time: Vec::new(),
            },
        },
        range_table: Vec::new(),
        subplans: Vec::new(),
        exec_params: 0,
        param_types: Vec::new(),
        depends_on: Vec::new(),
        generic: true,
        transient: false,
    }
}
