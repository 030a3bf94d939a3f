//! Calls for which nobody can say by which collation to compare (42P22): the error comes when the call is made, not before.
//!
//! PG: src/backend/utils/adt/varlena.c (`check_collation_set`) and its like.

use common::error::ErrorExt;
use common::{PgError, PgResult, pg_err};
use types::{Datum, Selection, Vector};

use crate::facts;
use crate::framework::context::FnContext;
use crate::framework::registry::{Kernels, general_vector};

/// What a function needs a collation for; `None`: it needs none.
fn purpose(proc: common::Oid) -> Option<&'static str> {
    Some(match facts::proc(proc)?.prosrc {
        "texteq" | "textne" | "text_lt" | "text_le" | "text_gt" | "text_ge" | "bttextcmp" | "text_larger"
        | "text_smaller" | "bpchareq" | "bpcharne" | "bpcharlt" | "bpcharle" | "bpchargt" | "bpcharge"
        | "bpcharcmp" | "bpchar_larger" | "bpchar_smaller" | "textpos" | "text_starts_with"
        | "replace_text" | "split_part" | "text_to_array" | "text_to_array_null" => "string comparison",
        "hashtext" | "hashtextextended" | "hashbpchar" | "hashbpcharextended" => "string hashing",
        "textlike" | "textnlike" => "LIKE",
        "texticlike" | "texticnlike" | "bpchariclike" | "bpcharicnlike" => "ILIKE",
        "lower" | "casefold" => "lower() function",
        "upper" => "upper() function",
        "initcap" => "initcap() function",
        "textregexeq"
        | "textregexne"
        | "texticregexeq"
        | "texticregexne"
        | "bpcharregexeq"
        | "bpcharregexne"
        | "bpcharicregexeq"
        | "bpcharicregexne"
        | "textregexsubstr"
        | "textregexreplace"
        | "textregexreplace_noopt"
        | "textregexreplace_extended"
        | "textregexreplace_extended_no_n"
        | "textregexreplace_extended_no_flags"
        | "regexp_match"
        | "regexp_match_no_flags"
        | "regexp_like"
        | "regexp_like_no_flags"
        | "regexp_count"
        | "regexp_count_no_start"
        | "regexp_count_no_flags"
        | "regexp_instr"
        | "regexp_substr"
        | "regexp_split_to_array"
        | "regexp_split_to_array_no_flags" => "regular expression",
        _ => return None,
    })
}

/// `could not determine which collation to use for string comparison`
#[cold]
pub fn indeterminate_collation(what: &str) -> Box<PgError> {
    pg_err!(
        INDETERMINATE_COLLATION,
        "could not determine which collation to use for {what}"
    )
    .hint("Use the COLLATE clause to set the collation explicitly.")
}

fn scalar(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    if args.iter().any(Datum::is_null) {
        return Ok(Datum::Null);
    }
    Err(indeterminate_collation(
        purpose(ctx.call.proc).unwrap_or("string comparison"),
    ))
}

fn vector(ctx: &mut FnContext<'_>, args: &[&Vector], sel: &Selection, out: &mut Vector) -> PgResult<()> {
    general_vector::<true>(scalar, ctx, args, sel, out)
}

/// The kernels of a function in a call without collation, when it cannot do without.
pub fn without_collation(proc: common::Oid) -> Option<Kernels> {
    purpose(proc).map(|_| Kernels { vector, scalar })
}
