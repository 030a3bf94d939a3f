//! Prints the trees of statements read from standard input, separated by NUL bytes: one line of Rust's debug format each.
#![allow(clippy::unwrap_used, reason = "a tool for developers")]

use std::io::{Read, Write};

fn main() {
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input).unwrap();
    let options = pglite_parser::ParseOptions::default();
    let mut out = std::io::BufWriter::new(std::io::stdout());
    for sql in input.split('\0') {
        match pglite_parser::parse(sql, &options) {
            Ok(statements) => writeln!(out, "{statements:?}").unwrap(),
            Err(e) => writeln!(out, "error {}", e.message.replace('\n', " ")).unwrap(),
        }
    }
}
