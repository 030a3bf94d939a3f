//! Function calls, casts in function notation, and columns of composite values.
//!
//! PG: src/backend/parser/parse_func.c.

use std::sync::Arc;

use catalog::FunctionDesc;
use common::error::ErrorExt;
use common::{Oid, PgResult, Span, internal, pg_err};
use nodes::Expr;
use nodes::expr::{ArrayExpr, CoercionForm, FieldSelect, FuncExpr, VarSource};
use parser::ast::{self, Ident};
use types::oids;
use types::settings::TypeRef;

use crate::func_candidates::{CallShape, Candidate};
use crate::parse_coerce::{CoerceTo, CoercionContext, CoercionPath};
use crate::parse_type::name_list_to_string;
use crate::state::Analyzer;

const FUNC_MAX_ARGS: usize = 100;

/// How a call was written besides its arguments.
#[derive(Clone, Copy)]
pub(crate) struct CallSite<'c> {
    pub names: &'c [Ident],
    /// Absent when a column reference is tried as a function.
    pub call: Option<&'c ast::FuncCall>,
    pub proc_call: bool,
    pub last_srf: (usize, Span),
    pub span: Span,
}

/// What a name turned out to be.
pub(crate) enum FuncDetail {
    NotFound,
    Ambiguous,
    /// `int4('1')`.
    Coercion(Oid),
    Found(Candidate),
}

/// A call whose function is decided and whose arguments are coerced.
pub(crate) struct ResolvedCall {
    pub func: Arc<FunctionDesc>,
    pub args: Vec<Expr>,
    pub result: Oid,
    pub variadic: bool,
    pub named: bool,
}

impl Analyzer<'_> {
    /// A function that is known to exist.
    pub fn function(&self, oid: Oid) -> PgResult<Arc<FunctionDesc>> {
        self.cx
            .catalog
            .function(oid)?
            .ok_or_else(|| internal!("cache lookup failed for function {oid}"))
    }

    /// A call with analyzed arguments. `None` only when `site.call` is absent and nothing fits.
    pub fn parse_func_or_column(
        &mut self,
        site: CallSite<'_>,
        args: Vec<Expr>,
        filter: Option<Expr>,
    ) -> PgResult<Option<Expr>> {
        let names = check_argument_names(&args)?;
        if args.len() > FUNC_MAX_ARGS {
            return Err(pg_err!(
                TOO_MANY_ARGUMENTS,
                "cannot pass more than {FUNC_MAX_ARGS} arguments to a function"
            )
            .at(site.span));
        }
        let could_be_projection = self.could_be_projection(&site, &args, &names)?;
        if site.call.is_none() && could_be_projection {
            if let Some(e) = self.complex_projection(site.names[0].as_str(), &args[0], site.span)? {
                return Ok(Some(e));
            }
        }
        let actual: Vec<Oid> = args.iter().map(Expr::type_oid).collect();
        let found = match self.func_detail(&site, &args, &names, &actual)? {
            FuncDetail::Found(c) => c,
            FuncDetail::Coercion(target) => {
                self.check_plain_call(&site)?;
                if site.proc_call {
                    return Err(self.not_a_procedure(&site, &names, &actual));
                }
                let arg = args
                    .into_iter()
                    .next()
                    .ok_or_else(|| internal!("cast without argument"))?;
                let to = CoerceTo {
                    target: TypeRef::plain(target),
                    context: CoercionContext::Explicit,
                    form: CoercionForm::ExplicitCall,
                    span: site.span,
                };
                return Ok(Some(self.coerce_type(arg, to)?));
            }
            failure => {
                if matches!(failure, FuncDetail::NotFound) && could_be_projection && site.call.is_some() {
                    if let Some(e) = self.complex_projection(site.names[0].as_str(), &args[0], site.span)? {
                        return Ok(Some(e));
                    }
                }
                if site.call.is_none() {
                    return Ok(None);
                }
                return Err(self.function_not_found(&site, &args, &names, &actual, &failure));
            }
        };
        self.check_routine_kind(&site, &found, &names, &actual)?;
        self.finish_call(site, found, args, names.iter().any(Option::is_some), filter)
            .map(Some)
    }

    fn could_be_projection(
        &self,
        site: &CallSite<'_>,
        args: &[Expr],
        names: &[Option<Arc<str>>],
    ) -> PgResult<bool> {
        let plain = site.call.is_none_or(|c| {
            !c.agg_star
                && !c.agg_distinct
                && c.over.is_none()
                && !c.func_variadic
                && c.agg_order.is_empty()
                && c.agg_filter.is_none()
        });
        Ok(args.len() == 1
            && !site.proc_call
            && plain
            && names.iter().all(Option::is_none)
            && site.names.len() == 1
            && (args[0].type_oid() == oids::RECORD || self.is_complex(args[0].type_oid())?))
    }

    /// Looks for the function (or cast) that a call means.
    pub fn func_detail(
        &self,
        site: &CallSite<'_>,
        args: &[Expr],
        names: &[Option<Arc<str>>],
        actual: &[Oid],
    ) -> PgResult<FuncDetail> {
        let (schema, name) = self.deconstruct_name(site.names, site.span)?;
        if let Some(schema) = schema {
            if self.cx.catalog.namespace_by_name(schema)?.is_none() {
                if site.call.is_none() {
                    return Ok(FuncDetail::NotFound);
                }
                self.require_namespace(schema, site.span)?;
            }
        }
        let shape = CallShape {
            arg_count: args.len(),
            names,
            expand_variadic: !site.call.is_some_and(|c| c.func_variadic),
            include_out: site.proc_call,
        };
        let candidates = self.function_candidates(schema, name, &shape)?;
        let chosen = match candidates.iter().position(|c| c.args[..actual.len()] == *actual) {
            Some(exact) => Some(exact),
            None => {
                if let Some(target) = self.call_as_cast(schema, name, args, names)? {
                    return Ok(FuncDetail::Coercion(target));
                }
                let fitting = self.match_argument_types(actual, &candidates)?;
                match fitting.as_slice() {
                    [] => None,
                    [only] => Some(*only),
                    many => {
                        let lists: Vec<&[Oid]> = many
                            .iter()
                            .map(|i| &candidates[*i].args[..actual.len()])
                            .collect();
                        match self.select_candidate(actual, &lists)? {
                            Some(best) => Some(many[best]),
                            None => return Ok(FuncDetail::Ambiguous),
                        }
                    }
                }
            }
        };
        Ok(match chosen {
            None => FuncDetail::NotFound,
            Some(i) if candidates[i].ambiguous => FuncDetail::Ambiguous,
            Some(i) => FuncDetail::Found(candidates[i].clone()),
        })
    }

    /// `typename(value)`: the target type, when that reading is preferred.
    fn call_as_cast(
        &self,
        schema: Option<&str>,
        name: &str,
        args: &[Expr],
        names: &[Option<Arc<str>>],
    ) -> PgResult<Option<Oid>> {
        let ([arg], true) = (args, names.iter().all(Option::is_none)) else {
            return Ok(None);
        };
        let Some(target) = self.cx.catalog.type_by_name(schema, name)? else {
            return Ok(None);
        };
        if !target.defined || target.relation.is_valid() {
            return Ok(None);
        }
        let source = arg.type_oid();
        if source == oids::UNKNOWN && matches!(arg, Expr::Const(_)) {
            return Ok(Some(target.oid));
        }
        let is_cast = match self.find_coercion_pathway(target.oid, source, CoercionContext::Explicit)? {
            CoercionPath::Relabel => true,
            CoercionPath::ViaIo => {
                !((source == oids::RECORD || self.is_complex(source)?) && target.category == b'S')
            }
            _ => false,
        };
        Ok(is_cast.then_some(target.oid))
    }

    fn check_plain_call(&self, site: &CallSite<'_>) -> PgResult<()> {
        let Some(c) = site.call else { return Ok(()) };
        let name = name_list_to_string(site.names);
        let what = if c.agg_star {
            return Err(pg_err!(
                WRONG_OBJECT_TYPE,
                "{name}(*) specified, but {name} is not an aggregate function"
            )
            .at(site.span));
        } else if c.agg_distinct {
            "DISTINCT"
        } else if c.agg_within_group {
            "WITHIN GROUP"
        } else if !c.agg_order.is_empty() {
            "ORDER BY"
        } else if c.agg_filter.is_some() {
            "FILTER"
        } else if c.over.is_some() {
            return Err(pg_err!(
                WRONG_OBJECT_TYPE,
                "OVER specified, but {name} is not a window function nor an aggregate function"
            )
            .at(site.span));
        } else {
            return Ok(());
        };
        Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "{what} specified, but {name} is not an aggregate function"
        )
        .at(site.span))
    }

    fn not_a_procedure(
        &self,
        site: &CallSite<'_>,
        names: &[Option<Arc<str>>],
        actual: &[Oid],
    ) -> Box<common::PgError> {
        pg_err!(
            WRONG_OBJECT_TYPE,
            "{} is not a procedure",
            self.function_signature(site.names, names, actual)
        )
        .hint("To call a function, use SELECT.")
        .at(site.span)
    }

    fn check_routine_kind(
        &self,
        site: &CallSite<'_>,
        found: &Candidate,
        names: &[Option<Arc<str>>],
        actual: &[Oid],
    ) -> PgResult<()> {
        let name = name_list_to_string(site.names);
        let kind = found.func.kind;
        if site.proc_call && kind != b'p' {
            return Err(self.not_a_procedure(site, names, actual));
        }
        if kind == b'p' && !site.proc_call {
            return Err(pg_err!(
                WRONG_OBJECT_TYPE,
                "{} is a procedure",
                self.function_signature(site.names, names, actual)
            )
            .hint("To call a procedure, use CALL.")
            .at(site.span));
        }
        let call = site.call;
        match kind {
            b'a' => Ok(()),
            b'w' => {
                if call.is_none_or(|c| c.over.is_none()) {
                    return Err(pg_err!(
                        WRONG_OBJECT_TYPE,
                        "window function {name} requires an OVER clause"
                    )
                    .at(site.span));
                }
                if call.is_some_and(|c| c.agg_within_group) {
                    return Err(pg_err!(
                        WRONG_OBJECT_TYPE,
                        "window function {name} cannot have WITHIN GROUP"
                    )
                    .at(site.span));
                }
                Ok(())
            }
            _ => self.check_plain_call(site),
        }
    }

    fn finish_call(
        &mut self,
        site: CallSite<'_>,
        found: Candidate,
        args: Vec<Expr>,
        named: bool,
        filter: Option<Expr>,
    ) -> PgResult<Expr> {
        let func = found.func.clone();
        if func.kind == b'a' {
            let types: Vec<Oid> = args.iter().map(Expr::type_oid).collect();
            self.check_ordered_set_call(&site, &found, &types)?;
        }
        let resolved = self.resolve_arguments(&site, found, args, named)?;
        if func.returns_set && func.kind != b'a' && func.kind != b'w' {
            self.check_srf_placement(site.last_srf, site.span)?;
        }
        match (func.kind, site.call) {
            (b'a', Some(call)) if call.over.is_none() => self.make_aggregate(site, call, resolved, filter),
            (b'a' | b'w', Some(call)) => self.make_window_func(site, call, resolved, filter),
            (b'a', None) => {
                Err(pg_err!(WRONG_OBJECT_TYPE, "aggregate {} called like a column", func.name).at(site.span))
            }
            _ => {
                let form = match site.call {
                    Some(c) if c.func_format == ast::CoercionForm::SqlSyntax => CoercionForm::SqlSyntax,
                    _ => CoercionForm::ExplicitCall,
                };
                if func.returns_set {
                    self.note_srf(site.span);
                }
                Ok(Expr::Func(FuncExpr {
                    func: func.oid,
                    op: Oid::INVALID,
                    args: resolved.args,
                    result: TypeRef::plain(resolved.result),
                    returns_set: func.returns_set,
                    variadic: resolved.variadic,
                    form,
                    input_collation: Oid::INVALID,
                    collation: Oid::INVALID,
                    span: site.span,
                }))
            }
        }
    }

    /// Adds defaults, solves polymorphism, coerces, packs VARIADIC arguments.
    fn resolve_arguments(
        &mut self,
        site: &CallSite<'_>,
        found: Candidate,
        mut args: Vec<Expr>,
        named: bool,
    ) -> PgResult<ResolvedCall> {
        let func = found.func.clone();
        let mut declared = found.args.clone();
        self.add_defaults(&found, &mut args)?;
        let actual: Vec<Oid> = args.iter().map(Expr::type_oid).collect();
        let result = self.enforce_generic_types(&actual, &mut declared, func.result, false)?;
        let mut args = self.make_fn_arguments(args, &declared)?;
        if let Some(positions) = &found.positions {
            let mut placed: Vec<(usize, Expr)> = positions.iter().copied().zip(args).collect();
            placed.sort_by_key(|(p, _)| *p);
            args = placed
                .into_iter()
                .map(|(_, e)| match e {
                    Expr::NamedArg { arg, .. } => *arg,
                    e => e,
                })
                .collect();
        }
        let variadic_kw = site.call.is_some_and(|c| c.func_variadic) && func.variadic.is_valid();
        let mut variadic = variadic_kw;
        if found.variadic_count > 0 && func.variadic != oids::ANY {
            let rest = args.split_off(args.len() - found.variadic_count);
            args.push(self.variadic_array(rest, site.span)?);
            variadic = true;
        } else if variadic_kw && func.variadic == oids::ANY {
            let last = args.last().map_or(Oid::INVALID, Expr::type_oid);
            if !self.element_type(self.base_type(last)?)?.is_valid() && last != oids::UNKNOWN {
                return Err(pg_err!(DATATYPE_MISMATCH, "VARIADIC argument must be an array")
                    .at(args.last().map_or(Span::NONE, Expr::span)));
            }
        }
        Ok(ResolvedCall {
            func,
            args,
            result,
            variadic,
            named,
        })
    }

    fn add_defaults(&self, found: &Candidate, args: &mut Vec<Expr>) -> PgResult<()> {
        if found.default_count == 0 {
            return Ok(());
        }
        let func = &found.func;
        let wanted = found.args.len();
        let first_default = wanted - func.default_count.min(wanted);
        for k in args.len()..wanted {
            let position = found.positions.as_ref().map_or(k, |p| p[k]);
            let default = position
                .checked_sub(first_default)
                .and_then(|i| func.defaults.get(i))
                .ok_or_else(|| {
                    internal!(
                        "function {} lacks a default for argument {}",
                        func.oid,
                        position + 1
                    )
                })?;
            args.push((**default).clone());
        }
        Ok(())
    }

    fn variadic_array(&self, elements: Vec<Expr>, span: Span) -> PgResult<Expr> {
        let element_type = elements.first().map_or(oids::TEXT, Expr::type_oid);
        let array_type = self.array_type(element_type)?;
        if !array_type.is_valid() {
            return Err(pg_err!(
                UNDEFINED_OBJECT,
                "could not find array type for data type {}",
                self.format_type(element_type)
            )
            .at(elements.first().map_or(span, Expr::span)));
        }
        let span = elements.first().map_or(span, Expr::span);
        Ok(Expr::Array(ArrayExpr {
            elements,
            array_type,
            element_type,
            multidims: false,
            collation: Oid::INVALID,
            span,
        }))
    }

    fn function_not_found(
        &self,
        site: &CallSite<'_>,
        args: &[Expr],
        names: &[Option<Arc<str>>],
        actual: &[Oid],
        failure: &FuncDetail,
    ) -> Box<common::PgError> {
        let what = if site.proc_call { "procedure" } else { "function" };
        let signature = self.function_signature(site.names, names, actual);
        let _ = args;
        if matches!(failure, FuncDetail::Ambiguous) {
            return pg_err!(AMBIGUOUS_FUNCTION, "{what} {signature} is not unique")
                .hint(format!(
                    "Could not choose a best candidate {what}. You might need to add explicit type casts."
                ))
                .at(site.span);
        }
        let hint = match site.call {
            Some(c) if c.agg_order.len() > 1 && !c.agg_within_group => {
                "No aggregate function matches the given name and argument types. \
                 Perhaps you misplaced ORDER BY; ORDER BY must appear after all regular arguments of the aggregate."
                    .to_string()
            }
            _ => format!(
                "No {what} matches the given name and argument types. You might need to add explicit type casts."
            ),
        };
        pg_err!(UNDEFINED_FUNCTION, "{what} {signature} does not exist")
            .hint(hint)
            .at(site.span)
    }

    /// `f(integer, b => text)`.
    pub fn function_signature(&self, name: &[Ident], names: &[Option<Arc<str>>], types: &[Oid]) -> String {
        let args: Vec<String> = types
            .iter()
            .enumerate()
            .map(|(i, t)| match names.get(i).cloned().flatten() {
                Some(n) => format!("{n} => {}", self.format_type(*t)),
                None => self.format_type(*t),
            })
            .collect();
        format!("{}({})", name_list_to_string(name), args.join(", "))
    }

    /// `(composite).column`, also written `column(composite)`.
    pub fn complex_projection(&mut self, name: &str, arg: &Expr, span: Span) -> PgResult<Option<Expr>> {
        if let Expr::Var(v) = arg
            && v.attno == 0
            && let VarSource::Rel { index, levels_up } = v.source
        {
            return self.column_of_rte(index, levels_up, v.returning, name, span);
        }
        let Some(fields) = self.row_fields(arg)? else {
            return Ok(None);
        };
        let Some(at) = fields.iter().position(|f| !f.dropped && &*f.name == name) else {
            return Ok(None);
        };
        Ok(Some(field_select(arg.clone(), at, &fields[at])))
    }

    /// Remembers that a set-returning call was made.
    pub fn note_srf(&mut self, span: Span) {
        let ps = self.ps();
        ps.last_srf = (ps.last_srf.0 + 1, span);
    }
}

/// A selected field.
pub(crate) fn field_select(arg: Expr, at: usize, field: &crate::parse_row::RowField) -> Expr {
    Expr::FieldSelect(FieldSelect {
        span: arg.span(),
        arg: Box::new(arg),
        field: (at + 1) as i16,
        result: field.type_ref,
        collation: field.collation,
    })
}

fn check_argument_names(args: &[Expr]) -> PgResult<Vec<Option<Arc<str>>>> {
    let mut names: Vec<Option<Arc<str>>> = Vec::with_capacity(args.len());
    for arg in args {
        match arg {
            Expr::NamedArg { name, span, .. } => {
                if names.iter().flatten().any(|n| **n == **name) {
                    return Err(
                        pg_err!(SYNTAX_ERROR, "argument name \"{name}\" used more than once").at(*span),
                    );
                }
                names.push(Some(Arc::from(&**name)));
            }
            arg if names.iter().any(Option::is_some) => {
                return Err(
                    pg_err!(SYNTAX_ERROR, "positional argument cannot follow named argument").at(arg.span()),
                );
            }
            _ => names.push(None),
        }
    }
    Ok(names)
}
