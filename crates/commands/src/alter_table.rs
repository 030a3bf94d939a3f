//! ALTER TABLE, INDEX, SEQUENCE, VIEW: subcommands in passes (`alter_passes.rs`).
//!
//! PG: src/backend/commands/tablecmds.c (`ATController`).

use std::sync::Arc;

use catalog::columns::{pg_attribute, pg_class};
use catalog::ddl::ObjectAddress;
use catalog::ddl::columns::NotNull;
use catalog::desc::{ColumnDesc, RelationDesc};
use catalog::oids;
use catalog::partition::descendants;
use catalog::virtual_columns::over_stored_row;
use common::error::{ErrorExt, Severity};
use common::{Oid, PgError, PgResult, pg_err, sqlstate, unsupported};
use parser::ast::{
    AlterTableAction, AlterTableCmd, AlterTableStmt, ColumnDef, ConstrType, Constraint, DropBehavior, Ident,
    ObjectType,
};
use txn::LockMode;
use types::Datum;

use crate::alter_column_types::{self, Dependents};
use crate::alter_constraint::{alter_constraint, check_not_inherited, drop_constraint, validate_constraint};
use crate::alter_inherit::{self, Reach};
use crate::alter_passes::{PASSES, Pass, of_pass, pass_of_constraint};
use crate::classify::command_tag;
use crate::constraints::{self, CheckSpec};
use crate::context::{CommandContext, CommandOutcome};
use crate::drop::behavior;
use crate::index_build::for_each_row;
use crate::lookup::{display, wrong_kind};
use crate::storage_params::{self, ParamSet};
use crate::{alter_column, alter_generated, alter_identity};

/// ALTER TABLE and relatives.
pub(crate) fn alter_table(stmt: &AlterTableStmt, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    let tag = command_tag(&parser::ast::Statement::AlterTable(Box::new(stmt.clone())));
    let Some(desc) = cx.open_relation_if_exists(&stmt.relation, lock_mode(&stmt.cmds))? else {
        return missing(stmt, tag, cx);
    };
    check_kind(&desc, stmt)?;
    cx.check_owner(&desc)?;
    check_not_in_use(&desc, "ALTER TABLE", cx)?;
    if stmt.objtype == ObjectType::Type {
        change_type(stmt, desc.oid, cx)?;
    } else {
        change_relation(stmt, desc.oid, cx)?;
    }
    Ok(CommandOutcome::tag(tag))
}

fn change_type(stmt: &AlterTableStmt, oid: Oid, cx: &mut CommandContext<'_>) -> PgResult<()> {
    for pass in PASSES {
        for cmd in of_pass(&stmt.cmds, pass) {
            crate::alter_type::attribute_action(&cx.relation(oid)?, &cmd.action, cx)?;
        }
    }
    Ok(())
}

fn change_relation(stmt: &AlterTableStmt, oid: Oid, cx: &mut CommandContext<'_>) -> PgResult<()> {
    let reach = match stmt.relation.inh {
        true => Reach::Tree,
        false => Reach::Only,
    };
    let mut dependents = Dependents::default();
    let mut of_new_columns = Vec::new();
    for pass in PASSES {
        match pass {
            Pass::ColumnTypes => {
                dependents = alter_column_types::change(oid, of_pass(&stmt.cmds, pass), reach, cx)?;
                continue;
            }
            Pass::ColumnAttributes => std::mem::take(&mut dependents).make_again(cx)?,
            _ => {}
        }
        for constraint in of_new_columns.iter().filter(|c| pass_of_constraint(c) == pass) {
            add_constraint(&cx.relation(oid)?, constraint, reach, cx)?;
        }
        for cmd in of_pass(&stmt.cmds, pass) {
            let current = cx.relation(oid)?;
            match &cmd.action {
                AlterTableAction::AddColumn { def, missing_ok } => {
                    of_new_columns.extend(add_column(&current, def, *missing_ok, reach, cx)?);
                }
                _ => action(&current, cmd, reach, cx)?,
            }
        }
    }
    Ok(())
}

fn missing(stmt: &AlterTableStmt, tag: &str, cx: &CommandContext<'_>) -> PgResult<CommandOutcome> {
    crate::lookup::missing_relation(&stmt.relation, stmt.missing_ok, cx)?;
    Ok(CommandOutcome::tag(tag))
}

fn lock_mode(cmds: &[AlterTableCmd]) -> LockMode {
    let weak = |c: &AlterTableCmd| {
        matches!(
            c.action,
            AlterTableAction::SetStatistics { .. }
                | AlterTableAction::SetRelOptions(_)
                | AlterTableAction::ResetRelOptions(_)
                | AlterTableAction::ValidateConstraint(_)
                | AlterTableAction::ClusterOn(_)
        )
    };
    // Reading goes on while triggers are switched.
    let trigger = |c: &AlterTableCmd| matches!(c.action, AlterTableAction::Trigger { .. });
    if cmds.iter().all(weak) {
        LockMode::ShareUpdateExclusive
    } else if cmds.iter().all(|c| weak(c) || trigger(c)) {
        LockMode::ShareRowExclusive
    } else {
        LockMode::AccessExclusive
    }
}

fn check_kind(desc: &RelationDesc, stmt: &AlterTableStmt) -> PgResult<()> {
    let fits = match stmt.objtype {
        ObjectType::Index => matches!(desc.relkind, b'i' | b'I'),
        ObjectType::Sequence => desc.relkind == b'S',
        ObjectType::View => desc.relkind == b'v',
        ObjectType::MatView => desc.relkind == b'm',
        ObjectType::Type => desc.relkind == b'c',
        ObjectType::ForeignTable => desc.relkind == b'f',
        _ => true,
    };
    if fits {
        Ok(())
    } else {
        Err(wrong_kind(desc, stmt.objtype))
    }
}

pub(crate) fn require_table(desc: &RelationDesc, what: &str) -> PgResult<()> {
    require_kind(desc, b"rp", what)
}

/// The same, or a materialized view.
fn require_stored(desc: &RelationDesc, what: &str) -> PgResult<()> {
    require_kind(desc, b"rpm", what)
}

fn require_kind(desc: &RelationDesc, kinds: &[u8], what: &str) -> PgResult<()> {
    if kinds.contains(&desc.relkind) {
        return Ok(());
    }
    Err(pg_err!(
        WRONG_OBJECT_TYPE,
        "ALTER action {what} cannot be performed on relation \"{}\"",
        desc.name
    )
    .detail(crate::lookup::relkind_detail(desc.relkind)))
}

/// A live column or 42703; system columns cannot be altered.
pub(crate) fn column<'d>(desc: &'d RelationDesc, name: &Ident) -> PgResult<&'d ColumnDesc> {
    if let Some(column) = desc.column_by_name(name.as_str()) {
        return Ok(column);
    }
    if crate::lookup::is_system_column(name.as_str()) {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "cannot alter system column \"{}\"",
            name.as_str()
        ));
    }
    Err(pg_err!(
        UNDEFINED_COLUMN,
        "column \"{}\" of relation \"{}\" does not exist",
        name.as_str(),
        desc.name
    ))
}

/// The same on every member of the tree.
pub(crate) fn everywhere(
    desc: &Arc<RelationDesc>,
    reach: Reach,
    cx: &mut CommandContext<'_>,
    work: &mut dyn FnMut(&Arc<RelationDesc>, &mut CommandContext<'_>) -> PgResult<()>,
) -> PgResult<()> {
    work(desc, cx)?;
    if reach == Reach::Only {
        return Ok(());
    }
    let below = descendants(&*cx.view()?, desc)?;
    for member in below.iter().filter(|d| matches!(d.relkind, b'r' | b'p' | b'f')) {
        cx.lock_relation(member.oid, LockMode::AccessExclusive)?;
        let current = cx.relation(member.oid)?;
        check_not_in_use(&current, "ALTER TABLE", cx)?;
        work(&current, cx)?;
    }
    Ok(())
}

/// A table that a query of the session uses, or that deferred events wait for, stays as it is.
pub(crate) fn check_not_in_use(desc: &RelationDesc, command: &str, cx: &CommandContext<'_>) -> PgResult<()> {
    let why = if (cx.in_use)(desc) {
        "it is being used by active queries in this session"
    } else if cx.after.is_pending(desc.oid) {
        "it has pending trigger events"
    } else {
        return Ok(());
    };
    Err(pg_err!(
        OBJECT_IN_USE,
        "cannot {command} \"{}\" because {why}",
        desc.name
    ))
}

pub(crate) fn not_inherited(found: &ColumnDesc, verb: &str) -> PgResult<()> {
    if found.inherited_count > 0 {
        return Err(pg_err!(
            INVALID_TABLE_DEFINITION,
            "cannot {verb} inherited column \"{}\"",
            found.name
        ));
    }
    Ok(())
}

fn action(
    desc: &Arc<RelationDesc>,
    cmd: &AlterTableCmd,
    reach: Reach,
    cx: &mut CommandContext<'_>,
) -> PgResult<()> {
    match &cmd.action {
        AlterTableAction::DropColumn {
            name,
            missing_ok,
            behavior,
        } => {
            require_table(desc, "DROP COLUMN")?;
            drop_column(desc, name, *missing_ok, *behavior, reach, cx)
        }
        AlterTableAction::ColumnDefault { name, default } => everywhere(desc, reach, cx, &mut |d, cx| {
            alter_column::set_default(d, name, default.as_ref(), cx)
        }),
        AlterTableAction::SetNotNull(name) => {
            require_table(desc, "ALTER COLUMN ... SET NOT NULL")?;
            crate::not_null::set(desc, name, reach, cx)
        }
        AlterTableAction::DropNotNull(name) => drop_not_null_constraint(desc, name, reach, cx),
        AlterTableAction::SetStatistics { name, num, value } => {
            set_statistics(desc, name.as_ref(), *num, *value, cx)
        }
        AlterTableAction::SetStorage { name, storage } => set_storage(desc, name, storage, cx),
        AlterTableAction::SetCompression { name, method } => set_compression(desc, name, method, cx),
        AlterTableAction::AddIdentity { name, constraint } => {
            alter_identity::add(desc, name, constraint, reach, cx)
        }
        AlterTableAction::SetIdentity { name, options } => {
            alter_identity::set(desc, name, options, reach, cx)
        }
        AlterTableAction::DropIdentity { name, missing_ok } => {
            alter_identity::drop(desc, name, *missing_ok, reach, cx)
        }
        AlterTableAction::DropExpression { name, missing_ok } => {
            require_table(desc, "ALTER COLUMN ... DROP EXPRESSION")?;
            alter_generated::check_drop_expression(desc, name, reach, cx)?;
            everywhere(desc, reach, cx, &mut |d, cx| {
                alter_generated::drop_expression(d, name, *missing_ok, cx)
            })
        }
        AlterTableAction::SetExpression { name, expr } => set_expression(desc, name, expr, reach, cx),
        _ => relation_action(desc, cmd, reach, cx),
    }
}

/// What is not about a single column.
fn relation_action(
    desc: &Arc<RelationDesc>,
    cmd: &AlterTableCmd,
    reach: Reach,
    cx: &mut CommandContext<'_>,
) -> PgResult<()> {
    match &cmd.action {
        AlterTableAction::AddConstraint(constraint) => {
            require_table(desc, "ADD CONSTRAINT")?;
            add_constraint(desc, constraint, reach, cx)
        }
        AlterTableAction::DropConstraint {
            name,
            missing_ok,
            behavior,
        } => drop_constraint(desc, name, *missing_ok, *behavior, reach, cx),
        AlterTableAction::ValidateConstraint(name) => validate_constraint(desc, name, reach, cx),
        AlterTableAction::AlterConstraint {
            name,
            enforced,
            deferrability,
            no_inherit,
        } => alter_constraint(desc, name, (*enforced, *deferrability, *no_inherit), cx),
        AlterTableAction::AddInherit(parent) => crate::inherit::add_inherit(desc, parent, cx),
        AlterTableAction::DropInherit(parent) => crate::inherit::drop_inherit(desc, parent, cx),
        AlterTableAction::AttachPartition { name, bound } => match bound {
            Some(bound) => crate::partition::attach(desc, name, bound, cx),
            None => crate::partition_index::attach(cx, desc, name),
        },
        AlterTableAction::DetachPartition { name, concurrent } => {
            crate::partition::detach(desc, name, *concurrent, cx)
        }
        AlterTableAction::SetRelOptions(options) => {
            let merged =
                storage_params::merge(ParamSet::of(desc), &storage_params::of_relation(desc), options)?;
            set_options(desc, &merged, cx)
        }
        AlterTableAction::ResetRelOptions(options) => {
            let merged = storage_params::reset(&storage_params::of_relation(desc), options)?;
            set_options(desc, &merged, cx)
        }
        AlterTableAction::ChangeOwner(role) => change_owner(desc, role, cx),
        AlterTableAction::SetTablespace(name) => crate::create_index::check_tablespace(Some(name)),
        AlterTableAction::SetAccessMethod(name) => {
            crate::create_table::check_table_access_method(name.as_ref())
        }
        AlterTableAction::SetLogged => {
            require_kind(desc, b"rS", "SET LOGGED")?;
            crate::alter_persistence::set(desc, true, cx)
        }
        AlterTableAction::SetUnlogged => {
            require_kind(desc, b"rS", "SET UNLOGGED")?;
            crate::alter_persistence::set(desc, false, cx)
        }
        AlterTableAction::Trigger { state, target } => {
            crate::trigger::enable(desc, (*state, target), reach, cx)
        }
        AlterTableAction::DropOids | AlterTableAction::DropCluster => Ok(()),
        other => {
            let text = format!("{other:?}");
            let word = text.split(['(', ' ', '{']).next().unwrap_or_default().to_owned();
            Err(unsupported!("ALTER TABLE with {word} is not supported yet").at(cmd.span))
        }
    }
}

/// ADD COLUMN; the constraints that it writes with the column, to be added to the table.
fn add_column(
    desc: &Arc<RelationDesc>,
    def: &ColumnDef,
    missing_ok: bool,
    reach: Reach,
    cx: &mut CommandContext<'_>,
) -> PgResult<Vec<Constraint>> {
    require_table(desc, "ADD COLUMN")?;
    if desc.is_partition {
        return Err(pg_err!(WRONG_OBJECT_TYPE, "cannot add column to a partition"));
    }
    if missing_ok && desc.column_by_name(def.name.as_str()).is_some() {
        let message = format!(
            "column \"{}\" of relation \"{}\" already exists",
            def.name.as_str(),
            desc.name
        );
        cx.skipping(sqlstate::DUPLICATE_COLUMN, &message);
        return Ok(Vec::new());
    }
    let constraints = alter_column::add(desc, def, cx)?;
    alter_inherit::require_tree(desc, reach, || "column must be added to child tables too".into())?;
    let current = cx.relation(desc.oid)?;
    alter_inherit::add_column(&current, current.columns.len() as i16, cx)?;
    Ok(constraints)
}

fn drop_not_null_constraint(
    desc: &Arc<RelationDesc>,
    name: &Ident,
    reach: Reach,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    require_table(desc, "ALTER COLUMN ... DROP NOT NULL")?;
    let found = column(desc, name)?;
    let constraint = desc
        .constraints
        .iter()
        .find(|c| c.kind == b'n' && c.columns == [found.attno]);
    if let Some(c) = constraint {
        check_not_inherited(desc, c)?;
    }
    drop_not_null(desc, name, cx)?;
    match constraint {
        Some(c) => alter_inherit::drop_constraint(desc, c, reach, cx),
        None => Ok(()),
    }
}

fn set_storage(desc: &RelationDesc, name: &Ident, storage: &Ident, cx: &CommandContext<'_>) -> PgResult<()> {
    let found = column(desc, name)?;
    let view = cx.view()?;
    let letter = crate::column_storage::storage_word(storage.as_str(), &*view, found.type_ref)?;
    let default = types::builtin::type_row(found.type_ref.oid).map_or(b'x', |r| r.typstorage);
    let value = Datum::Char(letter.unwrap_or(default));
    cx.ddl(|ddl| ddl.alter_column(desc.oid, found.attno, &[(pg_attribute::ATTSTORAGE, value)]))
}

/// Children keep theirs, as in PostgreSQL.
fn set_compression(
    desc: &RelationDesc,
    name: &Ident,
    method: &Ident,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    require_stored(desc, "ALTER COLUMN ... SET COMPRESSION")?;
    let found = column(desc, name)?;
    let letter = crate::column_storage::compression_letter(Some(method), &*cx.view()?, found.type_ref)?;
    let change = (pg_attribute::ATTCOMPRESSION, Datum::Char(letter));
    cx.ddl(|ddl| ddl.alter_column(desc.oid, found.attno, &[change]))
}

fn set_expression(
    desc: &Arc<RelationDesc>,
    name: &Ident,
    expr: &parser::ast::Expr,
    reach: Reach,
    cx: &mut CommandContext<'_>,
) -> PgResult<()> {
    require_table(desc, "ALTER COLUMN ... SET EXPRESSION")?;
    let mut tree = vec![Arc::clone(desc)];
    if reach == Reach::Tree {
        tree.extend(descendants(&*cx.view()?, desc)?);
    }
    let keys = crate::foreign_key::ForeignKeys::take(cx, &tree, name.as_str())?;
    everywhere(desc, reach, cx, &mut |d, cx| {
        alter_generated::set_expression(d, name, expr, cx)
    })?;
    keys.make_again(cx)
}

fn set_options(desc: &RelationDesc, options: &[String], cx: &CommandContext<'_>) -> PgResult<()> {
    let value = storage_params::datum(options);
    cx.ddl(|ddl| ddl.alter_relation(desc.oid, &[(pg_class::RELOPTIONS, value)]))
}

fn drop_column(
    desc: &RelationDesc,
    name: &Ident,
    missing_ok: bool,
    how: DropBehavior,
    reach: Reach,
    cx: &mut CommandContext<'_>,
) -> PgResult<()> {
    if missing_ok && desc.column_by_name(name.as_str()).is_none() {
        let message = format!(
            "column \"{}\" of relation \"{}\" does not exist",
            name.as_str(),
            desc.name
        );
        return cx.skip(missing_ok, sqlstate::UNDEFINED_COLUMN, message);
    }
    let found = column(desc, name).map_err(|e| {
        if e.sqlstate == sqlstate::FEATURE_NOT_SUPPORTED {
            pg_err!(
                FEATURE_NOT_SUPPORTED,
                "cannot drop system column \"{}\"",
                name.as_str()
            )
        } else {
            e
        }
    })?;
    not_inherited(found, "drop")?;
    alter_inherit::check_not_key(desc, found, "drop")?;
    if desc.relkind == b'p' && reach == Reach::Only && !desc.inheritance.children.is_empty() {
        return Err(pg_err!(
            INVALID_TABLE_DEFINITION,
            "cannot drop column from only the partitioned table when partitions exist"
        )
        .hint("Do not specify the ONLY keyword."));
    }
    alter_inherit::drop_column(desc, name, reach, how, cx)?;
    let object = ObjectAddress::column(desc.oid, found.attno);
    let live = desc.columns.iter().filter(|c| !c.dropped);
    let at = live.take_while(|c| c.attno != found.attno).count();
    cx.ddl(|ddl| ddl.drop_objects(&[object], behavior(how)))?;
    crate::alter_type::reshape_values(
        desc.row_type,
        &|record| crate::alter_type::remove_field(record, at),
        cx,
    )
}

pub(crate) fn drop_not_null(desc: &RelationDesc, name: &Ident, cx: &CommandContext<'_>) -> PgResult<()> {
    let found = column(desc, name)?;
    if !found.not_null {
        return Ok(());
    }
    if matches!(found.identity, b'a' | b'd') {
        return Err(pg_err!(
            OBJECT_NOT_IN_PREREQUISITE_STATE,
            "column \"{}\" of relation \"{}\" is an identity column",
            found.name,
            desc.name
        ));
    }
    let in_key = desc
        .constraints
        .iter()
        .any(|c| c.kind == b'p' && c.columns.contains(&found.attno));
    if in_key {
        return Err(pg_err!(
            INVALID_TABLE_DEFINITION,
            "column \"{}\" is in a primary key",
            found.name
        ));
    }
    remove_not_null(desc, found.attno, cx)
}

pub(crate) fn remove_not_null(desc: &RelationDesc, attno: i16, cx: &CommandContext<'_>) -> PgResult<()> {
    let constraint = desc
        .constraints
        .iter()
        .find(|c| c.kind == b'n' && c.columns == [attno]);
    cx.ddl(|ddl| {
        if let Some(constraint) = constraint {
            let object = ObjectAddress::new(oids::PG_CONSTRAINT, constraint.oid);
            ddl.drop_objects(&[object], catalog::ddl::drop::DropBehavior::Restrict)?;
        }
        ddl.set_not_null(desc.oid, attno, NotNull::Allowed)
    })
}

fn set_statistics(
    desc: &RelationDesc,
    name: Option<&Ident>,
    num: i32,
    value: Option<i32>,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let attno = match name {
        Some(name) => column(desc, name)?.attno,
        None => i16::try_from(num).unwrap_or_default(),
    };
    let target = crate::statistics::target(value, cx)?;
    cx.ddl(|ddl| ddl.alter_column(desc.oid, attno, &[(pg_attribute::ATTSTATTARGET, target)]))
}

fn add_constraint(
    desc: &Arc<RelationDesc>,
    constraint: &Constraint,
    reach: Reach,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    match constraint.contype {
        ConstrType::Check => {
            let check = CheckSpec::of(constraint)?;
            let view = cx.view()?;
            let expr =
                constraints::check_expr(&check, desc, &*view, cx).map_err(alter_generated::without_place)?;
            if merged_with_inherited(desc, &check, &expr, cx)? {
                return Ok(());
            }
            if check.validated {
                validate_check(desc, check.name.as_deref(), &expr, cx)?;
            }
            drop(view);
            if check.no_inherit && desc.relkind == b'p' {
                return Err(pg_err!(
                    INVALID_TABLE_DEFINITION,
                    "cannot add NO INHERIT constraint to partitioned table \"{}\"",
                    desc.name
                ));
            }
            let made = constraints::store_check(cx, desc.oid, &check, expr)?;
            if check.no_inherit {
                return Ok(());
            }
            alter_inherit::require_tree(desc, reach, || {
                "constraint must be added to child tables too".into()
            })?;
            let current = cx.relation(desc.oid)?;
            match current.constraints.iter().find(|c| c.oid == made) {
                Some(made) => alter_inherit::add_check(&current, made, cx),
                None => Ok(()),
            }
        }
        ConstrType::NotNull => crate::not_null::add(desc, constraint, reach, cx),
        ConstrType::Primary | ConstrType::Unique if constraint.indexname.is_some() => {
            key_using_index(desc, constraint, reach, cx)
        }
        ConstrType::Primary | ConstrType::Unique => add_key(desc, constraint, reach, cx),
        ConstrType::Exclusion => constraints::store_key(cx, desc, constraint),
        ConstrType::Foreign => {
            if desc.relkind == b'p' && reach == Reach::Only {
                let other = constraint.pktable.as_ref().map_or_else(String::new, display);
                return Err(pg_err!(
                    WRONG_OBJECT_TYPE,
                    "cannot use ONLY for foreign key on partitioned table \"{}\" referencing relation \"{other}\"",
                    desc.name
                ));
            }
            crate::foreign_key::add(cx, desc, constraint, crate::foreign_key::Existing::Check).map(|_| ())
        }
        _ => Err(unsupported!("this kind of constraint is not supported yet").at(constraint.span)),
    }
}

/// A CHECK that a parent has given already becomes the table's own as well.
fn merged_with_inherited(
    desc: &RelationDesc,
    check: &CheckSpec,
    expr: &nodes::Expr,
    cx: &CommandContext<'_>,
) -> PgResult<bool> {
    let same = desc.constraints.iter().find(|c| {
        c.kind == b'c'
            && Some(&*c.name) == check.name.as_deref()
            && c.inherited_count > 0
            && !c.is_local
            && c.check.as_deref() == Some(expr)
    });
    let Some(same) = same else { return Ok(false) };
    crate::inherit::notice(
        cx,
        format!("merging constraint \"{}\" with inherited definition", same.name),
    );
    let local = [(catalog::columns::pg_constraint::CONISLOCAL, Datum::Bool(true))];
    cx.ddl(|ddl| ddl.alter_constraint(same.oid, &local))?;
    Ok(true)
}

fn add_key(
    desc: &Arc<RelationDesc>,
    constraint: &Constraint,
    reach: Reach,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let names: Vec<&str> = desc
        .columns
        .iter()
        .filter(|c| !c.dropped)
        .map(|c| &*c.name)
        .collect();
    let primary = constraint.contype == ConstrType::Primary;
    if primary {
        crate::not_null::require_for_key(desc, &constraint.keys, reach, cx)?;
    }
    constraints::check_key_columns(constraint, &names).map_err(alter_generated::without_place)?;
    if primary && desc.constraints.iter().any(|c| c.kind == b'p') {
        return Err(pg_err!(
            INVALID_TABLE_DEFINITION,
            "multiple primary keys for table \"{}\" are not allowed",
            desc.name
        ));
    }
    let current = cx.relation(desc.oid)?;
    constraints::store_key(cx, &current, constraint)
}

/// ADD PRIMARY KEY USING INDEX: an existing unique index becomes a constraint's.
fn key_using_index(
    desc: &Arc<RelationDesc>,
    constraint: &Constraint,
    reach: Reach,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let Some(name) = &constraint.indexname else {
        return Err(common::internal!("USING INDEX without a name"));
    };
    let view = cx.view()?;
    let found = view.relation_by_name(Some(&desc.namespace_name), name.as_str())?;
    let index = found.filter(|i| i.index.as_ref().is_some_and(|x| x.table == desc.oid));
    let Some(index) = index else {
        return Err(
            pg_err!(UNDEFINED_OBJECT, "index \"{}\" does not exist", name.as_str()).at(constraint.span),
        );
    };
    let Some(info) = &index.index else {
        return Err(common::internal!("index without index part"));
    };
    let refuse = |what: &str| {
        Err(pg_err!(WRONG_OBJECT_TYPE, "{what}")
            .detail("Cannot create a primary key or unique constraint using such an index.")
            .at(constraint.span))
    };
    if !info.unique {
        return refuse(&format!("\"{}\" is not a unique index", index.name));
    }
    if info.columns.iter().any(|c| c.expr.is_some()) {
        return refuse(&format!("index \"{}\" contains expressions", index.name));
    }
    if info.predicate.is_some() {
        return refuse(&format!("\"{}\" is a partial index", index.name));
    }
    let primary = constraint.contype == ConstrType::Primary;
    if primary {
        let keys = info.columns.iter().take(info.key_count);
        let keys = keys.filter_map(|k| desc.column(k.attno));
        let keys: Vec<Ident> = keys.map(|c| Ident::new(&*c.name, constraint.span)).collect();
        crate::not_null::require_for_key(desc, &keys, reach, cx)?;
    }
    let wanted = constraint.conname.as_ref().map_or(&*index.name, |n| n.as_str());
    if wanted != &*index.name {
        cx.notice(PgError::notice(
            Severity::Notice,
            sqlstate::SUCCESSFUL_COMPLETION,
            format!(
                "ALTER TABLE / ADD CONSTRAINT USING INDEX will rename index \"{}\" to \"{wanted}\"",
                index.name
            ),
        ));
    }
    let attnos = info
        .columns
        .iter()
        .take(info.key_count)
        .map(|c| c.attno)
        .collect();
    cx.ddl(|ddl| {
        if wanted != &*index.name {
            ddl.rename_relation(index.oid, wanted)?;
        }
        let kind = if primary { b'p' } else { b'u' };
        let mut new =
            catalog::ddl::constraint::NewConstraint::new(kind, wanted, desc.namespace, desc.oid, attnos);
        new.index = index.oid;
        let made = ddl.add_constraint(&new)?;
        ddl.delete_dependencies(
            ObjectAddress::new(oids::PG_CLASS, index.oid),
            Some(oids::PG_CLASS),
        )?;
        ddl.attach_index_to_constraint(index.oid, made)?;
        ddl.alter_index(
            index.oid,
            &[(catalog::columns::pg_index::INDISPRIMARY, Datum::Bool(primary))],
        )
    })
}

/// Every row must satisfy the condition.
pub(crate) fn validate_check(
    desc: &Arc<RelationDesc>,
    name: Option<&str>,
    expr: &nodes::Expr,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let view = cx.view()?;
    let known = executor::with_table_oid(&over_stored_row(expr, desc), desc.oid);
    let mut program = crate::eval::RowExpr::compile(&known, &*view)?;
    let shown = match name {
        Some(name) => name.to_owned(),
        None => generated_check_name(desc, expr, cx)?,
    };
    each_row(desc, desc.columns.len(), cx, &mut |row, _| {
        if program.test(cx, row)? != Some(false) {
            return Ok(());
        }
        Err(pg_err!(
            CHECK_VIOLATION,
            "check constraint \"{shown}\" of relation \"{}\" is violated by some row",
            desc.name
        )
        .table(&*desc.namespace_name, &*desc.name)
        .constraint(shown.as_str()))
    })
}

fn generated_check_name(
    desc: &RelationDesc,
    expr: &nodes::Expr,
    cx: &CommandContext<'_>,
) -> PgResult<String> {
    let single = constraints::only_column(expr, desc);
    let parts = catalog::ddl::constraint::NameParts {
        first: &desc.name,
        second: single.as_deref(),
        label: "check",
        is_relation: false,
    };
    cx.ddl(|ddl| ddl.choose_constraint_name(parts, desc.oid, desc.namespace))
}

/// Rows of a table; partitioned tables have none.
pub(crate) fn each_row(
    desc: &Arc<RelationDesc>,
    columns: usize,
    cx: &CommandContext<'_>,
    visit: &mut dyn FnMut(&[Datum], common::RowId) -> PgResult<()>,
) -> PgResult<()> {
    if desc.relkind == b'p' {
        return Ok(());
    }
    let opened = cx.relations.table(desc)?;
    for_each_row(&opened, columns, cx, visit)
}

/// OWNER TO.
pub(crate) fn change_owner(
    desc: &RelationDesc,
    role: &parser::ast::RoleSpec,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let owner = cx.role(role)?;
    if owner == desc.owner {
        return Ok(());
    }
    let roles = cx.roles()?;
    if !roles.is_superuser(cx.user) && !roles.is_member_of(cx.user, owner) {
        return Err(pg_err!(
            INSUFFICIENT_PRIVILEGE,
            "must be able to SET ROLE \"{}\"",
            cx.role_name(owner)?
        ));
    }
    cx.ddl(|ddl| ddl.set_relation_owner(desc.oid, owner))
}
