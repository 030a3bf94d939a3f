//! Temporary files: where they lie, how much they may hold, when they go.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::cancel;
use common::env::{Env, File, OpenMode, os_error_text};
use common::pieces::PIECE_BYTES;
use common::{PgError, PgResult, pg_err};

/// The place of a database's temporary files.
pub struct TempDirectory {
    env: Arc<dyn Env>,
    dir: PathBuf,
    next: AtomicU64,
}

/// Names of our files begin with this; nothing else in the directory is touched.
const PREFIX: &str = "pgsql_tmp";

impl TempDirectory {
    /// The temporary files of the database in a directory; those that a crash left are removed.
    pub fn open(env: Arc<dyn Env>, database: &Path) -> TempDirectory {
        let dir = database.join(PREFIX);
        if env.fs().exists(&dir) {
            let names = env.fs().read_dir(&dir).unwrap_or_default();
            let ours = |p: &&PathBuf| {
                let name = p.file_name().and_then(|n| n.to_str());
                name.is_some_and(|n| n.starts_with(PREFIX))
            };
            for name in names.iter().filter(ours) {
                // A file that stays costs space only; its name is never used again while it is there.
                let _ = env.fs().remove_file(&dir.join(name));
            }
        }
        TempDirectory {
            env,
            dir,
            next: AtomicU64::new(0),
        }
    }

    fn create(&self) -> io::Result<(PathBuf, Arc<dyn File>)> {
        let fs = self.env.fs();
        fs.create_dir_all(&self.dir)?;
        let pid = self.env.process_id();
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let path = self.dir.join(format!("{PREFIX}{pid}.{number}"));
            match fs.open(&path, OpenMode::CreateNew) {
                Ok(file) => return Ok((path, file)),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e),
            }
        }
    }
}

/// A session's temporary files.
#[derive(Clone, Default)]
pub struct TempSpace {
    /// None: nothing may spill.
    directory: Option<Arc<TempDirectory>>,
    /// Bytes in the session's files now.
    used: Arc<AtomicU64>,
    /// `temp_file_limit` in bytes.
    limit: Option<u64>,
}

impl TempSpace {
    /// Files in a directory; without one nothing spills.
    pub fn new(directory: Option<Arc<TempDirectory>>) -> TempSpace {
        TempSpace {
            directory,
            ..TempSpace::default()
        }
    }

    /// The same files under a limit in bytes (`temp_file_limit`).
    pub fn limited(&self, limit: Option<u64>) -> TempSpace {
        TempSpace {
            limit,
            ..self.clone()
        }
    }

    /// True when work beyond `work_mem` can go to files.
    pub fn may_spill(&self) -> bool {
        self.directory.is_some()
    }

    fn reserve(&self, bytes: u64) -> PgResult<()> {
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        match self.limit {
            Some(limit) if before + bytes > limit => {
                self.used.fetch_sub(bytes, Ordering::Relaxed);
                Err(pg_err!(
                    CONFIGURATION_LIMIT_EXCEEDED,
                    "temporary file size exceeds \"temp_file_limit\" ({}kB)",
                    limit >> 10
                ))
            }
            _ => Ok(()),
        }
    }
}

/// A temporary file, removed when dropped.
pub struct TempFile {
    space: TempSpace,
    directory: Arc<TempDirectory>,
    path: PathBuf,
    file: Arc<dyn File>,
    len: u64,
}

impl TempFile {
    /// A new, empty file.
    pub fn create(space: &TempSpace) -> PgResult<TempFile> {
        let Some(directory) = &space.directory else {
            return Err(common::internal!("no place for temporary files"));
        };
        let (path, file) = directory
            .create()
            .map_err(|e| failed("could not create temporary file", &directory.dir, &e))?;
        Ok(TempFile {
            space: space.clone(),
            directory: Arc::clone(directory),
            path,
            file,
            len: 0,
        })
    }

    /// Writes at the end; where it begins.
    pub fn append(&mut self, bytes: &[u8]) -> PgResult<u64> {
        self.space.reserve(bytes.len() as u64)?;
        let at = self.len;
        // Counted even if the write fails half way: the space is given back with the file.
        self.len += bytes.len() as u64;
        let mut to = at;
        for piece in bytes.chunks(PIECE_BYTES) {
            self.file
                .write_all_at(piece, to)
                .map_err(|e| failed("could not write to file", &self.path, &e))?;
            to += piece.len() as u64;
            cancel::check()?;
        }
        Ok(at)
    }

    /// Reads a piece.
    pub fn read(&self, at: u64, len: usize) -> PgResult<Vec<u8>> {
        let mut bytes = vec![0; len];
        let mut from = at;
        for piece in bytes.chunks_mut(PIECE_BYTES) {
            cancel::check()?;
            self.file
                .read_exact_at(piece, from)
                .map_err(|e| failed("could not read file", &self.path, &e))?;
            from += piece.len() as u64;
        }
        Ok(bytes)
    }

    /// Bytes written.
    pub fn size(&self) -> u64 {
        self.len
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = self.directory.env.fs().remove_file(&self.path);
        self.space.used.fetch_sub(self.len, Ordering::Relaxed);
    }
}

fn failed(what: &str, path: &Path, error: &io::Error) -> Box<PgError> {
    let text = format!("{what} \"{}\": {}", path.display(), os_error_text(error));
    if error.kind() == io::ErrorKind::StorageFull {
        pg_err!(DISK_FULL, "{text}")
    } else {
        pg_err!(IO_ERROR, "{text}")
    }
}
