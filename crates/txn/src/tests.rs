//! Visibility, horizons and the life of transactions.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use common::env::os::OsEnv;
use common::{CommandId, Csn, Xid};
use proptest::prelude::*;

use crate::{
    AtomicStamp, Proc, Snapshot, SnapshotGuard, Stamp, StampState, SynchronousCommit, Txn, TxnManager,
    TxnStart, Wal, visible,
};

fn manager() -> Arc<TxnManager> {
    TxnManager::new(Arc::new(OsEnv::new()), Wal::none(), TxnStart::default()).unwrap()
}

fn writer(manager: &Arc<TxnManager>, proc: &Arc<Proc>) -> Txn {
    let mut txn = manager.begin(proc).unwrap();
    txn.assign_xid().unwrap();
    txn
}

fn commit(txn: &mut Txn) -> Csn {
    txn.commit(None, SynchronousCommit::On).unwrap()
}

/// What happened to one end of a version.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Never,
    Frozen,
    /// Settled at a CSN.
    Settled(u64),
    /// Committed at a CSN, not settled yet.
    Published(u64),
    InProgress,
    Aborted,
    /// By us, in that command.
    Own(u32),
}

fn fates() -> impl Strategy<Value = Fate> {
    prop_oneof![
        Just(Fate::Never),
        Just(Fate::Frozen),
        (2u64..12).prop_map(Fate::Settled),
        (2u64..12).prop_map(Fate::Published),
        Just(Fate::InProgress),
        Just(Fate::Aborted),
        (0u32..4).prop_map(Fate::Own),
    ]
}

/// The specification: has it happened, for this snapshot?
fn expected(fate: Fate, csn: u64, command: u32) -> bool {
    match fate {
        Fate::Never | Fate::InProgress | Fate::Aborted => false,
        Fate::Frozen => true,
        Fate::Settled(at) | Fate::Published(at) => at <= csn,
        Fate::Own(at) => at < command,
    }
}

proptest! {
    #[test]
    fn visibility_is_what_the_specification_says(
        begin in fates(), end in fates(), csn in 1u64..14, command in 0u32..4,
    ) {
        let manager = manager();
        let table = manager.table();
        let procs: Vec<_> = (0..3).map(|pid| manager.register(pid).unwrap()).collect();
        let own = writer(&manager, &procs[0]);
        let others = [writer(&manager, &procs[1]), writer(&manager, &procs[2])];
        let stamp = |fate, other: &Txn| match fate {
            Fate::Never => Stamp::NEVER,
            Fate::Frozen => Stamp::FROZEN,
            Fate::Settled(at) => Stamp::committed(Csn(at)),
            Fate::Published(at) => {
                table.publish_state(other.xid().unwrap(), other.proc().number(), Csn(at));
                other.stamp()
            }
            Fate::InProgress => other.stamp(),
            Fate::Aborted => {
                other.proc().mark_aborted();
                other.stamp()
            }
            Fate::Own(_) => own.stamp(),
        };
        let command_of = |fate| CommandId(if let Fate::Own(at) = fate { at } else { 0 });
        let (b, e) = (AtomicStamp::new(stamp(begin, &others[0])), AtomicStamp::new(stamp(end, &others[1])));
        let snapshot = Snapshot { csn: Csn(csn), own: own.stamp(), command: CommandId(command), serial: 0 };
        let seen = visible(&b, &e, command_of(begin), command_of(end), &snapshot, table);
        prop_assert_eq!(seen, expected(begin, csn, command) && !expected(end, csn, command));
        // Without a transaction of its own, what we did is somebody's in progress.
        let outside = Snapshot::committed(Csn(csn));
        let seen = visible(&b, &e, command_of(begin), command_of(end), &outside, table);
        let strange = |fate| if let Fate::Own(_) = fate { Fate::InProgress } else { fate };
        prop_assert_eq!(seen, expected(strange(begin), csn, 0) && !expected(strange(end), csn, 0));
    }

    #[test]
    fn stamps_keep_what_they_name(xid in 1u64..1 << 47, slot in 0u32..1 << 16, csn in 0u64..(1 << 62)) {
        let reference = Stamp::reference(Xid(xid), slot);
        prop_assert_eq!((reference.xid(), reference.slot(), reference.csn()), (Some(Xid(xid)), slot, None));
        let committed = Stamp::committed(Csn(csn));
        prop_assert_eq!((committed.xid(), committed.csn()), (None, Some(Csn(csn))));
        prop_assert!(committed.raw() < Stamp::NEVER.raw() && Stamp::NEVER.raw() < reference.raw());
    }
}

#[test]
fn a_transaction_from_begin_to_settled_stamps() {
    let manager = manager();
    let (a, b) = (manager.register(1).unwrap(), manager.register(2).unwrap());
    let mut txn = manager.begin(&a).unwrap();
    assert_eq!(txn.xid(), None);
    let stamp = txn.assign_xid().unwrap();
    assert_eq!((txn.xid(), txn.assign_xid().unwrap()), (Some(Xid(3)), stamp));
    let (begin, end) = (AtomicStamp::new(stamp), AtomicStamp::new(Stamp::NEVER));
    let sees = |txn: &Txn, guard: &SnapshotGuard| {
        visible(
            &begin,
            &end,
            CommandId(0),
            CommandId(0),
            &guard.snapshot(txn),
            manager.table(),
        )
    };
    let reader = manager.begin(&b).unwrap();
    let early = reader.take_snapshot().unwrap();
    let mine = txn.take_snapshot().unwrap();
    assert!(!sees(&txn, &mine) && !sees(&reader, &early));
    txn.advance_command().unwrap();
    assert!(sees(&txn, &mine) && !sees(&reader, &early));
    assert_eq!(manager.active_xids(), [Xid(3)]);
    let csn = commit(&mut txn);
    let late = reader.take_snapshot().unwrap();
    assert!(!sees(&reader, &early) && sees(&reader, &late));
    assert_eq!(begin.resolve(manager.table()), StampState::Committed(csn));
    begin.set(Stamp::committed(csn));
    txn.finish();
    assert!(!sees(&reader, &early) && sees(&reader, &late));
    assert_eq!(end.try_claim(stamp), Ok(()));
    assert_eq!(end.try_claim(stamp), Err(stamp));
    reader.finish();
    assert!(manager.active().is_empty());
}

#[test]
fn the_horizon_is_the_oldest_snapshot_and_never_goes_back() {
    let manager = manager();
    let (a, b) = (manager.register(1).unwrap(), manager.register(2).unwrap());
    assert_eq!(manager.horizon(), Csn(1));
    let old = SnapshotGuard::take(&a).unwrap();
    for _ in 0..5 {
        let mut txn = writer(&manager, &b);
        commit(&mut txn);
        txn.finish();
    }
    assert_eq!((manager.horizon(), manager.visible_csn()), (Csn(1), Csn(6)));
    let shared = old.share().unwrap();
    drop(old);
    assert_eq!(manager.horizon(), Csn(1));
    let many: Vec<_> = (0..20).map(|_| SnapshotGuard::take(&a).unwrap()).collect();
    drop(shared);
    assert_eq!(manager.horizon(), Csn(6));
    let mut txn = writer(&manager, &b);
    commit(&mut txn);
    txn.finish();
    assert_eq!(manager.horizon(), Csn(6));
    drop(many);
    assert_eq!(manager.horizon(), Csn(7));
}

/// Each commit makes version `n` and ends version `n - 1`, so every snapshot must see exactly one of them; and none that
/// ended at or before the horizon.
#[test]
fn snapshots_are_consistent_while_others_commit_and_settle() {
    let manager = manager();
    let stop = Arc::new(AtomicBool::new(false));
    let versions: Arc<Vec<(AtomicStamp, AtomicStamp)>> = Arc::new(
        (0..3000)
            .map(|_| (AtomicStamp::new(Stamp::NEVER), AtomicStamp::new(Stamp::NEVER)))
            .collect(),
    );
    versions[0].0.set(Stamp::FROZEN);
    let readers: Vec<_> = (0..3)
        .map(|pid| {
            let (manager, versions, stop) = (Arc::clone(&manager), Arc::clone(&versions), Arc::clone(&stop));
            thread::spawn(move || {
                let proc = manager.register(pid).unwrap();
                let mut looks = 0;
                while !stop.load(Ordering::Relaxed) || looks == 0 {
                    let txn = manager.begin(&proc).unwrap();
                    let guard = txn.take_snapshot().unwrap();
                    let snapshot = guard.snapshot(&txn);
                    assert!(manager.horizon() <= snapshot.csn);
                    let sees = |(b, e): &&(AtomicStamp, AtomicStamp)| {
                        visible(b, e, CommandId(0), CommandId(0), &snapshot, manager.table())
                    };
                    assert_eq!(versions.iter().filter(sees).count(), 1);
                    looks += 1;
                    drop(guard);
                    txn.finish();
                }
            })
        })
        .collect();
    let proc = manager.register(9).unwrap();
    for n in 1..versions.len() {
        let mut txn = writer(&manager, &proc);
        let stamp = txn.stamp();
        versions[n - 1].1.try_claim(stamp).unwrap();
        versions[n].0.set(stamp);
        if n % 7 == 3 {
            // Roll back first, then do it again.
            versions[n].0.set(Stamp::NEVER);
            versions[n - 1].1.set(Stamp::NEVER);
            txn.abort();
            txn = writer(&manager, &proc);
            versions[n - 1].1.try_claim(txn.stamp()).unwrap();
            versions[n].0.set(txn.stamp());
        }
        let csn = commit(&mut txn);
        versions[n].0.set(Stamp::committed(csn));
        versions[n - 1].1.set(Stamp::committed(csn));
        txn.finish();
    }
    stop.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.join().unwrap();
    }
}

#[test]
fn commands_are_bounded_and_ended_transactions_write_no_more() {
    let manager = manager();
    let proc = manager.register(1).unwrap();
    let mut txn = manager.begin(&proc).unwrap();
    assert_eq!(
        txn.commit(None, SynchronousCommit::On).unwrap(),
        manager.visible_csn()
    );
    assert!(txn.assign_xid().is_err());
    assert!(txn.commit(None, SynchronousCommit::On).is_err());
    txn.finish();
}

#[test]
fn a_stamp_that_nobody_settled_is_of_what_never_was() {
    let manager = manager();
    let proc = manager.register(1).unwrap();
    let mut txn = writer(&manager, &proc);
    let stamp = AtomicStamp::new(txn.stamp());
    let table = manager.table();
    assert!(matches!(stamp.resolve(table), StampState::InProgress(_)));
    commit(&mut txn);
    assert!(matches!(stamp.resolve(table), StampState::Committed(_)));
    // A reader that was stopped with it goes on, for the version has left memory with its stamp as it was.
    txn.finish();
    assert_eq!(stamp.resolve(table), StampState::Never);
    let _next = writer(&manager, &proc);
    assert_eq!(stamp.resolve(table), StampState::Never);
}
