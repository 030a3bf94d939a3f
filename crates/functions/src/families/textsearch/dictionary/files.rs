//! Configuration files of dictionaries, line by line; stop words.

use common::error::ErrorExt;
use common::{PgResult, pg_err};

use super::lower;
use super::store::DictionaryStore;

/// A file that has been read.
pub(super) struct ConfigFile {
    path: String,
    content: Vec<u8>,
}

impl ConfigFile {
    /// Reads `NAME.EXTENSION`; `what` it is stands in the message when it is not there.
    pub fn open(store: &DictionaryStore, name: &str, extension: &str, what: &str) -> PgResult<ConfigFile> {
        // Names come from any user, so they must not lead out of the directory.
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if !name.chars().all(plain) {
            return Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "invalid text search configuration file name \"{name}\""
            ));
        }
        let file = format!("{name}.{extension}");
        let (path, content) = store.read(&file);
        match content {
            Ok(content) => Ok(ConfigFile { path, content }),
            Err(error) => Err(pg_err!(
                CONFIG_FILE_ERROR,
                "could not open {what} file \"{path}\": {}",
                common::env::os_error_text(&error)
            )),
        }
    }

    /// Shows every line, its line feed included, to `visit`, which says whether to go on; errors say which line they are about.
    pub fn lines(&self, visit: &mut dyn FnMut(&str) -> PgResult<bool>) -> PgResult<()> {
        for (number, bytes) in (1..).zip(self.content.split_inclusive(|b| *b == b'\n')) {
            let place = || format!("line {number} of configuration file \"{}\"", self.path);
            let line = types::io_text::utf8(bytes).map_err(|e| e.context(place()))?;
            if !visit(line).map_err(|e| e.context(format!("{}: \"{line}\"", place())))? {
                break;
            }
        }
        Ok(())
    }
}

/// White space in these files: that of ASCII.
pub(super) fn is_space(c: char) -> bool {
    c.is_ascii_whitespace() || c == '\x0b'
}

/// Sorted stop words.
#[derive(Debug, Default)]
pub(crate) struct StopWords(Vec<Box<str>>);

macro_rules! stop_lists {
    ($($name:literal)*) => {
        &[$((concat!($name, ".stop"), include_str!(concat!("../../../../data/stopwords/", $name, ".txt")))),*]
    };
}

/// The files that come with the program: the stop words of each language that has some, one a line. They are the words that
/// PostgreSQL's dictionaries throw away, found by asking one.
pub(super) static BUILTIN_FILES: &[(&str, &str)] = stop_lists!(
    "danish" "dutch" "english" "finnish" "french" "german" "hungarian" "italian" "nepali" "norwegian" "portuguese"
    "russian" "spanish" "swedish" "turkish"
);

impl StopWords {
    /// Reads a list: the first word of every line.
    pub fn named(store: &DictionaryStore, name: &str) -> PgResult<StopWords> {
        let mut words = Vec::new();
        ConfigFile::open(store, name, "stop", "stop-word")?.lines(&mut |line| {
            let word = line.split(is_space).next().unwrap_or("");
            if !word.is_empty() {
                words.push(lower(word).into_boxed_str());
            }
            Ok(true)
        })?;
        words.sort_unstable();
        words.dedup();
        Ok(StopWords(words))
    }

    /// True for a stop word.
    pub fn contains(&self, word: &str) -> bool {
        self.0.binary_search_by(|w| (**w).cmp(word)).is_ok()
    }
}
