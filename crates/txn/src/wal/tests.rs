//! The log as a whole: recovery at every byte, crashes, failures, groups.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io;
use std::path::Path;
use std::sync::Arc;

use common::env::os::OsEnv;
use common::env::sim::{CrashMode, IoKind, SimEnv};
use common::env::{Env, OpenMode};
use common::{Csn, Lsn, Xid, sqlstate};

use crate::wal::segment::{SEGMENT_HEADER, segment_path};
use crate::wal::{RecordKind, SynchronousCommit, Wal, WalOptions};
use crate::{Proc, TxnError, TxnManager, TxnResult, TxnStart};

const DIR: &str = "/db/wal";

fn options(segment_size: u64) -> WalOptions {
    WalOptions {
        segment_size,
        ..WalOptions::new(DIR)
    }
}

type Seen = Vec<(u8, u64, Vec<u8>)>;

/// Opens the log and collects what it replays.
fn open(env: &Arc<dyn Env>, options: WalOptions, from: Lsn) -> TxnResult<(Arc<Wal>, Seen)> {
    let mut seen = Vec::new();
    let home = |e| TxnError::io("home", e);
    env.fs().create_dir_all(Path::new("/db")).map_err(home)?;
    env.fs().sync_dir(Path::new("/")).map_err(home)?;
    let wal = Wal::open(Arc::clone(env), options, from, &mut |record| {
        seen.push((record.kind.0, record.xid.0, record.payload.to_vec()));
        Ok(())
    })?;
    Ok((wal, seen))
}

/// A database of one session on a simulated machine.
struct Db {
    env: Arc<dyn Env>,
    manager: Arc<TxnManager>,
    proc: Arc<Proc>,
    seen: Seen,
}

impl Db {
    fn open(sim: &SimEnv, segment_size: u64) -> TxnResult<Db> {
        let env: Arc<dyn Env> = Arc::new(sim.clone());
        let (wal, seen) = open(&env, options(segment_size), Lsn(0))?;
        let next_xid = Xid(seen.iter().map(|(_, xid, _)| xid + 1).max().unwrap_or(3));
        let manager = TxnManager::new(
            Arc::clone(&env),
            wal,
            TxnStart {
                next_xid,
                csn: Csn(1),
            },
        )?;
        let proc = manager.register(1)?;
        Ok(Db {
            env,
            manager,
            proc,
            seen,
        })
    }

    fn commit(&self, payload: &[u8], level: SynchronousCommit) -> TxnResult<Csn> {
        let mut txn = self.manager.begin(&self.proc)?;
        txn.assign_xid()?;
        match txn.commit(Some(payload), level) {
            Ok(csn) => {
                txn.finish();
                Ok(csn)
            }
            Err(e) => {
                txn.abort();
                Err(e)
            }
        }
    }

    fn payloads(&self) -> Vec<u32> {
        let commits = self
            .seen
            .iter()
            .filter(|(kind, ..)| *kind == RecordKind::COMMIT.0);
        commits
            .map(|(_, _, payload)| u32::from_le_bytes(payload[..4].try_into().unwrap()))
            .collect()
    }
}

/// A payload that tells its number and has an odd size.
fn payload(number: u32) -> Vec<u8> {
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.resize(4 + (number as usize * 37) % 300, number as u8);
    bytes
}

#[test]
fn records_come_back_in_order_over_many_segments() {
    let sim = SimEnv::new(1);
    let db = Db::open(&sim, 2000).unwrap();
    for i in 0..100 {
        assert_eq!(
            db.commit(&payload(i), SynchronousCommit::On).unwrap(),
            Csn(2 + u64::from(i))
        );
    }
    db.manager
        .wal()
        .append(RecordKind::SEQUENCE, Xid(0), b"seq")
        .unwrap();
    db.manager.wal().close().unwrap();
    assert!(db.env.fs().read_dir(Path::new(DIR)).unwrap().len() > 5);
    let again = Db::open(&sim, 2000).unwrap();
    assert_eq!(again.payloads(), (0..100).collect::<Vec<_>>());
    assert_eq!(
        again.seen.last().unwrap(),
        &(RecordKind::SEQUENCE.0, 0, b"seq".to_vec())
    );
}

#[test]
fn opening_writes_nothing() {
    let sim = SimEnv::new(1);
    let db = Db::open(&sim, 1 << 20).unwrap();
    drop(db);
    assert!(sim.files().is_empty());
}

#[test]
fn replay_starts_where_asked_and_old_segments_go() {
    let sim = SimEnv::new(1);
    let db = Db::open(&sim, 1000).unwrap();
    for i in 0..20 {
        db.commit(&payload(i), SynchronousCommit::On).unwrap();
    }
    let point = db.manager.checkpoint_point();
    assert_eq!((point.csn, point.lsn), (Csn(21), point.redo));
    for i in 20..30 {
        db.commit(&payload(i), SynchronousCommit::On).unwrap();
    }
    let (_, seen) = open(&db.env, options(1000), point.redo).unwrap();
    assert_eq!(seen.len(), 10);
    db.manager.wal().recycle_below(point.redo).unwrap();
    let names = db.env.fs().read_dir(Path::new(DIR)).unwrap();
    assert_eq!(
        names
            .iter()
            .filter(|name| name.to_str().unwrap().starts_with("spare-"))
            .count(),
        2
    );
    // Spares are written over: their old records must not count.
    for i in 30..60 {
        db.commit(&payload(i), SynchronousCommit::On).unwrap();
    }
    let (_, seen) = open(&db.env, options(1000), point.redo).unwrap();
    assert_eq!(seen.len(), 40);
    assert!(matches!(
        open(&db.env, options(1000), Lsn(0)),
        Err(TxnError::Corrupt(_))
    ));
    let beyond = Lsn(db.manager.wal().insert_lsn().0 + 8);
    assert!(matches!(
        open(&db.env, options(1000), beyond),
        Err(TxnError::Corrupt(_))
    ));
}

#[test]
fn a_large_transaction_holds_back_redo() {
    let sim = SimEnv::new(1);
    let db = Db::open(&sim, 1 << 20).unwrap();
    db.commit(&payload(0), SynchronousCommit::On).unwrap();
    let before = db.manager.wal().insert_lsn();
    let mut large = db.manager.begin(&db.proc).unwrap();
    large.log_chunk(b"part one").unwrap();
    large.log_chunk(b"part two").unwrap();
    let other = db.manager.register(2).unwrap();
    let mut small = db.manager.begin(&other).unwrap();
    small.assign_xid().unwrap();
    small.commit(Some(&payload(1)), SynchronousCommit::On).unwrap();
    small.finish();
    let point = db.manager.checkpoint_point();
    assert_eq!(point.redo, before);
    assert!(point.lsn > before);
    large.commit(Some(b"rest"), SynchronousCommit::On).unwrap();
    large.finish();
    let point = db.manager.checkpoint_point();
    assert_eq!(
        (point.redo, point.lsn),
        (point.lsn, db.manager.wal().insert_lsn())
    );
    let mut aborted = db.manager.begin(&db.proc).unwrap();
    aborted.log_chunk(b"never").unwrap();
    assert!(db.manager.checkpoint_point().redo >= point.redo);
    aborted.abort();
    db.commit(&payload(2), SynchronousCommit::On).unwrap();
    let point = db.manager.checkpoint_point();
    assert_eq!(point.redo, point.lsn);
}

/// The file of the first segment, cut or damaged by `change`, on a machine of its own.
fn damaged(sim: &SimEnv, change: impl FnOnce(&dyn common::env::File)) -> SimEnv {
    let copy = sim.crash_with(CrashMode::KeepUnsynced);
    let file = copy
        .fs()
        .open(&segment_path(Path::new(DIR), 1), OpenMode::ReadWrite)
        .unwrap();
    change(&*file);
    file.sync_all().unwrap();
    copy
}

#[test]
fn a_log_cut_at_any_byte_keeps_whole_records_and_goes_on() {
    let sim = SimEnv::new(1);
    let db = Db::open(&sim, 1 << 20).unwrap();
    let mut ends = vec![SEGMENT_HEADER as u64];
    for i in 0..6 {
        db.commit(&payload(i), SynchronousCommit::On).unwrap();
        ends.push(db.manager.wal().insert_lsn().0 - 64 + SEGMENT_HEADER as u64);
    }
    for cut in SEGMENT_HEADER as u64..=*ends.last().unwrap() {
        let copy = damaged(&sim, |file| file.set_len(cut).unwrap());
        let db = Db::open(&copy, 1 << 20).unwrap();
        let whole = ends.iter().filter(|end| **end <= cut).count() as u32 - 1;
        // The last up to seven bytes are padding.
        let kept = db.payloads().len() as u32;
        assert!(kept == whole || kept == whole + 1, "cut {cut}: {kept} of {whole}");
        db.commit(&payload(100), SynchronousCommit::On).unwrap();
        let again = Db::open(&copy, 1 << 20).unwrap();
        let expected: Vec<u32> = (0..kept).chain([100]).collect();
        assert_eq!(again.payloads(), expected, "cut {cut}");
    }
}

#[test]
fn damage_before_durable_records_is_an_error_and_at_the_tail_is_not() {
    let sim = SimEnv::new(1);
    let db = Db::open(&sim, 1 << 20).unwrap();
    for i in 0..6 {
        db.commit(&payload(i), SynchronousCommit::On).unwrap();
    }
    let before_last = db.manager.wal().insert_lsn().0;
    db.commit(&payload(6), SynchronousCommit::On).unwrap();
    let end = db.manager.wal().insert_lsn().0;
    for lsn in (64..end).step_by(5) {
        let offset = lsn - 64 + SEGMENT_HEADER as u64;
        let mut byte = [0];
        let copy = damaged(&sim, |file| {
            file.read_exact_at(&mut byte, offset).unwrap();
            file.write_all_at(&[byte[0] ^ 0x40], offset).unwrap();
        });
        match Db::open(&copy, 1 << 20) {
            Ok(db) => {
                let kept = db.payloads().len();
                // Padding is nobody's; the last record has nothing behind it that could tell.
                assert!(
                    kept == 7 || (kept == 6 && lsn >= before_last),
                    "byte {lsn}: {kept}"
                );
            }
            Err(e) => {
                assert!(lsn < before_last);
                assert_eq!(e.sqlstate(), sqlstate::DATA_CORRUPTED);
            }
        }
    }
}

#[test]
fn what_stands_behind_a_torn_record_never_becomes_valid_again() {
    let sim = SimEnv::new(1);
    let db = Db::open(&sim, 1 << 20).unwrap();
    // One write carries three records; the first is torn, the others arrived whole.
    for i in 0..3 {
        db.commit(&[i; 40], SynchronousCommit::Off).unwrap();
    }
    db.manager.wal().close().unwrap();
    let torn = damaged(&sim, |file| {
        file.write_all_at(&[0xFF], SEGMENT_HEADER as u64 + 40).unwrap()
    });
    let db = Db::open(&torn, 1 << 20).unwrap();
    assert!(db.seen.is_empty());
    db.commit(&[9; 40], SynchronousCommit::On).unwrap();
    let again = Db::open(&torn, 1 << 20).unwrap();
    assert_eq!(
        again.seen.len(),
        1,
        "the second record of the dead group came back"
    );
    assert_eq!(again.seen[0].2, [9; 40]);
}

#[test]
fn a_missing_segment_is_an_error() {
    let sim = SimEnv::new(1);
    let db = Db::open(&sim, 1000).unwrap();
    for i in 0..40 {
        db.commit(&payload(i), SynchronousCommit::On).unwrap();
    }
    db.env.fs().remove_file(&segment_path(Path::new(DIR), 3)).unwrap();
    assert!(matches!(Db::open(&sim, 1000), Err(TxnError::Corrupt(_))));
}

/// Runs commits until the machine crashes; numbers acknowledged.
fn run_until_crash(db: &Db, from: u32, level: impl Fn(u32) -> SynchronousCommit) -> Vec<u32> {
    let mut acknowledged = Vec::new();
    for i in from..from + 60 {
        if i % 10 == 9 {
            let point = db.manager.checkpoint_point();
            let _ = db.manager.wal().flush(point.lsn);
        }
        match db.commit(&payload(i), level(i)) {
            Ok(_) => acknowledged.push(i),
            Err(_) => break,
        }
    }
    acknowledged
}

#[test]
fn what_was_acknowledged_survives_crashes_and_comes_as_a_prefix() {
    for seed in 0..150 {
        let mut sim = SimEnv::new(seed);
        let mut expected: Vec<u32> = Vec::new();
        for round in 0..3 {
            sim.crash_at_operation(sim.operation_count() + 3 + (seed * 7 + round * 31) % 90);
            let from = 1000 * round as u32;
            let mut tried = from..from;
            let mut acknowledged = Vec::new();
            if let Ok(db) = Db::open(&sim, 1500) {
                assert_eq!(
                    db.payloads()[..expected.len().min(db.payloads().len())],
                    expected[..],
                    "seed {seed}"
                );
                expected = db.payloads();
                acknowledged = run_until_crash(&db, from, |_| SynchronousCommit::On);
                tried = from..from + acknowledged.len() as u32 + 1;
            }
            sim = sim.crash();
            let after = Db::open(&sim, 1500).unwrap().payloads();
            let sure: Vec<u32> = expected
                .iter()
                .copied()
                .chain(acknowledged.iter().copied())
                .collect();
            let maybe: Vec<u32> = expected.iter().copied().chain(tried).collect();
            assert_eq!(after[..sure.len()], sure[..], "seed {seed} round {round}");
            assert_eq!(after[..], maybe[..after.len()], "seed {seed} round {round}");
            expected = after;
        }
    }
}

#[test]
fn asynchronous_commits_survive_as_a_prefix_and_after_flush_all() {
    for seed in 0..60 {
        let sim = SimEnv::new(seed);
        let db = Db::open(&sim, 1500).unwrap();
        for i in 0..20 {
            db.commit(&payload(i), SynchronousCommit::Off).unwrap();
            if i == 9 {
                // The background task comes within two intervals.
                sim.advance(std::time::Duration::from_millis(400));
            }
        }
        let after = Db::open(&sim.crash(), 1500).unwrap().payloads();
        assert!(after.len() >= 10, "seed {seed}: {}", after.len());
        assert_eq!(after, (0..after.len() as u32).collect::<Vec<_>>());
        db.manager.wal().close().unwrap();
        assert_eq!(Db::open(&sim.crash(), 1500).unwrap().payloads().len(), 20);
    }
}

#[test]
fn much_of_a_running_transaction_is_written_while_it_goes_on() {
    let sim = SimEnv::new(7);
    let db = Db::open(&sim, 16 << 20).unwrap();
    let wal = db.manager.wal();
    let mut txn = db.manager.begin(&db.proc).unwrap();
    let some = txn.log_chunk(&[1; 1000]).unwrap();
    sim.advance(std::time::Duration::from_secs(1));
    assert!(wal.flushed_lsn() < some, "a little waits for the commit");
    let much = txn.log_chunk(&vec![2; 1 << 20]).unwrap();
    sim.advance(std::time::Duration::from_millis(1));
    assert!(wal.flushed_lsn() >= much, "much is written at once");
    // What fails there is written again, by whoever comes next.
    sim.fail(IoKind::Sync, 1, io::ErrorKind::Other);
    txn.log_chunk(&vec![3; 1 << 20]).unwrap();
    sim.advance(std::time::Duration::from_millis(1));
    txn.commit(Some(&[4]), SynchronousCommit::On).unwrap();
    txn.finish();
    let seen = Db::open(&sim.crash(), 16 << 20).unwrap().seen;
    let first_bytes: Vec<u8> = seen
        .iter()
        .filter_map(|(_, _, payload)| payload.first().copied())
        .collect();
    assert_eq!(first_bytes, [1, 2, 3, 4]);
}

#[test]
fn a_commit_that_failed_never_comes_back() {
    for seed in 0..60 {
        for kind in [IoKind::Write, IoKind::Sync] {
            let sim = SimEnv::new(seed);
            let db = Db::open(&sim, 1 << 20).unwrap();
            db.commit(&payload(0), SynchronousCommit::On).unwrap();
            db.commit(&payload(1), SynchronousCommit::Off).unwrap();
            sim.fail(kind, 1, io::ErrorKind::Other);
            let error = db.commit(&payload(2), SynchronousCommit::On).unwrap_err();
            assert_eq!(error.sqlstate(), sqlstate::IO_ERROR);
            assert_eq!(db.manager.visible_csn(), Csn(3));
            // The visible asynchronous commit was saved into the new segment; the failed one is void, whatever the disk kept.
            assert_eq!(
                Db::open(&sim.crash(), 1 << 20).unwrap().payloads(),
                [0, 1],
                "seed {seed} {kind:?}"
            );
            db.commit(&payload(3), SynchronousCommit::On).unwrap();
            assert_eq!(Db::open(&sim.crash(), 1 << 20).unwrap().payloads(), [0, 1, 3]);
        }
    }
}

#[test]
fn a_full_disk_refuses_commits_until_there_is_space() {
    let sim = SimEnv::new(1);
    let db = Db::open(&sim, 4000).unwrap();
    for i in 0..5 {
        db.commit(&payload(i), SynchronousCommit::On).unwrap();
    }
    sim.set_capacity(Some(sim.used_bytes()));
    let mut refused = 0;
    let mut kept: Vec<u32> = (0..5).collect();
    for i in 5..2000 {
        match db.commit(&payload(i), SynchronousCommit::On) {
            Ok(_) => kept.push(i),
            Err(e) => {
                assert_eq!(e.sqlstate(), sqlstate::DISK_FULL);
                refused += 1;
            }
        }
        if refused > 10 {
            break;
        }
    }
    assert!(refused > 10);
    assert!(sim.files().len() < 10 + kept.len() * 200 / 4000);
    assert_eq!(Db::open(&sim.crash(), 4000).unwrap().payloads(), kept);
    sim.set_capacity(None);
    db.commit(&payload(7777), SynchronousCommit::On).unwrap();
    assert!(db.manager.wal().poisoned().is_none());
    kept.push(7777);
    assert_eq!(Db::open(&sim.crash(), 4000).unwrap().payloads(), kept);
}

#[test]
fn groups_share_syncs_and_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let env: Arc<dyn Env> = Arc::new(OsEnv::new());
    let options = WalOptions {
        segment_size: 100_000,
        ..WalOptions::new(dir.path().join("wal"))
    };
    let wal = Wal::open(Arc::clone(&env), options.clone(), Lsn(0), &mut |_| Ok(())).unwrap();
    let manager = TxnManager::new(Arc::clone(&env), wal, TxnStart::default()).unwrap();
    let workers: Vec<_> = (0..8u32)
        .map(|worker| {
            let manager = Arc::clone(&manager);
            std::thread::spawn(move || {
                let proc = manager.register(worker as i32).unwrap();
                let mut csns = Vec::new();
                for i in 0..50 {
                    let level = if (i + worker) % 3 == 0 {
                        SynchronousCommit::Off
                    } else {
                        SynchronousCommit::On
                    };
                    let mut txn = manager.begin(&proc).unwrap();
                    txn.assign_xid().unwrap();
                    let guard = txn.take_snapshot().unwrap();
                    let csn = txn.commit(Some(&payload(worker * 100 + i)), level).unwrap();
                    assert!(csn > guard.csn() && manager.visible_csn() >= csn);
                    csns.push(csn);
                    txn.finish();
                }
                csns
            })
        })
        .collect();
    let mut csns: Vec<Csn> = workers
        .into_iter()
        .flat_map(|worker| worker.join().unwrap())
        .collect();
    csns.sort_unstable();
    assert_eq!(csns, (2..402).map(Csn).collect::<Vec<_>>());
    let point = manager.checkpoint_point();
    assert_eq!((point.csn, point.lsn), (Csn(401), manager.wal().insert_lsn()));
    manager.wal().close().unwrap();
    drop(manager);
    let mut count = 0;
    Wal::open(env, options, Lsn(0), &mut |_| {
        count += 1;
        Ok(())
    })
    .unwrap();
    assert_eq!(count, 400);
}

#[test]
fn without_a_log_commits_publish_at_once() {
    let env: Arc<dyn Env> = Arc::new(SimEnv::new(1));
    let manager = TxnManager::new(env, Wal::none(), TxnStart::default()).unwrap();
    let proc = manager.register(1).unwrap();
    for i in 0..3 {
        let mut txn = manager.begin(&proc).unwrap();
        txn.assign_xid().unwrap();
        assert_eq!(txn.commit(Some(b"x"), SynchronousCommit::On).unwrap(), Csn(2 + i));
        txn.finish();
    }
    assert!(manager.active().is_empty());
    assert_eq!(manager.horizon(), Csn(4));
}
