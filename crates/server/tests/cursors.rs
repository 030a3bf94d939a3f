//! Cursors as the protocol shows them: binary ones, and portals in `pg_cursors`. What is expected was seen at PostgreSQL 18.4.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod raw;

use pglite::Database;
use pglite_server::serve;
use raw::{Message, Raw, message, query, startup};

fn of_kind(messages: &[Message], kind: u8) -> Vec<&Message> {
    messages.iter().filter(|m| m.kind == kind).collect()
}

/// The format codes of a RowDescription: each column's entry ends with its own.
fn formats(messages: &[Message]) -> Vec<u8> {
    let described = of_kind(messages, b'T');
    let mut rest = &described.first().expect("a RowDescription").body[2..];
    let mut found = Vec::new();
    while !rest.is_empty() {
        let name = rest.iter().position(|b| *b == 0).unwrap();
        found.push(rest[name + 18]);
        rest = &rest[name + 19..];
    }
    found
}

/// The values of a DataRow.
fn values(row: &Message) -> Vec<Vec<u8>> {
    let mut rest = &row.body[2..];
    let mut found = Vec::new();
    while !rest.is_empty() {
        let len = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        found.push(rest[4..4 + len].to_vec());
        rest = &rest[4 + len..];
    }
    found
}

#[test]
fn binary_cursors_answer_in_binary_format() {
    let server = serve(&Database::memory().unwrap(), "127.0.0.1:0").unwrap();
    let mut raw = Raw::connect(&server);
    raw.send(&startup(0));
    raw.until_ready();
    let sql =
        "BEGIN; DECLARE b BINARY CURSOR FOR SELECT 258, 'x'::text, true; DECLARE t CURSOR FOR SELECT 258";
    raw.send(&query(sql));
    raw.until_ready();
    raw.send(&query("FETCH b"));
    let answer = raw.until_ready();
    assert_eq!(formats(&answer), [1, 1, 1]);
    let binary = [vec![0, 0, 1, 2], b"x".to_vec(), vec![1]];
    assert_eq!(values(of_kind(&answer, b'D')[0]), binary);
    raw.send(&query("FETCH t"));
    let answer = raw.until_ready();
    assert_eq!(formats(&answer), [0]);
    assert_eq!(values(of_kind(&answer, b'D')[0]), [b"258"]);
    // The extended protocol says itself what it wants.
    raw.send(&query("DECLARE again BINARY CURSOR FOR SELECT 258"));
    raw.until_ready();
    raw.send(&message(b'P', b"\0FETCH again\0\0\0"));
    raw.send(&message(b'B', b"\0\0\0\0\0\0\0\0"));
    raw.send(&message(b'D', b"P\0"));
    raw.send(&message(b'E', b"\0\0\0\0\0"));
    raw.send(&message(b'S', b""));
    let answer = raw.until_ready();
    assert_eq!(formats(&answer), [0]);
    assert_eq!(values(of_kind(&answer, b'D')[0]), [b"258"]);
}

#[test]
fn portals_are_cursors_too() {
    let server = serve(&Database::memory().unwrap(), "127.0.0.1:0").unwrap();
    let mut raw = Raw::connect(&server);
    raw.send(&startup(0));
    raw.until_ready();
    let sql = "SELECT name || '|' || statement || '|' || is_scrollable FROM pg_cursors ORDER BY name";
    raw.send(&query(sql));
    assert_eq!(of_kind(&raw.until_ready(), b'D').len(), 0);
    raw.send(&message(b'P', b"\0SELECT 1\0\0\0"));
    raw.send(&message(b'B', b"named\0\0\0\0\0\0\0\0"));
    raw.send(&message(b'P', &[b"\0", sql.as_bytes(), b"\0\0\0"].concat()));
    raw.send(&message(b'B', b"\0\0\0\0\0\0\0\0"));
    raw.send(&message(b'E', b"\0\0\0\0\0"));
    raw.send(&message(b'S', b""));
    let answer = raw.until_ready();
    let rows: Vec<_> = of_kind(&answer, b'D')
        .into_iter()
        .map(|row| values(row).concat())
        .collect();
    let own = format!("|{sql}|false");
    assert_eq!(rows, [own.as_bytes(), b"named|SELECT 1|false"]);
}
