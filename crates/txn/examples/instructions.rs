//! Runs many transactions of one kind, for counting instructions:
//! `valgrind --tool=callgrind target/release/examples/instructions read 10000`, twice with different counts.

use std::sync::Arc;

use common::env::os::OsEnv;
use common::{CommandId, Csn, Oid, PgResult};
use pglite_txn::{
    AtomicStamp, LockDuration, LockMode, LockTag, Stamp, SynchronousCommit, TxnManager, TxnStart,
    WaitOptions, Wal, visible,
};

fn main() -> PgResult<()> {
    let mut args = std::env::args().skip(1);
    let kind = args.next().unwrap_or_default();
    let count: u32 = args.next().and_then(|n| n.parse().ok()).unwrap_or(1000);
    let manager = TxnManager::new(Arc::new(OsEnv::new()), Wal::none(), TxnStart::default())?;
    let proc = manager.register(1)?;
    let wait = WaitOptions::default();
    let (begin, end) = (
        AtomicStamp::new(Stamp::committed(Csn(1))),
        AtomicStamp::new(Stamp::NEVER),
    );
    let mut seen = 0;
    for _ in 0..count {
        let mut txn = manager.begin(&proc)?;
        match kind.as_str() {
            "begin" => {}
            "read" => drop(txn.take_snapshot()?),
            "lock" => {
                let _guard = txn.take_snapshot()?;
                let tag = LockTag::Relation {
                    database: Oid(1),
                    relation: Oid(2),
                };
                manager.locks().lock(
                    &proc,
                    tag,
                    LockMode::AccessShare,
                    LockDuration::Transaction,
                    &wait,
                )?;
            }
            "visible" => {
                let guard = txn.take_snapshot()?;
                let snapshot = guard.snapshot(&txn);
                for _ in 0..1000 {
                    let (begin, end) = (std::hint::black_box(&begin), std::hint::black_box(&end));
                    seen += u32::from(visible(
                        begin,
                        end,
                        CommandId(0),
                        CommandId(0),
                        &snapshot,
                        manager.table(),
                    ));
                }
            }
            _ => {
                txn.assign_xid()?;
            }
        }
        txn.commit(None, SynchronousCommit::On)?;
        txn.finish();
    }
    println!("{kind} {count} {seen}");
    Ok(())
}
