//! Names: the search path, quoting, and how objects are shown.

use std::borrow::Cow;

use common::Oid;

use crate::keywords::is_quoted_keyword;
use crate::oids;

/// Name of a built-in schema.
pub fn builtin_namespace(oid: Oid) -> Option<&'static str> {
    Some(match oid {
        oids::PG_CATALOG_NAMESPACE => "pg_catalog",
        oids::PG_TOAST_NAMESPACE => "pg_toast",
        oids::PUBLIC_NAMESPACE => "public",
        oids::INFORMATION_SCHEMA_NAMESPACE => "information_schema",
        _ => return None,
    })
}

/// OID of a built-in schema.
pub fn builtin_namespace_oid(name: &str) -> Option<Oid> {
    Some(match name {
        "pg_catalog" => oids::PG_CATALOG_NAMESPACE,
        "pg_toast" => oids::PG_TOAST_NAMESPACE,
        "public" => oids::PUBLIC_NAMESPACE,
        "information_schema" => oids::INFORMATION_SCHEMA_NAMESPACE,
        _ => return None,
    })
}

/// An identifier as SQL needs it: in double quotes unless it is plain lower case and no reserved word.
pub fn quote_identifier(name: &str) -> Cow<'_, str> {
    let mut chars = name.chars();
    let plain = chars.next().is_some_and(|c| c.is_ascii_lowercase() || c == '_')
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !is_quoted_keyword(name);
    if plain {
        return Cow::Borrowed(name);
    }
    Cow::Owned(format!("\"{}\"", name.replace('"', "\"\"")))
}

/// `schema.name`, quoted where needed.
pub fn quote_qualified(schema: Option<&str>, name: &str) -> String {
    match schema {
        Some(schema) => format!("{}.{}", quote_identifier(schema), quote_identifier(name)),
        None => quote_identifier(name).into_owned(),
    }
}

/// What everybody calls their temporary schema.
pub const TEMP_SCHEMA: &str = "pg_temp";

/// A temporary schema goes by the name that everybody calls their own.
///
/// PG: `get_namespace_name_or_temp`.
pub fn shown_schema(name: &str) -> &str {
    let is_temp = name
        .strip_prefix("pg_temp_")
        .is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
    if is_temp { TEMP_SCHEMA } else { name }
}
