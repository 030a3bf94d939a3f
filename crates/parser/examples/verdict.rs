//! Prints the parser's verdict on statements: reads them from standard input separated by NUL bytes and writes one line
//! each, `ok` or SQLSTATE, byte position and message separated by tabs (newlines in messages as `\n`).
#![allow(clippy::unwrap_used, reason = "a tool for developers")]

use std::io::{Read, Write};

fn main() {
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input).unwrap();
    // With an argument: as under `standard_conforming_strings = off`.
    let options = pglite_parser::ParseOptions {
        standard_conforming_strings: std::env::args().len() < 2,
        ..Default::default()
    };
    let mut out = std::io::BufWriter::new(std::io::stdout());
    for sql in input.split('\0') {
        match pglite_parser::parse(sql, &options) {
            Ok(_) => writeln!(out, "ok").unwrap(),
            Err(e) => {
                let position = e.position.map_or(-1, i64::from);
                writeln!(
                    out,
                    "{}\t{position}\t{}",
                    e.sqlstate,
                    e.message.replace('\n', "\\n")
                )
                .unwrap();
            }
        }
    }
}
