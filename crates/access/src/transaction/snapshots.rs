//! The snapshots that statements read under.

use std::ops::Deref;
use std::sync::Arc;

use common::{CommandId, Csn, PgResult, Xid};
use txn::{Proc, Snapshot, SnapshotGuard};

use crate::transaction::views::{View, Views};
use crate::transaction::{Isolation, Transaction};

/// A snapshot and its registration. Keep it as long as something reads under it.
#[derive(Clone)]
pub struct ActiveSnapshot {
    guard: Arc<SnapshotGuard>,
    snapshot: Snapshot,
    /// Tells the transaction that it is in use, if that matters.
    _view: Option<Arc<View>>,
}

impl ActiveSnapshot {
    /// The registration alone.
    pub fn guard(&self) -> &Arc<SnapshotGuard> {
        &self.guard
    }
}

impl Deref for ActiveSnapshot {
    type Target = Snapshot;

    fn deref(&self) -> &Snapshot {
        &self.snapshot
    }
}

impl ActiveSnapshot {
    /// What is committed now, for reading outside of any transaction on behalf of a session: system catalogs that its transaction has not
    /// changed.
    pub fn committed(proc: &Arc<Proc>) -> PgResult<ActiveSnapshot> {
        let guard = Arc::new(SnapshotGuard::take(proc)?);
        Ok(ActiveSnapshot {
            snapshot: Snapshot::committed(guard.csn()),
            guard,
            _view: None,
        })
    }
}

impl Transaction {
    /// The snapshot for the current command: new for each call under read committed, else the transaction's first.
    pub fn snapshot(&mut self) -> PgResult<ActiveSnapshot> {
        let guard = match &self.snapshot {
            Some(guard) => Arc::clone(guard),
            None => {
                let guard = Arc::new(self.first_snapshot()?);
                if self.uses_one_snapshot() {
                    self.snapshot = Some(Arc::clone(&guard));
                }
                guard
            }
        };
        self.active(guard)
    }

    /// What the current command sees of a registered snapshot.
    fn active(&self, guard: Arc<SnapshotGuard>) -> PgResult<ActiveSnapshot> {
        let snapshot = guard.snapshot(self.txn()?);
        Ok(ActiveSnapshot {
            _view: self.views.as_ref().map(|views| views.enter(snapshot.command)),
            guard,
            snapshot,
        })
    }

    /// From here on snapshots tell that they are in use. Those of before see nothing of what this command and later ones do.
    pub(crate) fn watch_views(&mut self) {
        self.views.get_or_insert_default();
    }

    /// True when a snapshot in use, or one taken now, sees what the first of these commands did and not what the last did.
    pub(crate) fn views_divide(&self, first: CommandId, last: CommandId) -> bool {
        let now = self.command();
        let divides = |views: &Arc<Views>| views.divide(first, last);
        first < now && now <= last || self.views.as_ref().is_none_or(divides)
    }

    fn first_snapshot(&mut self) -> PgResult<SnapshotGuard> {
        if self.options.isolation < Isolation::Serializable {
            return Ok(self.txn()?.take_snapshot()?);
        }
        let (mode, wait) = (self.options.serial, self.options.wait.clone());
        Ok(self.txn_mut()?.serializable_snapshot(mode, &wait)?)
    }

    /// The transaction's one snapshot, if it has taken it and there are indexes that may not suit it: what to ask
    /// [`Storage::index_serves`] with.
    pub fn old_snapshot(&self) -> Option<(Csn, Option<Xid>)> {
        let csn = self.snapshot.as_ref()?.csn();
        let younger = self.built_index || self.storage.has_younger_index(csn);
        younger.then(|| (csn, self.xid()))
    }

    /// A new snapshot whatever the isolation level: system catalogs, EvalPlanQual, foreign key checks.
    pub fn latest_snapshot(&self) -> PgResult<ActiveSnapshot> {
        self.active(Arc::new(self.txn()?.take_snapshot()?))
    }

    /// The same registration, seen by the current command (after [`Transaction::next_command`]).
    pub fn refresh(&self, snapshot: &ActiveSnapshot) -> PgResult<ActiveSnapshot> {
        self.active(Arc::clone(&snapshot.guard))
    }
}
