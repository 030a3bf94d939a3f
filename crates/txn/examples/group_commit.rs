//! Durable commits per second by the number of sessions: `group_commit DIR SESSIONS COMMITS [off]`.

use std::sync::Arc;
use std::time::Duration;

use common::env::Env;
use common::env::os::OsEnv;
use common::{Lsn, PgResult};
use pglite_txn::{SynchronousCommit, TxnManager, TxnStart, Wal, WalOptions};

fn main() -> PgResult<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| args.get(at).and_then(|n| n.parse().ok()).unwrap_or(1);
    let dir = args
        .first()
        .cloned()
        .unwrap_or_else(|| "/tmp/group_commit".to_owned());
    let level = if args.len() > 3 {
        SynchronousCommit::Off
    } else {
        SynchronousCommit::On
    };
    let (sessions, commits): (i32, u32) = (number(1) as i32, number(2));
    let env: Arc<dyn Env> = Arc::new(OsEnv::new());
    let wal = Wal::open(Arc::clone(&env), WalOptions::new(dir), Lsn(0), &mut |_| Ok(()))?;
    let manager = TxnManager::new(Arc::clone(&env), wal, TxnStart::default())?;
    let start = env.monotonic();
    let tasks: Vec<_> = (0..sessions)
        .map(|pid| {
            let manager = Arc::clone(&manager);
            std::thread::spawn(move || -> PgResult<()> {
                let proc = manager.register(pid)?;
                for _ in 0..commits {
                    let mut txn = manager.begin(&proc)?;
                    txn.assign_xid()?;
                    txn.commit(Some(&[7; 200]), level)?;
                    txn.finish();
                }
                Ok(())
            })
        })
        .collect();
    for task in tasks {
        task.join().unwrap_or(Ok(()))?;
    }
    let took = (env.monotonic() - start).max(Duration::from_micros(1));
    let all = f64::from(sessions) * f64::from(commits);
    println!("{sessions} sessions: {:.0} commits/s", all / took.as_secs_f64());
    manager.wal().close()?;
    Ok(())
}
