//! CREATE VIEW.
//!
//! PG: src/backend/commands/view.c.

use catalog::ddl::relation::{NewColumn, NewRelation};
use catalog::desc::RelationDesc;
use common::error::{ErrorExt, Severity};
use common::{PgError, PgResult, pg_err, sqlstate};
use nodes::Query;
use nodes::query::RteKind;
use parser::ast::{Persistence, ViewCheckOption, ViewStmt};
use txn::LockMode;

use crate::context::{CommandContext, CommandOutcome};
use crate::storage_params::{self, ParamSet};

/// CREATE [OR REPLACE] VIEW.
pub(crate) fn create_view(stmt: &ViewStmt, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    if stmt.query.into.is_some() {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "views must not contain SELECT INTO"
        ));
    }
    if stmt.view.persistence == Persistence::Unlogged {
        return Err(pg_err!(
            SYNTAX_ERROR,
            "views cannot be unlogged because they do not have storage"
        ));
    }
    let view = cx.view()?;
    let analysis = cx.analysis(&*view);
    let query = analyzer::utility::analyze_view(&stmt.query, &stmt.aliases, &analysis)?;
    cx.take_notices(analysis);
    let mut options = storage_params::merge(ParamSet::View, &[], &stmt.options)?;
    match stmt.with_check_option {
        ViewCheckOption::None => {}
        ViewCheckOption::Local => options.push("check_option=local".into()),
        ViewCheckOption::Cascaded => options.push("check_option=cascaded".into()),
    }
    let mut target = stmt.view.clone();
    if target.persistence == Persistence::Permanent && uses_temporary(&query, cx)? {
        target.persistence = Persistence::Temp;
        cx.notice(PgError::notice(
            Severity::Notice,
            sqlstate::SUCCESSFUL_COMPLETION,
            format!("view \"{}\" will be a temporary view", target.relation.as_str()),
        ));
    }
    let (namespace, persistence) = cx.creation_namespace(&target)?;
    let columns = view_columns(&query, cx)?;
    if stmt.replace
        && let Some(old) = existing(namespace, target.relation.as_str(), cx)?
    {
        replace(&old, &columns, &query, options, cx)?;
        return Ok(CommandOutcome::tag("CREATE VIEW"));
    }
    let mut new = NewRelation::new(target.relation.as_str(), namespace, b'v').with_columns(columns);
    new.persistence = persistence;
    new.options = options;
    cx.ddl(|ddl| ddl.create_view(&new, &query))?;
    Ok(CommandOutcome::tag("CREATE VIEW"))
}

/// A view over a temporary relation is temporary.
pub(crate) fn uses_temporary(query: &Query, cx: &CommandContext<'_>) -> PgResult<bool> {
    for rte in &query.range_table {
        let found = match &rte.kind {
            RteKind::Relation { relation, .. } => cx.relation(*relation)?.persistence == b't',
            RteKind::Subquery { query, .. } => uses_temporary(query, cx)?,
            _ => false,
        };
        if found {
            return Ok(true);
        }
    }
    for cte in &query.ctes {
        if uses_temporary(&cte.query, cx)? {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(crate) fn view_columns(query: &Query, cx: &CommandContext<'_>) -> PgResult<Vec<NewColumn>> {
    let mut columns = Vec::new();
    for target in query.output_columns() {
        let name = target.name.as_deref().unwrap_or("?column?");
        let mut column = NewColumn::new(name, target.expr.type_ref());
        column.collation = target.expr.collation();
        if column.type_ref.oid == types::oids::UNKNOWN {
            column.type_ref = types::settings::TypeRef::plain(types::oids::TEXT);
        }
        let collatable = cx
            .view()?
            .type_desc(column.type_ref.oid)?
            .is_some_and(|d| d.collation.is_valid());
        if collatable && !column.collation.is_valid() {
            return Err(pg_err!(
                INDETERMINATE_COLLATION,
                "could not determine which collation to use for view column \"{name}\""
            )
            .hint("Use the COLLATE clause to set the collation explicitly."));
        }
        columns.push(column);
    }
    Ok(columns)
}

fn existing(
    namespace: common::Oid,
    name: &str,
    cx: &CommandContext<'_>,
) -> PgResult<Option<std::sync::Arc<RelationDesc>>> {
    let view = cx.view()?;
    let schema = view.namespace_name(namespace)?;
    let Some(found) = view.relation_by_name(schema.as_deref(), name)? else {
        return Ok(None);
    };
    cx.lock_relation(found.oid, LockMode::AccessExclusive)?;
    Ok(Some(found))
}

fn replace(
    old: &RelationDesc,
    columns: &[NewColumn],
    query: &Query,
    options: Vec<String>,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    if old.relkind != b'v' {
        return Err(pg_err!(WRONG_OBJECT_TYPE, "\"{}\" is not a view", old.name));
    }
    cx.check_owner(old)?;
    if columns.len() < old.columns.len() {
        return Err(pg_err!(INVALID_TABLE_DEFINITION, "cannot drop columns from view"));
    }
    let view = cx.view()?;
    for (before, after) in old.columns.iter().zip(columns) {
        if *before.name != *after.name {
            return Err(pg_err!(
                INVALID_TABLE_DEFINITION,
                "cannot change name of view column \"{}\" to \"{}\"",
                before.name,
                after.name
            )
            .hint("Use ALTER VIEW ... RENAME COLUMN ... to change name of view column instead."));
        }
        if before.type_ref != after.type_ref {
            let word =
                |t: types::settings::TypeRef| catalog::format_type::format_type(&*view, t.oid, t.typmod);
            return Err(pg_err!(
                INVALID_TABLE_DEFINITION,
                "cannot change data type of view column \"{}\" from {} to {}",
                before.name,
                word(before.type_ref)?,
                word(after.type_ref)?
            ));
        }
    }
    drop(view);
    let added = columns.get(old.columns.len()..).unwrap_or_default();
    cx.ddl(|ddl| {
        for column in added {
            ddl.add_column(old.oid, column, None)?;
        }
        let value = storage_params::datum(&options);
        ddl.alter_relation(old.oid, &[(catalog::columns::pg_class::RELOPTIONS, value)])?;
        ddl.replace_view_query(old.oid, query)
    })
}
