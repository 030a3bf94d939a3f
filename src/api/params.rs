//! Parameters of statements: anything that implements `postgres_types::ToSql`.

use bytes::BytesMut;
use common::{Oid, PgResult, pg_err};
use postgres_types::{Field, IsNull, Kind, ToSql, Type};
use types::Datum;
use types::encoding::Encoding;
use types::io::{self, IoContext, UserType};

use crate::error::{Error, Result};

/// Parameters as a slice of references; [`params!`](crate::params) makes one.
pub trait Params {
    /// Converts to values of the statement's parameter types; `buffer` is scratch space.
    fn to_datums(&self, types: &[Oid], cx: &IoContext<'_>, buffer: &mut BytesMut) -> Result<Vec<Datum>>;
}

/// Lists parameters of different types: `params![1, "x", None::<i32>]`.
#[macro_export]
macro_rules! params {
    () => { &[] as &[&(dyn $crate::types::ToSql + Sync)] };
    ($($value:expr),+ $(,)?) => { &[$(&$value as &(dyn $crate::types::ToSql + Sync)),+] as &[&(dyn $crate::types::ToSql + Sync)] };
}

impl Params for &[&(dyn ToSql + Sync)] {
    fn to_datums(&self, types: &[Oid], cx: &IoContext<'_>, buffer: &mut BytesMut) -> Result<Vec<Datum>> {
        convert(self, types, cx, buffer)
    }
}

impl<const N: usize> Params for &[&(dyn ToSql + Sync); N] {
    fn to_datums(&self, types: &[Oid], cx: &IoContext<'_>, buffer: &mut BytesMut) -> Result<Vec<Datum>> {
        convert(&self[..], types, cx, buffer)
    }
}

impl Params for () {
    fn to_datums(&self, types: &[Oid], cx: &IoContext<'_>, buffer: &mut BytesMut) -> Result<Vec<Datum>> {
        convert(&[], types, cx, buffer)
    }
}

/// Tuples of values: rows of [`Session::execute_many`](crate::Session::execute_many) that nobody else owns.
macro_rules! tuples {
    ($(($($name:ident $place:tt),+);)+) => {$(
        impl<$($name: ToSql + Sync),+> Params for ($($name,)+) {
            fn to_datums(&self, types: &[Oid], cx: &IoContext<'_>, buffer: &mut BytesMut) -> Result<Vec<Datum>> {
                convert(&[$(&self.$place as &(dyn ToSql + Sync)),+], types, cx, buffer)
            }
        }
    )+};
}

tuples! {
    (A 0);
    (A 0, B 1);
    (A 0, B 1, C 2);
    (A 0, B 1, C 2, D 3);
    (A 0, B 1, C 2, D 3, E 4);
    (A 0, B 1, C 2, D 3, E 4, F 5);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);
}

fn convert(
    values: &[&(dyn ToSql + Sync)],
    types: &[Oid],
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
    let is_utf8 = cx.settings.client_encoding == Encoding::UTF8;
    let mut out = Vec::with_capacity(values.len());
    for (n, (value, type_oid)) in values.iter().zip(types).enumerate() {
        buffer.clear();
        let ty = shown_type(*type_oid, cx)?;
        let null = value
            .to_sql_checked(&ty, buffer)
            .map_err(|e| bad_parameter(n + 1, &ty, &*e))?;
        out.push(match null {
            IsNull::Yes => Datum::Null,
            IsNull::No => {
                let common = is_utf8.then(|| io::receive_common(*type_oid, buffer)).flatten();
                match common {
                    Some(value) => value,
                    None => receive_parameter(*type_oid, buffer, n + 1, cx)?,
                }
            }
        });
    }
    Ok(out)
}

/// A type as `postgres_types` knows it. A domain shows its base type, and text stands for an enum, as it does for columns: a label is
/// sent as its text.
fn shown_type(type_oid: Oid, cx: &IoContext<'_>) -> PgResult<Type> {
    if let Some(known) = Type::from_oid(type_oid.0) {
        return Ok(known);
    }
    let kind = match cx.names().user_type(type_oid)? {
        None | Some(UserType::Enum) => return Ok(Type::TEXT),
        Some(UserType::Domain { base: like, .. } | UserType::Base { like }) => return shown_type(like, cx),
        Some(UserType::Array { element, .. }) => Kind::Array(shown_type(element, cx)?),
        Some(UserType::Range { subtype }) => Kind::Range(shown_type(subtype, cx)?),
        Some(UserType::Multirange { range }) => Kind::Multirange(shown_type(range, cx)?),
        Some(UserType::Composite { fields }) => {
            let field = |f: &io::CompositeField| Ok(Field::new(f.name.clone(), shown_type(f.type_oid, cx)?));
            Kind::Composite(fields.iter().map(field).collect::<PgResult<_>>()?)
        }
    };
    let name = cx.names().type_name(type_oid)?.unwrap_or_default();
    Ok(Type::new(name, type_oid.0, kind, String::new()))
}

/// A parameter from its binary form; `number` counts from 1.
pub(crate) fn receive_parameter(
    type_oid: Oid,
    bytes: &[u8],
    number: usize,
    cx: &IoContext<'_>,
) -> PgResult<Datum> {
    io::receive(type_oid, -1, bytes, cx).map_err(|e| {
        types::wire::placed(e, || {
            format!("incorrect binary data format in bind parameter {number}")
        })
    })
}

fn bad_parameter(number: usize, ty: &Type, error: &dyn std::error::Error) -> Error {
    pg_err!(
        DATATYPE_MISMATCH,
        "cannot use the value of parameter ${number} as type {ty}: {error}"
    )
    .into()
}
