//! CREATE STATISTICS, ALTER STATISTICS SET STATISTICS, and copying for CREATE TABLE LIKE.
//!
//! PG: src/backend/commands/statscmds.c.

use std::sync::Arc;

use analyzer::ExprKind;
use catalog::CatalogView;
use catalog::columns::pg_statistic_ext;
use catalog::ddl::constraint::NameParts;
use catalog::ddl::named::{NamedClass, STATISTICS};
use catalog::desc::{ColumnDesc, RelationDesc};
use catalog::statistics_ext::StatisticsObject;
use common::error::{ErrorExt, Severity};
use common::{Oid, PgError, PgResult, pg_err, sqlstate};
use nodes::Expr;
use parser::ast::{AlterStatsStmt, CreateStatsStmt, Ident, StatsElem, TableRef};
use txn::LockMode;
use types::Datum;

use crate::context::{CommandContext, CommandOutcome};
use crate::lookup::{range_var, relkind_detail};

/// `STATS_MAX_DIMENSIONS`.
const DIMENSIONS_MAX: usize = 8;

/// CREATE STATISTICS.
pub(crate) fn create_statistics(
    stmt: &CreateStatsStmt,
    cx: &mut CommandContext<'_>,
) -> PgResult<CommandOutcome> {
    let done = || Ok(CommandOutcome::tag("CREATE STATISTICS"));
    let table = table_of(stmt, cx)?;
    let (namespace, name) = match stmt.defnames.is_empty() {
        true => (table.namespace, None),
        false => {
            let rel = range_var(&stmt.defnames)?;
            let (namespace, _) = cx
                .creation_namespace(&rel)
                .map_err(crate::alter_type::without_position)?;
            (namespace, Some(rel.relation.as_str().to_owned()))
        }
    };
    if let Some(name) = &name
        && cx.ddl(|ddl| ddl.is_name_taken(STATISTICS, namespace, name))?
    {
        let message = format!("statistics object \"{name}\" already exists");
        cx.skip(stmt.if_not_exists, sqlstate::DUPLICATE_OBJECT, message)?;
        return done();
    }
    if stmt.exprs.len() > DIMENSIONS_MAX {
        return Err(pg_err!(
            TOO_MANY_COLUMNS,
            "cannot have more than {DIMENSIONS_MAX} columns in statistics"
        ));
    }
    let view = cx.view()?;
    let parts = Parts::read(stmt, &table, &*view, cx)?;
    let kinds = kinds(stmt, &parts)?;
    parts.check()?;
    let name = match name {
        Some(name) => name,
        None => default_name(&table, &parts.words, namespace, cx)?,
    };
    let Parts { mut keys, exprs, .. } = parts;
    keys.sort_unstable();
    let new = StatisticsObject {
        oid: Oid::INVALID,
        name,
        namespace,
        table: table.oid,
        keys,
        exprs,
        kinds,
        target: None,
    };
    cx.ddl(|ddl| ddl.create_statistics(&new))?;
    done()
}

/// The one table of FROM.
fn table_of(stmt: &CreateStatsStmt, cx: &CommandContext<'_>) -> PgResult<Arc<RelationDesc>> {
    let [relation] = &stmt.relations[..] else {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "only a single relation is allowed in CREATE STATISTICS"
        ));
    };
    let TableRef::RangeVar(rel) = relation else {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "CREATE STATISTICS only supports relation names in the FROM clause"
        ));
    };
    let table = cx
        .open_relation(rel, LockMode::ShareUpdateExclusive)
        .map_err(crate::alter_type::without_position)?;
    if !matches!(table.relkind, b'r' | b'm' | b'f' | b'p') {
        return Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "cannot define statistics for relation \"{}\"",
            table.name
        )
        .detail(relkind_detail(table.relkind)));
    }
    cx.check_owner(&table)?;
    Ok(table)
}

/// Columns and expressions of the statement.
#[derive(Default)]
struct Parts {
    keys: Vec<i16>,
    exprs: Vec<Expr>,
    /// What a chosen name is made of.
    words: Vec<String>,
}

impl Parts {
    fn read(
        stmt: &CreateStatsStmt,
        table: &RelationDesc,
        view: &dyn CatalogView,
        cx: &CommandContext<'_>,
    ) -> PgResult<Parts> {
        let mut parts = Parts::default();
        // All expressions are analyzed before any is looked at.
        let mut analyzed = Vec::new();
        for element in &stmt.exprs {
            analyzed.push(match element {
                StatsElem::Name(_) => None,
                StatsElem::Expr(raw) => {
                    let analysis = cx.analysis(view);
                    let kind = ExprKind::StatsExpression;
                    let expr = analyzer::utility::analyze_expression(raw, kind, Some(table), &analysis)?;
                    cx.take_notices(analysis);
                    Some(expr)
                }
            });
        }
        for (element, expr) in stmt.exprs.iter().zip(analyzed) {
            match (element, expr) {
                (StatsElem::Name(name), _) => parts.add_column(named(table, name)?, view)?,
                (_, Some(Expr::Var(v))) => match table.column(v.attno) {
                    Some(column) => parts.add_column(column, view)?,
                    None => return Err(system_column()),
                },
                (_, Some(expr)) => parts.add_expr(expr, table, stmt.exprs.len() > 1, view)?,
                (StatsElem::Expr(_), None) => {}
            }
        }
        Ok(parts)
    }

    fn add_column(&mut self, column: &ColumnDesc, view: &dyn CatalogView) -> PgResult<()> {
        check_not_virtual(column)?;
        if !is_ordered(view, column.type_ref.oid)? {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "column \"{}\" cannot be used in statistics because its type {} has no default btree operator class",
                column.name,
                catalog::format_type::format_type(view, column.type_ref.oid, -1)?
            ));
        }
        self.keys.push(column.attno);
        self.words.push(column.name.to_string());
        Ok(())
    }

    fn add_expr(
        &mut self,
        expr: Expr,
        table: &RelationDesc,
        is_multivariate: bool,
        view: &dyn CatalogView,
    ) -> PgResult<()> {
        let mut result = Ok(());
        nodes::walk::walk(&expr, &mut |e| {
            if let (Expr::Var(v), true) = (e, result.is_ok()) {
                result = match table.column(v.attno) {
                    Some(column) => check_not_virtual(column),
                    None if v.attno < 0 => Err(system_column()),
                    None => Ok(()),
                };
            }
            true
        });
        result?;
        if is_multivariate && !is_ordered(view, expr.type_oid())? {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "expression cannot be used in multivariate statistics because its type {} has no default btree operator class",
                catalog::format_type::format_type(view, expr.type_oid(), -1)?
            ));
        }
        self.exprs.push(without_spans(expr)?);
        self.words.push("expr".to_owned());
        Ok(())
    }

    /// Enough, and nothing twice.
    fn check(&self) -> PgResult<()> {
        if self.keys.len() < 2 && self.exprs.is_empty() {
            return Err(pg_err!(
                INVALID_OBJECT_DEFINITION,
                "extended statistics require at least 2 columns"
            ));
        }
        let twice = |i: usize, k: &i16| self.keys[..i].contains(k);
        if self.keys.iter().enumerate().any(|(i, k)| twice(i, k)) {
            return Err(pg_err!(
                DUPLICATE_COLUMN,
                "duplicate column name in statistics definition"
            ));
        }
        let twice = |i: usize, e: &Expr| self.exprs[..i].contains(e);
        if self.exprs.iter().enumerate().any(|(i, e)| twice(i, e)) {
            return Err(pg_err!(
                DUPLICATE_COLUMN,
                "duplicate expression in statistics definition"
            ));
        }
        Ok(())
    }
}

/// As it is stored, so that equal expressions are equal wherever they stood in the text.
fn without_spans(expr: Expr) -> PgResult<Expr> {
    nodes::serial::decode_expr(&nodes::serial::encode_expr(&expr)?)
}

fn named<'t>(table: &'t RelationDesc, name: &Ident) -> PgResult<&'t ColumnDesc> {
    const SYSTEM: [&str; 6] = ["ctid", "xmin", "cmin", "xmax", "cmax", "tableoid"];
    match table.column_by_name(name.as_str()) {
        Some(column) => Ok(column),
        None if SYSTEM.contains(&name.as_str()) => Err(system_column()),
        None => Err(pg_err!(
            UNDEFINED_COLUMN,
            "column \"{}\" does not exist",
            name.as_str()
        )),
    }
}

fn system_column() -> Box<PgError> {
    pg_err!(
        FEATURE_NOT_SUPPORTED,
        "statistics creation on system columns is not supported"
    )
}

fn check_not_virtual(column: &ColumnDesc) -> PgResult<()> {
    match column.generated {
        b'v' => Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "statistics creation on virtual generated columns is not supported"
        )),
        _ => Ok(()),
    }
}

fn is_ordered(view: &dyn CatalogView, type_oid: Oid) -> PgResult<bool> {
    let base = crate::access_method::base_type(view, type_oid)?;
    Ok(crate::access_method::default_class(view, catalog::oids::BTREE_AM, base)?.is_some())
}

/// Letters of `stxkind`, in PostgreSQL's order.
fn kinds(stmt: &CreateStatsStmt, parts: &Parts) -> PgResult<Vec<u8>> {
    let single = parts.keys.is_empty() && parts.exprs.len() == 1;
    if single && !stmt.stat_types.is_empty() {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "when building statistics on a single expression, statistics kinds may not be specified"
        ));
    }
    let mut wanted = [
        (b'd', "ndistinct", false),
        (b'f', "dependencies", false),
        (b'm', "mcv", false),
    ];
    for name in &stmt.stat_types {
        match wanted.iter_mut().find(|k| k.1 == name.as_str()) {
            Some(kind) => kind.2 = true,
            None => {
                return Err(pg_err!(
                    SYNTAX_ERROR,
                    "unrecognized statistics kind \"{}\"",
                    name.as_str()
                ));
            }
        }
    }
    let all = stmt.stat_types.is_empty() && !single;
    let mut letters: Vec<u8> = wanted.iter().filter(|k| all || k.2).map(|k| k.0).collect();
    if !parts.exprs.is_empty() {
        letters.push(b'e');
    }
    Ok(letters)
}

fn default_name(
    table: &RelationDesc,
    words: &[String],
    namespace: Oid,
    cx: &CommandContext<'_>,
) -> PgResult<String> {
    let joined = crate::create_index::joined_names(words);
    let parts = NameParts {
        first: &table.name,
        second: Some(&joined),
        label: "stat",
        is_relation: false,
    };
    cx.ddl(|ddl| ddl.choose_statistics_name(parts, namespace))
}

/// The catalogs' form of a statistics target: null is the default, -1 says so too; too high ones are lowered with a WARNING.
pub(crate) fn target(value: Option<i32>, cx: &CommandContext<'_>) -> PgResult<Datum> {
    Ok(match value {
        None | Some(-1) => Datum::Null,
        Some(v) if v < -1 => {
            return Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "statistics target {v} is too low"
            ));
        }
        Some(v) if v > 10_000 => {
            cx.notice(PgError::notice(
                Severity::Warning,
                sqlstate::INVALID_PARAMETER_VALUE,
                "lowering statistics target to 10000",
            ));
            Datum::Int2(10_000)
        }
        Some(v) => Datum::Int2(v as i16),
    })
}

/// ALTER STATISTICS ... SET STATISTICS.
pub(crate) fn alter_statistics(
    stmt: &AlterStatsStmt,
    cx: &mut CommandContext<'_>,
) -> PgResult<CommandOutcome> {
    let done = || Ok(CommandOutcome::tag("ALTER STATISTICS"));
    let target = target(stmt.stxstattarget, cx)?;
    let class: NamedClass = STATISTICS;
    let found = match crate::object::lookup(class, &stmt.defnames, cx)? {
        Ok(found) => found,
        Err((e, message)) if stmt.missing_ok => {
            cx.skipping(e.sqlstate, &message);
            return done();
        }
        Err((e, _)) => return Err(e),
    };
    crate::object::check_owner(&found, &stmt.defnames, cx)?;
    cx.ddl(|ddl| ddl.alter_named(&found, &[(pg_statistic_ext::STXSTATTARGET, target)]))?;
    done()
}

/// CREATE TABLE (LIKE source INCLUDING STATISTICS): the same statistics for the new table; `map` gives its column for each of the
/// source's.
pub(crate) fn copy_statistics(
    source: &RelationDesc,
    target: &RelationDesc,
    map: &[i16],
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let objects = cx.ddl(|ddl| catalog::statistics_ext::objects(&*ddl.store, source.oid))?;
    for object in objects {
        let to = |attno: &i16| map.get(usize::try_from(*attno).ok()?).copied();
        let mut keys: Vec<i16> = object.keys.iter().filter_map(to).collect();
        let names = keys.iter().filter_map(|k| target.column(*k));
        let mut words: Vec<String> = names.map(|c| c.name.to_string()).collect();
        keys.sort_unstable();
        let exprs: Vec<Expr> = object
            .exprs
            .iter()
            .map(|e| crate::create_like::remapped(e, map))
            .collect();
        words.extend(exprs.iter().map(|_| "expr".to_owned()));
        let name = default_name(target, &words, target.namespace, cx)?;
        let new = StatisticsObject {
            oid: Oid::INVALID,
            name,
            namespace: target.namespace,
            table: target.oid,
            keys,
            exprs,
            kinds: object.kinds,
            target: object.target,
        };
        cx.ddl(|ddl| ddl.create_statistics(&new))?;
    }
    Ok(())
}
