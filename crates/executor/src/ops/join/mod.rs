//! Joins: what all methods share.
//!
//! # How it works
//! A method proposes *candidate pairs* (position in the current outer batch, row number of the inner side) in outer order. A round
//! of pairs is tested against the join's own conditions; what survives becomes output according to the join type, outer rows
//! that found nothing in their place. Output columns are gathered once per round, and only those in use.

mod ahead;
pub(crate) mod hash;
pub(crate) mod hash_table;
mod hash_together;
pub(crate) mod merge;
pub(crate) mod nest_loop;

use std::sync::Arc;

use common::PgResult;
use expr::{ColumnPlace, ExprProgram, Inputs, Side};
use nodes::expr::VarSource;
use nodes::query::JoinType;
use nodes::{Expr, Plan};
use types::{Batch, Datum, PhysType, Selection, Vector};

use crate::compile::{Compiler, ScanMap, column_refs};
use crate::cx::Cx;
use crate::node::{Eval, Projection, Projector, filter_all};

/// No row: the columns are NULL.
const ABSENT: u32 = u32::MAX;

/// The compiled parts that every join has.
pub(crate) struct JoinShape {
    pub join_type: JoinType,
    pub inner_unique: bool,
    join_qual: Vec<Arc<ExprProgram>>,
    projection: Projection,
    outer_phys: Vec<PhysType>,
    inner_phys: Vec<PhysType>,
    /// Columns that the join's conditions read, and that its output reads: outer, inner.
    qual_columns: [Vec<usize>; 2],
    output_columns: [Vec<usize>; 2],
}

fn used<'e>(exprs: impl Iterator<Item = &'e Expr> + Clone) -> [Vec<usize>; 2] {
    let side = |source| {
        let mut refs = Vec::new();
        exprs.clone().for_each(|e| column_refs(e, source, &mut refs));
        refs.iter().filter_map(|a| usize::try_from(*a - 1).ok()).collect()
    };
    [side(VarSource::Outer), side(VarSource::Inner)]
}

impl JoinShape {
    pub fn compile(
        c: &Compiler<'_>,
        plan: &Plan,
        join_type: JoinType,
        inner_unique: bool,
        join_qual: &[Expr],
        [outer, inner]: [&Plan; 2],
    ) -> PgResult<JoinShape> {
        let output = plan.qual.iter().chain(plan.target_list.iter().map(|t| &t.expr));
        Ok(JoinShape {
            join_type,
            inner_unique,
            join_qual: c.programs(join_qual, ScanMap::None)?,
            projection: c.projection(plan, ScanMap::None)?,
            outer_phys: c.output_phys(outer)?,
            inner_phys: c.output_phys(inner)?,
            qual_columns: used(join_qual.iter()),
            output_columns: used(output),
        })
    }

    /// One match is all that counts for an outer row.
    pub fn first_match_only(&self) -> bool {
        self.inner_unique || matches!(self.join_type, JoinType::Semi | JoinType::Anti)
    }

    pub fn has_join_qual(&self) -> bool {
        !self.join_qual.is_empty()
    }

    /// Every pair is output, and nothing else.
    pub fn is_plain(&self) -> bool {
        self.join_type == JoinType::Inner && !self.has_join_qual()
    }

    /// Outer rows without a match appear in the output.
    pub fn keeps_outer(&self) -> bool {
        matches!(self.join_type, JoinType::Left | JoinType::Full | JoinType::Anti)
    }

    /// Which inner rows were matched must be known at the end or for the next pairs.
    pub fn tracks_inner(&self) -> bool {
        matches!(
            self.join_type,
            JoinType::Right | JoinType::Full | JoinType::RightSemi | JoinType::RightAnti
        )
    }

    /// Inner rows without a match come at the end.
    pub fn keeps_inner(&self) -> bool {
        matches!(
            self.join_type,
            JoinType::Right | JoinType::Full | JoinType::RightAnti
        )
    }
}

/// The rows of one side at positions; columns not in use are fillers.
fn gather(columns: &[Arc<Vector>], phys: &[PhysType], used: &[usize], rows: &[u32]) -> Vec<Arc<Vector>> {
    let filler = Arc::new(Vector::constant(PhysType::Bool, &Datum::Null, rows.len()));
    let mut out = vec![filler; phys.len()];
    // Every row once and in order: the columns as they are.
    let whole = (0..).zip(rows).all(|(k, &row)| row == k);
    for &i in used {
        out[i] = match columns.get(i) {
            Some(column) if whole && column.len() == rows.len() => Arc::clone(column),
            Some(column) => Arc::new(column.take_or_null(rows)),
            None => Arc::new(Vector::constant(phys[i], &Datum::Null, rows.len())),
        };
    }
    out
}

/// One round of candidate pairs.
#[derive(Default)]
pub(crate) struct Pairs {
    /// Positions in the outer batch, in the order of its rows.
    pub outer: Vec<u32>,
    pub inner: Vec<u32>,
    /// Outer positions touched in this round, in order, and whether all their pairs are known.
    pub rows: Vec<(u32, bool)>,
    /// Rows among them without a pair in this round.
    empty: usize,
}

impl Pairs {
    pub fn clear(&mut self) {
        self.outer.clear();
        self.inner.clear();
        self.rows.clear();
        self.empty = 0;
    }

    /// A candidate.
    #[inline]
    pub fn push(&mut self, outer: u32, inner: u32) {
        self.outer.push(outer);
        self.inner.push(inner);
    }

    /// Everything about an outer row is in.
    #[inline]
    pub fn finish_row(&mut self, outer: u32) {
        self.empty += usize::from(self.outer.last() != Some(&outer));
        self.rows.push((outer, true));
    }

    /// Leaves those candidates that are selected.
    pub fn retain(&mut self, kept: &Selection) {
        if let Selection::All(_) = kept {
            return;
        }
        self.outer = kept.iter().map(|k| self.outer[k]).collect();
        self.inner = kept.iter().map(|k| self.inner[k]).collect();
    }

    /// Upper bound of the output of the round.
    pub fn weight(&self) -> usize {
        self.outer.len() + self.empty
    }
}

/// Turns rounds of pairs into output.
pub(crate) struct PairJoin {
    pub shape: Arc<JoinShape>,
    qual: Vec<Eval>,
    projector: Projector,
    /// Columns of the current outer batch.
    pub outer: Vec<Arc<Vector>>,
    /// By position: has found a match.
    pub outer_matched: Vec<bool>,
    /// By inner row, for joins that keep inner rows.
    pub inner_matched: Vec<bool>,
}

impl PairJoin {
    /// The column of the outer side that an output column is, where outer rows are of no use without it ([`crate::node::Operator::narrow`]),
    /// and nothing is computed of them that could fail or have an effect.
    pub fn outer_column(&self, column: usize) -> Option<usize> {
        let harmless =
            self.shape.projection.is_harmless() && self.shape.join_qual.iter().all(|q| q.is_harmless());
        match self.projector.target_column(column).filter(|_| harmless)? {
            ColumnPlace {
                side: Side::Outer,
                index,
            } if !self.shape.keeps_inner() => Some(index),
            _ => None,
        }
    }

    pub fn new(shape: &Arc<JoinShape>) -> PairJoin {
        PairJoin {
            qual: Eval::all(&shape.join_qual),
            projector: shape.projection.open(),
            outer: Vec::new(),
            outer_matched: Vec::new(),
            inner_matched: Vec::new(),
            shape: Arc::clone(shape),
        }
    }

    /// Begins an outer batch.
    pub fn set_outer(&mut self, batch: &Batch) {
        self.outer = batch.columns.clone();
        self.outer_matched.clear();
        self.outer_matched.resize(batch.rows, false);
    }

    /// Which pairs pass the join's own conditions.
    fn survivors(&mut self, cx: &mut Cx<'_>, inner: &[Arc<Vector>], pairs: &Pairs) -> PgResult<Selection> {
        let all = Selection::All(pairs.outer.len());
        if self.qual.is_empty() || pairs.outer.is_empty() {
            return Ok(all);
        }
        let shape = &self.shape;
        let [o, i] = &shape.qual_columns;
        let outer = gather(&self.outer, &shape.outer_phys, o, &pairs.outer);
        let inner = gather(inner, &shape.inner_phys, i, &pairs.inner);
        let inputs = Inputs {
            rows: pairs.outer.len(),
            scan: &[],
            outer: &outer,
            inner: &inner,
        };
        filter_all(&mut self.qual, cx, inputs, &all)
    }

    /// Output of a round.
    pub fn round(
        &mut self,
        cx: &mut Cx<'_>,
        inner: &[Arc<Vector>],
        pairs: &Pairs,
    ) -> PgResult<Option<Batch>> {
        if self.shape.join_type == JoinType::Inner && self.qual.is_empty() {
            pairs
                .outer
                .iter()
                .for_each(|&row| self.outer_matched[row as usize] = true);
            return self.output(cx, inner, &pairs.outer, &pairs.inner);
        }
        let survivors = self.survivors(cx, inner, pairs)?;
        let join_type = self.shape.join_type;
        let keeps_outer = self.shape.keeps_outer();
        let (mut left, mut right) = (Vec::new(), Vec::new());
        let mut next = survivors.iter().peekable();
        for &(row, finished) in &pairs.rows {
            while let Some(&k) = next.peek() {
                if pairs.outer[k] != row {
                    break;
                }
                next.next();
                if self.emits(join_type, row, pairs.inner[k]) {
                    left.push(row);
                    right.push(pairs.inner[k]);
                }
            }
            if finished && keeps_outer && !self.outer_matched[row as usize] {
                left.push(row);
                right.push(ABSENT);
            }
        }
        self.output(cx, inner, &left, &right)
    }

    /// Output of a round of a join that is plain.
    pub fn plain_round(
        &mut self,
        cx: &mut Cx<'_>,
        inner: &[Arc<Vector>],
        pairs: &Pairs,
    ) -> PgResult<Option<Batch>> {
        let rows = self.outer_matched.len();
        // Most outer rows once: their columns stay as they are.
        let dense = pairs.outer.len() * 2 >= rows && pairs.outer.len() <= rows;
        match dense && pairs.outer.is_sorted_by(|a, b| a < b) {
            true => self.output_in_place(cx, inner, pairs, rows),
            false => self.output(cx, inner, &pairs.outer, &pairs.inner),
        }
    }

    /// Output at the positions of the outer rows.
    fn output_in_place(
        &mut self,
        cx: &mut Cx<'_>,
        inner: &[Arc<Vector>],
        pairs: &Pairs,
        rows: usize,
    ) -> PgResult<Option<Batch>> {
        let Some(&filler) = pairs.inner.first() else {
            return Ok(None);
        };
        let sel = match pairs.outer.len() == rows {
            true => Selection::All(rows),
            false => Selection::Rows(pairs.outer.iter().map(|&row| row as u16).collect()),
        };
        let mut right = vec![filler; rows];
        for (&position, &row) in pairs.outer.iter().zip(&pairs.inner) {
            right[position as usize] = row;
        }
        let inner = gather(
            inner,
            &self.shape.inner_phys,
            &self.shape.output_columns[1],
            &right,
        );
        let inputs = Inputs {
            rows,
            scan: &[],
            outer: &self.outer,
            inner: &inner,
        };
        self.projector.apply(cx, inputs, &sel)
    }

    /// Takes note of a match; true when the pair itself is output.
    #[inline]
    fn emits(&mut self, join_type: JoinType, outer: u32, inner: u32) -> bool {
        let first = !std::mem::replace(&mut self.outer_matched[outer as usize], true);
        let first_inner = match self.inner_matched.get_mut(inner as usize) {
            Some(matched) => !std::mem::replace(matched, true),
            None => true,
        };
        match join_type {
            JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => true,
            JoinType::Semi => first,
            JoinType::RightSemi => first_inner,
            JoinType::Anti | JoinType::RightAnti => false,
        }
    }

    fn output(
        &mut self,
        cx: &mut Cx<'_>,
        inner: &[Arc<Vector>],
        left: &[u32],
        right: &[u32],
    ) -> PgResult<Option<Batch>> {
        if left.is_empty() {
            return Ok(None);
        }
        let shape = &self.shape;
        let [o, i] = &shape.output_columns;
        let outer = gather(&self.outer, &shape.outer_phys, o, left);
        let inner = gather(inner, &shape.inner_phys, i, right);
        let inputs = Inputs {
            rows: left.len(),
            scan: &[],
            outer: &outer,
            inner: &inner,
        };
        self.projector.apply(cx, inputs, &Selection::All(left.len()))
    }

    /// Unmatched inner rows from `from` on, at most `max_rows`; where to go on.
    pub fn unmatched(
        &mut self,
        cx: &mut Cx<'_>,
        inner: &[Arc<Vector>],
        from: usize,
        max_rows: usize,
    ) -> PgResult<(Option<Batch>, usize)> {
        let mut right = Vec::new();
        let mut at = from;
        while at < self.inner_matched.len() && right.len() < max_rows {
            if !self.inner_matched[at] {
                right.push(at as u32);
            }
            at += 1;
        }
        let left = vec![ABSENT; right.len()];
        Ok((self.output(cx, inner, &left, &right)?, at))
    }
}

/// The keys of a batch of the inner side.
fn inner_keys(keys: &mut [Eval], cx: &mut Cx<'_>, batch: &Batch) -> PgResult<Vec<Arc<Vector>>> {
    let inputs = Inputs {
        rows: batch.rows,
        scan: &[],
        outer: &[],
        inner: &batch.columns,
    };
    keys.iter_mut()
        .map(|key| key.vector(cx, inputs, &batch.selection))
        .collect()
}
