//! VACUUM and ANALYZE: options and the relations they are for.
//!
//! PG: src/backend/commands/vacuum.c.

use std::sync::Arc;

use access::{Asked, CompactFile, Upkeep};
use catalog::columns::pg_class;
use catalog::desc::RelationDesc;
use catalog::oids;
use common::error::{ErrorExt, Severity};
use common::{PgError, PgResult, pg_err, sqlstate};
use parser::ast::{DefElem, Ident, RangeVar, VacuumStmt};
use txn::LockMode;

use crate::analyze;
use crate::context::{CommandContext, CommandOutcome};
use crate::options::{boolean, int4, text};

/// What was asked for.
#[derive(Default)]
struct Options {
    analyze: bool,
    verbose: bool,
    full: bool,
    skip_locked: bool,
    only_database_stats: bool,
    skip_database_stats: bool,
    parallel: bool,
}

/// VACUUM or ANALYZE.
pub(crate) fn vacuum(stmt: &VacuumStmt, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    let options = read_options(stmt)?;
    let tag = if stmt.is_vacuumcmd { "VACUUM" } else { "ANALYZE" };
    if stmt.rels.iter().any(|r| !r.va_cols.is_empty()) && !options.analyze {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "ANALYZE option must be specified when a column list is provided"
        ));
    }
    if options.only_database_stats {
        if !stmt.rels.is_empty() {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "ONLY_DATABASE_STATS cannot be specified with a list of tables"
            ));
        }
        return Ok(CommandOutcome::tag(tag));
    }
    let mut all = Vec::new();
    for (table, columns) in targets(stmt, cx, &options)? {
        let below = if table.relkind == b'p' || !stmt.is_vacuumcmd && !stmt.rels.is_empty() {
            catalog::partition::descendants(&*cx.view()?, &table)?
        } else {
            Vec::new()
        };
        let partitioned = table.relkind == b'p';
        all.push((table, columns.clone()));
        if partitioned {
            let leaves = below.into_iter().filter(|d| d.relkind == b'r');
            all.extend(leaves.map(|d| (d, columns.clone())));
        }
    }
    let mut vacuumed = Vec::new();
    for (table, columns) in all {
        if stmt.is_vacuumcmd && table.relkind != b'p' {
            vacuum_one(&table, cx)?;
            vacuumed.push(Arc::clone(&table));
        }
        if options.analyze {
            analyzed(&table, &columns, cx)?;
        }
    }
    if stmt.is_vacuumcmd {
        give_space_back(&vacuumed, options.full, cx)?;
    }
    Ok(CommandOutcome::tag(tag))
}

fn read_options(stmt: &VacuumStmt) -> PgResult<Options> {
    let mut o = Options {
        analyze: !stmt.is_vacuumcmd,
        ..Options::default()
    };
    for option in &stmt.options {
        let name = option.name.as_str();
        match name {
            "verbose" => o.verbose = boolean(option)?,
            "skip_locked" => o.skip_locked = boolean(option)?,
            "buffer_usage_limit" => buffer_usage_limit(option)?,
            _ if !stmt.is_vacuumcmd => {
                return Err(pg_err!(SYNTAX_ERROR, "unrecognized ANALYZE option \"{name}\"").at(option.span));
            }
            "analyze" => o.analyze = boolean(option)?,
            "full" => o.full = boolean(option)?,
            "freeze" | "disable_page_skipping" | "truncate" | "process_main" | "process_toast" => {
                boolean(option)?;
            }
            "skip_database_stats" => o.skip_database_stats = boolean(option)?,
            "only_database_stats" => o.only_database_stats = boolean(option)?,
            "index_cleanup" => index_cleanup(option)?,
            "parallel" => {
                parallel(option)?;
                o.parallel = true;
            }
            _ => {
                return Err(pg_err!(SYNTAX_ERROR, "unrecognized VACUUM option \"{name}\"").at(option.span));
            }
        }
    }
    if o.full && o.parallel {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "VACUUM FULL cannot be performed in parallel"
        ));
    }
    Ok(o)
}

fn index_cleanup(option: &DefElem) -> PgResult<()> {
    match &option.arg {
        None => Ok(()),
        Some(_) if text(option)?.eq_ignore_ascii_case("auto") => Ok(()),
        Some(_) => boolean(option).map(|_| ()),
    }
}

fn parallel(option: &DefElem) -> PgResult<()> {
    if option.arg.is_none() {
        return Err(pg_err!(
            SYNTAX_ERROR,
            "parallel option requires a value between 0 and 1024"
        )
        .at(option.span));
    }
    match int4(option)? {
        0..=1024 => Ok(()),
        _ => Err(pg_err!(
            SYNTAX_ERROR,
            "parallel workers for vacuum must be between 0 and 1024"
        )
        .at(option.span)),
    }
}

fn buffer_usage_limit(option: &DefElem) -> PgResult<()> {
    let Some(def) = crate::guc::find("vacuum_buffer_usage_limit") else {
        return Ok(());
    };
    crate::guc::value::canonical(def, &text(option)?).map_err(|_| {
        pg_err!(
            INVALID_PARAMETER_VALUE,
            "BUFFER_USAGE_LIMIT option must be 0 or between 128 kB and 16777216 kB"
        )
    })?;
    Ok(())
}

type Target = (Arc<RelationDesc>, Vec<Ident>);

/// The tables named, or all that the user may maintain.
fn targets(stmt: &VacuumStmt, cx: &CommandContext<'_>, options: &Options) -> PgResult<Vec<Target>> {
    let mut found = Vec::new();
    let mode = if options.full {
        LockMode::AccessExclusive
    } else {
        LockMode::ShareUpdateExclusive
    };
    for rel in &stmt.rels {
        let Some(desc) = open(&rel.relation, mode, stmt, options, cx)? else {
            continue;
        };
        if is_wanted(&desc, stmt, cx, true)? {
            found.push((desc, rel.va_cols.clone()));
        }
    }
    if !stmt.rels.is_empty() {
        return Ok(found);
    }
    for oid in all_tables(cx)? {
        cx.cancel.check()?;
        let desc = match cx.view()?.relation(oid)? {
            Some(desc) => desc,
            None => continue,
        };
        if is_wanted(&desc, stmt, cx, false)? {
            if !options.skip_locked {
                cx.lock_relation(oid, mode)?;
            } else if !cx.try_lock_relation(oid, mode)? {
                continue;
            }
            // It may have been changed or dropped while the lock was awaited.
            found.extend(cx.view()?.relation(oid)?.map(|desc| (desc, Vec::new())));
        }
    }
    Ok(found)
}

/// A relation by name, locked; with SKIP_LOCKED a warning and nothing if somebody else has it.
fn open(
    name: &RangeVar,
    mode: LockMode,
    stmt: &VacuumStmt,
    options: &Options,
    cx: &CommandContext<'_>,
) -> PgResult<Option<Arc<RelationDesc>>> {
    if options.skip_locked
        && let Some(desc) = cx.find_relation(name)?
        && !cx.try_lock_relation(desc.oid, mode)?
    {
        let verb = if stmt.is_vacuumcmd { "vacuum" } else { "analyze" };
        let message = format!("skipping {verb} of \"{}\" --- lock not available", desc.name);
        cx.notice(PgError::notice(
            Severity::Warning,
            sqlstate::LOCK_NOT_AVAILABLE,
            message,
        ));
        return Ok(None);
    }
    cx.open_relation(name, mode).map(Some)
}

/// Tables and materialized views that are not the system's.
pub(crate) fn all_tables(cx: &CommandContext<'_>) -> PgResult<Vec<common::Oid>> {
    cx.ddl(|ddl| {
        let rows = ddl.store.scan(oids::PG_CLASS)?;
        let tables = rows.iter().filter(|row| {
            matches!(row.char(pg_class::RELKIND), b'r' | b'm')
                && row.oid(pg_class::OID) >= common::Oid::FIRST_NORMAL
        });
        Ok(tables.map(|row| row.oid(pg_class::OID)).collect())
    })
}

/// Warns of relations that are not for VACUUM or ANALYZE.
fn is_wanted(desc: &RelationDesc, stmt: &VacuumStmt, cx: &CommandContext<'_>, named: bool) -> PgResult<bool> {
    let verb = if stmt.is_vacuumcmd { "vacuum" } else { "analyze" };
    let warn = |message: String| {
        if named {
            cx.notice(PgError::notice(Severity::Warning, sqlstate::WARNING, message));
        }
        Ok(false)
    };
    if !matches!(desc.relkind, b'r' | b'm' | b'p') {
        return warn(if stmt.is_vacuumcmd {
            format!(
                "skipping \"{}\" --- cannot vacuum non-tables or special system tables",
                desc.name
            )
        } else {
            format!(
                "skipping \"{}\" --- cannot analyze non-tables or special system tables",
                desc.name
            )
        });
    }
    if !cx.roles()?.owns(cx.user, desc.owner) {
        return warn(format!(
            "permission denied to {verb} \"{}\", skipping it",
            desc.name
        ));
    }
    Ok(true)
}

/// What VACUUM records of a table. Dead versions are removed by the storage as soon as nobody sees them.
/// Versions that nobody sees go, rows that lie apart come together, and the file gets smaller where that is worth while.
fn give_space_back(tables: &[Arc<RelationDesc>], full: bool, cx: &CommandContext<'_>) -> PgResult<()> {
    let user = tables.iter().filter(|desc| desc.oid >= common::Oid::FIRST_NORMAL);
    let mut tables = Vec::new();
    for desc in user {
        tables.push(cx.relations.table(desc)?);
        // The storage looks after those that it knows.
        for index in &desc.indexes {
            cx.relations.index(&cx.relation(*index)?, desc)?;
        }
    }
    let file = match full {
        true => CompactFile::Always,
        false => CompactFile::IfGrown,
    };
    let (began, asked) = (cx.env.monotonic(), cx.asked);
    let file = match asked {
        Asked::Automatic => CompactFile::Never,
        Asked::ByHand => file,
    };
    cx.relations.storage().compact(&tables, file, cx.cancel)?;
    for table in &tables {
        note(table, Upkeep::Vacuum, began, cx);
    }
    Ok(())
}

fn analyzed(table: &Arc<RelationDesc>, columns: &[Ident], cx: &CommandContext<'_>) -> PgResult<()> {
    let began = cx.env.monotonic();
    analyze::analyze(table, columns, cx)?;
    if matches!(table.relkind, b'r' | b'm') {
        note(&cx.relations.table(table)?, Upkeep::Analyze, began, cx);
    }
    Ok(())
}

fn note(table: &access::Table, what: Upkeep, began: std::time::Duration, cx: &CommandContext<'_>) {
    let spent = cx.env.monotonic().saturating_sub(began).as_micros() as u64;
    table.note_upkeep(what, cx.asked, cx.env.now_unix_micros(), spent);
}

fn vacuum_one(table: &Arc<RelationDesc>, cx: &CommandContext<'_>) -> PgResult<()> {
    if table.oid < common::Oid::FIRST_NORMAL {
        return Ok(());
    }
    let size = cx.relations.table(table)?.size();
    let pages = i32::try_from(size.pages).unwrap_or(i32::MAX);
    analyze::record_sizes(table, pages, size.rows as f64, cx)
}
