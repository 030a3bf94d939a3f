//! psycopg against a server in this process, by `psycopg_client.py`. Installs psycopg in a virtual environment under the target directory;
//! skipped, with the reason, where there is no Python or no package registry.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pglite::Database;
use pglite_server::serve;

fn run(command: &mut Command) -> Result<Output, String> {
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    if output.status.success() {
        return Ok(output);
    }
    let error = String::from_utf8_lossy(&output.stderr);
    let last: Vec<&str> = error.lines().rev().take(3).collect();
    Err(format!("{command:?}: {}: {last:?}", output.status))
}

/// A Python that has psycopg.
fn python() -> Result<PathBuf, String> {
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join("psycopg-venv");
    let python = venv.join("bin/python");
    let has_it = |python: &Path| run(Command::new(python).args(["-c", "import psycopg"])).is_ok();
    if has_it(&python) {
        return Ok(python);
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--retries",
        "1",
    ];
    run(Command::new(&python).args(pip).arg("psycopg[binary]>=3.2"))?;
    Ok(python)
}

#[test]
fn psycopg() {
    let python = match python() {
        Ok(python) => python,
        Err(reason) => return println!("skipped: no psycopg: {reason}"),
    };
    let server = serve(&Database::memory().unwrap(), "127.0.0.1:0").unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/psycopg_client.py");
    let output = Command::new(python)
        .arg(script)
        .args(["127.0.0.1", &server.local_addr().port().to_string()])
        .output()
        .unwrap();
    print!("{}", String::from_utf8_lossy(&output.stdout));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    server.shutdown();
}
