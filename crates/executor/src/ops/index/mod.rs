//! IndexScan and IndexOnlyScan.

mod bitmap;
mod bounds;
pub(crate) mod gather;
pub(crate) mod probe;

pub(crate) use bitmap::compile as compile_bitmap_heap;
pub(crate) use bounds::IndexMethod;

use std::sync::Arc;

use access::{IndexBounds, IndexScan as EntryScan, Table};
use common::{PgResult, RowId, internal};
use expr::Inputs;
use nodes::Plan;
use nodes::plan::{self, ScanDirection};
use types::{BATCH_ROWS, Batch, Selection, Vector};

use crate::compile::Compiler;
use crate::cx::Cx;
use crate::node::{Eval, NodeKind, Opening, Operator, Projector, Rest, filter_all};
use crate::ops::index::gather::{GatherCall, Gathering};
use crate::ops::scan::{self, EpqScan, ScanParts};
use crate::ops::system;

struct IndexScanNode {
    parts: ScanParts,
    method: IndexMethod,
    direction: access::ScanDirection,
    /// Conditions (positions in `parts.recheck`) that bounds do not express.
    leftover: Vec<usize>,
    /// Index-only: for each scanned column its position in an entry.
    entry_columns: Option<Vec<usize>>,
    /// The key and the expressions for many outer rows at once, see [`probe`]; the key is that of a unique index, whole.
    probe: Option<(Vec<probe::KeySource>, probe::Unbound)>,
    probes_unique: bool,
    /// A scan of the table in place of lookups.
    gather: Option<gather::GatherNode>,
}

/// An IndexScan, or with `only` an IndexOnlyScan.
pub(crate) fn compile(
    c: &Compiler<'_>,
    plan: &Plan,
    s: &plan::IndexScan,
    only: bool,
) -> PgResult<Arc<dyn NodeKind>> {
    if !s.order_by.is_empty() {
        return Err(common::unsupported!(
            "index scans by distance are not supported yet"
        ));
    }
    let originals: Vec<&nodes::Expr> = s.quals.iter().map(|q| &q.original).collect();
    let parts = scan::compile(c, plan, s.rt_index, s.relation, &originals)?;
    let method = IndexMethod::compile(c, s, &parts.target.desc)?;
    let entry_columns = only.then(|| entry_columns(&method, &parts)).transpose()?;
    let direction = direction(s.direction);
    let may_probe = !only && direction == access::ScanDirection::Forward;
    let keys = method.equal_keys().filter(|_| may_probe);
    let probe = match keys {
        Some(keys) => probe::Unbound::compile(c, plan, &parts)?.map(|unbound| (keys, unbound)),
        None => None,
    };
    let gather = match direction {
        access::ScanDirection::Forward => {
            gather::GatherNode::compile(c, plan, s, &method, &parts.target.desc)?
        }
        access::ScanDirection::Backward => None,
    };
    Ok(Arc::new(IndexScanNode {
        gather,
        leftover: method.leftover(),
        probe,
        probes_unique: method.unique_key().is_some(),
        direction,
        entry_columns,
        method,
        parts,
    }))
}

fn direction(d: ScanDirection) -> access::ScanDirection {
    match d {
        ScanDirection::Forward => access::ScanDirection::Forward,
        ScanDirection::Backward => access::ScanDirection::Backward,
    }
}

fn entry_columns(method: &IndexMethod, parts: &ScanParts) -> PgResult<Vec<usize>> {
    let stored = parts.target.attnos.iter().filter(|a| **a > 0);
    stored
        .map(|attno| {
            method
                .attnos
                .iter()
                .position(|a| a == attno)
                .ok_or_else(|| internal!("index does not hold column {attno}"))
        })
        .collect()
}

impl NodeKind for IndexScanNode {
    fn open(self: Arc<Self>, opening: &Opening) -> Box<dyn Operator> {
        if let Some(substitute) = opening.epq_for(self.parts.target.rt_index) {
            return EpqScan::open(&self.parts, &substitute);
        }
        let leftover = self.leftover.iter().map(|&k| Eval::new(&self.parts.recheck[k]));
        Box::new(IndexScanOp {
            leftover: leftover.collect(),
            projector: self.parts.projection.open(),
            running: None,
            rest: Rest::default(),
            probing: None,
            probe_projector: None,
            node: self,
        })
    }
}

struct Running {
    table: Table,
    index: access::Index,
    /// Ranges not begun, the next one last.
    ranges: Vec<IndexBounds>,
    scan: Option<EntryScan>,
    /// Entries to ask for next; grows while nothing qualifies.
    demand: usize,
}

struct IndexScanOp {
    node: Arc<IndexScanNode>,
    leftover: Vec<Eval>,
    projector: Projector,
    running: Option<Running>,
    rest: Rest,
    probing: Option<probe::Probing>,
    probe_projector: Option<Projector>,
}

impl IndexScanOp {
    fn begin(&mut self, cx: &mut Cx<'_>) -> PgResult<Running> {
        let node = Arc::clone(&self.node);
        let index = cx
            .ext
            .relations
            .index(&node.method.desc, &node.parts.target.desc)?;
        let mut ranges = node.method.ranges(cx, &index)?;
        if node.direction == access::ScanDirection::Forward {
            ranges.reverse();
        }
        Ok(Running {
            table: node.parts.target.open(cx)?,
            index,
            ranges,
            scan: None,
            demand: 0,
        })
    }

    /// The next entries' rows as columns.
    fn fetch(
        &mut self,
        cx: &mut Cx<'_>,
        running: &mut Running,
    ) -> PgResult<Option<(Vec<Arc<Vector>>, usize)>> {
        loop {
            let Some(scan) = &mut running.scan else {
                let Some(bounds) = running.ranges.pop() else {
                    return Ok(None);
                };
                let scan = running.index.scan(cx.ext.snapshot, bounds, self.node.direction);
                running.scan = Some(match self.node.entry_columns {
                    Some(_) => scan.with_keys(),
                    None => scan,
                });
                continue;
            };
            let found = match &self.node.entry_columns {
                Some(columns) => entries(cx, &self.node, columns, scan, running.demand)?,
                None => {
                    let mut ids: Vec<RowId> = Vec::new();
                    while ids.len() < running.demand
                        && scan.next_rows(running.demand - ids.len(), &mut ids)?
                    {}
                    if ids.is_empty() {
                        None
                    } else {
                        Some(self.node.parts.target.fetch(cx, &running.table, &ids)?)
                    }
                }
            };
            match found {
                None => running.scan = None,
                Some((_, 0)) => {}
                some => return Ok(some),
            }
        }
    }
}

/// Rows from the entries alone.
fn entries(
    cx: &Cx<'_>,
    node: &IndexScanNode,
    columns: &[usize],
    scan: &mut EntryScan,
    demand: usize,
) -> PgResult<Option<(Vec<Arc<Vector>>, usize)>> {
    let target = &node.parts.target;
    let mut out: Vec<Vector> = target.phys.iter().map(|p| Vector::empty(*p)).collect();
    let mut ids = Vec::new();
    let mut datums = Vec::new();
    while ids.len() < demand {
        datums.clear();
        let Some(row) = scan.next_entry(&mut datums)? else {
            break;
        };
        ids.push(row);
        for (vector, &at) in out.iter_mut().zip(columns) {
            vector.push(datums.get(at).unwrap_or(&types::Datum::Null));
        }
    }
    let count = ids.len();
    if count == 0 {
        return Ok(None);
    }
    let mut columns: Vec<Arc<Vector>> = out.into_iter().map(Arc::new).collect();
    if target.ctid {
        columns.push(system::tids(ids.iter().copied()));
    }
    target.complete(&mut columns, count);
    target.add_system(cx, cx.ext.snapshot, ids.into_iter().map(Some), &mut columns)?;
    Ok(Some((columns, count)))
}

impl Operator for IndexScanOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        if let Some(batch) = self.rest.take(max_rows) {
            return Ok(Some(batch));
        }
        let mut running = match self.running.take() {
            Some(r) => r,
            None => self.begin(cx)?,
        };
        running.demand = max_rows;
        let mut out = None;
        while let Some((columns, rows)) = self.fetch(cx, &mut running)? {
            cx.check()?;
            let inputs = Inputs::scan(&columns, rows);
            let sel = filter_all(&mut self.leftover, cx, inputs, &Selection::All(rows))?;
            if !sel.is_empty() {
                out = self.projector.apply(cx, inputs, &sel)?;
            }
            if out.is_some() {
                break;
            }
            running.demand = (running.demand * 2).min(BATCH_ROWS);
        }
        self.running = Some(running);
        let Some(batch) = out else { return Ok(None) };
        self.rest.put(batch);
        Ok(self.rest.take(max_rows))
    }

    fn probe(&mut self, cx: &mut Cx<'_>, keys: &probe::OuterKeys<'_>) -> PgResult<Option<probe::Matches>> {
        self.probe_keys(cx, keys)
    }

    fn gathers(&self) -> bool {
        self.node.gather.is_some()
    }

    fn gather(&mut self, cx: &mut Cx<'_>, call: &mut GatherCall<'_>) -> PgResult<Gathering> {
        let node = Arc::clone(&self.node);
        match &node.gather {
            Some(gather) => gather.gather(cx, call),
            None => Ok(Gathering::Lookups),
        }
    }

    fn rescan(&mut self, _cx: &mut Cx<'_>) -> PgResult<()> {
        self.running = None;
        self.rest.clear();
        if let Some(probing) = &mut self.probing {
            probing.stop();
        }
        Ok(())
    }
}
