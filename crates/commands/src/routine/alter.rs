//! ALTER FUNCTION and PROCEDURE: attributes, name, schema, owner.
//!
//! PG: src/backend/commands/functioncmds.c (`AlterFunction`), alter.c.

use catalog::columns::pg_proc;
use catalog::ddl::depend::DependencyType;
use catalog::ddl::routine::config_array;
use catalog::ddl::{Ddl, ObjectAddress};
use catalog::desc::FunctionDesc;
use catalog::oids;
use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err, unsupported};
use parser::ast::{AlterFunctionStmt, DefArg, ObjectType, ObjectWithArgs};
use types::Datum;

use crate::context::{CommandContext, CommandOutcome};
use crate::options;
use crate::routine::attributes::{apply_config, parallel, positive, refuse_for_procedure, volatility};
use crate::routine::find::owned;

/// ALTER FUNCTION ... attributes.
pub(crate) fn alter_function(
    stmt: &AlterFunctionStmt,
    cx: &mut CommandContext<'_>,
) -> PgResult<CommandOutcome> {
    let f = owned(&stmt.func, stmt.objtype, cx)?;
    if f.kind == b'a' {
        return Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "\"{}\" is an aggregate function",
            f.name
        ));
    }
    let mut changes: Vec<(usize, Datum)> = Vec::new();
    let mut config: Vec<String> = f.config.iter().map(|c| c.to_string()).collect();
    let mut seen: Vec<&str> = Vec::new();
    for option in &stmt.actions {
        let name = &*option.name;
        if name != "set" && seen.contains(&name) {
            return Err(pg_err!(SYNTAX_ERROR, "conflicting or redundant options").at(option.span));
        }
        seen.push(name);
        if f.kind == b'p' {
            refuse_for_procedure(option)?;
        }
        changes.push(match (name, &option.arg) {
            ("strict", _) => (pg_proc::PROISSTRICT, Datum::Bool(options::boolean(option)?)),
            ("volatility", _) => (pg_proc::PROVOLATILE, Datum::Char(volatility(option)?)),
            ("security", _) => (pg_proc::PROSECDEF, Datum::Bool(options::boolean(option)?)),
            ("parallel", _) => (pg_proc::PROPARALLEL, Datum::Char(parallel(option)?)),
            ("cost", _) => (pg_proc::PROCOST, Datum::Float4(positive(option, "COST")?)),
            ("leakproof", _) => {
                let leakproof = options::boolean(option)?;
                if leakproof && !cx.roles()?.is_superuser(cx.user) {
                    return Err(pg_err!(
                        INSUFFICIENT_PRIVILEGE,
                        "only superuser can define a leakproof function"
                    ));
                }
                (pg_proc::PROLEAKPROOF, Datum::Bool(leakproof))
            }
            ("rows", _) => {
                let rows = positive(option, "ROWS")?;
                if !f.returns_set {
                    return Err(pg_err!(
                        INVALID_PARAMETER_VALUE,
                        "ROWS is not applicable when function does not return a set"
                    ));
                }
                (pg_proc::PROROWS, Datum::Float4(rows))
            }
            ("set", Some(DefArg::VariableSet(set))) => {
                apply_config(&mut config, set, cx)?;
                (pg_proc::PROCONFIG, config_array(&config))
            }
            _ => return Err(unsupported!("this option of ALTER FUNCTION is not supported").at(option.span)),
        });
    }
    cx.ddl(|ddl| ddl.alter_routine(f.oid, &changes))?;
    Ok(CommandOutcome::tag(match stmt.objtype {
        ObjectType::Procedure => "ALTER PROCEDURE",
        ObjectType::Routine => "ALTER ROUTINE",
        _ => "ALTER FUNCTION",
    }))
}

/// The name must be free for these arguments.
fn check_free(f: &FunctionDesc, namespace: Oid, name: &str, ddl: &Ddl<'_>) -> PgResult<()> {
    use catalog::CatalogView;
    let view = ddl.view();
    let schema = view.namespace_name(namespace)?.unwrap_or_default();
    let taken = view
        .functions_by_name(Some(&schema), name)?
        .iter()
        .any(|other| other.arg_types == f.arg_types);
    if taken {
        let args: PgResult<Vec<String>> = f
            .arg_types
            .iter()
            .map(|t| catalog::format_type::format_type(&view, *t, -1))
            .collect();
        return Err(pg_err!(
            DUPLICATE_FUNCTION,
            "function {name}({}) already exists in schema \"{schema}\"",
            args?.join(", ")
        ));
    }
    Ok(())
}

/// ALTER FUNCTION ... RENAME TO.
pub(crate) fn rename(
    object: &ObjectWithArgs,
    kind: ObjectType,
    new: &str,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let f = owned(object, kind, cx)?;
    cx.ddl(|ddl| {
        check_free(&f, f.namespace, new, ddl)?;
        ddl.alter_routine(f.oid, &[(pg_proc::PRONAME, Datum::text(new))])
    })
}

/// ALTER FUNCTION ... SET SCHEMA.
pub(crate) fn set_schema(
    object: &ObjectWithArgs,
    kind: ObjectType,
    namespace: Oid,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let f = owned(object, kind, cx)?;
    if f.namespace == namespace {
        return Ok(());
    }
    cx.ddl(|ddl| {
        check_free(&f, namespace, &f.name, ddl)?;
        ddl.alter_routine(f.oid, &[(pg_proc::PRONAMESPACE, Datum::Oid(namespace.0))])?;
        let routine = ObjectAddress::new(oids::PG_PROC, f.oid);
        ddl.delete_dependencies(routine, Some(oids::PG_NAMESPACE))?;
        let schema = ObjectAddress::new(oids::PG_NAMESPACE, namespace);
        ddl.record_dependency(routine, schema, DependencyType::Normal)
    })
}

/// ALTER FUNCTION ... OWNER TO.
pub(crate) fn set_owner(
    object: &ObjectWithArgs,
    kind: ObjectType,
    owner: Oid,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let f = owned(object, kind, cx)?;
    cx.ddl(|ddl| ddl.alter_routine(f.oid, &[(pg_proc::PROOWNER, Datum::Oid(owner.0))]))
}
