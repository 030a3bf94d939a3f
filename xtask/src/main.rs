//! Chores of the repository: `cargo xtask ci`, `loom`, `tidy`, `codegen`, `deps`.

mod ci;
mod codegen;
mod deps;
mod metadata;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask COMMAND
  ci                       everything a change must pass
  loom                     models of concurrency, under every order of events
  tidy                     house rules
  tidy --update            house rules; sizes that shrank become the new limits
  tidy --accept            writes the sizes as they stand, growth included
  codegen [--check]        tables of catalog facts
  deps                     licences and sources of dependencies";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Result<(), String> {
    match words {
        ["ci"] => ci::run(&tidy::root()?),
        ["loom"] => ci::loom(&tidy::root()?),
        ["tidy"] => tidy::run(tidy::Mode::Check),
        ["tidy", "--update"] => tidy::run(tidy::Mode::Tighten),
        ["tidy", "--accept"] => tidy::run(tidy::Mode::Accept),
        ["codegen"] => codegen::run(codegen::Mode::Write),
        ["codegen", "--check"] => codegen::run(codegen::Mode::Check),
        ["deps"] => deps::run(&tidy::root()?),
        _ => Err(USAGE.to_owned()),
    }
}
