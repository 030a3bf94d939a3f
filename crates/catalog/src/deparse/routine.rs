//! Bodies of routines in SQL's own syntax.

use std::sync::Arc;

use common::PgResult;
use nodes::Query;
use nodes::serial::StoredBody;

use crate::deparse::{Deparse, Implicit, Style, Writer, query};
use crate::names::quote_identifier;

/// The SQL text of a routine's body: RETURN, or BEGIN ATOMIC ... END. `params` are the names of its input parameters.
pub fn routine_body(
    ctx: &Deparse<'_>,
    name: &str,
    params: &[Arc<str>],
    body: &StoredBody,
) -> PgResult<String> {
    let mut out = Writer::new(ctx, Style::PLAIN);
    out.routine = Some((name, params));
    if body.is_return {
        out.push("RETURN ");
        for target in body.statements.iter().flat_map(Query::output_columns) {
            out.expr(&target.expr, Implicit::Shown)?;
        }
        return Ok(out.text);
    }
    out.push("BEGIN ATOMIC\n");
    for statement in &body.statements {
        out.level = 1;
        out.query(&Arc::new(statement.clone()), query::Names::Hidden)?;
        out.push(";\n");
    }
    out.push("END");
    Ok(out.text)
}

impl Writer<'_> {
    /// `$1`, or the parameter's name; behind the routine's where a column might be meant.
    pub(crate) fn parameter(&mut self, number: usize) {
        let named = self.routine.and_then(|(routine, params)| {
            let name = params.get(number.wrapping_sub(1)).filter(|n| !n.is_empty())?;
            Some((routine, name))
        });
        let Some((routine, name)) = named else {
            return self.push(&format!("${number}"));
        };
        if self.scopes.iter().any(|s| !s.is_empty()) {
            self.push(&quote_identifier(routine));
            self.push(".");
        }
        self.push(&quote_identifier(name));
    }
}
