//! psql against a server in this process; skipped where there is no psql (`PSQL` names it, else the oracle's).
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::PathBuf;
use std::process::Command;

use pglite::Database;
use pglite_server::serve;

fn psql() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("PSQL") {
        return Some(path.into());
    }
    let oracle = "/work/shared/pg18/oracle.sh";
    let out = Command::new("bash").args([oracle, "bin"]).output().ok()?;
    let dir = String::from_utf8(out.stdout).ok()?;
    Some(PathBuf::from(dir.trim()).join("psql")).filter(|p| p.exists())
}

/// Runs a psql script; what it prints, errors included.
fn run(script: &str) -> Option<String> {
    let Some(psql) = psql() else {
        eprintln!("skipped: no psql");
        return None;
    };
    let server = serve(&Database::memory().unwrap(), "127.0.0.1:0").unwrap();
    let port = server.local_addr().port().to_string();
    let file = std::env::temp_dir().join(format!("pglite-psql-{port}.sql"));
    std::fs::write(&file, script).unwrap();
    let out = Command::new("bash")
        .arg("-c")
        .arg("exec \"$0\" -X -q -At -h 127.0.0.1 -p \"$1\" -U postgres -d postgres < \"$2\" 2>&1")
        .args([psql.as_os_str(), port.as_ref(), file.as_os_str()])
        .output()
        .unwrap();
    std::fs::remove_file(&file).unwrap();
    server.shutdown();
    Some(String::from_utf8(out.stdout).unwrap())
}

#[test]
fn statements_and_errors() {
    let script = "CREATE TABLE t (a int, b text);\nINSERT INTO t VALUES (1, 'x'), (2, NULL);\n\
        SELECT * FROM t ORDER BY a;\nSELECT nothing FROM t;\nSELECT 1\\; SELECT 2;\n\
        BEGIN; SELECT 1/0; SELECT 1; ROLLBACK;\n";
    let Some(text) = run(script) else { return };
    let expected = "1|x\n2|\n\
        ERROR:  column \"nothing\" does not exist\nLINE 1: SELECT nothing FROM t;\n               ^\n\
        1\n2\n\
        ERROR:  division by zero\n\
        ERROR:  current transaction is aborted, commands ignored until end of transaction block\n";
    assert_eq!(text, expected);
}

#[test]
fn copy_and_bind() {
    let script = "CREATE TABLE t (a int, b text);\nCOPY t FROM STDIN;\n1\tone\n2\ttwo\n\\.\nCOPY t TO STDOUT;\n\
        SELECT b FROM t WHERE a = $1 \\bind 2 \\g\n";
    let Some(text) = run(script) else { return };
    assert_eq!(text, "1\tone\n2\ttwo\ntwo\n");
}

/// Runs `tests/psql/NAME.sql` with echo; what differs from what PostgreSQL printed (`record.sh`).
fn compare(name: &str) {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/psql");
    let script = dir.join(format!("{name}.sql"));
    let expected = std::fs::read_to_string(dir.join(format!("{name}.out"))).unwrap();
    let Some(psql) = psql() else {
        eprintln!("skipped: no psql");
        return;
    };
    let server = serve(&Database::memory().unwrap(), "127.0.0.1:0").unwrap();
    let port = server.local_addr().port().to_string();
    let out = Command::new("bash")
        .arg("-c")
        .arg("exec \"$0\" -X -q -a -h 127.0.0.1 -p \"$1\" -U postgres -d postgres < \"$2\" 2>&1")
        .args([psql.as_os_str(), port.as_ref(), script.as_os_str()])
        .output()
        .unwrap();
    server.shutdown();
    let got = String::from_utf8(out.stdout).unwrap();
    let differs = got.lines().zip(expected.lines()).position(|(a, b)| a != b);
    if let Some(at) = differs {
        let near = |text: &str| -> String {
            let lines: Vec<&str> = text.lines().skip(at.saturating_sub(8)).take(16).collect();
            lines.join("\n")
        };
        panic!(
            "{name}: line {}:\n{}\n--- expected ---\n{}",
            at + 1,
            near(&got),
            near(&expected)
        );
    }
    assert_eq!(got.lines().count(), expected.lines().count(), "{name}");
}

#[test]
fn describes_relations() {
    compare("describe");
}

#[test]
fn prints_views() {
    compare("views");
}

#[test]
fn lists_catalogs() {
    compare("catalogs");
}
