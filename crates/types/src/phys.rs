//! The storage classes: how values of an SQL type lie in datums and vectors.

use common::Oid;

use crate::{builtin, oids};

/// The in-memory representation behind an SQL type. Many SQL types share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PhysType {
    /// `bool`.
    Bool,
    /// `"char"`: one byte.
    Char,
    /// `int2`.
    Int2,
    /// `int4`, `date` (days since 2000-01-01).
    Int4,
    /// `int8`, `time`, `timestamp`, `timestamptz` (microseconds since 2000-01-01), `money`, `tid` (row id), `pg_lsn`, `xid8`.
    Int8,
    /// Unsigned 32 bits: `oid`, the `reg*` types, `xid`, `cid`, enums (OID of the label).
    Oid,
    /// `float4`.
    Float4,
    /// `float8`.
    Float8,
    /// `interval`.
    Interval,
    /// `uuid`.
    Uuid,
    /// `numeric`.
    Numeric,
    /// UTF-8: `text`, `varchar`, `bpchar`, `name`, `json`, `xml`, `cstring`, `unknown`.
    Text,
    /// Raw bytes: `bytea`, and types with an encoding of their own (`jsonb`, `inet`, `bit`, `tsvector`, geometric types, `timetz`...).
    Bytes,
    /// A structured datum per row: arrays, composite values, ranges, multiranges.
    Nested,
}

impl PhysType {
    /// The class of a built-in type; arrays and types made by users are decided by `typtype` in the catalog
    /// (enums [`PhysType::Oid`], composites, arrays and ranges [`PhysType::Nested`], domains: their base type's).
    pub fn of_builtin(type_oid: Oid) -> PhysType {
        match type_oid {
            oids::BOOL => PhysType::Bool,
            oids::CHAR => PhysType::Char,
            oids::INT2 => PhysType::Int2,
            oids::INT4 | oids::DATE => PhysType::Int4,
            oids::INT8
            | oids::TIME
            | oids::TIMESTAMP
            | oids::TIMESTAMPTZ
            | oids::MONEY
            | oids::TID
            | oids::PG_LSN
            | oids::XID8 => PhysType::Int8,
            oids::OID
            | oids::XID
            | oids::CID
            | oids::REGPROC
            | oids::REGPROCEDURE
            | oids::REGOPER
            | oids::REGOPERATOR
            | oids::REGCLASS
            | oids::REGTYPE
            | oids::REGROLE
            | oids::REGNAMESPACE
            | oids::REGCONFIG
            | oids::REGDICTIONARY
            | oids::REGCOLLATION => PhysType::Oid,
            oids::FLOAT4 => PhysType::Float4,
            oids::FLOAT8 => PhysType::Float8,
            oids::INTERVAL => PhysType::Interval,
            oids::UUID => PhysType::Uuid,
            oids::NUMERIC => PhysType::Numeric,
            oids::TEXT
            | oids::VARCHAR
            | oids::BPCHAR
            | oids::NAME
            | oids::JSON
            | oids::XML
            | oids::CSTRING
            | oids::UNKNOWN
            | oids::REFCURSOR
            | oids::JSONPATH => PhysType::Text,
            oids::PG_NODE_TREE | oids::PG_NDISTINCT | oids::PG_DEPENDENCIES | oids::PG_MCV_LIST => {
                PhysType::Text
            }
            oids::ACLITEM => PhysType::Text,
            oids::VOID => PhysType::Text,
            _ => PhysType::of_other_builtin(type_oid),
        }
    }

    fn of_other_builtin(type_oid: Oid) -> PhysType {
        match builtin::type_row(type_oid) {
            // The domains of `information_schema`.
            Some(t) if t.typbasetype.is_valid() => PhysType::of_builtin(t.typbasetype),
            Some(t) if t.is_array() || matches!(t.typtype, b'c' | b'r' | b'm') => PhysType::Nested,
            Some(t) if matches!(t.oid, oids::RECORD | oids::OIDVECTOR | oids::INT2VECTOR) => PhysType::Nested,
            Some(t) if t.typtype == b'p' && t.oid == oids::ANYARRAY => PhysType::Nested,
            Some(_) => PhysType::Bytes,
            // A type of the user's that nobody looked up in the catalog: the general form is always right for it.
            None => PhysType::Nested,
        }
    }

    /// Bytes a value takes inside a vector.
    pub fn fixed_width(self) -> usize {
        match self {
            PhysType::Bool | PhysType::Char => 1,
            PhysType::Int2 => 2,
            PhysType::Int4 | PhysType::Oid | PhysType::Float4 => 4,
            PhysType::Int8 | PhysType::Float8 => 8,
            PhysType::Interval | PhysType::Uuid | PhysType::Numeric | PhysType::Text | PhysType::Bytes => 16,
            PhysType::Nested => 24,
        }
    }
}
