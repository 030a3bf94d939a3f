//! COPY FROM: lines to rows to the table.
//!
//! PG: src/backend/commands/copyfrom.c, copyfromparse.c.

use std::sync::Arc;

use analyzer::ExprKind;
use catalog::desc::RelationDesc;
use catalog::privileges::Privilege;
use catalog::virtual_columns::over_stored_row;
use common::error::{ErrorExt, Severity};
use common::{PgError, PgResult, pg_err, sqlstate};
use executor::{ColumnsAction, InsertTarget};
use parser::ast::CopyStmt;
use txn::LockMode;
use types::Datum;
use types::column_input::ColumnInput;
use types::encoding::{Encoding, StreamDecoder};

use crate::context::CommandContext;
use crate::copy::batch::{FastReader, Rows};
use crate::copy::binary;
use crate::copy::bulk::Bulk;
use crate::copy::lines::{Field, Line, LineReader, clip, fields, utf8};
use crate::copy::options::{self, CopyOptions, Format, Header, Verbosity};
use crate::copy::sources::{Filler, Source, SourceText, make_fillers, make_sources};
use crate::copy::{check_condition, check_privilege, select_columns};
use crate::eval::RowExpr;

/// COPY FROM in progress.
pub struct CopyIn {
    options: CopyOptions,
    desc: Arc<RelationDesc>,
    reader: LineReader,
    /// In the place of the reader of lines, in binary format.
    binary: Option<binary::Reader>,
    sources: Vec<Source>,
    fillers: Vec<Filler>,
    condition: Option<RowExpr>,
    target: Option<InsertTarget>,
    /// Many rows at once, where nothing needs them one by one.
    bulk: Option<Bulk>,
    line: u64,
    header_pending: bool,
    ended: bool,
    rows: u64,
    skipped: i64,
    /// Of data that is neither UTF-8 nor binary.
    decoder: Option<StreamDecoder>,
}

/// An error of one column's value, which ON_ERROR can skip.
enum RowError {
    Value(Box<PgError>, usize, Option<String>),
    Line(Box<PgError>),
}

impl From<Box<PgError>> for RowError {
    fn from(error: Box<PgError>) -> RowError {
        RowError::Line(error)
    }
}

impl CopyIn {
    /// Checks options, table, columns and privileges.
    pub fn begin(stmt: &CopyStmt, cx: &mut CommandContext<'_>) -> PgResult<CopyIn> {
        let options = options::read(&stmt.options, true)?;
        let Some(rel) = &stmt.relation else {
            return Err(common::internal!("COPY FROM without a table"));
        };
        let desc = cx.open_relation(rel, LockMode::RowExclusive)?;
        check_target(&desc)?;
        let columns = select_columns(&desc, &stmt.attlist)?;
        check_privilege(&desc, Privilege::Insert, &columns, cx)?;
        let view = cx.view()?;
        let condition = match &stmt.where_clause {
            None => None,
            Some(raw) => {
                let analysis = cx.analysis(&*view);
                let expr =
                    analyzer::utility::analyze_condition(raw, ExprKind::CopyWhere, Some(&desc), &analysis)?;
                cx.take_notices(analysis);
                check_condition(&expr, &desc)?;
                Some(RowExpr::compile(&over_stored_row(&expr, &desc), &*view)?)
            }
        };
        let sources = make_sources(&desc, &columns, &options, (&*view, cx))?;
        let fillers = make_fillers(&desc, &columns, &*view, cx)?;
        let mut copy = CopyIn {
            reader: LineReader::new(&options),
            binary: (options.format == Format::Binary).then(binary::Reader::default),
            header_pending: options.header != Header::No,
            options,
            desc,
            sources,
            fillers,
            condition,
            target: None,
            bulk: None,
            line: 0,
            ended: false,
            rows: 0,
            skipped: 0,
            decoder: None,
        };
        let encoding = copy.options.file_encoding(cx);
        if copy.binary.is_none() && !matches!(encoding, Encoding::UTF8 | Encoding::SQL_ASCII) {
            copy.decoder = Some(StreamDecoder::new(encoding)?);
        }
        copy.open_target(cx)?;
        Ok(copy)
    }

    /// FREEZE: rows that older snapshots see at once may only go where nobody else can look yet. Checked when the data comes, as
    /// PostgreSQL does.
    fn check_freeze(&mut self, cx: &CommandContext<'_>) -> PgResult<()> {
        if !std::mem::take(&mut self.options.freeze) {
            return Ok(());
        }
        if self.desc.relkind == b'p' {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "cannot perform COPY FREEZE on a partitioned table"
            ));
        }
        if !cx.txn.borrow().has_created(self.desc.storage) {
            return Err(pg_err!(
                OBJECT_NOT_IN_PREREQUISITE_STATE,
                "cannot perform COPY FREEZE because the table was not created or truncated in the current subtransaction"
            ));
        }
        cx.txn
            .borrow_mut()
            .begin_load(&cx.relations.table(&self.desc)?)
            .map(drop)
    }

    fn open_target(&mut self, cx: &CommandContext<'_>) -> PgResult<()> {
        let view = cx.view()?;
        let snapshot = cx.txn.borrow().latest_snapshot()?;
        let exec = cx.exec_context(&*view, &snapshot);
        let target = InsertTarget::open(&exec, &self.desc)?;
        if target.takes_columns() {
            self.bulk = self.bulk();
        }
        self.target = Some(target);
        Ok(())
    }

    /// The way for many rows at once, if nothing needs them one by one.
    fn bulk(&self) -> Option<Bulk> {
        let plain = |s: &Source| s.domain.is_none() && !s.force_null && !s.force_not_null;
        let one_by_one = self.condition.is_some()
            || self.options.ignore_errors
            || self.options.default.is_some()
            || self.sources.is_empty()
            || !self.sources.iter().all(plain);
        if one_by_one {
            return None;
        }
        let inputs = self.sources.iter().map(|s| (s.at, ColumnInput::new(s.base)));
        let reader = FastReader::new(&self.options, inputs.collect());
        let classes = self.desc.columns.iter().map(|c| c.phys).collect();
        Some(Bulk::new(reader, classes))
    }

    /// Columns of the data, for CopyInResponse.
    pub fn column_count(&self) -> usize {
        self.sources.len()
    }

    /// FORMAT binary.
    pub fn is_binary(&self) -> bool {
        self.options.format == Format::Binary
    }

    /// Takes more of the data; any cut is fine. False: the end-of-data marker was read, the rest may be thrown away.
    pub fn feed(&mut self, cx: &mut CommandContext<'_>, data: &[u8]) -> PgResult<bool> {
        if self.ended {
            return Ok(false);
        }
        self.check_freeze(cx)?;
        match (&mut self.binary, &mut self.decoder) {
            (Some(binary), _) => binary.push(data),
            (None, None) => self.reader.push(data),
            (None, Some(decoder)) => {
                let (text, wrong) = decoder.push(data);
                self.reader.push(text.as_bytes());
                if let Some(error) = wrong {
                    // What came before is read first: it may be wrong, too.
                    self.drain(cx)?;
                    return Err(error.context(format!("COPY {}, line {}", self.desc.name, self.line + 1)));
                }
            }
        }
        self.drain(cx)?;
        Ok(!self.ended)
    }

    /// The data has ended: how many rows were copied.
    pub fn finish(mut self, cx: &mut CommandContext<'_>) -> PgResult<u64> {
        self.check_freeze(cx)?;
        if !self.ended {
            if let Some(decoder) = &self.decoder {
                let context = format!("COPY {}, line {}", self.desc.name, self.line + 1);
                decoder.finish().map_err(|e| e.context(context))?;
            }
            match &mut self.binary {
                Some(binary) => binary.end(),
                None => self.reader.end(),
            }
            self.drain(cx)?;
        }
        let view = cx.view()?;
        let snapshot = cx.txn.borrow().latest_snapshot()?;
        self.flush(cx, &cx.exec_context(&*view, &snapshot), ColumnsAction::Insert)?;
        // Before what looks at the rows.
        cx.txn.borrow_mut().end_load()?;
        if let Some(target) = &mut self.target {
            target.finish(&cx.exec_context(&*view, &snapshot))?;
        }
        if self.skipped > 0 && self.options.verbosity != Verbosity::Silent {
            let message = match self.skipped {
                1 => "1 row was skipped due to data type incompatibility".to_owned(),
                n => format!("{n} rows were skipped due to data type incompatibility"),
            };
            cx.notice(PgError::notice(
                Severity::Notice,
                sqlstate::SUCCESSFUL_COMPLETION,
                message,
            ));
        }
        Ok(self.rows)
    }

    fn drain(&mut self, cx: &mut CommandContext<'_>) -> PgResult<()> {
        let view = cx.view()?;
        let snapshot = cx.txn.borrow().latest_snapshot()?;
        let cx = &*cx;
        let exec = cx.exec_context(&*view, &snapshot);
        if self.binary.is_some() {
            return self.drain_binary(cx, &exec);
        }
        loop {
            if self.line % 1024 == 0 {
                cx.cancel.check()?;
            }
            let next = self.reader.next();
            let line = match next {
                Ok(Line::Data(line)) => line,
                Ok(Line::NeedMore) => return Ok(()),
                Ok(Line::End) => {
                    self.ended = true;
                    return Ok(());
                }
                Err(e) => {
                    self.flush(cx, &exec, ColumnsAction::Check)?;
                    self.line += 1;
                    let current = self.reader.current().to_vec();
                    return Err(self.line_context(e, &current));
                }
            };
            self.line += 1;
            if self.header_pending {
                self.header_pending = false;
                self.check_header(self.reader.text(&line))?;
                continue;
            }
            if self.bulk.is_some() {
                self.collect(&line, cx, &exec)?;
                continue;
            }
            let line = self.reader.text(&line).to_vec();
            self.row(&line, cx, &exec)?;
        }
    }

    fn drain_binary(&mut self, cx: &CommandContext<'_>, exec: &executor::ExecContext<'_>) -> PgResult<()> {
        loop {
            if self.line % 1024 == 0 {
                cx.cancel.check()?;
            }
            let Some(reader) = &mut self.binary else {
                return Ok(());
            };
            let fields = match reader.next(self.sources.len()) {
                Ok(binary::Next::Row(fields)) => fields,
                Ok(binary::Next::NeedMore) => return Ok(()),
                Ok(binary::Next::End) => {
                    self.ended = true;
                    return Ok(());
                }
                // Errors of the header come before any line.
                Err(e) if !reader.has_header() => return Err(e),
                Err(e) => {
                    let field = reader.failed_field();
                    self.flush(cx, exec, ColumnsAction::Check)?;
                    self.line += 1;
                    return match field {
                        Some(field) => self.value_error(e, field, None, cx),
                        None => Err(self.line_context(e, &[])),
                    };
                }
            };
            self.line += 1;
            let mut values = match self.binary_values(&fields, cx) {
                Ok(values) => values,
                Err(error) => {
                    self.flush(cx, exec, ColumnsAction::Check)?;
                    return match error {
                        RowError::Line(error) => Err(self.line_context(error, &[])),
                        RowError::Value(error, at, _) => self.value_error(error, at, None, cx),
                    };
                }
            };
            if let (Some(bulk), Some(target)) = (&mut self.bulk, &mut self.target) {
                bulk.ask(target, exec)?;
                let batch = bulk.current();
                batch.lines.push(&[], self.line);
                batch.put_row(&values);
                if bulk.is_full() {
                    self.flush(cx, exec, ColumnsAction::Insert)?;
                }
            } else {
                self.insert(&mut values, &[], cx, exec)?;
            }
        }
    }

    /// The row of binary fields: a datum per column of the table.
    fn binary_values(
        &mut self,
        fields: &[Option<std::ops::Range<usize>>],
        cx: &CommandContext<'_>,
    ) -> Result<Vec<Datum>, RowError> {
        let Some(reader) = &self.binary else {
            return Ok(Vec::new());
        };
        let mut row = vec![Datum::Null; self.desc.columns.len()];
        let io = io_context(cx);
        for (at, (source, field)) in self.sources.iter_mut().zip(fields).enumerate() {
            let value = match field {
                None => Ok(Datum::Null),
                Some(range) => {
                    types::io::receive(source.base.oid, source.base.typmod, reader.field(range), &io)
                }
            };
            let checked = value.and_then(|v| source.checked(v, cx));
            row[source.at] = checked.map_err(|e| RowError::Value(e, at, None))?;
        }
        for filler in &mut self.fillers {
            let (at, value) = filler.value(&self.desc, cx)?;
            row[at] = value;
        }
        Ok(row)
    }

    /// Adds a line to those that wait, and passes them on when there are enough.
    fn collect(
        &mut self,
        line: &std::ops::Range<usize>,
        cx: &CommandContext<'_>,
        exec: &executor::ExecContext<'_>,
    ) -> PgResult<()> {
        let (Some(bulk), Some(target)) = (&mut self.bulk, &mut self.target) else {
            return Err(common::internal!("COPY without a target"));
        };
        bulk.ask(target, exec)?;
        bulk.current().lines.push(self.reader.text(line), self.line);
        if !bulk.is_full() {
            return Ok(());
        }
        if let Some(batch) = bulk.send(&io_context(cx), cx.env)? {
            return self.settle(batch, ColumnsAction::Insert, cx, exec);
        }
        self.settle_ready(false, cx, exec)
    }

    /// Stores the batches on their way, those that are ready or all.
    fn settle_ready(
        &mut self,
        wait: bool,
        cx: &CommandContext<'_>,
        exec: &executor::ExecContext<'_>,
    ) -> PgResult<()> {
        while let Some(bulk) = &mut self.bulk {
            let Some(batch) = bulk.receive(wait)? else { break };
            self.settle(batch, ColumnsAction::Insert, cx, exec)?;
        }
        Ok(())
    }

    /// Makes rows of what lines are left, and inserts (or only checks) them all.
    fn settle(
        &mut self,
        mut batch: Rows,
        what: ColumnsAction,
        cx: &CommandContext<'_>,
        exec: &executor::ExecContext<'_>,
    ) -> PgResult<()> {
        loop {
            if let Some(bulk) = &self.bulk {
                bulk.reader().read(&mut batch, &io_context(cx));
            }
            self.fill(&mut batch, cx)?;
            let Some(at) = batch.next_line() else { break };
            let text = batch.lines.text(at).to_vec();
            let line = std::mem::replace(&mut self.line, batch.lines.number(at));
            match self.values(&text, cx) {
                Ok(values) => batch.put_row(&values),
                Err(error) => {
                    self.store(batch, ColumnsAction::Check, exec)?;
                    return match error {
                        RowError::Line(error) => Err(self.line_context(error, &text)),
                        RowError::Value(error, at, text) => self.value_error(error, at, text, cx),
                    };
                }
            }
            self.line = line;
        }
        self.store(batch, what, exec)
    }

    /// Gives rows what the data does not have.
    fn fill(&mut self, batch: &mut Rows, cx: &CommandContext<'_>) -> PgResult<()> {
        if !self.fillers.is_empty() {
            for row in batch.unfilled() {
                for filler in &mut self.fillers {
                    match filler.value(&self.desc, cx) {
                        Ok((at, value)) => batch.put(at, &value),
                        Err(e) => {
                            self.line = batch.lines.number(row);
                            return Err(self.line_context(e, batch.lines.text(row)));
                        }
                    }
                }
            }
        }
        batch.fill();
        Ok(())
    }

    /// Stores everything that waits; of the batch in hand `what`.
    fn flush(
        &mut self,
        cx: &CommandContext<'_>,
        exec: &executor::ExecContext<'_>,
        what: ColumnsAction,
    ) -> PgResult<()> {
        self.settle_ready(true, cx, exec)?;
        match &mut self.bulk {
            Some(bulk) => {
                let batch = bulk.take_current();
                self.settle(batch, what, cx, exec)
            }
            None => Ok(()),
        }
    }

    fn store(&mut self, batch: Rows, what: ColumnsAction, exec: &executor::ExecContext<'_>) -> PgResult<()> {
        let (Some(bulk), Some(target)) = (&mut self.bulk, &mut self.target) else {
            return Err(common::internal!("COPY without a target"));
        };
        match bulk.store(batch, target, exec, what) {
            Ok(rows) => {
                self.rows += rows;
                Ok(())
            }
            Err((error, line, text)) => {
                self.line = line;
                Err(self.insert_context(error, &text))
            }
        }
    }

    /// PostgreSQL inserts rows in groups and fills indexes afterwards, when the line's text is gone.
    fn insert_context(&self, error: Box<PgError>, line: &[u8]) -> Box<PgError> {
        if matches!(
            error.sqlstate,
            sqlstate::UNIQUE_VIOLATION | sqlstate::EXCLUSION_VIOLATION
        ) {
            let at = format!("COPY {}, line {}", self.desc.name, self.line);
            return error.context(at);
        }
        self.line_context(error, line)
    }

    fn line_context(&self, error: Box<PgError>, line: &[u8]) -> Box<PgError> {
        if self.binary.is_some() {
            return error.context(format!("COPY {}, line {}", self.desc.name, self.line));
        }
        let text = clip(&String::from_utf8_lossy(line));
        error.context(format!("COPY {}, line {}: \"{text}\"", self.desc.name, self.line))
    }

    fn check_header(&self, line: &[u8]) -> PgResult<()> {
        if self.options.header != Header::Match {
            return Ok(());
        }
        let with = |e: Box<PgError>| self.line_context(e, line);
        let found = fields(line, &self.options).map_err(with)?;
        let (got, expected) = (found.len(), self.sources.len());
        if got != expected {
            return Err(with(pg_err!(
                BAD_COPY_FILE_FORMAT,
                "wrong number of fields in header line: got {got}, expected {expected}"
            )));
        }
        for (number, (field, source)) in found.iter().zip(&self.sources).enumerate() {
            let number = number + 1;
            let text = match field {
                Field::Text(text) | Field::Quoted(text) => String::from_utf8_lossy(text).into_owned(),
                _ => {
                    return Err(with(pg_err!(
                        BAD_COPY_FILE_FORMAT,
                        "column name mismatch in header line field {number}: got null value (\"{}\"), expected \"{}\"",
                        self.options.null,
                        source.name
                    )));
                }
            };
            if text != *source.name {
                return Err(with(pg_err!(
                    BAD_COPY_FILE_FORMAT,
                    "column name mismatch in header line field {number}: got \"{text}\", expected \"{}\"",
                    source.name
                )));
            }
        }
        Ok(())
    }

    fn row(
        &mut self,
        line: &[u8],
        cx: &CommandContext<'_>,
        exec: &executor::ExecContext<'_>,
    ) -> PgResult<()> {
        let mut values = match self.values(line, cx) {
            Ok(values) => values,
            Err(RowError::Line(error)) => return Err(self.line_context(error, line)),
            Err(RowError::Value(error, at, text)) => return self.value_error(error, at, text, cx),
        };
        self.insert(&mut values, line, cx, exec)
    }

    /// Inserts a row that passes the condition.
    fn insert(
        &mut self,
        values: &mut [Datum],
        line: &[u8],
        cx: &CommandContext<'_>,
        exec: &executor::ExecContext<'_>,
    ) -> PgResult<()> {
        if let Some(condition) = &mut self.condition {
            let passed = condition.test(cx, values);
            match passed {
                Ok(Some(true)) => {}
                Ok(_) => return Ok(()),
                Err(e) => return Err(self.line_context(e, line)),
            }
        }
        let Some(target) = &mut self.target else {
            return Err(common::internal!("COPY without a target"));
        };
        if let Err(e) = target.insert(exec, values) {
            return Err(self.insert_context(e, line));
        }
        self.rows += 1;
        Ok(())
    }

    /// The error of a value with PostgreSQL's context, or nothing when it is to be ignored.
    fn value_error(
        &mut self,
        error: Box<PgError>,
        at: usize,
        text: Option<String>,
        cx: &CommandContext<'_>,
    ) -> PgResult<()> {
        let name = self.sources.get(at).map_or_else(|| "".into(), |s| s.name.clone());
        let shown = text.as_deref().map(clip);
        let soft = matches!(error.sqlstate.class(), [b'2', b'2'] | [b'2', b'3']);
        if !self.options.ignore_errors || !soft {
            let context = match &shown {
                None if self.binary.is_some() => {
                    format!("COPY {}, line {}, column {name}", self.desc.name, self.line)
                }
                Some(text) => format!(
                    "COPY {}, line {}, column {name}: \"{text}\"",
                    self.desc.name, self.line
                ),
                None => format!(
                    "COPY {}, line {}, column {name}: null input",
                    self.desc.name, self.line
                ),
            };
            return Err(error.context(context));
        }
        self.skipped += 1;
        if self.options.verbosity == Verbosity::Verbose {
            let what = match &shown {
                Some(text) => format!("column \"{name}\": \"{text}\""),
                None => format!("column \"{name}\": null input"),
            };
            cx.notice(
                PgError::notice(
                    Severity::Notice,
                    sqlstate::SUCCESSFUL_COMPLETION,
                    format!(
                        "skipping row due to data type incompatibility at line {} for {what}",
                        self.line
                    ),
                )
                .context(format!("COPY {}", self.desc.name)),
            );
        }
        if let Some(limit) = self.options.reject_limit
            && self.skipped > limit
        {
            return Err(pg_err!(
                INVALID_TEXT_REPRESENTATION,
                "skipped more than REJECT_LIMIT ({limit}) rows due to data type incompatibility"
            )
            .context(format!("COPY {}, line {}", self.desc.name, self.line)));
        }
        Ok(())
    }

    /// The row of a line: a datum per column of the table.
    fn values(&mut self, line: &[u8], cx: &CommandContext<'_>) -> Result<Vec<Datum>, RowError> {
        utf8(line)?;
        let found = fields(line, &self.options)?;
        if self.sources.is_empty() && !line.is_empty() || found.len() > self.sources.len().max(1) {
            return Err(pg_err!(BAD_COPY_FILE_FORMAT, "extra data after last expected column").into());
        }
        let given = found.len();
        let mut row = vec![Datum::Null; self.desc.columns.len()];
        let null = self.options.null.clone();
        let io = io_context(cx);
        for (at, (source, field)) in self.sources.iter_mut().zip(found).enumerate() {
            row[source.at] = match source.text_of(field, &null) {
                SourceText::Default => source.default_value(cx)?,
                SourceText::Null => source
                    .checked(Datum::Null, cx)
                    .map_err(|e| RowError::Value(e, at, None))?,
                SourceText::Text(bytes) => {
                    let text = utf8(&bytes)?;
                    let value = types::io::input(source.base.oid, source.base.typmod, text, &io)
                        .and_then(|v| source.checked(v, cx));
                    value.map_err(|e| RowError::Value(e, at, Some(text.to_owned())))?
                }
            };
        }
        // What is wrong with the columns that are there comes first.
        if let Some(missing) = self.sources.get(given) {
            return Err(pg_err!(
                BAD_COPY_FILE_FORMAT,
                "missing data for column \"{}\"",
                missing.name
            )
            .into());
        }
        for filler in &mut self.fillers {
            let (at, value) = filler.value(&self.desc, cx)?;
            row[at] = value;
        }
        Ok(row)
    }
}

fn io_context<'a>(cx: &'a CommandContext<'_>) -> types::io::IoContext<'a> {
    types::io::IoContext {
        settings: &cx.settings,
        resolver: Some(cx.session.resolver()),
        cancel: cx.cancel,
    }
}

fn check_target(desc: &RelationDesc) -> PgResult<()> {
    let name = &desc.name;
    match desc.relkind {
        b'r' | b'p' => Ok(()),
        b'v' => Err(pg_err!(WRONG_OBJECT_TYPE, "cannot copy to view \"{name}\"")
            .hint("To enable copying to a view, provide an INSTEAD OF INSERT trigger.")),
        b'm' => Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "cannot copy to materialized view \"{name}\""
        )),
        b'S' => Err(pg_err!(WRONG_OBJECT_TYPE, "cannot copy to sequence \"{name}\"")),
        _ => Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "cannot copy to non-table relation \"{name}\""
        )),
    }
}
