//! Partitions, peer groups and frames.

use std::sync::Arc;

use common::{Oid, PgResult, internal, pg_err};
use expr::{ExprProgram, RowInputs};
use nodes::expr::{CoercionForm, Expr, FuncExpr, Var, VarSource};
use nodes::query::{FrameBound, FrameExclusion, FrameUnits};
use types::settings::TypeRef;
use types::{Datum, Vector};

use crate::compile::{Compiler, ScanMap};
use crate::cx::Cx;
use crate::node::Eval;

/// Consecutive rows with equal partition columns.
pub(crate) struct Partition {
    pub start: usize,
    pub end: usize,
    /// Peer group of each row.
    pub group: Vec<usize>,
    /// First row of each peer group, and the end after the last.
    pub groups: Vec<usize>,
}

impl Partition {
    /// A partition with its first row.
    pub fn new(start: usize) -> Partition {
        Partition {
            start,
            end: start + 1,
            group: vec![0],
            groups: vec![start],
        }
    }

    /// One more row.
    pub fn push(&mut self, is_peer: bool) {
        if !is_peer {
            self.groups.push(self.end);
        }
        self.group.push(self.groups.len() - 1);
        self.end += 1;
    }

    /// No more rows.
    pub fn finish(&mut self) {
        self.groups.push(self.end);
    }

    pub fn len(&self) -> usize {
        self.end - self.start
    }

    pub fn group_of(&self, row: usize) -> usize {
        self.group[row - self.start]
    }

    /// First peer of a row, and the end of its peers.
    pub fn peers(&self, row: usize) -> (usize, usize) {
        let g = self.group_of(row);
        (self.groups[g], self.groups[g + 1])
    }
}

/// A frame clause, compiled.
pub(crate) struct FrameDef {
    units: FrameUnits,
    bounds: [Bound<Arc<ExprProgram>>; 2],
    exclusion: FrameExclusion,
    /// RANGE with offsets.
    range: Option<RangeDef>,
}

/// How values of the order column compare at a distance.
struct RangeDef {
    /// Input column that orders.
    column: usize,
    /// `in_range(value, base, offset, sub, less)` of start and end.
    tests: [Option<Arc<ExprProgram>>; 2],
    nulls_first: bool,
}

#[derive(Clone)]
enum Bound<T> {
    UnboundedPreceding,
    Preceding(T),
    CurrentRow,
    Following(T),
    UnboundedFollowing,
}

/// A frame clause with its offsets known.
pub(crate) struct Frame {
    units: FrameUnits,
    start: Bound<i64>,
    end: Bound<i64>,
    exclusion: FrameExclusion,
    /// For RANGE with offsets: frames by row, found in advance.
    ranges: Option<RangeFrame>,
}

/// RANGE with offsets, open.
struct RangeFrame {
    column: usize,
    tests: [Option<(Eval, Datum)>; 2],
    nulls_first: bool,
}

/// What planner and analyzer say of RANGE with offsets: functions of start and end, collation, ascending, NULLs first.
pub(crate) type InRange = (Oid, Oid, Oid, bool, bool);

/// Which input column orders, and its type.
pub(crate) type OrderColumn = (usize, TypeRef);

impl FrameDef {
    pub fn compile(
        c: &Compiler<'_>,
        units: FrameUnits,
        bounds: [&FrameBound; 2],
        exclusion: FrameExclusion,
        in_range: Option<(InRange, OrderColumn)>,
    ) -> PgResult<FrameDef> {
        let bound = |b: &FrameBound| -> PgResult<Bound<Arc<ExprProgram>>> {
            Ok(match b {
                FrameBound::UnboundedPreceding => Bound::UnboundedPreceding,
                FrameBound::CurrentRow => Bound::CurrentRow,
                FrameBound::UnboundedFollowing => Bound::UnboundedFollowing,
                FrameBound::Preceding(e) => Bound::Preceding(c.program(e, ScanMap::None)?),
                FrameBound::Following(e) => Bound::Following(c.program(e, ScanMap::None)?),
            })
        };
        let range = match (units, in_range) {
            (FrameUnits::Range, Some((facts, order))) => Some(range_def(c, bounds, facts, order)?),
            _ => None,
        };
        Ok(FrameDef {
            units,
            bounds: [bound(bounds[0])?, bound(bounds[1])?],
            exclusion,
            range,
        })
    }

    pub fn open(&self, cx: &mut Cx<'_>) -> PgResult<Frame> {
        let [start, end] = &self.bounds;
        let mut frame = Frame {
            units: self.units,
            start: Bound::UnboundedPreceding,
            end: Bound::UnboundedFollowing,
            exclusion: self.exclusion,
            ranges: None,
        };
        let Some(range) = &self.range else {
            frame.start = known(cx, start, "starting")?;
            frame.end = known(cx, end, "ending")?;
            return Ok(frame);
        };
        let mut tests = [None, None];
        for (k, (bound, which)) in [(start, "starting"), (end, "ending")].into_iter().enumerate() {
            let (Bound::Preceding(e) | Bound::Following(e)) = bound else {
                continue;
            };
            let offset = Eval::new(e).value(cx)?;
            if offset.is_null() {
                return Err(null_offset(which));
            }
            let Some(test) = &range.tests[k] else {
                return Err(internal!("RANGE with offset lacks its in_range function"));
            };
            tests[k] = Some((Eval::new(test), offset));
        }
        let placeholder = |b: &Bound<Arc<ExprProgram>>| match b {
            Bound::UnboundedPreceding => Bound::UnboundedPreceding,
            Bound::UnboundedFollowing => Bound::UnboundedFollowing,
            Bound::CurrentRow => Bound::CurrentRow,
            Bound::Preceding(_) => Bound::Preceding(0),
            Bound::Following(_) => Bound::Following(0),
        };
        frame.start = placeholder(start);
        frame.end = placeholder(end);
        frame.ranges = Some(RangeFrame {
            column: range.column,
            tests,
            nulls_first: range.nulls_first,
        });
        Ok(frame)
    }
}

fn range_def(
    c: &Compiler<'_>,
    bounds: [&FrameBound; 2],
    (start, end, collation, ascending, nulls_first): InRange,
    (column, order): OrderColumn,
) -> PgResult<RangeDef> {
    let test = |bound: &FrameBound, func: Oid, is_end: bool| -> PgResult<Option<Arc<ExprProgram>>> {
        let (preceding, offset) = match bound {
            FrameBound::Preceding(e) => (true, e.type_ref()),
            FrameBound::Following(e) => (false, e.type_ref()),
            _ => return Ok(None),
        };
        let (sub, less) = if ascending {
            (preceding, is_end)
        } else {
            (!preceding, !is_end)
        };
        let call = Expr::Func(FuncExpr {
            func,
            op: Oid::INVALID,
            args: vec![
                inner(1, order, collation),
                inner(2, order, collation),
                inner(3, offset, Oid::INVALID),
                Expr::bool_const(sub),
                Expr::bool_const(less),
            ],
            result: TypeRef::plain(types::oids::BOOL),
            returns_set: false,
            variadic: false,
            form: CoercionForm::ExplicitCall,
            input_collation: collation,
            collation: Oid::INVALID,
            span: common::Span::NONE,
        });
        Ok(Some(c.program(&call, ScanMap::None)?))
    };
    Ok(RangeDef {
        column,
        tests: [test(bounds[0], start, false)?, test(bounds[1], end, true)?],
        nulls_first,
    })
}

fn inner(attno: i16, type_ref: TypeRef, collation: Oid) -> Expr {
    Expr::Var(Var {
        source: VarSource::Inner,
        attno,
        type_ref,
        collation,
        nulling_rels: nodes::RelIds::empty(),
        returning: Default::default(),
        span: common::Span::NONE,
    })
}

fn null_offset(which: &str) -> Box<common::PgError> {
    pg_err!(NULL_VALUE_NOT_ALLOWED, "frame {which} offset must not be null")
}

fn known(cx: &mut Cx<'_>, bound: &Bound<Arc<ExprProgram>>, which: &str) -> PgResult<Bound<i64>> {
    let mut offset = |e: &Arc<ExprProgram>| match Eval::new(e).value(cx)?.as_i64() {
        None => Err(null_offset(which)),
        Some(n) if n < 0 => Err(pg_err!(
            INVALID_PRECEDING_OR_FOLLOWING_SIZE,
            "frame {which} offset must not be negative"
        )),
        Some(n) => Ok(n),
    };
    Ok(match bound {
        Bound::UnboundedPreceding => Bound::UnboundedPreceding,
        Bound::CurrentRow => Bound::CurrentRow,
        Bound::UnboundedFollowing => Bound::UnboundedFollowing,
        Bound::Preceding(e) => Bound::Preceding(offset(e)?),
        Bound::Following(e) => Bound::Following(offset(e)?),
    })
}

/// The frames of all rows of a partition.
pub(crate) struct Frames {
    bounds: Vec<(usize, usize)>,
    start: usize,
    exclusion: FrameExclusion,
    /// The frame clause does not say UNBOUNDED PRECEDING.
    moves: bool,
}

impl Frames {
    /// True when the first row of frames moves forward, and none is excluded: what a moving aggregate is for.
    pub fn moves_simply(&self) -> bool {
        self.moves && self.plain()
    }

    /// The rows `from..to` of a row's frame, before exclusion.
    pub fn whole(&self, row: usize) -> (usize, usize) {
        self.bounds[row - self.start]
    }

    /// The runs of rows of a row's frame.
    pub fn parts(&self, p: &Partition, row: usize) -> [(usize, usize); 3] {
        let (from, to) = self.whole(row);
        let none = (to, to);
        let cut = |a: usize, b: usize| {
            let (a, b) = (a.clamp(from, to), b.clamp(from, to));
            [(from, a), (b, to), none]
        };
        match self.exclusion {
            FrameExclusion::NoOthers => [(from, to), none, none],
            FrameExclusion::CurrentRow => cut(row, row + 1),
            FrameExclusion::Group => {
                let (a, b) = p.peers(row);
                cut(a, b)
            }
            FrameExclusion::Ties => {
                let (a, b) = p.peers(row);
                let [before, after, _] = cut(a, b);
                let own = if (from..to).contains(&row) {
                    (row, row + 1)
                } else {
                    none
                };
                [before, own, after]
            }
        }
    }

    /// True when no row is excluded anywhere.
    pub fn plain(&self) -> bool {
        self.exclusion == FrameExclusion::NoOthers
    }
}

impl Frame {
    /// The frames of a partition whose input columns are given.
    pub fn of_partition(&mut self, cx: &mut Cx<'_>, p: &Partition, columns: &[Vector]) -> PgResult<Frames> {
        let mut bounds = Vec::with_capacity(p.len());
        let mut ranges = self.ranges.take();
        for row in p.start..p.end {
            let (mut from, mut to) = (None, None);
            if let Some(r) = &mut ranges {
                let column = columns
                    .get(r.column)
                    .ok_or_else(|| internal!("order column of a window is missing"))?;
                from = r.edge(cx, p, column, row, 0)?;
                to = r.edge(cx, p, column, row, 1)?;
            }
            let from = from.unwrap_or_else(|| self.edge(p, row, &self.start, false));
            let to = to.unwrap_or_else(|| self.edge(p, row, &self.end, true));
            let from = from.clamp(p.start, p.end);
            bounds.push((from, to.clamp(p.start, p.end).max(from)));
        }
        self.ranges = ranges;
        Ok(Frames {
            bounds,
            start: p.start,
            exclusion: self.exclusion,
            moves: self.ranges.is_some() || !matches!(self.start, Bound::UnboundedPreceding),
        })
    }

    /// A bound as a row; `after`: the row after the last one that belongs.
    fn edge(&self, p: &Partition, row: usize, bound: &Bound<i64>, after: bool) -> usize {
        let moved = match bound {
            Bound::UnboundedPreceding => return p.start,
            Bound::UnboundedFollowing => return p.end,
            Bound::CurrentRow => 0,
            Bound::Preceding(n) => -n,
            Bound::Following(n) => *n,
        };
        if self.units == FrameUnits::Rows {
            let at = (row as i64)
                .saturating_add(moved)
                .saturating_add(i64::from(after));
            return usize::try_from(at).unwrap_or(0);
        }
        let group = (p.group_of(row) as i64)
            .saturating_add(moved)
            .saturating_add(i64::from(after));
        match usize::try_from(group) {
            Ok(g) => p.groups.get(g).copied().unwrap_or(p.end),
            Err(_) => p.start,
        }
    }
}

impl RangeFrame {
    /// Start (0) or end (1) of a row's frame; `None` when that end has no offset. Rows are in order, so the first one for which the
    /// test answers otherwise is found by halving.
    fn edge(
        &mut self,
        cx: &mut Cx<'_>,
        p: &Partition,
        column: &Vector,
        row: usize,
        which: usize,
    ) -> PgResult<Option<usize>> {
        let nulls_first = self.nulls_first;
        let Some((test, offset)) = &mut self.tests[which] else {
            return Ok(None);
        };
        let base = column.datum(row);
        let (mut low, mut high) = (p.start, p.end);
        while low < high {
            let middle = low + (high - low) / 2;
            let value = column.datum(middle);
            // True: the bound lies behind this row.
            let behind = match (value.is_null(), base.is_null()) {
                (true, true) => which == 1,
                (true, false) => nulls_first,
                (false, true) => !nulls_first,
                (false, false) => {
                    let values = [value, base.clone(), offset.clone()];
                    let inputs = RowInputs {
                        inner: &values,
                        ..RowInputs::default()
                    };
                    let inside = test.row(cx, inputs)?.as_bool() == Some(true);
                    inside == (which == 1)
                }
            };
            if behind {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(Some(low))
    }
}
