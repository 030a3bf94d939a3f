//! Partition pruning: what the conditions of a query say of partition keys, and which partitions that leaves.
//!
//! PG: src/backend/partitioning/partprune.c, `gen_partprune_steps`.
//!
//! # How it works
//! Conditions `key OP value` become steps over key columns, for each partitioned table of a tree; `catalog::prune` decides by them. Values
//! that are constants count at once ([`surviving_leaves`]); the plan keeps the steps where others may exclude more ([`at_run_time`]).

use std::collections::HashMap;
use std::sync::Arc;

use catalog::RelationDesc;
use catalog::partition::{PartitionKeyColumn, Partitions};
use catalog::prune::{Known, partitions_to_read};
use common::{Oid, PgResult};
use nodes::expr::{BoolOp, BoolTestKind, Expr};
use nodes::partition::PartitionStrategy;
use nodes::prune::{PartitionPrune, PruneLevel, PruneMember, PruneStep};
use types::Datum;

use crate::exprs::facts;
use crate::joininfo::{BTREE, EQUAL, HASH, strategy_in};
use crate::root::Root;

/// The leaf partitions (OIDs) of a partitioned table that may satisfy the conditions, over range table entry `rt_index`.
pub fn surviving_leaves(
    root: &Root<'_, '_>,
    table: &Arc<RelationDesc>,
    rt_index: usize,
    clauses: &[Expr],
) -> PgResult<Vec<Oid>> {
    let mut tree = Tree::new(root, table, rt_index, clauses);
    tree.collect(table)?;
    Ok(tree.leaves)
}

/// The partitions (OIDs) of one level that may hold rows which satisfy the conditions.
pub fn surviving_partitions(
    root: &Root<'_, '_>,
    table: &Arc<RelationDesc>,
    rt_index: usize,
    clauses: &[Expr],
) -> PgResult<Vec<Oid>> {
    let mut tree = Tree::new(root, table, rt_index, clauses);
    let (partitions, _, keep) = tree.level(table)?;
    let kept = partitions.parts.iter().zip(keep).filter(|(_, kept)| *kept);
    Ok(kept.map(|(part, _)| part.oid).collect())
}

/// What an Append over these leaf partitions asks when it runs; `None`: nothing that planning does not know.
pub fn at_run_time(
    root: &Root<'_, '_>,
    table: &Arc<RelationDesc>,
    rt_index: usize,
    clauses: &[Expr],
    inputs: &[Oid],
) -> PgResult<Option<PartitionPrune>> {
    let mut tree = Tree::new(root, table, rt_index, clauses);
    tree.collect(table)?;
    let mut prune = tree.prune;
    if prune.values.iter().all(|v| matches!(v, Expr::Const(_))) {
        return Ok(None);
    }
    let places: HashMap<Oid, usize> = inputs.iter().enumerate().map(|(at, oid)| (*oid, at)).collect();
    for level in &mut prune.levels {
        level.members.retain_mut(|(oid, member)| match member {
            PruneMember::Level(_) => true,
            PruneMember::Input(at) => match places.get(oid) {
                Some(input) => {
                    *at = *input;
                    true
                }
                None => false,
            },
        });
    }
    Ok(Some(prune))
}

/// The steps of a tree of partitioned tables, and the leaves that constants leave.
struct Tree<'r, 'g, 'a> {
    root: &'r Root<'g, 'a>,
    top: Arc<RelationDesc>,
    rt_index: usize,
    clauses: &'r [Expr],
    prune: PartitionPrune,
    leaves: Vec<Oid>,
}

impl<'r, 'g, 'a> Tree<'r, 'g, 'a> {
    fn new(
        root: &'r Root<'g, 'a>,
        top: &Arc<RelationDesc>,
        rt_index: usize,
        clauses: &'r [Expr],
    ) -> Tree<'r, 'g, 'a> {
        Tree {
            root,
            top: top.clone(),
            rt_index,
            clauses,
            prune: PartitionPrune::default(),
            leaves: Vec::new(),
        }
    }

    /// The partitions of a table, what the conditions say of its keys, and which partitions constants leave.
    fn level(&mut self, table: &Arc<RelationDesc>) -> PgResult<(Arc<Partitions>, Vec<PruneStep>, Vec<bool>)> {
        let partitions = self.root.context().catalog.partitions(table.oid)?;
        // Key columns in terms of the columns of the table in the query.
        let columns = partitions.key.columns.iter();
        let keys: Vec<Expr> = columns
            .map(|c| key_expr(c, &self.top, table, self.rt_index))
            .collect();
        let mut steps = Steps {
            root: self.root,
            partitions: &partitions,
            keys: &keys,
            values: std::mem::take(&mut self.prune.values),
        };
        let found = steps.all(self.clauses)?;
        self.prune.values = steps.values;
        let datums: Vec<Option<Datum>> = self.prune.values.iter().map(constant).collect();
        let known = Known {
            exprs: &self.prune.values,
            datums: &datums,
        };
        let keep = partitions_to_read(&partitions, &found, known)?;
        Ok((partitions, found, keep))
    }

    /// Adds a partitioned table; its place among the levels.
    fn collect(&mut self, table: &Arc<RelationDesc>) -> PgResult<usize> {
        let catalog = self.root.context().catalog;
        let (partitions, found, keep) = self.level(table)?;
        let place = self.prune.levels.len();
        self.prune.levels.push(PruneLevel {
            table: table.oid,
            steps: found,
            members: Vec::new(),
        });
        for (part, _) in partitions.parts.iter().zip(keep).filter(|(_, kept)| *kept) {
            let Some(child) = catalog.relation(part.oid)? else {
                continue;
            };
            let member = if child.relkind == b'p' {
                PruneMember::Level(self.collect(&child)?)
            } else {
                self.leaves.push(child.oid);
                PruneMember::Input(0)
            };
            self.prune.levels[place].members.push((part.oid, member));
        }
        Ok(place)
    }
}

fn constant(value: &Expr) -> Option<Datum> {
    match value {
        Expr::Const(c) => Some(c.value.clone()),
        _ => None,
    }
}

pub fn key_expr(
    column: &PartitionKeyColumn,
    top: &RelationDesc,
    level: &RelationDesc,
    rt_index: usize,
) -> Expr {
    let to_top = |attno: i16| -> i16 {
        level
            .column(attno)
            .and_then(|c| top.column_by_name(&c.name))
            .map_or(attno, |c| c.attno)
    };
    match &column.expr {
        Some(e) => {
            let mut e = (**e).clone();
            crate::exprs::query_walk::strip_expr(&mut e);
            crate::exprs::query_walk::offset_rels(&mut e, 0, rt_index - 1);
            nodes::walk::rewrite(&mut e, &mut |x| {
                if let Expr::Var(v) = x {
                    v.attno = to_top(v.attno);
                }
            });
            e
        }
        None => crate::paths::column_expr(top, rt_index, to_top(column.attno)),
    }
}

/// Conditions as steps over the keys of one table.
struct Steps<'r, 'g, 'a> {
    root: &'r Root<'g, 'a>,
    partitions: &'r Partitions,
    keys: &'r [Expr],
    values: Vec<Expr>,
}

impl Steps<'_, '_, '_> {
    /// What all clauses together say.
    fn all(&mut self, clauses: &[Expr]) -> PgResult<Vec<PruneStep>> {
        let mut out = Vec::new();
        for clause in clauses {
            match clause {
                Expr::Bool(b) if b.op == BoolOp::Or => {
                    let mut arms = Vec::new();
                    for arm in &b.args {
                        let mut parts = Vec::new();
                        facts::flatten_and(arm.clone(), &mut parts);
                        arms.push(self.all(&parts)?);
                    }
                    // An arm that says nothing keeps everything.
                    if arms.iter().all(|arm| !arm.is_empty()) {
                        out.push(PruneStep::Or(arms));
                    }
                }
                Expr::Bool(b) if b.op == BoolOp::And => out.extend(self.all(&b.args)?),
                other => out.extend(self.step(other)?),
            }
        }
        Ok(out)
    }

    /// A place for a value that is the same for all rows; `None` where it may not be.
    fn place(&mut self, value: &Expr) -> PgResult<Option<usize>> {
        let value = facts::strip_relabel(value);
        let catalog = self.root.context().catalog;
        let differs = nodes::walk::any(value, &mut |e| matches!(e, Expr::Var(_)));
        let waits = |e: &Expr| match e {
            Expr::SubLink(_) => true,
            Expr::SubPlan(s) => !s.params.is_empty() || s.test.is_some(),
            _ => false,
        };
        if differs || nodes::walk::any(value, &mut |e| waits(e)) || facts::is_volatile(value, catalog)? {
            return Ok(None);
        }
        if let Some(at) = self.values.iter().position(|v| v == value) {
            return Ok(Some(at));
        }
        self.values.push(value.clone());
        Ok(Some(self.values.len() - 1))
    }

    /// What a clause says of key columns; nothing when it says nothing usable.
    fn step(&mut self, clause: &Expr) -> PgResult<Option<PruneStep>> {
        if matches!(clause, Expr::Const(c) if c.value.as_bool() != Some(true)) {
            return Ok(Some(PruneStep::Never));
        }
        for column in 0..self.keys.len() {
            let found = match clause {
                Expr::Func(_) => self.comparison(clause, column)?,
                Expr::ScalarArrayOp(_) => self.array(clause, column)?,
                _ => self.test(clause, column),
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn is_key(&self, e: &Expr, column: usize) -> bool {
        facts::strip_relabel(e) == facts::strip_relabel(&self.keys[column])
    }

    /// `key OP value`, either way round.
    fn comparison(&mut self, clause: &Expr, column: usize) -> PgResult<Option<PruneStep>> {
        let (Expr::Func(f), Some((op, left, right))) = (clause, facts::binary_op(clause)) else {
            return Ok(None);
        };
        let (op, value) = if self.is_key(left, column) {
            (op, right)
        } else if self.is_key(right, column) {
            match self.root.context().catalog.operator(op)? {
                Some(o) if o.commutator.is_valid() => (o.commutator, left),
                _ => return Ok(None),
            }
        } else {
            return Ok(None);
        };
        let key = &self.partitions.key.columns[column];
        if key.collation.is_valid() && f.input_collation != key.collation {
            return Ok(None);
        }
        // No operator of a key is true of NULL.
        if constant(facts::strip_relabel(value)).is_some_and(|v| v.is_null()) {
            return Ok(Some(PruneStep::Never));
        }
        let Some(strategy) = self.strategy(op, key)? else {
            return Ok(None);
        };
        let value = self.place(value)?;
        Ok(value.map(|value| PruneStep::Compare {
            column,
            strategy,
            value,
        }))
    }

    /// `key = ANY (array)`, `key <> ALL (array)`.
    fn array(&mut self, clause: &Expr, column: usize) -> PgResult<Option<PruneStep>> {
        let Expr::ScalarArrayOp(s) = clause else {
            return Ok(None);
        };
        let key = &self.partitions.key.columns[column];
        if !self.is_key(&s.scalar, column) || key.collation.is_valid() && s.input_collation != key.collation {
            return Ok(None);
        }
        let Some(strategy) = self.strategy(s.op, key)? else {
            return Ok(None);
        };
        if !matches!((s.use_or, strategy), (true, 3) | (false, 6)) {
            return Ok(None);
        }
        let array = self.place(&s.array)?;
        Ok(array.map(|array| match s.use_or {
            true => PruneStep::Any { column, array },
            false => PruneStep::Differs { column, array },
        }))
    }

    /// Tests for NULL, and of a boolean key.
    fn test(&self, clause: &Expr, column: usize) -> Option<PruneStep> {
        let is = |value| PruneStep::Is { column, value };
        let null = |is_null| PruneStep::Null { column, is_null };
        match clause {
            Expr::NullTest(n) if !n.arg_is_row && self.is_key(&n.arg, column) => Some(null(!n.is_not)),
            Expr::Var(_)
                if self.partitions.key.columns[column].type_ref.oid == types::oids::BOOL
                    && self.is_key(clause, column) =>
            {
                Some(is(true))
            }
            Expr::Bool(b)
                if b.op == BoolOp::Not && b.args.first().is_some_and(|a| self.is_key(a, column)) =>
            {
                Some(is(false))
            }
            Expr::BooleanTest(t) if self.is_key(&t.arg, column) => match t.kind {
                BoolTestKind::IsTrue => Some(is(true)),
                BoolTestKind::IsFalse => Some(is(false)),
                BoolTestKind::IsNotTrue => Some(PruneStep::Or(vec![vec![is(false)], vec![null(true)]])),
                BoolTestKind::IsNotFalse => Some(PruneStep::Or(vec![vec![is(true)], vec![null(true)]])),
                BoolTestKind::IsUnknown => Some(null(true)),
                BoolTestKind::IsNotUnknown => Some(null(false)),
            },
            _ => None,
        }
    }

    fn strategy(&self, op: Oid, column: &PartitionKeyColumn) -> PgResult<Option<u8>> {
        let catalog = self.root.context().catalog;
        let hash = self.partitions.key.strategy == PartitionStrategy::Hash;
        let method = if hash { HASH } else { BTREE };
        let in_family = |op: Oid| strategy_in(self.root, op, method, column.opfamily);
        if let Some(found) = in_family(op)? {
            return Ok(Some(found));
        }
        if hash || self.partitions.key.strategy == PartitionStrategy::Range {
            return Ok(None);
        }
        // `<>` is in no family; its negator is.
        match catalog.operator(op)? {
            Some(o) if o.negator.is_valid() && in_family(o.negator)? == Some(EQUAL) => Ok(Some(6)),
            _ => Ok(None),
        }
    }
}
