//! What a database holds, as the workload knows it and as SQL reads it.

use std::collections::{BTreeMap, BTreeSet};

use pglite::{Result, Session, params};

/// Rows by primary key; values as text.
pub type Rows = BTreeMap<i64, Vec<Option<String>>>;

/// A table: columns and indexes by name, rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    pub columns: Vec<String>,
    pub indexes: BTreeSet<String>,
    pub rows: Rows,
}

/// All tables by name; schemas too, as `schema NAME`, without columns and rows.
pub type State = BTreeMap<String, Table>;

/// What the workload knows: the state after each commit.
pub struct Model {
    pub states: Vec<State>,
    /// The state that a reopened database must have reached.
    pub acknowledged: usize,
    /// The last value of the sequence in an acknowledged transaction.
    pub last_number: i64,
    /// Numbers new objects.
    pub objects: u64,
}

impl Model {
    pub fn new() -> Model {
        Model {
            states: vec![State::new()],
            acknowledged: 0,
            last_number: 0,
            objects: 0,
        }
    }

    pub fn now(&self) -> &State {
        self.states.last().unwrap()
    }

    /// A recovered database must hold one of the states from the last acknowledged on; the model goes on from it.
    pub fn settle(&mut self, found: &State, seed: u64) {
        let at = (self.acknowledged..self.states.len())
            .rev()
            .find(|&k| self.states[k] == *found);
        let Some(at) = at else {
            let earlier = self.states.iter().position(|s| s == found);
            for name in found.keys().chain(self.now().keys()) {
                if found.get(name) != self.now().get(name) {
                    eprintln!("{name}: found {:?}", found.get(name));
                    eprintln!("{name}: known {:?}", self.now().get(name));
                }
            }
            panic!(
                "seed {seed}: the recovered state is none of {}..{}, but {earlier:?}",
                self.acknowledged,
                self.states.len()
            );
        };
        self.states.drain(..at);
        self.states.truncate(1);
        self.acknowledged = 0;
    }
}

pub type TextRow = Vec<Option<String>>;

/// The result of a query as text.
pub fn texts(session: &mut Session, sql: &str) -> Result<Vec<TextRow>> {
    let rows = session.query_map(sql, params![], |row| {
        (0..row.len()).map(|i| row.get_text(i)).collect()
    });
    if let Err(e) = &rows
        && !["58030", "53100"].contains(&e.code())
    {
        println!("{sql}: {e:?} {:?}", e.source_location());
    }
    rows
}

fn word(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or("")
}

/// Reads the whole state; every table must have its rows once.
pub fn read(session: &mut Session) -> Result<State> {
    let mut state = State::new();
    let tables = "SELECT relname FROM pg_class WHERE relnamespace = 2200 AND relkind = 'r'";
    for row in texts(session, tables)? {
        state.insert(word(&row[0]).to_owned(), Table::default());
    }
    for (name, table) in &mut state {
        let columns = format!(
            "SELECT attname FROM pg_attribute WHERE attrelid = '{name}'::regclass AND attnum > 0 AND NOT attisdropped \
             ORDER BY attnum"
        );
        let found = texts(session, &columns)?;
        table.columns = found.iter().map(|row| word(&row[0]).to_owned()).collect();
    }
    let indexes = "SELECT c.relname, i.relname FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid \
        JOIN pg_class i ON i.oid = x.indexrelid WHERE x.indrelid >= 16384 AND c.relnamespace = 2200";
    for row in texts(session, indexes)? {
        let table = state.get_mut(word(&row[0])).expect("an index's table");
        table.indexes.insert(word(&row[1]).to_owned());
    }
    for (name, table) in &mut state {
        let rows = texts(session, &format!("SELECT * FROM {name}"))?;
        let count = rows.len();
        for row in rows {
            let id = word(&row[0]).parse().expect("a key");
            table.rows.insert(id, row);
        }
        assert_eq!(table.rows.len(), count, "table {name} has a row twice");
    }
    for row in texts(
        session,
        "SELECT nspname FROM pg_namespace WHERE nspname LIKE 's%'",
    )? {
        state.insert(format!("schema {}", word(&row[0])), Table::default());
    }
    Ok(state)
}
