//! EXPLAIN: options, planning, running under measurement, and the result in one of four formats.
//!
//! PG: src/backend/commands/explain.c.
//!
//! # How it works
//! `nodes` turns a plan into a tree of labelled values, `names` prints the expressions in it, `render` writes the tree as text or
//! through `structured`.

mod details;
mod memory;
mod names;
mod nodes;
mod removed;
mod render;
mod serialize;
mod settings;
mod structured;
mod words;

use std::time::Duration;

use common::error::ErrorExt;
use common::{PgResult, pg_err, unsupported};
use executor::NodeStats;
use parser::ast::{ExplainStmt, IntoClause, ObjectType, Statement};
use types::io::IoContext;
use types::{BATCH_ROWS, Datum, oids};

use crate::context::{CommandContext, CommandOutcome, ResultColumn, ResultSet};
use crate::create_table_as;
use crate::explain::serialize::{Serialize, Serialized};
use crate::explain::structured::Writer;
use crate::options::{arg_text, boolean};
use crate::query::{Planned, output_columns};

/// FORMAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Format {
    #[default]
    Text,
    Json,
    Xml,
    Yaml,
}

impl Format {
    /// The type of the result column.
    fn type_oid(self) -> common::Oid {
        match self {
            Format::Json => oids::JSON,
            Format::Xml => oids::XML,
            Format::Text | Format::Yaml => oids::TEXT,
        }
    }
}

/// Options with their defaults filled in.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    pub analyze: bool,
    pub verbose: bool,
    pub costs: bool,
    pub timing: bool,
    pub summary: bool,
    pub format: Format,
    pub generic_plan: bool,
    pub buffers: bool,
    pub settings: bool,
    pub wal: bool,
    pub memory: bool,
    pub serialize: Option<Serialize>,
}

fn read_options(stmt: &ExplainStmt) -> PgResult<Options> {
    let mut o = Options {
        costs: true,
        ..Options::default()
    };
    let (mut timing, mut summary, mut buffers) = (None, None, None);
    for option in &stmt.options {
        match option.name.as_str() {
            "analyze" => o.analyze = boolean(option)?,
            "verbose" => o.verbose = boolean(option)?,
            "costs" => o.costs = boolean(option)?,
            "timing" => timing = Some(boolean(option)?),
            "summary" => summary = Some(boolean(option)?),
            "generic_plan" => o.generic_plan = boolean(option)?,
            "buffers" => buffers = Some(boolean(option)?),
            "settings" => o.settings = boolean(option)?,
            "wal" => o.wal = boolean(option)?,
            "memory" => o.memory = boolean(option)?,
            "serialize" => o.serialize = serialize_form(option)?,
            "format" => o.format = format(option)?,
            other => {
                return Err(pg_err!(SYNTAX_ERROR, "unrecognized EXPLAIN option \"{other}\"").at(option.span));
            }
        }
    }
    if o.wal && !o.analyze {
        return Err(requires_analyze("WAL"));
    }
    if timing == Some(true) && !o.analyze {
        return Err(requires_analyze("TIMING"));
    }
    if o.serialize.is_some() && !o.analyze {
        return Err(requires_analyze("SERIALIZE"));
    }
    if o.generic_plan && o.analyze {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "EXPLAIN options ANALYZE and GENERIC_PLAN cannot be used together"
        ));
    }
    o.timing = timing.unwrap_or(o.analyze);
    o.buffers = buffers.unwrap_or(o.analyze);
    o.summary = summary.unwrap_or(o.analyze);
    Ok(o)
}

fn requires_analyze(word: &str) -> Box<common::PgError> {
    pg_err!(INVALID_PARAMETER_VALUE, "EXPLAIN option {word} requires ANALYZE")
}

fn serialize_form(option: &parser::ast::DefElem) -> PgResult<Option<Serialize>> {
    let word = option.arg.as_ref().map_or_else(|| "text".to_owned(), arg_text);
    match word.as_str() {
        "off" | "none" => Ok(None),
        "text" => Ok(Some(Serialize::Text)),
        "binary" => Ok(Some(Serialize::Binary)),
        _ => Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "unrecognized value for EXPLAIN option \"serialize\": \"{word}\""
        )
        .at(option.span)),
    }
}

fn format(option: &parser::ast::DefElem) -> PgResult<Format> {
    let Some(arg) = &option.arg else {
        return Err(pg_err!(SYNTAX_ERROR, "format requires a parameter"));
    };
    let word = arg_text(arg);
    match word.as_str() {
        "text" => Ok(Format::Text),
        "json" => Ok(Format::Json),
        "xml" => Ok(Format::Xml),
        "yaml" => Ok(Format::Yaml),
        _ => Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "unrecognized value for EXPLAIN option \"format\": \"{word}\""
        )
        .at(option.span)),
    }
}

/// The result column of EXPLAIN.
pub(crate) fn describe(stmt: &ExplainStmt) -> Vec<ResultColumn> {
    let format = read_options(stmt).map_or(Format::Text, |o| o.format);
    vec![ResultColumn::new("QUERY PLAN", format.type_oid())]
}

/// What was measured.
pub(crate) struct Measured {
    pub nodes: Vec<NodeStats>,
    pub total: Duration,
    pub serialized: Serialized,
}

/// EXPLAIN.
pub(crate) fn explain(stmt: &ExplainStmt, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    let options = read_options(stmt)?;
    let table = table_made(&stmt.query);
    if let Some((into, _, if_not_exists)) = table
        && create_table_as::is_there(into, if_not_exists, cx)?
    {
        return Ok(outcome(options, name_alone(options, "", "CREATE TABLE AS")));
    }
    if let Some((_, ObjectType::MatView, _)) = table.filter(|_| options.analyze) {
        return Err(unsupported!(
            "EXPLAIN ANALYZE of CREATE MATERIALIZED VIEW is not supported yet"
        ));
    }
    let Some(query) = explained(&stmt.query) else {
        let text = "Utility statements have no plan structure";
        return Ok(outcome(options, name_alone(options, text, "Utility Statement")));
    };
    let begin = cx.env.monotonic();
    let view = cx.view()?;
    let analyzed = if options.generic_plan {
        cx.analyze_generic(&query, &*view)?
    } else {
        cx.analyze_query(&query, &*view)?
    };
    let columns = output_columns(&analyzed);
    let (planned, memory) = cx.plan_measured(&analyzed, view)?;
    let planning = cx.env.monotonic().saturating_sub(begin);
    let measured = if options.analyze {
        let into = table.map(|(into, ..)| into);
        Some(run(&planned, into, &columns, options, cx)?)
    } else {
        cx.prepare_relations(&planned.plan)?;
        None
    };
    let tree = nodes::tree(&planned, options, measured.as_ref(), cx)?;
    let facts = render::Facts {
        planning,
        memory: options.memory.then_some(memory),
        io_timing: options.buffers && cx.guc.borrow().get_bool("track_io_timing"),
        execution: measured.as_ref().map(|m| m.total),
        serialized: options.serialize.zip(measured.as_ref().map(|m| m.serialized)),
        settings: options.settings.then(|| settings::changed(&cx.guc.borrow())),
    };
    Ok(outcome(options, render::render(&tree, &options, &facts)))
}

/// A statement that has no plan: a text, or its name in the structured formats.
fn name_alone(options: Options, text: &str, name: &str) -> String {
    match options.format {
        Format::Text => text.to_owned(),
        format => Writer::new(format).name_alone(name),
    }
}

/// The query to plan; `None` for statements without a plan.
fn explained(stmt: &Statement) -> Option<Statement> {
    match stmt {
        Statement::Select(s) if s.into.is_some() => {
            let mut query = s.clone();
            query.into = None;
            Some(Statement::Select(query))
        }
        Statement::Select(_)
        | Statement::Insert(_)
        | Statement::Update(_)
        | Statement::Delete(_)
        | Statement::Merge(_) => Some(stmt.clone()),
        Statement::CreateTableAs(s) => explained(&s.query),
        Statement::DeclareCursor(s) => Some(Statement::Select(s.query.clone())),
        _ => None,
    }
}

/// The table that the statement would make: its clause, kind, and IF NOT EXISTS.
fn table_made(stmt: &Statement) -> Option<(&IntoClause, ObjectType, bool)> {
    match stmt {
        Statement::CreateTableAs(s) => Some((&s.into, s.objtype, s.if_not_exists)),
        Statement::Select(s) => s.into.as_ref().map(|into| (&**into, ObjectType::Table, false)),
        _ => None,
    }
}

/// Runs the plan, and makes the table if the statement is one that does.
fn run(
    planned: &Planned,
    into: Option<&IntoClause>,
    columns: &[ResultColumn],
    options: Options,
    cx: &mut CommandContext<'_>,
) -> PgResult<Measured> {
    let begin = cx.env.monotonic();
    let mut run = cx.start(planned, true)?;
    let mut serialized = Serialized::default();
    match into {
        None => {
            let snapshot = cx.txn.borrow_mut().snapshot()?;
            loop {
                let exec = cx.exec_context(&*planned.view, &snapshot);
                let Some(batch) = run.next_batch(&exec, BATCH_ROWS)? else {
                    break;
                };
                if let Some(form) = options.serialize {
                    let began = cx.env.monotonic();
                    let io = IoContext {
                        settings: &cx.settings,
                        resolver: Some(cx.session.resolver()),
                        cancel: cx.cancel,
                    };
                    serialized.add(&batch, columns, form, &io)?;
                    serialized.time += cx.env.monotonic().saturating_sub(began);
                }
            }
        }
        Some(into) => {
            let made = create_table_as::make_table(into, columns, cx)?;
            if !into.skip_data {
                create_table_as::fill(made, &mut run, planned, cx)?;
            }
        }
    }
    cx.txn.borrow_mut().next_command()?;
    Ok(Measured {
        nodes: run.stats().to_vec(),
        total: cx.env.monotonic().saturating_sub(begin),
        serialized,
    })
}

fn outcome(options: Options, text: String) -> CommandOutcome {
    let rows = match options.format {
        Format::Text => text.lines().map(|line| vec![Datum::text(line)]).collect(),
        _ => vec![vec![Datum::text(text)]],
    };
    CommandOutcome {
        tag: "EXPLAIN".to_owned(),
        rows: Some(ResultSet {
            columns: vec![ResultColumn::new("QUERY PLAN", options.format.type_oid())],
            rows,
        }),
    }
}
