//! The protocol byte by byte: start-up, encryption requests, version negotiation, cancel requests, malformed messages.
//! What is expected was seen at PostgreSQL 18.4.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod raw;

use std::time::{Duration, Instant};

use pglite::Database;
use pglite_server::{ServerHandle, serve};
use raw::{Raw, message, query, startup, startup_with};

const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
const GSSENC_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 48];

fn server() -> ServerHandle {
    serve(&Database::memory().unwrap(), "127.0.0.1:0").unwrap()
}

/// Sends a first packet; the error that ends the connection, or nothing where it just ends.
fn refused(server: &ServerHandle, packet: &[u8]) -> (String, String) {
    let mut raw = Raw::connect(server);
    raw.send(packet);
    let messages = raw.until_end();
    let error = messages
        .iter()
        .find(|m| m.kind == b'E')
        .expect("an ErrorResponse");
    assert_eq!(error.field(b'S').as_deref(), Some("FATAL"));
    (error.field(b'C').unwrap(), error.field(b'M').unwrap())
}

#[test]
fn encryption_is_declined_and_the_start_goes_on() {
    let server = server();
    for requests in [
        &[SSL_REQUEST][..],
        &[GSSENC_REQUEST],
        &[SSL_REQUEST, GSSENC_REQUEST],
        &[GSSENC_REQUEST, SSL_REQUEST],
    ] {
        let mut raw = Raw::connect(&server);
        for request in requests {
            raw.send(request);
            assert_eq!(raw.byte(), b'N');
        }
        raw.send(&startup(0));
        assert_eq!(raw.until_ready().first().unwrap().kind, b'R');
    }
    // Asked twice, the code is but a version.
    let mut raw = Raw::connect(&server);
    raw.send(&SSL_REQUEST);
    assert_eq!(raw.byte(), b'N');
    raw.send(&SSL_REQUEST);
    let error = &raw.until_end()[0];
    let text = "unsupported frontend protocol 1234.5679: server supports 3.0 to 3.2";
    assert_eq!(error.field(b'M').as_deref(), Some(text));
}

#[test]
fn data_before_the_answer_to_an_encryption_request_is_refused() {
    let server = server();
    let packet = [&SSL_REQUEST[..], &startup(0)].concat();
    let mut raw = Raw::connect(&server);
    raw.send(&packet);
    let error = raw.until_end().into_iter().find(|m| m.kind == b'E').unwrap();
    assert_eq!(error.field(b'C').as_deref(), Some("08P01"));
    let text = "received unencrypted data after SSL request";
    assert_eq!(error.field(b'M').as_deref(), Some(text));
    assert!(error.field(b'D').unwrap().contains("man-in-the-middle"));
}

#[test]
fn newer_versions_are_negotiated() {
    let server = server();
    for (minor, more, negotiated) in [
        (0, &b""[..], None),
        (1, b"", None),
        (2, b"", None),
        (9, b"", Some(&b"\0\x03\0\x02\0\0\0\0"[..])),
        (0, b"_pq_.x\0y\0", Some(b"\0\x03\0\0\0\0\0\x01_pq_.x\0")),
        (9, b"_pq_.x\0y\0", Some(b"\0\x03\0\x02\0\0\0\x01_pq_.x\0")),
    ] {
        let mut raw = Raw::connect(&server);
        let body = [b"user\0postgres\0", more, b"\0"].concat();
        raw.send(&startup_with(3, minor, &body));
        let messages = raw.until_ready();
        let found = messages
            .iter()
            .find(|m| m.kind == b'v')
            .map(|m| m.body.as_slice());
        assert_eq!(found, negotiated, "3.{minor}");
        raw.send(&query("SELECT 1"));
        assert!(raw.until_ready().iter().any(|m| m.kind == b'D'));
    }
}

#[test]
fn bad_startup_packets_end_their_connection() {
    let server = server();
    let unsupported = |version: &str| {
        let text = format!("unsupported frontend protocol {version}: server supports 3.0 to 3.2");
        ("0A000".to_owned(), text)
    };
    let expected = |code: &str, text: &str| (code.to_owned(), text.to_owned());
    let packet = |major, body| startup_with(major, 0, body);
    assert_eq!(
        refused(&server, &packet(2, b"user\0postgres\0\0")),
        unsupported("2.0")
    );
    assert_eq!(
        refused(&server, &packet(4, b"user\0postgres\0\0")),
        unsupported("4.0")
    );
    let layout = expected(
        "08P01",
        "invalid startup packet layout: expected terminator as last byte",
    );
    for body in [
        &b"user\0postgres\0"[..],
        b"user\0postgres",
        b"user\0postgres\0\0junk\0",
    ] {
        assert_eq!(refused(&server, &packet(3, body)), layout, "{body:?}");
    }
    let nobody = expected("28000", "no PostgreSQL user name specified in startup packet");
    assert_eq!(refused(&server, &packet(3, b"\0")), nobody);
    assert_eq!(refused(&server, &packet(3, b"user\0\0\0")), nobody);
    // PostgreSQL says these to its log only.
    let length = expected("08P01", "invalid length of startup packet");
    for len in [0_u32, 4, 7, 10_005, u32::MAX] {
        let bytes = [&len.to_be_bytes()[..], &[b'a'; 40]].concat();
        assert_eq!(refused(&server, &bytes), length, "{len}");
    }
    assert_eq!(refused(&server, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), length);
    let settings = b"user\0postgres\0database\0postgres\0options\0-c nosuch=1\0\0";
    let unknown = expected("42704", "unrecognized configuration parameter \"nosuch\"");
    assert_eq!(refused(&server, &packet(3, settings)), unknown);
    // None of them hurt anybody else.
    let mut raw = Raw::connect(&server);
    raw.send(&startup(0));
    raw.until_ready();
}

#[test]
fn malformed_messages_are_errors_of_their_statement() {
    let server = server();
    let mut raw = Raw::connect(&server);
    raw.send(&startup(0));
    raw.until_ready();
    let sync = message(b'S', b"");
    for (kind, body, code, text) in [
        (b'B', &b"abcd"[..], "08P01", "invalid string in message"),
        (b'B', b"\0\0\0", "08P01", "insufficient data left in message"),
        (b'P', b"ab", "08P01", "invalid string in message"),
        (
            b'P',
            b"\0SELECT 1\0\0\x05",
            "08P01",
            "insufficient data left in message",
        ),
        (b'D', b"X\0", "08P01", "invalid DESCRIBE message subtype 88"),
        (b'C', b"X\0", "08P01", "invalid CLOSE message subtype 88"),
        (b'Q', b"abcd", "08P01", "invalid string in message"),
        (b'Q', b"SELECT 1\0\0", "08P01", "invalid message format"),
        (
            b'Q',
            b"SELECT '\xff'\0",
            "22021",
            "invalid byte sequence for encoding \"UTF8\": 0xff",
        ),
        (b'S', b"abcd", "08P01", "invalid message format"),
    ] {
        raw.send(&message(kind, body));
        if !matches!(kind, b'Q' | b'S') {
            raw.send(&sync);
        }
        let messages = raw.until_ready();
        let error = messages.iter().find(|m| m.kind == b'E').unwrap();
        let found = (error.field(b'C').unwrap(), error.field(b'M').unwrap());
        assert_eq!(found, (code.to_owned(), text.to_owned()), "{}", kind as char);
        assert_eq!(error.field(b'S').as_deref(), Some("ERROR"));
        raw.send(&query("SELECT 1"));
        assert!(raw.until_ready().iter().any(|m| m.kind == b'D'));
    }
}

/// A FunctionCall: arguments (in binary), and the value asked for in binary or text.
fn call(function: u32, arguments: &[Option<&[u8]>], binary: bool) -> Vec<u8> {
    let mut body = function.to_be_bytes().to_vec();
    body.extend_from_slice(b"\0\x01\0\x01");
    body.extend_from_slice(&(arguments.len() as u16).to_be_bytes());
    for argument in arguments {
        let len = argument.map_or(-1, |a| a.len() as i32);
        body.extend_from_slice(&len.to_be_bytes());
        body.extend_from_slice(argument.unwrap_or_default());
    }
    body.extend_from_slice(&u16::from(binary).to_be_bytes());
    message(b'F', &body)
}

/// What libpq's large-object functions send, and what goes wrong (recorded from PostgreSQL).
#[test]
fn functions_are_called_by_their_oids() {
    let server = server();
    let mut raw = Raw::connect(&server);
    raw.send(&startup(0));
    raw.until_ready();
    let int = |v: i32| v.to_be_bytes();
    let mut ask = |bytes: Vec<u8>| {
        raw.send(&bytes);
        let messages = raw.until_ready();
        match messages.iter().find(|m| matches!(m.kind, b'V' | b'E')) {
            Some(m) if m.kind == b'V' => Ok(m.body.clone()),
            Some(m) => Err((m.field(b'C').unwrap(), m.field(b'M').unwrap())),
            None => Ok(Vec::new()),
        }
    };
    let value = |bytes: &[u8]| Ok([&int(bytes.len() as i32)[..], bytes].concat());
    let error = |code: &str, text: &str| Err((code.to_owned(), text.to_owned()));
    assert_eq!(
        ask(call(177, &[Some(&int(2)), Some(&int(3))], true)),
        value(&int(5))
    );
    assert_eq!(
        ask(call(177, &[Some(&int(2)), Some(&int(3))], false)),
        value(b"5")
    );
    assert_eq!(ask(call(177, &[Some(&int(2)), None], true)), Ok(int(-1).to_vec()));
    let overflow = error("22003", "integer out of range");
    assert_eq!(
        ask(call(177, &[Some(&int(i32::MAX)), Some(&int(1))], true)),
        overflow
    );
    let count = "function call message contains 1 arguments but function requires 2";
    assert_eq!(ask(call(177, &[Some(&int(2))], true)), error("08P01", count));
    assert_eq!(
        ask(call(5, &[], true)),
        error("42883", "function with OID 5 does not exist")
    );
    let set = "cannot call function \"generate_series\" via fastpath interface";
    assert_eq!(ask(call(1067, &[], true)), error("0A000", set));

    // lo_create, lo_open, lowrite, lo_lseek, loread, lo_close, lo_unlink.
    assert!(ask(query("BEGIN")).is_ok());
    assert_eq!(ask(call(715, &[Some(&int(4711))], true)), value(&int(4711)));
    let modes = [Some(&int(4711)[..]), Some(&int(0x6_0000)[..])];
    assert_eq!(ask(call(952, &modes, true)), value(&int(0)));
    assert_eq!(
        ask(call(955, &[Some(&int(0)), Some(b"hello")], true)),
        value(&int(5))
    );
    let start = [Some(&int(0)[..]), Some(&int(1)[..]), Some(&int(0)[..])];
    assert_eq!(ask(call(956, &start, true)), value(&int(1)));
    assert_eq!(
        ask(call(954, &[Some(&int(0)), Some(&int(100))], true)),
        value(b"ello")
    );
    assert_eq!(ask(call(953, &[Some(&int(0))], true)), value(&int(0)));
    let closed = error("42704", "invalid large-object descriptor: 0");
    assert_eq!(ask(call(953, &[Some(&int(0))], true)), closed);
    let aborted = "current transaction is aborted, commands ignored until end of transaction block";
    assert_eq!(ask(call(5, &[], true)), error("25P02", aborted));
    assert!(ask(query("ROLLBACK")).is_ok());
}

/// Data and its end in one packet: the end comes when the error has been told, and must not keep the answer back.
#[test]
fn a_failed_copy_is_answered_at_once() {
    let server = server();
    let mut raw = Raw::connect(&server);
    raw.send(&startup(0));
    raw.until_ready();
    raw.send(&query("BEGIN; CREATE TABLE t (a int)"));
    raw.until_ready();
    raw.send(&query("COPY t FROM STDIN"));
    assert_eq!(raw.message().unwrap().kind, b'G');
    raw.send(&[message(b'd', b"x\n"), message(b'c', b"")].concat());
    let messages = raw.until_ready();
    assert_eq!(messages[0].field(b'C').as_deref(), Some("22P02"));
    assert_eq!(messages[1].body, b"E");
}

/// To the protocol a CopyData from the server is a row.
#[test]
fn copied_rows_are_messages() {
    let server = server();
    let mut raw = Raw::connect(&server);
    raw.send(&startup(0));
    raw.until_ready();
    raw.send(&query(
        "COPY (SELECT g, E'a\\nb' FROM generate_series(1, 3) g) TO STDOUT (FORMAT csv, HEADER)",
    ));
    let messages = raw.until_ready();
    let rows: Vec<&[u8]> = messages
        .iter()
        .filter(|m| m.kind == b'd')
        .map(|m| m.body.as_slice())
        .collect();
    let expected: [&[u8]; 4] = [b"g,?column?\n", b"1,\"a\nb\"\n", b"2,\"a\nb\"\n", b"3,\"a\nb\"\n"];
    assert_eq!(rows, expected);
}

#[test]
fn impossible_lengths_and_types_end_the_connection() {
    let server = server();
    for bytes in [
        &b"Q\0\0\0\x03"[..],
        b"Q\x7f\xff\xff\xff",
        b"Q\xff\xff\xff\xff",
        b"S\0\0\x4e\x20",
        b"z\0\0\0\x04",
        b"p\0\0\0\x08abc\0",
        b"\0\0\0\0\x04",
    ] {
        let mut raw = Raw::connect(&server);
        raw.send(&startup(0));
        raw.until_ready();
        raw.send(bytes);
        let messages = raw.until_end();
        assert_eq!(messages[0].field(b'C').as_deref(), Some("08P01"), "{bytes:?}");
    }
}

#[test]
fn a_length_alone_costs_no_memory() {
    let server = server();
    let resident = || -> u64 {
        let text = std::fs::read_to_string("/proc/self/statm").unwrap();
        text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
    };
    let before = resident();
    let mut waiting = Vec::new();
    for _ in 0..20 {
        let mut raw = Raw::connect(&server);
        raw.send(&startup(0));
        raw.until_ready();
        // A gigabyte to come, and then nothing.
        raw.send(b"Q\x3f\xff\xff\x00SELECT");
        waiting.push(raw);
    }
    std::thread::sleep(Duration::from_millis(200));
    let grown = resident().saturating_sub(before);
    assert!(grown < 200 << 20, "{grown} bytes for 20 promises");
}

#[test]
fn only_the_right_key_cancels() {
    let server = server();
    for minor in [0, 2] {
        let mut raw = Raw::connect(&server);
        raw.send(&startup(minor));
        let messages = raw.until_ready();
        let key = &messages.iter().find(|m| m.kind == b'K').unwrap().body;
        let cancel = |key: &[u8]| {
            let len = (8 + key.len()) as u32;
            let packet = [&len.to_be_bytes()[..], &80_877_102_u32.to_be_bytes(), key].concat();
            let mut other = Raw::connect(&server);
            other.send(&packet);
            // Nothing is answered, whether the key was right or not.
            assert!(other.until_end().is_empty());
        };
        let mut wrong_secret = key.clone();
        *wrong_secret.last_mut().unwrap() ^= 1;
        let mut wrong_process = key.clone();
        wrong_process[0] ^= 0x20;
        let begin = Instant::now();
        raw.send(&query("SELECT pg_sleep(0.5)"));
        std::thread::sleep(Duration::from_millis(100));
        for wrong in [
            &wrong_secret[..],
            &wrong_process,
            &key[..4],
            &key[..key.len() - 1],
            b"",
        ] {
            cancel(wrong);
        }
        assert!(
            raw.until_ready().iter().any(|m| m.kind == b'D'),
            "a wrong key cancelled"
        );
        assert!(begin.elapsed() >= Duration::from_millis(500));
        raw.send(&query("SELECT pg_sleep(60)"));
        std::thread::sleep(Duration::from_millis(200));
        cancel(key);
        let messages = raw.until_ready();
        let error = messages.iter().find(|m| m.kind == b'E').unwrap();
        assert_eq!(error.field(b'C').as_deref(), Some("57014"));
    }
}

/// Fields of the first DataRow, as bytes.
fn first_row(messages: &[raw::Message]) -> Vec<Vec<u8>> {
    let row = messages.iter().find(|m| m.kind == b'D').expect("a DataRow");
    let mut rest = &row.body[2..];
    let mut values = Vec::new();
    while let Some((len, tail)) = rest.split_at_checked(4) {
        let len = u32::from_be_bytes(len.try_into().unwrap()) as usize;
        values.push(tail[..len].to_vec());
        rest = &tail[len..];
    }
    values
}

#[test]
fn texts_come_and_go_in_the_encoding_of_the_client() {
    let server = server();
    let mut raw = Raw::connect(&server);
    raw.send(&startup_with(
        3,
        0,
        b"user\0postgres\0client_encoding\0latin1\0\0",
    ));
    let greeting = raw.until_ready();
    let status = greeting.iter().filter(|m| m.kind == b'S');
    assert!(status.clone().any(|m| m.body == b"client_encoding\0LATIN1\0"));
    raw.send(&message(
        b'Q',
        b"SELECT '\xe9' AS \"\xfc\", convert_to('\xe9', 'UTF8'), 'x'\0",
    ));
    let answer = raw.until_ready();
    assert!(answer[0].body[2..].starts_with(b"\xfc\0"));
    assert_eq!(first_row(&answer), [&b"\xe9"[..], b"\\xc3a9", b"x"]);
    // What the encoding does not have is an error, in a value; in a message it is a question mark.
    raw.send(&query("SELECT U&'\\3042'"));
    let error = raw.until_ready();
    let error = error.iter().find(|m| m.kind == b'E').unwrap();
    assert_eq!(error.field(b'C').unwrap(), "22P05");
    let text = "character with byte sequence 0xe3 0x81 0x82 in encoding \"UTF8\" has no equivalent in encoding \"LATIN1\"";
    assert_eq!(error.field(b'M').unwrap(), text);
    // COPY, in the client's encoding and in another one.
    raw.send(&query("COPY (SELECT U&'\\00e9') TO STDOUT"));
    let data = raw.until_ready();
    assert_eq!(data.iter().find(|m| m.kind == b'd').unwrap().body, b"\xe9\n");
    raw.send(&query("COPY (SELECT U&'\\00e9') TO STDOUT (ENCODING 'utf8')"));
    let data = raw.until_ready();
    assert_eq!(data.iter().find(|m| m.kind == b'd').unwrap().body, b"\xc3\xa9\n");
    // SET counts for what follows; the second byte of a character may look like a backslash.
    raw.send(&query("SET client_encoding = sjis; CREATE TABLE t (x text)"));
    raw.until_ready();
    raw.send(&query("COPY t FROM STDIN"));
    while raw.message().unwrap().kind != b'G' {}
    raw.send(&message(b'd', b"\x95"));
    raw.send(&message(b'd', b"\x5c\n\x82\xa0"));
    raw.send(&message(b'c', b""));
    raw.until_ready();
    raw.send(&query(
        "SELECT string_agg(x, '' ORDER BY x), string_agg(convert_to(x, 'UTF8'), '' ORDER BY x) FROM t",
    ));
    assert_eq!(
        first_row(&raw.until_ready()),
        [&b"\x82\xa0\x95\x5c"[..], b"\\xe38182e8a1a8"]
    );
    // Parameters and results, as text and binary.
    for binary in [0_u8, 1] {
        raw.send(&message(b'P', b"\0SELECT $1::text\0\0\0"));
        raw.send(&message(
            b'B',
            &[
                &b"\0\0\0\x01\0"[..],
                &[binary],
                b"\0\x01\0\0\0\x02\x95\x5c\0\x01\0",
                &[binary],
            ]
            .concat(),
        ));
        raw.send(&message(b'E', b"\0\0\0\0\0"));
        raw.send(&message(b'S', b""));
        assert_eq!(first_row(&raw.until_ready()), [b"\x95\x5c"]);
    }
    raw.send(&message(b'Q', b"SELECT '\x80'\0"));
    let error = raw.until_ready();
    let error = error.iter().find(|m| m.kind == b'E').unwrap();
    assert_eq!(error.field(b'C').unwrap(), "22021");
    assert_eq!(
        error.field(b'M').unwrap(),
        "invalid byte sequence for encoding \"SJIS\": 0x80 0x27"
    );
    raw.send(&query("SET client_encoding = mule_internal"));
    let error = raw.until_ready();
    let error = error.iter().find(|m| m.kind == b'E').unwrap();
    assert_eq!(
        error.field(b'M').unwrap(),
        "invalid value for parameter \"client_encoding\": \"mule_internal\""
    );
    assert_eq!(
        error.field(b'D').unwrap(),
        "Conversion between MULE_INTERNAL and UTF8 is not supported."
    );
}
