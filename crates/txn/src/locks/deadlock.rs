//! Deadlock detection: cycles in the waits-for graph, and queues reordered to avoid them.
//!
//! PG: src/backend/storage/lmgr/README, "The Deadlock Detection Algorithm".
//!
//! # How it works
//! A waiter has a *hard* edge to each holder of what it asks for, and a *soft* edge to each conflicting waiter in front
//! of it. A cycle of hard edges is a deadlock. A cycle with a soft edge may be broken by letting that waiter pass the one in
//! front of it: each soft edge of the cycle is tried as an order constraint, the queues are sorted under all constraints so far,
//! and the search starts over. If some choice leaves no cycle, the queues are put into that order; if none does, it is
//! a deadlock, and the session that looked is the victim.
//!
//! # Invariants
//! - Only cycles through the searching session count; the others are found by their own members.
//! - The functions here are pure: they work on a copy of those locks that have waiters.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::locks::mode::{LockMode, ModeMask};
use crate::locks::tag::LockTag;

/// A lock with waiters.
#[derive(Clone, Debug, Default)]
pub(crate) struct LockView {
    pub holders: Vec<(u32, ModeMask)>,
    pub queue: Vec<(u32, LockMode)>,
}

/// One step of a cycle: `waiter` waits for `mode` on `tag`; `blocker` stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    pub waiter: u32,
    pub mode: LockMode,
    pub tag: LockTag,
    pub blocker: u32,
    pub(super) soft: bool,
}

impl Edge {
    pub(crate) fn new(waiter: u32, mode: LockMode, tag: LockTag, blocker: u32) -> Edge {
        Edge {
            waiter,
            mode,
            tag,
            blocker,
            soft: false,
        }
    }
}

/// What the search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No cycle.
    Fine,
    /// No cycle once these queues stand in this order.
    Reorder(Vec<(LockTag, Vec<u32>)>),
    /// A cycle, from the searching session round to it.
    Deadlock(Vec<Edge>),
}

/// All waiting sessions and what they wait for.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    locks: FxHashMap<LockTag, LockView>,
    waits: FxHashMap<u32, (LockTag, LockMode)>,
}

/// Most order constraints that are tried at once; beyond that it counts as a deadlock.
const CONSTRAINTS_MAX: usize = 32;

impl Graph {
    pub(crate) fn add(&mut self, tag: LockTag, view: LockView) {
        for (proc, mode) in &view.queue {
            self.waits.insert(*proc, (tag, *mode));
        }
        self.locks.insert(tag, view);
    }

    /// Looks for a deadlock that `start` is part of.
    pub(crate) fn check(&self, start: u32) -> Verdict {
        let mut constraints = Vec::new();
        let mut first_cycle = None;
        match self.search(start, &mut constraints, &mut first_cycle) {
            Some(orders) if orders.is_empty() => Verdict::Fine,
            Some(orders) => Verdict::Reorder(orders.into_iter().collect()),
            None => Verdict::Deadlock(first_cycle.unwrap_or_default()),
        }
    }

    /// Queue orders under which no cycle is left, given `constraints`; None if there are none.
    fn search(
        &self,
        start: u32,
        constraints: &mut Vec<Edge>,
        first_cycle: &mut Option<Vec<Edge>>,
    ) -> Option<FxHashMap<LockTag, Vec<u32>>> {
        let orders = self.sort_queues(constraints)?;
        let mut soft_edges = Vec::new();
        // Those that were moved may close cycles of their own.
        let moved = constraints.iter().flat_map(|edge| [edge.waiter, edge.blocker]);
        for proc in moved.chain([start]) {
            let Some(cycle) = self.find_cycle(proc, &orders) else {
                continue;
            };
            soft_edges = cycle.iter().filter(|edge| edge.soft).copied().collect();
            if proc == start {
                first_cycle.get_or_insert(cycle);
            }
            if soft_edges.is_empty() {
                return None;
            }
        }
        if soft_edges.is_empty() {
            return Some(orders);
        }
        if constraints.len() >= CONSTRAINTS_MAX {
            return None;
        }
        for edge in soft_edges {
            constraints.push(edge);
            let found = self.search(start, constraints, first_cycle);
            constraints.pop();
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// Sorts the queues that constraints speak of, changing as little as possible.
    fn sort_queues(&self, constraints: &[Edge]) -> Option<FxHashMap<LockTag, Vec<u32>>> {
        let mut orders = FxHashMap::default();
        for Edge { tag, .. } in constraints {
            if orders.contains_key(tag) {
                continue;
            }
            let queue = self.locks.get(tag)?.queue.iter().map(|(proc, _)| *proc).collect();
            let here: Vec<&Edge> = constraints.iter().filter(|edge| edge.tag == *tag).collect();
            orders.insert(*tag, sort_queue(queue, &here)?);
        }
        Some(orders)
    }

    /// A cycle from `start` back to it.
    fn find_cycle(&self, start: u32, orders: &FxHashMap<LockTag, Vec<u32>>) -> Option<Vec<Edge>> {
        // Depth first; a session once left without success is on no cycle through `start`.
        let mut visited = FxHashSet::default();
        let mut path: Vec<(Edge, Vec<Edge>)> = Vec::new();
        let mut untried = self.edges(start, orders);
        loop {
            let Some(edge) = untried.pop() else {
                (_, untried) = path.pop()?;
                continue;
            };
            if edge.blocker == start {
                return Some(path.into_iter().map(|(edge, _)| edge).chain([edge]).collect());
            }
            if visited.insert(edge.blocker) {
                let next = self.edges(edge.blocker, orders);
                path.push((edge, std::mem::replace(&mut untried, next)));
            }
        }
    }

    /// The edges of a session; to be tried from the last: hard ones first.
    fn edges(&self, waiter: u32, orders: &FxHashMap<LockTag, Vec<u32>>) -> Vec<Edge> {
        let Some(&(tag, mode)) = self.waits.get(&waiter) else {
            return Vec::new();
        };
        let Some(lock) = self.locks.get(&tag) else {
            return Vec::new();
        };
        let edge = |blocker, soft| Edge {
            waiter,
            mode,
            tag,
            blocker,
            soft,
        };
        let mode_of = |proc| {
            lock.queue
                .iter()
                .find(|(p, _)| *p == proc)
                .map_or(0, |(_, mode)| mode.bit())
        };
        let ahead: Vec<u32> = match orders.get(&tag) {
            Some(order) => order.iter().copied().take_while(|p| *p != waiter).collect(),
            None => lock
                .queue
                .iter()
                .map(|(p, _)| *p)
                .take_while(|p| *p != waiter)
                .collect(),
        };
        let hard: Vec<u32> = lock
            .holders
            .iter()
            .filter(|(proc, held)| *proc != waiter && held & mode.conflicts() != 0)
            .map(|(proc, _)| *proc)
            .collect();
        let soft = ahead
            .into_iter()
            .filter(|p| mode_of(*p) & mode.conflicts() != 0 && !hard.contains(p));
        let mut edges: Vec<Edge> = soft.map(|proc| edge(proc, true)).collect();
        edges.reverse();
        edges.extend(hard.iter().rev().map(|proc| edge(*proc, false)));
        edges
    }
}

/// Sorts so that each constraint's waiter stands before its blocker; None if that is impossible. Fills from the back with
/// the last one that need not stand before any of the rest, so that others keep their order.
fn sort_queue(mut queue: Vec<u32>, constraints: &[&Edge]) -> Option<Vec<u32>> {
    let mut sorted = Vec::with_capacity(queue.len());
    while !queue.is_empty() {
        let free = |proc: &u32| {
            !constraints
                .iter()
                .any(|c| c.waiter == *proc && queue.contains(&c.blocker))
        };
        let at = queue.iter().rposition(free)?;
        sorted.push(queue.remove(at));
    }
    sorted.reverse();
    Some(sorted)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::locks::LockMode::*;
    use common::{Oid, Xid};

    fn relation(n: u32) -> LockTag {
        LockTag::Relation {
            database: Oid(1),
            relation: Oid(n),
        }
    }

    fn graph(locks: &[(LockTag, &[(u32, LockMode)], &[(u32, LockMode)])]) -> Graph {
        let mut graph = Graph::default();
        for (tag, holders, queue) in locks {
            let holders = holders.iter().map(|(proc, mode)| (*proc, mode.bit())).collect();
            graph.add(
                *tag,
                LockView {
                    holders,
                    queue: queue.to_vec(),
                },
            );
        }
        graph
    }

    fn procs(verdict: Verdict) -> Vec<u32> {
        match verdict {
            Verdict::Deadlock(cycle) => cycle.iter().map(|edge| edge.waiter).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn cycles_of_two_and_three() {
        let two = graph(&[
            (LockTag::Transaction(Xid(10)), &[(1, Exclusive)], &[(2, Share)]),
            (LockTag::Transaction(Xid(11)), &[(2, Exclusive)], &[(1, Share)]),
        ]);
        assert_eq!(procs(two.check(1)), [1, 2]);
        assert_eq!(procs(two.check(2)), [2, 1]);
        let three = graph(&[
            (
                relation(1),
                &[(1, AccessExclusive)],
                &[(3, AccessShare), (4, AccessShare)],
            ),
            (relation(2), &[(2, AccessExclusive)], &[(1, AccessShare)]),
            (relation(3), &[(3, AccessExclusive)], &[(2, AccessShare)]),
        ]);
        assert_eq!(procs(three.check(2)), [2, 3, 1]);
        // Waits for the cycle, but is not on it.
        assert_eq!(three.check(4), Verdict::Fine);
    }

    #[test]
    fn a_chain_is_no_cycle() {
        let chain = graph(&[
            (relation(1), &[(1, Exclusive)], &[(2, Exclusive)]),
            (relation(2), &[(2, Exclusive)], &[(3, Exclusive)]),
        ]);
        for proc in 1..4 {
            assert_eq!(chain.check(proc), Verdict::Fine);
        }
    }

    #[test]
    fn a_soft_edge_is_turned_round() {
        // 2 waits for all of relation 1, 3 queues behind it though it could share with 1; 1 waits for 3 elsewhere.
        let soft = graph(&[
            (
                relation(1),
                &[(1, AccessShare)],
                &[(2, AccessExclusive), (3, AccessShare)],
            ),
            (relation(2), &[(3, Exclusive)], &[(1, Exclusive)]),
        ]);
        let expected = Verdict::Reorder(vec![(relation(1), vec![3, 2])]);
        assert_eq!(soft.check(1), expected);
        assert_eq!(soft.check(3), expected);
    }

    #[test]
    fn a_soft_edge_that_cannot_be_turned_is_a_deadlock() {
        // 3 conflicts with the holder too, so passing 2 would not help.
        let hard = graph(&[
            (
                relation(1),
                &[(1, AccessShare)],
                &[(2, AccessExclusive), (3, AccessExclusive)],
            ),
            (relation(2), &[(3, Exclusive)], &[(1, Exclusive)]),
        ]);
        assert!(matches!(hard.check(1), Verdict::Deadlock(_)));
    }

    #[test]
    fn constraints_that_contradict_each_other_fail() {
        let edge = |waiter, blocker| Edge {
            waiter,
            blocker,
            mode: Share,
            tag: relation(1),
            soft: true,
        };
        assert_eq!(sort_queue(vec![1, 2, 3], &[&edge(3, 1)]), Some(vec![3, 1, 2]));
        assert_eq!(sort_queue(vec![1, 2], &[&edge(2, 1), &edge(1, 2)]), None);
    }
}
