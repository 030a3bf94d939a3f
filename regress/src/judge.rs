//! Verdicts on one statement: exact (byte for byte) and lenient (same rows in any order and layout, or same error message).

use std::sync::LazyLock;

use regex::Regex;

macro_rules! pattern {
    ($name:ident, $text:expr) => {
        // The pattern is a constant: it compiles or the first test fails.
        #[allow(clippy::unwrap_used)]
        static $name: LazyLock<Regex> = LazyLock::new(|| Regex::new($text).unwrap());
    };
}

pattern!(
    MESSAGE,
    r"^(ERROR|FATAL|PANIC|WARNING|NOTICE|INFO|LOG|DEBUG):  (.*)$"
);
pattern!(
    EXTRA,
    r"^(DETAIL|HINT|CONTEXT|QUERY|STATEMENT|LOCATION|SCHEMA NAME|TABLE NAME|COLUMN NAME|DATATYPE NAME|CONSTRAINT NAME):  "
);
pattern!(SEPARATOR, r"^-+(\+-+)*$");
pattern!(FOOTER, r"^\(\d+ rows?\)$");
pattern!(RECORD, r"^-\[ RECORD \d+ \][-+]*$");
pattern!(LINE, r"^LINE \d+: ");

/// How a statement's output compares with the recorded one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Byte for byte.
    pub exact: bool,
    /// The same meaning.
    pub lenient: bool,
    /// What differs, when not exact.
    pub differs: Option<Difference>,
    /// The error that came.
    pub got_error: Option<String>,
    /// The error that should have come.
    pub want_error: Option<String>,
}

/// What differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Difference {
    /// The statement was not reached.
    Missing,
    /// Order, layout or message details.
    Layout,
    /// Another error, an error too many, or one too few.
    Error,
    /// NOTICE or WARNING.
    Messages,
    /// Rows.
    Rows,
}

#[derive(Debug, PartialEq, Eq)]
enum Item {
    Message(String, String),
    Table(String, Vec<String>),
    Records(Vec<Vec<String>>),
    Line(String),
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn squeeze(line: &str) -> String {
    line.split('|').map(words).collect::<Vec<_>>().join("|")
}

/// What a block says, without layout, row order and error decoration.
fn canonical(block: &[&str]) -> Vec<Item> {
    let separator_at = |i: usize| block.get(i).is_some_and(|l| SEPARATOR.is_match(l));
    let (mut out, mut i) = (Vec::new(), 0);
    while i < block.len() {
        let line = block[i];
        if let Some(m) = MESSAGE.captures(line) {
            out.push(Item::Message(m[1].to_owned(), words(&m[2])));
            i += 1;
        } else if EXTRA.is_match(line) {
            i += 1;
            while i < block.len()
                && !(MESSAGE.is_match(block[i]) || EXTRA.is_match(block[i]) || separator_at(i + 1))
            {
                i += 1;
            }
        } else if LINE.is_match(line) {
            i += if block.get(i + 1).is_some_and(|l| l.trim() == "^") {
                2
            } else {
                1
            };
        } else if separator_at(i + 1) {
            let header = squeeze(line);
            let mut rows = Vec::new();
            i += 2;
            while i < block.len() && !block[i].is_empty() && !FOOTER.is_match(block[i]) {
                rows.push(squeeze(block[i]));
                i += 1;
            }
            if block.get(i).is_some_and(|l| FOOTER.is_match(l)) {
                i += 1;
            }
            rows.sort();
            out.push(Item::Table(header, rows));
        } else if RECORD.is_match(line) {
            let mut records: Vec<Vec<String>> = Vec::new();
            while i < block.len() && !block[i].is_empty() {
                if RECORD.is_match(block[i]) {
                    records.push(Vec::new());
                } else if let Some(last) = records.last_mut() {
                    last.push(squeeze(block[i]));
                }
                i += 1;
            }
            records.sort();
            out.push(Item::Records(records));
        } else {
            if !line.trim().is_empty() {
                out.push(Item::Line(squeeze(line)));
            }
            i += 1;
        }
    }
    out
}

fn without_messages(items: &[Item]) -> Vec<&Item> {
    let errors = ["ERROR", "FATAL", "PANIC"];
    let keep = |i: &&Item| !matches!(i, Item::Message(s, _) if !errors.contains(&s.as_str()));
    items.iter().filter(keep).collect()
}

fn first_error(block: &[&str]) -> Option<String> {
    let error = block.iter().find_map(|line| {
        let m = MESSAGE.captures(line)?;
        matches!(&m[1], "ERROR" | "FATAL" | "PANIC").then(|| m[2].to_owned())
    });
    error.or_else(|| {
        let client = |l: &&&str| {
            l.starts_with("psql: error: ")
                || l.starts_with("server closed the connection")
                || l.starts_with('\\')
                || l.contains("invalid command")
        };
        block.iter().find(client).map(|l| (*l).to_owned())
    })
}

/// The best verdict over the acceptable blocks.
pub fn judge(wants: &[&[&str]], got: Option<&[&str]>) -> Verdict {
    let verdicts = wants.iter().map(|want| judge_one(want, got));
    verdicts.max_by_key(|v| (v.exact, v.lenient)).unwrap_or(Verdict {
        exact: false,
        lenient: false,
        differs: Some(Difference::Missing),
        got_error: None,
        want_error: None,
    })
}

fn judge_one(want: &[&str], got: Option<&[&str]>) -> Verdict {
    let want_error = first_error(want);
    let Some(got) = got else {
        return Verdict {
            exact: false,
            lenient: false,
            differs: Some(Difference::Missing),
            got_error: None,
            want_error,
        };
    };
    let (exact, got_error) = (got == want, first_error(got));
    let (mut lenient, mut differs) = (exact, None);
    if !exact {
        let (meant, said) = (canonical(want), canonical(got));
        lenient = meant == said;
        differs = Some(if lenient {
            Difference::Layout
        } else if got_error != want_error {
            Difference::Error
        } else if without_messages(&meant) == without_messages(&said) {
            Difference::Messages
        } else {
            Difference::Rows
        });
    }
    Verdict {
        exact,
        lenient,
        differs,
        got_error,
        want_error,
    }
}
