//! Input and output of arrays, vectors of small integers and composite values.
use crate::io::{CompositeField, IoContext};
use crate::{ArrayValue, Datum, RecordValue};
use common::{Oid, PgResult, unsupported};

pub(crate) fn int2vector_in(_: &str, _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    Err(unsupported!("array input"))
}
pub(crate) fn oidvector_in(_: &str, _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    Err(unsupported!("array input"))
}
pub(crate) fn vector_out(_: &Datum, _: &IoContext<'_>, _: &mut String) -> PgResult<()> {
    Err(unsupported!("array output"))
}
pub(crate) fn array_recv_any(_: &[u8], _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    Err(unsupported!("array receive"))
}
pub(crate) fn array_send_any(_: &Datum, _: &IoContext<'_>, _: &mut Vec<u8>) -> PgResult<()> {
    Err(unsupported!("array send"))
}
pub(crate) fn array_in(_: Oid, _: i32, _: char, _: &str, _: &IoContext<'_>) -> PgResult<Datum> {
    Err(unsupported!("array input"))
}
pub(crate) fn array_out(_: &ArrayValue, _: char, _: &IoContext<'_>, _: &mut String) -> PgResult<()> {
    Err(unsupported!("array output"))
}
pub(crate) fn array_recv(_: Oid, _: i32, _: &[u8], _: &IoContext<'_>) -> PgResult<Datum> {
    Err(unsupported!("array receive"))
}
pub(crate) fn array_send(_: &ArrayValue, _: &IoContext<'_>, _: &mut Vec<u8>) -> PgResult<()> {
    Err(unsupported!("array send"))
}
pub(crate) fn record_in(_: Oid, _: &[CompositeField], _: &str, _: &IoContext<'_>) -> PgResult<Datum> {
    Err(unsupported!("composite input"))
}
pub(crate) fn record_out(_: &RecordValue, _: &IoContext<'_>, _: &mut String) -> PgResult<()> {
    Err(unsupported!("composite output"))
}
pub(crate) fn record_recv(_: Oid, _: &[CompositeField], _: &[u8], _: &IoContext<'_>) -> PgResult<Datum> {
    Err(unsupported!("composite receive"))
}
pub(crate) fn record_send(_: &RecordValue, _: &IoContext<'_>, _: &mut Vec<u8>) -> PgResult<()> {
    Err(unsupported!("composite send"))
}
