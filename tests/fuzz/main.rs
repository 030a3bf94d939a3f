//! Fuzz targets: statement text, values of every type, whole statements. Nothing may panic, hang, or say XX000.
//!
//! In `cargo test` each target runs on random inputs for `PGLITE_FUZZ_SECONDS` (default 3); a failure prints the input and
//! `BOLERO_RANDOM_SEED`, which repeats it. `cargo bolero test -p pglite --engine libfuzzer TARGET` lets coverage lead the way
//! (needs `cargo install cargo-bolero`). Inputs that found something lie in `__fuzz__/TARGET/crashes`; they run every time.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod corpus;
mod parse;
mod statements;
mod values;
mod watch;

use std::time::Duration;

/// The time for one target.
fn budget() -> Duration {
    let seconds = std::env::var("PGLITE_FUZZ_SECONDS")
        .ok()
        .and_then(|s| s.parse().ok());
    Duration::from_secs_f64(seconds.unwrap_or(3.0))
}

/// XX000 and XX001 are bugs of ours, but for the few that PostgreSQL says itself.
fn is_bug(e: &pglite::Error) -> bool {
    let own = [
        "unsupported jsonb version number",
        "unsupported jsonpath version number",
        "invalid size of tsvector",
        "invalid size of tsquery",
        "invalid memory alloc request size",
        "invalid tsvector: ",
        "unexpected number of tsvector positions",
        "position information is misordered",
        "invalid tsquery: ",
        "malformed tsquery: ",
        "unrecognized tsquery ",
        "invalid pointer to right operand",
        "missing support function ",
    ];
    ["XX000", "XX001"].contains(&e.code()) && !own.iter().any(|text| e.message().starts_with(text))
}

/// The number of inputs for one target: `PGLITE_FUZZ_INPUTS`, otherwise the time alone is the bound.
fn inputs() -> usize {
    let inputs = std::env::var("PGLITE_FUZZ_INPUTS").ok();
    inputs.and_then(|s| s.parse().ok()).unwrap_or(1 << 40)
}
