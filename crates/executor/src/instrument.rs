//! What EXPLAIN ANALYZE shows of a plan node.

use std::time::Duration;

use access::WalUsage;
use common::PgResult;
use types::Batch;

use crate::cx::Cx;
use crate::node::Operator;
use crate::spill::sorter::SortSummary;

/// What EXPLAIN ANALYZE says of a hash table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HashSummary {
    /// Buckets of the table.
    pub buckets: u64,
    /// Parts that were treated one after another; 1: all in memory.
    pub batches: u64,
    /// Most memory used, in bytes.
    pub memory: u64,
    /// Bytes written to files.
    pub disk: u64,
}

/// What EXPLAIN ANALYZE says of rows kept for reading again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StorageSummary {
    /// Some were in a file.
    pub on_disk: bool,
    /// Bytes in memory, or in the file.
    pub bytes: u64,
}

/// What EXPLAIN ANALYZE says of remembered rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoizeSummary {
    /// How often the rows were there.
    pub hits: u64,
    /// How often they had to be computed.
    pub misses: u64,
    /// Entries that had to make room.
    pub evictions: u64,
    /// Entries too large to be kept.
    pub overflows: u64,
    /// Most memory used, in bytes.
    pub memory: u64,
}

/// Measurements of one plan node over a run, all loops together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NodeStats {
    /// How often it was started (rescans included); 0: never executed.
    pub loops: u64,
    /// Rows handed out.
    pub rows: u64,
    /// Time until the first row of each loop, summed.
    pub startup: Duration,
    /// Time inside the node and those below it.
    pub total: Duration,
    /// Rows that the node's own conditions dropped.
    pub filtered: u64,
    /// Sort: how the last one was done.
    pub sort: Option<SortSummary>,
    /// Hash and hashed aggregation.
    pub hash: Option<HashSummary>,
    /// Material, WindowAgg and CTE Scan: where the rows were kept.
    pub storage: Option<StorageSummary>,
    /// Memoize: how useful it was.
    pub memoize: Option<MemoizeSummary>,
    /// Gather: workers launched.
    pub workers: Option<u64>,
    /// What the node and those below it handed to the log. Workers write nothing.
    pub wal: WalUsage,
}

impl NodeStats {
    /// Adds what another participant measured of the same node.
    pub(crate) fn add(&mut self, other: &NodeStats) {
        self.loops += other.loops;
        self.rows += other.rows;
        self.startup += other.startup;
        self.total += other.total;
        self.filtered += other.filtered;
        self.sort = self.sort.or(other.sort);
        self.storage = self.storage.or(other.storage);
        self.memoize = self.memoize.or(other.memoize);
        self.hash = match (self.hash, other.hash) {
            (Some(a), Some(b)) => Some(HashSummary {
                buckets: a.buckets.max(b.buckets),
                batches: a.batches.max(b.batches),
                memory: a.memory.max(b.memory),
                disk: a.disk.max(b.disk),
            }),
            (a, b) => a.or(b),
        };
    }
}

/// Measures an operator.
pub(crate) struct Measured {
    id: usize,
    inner: Box<dyn Operator>,
    started: bool,
    got_row: bool,
}

impl Measured {
    pub fn new(id: u32, inner: Box<dyn Operator>) -> Measured {
        Measured {
            id: id as usize,
            inner,
            started: false,
            got_row: false,
        }
    }
}

/// What the transaction has handed to the log so far.
fn logged(cx: &Cx<'_>) -> WalUsage {
    let txn = cx.ext.txn.and_then(|txn| txn.try_borrow().ok());
    txn.map_or_else(WalUsage::default, |txn| txn.wal_usage())
}

impl Operator for Measured {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        let begin = cx.ext.env.monotonic();
        let logged_before = logged(cx);
        // What the nodes below drop is theirs: each counts from zero and puts back what it found.
        let dropped_above = std::mem::take(&mut cx.run.dropped);
        let next = self.inner.next(cx, max_rows);
        let dropped = std::mem::replace(&mut cx.run.dropped, dropped_above);
        let spent = cx.ext.env.monotonic().saturating_sub(begin);
        let logged = logged(cx).since(logged_before);
        if let Some(stats) = cx.run.stats.get_mut(self.id) {
            stats.loops += u64::from(!self.started);
            stats.total += spent;
            stats.filtered += dropped;
            stats.wal.records += logged.records;
            stats.wal.bytes += logged.bytes;
            if !self.got_row {
                stats.startup += spent;
            }
            if let Ok(Some(batch)) = &next {
                stats.rows += batch.len() as u64;
                self.got_row = true;
            }
        }
        self.started = true;
        next
    }

    fn set_bound(&mut self, rows: Option<usize>) {
        self.inner.set_bound(rows);
    }

    fn rescan(&mut self, cx: &mut Cx<'_>) -> PgResult<()> {
        self.started = false;
        self.got_row = false;
        self.inner.rescan(cx)
    }
}
