//! Whole statements through a session.

use std::sync::Mutex;

use pglite::{Database, Session};

use crate::corpus::{Choices, mutant};
use crate::watch::Watch;
use crate::{INPUTS_MAX, budget};

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

fn open() -> (Database, Session, usize) {
    let db = Database::builder().memory_limit(256 << 20).open().unwrap();
    let mut session = db.session().unwrap();
    session.batch_execute(SCHEMA).unwrap();
    // One by one above, so that a bound on time does not hit them.
    session.batch_execute("SET statement_timeout = '500ms'").unwrap();
    (db, session, 0)
}

/// What the engine may call its own bug, it may not do.
fn run(session: &mut Session, text: &str) {
    // COPY FROM STDIN of an embedded session has no data; the statement must say so.
    if let Err(e) = session.batch_execute(text) {
        assert_ne!(e.code(), "XX000", "{e:?}");
        assert_ne!(e.code(), "XX001", "{e:?}");
    }
    // No statement may leave the session unusable.
    if let Err(e) = session.batch_execute("ROLLBACK") {
        panic!("ROLLBACK: {e:?}");
    }
}

#[test]
fn statements() {
    let watch = Watch::new("statements");
    let state = Mutex::new(open());
    bolero::check!()
        .with_test_time(budget())
        .with_iterations(INPUTS_MAX)
        .with_max_len(200)
        .for_each(|bytes: &[u8]| {
            let mut state = state.lock().unwrap_or_else(|e| e.into_inner());
            let mut choices = Choices::new(bytes);
            let text = mutant(&mut choices);
            state.2 += 1;
            if state.2 > STATEMENTS_PER_DATABASE {
                *state = open();
            }
            let (_, session, _) = &mut *state;
            watch.run(&text, || run(session, &text));
            // Settings of the statement must not change what the next does.
            if session
                .batch_execute("RESET ALL; SET statement_timeout = '500ms'")
                .is_err()
            {
                *state = open();
            }
        });
}
