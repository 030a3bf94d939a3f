//! Type modifiers: what `(10,2)` behind a type's name means, for each base type that takes any.
//!
//! PG: the `*typmodin` functions in src/backend/utils/adt.

use common::error::{PgError, Severity};
use common::{Oid, PgResult, pg_err, sqlstate};

use crate::numeric::numeric_typmod;
use crate::oids;

/// PostgreSQL counts a length word into the modifiers of texts and numbers.
pub const HEADER: i32 = 4;
/// Characters of `char(n)` and `varchar(n)`.
const TEXT_LENGTH_MAX: i32 = 10_485_760;
const BIT_LENGTH_MAX: i32 = 8 * TEXT_LENGTH_MAX;
/// Digits behind the second that are kept.
pub const SECONDS_DIGITS_MAX: i32 = 6;
/// All fields of an interval.
const ALL_FIELDS: i32 = 0x7fff;
const FULL_PRECISION: i32 = 0xffff;
/// Fields of an interval that may be named: month is bit 1, year 2, day 3, hour 10, minute 11, second 12; neighbours may be combined.
const FIELDS: [i32; 14] = [
    ALL_FIELDS, 2, 4, 6, 8, 0x400, 0x800, 0x1000, 0x408, 0xc08, 0x1c08, 0xc00, 0x1c00, 0x1800,
];

/// Where warnings go.
pub type Notices<'a> = &'a dyn Fn(Box<PgError>) -> PgResult<()>;

/// True for types that may have arguments behind their name.
pub fn takes_modifiers(type_oid: Oid) -> bool {
    let texts = [
        oids::BPCHAR,
        oids::VARCHAR,
        oids::BIT,
        oids::VARBIT,
        oids::NUMERIC,
    ];
    let times = [
        oids::TIMESTAMP,
        oids::TIMESTAMPTZ,
        oids::TIME,
        oids::TIMETZ,
        oids::INTERVAL,
    ];
    texts.contains(&type_oid) || times.contains(&type_oid)
}

/// The modifier for arguments behind the name of a type that takes some.
pub fn typmod_in(type_oid: Oid, args: &[i32], notices: Notices<'_>) -> PgResult<i32> {
    let seconds = |name, zone| seconds_digits(single(args)?, name, zone, notices);
    Ok(match type_oid {
        oids::BPCHAR => length(args, "char", TEXT_LENGTH_MAX)? + HEADER,
        oids::VARCHAR => length(args, "varchar", TEXT_LENGTH_MAX)? + HEADER,
        oids::BIT => length(args, "bit", BIT_LENGTH_MAX)?,
        oids::VARBIT => length(args, "varbit", BIT_LENGTH_MAX)?,
        oids::NUMERIC => match args {
            [precision] => numeric_typmod(*precision, 0)?,
            [precision, scale] => numeric_typmod(*precision, *scale)?,
            _ => return Err(pg_err!(INVALID_PARAMETER_VALUE, "invalid NUMERIC type modifier")),
        },
        oids::TIMESTAMP => seconds("TIMESTAMP", "")?,
        oids::TIMESTAMPTZ => seconds("TIMESTAMP", " WITH TIME ZONE")?,
        oids::TIME => seconds("TIME", "")?,
        oids::TIMETZ => seconds("TIME", " WITH TIME ZONE")?,
        oids::INTERVAL => interval(args, notices)?,
        other => return Err(common::internal!("type {other} takes no modifier")),
    })
}

fn single(args: &[i32]) -> PgResult<i32> {
    match args {
        [one] => Ok(*one),
        _ => Err(pg_err!(INVALID_PARAMETER_VALUE, "invalid type modifier")),
    }
}

fn length(args: &[i32], name: &str, max: i32) -> PgResult<i32> {
    let length = single(args)?;
    if length < 1 {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "length for type {name} must be at least 1"
        ));
    }
    if length > max {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "length for type {name} cannot exceed {max}"
        ));
    }
    Ok(length)
}

/// Digits of seconds, cut to six with a warning. `zone` is how PostgreSQL's messages name the variant with a time zone.
pub fn seconds_digits(given: i32, name: &str, zone: &str, notices: Notices<'_>) -> PgResult<i32> {
    if given < 0 {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "{name}({given}){zone} precision must not be negative"
        ));
    }
    if given > SECONDS_DIGITS_MAX {
        notices(PgError::notice(
            Severity::Warning,
            sqlstate::INVALID_PARAMETER_VALUE,
            format!("{name}({given}){zone} precision reduced to maximum allowed, {SECONDS_DIGITS_MAX}"),
        ))?;
    }
    Ok(given.min(SECONDS_DIGITS_MAX))
}

fn interval(args: &[i32], notices: Notices<'_>) -> PgResult<i32> {
    let (fields, precision) = match args {
        [fields] => (*fields, None),
        [fields, precision] => (*fields, Some(*precision)),
        _ => (0, None),
    };
    if !FIELDS.contains(&fields) {
        return Err(pg_err!(INVALID_PARAMETER_VALUE, "invalid INTERVAL type modifier"));
    }
    match precision {
        Some(p) => Ok(fields << 16 | seconds_digits(p, "INTERVAL", "", notices)?),
        None if fields == ALL_FIELDS => Ok(-1),
        None => Ok(fields << 16 | FULL_PRECISION),
    }
}
