//! Running files in child processes, at most two at once, so that a crash or a hang costs one file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::corpus::Corpus;
use crate::psql::Psql;
use crate::score::{Ending, FileScore, score};

/// Child processes at once.
const CHILDREN: usize = 2;
/// Address space of a child, in kilobytes.
const MEMORY_KB_MAX: usize = 6 << 20;
/// Stack of the thread that runs a file: unoptimized frames are large.
const STACK_BYTES: usize = 64 << 20;

/// What pg_regress sets: database settings, environment, and our statement timeout.
const SETTINGS: &[(&str, &str)] = &[
    ("timezone", "America/Los_Angeles"),
    ("datestyle", "Postgres, MDY"),
    ("intervalstyle", "postgres_verbose"),
    ("lc_messages", "C"),
    ("lc_monetary", "C"),
    ("lc_numeric", "C"),
    ("lc_time", "C"),
    ("bytea_output", "hex"),
    ("timezone_abbreviations", "Default"),
    // A build without optimization beside other work takes its time.
    (
        "statement_timeout",
        if cfg!(debug_assertions) { "60s" } else { "10s" },
    ),
];

/// How to run files.
#[derive(Debug, Clone)]
pub struct Options {
    /// The program `pglite-regress`.
    pub program: PathBuf,
    /// Where outputs go.
    pub out: PathBuf,
    /// Per file.
    pub timeout: Duration,
}

/// Runs files and scores them, in their order.
pub fn run_all(corpus: &Corpus, names: &[String], options: &Options) -> Vec<FileScore> {
    let _ = fs::create_dir_all(&options.out);
    let next = AtomicUsize::new(0);
    let scores: Mutex<Vec<(usize, FileScore)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..CHILDREN {
            scope.spawn(|| {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let Some(name) = names.get(i) else { break };
                    let found = run_one(corpus, name, options);
                    if let Ok(mut scores) = scores.lock() {
                        scores.push((i, found));
                    }
                }
            });
        }
    });
    let mut scores = scores.into_inner().unwrap_or_default();
    scores.sort_by_key(|s| s.0);
    scores.into_iter().map(|s| s.1).collect()
}

fn run_one(corpus: &Corpus, name: &str, options: &Options) -> FileScore {
    let out = options.out.join(format!("{name}.out"));
    let began = Instant::now();
    let ending = child(corpus, name, &out, options);
    let bytes = fs::read(&out).unwrap_or_default();
    let empty = crate::corpus::File::default();
    let file = corpus.files.get(name).unwrap_or(&empty);
    let mut found = score(name, file, &String::from_utf8_lossy(&bytes));
    found.ending = ending;
    found.seconds = began.elapsed().as_secs_f64();
    found
}

fn child(corpus: &Corpus, name: &str, out: &Path, options: &Options) -> Ending {
    let _ = fs::remove_file(out);
    let log = fs::File::create(out.with_extension("err"));
    let spawned = Command::new("sh")
        .args(["-c", &format!("ulimit -v {MEMORY_KB_MAX}; exec \"$@\""), "sh"])
        .arg(&options.program)
        .args(["run-file", name, "--out"])
        .arg(out)
        .env("PGLITE_REGRESS_CORPUS", &corpus.root)
        .env("PG_ABS_SRCDIR", &corpus.root)
        .env("PG_ABS_BUILDDIR", &options.out)
        .env("PG_LIBDIR", "/nonexistent/lib")
        .env("PG_DLSUFFIX", ".so")
        .env("TZ", "UTC")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log.map_or_else(|_| Stdio::null(), Stdio::from))
        .spawn();
    let Ok(mut child) = spawned else {
        return Ending::Crash;
    };
    let deadline = Instant::now() + options.timeout;
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ending::Done,
            Ok(Some(_)) | Err(_) => return Ending::Crash,
            Ok(None) => {}
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            return Ending::Hang;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The child: a fresh database in memory, the file's prelude, then the file with its output in `out`.
pub fn run_file(corpus: &Corpus, name: &str, out: &Path) -> Result<(), String> {
    let needs = corpus.prelude.get(name).cloned().unwrap_or_default();
    let scripts: Vec<String> = corpus
        .schedule
        .iter()
        .filter(|n| needs.contains(n))
        .filter_map(|n| corpus.files.get(n).map(|f| f.sql.clone()))
        .collect();
    let file = corpus.files.get(name).ok_or_else(|| format!("no file {name}"))?;
    let sql = file.sql.clone();
    let out = out.to_owned();
    let work = move || -> Result<(), String> {
        // As the server that the results were recorded from.
        let db = builder()
            .database("regression")
            .max_prepared_transactions(20)
            .open()
            .map_err(|e| e.to_string())?;
        for script in &scripts {
            run_script(&db, script, &mut std::io::sink())?;
        }
        let target = fs::File::create(&out).map_err(|e| e.to_string())?;
        run_script(&db, &sql, &mut std::io::LineWriter::new(target))
    };
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(work);
    let joined = thread.map_err(|e| e.to_string())?.join();
    joined.map_err(|_| "panic".to_owned())?
}

/// A database in memory that finds the dictionaries of our own scripts, and those in the directory that `PGLITE_TSEARCH_DATA` names.
pub fn builder() -> pglite::Builder {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/tsearch_data");
    let builder = pglite::Database::builder().text_search_directory(own);
    match std::env::var_os("PGLITE_TSEARCH_DATA") {
        Some(dir) => builder.text_search_directory(dir),
        None => builder,
    }
}

/// Runs a script as `psql -X -a -q` with the regression suite's settings.
pub fn run_script(db: &pglite::Database, sql: &str, out: &mut dyn std::io::Write) -> Result<(), String> {
    let settings = SETTINGS
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    let vars = [("HIDE_TABLEAM", "on"), ("HIDE_TOAST_COMPRESSION", "on")];
    let mut psql = Psql::new(db, settings, &vars, out).map_err(|e| e.to_string())?;
    psql.run(sql);
    Ok(())
}
