//! Models for loom: publication of commits, lists of versions read while they are cleaned, group commit, horizons, locks, under every order of events that the memory model allows
//! with a bounded number of preemptions.
//!
//! `cargo xtask loom` runs them; `LOOM_MAX_PREEMPTIONS` raises the bound.
//! Waits have no timeouts here, so that a wake-up that gets lost is a deadlock, and fails.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::cancel::CancelToken;
use common::env::sim::{IoKind, SimEnv};
use common::env::{Env, FileSystem, Notify, TaskHandle, TaskStatus};
use common::sync::{AtomicU32, Mutex, Ordering};
use common::{CommandId, Lsn, Oid};
use loom::thread;

use crate::versions::{self, Lifetime, Link};
use crate::{
    AtomicStamp, LockDuration, LockMode, LockTag, Proc, Snapshot, SnapshotGuard, Stamp, StampState,
    SynchronousCommit, Txn, TxnManager, TxnStart, WaitOptions, Wal, WalOptions, visible,
};

/// The simulated machine with loom's waits.
struct ModelEnv(SimEnv);

impl Env for ModelEnv {
    fn now_unix_micros(&self) -> i64 {
        0
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn fill_random(&self, buf: &mut [u8]) {
        self.0.fill_random(buf);
    }

    fn fs(&self) -> &dyn FileSystem {
        self.0.fs()
    }

    /// Tasks run when virtual time passes: never.
    fn spawn_task(
        &self,
        name: &str,
        task: Box<dyn FnMut() -> TaskStatus + Send>,
    ) -> io::Result<Arc<dyn TaskHandle>> {
        self.0.spawn_task(name, task)
    }

    fn wait(&self, notify: &Notify, _: Option<Duration>) -> bool {
        notify.block(None)
    }

    fn sleep(&self, _: Duration) {
        thread::yield_now();
    }

    fn process_id(&self) -> u32 {
        1
    }
}

/// Runs `model` in all orders of events with at most `preemptions` changes of thread that no wait asks for.
fn check(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(preemptions);
    builder.max_branches = 20_000;
    builder.check(model);
}

fn in_memory() -> Arc<TxnManager> {
    let env = Arc::new(ModelEnv(SimEnv::new(1)));
    TxnManager::new(env, Wal::none(), TxnStart::default()).unwrap()
}

fn writer(manager: &Arc<TxnManager>, proc: &Arc<Proc>) -> Txn {
    let mut txn = manager.begin(proc).unwrap();
    txn.assign_xid().unwrap();
    txn
}

/// Versions of a row: begin and end.
type Chain = [(AtomicStamp, AtomicStamp); 3];

fn chain() -> Arc<Chain> {
    let stamp = |stamp| AtomicStamp::new(stamp);
    Arc::new([
        (stamp(Stamp::FROZEN), stamp(Stamp::NEVER)),
        (stamp(Stamp::NEVER), stamp(Stamp::NEVER)),
        (stamp(Stamp::NEVER), stamp(Stamp::NEVER)),
    ])
}

/// Two sessions and a row.
fn scene() -> (Arc<TxnManager>, Arc<Proc>, Arc<Proc>, Arc<Chain>) {
    let manager = in_memory();
    let (a, b) = (manager.register(1).unwrap(), manager.register(2).unwrap());
    (manager, a, b, chain())
}

/// Ends version `n - 1` and begins version `n`.
fn replace(txn: &Txn, chain: &Chain, n: usize) {
    chain[n].0.set(txn.stamp());
    chain[n - 1].1.try_claim(txn.stamp()).unwrap();
}

fn commit_and_settle(mut txn: Txn, chain: &Chain, n: usize) {
    let csn = txn.commit(None, SynchronousCommit::On).unwrap();
    chain[n].0.set(Stamp::committed(csn));
    chain[n - 1].1.set(Stamp::committed(csn));
    txn.finish();
}

fn seen(chain: &Chain, snapshot: &Snapshot, manager: &TxnManager) -> Vec<usize> {
    let sees = |n: &usize| {
        let (begin, end) = &chain[*n];
        visible(begin, end, CommandId(0), CommandId(0), snapshot, manager.table())
    };
    (0..chain.len()).filter(sees).collect()
}

/// While a session commits twice, its slot used again, every snapshot sees exactly one version, twice the same, and never an older one
/// than a snapshot before.
#[test]
fn snapshots_see_whole_commits() {
    check(3, || {
        let (manager, a, b, chain) = scene();
        let (theirs, their_chain) = (Arc::clone(&manager), Arc::clone(&chain));
        // The committer runs first: one preemption less to get where it becomes interesting.
        let reader = thread::spawn(move || {
            let look = || {
                let guard = SnapshotGuard::take(&b).unwrap();
                let snapshot = Snapshot::committed(guard.csn());
                let now = seen(&their_chain, &snapshot, &theirs);
                assert_eq!(now.len(), 1, "{now:?}");
                now[0]
            };
            let before = look();
            assert!(before <= look());
        });
        for n in 1..3 {
            let txn = writer(&manager, &a);
            replace(&txn, &chain, n);
            commit_and_settle(txn, &chain, n);
        }
        reader.join().unwrap();
    });
}

/// What rolled back is never seen, also when its slot has a new owner.
#[test]
fn nobody_sees_what_rolled_back() {
    check(3, || {
        let (manager, a, b, chain) = scene();
        let (theirs, their_chain) = (Arc::clone(&manager), Arc::clone(&chain));
        let reader = thread::spawn(move || {
            let guard = SnapshotGuard::take(&b).unwrap();
            let now = seen(&their_chain, &Snapshot::committed(guard.csn()), &theirs);
            assert!(now == [0] || now == [2], "{now:?}");
        });
        let txn = writer(&manager, &a);
        replace(&txn, &chain, 1);
        chain[1].0.set(Stamp::NEVER);
        chain[0].1.set(Stamp::NEVER);
        txn.abort();
        let mut txn = writer(&manager, &a);
        chain[2].0.set(txn.stamp());
        chain[0].1.try_claim(txn.stamp()).unwrap();
        let csn = txn.commit(None, SynchronousCommit::On).unwrap();
        chain[2].0.set(Stamp::committed(csn));
        chain[0].1.set(Stamp::committed(csn));
        txn.finish();
        reader.join().unwrap();
    });
}

/// A horizon taken at any moment is not above a snapshot that is registered then, however that came to be.
#[test]
fn horizons_stay_below_snapshots() {
    check(3, || {
        let manager = in_memory();
        let procs: Vec<_> = (0..3).map(|pid| manager.register(pid).unwrap()).collect();
        let (theirs, proc) = (Arc::clone(&manager), Arc::clone(&procs[0]));
        let committer = thread::spawn(move || {
            let mut txn = writer(&theirs, &proc);
            txn.commit(None, SynchronousCommit::On).unwrap();
            txn.finish();
        });
        let theirs = Arc::clone(&manager);
        let cleaner = thread::spawn(move || theirs.horizon());
        let guard = SnapshotGuard::take(&procs[1]).unwrap();
        let shared = guard.share_with(&procs[2]).unwrap();
        drop(guard);
        assert!(manager.horizon() <= shared.csn());
        // What a cleaner may have removed by now, the snapshot does not need.
        assert!(cleaner.join().unwrap() <= shared.csn());
        committer.join().unwrap();
    });
}

/// A version of a row that counts its updates.
#[derive(Debug)]
struct Counted {
    count: u64,
    begin: AtomicStamp,
    end: AtomicStamp,
    older: Link<Counted>,
}

impl Counted {
    fn new(count: u64, begin: Stamp, older: Option<Arc<Counted>>) -> Arc<Counted> {
        Arc::new(Counted {
            count,
            begin: AtomicStamp::new(begin),
            end: AtomicStamp::new(Stamp::NEVER),
            older: Link::new(older),
        })
    }
}

impl Lifetime for Counted {
    fn begin(&self) -> (&AtomicStamp, CommandId) {
        (&self.begin, CommandId(0))
    }

    fn end(&self) -> &AtomicStamp {
        &self.end
    }

    fn cmax(&self) -> CommandId {
        CommandId(0)
    }

    fn older(&self) -> &Link<Counted> {
        &self.older
    }
}

/// The newest version of a row; the lock is that of the row's chunk, readers take it for one load.
type Row = Arc<Mutex<Arc<Counted>>>;

/// Commits one update of the row.
fn count_up(manager: &Arc<TxnManager>, proc: &Arc<Proc>, row: &Row) {
    let mut txn = writer(manager, proc);
    let (before, after) = {
        let mut head = row.lock();
        head.end.try_claim(txn.stamp()).unwrap();
        let after = Counted::new(head.count + 1, txn.stamp(), Some(Arc::clone(&head)));
        (std::mem::replace(&mut *head, Arc::clone(&after)), after)
    };
    let csn = txn.commit(None, SynchronousCommit::On).unwrap();
    after.begin.set(Stamp::committed(csn));
    before.end.set(Stamp::committed(csn));
    txn.finish();
}

/// What a merge does to a list: cut it behind what all see, take out what lies between snapshots.
fn collect(manager: &TxnManager, row: &Row) {
    let (horizon, live) = (manager.horizon(), manager.table().live_snapshots());
    let head = Arc::clone(&row.lock());
    let mut version = Arc::clone(&head);
    while !versions::hides_older(&*version, manager.table(), horizon) {
        let Some(older) = version.older.load_full() else {
            break;
        };
        version = older;
    }
    if versions::hides_older(&*version, manager.table(), horizon) {
        version.older.store(None);
    }
    versions::thin_out(&head, manager.table(), &live, &mut |_| ());
}

/// The count that a snapshot taken now sees, before and after somebody else had time.
fn look_twice(manager: &TxnManager, proc: &Arc<Proc>, row: &Row, updates_end: u64) -> u64 {
    let guard = SnapshotGuard::take(proc).unwrap();
    let snapshot = Snapshot::committed(guard.csn());
    let look = || {
        let head = Arc::clone(&row.lock());
        let seen = versions::visible(&head, &snapshot, manager.table());
        seen.expect("a version for every snapshot").count
    };
    let first = look();
    thread::yield_now();
    assert_eq!(first, look());
    assert!(first <= updates_end);
    first
}

/// A reader finds the version of its snapshot while the row is updated twice and its list is cleaned behind the reader's back.
#[test]
fn garbage_is_what_nobody_reads() {
    check(2, || {
        let manager = in_memory();
        let procs: Vec<_> = (0..2).map(|pid| manager.register(pid).unwrap()).collect();
        let row: Row = Arc::new(Mutex::new(Counted::new(0, Stamp::FROZEN, None)));
        let (theirs, their_row, proc) = (Arc::clone(&manager), Arc::clone(&row), Arc::clone(&procs[1]));
        let reader = thread::spawn(move || look_twice(&theirs, &proc, &their_row, 2));
        let (theirs, their_row) = (Arc::clone(&manager), Arc::clone(&row));
        let cleaner = thread::spawn(move || collect(&theirs, &their_row));
        count_up(&manager, &procs[0], &row);
        count_up(&manager, &procs[0], &row);
        reader.join().unwrap();
        cleaner.join().unwrap();
        assert_eq!(look_twice(&manager, &procs[1], &row, 2), 2);
    });
}

/// The same with a snapshot that is older than all updates, so that versions between it and the newest go.
#[test]
fn versions_between_snapshots_are_taken_out_unnoticed() {
    check(2, || {
        let manager = in_memory();
        let procs: Vec<_> = (0..3).map(|pid| manager.register(pid).unwrap()).collect();
        let row: Row = Arc::new(Mutex::new(Counted::new(0, Stamp::FROZEN, None)));
        let old = SnapshotGuard::take(&procs[2]).unwrap();
        count_up(&manager, &procs[0], &row);
        count_up(&manager, &procs[0], &row);
        let (theirs, their_row, proc) = (Arc::clone(&manager), Arc::clone(&row), Arc::clone(&procs[1]));
        let reader = thread::spawn(move || look_twice(&theirs, &proc, &their_row, 3));
        let (theirs, their_row) = (Arc::clone(&manager), Arc::clone(&row));
        let cleaner = thread::spawn(move || collect(&theirs, &their_row));
        count_up(&manager, &procs[0], &row);
        assert!(reader.join().unwrap() >= 2);
        cleaner.join().unwrap();
        collect(&manager, &row);
        let snapshot = Snapshot::committed(old.csn());
        let head = Arc::clone(&row.lock());
        let seen = versions::visible(&head, &snapshot, manager.table()).unwrap();
        assert_eq!(seen.count, 0);
        // Head and the old snapshot's version, nothing between them.
        assert_eq!(head.older.load_full().map(|version| version.count), Some(0));
    });
}

/// A log on a simulated disk, and the disk.
fn logged() -> (Arc<TxnManager>, SimEnv) {
    let sim = SimEnv::new(1);
    let wal = Wal::open(
        Arc::new(ModelEnv(sim.clone())),
        WalOptions::new("/wal"),
        Lsn(0),
        &mut |_| Ok(()),
    )
    .unwrap();
    sim.fs().sync_dir(Path::new("/")).unwrap();
    let env = Arc::new(ModelEnv(sim.clone()));
    (TxnManager::new(env, wal, TxnStart::default()).unwrap(), sim)
}

/// Payloads of the records that a power cut now leaves.
fn left(sim: &SimEnv) -> Vec<u8> {
    let mut found = Vec::new();
    let env = Arc::new(ModelEnv(sim.crash()));
    Wal::open(env, WalOptions::new("/wal"), Lsn(0), &mut |record| {
        found.extend(record.payload.first());
        Ok(())
    })
    .unwrap();
    found
}

/// Commits `id`, as many have it; true if that succeeded.
fn commit_logged(manager: &Arc<TxnManager>, proc: &Arc<Proc>, id: u8, level: SynchronousCommit) -> bool {
    let mut txn = writer(manager, proc);
    let done = txn.commit(Some(&[id]), level).is_ok();
    match done {
        true => txn.finish(),
        false => txn.abort(),
    }
    done
}

/// Whoever is told that his commit is durable finds it after a power cut, whoever led the group, and nobody waits for ever.
#[test]
fn acknowledged_commits_are_on_disk() {
    check(2, || {
        let (manager, sim) = logged();
        let procs: Vec<_> = (0..3).map(|pid| manager.register(pid).unwrap()).collect();
        let others: Vec<_> = [(1, SynchronousCommit::On), (2, SynchronousCommit::Off)]
            .into_iter()
            .map(|(id, level)| {
                let (manager, sim, proc) =
                    (Arc::clone(&manager), sim.clone(), Arc::clone(&procs[id as usize]));
                thread::spawn(move || {
                    assert!(commit_logged(&manager, &proc, id, level));
                    assert!(level == SynchronousCommit::Off || left(&sim).contains(&id));
                })
            })
            .collect();
        assert!(commit_logged(&manager, &procs[0], 9, SynchronousCommit::On));
        assert!(left(&sim).contains(&9));
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(manager.visible_csn().0, 4);
    });
}

/// When the disk fails once, each commit either succeeds and is there after a power cut, or fails and never comes back.
#[test]
fn a_failing_sync_leaves_no_commit_in_between() {
    check(2, || {
        let (manager, sim) = logged();
        let procs: Vec<_> = (0..2).map(|pid| manager.register(pid).unwrap()).collect();
        assert!(commit_logged(&manager, &procs[0], 1, SynchronousCommit::On));
        sim.fail(IoKind::Sync, 1, io::ErrorKind::Other);
        let (theirs, proc) = (Arc::clone(&manager), Arc::clone(&procs[1]));
        let other = thread::spawn(move || commit_logged(&theirs, &proc, 2, SynchronousCommit::On));
        let mine = commit_logged(&manager, &procs[0], 3, SynchronousCommit::On);
        let theirs = other.join().unwrap();
        let found = left(&sim);
        assert!(found.contains(&1));
        assert_eq!((found.contains(&3), found.contains(&2)), (mine, theirs));
        // It goes on.
        assert!(commit_logged(&manager, &procs[0], 4, SynchronousCommit::On));
        assert!(left(&sim).contains(&4));
    });
}

fn patient() -> WaitOptions {
    WaitOptions {
        lock_timeout: None,
        deadlock_timeout: Duration::from_secs(1),
        cancel: CancelToken::new(),
    }
}

/// Sessions that take one lock in these modes at once: those that exclude each other are never inside together, and all get it.
fn compete(modes: &'static [LockMode]) {
    check(2, move || {
        let manager = in_memory();
        let tag = LockTag::Relation {
            database: Oid(5),
            relation: Oid(7),
        };
        // How many are inside with each mode.
        let inside: Arc<Vec<AtomicU32>> = Arc::new(modes.iter().map(|_| AtomicU32::new(0)).collect());
        let enter = move |manager: &Arc<TxnManager>, proc: &Arc<Proc>, n: usize, inside: &[AtomicU32]| {
            let txn = manager.begin(proc).unwrap();
            let wait = patient();
            manager
                .locks()
                .lock(proc, tag, modes[n], LockDuration::Transaction, &wait)
                .unwrap();
            inside[n].store(1, Ordering::Relaxed);
            for (other, there) in inside.iter().enumerate() {
                if other != n && modes[n].conflicts_with(modes[other]) {
                    assert_eq!(there.load(Ordering::Relaxed), 0);
                }
            }
            inside[n].store(0, Ordering::Relaxed);
            txn.finish();
        };
        let procs: Vec<_> = (0..modes.len())
            .map(|n| manager.register(n as i32).unwrap())
            .collect();
        let others: Vec<_> = (1..modes.len())
            .map(|n| {
                let (manager, proc, inside) =
                    (Arc::clone(&manager), Arc::clone(&procs[n]), Arc::clone(&inside));
                thread::spawn(move || enter(&manager, &proc, n, &inside))
            })
            .collect();
        enter(&manager, &procs[0], 0, &inside);
        for other in others {
            other.join().unwrap();
        }
        assert!(manager.locks().snapshot().is_empty());
    });
}

#[test]
fn strong_locks_exclude_each_other() {
    compete(&[
        LockMode::AccessExclusive,
        LockMode::AccessExclusive,
        LockMode::ShareUpdateExclusive,
    ]);
}

/// Weak locks are taken without the shared table until somebody wants a strong one.
#[test]
fn strong_locks_exclude_those_of_the_fast_path() {
    compete(&[
        LockMode::AccessExclusive,
        LockMode::AccessShare,
        LockMode::RowExclusive,
    ]);
}

/// Whoever waits for the end of a transaction is woken when it commits.
#[test]
fn waiters_learn_that_a_transaction_has_ended() {
    check(3, || {
        let (manager, a, b, chain) = scene();
        let txn = writer(&manager, &a);
        replace(&txn, &chain, 1);
        let (theirs, their_chain) = (Arc::clone(&manager), Arc::clone(&chain));
        let waiter = thread::spawn(move || {
            let own = writer(&theirs, &b);
            if let Err(stamp) = their_chain[0].1.try_claim(own.stamp()) {
                theirs.locks().wait_for_stamp(&b, stamp, &patient()).unwrap();
            }
            let state = their_chain[0].1.resolve(theirs.table());
            assert!(matches!(state, StampState::Committed(_)));
            own.abort();
        });
        commit_and_settle(txn, &chain, 1);
        waiter.join().unwrap();
    });
}
