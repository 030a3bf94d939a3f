//! Routines by signature, as DROP, ALTER, COMMENT and GRANT name them.
//!
//! PG: src/backend/parser/parse_func.c (`LookupFuncWithArgs`).

use std::sync::Arc;

use catalog::desc::FunctionDesc;
use catalog::privileges::{ObjectKind, must_be_owner};
use catalog::{CatalogView, oids};
use common::error::ErrorExt;
use common::{Oid, PgError, PgResult, pg_err, sqlstate};
use parser::ast::{FunctionParameterMode, Ident, ObjectType, ObjectWithArgs, TypeName};

use crate::context::CommandContext;

/// What a signature came to.
pub(crate) enum Found {
    Routine(Arc<FunctionDesc>),
    /// What IF EXISTS says, without `, skipping`.
    Missing(Box<PgError>, String),
}

fn word(kind: ObjectType) -> &'static str {
    match kind {
        ObjectType::Procedure => "procedure",
        ObjectType::Aggregate => "aggregate",
        ObjectType::Routine => "routine",
        _ => "function",
    }
}

fn joined(names: &[Ident]) -> String {
    names.iter().map(Ident::as_str).collect::<Vec<_>>().join(".")
}

/// A type as written.
pub(crate) fn written(name: &TypeName) -> String {
    format!("{}{}", joined(&name.names), "[]".repeat(name.array_bounds.len()))
}

fn matches_kind(f: &FunctionDesc, kind: ObjectType) -> bool {
    match kind {
        ObjectType::Procedure => f.kind == b'p',
        ObjectType::Routine => true,
        _ => f.kind != b'p',
    }
}

/// Looks a routine up.
pub(crate) fn find(object: &ObjectWithArgs, kind: ObjectType, cx: &CommandContext<'_>) -> PgResult<Found> {
    let view = cx.view()?;
    let (schema, name) = match &object.name[..] {
        [name] => (None, name.as_str()),
        [schema, name] | [_, schema, name] => (Some(schema.as_str()), name.as_str()),
        _ => {
            return Err(pg_err!(
                SYNTAX_ERROR,
                "improper qualified name (too many dotted names): {}",
                joined(&object.name)
            ));
        }
    };
    if let Some(schema) = schema
        && view.namespace_by_name(schema)?.is_none()
    {
        let message = format!("schema \"{schema}\" does not exist");
        let e = PgError::new(sqlstate::UNDEFINED_SCHEMA, message.clone());
        return Ok(Found::Missing(e, message));
    }
    let candidates = view.functions_by_name(schema, name)?;
    let skipped = {
        let args: Vec<String> = object.args.iter().flatten().map(written).collect();
        format!(
            "{} {}({}) does not exist",
            word(kind),
            joined(&object.name),
            args.join(",")
        )
    };
    if object.args_unspecified {
        return by_name(object, kind, &candidates, skipped);
    }
    let types = match argument_types(object.args.iter().flatten(), cx)? {
        Ok(types) => types,
        Err(missing) => {
            let message = missing.message.clone();
            return Ok(Found::Missing(missing, message));
        }
    };
    let mut found = candidates.iter().find(|f| f.arg_types == types).cloned();
    if matches!(kind, ObjectType::Procedure | ObjectType::Routine) && !object.func_args.is_empty() {
        found = with_outputs(object, kind, &candidates, found, cx)?;
    }
    let shown = signature(object, &types, &*view)?;
    let Some(found) = found else {
        let star = kind == ObjectType::Aggregate && types.is_empty();
        let what = match kind {
            ObjectType::Procedure => "procedure",
            ObjectType::Aggregate => "aggregate",
            _ => "function",
        };
        let shown = if star {
            format!("{}(*)", joined(&object.name))
        } else {
            shown
        };
        let e = pg_err!(UNDEFINED_FUNCTION, "{what} {shown} does not exist");
        return Ok(Found::Missing(e, skipped));
    };
    let wrong = match kind {
        ObjectType::Function if found.kind == b'p' => format!("{shown} is not a function"),
        ObjectType::Procedure if found.kind != b'p' => format!("{shown} is not a procedure"),
        ObjectType::Aggregate if found.kind != b'a' => format!("function {shown} is not an aggregate"),
        _ => return Ok(Found::Routine(found)),
    };
    Err(PgError::new(sqlstate::WRONG_OBJECT_TYPE, wrong))
}

fn signature(object: &ObjectWithArgs, types: &[Oid], view: &dyn CatalogView) -> PgResult<String> {
    let mut names = Vec::with_capacity(types.len());
    for type_oid in types {
        names.push(catalog::format_type::format_type(view, *type_oid, -1)?);
    }
    Ok(format!("{}({})", joined(&object.name), names.join(", ")))
}

/// A procedure may be named with its OUT parameters.
fn with_outputs(
    object: &ObjectWithArgs,
    kind: ObjectType,
    candidates: &[Arc<FunctionDesc>],
    found: Option<Arc<FunctionDesc>>,
    cx: &CommandContext<'_>,
) -> PgResult<Option<Arc<FunctionDesc>>> {
    let modes_given = object
        .func_args
        .iter()
        .any(|p| p.mode != FunctionParameterMode::Default);
    let all = object.func_args.iter().map(|p| &p.arg_type);
    if (found.is_none() || !modes_given)
        && let Ok(all) = argument_types(all, cx)?
        && let Some(whole) = candidates
            .iter()
            .find(|f| f.kind == b'p' && f.all_arg_types == all)
    {
        if found.as_ref().is_some_and(|f| f.oid != whole.oid) {
            return Err(pg_err!(
                AMBIGUOUS_FUNCTION,
                "{} name \"{}\" is not unique",
                word(kind),
                joined(&object.name)
            ));
        }
        return Ok(Some(whole.clone()));
    }
    Ok(found)
}

fn by_name(
    object: &ObjectWithArgs,
    kind: ObjectType,
    candidates: &[Arc<FunctionDesc>],
    skipped: String,
) -> PgResult<Found> {
    let mut fitting = candidates.iter().filter(|f| matches_kind(f, kind));
    let name = joined(&object.name);
    match (fitting.next(), fitting.next()) {
        (Some(only), None) => {
            if kind == ObjectType::Aggregate && only.kind != b'a' {
                return Err(pg_err!(WRONG_OBJECT_TYPE, "function {name} is not an aggregate"));
            }
            Ok(Found::Routine(only.clone()))
        }
        (None, _) => {
            let article = match kind {
                ObjectType::Procedure => "a procedure",
                ObjectType::Aggregate => "an aggregate",
                _ => "a function",
            };
            let e = pg_err!(UNDEFINED_FUNCTION, "could not find {article} named \"{name}\"");
            Ok(Found::Missing(e, skipped))
        }
        _ => Err(
            pg_err!(AMBIGUOUS_FUNCTION, "{} name \"{name}\" is not unique", word(kind)).hint(format!(
                "Specify the argument list to select the {} unambiguously.",
                word(kind)
            )),
        ),
    }
}

/// The types, or the error for the first that does not exist.
fn argument_types<'n>(
    names: impl Iterator<Item = &'n TypeName>,
    cx: &CommandContext<'_>,
) -> PgResult<Result<Vec<Oid>, Box<PgError>>> {
    let view = cx.view()?;
    let mut types = Vec::new();
    for name in names {
        let analysis = cx.analysis(&*view);
        match analyzer::utility::resolve_type_name(name, &analysis) {
            Ok(found) => types.push(found.oid),
            Err(e) if e.message.ends_with("is only a shell") => {
                let last = name.names.last().map_or("", |n| n.as_str());
                let shell = view.type_by_name(None, last)?;
                types.push(shell.map_or(Oid::INVALID, |d| d.oid));
            }
            Err(e) if e.sqlstate == sqlstate::UNDEFINED_OBJECT => {
                return Ok(Err(crate::alter_type::without_position(e)));
            }
            Err(e) => return Err(e),
        }
    }
    Ok(Ok(types))
}

/// A routine that must be there and belong to the user.
pub(crate) fn owned(
    object: &ObjectWithArgs,
    kind: ObjectType,
    cx: &CommandContext<'_>,
) -> PgResult<Arc<FunctionDesc>> {
    match find(object, kind, cx)? {
        Found::Routine(f) => {
            check_owner(&f, cx)?;
            if f.oid < Oid::FIRST_NORMAL && !cx.roles()?.is_superuser(cx.user) {
                return Err(must_be_owner(object_kind(&f), &f.name));
            }
            Ok(f)
        }
        Found::Missing(e, _) => Err(e),
    }
}

/// The kind that messages about privileges name.
pub(crate) fn object_kind(f: &FunctionDesc) -> ObjectKind {
    match f.kind {
        b'p' => ObjectKind::Procedure,
        b'a' => ObjectKind::Aggregate,
        _ => ObjectKind::Function,
    }
}

/// `must be owner of function f`.
pub(crate) fn check_owner(f: &FunctionDesc, cx: &CommandContext<'_>) -> PgResult<()> {
    if cx.roles()?.owns(cx.user, f.owner) {
        return Ok(());
    }
    Err(must_be_owner(object_kind(f), &f.name))
}

/// Where it is in the catalogs.
pub(crate) fn address(f: &FunctionDesc) -> catalog::ddl::ObjectAddress {
    catalog::ddl::ObjectAddress::new(oids::PG_PROC, f.oid)
}
