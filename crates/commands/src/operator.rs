//! CREATE and ALTER OPERATOR, and operators by signature.
//!
//! PG: src/backend/commands/operatorcmds.c.

use std::sync::Arc;

use analyzer::definition::{exact_function, exact_operator, named_operator};
use catalog::columns::pg_operator;
use catalog::ddl::operator::{NewOperator, OperatorClaims, OperatorLink, own_negator};
use catalog::desc::OperatorDesc;
use catalog::oids;
use catalog::privileges::{Guarded, ObjectKind, Privilege};
use common::error::{ErrorExt, Severity};
use common::{Oid, PgError, PgResult, pg_err, sqlstate};
use parser::ast::{AlterOperatorStmt, DefElem, DefineStmt, Ident, ObjectWithArgs, TypeName};
use types::{Datum, oids as t};

use crate::context::{CommandContext, CommandOutcome};
use crate::create_type::creation_place;
use crate::options;

const INTERNAL: Oid = Oid(2281);

/// The definition as written.
#[derive(Default)]
struct Options {
    function: Option<Vec<Ident>>,
    left: Option<TypeName>,
    right: Option<TypeName>,
    commutator: Option<Vec<Ident>>,
    negator: Option<Vec<Ident>>,
    restrict: Option<Vec<Ident>>,
    join: Option<Vec<Ident>>,
    hashes: bool,
    merges: bool,
}

fn bad(message: &str) -> Box<PgError> {
    PgError::new(sqlstate::INVALID_FUNCTION_DEFINITION, message)
}

fn operand(option: &DefElem) -> PgResult<Option<TypeName>> {
    let name = options::type_name(option)?;
    if name.setof {
        return Err(bad("SETOF type not allowed for operator argument"));
    }
    Ok(Some(name))
}

impl Options {
    fn read(definition: &[DefElem], cx: &CommandContext<'_>) -> PgResult<Options> {
        let mut o = Options::default();
        for option in definition {
            match &*option.name {
                "leftarg" => o.left = operand(option)?,
                "rightarg" => o.right = operand(option)?,
                "function" | "procedure" => o.function = Some(options::names(option)?),
                "commutator" => o.commutator = Some(options::names(option)?),
                "negator" => o.negator = Some(options::names(option)?),
                "restrict" => o.restrict = Some(options::names(option)?),
                "join" => o.join = Some(options::names(option)?),
                "hashes" => o.hashes = options::boolean(option)?,
                "merges" => o.merges = options::boolean(option)?,
                // From times when merge joins named their operators.
                "sort1" | "sort2" | "ltcmp" | "gtcmp" => o.merges = true,
                other => cx.notice(PgError::notice(
                    Severity::Warning,
                    sqlstate::SYNTAX_ERROR,
                    format!("operator attribute \"{other}\" not recognized"),
                )),
            }
        }
        Ok(o)
    }
}

/// CREATE OPERATOR.
pub(crate) fn create_operator(stmt: &DefineStmt, cx: &CommandContext<'_>) -> PgResult<CommandOutcome> {
    let (namespace, name) = creation_place(&stmt.defnames, cx)?;
    let o = Options::read(&stmt.definition, cx)?;
    let Some(function) = &o.function else {
        return Err(bad("operator function must be specified"));
    };
    let left = operand_type(o.left.as_ref(), cx)?;
    let right = operand_type(o.right.as_ref(), cx)?;
    match (left.is_valid(), right.is_valid()) {
        (false, false) => return Err(bad("operator argument types must be specified")),
        (true, false) => {
            return Err(bad("operator right argument type must be specified")
                .detail("Postfix operators are not supported."));
        }
        _ => {}
    }
    let operands: Vec<Oid> = [left, right].into_iter().filter(|o| o.is_valid()).collect();
    for type_oid in &operands {
        cx.check_type_usage(*type_oid)?;
    }
    let view = cx.view()?;
    let found = exact_function(function, &operands, &cx.analysis(&*view))?;
    let guarded = Guarded {
        kind: ObjectKind::Function,
        owner: found.owner,
        acl: found.acl.as_deref(),
    };
    cx.roles()?
        .check(cx.user, guarded, Privilege::Execute, &found.name)?;
    cx.check_type_usage(found.result)?;
    let new = NewOperator {
        name,
        namespace,
        left,
        right,
        result: found.result,
        function: found.oid,
        restrict: restriction_estimator(o.restrict.as_deref(), cx)?,
        join: join_estimator(o.join.as_deref(), cx)?,
        can_merge: o.merges,
        can_hash: o.hashes,
        commutator: other_place(o.commutator.as_deref(), (right, left), cx)?,
        negator: other_place(o.negator.as_deref(), (left, right), cx)?,
    };
    cx.ddl(|ddl| ddl.create_operator(&new))?;
    Ok(CommandOutcome::tag("CREATE OPERATOR"))
}

fn operand_type(name: Option<&TypeName>, cx: &CommandContext<'_>) -> PgResult<Oid> {
    let Some(name) = name else { return Ok(Oid::INVALID) };
    let view = cx.view()?;
    let analysis = cx.analysis(&*view);
    let found = analyzer::utility::resolve_type_name(name, &analysis);
    cx.take_notices(analysis);
    Ok(found.map_err(crate::alter_type::without_position)?.oid)
}

/// Schema and name of a commutator or negator: of the operator that is there, or of the shell to make.
fn other_place(
    names: Option<&[Ident]>,
    (left, right): (Oid, Oid),
    cx: &CommandContext<'_>,
) -> PgResult<Option<(Oid, String)>> {
    let Some(names) = names else { return Ok(None) };
    let view = cx.view()?;
    if let Some(found) = exact_operator(names, left, right, &cx.analysis(&*view))? {
        return Ok(Some((found.namespace, found.name.to_string())));
    }
    creation_place(names, cx).map(Some)
}

fn estimator(names: &[Ident], inputs: &[Oid], word: &str, cx: &CommandContext<'_>) -> PgResult<Oid> {
    let view = cx.view()?;
    let found = exact_function(names, inputs, &cx.analysis(&*view))?;
    if found.result != t::FLOAT8 {
        let shown: Vec<&str> = names.iter().map(Ident::as_str).collect();
        return Err(pg_err!(
            INVALID_OBJECT_DEFINITION,
            "{word} estimator function {} must return type {}",
            shown.join("."),
            "float8"
        ));
    }
    if found.oid >= Oid::FIRST_NORMAL && !cx.roles()?.is_superuser(cx.user) {
        return Err(pg_err!(
            INSUFFICIENT_PRIVILEGE,
            "must be superuser to specify a non-built-in {word} estimator function"
        ));
    }
    Ok(found.oid)
}

fn restriction_estimator(names: Option<&[Ident]>, cx: &CommandContext<'_>) -> PgResult<Oid> {
    match names {
        None => Ok(Oid::INVALID),
        Some(names) => estimator(names, &[INTERNAL, t::OID, INTERNAL, t::INT4], "restriction", cx),
    }
}

/// Join estimators take five arguments, older ones four.
fn join_estimator(names: Option<&[Ident]>, cx: &CommandContext<'_>) -> PgResult<Oid> {
    const INPUTS: [Oid; 5] = [INTERNAL, t::OID, INTERNAL, t::INT2, INTERNAL];
    let Some(names) = names else {
        return Ok(Oid::INVALID);
    };
    let view = cx.view()?;
    if exact_function(names, &INPUTS, &cx.analysis(&*view)).is_err()
        && exact_function(names, &INPUTS[..4], &cx.analysis(&*view)).is_ok()
    {
        return estimator(names, &INPUTS[..4], "join", cx);
    }
    estimator(names, &INPUTS, "join", cx)
}

/// The operand types of a signature; `None`: IF EXISTS found that a type is missing.
fn operands(object: &ObjectWithArgs, cx: &CommandContext<'_>) -> PgResult<(Oid, Oid)> {
    let at = |k: usize| operand_type(object.args.get(k).and_then(Option::as_ref), cx);
    Ok((at(0)?, at(1)?))
}

/// The operator that DROP, ALTER and COMMENT name.
pub(crate) fn find(object: &ObjectWithArgs, cx: &CommandContext<'_>) -> PgResult<Arc<OperatorDesc>> {
    let (left, right) = operands(object, cx)?;
    let view = cx.view()?;
    let found = named_operator(&object.name, left, right, object.span, &cx.analysis(&*view));
    found.map_err(crate::alter_type::without_position)
}

/// The same, which must belong to the user.
pub(crate) fn owned(object: &ObjectWithArgs, cx: &CommandContext<'_>) -> PgResult<Arc<OperatorDesc>> {
    let found = find(object, cx)?;
    cx.ddl(|ddl| ddl.check_operator_owner(found.oid, &found.name))?;
    Ok(found)
}

/// What ALTER OPERATOR ... SET changes.
#[derive(Default)]
struct Changes {
    /// Outer `None`: unchanged; inner: NONE.
    restrict: Option<Option<Vec<Ident>>>,
    join: Option<Option<Vec<Ident>>>,
    commutator: Option<Vec<Ident>>,
    negator: Option<Vec<Ident>>,
    merges: Option<bool>,
    hashes: Option<bool>,
}

impl Changes {
    fn read(stmt: &AlterOperatorStmt) -> PgResult<Changes> {
        let mut c = Changes::default();
        for option in &stmt.options {
            let names = || option.arg.as_ref().map(|_| options::names(option)).transpose();
            match &*option.name {
                "restrict" => c.restrict = Some(names()?),
                "join" => c.join = Some(names()?),
                "commutator" => c.commutator = names()?,
                "negator" => c.negator = names()?,
                "merges" => c.merges = Some(options::boolean(option)?),
                "hashes" => c.hashes = Some(options::boolean(option)?),
                name @ ("leftarg" | "rightarg" | "function" | "procedure") => {
                    return Err(pg_err!(
                        SYNTAX_ERROR,
                        "operator attribute \"{name}\" cannot be changed"
                    ));
                }
                other => {
                    return Err(pg_err!(
                        SYNTAX_ERROR,
                        "operator attribute \"{other}\" not recognized"
                    ));
                }
            }
        }
        Ok(c)
    }
}

fn already_set(attribute: &str) -> Box<PgError> {
    pg_err!(
        SYNTAX_ERROR,
        "operator attribute \"{attribute}\" cannot be changed if it has already been set"
    )
}

/// MERGES and HASHES can be set, not taken back.
fn flag_changes(c: &Changes, op: &OperatorDesc) -> PgResult<Vec<(usize, Datum)>> {
    let mut changes = Vec::new();
    let flags = [
        ("merges", pg_operator::OPRCANMERGE, c.merges, op.can_merge),
        ("hashes", pg_operator::OPRCANHASH, c.hashes, op.can_hash),
    ];
    for (name, at, wanted, is) in flags {
        match wanted {
            Some(false) if is => return Err(already_set(name)),
            Some(wanted) => changes.push((at, Datum::Bool(wanted))),
            None => {}
        }
    }
    Ok(changes)
}

/// ALTER OPERATOR ... SET.
pub(crate) fn alter_operator(stmt: &AlterOperatorStmt, cx: &CommandContext<'_>) -> PgResult<CommandOutcome> {
    let op = find(&stmt.opername, cx)?;
    let c = Changes::read(stmt)?;
    cx.ddl(|ddl| ddl.check_operator_owner(op.oid, &op.name))?;
    let restrict = match &c.restrict {
        Some(names) => Some(restriction_estimator(names.as_deref(), cx)?),
        None => None,
    };
    let join = match &c.join {
        Some(names) => Some(join_estimator(names.as_deref(), cx)?),
        None => None,
    };
    let commutator = other_place(c.commutator.as_deref(), (op.right, op.left), cx)?;
    let negator = other_place(c.negator.as_deref(), (op.left, op.right), cx)?;
    let claims = OperatorClaims {
        commutator: commutator.is_some(),
        negator: negator.is_some(),
        restrict: restrict.is_some_and(Oid::is_valid),
        join: join.is_some_and(Oid::is_valid),
        merges: c.merges == Some(true),
        hashes: c.hashes == Some(true),
    };
    claims.check(op.left, op.right, op.result)?;
    let mut changes = flag_changes(&c, &op)?;
    let estimators = [(pg_operator::OPRREST, restrict), (pg_operator::OPRJOIN, join)];
    changes.extend(
        estimators
            .into_iter()
            .filter_map(|(at, f)| Some((at, Datum::Oid(f?.0)))),
    );
    cx.ddl(|ddl| {
        let links = [
            (OperatorLink::Commutator, commutator.clone(), op.commutator),
            (OperatorLink::Negator, negator.clone(), op.negator),
        ];
        let mut found = Vec::new();
        for (link, place, is) in links {
            let Some(place) = place else { continue };
            let other = ddl.operator_to_link(&op, place, link)?;
            let (name, at) = match link {
                OperatorLink::Commutator => ("commutator", pg_operator::OPRCOM),
                OperatorLink::Negator => ("negator", pg_operator::OPRNEGATE),
            };
            if link == OperatorLink::Negator && other == op.oid {
                return Err(own_negator());
            }
            if is.is_valid() && is != other {
                return Err(already_set(name));
            }
            changes.push((at, Datum::Oid(other.0)));
            found.push((link, other));
        }
        ddl.alter_operator(op.oid, &changes)?;
        ddl.record_operator_dependencies(op.oid)?;
        for (link, other) in found {
            ddl.link_operators(op.oid, link, other)?;
        }
        Ok(())
    })?;
    Ok(CommandOutcome::tag("ALTER OPERATOR"))
}

/// ALTER OPERATOR ... OWNER TO.
pub(crate) fn set_owner(object: &ObjectWithArgs, owner: Oid, cx: &CommandContext<'_>) -> PgResult<()> {
    let op = owned(object, cx)?;
    cx.check_new_owner(owner, Some(op.namespace))?;
    cx.ddl(|ddl| ddl.alter_operator(op.oid, &[(pg_operator::OPROWNER, Datum::Oid(owner.0))]))
}

/// ALTER OPERATOR ... SET SCHEMA.
pub(crate) fn set_schema(object: &ObjectWithArgs, namespace: Oid, cx: &CommandContext<'_>) -> PgResult<()> {
    let op = owned(object, cx)?;
    cx.check_create_in(namespace)?;
    cx.ddl(|ddl| {
        ddl.check_operator_free(namespace, &op)?;
        ddl.alter_operator(op.oid, &[(pg_operator::OPRNAMESPACE, Datum::Oid(namespace.0))])?;
        ddl.record_operator_dependencies(op.oid)
    })
}

/// Where it is in the catalogs.
pub(crate) fn address(op: &OperatorDesc) -> catalog::ddl::ObjectAddress {
    catalog::ddl::ObjectAddress::new(oids::PG_OPERATOR, op.oid)
}
