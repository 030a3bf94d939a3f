//! The recorded regression suite: files, statements, what does not count.
//!
//! The corpus lies beside the project (`../shared/pg18/regress` from the workspace root, or `PGLITE_REGRESS_CORPUS`); its
//! README describes the format.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A statement: the input lines that end where psql has run all it read.
#[derive(Debug, Clone)]
pub struct Statement {
    /// `file:ordinal`.
    pub id: String,
    /// First word, or the backslash command.
    pub kind: String,
    /// Tags of the corpus.
    pub tags: Vec<String>,
    /// The lines that psql echoes for it.
    pub echo: Vec<String>,
    /// Not counted: psql's own, or listed as unstable.
    pub excluded: bool,
}

impl Statement {
    /// Whether it has a tag.
    pub fn has(&self, tag: &str) -> bool {
        self.tags.iter().any(|t| t == tag)
    }
}

/// One regression file.
#[derive(Debug, Clone, Default)]
pub struct File {
    /// Its script.
    pub sql: String,
    /// Acceptable outputs, the recorded one first.
    pub expected: Vec<String>,
    /// Its statements, in order.
    pub statements: Vec<Statement>,
}

/// The corpus.
#[derive(Debug)]
pub struct Corpus {
    /// Where it is.
    pub root: PathBuf,
    /// File names in the order in which they run.
    pub schedule: Vec<String>,
    /// Files by name.
    pub files: HashMap<String, File>,
    /// Files that must have run before.
    pub prelude: BTreeMap<String, Vec<String>>,
}

/// Lines as score.py cuts them.
pub fn lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.split('\n').collect();
    if lines.last() == Some(&"") {
        lines.pop();
    }
    lines
}

/// The corpus holds bytes as latin-1 characters.
fn from_latin1(text: &str) -> String {
    let bytes: Vec<u8> = text
        .chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?'))
        .collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The folder of the workspace.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

impl Corpus {
    /// Where the corpus is; `Err` says where it was sought.
    pub fn find() -> Result<PathBuf, String> {
        let mut places = Vec::new();
        if let Ok(path) = std::env::var("PGLITE_REGRESS_CORPUS") {
            places.push(PathBuf::from(path));
        }
        places.extend(
            workspace()
                .ancestors()
                .skip(1)
                .map(|p| p.join("shared/pg18/regress")),
        );
        match places.iter().find(|p| p.join("files.jsonl").exists()) {
            Some(found) => Ok(found.clone()),
            None => Err(format!(
                "no regression corpus in {places:?}; set PGLITE_REGRESS_CORPUS"
            )),
        }
    }

    /// Reads it.
    pub fn load(root: &Path) -> Result<Corpus, String> {
        let read = |name: &str| fs::read_to_string(root.join(name)).map_err(|e| format!("{name}: {e}"));
        let json = |text: &str| serde_json::from_str::<Value>(text).map_err(|e| e.to_string());
        let unstable = json(&read("unstable.json")?)?;
        let mut files: HashMap<String, File> = HashMap::new();
        for line in read("files.jsonl")?.lines() {
            let record = json(line)?;
            let text = |key: &str| record[key].as_str().map(from_latin1);
            let file = File {
                sql: text("sql").unwrap_or_default(),
                expected: ["expected", "expected_alt"]
                    .iter()
                    .filter_map(|k| text(k))
                    .collect(),
                statements: Vec::new(),
            };
            files.insert(record["name"].as_str().unwrap_or_default().to_owned(), file);
        }
        for line in read("tags.jsonl")?.lines() {
            let record = json(line)?;
            let name = record["file"].as_str().unwrap_or_default();
            if let Some(file) = files.get_mut(name) {
                let id = record["id"].as_str().unwrap_or_default();
                let statement = statement(&record, &lines(&file.sql), !unstable["statements"][id].is_null());
                file.statements.push(statement);
            }
        }
        let schedule = read("schedule")?;
        let words = schedule
            .lines()
            .flat_map(|l| l.split('#').next().unwrap_or("").split_whitespace());
        let prelude = serde_json::from_str(&read("prelude.json")?).map_err(|e| e.to_string())?;
        Ok(Corpus {
            root: root.to_owned(),
            schedule: words.map(str::to_owned).collect(),
            files,
            prelude,
        })
    }
}

fn statement(record: &Value, source: &[&str], unstable: bool) -> Statement {
    let number = |v: &Value| v.as_u64().unwrap_or(1) as usize;
    let strings = |v: &Value| -> Vec<String> {
        let items = v.as_array().map(Vec::as_slice).unwrap_or_default();
        items
            .iter()
            .filter_map(|t| t.as_str().map(str::to_owned))
            .collect()
    };
    let blank: Vec<usize> = record["blank"]
        .as_array()
        .map(|b| b.iter().map(number).collect())
        .unwrap_or_default();
    let (first, last) = (number(&record["lines"][0]), number(&record["lines"][1]));
    let echo = (first..=last).filter_map(|i| {
        let line = source.get(i - 1)?;
        (!line.is_empty() || blank.contains(&i)).then(|| (*line).to_owned())
    });
    let tags = strings(&record["tags"]);
    Statement {
        id: record["id"].as_str().unwrap_or_default().to_owned(),
        kind: record["kind"].as_str().unwrap_or_default().to_owned(),
        echo: echo.collect(),
        excluded: unstable || tags.iter().any(|t| t == "psqlonly"),
        tags,
    }
}
