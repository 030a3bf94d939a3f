//! CREATE and REFRESH MATERIALIZED VIEW.
//!
//! PG: src/backend/commands/matview.c, createas.c.

use std::sync::Arc;

use catalog::columns::pg_class;
use catalog::ddl::relation::NewRelation;
use catalog::desc::RelationDesc;
use common::error::ErrorExt;
use common::{PgResult, pg_err, unsupported};
use nodes::Query;
use parser::ast::{CreateTableAsStmt, Persistence, RefreshMatViewStmt, Statement};
use txn::LockMode;
use types::Datum;

use crate::context::{CommandContext, CommandOutcome};
use crate::create_table_as;
use crate::storage_params::{self, ParamSet};

/// CREATE MATERIALIZED VIEW.
pub(crate) fn create(stmt: &CreateTableAsStmt, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    let into = &stmt.into;
    if into.persistence == Persistence::Unlogged || into.rel.persistence == Persistence::Unlogged {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "materialized views cannot be unlogged"
        ));
    }
    let (namespace, _) = cx.creation_namespace(&into.rel)?;
    let name = into.rel.relation.as_str();
    if crate::create_table::exists_already(cx, namespace, name, stmt.if_not_exists)? {
        return Ok(CommandOutcome::tag("CREATE MATERIALIZED VIEW"));
    }
    let Statement::Select(select) = &stmt.query else {
        return Err(
            unsupported!("materialized views over this kind of query are not supported yet").at(stmt.span),
        );
    };
    let view = cx.view()?;
    let analysis = cx.analysis(&*view);
    let query = analyzer::utility::analyze_view(select, &into.col_names, &analysis)?;
    cx.take_notices(analysis);
    if crate::create_view::uses_temporary(&query, cx)? {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "materialized views must not use temporary tables or views"
        ));
    }
    drop(view);
    let columns = crate::create_view::view_columns(&query, cx)?;
    let mut new = NewRelation::new(name, namespace, b'm').with_columns(columns);
    new.options = storage_params::merge(ParamSet::Heap, &[], &into.options)?;
    new.populated = !into.skip_data;
    let made = cx.ddl(|ddl| ddl.create_view(&new, &query))?;
    if into.skip_data {
        return Ok(CommandOutcome::tag("CREATE MATERIALIZED VIEW"));
    }
    let desc = cx.relation(made.oid)?;
    let rows = fill(&desc, query, cx)?;
    Ok(CommandOutcome::tag(format!("SELECT {rows}")))
}

/// Runs the query and stores its rows.
fn fill(desc: &Arc<RelationDesc>, query: Query, cx: &CommandContext<'_>) -> PgResult<u64> {
    let view = cx.view()?;
    let analysis = cx.analysis(&*view);
    let query = analyzer::utility::rewrite_stored(query, &analysis)?;
    cx.take_notices(analysis);
    let planned = cx.plan_query(&query, view)?;
    let snapshot = cx.txn.borrow().latest_snapshot()?;
    let mut run = cx.start(&planned, false)?;
    let rows = create_table_as::insert_all(desc, &mut run, &planned, &snapshot, cx)?;
    cx.txn.borrow_mut().next_command()?;
    Ok(rows)
}

/// REFRESH MATERIALIZED VIEW.
pub(crate) fn refresh(stmt: &RefreshMatViewStmt, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    if stmt.concurrent && stmt.skip_data {
        return Err(pg_err!(
            SYNTAX_ERROR,
            "REFRESH options CONCURRENTLY and WITH NO DATA cannot be used together"
        ));
    }
    let mode = if stmt.concurrent {
        LockMode::Exclusive
    } else {
        LockMode::AccessExclusive
    };
    let desc = cx.open_relation(&stmt.relation, mode)?;
    cx.check_owner(&desc)?;
    if desc.relkind != b'm' {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "\"{}\" is not a materialized view",
            desc.name
        ));
    }
    if stmt.concurrent {
        check_concurrent(&desc, cx)?;
    }
    let Some(text) = desc.view_definition.clone() else {
        return Err(common::internal!(
            "materialized view \"{}\" has no query",
            desc.name
        ));
    };
    crate::alter_table::check_not_in_use(&desc, "REFRESH MATERIALIZED VIEW", cx)?;
    let (oid, indexes) = (desc.oid, desc.indexes.clone());
    cx.ddl(|ddl| {
        ddl.replace_storage(oid)?;
        let populated = Datum::Bool(!stmt.skip_data);
        ddl.alter_relation(oid, &[(pg_class::RELISPOPULATED, populated)])
    })?;
    let current = cx.relation(oid)?;
    if !stmt.skip_data {
        fill(&current, nodes::serial::decode_query(&text)?, cx)?;
    }
    for index in indexes {
        crate::rewrite::rebuild_index(&current, index, cx)?;
    }
    Ok(CommandOutcome::tag("REFRESH MATERIALIZED VIEW"))
}

fn check_concurrent(desc: &RelationDesc, cx: &CommandContext<'_>) -> PgResult<()> {
    if !desc.populated {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "CONCURRENTLY cannot be used when the materialized view is not populated"
        ));
    }
    for oid in &desc.indexes {
        let index = cx.relation(*oid)?;
        let usable = index.index.as_ref().is_some_and(|i| {
            i.unique && i.valid && i.predicate.is_none() && i.columns.iter().all(|c| c.expr.is_none())
        });
        if usable {
            return Ok(());
        }
    }
    let name = catalog::names::quote_qualified(Some(&desc.namespace_name), &desc.name);
    Err(pg_err!(
        OBJECT_NOT_IN_PREREQUISITE_STATE,
        "cannot refresh materialized view \"{name}\" concurrently"
    )
    .hint("Create a unique index with no WHERE clause on one or more columns of the materialized view."))
}
