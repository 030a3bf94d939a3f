//! Random statements over small tables give the same rows whatever plan runs them, and those that PostgreSQL gives.
//!
//! `PGLITE_DIFF_QUERIES` is how many (the default is small, for CI), `PGLITE_DIFF_SEED` where the random numbers begin,
//! `PGLITE_DIFF_VARIANTS` under how many settings each runs besides the defaults. `PGLITE_ORACLE_URL` names a PostgreSQL that psql
//! (from PATH, or `PGLITE_ORACLE_PSQL`) can reach: then it must agree too.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod changes;
mod maker;
mod oracle;
#[path = "../support/random.rs"]
mod random;
mod shapes;
mod wide;
mod windows;

use maker::{Maker, set_up};
use pglite::{Database, Session, params};
use random::{Random, number};

const SEED: u64 = 20_261_121;
/// Queries that one psql gets at a time.
const ORACLE_BATCH: usize = 200;
/// Nested subqueries may take for ever; what takes longer is not compared.
const TIMEOUT: &str = "SET statement_timeout = '5s'";

/// What each query is run under besides the defaults.
const VARIANTS: &[&str] = &[
    "SET enable_hashjoin = off",
    "SET enable_mergejoin = off; SET enable_hashjoin = off",
    "SET enable_nestloop = off; SET enable_hashjoin = off",
    "SET enable_nestloop = off; SET enable_mergejoin = off",
    "SET enable_seqscan = off",
    "SET enable_seqscan = off; SET enable_indexscan = off; SET enable_indexonlyscan = off",
    "SET enable_indexscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off",
    "SET enable_hashagg = off",
    "SET enable_sort = off; SET enable_incremental_sort = off",
    "SET enable_material = off; SET enable_memoize = off; SET enable_hashjoin = off",
    "SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0",
    "SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET enable_parallel_hash = off;
     SET enable_hashagg = off; SET parallel_leader_participation = off",
    "SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET enable_hashjoin = off",
    "SET debug_parallel_query = on",
    "SET enable_partition_pruning = off; SET enable_partitionwise_join = on; SET enable_partitionwise_aggregate = on",
    "SET enable_partitionwise_join = on; SET enable_partitionwise_aggregate = on; SET enable_hashagg = off",
    "SET enable_partitionwise_join = on; SET enable_hashjoin = off; SET enable_sort = off",
    "SET plan_cache_mode = force_generic_plan; SET enable_nestloop = off",
];

/// A statement; where it changes tables, each of its rows is one text, and the tables are looked at after it.
pub struct Case {
    /// Without a semicolon.
    pub sql: String,
    /// The tables; none: a query.
    pub changes: Vec<String>,
}

impl Case {
    /// What is run: with the rows as text.
    pub fn statement(&self) -> String {
        match self.changes.is_empty() {
            true => format!("SELECT whole::text FROM ({}) whole", self.sql),
            false => self.sql.clone(),
        }
    }

    /// The contents of the changed tables.
    pub fn looks(&self) -> impl Iterator<Item = String> {
        let look = |t: &String| format!("SELECT tableoid::regclass::text || t::text FROM {t} t");
        self.changes.iter().map(look)
    }
}

/// Sorted rows as text, or the SQLSTATE (and, if it is ours, the message).
pub type Answer = Result<Vec<String>, String>;

/// Equal numerics of different scales are one value to DISTINCT and set operations: which of them appears depends on the plan.
pub fn without_scale(row: &str) -> String {
    let mut out = String::with_capacity(row.len());
    let mut rest = row;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, number) = rest.split_at(start);
        let end = number
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(number.len());
        let (number, after) = number.split_at(end);
        out.push_str(before);
        match number.contains('.') {
            true => out.push_str(number.trim_end_matches('0').trim_end_matches('.')),
            false => out.push_str(number),
        }
        rest = after;
    }
    out + rest
}

fn texts(session: &mut Session, sql: &str) -> Answer {
    let rows = session.query_map(sql, params![], |r| r.get::<Option<String>>(0));
    let rows = rows.map_err(|e| format!("{} {}", e.code(), e.message()))?;
    Ok(rows
        .iter()
        .map(|r| without_scale(r.as_deref().unwrap_or("")))
        .collect())
}

fn statement_and_looks(session: &mut Session, case: &Case) -> Answer {
    let mut all = texts(session, &case.statement())?;
    for look in case.looks() {
        all.append(&mut texts(session, &look)?);
    }
    Ok(all)
}

fn run(session: &mut Session, case: &Case) -> Answer {
    if !case.changes.is_empty() {
        session.batch_execute("BEGIN").unwrap();
    }
    let outcome = statement_and_looks(session, case);
    if !case.changes.is_empty() {
        session.batch_execute("ROLLBACK").unwrap();
    }
    let mut all = outcome?;
    all.sort();
    Ok(all)
}

/// The statement with numbers behind comparisons and LIMIT as parameters (equal ones are one, so that expressions stay equal), and
/// their values.
fn with_parameters(sql: &str) -> (String, Vec<&str>) {
    let (mut out, mut values): (String, Vec<&str>) = (String::new(), Vec::new());
    let mut rest = sql;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, number) = rest.split_at(start);
        let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
        let (number, after) = number.split_at(end);
        out.push_str(before);
        let compared = ["= ", "< ", "> ", "LIMIT ", "OFFSET "]
            .iter()
            .any(|w| before.ends_with(w));
        let whole = !after.starts_with(|c: char| c == '.' || c == ':' || c.is_alphanumeric());
        match compared && whole {
            true => {
                let at = values.iter().position(|v| *v == number);
                let at = at.unwrap_or_else(|| {
                    values.push(number);
                    values.len() - 1
                });
                out.push_str(&format!("${}", at + 1));
            }
            false => out.push_str(number),
        }
        rest = after;
    }
    (out + rest, values)
}

/// As a prepared statement with parameters, under a plan that does not know their values.
fn run_generic(session: &mut Session, case: &Case) -> Option<Answer> {
    let statement = case.statement();
    let (sql, values) = with_parameters(&statement);
    if values.is_empty() {
        return None;
    }
    let types = vec!["int"; values.len()].join(", ");
    let prepared = session.batch_execute(&format!("PREPARE p ({types}) AS {sql}"));
    if let Err(e) = prepared {
        return Some(Err(format!("{} {}", e.code(), e.message())));
    }
    let mut answer = texts(session, &format!("EXECUTE p ({})", values.join(", ")));
    session.batch_execute("DEALLOCATE p").unwrap();
    if let Ok(rows) = &mut answer {
        rows.sort();
    }
    Some(answer)
}

fn same(mine: &Answer, theirs: &Answer) -> bool {
    match (mine, theirs) {
        (Ok(mine), Ok(theirs)) => mine == theirs,
        (Err(e), _) | (_, Err(e)) if e.starts_with("57014") => true,
        (Err(mine), Err(theirs)) => mine[..5] == theirs[..5],
        // PostgreSQL's limit of FULL JOIN depends on what its planner makes of the condition.
        (Ok(_), Err(theirs)) => theirs == "0A000",
        _ => false,
    }
}

struct Budget {
    queries: u64,
    variants: u64,
}

/// Runs cases under the defaults, under some settings, and in PostgreSQL.
fn agree(salt: u64, budget: Budget, make: impl Fn(&mut Maker<'_>) -> Case) {
    let seed = number("PGLITE_DIFF_SEED", SEED) ^ salt;
    let count = number("PGLITE_DIFF_QUERIES", budget.queries) as usize;
    let variants = number("PGLITE_DIFF_VARIANTS", budget.variants) as usize;
    println!("PGLITE_DIFF_SEED={} ({count} statements)", seed ^ salt);
    let mut random = Random(seed);
    let tables = set_up(&mut random);
    let db = Database::memory().unwrap();
    let mut session = db.session().unwrap();
    session.batch_execute(&tables).unwrap();
    let oracle = std::env::var("PGLITE_ORACLE_URL").ok();
    let mut differences = 0;
    let mut report = |what: &str, case: &Case, mine: &Answer, theirs: &Answer| {
        differences += 1;
        println!("-- {what}\n{};\n  {mine:?}\n  {theirs:?}\n", case.sql);
    };
    let mut done = 0;
    while done < count {
        let batch = (count - done).min(ORACLE_BATCH);
        let cases: Vec<Case> = (0..batch)
            .map(|_| {
                make(&mut Maker {
                    r: &mut random,
                    aliases: 0,
                })
            })
            .collect();
        let answers = oracle.as_deref().map(|url| oracle::ask(url, &tables, &cases));
        for (i, case) in cases.iter().enumerate() {
            session.batch_execute(&format!("RESET ALL; {TIMEOUT}")).unwrap();
            let plain = run(&mut session, case);
            let first = random.below(VARIANTS.len());
            for v in 0..variants.min(VARIANTS.len()) {
                let settings = VARIANTS[(first + v * 5) % VARIANTS.len()];
                session
                    .batch_execute(&format!("RESET ALL; {TIMEOUT}; {settings}"))
                    .unwrap();
                let other = run(&mut session, case);
                if !same(&other, &plain) {
                    report(settings, case, &plain, &other);
                }
            }
            if case.changes.is_empty() {
                session
                    .batch_execute(&format!(
                        "RESET ALL; {TIMEOUT}; SET plan_cache_mode = force_generic_plan"
                    ))
                    .unwrap();
                match run_generic(&mut session, case) {
                    Some(other) if !same(&other, &plain) => report("a generic plan", case, &plain, &other),
                    _ => {}
                }
            }
            match answers.as_ref().map(|a| &a[i]) {
                Some(theirs) if !same(&plain, theirs) => report("PostgreSQL", case, &plain, theirs),
                _ => {}
            }
        }
        done += batch;
    }
    assert_eq!(
        differences,
        0,
        "differences with PGLITE_DIFF_SEED={}",
        seed ^ salt
    );
}

#[test]
fn plain_queries_agree() {
    let budget = Budget {
        queries: 120,
        variants: 99,
    };
    agree(0, budget, |m| Case {
        sql: m.query(),
        changes: Vec::new(),
    });
}

#[test]
fn wide_queries_agree() {
    let budget = Budget {
        queries: 150,
        variants: 4,
    };
    agree(1, budget, |m| Case {
        sql: m.wide(),
        changes: Vec::new(),
    });
}

#[test]
fn shapes_agree() {
    let budget = Budget {
        queries: 150,
        variants: 4,
    };
    agree(3, budget, |m| Case {
        sql: m.shape(),
        changes: Vec::new(),
    });
}

#[test]
fn changes_agree() {
    let budget = Budget {
        queries: 100,
        variants: 3,
    };
    agree(2, budget, |m| {
        let (sql, changes) = m.changing();
        Case { sql, changes }
    });
}
