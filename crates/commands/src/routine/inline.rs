//! DO.
//!
//! PG: src/backend/commands/functioncmds.c (`ExecuteDoStmt`).

use common::{PgError, PgResult, pg_err};
use parser::ast::{DefArg, DoStmt};
use types::Datum;

use crate::context::{CommandContext, CommandOutcome};

/// DO.
pub(crate) fn do_block(stmt: &DoStmt, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    let (mut body, mut language) = (None, None);
    for option in &stmt.args {
        let place = match &*option.name {
            "as" => &mut body,
            "language" => &mut language,
            other => return Err(common::internal!("option \"{other}\" not recognized")),
        };
        if place.is_some() {
            return Err(pg_err!(SYNTAX_ERROR, "conflicting or redundant options"));
        }
        let text = match &option.arg {
            Some(DefArg::String(s)) => Some(s.to_string()),
            Some(DefArg::TypeName(_) | DefArg::Expr(_)) | None => None,
            Some(DefArg::List(list)) => list.iter().find_map(|a| match a {
                DefArg::String(s) => Some(s.to_string()),
                _ => None,
            }),
            _ => None,
        };
        *place = Some((text.unwrap_or_default(), option.span));
    }
    let Some((body, span)) = body else {
        return Err(pg_err!(SYNTAX_ERROR, "no inline code specified"));
    };
    let language = language.map_or_else(|| "plpgsql".to_owned(), |l| l.0);
    match language.as_str() {
        "plpgsql" => {}
        "sql" | "internal" | "c" => {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "language \"{language}\" does not support inline code execution"
            ));
        }
        other => return Err(pg_err!(UNDEFINED_OBJECT, "language \"{other}\" does not exist")),
    }
    let run = cx
        .session
        .call("plpgsql_inline_handler", &[Datum::text(body.as_str())]);
    run.map_err(|e| placed(e, &body, (span.start, cx.source)))?;
    Ok(CommandOutcome::tag("DO"))
}

/// A place in the body becomes one in the statement, if the body stands there as it is.
fn placed(mut e: Box<PgError>, body: &str, statement: (u32, &str)) -> Box<PgError> {
    let Some(at) = e.position else { return e };
    let (start, source) = statement;
    let found = source.get(start as usize..).and_then(|text| text.find(body));
    match found.filter(|_| !body.is_empty()) {
        Some(offset) => e.position = Some(start + offset as u32 + at),
        None => e = crate::routine::internal_position(e, body),
    }
    e
}
