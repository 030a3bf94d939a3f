//! What EXPLAIN ANALYZE says of memory, temporary files, blocks and the log.

use executor::{NodeStats, SortMethod, StorageSummary};
use nodes::plan::{AggStrategy, Plan, PlanNode};

use crate::explain::nodes::Explainer;
use crate::explain::render::{BUFFERS, IO_TIMES, Properties, Shown, Value, number};

/// Whole kilobytes, as PostgreSQL rounds them.
fn kilobytes(bytes: u64) -> u64 {
    bytes.div_ceil(1024)
}

/// A line of the text format.
fn text(out: &mut Properties, label: &str, line: String) {
    out.add(label, Value::Text(line), Shown::Text);
}

impl Explainer<'_> {
    /// The lines on memory of a node that keeps rows.
    pub(super) fn memory(&self, plan: &Plan, out: &mut Properties) {
        let Some(measured) = self.measured else { return };
        let Some(stats) = measured.nodes.get(plan.id as usize) else {
            return;
        };
        match &plan.node {
            PlanNode::Sort { .. } => self.sort_memory(stats, out),
            PlanNode::Hash { .. } => self.hash_memory(stats, out),
            PlanNode::Agg {
                strategy: AggStrategy::Hashed | AggStrategy::Mixed,
                ..
            } => self.aggregate_memory(stats, out),
            PlanNode::Memoize { .. } => self.memoized(stats, out),
            PlanNode::Material { .. } | PlanNode::WindowAgg { .. } => {
                if let Some(storage) = &stats.storage {
                    self.storage(storage, out);
                }
            }
            _ => {}
        }
    }

    fn memoized(&self, stats: &NodeStats, out: &mut Properties) {
        let Some(m) = stats.memoize else { return };
        let kb = kilobytes(m.memory);
        let line = format!(
            "{}  Misses: {}  Evictions: {}  Overflows: {}  Memory Usage: {kb}kB",
            m.hits, m.misses, m.evictions, m.overflows
        );
        text(out, "Hits", line);
        out.json("Cache Hits", number(m.hits));
        out.json("Cache Misses", number(m.misses));
        out.json("Cache Evictions", number(m.evictions));
        out.json("Cache Overflows", number(m.overflows));
        out.json("Peak Memory Usage", number(kb));
    }

    fn sort_memory(&self, stats: &NodeStats, out: &mut Properties) {
        let Some(sort) = stats.sort else { return };
        let (method, space) = match sort.method {
            SortMethod::Quicksort => ("quicksort", "Memory"),
            SortMethod::TopN => ("top-N heapsort", "Memory"),
            SortMethod::ExternalMerge => ("external merge", "Disk"),
        };
        let kb = kilobytes(sort.bytes);
        text(out, "Sort Method", format!("{method}  {space}: {kb}kB"));
        out.json("Sort Method", Value::Text(method.to_owned()));
        out.json("Sort Space Used", number(kb));
        out.json("Sort Space Type", Value::Text(space.to_owned()));
    }

    fn hash_memory(&self, stats: &NodeStats, out: &mut Properties) {
        let Some(hash) = stats.hash else { return };
        let kb = kilobytes(hash.memory);
        let line = format!(
            "{}  Batches: {}  Memory Usage: {kb}kB",
            hash.buckets, hash.batches
        );
        text(out, "Buckets", line);
        out.json("Hash Buckets", number(hash.buckets));
        out.json("Original Hash Buckets", number(hash.buckets));
        out.json("Hash Batches", number(hash.batches));
        out.json("Original Hash Batches", number(1));
        out.json("Peak Memory Usage", number(kb));
    }

    fn aggregate_memory(&self, stats: &NodeStats, out: &mut Properties) {
        // No memory: a hash table that was never begun.
        let Some(hash) = stats.hash.filter(|hash| hash.memory > 0) else {
            return;
        };
        let (memory, disk) = (kilobytes(hash.memory), kilobytes(hash.disk));
        let mut line = format!("{}  Memory Usage: {memory}kB", hash.batches);
        if hash.batches > 1 {
            line.push_str(&format!("  Disk Usage: {disk}kB"));
        }
        text(out, "Batches", line);
        out.json("HashAgg Batches", number(hash.batches));
        out.json("Peak Memory Usage", number(memory));
        out.json("Disk Usage", number(disk));
    }

    fn storage(&self, storage: &StorageSummary, out: &mut Properties) {
        let place = if storage.on_disk { "Disk" } else { "Memory" };
        // PostgreSQL's smallest tuplestore takes 17 kB.
        let kb = kilobytes(storage.bytes).max(17);
        text(out, "Storage", format!("{place}  Maximum Storage: {kb}kB"));
        out.json("Storage", Value::Text(place.to_owned()));
        out.json("Maximum Storage", number(kb));
    }

    /// BUFFERS.
    pub(super) fn blocks(&self, out: &mut Properties) {
        if !self.options.buffers {
            return;
        }
        BUFFERS.iter().for_each(|label| out.json(label, number(0)));
        if self.io_timing {
            IO_TIMES.iter().for_each(|label| out.json(label, number("0.000")));
        }
    }

    /// WAL: what the node and those below it handed to the log. There are no pages to be logged as a whole, and no buffers to be full.
    pub(super) fn logged(&self, plan: &Plan, out: &mut Properties) {
        let Some(measured) = self.measured.filter(|_| self.options.wal) else {
            return;
        };
        let stats = measured.nodes.get(plan.id as usize);
        let wal = stats.map(|s| s.wal).unwrap_or_default();
        if wal.records > 0 {
            let line = format!("records={} bytes={}", wal.records, wal.bytes);
            out.add("WAL", Value::Text(line), Shown::Text);
        }
        out.json("WAL Records", number(wal.records));
        out.json("WAL FPI", number(0));
        out.json("WAL Bytes", number(wal.bytes));
        out.json("WAL Buffers Full", number(0));
    }
}
