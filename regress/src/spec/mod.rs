//! Isolation specs: named steps of concurrent sessions, run in given orders, here and on a real PostgreSQL.
//!
//! # How it works
//! `parse` reads a file, `run` starts steps one after another, each on its session's thread, and after each start waits until every
//! session has answered or *waits for a lock*. That is not guessed from time: a further session asks `pg_blocking_pids`, and the
//! answer counts when it is the same twice with nothing finished in between. Who is part of a circle is about to be told of a
//! deadlock, so it does not count as settled. The outcome is one text, whichever `target` ran it: `engine` (a database in memory) or `wire`
//! (a server, for recording).

pub mod engine;
pub mod parse;
mod run;
pub mod target;
pub mod wire;

use std::path::Path;

use engine::Engine;
use parse::Spec;
use target::Target;
use wire::Server;

/// Runs a spec file on the engine; its text.
pub fn run_on_engine(text: &str) -> Result<String, String> {
    run::run(&Spec::parse(text)?, &mut Engine::default())
}

/// Runs a spec file on a PostgreSQL at `address` (host:port, user postgres, trust); its text.
pub fn run_on_server(text: &str, address: &str, database: &str) -> Result<String, String> {
    let mut server = Server::new(address, database);
    server.create()?;
    let outcome = run::run(&Spec::parse(text)?, &mut server);
    server.drop_database()?;
    outcome
}

/// Runs each file on a server and writes what comes out to `expected/` beside it.
pub fn record(files: &[&Path], address: &str) -> Result<(), String> {
    for file in files {
        let text = std::fs::read_to_string(file).map_err(|e| format!("{file:?}: {e}"))?;
        let out = run_on_server(&text, address, "pglite_spec").map_err(|e| format!("{file:?}: {e}"))?;
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let to = file.with_file_name("expected").join(format!("{stem}.out"));
        std::fs::write(&to, out).map_err(|e| format!("{to:?}: {e}"))?;
        println!("{}", to.display());
    }
    Ok(())
}

/// One reset that all targets understand.
pub(crate) fn reset<T: Target + ?Sized>(target: &mut T, setup: &str) -> Result<(), String> {
    target.reset()?;
    let mut connection = target.connect()?;
    for statement in ["SET client_min_messages = warning", setup] {
        if let Some(error) = connection.run(statement).error {
            return Err(format!("setup: {}", error.message));
        }
    }
    Ok(())
}
