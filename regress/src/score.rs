//! Scores of files: counts, and what went wrong most often.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;

use crate::align::align;
use crate::corpus::{File, lines};
use crate::judge::{Difference, Verdict, judge};
use crate::psql::NOT_SUPPORTED;

/// Statements counted, exact and lenient.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// All that count.
    pub all: usize,
    /// Byte for byte.
    pub exact: usize,
    /// The same meaning.
    pub lenient: usize,
}

impl Count {
    fn add(&mut self, v: &Verdict) {
        self.all += 1;
        self.exact += usize::from(v.exact);
        self.lenient += usize::from(v.lenient);
    }

    /// Adds another count.
    pub fn merge(&mut self, other: Count) {
        self.all += other.all;
        self.exact += other.exact;
        self.lenient += other.lenient;
    }
}

/// How the run of a file ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ending {
    /// By itself.
    #[default]
    Done,
    /// The process died.
    Crash,
    /// It took too long.
    Hang,
}

impl Ending {
    /// A word for tables.
    pub fn word(self) -> &'static str {
        match self {
            Ending::Done => "ok",
            Ending::Crash => "CRASH",
            Ending::Hang => "HANG",
        }
    }
}

/// A file's score.
#[derive(Debug, Clone, Default)]
pub struct FileScore {
    /// File.
    pub name: String,
    /// All counted statements.
    pub all: Count,
    /// Those with output, EXPLAIN apart.
    pub output: Count,
    /// EXPLAIN.
    pub explain: Count,
    /// Of those with output, commands that our psql has not (`\d` and others).
    pub not_run: usize,
    /// How it ended.
    pub ending: Ending,
    /// Seconds with its prelude.
    pub seconds: f64,
    /// What failed: statement id and verdict.
    pub failures: Vec<(String, Verdict)>,
}

/// Scores an output.
pub fn score(name: &str, file: &File, output: &str) -> FileScore {
    let echoes: Vec<Vec<String>> = file.statements.iter().map(|s| s.echo.clone()).collect();
    let expected: Vec<Vec<&str>> = file.expected.iter().map(|e| lines(e)).collect();
    let wants: Vec<_> = expected.iter().map(|e| align(e, &echoes)).collect();
    let produced = lines(output);
    let gots = align(&produced, &echoes);
    let mut total = FileScore {
        name: name.to_owned(),
        ..FileScore::default()
    };
    for (i, statement) in file.statements.iter().enumerate() {
        if statement.excluded {
            continue;
        }
        let mut acceptable: Vec<&[&str]> = wants.iter().filter_map(|w| w[i]).collect();
        if wants.first().is_none_or(|w| w[i].is_none()) {
            acceptable.push(&[]);
        }
        let verdict = judge(&acceptable, gots[i]);
        total.all.add(&verdict);
        if statement.has("explain") {
            total.explain.add(&verdict);
        } else if !statement.has("silent") {
            total.output.add(&verdict);
            let unsupported = gots[i].is_some_and(|b| b.iter().any(|l| l.starts_with(NOT_SUPPORTED)));
            total.not_run += usize::from(unsupported);
        }
        if !verdict.exact {
            total.failures.push((statement.id.clone(), verdict));
        }
    }
    total
}

#[allow(clippy::unwrap_used)]
static FOLDS: LazyLock<[(Regex, &'static str); 4]> = LazyLock::new(|| {
    [
        (Regex::new("\"[^\"]*\"").unwrap(), "\"*\""),
        (Regex::new("'[^']*'").unwrap(), "'*'"),
        (Regex::new(r"\b\d+\b").unwrap(), "N"),
        (
            Regex::new("\\b(function|operator|type) [^\"]*?(does not exist|is not)").unwrap(),
            "$1 ... $2",
        ),
    ]
});

/// Names and numbers folded, so that messages of one cause count together.
fn folded(message: &str) -> String {
    let mut text = message.to_owned();
    for (pattern, by) in FOLDS.iter() {
        text = pattern.replace_all(&text, *by).into_owned();
    }
    text
}

/// Causes of failures, most frequent first, with some examples.
pub fn gaps(scores: &[FileScore]) -> Vec<(String, usize, Vec<String>)> {
    let mut groups: HashMap<String, Vec<String>> = HashMap::new();
    for (id, v) in scores.iter().flat_map(|s| &s.failures) {
        let cause = match (v.differs, &v.got_error) {
            (Some(Difference::Missing), _) => {
                "(not reached: crash, hang, or lines eaten as COPY data)".into()
            }
            (Some(Difference::Rows), _) => "(different rows)".into(),
            (Some(Difference::Layout), _) => {
                "(same meaning, other text: order, layout or message details)".into()
            }
            (Some(Difference::Messages), _) => "(NOTICE or WARNING missing, added or different)".into(),
            (_, Some(error)) => folded(error),
            (_, None) => "(no error, but one was expected)".into(),
        };
        groups.entry(cause).or_default().push(id.clone());
    }
    let mut found: Vec<_> = groups
        .into_iter()
        .map(|(cause, ids)| (cause, ids.len(), ids))
        .collect();
    found.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    for (_, _, ids) in &mut found {
        ids.truncate(4);
    }
    found
}
