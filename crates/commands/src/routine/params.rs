//! Parameters and result types of routines.
//!
//! PG: src/backend/commands/functioncmds.c (`interpret_function_parameter_list`, `compute_return_type`).

use analyzer::ExprKind;
use catalog::{CatalogView, oids};
use common::error::{ErrorExt, Severity};
use common::{Oid, PgError, PgResult, Span, pg_err, sqlstate};
use nodes::Expr;
use parser::ast::{self, FunctionParameter, FunctionParameterMode as Mode, ObjectType, TypeName};
use types::oids as t;
use types::settings::TypeRef;

use crate::context::CommandContext;

/// `anyelement` and its families.
pub(crate) const POLYMORPHIC: [Oid; 11] = [
    Oid(2283),
    Oid(2277),
    Oid(2776),
    Oid(3500),
    Oid(3831),
    Oid(4537),
    Oid(5077),
    Oid(5078),
    Oid(5079),
    Oid(5080),
    Oid(4538),
];

/// The parameter list as the catalog keeps it.
#[derive(Default)]
pub(crate) struct Params {
    pub inputs: Vec<Oid>,
    pub input_names: Vec<String>,
    /// Empty when all are IN.
    pub all_types: Vec<Oid>,
    pub modes: Vec<u8>,
    /// Empty when none has a name.
    pub names: Vec<String>,
    pub defaults: Vec<Expr>,
    /// Element type of VARIADIC.
    pub variadic: Oid,
    /// What OUT parameters make of the result.
    pub required_result: Option<Oid>,
}

fn letter(mode: Mode) -> u8 {
    match mode {
        Mode::Default | Mode::In => b'i',
        Mode::Out => b'o',
        Mode::InOut => b'b',
        Mode::Variadic => b'v',
        Mode::Table => b't',
    }
}

fn is_input(mode: Mode) -> bool {
    !matches!(mode, Mode::Out | Mode::Table)
}

fn bad(message: String, span: Span) -> Box<PgError> {
    PgError::new(sqlstate::INVALID_FUNCTION_DEFINITION, message).at(span)
}

/// Parameters as written, and what they are of.
#[derive(Clone, Copy)]
pub(crate) struct ParameterList<'s> {
    pub parameters: &'s [FunctionParameter],
    /// Function, procedure or aggregate.
    pub kind: ObjectType,
    pub language: Oid,
}

impl ParameterList<'_> {
    fn is_procedure(&self) -> bool {
        self.kind == ObjectType::Procedure
    }
}

impl Params {
    pub fn read(stmt: ParameterList<'_>, cx: &CommandContext<'_>) -> PgResult<Params> {
        let mut all = Params::default();
        let (mut types, mut modes, mut out_count) = (Vec::new(), Vec::new(), 0);
        let (mut have_default, mut variadic_seen) = (false, false);
        for (at, p) in stmt.parameters.iter().enumerate() {
            let type_oid = parameter_type(p, stmt, cx)?;
            if is_input(p.mode) {
                if variadic_seen {
                    return Err(bad(
                        "VARIADIC parameter must be the last input parameter".into(),
                        p.span,
                    ));
                }
                all.inputs.push(type_oid);
                all.input_names
                    .push(p.name.as_ref().map_or(String::new(), |n| n.as_str().to_owned()));
            }
            if !matches!(p.mode, Mode::Default | Mode::In | Mode::Variadic) {
                if stmt.is_procedure() {
                    if variadic_seen {
                        return Err(bad(
                            "VARIADIC parameter must be the last parameter".into(),
                            p.span,
                        ));
                    }
                    if have_default && p.mode == Mode::Out {
                        return Err(bad(
                            "procedure OUT parameters cannot appear after one with a default value".into(),
                            p.span,
                        ));
                    }
                }
                if out_count == 0 {
                    all.required_result = Some(type_oid);
                }
                out_count += 1;
            }
            if p.mode == Mode::Variadic {
                variadic_seen = true;
                all.variadic = variadic_element(type_oid, p.span, cx)?;
            }
            check_name(p, &stmt.parameters[..at])?;
            match &p.defexpr {
                Some(raw) => {
                    all.defaults.push(default_value(p, raw, type_oid, cx)?);
                    have_default = true;
                }
                None if is_input(p.mode) && have_default => {
                    return Err(bad(
                        "input parameters after one with a default value must also have defaults".into(),
                        p.span,
                    ));
                }
                None => {}
            }
            types.push(type_oid);
            modes.push(letter(p.mode));
        }
        all.finish(stmt, types, modes, out_count, variadic_seen);
        Ok(all)
    }

    /// What only all parameters together tell.
    fn finish(
        &mut self,
        stmt: ParameterList<'_>,
        types: Vec<Oid>,
        modes: Vec<u8>,
        out_count: usize,
        variadic: bool,
    ) {
        if out_count > 0 || variadic {
            self.all_types = types;
            self.modes = modes;
        }
        if out_count > 1 || out_count > 0 && stmt.is_procedure() {
            self.required_result = Some(t::RECORD);
        }
        if stmt.parameters.iter().any(|p| p.name.is_some()) {
            let name =
                |p: &FunctionParameter| p.name.as_ref().map_or(String::new(), |n| n.as_str().to_owned());
            self.names = stmt.parameters.iter().map(name).collect();
        }
    }
}

fn parameter_type(p: &FunctionParameter, list: ParameterList<'_>, cx: &CommandContext<'_>) -> PgResult<Oid> {
    let view = cx.view()?;
    let analysis = cx.analysis(&*view);
    let found = analyzer::utility::resolve_type_name(&p.arg_type, &analysis);
    cx.take_notices(analysis);
    let type_oid = match found {
        Ok(found) => found.oid,
        Err(e) if e.message.ends_with("is only a shell") => match shell_type(&p.arg_type, &*view)? {
            Some(_) if list.kind == ObjectType::Aggregate => {
                return Err(bad(
                    format!("aggregate cannot accept shell type {}", written(&p.arg_type)),
                    p.span,
                ));
            }
            Some(shell) if list.language != oids::SQL_LANGUAGE => {
                let notice = PgError::notice(
                    Severity::Notice,
                    sqlstate::WRONG_OBJECT_TYPE,
                    format!("argument type {} is only a shell", written(&p.arg_type)),
                );
                cx.notice(notice.at(p.span));
                shell
            }
            _ => {
                return Err(bad(
                    format!("SQL function cannot accept shell type {}", written(&p.arg_type)),
                    p.span,
                ));
            }
        },
        Err(e) if e.sqlstate == sqlstate::UNDEFINED_OBJECT && e.message.starts_with("type ") => {
            return Err(pg_err!(UNDEFINED_OBJECT, "type {} does not exist", written(&p.arg_type)).at(p.span));
        }
        Err(e) => return Err(e),
    };
    if p.arg_type.setof {
        let what = match list.kind {
            ObjectType::Procedure => "procedures",
            ObjectType::Aggregate => "aggregates",
            _ => "functions",
        };
        return Err(bad(format!("{what} cannot accept set arguments"), p.span));
    }
    Ok(type_oid)
}

fn written(name: &TypeName) -> String {
    let parts: Vec<&str> = name.names.iter().map(|n| n.as_str()).collect();
    format!("{}{}", parts.join("."), "[]".repeat(name.array_bounds.len()))
}

fn shell_type(name: &TypeName, view: &dyn CatalogView) -> PgResult<Option<Oid>> {
    let parts: Vec<&str> = name.names.iter().map(|n| n.as_str()).collect();
    let found = match parts[..] {
        [name] => view.type_by_name(None, name)?,
        [schema, name] => view.type_by_name(Some(schema), name)?,
        _ => None,
    };
    Ok(found.map(|d| d.oid))
}

fn variadic_element(type_oid: Oid, span: Span, cx: &CommandContext<'_>) -> PgResult<Oid> {
    match type_oid.0 {
        2277 => return Ok(t::ANYELEMENT),
        5078 => return Ok(t::ANYCOMPATIBLE),
        2276 => return Ok(t::ANY),
        _ => {}
    }
    match cx.view()?.type_desc(type_oid)?.filter(|d| d.is_array) {
        Some(desc) => Ok(desc.element),
        None => Err(bad("VARIADIC parameter must be an array".into(), span)),
    }
}

/// Inputs among themselves and outputs among themselves need different names.
fn check_name(p: &FunctionParameter, before: &[FunctionParameter]) -> PgResult<()> {
    let Some(name) = &p.name else { return Ok(()) };
    let pure_in = |m: Mode| matches!(m, Mode::Default | Mode::In | Mode::Variadic);
    let pure_out = |m: Mode| matches!(m, Mode::Out | Mode::Table);
    for other in before {
        let apart = pure_in(p.mode) && pure_out(other.mode) || pure_out(p.mode) && pure_in(other.mode);
        if !apart && other.name.as_ref().is_some_and(|n| n.as_str() == name.as_str()) {
            return Err(bad(
                format!("parameter name \"{}\" used more than once", name.as_str()),
                p.span,
            ));
        }
    }
    Ok(())
}

fn default_value(
    p: &FunctionParameter,
    raw: &ast::Expr,
    type_oid: Oid,
    cx: &CommandContext<'_>,
) -> PgResult<Expr> {
    if !is_input(p.mode) {
        return Err(bad(
            "only input parameters can have default values".into(),
            p.span,
        ));
    }
    let view = cx.view()?;
    let analysis = cx.analysis(&*view);
    let value = analyzer::utility::analyze_expression(raw, ExprKind::FunctionDefault, None, &analysis)?;
    let (from, span) = (value.type_oid(), value.span());
    let polymorphic = POLYMORPHIC.contains(&type_oid) && from != t::UNKNOWN;
    let coerced = if polymorphic {
        Some(value)
    } else {
        analyzer::utility::coerce_for_assignment(value, TypeRef::plain(type_oid), &analysis)?
    };
    cx.take_notices(analysis);
    coerced.ok_or_else(|| {
        let shown = |oid| catalog::format_type::format_type(&*view, oid, -1).unwrap_or_default();
        pg_err!(
            DATATYPE_MISMATCH,
            "argument of DEFAULT must be type {}, not type {}",
            shown(type_oid),
            shown(from)
        )
        .at(span)
    })
}

/// The type of RETURNS. Functions in other languages may return a shell, and those in C and `internal` make one of a new name.
pub(crate) fn result_type(name: &TypeName, language: Oid, cx: &CommandContext<'_>) -> PgResult<Oid> {
    let view = cx.view()?;
    let analysis = cx.analysis(&*view);
    let found = analyzer::utility::resolve_type_name(name, &analysis);
    cx.take_notices(analysis);
    match found {
        Ok(found) => Ok(found.oid),
        Err(e) if e.message.ends_with("is only a shell") => match shell_type(name, &*view)? {
            Some(shell) if language != oids::SQL_LANGUAGE => {
                cx.notice(PgError::notice(
                    Severity::Notice,
                    sqlstate::WRONG_OBJECT_TYPE,
                    format!("return type {} is only a shell", written(name)),
                ));
                Ok(shell)
            }
            _ => Err(pg_err!(
                INVALID_FUNCTION_DEFINITION,
                "SQL function cannot return shell type {}",
                written(name)
            )),
        },
        Err(e) if e.sqlstate == sqlstate::UNDEFINED_OBJECT && e.message.starts_with("type ") => {
            if !matches!(language, oids::INTERNAL_LANGUAGE | oids::C_LANGUAGE) {
                return Err(crate::alter_type::without_position(e));
            }
            drop(view);
            new_shell(name, cx)
        }
        Err(e) => Err(e),
    }
}

/// A shell for the type that a function returns.
fn new_shell(name: &TypeName, cx: &CommandContext<'_>) -> PgResult<Oid> {
    if !name.typmods.is_empty() {
        return Err(pg_err!(
            SYNTAX_ERROR,
            "type modifier cannot be specified for shell type \"{}\"",
            written(name)
        ));
    }
    let notice = PgError::notice(
        Severity::Notice,
        sqlstate::UNDEFINED_OBJECT,
        format!("type \"{}\" is not yet defined", written(name)),
    );
    cx.notice(notice.detail("Creating a shell type definition."));
    let (namespace, last) = crate::create_type::creation_place(&name.names, cx)?;
    cx.ddl(|ddl| ddl.create_shell_type(namespace, &last))
}

/// The error for a polymorphic result that no parameter determines.
pub(crate) fn polymorphic_error(
    result: Oid,
    inputs: &[Oid],
    view: &dyn CatalogView,
) -> PgResult<Option<Box<PgError>>> {
    const SIMPLE: [u32; 6] = [2283, 2277, 2776, 3500, 3831, 4537];
    const COMPATIBLE: [u32; 5] = [5077, 5078, 5079, 5080, 4538];
    let shown = catalog::format_type::format_type(view, result, -1)?;
    let has = |list: &[u32]| inputs.iter().any(|i| list.contains(&i.0));
    let (fits, needs) = match result.0 {
        // A range cannot be told from an element.
        3831 | 4537 => (has(&[3831, 4537]), "anyrange or anymultirange"),
        5080 | 4538 => (
            has(&[5080, 4538]),
            "anycompatiblerange or anycompatiblemultirange",
        ),
        o if SIMPLE.contains(&o) => (
            has(&SIMPLE),
            "anyelement, anyarray, anynonarray, anyenum, anyrange, or anymultirange",
        ),
        o if COMPATIBLE.contains(&o) => (
            has(&COMPATIBLE),
            "anycompatible, anycompatiblearray, anycompatiblenonarray, anycompatiblerange, or anycompatiblemultirange",
        ),
        2281 => {
            return Ok((!inputs.contains(&Oid(2281))).then(|| {
                pg_err!(
                    INVALID_FUNCTION_DEFINITION,
                    "unsafe use of pseudo-type \"internal\""
                )
                .detail("A result of type internal requires at least one input of type internal.")
            }));
        }
        _ => return Ok(None),
    };
    Ok((!fits).then(|| {
        pg_err!(INVALID_FUNCTION_DEFINITION, "cannot determine result data type").detail(format!(
            "A result of type {shown} requires at least one input of type {needs}."
        ))
    }))
}
