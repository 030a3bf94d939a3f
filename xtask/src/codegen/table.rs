//! Reading the tab-separated catalog dumps.

use std::collections::HashMap;
use std::path::Path;

/// A dump: named columns, rows of cells. An empty cell is NULL; `""` is the empty string.
pub struct Table {
    columns: HashMap<String, usize>,
    rows: Vec<Vec<String>>,
}

/// One row.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    table: &'a Table,
    cells: &'a [String],
}

impl Table {
    /// Reads `DIR/NAME.tsv`.
    pub fn read(dir: &Path, name: &str) -> Result<Table, String> {
        let path = dir.join(format!("{name}.tsv"));
        let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let mut lines = split_rows(&text).into_iter();
        let head = lines.next().ok_or_else(|| format!("{name}: empty"))?;
        let columns = head.into_iter().enumerate().map(|(i, c)| (c, i)).collect();
        Ok(Table {
            columns,
            rows: lines.collect(),
        })
    }

    /// The rows in file order.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(move |cells| Row { table: self, cells })
    }
}

/// CSV with tabs: cells may be quoted, quotes inside are doubled; unquoted empty cells stay empty and quoted ones become `""`.
fn split_rows(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let (mut quoted, mut was_quoted) = (false, false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if cell.is_empty() => (quoted, was_quoted) = (true, true),
            '\t' | '\n' if !quoted => {
                if was_quoted && cell.is_empty() {
                    cell.push_str("\"\"");
                }
                row.push(std::mem::take(&mut cell));
                was_quoted = false;
                if c == '\n' {
                    rows.push(std::mem::take(&mut row));
                }
            }
            c => cell.push(c),
        }
    }
    rows
}

impl<'a> Row<'a> {
    fn raw(&self, column: &str) -> &'a str {
        let at = self.table.columns.get(column);
        at.and_then(|&i| self.cells.get(i)).map_or("", String::as_str)
    }

    /// The cell; NULL reads as empty.
    pub fn text(&self, column: &str) -> &'a str {
        match self.raw(column) {
            "\"\"" => "",
            other => other,
        }
    }

    /// The cell, `None` for NULL.
    pub fn nullable(&self, column: &str) -> Option<&'a str> {
        match self.raw(column) {
            "" => None,
            "\"\"" => Some(""),
            other => Some(other),
        }
    }

    /// A number.
    pub fn number(&self, column: &str) -> Result<i64, String> {
        let text = self.text(column);
        text.parse()
            .map_err(|_| format!("{column}: not a number: {text:?}"))
    }

    /// `true` or `false` as Rust writes it.
    pub fn boolean(&self, column: &str) -> &'static str {
        if self.text(column) == "t" { "true" } else { "false" }
    }

    /// A `"char"` as a Rust byte literal.
    pub fn byte(&self, column: &str) -> String {
        format!("b'{}'", self.text(column))
    }

    /// A Rust string literal.
    pub fn literal(&self, column: &str) -> String {
        format!("{:?}", self.text(column))
    }
}
