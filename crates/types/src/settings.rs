//! The session settings that shape how values are read and printed.

use common::Oid;

use crate::encoding::Encoding;
use crate::xml::{XmlBinary, XmlOption};

/// Order of day, month and year in ambiguous input and some output styles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub enum DateOrder {
    Ymd,
    Dmy,
    #[default]
    Mdy,
}

/// `DateStyle`'s first word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub enum DateStyle {
    #[default]
    Iso,
    Sql,
    Postgres,
    German,
}

/// `IntervalStyle`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub enum IntervalStyle {
    #[default]
    Postgres,
    PostgresVerbose,
    SqlStandard,
    Iso8601,
}

/// `bytea_output`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub enum ByteaOutput {
    #[default]
    Hex,
    Escape,
}

/// A snapshot of those settings, made when a statement starts. Cheap to clone.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct FormatSettings {
    pub date_order: DateOrder,
    pub date_style: DateStyle,
    pub interval_style: IntervalStyle,
    pub bytea_output: ByteaOutput,
    pub xml_option: XmlOption,
    pub xml_binary: XmlBinary,
    pub extra_float_digits: i32,
    /// The session's time zone, by `jiff`: an IANA name, a fixed offset or a POSIX rule.
    pub time_zone: jiff::tz::TimeZone,
    /// What `SHOW TimeZone` prints for it.
    pub time_zone_name: std::sync::Arc<str>,
    /// Start of the transaction, microseconds since 2000-01-01 UTC: what `'now'`, `'today'` mean.
    pub transaction_timestamp: i64,
    /// `client_encoding`: of texts in binary form.
    pub client_encoding: Encoding,
}

impl Default for FormatSettings {
    fn default() -> FormatSettings {
        FormatSettings {
            date_order: DateOrder::default(),
            date_style: DateStyle::default(),
            interval_style: IntervalStyle::default(),
            bytea_output: ByteaOutput::default(),
            xml_option: XmlOption::default(),
            xml_binary: XmlBinary::default(),
            extra_float_digits: 1,
            time_zone: jiff::tz::TimeZone::UTC,
            time_zone_name: "UTC".into(),
            transaction_timestamp: 0,
            client_encoding: Encoding::UTF8,
        }
    }
}

/// A type with its modifier, as casts and column definitions name it. `typmod` is -1 when there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[allow(missing_docs)]
pub struct TypeRef {
    pub oid: Oid,
    pub typmod: i32,
}

impl TypeRef {
    /// The type without a modifier.
    pub const fn plain(oid: Oid) -> TypeRef {
        TypeRef { oid, typmod: -1 }
    }
}
