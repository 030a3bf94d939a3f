//! Whole statements through a session.

use std::sync::Mutex;
use std::time::Duration;

use pglite::{Database, Session};

use crate::corpus::{Choices, changed, files};
use crate::watch::Watch;
use crate::{budget, inputs};

/// A database of its own for so many statements: what they leave behind must not add up.
const STATEMENTS_PER_DATABASE: usize = 400;

const SCHEMA: &str = "\
    CREATE TABLE int4_tbl (f1 int4); INSERT INTO int4_tbl VALUES (0), (123456), (-123456), (2147483647), (-2147483647);
    CREATE TABLE int8_tbl (q1 int8, q2 int8); INSERT INTO int8_tbl VALUES (123, 456), (123, 4567890123456789), (4567890123456789, 123);
    CREATE TABLE text_tbl (f1 text); INSERT INTO text_tbl VALUES ('doh!'), ('hi de ho neighbor');
    CREATE TABLE float8_tbl (f1 float8); INSERT INTO float8_tbl VALUES (0), (-34.84), (-1004.30), (1.2345678901234e+200), (1.2345678901234e-200);
    CREATE TABLE onek (unique1 int4 PRIMARY KEY, unique2 int4, two int4, four int4, ten int4, twenty int4, hundred int4,
        thousand int4, twothousand int4, fivethous int4, tenthous int4, odd int4, even int4, stringu1 name, stringu2 name, string4 name);
    INSERT INTO onek SELECT g, 99 - g, g % 2, g % 4, g % 10, g % 20, g, g, g, g, g, g * 2, g * 2 + 1, 's' || g, 't' || g, 'AAAAxx'
        FROM generate_series(0, 99) g;
    CREATE INDEX onek_unique2 ON onek (unique2); CREATE INDEX onek_hundred ON onek (hundred, ten DESC);
    CREATE VIEW onek_view AS SELECT unique1, ten FROM onek WHERE four = 1;
    CREATE TABLE t (a int PRIMARY KEY, b text DEFAULT 'x', c numeric, d timestamptz, e int[]);
    INSERT INTO t SELECT g, 'b' || g, g / 3.0, '2024-01-01'::timestamptz + g * interval '1 day', ARRAY[g, g + 1]
        FROM generate_series(1, 20) g;
    CREATE SEQUENCE s";

/// A database, and where it is in a file of the corpus: statements follow each other, so that what they need is there.
struct Walk {
    session: Session,
    file: usize,
    next: usize,
    history: Vec<String>,
}

impl Walk {
    fn new(file: usize) -> Walk {
        let db = Database::builder().memory_limit(256 << 20).open().unwrap();
        let mut session = db.session().unwrap();
        session.batch_execute(SCHEMA).unwrap();
        session.batch_execute(SETTINGS).unwrap();
        Walk {
            session,
            file,
            next: 0,
            history: Vec::new(),
        }
    }

    /// What the engine calls its own bug, it may not do.
    fn run(&mut self, text: String) {
        self.history.push(text);
        let text = self.history.last().unwrap();
        if let Err(e) = self.session.batch_execute(text) {
            if crate::is_bug(&e) {
                let path = std::env::temp_dir().join("pglite-fuzz-history.sql");
                std::fs::write(&path, self.history.join(";\n\n")).unwrap();
                println!("FOUND {e:?}: {text}\nafter the statements in {}", path.display());
                assert!(!is_strict(), "{e:?}: {text}");
            }
        }
        // No statement may leave the session unusable, nor change what the next one does too much.
        for command in ["ROLLBACK", "RESET ALL", SETTINGS] {
            if let Err(e) = go_on(&mut self.session, command) {
                panic!("the session does not go on: {e:?}: {command} after {text}");
            }
        }
    }
}

/// Runs a command of the test's own. The statement before it may have set a timeout of a millisecond: PostgreSQL keeps to that, too.
fn go_on(session: &mut Session, command: &str) -> pglite::Result<()> {
    let mut tries = 0;
    loop {
        match session.batch_execute(command) {
            Err(e) if e.code() == "57014" && tries < 1000 => tries += 1,
            outcome => return outcome,
        }
    }
}

/// An internal error ends the test, unless `PGLITE_FUZZ_STRICT` is 0: then the statement is printed. Aborts, hangs and unusable sessions
/// always fail.
fn is_strict() -> bool {
    std::env::var_os("PGLITE_FUZZ_STRICT").is_none_or(|value| value != "0")
}

/// One by one in the simple protocol, so that the limit does not hit them.
const SETTINGS: &str = "SET statement_timeout = '500ms'";

#[test]
fn statements() {
    let watch = Watch::new("statements");
    let files = files();
    let state = Mutex::new(Walk::new(0));
    bolero::check!()
        .with_test_time(budget())
        .with_iterations(inputs())
        .with_max_len(200)
        .with_shrink_time(Duration::ZERO)
        .for_each(|bytes: &[u8]| {
            let mut walk = state.lock().unwrap_or_else(|e| e.into_inner());
            let mut choices = Choices::new(bytes);
            if walk.next >= files[walk.file].len() || walk.history.len() > STATEMENTS_PER_DATABASE {
                let file = choices.below(files.len());
                *walk = Walk::new(file);
                walk.next = choices.below(files[file].len().saturating_sub(STATEMENTS_PER_DATABASE));
                return;
            }
            let base = &files[walk.file][walk.next];
            let text = match choices.byte() % 3 {
                0 => base.clone(),
                1 => changed(base, &mut choices),
                // In between, so that the one which others need comes whole.
                _ => {
                    let text = changed(base, &mut choices);
                    watch.run(&text, || walk.run(text.clone()));
                    base.clone()
                }
            };
            walk.next += 1;
            watch.run(&text, || walk.run(text.clone()));
        });
}
