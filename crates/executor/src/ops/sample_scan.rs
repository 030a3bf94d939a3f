//! SampleScan: TABLESAMPLE BERNOULLI and SYSTEM.
//!
//! PG: src/backend/access/tablesample, src/backend/executor/nodeSamplescan.c.
//!
//! # How it works
//! Whether a row is taken depends on a hash of its place in the heap (block and line pointer; SYSTEM: block alone) and the seed. With
//! REPEATABLE the places are those that PostgreSQL's heap gives to rows that were inserted one after another, so the sample of a
//! table that was only loaded is PostgreSQL's: a first pass over whole rows finds their places. Without it any places do.

use std::sync::Arc;

use access::{ScanRequest, TableScan, heap_tuple_width};
use catalog::desc::RelationDesc;
use common::{Oid, PgResult, RowId, pg_err};
use expr::{ExprProgram, Inputs};
use functions::{hash_any, hash_float8};
use nodes::Plan;
use nodes::query::TableSample;
use types::{BATCH_ROWS, Batch, Datum, Selection};

use crate::compile::{Compiler, ScanMap};
use crate::cx::Cx;
use crate::node::{Eval, NodeKind, Opening, Operator, Projector, Rest};
use crate::ops::scan::{self, EpqScan, ScanParts};

/// The handler of BERNOULLI; the other one is SYSTEM's.
const BERNOULLI: Oid = Oid(3313);

struct SampleScanNode {
    parts: ScanParts,
    by_block: bool,
    percent: Arc<ExprProgram>,
    repeatable: Option<Arc<ExprProgram>>,
}

pub(crate) fn compile(
    c: &Compiler<'_>,
    plan: &Plan,
    (rt_index, relation): (usize, Oid),
    sample: &TableSample,
) -> PgResult<Arc<dyn NodeKind>> {
    let Some(percent) = sample.args.first() else {
        return Err(common::internal!("TABLESAMPLE without a percentage"));
    };
    let repeatable = sample.repeatable.as_ref();
    Ok(Arc::new(SampleScanNode {
        parts: scan::compile(c, plan, rt_index, relation, &[])?,
        by_block: sample.handler != BERNOULLI,
        percent: c.program(percent, ScanMap::None)?,
        repeatable: repeatable.map(|e| c.program(e, ScanMap::None)).transpose()?,
    }))
}

impl NodeKind for SampleScanNode {
    fn open(self: Arc<Self>, opening: &Opening) -> Box<dyn Operator> {
        if let Some(substitute) = opening.epq_for(self.parts.target.rt_index) {
            return EpqScan::open(&self.parts, &substitute);
        }
        Box::new(SampleScanOp {
            projector: self.parts.projection.open(),
            node: self,
            seed: None,
            running: None,
            rest: Rest::default(),
        })
    }
}

struct SampleScanOp {
    node: Arc<SampleScanNode>,
    projector: Projector,
    /// Without REPEATABLE: chosen once, so that a rescan gives the same rows.
    seed: Option<u32>,
    running: Option<(TableScan, Taken)>,
    rest: Rest,
}

/// Which rows are taken.
enum Taken {
    /// By their places as this storage numbers them.
    ByHash(Chooser),
    /// These, ascending.
    Rows(Vec<u64>),
}

/// Takes places by hash.
struct Chooser {
    by_block: bool,
    seed: u32,
    /// Hashes below it are taken.
    cutoff: u64,
}

impl Chooser {
    fn takes(&self, block: u32, offset: u16) -> bool {
        let words = match self.by_block {
            true => [block, self.seed, 0],
            false => [block, u32::from(offset), self.seed],
        };
        let mut bytes = [0; 12];
        for (to, word) in bytes.chunks_exact_mut(4).zip(words) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        let used = if self.by_block { 8 } else { 12 };
        u64::from(hash_any(&bytes[..used])) < self.cutoff
    }
}

impl Taken {
    fn takes(&self, row: u64) -> bool {
        match self {
            Taken::ByHash(chooser) => {
                let tid = RowId(row).tid();
                chooser.takes((tid >> 16) as u32, tid as u16)
            }
            Taken::Rows(rows) => rows.binary_search(&row).is_ok(),
        }
    }
}

/// Where PostgreSQL's heap puts rows inserted one after another.
struct Heap {
    block: u32,
    offset: u16,
    free: usize,
    /// Left free for updates by `fillfactor`.
    reserve: usize,
}

impl Heap {
    const PAGE: usize = 8192 - 24;
    const LINE_POINTER: usize = 4;
    const ROWS_MAX: u16 = 291;
    /// A page with so much room is as good as empty, whatever `fillfactor` says.
    const NEARLY_EMPTY: usize = 8160 - 36 * 4;

    fn new(desc: &RelationDesc) -> Heap {
        let fillfactor = desc.options.iter().find(|(name, _)| &**name == "fillfactor");
        let fillfactor: usize = fillfactor.and_then(|(_, v)| v.parse().ok()).unwrap_or(100);
        Heap {
            block: 0,
            offset: 0,
            free: Self::PAGE,
            reserve: 8192 * (100 - fillfactor.min(100)) / 100,
        }
    }

    /// Block and line pointer of the next row.
    fn place(&mut self, width: usize) -> (u32, u16) {
        let width = width.next_multiple_of(8);
        let wanted = match width + self.reserve {
            w if w > Self::NEARLY_EMPTY => width.max(Self::NEARLY_EMPTY),
            w => w,
        };
        let room = self.free.saturating_sub(Self::LINE_POINTER);
        if self.offset > 0 && (wanted > room || self.offset == Self::ROWS_MAX) {
            (self.block, self.offset, self.free) = (self.block + 1, 0, Self::PAGE);
        }
        self.offset += 1;
        self.free = self.free.saturating_sub(width + Self::LINE_POINTER);
        (self.block, self.offset)
    }
}

fn percent(value: &Datum) -> PgResult<f64> {
    let percent = match value {
        Datum::Float4(p) => f64::from(*p),
        _ => {
            return Err(pg_err!(
                INVALID_TABLESAMPLE_ARGUMENT,
                "TABLESAMPLE parameter cannot be null"
            ));
        }
    };
    if !(0.0..=100.0).contains(&percent) {
        return Err(pg_err!(
            INVALID_TABLESAMPLE_ARGUMENT,
            "sample percentage must be between 0 and 100"
        ));
    }
    Ok(percent)
}

impl SampleScanOp {
    /// Evaluates the arguments and begins the scan.
    fn begin(&mut self, cx: &mut Cx<'_>) -> PgResult<(TableScan, Taken)> {
        let node = Arc::clone(&self.node);
        let value = Eval::new(&node.percent).value(cx)?;
        let repeatable = match &node.repeatable {
            None => None,
            Some(program) => match Eval::new(program).value(cx)? {
                Datum::Float8(seed) => Some(hash_float8(seed)),
                _ => {
                    return Err(pg_err!(
                        INVALID_TABLESAMPLE_REPEAT,
                        "TABLESAMPLE REPEATABLE parameter cannot be null"
                    ));
                }
            },
        };
        let percent = percent(&value)?;
        let seed = match (repeatable, self.seed) {
            (Some(seed), _) | (None, Some(seed)) => seed,
            (None, None) => *self.seed.insert(cx.ext.session.random_u64()? as u32),
        };
        let chooser = Chooser {
            by_block: node.by_block,
            seed,
            cutoff: (4_294_967_296.0 * percent / 100.0).round_ties_even() as u64,
        };
        let target = &node.parts.target;
        let table = target.open(cx)?;
        let taken = match repeatable {
            None => Taken::ByHash(chooser),
            Some(_) => {
                let all: Vec<u16> = (0..target.desc.columns.len()).map(|c| c as u16).collect();
                let request = ScanRequest::columns(all).with_row_ids();
                Taken::Rows(chosen(
                    cx,
                    table.scan(cx.ext.snapshot, request),
                    &target.desc,
                    &chooser,
                )?)
            }
        };
        let request = ScanRequest::columns(target.columns.clone()).with_row_ids();
        let table = target.open(cx)?;
        Ok((table.scan(cx.ext.snapshot, request), taken))
    }
}

/// Row ids that are taken, by the places that PostgreSQL would give the rows.
fn chosen(cx: &Cx<'_>, mut scan: TableScan, desc: &RelationDesc, chooser: &Chooser) -> PgResult<Vec<u64>> {
    let (mut heap, mut rows) = (Heap::new(desc), Vec::new());
    let mut values: Vec<Datum> = Vec::new();
    while let Some(batch) = scan.next_batch(BATCH_ROWS)? {
        cx.check()?;
        let Some((ids, columns)) = batch.columns.split_last() else {
            continue;
        };
        for at in batch.selection.iter() {
            values.clear();
            values.extend(columns.iter().map(|c| c.datum(at)));
            let (block, offset) = heap.place(heap_tuple_width(&values));
            if chooser.takes(block, offset) {
                rows.extend(ids.datum(at).as_i64().map(|id| id as u64));
            }
        }
    }
    rows.sort_unstable();
    Ok(rows)
}

/// Keeps what is taken, and the row ids only if somebody needs them.
fn thin_out(batch: &mut Batch, taken: &Taken, keep_ids: bool) {
    let ids = batch.columns.last().cloned();
    let takes = |at: &usize| {
        let id = ids.as_ref().and_then(|ids| ids.datum(*at).as_i64());
        id.is_some_and(|id| taken.takes(id as u64))
    };
    let kept: Vec<u16> = batch.selection.iter().filter(takes).map(|at| at as u16).collect();
    batch.selection = Selection::Rows(kept.into());
    if !keep_ids {
        batch.columns.pop();
    }
}

impl Operator for SampleScanOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        if let Some(batch) = self.rest.take(max_rows) {
            return Ok(Some(batch));
        }
        let (mut scan, taken) = match self.running.take() {
            Some(running) => running,
            None => self.begin(cx)?,
        };
        let node = Arc::clone(&self.node);
        let target = &node.parts.target;
        let mut out = None;
        while let Some(mut batch) = scan.next_batch(max_rows.min(BATCH_ROWS))? {
            cx.check()?;
            thin_out(&mut batch, &taken, target.needs_row_ids());
            if batch.selection.is_empty() {
                continue;
            }
            target.complete_batch(cx, &mut batch)?;
            let inputs = Inputs::scan(&batch.columns, batch.rows);
            out = self.projector.apply(cx, inputs, &batch.selection)?;
            if out.is_some() {
                break;
            }
        }
        self.running = Some((scan, taken));
        let Some(batch) = out else { return Ok(None) };
        self.rest.put(batch);
        Ok(self.rest.take(max_rows))
    }

    fn rescan(&mut self, _cx: &mut Cx<'_>) -> PgResult<()> {
        self.running = None;
        self.rest.clear();
        Ok(())
    }
}
