//! The text and binary input function of every type.

use pglite::{Database, Session, params};

use crate::corpus::Choices;
use crate::watch::Watch;
use crate::{budget, inputs};

/// Pieces of the texts of values.
const PIECES: &[&str] = &[
    "1",
    "0",
    "9",
    "-",
    "+",
    ".",
    "e",
    "E",
    "/",
    ":",
    ",",
    " ",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'",
    "\\",
    "null",
    "NULL",
    "true",
    "t",
    "on",
    "NaN",
    "inf",
    "infinity",
    "-infinity",
    "epoch",
    "now",
    "today",
    "allballs",
    "2024-02-29",
    "12:34:56",
    "24:00:00",
    "4713-11-24 BC",
    "294276-12-31",
    "J2451187",
    "+15:59",
    "UTC",
    "America/New_York",
    "EST5EDT",
    "BC",
    "AD",
    "P1Y",
    "T1S",
    "PT",
    "-1",
    "years",
    "mons",
    "ago",
    "@",
    "1e1000",
    "99999999999999999999",
    "0x1F",
    "0b1",
    "0o7",
    "1_000",
    "\\x",
    "00000000-0000-0000-0000-000000000000",
    "empty",
    "..",
    "$.a[*]",
    "?(@ > 1)",
    "a & b",
    "'a':1A",
    "127.0.0.1/33",
    "::1",
    "ff:ff:ff:ff:ff:ff",
    "pg_class",
    "int4",
    "+(int4,int4)",
    "\u{e4}",
    "\u{10ffff}",
    "{\"a\": [1, 2.5e-3, null]}",
    "0/0",
    "1:2:3",
    "((1,2),(3,4))",
    "<(1,2),3>",
    "{1,2,3}",
    "[0:1]={1,2}",
    "\u{0}",
    "%",
    "~",
    "!",
    "|",
    "&",
    "<->",
    "strict",
    "lax",
    "exists",
];

/// Every type that values can have, by OID.
fn types(session: &mut Session) -> Vec<u32> {
    let sql = "SELECT oid FROM pg_type WHERE typtype IN ('b', 'r', 'm', 'p', 'd') ORDER BY oid";
    session.query_map(sql, params![], |row| row.get(0)).unwrap()
}

/// A value that comes in must go out, and in again as the same.
fn round_trip(session: &mut Session, type_oid: u32, bytes: &[u8], binary: bool) {
    match session.decode_parameter(1, type_oid, Some(bytes), binary) {
        Ok(value) => {
            let text = out(session, type_oid, value.clone());
            // Some types cannot be written, or not read again (pseudo-types); that must be said properly too.
            let Ok(Some(text)) = text else { return };
            match session.decode_parameter(1, type_oid, Some(text.as_bytes()), false) {
                Ok(again) => {
                    let second = out(session, type_oid, again).unwrap();
                    assert_eq!(
                        second.as_ref(),
                        Some(&text),
                        "type {type_oid} changes its own text"
                    );
                }
                Err(e) => assert!(
                    ["0A000", "42883", "42704"].contains(&e.code()) || binary,
                    "type {type_oid} does not take its own text {text:?}: {e:?}"
                ),
            }
        }
        Err(e) => assert!(!crate::is_bug(&e), "type {type_oid}: {e:?}"),
    }
}

/// Output in text form; binary output is made too.
fn out(
    session: &mut Session,
    type_oid: u32,
    value: pglite::protocol::Datum,
) -> Result<Option<String>, pglite::Error> {
    let settings = session.format_settings();
    let cx = types::io::IoContext::new(&settings);
    let oid = common::Oid(type_oid);
    let said_properly = |e: Box<common::PgError>| {
        assert_ne!(e.sqlstate.as_str(), "XX000", "type {type_oid}: {e}");
        pglite::Error::from(e)
    };
    let mut bytes = Vec::new();
    let _ = types::io::send(oid, &value, &cx, &mut bytes).map_err(said_properly);
    let mut text = String::new();
    types::io::output(oid, &value, &cx, &mut text).map_err(said_properly)?;
    Ok(Some(text))
}

#[test]
fn type_inputs_text() {
    let watch = Watch::new("type_inputs_text");
    let db = Database::memory().unwrap();
    let mut session = db.session().unwrap();
    let oids = types(&mut session);
    let session = std::sync::Mutex::new(session);
    bolero::check!()
        .with_test_time(budget())
        .with_iterations(inputs())
        .with_max_len(100)
        .for_each(|bytes: &[u8]| {
            let mut choices = Choices::new(bytes);
            let oid = oids[choices.below(oids.len())];
            let mut text = String::new();
            if choices.byte() % 4 == 0 {
                text = String::from_utf8_lossy(choices.rest()).into_owned();
            } else {
                for _ in 0..choices.byte() % 12 {
                    text.push_str(PIECES[choices.byte() as usize % PIECES.len()]);
                }
            }
            let mut session = session.lock().unwrap_or_else(|e| e.into_inner());
            watch.run(&format!("type {oid}: {text:?}"), || {
                round_trip(&mut session, oid, text.as_bytes(), false);
            });
            session.sync().unwrap();
        });
}

#[test]
fn type_inputs_binary() {
    let watch = Watch::new("type_inputs_binary");
    let db = Database::memory().unwrap();
    let mut session = db.session().unwrap();
    let oids = types(&mut session);
    let session = std::sync::Mutex::new(session);
    bolero::check!()
        .with_test_time(budget())
        .with_iterations(inputs())
        .with_max_len(120)
        .for_each(|bytes: &[u8]| {
            let mut choices = Choices::new(bytes);
            let oid = oids[choices.below(oids.len())];
            let mut body = Vec::new();
            if choices.byte() % 3 == 0 {
                body.extend_from_slice(choices.rest());
            } else {
                // Words and small numbers, as counts, lengths, OIDs and dimensions are.
                for _ in 0..choices.byte() % 12 {
                    let number = [0, 1, 2, 4, 8, -1, 23, 25, i32::MAX, i32::MIN, 0x0001_0000, 65535];
                    let number = number[choices.byte() as usize % number.len()];
                    if choices.byte() % 3 == 0 {
                        body.extend_from_slice(&(number as i16).to_be_bytes());
                    } else {
                        body.extend_from_slice(&number.to_be_bytes());
                    }
                }
                body.extend_from_slice(choices.rest());
            }
            let mut session = session.lock().unwrap_or_else(|e| e.into_inner());
            watch.run(&format!("type {oid}: {body:?}"), || {
                round_trip(&mut session, oid, &body, true);
            });
            session.sync().unwrap();
        });
}
