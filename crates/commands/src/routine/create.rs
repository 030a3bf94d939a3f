//! CREATE FUNCTION and CREATE PROCEDURE: attributes, body, and the checks of each language.
//!
//! PG: src/backend/commands/functioncmds.c (`CreateFunction`), catalog/pg_proc.c (`fmgr_sql_validator`).

use analyzer::sql_routine::{RoutineResult, analyze_statement, check_result};
use analyzer::{RoutineParam, RoutineScope};
use catalog::CatalogView;
use catalog::ddl::routine::NewRoutine;
use catalog::oids;
use common::error::ErrorExt;
use common::{Oid, PgError, PgResult, Span, pg_err, unsupported};
use nodes::serial::StoredBody;
use parser::ast::{CreateFunctionStmt, DefArg, DefElem, ObjectType, SqlBody, Statement};
use types::Datum;
use types::oids as t;
use types::settings::TypeRef;

use crate::context::{CommandContext, CommandOutcome};
use crate::create_type::creation_place;
use crate::routine::attributes::{Attributes, apply_config};
use crate::routine::params::{ParameterList, Params, polymorphic_error, result_type};

/// What AS and the SQL body give.
struct Body {
    source: String,
    library: Option<String>,
    stored: Option<StoredBody>,
}

/// CREATE [OR REPLACE] FUNCTION, PROCEDURE.
pub(crate) fn create_function(
    stmt: &CreateFunctionStmt,
    cx: &mut CommandContext<'_>,
) -> PgResult<CommandOutcome> {
    let word = if stmt.is_procedure {
        "PROCEDURE"
    } else {
        "FUNCTION"
    };
    let (namespace, name) = creation_place(&stmt.funcname, cx)?;
    let attributes = Attributes::read(stmt)?;
    let language = language(&attributes, stmt)?;
    if attributes.leakproof && !cx.roles()?.is_superuser(cx.user) {
        return Err(pg_err!(
            INSUFFICIENT_PRIVILEGE,
            "only superuser can define a leakproof function"
        ));
    }
    let list = ParameterList {
        parameters: &stmt.parameters,
        kind: match stmt.is_procedure {
            true => ObjectType::Procedure,
            false => ObjectType::Function,
        },
        language,
    };
    let params = Params::read(list, cx)?;
    let (result, returns_set) = result_of(stmt, &params, language, cx)?;
    let view = cx.view()?;
    let outs = params.all_types.iter().zip(&params.modes);
    let outs = outs
        .filter(|(_, m)| matches!(m, b'o' | b't' | b'b'))
        .map(|(t, _)| *t);
    for type_oid in std::iter::once(result).chain(outs) {
        if let Some(e) = polymorphic_error(type_oid, &params.inputs, &*view)? {
            return Err(e);
        }
    }
    let mut new = new_routine(stmt, &attributes, &params, language, returns_set)?;
    (new.namespace, new.name, new.result) = (namespace, name, result);
    for set in &attributes.config {
        apply_config(&mut new.config, set, cx)?;
    }
    let body = body(stmt, &attributes, &new, &params, cx)?;
    (new.source, new.library, new.body) = (body.source, body.library, body.stored);
    // The body may call the function itself.
    let oid = cx.ddl(|ddl| ddl.create_routine(&new, stmt.replace))?;
    cx.txn.borrow_mut().next_command()?;
    if matches!(language, oids::INTERNAL_LANGUAGE | oids::C_LANGUAGE)
        || cx.guc.borrow().get_bool("check_function_bodies")
    {
        validate(stmt, oid, &new, &params, cx)?;
    }
    Ok(CommandOutcome::tag(format!("CREATE {word}")))
}

/// The routine as attributes and parameters say, without name, result and body.
fn new_routine(
    stmt: &CreateFunctionStmt,
    attributes: &Attributes<'_>,
    params: &Params,
    language: Oid,
    returns_set: bool,
) -> PgResult<NewRoutine> {
    Ok(NewRoutine {
        namespace: Oid::INVALID,
        language,
        kind: match (stmt.is_procedure, attributes.window) {
            (true, _) => b'p',
            (false, true) => b'w',
            (false, false) => b'f',
        },
        strict: attributes.strict,
        returns_set,
        volatility: attributes.volatility,
        parallel: attributes.parallel,
        security_definer: attributes.security_definer,
        leakproof: attributes.leakproof,
        cost: attributes.cost.unwrap_or(match language {
            oids::INTERNAL_LANGUAGE | oids::C_LANGUAGE => 1.0,
            _ => 100.0,
        }),
        rows: match attributes.rows {
            Some(_) if !returns_set => {
                return Err(pg_err!(
                    INVALID_PARAMETER_VALUE,
                    "ROWS is not applicable when function does not return a set"
                ));
            }
            Some(rows) => rows,
            None if returns_set => 1000.0,
            None => 0.0,
        },
        variadic: params.variadic,
        arg_types: params.inputs.clone(),
        all_arg_types: params.all_types.clone(),
        arg_modes: params.modes.clone(),
        arg_names: params.names.clone(),
        defaults: params.defaults.clone(),
        result: Oid::INVALID,
        source: String::new(),
        library: None,
        body: None,
        config: Vec::new(),
        name: String::new(),
    })
}

/// OID of the language; SQL when nothing but an SQL body is given.
fn language(attributes: &Attributes<'_>, stmt: &CreateFunctionStmt) -> PgResult<Oid> {
    let name = match (attributes.language, &stmt.sql_body) {
        (Some(name), _) => name,
        (None, Some(_)) => "sql",
        (None, None) => return Err(pg_err!(INVALID_FUNCTION_DEFINITION, "no language specified")),
    };
    match name {
        "sql" => Ok(oids::SQL_LANGUAGE),
        "internal" => Ok(oids::INTERNAL_LANGUAGE),
        "c" => Ok(oids::C_LANGUAGE),
        "plpgsql" if stmt.sql_body.is_some() => Err(pg_err!(
            INVALID_FUNCTION_DEFINITION,
            "inline SQL function body only valid for language SQL"
        )),
        "plpgsql" => Ok(oids::PLPGSQL_LANGUAGE),
        "plperl" | "plperlu" | "plpython3u" | "pltcl" | "pltclu" => {
            Err(pg_err!(UNDEFINED_OBJECT, "language \"{name}\" does not exist")
                .hint("Use CREATE EXTENSION to load the language into the database."))
        }
        other => Err(pg_err!(UNDEFINED_OBJECT, "language \"{other}\" does not exist")),
    }
}

/// The result type, and whether it is a set.
fn result_of(
    stmt: &CreateFunctionStmt,
    params: &Params,
    language: Oid,
    cx: &CommandContext<'_>,
) -> PgResult<(Oid, bool)> {
    if stmt.is_procedure {
        return Ok((params.required_result.unwrap_or(t::VOID), false));
    }
    match (&stmt.return_type, params.required_result) {
        (Some(name), required) => {
            let found = result_type(name, language, cx)?;
            if let Some(required) = required.filter(|r| *r != found) {
                let view = cx.view()?;
                return Err(pg_err!(
                    INVALID_FUNCTION_DEFINITION,
                    "function result type must be {} because of OUT parameters",
                    catalog::format_type::format_type(&*view, required, -1)?
                ));
            }
            Ok((found, name.setof))
        }
        (None, Some(required)) => Ok((required, false)),
        (None, None) => Err(pg_err!(
            INVALID_FUNCTION_DEFINITION,
            "function result type must be specified"
        )),
    }
}

/// The texts of AS.
fn texts(option: &DefElem) -> Vec<&str> {
    match &option.arg {
        Some(DefArg::List(list)) => list
            .iter()
            .filter_map(|a| match a {
                DefArg::String(s) => Some(s.as_str()),
                _ => None,
            })
            .collect(),
        Some(DefArg::String(s)) => vec![s.as_str()],
        _ => Vec::new(),
    }
}

fn body(
    stmt: &CreateFunctionStmt,
    attributes: &Attributes<'_>,
    new: &NewRoutine,
    params: &Params,
    cx: &CommandContext<'_>,
) -> PgResult<Body> {
    let given = attributes.body.map(texts);
    match (&stmt.sql_body, given) {
        (None, None) => Err(pg_err!(INVALID_FUNCTION_DEFINITION, "no function body specified")),
        (Some(_), Some(_)) => Err(pg_err!(
            INVALID_FUNCTION_DEFINITION,
            "duplicate function body specified"
        )),
        (Some(_), None) if new.language != oids::SQL_LANGUAGE => Err(pg_err!(
            INVALID_FUNCTION_DEFINITION,
            "inline SQL function body only valid for language SQL"
        )),
        (Some(body), None) => Ok(Body {
            source: String::new(),
            library: None,
            stored: Some(stored_body(body, new, params, cx)?),
        }),
        (None, Some(texts)) => {
            let first = texts.first().copied().unwrap_or("");
            let second = texts.get(1).copied();
            if new.language == oids::C_LANGUAGE {
                return Ok(Body {
                    source: second.filter(|s| *s != "-").unwrap_or(&new.name).to_owned(),
                    library: Some(first.to_owned()),
                    stored: None,
                });
            }
            if second.is_some() {
                return Err(pg_err!(
                    INVALID_FUNCTION_DEFINITION,
                    "only one AS item needed for language \"{}\"",
                    attributes.language.unwrap_or("sql")
                ));
            }
            // `AS ''` of an internal function means its own name.
            let own = new.language == oids::INTERNAL_LANGUAGE && first.is_empty();
            Ok(Body {
                source: if own { new.name.clone() } else { first.to_owned() },
                library: None,
                stored: None,
            })
        }
    }
}

fn scope(new: &NewRoutine, params: &Params) -> RoutineScope {
    RoutineScope {
        name: new.name.as_str().into(),
        params: params
            .input_names
            .iter()
            .zip(&new.arg_types)
            .map(|(name, type_oid)| RoutineParam {
                name: name.as_str().into(),
                type_oid: *type_oid,
            })
            .collect(),
    }
}

fn stored_body(
    body: &SqlBody,
    new: &NewRoutine,
    params: &Params,
    cx: &CommandContext<'_>,
) -> PgResult<StoredBody> {
    let view = cx.view()?;
    for type_oid in &new.arg_types {
        if is_polymorphic(*type_oid) {
            return Err(pg_err!(
                INVALID_FUNCTION_DEFINITION,
                "SQL function with unquoted function body cannot have polymorphic arguments"
            ));
        }
    }
    let analysis = || cx.analysis(&*view).with_routine(scope(new, params));
    let mut statements = Vec::new();
    let is_return = matches!(body, SqlBody::Return(_));
    match body {
        SqlBody::Return(r) => {
            let context = analysis();
            statements.push(analyzer::sql_routine::return_query(&r.returnval, &context)?);
            cx.take_notices(context);
        }
        SqlBody::Atomic(list) => {
            for stmt in list {
                if !is_query(stmt) {
                    return Err(unsupported!(
                        "{} is not yet supported in unquoted SQL function body",
                        crate::classify::command_tag(stmt)
                    ));
                }
                let context = analysis();
                statements.push(analyze_statement(stmt, &context)?);
                cx.take_notices(context);
            }
        }
    }
    Ok(StoredBody {
        is_return,
        statements,
    })
}

/// Statements that have a plan, and RETURN.
fn is_query(stmt: &Statement) -> bool {
    match stmt {
        Statement::Select(s) => s.into.is_none(),
        Statement::Insert(_)
        | Statement::Update(_)
        | Statement::Delete(_)
        | Statement::Merge(_)
        | Statement::Return(_) => true,
        _ => false,
    }
}

fn is_polymorphic(type_oid: Oid) -> bool {
    crate::routine::params::POLYMORPHIC.contains(&type_oid)
}

fn validate(
    stmt: &CreateFunctionStmt,
    oid: Oid,
    new: &NewRoutine,
    params: &Params,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    match new.language {
        oids::INTERNAL_LANGUAGE => match functions::framework::registry::internal_function(&new.source) {
            Some(_) => Ok(()),
            None => Err(pg_err!(
                UNDEFINED_FUNCTION,
                "there is no built-in function named \"{}\"",
                new.source
            )),
        },
        oids::C_LANGUAGE => Err(pg_err!(
            UNDEFINED_FILE,
            "could not access file \"{}\": No such file or directory",
            new.library.as_deref().unwrap_or("")
        )),
        oids::PLPGSQL_LANGUAGE => {
            let function = Datum::Oid(oid.0);
            let checked = cx.session.call("plpgsql_validator", &[function]);
            checked
                .map(drop)
                .map_err(|e| at_body(e, stmt, &new.source, cx.source))
        }
        _ => validate_sql(stmt, new, params, cx),
    }
}

fn validate_sql(
    stmt: &CreateFunctionStmt,
    new: &NewRoutine,
    params: &Params,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let view = cx.view()?;
    let is_pseudo =
        |type_oid: Oid| -> PgResult<bool> { Ok(view.type_desc(type_oid)?.is_some_and(|d| d.kind == b'p')) };
    let shown = |type_oid: Oid| catalog::format_type::format_type(&*view, type_oid, -1);
    let returnable = is_polymorphic(new.result) || matches!(new.result, t::RECORD | t::VOID);
    if is_pseudo(new.result)? && !returnable {
        return Err(pg_err!(
            INVALID_FUNCTION_DEFINITION,
            "SQL functions cannot return type {}",
            shown(new.result)?
        ));
    }
    for type_oid in &new.arg_types {
        if is_pseudo(*type_oid)? && !is_polymorphic(*type_oid) && *type_oid != t::RECORD {
            return Err(pg_err!(
                INVALID_FUNCTION_DEFINITION,
                "SQL functions cannot have arguments of type {}",
                shown(*type_oid)?
            ));
        }
    }
    let checked = check_statements(new, params, &*view, cx);
    checked.map_err(|e| at_definition(e, stmt, &new.source, &new.name, cx.source))
}

/// Analyzes the body where types are known, and compares the last statement with the result type.
fn check_statements(
    new: &NewRoutine,
    params: &Params,
    view: &dyn CatalogView,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let result = RoutineResult {
        type_oid: new.result,
        is_procedure: new.kind == b'p',
        row: result_row(new, view)?,
    };
    let polymorphic = new.arg_types.iter().any(|a| is_polymorphic(*a));
    if let Some(body) = &new.body {
        let mut last = body.statements.last().cloned();
        let context = cx.analysis(view).with_routine(scope(new, params));
        return check_result(last.as_mut(), &result, &context).map(drop);
    }
    let statements = parser::parse(&new.source, &crate::routine::parse_options(&cx.guc.borrow()))?;
    if polymorphic {
        return Ok(());
    }
    let mut last = None;
    for raw in &statements {
        last = None;
        if let Statement::Call(call) = &raw.stmt {
            let context = cx.analysis(view).with_routine(scope(new, params));
            let call = analyzer::utility::analyze_call(&call.funccall, &context)?;
            if call.type_oid() != t::VOID {
                return Err(unsupported!(
                    "calling procedures with output arguments is not supported in SQL functions"
                ));
            }
        }
        if is_query(&raw.stmt) {
            let context = cx.analysis(view).with_routine(scope(new, params));
            let query = analyze_statement(&raw.stmt, &context)?;
            cx.take_notices(context);
            last = Some(query);
        }
    }
    let context = cx.analysis(view).with_routine(scope(new, params));
    check_result(last.as_mut(), &result, &context).map(drop)
}

fn result_row(new: &NewRoutine, view: &dyn CatalogView) -> PgResult<Option<Vec<TypeRef>>> {
    let out = new.out_columns();
    if new.result == t::RECORD || new.kind == b'p' {
        return Ok((!out.is_empty()).then(|| out.iter().map(|c| TypeRef::plain(c.1)).collect()));
    }
    crate::routine::composite_columns(new.result, view)
}

/// An error in the body, placed in the statement that defines it if the body stands there as it is.
fn at_definition(
    mut e: Box<PgError>,
    stmt: &CreateFunctionStmt,
    body: &str,
    name: &str,
    source: &str,
) -> Box<PgError> {
    if e.position.is_none() || stmt.sql_body.is_some() {
        return e.context(format!("SQL function \"{name}\""));
    }
    e = at_body(e, stmt, body, source);
    e
}

/// A place in the body becomes one in the statement, if the body stands there as it is.
fn at_body(mut e: Box<PgError>, stmt: &CreateFunctionStmt, body: &str, source: &str) -> Box<PgError> {
    let Some(at) = e.position else { return e };
    let option = stmt.options.iter().find(|o| &*o.name == "as");
    let span = option.map_or(Span::NONE, |o| o.span);
    let text = source.get(span.start as usize..).filter(|_| span.is_known());
    match text.and_then(|text| text.find(body)).filter(|_| !body.is_empty()) {
        Some(offset) => e.position = Some(span.start + offset as u32 + at),
        None => e = crate::routine::internal_position(e, body),
    }
    e
}
