//! A table with a unique index by id and one by groups of values, whose rows are changed by marks.
#![allow(clippy::unwrap_used, clippy::expect_used, dead_code)]

use std::collections::BTreeMap;
use std::sync::Arc;

use common::RowId;
use common::env::sim::SimEnv;
use pglite_access::*;
use txn::{RowLockMode, Snapshot};
use types::Datum;

use super::*;

pub const TABLE: u64 = 20000;
pub const BY_ID: u64 = 20001;
pub const BY_GROUP: u64 = 20002;
pub const ROWS: i32 = 5000;
/// Values of one group have one key in the second index.
pub const GROUP: i32 = 1_000_000;
/// Bytes of delta that only rows updated the usual way could fill.
pub const LITTLE: usize = 10_000;

/// Values by ids.
pub type State = BTreeMap<i32, i32>;

pub struct Db {
    pub session: Session,
    pub table: Table,
    pub by_id: Index,
    pub by_group: Index,
}

impl Db {
    pub fn over(storage: &Arc<Storage>) -> Db {
        let mut by_group = IndexDef::clone(&index_def(BY_GROUP));
        by_group.unique = false;
        Db {
            session: Session::new(storage, 1),
            table: storage.table(&table_def(TABLE)).unwrap(),
            by_id: storage.index(&index_def(BY_ID)).unwrap(),
            by_group: storage.index(&Arc::new(by_group)).unwrap(),
        }
    }

    pub fn open(env: &SimEnv, dir: &str) -> Db {
        Db::over(&marking(env, dir))
    }

    /// Updates every row once more, by marks.
    pub fn marks_again(&self, state: &mut State) {
        let mut txn = self.session.begin();
        let ids: Vec<i32> = state.keys().copied().collect();
        self.add(&mut txn, state, ids, 1);
        assert!(self.delta_bytes() < LITTLE, "{}", self.delta_bytes());
        txn.commit().unwrap();
        assert!(self.state() == *state);
    }

    /// With `ROWS` rows of ids and values, all in the store and nothing in delta.
    pub fn filled(env: &SimEnv) -> (Db, State) {
        let db = Db::open(env, "/db");
        let state: State = (0..ROWS).map(|id| (id, id % 97)).collect();
        db.session.run(|txn| {
            for (id, v) in &state {
                let at = db.table.insert(txn, &row(*id, *v)).unwrap();
                let added = db
                    .by_id
                    .insert(txn, &[int(*id)], &[], at, UniqueCheck::Yes)
                    .unwrap();
                assert_eq!(added, Ok(()));
                let _ = db
                    .by_group
                    .insert(txn, &[group(*v)], &[], at, UniqueCheck::No)
                    .unwrap();
            }
        });
        db.maintain(2);
        (db, state)
    }

    pub fn maintain(&self, times: usize) {
        (0..times).for_each(|_| self.storage().maintain().unwrap());
    }

    /// Adds to the values of these ids by one command.
    pub fn add(&self, txn: &mut Transaction, state: &mut State, ids: impl IntoIterator<Item = i32>, n: i32) {
        txn.next_command().unwrap();
        let snapshot = txn.snapshot().unwrap();
        for id in ids {
            let (at, old) = find(&self.table, &self.by_id, &snapshot, id).unwrap();
            assert_eq!(old[1], int(state[&id]), "value of {id}");
            let v = state[&id] + n;
            self.change(txn, &snapshot, (at, id), (state[&id], v));
            state.insert(id, v);
        }
    }

    /// Gives a row another value; where it is now.
    pub fn change(
        &self,
        txn: &mut Transaction,
        snapshot: &Snapshot,
        (at, id): (RowId, i32),
        (old, new): (i32, i32),
    ) -> RowId {
        let (mode, regroups) = (RowLockMode::NoKeyUpdate, group(old) != group(new));
        let outcome = match regroups {
            true => self.table.update_keys(txn, snapshot, at, &row(id, new), mode),
            false => self.table.update(txn, snapshot, at, &row(id, new), mode),
        };
        let WriteOutcome::Done(to) = outcome.unwrap() else {
            panic!("{id} was changed")
        };
        assert!(regroups || to == at);
        if to != at {
            assert!(self.by_id.delete(txn, &[int(id)], at).unwrap());
            let added = self.by_id.insert(txn, &[int(id)], &[], to, UniqueCheck::Yes);
            assert_eq!(added.unwrap(), Ok(()));
        }
        if regroups {
            assert!(self.by_group.delete(txn, &[group(old)], at).unwrap());
            let added = self.by_group.insert(txn, &[group(new)], &[], to, UniqueCheck::No);
            assert_eq!(added.unwrap(), Ok(()));
        }
        to
    }

    pub fn delete(&self, txn: &mut Transaction, state: &mut State, ids: impl IntoIterator<Item = i32>) {
        txn.next_command().unwrap();
        let snapshot = txn.snapshot().unwrap();
        for id in ids {
            let (at, old) = find(&self.table, &self.by_id, &snapshot, id).unwrap();
            let v = state.remove(&id).unwrap();
            assert_eq!(old[1], int(v));
            assert_eq!(
                self.table.delete(txn, &snapshot, at).unwrap(),
                WriteOutcome::Done(at)
            );
            assert!(self.by_id.delete(txn, &[int(id)], at).unwrap());
            assert!(self.by_group.delete(txn, &[group(v)], at).unwrap());
        }
    }

    /// What a snapshot sees, in the table and by its indexes.
    pub fn state_for(&self, snapshot: &ActiveSnapshot) -> State {
        let all = rows(&self.table, snapshot);
        let mut by_key: Vec<(i32, u64)> = all.iter().map(|row| (row.1, row.0)).collect();
        by_key.sort_unstable();
        assert!(entries(&self.by_id, snapshot) == by_key, "index by id");
        let mut by_group: Vec<(i32, u64)> = all.iter().map(|row| (row.2 / GROUP, row.0)).collect();
        by_group.sort_unstable();
        assert!(entries(&self.by_group, snapshot) == by_group, "index by group");
        let state: State = all.iter().map(|row| (row.1, row.2)).collect();
        for id in (0..ROWS).step_by(7) {
            let found = find(&self.table, &self.by_id, snapshot, id);
            let v = found.map(|(_, values)| values[1].clone());
            assert_eq!(v, state.get(&id).map(|v| int(*v)), "id {id}");
        }
        state
    }

    pub fn state(&self) -> State {
        let mut txn = self.session.begin();
        let snapshot = txn.snapshot().unwrap();
        self.state_for(&snapshot)
    }

    pub fn storage(&self) -> &Arc<Storage> {
        &self.session.storage
    }

    pub fn delta_bytes(&self) -> usize {
        self.storage().memory_bytes().0
    }
}

pub fn group(v: i32) -> Datum {
    int(v / GROUP)
}

pub fn odd() -> impl Iterator<Item = i32> {
    (0..ROWS).filter(|id| id % 2 == 1)
}

/// Changes of one transaction on top of its own, by delta and by marks, with changed keys.
pub fn change_twice(db: &Db, txn: &mut Transaction, state: &mut State) {
    db.add(txn, state, 0..4000, 1);
    db.add(txn, state, (0..4500).step_by(3), GROUP);
    db.delete(txn, state, (0..4000).step_by(4));
    let savepoint = txn.savepoint().unwrap();
    let mut undone = state.clone();
    db.add(txn, &mut undone, 4500..ROWS, 3);
    db.add(txn, &mut undone, (1..4000).step_by(4), 3);
    db.delete(txn, &mut undone, (2..4000).step_by(4));
    txn.rollback_to(&savepoint).unwrap();
    db.add(txn, state, 4200..4400, GROUP);
}
