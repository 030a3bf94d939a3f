//! Constraint violations in PostgreSQL's words.

use catalog::desc::RelationDesc;
use common::error::ErrorExt;
use common::{PgError, pg_err};
use functions::framework::session::DefKind;
use types::Datum;
use types::io::{self, IoContext};

use crate::context::ExecContext;

/// Bytes of a value shown in a DETAIL.
const VALUE_BYTES_MAX: usize = 64;

fn io<'a>(ext: &ExecContext<'a>) -> IoContext<'a> {
    IoContext {
        settings: ext.settings,
        resolver: Some(ext.session.resolver()),
        cancel: common::cancel::CancelToken::never(),
    }
}

fn shown(ext: &ExecContext<'_>, type_oid: common::Oid, value: &Datum) -> String {
    if value.is_null() {
        return "null".into();
    }
    io::to_text(type_oid, value, &io(ext)).unwrap_or_else(|_| "?".into())
}

/// `Failing row contains (...).`
fn failing_row(ext: &ExecContext<'_>, desc: &RelationDesc, values: &[Datum]) -> String {
    let mut parts = Vec::new();
    for (column, value) in desc.columns.iter().zip(values) {
        if column.dropped {
            continue;
        }
        if column.generated == b'v' {
            parts.push("virtual".to_owned());
            continue;
        }
        let mut text = shown(ext, column.type_ref.oid, value);
        if text.len() > VALUE_BYTES_MAX {
            let mut end = VALUE_BYTES_MAX;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
            text.push_str("...");
        }
        parts.push(text);
    }
    format!("Failing row contains ({}).", parts.join(", "))
}

/// The error of a row in a partition or child as the statement's table shows the row.
pub(crate) fn seen_from(
    ext: &ExecContext<'_>,
    root: &RelationDesc,
    values: &[Datum],
    mut error: Box<PgError>,
) -> Box<PgError> {
    let shows_row = |d: &String| d.starts_with("Failing row contains (");
    if error.detail.as_ref().is_some_and(shows_row) {
        error.detail = Some(failing_row(ext, root, values));
    }
    error
}

pub(crate) fn not_null(
    ext: &ExecContext<'_>,
    desc: &RelationDesc,
    column: usize,
    values: &[Datum],
) -> Box<PgError> {
    let name = desc.columns.get(column).map_or("?", |c| &c.name);
    pg_err!(
        NOT_NULL_VIOLATION,
        "null value in column \"{name}\" of relation \"{}\" violates not-null constraint",
        desc.name
    )
    .detail(failing_row(ext, desc, values))
    .table(&*desc.namespace_name, &*desc.name)
    .column(name)
}

pub(crate) fn check(
    ext: &ExecContext<'_>,
    desc: &RelationDesc,
    constraint: &str,
    values: &[Datum],
) -> Box<PgError> {
    pg_err!(
        CHECK_VIOLATION,
        "new row for relation \"{}\" violates check constraint \"{constraint}\"",
        desc.name
    )
    .detail(failing_row(ext, desc, values))
    .table(&*desc.namespace_name, &*desc.name)
    .constraint(constraint)
}

/// A view's CHECK OPTION, or a row-security policy.
pub(crate) fn with_check(
    ext: &ExecContext<'_>,
    desc: &RelationDesc,
    option: &nodes::query::WithCheckOption,
    values: &[Datum],
) -> Box<PgError> {
    let name = &option.relation_name;
    if !option.is_rls {
        return pg_err!(
            WITH_CHECK_OPTION_VIOLATION,
            "new row violates check option for view \"{name}\""
        )
        .detail(failing_row(ext, desc, values));
    }
    match &option.policy_name {
        Some(policy) => pg_err!(
            INSUFFICIENT_PRIVILEGE,
            "new row violates row-level security policy \"{policy}\" for table \"{name}\""
        ),
        None => pg_err!(
            INSUFFICIENT_PRIVILEGE,
            "new row violates row-level security policy for table \"{name}\""
        ),
    }
}

/// `Key (a, b)=(1, 2) already exists.`
pub(crate) fn unique(
    ext: &ExecContext<'_>,
    table: &RelationDesc,
    index: &RelationDesc,
    key: &[Datum],
) -> Box<PgError> {
    let error = pg_err!(
        UNIQUE_VIOLATION,
        "duplicate key value violates unique constraint \"{}\"",
        index.name
    )
    .table(&*table.namespace_name, &*table.name)
    .constraint(&*index.name);
    match key_text(ext, table, index, key) {
        Some(key) => error.detail(format!("Key {key} already exists.")),
        None => error,
    }
}

/// `Key (r)=([2,3)) conflicts with existing key (r)=([1,5)).`
pub(crate) fn exclusion(
    ext: &ExecContext<'_>,
    table: &RelationDesc,
    index: &RelationDesc,
    (key, existing): (&[Datum], &[Datum]),
) -> Box<PgError> {
    let error = pg_err!(
        EXCLUSION_VIOLATION,
        "conflicting key value violates exclusion constraint \"{}\"",
        index.name
    )
    .table(&*table.namespace_name, &*table.name)
    .constraint(&*index.name);
    let texts = (
        key_text(ext, table, index, key),
        key_text(ext, table, index, existing),
    );
    match texts {
        (Some(key), Some(existing)) => {
            error.detail(format!("Key {key} conflicts with existing key {existing}."))
        }
        _ => error,
    }
}

/// Existing rows conflict with each other.
pub(crate) fn exclusion_of_rows(
    ext: &ExecContext<'_>,
    table: &RelationDesc,
    index: &RelationDesc,
    (key, other): (&[Datum], &[Datum]),
) -> Box<PgError> {
    let error = pg_err!(
        EXCLUSION_VIOLATION,
        "could not create exclusion constraint \"{}\"",
        index.name
    )
    .table(&*table.namespace_name, &*table.name)
    .constraint(&*index.name);
    let texts = (
        key_text(ext, table, index, key),
        key_text(ext, table, index, other),
    );
    match texts {
        (Some(key), Some(other)) => error.detail(format!("Key {key} conflicts with key {other}.")),
        _ => error,
    }
}

/// ON CONFLICT decides at once.
pub(crate) fn deferrable_arbiter(table: &RelationDesc, index: &RelationDesc) -> Box<PgError> {
    pg_err!(
        OBJECT_NOT_IN_PREREQUISITE_STATE,
        "ON CONFLICT does not support deferrable unique constraints/exclusion constraints as arbiters"
    )
    .table(&*table.namespace_name, &*table.name)
    .constraint(&*index.name)
}

/// `(a, b)=(1, 2)`.
pub(crate) fn key_and_values(
    ext: &ExecContext<'_>,
    columns: &[(&str, common::Oid)],
    key: &[Datum],
) -> String {
    let names: Vec<&str> = columns.iter().map(|c| c.0).collect();
    let values: Vec<String> = columns
        .iter()
        .zip(key)
        .map(|((_, type_oid), v)| shown(ext, *type_oid, v))
        .collect();
    format!("({})=({})", names.join(", "), values.join(", "))
}

/// `no partition of relation "t" found for row`.
pub(crate) fn no_partition(
    ext: &ExecContext<'_>,
    desc: &RelationDesc,
    columns: &[(String, common::Oid)],
    key: &[Datum],
) -> Box<PgError> {
    let names: Vec<&str> = columns.iter().map(|c| &*c.0).collect();
    let values: Vec<String> = columns
        .iter()
        .zip(key)
        .map(|((_, type_oid), v)| shown(ext, *type_oid, v))
        .collect();
    pg_err!(
        CHECK_VIOLATION,
        "no partition of relation \"{}\" found for row",
        desc.name
    )
    .detail(format!(
        "Partition key of the failing row contains ({}) = ({}).",
        names.join(", "),
        values.join(", ")
    ))
    .table(&*desc.namespace_name, &*desc.name)
}

/// `new row for relation "t" violates partition constraint`.
pub(crate) fn partition(ext: &ExecContext<'_>, desc: &RelationDesc, values: &[Datum]) -> Box<PgError> {
    pg_err!(
        CHECK_VIOLATION,
        "new row for relation \"{}\" violates partition constraint",
        desc.name
    )
    .detail(failing_row(ext, desc, values))
    .table(&*desc.namespace_name, &*desc.name)
}

fn key_text(
    ext: &ExecContext<'_>,
    table: &RelationDesc,
    index: &RelationDesc,
    key: &[Datum],
) -> Option<String> {
    let info = index.index.as_ref()?;
    let (mut names, mut values) = (Vec::new(), Vec::new());
    for (i, (column, value)) in info.columns.iter().take(info.key_count).zip(key).enumerate() {
        let (name, type_oid) = match (table.column(column.attno), &column.expr) {
            (Some(c), _) => (c.name.to_string(), c.type_ref.oid),
            (None, Some(e)) => {
                let def = ext
                    .session
                    .get_def(DefKind::Index, index.oid, i as i32 + 1, true)
                    .ok()??;
                (def, e.type_oid())
            }
            (None, None) => return None,
        };
        names.push(name);
        values.push(shown(ext, type_oid, value));
    }
    Some(format!("({})=({})", names.join(", "), values.join(", ")))
}
