//! COPY's way into a table.

use std::collections::HashMap;
use std::sync::Arc;

use catalog::desc::RelationDesc;
use common::{Oid, PgError, PgResult, RowId, internal};
use nodes::plan::{Plan, PlanCost, PlanNode, PlannedStmt};
use nodes::query::CommandType;
use types::{Datum, Vector};

use crate::compile::Compiler;
use crate::constants::RowRuntime;
use crate::context::ExecContext;
use crate::modify::{OpenTarget, Router, TargetDef, partition_error};

/// What shall become of rows given by columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnsAction {
    /// They are stored.
    Insert,
    /// Only constraints are checked.
    Check,
}

/// A table opened for inserting.
pub struct InsertTarget {
    root: Arc<RelationDesc>,
    router: Router,
    /// The table itself, or the partitions met so far.
    targets: HashMap<Oid, OpenTarget>,
}

impl InsertTarget {
    /// Opens a table and its indexes and compiles its constraints.
    pub fn open(cx: &ExecContext<'_>, desc: &Arc<RelationDesc>) -> PgResult<InsertTarget> {
        let mut opened = InsertTarget {
            root: Arc::clone(desc),
            router: Router::default(),
            targets: HashMap::new(),
        };
        if desc.relkind != b'p' {
            opened.target(cx, desc.oid)?;
        }
        Ok(opened)
    }

    fn target(&mut self, cx: &ExecContext<'_>, oid: Oid) -> PgResult<&mut OpenTarget> {
        use std::collections::hash_map::Entry;
        match self.targets.entry(oid) {
            Entry::Occupied(found) => Ok(found.into_mut()),
            Entry::Vacant(free) => {
                crate::modify::lock_for_writing(cx, oid)?;
                let plan = no_plan();
                let compiler = Compiler {
                    plan: &plan,
                    catalog: cx.catalog,
                };
                let def = Arc::new(TargetDef::compile(&compiler, oid)?);
                Ok(free.insert(OpenTarget::open(cx, &def)?))
            }
        }
    }

    /// Inserts one row: a datum per column (dropped ones NULL), defaults applied by the caller. Generated columns are computed
    /// and written into `values`.
    pub fn insert(&mut self, cx: &ExecContext<'_>, values: &mut [Datum]) -> PgResult<RowId> {
        let mut rt = RowRuntime(cx);
        let root = Arc::clone(&self.root);
        if root.relkind != b'p' {
            let target = self.target(cx, root.oid)?;
            target.generate(&mut rt, values)?;
            target.check(cx, &mut rt, values)?;
            if root.is_partition && !self.router.fits(cx, &mut rt, &root, values, None)? {
                return Err(partition_error(cx, &root, values));
            }
            return self.target(cx, root.oid)?.insert(cx, &mut rt, values);
        }
        if root.is_partition && !self.router.fits(cx, &mut rt, &root, values, None)? {
            return Err(partition_error(cx, &root, values));
        }
        let (leaf, mut row) = self.router.route(cx, &mut rt, &root, values)?;
        let target = self.target(cx, leaf.oid)?;
        target.generate(&mut rt, &mut row)?;
        target
            .check(cx, &mut rt, &row)
            .map_err(|e| crate::modify::seen_from(cx, &root, values, e))?;
        target.insert(cx, &mut rt, &row)
    }

    /// True for a table that takes rows by columns: no partitions.
    pub fn takes_columns(&self) -> bool {
        self.root.relkind != b'p' && !self.root.is_partition
    }

    /// How many rows at once are best.
    pub fn batch_rows(&mut self, cx: &ExecContext<'_>) -> PgResult<usize> {
        let oid = self.root.oid;
        Ok(self.target(cx, oid)?.table.rows_to_chunk_end())
    }

    /// Inserts rows given by columns, or only checks them. An error comes with the number of its row.
    pub fn insert_columns(
        &mut self,
        cx: &ExecContext<'_>,
        columns: &[Arc<Vector>],
        rows: usize,
        what: ColumnsAction,
    ) -> Result<(), (usize, Box<PgError>)> {
        let mut rt = RowRuntime(cx);
        let oid = self.root.oid;
        let target = self.target(cx, oid).map_err(|e| (0, e))?;
        let mut stored = columns.to_vec();
        if !matches!(target.check_columns(&mut rt, &mut stored, rows), Ok(true)) {
            return self.check_rows(cx, columns, rows);
        }
        match what {
            ColumnsAction::Insert => target.insert_columns(cx, &mut rt, &stored, rows).map(drop),
            ColumnsAction::Check => Ok(()),
        }
    }

    /// Finds the row that breaks a rule.
    fn check_rows(
        &mut self,
        cx: &ExecContext<'_>,
        columns: &[Arc<Vector>],
        rows: usize,
    ) -> Result<(), (usize, Box<PgError>)> {
        let mut rt = RowRuntime(cx);
        let oid = self.root.oid;
        let target = self.target(cx, oid).map_err(|e| (0, e))?;
        for row in 0..rows {
            let mut values: Vec<Datum> = columns.iter().map(|c| c.datum(row)).collect();
            target.generate(&mut rt, &mut values).map_err(|e| (row, e))?;
            target.check(cx, &mut rt, &values).map_err(|e| (row, e))?;
        }
        Err((
            0,
            internal!("rows together break a rule that none breaks by itself"),
        ))
    }

    /// After the last row: foreign keys and deferrable constraints.
    pub fn finish(&mut self, cx: &ExecContext<'_>) -> PgResult<()> {
        crate::modify::after::fire(cx)
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
        has_row_copies: false,
    }
}
