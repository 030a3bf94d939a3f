//! Fuzz targets of the wire: random bytes and changed messages never panic or hang the server, and hurt no other connection.
//!
//! `PGLITE_FUZZ_SECONDS` sets the time for each (default 3), `PGLITE_FUZZ_INPUTS` the number of inputs; a failure prints `BOLERO_RANDOM_SEED`, which repeats it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod raw;

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pglite::Database;
use pglite_server::{ServerHandle, serve};
use raw::{Raw, message, query, startup};

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Counts panics of the server's threads; those of the tests themselves fail anyway.
fn watch_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        before(info);
    }));
}

fn inputs() -> usize {
    let inputs = std::env::var("PGLITE_FUZZ_INPUTS").ok();
    inputs.and_then(|s| s.parse().ok()).unwrap_or(1 << 40)
}

fn budget() -> Duration {
    let seconds = std::env::var("PGLITE_FUZZ_SECONDS")
        .ok()
        .and_then(|s| s.parse().ok());
    Duration::from_secs_f64(seconds.unwrap_or(3.0))
}

/// Sends bytes, reads all that comes, and sees that the server is well.
fn exchange(server: &ServerHandle, bytes: &[u8]) {
    let before = PANICS.load(Ordering::Relaxed);
    let mut raw = Raw::connect(server);
    raw.send(bytes);
    raw.finish();
    // Reading to the end has a limit in time.
    for message in raw.until_end_of_anything() {
        if message.kind == b'E' {
            let code = message.field(b'C').unwrap_or_default();
            let text = message.field(b'M').unwrap_or_default();
            // PostgreSQL's own answer to a parameter type that is not there.
            let known = text.starts_with("cache lookup failed for type ");
            assert!(code != "XX000" || known, "{text}");
        }
    }
    assert_eq!(PANICS.load(Ordering::Relaxed), before, "the server panicked");
}

fn others_are_well(server: &ServerHandle) {
    let mut raw = Raw::connect(server);
    raw.send(&startup(0));
    raw.until_ready();
    raw.send(&query("SELECT 1"));
    assert!(raw.until_ready().iter().any(|m| m.kind == b'D'));
}

#[test]
fn wire_startup_bytes() {
    watch_panics();
    let server = AssertUnwindSafe(serve(&Database::memory().unwrap(), "127.0.0.1:0").unwrap());
    bolero::check!()
        .with_test_time(budget())
        .with_iterations(inputs())
        .with_max_len(200)
        .for_each(|bytes: &[u8]| {
            // Half of them with a length that fits.
            if bytes.first().is_some_and(|b| b % 2 == 0) {
                let len = (bytes.len() as u32 + 4).to_be_bytes();
                exchange(&server, &[&len[..], bytes].concat());
                let version = &bytes[1..];
                let len = (version.len() as u32 + 8).to_be_bytes();
                exchange(&server, &[&len[..], &[0, 3, 0, bytes[0] % 8], version].concat());
            } else {
                exchange(&server, bytes);
            }
        });
    others_are_well(&server);
}

/// Messages that make sense, to be put into any order and to be damaged.
fn messages() -> Vec<Vec<u8>> {
    let bind = |count: u16, value: &[u8]| {
        let mut body = b"\0\0\0\x01\0\x01".to_vec();
        body.extend_from_slice(&count.to_be_bytes());
        body.extend_from_slice(&(value.len() as u32).to_be_bytes());
        body.extend_from_slice(value);
        body.extend_from_slice(b"\0\x01\0\x01");
        message(b'B', &body)
    };
    vec![
        query("SELECT 1; SELECT 'x' || g FROM generate_series(1, 3) g"),
        query("BEGIN; CREATE TABLE t (a int); COPY t FROM STDIN"),
        query("COPY (SELECT 1) TO STDOUT"),
        query("ROLLBACK"),
        query(""),
        message(b'P', b"\0SELECT $1::int + 1\0\0\x01\0\0\0\x17"),
        message(b'P', b"s\0SELECT $1::text\0\0\0"),
        message(b'P', b"\0COPY t FROM STDIN\0\0\0"),
        message(b'P', b"\0INSERT INTO nowhere VALUES ($1)\0\0\0"),
        bind(1, &[0, 0, 0, 7]),
        bind(1, b"abc"),
        bind(0, b""),
        message(b'B', b"p\0s\0\0\0\0\x01\xff\xff\xff\xff\0\0"),
        message(b'D', b"P\0"),
        message(b'D', b"Ss\0"),
        message(b'E', b"\0\0\0\0\x01"),
        message(b'E', b"p\0\0\0\0\0"),
        message(b'C', b"Ss\0"),
        message(b'C', b"Pp\0"),
        message(b'H', b""),
        message(b'S', b""),
        message(b'd', b"1\n2\n"),
        message(b'c', b""),
        message(b'f', b"no\0"),
        message(b'F', b"\0\0\x06\x3e\0\0\0\0\0\0"),
        message(b'X', b""),
        message(b'p', b"password\0"),
    ]
}

#[test]
fn wire_messages() {
    watch_panics();
    let server = AssertUnwindSafe(serve(&Database::memory().unwrap(), "127.0.0.1:0").unwrap());
    let messages = messages();
    bolero::check!()
        .with_test_time(budget())
        .with_iterations(inputs())
        .with_max_len(120)
        .for_each(|bytes: &[u8]| {
            let mut sent = startup(bytes.len() as u16 % 3);
            for step in bytes.chunks(3) {
                let mut next = messages[step[0] as usize % messages.len()].clone();
                if let [_, how, at] = *step {
                    let at = 1 + at as usize % (next.len() - 1);
                    match how % 16 {
                        0 => next[at] ^= how | 1,
                        1 => next.truncate(at),
                        2 if next.len() > 5 => {
                            // Longer or shorter than its contents need, but framed rightly.
                            next.truncate(5 + at % (next.len() - 5));
                            let len = (next.len() as u32 - 1).to_be_bytes();
                            next[1..5].copy_from_slice(&len);
                        }
                        3 if next.len() > 5 => {
                            let at = 5 + at % (next.len() - 5);
                            next[at] = how;
                        }
                        4 => next[0] = step[2],
                        _ => {}
                    }
                }
                sent.extend_from_slice(&next);
            }
            exchange(&server, &sent);
        });
    others_are_well(&server);
}
