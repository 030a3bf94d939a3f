//! Tables: the terminal's, docs/REGRESSION.md, and the ratchet.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::corpus::workspace;
use crate::score::{Count, Ending, FileScore, gaps};

/// What a file reached once and must reach again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    /// Exact statements with output.
    pub exact_with_output: usize,
    /// Exact statements.
    pub exact_all: usize,
    /// Lenient statements.
    pub lenient: usize,
    /// It crashed or hung.
    pub crashed: bool,
}

impl From<&FileScore> for Mark {
    fn from(s: &FileScore) -> Mark {
        Mark {
            exact_with_output: s.output.exact + s.explain.exact,
            exact_all: s.all.exact,
            lenient: s.all.lenient,
            crashed: s.ending != Ending::Done,
        }
    }
}

/// Marks by file.
pub type Ratchet = BTreeMap<String, Mark>;

/// Where the ratchet is.
pub fn ratchet_path() -> PathBuf {
    workspace().join("regress/ratchet.tsv")
}

/// Reads the ratchet; empty when there is none.
pub fn read_ratchet(path: &Path) -> Ratchet {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let entry = |line: &str| {
        let f: Vec<&str> = line.split('\t').collect();
        let n = |i: usize| f.get(i)?.parse::<usize>().ok();
        let mark = Mark {
            exact_with_output: n(1)?,
            exact_all: n(2)?,
            lenient: n(3)?,
            crashed: n(4)? != 0,
        };
        Some((f[0].to_owned(), mark))
    };
    text.lines().filter_map(entry).collect()
}

/// The ratchet's text.
pub fn ratchet_text(ratchet: &Ratchet) -> String {
    let mut out = String::from("file\texact_with_output\texact_all\tlenient\tcrashed\n");
    for (name, m) in ratchet {
        let crashed = u8::from(m.crashed);
        let _ = writeln!(
            out,
            "{name}\t{}\t{}\t{}\t{crashed}",
            m.exact_with_output, m.exact_all, m.lenient
        );
    }
    out
}

/// Takes what got better; what got worse leaves its mark where it was.
pub fn raise(ratchet: &mut Ratchet, scores: &[FileScore]) {
    for s in scores {
        let new = Mark::from(s);
        let mark = ratchet.entry(s.name.clone()).or_insert(new);
        *mark = Mark {
            exact_with_output: mark.exact_with_output.max(new.exact_with_output),
            exact_all: mark.exact_all.max(new.exact_all),
            lenient: mark.lenient.max(new.lenient),
            crashed: mark.crashed && new.crashed,
        };
    }
}

/// What got worse.
pub fn regressions(ratchet: &Ratchet, scores: &[FileScore]) -> Vec<String> {
    let mut out = Vec::new();
    for s in scores {
        let Some(old) = ratchet.get(&s.name).copied() else {
            continue;
        };
        let new = Mark::from(s);
        let counts = [
            (
                "exact statements with output",
                old.exact_with_output,
                new.exact_with_output,
            ),
            ("exact statements", old.exact_all, new.exact_all),
            ("lenient statements", old.lenient, new.lenient),
        ];
        for (what, old, new) in counts {
            if new < old {
                out.push(format!("{}: {what}: {new}, were {old}", s.name));
            }
        }
        if new.crashed && !old.crashed {
            out.push(format!("{}: {}", s.name, s.ending.word()));
        }
    }
    out
}

fn percent(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        100.0
    } else {
        100.0 * part as f64 / whole as f64
    }
}

fn cell(c: Count) -> String {
    format!("{} of {} ({:.1} %)", c.exact, c.all, percent(c.exact, c.all))
}

/// Sums.
#[derive(Debug, Default, Clone, Copy)]
pub struct Totals {
    /// All counted statements.
    pub all: Count,
    /// With output, EXPLAIN apart.
    pub output: Count,
    /// EXPLAIN.
    pub explain: Count,
    /// psql commands that our psql has not.
    pub not_run: usize,
    /// Files that crashed.
    pub crashes: usize,
    /// Files that hung.
    pub hangs: usize,
}

/// Adds files up.
pub fn totals(scores: &[FileScore]) -> Totals {
    let mut t = Totals::default();
    for s in scores {
        t.all.merge(s.all);
        t.output.merge(s.output);
        t.explain.merge(s.explain);
        t.not_run += s.not_run;
        t.crashes += usize::from(s.ending == Ending::Crash);
        t.hangs += usize::from(s.ending == Ending::Hang);
    }
    t
}

/// The totals in words.
pub fn summary(scores: &[FileScore]) -> String {
    let t = totals(scores);
    let line = |what: &str, c: Count| {
        format!(
            "{what}: {} statements, {} exact ({:.2} %), {} lenient ({:.2} %)\n",
            c.all,
            c.exact,
            percent(c.exact, c.all),
            c.lenient,
            percent(c.lenient, c.all)
        )
    };
    let silent = Count {
        all: t.all.all - t.output.all - t.explain.all,
        exact: t.all.exact - t.output.exact - t.explain.exact,
        lenient: t.all.lenient - t.output.lenient - t.explain.lenient,
    };
    line("with output, EXPLAIN apart", t.output)
        + &line("EXPLAIN", t.explain)
        + &line("silent", silent)
        + &line("all", t.all)
        + &format!(
            "{} files, {} crashes, {} hangs; {} psql commands not run\n",
            scores.len(),
            t.crashes,
            t.hangs,
            t.not_run
        )
}

/// The table for a terminal.
pub fn terminal(scores: &[FileScore]) -> String {
    let mut out = format!(
        "{:<24} {:>7} {:>7} {:>7} {:>9} {:>7} {:>7} {:>7} {:>6} {:>7}\n",
        "file", "output", "exact", "lenient", "explain", "exact", "all", "exact", "end", "sec"
    );
    for s in scores {
        let _ = writeln!(
            out,
            "{:<24} {:>7} {:>7} {:>7} {:>9} {:>7} {:>7} {:>7} {:>6} {:>7.1}",
            s.name,
            s.output.all,
            s.output.exact,
            s.output.lenient,
            s.explain.all,
            s.explain.exact,
            s.all.all,
            s.all.exact,
            s.ending.word(),
            s.seconds
        );
    }
    out + "\n" + &summary(scores)
}

/// docs/REGRESSION.md.
pub fn markdown(scores: &[FileScore], engine: &str) -> String {
    let mut out = String::from(
        "# PostgreSQL's regression suite\n\nWritten by `pglite-regress run --all --update`; never edited. Each file runs in a \
         fresh in-memory database, in a process of its own, after the files it needs. *Exact*: the output of psql byte for byte; \
         *lenient*: the same rows in any order and layout, or the same error message. Silent statements print nothing and pass \
         on any server that says yes, so they are counted apart; so are EXPLAINs, which expect PostgreSQL's plans.\n\n",
    );
    let _ = writeln!(out, "{engine}\n\n```text\n{}```\n", summary(scores));
    out.push_str(
        "| file | with output, exact | lenient | EXPLAIN, exact | all, exact | psql not run | end | s |\n",
    );
    out.push_str("|---|---|---|---|---|---|---|---|\n");
    for s in scores {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} | {:.1} |",
            s.name,
            cell(s.output),
            s.output.lenient,
            if s.explain.all == 0 {
                "-".into()
            } else {
                cell(s.explain)
            },
            cell(s.all),
            s.not_run,
            s.ending.word(),
            s.seconds
        );
    }
    out.push_str("\n## Most frequent causes\n\n| statements | cause | for example |\n|---|---|---|\n");
    for (cause, count, examples) in gaps(scores).into_iter().take(60) {
        let _ = writeln!(
            out,
            "| {count} | {} | {} |",
            cause.replace('|', "\\|"),
            examples.join(" ")
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(exact: usize, ending: Ending) -> FileScore {
        let count = Count {
            exact,
            lenient: exact,
            ..Count::default()
        };
        FileScore {
            name: "f".to_owned(),
            all: count,
            output: count,
            ending,
            ..FileScore::default()
        }
    }

    #[test]
    fn marks_only_rise() {
        let mut ratchet = Ratchet::new();
        for (exact, expected) in [(5, 5), (3, 5), (8, 8)] {
            raise(&mut ratchet, &[score(exact, Ending::Done)]);
            assert_eq!(ratchet.get("f").map(|m| m.exact_all), Some(expected));
        }
    }
}
