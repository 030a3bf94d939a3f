//! CREATE TABLE AS, SELECT INTO.
//!
//! PG: src/backend/commands/createas.c.

use std::sync::Arc;

use access::{ActiveSnapshot, Collector, Table};
use catalog::ddl::relation::{NewColumn, NewRelation};
use catalog::desc::RelationDesc;
use common::{Oid, PgResult, cancel, pg_err};
use executor::QueryRun;
use nodes::query::CommandType;
use parser::ast::{CreateTableAsStmt, IntoClause, ObjectType, SelectStmt, Statement};
use types::{BATCH_ROWS, Batch};

use crate::context::{CommandContext, CommandOutcome, ResultColumn};
use crate::create_table::{check_on_commit, check_table_access_method, exists_already, remember_on_commit};
use crate::query::{Planned, output_columns};
use crate::storage_params::{self, ParamSet};

/// CREATE TABLE AS.
pub(crate) fn create_table_as(
    stmt: &CreateTableAsStmt,
    cx: &mut CommandContext<'_>,
) -> PgResult<CommandOutcome> {
    if stmt.objtype == ObjectType::MatView {
        return crate::matview::create(stmt, cx);
    }
    if is_there(&stmt.into, stmt.if_not_exists, cx)? {
        return Ok(CommandOutcome::tag("CREATE TABLE AS"));
    }
    run(&stmt.query, &stmt.into, cx)
}

/// SELECT INTO.
pub(crate) fn select_into(stmt: &SelectStmt, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    let mut query = stmt.clone();
    let Some(into) = query.into.take() else {
        return Err(common::internal!("SELECT INTO without INTO"));
    };
    is_there(&into, false, cx)?;
    run(&Statement::Select(Box::new(query)), &into, cx)
}

/// The relation with the persistence of the INTO clause.
fn target(into: &IntoClause) -> parser::ast::RangeVar {
    let mut rel = into.rel.clone();
    if into.persistence != parser::ast::Persistence::Permanent {
        rel.persistence = into.persistence;
    }
    rel
}

fn run(stmt: &Statement, into: &IntoClause, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    let view = cx.view()?;
    let query = cx.analyze_query(stmt, &*view)?;
    if query.command != CommandType::Select && query.returning.is_empty() {
        return Err(pg_err!(SYNTAX_ERROR, "CREATE TABLE AS query must return rows"));
    }
    let columns = output_columns(&query);
    let planned = cx.plan_query(&query, view)?;
    let table = make_table(into, &columns, cx)?;
    if into.skip_data {
        return Ok(CommandOutcome::tag("CREATE TABLE AS"));
    }
    let mut run = cx.start(&planned, false)?;
    let rows = fill(table, &mut run, &planned, cx)?;
    Ok(CommandOutcome::tag(format!("SELECT {rows}")))
}

/// Puts all rows of the query into the table, and says how many.
pub(crate) fn fill(
    table: Oid,
    run: &mut QueryRun,
    planned: &Planned,
    cx: &mut CommandContext<'_>,
) -> PgResult<u64> {
    let snapshot = cx.txn.borrow_mut().snapshot()?;
    insert_all(&cx.relation(table)?, run, planned, &snapshot, cx)
}

/// The same under a snapshot.
pub(crate) fn insert_all(
    desc: &Arc<RelationDesc>,
    run: &mut QueryRun,
    planned: &Planned,
    snapshot: &ActiveSnapshot,
    cx: &CommandContext<'_>,
) -> PgResult<u64> {
    let opened = cx.relations.table(desc)?;
    cx.txn.borrow_mut().begin_load(&opened)?;
    let mut collected = Collector::new(&opened);
    let mut rows: u64 = 0;
    loop {
        let exec = cx.exec_context(&*planned.view, snapshot);
        let Some(batch) = run.next_batch(&exec, BATCH_ROWS)? else {
            break;
        };
        cx.cancel.check()?;
        rows += batch.len() as u64;
        let stored = collect_rows(&opened, &mut collected, &batch, cx);
        if stored.is_err() {
            cancel::discard_if_cancelled(batch);
        }
        stored?;
    }
    store_rows(&opened, &mut collected, cx)?;
    cx.txn.borrow_mut().end_load()?;
    Ok(rows)
}

/// Adds a query's rows to those that wait, and stores them when they fill a chunk.
fn collect_rows(
    table: &Table,
    collected: &mut Collector,
    batch: &Batch,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let columns: Vec<_> = batch.columns.iter().map(|c| Some(Arc::clone(c))).collect();
    let mut done = 0;
    while done < batch.len() {
        done += collected.add(table, &columns, &batch.selection, done);
        if collected.is_full(table) {
            store_rows(table, collected, cx)?;
        }
    }
    Ok(())
}

/// Stores the rows that wait.
fn store_rows(table: &Table, collected: &mut Collector, cx: &CommandContext<'_>) -> PgResult<()> {
    let (columns, rows) = collected.drain();
    if rows > 0 {
        table.insert_columns(&mut cx.txn.borrow_mut(), &columns, rows)?;
    }
    Ok(())
}

/// True (with a notice) when a relation of the name is there and may be; without IF NOT EXISTS an error.
pub(crate) fn is_there(
    into: &IntoClause,
    if_not_exists: bool,
    cx: &mut CommandContext<'_>,
) -> PgResult<bool> {
    let (namespace, _) = cx.creation_namespace(&target(into))?;
    let name = into.rel.relation.as_str();
    // Before the query is planned, which may fail, too.
    if !if_not_exists && crate::sequence::name_exists(cx, namespace, name)? {
        return Err(pg_err!(DUPLICATE_TABLE, "relation \"{name}\" already exists"));
    }
    exists_already(cx, namespace, name, if_not_exists)
}

/// Makes the table for a query's columns.
pub(crate) fn make_table(
    into: &IntoClause,
    columns: &[ResultColumn],
    cx: &mut CommandContext<'_>,
) -> PgResult<Oid> {
    let (namespace, persistence) = cx.creation_namespace(&target(into))?;
    check_on_commit(into.on_commit, persistence)?;
    crate::create_index::check_tablespace(into.tablespace.as_ref())?;
    check_table_access_method(into.access_method.as_ref())?;
    if into.col_names.len() > columns.len() {
        return Err(pg_err!(SYNTAX_ERROR, "too many column names were specified"));
    }
    let mut new_columns = Vec::new();
    let view = cx.view()?;
    for (at, column) in columns.iter().enumerate() {
        let name = into
            .col_names
            .get(at)
            .map_or(column.name.as_str(), |n| n.as_str());
        let mut new = NewColumn::new(name, column.type_ref);
        if let Some(desc) = view.type_desc(column.type_ref.oid)? {
            new.collation = desc.collation;
        }
        new_columns.push(new);
    }
    let mut new = NewRelation::new(into.rel.relation.as_str(), namespace, b'r').with_columns(new_columns);
    new.persistence = persistence;
    new.options = storage_params::merge(ParamSet::Heap, &[], &into.options)?;
    let made = cx.ddl(|ddl| ddl.create_relation(&new))?;
    remember_on_commit(into.on_commit, made.oid, cx);
    Ok(made.oid)
}
