//! Entry points: strings of statements (simple protocol, `batch_execute`), and single prepared statements (extended protocol,
//! `query`).

use std::collections::VecDeque;
use std::sync::Arc;

use common::cancel::{self, CancelToken};
use common::{Oid, PgResult, pg_err};
use parser::ast::{RawStatement, Statement};
use types::Datum;

use crate::error::{Error, Result};
use crate::session::Session;
use crate::session::portal::{Formats, Portal, PortalState, ResultRows, Step};
use crate::session::prepared::Prepared;
use crate::session::tag::CommandTag;
use crate::session::template::Literals;
use crate::session::timeout::Guard;

/// A string of statements that runs step by step.
pub struct Script {
    source: Arc<str>,
    statements: VecDeque<RawStatement>,
    portal: Option<Portal>,
    deadline: Option<Guard>,
    /// More than one statement: they are one transaction unless they say otherwise.
    several: bool,
    /// We began a block for them.
    implicit_block: bool,
    in_copy: bool,
    finished: bool,
    /// What the text writes in the place of parameters of a shared statement; `None`: it is prepared as it is.
    literals: Option<Literals>,
    /// Result columns of the statement that the last step belonged to.
    columns: Option<Arc<[crate::Column]>>,
    /// How its values go to the client, true for binary; empty: all as text.
    formats: Formats,
}

/// What a string of statements brought.
#[derive(Debug)]
pub enum ScriptStep {
    /// A statement's step; its columns are [`Script::columns`].
    Step(Step),
    /// All statements are done.
    End,
}

impl Script {
    /// Result columns of the current statement.
    pub fn columns(&self) -> Option<Arc<[crate::Column]>> {
        self.columns.clone()
    }

    /// How the values of each of them go to the client, true for binary; empty: all as text.
    pub fn formats(&self) -> &[bool] {
        &self.formats
    }

    /// A portal of a shared statement with the values of this text.
    fn shared(&self, prepared: Arc<Prepared>, literals: &Literals) -> Portal {
        Portal {
            text: Some(self.source.clone()),
            ..Portal::new(prepared, literals.datums())
        }
    }

    pub(crate) fn is_implicit_block(&self) -> bool {
        self.implicit_block
    }
}

impl Session {
    /// Starts a string of statements (the simple protocol's Query).
    pub fn start_script(&mut self, sql: &str) -> Result<Script> {
        self.statement_begins();
        self.core.show_query(sql);
        let source: Arc<str> = sql.into();
        let settings = self.settings().clone();
        let known = self.cache.get(sql, &[]).filter(|p| p.param_types.is_empty());
        // Text means what it means now: only a prepared statement may say that its result has changed.
        let version = self.session_catalog().version();
        let known = known.filter(|p| p.query().is_none() || self.is_current(p, version));
        let mut script = Script {
            several: false,
            source,
            statements: VecDeque::new(),
            portal: None,
            deadline: self.deadline(),
            implicit_block: false,
            in_copy: false,
            finished: false,
            literals: None,
            columns: None,
            formats: Formats::new(),
        };
        if let Some(prepared) = known {
            script.portal = Some(Portal::new(prepared, Vec::new()));
            return Ok(script);
        }
        script.literals = Literals::find(sql);
        if let Some(literals) = &script.literals {
            if let Some(prepared) = self.find_template(literals) {
                script.portal = Some(script.shared(prepared, literals));
                return Ok(script);
            }
        }
        let parsed = self.guarded(|s| {
            let parsed = parser::parse_with_notices(sql, &settings.parse)?;
            for notice in parsed.notices {
                s.core.notice(Box::new(notice));
            }
            Ok(parsed.statements)
        });
        match parsed {
            Ok(statements) => {
                script.several = statements.len() > 1;
                script.statements = statements.into();
                Ok(script)
            }
            Err(e) => Err(self.fail(e, sql)),
        }
    }

    /// Runs it until there is something to hand out. After an error the rest of the string is not run.
    pub fn step_script(&mut self, script: &mut Script) -> Result<ScriptStep> {
        let result = self.guarded(|s| s.script_step(script));
        self.core.place_notices(&script.source);
        match result {
            Ok(step) => Ok(step),
            Err(e) => {
                script.finished = true;
                {
                    let _entered = self.core.cancel.enter();
                    cancel::discard_list(std::mem::take(&mut script.statements).into());
                    script.portal = None;
                }
                if script.implicit_block {
                    self.block.explicit = false;
                }
                let source = script.source.clone();
                let mut e = e;
                if let (Some(at), Some(literals)) = (e.position, &script.literals) {
                    e.position = Some(literals.position(at));
                }
                Err(self.fail(e, &source))
            }
        }
    }

    fn script_step(&mut self, script: &mut Script) -> PgResult<ScriptStep> {
        if script.finished {
            return Ok(ScriptStep::End);
        }
        if script.in_copy {
            return Err(pg_err!(PROTOCOL_VIOLATION, "COPY data is expected"));
        }
        loop {
            if let Some(portal) = &mut script.portal {
                let step = self.portal_step(portal, 0)?;
                script.columns = portal.columns().cloned();
                script.formats.clone_from(&portal.formats);
                match step {
                    Step::Complete(_) | Step::Empty => {
                        script.portal = None;
                        self.statement_done(script)?;
                    }
                    Step::CopyIn(_) => script.in_copy = true,
                    _ => {}
                }
                return Ok(ScriptStep::Step(step));
            }
            let Some(raw) = script.statements.pop_front() else {
                script.finished = true;
                script.deadline = None;
                self.end_implicit_block(script)?;
                self.at_rest();
                return Ok(ScriptStep::End);
            };
            self.begin_script_statement(script, &raw)?;
            if let Some(literals) = script.literals.take().filter(|_| !script.several) {
                if let Some(prepared) = self.make_template(&literals) {
                    script.portal = Some(script.shared(prepared, &literals));
                    script.literals = Some(literals);
                    continue;
                }
            }
            let prepared = self.prepare_statement(&script.source, Some(raw), &[])?;
            if !prepared.param_types.is_empty() {
                return Err(pg_err!(UNDEFINED_PARAMETER, "there is no parameter $1"));
            }
            if !script.several {
                self.cache.put(script.source.clone(), &[], &prepared);
            }
            script.portal = Some(Portal {
                formats: self.fetched_formats(&prepared),
                ..Portal::new(prepared, Vec::new())
            });
        }
    }

    /// Text is what a string of statements gets, but for FETCH from a binary cursor.
    fn fetched_formats(&self, prepared: &Prepared) -> Formats {
        let (Some(Statement::Fetch(fetch)), Some(columns)) = (prepared.stmt.as_deref(), &prepared.columns)
        else {
            return Formats::new();
        };
        let cursors = self.core.cursors.borrow();
        let binary = cursors
            .facts(fetch.portalname.as_str())
            .is_some_and(|cursor| cursor.binary);
        match binary {
            true => Formats::from_elem(true, columns.len()),
            false => Formats::new(),
        }
    }

    /// Several statements are one transaction: a block begins before the first that is no transaction statement.
    fn begin_script_statement(&mut self, script: &mut Script, raw: &RawStatement) -> PgResult<()> {
        if script.several && !self.block.explicit && !matches!(raw.stmt, Statement::Transaction(_)) {
            self.ensure_transaction()?;
            self.block.explicit = true;
            script.implicit_block = true;
        }
        if script.implicit_block && matches!(raw.stmt, Statement::Transaction(_)) {
            // BEGIN turns the implicit block into a real one; COMMIT and ROLLBACK end it.
            self.block.explicit = false;
            script.implicit_block = false;
        }
        Ok(())
    }

    fn statement_done(&mut self, script: &Script) -> PgResult<()> {
        if self.block.explicit || script.implicit_block {
            return Ok(());
        }
        if self.block.txn.is_some() {
            self.commit_transaction()
        } else {
            Ok(())
        }
    }

    fn end_implicit_block(&mut self, script: &mut Script) -> PgResult<()> {
        if script.implicit_block {
            script.implicit_block = false;
            self.block.explicit = false;
        }
        if !self.block.explicit && self.block.txn.is_some() {
            return self.commit_transaction();
        }
        Ok(())
    }

    /// Data for the COPY FROM STDIN that a step asked for. False: the end marker has been read.
    pub fn copy_data(&mut self, data: &[u8]) -> Result<bool> {
        self.guarded(|s| s.feed_copy(data)).map_err(|e| {
            self.copy_in = None;
            self.fail(e, "")
        })
    }

    /// The data of COPY FROM STDIN has ended: the command tag. The script (if one runs) goes on after it.
    pub fn copy_done(&mut self, script: Option<&mut Script>) -> Result<CommandTag> {
        let tag = self.guarded(Session::end_copy).map_err(|e| self.fail(e, ""))?;
        if let Some(script) = script {
            script.in_copy = false;
            script.portal = None;
            self.guarded(|s| s.statement_done(script))
                .map_err(|e| self.fail(e, ""))?;
        }
        Ok(tag)
    }

    /// The client gives the COPY up.
    pub fn copy_fail(&mut self, message: &str) -> Error {
        self.copy_in = None;
        self.fail(pg_err!(QUERY_CANCELED, "COPY from stdin failed: {message}"), "")
    }

    /// Parses one statement for the extended protocol. `types`: OIDs of parameter types, 0 to infer.
    pub fn parse(&mut self, sql: &str, types: &[u32]) -> Result<Arc<Prepared>> {
        self.core.show_query(sql);
        let types: Vec<Oid> = types.iter().map(|t| Oid(*t)).collect();
        let result = self.guarded(|s| s.parse_one(sql, &types));
        self.core.place_notices(sql);
        result.map_err(|e| self.fail(e, sql))
    }

    pub(crate) fn parse_one(&mut self, sql: &str, types: &[Oid]) -> PgResult<Arc<Prepared>> {
        if let Some(known) = self.cache.get(sql, types) {
            if let Some(stmt) = &known.stmt {
                self.refuse_if_failed(stmt)?;
            }
            let version = self.session_catalog().version();
            if self.is_current(&known, version) {
                return Ok(known);
            }
        }
        let parsed = parser::parse_with_notices(sql, &self.settings().parse)?;
        for notice in parsed.notices {
            self.core.notice(Box::new(notice));
        }
        if parsed.statements.len() > 1 {
            return Err(pg_err!(
                SYNTAX_ERROR,
                "cannot insert multiple commands into a prepared statement"
            ));
        }
        let source: Arc<str> = sql.into();
        let prepared = self.prepare_statement(&source, parsed.statements.into_iter().next(), types)?;
        self.cache.put(source, types, &prepared);
        Ok(prepared)
    }

    /// Binds parameter values (of the statement's types).
    pub fn bind(&mut self, prepared: &Arc<Prepared>, params: Vec<Datum>) -> Result<Portal> {
        self.core.show_query(&prepared.source);
        if let Some(stmt) = &prepared.stmt {
            if let Err(e) = self.refuse_if_failed(stmt) {
                return Err(self.fail(e, &prepared.source));
            }
        }
        Ok(Portal::new(prepared.clone(), params))
    }

    /// Runs a portal until there is something to hand out; at most `max_rows` rows (0: no limit) are in it.
    pub fn step(&mut self, portal: &mut Portal, max_rows: usize) -> Result<Step> {
        let result = self.guarded(|s| {
            // What a failed portal holds may be large: it goes while its statement can still be seen to be cancelled.
            s.portal_step(portal, max_rows)
                .inspect_err(|_| portal.state = PortalState::Done(CommandTag::default()))
        });
        self.core.place_notices(portal.text());
        result.map_err(|e| {
            let source = portal.prepared.source.clone();
            self.fail(e, &source)
        })
    }

    /// The end of an implicit transaction: the extended protocol's Sync, and every embedded call outside of a block.
    pub fn sync(&mut self) -> Result<()> {
        self.message_deadline = None;
        if self.block.explicit {
            self.at_rest();
            return Ok(());
        }
        if self.block.txn.is_none() {
            self.core.portals.get_mut().clear();
            self.at_rest();
            return Ok(());
        }
        let committed = self.guarded(Session::commit_transaction);
        self.at_rest();
        committed.map_err(|e| self.fail(e, ""))
    }

    /// Reports an error that the protocol layer met (bad parameter bytes and the like), as a failed statement.
    pub fn protocol_error(&mut self, sqlstate: &str, message: &str) -> Error {
        let mut code = *b"08P01";
        if let Ok(bytes) = <[u8; 5]>::try_from(sqlstate.as_bytes()) {
            code = bytes;
        }
        let e = common::PgError::new(common::SqlState::new(code), message);
        self.fail(e, "")
    }

    /// The value of parameter `number` (from 1) from its wire form: text or binary.
    pub fn decode_parameter(
        &mut self,
        number: usize,
        type_oid: u32,
        bytes: Option<&[u8]>,
        binary: bool,
    ) -> Result<Datum> {
        let Some(bytes) = bytes else {
            return Ok(Datum::Null);
        };
        let type_oid = Oid(type_oid);
        let decode = |cx: &types::io::IoContext<'_>| match binary {
            true => crate::api::params::receive_parameter(type_oid, bytes, number, cx),
            false => decode_text(type_oid, bytes, cx),
        };
        let settings = self.format_settings();
        let result = self.guarded(|s| {
            if needs_names(type_oid) {
                s.with_io(&settings, CancelToken::never(), decode)
            } else {
                decode(&types::io::IoContext::new(&settings))
            }
        });
        result.map_err(|e| self.fail(e, ""))
    }

    /// Runs value input or output with the catalog's names at hand where a transaction runs.
    pub(crate) fn with_io<T>(
        &mut self,
        settings: &types::FormatSettings,
        cancel: &CancelToken,
        f: impl FnOnce(&types::io::IoContext<'_>) -> PgResult<T>,
    ) -> PgResult<T> {
        if self.block.failed {
            return f(&types::io::IoContext {
                settings,
                resolver: None,
                cancel,
            });
        }
        self.ensure_transaction()?;
        let names = crate::session::names::Names::new(self.current_view()?);
        f(&types::io::IoContext {
            settings,
            resolver: Some(&names),
            cancel,
        })
    }

    /// Hands rows to a sink, each value in text or binary form (`formats`: true for binary).
    pub fn encode_values(
        &mut self,
        rows: &ResultRows,
        columns: &[crate::Column],
        formats: &[bool],
        out: &mut dyn RowSink,
    ) -> Result<()> {
        let settings = self.format_settings();
        let cancel = self.core.cancel.clone();
        let plain = !columns.iter().any(|c| needs_names(c.type_oid));
        let mut run = |cx: &types::io::IoContext<'_>| match rows {
            ResultRows::Batch(batch) => encode_rows(batch, columns, formats, cx, out),
            ResultRows::Single(row) => encode_row(row, columns, formats, cx, out),
        };
        let result = if plain {
            run(&types::io::IoContext {
                settings: &settings,
                resolver: None,
                cancel: &cancel,
            })
        } else {
            self.guarded(|s| s.with_io(&settings, &cancel, run))
        };
        result.map_err(|e| self.fail(e, ""))
    }
}

/// A value from its text form.
fn decode_text(type_oid: Oid, bytes: &[u8], cx: &types::io::IoContext<'_>) -> PgResult<Datum> {
    let text = types::encoding::decode(bytes, cx.settings.client_encoding)?;
    types::io::input(type_oid, -1, &text, cx)
}

/// Types whose text depends on the catalog: user types, `reg*`, and containers that may hold either.
pub(crate) fn needs_names(type_oid: Oid) -> bool {
    use types::oids::*;
    type_oid >= Oid::FIRST_NORMAL
        || matches!(
            type_oid,
            REGPROC
                | REGPROCEDURE
                | REGOPER
                | REGOPERATOR
                | REGCLASS
                | REGTYPE
                | REGROLE
                | REGNAMESPACE
                | REGCONFIG
                | REGDICTIONARY
                | REGCOLLATION
                | RECORD
        )
        || types::PhysType::of_builtin(type_oid) == types::PhysType::Nested
}

/// Takes encoded rows, for the wire.
pub trait RowSink {
    /// A new row of so many values.
    fn begin_row(&mut self, values: usize);
    /// A NULL.
    fn null(&mut self);
    /// Where a value's bytes go; the sink measures what was appended.
    fn value(&mut self, write: &mut dyn FnMut(&mut Vec<u8>) -> PgResult<()>) -> PgResult<()>;
    /// The row is complete.
    fn end_row(&mut self);
}

fn encode_rows(
    batch: &types::Batch,
    columns: &[crate::Column],
    formats: &[bool],
    cx: &types::io::IoContext<'_>,
    out: &mut dyn RowSink,
) -> PgResult<()> {
    let mut text = String::new();
    for position in batch.selection.iter() {
        out.begin_row(columns.len());
        for ((column, vector), binary) in columns.iter().zip(&batch.columns).zip(formats) {
            if vector.is_null(position) {
                out.null();
                continue;
            }
            let type_oid = column.type_oid;
            out.value(&mut |bytes| {
                if *binary {
                    return types::io::send_at(type_oid, vector, position, cx, bytes);
                }
                text.clear();
                types::io::output_at(type_oid, vector, position, cx, &mut text)?;
                bytes.extend_from_slice(&types::encoding::encode(&text, cx.settings.client_encoding)?);
                Ok(())
            })?;
        }
        out.end_row();
    }
    Ok(())
}

fn encode_row(
    row: &[Datum],
    columns: &[crate::Column],
    formats: &[bool],
    cx: &types::io::IoContext<'_>,
    out: &mut dyn RowSink,
) -> PgResult<()> {
    let mut text = String::new();
    out.begin_row(columns.len());
    for ((column, value), binary) in columns.iter().zip(row).zip(formats) {
        if value.is_null() {
            out.null();
            continue;
        }
        out.value(&mut |bytes| {
            if *binary {
                return types::io::send(column.type_oid, value, cx, bytes);
            }
            text.clear();
            types::io::output(column.type_oid, value, cx, &mut text)?;
            bytes.extend_from_slice(&types::encoding::encode(&text, cx.settings.client_encoding)?);
            Ok(())
        })?;
    }
    out.end_row();
    Ok(())
}
