//! ALTER TABLE on columns: ADD, SET DATA TYPE, SET DEFAULT, identity, generation.
//!
//! PG: src/backend/commands/tablecmds.c (`ATExecAddColumn`, `ATExecAlterColumnType`).

use std::sync::Arc;

use analyzer::ExprKind;
use catalog::CatalogView;
use catalog::ddl::sequence::SequenceOwner;
use catalog::desc::RelationDesc;
use catalog::virtual_columns::VIRTUAL;
use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err, sqlstate};
use nodes::Expr;
use nodes::expr::{ReturningKind, Var, VarSource};
use parser::ast::{self, CollateClause, ColumnDef, ConstrType, Ident, TypeName};
use types::Datum;
use types::settings::TypeRef;

use crate::alter_generated::without_place;
use crate::alter_table::column;
use crate::columns::{column_desc, column_spec, nextval_expr};
use crate::constraints::{self, CheckSpec};
use crate::context::CommandContext;
use crate::eval::RowExpr;
use crate::generated::{check_virtual_type, generation_expr, verify_not_null};
use crate::rewrite::{Dependents, Rebuild, rewrite};

/// ADD COLUMN.
pub(crate) fn add(
    desc: &Arc<RelationDesc>,
    def: &ColumnDef,
    missing_ok: bool,
    cx: &mut CommandContext<'_>,
) -> PgResult<()> {
    if missing_ok && desc.column_by_name(def.name.as_str()).is_some() {
        let message = format!(
            "column \"{}\" of relation \"{}\" already exists",
            def.name.as_str(),
            desc.name
        );
        cx.skipping(sqlstate::DUPLICATE_COLUMN, &message);
        return Ok(());
    }
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
    let type_oid = spec.new.type_ref.oid;
    finish_add(desc.oid, attno, spec, cx)?;
    widen_stored_rows(desc.row_type, type_oid, cx)
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
    spec: &crate::columns::ColumnSpec,
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
fn refuse_used_row_type(desc: &RelationDesc, cx: &CommandContext<'_>) -> PgResult<()> {
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

/// Constraints of an added column.
fn finish_add(
    table: Oid,
    attno: i16,
    spec: crate::columns::ColumnSpec,
    cx: &mut CommandContext<'_>,
) -> PgResult<()> {
    if let Some(not_null) = &spec.not_null {
        let current = cx.relation(table)?;
        if let Some(added) = current.column(attno).filter(|c| c.generated == VIRTUAL) {
            verify_not_null(&current, added, cx)?;
        }
        constraints::store_not_null(cx, table, attno, not_null)?;
    }
    for constraint in spec.constraints {
        let current = cx.relation(table)?;
        if constraint.contype == ConstrType::Check {
            let check = CheckSpec::of(&constraint)?;
            let view = cx.view()?;
            let expr = constraints::check_expr(&check, &current, &*view, cx).map_err(without_place)?;
            crate::alter_table::validate_check(&current, check.name.as_deref(), &expr, cx)?;
            constraints::store_check(cx, table, &check, expr)?;
            continue;
        }
        if constraint.contype == ConstrType::Foreign {
            let mut key = constraint.clone();
            key.fk_attrs = vec![Ident::new(spec.new.name.as_str(), constraint.span)];
            crate::foreign_key::add(cx, &current, &key, crate::foreign_key::Existing::Check)?;
            continue;
        }
        let mut key = constraint.clone();
        key.keys = vec![Ident::new(spec.new.name.as_str(), constraint.span)];
        let primary = key.contype == ConstrType::Primary;
        if primary && current.constraints.iter().any(|c| c.kind == b'p') {
            return Err(pg_err!(
                INVALID_TABLE_DEFINITION,
                "multiple primary keys for table \"{}\" are not allowed",
                current.name
            ));
        }
        if primary {
            let name = Ident::new(spec.new.name.as_str(), constraint.span);
            crate::not_null::require_for_key(&current, &[name], crate::alter_inherit::Reach::Tree, cx)?;
        }
        let current = cx.relation(table)?;
        constraints::store_key(cx, &current, &key)?;
    }
    Ok(())
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
    spec: &crate::columns::ColumnSpec,
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

/// SET DATA TYPE as written.
pub(crate) struct TypeChange<'a> {
    pub name: &'a Ident,
    pub type_name: &'a TypeName,
    pub collation: Option<&'a CollateClause>,
    pub using: Option<&'a ast::Expr>,
}

/// SET DATA TYPE: the table is rewritten; returns what depends on the column and is to be made anew, once all of a tree is changed.
pub(crate) fn set_type(
    desc: &Arc<RelationDesc>,
    change: &TypeChange<'_>,
    cx: &mut CommandContext<'_>,
) -> PgResult<Dependents> {
    let found = column(desc, change.name)?;
    let view = cx.view()?;
    let analysis = cx.analysis(&*view);
    let (target, collation) =
        analyzer::utility::resolve_column_type(change.type_name, change.collation, &analysis)?;
    if found.generated != 0 && change.using.is_some() {
        return Err(pg_err!(
            INVALID_COLUMN_DEFINITION,
            "cannot specify USING when altering type of generated column"
        )
        .at(change.name.span)
        .detail(format!("Column \"{}\" is a generated column.", found.name)));
    }
    if found.generated == VIRTUAL {
        check_virtual_type(&found.name, target.oid, &*view)?;
        refuse_used_row_type(desc, cx)?;
        drop(analysis);
        drop(view);
        return set_virtual_type(desc, found, (target, collation), cx);
    }
    crate::alter_type::check_not_containing(&*view, target.oid, desc)?;
    let transform = transform_expr(desc, found.attno, change, target, &*view, cx)?;
    if desc.relkind != b'r' || changes_values(&transform) {
        refuse_used_row_type(desc, cx)?;
    }
    let default = new_default(desc, found.attno, target, &*view, cx)?;
    crate::rewrite::refuse_views_and_generated(desc, found.attno, &*view, cx)?;
    let dependents = Dependents::take(desc, found.attno, &*view, cx)?;
    drop(analysis);
    drop(view);
    dependents.drop_all(cx)?;
    let attno = found.attno;
    cx.ddl(|ddl| {
        ddl.set_column_type(desc.oid, attno, target, collation)?;
        if let Some(default) = &default {
            ddl.set_generation(desc.oid, attno, default, found.generated)?;
        }
        Ok(())
    })?;
    let view = cx.view()?;
    let mut program = RowExpr::compile(&transform, &*view)?;
    drop(view);
    let at = usize::try_from(attno - 1).unwrap_or_default();
    rewrite(desc, Rebuild::Storage, cx, &mut |cx, row| {
        let value = program.eval(cx, row)?;
        if let Some(place) = row.get_mut(at) {
            *place = value;
        }
        Ok(())
    })?;
    Ok(dependents)
}

/// The type of a virtual column: nothing is stored, so the expression alone changes, and what depends on it is made anew.
fn set_virtual_type(
    desc: &Arc<RelationDesc>,
    found: &catalog::ColumnDesc,
    (target, collation): (TypeRef, Oid),
    cx: &CommandContext<'_>,
) -> PgResult<Dependents> {
    let view = cx.view()?;
    let expr = new_default(desc, found.attno, target, &*view, cx)?;
    crate::rewrite::refuse_views_and_generated(desc, found.attno, &*view, cx)?;
    let dependents = Dependents::take(desc, found.attno, &*view, cx)?;
    drop(view);
    dependents.drop_all(cx)?;
    cx.ddl(|ddl| {
        ddl.set_column_type(desc.oid, found.attno, target, collation)?;
        if let Some(expr) = &expr {
            ddl.set_generation(desc.oid, found.attno, expr, found.generated)?;
        }
        Ok(())
    })?;
    Ok(dependents)
}

/// False for casts that leave values as they are.
fn changes_values(transform: &Expr) -> bool {
    match transform {
        Expr::Var(_) => false,
        Expr::Relabel(r) => changes_values(&r.arg),
        _ => true,
    }
}

/// Old row to new value.
fn transform_expr(
    desc: &RelationDesc,
    attno: i16,
    change: &TypeChange<'_>,
    target: TypeRef,
    view: &dyn CatalogView,
    cx: &CommandContext<'_>,
) -> PgResult<Expr> {
    let Some(found) = desc.column(attno) else {
        return Err(common::internal!("column {attno} vanished"));
    };
    let analysis = cx.analysis(view);
    let source = match change.using {
        Some(raw) => {
            analyzer::utility::analyze_expression(raw, ExprKind::AlterColTransform, Some(desc), &analysis)?
        }
        None => Expr::Var(Var {
            source: VarSource::Rel {
                index: 1,
                levels_up: 0,
            },
            attno,
            type_ref: found.type_ref,
            collation: found.collation,
            nulling_rels: nodes::RelIds::default(),
            returning: ReturningKind::Default,
            span: common::Span::NONE,
        }),
    };
    let coerced = analyzer::utility::coerce_for_assignment(source, target, &analysis)?;
    cx.take_notices(analysis);
    if let Some(expr) = coerced {
        return Ok(expr);
    }
    let word = catalog::format_type::format_type(view, target.oid, -1)?;
    let full = catalog::format_type::format_type(view, target.oid, target.typmod)?;
    if change.using.is_some() {
        return Err(pg_err!(
            DATATYPE_MISMATCH,
            "result of USING clause for column \"{}\" cannot be cast automatically to type {word}",
            found.name
        )
        .hint("You might need to add an explicit cast."));
    }
    Err(pg_err!(
        DATATYPE_MISMATCH,
        "column \"{}\" cannot be cast automatically to type {word}",
        found.name
    )
    .hint(format!(
        "You might need to specify \"USING {}::{full}\".",
        parser::quote_identifier(&found.name)
    )))
}

/// The default over the new type.
fn new_default(
    desc: &RelationDesc,
    attno: i16,
    target: TypeRef,
    view: &dyn CatalogView,
    cx: &CommandContext<'_>,
) -> PgResult<Option<Expr>> {
    let Some(found) = desc.column(attno) else {
        return Ok(None);
    };
    let Some(default) = &found.default else {
        return Ok(None);
    };
    let what = match found.generated {
        0 => "default",
        _ => "generation expression",
    };
    let analysis = cx.analysis(view);
    match analyzer::utility::coerce_for_assignment((**default).clone(), target, &analysis)? {
        Some(expr) => Ok(Some(expr)),
        None => Err(pg_err!(
            DATATYPE_MISMATCH,
            "{what} for column \"{}\" cannot be cast automatically to type {}",
            found.name,
            catalog::format_type::format_type(view, target.oid, -1)?
        )),
    }
}
