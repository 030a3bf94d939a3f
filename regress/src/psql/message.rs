//! Errors and notices as psql prints them, with the LINE that shows where.

use pglite::Error;
use unicode_width::UnicodeWidthChar;

/// How much of a message is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    /// Severity and message in one line.
    Terse,
    /// With DETAIL, HINT, CONTEXT.
    Default,
    /// With the SQLSTATE.
    Verbose,
    /// Only the SQLSTATE.
    Sqlstate,
}

/// Whether CONTEXT is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShowContext {
    /// Never.
    Never,
    /// For errors.
    Errors,
    /// Always.
    Always,
}

/// Widest query line that is shown whole.
const LINE_WIDTH_MAX: usize = 60;
/// What stays of the line at the right of the position, at least.
const RIGHT_MIN: usize = 10;

/// The text of an error or notice. `query`: what was sent.
pub fn message(e: &Error, query: &str, verbosity: Verbosity, context: ShowContext) -> String {
    let severity = e.severity().as_str();
    let mut out = format!("{severity}:  ");
    if verbosity == Verbosity::Sqlstate {
        out.push_str(e.code());
        out.push('\n');
        return out;
    }
    if verbosity == Verbosity::Verbose {
        out.push_str(e.code());
        out.push_str(": ");
    }
    out.push_str(e.message());
    if verbosity == Verbosity::Terse {
        if let Some(at) = e.position() {
            out.push_str(&format!(" at character {at}"));
        }
        out.push('\n');
        return out;
    }
    out.push('\n');
    if let Some(at) = e.position() {
        position(&mut out, query, at as usize);
    } else if let (Some(at), Some(query)) = (e.internal_position(), e.internal_query()) {
        position(&mut out, query, at as usize);
    }
    let is_error = matches!(severity, "ERROR" | "FATAL" | "PANIC");
    let shows_context = context == ShowContext::Always || (context == ShowContext::Errors && is_error);
    let fields = [
        ("DETAIL", e.detail()),
        ("HINT", e.hint()),
        ("QUERY", e.internal_query()),
        ("CONTEXT", e.context().filter(|_| shows_context)),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            out.push_str(&format!("{name}:  {value}\n"));
        }
    }
    if verbosity == Verbosity::Verbose {
        let names = [
            ("SCHEMA NAME", e.schema()),
            ("TABLE NAME", e.table()),
            ("COLUMN NAME", e.column()),
            ("DATATYPE NAME", e.datatype()),
            ("CONSTRAINT NAME", e.constraint()),
        ];
        for (name, value) in names {
            if let Some(value) = value {
                out.push_str(&format!("{name}:  {value}\n"));
            }
        }
    }
    out
}

/// Appends `LINE n: text` and the caret under character `at` (from 1).
fn position(out: &mut String, query: &str, at: usize) {
    let Some(at) = at.checked_sub(1) else { return };
    let chars: Vec<char> = query.chars().collect();
    if at > chars.len() {
        return;
    }
    let number = 1 + chars[..at].iter().filter(|c| **c == '\n').count();
    let start = chars[..at].iter().rposition(|c| *c == '\n').map_or(0, |p| p + 1);
    let end = chars[at..]
        .iter()
        .position(|c| *c == '\n' || *c == '\r')
        .map_or(chars.len(), |p| at + p);
    let line: Vec<char> = chars[start..end]
        .iter()
        .map(|c| if *c == '\t' { ' ' } else { *c })
        .collect();
    let at = at - start;
    let mut column = vec![0_usize];
    for c in &line {
        column.push(column[column.len() - 1] + c.width().unwrap_or(1));
    }
    let (mut from, mut to) = (0, line.len());
    let (mut cut_left, mut cut_right) = (false, false);
    if column[to] > LINE_WIDTH_MAX {
        if LINE_WIDTH_MAX >= column[at] + RIGHT_MIN {
            while column[to] - column[from] > LINE_WIDTH_MAX {
                to -= 1;
                cut_right = true;
            }
        } else {
            while column[at] + RIGHT_MIN < column[to] {
                to -= 1;
                cut_right = true;
            }
            while column[to] - column[from] > LINE_WIDTH_MAX {
                from += 1;
                cut_left = true;
            }
        }
    }
    let head = format!("LINE {number}: {}", if cut_left { "..." } else { "" });
    let shown: String = line[from..to].iter().collect();
    let tail = if cut_right { "..." } else { "" };
    out.push_str(&format!("{head}{shown}{tail}\n"));
    out.push_str(&" ".repeat(head.len() + column[at] - column[from]));
    out.push_str("^\n");
}
