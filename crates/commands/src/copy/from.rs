//! COPY FROM: lines to rows to the table.
//!
//! PG: src/backend/commands/copyfrom.c, copyfromparse.c.

use std::sync::Arc;

use analyzer::ExprKind;
use catalog::CatalogView;
use catalog::desc::RelationDesc;
use catalog::privileges::Privilege;
use common::error::{ErrorExt, Severity};
use common::{Oid, PgError, PgResult, pg_err, sqlstate, unsupported};
use executor::InsertTarget;
use nodes::Expr;
use nodes::expr::{CoerceExpr, CoercionForm, Var, VarSource};
use parser::ast::CopyStmt;
use txn::LockMode;
use types::Datum;
use types::settings::TypeRef;

use crate::context::CommandContext;
use crate::copy::lines::{Field, Line, LineReader, fields, utf8};
use crate::copy::options::{self, Columns, CopyOptions, Format, Header, Verbosity};
use crate::copy::select_columns;
use crate::eval::RowExpr;

/// Where a column of the data goes.
struct Source {
    /// Position in the row.
    at: usize,
    name: Arc<str>,
    /// The type to read, below domains.
    base: TypeRef,
    /// Checks of a domain.
    domain: Option<RowExpr>,
    default: Option<RowExpr>,
    has_default: bool,
    force_not_null: bool,
    force_null: bool,
}

/// A column that the data does not have.
enum Filler {
    Expr(usize, RowExpr),
    Identity(usize, Oid),
}

/// COPY FROM in progress.
pub struct CopyIn {
    options: CopyOptions,
    desc: Arc<RelationDesc>,
    reader: LineReader,
    sources: Vec<Source>,
    fillers: Vec<Filler>,
    condition: Option<RowExpr>,
    target: Option<InsertTarget>,
    line: u64,
    header_pending: bool,
    ended: bool,
    rows: u64,
    skipped: i64,
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
        let desc = cx
            .open_relation(rel, LockMode::RowExclusive)
            .map_err(|e| e.at(rel.span))?;
        check_target(&desc)?;
        cx.check_relation_privilege(&desc, Privilege::Insert)?;
        if options.format == Format::Binary {
            return Err(unsupported!("COPY in binary format is not supported yet"));
        }
        let view = cx.view()?;
        let condition = match &stmt.where_clause {
            None => None,
            Some(raw) => {
                let analysis = cx.analysis(&*view);
                let expr =
                    analyzer::utility::analyze_condition(raw, ExprKind::CopyWhere, Some(&desc), &analysis)?;
                cx.take_notices(analysis);
                Some(RowExpr::compile(&expr, &*view)?)
            }
        };
        let columns = select_columns(&desc, &stmt.attlist)?;
        let sources = make_sources(&desc, &columns, &options, (&*view, cx))?;
        let fillers = make_fillers(&desc, &columns, &*view, cx)?;
        let mut copy = CopyIn {
            reader: LineReader::new(&options),
            header_pending: options.header != Header::No,
            options,
            desc,
            sources,
            fillers,
            condition,
            target: None,
            line: 0,
            ended: false,
            rows: 0,
            skipped: 0,
        };
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
        Ok(())
    }

    fn open_target(&mut self, cx: &CommandContext<'_>) -> PgResult<()> {
        let view = cx.view()?;
        let snapshot = cx.txn.borrow().latest_snapshot()?;
        let exec = cx.exec_context(&*view, &snapshot);
        self.target = Some(InsertTarget::open(&exec, &self.desc)?);
        Ok(())
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
        self.reader.push(data);
        self.drain(cx)?;
        Ok(!self.ended)
    }

    /// The data has ended: how many rows were copied.
    pub fn finish(mut self, cx: &mut CommandContext<'_>) -> PgResult<u64> {
        self.check_freeze(cx)?;
        if !self.ended {
            self.reader.end();
            self.drain(cx)?;
        }
        let view = cx.view()?;
        let snapshot = cx.txn.borrow().latest_snapshot()?;
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
                    self.line += 1;
                    let current = self.reader.current().to_vec();
                    return Err(self.line_context(e, &current));
                }
            };
            self.line += 1;
            if self.header_pending {
                self.header_pending = false;
                self.check_header(&line)?;
                continue;
            }
            self.row(&line, cx, &exec)?;
        }
    }

    fn line_context(&self, error: Box<PgError>, line: &[u8]) -> Box<PgError> {
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
        if let Some(condition) = &mut self.condition {
            let passed = condition.test(cx, &values);
            match passed {
                Ok(Some(true)) => {}
                Ok(_) => return Ok(()),
                Err(e) => return Err(self.line_context(e, line)),
            }
        }
        let Some(target) = &mut self.target else {
            return Err(common::internal!("COPY without a target"));
        };
        if let Err(e) = target.insert(exec, &mut values) {
            // PostgreSQL inserts rows in groups and fills indexes afterwards, when the line's text is gone.
            if e.sqlstate == sqlstate::UNIQUE_VIOLATION {
                let at = format!("COPY {}, line {}", self.desc.name, self.line);
                return Err(e.context(at));
            }
            return Err(self.line_context(e, line));
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
        if let Some(missing) = self.sources.get(found.len()) {
            return Err(pg_err!(
                BAD_COPY_FILE_FORMAT,
                "missing data for column \"{}\"",
                missing.name
            )
            .into());
        }
        let mut row = vec![Datum::Null; self.desc.columns.len()];
        let null = self.options.null.clone();
        let io = types::io::IoContext {
            settings: &cx.settings,
            resolver: Some(cx.session.resolver()),
        };
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
        for filler in &mut self.fillers {
            match filler {
                Filler::Expr(at, expr) => row[*at] = expr.eval(cx, &[])?,
                Filler::Identity(at, sequence) => {
                    let value = cx.session.nextval(*sequence)?;
                    row[*at] = match self.desc.columns.get(*at).map(|c| c.phys) {
                        Some(types::PhysType::Int2) => Datum::Int2(value as i16),
                        Some(types::PhysType::Int4) => Datum::Int4(value as i32),
                        _ => Datum::Int8(value),
                    };
                }
            }
        }
        Ok(row)
    }
}

enum SourceText {
    Null,
    Default,
    Text(Vec<u8>),
}

impl Source {
    fn text_of(&self, field: Field, null: &str) -> SourceText {
        match field {
            Field::Default => SourceText::Default,
            Field::Null if self.force_not_null => SourceText::Text(null.as_bytes().to_vec()),
            Field::Null => SourceText::Null,
            Field::Quoted(text) if self.force_null && text == null.as_bytes() => SourceText::Null,
            Field::Text(text) | Field::Quoted(text) => SourceText::Text(text),
        }
    }

    fn default_value(&mut self, cx: &CommandContext<'_>) -> PgResult<Datum> {
        if !self.has_default {
            return Err(
                pg_err!(BAD_COPY_FILE_FORMAT, "unexpected default marker in COPY data")
                    .detail(format!("Column \"{}\" has no default value.", self.name)),
            );
        }
        match &mut self.default {
            Some(default) => default.eval(cx, &[]),
            None => Ok(Datum::Null),
        }
    }

    fn checked(&mut self, value: Datum, cx: &CommandContext<'_>) -> PgResult<Datum> {
        match &mut self.domain {
            Some(domain) => domain.eval(cx, &[value]),
            None => Ok(value),
        }
    }
}

/// At most 100 bytes of a value, as contexts show them.
fn clip(text: &str) -> String {
    const SHOWN_MAX: usize = 100;
    if text.len() <= SHOWN_MAX {
        return text.to_owned();
    }
    let mut end = SHOWN_MAX;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}...", &text[..end])
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

fn is_selected(list: &Columns, name: &str) -> bool {
    match list {
        Columns::None => false,
        Columns::All => true,
        Columns::Listed(names) => names.iter().any(|n| n == name),
    }
}

/// FORCE_... lists name columns of the table that are copied.
pub(crate) fn check_listed(
    list: &Columns,
    word: &str,
    desc: &RelationDesc,
    columns: &[usize],
) -> PgResult<()> {
    let Columns::Listed(names) = list else {
        return Ok(());
    };
    for name in names {
        let Some(column) = desc.column_by_name(name) else {
            return Err(pg_err!(
                UNDEFINED_COLUMN,
                "column \"{name}\" of relation \"{}\" does not exist",
                desc.name
            ));
        };
        if !columns.contains(&(usize::try_from(column.attno).unwrap_or(1) - 1)) {
            return Err(pg_err!(
                INVALID_COLUMN_REFERENCE,
                "{word} column \"{name}\" not referenced by COPY"
            ));
        }
    }
    Ok(())
}

fn make_sources(
    desc: &RelationDesc,
    columns: &[usize],
    options: &CopyOptions,
    (view, cx): (&dyn CatalogView, &CommandContext<'_>),
) -> PgResult<Vec<Source>> {
    check_listed(&options.force_not_null, "FORCE_NOT_NULL", desc, columns)?;
    check_listed(&options.force_null, "FORCE_NULL", desc, columns)?;
    let mut sources = Vec::new();
    for &at in columns {
        let column = &desc.columns[at];
        let (base, domain) = domain_check(column.type_ref, view)?;
        let value = analyzer::utility::column_default(column, &cx.analysis(view))?;
        let default = match (&value, &options.default) {
            (Some(default), Some(_)) => Some(RowExpr::compile(default, view)?),
            _ => None,
        };
        sources.push(Source {
            at,
            name: column.name.clone(),
            base,
            domain,
            has_default: value.is_some(),
            default,
            force_not_null: is_selected(&options.force_not_null, &column.name),
            force_null: is_selected(&options.force_null, &column.name),
        });
    }
    Ok(sources)
}

/// The type below domains, and the check of the domain over column 1.
fn domain_check(type_ref: TypeRef, view: &dyn CatalogView) -> PgResult<(TypeRef, Option<RowExpr>)> {
    let mut base = type_ref;
    let mut is_domain = false;
    while base.oid >= Oid::FIRST_NORMAL
        && let Some(desc) = view.type_desc(base.oid)?
        && desc.kind == b'd'
    {
        is_domain = true;
        base = TypeRef {
            oid: desc.base_type,
            typmod: desc.typmod,
        };
    }
    if !is_domain {
        return Ok((base, None));
    }
    let arg = Expr::Var(Var {
        source: VarSource::Scan,
        attno: 1,
        type_ref: base,
        collation: Oid::INVALID,
        nulling_rels: nodes::RelIds::default(),
        returning: nodes::expr::ReturningKind::Default,
        span: common::Span::NONE,
    });
    let expr = Expr::CoerceToDomain(CoerceExpr {
        arg: Box::new(arg),
        result: type_ref,
        collation: Oid::INVALID,
        form: CoercionForm::ImplicitCast,
        span: common::Span::NONE,
    });
    Ok((base, Some(RowExpr::compile(&expr, view)?)))
}

fn make_fillers(
    desc: &RelationDesc,
    columns: &[usize],
    view: &dyn CatalogView,
    cx: &CommandContext<'_>,
) -> PgResult<Vec<Filler>> {
    let mut fillers = Vec::new();
    for (at, column) in desc.columns.iter().enumerate() {
        let generated = !matches!(column.generated, 0 | b' ');
        if column.dropped || generated || columns.contains(&at) {
            continue;
        }
        if column.identity_sequence.is_valid() {
            fillers.push(Filler::Identity(at, column.identity_sequence));
        } else if let Some(default) = analyzer::utility::column_default(column, &cx.analysis(view))? {
            fillers.push(Filler::Expr(at, RowExpr::compile(&default, view)?));
        }
    }
    Ok(fillers)
}
