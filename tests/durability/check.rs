//! Indexes against tables, and catalogs against each other, by SQL.

use pglite::{Result, Session, params};

use crate::model::{State, read, texts};

/// Catalog rows of users' objects that lead nowhere. Each query counts what must not be.
const ORPHANS: &[(&str, &str)] = &[
    (
        "attributes without a relation",
        "SELECT attrelid FROM pg_attribute a WHERE attrelid >= 16384 \
         AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = a.attrelid)",
    ),
    (
        "relations with missing attributes",
        "SELECT oid FROM pg_class c WHERE oid >= 16384 AND relkind IN ('r', 'i') AND relnatts <> \
         (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid AND attnum > 0)",
    ),
    (
        "indexes without relations",
        "SELECT indexrelid FROM pg_index x WHERE indexrelid >= 16384 AND NOT EXISTS \
         (SELECT FROM pg_class c, pg_class i WHERE c.oid = x.indrelid AND i.oid = x.indexrelid)",
    ),
    (
        "index relations without pg_index",
        "SELECT oid FROM pg_class c WHERE oid >= 16384 AND relkind = 'i' \
         AND NOT EXISTS (SELECT FROM pg_index x WHERE x.indexrelid = c.oid)",
    ),
    (
        "constraints without a table",
        "SELECT oid FROM pg_constraint k WHERE oid >= 16384 AND conrelid <> 0 \
         AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = k.conrelid)",
    ),
    (
        "defaults without a column",
        "SELECT oid FROM pg_attrdef d WHERE NOT EXISTS \
         (SELECT FROM pg_attribute a WHERE a.attrelid = d.adrelid AND a.attnum = d.adnum AND a.atthasdef)",
    ),
    (
        "row types without a table",
        "SELECT oid FROM pg_type t WHERE oid >= 16384 AND typrelid <> 0 \
         AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid)",
    ),
    (
        "sequences without a relation",
        "SELECT seqrelid FROM pg_sequence s WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = s.seqrelid)",
    ),
    (
        "dependencies of relations that are not there",
        "SELECT objid FROM pg_depend d WHERE classid = 1259 AND objid >= 16384 \
         AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = d.objid)",
    ),
    (
        "dependencies on relations that are not there",
        "SELECT refobjid FROM pg_depend d WHERE refclassid = 1259 AND refobjid >= 16384 \
         AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = d.refobjid)",
    ),
];

/// What must hold in any state; returns the state.
pub fn everything(session: &mut Session, seed: u64) -> Result<State> {
    let state = read(session)?;
    indexes(session, &state, seed)?;
    money(&state, seed);
    // These read catalogs that are large in a new database too, which takes a debug build a while: only now and then.
    for (sql, known) in BUILT_IN {
        let found: i64 = session.query_one(*sql, params![])?.get(0)?;
        assert_eq!(found, *known, "seed {seed}: {sql}");
    }
    if seed % 16 == 0 {
        catalogs(session, seed)?;
    }
    Ok(state)
}

/// What the program brings into small catalogs, and every database has.
const BUILT_IN: &[(&str, i64)] = &[
    ("SELECT count(*) FROM pg_namespace WHERE oid < 16384", 4),
    ("SELECT count(*) FROM pg_database WHERE oid < 16384", 3),
    ("SELECT count(*) FROM pg_authid WHERE oid < 16384", 17),
];

fn catalogs(session: &mut Session, seed: u64) -> Result<()> {
    for (what, sql) in ORPHANS {
        let found = texts(session, sql)?;
        assert!(found.is_empty(), "seed {seed}: {what}: {found:?}");
    }
    Ok(())
}

/// Accounts are what the log says.
fn money(state: &State, seed: u64) {
    let (Some(accounts), Some(log)) = (state.get("accounts"), state.get("log")) else {
        return;
    };
    let int = |v: &Option<String>| v.as_deref().unwrap().parse::<i64>().unwrap();
    for (id, row) in &accounts.rows {
        let opening = if row[1].as_deref().unwrap().starts_with("owner") {
            1000
        } else {
            0
        };
        let own = log.rows.values().filter(|row| int(&row[1]) == *id);
        let sum: i64 = own.map(|row| int(&row[2])).sum();
        assert_eq!(
            int(&row[2]),
            opening + sum,
            "seed {seed}: half a transaction at account {id}"
        );
    }
}

/// Reads every table through every index, in the index's order, with rows and without.
fn indexes(session: &mut Session, state: &State, seed: u64) -> Result<()> {
    session.batch_execute("SET enable_seqscan = off; SET enable_sort = off; SET enable_bitmapscan = off")?;
    let sql = "SELECT c.relname, i.relname, pg_get_indexdef(i.oid) FROM pg_index x \
        JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid WHERE x.indrelid >= 16384 AND c.relnamespace = 2200";
    for row in texts(session, sql)? {
        let [table, index, definition] = [0, 1, 2].map(|i: usize| row[i].clone().unwrap_or_default());
        let keys = definition
            .rsplit_once('(')
            .map_or("", |(_, keys)| keys.trim_end_matches(')'));
        let plain = keys
            .replace(" DESC", "")
            .replace(" NULLS FIRST", "")
            .replace(" NULLS LAST", "");
        let rows = &state[&table].rows;
        // Index and table.
        let query = format!("SELECT * FROM {table} ORDER BY {keys}");
        if seed % 4 == 0 {
            let plan = texts(session, &format!("EXPLAIN (COSTS OFF) {query}"))?;
            let used = plan[0][0].clone().unwrap_or_default();
            assert!(
                used.starts_with("Index "),
                "seed {seed}: {query} does not use {index}: {used}"
            );
        }
        let found = texts(session, &query)?;
        assert_eq!(found.len(), rows.len(), "seed {seed}: rows of {table} by {index}");
        for row in &found {
            let id: i64 = row[0].as_deref().unwrap().parse().unwrap();
            assert_eq!(
                rows.get(&id),
                Some(row),
                "seed {seed}: row {id} of {table} by {index}"
            );
        }
        // The index alone.
        let found = texts(session, &format!("SELECT {plain} FROM {table} ORDER BY {keys}"))?;
        let columns = &state[&table].columns;
        let at: Vec<usize> = plain
            .split(", ")
            .map(|k| columns.iter().position(|c| c == k).unwrap())
            .collect();
        let mut known: Vec<Vec<_>> = rows
            .values()
            .map(|row| at.iter().map(|&i| row[i].clone()).collect())
            .collect();
        let mut found = found;
        known.sort();
        found.sort();
        assert_eq!(
            found, known,
            "seed {seed}: keys of {index} are not those of {table}"
        );
    }
    session.batch_execute("RESET enable_seqscan; RESET enable_sort; RESET enable_bitmapscan")
}

/// The database takes new work.
pub fn goes_on(session: &mut Session, seed: u64) {
    let run = |session: &mut Session| -> Result<i64> {
        session.batch_execute(
            "CREATE TABLE goes_on (id int PRIMARY KEY); INSERT INTO goes_on VALUES (1), (2)",
        )?;
        let n = session
            .query_one("SELECT count(*) FROM goes_on", params![])?
            .get(0)?;
        session.batch_execute("DROP TABLE goes_on")?;
        Ok(n)
    };
    match run(session) {
        Ok(n) => assert_eq!(n, 2, "seed {seed}"),
        Err(e) => panic!("seed {seed}: the database does not go on: {e}"),
    }
}
