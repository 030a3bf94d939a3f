//! After analysis with inferred parameters: every parameter must have got one type.
//!
//! PG: src/backend/parser/parse_param.c (`check_variable_parameters`).

use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err};
use nodes::expr::ParamKind;
use nodes::{Expr, Query};

use crate::context::{AnalyzeContext, ParamTypes, is_known_param};
use crate::walk::walk_query;

/// Fails when a parameter of the query has no type, or one that was decided too late for this use.
pub(crate) fn check_inferred(q: &Query, cx: &AnalyzeContext<'_>) -> PgResult<()> {
    let ParamTypes::Variable(types) = &cx.params else {
        return Ok(());
    };
    let types = types.borrow();
    if types.is_empty() {
        return Ok(());
    }
    let mut result = Ok(());
    walk_query(q, 0, &mut |e, _| {
        if let Expr::Param(p) = e
            && p.kind == ParamKind::External
            && result.is_ok()
        {
            let known = types.get(p.number - 1).copied().unwrap_or(Oid::INVALID);
            if !is_known_param(known) {
                result = Err(pg_err!(
                    INDETERMINATE_DATATYPE,
                    "could not determine data type of parameter ${}",
                    p.number
                )
                .at(p.span));
            } else if p.type_ref.oid != known {
                result = Err(pg_err!(
                    AMBIGUOUS_PARAMETER,
                    "could not determine data type of parameter ${}",
                    p.number
                )
                .at(p.span));
            }
        }
        result.is_ok()
    });
    result?;
    // A number that the statement skipped has no use to infer from.
    match types.iter().position(|t| !is_known_param(*t)) {
        Some(i) => Err(pg_err!(
            INDETERMINATE_DATATYPE,
            "could not determine data type of parameter ${}",
            i + 1
        )),
        None => Ok(()),
    }
}
