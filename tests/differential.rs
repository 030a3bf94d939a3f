//! Random queries over small tables give the same rows whatever plan runs them, and those that PostgreSQL gives.
//!
//! `PGLITE_DIFF_QUERIES` is how many (the default is small, for CI), `PGLITE_DIFF_SEED` where the random numbers begin.
//! `PGLITE_ORACLE_URL` names a PostgreSQL that psql (from PATH, or `PGLITE_ORACLE_PSQL`) can reach: then it must agree too.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/random.rs"]
mod random;

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use pglite::{Database, Session, params};
use random::{Random, number};

const QUERIES: usize = 120;
const SEED: u64 = 20_261_121;
/// Queries that one psql gets at a time.
const ORACLE_BATCH: usize = 200;

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
];

trait Pick {
    /// One of some.
    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str;
}

impl Pick for Random {
    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

const TABLES: usize = 4;

/// Tables with few different values and many NULLs, some indexed.
fn set_up(r: &mut Random) -> String {
    let mut sql = String::new();
    for t in 0..TABLES {
        let _ = writeln!(
            sql,
            "CREATE TABLE r{t} (a int, b int, c text, d numeric, e bigint, f char(4));"
        );
        let rows = 12 + 14 * t;
        for _ in 0..rows {
            let (a, b, e) = (r.below(15), r.below(6), r.below(20));
            let (c, d, f) = (r.below(7), r.below(9), r.below(5));
            let mut or_null = |text: String| if r.chance(15) { "NULL".to_owned() } else { text };
            let row = [
                or_null(a.to_string()),
                or_null(b.to_string()),
                or_null(format!("'t{c}'")),
                or_null(format!("{}.{}", d, d * 5 % 10)),
                or_null(e.to_string()),
                or_null(format!("'{}'", "qqqq".get(f..).unwrap_or_default())),
            ];
            let _ = writeln!(sql, "INSERT INTO r{t} VALUES ({});", row.join(", "));
        }
    }
    sql.push_str(
        "CREATE INDEX ON r0 (a); CREATE INDEX ON r1 (a, b); CREATE INDEX ON r1 (c); CREATE INDEX ON r3 (e);
         CREATE INDEX ON r2 (b) WHERE b > 2;
         CREATE TABLE u (a int PRIMARY KEY, b int, c text, d numeric, e bigint, f char(4));
         INSERT INTO u SELECT g, g % 4, 't' || g % 5, g / 2.0, g % 7, repeat('q', g % 5) FROM generate_series(0, 13) g;
         ANALYZE;",
    );
    sql
}

/// Makes queries. Every expression is total: no division, no overflow.
struct Maker<'r> {
    r: &'r mut Random,
    aliases: usize,
}

const NUMBERS: [&str; 4] = ["a", "b", "d", "e"];

impl Maker<'_> {
    fn table(&mut self) -> String {
        match self.r.below(TABLES + 1) {
            TABLES => "u".to_owned(),
            t => format!("r{t}"),
        }
    }

    fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("x{}", self.aliases)
    }

    fn number(&mut self, scope: &[String]) -> String {
        let alias = scope[self.r.below(scope.len())].clone();
        let column = format!("{alias}.{}", self.r.pick(&NUMBERS));
        match self.r.below(9) {
            0 => format!("({column} + {})", self.r.below(3)),
            3 => format!("({column} * 1.5 - {})", self.r.below(3)),
            1 => format!("coalesce({column}, {})", self.r.below(9)),
            2 => format!(
                "CASE WHEN {column} > 4 THEN {column} ELSE {} END",
                self.r.below(5)
            ),
            _ => column,
        }
    }

    fn text(&mut self, scope: &[String]) -> String {
        let alias = &scope[self.r.below(scope.len())];
        match self.r.below(5) {
            0 => format!("({alias}.c || 'x')"),
            1 => format!("{alias}.f"),
            _ => format!("{alias}.c"),
        }
    }

    fn value(&mut self, scope: &[String]) -> String {
        if self.r.chance(25) {
            self.text(scope)
        } else {
            self.number(scope)
        }
    }

    /// A condition over the scope; `depth` bounds subqueries.
    fn condition(&mut self, scope: &[String], depth: usize) -> String {
        let operator = self.r.pick(&["=", "=", "<>", "<", "<=", ">", ">="]);
        match self.r.below(if depth > 0 { 14 } else { 9 }) {
            0 => format!(
                "{} IS NOT DISTINCT FROM {}",
                self.number(scope),
                self.number(scope)
            ),
            1 => format!(
                "{} IS {}NULL",
                self.value(scope),
                if self.r.chance(50) { "NOT " } else { "" }
            ),
            2 => format!("{} {operator} {}", self.number(scope), self.r.below(10)),
            3 => format!(
                "{} IN ({}, {}, {})",
                self.number(scope),
                self.r.below(9),
                self.r.below(9),
                self.r.below(9)
            ),
            4 => format!("{} LIKE 't{}%'", self.text(scope), self.r.below(7)),
            5 => format!("({} OR {})", self.condition(scope, 0), self.condition(scope, 0)),
            6 => format!(
                "NOT ({} AND {})",
                self.condition(scope, 0),
                self.condition(scope, 0)
            ),
            8 if self.r.chance(50) => {
                let alias = &scope[self.r.below(scope.len())];
                format!("{alias}.f IN ('q', 'qqq ', '')")
            }
            8 => {
                let pair = [0, 1].map(|_| scope[self.r.below(scope.len())].clone());
                format!("{}.f {operator} {}.f", pair[0], pair[1])
            }
            9 => format!(
                "{} IN ({})",
                self.number(scope),
                self.one_column(scope, depth - 1)
            ),
            10 => format!(
                "{} NOT IN ({})",
                self.number(scope),
                self.one_column(scope, depth - 1)
            ),
            11 => format!("EXISTS ({})", self.one_column(scope, depth - 1)),
            12 => format!("NOT EXISTS ({})", self.one_column(scope, depth - 1)),
            13 => {
                let (table, alias) = (self.table(), self.alias());
                let inner = [scope, std::slice::from_ref(&alias)].concat();
                let number = self.number(std::slice::from_ref(&alias));
                let condition = self.condition(&inner, 0);
                format!(
                    "{} {operator} (SELECT {}({number}) FROM {table} {alias} WHERE {condition})",
                    self.number(scope),
                    self.r.pick(&["max", "min", "count", "sum"])
                )
            }
            _ => format!("{} {operator} {}", self.number(scope), self.number(scope)),
        }
    }

    /// A subquery with one number as its column, usually correlated.
    fn one_column(&mut self, scope: &[String], depth: usize) -> String {
        let (table, alias) = (self.table(), self.alias());
        let own = [alias.clone()];
        let inner = if self.r.chance(70) {
            [scope, &own].concat()
        } else {
            own.to_vec()
        };
        let condition = self.condition(&inner, depth);
        format!(
            "SELECT {} FROM {table} {alias} WHERE {condition}",
            self.number(&own)
        )
    }

    /// A relation for FROM, and its alias.
    fn relation(&mut self, depth: usize) -> (String, String) {
        let alias = self.alias();
        if depth == 0 || self.r.chance(75) {
            return (format!("{} {alias}", self.table()), alias);
        }
        let (table, inner) = (self.table(), self.alias());
        let scope = [inner.clone()];
        let condition = self.condition(&scope, 0);
        let body = match self.r.below(3) {
            0 => format!("SELECT * FROM {table} {inner} WHERE {condition}"),
            1 => format!("SELECT DISTINCT a, b, c, d, e, f FROM {table} {inner} WHERE {condition}"),
            _ => format!(
                "SELECT a, count(*)::int AS b, max(c) AS c, sum(d) AS d, min(e) AS e, max(f) AS f FROM {table} {inner} WHERE {condition} GROUP BY a"
            ),
        };
        (format!("({body}) {alias}"), alias)
    }

    /// FROM with joins; the aliases in scope.
    fn from(&mut self) -> (String, Vec<String>) {
        let (mut sql, first) = self.relation(1);
        let mut scope = vec![first];
        for _ in 0..self.r.below(4) {
            if self.r.chance(12) {
                let (table, alias) = (self.table(), self.alias());
                let inner = [&scope[..], std::slice::from_ref(&alias)].concat();
                let condition = self.condition(&inner, 0);
                let _ = write!(
                    sql,
                    " CROSS JOIN LATERAL (SELECT * FROM {table} {alias} WHERE {condition}) {alias}"
                );
                scope.push(alias);
                continue;
            }
            let (relation, alias) = self.relation(1);
            let kind = self
                .r
                .pick(&["JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]);
            let left = scope[self.r.below(scope.len())].clone();
            let column = self.r.pick(&NUMBERS);
            let mut on = format!(
                "{left}.{column} = {alias}.{}",
                if self.r.chance(70) { column } else { "b" }
            );
            // PostgreSQL refuses FULL JOIN on conditions that it can neither merge nor hash.
            if kind != "FULL JOIN" && self.r.chance(40) {
                let both = [left, alias.clone()];
                let more = self.condition(&both, 0);
                let _ = write!(on, " AND {more}");
            }
            let _ = write!(sql, " {kind} {relation} ON {on}");
            scope.push(alias);
        }
        (sql, scope)
    }

    fn select(&mut self) -> String {
        let (from, scope) = self.from();
        let mut filter = String::new();
        for i in 0..self.r.below(3) {
            let _ = write!(
                filter,
                " {} {}",
                if i == 0 { "WHERE" } else { "AND" },
                self.condition(&scope, 2)
            );
        }
        match self.r.below(4) {
            0 => {
                let (key, value) = (self.value(&scope), self.number(&scope));
                let call = self
                    .r
                    .pick(&["sum", "count", "min", "max", "count(DISTINCT", "avg"]);
                let call = match call.strip_suffix("(DISTINCT") {
                    Some(name) => format!("{name}(DISTINCT {value})"),
                    None => format!("{call}({value})"),
                };
                let guard = self.condition(&scope, 0);
                let having = if self.r.chance(30) {
                    " HAVING count(*) > 1"
                } else {
                    ""
                };
                format!(
                    "SELECT {key} AS k, {call} AS v, count(*) FILTER (WHERE {guard}) AS n, 0 AS z FROM {from}{filter} GROUP BY 1{having}"
                )
            }
            1 => {
                let (part, order, value) = (self.value(&scope), self.number(&scope), self.number(&scope));
                let call = self
                    .r
                    .pick(&["rank()", "dense_rank()", "count(*)", "cume_dist()"]);
                format!(
                    "SELECT {value} AS k, {call} OVER (PARTITION BY {part} ORDER BY {order}) AS v, \
                     sum({value}) OVER (PARTITION BY {part}) AS n, 0 AS z FROM {from}{filter}"
                )
            }
            2 => {
                let list = [self.value(&scope), self.number(&scope), self.value(&scope)];
                format!(
                    "SELECT DISTINCT {} AS k, {} AS v, {} AS n, 0 AS z FROM {from}{filter}",
                    list[0], list[1], list[2]
                )
            }
            _ => {
                let list = [self.value(&scope), self.number(&scope), self.value(&scope)];
                format!(
                    "SELECT {} AS k, {} AS v, {} AS n, 0 AS z FROM {from}{filter}",
                    list[0], list[1], list[2]
                )
            }
        }
    }

    /// The ends of columns: indexes may give them.
    fn ends(&mut self) -> String {
        let (table, alias) = (self.table(), self.alias());
        let scope = [alias.clone()];
        let columns = [0, 1].map(|_| self.r.pick(&["a", "b", "c", "d", "e"]));
        let filter = match self.r.below(3) {
            0 => String::new(),
            1 => format!(" WHERE {alias}.a = {}", self.r.below(15)),
            _ => format!(" WHERE {}", self.condition(&scope, 0)),
        };
        format!(
            "SELECT min({alias}.{}) AS k, max({alias}.{}) AS v, 0 AS n, 0 AS z FROM {table} {alias}{filter}",
            columns[0], columns[1]
        )
    }

    /// Groups by two keys.
    fn two_keys(&mut self) -> String {
        let (from, scope) = self.from();
        let keys = [self.value(&scope), self.value(&scope)];
        let value = self.number(&scope);
        format!(
            "SELECT {} AS k, {} AS v, sum({value}) AS n, count(DISTINCT {value}) AS z FROM {from} GROUP BY 1, 2",
            keys[0], keys[1]
        )
    }

    fn query(&mut self) -> String {
        if self.r.chance(4) {
            return self.ends();
        }
        if self.r.chance(8) {
            return self.two_keys();
        }
        if self.r.chance(12) {
            let all = if self.r.chance(50) { " ALL" } else { "" };
            let operator = self.r.pick(&["UNION", "INTERSECT", "EXCEPT"]);
            let mut side = || {
                let (from, scope) = self.from();
                format!("SELECT {} AS k FROM {from}", self.number(&scope))
            };
            return format!("{} {operator}{all} {}", side(), side());
        }
        self.select()
    }
}

/// Equal numerics of different scales are one value to DISTINCT and set operations: which of them appears depends on the plan.
fn without_scale(row: &str) -> String {
    let trim = |field: &str| match field.contains('.') {
        true => field.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => field.to_owned(),
    };
    let fields: Vec<String> = row.trim_end_matches(')').split(',').map(trim).collect();
    fields.join(",").replacen("(", "", 1)
}

/// The rows as text in some fixed order, or the SQLSTATE.
fn run(session: &mut Session, sql: &str) -> Result<Vec<String>, String> {
    let wrapped = format!("SELECT q::text FROM ({sql}) q");
    let rows = session.query_map(&wrapped, params![], |r| r.get::<String>(0));
    let rows = rows.map_err(|e| format!("{} {}", e.code(), e.message()))?;
    let mut rows: Vec<String> = rows.iter().map(|r| without_scale(r)).collect();
    rows.sort();
    Ok(rows)
}

/// What PostgreSQL says to a batch of queries: rows or SQLSTATE.
fn ask_oracle(url: &str, set_up: &str, queries: &[String]) -> Vec<Result<Vec<String>, String>> {
    let psql = std::env::var("PGLITE_ORACLE_PSQL").unwrap_or_else(|_| "psql".to_owned());
    let schema = format!("pglite_diff_{}", std::process::id());
    let mut script = format!(
        "SET client_min_messages = error;\nCREATE SCHEMA {schema}; SET search_path = {schema};\n{set_up}\n"
    );
    for q in queries {
        let _ = writeln!(script, "SELECT q::text FROM ({q}) q;\n\\echo @@ :SQLSTATE");
    }
    let _ = writeln!(script, "DROP SCHEMA {schema} CASCADE;");
    let mut child = Command::new(psql)
        .args(["-XAtq", "-d", url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("psql");
    let mut input = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(script.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let (mut answers, mut rows) = (Vec::new(), Vec::new());
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        match line.strip_prefix("@@ ") {
            Some("00000") => {
                rows.sort();
                answers.push(Ok(std::mem::take(&mut rows)));
            }
            Some(code) => {
                rows.clear();
                answers.push(Err(code.to_owned()));
            }
            None => rows.push(without_scale(line)),
        }
    }
    assert_eq!(answers.len(), queries.len(), "psql did not answer every query");
    answers
}

#[test]
fn plans_and_postgresql_agree() {
    let mut random = Random(number("PGLITE_DIFF_SEED", SEED));
    let count = number("PGLITE_DIFF_QUERIES", QUERIES as u64) as usize;
    let tables = set_up(&mut random);
    let db = Database::memory().unwrap();
    let mut session = db.session().unwrap();
    session.batch_execute(&tables).unwrap();
    let oracle = std::env::var("PGLITE_ORACLE_URL").ok();
    let mut differences = Vec::new();
    let mut done = 0;
    while done < count {
        let batch = (count - done).min(ORACLE_BATCH);
        let mut maker = Maker {
            r: &mut random,
            aliases: 0,
        };
        let queries: Vec<String> = (0..batch).map(|_| maker.query()).collect();
        let answers = oracle.as_deref().map(|url| ask_oracle(url, &tables, &queries));
        for (i, sql) in queries.iter().enumerate() {
            session.batch_execute("RESET ALL").unwrap();
            let plain = run(&mut session, sql);
            for settings in VARIANTS {
                session.batch_execute(&format!("RESET ALL; {settings}")).unwrap();
                let other = run(&mut session, sql);
                if other != plain {
                    differences.push(format!("{settings}:\n{sql};\n  {plain:?}\n  {other:?}"));
                }
            }
            if let Some(theirs) = answers.as_ref().map(|a| &a[i]) {
                let same = match (&plain, theirs) {
                    (Ok(mine), Ok(theirs)) => mine == theirs,
                    (Err(mine), Err(theirs)) => mine.starts_with(theirs.as_str()),
                    _ => false,
                };
                if !same {
                    differences.push(format!("PostgreSQL:\n{sql};\n  {plain:?}\n  {theirs:?}"));
                }
            } else if let Err(e) = &plain {
                differences.push(format!("failed:\n{sql};\n  {e}"));
            }
        }
        done += batch;
    }
    assert!(
        differences.is_empty(),
        "{} differences, e.g.\n{}",
        differences.len(),
        differences[..differences.len().min(5)].join("\n\n")
    );
}
