//! PARTITION BY, FOR VALUES ..., ATTACH and DETACH PARTITION.
//!
//! PG: src/backend/commands/tablecmds.c (`ComputePartitionAttrs`, `ATExecAttachPartition`), parser/parse_utilcmd.c
//! (`transformPartitionBound`), partitioning/partbounds.c (`check_new_partition_bound`).

use std::sync::Arc;

use analyzer::ExprKind;
use catalog::CatalogView;
use catalog::ddl::depend::DependencyType;
use catalog::desc::RelationDesc;
use catalog::partition::{self, Partition, PartitionKey, PartitionKeyColumn, Partitions, descendants};
use common::error::ErrorExt;
use common::{Oid, PgError, PgResult, Span, pg_err};
use nodes::Expr;
use nodes::expr::Const;
use nodes::partition::{PartitionBound, PartitionStrategy, RangeDatum};
use parser::ast::{self, PartitionBoundSpec, PartitionElem, PartitionSpec, RangeVar};
use txn::LockMode;
use types::Datum;

use crate::context::CommandContext;
use crate::eval::RowExpr;

/// The partition key of PARTITION BY.
pub(crate) fn analyze_key(
    spec: &PartitionSpec,
    table: &RelationDesc,
    view: &dyn CatalogView,
    cx: &CommandContext<'_>,
) -> PgResult<PartitionKey> {
    let strategy = match spec.strategy {
        ast::PartitionStrategy::List => PartitionStrategy::List,
        ast::PartitionStrategy::Range => PartitionStrategy::Range,
        ast::PartitionStrategy::Hash => PartitionStrategy::Hash,
    };
    if strategy == PartitionStrategy::List && spec.part_params.len() != 1 {
        return Err(pg_err!(
            INVALID_OBJECT_DEFINITION,
            "cannot use \"list\" partition strategy with more than one column"
        )
        .at(spec.span));
    }
    if spec.part_params.len() > 32 {
        return Err(pg_err!(
            TOO_MANY_COLUMNS,
            "cannot partition using more than 32 columns"
        ));
    }
    let columns = spec
        .part_params
        .iter()
        .map(|e| key_column(e, strategy, table, view, cx))
        .collect::<PgResult<_>>()?;
    Ok(PartitionKey { strategy, columns })
}

fn key_column(
    element: &PartitionElem,
    strategy: PartitionStrategy,
    table: &RelationDesc,
    view: &dyn CatalogView,
    cx: &CommandContext<'_>,
) -> PgResult<PartitionKeyColumn> {
    let (attno, expr, type_ref, own) = match (&element.name, &element.expr) {
        (Some(name), _) => plain_key_column(name, element.span, table)?,
        (None, Some(raw)) => key_expression(raw, element, table, view, cx)?,
        (None, None) => return Err(common::internal!("partition key column without a name")),
    };
    let desc = view.type_desc(type_ref.oid)?;
    let collatable = desc.as_ref().is_some_and(|d| d.collation.is_valid());
    let collation = match (collatable, element.collation.is_empty()) {
        (true, false) => {
            analyzer::utility::resolve_collation(&element.collation, element.span, &cx.analysis(view))?
        }
        (true, true) if !own.is_valid() => {
            return Err(pg_err!(
                INDETERMINATE_COLLATION,
                "could not determine which collation to use for partition expression"
            )
            .hint("Use the COLLATE clause to set the collation explicitly."));
        }
        (true, true) => own,
        (false, false) => {
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "collations are not supported by type {}",
                catalog::format_type::format_type(view, type_ref.oid, -1)?
            ));
        }
        (false, true) => Oid::INVALID,
    };
    let (opclass, opfamily) = operator_class(element, strategy, (type_ref.oid, collation), view)?;
    Ok(PartitionKeyColumn {
        attno,
        expr,
        opclass,
        opfamily,
        collation,
        type_ref,
        phys: crate::eval::phys_of(view, type_ref.oid)?,
    })
}

type KeySource = (i16, Option<Arc<Expr>>, types::settings::TypeRef, Oid);

fn plain_key_column(name: &ast::Ident, span: Span, table: &RelationDesc) -> PgResult<KeySource> {
    let Some(column) = table.column_by_name(name.as_str()) else {
        let system = matches!(
            name.as_str(),
            "ctid" | "tableoid" | "xmin" | "xmax" | "cmin" | "cmax"
        );
        return Err(if system {
            pg_err!(
                INVALID_OBJECT_DEFINITION,
                "cannot use system column \"{}\" in partition key",
                name.as_str()
            )
        } else {
            pg_err!(
                UNDEFINED_COLUMN,
                "column \"{}\" named in partition key does not exist",
                name.as_str()
            )
        }
        .at(span));
    };
    if column.generated != 0 {
        return Err(generated_in_key(&column.name).at(span));
    }
    Ok((column.attno, None, column.type_ref, column.collation))
}

fn generated_in_key(name: &str) -> Box<PgError> {
    pg_err!(
        INVALID_OBJECT_DEFINITION,
        "cannot use generated column in partition key"
    )
    .detail(format!("Column \"{name}\" is a generated column."))
}

fn key_expression(
    raw: &ast::Expr,
    element: &PartitionElem,
    table: &RelationDesc,
    view: &dyn CatalogView,
    cx: &CommandContext<'_>,
) -> PgResult<KeySource> {
    let analysis = cx.analysis(view);
    let expr =
        analyzer::utility::analyze_expression(raw, ExprKind::PartitionExpression, Some(table), &analysis)?;
    cx.take_notices(analysis);
    let (type_ref, collation) = (expr.type_ref(), expr.collation());
    let mut problem = None;
    nodes::walk::walk(&expr, &mut |e| {
        if let Expr::Var(v) = e {
            if v.attno < 0 {
                problem = Some(pg_err!(
                    INVALID_OBJECT_DEFINITION,
                    "partition key expressions cannot contain system column references"
                ));
            } else if v.attno == 0 {
                problem = Some(pg_err!(
                    INVALID_OBJECT_DEFINITION,
                    "partition key expressions cannot contain whole-row references"
                ));
            } else if let Some(c) = table.column(v.attno).filter(|c| c.generated != 0) {
                problem = Some(generated_in_key(&c.name).at(element.span));
            }
        }
        true
    });
    if let Some(problem) = problem {
        return Err(problem);
    }
    if let Some(desc) = view.type_desc(type_ref.oid)?.filter(|d| d.kind == b'p') {
        return Err(pg_err!(
            INVALID_TABLE_DEFINITION,
            "partition key column 1 has pseudo-type {}",
            desc.name
        ));
    }
    if let Expr::Var(v) = &expr {
        return Ok((v.attno, None, type_ref, collation));
    }
    if !crate::eval::is_immutable(&expr, view)? {
        return Err(pg_err!(
            INVALID_OBJECT_DEFINITION,
            "functions in partition key expression must be marked IMMUTABLE"
        ));
    }
    if matches!(expr, Expr::Const(_)) {
        return Err(pg_err!(
            INVALID_OBJECT_DEFINITION,
            "cannot use constant expression as partition key"
        ));
    }
    Ok((0, Some(Arc::new(expr)), type_ref, collation))
}

/// The hash access method.
const HASH_AM: Oid = Oid(405);

fn operator_class(
    element: &PartitionElem,
    strategy: PartitionStrategy,
    (type_oid, collation): (Oid, Oid),
    view: &dyn CatalogView,
) -> PgResult<(Oid, Oid)> {
    let (method, word, article) = match strategy {
        PartitionStrategy::Hash => (HASH_AM, "hash", "a hash"),
        _ => (catalog::oids::BTREE_AM, "btree", "a btree"),
    };
    let base = crate::access_method::base_type(view, type_oid)?;
    let found = match element.opclass.as_slice() {
        [] => match method {
            HASH_AM => match view.default_opclass(HASH_AM, base)? {
                None if base == types::oids::VARCHAR => view.default_opclass(HASH_AM, types::oids::TEXT)?,
                found => found,
            },
            _ => crate::access_method::default_class(view, catalog::oids::BTREE_AM, base)?,
        },
        names => {
            let (schema, name) = match names {
                [schema, name, ..] => (Some(schema.as_str()), name),
                [name] => (None, name),
                [] => return Err(common::internal!("operator class without a name")),
            };
            let class = view.opclass_by_name(method, schema, name.as_str())?;
            if class.is_none() {
                return Err(pg_err!(
                    UNDEFINED_OBJECT,
                    "operator class \"{}\" does not exist for access method \"{word}\"",
                    name.as_str()
                ));
            }
            class
        }
    };
    match found {
        Some(class) => crate::access_method::partition_class(view, &class, collation),
        None => Err(pg_err!(
            UNDEFINED_OBJECT,
            "data type {} has no default operator class for access method \"{word}\"",
            catalog::format_type::format_type(view, type_oid, -1)?
        )
        .hint(format!(
            "You must specify {article} operator class or define a default {word} operator class for the data type."
        ))),
    }
}

/// FOR VALUES ... in terms of the parent's key.
pub(crate) fn analyze_bound(
    spec: &PartitionBoundSpec,
    parent: &RelationDesc,
    view: &dyn CatalogView,
    cx: &CommandContext<'_>,
) -> PgResult<PartitionBound> {
    let Some(key) = &parent.inheritance.key else {
        return Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "\"{}\" is not partitioned",
            parent.name
        ));
    };
    let invalid = |what: &str| {
        pg_err!(
            INVALID_TABLE_DEFINITION,
            "invalid bound specification for a {what} partition"
        )
        .at(spec.span)
    };
    match (&spec.bound, key.strategy) {
        (ast::PartitionBound::Default, PartitionStrategy::Hash) => Err(pg_err!(
            INVALID_TABLE_DEFINITION,
            "a hash-partitioned table may not have a default partition"
        )),
        (ast::PartitionBound::Default, _) => Ok(PartitionBound::Default),
        (ast::PartitionBound::Hash { modulus, remainder }, PartitionStrategy::Hash) => {
            hash_bound(*modulus, *remainder)
        }
        (_, PartitionStrategy::Hash) => Err(invalid("hash")),
        (ast::PartitionBound::List(values), PartitionStrategy::List) => {
            let mut list: Vec<Const> = Vec::new();
            for raw in values {
                let value = bound_value(raw, key, 0, parent, view, cx)?;
                if !list.iter().any(|c| c.value == value.value) {
                    list.push(value);
                }
            }
            Ok(PartitionBound::List(list))
        }
        (_, PartitionStrategy::List) => Err(invalid("list")),
        (ast::PartitionBound::Range { lower, upper }, PartitionStrategy::Range) => {
            for (side, word) in [(lower, "FROM"), (upper, "TO")] {
                if side.len() != key.columns.len() {
                    return Err(pg_err!(
                        INVALID_TABLE_DEFINITION,
                        "{word} must specify exactly one value per partitioning column"
                    ));
                }
            }
            Ok(PartitionBound::Range {
                lower: range_side(lower, key, parent, view, cx)?,
                upper: range_side(upper, key, parent, view, cx)?,
            })
        }
        (_, PartitionStrategy::Range) => Err(invalid("range")),
    }
}

fn hash_bound(modulus: i32, remainder: i32) -> PgResult<PartitionBound> {
    if modulus <= 0 {
        return Err(pg_err!(
            INVALID_TABLE_DEFINITION,
            "modulus for hash partition must be an integer value greater than zero"
        ));
    }
    if remainder < 0 {
        return Err(pg_err!(
            INVALID_TABLE_DEFINITION,
            "remainder for hash partition must be an integer value greater than or equal to zero"
        ));
    }
    if remainder >= modulus {
        return Err(pg_err!(
            INVALID_TABLE_DEFINITION,
            "remainder for hash partition must be less than modulus"
        ));
    }
    Ok(PartitionBound::Hash { modulus, remainder })
}

fn range_side(
    raw: &[ast::Expr],
    key: &PartitionKey,
    parent: &RelationDesc,
    view: &dyn CatalogView,
    cx: &CommandContext<'_>,
) -> PgResult<Vec<RangeDatum>> {
    let mut out: Vec<RangeDatum> = Vec::new();
    for (i, e) in raw.iter().enumerate() {
        let word = match e {
            ast::Expr::ColumnRef(c) if c.fields.len() == 1 => c.fields.first().map(ast::Ident::as_str),
            _ => None,
        };
        let datum = match word {
            Some("minvalue") => RangeDatum::MinValue,
            Some("maxvalue") => RangeDatum::MaxValue,
            _ => {
                let value = bound_value(e, key, i, parent, view, cx)?;
                if value.value.is_null() {
                    return Err(pg_err!(
                        INVALID_TABLE_DEFINITION,
                        "cannot specify NULL in range bound"
                    ));
                }
                RangeDatum::Value(value)
            }
        };
        let follows = match (out.last(), &datum) {
            (Some(RangeDatum::MaxValue), d) if *d != RangeDatum::MaxValue => Some("MAXVALUE"),
            (Some(RangeDatum::MinValue), d) if *d != RangeDatum::MinValue => Some("MINVALUE"),
            _ => None,
        };
        if let Some(word) = follows {
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "every bound following {word} must also be {word}"
            )
            .at(e.span()));
        }
        out.push(datum);
    }
    Ok(out)
}

/// A value of a bound, of the key column's type.
fn bound_value(
    raw: &ast::Expr,
    key: &PartitionKey,
    at: usize,
    parent: &RelationDesc,
    view: &dyn CatalogView,
    cx: &CommandContext<'_>,
) -> PgResult<Const> {
    let Some(column) = key.columns.get(at) else {
        return Err(common::internal!("partition bound has too many values"));
    };
    let analysis = cx.analysis(view);
    let expr = analyzer::utility::analyze_expression(raw, ExprKind::PartitionBound, None, &analysis)?;
    let coerced = analyzer::utility::coerce_for_assignment(expr, column.type_ref, &analysis)?;
    cx.take_notices(analysis);
    let Some(expr) = coerced else {
        let name = match parent.column(column.attno) {
            Some(c) => c.name.to_string(),
            None => match &column.expr {
                Some(e) => crate::deparse::index_expression(e, parent, view)?,
                None => String::new(),
            },
        };
        return Err(pg_err!(
            DATATYPE_MISMATCH,
            "specified value cannot be cast to type {} for column \"{name}\"",
            catalog::format_type::format_type(view, column.type_ref.oid, column.type_ref.typmod)?
        )
        .at(raw.span()));
    };
    let value = crate::eval::constant(&expr, view, cx)?;
    Ok(Const {
        value,
        type_ref: column.type_ref,
        collation: column.collation,
        span: Span::NONE,
    })
}

/// 42P17 when the bound overlaps another partition's.
pub(crate) fn check_new_bound(
    name: &str,
    parent: &RelationDesc,
    bound: &PartitionBound,
    spec: &PartitionBoundSpec,
    view: &dyn CatalogView,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let partitions = Partitions::load(view, parent)?;
    let named = |p: &Partition| -> PgResult<Arc<str>> {
        Ok(view
            .relation(p.oid)?
            .map_or_else(|| "???".into(), |d| d.name.clone()))
    };
    let at = match &spec.bound {
        ast::PartitionBound::List(v) => v.first().map_or(spec.span, ast::Expr::span),
        ast::PartitionBound::Range { lower, .. } => lower.first().map_or(spec.span, ast::Expr::span),
        _ => spec.span,
    };
    match bound {
        PartitionBound::Default => {
            if let Some(other) = partitions.conflict(bound) {
                return Err(pg_err!(
                    INVALID_OBJECT_DEFINITION,
                    "partition \"{name}\" conflicts with existing default partition \"{}\"",
                    named(other)?
                )
                .at(spec.span));
            }
            return Ok(());
        }
        PartitionBound::Range { lower, upper } => {
            if partition::is_empty_range(&partitions.key, lower, upper) {
                let shown = |side: &[RangeDatum]| range_text(side, view, cx);
                return Err(pg_err!(
                    INVALID_OBJECT_DEFINITION,
                    "empty range bound specified for partition \"{name}\""
                )
                .detail(format!(
                    "Specified lower bound {} is greater than or equal to upper bound {}.",
                    shown(lower)?,
                    shown(upper)?
                ))
                .at(at));
            }
        }
        PartitionBound::Hash { modulus, .. } => check_modulus(*modulus, &partitions, &named)?,
        PartitionBound::List(_) => {}
    }
    if let Some(other) = partitions.conflict(bound) {
        let at = overlap_position(bound, &partitions, other, spec).unwrap_or(at);
        return Err(pg_err!(
            INVALID_OBJECT_DEFINITION,
            "partition \"{name}\" would overlap partition \"{}\"",
            named(other)?
        )
        .at(at));
    }
    Ok(())
}

/// The value of a list that the other partition has already.
fn overlap_position(
    bound: &PartitionBound,
    partitions: &Partitions,
    other: &Partition,
    spec: &PartitionBoundSpec,
) -> Option<Span> {
    let (PartitionBound::List(values), ast::PartitionBound::List(raw)) = (bound, &spec.bound) else {
        return None;
    };
    let hit = values.iter().position(|c| {
        partitions
            .conflict(&PartitionBound::List(vec![c.clone()]))
            .is_some_and(|p| p.oid == other.oid)
    })?;
    raw.get(hit).map(ast::Expr::span)
}

fn check_modulus(
    modulus: i32,
    partitions: &Partitions,
    named: &dyn Fn(&Partition) -> PgResult<Arc<str>>,
) -> PgResult<()> {
    let mut others: Vec<(i32, &Partition)> = partitions
        .parts
        .iter()
        .filter_map(|p| match *p.bound {
            PartitionBound::Hash { modulus, .. } => Some((modulus, p)),
            _ => None,
        })
        .collect();
    others.sort_by_key(|(m, _)| *m);
    let error = |detail: String| {
        Err(pg_err!(
            INVALID_OBJECT_DEFINITION,
            "every hash partition modulus must be a factor of the next larger modulus"
        )
        .detail(detail))
    };
    if let Some((next, p)) = others.iter().find(|(m, _)| *m >= modulus)
        && next % modulus != 0
    {
        return error(format!(
            "The new modulus {modulus} is not a factor of {next}, the modulus of existing partition \"{}\".",
            named(p)?
        ));
    }
    if let Some((previous, p)) = others.iter().rev().find(|(m, _)| *m <= modulus)
        && modulus % previous != 0
    {
        return error(format!(
            "The new modulus {modulus} is not divisible by {previous}, the modulus of existing partition \"{}\".",
            named(p)?
        ));
    }
    Ok(())
}

fn range_text(side: &[RangeDatum], view: &dyn CatalogView, cx: &CommandContext<'_>) -> PgResult<String> {
    let settings = types::FormatSettings::default();
    let ctx = catalog::deparse::Deparse {
        view,
        relation: None,
        io: types::io::IoContext {
            resolver: Some(cx.session.resolver()),
            ..types::io::IoContext::new(&settings)
        },
    };
    catalog::deparse::range_side(&ctx, side)
}

/// The keys of a partitioned table's rows, for finding their partition.
pub(crate) struct KeyReader {
    pub partitions: Partitions,
    exprs: Vec<Option<RowExpr>>,
}

impl KeyReader {
    pub fn new(parent: &RelationDesc, view: &dyn CatalogView) -> PgResult<KeyReader> {
        let partitions = Partitions::load(view, parent)?;
        let exprs = partitions
            .key
            .columns
            .iter()
            .map(|c| c.expr.as_ref().map(|e| RowExpr::compile(e, view)).transpose())
            .collect::<PgResult<_>>()?;
        Ok(KeyReader { partitions, exprs })
    }

    /// The key of a row of the parent.
    pub fn key(&mut self, row: &[Datum], cx: &CommandContext<'_>) -> PgResult<Vec<Datum>> {
        let mut key = Vec::new();
        for (column, expr) in self.partitions.key.columns.iter().zip(&mut self.exprs) {
            key.push(match expr {
                Some(e) => e.eval(cx, row)?,
                None => row
                    .get((column.attno.max(1) - 1) as usize)
                    .cloned()
                    .unwrap_or_default(),
            });
        }
        Ok(key)
    }
}

/// Every row of a relation (or of its partitions) must belong where `fits` says; else the error of `violated`.
fn scan_rows(
    relation: &Arc<RelationDesc>,
    parent: &RelationDesc,
    cx: &CommandContext<'_>,
    check: &mut dyn FnMut(&[Datum], &RelationDesc) -> PgResult<()>,
) -> PgResult<()> {
    let view = cx.view()?;
    let mut all = vec![relation.clone()];
    all.extend(descendants(&*view, relation)?);
    drop(view);
    for leaf in all.iter().filter(|d| d.relkind == b'r') {
        let map = partition::column_map(parent, leaf);
        let opened = cx.relations.table(leaf)?;
        crate::index_build::for_each_row(&opened, leaf.columns.len(), cx, &mut |row, _| {
            let as_parent: Vec<Datum> = map
                .iter()
                .map(|a| {
                    a.checked_sub(1)
                        .and_then(|i| row.get(i as usize))
                        .cloned()
                        .unwrap_or_default()
                })
                .collect();
            check(&as_parent, leaf)
        })?;
    }
    Ok(())
}

/// Rows of the default partition that belong into the new one are an error.
pub(crate) fn check_default_partition(
    parent: &RelationDesc,
    bound: &PartitionBound,
    new: Oid,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let default = parent.inheritance.default_partition;
    if !default.is_valid() || default == new || *bound == PartitionBound::Default {
        return Ok(());
    }
    let view = cx.view()?;
    let mut reader = KeyReader::new(parent, &*view)?;
    let default = cx.relation(default)?;
    cx.lock_relation(default.oid, LockMode::AccessExclusive)?;
    let only = Partitions::new(
        reader.partitions.key.clone(),
        vec![Partition {
            oid: new,
            bound: Arc::new(bound.clone()),
        }],
    )?;
    drop(view);
    scan_rows(&default, parent, cx, &mut |row, leaf| {
        let key = reader.key(row, cx)?;
        if only.route(&key)?.is_none() {
            return Ok(());
        }
        Err(pg_err!(
            CHECK_VIOLATION,
            "updated partition constraint for default partition \"{}\" would be violated by some row",
            leaf.name
        )
        .table(&*leaf.namespace_name, &*leaf.name))
    })
}

/// Makes a relation a partition: `pg_inherits`, its bound, indexes and foreign keys of the parent.
pub(crate) fn enter(
    child: &Arc<RelationDesc>,
    parent: &RelationDesc,
    bound: &PartitionBound,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    cx.ddl(|ddl| {
        ddl.set_partition_bound(child.oid, Some(bound))?;
        if *bound == PartitionBound::Default {
            ddl.set_default_partition(parent.oid, child.oid)?;
        }
        Ok(())
    })?;
    for index in &parent.indexes {
        let index = cx.relation(*index)?;
        let child = cx.relation(child.oid)?;
        crate::partition_index::ensure(cx, &index, parent, &child)?;
    }
    crate::foreign_key::clone_to_partition(cx, parent, child.oid)
}

/// ALTER TABLE ... ATTACH PARTITION.
pub(crate) fn attach(
    parent: &Arc<RelationDesc>,
    name: &RangeVar,
    spec: &PartitionBoundSpec,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    if parent.relkind != b'p' {
        return Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "ALTER action ATTACH PARTITION cannot be performed on relation \"{}\"",
            parent.name
        )
        .detail(crate::lookup::relkind_detail(parent.relkind)));
    }
    let view = cx.view()?;
    let child = cx.open_relation(name, LockMode::AccessExclusive)?;
    check_attachable(parent, &child, &*view, cx)?;
    let bound = analyze_bound(spec, parent, &*view, cx)?;
    check_new_bound(&child.name, parent, &bound, spec, &*view, cx)?;
    drop(view);
    check_columns(parent, &child)?;
    crate::inherit::merge_existing(&child, parent, cx)?;
    cx.ddl(|ddl| ddl.add_inheritance(child.oid, parent.oid, 1, Some(DependencyType::Auto)))?;
    check_rows(parent, &child, &bound, cx)?;
    check_default_partition(parent, &bound, child.oid, cx)?;
    enter(&child, parent, &bound, cx)
}

fn check_attachable(
    parent: &RelationDesc,
    child: &Arc<RelationDesc>,
    view: &dyn CatalogView,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    cx.check_owner(child)?;
    if !matches!(child.relkind, b'r' | b'p') {
        return Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "ALTER action ATTACH PARTITION cannot be performed on relation \"{}\"",
            child.name
        )
        .detail(crate::lookup::relkind_detail(child.relkind)));
    }
    if child.is_partition {
        return Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "\"{}\" is already a partition",
            child.name
        ));
    }
    if !child.inheritance.parents.is_empty() {
        return Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "cannot attach inheritance child as partition"
        ));
    }
    if child.relkind == b'r' && !child.inheritance.children.is_empty() {
        return Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "cannot attach inheritance parent as partition"
        ));
    }
    let circular = parent.oid == child.oid || descendants(view, child)?.iter().any(|d| d.oid == parent.oid);
    if circular {
        return Err(
            pg_err!(DUPLICATE_TABLE, "circular inheritance not allowed").detail(format!(
                "\"{}\" is already a child of \"{}\".",
                parent.name, child.name
            )),
        );
    }
    if (parent.persistence == b't') != (child.persistence == b't') {
        let (what, other) = if child.persistence == b't' {
            ("temporary", "permanent")
        } else {
            ("permanent", "temporary")
        };
        return Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "cannot attach a {what} relation as partition of {other} relation \"{}\"",
            parent.name
        ));
    }
    if child
        .columns
        .iter()
        .any(|c| !c.dropped && matches!(c.identity, b'a' | b'd'))
    {
        let name = child
            .columns
            .iter()
            .find(|c| !c.dropped && matches!(c.identity, b'a' | b'd'))
            .map_or("", |c| &*c.name);
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "table \"{}\" being attached contains an identity column \"{name}\"",
            child.name
        )
        .detail("The new partition may not contain an identity column."));
    }
    Ok(())
}

/// A partition has exactly the columns of its parent.
fn check_columns(parent: &RelationDesc, child: &RelationDesc) -> PgResult<()> {
    for column in child.columns.iter().filter(|c| !c.dropped) {
        if parent.column_by_name(&column.name).is_none() {
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "table \"{}\" contains column \"{}\" not found in parent \"{}\"",
                child.name,
                column.name,
                parent.name
            )
            .detail("The new partition may contain only the columns present in parent."));
        }
    }
    Ok(())
}

/// Every row of the table to be attached must satisfy its bound, and those of all levels above.
fn check_rows(
    parent: &RelationDesc,
    child: &Arc<RelationDesc>,
    bound: &PartitionBound,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let view = cx.view()?;
    let mut reader = KeyReader::new(parent, &*view)?;
    let mut parts = reader.partitions.parts.clone();
    parts.retain(|p| p.oid != child.oid);
    parts.push(Partition {
        oid: child.oid,
        bound: Arc::new(bound.clone()),
    });
    reader.partitions = Partitions::new(reader.partitions.key.clone(), parts)?;
    drop(view);
    scan_rows(child, parent, cx, &mut |row, leaf| {
        let key = reader.key(row, cx)?;
        let found = reader
            .partitions
            .route(&key)?
            .and_then(|i| reader.partitions.parts.get(i));
        if found.is_some_and(|p| p.oid == child.oid) {
            return Ok(());
        }
        Err(pg_err!(
            CHECK_VIOLATION,
            "partition constraint of relation \"{}\" is violated by some row",
            leaf.name
        )
        .table(&*leaf.namespace_name, &*leaf.name))
    })
}

/// ALTER TABLE ... DETACH PARTITION.
pub(crate) fn detach(
    parent: &Arc<RelationDesc>,
    name: &RangeVar,
    concurrent: bool,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    if parent.relkind != b'p' {
        return Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "ALTER action DETACH PARTITION cannot be performed on relation \"{}\"",
            parent.name
        )
        .detail(crate::lookup::relkind_detail(parent.relkind)));
    }
    let view = cx.view()?;
    let partitions = Partitions::load(&*view, parent)?;
    if concurrent && partitions.default.is_some() {
        return Err(pg_err!(
            OBJECT_NOT_IN_PREREQUISITE_STATE,
            "cannot detach partitions concurrently when a default partition exists"
        ));
    }
    let child = cx.open_relation(name, LockMode::AccessExclusive)?;
    if !child.inheritance.parents.contains(&parent.oid) {
        return Err(pg_err!(
            UNDEFINED_TABLE,
            "relation \"{}\" is not a partition of relation \"{}\"",
            child.name,
            parent.name
        ));
    }
    drop(view);
    crate::foreign_key::check_detach(cx, &child)?;
    crate::inherit::remove_parent(&child, parent, cx)?;
    crate::partition_index::detach_all(cx, parent, &child)?;
    let was_default = child.inheritance.bound.as_deref() == Some(&PartitionBound::Default);
    let identities: Vec<i16> = child
        .columns
        .iter()
        .filter(|c| !c.dropped && matches!(c.identity, b'a' | b'd'))
        .map(|c| c.attno)
        .collect();
    cx.ddl(|ddl| {
        ddl.set_partition_bound(child.oid, None)?;
        for attno in &identities {
            let none = [(catalog::columns::pg_attribute::ATTIDENTITY, Datum::Char(0))];
            ddl.alter_column(child.oid, *attno, &none)?;
        }
        if was_default {
            ddl.set_default_partition(parent.oid, Oid::INVALID)?;
        }
        Ok(())
    })?;
    crate::foreign_key::detach(cx, parent, &child)
}
