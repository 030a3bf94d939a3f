//! CREATE TABLE.
//!
//! PG: src/backend/parser/parse_utilcmd.c, src/backend/commands/tablecmds.c (`DefineRelation`).
//!
//! # How it works
//! 1. The elements are read into column definitions, CHECK, NOT NULL and key constraints.
//! 2. Expressions are analyzed over a descriptor of the table to be.
//! 3. Sequences of serial columns are made, then the table, then constraints, then indexes.

use std::sync::Arc;

use catalog::CatalogView;
use catalog::ddl::relation::NewRelation;
use catalog::ddl::sequence::SequenceOwner;
use catalog::desc::RelationDesc;
use catalog::oids;
use common::error::{ErrorExt, Severity};
use common::{Oid, PgError, PgResult, pg_err, sqlstate, unsupported};
use nodes::Expr;
use parser::ast::{ConstrType, Constraint, CreateStmt, Ident, OnCommitAction, Persistence, TableElement};

use crate::columns::{ColumnSpec, NotNullSpec, column_spec, nextval_expr, provisional};
use crate::constraints::{self, CheckSpec};
use crate::context::{CommandContext, CommandOutcome, SessionAction};
use crate::create_index::{KeyConstraint, check_tablespace};
use crate::storage_params::{self, ParamSet};

/// What a table definition consists of.
#[derive(Default)]
pub(crate) struct TableSpec {
    pub columns: Vec<ColumnSpec>,
    pub checks: Vec<CheckSpec>,
    pub keys: Vec<Constraint>,
}

/// NOTICE and true when IF NOT EXISTS finds the name taken.
pub(crate) fn exists_already(
    cx: &CommandContext<'_>,
    namespace: Oid,
    name: &str,
    if_not_exists: bool,
) -> PgResult<bool> {
    if !if_not_exists || !crate::sequence::name_exists(cx, namespace, name)? {
        return Ok(false);
    }
    cx.notice(PgError::notice(
        Severity::Notice,
        sqlstate::DUPLICATE_TABLE,
        format!("relation \"{name}\" already exists, skipping"),
    ));
    Ok(true)
}

/// CREATE TABLE (not AS).
pub(crate) fn create_table(stmt: &CreateStmt, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    refuse_unsupported(stmt)?;
    let name = stmt.relation.relation.as_str();
    let (namespace, persistence) = cx.creation_namespace(&stmt.relation)?;
    check_on_commit(stmt.on_commit, persistence)?;
    if exists_already(cx, namespace, name, stmt.if_not_exists)? {
        return Ok(CommandOutcome::tag("CREATE TABLE"));
    }
    if namespace == oids::PG_CATALOG_NAMESPACE && !cx.guc.borrow().get_bool("allow_system_table_mods") {
        let schema = crate::namespace::name_of(cx, namespace)?;
        return Err(pg_err!(
            INSUFFICIENT_PRIVILEGE,
            "permission denied to create \"{schema}.{name}\""
        )
        .detail("System catalog modifications are currently disallowed."));
    }
    check_tablespace(stmt.tablespace.as_ref())?;
    check_table_access_method(stmt.access_method.as_ref())?;
    let spec = read_elements(stmt, name, cx)?;
    let options = storage_params::merge(ParamSet::Heap, &[], &stmt.options)?;
    let place = Place {
        name,
        namespace,
        persistence,
        options,
    };
    let oid = build(place, spec, cx)?;
    remember_on_commit(stmt.on_commit, oid, cx);
    Ok(CommandOutcome::tag("CREATE TABLE"))
}

fn refuse_unsupported(stmt: &CreateStmt) -> PgResult<()> {
    let what = if stmt.partbound.is_some() || stmt.partspec.is_some() {
        "partitioned tables are"
    } else if !stmt.inh_relations.is_empty() {
        "table inheritance is"
    } else if stmt.of_typename.is_some() {
        "typed tables are"
    } else if stmt.foreign.is_some() {
        "foreign tables are"
    } else {
        return Ok(());
    };
    Err(unsupported!("{what} not supported yet").at(stmt.span))
}

/// ON COMMIT is for temporary tables.
pub(crate) fn check_on_commit(action: OnCommitAction, persistence: u8) -> PgResult<()> {
    if persistence != b't' && !matches!(action, OnCommitAction::Noop) {
        return Err(pg_err!(
            INVALID_TABLE_DEFINITION,
            "ON COMMIT can only be used on temporary tables"
        ));
    }
    Ok(())
}

/// Tells the session what to do with a temporary table at commit.
pub(crate) fn remember_on_commit(action: OnCommitAction, table: Oid, cx: &mut CommandContext<'_>) {
    match action {
        OnCommitAction::DeleteRows => cx.actions.push(SessionAction::OnCommitDeleteRows(table)),
        OnCommitAction::Drop => cx.actions.push(SessionAction::OnCommitDrop(table)),
        OnCommitAction::Noop | OnCommitAction::PreserveRows => {}
    }
}

/// `heap` is the only one.
pub(crate) fn check_table_access_method(name: Option<&Ident>) -> PgResult<()> {
    match name.map(Ident::as_str) {
        None | Some("heap") => Ok(()),
        Some(other) => Err(pg_err!(
            UNDEFINED_OBJECT,
            "access method \"{other}\" does not exist"
        )),
    }
}

/// Where a table goes and what it is called.
pub(crate) struct Place<'a> {
    pub name: &'a str,
    pub namespace: Oid,
    pub persistence: u8,
    pub options: Vec<String>,
}

fn read_elements(stmt: &CreateStmt, table: &str, cx: &CommandContext<'_>) -> PgResult<TableSpec> {
    let mut spec = TableSpec::default();
    for element in &stmt.table_elts {
        match element {
            TableElement::Column(def) => {
                let mut column = column_spec(def, table, cx)?;
                let constraints = std::mem::take(&mut column.constraints);
                spec.columns.push(column);
                for constraint in constraints {
                    add_column_constraint(constraint, &def.name, &mut spec)?;
                }
            }
            TableElement::Constraint(_) => {}
            TableElement::Like(like) => crate::create_like::add(like, &mut spec, cx)?,
        }
    }
    check_duplicate_columns(&spec)?;
    for element in &stmt.table_elts {
        if let TableElement::Constraint(constraint) = element {
            add_table_constraint(constraint, &mut spec)?;
        }
    }
    require_one_primary_key(&spec, table)?;
    primary_key_columns_not_null(&mut spec)?;
    Ok(spec)
}

fn check_duplicate_columns(spec: &TableSpec) -> PgResult<()> {
    for (at, column) in spec.columns.iter().enumerate() {
        if spec.columns[..at].iter().any(|c| c.new.name == column.new.name) {
            return Err(pg_err!(
                DUPLICATE_COLUMN,
                "column \"{}\" specified more than once",
                column.new.name
            ));
        }
    }
    Ok(())
}

fn add_column_constraint(mut constraint: Constraint, column: &Ident, spec: &mut TableSpec) -> PgResult<()> {
    if constraint.contype == ConstrType::Check {
        spec.checks.push(CheckSpec::of(&constraint)?);
    } else {
        constraint.keys = vec![Ident::new(column.as_str(), constraint.span)];
        spec.keys.push(constraint);
    }
    Ok(())
}

fn add_table_constraint(constraint: &Constraint, spec: &mut TableSpec) -> PgResult<()> {
    match constraint.contype {
        ConstrType::Check => spec.checks.push(CheckSpec::of(constraint)?),
        ConstrType::Primary | ConstrType::Unique => spec.keys.push(constraint.clone()),
        ConstrType::NotNull => {
            let Some(key) = constraint.keys.first() else {
                return Err(common::internal!("NOT NULL constraint without a column"));
            };
            let name = constraint.conname.as_ref().map(|n| n.as_str().to_owned());
            let no_inherit = constraint.is_no_inherit;
            let Some(column) = spec.columns.iter_mut().find(|c| c.new.name == key.as_str()) else {
                return Err(pg_err!(
                    UNDEFINED_COLUMN,
                    "column \"{}\" named in not-null constraint does not exist",
                    key.as_str()
                ));
            };
            column.new.not_null = true;
            match &mut column.not_null {
                Some(before) if before.name.is_none() => before.name = name,
                Some(_) => {}
                none => *none = Some(NotNullSpec { name, no_inherit }),
            }
        }
        ConstrType::Foreign => {
            return Err(unsupported!("foreign key constraints are not supported yet").at(constraint.span));
        }
        ConstrType::Exclusion => {
            return Err(unsupported!("exclusion constraints are not supported yet").at(constraint.span));
        }
        _ => return Err(common::internal!("not a table constraint")),
    }
    Ok(())
}

fn require_one_primary_key(spec: &TableSpec, table: &str) -> PgResult<()> {
    let mut primary = spec.keys.iter().filter(|k| k.contype == ConstrType::Primary);
    match primary.nth(1) {
        Some(second) => Err(pg_err!(
            INVALID_TABLE_DEFINITION,
            "multiple primary keys for table \"{table}\" are not allowed"
        )
        .at(second.span)),
        None => Ok(()),
    }
}

fn primary_key_columns_not_null(spec: &mut TableSpec) -> PgResult<()> {
    for key in &spec.keys {
        let columns: Vec<&str> = spec.columns.iter().map(|c| c.new.name.as_str()).collect();
        constraints::check_key_columns(key, &columns)?;
    }
    let primary: Vec<Ident> = spec
        .keys
        .iter()
        .filter(|k| k.contype == ConstrType::Primary)
        .flat_map(|k| k.keys.clone())
        .collect();
    for key in primary {
        if let Some(column) = spec.columns.iter_mut().find(|c| c.new.name == key.as_str()) {
            column.new.not_null = true;
            column.not_null.get_or_insert(NotNullSpec {
                name: None,
                no_inherit: false,
            });
        }
    }
    Ok(())
}

/// Makes the table of a definition with all that belongs to it.
pub(crate) fn build(place: Place<'_>, mut spec: TableSpec, cx: &mut CommandContext<'_>) -> PgResult<Oid> {
    let view = cx.view()?;
    let schema = crate::namespace::name_of(cx, place.namespace)?;
    let columns: Vec<_> = spec.columns.iter().map(|c| c.new.clone()).collect();
    let desc = provisional(place.name, place.namespace, schema, &columns, &*view)?;
    let checks = analyze_expressions(&desc, &mut spec, &*view, cx)?;
    drop(view);
    let sequences = make_sequences(&place, &mut spec, cx)?;
    let mut new = NewRelation::new(place.name, place.namespace, b'r')
        .with_columns(spec.columns.iter().map(|c| c.new.clone()).collect());
    new.persistence = place.persistence;
    new.options = place.options;
    let made = cx.ddl(|ddl| ddl.create_relation(&new))?;
    for (sequence, attno, identity) in sequences {
        let owner = if identity {
            SequenceOwner::Identity(made.oid, attno)
        } else {
            SequenceOwner::Column(made.oid, attno)
        };
        cx.ddl(|ddl| ddl.set_sequence_owner(sequence, Some(owner)))?;
    }
    for (check, expr) in checks {
        constraints::store_check(cx, made.oid, &check, expr)?;
    }
    for (column, attno) in spec.columns.iter().zip(1i16..) {
        if let Some(not_null) = &column.not_null {
            constraints::store_not_null(cx, made.oid, attno, not_null)?;
        }
    }
    make_keys(made.oid, &spec.keys, cx)?;
    Ok(made.oid)
}

/// Analyzes defaults, generation expressions (into the columns) and checks.
fn analyze_expressions(
    desc: &RelationDesc,
    spec: &mut TableSpec,
    view: &dyn CatalogView,
    cx: &CommandContext<'_>,
) -> PgResult<Vec<(CheckSpec, Expr)>> {
    for column in &mut spec.columns {
        if let Some(raw) = &column.raw_default {
            column.new.default = constraints::default_expr(raw, &column.new, view, cx)?;
        }
        if let Some(raw) = &column.raw_generated {
            column.new.default = Some(constraints::generation_expr(raw, &column.new, desc, view, cx)?);
        }
    }
    let mut checks = Vec::new();
    for check in std::mem::take(&mut spec.checks) {
        let duplicate = |(c, _): &(CheckSpec, Expr)| c.name.is_some() && c.name == check.name;
        if checks.iter().any(duplicate) {
            return Err(pg_err!(
                DUPLICATE_OBJECT,
                "check constraint \"{}\" already exists",
                check.name.as_deref().unwrap_or_default()
            ));
        }
        let expr = constraints::check_expr(&check, desc, view, cx)?;
        checks.push((check, expr));
    }
    Ok(checks)
}

/// Makes the sequences of serial and identity columns: (sequence, attno, identity).
fn make_sequences(
    place: &Place<'_>,
    spec: &mut TableSpec,
    cx: &mut CommandContext<'_>,
) -> PgResult<Vec<(Oid, i16, bool)>> {
    let mut made = Vec::new();
    for (column, attno) in spec.columns.iter_mut().zip(1i16..) {
        let Some(sequence) = column.sequence.take() else {
            continue;
        };
        let (namespace, name) = match &sequence.name {
            Some(names) => {
                let mut rel = crate::lookup::range_var(names)?;
                rel.persistence = match place.persistence {
                    b't' => Persistence::Temp,
                    _ => Persistence::Permanent,
                };
                let (namespace, _) = cx.creation_namespace(&rel)?;
                (namespace, rel.relation.as_str().to_owned())
            }
            None => {
                let name = crate::sequence::choose_name(cx, place.name, &column.new.name, place.namespace)?;
                (place.namespace, name)
            }
        };
        let oid = crate::sequence::make(cx, &name, namespace, place.persistence, &sequence.params)?;
        if !sequence.identity {
            let view = cx.view()?;
            let expr = analyzer::utility::coerce_for_assignment(
                nextval_expr(oid),
                column.new.type_ref,
                &cx.analysis(&*view),
            )?;
            column.new.default = expr;
        }
        made.push((oid, attno, sequence.identity));
    }
    Ok(made)
}

/// Makes the indexes of PRIMARY KEY (first) and UNIQUE constraints.
fn make_keys(table: Oid, keys: &[Constraint], cx: &CommandContext<'_>) -> PgResult<()> {
    let primary = keys.iter().filter(|k| k.contype == ConstrType::Primary);
    let others = keys.iter().filter(|k| k.contype != ConstrType::Primary);
    let mut done: Vec<&Constraint> = Vec::new();
    for key in primary.chain(others) {
        // A repetition of another key without a name of its own is that key.
        let names = |c: &Constraint| c.keys.iter().map(|k| k.name.clone()).collect::<Vec<_>>();
        let same = |other: &&Constraint| {
            names(other) == names(key)
                && key.conname.is_none()
                && other.deferrable == key.deferrable
                && other.nulls_not_distinct == key.nulls_not_distinct
                && key.including.is_empty()
        };
        if done.iter().any(same) {
            continue;
        }
        let desc: Arc<RelationDesc> = cx.relation(table)?;
        constraints::store_key(cx, &desc, key)?;
        done.push(key);
    }
    Ok(())
}

/// The key constraint that an index implements.
pub(crate) fn key_constraint(constraint: &Constraint) -> KeyConstraint {
    KeyConstraint {
        primary: constraint.contype == ConstrType::Primary,
        deferrable: constraint.deferrable,
        deferred: constraint.initdeferred,
    }
}
