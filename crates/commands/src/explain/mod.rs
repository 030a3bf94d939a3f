//! EXPLAIN: options, planning, running under measurement, and the result in text or JSON.
//!
//! PG: src/backend/commands/explain.c.
//!
//! # How it works
//! `nodes` turns a plan into a tree of labelled values, `names` prints the expressions in it, `render` writes the tree.

mod memory;
mod names;
mod nodes;
mod render;
mod words;

use std::time::Duration;

use common::error::ErrorExt;
use common::{PgResult, pg_err, unsupported};
use executor::NodeStats;
use parser::ast::{ExplainStmt, IntoClause, ObjectType, Statement};
use types::{BATCH_ROWS, Datum, oids};

use crate::context::{CommandContext, CommandOutcome, ResultColumn, ResultSet};
use crate::create_table_as;
use crate::options::{arg_text, boolean};
use crate::query::{Planned, output_columns};

/// FORMAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Format {
    #[default]
    Text,
    Json,
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
}

fn read_options(stmt: &ExplainStmt) -> PgResult<Options> {
    let mut o = Options {
        costs: true,
        ..Options::default()
    };
    let (mut timing, mut summary) = (None, None);
    let mut needs_analyze: Vec<&str> = Vec::new();
    for option in &stmt.options {
        match option.name.as_str() {
            "analyze" => o.analyze = boolean(option)?,
            "verbose" => o.verbose = boolean(option)?,
            "costs" => o.costs = boolean(option)?,
            "timing" => timing = Some(boolean(option)?),
            "summary" => summary = Some(boolean(option)?),
            "generic_plan" => o.generic_plan = boolean(option)?,
            // Counters are all zero, of which the text form shows nothing.
            "buffers" => {
                boolean(option)?;
            }
            "wal" => {
                if boolean(option)? {
                    needs_analyze.push("WAL");
                }
            }
            "settings" | "memory" => {
                if boolean(option)? {
                    return Err(unsupported!(
                        "EXPLAIN option {} is not supported yet",
                        option.name.to_uppercase()
                    )
                    .at(option.span));
                }
            }
            "serialize" => serialize(option, &mut needs_analyze)?,
            "format" => o.format = format(option)?,
            other => {
                return Err(pg_err!(SYNTAX_ERROR, "unrecognized EXPLAIN option \"{other}\"").at(option.span));
            }
        }
    }
    if timing == Some(true) && !o.analyze {
        return Err(requires_analyze("TIMING"));
    }
    if let Some(word) = needs_analyze.first().filter(|_| !o.analyze) {
        return Err(requires_analyze(word));
    }
    if o.generic_plan && o.analyze {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "EXPLAIN options ANALYZE and GENERIC_PLAN cannot be used together"
        ));
    }
    o.timing = timing.unwrap_or(o.analyze);
    o.summary = summary.unwrap_or(o.analyze);
    Ok(o)
}

fn requires_analyze(word: &str) -> Box<common::PgError> {
    pg_err!(INVALID_PARAMETER_VALUE, "EXPLAIN option {word} requires ANALYZE")
}

fn serialize(option: &parser::ast::DefElem, needs_analyze: &mut Vec<&str>) -> PgResult<()> {
    let word = option.arg.as_ref().map_or_else(|| "text".to_owned(), arg_text);
    match word.as_str() {
        "off" | "none" => Ok(()),
        "text" | "binary" => {
            needs_analyze.push("SERIALIZE");
            Err(unsupported!("EXPLAIN option SERIALIZE is not supported yet").at(option.span))
        }
        _ => Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "unrecognized value for EXPLAIN option \"serialize\": \"{word}\""
        )
        .at(option.span)),
    }
}

fn format(option: &parser::ast::DefElem) -> PgResult<Format> {
    let word = option.arg.as_ref().map_or_else(String::new, arg_text);
    match word.as_str() {
        "text" => Ok(Format::Text),
        "json" => Ok(Format::Json),
        "xml" | "yaml" => Err(unsupported!("EXPLAIN format {word} is not supported yet").at(option.span)),
        _ => Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "unrecognized value for EXPLAIN option \"format\": \"{word}\""
        )
        .at(option.span)),
    }
}

/// The result column of EXPLAIN.
pub(crate) fn describe(stmt: &ExplainStmt) -> Vec<ResultColumn> {
    let json = read_options(stmt).is_ok_and(|o| o.format == Format::Json);
    vec![ResultColumn::new(
        "QUERY PLAN",
        if json { oids::JSON } else { oids::TEXT },
    )]
}

/// What was measured.
pub(crate) struct Measured {
    pub nodes: Vec<NodeStats>,
    pub total: Duration,
}

/// EXPLAIN.
pub(crate) fn explain(stmt: &ExplainStmt, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    let options = read_options(stmt)?;
    let table = table_made(&stmt.query);
    if let Some((into, _, if_not_exists)) = table
        && create_table_as::is_there(into, if_not_exists, cx)?
    {
        return Ok(outcome(options, String::new()));
    }
    if let Some((_, ObjectType::MatView, _)) = table.filter(|_| options.analyze) {
        return Err(unsupported!(
            "EXPLAIN ANALYZE of CREATE MATERIALIZED VIEW is not supported yet"
        ));
    }
    let Some(query) = explained(&stmt.query) else {
        return Ok(outcome(options, utility_text(options)));
    };
    let begin = cx.env.monotonic();
    let view = cx.view()?;
    let analyzed = cx.analyze_query(&query, &*view)?;
    let columns = output_columns(&analyzed);
    let planned = cx.plan_query(&analyzed, view)?;
    let planning = cx.env.monotonic().saturating_sub(begin);
    let measured = if options.analyze {
        Some(run(&planned, table.map(|(into, ..)| (into, &columns[..])), cx)?)
    } else {
        cx.prepare_relations(&planned.plan)?;
        None
    };
    let tree = nodes::tree(&planned, options, measured.as_ref(), cx)?;
    let times = render::Times {
        planning,
        execution: measured.as_ref().map(|m| m.total),
    };
    Ok(outcome(options, render::render(&tree, options, times)))
}

fn utility_text(options: Options) -> String {
    match options.format {
        Format::Text => "Utility statements have no plan structure".to_owned(),
        Format::Json => "[\n  \"Utility Statement\"\n]".to_owned(),
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
    table: Option<(&IntoClause, &[ResultColumn])>,
    cx: &mut CommandContext<'_>,
) -> PgResult<Measured> {
    let begin = cx.env.monotonic();
    let mut run = cx.start(planned, true)?;
    match table {
        None => {
            let snapshot = cx.txn.borrow_mut().snapshot()?;
            loop {
                let exec = cx.exec_context(&*planned.view, &snapshot);
                if run.next_batch(&exec, BATCH_ROWS)?.is_none() {
                    break;
                }
            }
        }
        Some((into, columns)) => {
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
    })
}

fn outcome(options: Options, text: String) -> CommandOutcome {
    let rows = match options.format {
        Format::Json => vec![vec![Datum::text(text)]],
        Format::Text => text.lines().map(|line| vec![Datum::text(line)]).collect(),
    };
    let type_oid = if options.format == Format::Json {
        oids::JSON
    } else {
        oids::TEXT
    };
    CommandOutcome {
        tag: "EXPLAIN".to_owned(),
        rows: Some(ResultSet {
            columns: vec![ResultColumn::new("QUERY PLAN", type_oid)],
            rows,
        }),
    }
}
