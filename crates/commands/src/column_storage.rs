//! STORAGE and COMPRESSION of columns: their words, what types allow, and whether definitions that are merged agree.

use catalog::CatalogView;
use catalog::ddl::relation::NewColumn;
use catalog::desc::ColumnDesc;
use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err};
use parser::ast::{self, ColumnDef};
use types::settings::TypeRef;

/// Methods and their letters. Both are accepted; long values are compressed by LZ4 in either case (docs/adr/0011-toast.md).
const COMPRESSION_METHODS: [(&str, u8); 2] = [("pglz", b'p'), ("lz4", b'l')];

/// A parent's column as another parent has it: both must agree.
pub(crate) fn merge_inherited(column: &mut NewColumn, other: &ColumnDesc) -> PgResult<()> {
    check_same_storage(column, other.storage)?;
    merge_compression(column, other.compression, "inherited column")
}

/// An inherited column as the table itself defines it.
pub(crate) fn merge_own(column: &mut NewColumn, own: &NewColumn) -> PgResult<()> {
    column.storage = own.storage.or(column.storage);
    merge_compression(column, own.compression, "column")
}

/// Parents must agree about STORAGE.
fn check_same_storage(column: &NewColumn, other: u8) -> PgResult<()> {
    let Some(before) = column.storage.filter(|before| *before != other) else {
        return Ok(());
    };
    Err(pg_err!(
        DATATYPE_MISMATCH,
        "inherited column \"{}\" has a storage parameter conflict",
        column.name
    )
    .detail(format!("{} versus {}", storage_name(before), storage_name(other))))
}

/// A method that another definition of the column gives: one that names none agrees with all.
fn merge_compression(column: &mut NewColumn, other: u8, what: &str) -> PgResult<()> {
    if column.compression == 0 {
        column.compression = other;
    }
    if other == 0 || column.compression == other {
        return Ok(());
    }
    Err(pg_err!(
        DATATYPE_MISMATCH,
        "{what} \"{}\" has a compression method conflict",
        column.name
    )
    .detail(format!(
        "{} versus {}",
        compression_name(column.compression),
        compression_name(other)
    )))
}

pub(crate) fn storage_letter(
    def: &ColumnDef,
    view: &dyn CatalogView,
    type_ref: TypeRef,
) -> PgResult<Option<u8>> {
    match &def.storage {
        None => Ok(None),
        Some(word) => storage_word(word.as_str(), view, type_ref),
    }
}

/// The letter of a STORAGE word.
pub(crate) fn storage_word(word: &str, view: &dyn CatalogView, type_ref: TypeRef) -> PgResult<Option<u8>> {
    let letter = match word.to_ascii_lowercase().as_str() {
        "plain" => b'p',
        "external" => b'e',
        "extended" => b'x',
        "main" => b'm',
        "default" => return Ok(None),
        _ => {
            return Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "invalid storage type \"{word}\""
            ));
        }
    };
    let toastable = view.type_desc(type_ref.oid)?.is_some_and(|d| d.len == -1);
    if letter != b'p' && !toastable {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "column data type {} can only have storage PLAIN",
            catalog::format_type::format_type(view, type_ref.oid, -1)?
        ));
    }
    Ok(Some(letter))
}

/// The word of a STORAGE letter.
pub(crate) fn storage_name(letter: u8) -> &'static str {
    match letter {
        b'p' => "PLAIN",
        b'e' => "EXTERNAL",
        b'x' => "EXTENDED",
        b'm' => "MAIN",
        _ => "???",
    }
}

/// The letter of a COMPRESSION method in `pg_attribute`; 0: what `default_toast_compression` says.
pub(crate) fn compression_letter(
    name: Option<&ast::Ident>,
    view: &dyn CatalogView,
    type_ref: TypeRef,
) -> PgResult<u8> {
    let method = match name.map(ast::Ident::as_str) {
        None | Some("default") => return Ok(0),
        Some(method) => method,
    };
    if !is_toastable(view, type_ref.oid)? {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "column data type {} does not support compression",
            catalog::format_type::format_type(view, type_ref.oid, -1)?
        ));
    }
    let known = COMPRESSION_METHODS.iter().find(|(known, _)| *known == method);
    known
        .map(|(_, letter)| *letter)
        .ok_or_else(|| pg_err!(INVALID_PARAMETER_VALUE, "invalid compression method \"{method}\""))
}

/// The name of a method that `pg_attribute` has.
pub(crate) fn compression_name(letter: u8) -> &'static str {
    let known = COMPRESSION_METHODS.iter().find(|(_, known)| *known == letter);
    known.map_or("default", |(name, _)| *name)
}

/// True for types whose values may be compressed or leave their rows.
fn is_toastable(view: &dyn CatalogView, type_oid: Oid) -> PgResult<bool> {
    match types::builtin::type_row(type_oid) {
        Some(row) => Ok(row.typstorage != b'p'),
        None => Ok(view.type_desc(type_oid)?.is_some_and(|desc| desc.len == -1)),
    }
}
