//! Default arguments of built-in functions as expressions.
//!
//! The facts have them as SQL text of a few shapes only: numbers, booleans, `'text'::type`, `NULL::type`. The type is the
//! argument's, so the text after `::` is not needed.

use std::sync::Arc;

use common::{Oid, Span};
use functions::facts::ProcRow;
use nodes::Expr;
use nodes::expr::{CoerceExpr, CoercionForm, Const};
use types::settings::TypeRef;
use types::{ArrayValue, Datum, builtin, oids};

/// The defaults of a function's last `pronargdefaults` input arguments.
pub fn of_function(p: &'static ProcRow) -> Vec<Arc<Expr>> {
    let texts = p.extra.map_or(&[][..], |e| e.argdefaults);
    let first = p.proargtypes.len().saturating_sub(texts.len());
    let types = p.proargtypes.get(first..).unwrap_or_default();
    let pairs = texts.iter().zip(types);
    pairs
        .map(|(text, type_oid)| Arc::new(expression(text, *type_oid)))
        .collect()
}

fn expression(text: &str, type_oid: Oid) -> Expr {
    let collation = builtin::type_row(type_oid).map_or(Oid::INVALID, |t| t.typcollation);
    let constant = |value: Datum, type_oid: Oid, collation: Oid| {
        Expr::Const(Const {
            value,
            type_ref: TypeRef::plain(type_oid),
            collation,
            span: Span::NONE,
        })
    };
    let literal = text.split_once("::").map_or(text, |(value, _)| value);
    let Some(quoted) = literal.strip_prefix('\'').and_then(|t| t.strip_suffix('\'')) else {
        return constant(plain_value(literal, type_oid), type_oid, collation);
    };
    match builtin::type_row(type_oid) {
        Some(t) if t.is_array() && quoted == "{}" => {
            let empty = ArrayValue::from_elements(t.typelem, Vec::new());
            constant(Datum::Array(Arc::new(empty)), type_oid, collation)
        }
        _ if type_oid == oids::TEXT => constant(Datum::text(quoted), type_oid, collation),
        // Other types keep their input function's work for when it is evaluated.
        _ => Expr::CoerceViaIo(CoerceExpr {
            arg: Box::new(constant(Datum::text(quoted), oids::TEXT, Oid(100))),
            result: TypeRef::plain(type_oid),
            collation,
            form: CoercionForm::ImplicitCast,
            span: Span::NONE,
        }),
    }
}

fn plain_value(text: &str, type_oid: Oid) -> Datum {
    match type_oid {
        oids::BOOL => Datum::Bool(text == "true"),
        oids::INT4 => text.parse().map_or(Datum::Null, Datum::Int4),
        oids::INT8 => text.parse().map_or(Datum::Null, Datum::Int8),
        oids::FLOAT8 => text.parse().map_or(Datum::Null, Datum::Float8),
        _ => Datum::Null,
    }
}
