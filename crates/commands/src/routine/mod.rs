//! Functions and procedures made by users.

pub(crate) mod alter;
pub(crate) mod attributes;
pub(crate) mod call;
pub(crate) mod create;
pub(crate) mod find;
pub(crate) mod inline;
pub(crate) mod params;

use catalog::CatalogView;
use common::{Oid, PgError, PgResult};
use types::settings::TypeRef;

/// The parser's settings.
pub fn parse_options(guc: &crate::guc::GucStore) -> parser::ParseOptions {
    parser::ParseOptions {
        standard_conforming_strings: guc.get_bool("standard_conforming_strings"),
        escape_string_warning: guc.get_bool("escape_string_warning"),
        backslash_quote: match guc.get("backslash_quote") {
            "on" => parser::BackslashQuote::On,
            "off" => parser::BackslashQuote::Off,
            _ => parser::BackslashQuote::SafeEncoding,
        },
        transform_null_equals: guc.get_bool("transform_null_equals"),
        ..parser::ParseOptions::default()
    }
}

/// Columns of a composite type (or a domain over one), dropped ones left out; `None` for other types.
pub fn composite_columns(type_oid: Oid, view: &dyn CatalogView) -> PgResult<Option<Vec<TypeRef>>> {
    let Some(desc) = view.type_desc(type_oid)? else {
        return Ok(None);
    };
    match desc.kind {
        b'd' => composite_columns(desc.base_type, view),
        b'c' => {
            let relation = view.relation(desc.relation)?;
            let columns = relation
                .iter()
                .flat_map(|r| r.columns.iter().filter(|c| !c.dropped));
            Ok(Some(columns.map(|c| c.type_ref).collect()))
        }
        _ => Ok(None),
    }
}

/// An error in a text that is not the client's: its place is told together with that text.
pub fn internal_position(mut e: Box<PgError>, text: &str) -> Box<PgError> {
    if let Some(at) = e.position.take() {
        let before = text.get(..at as usize).unwrap_or(text);
        e.internal_position = Some(before.chars().count() as u32 + 1);
        e.internal_query = Some(text.to_owned());
    }
    e
}
