//! Statements to start from, and how bytes change them.

use std::path::Path;
use std::sync::OnceLock;

/// The statements of all files that can be found: our own regression files, and PostgreSQL's where the corpus is beside the project.
pub fn files() -> &'static [Vec<String>] {
    static ALL: OnceLock<Vec<Vec<String>>> = OnceLock::new();
    ALL.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut paths: Vec<_> = std::fs::read_dir(root.join("regress/sql"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        paths.sort();
        let own = paths
            .iter()
            .map(|path| split(&std::fs::read_to_string(path).unwrap()));
        let mut all: Vec<Vec<String>> = own.collect();
        let corpus = match std::env::var_os("PGLITE_REGRESS_CORPUS") {
            Some(dir) => dir.into(),
            None => root.join("../shared/pg18/regress"),
        };
        match std::fs::read_to_string(corpus.join("files.jsonl")) {
            Ok(text) => {
                for line in text.lines() {
                    let file: serde_json::Value = serde_json::from_str(line).unwrap();
                    all.push(split(file["sql"].as_str().unwrap_or("")));
                }
            }
            Err(_) => eprintln!("PostgreSQL's regression files are not at {}", corpus.display()),
        }
        println!("{} files to start from", all.len());
        all
    })
}

/// All of them in a row.
pub fn statements() -> &'static [&'static str] {
    static ALL: OnceLock<Vec<&'static str>> = OnceLock::new();
    ALL.get_or_init(|| files().iter().flatten().map(String::as_str).collect())
}

/// Cuts at semicolons that end a line; what that gets wrong is good input too.
fn split(script: &str) -> Vec<String> {
    let mut all = Vec::new();
    for piece in script.split(";\n") {
        let lines = piece
            .lines()
            .filter(|line| !line.starts_with("--") && !line.starts_with('\\') && !line.is_empty());
        let text: Vec<&str> = lines.collect();
        let text = text.join("\n");
        if !text.is_empty() && text.len() < 4000 {
            all.push(text);
        }
    }
    all
}

/// Bytes as a row of decisions; zeros when they are used up.
pub struct Choices<'a> {
    bytes: &'a [u8],
}

impl<'a> Choices<'a> {
    pub fn new(bytes: &'a [u8]) -> Choices<'a> {
        Choices { bytes }
    }

    pub fn byte(&mut self) -> u8 {
        match self.bytes.split_first() {
            Some((first, rest)) => {
                self.bytes = rest;
                *first
            }
            None => 0,
        }
    }

    pub fn below(&mut self, end: usize) -> usize {
        let number = u32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()]);
        number as usize % end.max(1)
    }

    pub fn pick<T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }

    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }
}

/// Values and words at the edge of something.
const EDGES: &[&str] = &[
    "NULL",
    "''",
    "0",
    "-1",
    "1",
    "2147483647",
    "-2147483648",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "1e400",
    "-1e-400",
    "0.1e1",
    "'NaN'",
    "'Infinity'",
    "'-infinity'",
    "'epoch'",
    "'{}'",
    "'{1,NULL}'",
    "'[]'",
    "'[1,2)'",
    "'empty'",
    "'\\x'",
    "E'\\u0001'",
    "'\u{10ffff}'",
    "B'1'",
    "X'ff'",
    "'4713-01-01 BC'",
    "'294276-12-31'",
    "'178000000 years'",
    "'-178000000 years'",
    "ARRAY[]::int[]",
    "ROW()",
    "ROW(NULL)",
    "DEFAULT",
    "*",
    "DISTINCT",
    "(SELECT 1)",
    "(SELECT NULL)",
    "::int",
    "::text",
    "::numeric",
    "::text[]",
    "::json",
    "::jsonb",
    "$1",
    ";",
    "(",
    ")",
    "[",
    "]",
    ",",
    "1000000000",
    "65536",
    "32768",
    "128",
    "true",
    "LIMIT 0",
    "ORDER BY 1",
    "GROUP BY ()",
    "OVER ()",
    "FILTER (WHERE true)",
    "COLLATE \"C\"",
    "AS x",
    "generate_series(1, 3)",
    "random()",
    "now()",
    "IS NULL",
];

/// Splits into words, numbers, strings and single signs; together they are the text again.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let len = if first == '\'' {
            rest[1..].find('\'').map_or(rest.len(), |at| at + 2)
        } else if first.is_alphanumeric() || first == '_' {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len())
        } else if first.is_whitespace() {
            rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (token, after) = rest.split_at(len);
        tokens.push(token);
        rest = after;
    }
    tokens
}

/// A statement of the corpus, changed in some places.
pub fn mutant(choices: &mut Choices<'_>) -> String {
    let all = statements();
    let base = all[choices.below(all.len())];
    changed(base, choices)
}

/// A statement changed in up to four places.
pub fn changed(base: &str, choices: &mut Choices<'_>) -> String {
    let all = statements();
    let mut list: Vec<String> = tokens(base).into_iter().map(str::to_owned).collect();
    for _ in 0..choices.byte() % 5 {
        let at = choices.below(list.len().max(1));
        if list.is_empty() {
            break;
        }
        match choices.byte() % 8 {
            0 => drop(list.remove(at)),
            1 => list.insert(at, list[at].clone()),
            2 => {
                let other = choices.below(list.len());
                list.swap(at, other);
            }
            3 => list.insert(at, format!(" {} ", choices.pick(EDGES))),
            4 | 5 => list[at] = choices.pick(EDGES).to_owned(),
            6 => {
                // A piece of another statement.
                let other = tokens(all[choices.below(all.len())]);
                let from = choices.below(other.len());
                let to = (from + 1 + choices.below(6)).min(other.len());
                list.insert(at, other[from..to].concat());
            }
            _ => list.truncate(at),
        }
    }
    list.concat()
}
