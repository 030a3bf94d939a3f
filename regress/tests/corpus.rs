//! PostgreSQL's regression files never get worse than `ratchet.tsv`.
//!
//! By default the files of `quick.txt` run; `PGLITE_REGRESS=all` runs all.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use pglite_regress::corpus::{Corpus, workspace};
use pglite_regress::report;
use pglite_regress::run::{Options, run_all};

#[test]
fn nothing_gets_worse() {
    let root = match Corpus::find() {
        Ok(root) => root,
        Err(reason) => {
            eprintln!("skipped: {reason}");
            return;
        }
    };
    let corpus = Corpus::load(&root).expect("corpus");
    let quick = std::fs::read_to_string(workspace().join("regress/quick.txt")).expect("quick.txt");
    let all = std::env::var("PGLITE_REGRESS").is_ok_and(|v| v == "all");
    let wanted = |name: &String| all || quick.split_whitespace().any(|q| q == name);
    let names: Vec<String> = corpus.schedule.iter().filter(|n| wanted(n)).cloned().collect();
    let options = Options {
        program: PathBuf::from(env!("CARGO_BIN_EXE_pglite-regress")),
        out: Path::new(env!("CARGO_TARGET_TMPDIR")).join("corpus"),
        // Unoptimized builds on a busy machine need longer.
        timeout: Duration::from_secs(180),
    };
    let scores = run_all(&corpus, &names, &options);
    println!("{}", report::terminal(&scores));
    let worse = report::regressions(&report::read_ratchet(&report::ratchet_path()), &scores);
    assert!(worse.is_empty(), "worse than the ratchet:\n{}", worse.join("\n"));
}
