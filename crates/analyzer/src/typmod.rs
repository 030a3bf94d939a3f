//! Type modifiers: what `(10,2)` means for each type that takes any.
//!
//! PG: the `*typmodin` functions in src/backend/utils/adt.

use common::error::{PgError, Severity};
use common::{Oid, PgResult, pg_err, sqlstate};
use types::oids;

use crate::context::AnalyzeContext;

const VARHDRSZ: i32 = 4;
const MAX_ATTR_SIZE: i32 = 10 * 1024 * 1024;

/// The modifier for arguments written after a type's name.
pub(crate) fn typmod_in(
    type_oid: Oid,
    args: &[String],
    cx: &AnalyzeContext<'_>,
    shown_name: impl Fn() -> String,
) -> PgResult<i32> {
    match type_oid {
        oids::BPCHAR => char_typmod(&ints(args)?, "char"),
        oids::VARCHAR => char_typmod(&ints(args)?, "varchar"),
        oids::BIT => bit_typmod(&ints(args)?, "bit"),
        oids::VARBIT => bit_typmod(&ints(args)?, "varbit"),
        oids::NUMERIC => numeric_typmod(&ints(args)?),
        oids::TIMESTAMP => time_typmod(&ints(args)?, "TIMESTAMP", "", cx),
        oids::TIMESTAMPTZ => time_typmod(&ints(args)?, "TIMESTAMP", " WITH TIME ZONE", cx),
        oids::TIME => time_typmod(&ints(args)?, "TIME", "", cx),
        oids::TIMETZ => time_typmod(&ints(args)?, "TIME", " WITH TIME ZONE", cx),
        oids::INTERVAL => interval_typmod(&ints(args)?, cx),
        _ => Err(pg_err!(
            SYNTAX_ERROR,
            "type modifier is not allowed for type \"{}\"",
            shown_name()
        )),
    }
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

fn char_typmod(args: &[i32], name: &str) -> PgResult<i32> {
    let [len] = args else {
        return Err(pg_err!(INVALID_PARAMETER_VALUE, "invalid type modifier"));
    };
    if *len < 1 {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "length for type {name} must be at least 1"
        ));
    }
    if *len > MAX_ATTR_SIZE {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "length for type {name} cannot exceed {MAX_ATTR_SIZE}"
        ));
    }
    Ok(len + VARHDRSZ)
}

fn bit_typmod(args: &[i32], name: &str) -> PgResult<i32> {
    const MAX_BITS: i32 = MAX_ATTR_SIZE * 8;
    let [len] = args else {
        return Err(pg_err!(INVALID_PARAMETER_VALUE, "invalid type modifier"));
    };
    if *len < 1 {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "length for type {name} must be at least 1"
        ));
    }
    if *len > MAX_BITS {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "length for type {name} cannot exceed {MAX_BITS}"
        ));
    }
    Ok(*len)
}

fn numeric_typmod(args: &[i32]) -> PgResult<i32> {
    let (precision, scale) = match args {
        [p] => (*p, 0),
        [p, s] => (*p, *s),
        _ => return Err(pg_err!(INVALID_PARAMETER_VALUE, "invalid NUMERIC type modifier")),
    };
    if !(1..=1000).contains(&precision) {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "NUMERIC precision {precision} must be between 1 and 1000"
        ));
    }
    if !(-1000..=1000).contains(&scale) {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "NUMERIC scale {scale} must be between -1000 and 1000"
        ));
    }
    Ok(((precision << 16) | (scale & 0x7ff)) + VARHDRSZ)
}

fn time_typmod(args: &[i32], name: &str, suffix: &str, cx: &AnalyzeContext<'_>) -> PgResult<i32> {
    let [precision] = args else {
        return Err(pg_err!(INVALID_PARAMETER_VALUE, "invalid type modifier"));
    };
    time_precision(*precision, name, suffix, cx)
}

/// Precision of CURRENT_TIME(p) and of the time types: at most six digits, with a warning above.
pub(crate) fn time_precision(
    precision: i32,
    name: &str,
    suffix: &str,
    cx: &AnalyzeContext<'_>,
) -> PgResult<i32> {
    if precision < 0 {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "{name}({precision}){suffix} precision must not be negative"
        ));
    }
    if precision > 6 {
        cx.notice(PgError::notice(
            Severity::Warning,
            sqlstate::INVALID_PARAMETER_VALUE,
            format!("{name}({precision}){suffix} precision reduced to maximum allowed, 6"),
        ));
        return Ok(6);
    }
    Ok(precision)
}

/// All fields of an interval.
const INTERVAL_FULL_RANGE: i32 = 0x7FFF;
const INTERVAL_FULL_PRECISION: i32 = 0xFFFF;

fn interval_typmod(args: &[i32], cx: &AnalyzeContext<'_>) -> PgResult<i32> {
    match args {
        [range] if *range == INTERVAL_FULL_RANGE => Ok(-1),
        [range] => Ok((range << 16) | INTERVAL_FULL_PRECISION),
        [range, precision] => {
            if *precision < 0 {
                return Err(pg_err!(
                    INVALID_PARAMETER_VALUE,
                    "INTERVAL({precision}) precision must not be negative"
                ));
            }
            let p = if *precision > 6 {
                cx.notice(PgError::notice(
                    Severity::Warning,
                    sqlstate::INVALID_PARAMETER_VALUE,
                    format!("INTERVAL({precision}) precision reduced to maximum allowed, 6"),
                ));
                6
            } else {
                *precision
            };
            Ok(((range & INTERVAL_FULL_RANGE) << 16) | p)
        }
        _ => Err(pg_err!(INVALID_PARAMETER_VALUE, "invalid INTERVAL type modifier")),
    }
}
