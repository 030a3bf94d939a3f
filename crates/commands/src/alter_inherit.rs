//! ALTER TABLE on inheritance trees: what a subcommand does to the children.
//!
//! PG: src/backend/commands/tablecmds.c (`ATPrepCmd`'s recursion, `ATExecDropColumn`...).

use std::sync::Arc;

use catalog::columns::{pg_attribute, pg_constraint};
use catalog::ddl::ObjectAddress;
use catalog::ddl::relation::NewColumn;
use catalog::desc::{ColumnDesc, ConstraintDesc, RelationDesc};
use catalog::oids;
use catalog::partition::column_map;
use catalog::virtual_columns::VIRTUAL;
use common::{PgResult, pg_err};
use parser::ast::{DropBehavior, Ident};
use txn::LockMode;
use types::Datum;

use crate::constraints::{self, CheckSpec};
use crate::context::CommandContext;
use crate::create_like::remapped;
use crate::eval::RowExpr;
use crate::inherit::notice;
use crate::not_null::NotNullSpec;

/// Whether a subcommand goes on to the children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// ALTER TABLE t: and its children.
    Tree,
    /// ALTER TABLE ONLY t.
    Only,
}

/// The direct children that are tables, locked, and not in use.
pub(crate) fn children(desc: &RelationDesc, cx: &CommandContext<'_>) -> PgResult<Vec<Arc<RelationDesc>>> {
    let out = locked_children(desc, cx)?;
    for child in &out {
        crate::alter_table::check_not_in_use(child, "ALTER TABLE", cx)?;
    }
    Ok(out)
}

/// The direct children that are tables, locked.
fn locked_children(desc: &RelationDesc, cx: &CommandContext<'_>) -> PgResult<Vec<Arc<RelationDesc>>> {
    let mut out = Vec::new();
    if !matches!(desc.relkind, b'r' | b'p' | b'f') {
        return Ok(out);
    }
    for oid in &desc.inheritance.children {
        cx.lock_relation(*oid, LockMode::AccessExclusive)?;
        out.push(cx.relation(*oid)?);
    }
    Ok(out)
}

/// `ALTER TABLE ONLY` cannot do what children must have, too.
pub(crate) fn require_tree(
    desc: &RelationDesc,
    reach: Reach,
    message: impl FnOnce() -> String,
) -> PgResult<()> {
    if reach == Reach::Only && !desc.inheritance.children.is_empty() {
        return Err(common::PgError::new(
            common::sqlstate::INVALID_TABLE_DEFINITION,
            message(),
        ));
    }
    Ok(())
}

/// Columns of the partition key stay as they are.
pub(crate) fn check_not_key(desc: &RelationDesc, column: &ColumnDesc, verb: &str) -> PgResult<()> {
    let Some(key) = &desc.inheritance.key else {
        return Ok(());
    };
    for k in &key.columns {
        if k.attno == column.attno {
            return Err(pg_err!(
                INVALID_TABLE_DEFINITION,
                "cannot {verb} column \"{}\" because it is part of the partition key of relation \"{}\"",
                column.name,
                desc.name
            ));
        }
        let used = k
            .expr
            .as_ref()
            .is_some_and(|e| constraints::columns_of(e).contains(&column.attno));
        if used {
            return Err(pg_err!(
                INVALID_TABLE_DEFINITION,
                "cannot {verb} column \"{}\" because it is part of the partition key of relation \"{}\"",
                column.name,
                desc.name
            ));
        }
    }
    Ok(())
}

/// ADD COLUMN on the children of `parent`, which has it already.
pub(crate) fn add_column(parent: &RelationDesc, attno: i16, cx: &mut CommandContext<'_>) -> PgResult<()> {
    let Some(column) = parent.column(attno).cloned() else {
        return Err(common::internal!("column {attno} vanished"));
    };
    for child in children(parent, cx)? {
        // It may have come by another parent meanwhile.
        let child = cx.relation(child.oid)?;
        if let Some(own) = child.column_by_name(&column.name) {
            merge_column(&child, own, &column, cx)?;
            continue;
        }
        let new_attno = add_to_child(parent, &column, &child, cx)?;
        let current = cx.relation(child.oid)?;
        add_column(&current, new_attno, cx)?;
    }
    Ok(())
}

fn merge_column(
    child: &RelationDesc,
    own: &ColumnDesc,
    column: &ColumnDesc,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    if own.type_ref != column.type_ref {
        return Err(pg_err!(
            DATATYPE_MISMATCH,
            "child table \"{}\" has different type for column \"{}\"",
            child.name,
            own.name
        ));
    }
    if own.collation != column.collation {
        return Err(pg_err!(
            COLLATION_MISMATCH,
            "child table \"{}\" has different collation for column \"{}\"",
            child.name,
            own.name
        ));
    }
    let count = Datum::Int2(own.inherited_count + 1);
    cx.ddl(|ddl| ddl.alter_column(child.oid, own.attno, &[(pg_attribute::ATTINHCOUNT, count)]))?;
    notice(
        cx,
        format!(
            "merging definition of column \"{}\" for child \"{}\"",
            own.name, child.name
        ),
    );
    Ok(())
}

fn add_to_child(
    parent: &RelationDesc,
    column: &ColumnDesc,
    child: &Arc<RelationDesc>,
    cx: &mut CommandContext<'_>,
) -> PgResult<i16> {
    let mut map = vec![0i16];
    map.extend(column_map(parent, child));
    let mut new = NewColumn::new(&*column.name, column.type_ref);
    new.collation = column.collation;
    new.generated = column.generated;
    new.storage = Some(column.storage);
    new.compression = column.compression;
    new.is_local = false;
    new.inherited_count = 1;
    new.not_null = column.not_null;
    let identity = matches!(column.identity, b'a' | b'd');
    if identity && parent.relkind == b'p' {
        new.identity = column.identity;
    }
    let attno = child.columns.len() as i16 + 1;
    if let Some(slot) = map.get_mut(column.attno as usize) {
        *slot = attno;
    }
    new.default = column.default.as_deref().map(|e| remapped(e, &map));
    let missing = column.missing.clone();
    cx.ddl(|ddl| ddl.add_column(child.oid, &new, missing.clone()))?;
    if missing.is_none()
        && child.relkind == b'r'
        && new.generated != VIRTUAL
        && let Some(filler) = &new.default
    {
        let view = cx.view()?;
        let mut program = RowExpr::compile(filler, &*view)?;
        drop(view);
        let at = attno as usize - 1;
        crate::rewrite::rewrite(child, crate::rewrite::Rebuild::Storage, cx, &mut |cx, row| {
            row.resize(at + 1, Datum::Null);
            row[at] = program.eval(cx, row)?;
            Ok(())
        })?;
    }
    let above = parent
        .constraints
        .iter()
        .find(|c| c.kind == b'n' && c.columns == [column.attno] && !c.no_inherit);
    if let Some(above) = above {
        let current = cx.relation(child.oid)?;
        if let Some(added) = current.column(attno).filter(|c| c.generated == VIRTUAL) {
            crate::generated::verify_not_null(&current, added, cx)?;
        }
        let spec = NotNullSpec::inherited(above.name.to_string());
        constraints::store_not_null(cx, child.oid, attno, &spec)?;
    }
    for check in parent
        .constraints
        .iter()
        .filter(|c| c.kind == b'c' && !c.no_inherit)
    {
        if check.columns.contains(&column.attno) {
            add_check_to_child(parent, check, child, cx)?;
        }
    }
    Ok(attno)
}

/// DROP COLUMN on the children.
pub(crate) fn drop_column(
    parent: &RelationDesc,
    name: &Ident,
    reach: Reach,
    how: DropBehavior,
    cx: &mut CommandContext<'_>,
) -> PgResult<()> {
    for child in children(parent, cx)? {
        let Some(own) = child.column_by_name(name.as_str()) else {
            continue;
        };
        if own.inherited_count <= 0 {
            continue;
        }
        if reach == Reach::Tree && own.inherited_count == 1 && !own.is_local {
            drop_column(&child, name, reach, how, cx)?;
            let object = ObjectAddress::column(child.oid, own.attno);
            cx.ddl(|ddl| ddl.drop_objects(&[object], crate::drop::behavior(how)))?;
            continue;
        }
        let mut changes = vec![(pg_attribute::ATTINHCOUNT, Datum::Int2(own.inherited_count - 1))];
        if reach == Reach::Only {
            changes.push((pg_attribute::ATTISLOCAL, Datum::Bool(true)));
        }
        cx.ddl(|ddl| ddl.alter_column(child.oid, own.attno, &changes))?;
    }
    Ok(())
}

fn same_constraint<'c>(
    parent: &RelationDesc,
    constraint: &ConstraintDesc,
    child: &'c RelationDesc,
) -> Option<&'c ConstraintDesc> {
    let map = column_map(parent, child);
    let attno = constraint
        .columns
        .first()
        .and_then(|a| map.get(*a as usize - 1))
        .copied()
        .unwrap_or_default();
    child.constraints.iter().find(|c| match constraint.kind {
        b'n' => c.kind == b'n' && c.columns == [attno],
        kind => c.kind == kind && c.name == constraint.name,
    })
}

/// ADD CHECK on the children.
pub(crate) fn add_check(
    parent: &RelationDesc,
    constraint: &ConstraintDesc,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    for child in children(parent, cx)? {
        add_check_to_child(parent, constraint, &child, cx)?;
        let current = cx.relation(child.oid)?;
        if let Some(made) = same_constraint(parent, constraint, &current).cloned() {
            add_check(&current, &made, cx)?;
        }
    }
    Ok(())
}

fn add_check_to_child(
    parent: &RelationDesc,
    constraint: &ConstraintDesc,
    child: &Arc<RelationDesc>,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let Some(check) = &constraint.check else {
        return Ok(());
    };
    let current = cx.relation(child.oid)?;
    let mut map = vec![0i16];
    map.extend(column_map(parent, &current));
    let expr = remapped(check, &map);
    if let Some(own) = current.constraints.iter().find(|c| c.name == constraint.name) {
        if own.check.as_deref() != Some(&expr) {
            return Err(pg_err!(
                DUPLICATE_OBJECT,
                "constraint \"{}\" for relation \"{}\" already exists",
                own.name,
                current.name
            ));
        }
        if own.no_inherit {
            return Err(pg_err!(
                INVALID_OBJECT_DEFINITION,
                "constraint \"{}\" conflicts with non-inherited constraint on relation \"{}\"",
                own.name,
                current.name
            ));
        }
        notice(
            cx,
            format!("merging constraint \"{}\" with inherited definition", own.name),
        );
        let count = Datum::Int2(own.inherited_count + 1);
        return cx.ddl(|ddl| ddl.alter_constraint(own.oid, &[(pg_constraint::CONINHCOUNT, count)]));
    }
    if constraint.validated && current.relkind == b'r' {
        crate::alter_table::validate_check(&current, Some(&constraint.name), &expr, cx)?;
    }
    let spec = CheckSpec {
        name: Some(constraint.name.to_string()),
        raw: parser::ast::Expr::SetToDefault(common::Span::NONE),
        no_inherit: false,
        enforced: constraint.enforced,
        validated: constraint.validated,
        cooked: None,
        is_local: false,
        inherited_count: 1,
    };
    constraints::store_check(cx, child.oid, &spec, expr).map(|_| ())
}

/// DROP CONSTRAINT (CHECK, NOT NULL) on the children.
pub(crate) fn drop_constraint(
    parent: &RelationDesc,
    constraint: &ConstraintDesc,
    reach: Reach,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    if !matches!(constraint.kind, b'c' | b'n') || constraint.no_inherit {
        return Ok(());
    }
    for child in children(parent, cx)? {
        let Some(own) = same_constraint(parent, constraint, &child).cloned() else {
            continue;
        };
        if own.inherited_count <= 0 {
            continue;
        }
        if reach == Reach::Tree && own.inherited_count == 1 && !own.is_local {
            drop_constraint(&child, &own, reach, cx)?;
            if own.kind == b'n' {
                let column = crate::not_null::column_of(&child, &own)?;
                crate::alter_table::remove_not_null(&child, column.attno, cx)?;
            } else {
                let object = ObjectAddress::new(oids::PG_CONSTRAINT, own.oid);
                cx.ddl(|ddl| ddl.drop_objects(&[object], catalog::ddl::drop::DropBehavior::Restrict))?;
            }
            continue;
        }
        let left = own.inherited_count - 1;
        let mut changes = vec![(pg_constraint::CONINHCOUNT, Datum::Int2(left))];
        if reach == Reach::Only && left == 0 {
            changes.push((pg_constraint::CONISLOCAL, Datum::Bool(true)));
        }
        cx.ddl(|ddl| ddl.alter_constraint(own.oid, &changes))?;
    }
    Ok(())
}

/// RENAME COLUMN on the children.
pub(crate) fn rename_column(
    parent: &RelationDesc,
    old: &str,
    new: &str,
    reach: Reach,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    require_tree(parent, reach, || {
        format!("inherited column \"{old}\" must be renamed in child tables too")
    })?;
    for child in locked_children(parent, cx)? {
        // One that inherits on several ways has been met before.
        if cx.ddl(|ddl| Ok(ddl.column_by_name(child.oid, old).is_err()))? {
            continue;
        }
        rename_column(&child, old, new, reach, cx)?;
        cx.ddl(|ddl| ddl.rename_column(child.oid, old, new))?;
    }
    Ok(())
}

/// RENAME CONSTRAINT on the children.
pub(crate) fn rename_constraint(
    parent: &RelationDesc,
    old: &str,
    new: &str,
    reach: Reach,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let inherited = parent
        .constraints
        .iter()
        .find(|c| &*c.name == old && matches!(c.kind, b'c' | b'n') && !c.no_inherit);
    let Some(constraint) = inherited else {
        return Ok(());
    };
    require_tree(parent, reach, || {
        format!("inherited constraint \"{old}\" must be renamed in child tables too")
    })?;
    for child in locked_children(parent, cx)? {
        if same_constraint(parent, constraint, &child).is_some_and(|c| &*c.name == old) {
            rename_constraint(&child, old, new, reach, cx)?;
            cx.ddl(|ddl| ddl.rename_constraint(child.oid, old, new))?;
        }
    }
    Ok(())
}
