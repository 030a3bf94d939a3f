//! Where the dictionaries of text search find their files: what `$SHAREDIR/tsearch_data` is to PostgreSQL.
//!
//! A file is looked for among those that the program handed over, then in `tsearch_data` in the database's directory, then in the
//! directories that the program named. Lists of stop words come with the program (crate `functions`), behind all of these.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use access::BackupFile;
use common::env::{Env, OpenMode};
use functions::textsearch::TextSearchFiles;

/// The directory of such files in the directory of a database.
const DIRECTORY: &str = "tsearch_data";

/// The files of one database.
#[derive(Clone)]
pub(crate) struct SearchFiles {
    pub env: Arc<dyn Env>,
    /// Handed over by the program.
    pub given: BTreeMap<String, Arc<[u8]>>,
    /// In the database's directory.
    pub own: Option<PathBuf>,
    /// Named by the program.
    pub others: Vec<PathBuf>,
}

impl SearchFiles {
    /// The directory for such files of the database in a directory.
    pub fn directory_of(database: &Path) -> PathBuf {
        database.join(DIRECTORY)
    }

    fn read_path(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = self.env.fs().open(path, OpenMode::Read)?;
        let mut content = vec![0; usize::try_from(file.len()?).map_err(io::Error::other)?];
        file.read_exact_at(&mut content, 0)?;
        Ok(content)
    }

    /// What belongs into a backup: the files in the database's directory.
    pub fn for_backup(&self) -> io::Result<Vec<BackupFile>> {
        let Some(own) = self.own.as_ref().filter(|own| self.env.fs().exists(own)) else {
            return Ok(Vec::new());
        };
        let mut files = Vec::new();
        for path in self.env.fs().read_dir(own)? {
            let Some(name) = path.file_name() else { continue };
            files.push(BackupFile {
                path: Path::new(DIRECTORY).join(name),
                content: self.read_path(&own.join(name))?,
            });
        }
        Ok(files)
    }
}

impl TextSearchFiles for SearchFiles {
    fn read(&self, name: &str) -> (String, io::Result<Vec<u8>>) {
        if let Some(content) = self.given.get(name) {
            return (name.to_owned(), Ok(content.to_vec()));
        }
        let mut first = None;
        for directory in self.own.iter().chain(&self.others) {
            let path = directory.join(name);
            let shown = path.display().to_string();
            match self.read_path(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    first.get_or_insert(shown);
                }
                found => return (shown, found),
            }
        }
        let shown = first.unwrap_or_else(|| format!("{DIRECTORY}/{name}"));
        // As the operating system says it.
        (shown, Err(io::Error::from_raw_os_error(NO_SUCH_FILE)))
    }
}

/// ENOENT.
const NO_SUCH_FILE: i32 = 2;
