//! SQL type names as Rust types, for the lists of `builtins!`.
#![allow(non_camel_case_types, missing_docs)]

use common::Oid;
use types::oids;

use crate::framework::phys;

/// An SQL type in a signature.
pub trait SqlType {
    /// Its OID.
    const OID: Oid;
    /// Its storage class.
    type Phys: phys::Phys;
}

macro_rules! sql_types {
    ($($name:ident $oid:ident $phys:ident),* $(,)?) => {$(
        pub struct $name;
        impl SqlType for $name {
            const OID: Oid = oids::$oid;
            type Phys = phys::$phys;
        }
    )*};
}

sql_types!(
    bool BOOL Bool, char CHAR Char, int2 INT2 Int2, int4 INT4 Int4, int8 INT8 Int8, oid OID Oid, float4 FLOAT4 Float4,
    float8 FLOAT8 Float8, numeric NUMERIC Numeric, money MONEY Int8, text TEXT Text, varchar VARCHAR Text,
    bpchar BPCHAR Text, name NAME Text, cstring CSTRING Text, unknown UNKNOWN Text, void VOID Text, bytea BYTEA Bytes,
    uuid UUID Uuid, date DATE Int4, time TIME Int8, timetz TIMETZ Bytes, timestamp TIMESTAMP Int8,
    timestamptz TIMESTAMPTZ Int8, interval INTERVAL Interval, json JSON Text, jsonb JSONB Bytes, xml XML Text,
    jsonpath JSONPATH Text, tsvector TSVECTOR Bytes, tsquery TSQUERY Bytes, bit BIT Bytes, varbit VARBIT Bytes, inet INET Bytes, cidr CIDR Bytes, macaddr MACADDR Bytes,
    macaddr8 MACADDR8 Bytes, tid TID Int8, xid XID Oid, xid8 XID8 Int8, cid CID Oid, pg_lsn PG_LSN Int8,
    point POINT Bytes, lseg LSEG Bytes, line LINE Bytes, rect BOX Bytes, path PATH Bytes, polygon POLYGON Bytes,
    circle CIRCLE Bytes, pg_snapshot PG_SNAPSHOT Bytes, refcursor REFCURSOR Text, aclitem ACLITEM Text, regproc REGPROC Oid,
    regprocedure REGPROCEDURE Oid, regoper REGOPER Oid, regoperator REGOPERATOR Oid, regclass REGCLASS Oid,
    regtype REGTYPE Oid, regrole REGROLE Oid, regnamespace REGNAMESPACE Oid, regcollation REGCOLLATION Oid,
    regconfig REGCONFIG Oid, regdictionary REGDICTIONARY Oid, pg_node_tree PG_NODE_TREE Text,
    oidvector OIDVECTOR Nested, int2vector INT2VECTOR Nested, record RECORD Nested, bool_array BOOL_ARRAY Nested, xml_array XML_ARRAY Nested,
    bytea_array BYTEA_ARRAY Nested, int2_array INT2_ARRAY Nested, int4_array INT4_ARRAY Nested,
    int8_array INT8_ARRAY Nested, float4_array FLOAT4_ARRAY Nested, float8_array FLOAT8_ARRAY Nested,
    numeric_array NUMERIC_ARRAY Nested, text_array TEXT_ARRAY Nested, cstring_array CSTRING_ARRAY Nested,
    anycompatiblemultirange ANYCOMPATIBLEMULTIRANGE Nested, varchar_array VARCHAR_ARRAY Nested,
    name_array NAME_ARRAY Nested, char_array CHAR_ARRAY Nested, oid_array OID_ARRAY Nested,
    aclitem_array ACLITEM_ARRAY Nested, timestamptz_array TIMESTAMPTZ_ARRAY Nested, interval_array INTERVAL_ARRAY Nested, any ANY Nested,
    anyelement ANYELEMENT Nested, anyarray ANYARRAY Nested, anynonarray ANYNONARRAY Nested, anyenum ANYENUM Oid,
    anyrange ANYRANGE Nested, anymultirange ANYMULTIRANGE Nested, anycompatible ANYCOMPATIBLE Nested,
    anycompatiblearray ANYCOMPATIBLEARRAY Nested, anycompatiblenonarray ANYCOMPATIBLENONARRAY Nested,
    anycompatiblerange ANYCOMPATIBLERANGE Nested, int4range INT4RANGE Nested, int8range INT8RANGE Nested, numrange NUMRANGE Nested, tsrange TSRANGE Nested,
    tstzrange TSTZRANGE Nested,
    daterange DATERANGE Nested, int4multirange INT4MULTIRANGE Nested, int4range_array INT4RANGE_ARRAY Nested,
    internal INTERNAL Nested
);
