//! Parameters of statements: anything that implements `postgres_types::ToSql`.

use bytes::BytesMut;
use common::pg_err;
use postgres_types::{IsNull, ToSql, Type};
use types::Datum;
use types::io::{self, IoContext};

use crate::error::{Error, Result};

/// Parameters as a slice of references; [`params!`](crate::params) makes one.
pub trait Params {
    /// Converts to values of the statement's parameter types; `buffer` is scratch space.
    fn to_datums(&self, types: &[Type], cx: &IoContext<'_>, buffer: &mut BytesMut) -> Result<Vec<Datum>>;
}

/// Lists parameters of different types: `params![1, "x", None::<i32>]`.
#[macro_export]
macro_rules! params {
    () => { &[] as &[&(dyn $crate::types::ToSql + Sync)] };
    ($($value:expr),+ $(,)?) => { &[$(&$value as &(dyn $crate::types::ToSql + Sync)),+] as &[&(dyn $crate::types::ToSql + Sync)] };
}

impl Params for &[&(dyn ToSql + Sync)] {
    fn to_datums(&self, types: &[Type], cx: &IoContext<'_>, buffer: &mut BytesMut) -> Result<Vec<Datum>> {
        convert(self, types, cx, buffer)
    }
}

impl<const N: usize> Params for &[&(dyn ToSql + Sync); N] {
    fn to_datums(&self, types: &[Type], cx: &IoContext<'_>, buffer: &mut BytesMut) -> Result<Vec<Datum>> {
        convert(&self[..], types, cx, buffer)
    }
}

impl Params for () {
    fn to_datums(&self, types: &[Type], cx: &IoContext<'_>, buffer: &mut BytesMut) -> Result<Vec<Datum>> {
        convert(&[], types, cx, buffer)
    }
}

fn convert(
    values: &[&(dyn ToSql + Sync)],
    types: &[Type],
    cx: &IoContext<'_>,
    buffer: &mut BytesMut,
) -> Result<Vec<Datum>> {
    if values.len() != types.len() {
        return Err(pg_err!(
            PROTOCOL_VIOLATION,
            "bind message supplies {} parameters, but prepared statement \"\" requires {}",
            values.len(),
            types.len()
        )
        .into());
    }
    let mut out = Vec::with_capacity(values.len());
    for (n, (value, ty)) in values.iter().zip(types).enumerate() {
        buffer.clear();
        let null = value
            .to_sql_checked(ty, buffer)
            .map_err(|e| bad_parameter(n + 1, ty, &*e))?;
        out.push(match null {
            IsNull::Yes => Datum::Null,
            IsNull::No => io::receive(common::Oid(ty.oid()), -1, buffer, cx)?,
        });
    }
    Ok(out)
}

fn bad_parameter(number: usize, ty: &Type, error: &dyn std::error::Error) -> Error {
    pg_err!(
        DATATYPE_MISMATCH,
        "cannot use the value of parameter ${number} as type {ty}: {error}"
    )
    .into()
}
