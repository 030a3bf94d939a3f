//! Running statements from Rust: `execute`, `query`, `query_map`, `prepare`, streaming rows.

use std::sync::Arc;

use types::{Datum, FormatSettings};

use crate::api::params::Params;
use crate::api::row::{Column, Row, RowCatalog, type_of};
use crate::api::transaction::Transaction;
use crate::error::{Error, Result};
use crate::session::Session;
use crate::session::portal::{Portal, ResultRows, Step};
use crate::session::prepared::Prepared;
use crate::session::script::{ScriptStep, needs_names};
use crate::session::timeout::Guard;

/// A larger buffer of one statement's parameters is given back at once.
const BIND_BUFFER_KEPT: usize = 64 << 10;

/// A prepared statement. It may be used in any session of the database.
#[derive(Clone, Debug)]
pub struct Statement(pub(crate) Arc<Prepared>);

impl Statement {
    /// Result columns; empty when there is no result.
    pub fn columns(&self) -> &[Column] {
        self.0.columns().map_or(&[], |c| c)
    }

    /// Types of `$1..$n`.
    pub fn params(&self) -> Vec<postgres_types::Type> {
        self.0.param_types.iter().map(|t| type_of(*t)).collect()
    }
}

/// A statement as text or prepared.
pub trait ToStatement {
    /// The prepared form; text goes through the session's cache.
    fn to_statement(&self, session: &mut Session) -> Result<Arc<Prepared>>;
}

impl ToStatement for Statement {
    fn to_statement(&self, _session: &mut Session) -> Result<Arc<Prepared>> {
        Ok(self.0.clone())
    }
}

impl ToStatement for str {
    fn to_statement(&self, session: &mut Session) -> Result<Arc<Prepared>> {
        session.parse(self, &[])
    }
}

impl ToStatement for String {
    fn to_statement(&self, session: &mut Session) -> Result<Arc<Prepared>> {
        session.parse(self, &[])
    }
}

impl<T: ToStatement + ?Sized> ToStatement for &T {
    fn to_statement(&self, session: &mut Session) -> Result<Arc<Prepared>> {
        (**self).to_statement(session)
    }
}

/// Rows that are read while the statement runs.
pub struct Rows<'s> {
    session: &'s mut Session,
    portal: Portal,
    columns: Arc<[Column]>,
    /// Those of the transaction in which the rows are made, hence known with the first of them.
    settings: Option<Arc<FormatSettings>>,
    rows: Option<(ResultRows, usize)>,
    /// Set with the first rows, where values are a matter of names.
    catalog: Option<RowCatalog>,
    finished: bool,
    /// `statement_timeout`, for as long as rows come.
    _deadline: Option<Guard>,
}

impl Rows<'_> {
    /// Result columns.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn advance(&mut self) -> Result<Option<Row>> {
        loop {
            if let Some((rows, at)) = &mut self.rows {
                if *at < rows.len() {
                    let values = rows.take_row(*at);
                    *at += 1;
                    let session = &self.session.core;
                    let settings = self.settings.get_or_insert_with(|| session.format_settings());
                    return Ok(Some(Row {
                        columns: self.columns.clone(),
                        values,
                        settings: settings.clone(),
                        catalog: self.catalog.clone(),
                    }));
                }
                self.rows = None;
            }
            if self.finished {
                return Ok(None);
            }
            match self.session.step(&mut self.portal, 0) {
                Ok(Step::Rows(rows)) => {
                    if self.catalog.is_none() && self.columns.iter().any(|c| needs_names(c.type_oid)) {
                        self.catalog = Some(RowCatalog(self.session.current_view()?));
                    }
                    self.rows = Some((rows, 0));
                }
                Ok(Step::Suspended) => {}
                Ok(_) => {
                    self.finished = true;
                    self.session.sync()?;
                }
                Err(e) => {
                    self.finished = true;
                    return Err(e);
                }
            }
        }
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Result<Row>> {
        self.advance().transpose()
    }
}

impl Drop for Rows<'_> {
    fn drop(&mut self) {
        if !self.finished {
            // The rest is not wanted; what ran so far was complete in itself.
            let _ = self.session.sync();
        }
    }
}

impl Session {
    /// Prepares a statement for repeated use.
    pub fn prepare(&mut self, sql: &str) -> Result<Statement> {
        self.statement_begins();
        let prepared = self.parse(sql, &[])?;
        self.sync()?;
        Ok(Statement(prepared))
    }

    fn bind_params<P: Params>(&mut self, prepared: &Arc<Prepared>, params: P) -> Result<Portal> {
        let values = self.parameter_values(prepared, params)?;
        self.bind(prepared, values)
    }

    /// Parameters as values of the statement's types.
    pub(crate) fn parameter_values<P: Params>(
        &mut self,
        prepared: &Prepared,
        params: P,
    ) -> Result<Vec<Datum>> {
        let types = &prepared.param_types;
        let settings = self.format_settings();
        let mut buffer = std::mem::take(&mut self.bind_buffer);
        let plain = prepared
            .param_types
            .iter()
            .all(|t| *t < common::Oid::FIRST_NORMAL);
        let values = if plain {
            params.to_datums(types, &types::io::IoContext::new(&settings), &mut buffer)
        } else {
            let mut out = Err(Error::from(common::internal!("parameters were not converted")));
            self.with_io(&settings, common::cancel::CancelToken::never(), |cx| {
                out = params.to_datums(types, cx, &mut buffer);
                Ok(())
            })?;
            out
        };
        if buffer.capacity() <= BIND_BUFFER_KEPT {
            self.bind_buffer = buffer;
        }
        values.inspect_err(|_| self.statement_failed())
    }

    /// Runs a statement and returns the number of rows it inserted, updated, deleted or returned.
    pub fn execute(&mut self, statement: impl ToStatement, params: impl Params) -> Result<u64> {
        self.statement_begins();
        let _deadline = self.deadline();
        let prepared = statement.to_statement(self)?;
        let portal = self.bind_params(&prepared, params)?;
        let count = self.run_to_end(portal)?;
        self.sync()?;
        Ok(count)
    }

    /// Runs a portal and drops its rows; how many the statement was about.
    pub(crate) fn run_to_end(&mut self, mut portal: Portal) -> Result<u64> {
        loop {
            match self.step(&mut portal, 0)? {
                Step::Complete(tag) => return Ok(tag.rows()),
                Step::Empty => return Ok(0),
                Step::CopyIn(_) | Step::CopyOut(_) => return Err(self.not_here()),
                Step::Rows(_) | Step::Suspended | Step::CopyData(_) => {}
            }
        }
    }

    fn not_here(&mut self) -> Error {
        self.protocol_error("0A000", "COPY needs Session::copy_in or Session::copy_out")
    }

    /// Runs a query and returns all rows.
    pub fn query(&mut self, statement: impl ToStatement, params: impl Params) -> Result<Vec<Row>> {
        self.query_rows(statement, params)?.collect()
    }

    /// Runs a query whose rows are read one by one.
    pub fn query_rows(&mut self, statement: impl ToStatement, params: impl Params) -> Result<Rows<'_>> {
        self.statement_begins();
        let deadline = self.deadline();
        let prepared = statement.to_statement(self)?;
        let portal = self.bind_params(&prepared, params)?;
        let columns = portal.columns().cloned().unwrap_or_else(|| Arc::from([]));
        Ok(Rows {
            session: self,
            portal,
            columns,
            settings: None,
            rows: None,
            catalog: None,
            finished: false,
            _deadline: deadline,
        })
    }

    /// Runs a query that returns exactly one row.
    pub fn query_one(&mut self, statement: impl ToStatement, params: impl Params) -> Result<Row> {
        match self.query_opt(statement, params)? {
            Some(row) => Ok(row),
            None => Err(common::pg_err!(NO_DATA_FOUND, "query returned no rows").into()),
        }
    }

    /// Runs a query that returns at most one row.
    pub fn query_opt(&mut self, statement: impl ToStatement, params: impl Params) -> Result<Option<Row>> {
        let mut rows = self.query_rows(statement, params)?;
        let first = rows.next().transpose()?;
        // All of them, although one too many: what a statement does, it does whole.
        let mut more = false;
        for row in rows {
            row?;
            more = true;
        }
        if more {
            return Err(common::pg_err!(TOO_MANY_ROWS, "query returned more than one row").into());
        }
        Ok(first)
    }

    /// Runs a query and converts each row.
    pub fn query_map<T>(
        &mut self,
        statement: impl ToStatement,
        params: impl Params,
        mut f: impl FnMut(&Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut out = Vec::new();
        for row in self.query_rows(statement, params)? {
            out.push(f(&row?)?);
        }
        Ok(out)
    }

    /// Runs any number of statements without parameters; rows are dropped. Several are one transaction.
    pub fn batch_execute(&mut self, sql: &str) -> Result<()> {
        let mut script = self.start_script(sql)?;
        loop {
            match self.step_script(&mut script)? {
                ScriptStep::End => return Ok(()),
                ScriptStep::Step(Step::CopyIn(_)) => return Err(self.not_here()),
                ScriptStep::Step(_) => {}
            }
        }
    }

    /// Begins a transaction; it rolls back unless committed.
    pub fn transaction(&mut self) -> Result<Transaction<'_>> {
        Transaction::begin(self)
    }
}
