//! kill -9 of the real `pglited` under eight writers: no acknowledged commit is lost, no half transaction is there, and indexes are
//! equal to their tables.
//!
//! `PGLITE_KILL_ROUNDS` sets the number of kills (default 4).
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod process;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use process::{Pglited, connect};
use tokio_postgres::{Client, Error, SimpleQueryMessage};

const WRITERS: usize = 8;
const ACCOUNTS: i32 = 200;
const SCHEMA: &str = "\
    CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL, moves int NOT NULL);
    CREATE INDEX account_balance ON account (balance DESC, id);
    CREATE TABLE log (id bigserial PRIMARY KEY, writer int NOT NULL, number bigint NOT NULL,
                      source int NOT NULL, target int NOT NULL, amount int NOT NULL, filler text);
    CREATE UNIQUE INDEX log_writer ON log (writer, number DESC);
    CREATE INDEX log_source ON log (source);
    INSERT INTO account SELECT g, 1000, 0 FROM generate_series(1, 200) g";

/// The last transaction of each writer that the server acknowledged.
#[derive(Default)]
struct Acknowledged {
    last: [AtomicI64; WRITERS],
    commits: AtomicU64,
}

/// Numbers that need not be good.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// A transfer: two accounts and a log row, in a random order of accounts, so that deadlocks happen. Writer 0 makes a table
/// with each tenth of its transactions and drops the one before.
async fn transfer(client: &Client, writer: usize, number: i64, dice: &mut Dice) -> Result<(), Error> {
    let source = 1 + dice.below(ACCOUNTS as u64) as i32;
    let target = 1 + dice.below(ACCOUNTS as u64) as i32;
    let amount = dice.below(50) as i32;
    client.batch_execute("BEGIN").await?;
    let change = "UPDATE account SET balance = balance + $1, moves = moves + 1 WHERE id = $2";
    client.execute(change, &[&i64::from(-amount), &source]).await?;
    client
        .execute(
            "INSERT INTO log (writer, number, source, target, amount, filler) VALUES ($1, $2, $3, $4, $5, $6)",
            &[&(writer as i32), &number, &source, &target, &amount, &"x".repeat(dice.below(300) as usize)],
        )
        .await?;
    client.execute(change, &[&i64::from(amount), &target]).await?;
    if writer == 0 && number % 10 == 0 {
        let before = number - 10;
        client
            .batch_execute(&format!(
                "CREATE TABLE made_{number} (id int PRIMARY KEY, v int); \
                 INSERT INTO made_{number} SELECT g, g FROM generate_series(1, 5) g; \
                 DROP TABLE IF EXISTS made_{before}"
            ))
            .await?;
    }
    client.batch_execute("COMMIT").await
}

/// Works until the server is gone.
async fn write(address: std::net::SocketAddr, writer: usize, seed: u64, known: Arc<Acknowledged>) {
    let Ok(client) = connect(address).await else {
        return;
    };
    let mut dice = Dice(seed);
    let mut number = known.last[writer].load(Ordering::Acquire) + 1;
    loop {
        match transfer(&client, writer, number, &mut dice).await {
            Ok(()) => {
                known.last[writer].store(number, Ordering::Release);
                known.commits.fetch_add(1, Ordering::Relaxed);
                number += 1;
            }
            Err(e) => {
                let Some(e) = e.as_db_error() else { return };
                // Shutting down, or a deadlock.
                assert_eq!(e.code().code(), "40P01", "{e:?}");
                if client.batch_execute("ROLLBACK").await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Checkpoints and merges while the others write, so that kills hit them too.
async fn maintain(address: std::net::SocketAddr) {
    let Ok(client) = connect(address).await else {
        return;
    };
    for statement in ["CHECKPOINT", "VACUUM", "CHECKPOINT", "VACUUM log"]
        .iter()
        .cycle()
    {
        tokio::time::sleep(Duration::from_millis(60)).await;
        match client.batch_execute(statement).await {
            Ok(()) => {}
            Err(e) if e.as_db_error().is_none() => return,
            Err(e) => panic!("{statement}: {e:?}"),
        }
    }
}

async fn texts(client: &Client, sql: &str) -> Vec<Vec<Option<String>>> {
    let answer = client
        .simple_query(sql)
        .await
        .unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    let row = |message| match message {
        SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect()),
        _ => None,
    };
    answer.into_iter().filter_map(row).collect()
}

async fn numbers(client: &Client, sql: &str) -> Vec<i64> {
    let rows = texts(client, sql).await;
    rows.iter()
        .flatten()
        .map(|v| v.as_deref().unwrap_or("0").parse().unwrap())
        .collect()
}

/// The order of an index over all its rows must be what sorting the table gives.
async fn indexes_equal_tables(client: &Client) {
    for (table, order) in [
        ("account", "id"),
        ("account", "balance DESC, id"),
        ("log", "id"),
        ("log", "writer, number DESC"),
        ("log", "source"),
    ] {
        let by_index = "SET enable_seqscan = off; SET enable_sort = off; SET enable_indexscan = on; SET enable_indexonlyscan = on";
        let by_table = "SET enable_seqscan = on; SET enable_sort = on; SET enable_indexscan = off; SET enable_indexonlyscan = off";
        let columns = order.replace(" DESC", "");
        for list in ["*", columns.as_str()] {
            let sql = format!("SELECT {list} FROM {table} ORDER BY {order}");
            client.batch_execute(by_index).await.unwrap();
            let plan = texts(client, &format!("EXPLAIN {sql}")).await;
            assert!(plan[0][0].as_ref().unwrap().contains("Index"), "{plan:?}");
            let mut found = texts(client, &sql).await;
            client.batch_execute(by_table).await.unwrap();
            let plan = texts(client, &format!("EXPLAIN {sql}")).await;
            assert!(
                !plan.iter().any(|l| l[0].as_ref().unwrap().contains("Index")),
                "{plan:?}"
            );
            let mut known = texts(client, &sql).await;
            if order == "source" {
                found.sort();
                known.sort();
            }
            assert_eq!(found.len(), known.len(), "{sql}");
            assert!(
                found == known,
                "{sql}: the index does not give what the table holds"
            );
        }
    }
    client.batch_execute("RESET ALL").await.unwrap();
}

/// Everything that must hold after a crash.
async fn check(client: &Client, known: &Acknowledged) {
    let mut last_of_writer = BTreeMap::new();
    let sql = "SELECT writer, min(number), max(number), count(*) FROM log GROUP BY writer";
    for row in numbers(client, sql).await.chunks(4) {
        let &[writer, min, max, count] = row else { panic!() };
        assert_eq!((min, max), (1, count), "writer {writer} has holes");
        last_of_writer.insert(writer as usize, max);
    }
    for (writer, acknowledged) in known.last.iter().enumerate() {
        let found = last_of_writer.get(&writer).copied().unwrap_or(0);
        let acknowledged_number = acknowledged.load(Ordering::Acquire);
        // The transaction whose answer did not come may be there or not.
        assert!(
            found == acknowledged_number || found == acknowledged_number + 1,
            "writer {writer}: {found} is there, {acknowledged_number} was acknowledged"
        );
        acknowledged.store(found, Ordering::Release);
    }
    let sums = "SELECT sum(balance), (SELECT 2 * count(*) FROM log) - sum(moves) FROM account";
    assert_eq!(numbers(client, sums).await, [i64::from(ACCOUNTS) * 1000, 0]);
    let wrong = "SELECT a.id FROM account a LEFT JOIN \
        (SELECT id, sum(amount) AS amount, count(*) AS n FROM \
         (SELECT source AS id, -amount AS amount FROM log UNION ALL SELECT target, amount FROM log) both_sides \
         GROUP BY id) l ON l.id = a.id \
        WHERE a.balance <> 1000 + coalesce(l.amount, 0) OR a.moves <> coalesce(l.n, 0)";
    assert_eq!(
        numbers(client, wrong).await,
        Vec::<i64>::new(),
        "half transactions"
    );
    let made = last_of_writer.get(&0).copied().unwrap_or(0) / 10 * 10;
    let tables = texts(
        client,
        "SELECT relname FROM pg_class WHERE relname LIKE 'made\\_%' AND relkind = 'r'",
    )
    .await;
    if made == 0 {
        assert!(tables.is_empty());
    } else {
        assert_eq!(tables, [[Some(format!("made_{made}"))]]);
        let sql = format!("SELECT count(*), sum(v) FROM made_{made}");
        assert_eq!(numbers(client, &sql).await, [5, 15]);
    }
    indexes_equal_tables(client).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_by_kill_9() {
    let rounds = std::env::var("PGLITE_KILL_ROUNDS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(4);
    let seed = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    println!("{rounds} rounds, seed {seed} (of the dice; the scheduler has its own)");
    let mut dice = Dice(seed);
    // Left behind when something fails, to look at.
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap().keep();
    println!("directory {}", dir.display());
    let known = Arc::new(Acknowledged::default());
    let first = Pglited::start(&dir);
    first
        .connect()
        .await
        .unwrap()
        .batch_execute(SCHEMA)
        .await
        .unwrap();
    first.kill();
    for round in 1..=rounds {
        let server = Pglited::start(&dir);
        let before = known.commits.load(Ordering::Relaxed);
        let mut tasks = vec![tokio::spawn(maintain(server.address))];
        for writer in 0..WRITERS {
            tasks.push(tokio::spawn(write(
                server.address,
                writer,
                dice.0 ^ writer as u64,
                known.clone(),
            )));
        }
        tokio::time::sleep(Duration::from_millis(300 + dice.below(900))).await;
        server.kill();
        for task in tasks {
            task.await.unwrap();
        }
        let commits = known.commits.load(Ordering::Relaxed) - before;
        let server = Pglited::start(&dir);
        let begin = Instant::now();
        check(&server.connect().await.unwrap(), &known).await;
        println!(
            "round {round}: {commits} commits acknowledged, up again in {:?}, checked in {:?}",
            server.start_time,
            begin.elapsed()
        );
        server.kill();
    }
    assert!(known.commits.load(Ordering::Relaxed) > 0);
    std::fs::remove_dir_all(&dir).unwrap();
}
