//! NOT NULL constraints: objects with a name, a validity and an inheritance.
//!
//! PG: src/backend/commands/tablecmds.c (`ATAddCheckNNConstraint`, `ATExecSetNotNull`, `QueueNNConstraintValidation`,
//! `ATPrepAddPrimaryKey`), src/backend/catalog/pg_constraint.c (`AdjustNotNullInheritance`).
//!
//! # Invariants
//! - A column with `attnotnull` has one such constraint, and no column has two. One that is not valid yet is enforced for new rows.
//! - Children have those of their parents but for NO INHERIT, under any name, with `coninhcount` counting the parents.

use std::sync::Arc;

use catalog::columns::pg_constraint as c;
use catalog::ddl::columns::NotNull;
use catalog::desc::{ColumnDesc, ConstraintDesc, RelationDesc};
use catalog::partition::descendants;
use common::error::ErrorExt;
use common::{Oid, PgError, PgResult, Span, pg_err};
use parser::ast::{Constraint, Ident};
use types::Datum;

use crate::alter_inherit::{Reach, children};
use crate::alter_table::column;
use crate::columns::ColumnSpec;
use crate::constraints::store_not_null;
use crate::context::CommandContext;
use crate::generated::verify_not_null;

/// A NOT NULL constraint to be made.
#[derive(Clone, Debug)]
pub(crate) struct NotNullSpec {
    /// `None`: one is chosen.
    pub name: Option<String>,
    pub no_inherit: bool,
    /// False: rows that are there may have NULL.
    pub validated: bool,
    /// Said of the table itself, not only of its parents.
    pub is_local: bool,
    pub inherited_count: i16,
}

impl NotNullSpec {
    /// The table's own.
    pub fn own(name: Option<String>, no_inherit: bool) -> NotNullSpec {
        NotNullSpec {
            name,
            no_inherit,
            validated: true,
            is_local: true,
            inherited_count: 0,
        }
    }

    /// One that a parent has.
    pub fn inherited(name: String) -> NotNullSpec {
        NotNullSpec {
            is_local: false,
            inherited_count: 1,
            ..NotNullSpec::own(Some(name), false)
        }
    }

    /// The table says it itself, once more or for the first time.
    pub fn merge_own(&mut self, name: Option<String>, no_inherit: bool, column: &str) -> PgResult<()> {
        if no_inherit && self.inherited_count > 0 {
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "cannot define not-null constraint with NO INHERIT on column \"{column}\""
            )
            .detail("The column has an inherited not-null constraint."));
        }
        if !std::mem::replace(&mut self.is_local, true) {
            self.name = name;
            return Ok(());
        }
        if self.no_inherit != no_inherit {
            return Err(pg_err!(
                SYNTAX_ERROR,
                "conflicting NO INHERIT declaration for not-null constraint on column \"{column}\""
            ));
        }
        match (&self.name, name) {
            (Some(a), Some(b)) if *a != b => Err(pg_err!(
                SYNTAX_ERROR,
                "conflicting not-null constraint names \"{a}\" and \"{b}\""
            )),
            (None, name) => {
                self.name = name;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// A column of a table to be made is declared NOT NULL.
pub(crate) fn declare(column: &mut ColumnSpec, name: Option<String>, no_inherit: bool) -> PgResult<()> {
    column.new.not_null = true;
    match &mut column.not_null {
        Some(before) => before.merge_own(name, no_inherit, &column.new.name),
        none => {
            *none = Some(NotNullSpec::own(name, no_inherit));
            Ok(())
        }
    }
}

/// Stores the constraints of a new table: first its own, whose names count, then those that it inherits.
pub(crate) fn store_all(table: Oid, columns: &[ColumnSpec], cx: &CommandContext<'_>) -> PgResult<()> {
    let declared = || {
        let numbered = columns.iter().zip(1i16..);
        numbered.filter_map(|(column, attno)| Some((attno, column.not_null.as_ref()?)))
    };
    for (attno, own) in declared().filter(|(_, n)| n.is_local) {
        store_not_null(cx, table, attno, own)?;
    }
    for (attno, inherited) in declared().filter(|(_, n)| !n.is_local) {
        let mut spec = inherited.clone();
        let current = cx.relation(table)?;
        let taken = |name: &String| current.constraints.iter().any(|k| *k.name == **name);
        spec.name = spec.name.filter(|name| !taken(name));
        store_not_null(cx, table, attno, &spec)?;
    }
    Ok(())
}

/// Partitions need what the table has.
pub(crate) fn check_inheritable(no_inherit: bool, partitioned: bool) -> PgResult<()> {
    if no_inherit && partitioned {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "not-null constraints on partitioned tables cannot be NO INHERIT"
        ));
    }
    Ok(())
}

/// The constraint of a column.
pub(crate) fn constraint_of(table: &RelationDesc, attno: i16) -> Option<&ConstraintDesc> {
    let of_column = |k: &&ConstraintDesc| k.kind == b'n' && k.columns == [attno];
    table.constraints.iter().find(of_column)
}

fn hint_inherit(e: Box<PgError>) -> Box<PgError> {
    e.hint(
        "You might need to make the existing constraint inheritable using ALTER TABLE ... ALTER CONSTRAINT ... INHERIT.",
    )
}

fn hint_validate(e: Box<PgError>) -> Box<PgError> {
    e.hint("You might need to validate it using ALTER TABLE ... VALIDATE CONSTRAINT.")
}

/// ADD [CONSTRAINT name] NOT NULL column.
pub(crate) fn add(
    table: &Arc<RelationDesc>,
    constraint: &Constraint,
    reach: Reach,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let Some(key) = constraint.keys.first() else {
        return Err(common::internal!("NOT NULL constraint without a column"));
    };
    check_inheritable(constraint.is_no_inherit, table.relkind == b'p')?;
    let name = constraint.conname.as_ref().map(|n| n.as_str().to_owned());
    let mut spec = NotNullSpec::own(name, constraint.is_no_inherit);
    spec.validated = !constraint.skip_validation;
    add_spec(table, key, &spec, reach, cx)
}

/// Adds a constraint, to the children as well.
fn add_spec(
    table: &Arc<RelationDesc>,
    name: &Ident,
    spec: &NotNullSpec,
    reach: Reach,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    if table.column_by_name(name.as_str()).is_none() && crate::lookup::is_system_column(name.as_str()) {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "cannot add not-null constraint on system column \"{}\"",
            name.as_str()
        ));
    }
    let found = column(table, name)?;
    if let Some(existing) = constraint_of(table, found.attno) {
        // Children know of it already.
        return adjust(table, found, existing, spec, cx);
    }
    let made = make(table, found, spec, cx)?;
    if spec.no_inherit {
        return Ok(());
    }
    let below = children(table, cx)?;
    if reach == Reach::Only && !below.is_empty() {
        return Err(pg_err!(
            INVALID_TABLE_DEFINITION,
            "constraint must be added to child tables too"
        ));
    }
    let inherited = NotNullSpec {
        validated: spec.validated,
        ..NotNullSpec::inherited(made)
    };
    for child in below {
        // It may have come by another parent meanwhile.
        let child = cx.relation(child.oid)?;
        add_spec(&child, name, &inherited, Reach::Tree, cx)?;
    }
    Ok(())
}

/// Makes a constraint where there is none, and checks the rows; returns its name.
fn make(
    table: &Arc<RelationDesc>,
    found: &ColumnDesc,
    spec: &NotNullSpec,
    cx: &CommandContext<'_>,
) -> PgResult<String> {
    if spec.validated {
        verify_not_null(table, found, cx)?;
    }
    cx.ddl(|ddl| ddl.set_not_null(table.oid, found.attno, NotNull::Required))?;
    store_not_null(cx, table.oid, found.attno, spec)?;
    let current = cx.relation(table.oid)?;
    let made = constraint_of(&current, found.attno);
    Ok(made.map_or_else(String::new, |k| k.name.to_string()))
}

/// A column has its constraint already: it becomes local, or inherited once more.
fn adjust(
    table: &RelationDesc,
    found: &ColumnDesc,
    existing: &ConstraintDesc,
    spec: &NotNullSpec,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    if existing.no_inherit != spec.no_inherit {
        return Err(hint_inherit(pg_err!(
            OBJECT_NOT_IN_PREREQUISITE_STATE,
            "cannot change NO INHERIT status of NOT NULL constraint \"{}\" on relation \"{}\"",
            existing.name,
            table.name
        )));
    }
    if spec.validated && !existing.validated {
        return Err(hint_validate(pg_err!(
            OBJECT_NOT_IN_PREREQUISITE_STATE,
            "incompatible NOT VALID constraint \"{}\" on relation \"{}\"",
            existing.name,
            table.name
        )));
    }
    if let Some(name) = spec
        .name
        .as_ref()
        .filter(|n| spec.is_local && **n != *existing.name)
    {
        return Err(pg_err!(
            OBJECT_NOT_IN_PREREQUISITE_STATE,
            "cannot create not-null constraint \"{name}\" on column \"{}\" of table \"{}\"",
            found.name,
            table.name
        )
        .detail(format!(
            "A not-null constraint named \"{}\" already exists for this column.",
            existing.name
        )));
    }
    match spec.is_local {
        false => inherit_once_more(existing, cx),
        true if existing.is_local => Ok(()),
        true => make_local(existing, cx),
    }
}

fn inherit_once_more(existing: &ConstraintDesc, cx: &CommandContext<'_>) -> PgResult<()> {
    let count = Datum::Int2(existing.inherited_count + 1);
    cx.ddl(|ddl| ddl.alter_constraint(existing.oid, &[(c::CONINHCOUNT, count)]))
}

fn make_local(existing: &ConstraintDesc, cx: &CommandContext<'_>) -> PgResult<()> {
    cx.ddl(|ddl| ddl.alter_constraint(existing.oid, &[(c::CONISLOCAL, Datum::Bool(true))]))
}

/// ALTER COLUMN SET NOT NULL.
pub(crate) fn set(
    table: &Arc<RelationDesc>,
    name: &Ident,
    reach: Reach,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    set_spec(table, name, &NotNullSpec::own(None, false), reach, cx)
}

fn set_spec(
    table: &Arc<RelationDesc>,
    name: &Ident,
    spec: &NotNullSpec,
    reach: Reach,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let found = column(table, name)?;
    if let Some(existing) = constraint_of(table, found.attno) {
        if existing.no_inherit && reach == Reach::Tree {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "cannot change NO INHERIT status of NOT NULL constraint \"{}\" on relation \"{}\"",
                existing.name,
                table.name
            ));
        }
        return match spec.is_local {
            false => inherit_once_more(existing, cx),
            true if !existing.is_local => make_local(existing, cx),
            true if !existing.validated => validate(table, existing, reach, cx),
            true => Ok(()),
        };
    }
    let mut spec = spec.clone();
    let below = children(table, cx)?;
    if reach == Reach::Only && !below.is_empty() {
        if table.relkind == b'p' {
            return Err(pg_err!(
                INVALID_TABLE_DEFINITION,
                "constraint must be added to child tables too"
            )
            .hint("Do not specify the ONLY keyword."));
        }
        spec.no_inherit = true;
    }
    let made = make(table, found, &spec, cx)?;
    if reach == Reach::Only {
        return Ok(());
    }
    for child in below {
        let child = cx.relation(child.oid)?;
        set_spec(&child, name, &NotNullSpec::inherited(made.clone()), reach, cx)?;
    }
    Ok(())
}

/// The column of a NOT NULL constraint.
pub(crate) fn column_of<'a>(
    table: &'a RelationDesc,
    constraint: &ConstraintDesc,
) -> PgResult<&'a ColumnDesc> {
    let attno = constraint.columns.first().copied().unwrap_or_default();
    table
        .column(attno)
        .ok_or_else(|| common::internal!("NOT NULL constraint of no column"))
}

/// VALIDATE CONSTRAINT: no row of the table and of those below has NULL.
pub(crate) fn validate(
    table: &Arc<RelationDesc>,
    constraint: &ConstraintDesc,
    reach: Reach,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let found = column_of(table, constraint)?;
    let mut members = vec![Arc::clone(table)];
    if !constraint.no_inherit {
        members.extend(descendants(&*cx.view()?, table)?);
    }
    if reach == Reach::Only && members.len() > 1 {
        return Err(pg_err!(
            INVALID_TABLE_DEFINITION,
            "constraint must be validated on child tables too"
        ));
    }
    for member in &members {
        let Some(own) = member.column_by_name(&found.name) else {
            continue;
        };
        let Some(theirs) = constraint_of(member, own.attno).filter(|k| !k.validated) else {
            continue;
        };
        verify_not_null(member, own, cx)?;
        cx.ddl(|ddl| ddl.alter_constraint(theirs.oid, &[(c::CONVALIDATED, Datum::Bool(true))]))?;
    }
    Ok(())
}

/// ALTER CONSTRAINT ... [NO] INHERIT.
pub(crate) fn alter_inheritability(
    table: &Arc<RelationDesc>,
    constraint: &ConstraintDesc,
    no_inherit: bool,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    if constraint.inherited_count > 0 {
        return Err(pg_err!(
            OBJECT_NOT_IN_PREREQUISITE_STATE,
            "cannot alter inherited constraint \"{}\" on relation \"{}\"",
            constraint.name,
            table.name
        ));
    }
    if constraint.no_inherit == no_inherit {
        return Ok(());
    }
    cx.ddl(|ddl| ddl.alter_constraint(constraint.oid, &[(c::CONNOINHERIT, Datum::Bool(no_inherit))]))?;
    let found = column_of(table, constraint)?;
    for child in children(table, cx)? {
        let child = cx.relation(child.oid)?;
        if !no_inherit {
            let name = Ident::new(&*found.name, Span::NONE);
            let inherited = NotNullSpec::inherited(constraint.name.to_string());
            set_spec(&child, &name, &inherited, Reach::Tree, cx)?;
            continue;
        }
        let own = child.column_by_name(&found.name);
        if let Some(theirs) = own.and_then(|own| constraint_of(&child, own.attno)) {
            let left = theirs.inherited_count - 1;
            let changes = [
                (c::CONINHCOUNT, Datum::Int2(left)),
                (c::CONISLOCAL, Datum::Bool(theirs.is_local || left == 0)),
            ];
            cx.ddl(|ddl| ddl.alter_constraint(theirs.oid, &changes))?;
        }
    }
    Ok(())
}

/// The columns of a primary key about to be made are NOT NULL, validly and for all children.
pub(crate) fn require_for_key(
    table: &Arc<RelationDesc>,
    columns: &[Ident],
    reach: Reach,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    for name in columns {
        let table = cx.relation(table.oid)?;
        let found = column(&table, name)?;
        if let Some(existing) = constraint_of(&table, found.attno) {
            check_for_key(&table, name, existing)?;
            continue;
        }
        if reach == Reach::Only {
            for child in children(&table, cx)? {
                let own = child.column_by_name(name.as_str());
                match own.and_then(|own| constraint_of(&child, own.attno)) {
                    Some(theirs) => check_for_key(&child, name, theirs)?,
                    None => {
                        return Err(common::internal!(
                            "column \"{}\" of table \"{}\" is not marked NOT NULL",
                            name.as_str(),
                            child.name
                        ));
                    }
                }
            }
        }
        add_spec(&table, name, &NotNullSpec::own(None, false), Reach::Tree, cx)?;
    }
    Ok(())
}

fn check_for_key(table: &RelationDesc, name: &Ident, existing: &ConstraintDesc) -> PgResult<()> {
    let (mark, hinted): (_, fn(Box<PgError>) -> Box<PgError>) = match () {
        () if existing.no_inherit => ("NO INHERIT", hint_inherit),
        () if !existing.validated => ("NOT VALID", hint_validate),
        () => return Ok(()),
    };
    Err(hinted(
        pg_err!(
            OBJECT_NOT_IN_PREREQUISITE_STATE,
            "cannot create primary key on column \"{}\"",
            name.as_str()
        )
        .detail(format!(
            "The constraint \"{}\" on column \"{}\" of table \"{}\", marked {mark}, is incompatible with a primary key.",
            existing.name,
            name.as_str(),
            table.name
        )),
    ))
}
