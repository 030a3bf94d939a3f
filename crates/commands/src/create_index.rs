//! CREATE INDEX, and the indexes behind PRIMARY KEY and UNIQUE constraints.
//!
//! PG: src/backend/commands/indexcmds.c.

use std::sync::Arc;

use analyzer::ExprKind;
use catalog::CatalogView;
use catalog::ddl::constraint::{NameParts, NewConstraint};
use catalog::ddl::index::{NewIndex, index_columns};
use catalog::ddl::relation::NewRelation;
use catalog::desc::{IndexColumnDesc, IndexDesc, RelationDesc};
use catalog::virtual_columns::{VIRTUAL, has_any};
use common::error::ErrorExt;
use common::{Oid, PgError, PgResult, pg_err, unsupported};
use nodes::Expr;
use parser::ast::{DefElem, Ident, IndexElem, IndexStmt, NameList, SortByDir, SortByNulls};
use txn::LockMode;
use types::settings::TypeRef;

use crate::access_method::{self, AccessMethod};
use crate::context::{CommandContext, CommandOutcome};
use crate::index_build;
use crate::storage_params;

/// An index to define, from CREATE INDEX or from a constraint.
pub(crate) struct IndexRequest<'a> {
    pub name: Option<&'a str>,
    pub access_method: Option<&'a str>,
    pub params: Vec<IndexElem>,
    pub including: Vec<IndexElem>,
    pub options: &'a [DefElem],
    pub where_clause: Option<&'a parser::ast::Expr>,
    pub unique: bool,
    pub nulls_not_distinct: bool,
    pub constraint: Option<KeyConstraint>,
    /// EXCLUDE: the operator of each column, by name.
    pub operators: Vec<NameList>,
    pub if_not_exists: bool,
    /// ON ONLY: partitions get none.
    pub only: bool,
    /// Defined as invalid, and not filled.
    pub concurrent: bool,
}

/// What makes an index the index of a constraint.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyConstraint {
    pub primary: bool,
    pub deferrable: bool,
    pub deferred: bool,
    /// WITHOUT OVERLAPS.
    pub period: bool,
    /// EXCLUDE and WITHOUT OVERLAPS: the operator of each column.
    pub operators: Vec<Oid>,
}

impl KeyConstraint {
    /// `pg_constraint.contype`.
    pub fn kind(&self) -> u8 {
        match (self.primary, self.is_exclusion()) {
            (true, _) => b'p',
            (false, true) => b'x',
            (false, false) => b'u',
        }
    }

    fn is_exclusion(&self) -> bool {
        !self.operators.is_empty() && !self.period
    }
}

/// An index column of a plain column.
pub(crate) fn plain_element(name: &Ident) -> IndexElem {
    IndexElem {
        name: Some(name.clone()),
        expr: None,
        collation: Vec::new(),
        opclass: Vec::new(),
        opclass_opts: Vec::new(),
        ordering: SortByDir::Default,
        nulls_ordering: SortByNulls::Default,
        span: name.span,
    }
}

/// CREATE INDEX.
pub(crate) fn create_index(stmt: &IndexStmt, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    let mode = match stmt.concurrent {
        true => LockMode::ShareUpdateExclusive,
        false => LockMode::Share,
    };
    let table = cx.open_relation(&stmt.relation, mode)?;
    if !matches!(table.relkind, b'r' | b'm' | b'p') {
        return Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "cannot create index on relation \"{}\"",
            table.name
        )
        .detail(crate::lookup::relkind_detail(table.relkind)));
    }
    cx.check_owner(&table)?;
    crate::alter_table::check_not_in_use(&table, "CREATE INDEX", cx)?;
    check_tablespace(stmt.tablespace.as_ref())?;
    if stmt.concurrent && table.relkind == b'p' {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "cannot create index on partitioned table \"{}\" concurrently",
            table.name
        ));
    }
    // Nobody else uses a temporary table.
    let concurrent = stmt.concurrent && table.persistence != b't';
    let request = IndexRequest {
        name: stmt.idxname.as_ref().map(Ident::as_str),
        access_method: stmt.access_method.as_ref().map(Ident::as_str),
        params: stmt.params.clone(),
        including: stmt.including_params.clone(),
        options: &stmt.options,
        where_clause: stmt.where_clause.as_ref(),
        unique: stmt.unique,
        nulls_not_distinct: stmt.nulls_not_distinct,
        constraint: None,
        operators: Vec::new(),
        if_not_exists: stmt.if_not_exists,
        only: !stmt.relation.inh,
        concurrent,
    };
    if concurrent {
        crate::concurrently::create(cx, &table, request)?;
    } else {
        define_index(cx, &table, request)?;
    }
    Ok(CommandOutcome::tag("CREATE INDEX"))
}

/// Only the two built-in tablespaces exist, and they are where everything is.
pub(crate) fn check_tablespace(name: Option<&Ident>) -> PgResult<()> {
    match name {
        None => Ok(()),
        Some(name) if name.as_str() == "pg_default" => Ok(()),
        Some(name) if name.as_str() == "pg_global" => Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "only shared relations can be placed in pg_global tablespace"
        )),
        Some(name) => Err(pg_err!(
            UNDEFINED_OBJECT,
            "tablespace \"{}\" does not exist",
            name.as_str()
        )),
    }
}

/// A column of the index being defined.
pub(crate) struct Column {
    pub desc: IndexColumnDesc,
    /// For generated names and `pg_attribute`.
    pub name: String,
    pub type_ref: TypeRef,
}

/// Defines and fills an index; its OID, or `None` when IF NOT EXISTS found one.
pub(crate) fn define_index(
    cx: &CommandContext<'_>,
    table: &Arc<RelationDesc>,
    request: IndexRequest<'_>,
) -> PgResult<Option<Oid>> {
    if request.params.len() + request.including.len() > 32 {
        return Err(pg_err!(
            TOO_MANY_COLUMNS,
            "cannot use more than 32 columns in an index"
        ));
    }
    let method = access_method::of_request(&request)?;
    let view = cx.view()?;
    let key_count = request.params.len();
    let columns = analyze_columns(cx, &*view, table, method, &request)?;
    let predicate = analyze_predicate(cx, &*view, table, request.where_clause)?;
    let name = request.name.unwrap_or_default();
    if crate::create_table::exists_already(cx, table.namespace, name, request.if_not_exists)? {
        return Ok(None);
    }
    let options = storage_params::merge(method.params, &[], request.options)?;
    let constraint = with_operators(cx, &*view, &columns[..key_count], &request)?;
    let desc = IndexDesc {
        table: table.oid,
        access_method: method.oid,
        unique: request.unique,
        primary: constraint.as_ref().is_some_and(|c| c.primary),
        exclusion: constraint.as_ref().is_some_and(|c| !c.operators.is_empty()),
        nulls_not_distinct: request.nulls_not_distinct,
        immediate: constraint.as_ref().is_none_or(|c| !c.deferrable),
        valid: !(request.concurrent
            || request.only && !table.inheritance.children.is_empty() && table.relkind == b'p'),
        ready: !request.concurrent,
        live: true,
        clustered: false,
        columns: columns.iter().map(|c| c.desc.clone()).collect(),
        key_count,
        predicate: predicate.map(Arc::new),
    };
    let only = request.only;
    let oid = make_index(cx, table, request.name, &columns, desc, options, constraint)?;
    if table.relkind == b'p' && !only && table.inheritance.parents.is_empty() {
        let (index, table) = (cx.relation(oid)?, cx.relation(table.oid)?);
        for child in &table.inheritance.children {
            cx.lock_relation(*child, LockMode::Share)?;
            let child = cx.relation(*child)?;
            crate::partition_index::ensure(cx, &index, &table, &child)?;
        }
    }
    Ok(Some(oid))
}

/// The constraint of a request, with its operators found.
fn with_operators(
    cx: &CommandContext<'_>,
    view: &dyn CatalogView,
    columns: &[Column],
    request: &IndexRequest<'_>,
) -> PgResult<Option<KeyConstraint>> {
    let Some(mut key) = request.constraint.clone() else {
        return Ok(None);
    };
    if key.period {
        key.operators = access_method::period_operators(view, columns)?;
    }
    for (column, name) in columns.iter().zip(&request.operators) {
        let found = access_method::exclusion_operator(cx, view, column, name)?;
        key.operators.push(found);
    }
    Ok(Some(key))
}

/// Makes an index from its finished definition, fills it, and (for partitioned tables) makes those of the partitions, unless it is
/// invalid.
pub(crate) fn make_index(
    cx: &CommandContext<'_>,
    table: &Arc<RelationDesc>,
    name: Option<&str>,
    columns: &[Column],
    desc: IndexDesc,
    options: Vec<String>,
    constraint: Option<KeyConstraint>,
) -> PgResult<Oid> {
    crate::partition_index::check_unique_key(cx, table, &desc, constraint.as_ref())?;
    let name = match name {
        Some(name) => name.to_owned(),
        None => choose_name(cx, table, columns, constraint.as_ref())?,
    };
    access_method::check_classes(&*cx.view()?, &desc, &name)?;
    let partitioned = table.relkind == b'p';
    let oid = store(cx, table, &name, columns, desc, options, constraint)?;
    let table = cx.relation(table.oid)?;
    let index = cx.relation(oid)?;
    if !partitioned {
        if index.index.as_ref().is_some_and(|i| i.valid) {
            index_build::build(cx, &table, &index)?;
        }
        return Ok(oid);
    }
    // Called for a partition that is partitioned itself: the levels below follow.
    if !table.inheritance.parents.is_empty() {
        for child in &table.inheritance.children {
            let child = cx.relation(*child)?;
            crate::partition_index::ensure(cx, &index, &table, &child)?;
        }
    }
    Ok(oid)
}

/// Writes the catalog rows of the index and of its constraint.
fn store(
    cx: &CommandContext<'_>,
    table: &RelationDesc,
    name: &str,
    columns: &[Column],
    desc: IndexDesc,
    options: Vec<String>,
    constraint: Option<KeyConstraint>,
) -> PgResult<Oid> {
    let names = attribute_names(columns);
    let types: Vec<(TypeRef, Oid)> = columns.iter().map(|c| (c.type_ref, c.desc.collation)).collect();
    let relkind = if table.relkind == b'p' { b'I' } else { b'i' };
    let mut relation =
        NewRelation::new(name, table.namespace, relkind).with_columns(index_columns(&names, &types));
    relation.persistence = table.persistence;
    relation.access_method = desc.access_method;
    relation.options = options;
    let key_count = desc.key_count;
    let attnos: Vec<i16> = desc.columns.iter().take(key_count).map(|c| c.attno).collect();
    let new = NewIndex {
        relation,
        index: desc,
        for_constraint: constraint.is_some(),
    };
    let (namespace, table_oid, owner) = (table.namespace, table.oid, table.owner);
    cx.ddl(|ddl| {
        let asked = std::mem::replace(&mut ddl.user, owner);
        let made = ddl.create_index(&new)?;
        if let Some(key) = constraint {
            let mut row = NewConstraint::new(key.kind(), name, namespace, table_oid, attnos);
            row.index = made.oid;
            row.deferrable = key.deferrable;
            row.deferred = key.deferred;
            row.period = key.period;
            row.exclusion_ops = key.operators;
            let constraint = ddl.add_constraint(&row)?;
            ddl.attach_index_to_constraint(made.oid, constraint)?;
        }
        ddl.user = asked;
        Ok(made.oid)
    })
}

/// Names of the index's own columns: those of the table, made distinct.
fn attribute_names(columns: &[Column]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for column in columns {
        let mut name = column.name.clone();
        let mut number = 0;
        while names.contains(&name) {
            number += 1;
            let suffix = number.to_string();
            let mut room = 63usize.saturating_sub(suffix.len()).min(column.name.len());
            while !column.name.is_char_boundary(room) {
                room -= 1;
            }
            name = format!("{}{suffix}", &column.name[..room]);
        }
        names.push(name);
    }
    names
}

fn choose_name(
    cx: &CommandContext<'_>,
    table: &RelationDesc,
    columns: &[Column],
    constraint: Option<&KeyConstraint>,
) -> PgResult<String> {
    let joined = joined_names(&attribute_names(columns));
    let parts = match constraint {
        Some(KeyConstraint { primary: true, .. }) => NameParts {
            first: &table.name,
            second: None,
            label: "pkey",
            is_relation: true,
        },
        Some(key) => NameParts {
            first: &table.name,
            second: Some(&joined),
            label: if key.is_exclusion() { "excl" } else { "key" },
            is_relation: true,
        },
        None => NameParts {
            first: &table.name,
            second: Some(&joined),
            label: "idx",
            is_relation: true,
        },
    };
    let (relation, namespace) = (table.oid, table.namespace);
    cx.ddl(|ddl| ddl.choose_constraint_name(parts, relation, namespace))
}

/// Column names joined by underscores, until there are 63 bytes of them.
pub(crate) fn joined_names(names: &[String]) -> String {
    let mut joined = String::new();
    for name in names {
        if !joined.is_empty() {
            joined.push('_');
        }
        joined.push_str(name);
        if joined.len() >= 63 {
            break;
        }
    }
    joined
}

fn analyze_columns(
    cx: &CommandContext<'_>,
    view: &dyn CatalogView,
    table: &RelationDesc,
    method: &AccessMethod,
    request: &IndexRequest<'_>,
) -> PgResult<Vec<Column>> {
    let mut columns = Vec::new();
    for element in &request.params {
        columns.push(key_column(
            cx,
            view,
            (table, method),
            element,
            request.constraint.is_some(),
        )?);
    }
    for element in &request.including {
        columns.push(included_column(table, element)?);
    }
    check_no_virtual_key(table, &columns, request)?;
    Ok(columns)
}

/// What is not stored cannot be indexed.
fn check_no_virtual_key(
    table: &RelationDesc,
    columns: &[Column],
    request: &IndexRequest<'_>,
) -> PgResult<()> {
    let is_virtual = |attno: i16| table.column(attno).is_some_and(|c| c.generated == VIRTUAL);
    let what = match &request.constraint {
        Some(key) if key.primary => "primary keys",
        Some(_) => "unique constraints",
        None => "indexes",
    };
    if columns.iter().any(|c| is_virtual(c.desc.attno)) {
        return Err(unsupported!(
            "{what} on virtual generated columns are not supported"
        ));
    }
    columns
        .iter()
        .filter_map(|c| c.desc.expr.as_deref())
        .try_for_each(|e| check_no_virtual_column(e, table))
}

fn check_no_virtual_column(expr: &Expr, table: &RelationDesc) -> PgResult<()> {
    let is_virtual = |attno: i16| match attno {
        0 => has_any(table),
        attno => table.column(attno).is_some_and(|c| c.generated == VIRTUAL),
    };
    if crate::constraints::columns_of(expr).into_iter().any(is_virtual) {
        return Err(unsupported!(
            "indexes on virtual generated columns are not supported"
        ));
    }
    Ok(())
}

fn missing_column(name: &Ident, in_constraint: bool) -> Box<PgError> {
    if in_constraint {
        return pg_err!(
            UNDEFINED_COLUMN,
            "column \"{}\" named in key does not exist",
            name.as_str()
        );
    }
    pg_err!(UNDEFINED_COLUMN, "column \"{}\" does not exist", name.as_str())
}

fn included_column(table: &RelationDesc, element: &IndexElem) -> PgResult<Column> {
    let Some(name) = &element.name else {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "expressions are not supported in included columns"
        ));
    };
    if !element.collation.is_empty() {
        return Err(pg_err!(
            INVALID_OBJECT_DEFINITION,
            "including column does not support a collation"
        ));
    }
    if !element.opclass.is_empty() {
        return Err(pg_err!(
            INVALID_OBJECT_DEFINITION,
            "including column does not support an operator class"
        ));
    }
    if element.ordering != SortByDir::Default {
        return Err(pg_err!(
            INVALID_OBJECT_DEFINITION,
            "including column does not support ASC/DESC options"
        ));
    }
    if element.nulls_ordering != SortByNulls::Default {
        return Err(pg_err!(
            INVALID_OBJECT_DEFINITION,
            "including column does not support NULLS FIRST/LAST options"
        ));
    }
    let Some(column) = table.column_by_name(name.as_str()) else {
        return Err(missing_column(name, false));
    };
    Ok(Column {
        desc: IndexColumnDesc {
            attno: column.attno,
            expr: None,
            opclass: Oid::INVALID,
            opfamily: Oid::INVALID,
            opcintype: Oid::INVALID,
            collation: Oid::INVALID,
            descending: false,
            nulls_first: false,
            text_order: None,
        },
        name: name.as_str().to_owned(),
        type_ref: column.type_ref,
    })
}

fn key_column(
    cx: &CommandContext<'_>,
    view: &dyn CatalogView,
    (table, method): (&RelationDesc, &AccessMethod),
    element: &IndexElem,
    in_constraint: bool,
) -> PgResult<Column> {
    let (attno, expr, name, type_ref, own_collation) = match (&element.name, &element.expr) {
        (Some(name), _) => {
            let Some(column) = table.column_by_name(name.as_str()) else {
                return Err(missing_column(name, in_constraint));
            };
            (
                column.attno,
                None,
                name.as_str().to_owned(),
                column.type_ref,
                column.collation,
            )
        }
        (None, Some(raw)) => {
            let analysis = cx.analysis(view);
            let expr = analyzer::utility::analyze_expression(
                raw,
                ExprKind::IndexExpression,
                Some(table),
                &analysis,
            )?;
            cx.take_notices(analysis);
            if !crate::eval::is_immutable(&expr, view)? {
                return Err(pg_err!(
                    INVALID_OBJECT_DEFINITION,
                    "functions in index expression must be marked IMMUTABLE"
                ));
            }
            let name = analyzer::utility::index_column_name(raw).to_string();
            let type_ref = expr.type_ref();
            let collation = expr.collation();
            // A parenthesised plain column is that column.
            match plain_var(&expr) {
                Some(attno) => (attno, None, name, type_ref, collation),
                None => (0, Some(expr), name, type_ref, collation),
            }
        }
        (None, None) => return Err(common::internal!("index column without name and expression")),
    };
    let collation = key_collation(cx, view, element, type_ref, own_collation)?;
    let class = access_method::operator_class(cx, view, method, (element, type_ref))?;
    if !element.opclass_opts.is_empty() {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "operator class {} has no options",
            element.opclass.last().map_or("", |n| n.as_str())
        ));
    }
    let descending = element.ordering == SortByDir::Desc;
    let nulls_first = match element.nulls_ordering {
        SortByNulls::Default => descending,
        order => order == SortByNulls::First,
    };
    Ok(Column {
        desc: IndexColumnDesc {
            attno,
            expr: expr.map(Arc::new),
            opclass: class.oid,
            opfamily: class.family,
            opcintype: class.input_type,
            collation,
            descending,
            nulls_first,
            text_order: None,
        },
        name,
        type_ref,
    })
}

fn plain_var(expr: &Expr) -> Option<i16> {
    match expr {
        Expr::Var(v) if v.attno > 0 => Some(v.attno),
        _ => None,
    }
}

fn key_collation(
    cx: &CommandContext<'_>,
    view: &dyn CatalogView,
    element: &IndexElem,
    type_ref: TypeRef,
    own: Oid,
) -> PgResult<Oid> {
    let collatable = view
        .type_desc(type_ref.oid)?
        .is_some_and(|d| d.collation.is_valid());
    if element.collation.is_empty() {
        if collatable && !own.is_valid() {
            return Err(pg_err!(
                INDETERMINATE_COLLATION,
                "could not determine which collation to use for index expression"
            )
            .hint("Use the COLLATE clause to set the collation explicitly."));
        }
        return Ok(own);
    }
    if !collatable {
        return Err(pg_err!(
            DATATYPE_MISMATCH,
            "collations are not supported by type {}",
            catalog::format_type::format_type(view, type_ref.oid, -1)?
        ));
    }
    analyzer::utility::resolve_collation(&element.collation, element.span, &cx.analysis(view))
}

fn analyze_predicate(
    cx: &CommandContext<'_>,
    view: &dyn CatalogView,
    table: &RelationDesc,
    raw: Option<&parser::ast::Expr>,
) -> PgResult<Option<Expr>> {
    let Some(raw) = raw else {
        return Ok(None);
    };
    let analysis = cx.analysis(view);
    let expr = analyzer::utility::analyze_condition(raw, ExprKind::IndexPredicate, Some(table), &analysis)?;
    cx.take_notices(analysis);
    if !crate::eval::is_immutable(&expr, view)? {
        return Err(pg_err!(
            INVALID_OBJECT_DEFINITION,
            "functions in index predicate must be marked IMMUTABLE"
        ));
    }
    check_no_virtual_column(&expr, table)?;
    Ok(Some(expr))
}
