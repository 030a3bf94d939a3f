//! Forks and backups: copies that begin with what is committed, and are databases of their own from then on.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pglite::env::sim::{SimEnv, SimRandom};
use pglite::{Database, Session, params};

const ACCOUNTS: i64 = 200;

fn fill(session: &mut Session) {
    let sql = "CREATE TABLE account (id int PRIMARY KEY, branch int, money bigint);
        CREATE INDEX account_branch ON account (branch);
        CREATE SEQUENCE s;
        CREATE UNLOGGED TABLE scratch (x int)";
    session.batch_execute(sql).unwrap();
    let rows = "INSERT INTO account SELECT g, g % 7, 100 FROM generate_series(1, $1::bigint) g";
    session.execute(rows, params![ACCOUNTS]).unwrap();
    session.batch_execute("INSERT INTO scratch VALUES (1)").unwrap();
}

fn number(session: &mut Session, sql: &str) -> i64 {
    session
        .query_one(sql, params![])
        .unwrap_or_else(|e| panic!("{sql}: {e}"))
        .get(0)
        .unwrap()
}

/// The money of all accounts, by table and by index.
fn totals(session: &mut Session) -> (i64, i64) {
    session
        .batch_execute("SET enable_seqscan = on; SET enable_indexscan = off; SET enable_bitmapscan = off")
        .unwrap();
    let by_table = number(session, "SELECT sum(money)::bigint FROM account");
    session
        .batch_execute("RESET ALL; SET enable_seqscan = off")
        .unwrap();
    let by_index = number(
        session,
        "SELECT sum(money)::bigint FROM account WHERE branch BETWEEN 0 AND 6",
    );
    session.batch_execute("RESET ALL").unwrap();
    (by_table, by_index)
}

fn transfer(session: &mut Session, random: &mut SimRandom) {
    let mut pick = || 1 + random.below(ACCOUNTS as u64) as i32;
    let (from, to, amount) = (pick(), pick(), i64::from(pick() % 50));
    let mut tx = session.transaction().unwrap();
    // In order, so that two of them never wait for each other.
    let (first, second) = (from.min(to), from.max(to));
    for id in [first, second] {
        let change = if id == from { -amount } else { amount };
        let change = if from == to { 0 } else { change };
        let sql = "UPDATE account SET money = money + $1, branch = (branch + 1) % 7 WHERE id = $2";
        tx.execute(sql, params![change, id]).unwrap();
    }
    tx.commit().unwrap();
}

#[test]
fn forks_share_the_past_and_nothing_else() {
    let db = Database::memory().unwrap();
    let mut session = db.session().unwrap();
    fill(&mut session);
    let mut open = db.session().unwrap();
    open.batch_execute("BEGIN; UPDATE account SET money = 0").unwrap();
    let forks: Vec<Database> = (0..200).map(|_| db.fork().unwrap()).collect();
    for (n, fork) in forks.iter().enumerate() {
        let mut session = fork.session().unwrap();
        assert_eq!(totals(&mut session), (100 * ACCOUNTS, 100 * ACCOUNTS));
        let sql = "UPDATE account SET money = $1 WHERE id = 1";
        session.execute(sql, params![n as i64]).unwrap();
        session
            .batch_execute("CREATE TABLE own (a int); DROP TABLE scratch")
            .unwrap();
    }
    open.batch_execute("COMMIT; DELETE FROM account WHERE id > 10")
        .unwrap();
    for (n, fork) in forks.iter().enumerate() {
        let mut session = fork.session().unwrap();
        let expected = 100 * (ACCOUNTS - 1) + n as i64;
        assert_eq!(totals(&mut session), (expected, expected));
    }
    assert_eq!(number(&mut session, "SELECT count(*) FROM account"), 10);
    assert!(session.batch_execute("SELECT * FROM own").is_err());
    let grandchild = forks[7].fork().unwrap();
    drop((db, session, open, forks));
    let mut session = grandchild.session().unwrap();
    assert_eq!(number(&mut session, "SELECT money FROM account WHERE id = 1"), 7);
}

/// Temporary tables are their session's; the copy has no such session.
#[test]
fn temporary_tables_do_not_come_along() {
    let dir = tempfile::tempdir().unwrap();
    let db = Database::memory().unwrap();
    let mut session = db.session().unwrap();
    let temporary = "CREATE TEMP TABLE mine (a int PRIMARY KEY); INSERT INTO mine VALUES (1)";
    session.batch_execute(temporary).unwrap();
    db.backup(dir.path().join("copy")).unwrap();
    for copy in [
        db.fork().unwrap(),
        Database::open(dir.path().join("copy")).unwrap(),
    ] {
        // Whatever numbers the copy's sessions have.
        for _ in 0..3 {
            let mut session = copy.session().unwrap();
            assert!(session.batch_execute("TABLE mine").is_err());
            session.batch_execute(temporary).unwrap();
            assert_eq!(number(&mut session, "SELECT count(*) FROM mine"), 1);
        }
    }
    assert_eq!(number(&mut session, "SELECT count(*) FROM mine"), 1);
}

/// Forks of a directory lie over the store as it was, whatever becomes of that.
#[test]
fn forks_of_a_directory_are_databases_in_memory_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let db = Database::open(&path).unwrap();
    let mut session = db.session().unwrap();
    fill(&mut session);
    session
        .batch_execute("CHECKPOINT; UPDATE account SET money = 101 WHERE id = 2")
        .unwrap();
    let mut open = db.session().unwrap();
    open.batch_execute("BEGIN; UPDATE account SET money = 0").unwrap();
    let forks: Vec<Database> = (0..20).map(|_| db.fork().unwrap()).collect();
    let changes = [
        "COMMIT",
        "DELETE FROM account WHERE id > 10",
        "CHECKPOINT",
        "VACUUM",
        "TRUNCATE scratch",
    ];
    for sql in changes {
        open.batch_execute(sql).unwrap();
    }
    for (n, fork) in forks.iter().enumerate() {
        let mut session = fork.session().unwrap();
        assert_eq!(totals(&mut session), (100 * ACCOUNTS + 1, 100 * ACCOUNTS + 1));
        let sql = "UPDATE account SET money = $1 WHERE id = 1";
        session.execute(sql, params![n as i64]).unwrap();
        let changes =
            "DELETE FROM account WHERE id = 3; CREATE TABLE own (a int); CREATE INDEX ON account (money)";
        for sql in [changes, "CHECKPOINT", "VACUUM"] {
            session.batch_execute(sql).unwrap();
        }
        assert_eq!(fork.verify().unwrap().len(), 0);
    }
    assert_eq!(number(&mut session, "SELECT count(*) FROM account"), 10);
    assert!(session.batch_execute("TABLE own").is_err());
    let grandchild = forks[7].fork().unwrap();
    drop((db, session, open, forks));
    let mut session = grandchild.session().unwrap();
    assert_eq!(number(&mut session, "SELECT money FROM account WHERE id = 1"), 7);
    assert_eq!(totals(&mut session).0, 100 * (ACCOUNTS - 2) + 1 + 7);
    // Somebody still reads the directory.
    assert_eq!(Database::open(&path).err().unwrap().code(), "55006");
    drop((grandchild, session));
    let db = Database::open(&path).unwrap();
    assert_eq!(
        number(&mut db.session().unwrap(), "SELECT count(*) FROM account"),
        10
    );
}

#[test]
fn a_fork_that_lasts_has_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    for parent in [
        Database::memory().unwrap(),
        Database::open(dir.path().join("db")).unwrap(),
    ] {
        let name = if dir.path().join("a").exists() { "b" } else { "a" };
        let mut session = parent.session().unwrap();
        fill(&mut session);
        let fork = parent.fork_to(dir.path().join(name)).unwrap();
        let mut theirs = fork.session().unwrap();
        theirs.batch_execute("DELETE FROM account WHERE id > 5").unwrap();
        drop((fork, theirs));
        let again = Database::open(dir.path().join(name)).unwrap();
        let count = "SELECT count(*) FROM account";
        assert_eq!(number(&mut again.session().unwrap(), count), 5);
        assert_eq!(number(&mut session, count), ACCOUNTS);
    }
}

/// Simulated machines: a backup in the middle of the work of two sessions, one of them with an open transaction.
#[test]
fn a_backup_is_what_was_committed_when_it_was_made() {
    for seed in 1..=100 {
        let env = SimEnv::new(seed);
        let mut random = SimRandom::new(seed);
        let open = |dir: &str| {
            Database::builder()
                .env(Arc::new(env.clone()))
                .directory(dir)
                .open()
        };
        let db = open("/db").unwrap();
        let mut session = db.session().unwrap();
        fill(&mut session);
        for _ in 0..random.below(12) {
            transfer(&mut session, &mut random);
        }
        let mut other = db.session().unwrap();
        other
            .batch_execute(
                "BEGIN; DELETE FROM account WHERE id % 3 = 0; CREATE TABLE never (a int PRIMARY KEY)",
            )
            .unwrap();
        let drawn = number(&mut session, "SELECT nextval('s')");
        let before = number(&mut session, "SELECT sum(money * id)::bigint FROM account");
        db.backup("/copy").unwrap();
        other
            .batch_execute(if random.one_in(2) { "COMMIT" } else { "ROLLBACK" })
            .unwrap();
        let again = db.backup("/copy").unwrap_err();
        assert_eq!(again.code(), "58P02", "seed {seed}");
        let env = env.crash();
        let copy = Database::builder().env(Arc::new(env)).directory("/copy").open();
        let copy = copy.unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        let mut session = copy.session().unwrap();
        let money = 100 * ACCOUNTS;
        assert_eq!(totals(&mut session), (money, money), "seed {seed}");
        let found = number(&mut session, "SELECT sum(money * id)::bigint FROM account");
        assert_eq!(found, before, "seed {seed}");
        assert!(number(&mut session, "SELECT nextval('s')") > drawn, "seed {seed}");
        assert_eq!(
            number(&mut session, "SELECT count(*) FROM scratch"),
            0,
            "seed {seed}"
        );
        assert!(session.batch_execute("TABLE never").is_err(), "seed {seed}");
        transfer(&mut session, &mut random);
        session.batch_execute("CREATE TABLE never (a int)").unwrap();
    }
}

/// A machine that dies during a backup leaves a directory that nobody takes for a database.
#[test]
fn a_backup_that_was_broken_off_cannot_be_opened() {
    let mut refused = 0;
    for seed in 1..=40 {
        let env = SimEnv::new(seed);
        let db = Database::builder()
            .env(Arc::new(env.clone()))
            .directory("/db")
            .open()
            .unwrap();
        let mut session = db.session().unwrap();
        fill(&mut session);
        env.crash_at_operation(env.operation_count() + 1 + seed * 2);
        let outcome = db.backup("/copy");
        let after = env.crash();
        let copy = Database::builder().env(Arc::new(after)).directory("/copy").open();
        match (outcome, copy) {
            (_, Err(e)) if e.message().contains("backup that was not finished") => refused += 1,
            (Ok(()), Ok(copy)) => assert_eq!(totals(&mut copy.session().unwrap()).0, 100 * ACCOUNTS),
            // Nothing of the directory's content was durable: a new database.
            (Err(_), Ok(copy)) => {
                let tables = "SELECT count(*) FROM pg_class WHERE relnamespace = 2200";
                let mut session = copy.session().unwrap();
                let (tables, whole) = (number(&mut session, tables), seed > 20);
                assert!(
                    tables == 0 || whole && totals(&mut session).0 == 100 * ACCOUNTS,
                    "seed {seed}"
                );
            }
            (_, Err(e)) => panic!("seed {seed}: {e}"),
        }
    }
    assert!(refused > 10, "{refused} refused");
}

#[test]
fn backups_under_write_load_restore_to_a_consistent_state() {
    let dir = tempfile::tempdir().unwrap();
    let db = Database::open(dir.path().join("db")).unwrap();
    fill(&mut db.session().unwrap());
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for writer in 0..3u64 {
            let (db, stop) = (&db, &stop);
            scope.spawn(move || {
                let (mut session, mut random) = (db.session().unwrap(), SimRandom::new(writer));
                while !stop.load(Ordering::Relaxed) {
                    transfer(&mut session, &mut random);
                }
            });
        }
        for n in 0..5 {
            db.backup(dir.path().join(format!("copy{n}"))).unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    });
    for n in 0..5 {
        let copy = Database::open(dir.path().join(format!("copy{n}"))).unwrap();
        let found = totals(&mut copy.session().unwrap());
        assert_eq!(found, (100 * ACCOUNTS, 100 * ACCOUNTS), "backup {n}");
    }
}

#[test]
fn a_database_in_memory_can_be_kept() {
    let dir = tempfile::tempdir().unwrap();
    let db = Database::memory().unwrap();
    fill(&mut db.session().unwrap());
    db.backup(dir.path().join("kept")).unwrap();
    let kept = Database::open(dir.path().join("kept")).unwrap();
    assert_eq!(
        totals(&mut kept.session().unwrap()),
        (100 * ACCOUNTS, 100 * ACCOUNTS)
    );
}
