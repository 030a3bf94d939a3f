//! CALL: arguments are evaluated, the procedure runs, OUT parameters are the result row.
//!
//! PG: src/backend/commands/functioncmds.c (`ExecuteCallStmt`).

use catalog::CatalogView;
use common::error::ErrorExt;
use common::{PgResult, pg_err};
use functions::CallInfo;
use nodes::Expr;
use parser::ast::CallStmt;
use types::Datum;

use crate::context::{CommandContext, CommandOutcome, ResultColumn, ResultSet};

/// CALL.
pub(crate) fn call(stmt: &CallStmt, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    let view = cx.view()?;
    let analysis = cx.analysis_with_params(&*view);
    let made = analyzer::utility::analyze_call(&stmt.funccall, &analysis)?;
    cx.take_notices(analysis);
    let Expr::Func(f) = &made else {
        return Err(common::internal!("CALL of something that is no procedure"));
    };
    let Some(desc) = view.function(f.func)? else {
        return Err(common::internal!("cache lookup failed for function {}", f.func));
    };
    // Arguments in place of OUT parameters are there for their types only.
    let inputs = input_positions(&desc, f.args.len());
    let mut args = Vec::with_capacity(inputs.len());
    let mut types = Vec::with_capacity(inputs.len());
    for at in inputs {
        let Some(arg) = f.args.get(at) else { continue };
        let mut has_subquery = false;
        nodes::walk::walk(arg, &mut |e| {
            has_subquery |= matches!(e, Expr::SubLink(_));
            true
        });
        if has_subquery {
            return Err(
                pg_err!(FEATURE_NOT_SUPPORTED, "cannot use subquery in CALL argument").at(arg.span()),
            );
        }
        args.push(crate::eval::constant(arg, &*view, cx)?);
        types.push(arg.type_ref());
    }
    let info = CallInfo {
        proc: f.func,
        args: types,
        result: f.result,
        collation: f.input_collation,
        variadic: f.variadic,
        columns: Vec::new(),
    };
    let strict_null = desc.strict && args.iter().any(Datum::is_null);
    let value = if strict_null {
        Datum::Null
    } else {
        cx.session.call_function(&info, &args)?
    };
    let mut outcome = CommandOutcome::tag("CALL");
    let columns = out_columns(&desc, &made, &*view)?;
    if !columns.is_empty() {
        let row = match &value {
            Datum::Record(r) => r.fields.clone(),
            _ => vec![Datum::Null; columns.len()],
        };
        outcome.rows = Some(ResultSet {
            columns,
            rows: vec![row],
        });
    }
    Ok(outcome)
}

/// Places of the input arguments among those given: CALL counts OUT parameters too.
fn input_positions(desc: &catalog::desc::FunctionDesc, given: usize) -> Vec<usize> {
    if desc.arg_modes.is_empty() || given == desc.arg_types.len() {
        return (0..given).collect();
    }
    let modes = desc.arg_modes.iter().enumerate();
    modes.filter(|(_, m)| **m != b'o').map(|(i, _)| i).collect()
}

/// The result columns of a procedure: its OUT and INOUT parameters.
fn out_columns(
    desc: &catalog::desc::FunctionDesc,
    call: &Expr,
    view: &dyn CatalogView,
) -> PgResult<Vec<ResultColumn>> {
    let Expr::Func(f) = call else {
        return Ok(Vec::new());
    };
    let mut out = Vec::new();
    for (at, mode) in desc.arg_modes.iter().enumerate() {
        if !matches!(mode, b'o' | b'b') {
            continue;
        }
        let name = desc.arg_names.get(at).filter(|n| !n.is_empty());
        let name = name.map_or_else(|| format!("column{}", out.len() + 1), |n| n.to_string());
        let declared = desc.all_arg_types.get(at).copied().unwrap_or_default();
        let polymorphic = view.type_desc(declared)?.is_some_and(|d| d.kind == b'p');
        let type_oid = match f.args.get(at) {
            Some(arg) if polymorphic => arg.type_oid(),
            _ => declared,
        };
        out.push(ResultColumn::new(name, type_oid));
    }
    Ok(out)
}

/// The result columns of a CALL, without running it.
pub fn describe_call(stmt: &CallStmt, cx: &CommandContext<'_>) -> PgResult<Option<Vec<ResultColumn>>> {
    let view = cx.view()?;
    let analysis = cx.analysis_with_params(&*view);
    let made = analyzer::utility::analyze_call(&stmt.funccall, &analysis)?;
    let Expr::Func(f) = &made else { return Ok(None) };
    let Some(desc) = view.function(f.func)? else {
        return Ok(None);
    };
    let columns = out_columns(&desc, &made, &*view)?;
    Ok((!columns.is_empty()).then_some(columns))
}
