//! Random commits, faults, full disks, checkpoints and crashes against a model of what must come back.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::env::Env;
use common::env::sim::{IoKind, SimEnv};
use common::{Csn, Lsn, Xid};

use crate::wal::{RecordKind, SynchronousCommit, Wal, WalOptions};
use crate::{Proc, TxnError, TxnManager, TxnResult, TxnStart};

/// What the application knows about a commit.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    /// Acknowledged as durable.
    Sure,
    /// Acknowledged without waiting for the disk.
    Soft,
    /// Failed for certain.
    Failed,
    /// Failed, but may come back.
    Open,
}

/// What must and may be found, in the order of the log.
#[derive(Default)]
struct Model {
    commits: Vec<(u32, Fate)>,
    /// Where recovery starts.
    redo: Lsn,
}

impl Model {
    /// All durable from here on back.
    fn settle(&mut self) {
        for (_, fate) in &mut self.commits {
            if *fate == Fate::Soft {
                *fate = Fate::Sure;
            }
        }
    }

    fn check(&self, found: &[u32], context: &str) {
        let mut rest = found.iter().copied().peekable();
        let mut cut = false;
        for (id, fate) in &self.commits {
            let here = rest.next_if_eq(id).is_some();
            assert!(
                !(here && cut),
                "{context}: {id} without one before it; {:?} {found:?}",
                self.commits
            );
            match fate {
                Fate::Sure => assert!(here, "{context}: lost {id}; {:?} {found:?}", self.commits),
                Fate::Failed => assert!(!here, "{context}: {id} came back; {:?} {found:?}", self.commits),
                Fate::Soft => cut |= !here,
                Fate::Open => {}
            }
        }
        assert_eq!(
            rest.next(),
            None,
            "{context}: unknown or out of order; {:?} {found:?}",
            self.commits
        );
    }
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) % n
    }
}

struct Db {
    manager: Arc<TxnManager>,
    proc: Arc<Proc>,
}

fn open(sim: &SimEnv, redo: Lsn) -> TxnResult<(Db, Vec<u32>)> {
    let env: Arc<dyn Env> = Arc::new(sim.clone());
    let home = |e| TxnError::io("home", e);
    env.fs().create_dir_all(Path::new("/db")).map_err(home)?;
    env.fs().sync_dir(Path::new("/")).map_err(home)?;
    let options = WalOptions {
        segment_size: 700,
        buffer_max: 600,
        ..WalOptions::new("/db/wal")
    };
    let (mut found, mut next_xid) = (Vec::new(), 3);
    let wal = Wal::open(Arc::clone(&env), options, redo, &mut |record| {
        next_xid = next_xid.max(record.xid.0 + 1);
        if record.kind == RecordKind::COMMIT {
            found.push(u32::from_le_bytes(record.payload[..4].try_into().unwrap()));
        }
        Ok(())
    })?;
    let manager = TxnManager::new(
        env,
        wal,
        TxnStart {
            next_xid: Xid(next_xid),
            csn: Csn(1),
        },
    )?;
    let proc = manager.register(1)?;
    Ok((Db { manager, proc }, found))
}

fn commit(db: &Db, id: u32, level: SynchronousCommit, size: u64) -> TxnResult<()> {
    let mut payload = id.to_le_bytes().to_vec();
    payload.resize(4 + size as usize, id as u8);
    let mut txn = db.manager.begin(&db.proc)?;
    if size % 11 == 0 {
        txn.log_chunk(b"a part of it")?;
    }
    txn.assign_xid()?;
    let result = txn.commit(Some(&payload), level);
    match &result {
        Ok(_) => txn.finish(),
        Err(_) => txn.abort(),
    }
    result.map(|_| ())
}

/// One life of the machine: some steps, with faults, until it ends or crashes.
fn live(sim: &SimEnv, db: &Db, model: &mut Model, dice: &mut Dice, next_id: &mut u32) {
    for _ in 0..40 {
        match dice.below(20) {
            0 => {
                let kinds = [
                    IoKind::Write,
                    IoKind::Sync,
                    IoKind::Rename,
                    IoKind::SyncDir,
                    IoKind::Create,
                    IoKind::SetLen,
                ];
                let kind = kinds[dice.below(kinds.len() as u64) as usize];
                sim.fail(kind, 1 + dice.below(3), io::ErrorKind::Other);
            }
            1 => sim.set_capacity(Some(sim.used_bytes() + dice.below(4000))),
            2 => sim.set_capacity(None),
            3 => sim.advance(Duration::from_millis(dice.below(300))),
            4 => {
                let point = db.manager.checkpoint_point();
                if db.manager.wal().flush(point.lsn).is_ok() {
                    // What is published is elsewhere now. It may be replayed all the same: the flush may have had to log
                    // it again, above `lsn`.
                    for (_, fate) in &mut model.commits {
                        *fate = if *fate == Fate::Failed {
                            Fate::Failed
                        } else {
                            Fate::Open
                        };
                    }
                    model.redo = point.redo;
                    let _ = db.manager.wal().recycle_below(point.redo);
                }
            }
            5 if db.manager.wal().flush(db.manager.wal().insert_lsn()).is_ok() => model.settle(),
            _ => {
                let level = if dice.below(3) == 0 {
                    SynchronousCommit::Off
                } else {
                    SynchronousCommit::On
                };
                let id = *next_id;
                *next_id += 1;
                let fate = match commit(db, id, level, dice.below(200)) {
                    Ok(()) if level == SynchronousCommit::On => {
                        model.settle();
                        Fate::Sure
                    }
                    Ok(()) => Fate::Soft,
                    Err(TxnError::Unresolved { .. }) => Fate::Open,
                    Err(_) if sim.has_crashed() => Fate::Open,
                    Err(_) => Fate::Failed,
                };
                model.commits.push((id, fate));
            }
        }
        if sim.has_crashed() {
            return;
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_failed_comes_back() {
    for seed in 0..200 {
        let mut dice = Dice(seed);
        let mut sim = SimEnv::new(seed);
        let (mut model, mut next_id) = (Model::default(), 0);
        for life in 0..4 {
            let context = format!("seed {seed} life {life}");
            let (db, found) = open(&sim, model.redo).unwrap_or_else(|e| panic!("{context}: {e}"));
            model.check(&found, &context);
            // Once read back it is durable.
            model.commits = found.into_iter().map(|id| (id, Fate::Sure)).collect();
            if dice.below(4) > 0 {
                sim.crash_at_operation(sim.operation_count() + 1 + dice.below(150));
            }
            live(&sim, &db, &mut model, &mut dice, &mut next_id);
            sim = sim.crash();
        }
    }
}
