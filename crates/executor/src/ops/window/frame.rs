//! Partitions, peer groups and frames.

use std::sync::Arc;

use common::{PgResult, pg_err, unsupported};
use expr::ExprProgram;
use nodes::query::{FrameBound, FrameExclusion, FrameUnits};

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
}

#[derive(Clone, Copy)]
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
}

impl FrameDef {
    pub fn compile(
        c: &Compiler<'_>,
        units: FrameUnits,
        bounds: [&FrameBound; 2],
        exclusion: FrameExclusion,
    ) -> PgResult<FrameDef> {
        if exclusion != FrameExclusion::NoOthers {
            return Err(unsupported!("frame exclusion is not supported yet"));
        }
        let bound = |b: &FrameBound| -> PgResult<Bound<Arc<ExprProgram>>> {
            Ok(match b {
                FrameBound::UnboundedPreceding => Bound::UnboundedPreceding,
                FrameBound::CurrentRow => Bound::CurrentRow,
                FrameBound::UnboundedFollowing => Bound::UnboundedFollowing,
                FrameBound::Preceding(_) | FrameBound::Following(_) if units == FrameUnits::Range => {
                    return Err(unsupported!("RANGE with offset is not supported yet"));
                }
                FrameBound::Preceding(e) => Bound::Preceding(c.program(e, ScanMap::None)?),
                FrameBound::Following(e) => Bound::Following(c.program(e, ScanMap::None)?),
            })
        };
        Ok(FrameDef {
            units,
            bounds: [bound(bounds[0])?, bound(bounds[1])?],
        })
    }

    pub fn open(&self, cx: &mut Cx<'_>) -> PgResult<Frame> {
        let [start, end] = &self.bounds;
        Ok(Frame {
            units: self.units,
            start: known(cx, start, "starting")?,
            end: known(cx, end, "ending")?,
        })
    }
}

fn known(cx: &mut Cx<'_>, bound: &Bound<Arc<ExprProgram>>, which: &str) -> PgResult<Bound<i64>> {
    let mut offset = |e: &Arc<ExprProgram>| match Eval::new(e).value(cx)?.as_i64() {
        None => Err(pg_err!(
            NULL_VALUE_NOT_ALLOWED,
            "frame {which} offset must not be null"
        )),
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

impl Frame {
    /// The rows `from..to` of a row's frame.
    pub fn of(&self, p: &Partition, row: usize) -> (usize, usize) {
        let from = self.edge(p, row, self.start, false).clamp(p.start, p.end);
        let to = self.edge(p, row, self.end, true).clamp(p.start, p.end);
        (from, to.max(from))
    }

    /// A bound as a row; `after`: the row after the last one that belongs.
    fn edge(&self, p: &Partition, row: usize, bound: Bound<i64>, after: bool) -> usize {
        let moved = match bound {
            Bound::UnboundedPreceding => return p.start,
            Bound::UnboundedFollowing => return p.end,
            Bound::CurrentRow => 0,
            Bound::Preceding(n) => -n,
            Bound::Following(n) => n,
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
