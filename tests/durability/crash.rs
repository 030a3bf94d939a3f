//! Power cuts under a workload: what was acknowledged is there, what was not is there whole or not at all.

use pglite::env::sim::{CrashMode, SimEnv, SimRandom};
use pglite::{Error, Session};

use crate::model::Model;
use crate::{check, open, seeds, workload};

/// The only thing that a statement may say when the machine dies under it.
pub fn must_be_io(error: &Error, seed: u64) {
    assert_eq!(error.code(), "58030", "seed {seed}: {error}");
}

/// Opens, compares with the model, and returns a session.
fn recover(env: &SimEnv, model: &mut Model, seed: u64) -> pglite::Result<Session> {
    let db = open(env)?;
    let mut session = db.session()?;
    let found = check::everything(&mut session, seed)?;
    model.settle(&found, seed);
    Ok(session)
}

/// Some lives of a database, each ended at a random operation of its disk: while it opens, recovers, works, checkpoints.
/// Returns how many there were.
fn power_cuts(seed: u64) -> u64 {
    const LIVES: u64 = 4;
    let mut random = SimRandom::new(seed);
    let mut env = SimEnv::new(seed);
    let mut model = Model::new();
    for life in 0..LIVES {
        env.crash_at_operation(1 + random.below(if life == 0 { 60 } else { 90 }));
        let outcome = recover(&env, &mut model, seed).and_then(|mut session| {
            workload::set_up(&mut session, &mut model)?;
            workload::work(&mut session, &mut random, &mut model, 25)?;
            Ok(session)
        });
        // Taken while the database is still open: closing it writes.
        let after = env.crash();
        if let Err(error) = outcome {
            assert!(env.has_crashed(), "seed {seed}: {error}");
            must_be_io(&error, seed);
        }
        env = after;
    }
    let mut session = recover(&env, &mut model, seed).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    check::goes_on(&mut session, seed);
    LIVES
}

#[test]
fn what_was_acknowledged_survives_power_cuts() {
    seeds("power cuts", power_cuts);
}

/// One recorded workload, cut at each operation in turn, with nothing, all and some of the unsynced writes kept.
fn every_operation(seed: u64, step: u64) -> u64 {
    let run = |env: &SimEnv| {
        let mut random = SimRandom::new(seed);
        let mut model = Model::new();
        let outcome = open(env).and_then(|db| db.session()).and_then(|mut session| {
            workload::set_up(&mut session, &mut model)?;
            workload::work(&mut session, &mut random, &mut model, 12)
        });
        if let Err(error) = outcome {
            assert!(env.has_crashed(), "seed {seed}: {error}");
            must_be_io(&error, seed);
        }
        model
    };
    let env = SimEnv::new(seed);
    run(&env);
    let operations = env.operation_count();
    let mut crashes = 0;
    for n in (1..operations).step_by(step as usize) {
        let env = SimEnv::new(seed);
        env.crash_at_operation(n);
        let model = run(&env);
        for mode in [
            CrashMode::LoseUnsynced,
            CrashMode::KeepUnsynced,
            CrashMode::Random,
        ] {
            let mut model = Model {
                states: model.states.clone(),
                ..model
            };
            recover(&env.crash_with(mode), &mut model, seed)
                .unwrap_or_else(|e| panic!("seed {seed}, operation {n}, {mode:?}: {e}"));
            crashes += 1;
        }
    }
    crashes
}

#[test]
fn a_recorded_workload_may_be_cut_at_each_operation() {
    // A few operations of each seed, which ones depends on it: whole seeds would take long at the beginning.
    seeds("recorded workloads", |seed| every_operation(seed, 37));
}

/// Catalog rows of users share chunks with those of the program, which no log and no store holds: recovery must keep both.
#[test]
fn rows_of_the_program_survive_recovery() {
    let statements = [
        "CREATE SCHEMA s",
        "CREATE SCHEMA gone; DROP SCHEMA gone",
        "CREATE TEMP TABLE x (a int)",
        "CREATE ROLE r",
        "ALTER ROLE postgres SET work_mem = '8MB'",
        "CREATE TABLE t (a int PRIMARY KEY, b text DEFAULT 'x')",
        "CREATE VIEW v AS SELECT 1 AS one",
        "CREATE SEQUENCE q",
        "CREATE DOMAIN d AS int",
        "COMMENT ON TABLE pg_class IS 'x'",
        "GRANT SELECT ON pg_class TO PUBLIC",
    ];
    let catalogs = "SELECT oid, relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 11 ORDER BY oid";
    let counts = |session: &mut Session| {
        let names = crate::model::texts(session, catalogs).unwrap();
        let names: Vec<String> = names.iter().map(|row| row[1].clone().unwrap()).collect();
        let mut counts = Vec::new();
        for name in names {
            let found = crate::model::texts(session, &format!("SELECT count(*) FROM {name}")).unwrap();
            counts.push((name, found[0][0].clone()));
        }
        counts
    };
    let env = SimEnv::new(1);
    let db = open(&env).unwrap();
    let mut session = db.session().unwrap();
    for sql in statements {
        if let Err(e) = session.batch_execute(sql) {
            assert_eq!(e.code(), "0A000", "{sql}: {e}");
        }
    }
    let before = counts(&mut session);
    assert!(before.len() > 50);
    let db = open(&env.crash_with(CrashMode::LoseUnsynced)).unwrap();
    assert_eq!(counts(&mut db.session().unwrap()), before);
}
