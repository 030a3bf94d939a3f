//! ALTER TABLE ... SET DATA TYPE: all columns that a statement gives new types, at once.
//!
//! PG: src/backend/commands/tablecmds.c (`ATPrepAlterColumnType`, `ATExecAlterColumnType`, `ATPostAlterTypeCleanup`).
//!
//! # How it works
//! 1. What each new value is computed from is analyzed over the table as it is.
//! 2. Constraints and indexes that name one of the columns are written down and dropped.
//! 3. The types change, and the table is rewritten once: every new value is computed from the row as it was.
//! 4. When columns have been added, too, what was dropped is made again ([`Dependents`]).

use std::sync::Arc;

use analyzer::ExprKind;
use catalog::CatalogView;
use catalog::desc::{ColumnDesc, RelationDesc};
use catalog::partition::descendants;
use catalog::virtual_columns::VIRTUAL;
use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err};
use nodes::Expr;
use nodes::expr::{ReturningKind, Var, VarSource};
use parser::ast::{self, AlterTableAction, AlterTableCmd, CollateClause, Ident, TypeName};
use types::settings::TypeRef;

use crate::alter_column::refuse_used_row_type;
use crate::alter_generated::without_place;
use crate::alter_inherit::{self, Reach};
use crate::alter_table::{column, everywhere, not_inherited, require_table};
use crate::context::CommandContext;
use crate::eval::RowExpr;
use crate::foreign_key::ForeignKeys;
use crate::generated::check_virtual_type;
use crate::rewrite::{self, Rebuild, rewrite};

/// What depends on changed columns, dropped.
#[derive(Default)]
pub(crate) struct Dependents {
    of_tables: Vec<(Oid, rewrite::Dependents)>,
    keys: Vec<ForeignKeys>,
}

impl Dependents {
    /// Makes it over the columns as they are now.
    pub fn make_again(self, cx: &CommandContext<'_>) -> PgResult<()> {
        for (table, dependents) in self.of_tables {
            dependents.make_again(table, cx).map_err(without_place)?;
        }
        self.keys.into_iter().try_for_each(|keys| keys.make_again(cx))
    }
}

/// SET DATA TYPE as written.
struct TypeChange<'a> {
    name: &'a Ident,
    type_name: &'a TypeName,
    collation: Option<&'a CollateClause>,
    using: Option<&'a ast::Expr>,
}

/// Changes the types of columns of a table and of those below.
pub(crate) fn change<'a>(
    table: Oid,
    cmds: impl Iterator<Item = &'a AlterTableCmd>,
    reach: Reach,
    cx: &mut CommandContext<'_>,
) -> PgResult<Dependents> {
    let desc = cx.relation(table)?;
    let mut changes: Vec<TypeChange<'_>> = Vec::new();
    for cmd in cmds {
        let Some(change) = written(&cmd.action) else {
            continue;
        };
        check(&desc, change.name, reach)?;
        if changes.iter().any(|c| c.name.as_str() == change.name.as_str()) {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "cannot alter type of column \"{}\" twice",
                change.name.as_str()
            )
            .at(change.name.span));
        }
        changes.push(change);
    }
    let mut dependents = Dependents::default();
    if changes.is_empty() {
        return Ok(dependents);
    }
    for change in &changes {
        let desc = cx.relation(table)?;
        let mut tree = descendants(&*cx.view()?, &desc)?;
        tree.insert(0, desc);
        let keys = ForeignKeys::take(cx, &tree, change.name.as_str())?;
        dependents.keys.push(keys);
    }
    everywhere(&cx.relation(table)?, reach, cx, &mut |desc, cx| {
        set_types(desc, &changes, &mut dependents, cx)
    })?;
    Ok(dependents)
}

fn written(action: &AlterTableAction) -> Option<TypeChange<'_>> {
    let AlterTableAction::AlterColumnType {
        name,
        type_name,
        collation,
        using,
    } = action
    else {
        return None;
    };
    Some(TypeChange {
        name,
        type_name,
        collation: collation.as_ref(),
        using: using.as_ref(),
    })
}

fn check(desc: &RelationDesc, name: &Ident, reach: Reach) -> PgResult<()> {
    require_table(desc, "ALTER COLUMN ... SET DATA TYPE")?;
    let found = column(desc, name)?;
    not_inherited(found, "alter").map_err(|e| e.at(name.span))?;
    alter_inherit::check_not_key(desc, found, "alter").map_err(|e| e.at(name.span))?;
    alter_inherit::require_tree(desc, reach, || {
        format!(
            "type of inherited column \"{}\" must be changed in child tables too",
            name.as_str()
        )
    })
}

/// One column's change, analyzed.
struct Change {
    attno: i16,
    generated: u8,
    target: TypeRef,
    collation: Oid,
    default: Option<Expr>,
    /// From old rows to new values; nothing is stored of virtual columns.
    transform: Option<Expr>,
}

fn set_types(
    desc: &Arc<RelationDesc>,
    written: &[TypeChange<'_>],
    dependents: &mut Dependents,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let analyzed = |change| analyze(desc, change, cx);
    let changes: Vec<Change> = written.iter().map(analyzed).collect::<PgResult<_>>()?;
    for change in &changes {
        let current = cx.relation(desc.oid)?;
        let view = cx.view()?;
        rewrite::refuse_views_and_generated(&current, change.attno, &*view, cx)?;
        let taken = rewrite::Dependents::take(&current, change.attno, &*view, cx)?;
        drop(view);
        taken.drop_all(cx)?;
        dependents.of_tables.push((desc.oid, taken));
    }
    cx.ddl(|ddl| {
        changes.iter().try_for_each(|change| {
            ddl.set_column_type(desc.oid, change.attno, change.target, change.collation)?;
            match &change.default {
                Some(default) => ddl.set_generation(desc.oid, change.attno, default, change.generated),
                None => Ok(()),
            }
        })
    })?;
    rewrite_rows(desc, &changes, cx)
}

fn analyze(desc: &RelationDesc, change: &TypeChange<'_>, cx: &CommandContext<'_>) -> PgResult<Change> {
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
    let transform = match found.generated {
        VIRTUAL => {
            check_virtual_type(&found.name, target.oid, &*view)?;
            refuse_used_row_type(desc, cx)?;
            None
        }
        _ => {
            crate::alter_type::check_not_containing(&*view, target.oid, desc)?;
            let transform = transform_expr(desc, found, change, target, &*view, cx)?;
            if desc.relkind != b'r' || changes_values(&transform) {
                refuse_used_row_type(desc, cx)?;
            }
            Some(transform)
        }
    };
    Ok(Change {
        attno: found.attno,
        generated: found.generated,
        target,
        collation,
        default: new_default(found, target, &*view, cx)?,
        transform,
    })
}

fn rewrite_rows(desc: &Arc<RelationDesc>, changes: &[Change], cx: &CommandContext<'_>) -> PgResult<()> {
    let view = cx.view()?;
    let mut programs = Vec::new();
    for change in changes {
        if let Some(transform) = &change.transform {
            let at = usize::try_from(change.attno - 1).unwrap_or_default();
            programs.push((at, RowExpr::compile(transform, &*view)?));
        }
    }
    drop(view);
    if programs.is_empty() {
        return Ok(());
    }
    let mut values = Vec::with_capacity(programs.len());
    rewrite(desc, Rebuild::Storage, cx, &mut |cx, row| {
        for (at, program) in &mut programs {
            values.push((*at, program.eval(cx, row)?));
        }
        for (at, value) in values.drain(..) {
            if let Some(place) = row.get_mut(at) {
                *place = value;
            }
        }
        Ok(())
    })
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
    found: &ColumnDesc,
    change: &TypeChange<'_>,
    target: TypeRef,
    view: &dyn CatalogView,
    cx: &CommandContext<'_>,
) -> PgResult<Expr> {
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
            attno: found.attno,
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
    found: &ColumnDesc,
    target: TypeRef,
    view: &dyn CatalogView,
    cx: &CommandContext<'_>,
) -> PgResult<Option<Expr>> {
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
