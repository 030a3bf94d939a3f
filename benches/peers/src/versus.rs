//! pglite and SQLite side by side in one process, each on its own directory of the same disk.

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pglite::{Database, Session, Statement, params};
use rusqlite::Connection;

use crate::{Random, quantile};

const ROWS: u64 = 100_000;
const ROUNDS: usize = 3;

/// What both engines must do; `key` of the table `kv (id int primary key, v text, n int)`.
trait Engine {
    fn select(&mut self, key: i32);
    fn update(&mut self, key: i32);
    fn insert(&mut self, key: i32);
    /// Many rows, the way that the engine has for that.
    fn insert_many(&mut self, keys: Range<i32>) {
        keys.for_each(|key| self.insert(key));
    }
    fn batch(&mut self, sql: &str);
}

struct Ours {
    session: Session,
    select: Statement,
    update: Statement,
    insert: Statement,
}

impl Ours {
    fn new(db: &Database) -> Ours {
        let mut session = db.session().unwrap();
        Ours {
            select: session.prepare("select v, n from kv where id = $1").unwrap(),
            update: session.prepare("update kv set n = n + 1 where id = $1").unwrap(),
            insert: session.prepare("insert into fresh values ($1, $2, 0)").unwrap(),
            session,
        }
    }
}

impl Engine for Ours {
    fn select(&mut self, key: i32) {
        let row = self.session.query_one(&self.select, params![key]).unwrap();
        std::hint::black_box((row.get::<String>(0).unwrap(), row.get::<i32>(1).unwrap()));
    }
    fn update(&mut self, key: i32) {
        assert_eq!(self.session.execute(&self.update, params![key]).unwrap(), 1);
    }
    fn insert(&mut self, key: i32) {
        self.session
            .execute(&self.insert, params![key, text(key)])
            .unwrap();
    }
    fn insert_many(&mut self, keys: Range<i32>) {
        let rows = keys.map(|key| (key, text(key)));
        self.session.execute_many(&self.insert, rows).unwrap();
    }
    fn batch(&mut self, sql: &str) {
        self.session.batch_execute(sql).unwrap();
    }
}

struct Sqlite(Connection);

impl Sqlite {
    fn new(dir: &Path) -> Sqlite {
        let connection = Connection::open(dir.join("kv.sqlite")).unwrap();
        connection.busy_timeout(Duration::from_secs(10)).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection.pragma_update(None, "synchronous", "FULL").unwrap();
        Sqlite(connection)
    }
}

impl Engine for Sqlite {
    fn select(&mut self, key: i32) {
        let mut statement = self
            .0
            .prepare_cached("select v, n from kv where id = ?1")
            .unwrap();
        let row: (String, i32) = statement
            .query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        std::hint::black_box(row);
    }
    fn update(&mut self, key: i32) {
        let mut statement = self
            .0
            .prepare_cached("update kv set n = n + 1 where id = ?1")
            .unwrap();
        assert_eq!(statement.execute([key]).unwrap(), 1);
    }
    fn insert(&mut self, key: i32) {
        let mut statement = self
            .0
            .prepare_cached("insert into fresh values (?1, ?2, 0)")
            .unwrap();
        statement.execute(rusqlite::params![key, text(key)]).unwrap();
    }
    fn batch(&mut self, sql: &str) {
        self.0.execute_batch(sql).unwrap();
    }
}

fn text(key: i32) -> String {
    format!("{:0>100}", i64::from(key) * 2_654_435_761 % 1_000_000_007)
}

/// Operations per second, median and 99th percentile in microseconds.
struct Rate(f64, f64, f64);

fn timed(time: Duration, mut f: impl FnMut()) -> Rate {
    let mut times = Vec::with_capacity(1 << 20);
    let begin = Instant::now();
    while begin.elapsed() < time {
        let one = Instant::now();
        f();
        times.push(one.elapsed().as_nanos() as u64);
    }
    let rate = times.len() as f64 / begin.elapsed().as_secs_f64();
    Rate(
        rate,
        quantile(&mut times, 0.5) as f64 / 1e3,
        quantile(&mut times, 0.99) as f64 / 1e3,
    )
}

const WORK: [&str; 11] = [
    "point select",
    "point update, durable",
    "100,000 inserts in a transaction",
    "the same by execute_many (SQLite: one by one)",
    "insert of one row, durable",
    "beside a writer: both readers",
    "beside a writer: longest read (ms)",
    "beside two readers: the writer",
    "beside a writer: readers that pause 50 µs",
    "beside a writer: longest such read (ms)",
    "beside such readers: the writer",
];

/// One round of everything; `connect` is called in the thread that uses the connection.
fn round<E: Engine>(connect: &(impl Fn() -> E + Sync), time: Duration) -> Vec<Rate> {
    let mut engine = connect();
    let mut random = Random(88_172_645_463_325_252);
    let mut rates = vec![timed(time, || engine.select(random.below(ROWS)))];
    rates.push(timed(time, || engine.update(random.below(ROWS))));
    let begin = Instant::now();
    engine.batch("begin");
    (0..ROWS as i32).for_each(|key| engine.insert(key));
    engine.batch("commit");
    rates.push(Rate(ROWS as f64 / begin.elapsed().as_secs_f64(), 0.0, 0.0));
    let begin = Instant::now();
    engine.batch("begin");
    engine.insert_many(10 * ROWS as i32..11 * ROWS as i32);
    engine.batch("commit");
    rates.push(Rate(ROWS as f64 / begin.elapsed().as_secs_f64(), 0.0, 0.0));
    let mut key = 100 * ROWS as i32;
    rates.push(timed(time, || {
        key += 1;
        engine.insert(key);
    }));
    engine.batch("delete from fresh");
    drop(engine);
    rates.extend(mixed(connect, time, Duration::ZERO));
    rates.extend(mixed(connect, time, Duration::from_micros(50)));
    rates
}

/// Two readers and a writer at a time. On two cores readers without a pause leave the writer to the scheduler.
fn mixed<E: Engine>(connect: &(impl Fn() -> E + Sync), time: Duration, pause: Duration) -> [Rate; 3] {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let over = &over;
        let readers: Vec<_> = (0..2)
            .map(|seed| {
                scope.spawn(move || {
                    let (mut engine, mut random, mut longest) =
                        (connect(), Random(777 + seed), Duration::ZERO);
                    let rate = timed(time, || {
                        let one = Instant::now();
                        engine.select(random.below(ROWS));
                        longest = longest.max(one.elapsed());
                        if !pause.is_zero() {
                            std::thread::sleep(pause);
                        }
                    });
                    over.store(true, Ordering::Relaxed);
                    (rate, longest)
                })
            })
            .collect();
        let writer = scope.spawn(move || {
            let (mut engine, mut random) = (connect(), Random(99));
            let mut n = 0;
            let begin = Instant::now();
            while !over.load(Ordering::Relaxed) {
                engine.update(random.below(ROWS));
                n += 1;
            }
            n as f64 / begin.elapsed().as_secs_f64()
        });
        let read: Vec<_> = readers.into_iter().map(|thread| thread.join().unwrap()).collect();
        let longest = read
            .iter()
            .map(|(_, longest)| longest.as_secs_f64() * 1e3)
            .fold(0.0, f64::max);
        [
            Rate(
                read.iter().map(|(rate, _)| rate.0).sum(),
                read[0].0.1,
                read[0].0.2.max(read[1].0.2),
            ),
            Rate(longest, 0.0, 0.0),
            Rate(writer.join().unwrap(), 0.0, 0.0),
        ]
    })
}

const TABLES: &str = "create table kv (id int primary key, v text not null, n int not null); \
                      create table fresh (id int primary key, v text not null, n int not null)";

fn fill(engine: &mut (impl Engine + ?Sized)) {
    engine.batch("begin");
    (0..ROWS as i32).for_each(|key| engine.insert(key));
    engine.batch("commit; insert into kv select * from fresh; delete from fresh");
}

/// One kind of work so often in one transaction, for counts of instructions: the difference of two runs leaves the set-up out.
pub fn one(engine: &str, work: &str, count: u64) {
    let dir = tempfile::tempdir_in(".").unwrap();
    let db = Database::open(dir.path().join("ours")).unwrap();
    let mut session = db.session().unwrap();
    let mut ours = match engine {
        "pglite" => {
            session.batch_execute(TABLES).unwrap();
            Box::new(Ours::new(&db)) as Box<dyn Engine>
        }
        _ => {
            let mut sqlite = Sqlite::new(dir.path());
            sqlite.batch(TABLES);
            Box::new(sqlite)
        }
    };
    fill(&mut *ours);
    // Rows that the filling has deleted are merged away meanwhile, as between the rounds of the table.
    std::thread::sleep(Duration::from_secs(4));
    let mut random = Random(88_172_645_463_325_252);
    let begin = Instant::now();
    ours.batch("begin");
    for key in 0..count as i32 {
        match work {
            "select" => ours.select(random.below(ROWS)),
            "update" => ours.update(random.below(ROWS)),
            _ => ours.insert(key),
        }
    }
    ours.batch("commit");
    println!(
        "{engine} {work}: {:.0}/s",
        count as f64 / begin.elapsed().as_secs_f64()
    );
    // Nothing that the end of a database does belongs to the work.
    std::process::exit(0);
}

/// Runs everything on both engines and prints the table.
pub fn run(seconds: u64) {
    let time = Duration::from_secs(seconds);
    let dir = tempfile::tempdir_in(".").unwrap();
    let db = Database::open(dir.path().join("ours")).unwrap();
    db.session().unwrap().batch_execute(TABLES).unwrap();
    let ours = || Ours::new(&db);
    fill(&mut ours());
    let sqlite = || Sqlite::new(dir.path());
    sqlite().batch(TABLES);
    fill(&mut sqlite());
    let (mut of_ours, mut of_sqlite) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        of_sqlite.push(round(&sqlite, time));
        of_ours.push(round(&ours, time));
    }
    println!(
        "| in process, {ROWS} rows | SQLite /s | pglite /s | pglite / SQLite | SQLite µs, 99 % | pglite µs, 99 % |\n|---|---|---|---|---|---|"
    );
    for (at, what) in WORK.iter().enumerate() {
        let (theirs, mine) = (median(&of_sqlite, at), median(&of_ours, at));
        println!(
            "| {what} | {:.1} | {:.1} | {:.2} | {:.1}, {:.1} | {:.1}, {:.1} |",
            theirs.0,
            mine.0,
            mine.0 / theirs.0,
            theirs.1,
            theirs.2,
            mine.1,
            mine.2
        );
    }
}

fn median(rounds: &[Vec<Rate>], at: usize) -> Rate {
    let of = |pick: fn(&Rate) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(|round| pick(&round[at])).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Rate(of(|rate| rate.0), of(|rate| rate.1), of(|rate| rate.2))
}
