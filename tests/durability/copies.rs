//! Forks and backups between transactions, other sessions' unfinished ones about, and power cuts in the middle of them: a copy that was
//! finished holds what was committed, one that was not is refused, and neither does anything to the original.

use std::path::PathBuf;

use pglite::env::sim::{SimEnv, SimRandom};
use pglite::{Database, Result};

use crate::crash::must_be_io;
use crate::model::{Model, State};
use crate::{check, open, open_at, seeds, workload};

/// A directory that was, or was being, written, and what was committed then.
struct Copy {
    dir: PathBuf,
    state: State,
    finished: bool,
}

/// Everything that one seed makes.
struct World {
    seed: u64,
    random: SimRandom,
    model: Model,
    copies: Vec<Copy>,
    /// Numbers directories.
    directories: u64,
}

/// The copy holds `state` and is a database to work with, for a while.
fn works(copy: &Database, state: &State, world: &mut World) -> Result<()> {
    let mut session = copy.session()?;
    let found = check::everything(&mut session, world.seed)?;
    assert_eq!(found, *state, "seed {}: a copy of something else", world.seed);
    // Objects and numbers of its own.
    let mut model = Model {
        states: vec![state.clone()],
        last_number: world.model.last_number,
        objects: world.model.objects + 100_000,
        ..Model::new()
    };
    workload::work(&mut session, &mut world.random, &mut model, 3)?;
    let found = check::everything(&mut session, world.seed)?;
    assert_eq!(found, *model.now(), "seed {}: a copy goes on", world.seed);
    Ok(())
}

fn copy(db: &Database, world: &mut World) -> Result<()> {
    let state = world.model.now().clone();
    let kind = world.random.below(3);
    if kind == 0 {
        let fork = db.fork()?;
        return works(&fork, &state, world);
    }
    world.directories += 1;
    let dir = PathBuf::from(format!("/copy{}", world.directories));
    world.copies.push(Copy {
        dir: dir.clone(),
        state: state.clone(),
        finished: false,
    });
    if kind == 1 {
        db.backup(&dir)?;
    } else {
        let fork = db.fork_to(&dir)?;
        // It goes on: nothing to compare with later.
        world.copies.pop();
        return works(&fork, &state, world);
    }
    if let Some(copy) = world.copies.last_mut() {
        copy.finished = true;
    }
    Ok(())
}

/// Opens, compares, works and copies.
fn live(env: &SimEnv, world: &mut World) -> Result<()> {
    let db = open(env)?;
    let mut session = db.session()?;
    let found = check::everything(&mut session, world.seed)?;
    world.model.settle(&found, world.seed);
    workload::set_up(&mut session, &mut world.model)?;
    let mut other = db.session()?;
    for _ in 0..4 {
        workload::work(&mut session, &mut world.random, &mut world.model, 4)?;
        other.batch_execute(
            "BEGIN; UPDATE accounts SET balance = 0, owner = 'nobody'; CREATE TABLE unfinished (id int PRIMARY KEY)",
        )?;
        copy(&db, world)?;
        other.batch_execute("ROLLBACK")?;
    }
    Ok(())
}

/// What the power cut left of the copies.
fn look(env: &SimEnv, world: &World) {
    for copy in world.copies.iter().rev().take(3) {
        let seed = world.seed;
        // Cut off before anything was there, it is a new directory like any other.
        let files = env.files();
        let mut files = files.iter().filter(|(path, _)| path.starts_with(&copy.dir));
        let begun = files.any(|(path, _)| !path.ends_with("pglite.lock"));
        if !copy.finished && !begun {
            continue;
        }
        let opened = open_at(env, &copy.dir).and_then(|db| check::everything(&mut db.session()?, seed));
        match opened {
            Ok(found) => assert_eq!(
                found, copy.state,
                "seed {seed}: {:?}, finished: {}",
                copy.dir, copy.finished
            ),
            Err(e) => assert!(!copy.finished, "seed {seed}: {:?}: {e}", copy.dir),
        }
    }
}

/// Some lives, each ended at a random operation of the disk, copies and their use included.
fn copies_among_power_cuts(seed: u64) -> u64 {
    const LIVES: u64 = 3;
    let mut world = World {
        seed,
        random: SimRandom::new(seed),
        model: Model::new(),
        copies: Vec::new(),
        directories: 0,
    };
    let mut env = SimEnv::new(seed);
    for _ in 0..LIVES {
        env.crash_at_operation(20 + world.random.below(400));
        let outcome = live(&env, &mut world);
        let after = env.crash();
        if let Err(error) = outcome {
            assert!(env.has_crashed(), "seed {seed}: {error}");
            must_be_io(&error, seed);
        }
        look(&after, &world);
        world.copies.clear();
        env = after;
    }
    LIVES
}

#[test]
fn copies_hold_what_was_committed_whatever_happens() {
    seeds("copies", copies_among_power_cuts);
}
