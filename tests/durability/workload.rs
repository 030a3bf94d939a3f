//! A seeded workload: transactions with savepoints, sequences and DDL, on the database and on a model beside it.

use pglite::env::sim::SimRandom;
use pglite::{Result, Session, params};

use crate::model::{Model, State, Table};

/// Accounts at the beginning.
const ACCOUNTS: i64 = 12;
/// More tables than this are not made.
const TABLES_MAX: usize = 4;

const SCHEMA: &str = "\
    CREATE TABLE accounts (id int PRIMARY KEY, owner text NOT NULL, balance int NOT NULL, note text);
    CREATE INDEX accounts_balance ON accounts (balance DESC NULLS FIRST);
    CREATE UNIQUE INDEX accounts_owner ON accounts (owner, id);
    CREATE TABLE log (id bigserial PRIMARY KEY, account int NOT NULL, amount int NOT NULL);
    CREATE INDEX log_account ON log (account, id DESC)";

/// A transaction in the making.
struct Draft<'a> {
    session: &'a mut Session,
    random: &'a mut SimRandom,
    state: State,
    /// Numbers handed out by the sequence.
    number: i64,
    objects: &'a mut u64,
    known: i64,
}

fn text(value: impl ToString) -> Option<String> {
    Some(value.to_string())
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|s| (*s).to_owned()).collect()
}

/// Makes the tables in one transaction and fills them in another.
pub fn set_up(session: &mut Session, model: &mut Model) -> Result<()> {
    if model.now().is_empty() {
        let mut state = State::new();
        let table = |columns: &[&str], indexes: &[&str]| Table {
            columns: names(columns),
            indexes: names(indexes).into_iter().collect(),
            ..Table::default()
        };
        let accounts = ["accounts_pkey", "accounts_balance", "accounts_owner"];
        state.insert(
            "accounts".into(),
            table(&["id", "owner", "balance", "note"], &accounts),
        );
        let log = ["log_pkey", "log_account"];
        state.insert("log".into(), table(&["id", "account", "amount"], &log));
        model.states.push(state);
        session.batch_execute(SCHEMA)?;
        acknowledge(model);
    }
    if model.now()["accounts"].rows.is_empty() {
        let mut state = model.now().clone();
        let rows = &mut state.get_mut("accounts").unwrap().rows;
        for id in 1..=ACCOUNTS {
            rows.insert(id, vec![text(id), text(format!("owner {id}")), text(1000), None]);
        }
        model.states.push(state);
        session.execute(
            "INSERT INTO accounts SELECT g, 'owner ' || g, 1000, NULL FROM generate_series(1, $1) g",
            params![ACCOUNTS as i32],
        )?;
        acknowledge(model);
    }
    Ok(())
}

fn acknowledge(model: &mut Model) {
    model.acknowledged = model.states.len() - 1;
}

/// One random transaction; its state is pushed before it commits. `Ok` means acknowledged.
pub fn transaction(session: &mut Session, random: &mut SimRandom, model: &mut Model) -> Result<()> {
    let asynchronous = random.one_in(5);
    let single = random.one_in(4);
    let mut draft = Draft {
        state: model.now().clone(),
        session,
        random,
        number: model.last_number,
        objects: &mut model.objects,
        known: model.last_number,
    };
    if single {
        // The state must be known before the statement runs: it commits by itself.
        return autocommit(session, random, model);
    }
    draft.session.batch_execute("BEGIN")?;
    if asynchronous {
        draft
            .session
            .batch_execute("SET LOCAL synchronous_commit = off")?;
    }
    draft.changes()?;
    let (state, number) = (draft.state, draft.number);
    if random.one_in(8) {
        return session.batch_execute("ROLLBACK");
    }
    let unchanged = state == *model.now();
    model.states.push(state);
    session.batch_execute("COMMIT")?;
    if !asynchronous && !unchanged {
        acknowledge(model);
        model.last_number = number;
    }
    Ok(())
}

/// A statement without a block that changes several rows.
fn autocommit(session: &mut Session, random: &mut SimRandom, model: &mut Model) -> Result<()> {
    let mut state = model.now().clone();
    let rows = &mut state.get_mut("accounts").unwrap().rows;
    let sql = if random.one_in(3) {
        for row in rows.values_mut() {
            row[3] = Some(format!("{}!", row[3].as_deref().unwrap_or("")));
        }
        "UPDATE accounts SET note = coalesce(note, '') || '!'"
    } else {
        let kept = |row: &[Option<String>]| row[3].as_deref().is_none_or(|note| note.len() < 6);
        for row in rows.values_mut() {
            if !kept(row) {
                row[3] = None;
            }
        }
        "UPDATE accounts SET note = NULL WHERE length(note) >= 6"
    };
    let unchanged = state == *model.now();
    model.states.push(state);
    session.execute(sql, params![])?;
    if !unchanged {
        acknowledge(model);
    }
    Ok(())
}

impl Draft<'_> {
    fn changes(&mut self) -> Result<()> {
        let mut saved: Option<State> = None;
        for _ in 0..1 + self.random.below(5) {
            match self.random.below(15) {
                0 => {
                    self.run("SAVEPOINT s")?;
                    saved = Some(self.state.clone());
                }
                1 => {
                    if let Some(state) = &saved {
                        self.state = state.clone();
                        self.run("ROLLBACK TO s")?;
                    }
                }
                2 => self.fail_inside()?,
                3 => self.open_account()?,
                4 => self.close_account()?,
                5 => self.create_table()?,
                6 => self.change_table()?,
                7 => self.fill_table()?,
                8 => self.change_schemas()?,
                _ => self.transfer()?,
            }
        }
        Ok(())
    }

    fn run(&mut self, sql: &str) -> Result<()> {
        let done = self.session.batch_execute(sql);
        if let Err(e) = &done
            && !["58030", "53100"].contains(&e.code())
        {
            println!("{sql}: {e:?}");
        }
        done
    }

    fn any_account(&mut self) -> i64 {
        let rows = &self.state["accounts"].rows;
        let at = self.random.index(rows.len());
        *rows.keys().nth(at).unwrap()
    }

    /// A statement that fails half-way leaves nothing, and the savepoint before it holds.
    fn fail_inside(&mut self) -> Result<()> {
        self.run("SAVEPOINT f")?;
        let e = self
            .session
            .batch_execute("UPDATE accounts SET balance = balance / (id - (SELECT max(id) FROM accounts))");
        match e {
            Err(e) if e.code() == "22012" => self.run("ROLLBACK TO f"),
            Err(e) => Err(e),
            Ok(()) => panic!("a division by zero went well"),
        }
    }

    fn transfer(&mut self) -> Result<()> {
        let (from, to) = (self.any_account(), self.any_account());
        let amount = self.random.below(300) as i32;
        for (id, amount) in [(from, -amount), (to, amount)] {
            self.session.execute(
                "UPDATE accounts SET balance = balance + $1 WHERE id = $2",
                params![amount, id as i32],
            )?;
            let row = self.state.get_mut("accounts").unwrap().rows.get_mut(&id).unwrap();
            let balance: i32 = row[2].as_deref().unwrap().parse().unwrap();
            row[2] = text(balance + amount);
            let row = self.session.query_one(
                "INSERT INTO log (account, amount) VALUES ($1, $2) RETURNING id",
                params![id as i32, amount],
            )?;
            let number: i64 = row.get(0)?;
            assert!(
                number > self.known,
                "number {number} of the sequence twice (acknowledged: {})",
                self.known
            );
            self.number = self.number.max(number);
            let log = self.state.get_mut("log").unwrap();
            log.rows
                .insert(number, vec![text(number), text(id), text(amount)]);
        }
        Ok(())
    }

    fn open_account(&mut self) -> Result<()> {
        let rows = &mut self.state.get_mut("accounts").unwrap().rows;
        let id = rows.last_key_value().map_or(1, |(id, _)| id + 1);
        // Sometimes larger than the part of a log record that may stay in memory.
        let length_max = if self.random.one_in(6) { 4000 } else { 40 };
        let note = "n".repeat(self.random.below(length_max) as usize);
        rows.insert(
            id,
            vec![text(id), text(format!("new {id}")), text(0), text(&note)],
        );
        let owner = format!("new {id}");
        let sql = "INSERT INTO accounts VALUES ($1, $2, 0, $3)";
        self.session.execute(sql, params![id as i32, owner, note])?;
        Ok(())
    }

    fn close_account(&mut self) -> Result<()> {
        if self.state["accounts"].rows.len() < 5 {
            return Ok(());
        }
        let id = self.any_account();
        self.state.get_mut("accounts").unwrap().rows.remove(&id);
        self.session
            .execute("DELETE FROM accounts WHERE id = $1", params![id as i32])?;
        let log = self.state.get_mut("log").unwrap();
        let gone = text(id);
        log.rows.retain(|_, row| row[1] != gone);
        self.session
            .execute("DELETE FROM log WHERE account = $1", params![id as i32])?;
        Ok(())
    }

    fn create_table(&mut self) -> Result<()> {
        if self.state.keys().filter(|n| n.starts_with('t')).count() >= TABLES_MAX {
            return Ok(());
        }
        *self.objects += 1;
        let name = format!("t{}", self.objects);
        self.run(&format!(
            "CREATE TABLE {name} (id int PRIMARY KEY, v text DEFAULT 'v', CHECK (id > 0))"
        ))?;
        let table = Table {
            columns: names(&["id", "v"]),
            indexes: [format!("{name}_pkey")].into(),
            ..Table::default()
        };
        self.state.insert(name.clone(), table);
        self.fill(&name)
    }

    /// Rows beside those that the program brings, in small catalogs; and a temporary table, which no crash leaves.
    fn change_schemas(&mut self) -> Result<()> {
        let schemas: Vec<&String> = self.state.keys().filter(|n| n.starts_with("schema ")).collect();
        match schemas.first() {
            Some(name) if self.random.one_in(2) => {
                let name = (*name).clone();
                self.state.remove(&name);
                self.run(&format!("DROP {name}"))
            }
            _ => {
                *self.objects += 1;
                let name = format!("schema s{}", self.objects);
                self.state.insert(name.clone(), Table::default());
                let kept = *self.objects;
                self.run(&format!(
                    "CREATE {name}; CREATE TEMP TABLE temp{kept} (a int PRIMARY KEY) ON COMMIT DROP; INSERT INTO temp{kept} VALUES (1)"
                ))
            }
        }
    }

    fn any_table(&mut self) -> Option<String> {
        let others: Vec<&String> = self.state.keys().filter(|n| n.starts_with('t')).collect();
        (!others.is_empty()).then(|| others[self.random.index(others.len())].clone())
    }

    fn fill_table(&mut self) -> Result<()> {
        match self.any_table() {
            Some(name) => self.fill(&name),
            None => Ok(()),
        }
    }

    fn fill(&mut self, name: &str) -> Result<()> {
        let n = 1 + self.random.below(60) as i64;
        let table = self.state.get_mut(name).unwrap();
        let first = table.rows.last_key_value().map_or(1, |(id, _)| id + 1);
        for id in first..first + n {
            let mut row = vec![text(id), text(id % 7)];
            row.resize(table.columns.len(), None);
            if let Some(c) = row.get_mut(2) {
                *c = text(5);
            }
            table.rows.insert(id, row);
        }
        let last = first + n - 1;
        if self.random.one_in(2) {
            self.run(&format!(
                "INSERT INTO {name} (id, v) SELECT g, g % 7 FROM generate_series({first}, {last}) g"
            ))
        } else {
            let mut copy = self.session.copy_in(&format!("COPY {name} (id, v) FROM STDIN"))?;
            for id in first..=last {
                copy.write(format!("{id}\t{}\n", id % 7).as_bytes())?;
            }
            copy.finish().map(drop)
        }
    }

    /// DDL on one of the other tables.
    fn change_table(&mut self) -> Result<()> {
        let Some(name) = self.any_table() else {
            return Ok(());
        };
        match self.random.below(7) {
            0 => {
                self.state.remove(&name);
                self.run(&format!("DROP TABLE {name}"))
            }
            1 => {
                self.state.get_mut(&name).unwrap().rows.clear();
                self.run(&format!("TRUNCATE {name}"))
            }
            2 | 3 => self.create_index(&name),
            4 => self.add_column(&name),
            5 => {
                *self.objects += 1;
                let to = format!("t{}", self.objects);
                let table = self.state.remove(&name).unwrap();
                self.state.insert(to.clone(), table);
                self.run(&format!("ALTER TABLE {name} RENAME TO {to}"))
            }
            _ => self.drop_index(&name),
        }
    }

    fn create_index(&mut self, name: &str) -> Result<()> {
        *self.objects += 1;
        let index = format!("i{}", self.objects);
        let table = self.state.get_mut(name).unwrap();
        table.indexes.insert(index.clone());
        let columns = ["(v)", "(v DESC, id)", "(id DESC)"][self.random.index(3)];
        self.run(&format!("CREATE INDEX {index} ON {name} {columns}"))
    }

    fn drop_index(&mut self, name: &str) -> Result<()> {
        let table = self.state.get_mut(name).unwrap();
        let Some(index) = table.indexes.iter().find(|i| i.starts_with('i')).cloned() else {
            return Ok(());
        };
        table.indexes.remove(&index);
        self.run(&format!("DROP INDEX {index}"))
    }

    fn add_column(&mut self, name: &str) -> Result<()> {
        let table = self.state.get_mut(name).unwrap();
        if table.columns.len() > 2 {
            return Ok(());
        }
        table.columns.push("c".into());
        table.rows.values_mut().for_each(|row| row.push(text(5)));
        self.run(&format!("ALTER TABLE {name} ADD COLUMN c int NOT NULL DEFAULT 5"))
    }
}

/// Transactions with maintenance between them.
pub fn work(session: &mut Session, random: &mut SimRandom, model: &mut Model, count: u64) -> Result<()> {
    for _ in 0..count {
        transaction(session, random, model)?;
        match random.below(12) {
            0 | 1 => session.batch_execute("CHECKPOINT")?,
            2 => session.batch_execute("VACUUM")?,
            3 => session.batch_execute("VACUUM accounts")?,
            _ => {}
        }
    }
    Ok(())
}
