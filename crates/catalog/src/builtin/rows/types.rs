//! Rows of `pg_type`.

use std::collections::HashMap;

use common::{Oid, PgResult, internal};
use types::builtin::{TYPES, TypeRow};
use types::{Datum, oids as t};

use crate::builtin::rows::oid;
use crate::builtin::text;
use crate::columns::pg_type::*;
use crate::oids;

/// oid, typreceive, typsend, typmodin, typmodout, typanalyze, typsubscript, typinput, typoutput, typnotnull, typtypmod, typndims
/// of the types that are neither plain arrays nor row types.
static TYPE_IO: &str = include_str!("../../../data/type_io.tsv");

/// Columns of `TYPE_IO` after the OID that go into the row, in file order.
const IO_COLUMNS: [(usize, Oid); 11] = [
    (TYPRECEIVE, t::REGPROC),
    (TYPSEND, t::REGPROC),
    (TYPMODIN, t::REGPROC),
    (TYPMODOUT, t::REGPROC),
    (TYPANALYZE, t::REGPROC),
    (TYPSUBSCRIPT, t::REGPROC),
    (TYPINPUT, t::REGPROC),
    (TYPOUTPUT, t::REGPROC),
    (TYPNOTNULL, t::BOOL),
    (TYPTYPMOD, t::INT4),
    (TYPNDIMS, t::INT4),
];

/// Domain `information_schema.time_stamp`, the only built-in type with a default.
const TIME_STAMP: Oid = Oid(12446);

/// Functions of all array types and of all composite types.
struct Shared {
    array_in: Datum,
    array_out: Datum,
    array_recv: Datum,
    array_send: Datum,
    array_typanalyze: Datum,
    array_subscript: Datum,
    record_in: Datum,
    record_out: Datum,
    record_recv: Datum,
    record_send: Datum,
}

/// OID of the built-in function of a name that has one overload.
pub fn function_oid(name: &str) -> Oid {
    functions::facts::procs_by_name(name)
        .next()
        .map_or(Oid::INVALID, |p| p.oid)
}

pub fn rows() -> PgResult<Vec<Vec<Datum>>> {
    let lines = TYPE_IO.lines().filter_map(|line| line.split_once('\t'));
    let io: HashMap<Oid, &str> = lines
        .filter_map(|(oid, rest)| Some((Oid(oid.parse().ok()?), rest)))
        .collect();
    let function = |name: &str| oid(function_oid(name));
    let shared = Shared {
        array_in: function("array_in"),
        array_out: function("array_out"),
        array_recv: function("array_recv"),
        array_send: function("array_send"),
        array_typanalyze: function("array_typanalyze"),
        array_subscript: function("array_subscript_handler"),
        record_in: function("record_in"),
        record_out: function("record_out"),
        record_recv: function("record_recv"),
        record_send: function("record_send"),
    };
    TYPES.iter().map(|t| row(t, &shared, &io)).collect()
}

fn row(t: &TypeRow, shared: &Shared, io: &HashMap<Oid, &str>) -> PgResult<Vec<Datum>> {
    let mut row = vec![Datum::Null; COUNT];
    row[OID] = oid(t.oid);
    row[TYPNAME] = Datum::text(t.typname);
    row[TYPNAMESPACE] = oid(t.typnamespace);
    row[TYPOWNER] = oid(oids::BOOTSTRAP_SUPERUSER);
    row[TYPLEN] = Datum::Int2(t.typlen);
    row[TYPBYVAL] = Datum::Bool(t.typbyval);
    row[TYPTYPE] = Datum::Char(t.typtype);
    row[TYPCATEGORY] = Datum::Char(t.typcategory);
    row[TYPISPREFERRED] = Datum::Bool(t.typispreferred);
    row[TYPISDEFINED] = Datum::Bool(true);
    row[TYPDELIM] = Datum::Char(t.typdelim);
    row[TYPRELID] = oid(t.typrelid);
    row[TYPELEM] = oid(t.typelem);
    row[TYPARRAY] = oid(t.typarray);
    row[TYPALIGN] = Datum::Char(t.typalign);
    row[TYPSTORAGE] = Datum::Char(t.typstorage);
    row[TYPNOTNULL] = Datum::Bool(false);
    row[TYPBASETYPE] = oid(t.typbasetype);
    row[TYPTYPMOD] = Datum::Int4(-1);
    row[TYPNDIMS] = Datum::Int4(0);
    row[TYPCOLLATION] = oid(t.typcollation);
    for none in [TYPMODIN, TYPMODOUT, TYPANALYZE, TYPSUBSCRIPT] {
        row[none] = oid(Oid::INVALID);
    }
    if t.oid == TIME_STAMP {
        row[TYPDEFAULT] = Datum::text("CURRENT_TIMESTAMP(2)");
    }
    if let Some(line) = io.get(&t.oid) {
        set_own_functions(&mut row, line)?;
    } else if t.typrelid.is_valid() {
        row[TYPINPUT] = shared.record_in.clone();
        row[TYPOUTPUT] = shared.record_out.clone();
        row[TYPRECEIVE] = shared.record_recv.clone();
        row[TYPSEND] = shared.record_send.clone();
    } else {
        set_array_functions(&mut row, t, shared, io);
    }
    Ok(row)
}

/// Array types; those of types with modifiers have the element's modifier functions.
fn set_array_functions(row: &mut [Datum], t: &TypeRow, shared: &Shared, io: &HashMap<Oid, &str>) {
    row[TYPINPUT] = shared.array_in.clone();
    row[TYPOUTPUT] = shared.array_out.clone();
    row[TYPRECEIVE] = shared.array_recv.clone();
    row[TYPSEND] = shared.array_send.clone();
    row[TYPANALYZE] = shared.array_typanalyze.clone();
    row[TYPSUBSCRIPT] = shared.array_subscript.clone();
    let Some(element) = io.get(&t.typelem) else {
        return;
    };
    for (column, at) in [(TYPMODIN, 2), (TYPMODOUT, 3)] {
        let number = element.split('\t').nth(at).and_then(|v| v.parse().ok());
        row[column] = Datum::Oid(number.unwrap_or(0));
    }
}

fn set_own_functions(row: &mut [Datum], line: &str) -> PgResult<()> {
    let mut fields = text::fields(line);
    for (column, type_oid) in IO_COLUMNS {
        let Some(field) = fields.next() else {
            return Err(internal!("type_io.tsv: a short line"));
        };
        row[column] = text::datum(type_oid, field.as_deref())?;
    }
    Ok(())
}
