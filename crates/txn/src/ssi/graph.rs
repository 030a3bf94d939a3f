//! Read-write dependencies between serializable transactions, and which of them may end badly.
//!
//! PG: src/backend/storage/lmgr/README-SSI; Cahill, Röhm, Fekete (2009); Ports, Grittner (2012).
//!
//! # How it works
//! An edge R -> W: R read something as it was before W changed it, so R comes before W. Only where a transaction has an edge in
//! and an edge out (a *pivot*), and the one at the end of the chain has committed first, can a cycle arise. That is looked for
//! when an edge is added and when a transaction is about to commit; somebody of the three is then given up: the pivot, if it can be.
//!
//! # Invariants
//! - A committed transaction stays as long as a running one overlaps it.
//! - `commits` counts preparations and commits; all order among transactions is by its values.

use common::Xid;
use rustc_hash::FxHashMap;

use crate::ssi::Sxact;
use crate::sync::{Arc, Ordering};

/// Committed transactions that keep what they read in detail.
const DETAILED_MAX: usize = 1_000;

/// One serializable transaction.
pub(super) struct Node {
    pub(super) sxact: Arc<Sxact>,
    /// Declared READ ONLY, or committed without having written.
    pub(super) read_only: bool,
    declared_read_only: bool,
    /// It waits for a safe snapshot.
    pub(super) deferrable_waiting: bool,
    /// Something that it overlaps may make its snapshot an anomaly.
    pub(super) read_only_unsafe: bool,
    pub(super) wrote: bool,
    /// `commits` when its snapshot was taken.
    snapshot_at: u64,
    prepared_at: Option<u64>,
    /// Prepared by PREPARE TRANSACTION, so that its commit may be far away.
    two_phase: bool,
    committed_at: Option<u64>,
    /// Prepared in an earlier process: whoever it had edges with is not known, so it counts as having had them.
    recovered: bool,
    /// The CSN of its commit.
    pub(super) csn: Option<u64>,
    /// It has committed with an edge to one that had committed; the earliest of those.
    earliest_out: Option<u64>,
    /// Those whose writes it did not see.
    outs: Vec<u64>,
    /// Those who did not see its writes.
    ins: Vec<u64>,
    /// For a reader the writers that may spoil its snapshot, for a writer the readers concerned.
    pub(super) possible_unsafe: Vec<u64>,
}

impl Node {
    pub(super) fn is_doomed(&self) -> bool {
        self.sxact.doomed.load(Ordering::Acquire)
    }

    fn is_safe(&self) -> bool {
        self.sxact.safe.load(Ordering::Acquire)
    }

    pub(super) fn is_running(&self) -> bool {
        self.committed_at.is_none()
    }
}

/// Why a transaction cannot go on; PostgreSQL's reason codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    PivotOut,
    PivotIn,
    PivotWrite,
    PivotCommit,
    OutToPivot(u64),
    InFromPrepared,
}

/// All serializable transactions that matter.
#[derive(Default)]
pub(super) struct Graph {
    pub(super) nodes: FxHashMap<u64, Node>,
    commits: u64,
    last_id: u64,
}

impl Graph {
    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Adds a transaction whose snapshot is taken now, or that of a running one. False: a reader that nobody can disturb, which
    /// needs no node.
    pub(super) fn begin(&mut self, sxact: Arc<Sxact>, read_only: bool, source: Option<u64>) -> bool {
        let id = sxact.id;
        let source = source.and_then(|id| self.nodes.get(&id));
        let snapshot_at = source.map_or(self.commits, |s| s.snapshot_at);
        // Writers that have committed since an imported snapshot may have spoilt it: such a reader never counts as safe.
        let mut possible_unsafe: Vec<u64> = source.map(|_| id).into_iter().collect();
        if read_only {
            let writers = self.nodes.iter_mut();
            for (other, node) in writers.filter(|(_, n)| n.is_running() && !n.is_doomed() && !n.read_only) {
                node.possible_unsafe.push(id);
                possible_unsafe.push(*other);
            }
            if possible_unsafe.is_empty() {
                return false;
            }
        }
        let node = Node {
            sxact,
            read_only,
            declared_read_only: read_only,
            deferrable_waiting: false,
            read_only_unsafe: false,
            wrote: false,
            snapshot_at,
            prepared_at: None,
            two_phase: false,
            committed_at: None,
            recovered: false,
            csn: None,
            earliest_out: None,
            outs: Vec::new(),
            ins: Vec::new(),
            possible_unsafe,
        };
        self.nodes.insert(id, node);
        true
    }

    /// A transaction that was prepared before the start.
    pub(super) fn recover(&mut self, sxact: Arc<Sxact>, read_only: bool) {
        let id = sxact.id;
        // It is not alone with its snapshot: other prepared ones do not matter, they are as old.
        self.begin(sxact, false, None);
        let at = self.commits;
        if let Some(node) = self.nodes.get_mut(&id) {
            node.read_only = read_only;
            node.declared_read_only = read_only;
            node.wrote = !read_only;
            node.recovered = true;
            node.prepared_at = Some(at);
            node.two_phase = true;
        }
    }

    /// The writers whose commits have begun, and are not visible yet.
    pub(super) fn committing(&self) -> Vec<Xid> {
        let nodes = self.nodes.values();
        nodes
            .filter(|n| n.prepared_at.is_some() && n.is_running() && !n.two_phase)
            .map(|n| Xid(n.sxact.xid.load(Ordering::Acquire)))
            .filter(|xid| xid.0 != 0)
            .collect()
    }

    /// `reader` did not see what `writer`, which is `me` or somebody else, has written.
    pub(super) fn conflict_out(&mut self, me: u64, writer: u64) -> Result<(), Reason> {
        let (Some(r), Some(w)) = (self.nodes.get(&me), self.nodes.get(&writer)) else {
            return Ok(());
        };
        if me == writer || w.is_doomed() || r.outs.contains(&writer) {
            return Ok(());
        }
        // A reader that comes before everything that the writer comes before is no danger.
        if r.read_only && w.committed_at.is_some() && w.earliest_out.is_none_or(|out| r.snapshot_at < out) {
            return Ok(());
        }
        self.add_edge(me, writer, me)
    }

    /// `reader` has read what `me` has written now.
    pub(super) fn conflict_in(&mut self, me: u64, reader: u64) -> Result<(), Reason> {
        let (Some(w), Some(r)) = (self.nodes.get(&me), self.nodes.get(&reader)) else {
            return Ok(());
        };
        let overlaps = r.committed_at.is_none_or(|at| at > w.snapshot_at);
        if me == reader || r.is_doomed() || !overlaps || w.ins.contains(&reader) {
            return Ok(());
        }
        self.add_edge(reader, me, me)
    }

    fn add_edge(&mut self, reader: u64, writer: u64, me: u64) -> Result<(), Reason> {
        if self.is_dangerous(reader, writer) {
            if me == writer {
                return Err(Reason::PivotWrite);
            }
            let Some(w) = self.nodes.get(&writer) else {
                return Ok(());
            };
            if w.prepared_at.is_some() {
                return Err(Reason::OutToPivot(w.sxact.xid.load(Ordering::Acquire)));
            }
            w.sxact.doomed.store(true, Ordering::Release);
        }
        if let Some(r) = self.nodes.get_mut(&reader) {
            r.outs.push(writer);
        }
        if let Some(w) = self.nodes.get_mut(&writer) {
            w.ins.push(reader);
        }
        Ok(())
    }

    /// True when the edge may complete a structure that ends in a cycle.
    fn is_dangerous(&self, reader: u64, writer: u64) -> bool {
        let (Some(r), Some(w)) = (self.nodes.get(&reader), self.nodes.get(&writer)) else {
            return false;
        };
        if w.committed_at.is_some() && w.earliest_out.is_some() {
            return true;
        }
        if w.recovered && w.wrote {
            return true;
        }
        // The writer as pivot: it comes before somebody who has committed first.
        let out_first = w.outs.iter().filter_map(|id| self.nodes.get(id)).any(|out| {
            out.prepared_at.is_some_and(|at| {
                r.committed_at.is_none_or(|r_at| at <= r_at)
                    && w.committed_at.is_none_or(|w_at| at <= w_at)
                    && (!r.read_only || at <= r.snapshot_at)
            })
        });
        if out_first {
            return true;
        }
        // The reader as pivot: the writer has committed first.
        let Some(at) = w.prepared_at.filter(|_| !r.read_only) else {
            return false;
        };
        r.recovered
            || r.ins.iter().filter_map(|id| self.nodes.get(id)).any(|first| {
                !first.is_doomed()
                    && first.committed_at.is_none_or(|c| c >= at)
                    && (!first.read_only || first.snapshot_at >= at)
            })
    }

    /// Before a commit: nobody who reads past us may be a pivot whose end we are. Gives up such pivots.
    pub(super) fn prepare(&mut self, me: u64, two_phase: bool) -> Result<(), Reason> {
        let Some(node) = self.nodes.get(&me) else {
            return Ok(());
        };
        if node.is_doomed() {
            return Err(Reason::PivotCommit);
        }
        for near in node.ins.iter().filter_map(|id| self.nodes.get(id)) {
            if near.committed_at.is_some() || near.is_doomed() {
                continue;
            }
            let closes = near.ins.iter().any(|id| {
                let far = self.nodes.get(id);
                *id == me || far.is_some_and(|far| far.is_running() && !far.read_only && !far.is_doomed())
            });
            if closes {
                if near.prepared_at.is_some() {
                    return Err(Reason::InFromPrepared);
                }
                near.sxact.doomed.store(true, Ordering::Release);
            }
        }
        self.commits += 1;
        let at = self.commits;
        if let Some(node) = self.nodes.get_mut(&me) {
            node.prepared_at = Some(at);
            node.two_phase = two_phase;
        }
        Ok(())
    }

    /// A commit that became visible; the slots of waiting readers that now know whether their snapshot is safe.
    pub(super) fn committed(&mut self, me: u64, csn: u64) -> Vec<u32> {
        self.commits += 1;
        let (now, latest) = (self.commits, self.commits);
        let Some(mut node) = self.nodes.remove(&me) else {
            return Vec::new();
        };
        node.committed_at = Some(now);
        // Who wrote nothing ends at the CSN of somebody else.
        node.csn = (node.sxact.xid.load(Ordering::Acquire) != 0).then_some(csn);
        node.read_only |= !node.wrote;
        if !node.read_only {
            // Who is prepared counts: its commit may be visible already, and it has come first.
            let outs = node.outs.iter().filter_map(|id| self.nodes.get(id));
            let first = outs
                .filter_map(|o| o.prepared_at)
                .chain(node.recovered.then_some(0))
                .min();
            node.earliest_out = match (node.earliest_out, first) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        let nodes = &mut self.nodes;
        node.outs.retain(|id| {
            let keep = nodes
                .get(id)
                .is_some_and(|out| out.is_running() && out.snapshot_at < latest);
            if !keep && let Some(out) = nodes.get_mut(id) {
                out.ins.retain(|r| *r != me);
            }
            keep
        });
        node.ins.retain(|id| {
            let keep = nodes.get(id).is_some_and(|r| r.is_running() && !r.read_only);
            if !keep && let Some(r) = nodes.get_mut(id) {
                r.outs.retain(|w| *w != me);
            }
            keep
        });
        let watching = std::mem::take(&mut node.possible_unsafe);
        let (wrote, earliest) = (node.wrote, node.earliest_out);
        let declared = node.declared_read_only;
        self.nodes.insert(me, node);
        let woken = if declared {
            self.unwatch(me, &watching);
            Vec::new()
        } else {
            self.tell_readers(me, &watching, |reader| {
                wrote && earliest.is_some_and(|at| at <= reader.snapshot_at)
            })
        };
        self.forget_old();
        woken
    }

    /// A rollback, or a reader that turned out safe: it leaves no trace.
    pub(super) fn forget(&mut self, me: u64) -> Vec<u32> {
        let Some(node) = self.nodes.remove(&me) else {
            return Vec::new();
        };
        self.unlink(me, &node);
        let woken = if node.declared_read_only {
            self.unwatch(me, &node.possible_unsafe);
            Vec::new()
        } else {
            self.tell_readers(me, &node.possible_unsafe, |_| false)
        };
        self.forget_old();
        woken
    }

    fn unlink(&mut self, me: u64, node: &Node) {
        for id in &node.outs {
            if let Some(w) = self.nodes.get_mut(id) {
                w.ins.retain(|r| *r != me);
            }
        }
        for id in &node.ins {
            if let Some(r) = self.nodes.get_mut(id) {
                r.outs.retain(|w| *w != me);
            }
        }
    }

    fn unwatch(&mut self, reader: u64, writers: &[u64]) {
        for id in writers {
            if let Some(writer) = self.nodes.get_mut(id) {
                writer.possible_unsafe.retain(|r| *r != reader);
            }
        }
    }

    /// Tells readers that a writer has ended: it has spoilt their snapshot, or is one less that may.
    fn tell_readers(&mut self, writer: u64, readers: &[u64], spoils: impl Fn(&Node) -> bool) -> Vec<u32> {
        let mut woken = Vec::new();
        for id in readers {
            let Some(reader) = self.nodes.get_mut(id) else {
                continue;
            };
            if spoils(reader) {
                reader.read_only_unsafe = true;
                let watched = std::mem::take(&mut reader.possible_unsafe);
                if reader.deferrable_waiting {
                    woken.push(reader.sxact.slot);
                }
                self.unwatch(*id, &watched);
                continue;
            }
            reader.possible_unsafe.retain(|w| *w != writer);
            if reader.possible_unsafe.is_empty() {
                reader.sxact.safe.store(true, Ordering::Release);
                if reader.deferrable_waiting {
                    woken.push(reader.sxact.slot);
                }
            }
        }
        woken
    }

    /// Drops committed transactions that no running one overlaps.
    fn forget_old(&mut self) {
        let running = self.nodes.values().filter(|n| n.is_running() && !n.is_safe());
        let oldest = running.map(|n| n.snapshot_at).min().unwrap_or(u64::MAX);
        let old = |n: &Node| n.committed_at.is_some_and(|at| at <= oldest);
        let gone: Vec<u64> = self
            .nodes
            .iter()
            .filter(|(_, n)| old(n))
            .map(|(id, _)| *id)
            .collect();
        for id in gone {
            if let Some(node) = self.nodes.remove(&id) {
                self.unlink(id, &node);
            }
        }
        if self.nodes.len() > DETAILED_MAX {
            let committed = self.nodes.values().filter(|n| n.committed_at.is_some());
            if let Some(first) = committed
                .filter(|n| !n.sxact.coarse.load(Ordering::Relaxed))
                .min_by_key(|n| n.committed_at)
            {
                first.sxact.coarse.store(true, Ordering::Relaxed);
                first.sxact.reads.lock().coarsen();
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ssi::ReadSet;

    fn writer(graph: &mut Graph, xid: u64) -> u64 {
        let id = graph.next_id();
        let sxact = Arc::new(Sxact::new(id, 0, Some(Xid(xid)), ReadSet::default()));
        graph.begin(sxact, false, None);
        graph.nodes.get_mut(&id).unwrap().wrote = true;
        id
    }

    #[test]
    fn who_failed_waits_for_commits_under_way_but_not_for_the_second_phase() {
        let mut graph = Graph::default();
        let (commits, prepares) = (writer(&mut graph, 11), writer(&mut graph, 12));
        writer(&mut graph, 13);
        graph.prepare(commits, false).unwrap();
        graph.prepare(prepares, true).unwrap();
        assert_eq!(graph.committing(), [Xid(11)]);
        graph.committed(commits, 1);
        assert_eq!(graph.committing(), []);
    }
}
