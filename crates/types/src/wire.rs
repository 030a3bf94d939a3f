//! Bytes of the binary format taken one after another, with PostgreSQL's errors for too few and too many.
//!
//! PG: src/backend/libpq/pqformat.c.

use common::{Oid, PgError, PgResult, pg_err};

use crate::io::{self, IoContext};
use crate::{Datum, builtin, oids};

/// What [`trailing`] says; whoever knows where the value stood puts it better ([`placed`]).
const TRAILING: &str = "incorrect binary data format";

/// Too few bytes for a number or a string of known length.
#[cold]
pub(crate) fn bad_binary() -> Box<PgError> {
    pg_err!(PROTOCOL_VIOLATION, "insufficient data left in message")
}

/// Not one byte is left.
#[cold]
pub(crate) fn no_data() -> Box<PgError> {
    pg_err!(PROTOCOL_VIOLATION, "no data left in message")
}

/// Bytes behind the value.
#[cold]
pub(crate) fn trailing() -> Box<PgError> {
    pg_err!(INVALID_BINARY_REPRESENTATION, "{TRAILING}")
}

/// `Ok` at the end of a value.
pub(crate) fn done(bytes: &[u8]) -> PgResult<()> {
    if bytes.is_empty() { Ok(()) } else { Err(trailing()) }
}

/// The error about bytes behind a value in the words of its place; other errors stay.
pub fn placed(mut error: Box<PgError>, words: impl FnOnce() -> String) -> Box<PgError> {
    if error.message == TRAILING {
        error.message = words();
    }
    error
}

/// How many bytes every value of the type has, where that is one number.
pub(crate) const fn fixed_size(type_oid: Oid) -> Option<usize> {
    Some(match type_oid {
        oids::BOOL | oids::CHAR => 1,
        oids::INT2 => 2,
        oids::INT4 | oids::OID | oids::XID | oids::CID | oids::FLOAT4 | oids::DATE => 4,
        oids::MACADDR | oids::TID => 6,
        oids::INT8
        | oids::FLOAT8
        | oids::MONEY
        | oids::TIME
        | oids::TIMESTAMP
        | oids::TIMESTAMPTZ
        | oids::PG_LSN
        | oids::XID8 => 8,
        oids::TIMETZ => 12,
        oids::UUID | oids::INTERVAL | oids::POINT => 16,
        oids::LINE | oids::CIRCLE => 24,
        oids::LSEG | oids::BOX => 32,
        _ => return None,
    })
}

/// OIDs from here on may be another type's in another database.
const FIRST_PRIVATE: Oid = Oid(10_000);

/// Whether the type that is named in the data cannot be the one expected. Types that are not PostgreSQL's own may have other OIDs
/// where the data come from.
pub(crate) fn contradicts(sent: Oid, expected: Oid) -> bool {
    sent != expected && sent < FIRST_PRIVATE && expected < FIRST_PRIVATE
}

/// A type of PostgreSQL's own by number and name.
pub(crate) fn described(type_oid: Oid) -> String {
    if type_oid == Oid::INVALID {
        return "0 (-)".to_owned();
    }
    let name = builtin::type_row(type_oid).map(|row| match builtin::type_row(row.typelem) {
        Some(element) if row.typinput == "array_in" => format!("{}[]", sql_name(element)),
        _ => sql_name(row).to_owned(),
    });
    format!("{type_oid} ({})", name.as_deref().unwrap_or("???"))
}

/// How SQL spells a type of PostgreSQL's own that is no array.
fn sql_name(row: &builtin::TypeRow) -> &'static str {
    match row.oid {
        oids::BOOL => "boolean",
        oids::CHAR => "\"char\"",
        oids::INT2 => "smallint",
        oids::INT4 => "integer",
        oids::INT8 => "bigint",
        oids::FLOAT4 => "real",
        oids::FLOAT8 => "double precision",
        oids::BPCHAR => "character",
        oids::VARCHAR => "character varying",
        oids::VARBIT => "bit varying",
        oids::TIME => "time without time zone",
        oids::TIMETZ => "time with time zone",
        oids::TIMESTAMP => "timestamp without time zone",
        oids::TIMESTAMPTZ => "timestamp with time zone",
        _ => row.typname,
    }
}

/// How many of the bytes are the value, for types that say so; the others take all or end in an error of their own.
pub(crate) fn length_of(type_oid: Oid, bytes: &[u8]) -> Option<usize> {
    match type_oid {
        oids::NUMERIC => {
            let digits = bytes.first_chunk::<2>()?;
            Some(8 + 2 * usize::from(u16::from_be_bytes(*digits)))
        }
        _ => fixed_size(type_oid),
    }
}

/// Takes bytes off the front of a wire value.
pub(crate) struct Wire<'a>(pub(crate) &'a [u8]);

impl<'a> Wire<'a> {
    pub(crate) fn take(&mut self, n: usize) -> PgResult<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(n).ok_or_else(bad_binary)?;
        self.0 = rest;
        Ok(head)
    }

    /// That many bytes, each read on its own.
    pub(crate) fn single_bytes(&mut self, n: usize) -> PgResult<&'a [u8]> {
        if self.0.len() < n {
            return Err(no_data());
        }
        self.take(n)
    }

    pub(crate) fn byte(&mut self) -> PgResult<u8> {
        let (head, rest) = self.0.split_first().ok_or_else(no_data)?;
        self.0 = rest;
        Ok(*head)
    }

    /// A number of one byte.
    pub(crate) fn int1(&mut self) -> PgResult<u8> {
        Ok(self.fixed::<1>()?[0])
    }

    pub(crate) fn int2(&mut self) -> PgResult<u16> {
        Ok(u16::from_be_bytes(self.fixed()?))
    }

    pub(crate) fn int(&mut self) -> PgResult<i32> {
        Ok(i32::from_be_bytes(self.fixed()?))
    }

    pub(crate) fn int8(&mut self) -> PgResult<i64> {
        Ok(i64::from_be_bytes(self.fixed()?))
    }

    fn fixed<const N: usize>(&mut self) -> PgResult<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or_else(bad_binary)?;
        self.0 = rest;
        Ok(*head)
    }

    /// A text with a zero byte behind it.
    pub(crate) fn string(&mut self) -> PgResult<&'a str> {
        let end = self.0.iter().position(|b| *b == 0);
        let Some(end) = end else {
            return Err(pg_err!(PROTOCOL_VIOLATION, "invalid string in message"));
        };
        let bytes = self.take(end)?;
        self.take(1)?;
        crate::io_text::utf8(bytes)
    }

    /// The end of the message.
    pub(crate) fn end(&self) -> PgResult<()> {
        match self.0 {
            [] => Ok(()),
            _ => Err(pg_err!(PROTOCOL_VIOLATION, "invalid message format")),
        }
    }

    /// A length and that many bytes as a value.
    pub(crate) fn bound(&mut self, type_oid: Oid, typmod: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
        let n = usize::try_from(self.int()?).map_err(|_| bad_binary())?;
        let bytes = self.take(n)?;
        // What stands behind a bound is passed over.
        let value = length_of(type_oid, bytes)
            .and_then(|n| bytes.get(..n))
            .unwrap_or(bytes);
        io::receive(type_oid, typmod, value, ctx)
    }

    /// A length and that many bytes, or NULL; `place` names what it is part of, with its number.
    pub(crate) fn value(
        &mut self,
        type_oid: Oid,
        typmod: i32,
        ctx: &IoContext<'_>,
        (place, number): (&str, usize),
    ) -> PgResult<Datum> {
        let n = self.int()?;
        if n == -1 {
            return io::input_null(type_oid, ctx);
        }
        let n = usize::try_from(n).ok().filter(|n| *n <= self.0.len());
        let n =
            n.ok_or_else(|| pg_err!(INVALID_BINARY_REPRESENTATION, "insufficient data left in message"))?;
        io::receive(type_oid, typmod, self.take(n)?, ctx)
            .map_err(|e| placed(e, || format!("improper binary format in {place} {number}")))
    }
}
