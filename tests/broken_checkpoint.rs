//! A checkpoint that panics: it is told, changes are refused, and nothing that was committed is lost.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::env::os::OsEnv;
use common::env::{Env, FileSystem, Notify, TaskHandle, TaskStatus};
use pglite::{Database, Session, params};

/// The operating system, whose clock panics in the middle of a checkpoint of the background task if it is told to.
struct Broken {
    os: OsEnv,
    panics: AtomicBool,
}

impl Env for Broken {
    fn now_unix_micros(&self) -> i64 {
        let here = std::thread::current().name() == Some("pglite-checkpoint");
        assert!(
            !here || !self.panics.load(Ordering::SeqCst),
            "the clock has stopped"
        );
        self.os.now_unix_micros()
    }

    fn monotonic(&self) -> Duration {
        self.os.monotonic()
    }

    fn fill_random(&self, buf: &mut [u8]) {
        self.os.fill_random(buf);
    }

    fn fs(&self) -> &dyn FileSystem {
        self.os.fs()
    }

    fn spawn_task(
        &self,
        name: &str,
        task: Box<dyn FnMut() -> TaskStatus + Send>,
    ) -> io::Result<Arc<dyn TaskHandle>> {
        self.os.spawn_task(name, task)
    }

    fn wait(&self, notify: &Notify, timeout: Option<Duration>) -> bool {
        self.os.wait(notify, timeout)
    }

    fn sleep(&self, duration: Duration) {
        self.os.sleep(duration);
    }

    fn process_id(&self) -> u32 {
        self.os.process_id()
    }
}

fn count(session: &mut Session) -> i64 {
    let row = session.query_one("SELECT count(*) FROM t", params![]).unwrap();
    row.get(0).unwrap()
}

#[test]
fn a_checkpoint_that_panics_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let env = Arc::new(Broken {
        os: OsEnv::new(),
        panics: AtomicBool::new(false),
    });
    let db = Database::builder()
        .directory(dir.path())
        .env(env.clone())
        .open()
        .unwrap();
    let (mut session, mut writer) = (db.session().unwrap(), db.session().unwrap());
    session
        .batch_execute("CREATE TABLE t AS SELECT g FROM generate_series(1, 1000) g; CHECKPOINT")
        .unwrap();
    session.batch_execute("INSERT INTO t VALUES (0)").unwrap();
    writer.batch_execute("BEGIN; INSERT INTO t VALUES (0)").unwrap();
    env.panics.store(true, Ordering::SeqCst);
    let told = "internal error in a checkpoint or merge: the clock has stopped";
    for _again in 0..2 {
        let e = session.batch_execute("CHECKPOINT").unwrap_err();
        assert_eq!((e.code(), e.message()), ("XX000", told));
        env.panics.store(false, Ordering::SeqCst);
    }
    let e = session.batch_execute("INSERT INTO t VALUES (0)").unwrap_err();
    assert_eq!(
        (e.code(), e.message()),
        (
            "XX000",
            "cannot change anything: a checkpoint or merge has failed"
        )
    );
    assert_eq!(e.detail(), Some(told));
    assert_eq!(db.checkpoint().unwrap_err().message(), told);
    assert_eq!(db.maintenance_failure().unwrap().message(), told);
    // What had begun to write may go on.
    writer.batch_execute("DELETE FROM t WHERE g = 1; COMMIT").unwrap();
    assert_eq!(count(&mut session), 1001);
    drop((session, writer, db));
    let db = Database::open(dir.path()).unwrap();
    let mut session = db.session().unwrap();
    assert_eq!(count(&mut session), 1001);
    session
        .batch_execute("INSERT INTO t VALUES (0); CHECKPOINT")
        .unwrap();
    assert_eq!(count(&mut session), 1002);
}
