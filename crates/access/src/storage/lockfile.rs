//! The lock file: one process owns a database directory.

use std::path::Path;
use std::sync::Arc;

use common::env::{Env, File, OpenMode};
use common::error::ErrorExt;
use common::{PgError, PgResult, pg_err};

const NAME: &str = "pglite.lock";

/// The lock, held as long as the file is open. A killed process leaves the file, not the lock.
pub(crate) struct LockFile {
    file: Arc<dyn File>,
}

impl LockFile {
    /// Takes the lock, or says 55006 with the owner's process id.
    pub(crate) fn take(env: &Arc<dyn Env>, dir: &Path) -> PgResult<LockFile> {
        let path = dir.join(NAME);
        let failed =
            |e: std::io::Error| io_error(&format!("could not open lock file \"{}\"", path.display()), &e);
        let file = env.fs().open(&path, OpenMode::OpenOrCreate).map_err(failed)?;
        if !file.try_lock_exclusive().map_err(failed)? {
            return Err(in_use(dir, &*file, env.process_id()));
        }
        let lock = LockFile { file };
        lock.write(env.process_id(), "")?;
        Ok(lock)
    }

    /// Writes who we are: process id, then a line of free text.
    pub(crate) fn write(&self, pid: u32, note: &str) -> PgResult<()> {
        let text = format!("{pid}\n{note}\n");
        let failed = |e: std::io::Error| io_error("could not write lock file", &e);
        self.file.set_len(0).map_err(failed)?;
        self.file.write_all_at(text.as_bytes(), 0).map_err(failed)
    }
}

/// 55006, as DESIGN section 4 has it. PostgreSQL ends with F0001 here, but there no session is ever told: it is a postmaster's last word.
fn in_use(dir: &Path, file: &dyn File, own_pid: u32) -> Box<PgError> {
    let mut bytes = vec![0; file.len().unwrap_or(0).min(4096) as usize];
    let text = match file.read_exact_at(&mut bytes, 0) {
        Ok(()) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => String::new(),
    };
    let mut lines = text.lines();
    let pid = lines.next().unwrap_or("");
    let note = lines.next().unwrap_or("");
    let path = dir.display();
    if pid == own_pid.to_string() {
        return pg_err!(
            OBJECT_IN_USE,
            "database directory \"{path}\" is already open in this process"
        )
        .detail("The first handle, its clones or a session of it are still alive.")
        .hint("Clone the first handle: all clones and their sessions are the same database.");
    }
    // Its owner may be between taking the lock and writing its name.
    let detail = match (pid, note) {
        ("", _) => "Its owner is starting.".to_owned(),
        (_, "") => format!("Its owner is the process with PID {pid}."),
        _ => format!("Its owner is the process with PID {pid}, which can be reached at {note}."),
    };
    pg_err!(
        OBJECT_IN_USE,
        "database directory \"{path}\" is in use by another process"
    )
    .detail(detail)
    .hint("Connect to that process, or stop it first.")
}

pub(crate) fn io_error(context: &str, error: &std::io::Error) -> Box<PgError> {
    match error.kind() {
        std::io::ErrorKind::StorageFull => pg_err!(DISK_FULL, "{context}: {error}"),
        _ => pg_err!(IO_ERROR, "{context}: {error}"),
    }
}
