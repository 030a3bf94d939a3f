//! Rewriting a table into new storage, and making anew what depended on a changed column.

use std::sync::Arc;

use catalog::CatalogView;
use catalog::columns::pg_depend;
use catalog::ddl::ObjectAddress;
use catalog::ddl::drop::DropBehavior;
use catalog::deparse::{Deparse, expression};
use catalog::desc::{ConstraintDesc, RelationDesc};
use catalog::oids;
use catalog::store::key_oid;
use common::error::ErrorExt;
use common::{Oid, PgResult, Span, pg_err};
use parser::ast::{Ident, IndexElem, NameList, SortByDir, SortByNulls};
use types::Datum;
use types::io::IoContext;

use crate::alter_table::check_not_in_use;
use crate::constraints::{self, CheckSpec};
use crate::context::CommandContext;
use crate::create_index::{IndexRequest, KeyConstraint, define_index, plain_element};
use crate::index_build::{self, for_each_row};

/// What a rewrite replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rebuild {
    /// The table and its indexes.
    Storage,
    /// The indexes alone.
    Indexes,
}

/// Changes a row in place.
pub(crate) type RowChange<'f> = &'f mut dyn FnMut(&CommandContext<'_>, &mut Vec<Datum>) -> PgResult<()>;

/// Copies every row of `old` through `change` into new storage, and fills the indexes again.
pub(crate) fn rewrite(
    old: &Arc<RelationDesc>,
    what: Rebuild,
    cx: &CommandContext<'_>,
    change: RowChange<'_>,
) -> PgResult<()> {
    if old.relkind == b'p' {
        return Ok(());
    }
    if what == Rebuild::Storage {
        let source = cx.relations.table(old)?;
        cx.ddl(|ddl| {
            ddl.replace_storage(old.oid)?;
            ddl.clear_missing_values(old.oid)
        })?;
        let new = cx.relation(old.oid)?;
        let target = cx.relations.table(&new)?;
        for_each_row(&source, old.columns.len(), cx, &mut |row, _| {
            let mut row = row.to_vec();
            change(cx, &mut row)?;
            row.resize(new.columns.len(), Datum::Null);
            target.insert(&mut cx.txn.borrow_mut(), &row)?;
            Ok(())
        })?;
        cx.txn.borrow_mut().next_command()?;
    }
    let table = cx.relation(old.oid)?;
    for index in &table.indexes {
        rebuild_index(&table, *index, cx)?;
    }
    Ok(())
}

/// Fills an index again, in new storage.
pub(crate) fn rebuild_index(table: &Arc<RelationDesc>, index: Oid, cx: &CommandContext<'_>) -> PgResult<()> {
    check_not_in_use(&*cx.relation(index)?, "REINDEX INDEX", cx)?;
    cx.ddl(|ddl| ddl.replace_storage(index))?;
    let desc = cx.relation(index)?;
    index_build::build(cx, table, &desc)?;
    if desc.index.as_ref().is_some_and(|i| !i.valid || !i.ready) {
        use catalog::columns::pg_index::{INDISREADY, INDISVALID};
        let on = Datum::Bool(true);
        cx.ddl(|ddl| ddl.alter_index(index, &[(INDISVALID, on.clone()), (INDISREADY, on)]))?;
    }
    Ok(())
}

/// Views and generated columns keep a column's type as it is.
pub(crate) fn refuse_views_and_generated(
    desc: &RelationDesc,
    attno: i16,
    view: &dyn CatalogView,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let _ = view;
    let name = desc.column(attno).map_or_else(|| "".into(), |c| c.name.clone());
    for other in desc.columns.iter().filter(|c| matches!(c.generated, b's' | b'v')) {
        let uses = other
            .default
            .as_ref()
            .is_some_and(|d| constraints::columns_of(d).contains(&attno));
        if uses && other.attno != attno {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "cannot alter type of a column used by a generated column"
            )
            .detail(format!(
                "Column \"{name}\" is used by generated column \"{}\".",
                other.name
            )));
        }
    }
    let rule = cx.ddl(|ddl| {
        let key = [
            key_oid(oids::PG_CLASS),
            key_oid(desc.oid),
            Datum::Int4(i32::from(attno)),
        ];
        let rows = ddl.store.lookup(oids::PG_DEPEND_REFERENCE_INDEX, &key)?;
        let rule = rows
            .iter()
            .find(|r| r.oid(pg_depend::CLASSID) == oids::PG_REWRITE);
        match rule {
            Some(row) => {
                let object = ObjectAddress::new(oids::PG_REWRITE, row.oid(pg_depend::OBJID));
                ddl.describe(object).map(Some)
            }
            None => Ok(None),
        }
    })?;
    match rule {
        Some(rule) => Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "cannot alter type of a column used by a view or rule"
        )
        .detail(format!("{rule} depends on column \"{name}\""))),
        None => Ok(()),
    }
}

/// Constraints and indexes that name a column, with their expressions as text.
pub(crate) struct Dependents {
    checks: Vec<(CheckSpec, Oid)>,
    indexes: Vec<IndexAgain>,
}

struct IndexAgain {
    index: Arc<RelationDesc>,
    constraint: Option<ConstraintDesc>,
    params: Vec<IndexElem>,
    including: Vec<IndexElem>,
    /// EXCLUDE.
    operators: Vec<NameList>,
    predicate: Option<parser::ast::Expr>,
}

impl Dependents {
    /// Collects them.
    pub fn take(
        desc: &RelationDesc,
        attno: i16,
        view: &dyn CatalogView,
        cx: &CommandContext<'_>,
    ) -> PgResult<Dependents> {
        let context = Deparse {
            view,
            relation: Some(desc),
            io: IoContext::new(&cx.settings),
        };
        let raw = |expr: &nodes::Expr| {
            let text = expression(&context, expr)?;
            parser::parse_expression(&text, &parser::ParseOptions::default())
        };
        let mut checks = Vec::new();
        for constraint in &desc.constraints {
            let Some(check) = constraint
                .check
                .as_ref()
                .filter(|c| constraints::columns_of(c).contains(&attno))
            else {
                continue;
            };
            let spec = CheckSpec {
                name: Some(constraint.name.to_string()),
                raw: raw(check)?,
                no_inherit: constraint.no_inherit,
                enforced: constraint.enforced,
                validated: constraint.validated,
                cooked: None,
                is_local: constraint.is_local,
                inherited_count: constraint.inherited_count,
            };
            checks.push((spec, constraint.oid));
        }
        let mut indexes = Vec::new();
        for oid in &desc.indexes {
            let index = cx.relation(*oid)?;
            if let Some(again) = index_again((cx, &index), desc, attno, &raw)? {
                indexes.push(again);
            }
        }
        Ok(Dependents { checks, indexes })
    }

    /// Drops them.
    pub fn drop_all(&self, cx: &CommandContext<'_>) -> PgResult<()> {
        let mut objects: Vec<ObjectAddress> = self
            .checks
            .iter()
            .map(|(_, oid)| ObjectAddress::new(oids::PG_CONSTRAINT, *oid))
            .collect();
        objects.extend(self.indexes.iter().map(|i| match &i.constraint {
            Some(constraint) => ObjectAddress::new(oids::PG_CONSTRAINT, constraint.oid),
            None => ObjectAddress::new(oids::PG_CLASS, i.index.oid),
        }));
        if objects.is_empty() {
            return Ok(());
        }
        cx.ddl(|ddl| ddl.drop_objects(&objects, DropBehavior::Restrict))?;
        Ok(())
    }

    /// Makes them over the column as it is now.
    pub fn make_again(self, table: Oid, cx: &CommandContext<'_>) -> PgResult<()> {
        for (check, _) in &self.checks {
            let desc = cx.relation(table)?;
            let view = cx.view()?;
            let expr = constraints::check_expr(check, &desc, &*view, cx)?;
            if check.validated {
                crate::alter_table::validate_check(&desc, check.name.as_deref(), &expr, cx)?;
            }
            constraints::store_check(cx, table, check, expr)?;
        }
        for again in self.indexes {
            let desc = cx.relation(table)?;
            let Some(info) = &again.index.index else { continue };
            let request = IndexRequest {
                name: Some(&again.index.name),
                access_method: Some(crate::access_method::of_index(info.access_method).name),
                params: again.params,
                including: again.including,
                options: &[],
                where_clause: again.predicate.as_ref(),
                unique: info.unique,
                nulls_not_distinct: info.nulls_not_distinct,
                constraint: again.constraint.as_ref().map(|c| KeyConstraint {
                    primary: c.kind == b'p',
                    deferrable: c.deferrable,
                    deferred: c.deferred,
                    period: c.period,
                    operators: Vec::new(),
                }),
                operators: again.operators,
                if_not_exists: false,
                only: false,
                concurrent: false,
            };
            define_index(cx, &desc, request)?;
        }
        Ok(())
    }
}

fn index_again(
    (cx, index): (&CommandContext<'_>, &Arc<RelationDesc>),
    table: &RelationDesc,
    attno: i16,
    raw: &dyn Fn(&nodes::Expr) -> PgResult<parser::ast::Expr>,
) -> PgResult<Option<IndexAgain>> {
    let Some(info) = &index.index else {
        return Ok(None);
    };
    let in_expr = |e: &Arc<nodes::Expr>| constraints::columns_of(e).contains(&attno);
    let concerned = info
        .columns
        .iter()
        .any(|c| c.attno == attno || c.expr.as_ref().is_some_and(in_expr))
        || info.predicate.as_ref().is_some_and(in_expr);
    if !concerned {
        return Ok(None);
    }
    let mut elements = Vec::new();
    for column in &info.columns {
        let name = table.column(column.attno).map_or("", |c| &*c.name);
        let mut element = plain_element(&Ident::new(name, Span::NONE));
        if let Some(expr) = &column.expr {
            element.name = None;
            element.expr = Some(raw(expr)?);
        }
        if column.descending {
            element.ordering = SortByDir::Desc;
        }
        element.nulls_ordering = match column.nulls_first {
            _ if !crate::access_method::of_index(info.access_method).ordered => SortByNulls::Default,
            true => SortByNulls::First,
            false => SortByNulls::Last,
        };
        elements.push(element);
    }
    let including = elements.split_off(info.key_count);
    let including = including
        .into_iter()
        .map(|mut e| {
            e.nulls_ordering = SortByNulls::Default;
            e
        })
        .collect();
    let constraint = table
        .constraints
        .iter()
        .find(|c| c.index == index.oid && matches!(c.kind, b'p' | b'u' | b'x'));
    let predicate = match &info.predicate {
        Some(p) => Some(raw(p)?),
        None => None,
    };
    Ok(Some(IndexAgain {
        index: index.clone(),
        constraint: constraint.cloned(),
        operators: match constraint.filter(|c| !c.period) {
            Some(c) => operator_names(cx, &c.exclusion_ops)?,
            None => Vec::new(),
        },
        params: elements,
        including,
        predicate,
    }))
}

/// Operators as a definition would name them.
pub(crate) fn operator_names(cx: &CommandContext<'_>, operators: &[common::Oid]) -> PgResult<Vec<NameList>> {
    let view = cx.view()?;
    let mut names = Vec::new();
    for oid in operators {
        let Some(op) = view.operator(*oid)? else {
            return Err(common::internal!("operator {oid} vanished"));
        };
        let schema = crate::namespace::name_of(cx, op.namespace)?;
        names.push(vec![
            Ident::new(&*schema, Span::NONE),
            Ident::new(&*op.name, Span::NONE),
        ]);
    }
    Ok(names)
}
