//! Text and binary input and output of every type, driven by one table.
//!
//! # How it works
//! [`TypeIo`] holds the four functions of a type; [`TABLE`] maps OIDs to them, one line per type, each family's functions
//! live in a module of their own. Arrays and records go through the same functions for their elements. What only a catalog
//! knows (names behind `reg*` values, types made by users) is asked of a [`NameResolver`].
//!
//! # Not here
//! Casts between types (`functions`), domain constraints (`expr`).

use std::sync::Arc;

use common::cancel::CancelToken;
use common::{Oid, PgError, PgResult, internal, pg_err, pieces, unsupported};

use crate::encoding::Encoding;
use crate::settings::TypeRef;
use crate::textsearch::{query, vector};
use crate::{
    Datum, FormatSettings, PhysType, Vector, VectorData, builtin, io_acl, io_array, io_binary, io_bit,
    io_datetime, io_geo, io_json, io_money, io_net, io_number, io_range, io_record, io_system, io_text,
    io_xml, oids, wire,
};

/// Which kind of object a `reg*` value names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum RegKind {
    Proc,
    Procedure,
    Oper,
    Operator,
    Class,
    Type,
    Role,
    Namespace,
    Collation,
    Config,
    Dictionary,
}

/// What the catalog knows about a type that is not in the table.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum UserType {
    /// A base type with the values of a built-in one.
    Base {
        like: Oid,
    },
    Enum,
    Domain {
        base: Oid,
        typmod: i32,
    },
    Composite {
        fields: Vec<CompositeField>,
    },
    Array {
        element: Oid,
        delimiter: char,
    },
    Range {
        subtype: Oid,
    },
    Multirange {
        range: Oid,
    },
}

/// One attribute of a composite type.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct CompositeField {
    pub name: String,
    pub type_oid: Oid,
    pub typmod: i32,
}

/// Names and user types, answered by whoever holds a catalog.
pub trait NameResolver {
    /// The OID behind a name as written by the user (`regclass` input and so on); errors as PostgreSQL's (42P01, 42883...).
    fn resolve(&self, kind: RegKind, name: &str) -> PgResult<Oid> {
        let _ = name;
        Err(unsupported!("names of kind {kind:?} cannot be resolved here"))
    }
    /// A type as a user writes it, with its modifier.
    fn resolve_type(&self, name: &str) -> PgResult<TypeRef> {
        Ok(TypeRef::plain(self.resolve(RegKind::Type, name)?))
    }
    /// The name to print, quoted and qualified as needed; `None` prints the number.
    fn name_of(&self, kind: RegKind, oid: Oid) -> PgResult<Option<String>> {
        let _ = (kind, oid);
        Ok(None)
    }
    /// A type made by a user.
    fn user_type(&self, type_oid: Oid) -> PgResult<Option<UserType>> {
        let _ = type_oid;
        Ok(None)
    }
    /// OID of an enum label; `None` when the type has no such label.
    fn enum_label_oid(&self, type_oid: Oid, label: &str) -> PgResult<Option<Oid>> {
        let _ = (type_oid, label);
        Ok(None)
    }
    /// OIDs of the labels of an enum type, in order.
    fn enum_label_oids(&self, type_oid: Oid) -> PgResult<Vec<Oid>> {
        let _ = type_oid;
        Ok(Vec::new())
    }
    /// 55P04 for a label that the running transaction added to a type that it did not make.
    fn check_enum_label(&self, label_oid: Oid) -> PgResult<()> {
        let _ = label_oid;
        Ok(())
    }
    /// Label of an enum value.
    fn enum_label(&self, label_oid: Oid) -> PgResult<Option<String>> {
        let _ = label_oid;
        Ok(None)
    }
    /// Checks a value (or NULL) against the constraints of a domain and of the domains below it.
    fn check_domain(&self, domain: Oid, value: &Datum) -> PgResult<()> {
        let _ = (domain, value);
        Ok(())
    }
    /// Sends a notice to the client.
    fn notice(&self, notice: Box<PgError>) {
        let _ = notice;
    }
    /// What `format_type(oid, -1)` prints, for messages.
    fn type_name(&self, type_oid: Oid) -> PgResult<Option<String>> {
        let _ = type_oid;
        Ok(None)
    }
}

/// A resolver that knows nothing: built-in types only, `reg*` values as numbers.
pub struct NoNames;

impl NameResolver for NoNames {}

/// What input and output may depend on besides the value.
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct IoContext<'a> {
    pub settings: &'a FormatSettings,
    pub resolver: Option<&'a dyn NameResolver>,
    /// Looked at by long values and between the parts of compound ones.
    pub cancel: &'a CancelToken,
}

impl<'a> IoContext<'a> {
    /// A context without a catalog, outside of statements.
    pub fn new(settings: &'a FormatSettings) -> IoContext<'a> {
        IoContext {
            settings,
            resolver: None,
            cancel: CancelToken::never(),
        }
    }

    /// The resolver, or one that knows nothing.
    pub fn names(&self) -> &'a dyn NameResolver {
        self.resolver.unwrap_or(&NoNames)
    }
}

/// Reads text; the second argument is the type modifier (-1: none), which is applied as PostgreSQL's input functions do.
pub type InputFn = fn(&str, i32, &IoContext<'_>) -> PgResult<Datum>;
/// Appends the text of a non-NULL datum.
pub type OutputFn = fn(&Datum, &IoContext<'_>, &mut String) -> PgResult<()>;
/// Reads the binary wire format.
pub type ReceiveFn = fn(&[u8], i32, &IoContext<'_>) -> PgResult<Datum>;
/// Appends the binary wire format of a non-NULL datum.
pub type SendFn = fn(&Datum, &IoContext<'_>, &mut Vec<u8>) -> PgResult<()>;

/// The functions of one type.
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct TypeIo {
    pub input: InputFn,
    pub output: OutputFn,
    pub receive: ReceiveFn,
    pub send: SendFn,
}

/// A table line from a module that has `PREFIX_in`, `PREFIX_out`, `PREFIX_recv` and `PREFIX_send`.
macro_rules! entry {
    ($oid:ident, $module:ident :: $input:ident, $output:ident, $receive:ident, $send:ident) => {
        (
            oids::$oid,
            TypeIo {
                input: $module::$input,
                output: $module::$output,
                receive: $module::$receive,
                send: $module::$send,
            },
        )
    };
}

/// One line per built-in type, by OID.
#[rustfmt::skip]
static TABLE: &[(Oid, TypeIo)] = &[
    entry!(BOOL, io_text::bool_in, bool_out, bool_recv, bool_send),
    entry!(CHAR, io_text::char_in, char_out, char_recv, char_send),
    entry!(NAME, io_text::name_in, text_out, name_recv, text_send),
    entry!(INT8, io_number::int8_in, int_out, int8_recv, int_send),
    entry!(INT2, io_number::int2_in, int_out, int2_recv, int_send),
    entry!(INT2VECTOR, io_array::int2vector_in, vector_out, int2vector_recv, vector_send),
    entry!(INT4, io_number::int4_in, int_out, int4_recv, int_send),
    entry!(TEXT, io_text::text_in, text_out, text_recv, text_send),
    entry!(OID, io_number::oid_in, int_out, oid_recv, int_send),
    entry!(XID, io_number::xid_in, int_out, oid_recv, int_send),
    entry!(CID, io_number::cid_in, int_out, oid_recv, int_send),
    entry!(OIDVECTOR, io_array::oidvector_in, vector_out, oidvector_recv, vector_send),
    entry!(XML, io_xml::xml_in, xml_out, xml_recv, xml_send),
    entry!(PG_NODE_TREE, io_text::text_in, text_out, text_recv, text_send),
    entry!(FLOAT4, io_number::float4_in, float4_out, float4_recv, float4_send),
    entry!(FLOAT8, io_number::float8_in, float8_out, float8_recv, float8_send),
    entry!(UNKNOWN, io_text::text_in, text_out, text_recv, text_send),
    (oids::ACLITEM, TypeIo { input: io_acl::aclitem_in, output: io_text::text_out, receive: io_acl::aclitem_recv, send: io_text::text_send }),
    entry!(BPCHAR, io_text::bpchar_in, text_out, bpchar_recv, text_send),
    entry!(VARCHAR, io_text::varchar_in, text_out, varchar_recv, text_send),
    entry!(NUMERIC, io_number::numeric_in, numeric_out, numeric_recv, numeric_send),
    entry!(REFCURSOR, io_text::text_in, text_out, text_recv, text_send),
    entry!(VOID, io_text::void_in, text_out, void_recv, text_send),
    entry!(CSTRING, io_text::text_in, text_out, text_recv, text_send),
    entry!(XID8, io_number::xid8_in, xid8_out, int8_recv, int_send),
    entry!(BYTEA, io_binary::bytea_in, bytea_out, bytea_recv, bytea_send),
    entry!(UUID, io_binary::uuid_in, uuid_out, uuid_recv, uuid_send),
    entry!(DATE, io_datetime::date_in, date_out, date_recv, date_send),
    entry!(TIME, io_datetime::time_in, time_out, time_recv, micros_send),
    entry!(TIMETZ, io_datetime::timetz_in, timetz_out, timetz_recv, timetz_send),
    entry!(TIMESTAMP, io_datetime::timestamp_in, timestamp_out, timestamp_recv, micros_send),
    entry!(TIMESTAMPTZ, io_datetime::timestamptz_in, timestamptz_out, timestamp_recv, micros_send),
    entry!(INTERVAL, io_datetime::interval_in, interval_out, interval_recv, interval_send),
    (oids::MONEY, TypeIo { input: io_money::money_in, output: io_money::money_out, receive: io_money::money_recv, send: io_number::int_send }),
    (oids::BIT, TypeIo { input: io_bit::bit_in, output: io_bit::bit_out, receive: io_bit::bit_recv, send: io_binary::bytea_send }),
    (oids::VARBIT, TypeIo { input: io_bit::varbit_in, output: io_bit::bit_out, receive: io_bit::varbit_recv, send: io_binary::bytea_send }),
    entry!(INET, io_net::inet_in, inet_out, inet_recv, inet_send),
    entry!(CIDR, io_net::cidr_in, cidr_out, cidr_recv, cidr_send),
    (oids::MACADDR, TypeIo { input: io_net::macaddr_in, output: io_net::macaddr_out, receive: io_net::macaddr_recv, send: io_binary::bytea_send }),
    (oids::MACADDR8, TypeIo { input: io_net::macaddr8_in, output: io_net::macaddr_out, receive: io_net::macaddr8_recv, send: io_binary::bytea_send }),
    entry!(TID, io_system::tid_in, tid_out, tid_recv, tid_send),
    (oids::PG_LSN, TypeIo { input: io_system::pg_lsn_in, output: io_system::pg_lsn_out, receive: io_number::int8_recv, send: io_number::int_send }),
    (oids::PG_SNAPSHOT, TypeIo { input: io_system::snapshot_in, output: io_system::snapshot_out, receive: io_system::snapshot_recv, send: io_binary::bytea_send }),
    (oids::TXID_SNAPSHOT, TypeIo { input: io_system::snapshot_in, output: io_system::snapshot_out, receive: io_system::snapshot_recv, send: io_binary::bytea_send }),
    (oids::POINT, TypeIo { input: io_geo::point_in, output: io_geo::point_out, receive: io_geo::point_recv, send: io_binary::bytea_send }),
    (oids::LSEG, TypeIo { input: io_geo::lseg_in, output: io_geo::lseg_out, receive: io_geo::lseg_recv, send: io_binary::bytea_send }),
    (oids::LINE, TypeIo { input: io_geo::line_in, output: io_geo::line_out, receive: io_geo::line_recv, send: io_binary::bytea_send }),
    (oids::BOX, TypeIo { input: io_geo::box_in, output: io_geo::box_out, receive: io_geo::box_recv, send: io_binary::bytea_send }),
    (oids::PATH, TypeIo { input: io_geo::path_in, output: io_geo::path_out, receive: io_geo::path_recv, send: io_binary::bytea_send }),
    (oids::POLYGON, TypeIo { input: io_geo::polygon_in, output: io_geo::polygon_out, receive: io_geo::polygon_recv, send: io_binary::bytea_send }),
    (oids::CIRCLE, TypeIo { input: io_geo::circle_in, output: io_geo::circle_out, receive: io_geo::circle_recv, send: io_binary::bytea_send }),
    (
        oids::JSON,
        TypeIo {
            input: io_binary::json_in,
            output: io_text::text_out,
            receive: io_binary::json_recv,
            send: io_text::text_send,
        },
    ),
    entry!(TSVECTOR, vector::tsvector_in, tsvector_out, tsvector_recv, tsvector_send),
    entry!(TSQUERY, query::tsquery_in, tsquery_out, tsquery_recv, tsquery_send),
    entry!(JSONB, io_json::jsonb_in, jsonb_out, jsonb_recv, jsonb_send),
    entry!(JSONPATH, io_json::jsonpath_in, jsonpath_out, jsonpath_recv, jsonpath_send),
];

const fn reg_kind(type_oid: Oid) -> Option<RegKind> {
    Some(match type_oid {
        oids::REGPROC => RegKind::Proc,
        oids::REGPROCEDURE => RegKind::Procedure,
        oids::REGOPER => RegKind::Oper,
        oids::REGOPERATOR => RegKind::Operator,
        oids::REGCLASS => RegKind::Class,
        oids::REGTYPE => RegKind::Type,
        oids::REGROLE => RegKind::Role,
        oids::REGNAMESPACE => RegKind::Namespace,
        oids::REGCOLLATION => RegKind::Collation,
        oids::REGCONFIG => RegKind::Config,
        oids::REGDICTIONARY => RegKind::Dictionary,
        _ => return None,
    })
}

/// The functions of a built-in scalar type.
pub fn type_io(type_oid: Oid) -> Option<&'static TypeIo> {
    TABLE.iter().find(|(oid, _)| *oid == type_oid).map(|(_, io)| io)
}

/// What kind of type it is when it is not in the table.
pub(crate) fn other_type(type_oid: Oid, ctx: &IoContext<'_>) -> PgResult<UserType> {
    if let Some(row) = builtin::type_row(type_oid) {
        if row.is_array() {
            return Ok(UserType::Array {
                element: row.typelem,
                delimiter: array_delimiter(row.typelem),
            });
        }
    }
    if let Some(found) = io_range::builtin_type(type_oid) {
        return Ok(found);
    }
    if let Some(found) = ctx.names().user_type(type_oid)? {
        return Ok(found);
    }
    Err(no_io(type_oid))
}

fn array_delimiter(element: Oid) -> char {
    builtin::type_row(element).map_or(',', |e| char::from(e.typdelim))
}

#[cold]
fn no_io(type_oid: Oid) -> Box<PgError> {
    match builtin::type_row(type_oid) {
        Some(t) if t.typtype == b'p' => {
            pg_err!(
                FEATURE_NOT_SUPPORTED,
                "cannot accept a value of type {}",
                t.typname
            )
        }
        Some(t) => unsupported!("type {} is not implemented yet", t.typname),
        None => internal!("cache lookup failed for type {type_oid}"),
    }
}

/// Text to value. `typmod` is applied (length checks, rounding); -1 for none.
pub fn input(type_oid: Oid, typmod: i32, text: &str, ctx: &IoContext<'_>) -> PgResult<Datum> {
    ctx.cancel.check()?;
    if let Some(io) = type_io(type_oid) {
        return (io.input)(text, typmod, ctx);
    }
    if let Some(kind) = reg_kind(type_oid) {
        return io_number::reg_in(kind, text, ctx);
    }
    if type_oid == oids::RECORD {
        return Err(unsupported!(
            "input of anonymous composite types is not implemented"
        ));
    }
    match other_type(type_oid, ctx)? {
        UserType::Base { like } => input(like, typmod, text, ctx),
        UserType::Enum => io_text::enum_in(type_oid, text, ctx),
        UserType::Domain { base, typmod } => {
            let value = input(base, typmod, text, ctx)?;
            ctx.names().check_domain(type_oid, &value)?;
            Ok(value)
        }
        UserType::Array { element, delimiter } => io_array::array_in(element, typmod, delimiter, text, ctx),
        UserType::Composite { fields } => io_record::record_in(type_oid, &fields, text, ctx),
        UserType::Range { subtype } => io_range::range_in(type_oid, subtype, typmod, text, ctx),
        UserType::Multirange { range } => io_range::multirange_in(type_oid, range, typmod, text, ctx),
    }
}

/// NULL as a value of a type: only a domain may refuse it.
pub fn input_null(type_oid: Oid, ctx: &IoContext<'_>) -> PgResult<Datum> {
    if type_oid >= Oid::FIRST_NORMAL
        && let Some(UserType::Domain { .. }) = ctx.names().user_type(type_oid)?
    {
        ctx.names().check_domain(type_oid, &Datum::Null)?;
    }
    Ok(Datum::Null)
}

/// Value to text, appended to `out`. The datum must not be NULL.
pub fn output(type_oid: Oid, value: &Datum, ctx: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    ctx.cancel.check()?;
    if let Some(io) = type_io(type_oid) {
        return (io.output)(value, ctx, out);
    }
    match value {
        Datum::Array(a) => {
            let delimiter = array_delimiter(a.element_type);
            io_array::array_out(a, delimiter, ctx, out)
        }
        Datum::Record(r) => io_record::record_out(r, ctx, out),
        Datum::Range(r) => io_range::range_out(r, ctx, out),
        Datum::Multirange(m) => io_range::multirange_out(m, ctx, out),
        Datum::Oid(v) => match reg_kind(type_oid) {
            Some(kind) => io_number::reg_out(kind, Oid(*v), ctx, out),
            None => match other_type(type_oid, ctx)? {
                UserType::Domain { base: like, .. } | UserType::Base { like } => {
                    output(like, value, ctx, out)
                }
                _ => io_text::enum_out(Oid(*v), ctx, out),
            },
        },
        _ => match other_type(type_oid, ctx)? {
            UserType::Domain { base: like, .. } | UserType::Base { like } => output(like, value, ctx, out),
            _ => Err(no_io(type_oid)),
        },
    }
}

/// Row `i` of a vector to text, without a datum in between for the common classes. The row must not be NULL.
pub fn output_at(
    type_oid: Oid,
    vector: &Vector,
    i: usize,
    ctx: &IoContext<'_>,
    out: &mut String,
) -> PgResult<()> {
    let k = vector.index(i);
    match (vector.data(), type_oid) {
        (VectorData::Int2(v), oids::INT2) => io_number::push_int(i64::from(v[k]), out),
        (VectorData::Int4(v), oids::INT4) => io_number::push_int(i64::from(v[k]), out),
        (VectorData::Int8(v), oids::INT8) => io_number::push_int(v[k], out),
        (VectorData::Oid(v), oids::OID) => io_number::push_int(i64::from(v[k]), out),
        (VectorData::Bool(v), oids::BOOL) => out.push(if v[k] { 't' } else { 'f' }),
        // Every type of class Text prints its bytes, but for XML with a declaration.
        (VectorData::Text(v), oids::XML) => crate::xml::push_output(v.str(k), ctx.cancel, out)?,
        (VectorData::Text(v), _) => pieces::append(ctx.cancel, v.str(k), out)?,
        _ => return output(type_oid, &vector.datum(i), ctx, out),
    }
    Ok(())
}

/// Wire bytes to value for what most parameters are, if the client's encoding is UTF-8; None for anything else, and for what is wrong.
pub fn receive_common(type_oid: Oid, bytes: &[u8]) -> Option<Datum> {
    match type_oid {
        oids::INT4 => Some(Datum::Int4(i32::from_be_bytes(bytes.try_into().ok()?))),
        oids::INT8 => Some(Datum::Int8(i64::from_be_bytes(bytes.try_into().ok()?))),
        oids::TEXT | oids::VARCHAR => io_text::utf8(bytes).ok().map(text_datum),
        _ => None,
    }
}

/// Wire bytes to value.
pub fn receive(type_oid: Oid, typmod: i32, bytes: &[u8], ctx: &IoContext<'_>) -> PgResult<Datum> {
    ctx.cancel.check()?;
    if let Some(io) = type_io(type_oid) {
        if let Some(size) = wire::fixed_size(type_oid)
            && bytes.len() > size
        {
            // What is wrong with the value comes first.
            (io.receive)(&bytes[..size], typmod, ctx)?;
            return Err(wire::trailing());
        }
        return (io.receive)(bytes, typmod, ctx);
    }
    if reg_kind(type_oid).is_some() {
        let mut wire = wire::Wire(bytes);
        let oid = wire.int()?;
        wire::done(wire.0)?;
        return Ok(Datum::Oid(oid as u32));
    }
    match other_type(type_oid, ctx)? {
        UserType::Base { like } => receive(like, typmod, bytes, ctx),
        UserType::Enum => {
            let label = io_text::from_client(bytes, ctx)?;
            io_text::enum_in(type_oid, &label, ctx)
        }
        UserType::Domain { base, typmod } => {
            let own = wire::length_of(base, bytes).map_or(bytes.len(), |n| n.min(bytes.len()));
            let value = receive(base, typmod, &bytes[..own], ctx)?;
            ctx.names().check_domain(type_oid, &value)?;
            wire::done(&bytes[own..])?;
            Ok(value)
        }
        UserType::Array { element, .. } => io_array::array_recv(element, typmod, bytes, ctx),
        UserType::Composite { fields } => io_record::record_recv(type_oid, &fields, bytes, ctx),
        UserType::Range { subtype } => io_range::range_recv(type_oid, subtype, typmod, bytes, ctx),
        UserType::Multirange { range } => io_range::multirange_recv(type_oid, range, typmod, bytes, ctx),
    }
}

/// Value to wire bytes, appended to `out`. The datum must not be NULL.
pub fn send(type_oid: Oid, value: &Datum, ctx: &IoContext<'_>, out: &mut Vec<u8>) -> PgResult<()> {
    ctx.cancel.check()?;
    if let Some(io) = type_io(type_oid) {
        return (io.send)(value, ctx, out);
    }
    match value {
        Datum::Array(a) => io_array::array_send(a, ctx, out),
        Datum::Record(r) => io_record::record_send(r, ctx, out),
        Datum::Range(r) => io_range::range_send(r, ctx, out),
        Datum::Multirange(m) => io_range::multirange_send(m, ctx, out),
        Datum::Oid(v) if reg_kind(type_oid).is_some() => {
            out.extend_from_slice(&v.to_be_bytes());
            Ok(())
        }
        Datum::Oid(v) => {
            let kind = other_type(type_oid, ctx)?;
            if let UserType::Domain { base: like, .. } | UserType::Base { like } = kind {
                return send(like, value, ctx, out);
            }
            let mut label = String::new();
            io_text::enum_out(Oid(*v), ctx, &mut label)?;
            out.extend_from_slice(label.as_bytes());
            Ok(())
        }
        _ => match other_type(type_oid, ctx)? {
            UserType::Domain { base: like, .. } | UserType::Base { like } => send(like, value, ctx, out),
            _ => Err(no_io(type_oid)),
        },
    }
}

/// Wire bytes of the values that need no work: text as it lies there, small numbers through `number`. `None`: ask [`send`].
pub fn send_plain<'v>(type_oid: Oid, value: &'v Datum, number: &'v mut [u8; 8]) -> Option<&'v [u8]> {
    Some(match (value, type_oid) {
        (Datum::Text(v), t) if t != oids::JSONPATH => v.as_bytes(),
        (Datum::Int4(v), oids::INT4) => {
            number[..4].copy_from_slice(&v.to_be_bytes());
            &number[..4]
        }
        (Datum::Int8(v), oids::INT8) => {
            *number = v.to_be_bytes();
            number
        }
        (Datum::Float8(v), oids::FLOAT8) => {
            *number = v.to_be_bytes();
            number
        }
        _ => return None,
    })
}

/// Row `i` of a vector to wire bytes. The row must not be NULL.
pub fn send_at(
    type_oid: Oid,
    vector: &Vector,
    i: usize,
    ctx: &IoContext<'_>,
    out: &mut Vec<u8>,
) -> PgResult<()> {
    let k = vector.index(i);
    match (vector.data(), type_oid) {
        (VectorData::Int2(v), oids::INT2) => out.extend_from_slice(&v[k].to_be_bytes()),
        (VectorData::Int4(v), oids::INT4) => out.extend_from_slice(&v[k].to_be_bytes()),
        (VectorData::Int8(v), oids::INT8) => out.extend_from_slice(&v[k].to_be_bytes()),
        (VectorData::Float8(v), oids::FLOAT8) => out.extend_from_slice(&v[k].to_be_bytes()),
        (VectorData::Text(v), t) if t != oids::JSONPATH && ctx.settings.client_encoding == Encoding::UTF8 => {
            out.extend_from_slice(v.bytes(k));
        }
        _ => return send(type_oid, &vector.datum(i), ctx, out),
    }
    Ok(())
}

/// A value as a string of its own.
pub fn to_text(type_oid: Oid, value: &Datum, ctx: &IoContext<'_>) -> PgResult<String> {
    let mut out = String::new();
    output(type_oid, value, ctx, &mut out)?;
    Ok(out)
}

/// True when both types print alike and share a class, so that a cast between them copies.
pub fn is_binary_text(type_oid: Oid) -> bool {
    PhysType::of_builtin(type_oid) == PhysType::Text
}

/// The error every input function ends in when text makes no sense (22P02).
#[cold]
pub fn invalid_input(type_name: &str, text: &str) -> Box<PgError> {
    pg_err!(
        INVALID_TEXT_REPRESENTATION,
        "invalid input syntax for type {type_name}: \"{text}\""
    )
}

/// The error for numbers that do not fit (22003).
#[cold]
pub fn out_of_range(type_name: &str, text: &str) -> Box<PgError> {
    pg_err!(
        NUMERIC_VALUE_OUT_OF_RANGE,
        "value \"{text}\" is out of range for type {type_name}"
    )
}

/// A datum that does not belong to the type it is printed as: a bug of ours.
#[cold]
pub fn wrong_datum(type_name: &str, value: &Datum) -> Box<PgError> {
    internal!("{type_name} value expected, got {value:?}")
}

/// A text datum.
pub(crate) fn text_datum(s: &str) -> Datum {
    Datum::Text(Arc::from(s))
}
