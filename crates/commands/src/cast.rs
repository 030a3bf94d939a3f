//! CREATE CAST, and casts by their types.
//!
//! PG: src/backend/commands/functioncmds.c (`CreateCast`).

use analyzer::definition::is_binary_coercible;
use catalog::CatalogView;
use catalog::ddl::ObjectAddress;
use catalog::desc::{FunctionDesc, TypeDesc};
use catalog::oids;
use catalog::view::CastDesc;
use common::error::Severity;
use common::{Oid, PgError, PgResult, pg_err, sqlstate};
use parser::ast::{CoercionContext, CreateCastStmt, Ident, ObjectType, TypeName};
use types::oids as t;

use crate::alter_type::without_position;
use crate::context::{CommandContext, CommandOutcome};
use crate::routine::find::{Found, find};

fn bad(message: impl Into<String>) -> Box<PgError> {
    PgError::new(sqlstate::INVALID_OBJECT_DEFINITION, message.into())
}

fn type_of(
    name: &TypeName,
    view: &dyn CatalogView,
    cx: &CommandContext<'_>,
) -> PgResult<std::sync::Arc<TypeDesc>> {
    let found = analyzer::utility::resolve_type_name(name, &cx.analysis(view)).map_err(without_position)?;
    match view.type_desc(found.oid)? {
        Some(desc) => Ok(desc),
        None => Err(common::internal!("cache lookup failed for type {}", found.oid)),
    }
}

/// CREATE CAST.
pub(crate) fn create_cast(stmt: &CreateCastStmt, cx: &CommandContext<'_>) -> PgResult<CommandOutcome> {
    let view = cx.view()?;
    let source = type_of(&stmt.source_type, &*view, cx)?;
    let target = type_of(&stmt.target_type, &*view, cx)?;
    for (desc, name, which) in [
        (&source, &stmt.source_type, "source"),
        (&target, &stmt.target_type, "target"),
    ] {
        if desc.kind == b'p' {
            let written: Vec<&str> = name.names.iter().map(Ident::as_str).collect();
            return Err(pg_err!(
                WRONG_OBJECT_TYPE,
                "{which} data type {} is a pseudo-type",
                written.join(".")
            ));
        }
    }
    check_owner(&source, &target, &*view, cx)?;
    cx.check_type_usage(source.oid)?;
    cx.check_type_usage(target.oid)?;
    let domain = [(&source, "source"), (&target, "target")];
    if let Some((_, which)) = domain.into_iter().find(|(d, _)| d.kind == b'd') {
        cx.notice(PgError::notice(
            Severity::Warning,
            sqlstate::WRONG_OBJECT_TYPE,
            format!("cast will be ignored because the {which} data type is a domain"),
        ));
    }
    let (method, function) = match &stmt.func {
        Some(signature) => match find(signature, ObjectType::Function, cx)? {
            Found::Routine(f) => (b'f', Some(f)),
            Found::Missing(e, _) => return Err(e),
        },
        None if stmt.inout => (b'i', None),
        None => (b'b', None),
    };
    if let Some(f) = &function {
        check_function(f, &source, &target, &*view, cx)?;
    }
    if method == b'b' {
        check_binary(&source, &target, cx)?;
    }
    if source.oid == target.oid && function.as_ref().is_none_or(|f| f.arg_types.len() < 2) {
        return Err(bad("source data type and target data type are the same"));
    }
    let new = CastDesc {
        source: source.oid,
        target: target.oid,
        function: function.map_or(Oid::INVALID, |f| f.oid),
        context: match stmt.context {
            CoercionContext::Implicit => b'i',
            CoercionContext::Assignment => b'a',
            CoercionContext::Explicit => b'e',
        },
        method,
    };
    cx.ddl(|ddl| ddl.create_cast(&new))?;
    Ok(CommandOutcome::tag("CREATE CAST"))
}

/// `must be owner of type a or type b`.
fn check_owner(
    source: &TypeDesc,
    target: &TypeDesc,
    view: &dyn CatalogView,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let roles = cx.roles()?;
    if roles.owns(cx.user, source.owner) || roles.owns(cx.user, target.owner) {
        return Ok(());
    }
    Err(pg_err!(
        INSUFFICIENT_PRIVILEGE,
        "must be owner of type {} or type {}",
        catalog::format_type::format_type(view, source.oid, -1)?,
        catalog::format_type::format_type(view, target.oid, -1)?
    ))
}

fn check_function(
    f: &FunctionDesc,
    source: &TypeDesc,
    target: &TypeDesc,
    view: &dyn CatalogView,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let analysis = cx.analysis(view);
    let args = &f.arg_types;
    let [first, rest @ ..] = &args[..] else {
        return Err(bad("cast function must take one to three arguments"));
    };
    if rest.len() > 2 {
        return Err(bad("cast function must take one to three arguments"));
    }
    if !is_binary_coercible(source.oid, *first, &analysis)? {
        return Err(bad(
            "argument of cast function must match or be binary-coercible from source data type",
        ));
    }
    if rest.first().is_some_and(|a| *a != t::INT4) {
        return Err(bad("second argument of cast function must be type integer"));
    }
    if rest.get(1).is_some_and(|a| *a != t::BOOL) {
        return Err(bad("third argument of cast function must be type boolean"));
    }
    if !is_binary_coercible(f.result, target.oid, &analysis)? {
        return Err(bad(
            "return data type of cast function must match or be binary-coercible to target data type",
        ));
    }
    if f.kind != b'f' {
        return Err(bad("cast function must be a normal function"));
    }
    if f.returns_set {
        return Err(bad("cast function must not return a set"));
    }
    Ok(())
}

/// Types whose values are the same bytes.
fn check_binary(source: &TypeDesc, target: &TypeDesc, cx: &CommandContext<'_>) -> PgResult<()> {
    if !cx.roles()?.is_superuser(cx.user) {
        return Err(pg_err!(
            INSUFFICIENT_PRIVILEGE,
            "must be superuser to create a cast WITHOUT FUNCTION"
        ));
    }
    let shape = |d: &TypeDesc| (d.len, d.by_val, d.align);
    if shape(source) != shape(target) {
        return Err(bad("source and target data types are not physically compatible"));
    }
    let either = |test: &dyn Fn(&TypeDesc) -> bool| test(source) || test(target);
    // Their values name types of their own.
    let refused: [(bool, &str); 4] = [
        (either(&|d| d.kind == b'c'), "composite data types are not"),
        (either(&|d| d.is_array), "array data types are not"),
        (
            either(&|d| matches!(d.kind, b'r' | b'm')),
            "range data types are not",
        ),
        (either(&|d| d.kind == b'e'), "enum data types are not"),
    ];
    if let Some((_, what)) = refused.iter().find(|(hit, _)| *hit) {
        return Err(bad(format!("{what} binary-compatible")));
    }
    if either(&|d| d.kind == b'd') {
        return Err(bad("domain data types must not be marked binary-compatible"));
    }
    Ok(())
}

/// A cast by its types; the inner error is for a cast or type that is not there.
pub(crate) fn find_cast(
    source: &TypeName,
    target: &TypeName,
    cx: &CommandContext<'_>,
) -> PgResult<Result<ObjectAddress, Box<PgError>>> {
    let view = cx.view()?;
    let mut found = Vec::new();
    for name in [source, target] {
        match type_of(name, &*view, cx) {
            Ok(desc) => found.push(desc),
            Err(e)
                if matches!(
                    e.sqlstate,
                    sqlstate::UNDEFINED_OBJECT | sqlstate::UNDEFINED_SCHEMA
                ) =>
            {
                return Ok(Err(e));
            }
            Err(e) => return Err(e),
        }
    }
    let [source, target] = &found[..] else {
        return Err(common::internal!("cast without its types"));
    };
    let Some(cast) = cx.ddl(|ddl| ddl.cast_oid(source.oid, target.oid))? else {
        return Ok(Err(pg_err!(
            UNDEFINED_OBJECT,
            "cast from type {} to type {} does not exist",
            catalog::format_type::format_type(&*view, source.oid, -1)?,
            catalog::format_type::format_type(&*view, target.oid, -1)?
        )));
    };
    check_owner(source, target, &*view, cx)?;
    Ok(Ok(ObjectAddress::new(oids::PG_CAST, cast)))
}
