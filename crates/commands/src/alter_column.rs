//! ALTER TABLE on columns: ADD, SET DEFAULT.
//!
//! PG: src/backend/commands/tablecmds.c (`ATExecAddColumn`, `ATExecColumnDefault`).

use std::sync::Arc;

use catalog::CatalogView;
use catalog::ddl::sequence::SequenceOwner;
use catalog::desc::RelationDesc;
use catalog::virtual_columns::VIRTUAL;
use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err};
use nodes::Expr;
use parser::ast::{self, ColumnDef, ConstrType, Constraint, Ident};
use types::Datum;

use crate::alter_generated::without_place;
use crate::alter_table::column;
use crate::columns::{ColumnSpec, column_desc, column_spec, nextval_expr};
use crate::constraints;
use crate::context::CommandContext;
use crate::eval::RowExpr;
use crate::generated::{generation_expr, verify_not_null};
use crate::rewrite::{Rebuild, rewrite};

/// ADD COLUMN; the constraints that are written with it.
pub(crate) fn add(
    desc: &Arc<RelationDesc>,
    def: &ColumnDef,
    cx: &mut CommandContext<'_>,
) -> PgResult<Vec<Constraint>> {
    let mut spec = column_spec(def, &desc.name, cx)?;
    let view = cx.view()?;
    crate::alter_type::check_not_containing(&*view, spec.new.type_ref.oid, desc)?;
    let attno = i16::try_from(desc.columns.len() + 1).unwrap_or(i16::MAX);
    let mut wide = (**desc).clone();
    wide.columns.push(column_desc(&spec.new, attno, &*view)?);
    if let Some(raw) = &spec.raw_default {
        spec.new.default = constraints::default_expr(raw, &spec.new, &*view, cx).map_err(without_place)?;
    }
    if let Some(raw) = &spec.raw_generated {
        spec.new.default = Some(generation_expr(raw, &spec.new, &wide, &*view, cx).map_err(without_place)?);
    }
    let mut sequence = None;
    if let Some(of) = spec.sequence.take() {
        let name = crate::sequence::choose_name(cx, &desc.name, &spec.new.name, desc.namespace)?;
        let oid = crate::sequence::make(cx, &name, desc.namespace, desc.persistence, &of.params)?;
        let next = analyzer::utility::coerce_for_assignment(
            nextval_expr(oid),
            spec.new.type_ref,
            &cx.analysis(&*view),
        )?;
        if !of.identity {
            spec.new.default = next.clone();
        }
        sequence = Some((oid, of.identity, next));
    }
    let next = sequence.as_ref().map(|(_, _, next)| next.clone());
    let filler = match next {
        Some(next) => next,
        None => filler_of(&spec, &wide, &*view, cx)?,
    };
    if filler.is_some() {
        refuse_used_row_type(desc, cx)?;
    }
    let missing = missing_value(
        &spec.new.default,
        filler.as_ref(),
        spec.new.generated != 0,
        &*view,
        cx,
    )?;
    drop(view);
    check_not_null(&spec, filler.as_ref(), missing.as_ref(), desc, cx)?;
    cx.ddl(|ddl| ddl.add_column(desc.oid, &spec.new, missing.clone().filter(|m| !m.is_null())))?;
    if let Some((oid, identity, _)) = sequence {
        own_sequence(desc.oid, attno, (oid, identity), cx)?;
    }
    if missing.is_none()
        && let Some(filler) = &filler
    {
        fill_new_column(desc, attno, filler, cx)?;
    }
    add_not_null(desc.oid, attno, &spec, cx)?;
    widen_stored_rows(desc.row_type, spec.new.type_ref.oid, cx)?;
    Ok(table_constraints(spec))
}

fn add_not_null(table: Oid, attno: i16, spec: &ColumnSpec, cx: &CommandContext<'_>) -> PgResult<()> {
    let Some(not_null) = &spec.not_null else {
        return Ok(());
    };
    let current = cx.relation(table)?;
    if let Some(added) = current.column(attno).filter(|c| c.generated == VIRTUAL) {
        verify_not_null(&current, added, cx)?;
    }
    constraints::store_not_null(cx, table, attno, not_null).map(drop)
}

/// What is written with a column, as if it were written with the table.
fn table_constraints(spec: ColumnSpec) -> Vec<Constraint> {
    let name = spec.new.name;
    let of_table = |mut constraint: Constraint| {
        let column = vec![Ident::new(name.as_str(), constraint.span)];
        match constraint.contype {
            ConstrType::Check => {}
            ConstrType::Foreign => constraint.fk_attrs = column,
            _ => constraint.keys = column,
        }
        constraint
    };
    spec.constraints.into_iter().map(of_table).collect()
}

/// Rows of the table that other tables hold get the column, too.
fn widen_stored_rows(row_type: Oid, type_oid: Oid, cx: &CommandContext<'_>) -> PgResult<()> {
    let widen = |record: &mut types::RecordValue| {
        record.field_types.push(type_oid);
        record.fields.push(Datum::Null);
    };
    crate::alter_type::reshape_values(row_type, &widen, cx)
}

fn own_sequence(
    table: Oid,
    attno: i16,
    (oid, identity): (Oid, bool),
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let owner = if identity {
        SequenceOwner::Identity(table, attno)
    } else {
        SequenceOwner::Column(table, attno)
    };
    cx.ddl(|ddl| ddl.set_sequence_owner(oid, Some(owner)))
}

/// What rows that are there get: the default, that of the type, or a NULL that a domain may refuse.
fn filler_of(
    spec: &ColumnSpec,
    wide: &RelationDesc,
    view: &dyn CatalogView,
    cx: &CommandContext<'_>,
) -> PgResult<Option<Expr>> {
    match wide.columns.last() {
        Some(added) if added.generated == VIRTUAL => Ok(None),
        Some(added) if spec.new.default.is_none() && spec.raw_default.is_none() => {
            analyzer::utility::column_default(added, &cx.analysis(view))
        }
        _ => Ok(spec.new.default.clone()),
    }
}

/// Rows of this type that are stored in other tables cannot get other values.
pub(crate) fn refuse_used_row_type(desc: &RelationDesc, cx: &CommandContext<'_>) -> PgResult<()> {
    let users = cx.ddl(|ddl| crate::alter_type::stored_columns(ddl, desc.row_type))?;
    let Some((relation, attno)) = users.first() else {
        return Ok(());
    };
    let user = cx.relation(*relation)?;
    let column = user
        .column(*attno)
        .map_or_else(|| "???".into(), |c| c.name.clone());
    Err(pg_err!(
        FEATURE_NOT_SUPPORTED,
        "cannot alter table \"{}\" because column \"{}.{column}\" uses its row type",
        desc.name,
        user.name
    ))
}

/// What existing rows have in the new column when that is one value; `None`: each row needs its own.
fn missing_value(
    default: &Option<Expr>,
    filler: Option<&Expr>,
    generated: bool,
    view: &dyn CatalogView,
    cx: &CommandContext<'_>,
) -> PgResult<Option<Datum>> {
    let Some(filler) = filler else {
        return Ok(Some(Datum::Null));
    };
    if generated || default.is_none() || crate::eval::is_volatile(filler, view)? {
        return Ok(None);
    }
    crate::eval::constant(filler, view, cx).map(Some)
}

/// A new NOT NULL column without a value cannot be added to rows that are there.
fn check_not_null(
    spec: &ColumnSpec,
    filler: Option<&Expr>,
    missing: Option<&Datum>,
    desc: &Arc<RelationDesc>,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    // Those of virtual columns are asked when the column is there.
    let is_virtual = spec.new.generated == VIRTUAL;
    if is_virtual || spec.not_null.is_none() || filler.is_some() && !missing.is_some_and(Datum::is_null) {
        return Ok(());
    }
    if desc.relkind == b'p' {
        return Ok(());
    }
    let opened = cx.relations.table(desc)?;
    crate::index_build::for_each_row(&opened, desc.columns.len(), cx, &mut |_, _| {
        Err(pg_err!(
            NOT_NULL_VIOLATION,
            "column \"{}\" of relation \"{}\" contains null values",
            spec.new.name,
            desc.name
        )
        .table(&*desc.namespace_name, &*desc.name)
        .column(spec.new.name.as_str()))
    })
}

fn fill_new_column(
    old: &Arc<RelationDesc>,
    attno: i16,
    filler: &Expr,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let view = cx.view()?;
    let mut program = RowExpr::compile(filler, &*view)?;
    let at = usize::try_from(attno - 1).unwrap_or_default();
    rewrite(old, Rebuild::Storage, cx, &mut |cx, row| {
        row.resize(at + 1, Datum::Null);
        row[at] = program.eval(cx, row)?;
        Ok(())
    })
}

/// SET DEFAULT, DROP DEFAULT.
pub(crate) fn set_default(
    desc: &RelationDesc,
    name: &Ident,
    default: Option<&ast::Expr>,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let found = column(desc, name)?;
    if matches!(found.identity, b'a' | b'd') {
        let e = pg_err!(
            SYNTAX_ERROR,
            "column \"{}\" of relation \"{}\" is an identity column",
            found.name,
            desc.name
        );
        return Err(if default.is_some() {
            e
        } else {
            e.hint("Use ALTER TABLE ... ALTER COLUMN ... DROP IDENTITY instead.")
        });
    }
    if matches!(found.generated, b's' | b'v') {
        let e = pg_err!(
            SYNTAX_ERROR,
            "column \"{}\" of relation \"{}\" is a generated column",
            found.name,
            desc.name
        );
        return Err(match default {
            Some(_) => e.hint("Use ALTER TABLE ... ALTER COLUMN ... SET EXPRESSION instead."),
            None if found.generated == VIRTUAL => e,
            None => e.hint("Use ALTER TABLE ... ALTER COLUMN ... DROP EXPRESSION instead."),
        });
    }
    let expr = match default {
        None => None,
        Some(raw) => {
            let view = cx.view()?;
            let analysis = cx.analysis(&*view);
            let expr = analyzer::utility::analyze_default(raw, &found.name, found.type_ref, &analysis)
                .map_err(without_place)?;
            cx.take_notices(analysis);
            Some(expr).filter(|e| !matches!(e, Expr::Const(c) if c.value.is_null()))
        }
    };
    cx.ddl(|ddl| ddl.set_default(desc.oid, found.attno, expr.as_ref()))
}
