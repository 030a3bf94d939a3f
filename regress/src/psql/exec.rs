//! Sending statements and collecting what comes back.

use std::sync::Arc;

use pglite::protocol::{PgResult, RowSink, ScriptStep, Step};
use pglite::{Column, Error};

use super::message::message;
use super::print::{self, Table};
use super::{Psql, Use};

/// Rows of text.
#[derive(Default)]
pub(crate) struct TextRows {
    rows: Vec<Vec<Option<String>>>,
    row: Vec<Option<String>>,
    bytes: Vec<u8>,
}

impl TextRows {
    /// The rows so far.
    pub(crate) fn take(self) -> Vec<Vec<Option<String>>> {
        self.rows
    }
}

impl RowSink for TextRows {
    fn begin_row(&mut self, values: usize) {
        self.row = Vec::with_capacity(values);
    }

    fn null(&mut self) {
        self.row.push(None);
    }

    fn value(&mut self, write: &mut dyn FnMut(&mut Vec<u8>) -> PgResult<()>) -> PgResult<()> {
        self.bytes.clear();
        write(&mut self.bytes)?;
        self.row
            .push(Some(String::from_utf8_lossy(&self.bytes).into_owned()));
        Ok(())
    }

    fn end_row(&mut self) {
        self.rows.push(std::mem::take(&mut self.row));
    }
}

/// Types whose values psql aligns to the right: numbers, `oid`, `xid`, `xid8`, `cid`, `money`.
fn aligns_right(type_oid: u32) -> bool {
    matches!(
        type_oid,
        20 | 21 | 23 | 26 | 28 | 29 | 700 | 701 | 790 | 1700 | 5069
    )
}

fn table_of(columns: &[Column], rows: Vec<Vec<Option<String>>>) -> Table {
    Table {
        headers: columns.iter().map(|c| c.name().to_owned()).collect(),
        right: columns.iter().map(|c| aligns_right(c.type_oid())).collect(),
        rows,
        title: None,
    }
}

impl Psql<'_> {
    /// Runs a string of statements by the simple protocol.
    pub(super) fn execute(&mut self, query: &str, purpose: &Use) {
        if self.vars.get("AUTOCOMMIT") == Some("off") {
            self.begin_for(query);
        }
        let result = self.execute_steps(query, purpose);
        self.finish(query, result);
    }

    /// Without AUTOCOMMIT a block begins before the first statement that is not about transactions.
    fn begin_for(&mut self, query: &str) {
        let word: String = query
            .trim_start()
            .chars()
            .take_while(char::is_ascii_alphabetic)
            .collect();
        let own = ["begin", "start", "commit", "rollback", "abort", "end", "vacuum"];
        let idle = self.session.transaction_status() == pglite::TransactionStatus::Idle;
        if idle && !own.contains(&word.to_ascii_lowercase().as_str()) {
            let _ = self.session.batch_execute("BEGIN");
        }
    }

    fn finish(&mut self, query: &str, result: Result<u64, Error>) {
        self.notices(query);
        match result {
            Ok(rows) => {
                self.vars.set("ERROR", "false");
                self.vars.set("SQLSTATE", "00000");
                self.vars.set("ROW_COUNT", rows.to_string());
            }
            Err(e) => {
                self.vars.set("ERROR", "true");
                self.vars.set("SQLSTATE", e.code());
                self.vars.set("ROW_COUNT", "0");
                self.vars.set("LAST_ERROR_SQLSTATE", e.code());
                self.vars.set("LAST_ERROR_MESSAGE", e.message());
                let text = message(&e, query, self.verbosity(), self.show_context());
                self.print(&text);
            }
        }
        for n in self.session.take_notifications() {
            let payload = if n.payload.is_empty() {
                String::new()
            } else {
                format!(" with payload \"{}\"", n.payload)
            };
            self.print(&format!(
                "Asynchronous notification \"{}\"{payload} received from server process with PID {}.\n",
                n.channel, n.process_id
            ));
        }
    }

    fn notices(&mut self, query: &str) {
        for notice in self.session.take_notices() {
            let text = message(&notice, query, self.verbosity(), self.show_context());
            self.print(&text);
        }
    }

    /// Steps through all statements; returns the rows of the last.
    fn execute_steps(&mut self, query: &str, purpose: &Use) -> Result<u64, Error> {
        let mut script = self.session.start_script(query)?;
        let mut rows = TextRows::default();
        let mut columns: Option<Arc<[Column]>> = None;
        let mut count = 0;
        loop {
            let step = self.session.step_script(&mut script);
            if let Some(found) = script.columns() {
                columns = Some(found);
            }
            self.notices(query);
            match step? {
                ScriptStep::End => return Ok(count),
                ScriptStep::Step(Step::Rows(batch)) => {
                    let Some(columns) = columns.clone().or_else(|| script.columns()) else {
                        continue;
                    };
                    let formats = vec![false; columns.len()];
                    self.session
                        .encode_values(&batch, &columns, &formats, &mut rows)?;
                }
                ScriptStep::Step(Step::Complete(tag)) => {
                    count = tag.rows();
                    if let Some(columns) = columns.take() {
                        let found = std::mem::take(&mut rows).rows;
                        count = found.len() as u64;
                        self.result(table_of(&columns, found), purpose);
                    }
                }
                ScriptStep::Step(Step::CopyIn(_)) => {
                    columns = None;
                    self.copy_in(&mut script)?;
                }
                ScriptStep::Step(Step::CopyData(data)) => {
                    let text = String::from_utf8_lossy(&data).into_owned();
                    self.print_result(&text);
                }
                ScriptStep::Step(Step::CopyOut(_)) => columns = None,
                ScriptStep::Step(Step::Empty | Step::Suspended) => {}
            }
        }
    }

    /// Data of COPY FROM STDIN: the following lines of the script up to `\.`, all of them read even when the server refuses one.
    fn copy_in(&mut self, script: &mut pglite::protocol::Script) -> Result<(), Error> {
        let mut failure = None;
        while let Some(mut line) = self.lines.pop_front() {
            if line == "\\." {
                break;
            }
            line.push('\n');
            if failure.is_none() {
                failure = self.session.copy_data(line.as_bytes()).err();
            }
        }
        if let Some(e) = failure {
            return Err(e);
        }
        self.session.copy_done(Some(script)).map(drop)
    }

    /// Does with a result what the query was sent for.
    fn result(&mut self, table: Table, purpose: &Use) {
        match purpose {
            Use::Print | Use::Describe => {
                let text = print::table(&table, &self.options);
                self.print_result(&text);
            }
            Use::Set(prefix) => self.gset(&table, prefix),
            Use::Execute => {
                for query in table.rows.into_iter().flatten().flatten() {
                    if self.vars.get("ECHO") == Some("all") {
                        self.print(&format!("{query}\n"));
                    }
                    self.execute(&query, &Use::Print);
                }
            }
        }
    }

    fn gset(&mut self, table: &Table, prefix: &str) {
        let [row] = table.rows.as_slice() else {
            let what = if table.rows.is_empty() {
                "no rows"
            } else {
                "more than one row"
            };
            self.print(&format!("{what} returned for \\gset\n"));
            return;
        };
        for (name, value) in table.headers.iter().zip(row) {
            let name = format!("{prefix}{name}");
            if name == "IGNOREEOF" || name == "HISTSIZE" {
                self.print(&format!(
                    "attempt to \\gset into specially treated variable \"{name}\" ignored\n"
                ));
                continue;
            }
            match value {
                Some(value) => {
                    if !self.vars.set(&name, value.as_str()) {
                        self.print(&format!("invalid variable name: \"{name}\"\n"));
                    }
                }
                None => self.vars.unset(&name),
            }
        }
    }

    /// `\gdesc`: names and types of the columns.
    pub(super) fn describe(&mut self, query: &str) {
        let columns = match self.session.parse(query, &[]) {
            Ok(prepared) => prepared.columns().cloned(),
            Err(e) => return self.finish(query, Err(e)),
        };
        self.notices(query);
        let Some(columns) = columns.filter(|c| !c.is_empty()) else {
            self.print("The command has no result, or the result has no columns.\n");
            return;
        };
        let values: Vec<String> = columns
            .iter()
            .map(|c| {
                let name = c.name().replace('\'', "''");
                format!(
                    "('{name}'::text, pg_catalog.format_type({}, {}))",
                    c.type_oid(),
                    c.type_modifier()
                )
            })
            .collect();
        let sql = format!(
            "SELECT * FROM (VALUES {}) AS t(\"Column\", \"Type\")",
            values.join(", ")
        );
        self.execute(&sql, &Use::Print);
    }

    /// `\parse`: prepares a statement of the extended protocol.
    pub(super) fn parse_named(&mut self, name: &str) {
        let query = std::mem::take(&mut self.query);
        self.lexer.reset();
        let result = self.session.parse(&query, &[]).map(|prepared| {
            self.named.insert(name.to_owned(), prepared);
            0
        });
        self.finish(&query, result);
    }

    /// `\close_prepared`.
    pub(super) fn close_named(&mut self, name: &str) {
        self.named.remove(name);
    }

    /// A query of the extended protocol with parameters.
    pub(super) fn run_bound(
        &mut self,
        query: &str,
        name: Option<String>,
        params: Vec<String>,
        purpose: &Use,
    ) {
        let result = self.run_bound_steps(query, name, &params, purpose);
        let result = result.and_then(|rows| self.session.sync().map(|()| rows));
        self.finish(query, result);
    }

    fn run_bound_steps(
        &mut self,
        query: &str,
        name: Option<String>,
        params: &[String],
        purpose: &Use,
    ) -> Result<u64, Error> {
        let prepared = match &name {
            None => self.session.parse(query, &[])?,
            Some(name) => match self.named.get(name) {
                Some(prepared) => prepared.clone(),
                None => {
                    let text = format!("prepared statement \"{name}\" does not exist");
                    return Err(self.session.protocol_error("26000", &text));
                }
            },
        };
        let types: Vec<u32> = prepared.param_types().collect();
        if types.len() != params.len() {
            let text = format!(
                "bind message supplies {} parameters, but prepared statement \"{}\" requires {}",
                params.len(),
                name.unwrap_or_default(),
                types.len()
            );
            return Err(self.session.protocol_error("08P01", &text));
        }
        let mut values = Vec::new();
        for (number, (oid, value)) in (1..).zip(types.iter().zip(params)) {
            values.push(
                self.session
                    .decode_parameter(number, *oid, Some(value.as_bytes()), false)?,
            );
        }
        let mut portal = self.session.bind(&prepared, values)?;
        let columns = portal.columns().cloned();
        let mut rows = TextRows::default();
        loop {
            match self.session.step(&mut portal, 0)? {
                Step::Rows(batch) => {
                    if let Some(columns) = &columns {
                        let formats = vec![false; columns.len()];
                        self.session.encode_values(&batch, columns, &formats, &mut rows)?;
                    }
                }
                Step::Complete(_) | Step::Empty => break,
                _ => {}
            }
        }
        self.notices(query);
        let count = rows.rows.len() as u64;
        if let Some(columns) = columns {
            self.result(table_of(&columns, rows.rows), purpose);
        }
        Ok(count)
    }
}
