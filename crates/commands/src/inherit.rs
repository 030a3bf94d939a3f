//! INHERITS: columns and constraints of parents merged into a new table; INHERIT and NO INHERIT.
//!
//! PG: src/backend/commands/tablecmds.c (`MergeAttributes`, `ATExecAddInherit`, `ATExecDropInherit`).

use std::sync::Arc;

use catalog::CatalogView;
use catalog::columns::{pg_attribute, pg_constraint};
use catalog::ddl::depend::DependencyType;
use catalog::ddl::relation::NewColumn;
use catalog::desc::{ColumnDesc, RelationDesc};
use catalog::partition::{column_map, descendants};
use common::error::{ErrorExt, Severity};
use common::{Oid, PgError, PgResult, Span, pg_err, sqlstate};
use parser::ast::{self, RangeVar};
use txn::LockMode;
use types::Datum;
use types::settings::TypeRef;

use crate::alter_table::check_not_in_use;
use crate::column_storage;
use crate::columns::ColumnSpec;
use crate::constraints::CheckSpec;
use crate::context::CommandContext;
use crate::create_like::remapped;
use crate::create_table::TableSpec;
use crate::not_null::NotNullSpec;

pub(crate) fn notice(cx: &CommandContext<'_>, message: String) {
    cx.notice(PgError::notice(
        Severity::Notice,
        sqlstate::SUCCESSFUL_COMPLETION,
        message,
    ));
}

/// Opens the parents of a new table and checks that it may inherit from them.
pub(crate) fn open_parents(
    names: &[RangeVar],
    partition: bool,
    temporary: bool,
    cx: &CommandContext<'_>,
) -> PgResult<Vec<Arc<RelationDesc>>> {
    let mut parents: Vec<Arc<RelationDesc>> = Vec::new();
    for name in names {
        let parent = cx
            .open_relation(name, LockMode::ShareUpdateExclusive)
            .map_err(|e| e.at(name.span))?;
        if parents.iter().any(|p| p.oid == parent.oid) {
            return Err(pg_err!(
                DUPLICATE_TABLE,
                "relation \"{}\" would be inherited from more than once",
                parent.name
            ));
        }
        if partition {
            check_not_in_use(&parent, "CREATE TABLE .. PARTITION OF", cx)?;
        }
        check_parent(&parent, partition, temporary, cx)?;
        parents.push(parent);
    }
    Ok(parents)
}

fn check_parent(
    parent: &RelationDesc,
    partition: bool,
    temporary: bool,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let name = &parent.name;
    if partition {
        if parent.relkind != b'p' {
            return Err(pg_err!(WRONG_OBJECT_TYPE, "\"{name}\" is not partitioned"));
        }
    } else if parent.relkind == b'p' {
        return Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "cannot inherit from partitioned table \"{name}\""
        ));
    } else if parent.is_partition {
        return Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "cannot inherit from partition \"{name}\""
        ));
    }
    if !matches!(parent.relkind, b'r' | b'p' | b'f') {
        return Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "inherited relation \"{name}\" is not a table or foreign table"
        ));
    }
    if !temporary && parent.persistence == b't' {
        return Err(if partition {
            pg_err!(
                WRONG_OBJECT_TYPE,
                "cannot create a permanent relation as partition of temporary relation \"{name}\""
            )
        } else {
            pg_err!(
                WRONG_OBJECT_TYPE,
                "cannot inherit from temporary relation \"{name}\""
            )
        });
    }
    if partition && temporary && parent.persistence != b't' {
        return Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "cannot create a temporary relation as partition of permanent relation \"{name}\""
        ));
    }
    cx.check_owner(parent)
}

/// Puts the parents' columns before the table's own, merging those of one name, and adds their CHECK constraints.
pub(crate) fn merge(
    spec: &mut TableSpec,
    parents: &[Arc<RelationDesc>],
    partition: bool,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let view = cx.view()?;
    let own = std::mem::take(&mut spec.columns);
    let own_checks = std::mem::take(&mut spec.checks);
    let mut merged = Merging {
        columns: Vec::new(),
        conflicts: Vec::new(),
        view: &*view,
        cx,
    };
    let mut checks: Vec<CheckSpec> = Vec::new();
    for parent in parents {
        let map = merged.add_parent(parent)?;
        for constraint in &parent.constraints {
            let (b'c', false, Some(check)) = (constraint.kind, constraint.no_inherit, &constraint.check)
            else {
                continue;
            };
            let expr = remapped(check, &map);
            add_inherited_check(&mut checks, &constraint.name, expr, constraint.enforced)?;
        }
    }
    let inherited = merged.columns.len();
    for (position, column) in own.into_iter().enumerate() {
        merged.add_own(column, position, inherited, partition)?;
    }
    merged.report_conflicts()?;
    spec.columns = merged.columns;
    for check in own_checks {
        let same = check
            .name
            .as_ref()
            .and_then(|n| checks.iter_mut().find(|c| c.name.as_ref() == Some(n)));
        match same {
            Some(before) => {
                notice(
                    cx,
                    format!(
                        "merging constraint \"{}\" with inherited definition",
                        check.name.as_deref().unwrap_or_default()
                    ),
                );
                before.is_local = true;
            }
            None => checks.push(check),
        }
    }
    spec.checks = checks;
    Ok(())
}

fn add_inherited_check(
    checks: &mut Vec<CheckSpec>,
    name: &str,
    expr: nodes::Expr,
    enforced: bool,
) -> PgResult<()> {
    if let Some(before) = checks.iter_mut().find(|c| c.name.as_deref() == Some(name)) {
        if before.cooked.as_ref() == Some(&expr) {
            before.inherited_count += 1;
            before.enforced |= enforced;
            return Ok(());
        }
        return Err(pg_err!(
            DUPLICATE_OBJECT,
            "check constraint name \"{name}\" appears multiple times but with different expressions"
        ));
    }
    checks.push(CheckSpec {
        name: Some(name.to_owned()),
        raw: ast::Expr::SetToDefault(Span::NONE),
        no_inherit: false,
        enforced,
        validated: enforced,
        cooked: Some(expr),
        is_local: false,
        inherited_count: 1,
    });
    Ok(())
}

struct Merging<'a, 'c> {
    columns: Vec<ColumnSpec>,
    /// Columns whose inherited defaults contradict each other.
    conflicts: Vec<(String, bool)>,
    view: &'a dyn CatalogView,
    cx: &'a CommandContext<'c>,
}

impl Merging<'_, '_> {
    /// Adds a parent's columns; the map from its attnos (index) to the new table's.
    fn add_parent(&mut self, parent: &RelationDesc) -> PgResult<Vec<i16>> {
        let mut map = vec![0i16; parent.columns.len() + 1];
        let mut added = Vec::new();
        for column in parent.columns.iter().filter(|c| !c.dropped) {
            let at = match self.columns.iter().position(|c| c.new.name == *column.name) {
                Some(at) => {
                    self.merge_inherited(at, parent, column)?;
                    at
                }
                None => {
                    self.columns.push(inherited_column(parent, column));
                    self.columns.len() - 1
                }
            };
            map[column.attno as usize] = at as i16 + 1;
            added.push((at, column));
        }
        for (at, column) in added {
            let identity = matches!(column.identity, b'a' | b'd');
            let Some(default) = column.default.as_deref().filter(|_| !identity) else {
                continue;
            };
            let default = remapped(default, &map);
            let slot = &mut self.columns[at];
            match &slot.new.default {
                None => slot.new.default = Some(default),
                Some(before) if *before == default => {}
                Some(_) => {
                    let generated = column.generated != 0;
                    self.conflicts.push((column.name.to_string(), generated));
                }
            }
        }
        Ok(map)
    }

    fn merge_inherited(&mut self, at: usize, parent: &RelationDesc, column: &ColumnDesc) -> PgResult<()> {
        notice(
            self.cx,
            format!(
                "merging multiple inherited definitions of column \"{}\"",
                column.name
            ),
        );
        self.check_same_type(at, column.type_ref, column.collation, "inherited column")?;
        let slot = &mut self.columns[at];
        if slot.new.generated != column.generated {
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "inherited column \"{}\" has a generation conflict",
                column.name
            ));
        }
        column_storage::merge_inherited(&mut slot.new, column)?;
        slot.new.inherited_count += 1;
        if let Some(not_null) = inherited_not_null(parent, column.attno) {
            match &mut slot.not_null {
                Some(before) => before.inherited_count += 1,
                none => *none = Some(not_null),
            }
            slot.new.not_null = true;
        }
        Ok(())
    }

    fn check_same_type(&self, at: usize, type_ref: TypeRef, collation: Oid, what: &str) -> PgResult<()> {
        let slot = &self.columns[at].new;
        let word = |t: TypeRef| catalog::format_type::format_type(self.view, t.oid, t.typmod);
        if slot.type_ref != type_ref {
            return Err(
                pg_err!(DATATYPE_MISMATCH, "{what} \"{}\" has a type conflict", slot.name).detail(format!(
                    "{} versus {}",
                    word(slot.type_ref)?,
                    word(type_ref)?
                )),
            );
        }
        if slot.collation != collation {
            let name = |c: Oid| -> PgResult<String> {
                Ok(self
                    .view
                    .collation_name(c)?
                    .map_or_else(String::new, |n| n.to_string()))
            };
            return Err(pg_err!(
                COLLATION_MISMATCH,
                "{what} \"{}\" has a collation conflict",
                slot.name
            )
            .detail(format!(
                "\"{}\" versus \"{}\"",
                name(slot.collation)?,
                name(collation)?
            )));
        }
        Ok(())
    }

    /// The table's own definition of a column, merged with an inherited one.
    fn add_own(
        &mut self,
        own: ColumnSpec,
        position: usize,
        inherited: usize,
        partition: bool,
    ) -> PgResult<()> {
        let found = self.columns[..inherited]
            .iter()
            .position(|c| c.new.name == own.new.name);
        let Some(at) = found else {
            if partition {
                return Err(pg_err!(
                    UNDEFINED_COLUMN,
                    "column \"{}\" does not exist",
                    own.new.name
                ));
            }
            self.columns.push(own);
            return Ok(());
        };
        let name = own.new.name.clone();
        if !partition {
            if at == position {
                notice(
                    self.cx,
                    format!("merging column \"{name}\" with inherited definition"),
                );
            } else {
                self.cx.notice(
                    PgError::notice(
                        Severity::Notice,
                        sqlstate::SUCCESSFUL_COMPLETION,
                        format!("moving and merging column \"{name}\" with inherited definition"),
                    )
                    .detail("User-specified column moved to the position of the inherited column."),
                );
            }
        }
        self.check_same_type(at, own.new.type_ref, own.new.collation, "column")?;
        let slot = &mut self.columns[at];
        column_storage::merge_own(&mut slot.new, &own.new)?;
        let own_generated = own.raw_generated.is_some();
        crate::generated::check_own_definition(&slot.new, &own)?;
        if !partition {
            slot.new.is_local = true;
        }
        if own.raw_default.is_some() || own_generated || own.sequence.is_some() {
            slot.new.default = None;
            slot.raw_default = own.raw_default;
            slot.raw_generated = own.raw_generated;
            slot.sequence = own.sequence;
            slot.new.identity = own.new.identity;
            self.conflicts.retain(|(n, _)| *n != name);
        }
        if let Some(not_null) = own.not_null {
            crate::not_null::declare(slot, not_null.name, not_null.no_inherit)?;
        }
        Ok(())
    }

    fn report_conflicts(&self) -> PgResult<()> {
        match self.conflicts.first() {
            None => Ok(()),
            Some((name, true)) => Err(pg_err!(
                INVALID_COLUMN_DEFINITION,
                "column \"{name}\" inherits conflicting generation expressions"
            )
            .hint("To resolve the conflict, specify a generation expression explicitly.")),
            Some((name, false)) => Err(pg_err!(
                INVALID_COLUMN_DEFINITION,
                "column \"{name}\" inherits conflicting default values"
            )
            .hint("To resolve the conflict, specify a default explicitly.")),
        }
    }
}

fn inherited_not_null(parent: &RelationDesc, attno: i16) -> Option<NotNullSpec> {
    let found = crate::not_null::constraint_of(parent, attno).filter(|c| !c.no_inherit)?;
    Some(NotNullSpec::inherited(found.name.to_string()))
}

/// A parent's column as the child has it (default still without its place).
pub(crate) fn inherited_column(parent: &RelationDesc, column: &ColumnDesc) -> ColumnSpec {
    let mut new = NewColumn::new(&*column.name, column.type_ref);
    new.collation = column.collation;
    new.is_local = false;
    new.inherited_count = 1;
    new.generated = column.generated;
    new.storage = Some(column.storage);
    new.compression = column.compression;
    let not_null = inherited_not_null(parent, column.attno);
    new.not_null = not_null.is_some();
    if parent.relkind == b'p' && matches!(column.identity, b'a' | b'd') {
        new.identity = column.identity;
    }
    ColumnSpec {
        new,
        sequence: None,
        not_null,
        raw_default: None,
        raw_generated: None,
        constraints: Vec::new(),
    }
}

/// Writes the `pg_inherits` rows of a new table.
pub(crate) fn store_parents(
    child: Oid,
    parents: &[Arc<RelationDesc>],
    partition: bool,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let kind = if partition {
        DependencyType::Auto
    } else {
        DependencyType::Normal
    };
    for (parent, number) in parents.iter().zip(1i32..) {
        cx.ddl(|ddl| ddl.add_inheritance(child, parent.oid, number, Some(kind)))?;
    }
    Ok(())
}

/// ALTER TABLE ... INHERIT.
pub(crate) fn add_inherit(
    child: &Arc<RelationDesc>,
    name: &RangeVar,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    if child.is_partition {
        return Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "cannot change inheritance of a partition"
        ));
    }
    if child.relkind == b'p' {
        return Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "cannot change inheritance of partitioned table"
        ));
    }
    let parent = cx.open_relation(name, LockMode::ShareUpdateExclusive)?;
    cx.check_owner(&parent)?;
    if parent.persistence == b't' && child.persistence != b't' {
        return Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "cannot inherit from temporary relation \"{}\"",
            parent.name
        ));
    }
    if parent.relkind == b'p' {
        return Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "cannot inherit from partitioned table \"{}\"",
            parent.name
        ));
    }
    if parent.is_partition {
        return Err(pg_err!(WRONG_OBJECT_TYPE, "cannot inherit from a partition"));
    }
    if child.inheritance.parents.contains(&parent.oid) {
        return Err(pg_err!(
            DUPLICATE_TABLE,
            "relation \"{}\" would be inherited from more than once",
            parent.name
        ));
    }
    let view = cx.view()?;
    let circular = parent.oid == child.oid || descendants(&*view, child)?.iter().any(|d| d.oid == parent.oid);
    if circular {
        return Err(
            pg_err!(DUPLICATE_TABLE, "circular inheritance not allowed").detail(format!(
                "\"{}\" is already a child of \"{}\".",
                parent.name, child.name
            )),
        );
    }
    drop(view);
    merge_existing(child, &parent, cx)?;
    cx.ddl(|ddl| {
        let number = ddl.next_parent_number(child.oid)?;
        ddl.add_inheritance(child.oid, parent.oid, number, Some(DependencyType::Normal))
    })
}

/// A table that exists already becomes a child: it must have all that the parent has.
pub(crate) fn merge_existing(
    child: &Arc<RelationDesc>,
    parent: &RelationDesc,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let view = cx.view()?;
    for column in parent.columns.iter().filter(|c| !c.dropped) {
        let Some(own) = child.column_by_name(&column.name) else {
            let message = format!("child table is missing column \"{}\"", column.name);
            return Err(PgError::new(sqlstate::DATATYPE_MISMATCH, message));
        };
        check_column_fits(child, own, parent, column)?;
        let mut changes = vec![(pg_attribute::ATTINHCOUNT, Datum::Int2(own.inherited_count + 1))];
        if parent.relkind == b'p' {
            changes.push((pg_attribute::ATTISLOCAL, Datum::Bool(false)));
            changes.push((pg_attribute::ATTIDENTITY, Datum::Char(column.identity)));
        }
        cx.ddl(|ddl| ddl.alter_column(child.oid, own.attno, &changes))?;
    }
    drop(view);
    merge_constraints(child, parent, cx)
}

fn check_column_fits(
    child: &RelationDesc,
    own: &ColumnDesc,
    parent: &RelationDesc,
    column: &ColumnDesc,
) -> PgResult<()> {
    let name = &column.name;
    if own.type_ref != column.type_ref {
        return Err(pg_err!(
            DATATYPE_MISMATCH,
            "child table \"{}\" has different type for column \"{name}\"",
            child.name
        ));
    }
    if own.collation != column.collation {
        return Err(pg_err!(
            COLLATION_MISMATCH,
            "child table \"{}\" has different collation for column \"{name}\"",
            child.name
        ));
    }
    let required = parent
        .constraints
        .iter()
        .any(|c| c.kind == b'n' && c.columns == [column.attno] && !c.no_inherit);
    if required && !own.not_null {
        return Err(pg_err!(
            DATATYPE_MISMATCH,
            "column \"{name}\" in child table \"{}\" must be marked NOT NULL",
            child.name
        ));
    }
    crate::generated::check_fits(name, column.generated, own.generated)?;
    Ok(())
}

fn merge_constraints(
    child: &Arc<RelationDesc>,
    parent: &RelationDesc,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let mut map = vec![0i16];
    map.extend(column_map(parent, child));
    for constraint in parent.constraints.iter().filter(|c| !c.no_inherit) {
        let own = match constraint.kind {
            b'c' => child
                .constraints
                .iter()
                .find(|c| c.kind == b'c' && c.name == constraint.name),
            b'n' => {
                let attno = constraint
                    .columns
                    .first()
                    .and_then(|a| map.get(*a as usize))
                    .copied()
                    .unwrap_or_default();
                child
                    .constraints
                    .iter()
                    .find(|c| c.kind == b'n' && c.columns == [attno])
            }
            _ => continue,
        };
        let Some(own) = own else {
            if constraint.kind == b'n' {
                continue;
            }
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "child table is missing constraint \"{}\"",
                constraint.name
            ));
        };
        if constraint.kind == b'c' {
            let wanted = constraint.check.as_deref().map(|e| remapped(e, &map));
            if wanted.as_ref() != own.check.as_deref() {
                return Err(pg_err!(
                    DATATYPE_MISMATCH,
                    "child table \"{}\" has different definition for check constraint \"{}\"",
                    child.name,
                    constraint.name
                ));
            }
        }
        if own.no_inherit {
            return Err(pg_err!(
                OBJECT_NOT_IN_PREREQUISITE_STATE,
                "constraint \"{}\" conflicts with non-inherited constraint on child table \"{}\"",
                own.name,
                child.name
            ));
        }
        if !own.validated && constraint.validated && own.enforced {
            return Err(pg_err!(
                OBJECT_NOT_IN_PREREQUISITE_STATE,
                "constraint \"{}\" conflicts with NOT VALID constraint on child table \"{}\"",
                own.name,
                child.name
            ));
        }
        let mut changes = vec![(pg_constraint::CONINHCOUNT, Datum::Int2(own.inherited_count + 1))];
        if parent.relkind == b'p' {
            changes.push((pg_constraint::CONISLOCAL, Datum::Bool(false)));
        }
        cx.ddl(|ddl| ddl.alter_constraint(own.oid, &changes))?;
    }
    Ok(())
}

/// ALTER TABLE ... NO INHERIT.
pub(crate) fn drop_inherit(
    child: &Arc<RelationDesc>,
    name: &RangeVar,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    if child.is_partition {
        return Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "cannot change inheritance of a partition"
        ));
    }
    let parent = cx.open_relation(name, LockMode::AccessShare)?;
    if !child.inheritance.parents.contains(&parent.oid) {
        return Err(pg_err!(
            UNDEFINED_TABLE,
            "relation \"{}\" is not a parent of relation \"{}\"",
            parent.name,
            child.name
        ));
    }
    remove_parent(child, &parent, cx)
}

/// Ends the relationship: what was inherited from this parent becomes the child's own.
pub(crate) fn remove_parent(
    child: &Arc<RelationDesc>,
    parent: &RelationDesc,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let mut map = vec![0i16];
    map.extend(column_map(parent, child));
    for attno in map.iter().filter(|a| **a > 0) {
        let Some(own) = child.column(*attno).filter(|c| c.inherited_count > 0) else {
            continue;
        };
        let left = own.inherited_count - 1;
        let mut changes = vec![(pg_attribute::ATTINHCOUNT, Datum::Int2(left))];
        if left == 0 {
            changes.push((pg_attribute::ATTISLOCAL, Datum::Bool(true)));
        }
        cx.ddl(|ddl| ddl.alter_column(child.oid, *attno, &changes))?;
    }
    for constraint in parent
        .constraints
        .iter()
        .filter(|c| matches!(c.kind, b'c' | b'n'))
    {
        let attno = constraint
            .columns
            .first()
            .and_then(|a| map.get(*a as usize))
            .copied()
            .unwrap_or_default();
        let own = child.constraints.iter().find(|c| match constraint.kind {
            b'c' => c.kind == b'c' && c.name == constraint.name,
            _ => c.kind == b'n' && c.columns == [attno],
        });
        let Some(own) = own.filter(|c| c.inherited_count > 0) else {
            continue;
        };
        let left = own.inherited_count - 1;
        let mut changes = vec![(pg_constraint::CONINHCOUNT, Datum::Int2(left))];
        if left == 0 {
            changes.push((pg_constraint::CONISLOCAL, Datum::Bool(true)));
        }
        cx.ddl(|ddl| ddl.alter_constraint(own.oid, &changes))?;
    }
    cx.ddl(|ddl| ddl.remove_inheritance(child.oid, parent.oid).map(|_| ()))
}
