//! LIKE in CREATE TABLE: columns (and more, on demand) of another relation.
//!
//! PG: src/backend/parser/parse_utilcmd.c (`transformTableLikeClause`, `expandTableLikeClause`).

use catalog::ddl::ObjectAddress;
use catalog::ddl::relation::NewColumn;
use catalog::desc::{ConstraintDesc, IndexDesc, RelationDesc};
use catalog::privileges::Privilege;
use common::error::ErrorExt;
use common::{PgResult, Span, pg_err, unsupported};
use nodes::Expr;
use parser::ast::{self, ConstrType, Constraint, Ident, TableLikeClause};
use txn::LockMode;

use crate::columns::{ColumnSpec, SequenceSpecOf};
use crate::constraints::CheckSpec;
use crate::context::CommandContext;
use crate::create_table::{LikeComment, TableSpec};
use crate::not_null::NotNullSpec;

/// Adds the columns of the other relation.
pub(crate) fn add(like: &TableLikeClause, spec: &mut TableSpec, cx: &CommandContext<'_>) -> PgResult<()> {
    let source = cx
        .open_relation(&like.relation, LockMode::AccessShare)
        .map_err(|e| e.at(like.relation.span))?;
    if !matches!(source.relkind, b'r' | b'v' | b'm' | b'c' | b'f' | b'p') {
        return Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "relation \"{}\" is invalid in LIKE clause",
            source.name
        )
        .detail(crate::lookup::relkind_detail(source.relkind))
        .at(like.relation.span));
    }
    cx.check_relation_privilege(&source, Privilege::Select)?;
    // Old attno to new attno.
    let mut map = vec![0i16; source.columns.len() + 1];
    for column in source.columns.iter().filter(|c| !c.dropped) {
        spec.columns
            .push(column_of(&source, column.attno, like.options, cx)?);
        map[column.attno as usize] = spec.columns.len() as i16;
    }
    let first = spec.columns.len() - source.columns.iter().filter(|c| !c.dropped).count();
    remap_expressions(&mut spec.columns[first..], &map);
    if like.options & TableLikeClause::CONSTRAINTS != 0 {
        add_checks(&source, &map, spec);
    }
    if like.options & TableLikeClause::INDEXES != 0 {
        add_keys(&source, like.options, spec, cx)?;
    }
    if like.options & TableLikeClause::COMMENTS != 0 {
        add_comments(&source, like.options, spec);
    }
    if like.options & TableLikeClause::STATISTICS != 0 {
        spec.statistics.push((source, map));
    }
    Ok(())
}

/// Comments of columns, and of the constraints that are copied.
fn add_comments(source: &RelationDesc, options: u32, spec: &mut TableSpec) {
    for column in source.columns.iter().filter(|c| !c.dropped) {
        let from = ObjectAddress::column(source.oid, column.attno);
        spec.comments
            .push((from, LikeComment::Column(column.name.to_string())));
    }
    if options & TableLikeClause::CONSTRAINTS == 0 {
        return;
    }
    for check in source.constraints.iter().filter(|c| c.kind == b'c') {
        let from = ObjectAddress::new(catalog::oids::PG_CONSTRAINT, check.oid);
        spec.comments
            .push((from, LikeComment::Check(check.name.to_string())));
    }
}

fn column_of(
    source: &RelationDesc,
    attno: i16,
    options: u32,
    cx: &CommandContext<'_>,
) -> PgResult<ColumnSpec> {
    let Some(column) = source.column(attno) else {
        return Err(common::internal!("column {attno} vanished"));
    };
    let mut new = NewColumn::new(&*column.name, column.type_ref);
    new.collation = column.collation;
    new.not_null = column.not_null;
    let is_generated = column.generated != 0 && column.generated != b' ';
    let wants_default = options & TableLikeClause::DEFAULTS != 0 && !is_generated;
    let wants_generated = options & TableLikeClause::GENERATED != 0 && is_generated;
    if wants_default || wants_generated {
        new.default = column.default.as_deref().cloned();
        new.generated = if wants_generated { column.generated } else { 0 };
    }
    if options & TableLikeClause::STORAGE != 0 {
        new.storage = Some(column.storage);
    }
    if options & TableLikeClause::COMPRESSION != 0 {
        new.compression = column.compression;
    }
    let has_identity = matches!(column.identity, b'a' | b'd');
    let mut sequence = None;
    if has_identity && options & TableLikeClause::IDENTITY != 0 {
        new.identity = column.identity;
        sequence = Some(SequenceSpecOf {
            params: crate::sequence::params_of(cx, column.identity_sequence)?,
            identity: true,
            name: None,
        });
    }
    let not_null = column.not_null.then(|| {
        let named = crate::not_null::constraint_of(source, attno);
        let no_inherit = named.is_some_and(|c| c.no_inherit);
        NotNullSpec::own(named.map(|c| c.name.to_string()), no_inherit)
    });
    Ok(ColumnSpec {
        new,
        sequence,
        not_null,
        raw_default: None,
        raw_generated: None,
        constraints: Vec::new(),
    })
}

/// The expression over the new table's columns.
pub(crate) fn remapped(expr: &Expr, map: &[i16]) -> Expr {
    let mut expr = expr.clone();
    nodes::walk::rewrite(&mut expr, &mut |e| {
        if let Expr::Var(v) = e
            && let Ok(at) = usize::try_from(v.attno)
        {
            v.attno = map.get(at).copied().unwrap_or(v.attno);
        }
    });
    expr
}

fn remap_expressions(columns: &mut [ColumnSpec], map: &[i16]) {
    for column in columns {
        if let Some(default) = &column.new.default {
            column.new.default = Some(remapped(default, map));
        }
    }
}

fn add_checks(source: &RelationDesc, map: &[i16], spec: &mut TableSpec) {
    for constraint in source.constraints.iter().filter(|c| c.kind == b'c') {
        let Some(check) = &constraint.check else { continue };
        spec.checks.push(CheckSpec {
            name: Some(constraint.name.to_string()),
            raw: ast::Expr::SetToDefault(Span::NONE),
            no_inherit: constraint.no_inherit,
            enforced: constraint.enforced,
            validated: constraint.enforced,
            cooked: Some(remapped(check, map)),
            is_local: true,
            inherited_count: 0,
        });
    }
}

/// PRIMARY KEY and UNIQUE constraints under generated names. Other indexes: not yet.
fn add_keys(
    source: &RelationDesc,
    options: u32,
    spec: &mut TableSpec,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    for index in &source.indexes {
        let index = cx.relation(*index)?;
        let constraint = source.constraints.iter().find(|c| c.index == index.oid);
        let (Some(info), Some(constraint)) = (&index.index, constraint) else {
            return Err(unsupported!(
                "LIKE INCLUDING INDEXES with indexes that are not constraints is not supported yet"
            ));
        };
        let contype = match constraint.kind {
            b'p' => ConstrType::Primary,
            b'u' => ConstrType::Unique,
            _ => ConstrType::Exclusion,
        };
        let mut key = Constraint::new(contype, Span::NONE);
        let names: Vec<Ident> = info
            .columns
            .iter()
            .filter_map(|c| source.column(c.attno))
            .map(|c| Ident::new(&*c.name, Span::NONE))
            .collect();
        key.keys = names.iter().take(info.key_count).cloned().collect();
        key.including = names.iter().skip(info.key_count).cloned().collect();
        key.nulls_not_distinct = info.nulls_not_distinct;
        key.without_overlaps = constraint.period;
        key.deferrable = constraint.deferrable;
        key.initdeferred = constraint.deferred;
        if contype == ConstrType::Exclusion {
            exclude(&mut key, (constraint, info), cx)?;
        }
        if options & TableLikeClause::COMMENTS != 0 {
            let from = ObjectAddress::new(catalog::oids::PG_CLASS, index.oid);
            spec.comments.push((from, LikeComment::Key(key.keys.clone())));
        }
        spec.keys.push(key);
    }
    Ok(())
}

/// EXCLUDE over plain columns.
fn exclude(
    key: &mut Constraint,
    (constraint, info): (&ConstraintDesc, &IndexDesc),
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    if info.predicate.is_some() || info.columns.iter().any(|c| c.attno == 0) {
        return Err(unsupported!(
            "LIKE INCLUDING INDEXES with expressions in exclusion constraints is not supported yet"
        ));
    }
    let method = crate::access_method::of_index(info.access_method);
    key.access_method = Some(Ident::new(method.name, Span::NONE));
    let operators = crate::rewrite::operator_names(cx, &constraint.exclusion_ops)?;
    let names = std::mem::take(&mut key.keys);
    for (name, operator) in names.iter().zip(operators) {
        key.exclusions.push(ast::ExclusionElem {
            elem: crate::create_index::plain_element(name),
            operator,
        });
    }
    Ok(())
}
