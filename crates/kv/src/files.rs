//! Files and directories as the backends on disk need them, with errors in PostgreSQL's words.

use std::io;
use std::path::Path;

use common::env::Env;

use crate::{KvError, KvResult};

/// `could not <what> file "<path>"`.
pub(crate) fn file_error(what: &str, path: &Path, source: io::Error) -> KvError {
    KvError::Io {
        context: format!("could not {what} file \"{}\"", path.display()),
        source,
    }
}

/// `could not <what> directory "<path>"`.
pub(crate) fn directory_error(what: &str, path: &Path, source: io::Error) -> KvError {
    KvError::Io {
        context: format!("could not {what} directory \"{}\"", path.display()),
        source,
    }
}

/// Makes a directory (and its missing parents) whose name is durable.
pub(crate) fn create_directory(env: &dyn Env, dir: &Path) -> KvResult<()> {
    let missing: Vec<&Path> = dir.ancestors().take_while(|dir| !env.fs().exists(dir)).collect();
    env.fs()
        .create_dir_all(dir)
        .map_err(|e| directory_error("create", dir, e))?;
    for parent in missing.iter().filter_map(|dir| dir.parent()) {
        sync_directory(env, parent)?;
    }
    Ok(())
}

/// Makes the names in a directory durable.
pub(crate) fn sync_directory(env: &dyn Env, dir: &Path) -> KvResult<()> {
    env.fs()
        .sync_dir(dir)
        .map_err(|e| directory_error("fsync", dir, e))
}
