//! `json_populate_record`, `json_to_record`, their set forms and `jsonb_populate_record_valid`.

use common::cancel::CancelToken;
use common::error::ErrorExt;
use common::{Oid, PgError, PgResult, pg_err};
use types::io::CompositeField;
use types::json_text::validate_convertible;
use types::jsonb::JsonbRef;
use types::{Datum, PhysType, RecordValue, oids};

use crate::families::json::populate::{composite, composite_fields};
use crate::families::json::source::{Shape, Source};
use crate::framework::context::FnContext;
use crate::framework::macros::{builtins, set_functions};
use crate::framework::set::{ScalarRows, SetRows};

/// The row type of a call and the values its fields have beforehand.
struct Row<'a> {
    type_oid: Oid,
    fields: Vec<CompositeField>,
    default: &'a Datum,
}

fn plural(n: usize) -> String {
    format!("{n} attribute{}", if n == 1 { "" } else { "s" })
}

/// A given record against the column definition list of the query.
fn check_columns(record: &RecordValue, ctx: &FnContext<'_>) -> PgResult<()> {
    let columns = &ctx.call.columns;
    if columns.is_empty() {
        return Ok(());
    }
    let mismatch = |detail: String| {
        pg_err!(
            DATATYPE_MISMATCH,
            "function return row and query-specified return row do not match"
        )
        .detail(detail)
    };
    if record.field_types.len() != columns.len() {
        return Err(mismatch(format!(
            "Returned row contains {}, but query expects {}.",
            plural(record.field_types.len()),
            columns.len()
        )));
    }
    let names = ctx.io().names();
    let type_name = |oid: Oid| -> PgResult<String> {
        match names.type_name(oid)? {
            Some(name) => Ok(name),
            None => ctx.session.format_type(oid, None),
        }
    };
    for (k, (given, wanted)) in record.field_types.iter().zip(columns).enumerate() {
        if *given != wanted.type_oid {
            return Err(mismatch(format!(
                "Returned type {} at ordinal position {}, but query expects {}.",
                type_name(*given)?,
                k + 1,
                type_name(wanted.type_oid)?
            )));
        }
    }
    Ok(())
}

#[cold]
fn no_row_type(function: &str) -> Box<PgError> {
    pg_err!(
        INVALID_PARAMETER_VALUE,
        "could not determine row type for result of {function}"
    )
    .hint(
        "Provide a non-null record argument, or call the function in the FROM clause using a column definition list.",
    )
}

/// The row type from the first argument, or from the query.
fn row_of<'a>(base: &'a Datum, function: &str, ctx: &FnContext<'_>) -> PgResult<Row<'a>> {
    let type_oid = ctx.call.arg_type(0);
    let (type_oid, fields) = match base {
        _ if type_oid != oids::RECORD => match composite_fields(type_oid, ctx)? {
            Some(fields) => (type_oid, fields),
            None => {
                // The function that only asks says what the other says.
                let function = function.trim_end_matches("_valid");
                return Err(pg_err!(
                    DATATYPE_MISMATCH,
                    "first argument of {function} must be a row type"
                ));
            }
        },
        Datum::Record(r) => {
            check_columns(r, ctx)?;
            let name = |k: usize| match &r.names {
                Some(names) => names.get(k).map_or(String::new(), |n| n.to_string()),
                None => format!("f{}", k + 1),
            };
            let field = |(k, type_oid): (usize, &Oid)| CompositeField {
                name: name(k),
                type_oid: *type_oid,
                typmod: -1,
            };
            (r.type_oid, r.field_types.iter().enumerate().map(field).collect())
        }
        _ if !ctx.call.columns.is_empty() => (oids::RECORD, ctx.call.columns.clone()),
        _ => return Err(no_row_type(function)),
    };
    if let (Datum::Record(r), true) = (base, type_oid != oids::RECORD) {
        check_columns(r, ctx)?;
    }
    Ok(Row {
        type_oid,
        fields,
        default: base,
    })
}

impl Row<'_> {
    fn make(&self, source: Source<'_>, ctx: &FnContext<'_>) -> PgResult<Datum> {
        let value = composite(source, self.type_oid, &self.fields, self.default, ctx)?;
        let declared = ctx.call.arg_type(0);
        if declared.is_valid() && declared != oids::RECORD && is_domain(declared, ctx)? {
            ctx.io().names().check_domain(declared, &value)?;
        }
        Ok(value)
    }
}

fn is_domain(type_oid: Oid, ctx: &FnContext<'_>) -> PgResult<bool> {
    Ok(matches!(
        ctx.io().names().user_type(type_oid)?,
        Some(types::io::UserType::Domain { .. })
    ))
}

/// The argument as JSON; `None` for NULL.
fn source<'a>(arg: Option<&'a Datum>, cancel: &CancelToken) -> PgResult<Option<Source<'a>>> {
    Ok(match arg {
        Some(Datum::Text(text)) => {
            validate_convertible(text, cancel)?;
            Some(Source::Json(text))
        }
        Some(Datum::Bytes(bytes)) => Some(Source::Jsonb(JsonbRef::root(bytes))),
        _ => None,
    })
}

fn first(args: &[Datum]) -> &Datum {
    args.first().unwrap_or(&Datum::Null)
}

fn populate(ctx: &FnContext<'_>, args: &[Datum], function: &str) -> PgResult<Datum> {
    let row = row_of(first(args), function, ctx)?;
    match source(args.get(1), ctx.cancel)? {
        None => Ok(row.default.clone()),
        Some(s) => row.make(s, ctx),
    }
}

fn json_populate_record(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    populate(ctx, args, "json_populate_record")
}

fn jsonb_populate_record(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    populate(ctx, args, "jsonb_populate_record")
}

fn jsonb_populate_record_valid(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    match populate(ctx, args, "jsonb_populate_record_valid") {
        Ok(Datum::Null) if args.get(1).is_some_and(Datum::is_null) => Ok(Datum::Null),
        Ok(_) => Ok(Datum::Bool(true)),
        Err(e) if is_soft(&e) => Ok(Datum::Bool(false)),
        Err(e) => Err(e),
    }
}

/// Errors that PostgreSQL's input functions can report softly: data exceptions and broken constraints.
pub(crate) fn is_soft(e: &PgError) -> bool {
    matches!(&e.sqlstate.class(), b"22" | b"23")
        || e.sqlstate == common::sqlstate::SYNTAX_ERROR
        || e.sqlstate == common::sqlstate::UNDEFINED_OBJECT
}

fn one_row(value: Datum) -> Box<dyn SetRows> {
    Box::new(ScalarRows {
        phys: PhysType::Nested,
        iter: std::iter::once(Ok(value)),
    })
}

/// `json_populate_record` in FROM with a column definition list.
fn populate_row(ctx: &mut FnContext<'_>, args: &[Datum], function: &str) -> PgResult<Box<dyn SetRows>> {
    Ok(one_row(populate(ctx, args, function)?))
}

fn json_populate_row(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    populate_row(ctx, args, "json_populate_record")
}

fn jsonb_populate_row(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    populate_row(ctx, args, "jsonb_populate_record")
}

fn columns_row<'a>(ctx: &FnContext<'_>, function: &str) -> PgResult<Row<'a>> {
    if ctx.call.columns.is_empty() {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "could not determine row type for result of {function}"
        )
        .hint("Provide a non-null record argument, or call the function in the FROM clause using a column definition list."));
    }
    Ok(Row {
        type_oid: oids::RECORD,
        fields: ctx.call.columns.clone(),
        default: &Datum::Null,
    })
}

fn to_record(ctx: &mut FnContext<'_>, args: &[Datum], function: &str) -> PgResult<Box<dyn SetRows>> {
    let row = columns_row(ctx, function)?;
    Ok(one_row(match source(args.first(), ctx.cancel)? {
        None => Datum::Null,
        Some(s) => row.make(s, ctx)?,
    }))
}

fn json_to_record(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    to_record(ctx, args, "json_to_record")
}

fn jsonb_to_record(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    to_record(ctx, args, "jsonb_to_record")
}

fn recordset(
    row: &Row<'_>,
    arg: Option<&Datum>,
    function: &str,
    ctx: &FnContext<'_>,
) -> PgResult<Box<dyn SetRows>> {
    let mut out = Vec::new();
    if let Some(s) = source(arg, ctx.cancel)? {
        let wrong = |what: &str| pg_err!(INVALID_PARAMETER_VALUE, "cannot call {function} on {what}");
        match (s.shape()?, s) {
            (Shape::Array, _) => {}
            (Shape::Object, Source::Json(_)) => return Err(wrong("an object")),
            (_, Source::Jsonb(_)) => return Err(wrong("a non-array")),
            _ => return Err(wrong("a scalar")),
        }
        for element in s.elements(ctx.cancel)? {
            ctx.cancel.check()?;
            if element.shape()? != Shape::Object {
                return Err(pg_err!(
                    INVALID_PARAMETER_VALUE,
                    "argument of {function} must be an array of objects"
                ));
            }
            out.push(Ok(row.make(element, ctx)?));
        }
    }
    Ok(Box::new(ScalarRows {
        phys: PhysType::Nested,
        iter: out.into_iter(),
    }))
}

fn json_populate_recordset(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    let row = row_of(first(args), "json_populate_recordset", ctx)?;
    recordset(&row, args.get(1), "json_populate_recordset", ctx)
}

fn jsonb_populate_recordset(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    let row = row_of(first(args), "jsonb_populate_recordset", ctx)?;
    recordset(&row, args.get(1), "jsonb_populate_recordset", ctx)
}

fn json_to_recordset(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    let row = columns_row(ctx, "json_to_recordset")?;
    recordset(&row, args.first(), "json_to_recordset", ctx)
}

fn jsonb_to_recordset(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    let row = columns_row(ctx, "jsonb_to_recordset")?;
    recordset(&row, args.first(), "jsonb_to_recordset", ctx)
}

/// Outside of FROM there are no columns to fill.
fn no_columns(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    if args.iter().any(Datum::is_null) {
        return Ok(Datum::Null);
    }
    let name = crate::facts::proc(ctx.call.proc).map_or("", |p| p.proname);
    columns_row(ctx, name).map(|_| Datum::Null)
}

builtins! {
    json_to_record = no_columns[general](json) -> record;
    jsonb_to_record = no_columns[general](jsonb) -> record;
    json_populate_record[general](anyelement, json, bool) -> anyelement;
    jsonb_populate_record[general](anyelement, jsonb) -> anyelement;
    jsonb_populate_record_valid[general](anyelement, jsonb) -> bool;
}

set_functions! {
    json_populate_record(anyelement, json, bool) -> anyelement = json_populate_row;
    jsonb_populate_record(anyelement, jsonb) -> anyelement = jsonb_populate_row;
    json_populate_recordset(anyelement, json, bool) -> anyelement = json_populate_recordset;
    jsonb_populate_recordset(anyelement, jsonb) -> anyelement = jsonb_populate_recordset;
    json_to_record(json) -> record = json_to_record;
    jsonb_to_record(jsonb) -> record = jsonb_to_record;
    json_to_recordset(json) -> record = json_to_recordset;
    jsonb_to_recordset(jsonb) -> record = jsonb_to_recordset;
}
