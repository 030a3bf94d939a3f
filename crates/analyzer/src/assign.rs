//! Assignment to elements and fields: `SET a[1].f = x`.
//!
//! PG: src/backend/parser/parse_target.c (`transformAssignmentIndirection`).

use common::error::ErrorExt;
use common::{Oid, PgResult, Span, pg_err};
use nodes::Expr;
use nodes::expr::{FieldStore, TypedSlot};
use parser::ast::Indirection;
use types::settings::TypeRef;

use crate::parse_coerce::{CoerceTo, CoercionContext};
use crate::state::Analyzer;

/// What is assigned into.
pub(crate) struct Place<'n> {
    /// Its present value.
    pub base: Option<Expr>,
    pub type_ref: TypeRef,
    pub name: &'n str,
    pub span: Span,
    /// The place is a field of a composite rather than a column.
    pub is_field: bool,
    /// The place is an element of an array.
    pub is_slot: bool,
}

/// The new value of a container when `value` is put at the end of `path` inside it.
pub(crate) fn assign_into(
    a: &mut Analyzer<'_>,
    place: Place<'_>,
    path: &[Indirection],
    value: Expr,
) -> PgResult<Expr> {
    match path.first() {
        None => coerce_value(a, &place, value),
        Some(Indirection::Star(_)) => Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "row expansion via \"*\" is not supported here"
        )
        .at(place.span)),
        Some(Indirection::Index(_)) => assign_element(a, place, path, value),
        Some(Indirection::Field(field)) => assign_field(a, place, field.as_str(), &path[1..], value),
    }
}

fn assign_element(
    a: &mut Analyzer<'_>,
    place: Place<'_>,
    path: &[Indirection],
    value: Expr,
) -> PgResult<Expr> {
    let count = path
        .iter()
        .take_while(|s| matches!(s, Indirection::Index(_)))
        .count();
    let mut indices = Vec::with_capacity(count);
    for s in &path[..count] {
        if let Indirection::Index(i) = s {
            indices.push(&**i);
        }
    }
    let (container, element) = a.container_types(place.type_ref, Span::NONE)?;
    let is_slice = indices.iter().any(|i| i.is_slice);
    let inner = TypeRef {
        oid: if is_slice { container.oid } else { element },
        typmod: container.typmod,
    };
    let base = match place.base {
        Some(b) => b,
        None => Expr::null_const(place.type_ref, Oid::INVALID),
    };
    let inner_base = if path.len() > count {
        Some(a.container_subscripts(base.clone(), &indices, None)?)
    } else {
        None
    };
    let inner_place = Place {
        base: inner_base,
        type_ref: inner,
        name: place.name,
        span: place.span,
        is_field: place.is_field,
        is_slot: true,
    };
    let value = assign_into(a, inner_place, &path[count..], value)?;
    let made = a.container_subscripts(base, &indices, Some(value))?;
    if made.type_oid() == place.type_ref.oid {
        return Ok(made);
    }
    let to = CoerceTo {
        target: place.type_ref,
        context: CoercionContext::Assignment,
        ..CoerceTo::implicit(place.type_ref.oid)
    };
    let from = made.type_oid();
    match a.coerce_to_target_type(made, to)? {
        Some(e) => Ok(e),
        None => Err(a.cannot_cast(from, place.type_ref.oid, place.span)),
    }
}

fn assign_field(
    a: &mut Analyzer<'_>,
    place: Place<'_>,
    field: &str,
    rest: &[Indirection],
    value: Expr,
) -> PgResult<Expr> {
    let base_type = a.base_type(place.type_ref.oid)?;
    let Some(fields) = a.composite_fields(base_type)? else {
        return Err(pg_err!(
            DATATYPE_MISMATCH,
            "cannot assign to field \"{field}\" of column \"{}\" because its type {} is not a composite type",
            place.name,
            a.format_type(place.type_ref.oid)
        )
        .at(place.span));
    };
    let Some(at) = fields.iter().position(|f| !f.dropped && &*f.name == field) else {
        return Err(pg_err!(
            UNDEFINED_COLUMN,
            "cannot assign to field \"{field}\" of column \"{}\" because there is no such column in data type {}",
            place.name,
            a.format_type(place.type_ref.oid)
        )
        .at(place.span));
    };
    let base = match place.base {
        Some(b) => b,
        None => Expr::CaseTest(TypedSlot {
            type_ref: place.type_ref,
            collation: Oid::INVALID,
            span: Span::NONE,
        }),
    };
    let inner = Place {
        base: (!rest.is_empty()).then(|| crate::parse_func::field_select(base.clone(), at, &fields[at])),
        type_ref: fields[at].type_ref,
        name: field,
        span: place.span,
        is_field: true,
        is_slot: false,
    };
    let value = assign_into(a, inner, rest, value)?;
    let store = Expr::FieldStore(FieldStore {
        arg: Box::new(base),
        new_values: vec![((at + 1) as i16, value)],
        result: TypeRef::plain(base_type),
        span: place.span,
    });
    if base_type == place.type_ref.oid {
        return Ok(store);
    }
    a.coerce_type(store, CoerceTo::implicit(place.type_ref.oid))
}

/// Makes an assignment to a part read what it keeps from `new` instead of `old`. Values that are assigned stay as they are: they
/// read the row as it was.
pub(crate) fn rebase(assigned: &mut Expr, old: &Expr, new: &Expr) {
    match assigned {
        Expr::CoerceToDomain(c) => rebase(&mut c.arg, old, new),
        Expr::FieldStore(f) => {
            replace(&mut f.arg, old, new);
            f.new_values.iter_mut().for_each(|(_, v)| rebase(v, old, new));
        }
        Expr::Subscripting(s) => {
            if let Some(value) = &mut s.assign {
                rebase(value, old, new);
                replace(&mut s.container, old, new);
            }
        }
        _ => {}
    }
}

fn replace(expr: &mut Expr, old: &Expr, new: &Expr) {
    let mut found = false;
    nodes::walk::rewrite(expr, &mut |e| {
        if !found && crate::walk::equal(e, old) {
            *e = new.clone();
            found = true;
        }
    });
}

fn coerce_value(a: &mut Analyzer<'_>, place: &Place<'_>, value: Expr) -> PgResult<Expr> {
    let input = value.type_oid();
    let to = CoerceTo {
        target: place.type_ref,
        context: CoercionContext::Assignment,
        ..CoerceTo::implicit(place.type_ref.oid)
    };
    if let Some(e) = a.coerce_to_target_type(value, to)? {
        return Ok(e);
    }
    let (wanted, got) = (a.format_type(place.type_ref.oid), a.format_type(input));
    let e = if place.is_slot {
        pg_err!(
            DATATYPE_MISMATCH,
            "subscripted assignment to \"{}\" requires type {wanted} but expression is of type {got}",
            place.name
        )
    } else {
        pg_err!(
            DATATYPE_MISMATCH,
            "subfield \"{}\" is of type {wanted} but expression is of type {got}",
            place.name
        )
    };
    Err(e
        .hint("You will need to rewrite or cast the expression.")
        .at(place.span))
}
