//! Functions and operators as the definitions of aggregates, operators and casts name them.
//!
//! PG: src/backend/catalog/pg_aggregate.c (`lookup_agg_function`), parser/parse_oper.c (`LookupOperName`).

use std::sync::Arc;

use catalog::{FunctionDesc, OperatorDesc};
use common::error::ErrorExt;
use common::{Oid, PgError, PgResult, Span, pg_err};
use parser::ast::Ident;
use types::oids;

use crate::context::AnalyzeContext;
use crate::func_candidates::CallShape;
use crate::state::Analyzer;

/// A support function of an aggregate, and what it returns for the aggregate's types.
#[derive(Clone, Debug)]
pub struct SupportFunction {
    /// The function.
    pub func: Arc<FunctionDesc>,
    /// Its result type, polymorphic ones resolved as far as the inputs allow.
    pub result: Oid,
}

/// A support function of an aggregate by name and the types it will be called with; none of them may need a conversion.
pub fn support_function(
    names: &[Ident],
    inputs: &[Oid],
    variadic: Oid,
    cx: &AnalyzeContext<'_>,
) -> PgResult<SupportFunction> {
    let a = Analyzer::new(cx);
    let (schema, name) = a.deconstruct_name(names, Span::NONE)?;
    if let Some(schema) = schema {
        a.require_namespace(schema, Span::NONE)?;
    }
    let shape = CallShape {
        arg_count: inputs.len(),
        names: &[],
        expand_variadic: false,
        include_out: false,
    };
    let mut candidates = a.function_candidates(schema, name, &shape)?;
    candidates.retain(|c| c.default_count == 0);
    let chosen = match candidates.iter().position(|c| c.args == inputs) {
        Some(exact) => Some(exact),
        None => {
            let fitting = a.match_argument_types(inputs, &candidates)?;
            let lists: Vec<&[Oid]> = fitting.iter().map(|i| &candidates[*i].args[..]).collect();
            match &fitting[..] {
                [] => None,
                [only] => Some(*only),
                many => a.select_candidate(inputs, &lists)?.map(|best| many[best]),
            }
        }
    };
    let found = chosen.map(|at| &candidates[at]);
    let Some(found) = found.filter(|c| c.func.kind == b'f' && !c.ambiguous) else {
        return Err(missing_function(names, inputs, cx));
    };
    let signature = |types: &[Oid]| a.function_signature(names, &[], types);
    if found.func.returns_set {
        return Err(pg_err!(
            DATATYPE_MISMATCH,
            "function {} returns a set",
            signature(inputs)
        ));
    }
    if variadic == oids::ANY && found.func.variadic != oids::ANY {
        return Err(pg_err!(
            DATATYPE_MISMATCH,
            "function {} must accept VARIADIC ANY to be used in this aggregate",
            signature(inputs)
        ));
    }
    let mut declared = found.args.clone();
    let result = a.enforce_generic_types(inputs, &mut declared, found.func.result, true)?;
    for (&input, &wanted) in inputs.iter().zip(&declared) {
        if !a.is_binary_coercible(input, wanted)? {
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "function {} requires run-time type coercion",
                signature(&declared)
            ));
        }
    }
    Ok(SupportFunction {
        func: found.func.clone(),
        result,
    })
}

/// `function f(integer) does not exist`.
pub fn missing_function(names: &[Ident], inputs: &[Oid], cx: &AnalyzeContext<'_>) -> Box<PgError> {
    let signature = Analyzer::new(cx).function_signature(names, &[], inputs);
    pg_err!(UNDEFINED_FUNCTION, "function {signature} does not exist")
}

/// The function with exactly these arguments.
pub fn exact_function(
    names: &[Ident],
    inputs: &[Oid],
    cx: &AnalyzeContext<'_>,
) -> PgResult<Arc<FunctionDesc>> {
    let a = Analyzer::new(cx);
    let (schema, name) = a.deconstruct_name(names, Span::NONE)?;
    if let Some(schema) = schema {
        a.require_namespace(schema, Span::NONE)?;
    }
    let all = cx.catalog.functions_by_name(schema, name)?;
    let found = all.into_iter().find(|f| f.arg_types == inputs);
    found.ok_or_else(|| missing_function(names, inputs, cx))
}

/// The operator with exactly these operand types (`left` invalid: prefix operator), shells included.
pub fn exact_operator(
    names: &[Ident],
    left: Oid,
    right: Oid,
    cx: &AnalyzeContext<'_>,
) -> PgResult<Option<Arc<OperatorDesc>>> {
    let a = Analyzer::new(cx);
    let (schema, name) = a.deconstruct_name(names, Span::NONE)?;
    if let Some(schema) = schema
        && cx.catalog.namespace_by_name(schema)?.is_none()
    {
        return Ok(None);
    }
    let kind = if left.is_valid() { b'b' } else { b'l' };
    let all = cx.catalog.operators_by_name(schema, name)?;
    let found = all
        .into_iter()
        .find(|o| o.kind == kind && o.left == left && o.right == right);
    Ok(found)
}

/// The same with PostgreSQL's error.
pub fn named_operator(
    names: &[Ident],
    left: Oid,
    right: Oid,
    span: Span,
    cx: &AnalyzeContext<'_>,
) -> PgResult<Arc<OperatorDesc>> {
    if let Some(found) = exact_operator(names, left, right, cx)? {
        return Ok(found);
    }
    if left.is_valid() && !right.is_valid() {
        return Err(pg_err!(SYNTAX_ERROR, "postfix operators are not supported").at(span));
    }
    Err(missing_operator(names, left, right, cx).at(span))
}

/// `operator does not exist: integer + text`.
pub fn missing_operator(names: &[Ident], left: Oid, right: Oid, cx: &AnalyzeContext<'_>) -> Box<PgError> {
    let shown = Analyzer::new(cx).operator_signature(names, left, right);
    pg_err!(UNDEFINED_FUNCTION, "operator does not exist: {shown}")
}

/// True when values of one type are values of the other as they are.
pub fn is_binary_coercible(source: Oid, target: Oid, cx: &AnalyzeContext<'_>) -> PgResult<bool> {
    Analyzer::new(cx).is_binary_coercible(source, target)
}
