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
use catalog::ddl::ObjectAddress;
use catalog::ddl::relation::NewRelation;
use catalog::ddl::sequence::SequenceOwner;
use catalog::desc::RelationDesc;
use catalog::oids;
use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err, sqlstate, unsupported};
use nodes::Expr;
use parser::ast::{
    ColumnDef, ConstrType, Constraint, CreateStmt, Ident, OnCommitAction, PartitionBoundSpec, PartitionSpec,
    Persistence, TableElement,
};

use crate::columns::{ColumnSpec, column_spec, nextval_expr, provisional};
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
    pub foreign: Vec<Constraint>,
    /// LIKE ... INCLUDING COMMENTS: what has the comment, and what takes it.
    pub comments: Vec<(ObjectAddress, LikeComment)>,
    /// LIKE ... INCLUDING STATISTICS: whose, and the new number of each of its columns.
    pub statistics: Vec<(std::sync::Arc<RelationDesc>, Vec<i16>)>,
}

/// A part of a table to be that takes a comment.
pub(crate) enum LikeComment {
    Column(String),
    Check(String),
    /// The index of the key over these columns.
    Key(Vec<Ident>),
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
    cx.skipping(
        sqlstate::DUPLICATE_TABLE,
        &format!("relation \"{name}\" already exists"),
    );
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
    let partition = stmt.partbound.is_some();
    if stmt.partspec.is_some() && !stmt.inh_relations.is_empty() && !partition {
        return Err(pg_err!(
            INVALID_OBJECT_DEFINITION,
            "cannot create partitioned table as inheritance child"
        ));
    }
    let parents = crate::inherit::open_parents(&stmt.inh_relations, partition, persistence == b't', cx)?;
    let spec = read_elements(stmt, name, &parents, cx)?;
    if stmt.partspec.is_some() && !stmt.options.is_empty() {
        return Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "cannot specify storage parameters for a partitioned table"
        )
        .hint("Specify storage parameters for its leaf partitions instead."));
    }
    let options = storage_params::merge(ParamSet::Heap, &[], &stmt.options)?;
    let tree = Tree {
        parents: &parents,
        bound: stmt.partbound.as_deref(),
        key: stmt.partspec.as_deref(),
    };
    let place = Place {
        name,
        namespace,
        persistence,
        options,
    };
    let oid = build(place, spec, tree, cx)?;
    remember_on_commit(stmt.on_commit, oid, cx);
    Ok(CommandOutcome::tag("CREATE TABLE"))
}

fn refuse_unsupported(stmt: &CreateStmt) -> PgResult<()> {
    let what = if stmt.of_typename.is_some() {
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

/// Its place in an inheritance tree or partition hierarchy.
#[derive(Default)]
pub(crate) struct Tree<'a> {
    pub parents: &'a [Arc<RelationDesc>],
    pub bound: Option<&'a PartitionBoundSpec>,
    pub key: Option<&'a PartitionSpec>,
}

/// Where a table goes and what it is called.
pub(crate) struct Place<'a> {
    pub name: &'a str,
    pub namespace: Oid,
    pub persistence: u8,
    pub options: Vec<String>,
}

fn read_elements(
    stmt: &CreateStmt,
    table: &str,
    parents: &[Arc<RelationDesc>],
    cx: &CommandContext<'_>,
) -> PgResult<TableSpec> {
    let mut spec = TableSpec::default();
    for element in &stmt.table_elts {
        match element {
            TableElement::Column(def) => {
                let identity = |c: &Constraint| c.contype == ConstrType::Identity;
                if stmt.partbound.is_some() && def.constraints.iter().any(identity) {
                    return Err(pg_err!(
                        FEATURE_NOT_SUPPORTED,
                        "identity columns are not supported on partitions"
                    ));
                }
                let mut column = match (&def.type_name, stmt.partbound.is_some(), parents.first()) {
                    (None, true, Some(parent)) => partition_column(def, table, parent, cx)?,
                    _ => column_spec(def, table, cx)?,
                };
                let no_inherit = column.not_null.as_ref().is_some_and(|n| n.no_inherit);
                crate::not_null::check_inheritable(no_inherit, stmt.partspec.is_some())?;
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
    if !parents.is_empty() {
        crate::inherit::merge(&mut spec, parents, stmt.partbound.is_some(), cx)?;
    }
    for element in &stmt.table_elts {
        if let TableElement::Constraint(constraint) = element {
            let no_inherit = constraint.contype == ConstrType::NotNull && constraint.is_no_inherit;
            crate::not_null::check_inheritable(no_inherit, stmt.partspec.is_some())?;
            add_table_constraint(constraint, &mut spec)?;
        }
    }
    require_one_primary_key(&spec, table)?;
    primary_key_columns_not_null(&mut spec)?;
    Ok(spec)
}

/// WITH OPTIONS of a partition's column: its type is the parent's.
fn partition_column(
    def: &ColumnDef,
    table: &str,
    parent: &RelationDesc,
    cx: &CommandContext<'_>,
) -> PgResult<ColumnSpec> {
    let Some(column) = parent.column_by_name(def.name.as_str()) else {
        return Err(pg_err!(
            UNDEFINED_COLUMN,
            "column \"{}\" does not exist",
            def.name.as_str()
        ));
    };
    crate::columns::typed_column(def, table, (column.type_ref, column.collation, 0), None, cx)
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
    } else if constraint.contype == ConstrType::Foreign {
        constraint.fk_attrs = vec![Ident::new(column.as_str(), constraint.span)];
        spec.foreign.push(constraint);
    } else {
        constraint.keys = vec![Ident::new(column.as_str(), constraint.span)];
        spec.keys.push(constraint);
    }
    Ok(())
}

fn add_table_constraint(constraint: &Constraint, spec: &mut TableSpec) -> PgResult<()> {
    match constraint.contype {
        ConstrType::Check => spec.checks.push(CheckSpec::of(constraint)?),
        ConstrType::Primary | ConstrType::Unique | ConstrType::Exclusion => {
            spec.keys.push(constraint.clone())
        }
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
            crate::not_null::declare(column, name, no_inherit)?;
        }
        ConstrType::Foreign => {
            spec.foreign.push(constraint.clone());
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
            crate::not_null::declare(column, None, false)?;
        }
    }
    Ok(())
}

/// Makes the table of a definition with all that belongs to it.
pub(crate) fn build(
    place: Place<'_>,
    mut spec: TableSpec,
    tree: Tree<'_>,
    cx: &mut CommandContext<'_>,
) -> PgResult<Oid> {
    let view = cx.view()?;
    let schema = crate::namespace::name_of(cx, place.namespace)?;
    let columns: Vec<_> = spec.columns.iter().map(|c| c.new.clone()).collect();
    let desc = provisional(place.name, place.namespace, schema, &columns, &*view)?;
    let checks = analyze_expressions(&desc, &mut spec, &*view, cx)?;
    let key = match tree.key {
        Some(key) => Some(crate::partition::analyze_key(key, &desc, &*view, cx)?),
        None => None,
    };
    let bound = match (tree.bound, tree.parents.first()) {
        (Some(spec), Some(parent)) => {
            let bound = crate::partition::analyze_bound(spec, parent, &*view, cx)?;
            crate::partition::check_new_bound(place.name, parent, &bound, spec, &*view, cx)?;
            Some(bound)
        }
        _ => None,
    };
    drop(view);
    let sequences = make_sequences(&place, &mut spec, cx)?;
    let relkind = if key.is_some() { b'p' } else { b'r' };
    let mut new = NewRelation::new(place.name, place.namespace, relkind)
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
    crate::not_null::store_all(made.oid, &spec.columns, cx)?;
    if let Some(key) = &key {
        cx.ddl(|ddl| ddl.set_partition_key(made.oid, key))?;
    }
    crate::inherit::store_parents(made.oid, tree.parents, bound.is_some(), cx)?;
    if let (Some(bound), Some(parent)) = (&bound, tree.parents.first()) {
        crate::partition::check_default_partition(parent, bound, made.oid, cx)?;
        let child = cx.relation(made.oid)?;
        crate::partition::enter(&child, parent, bound, cx)?;
    }
    make_keys(made.oid, &spec.keys, cx)?;
    for foreign in &spec.foreign {
        let desc = cx.relation(made.oid)?;
        crate::foreign_key::add(cx, &desc, foreign, crate::foreign_key::Existing::None)?;
    }
    copy_comments(made.oid, &spec.comments, cx)?;
    for (source, map) in &spec.statistics {
        let target = cx.relation(made.oid)?;
        crate::statistics::copy_statistics(source, &target, map, cx)?;
    }
    Ok(made.oid)
}

fn copy_comments(
    table: Oid,
    comments: &[(ObjectAddress, LikeComment)],
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    if comments.is_empty() {
        return Ok(());
    }
    let desc = cx.relation(table)?;
    for (from, target) in comments {
        let to = match target {
            LikeComment::Column(name) => desc
                .column_by_name(name)
                .map(|c| ObjectAddress::column(table, c.attno)),
            LikeComment::Check(name) => {
                let found = desc
                    .constraints
                    .iter()
                    .find(|c| c.kind == b'c' && *c.name == **name);
                found.map(|c| ObjectAddress::new(oids::PG_CONSTRAINT, c.oid))
            }
            LikeComment::Key(names) => {
                let attnos = names.iter().filter_map(|n| desc.column_by_name(n.as_str()));
                let attnos: Vec<i16> = attnos.map(|c| c.attno).collect();
                let key =
                    |c: &&catalog::desc::ConstraintDesc| matches!(c.kind, b'p' | b'u') && c.columns == attnos;
                let found = desc.constraints.iter().find(key);
                found.map(|c| ObjectAddress::new(oids::PG_CLASS, c.index))
            }
        };
        if let Some(to) = to {
            cx.ddl(|ddl| ddl.copy_comment(*from, to))?;
        }
    }
    Ok(())
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
            column.new.default = Some(crate::generated::generation_expr(
                raw,
                &column.new,
                desc,
                view,
                cx,
            )?);
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
        let excludes = key.contype == ConstrType::Exclusion;
        let names = |c: &Constraint| c.keys.iter().map(|k| k.name.clone()).collect::<Vec<_>>();
        let same = |other: &&Constraint| {
            names(other) == names(key)
                && !excludes
                && other.without_overlaps == key.without_overlaps
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
        period: constraint.without_overlaps,
        operators: Vec::new(),
    }
}
