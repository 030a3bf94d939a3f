//! Random transactions of several sessions, interleaved, against a map of versions: everybody sees what a snapshot should.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeMap;

use common::*;
use pglite_access::*;
use proptest::prelude::*;
use txn::RowLockMode;
use types::Datum;

type State = BTreeMap<i32, i32>;

#[derive(Clone, Debug)]
enum Op {
    Begin { session: usize, repeatable: bool },
    Put { session: usize, id: i32, v: i32 },
    Delete { session: usize, id: i32 },
    Savepoint { session: usize },
    RollbackTo { session: usize },
    Commit { session: usize },
    Abort { session: usize },
    Check { session: usize },
    Maintain,
    Merge,
    Checkpoint,
}

const SESSIONS: usize = 3;

fn op() -> impl Strategy<Value = Op> {
    let session = 0..SESSIONS;
    prop_oneof![
        3 => (session.clone(), any::<bool>()).prop_map(|(session, repeatable)| Op::Begin { session, repeatable }),
        12 => (session.clone(), 0..40i32, 0..1000i32).prop_map(|(session, id, v)| Op::Put { session, id, v }),
        3 => (session.clone(), 0..40i32).prop_map(|(session, id)| Op::Delete { session, id }),
        1 => session.clone().prop_map(|session| Op::Savepoint { session }),
        1 => session.clone().prop_map(|session| Op::RollbackTo { session }),
        3 => session.clone().prop_map(|session| Op::Commit { session }),
        1 => session.clone().prop_map(|session| Op::Abort { session }),
        4 => session.prop_map(|session| Op::Check { session }),
        1 => Just(Op::Maintain),
        1 => Just(Op::Merge),
        1 => Just(Op::Checkpoint),
    ]
}

/// A running transaction and what it should see.
struct Running {
    txn: Transaction,
    snapshot: Option<ActiveSnapshot>,
    /// What its snapshot sees of others, with its own changes.
    view: State,
    /// Its changes, in order, for applying at commit (None: deleted).
    changes: BTreeMap<i32, Option<i32>>,
    saved: Vec<(Savepoint, State, BTreeMap<i32, Option<i32>>)>,
}

struct World {
    storage: std::sync::Arc<Storage>,
    sessions: Vec<Session>,
    running: Vec<Option<Running>>,
    table: Table,
    index: Index,
    committed: State,
    /// Which session is changing an id: others would wait for ever in one thread.
    busy: BTreeMap<i32, usize>,
}

impl World {
    fn new(padding: i32, ahead: Option<usize>) -> World {
        let storage = ahead.map_or_else(memory, memory_ahead_with);
        let table = storage.table(&table_def(20000)).unwrap();
        let index = storage.index(&index_def(20001)).unwrap();
        let sessions: Vec<Session> = (0..SESSIONS).map(|s| Session::new(&storage, s as i32)).collect();
        // Rows that nobody touches, so that the table is small or not.
        let mut committed = State::new();
        sessions[0].run(|txn| {
            let rows: Vec<_> = (1000..1000 + padding).map(|id| row(id, 0)).collect();
            let first = insert_by_columns(&table, txn, &rows).unwrap();
            for id in 1000..1000 + padding {
                let at = ::common::RowId(first.0 + (id - 1000) as u64);
                index
                    .insert(txn, &[int(id)], &[], at, UniqueCheck::Yes)
                    .unwrap()
                    .unwrap();
                committed.insert(id, 0);
            }
        });
        let running = (0..SESSIONS).map(|_| None).collect();
        World {
            storage,
            sessions,
            running,
            table,
            index,
            committed,
            busy: BTreeMap::new(),
        }
    }

    fn begin(&mut self, session: usize, repeatable: bool) {
        let mut txn = if repeatable {
            self.sessions[session].begin_rr()
        } else {
            self.sessions[session].begin()
        };
        let snapshot = repeatable.then(|| txn.snapshot().unwrap());
        let view = self.committed.clone();
        self.running[session] = Some(Running {
            txn,
            snapshot,
            view,
            changes: BTreeMap::new(),
            saved: Vec::new(),
        });
    }

    /// The snapshot of the next command, and the model's view brought up to it.
    fn command(&mut self, session: usize) -> Option<(Running, ActiveSnapshot)> {
        let mut running = self.running[session].take()?;
        running.txn.next_command().unwrap();
        let snapshot = running.txn.snapshot().unwrap();
        if running.snapshot.is_none() {
            running.view = self.committed.clone();
            for (id, v) in &running.changes {
                match v {
                    Some(v) => running.view.insert(*id, *v),
                    None => running.view.remove(id),
                };
            }
        }
        Some((running, snapshot))
    }

    fn is_busy(&self, session: usize, id: i32) -> bool {
        self.busy.get(&id).is_some_and(|owner| *owner != session)
    }

    fn put(&mut self, session: usize, id: i32, v: i32) {
        if self.is_busy(session, id) {
            return;
        }
        let Some((mut running, snapshot)) = self.command(session) else {
            return;
        };
        let found = find(&self.table, &self.index, &snapshot, id);
        assert_eq!(
            found.as_ref().map(|(_, r)| r[1].clone()),
            running.view.get(&id).map(|v| int(*v))
        );
        let txn = &mut running.txn;
        let done = match found {
            Some((at, _)) => {
                match self
                    .table
                    .update(txn, &snapshot, at, &row(id, v), RowLockMode::NoKeyUpdate)
                {
                    Ok(WriteOutcome::Done(to)) => {
                        if to != at {
                            assert!(self.index.delete(txn, &[int(id)], at).unwrap());
                            self.index
                                .insert(txn, &[int(id)], &[], to, UniqueCheck::Yes)
                                .unwrap()
                                .unwrap();
                        }
                        true
                    }
                    Ok(other) => panic!("{other:?}"),
                    Err(e) => {
                        assert_eq!(e.sqlstate, ::common::sqlstate::T_R_SERIALIZATION_FAILURE);
                        assert_ne!(self.committed.get(&id), None.or(Some(&i32::MIN)));
                        false
                    }
                }
            }
            None => {
                let savepoint = txn.savepoint().unwrap();
                let at = match id % 2 {
                    0 => self.table.insert(txn, &row(id, v)).unwrap(),
                    _ => insert_by_columns(&self.table, txn, &[row(id, v)]).unwrap(),
                };
                let added = match id % 4 {
                    3 => insert_as_run(&self.index, txn, id, at),
                    _ => self.index.insert(txn, &[int(id)], &[], at, UniqueCheck::Yes),
                };
                match added.unwrap() {
                    Ok(()) => true,
                    Err(_) => {
                        // Only a row that the own (old) snapshot does not see.
                        assert!(self.committed.contains_key(&id) && running.snapshot.is_some());
                        txn.rollback_to(&savepoint).unwrap();
                        false
                    }
                }
            }
        };
        if done {
            self.busy.insert(id, session);
            running.view.insert(id, v);
            running.changes.insert(id, Some(v));
        }
        drop(snapshot);
        self.running[session] = Some(running);
    }

    fn delete(&mut self, session: usize, id: i32) {
        if self.is_busy(session, id) {
            return;
        }
        let Some((mut running, snapshot)) = self.command(session) else {
            return;
        };
        if let Some((at, _)) = find(&self.table, &self.index, &snapshot, id) {
            match self.table.delete(&mut running.txn, &snapshot, at) {
                Ok(WriteOutcome::Done(_)) => {
                    assert!(self.index.delete(&mut running.txn, &[int(id)], at).unwrap());
                    self.busy.insert(id, session);
                    running.view.remove(&id);
                    running.changes.insert(id, None);
                }
                Ok(other) => panic!("{other:?}"),
                Err(e) => assert_eq!(e.sqlstate, ::common::sqlstate::T_R_SERIALIZATION_FAILURE),
            }
        }
        drop(snapshot);
        self.running[session] = Some(running);
    }

    fn check(&mut self, session: usize) {
        let Some((running, snapshot)) = self.command(session) else {
            return;
        };
        self.compare(&snapshot, &running.view);
        self.running[session] = Some(running);
    }

    fn compare(&self, snapshot: &ActiveSnapshot, view: &State) {
        let all = rows(&self.table, snapshot);
        assert!(all.windows(2).all(|w| w[0].0 < w[1].0));
        let state: State = all.iter().map(|r| (r.1, r.2)).collect();
        assert_eq!((&state, state.len()), (view, all.len()));
        let found: BTreeMap<i32, u64> = entries(&self.index, snapshot).into_iter().collect();
        assert_eq!(found, all.iter().map(|r| (r.1, r.0)).collect());
        // All ids and some that are not there, looked up together.
        let ids: Vec<i32> = found.keys().flat_map(|id| [*id, id + 1]).collect();
        let (mut keys, mut together) = (KeyList::default(), Vec::new());
        ids.iter().for_each(|id| keys.push(&self.index, &[int(*id)]));
        self.index.lookup_many(snapshot, &keys, &mut together).unwrap();
        let single = ids.iter().map(|id| found.get(id).map(|at| ::common::RowId(*at)));
        assert!(together.iter().copied().eq(single));
        for (at, id, v) in all {
            let mut out = vec![Datum::Null];
            assert!(
                self.table
                    .fetch_columns(::common::RowId(at), snapshot, &[1, 0], &mut out)
                    .unwrap()
            );
            assert_eq!(out, [Datum::Null, int(v), int(id)]);
        }
    }

    fn end(&mut self, session: usize, commit: bool) {
        let Some(running) = self.running[session].take() else {
            return;
        };
        self.busy.retain(|_, owner| *owner != session);
        if !commit {
            return running.txn.abort();
        }
        for (id, v) in running.changes {
            match v {
                Some(v) => self.committed.insert(id, v),
                None => self.committed.remove(&id),
            };
        }
        drop(running.snapshot);
        running.txn.commit().unwrap();
    }

    fn step(&mut self, op: &Op) {
        match *op {
            Op::Begin { session, repeatable } if self.running[session].is_none() => {
                self.begin(session, repeatable)
            }
            Op::Begin { .. } => {}
            Op::Put { session, id, v } => self.put(session, id, v),
            Op::Delete { session, id } => self.delete(session, id),
            Op::Savepoint { session } => {
                if let Some(r) = &mut self.running[session] {
                    r.saved
                        .push((r.txn.savepoint().unwrap(), r.view.clone(), r.changes.clone()));
                }
            }
            Op::RollbackTo { session } => {
                if let Some(r) = &mut self.running[session] {
                    if let Some((savepoint, view, changes)) = r.saved.pop() {
                        r.txn.rollback_to(&savepoint).unwrap();
                        (r.view, r.changes) = (view, changes);
                    }
                }
            }
            Op::Commit { session } => self.end(session, true),
            Op::Abort { session } => self.end(session, false),
            Op::Check { session } => self.check(session),
            Op::Maintain => self.storage.maintain().unwrap(),
            Op::Merge => self.storage.merge().unwrap(),
            Op::Checkpoint => self.storage.checkpoint().unwrap(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn everybody_sees_what_a_snapshot_should(padding in prop_oneof![Just(0), Just(150), Just(1500)],
                                             // With long values in the rows updates go by marks.
                                             ahead in prop_oneof![Just(None), Just(Some(25)), Just(Some(1000))],
                                             ops in prop::collection::vec(op(), 1..150)) {
        let mut world = World::new(padding, ahead);
        for op in &ops {
            world.step(op);
        }
        for session in 0..SESSIONS {
            world.check(session);
            world.end(session, session % 2 == 0);
        }
        world.storage.maintain().unwrap();
        let mut txn = world.sessions[0].begin();
        let snapshot = txn.snapshot().unwrap();
        world.compare(&snapshot, &world.committed);
        assert_eq!(world.table.size().rows, world.committed.len() as u64);
        assert_eq!(world.index.size().tuples, world.committed.len() as u64);
    }
}
