//! Full and failing disks: the statement gets 53100 or 58030, nothing else is touched, and all goes on when the disk is well again.

use std::io::ErrorKind;

use pglite::env::sim::{CrashMode, IoKind, SimEnv, SimRandom};
use pglite::{Database, Error, Result, Session, params};

use crate::model::{Model, texts};
use crate::{check, open, seeds, workload};

/// Operations that a statement may meet a failure in.
const KINDS: [IoKind; 6] = [
    IoKind::Write,
    IoKind::Write,
    IoKind::Sync,
    IoKind::SetLen,
    IoKind::Create,
    IoKind::SyncDir,
];

fn must_be_about_the_disk(e: &Error, what: &str) {
    assert!(["53100", "58030"].contains(&e.code()), "{what}: {e:?}");
}

/// After a failed sync of its file the key-value store wants to be opened again.
fn must_reopen(e: &Error) -> bool {
    e.message().contains("after a failed fsync")
}

fn reopen(env: &SimEnv, what: &str) -> (Database, Session) {
    // A planned failure may hit this too, once.
    let db = open(env)
        .or_else(|_| open(env))
        .unwrap_or_else(|e| panic!("{what}: {e:?}"));
    let session = db.session().unwrap();
    (db, session)
}

/// Reads all. The first read after a failed commit opens the key-value store again, which writes: a planned failure may hit that, and
/// there are at most two (a full disk does not fail a sync).
fn read(session: &mut Session, what: &str) -> crate::model::State {
    let mut tries = 0;
    loop {
        match crate::model::read(session) {
            Ok(found) => return found,
            Err(e) if tries < 2 => must_be_about_the_disk(&e, what),
            Err(e) => panic!("{what}: {e:?}"),
        }
        tries += 1;
    }
}

/// A workload over a disk that fails now and then.
fn failing_disk(seed: u64) -> u64 {
    let what = format!("seed {seed}");
    let mut random = SimRandom::new(seed);
    let env = SimEnv::new(seed);
    let mut model = Model::new();
    let (mut db, mut session) = reopen(&env, &what);
    workload::set_up(&mut session, &mut model).unwrap();
    let mut failures = 0;
    for _ in 0..6 {
        if random.one_in(3) {
            env.set_capacity(Some(env.used_bytes() + random.below(40_000)));
        } else {
            let error = [ErrorKind::StorageFull, ErrorKind::Other][random.index(2)];
            env.fail(KINDS[random.index(KINDS.len())], 1 + random.below(10), error);
        }
        for _ in 0..3 {
            let Err(e) = workload::work(&mut session, &mut random, &mut model, 3) else {
                continue;
            };
            must_be_about_the_disk(&e, &what);
            failures += 1;
            if must_reopen(&e) {
                env.set_capacity(None);
                drop((session, db));
                (db, session) = reopen(&env, &what);
            } else if let Err(e) = session.batch_execute("ROLLBACK") {
                panic!("{what}: ROLLBACK: {e:?}");
            }
            // The commit that failed may be there or not, but that is settled now.
            let found = read(&mut session, &what);
            model.settle(&found, seed);
        }
        env.set_capacity(None);
    }
    // A failure may still be planned; a new machine has none.
    drop((session, db));
    let env = env.crash_with(CrashMode::KeepUnsynced);
    let (db, mut session) = reopen(&env, &what);
    let found = check::everything(&mut session, seed).unwrap();
    model.settle(&found, seed);
    check::goes_on(&mut session, seed);
    drop((session, db));
    failures
}

#[test]
fn failing_disks_under_a_workload() {
    seeds("failing disks", failing_disk);
}

const ROWS: i64 = 600;

/// Statements that write by all the ways there are: short and long log records, records that are spilled before the commit, bulk loads
/// and index builds into the key-value store, checkpoints, merges.
const STATEMENTS: &[&str] = &[
    "INSERT INTO t VALUES (1000001, 'x')",
    "INSERT INTO t SELECT g, repeat('y', 100) FROM generate_series(1000001, 1000400) g",
    "UPDATE t SET v = v || 'z'",
    "DELETE FROM t WHERE id % 2 = 0",
    "CREATE INDEX t_v ON t (v)",
    "CREATE TABLE u AS SELECT id, v FROM t",
    "CREATE TABLE w (id int PRIMARY KEY, v text UNIQUE)",
    "ALTER TABLE t ADD COLUMN more int DEFAULT 7",
    "ALTER TABLE t ALTER COLUMN v TYPE varchar(300)",
    "TRUNCATE t",
    "DROP TABLE t",
    "BEGIN; SAVEPOINT a; UPDATE t SET v = 'a'; ROLLBACK TO a; UPDATE t SET v = 'b'; COMMIT",
    "CHECKPOINT",
    "VACUUM",
    "VACUUM FULL t",
    "REINDEX TABLE t",
    "COPY",
    "COPY FREEZE",
];

/// Runs one; `COPY` stands for rows that come through the protocol.
fn run(session: &mut Session, sql: &str) -> Result<()> {
    if sql == "COPY FREEZE" {
        session.batch_execute("BEGIN; TRUNCATE t")?;
        let mut copy = session.copy_in("COPY t FROM STDIN (FREEZE)")?;
        for id in 3_000_000..3_001_500 {
            copy.write(format!("{id}\t{}\n", "f".repeat(50)).as_bytes())?;
        }
        copy.finish()?;
        return session.batch_execute("COMMIT");
    }
    if sql != "COPY" {
        return session.batch_execute(sql);
    }
    let mut copy = session.copy_in("COPY t FROM STDIN")?;
    for id in 2_000_000..2_000_300 {
        copy.write(format!("{id}\t{}\n", "c".repeat(90)).as_bytes())?;
    }
    copy.finish().map(drop)
}

/// All that a statement could have changed.
fn picture(session: &mut Session) -> Result<Vec<crate::model::TextRow>> {
    let sql = "SELECT oid, relname FROM pg_class WHERE relnamespace = 2200 ORDER BY oid";
    let mut picture = texts(session, sql)?;
    for name in picture.clone() {
        let name = name[1].clone().unwrap();
        if ["t", "u", "w"].contains(&name.as_str()) {
            picture.extend(texts(session, &format!("SELECT * FROM {name} ORDER BY 1"))?);
        }
    }
    Ok(picture)
}

/// One statement, one failure in it.
fn failing_statement(seed: u64) -> u64 {
    let mut random = SimRandom::new(seed);
    let sql = STATEMENTS[random.index(STATEMENTS.len())];
    let env = SimEnv::new(seed);
    let (mut db, mut session) = reopen(&env, sql);
    session
        .batch_execute(&format!(
            "CREATE TABLE t (id int PRIMARY KEY, v text); \
             INSERT INTO t SELECT g, 'row ' || g FROM generate_series(1, {ROWS}) g"
        ))
        .unwrap();
    if random.one_in(2) {
        for sql in [
            "CHECKPOINT",
            "VACUUM t",
            "UPDATE t SET v = v || '!' WHERE id % 3 = 0",
        ] {
            session.batch_execute(sql).unwrap();
        }
    }
    let before = picture(&mut session).unwrap();
    let what = if random.one_in(3) {
        env.set_capacity(Some(env.used_bytes() + random.below(2) * 8192));
        format!("seed {seed}: {sql}, disk full")
    } else {
        // Most statements do few operations: the first ones are the likeliest to be there.
        let most = 1 + random.below(6);
        let (kind, nth) = (KINDS[random.index(KINDS.len())], 1 + random.below(most));
        let error = [ErrorKind::StorageFull, ErrorKind::Other][random.index(2)];
        env.fail(kind, nth, error);
        format!("seed {seed}: {sql}, {kind:?} {nth} fails with {error:?}")
    };
    let outcome = run(&mut session, sql);
    let failed = u64::from(outcome.is_err());
    if let Err(e) = outcome {
        must_be_about_the_disk(&e, &what);
        if must_reopen(&e) {
            env.set_capacity(None);
            drop((session, db));
            (db, session) = reopen(&env, &what);
        } else {
            session.batch_execute("ROLLBACK").unwrap();
        }
        // Reads go on, and nothing has changed.
        let after = picture(&mut session).unwrap_or_else(|e| panic!("{what}: reading: {e:?}"));
        assert!(after == before, "{what}: not what was there before");
        // It works as soon as the disk does.
        env.set_capacity(None);
        run(&mut session, sql).unwrap_or_else(|e| panic!("{what}: again: {e:?}"));
    }
    env.set_capacity(None);
    let after = picture(&mut session).unwrap();
    drop((session, db));
    let (_db, mut session) = reopen(&env.crash_with(CrashMode::LoseUnsynced), &what);
    assert!(
        picture(&mut session).unwrap() == after,
        "{what}: not what was there before reopening"
    );
    check::everything(&mut session, seed).unwrap();
    let _ = session.query_one("SELECT 1", params![]).unwrap();
    failed
}

#[test]
fn each_statement_survives_its_failure() {
    seeds("failing statements", failing_statement);
}

#[test]
fn a_failed_checkpoint_is_told_until_one_succeeds() {
    let env = SimEnv::new(1);
    let db = Database::builder()
        .directory("/db")
        .env(std::sync::Arc::new(env.clone()))
        .background(false)
        .storage_options(|options| options.checkpoint_wal_bytes = 1)
        .open()
        .unwrap();
    let mut session = db.session().unwrap();
    session.batch_execute("CREATE TABLE t (x int)").unwrap();
    assert!(db.maintenance_failure().is_none());
    // The commit writes once; what comes behind it is the checkpoint's.
    env.fail(IoKind::Write, 2, ErrorKind::StorageFull);
    session.execute("INSERT INTO t VALUES (1)", params![]).unwrap();
    let told = db.maintenance_failure().expect("the checkpoint met a full disk");
    assert_eq!(told.code(), "53100");
    session.execute("INSERT INTO t VALUES (2)", params![]).unwrap();
    assert!(db.maintenance_failure().is_none());
}
