//! Tests of the simulator itself.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

fn path(name: &str) -> PathBuf {
    PathBuf::from(name)
}

/// A machine with a durable, synced file `/f` of this content.
fn machine_with_file(seed: u64, content: &[u8]) -> (SimEnv, Arc<dyn File>) {
    let env = SimEnv::new(seed);
    let file = env.fs().open(&path("/f"), OpenMode::CreateNew).unwrap();
    env.fs().sync_dir(&path("/")).unwrap();
    file.write_all_at(content, 0).unwrap();
    file.sync_data().unwrap();
    (env, file)
}

fn content(env: &SimEnv, name: &str) -> Option<Vec<u8>> {
    env.files()
        .into_iter()
        .find(|(path, _)| path == Path::new(name))
        .map(|(_, content)| content)
}

#[test]
fn synced_content_survives_and_unsynced_may_not() {
    let (mut lost, mut kept, mut torn) = (0, 0, 0);
    for seed in 0..300 {
        let (env, file) = machine_with_file(seed, &[1; 2000]);
        file.write_all_at(&[2; 2000], 1000).unwrap();
        let after = content(&env.crash(), "/f").unwrap();
        assert_eq!(after[..1000], [1; 1000], "seed {seed}");
        let new = after[1000..].iter().filter(|b| **b == 2).count();
        match new {
            0 => lost += 1,
            2000 => kept += 1,
            _ => torn += 1,
        }
        assert!(after.len() >= 2000);
    }
    assert!(
        lost > 30 && kept > 30 && torn > 30,
        "lost {lost}, kept {kept}, torn {torn}"
    );
}

#[test]
fn a_later_write_may_survive_an_earlier_one() {
    let reordered = (0..300).filter(|seed| {
        let (env, file) = machine_with_file(*seed, &[0; 100]);
        file.write_all_at(&[1], 10).unwrap();
        file.write_all_at(&[2], 20).unwrap();
        let after = content(&env.crash(), "/f").unwrap();
        after[10] == 0 && after[20] == 2
    });
    assert!(reordered.count() > 10);
}

#[test]
fn the_extreme_crashes_lose_and_keep_everything() {
    let (env, file) = machine_with_file(1, b"old");
    file.write_all_at(b"new", 0).unwrap();
    env.fs().rename(&path("/f"), &path("/g")).unwrap();
    let lost = env.crash_with(CrashMode::LoseUnsynced);
    assert_eq!(lost.files(), [(path("/f"), b"old".to_vec())]);
    let kept = env.crash_with(CrashMode::KeepUnsynced);
    assert_eq!(kept.files(), [(path("/g"), b"new".to_vec())]);
}

#[test]
fn names_are_durable_only_after_sync_dir() {
    let mut seen = [0, 0];
    for seed in 0..100 {
        let env = SimEnv::new(seed);
        env.fs().create_dir_all(&path("/a/b")).unwrap();
        let file = env.fs().open(&path("/a/b/c"), OpenMode::CreateNew).unwrap();
        file.write_all_at(b"x", 0).unwrap();
        file.sync_all().unwrap();
        let exists = env.crash().fs().exists(&path("/a/b/c"));
        seen[usize::from(exists)] += 1;
        for dir in ["/", "/a", "/a/b"] {
            env.fs().sync_dir(&path(dir)).unwrap();
        }
        assert_eq!(content(&env.crash(), "/a/b/c").unwrap(), b"x");
    }
    assert!(seen[0] > 10 && seen[1] > 3, "{seen:?}");
}

#[test]
fn a_rename_is_atomic() {
    let mut seen = [0, 0];
    for seed in 0..100 {
        let (env, _file) = machine_with_file(seed, b"old");
        let new = env.fs().open(&path("/f.new"), OpenMode::CreateNew).unwrap();
        new.write_all_at(b"new", 0).unwrap();
        new.sync_all().unwrap();
        env.fs().rename(&path("/f.new"), &path("/f")).unwrap();
        let after = env.crash();
        match content(&after, "/f").unwrap().as_slice() {
            b"old" => seen[0] += 1,
            b"new" => {
                seen[1] += 1;
                assert!(!after.fs().exists(&path("/f.new")));
            }
            other => panic!("seed {seed}: {other:?}"),
        }
        env.fs().sync_dir(&path("/")).unwrap();
        assert_eq!(env.crash().files(), [(path("/f"), b"new".to_vec())]);
    }
    assert!(seen[0] > 10 && seen[1] > 10, "{seen:?}");
}

#[test]
fn a_full_disk_takes_what_fits_and_recovers() {
    let (env, file) = machine_with_file(1, &[1; 4096]);
    env.set_capacity(Some(3 * 4096));
    file.set_len(100 * 4096).unwrap();
    let error = file.write_all_at(&[2; 5 * 4096], 4096).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    file.write_all_at(&[3; 4096], 0).unwrap();
    assert_eq!(env.used_bytes(), 3 * 4096);
    let mut buf = [0; 2];
    file.read_exact_at(&mut buf, 3 * 4096 - 1).unwrap();
    assert_eq!(buf, [2, 0]);
    env.set_capacity(Some(100 * 4096));
    file.write_all_at(&[2; 5 * 4096], 4096).unwrap();

    file.set_len(4096).unwrap();
    assert_eq!(env.used_bytes(), 4096);
    env.fs().remove_file(&path("/f")).unwrap();
    assert_eq!(env.used_bytes(), 4096, "an open file keeps its space");
    drop(file);
    assert_eq!(env.used_bytes(), 0);
    assert!(
        content(&env.crash_with(CrashMode::LoseUnsynced), "/f").is_some(),
        "the removal was not synced"
    );
}

#[test]
fn io_fails_where_planned_and_nowhere_else() {
    let (env, file) = machine_with_file(1, b"abc");
    env.fail(IoKind::Write, 2, io::ErrorKind::Other);
    file.write_all_at(b"1", 0).unwrap();
    file.write_all_at(b"2", 1).unwrap_err();
    file.write_all_at(b"3", 2).unwrap();
    let mut buf = [0; 3];
    file.read_exact_at(&mut buf, 0).unwrap();
    assert_eq!(&buf, b"1b3");
    assert_eq!(env.counts().get(IoKind::Write), 4);
    let planned = env.trace().iter().filter(|entry| entry.error.is_some()).count();
    assert_eq!(planned, 1);
}

#[test]
fn after_a_failed_sync_the_next_one_lies() {
    let lost = (0..100).filter(|seed| {
        let (env, file) = machine_with_file(*seed, b"old");
        file.write_all_at(b"new", 0).unwrap();
        env.fail(IoKind::Sync, 1, io::ErrorKind::Other);
        file.sync_data().unwrap_err();
        file.sync_data().unwrap();
        content(&env.crash(), "/f").unwrap() == b"old"
    });
    assert!((20..80).contains(&lost.count()));
}

#[test]
fn after_the_crash_point_nothing_works() {
    let (env, file) = machine_with_file(1, b"abc");
    let before = env.operation_count();
    env.crash_at_operation(before + 1);
    file.write_all_at(b"x", 0).unwrap();
    assert!(!env.has_crashed());
    file.sync_data().unwrap_err();
    assert!(env.has_crashed());
    file.write_all_at(b"y", 1).unwrap_err();
    file.read_exact_at(&mut [0], 0).unwrap_err();
    let after = content(&env.crash(), "/f").unwrap();
    assert!(after == b"abc" || after == b"xbc");
    assert!(!env.crash().has_crashed());
}

#[test]
fn locks_belong_to_handles() {
    let (env, file) = machine_with_file(1, b"");
    let other = env.fs().open(&path("/f"), OpenMode::ReadWrite).unwrap();
    assert!(file.try_lock_exclusive().unwrap());
    assert!(file.try_lock_exclusive().unwrap());
    assert!(!other.try_lock_exclusive().unwrap());
    drop(file);
    assert!(other.try_lock_exclusive().unwrap());
}

#[test]
fn errors_have_the_kinds_of_the_operating_system() {
    let (env, _file) = machine_with_file(1, b"");
    let kind = |name: &str, mode| env.fs().open(&path(name), mode).err().unwrap().kind();
    assert_eq!(kind("/f", OpenMode::CreateNew), io::ErrorKind::AlreadyExists);
    assert_eq!(kind("/no", OpenMode::ReadWrite), io::ErrorKind::NotFound);
    assert_eq!(kind("/no/no", OpenMode::OpenOrCreate), io::ErrorKind::NotFound);
    assert_eq!(
        env.fs().read_dir(&path("/no")).unwrap_err().kind(),
        io::ErrorKind::NotFound
    );
    env.fs().create_dir_all(&path("/d/e")).unwrap();
    env.fs().open(&path("/d/e/x"), OpenMode::CreateNew).unwrap();
    assert_eq!(env.fs().read_dir(&path("/d/./e")).unwrap(), [path("x")]);
    env.fs().remove_dir_all(&path("/d")).unwrap();
    assert!(!env.fs().exists(&path("/d/e/x")));
    assert_eq!(env.fs().read_dir(&path("/")).unwrap(), [path("f")]);
}

#[test]
fn tasks_run_when_their_time_comes() {
    let env = SimEnv::new(1);
    let runs = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&runs);
    let body = move || {
        counter.fetch_add(1, Ordering::SeqCst);
        TaskStatus::SleepFor(Duration::from_secs(10))
    };
    let task = env.spawn_task("every ten seconds", Box::new(body)).unwrap();
    assert_eq!(runs.load(Ordering::SeqCst), 0);
    env.advance(Duration::ZERO);
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    env.sleep(Duration::from_secs(35));
    assert_eq!(runs.load(Ordering::SeqCst), 4);
    assert_eq!(env.monotonic(), Duration::from_secs(35));
    task.wake();
    env.advance(Duration::ZERO);
    assert_eq!(runs.load(Ordering::SeqCst), 5);
    task.stop();
    env.sleep(Duration::from_secs(100));
    assert_eq!(runs.load(Ordering::SeqCst), 5);
}

#[test]
fn waits_end_by_notification_by_time_or_for_lack_of_hope() {
    let env = SimEnv::new(1);
    let notify = Arc::new(Notify::new());
    assert!(!env.wait(&notify, Some(Duration::from_secs(5))));
    assert_eq!(env.monotonic(), Duration::from_secs(5));
    assert!(!env.wait(&notify, None));
    notify.notify();
    assert!(env.wait(&notify, None));

    let (for_task, mut first) = (Arc::clone(&notify), true);
    let body = move || {
        if std::mem::take(&mut first) {
            return TaskStatus::SleepFor(Duration::from_secs(7));
        }
        for_task.notify();
        TaskStatus::Done
    };
    env.spawn_task("notifies after seven seconds", Box::new(body))
        .unwrap();
    assert!(!env.wait(&notify, Some(Duration::from_secs(1))));
    assert!(env.wait(&notify, None));
    assert_eq!(env.monotonic(), Duration::from_secs(12));
}

#[test]
fn threads_may_share_a_machine() {
    let (env, file) = machine_with_file(1, &[0; 8000]);
    let done = Notify::new();
    std::thread::scope(|scope| {
        for part in 0..4u64 {
            let (env, file, done) = (&env, &file, &done);
            scope.spawn(move || {
                for _ in 0..50 {
                    file.write_all_at(&[part as u8; 2000], part * 2000).unwrap();
                    file.sync_data().unwrap();
                    env.sleep(Duration::from_millis(1));
                }
                done.notify();
            });
        }
        // A notification may be for several threads at once, so this only shows that waiting in a loop ends.
        while !env.wait(&done, None) {}
    });
    let content = content(&env.crash_with(CrashMode::LoseUnsynced), "/f").unwrap();
    assert!(
        content
            .chunks(2000)
            .zip(0u8..)
            .all(|(chunk, part)| chunk == [part; 2000])
    );
    // Pauses of several threads may pass at once, those of one may not.
    let passed = env.monotonic().as_millis();
    assert!((50..=200).contains(&passed), "{passed} ms");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| {
        let (env, file) = machine_with_file(seed, &[7; 10_000]);
        let mut random = [0; 16];
        env.fill_random(&mut random);
        for i in 0..20 {
            file.write_all_at(&[i; 700], u64::from(i) * 431).unwrap();
        }
        (random, env.crash().files(), env.crash().files())
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}
