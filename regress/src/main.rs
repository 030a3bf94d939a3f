//! `pglite-regress`: runs PostgreSQL's regression suite against the embedded engine and scores it.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use pglite_regress::align::align;
use pglite_regress::corpus::{Corpus, lines, workspace};
use pglite_regress::report;
use pglite_regress::run::{Options, run_all, run_file};
use pglite_regress::score::gaps;

const USAGE: &str = "usage: pglite-regress run [--all | NAME...] [--out DIR] [--timeout SECONDS] [--update]
       pglite-regress run-file NAME --out FILE     one file, in this process
       pglite-regress script FILE                  any SQL script, output as psql -a -q
       pglite-regress spec FILE...                 isolation specs on the engine
       pglite-regress spec-record ADDRESS FILE...  the same on a PostgreSQL (host:port), into expected/
       pglite-regress show ID [--out DIR]          expected and produced output of a statement of the last run";

fn main() -> ExitCode {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let out = option(&mut words, "--out").map_or_else(default_out, PathBuf::from);
    let seconds = option(&mut words, "--timeout")
        .and_then(|t| t.parse().ok())
        .unwrap_or(60);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["run", rest @ ..] => run(rest, out, Duration::from_secs(seconds)),
        ["run-file", name] => corpus().and_then(|c| run_file(&c, name, &out)),
        ["spec", files @ ..] => spec(files),
        ["spec-record", address, files @ ..] => {
            let files: Vec<&Path> = files.iter().map(Path::new).collect();
            pglite_regress::spec::record(&files, address)
        }
        ["script", file] => script(Path::new(file)),
        ["show", id] => show(id, &out),
        _ => Err(USAGE.to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn option(words: &mut Vec<String>, name: &str) -> Option<String> {
    let at = words.iter().position(|w| w == name)?;
    words.remove(at);
    (at < words.len()).then(|| words.remove(at))
}

fn default_out() -> PathBuf {
    std::env::temp_dir().join("pglite-regress")
}

fn corpus() -> Result<Corpus, String> {
    Corpus::load(&Corpus::find()?)
}

/// What proves which engine ran: its version and a hash of this program.
fn engine() -> Result<String, String> {
    let db = pglite::Database::memory().map_err(|e| e.to_string())?;
    let mut session = db.session().map_err(|e| e.to_string())?;
    let rows = session.query_map("SELECT version()", (), |row| row.get_text(0));
    let version = rows.map_or_else(|e| e.to_string(), |v| v.into_iter().flatten().collect());
    let program = std::env::current_exe()
        .and_then(std::fs::read)
        .map_err(|e| e.to_string())?;
    let mut hasher = DefaultHasher::new();
    program.hash(&mut hasher);
    Ok(format!(
        "Engine: `{version}`; program: {} bytes, hash {:016x}.",
        program.len(),
        hasher.finish()
    ))
}

fn run(words: &[&str], out: PathBuf, timeout: Duration) -> Result<(), String> {
    let corpus = corpus()?;
    let (all, update) = (words.contains(&"--all"), words.contains(&"--update"));
    let names: Vec<String> = corpus
        .schedule
        .iter()
        .filter(|n| all || words.contains(&n.as_str()))
        .cloned()
        .collect();
    let engine = engine()?;
    println!("{engine}");
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let scores = run_all(
        &corpus,
        &names,
        &Options {
            program,
            out,
            timeout,
        },
    );
    print!("{}", report::terminal(&scores));
    for (cause, count, examples) in gaps(&scores).into_iter().take(25) {
        println!("{count:6}  {cause}   e.g. {}", examples.join(" "));
    }
    let mut ratchet = report::read_ratchet(&report::ratchet_path());
    for line in report::regressions(&ratchet, &scores) {
        println!("WORSE  {line}");
    }
    if update {
        report::raise(&mut ratchet, &scores);
        let write =
            |path: PathBuf, text: String| std::fs::write(&path, text).map_err(|e| format!("{path:?}: {e}"));
        write(report::ratchet_path(), report::ratchet_text(&ratchet))?;
        if all {
            write(
                workspace().join("docs/REGRESSION.md"),
                report::markdown(&scores, &engine),
            )?;
        }
    }
    Ok(())
}

fn spec(files: &[&str]) -> Result<(), String> {
    for file in files {
        let text = std::fs::read_to_string(file).map_err(|e| e.to_string())?;
        print!("{}", pglite_regress::spec::run_on_engine(&text)?);
    }
    Ok(())
}

fn script(file: &Path) -> Result<(), String> {
    let sql = std::fs::read_to_string(file).map_err(|e| e.to_string())?;
    let db = pglite_regress::run::builder().open().map_err(|e| e.to_string())?;
    pglite_regress::run::run_script(&db, &sql, &mut std::io::stdout())
}

fn show(id: &str, out: &Path) -> Result<(), String> {
    let corpus = corpus()?;
    let name = id.split(':').next().unwrap_or_default();
    let file = corpus.files.get(name).ok_or("no such file")?;
    let i = file
        .statements
        .iter()
        .position(|s| s.id == id)
        .ok_or("no such statement")?;
    let echoes: Vec<Vec<String>> = file.statements.iter().map(|s| s.echo.clone()).collect();
    let produced = std::fs::read(out.join(format!("{name}.out"))).unwrap_or_default();
    let produced = String::from_utf8_lossy(&produced).into_owned();
    let expected = file.expected.first().cloned().unwrap_or_default();
    println!("{}", file.statements[i].echo.join("\n"));
    for (title, text) in [("expected", &expected), ("produced", &produced)] {
        let all = lines(text);
        let block = align(&all, &echoes)[i];
        println!(
            "---- {title}\n{}",
            block.map_or("(not reached)".into(), |b| b.join("\n"))
        );
    }
    Ok(())
}
