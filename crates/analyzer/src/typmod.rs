//! Type modifiers as they are written behind a type's name.

use common::error::ErrorExt;
use common::{Oid, PgResult, Span, pg_err};

use crate::context::AnalyzeContext;

/// The modifier for arguments written after a type's name.
pub(crate) fn typmod_in(
    type_oid: Oid,
    args: &[String],
    span: Span,
    cx: &AnalyzeContext<'_>,
    shown_name: impl Fn() -> String,
) -> PgResult<i32> {
    // A type that takes none says so before its arguments are read.
    if !types::typmod::takes_modifiers(type_oid) {
        return Err(pg_err!(
            SYNTAX_ERROR,
            "type modifier is not allowed for type \"{}\"",
            shown_name()
        ));
    }
    types::typmod::typmod_in(type_oid, &ints(args)?, &|notice| {
        cx.notice(notice.at(span));
        Ok(())
    })
}

fn ints(args: &[String]) -> PgResult<Vec<i32>> {
    args.iter()
        .map(|a| {
            let t = a.trim();
            match t.parse::<i32>() {
                Ok(v) => Ok(v),
                Err(_) if t.parse::<i128>().is_ok() => Err(pg_err!(
                    NUMERIC_VALUE_OUT_OF_RANGE,
                    "value \"{a}\" is out of range for type integer"
                )),
                Err(_) => Err(pg_err!(
                    INVALID_TEXT_REPRESENTATION,
                    "invalid input syntax for type integer: \"{a}\""
                )),
            }
        })
        .collect()
}
